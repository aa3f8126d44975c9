"""Chapter one: who sells what to whom."""

from __future__ import annotations

import pandas as pd

from counterpoise.core.errors import DataError, InputError
from counterpoise.measure.gap import GapTable, gap
from counterpoise.measure.order import closing_multiple, closing_share_of_growth, fuel_share, order_cover
from counterpoise.measure.value_added import value_added_balance
from counterpoise.report.chapters.words import bn, name, share
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure, Mark
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.story import Story

__all__ = ["gap_chapter", "gap_sentences", "latest_year"]

_SHOWN = 12
"""Product groups drawn; the table and the workbook hold all."""


def latest_year(story: Story) -> tuple[str, float, float]:
    """Return the latest final year of the pair: its words, what the seller sells, what it buys, USD."""
    rows = gap(story.seller, story.buyer, by="year").rows.dropna(subset=["gap_usd"])
    final = rows[rows["status"] == "final"]
    fiscal = final[final["kind"] == "FY"]
    row = (fiscal if len(fiscal) else final).iloc[-1]
    return _year_words(str(row["period"])), float(row["a_to_b_usd"]), float(row["b_to_a_usd"])


def gap_sentences(story: Story) -> str:
    """Return the first sentence of the answer."""
    year, sold, bought = latest_year(story)
    seller, buyer = name(story.seller), name(story.buyer)
    words = (
        f"{seller} sold {buyer} goods worth **{bn(sold)}** in {year} and bought **{bn(bought)}**: a gap of"
        f" **{bn(sold - bought)}**"
    )
    try:
        fuels = fuel_share(story.buyer, story.seller)
    except DataError:
        return f"{words}."
    return f"{words}, and **{share(fuels, 0)}** of what {buyer} buys is fuel."


def gap_chapter(story: Story) -> Section:
    """Return the chapter on the gap, over time and by product."""
    seller, buyer = name(story.seller), name(story.buyer)
    years = gap(story.seller, story.buyer, by="year")
    chapters = gap(story.seller, story.buyer, by="hs2")
    year, sold, bought = latest_year(story)
    prose = [
        (
            f"In {year} {seller} sold {buyer} {sold / bought:.0f} dollars' worth of goods for every dollar it bought."
            if sold > 2 * bought
            else f"In {year} {seller} sold {buyer} {bn(sold)} and bought {bn(bought)}."
        ),
        *_truths(story),
        _in_value_added(story),
    ]
    return Section(
        id="gap",
        title=f"The gap: {seller} sells {buyer} {bn(sold)} a year and buys {bn(bought)}",
        prose=tuple(prose),
        figures=(_over_time(years, story), _by_product(chapters, story)),
        tables=(_sections_table(story),),
    )


def _truths(story: Story) -> list[str]:
    """Return the plain arithmetic on the gap, where six-digit trade of the pair is known."""
    buyer, seller = name(story.buyer), name(story.seller)
    try:
        fuels = fuel_share(story.buyer, story.seller)
        cover = order_cover(story.seller, story.buyer)
        multiple = closing_multiple(story.buyer, story.seller)
        doubling = closing_share_of_growth(2.0, story.buyer, story.seller)
    except DataError:
        return []
    return [
        (
            f"Fuels are **{share(fuels, 0)}** of what {buyer} buys from {seller}. To close the gap with them unchanged,"
            f" {buyer} would have to sell **{multiple:.1f} times** as much as it does; twice as much closes"
            f" {share(doubling, 0)}."
        ),
        (
            f"If {seller} bought from {buyer} everything it imports in farm goods (HS 01-24) and medicines (HS 30),"
            f" from whomever it now comes, **{share(cover.covered_share, 0)}** of the gap would be covered:"
            f" {bn(cover.imports_usd)} of such imports, of which {bn(cover.bought_usd)} come from {buyer} already."
            f" {seller} has not published its imports since 2022; these are its partners' reports, about 70 % of the"
            " total."
        ),
    ]


def _in_value_added(story: Story) -> str:
    """Return what the gap is in value added, with services, beside gross trade."""
    totals = value_added_balance(story.world, story.seller, story.buyer).totals
    seller, buyer = name(story.seller), name(story.buyer)
    return (
        f"Counted by whose work is in the goods and services, {buyer}'s final buyers pay {seller} "
        f"**{bn(totals['a_in_b_usd'])}** a year and {seller}'s pay {buyer} **{bn(totals['b_in_a_usd'])}**: a gap of "
        f"**{bn(totals['value_added_gap_usd'])}** in value added, beside {bn(totals['gap_usd'])} in gross trade."
    )


def _year_words(period: str) -> str:
    """Write a period for people.

    Examples
    --------
    >>> _year_words("FY2024-25"), _year_words("CY2024")
    ('fiscal year 2024-25', '2024')
    """
    return f"fiscal year {period[2:]}" if period.startswith("FY") else period[2:]


