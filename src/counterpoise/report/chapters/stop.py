"""Chapter four: what if the oil stops."""

from __future__ import annotations

import pandas as pd

from counterpoise.data import load_table
from counterpoise.report.chapters.words import BAND_NOTE, WELFARE, band_pct, bn, name, pct, share, source_of
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.story import Case, Story

__all__ = ["stop_case", "stop_chapter", "stop_sentence"]

_SHOWN = 12


def stop_case(story: Story) -> Case | None:
    """Return the case in which the oil stops, from the scenario or its companion."""
    return story.cases.get("oil") or story.cases.get("oil-stop")


def stop_sentence(story: Story, case: Case) -> str:
    """Return the sentence of the answer on the stop."""
    income = case.welfare_pct(story.buyer)
    lost = case.equivalent_variation_usd(story.buyer)
    closed = case.closed_share(story.seller, story.buyer)
    own = case.welfare_pct(story.seller)
    return (
        f"If {name(story.buyer)} bought no more {name(story.seller)}n crude, **{share(closed.central, 0)}** of the gap"
        f" would be gone; it would cost {name(story.buyer)} **{pct(abs(income.central), 2)}** of real income (range"
        f" {band_pct(income)} %), {bn(abs(lost.central))} a year, and {name(story.seller)} {pct(abs(own.central), 2)}."
    )


def stop_chapter(story: Story, case: Case) -> Section:
    """Return the chapter on the stop."""
    lost = case.equivalent_variation_usd(story.buyer)
    prose = [
        (
            f"Embargoed trade is exactly zero. {name(story.buyer)} then buys from others at the price the world"
            f" equilibrium gives, which costs it {bn(abs(lost.central))} a year in the long run."
        ),
        (
            "A stop closes the gap by making both sides poorer; it is not a way back towards balance, and the report"
            " counts it as none."
        ),
    ]
    discount = _discount(story)
    tables: tuple[TableBlock, ...] = ()
    if discount is not None:
        words, table = discount
        prose.append(words)
        tables = (table,)
    return Section(
        id="stop",
        title=(
            f"If the oil stops, {share(case.closed_share(story.seller, story.buyer).central, 0)} of the gap is gone,"
            " and both are poorer"
        ),
        prose=tuple(prose),
        figures=(_who_pays(case, story), _who_delivers(case, story)),
        tables=tables,
    )


def _discount(story: Story) -> tuple[str, TableBlock] | None:
    """Return the lost discount, year by year, for the pair whose unit values are known."""
    if {story.seller, story.buyer} != {"RUS", "IND"}:
        return None
    crude = load_table("crude")
    wide = crude.pivot(index="period", columns="origin", values=["usd_per_tonne", "tonnes", "value_usd"])
    discount = wide[("usd_per_tonne", "OTHER")] - wide[("usd_per_tonne", "RUS")]
    saved = discount * wide[("tonnes", "RUS")]
    frame = pd.DataFrame(
        {
            "period": wide.index,
            "russian": wide[("usd_per_tonne", "RUS")].to_numpy(),
            "other": wide[("usd_per_tonne", "OTHER")].to_numpy(),
            "tonnes": wide[("tonnes", "RUS")].to_numpy() / 1e6,
            "saved": saved.to_numpy() / 1e9,
        }
    )
    year = frame[frame["period"] == "FY2024-25"].iloc[0]
    words = (
        f"The discount itself is small by now: at the unit values of {year['period'][2:]} replacing Russian crude by"
        f" other crude would have cost India **{year['saved']:.2f} bn USD**. Claims of 9 to 10 bn need a world price"
        " that rises when the oil stops."
    )
    table = TableBlock(
        title="What Russian crude saved India",
        frame=frame,
        source="TRADESTAT, petroleum crude by country; unit values and differences computed here.",
        headers={
            "period": "Fiscal year",
            "russian": "Russian crude",
            "other": "Other crude",
            "tonnes": "Russian crude bought",
            "saved": "Saved",
        },
        units={"russian": "USD/t", "other": "USD/t", "tonnes": "mn t", "saved": "USD bn"},
        formats={
            "russian": NumberFormat(1),
            "other": NumberFormat(1),
            "tonnes": NumberFormat(1),
            "saved": NumberFormat(3),
        },
        id="stop-discount",
    )
    return words, table


def _who_pays(case: Case, story: Story) -> Figure:
    rows = sorted(((c, case.welfare_pct(c)) for c in story.world.countries), key=lambda row: -abs(row[1].central))[
        :_SHOWN
    ]
    frame = pd.DataFrame(
        [(name(c), b.central, b.low, b.high) for c, b in rows], columns=["country", "change", "low", "high"]
    )
    return Figure(
        kind="interval",
        title=f"{name(rows[0][0])} is touched most",
        subtitle="Change of real income, percent; dot: central elasticities, bar: range; the twelve largest",
        data=frame,
        x="country",
        y="change",
        low="low",
        high="high",
        unit="%",
        number=WELFARE,
        sort="ascending",
        source=source_of(story.world),
        note=BAND_NOTE,
        method="Exact change of income over the price of final consumption; the stopped flows are exactly zero.",
        id="stop-who-pays",
    )


def _who_delivers(case: Case, story: Story) -> Figure:
    world, shock = story.world, case.compiled.shock
    stopped = shock.embargo.sel(origin=story.seller, destination=story.buyer).to_numpy()
    sectors = [s for s, gone in zip(world.sectors, stopped, strict=True) if gone]
    pick = {"destination": story.buyer, "sector": sectors}
    before = world.flow.sel(pick).sum("sector").to_numpy() / 1e9
    after = case.solution.flow_cf.sel(pick).sum("sector").to_numpy() / 1e9
    rows = sorted(zip(world.countries, before.tolist(), after.tolist(), strict=True), key=lambda r: -max(r[1], r[2]))
    rows = [r for r in rows if r[0] != story.buyer][:8]
    largest = max((r for r in rows if r[0] != story.seller), key=lambda r: r[2] - r[1])[0]
    frame = pd.concat(
        [
            pd.DataFrame({"country": [name(r[0]) for r in rows], "when": "baseline", "usd_bn": [r[1] for r in rows]}),
            pd.DataFrame(
                {"country": [name(r[0]) for r in rows], "when": "after the stop", "usd_bn": [r[2] for r in rows]}
            ),
        ]
    )
    return Figure(
        kind="bar",
        title=f"The largest replacement comes from {name(largest)}",
        subtitle=f"What {name(story.buyer)} buys of the stopped goods, by origin, USD bn a year",
        data=frame,
        x="country",
        y="usd_bn",
        series="when",
        layout="grouped",
        sort="none",
        unit="USD bn",
        number=NumberFormat(1),
        colours={"baseline": "@muted", "after the stop": "@accent"},
        source=source_of(world),
        method="Flows at customs value, baseline and counterfactual.",
        id="stop-who-delivers",
    )
