"""A model that is named: what it makes of world and shock, against worlds made by hand and the solvers themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from counterpoise.core import ModelChoice, Shock, Solution, World
from counterpoise.core.errors import InputError
from counterpoise.core.reduction import one_sector_world, shaped_world
from counterpoise.model import ElasticLabour, SectorLabour
from counterpoise.solver import solve
from counterpoise.solver.variants import margin_economy, profits_economy, solve_variant
from tests.reference.worlds import random_world

RATE = 0.2


@pytest.fixture(scope="module")
def world() -> World:
    return random_world(5, countries=3, sectors=2)


@pytest.fixture(scope="module")
def shock(world: World) -> Shock:
    return Shock.none(world).with_tariff(RATE, origin="C0", destination="C1", add=True)


def bare(world: World) -> World:
    """Return the flows of a world without intermediate inputs, written out."""
    return World.from_arrays(
        countries=world.countries,
        sectors=world.sectors,
        flow=world.flow.to_numpy(),
        tariff_rate=world.tariff_rate.to_numpy(),
        trade_elasticity=world.trade_elasticity.to_numpy(),
    )


def agree(one: Solution, other: Solution) -> None:
    for name in ("welfare_hat", "wage_hat", "flow_cf"):
        np.testing.assert_allclose(one.values[name], other.values[name], rtol=1e-8)


def test_no_model_and_input_output_are_the_world_as_it_is(world: World, shock: Shock) -> None:
    agree(solve(world, shock, model="input_output"), solve(world, shock))


def test_multi_sector_leaves_intermediate_inputs_out(world: World, shock: Shock) -> None:
    found = solve(world, shock, model="multi_sector")
    agree(found, solve(bare(world), shock))
    assert abs(found.values["welfare_hat"] - solve(world, shock).values["welfare_hat"]).max() > 1e-4
    assert found.technology == "multi-sector"
    np.testing.assert_allclose(found.world.deficit, world.deficit, rtol=1e-9)


def test_one_sector_keeps_revenue_and_deficits_and_takes_the_weighted_elasticity(world: World, shock: Shock) -> None:
    found = solve(world, shock, model="one_sector")
    made = found.world
    assert made.sectors == ("all",)
    np.testing.assert_allclose(made.tariff_revenue, world.tariff_revenue, rtol=1e-12)
    np.testing.assert_allclose(made.deficit, world.deficit, rtol=1e-9, atol=1.0)
    flow = world.flow.to_numpy() * (1.0 - np.eye(3))[:, :, None]
    weights = flow.sum(axis=(0, 1))
    theta = float(weights @ world.trade_elasticity.to_numpy() / weights.sum())
    assert float(made.trade_elasticity[0]) == pytest.approx(theta)
    added = found.shock.tariff_rate_cf.to_numpy() - made.tariff_rate.to_numpy()
    assert added[0, 1, 0] == pytest.approx(RATE)
    assert np.count_nonzero(np.abs(added) > 1e-15) == 1
    by_hand = World.from_arrays(
        countries=world.countries,
        sectors=["all"],
        flow=world.flow.to_numpy().sum(axis=2, keepdims=True),
        tariff_rate=made.tariff_rate.to_numpy(),
        trade_elasticity=4.0,
    )
    later = Shock.none(by_hand).with_tariff(RATE, origin="C0", destination="C1", add=True)
    agree(solve(world, shock, model=ModelChoice("one_sector", trade_elasticity=4.0)), solve(by_hand, later))


def test_fixed_varieties_is_the_economy_of_ossa(world: World, shock: Shock) -> None:
    found = solve(world, shock, model="fixed_varieties", closure="fixed_nominal")
    agree(found, solve_variant(profits_economy(bare(world), "fixed_nominal"), shock))
    assert "fixed varieties with profits" in found.technology


def test_a_distribution_margin_counts_new_duties_on_a_base_year_without(world: World, shock: Shock) -> None:
    model = ModelChoice(
        "distribution_margin",
        margin_rate={"C0": 0.3},
        trade_elasticity=4.0,
        scale_strength=0.5,
        labour_supply_elasticity=0.5,
        rebate="income_tax_relief",
    )
    found = solve(world, shock, model=model)
    made = one_sector_world(world, model)
    assert not made.tariff_rate.any()
    assert float(made.scale_elasticity[0]) == pytest.approx(0.125)
    before = one_sector_world(world, ModelChoice("one_sector")).tariff_rate.to_numpy()[0, 1, 0]
    duty = (1.0 + before + RATE) / (1.0 + before) - 1.0
    later = Shock.none(made).with_tariff(duty, origin="C0", destination="C1")
    economy = margin_economy(made, {"C0": 0.3}, ElasticLabour(0.5, "income_tax_relief"))
    agree(found, solve_variant(economy, later))


def test_scale_economies_and_labour_are_parts_of_the_choice(world: World, shock: Shock) -> None:
    scaled = world.with_changes(
        scale_elasticity=0.4 / world.trade_elasticity.to_numpy(), consumption_share=world.consumption_share
    )
    choice = ModelChoice(scale_strength=0.4, labour_mobility=2.0)
    agree(solve(world, shock, model=choice), solve(scaled, shock, labour=SectorLabour(2.0)))
    agree(solve(shaped_world(world, choice), shock, model=choice.beyond_world), solve(world, shock, model=choice))
    by_sector = ModelChoice(scale_elasticity={"s1": 0.05})
    assert shaped_world(world, by_sector).scale_elasticity.to_numpy() == pytest.approx([0.0, 0.05])


def test_a_shock_in_one_sector_is_the_trade_weighted_mean() -> None:
    world = random_world(7, countries=3, sectors=2, zeros=0.0)
    shock = Shock.none(world).with_iceberg_cost(1.2, origin="C1", destination="C2", sector="s0")
    shock = shock.with_purchase_subsidy(0.1, origin="C1", destination="C2", sector="s1").with_embargo(
        origin="C0", destination="C2"
    )
    found = solve(world, shock, model="one_sector").shock
    flow, rate = (a.to_numpy()[1, 2] for a in (world.flow, world.tariff_rate))
    assert found.iceberg_cost_hat.to_numpy()[1, 2, 0] == pytest.approx(1.0 + 0.2 * flow[0] / flow.sum())
    paid = flow * (1.0 + rate)
    assert found.purchase_subsidy_rate.to_numpy()[1, 2, 0] == pytest.approx(0.1 * paid[1] / paid.sum())
    assert np.argwhere(found.embargo.to_numpy()).tolist() == [[0, 2, 0]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"technology": "multisector"}, "did you mean 'multi_sector'?"),
        ({"technology": "distribution_margin"}, "margin_rate: is missing"),
        ({"margin_rate": 0.3}, "belongs to technology 'distribution_margin'"),
        ({"technology": "distribution_margin", "margin_rate": {"USA": 1.0}}, "margin_rate.USA: 1 is out of range"),
        ({"trade_elasticity": 4.0}, "give [trade_elasticity] by sector"),
        ({"scale_strength": 1.5}, "0 (constant returns) to 1 (Krugman)"),
        ({"scale_strength": 0.5, "scale_elasticity": 0.1}, "given beside scale_elasticity"),
        ({"technology": "one_sector", "scale_elasticity": {"food": 0.1}}, "give one number"),
        ({"technology": "fixed_varieties", "labour_supply_elasticity": 0.5}, "has no place in"),
        ({"technology": "one_sector", "labour_mobility": 1.0}, "has no place in"),
        ({"rebate": "income_tax_relief"}, "needs labour that answers"),
        ({"labour_mobility": 0.5}, "1 (no one changes sector) or more"),
    ],
)
def test_parts_that_do_not_go_together_are_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        ModelChoice(**given)
    assert words in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        ModelChoice("fixed_varieties", scale_strength=2.0, margin_rate=0.1, labour_mobility=0.0)
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("fixed_varieties", {}, "'fixed_world_share' does not go with technology 'fixed_varieties'"),
        ("fixed_varieties", {"closure": "zero", "rtol": 1e-6}, "has a solver of its own"),
        (ModelChoice(labour_mobility=1.0), {"labour": SectorLabour(1.0)}, "keep one"),
        ("one_sectors", {}, "did you mean 'one_sector'?"),
    ],
)
def test_options_that_do_not_fit_a_model_are_refused(
    world: World, shock: Shock, model: ModelChoice | str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        solve(world, shock, model=model, **options)
    assert words in str(caught.value)


def test_what_one_sector_cannot_hold_is_refused(world: World) -> None:
    changed = Shock.none(world).with_demand(1.1, country="C0", sector="s0")
    changed = changed.with_embargo(origin="C0", destination="C1", sector="s0")
    with pytest.raises(InputError) as caught:
        solve(world, changed, model="one_sector")
    assert "demand_hat changes" in str(caught.value)
    assert "C0 -> C1 covers a part of the pair's trade" in str(caught.value)
    freed = Shock.none(world).with_iceberg_cost(0.9, origin="C0", destination="C1")
    with pytest.raises(InputError, match="takes tariffs alone"):
        solve(world, freed, model="fixed_varieties", closure="zero")
