"""``counterpoise simulate SCENARIO``: one equilibrium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.core.errors import InputError, raise_all
from counterpoise.faces.cli.options import AsJson, AsOf, Closure, Model, Offline, Output, Seed, Settings, overrides_of
from counterpoise.faces.cli.show import bn, folder, number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    from counterpoise.core import Solution, World
    from counterpoise.scenario import CompiledScenario, Scenario
    from counterpoise.solver import ClosureComparison

__all__ = ["simulate", "simulation_json"]


def simulate(
    scenario: Annotated[str, typer.Argument(help="Name of a library scenario, or path of a TOML file.")],
    settings: Settings = None,
    closure: Closure = None,
    model: Model = None,
    as_of: AsOf = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME", help="Only the measures of this group; repeatable.")
    ] = None,
    closures: Annotated[
        bool, typer.Option("--closures", help="Solve it under every closure of the deficits, side by side.")
    ] = False,
    equilibria: Annotated[
        int | None,
        typer.Option(
            "--equilibria",
            metavar="STARTS",
            help="Search for several equilibria, which strong scale economies allow, from so many starts.",
        ),
    ] = None,
    mobility: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Tie labour to its sector: 1 is the short run in which no one changes sector, more is less so.",
        ),
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option(metavar="YEARS", help="Trade elasticities as they are so many years after the change; 1 or more."),
    ] = None,
    solver: Annotated[
        str, typer.Option(help="anderson, newton_krylov, or plain as an independent check.")
    ] = "anderson",
    rtol: Annotated[
        float | None, typer.Option(help="Largest relative violation of any equilibrium condition; 1e-9 by default.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Sweeps after which the solver gives up.")] = None,
    as_json: AsJson = False,
    output: Output = None,
    seed: Seed = 0,
    offline: Offline = False,
) -> None:
    """Solve one equilibrium: who gains, who loses, what is traded; with -o, tables and a manifest in a folder."""
    from counterpoise.faces.cli.runtime import prepare
    from counterpoise.scenario import compile_scenario, load_scenario, scenario_world

    target = None if output is None else folder(output)
    overrides = overrides_of(settings, closure=closure, as_of=as_of, model=model)
    if mobility is not None:
        overrides["model.labour_mobility"] = f"{float(mobility)}"
    if horizon is not None:
        overrides["horizon_years"] = f"{float(horizon)}"
    chosen = load_scenario(scenario, overrides=overrides)
    world = scenario_world(chosen)
    compiled = compile_scenario(chosen, world, groups=group)
    prepare()
    from counterpoise.model import labour_of
    from counterpoise.solver import SOLVERS, compare_closures, solve

    known = solver in SOLVERS and max_steps is not None
    chosen_solver = replace(SOLVERS[solver], max_steps=max_steps) if known else solver
    choice = chosen.choice.beyond_world
    if closures and choice.tariffs_alone:
        raise InputError(
            f"--closures has no place beside technology '{choice.technology}', which does not take every closure; "
            "leave it out, or take another technology"
        )
    if equilibria is not None:
        others = {"--closures": closures, "--solver": solver != "anderson", "--max-steps": max_steps is not None}
        raise_all(
            InputError,
            "--equilibria searches with a solver of its own",
            [f"{name} has no place beside it; leave it out" for name, given in others.items() if given],
        )
        _several(chosen, world, compiled, equilibria, seed=seed, rtol=rtol, as_json=as_json, output=output)
        return
    solution = solve(world, compiled.shock, closure=chosen.closure, solver=chosen_solver, model=choice, rtol=rtol)
    compared = None
    if closures:
        labour = labour_of(choice)
        compared = compare_closures(solution.world, solution.shock, solver=chosen_solver, labour=labour, rtol=rtol)
    document = simulation_json(chosen, compiled, solution, compared)
    if target is not None:
        options = {
            "scenario": scenario,
            "set": overrides,
            "groups": group,
            "closures": closures,
            "model": chosen.model.model_dump(exclude_none=True),
            "solver": solver,
            "rtol": rtol,
            "seed": seed,
        }
        _write(target, document, chosen, compiled, solution, options, compared)
        say(f"wrote {target}")
    if as_json:
        print_json(document)
    else:
        _show(chosen, compiled, solution)
        if compared is not None:
            _show_closures(compared, list(dict.fromkeys(_subjects(chosen, solution))))


def _several(
    scenario: Scenario,
    world: World,
    compiled: CompiledScenario,
    starts: int,
    *,
    seed: int,
    rtol: float | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Search for every equilibrium of the scenario, and print or write them side by side."""
    from counterpoise.core.reduction import one_sector_shock, one_sector_world
    from counterpoise.model import labour_of
    from counterpoise.solver import equilibria

    choice, shock = scenario.choice, compiled.shock
    if choice.tariffs_alone:
        raise InputError(f"--equilibria has no place beside technology '{choice.technology}'; take another technology")
    if choice.one_sector:
        whole, world = world, one_sector_world(world, choice)
        shock = one_sector_shock(whole, shock, world, choice)
    found = equilibria(
        world, shock, starts=starts, seed=seed, closure=scenario.closure, labour=labour_of(choice), rtol=rtol or 1e-9
    )
    table = found.table()
    document = {
        "scenario": scenario.name,
        "starts": found.starts,
        "failed": found.failed,
        "unique_by_theory": found.unique_by_theory,
        "equilibria": [
            {"met": met, "max_residual": solution.max_residual, "closure": solution.closure}
            for solution, met in zip(found.solutions, found.met, strict=True)
        ],
        "countries": table.to_dict("records"),
    }
    if output is not None:
        write_table(output / "equilibria.csv", table)
        say(f"wrote {output / 'equilibria.csv'}")
    if as_json:
        print_json(document)
        return
    wide = table.pivot(index="country", columns="equilibrium", values="welfare_pct").loc[list(world.countries)]
    print_table(
        "Real income in every equilibrium that was met, %; the first is nearest to the base year",
        ["country", *(f"no. {number_} ({met} starts)" for number_, met in enumerate(found.met, start=1))],
        [
            [str(c), *(number(float(v), 3, sign=True) for v in row)]
            for c, row in zip(wide.index, wide.to_numpy(), strict=True)
        ],
    )
    say(repr(found))


