"""``counterpoise close SCENARIO``: the cheapest package that closes a gap, its price, its proof and its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.faces.cli.options import AsJson, AsOf, Closure, Model, Offline, Output, Seed, Settings, overrides_of
from counterpoise.faces.cli.show import bn, number, print_json, print_table, progress, say, write_table

if TYPE_CHECKING:
    from counterpoise.policy.closing import Closing
    from counterpoise.policy.frontier import Frontier
    from counterpoise.policy.package import LeverUse, Package
    from counterpoise.policy.path import Path as YearlyPath
    from counterpoise.policy.search import InfeasibleError
    from counterpoise.policy.sensitivity import Sensitivity
    from counterpoise.policy.shares import Shares

__all__ = ["close"]

_TABLES = (".csv", ".parquet", ".json")
_BINDING_SHOWN = 12


def close(
    scenario: Annotated[str, typer.Argument(help="Name of a library scenario, or path of a TOML file, with a pair.")],
    target: Annotated[
        str, typer.Option(metavar="SHARE|USD", help="What to close: 20% of the gap, or USD a year as 5bn or 5e9.")
    ] = "20%",
    by: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="By then, 2030 or 2030-12-31: ramps and elasticities of that day; else the long run."
        ),
    ] = None,
    floor: Annotated[
        list[str] | None,
        typer.Option(
            "--floor", metavar="COUNTRY=PCT", help="Least change of real income, as IND=-0.1%; all=...; repeatable."
        ),
    ] = None,
    third_party: Annotated[
        list[str] | None,
        typer.Option(
            "--third-party",
            metavar="COUNTRY=USD",
            help="Most that its sales to the pair may fall a year, as CHN=500mn; all=...; repeatable.",
        ),
    ] = None,
    turnover: Annotated[
        str | None, typer.Option(metavar="USD", help="Least trade of the pair in both directions, as 70bn.")
    ] = None,
    objective: Annotated[str, typer.Option(help="What is cheap: fiscal, welfare or mix (half of each).")] = "fiscal",
    cost: Annotated[
        str, typer.Option(metavar="BOUND", help="Bound of the levers' cost curves: low, central or high.")
    ] = "central",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="LEVER", help="Only this lever or kind of lever; repeatable.")
    ] = None,
    only_scenario: Annotated[
        bool, typer.Option("--only-scenario", help="Only what the scenario names: no other duty or programme.")
    ] = False,
    restraint: Annotated[
        bool, typer.Option("--restraint", help="Add restraint of the other side, such as buying less oil.")
    ] = False,
    obstacles: Annotated[
        str,
        typer.Option(
            metavar="scenario|report",
            help="Obstacles that can be removed: the scenario's, or those that the friction report finds, by sector.",
        ),
    ] = "scenario",
    frontier: Annotated[
        int | None, typer.Option(metavar="N", help="Cost against closure at N points, and what it consists of.")
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(metavar="lever|kind", help="Who closes how much (Shapley); exact to 12, sampled beyond."),
    ] = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="The package under other elasticities: does the order change?")
    ] = False,
    path: Annotated[
        bool, typer.Option("--path", help="A package for every year to --by, or to 2030, with rising targets.")
    ] = False,
    starts: Annotated[int, typer.Option(help="Starting points of the search.")] = 3,
    settings: Settings = None,
    closure: Closure = None,
    model: Model = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
    output: Output = None,
    seed: Seed = 0,
    offline: Offline = False,
) -> None:
    """Find the cheapest package that closes a gap: its cost, the price of the next billion, what binds, and the limit.

    Exit status 4, with the largest closure and what stops it, where no package closes so much.
    """
    from counterpoise.faces.cli.runtime import prepare

    prepare()
    from counterpoise.policy import InfeasibleError, closing_of, day_of, passed_over, target_of
    from counterpoise.scenario import load_scenario, scenario_world

    if attribute is not None and attribute not in ("lever", "kind"):
        raise InputError(
            f"--attribute '{attribute}'{did_you_mean(attribute, ('lever', 'kind'))}; expected lever or kind"
        )
    if starts < 1:
        raise InputError(f"--starts {starts}; expected 1 or more")
    _check_suffix(output)
    day = None if by is None else day_of(by)
    wanted = target_of(target)
    limits: dict[str, Any] = {
        "welfare_floors": _by_country(floor, "--floor", percent=True),
        "third_party_limits": _by_country(third_party, "--third-party", percent=False),
        "turnover_floor_usd": None if turnover is None else target_of(turnover),
        "objective": objective,
    }
    chosen = load_scenario(scenario, overrides=overrides_of(settings, closure=closure, as_of=as_of, model=model))
    world = scenario_world(chosen)
    for words in () if chosen.pair is None else passed_over(chosen, world):
        say(words)
    closing = closing_of(
        chosen,
        world=world,
        by=day,
        only=only,
        only_scenario=only_scenario,
        restraint=restraint,
        cost=cost,
        obstacles=obstacles,
    )
    document: dict[str, Any] = {
        "scenario": chosen.name,
        "by": None if day is None else day.isoformat(),
        "cost_curves": closing.cost,
        "obstacles": obstacles,
    }
    try:
        results = _Results(closing, wanted, limits, starts, seed, frontier, attribute, sensitivity)
    except InfeasibleError as error:
        document = {**_unreachable(error), **document}
        if output is not None and output.suffix == ".json":
            import pandas as pd

            write_table(output, pd.DataFrame(), document=document)
        if as_json:
            print_json(document)
        raise
    yearly: YearlyPath | None = None
    if path:
        from counterpoise.policy import path_to

        same = {k: v for k, v in limits.items() if k != "turnover_floor_usd"}
        with progress("path") as tell:
            yearly = path_to(
                chosen,
                wanted,
                last=2030 if day is None else day.year,
                only_scenario=only_scenario,
                cost=cost,
                obstacles=obstacles,
                progress=lambda k, n: tell("years", k, n),
                **same,
            )
        say(f"path: {len(yearly.mileposts)} years")
    document = results.document() | document
    if yearly is not None:
        document["path"] = yearly.to_json()
    if output is not None:
        _write(output, results, yearly, document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(results, yearly)


class _Results:
    """The package and what was asked beside it."""

    def __init__(
        self,
        closing: Closing,
        target: float,
        limits: dict[str, Any],
        starts: int,
        seed: int,
        points: int | None,
        attribute: str | None,
        sensitivity: bool,
    ) -> None:
        import time

        from counterpoise.policy import elasticity_cases, frontier_of, sensitivity_of, shares_of
        from counterpoise.policy.package import closed_usd_of, package_of

        began = time.perf_counter()
        search = closing.search(**limits, seed=seed)
        closed = closed_usd_of(target, search.programme.gap)
        reached = search.cheapest(closed, starts=starts)
        self.closing = closing
        self.package: Package = package_of(search, reached, closed, began=began)
        self.frontier: Frontier | None = None
        self.shares: Shares | None = None
        self.sensitivity: Sensitivity | None = None
        if points is not None:
            with progress("frontier") as tell:
                self.frontier = frontier_of(search, points, progress=lambda k, n: tell("points", k, n))
        if attribute is not None:
            with progress("attribution") as tell:
                self.shares = shares_of(
                    search,
                    reached.given,
                    by=cast(Literal["lever", "kind"], attribute),
                    seed=seed,
                    progress=lambda k, n: tell("coalitions", k, n),
                )
        if sensitivity:
            cases = elasticity_cases(closing.world)
            with progress("sensitivity") as tell:
                self.sensitivity = sensitivity_of(
                    lambda theta: closing.search(**limits, trade_elasticity=theta, seed=seed),
                    target,
                    cases,
                    progress=lambda k, n: tell("sets of elasticities", k, n),
                )

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON-ready document."""
        out = self.package.to_json()
        if self.frontier is not None:
            out["frontier"] = self.frontier.to_json()
        if self.shares is not None:
            out["attribution"] = self.shares.to_json()
        if self.sensitivity is not None:
            out["sensitivity"] = self.sensitivity.to_json()
        return out


