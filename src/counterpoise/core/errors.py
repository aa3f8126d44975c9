"""The errors of Counterpoise: one tree, each with an exit code and every problem it found.

::

    WorkbenchError                      anything this package raises on purpose
    ├── InputError (ValueError)         what the caller gave cannot be used             exit 2
    │   ├── LabelError                  labels missing, unknown, or in another order
    │   └── ScenarioError               a scenario file with mistakes in it
    ├── DataError                       data are missing, malformed or contradictory    exit 3
    │   ├── SourceMissingError          a raw source file is not where it was looked for
    │   ├── DownloadError               a file cannot be fetched, or what came is not what it should be
    │   └── UnbalancedError             accounting identities are violated
    └── NotConvergedError (RuntimeError) a solve stopped away from equilibrium          exit 4

A message says what was seen, what was expected and how to mend it; ``problems`` holds one entry per fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "DataError",
    "DownloadError",
    "InputError",
    "LabelError",
    "NotConvergedError",
    "ScenarioError",
    "SourceMissingError",
    "UnbalancedError",
    "WorkbenchError",
    "did_you_mean",
    "raise_all",
]


class WorkbenchError(Exception):
    """Base of every error that Counterpoise raises on purpose.

    Parameters
    ----------
    message
        What was seen, what was expected, how to mend it.
    problems
        One line per fault; defaults to the message alone.
    """

    exit_code: int = 1

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class InputError(WorkbenchError, ValueError):
    """What the caller gave cannot be used."""

    exit_code = 2


class LabelError(InputError):
    """Labels are missing, unknown or in another order than expected."""


class ScenarioError(InputError):
    """A scenario file holds mistakes."""


class DataError(WorkbenchError):
    """Data are missing, malformed or contradict each other."""

    exit_code = 3


class SourceMissingError(DataError):
    """A raw source file is not where it was looked for."""


class DownloadError(DataError):
    """A file cannot be fetched, or what came is not what it should be."""


class UnbalancedError(DataError):
    """Accounting identities are violated."""


class NotConvergedError(WorkbenchError, RuntimeError):
    """A solve stopped away from equilibrium; ``solution`` holds the last iterate."""

    exit_code = 4

    def __init__(self, message: str, problems: Sequence[str] = (), solution: Any = None) -> None:
        super().__init__(message, problems)
        self.solution = solution


def raise_all(error: type[WorkbenchError], headline: str, problems: Iterable[str], *, most: int = 20) -> None:
    """Raise one error that lists every problem; return silently when there is none.

    Parameters
    ----------
    error
        Class to raise.
    headline
        First line of the message.
    problems
        One line per fault.
    most
        How many lines the message shows; the error's ``problems`` always holds them all.
    """
    found = tuple(problems)
    if not found:
        return
    shown = [f"  - {problem}" for problem in found[:most]]
    if len(found) > most:
        shown.append(f"  ... and {len(found) - most} more")
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    raise error("\n".join([f"{headline}: {count}", *shown]), found)


def did_you_mean(seen: str, expected: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest expected word, or an empty string.

    Parameters
    ----------
    seen
        The word that was given.
    expected
        The words that would have been right.
    """
    candidates = list(expected)
    folded = {word.casefold(): word for word in candidates}
    near = difflib.get_close_matches(seen.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""
