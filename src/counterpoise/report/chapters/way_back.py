"""The way back: the cheapest package in words and numbers, the frontier, who closes how much, and the path."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from counterpoise.report.chapters.words import bn, name, pct, share, source_of
from counterpoise.report.document import Document, Section, TableBlock
from counterpoise.report.figure import Figure, Mark
from counterpoise.report.manifest import run_manifest
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.packages import LARGEST_RATE

if TYPE_CHECKING:
    from counterpoise.policy.closing import Closing
    from counterpoise.policy.frontier import Frontier
    from counterpoise.policy.package import LeverUse, Package
    from counterpoise.policy.path import Path
    from counterpoise.policy.sensitivity import Sensitivity
    from counterpoise.policy.shares import Shares
    from counterpoise.report.packages import OrderAlone, WayBack

__all__ = ["way_back_document", "way_back_headline", "way_back_section"]

KINDS = {
    "tariff cut": "duties cut",
    "purchase programme": "purchases subsidised",
    "obstacle removed": "obstacles removed",
    "export support": "exports supported",
    "line opened": "lines opened",
    "oil restraint": "restraint of the other side",
    "fund": "fund",
}
"""Kinds of levers as words for a legend."""

_OF = {
    "share of the duty": "of the duty",
    "share of the price": "of the price",
    "share of the obstacle": "of it",
    "share of the potential": "of the potential",
}
"""Units of levers as words after a percentage."""

_SHOWN = 12
"""Levers drawn in the attribution; the rest together."""


def way_back_headline(found: WayBack) -> str:
    """Return the answer on the way back in one sentence."""
    package = found.package
    text = ""
    if found.alone is not None:
        text = (
            f"{found.alone.goods} alone close at most {pct(found.alone.max_closure_pct, 0)} of the gap at subsidies of"
            f" up to {share(found.alone.rate, 0)} of their price, for {bn(found.alone.cost_usd)} a year; "
        )
    more = (
        f", the next billion {bn(package.next_billion_usd, 2)} more" if math.isfinite(package.next_billion_usd) else ""
    )
    return (
        f"Way back: {text}with every lever at hand the cheapest package for {pct(package.closed_pct, 0)} costs"
        f" {bn(package.cost_usd, 2)} a year{more}."
    )


def way_back_section(
    closing: Closing,
    package: Package,
    frontier: Frontier | None = None,
    shares: Shares | None = None,
    sensitivity: Sensitivity | None = None,
    yearly: Path | None = None,
    found: WayBack | None = None,
) -> Section:
    """Return the chapter on the way back.

    Parameters
    ----------
    closing, package
        What was asked, and the answer.
    frontier, shares, sensitivity, yearly
        What was asked beside it.
    found
        What the order alone can do, where the scenario has one.
    """
    source = source_of(closing.world)
    figures: list[Figure] = []
    tables = [_package_table(package, source), _welfare_table(package, source)]
    if frontier is not None:
        figures += [_frontier_figure(frontier, package, source), _composition_figure(frontier, source)]
        tables.append(_frontier_table(frontier, source))
    if shares is not None:
        figures.append(_shares_figure(shares, package, source))
    if yearly is not None:
        figures.append(_path_figure(yearly, source))
        tables.append(_path_table(yearly, source))
    if sensitivity is not None:
        tables.append(_sensitivity_table(sensitivity, source))
    return Section(
        id="way-back",
        title=_title(package, found),
        prose=tuple(_prose(closing, package, found)),
        figures=tuple(figures),
        tables=tuple(tables),
    )


def way_back_document(
    closing: Closing,
    package: Package,
    frontier: Frontier | None = None,
    shares: Shares | None = None,
    sensitivity: Sensitivity | None = None,
    yearly: Path | None = None,
) -> Document:
    """Return a page of its own with the chapter; parameters as in `way_back_section`."""
    section = way_back_section(closing, package, frontier, shares, sensitivity, yearly)
    scenario = closing.scenario
    manifest = run_manifest(
        inputs={"scenario": scenario.model_dump_json(by_alias=True).encode()},
        options={
            "scenario": scenario.name,
            "target_usd": package.target_usd,
            "objective": package.objective.name,
            "cost_curves": closing.cost,
            "by": None if closing.on is None else closing.on.isoformat(),
        },
        results={
            "status": package.status,
            "kkt_residual": package.kkt_residual,
            "starts": package.starts,
            "starts_agreeing": package.starts_agreeing,
        },
    )
    return Document(
        title=section.title,
        dek=f"{scenario.title or scenario.name}. Computed on {closing.world.meta.name}.",
        sentences=section.prose[:2],
        sections=(section,),
        manifest=manifest,
    )


def _title(package: Package, found: WayBack | None) -> str:
    if found is not None and found.alone is not None and found.alone.max_closure_pct < 100.0:
        return (
            f"The way back: {found.alone.goods} alone cannot close the gap, at most"
            f" {pct(found.alone.max_closure_pct, 0)} of it at subsidies of up to {share(found.alone.rate, 0)}"
        )
    return f"The way back: {pct(package.closed_pct, 0)} of the gap can be closed for {bn(package.cost_usd, 2)} a year"


def _prose(closing: Closing, package: Package, found: WayBack | None) -> list[str]:
    a, b = (name(code) for code in package.pair)
    out: list[str] = []
    if found is not None and found.alone is not None:
        alone = found.alone
        out.append(
            f"Subsidies for {alone.goods}, raised to {pct(100 * alone.rate, 0)} of their price, close"
            f" **{pct(alone.max_closure_pct, 1)}** of the gap and take {bn(alone.cost_usd, 2)} a year from"
            f" {a}'s budget; the last dollar of it costs {alone.shadow_price:.2f}. {_whole_words(alone, a, b)} With"
            " other goods, duties and the obstacles on the road as well, less is enough, as stands below."
        )
    out.append(
        f"The cheapest package that closes **{bn(package.closed_usd)}** of the gap between {a} and {b}"
        f" ({pct(package.closed_pct, 1)}) costs **{bn(package.cost_usd, 2)}** a year"
        f" ({package.objective.name} cost). The next dollar of the gap costs {package.shadow_price:.2f}"
        + (
            f", the next billion {bn(package.next_billion_usd, 2)}."
            if math.isfinite(package.next_billion_usd)
            else "; a further billion is out of reach."
        )
    )
    used = sorted((use for use in package.uses if use.used), key=lambda use: -use.cost_usd)
    first = "; ".join(f"{use.lever.title or use.lever.id} ({bn(use.cost_usd, 2)})" for use in used[:4])
    out.append(
        f"It moves {len(used)} of {len(package.uses)} levers. What takes most from the budget: {first}. A duty cut and"
        " a subsidy on the same goods are the same thing to the model; the duty goes first."
    )
    out.append(
        f"At most {pct(package.max_closure_pct, 0)} could be closed with these levers at their bounds"
        + (", which would turn the gap round." if package.max_closure_pct > 100 else ".")
        + " The package is certified: the conditions of an optimum hold to"
        f" {package.kkt_residual:.0e}{_agreement(package)}."
        " It is an optimum of the neighbourhood of those starts; that no better one lies elsewhere is not proven."
    )
    if closing.on is not None:
        out.append(
            f"All of this is by {closing.on}, {closing.years:.1f} years on: trade answers less than in the long run,"
            " and no lever reaches further than its ramp."
        )
    if closing.cost != "central":
        out.append(f"What levers cost beside the model is taken at its {closing.cost} bound.")
    return [*out, *package.notes]


def _whole_words(alone: OrderAlone, seller: str, buyer: str) -> str:
    """Say what closing the whole gap with the ordered goods would take."""
    if alone.whole is None:
        return f"To close all of it with them is out of reach even at {share(LARGEST_RATE, 0)} of their price."
    rates = [share(rate, 0) for rate in sorted(alone.whole.rates.values())]
    paid = rates[0] if rates[0] == rates[-1] else f"{rates[0]} to {rates[-1]}"
    return (
        f"To close all of it with them, the budget would have to pay {paid} of their price, {bn(alone.whole.cost_usd)}"
        f" a year, until {seller} bought from {buyer} {alone.whole.multiple:.1f} times what it imports of such goods"
        " from everyone today."
    )


def _agreement(package: Package) -> str:
    """Say how many starts led to the same package; nothing where there was only one."""
    if package.starts == 1:
        return ", reached from one start"
    return f", and {package.starts_agreeing} of {package.starts} starts end at the same cost"


def _package_table(package: Package, source: str) -> TableBlock:
    rows = [
        {
            "lever": use.lever.title or use.lever.id,
            "value": _written(use, use.value),
            "upper": _written(use, use.lever.upper),
            "cost": use.cost_usd / 1e6,
            "binds": {"upper": "upper", "lower": "lower", "": ""}[use.binds],
            "source": use.lever.source
            if use.lever.curve.is_free
            else f"{use.lever.source}; cost: {use.lever.curve.source}",
        }
        for use in sorted(package.uses, key=lambda use: -use.cost_usd)
    ]
    return TableBlock(
        title="The package, lever by lever",
        frame=pd.DataFrame(rows),
        source=source,
        headers={"upper": "At most", "binds": "Bound that binds"},
        units={"cost": "USD mn a year"},
        formats={"cost": NumberFormat(1)},
        note="Cost of a lever: duty forgone and subsidy paid on the trade with the package, and its own curve.",
        id="way-back-package",
    )


def _written(use: LeverUse, value: float) -> str:
    """Write a value with its unit."""
    if use.lever.unit.startswith("USD"):
        return f"{value / 1e6:,.1f} mn USD"
    return f"{100 * value:.1f} % {_OF.get(use.lever.unit, '')}".strip()


def _welfare_table(package: Package, source: str) -> TableBlock:
    rows = sorted(package.welfare_pct.items(), key=lambda item: (item[0] not in package.pair, -abs(item[1])))
    return TableBlock(
        title="Real income with the package",
        frame=pd.DataFrame([{"country": name(c), "welfare": v} for c, v in rows]),
        source=source,
        headers={"country": "Country", "welfare": "Change against no package"},
        units={"welfare": "%"},
        formats={"welfare": NumberFormat(4, sign=True)},
        id="way-back-welfare",
    )


def _frontier_figure(frontier: Frontier, package: Package, source: str) -> Figure:
    table = frontier.table()
    frame = pd.DataFrame({"closed": [0.0, *table["closed_pct"]], "cost": [0.0, *(table["cost_usd"] / 1e9)]})
    last = table.iloc[-1]
    return Figure(
        kind="line",
        title=(
            f"Each further point of the gap costs more: {last['closed_pct']:.0f} % would take"
            f" {last['cost_usd'] / 1e9:.1f} bn a year"
        ),
        subtitle="Cost of the cheapest package, USD bn a year, by share of the gap closed, percent",
        data=frame,
        x="closed",
        y="cost",
        unit="USD bn",
        number=NumberFormat(1),
        x_title="share of the gap closed, %",
        y_title="cost, USD bn a year",
        marks=(Mark(package.closed_pct, "the package above"),),
        source=source,
        method=(
            f"{len(frontier.points)} packages, each the cheapest for its closure; optimality conditions hold to"
            f" {max(p.kkt_residual for p in frontier.points):.0e}."
        ),
        id="way-back-frontier",
    )


def _composition_figure(frontier: Frontier, source: str) -> Figure:
    table = frontier.composition()
    table["words"] = [KINDS.get(str(kind), str(kind)) for kind in table["kind"]]
    table["closed"] = [f"{value:.0f} %" for value in table["closed_pct"]]
    frame = table.groupby(["closed_usd", "closed", "words"], as_index=False, sort=True)["cost_usd"].sum()
    frame["cost"] = (frame["cost_usd"] / 1e9).clip(lower=0.0)
    used = frame.groupby("words")["cost"].sum()
    frame = frame[frame["words"].isin(used[used > 0].index)]
    return Figure(
        kind="bar",
        title="What the package consists of on the way to a larger closure",
        subtitle="What the levers take from the budget, USD bn a year, by share of the gap closed",
        data=frame[["closed", "words", "cost"]],
        x="closed",
        y="cost",
        series="words",
        layout="stacked",
        horizontal=False,
        sort="none",
        unit="USD bn",
        number=NumberFormat(1),
        headers={"closed": "Gap closed", "words": "Kind of lever"},
        source=source,
        note="Without what the package brings to all other revenue, which the cost of the frontier counts.",
        id="way-back-composition",
    )


def _shares_figure(shares: Shares, package: Package, source: str) -> Figure:
    table = shares.table().iloc[:-1]
    found = [
        (str(r["title"]), r["closed_usd"] / 1e9, 1.96 * r["closed_usd_se"] / 1e9) for r in table.to_dict("records")
    ]
    if len(found) > _SHOWN:
        rest = found[_SHOWN:]
        spread = sum(error**2 for *_, error in rest) ** 0.5
        found = [*found[:_SHOWN], (f"{len(rest)} others", sum(value for _, value, _ in rest), spread)]
    rows = [(KINDS.get(title, title), value, value - error, value + error) for title, value, error in found]
    first, most, total = rows[0][0], rows[0][1], package.closed_usd / 1e9
    sampled = not shares.values.exact
    return Figure(
        kind="bar",
        title=f"Who closes the {total:.1f} bn: {most:.1f} bn of it are owed to “{first}”",
        subtitle="Contribution to the closure, USD bn a year (Shapley value)",
        data=pd.DataFrame(rows, columns=["lever", "closed", "low", "high"]),
        x="lever",
        y="closed",
        low="low" if sampled else "",
        high="high" if sampled else "",
        note="Bands: 95 % of what the drawing of orders leaves open." if sampled else "",
        sort="none",
        unit="USD bn",
        number=NumberFormat(2),
        source=source,
        method=(
            ("Every coalition of levers is an equilibrium" if shares.values.exact else "Sampled orders of levers")
            + f", {shares.values.solved} in all; a contribution is the mean over the orders in which levers could come."
        ),
        id="way-back-shares",
    )


def _frontier_table(frontier: Frontier, source: str) -> TableBlock:
    table = frontier.table()
    frame = pd.DataFrame(
        {
            "closed_pct": table["closed_pct"],
            "closed": table["closed_usd"] / 1e9,
            "cost": table["cost_usd"] / 1e9,
            "average": table["average_price"],
            "next": table["shadow_price"],
            "status": table["status"],
        }
    )
    return TableBlock(
        title="The frontier, point by point",
        frame=frame,
        source=source,
        headers={
            "closed_pct": "Gap closed",
            "closed": "Gap closed",
            "cost": "Cost",
            "average": "Cost per dollar closed",
            "next": "Cost of the next dollar",
            "status": "Status",
        },
        units={"closed_pct": "%", "closed": "USD bn a year", "cost": "USD bn a year", "average": "USD", "next": "USD"},
        formats={
            "closed_pct": NumberFormat(1),
            "closed": NumberFormat(2),
            "cost": NumberFormat(3),
            "average": NumberFormat(3),
            "next": NumberFormat(3),
        },
        id="way-back-frontier-table",
    )


def _path_figure(yearly: Path, source: str) -> Figure:
    last = yearly.mileposts[-1]
    missed = [m for m in yearly.mileposts if not m.reached]
    rows = [(yearly.start, 0.0), *((m.on, m.cost_usd / 1e9) for m in yearly.mileposts)]
    share = 100 * last.closed_usd / yearly.gap_usd
    return Figure(
        kind="line",
        title=(
            f"A path to {share:.0f} % by {last.on.year}: the package then closes {last.closed_usd / 1e9:.1f} bn for"
            f" {last.cost_usd / 1e9:.1f} bn a year"
            + ("" if not missed else f"; {len(missed)} of {len(yearly.mileposts)} targets are out of reach")
        ),
        subtitle="Cost of the package of each year, USD bn a year, with targets that rise evenly",
        data=pd.DataFrame(rows, columns=["on", "cost"]),
        x="on",
        y="cost",
        unit="USD bn",
        number=NumberFormat(1),
        marks=tuple(Mark(day, words) for day, words in yearly.milestones),
        source=source,
        method=(
            "Each year is a package of its own on the trade of the base year, with trade elasticities as so many years"
            " after the start and levers as far as their ramps; no growth of the economies is in it."
        ),
        id="way-back-path",
    )


def _path_table(yearly: Path, source: str) -> TableBlock:
    frame = pd.DataFrame(
        [
            {
                "on": m.on.isoformat(),
                "elasticities": 100 * m.elasticity_share,
                "target": m.target_usd / 1e9,
                "closed": m.closed_usd / 1e9,
                "most": m.max_closure_usd / 1e9,
                "cost": m.cost_usd / 1e9,
                "next": m.shadow_price,
                "turnover": m.turnover_usd / 1e9,
            }
            for m in yearly.mileposts
        ]
    )
    goal = (
        "" if yearly.goal_by is None else f"The aim is {yearly.goal_usd / 1e9:g} bn USD of trade by {yearly.goal_by}."
    )
    return TableBlock(
        title="The path, year by year",
        frame=frame,
        source=source,
        headers={
            "on": "By",
            "elasticities": "Elasticities over the long run",
            "target": "Target",
            "closed": "Closed",
            "most": "Largest closure",
            "cost": "Cost",
            "next": "Next dollar",
            "turnover": "Trade both ways",
        },
        units={
            "elasticities": "%",
            "target": "USD bn",
            "closed": "USD bn",
            "most": "USD bn",
            "cost": "USD bn a year",
            "next": "USD",
            "turnover": "USD bn",
        },
        formats={
            "elasticities": NumberFormat(0),
            "cost": NumberFormat(3),
            "next": NumberFormat(3),
            **dict.fromkeys(("target", "closed", "most", "turnover"), NumberFormat(2)),
        },
        note=f"Growth of the two economies is not in these numbers. {goal}".strip(),
        id="way-back-path-table",
    )


def _sensitivity_table(sensitivity: Sensitivity, source: str) -> TableBlock:
    table = sensitivity.table()
    frame = pd.DataFrame(
        {
            "elasticities": table["elasticities"],
            "cost": table["cost_usd"] / 1e9,
            "next": table["shadow_price"],
            "most": table["max_closure_pct"],
            "rank": table["rank_correlation"],
            "dearest": table["dearest"],
        }
    )
    changes = "changes" if sensitivity.order_changes else "does not change"
    return TableBlock(
        title=f"Under other elasticities the order of the three dearest levers {changes}",
        frame=frame,
        source=source,
        headers={
            "elasticities": "Elasticities",
            "cost": "Cost",
            "next": "Next dollar",
            "most": "Largest closure",
            "rank": "Rank correlation of levers' costs",
            "dearest": "Dearest levers",
        },
        units={"cost": "USD bn a year", "next": "USD", "most": "%"},
        formats={
            "cost": NumberFormat(3),
            "next": NumberFormat(3),
            "most": NumberFormat(1),
            "rank": NumberFormat(2),
        },
        id="way-back-sensitivity",
    )
