r"""A local-distribution margin, incomplete pass-through, elastic labour and round-about inputs: one sector, exact hats.

Of every dollar that a destination j spends before duty, a share nu_j stays with its own distributors; producers spend
the share 1 - beta of what they receive on the same goods. With i origin, j destination; hats except base-year data, Y =
value added, Q_i = sum_j (1 - nu_j) X_ij what producers receive, kappa = 1 + t'::

    cost      c_i = w_i^beta P_i^(1 - beta) / ((w_i / P_i)^(1 - beta) L_i)^psi
    share     lambda'_ij = lambda_ij c_i^-epsilon kappa_ij^(-epsilon phi_j) / M_j,   M_j = sum over i
    price     P_j = (E_j / w_j)^(1 - phi_j) M_j^(-1 / epsilon),   phi_j = (1 + psi) / (1 - nu_j) - psi
    flow      X'_ij = lambda'_ij E'_j / (1 + t'_ij)
    labour    w_i L_i Y_i = beta Q'_i + nu_i sum_j X'_ji
    budget    E'_j = R'_j + w_j L_j Y_j + (1 - beta) Q'_j + T_j (sum Y' / sum Y)
    supply    L_j = (tax_hat_j w_j / P_j)^elasticity,   tax_hat = 1 / (1 - R' / Y') under income-tax relief, else 1

beta = 1 is the main case, without inputs. phi says by how much more than the duty the price of imports at home rises
relative to domestic goods; it is 1 without a margin. The transfer T balances income against spending, not trade: since
part of every import is earned at home, the trade deficit moves although T does not. Numeraire: the world's price level,
weighted with baseline spending.

Where labour markets clear, Q' = (w L Y - nu sum X') / beta, so spending has a closed form; the unknowns are the logs of
wages, labour and prices, 3N numbers.

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
    value_added_share: Array
    wage_step: Array


class MarginMaps(NamedTuple):
    """What tariffs do: ``reach`` lambda kappa^(-epsilon phi), and ``receipt`` reach / (1 + t') stored both ways."""

    reach_by_buyer: Array
    receipt_by_buyer: Array
    receipt: Array


class _Markets(NamedTuple):
    seller: Array
    price_sum: Array
    log_price: Array
    spending: Array
    revenue: Array
    transfer: Array
    wage_bill: Array
    wage_bill_demanded: Array
    overspent: Array
    log_labour: Array


def pass_through(margin_rate: np.ndarray, scale_elasticity: float) -> np.ndarray:
    """Return phi (N,): the elasticity of relative import prices at home to the tariff factor, 1 without a margin."""
    return (1.0 + scale_elasticity) / (1.0 - margin_rate) - scale_elasticity


def margin_base(world: World, margin_rate: np.ndarray, labour: Labour, value_added_share: float = 1.0) -> MarginBase:
    """Return the base-year arrays of a one-sector world without tariffs.

    Parameters
    ----------
    world
        One sector; flows at customs value with domestic sales.
    margin_rate
        Share of spending before duty that stays with distributors at home (N,).
    labour
        How labour is supplied, and what revenue pays for.
    value_added_share
        beta, in (0, 1]: what producers do not spend on inputs.
    """
    flow = world.flow.to_numpy()[:, :, 0]
    spent = flow.sum(axis=0)
    received = flow @ (1.0 - margin_rate)
    earned = value_added_share * received + margin_rate * spent
    share = flow / spent
    epsilon, psi = float(world.trade_elasticity[0]), float(world.scale_elasticity[0])
    own = (flow * share).sum(axis=1) / np.maximum(flow.sum(axis=1), 1e-300)
    return MarginBase(
        expenditure_share=jnp.asarray(share),
        spending=jnp.asarray(spent),
        value_added=jnp.asarray(earned),
        transfer=jnp.asarray(spent - earned - (1.0 - value_added_share) * received),
        margin_rate=jnp.asarray(margin_rate),
        pass_through=jnp.asarray(pass_through(margin_rate, psi)),
        trade_elasticity=jnp.asarray(np.asarray(epsilon)),
        scale_elasticity=jnp.asarray(np.asarray(psi)),
        labour_elasticity=jnp.asarray(np.asarray(labour.elasticity, dtype=np.float64)),
        relief=jnp.asarray(np.asarray(1.0 if labour.rebate == "income_tax_relief" else 0.0)),
        value_added_share=jnp.asarray(np.asarray(value_added_share, dtype=np.float64)),
        wage_step=jnp.asarray(1.0 / (1.0 + epsilon * (1.0 - own))),
    )


def start(base: MarginBase) -> Array:
    """Return the state of no change: logs of wage, labour and price hats (3N,)."""
    return jnp.zeros(3 * base.spending.size)


def maps(tariff_factor: Array, base: MarginBase) -> MarginMaps:
    """Return the maps of counterfactual tariff factors 1 + t' (N, N, 1)."""
    factor = tariff_factor[:, :, 0]
    reach = base.expenditure_share * jnp.exp(-base.trade_elasticity * base.pass_through * jnp.log(factor))
    receipt = reach / factor
    return MarginMaps(reach.T, receipt.T, receipt)


def _markets(x: Array, trade: MarginMaps, base: MarginBase) -> _Markets:
    """Evaluate the equations once at a state."""
    wage, labour, price = jnp.split(x, 3)
    beta, nu = base.value_added_share, base.margin_rate
    wage_bill = base.value_added * jnp.exp(wage + labour)
    cost = beta * wage + (1.0 - beta) * price - base.scale_elasticity * ((1.0 - beta) * (wage - price) + labour)
    seller = jnp.exp(-base.trade_elasticity * cost)
    price_sum = trade.reach_by_buyer @ seller
    landed = (trade.receipt_by_buyer @ seller) / price_sum
    transfer = base.transfer * jnp.sum(wage_bill) / jnp.sum(base.value_added)
    spending = (wage_bill / beta + transfer) / (landed * (1.0 + (1.0 - beta) / beta * nu))
    revenue = spending * (1.0 - landed)
    log_price = (1.0 - base.pass_through) * (jnp.log(spending / base.spending) - wage) - (
        jnp.log(price_sum) / base.trade_elasticity
    )
    relief = -base.relief * jnp.log1p(-revenue / wage_bill)
    received = seller * (trade.receipt @ ((1.0 - nu) * spending / price_sum))
    income = revenue + wage_bill + (1.0 - beta) * received + transfer
    return _Markets(
        seller=seller,
        price_sum=price_sum,
        log_price=log_price,
        spending=spending,
        revenue=revenue,
        transfer=transfer,
        wage_bill=wage_bill,
        wage_bill_demanded=beta * received + nu * landed * spending,
        overspent=spending / income - 1.0,
        log_labour=base.labour_elasticity * (relief + wage - price),
    )


def gaps(x: Array, trade: MarginMaps, base: MarginBase) -> dict[str, Array]:
    """Return the relative violations: all (N,), but ``numeraire`` ()."""
    at = _markets(x, trade, base)
    _, labour, price = jnp.split(x, 3)
    return {
        "price_index": at.log_price - price,
        "labour_market": jnp.log(at.wage_bill_demanded) - jnp.log(at.wage_bill),
        "labour_supply": at.log_labour - labour,
        "budget": at.overspent,
        "numeraire": _price_level(at, base),
    }


def _price_level(at: _Markets, base: MarginBase) -> Array:
    return jnp.log(jnp.sum(base.spending * jnp.exp(at.log_price)) / jnp.sum(base.spending))


def system(x: Array, trade: MarginMaps, base: MarginBase) -> Array:
    """Return 3N numbers that are zero at the equilibrium; added to ``x`` they are its fixed-point map.

    Labour markets in levels add up to zero whatever the state; the price level is taken from wages and prices, so that
    all are zero only where the numeraire holds too.
    """
    at = _markets(x, trade, base)
    _, labour, price = jnp.split(x, 3)
    excess = jnp.log(at.wage_bill_demanded) - jnp.log(at.wage_bill)
    level = _price_level(at, base)
    moves = (base.wage_step * excess - level, at.log_labour - labour, at.log_price - price - level)
    return jnp.concatenate(moves)


def log_welfare(x: Array, trade: MarginMaps, base: MarginBase) -> Array:
    """Return the log of welfare over its baseline (N,): consumption less the disutility of labour.

    W = delta C / P + (1 - delta) w L / P, C = R' + w L Y + T' over Y + T, with delta = C0 / (C0 - kappa (1 - tax) Y /
    (1 + kappa)), C0 = Y + T: kappa = elasticity of labour supply, tax = R' / Y' under income-tax relief, which is what
    the baseline tax on labour must then have been.
    """
    wage, labour, _ = jnp.split(x, 3)
    at = _markets(x, trade, base)
    kappa = base.labour_elasticity
    tax = base.relief * at.revenue / at.wage_bill
    consumed = base.value_added + base.transfer
    delta = consumed / (consumed - kappa * (1.0 - tax) * base.value_added / (1.0 + kappa))
    real = delta * (at.revenue + at.wage_bill + at.transfer) / consumed + (1.0 - delta) * jnp.exp(wage + labour)
    return jnp.log(real) - at.log_price


def steepness(x: Array, trade: MarginMaps, base: MarginBase) -> Array:
    """Return how fast imports of each line fall with its log tariff factor, over spending (N, N, 1)."""
    at = _markets(x, trade, base)
    bought = trade.receipt * at.seller[:, None] / at.price_sum
    return ((1.0 + base.trade_elasticity * base.pass_through) * bought)[:, :, None]


def outcome(x: Array, tariff_factor: Array, base: MarginBase) -> Outcome:
    """Return everything that follows from a state; output is sales at customs value, income pays final consumption."""
    wage, labour, _ = jnp.split(x, 3)
    trade = maps(tariff_factor, base)
    at = _markets(x, trade, base)
    flow = trade.receipt * at.seller[:, None] * (at.spending / at.price_sum)[None, :]
    price = jnp.exp(at.log_price)
    return Outcome(
        wage_hat=jnp.exp(wage),
        price_index_hat=price[:, None],
        consumer_price_hat=price,
        unit_cost_hat=(at.seller ** (-1.0 / base.trade_elasticity))[:, None],
        labour_hat=jnp.exp(labour),
        gross_output_cf=jnp.sum(flow, axis=1)[:, None],
        expenditure_cf=at.spending[:, None],
        income_cf=at.revenue + at.wage_bill + at.transfer,
        transfer_cf=at.transfer,
        tariff_revenue_cf=at.revenue,
        purchase_cost_cf=jnp.zeros_like(wage),
        welfare_hat=jnp.exp(log_welfare(x, trade, base)),
        flow_cf=flow[:, :, None],
    )
