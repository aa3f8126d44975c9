"""World Bank World Development Indicators: GDP and a thousand other series by country and year.

Three forms: the bulk ``WDICSV.csv`` (or its ZIP), the CSV that the site gives out for one indicator (four lines before
the header), and JSON of the API, version 2. All have one column or record per year; aggregates of countries ("Euro
area") stand among the countries and are left out.
"""

from __future__ import annotations

import json
from typing import Any, cast

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.codes import country
from counterpoise.data.codes.tables import read_codes
from counterpoise.data.readers.delimited import Drop, Layout, add_delimited, number
from counterpoise.data.readers.peek import Peek, fields_of
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading, literal, quoted

__all__ = ["HEADERS", "INFO", "read", "recognise"]

INFO = SourceInfo(
    "wdi",
    "World Development Indicators (World Bank)",
    "CC BY 4.0",
    "see the indicator",
    "see the indicator; money of NY.GDP.MKTP.CD in current USD",
)

_KEYS = ("Country Name", "Country Code", "Indicator Name", "Indicator Code")
HEADERS = {"CSV": _KEYS}
"""Columns of the layout, before the years."""

KEY = ("iso3", "indicator", "year")
_AGGREGATE = "an aggregate of countries, no country"


def _aggregates() -> frozenset[str]:
    return frozenset(row["code"] for row in read_codes("wdi_aggregates"))


def _header(peek: Peek) -> tuple[int, tuple[str, ...]]:
    """Return how many lines stand before the header, and the header; no header where there is none."""
    for k, line in enumerate(peek.text.split("\n")[:8]):
        fields = fields_of(line)
        if set(_KEYS) <= set(fields):
            return k, fields
    return 0, ()


def recognise(peek: Peek) -> str | None:
    """Say which form a file is of, with what shows it; None where it is not of the World Bank."""
    if peek.kind in ("text", "zip"):
        skip, header = _header(peek)
        years = [f for f in header if f.isdigit()]
        if years:
            form = "bulk CSV" if skip == 0 else "CSV of one indicator"
            return f"WDI {form}: {', '.join(_KEYS)} and years {years[0]} to {years[-1]}"
        start = peek.text.lstrip()[:3000]
        if start.startswith("[") and '"indicator"' in start and '"countryiso3code"' in start:
            return "WDI JSON of the API: records with indicator and countryiso3code"
    return None


def read(peek: Peek, reading: Reading) -> None:
    """Read the file: iso3, indicator, year, value; years without a number are left out.

    Raises
    ------
    DataError
        If the file is cut off, a page of the API is missing, or a country is unknown.
    """
    if peek.text.lstrip().startswith("["):
        _read_json(peek, reading)
    else:
        _read_csv(peek, reading)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(year), max(year) FROM {reading.relation}")[0]
    reading.vintage(str(first) if first == last else f"{first} to {last}")


def _read_csv(peek: Peek, reading: Reading) -> None:
    skip, header = _header(peek)
    years = [f for f in header if f.isdigit()]
    listed = ", ".join(literal(code) for code in sorted(_aggregates()))
    layout = Layout(
        select={
            "indicator": 'trim("Indicator Code")',
            **{f"y{y}": f"try_cast(nullif(trim({quoted(y)}), '') AS DOUBLE)" for y in years},
        },
        countries={"iso3": "Country Code"},
        required=_KEYS,
        drops=(Drop(f'trim("Country Code") IN ({listed})', _AGGREGATE),),
        checks=tuple(number(y, negative=True) for y in years),
        skip=skip,
    )
    if peek.kind == "zip":
        names = [n for n in peek.members if n.lower().endswith(".csv")]
        data = [n for n in names if "metadata" not in n.lower() and "series" not in n.lower()] or names
        exact = [n for n in data if n.rsplit("/", 1)[-1] in ("WDICSV.csv", "WDIData.csv")] or data
        with reading.member(exact[0]) as path:
            add_delimited(reading, path, exact[0], layout, peek.encoding)
    else:
        add_delimited(reading, peek.path, peek.name, layout, peek.encoding)
    old, relation = list(reading.parts), reading.relation
    columns = ", ".join(quoted(f"y{y}") for y in years)
    reading.part(
        f"SELECT iso3, indicator, substr(name, 2)::INTEGER AS year, value, _file, _line FROM "
        f"(UNPIVOT {relation} ON {columns} INTO NAME name VALUE value)"
    )
    for path in old:
        reading.parts.remove(path)
        path.unlink()
    reading.note("rows_read counts series, rows_kept counts years with a number")


def _read_json(peek: Peek, reading: Reading) -> None:
    """Read one or more pages of the API: a list of [page, records], or such a pair alone."""
    try:
        document = cast("list[Any]", json.loads(peek.path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise DataError(f"{peek.name} is no whole JSON document ({error}): it is cut off; ask for it again") from error
    pages = [document] if document and isinstance(document[0], dict) else cast("list[list[Any]]", document)
    seen = {int(page[0]["page"]) for page in pages}
    wanted = max(int(page[0]["pages"]) for page in pages)
    lacking = sorted(set(range(1, wanted + 1)) - seen)
    if lacking:
        raise DataError(f"{peek.name} lacks pages {lacking} of {wanted}; ask with per_page=20000, or fetch every page")
    rows: list[tuple[object, ...]] = []
    problems: list[str] = []
    for page in pages:
        for k, record in enumerate(cast("list[dict[str, Any]]", page[1] or []), start=1):
            reading.count(1)
            code = str(record.get("countryiso3code") or record["country"]["id"])
            if code in _aggregates() or record["country"]["value"] in ("World", "Not classified"):
                reading.drop(_AGGREGATE, 1)
            elif record["value"] is None:
                reading.drop("no number for the year", 1)
            else:
                try:
                    iso3 = country(code).iso3
                    rows.append((iso3, str(record["indicator"]["id"]), int(record["date"]), float(record["value"])))
                except (InputError, ValueError, TypeError) as error:
                    problems.append(f"page {page[0]['page']}, record {k}: {error}")
    raise_all(DataError, f"{peek.name} cannot be used", problems)
    stated = int(pages[0][0].get("total", len(rows)))
    if reading.provenance.rows_read != stated:
        raise DataError(f"{peek.name} says it holds {stated} records and holds {reading.provenance.rows_read}")
    reading.rows(rows, {"iso3": "string", "indicator": "string", "year": "int32", "value": "double"})
