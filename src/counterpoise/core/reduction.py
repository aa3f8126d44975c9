"""Worlds and shocks as another model sees them: without intermediate inputs, with scale economies, in one sector.

Nothing is estimated. Flows, tariffs and so deficits stay those of the world; what is left out is said in its notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.choice import ModelChoice
from counterpoise.core.errors import InputError, LabelError, did_you_mean, raise_all
from counterpoise.core.shock import Shock
from counterpoise.core.world import World

__all__ = ["ONE_SECTOR", "one_sector_shock", "one_sector_world", "shaped_world"]

Floats = NDArray[np.float64]

ONE_SECTOR = "all"
"""Label of the one sector."""


def shaped_world(world: World, choice: ModelChoice) -> World:
    """Return the world as a choice sees it, in the world's own sectors; a choice of one sector leaves it as it is.

    Parameters
    ----------
    world
        Balanced base year, with its long-run trade elasticities.
    choice
        Its technology, and scale economies.

    Raises
    ------
    LabelError
        If scale elasticities are given for sectors that the world lacks.
    """
    if choice.one_sector:
        return world
    if choice.technology in ("multi_sector", "fixed_varieties"):
        world = _without_inputs(world)
    return _with_scale(world, choice)


def _without_inputs(world: World) -> World:
    """Return the world whose purchases are all final; what countries consume of each sector follows from them."""
    if not bool(np.any(world.io_coefficient.to_numpy() != 0)):
        return world
    n, s = len(world.countries), len(world.sectors)
    note = "intermediate inputs are left out: all purchases count as final, all sales as value added"
    return world.with_changes(
        io_coefficient=np.zeros((n, s, s)),
        value_added_share=np.ones((n, s)),
        meta=replace(world.meta, notes=(*world.meta.notes, note)),
    )


def _with_scale(world: World, choice: ModelChoice) -> World:
    """Return the world with the scale elasticities of a choice."""
    theta = world.trade_elasticity.to_numpy()
    given = choice.scale_elasticity
    if choice.scale_strength is not None:
        scale = choice.scale_strength / theta
    elif isinstance(given, Mapping):
        strangers = [f"unknown sector '{s}'{did_you_mean(s, world.sectors)}" for s in given if s not in world.sectors]
        raise_all(LabelError, "scale_elasticity names sectors that the world lacks", strangers)
        own = world.scale_elasticity.to_numpy()
        scale = np.array([given.get(s, float(v)) for s, v in zip(world.sectors, own, strict=True)])
    elif given is not None:
        scale = np.full_like(theta, given)
    else:
        return world
    return world.with_changes(scale_elasticity=scale, consumption_share=world.consumption_share)


def one_sector_world(world: World, choice: ModelChoice) -> World:
    """Return the world with all sectors added up into one, `ONE_SECTOR`.

    Flows are sums; the tariff of a pair is its trade-weighted mean, so that revenue and deficits stay exactly what they
    are. The trade elasticity is that of the choice, else the mean of the world's weighted with foreign trade. Under
    ``distribution_margin`` the base year has no tariffs: what a shock adds is then the change of one plus the duty.

    Parameters
    ----------
    world
        Any balanced base year.
    choice
        Of one sector.
    """
    flow, rate = world.flow.to_numpy(), world.tariff_rate.to_numpy()
    n = len(world.countries)
    foreign = np.where(np.eye(n, dtype=bool)[:, :, None], 0.0, flow).sum(axis=(0, 1))
    theta = choice.trade_elasticity
    if theta is None:
        theta = float(foreign @ world.trade_elasticity.to_numpy() / foreign.sum())
    margin = choice.technology == "distribution_margin"
    share = 1.0 if margin or choice.value_added_share is None else choice.value_added_share
    notes = (
        *world.meta.notes,
        f"all {len(world.sectors)} sectors are added up into one, with trade elasticity {theta:.4g} and value added "
        f"{share:g} of output",
        *(("tariffs of the base year are left out; new ones count from there",) if margin else ()),
    )
    meta = replace(
        world.meta,
        name=f"{world.meta.name}, one sector",
        notes=notes,
        sector_names={ONE_SECTOR: "All goods and services"},
    )
    made = World.from_arrays(
        countries=world.countries,
        sectors=(ONE_SECTOR,),
        flow=flow.sum(axis=2, keepdims=True),
        tariff_rate=None if margin else _mean(rate, flow),
        trade_elasticity=theta,
        value_added_share=np.full((n, 1), share),
        absent=world.absent.to_numpy().all(axis=2, keepdims=True),
        meta=meta,
    )
    return _with_scale(made, choice)


def one_sector_shock(world: World, shock: Shock, reduced: World, choice: ModelChoice) -> Shock:
    """Return a shock as the one sector feels it: means weighted with base-year trade (output for productivity).

    Parameters
    ----------
    world, shock
        In many sectors.
    reduced
        What `one_sector_world` made of the world.
    choice
        Of one sector.

    Raises
    ------
    LabelError
        If the shock was made for other labels than the world's.
    InputError
        If it holds what has no meaning in one sector: tastes, quotas, opened lines, an embargo on a part of a pair's
        trade; every reason is listed.
    """
    shock.require_labels(world)
    flow = world.flow.to_numpy()
    forbidden = shock.embargo.to_numpy()
    whole = np.all(forbidden | (flow <= 0), axis=2) & forbidden.any(axis=2)
    problems = [
        f"{name} changes, which has no meaning in one sector; take technology 'multi_sector' or 'input_output'"
        for name in ("demand_hat", "potential_flow", "quota_limit")
        if name in shock.moved
    ]
    problems += [
        f"the embargo {world.countries[i]} -> {world.countries[j]} covers a part of the pair's trade; one sector can "
        "only stop all of it"
        for i, j in np.argwhere(forbidden.any(axis=2) & ~whole).tolist()
    ]
    raise_all(InputError, "the shock does not fit one sector", problems)
    later = shock.tariff_rate_cf.to_numpy()
    rate = _mean(later, flow)
    if choice.technology == "distribution_margin":
        rate = (1.0 + rate) / (1.0 + _mean(world.tariff_rate.to_numpy(), flow)) - 1.0
    return Shock(
        reduced,
        tariff_rate_cf=rate,
        purchase_subsidy_rate=_mean(shock.purchase_subsidy_rate.to_numpy(), flow * (1.0 + later)),
        export_tax_rate=_mean(shock.export_tax_rate.to_numpy(), flow),
        iceberg_cost_hat=_mean(shock.iceberg_cost_hat.to_numpy(), flow, otherwise=1.0),
        non_tariff_cost_hat=_mean(shock.non_tariff_cost_hat.to_numpy(), flow, otherwise=1.0),
        productivity_hat=_mean(shock.productivity_hat.to_numpy(), flow.sum(axis=1), otherwise=1.0),
        labour_supply_hat=shock.labour_supply_hat.to_numpy(),
        embargo=whole[:, :, None],
        notes=shock.notes,
    )


def _mean(values: Floats, weights: Floats, otherwise: float = 0.0) -> Floats:
    """Return weighted means over the last axis, kept with length 1; ``otherwise`` where there is no weight.

    Equal values give exactly that value, so that what does not change stays exactly unchanged.
    """
    total = weights.sum(axis=-1, keepdims=True)
    first = values[..., :1]
    moved = ((values - first) * weights).sum(axis=-1, keepdims=True)
    mean = first + np.divide(moved, total, out=np.zeros_like(total), where=total > 0)
    return np.where(total > 0, mean, otherwise)
