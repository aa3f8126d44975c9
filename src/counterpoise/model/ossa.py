r"""Fixed varieties with profits, in exact hats: the model of Ossa (2014), without lobbying.

Every firm of a sector charges the same markup over its wage cost and no firm enters or leaves, so that sales split into
profits (1 / sigma) and wages (1 - 1 / sigma). With i origin, j destination, s sector; hats except base-year data::

    price      P_js = (sum_i lambda_ijs (w_i kappa_ijs)^(1 - sigma_s))^(1 / (1 - sigma_s)),  kappa = (1 + t') / (1 + t)
    flow       X'_ijs = lambda_ijs (w_i kappa_ijs / P_js)^(1 - sigma_s) mu_js E'_j / (1 + t'_ijs)
    labour     w_i sum_s (1 - 1 / sigma_s) Y_is = sum_s (1 - 1 / sigma_s) Y'_is,  Y'_is = sum_j X'_ijs
    budget     E'_j = sum_s Y'_js + sum_is t'_ijs X'_ijs + D_j

``Y'`` is wages plus profits, D the transfer received. Numeraire: the sum of wage bills. The unknowns are the logs of
wages and of spending, 2N numbers; one budget follows from the others, and the numeraire takes its place.

References
----------
Ossa (2014), Trade Wars and Trade Talks with Data, American Economic Review 104(12), section I.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from counterpoise.core import World
from counterpoise.model.equilibrium import Outcome

__all__ = [
    "ProfitsBase",
    "ProfitsMaps",
    "gaps",
    "log_welfare",
    "maps",
    "outcome",
    "profits_base",
    "start",
    "steepness",
    "system",
]


class ProfitsBase(NamedTuple):
    """Base-year data. N countries, S sectors; trade arrays are (N origin, N destination, S)."""

    expenditure_share: Array
    tariff_rate: Array
    consumption_share: Array
    spending: Array
    wage_bill: Array
    transfer: Array
    trade_elasticity: Array


class ProfitsMaps(NamedTuple):
    """What tariffs do: ``reach`` lambda kappa^(1 - sigma) and ``receipt`` reach / (1 + t'), both (N, N, S)."""

    reach: Array
    receipt: Array


class _Markets(NamedTuple):
    log_price: Array
    spending: Array
    flow: Array
    revenue: Array
    sales: Array
    wages: Array
    wages_demanded: Array


def profits_base(world: World, transfer: np.ndarray) -> ProfitsBase:
    """Return the base-year arrays of a world without intermediate inputs.

    Parameters
    ----------
    world
        Its trade elasticity is the substitution elasticity minus one.
    transfer
        What each country receives from the others in the counterfactual (N,), USD in the numeraire; sums to zero.
    """
    spent = world.expenditure.to_numpy()
    wage_rate = 1.0 - 1.0 / (1.0 + world.trade_elasticity.to_numpy())
    return ProfitsBase(
        expenditure_share=jnp.asarray(world.expenditure_share.to_numpy()),
        tariff_rate=jnp.asarray(world.tariff_rate.to_numpy()),
        consumption_share=jnp.asarray(spent / spent.sum(axis=1, keepdims=True)),
        spending=jnp.asarray(spent.sum(axis=1)),
        wage_bill=jnp.asarray(world.gross_output.to_numpy() @ wage_rate),
        transfer=jnp.asarray(transfer),
        trade_elasticity=jnp.asarray(world.trade_elasticity.to_numpy()),
    )


def start(base: ProfitsBase) -> Array:
    """Return the state of no change: logs of wage and spending hats (2N,)."""
    return jnp.zeros(2 * base.spending.size)


def maps(tariff_factor: Array, base: ProfitsBase) -> ProfitsMaps:
    """Return the maps of counterfactual tariff factors 1 + t' (N, N, S)."""
    reach = base.expenditure_share * (tariff_factor / (1.0 + base.tariff_rate)) ** -base.trade_elasticity
    return ProfitsMaps(reach, reach / tariff_factor)


def _markets(x: Array, trade: ProfitsMaps, base: ProfitsBase) -> _Markets:
    """Evaluate the equations once at a state."""
    n = base.spending.size
    seller = jnp.exp(-base.trade_elasticity * x[:n, None])
    spending = base.spending * jnp.exp(x[n:])
    price_sum = jnp.einsum("ijs,is->js", trade.reach, seller)
    price_sum = jnp.where(price_sum > 0, price_sum, 1.0)
    bought = base.consumption_share * spending[:, None]
    flow = trade.receipt * seller[:, None, :] * (bought / price_sum)[None, :, :]
    sales = jnp.sum(flow, axis=1)
    return _Markets(
        log_price=-jnp.log(price_sum) / base.trade_elasticity,
        spending=spending,
        flow=flow,
        revenue=spending - jnp.sum(flow, axis=(0, 2)),
        sales=sales,
        wages=base.wage_bill * jnp.exp(x[:n]),
        wages_demanded=sales @ (base.trade_elasticity / (1.0 + base.trade_elasticity)),
    )


def gaps(x: Array, trade: ProfitsMaps, base: ProfitsBase) -> dict[str, Array]:
    """Return the relative violation of every condition: ``labour_market`` and ``budget`` (N,), ``numeraire`` ()."""
    at = _markets(x, trade, base)
    return {
        "labour_market": jnp.log(at.wages_demanded) - jnp.log(at.wages),
        "budget": (jnp.sum(at.sales, axis=1) + at.revenue + base.transfer) / at.spending - 1.0,
        "numeraire": jnp.log(jnp.sum(at.wages)) - jnp.log(jnp.sum(base.wage_bill)),
    }


def system(x: Array, trade: ProfitsMaps, base: ProfitsBase) -> Array:
    """Return 2N numbers that are zero at the equilibrium and nowhere else nearby.

    Budgets in levels add up to zero whatever the state; the numeraire is added to each, so that all are zero only where
    it holds too.
    """
    at = _markets(x, trade, base)
    labour = jnp.log(at.wages_demanded) - jnp.log(at.wages)
    budget = (jnp.sum(at.sales, axis=1) + at.revenue + base.transfer - at.spending) / jnp.sum(base.spending)
    level = jnp.log(jnp.sum(at.wages)) - jnp.log(jnp.sum(base.wage_bill))
    return jnp.concatenate([labour, budget + level])


def log_welfare(x: Array, trade: ProfitsMaps, base: ProfitsBase) -> Array:
    """Return the log of real income over its baseline (N,)."""
    at = _markets(x, trade, base)
    return x[base.spending.size :] - jnp.sum(base.consumption_share * at.log_price, axis=1)


def steepness(x: Array, trade: ProfitsMaps, base: ProfitsBase) -> Array:
    """Return how fast imports of each line fall with its log tariff factor, over spending (N, N, S)."""
    at = _markets(x, trade, base)
    return (1.0 + base.trade_elasticity) * at.flow / at.spending[:, None]


def outcome(x: Array, tariff_factor: Array, base: ProfitsBase) -> Outcome:
    """Return everything that follows from a state; income is wages, profits, revenue and the transfer."""
    n = base.spending.size
    trade = maps(tariff_factor, base)
    at = _markets(x, trade, base)
    wage = jnp.exp(x[:n])
    return Outcome(
        wage_hat=wage,
        price_index_hat=jnp.exp(at.log_price),
        consumer_price_hat=jnp.exp(jnp.sum(base.consumption_share * at.log_price, axis=1)),
        unit_cost_hat=jnp.broadcast_to(wage[:, None], at.sales.shape),
        labour_hat=jnp.ones_like(wage),
        gross_output_cf=at.sales,
        expenditure_cf=base.consumption_share * at.spending[:, None],
        income_cf=at.spending,
        transfer_cf=base.transfer,
        tariff_revenue_cf=at.revenue,
        purchase_cost_cf=jnp.zeros_like(wage),
        welfare_hat=jnp.exp(log_welfare(x, trade, base)),
        flow_cf=at.flow,
    )
