"""World Input-Output Database: releases of 2013 (ISIC 3, 35 industries) and 2016 (ISIC 4, 56 industries), million USD.

The release of 2013 is one workbook per year (``wiot11_row_apr12.xlsx``), that of 2016 a binary workbook
(``WIOT2014_Nov16_ROW.xlsb``), a Stata file or the CSV that R writes of its table ``wiot``. Romania is ``ROM`` in the
first and ``ROU`` in the second. A Parquet table of columns origin, industry, destination, use, value is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.codes import country
from counterpoise.data.readers.peek import Peek, year_named
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading, literal
from counterpoise.data.readers.wide import KEY, Line, Use, keep_wide

__all__ = ["HEADERS", "INFO", "read", "recognise"]

INFO = SourceInfo(
    "wiod",
    "World Input-Output Database (Timmer et al. 2015)",
    "CC BY 4.0",
    "basic prices; taxes less subsidies on products stand apart",
    "value_usd in current USD",
)

HEADERS = {
    "Parquet": ("origin", "industry", "destination", "use", "value"),
    "CSV of the release of 2016": ("IndustryCode", "IndustryDescription", "Country", "RNr"),
}
"""Columns of each layout."""

_FINAL_2013 = {"c37": "households", "c38": "npish", "c39": "government", "c41": "gfcf", "c42": "inventories"}
_FINAL_2016 = {
    "CONS_h": "households", "CONS_np": "npish", "CONS_g": "government", "GFCF": "gfcf", "INVEN": "inventories",
}  # fmt: skip
_FINAL_NUMBERS: Mapping[str, str] = {
    "57": "households", "58": "npish", "59": "government", "60": "gfcf", "61": "inventories",
}  # fmt: skip
_PAYMENTS: Mapping[str, tuple[str, str]] = {
    "r60": ("", "total"), "r61": ("cif_fob_adjustment", "adjustment"), "r62": ("purchases_abroad", "adjustment"),
    "r63": ("purchases_of_nonresidents", "adjustment"), "r64": ("value_added", "value_added"),
    "r65": ("transport_margins", "adjustment"), "r69": ("", "total"), "r99": ("taxes", "taxes"),
    "II_fob": ("", "total"), "TXSP": ("taxes", "taxes"), "EXP_adj": ("cif_fob_adjustment", "adjustment"),
    "PURR": ("purchases_abroad", "adjustment"), "PURNR": ("purchases_of_nonresidents", "adjustment"),
    "VA": ("value_added", "value_added"), "IntTTM": ("transport_margins", "adjustment"), "GO": ("", "total"),
}  # fmt: skip
_COLUMN = re.compile(r"v?([A-Z]{3})(\d{1,2})")


def recognise(peek: Peek) -> str | None:
    """Say which release a file is of, with what shows it; None where it is not of WIOD."""
    if peek.kind == "parquet" and set(HEADERS["Parquet"]) <= set(peek.header):
        return f"WIOD as a long table: columns {', '.join(peek.header)}"
    if peek.kind == "xlsx":
        rows = _first_rows(peek)
        head = " ".join(str(c) for row in rows for c in row[:4] if c not in ("", None))
        if re.search(r"input-output table", head, re.IGNORECASE):
            release = "2016" if "IndustryCode" in head or "Nov16" in peek.name or "_Oct" in peek.name else "2013"
            return f"WIOD workbook, release {release}: {head[:120]}"
    if peek.kind == "stata" and re.match(r"WIOT", peek.name, re.IGNORECASE):
        return "WIOD Stata file, release 2016: a Stata file named " + peek.name
    if peek.kind == "text" and set(HEADERS["CSV of the release of 2016"]) <= set(peek.header):
        return f"WIOD CSV, release 2016: {len(peek.header)} columns from {peek.header[0]} to {peek.header[-1]}"
    return None


def read(peek: Peek, reading: Reading) -> None:
    """Read a table: origin, sector, destination, use, kind, value_usd; see `counterpoise.data.readers.icio.read`.

    Sectors are ``c1`` to ``c35`` in the release of 2013 and codes of ISIC 4 in that of 2016; final uses are households,
    npish, government, gfcf and inventories in both.

    Raises
    ------
    DataError
        If the file is cut off, labels are unknown, or numbers are at fault.
    """
    if peek.kind == "parquet":
        _read_long(peek, reading)
    elif peek.kind == "xlsx":
        _read_workbook(peek, reading)
    else:
        _read_frame(peek, reading)
    reading.finish(KEY)
    short = re.match(r"wiot(\d\d)_", peek.name, re.IGNORECASE)
    if short:
        reading.vintage(f"{'20' if int(short[1]) < 50 else '19'}{short[1]}")
    else:
        reading.vintage(year_named(peek.path) or "year not in the name")


def _country(code: str) -> str:
    return "ROW" if code.upper() in ("ROW", "ROTW") else country(code).iso3


def _sheet(peek: Peek) -> Any:
    """Open the first sheet of a workbook, .xlsx or .xlsb."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return CalamineWorkbook.from_path(str(peek.path)).get_sheet_by_index(0)
    except (CalamineError, OSError, ValueError) as error:
        raise DataError(f"{peek.name} is no whole workbook ({error}): it is cut off; download it again") from error


