"""What scenarios say about single products, and the programme that products become."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from counterpoise.core.errors import InputError
from counterpoise.scenario import compile_scenario, load_scenario, scenario_world
from counterpoise.scenario.opportunities import (
    duties_by_product,
    obstacles_by_product,
    purchase_fragment,
    schedule_of,
)
from counterpoise.scenario.schema import Opening

SHRIMP, MEDICINES, STEEL, CARS = "030617", "300490", "720610", "870322"


def test_duties_are_those_in_force_on_the_day() -> None:
    def added(day: date) -> dict[str, float]:
        table = duties_by_product("USA", "IND", [SHRIMP, MEDICINES, STEEL, CARS], as_of=day).table
        difference = (table["rate_after"] - table["rate_before"]).astype(float)
        return dict(zip(table["hs"], difference, strict=True))

    autumn = added(date(2025, 10, 3))
    # 25 + 25 on shrimp; medicines are exempt; steel pays 50 and cars 25 instead of both.
    assert autumn == pytest.approx({SHRIMP: 0.5, MEDICINES: 0.0, STEEL: 0.5, CARS: 0.25}, abs=1e-12)
    assert added(date(2025, 8, 10))[SHRIMP] == pytest.approx(0.25)
    # Shrimp is free again after the duties under emergency powers fell; steel is not.
    assert added(date(2026, 2, 21)) == pytest.approx({SHRIMP: 0.0, MEDICINES: 0.0, STEEL: 0.5, CARS: 0.25}, abs=1e-12)


def test_duties_agree_with_the_shock_they_are_averaged_into() -> None:
    chosen = load_scenario("us-india-timeline")
    compiled = compile_scenario(chosen, scenario_world(chosen))
    terms = compiled.lines[("IND", "USA")]
    world = scenario_world(chosen)
    mean = terms.lines.sector_mean(terms.duty_after, len(world.sectors))
    shock = compiled.shock.tariff_rate_cf.sel(origin="IND", destination="USA").to_numpy()
    touched = shock != world.tariff_rate.sel(origin="IND", destination="USA").to_numpy()
    assert touched.any()
    assert mean[touched] == pytest.approx(shock[touched], rel=1e-12)


def test_the_schedule_is_found_or_what_there_is_is_named() -> None:
    assert schedule_of("USA", "IND") == "us-india-timeline"
    with pytest.raises(InputError, match=r"no duties of USA on MEX; it has USA on IND.*--scenario"):
        duties_by_product("USA", "MEX", [SHRIMP])
    with pytest.raises(InputError, match="no duty of CHN on IND"):
        duties_by_product("CHN", "IND", [SHRIMP], scenario="us-india-timeline")


def test_obstacles_multiply_over_a_product() -> None:
    flagship = load_scenario("valdai-2025")
    found = obstacles_by_product(flagship, "IND", "RUS", [SHRIMP, MEDICINES])
    general, farm = 1.0, 1.0
    for measure in flagship.measure:
        if measure.kind == "obstacle":
            rate = measure.ave.central
            everything = measure.products == ("all",)
            general *= 1 + rate if everything else 1.0
            farm *= 1 + rate if everything or measure.id == "sanitary" or "01-24" in (measure.products or ()) else 1.0
    assert found[SHRIMP] == pytest.approx(farm - 1)
    assert found[SHRIMP] > general - 1
    assert obstacles_by_product(flagship, "CHN", "RUS", [SHRIMP]) == {}


def test_products_become_a_programme_that_simulates(tmp_path: Path) -> None:
    text = purchase_fragment(
        ["030617", "300490"], seller="IND", buyer="RUS", name="shrimp", subsidy_rate=0.2, extends=None, source="a test"
    )
    path = tmp_path / "shrimp.toml"
    path.write_text(text, encoding="utf-8")
    scenario = load_scenario(path)
    (report,) = compile_scenario(scenario, scenario_world(scenario)).report.measures
    assert report.active
    assert report.mean_rate == pytest.approx(0.2)
    assert 0 < report.trade_usd < 1e9
    longer = purchase_fragment(
        ["030617"], seller="IND", buyer="RUS", name="more", subsidy_rate=0.1, extends="valdai-2025", source="a test"
    )
    (tmp_path / "more.toml").write_text(longer, encoding="utf-8")
    assert len(load_scenario(tmp_path / "more.toml").measure) == len(load_scenario("valdai-2025").measure) + 1


def test_countries_inside_regions_stand_for_them() -> None:
    text = purchase_fragment(
        ["870322"], seller="MEX", buyer="DEU", name="cars", subsidy_rate=0.2, extends=None, source="a test"
    )
    assert 'buyer = "EU27"' in text
    with pytest.raises(InputError, match="both lie in EU27"):
        purchase_fragment(["8703"], seller="FRA", buyer="DEU", name="x", subsidy_rate=0.2, extends=None, source="y")
    with pytest.raises(InputError, match="at least one product"):
        purchase_fragment([], seller="IND", buyer="RUS", name="x", subsidy_rate=0.2, extends=None, source="y")


def test_lines_that_are_zero_become_levers(tmp_path: Path) -> None:
    text = purchase_fragment(
        ["030617"],
        seller="IND",
        buyer="RUS",
        name="levers",
        subsidy_rate=0.2,
        extends=None,
        source="a test",
        openings={"crude_oil_gas": 1.5e6},
    )
    path = tmp_path / "levers.toml"
    path.write_text(text, encoding="utf-8")
    scenario = load_scenario(path)
    (lever,) = scenario.lever
    opened = scenario.measure[-1]
    assert isinstance(opened, Opening)
    assert (opened.enabled, opened.sector, opened.potential_usd) == (False, "crude_oil_gas", 1.5e6)
    switched = load_scenario(path, overrides={"measure.opened_crude_oil_gas.enabled": "true"})
    shock = compile_scenario(switched, scenario_world(switched)).shock
    potential = shock.potential_flow.sel(origin="IND", destination="RUS", sector="crude_oil_gas")
    assert float(potential) == pytest.approx(1.5e6)
    assert (lever.kind, lever.sectors, lever.potential_usd) == ("opened_line", ("crude_oil_gas",), 1.5e6)


def test_an_undated_scenario_of_ones_own_holds_on_any_day(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'schema = 1\nname = "mine"\n[[measure]]\nid = "us"\nkind = "tariff"\nsource = "a test"\n'
        'origins = ["MEX"]\ndestinations = ["USA"]\nproducts = "all"\nrate = 0.25\n',
        encoding="utf-8",
    )
    found = duties_by_product("USA", "MEX", [CARS], scenario=str(path))
    assert found.as_of is None
    assert float((found.table["rate_after"] - found.table["rate_before"]).iloc[0]) == pytest.approx(0.25)
