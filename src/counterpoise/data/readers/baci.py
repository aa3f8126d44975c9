"""CEPII BACI: bilateral trade by HS6, reconciled from both sides; the official ZIP and CSV, and tables in its format.

Official columns: ``t`` year, ``i`` exporter, ``j`` importer (numbers of UN Comtrade), ``k`` HS6, ``v`` thousand current
USD FOB, ``q`` metric tons, padded with blanks, ``NA`` where absent. Files of before 2020 call ``k`` ``hs6``.
"""

from __future__ import annotations

import re
from pathlib import Path

from counterpoise.core.errors import DataError, InputError
from counterpoise.data.codes import hs_revision, sniff_hs_revision
from counterpoise.data.readers.delimited import Check, Layout, add_delimited, digits, number, year
from counterpoise.data.readers.peek import Peek, year_named
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading, literal, quoted

__all__ = ["INFO", "read", "recognise"]

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

KEY = ("year", "exporter", "importer", "hs6")
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


def _layout(product: str) -> Layout:
    k, v, q = quoted(product), quoted("v"), quoted("q")
    return Layout(
        select={
            "hs6": f"lpad(trim({k}), 6, '0')",
            "year": "trim(t)::INTEGER",
            "value_usd": f"trim({v})::DOUBLE * 1000",
            "quantity_tonnes": f"try_cast(trim({q}) AS DOUBLE)",
        },
        countries={"exporter": "i", "importer": "j"},
        required=("t", "i", "j", product, "v", "q"),
        checks=(
            year("t"),
            digits(product, 5, 6),
            number("v", absent=False),
            number("q"),
            Check("j", "trim(i) = trim(j)", "another country than the exporter"),
        ),
        notes={
            "the quantity is absent (NA)": f"coalesce(trim({q}), '') IN ('', 'NA')",
            "an HS code of five digits got its leading zero": f"length(trim({k})) = 5",
        },
    )


def read(peek: Peek, reading: Reading, *, years: tuple[int, ...] = ()) -> None:
    """Read a file of BACI: columns exporter, importer, hs6, year, value_usd, quantity_tonnes.

    Parameters
    ----------
    years
        Which years of a ZIP; all by default.

    Raises
    ------
    InputError
        If the ZIP does not hold a year that is asked for.
    DataError
        If the file is cut off, or cells are at fault.
    """
    if peek.kind == "parquet":
        _read_parquet(peek, reading)
    elif peek.kind == "zip":
        members = {int(m[2]): (name, m) for name in peek.members if (m := _DATA.search(name))}
        if not members:
            raise DataError(f"{peek.name} holds no file BACI_HSxx_Yyyyy_Vxxxxxx.csv; seen {', '.join(peek.members)}")
        lacking = [y for y in years if y not in members]
        if lacking:
            raise InputError(f"{peek.name} lacks {lacking}; it holds {min(members)} to {max(members)}")
        for y in sorted(years or members):
            name = members[y][0]
            with reading.member(name) as path:
                add_delimited(reading, path, Path(name).name, _layout(_product(path)), "utf-8")
    else:
        add_delimited(reading, peek.path, peek.name, _layout("hs6" if "hs6" in peek.header else "k"), peek.encoding)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(year), max(year) FROM {reading.relation}")[0]
    reading.vintage(str(first) if first == last else f"{first} to {last}")
    _note_revision(peek, reading)


def _product(path: Path) -> str:
    with path.open(encoding="utf-8") as handle:
        return "hs6" if "hs6" in handle.readline() else "k"


def _read_parquet(peek: Peek, reading: Reading) -> None:
    """Read a Parquet table that carries labels and USD already; the year stands in a column or in the file's folder."""
    path = literal(str(peek.path))
    source = f"(SELECT *, file_row_number + 1 AS _row FROM read_parquet({path}, file_row_number = true))"
    has_year = "year" in peek.header
    named = "" if has_year else year_named(peek.path)
    if not has_year and not named:
        raise DataError(f"{peek.name} has no column 'year', and neither its name nor its folder names one")
    faults = reading.query(
        f"""SELECT _row, exporter, importer, hs6, value_usd FROM {source}
        WHERE value_usd IS NULL OR NOT isfinite(value_usd) OR value_usd < 0 OR exporter IS NULL OR importer IS NULL
        OR exporter = importer OR NOT regexp_full_match(coalesce(hs6, ''), '[0-9]{{6}}') ORDER BY _row LIMIT 20"""
    )
    if faults:
        lines = [f"row {r}: {e} -> {i}, HS {h}: {v}" for r, e, i, h, v in faults]
        raise DataError(
            f"{peek.name} cannot be used; expected six digits and a number of zero or more per pair:\n  - "
            + "\n  - ".join(lines),
            lines,
        )
    from counterpoise.data.codes import resolve

    labels = [
        r[0] for r in reading.query(f"SELECT exporter FROM {source} UNION SELECT importer FROM {source} ORDER BY ALL")
    ]
    try:
        mapping = resolve(labels)
    except InputError as error:
        raise DataError(f"{peek.name}: {error}", error.problems) from error
    reading.connection.execute("CREATE OR REPLACE TEMP TABLE code_0 (code VARCHAR, label VARCHAR)")
    reading.connection.executemany("INSERT INTO code_0 VALUES (?, ?)", [[str(k), v] for k, v in mapping.items()])
    stated = "year::INTEGER" if has_year else named
    quantity = "quantity_tonnes::DOUBLE" if "quantity_tonnes" in peek.header else "NULL::DOUBLE"
    reading.count(int(reading.query(f"SELECT count(*) FROM {source}")[0][0]))
    reading.part(
        f"SELECT a.label AS exporter, b.label AS importer, hs6, {stated} AS year, value_usd::DOUBLE AS value_usd, "
        f"{quantity} AS quantity_tonnes FROM {source} "
        "JOIN code_0 a ON exporter = a.code JOIN code_0 b ON importer = b.code"
    )
    renamed = [f"{k} is {v}" for k, v in mapping.items() if k != v]
    if renamed:
        reading.note("labels as of BACI: " + ", ".join(renamed))
    if named:
        reading.note(f"the year {named} is taken from the name")
    if "quantity_tonnes" not in peek.header:
        reading.note("the file has no quantities")


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
