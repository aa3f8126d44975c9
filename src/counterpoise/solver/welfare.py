r"""Welfare taken apart: the published one-step linearisation, and an exact decomposition along the path to the shock.

For country j, with I = income, p = c times the export factor the price at customs, q = X / p / d what arrives, b the
buyer's price over customs value, e customs value over the producer's, and all differentials along the path (see
``docs/explanation/model.md``)::

    I dlnW =   sum_s [ sum_k X_jks dln p_jks - sum_i X_ijs dln p_ijs ]            terms of trade
             + sum_s sum_i (b_ijs - 1) X_ijs dln q_ijs                            volume of trade: imports,
             + sum_s sum_k (1 - 1 / e_jks) X_jks (dln q_jks + dln d_jks)            and exports
             - sum_s sum_i X_ijs dln d_ijs                                        trade technology
             + sum_s Y_js dln A_js                                                technology
             + dD_j                                                               transfers
             + w_j L_j VA_j dln L_j                                               labour
             + sum_s psi_s Y_js dln (Y_js / b_js)                                 scale
             + sum_s (alpha_js - alpha'_js) I_j dln P_js                          tastes

The linearisation takes the first two once, at baseline values, for a finite change. The exact parts integrate W dlnW
over the whole path: equilibria are solved at Chebyshev nodes, interpolated, differentiated and integrated
(Clenshaw-Curtis), so that the parts add up to the exact change of welfare to the accuracy the result states. W is real
income at the tastes after the shock.

References
----------
Caliendo and Parro (2015), Review of Economic Studies 82(1), eq. (15); Trefethen (2000), Spectral Methods in MATLAB,
ch. 6 and 12.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError, NotConvergedError
from counterpoise.model import Closure, Labour, closed_lines, latent_share
from counterpoise.solver.engine import solve_path
from counterpoise.solver.kernel import Solver

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTS", "PathDecomposition", "linearised_welfare", "midpoint_welfare", "path_decomposition"]

PARTS = (
    "terms_of_trade",
    "volume_of_trade",
    "trade_technology",
    "technology",
    "transfers",
    "labour",
    "scale",
    "tastes",
)
"""The parts of the exact decomposition, in the order of the formula."""

_NODES = (9, 17, 33, 65)
"""Numbers of Chebyshev nodes tried in turn until the parts add up."""


@dataclass(frozen=True, slots=True, eq=False)
class PathDecomposition:
    """Exact welfare change and its parts, in percent of baseline real income.

    ``parts_pct`` is (N, 8) in the order of `PARTS`, ``welfare_pct`` (N,) the exact change from the two end points,
    ``largest_discrepancy_pct`` how far the parts are from adding up anywhere, ``nodes`` the equilibria solved on the
    path.
    """

    countries: tuple[str, ...]
    parts_pct: NDArray[np.float64]
    welfare_pct: NDArray[np.float64]
    largest_discrepancy_pct: float
    nodes: int

    def table(self) -> pd.DataFrame:
        """Return one row per country: the parts, their sum and the exact change, percent."""
        import pandas as pd

        frame = pd.DataFrame(self.parts_pct, columns=[f"{p}_pct" for p in PARTS])
        frame.insert(0, "country", list(self.countries))
        return frame.assign(sum_pct=self.parts_pct.sum(axis=1), welfare_pct=self.welfare_pct)


def linearised_welfare(solution: Solution) -> pd.DataFrame:
    """Return the published linearisation: terms of trade and volume of trade at baseline values, percent.

    It is not the welfare change: for large shocks it can differ much from it, even in sign and size (Mexico after
    NAFTA: 1.31 against 0.007 percent). Columns: country, terms_of_trade_pct, volume_of_trade_pct,
    welfare_linearised_pct, and welfare_pct, the exact change.

    Parameters
    ----------
    solution
        A solved counterfactual; its world's flows and tariffs are the weights.

    References
    ----------
    Caliendo and Parro (2015), Review of Economic Studies 82(1), eq. (15) and Table II.
    """
    import pandas as pd

    world, values = solution.world, solution.values
    terms, volume = _one_step(
        world.flow.to_numpy(),
        world.tariff_rate.to_numpy(),
        values["unit_cost_hat"],
        values["flow_cf"],
        world.income.to_numpy(),
    )
    return pd.DataFrame(
        {
            "country": list(world.countries),
            "terms_of_trade_pct": terms,
            "volume_of_trade_pct": volume,
            "welfare_linearised_pct": terms + volume,
            "welfare_pct": 100.0 * (values["welfare_hat"] - 1.0),
        }
    )


def _one_step(
    flow: NDArray[np.float64],
    rate: NDArray[np.float64],
    cost_hat: NDArray[np.float64],
    flow_cf: NDArray[np.float64],
    income: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the terms-of-trade and volume-of-trade terms of one step, (N,) percent of income."""
    n = len(income)
    foreign = flow * (1.0 - np.eye(n))[:, :, None]
    rise = cost_hat[:, None, :] - 1.0
    earned = (foreign * rise).sum(axis=(1, 2)) - (foreign * rise).sum(axis=(0, 2))
    ratio = np.divide(flow_cf, flow, out=np.ones_like(flow), where=flow > 0)
    volume = (rate * foreign * (ratio - cost_hat[:, None, :])).sum(axis=(0, 2))
    return 100.0 * earned / income, 100.0 * volume / income


