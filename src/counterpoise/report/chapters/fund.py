"""The chapter on the technology fund: where the money goes, what it brings, and what else it could do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from counterpoise.policy.fund_options import precedents
from counterpoise.report.chapters.words import bn, name, pct, source_of
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure
from counterpoise.report.numbers import NumberFormat

if TYPE_CHECKING:
    from counterpoise.policy.fund import FundResult

__all__ = ["fund_section"]

_MILLIONS = NumberFormat(0)
_RETURN = NumberFormat(2)
_SIGNED = NumberFormat(2, sign=True)
_LEVERS = 4
"""Levers of each kind that the table shows."""

_GOALS = {
    "welfare": "real income of both",
    "gap": "the closing of the gap",
    "mix": "a mix of real income and the closing of the gap",
}


def fund_section(result: FundResult) -> Section:
    """Return the chapter on a fund.

    Parameters
    ----------
    result
        The allocation, with its rankings, draws and levers.
    """
    return Section(
        id="fund",
        title=_title(result),
        prose=_prose(result),
        callout=(
            "The returns are assumptions, not findings: what a USD of research saves is measured for private firms and"
            " nearly unknown for a fund run by two governments. What the model adds is who gains, and which sectors"
            " serve which aim."
        ),
        figures=tuple(f for f in (_spending(result), _two_aims(result)) if f is not None),
        tables=(_levers(result), _precedents(result)),
    )


def _line(country: str, sector: str) -> str:
    return f"{name(country)}: {name(sector)}"


def _title(result: FundResult) -> str:
    if result.spent_usd <= 0:
        return "A technology fund would put its money nowhere: no line serves this aim"
    gain = sum(result.gains_usd.values())
    return (
        f"A technology fund of {bn(result.spent_usd)} adds {bn(gain, 2)} a year to real income and closes"
        f" {pct(100.0 * result.gap_closed_usd / result.before.gap_cf_usd(*result.pair), 2)} of the gap"
    )


def _prose(result: FundResult) -> tuple[str, ...]:
    a, b = (name(c) for c in result.pair)
    gains, costs = result.gains_usd, result.costs_usd
    net = sum(gains.values()) - sum(costs.values())
    free = [s for s in result.statuses() if s == "free"]
    funded = result.allocation_table().query("spend_usd > 0")
    best = [_line(str(r["country"]), str(r["sector"])) for r in funded.head(3).to_dict("records")]
    where = f"Most goes to {'; '.join(best)}. " if best else ""
    paid = (
        "taxes of both, their excess burden counted"
        if result.finance.source == "budgets"
        else f"the balance of {a} that is stuck in {b}, which can be spent only there"
    )
    paragraphs = [
        (
            f"The fund is spent once, for {_GOALS[result.goal]}, and works every year. {where}At mean returns real"
            f" income rises by {bn(gains[result.pair[0]], 2)} a year in {a} and {bn(gains[result.pair[1]], 2)} in {b};"
            f" it is paid from {paid}, at {bn(sum(costs.values()), 2)} a year, which leaves {bn(net, 2, sign=True)}."
        ),
        (
            f"The next USD would bring {result.multiplier:.3f} USD a year of this aim, the same in each of the"
            f" {len(free)} lines that are neither at a bound nor left out; marginal returns agree to"
            f" {result.kkt_residual:.0e} of it. They are exact derivatives of the world's equilibrium."
        ),
        (
            "What serves real income and what closes the gap are not the same sectors: the correlation of the two"
            f" rankings is {_SIGNED.text(result.rank_correlation)}. Better technology in {b} also makes it richer, and"
            " so it buys more abroad; what closes the gap is output that takes the place of imports, or draws workers"
            f" of {a} out of what it sells to {b}."
        ),
    ]
    if result.risk.draws > 1:
        share = pct(100.0 * result.risk.tail, 0)
        aim = "largest mean" if result.risk.measure == "mean" else f"best mean of the worst {share} of the draws"
        paragraphs.append(
            f"Returns are uncertain. Over {result.risk.draws} draws the aim comes to {bn(result.mean_usd, 2)} a year on"
            f" average and to {bn(result.low_usd, 2)} in the worst {share}; the money is spread for the {aim}."
            + _caution_words(result)
        )
    if result.excluded:
        left = ", ".join(name(s) for s in result.excluded)
        paragraphs.append(
            f"Left out of every recommendation: {left}. They hold dual-use goods of the Common High Priority List,"
            " which money for a whole sector could not avoid."
        )
    return tuple(paragraphs)


def _caution_words(result: FundResult) -> str:
    """Say what spreading the money for the low tail instead would give up and win."""
    cautious = result.cautious
    if cautious is None:
        return " What caution would do, *counterpoise fund --risk low* shows." if result.risk.measure == "mean" else ""
    moved = float(abs(cautious.spend_usd - result.spend_usd).sum()) / 2.0
    return (
        f" Spread for the worst {pct(100.0 * result.risk.tail, 0)} instead, {bn(moved, 2)} of it would move to other"
        f" lines, and the aim would come to {bn(cautious.mean_usd, 3)} on average and {bn(cautious.low_usd, 3)} in the"
        " worst draws."
    )


def _spending(result: FundResult) -> Figure | None:
    """Return who gets how much: as chosen, for real income alone, for the gap alone."""
    plans = {"welfare": "for real income", "gap": "for the gap"}
    drawn = {words: result.plans[key].spend_usd for key, words in plans.items() if key in result.plans}
    if result.goal in plans:
        drawn[plans[result.goal]] = result.spend_usd
    if not drawn or result.goal == "mix" or result.risk.measure == "low":
        drawn = {"as chosen": result.spend_usd} | drawn
    if result.cautious is not None:
        drawn[f"for the worst {pct(100.0 * result.risk.tail, 0)}"] = result.cautious.spend_usd
    rows = [
        (_line(line.country, line.sector) if not line.name else line.name, words, float(spend[k]) / 1e6)
        for k, line in enumerate(result.lines)
        for words, spend in drawn.items()
        if any(float(other[k]) > 0 for other in drawn.values())
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=["line", "plan", "spend"])
    order = frame.groupby("line")["spend"].max().sort_values(ascending=False).index
    frame = frame.set_index("line").loc[order].reset_index()
    return Figure(
        kind="bar",
        title="One budget, two aims: where the money goes"
        if result.cautious is None
        else "One budget, two aims, and caution: where the money goes",
        subtitle="Spending, USD mn, once",
        data=frame,
        x="line",
        y="spend",
        series="plan",
        layout="grouped",
        sort="none",
        unit="USD mn",
        number=_MILLIONS,
        source=f"{source_of(result.world)} Returns: assumptions with their sources in the documentation, 'The fund'.",
        note="For the mean of the draws; the single aim that was not chosen, at mean returns.",
        method=(
            "Budget maximised over lines with diminishing returns, spillovers to domestic buyers and to the partner;"
            " slopes by one adjoint of the equilibrium, on/off sets by branch and bound."
        ),
        id="fund-spending",
    )


def _two_aims(result: FundResult) -> Figure:
    table = result.ranking_table()
    frame = pd.DataFrame(
        {
            "welfare": table["welfare_return"],
            "gap": table["gap_return"],
            "line": [_line(str(c), str(s)) for c, s in zip(table["country"], table["sector"], strict=True)],
            "country": [name(str(c)) for c in table["country"]],
        }
    )
    return Figure(
        kind="scatter",
        title="The sectors that raise real income are not those that close the gap",
        subtitle="What the first USD of an empty fund brings, USD a year",
        data=frame,
        x="welfare",
        y="gap",
        label="line",
        series="country",
        x_number=_RETURN,
        number=_SIGNED,
        x_title="real income of both, USD a year per USD",
        y_title="gap closed, USD a year per USD",
        unit="USD a year per USD",
        zero=False,
        source=source_of(result.world),
        note="Below zero a line widens the gap.",
        method="Exact derivatives at the equilibrium without a fund, one adjoint for each aim.",
        id="fund-aims",
    )


def _levers(result: FundResult) -> TableBlock:
    """Return the fund beside the best few of every other lever."""
    table = result.lever_table()
    parts = [
        group.sort_values("objective_per_usd", ascending=False).head(1 if kind == "fund" else _LEVERS)
        for kind, group in table.groupby("lever", sort=False)
    ]
    shown = pd.concat(parts)
    frame = pd.DataFrame(
        {
            "lever": shown["lever"].str.capitalize(),
            "origin": [name(str(c)) for c in shown["origin"]],
            "destination": [name(str(c)) for c in shown["destination"]],
            "sector": [name(str(s)) for s in shown["sector"]],
            "welfare": shown["welfare_per_usd"],
            "gap": shown["gap_closed_per_usd"],
        }
    )
    return TableBlock(
        title="The next USD a year, in every lever",
        frame=frame,
        source=source_of(result.world),
        headers={
            "lever": "Lever",
            "origin": "From",
            "destination": "To",
            "sector": "Goods",
            "welfare": "Real income of both, net",
            "gap": "Gap closed",
        },
        units={"welfare": "USD per USD", "gap": "USD per USD"},
        formats={"welfare": _SIGNED, "gap": _SIGNED},
        note=(
            "At the margin of the fund's equilibrium. Fund, tariff cuts and programmes are net of their cost to budgets"
            " and of the excess burden of taxes; the removal of an obstacle is gross, since what it costs is not known:"
            " the number is what could be spent on it."
        ),
        id="fund-levers",
    )


def _precedents(result: FundResult) -> TableBlock:
    rows = [("This fund", "", result.budget_usd / 1e6, "", "")]
    rows += [(p.name, p.year, p.usd / 1e6, p.what, f"{p.source}; confidence: {p.confidence}") for p in precedents()]
    return TableBlock(
        title="How large such sums have been",
        frame=pd.DataFrame(rows, columns=["name", "year", "usd", "what", "source"]),
        source="As named in each row.",
        headers={"name": "Sum", "year": "When", "usd": "Size", "what": "What it was", "source": "Source"},
        units={"usd": "USD mn"},
        formats={"usd": _MILLIONS},
        id="fund-precedents",
    )
