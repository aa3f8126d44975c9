"""Compiling: products weigh into sectors, duties stack or do not, dates and groups pick, no code is lost in silence."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import World
from counterpoise.core.errors import DataError, ScenarioError
from counterpoise.scenario import (
    CompiledScenario,
    MeasureReport,
    Scenario,
    added_duty_rate,
    change_dates,
    compile_scenario,
    timeline,
)

US_DUTY: dict[str, Any] = {"id": "duty", "kind": "tariff", "origins": "IND", "destinations": "USA", "source": "test"}
ORDER: dict[str, Any] = {"id": "order", "kind": "purchase", "buyer": "RUS", "seller": "IND", "source": "test"}
FREIGHT: dict[str, Any] = {
    "id": "freight",
    "kind": "obstacle",
    "origins": "IND",
    "destinations": "RUS",
    "source": "test",
}


def scenario(*measures: dict[str, Any], **keys: Any) -> Scenario:
    return Scenario.model_validate({"schema": 1, "name": "case", "measure": list(measures), **keys})


def duty(compiled: CompiledScenario, origin: str = "IND", destination: str = "USA") -> list[float]:
    rate = compiled.shock.tariff_rate_cf.sel(origin=origin, destination=destination)
    return [float(v) for v in rate]


def the_report(compiled: CompiledScenario) -> MeasureReport:
    (report,) = compiled.report.measures
    return report


def test_no_measure_changes_nothing(world: World, products: pd.DataFrame) -> None:
    shock = compile_scenario(scenario(), world, products=products).shock
    assert shock.is_none
    np.testing.assert_array_equal(shock.tariff_rate_cf, world.tariff_rate)


def test_a_rate_on_part_of_a_sector_enters_with_its_weight(world: World, products: pd.DataFrame) -> None:
    compiled = compile_scenario(scenario({**US_DUTY, "products": ["03"], "rate": 0.4}), world, products=products)
    assert duty(compiled) == pytest.approx([0.04 + 0.75 * 0.4, 0.0, 0.0, 0.0])
    (cover,) = the_report(compiled).coverage
    assert cover.sector == "agriculture"
    assert (cover.trade_usd, cover.covered_share, cover.rate) == pytest.approx((75.0, 0.75, 0.4))


def test_the_longest_prefix_wins_whatever_the_order(world: World, products: pd.DataFrame) -> None:
    rows = [{"hs": "8517", "rate": 0.2}, {"hs": "851713", "rate": 0.0}, {"hs": "85", "rate": 0.5}]
    compiled = compile_scenario(scenario({**US_DUTY, "rates": rows}), world, products=products)
    assert duty(compiled)[2] == pytest.approx(0.25 * 0.5 + 0.75 * 0.0)


def test_a_rate_by_sector_and_one_by_code_meet(world: World, products: pd.DataFrame) -> None:
    rows = [{"sector": "electronics", "rate": 0.1}, {"hs": "851713", "rate": 0.3}]
    compiled = compile_scenario(scenario({**US_DUTY, "rates": rows}), world, products=products)
    assert duty(compiled)[2] == pytest.approx(0.75 * 0.3 + 0.25 * 0.1)


def test_ranges_and_exceptions(world: World, products: pd.DataFrame) -> None:
    given = {**US_DUTY, "products": ["01-30", "8542"], "except": ["0901"], "rate": 0.1}
    compiled = compile_scenario(scenario(given), world, products=products)
    assert duty(compiled) == pytest.approx([0.04 + 0.075, 0.1, 0.025, 0.0])


def test_all_products_are_goods_and_all_sectors_are_all(world: World, products: pd.DataFrame) -> None:
    goods = compile_scenario(scenario({**US_DUTY, "products": "all", "rate": 0.1}), world, products=products)
    assert duty(goods) == pytest.approx([0.14, 0.1, 0.1, 0.0])
    everything = compile_scenario(scenario({**US_DUTY, "sectors": "all", "rate": 0.1}), world, products=products)
    assert duty(everything) == pytest.approx([0.14, 0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("mode", "expected"), [("add", 0.04 + 0.25 + 0.5), ("set", 0.5), ("replace_added", 0.04 + 0.5)]
)
def test_modes(world: World, products: pd.DataFrame, mode: str, expected: float) -> None:
    first = {**US_DUTY, "id": "first", "sectors": "agriculture", "rate": 0.25}
    second = {**US_DUTY, "sectors": "agriculture", "rate": 0.5, "mode": mode}
    compiled = compile_scenario(scenario(first, second), world, products=products)
    assert duty(compiled)[0] == pytest.approx(expected)


def test_a_duty_that_does_not_stack_leaves_the_other_products_alone(world: World, products: pd.DataFrame) -> None:
    first = {**US_DUTY, "id": "first", "products": "all", "rate": 0.5}
    second = {**US_DUTY, "products": "0306", "rate": 0.25, "mode": "replace_added"}
    compiled = compile_scenario(scenario(first, second), world, products=products)
    assert duty(compiled)[0] == pytest.approx(0.04 + 0.75 * 0.25 + 0.25 * 0.5)


def test_exemption_lists_have_dates_and_parts(world: World, products: pd.DataFrame) -> None:
    listed = {
        "phones": {"hs": ["851713"], "valid_from": date(2025, 4, 11)},
        "half": {"partial": [{"hs": "30", "reached_share": 0.5}]},
    }
    given = scenario({**US_DUTY, "products": "all", "exempt": ["phones", "half"], "rate": 0.2}, exemptions=listed)
    before = compile_scenario(given, world, products=products, as_of=date(2025, 4, 10))
    assert duty(before) == pytest.approx([0.24, 0.1, 0.2, 0.0])
    after = compile_scenario(given, world, products=products, as_of=date(2025, 4, 11))
    assert duty(after) == pytest.approx([0.24, 0.1, 0.05, 0.0])
    assert change_dates(given) == (date(2025, 4, 11),)


def test_codes_without_trade_are_named(world: World, products: pd.DataFrame) -> None:
    given = {**US_DUTY, "products": ["30", "9999", "851712"], "rate": 0.1}
    notes = the_report(compile_scenario(scenario(given), world, products=products)).notes
    assert notes == ("HS 9999, 851712 met no trade IND -> USA",)


def test_six_digits_on_a_pair_with_headings_only_are_named(world: World, products: pd.DataFrame) -> None:
    given = {**US_DUTY, "destinations": "RUS", "products": ["851713"], "rate": 0.1}
    compiled = compile_scenario(scenario(given), world, products=products)
    assert duty(compiled, "IND", "RUS") == [0.0, 0.0, 0.0, 0.0]
    assert any("only headings are known" in note and "851713" in note for note in the_report(compiled).notes)
    assert "touches no trade at all" in the_report(compiled).notes


def test_without_detail_a_code_stands_for_its_sector_and_the_report_says_so(
    world: World, products: pd.DataFrame
) -> None:
    given = {**US_DUTY, "origins": "RUS", "products": ["0306"], "except": ["0901"], "rate": 0.1}
    compiled = compile_scenario(scenario(given), world, products=products)
    assert duty(compiled, "RUS", "USA") == pytest.approx([0.1, 0.0, 0.0, 0.0])
    notes = the_report(compiled).notes
    assert any("HS 0306 stands for the whole of agriculture" in note for note in notes)
    assert any("the exemption of HS 0901 has no effect" in note for note in notes)


def test_a_chapter_that_is_a_whole_sector_needs_no_detail(world: World, products: pd.DataFrame) -> None:
    given = {**US_DUTY, "origins": "RUS", "products": "all", "except": ["30"], "rate": 0.1}
    compiled = compile_scenario(scenario(given), world, products=products)
    assert duty(compiled, "RUS", "USA") == pytest.approx([0.1, 0.0, 0.1, 0.0])
    assert the_report(compiled).notes == ()


@pytest.mark.parametrize(("case", "rate"), [("low", 0.1), ("central", 0.2), ("high", 0.4)])
def test_a_purchase_enters_with_its_case_and_weight(
    world: World, products: pd.DataFrame, case: str, rate: float
) -> None:
    subsidy = {"low": 0.1, "central": 0.2, "high": 0.4}
    given = scenario({**ORDER, "products": ["03", "30"], "except": "0306", "subsidy_rate": subsidy}, case=case)
    shock = compile_scenario(given, world, products=products).shock
    found = shock.purchase_subsidy_rate.sel(origin="IND", destination="RUS").to_numpy()
    np.testing.assert_allclose(found, [0.0, rate, 0.0, 0.0])
    assert float(shock.purchase_subsidy_rate.sum()) == pytest.approx(rate)


def test_two_programmes_on_the_same_goods_leave_what_neither_pays(world: World, products: pd.DataFrame) -> None:
    one, two = ({**ORDER, "id": name, "sectors": "agriculture", "subsidy_rate": 0.5} for name in ("a", "b"))
    shock = compile_scenario(scenario(one, two), world, products=products).shock
    assert float(shock.purchase_subsidy_rate.sel(origin="IND", destination="RUS", sector="agriculture")) == 0.75


def iceberg(compiled: CompiledScenario) -> float:
    factor = compiled.shock.iceberg_cost_hat
    return float(factor.sel(origin="IND", destination="RUS", sector="agriculture"))


def test_an_obstacle_is_kept_removed_in_part_or_added(world: World, products: pd.DataFrame) -> None:
    base = {**FREIGHT, "sectors": "agriculture", "ave": 0.25}
    kept = compile_scenario(scenario(base), world, products=products)
    assert iceberg(kept) == 1.0
    assert "set removed = true" in the_report(kept).reason
    removed = compile_scenario(scenario({**base, "removed": True}), world, products=products)
    assert iceberg(removed) == pytest.approx(1 / 1.25)
    half = compile_scenario(scenario({**base, "removed": True, "removal_share": 0.5}), world, products=products)
    assert iceberg(half) == pytest.approx(1.125 / 1.25)
    added = compile_scenario(scenario({**base, "added": True}), world, products=products)
    assert iceberg(added) == pytest.approx(1.25)
    both = scenario({**base, "id": "a", "removed": True}, {**base, "id": "b", "removed": True})
    assert iceberg(compile_scenario(both, world, products=products)) == pytest.approx(1 / 1.25**2)


def test_an_embargo_stops_whole_sectors(world: World, products: pd.DataFrame) -> None:
    stop = {"id": "stop", "kind": "embargo", "origins": "IND", "destinations": "RUS"}
    compiled = compile_scenario(scenario({**stop, "products": ["30"]}), world, products=products)
    assert int(compiled.shock.embargo.sum()) == 1
    assert bool(compiled.shock.embargo.sel(origin="IND", destination="RUS", sector="pharmaceuticals"))


def test_an_embargo_on_part_of_a_sector_is_refused_with_its_share(world: World, products: pd.DataFrame) -> None:
    stop = {"id": "stop", "kind": "embargo", "origins": "IND", "destinations": "USA", "products": ["0306", "8542"]}
    with pytest.raises(ScenarioError) as caught:
        compile_scenario(scenario(stop), world, products=products)
    assert len(caught.value.problems) == 2
    assert "covers 75.0 % of IND -> USA trade in agriculture" in caught.value.problems[0]
    assert 'sectors = ["agriculture"]' in caught.value.problems[0]


def test_productivity_multiplies(world: World, products: pd.DataFrame) -> None:
    given = {"kind": "productivity", "countries": "IND", "sectors": "all", "factor": 1.1}
    shock = compile_scenario(scenario({**given, "id": "a"}, {**given, "id": "b"}), world, products=products).shock
    np.testing.assert_allclose(shock.productivity_hat.sel(country="IND"), 1.21)
    np.testing.assert_array_equal(shock.productivity_hat.sel(country="RUS"), 1.0)


def test_domestic_trade_is_never_touched(world: World, products: pd.DataFrame) -> None:
    given = {**US_DUTY, "origins": "all", "destinations": "all", "sectors": "all", "rate": 0.1}
    shock = compile_scenario(scenario(given), world, products=products).shock
    added = (shock.tariff_rate_cf - world.tariff_rate).to_numpy()
    np.testing.assert_allclose(added, 0.1 * (1 - np.eye(3))[:, :, None] * np.ones(4))


def test_dates_pick_measures_and_the_report_says_why(world: World, products: pd.DataFrame) -> None:
    dated = {**US_DUTY, "sectors": "electronics", "rate": 0.1, "valid_from": date(2025, 8, 7)}
    given = scenario({**dated, "valid_until": date(2026, 2, 20)}, {**dated, "id": "off", "enabled": False})
    points = timeline(given, world, [date(2025, 8, 6), date(2025, 8, 7), date(2026, 2, 20)], products=products)
    assert [duty(compiled)[2] for _, compiled in points] == [0.0, 0.1, 0.0]
    assert [c.report.measures[0].reason for _, c in points] == ["in force from 2025-08-07", "", "ended on 2026-02-20"]
    assert points[1][1].report.measures[1].reason == "disabled"
    assert [day for day, _ in timeline(given, world, products=products)] == [date(2025, 8, 7), date(2026, 2, 20)]


def test_dated_measures_need_a_day(world: World, products: pd.DataFrame) -> None:
    dated = {**US_DUTY, "sectors": "all", "rate": 0.1, "valid_from": date(2025, 8, 7)}
    with pytest.raises(ScenarioError, match=r"no day is given; set as_of"):
        compile_scenario(scenario(dated), world, products=products)


def test_groups_pick_measures_and_unknown_ones_are_refused(world: World, products: pd.DataFrame) -> None:
    given = scenario(
        {**US_DUTY, "group": "duty", "sectors": "electronics", "rate": 0.1},
        {**ORDER, "group": "order", "sectors": "agriculture", "subsidy_rate": 0.2},
    )
    compiled = compile_scenario(given, world, products=products, groups=["order"])
    assert duty(compiled)[2] == 0.0
    assert compiled.report.measures[0].reason == "group 'duty' is left out"
    assert [m.id for m in compiled.report.active] == ["order"]
    with pytest.raises(ScenarioError, match=r"no group 'oder'; did you mean 'order'\?"):
        compile_scenario(given, world, products=products, groups=["oder"])


def test_labels_of_another_world_are_refused_all_at_once(world: World, products: pd.DataFrame) -> None:
    given = scenario({**US_DUTY, "origins": "CHN", "sectors": "coal", "rate": 0.1})
    with pytest.raises(ScenarioError) as caught:
        compile_scenario(given, world, products=products)
    assert len(caught.value.problems) == 2


def test_a_product_table_without_its_columns_is_refused(world: World) -> None:
    with pytest.raises(DataError, match="lacks hs, value_usd"):
        compile_scenario(scenario(), world, products=pd.DataFrame({"origin": [], "destination": []}))


def test_the_report_is_ready_for_json_and_tables(world: World, products: pd.DataFrame) -> None:
    given = scenario(
        {**US_DUTY, "products": "03", "rate": 0.4},
        {**US_DUTY, "id": "off", "sectors": "all", "rate": 1.0, "enabled": False},
    )
    report = compile_scenario(given, world, products=products).report
    first, second = report.records()
    assert (first["active"], first["cells"]) == (True, 1)
    assert (first["trade_usd"], first["mean_rate"]) == pytest.approx((75.0, 0.4))
    assert (second["active"], second["mean_rate"]) == (False, None)
    assert list(report.coverage_table()["measure"]) == ["duty"]


def test_the_added_duty_of_a_pair_is_weighted_by_goods(world: World, products: pd.DataFrame) -> None:
    given = {**US_DUTY, "sectors": "electronics", "rate": 0.36}
    shock = compile_scenario(scenario(given), world, products=products).shock
    assert added_duty_rate(world, shock, "IND", "USA") == pytest.approx(0.36 * 200 / 360)
