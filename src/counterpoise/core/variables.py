"""The vocabulary as data: ``variables.csv`` is the only place that names a quantity, its dims, unit and sign."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from counterpoise.core.errors import InputError, did_you_mean

__all__ = ["DIMS", "SIGNS", "UNITS", "Variable", "variable", "variables"]

DIMS = ("country", "origin", "destination", "sector", "using_sector")
"""Every dimension a quantity may have, in the order in which they appear."""

UNITS = ("USD", "1", "bool")
"""Units: current US dollars a year, dimensionless, truth value."""

SIGNS = ("any", "nonnegative", "positive", "share", "above_minus_one", "subsidy", "limit")
"""Admitted ranges: ``share`` is [0, 1], ``above_minus_one`` is > -1, ``subsidy`` is [0, 1), ``limit`` [0, infinity]."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the vocabulary."""

    name: str
    symbol: str
    dims: tuple[str, ...]
    unit: str
    sign: str
    description: str
    source: str

    @property
    def heading(self) -> str:
        """Column header: name with its unit where it has one."""
        return f"{self.name} ({self.unit})" if self.unit == "USD" else self.name


@cache
def variables() -> dict[str, Variable]:
    """Return the vocabulary by name, in the order of the file."""
    text = resources.files("counterpoise.core").joinpath("variables.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["name"]: Variable(**{**row, "dims": tuple(row["dims"].split())}) for row in rows}  # pyright: ignore[reportArgumentType]


def variable(name: str) -> Variable:
    """Return one row of the vocabulary.

    Raises
    ------
    InputError
        If the vocabulary has no such name.
    """
    try:
        return variables()[name]
    except KeyError:
        raise InputError(f"'{name}' is not in the vocabulary{did_you_mean(name, variables())}") from None