def simulation_json(
    scenario: Scenario, compiled: CompiledScenario, solution: Solution, compared: ClosureComparison | None = None
) -> dict[str, Any]:
    """Return what ``simulate --json`` prints."""
    facts = solution.facts()
    document: dict[str, Any] = {
        "scenario": scenario.name,
        "as_of": None if compiled.report.as_of is None else compiled.report.as_of.isoformat(),
        **{key: facts[key] for key in ("status", "technology", "closure", "max_residual", "iterations", "seconds")},
        "countries": solution.countries_table().to_dict("records"),
        "pairs": solution.pairs_table().to_dict("records"),
        "measures": compiled.report.records(),
    }
    quotas, levies = solution.quotas_table(), _levies(solution)
    if len(quotas):
        document["quotas"] = quotas.to_dict("records")
    if levies:
        document["levies"] = levies
    if compared is not None:
        document["closures"] = {
            "world": compared.world_table().to_dict("records"),
            "countries": compared.countries_table().to_dict("records"),
        }
    return document


def _write(
    target: Path,
    document: dict[str, Any],
    scenario: Scenario,
    compiled: CompiledScenario,
    solution: Solution,
    options: dict[str, Any],
    compared: ClosureComparison | None,
) -> None:
    """Write the tables as Parquet and CSV, and last the manifest: a folder with a manifest is complete."""
    import pandas as pd

    from counterpoise.data.store import WORLDS, embedded_path
    from counterpoise.report.manifest import run_manifest, write_manifest

    tables = {
        "countries": solution.countries_table(),
        "pairs": solution.pairs_table(),
        "flows": solution.flows_table(),
        "measures": pd.DataFrame(document["measures"]).assign(notes=lambda m: [" ".join(n) for n in m["notes"]]),
        "coverage": compiled.report.coverage_table(),
        "levies": solution.levies_table(),
        "quotas": solution.quotas_table(),
        "resistances": solution.resistances_table(),
    }
    if compared is not None:
        tables |= {"closures": compared.countries_table(), "closures_world": compared.world_table()}
    for name, table in tables.items():
        write_table(target / f"{name}.parquet", table)
        write_table(target / f"{name}.csv", table)
    world = embedded_path(scenario.world) if scenario.world in WORLDS else Path(scenario.world)
    text = scenario.model_dump_json(by_alias=True)
    manifest = run_manifest(
        inputs={"scenario": text.encode(), "world": world.read_bytes()},
        options={**options, "as_of": document["as_of"], "world": scenario.world, "elasticities": scenario.elasticities},
        results={
            **solution.facts(),
            "scenario": json.loads(text),
            "files": sorted(f"{n}.{s}" for n in tables for s in ("csv", "parquet")),
        },
    )
    write_manifest(manifest, target / "manifest.json")


