"""Chapter three: what the order to buy more can and cannot do, and what each obstacle costs it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError
from counterpoise.measure.order import closing_share_of_growth, order_cover
from counterpoise.report.chapters.words import BAND_NOTE, SHARE, band_pct, bn, name, share, source_of
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure, Mark
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.story import Case, Story
from counterpoise.scenario.schema import Purchase

__all__ = ["bound_sentence", "order_chapter", "order_sentence"]


def programme_rate(story: Story) -> float:
    """Return the subsidy rate of the first purchase programme."""
    return next(m.subsidy_rate.at(story.scenario.case) for m in story.scenario.measure if isinstance(m, Purchase))


def order_sentence(story: Story) -> str:
    """Return the sentence of the answer on the order."""
    case = story.cases["order"]
    closed = case.closed_share(story.seller, story.buyer)
    more = case.flow_change_usd(story.buyer, story.seller)
    cost = float(case.solution.purchase_cost_cf.sel(country=story.seller))
    words = (
        f"A purchase programme that pays {share(programme_rate(story), 0)} of the price adds {bn(more.central, 2)} to"
        f" what {name(story.seller)} buys and closes **{share(closed.central)}** of the gap (range"
        f" {band_pct(closed, 1, 100)} %) for {bn(cost, 2)} a year from its budget"
    )
    freed = story.cases.get("order_and_obstacles")
    if freed is None:
        return f"{words}."
    both = freed.closed_share(story.seller, story.buyer)
    return f"{words}; with every obstacle removed as well, **{share(both.central)}** ({band_pct(both, 1, 100)} %)."


def bound_sentence(story: Story) -> str | None:
    """Return the sentence on the upper bound of the order; None where six-digit trade is not known."""
    try:
        cover = order_cover(story.seller, story.buyer)
    except DataError:
        return None
    return (
        f"Even if {name(story.seller)} bought from {name(story.buyer)} all farm goods and medicines it imports from"
        f" anyone, only **{share(cover.covered_share, 0)}** of the gap would be covered."
    )


def order_chapter(story: Story) -> Section:
    """Return the chapter on the order."""
    order = story.cases["order"]
    closed = order.closed_share(story.seller, story.buyer)
    cost = float(order.solution.purchase_cost_cf.sel(country=story.seller))
    base = story.world.gap_usd(story.seller, story.buyer)
    per_dollar = closed.central * base / cost if cost else float("nan")
    prose = [
        (
            "No size of the order has been published. It is drawn here as a programme in which the buyer's budget pays"
            " part of the price; the rate is our assumption, and the curve below shows every other one."
        ),
        f"Each dollar of the programme narrows the gap by **{per_dollar:.2f} dollars** at this rate. {_half(story)}",
        (
            "Goods on the Common High Priority List (dual-use) are outside the programme and outside every removal of"
            " an obstacle."
        ),
    ]
    figures = [_reach(story)]
    if "order_and_obstacles" in story.cases:
        figures.insert(0, _waterfall(story))
    bounds = _bounds(story)
    if bounds is not None:
        figures.append(bounds)
    tables: tuple[TableBlock, ...] = ()
    if story.alone:
        tables = (_obstacles(story),)
        first = max(story.alone, key=lambda row: row[2])
        prose.append(
            f"Of the obstacles the costliest is “{first[0]}”: removing it alone closes {share(first[2])} of the gap."
            " They do not add up, since each removal makes the next one worth more."
        )
    return Section(
        id="order",
        title=f"The order: it closes {share(closed.central)} of the gap, and cannot close it alone",
        prose=tuple(prose),
        figures=tuple(figures),
        tables=tables,
    )


def _half(story: Story) -> str:
    """Say at which rate, and for how much, the programme would close half of the gap."""
    rates, closed, _, cost = (list(column) for column in zip(*story.reach, strict=True))
    if max(closed) < 0.5:
        return f"Even at {share(rates[-1], 0)} of the price it closes less than half of the gap."
    rate, paid = float(np.interp(0.5, closed, rates)), float(np.interp(0.5, closed, cost))
    return (
        f"To close half of the gap it would have to pay {share(rate, 0)} of the price, {bn(paid)} a year; from there on"
        " it no longer replaces other suppliers but home production, which is not what the order asks for."
    )


def _closed_bn(case: Case, story: Story) -> float:
    base = story.world.gap_usd(story.seller, story.buyer)
    return (base - case.solution.gap_cf_usd(story.seller, story.buyer)) / 1e9


def _waterfall(story: Story) -> Figure:
    base = story.world.gap_usd(story.seller, story.buyer) / 1e9
    order = _closed_bn(story.cases["order"], story)
    obstacles = _closed_bn(story.cases["obstacles"], story)
    both = _closed_bn(story.cases["order_and_obstacles"], story)
    rows = [
        ("Gap today", base, True),
        ("The order", -order, False),
        ("Obstacles removed", -obstacles, False),
        ("Both together, beyond the sum", -(both - order - obstacles), False),
        ("Gap left", base - both, True),
    ]
    frame = pd.DataFrame(rows, columns=["step", "usd_bn", "level"])
    return Figure(
        kind="waterfall",
        title=f"Order and open road together take {both:.1f} of {base:.1f} bn off the gap",
        subtitle=f"What {name(story.seller)} sells {name(story.buyer)} minus what it buys, USD bn a year",
        data=frame,
        x="step",
        y="usd_bn",
        total="level",
        unit="USD bn",
        number=NumberFormat(1),
        source=source_of(story.world),
        method=(
            "Three equilibria: the programme alone, every obstacle removed alone, and both; the last step is their"
            " interaction."
        ),
        id="order-waterfall",
    )


def _reach(story: Story) -> Figure:
    rows = [(100 * rate, 100 * closed, 100 * free) for rate, closed, free, _ in story.reach]
    table = pd.DataFrame(rows, columns=["rate", "as_they_are", "removed"])
    freed = "order_and_obstacles" in story.cases
    parts = [
        pd.DataFrame({"rate": table["rate"], "obstacles": "obstacles as they are", "closed": table["as_they_are"]})
    ]
    if freed:
        parts.append(
            pd.DataFrame({"rate": table["rate"], "obstacles": "every obstacle removed", "closed": table["removed"]})
        )
    assumed = 100 * programme_rate(story)
    here = np.interp(assumed, table["rate"], table["as_they_are"])
    marks = [Mark(assumed, "assumed rate")]
    try:
        marks.append(
            Mark(100 * order_cover(story.seller, story.buyer).covered_share, "all such imports, from anyone", axis="y")
        )
    except DataError:
        pass
    return Figure(
        kind="line",
        title=(
            f"At {assumed:.0f} % of the price the programme closes {here:.0f} % of the gap; each further point closes"
            " more and costs more"
        ),
        subtitle="Share of the gap closed, percent, by share of the price that the programme pays, percent",
        data=pd.concat(parts),
        x="rate",
        y="closed",
        series="obstacles",
        unit="%",
        number=SHARE,
        x_title="share of the price paid by the programme, %",
        y_title="share of the gap closed, %",
        colours={"obstacles as they are": story.seller, "every obstacle removed": story.buyer},
        marks=tuple(marks),
        source=source_of(story.world),
        method=(
            "One equilibrium for each rate, central elasticities; the programme covers farm goods (HS 01-24) and"
            " medicines (HS 30)."
        ),
        id="order-reach",
    )


def _bounds(story: Story) -> Figure | None:
    try:
        cover = order_cover(story.seller, story.buyer)
        doubling = closing_share_of_growth(2.0, story.buyer, story.seller)
    except DataError:
        return None
    order = story.cases["order"].closed_share(story.seller, story.buyer)
    rows = [
        ("The whole gap", 100.0, 100.0, 100.0),
        ("All farm goods and medicines bought there (arithmetic bound)", *(3 * (100 * cover.covered_share,))),
        (f"{name(story.buyer)}'s exports doubled (arithmetic)", *(3 * (100 * doubling,))),
        ("The programme (equilibrium)", *(100 * v for v in (order.central, order.low, order.high))),
    ]
    freed = story.cases.get("order_and_obstacles")
    if freed is not None:
        band = freed.closed_share(story.seller, story.buyer)
        rows.append(
            ("The programme, obstacles removed (equilibrium)", *(100 * v for v in (band.central, band.low, band.high)))
        )
    return Figure(
        kind="interval",
        title="What is possible on paper and what an equilibrium gives",
        subtitle="Share of the gap covered, percent",
        data=pd.DataFrame(rows, columns=["measure", "closed", "low", "high"]),
        x="measure",
        y="closed",
        low="low",
        high="high",
        unit="%",
        number=SHARE,
        sort="none",
        source=f"Bounds: TRADESTAT FY2024-25 and BACI 2024 (mirror data). {source_of(story.world)}",
        note=BAND_NOTE,
        method="Bounds hold everything else fixed; equilibria let prices, wages and all other trade adjust.",
        id="order-bounds",
    )


def _obstacles(story: Story) -> TableBlock:
    frame = pd.DataFrame(
        [(title, 100 * ave, 100 * closed, more / 1e6) for title, ave, closed, more in story.alone],
        columns=["obstacle", "ave", "closed", "more"],
    ).sort_values("closed", ascending=False)
    return TableBlock(
        title="Each obstacle removed alone",
        frame=frame,
        source=f"{source_of(story.world)} Size of each obstacle: as cited in the scenario.",
        headers={
            "obstacle": "Obstacle",
            "ave": "Ad valorem equivalent",
            "closed": "Gap closed",
            "more": "More exports",
        },
        units={"ave": "%", "closed": "%", "more": "USD mn"},
        formats={"ave": NumberFormat(1), "closed": NumberFormat(2), "more": NumberFormat(0)},
        note="Central values; the scenario holds low and high ones for each.",
        id="order-obstacles",
    )
