"""UN Comtrade: what countries report to the United Nations; CSV of 47 columns, the legacy CSV, and JSON of its API.

The tables of UN Comtrade cut each flow by second partner, mode of transport and customs procedure, and hold the sums
beside the parts. Only the sums are kept: second partner 0, mode of transport 0, customs procedure C00. Otherwise every
flow would count twice. The partner "World" is a sum too.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any, cast

from counterpoise.core.errors import DataError
from counterpoise.data.codes import country
from counterpoise.data.codes.tables import read_codes
from counterpoise.data.readers.delimited import Check, Drop, Layout, add_delimited, number, one_of, year
from counterpoise.data.readers.peek import Peek
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading

__all__ = ["COLUMNS", "HEADERS", "INFO", "KEY", "LAYOUTS", "LEGACY_COLUMNS", "comtrade_country", "read", "recognise"]

LAYOUTS = (
    "CSV of 47 columns",
    "legacy CSV of 35 columns",
    "JSON of the API",
)
"""What is read."""

INFO = SourceInfo(
    "comtrade",
    "UN Comtrade: goods trade as reported by each country (United Nations Statistics Division)",
    "UN Comtrade terms: free for use, no bulk redistribution",
    "imports CIF and exports FOB as reported; cif_usd and fob_usd where both are given",
    "value_usd in current USD, net_weight_kg in kilograms",
)

COLUMNS = tuple(
    (
        "typeCode freqCode refPeriodId refYear refMonth period reporterCode reporterISO reporterDesc flowCode "
        "flowDesc partnerCode partnerISO partnerDesc partner2Code partner2ISO partner2Desc classificationCode "
        "classificationSearchCode isOriginalClassification cmdCode cmdDesc aggrLevel isLeaf customsCode "
        "customsDesc mosCode motCode motDesc qtyUnitCode qtyUnitAbbr qty isQtyEstimated altQtyUnitCode "
        "altQtyUnitAbbr altQty isAltQtyEstimated netWgt isNetWgtEstimated grossWgt isGrossWgtEstimated cifvalue "
        "fobvalue primaryValue legacyEstimationFlag isReported isAggregate "
    ).split()
)
"""The 47 columns of a download."""

LEGACY_COLUMNS = (
    "Classification", "Year", "Period", "Period Desc.", "Aggregate Level", "Is Leaf Code", "Trade Flow Code",
    "Trade Flow", "Reporter Code", "Reporter", "Reporter ISO", "Partner Code", "Partner", "Partner ISO",
    "2nd Partner Code", "2nd Partner", "2nd Partner ISO", "Customs Proc. Code", "Customs", "Mode of Transport Code",
    "Mode of Transport", "Commodity Code", "Commodity", "Qty Unit Code", "Qty Unit", "Qty", "Alt Qty Unit Code",
    "Alt Qty Unit", "Alt Qty", "Netweight (kg)", "Gross weight (kg)", "Trade Value (US$)", "CIF Trade Value (US$)",
    "FOB Trade Value (US$)", "Flag",
)  # fmt: skip
"""The 35 columns of a download before 2022."""

_NEEDED = (
    "reporterCode", "flowCode", "partnerCode", "partner2Code", "classificationCode", "cmdCode", "customsCode",
    "motCode", "period", "refYear", "netWgt", "cifvalue", "fobvalue", "primaryValue",
)  # fmt: skip
_LEGACY_NEEDED = (
    "Classification", "Year", "Period", "Trade Flow Code", "Reporter Code", "Partner Code", "2nd Partner Code",
    "Customs Proc. Code", "Mode of Transport Code", "Commodity Code", "Netweight (kg)", "Trade Value (US$)",
)  # fmt: skip
HEADERS = {"CSV of 47 columns": COLUMNS, "legacy CSV": LEGACY_COLUMNS}
"""Columns of each layout."""

KEY = ("reporter", "partner", "flow", "hs_revision", "hs", "period")
"""No two rows of the tidy table share these."""
_FLOWS = ("M", "X", "RM", "RX", "DX", "FM", "MIP", "MOP", "XIP", "XOP")
_LEGACY_FLOWS = {"1": "M", "2": "X", "3": "RX", "4": "RM"}


def comtrade_country(code: str) -> str:
    """Return the label of a country by its number in UN Comtrade, which is not M49 for a few.

    Raises
    ------
    InputError
        If the number is unknown.
    """
    for row in read_codes("country_codes"):
        if row["system"] == "comtrade" and row["code"] == code:
            return row["iso3"]
    return country(code).iso3


def recognise(peek: Peek) -> str | None:
    """Say which layout a file is of, with what shows it; None where it is not of UN Comtrade."""
    seen = set(peek.header)
    if peek.kind not in ("text", "zip"):
        return None
    if set(_NEEDED) <= seen:
        return f"CSV of UN Comtrade: {len(peek.header)} columns from {peek.header[0]} to {peek.header[-1]}"
    if set(_LEGACY_NEEDED) <= seen:
        return f"legacy CSV of UN Comtrade: {len(peek.header)} columns from {peek.header[0]} to {peek.header[-1]}"
    start = peek.text.lstrip()[:4000]
    if start.startswith("{") and '"reporterCode"' in start and '"cmdCode"' in start:
        return "JSON of the API of UN Comtrade: a document with reporterCode and cmdCode"
    return None


def _hs(column: str) -> Check:
    return Check(
        column,
        f"NOT regexp_full_match(coalesce(trim(\"{column}\"), ''), 'TOTAL|[0-9]{{2}}|[0-9]{{4}}|[0-9]{{6}}')",
        "TOTAL or an HS code of 2, 4 or 6 digits with its leading zero",
    )


def _layout() -> Layout:
    return Layout(
        select={
            "flow": 'trim("flowCode")',
            "hs_revision": 'trim("classificationCode")',
            "hs": 'trim("cmdCode")',
            "period": "trim(period)",
            "year": 'trim("refYear")::INTEGER',
            "value_usd": 'trim("primaryValue")::DOUBLE',
            "cif_usd": "try_cast(trim(cifvalue) AS DOUBLE)",
            "fob_usd": "try_cast(trim(fobvalue) AS DOUBLE)",
            "net_weight_kg": 'nullif(try_cast(trim("netWgt") AS DOUBLE), 0)',
        },
        countries={"reporter": "reporterCode", "partner": "partnerCode"},
        required=_NEEDED,
        drops=(
            Drop("trim(\"partnerCode\") = '0'", "the partner is World, the sum of the others"),
            Drop("trim(\"partner2Code\") <> '0'", "a part by second partner, already in the sum"),
            Drop("trim(\"motCode\") <> '0'", "a part by mode of transport, already in the sum"),
            Drop("trim(\"customsCode\") <> 'C00'", "a part by customs procedure, already in the sum"),
        ),
        checks=(
            one_of("flowCode", _FLOWS),
            _hs("cmdCode"),
            year("refYear"),
            Check(
                "period", "NOT regexp_full_match(coalesce(trim(period), ''), '[0-9]{4}([0-9]{2})?')", "YYYY or YYYYMM"
            ),
            number("primaryValue", absent=False),
            number("netWgt"),
            number("cifvalue"),
            number("fobvalue"),
        ),
        notes={"the net weight is absent or zero": 'coalesce(try_cast(trim("netWgt") AS DOUBLE), 0) = 0'},
        resolve=comtrade_country,
    )


def _legacy_layout(header: Sequence[str]) -> Layout:
    value, flow = '"Trade Value (US$)"', '"Trade Flow Code"'
    cases = " ".join(f"WHEN '{k}' THEN '{v}'" for k, v in _LEGACY_FLOWS.items())

    def optional(name: str) -> str:
        return f'try_cast(trim("{name}") AS DOUBLE)' if name in header else "NULL::DOUBLE"

    return Layout(
        select={
            "flow": f"CASE trim({flow}) {cases} END",
            "hs_revision": 'trim("Classification")',
            "hs": 'trim("Commodity Code")',
            "period": 'trim("Period")',
            "year": 'trim("Year")::INTEGER',
            "value_usd": f"trim({value})::DOUBLE",
            "cif_usd": optional("CIF Trade Value (US$)"),
            "fob_usd": optional("FOB Trade Value (US$)"),
            "net_weight_kg": 'nullif(try_cast(trim("Netweight (kg)") AS DOUBLE), 0)',
        },
        countries={"reporter": "Reporter Code", "partner": "Partner Code"},
        required=_LEGACY_NEEDED,
        drops=(
            Drop("trim(\"Partner Code\") = '0'", "the partner is World, the sum of the others"),
            Drop(
                "coalesce(trim(\"2nd Partner Code\"), '') NOT IN ('', '0')",
                "a part by second partner, already in the sum",
            ),
            Drop(
                "coalesce(trim(\"Mode of Transport Code\"), '') NOT IN ('', '0')",
                "a part by mode of transport, already in the sum",
            ),
            Drop(
                "coalesce(trim(\"Customs Proc. Code\"), '') NOT IN ('', 'C00')",
                "a part by customs procedure, already in the sum",
            ),
        ),
        checks=(
            one_of("Trade Flow Code", tuple(_LEGACY_FLOWS)),
            _hs("Commodity Code"),
            year("Year"),
            number("Trade Value (US$)", absent=False),
            number("Netweight (kg)"),
        ),
        notes={"the net weight is absent or zero": 'coalesce(try_cast(trim("Netweight (kg)") AS DOUBLE), 0) = 0'},
        resolve=comtrade_country,
    )


def read(peek: Peek, reading: Reading) -> None:
    """Read a download: reporter, partner, flow, hs_revision, hs, period, year, value_usd and the rest.

    The rest is cif_usd, fob_usd and net_weight_kg, absent where the reporter gives none.

    ``flow`` is M (imports), X (exports), RM, RX and so on. ``hs`` is TOTAL or a code of 2, 4 or 6 digits: levels stand
    side by side as they were asked for, and must not be added up.

    Raises
    ------
    DataError
        If the file is cut off, or cells are at fault.
    """
    if peek.text.lstrip().startswith("{"):
        _read_json(peek, reading)
    elif peek.kind == "zip":
        names = [n for n in peek.members if n.lower().endswith((".csv", ".txt"))]
        for name in names:
            with reading.member(name) as path:
                add_delimited(reading, path, name, _layout(), peek.encoding)
    elif "Trade Flow Code" in peek.header:
        add_delimited(reading, peek.path, peek.name, _legacy_layout(peek.header), peek.encoding)
    else:
        add_delimited(reading, peek.path, peek.name, _layout(), peek.encoding)
    reading.finish(KEY)
    first, last = reading.query(f"SELECT min(period), max(period) FROM {reading.relation}")[0]
    reading.vintage(str(first) if first == last else f"{first} to {last}")
    levels = reading.query(
        "SELECT CASE hs WHEN 'TOTAL' THEN 'TOTAL' ELSE 'HS' || length(hs) END AS level, count(*) "
        f"FROM {reading.relation} GROUP BY level ORDER BY level"
    )
    if len(levels) > 1:
        reading.note("levels side by side, not to be added up: " + ", ".join(f"{level} {n}" for level, n in levels))


def _read_json(peek: Peek, reading: Reading) -> None:
    """Read an answer of the API: its records as the 47 columns."""
    try:
        document = cast("dict[str, Any]", json.loads(peek.path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise DataError(f"{peek.name} is no whole JSON document ({error}): it is cut off; ask for it again") from error
    records = cast("list[dict[str, Any]]", document.get("data") or [])
    stated = document.get("count")
    if isinstance(stated, int) and stated != len(records):
        raise DataError(f"{peek.name} says it holds {stated} records and holds {len(records)}; ask for it again")
    if not records:
        raise DataError(f"{peek.name} holds no record; {document.get('error') or 'ask for another reporter or period'}")
    path = reading.folder / "records.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for record in records:
            writer.writerow(["" if record.get(c) is None else record[c] for c in COLUMNS])
    # Line 1 is the header, so record k of the answer is line k + 1.
    add_delimited(reading, path, f"{peek.name} (record = line - 1)", _layout(), "utf-8")
