"""Small worlds and levers for tests of packages."""

from __future__ import annotations

import numpy as np

from counterpoise.core import World
from counterpoise.policy import CostCurve, ObstacleRemoval, PurchaseProgramme
from counterpoise.solver import rebase

COUNTRIES = ("AAA", "BBB", "CCC")
SECTORS = ("food", "machinery")
PAIR = ("AAA", "BBB")
"""AAA sells more to BBB than it buys."""


def small_world(seed: int = 3, *, duty: float = 0.0, empty: bool = False) -> World:
    """Return a balanced world of three countries and two sectors in which AAA sells twice what it buys from BBB.

    ``duty`` is what AAA levies on BBB; ``empty`` leaves machinery from BBB to AAA at zero.
    """
    rng = np.random.default_rng(seed)
    flow = rng.uniform(1.0, 3.0, (3, 3, 2)) * 1e9
    flow[0, 1] *= 4.0
    flow[np.arange(3), np.arange(3)] *= 15
    if empty:
        flow[1, 0, 1] = 0.0
    rate = np.zeros((3, 3, 2))
    rate[1, 0] = duty
    raw = World.from_arrays(
        countries=list(COUNTRIES),
        sectors=list(SECTORS),
        flow=flow,
        tariff_rate=rate,
        value_added_share=np.full((3, 2), 0.6),
        io_coefficient=np.full((3, 2, 2), 0.2),
        trade_elasticity=[3.0, 5.0],
    )
    return rebase(raw, closure="fixed_world_share")


def removal(name: str, sector: str, *, quadratic: float, ave: float = 0.3, linear: float = 0.0) -> ObstacleRemoval:
    """Return an obstacle from BBB to AAA in one sector that costs something to remove."""
    return ObstacleRemoval(
        id=name,
        title=name,
        payer="AAA",
        origin="BBB",
        destination="AAA",
        reach=((sector, 1.0),),
        upper=1.0,
        ave=ave,
        curve=CostCurve(linear_usd=linear, quadratic_usd=quadratic, source="test"),
    )


def programme(name: str, *sectors: str, upper: float = 0.3) -> PurchaseProgramme:
    """Return a programme of AAA for goods of BBB."""
    return PurchaseProgramme(
        id=name,
        title=name,
        payer="AAA",
        origin="BBB",
        destination="AAA",
        reach=tuple((s, 1.0) for s in sectors),
        upper=upper,
    )
