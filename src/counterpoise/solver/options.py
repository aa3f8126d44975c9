"""The check that all solvers' options share."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoise.core.errors import InputError

__all__ = ["BETWEEN", "require_options"]

BETWEEN = "between 1e-14 and 1"
"""What is expected of a relative tolerance."""


def require_options(options: object, rules: Mapping[str, tuple[str, bool]]) -> None:
    """Raise InputError that lists every option outside its range.

    Parameters
    ----------
    options
        Options of a solver.
    rules
        By name of the option what is expected, and whether it is so.
    """
    problems = [
        f"{name} = {getattr(options, name)}; expected {rule}" for name, (rule, fine) in rules.items() if not fine
    ]
    if problems:
        raise InputError("solver options cannot be used: " + "; ".join(problems), problems)
