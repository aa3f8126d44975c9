"""The registry of benchmark cases: what is solved, how its answer is checked, who solves it too."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World, WorldMeta
from counterpoise.core.errors import NotConvergedError
from counterpoise.core.products import ProductShock
from counterpoise.data import load_world
from counterpoise.data.replication_data import load_caliendo_parro, load_gravity_sample, load_liberation_day
from counterpoise.data.sources import locate_sources
from counterpoise.model import ElasticLabour
from counterpoise.report.bench.opponents import gegravity_run, nested_loops, scipy_root
from counterpoise.report.bench.policy import prepare_frontier, prepare_nash, prepare_optimum, prepare_package
from counterpoise.report.bench.prepared import Prepared
from counterpoise.report.bench.store import prepare_cold, prepare_import, prepare_warm
from counterpoise.report.replication import canada_japan, conditional_prices, liberation_day_world
from counterpoise.solver import elasticity_draws, gradient, rebase, solve, solve_batch
from counterpoise.solver.lanes import device
from counterpoise.solver.products import ProductSolution, solve_products

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BENCHMARKS"]

Numbers = NDArray[np.float64]


def _agrees(expected: Callable[[], Numbers], rtol: float = 1e-6) -> Callable[[Solution], None]:
    """Return a check that real income agrees with another program's, evaluated once."""

    def check(solution: Solution) -> None:
        gap = np.max(np.abs(solution.values["welfare_hat"] / expected() - 1))
        if not (solution.converged and gap < rtol):
            raise NotConvergedError(
                f"the answers differ by {gap:.2g} relative, expected at most {rtol:g}; nothing is timed"
            )

    return check


def _converged(solution: Solution) -> None:
    if not (solution.converged and solution.max_residual <= 1e-9):
        raise NotConvergedError(f"status {solution.status}, residual {solution.max_residual:.2g}; nothing is timed")


def _dense(
    world: World, shock: Shock, *, opponent: Callable[[World, Shock], Numbers] | None, closure: str = "fixed_nominal"
) -> Prepared:
    """Return the case of one counterfactual of a dense world, from the call to the labelled result."""

    def run() -> Solution:
        solution = solve(world, shock, closure=closure)
        _ = solution.welfare_hat
        return solution

    theirs: list[Numbers] = []

    def other() -> Numbers:
        assert opponent is not None
        theirs.append(opponent(world, shock))
        return theirs[-1]

    def expected() -> Numbers:
        return theirs[-1] if theirs else other()

    n, s = len(world.countries), len(world.sectors)
    return Prepared(
        size=f"{n} x {s}",
        run=run,
        check=_agrees(expected) if opponent is not None else _converged,
        opponent=other if opponent is not None else None,
        opponent_name="" if opponent is None else _OPPONENTS[opponent.__name__],
        sweep_bytes=8 * (3 * n * n * s + 2 * n * s * s),
        sweeps=lambda solution: solution.iterations,
    )


def _duty(world: World) -> Shock:
    return Shock.none(world).with_tariff(0.5, origin="IND", destination="USA", add=True)


def _embedded(_: Path | None) -> Prepared:
    world = load_world()
    return _dense(world, _duty(world), opponent=nested_loops)


def _gradient(_: Path | None) -> Prepared:
    world = load_world()
    solution = solve(world, _duty(world), rtol=1e-12)

    def check(found: Any) -> None:
        step, cell = 1e-5, {"origin": "IND", "destination": "USA", "sector": "textiles_apparel"}
        ends = [solve(world, solution.shock.with_tariff(h, **cell, add=True), rtol=1e-13) for h in (step, -step)]
        slope = (float(ends[0].welfare_hat.sel(country="IND")) - float(ends[1].welfare_hat.sel(country="IND"))) / (
            2 * step
        )
        gap = abs(float(found.tariff_rate_cf.sel(cell)) / slope - 1)
        if gap > 1e-5:
            raise NotConvergedError(f"the gradient misses the finite difference by {gap:.2g}; nothing is timed")

    return Prepared(
        size=f"{solution.world.flow.size} tariffs",
        run=lambda: gradient(solution, ("welfare_hat", "IND")),
        check=check,
        opponent=lambda: solve(world, _duty(world)),
        opponent_name="one solve",
    )