def _unreachable(error: InfeasibleError) -> dict[str, Any]:
    """Return what ``--json`` prints where the target is out of reach."""
    return {
        "status": "unreachable",
        "cost_usd": None,
        "shadow_price": None,
        "max_closure_pct": error.max_closure_pct,
        "kkt_residual": None,
        "seconds": error.seconds,
        "package": [],
        "max_closure_usd": error.max_closure_usd,
        "stops": list(error.stops),
        "message": str(error),
    }


def _by_country(given: Sequence[str] | None, option: str, *, percent: bool) -> dict[str, float]:
    """Return limits by country from ``COUNTRY=NUMBER``; all mistakes at once."""
    from counterpoise.policy import target_of

    out: dict[str, float] = {}
    problems: list[str] = []
    expected = "COUNTRY=PERCENT, as IND=-0.1%" if percent else "COUNTRY=USD, as CHN=500mn"
    for text in given or ():
        name, sign, value = (part.strip() for part in text.partition("="))
        try:
            read = float(value.rstrip("% ")) if percent else target_of(value)
        except (InputError, ValueError):
            read = math.nan
        if not name or not sign or math.isnan(read):
            problems.append(f"'{text}'; expected {expected}")
        elif name in out and out[name] != read:
            problems.append(f"'{name}' is given twice, {out[name]:g} and {read:g}; keep one")
        out[name] = read
    raise_all(InputError, f"{option} cannot be read", problems)
    return out


