"""The cheapest package: known answers, brute force, prices, limits, and what is said when there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import counterpoise as cp
from counterpoise.core import World
from counterpoise.core.errors import InputError
from counterpoise.policy import (
    ContradictionError,
    InfeasibleError,
    TariffCut,
    close_gap,
    frontier_of,
    open_search,
    shares_of,
    shock_with,
)
from counterpoise.policy.levers import Lever
from counterpoise.solver import Anderson, solve, solve_batch
from tests.unit.policy.small import PAIR, programme, removal, small_world


def gap_with(world: World, levers: tuple[Lever, ...], values: tuple[float, ...]) -> float:
    return solve(world, shock_with(world, levers, values), rtol=1e-12).gap_cf_usd(*PAIR)


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


TWO = (removal("food road", "food", quadratic=2e9), removal("machine road", "machinery", quadratic=3e9, linear=1e8))


def test_one_lever_stands_where_the_target_is_just_met(world: World) -> None:
    lever = (removal("road", "food", quadratic=2e9),)
    found = close_gap(world, lever, PAIR, 2e8)
    before = gap_with(world, lever, (0.0,))
    value = brentq(lambda v: before - gap_with(world, lever, (v,)) - 2e8, 0.0, 1.0, xtol=1e-13)
    assert found.values[0] == pytest.approx(value, rel=1e-6)
    # Without any duty the fiscal cost is the curve alone, q v^2 / 2.
    assert found.cost_usd == pytest.approx(0.5 * 2e9 * value**2, rel=1e-6)
    slope = (gap_with(world, lever, (value - 1e-4,)) - gap_with(world, lever, (value + 1e-4,))) / 2e-4
    assert found.shadow_price == pytest.approx(2e9 * value / slope, rel=1e-5)
    assert found.status == "optimal"


def test_two_levers_agree_with_a_search_along_the_target(world: World) -> None:
    found = close_gap(world, TWO, PAIR, 4e8)
    before = gap_with(world, TWO, (0.0, 0.0))

    def second(first: float) -> float:
        return brentq(lambda v: before - gap_with(world, TWO, (first, v)) - 4e8, -0.5, 1.5, xtol=1e-13)

    def cost(first: float) -> float:
        return TWO[0].curve.at(first) + TWO[1].curve.at(second(first))

    best = minimize_scalar(cost, bounds=(0.05, 0.95), method="bounded", options={"xatol": 1e-7})
    assert found.cost_usd == pytest.approx(best.fun, rel=1e-6)
    assert found.values[0] == pytest.approx(best.x, abs=1e-4)


def test_the_shadow_price_is_the_slope_of_the_cost(world: World) -> None:
    levers = (*TWO, programme("order", "food"))
    target = 6e8
    found = close_gap(world, levers, PAIR, target, starts=1)
    step = 1e-3 * target
    more, less = (close_gap(world, levers, PAIR, target + sign * step, starts=1).cost_usd for sign in (1, -1))
    assert found.shadow_price == pytest.approx((more - less) / (2 * step), rel=1e-3)


def test_brute_force_finds_nothing_cheaper_in_random_cases() -> None:
    checked = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        world = small_world(int(rng.integers(4)), duty=0.0 if seed % 2 else 0.2)
        levers: tuple[Lever, ...] = (
            removal("road", "food", quadratic=rng.uniform(0.1, 5.0) * 1e9, linear=rng.uniform(-0.1, 0.3) * 1e9),
            programme("order", "machinery", upper=float(rng.uniform(0.1, 0.4))),
        )
        found = close_gap(world, levers, PAIR, float(rng.uniform(0.02, 0.05)), starts=1)
        side = np.linspace(0.0, 1.0, 9)
        grid = [(a * levers[0].upper, b * levers[1].upper) for a in side for b in side]
        batch = solve_batch(world, [shock_with(world, levers, values) for values in grid], solver=Anderson(rtol=1e-11))
        closed = batch.gap_cf_usd(*PAIR)[0] - batch.gap_cf_usd(*PAIR)
        revenue = batch.data["tariff_revenue_cf"].sel(country="AAA").to_numpy()
        cost = revenue[0] - revenue + np.array([levers[0].curve.at(values[0]) for values in grid])
        enough = closed >= found.target_usd
        assert found.status == "optimal", seed
        assert found.closed_usd >= found.target_usd * (1 - 1e-9), seed
        if enough.any():
            checked += 1
            assert found.cost_usd <= float(cost[enough].min()) + 1e-6 * found.gap_before_usd, seed
    assert checked > 150


def test_a_package_solved_by_itself_gives_what_it_says(world: World) -> None:
    levers = (*TWO, programme("order", "food"))
    found = close_gap(world, levers, PAIR, 0.06)
    alone = solve(world, found.shock, rtol=1e-12)
    assert alone.gap_cf_usd(*PAIR) == pytest.approx(found.gap_after_usd, rel=1e-9)
    lost = -float(alone.tariff_revenue_cf.sel(country="AAA"))
    curves = sum(lever.curve.at(v) for lever, v in zip(levers, found.values.tolist(), strict=True))
    assert found.fiscal_usd == pytest.approx(lost + curves, rel=1e-8)
    assert found.cost_usd == found.fiscal_usd
    assert sum(use.cost_usd for use in found.uses) + found.induced_usd == pytest.approx(found.fiscal_usd)


def test_a_floor_on_welfare_binds_and_is_kept(world: World) -> None:
    levers = (programme("order", "food", "machinery", upper=0.5), TWO[0])
    free = close_gap(world, levers, PAIR, 0.08, starts=1)
    assert free.welfare_pct["AAA"] < 0
    floor = 0.9 * free.welfare_pct["AAA"]
    held = close_gap(world, levers, PAIR, 0.08, welfare_floors={"AAA": floor}, starts=1)
    assert held.welfare_pct["AAA"] >= floor - 1e-6
    assert held.cost_usd >= free.cost_usd - 1.0
    assert held.status == "optimal"
    assert any("real income of AAA" in words for words in held.binding)


def test_a_limit_on_a_third_party_is_kept(world: World) -> None:
    levers = (programme("order", "food"), removal("machine road", "machinery", quadratic=9e9))
    free = close_gap(world, levers, PAIR, 0.06, starts=1)
    sold = world.flow.sel(origin="CCC", destination=list(PAIR)).sum()
    after = solve(world, free.shock).flow_cf.sel(origin="CCC", destination=list(PAIR)).sum()
    loss = float(sold - after)
    assert loss > 0
    held = close_gap(world, levers, PAIR, 0.06, third_party_limits={"CCC": 0.97 * loss}, starts=1)
    after = solve(world, held.shock).flow_cf.sel(origin="CCC", destination=list(PAIR)).sum()
    assert float(sold - after) <= 0.97 * loss * (1 + 1e-5)
    assert held.cost_usd > free.cost_usd


def test_an_unreachable_target_says_the_most_and_what_stops_it(world: World) -> None:
    with pytest.raises(InfeasibleError) as caught:
        close_gap(world, TWO, PAIR, 0.9)
    error = caught.value
    assert error.exit_code == 4
    most = gap_with(world, TWO, (0.0, 0.0)) - gap_with(world, TWO, (1.0, 1.0))
    assert error.max_closure_usd == pytest.approx(most, rel=1e-8)
    assert len(error.stops) == 2
    assert all("is at its bound, 1 (share of the obstacle)" in stop for stop in error.stops)
    assert "the largest closure that the levers and limits allow is" in str(error)


def test_contradictory_floors_are_refused_with_what_they_miss(world: World) -> None:
    with pytest.raises(ContradictionError, match="contradict each other") as caught:
        close_gap(world, TWO, PAIR, 0.02, welfare_floors={"AAA": 30.0, "BBB": 30.0})
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 2


def test_a_lever_without_bounds_is_refused_with_every_other_mistake(world: World) -> None:
    loose = replace(TWO[0], upper=math.inf)
    astray = replace(TWO[1], origin="XXX")
    with pytest.raises(InputError, match="has no bounds") as caught:
        close_gap(world, (loose, astray), PAIR, 0.02)
    assert caught.value.exit_code == 2
    assert any("unknown country 'XXX'" in problem for problem in caught.value.problems)


def test_where_nothing_costs_anything_the_least_effort_is_shown(world: World) -> None:
    free = tuple(removal(name, sector, quadratic=0.0) for name, sector in (("a", "food"), ("b", "machinery")))
    found = close_gap(world, free, PAIR, 0.03)
    assert found.cost_usd == pytest.approx(0.0, abs=1e-3)
    assert found.next_billion_usd == 0.0 or math.isnan(found.next_billion_usd)
    assert "Nothing costs anything here" in found.notes[0]
    assert found.closed_usd == pytest.approx(found.target_usd, rel=1e-6)


@pytest.mark.parametrize("target", [0.0, -1.0, 1.5, 100.0, float("nan")])
def test_a_target_that_is_neither_share_nor_dollars_is_refused(world: World, target: float) -> None:
    with pytest.raises(InputError, match="expected a share of the gap"):
        close_gap(world, TWO, PAIR, target)


def test_a_pair_the_wrong_way_round_is_told(world: World) -> None:
    with pytest.raises(InputError, match="give the pair as \\('AAA', 'BBB'\\)"):
        close_gap(world, TWO, ("BBB", "AAA"), 0.02)


def test_duties_go_before_subsidies_at_the_same_cost() -> None:
    world = small_world(duty=0.1)
    cut = TariffCut(
        id="duty", title="duty", payer="AAA", origin="BBB", destination="AAA", reach=(("food", 1.0),), upper=1.0
    )
    subsidy = programme("order", "food", upper=0.5)
    both = close_gap(world, (cut, subsidy), PAIR, 0.02, starts=1)
    assert both.values[0] < 1.0
    assert both.values[1] == 0.0
    more = close_gap(world, (cut, subsidy), PAIR, 0.06, starts=1)
    assert more.values[0] == pytest.approx(1.0)
    assert more.values[1] > 0.0
    alone = close_gap(world, (subsidy,), PAIR, 0.06, starts=1)
    assert more.cost_usd == pytest.approx(alone.cost_usd, rel=1e-7)
    assert more.status == alone.status == "optimal"


def test_the_frontier_rises_and_gets_steeper_and_ends_at_the_reach(world: World) -> None:
    search = open_search(world, TWO, PAIR)
    calls: list[tuple[int, int]] = []
    found = frontier_of(search, 6, progress=lambda k, n: calls.append((k, n)))
    table = found.table()
    assert table["cost_usd"].is_monotonic_increasing
    assert table["shadow_price"].is_monotonic_increasing
    assert found.points[-1].closed_usd == pytest.approx(found.max_closure_usd, rel=1e-5)
    assert (table["status"] == "optimal").all()
    assert calls[0] == (0, 6)
    assert calls[-1] == (6, 6)
    assert set(found.composition()["lever"]) == {"food road", "machine road"}
    direct = close_gap(world, TWO, PAIR, float(table["closed_usd"][2]))
    assert direct.cost_usd == pytest.approx(float(table["cost_usd"][2]), rel=1e-6)


def test_shares_add_up_to_the_package(world: World) -> None:
    levers = (*TWO, programme("order", "food"))
    search = open_search(world, levers, PAIR)
    reached = search.cheapest(0.06 * search.programme.gap)
    found = shares_of(search, reached.given)
    table = found.table()
    parts, whole = table.iloc[:-1], table.iloc[-1]
    assert found.values.exact
    assert parts["closed_usd"].sum() == pytest.approx(whole["closed_usd"])
    assert whole["closed_usd"] == pytest.approx(reached.closed_usd)
    assert whole["cost_usd"] == pytest.approx(reached.cost_usd)
    sampled = shares_of(search, reached.given, exact_players=1, orders=8)
    assert not sampled.values.exact
    near = np.abs(sampled.values.attribution - found.values.attribution)
    assert np.all(near <= 6 * sampled.values.standard_error + 1e-6 * abs(whole["closed_usd"]))


def test_the_top_level_call_takes_worlds_and_words(world: World) -> None:
    found = cp.close_gap(world, TWO, PAIR, "2%")
    assert found.closed_pct == pytest.approx(2.0, rel=1e-6)
    with pytest.raises(InputError, match="needs levers and a pair"):
        cp.close_gap(world, target=0.1)
    with pytest.raises(InputError, match="brings its own levers"):
        cp.close_gap("valdai-2025", TWO, PAIR)
