"""``counterpoise fund``: how to spend a joint technology fund, what it brings, and what else the money could do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.faces.cli.options import AsJson, AsOf, Closure, Offline, Output, Seed, Settings, overrides_of
from counterpoise.faces.cli.pages import write_result
from counterpoise.faces.cli.show import bn, number, print_json, print_table, say

if TYPE_CHECKING:
    from counterpoise.policy.fund import FundGoal, FundResult
    from counterpoise.policy.fund_options import FundCase, Precedent

__all__ = ["fund_command"]

_TOP_LEVERS = 4
"""Levers of each kind that are shown."""


def fund_command(
    scenario: Annotated[
        str | None, typer.Argument(help="What else changes: a library scenario, or path of a TOML file; else nothing.")
    ] = None,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option("--pair", metavar="A B", help="The partners; the scenario's, or RUS IND, by default."),
    ] = None,
    budget: Annotated[float, typer.Option(metavar="USD", help="What is spent, once.")] = 1e9,
    objective: Annotated[str, typer.Option(help="welfare, gap (how much of it is closed) or mix.")] = "welfare",
    weight: Annotated[float, typer.Option(help="Of welfare in a mix, 0 to 1.")] = 0.5,
    risk: Annotated[
        str, typer.Option(help="mean of the draws, or low: the mean of the worst --tail of them.")
    ] = "mean",
    tail: Annotated[float, typer.Option(help="Share of the draws in the low tail, between 0 and 1.")] = 0.1,
    draws: Annotated[int, typer.Option(help="Draws of the returns; 1 takes them as certain.")] = 50,
    minimum: Annotated[
        float | None,
        typer.Option(metavar="USD", help="Smallest sum of a line; 0 makes all divisible; 50 mn by default."),
    ] = None,
    finance: Annotated[str, typer.Option(help="budgets of both, or balance: the stuck rupees.")] = "budgets",
    case: Annotated[str, typer.Option(help="low, central or high assumptions.")] = "central",
    sector: Annotated[
        list[str] | None, typer.Option("--sector", metavar="NAME", help="Only this sector; repeatable.")
    ] = None,
    lines_file: Annotated[
        Path | None,
        typer.Option(
            "--lines",
            metavar="FILE",
            help="What can be funded, as a TOML file: tables [[line]] with country, sector, minimum_usd, maximum_usd, "
            "name; several projects may share a sector.",
        ),
    ] = None,
    settings: Settings = None,
    closure: Closure = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
    output: Output = None,
    seed: Seed = 0,
    offline: Offline = False,
) -> None:
    """Spend a technology fund of two partners where it works best, and compare it with every other lever."""
    from counterpoise.data import load_world
    from counterpoise.faces.cli.runtime import prepare
    from counterpoise.scenario import compile_scenario, load_scenario, scenario_world

    prepare()
    from counterpoise.model import labour_of
    from counterpoise.policy.fund import allocate_fund
    from counterpoise.policy.fund_options import Finance, FundRisk, fund_lines, fund_parameters, read_lines

    _check_words(case=case, finance=finance, risk=risk)
    if lines_file is not None and (sector or minimum is not None):
        raise InputError("--lines says what can be funded and how lumpy it is; leave --sector and --minimum out")
    which = cast("FundCase", case)
    shock, labour, chosen = None, None, closure or "fixed_world_share"
    partners = pair
    if scenario is None:
        if settings or as_of:
            raise InputError("--set and --as-of change a scenario, and none was named; name one or leave them out")
        world = load_world()
    else:
        loaded = load_scenario(scenario, overrides=overrides_of(settings, closure=closure, as_of=as_of))
        loaded.choice.require_levers("a fund")
        world, chosen, labour = scenario_world(loaded), loaded.closure, labour_of(loaded.choice)
        shock = compile_scenario(loaded, world).shock
        if partners is None and loaded.pair is not None:
            partners = (loaded.pair.origin, loaded.pair.destination)
    partners = partners or ("RUS", "IND")
    known = all(c in world.countries for c in partners)
    smallest = fund_parameters()["minimum_usd"].at(which) if minimum is None else minimum
    stuck = finance == "balance" and known
    buyer = partners[1] if stuck and world.gap_usd(*partners) >= 0 else partners[0]
    lines = None
    if lines_file is not None:
        lines = read_lines(lines_file)
    elif known:
        lines = fund_lines(world, partners, countries=[buyer] if stuck else None, sectors=sector, minimum_usd=smallest)
    result = allocate_fund(
        world,
        partners,
        budget,
        goal=cast("FundGoal", objective),
        welfare_weight=weight,
        lines=lines,
        risk=FundRisk.shipped(cast(Literal["mean", "low"], risk), which, tail=tail, draws=draws, seed=seed),
        finance=Finance.shipped(cast(Literal["budgets", "balance"], finance), which),
        shock=shock,
        closure=chosen,
        labour=labour,
        case=which,
    )
    document: dict[str, Any] = {
        "scenario": scenario,
        "case": case,
        **result.to_json(),
        "precedents": [asdict(p) for p in _precedents()],
    }
    if output is not None:
        from counterpoise.report.chapters.fund import fund_section

        write_result(
            output,
            result.allocation_table(),
            document,
            section=lambda: fund_section(result),
            dek=f"A technology fund of {result.pair[0]} and {result.pair[1]}.",
            options={"pair": list(result.pair), "budget_usd": budget, "objective": objective, "case": case}
            | {"risk": risk, "draws": draws, "finance": finance, "seed": seed},
        )
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(result)


def _check_words(**given: str) -> None:
    """Refuse unknown words for options that choose one of a few, all at once."""
    allowed = {"case": ("low", "central", "high"), "finance": ("budgets", "balance"), "risk": ("mean", "low")}
    problems = [
        f"--{name} '{word}'{did_you_mean(word, allowed[name])} Expected {', '.join(allowed[name])}"
        for name, word in given.items()
        if word not in allowed[name]
    ]
    raise_all(InputError, "the fund cannot be allocated", problems)


def _show(result: FundResult) -> None:
    a, b = result.pair
    table = result.allocation_table()
    funded = [row for row in table.to_dict("records") if row["spend_usd"] > 0]
    print_table(
        f"Technology fund of {bn(result.budget_usd)} bn USD, {a} and {b}: {result.goal}, {result.risk.measure} of "
        f"{result.risk.draws} draws",
        ["line", "mn USD", "part, %", "return of the next USD, USD a year", "for welfare", "for the gap", "where"],
        [
            [
                str(r["line"]),
                number(r["spend_usd"] / 1e6, 1),
                number(r["part_of_budget_pct"], 1),
                number(r["marginal_return"], 4),
                number(r["marginal_welfare"], 4),
                number(r["marginal_gap"], 4, sign=True),
                str(r["status"]),
            ]
            for r in funded
        ],
    )
    gains, costs = result.gains_usd, result.costs_usd
    print_table(
        "What it brings and costs, mn USD a year",
        ["", a, b, "both"],
        [
            ["real income", *_three(gains[a], gains[b])],
            ["cost to the payers", *_three(-costs[a], -costs[b])],
            ["net", *_three(gains[a] - costs[a], gains[b] - costs[b])],
        ],
    )
    ranking = result.ranking_table().to_dict("records")
    by_gap = sorted(ranking, key=lambda r: int(r["gap_rank"]))
    print_table(
        "First USD of an empty fund: the two objectives rank differently "
        f"(rank correlation {number(result.rank_correlation, 2)})",
        ["by welfare", "for the gap", "USD a year", "rank for the gap", "rank for welfare"],
        [
            [
                str(w["line"]),
                str(g["line"]),
                f"{number(w['welfare_return'], 3)} | {number(g['gap_return'], 3, sign=True)}",
                str(w["gap_rank"]),
                str(g["welfare_rank"]),
            ]
            for w, g in zip(ranking[:10], by_gap[:10], strict=True)
        ],
        left=2,
    )
    _show_plans(result)
    _show_levers(result)
    gap = result.before.gap_cf_usd(a, b)
    typer.echo(
        f"Gap {a} to {b}: {bn(gap)} bn USD, closed by {number(result.gap_closed_usd / 1e6, 1, sign=True)} mn. "
        f"Objective: mean {number(result.mean_usd / 1e6, 1)}, worst {number(100 * result.risk.tail, 0)} % of the draws "
        f"{number(result.low_usd / 1e6, 1)} mn USD a year."
    )
    if not funded:
        say("nothing is funded: the budget reaches no minimum, or every line would do harm")
    if result.excluded:
        say(f"left out, since they hold dual-use goods: {', '.join(result.excluded)}")
    say(
        f"next USD of budget: {result.multiplier:.4g} a year; marginal returns equal to {result.kkt_residual:.1e}; "
        f"{result.sets_compared} on/off sets compared, {result.nodes} nodes, {result.seconds:.1f} s"
    )


def _show_plans(result: FundResult) -> None:
    """Show what the same sum is spent on for each aim, and for the low tail of the draws."""
    plans = {"for welfare": "welfare", "for the gap": "gap"}
    spent = {words: result.plans[name].spend_usd for words, name in plans.items() if name in result.plans}
    if result.cautious is not None:
        spent[f"for the worst {number(100 * result.risk.tail, 0)} % of the draws"] = result.cautious.spend_usd
    if not spent:
        return
    print_table(
        "The same sum by aim, mn USD",
        ["line", "as asked", *spent],
        [
            [line.label, *(number(float(v[k]) / 1e6, 1) for v in (result.spend_usd, *spent.values()))]
            for k, line in enumerate(result.lines)
            if result.spend_usd[k] > 0 or any(v[k] > 0 for v in spent.values())
        ],
    )
    if result.cautious is not None:
        print_table(
            "Mean against the low tail, mn USD a year",
            ["money spread for", "mean of the draws", f"worst {number(100 * result.risk.tail, 0)} %"],
            [
                ["the mean", number(result.mean_usd / 1e6, 1), number(result.low_usd / 1e6, 1)],
                ["the low tail", number(result.cautious.mean_usd / 1e6, 1), number(result.cautious.low_usd / 1e6, 1)],
            ],
        )


def _show_levers(result: FundResult) -> None:
    """Show the fund beside the best few of every other kind of lever."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in result.lever_table().to_dict("records"):
        kinds.setdefault(str(row["lever"]), []).append({str(k): v for k, v in row.items()})
    shown = [
        row
        for kind, rows in kinds.items()
        for row in sorted(rows, key=lambda r: -r["objective_per_usd"])[: 1 if kind == "fund" else _TOP_LEVERS]
    ]
    print_table(
        "Next USD a year in each lever, the best of each kind, USD a year (removals: gross of what they cost)",
        ["lever", "from", "to", "sector", "welfare, net", "gap closed"],
        [
            [
                str(r["lever"]),
                str(r["origin"]),
                str(r["destination"]),
                str(r["sector"]),
                number(r["welfare_per_usd"], 2, sign=True),
                number(r["gap_closed_per_usd"], 2, sign=True),
            ]
            for r in shown
        ],
        left=4,
    )
    print_table(
        "How large such sums have been",
        ["sum", "when", "what it was", "mn USD"],
        [[p.name, p.year, p.what, number(p.usd / 1e6, 0)] for p in _precedents()],
        left=3,
    )


def _precedents() -> Sequence[Precedent]:
    from counterpoise.policy.fund_options import precedents

    return precedents()


def _three(first: float, second: float) -> list[str]:
    return [number(value / 1e6, 1, sign=True) for value in (first, second, first + second)]