def _check_suffix(output: Path | None) -> None:
    known = (*_TABLES, ".html", ".xlsx")
    if output is not None and output.suffix and output.suffix not in known:
        raise InputError(
            f"-o {output}: the suffix '{output.suffix}' names no format; expected {', '.join(known)}, or a folder"
        )
    if output is not None and not output.suffix and output.exists() and not output.is_dir():
        raise InputError(f"-o {output} is a file; expected a folder to write into")


def _write(output: Path, results: _Results, yearly: YearlyPath | None, document: dict[str, Any]) -> None:
    """Write what the suffix says; a folder takes every table as CSV."""
    package = results.package
    if output.suffix in _TABLES:
        write_table(output, package.table(), document=document)
        return
    if output.suffix in (".html", ".xlsx"):
        from counterpoise.report.chapters.way_back import way_back_document
        from counterpoise.report.html import write_html
        from counterpoise.report.workbook import write_workbook

        page = way_back_document(
            results.closing, package, results.frontier, results.shares, results.sensitivity, yearly
        )
        (write_html if output.suffix == ".html" else write_workbook)(page, output)
        return
    tables = {"package": package.table(), "welfare": package.welfare_table()}
    if results.frontier is not None:
        tables |= {"frontier": results.frontier.table(), "composition": results.frontier.composition()}
    if results.shares is not None:
        tables["attribution"] = results.shares.table()
    if results.sensitivity is not None:
        tables |= {"sensitivity": results.sensitivity.table(), "sensitivity_levers": results.sensitivity.levers()}
    if yearly is not None:
        tables |= {"path": yearly.table(), "path_levers": yearly.levers()}
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    import pandas as pd

    write_table(output / "package.json", pd.DataFrame(), document=document)


