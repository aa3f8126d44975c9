"""The newer kinds of measure: what they compile to, and how mistakes in them are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import World
from counterpoise.core.errors import ScenarioError
from counterpoise.scenario import Scenario, compile_scenario, load_scenario, scenario_world

Write = Callable[..., str]
TO_USA: dict[str, Any] = {"origins": "IND", "destinations": "USA"}


def compiled(world: World, products: pd.DataFrame | None, *measures: dict[str, Any]) -> Any:
    named = [{"id": f"m{k}", "source": "test", **measure} for k, measure in enumerate(measures)]
    scenario = Scenario.model_validate({"schema": 1, "name": "case", "measure": named})
    return compile_scenario(scenario, world, products=products)


def test_an_export_tax_on_part_of_a_sector_enters_with_its_weight(world: World, products: pd.DataFrame) -> None:
    found = compiled(world, products, {"kind": "export_tax", **TO_USA, "products": ["03"], "rate": 0.4})
    rates = found.shock.export_tax_rate.sel(origin="IND", destination="USA")
    np.testing.assert_allclose(rates, [0.75 * 0.4, 0.0, 0.0, 0.0])
    assert found.report.measures[0].mean_rate == pytest.approx(0.4)
    assert found.shock.moved == ("export_tax_rate",)


def test_a_quota_by_share_limits_each_line_by_its_own_trade(world: World, products: pd.DataFrame) -> None:
    measure = {"kind": "quota", **TO_USA, "sectors": ["agriculture", "electronics"], "limit_share": 0.5}
    found = compiled(world, products, {**measure, "exporter_share": 0.25})
    limits = found.shock.quota_limit.sel(origin="IND", destination="USA")
    np.testing.assert_allclose(limits, [50.0, np.inf, 100.0, np.inf])
    assert float(found.shock.quota_exporter_share.max()) == 0.25
    assert found.report.measures[0].mean_rate == pytest.approx(-0.5)


def test_a_quota_in_usd_is_that_of_one_line(world: World, products: pd.DataFrame) -> None:
    measure = {"kind": "quota", **TO_USA, "sectors": "electronics", "limit_usd": 20.0}
    assert float(compiled(world, products, measure).shock.quota_limit.min()) == 20.0
    with pytest.raises(ScenarioError, match="limit_usd is the limit of one sector of one pair, but 2 are meant"):
        compiled(world, products, {**measure, "sectors": ["electronics", "agriculture"]})


def test_a_quota_on_part_of_a_sector_is_refused_with_the_share(world: World, products: pd.DataFrame) -> None:
    with pytest.raises(ScenarioError, match=r"covers 75\.0 % of IND -> USA trade in agriculture.*limited whole"):
        compiled(world, products, {"kind": "quota", **TO_USA, "products": ["03"], "limit_share": 0.5})


def test_labour_demand_and_rules(world: World, products: pd.DataFrame) -> None:
    found = compiled(
        world,
        products,
        {"kind": "labour", "countries": "RUS", "factor": 0.98},
        {"kind": "demand", "countries": ["RUS", "IND"], "sectors": "pharmaceuticals", "factor": 1.5},
        {"kind": "obstacle", **TO_USA, "sectors": "all", "ave": 0.1, "added": True, "nature": "non_tariff"},
        {"kind": "obstacle", **TO_USA, "sectors": "all", "ave": 0.2, "added": True},
    ).shock
    np.testing.assert_allclose(found.labour_supply_hat, [1.0, 0.98, 1.0])
    np.testing.assert_allclose(found.demand_hat.sel(sector="pharmaceuticals"), [1.5, 1.5, 1.0])
    np.testing.assert_allclose(found.non_tariff_cost_hat.sel(origin="IND", destination="USA"), 1.1)
    np.testing.assert_allclose(found.iceberg_cost_hat.sel(origin="IND", destination="USA"), 1.2)


def test_an_opening_needs_a_line_that_is_shut(world: World) -> None:
    flow = world.flow.to_numpy().copy()
    flow[0, 1, 1] = 0.0
    shut = World.from_arrays(countries=world.countries, sectors=world.sectors, flow=flow, trade_elasticity=4.0)
    measure = {
        "kind": "opening",
        "origin": "IND",
        "destination": "RUS",
        "sector": "pharmaceuticals",
        "potential_usd": 7.0,
        "cost": 0.1,
    }
    found = compiled(shut, None, measure)
    assert float(found.shock.potential_flow[0, 1, 1]) == 7.0
    assert float(found.shock.iceberg_cost_hat[0, 1, 1]) == pytest.approx(1.1)
    assert found.report.measures[0].trade_usd == 7.0
    with pytest.raises(ScenarioError, match="IND -> RUS, pharmaceuticals trades already"):
        compiled(world, None, measure)


def test_all_mistakes_in_the_newer_kinds_are_told_at_once(world: World, write: Write) -> None:
    text = """
horizon_years = 0
[[measure]]
id = "a"
kind = "quota"
origins = "IND"
destinations = "USA"
sectors = "all"
limit_share = 0.5
limit_usd = 1.0
exporter_share = 2.0
[[measure]]
id = "b"
kind = "quota"
origins = "IND"
destinations = "USA"
sectors = "all"
[[measure]]
id = "c"
kind = "opening"
origin = "IND"
destination = "IND"
sector = "pharma"
potential_usd = 0
[[measure]]
id = "d"
kind = "labor"
countries = "RUS"
factor = 1.1
[[measure]]
id = "e"
kind = "export_tax"
origins = "IND"
destinations = "USA"
rate = 20
"""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(write(text), world=world)
    told = "\n".join(caught.value.problems)
    for words in (
        "horizon_years: 0 is out of range",
        "both limit_share and limit_usd are given",
        "exporter_share: 2 is out of range",
        "neither limit_share nor limit_usd is given",
        "'IND' is the origin too",
        "unknown sector 'pharma'; did you mean 'pharmaceuticals'?",
        "potential_usd: 0 is out of range",
        "did you mean 'labour'?",
        "measure.e selects nothing",
        "rate: 20 is 2000 %",
    ):
        assert words in told, told


def test_the_horizon_makes_the_elasticities_smaller(write: Write) -> None:
    path = write('horizon_years = 1\n[[measure]]\nid = "a"\nkind = "labour"\ncountries = "RUS"\nfactor = 1.1\n')
    soon = scenario_world(load_scenario(path))
    late = scenario_world(load_scenario(path, overrides={"horizon_years": "30"}))
    assert np.all(soon.trade_elasticity < 0.5 * late.trade_elasticity)
