"""The shipped parameters: small tables, every number with low, central, high, its unit, its source and its confidence.

Which row holds for a pair: the row that names both countries, else one that names a side (a *lane*, such as every
origin's way into one destination), else the generic default. How a row was found travels with it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal, TypeAlias

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.friction.ranges import CASES, Case, Range

__all__ = [
    "CONFIDENCE",
    "UNITS",
    "Match",
    "Parameter",
    "Row",
    "Unit",
    "as_match",
    "best_rows",
    "fraction",
    "in_force",
    "input_problems",
    "iterate_sources",
    "least",
    "match_of",
    "parameters",
    "range_problems",
    "require_country",
    "rows",
    "worst_match",
]

Row: TypeAlias = Mapping[str, str]

Match: TypeAlias = Literal["pair", "lane", "generic", "user"]
"""How a row was found: for this pair, for one of its sides, as a default for all, or given by the user."""

CONFIDENCE = ("high", "medium", "low")
"""How far a number can be trusted, from well documented to assumed."""

_BY_SIDES: tuple[Match, ...] = ("generic", "lane", "pair")

_RANK: Mapping[str, int] = MappingProxyType({"user": 3, "pair": 2, "lane": 1, "generic": 0})


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the tables: what to divide by for use inside, and the bounds of what makes sense, as written."""

    divisor: float
    lowest: float
    highest: float


UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "% of value": Unit(100.0, 0.0, 1000.0),
        "% per year": Unit(100.0, 0.0, 1000.0),
        "% per day": Unit(100.0, 0.0, 100.0),
        "share": Unit(1.0, 0.0, 1.0),
        "probability": Unit(1.0, 0.0, 1.0),
        "days": Unit(1.0, 0.0, 36500.0),
        "USD/TEU": Unit(1.0, 0.0, 1e9),
    }
)
"""Units of `Parameter` by name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as it holds for a pair.

    Attributes
    ----------
    obstacle, name
        What it belongs to.
    sector
        Sector, or ``*`` for all.
    value
        Low, central, high, in ``unit``.
    unit
        A key of `UNITS`.
    source, confidence, note
        Where it comes from and how far to trust it.
    match
        How it was found.
    """

    obstacle: str
    name: str
    sector: str
    value: Range
    unit: str
    source: str
    confidence: str
    note: str
    match: Match

    @property
    def key(self) -> str:
        """Name under which an override finds it: ``obstacle.name``."""
        return f"{self.obstacle}.{self.name}"

    @property
    def amount(self) -> Range:
        """Value for use inside: percentages as rates, everything else as written."""
        return self.value / UNITS[self.unit].divisor


@cache
def rows(table: str) -> tuple[Row, ...]:
    """Return the rows of a shipped table, every cell a string.

    Parameters
    ----------
    table
        File name without ``.csv``.
    """
    text = resources.files("counterpoise.friction").joinpath("parameters", f"{table}.csv").read_text(encoding="utf-8")
    return tuple(MappingProxyType(row) for row in csv.DictReader(text.splitlines()))


@cache
def _known_parameters() -> tuple[tuple[Row, Range], ...]:
    """Read the parameters once and check every row."""
    problems: list[str] = []
    known: list[tuple[Row, Range]] = []
    for row in rows("parameters"):
        value = Range(*(float(row[case]) for case in CASES))
        problems += range_problems(f"{row['obstacle']}.{row['parameter']}", value, row["unit"])
        if not row["source"] or row["confidence"] not in CONFIDENCE:
            problems.append(f"{row['obstacle']}.{row['parameter']} lacks a source or a confidence")
        known.append((row, value))
    raise_all(DataError, "the shipped friction parameters cannot be used", problems)
    return tuple(known)


