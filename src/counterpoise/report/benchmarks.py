"""Speed, measured beside opponents in the same run, after the answers have been shown to agree.

Each case says what is solved, how the answer is checked and who solves it too: the textbook nested loops in NumPy
(wages outside, prices inside, one linear system for spending, after Alvarez and Lucas 2007 and the programs of
Caliendo and Parro), or gegravity where it is installed. Nothing is timed before its answer was checked.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import platform
import resource
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World, WorldMeta
from counterpoise.core.errors import InputError, NotConvergedError, did_you_mean, raise_all
from counterpoise.data import load_world
from counterpoise.data.replication_data import load_caliendo_parro, load_gravity_sample, load_liberation_day
from counterpoise.data.sources import locate_sources
from counterpoise.model import ElasticLabour
from counterpoise.report.replication import canada_japan, conditional_prices, liberation_day_world
from counterpoise.solver import elasticity_draws, gradient, rebase, solve, solve_batch

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BENCHMARKS", "bandwidth", "measure", "nested_loops"]

Numbers = NDArray[np.float64]
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case ready to be run: our run, the check of its answer, an opponent's run (None without one).

    ``sweep_bytes`` is what one evaluation of the equilibrium map must read at the least, ``sweeps`` reads their
    number off an answer; together they give the time that memory alone would take.
    """

    size: str
    run: Run
    check: Callable[[Any], None]
    opponent: Run | None = None
    opponent_name: str = ""
    sweep_bytes: int = 0
    sweeps: Callable[[Any], int] | None = None


def nested_loops(world: World, shock: Shock, *, rtol: float = 1e-9, damping: float = 0.2) -> Numbers:
    """Solve a counterfactual with fixed deficits as a textbook does, in NumPy; return real income hats (N,).

    Parameters
    ----------
    world, shock
        Tariffs and iceberg costs only.
    rtol
        Largest relative excess demand for labour.
    damping
        Share of excess demand by which wages move.

    References
    ----------
    Alvarez and Lucas (2007), Journal of Monetary Economics 54(6); Caliendo and Parro (2015), online appendix.
    """
    flow, rate = world.flow.to_numpy(), world.tariff_rate.to_numpy()
    rate_cf, theta = shock.tariff_rate_cf.to_numpy(), world.trade_elasticity.to_numpy()
    gamma, inputs, alpha = (
        getattr(world, k).to_numpy() for k in ("value_added_share", "io_coefficient", "consumption_share")
    )
    n, s = gamma.shape
    paid = flow * (1 + rate)
    share = paid / np.maximum(paid.sum(axis=0), 1e-300)
    kappa = (1 + rate_cf) / (1 + rate) * shock.iceberg_cost_hat.to_numpy()
    value_added = (gamma * flow.sum(axis=1)).sum(axis=1)
    deficit = flow.sum(axis=(0, 2)) - flow.sum(axis=(1, 2))
    wage, price = np.ones(n), np.ones((n, s))
    for _ in range(20_000):
        terms = share
        for _ in range(500):
            cost = np.exp(gamma * np.log(wage)[:, None] + np.einsum("irs,ir->is", inputs, np.log(price)))
            terms = share * (cost[:, None, :] * kappa) ** -theta
            following = terms.sum(axis=0) ** (-1 / theta)
            moved = np.max(np.abs(following / price - 1))
            price = following
            if moved < 0.01 * rtol:
                break
        share_cf = terms / terms.sum(axis=0)
        received = share_cf / (1 + rate_cf)
        spending = _spending(received, inputs, alpha, wage * value_added + deficit)
        demanded = (gamma * np.einsum("ijs,js->is", received, spending)).sum(axis=1)
        excess = demanded / (wage * value_added) - 1
        if np.max(np.abs(excess)) < rtol:
            income = wage * value_added + deficit + (spending * (1 - received.sum(axis=0))).sum(axis=1)
            return income / world.income.to_numpy() / np.exp((alpha * np.log(price)).sum(axis=1))
        wage = wage * (1 + damping * excess)
        wage = wage * value_added.sum() / (wage @ value_added)
    raise NotConvergedError("the nested loops did not converge; take a smaller damping")


