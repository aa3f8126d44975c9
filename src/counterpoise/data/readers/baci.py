"""CEPII BACI: bilateral trade by HS6, reconciled from both sides; official ZIP and CSV, and tables in its format."""

from __future__ import annotations

import re

from counterpoise.core.errors import DataError
from counterpoise.data.codes import hs_revision, sniff_hs_revision
from counterpoise.data.readers.peek import Peek, year_named
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading
from counterpoise.data.readers.trade import KEY, read_trade

__all__ = ["INFO", "KEY", "LAYOUTS", "read", "recognise"]

LAYOUTS = (
    "official ZIP",
    "CSV t,i,j,k,v,q",
    "CSV of before 2020",
    "Parquet in its form",
)
"""What is read."""

INFO = SourceInfo(
    "baci",
    "BACI: bilateral trade by HS6, reconciled from the reports of both sides (CEPII; Gaulier and Zignago 2010)",
    "Etalab 2.0",
    "FOB, before duties of the importer",
    "value_usd in current USD, quantity_tonnes in metric tons",
)

HEADERS = {
    "CSV": ("t", "i", "j", "k", "v", "q"),
    "CSV before 2020": ("t", "hs6", "i", "j", "v", "q"),
    "Parquet": ("exporter", "importer", "hs6", "value_usd"),
}
"""Columns of each layout."""

_DATA = re.compile(r"BACI_HS(\d\d)_Y(\d{4})_V(\w+)\.csv$", re.IGNORECASE)


def recognise(peek: Peek) -> str | None:
    """Say which layout a file is of, with what shows it; None where it is not of BACI."""
    if peek.kind == "parquet" and set(HEADERS["Parquet"]) <= set(peek.header):
        return "a Parquet table in BACI's form: columns " + ", ".join(peek.header)
    members = [m for m in peek.members if _DATA.search(m)]
    if members:
        return f"an official ZIP of BACI: {len(members)} yearly files, as {members[0]}"
    if peek.kind in ("text", "zip") and any(set(HEADERS[h]) <= set(peek.header) for h in ("CSV", "CSV before 2020")):
        return "an official CSV of BACI: header " + ",".join(peek.header)
    return None


def read(peek: Peek, reading: Reading, *, years: tuple[int, ...] = ()) -> None:
    """Read a file of BACI: columns exporter, importer, hs6, year, value_usd, quantity_tonnes; see `read_trade`.

    Parameters
    ----------
    years
        Which years of a ZIP; all by default.

    Raises
    ------
    InputError
        If the ZIP does not hold a year that is asked for, or nothing states the year.
    DataError
        If the file is cut off, or cells are at fault.
    """
    named = year_named(peek.path)
    read_trade(peek, reading, years=years, stated_year=int(named) if named else None)
    if peek.kind == "parquet" and "year" not in peek.header:
        reading.note(f"the year {named} is taken from the name")
    first, last = reading.query(f"SELECT min(year), max(year) FROM {reading.relation}")[0]
    reading.vintage(str(first) if first == last else f"{first} to {last}")
    _note_revision(peek, reading)


def _note_revision(peek: Peek, reading: Reading) -> None:
    """Record which HS revision the name says and which one the codes show, and where the two contradict each other."""
    codes = [r[0] for r in reading.query(f"SELECT DISTINCT hs6 FROM {reading.relation}")]
    named = re.search(r"HS(\d\d)", " ".join([peek.name, peek.path.parent.name, *peek.members[:1]]), re.IGNORECASE)
    said = hs_revision(f"HS{named[1]}") if named else None
    try:
        seen, evidence = sniff_hs_revision(codes)
    except DataError as error:
        reading.note(f"check the revision: {error}" + (f"; the name says {said.name}" if said else ""))
        return
    if said is None:
        reading.note(f"codes are of {seen.name} or later: {'; '.join(evidence)}")
    elif said < seen:
        reading.note(f"check the revision: the name says {said.name}, the codes {seen.name}: {'; '.join(evidence)}")
    else:
        reading.note(f"codes are of {said.name}, by the name; the codes show {seen.name} or later")
