"""A number with its bounds: low, central, high, in that order, and the little arithmetic that keeps the order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from counterpoise.core.errors import InputError, raise_all

__all__ = ["CASES", "ZERO", "Case", "Range", "RangeLike", "check_case"]

Case: TypeAlias = Literal["low", "central", "high"]

CASES: tuple[Case, ...] = ("low", "central", "high")
"""The three readings of every number."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number with its bounds.

    Parameters
    ----------
    low, central, high
        Finite and in this order.

    Raises
    ------
    InputError
        If a number is not finite or the order is broken.

    Examples
    --------
    >>> (Range(2, 3, 12) / 100).high
    0.12
    """

    low: float
    central: float
    high: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        raise_all(InputError, "a range cannot be used", self._problems())

    @classmethod
    def exactly(cls, value: float) -> Range:
        """Return the range of a number that is known."""
        return cls(value, value, value)

    @classmethod
    def of(cls, value: RangeLike) -> Range:
        """Read a range from a number, from (low, central, high), or from a table with those keys.

        Raises
        ------
        InputError
            If it is none of these.
        """
        if isinstance(value, Range):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cls.exactly(float(value))
        wanted = "expected a number, three numbers (low, central, high), or a table with these keys"
        parts: list[object]
        if isinstance(value, Mapping):
            table = cast("Mapping[object, object]", value)
            if unknown := [str(key) for key in table if key not in CASES]:
                raise InputError(f"a range has the keys {', '.join(unknown)}; {wanted}")
            if "central" not in table:
                raise InputError(f"a range has no central value; {wanted}")
            parts = [table.get(case, table["central"]) for case in CASES]
        elif isinstance(value, list | tuple):
            parts = list(cast("Iterable[object]", value))
        else:
            parts = []
        if len(parts) != 3 or any(isinstance(p, bool) or not isinstance(p, int | float) for p in parts):
            raise InputError(f"{value!r} is no range; {wanted}")
        return cls(*(float(cast(float, part)) for part in parts))

    def at(self, case: Case) -> float:
        """Return the number of a case."""
        return {"low": self.low, "central": self.central, "high": self.high}[case]

    def over(self, other: Range) -> Range:
        """Divide by another range of positive numbers: the low bound divides by its high one.

        Examples
        --------
        >>> Range(10, 20, 30).over(Range(1, 2, 5))
        Range(low=2.0, central=10.0, high=30.0)
        """
        return Range(self.low / other.high, self.central / other.central, self.high / other.low)

    def above(self, other: Range) -> Range:
        """Return what lies above another range, never below zero: the low bound is above its high one."""
        return Range(
            max(0.0, self.low - other.high), max(0.0, self.central - other.central), max(0.0, self.high - other.low)
        )

    def within(self, other: Range) -> Range:
        """Return the smaller of the two, case by case."""
        return Range(*(min(self.at(case), other.at(case)) for case in CASES))

    def __add__(self, other: Range) -> Range:
        """Add case by case."""
        return Range(self.low + other.low, self.central + other.central, self.high + other.high)

    def __mul__(self, other: Range | float) -> Range:
        """Multiply by a number or a range of zero or more, case by case."""
        by = other if isinstance(other, Range) else Range.exactly(other)
        return Range(self.low * by.low, self.central * by.central, self.high * by.high)

    def __truediv__(self, other: float) -> Range:
        """Divide by a positive number."""
        return Range(self.low / other, self.central / other, self.high / other)

    def _problems(self) -> list[str]:
        if not all(math.isfinite(v) for v in (self.low, self.central, self.high)):
            return [f"low {self.low:g}, central {self.central:g}, high {self.high:g}; expected finite numbers"]
        if not self.low <= self.central <= self.high:
            return [f"low {self.low:g}, central {self.central:g}, high {self.high:g}; expected low <= central <= high"]
        return []


RangeLike: TypeAlias = Range | float | tuple[float, float, float] | list[float] | Mapping[str, float]
"""What `Range.of` reads."""

ZERO = Range(0.0, 0.0, 0.0)
"""Nothing."""


def check_case(case: str) -> Case:
    """Return the case if it is one.

    Raises
    ------
    InputError
        If it is not low, central or high.
    """
    if case not in CASES:
        raise InputError(f"case is '{case}'; expected low, central or high")
    return case