def _spending(received: Numbers, inputs: Numbers, alpha: Numbers, earned: Numbers) -> Numbers:
    """Solve the linear system of spending (N, S) at given shares: one dense solve of N * S equations."""
    n, s = alpha.shape
    kept = 1 - received.sum(axis=0)
    system: Numbers = -np.einsum("jsr,jkr->jskr", inputs, received)
    system = system.reshape(n * s, n * s)
    for j in range(n):
        block = slice(j * s, (j + 1) * s)
        system[block, block] -= np.outer(alpha[j], kept[j])
    solved = np.linalg.solve(system + np.eye(n * s), (alpha * earned[:, None]).reshape(-1))
    return solved.astype(np.float64).reshape(n, s)


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


def _dense(world: World, shock: Shock, *, opponent: bool, closure: str = "fixed_nominal") -> Prepared:
    """Return the case of one counterfactual of a dense world, from the call to the labelled result."""

    def run() -> Solution:
        solution = solve(world, shock, closure=closure)
        _ = solution.welfare_hat
        return solution

    def other() -> Numbers:
        return nested_loops(world, shock)

    n, s = len(world.countries), len(world.sectors)
    return Prepared(
        size=f"{n} x {s}",
        run=run,
        check=_agrees(other) if opponent else _converged,
        opponent=other if opponent else None,
        opponent_name="nested loops, NumPy" if opponent else "",
        sweep_bytes=8 * (3 * n * n * s + 2 * n * s * s),
        sweeps=lambda solution: solution.iterations,
    )


def _duty(world: World) -> Shock:
    return Shock.none(world).with_tariff(0.5, origin="IND", destination="USA", add=True)


def _embedded(_: Path | None) -> Prepared:
    world = load_world()
    return _dense(world, _duty(world), opponent=True)


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
    return _dense(world, Shock(world, tariff_rate_cf=data.tariff_rate_cf), opponent=True)


def _wiod(sources: Path | None) -> Prepared:
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
    return _dense(world, _duty(world), opponent=False)


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

    opponent = _gegravity(sample.table, regressors) if importlib.util.find_spec("gegravity") else None
    return Prepared(
        "30 x 1", lambda: conditional_prices(world, shock), check, opponent, "gegravity" if opponent else ""
    )


def _gegravity(table: pd.DataFrame, regressors: Sequence[str]) -> Run:
    """Return gegravity's own run of the same counterfactual, its estimate made beforehand."""
    import pandas as pd

    made: Any = importlib.import_module("gegravity")
    columns = {"imp": "importer", "exp": "exporter", "year": "year", "trade": "trade", "expend": "E", "output": "Y"}
    fitted = made.BaselineData(table, **{f"{key}_var_name": name for key, name in columns.items()})
    published = pd.DataFrame(
        {"var": regressors, "coeff": [-0.3898623, 0.891577, 0.0326249, 0.4711383, -3.412584], "ste": 0.0}
    )
    coefficients = made.CostCoeffs(published, identifier_col="var", coeff_col="coeff", stderr_col="ste")

    def run() -> object:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model = made.OneSectorGE(
                fitted,
                year="2006",
                cost_coeff_values=coefficients,
                cost_variables=list(regressors),
                sigma=5,
                reference_importer="DEU",
            )
            model.build_baseline(omr_rescale=100)
            experiment = model.baseline_data.copy()
            pair = experiment["exporter"].isin(["CAN", "JPN"]) & experiment["importer"].isin(["CAN", "JPN"])
            experiment.loc[pair & (experiment["exporter"] != experiment["importer"]), "pta"] = 1
            model.define_experiment(experiment)
            model.simulate()
            return model

    return run


