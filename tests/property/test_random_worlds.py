"""Two thousand random worlds, none silently wrong: an equilibrium by the slow reference, or refused in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import NotConvergedError
from counterpoise.model import Labour, SectorLabour
from counterpoise.solver import solve
from tests.reference.slow_equilibrium import ClosureName, economy_of, violation_at
from tests.reference.worlds import random_shock, random_world, with_every_instrument

RTOL = 1e-11
"""Of the solve: in logs, so that a share of elasticity 65 is good to 65 times as much."""

HOLDS = 1e-7
"""Largest violation that counts as none: shares move by the elasticity, outputs by what stands behind small shares."""

WORLDS = 501
"""Draws of each family; four of them make 2,004."""


@dataclass(frozen=True, slots=True)
class Family:
    """Worlds of one shape and kind, so that each is compiled once: sizes, closure, instruments and labour."""

    countries: int
    sectors: int
    closure: ClosureName
    every_instrument: bool = False
    mobility: float | None = None

    @property
    def name(self) -> str:
        kind = "all" if self.every_instrument else "classic"
        tied = "" if self.mobility is None else f"-mobility{self.mobility:g}"
        return f"{self.countries}x{self.sectors}-{self.closure}-{kind}{tied}"


FAMILIES = (
    Family(4, 2, "fixed_world_share"),
    Family(2, 1, "fixed_nominal"),
    Family(3, 2, "fixed_world_share", every_instrument=True),
    Family(3, 2, "zero", every_instrument=True, mobility=1.2),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What hypothesis chooses of a world: the rest follows from the seed."""

    seed: int
    zeros: float
    steepest: float
    baseline_tariff: float
    highest_tariff: float
    scale: float
    inputs: bool


DRAWS = st.builds(
    Draw,
    seed=st.integers(0, 10**6),
    zeros=st.floats(0.0, 0.5),
    steepest=st.sampled_from([2.0, 8.0, 25.0, 65.0]),
    baseline_tariff=st.floats(0.0, 1.0),
    highest_tariff=st.floats(0.0, 5.0),
    scale=st.sampled_from([0.0, 0.0, 0.5, 0.9]),
    inputs=st.booleans(),
)


def _solved_or_refused(
    world: World, shock: Shock, closure: ClosureName, labour: Labour | None
) -> tuple[Solution | None, NotConvergedError | None]:
    try:
        return solve(world, shock, closure=closure, labour=labour, rtol=RTOL), None
    except NotConvergedError as error:
        return None, error


def judge(family: Family, draw: Draw) -> str:
    """Solve one world; return how it ended, and fail where it ended wrongly."""
    world = random_world(
        draw.seed,
        family.countries,
        family.sectors,
        zeros=draw.zeros,
        elasticity=(0.5, draw.steepest),
        tariff=(-0.2, draw.baseline_tariff),
        scale=draw.scale,
        inputs=draw.inputs,
    )
    shock = random_shock(world, draw.seed + 1, tariff=(-0.5, draw.highest_tariff), embargo=family.countries > 2)
    if family.every_instrument:
        shock = with_every_instrument(shock, world, draw.seed + 2)
    labour: Labour | None = None if family.mobility is None else SectorLabour(family.mobility)
    solution, refused = _solved_or_refused(world, shock, family.closure, labour)
    if solution is None:
        words = str(refused)
        assert any(said in words for said in ("the worst condition is", "is not positive", "has no supplier"))
        return "is not positive" if "is not positive" in words else "no equilibrium found"
    off, where = violation_at(solution, economy_of(world, shock, family.closure, mobility=family.mobility))
    assert off < HOLDS, f"{where} is off by {off:.2e}, yet the solution calls itself converged"
    assert np.all(solution.flow_cf.to_numpy()[shock.embargo.to_numpy()] == 0.0)
    return "solved" if solution.solver == "anderson" else "solved with help"


def run(family: Family, worlds: int) -> Counter[str]:
    """Judge that many draws; return how they ended."""
    ended: Counter[str] = Counter()

    @hypothesis.settings(max_examples=worlds, suppress_health_check=[hypothesis.HealthCheck.too_slow], database=None)
    @hypothesis.given(DRAWS)
    def every(draw: Draw) -> None:
        ended[judge(family, draw)] += 1

    every()
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_world_is_silently_wrong(family: Family) -> None:
    ended = run(family, WORLDS)
    assert ended.total() >= WORLDS
    assert ended["solved"] + ended["solved with help"] > 0.8 * ended.total(), str(ended)
