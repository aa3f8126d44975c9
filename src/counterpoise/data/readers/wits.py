"""WITS/TRAINS: tariff rates by HS6, in the three shapes the World Bank gives them out.

- bulk: one CSV per reporter, year and kind of duty (``AVEMFN``, ``AVEPref``), ad valorem equivalents included;
- query: the CSV of "Tariff and Trade Analysis", one row per product, partner and kind of duty;
- API: an SDMX 2.1 document, structure-specific XML.

All give simple averages of national lines in percent. A zero whose lines are all specific (``NBR_NA_LINES`` equals the
number of lines) is no free entry: the rate is unknown, and the row is left out and counted.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.codes import country, hs_revision
from counterpoise.data.readers.delimited import Check, Drop, Layout, add_delimited, digits, number, year
from counterpoise.data.readers.peek import Peek
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading

__all__ = ["HEADERS", "INFO", "read", "recognise"]

INFO = SourceInfo(
    "wits",
    "WITS/TRAINS: applied tariff rates by HS6 (UNCTAD and World Bank)",
    "WITS terms: free with attribution; no bulk redistribution",
    "rates on the importer's customs value",
    "tariff_rate as a share: 0.25 is 25 percent",
)

_BULK = ("NomenCode", "Reporter_ISO_N", "Year", "ProductCode", "Min_Rate", "Max_Rate", "SimpleAverage")
_QUERY = ("Reporter", "Product", "Partner", "Tariff Year", "DutyType", "Simple Average", "Minimum Rate", "Maximum Rate")
HEADERS = {"bulk": _BULK, "query": _QUERY}
"""Columns of each layout."""

KEY = ("destination", "beneficiary", "kind", "hs6", "year")
MFN = "MFN"
"""The ``beneficiary`` of a most-favoured-nation rate: every member of the WTO."""

_COLUMNS = {
    "destination": "string", "beneficiary": "string", "kind": "string", "hs_revision": "string", "hs6": "string",
    "year": "int32", "tariff_rate": "double", "least_rate": "double", "largest_rate": "double",
}  # fmt: skip
_ALL_SPECIFIC = "no line has an ad valorem rate, so the zero is no free entry"


def recognise(peek: Peek) -> str | None:
    """Say which shape a file is of, with what shows it; None where it is not of WITS."""
    if peek.kind in ("text", "zip"):
        if set(_BULK) <= set(peek.header):
            kind = "preferences (AVEPref)" if "Partner" in peek.header else "most favoured nation (AVEMFN)"
            return f"bulk CSV of TRAINS, {kind}: header {','.join(peek.header)}"
        if set(_QUERY) <= set(peek.header):
            return f"query result of WITS: {len(peek.header)} columns from {peek.header[0]} to {peek.header[-1]}"
    if peek.text.lstrip().startswith("<") and "PRODUCTCODE=" in peek.text and "sdmx" in peek.text.lower():
        return "SDMX document of the WITS API: Series with PRODUCTCODE"
    return None


def _beneficiary(code: str) -> str:
    """Return whom a rate is for: MFN, a country, or a preference group by its own code."""
    if code.strip() in ("000", "0", ""):
        return MFN
    try:
        return country(code).iso3
    except InputError:
        return f"group {code.strip()}"


def _bulk(header: tuple[str, ...]) -> Layout:
    partner = "Partner" in header
    kind = "PREF" if partner else "MFN"
    lines = 'try_cast(trim("TotalNoOfLines") AS INT)' if "TotalNoOfLines" in header else "NULL"
    without = 'try_cast(trim("Nbr_NA_Lines") AS INT)' if "Nbr_NA_Lines" in header else "NULL"
    return Layout(
        select={
            **({} if partner else {"beneficiary": f"'{MFN}'"}),
            "kind": f"'{kind}'",
            "hs_revision": 'trim("NomenCode")',
            "hs6": "lpad(trim(\"ProductCode\"), 6, '0')",
            "year": 'trim("Year")::INTEGER',
            "tariff_rate": 'trim("SimpleAverage")::DOUBLE / 100',
            "least_rate": 'try_cast(trim("Min_Rate") AS DOUBLE) / 100',
            "largest_rate": 'try_cast(trim("Max_Rate") AS DOUBLE) / 100',
        },
        countries={"destination": "Reporter_ISO_N", **({"beneficiary": "Partner"} if partner else {})},
        required=_BULK,
        drops=(
            Drop("coalesce(trim(\"SimpleAverage\"), '') IN ('', 'NA')", "no rate is given"),
            Drop(f"({lines} > 0 AND {without} >= {lines})", _ALL_SPECIFIC),
        ),
        checks=(
            Check("NomenCode", "NOT regexp_full_match(coalesce(trim(\"NomenCode\"), ''), 'H[0-6]')", "H0 to H6"),
            digits("ProductCode", 5, 6),
            year("Year"),
            number("SimpleAverage", absent=False),
            number("Min_Rate"),
            number("Max_Rate"),
        ),
        notes={"an HS code of five digits got its leading zero": 'length(trim("ProductCode")) = 5'},
        resolve=_either if partner else lambda code: country(code).iso3,
    )


def _either(code: str) -> str:
    return _beneficiary(code)


def _query() -> Layout:
    return Layout(
        select={
            "beneficiary": 'trim("Partner")',
            "kind": 'upper(trim("DutyType"))',
            "hs_revision": 'trim("Selected Nomen")',
            "hs6": "lpad(trim(\"Product\"), 6, '0')",
            "year": 'trim("Tariff Year")::INTEGER',
            "tariff_rate": 'trim("Simple Average")::DOUBLE / 100',
            "least_rate": 'try_cast(trim("Minimum Rate") AS DOUBLE) / 100',
            "largest_rate": 'try_cast(trim("Maximum Rate") AS DOUBLE) / 100',
        },
        countries={"destination": "Reporter"},
        required=(*_QUERY, "Selected Nomen"),
        drops=(
            Drop("coalesce(trim(\"Simple Average\"), '') = ''", "no rate is given"),
            Drop('length(trim("Product")) < 5', "a product above HS6, an average of averages"),
        ),
        checks=(
            digits("Product", 5, 6),
            digits("Partner", 1, 3),
            year("Tariff Year"),
            number("Simple Average", absent=False),
            number("Minimum Rate"),
            number("Maximum Rate"),
        ),
        notes={"an HS code of five digits got its leading zero": 'length(trim("Product")) = 5'},
    )


def read(peek: Peek, reading: Reading) -> None:
    """Read a file of any shape.

    The tidy table has destination (who levies), beneficiary (``MFN``, a country, or a preference group), kind,
    hs_revision, hs6, year, tariff_rate, least_rate, largest_rate.

    Raises
    ------
    DataError
        If the file is cut off, or cells are at fault.
    """
    if peek.text.lstrip().startswith("<"):
        _read_sdmx(peek, reading)
    else:
        names = [n for n in peek.members if n.lower().endswith(".csv")] if peek.kind == "zip" else [""]
        for name in names:
            _read_csv(peek, reading, name)
    if set(_QUERY) <= set(peek.header):
        _name_beneficiaries(reading)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(year), max(year) FROM {reading.relation}")[0]
    reading.vintage(str(first) if first == last else f"{first} to {last}")


def _read_csv(peek: Peek, reading: Reading, member: str) -> None:
    layout = _query() if set(_QUERY) <= set(peek.header) else _bulk(peek.header)
    if not member:
        add_delimited(reading, peek.path, peek.name, layout, peek.encoding)
        return
    with reading.member(member) as path:
        add_delimited(reading, path, Path(member).name, layout, peek.encoding)


def _name_beneficiaries(reading: Reading) -> None:
    """Turn the partner numbers of a query result into labels."""
    codes = [str(r[0]) for r in reading.query(f"SELECT DISTINCT beneficiary FROM {reading.relation}")]
    reading.connection.execute("CREATE OR REPLACE TEMP TABLE partner (code VARCHAR, label VARCHAR)")
    reading.connection.executemany("INSERT INTO partner VALUES (?, ?)", [[c, _beneficiary(c)] for c in codes])
    old, relation = list(reading.parts), reading.relation
    reading.part(
        "SELECT t.* REPLACE (partner.label AS beneficiary) "
        f"FROM {relation} t JOIN partner ON t.beneficiary = partner.code"
    )
    for path in old:
        reading.parts.remove(path)
        path.unlink()


def _read_sdmx(peek: Peek, reading: Reading) -> None:
    rows: list[tuple[object, ...]] = []
    problems: list[str] = []
    try:
        for count, (series, observation) in enumerate(_observations(peek.path), start=1):
            reading.count(1)
            row = _sdmx_row(reading, series, observation, count, problems)
            if row is not None:
                rows.append(row)
    except ET.ParseError as error:
        line, column = error.position
        raise DataError(
            f"{peek.name}, line {line}, column {column}: the XML ends or breaks here ({error}); it is cut off, "
            "ask for it again"
        ) from error
    raise_all(DataError, f"{peek.name} cannot be used", problems)
    if not rows:
        raise DataError(f"{peek.name} holds no rate that can be used")
    reading.rows(rows, _COLUMNS)


def _observations(path: Path) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Yield the attributes of each series and observation, in bounded memory."""
    series: Mapping[str, str] = {}
    for event, element in ET.iterparse(path, events=("start", "end")):
        tag = element.tag.rsplit("}", 1)[-1]
        if event == "start" and tag == "Series":
            series = dict(element.attrib)
        elif event == "end" and tag == "Obs":
            yield series, dict(element.attrib)
        elif event == "end" and tag == "Series":
            element.clear()


