"""Corridors: totals, break-evens, dominated ones, and what a network can become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from counterpoise.core.errors import InputError
from counterpoise.friction import Leg, Network, Range, Route, break_even_cargo_value, dominated, network
from counterpoise.friction.inputs import gather

TRADITIONAL = "Traditional (Suez to St Petersburg)"
SEA_RAIL = "INSTC sea and rail"
ROAD = "INSTC road via Astara"
CASPIAN = "INSTC across the Caspian"

SURVEY = {TRADITIONAL: (3133, 32), ROAD: (3882, 32), CASPIAN: (5765, 44), SEA_RAIL: (3550, 26)}
"""COMCEC (2017), Table 58: USD per TEU and days from Nhava Sheva to Moscow."""


def by_name(origin: str = "IND", destination: str = "RUS") -> dict[str, Route]:
    return {route.name: route for route in network(origin, destination).routes(origin, destination)}


def leg(name: str, start: str, end: str, usd: float, days: float, **more: object) -> Leg:
    made = Leg(name=name, start=start, end=end, mode="sea", cost=Range.exactly(usd), days=Range.exactly(days))
    return replace(made, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", SURVEY)
def test_legs_add_up_to_the_surveyed_totals(name: str) -> None:
    route = by_name()[name]
    assert (route.cost.central, route.days.central) == SURVEY[name]


def test_totals_are_those_of_the_facts(sources: Path) -> None:
    facts = pd.read_csv(sources / "facts" / "corridors.csv")
    comcec = facts[facts["source"].str.startswith("COMCEC")]
    told = {
        (float(cost), float(days)) for cost, days in zip(comcec["cost_usd_per_teu"], comcec["days_low"], strict=True)
    }
    assert told == {(float(cost), float(days)) for cost, days in SURVEY.values()}


@pytest.mark.parametrize(("rate", "expected"), [(0.006, 11_583), (0.01, 6_950), (0.021, 3_310)])
def test_break_even_cargo_values_are_the_published_ones(rate: float, expected: float) -> None:
    routes = by_name()
    value = break_even_cargo_value(routes[SEA_RAIL], routes[TRADITIONAL], rate)
    assert round(value) == expected
    assert value == pytest.approx((3550 - 3133) / (6 * rate), rel=1e-14)


def test_at_the_break_even_both_routes_cost_the_same() -> None:
    routes = by_name()
    value = break_even_cargo_value(routes[SEA_RAIL], routes[TRADITIONAL], 0.01)
    fast, slow = (routes[name].generalised_cost(value, 0.01) for name in (SEA_RAIL, TRADITIONAL))
    assert fast == pytest.approx(slow, rel=1e-14)


def test_a_break_even_needs_the_faster_route_first() -> None:
    routes = by_name()
    with pytest.raises(InputError, match=r"takes 32 days .* 26; expected the faster one first") as caught:
        break_even_cargo_value(routes[TRADITIONAL], routes[SEA_RAIL], 0.0)
    assert len(caught.value.problems) == 2


def test_road_and_caspian_are_beaten_by_the_traditional_route() -> None:
    survey = [by_name()[name] for name in SURVEY]
    beaten = {(d.route, d.by) for d in dominated(survey)}
    assert {(ROAD, TRADITIONAL), (CASPIAN, TRADITIONAL)} <= beaten
    assert {route for route, _ in beaten} == {ROAD, CASPIAN}
    assert all(d.same_basis for d in dominated(survey))


def test_equal_routes_do_not_beat_each_other() -> None:
    pair = [Route("one", (leg("a", "X", "Y", 10, 1),)), Route("two", (leg("b", "X", "Y", 10, 1),))]
    assert dominated(pair) == ()


def test_closing_the_canal_leaves_the_other_corridors() -> None:
    closed = network("IND", "RUS").without_passage("suez")
    names = {route.name for route in closed.routes("IND", "RUS")}
    assert TRADITIONAL not in names
    assert {SEA_RAIL, "Cape to St Petersburg"} <= names


def test_a_surcharge_falls_on_its_passage_alone() -> None:
    before, after = by_name(), network("IND", "RUS").with_surcharge(1000, "suez")
    then = {route.name: route for route in after.routes("IND", "RUS")}
    assert then[TRADITIONAL].cost.central == before[TRADITIONAL].cost.central + 1000
    assert then[SEA_RAIL].cost == before[SEA_RAIL].cost


def test_a_new_corridor_becomes_a_route() -> None:
    new = leg("direct_rail", "IND", "RUS", 2500, 14, corridor="Direct rail", mode="rail")
    assert "Direct rail" in {r.name for r in network("IND", "RUS").with_legs(new).routes("IND", "RUS")}


def test_the_way_back_costs_as_much() -> None:
    there, back = by_name(), by_name("RUS", "IND")
    assert {n: (r.cost, r.days) for n, r in there.items()} == {n: (r.cost, r.days) for n, r in back.items()}


def test_an_unknown_pair_gets_a_generic_service() -> None:
    (route,) = network("BRA", "JPN").routes("BRA", "JPN")
    assert route.generic
    assert route.cost.central == 400 + 2000 + 150 + 600


def test_routes_never_pass_a_place_twice() -> None:
    loop = Network((leg("a", "X", "M", 1, 1), leg("b", "M", "X", 1, 1), leg("c", "M", "Y", 1, 1)))
    (route,) = loop.routes("X", "Y")
    assert [part.name for part in route.legs] == ["a", "c"]


def test_routes_of_one_corridor_are_told_apart_by_their_places() -> None:
    legs = [leg(f"in{k}", "X", f"M{k}", 1, 1, corridor="C") for k in (1, 2)]
    legs += [leg(f"out{k}", f"M{k}", "Y", 1, 1) for k in (1, 2)]
    assert {r.name for r in Network(tuple(legs)).routes("X", "Y")} == {"C (M1)", "C (M2)"}


def test_no_way_at_all_is_told() -> None:
    with pytest.raises(InputError, match="no route leads from X to Z for container cargo; add a leg"):
        Network((leg("a", "X", "Y", 1, 1),)).routes("X", "Z")


def test_an_unknown_passage_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no leg goes through 'sues'; did you mean 'suez'\? Known: cape"):
        network("IND", "RUS").without_passage("sues")


def test_a_leg_tells_all_its_faults_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Leg(name="bad", start="X", end="X", mode="balloon", cost=Range.exactly(-1), days=Range.exactly(-2), capacity=-3)
    assert caught.value.problems == (
        "it leads from X to itself",
        "mode is 'balloon'; expected one of port, sea, rail, road, caspian, customs, air",
        "cost is -1 USD; expected zero or more",
        "days is -2; expected zero or more",
        "capacity is -3 loads a year; expected zero or more, or none for no limit",
    )


def test_two_legs_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="the leg 'a' occurs 2 times; names must be unique"):
        Network((leg("a", "X", "Y", 1, 1), leg("a", "Y", "Z", 1, 1)))


def test_a_leg_of_the_user_replaces_the_shipped_one() -> None:
    cheaper = {
        "name": "rail_instc",
        "start": "Bandar Abbas transit",
        "end": "Russian rail border",
        "mode": "rail",
        "cost": 1000,
        "days": [9, 10, 12],
        "corridor": SEA_RAIL,
    }
    inputs = gather("IND", "RUS", ["food"], overrides={"legs": [cheaper]})
    route = next(r for r in inputs.network.routes("IND", "RUS") if r.name == SEA_RAIL)
    assert (route.cost.central, route.days.central) == (3550 - 2400 + 1000, 26 - 16 + 10)
