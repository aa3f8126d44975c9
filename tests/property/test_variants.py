"""Laws of the models beside the main one, and an independent reference written from the papers' equations."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError
from counterpoise.model import ElasticLabour
from counterpoise.solver import solve
from counterpoise.solver.main_variant import main_economy
from counterpoise.solver.variants import (
    Economy,
    equilibrium,
    margin_economy,
    profits_economy,
    rebase_variant,
    solve_variant,
)
from tests.reference.slow_variants import solve_margin, solve_profits
from tests.reference.worlds import random_world

NU = 0.2
RELIEF = ElasticLabour(0.5, "income_tax_relief")


def profits_world(seed: int) -> World:
    return random_world(seed, countries=3, sectors=2, inputs=False, zeros=0.0)


def margin_world(seed: int) -> World:
    """Draw a world whose trade is balanced pair by pair: large transfers need not leave an equilibrium."""
    drawn = random_world(seed, countries=3, sectors=1, inputs=False, tariff=(0.0, 0.0), scale=0.67, zeros=0.0)
    flow = drawn.flow.to_numpy()
    return drawn.with_changes(flow=0.5 * (flow + flow.swapaxes(0, 1)))


def struck(world: World, seed: int, *, highest: float = 1.0) -> Shock:
    """Draw foreign tariffs."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.0, highest, world.flow.shape)
    rate[np.arange(3), np.arange(3)] = 0.0
    return Shock(world, tariff_rate_cf=rate)


def economies(seed: int) -> list[Economy]:
    return [
        profits_economy(profits_world(seed)),
        margin_economy(margin_world(seed), NU, RELIEF),
        margin_economy(margin_world(seed), {"C0": 0.3}, ElasticLabour(0.5), default=0.1, value_added_share=0.7),
    ]


@pytest.mark.parametrize("which", range(3))
def test_without_a_shock_nothing_changes(which: int) -> None:
    economy = economies(1)[which]
    found = solve_variant(economy)
    assert found.converged
    for name in ("wage_hat", "price_index_hat", "welfare_hat", "labour_hat", "consumer_price_hat"):
        np.testing.assert_allclose(found.values[name], 1.0, atol=1e-9)
    np.testing.assert_allclose(found.flow_cf, economy.world.flow, rtol=1e-9)


@pytest.mark.parametrize("which", range(3))
def test_every_condition_holds_and_the_world_balances(which: int) -> None:
    economy = economies(2)[which]
    found = solve_variant(economy, struck(economy.world, 3))
    assert found.max_residual <= 1e-9
    assert set(found.residuals) >= {"labour_market", "budget", "numeraire"}
    assert abs(float(found.deficit_cf.sum())) <= 1e-9 * float(found.imports_cf.sum())
    spent = found.values["expenditure_cf"].sum(axis=1)
    paid = (found.values["flow_cf"] * (1 + found.shock.tariff_rate_cf.to_numpy())).sum(axis=(0, 2))
    np.testing.assert_allclose(paid, spent, rtol=1e-9)