BENCHMARKS: Mapping[str, tuple[Callable[[Path | None], Prepared], str, float]] = {
    "embedded": (_embedded, "embedded world, one counterfactual, call to labelled result", 10.0),
    "gradient": (_gradient, "embedded world, one outcome to all tariffs", float("nan")),
    "draws": (_draws, "embedded world, 1,000 draws of all elasticities", 3000.0),
    "caliendo-parro-2015": (_caliendo_parro, "NAFTA tariffs, one counterfactual", 10.0),
    "wiod-2011": (_wiod, "WIOD 2011, one counterfactual", 15.0),
    "liberation-day-ek": (_liberation_day, "194 countries, scale economies, elastic labour", 5.0),
    "gegravity-2006": (_gravity, "agreement CAN-JPN, conditional equilibrium", float("nan")),
}
"""Cases: how to prepare them, what they are, and the time aimed at in milliseconds on two cores."""


def measure(
    names: Sequence[str] | None = None,
    sources: Path | None = None,
    *,
    repeats: int = 7,
    progress: Callable[[str, int, int], None] | None = None,
) -> pd.DataFrame:
    """Run benchmarks, each checked before it is timed.

    Parameters
    ----------
    names
        Cases of `BENCHMARKS`; all by default.
    sources
        Folder of the raw sources, for the published cases.
    repeats
        Timed runs of ours, of which the median counts; opponents run once or twice.
    progress
        Called with a case, cases done and cases in all.

    Returns
    -------
    One row per case: case, what, size, first_ms (compiling included), warm_ms, aim_ms, opponent, opponent_ms, ratio,
    sweeps, memory_bound_ms (bytes the sweeps must read over the measured bandwidth), peak_mb of the process, machine.

    Raises
    ------
    InputError
        If a case is unknown.
    NotConvergedError
        If an answer is not what it must be.
    """
    import pandas as pd

    wanted = list(BENCHMARKS) if names is None else list(names)
    unknown = [
        f"unknown benchmark '{name}'{did_you_mean(name, BENCHMARKS)}" for name in wanted if name not in BENCHMARKS
    ]
    raise_all(InputError, f"nothing to measure; known are {', '.join(BENCHMARKS)}", unknown)
    speed = bandwidth()
    rows: list[dict[str, object]] = []
    for done, name in enumerate(wanted):
        if progress is not None:
            progress(name, done, len(wanted))
        prepare, what, aim = BENCHMARKS[name]
        rows.append({"case": name, "what": what, **_timed(prepare(sources), repeats, speed), "aim_ms": aim})
    frame = pd.DataFrame(rows)
    frame["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    frame["machine"] = f"{platform.machine()}, {np.round(speed / 1e9, 1)} GB/s read"
    return frame


def _timed(case: Prepared, repeats: int, speed: float) -> dict[str, object]:
    """Check, then time; milliseconds."""
    began = time.perf_counter()
    answer = case.run()
    first = time.perf_counter() - began
    case.check(answer)
    warm = _median(case.run, repeats)
    other = _median(case.opponent, 2) if case.opponent is not None else float("nan")
    sweeps = case.sweeps(answer) if case.sweeps is not None else 0
    return {
        "size": case.size,
        "first_ms": 1e3 * first,
        "warm_ms": 1e3 * warm,
        "opponent": case.opponent_name,
        "opponent_ms": 1e3 * other,
        "ratio": other / warm,
        "sweeps": sweeps,
        "memory_bound_ms": 1e3 * sweeps * case.sweep_bytes / speed if sweeps else float("nan"),
    }


def _median(run: Run, repeats: int) -> float:
    """Return the median wall time of a run, seconds."""
    taken: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def bandwidth(megabytes: int = 256) -> float:
    """Measure how fast one core reads memory, bytes a second."""
    array = np.ones(megabytes * 2**17)
    return array.nbytes / min(_median(array.sum, 3), _median(array.sum, 3))
