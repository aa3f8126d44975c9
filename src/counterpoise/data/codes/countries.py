"""Countries: ISO 3166 and M49 codes, the special codes of trade statistics, former states, groups with dates.

The label of a country is its ISO 3166 alpha-3 code. Beside the current codes there are former states (``SUN``),
Kosovo (``XKX``), and the areas of trade statistics that are no country (``_899``, "Areas, not elsewhere specified").
UN Comtrade and BACI write numbers that are not M49 for some countries: 699 is India, 842 the United States, 251 France,
579 Norway, 757 Switzerland, and 490, "Other Asia, not elsewhere specified", is in practice Taiwan.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.data.codes.tables import read_codes

__all__ = [
    "KINDS",
    "Country",
    "Group",
    "countries",
    "country",
    "country_of_name",
    "group",
    "group_members",
    "groups",
    "members_on",
    "resolve",
]

KINDS = ("iso", "user", "historical", "area")
"""ISO 3166 now; a user-assigned code; a former state; an area of trade statistics that is no country."""


@dataclass(frozen=True, slots=True)
class Country:
    """A country, a former state, or an area of trade statistics.

    Attributes
    ----------
    iso3
        Its label here: ISO 3166 alpha-3; of an area its number after an underscore.
    iso2
        ISO 3166 alpha-2; empty where there is none.
    m49
        Number of M49, or of trade statistics for an area, three digits, as a string; empty where there is none.
    name
        Short name.
    kind
        One of `KINDS`.
    first_year, last_year
        First and last year in trade statistics; None where there is no such limit.
    successors
        Labels of the states that followed a former one.
    """

    iso3: str
    iso2: str
    m49: str
    name: str
    kind: str
    first_year: int | None
    last_year: int | None
    successors: tuple[str, ...]

    def existed(self, year: int) -> bool:
        """Say whether trade statistics know it in a year."""
        return (self.first_year is None or year >= self.first_year) and (
            self.last_year is None or year <= self.last_year
        )


@dataclass(frozen=True, slots=True)
class Group:
    """A group of countries.

    Attributes
    ----------
    code, name
        What it is called.
    composition_of, composition_on
        A fixed composition, as EU28, is another group as it was on a day; empty and None for a group whose members
        change.
    """

    code: str
    name: str
    composition_of: str
    composition_on: date | None


def _year(text: str) -> int | None:
    return int(text) if text else None


@cache
def _table() -> Mapping[str, Country]:
    return MappingProxyType(
        {
            row["iso3"]: Country(
                row["iso3"],
                row["iso2"],
                row["m49"],
                row["name"],
                row["kind"],
                _year(row["first_year"]),
                _year(row["last_year"]),
                tuple(row["successors"].split()),
            )
            for row in read_codes("countries")
        }
    )


def countries(kind: str | None = None, *, year: int | None = None) -> tuple[Country, ...]:
    """Return the countries, in the order of the table: by kind, then by label.

    Parameters
    ----------
    kind
        One of `KINDS`; every kind by default.
    year
        Only what trade statistics know in this year.

    Raises
    ------
    InputError
        If the kind is unknown.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"unknown kind '{kind}'{did_you_mean(kind, KINDS)} Known: {', '.join(KINDS)}")
    return tuple(c for c in _table().values() if (kind is None or c.kind == kind) and (year is None or c.existed(year)))