def _first_rows(peek: Peek) -> list[list[Any]]:
    rows = cast("Iterator[list[Any]]", _sheet(peek).iter_rows())
    return [row for row, _ in zip(rows, range(6), strict=False)]


def _read_workbook(peek: Peek, reading: Reading) -> None:
    """Read a wide workbook: four header rows (code, name, country, c-code) and four columns of the same."""
    rows = enumerate(cast("Iterator[list[Any]]", _sheet(peek).iter_rows()), start=1)
    head: list[list[Any]] = []
    for _, row in rows:
        head.append(row)
        if len(head) > 3 and _is_countries(head[-2]):
            break
        if len(head) > 12:
            raise DataError(
                f"{peek.name} has no row of countries in its first 12 rows; expected AUS AUS ... over the columns"
            )
    codes, places, numbers = head[-4], head[-2], head[-1]
    second = any(str(c) in _FINAL_2016 for c in codes)
    uses = _uses(peek.name, places, codes if second else numbers, 4, _FINAL_2016 if second else _FINAL_2013)
    at = 0 if second else 3

    def lines() -> Iterator[Line]:
        ended = False
        for number, row in rows:
            if not any(c not in ("", None) for c in row):
                continue
            place, code = str(row[2]).strip(), str(row[at]).strip()
            values = _values(peek.name, number, row[4 : 4 + len(uses)], len(uses))
            if place in ("TOT", "") or code in _PAYMENTS or str(row[3]) in _PAYMENTS:
                known = _PAYMENTS.get(code) or _PAYMENTS.get(str(row[3]))
                if known is None:
                    raise DataError(f"{peek.name}, row {number}: '{row[1]}' ({code}) is no payment that is known")
                ended = ended or known[1] == "value_added"
                yield Line(f"row {number}", "", known[0], known[1], values)
            else:
                yield Line(f"row {number}", _country(place), code, "intermediate", values)
        if not ended:
            raise DataError(f"{peek.name} ends without its row of value added: it is cut off; download it again")

    keep_wide(reading, uses, lines())


def _is_countries(row: Sequence[Any]) -> bool:
    seen = [str(c) for c in row[4:] if c not in ("", None)]
    return len(seen) > 3 and all(re.fullmatch(r"[A-Z]{3}|ROW|RoW|TOT", c) for c in seen[:-1])


def _uses(name: str, places: Sequence[Any], codes: Sequence[Any], skip: int, final: Mapping[str, str]) -> list[Use]:
    uses: list[Use] = []
    problems: list[str] = []
    for k in range(skip, len(places)):
        place, code = str(places[k]).strip(), str(codes[k]).strip()
        if place in ("TOT", "") and (code in ("GO", "c60", "c62", "") or not place):
            uses.append(Use("", code or "total", final=False, total=True))
            continue
        try:
            uses.append(Use(_country(place), final.get(code, code), final=code in final))
        except InputError as error:
            problems.append(f"column {k + 1}: {error}")
    raise_all(DataError, f"{name}: the header is not as expected", problems)
    return uses


def _values(name: str, number: int, cells: Sequence[Any], width: int) -> np.ndarray:
    if len(cells) != width:
        raise DataError(
            f"{name}, row {number}: {len(cells)} numbers; expected {width}. It is cut off, download it again"
        )
    try:
        return np.array([0.0 if c in ("", None) else float(c) for c in cells])
    except (TypeError, ValueError):
        for k, cell in enumerate(cells):
            if not isinstance(cell, int | float) and cell not in ("", None):
                raise DataError(f"{name}, row {number}, column {k + 5}: '{cell}'; expected a number") from None
        raise