def _over_time(years: GapTable, story: Story) -> Figure:
    rows = years.rows
    kind = "FY" if (rows["kind"] == "FY").sum() >= 3 else "CY"
    mine = rows[rows["kind"] == kind]
    seller, buyer = name(story.seller), name(story.buyer)
    long = pd.concat(
        [
            pd.DataFrame(
                {"year": mine["period"].str[2:], "flow": f"{seller} sells", "usd_bn": mine["a_to_b_usd"] / 1e9}
            ),
            pd.DataFrame(
                {"year": mine["period"].str[2:], "flow": f"{buyer} sells", "usd_bn": mine["b_to_a_usd"] / 1e9}
            ),
        ]
    )
    marks = ()
    labels = list(mine["period"].str[2:])
    if {story.seller, story.buyer} == {"RUS", "IND"} and "2022-23" in labels:
        marks = (Mark("2022-23", "Russian crude turns to India"),)
    first, last = mine.iloc[0], mine.iloc[-1]
    fiscal = kind == "FY"
    return Figure(
        kind="line" if fiscal else "bar",
        title=(
            f"The gap grew from {bn(float(first['gap_usd']))} to {bn(float(last['gap_usd']))} in {len(mine) - 1} years"
            if fiscal
            else f"{seller} sells {buyer} more than it buys"
        ),
        subtitle="Goods, USD bn a year" + (", fiscal years from April" if fiscal else ""),
        data=long,
        x="year",
        y="usd_bn",
        series="flow",
        layout="plain" if fiscal else "grouped",
        sort="none",
        horizontal=False,
        gaps=fiscal,
        marks=marks,
        unit="USD bn",
        colours={f"{seller} sells": story.seller, f"{buyer} sells": story.buyer},
        source=f"{_sources(mine)}.",
        note="The latest year is provisional." if (mine["status"] == "provisional").any() else "",
        method=" ".join(years.caveats),
        id="gap-over-time",
    )


def _by_product(table: GapTable, story: Story) -> Figure:
    seller, buyer = name(story.seller), name(story.buyer)
    rows = table.rows.dropna(subset=["gap_usd"]).head(_SHOWN)
    long = pd.concat(
        [
            pd.DataFrame({"chapter": rows["name"], "flow": f"{seller} sells", "usd_bn": rows["a_to_b_usd"] / 1e9}),
            pd.DataFrame({"chapter": rows["name"], "flow": f"{buyer} sells", "usd_bn": rows["b_to_a_usd"] / 1e9}),
        ]
    )
    top = table.rows.iloc[0]
    return Figure(
        kind="bar",
        title=f"{top['name']} alone make {share(float(top['gap_share']), 0)} of the gap",
        subtitle=f"Goods by HS chapter, USD bn, 2024; the {len(rows)} chapters with the largest gaps",
        data=long,
        x="chapter",
        y="usd_bn",
        series="flow",
        layout="grouped",
        sort="none",
        unit="USD bn",
        number=NumberFormat(1),
        colours={f"{seller} sells": story.seller, f"{buyer} sells": story.buyer},
        source="BACI 2024 and US Census 2024 at customs value.",
        method=" ".join(table.caveats),
        id="gap-by-chapter",
    )


def _sections_table(story: Story) -> TableBlock:
    try:
        table = gap(story.seller, story.buyer, by="section")
    except InputError:
        table = gap(story.seller, story.buyer, by="sector")
    rows = table.rows.dropna(subset=["gap_usd"])
    frame = pd.DataFrame(
        {
            "name": rows["name"],
            "sold": rows["a_to_b_usd"] / 1e6,
            "bought": rows["b_to_a_usd"] / 1e6,
            "gap": rows["gap_usd"] / 1e6,
            "share": 100.0 * rows["gap_share"],
        }
    )
    whole = NumberFormat(0)
    return TableBlock(
        title=f"What {name(story.seller)} and {name(story.buyer)} sell each other, by section",
        frame=frame,
        source="BACI 2024 and US Census 2024 at customs value.",
        headers={
            "name": "Section",
            "sold": f"{name(story.seller)} sells",
            "bought": f"{name(story.buyer)} sells",
            "gap": "Gap",
            "share": "Share of the gap",
        },
        units={"sold": "USD mn", "bought": "USD mn", "gap": "USD mn", "share": "%"},
        formats={"sold": whole, "bought": whole, "gap": whole, "share": NumberFormat(1)},
        id="gap-sections",
    )


def _sources(rows: pd.DataFrame) -> str:
    """Return the sources of the rows, each once, without the way they were fetched."""
    return "; ".join(dict.fromkeys(str(s).split(", fetched")[0].split(", github")[0] for s in rows["source"]))