def midpoint_welfare(
    world: World,
    shock: Shock,
    steps: int,
    *,
    closure: Closure | str = "fixed_world_share",
    solver: Solver | str = "anderson",
) -> NDArray[np.float64]:
    """Return the linearisation added up over ``steps`` steps along the path, evaluated at midpoints, (N,) percent.

    With one step it is a midpoint version of the published formula; as steps grow it converges to the exact change of
    log real income.

    Parameters
    ----------
    steps
        Number of equal steps, 1 or more.
    """
    if steps < 1:
        raise InputError(f"steps = {steps}; expected 1 or more")
    path = solve_path(world, shock, np.linspace(0.0, 1.0, steps + 1), closure=closure, solver=solver)
    total = np.zeros(len(world.countries))
    foreign = (1.0 - np.eye(len(world.countries)))[:, :, None]
    for before, after in itertools.pairwise(path):
        rise = np.log(after.unit_cost / before.unit_cost)[:, None, :]
        flow = 0.5 * (before.flow + after.flow) * foreign
        rate = 0.5 * (before.price_rate + after.price_rate)
        mean_income = 0.5 * (before.income + after.income)
        earned = (flow * rise).sum(axis=(1, 2)) - (flow * rise).sum(axis=(0, 2))
        volume = (rate * ((after.flow - before.flow) * foreign - flow * rise)).sum(axis=(0, 2))
        total += 100.0 * (earned + volume) / mean_income
    return total


def path_decomposition(
    world: World,
    shock: Shock,
    *,
    closure: Closure | str = "fixed_world_share",
    solver: Solver | str = "anderson",
    labour: Labour | None = None,
    nodes: int | None = None,
    atol_pct: float = 1e-7,
) -> PathDecomposition:
    """Split the exact welfare change into parts that add up to it.

    Parameters
    ----------
    world, shock, closure, solver, labour
        As in `counterpoise.solver.solve`.
    nodes
        Chebyshev nodes; by default 9, 17, 33, 65 are tried until the parts add up to ``atol_pct``.
    atol_pct
        Largest discrepancy that is accepted, percentage points of real income.

    Raises
    ------
    NotConvergedError
        If the parts do not add up to ``atol_pct`` with the most nodes, as where a quota starts to bind on the way.
    """
    result: PathDecomposition | None = None
    for count in _NODES if nodes is None else (nodes,):
        result = _decompose(world, shock, closure, solver, labour, count)
        if result.largest_discrepancy_pct <= atol_pct:
            return result
    assert result is not None
    raise NotConvergedError(
        f"the parts of the welfare change miss its exact value by {result.largest_discrepancy_pct:.3g} points with "
        f"{result.nodes} nodes, expected at most {atol_pct:g}; split the shock in two (where a quota starts to bind, "
        "if there is one), or raise atol_pct"
    )


