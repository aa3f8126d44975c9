"""Who solves the same: textbook loops in NumPy, SciPy's root finder, and gegravity where it is installed."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import newton_krylov

from counterpoise.core import Shock, World
from counterpoise.core.errors import NotConvergedError
from counterpoise.core.products import ProductShock, split_world
from counterpoise.report.bench.prepared import Run
from counterpoise.solver.products import conditions

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["gegravity_run", "nested_loops", "scipy_root"]

Numbers = NDArray[np.float64]


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


def scipy_root(world: World, shock: Shock, *, closure: str = "fixed_nominal", rtol: float = 1e-9) -> Numbers:
    """Solve a counterfactual of tariffs with SciPy's Newton-Krylov, equations in NumPy; return real income (N,)."""
    nothing = np.zeros(0, dtype=np.int32)
    lines = split_world(
        world, products=[], product_sector=[], origin=nothing, destination=nothing, product=nothing, flow=np.zeros(0)
    )
    rate = shock.tariff_rate_cf.to_numpy()[lines.origin, lines.destination, lines.product_sector[lines.product]]
    neutral = ProductShock.none(lines)
    changed = ProductShock(lines, rate, neutral.iceberg_cost_hat, neutral.productivity_hat)
    with ThreadPoolExecutor(max_workers=1) as pool:
        start, gap, real_income = conditions(changed, closure, pool)
        found = np.asarray(cast(Any, newton_krylov)(gap, start, f_tol=rtol, method="lgmres"), dtype=np.float64)
        return real_income(found)


def gegravity_run(table: pd.DataFrame, regressors: Sequence[str]) -> Run:
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