def _draws(_: Path | None) -> Prepared:
    world = load_world()
    shock, drawn = _duty(world), elasticity_draws(world, 1000, seed=1)

    def check(batch: Any) -> None:
        alone = solve(world.with_changes(trade_elasticity=drawn[7]), shock)
        if abs(float(batch.data["welfare_hat"][7, 0]) / float(alone.welfare_hat[0]) - 1) > 1e-8:
            raise NotConvergedError("a draw differs from its own solve; nothing is timed")

    return Prepared("1,000 draws", lambda: solve_batch(world, shock, trade_elasticity=drawn), check)


def _caliendo_parro(sources: Path | None) -> Prepared:
    data = load_caliendo_parro(sources)
    world = rebase(data.world, "zero")
    return _dense(world, Shock(world, tariff_rate_cf=data.tariff_rate_cf), opponent=nested_loops)


def _wiod_world(sources: Path | None) -> World:
    import pandas as pd

    flows = pd.read_parquet(locate_sources(sources).path("wiod_flows"))
    flows["value"] = flows["value"].astype(np.float64).clip(lower=0.0) * 1e6
    countries, sectors = sorted(flows["origin"].unique()), sorted(flows["industry"].unique())
    n, s = len(countries), len(sectors)

    def cube(columns: list[str], labels: list[list[str]], rows: pd.DataFrame) -> Numbers:
        codes = [pd.Categorical(rows[c], categories=names).codes for c, names in zip(columns, labels, strict=True)]
        flat = np.ravel_multi_index([c.astype(np.intp) for c in codes], [len(names) for names in labels])
        summed = np.bincount(flat, rows["value"].to_numpy(), int(np.prod([len(names) for names in labels])))
        return summed.astype(np.float64)

    flow = cube(["origin", "destination", "industry"], [countries, countries, sectors], flows).reshape(n, n, s)
    used = flows[flows["use"].isin(sectors)]
    inputs = cube(["destination", "industry", "use"], [countries, sectors, sectors], used).reshape(n, s, s)
    output = flow.sum(axis=1)
    coefficient = inputs / np.where(output > 0, output, 1.0)[:, None, :]
    coefficient = coefficient * np.minimum(1.0, 0.95 / np.maximum(coefficient.sum(axis=1), 0.95))[:, None, :]
    world = World.from_arrays(
        countries=countries,
        sectors=sectors,
        flow=flow,
        io_coefficient=coefficient,
        trade_elasticity=5.0,
        meta=WorldMeta(name="WIOD 2011", notes=("Negative inventories are cut; inputs are at most 95 % of output.",)),
    )
    return world


def _wiod(sources: Path | None) -> Prepared:
    world = _wiod_world(sources)
    return _dense(world, _duty(world), opponent=scipy_root)


def _wiod_batch(sources: Path | None) -> Prepared:
    """Prepare 64 draws on a processor, 4,096 on a GPU."""
    world = _wiod_world(sources)
    drawn = elasticity_draws(world, 64 if device()[0] == "cpu" else 4096, seed=2)
    shock = _duty(world)

    def check(batch: Any) -> None:
        if float(np.max(batch.violation)) > 1e-9:
            raise NotConvergedError("a draw is not an equilibrium; nothing is timed")

    n, s = len(world.countries), len(world.sectors)
    return Prepared(
        size=f"{len(drawn):,} of {n} x {s}",
        run=lambda: solve_batch(world, shock, trade_elasticity=drawn, closure="fixed_nominal"),
        check=check,
        sweep_bytes=8 * (3 * n * n * s + 2 * n * s * s),
        sweeps=lambda batch: int(np.sum(batch.iterations)),
        most_repeats=2,
    )


