"""What must hold in every equilibrium, whatever the world and the shock."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError
from counterpoise.model import FixedNominal
from counterpoise.solver import path_decomposition, rebase, solve
from tests.reference.worlds import random_shock, random_world

RTOL = 1e-11
EXACT = 1e-9
"""A hundred times the residual at which the engine stops here."""

CLOSURES = ("fixed_world_share", "zero", "fixed_nominal")
REAL = ("welfare_hat", "real_wage_hat", "labour_hat")


def solved(seed: int, closure: str = "fixed_world_share") -> Solution:
    world = random_world(seed, 3, 2)
    return solve(world, random_shock(world, 100 + seed), closure=closure, rtol=RTOL)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


@pytest.mark.parametrize("closure", ["fixed_world_share", "fixed_nominal"])
@pytest.mark.parametrize("seed", range(3))
def test_no_shock_gives_ones(seed: int, closure: str) -> None:
    world = random_world(seed, 3, 2)
    found = solve(world, Shock.none(world), closure=closure, rtol=RTOL)
    for name in ("wage_hat", "price_index_hat", "consumer_price_hat", "unit_cost_hat", "labour_hat", "welfare_hat"):
        np.testing.assert_allclose(found.values[name], 1.0, rtol=0, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(found.values["flow_cf"], world.flow.to_numpy(), rtol=1e-11)


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("seed", range(4))
def test_world_deficits_sum_to_zero(seed: int, closure: str) -> None:
    found = solved(seed, closure)
    assert abs(found.deficit_cf.sum()) < EXACT * found.imports_cf.sum()


def test_zero_closure_balances_every_country() -> None:
    found = solved(1, "zero")
    assert relative(found.exports_cf.to_numpy(), found.imports_cf.to_numpy()) < EXACT


@pytest.mark.parametrize("seed", range(4))
def test_world_share_closure_keeps_deficits_over_world_output(seed: int) -> None:
    found = solved(seed)
    world_output_hat = float(found.gross_output_cf.sum() / found.world.gross_output.sum())
    expected = found.world.deficit.to_numpy() * world_output_hat
    assert np.max(np.abs(found.deficit_cf.to_numpy() - expected)) < EXACT * float(found.imports_cf.sum())


def test_share_of_own_value_added_is_refused() -> None:
    world = random_world(0, 3, 2)
    with pytest.raises(InputError, match="do not sum to zero"):
        solve(world, closure="own_value_added_share")


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("seed", range(3))
def test_walras_law_and_every_market(seed: int, closure: str) -> None:
    """Goods, labour and budgets hold in the flows themselves; with them the market that was not imposed."""
    found = solved(seed, closure)
    world, shock = found.world, found.shock
    flow, wage = found.flow_cf.to_numpy(), found.wage_hat.to_numpy()
    factor = (1 + shock.tariff_rate_cf.to_numpy()) * (1 - shock.purchase_subsidy_rate.to_numpy())
    output, spending = flow.sum(axis=1), (factor * flow).sum(axis=0)
    assert relative(output, found.gross_output_cf.to_numpy()) < EXACT
    assert relative(spending, found.expenditure_cf.to_numpy()) < EXACT
    wage_bill = wage * found.labour_hat.to_numpy() * world.value_added.sum("sector").to_numpy()
    assert relative((world.value_added_share.to_numpy() * output).sum(axis=1), wage_bill) < EXACT
    revenue = ((factor - 1) * flow).sum(axis=(0, 2))
    assert np.max(np.abs(revenue - found.tariff_revenue_cf.to_numpy())) < EXACT * float(found.income_cf.sum())
    income = wage_bill + revenue + found.deficit_cf.to_numpy()
    assert relative(income, found.income_cf.to_numpy()) < EXACT
    used = np.einsum("jsr,jr->js", world.io_coefficient.to_numpy(), output)
    assert relative(used + world.consumption_share.to_numpy() * income[:, None], spending) < EXACT
    assert abs(wage_bill.sum() / float(world.value_added.sum()) - 1) < EXACT


@pytest.mark.parametrize("seed", range(3))
def test_numeraire_does_not_matter(seed: int) -> None:
    world = rebase(random_world(seed, 3, 2), "zero")
    shock = random_shock(world, 100 + seed)
    expected = solve(world, shock, closure="zero", rtol=RTOL)
    for country in world.countries:
        found = solve(world, shock, closure=FixedNominal(country=country), rtol=RTOL)
        for name in (*REAL, "flow_cf"):
            assert relative(found.values[name], expected.values[name]) < EXACT


def test_unit_of_account_does_not_matter() -> None:
    world = random_world(2, 3, 2)
    shock = random_shock(world, 102)
    in_usd = solve(world, shock, rtol=RTOL)
    in_mn = solve(world.with_changes(flow=world.flow.to_numpy() / 1e6), shock, rtol=RTOL)
    for name in (*REAL, "wage_hat", "price_index_hat"):
        assert relative(in_mn.values[name], in_usd.values[name]) < EXACT


@pytest.mark.parametrize("seed", range(3))
def test_relabelled_countries_permute_results(seed: int) -> None:
    world = random_world(seed, 3, 2)
    shock = random_shock(world, 100 + seed)
    order = ["C2", "C0", "C1"]
    arrays = {
        name: getattr(shock, name).sel({d: order for d in getattr(shock, name).dims if d != "sector"})
        for name in ("tariff_rate_cf", "purchase_subsidy_rate", "iceberg_cost_hat", "productivity_hat", "embargo")
    }
    permuted = world.permute(order)
    found = solve(permuted, Shock(permuted, **arrays), rtol=RTOL)
    expected = solve(world, shock, rtol=RTOL)
    for name in ("wage_hat", "price_index_hat", "welfare_hat", "flow_cf", "deficit_cf"):
        there, here = getattr(expected, name), getattr(found, name)
        moved = there.sel({d: order for d in there.dims if d != "sector"}).to_numpy()
        assert relative(here.to_numpy(), moved) < EXACT


@pytest.mark.parametrize("seed", range(4))
def test_embargo_gives_exactly_zero(seed: int) -> None:
    found = solved(seed)
    closed = found.shock.embargo.to_numpy()
    assert closed.any()
    assert np.all(found.flow_cf.to_numpy()[closed] == 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_no_trade_stays_no_trade(seed: int) -> None:
    found = solved(seed)
    assert np.all(found.flow_cf.to_numpy()[found.world.flow.to_numpy() == 0.0] == 0.0)


@pytest.mark.parametrize("inputs", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_one_sector_without_tariffs_follows_the_closed_form(seed: int, inputs: bool) -> None:
    """Welfare is the domestic share to the power -1/(theta * value added share), Arkolakis et al. (2012)."""
    world = rebase(random_world(seed, 4, 1, tariff=(0.0, 0.0), inputs=inputs), "zero")
    rng = np.random.default_rng(seed)
    foreign = ~np.eye(4, dtype=bool)[:, :, None]
    cost = np.where(foreign, np.exp(rng.normal(0.0, 0.3, (4, 4, 1))), 1.0)
    found = solve(world, Shock(world, iceberg_cost_hat=cost), closure="zero", rtol=RTOL)

    def domestic_share(flow: np.ndarray) -> np.ndarray:
        return np.diagonal(flow[:, :, 0]) / flow[:, :, 0].sum(axis=0)

    share_hat = domestic_share(found.flow_cf.to_numpy()) / domestic_share(world.flow.to_numpy())
    exponent = -1.0 / (float(world.trade_elasticity[0]) * world.value_added_share.to_numpy()[:, 0])
    np.testing.assert_allclose(found.welfare_hat.to_numpy(), share_hat**exponent, rtol=EXACT)


def split(world: World, country: str, part: float) -> World:
    """Split a country in two parts that trade freely with each other and differ in nothing but size."""
    k, n = world.countries.index(country), len(world.countries)
    rows = [*range(n), k]
    weight = np.ones(n + 1)
    weight[k], weight[n] = part, 1.0 - part
    picked = np.ix_(rows, rows)
    return World.from_arrays(
        countries=[*world.countries, f"{country}b"],
        sectors=world.sectors,
        flow=world.flow.to_numpy()[picked] * weight[:, None, None] * weight[None, :, None],
        tariff_rate=world.tariff_rate.to_numpy()[picked],
        value_added_share=world.value_added_share.to_numpy()[rows],
        io_coefficient=world.io_coefficient.to_numpy()[rows],
        consumption_share=world.consumption_share.to_numpy()[rows],
        trade_elasticity=world.trade_elasticity.to_numpy(),
    )


def split_shock(shock: Shock, world: World, country: str) -> Shock:
    """Let a shock strike both parts of a country alike."""
    rows = [*range(len(shock.countries)), shock.countries.index(country)]
    pairs = np.ix_(rows, rows)
    return Shock(
        world,
        tariff_rate_cf=shock.tariff_rate_cf.to_numpy()[pairs],
        purchase_subsidy_rate=shock.purchase_subsidy_rate.to_numpy()[pairs],
        iceberg_cost_hat=shock.iceberg_cost_hat.to_numpy()[pairs],
        productivity_hat=shock.productivity_hat.to_numpy()[rows],
        embargo=shock.embargo.to_numpy()[pairs],
    )


@pytest.mark.parametrize("part", [0.5, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_aggregating_two_identical_countries_changes_nothing(seed: int, part: float) -> None:
    world = random_world(seed, 3, 2)
    shock = random_shock(world, 100 + seed)
    apart = split(world, "C2", part)
    assert apart.check() == ()
    whole = solve(world, shock, rtol=RTOL)
    pieces = solve(apart, split_shock(shock, apart, "C2"), rtol=RTOL)
    for name in ("wage_hat", "price_index_hat", "unit_cost_hat", "welfare_hat"):
        mine = pieces.values[name]
        assert relative(mine[:3], whole.values[name]) < EXACT
        assert relative(mine[3], whole.values[name][2]) < EXACT
    together = np.eye(4)[:, :3]
    together[3, 2] = 1.0
    flow = np.einsum("ia,ijs,jb->abs", together, pieces.flow_cf.to_numpy(), together)
    assert relative(flow, whole.flow_cf.to_numpy()) < EXACT


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("seed", range(2))
def test_exact_parts_add_up_to_exact_welfare(seed: int, closure: str) -> None:
    world = random_world(seed, 3, 2)
    if closure == "zero":
        world = rebase(world, "zero")
    shock = random_shock(world, 100 + seed, tariff=(0.0, 0.6))
    found = path_decomposition(world, shock, closure=closure, atol_pct=1e-6)
    exact = 100.0 * (solve(world, shock, closure=closure, rtol=RTOL).welfare_hat.to_numpy() - 1.0)
    np.testing.assert_allclose(found.parts_pct.sum(axis=1), exact, rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.welfare_pct, exact, rtol=0, atol=1e-6)
