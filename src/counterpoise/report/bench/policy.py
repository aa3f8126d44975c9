"""Cases of the way back and of power: a package, its frontier, and tariffs that countries choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from counterpoise.core.errors import NotConvergedError
from counterpoise.policy import close_gap, closing_of, frontier_of
from counterpoise.policy.frontier import Frontier
from counterpoise.policy.package import OPTIMAL, Package, closed_usd_of
from counterpoise.policy.search import Search
from counterpoise.policy.tariffs import nash_tariffs, optimal_tariff
from counterpoise.report.bench.prepared import Prepared
from counterpoise.report.replication_power import liberation_day_economy, ossa_economy

__all__ = [
    "prepare_frontier",
    "prepare_nash",
    "prepare_optimum",
    "prepare_package",
    "slsqp_cost",
]

Numbers = NDArray[np.float64]

_SCENARIO, _TARGET, _POINTS = "valdai-2025", 0.2, 20


def slsqp_cost(search: Search, closed_usd: float) -> float:
    """Return the least cost, USD a year, that SciPy's SLSQP finds from one start over the same equilibria.

    Parameters
    ----------
    search
        Whose folded levers, exact gradients and equilibria it is given.
    closed_usd
        USD of the gap to close at the least.
    """
    programme = search.programme
    target = (search.target_limit(closed_usd),)
    start = np.full(len(programme.levers), 0.5)
    scale = abs(programme.cost(start))

    def cost(u: Numbers) -> float:
        return programme.cost(u) / scale

    def cost_slope(u: Numbers) -> Numbers:
        return programme.cost_slope(u) / scale

    def slack(u: Numbers) -> Numbers:
        return programme.slack(u, target)

    def slack_slope(u: Numbers) -> Numbers:
        return programme.slack_slope(u, target)

    found = cast(Any, optimize).minimize(
        cost,
        start,
        jac=cost_slope,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(start),
        constraints=({"type": "ineq", "fun": slack, "jac": slack_slope},),
        options={"ftol": 1e-10, "maxiter": 300},
    )
    return float(found.fun) * scale


def prepare_package(_: Path | None) -> Prepared:
    """Prepare the flagship's package: three starts, its limit, and the next billion."""
    levers = len(closing_of(_SCENARIO).levers)
    theirs: list[float] = []

    def other() -> float:
        search = closing_of(_SCENARIO).search()
        theirs.append(slsqp_cost(search, closed_usd_of(_TARGET, search.programme.gap)))
        return theirs[-1]

    def check(package: Package) -> None:
        cost = theirs[-1] if theirs else other()
        if package.status != OPTIMAL or package.cost_usd > cost * (1.0 + 1e-4):
            raise NotConvergedError(
                f"the package is {package.status} and costs {package.cost_usd:.6g} USD, SciPy's {cost:.6g}; nothing is "
                "timed"
            )

    return Prepared(
        size=f"{levers} levers, 3 starts",
        run=lambda: close_gap(_SCENARIO, target=_TARGET),
        check=check,
        opponent=other,
        opponent_name="SciPy, SLSQP, 1 start",
        most_repeats=5,
    )


def prepare_frontier(_: Path | None) -> Prepared:
    """Prepare the flagship's frontier, every point with its certificate."""
    closing = closing_of(_SCENARIO)

    def check(frontier: Frontier) -> None:
        costs = [point.cost_usd for point in frontier.points]
        worst = max(point.kkt_residual for point in frontier.points)
        if costs != sorted(costs) or worst > 1e-5:
            raise NotConvergedError(f"the frontier falls, or a point's residual is {worst:.2g}; nothing is timed")

    return Prepared(
        size=f"{_POINTS} points, {len(closing.levers)} levers",
        run=lambda: frontier_of(closing.search(), _POINTS),
        check=check,
        most_repeats=2,
    )


def prepare_optimum(sources: Path | None) -> Prepared:
    """Prepare the tariffs of the United States that serve it best, one per partner."""
    economy = liberation_day_economy(sources)

    def check(found: Any) -> None:
        if not found.welfare_pct >= 1.806:  # what the best uniform tariff of the published model brings
            raise NotConvergedError(
                f"the optimum brings {found.welfare_pct:.4f} %, a uniform tariff 1.806; nothing is timed"
            )

    return Prepared(
        f"{len(economy.world.countries) - 1} tariffs", lambda: optimal_tariff(economy, "USA"), check, most_repeats=5
    )


def prepare_nash(sources: Path | None) -> Prepared:
    """Prepare the trade war of the seven regions of Ossa (2014)."""
    economy = ossa_economy(sources)
    n, s = len(economy.world.countries), len(economy.world.sectors)

    def check(war: Any) -> None:
        welfare = war.welfare_pct["USA"]
        if abs(welfare - -2.2) > 0.05:  # Ossa (2014), table 4a
            raise NotConvergedError(f"the United States change by {welfare:.3f} %, published -2.2; nothing is timed")

    return Prepared(
        f"{n * (n - 1) * s:,} tariffs", lambda: nash_tariffs(economy, certify=False), check, most_repeats=10
    )