def _large(_: Path | None) -> Prepared:
    """Draw a world of the size of the OECD's tables: 81 countries, 50 sectors, gravity with input-output links."""
    rng, n, s = np.random.default_rng(81), 81, 50
    size, place = rng.lognormal(0.0, 1.0, (n, s)), rng.random((n, 2))
    distance = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    flow = size[:, None, :] * size.sum(axis=1)[None, :, None] * np.exp(-4.0 * distance)[:, :, None]
    inputs = rng.dirichlet(np.full(s, 0.5), (n, s)).transpose(0, 2, 1) * 0.45
    spent, used = flow.sum(axis=0), np.einsum("jsr,jr->js", inputs, flow.sum(axis=1))
    flow[np.arange(n), np.arange(n)] += 0.1 * spent + 2.0 * np.linalg.solve(
        np.eye(s) - inputs, np.maximum(used - spent, 0.0)[:, :, None]
    ).reshape(n, s)
    world = World.from_arrays(
        countries=[f"C{k:02d}" for k in range(n)],
        sectors=[f"S{k:02d}" for k in range(s)],
        flow=flow,
        io_coefficient=inputs,
        trade_elasticity=rng.uniform(2.0, 9.0, s),
        meta=WorldMeta(name="random, 81 x 50"),
    )
    return _dense(world, Shock.none(world).with_tariff(0.5, origin="C00", destination="C01"), opponent=None)


def _all_countries(sources: Path | None) -> Prepared:
    """Prepare all countries of BACI in one sector: 2024, and 2023 for importers it lacks.

    Domestic sales are GDP less exports, at least a tenth of the larger of GDP and imports; without GDP, of four times
    the imports.
    """
    import pandas as pd

    from counterpoise.data.baci import load_totals_2023, open_baci
    from counterpoise.data.baci import totals as totals_of
    from counterpoise.data.gdp import load_gdp

    found = locate_sources(sources)
    recent, before, gdp = totals_of(open_baci(found)), load_totals_2023(found), load_gdp(found)
    totals = pd.concat([recent, before[~before["importer"].isin(recent["importer"])]], ignore_index=True)
    names = sorted({*totals["exporter"], *totals["importer"]})
    place = {name: k for k, name in enumerate(names)}
    n = len(names)
    flow = np.zeros((n, n, 1))
    flow[totals["exporter"].map(place), totals["importer"].map(place), 0] = totals["value_usd"]
    exports, imports = flow.sum(axis=(1, 2)), flow.sum(axis=(0, 2))
    made = np.maximum(gdp.reindex(names).to_numpy(), 0.0)
    made = np.where(np.isfinite(made), made, 4.0 * imports)
    flow[np.arange(n), np.arange(n), 0] = np.maximum(made - exports, 0.1 * np.maximum(made, imports))
    world = World.from_arrays(
        countries=names, sectors=["all"], flow=flow, trade_elasticity=4.0, meta=WorldMeta(name="BACI 2024, one sector")
    )
    return _dense(world, _duty(world), opponent=None)


def _products(sources: Path | None) -> Prepared:
    from counterpoise.data.product_world import load_product_world

    base = load_product_world(sources)
    shock = ProductShock.none(base).with_tariff(0.5, origin="IND", destination="USA", add=True)

    def check(found: ProductSolution) -> None:
        if found.max_residual > 1e-9:
            raise NotConvergedError(f"residual {found.max_residual:.2g}; nothing is timed")

    # Three maps: a value of 8 bytes and a position of 4 for every line.
    return Prepared(
        size=f"{len(base.flow):,} lines, {len(base.products):,} products",
        run=lambda: solve_products(base, shock),
        check=check,
        sweep_bytes=3 * 12 * len(base.flow),
        sweeps=lambda found: found.iterations,
        most_repeats=2,
    )


_FRESH = """
from counterpoise.faces.cli.runtime import prepare
prepare()
import counterpoise as cp
world = cp.load_world()
shock = cp.Shock(world).with_tariff(0.5, origin="IND", destination="USA", add=True)
print(repr(float(cp.solve(world, shock).welfare_hat.sel(country="IND"))))
"""


def _fresh(_: Path | None) -> Prepared:
    """Prepare a process of its own, whose cache of compiled equilibria an earlier one has filled."""
    world = load_world()
    expected = float(solve(world, _duty(world)).welfare_hat.sel(country="IND"))

    def run() -> float:
        done = subprocess.run([sys.executable, "-c", _FRESH], check=True, capture_output=True, text=True)
        return float(done.stdout)

    def check(found: float) -> None:
        if abs(found / expected - 1) > 1e-9:
            raise NotConvergedError(f"another process finds {found}, this one {expected}; nothing is timed")

    return Prepared("24 x 25", run, check, most_repeats=3)


