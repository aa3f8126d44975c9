"""One figure of every kind on realistic trade data, and a report that holds them all."""

from __future__ import annotations

from datetime import date

import pandas as pd

from counterpoise.report import PERCENT, Document, Figure, Mark, NumberFormat, Section, TableBlock

BACI = "BACI 2024, customs value"


def line() -> Figure:
    rows = [
        (2021, "Russia sells to India", 9.9, 9.5, 10.3),
        (2022, "Russia sells to India", 46.2, 45.0, 47.5),
        (2023, "Russia sells to India", 61.4, 60.0, 63.0),
        (2024, "Russia sells to India", 63.8, 62.1, 65.2),
        (2021, "India sells to Russia", 3.3, 3.1, 3.5),
        (2022, "India sells to Russia", 3.1, 3.0, 3.4),
        (2023, "India sells to Russia", 4.3, 4.1, 4.6),
        (2024, "India sells to Russia", 4.9, 4.6, 5.1),
    ]
    return Figure(
        kind="line",
        title="India buys thirteen times what it sells",
        data=pd.DataFrame(rows, columns=["year", "direction", "usd_bn", "low", "high"]),
        x="year",
        y="usd_bn",
        series="direction",
        low="low",
        high="high",
        unit="USD bn",
        source="TRADESTAT, June 2026",
        method="As reported by **Indian customs**.",
        colours={"Russia sells to India": "RUS", "India sells to Russia": "IND"},
        marks=(Mark(2022, "War in Ukraine"), Mark(50, "Fifty", axis="y")),
    )


def monthly() -> Figure:
    months = [date(2025, month, 1) for month in range(1, 7)]
    return Figure(
        kind="line",
        title="Shipments fell",
        data=pd.DataFrame({"month": months, "usd_bn": [8.4, 9.1, None, 8.5, None, 8.3]}),
        x="month",
        y="usd_bn",
        unit="USD bn",
        source="US Census 2025",
        gaps=True,
        marks=(Mark(date(2025, 4, 9), "10% on all"),),
    )


def bar() -> Figure:
    data = pd.DataFrame({"country": ["USA", "IND", "MEX"], "pct": [-0.19, -0.42, 0.11]})
    data = data.assign(low=data["pct"] - 0.1, high=data["pct"] + 0.1)
    return Figure(
        kind="bar",
        title="India loses most",
        data=data,
        x="country",
        y="pct",
        low="low",
        high="high",
        unit="%",
        source="Counterpoise, world 2024",
        number=NumberFormat(2, sign=True),
    )


def stacked() -> Figure:
    rows = [(y, s, v) for y in ("2023", "2024") for s, v in (("crude_oil_gas", 55.0), ("fertilisers", 2.0))]
    return Figure(
        kind="bar",
        layout="stacked",
        horizontal=False,
        sort="none",
        title="Oil is nearly all",
        data=pd.DataFrame(rows, columns=["year", "sector", "usd_bn"]),
        x="year",
        y="usd_bn",
        series="sector",
        unit="USD bn",
        source=BACI,
    )


def grouped() -> Figure:
    rows = [("Fixed share", "Before", -58.8), ("Fixed share", "After", -54.1), ("Zero", "Before", -58.8)]
    return Figure(
        kind="bar",
        layout="grouped",
        title="The closure matters",
        data=pd.DataFrame(rows, columns=["closure", "case", "usd_bn"]),
        x="closure",
        y="usd_bn",
        series="case",
        unit="USD bn",
        source=BACI,
    )


def interval() -> Figure:
    rows = [("Freight", 5.2, 9.6, 25.0), ("Payment refused", 2.1, 6.4, 12.0), ("Insurance", 3.0, 3.0, 3.0)]
    return Figure(
        kind="interval",
        title="Freight costs most",
        data=pd.DataFrame(rows, columns=["obstacle", "low", "central", "high"]),
        x="obstacle",
        y="central",
        low="low",
        high="high",
        unit="% of value",
        source="COMCEC 2017",
        marks=(Mark(10, "Average duty", axis="y"),),
    )