@pytest.mark.parametrize("which", range(3))
def test_relabelling_countries_permutes_the_result(which: int) -> None:
    economy, order = economies(4)[which], ["C2", "C0", "C1"]
    world = economy.world.permute(order)
    shock = struck(economy.world, 5)
    moved = Shock(world, tariff_rate_cf=shock.tariff_rate_cf.sel(origin=order, destination=order).to_numpy())
    again = [
        lambda: profits_economy(world),
        lambda: margin_economy(world, NU, RELIEF),
        lambda: margin_economy(world, {"C0": 0.3}, ElasticLabour(0.5), default=0.1, value_added_share=0.7),
    ][which]()
    one, other = solve_variant(economy, shock), solve_variant(again, moved)
    np.testing.assert_allclose(other.welfare_hat, one.welfare_hat.sel(country=order), rtol=1e-8)
    np.testing.assert_allclose(other.flow_cf, one.flow_cf.sel(origin=order, destination=order), rtol=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_profits_agree_with_the_slow_reference(seed: int) -> None:
    world = profits_world(seed)
    shock = struck(world, seed + 100)
    closure = "zero" if seed % 2 else "fixed_nominal"
    transfer = world.deficit.to_numpy() * (closure != "zero")
    slow = solve_profits(
        world.flow.to_numpy(),
        world.tariff_rate.to_numpy(),
        shock.tariff_rate_cf.to_numpy(),
        world.trade_elasticity.to_numpy() + 1.0,
        transfer,
    )
    found = solve_variant(profits_economy(world, closure), shock)
    np.testing.assert_allclose(found.values["wage_hat"], slow.wage_hat, rtol=1e-8)
    np.testing.assert_allclose(found.values["consumer_price_hat"], slow.price_hat, rtol=1e-8)
    np.testing.assert_allclose(found.values["welfare_hat"], slow.welfare_hat, rtol=1e-8)
    np.testing.assert_allclose(found.values["flow_cf"], slow.flow_cf, rtol=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_the_margin_agrees_with_the_slow_reference(seed: int) -> None:
    world = margin_world(seed)
    shock = struck(world, seed + 200, highest=0.5)
    nu, relief, beta = np.array([0.3, 0.1, 0.1]), bool(seed % 2), 0.7 if seed % 3 == 0 else 1.0
    slow = solve_margin(
        world.flow.to_numpy()[:, :, 0],
        shock.tariff_rate_cf.to_numpy()[:, :, 0],
        nu,
        epsilon=float(world.trade_elasticity[0]),
        psi=float(world.scale_elasticity[0]),
        kappa=0.5,
        relief=relief,
        beta=beta,
    )
    labour = ElasticLabour(0.5, "income_tax_relief" if relief else "lump_sum")
    found = solve_variant(margin_economy(world, {"C0": 0.3}, labour, default=0.1, value_added_share=beta), shock)
    np.testing.assert_allclose(found.values["wage_hat"], slow.wage_hat, rtol=1e-7)
    np.testing.assert_allclose(found.values["labour_hat"], slow.labour_hat, rtol=1e-7)
    np.testing.assert_allclose(found.values["consumer_price_hat"], slow.price_hat, rtol=1e-7)
    np.testing.assert_allclose(found.values["welfare_hat"], slow.welfare_hat, rtol=1e-7)
    np.testing.assert_allclose(found.values["flow_cf"], slow.flow_cf, rtol=1e-7)


def test_without_margin_and_leisure_it_is_the_main_model() -> None:
    """Two routes to one answer: real wages and flows, which do not depend on the numeraire."""
    world = margin_world(7)
    shock = struck(world, 8)
    one = solve_variant(margin_economy(world, 0.0), shock)
    other = solve(world, shock, rtol=1e-11)
    np.testing.assert_allclose(one.real_wage_hat, other.real_wage_hat, rtol=1e-8)
    level = one.values["wage_hat"] / other.values["wage_hat"]
    np.testing.assert_allclose(level, level[0], rtol=1e-8)
    np.testing.assert_allclose(one.flow_cf, level[0] * other.flow_cf, rtol=1e-7)


def test_the_main_model_as_a_variant_is_the_main_model() -> None:
    world = random_world(9, countries=3, sectors=2)
    shock = struck(world, 10)
    economy = main_economy(world, "zero")
    bare = equilibrium(economy, 1.0 + shock.tariff_rate_cf.to_numpy())
    expected = solve(world, shock, closure="zero")
    np.testing.assert_allclose(np.exp(bare.x[:3]), expected.values["wage_hat"], rtol=1e-7)


def test_a_rebased_economy_has_no_transfers() -> None:
    economy = rebase_variant(profits_economy(profits_world(11)))
    np.testing.assert_allclose(economy.world.deficit, 0.0, atol=1e-9 * float(economy.world.imports.max()))
    np.testing.assert_allclose(solve_variant(economy).values["welfare_hat"], 1.0, atol=1e-9)


def test_worlds_that_do_not_fit_are_refused_with_every_reason() -> None:
    world = random_world(12, countries=3, sectors=2, scale=0.5)
    with pytest.raises(InputError, match="2 problems"):
        profits_economy(world)
    with pytest.raises(InputError, match=r"fixed_nominl.*did you mean 'fixed_nominal'"):
        profits_economy(profits_world(1), "fixed_nominl")
    with pytest.raises(InputError, match="4 problems"):
        margin_economy(world, 1.5)
    with pytest.raises(LabelError, match="did you mean 'C0'"):
        margin_economy(margin_world(1), {"c0": 0.1})
    with pytest.raises(InputError, match="value_added_share"):
        margin_economy(margin_world(1), 0.1, value_added_share=0.0)


def test_a_variant_refuses_what_it_does_not_hold() -> None:
    economy = profits_economy(profits_world(1))
    shock = Shock.none(economy.world).with_productivity(1.1, country="C0")
    with pytest.raises(InputError, match=r"productivity_hat changes; use counterpoise\.solver\.solve"):
        solve_variant(economy, shock)
    with pytest.raises(InputError, match="only"):
        rebase_variant(margin_economy(margin_world(1), NU))