_OPPONENTS = {"nested_loops": "nested loops, NumPy", "scipy_root": "SciPy, newton_krylov"}


def _liberation_day(sources: Path | None) -> Prepared:
    data = load_liberation_day(sources)
    world = liberation_day_world(data)
    rate = np.zeros((len(data.countries), len(data.countries), 1))
    rate[:, data.countries.index("USA"), 0] = data.us_tariff_rate
    shock, labour = Shock(world, tariff_rate_cf=rate), ElasticLabour(0.5, rebate="income_tax_relief")
    n = len(world.countries)
    return Prepared(
        size=f"{n} x 1",
        run=lambda: solve(world, shock, labour=labour),
        check=_converged,
        sweep_bytes=8 * 3 * n * n,
        sweeps=lambda solution: solution.iterations,
    )


def _gravity(sources: Path | None) -> Prepared:
    from counterpoise.estimate import estimate_gravity

    regressors = ("lndist", "contiguity", "common_language", "pta", "international")
    sample = load_gravity_sample(sources)
    estimate = estimate_gravity(sample.table, dependent="trade", regressors=regressors)
    world, shock = canada_japan(sample, estimate)

    def check(found: Any) -> None:
        price = found[0] / found[1].consumer_price_hat.to_numpy()[world.countries.index("DEU")]
        change = 100 * (price[world.countries.index("CAN")] - 1)
        if abs(change - -0.135770) > 1e-5:
            raise NotConvergedError(
                f"Canada's factory price moves by {change:.6f} %, published -0.135770; nothing is timed"
            )

    opponent = gegravity_run(sample.table, regressors) if importlib.util.find_spec("gegravity") else None
    return Prepared(
        "30 x 1", lambda: conditional_prices(world, shock), check, opponent, "gegravity" if opponent else ""
    )


BENCHMARKS: Mapping[str, tuple[Callable[[Path | None], Prepared], str, float]] = {
    "embedded": (_embedded, "embedded world, one counterfactual, call to labelled result", 10.0),
    "gradient": (_gradient, "embedded world, one outcome to all tariffs", float("nan")),
    "draws": (_draws, "embedded world, 1,000 draws of all elasticities", 3000.0),
    "caliendo-parro-2015": (_caliendo_parro, "NAFTA tariffs, one counterfactual", 10.0),
    "wiod-2011": (_wiod, "WIOD 2011, one counterfactual", 15.0),
    "wiod-batch": (_wiod_batch, "WIOD 2011, draws of all elasticities", float("nan")),
    "random-81x50": (_large, "a random world of the size of the OECD's tables", float("nan")),
    "baci-226x1": (_all_countries, "all countries of BACI, one sector", float("nan")),
    "liberation-day-ek": (_liberation_day, "194 countries, scale economies, elastic labour", 5.0),
    "gegravity-2006": (_gravity, "agreement CAN-JPN, conditional equilibrium", float("nan")),
    "fresh-process": (_fresh, "first call of a fresh process, warm cache of compiled code", 3000.0),
    "store-import": (prepare_import, "BACI 2024 by HS6, checked and put into the trade store", 60_000.0),
    "store-cold": (prepare_cold, "a pair and its products from the trade store, a new process", 2000.0),
    "store-warm": (prepare_warm, "a pair and its products from the trade store, open", 300.0),
    "package": (prepare_package, "the flagship's cheapest package, its limit and the next billion", 3000.0),
    "frontier": (prepare_frontier, "the flagship's frontier, cost against closure", 20_000.0),
    "optimal-tariffs": (prepare_optimum, "the tariffs of the United States that serve it best", 2000.0),
    "nash-ossa-2014": (prepare_nash, "trade war of seven regions in 33 sectors", 10_000.0),
    "products": (_products, "duty on single HS6 lines, all countries, after loading", 10_000.0),
}
"""Cases: how to prepare them, what they are, and the time aimed at in milliseconds on two cores."""
