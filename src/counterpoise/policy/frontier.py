"""The frontier: what closing more costs, point by point, and what the cheapest package consists of along the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from counterpoise.core.errors import InputError
from counterpoise.policy.package import KKT_LIMIT, OPTIMAL, UNPROVEN, lever_uses
from counterpoise.policy.search import Search

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.policy.package import LeverUse

__all__ = ["Frontier", "FrontierPoint", "frontier_of"]


@dataclass(frozen=True, slots=True, eq=False)
class FrontierPoint:
    """One package on the frontier: USD a year closed and paid, price of the next dollar, certificate, levers."""

    closed_usd: float
    cost_usd: float
    shadow_price: float
    kkt_residual: float
    uses: tuple[LeverUse, ...]

    @property
    def status(self) -> str:
        """``"optimal"``, or that it is not proven."""
        return OPTIMAL if self.kkt_residual <= KKT_LIMIT else UNPROVEN


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """Cheapest packages from nothing to the largest closure.

    Attributes
    ----------
    gap_usd, max_closure_usd
        Gap with no lever moved, and the most that can be closed, USD a year.
    points
        By rising closure.
    stops
        What stops the closure at its largest.
    """

    pair: tuple[str, str]
    objective: str
    gap_usd: float
    max_closure_usd: float
    points: tuple[FrontierPoint, ...]
    stops: tuple[str, ...]
    seconds: float

    def table(self) -> pd.DataFrame:
        """Return one row per point: closed_usd, closed_pct, cost_usd, average and shadow price, status, residual."""
        import pandas as pd

        rows = [
            {
                "closed_usd": p.closed_usd,
                "closed_pct": 100.0 * p.closed_usd / self.gap_usd,
                "cost_usd": p.cost_usd,
                "average_price": p.cost_usd / p.closed_usd,
                "shadow_price": p.shadow_price,
                "kkt_residual": p.kkt_residual,
                "status": p.status,
            }
            for p in self.points
        ]
        return pd.DataFrame(rows)

    def composition(self) -> pd.DataFrame:
        """Return one row per point and lever: closed_usd, closed_pct, lever, title, kind, value, cost_usd."""
        import pandas as pd

        rows = [
            {
                "closed_usd": p.closed_usd,
                "closed_pct": 100.0 * p.closed_usd / self.gap_usd,
                "lever": use.lever.id,
                "title": use.lever.title or use.lever.id,
                "kind": use.lever.kind,
                "value": use.value,
                "cost_usd": use.cost_usd,
            }
            for p in self.points
            for use in p.uses
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the frontier as one JSON-ready document."""
        return {
            "pair": list(self.pair),
            "objective": self.objective,
            "gap_usd": self.gap_usd,
            "max_closure_usd": self.max_closure_usd,
            "stops": list(self.stops),
            "seconds": self.seconds,
            "points": self.table().to_dict("records"),
            "composition": self.composition().to_dict("records"),
        }


def frontier_of(
    search: Search,
    points: int = 20,
    *,
    most_pct: float = 100.0,
    progress: Callable[[int, int], None] | None = None,
) -> Frontier:
    """Return cheapest packages at evenly spaced closures, each started from the one before.

    Parameters
    ----------
    search
        From `counterpoise.policy.open_search` or `counterpoise.policy.Closing.search`.
    points
        How many, 2 or more.
    most_pct
        Last closure, percent of the gap; the largest reachable one where that is less.
    progress
        Called with points done and points in all.

    Raises
    ------
    InputError
        If there are fewer than 2 points, or ``most_pct`` is not positive.
    """
    began = time.perf_counter()
    if points < 2 or not most_pct > 0:
        raise InputError(f"frontier of {points} points to {most_pct} %; expected 2 points or more, and more than 0 %")
    gap, reach = search.programme.gap, search.closed(search.most())
    last = min(reach * (1.0 - 1e-6), most_pct / 100.0 * gap)
    if not last > 0:
        raise InputError("no lever closes anything of the gap, so there is no frontier")
    found: list[FrontierPoint] = []
    near: Sequence[np.ndarray] = ()
    targets: list[float] = (last * np.arange(1, points + 1) / points).tolist()
    for done, closed in enumerate(targets):
        if progress is not None:
            progress(done, points)
        reached = search.cheapest(closed, near=near, starts=1)
        near = (reached.u,)
        found.append(
            FrontierPoint(
                reached.closed_usd,
                reached.cost_usd,
                reached.certificate.multipliers["the target"],
                reached.certificate.kkt_residual,
                lever_uses(search, reached.given),
            )
        )
    if progress is not None:
        progress(points, points)
    return Frontier(
        search.given.equilibria.pair,
        search.given.objective.name,
        gap,
        reach,
        tuple(found),
        search.stops(search.most()),
        time.perf_counter() - began,
    )
