"""Batches: each member is its own solve, however members are run; an interrupt or a failure leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock
from counterpoise.core.errors import InputError, NotConvergedError
from counterpoise.solver import Anderson, elasticity_draws, solve, solve_batch
from tests.unit.core.test_world import small_world

LANES = pytest.mark.parametrize("lanes", ["in_turn", "together"])


@LANES
def test_members_are_their_own_solves(lanes: str) -> None:
    """Draws that take different numbers of sweeps end where a solve of each ends."""
    world = small_world()
    shock = Shock.none(world).with_tariff(1.5, origin="AAA", destination="BBB")
    drawn = np.concatenate([elasticity_draws(world, 6, seed=3), 8.0 * elasticity_draws(world, 3, seed=4)])
    batch = solve_batch(world, shock, trade_elasticity=drawn, lanes=lanes, chunk=9)  # pyright: ignore[reportArgumentType]
    assert len(set(batch.iterations.tolist())) > 1
    assert np.all(batch.violation <= 1e-9)
    for k in (0, 5, 8):
        alone = solve(world.with_changes(trade_elasticity=drawn[k]), shock)
        np.testing.assert_allclose(batch.data["welfare_hat"][k], alone.welfare_hat, rtol=1e-8)
        assert batch.gap_cf_usd("AAA", "BBB")[k] == pytest.approx(alone.gap_cf_usd("AAA", "BBB"), rel=1e-6)


@LANES
def test_shocks_of_their_own_in_chunks_that_do_not_divide(lanes: str) -> None:
    """Seven shocks in chunks of three keep their order, and progress counts to seven."""
    world = small_world()
    rates = np.linspace(0.1, 3.0, 7)
    shocks = [Shock.none(world).with_tariff(float(rate), origin="AAA", destination="BBB") for rate in rates]
    seen: list[tuple[int, int]] = []
    batch = solve_batch(
        world,
        shocks,
        lanes=lanes,  # pyright: ignore[reportArgumentType]
        chunk=3,
        progress=lambda done, count: seen.append((done, count)),
    )
    assert seen == [(3, 7), (6, 7), (7, 7)]
    flow = batch.data["pair_flow_cf"].sel(origin="AAA", destination="BBB").to_numpy()
    assert np.all(np.diff(flow) < 0)
    np.testing.assert_allclose(batch.data["welfare_hat"][6], solve(world, shocks[6]).welfare_hat, rtol=1e-8)


@LANES
def test_a_member_without_equilibrium_is_named(lanes: str) -> None:
    """Members that run out of steps do not hold up the others, and are told."""
    world = small_world()
    shocks = [Shock.none(world), Shock.none(world).with_tariff(3.0, origin="AAA", destination="BBB")]
    with pytest.raises(NotConvergedError, match=r"draw 1: largest violation"):
        solve_batch(world, shocks, lanes=lanes, solver=Anderson(max_steps=4))  # pyright: ignore[reportArgumentType]


def test_an_interrupt_stops_the_batch() -> None:
    """What progress raises ends the batch; later chunks are not begun."""
    world = small_world()
    shocks = [Shock.none(world).with_tariff(0.1 * k, origin="AAA", destination="BBB") for k in range(40)]
    calls: list[int] = []

    def stop(done: int, count: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve_batch(world, shocks, chunk=1, workers=1, progress=stop)
    assert calls == [1]


def test_an_unknown_way_to_run_is_refused() -> None:
    """The known ones are named."""
    world = small_world()
    with pytest.raises(InputError, match="in_turn"):
        solve_batch(world, Shock.none(world), lanes="sideways")  # pyright: ignore[reportArgumentType]