def _show(scenario: Scenario, compiled: CompiledScenario, solution: Solution) -> None:
    report = compiled.report
    day = "" if report.as_of is None else f", on {report.as_of}"
    print_table(
        f"{scenario.title or scenario.name}{day}",
        ["measure", "group", "kind", "mean rate, %", "trade covered, bn USD", "cells"],
        [
            [m.title or m.id, m.group, m.kind, number(100 * m.mean_rate, 1), bn(m.trade_usd), str(m.cells)]
            for m in report.active
        ],
        left=3,
    )
    rows = solution.countries_table().to_dict("records")
    print_table(
        f"What follows: {solution.status}, {solution.technology}, closure {solution.closure}",
        [
            "country",
            "welfare, %",
            "real wage, %",
            "EV, bn USD",
            "exports, bn USD",
            "change",
            "imports, bn USD",
            "change",
            "deficit, bn USD",
            "change",
        ],
        [
            [
                str(r["country"]),
                number(r["welfare_pct"], 3, sign=True),
                number(r["real_wage_pct"], 3, sign=True),
                bn(r["equivalent_variation_usd"], sign=True),
                *(
                    text
                    for name in ("exports", "imports", "deficit")
                    for text in (bn(r[f"{name}_usd"]), bn(r[f"{name}_cf_usd"] - r[f"{name}_usd"], sign=True))
                ),
            ]
            for r in rows
        ],
    )
    _show_levies(solution)
    quotas = solution.quotas_table().to_dict("records")
    if quotas:
        print_table(
            "Quotas, at base-year producer prices",
            [
                "line",
                "sector",
                "limit, bn USD",
                "sold",
                "binds",
                "price rises, %",
                "rent to buyers, bn USD",
                "to sellers",
            ],
            [
                [
                    f"{q['origin']} -> {q['destination']}",
                    str(q["sector"]),
                    bn(q["limit_usd"]),
                    bn(q["volume_usd"]),
                    "yes" if q["binds"] else "no",
                    number(q["wedge_pct"], 2),
                    bn(q["importer_rent_usd"]),
                    bn(q["exporter_rent_usd"]),
                ]
                for q in quotas
            ],
            left=2,
        )
    if scenario.pair is not None:
        a, b = scenario.pair.origin, scenario.pair.destination
        before, after = solution.world.gap_usd(a, b), solution.gap_cf_usd(a, b)
        typer.echo(f"Gap {a} to {b}: {bn(before)} bn USD, then {bn(after)} ({bn(after - before, sign=True)}).")
    for measure in report.active:
        for note in measure.notes:
            say(f"{measure.id}: {note}")
    say(f"{solution.iterations} sweeps, {1000 * solution.seconds:.0f} ms, largest residual {solution.max_residual:.1e}")


def _levies(solution: Solution) -> list[dict[Any, Any]]:
    """Return who has export taxes or quota rents, and what they bring."""
    rows = solution.levies_table().to_dict("records")
    return [r for r in rows if r["export_tax_revenue_cf_usd"] != 0 or r["quota_rent_cf_usd"] != 0]


def _show_levies(solution: Solution) -> None:
    """Show what export taxes and quota rents bring, where there are any."""
    used = _levies(solution)
    names = ("tariff_revenue", "export_tax_revenue", "quota_rent")
    if used:
        print_table(
            "Budgets and rents",
            ["country", "import duties less programmes, bn USD", "export taxes, bn USD", "quota rents, bn USD"],
            [[str(r["country"]), *(bn(r[f"{name}_cf_usd"], sign=True) for name in names)] for r in used],
        )


def _subjects(scenario: Scenario, solution: Solution) -> Iterator[str]:
    """Yield the countries that a comparison is about: the pair, then those whose real income moves most."""
    if scenario.pair is not None:
        yield from (scenario.pair.origin, scenario.pair.destination)
    table = solution.countries_table()
    moved = table["welfare_pct"].abs().sort_values(ascending=False).index[:4]
    yield from (str(c) for c in table.loc[moved, "country"])


def _show_closures(compared: ClosureComparison, countries: list[str]) -> None:
    """Show the closures side by side, and that the world adds up under each."""
    rows = compared.countries_table()
    rows = rows[rows["country"].isin(countries)]
    print_table(
        "The same shock under every closure; 'zero' starts from a world re-based to balanced trade",
        ["closure", "country", "welfare, %", "real wage, %", "deficit, bn USD", "change"],
        [
            [
                str(r["closure"]),
                str(r["country"]),
                number(r["welfare_pct"], 3, sign=True),
                number(r["real_wage_pct"], 3, sign=True),
                bn(r["deficit_usd"]),
                bn(r["deficit_change_usd"], sign=True),
            ]
            for r in rows.to_dict("records")
        ],
        left=2,
    )
    print_table(
        "Does the world add up?",
        ["closure", "sum of deficits / trade", "largest residual", "unpaid under 'own_value_added_share', bn USD"],
        [
            [
                str(r["closure"]),
                f"{r['deficits_sum_relative']:.1e}",
                f"{r['max_residual']:.1e}",
                bn(r["own_value_added_share_gap_usd"], sign=True),
            ]
            for r in compared.world_table().to_dict("records")
        ],
    )
