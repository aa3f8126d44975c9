r"""A local-distribution margin, incomplete pass-through and elastic labour, in exact hats: one sector.

Of every dollar that a destination j spends before duty, a share nu_j stays with its own distributors. With i origin, j
destination; hats except base-year data, Y = value added, kappa = 1 + t'::

    share     lambda'_ij = lambda_ij (w_i / L_i^psi)^-epsilon kappa_ij^(-epsilon phi_j) / M_j,   M_j = sum over i
    price     P_j = (E_j / w_j)^(1 - phi_j) M_j^(-1 / epsilon),   phi_j = (1 + psi) / (1 - nu_j) - psi
    flow      X'_ij = lambda'_ij E'_j / (1 + t'_ij)
    labour    w_i L_i Y_i = sum_j (1 - nu_j) X'_ij + nu_i sum_j X'_ji
    budget    E'_j = R'_j + w_j L_j Y_j + T_j (sum Y' / sum Y)
    supply    L_j = (tax_hat_j w_j / P_j)^elasticity,   tax_hat = 1 / (1 - R' / Y') under income-tax relief, else 1

phi says by how much more than the duty the price of imports at home rises relative to domestic goods; it is 1 without a
margin. The transfer T balances value added against spending, not trade: since part of every import is earned at home,
the trade deficit moves although T does not. Numeraire: the world's price level, weighted with baseline spending.

Spending has a closed form, so the unknowns are the logs of wages and labour, 2N numbers.

References
----------
Ignatenko, Lashkaripour, Macedoni and Simonovska (2025), Making America Great Again? The Economic Impacts of Liberation
Day Tariffs, Journal of International Economics 157.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from counterpoise.core import World
from counterpoise.model.equilibrium import Outcome
from counterpoise.model.parts import Labour

__all__ = [
    "MarginBase",
    "MarginMaps",
    "gaps",
    "log_welfare",
    "maps",
    "margin_base",
    "outcome",
    "pass_through",
    "start",
    "steepness",
    "system",
]


class MarginBase(NamedTuple):
    """Base-year data; ``expenditure_share`` is (N origin, N destination), the others (N,) or scalars.

    ``relief`` is 1 where revenue cuts the tax on labour income and 0 where it is paid out.
    """

    expenditure_share: Array
    spending: Array
    value_added: Array
    transfer: Array
    margin_rate: Array
    pass_through: Array
    trade_elasticity: Array
    scale_elasticity: Array
    labour_elasticity: Array
    relief: Array
    wage_step: Array


class MarginMaps(NamedTuple):
    """What tariffs do: ``reach`` lambda kappa^(-epsilon phi) and ``receipt`` reach / (1 + t'), each stored both ways."""

    reach_by_buyer: Array
    receipt_by_buyer: Array
    receipt: Array


class _Markets(NamedTuple):
    seller: Array
    price_sum: Array
    log_price: Array
    landed: Array
    spending: Array
    revenue: Array
    wage_bill: Array
    wage_bill_demanded: Array
    log_labour: Array


def pass_through(margin_rate: np.ndarray, scale_elasticity: float) -> np.ndarray:
    """Return phi (N,): the elasticity of relative import prices at home to the tariff factor, 1 without a margin."""
    return (1.0 + scale_elasticity) / (1.0 - margin_rate) - scale_elasticity


def margin_base(world: World, margin_rate: np.ndarray, labour: Labour) -> MarginBase:
    """Return the base-year arrays of a one-sector world without tariffs.

    Parameters
    ----------
    world
        One sector without intermediate inputs; flows at customs value with domestic sales.
    margin_rate
        Share of spending before duty that stays with distributors at home (N,).
    labour
        How labour is supplied, and what revenue pays for.
    """
    flow = world.flow.to_numpy()[:, :, 0]
    spent = flow.sum(axis=0)
    earned = flow @ (1.0 - margin_rate) + margin_rate * spent
    share = flow / spent
    epsilon, psi = float(world.trade_elasticity[0]), float(world.scale_elasticity[0])
    own = (flow * share).sum(axis=1) / np.maximum(flow.sum(axis=1), 1e-300)
    return MarginBase(
        expenditure_share=jnp.asarray(share),
        spending=jnp.asarray(spent),
        value_added=jnp.asarray(earned),
        transfer=jnp.asarray(spent - earned),
        margin_rate=jnp.asarray(margin_rate),
        pass_through=jnp.asarray(pass_through(margin_rate, psi)),
        trade_elasticity=jnp.asarray(np.asarray(epsilon)),
        scale_elasticity=jnp.asarray(np.asarray(psi)),
        labour_elasticity=jnp.asarray(np.asarray(labour.elasticity, dtype=np.float64)),
        relief=jnp.asarray(np.asarray(1.0 if labour.rebate == "income_tax_relief" else 0.0)),
        wage_step=jnp.asarray(1.0 / (1.0 + epsilon * (1.0 - own))),
    )


def start(base: MarginBase) -> Array:
    """Return the state of no change: logs of wage and labour hats (2N,)."""
    return jnp.zeros(2 * base.spending.size)


def maps(tariff_factor: Array, base: MarginBase) -> MarginMaps:
    """Return the maps of counterfactual tariff factors 1 + t' (N, N, 1)."""
    factor = tariff_factor[:, :, 0]
    reach = base.expenditure_share * jnp.exp(-base.trade_elasticity * base.pass_through * jnp.log(factor))
    receipt = reach / factor
    return MarginMaps(reach.T, receipt.T, receipt)


def _markets(x: Array, trade: MarginMaps, base: MarginBase) -> _Markets:
    """Evaluate the equations once at a state."""
    n = base.spending.size
    wage, labour = x[:n], x[n:]
    wage_bill = base.value_added * jnp.exp(wage + labour)
    seller = jnp.exp(-base.trade_elasticity * (wage - base.scale_elasticity * labour))
    price_sum = trade.reach_by_buyer @ seller
    landed = (trade.receipt_by_buyer @ seller) / price_sum
    spending = (wage_bill + base.transfer * jnp.sum(wage_bill) / jnp.sum(base.value_added)) / landed
    revenue = spending * (1.0 - landed)
    log_price = (1.0 - base.pass_through) * (jnp.log(spending / base.spending) - wage) - (
        jnp.log(price_sum) / base.trade_elasticity
    )
    relief = -base.relief * jnp.log1p(-revenue / wage_bill)
    sold = seller * (trade.receipt @ ((1.0 - base.margin_rate) * spending / price_sum))
    return _Markets(
        seller=seller,
        price_sum=price_sum,
        log_price=log_price,
        landed=landed,
        spending=spending,
        revenue=revenue,
        wage_bill=wage_bill,
        wage_bill_demanded=sold + base.margin_rate * landed * spending,
        log_labour=base.labour_elasticity * (relief + wage - log_price),
    )


def gaps(x: Array, trade: MarginMaps, base: MarginBase) -> dict[str, Array]:
    """Return the relative violations: ``labour_market`` and ``labour_supply`` (N,), ``numeraire`` ()."""
    at = _markets(x, trade, base)
    return {
        "labour_market": jnp.log(at.wage_bill_demanded) - jnp.log(at.wage_bill),
        "labour_supply": at.log_labour - x[base.spending.size :],
        "numeraire": _price_level(at, base),
    }


def _price_level(at: _Markets, base: MarginBase) -> Array:
    return jnp.log(jnp.sum(base.spending * jnp.exp(at.log_price)) / jnp.sum(base.spending))


def system(x: Array, trade: MarginMaps, base: MarginBase) -> Array:
    """Return 2N numbers that are zero at the equilibrium; added to ``x`` they are its fixed-point map.

    Labour markets in levels add up to zero whatever the state; the price level is taken from each, so that all are zero
    only where the numeraire holds too.
    """
    at = _markets(x, trade, base)
    excess = jnp.log(at.wage_bill_demanded) - jnp.log(at.wage_bill)
    return jnp.concatenate([base.wage_step * excess - _price_level(at, base), at.log_labour - x[base.spending.size :]])


def log_welfare(x: Array, trade: MarginMaps, base: MarginBase) -> Array:
    """Return the log of welfare over its baseline (N,): consumption less the disutility of labour.

    W = delta E / P + (1 - delta) w L / P with delta = E / (E - kappa (1 - tax) Y / (1 + kappa)): kappa = elasticity of
    labour supply, tax = R' / Y' under income-tax relief, which is what the baseline tax on labour must then have been.
    """
    n = base.spending.size
    at = _markets(x, trade, base)
    kappa = base.labour_elasticity
    tax = base.relief * at.revenue / at.wage_bill
    delta = base.spending / (base.spending - kappa * (1.0 - tax) * base.value_added / (1.0 + kappa))
    real = delta * at.spending / base.spending + (1.0 - delta) * jnp.exp(x[:n] + x[n:])
    return jnp.log(real) - at.log_price


def steepness(x: Array, trade: MarginMaps, base: MarginBase) -> Array:
    """Return how fast each line's imports fall with its log tariff factor, over the destination's spending (N, N, 1)."""
    at = _markets(x, trade, base)
    bought = trade.receipt * at.seller[:, None] / at.price_sum
    return ((1.0 + base.trade_elasticity * base.pass_through) * bought)[:, :, None]


def outcome(x: Array, tariff_factor: Array, base: MarginBase) -> Outcome:
    """Return everything that follows from a state; income is spending, output is sales at customs value."""
    n = base.spending.size
    trade = maps(tariff_factor, base)
    at = _markets(x, trade, base)
    flow = trade.receipt * at.seller[:, None] * (at.spending / at.price_sum)[None, :]
    price = jnp.exp(at.log_price)
    return Outcome(
        wage_hat=jnp.exp(x[:n]),
        price_index_hat=price[:, None],
        consumer_price_hat=price,
        unit_cost_hat=jnp.exp(x[:n] - base.scale_elasticity * x[n:])[:, None],
        labour_hat=jnp.exp(x[n:]),
        gross_output_cf=jnp.sum(flow, axis=1)[:, None],
        expenditure_cf=at.spending[:, None],
        income_cf=at.spending,
        transfer_cf=base.transfer * jnp.sum(at.wage_bill) / jnp.sum(base.value_added),
        tariff_revenue_cf=at.revenue,
        purchase_cost_cf=jnp.zeros(n),
        welfare_hat=jnp.exp(log_welfare(x, trade, base)),
        flow_cf=flow[:, :, None],
    )