def parameters(origin: str, destination: str, as_of: date | None = None) -> dict[tuple[str, str, str], Parameter]:
    """Return the parameters that hold for a pair on a day, by (obstacle, name, sector).

    Parameters
    ----------
    origin, destination
        Country codes.
    as_of
        Day on which they are looked at; None takes rows without regard to their dates.
    """
    found: dict[tuple[str, str, str], Parameter] = {}
    for row, value in _known_parameters():
        match = match_of(row, origin, destination)
        if match is None or not in_force(row, as_of):
            continue
        key = (row["obstacle"], row["parameter"], row["sector"])
        if key not in found or _RANK[match] > _RANK[found[key].match]:
            found[key] = Parameter(*key, value, row["unit"], row["source"], row["confidence"], row["note"], match)
    return found


def match_of(row: Row, origin: str, destination: str) -> Match | None:
    """Say how a row with origin and destination (``*`` is any) fits a pair; None where it does not."""
    sides = [(row["origin"], origin), (row["destination"], destination)]
    if any(said not in ("*", asked) for said, asked in sides):
        return None
    named = sum(said != "*" for said, _ in sides)
    return _BY_SIDES[named]


def best_rows(table: str, origin: str, destination: str, by: str = "") -> list[tuple[Row, Match]]:
    """Return the rows of a table that fit a pair best, in the order of the table.

    Parameters
    ----------
    table
        A table with the columns origin and destination.
    by
        Column within whose values the best fit is chosen; empty: over the whole table. A generic default is kept only
        where nothing better is known at all.
    """
    fitting: list[tuple[Row, Match]] = []
    for row in rows(table):
        match = match_of(row, origin, destination)
        if match is not None:
            fitting.append((row, match))
    best: dict[str, int] = {}
    for row, match in fitting:
        group = row[by] if by else ""
        best[group] = max(best.get(group, 0), _RANK[match])
    specific = any(rank > 0 for rank in best.values())
    return [
        (row, match)
        for row, match in fitting
        if _RANK[match] == best[row[by] if by else ""] and (_RANK[match] > 0 or not specific)
    ]


def in_force(row: Row, as_of: date | None) -> bool:
    """Say whether a dated row holds on a day: ``valid_from`` is included, ``valid_until`` is not."""
    if as_of is None:
        return not row["valid_until"]
    begun = not row["valid_from"] or date.fromisoformat(row["valid_from"]) <= as_of
    return begun and (not row["valid_until"] or as_of < date.fromisoformat(row["valid_until"]))


def range_problems(name: str, value: Range, unit: str) -> list[str]:
    """List what is wrong with a range in a unit: bounds that make no sense there."""
    if unit not in UNITS:
        return [f"{name} has the unit '{unit}'; expected one of {', '.join(UNITS)}"]
    bounds = UNITS[unit]
    wrong: list[Case] = [case for case in CASES if not bounds.lowest <= value.at(case) <= bounds.highest]
    if not wrong:
        return []
    seen = ", ".join(f"{case} {value.at(case):g}" for case in wrong)
    return [f"{name} is {seen}; expected {bounds.lowest:g} to {bounds.highest:g} ({unit})"]


def fraction(value: float | str) -> float:
    """Turn a percentage into a rate."""
    return float(value) / 100.0


def as_match(text: str) -> Match:
    """Return a text as the kind of match it names."""
    known: tuple[Match, ...] = ("user", *_BY_SIDES)
    return next(match for match in known if match == text)


def least(confidences: Iterable[str]) -> str:
    """Return the lowest confidence of several; ``high`` where there is none."""
    return max(confidences, key=CONFIDENCE.index, default="high")


def worst_match(matches: Iterable[Match]) -> Match:
    """Return the least specific of several matches; ``pair`` where there is none."""
    there = list(matches)
    return min(there, key=("generic", "lane", "user", "pair").index) if there else "pair"


def iterate_sources(texts: Iterable[str]) -> Iterator[str]:
    """Yield each source once, in order."""
    yield from dict.fromkeys(text for text in texts if text)


def require_country(code: str, name: str) -> list[str]:
    """List what is wrong with a country code."""
    if not code.strip() or code in ("*", "ORIGIN", "DESTINATION"):
        return [f"{name} is '{code}'; expected a country or region such as 'IND'"]
    return []


def input_problems(error: InputError, where: str) -> list[str]:
    """Name the place of each problem of an error."""
    return [f"{where}: {problem}" for problem in error.problems]
