"""The product tier: it adds up to the sector model, agrees with plain loops, and refuses what it cannot use."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError, NotConvergedError
from counterpoise.core.products import ProductShock, ProductWorld, scheduled_shock, split_world
from counterpoise.solver import solve
from counterpoise.solver.products import solve_products

COUNTRIES, SECTORS = ("AAA", "BBB", "CCC", "DDD"), ("food", "goods", "services")
CODES = ("010100", "010200", "020100", "840100", "840200")
CODE_SECTOR = ("food", "food", "food", "goods", "goods")


def make_world(rng: np.random.Generator, tariff: float = 0.1) -> World:
    """Draw a balanced world with input-output links."""
    n, s = len(COUNTRIES), len(SECTORS)
    flow = rng.lognormal(0.0, 1.0, (n, n, s))
    flow[np.arange(n), np.arange(n)] += 12.0
    rate = tariff * rng.random((n, n, s)) * (1 - np.eye(n))[:, :, None]
    inputs = 0.15 * rng.random((n, s, s))
    return World.from_arrays(
        countries=COUNTRIES,
        sectors=SECTORS,
        flow=flow,
        tariff_rate=rate,
        io_coefficient=inputs,
        trade_elasticity=[3.0, 5.0, 4.0],
    )


def split(world: World, rng: np.random.Generator, **options: object) -> ProductWorld:
    """Split the foreign trade of a world into most pairs of countries and products."""
    n = len(COUNTRIES)
    i, j, k = np.indices((n, n, len(CODES))).reshape(3, -1)
    keep = (i != j) & (rng.random(i.size) < 0.8)
    return split_world(
        world,
        products=CODES,
        product_sector=CODE_SECTOR,
        origin=i[keep],
        destination=j[keep],
        product=k[keep],
        flow=rng.lognormal(0.0, 1.0, int(keep.sum())),
        **options,  # pyright: ignore[reportArgumentType]
    )


@pytest.fixture
def world(rng: np.random.Generator) -> World:
    """Draw the world of this file."""
    return make_world(rng)


def test_lines_add_up_to_the_world(world: World, rng: np.random.Generator) -> None:
    """Flows and duties of the lines sum to those of every cell; lines are sorted and unique."""
    lines = split(world, rng, tariff_rate=None)
    n, s = len(COUNTRIES), len(SECTORS)
    cell = (lines.origin.astype(np.int64) * n + lines.destination) * s + lines.product_sector[lines.product]
    flow = np.bincount(cell, lines.flow, n * n * s).reshape(n, n, s)
    duty = np.bincount(cell, lines.flow * lines.tariff_rate, n * n * s).reshape(n, n, s)
    np.testing.assert_allclose(flow, world.flow.to_numpy(), rtol=1e-12)
    np.testing.assert_allclose(duty, (world.flow * world.tariff_rate).to_numpy(), rtol=1e-12, atol=1e-15)
    key = (lines.product.astype(np.int64) * n + lines.destination) * n + lines.origin
    assert np.all(np.diff(key) > 0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("closure", ["fixed_world_share", "zero", "fixed_nominal"])
def test_equal_elasticities_give_the_sector_model(seed: int, closure: str) -> None:
    """With one elasticity and one duty per sector, sums over products are the sector equilibrium."""
    rng = np.random.default_rng(seed)
    world = make_world(rng)
    lines = split(world, rng)
    dense = solve(
        world, Shock.none(world).with_tariff(0.8, origin="AAA", destination="BBB"), closure=closure, rtol=1e-12
    )
    shock = ProductShock.none(lines).with_tariff(0.8, origin="AAA", destination="BBB")
    fine = solve_products(lines, shock, closure=closure, rtol=1e-12)
    for name in ("wage_hat", "price_index_hat", "welfare_hat", "gross_output_cf", "income_cf", "unit_cost_hat"):
        np.testing.assert_allclose(fine.values[name], dense.values[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(fine.sector_flow_cf.to_numpy(), dense.values["flow_cf"], rtol=1e-9)


def test_every_equation_holds_by_plain_loops(world: World, rng: np.random.Generator) -> None:
    """Product prices, nested shares, flows and budgets hold, recomputed line by line from the outcome."""
    theta = rng.uniform(2.0, 9.0, len(CODES))
    lines = split(world, rng, trade_elasticity=theta, substitution=[1.5, 0.7, 2.0])
    shock = (
        ProductShock.none(lines).with_tariff(0.4, destination="CCC", hs="8401").with_tariff(0.2, origin="AAA", hs="01")
    )
    found = solve_products(lines, shock, rtol=1e-12)
    n = len(COUNTRIES)
    cost, spending = found.values["unit_cost_hat"], found.values["expenditure_cf"]
    paid = lines.flow * (1 + lines.tariff_rate)
    for j in range(n):
        for s in range(len(SECTORS)):
            mine = np.flatnonzero((lines.destination == j) & (lines.product_sector[lines.product] == s))
            whole, total = paid[mine].sum(), 0.0
            pieces: dict[int, tuple[NDArray[np.intp], NDArray[np.float64], float]] = {}
            for k in np.unique(lines.product[mine]):
                at = mine[lines.product[mine] == k]
                kappa = (1 + shock.tariff_rate_cf[at]) / (1 + lines.tariff_rate[at])
                t = lines.trade_elasticity[k]
                pull = paid[at] / paid[at].sum() * (cost[lines.origin[at], s] * kappa) ** -t
                price = pull.sum() ** (-1 / t)
                part = paid[at].sum() / whole * price ** -lines.substitution[s]
                pieces[int(k)] = (at, pull / pull.sum(), part)
                total += part
            assert found.values["price_index_hat"][j, s] == pytest.approx(
                total ** (-1 / lines.substitution[s]), rel=1e-10
            )
            for at, share, part in pieces.values():
                expected = share * part / total * spending[j, s] / (1 + shock.tariff_rate_cf[at])
                np.testing.assert_allclose(found.flow_cf[at], expected, rtol=1e-9)
    output = np.bincount(lines.origin, found.flow_cf, n)
    np.testing.assert_allclose(output, found.values["gross_output_cf"].sum(axis=1), rtol=1e-9)
    revenue = np.bincount(lines.destination, found.flow_cf * shock.tariff_rate_cf, n)
    np.testing.assert_allclose(revenue, found.values["tariff_revenue_cf"], rtol=1e-8)


def test_no_shock_changes_nothing(world: World, rng: np.random.Generator) -> None:
    """Hats are one, flows stay, whatever the elasticities."""
    lines = split(world, rng, trade_elasticity=rng.uniform(1.0, 20.0, len(CODES)))
    found = solve_products(lines)
    np.testing.assert_allclose(found.values["welfare_hat"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.flow_cf, lines.flow, rtol=1e-9)
    assert found.max_residual <= 1e-9


def test_a_duty_on_one_product_moves_trade_to_its_neighbours(world: World, rng: np.random.Generator) -> None:
    """The line that is taxed shrinks, other products of the sector from the same origin grow."""
    lines = split(world, rng)
    hit = lines.lines(origin="AAA", destination="BBB", hs="010100")
    beside = lines.lines(origin="AAA", destination="BBB", hs=["0102", "02"])
    assert hit.sum() == 1
    assert beside.any()
    found = solve_products(
        lines, ProductShock.none(lines).with_tariff(1.0, origin="AAA", destination="BBB", hs="010100")
    )
    assert np.all(found.flow_cf[hit] < 0.5 * lines.flow[hit])
    assert np.all(found.flow_cf[beside] > lines.flow[beside])


def test_an_embargo_shuts_lines_exactly_and_is_the_limit_of_a_rising_cost(
    world: World, rng: np.random.Generator
) -> None:
    """A shut line sells nothing, all conditions hold, and a prohibitive trade cost comes to the same."""
    lines = split(world, rng)
    shut = lines.lines(origin="AAA", destination="BBB", hs="01")
    found = solve_products(lines, ProductShock.none(lines).with_embargo(origin="AAA", destination="BBB", hs="01"))
    assert shut.any()
    assert np.all(found.flow_cf[shut] == 0)
    assert found.max_residual <= 1e-9
    dear = solve_products(
        lines, ProductShock.none(lines).with_iceberg_cost(1e6, origin="AAA", destination="BBB", hs="01")
    )
    np.testing.assert_allclose(found.flow_cf[~shut], dear.flow_cf[~shut], rtol=1e-6)
    np.testing.assert_allclose(found.values["welfare_hat"], dear.values["welfare_hat"], rtol=1e-8)
    rows = [
        {"origin": "AAA", "destination": "BBB", "hs": "01", "how": "embargo"},
        {"origin": "AAA", "destination": "BBB", "hs": "010100", "rate": "0", "how": "add"},
    ]
    kept = scheduled_shock(lines, rows)
    assert kept.embargo is not None
    np.testing.assert_array_equal(kept.embargo, shut & ~lines.lines(hs="010100"))
    assert found.table(shut)["embargo"].all()


def test_an_embargo_of_every_product_is_that_of_the_sector(world: World, rng: np.random.Generator) -> None:
    lines = split(world, rng)
    found = solve_products(lines, ProductShock.none(lines).with_embargo(origin="AAA", hs=("01", "02")))
    dense = solve(world, Shock.none(world).with_embargo(origin="AAA", destination=["BBB", "CCC", "DDD"], sector="food"))
    np.testing.assert_allclose(found.values["welfare_hat"], dense.values["welfare_hat"], rtol=1e-7)


def test_a_buyer_without_any_supplier_has_no_equilibrium(world: World, rng: np.random.Generator) -> None:
    lines = split(world, rng)
    shock = ProductShock.none(lines).with_embargo(destination="BBB").with_embargo(origin="BBB", destination="BBB")
    with pytest.raises(NotConvergedError, match="BBB has no supplier of food left"):
        solve_products(lines, shock)


def test_the_longest_code_of_a_schedule_decides(world: World, rng: np.random.Generator) -> None:
    """A row for six digits overrides one for two; rows add to the baseline, not to each other."""
    lines = split(world, rng)
    rows = [
        {"origin": "AAA", "destination": "*", "hs": "010100", "rate": "0.3", "how": "set"},
        {"origin": "AAA", "destination": "*", "hs": "01", "rate": "0.5", "how": "add"},
    ]
    shock = scheduled_shock(lines, rows)
    six, two = lines.lines(origin="AAA", hs="010100"), lines.lines(origin="AAA", hs="0102")
    np.testing.assert_allclose(shock.tariff_rate_cf[six], 0.3)
    np.testing.assert_allclose(shock.tariff_rate_cf[two], lines.tariff_rate[two] + 0.5)
    with pytest.raises(InputError, match=r"(?s)row 1: how.*row 1.*row 2: rate missing"):
        scheduled_shock(
            lines, [rows[0] | {"how": "raise", "origin": "XXX"}, {k: v for k, v in rows[1].items() if k != "rate"}]
        )


def test_what_cannot_be_used_is_refused_at_once(world: World, rng: np.random.Generator) -> None:
    """All problems of product lines are listed; unknown codes and foreign shocks are named."""
    with pytest.raises(InputError, match=r"(?s)values of origin.*flows are negative"):
        split_world(
            world,
            products=CODES,
            product_sector=CODE_SECTOR,
            origin=[0, 9],
            destination=[1, 1],
            product=[0, 1],
            flow=[1.0, -1.0],
        )
    lines, other = split(world, rng), split(world, rng)
    with pytest.raises(LabelError, match="begins with '99'"):
        lines.lines(hs="99")
    with pytest.raises(InputError, match="another product world"):
        solve_products(lines, ProductShock.none(other))
    with pytest.raises(InputError, match="above -1"):
        ProductShock.none(lines).with_tariff(-1.0)
    with pytest.raises(NotConvergedError, match="worst condition"):
        solve_products(lines, ProductShock.none(lines).with_tariff(0.5), max_steps=2)


def test_dropped_and_bare_cells_are_told(rng: np.random.Generator) -> None:
    """Lines without flow in the world are counted, cells without lines become one line each."""
    world = make_world(rng)
    flow = world.flow.to_numpy().copy()
    flow[0, 1, 0] = 0.0
    changed = World.from_arrays(
        countries=COUNTRIES, sectors=SECTORS, flow=flow, trade_elasticity=world.trade_elasticity.to_numpy()
    )
    lines = split_world(
        changed,
        products=CODES,
        product_sector=CODE_SECTOR,
        origin=[0, 2],
        destination=[1, 1],
        product=[0, 3],
        flow=[5.0, 7.0],
    )
    assert any("1 of 2 lines (5 USD)" in note for note in lines.notes)
    assert "services:other" in lines.products
    assert any("no product detail" in note for note in lines.notes)