def _sdmx_row(
    reading: Reading, series: Mapping[str, str], observation: Mapping[str, str], count: int, problems: list[str]
) -> tuple[object, ...] | None:
    """Return one tidy row; None where it is dropped or at fault."""
    lacking = [k for k in ("REPORTER", "PARTNER", "PRODUCTCODE") if k not in series]
    lacking += [k for k in ("TIME_PERIOD", "OBS_VALUE", "TARIFFTYPE", "NOMENCODE") if k not in observation]
    if lacking:
        problems.append(f"observation {count}: attribute {', '.join(lacking)} is missing")
        return None
    lines, without = observation.get("TOTALNOOFLINES", ""), observation.get("NBR_NA_LINES", "")
    if lines.isdigit() and without.isdigit() and 0 < int(lines) <= int(without):
        reading.drop(_ALL_SPECIFIC, 1)
        return None
    try:
        numbers = [float(observation[k]) / 100 for k in ("OBS_VALUE", "MIN_RATE", "MAX_RATE") if k in observation]
        rates = numbers + [float("nan")] * (3 - len(numbers))
        product = series["PRODUCTCODE"]
        if rates[0] < 0 or not (product.isdigit() and len(product) == 6):
            raise ValueError(f"rate {observation['OBS_VALUE']}, product '{product}'; expected zero or more, six digits")
        return (
            country(series["REPORTER"]).iso3,
            _beneficiary(series["PARTNER"]),
            observation["TARIFFTYPE"].upper(),
            hs_revision(observation["NOMENCODE"]).code,
            product,
            int(observation["TIME_PERIOD"]),
            *rates,
        )
    except ValueError as error:
        problems.append(f"observation {count}: {error}")
        return None
