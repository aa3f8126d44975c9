"""CEPII Gravity: pairs of countries by year with distance, ties, agreements, GDP and trade.

The columns of the file are kept under their own names, numbers as numbers. Money stands in thousand current USD in the
file and in USD in the tidy table. Pairs in which one side did not exist in that year are left out.
"""

from __future__ import annotations

from pathlib import Path

from counterpoise.data.readers.delimited import Check, Drop, Layout, add_delimited, year
from counterpoise.data.readers.peek import Peek
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading, quoted

__all__ = ["HEADERS", "INFO", "KEY", "LAYOUTS", "read", "recognise"]

LAYOUTS = ("CSV or ZIP",)
"""What is read."""

INFO = SourceInfo(
    "gravity",
    "CEPII Gravity database (Conte, Cotterlaz and Mayer 2022)",
    "Etalab 2.0",
    "trade as each source reports it, see the column",
    "money in current USD, distance in kilometres, population in thousands",
)

_KEYS = ("year", "country_id_o", "country_id_d", "iso3_o", "iso3_d", "country_exists_o", "country_exists_d")
HEADERS = {"CSV": (*_KEYS, "dist", "contig")}
"""Columns of the layout; others are kept where they are there."""

KEY = ("year", "origin", "destination")
"""No two rows of the tidy table share these."""
_TEXT = ("country_id_o", "country_id_d", "iso3_o", "iso3_d", "pop_source_o", "pop_source_d", "gdp_source_o",
         "gdp_source_d", "main_city_source_o", "main_city_source_d", "legal_old_o", "legal_old_d", "legal_new_o",
         "legal_new_d", "empire", "iso3num_o", "iso3num_d", "rta_type")  # fmt: skip
_THOUSANDS = ("gdp_o", "gdp_d", "gdp_ppp_o", "gdp_ppp_d", "gdp_ppp_pwt_o", "gdp_ppp_pwt_d")


def recognise(peek: Peek) -> str | None:
    """Say which edition a file is of, with what shows it; None where it is not of CEPII Gravity."""
    if peek.kind in ("text", "zip") and set(HEADERS["CSV"]) <= set(peek.header):
        release = "202211 or later" if "scaled_sci_2021" in peek.header else "before 202211"
        return (
            f"CEPII Gravity, release {release}: {len(peek.header)} columns from {peek.header[0]} to {peek.header[-1]}"
        )
    return None


def _layout(header: tuple[str, ...]) -> Layout:
    select: dict[str, str] = {"year": "trim(year)::INTEGER"}
    checks = [year("year")]
    for column in header:
        if column in _KEYS or not column:
            continue
        cell = f"trim({quoted(column)})"
        if column in _TEXT or column.endswith("_source"):
            select[column] = f"nullif(nullif({cell}, ''), 'NA')"
            continue
        thousand = column in _THOUSANDS or "tradeflow" in column
        select[f"{column}_usd" if thousand else column] = f"try_cast({cell} AS DOUBLE){' * 1000' if thousand else ''}"
        # Heads of state and legal families are words in some releases: only what looks like a number must be one.
        checks.append(
            Check(
                column,
                f"(coalesce({cell}, '') NOT IN ('', 'NA') "
                f"AND coalesce(NOT isfinite(try_cast({cell} AS DOUBLE)), true))",
                "a number, or nothing where it is absent",
            )
        )
    return Layout(
        select=select,
        countries={"origin": "iso3_o", "destination": "iso3_d"},
        required=HEADERS["CSV"],
        drops=(
            Drop("trim(country_exists_o) = '0' OR trim(country_exists_d) = '0'", "one side did not exist in that year"),
        ),
        checks=tuple(checks),
    )


def read(peek: Peek, reading: Reading) -> None:
    """Read the file: year, origin, destination and every other column under its name, money with the suffix ``_usd``.

    Raises
    ------
    DataError
        If the file is cut off, or cells are at fault.
    """
    layout = _layout(peek.header)
    if peek.kind == "zip":
        names = [n for n in peek.members if n.lower().endswith(".csv")]
        biggest = [n for n in names if "gravity" in n.lower()] or names
        with reading.member(biggest[0]) as path:
            add_delimited(reading, path, Path(biggest[0]).name, layout, peek.encoding)
    else:
        add_delimited(reading, peek.path, peek.name, layout, peek.encoding)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(year), max(year) FROM {reading.relation}")[0]
    reading.vintage(f"{first} to {last}")
