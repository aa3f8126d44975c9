"""Which region a country of a table belongs to, which sector an industry and an HS code: files of the user's own.

A file of regions has the columns ``region, name, countries`` (codes separated by blanks), or one line a country:
``country, region``. A file of sectors has ``sector, name, industries, hs`` and, if wanted, ``trade_elasticity``, or one
line an industry: ``industry, sector``. Without a file every country, every industry stands for itself.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.data.concordance import read_table
from counterpoise.data.trade_files import label_of

__all__ = ["REST", "Regions", "Sectors", "divisions_of", "hs_of_industries", "read_regions", "read_sectors"]

REST = "ROW"
"""The country of a table that stands for all that it does not list."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Regions of a world: ``names`` by region in their order, ``of`` the region of each country."""

    names: Mapping[str, str]
    of: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sectors:
    """Sectors of a world: ``names`` in their order, ``of`` by industry, ``hs`` by prefix, stated elasticities."""

    names: Mapping[str, str]
    of: Mapping[str, str]
    hs: Mapping[str, str]
    trade_elasticity: Mapping[str, float]


def _rows(path: Path, either: Sequence[tuple[str, ...]]) -> list[dict[str, str]]:
    """Return the rows of a mapping file, each with ``line``; raise where none of the layouts fits."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected a CSV file") from error
    reader = csv.DictReader(text.splitlines())
    header = tuple(name.strip() for name in reader.fieldnames or ())
    if not any(set(layout) <= set(header) for layout in either):
        layouts = " or ".join(", ".join(layout) for layout in either)
        raise DataError(f"{path}, line 1: the columns are {', '.join(header)}; expected {layouts}")
    return [
        {str(k).strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)} | {"line": str(line)}
        for line, row in enumerate(reader, start=2)
    ]


def read_regions(path: Path | None, countries: Sequence[str]) -> Regions:
    """Read which region each country belongs to.

    Parameters
    ----------
    path
        The file; None for every country of the table by itself.
    countries
        The countries of the table, ``ROW`` among them.

    Raises
    ------
    DataError
        If columns lack, a country is unknown, stands twice or is in no region, or a region has no country of the table;
        all of it at once, with the lines.
    """
    if path is None:
        return Regions({c: c for c in countries}, {c: c for c in countries})
    names: dict[str, str] = {}
    of: dict[str, str] = {}
    problems: list[str] = []
    for row in _rows(path, (("region", "countries"), ("country", "region"))):
        region = row["region"]
        names.setdefault(region, row.get("name") or region)
        for code in (row["countries"] if "countries" in row else row["country"]).split():
            label = REST if code == REST else label_of(code)
            if not label:
                problems.append(f"line {row['line']}: '{code}' is no country{did_you_mean(code, countries)}")
            elif of.get(label, region) != region:
                problems.append(f"line {row['line']}: {label} is in {of[label]} and in {region}")
            else:
                of[label] = region
    problems += [f"country {c} of the table is in no region" for c in countries if c not in of]
    held = {of[c] for c in countries if c in of}
    problems += [f"region {r} has no country of the table" for r in names if r not in held]
    raise_all(DataError, f"{path} cannot be used", problems)
    return Regions(names, of)


def read_sectors(path: Path | None, industries: Sequence[str]) -> Sectors:
    """Read which sector each industry, and each HS prefix, belongs to.

    Parameters
    ----------
    path
        The file; None for every industry of the table by itself.
    industries
        The industries of the table.

    Returns
    -------
    The sectors. Where no HS prefix is given, they follow from the industries; see `hs_of_industries`.

    Raises
    ------
    DataError
        If columns lack, an industry is unknown, stands twice or is in no sector, a prefix is no HS code or stands
        twice, or an elasticity is not positive; all of it at once, with the lines.
    """
    names: dict[str, str] = {}
    of: dict[str, str] = {}
    hs: dict[str, str] = {}
    theta: dict[str, float] = {}
    problems: list[str] = []
    if path is None:
        names, of = {i: i for i in industries}, {i: i for i in industries}
    else:
        for row in _rows(path, (("sector", "industries"), ("industry", "sector"))):
            sector, at = row["sector"], f"line {row['line']}"
            names.setdefault(sector, row.get("name") or sector)
            for label in (row["industries"] if "industries" in row else row["industry"]).split():
                if label not in industries:
                    problems.append(f"{at}: the table has no industry '{label}'{did_you_mean(label, industries)}")
                elif of.get(label, sector) != sector:
                    problems.append(f"{at}: industry {label} is in {of[label]} and in {sector}")
                else:
                    of[label] = sector
            for code in row.get("hs", "").split():
                if re.fullmatch(r"[0-9]{2}|[0-9]{4}|[0-9]{6}", code) is None:
                    problems.append(f"{at}: '{code}' is no HS code of 2, 4 or 6 digits")
                elif hs.get(code, sector) != sector:
                    problems.append(f"{at}: HS {code} is in {hs[code]} and in {sector}")
                else:
                    hs[code] = sector
            if row.get("trade_elasticity"):
                try:
                    theta[sector] = float(row["trade_elasticity"])
                except ValueError:
                    theta[sector] = float("nan")
                if not theta[sector] > 0:
                    problems.append(f"{at}: trade_elasticity '{row['trade_elasticity']}'; expected a number above 0")
        problems += [f"industry {i} of the table is in no sector" for i in industries if i not in of]
        held = set(of.values())
        problems += [f"sector {s} has no industry of the table" for s in names if s not in held]
        raise_all(DataError, f"{path} cannot be used", problems)
    if not hs:
        hs = {prefix: of[industry] for prefix, industry in hs_of_industries(industries).items()}
    return Sectors(names, of, hs, theta)


_SECTIONS = {"A": (1, 3), "B": (5, 9), "C": (10, 33), "D": (35, 35), "E": (36, 39), "R": (90, 93), "R_S": (90, 96)}


def divisions_of(industry: str) -> tuple[str, ...]:
    """Return the divisions of ISIC 4 that the label of an industry names; empty where it names none.

    Examples
    --------
    >>> (
    ...     divisions_of("C10T12"),
    ...     divisions_of("A01_02"),
    ...     divisions_of("C13-C15"),
    ...     divisions_of("C302T309"),
    ...     divisions_of("c1"),
    ... )
    (('10', '11', '12'), ('01', '02'), ('13', '14', '15'), ('30',), ())
    """
    if industry in _SECTIONS:
        first, last = _SECTIONS[industry]
        return tuple(f"{k:02}" for k in range(first, last + 1))
    part = re.match(r"[A-Z]?(\d\d)\d", industry)
    if part is not None:
        return (part[1],)
    found = re.fullmatch(r"[A-Z]?(\d\d)(?:(T|-|_)[A-Z]?(\d\d))?[A-Z]?", industry)
    if found is None:
        return ()
    first, last = int(found[1]), int(found[3] or found[1])
    return tuple(f"{k:02}" for k in range(first, last + 1))


@cache
def _division_of_prefix() -> Mapping[str, str]:
    return MappingProxyType({row["prefix"]: row["division"] for row in read_table("hs_isic4")})


def hs_of_industries(industries: Sequence[str]) -> dict[str, str]:
    """Return the industry of each HS prefix, by the divisions of ISIC 4 in the labels, or by WIOD's of 2013.

    An industry that is part of a division (``C302T309``) takes what the division's other labels leave to it: the first
    industry that names a division holds it.

    Raises
    ------
    InputError
        If the labels are of neither kind; the message asks for a file of sectors with HS codes.
    """
    known = set(industries)
    of_division: dict[str, str] = {}
    wiod = {row["division"]: row["industry"] for row in read_table("isic4_wiod2013")}
    if {"c1", "c2", "c3"} <= known:
        of_division = {division: industry for division, industry in wiod.items() if industry in known}
    else:
        for industry in industries:
            for division in divisions_of(industry):
                of_division.setdefault(division, industry)
    out = {p: of_division[d] for p, d in _division_of_prefix().items() if d in of_division}
    if len({out[p] for p in out}) < 2:
        raise InputError(
            f"no HS code can be told from the industries {', '.join(list(industries)[:8])}; give --sectors a file "
            "with the column hs"
        )
    return out
