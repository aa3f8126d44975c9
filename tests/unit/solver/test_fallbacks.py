"""Large shocks end in an equilibrium, by whichever way; Newton-Krylov agrees; nothing that failed looks solved."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, NotConvergedError
from counterpoise.model import baseline_of, closure_named
from counterpoise.model.parts import FixedLabour
from counterpoise.solver import Anderson, NewtonKrylov, equilibria, rebase, solve
from counterpoise.solver.kernel import approach
from tests.unit.core.test_world import small_world

WORLD = small_world()
NONE = Shock.none(WORLD)


def test_newton_krylov_finds_what_anderson_finds_in_a_few_steps() -> None:
    shock = NONE.with_tariff(0.5, destination="BBB").with_export_tax(0.1, origin="CCC")
    one, other = solve(WORLD, shock, rtol=1e-12), solve(WORLD, shock, solver="newton_krylov", rtol=1e-12)
    np.testing.assert_allclose(other.welfare_hat, one.welfare_hat, rtol=1e-11)
    assert other.solver == "newton_krylov"
    assert other.iterations < 12


def test_newton_krylov_options_out_of_range_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        NewtonKrylov(rtol=0, max_steps=0, krylov=0, restarts=0, step_limit=0)
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize("theta", [4.0, 65.0])
def test_a_duty_of_500_percent_on_everything_converges(theta: float) -> None:
    world = small_world(trade_elasticity=theta)
    found = solve(world, Shock.none(world).with_tariff(5.0), closure="zero")
    assert found.max_residual <= 1e-9


def test_an_embargo_on_the_largest_supplier_converges() -> None:
    flow = WORLD.flow.to_numpy().sum(axis=2)
    assert flow[1, 0] < flow[2, 0]
    found = solve(WORLD, NONE.with_embargo(origin="CCC", destination="AAA"))
    assert found.max_residual <= 1e-9
    assert float(found.flow_cf.sel(origin="CCC", destination="AAA").sum()) == 0.0


def test_a_surplus_that_can_no_longer_be_delivered_is_refused() -> None:
    """CCC must export more than it imports, and nobody may buy from it."""
    cut = NONE.with_embargo(origin="CCC", destination=["AAA", "BBB"])
    with pytest.raises(NotConvergedError, match="the worst condition is"):
        solve(WORLD, cut)


def test_autarky_ends_all_trade_and_costs_what_the_formula_says() -> None:
    """Real income falls by the domestic share to the power 1/theta (Arkolakis, Costinot and Rodriguez-Clare 2012)."""
    flow = WORLD.flow.to_numpy().sum(axis=2, keepdims=True)
    raw = World.from_arrays(countries=WORLD.countries, sectors=("all",), flow=flow, trade_elasticity=4.0)
    world = rebase(raw, "zero")
    foreign = ~np.eye(3, dtype=bool)[:, :, None]
    found = solve(world, Shock(world, embargo=foreign), closure="zero")
    home = np.diagonal(world.expenditure_share.to_numpy()[:, :, 0])
    np.testing.assert_allclose(found.welfare_hat, home**0.25, rtol=1e-8)
    assert float(found.exports_cf.sum()) == 0.0


def test_autarky_with_deficits_to_pay_is_refused_not_invented() -> None:
    foreign = ~np.eye(3, dtype=bool)[:, :, None] & np.ones(2, dtype=bool)
    with pytest.raises(NotConvergedError, match=r"the worst condition is|is not positive"):
        solve(WORLD, Shock(WORLD, embargo=foreign))


def test_where_the_first_solver_stops_short_the_next_one_goes_on_and_is_named() -> None:
    weak = dataclasses.replace(Anderson(), memory=0, step_limit=1e-3)
    shock = NONE.with_tariff(5.0)
    found = solve(WORLD, shock, closure="zero", solver=weak)
    assert found.solver.startswith("anderson, then newton_krylov")
    np.testing.assert_allclose(found.welfare_hat, solve(WORLD, shock, closure="zero").welfare_hat, rtol=1e-7)


def test_a_failed_approach_says_how_far_it_came() -> None:
    flow = np.array([[1.0, 5.0, 4.0], [0.5, 20.0, 1.0], [0.5, 1.0, 20.0]])[:, :, None] * 1e9
    world = World.from_arrays(countries=("AAA", "BBB", "CCC"), sectors=("all",), flow=flow, trade_elasticity=4.0)
    ruined = Shock.none(world).with_productivity(0.5, country="AAA")
    found = approach(
        world,
        ruined,
        baseline_of(world),
        closure_named("fixed_world_share", world.countries),
        FixedLabour(),
        Anderson(),
    )
    assert 0.0 < found.followed < 1.0
    with pytest.raises(NotConvergedError, match=r"Steps towards the shock end \d+ % of the way"):
        solve(world, ruined)


def twins(strength: float) -> World:
    """Two alike countries; one of two sectors has scale economies of ``strength`` = scale x trade elasticity."""
    flow = np.array([[8.0, 2.0], [2.0, 8.0]])[:, :, None] * np.ones(2) * 1e9
    return World.from_arrays(
        countries=("A", "B"),
        sectors=("x", "y"),
        flow=flow,
        trade_elasticity=4.0,
        scale_elasticity=np.array([strength / 4.0, 0.0]),
    )


def test_strong_scale_economies_have_several_equilibria_and_all_are_shown() -> None:
    found = equilibria(twins(1.8), starts=12)
    assert not found.unique_by_theory
    assert len(found.solutions) == 3
    assert all(s.converged and s.max_residual <= 1e-9 for s in found.solutions)
    np.testing.assert_allclose(found.solutions[0].welfare_hat, 1.0, rtol=1e-8)
    welfare = np.array([s.welfare_hat.to_numpy() for s in found.solutions[1:]])
    np.testing.assert_allclose(welfare[0], welfare[1][::-1], rtol=1e-6)
    assert sum(found.met) + found.failed == found.starts
    assert "not unique by theory" in repr(found)


def test_within_the_bound_every_start_leads_to_the_same_equilibrium() -> None:
    found = equilibria(twins(0.8), Shock.none(twins(0.8)).with_tariff(0.3, destination="A"), starts=8)
    assert found.unique_by_theory
    assert len(found.solutions) == 1
    assert found.met == (8,)


def test_at_the_bound_solve_still_works_and_above_it_points_to_the_search() -> None:
    assert "unique" in solve(twins(1.0), Shock.none(twins(1.0)).with_tariff(0.1, destination="A")).technology
    with pytest.raises(InputError, match=r"counterpoise\.solver\.equilibria"):
        solve(twins(1.2))
