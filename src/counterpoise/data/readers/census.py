"""US imports for consumption with calculated duties by HS10 or HS6: US Census Bureau, JSON of its API, or a table.

The API answers with a list of lists whose first row is the header, and repeats as a column every field that was asked
for as a condition. Beside countries there are groups (codes that begin with ``0`` or end with ``XXX``, and ``-`` for
all countries): they are left out. Customs value, before duty.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.codes import country, country_of_name, group_members
from counterpoise.data.concordance import read_table
from counterpoise.data.readers.peek import Peek, year_named
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading, literal

__all__ = ["HEADERS", "INFO", "read", "recognise"]

INFO = SourceInfo(
    "census",
    "US imports for consumption and calculated duties (US Census Bureau)",
    "public domain",
    "customs value, before duty",
    "value_usd and duty_usd in current USD",
)

HEADERS = {
    "Parquet by HS10": ("HS10", "description", "imports_usd", "duty_usd"),
    "Parquet by partner and HS6": ("cty_code", "partner", "hs6", "imports_usd", "duty_usd"),
}
"""Columns of each layout."""

KEY = ("partner", "hs", "period")
_VALUES = {"YR": ("CON_VAL_YR", "CAL_DUT_YR"), "MO": ("CON_VAL_MO", "CAL_DUT_MO")}
_COLUMNS = {
    "partner": "string", "hs": "string", "period": "string", "value_usd": "double", "duty_usd": "double",
}  # fmt: skip


def recognise(peek: Peek) -> str | None:
    """Say which layout a file is of, with what shows it; None where it is not of the US Census."""
    if peek.kind == "parquet":
        for name, columns in HEADERS.items():
            if set(columns) <= set(peek.header):
                return f"US Census, {name}: columns {', '.join(peek.header)}"
    start = peek.text.lstrip()[:3000]
    if start.startswith("[[") and "I_COMMODITY" in start:
        return "US Census JSON of the API: a header row with I_COMMODITY"
    return None


def read(peek: Peek, reading: Reading, *, partner: str | None = None, period: str | None = None) -> None:
    """Read the file: partner, hs, period, value_usd, duty_usd.

    Parameters
    ----------
    partner
        Country of a table that has no such column, as INDIA.
    period
        Year of a table that has no such column; taken from the name by default.

    Raises
    ------
    DataError
        If the file is cut off, says neither country nor period, or rows are at fault.
    """
    if peek.kind == "parquet":
        _read_parquet(peek, reading, partner, period)
    else:
        _read_json(peek, reading)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(period), max(period) FROM {reading.relation}")[0]
    reading.vintage(str(first) if first == last else f"{first} to {last}")


def _label(code: str, name: str) -> str:
    """Return the label of a partner by its census code, or by its name."""
    for row in read_table("us_partners"):
        if row["census_code"] == code:
            return {"S19": "TWN"}.get(row["iso3"], row["iso3"])
    return country_of_name(name).iso3


def _is_group(code: str) -> bool:
    return code == "-" or code.startswith("0") or code.upper().endswith("X")


def _read_json(peek: Peek, reading: Reading) -> None:
    try:
        rows = cast("list[list[Any]]", json.loads(peek.path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise DataError(f"{peek.name} is no whole JSON document ({error}): it is cut off; ask for it again") from error
    header = [str(h) for h in rows[0]]
    place = {name: header.index(name) for name in dict.fromkeys(header)}
    span = next((s for s, names in _VALUES.items() if set(names) <= set(header)), None)
    lacking = [c for c in ("I_COMMODITY", "CTY_CODE", "CTY_NAME", "YEAR") if c not in place]
    lacking += [] if span else ["CON_VAL_YR and CAL_DUT_YR, or CON_VAL_MO and CAL_DUT_MO"]
    raise_all(
        DataError,
        f"{peek.name}, record 1: the header is not as expected; seen {', '.join(header)}",
        [f"column {c} is missing; ask for it with get=" for c in lacking],
    )
    value_name, duty_name = _VALUES[span or "YR"]
    problems: list[str] = []
    out: list[tuple[object, ...]] = []
    for k, row in enumerate(rows[1:], start=2):
        reading.count(1)
        if len(row) != len(header):
            problems.append(f"record {k}: {len(row)} fields; expected {len(header)}")
            continue
        cell = {name: str(row[at] if row[at] is not None else "").strip() for name, at in place.items()}
        if _is_group(cell["CTY_CODE"]):
            reading.drop("a group of countries or their total", 1)
            continue
        month = cell.get("MONTH", "")
        period = cell["YEAR"] if span == "YR" and month in ("", "12") else f"{cell['YEAR']}-{month}"
        if span == "YR" and month not in ("", "12"):
            reading.note("the numbers add up the year to the month")
        try:
            hs = cell["I_COMMODITY"]
            numbers = [float(cell[value_name]), float(cell[duty_name])]
            if not (hs.isdigit() and len(hs) in (2, 4, 6, 10)) or min(numbers) < 0:
                raise ValueError(f"HS {hs}, value {numbers[0]:g}, duty {numbers[1]:g}; expected digits, zero or more")
            out.append((_label(cell["CTY_CODE"], cell["CTY_NAME"]), hs, period, *numbers))
        except (InputError, ValueError) as error:
            problems.append(f"record {k}: {error}")
    raise_all(DataError, f"{peek.name} cannot be used", problems)
    reading.rows(out, _COLUMNS)


def _country_in(words: str) -> str:
    """Return the first word that is the name of a country; empty where none is."""
    for word in re.split(r"[^A-Za-z]+", words):
        try:
            if len(word) > 3:
                return country_of_name(word).iso3
        except InputError:
            continue
    return ""


def _read_parquet(peek: Peek, reading: Reading, partner: str | None, period: str | None) -> None:
    by_partner = "cty_code" in peek.header
    code = "hs6" if by_partner else "HS10"
    stated = period or year_named(peek.path)
    if not stated:
        raise DataError(f"{peek.name} has no period, and its name has no year; say it with period=2024")
    source = f"(SELECT *, row_number() OVER () AS _row FROM read_parquet({literal(str(peek.path))}))"
    digits = 6 if by_partner else 10
    bad = reading.query(
        f"SELECT _row, {code}, imports_usd, duty_usd FROM {source} WHERE NOT regexp_full_match(coalesce({code}, ''), "
        f"'[0-9]{{{digits}}}') OR imports_usd IS NULL OR duty_usd IS NULL OR NOT isfinite(imports_usd) "
        "OR NOT isfinite(duty_usd) OR imports_usd < 0 OR duty_usd < 0 ORDER BY _row LIMIT 20"
    )
    raise_all(
        DataError, f"{peek.name} cannot be used",
        [f"row {r}: HS {h}, imports {v}, duty {d}; expected {digits} digits, zero or more" for r, h, v, d in bad],
    )  # fmt: skip
    reading.count(int(reading.query(f"SELECT count(*) FROM {source}")[0][0]))
    if not by_partner:
        name = partner or _country_in(peek.path.parent.name)
        if not name:
            raise DataError(f"{peek.name} has no country, and its name has none; say it with partner=INDIA")
        label = country(name).iso3
        reading.part(
            f"SELECT {literal(label)} AS partner, HS10 AS hs, {literal(stated)} AS period, imports_usd AS value_usd, "
            f"duty_usd FROM {source}"
        )
        return
    pairs = reading.query(f"SELECT DISTINCT cty_code, partner FROM {source} ORDER BY ALL")
    mapping: list[list[str]] = []
    problems: list[str] = []
    for cty, name in pairs:
        try:
            mapping.append([str(cty), _label(str(cty), str(name))])
        except InputError as error:
            problems.append(f"partner {cty}: {error}")
    raise_all(DataError, f"{peek.name} cannot be used", problems)
    reading.connection.execute("CREATE OR REPLACE TEMP TABLE code_0 (code VARCHAR, label VARCHAR)")
    reading.connection.executemany("INSERT INTO code_0 VALUES (?, ?)", mapping)
    members = [label for _, label in mapping if label in group_members("EU27")]
    if any(label == "EU27" for _, label in mapping) and members:
        listed = ", ".join(literal(m) for m in members)
        where = f"WHERE label NOT IN ({listed})"
        rows = reading.query(f"SELECT count(*) FROM {source} JOIN code_0 ON cty_code = code WHERE label IN ({listed})")
        reading.drop("a member of the European Union, already in its line", int(rows[0][0]))
    else:
        where = ""
    reading.part(
        f"SELECT label AS partner, hs6 AS hs, {literal(stated)} AS period, imports_usd AS value_usd, duty_usd "
        f"FROM {source} JOIN code_0 ON cty_code = code {where}"
    )
