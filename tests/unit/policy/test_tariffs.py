"""Tariff choices: brute force, exact gradients, certificates that can fail, ties, bounds, talks, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError, NotConvergedError
from counterpoise.policy.talks import cooperative_tariffs
from counterpoise.policy.tariff_sweeps import choice_of, own_gradients
from counterpoise.policy.tariffs import BOUNDS, best_response_gains, nash_tariffs, optimal_tariff
from counterpoise.solver import solve
from counterpoise.solver.main_variant import main_economy
from counterpoise.solver.variants import Economy, equilibrium, profits_economy, rebase_variant, solve_variant
from tests.reference.worlds import random_world

ELASTICITY = 4.0


@cache
def twins() -> Economy:
    """Two equal countries and one sector: home sales 3, trade 1 each way, theta 4, fixed varieties with profits."""
    flow = np.array([[3.0, 1.0], [1.0, 3.0]])[:, :, None] * 1e9
    world = World.from_arrays(countries=["A", "B"], sectors=["goods"], flow=flow, trade_elasticity=ELASTICITY)
    return profits_economy(world)


@cache
def linked() -> Economy:
    """Three countries and two sectors with input-output links, under the main model."""
    return main_economy(random_world(21, countries=3, sectors=2, zeros=0.0))


# JAX does not annotate these; what comes out is typed where it is used.
linear = cast("Callable[[Array, Array], Array]", jnp.linalg.solve)
jacobian = cast("Callable[[Callable[..., Array]], Callable[..., Array]]", jax.jacfwd)
slope_of = cast("Callable[[Callable[..., Array]], Callable[..., Array]]", jax.grad)
compiled = cast("Callable[[Callable[..., Array]], Callable[..., Array]]", jax.jit)


def welfare(economy: Economy, country: str, **rates: float) -> float:
    """Return the welfare of a country where each named country has one tariff on all its imports."""
    shock = Shock.none(economy.world)
    for name, rate in rates.items():
        shock = shock.with_tariff(rate, destination=name)
    found = solve_variant(economy, shock)
    return float(found.welfare_hat.sel(country=country))


def test_the_optimum_is_the_best_of_a_grid() -> None:
    """One sector, one partner: no rate on a fine grid is better, and the best of the grid lies beside the optimum."""
    found = optimal_tariff(twins(), "A")
    rate = float(found.tariff_rate.sel(origin="B", sector="goods"))
    grid = np.linspace(0.0, 0.6, 61)
    values = [welfare(twins(), "A", A=float(r)) for r in grid]
    best = welfare(twins(), "A", A=rate)
    assert best >= max(values)
    assert abs(rate - grid[int(np.argmax(values))]) <= 0.01
    assert welfare(twins(), "A", A=rate + 1e-3) < best > welfare(twins(), "A", A=rate - 1e-3)
    assert found.welfare_pct == pytest.approx(100.0 * (best - 1.0), abs=1e-9)
    assert found.first_order_gap <= 1e-9


def test_a_small_country_takes_the_inverse_of_the_elasticity_of_demand_for_its_goods() -> None:
    """Foreign supply is elastic to a small country, and demand for its goods has elasticity theta + 1.

    Its optimal tariff is then 1 / theta, the best mark-up of who sells against elasticity theta + 1.
    """
    small = 1e-5
    flow = np.array([[2 * small, small], [small, 1.0]])[:, :, None] * 1e12
    world = World.from_arrays(countries=["A", "B"], sectors=["goods"], flow=flow, trade_elasticity=ELASTICITY)
    found = optimal_tariff(profits_economy(world), "A")
    assert float(found.tariff_rate.sel(origin="B", sector="goods")) == pytest.approx(1.0 / ELASTICITY, abs=1e-4)


def test_nash_tariffs_of_equal_countries_are_equal_and_best_answers_on_a_grid() -> None:
    found = nash_tariffs(twins())
    a, b = (float(found.tariff_rate.sel(origin=o, destination=d, sector="goods")) for o, d in (("B", "A"), ("A", "B")))
    assert a == pytest.approx(b, abs=1e-8)
    held = welfare(twins(), "A", A=a, B=b)
    assert max(welfare(twins(), "A", A=float(r), B=b) for r in np.linspace(0.0, 0.8, 41)) <= held
    assert found.max_gain_pct == pytest.approx(0.0, abs=1e-7)  # percent; conditions hold to 1e-9
    assert found.welfare_pct["A"] == pytest.approx(found.welfare_pct["B"], abs=1e-8)
    assert found.welfare_pct["A"] < 0


def test_the_certificate_finds_who_gains_by_deviating() -> None:
    """With one tariff moved away from the Nash equilibrium, its owner gains exactly what the grid says it does."""
    nash = nash_tariffs(twins(), certify=False)
    a, b = (float(nash.tariff_rate.sel(origin=o, destination=d, sector="goods")) for o, d in (("B", "A"), ("A", "B")))
    moved = nash.solution.shock.with_tariff(a + 0.1, destination="A")
    gains = best_response_gains(twins(), moved)
    grid = [welfare(twins(), "A", A=float(r), B=b) for r in np.linspace(a - 0.02, a + 0.02, 41)]
    assert gains["A"] == pytest.approx(100.0 * (max(grid) / welfare(twins(), "A", A=a + 0.1, B=b) - 1.0), abs=1e-5)
    assert gains["A"] > 1e-3
    assert gains["B"] > 0
    assert all(np.isnan(value) for value in nash.gain_pct.values())


@pytest.mark.parametrize("economy", [twins, linked])
def test_gradients_are_those_of_finite_differences(economy: Callable[[], Economy]) -> None:
    """Both sides by the implicit function: an adjoint here, equilibria polished by Newton steps there."""
    bound = economy()
    variant, base = bound.variant, bound.base
    factor = 1.0 + bound.in_force.tariff_rate_cf.to_numpy()
    with jax.enable_x64(True):

        def system(x: Array, moved: Array) -> Array:
            return variant.system(x, variant.maps(moved, base), base)

        def aim(x: Array, moved: Array) -> Array:
            return variant.log_welfare(x, variant.maps(moved, base), base)[0]

        zero, welfare_of = compiled(system), compiled(aim)
        held = jnp.asarray(factor)
        x = equilibrium(bound, factor).x
        slopes = compiled(jacobian(system))(x, held)
        for _ in range(3):
            x = x - linear(slopes, zero(x, held))
        adjoint = linear(slopes.T, compiled(slope_of(aim))(x, held))[None]
        one = jnp.ones((1, 1))
        exact = np.asarray(own_gradients(base, jnp.log(held), jnp.array([0]), x, adjoint, one, variant))[:, 0]

        def log_welfare(i: int, s: int, step: float) -> float:
            moved, y = held.at[i, 0, s].multiply(np.exp(step)), x
            for _ in range(8):
                y = y - linear(slopes, zero(y, moved))
            assert float(jnp.max(jnp.abs(zero(y, moved)))) < 1e-13
            return float(welfare_of(y, moved))

        for i in range(1, len(bound.world.countries)):
            for s in range(len(bound.world.sectors)):
                wide, narrow = (
                    (log_welfare(i, s, step) - log_welfare(i, s, -step)) / (2 * step) for step in (2e-3, 1e-3)
                )
                # Richardson's extrapolation: what is left is of fourth order in the step.
                assert exact[i, s] == pytest.approx((4 * narrow - wide) / 3, rel=1e-6, abs=1e-10)


def test_under_input_output_links_no_neighbour_is_better() -> None:
    """Random moves of the chosen tariffs, small and large, never raise welfare."""
    economy = linked()
    found = optimal_tariff(economy, "C0", starts=(0.0, 0.5))
    # One start may end at a minimum, which is not counted; those that count agree.
    assert found.starts == 3
    assert found.starts_settled >= 2
    assert found.spread_pct <= 1e-6
    best = float(found.solution.welfare_hat.sel(country="C0"))
    assert found.in_force_pct < found.welfare_pct
    rng = np.random.default_rng(5)
    factor = 1.0 + found.solution.shock.tariff_rate_cf.to_numpy()
    for size in (0.003, 0.03, 0.3):
        for _ in range(5):
            moved = factor.copy()
            moved[1:, 0] *= np.exp(size * rng.normal(size=(2, 2)))
            other = solve(economy.world, economy.with_tariffs(moved, "moved"))
            assert float(other.welfare_hat.sel(country="C0")) < best


def test_a_shared_rate_is_the_best_of_a_grid_and_no_better_than_single_ones() -> None:
    economy = linked()
    free = optimal_tariff(economy, "C0")
    tied = {tie: optimal_tariff(economy, "C0", tie=tie) for tie in ("sector", "partner", "uniform")}  # type: ignore[arg-type]
    rates = tied["uniform"].tariff_rate.to_numpy()[1:]
    assert np.ptp(rates) <= 1e-12
    assert np.ptp(tied["sector"].tariff_rate.to_numpy()[1:], axis=0).max() <= 1e-12
    assert np.ptp(tied["partner"].tariff_rate.to_numpy()[1:], axis=1).max() <= 1e-12
    grid = [welfare(economy, "C0", C0=float(r)) for r in np.linspace(0.0, 1.0, 21)]
    assert 1.0 + tied["uniform"].welfare_pct / 100.0 >= max(grid)
    assert free.welfare_pct >= max(found.welfare_pct for found in tied.values())
    assert min(tied["sector"].welfare_pct, tied["partner"].welfare_pct) >= tied["uniform"].welfare_pct


def test_only_the_lines_asked_for_move_and_a_cap_holds() -> None:
    economy = linked()
    cap = 0.05
    found = optimal_tariff(economy, "C0", partners=["C1"], sectors=["s1"], bounds=(0.0, cap))
    assert int(found.chosen.sum()) == found.at_bound == 1
    assert float(found.tariff_rate.sel(origin="C1", sector="s1")) == pytest.approx(cap, abs=1e-12)
    kept = found.solution.shock.tariff_rate_cf.to_numpy().copy()
    before = economy.world.tariff_rate.to_numpy()
    kept[1, 0, 1] = before[1, 0, 1]
    np.testing.assert_array_equal(kept, before)
    row = found.table().iloc[0]
    assert (row["origin"], row["destination"], row["sector"]) == ("C1", "C0", "s1")


def test_a_background_is_kept() -> None:
    """Frictions and an embargo in force stay, and the closed line is not chosen."""
    world = linked().world
    background = Shock.none(world).with_iceberg_cost(1.3, origin="C1", destination="C0")
    background = background.with_embargo(origin="C2", destination="C0", sector="s0")
    found = optimal_tariff(main_economy(world, background=background), "C0")
    assert not bool(found.chosen.sel(origin="C2", sector="s0"))
    assert float(found.solution.flow_cf.sel(origin="C2", destination="C0", sector="s0")) == 0.0
    np.testing.assert_array_equal(found.solution.shock.iceberg_cost_hat, background.iceberg_cost_hat)
    expected = solve(world, found.solution.shock)
    np.testing.assert_allclose(found.solution.welfare_hat, expected.welfare_hat, rtol=1e-8)


def test_a_trade_war_under_input_output_links_is_certified() -> None:
    found = nash_tariffs(linked(), ["C0", "C1"])
    assert found.max_gain_pct <= 1e-6
    assert found.first_order_gap <= 1e-9
    untouched = found.tariff_rate.sel(destination="C2")
    np.testing.assert_array_equal(untouched, linked().world.tariff_rate.sel(destination="C2"))


def test_talks_give_all_the_same_and_leave_nothing_on_the_table() -> None:
    """From the trade war, equal countries agree on free trade; no random move makes both better off."""
    war = nash_tariffs(twins(), certify=False)
    shock = war.solution.shock
    found = cooperative_tariffs(twins(), background=shock, start=Shock.none(twins().world))
    assert found.gain_pct["A"] == pytest.approx(found.gain_pct["B"], abs=1e-7)
    assert found.gain_pct["A"] == pytest.approx(100.0 / (1.0 + war.welfare_pct["A"] / 100.0) - 100.0, abs=1e-6)
    assert found.spread_pct <= 1e-6
    np.testing.assert_allclose(found.tariff_rate, 0.0, atol=1e-6)
    assert min(found.weight.values()) > 0
    best = found.solution.values["welfare_hat"]
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.normal(scale=0.05, size=2)
        other = solve_variant(
            twins(), Shock.none(twins().world).with_tariff(a, destination="A").with_tariff(b, destination="B")
        )
        assert np.min(other.values["welfare_hat"] - best) < 1e-12


def test_the_joint_rule_maximises_the_weighted_sum() -> None:
    found = cooperative_tariffs(twins(), rule="joint", weights=[2.0, 1.0])
    weight = np.array([2.0, 1.0]) / 3.0
    best = weight @ np.log(found.solution.values["welfare_hat"])
    assert found.gain_pct["A"] > 0 > found.gain_pct["B"]
    factor = 1.0 + found.tariff_rate.to_numpy()
    rng = np.random.default_rng(4)
    for _ in range(10):
        moved = factor.copy()
        moved[[1, 0], [0, 1]] *= np.exp(0.02 * rng.normal(size=(2, 1)))
        other = solve_variant(twins(), twins().with_tariffs(moved, "moved"))
        assert weight @ np.log(other.values["welfare_hat"]) < best


def test_the_second_order_conditions_hold_at_an_optimum() -> None:
    found = optimal_tariff(twins(), "A", second_order=True)
    assert found.curvature < 0


def test_what_cannot_be_chosen_is_refused() -> None:
    economy = twins()
    with pytest.raises(LabelError, match="did you mean 'A'"):
        optimal_tariff(economy, "a")
    with pytest.raises(InputError, match="did you mean 'uniform'"):
        optimal_tariff(economy, "A", tie="unifrm")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="bounds"):
        optimal_tariff(economy, "A", bounds=(0.1, 0.2))
    with pytest.raises(InputError, match="A can move no tariff"):
        optimal_tariff(economy, "A", partners=["A"])
    with pytest.raises(InputError, match="stands twice"):
        nash_tariffs(economy, ["A", "A"])
    with pytest.raises(InputError, match="there is none"):
        nash_tariffs(economy, [])
    with pytest.raises(InputError, match="4 problems"):
        cooperative_tariffs(economy, ["A"], rule="fair", weights=[-1.0])  # type: ignore[arg-type]


def test_choices_hold_only_traded_foreign_lines() -> None:
    economy = rebase_variant(profits_economy(random_world(31, countries=3, sectors=2, inputs=False, zeros=0.4)))
    choice = choice_of(economy, (0, 2), partners=None, sectors=None, tie="line", bounds=BOUNDS)
    assert not choice.free[[0, 2], [0, 1]].any()
    assert not choice.free[economy.world.flow.to_numpy()[:, [0, 2]] == 0].any()


def test_where_no_best_tariff_exists_the_error_says_why() -> None:
    """A country that is paid half of what it spends wants no trade at all: there is no highest tariff."""
    flow = np.array([[1.0, 0.01], [1.0, 3.0]])[:, :, None] * 1e9
    world = World.from_arrays(countries=["A", "B"], sectors=["goods"], flow=flow, trade_elasticity=ELASTICITY)
    with pytest.raises(NotConvergedError, match="fixed transfers"):
        optimal_tariff(profits_economy(world), "A", bounds=(0.0, 1e9))
