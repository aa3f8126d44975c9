"""Chapter two: the third party's duty, who loses, and where the goods go."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from counterpoise.report.chapters.words import BAND_NOTE, WELFARE, band_bn, band_pct, bn, name, pct, share, source_of
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure, Mark
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.story import Case, Story, goods_of
from counterpoise.report.theme import display_name
from counterpoise.scenario import added_duty_rate, change_dates, timeline

__all__ = ["duty_chapter", "duty_sentence"]

_LAST_DAYS = 30
"""Days for which the last step of the schedule is drawn on."""

_SHOWN = 12


def duty_sentence(story: Story) -> str:
    """Return the sentence of the answer on the third party's duty."""
    case, third, target = story.cases["duty"], str(story.third), str(story.target)
    rate = added_duty_rate(story.world, case.compiled.shock, target, third)
    sold = case.goods_change_usd(target, third)
    pick = {"origin": target, "destination": third, "sector": goods_of(story.world)}
    base = float(story.world.flow.sel(pick).sum())
    income, lost = case.welfare_pct(target), case.equivalent_variation_usd(target)
    own = case.welfare_pct(third)
    falls = "costs" if lost.central < 0 else "gives"
    return (
        f"The {name(third)} duty on {name(target)}, **{share(rate, 0)}** on average over its goods, cuts"
        f" {name(target)}'s goods sales there by **{share(-sold.central / base, 0)}** ({bn(abs(sold.central), 0)};"
        f" range {band_bn(sold, 0)}) and {falls} it **{pct(abs(income.central), 2)}** of real income (range"
        f" {band_pct(income)} %), {bn(abs(lost.central))} a year; the {name(third)} itself"
        f" {'loses' if own.central < 0 else 'gains'} {pct(abs(own.central), 2)}."
    )


def duty_chapter(story: Story) -> Section:
    """Return the chapter on the duty."""
    case, third, target = story.cases["duty"], str(story.third), str(story.target)
    income = case.welfare_pct(target)
    gap_before = story.world.gap_usd(story.seller, story.buyer)
    gap_after = case.solution.gap_cf_usd(story.seller, story.buyer)
    prose = (
        (
            f"The schedule is compiled as it stood on {story.scenario.as_of:%-d %B %Y}, exemptions included, from HS"
            " codes to sectors with the trade of the base year as weights. Where the published table by chapter"
            " contradicts the legal exemptions, the exemptions are kept."
        ),
        (
            f"What {name(target)} no longer sells there it sells elsewhere or at home at a lower price. The gap between"
            f" {name(story.seller)} and {name(story.buyer)} answers by {share(abs(gap_after / gap_before - 1.0))} only:"
            f" {bn(gap_before)} before, {bn(gap_after)} after."
        ),
        (
            "These are long-run equilibria. In the first year trade answers less, and the causal estimates for autumn"
            " 2025 (a fall of 18 to 24 % relative to other markets, Kiel Institute) are smaller than what is shown"
            " here."
        ),
    )
    return Section(
        id="duty",
        title=(
            f"The duty: {name(target)} loses {pct(abs(income.central), 2)} of real income, and finds other buyers for"
            " part of the goods"
        ),
        prose=prose,
        figures=(
            _schedule(story),
            _who_loses(case, story),
            _redirected(case, story, target, third),
            _by_sector(case, story, target, third),
        ),
        tables=(_countries(case, story),),
    )


def _schedule(story: Story) -> Figure:
    """Draw the effective added duty day by day, as steps."""
    third, target = str(story.third), str(story.target)
    days = change_dates(story.scenario)
    steps = [
        (day, 100.0 * added_duty_rate(story.world, compiled.shock, target, third))
        for day, compiled in timeline(story.scenario, story.world, days, products=story.detail)
    ]
    points: list[tuple[date, float]] = [(steps[0][0] - timedelta(days=30), 0.0)]
    for day, rate in steps:
        points += [(day - timedelta(days=1), points[-1][1]), (day, rate)]
    points.append((steps[-1][0] + timedelta(days=_LAST_DAYS), steps[-1][1]))
    frame = pd.DataFrame(points, columns=["day", "rate"]).drop_duplicates("day", keep="last")
    frame["day"] = pd.to_datetime(frame["day"])
    top = max(rate for _, rate in steps)
    as_of = story.scenario.as_of
    return Figure(
        kind="line",
        title=f"At its height the duty added {top:.0f} points on average",
        subtitle=f"Duty added by the {name(third)} on goods from {name(target)}, trade-weighted, percentage points",
        data=frame,
        x="day",
        y="rate",
        unit="points",
        number=NumberFormat(1),
        marks=(Mark(as_of, f"solved here: {as_of:%-d %b %Y}"),) if as_of is not None else (),
        source="Executive orders and notices as cited in the scenario; weights: trade of 2024.",
        method=(
            "Each measure is in force from its first to before its last day; rates by HS code are averaged with"
            " baseline trade; exempt codes count as zero."
        ),
        note="Averages over all goods, exempt ones included: the rate on a dutiable good is higher.",
        id="duty-schedule",
    )


