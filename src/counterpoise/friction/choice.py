r"""Which route shippers take: logit over generalised cost, with capacities that several cargoes share.

With $g_{rs}$ the generalised cost of route r for cargo s, in USD per load, and $\mu$ the spread of tastes::

    share        s_rs = exp(-(g_rs + sum of tolls on r) / mu) / sum over routes
    inclusive    G_s  = -mu ln sum_r exp(-(g_rs + tolls_r) / mu)

Where a leg is full, its toll rises until what would go there beyond its capacity has moved to other routes: the toll is
what one more load of capacity is worth. It solves the dual of the entropy-constrained assignment, which is concave.

References
----------
McFadden (1978) in Karlqvist et al. (eds), Spatial Interaction Theory; Small and Rosen (1981), Econometrica 49(1), for
the inclusive value; Bell (1995), Transportation Research B 29(2), for capacities in a logit assignment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, linprog
from scipy.special import logsumexp

from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.friction.logistics import Route

__all__ = ["RouteChoice", "choose_routes"]

Numbers = NDArray[np.float64]

_FULL = 1.0 - 1e-9
"""Part of the largest volume that is assigned when capacity falls short: at the limit itself tolls have no bound."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteChoice:
    """Who goes where. R routes, K cargoes.

    Attributes
    ----------
    route_share
        Share of each cargo on each route (R, K); columns sum to 1.
    generalised_cost_usd
        Cost plus days times value of time, without tolls, USD per load (R, K).
    expected_cost_usd
        Mean over the routes taken, tolls included, USD per load (K,).
    inclusive_cost_usd
        Inclusive value: what the choice among the routes costs, USD per load (K,). Differences between two networks
        are the exact gain or loss; the level depends on how many routes there are.
    toll_usd
        Scarcity price on each route, USD per load (R,); 0 where nothing is full.
    leg_toll_usd
        Scarcity price by leg, for legs that are full.
    volume
        Loads a year by route and cargo (R, K); zero where no demand was given.
    unserved
        Loads a year that no route has room for (K,).
    """

    route_share: Numbers
    generalised_cost_usd: Numbers
    expected_cost_usd: Numbers
    inclusive_cost_usd: Numbers
    toll_usd: Numbers
    leg_toll_usd: dict[str, float]
    volume: Numbers
    unserved: Numbers


def choose_routes(
    routes: Sequence[Route],
    generalised_cost_usd: ArrayLike,
    *,
    dispersion_usd: float,
    loads: ArrayLike | None = None,
    rtol: float = 1e-9,
    max_steps: int = 500,
) -> RouteChoice:
    """Share out cargoes over routes.

    Parameters
    ----------
    routes
        R routes between the same two countries.
    generalised_cost_usd
        USD per load, (R, K).
    dispersion_usd
        Spread of tastes, USD per load; the smaller, the more everyone takes the cheapest route.
    loads
        Loads a year by cargo (K,); None leaves capacities aside.
    rtol
        By how much a full leg may be overrun, relative to its capacity.
    max_steps
        Rounds over the full legs.

    Raises
    ------
    InputError
        If numbers cannot be used; lists every problem.
    NotConvergedError
        If the tolls do not settle.
    """
    cost = np.array(generalised_cost_usd, dtype=np.float64)
    demand = np.zeros(cost.shape[-1]) if loads is None else np.array(loads, dtype=np.float64)
    _check(routes, cost, demand, dispersion_usd)
    names, uses, capacity = _capacities(routes)
    served = 1.0
    tolls = np.zeros(len(names))
    if loads is not None and names and np.any(uses @ _volumes(cost, demand, dispersion_usd) > capacity):
        served = _served_share(uses, capacity, float(demand.sum()))
        demand = demand * served
        tolls = _settle(cost, uses, capacity, demand, dispersion_usd, rtol, max_steps) if served > 0 else tolls
    toll = uses.T @ tolls
    logits = -(cost + toll[:, None]) / dispersion_usd
    inclusive = -dispersion_usd * np.asarray(logsumexp(logits, axis=0), dtype=np.float64)
    share = np.exp(logits + inclusive / dispersion_usd)
    wanted = np.zeros_like(demand) if loads is None else np.array(loads, dtype=np.float64)
    return RouteChoice(
        route_share=share,
        generalised_cost_usd=cost,
        expected_cost_usd=(share * (cost + toll[:, None])).sum(axis=0),
        inclusive_cost_usd=inclusive,
        toll_usd=toll,
        leg_toll_usd={name: float(price) for name, price in zip(names, tolls, strict=True) if price > 0},
        volume=share * demand,
        unserved=wanted - demand,
    )


