"""USITC ITPD-E: trade of countries with each other and with themselves by industry.

Columns are found by name: releases 1 to 3 order them differently. Trade is in million USD. ``flag_zero`` is ``p`` for a
positive number, ``r`` for a zero that was reported and ``u`` for one that was filled in: the last is left out, because
absent is not zero.
"""

from __future__ import annotations

from pathlib import Path

from counterpoise.data.readers.delimited import Drop, Layout, add_delimited, digits, number, one_of, year
from counterpoise.data.readers.peek import Peek
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading, quoted

__all__ = ["HEADERS", "INFO", "KEY", "LAYOUTS", "read", "recognise"]

LAYOUTS = ("CSV or ZIP of releases 1 to 3",)
"""What is read."""

INFO = SourceInfo(
    "itpde",
    "ITPD-E, International Trade and Production Database for Estimation (USITC; Borchert et al. 2021)",
    "public domain",
    "as administered by customs: mostly importers' CIF",
    "value_usd in current USD, domestic sales included",
)

_NEEDED = ("exporter_iso3", "importer_iso3", "year", "industry_id", "trade")
HEADERS = {"CSV": (*_NEEDED, "flag_mirror", "flag_zero")}
"""Columns of the layout; release 2 has names, dynamic codes and broad sectors besides."""

KEY = ("year", "origin", "destination", "industry")
"""No two rows of the tidy table share these."""


def recognise(peek: Peek) -> str | None:
    """Say which release a file is of, with what shows it; None where it is not of ITPD-E."""
    if peek.kind in ("text", "zip") and set(_NEEDED) <= set(peek.header):
        release = "2 or later (dynamic codes)" if "exporter_dynamic_code" in peek.header else "1"
        return f"ITPD-E, release {release}: header {','.join(peek.header)}"
    return None


def _layout(header: tuple[str, ...]) -> Layout:
    select = {
        "industry": "trim(industry_id)",
        "year": "trim(year)::INTEGER",
        "value_usd": "trim(trade)::DOUBLE * 1e6",
    }
    for column in ("industry_descr", "broad_sector", "flag_mirror", "flag_zero"):
        if column in header:
            select[column] = f"trim({quoted(column)})"
    has_flag = "flag_zero" in header
    return Layout(
        select=select,
        countries={"origin": "exporter_iso3", "destination": "importer_iso3"},
        required=_NEEDED,
        drops=(Drop("trim(flag_zero) = 'u'", "a zero that nobody reported: absent, not zero"),) if has_flag else (),
        checks=(
            digits("industry_id", 1, 3),
            year("year"),
            number("trade", absent=False),
            *((one_of("flag_zero", ("p", "r", "u")),) if has_flag else ()),
        ),
    )


def read(peek: Peek, reading: Reading) -> None:
    """Read the file: origin, destination, industry, year, value_usd, and flags and descriptions where they are there.

    Raises
    ------
    DataError
        If the file is cut off, or cells are at fault.
    """
    names = [n for n in peek.members if n.lower().endswith(".csv")] if peek.kind == "zip" else [""]
    for name in names:
        if name:
            with reading.member(name) as path:
                add_delimited(reading, path, Path(name).name, _layout(peek.header), peek.encoding)
        else:
            add_delimited(reading, peek.path, peek.name, _layout(peek.header), peek.encoding)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(year), max(year) FROM {reading.relation}")[0]
    reading.vintage(f"{first} to {last}")
