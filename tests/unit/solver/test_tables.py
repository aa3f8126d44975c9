"""Closures side by side, and structural gravity's resistances, against what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import LabelError
from counterpoise.solver import compare_closures, gradient, solve
from tests.reference.worlds import random_world
from tests.unit.core.test_world import small_world


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


@pytest.fixture(scope="module")
def shock(world: World) -> Shock:
    return Shock.none(world).with_tariff(0.5, origin="AAA", destination="BBB").with_iceberg_cost(1.2, origin="CCC")


def test_closures_side_by_side_keep_their_own_promises_and_the_worlds_balance(world: World, shock: Shock) -> None:
    compared = compare_closures(world, shock)
    assert set(compared.solutions) == {"fixed_world_share", "zero", "fixed_nominal"}
    deficit = {name: solution.deficit_cf.to_numpy() for name, solution in compared.solutions.items()}
    size = float(world.flow.sum())
    assert np.abs(world.deficit).max() > 1e-3 * size
    np.testing.assert_allclose(deficit["zero"], 0.0, atol=1e-8 * size)
    np.testing.assert_allclose(deficit["fixed_nominal"], world.deficit, atol=1e-8 * size)
    share = {
        name: solution.deficit_cf.to_numpy() / float((world.value_added_share * solution.gross_output_cf).sum())
        for name, solution in compared.solutions.items()
    }
    before = world.deficit.to_numpy() / float(world.value_added.sum())
    np.testing.assert_allclose(share["fixed_world_share"], before, atol=1e-9)

    table = compared.world_table().set_index("closure")
    assert (table["deficits_sum_relative"].abs() < 1e-8).all()
    assert (table["status"] == "converged").all()
    refused = compared.solutions["fixed_nominal"]
    paid_by_nobody = float((world.deficit * refused.wage_hat * refused.labour_hat).sum())
    assert table.loc["fixed_nominal", "own_value_added_share_gap_usd"] == pytest.approx(paid_by_nobody)
    assert abs(paid_by_nobody) > 1e-6 * size

    rows = compared.countries_table()
    assert len(rows) == 3 * len(world.countries)
    nominal = rows[rows["closure"] == "fixed_nominal"].set_index("country")
    alone = solve(world, shock, closure="fixed_nominal")
    np.testing.assert_allclose(nominal["welfare_pct"], 100 * (alone.welfare_hat - 1), rtol=1e-9)
    np.testing.assert_allclose(nominal["deficit_change_usd"], 0.0, atol=1e-8 * size)


def gravity_by_loops(solution: Solution, sector: int, reference: int) -> tuple[np.ndarray, np.ndarray]:
    """Solve Anderson and van Wincoop's system for one sector, term by term, given only outputs, spending and costs.

    Its two equations, with x = Pi^-theta and y = P^-theta, both over the base year's::

        x_i = sum_j k_ij E_j / (1 + t_ij) / Y_w / y_j,    y_j = sum_i k_ij Y_i / Y_w / x_i
    """
    world, moved = solution.world, solution.shock
    n, theta = len(world.countries), float(world.trade_elasticity[sector])

    def resistances(output: np.ndarray, spent: np.ndarray, duty: np.ndarray, cost: np.ndarray) -> np.ndarray:
        x, y = np.ones(n), np.ones(n)
        for _ in range(2000):
            for i in range(n):
                x[i] = sum(cost[i, j] * spent[j] / (1 + duty[i, j]) / y[j] for j in range(n)) / output.sum()
            for j in range(n):
                y[j] = sum(cost[i, j] * output[i] / x[i] for i in range(n) if x[i] > 0) / output.sum()
        return np.stack([x, y]) ** (-1.0 / theta)

    before, after = world.tariff_rate.to_numpy()[:, :, sector], moved.tariff_rate_cf.to_numpy()[:, :, sector]
    share = world.flow.to_numpy()[:, :, sector] * (1 + before) / world.expenditure.to_numpy()[:, sector]
    dearer = (1 + after) / (1 + before) * moved.iceberg_cost_hat.to_numpy()[:, :, sector]
    paid = (solution.flow_cf.to_numpy()[:, :, sector] * (1 + after)).sum(axis=0)
    base = resistances(world.gross_output.to_numpy()[:, sector], world.expenditure.to_numpy()[:, sector], before, share)
    then = resistances(solution.gross_output_cf.to_numpy()[:, sector], paid, after, share * dearer**-theta)
    outward, inward = then / base
    return inward / inward[reference], outward * inward[reference]


@pytest.mark.parametrize("reference", [0, 2])
def test_resistances_solve_structural_gravity(world: World, shock: Shock, reference: int) -> None:
    solution = solve(world, shock, rtol=1e-12)
    table = solution.resistances_table(world.countries[reference])
    for k, sector in enumerate(world.sectors):
        inward, outward = gravity_by_loops(solution, k, reference)
        rows = table[table["sector"] == sector]
        assert rows["country"].tolist() == list(world.countries)
        np.testing.assert_allclose(rows["inward_resistance_hat"].to_numpy(), inward, rtol=1e-8)
        np.testing.assert_allclose(rows["outward_resistance_hat"].to_numpy(), outward, rtol=1e-8)
        assert rows["inward_resistance_hat"].iloc[reference] == 1.0
    assert np.ptp(table["inward_resistance_hat"]) > 1e-3


def test_a_reference_must_be_known(world: World, shock: Shock) -> None:
    solution = solve(world, shock)
    with pytest.raises(LabelError, match="did you mean 'AAA'"):
        solution.resistances_table("AAB")


def test_elasticities_move_outcomes_as_their_derivatives_say() -> None:
    world = random_world(3, 3, 2, scale=0.3)
    shock = Shock.none(world).with_tariff(0.4, destination="C0").with_iceberg_cost(1.3, origin="C2")
    found = gradient(solve(world, shock, rtol=1e-13), ("welfare_hat", "C0"))
    for name in ("trade_elasticity", "scale_elasticity"):
        slopes, base = getattr(found, name).to_numpy(), getattr(world, name).to_numpy()
        for s in range(len(world.sectors)):
            step = 1e-3 * np.eye(len(base))[s] * base
            value = [
                float(solve(world.with_changes(**{name: base + k * step}), shock, rtol=1e-13).welfare_hat[0])
                for k in (-2, -1, 1, 2)
            ]
            expected = (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / (12 * step[s])
            assert slopes[s] == pytest.approx(expected, abs=1e-6 * np.abs(slopes).max())
        assert np.abs(slopes).max() > 1e-4
