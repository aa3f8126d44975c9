"""The small tables of this layer: currencies, exchange rates, dated rules, reported balances, priors, tranches.

Each row carries its source and how far it can be trusted; what is only remembered says so.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from counterpoise.core.errors import InputError, did_you_mean

__all__ = [
    "Currency",
    "DatedRule",
    "PermittedUse",
    "Statement",
    "currency",
    "currency_of",
    "dated_rules",
    "permitted_from",
    "permitted_uses",
    "read_parameters",
    "shipped_rates",
    "statements",
    "unknown_currency",
]


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: ISO 4217 code, name, the country that issues it, and how many digits its smallest unit has."""

    code: str
    name: str
    issuer: str
    minor_digits: int

    @property
    def minor_units(self) -> int:
        """Smallest units in one unit of the currency: 100 paise are one rupee."""
        return int(10**self.minor_digits)


@dataclass(frozen=True, slots=True)
class DatedRule:
    """A rule or an event with its date, for the record and for marks in a chart."""

    date: dt.date
    label: str
    what: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody said about the rupee accounts that is no balance: month or day, words, source and confidence."""

    date: str
    what: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class PermittedUse:
    """What money in a rupee account may be spent on, from which day, to which extent."""

    use: str
    valid_from: dt.date
    extent: str
    rule: str
    source: str
    confidence: str


@cache
def read_parameters(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of a shipped table, every cell a string.

    Parameters
    ----------
    name
        File name without ``.csv``.
    """
    text = resources.files("counterpoise.settle").joinpath("parameters", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(MappingProxyType(row) for row in csv.DictReader(text.splitlines()))


@cache
def _currencies() -> Mapping[str, Currency]:
    rows = read_parameters("currencies")
    return MappingProxyType(
        {r["currency"]: Currency(r["currency"], r["name"], r["issuer"], int(r["minor_digits"])) for r in rows}
    )


def currency(code: str) -> Currency:
    """Return a currency by its code.

    Raises
    ------
    InputError
        If the code is unknown.
    """
    known = _currencies()
    if code not in known:
        raise InputError(unknown_currency(code))
    return known[code]


def unknown_currency(code: str) -> str:
    """Say that a currency is unknown, which one may be meant, and what is expected."""
    hint = did_you_mean(code, _currencies()) or ";"
    return f"unknown currency '{code}'{hint} expected one of the {len(_currencies())} ISO 4217 codes shipped, as INR"


def currency_of(country: str) -> Currency | None:
    """Return the currency that a country issues, or None where the table has none for it."""
    return next((c for c in _currencies().values() if c.issuer == country), None)


@cache
def shipped_rates(code: str) -> Mapping[str, float]:
    """Return the exchange rates the package ships for a currency, in units per USD.

    Parameters
    ----------
    code
        Currency; one without a rate gives an empty mapping.

    Returns
    -------
    Period (``FY2024-25`` or ``2024-10``) to rate, in the order of time.
    """
    rows = read_parameters("exchange_rates")
    return MappingProxyType({r["period"]: float(r["units_per_usd"]) for r in rows if r["currency"] == code})


@cache
def dated_rules() -> tuple[DatedRule, ...]:
    """Return the rules and events of the rupee accounts since July 2022, in the order of time."""
    rows = read_parameters("rules")
    rules = (
        DatedRule(dt.date.fromisoformat(r["date"]), r["label"], r["what"], r["source"], r["confidence"]) for r in rows
    )
    return tuple(sorted(rules, key=lambda rule: rule.date))


@cache
def statements() -> tuple[Statement, ...]:
    """Return what was said about the rupee accounts and is no balance, in the order of time; contradictions stay."""
    rows = (Statement(r["date"], r["what"], r["source"], r["confidence"]) for r in read_parameters("statements"))
    return tuple(sorted(rows, key=lambda row: row.date))


@cache
def permitted_uses(as_of: dt.date | None = None) -> tuple[PermittedUse, ...]:
    """Return what a rupee account may be used for.

    Parameters
    ----------
    as_of
        Only rules in force on that day, the widest of each use; None gives the whole schedule.
    """
    schedule = sorted(
        (
            PermittedUse(
                r["use"], dt.date.fromisoformat(r["valid_from"]), r["extent"], r["rule"], r["source"], r["confidence"]
            )
            for r in read_parameters("permitted_uses")
        ),
        key=lambda use: use.valid_from,
    )
    if as_of is None:
        return tuple(schedule)
    return tuple({use.use: use for use in schedule if use.valid_from <= as_of}.values())


def permitted_from(use: str, *, whole: bool = True) -> dt.date | None:
    """Return the first day a use is permitted under the rupee rules, or None where no rule names it.

    Parameters
    ----------
    use
        Name as in `permitted_uses`.
    whole
        Leave out permissions that hold within other limits only.
    """
    days = [p.valid_from for p in permitted_uses() if p.use == use and not (whole and p.extent.startswith("within"))]
    return min(days, default=None)
