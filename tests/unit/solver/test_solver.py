"""`solve`: it converges on the residual, keeps its promises about failure, and its parts are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError, NotConvergedError, UnbalancedError
from counterpoise.model import FixedNominal
from counterpoise.solver import Anderson, linearised_welfare, midpoint_welfare, path_decomposition, rebase, solve
from tests.unit.core.test_world import small_world

WORLD = small_world()
DUTY = Shock.none(WORLD).with_tariff(0.5, origin="AAA", destination="BBB")


def test_a_solution_satisfies_every_condition_to_the_tolerance() -> None:
    solution = solve(WORLD, DUTY)
    assert solution.status == "converged"
    assert solution.max_residual < 1e-8
    assert set(solution.residuals) == {"price_index", "goods_market", "labour_market", "labour_supply", "budget"}


def test_the_taxed_exporter_sells_less_to_the_taxing_country_and_more_elsewhere() -> None:
    solution = solve(WORLD, DUTY)
    ratio = solution.flow_cf / WORLD.flow
    assert float(ratio.sel(origin="AAA", destination="BBB").max()) < 0.5
    assert float(ratio.sel(origin="AAA", destination="CCC").min()) > 1.0


def test_the_numeraire_is_world_value_added() -> None:
    solution = solve(WORLD, DUTY)
    value_added = (WORLD.value_added_share * solution.gross_output_cf).sum()
    assert float(value_added) == pytest.approx(float(WORLD.value_added.sum()), rel=1e-9)


def test_plain_iteration_and_acceleration_agree() -> None:
    fast, plain = solve(WORLD, DUTY, rtol=1e-12), solve(WORLD, DUTY, solver="plain", rtol=1e-12)
    np.testing.assert_allclose(fast.welfare_hat, plain.welfare_hat, rtol=1e-11)
    assert fast.iterations < plain.iterations / 2


@pytest.mark.parametrize("closure", ["fixed_world_share", "zero", "fixed_nominal", FixedNominal(country="AAA")])
def test_counterfactual_deficits_are_those_of_the_closure(closure: str | FixedNominal) -> None:
    base = rebase(WORLD, "zero") if closure == "zero" else WORLD
    solution = solve(base, Shock(base, tariff_rate_cf=DUTY.tariff_rate_cf), closure=closure)
    if closure == "zero":
        expected = np.zeros(3)
    elif closure == "fixed_world_share":
        expected = WORLD.deficit * float(solution.gross_output_cf.sum() / WORLD.gross_output.sum())
    elif closure == "fixed_nominal":
        expected = WORLD.deficit
    else:
        expected = WORLD.deficit * float(solution.wage_hat.sel(country="AAA"))
    np.testing.assert_allclose(solution.deficit_cf, expected, atol=1e-6)


def test_a_closure_that_does_not_add_up_over_the_world_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="do not sum to zero over the world"):
        solve(WORLD, DUTY, closure="own_value_added_share")


@pytest.mark.parametrize(
    ("option", "words"), [({"closure": "fixed_world"}, "fixed_world_share"), ({"solver": "newtn"}, "Known: anderson")]
)
def test_unknown_parts_are_met_with_the_known_ones(option: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        solve(WORLD, DUTY, **option)  # pyright: ignore[reportArgumentType]


def test_solver_options_out_of_range_are_all_named() -> None:
    with pytest.raises(InputError, match=r"rtol = 0.*memory = -1") as caught:
        Anderson(rtol=0, memory=-1)
    assert len(caught.value.problems) == 2


def test_an_unbalanced_world_is_refused() -> None:
    with pytest.raises(UnbalancedError, match="does not balance"):
        solve(small_world(consumption_share=np.array([[0.9, 0.1]] * 3)))


def test_a_shock_for_other_labels_is_refused() -> None:
    with pytest.raises(LabelError):
        solve(WORLD.permute(["BBB", "AAA", "CCC"]), DUTY)


def test_too_few_steps_raise_and_say_which_condition_is_worst_where() -> None:
    with pytest.raises(NotConvergedError, match=r"the worst condition is \w+ at \w{3}") as caught:
        solve(WORLD, DUTY, solver=Anderson(max_steps=2))
    assert caught.value.exit_code == 4
    assert caught.value.solution.status == "max_steps"


def test_without_throw_a_failed_solve_never_calls_itself_converged() -> None:
    solution = solve(WORLD, DUTY, solver=Anderson(max_steps=2), throw=False)
    assert solution.status == "max_steps"
    assert not solution.converged


def test_a_buyer_without_any_supplier_is_impossible_and_named() -> None:
    cut_off = Shock.none(WORLD).with_embargo(origin=["BBB", "CCC"], destination="AAA", sector="grain")
    forbidden = cut_off.embargo.to_numpy().copy()
    forbidden[0, 0, 0] = True
    with pytest.raises(NotConvergedError, match="AAA has no supplier of grain left"):
        solve(WORLD, cut_off.with_array("embargo", forbidden))


def test_an_embargo_makes_the_flow_exactly_zero() -> None:
    solution = solve(WORLD, Shock.none(WORLD).with_embargo(origin="AAA", destination="BBB"))
    assert float(solution.flow_cf.sel(origin="AAA", destination="BBB").sum()) == 0.0


def test_a_purchase_programme_costs_the_buyer_what_it_pays() -> None:
    solution = solve(WORLD, Shock.none(WORLD).with_purchase_subsidy(0.2, origin="AAA", destination="BBB"))
    bought = float((solution.flow_cf * (1 + WORLD.tariff_rate)).sel(origin="AAA", destination="BBB").sum())
    assert float(solution.purchase_cost_cf.sel(country="BBB")) == pytest.approx(0.2 * bought)
    assert float(solution.welfare_hat.sel(country="BBB")) < float(solution.welfare_hat.sel(country="AAA"))


def test_linearisation_and_exact_change_agree_for_a_small_shock_only() -> None:
    small = solve(WORLD, Shock.none(WORLD).with_tariff(0.001, origin="AAA", destination="BBB", add=True))
    table = linearised_welfare(small)
    np.testing.assert_allclose(table["welfare_linearised_pct"], table["welfare_pct"], atol=2e-5)


def test_the_parts_of_the_exact_change_add_up_under_every_instrument() -> None:
    shock = (
        DUTY.with_iceberg_cost(1.2, origin="CCC", destination="AAA")
        .with_embargo(origin="BBB", destination="CCC", sector="cloth")
        .with_productivity(1.05, country="AAA", sector="grain")
        .with_purchase_subsidy(0.1, origin="AAA", destination="CCC", sector="grain")
    )
    parts = path_decomposition(WORLD, shock)
    np.testing.assert_allclose(parts.parts_pct.sum(axis=1), parts.welfare_pct, atol=1e-7)
    assert parts.parts_pct[0, 3] > 0


def test_the_midpoint_sum_converges_to_the_exact_change_of_log_real_income() -> None:
    base = rebase(WORLD, "zero")
    shock = Shock.none(base).with_tariff(0.5, origin="AAA", destination="BBB")
    exact = 100.0 * np.log(solve(base, shock, closure="zero").welfare_hat.to_numpy())
    errors = [np.abs(midpoint_welfare(base, shock, k, closure="zero") - exact).max() for k in (4, 8, 16)]
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(order, 2.0, atol=0.15)


def test_a_country_that_owes_more_than_it_earns_has_no_equilibrium() -> None:
    flow = np.array([[1.0, 5.0, 4.0], [0.5, 20.0, 1.0], [0.5, 1.0, 20.0]])[:, :, None] * 1e9
    world = World.from_arrays(countries=("AAA", "BBB", "CCC"), sectors=("all",), flow=flow, trade_elasticity=4.0)
    ruined = Shock.none(world).with_productivity(0.5, country="AAA")
    with pytest.raises(NotConvergedError, match="income of AAA is not positive"):
        solve(world, ruined)
    assert solve(world, ruined, throw=False).status == "negative_income"


def test_every_residual_of_a_converged_solution_is_within_the_tolerance() -> None:
    flow = np.array([[1.0, 5.0, 4.0], [0.5, 20.0, 1.0], [0.5, 1.0, 20.0]])[:, :, None] * 1e9
    world = World.from_arrays(countries=("AAA", "BBB", "CCC"), sectors=("all",), flow=flow, trade_elasticity=4.0)
    solution = solve(world, Shock.none(world).with_productivity(1 / 1.3, country="AAA"))
    assert solution.max_residual <= 1e-9


def test_scale_economies_beyond_the_bound_of_uniqueness_are_refused() -> None:
    with pytest.raises(InputError, match="need not be unique"):
        solve(small_world(scale_elasticity=0.3))
