"""The chapter on frictions: what stands between the order and the goods, and which obstacle costs most."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd

from counterpoise.friction import FrictionReport
from counterpoise.friction.assemble import OBSTACLES
from counterpoise.friction.corridors import SURCHARGE_USD
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure
from counterpoise.report.numbers import INTEGER, NumberFormat
from counterpoise.report.theme import display_name

__all__ = ["frictions_section"]

_RATE = NumberFormat(1, suffix=" %", axis_suffix=" %")
_FINE = NumberFormat(2)
_DAYS = NumberFormat(1)
_SIGNED = NumberFormat(2, sign=True)

_SOURCE = "Parameters with their sources: docs, 'Frictions'; trade weights: base year of the world."

_METHOD = (
    "Each obstacle is an ad valorem equivalent. Freight is cost per load over the value of a load; time is days times"
    " the value of a day (Hummels and Schaur 2013); payments are fees, spreads and interest over the expected days"
    " d / (1 - p); finance and border as cited. Obstacles multiply. Bounds take every parameter at its low or its high"
    " value at once, with the choice of routes held."
)

_PAYS, _BEATEN = "Can pay for some cargo", "Beaten by another on time and on cost"

_BY_SECTOR = ("freight", "transit_time", "congestion", "customs", "sanitary", "registration")
"""Obstacles that differ from sector to sector; payments and finance hardly do and are shown as one."""

_REST = "Payments, finance, insurance"

_CHANGES = {
    "given": "Your own network",
    "closed": "Closed",
    "surcharge": f"{SURCHARGE_USD:,.0f} USD dearer",
    "without": "Falls away",
}

_PAYMENTS = {
    "third_currency": "Over a third currency",
    "direct": "Direct quotation",
    "netting": "Netting circuit",
    "special_account": "Special accounts",
    "correspondent": "Correspondent banks",
}


def frictions_section(
    report: FrictionReport, attribution: pd.DataFrame | None = None, *, id: str = "frictions"
) -> Section:
    """Return the chapter on the frictions of a pair.

    Parameters
    ----------
    report
        What `counterpoise.friction.friction_report` returned.
    attribution
        What `counterpoise.policy.attribution.attribute_obstacles` returned; None leaves that figure out.
    id
        Anchor; also the beginning of the anchors of its figures and tables.
    """
    a, b = display_name(report.origin), display_name(report.destination)
    table = report.by_obstacle()
    words = dict(zip(table["obstacle"], table["words"], strict=True))
    dearest, best = report.costliest, report.costliest_removable
    total = _mean_total(report)
    figures = [_waterfall(report, table, total, id), _ranges(report, table, id), _heatmap(report, id)]
    corridors = report.routes[report.routes["cargo"] == "container"]
    if not corridors.empty:
        figures += [_legs(report, id), _schematic(corridors, report, id), _days(corridors, report, id)]
    figures.append(_payments(report, id))
    prose = [
        (
            f"An order from {b} to {a} meets {len(report.obstacles)} obstacles on the way to the goods. Together they"
            f" come to {total['central']:.0f} % of the value of the goods on average over trade ({total['low']:.0f} to"
            f" {total['high']:.0f} % with every parameter at its low or high value); {str(words[dearest]).lower()}"
            " costs most. Most of that is distance, which no policy removes: what could be removed is told apart."
        ),
        *report.notes,
    ]
    if attribution is not None:
        figures += _attribution(report, attribution, id)
        everything = attribution[attribution["obstacle"] == "all"].iloc[0]
        how = "all combinations" if attribution.attrs.get("exact", True) else "drawn orders"
        prose.insert(
            1,
            f"In equilibrium effects interact: an obstacle taken away last moves more trade than one taken away first."
            f" Shapley values over {how} share out the {_bn(everything['trade_usd'])} bn USD that taking away all of"
            f" them would add to trade both ways a year; what {a} sells to {b} minus what it buys there would move by"
            f" {_bn(everything['gap_usd'])} bn.",
        )
    return Section(
        id=id,
        title=f"Between the order and the goods: {str(words[dearest]).lower()} costs most, and most could be gained "
        + ("there, too" if best == dearest else f"on {str(words[best]).lower()}"),
        prose=tuple(prose),
        figures=tuple(figures),
        tables=tuple(_tables(report, id)),
    )


def _mean_total(report: FrictionReport) -> dict[str, float]:
    """Return the mean of the totals over sectors, percent, by case."""
    weight = np.array([report.weights[s] for s in report.sectors], dtype=np.float64)
    cases = ("low", "central", "high")
    return {case: 100.0 * float(report.totals[f"ave_{case}"].to_numpy(dtype=np.float64) @ weight) for case in cases}


def _waterfall(report: FrictionReport, table: pd.DataFrame, total: dict[str, float], id: str) -> Figure:
    rates = dict(zip(table["obstacle"], 100.0 * table[f"ave_{report.case}"].to_numpy(dtype=np.float64), strict=True))
    rows: list[tuple[str, float, bool]] = [(OBSTACLES[name], float(rates[name]), False) for name in report.obstacles]
    whole = total[report.case]
    rows.append(("Each on top of the others", whole - math.fsum(rate for _, rate, _ in rows), False))
    rows.append(("Together", whole, True))
    return Figure(
        kind="waterfall",
        title=f"From the order to the goods: {whole:.0f} % on top of their value, step by step",
        subtitle=f"Ad valorem equivalent, {report.case} case, mean over trade, percent of the value of the goods",
        data=pd.DataFrame(rows, columns=["obstacle", "ave", "total"]),
        x="obstacle",
        y="ave",
        total="total",
        unit="%",
        number=NumberFormat(1),
        source=_SOURCE,
        method=_METHOD,
        id=f"{id}-waterfall",
    )


def _ranges(report: FrictionReport, table: pd.DataFrame, id: str) -> Figure:
    frame = pd.DataFrame(
        {
            "obstacle": table["words"],
            "ave": 100.0 * table["ave_central"],
            "low": 100.0 * table["ave_low"],
            "high": 100.0 * table["ave_high"],
            "removable": 100.0 * table["removable_central"],
            "confidence": table["confidence"],
        }
    )
    widest = str(frame["obstacle"].iloc[int(np.argmax((frame["high"] - frame["low"]).to_numpy(dtype=np.float64)))])
    return Figure(
        kind="interval",
        title=f"How sure the numbers are: {widest.lower()} is the least certain",
        subtitle="Ad valorem equivalent, percent; dot: central, bar: low to high",
        data=frame,
        x="obstacle",
        y="ave",
        low="low",
        high="high",
        unit="%",
        number=NumberFormat(1),
        headers={"removable": "Could be removed, central (%)"},
        source=_SOURCE,
        method=_METHOD,
        note="Some published figures contradict each other; the table of claims keeps both.",
        id=f"{id}-ranges",
    )


def _heatmap(report: FrictionReport, id: str) -> Figure:
    column = f"ave_{report.case}"
    cells: list[tuple[str, str, float]] = []
    for sector in report.sectors:
        mine = report.rows[report.rows["sector"] == sector]
        rates = {str(k): float(v) for k, v in zip(mine["obstacle"], mine[column], strict=True)}
        together = math.prod(1.0 + rate for name, rate in rates.items() if name not in _BY_SECTOR) - 1.0
        shown = {OBSTACLES[name]: rates[name] for name in _BY_SECTOR if name in rates} | {_REST: together}
        cells += [(words, display_name(sector), 100.0 * rate) for words, rate in shown.items()]
    frame = pd.DataFrame(cells, columns=["obstacle", "sector", "ave"])
    top = report.costliest_by_sector()
    bulk = not report.routes[report.routes["cargo"] == "bulk"].empty
    most = display_name(str(top["sector"].iloc[int(np.argmax(top["total"].to_numpy(dtype=np.float64)))]))
    return Figure(
        kind="heatmap",
        title=f"{most} meets the highest wall" + ("; bulk goods hardly mind the days" if bulk else ""),
        subtitle=f"Ad valorem equivalent by sector and obstacle, {report.case} case, percent",
        data=frame,
        x="obstacle",
        y="sector",
        value="ave",
        unit="%",
        number=NumberFormat(1),
        source=_SOURCE,
        method=_METHOD,
        id=f"{id}-sectors",
    )


_MODES = {
    "port": "Port",
    "sea": "Sea",
    "caspian": "Caspian",
    "rail": "Rail",
    "road": "Road",
    "air": "Air",
    "customs": "Customs",
}


def _legs(report: FrictionReport, id: str) -> Figure:
    """Draw every corridor as a bar of its legs, in days, its cost beside its name."""
    legs = report.legs[report.legs["cargo"] == "container"]
    cost = legs.groupby("route")["cost_usd_central"].sum()
    days = legs.groupby("route")["days_central"].sum()
    order = [str(name) for name in days.sort_values(kind="stable").index]
    rows = [
        (
            f"{route}, {float(cost[route]):,.0f} USD",
            words,
            float(part["days_central"].sum()),
            float(part["cost_usd_central"].sum()),
        )
        for route in order
        for mode, words in _MODES.items()
        for part in [legs[(legs["route"] == route) & (legs["mode"] == mode)]]
        if not part.empty
    ]
    frame = pd.DataFrame(rows, columns=["corridor", "stage", "days", "cost"])
    quick, cheap = order[0], str(cost.idxmin())
    return Figure(
        kind="bar",
        title=f"{quick} is quickest at {days[quick]:.0f} days"
        + (", and cheapest" if quick == cheap else f"; {cheap} is cheapest at {cost[cheap]:,.0f} USD"),
        subtitle=f"{display_name(report.origin)} to {display_name(report.destination)}, days of a container by stage;"
        " beside the name: USD per TEU from door to door",
        data=frame,
        x="corridor",
        y="days",
        series="stage",
        layout="stacked",
        sort="none",
        unit="days",
        number=INTEGER,
        headers={"cost": "Cost of the stage (USD per TEU)"},
        source=_sources(legs),
        note="Schematic: published totals from door to door are split over stages by assumption.",
        id=f"{id}-legs",
    )


def _schematic(corridors: pd.DataFrame, report: FrictionReport, id: str) -> Figure:
    beaten = [bool(str(by)) for by in corridors["dominated_by"]]
    frame = pd.DataFrame(
        {
            "corridor": corridors["route"].to_numpy(),
            "days": corridors["days_central"].to_numpy(),
            "cost": corridors["cost_usd_central"].to_numpy(),
            "verdict": [_BEATEN if worse else _PAYS for worse in beaten],
            "loads": 100.0 * corridors["load_share"].to_numpy(dtype=np.float64),
        }
    )
    never = sum(beaten)
    title = f"{len(beaten) - never} of {len(beaten)} corridors can pay; {never} are beaten on time and on cost"
    return Figure(
        kind="scatter",
        title=title if never else "Every corridor can pay for some cargo",
        subtitle=f"{display_name(report.origin)} to {display_name(report.destination)}, cost and days of a container",
        data=frame,
        x="days",
        y="cost",
        label="corridor",
        series="verdict",
        colours={_PAYS: "@accent", _BEATEN: "@muted"},
        unit="USD per TEU",
        number=INTEGER,
        x_number=_DAYS,
        x_title="Days from door to door",
        y_title="USD per TEU",
        zero=False,
        source=_sources(corridors),
        note="Costs of different years are not converted to one.",
        method="Sums over the legs of a corridor, central values; published totals are split over legs by assumption.",
        headers={"loads": "Share of loads by logit choice (%)"},
        id=f"{id}-corridors",
    )


def _days(corridors: pd.DataFrame, report: FrictionReport, id: str) -> Figure:
    frame = pd.DataFrame(
        {
            "corridor": corridors["route"].to_numpy(),
            "days": corridors["days_central"].to_numpy(),
            "low": corridors["days_low"].to_numpy(),
            "high": corridors["days_high"].to_numpy(),
        }
    )
    return Figure(
        kind="interval",
        title="Claims about transit times are wide apart",
        subtitle=f"{display_name(report.origin)} to {display_name(report.destination)}, days from door to door",
        data=frame,
        x="corridor",
        y="days",
        low="low",
        high="high",
        unit="days",
        number=NumberFormat(0),
        sort="ascending",
        source=_sources(corridors),
        id=f"{id}-days",
    )


def _payments(report: FrictionReport, id: str) -> Figure:
    paid = report.payments
    frame = pd.DataFrame(
        {
            "way": [_PAYMENTS.get(str(name), str(name)) for name in paid["route"]],
            "cost": 100.0 * paid["total_central"],
            "low": 100.0 * paid["total_low"],
            "high": 100.0 * paid["total_high"],
            "days": paid["days_central"],
            "use": 100.0 * paid["payment_share"],
        }
    )
    first, last = frame.iloc[0], frame.iloc[-1]
    title = (
        f"{first['way']} would cost {float(first['cost']):.1f} %, against {float(last['cost']):.1f} % "
        f"{str(last['way'])[:1].lower()}{str(last['way'])[1:]}"
        if len(frame) > 1
        else f"Paying costs {float(first['cost']):.1f} % of the invoice"
    )
    return Figure(
        kind="interval",
        title=title,
        subtitle="Commission, conversion and delay together, percent of the invoice",
        data=frame,
        x="way",
        y="cost",
        low="low",
        high="high",
        unit="%",
        number=NumberFormat(1),
        headers={"days": "Expected days, refusals included", "use": "Share of payments taken (%)"},
        source=_sources(paid),
        method="A refused payment starts anew: a pipeline of d days with refusal probability p takes d / (1 - p).",
        id=f"{id}-payments",
    )


def _attribution(report: FrictionReport, attribution: pd.DataFrame, id: str) -> list[Figure]:
    moved = attribution[(attribution["obstacle"] != "all") & (attribution["trade_usd"] != 0)]
    if moved.empty:
        return []
    names = [OBSTACLES.get(str(name), str(name)) for name in moved["obstacle"]]
    parts = moved[["trade_usd", "trade_alone_usd", "trade_last_usd"]].to_numpy(dtype=np.float64) / 1e9
    trade = pd.DataFrame({"obstacle": names, "trade": parts[:, 0], "low": parts.min(axis=1), "high": parts.max(axis=1)})
    gap = moved["gap_usd"].to_numpy(dtype=np.float64) / 1e9
    error = 1.96 * moved["gap_usd_se"].to_numpy(dtype=np.float64) / 1e9
    bars = pd.DataFrame({"obstacle": names, "gap": gap, "low": gap - error, "high": gap + error})
    a, b = display_name(report.origin), display_name(report.destination)
    sampled = bool(np.any(error > 0))
    source = "Own computation in general equilibrium; obstacles: friction report."
    method = (
        "Every combination of obstacles is taken away in the equilibrium; an obstacle's part is its mean contribution"
        " over all orders (Shapley), so that the parts add up. Only what could be removed is taken away."
    )
    return [
        Figure(
            kind="interval",
            title=f"{names[0]} holds back most trade",
            subtitle="Trade both ways if the removable part goes, USD bn a year; bar: taken away first to last",
            data=trade,
            x="obstacle",
            y="trade",
            low="low",
            high="high",
            unit="USD bn",
            number=_FINE,
            source=source,
            method=method,
            id=f"{id}-trade",
        ),
        Figure(
            kind="bar",
            title=f"What taking each obstacle away does to the balance of {a} with {b}",
            subtitle=f"Change of what {a} sells to {b} minus what it buys, USD bn a year"
            + ("; bar: 95 % of the sampling error" if sampled else ""),
            data=bars if sampled else bars[["obstacle", "gap"]],
            x="obstacle",
            y="gap",
            low="low" if sampled else "",
            high="high" if sampled else "",
            unit="USD bn",
            number=_SIGNED,
            source=source,
            method=method,
            id=f"{id}-gap",
        ),
    ]


def _tables(report: FrictionReport, id: str) -> list[TableBlock]:
    out: list[TableBlock] = []
    if not report.break_even.empty:
        frame = report.break_even.assign(value_of_time=100.0 * report.break_even["value_of_time"])
        out.append(
            TableBlock(
                title="From which cargo value the faster corridor pays",
                frame=frame,
                units={"extra_cost_usd": "USD per TEU", "value_of_time": "% a day", "cargo_value_usd": "USD per TEU"},
                headers={
                    "fast": "Faster",
                    "slow": "Cheaper",
                    "extra_cost_usd": "Extra cost",
                    "days_saved": "Days saved",
                    "value_of_time": "Value of time",
                    "cargo_value_usd": "Cargo value from which it pays",
                },
                formats={
                    "cargo_value_usd": INTEGER,
                    "extra_cost_usd": INTEGER,
                    "days_saved": INTEGER,
                    "value_of_time": NumberFormat(1),
                },
                source="Hummels and Schaur (2013); corridors as above.",
                note="Extra cost over days saved times the value of time. Beaten corridors are left out.",
                id=f"{id}-break-even",
            )
        )
    changes = report.corridor_changes
    if not changes.empty:
        told = (changes["kind"] == "given") | ~changes["open"].astype(bool)
        shown = changes[told | (changes["most_ave_change"].abs() >= 5e-5)]
        if not shown.empty:
            frame = pd.DataFrame(
                {
                    "change": [_CHANGES[str(kind)] for kind in shown["kind"]],
                    "of": shown["what"].to_numpy(),
                    "mean": 100.0 * shown["mean_ave_change"].to_numpy(dtype=np.float64),
                    "most": 100.0 * shown["most_ave_change"].to_numpy(dtype=np.float64),
                    "where": [display_name(str(s)) if s else "no way left" for s in shown["most_sector"]],
                }
            )
            out.append(
                TableBlock(
                    title="A new corridor, a closed canal, a surcharge: what they change",
                    frame=frame,
                    headers={
                        "change": "Change",
                        "of": "Of",
                        "mean": "Mean over trade",
                        "most": "Most",
                        "where": "In",
                    },
                    units={"mean": "points", "most": "points"},
                    formats={"mean": _SIGNED, "most": _SIGNED},
                    source="Own computation; corridors as above.",
                    note="Exact change of what the choice among corridors costs, percent of the value of the goods. A"
                    " corridor is worth what is lost where it falls away.",
                    id=f"{id}-changes",
                )
            )
    if not report.limits.empty:
        out.append(
            TableBlock(
                title="Limits of quantity, which no price moves",
                frame=report.limits[
                    ["limit", "applies_to", "unit", "low", "central", "high", "source", "confidence"]
                ].assign(limit=[str(v).replace("_", " ") for v in report.limits["limit"]]),
                formats={case: NumberFormat(1) for case in ("low", "central", "high")},
                source="As listed.",
                id=f"{id}-limits",
            )
        )
    if not report.events.empty:
        out.append(
            TableBlock(
                title="Dated events",
                frame=report.events[["on", "kind", "event", "source"]],
                source="As listed.",
                id=f"{id}-events",
            )
        )
    if not report.claims.empty:
        out.append(
            TableBlock(
                title="Published claims, and what they are held against",
                frame=report.claims[["claim", "low", "high", "unit", "source", "confidence", "held_against"]],
                source="As listed.",
                note="Claims that contradict each other are both kept.",
                id=f"{id}-claims",
            )
        )
    return out


def _sources(rows: pd.DataFrame) -> str:
    """List the sources of rows, each once, without what stands in brackets; our own assumptions once, at the end."""
    parts = [part for cell in rows["source"] for part in re.sub(r"\s*\([^)]*\)", "", str(cell)).split("; ")]
    assumed = any("own assumption" in part.casefold() for part in parts)
    cited = [
        part.removeprefix("high: ").removeprefix("Low: ")
        for part in parts
        if "own assumption" not in part.casefold() and not part.startswith("central")
    ]
    return "; ".join([*dict.fromkeys(cited), *(["own assumptions"] if assumed else [])]).rstrip(".") + "."


def _bn(usd: object) -> str:
    return _SIGNED.text(float(str(usd)) / 1e9)