def _show(results: _Results, yearly: YearlyPath | None) -> None:
    package = results.package
    a, b = package.pair
    rows = sorted((use for use in package.uses if use.used), key=lambda use: -use.cost_usd)
    print_table(
        f"The cheapest package: {package.status}, {package.objective.name} cost{_end(results.closing)}",
        ["lever", "kind", "value", "bound", "cost, mn USD a year"],
        [
            [
                use.lever.title or use.lever.id,
                use.lever.kind,
                _value(use, use.value),
                _value(use, use.lever.upper) + (" (binds)" if use.binds == "upper" else ""),
                number(use.cost_usd / 1e6, 1),
            ]
            for use in rows
        ],
        left=2,
    )
    welfare = sorted(package.welfare_pct.items(), key=lambda item: (item[0] not in package.pair, -abs(item[1])))
    print_table(
        "Real income, change against no package",
        ["country", "%"],
        [[country, number(value, 4, sign=True)] for country, value in welfare[:8]],
    )
    if results.frontier is not None:
        print_table(
            "Frontier",
            ["closed, bn USD", "closed, %", "cost, bn USD a year", "average price", "price of the next dollar"],
            [
                [
                    bn(r["closed_usd"]),
                    number(r["closed_pct"], 1),
                    number(r["cost_usd"] / 1e9, 3),
                    number(r["average_price"], 3),
                    number(r["shadow_price"], 3),
                ]
                for r in results.frontier.table().to_dict("records")
            ],
            left=0,
        )
    if results.shares is not None:
        how = "every coalition" if results.shares.values.exact else "sampled orders, standard errors in brackets"
        print_table(
            f"Who closes how much (Shapley, {how})",
            ["player", "closes, mn USD", "costs, mn USD"],
            [
                [
                    str(r["title"]),
                    number(r["closed_usd"] / 1e6, 1, sign=True)
                    + (f" ({number(r['closed_usd_se'] / 1e6, 1)})" if r["closed_usd_se"] else ""),
                    number(r["cost_usd"] / 1e6, 1, sign=True),
                ]
                for r in results.shares.table().to_dict("records")
            ],
        )
    if results.sensitivity is not None:
        print_table(
            "Under other elasticities: the order of the three dearest levers "
            + ("changes" if results.sensitivity.order_changes else "does not change"),
            ["elasticities", "cost, bn USD", "next dollar", "largest closure, %", "rank correlation", "dearest levers"],
            [
                [
                    str(r["elasticities"]),
                    number(r["cost_usd"] / 1e9, 3),
                    number(r["shadow_price"], 3),
                    number(r["max_closure_pct"], 1),
                    number(r["rank_correlation"], 2),
                    str(r["dearest"]),
                ]
                for r in results.sensitivity.table().to_dict("records")
            ],
        )
    if yearly is not None:
        print_table(
            "Path: each year a package of its own, on the base year's trade",
            ["by", "elasticities, % of long run", "target, bn", "closed, bn", "most, bn", "cost, bn", "trade, bn USD"],
            [
                [
                    m.on.isoformat(),
                    number(100 * m.elasticity_share, 0),
                    bn(m.target_usd),
                    bn(m.closed_usd) + ("" if m.reached else " (out of reach)"),
                    bn(m.max_closure_usd),
                    number(m.cost_usd / 1e9, 3),
                    bn(m.turnover_usd),
                ]
                for m in yearly.mileposts
            ],
        )
        if yearly.goal_by is not None:
            typer.echo(
                f"Aim: {bn(yearly.goal_usd)} bn USD of trade by {yearly.goal_by}; "
                f"today's {bn(yearly.turnover_before_usd)}."
            )
    typer.echo(package.summary())
    for stop in package.stops[:_BINDING_SHOWN]:
        typer.echo(f"  - {stop}")
    if len(package.stops) > _BINDING_SHOWN:
        typer.echo(f"  ... and {len(package.stops) - _BINDING_SHOWN} more; --json lists all")
    certificate = {k: v for k, v in asdict(package.certificate).items() if k != "multipliers"}
    said = ", ".join(f"{name} {value:.1e}" for name, value in certificate.items())
    say(
        f"{package.status}: {said}; {package.starts_agreeing} of {package.starts} starts agree; "
        f"{package.solves} equilibria, {package.adjoints} adjoints, {package.seconds:.1f} s"
    )
    if math.isnan(package.next_billion_usd):
        say(f"a further billion of the gap {a}-{b} is out of reach")


def _end(closing: Closing) -> str:
    """Say at which bound the cost curves are taken, where it is not the central one."""
    return "" if closing.cost == "central" else f", cost curves at their {closing.cost} bound"


def _value(use: LeverUse, value: float) -> str:
    return f"{number(value / 1e6, 1)} mn USD" if use.lever.unit.startswith("USD") else f"{number(100 * value, 1)} %"
