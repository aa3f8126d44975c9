"""What a report asks about the way back: the order alone, the cheapest package, the frontier, the shares, the path."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from counterpoise.core import World
from counterpoise.policy.closing import Closing, closing_of
from counterpoise.policy.frontier import Frontier, frontier_of
from counterpoise.policy.levers import PurchaseProgramme
from counterpoise.policy.package import Package, closed_usd_of, package_of
from counterpoise.policy.path import Path, path_to
from counterpoise.policy.shares import Shares, shares_of
from counterpoise.scenario import Scenario

__all__ = ["TARGET", "OrderAlone", "WayBack", "find_way_back"]

TARGET = 0.2
"""Share of the gap that the package of a report closes: a fifth."""

POINTS = 8
"""Points of the frontier in a report."""

LAST_YEAR = 2030
"""Last year of the path in a report: that of the published aim for trade."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class OrderAlone:
    """The most that the scenario's own purchase programmes close: share of the gap, cost, price of the last dollar.

    ``rate`` is the highest share of the price that they may pay.
    """

    max_closure_pct: float
    cost_usd: float
    shadow_price: float
    rate: float
    levers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class WayBack:
    """Everything that a report says about the way back; ``alone`` is None where the scenario orders nothing."""

    closing: Closing
    package: Package
    frontier: Frontier
    shares: Shares
    yearly: Path | None
    alone: OrderAlone | None

    def facts(self) -> dict[str, Any]:
        """Return the headline numbers as plain values."""
        keys = (
            "status",
            "cost_usd",
            "shadow_price",
            "max_closure_pct",
            "kkt_residual",
            "closed_usd",
            "closed_pct",
            "next_billion_usd",
        )
        package = self.package.to_json()
        out: dict[str, Any] = {key: package[key] for key in keys}
        if self.alone is not None:
            out |= {
                "order_alone_max_closure_pct": self.alone.max_closure_pct,
                "order_alone_cost_usd": self.alone.cost_usd,
                "order_alone_shadow_price": self.alone.shadow_price,
            }
        return out


def find_way_back(scenario: Scenario, world: World, progress: Tell | None = None, *, seed: int = 0) -> WayBack:
    """Solve what a report asks about the way back.

    Parameters
    ----------
    scenario, world
        With a pair.
    progress
        Called with a phase, steps done and steps in all.
    seed
        Of starts and draws.

    Raises
    ------
    InputError
        If nothing could be moved.
    InfeasibleError
        If the levers cannot close a fifth of the gap.
    """
    tell = progress or _untold
    closing = closing_of(scenario, world=world)
    began = time.perf_counter()
    search = closing.search(seed=seed)
    closed = closed_usd_of(TARGET, search.programme.gap)
    reached = search.cheapest(closed)
    package = package_of(search, reached, closed, began=began)
    frontier = frontier_of(search, POINTS, progress=lambda k, n: tell("the frontier", k, n))
    shares = shares_of(search, reached.given, by="kind", seed=seed)
    yearly = None
    if scenario.as_of is not None and scenario.as_of.year < LAST_YEAR:
        yearly = path_to(scenario, TARGET, last=LAST_YEAR, progress=lambda k, n: tell("the path", k, n))
    return WayBack(closing, package, frontier, shares, yearly, _alone(scenario, closing, world))


def _untold(step: str, k: int, count: int) -> None:
    """Tell nobody."""


def _alone(scenario: Scenario, closing: Closing, world: World) -> OrderAlone | None:
    """Return the most that the purchase programmes which the scenario names can close."""
    own = {measure.id for measure in scenario.measure}
    names = tuple(v.id for v in closing.levers if isinstance(v, PurchaseProgramme) and v.id in own)
    if not names:
        return None
    only = closing_of(scenario, only=names, world=world)
    search = only.search()
    most = search.closed(search.most())
    reached = search.cheapest(most * (1.0 - 1e-6), starts=1)
    return OrderAlone(
        100.0 * most / search.programme.gap,
        reached.cost_usd,
        reached.certificate.multipliers["the target"],
        max(lever.upper for lever in only.levers),
        names,
    )
