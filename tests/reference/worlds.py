"""Random worlds that balance, and random shocks to them; the same seed gives the same ones."""

from __future__ import annotations

import numpy as np

from counterpoise.core import Shock, World


def random_world(
    seed: int,
    countries: int = 3,
    sectors: int = 2,
    *,
    zeros: float = 0.15,
    elasticity: tuple[float, float] = (2.0, 8.0),
    tariff: tuple[float, float] = (0.0, 0.3),
    scale: float = 0.0,
    inputs: bool = True,
) -> World:
    """Draw a world with zeros in trade, tariffs and input-output links, scaled until final demand is not negative.

    Parameters
    ----------
    zeros
        Probability that a foreign flow is zero.
    elasticity, tariff
        Ranges of trade elasticities (drawn in logs) and baseline tariffs.
    scale
        Scale elasticity as a part of its upper bound 1/theta.
    """
    rng = np.random.default_rng(seed)
    n, s = countries, sectors
    size = np.exp(rng.normal(0.0, 0.7, n))
    both_ways = rng.normal(0.0, 0.8, (n, n, s))
    one_way = rng.normal(0.0, 0.4, (n, n, s))
    flow = (
        1e9 * np.exp((both_ways + both_ways.swapaxes(0, 1)) / 2 + one_way) * size[:, None, None] * size[None, :, None]
    )
    home = np.eye(n, dtype=bool)
    flow[home] *= 4.0
    flow[(rng.random((n, n, s)) < zeros) & ~home[:, :, None]] = 0.0
    rate = rng.uniform(*tariff, (n, n, s))
    rate[home] = 0.0
    io = rng.dirichlet(np.ones(s + 1), (n, s)).transpose(0, 2, 1)[:, :s, :] if inputs else np.zeros((n, s, s))
    spent = (flow * (1.0 + rate)).sum(axis=0)
    used = np.einsum("jsr,jr->js", io, flow.sum(axis=1))
    room = np.divide(0.9 * spent, used, out=np.ones_like(spent), where=used > 0)
    io = io * np.minimum(1.0, room.min(axis=1))[:, None, None]
    theta = np.exp(rng.uniform(np.log(elasticity[0]), np.log(elasticity[1]), s))
    return World.from_arrays(
        countries=[f"C{k}" for k in range(n)],
        sectors=[f"s{k}" for k in range(s)],
        flow=flow,
        tariff_rate=rate,
        io_coefficient=io,
        trade_elasticity=theta,
        scale_elasticity=scale / theta,
    )


def random_shock(world: World, seed: int, *, tariff: tuple[float, float] = (-0.3, 3.0), embargo: bool = True) -> Shock:
    """Draw a shock of every kind: tariffs, iceberg costs, productivity, one purchase programme, one embargo."""
    rng = np.random.default_rng(seed)
    n, s = len(world.countries), len(world.sectors)
    foreign = ~np.eye(n, dtype=bool)[:, :, None] & np.ones(s, dtype=bool)
    struck = foreign & (rng.random((n, n, s)) < 0.4)
    rate = np.where(struck, rng.uniform(*tariff, (n, n, s)), world.tariff_rate.to_numpy())
    subsidy, closed = np.zeros((n, n, s)), np.zeros((n, n, s), dtype=bool)
    subsidy[0, 1, 0] = 0.2
    if embargo:
        closed[1, 2, s - 1] = True
    return Shock(
        world,
        tariff_rate_cf=rate,
        purchase_subsidy_rate=subsidy,
        iceberg_cost_hat=np.where(foreign, np.exp(rng.normal(0.0, 0.15, (n, n, s))), 1.0),
        productivity_hat=np.exp(rng.normal(0.0, 0.1, (n, s))),
        embargo=closed,
    )


def with_every_instrument(shock: Shock, world: World, seed: int, *, quotas: int = 2) -> Shock:
    """Add export taxes and subsidies, rules, labour, tastes, an opened line where one is shut, and quotas of all kinds.

    Of the quotas half are below the base-year flow and half above; importers, exporters or both hold the licences.
    """
    rng = np.random.default_rng(seed)
    n, s = len(world.countries), len(world.sectors)
    flow = world.flow.to_numpy()
    foreign = ~np.eye(n, dtype=bool)[:, :, None] & np.ones(s, dtype=bool)
    tax = np.where(foreign & (rng.random((n, n, s)) < 0.4), rng.uniform(-0.2, 0.3, (n, n, s)), 0.0)
    rules = np.where(foreign, np.exp(rng.uniform(0.0, 0.15, (n, n, s))), 1.0)
    potential = np.zeros((n, n, s))
    made, bought = flow.sum(axis=1), flow.sum(axis=0)
    shut = np.argwhere((flow == 0) & foreign & (made > 0)[:, None, :] & (bought > 0)[None, :, :])
    if len(shut):
        i, j, k = shut[rng.integers(len(shut))]
        potential[i, j, k] = rng.uniform(0.02, 0.3) * bought[j, k]
    limit, part = np.full((n, n, s), np.inf), np.zeros((n, n, s))
    lines = np.argwhere((flow > 0) & foreign & ~shock.embargo.to_numpy())
    for k in rng.permutation(len(lines))[:quotas]:
        cell = tuple(lines[k])
        limit[cell] = flow[cell] * np.exp(rng.uniform(-1.5, 1.5))
        part[cell] = rng.choice([0.0, 1.0, rng.random()])
    return Shock(
        world,
        **{
            name: getattr(shock, name)
            for name in (
                "tariff_rate_cf",
                "purchase_subsidy_rate",
                "iceberg_cost_hat",
                "productivity_hat",
                "embargo",
            )
        },
        export_tax_rate=tax,
        non_tariff_cost_hat=rules,
        labour_supply_hat=np.exp(rng.normal(0.0, 0.1, n)),
        demand_hat=np.exp(rng.normal(0.0, 0.3, (n, s))),
        potential_flow=potential,
        quota_limit=limit,
        quota_exporter_share=part,
    )
