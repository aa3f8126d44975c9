"""The Shock: builders touch what they name, refuse what cannot be, and never mutate."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock
from counterpoise.core.errors import InputError, LabelError
from tests.unit.core.test_world import small_world


def test_a_tariff_is_set_by_the_destination_on_the_origin_and_nowhere_else() -> None:
    world = small_world()
    shock = Shock.none(world).with_tariff(0.5, origin="AAA", destination="BBB", sector="cloth")
    changed = np.argwhere(shock.tariff_rate_cf.to_numpy() != world.tariff_rate.to_numpy())
    assert changed.tolist() == [[0, 1, 1]]
    assert float(shock.tariff_rate_cf[0, 1, 1]) == 0.5


def test_added_tariffs_stack_on_the_baseline() -> None:
    world = small_world()
    shock = Shock.none(world).with_tariff(0.25, origin="AAA", destination="BBB", add=True)
    assert float(shock.tariff_rate_cf[0, 1, 0]) == pytest.approx(0.35)


def test_all_origins_leave_domestic_sales_alone() -> None:
    world = small_world()
    shock = Shock.none(world).with_tariff(0.5, destination="BBB")
    assert float(shock.tariff_rate_cf[1, 1, 0]) == 0.0
    assert float(shock.tariff_rate_cf[2, 1, 0]) == 0.5


def test_obstacles_multiply() -> None:
    world = small_world()
    shock = (
        Shock.none(world).with_iceberg_cost(1.1, origin="AAA").with_iceberg_cost(1.1, origin="AAA", destination="CCC")
    )
    assert float(shock.iceberg_cost_hat[0, 2, 0]) == pytest.approx(1.21)
    assert float(shock.iceberg_cost_hat[0, 1, 0]) == pytest.approx(1.1)


def test_the_shock_before_is_left_as_it_was() -> None:
    world = small_world()
    none = Shock.none(world)
    none.with_embargo(origin="AAA", destination="BBB", note="stop")
    assert not bool(none.embargo.any())
    assert none.notes == ()


@pytest.mark.parametrize("rate", [-1.0, -2.0, np.nan])
def test_an_impossible_tariff_is_refused_with_its_cell(rate: float) -> None:
    with pytest.raises(InputError, match=r"tariff_rate_cf\[AAA, BBB, grain\]"):
        Shock.none(small_world()).with_tariff(rate, origin="AAA", destination="BBB", sector="grain")


def test_a_subsidy_of_everything_is_refused() -> None:
    with pytest.raises(InputError, match="lies outside 0 "):
        Shock.none(small_world()).with_purchase_subsidy(1.0, origin="AAA", destination="BBB")


def test_an_unknown_sector_is_met_with_the_nearest_one() -> None:
    with pytest.raises(LabelError, match="unknown sector 'clot'; did you mean 'cloth'"):
        Shock.none(small_world()).with_tariff(0.1, sector="clot")


def test_a_shock_for_another_world_is_refused() -> None:
    with pytest.raises(LabelError, match="countries of the shock"):
        Shock.none(small_world()).require_labels(small_world().permute(["BBB", "AAA", "CCC"]))


def test_an_unknown_term_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="its terms are tariff_rate_cf"):
        Shock.none(small_world()).with_array("tau", np.ones(3))


def test_the_newer_terms_are_set_where_they_are_meant_and_named() -> None:
    world = small_world()
    shock = (
        Shock.none(world)
        .with_export_tax(0.1, origin="AAA")
        .with_quota(5.0, origin="AAA", destination="BBB", sector="cloth", exporter_share=0.5)
        .with_labour_supply(1.1, country="CCC")
        .with_demand(1.2, country="AAA", sector="grain")
        .with_non_tariff_cost(1.05, origin="BBB", destination="AAA")
    )
    assert shock.moved == (
        "export_tax_rate",
        "non_tariff_cost_hat",
        "labour_supply_hat",
        "demand_hat",
        "quota_limit",
        "quota_exporter_share",
    )
    assert float(shock.export_tax_rate[0, 0, 0]) == 0.0
    assert np.isfinite(shock.quota_limit.to_numpy()).sum() == 1
    said = repr(shock)
    assert "quota_limit: 1 cells, 5 to 5" in said
    assert "export_tax_rate: 4 cells, 0.1 to 0.1" in said


@pytest.mark.parametrize("limit", [-1.0, np.nan])
def test_an_impossible_quota_is_refused_with_its_cell(limit: float) -> None:
    with pytest.raises(InputError, match=r"quota_limit\[AAA, BBB, cloth\]"):
        Shock.none(small_world()).with_quota(limit, origin="AAA", destination="BBB", sector="cloth")
