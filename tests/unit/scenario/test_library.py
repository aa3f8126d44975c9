"""The library on the embedded world: what the schedule amounts to, what the order covers, what the stop stops."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import World
from counterpoise.data import load_table, load_world
from counterpoise.scenario import (
    added_duty_rate,
    compile_scenario,
    list_scenarios,
    load_scenario,
    scenario_world,
    timeline,
)


@pytest.fixture(scope="module")
def embedded() -> World:
    return load_world()


@pytest.fixture(scope="module")
def embedded_products() -> pd.DataFrame:
    return load_table("products")


# Added duty in percent: the compiled schedule, and a tracker of effective rates with the same weights.
SCHEDULE = {
    date(2025, 4, 11): (7.58, 9.707702),
    date(2025, 6, 4): (8.97, 10.583158),
    date(2025, 8, 27): (34.11, 43.032060),
    date(2025, 10, 14): (34.11, 43.020701),
    date(2025, 11, 14): (33.76, 32.993410),
    date(2026, 2, 7): (18.30, 13.527802),
    date(2026, 2, 20): (2.83, 2.567702),
    date(2026, 2, 24): (9.02, 8.705349),
}


def test_the_schedule_amounts_to_what_its_description_says(embedded: World, embedded_products: pd.DataFrame) -> None:
    scenario = load_scenario("us-india-timeline")
    points = timeline(scenario, embedded, list(SCHEDULE), products=embedded_products)
    for day, compiled in points:
        rate = 100 * added_duty_rate(embedded, compiled.shock, "IND", "USA")
        assert rate == pytest.approx(SCHEDULE[day][0], abs=0.01), day
    for day in ("2025-04-11", "2025-08-27", "2025-11-14", "2026-02-07", "2026-02-20", "2026-02-24"):
        ours, tracker = SCHEDULE[date.fromisoformat(day)]
        line = next(line for line in scenario.description.splitlines() if line.strip().startswith(day))
        assert line.split()[1:3] == [f"{tracker:.2f}", f"{ours:.2f}"]


def test_what_separates_it_from_the_tracker_is_medicines_and_petroleum(
    embedded: World, embedded_products: pd.DataFrame, sources: Path
) -> None:
    with (sources / "data" / "us_tariff_timeline" / "india_by_hs2.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    imports = {row["HS2"]: float(row["2024_imports"]) for row in rows}
    increase = {row["HS2"]: float(row["2025_tariff_increase"]) for row in rows}
    counted = sum(imports[hs] * increase[hs] for hs in ("30", "27")) / sum(imports.values())
    assert counted == pytest.approx(8.5, abs=0.1)
    compiled = compile_scenario(load_scenario("us-india-timeline"), embedded, products=embedded_products)
    ours = 100 * added_duty_rate(embedded, compiled.shock, "IND", "USA")
    assert ours + counted == pytest.approx(SCHEDULE[date(2025, 10, 14)][1], abs=0.6)


def test_once_the_tracker_drops_them_the_two_agree_within_a_point(
    embedded: World, embedded_products: pd.DataFrame
) -> None:
    scenario = load_scenario("us-india-timeline", overrides={"measure.us_reciprocal_18.enabled": "true"})
    days = [day for day in SCHEDULE if day >= date(2025, 11, 14)]
    for day, compiled in timeline(scenario, embedded, days, products=embedded_products):
        rate = 100 * added_duty_rate(embedded, compiled.shock, "IND", "USA")
        assert rate == pytest.approx(SCHEDULE[day][1], abs=0.8), day


def test_on_3_october_clothes_pay_50_and_medicines_nothing(embedded: World, embedded_products: pd.DataFrame) -> None:
    shock = compile_scenario(load_scenario("valdai-2025"), embedded, products=embedded_products).shock
    added = (shock.tariff_rate_cf - embedded.tariff_rate).sel(origin="IND", destination="USA")
    assert float(added.sel(sector="textiles_apparel")) == pytest.approx(0.5)
    assert float(added.sel(sector="pharmaceuticals")) == 0.0
    assert float(added.sel(sector="refined_oil")) < 0.01
    assert 0.15 < float(added.sel(sector="electronics")) < 0.25
    elsewhere = (shock.tariff_rate_cf - embedded.tariff_rate).to_numpy().copy()
    elsewhere[embedded.countries.index("IND"), embedded.countries.index("USA")] = 0.0
    assert not np.any(elsewhere)


def test_the_flagship_keeps_its_obstacles_until_they_are_removed(
    embedded: World, embedded_products: pd.DataFrame
) -> None:
    kept = compile_scenario(load_scenario("valdai-2025"), embedded, products=embedded_products).shock
    assert np.all(kept.iceberg_cost_hat == 1)
    freed = load_scenario("valdai-2025", overrides={"group.obstacles.removed": "true"})
    shock = compile_scenario(freed, embedded, products=embedded_products, groups=["obstacles"]).shock
    factor = shock.iceberg_cost_hat.sel(origin="IND", destination="RUS")
    whole = 1 / (1.0448 * 1.045 * 1.078 * 1.010)
    assert float(factor.sel(sector="textiles_apparel")) == pytest.approx(whole, rel=1e-9)
    assert float(factor.sel(sector="pharmaceuticals")) == pytest.approx(whole / 1.058, rel=1e-9)
    assert float(factor.sel(sector="food")) == pytest.approx(whole * 1.06 / 1.12, rel=1e-3)
    assert float(factor.sel(sector="electronics")) > whole + 0.05
    assert np.all(shock.iceberg_cost_hat.sel(origin="RUS") == 1)


def test_the_order_covers_what_russia_buys_of_farm_goods_and_medicines(
    embedded: World, embedded_products: pd.DataFrame
) -> None:
    report = compile_scenario(
        load_scenario("valdai-2025"), embedded, products=embedded_products, groups=["order"]
    ).report
    covered = {m.id: m.trade_usd for m in report.active}
    assert covered["order_farm"] == pytest.approx(0.793e9, rel=0.01)
    assert covered["order_medicines"] == pytest.approx(0.4135e9, rel=0.01)
    assert all(m.notes == () for m in report.active)


def test_the_oil_stop_is_one_cell(embedded: World, embedded_products: pd.DataFrame) -> None:
    compiled = compile_scenario(load_scenario("oil-stop"), embedded, products=embedded_products, groups=["oil"])
    assert int(compiled.shock.embargo.sum()) == 1
    assert compiled.report.active[0].trade_usd == pytest.approx(52.8e9, rel=0.01)


def test_the_way_to_100_bn_pulls_every_lever(embedded: World, embedded_products: pd.DataFrame) -> None:
    scenario = load_scenario("100bn-2030")
    assert scenario.target is not None
    assert (scenario.target.turnover_usd, scenario.target.by) == (100e9, date(2030, 12, 31))
    report = compile_scenario(scenario, embedded, products=embedded_products).report
    assert {m.group for m in report.active} == {"duty", "order", "obstacles"}
    assert sum(m.group == "obstacles" for m in report.active) == 6
    assert [m.mean_rate for m in report.active if m.group == "order"] == pytest.approx([0.4, 0.4])


@pytest.mark.parametrize("name", list_scenarios())
def test_every_code_of_the_library_meets_trade(name: str, embedded: World, embedded_products: pd.DataFrame) -> None:
    for measure in compile_scenario(load_scenario(name), embedded, products=embedded_products).report.measures:
        assert not any("met no trade" in note or "no effect" in note for note in measure.notes), measure


def test_the_world_of_a_scenario_takes_its_elasticities(embedded: World) -> None:
    other = scenario_world(load_scenario("oil-stop", overrides={"elasticities": "gtap"}))
    assert not np.array_equal(other.trade_elasticity, embedded.trade_elasticity)
    one = scenario_world(load_scenario("oil-stop", overrides={"trade_elasticity.coal": "3"}))
    assert float(one.trade_elasticity.sel(sector="coal")) == 3.0
    assert one.check() == ()