def _decompose(
    world: World, shock: Shock, closure: Closure | str, solver: Solver | str, labour: Labour | None, count: int
) -> PathDecomposition:
    """Integrate the parts over the path with ``count`` Chebyshev nodes."""
    position, derivative, weight = chebyshev(count)
    path = solve_path(world, shock, position, closure=closure, solver=solver, labour=labour)
    stack = {name: np.stack([getattr(point, name) for point in path]) for name in path[0]._fields}
    flow, income, output = stack["flow"], stack["income"], stack["output"]

    def slope(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tensordot(derivative, values, axes=1)

    foreign = 1.0 - np.eye(len(world.countries))[None, :, :, None]
    log_cost, log_price = np.log(stack["unit_cost"]), np.log(stack["price_index"])
    customs_slope = slope(log_cost[:, :, None, :] + np.log(stack["export_factor"]))
    traded = flow * foreign * customs_slope
    terms = traded.sum(axis=(2, 3)) - traded.sum(axis=(1, 3))
    # A share w that opens or closes stands for d^-theta: X dln d = -(X / w) dw / theta, and X / w stays finite.
    log_cost_of_trade = np.log(shock.iceberg_cost_hat.to_numpy() * shock.non_tariff_cost_hat.to_numpy())
    opening = latent_share(world, shock) - world.expenditure_share.to_numpy() * closed_lines(shock)
    barrier = flow * log_cost_of_trade - stack["flow_if_open"] * opening / world.trade_elasticity.to_numpy()
    shipped = slope(flow) - flow * customs_slope
    volume = (stack["price_rate"] * (shipped - barrier)).sum(axis=(1, 3))
    volume = volume + ((1.0 - 1.0 / stack["export_factor"]) * shipped).sum(axis=(2, 3))
    psi = world.scale_elasticity.to_numpy()
    log_output = np.log(np.where(output > 0, output, 1.0))
    log_bundle = (log_cost + psi * log_output) / (1.0 + psi)
    weight_of_taste: NDArray[np.float64] = np.exp(np.log(shock.demand_hat.to_numpy()) * position[:, None, None])
    alpha = world.consumption_share.to_numpy() * weight_of_taste
    alpha = alpha / alpha.sum(axis=2, keepdims=True)
    welfare = income / income[0] * np.exp(-(alpha[-1] * (log_price - log_price[0])).sum(axis=2))
    parts = np.stack(
        [
            terms,
            volume,
            -barrier.sum(axis=(1, 3)),
            (output * np.log(shock.productivity_hat.to_numpy())).sum(axis=2),
            slope(stack["transfer"]),
            stack["wage_bill"] * slope(stack["log_labour"]),
            (psi * output * slope(log_output - log_bundle)).sum(axis=2),
            ((alpha - alpha[-1]) * income[:, :, None] * slope(log_price)).sum(axis=2),
        ],
        axis=-1,
    )
    weighted = parts * (welfare / income)[:, :, None]
    integrated = np.asarray(100.0 * np.tensordot(weight, weighted, axes=1), dtype=np.float64)
    exact = 100.0 * (welfare[-1] / welfare[0] - 1.0)
    discrepancy = float(np.max(np.abs(integrated.sum(axis=1) - exact)))
    return PathDecomposition(world.countries, integrated, exact, discrepancy, count)


def chebyshev(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return Chebyshev nodes on [0, 1] in rising order, their differentiation matrix and Clenshaw-Curtis weights.

    Parameters
    ----------
    count
        Number of nodes, 3 or more.

    References
    ----------
    Trefethen (2000), Spectral Methods in MATLAB, programs ``cheb`` and ``clencurt``.
    """
    if count < 3:
        raise InputError(f"nodes = {count}; expected 3 or more")
    n = count - 1
    angle = np.pi * np.arange(count) / n
    x = -np.cos(angle)
    c = np.where((np.arange(count) == 0) | (np.arange(count) == n), 2.0, 1.0) * (-1.0) ** np.arange(count)
    gap = x[:, None] - x[None, :] + np.eye(count)
    matrix = np.outer(c, 1.0 / c) / gap
    matrix -= np.diag(matrix.sum(axis=1))
    moments = np.array([2.0 / (1.0 - k * k) if k % 2 == 0 else 0.0 for k in range(count)])
    polynomials = np.cos(np.outer(np.arange(count), np.arccos(np.clip(x, -1.0, 1.0))))
    weight = np.linalg.solve(polynomials, moments)
    return (x + 1.0) / 2.0, 2.0 * matrix, weight / 2.0
