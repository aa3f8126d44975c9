"""Levers made of a friction report do exactly what the report says."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError
from counterpoise.data import load_world
from counterpoise.friction import FrictionReport, friction_report, removal_shock
from counterpoise.policy.mixture import shock_with
from counterpoise.policy.obstacle_levers import obstacle_levers

SECTORS = ("food", "pharmaceuticals", "machinery", "gems")


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


@pytest.fixture(scope="module")
def report() -> FrictionReport:
    return friction_report("IND", "RUS", SECTORS)


def test_levers_moved_in_full_are_the_removal(world: World, report: FrictionReport) -> None:
    levers = obstacle_levers(world, report)
    moved = shock_with(world, levers, [1.0] * len(levers))
    removed = removal_shock(Shock.none(world), report)
    np.testing.assert_allclose(moved.iceberg_cost_hat.to_numpy(), removed.iceberg_cost_hat.to_numpy(), rtol=1e-12)


def test_a_lever_half_moved_takes_half_of_the_cost_away(world: World, report: FrictionReport) -> None:
    levers = [lever for lever in obstacle_levers(world, report) if lever.id == "currency"]
    half = shock_with(world, levers, [0.5]).iceberg_cost_hat.to_numpy()
    whole = removal_shock(Shock.none(world), report, ["currency"]).iceberg_cost_hat.to_numpy()
    np.testing.assert_allclose(1.0 - half, 0.5 * (1.0 - whole), rtol=1e-12)


def test_what_cannot_be_removed_is_no_lever(world: World, report: FrictionReport) -> None:
    names = {lever.id for lever in obstacle_levers(world, report)}
    assert "insurance" not in names
    assert "working_capital" not in names
    assert {"currency", "agent_commission", "transit_time", "registration"} <= names


def test_the_cost_is_a_part_of_what_the_obstacle_costs_traders(world: World, report: FrictionReport) -> None:
    lever = next(k for k in obstacle_levers(world, report, cost_share=0.25) if k.id == "registration")
    flow = float(world.flow.sel(origin="IND", destination="RUS", sector="pharmaceuticals"))
    ave = report.ave("pharmaceuticals", "registration").central
    gone = report.removable("pharmaceuticals", "registration").central / (1.0 + ave)
    assert lever.curve.quadratic_usd == pytest.approx(2 * 0.25 * gone * flow)
    assert lever.payer == "RUS"


def test_a_report_of_another_world_is_refused(world: World) -> None:
    outside = friction_report("VNM", "RUS", ["food"])
    with pytest.raises(LabelError, match="the world has no country 'VNM'"):
        obstacle_levers(world, outside)


def test_a_package_takes_the_obstacles_that_the_report_finds() -> None:
    from counterpoise.data.concordance import goods_sectors
    from counterpoise.policy import closing_of
    from counterpoise.policy.from_scenario import levers_costing
    from counterpoise.scenario import load_scenario, scenario_world

    scenario = load_scenario("valdai-2025")
    world = scenario_world(scenario)
    there = world.flow.sel(origin="IND", destination="RUS")
    duty = world.tariff_rate.sel(origin="IND", destination="RUS")
    traded = [s for s in goods_sectors() if float(there.sel(sector=s)) > 0]
    report = friction_report(
        "IND",
        "RUS",
        traded,
        as_of=scenario.as_of,
        flow_usd={s: float(there.sel(sector=s)) for s in traded},
        tariff_rate={s: float(duty.sel(sector=s)) for s in traded},
    )
    named = closing_of(scenario, world=world)
    found = closing_of(scenario, world=world, obstacles="report")
    removals = [lever for lever in found.levers if lever.kind == "obstacle removed"]
    assert removals == list(levers_costing(obstacle_levers(world, report), "central"))
    assert removals != [lever for lever in named.levers if lever.kind == "obstacle removed"]
    others = [[v.id for v in closing.levers if v.kind != "obstacle removed"] for closing in (named, found)]
    assert others[0] == others[1]
    with pytest.raises(InputError, match=r"obstacles is 'reports'; did you mean 'report'\?"):
        closing_of(scenario, world=world, obstacles="reports")
