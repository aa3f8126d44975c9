"""Frictions for random inputs: what must hold whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.friction import (
    Leg,
    PaymentRoute,
    PaymentStep,
    Range,
    Route,
    break_even_cargo_value,
    choose_routes,
    dominated,
    friction_report,
    network,
)
from counterpoise.policy.attribution import shapley

costs = st.floats(100.0, 9000.0)
days = st.floats(1.0, 90.0)


def made(name: str, usd: float, duration: float, capacity: float | None = None) -> Route:
    leg = Leg(
        name=name,
        start="X",
        end="Y",
        mode="sea",
        cost=Range.exactly(usd),
        days=Range.exactly(duration),
        capacity=capacity,
    )
    return Route(name, (leg,))


@given(st.lists(st.tuples(costs, days), min_size=2, max_size=6), st.floats(1e3, 1e5), st.floats(0.0, 0.05))
def test_a_dominated_route_is_never_the_cheapest(pairs: list[tuple[float, float]], value: float, rate: float) -> None:
    routes = [made(f"r{k}", usd, duration) for k, (usd, duration) in enumerate(pairs)]
    beaten = {d.route for d in dominated(routes)}
    left = [r for r in routes if r.name not in beaten]
    assert left
    best = min(r.generalised_cost(value, rate) for r in routes)
    assert min(r.generalised_cost(value, rate) for r in left) <= best


@given(costs, costs, days, days, st.floats(0.001, 0.05))
def test_above_the_break_even_the_faster_route_is_cheaper(
    usd: float, more: float, duration: float, saved: float, rate: float
) -> None:
    fast, slow = made("fast", usd + more, duration), made("slow", usd, duration + saved)
    value = break_even_cargo_value(fast, slow, rate)
    assert fast.generalised_cost(value * 1.01 + 1, rate) < slow.generalised_cost(value * 1.01 + 1, rate)
    assert fast.generalised_cost(value * 0.99, rate) > slow.generalised_cost(value * 0.99, rate)


@given(
    st.lists(costs, min_size=2, max_size=5),
    st.floats(50.0, 1000.0),
    st.floats(1.0, 500.0),
    st.lists(st.floats(1.0, 200.0), min_size=5, max_size=5),
)
def test_no_leg_is_overrun_and_nothing_is_lost(
    usd: list[float], dispersion: float, load: float, capacity: list[float]
) -> None:
    # The last route is open, so that everything finds room.
    routes = [made(f"r{k}", c, 1.0, capacity[k] if k + 1 < len(usd) else None) for k, c in enumerate(usd)]
    cost = np.array(usd)[:, None]
    choice = choose_routes(routes, cost, dispersion_usd=dispersion, loads=[load])
    for k in range(len(usd) - 1):
        assert choice.volume[k, 0] <= capacity[k] * (1 + 1e-8) + 1e-8
        if choice.toll_usd[k] > 0:
            assert abs(choice.volume[k, 0] - capacity[k]) <= 1e-8 * max(capacity[k], 1.0)
    assert abs(choice.volume.sum() - load) <= 1e-9 * load
    assert choice.toll_usd[-1] == 0
    free = choose_routes(routes, cost, dispersion_usd=dispersion)
    assert choice.inclusive_cost_usd[0] >= free.inclusive_cost_usd[0] - 1e-9


@given(st.lists(costs, min_size=1, max_size=6), st.floats(10.0, 1000.0), st.floats(-50.0, 5000.0))
def test_a_cost_common_to_all_routes_changes_no_share(usd: list[float], dispersion: float, common: float) -> None:
    routes = [made(f"r{k}", c, 1.0) for k, c in enumerate(usd)]
    cost = np.array(usd)[:, None]
    before = choose_routes(routes, cost, dispersion_usd=dispersion)
    after = choose_routes(routes, cost + common, dispersion_usd=dispersion)
    assert np.allclose(before.route_share, after.route_share, rtol=1e-9)
    assert np.allclose(after.inclusive_cost_usd - before.inclusive_cost_usd, common, atol=1e-8)


@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 0.9)), min_size=1, max_size=5))
def test_expected_days_agree_with_a_simulated_walk(chain: list[tuple[float, float]]) -> None:
    steps = tuple(
        PaymentStep(
            name=f"s{k}",
            kind="release",
            from_currency="RUB",
            to_currency="RUB",
            days=Range.exactly(d),
            refusal_probability=Range.exactly(p),
        )
        for k, (d, p) in enumerate(chain)
    )
    told = PaymentRoute("r", steps).expected_days().central
    # E_k = d_k + (1 - p_k) E_{k+1} + p_k E_0, solved as a linear system.
    n = len(chain)
    matrix, days_of = np.eye(n), np.array([d for d, _ in chain])
    for k, (_, p) in enumerate(chain):
        matrix[k, 0] -= p
        if k + 1 < n:
            matrix[k, k + 1] -= 1 - p
    assert np.isclose(told, np.linalg.solve(matrix, days_of)[0], rtol=1e-8)


@given(st.sampled_from(["IND", "RUS", "USA", "CHN", "EAEU"]), st.sampled_from(["BRA", "RUS", "GULF", "IND"]))
def test_any_pair_has_a_report_with_ordered_bounds(origin: str, destination: str) -> None:
    if origin == destination:
        return
    report = friction_report(origin, destination, ["food", "coal", "pharmaceuticals", "business_services"])
    for sector in report.sectors:
        total = report.total(sector)
        assert 0 <= total.low <= total.central <= total.high


def test_another_corridor_never_raises_what_choice_costs() -> None:
    known = network("IND", "RUS")
    routes = known.routes("IND", "RUS")
    for k in range(1, len(routes)):
        few, more = (
            choose_routes(some, [[r.generalised_cost(4e4, 0.01)] for r in some], dispersion_usd=400)
            for some in (routes[:k], routes[: k + 1])
        )
        assert more.inclusive_cost_usd[0] <= few.inclusive_cost_usd[0]


@given(st.lists(st.floats(-5.0, 5.0), min_size=8, max_size=8))
def test_shapley_values_of_any_game_of_three_add_up(worth: list[float]) -> None:
    names = ["a", "b", "c"]

    def value(s: frozenset[str]) -> float:
        return worth[sum(1 << names.index(k) for k in s)]

    found = shapley(names, value)
    assert np.isclose(found.attribution.sum(), worth[7] - worth[0], atol=1e-12)
    turned = shapley(names[::-1], value)
    assert np.allclose(turned.attribution[::-1], found.attribution)
