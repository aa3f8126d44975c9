"""The engine and the slow reference find the same equilibrium, on random worlds, under every part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import NotConvergedError
from counterpoise.model import ElasticLabour, FixedNominal, Labour, SectorLabour
from counterpoise.solver import solve
from tests.reference.slow_equilibrium import ClosureName, Rebate, SlowSolution, solve_slowly
from tests.reference.worlds import random_shock, random_world, with_every_instrument

AGREEMENT = 1e-8
"""Both stop at relative residuals of 1e-11 or less; a flat market (elasticity 0.5) can magnify that a thousandfold."""

RTOL = 1e-11

TINY = 1e-3
"""Money and rates below this are nothing: flows here are of the order of 1e9 USD."""

COMPARED = (
    "wage_hat",
    "price_index_hat",
    "consumer_price_hat",
    "unit_cost_hat",
    "labour_hat",
    "gross_output_cf",
    "expenditure_cf",
    "flow_cf",
    "tariff_revenue_cf",
    "purchase_cost_cf",
    "export_tax_revenue_cf",
    "quota_rent_cf",
    "quota_wedge_rate",
    "sector_wage_hat",
    "income_cf",
    "welfare_hat",
)


def assert_same(found: Solution, expected: SlowSolution) -> None:
    for name in COMPARED:
        mine, theirs = found.values[name], getattr(expected, name)
        if name in ("unit_cost_hat", "sector_wage_hat"):
            mine, theirs = (np.where(found.world.gross_output.to_numpy() > 0, v, 1.0) for v in (mine, theirs))
        gap = np.max(np.abs(mine - theirs)) / max(np.max(np.abs(theirs)), TINY)
        assert gap < AGREEMENT, f"{name} differs by {gap:.2e} of its largest value"
    assert expected.largest_residual < 1e-9


def compare(world: World, shock: Shock, closure: ClosureName, labour: Labour | None = None, **reference: Any) -> None:
    """Compare both; where the equations have a root with an income that is not positive, the engine must refuse it."""
    expected = solve_slowly(world, shock, closure=closure, **reference)
    if np.min(expected.income_cf) <= 0:
        with pytest.raises(NotConvergedError, match="is not positive"):
            solve(world, shock, closure=closure, labour=labour, rtol=RTOL)
        return
    assert_same(solve(world, shock, closure=closure, labour=labour, rtol=RTOL), expected)


@pytest.mark.parametrize("closure", ["fixed_world_share", "zero", "fixed_nominal"])
@pytest.mark.parametrize("seed", range(4))
def test_every_lever_at_once(seed: int, closure: ClosureName) -> None:
    world = random_world(seed, 3, 2)
    compare(world, random_shock(world, 100 + seed), closure)


@pytest.mark.parametrize(("countries", "sectors"), [(4, 1), (5, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_other_sizes(countries: int, sectors: int, seed: int) -> None:
    world = random_world(seed, countries, sectors)
    compare(world, random_shock(world, 200 + seed), "fixed_world_share")


@pytest.mark.parametrize("seed", range(12))
def test_elasticities_from_half_to_thirty(seed: int) -> None:
    world = random_world(seed, 3, 2, elasticity=(0.5, 30.0), zeros=0.3)
    compare(world, random_shock(world, 300 + seed), "fixed_world_share")


@pytest.mark.parametrize("seed", range(4))
def test_steep_tariffs_and_import_subsidies_in_the_base_year(seed: int) -> None:
    world = random_world(seed, 3, 2, tariff=(-0.3, 1.0))
    compare(world, random_shock(world, 400 + seed), "fixed_world_share")


@pytest.mark.parametrize("seed", range(4))
def test_scale_economies(seed: int) -> None:
    world = random_world(seed, 3, 2, scale=0.3)
    compare(world, random_shock(world, 500 + seed, tariff=(0.0, 0.5)), "fixed_world_share")


@pytest.mark.parametrize("rebate", ["lump_sum", "income_tax_relief"])
@pytest.mark.parametrize("seed", range(3))
def test_elastic_labour(seed: int, rebate: Rebate) -> None:
    world = random_world(seed, 3, 2, tariff=(0.0, 0.05))
    shock = Shock.none(world).with_tariff(0.2, destination="C0").with_productivity(1.1, country="C1")
    labour = ElasticLabour(0.5, rebate=rebate)
    compare(world, shock, "fixed_world_share", labour, labour_supply_elasticity=0.5, rebate=rebate)


def test_deficits_fixed_in_the_wage_of_a_country() -> None:
    world = random_world(7, 3, 2)
    shock = random_shock(world, 700)
    found = solve(world, shock, closure=FixedNominal(country="C1"), rtol=RTOL)
    assert_same(found, solve_slowly(world, shock, closure="fixed_nominal", nominal_in_wage_of="C1"))


@pytest.mark.parametrize("closure", ["fixed_world_share", "zero", "fixed_nominal"])
@pytest.mark.parametrize("seed", range(3))
def test_every_instrument_at_once(seed: int, closure: ClosureName) -> None:
    world = random_world(seed, 3, 2)
    shock = with_every_instrument(random_shock(world, 100 + seed, tariff=(-0.2, 1.0)), world, 800 + seed)
    compare(world, shock, closure)


@pytest.mark.parametrize("mobility", [1.0, 1.5, 8.0])
@pytest.mark.parametrize("seed", range(2))
def test_labour_tied_to_sectors(seed: int, mobility: float) -> None:
    world = random_world(seed, 3, 2, zeros=0.0)
    shock = random_shock(world, 900 + seed, tariff=(0.0, 0.5))
    compare(world, shock, "fixed_world_share", SectorLabour(mobility), mobility=mobility)


def test_every_instrument_with_labour_tied_to_sectors() -> None:
    world = random_world(3, 3, 2)
    shock = with_every_instrument(random_shock(world, 103, tariff=(-0.2, 1.0)), world, 803)
    compare(world, shock, "zero", SectorLabour(1.0), mobility=1.0)