def slope() -> Figure:
    rows = [(w, c, v) for c, a, b in (("USA", 17.7, 15.2), ("RUS", 1.1, 3.3)) for w, v in (("2024", a), ("After", b))]
    return Figure(
        kind="slope",
        title="Exports turn away",
        data=pd.DataFrame(rows, columns=["when", "to", "share_pct"]),
        x="when",
        y="share_pct",
        series="to",
        unit="%",
        source=BACI,
        number=PERCENT,
        highlight=("RUS",),
    )


def waterfall() -> Figure:
    rows = [("Gap in 2024", 58.8, True), ("Farm goods", -18.9, False), ("Inputs", 5.1, False), ("Left", 45.0, True)]
    return Figure(
        kind="waterfall",
        title="The order closes part of the gap",
        data=pd.DataFrame(rows, columns=["step", "usd_bn", "level"]),
        x="step",
        y="usd_bn",
        total="level",
        unit="USD bn",
        source=BACI,
    )


def flow() -> Figure:
    rows = [("India sells", "USA", 63.2), ("India sells", "EU27", 9.1), ("China sells", "USA", 43.0)]
    return Figure(
        kind="flow",
        title="Most goods still arrive",
        data=pd.DataFrame(rows, columns=["from", "to", "usd_bn"]),
        origin="from",
        destination="to",
        value="usd_bn",
        unit="USD bn",
        source=BACI,
    )


def heatmap() -> Figure:
    rows = [(r, s, v) for r, a, b in (("IND", -2.2, 1.0), ("RUS", 0.5, 2.8)) for s, v in (("food", a), ("gems", b))]
    return Figure(
        kind="heatmap",
        title="Gems hold",
        data=pd.DataFrame(rows, columns=["region", "sector", "pct"]),
        x="region",
        y="sector",
        value="pct",
        centre=0.0,
        unit="%",
        source=BACI,
    )


def treemap() -> Figure:
    rows = [("Machines", "Engineering", 1112.0), ("Medicines", "Chemicals", 413.0), ("Organic", "Chemicals", 361.0)]
    return Figure(
        kind="treemap",
        title="Machines lead",
        data=pd.DataFrame(rows, columns=["product", "branch", "usd_mn"]),
        label="product",
        group="branch",
        value="usd_mn",
        unit="USD mn",
        source=BACI,
        number=NumberFormat(0),
    )


def scatter() -> Figure:
    rows = [("Shrimp", 32.4, 60.0, 2.0), ("Carpets", 58.6, 52.9, 1.2), ("Medicines", 31.0, 0.0, 8.7)]
    return Figure(
        kind="scatter",
        title="The dearest duties hit the most dependent",
        data=pd.DataFrame(rows, columns=["good", "share_pct", "duty_pct", "usd_bn"]),
        x="share_pct",
        y="duty_pct",
        size="usd_bn",
        label="good",
        unit="%",
        source="GTRI, August 2025",
        number=PERCENT,
        x_number=PERCENT,
    )


SAMPLES = {
    build.__name__: build
    for build in (
        line,
        monthly,
        bar,
        stacked,
        grouped,
        interval,
        slope,
        waterfall,
        flow,
        heatmap,
        treemap,
        scatter,
    )
}


def table() -> TableBlock:
    return TableBlock(
        title="Trade of India and Russia",
        frame=pd.DataFrame({"year": ["2023", "2024"], "imports": [66149.33, 63651.25], "balance": [-62095.35, None]}),
        source="BACI <2024>",
        units={"imports": "USD mn", "balance": "USD mn"},
        formats={"imports": NumberFormat(0), "balance": NumberFormat(0)},
    )


def document() -> Document:
    return Document(
        title="The gap & what closes it",
        dek="A report for the tests.",
        sentences=("India bought **63.7 bn** and sold **4.8 bn**.", "Fuels are **89%** of it."),
        sections=(
            Section(
                id="charts",
                title="Every kind",
                prose=("See [the table](#table-trade-of-india-and-russia) and 5 < 6 <script>alert(1)</script>.",),
                figures=tuple(build() for build in SAMPLES.values()),
                callout="Nothing *here* is a forecast.",
            ),
            Section(id="tables", title="A table", tables=(table(),)),
        ),
        manifest={"version": "0.1.0", "scenario": "sample", "max_residual": 3.2e-12, "inputs": {"a": "</script>"}},
    )