def _folded(name: str) -> str:
    """Return a name without accents, capitals, points and brackets, so that spellings meet."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain.casefold().replace("&", " and ")).split())


@cache
def _by_name() -> Mapping[str, str]:
    spelt = {_folded(c.name): c.iso3 for c in _table().values()}
    spelt |= {_folded(row["name"]): row["iso3"] for row in read_codes("country_names")}
    return MappingProxyType(spelt)


@cache
def _special(system: str) -> Mapping[str, str]:
    return MappingProxyType(
        {row["code"]: row["iso3"] for row in read_codes("country_codes") if row["system"] == system}
    )


@cache
def _by_number() -> Mapping[str, str]:
    """Return labels by three-digit number: the special numbers of trade statistics before those of M49."""
    return MappingProxyType({c.m49: c.iso3 for c in _table().values() if c.m49} | dict(_special("numeric")))


@cache
def _by_letters() -> Mapping[str, str]:
    letters = {c.iso2: c.iso3 for c in _table().values() if c.iso2 and c.kind in ("iso", "user")}
    return MappingProxyType(letters | dict(_special("letters")) | {c: c for c in _table()})


def country_of_name(name: str) -> Country:
    """Return a country by its name, in any of the spellings of the sources.

    Raises
    ------
    InputError
        If no country is called so.

    Examples
    --------
    >>> country_of_name("Korea, Rep.").iso3, country_of_name("U S A").iso3, country_of_name("Türkiye").iso3
    ('KOR', 'USA', 'TUR')
    """
    known = _by_name()
    found = known.get(_folded(name))
    if found is None:
        raise InputError(f"no country is called '{name}'{did_you_mean(_folded(name), known)}")
    return _table()[found]


def country(code: str | int) -> Country:
    """Return a country by any code of the sources or by its name.

    Parameters
    ----------
    code
        Alpha-3 or alpha-2 letters, the number of M49, BACI or UN Comtrade with or without leading zeros, or a name.

    Raises
    ------
    InputError
        If the code is unknown.

    Examples
    --------
    >>> [country(code).iso3 for code in (699, "842", "S19", "ROM", "de", "Viet Nam")]
    ['IND', 'USA', 'TWN', 'ROU', 'DEU', 'VNM']
    """
    found = _find(code)
    if found is None:
        raise InputError(_unknown(code))
    return _table()[found]


def resolve(codes: Iterable[str | int]) -> dict[str | int, str]:
    """Return the label of each code.

    Raises
    ------
    InputError
        If codes are unknown; all of them are named.
    """
    found = {code: _find(code) for code in dict.fromkeys(codes)}
    raise_all(InputError, "unknown countries", [_unknown(code) for code, iso3 in found.items() if iso3 is None])
    return {code: iso3 for code, iso3 in found.items() if iso3 is not None}


def _find(code: str | int) -> str | None:
    text = str(code).strip()
    if text.isascii() and text.isdigit():
        return _by_number().get(text.zfill(3))
    return _by_letters().get(text.upper()) or _by_name().get(_folded(text))


def _unknown(code: str | int) -> str:
    text = str(code).strip()
    if text.isdigit():
        return f"no country has the number {text}; expected one of M49, BACI or UN Comtrade"
    candidates = [*_by_letters(), *(c.name for c in _table().values())]
    return f"no country '{text}'{did_you_mean(text, candidates)}"


@cache
def _groups() -> Mapping[str, Group]:
    return MappingProxyType(
        {
            row["group"]: Group(
                row["group"],
                row["name"],
                row["composition_of"],
                date.fromisoformat(row["composition_on"]) if row["composition_on"] else None,
            )
            for row in read_codes("groups")
        }
    )


def groups() -> tuple[Group, ...]:
    """Return the groups of countries."""
    return tuple(_groups().values())


def group(code: str) -> Group:
    """Return a group by its code.

    Raises
    ------
    InputError
        If the code is unknown.
    """
    known = _groups()
    if code.upper() not in known:
        raise InputError(f"unknown group '{code}'{did_you_mean(code, known)} Known: {', '.join(known)}")
    return known[code.upper()]


def group_members(code: str, on: date | None = None) -> tuple[str, ...]:
    """Return the members of a group on a day, sorted.

    Parameters
    ----------
    code
        Code of a group: one that changes (EU) or a fixed composition of it (EU28).
    on
        The day; today's members by default. A fixed composition has the same members on every day.

    Raises
    ------
    InputError
        If the group is unknown, or had no members on that day.

    Examples
    --------
    >>> len(group_members("EU", date(2013, 6, 30))), len(group_members("EU28")), len(group_members("EU27"))
    (27, 28, 27)
    >>> "GBR" in group_members("EU27_2007"), "HRV" in group_members("EU27_2007")
    (True, False)
    """
    chosen = group(code)
    day = chosen.composition_on or on or date.today()
    members = members_on(chosen.composition_of or chosen.code, day)
    if not members:
        raise InputError(f"group {chosen.code} had no members on {day.isoformat()}")
    return members


def members_on(code: str, day: date) -> tuple[str, ...]:
    """Return who belonged to a group that changes on a day, sorted; nobody before it was founded."""
    text = day.isoformat()
    return tuple(
        sorted(
            row["iso3"]
            for row in read_codes("group_members")
            if row["group"] == code and row["since"] <= text and (not row["until"] or text <= row["until"])
        )
    )