def _check(routes: Sequence[Route], cost: Numbers, demand: Numbers, dispersion: float) -> None:
    problems: list[str] = []
    if cost.ndim != 2 or cost.shape[0] != len(routes):
        problems.append(f"generalised_cost_usd has shape {cost.shape}; expected ({len(routes)} routes, cargoes)")
    elif demand.shape != (cost.shape[1],):
        problems.append(f"loads has shape {demand.shape}; expected ({cost.shape[1]},), one per cargo")
    if not np.all(np.isfinite(cost)):
        problems.append("generalised_cost_usd holds values that are not finite numbers")
    if not np.all(np.isfinite(demand) & (demand >= 0)):
        problems.append("loads holds values that are negative or not finite")
    if not dispersion > 0:
        problems.append(f"dispersion_usd is {dispersion:g}; expected more than zero")
    raise_all(InputError, "routes cannot be chosen", problems)


def _capacities(routes: Sequence[Route]) -> tuple[list[str], Numbers, Numbers]:
    """Return the legs with a capacity (L), which routes use them (L, R), and the capacities (L,)."""
    limits = {leg.name: leg.capacity for route in routes for leg in route.legs if leg.capacity is not None}
    names = list(limits)
    uses = np.array(
        [[float(any(leg.name == name for leg in route.legs)) for route in routes] for name in names], dtype=np.float64
    ).reshape(len(names), len(routes))
    return names, uses, np.array([limits[name] for name in names], dtype=np.float64)


def _volumes(cost: Numbers, demand: Numbers, dispersion: float) -> Numbers:
    """Return loads by route (R,)."""
    logits = -cost / dispersion
    share = np.exp(logits - np.asarray(logsumexp(logits, axis=0), dtype=np.float64))
    return share @ demand


def _served_share(uses: Numbers, capacity: Numbers, demand: float) -> float:
    """Return the part of the demand that the network has room for."""
    # Routes compete for legs, not for cargoes, so the largest total is a linear programme in route volumes alone.
    best = linprog(-np.ones(uses.shape[1]), A_ub=uses, b_ub=capacity, bounds=(0.0, 2.0 * demand))
    assert best.fun is not None, "a bounded programme with a feasible origin has a solution"
    room = -float(best.fun)
    return 1.0 if demand < room * _FULL else room * _FULL / demand


def _settle(
    cost: Numbers,
    uses: Numbers,
    capacity: Numbers,
    demand: Numbers,
    dispersion: float,
    rtol: float,
    max_steps: int,
) -> Numbers:
    """Find tolls (L,) by which no leg is overrun and only full legs carry one, coordinate by coordinate."""
    tolls = np.zeros(len(capacity))
    scale = np.maximum(capacity, 1.0)

    def excess(prices: Numbers) -> Numbers:
        return (uses @ _volumes(cost + (uses.T @ prices)[:, None], demand, dispersion) - capacity) / scale

    for _ in range(max_steps):
        over = excess(tolls)
        if np.all(over <= rtol) and np.all((tolls == 0) | (np.abs(over) <= rtol)):
            return tolls
        for leg in range(len(tolls)):
            tolls[leg] = _toll_of(leg, tolls, excess, dispersion, 0.1 * rtol)
    raise NotConvergedError(
        f"the tolls on full legs did not settle in {max_steps} rounds: largest overrun is "
        f"{float(excess(tolls).max()):.3g} of capacity, expected at most {rtol:g}; raise max_steps or dispersion_usd"
    )


def _toll_of(leg: int, tolls: Numbers, excess: Callable[[Numbers], Numbers], dispersion: float, target: float) -> float:
    """Return the toll of one leg, given the others, at which it is overrun by no more than ``target``."""

    def at(price: float) -> float:
        tried = tolls.copy()
        tried[leg] = price
        return float(excess(tried)[leg]) - target

    if at(0.0) <= 0:
        return 0.0
    high = dispersion
    while at(high) > 0:
        high *= 2.0
    return float(brentq(at, 0.0, high, xtol=1e-12 * dispersion, rtol=1e-14))
