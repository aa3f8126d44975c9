"""From labelled World and Shock to the bare arrays of the equations, and the path from the baseline to the shock."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError
from counterpoise.model.equilibrium import Baseline, Terms

__all__ = ["baseline_of", "terms_along", "terms_of", "unsupplied"]

Numbers = NDArray[np.float64]


def baseline_of(world: World) -> Baseline:
    """Return the base-year arrays of a world, trade arrays as (sector, origin, destination)."""
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
    )


def terms_of(world: World, shock: Shock) -> Terms:
    """Return the numbers of a shock."""
    return terms_along(world, shock, 1.0)


def terms_along(world: World, shock: Shock, fraction: float) -> Terms:
    """Return the shock a fraction of the way from the baseline (0) to its full size (1).

    Logs of price factors, iceberg costs and productivity move linearly; an embargo closes its share linearly.
    """
    before, after = 1.0 + world.tariff_rate.to_numpy(), 1.0 + shock.tariff_rate_cf.to_numpy()
    subsidy, closed = shock.purchase_subsidy_rate.to_numpy(), shock.embargo.to_numpy().astype(np.float64)
    full = fraction == 1.0
    return Terms(
        tariff_rate=_by_sector((after if full else before * (after / before) ** fraction) - 1.0),
        purchase_subsidy_rate=_by_sector(subsidy if full else 1.0 - (1.0 - subsidy) ** fraction),
        iceberg_cost_hat=_by_sector(shock.iceberg_cost_hat.to_numpy() ** fraction),
        open_share=_by_sector(1.0 - fraction * closed),
        productivity_hat=_device(shock.productivity_hat.to_numpy() ** fraction),
    )


def unsupplied(world: World, shock: Shock) -> list[tuple[str, str]]:
    """List the (country, sector) that buy in the baseline and have no supplier left under the shock."""
    flow = world.flow.to_numpy()
    left = np.where(shock.embargo.to_numpy(), 0.0, flow).sum(axis=0)
    return [(world.countries[j], world.sectors[s]) for j, s in np.argwhere((flow.sum(axis=0) > 0) & (left <= 0))]


def _device(array: Numbers) -> Array:
    """Hand a float64 array to JAX; refuse to lose half of its digits."""
    handed = jnp.asarray(array)
    if handed.dtype != np.float64:
        raise InputError(
            "JAX would cut the data to 32 bits; call through counterpoise.solver, or inside 'with jax.enable_x64(True)'"
        )
    return handed


def _by_sector(array: Numbers) -> Array:
    """Move the sector axis first, contiguous."""
    return _device(np.ascontiguousarray(np.moveaxis(array, 2, 0)))


def _wage_step(flow: Numbers, share: Numbers, output: Numbers, value_added: Numbers, theta: Numbers) -> Numbers:
    """Return the share of log excess labour demand by which a wage moves, (N,): one over one plus the slope of demand.

    The slope is theta times the part of each sale that rivals can take, averaged with value-added weights.
    """
    own = (flow * share).sum(axis=1) / np.where(output > 0, output, 1.0)
    slope = (value_added * theta * (1.0 - own)).sum(axis=1) / np.maximum(value_added.sum(axis=1), 1e-300)
    return 1.0 / (1.0 + slope)