def _read_frame(peek: Peek, reading: Reading) -> None:
    """Read the Stata file or the CSV of R: columns IndustryCode, Country, RNr and AUS1 to ROW61."""
    import pandas as pd

    if peek.kind == "stata":
        with peek.path.open("rb") as handle:
            marked = handle.read(11) == b"<stata_dta>"
            handle.seek(-12, 2)
            if marked and handle.read(12) != b"</stata_dta>":
                raise DataError(f"{peek.name} has no end mark: it is cut off; download it again")
        try:
            frame = pd.read_stata(peek.path)
        except (ValueError, OSError, EOFError) as error:
            raise DataError(
                f"{peek.name} is no whole Stata file ({error}): it is cut off; download it again"
            ) from error
    else:
        try:
            frame = pd.read_csv(peek.path, encoding=peek.encoding, keep_default_na=False, na_values=[""])
        except (pd.errors.ParserError, ValueError) as error:
            raise DataError(f"{peek.name} cannot be read ({error}): it is cut off; download it again") from error
    lacking = [c for c in HEADERS["CSV of the release of 2016"] if c not in frame.columns]
    raise_all(DataError, f"{peek.name}: the header is not as expected", [f"column {c} is missing" for c in lacking])
    by_number = {
        str(int(n)): str(code)
        for n, code, place in zip(frame["RNr"], frame["IndustryCode"], frame["Country"], strict=True)
        if str(place) != "TOT"
    }
    columns = [str(c) for c in frame.columns if _COLUMN.fullmatch(str(c)) or str(c).upper() in ("TOT", "VTOT")]
    uses: list[Use] = []
    for column in columns:
        found = _COLUMN.fullmatch(column)
        if found is None:
            uses.append(Use("", "TOT", final=False, total=True))
        else:
            final = found[2] in _FINAL_NUMBERS
            use = _FINAL_NUMBERS[found[2]] if final else by_number.get(found[2], "")
            if not use:
                raise DataError(f"{peek.name}, column {column}: no industry has the number {found[2]} in column RNr")
            uses.append(Use(_country(found[1]), use, final=final))

    def lines() -> Iterator[Line]:
        matrix = frame[columns].to_numpy(dtype=float)
        seen = False
        for k, (code, place) in enumerate(zip(frame["IndustryCode"], frame["Country"], strict=True)):
            if str(place) == "TOT":
                if str(code) not in _PAYMENTS:
                    raise DataError(f"{peek.name}, line {k + 2}: '{code}' is no payment that is known")
                name, kind = _PAYMENTS[str(code)]
                seen = seen or kind == "value_added"
                # The column of totals is empty in these rows.
                yield Line(f"line {k + 2}", "", name, kind, np.nan_to_num(matrix[k], nan=0.0))
            else:
                yield Line(f"line {k + 2}", _country(str(place)), str(code), "intermediate", matrix[k])
        if not seen:
            raise DataError(f"{peek.name} ends without its row of value added: it is cut off; download it again")

    keep_wide(reading, uses, lines())


def _read_long(peek: Peek, reading: Reading) -> None:
    source = f"(SELECT *, row_number() OVER () AS _row FROM read_parquet({literal(str(peek.path))}))"
    finals = ", ".join(literal(f) for f in _FINAL_2013.values())
    faults = reading.query(
        f"SELECT _row, origin, industry, destination, use, value FROM {source} "
        f"WHERE value IS NULL OR NOT isfinite(value) OR (value < 0 AND use NOT IN ({finals})) ORDER BY _row LIMIT 20"
    )
    raise_all(
        DataError,
        f"{peek.name} cannot be used",
        [f"row {r}: {o} {i} to {d} {u}: {v}; expected a number of zero or more" for r, o, i, d, u, v in faults],
    )
    labels = [str(r[0]) for r in reading.query(f"SELECT origin FROM {source} UNION SELECT destination FROM {source}")]
    problems: list[str] = []
    pairs: list[list[str]] = []
    for code in sorted(labels):
        try:
            pairs.append([code, _country(code)])
        except InputError as error:
            problems.append(str(error))
    raise_all(DataError, f"{peek.name} cannot be used", problems)
    reading.connection.execute("CREATE OR REPLACE TEMP TABLE code_0 (code VARCHAR, label VARCHAR)")
    reading.connection.executemany("INSERT INTO code_0 VALUES (?, ?)", pairs)
    reading.count(int(reading.query(f"SELECT count(*) FROM {source}")[0][0]))
    reading.part(
        "SELECT a.label AS origin, industry::VARCHAR AS sector, b.label AS destination, use::VARCHAR AS use, "
        f"CASE WHEN use IN ({finals}) THEN 'final' ELSE 'intermediate' END AS kind, value::DOUBLE * 1e6 AS value_usd "
        f"FROM {source} JOIN code_0 a ON origin::VARCHAR = a.code JOIN code_0 b ON destination::VARCHAR = b.code"
    )
