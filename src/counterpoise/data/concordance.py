"""Which region a country belongs to, which sector an HS code or an industry; tables of our own, shipped as CSV.

HS codes are strings: ``"0306"`` is a heading, ``306`` is nothing. The longest listed prefix decides.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all

__all__ = [
    "goods_sectors",
    "high_priority_tiers",
    "hs_chapter_names",
    "hs_gtap",
    "hs_sector",
    "longest_prefix",
    "read_table",
    "region_members",
    "region_names",
    "region_of",
    "regions",
    "regions_of",
    "sector_names",
    "sectors",
    "service_sectors",
    "wiod_block",
]


@cache
def read_table(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of a shipped concordance, every cell a string.

    Parameters
    ----------
    name
        File name without ``.csv``.
    """
    text = resources.files("counterpoise.data").joinpath("concordances", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(MappingProxyType(row) for row in csv.DictReader(text.splitlines()))


@cache
def _column(table: str, key: str, value: str) -> Mapping[str, str]:
    return MappingProxyType({row[key]: row[value] for row in read_table(table)})


def regions() -> tuple[str, ...]:
    """Return the 24 regions of the embedded world, in its order."""
    return tuple(row["region"] for row in read_table("regions"))


def region_names() -> dict[str, str]:
    """Return the display name of each region."""
    return dict(_column("regions", "region", "name"))


def region_members() -> dict[str, tuple[str, ...]]:
    """Return the ISO3 codes of each region, sorted. ``S19`` is Taiwan under its BACI code."""
    members: dict[str, list[str]] = {region: [] for region in regions()}
    for row in read_table("countries"):
        members[row["region"]].append(row["iso3"])
    return {region: tuple(codes) for region, codes in members.items()}


def region_of(iso3: str) -> str:
    """Return the region of a country.

    Raises
    ------
    InputError
        If the code is unknown.
    """
    return regions_of([iso3])[iso3]


def regions_of(codes: Iterable[str]) -> dict[str, str]:
    """Return the region of each country code.

    Raises
    ------
    InputError
        If codes are unknown; all of them are named.
    """
    known = _column("countries", "iso3", "region")
    wanted = sorted(set(codes))
    problems = [
        f"country '{code}' is in no region; add it to countries.csv{did_you_mean(code, known)}"
        for code in wanted
        if code not in known
    ]
    raise_all(InputError, "unknown countries", problems)
    return {code: known[code] for code in wanted}


def sectors() -> tuple[str, ...]:
    """Return the 25 sectors of the embedded world, goods first."""
    return tuple(row["sector"] for row in read_table("sectors"))


def goods_sectors() -> tuple[str, ...]:
    """Return the sectors whose trade is goods."""
    return tuple(row["sector"] for row in read_table("sectors") if row["kind"] == "goods")


def service_sectors() -> tuple[str, ...]:
    """Return the service sectors; ``utilities`` is one of them although electricity (HS 2716) has an HS code."""
    return tuple(row["sector"] for row in read_table("sectors") if row["kind"] == "services")


def sector_names() -> dict[str, str]:
    """Return the display name of each sector."""
    return dict(_column("sectors", "sector", "name"))


def longest_prefix(code: str, table: Mapping[str, str]) -> str:
    """Return the value of the longest prefix of ``code`` in ``table``.

    Raises
    ------
    InputError
        If ``code`` is not a string of 2 to 10 digits, or no prefix of it is listed.
    """
    if not isinstance(code, str) or not code.isascii() or not code.isdigit() or not 2 <= len(code) <= 10:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"HS code {code!r} is not a string of 2 to 10 digits; write it in quotes with its leading zero, as '0306'"
        )
    for length in range(len(code), 1, -1):
        if code[:length] in table:
            return table[code[:length]]
    raise InputError(f"HS code '{code}' starts with no listed chapter; expected one of 01 to 99 (77 is unused)")


def hs_sector(code: str) -> str:
    """Return the sector of an HS code of 2 to 10 digits, by its longest listed prefix.

    Examples
    --------
    >>> hs_sector("0306"), hs_sector("270900"), hs_sector("300490")
    ('agriculture', 'crude_oil_gas', 'pharmaceuticals')
    """
    return longest_prefix(code, _column("hs_sectors", "prefix", "sector"))


def hs_gtap(code: str) -> str:
    """Return the GTAP sector of an HS code, by its longest listed prefix; used to weight elasticities."""
    return longest_prefix(code, _column("hs_sectors", "prefix", "gtap"))


def high_priority_tiers() -> Mapping[str, str]:
    """Return the dual-use goods of the Common High Priority List: HS6 code to its tier, ``1`` to ``4.B``.

    The list is written in HS 2022; codes that its goods had in HS 2017 are there too, under the tier of the successor.

    References
    ----------
    Common High Priority List of the European Union, Japan, the United Kingdom and the United States, February 2024.
    """
    return _column("high_priority", "hs", "tier")


def hs_chapter_names() -> dict[str, str]:
    """Return a short name for each HS chapter."""
    return dict(_column("hs_chapters", "chapter", "name"))


def wiod_block(industry: str) -> str:
    """Return the block of a WIOD industry: a sector, or a parent that ``splits.csv`` divides into sectors.

    Raises
    ------
    DataError
        If the industry is not one of c1 to c35.
    """
    blocks = _column("wiod_industries", "industry", "block")
    if industry not in blocks:
        raise DataError(f"WIOD industry '{industry}' is unknown; expected c1 to c35")
    return blocks[industry]