def _who_loses(case: Case, story: Story) -> Figure:
    rows = [(c, case.welfare_pct(c)) for c in story.world.countries]
    rows.sort(key=lambda row: row[1].central)
    ends = rows[: _SHOWN // 2] + rows[-_SHOWN // 2 :]
    frame = pd.DataFrame(
        [(name(c), b.central, b.low, b.high) for c, b in ends], columns=["country", "change", "low", "high"]
    )
    worst = ends[0]
    return Figure(
        kind="interval",
        title=f"{name(worst[0])} loses most; those who sell the same goods gain a little",
        subtitle="Change of real income, percent; dot: central elasticities, bar: range",
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
        method="Exact change of income over the price of final consumption in the counterfactual equilibrium.",
        id="duty-who-loses",
    )


def _redirected(case: Case, story: Story, target: str, third: str) -> Figure:
    changes = [(c, case.goods_change_usd(target, c)) for c in story.world.countries if c != target]
    changes.sort(key=lambda row: -abs(row[1].central))
    frame = pd.DataFrame(
        [(name(c), b.central / 1e9, b.low / 1e9, b.high / 1e9) for c, b in changes[:_SHOWN]],
        columns=["country", "change", "low", "high"],
    )
    gained = sum(b.central for c, b in changes if c != third)
    lost = -dict(changes)[third].central
    return Figure(
        kind="bar",
        title=f"Other markets take {share(gained / lost, 0)} of what is lost",
        subtitle=f"Change of {name(target)}'s goods exports by destination, USD bn a year",
        data=frame,
        x="country",
        y="change",
        low="low",
        high="high",
        unit="USD bn",
        number=NumberFormat(1, sign=True),
        source=source_of(story.world),
        note=BAND_NOTE,
        method="Sum over sectors of counterfactual minus baseline flow at customs value, goods without services.",
        id="duty-redirected",
    )


def _by_sector(case: Case, story: Story, target: str, third: str) -> Figure:
    world = story.world
    delta = (case.solution.flow_cf - world.flow).sel(origin=target)
    there = delta.sel(destination=third).to_numpy() / 1e9
    elsewhere = (
        delta.sel(destination=[c for c in world.countries if c not in (third, target)]).sum("destination").to_numpy()
        / 1e9
    )
    order: list[int] = np.argsort(there)[:10].tolist()
    labels = [display_name(world.sectors[k]) for k in order]
    frame = pd.concat(
        [
            pd.DataFrame({"sector": labels, "where": f"to the {name(third)}", "change": there[order]}),
            pd.DataFrame({"sector": labels, "where": "to all others", "change": elsewhere[order]}),
        ]
    )
    return Figure(
        kind="bar",
        title=f"{labels[0]} lose most in the {name(third)}",
        subtitle=f"Change of {name(target)}'s exports by sector, USD bn a year; the ten largest losses",
        data=frame,
        x="sector",
        y="change",
        series="where",
        layout="grouped",
        sort="none",
        unit="USD bn",
        number=NumberFormat(1, sign=True),
        colours={f"to the {name(third)}": third, "to all others": target},
        source=source_of(world),
        method="Counterfactual minus baseline flow at customs value, central elasticities.",
        id="duty-by-sector",
    )


def _countries(case: Case, story: Story) -> TableBlock:
    table = case.solution.countries_table()
    frame = pd.DataFrame(
        {
            "country": [name(c) for c in table["country"]],
            "welfare_pct": table["welfare_pct"],
            "low": [case.welfare_pct(c).low for c in table["country"]],
            "high": [case.welfare_pct(c).high for c in table["country"]],
            "ev": table["equivalent_variation_usd"] / 1e9,
            "wage": table["real_wage_pct"],
            "exports": 100.0 * (table["exports_cf_usd"] / table["exports_usd"] - 1.0),
            "imports": 100.0 * (table["imports_cf_usd"] / table["imports_usd"] - 1.0),
        }
    ).sort_values("welfare_pct")
    fine, plain = NumberFormat(3, sign=True), NumberFormat(2, sign=True)
    return TableBlock(
        title="Every country under the duty",
        frame=frame,
        source=source_of(story.world),
        headers={
            "country": "Country",
            "welfare_pct": "Real income",
            "low": "5 %",
            "high": "95 %",
            "ev": "Equivalent variation",
            "wage": "Real wage",
            "exports": "Exports",
            "imports": "Imports",
        },
        units={
            "welfare_pct": "%",
            "low": "%",
            "high": "%",
            "ev": "USD bn",
            "wage": "%",
            "exports": "%",
            "imports": "%",
        },
        formats={
            "welfare_pct": fine,
            "low": fine,
            "high": fine,
            "ev": plain,
            "wage": fine,
            "exports": plain,
            "imports": plain,
        },
        note=BAND_NOTE,
        id="duty-countries",
    )
