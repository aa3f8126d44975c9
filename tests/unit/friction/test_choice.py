"""Logit choice of routes: shares, inclusive value, and what happens when a leg is full."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.friction import Leg, Network, Range, Route, choose_routes, compare_networks, gather, network


def route(name: str, *legs: tuple[str, float | None]) -> Route:
    parts = tuple(
        Leg(
            name=part,
            start=f"{name}{k}",
            end=f"{name}{k + 1}",
            mode="sea",
            cost=Range.exactly(1),
            days=Range.exactly(1),
            capacity=capacity,
        )
        for k, (part, capacity) in enumerate(legs)
    )
    return Route(name, parts)


def test_shares_are_logit_and_the_inclusive_value_is_the_log_sum() -> None:
    choice = choose_routes([route("a", ("x", None)), route("b", ("y", None))], [[100.0], [300.0]], dispersion_usd=100)
    weight = [exp(-1), exp(-3)]
    assert choice.route_share[:, 0] == pytest.approx([w / sum(weight) for w in weight], rel=1e-14)
    assert choice.inclusive_cost_usd[0] == pytest.approx(-100 * log(sum(weight)), rel=1e-14)
    assert choice.toll_usd.tolist() == [0, 0]


def test_what_does_not_fit_spills_to_the_next_route() -> None:
    routes = [route("a", ("x", 60.0)), route("b", ("y", None))]
    free = choose_routes(routes, [[100.0], [300.0]], dispersion_usd=100)
    full = choose_routes(routes, [[100.0], [300.0]], dispersion_usd=100, loads=[100.0])
    assert free.route_share[0, 0] > 0.8
    assert full.volume[:, 0] == pytest.approx([60.0, 40.0], rel=1e-8)
    # 0.6 / 0.4 = exp((300 - 100 - toll) / 100)
    assert full.leg_toll_usd["x"] == pytest.approx(200 - 100 * log(1.5), rel=1e-7)
    assert full.unserved.tolist() == [0.0]


def test_room_to_spare_costs_nothing() -> None:
    routes = [route("a", ("x", 1000.0)), route("b", ("y", None))]
    choice = choose_routes(routes, [[100.0], [300.0]], dispersion_usd=100, loads=[100.0])
    assert choice.leg_toll_usd == {}


def test_cargoes_share_a_full_leg_and_the_pressed_one_keeps_it() -> None:
    routes = [route("a", ("x", 50.0)), route("b", ("y", None))]
    # The first cargo loses 400 on the other route, the second only 50.
    choice = choose_routes(routes, [[100.0, 100.0], [500.0, 150.0]], dispersion_usd=50, loads=[60.0, 60.0])
    assert choice.volume[0].sum() == pytest.approx(50.0, rel=1e-8)
    assert choice.volume[0, 0] > 10 * choice.volume[0, 1]


def test_two_full_legs_both_carry_a_toll() -> None:
    routes = [route("a", ("x", 30.0)), route("b", ("y", 30.0)), route("c", ("z", None))]
    choice = choose_routes(routes, [[100.0], [120.0], [400.0]], dispersion_usd=80, loads=[100.0])
    assert choice.volume[:, 0] == pytest.approx([30.0, 30.0, 40.0], rel=1e-8)
    assert set(choice.leg_toll_usd) == {"x", "y"}


def test_what_no_route_has_room_for_is_told_and_not_hidden() -> None:
    routes = [route("a", ("x", 30.0)), route("b", ("y", 20.0))]
    choice = choose_routes(routes, [[100.0], [120.0]], dispersion_usd=80, loads=[100.0])
    assert choice.unserved[0] == pytest.approx(50.0, rel=1e-6)
    assert choice.volume.sum() == pytest.approx(50.0, rel=1e-6)


def test_bad_numbers_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        choose_routes([route("a", ("x", None))], [[np.nan]], dispersion_usd=0, loads=[-1.0])
    assert caught.value.problems == (
        "generalised_cost_usd holds values that are not finite numbers",
        "loads holds values that are negative or not finite",
        "dispersion_usd is 0; expected more than zero",
    )


def test_another_corridor_never_harms_and_a_closed_one_never_helps() -> None:
    inputs = gather("IND", "RUS", ["food", "machinery"])
    new = Leg(
        name="new",
        start="IND",
        end="RUS",
        mode="rail",
        cost=Range.exactly(3000),
        days=Range.exactly(15),
        corridor="New",
    )
    better = compare_networks(inputs, inputs.network.with_legs(new))
    worse = compare_networks(inputs, inputs.network.without_passage("iran"))
    assert all(exact < 0 for exact, _ in better.values())
    assert all(exact > 0 for exact, _ in worse.values())


def test_a_surcharge_on_every_route_is_passed_on_whole() -> None:
    inputs = gather("IND", "RUS", ["machinery"])
    legs = tuple(
        leg for leg in network("IND", "RUS").legs if leg.passage in ("", "suez") and "shanghai" not in leg.name
    )
    only_suez = Network(tuple(leg for leg in legs if leg.name not in ("chennai", "rail_transsiberian")))
    through = replace(inputs, network=only_suez)
    exact, mean = compare_networks(through, only_suez.with_surcharge(1000, "suez"))["machinery"]
    value = inputs.cargo["machinery"].cargo_value.central
    assert exact == pytest.approx(1000 / value, rel=1e-12)
    assert mean == pytest.approx(1000 / value, rel=1e-12)
