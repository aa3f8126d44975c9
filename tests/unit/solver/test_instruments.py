"""Each instrument against what theory says of it: who is paid, what is equivalent to what, and which limit binds."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pytest

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError
from counterpoise.model import ElasticLabour, SectorLabour
from counterpoise.solver import path_decomposition, solve, solve_batch
from tests.unit.core.test_world import small_world

WORLD = small_world()
NONE = Shock.none(WORLD)


class Line(TypedDict):
    """Where an instrument is set."""

    origin: str
    destination: str
    sector: str


LINE: Line = {"origin": "AAA", "destination": "BBB", "sector": "cloth"}
AT = (0, 1, 1)
FLOW = float(WORLD.flow.to_numpy()[AT])
RTOL = 1e-12
REAL = ("welfare_hat", "real_wage_hat", "consumer_price_hat", "labour_hat")


def solved(shock: Shock) -> Solution:
    return solve(WORLD, shock, rtol=RTOL)


def assert_same_world(one: Solution, other: Solution, names: tuple[str, ...] = (*REAL, "flow_cf", "wage_hat")) -> None:
    for name in names:
        np.testing.assert_allclose(one.values[name], other.values[name], rtol=1e-9, err_msg=name)


def test_a_binding_quota_with_rents_at_home_is_a_tariff_whose_revenue_is_the_rent() -> None:
    quota = solved(NONE.with_quota(0.5 * FLOW, **LINE))
    wedge = float(quota.quota_wedge_rate.to_numpy()[AT])
    assert wedge > 0
    tariff = solved(NONE.with_tariff(1.1 * (1 + wedge) - 1, **LINE))
    assert_same_world(quota, tariff)
    extra = float((tariff.tariff_revenue_cf - quota.tariff_revenue_cf).sel(country="BBB"))
    assert float(quota.quota_rent_cf.sel(country="BBB")) == pytest.approx(extra, rel=1e-9)


def test_a_binding_quota_with_rents_abroad_is_an_export_tax_whose_revenue_is_the_rent() -> None:
    quota = solved(NONE.with_quota(0.5 * FLOW, **LINE, exporter_share=1.0))
    wedge = float(quota.quota_wedge_rate.to_numpy()[AT])
    tax = solved(NONE.with_export_tax(wedge, **LINE))
    assert_same_world(quota, tax)
    rent, revenue = quota.quota_rent_cf.sel(country="AAA"), tax.export_tax_revenue_cf.sel(country="AAA")
    assert float(rent) == pytest.approx(float(revenue), rel=1e-9)


def test_rents_are_split_as_asked() -> None:
    row = solved(NONE.with_quota(0.5 * FLOW, **LINE, exporter_share=0.25)).quotas_table().iloc[0]
    assert row["exporter_rent_usd"] == pytest.approx(row["importer_rent_usd"] / 3)
    assert row["volume_usd"] == pytest.approx(row["limit_usd"], rel=1e-9)
    assert bool(row["binds"])


def test_a_limit_above_what_is_sold_changes_nothing_at_all() -> None:
    shock = NONE.with_tariff(0.4, origin="CCC", destination="BBB")
    free = solved(shock)
    limited = solved(shock.with_quota(10.0 * FLOW, **LINE))
    assert_same_world(limited, free)
    assert float(limited.quota_wedge_rate.max()) == 0.0
    assert not limited.quotas_table()["binds"].any()


@pytest.mark.parametrize("part", [0.2, 0.999, 1.001, 1.3])
def test_the_wedge_is_zero_or_the_limit_binds(part: float) -> None:
    row = solved(NONE.with_quota(part * FLOW, **LINE)).quotas_table().iloc[0]
    assert row["volume_usd"] <= row["limit_usd"] * (1 + 1e-9)
    assert (row["wedge_pct"] > 0) == (part < 1)


def test_a_quota_of_zero_is_an_embargo() -> None:
    quota, embargo = solved(NONE.with_quota(0.0, **LINE)), solved(NONE.with_embargo(**LINE))
    assert float(quota.flow_cf.to_numpy()[AT]) == 0.0
    assert_same_world(quota, embargo)


def test_lerner_symmetry_of_a_tax_on_all_exports_and_a_tariff_on_all_imports() -> None:
    """With balanced trade the two are the same in real terms (Lerner 1936)."""
    flow = WORLD.flow.to_numpy()
    even = (flow + flow.transpose(1, 0, 2)) / 2
    world = World.from_arrays(countries=WORLD.countries, sectors=WORLD.sectors, flow=even, trade_elasticity=4.0)
    tax = solve(world, Shock.none(world).with_export_tax(0.2, origin="AAA"), rtol=RTOL)
    tariff = solve(world, Shock.none(world).with_tariff(0.2, destination="AAA"), rtol=RTOL)
    np.testing.assert_allclose(tax.welfare_hat, tariff.welfare_hat, rtol=1e-9)


def test_export_subsidies_cost_those_who_pay_them() -> None:
    found = solved(NONE.with_export_tax(-0.2, **LINE))
    sent = float(found.flow_cf.to_numpy()[AT]) / 0.8
    assert float(found.export_tax_revenue_cf.sel(country="AAA")) == pytest.approx(-0.2 * sent)
    assert float(found.flow_cf.to_numpy()[AT]) > FLOW


def test_non_tariff_and_iceberg_costs_do_the_same_and_multiply() -> None:
    rules, ice = solved(NONE.with_non_tariff_cost(1.3, **LINE)), solved(NONE.with_iceberg_cost(1.3, **LINE))
    assert_same_world(rules, ice)
    both = solved(NONE.with_non_tariff_cost(1.3, **LINE).with_iceberg_cost(1.1, **LINE))
    assert_same_world(both, solved(NONE.with_iceberg_cost(1.43, **LINE)))


def test_more_labour_everywhere_scales_the_world_and_no_price() -> None:
    found = solved(NONE.with_labour_supply(1.1, country=None))
    np.testing.assert_allclose(found.labour_hat, 1.1)
    np.testing.assert_allclose(found.real_wage_hat, 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.welfare_hat, 1.1, rtol=1e-9)


def test_tastes_move_spending_and_shares_still_add_up() -> None:
    found = solved(NONE.with_demand(2.0, country="AAA", sector="grain"))
    assert float(found.expenditure_cf[0, 0]) > float(WORLD.expenditure[0, 0])
    used = np.einsum("jsr,jr->js", WORLD.io_coefficient.to_numpy(), found.gross_output_cf.to_numpy())
    final = found.expenditure_cf.to_numpy() - used
    np.testing.assert_allclose(final.sum(axis=1), found.income_cf, rtol=1e-9)
    alpha = WORLD.consumption_share.to_numpy()[0] * np.array([2.0, 1.0])
    np.testing.assert_allclose(final[0] / final[0].sum(), alpha / alpha.sum(), rtol=1e-9)


def shut_world() -> World:
    flow = WORLD.flow.to_numpy().copy()
    flow[AT] = 0.0
    return World.from_arrays(
        countries=WORLD.countries,
        sectors=WORLD.sectors,
        flow=flow,
        tariff_rate=WORLD.tariff_rate.to_numpy(),
        io_coefficient=WORLD.io_coefficient.to_numpy(),
        trade_elasticity=4.0,
    )


def test_an_opened_line_sells_its_potential_to_first_order_and_less_at_a_cost() -> None:
    world = shut_world()
    tiny = 1e-6 * float(world.expenditure[1, 1])
    opened = solve(world, Shock.none(world).with_opening(tiny, **LINE), rtol=RTOL)
    assert float(opened.flow_cf.to_numpy()[AT]) == pytest.approx(tiny, rel=1e-4)
    dear = solve(world, Shock.none(world).with_opening(tiny, **LINE, cost_factor=1.2), rtol=RTOL)
    assert float(dear.flow_cf.to_numpy()[AT]) == pytest.approx(tiny * 1.2**-4.0, rel=1e-4)
    assert float(solve(world, Shock.none(world)).flow_cf.to_numpy()[AT]) == 0.0


def test_opening_undoes_shutting() -> None:
    """A world whose line was shut by an embargo comes back when the line is opened with what it would sell."""
    embargo = solve(WORLD, NONE.with_embargo(**LINE), rtol=RTOL)
    shut = WORLD.with_changes(flow=embargo.flow_cf.to_numpy(), consumption_share=WORLD.consumption_share)
    landed = (embargo.unit_cost_hat[0, 1] / embargo.price_index_hat[1, 1]) ** -4.0
    share = float(WORLD.expenditure_share.to_numpy()[AT] * landed)
    potential = share * float(shut.expenditure[1, 1]) / 1.1
    back = solve(shut, Shock.none(shut).with_opening(potential, **LINE), rtol=RTOL)
    scale = float(WORLD.gross_output.sum() / back.gross_output_cf.sum())
    np.testing.assert_allclose(back.flow_cf.to_numpy() * scale, WORLD.flow, rtol=1e-7)


def test_a_line_that_cannot_be_opened_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="AAA -> BBB, cloth trades already"):
        solve(WORLD, NONE.with_opening(1.0, **LINE))


def test_specific_factors_pay_each_sector_what_it_sells() -> None:
    shock = NONE.with_tariff(1.0, **LINE)
    found = solve(WORLD, shock, labour=SectorLabour(), rtol=RTOL)
    grown = found.gross_output_cf / WORLD.gross_output
    np.testing.assert_allclose(found.sector_wage_hat, grown, rtol=1e-9)
    assert float(found.sector_wage_hat[0, 1]) < float(found.sector_wage_hat[0, 0])
    assert "labour tied to sectors" in found.technology


def test_labour_that_moves_almost_freely_is_mobile_labour() -> None:
    shock = NONE.with_tariff(1.0, **LINE)
    tied = solve(WORLD, shock, labour=SectorLabour(mobility=1e7), rtol=RTOL)
    np.testing.assert_allclose(tied.welfare_hat, solved(shock).welfare_hat, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"), [(lambda: SectorLabour(0.5), "give 1"), (lambda: ElasticLabour(-1), "negative")]
)
def test_impossible_labour_is_refused(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(InputError, match=words):
        make()


def test_the_parts_of_welfare_add_up_under_the_newer_instruments_too() -> None:
    world = shut_world().with_changes(scale_elasticity=np.array([0.1, 0.0]))
    shock = (
        Shock.none(world)
        .with_export_tax(0.15, origin="CCC")
        .with_export_tax(-0.1, origin="AAA", destination="CCC")
        .with_quota(
            0.6 * float(world.flow[2, 0, 0]), origin="CCC", destination="AAA", sector="grain", exporter_share=0.4
        )
        .with_labour_supply(1.05, country="BBB")
        .with_demand(1.4, country="AAA", sector="grain")
        .with_non_tariff_cost(1.1, origin="BBB", destination="CCC")
        .with_opening(0.05 * float(world.expenditure[1, 1]), **LINE)
    )
    parts = path_decomposition(world, shock, labour=SectorLabour(2.0), atol_pct=1e-6)
    exact = 100.0 * (solve(world, shock, labour=SectorLabour(2.0), rtol=RTOL).welfare_hat.to_numpy() - 1.0)
    np.testing.assert_allclose(parts.parts_pct.sum(axis=1), exact, atol=2e-6)
    assert abs(parts.parts_pct[1, 5]) > 1  # labour
    assert np.all(np.abs(parts.parts_pct[:, 6]) > 0)  # scale
    assert abs(parts.parts_pct[0, 7]) > 0  # tastes


def test_a_batch_mixes_shocks_with_and_without_parts() -> None:
    shocks = [
        NONE.with_tariff(0.3, **LINE),
        NONE.with_quota(0.5 * FLOW, **LINE),
        NONE.with_export_tax(0.2, origin="CCC"),
        NONE.with_quota(0.0, **LINE),
    ]
    batch = solve_batch(WORLD, shocks)
    for draw, shock in enumerate(shocks):
        np.testing.assert_allclose(batch.data["welfare_hat"][draw], solved(shock).welfare_hat, rtol=1e-7)
