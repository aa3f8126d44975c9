"""Read tables of a file: every unknown key, wrong kind and number out of range becomes a line of one message."""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import did_you_mean

__all__ = ["Draws", "Spread", "Table", "is_number"]

Spread: TypeAlias = float | tuple[float, float, float]
"""A number that is known, or low, central and high of one that is not."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_WANTED = "expected a number, or three (low, central, high)"


class Draws:
    """Numbers that may be uncertain, drawn so that each depends on its own name and the seed alone.

    Parameters
    ----------
    count
        Draws of a number that is given as three.
    seed
        Seed.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed

    def of(self, value: Spread, name: str) -> NDArray[np.float64]:
        """Return a number as shape (1, 1), or draws of a triangular distribution as shape (draws, 1).

        Parameters
        ----------
        value
            A number, or low, central (the mode) and high.
        name
            Words that name it.
        """
        if not isinstance(value, tuple):
            return np.full((1, 1), value)
        low, central, high = value
        if low == high:
            return np.full((1, 1), central)
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        return generator.triangular(low, central, high, (self.count, 1))


def is_number(value: object) -> TypeGuard[float]:
    """Say whether a value is a finite number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


class Table:
    """A table of a file; what is wrong with it is collected.

    Parameters
    ----------
    content
        Keys and values; anything but a table is a problem.
    where
        Words that name the table in messages.
    known
        Keys it may have.
    problems
        List that problems are added to.
    """

    def __init__(self, content: object, where: str, known: Sequence[str], problems: list[str]) -> None:
        self.where = where
        self.problems = problems
        self.content: Mapping[str, Any] = {}
        if not isinstance(content, Mapping):
            problems.append(f"{where} is {content!r}; expected a table with {', '.join(known)}")
            return
        self.content = cast("Mapping[str, Any]", content)
        for key in self.content:
            if key not in known:
                hint = did_you_mean(key, known) or ";"
                problems.append(f"{where} has the key '{key}'{hint} known: {', '.join(known)}")

    def has(self, key: str) -> bool:
        """Say whether a key is given."""
        return key in self.content

    def wrong(self, words: str) -> None:
        """Add a problem with the table."""
        self.problems.append(f"{self.where}: {words}")

    def text(self, key: str, default: str | None = None, *, among: Iterable[str] | None = None) -> str:
        """Return words; without a default they must be given."""
        value = self.content.get(key, default)
        if value is None:
            self.wrong(f"{key} is missing")
            return ""
        if not isinstance(value, str):
            self.wrong(f"{key} is {value!r}; expected words in quotes")
            return default or ""
        words = list(among) if among is not None else None
        if words is not None and value not in words:
            self.wrong(f"{key} is '{value}'{did_you_mean(value, words) or ';'} expected one of {', '.join(words)}")
            return default or ""
        return value

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        low: float = 0.0,
        high: float = np.inf,
        below: float = np.inf,
        expected: str = "zero or more",
    ) -> float:
        """Return a number within bounds; without a default it must be given."""
        value = self.content.get(key, default)
        if value is None:
            self.wrong(f"{key} is missing")
            return 0.0
        if not is_number(value):
            self.wrong(f"{key} is {value!r}; expected a number, {expected}")
            return default or 0.0
        if not low <= value <= high or not value < below:
            self.wrong(f"{key} is {value:g}; expected {expected}")
            return default or 0.0
        return float(value)

    def whole(self, key: str, default: int, *, low: int = 1) -> int:
        """Return a whole number."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self.wrong(f"{key} is {value!r}; expected a whole number of at least {low}")
            return default
        return value

    def flag(self, key: str) -> bool:
        """Return a truth value, false by default."""
        value = self.content.get(key, False)
        if not isinstance(value, bool):
            self.wrong(f"{key} is {value!r}; expected true or false")
            return False
        return value

    def spread(
        self, key: str, default: float, *, low: float = 0.0, high: float = np.inf, expected: str = "zero or more"
    ) -> Spread:
        """Return a number, or low, central and high in this order, within bounds."""
        if key not in self.content:
            return default
        return self.spread_of(self.content[key], key, low=low, high=high, expected=expected, default=default)

    def spread_of(
        self,
        value: object,
        name: str,
        *,
        low: float = 0.0,
        high: float = np.inf,
        expected: str = "zero or more",
        default: float = 0.0,
    ) -> Spread:
        """Return a value of the table as a number, or as low, central and high."""
        listed = cast("list[object]", value) if isinstance(value, list) else [value]
        if len(listed) not in (1, 3) or not all(is_number(part) for part in listed):
            self.wrong(f"{name} is {value!r}; {_WANTED}, {expected}")
            return default
        parts = [float(cast(float, part)) for part in listed]
        outside = [part for part in parts if not low <= part <= high]
        if outside:
            self.wrong(f"{name} is {outside[0]:g}; expected {expected}")
            return default
        if len(parts) == 1:
            return parts[0]
        if not parts[0] <= parts[1] <= parts[2]:
            self.wrong(f"{name} is {parts}; expected low <= central <= high")
            return default
        return parts[0], parts[1], parts[2]

    def month(self, key: str, default: str | None = None) -> str | None:
        """Return a month such as 2026-01; a date of the file counts as its month."""
        value = self.content.get(key, default)
        if isinstance(value, dt.date):
            return f"{value:%Y-%m}"
        if value is not None and not (isinstance(value, str) and _MONTH.fullmatch(value)):
            self.wrong(f"{key} is {value!r}; expected a month in quotes, as '2026-01'")
            return default
        return value

    def need_month(self, key: str) -> str | None:
        """Return a month that must be given."""
        if key not in self.content:
            self.wrong(f"{key} is missing; expected a month in quotes, as '2026-01'")
        return self.month(key)

    def day(self, key: str) -> dt.date | None:
        """Return a day."""
        value = self.content.get(key)
        if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
            return value
        self.wrong(f"{key} is {value!r}; expected a day without quotes, as 2026-01-31")
        return None

    def list_of(self, key: str) -> list[object]:
        """Return the tables of a list, empty where there is none."""
        value = self.content.get(key, [])
        if isinstance(value, list):
            return cast("list[object]", value)
        self.wrong(f"{key} is {value!r}; expected tables, each under [[{key}]]")
        return []

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return a table within the table, empty where there is none."""
        value = self.content.get(key, {})
        if isinstance(value, Mapping):
            return cast("Mapping[str, Any]", value)
        self.wrong(f"{key} is {value!r}; expected a table")
        return {}

    def only_one_of(self, *keys: str) -> None:
        """Refuse two keys that say the same."""
        given = [key for key in keys if key in self.content]
        if len(given) > 1:
            self.wrong(f"{' and '.join(given)} say the same twice; give one of them")
