"""From labelled World and Shock to the bare arrays of the equations, and the path from the baseline to the shock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError
from counterpoise.model.equilibrium import Baseline, Quotas, Terms

__all__ = [
    "OPTIONAL_PARTS",
    "baseline_of",
    "closed_lines",
    "latent_share",
    "parts_of",
    "quota_cells",
    "terms_alike",
    "terms_along",
    "terms_of",
    "unsupplied",
]

Numbers = NDArray[np.float64]
Cells = NDArray[np.intp]


_ARRAYS = (
    "flow",
    "tariff_rate",
    "value_added_share",
    "io_coefficient",
    "consumption_share",
    "trade_elasticity",
    "scale_elasticity",
)
"""What a baseline is made of."""

_MADE: WeakKeyDictionary[World, tuple[tuple[Numbers, ...], Baseline]] = WeakKeyDictionary()
"""Baselines by world, as long as the world lives, with the very arrays they were made of."""


def baseline_of(world: World) -> Baseline:
    """Return the base-year arrays of a world, trade arrays as (sector, origin, destination).

    A world that was asked for before gives the same baseline again, as long as its arrays are the same read-only ones.
    """
    arrays: tuple[Numbers, ...] = tuple(getattr(world, name).to_numpy() for name in _ARRAYS)
    known = _MADE.get(world)
    if known is not None and all(a is b and not a.flags.writeable for a, b in zip(arrays, known[0], strict=True)):
        return known[1]
    made = _baseline(world)
    _MADE[world] = (arrays, made)
    return made


def _baseline(world: World) -> Baseline:
    flow, rate = world.flow.to_numpy(), world.tariff_rate.to_numpy()
    gamma, theta = world.value_added_share.to_numpy(), world.trade_elasticity.to_numpy()
    paid = flow * (1.0 + rate)
    spent = paid.sum(axis=0)
    share = paid / np.where(spent > 0, spent, 1.0)
    output = flow.sum(axis=1)
    value_added = gamma * output
    deficit = flow.sum(axis=(0, 2)) - flow.sum(axis=(1, 2))
    total = value_added.sum(axis=1)
    return Baseline(
        expenditure_share=_by_sector(share),
        tariff_rate=_by_sector(rate),
        value_added_share=_device(gamma),
        io_coefficient=_device(world.io_coefficient.to_numpy()),
        consumption_share=_device(world.consumption_share.to_numpy()),
        gross_output=_device(output),
        value_added=_device(total),
        deficit=_device(deficit),
        income=_device(total + (flow * rate).sum(axis=(0, 2)) + deficit),
        trade_elasticity=_device(theta),
        scale_elasticity=_device(world.scale_elasticity.to_numpy()),
        wage_step=_device(_wage_step(flow, share, output, value_added, theta)),
        rival_share=_device((flow * (1.0 - share)).sum(axis=1) / np.where(output > 0, output, 1.0)),
    )


def terms_of(world: World, shock: Shock, parts: Collection[str] | None = None, lines: Cells | None = None) -> Terms:
    """Return the numbers of a shock; ``parts`` and ``lines`` as in `terms_along`."""
    return terms_along(world, shock, 1.0, parts, lines)


def terms_alike(world: World, shocks: Sequence[Shock]) -> Callable[[Shock], Terms]:
    """Return what makes the terms of each of several shocks, all with the same parts and shapes."""
    parts = parts_of(shocks)
    found = [quota_cells(world, shock) for shock in shocks]
    lines = np.unique(np.concatenate(found), axis=0) if found else None
    return lambda shock: terms_along(world, shock, 1.0, parts, lines)


def parts_of(shocks: Iterable[Shock]) -> frozenset[str]:
    """Return the optional parts that any of several shocks uses, so that their terms can be made alike."""
    return frozenset(name for shock in shocks for name in shock.moved if name in OPTIONAL_PARTS)


OPTIONAL_PARTS = ("non_tariff_cost_hat", "export_tax_rate", "potential_flow", "labour_supply_hat", "demand_hat")
"""Terms of a Shock that the equations leave out where nothing sets them; quotas go by the lines that have one."""


def terms_along(
    world: World, shock: Shock, fraction: float, parts: Collection[str] | None = None, lines: Cells | None = None
) -> Terms:
    """Return the shock a fraction of the way from the baseline (0) to its full size (1).

    Logs of price factors, trade costs, productivity, labour supply and weights of demand move linearly; an embargo
    closes its share linearly, and a line opens linearly. A quota below the base-year flow falls to its limit in logs;
    one above stands at once. A quota of zero is an embargo.

    Parameters
    ----------
    world, shock
        Baseline and full shock.
    fraction
        Position on the path.
    parts
        Names of `OPTIONAL_PARTS` to include although they change nothing, as for their derivative; by default those
        that the shock sets.
    lines
        Lines (K, 3) that get a quota, without limit where the shock has none; by default `quota_cells` of the shock.
    """
    before, after = 1.0 + world.tariff_rate.to_numpy(), 1.0 + shock.tariff_rate_cf.to_numpy()
    full = fraction == 1.0
    moved = frozenset(shock.moved)
    used = {name for name in OPTIONAL_PARTS if name in moved or (parts is not None and name in parts)}
    latent = latent_share(world, shock) * fraction if "potential_flow" in used else None
    n, s = len(world.countries), len(world.sectors)
    by_sector = (s, n, n)
    subsidy = shock.purchase_subsidy_rate.to_numpy()
    return Terms(
        tariff_rate=_by_sector((after if full else before * (after / before) ** fraction) - 1.0),
        purchase_subsidy_rate=_by_sector(subsidy if full else 1.0 - (1.0 - subsidy) ** fraction)
        if "purchase_subsidy_rate" in moved
        else _filled(by_sector, 0.0),
        iceberg_cost_hat=_by_sector(shock.iceberg_cost_hat.to_numpy() ** fraction)
        if "iceberg_cost_hat" in moved
        else _filled(by_sector, 1.0),
        open_share=_by_sector(1.0 - fraction * closed_lines(shock).astype(np.float64))
        if moved & {"embargo", "quota_limit"}
        else _filled(by_sector, 1.0),
        productivity_hat=_device(shock.productivity_hat.to_numpy() ** fraction)
        if "productivity_hat" in moved
        else _filled((n, s), 1.0),
        non_tariff_cost_hat=_by_sector(shock.non_tariff_cost_hat.to_numpy() ** fraction)
        if "non_tariff_cost_hat" in used
        else None,
        export_tax_rate=_by_sector((1.0 + shock.export_tax_rate.to_numpy()) ** fraction - 1.0)
        if "export_tax_rate" in used
        else None,
        latent_share=None if latent is None else _by_sector(latent),
        labour_supply_hat=_device(shock.labour_supply_hat.to_numpy() ** fraction)
        if "labour_supply_hat" in used
        else None,
        demand_hat=_device(shock.demand_hat.to_numpy() ** fraction) if "demand_hat" in used else None,
        quotas=_quotas(world, shock, fraction, lines) if lines is not None or "quota_limit" in moved else None,
    )


def closed_lines(shock: Shock) -> NDArray[np.bool_]:
    """Return the lines that a shock shuts: embargoes, and quotas of zero, (N, N, S)."""
    return shock.embargo.to_numpy() | (shock.quota_limit.to_numpy() == 0)


def quota_cells(world: World, shock: Shock) -> Cells:
    """Return the lines under a quota that could bind, (K, 3) positions of origin, destination and sector.

    A line that is shut, or that neither trades nor is opened, needs no quota.
    """
    if "quota_limit" not in shock.moved:
        return np.zeros((0, 3), dtype=np.intp)
    trades = (world.flow.to_numpy() > 0) | (shock.potential_flow.to_numpy() > 0)
    return np.argwhere(np.isfinite(shock.quota_limit.to_numpy()) & trades & ~closed_lines(shock))


def _quotas(world: World, shock: Shock, fraction: float, lines: Cells | None) -> Quotas | None:
    """Return the quotas of a shock, None where there are none."""
    cells = quota_cells(world, shock) if lines is None else lines
    if not len(cells):
        return None
    at = tuple(cells.T)
    limit, flow = np.clip(shock.quota_limit.to_numpy()[at], 1e-300, 1e300), world.flow.to_numpy()[at]
    falling = (flow > limit) & (fraction != 1.0)
    return Quotas(
        cell=_device(cells[:, [2, 0, 1]].astype(np.float64)),
        limit=_device(np.where(falling, np.where(flow > 0, flow, 1.0) ** (1.0 - fraction) * limit**fraction, limit)),
        exporter_share=_device(shock.quota_exporter_share.to_numpy()[at]),
    )


def latent_share(world: World, shock: Shock) -> Numbers:
    """Return potentials over spending, both including base-year duties, (N, N, S); 0 where the line is shut."""
    factor = 1.0 + world.tariff_rate.to_numpy()
    spent = (world.flow.to_numpy() * factor).sum(axis=0)
    potential = np.where(closed_lines(shock), 0.0, shock.potential_flow.to_numpy())
    return potential * factor / np.where(spent > 0, spent, 1.0)


def unsupplied(world: World, shock: Shock) -> list[tuple[str, str]]:
    """List the (country, sector) that buy in the baseline and have no supplier left under the shock."""
    if not {"embargo", "quota_limit"} & set(shock.moved):
        return []
    flow = world.flow.to_numpy()
    left = np.where(closed_lines(shock), 0.0, flow + shock.potential_flow.to_numpy()).sum(axis=0)
    return [(world.countries[j], world.sectors[s]) for j, s in np.argwhere((flow.sum(axis=0) > 0) & (left <= 0))]


def _device(array: Numbers) -> Array:
    """Hand a float64 array to JAX; refuse to lose half of its digits."""
    handed = jnp.asarray(array)
    if handed.dtype != np.float64:
        raise InputError(
            "JAX would cut the data to 32 bits; call through counterpoise.solver, or inside 'with jax.enable_x64(True)'"
        )
    return handed


@lru_cache(maxsize=16)
def _filled(shape: tuple[int, ...], value: float) -> Array:
    """Return a term that changes nothing; the same array each time, so that it is handed over once."""
    return _device(np.full(shape, value))


def _by_sector(array: Numbers) -> Array:
    """Move the sector axis first, contiguous."""
    return _device(np.ascontiguousarray(np.moveaxis(array, 2, 0)))


def _wage_step(flow: Numbers, share: Numbers, output: Numbers, value_added: Numbers, theta: Numbers) -> Numbers:
    """Return the share of log excess labour demand by which a wage moves, (N,): one over the slope of excess demand.

    The slope is theta times the part of each sale that rivals can take, plus the part of sales that goes abroad and so
    does not rise with the country's own income; both are averaged with value-added weights. A country that hardly
    trades has hardly a slope: the step is at most three times what it would be if nothing were sold at home.
    """
    sold = np.where(output > 0, output, 1.0)
    rivalled = 1.0 - (flow * share).sum(axis=1) / sold
    abroad = 1.0 - np.diagonal(flow).T / sold
    weight = value_added / np.maximum(value_added.sum(axis=1, keepdims=True), 1e-300)
    slope = (weight * theta * rivalled).sum(axis=1)
    return np.minimum(3.0 / (1.0 + slope), 1.0 / (slope + (weight * abroad).sum(axis=1) + 1e-300))
