r"""The equilibrium in exact hats, written once: a map from a state to the next, and the conditions it must satisfy.

All letters except base-year data are counterfactual over baseline. With i origin, j destination, s sector, r using
sector::

    bundle cost   b_is = w_i^gamma_is  prod_r P_ir^gamma_irs / A_is
    unit cost     c_is = b_is (Y_is / b_is)^-psi_s
    price         P_js = (sum_i lambda_ijs (c_is kappa_ijs)^-theta_s)^(-1/theta_s),  kappa = (1+t')/(1+t) d
    spending      E'_js = sum_r gamma_jsr Y'_jr + alpha_js I'_j,   I' = w L VA + R' + D'
    output        Y'_is = sum_j lambda'_ijs E'_js / (1 + t'_ijs)
    labour        w_i L_i VA_i = sum_s gamma_is Y'_is

Two arrays carry all trade costs: ``reach`` A = lambda kappa^-theta and ``receipt`` B = A / (1 + t'). With u =
c^-theta the price sum is M = A^T u, the part of spending that reaches sellers is B^T u / M, and output is u * (B (E /
M)). Revenue is proportional to spending at given prices, so income has a closed form. Numeraire: world value added.

References
----------
Dekle, Eaton and Kortum (2008), IMF Staff Papers 55(3); Caliendo and Parro (2015), Review of Economic Studies 82(1),
eqs (4)-(9); Kucheryavyy, Lyn and Rodriguez-Clare (2023), American Economic Journal: Macroeconomics 15(2).
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from counterpoise.model.parts import Closure, Labour

__all__ = [
    "Baseline",
    "Outcome",
    "State",
    "Terms",
    "Trade",
    "initial_state",
    "outcome",
    "residuals",
    "sweep",
    "trade_maps",
]

_FLOOR = 1e-30
"""Output of a line that lost every buyer, over its baseline: stands for zero where a logarithm is needed."""


class Baseline(NamedTuple):
    """Base-year data. N countries, S sectors; trade arrays are (S, N origin, N destination)."""

    expenditure_share: Array
    tariff_rate: Array
    value_added_share: Array
    io_coefficient: Array
    consumption_share: Array
    gross_output: Array
    value_added: Array
    deficit: Array
    income: Array
    trade_elasticity: Array
    scale_elasticity: Array
    wage_step: Array


class Terms(NamedTuple):
    """A shock as numbers; arrays are (S, N origin, N destination), ``productivity_hat`` is (N, S).

    ``open_share`` multiplies the expenditure share before prices move: 1 is open, 0 is an embargo, between the two lies
    the path to one.
    """

    tariff_rate: Array
    purchase_subsidy_rate: Array
    iceberg_cost_hat: Array
    open_share: Array
    productivity_hat: Array

    @property
    def price_factor(self) -> Array:
        """What the buyer pays over customs value: duty and purchase subsidy together."""
        return (1.0 + self.tariff_rate) * (1.0 - self.purchase_subsidy_rate)


class State(NamedTuple):
    """Logarithms of hats: wage (N,), price index (N, S), gross output (N, S), labour (N,)."""

    wage: Array
    price: Array
    output: Array
    labour: Array


class Trade(NamedTuple):
    """The maps of a shock, ``reach`` A and ``receipt`` B, and who buys and sells (N, S).

    Each map is stored with the axis it is summed over last: ``_by_buyer`` (S, N destination, N origin), else
    (S, N origin, N destination).
    """

    reach_by_buyer: Array
    receipt_by_buyer: Array
    receipt: Array
    buys: Array
    sells: Array
    log_productivity: Array


class Outcome(NamedTuple):
    """Everything that follows from a state, see `outcome`; shapes (N,), (N, S) and (N origin, N destination, S)."""

    wage_hat: Array
    price_index_hat: Array
    consumer_price_hat: Array
    unit_cost_hat: Array
    labour_hat: Array
    gross_output_cf: Array
    expenditure_cf: Array
    income_cf: Array
    transfer_cf: Array
    tariff_revenue_cf: Array
    purchase_cost_cf: Array
    welfare_hat: Array
    flow_cf: Array


class _Markets(NamedTuple):
    """Intermediate results of one evaluation of the equations."""

    log_cost: Array
    seller: Array
    price_sum: Array
    log_price: Array
    revenue: Array
    spending: Array
    income: Array
    transfer: Array
    output: Array
    wage_bill: Array
    wage_bill_demanded: Array
    log_labour: Array
    overspent: Array


def initial_state(countries: int, sectors: int) -> State:
    """Return the state of no change."""
    return State(
        jnp.zeros(countries), jnp.zeros((countries, sectors)), jnp.zeros((countries, sectors)), jnp.zeros(countries)
    )


def trade_maps(base: Baseline, terms: Terms) -> Trade:
    """Build the two linear maps of a shock.

    Parameters
    ----------
    base, terms
        Base-year data and the shock.
    """
    theta = base.trade_elasticity[:, None, None]
    kappa = terms.price_factor / (1.0 + base.tariff_rate) * terms.iceberg_cost_hat
    reach = base.expenditure_share * terms.open_share * kappa**-theta
    receipt = reach / terms.price_factor
    return Trade(
        reach_by_buyer=jnp.swapaxes(reach, 1, 2),
        receipt_by_buyer=jnp.swapaxes(receipt, 1, 2),
        receipt=receipt,
        buys=jnp.any(base.expenditure_share > 0, axis=1).T,
        sells=base.gross_output > 0,
        log_productivity=jnp.log(terms.productivity_hat),
    )


def _markets(state: State, base: Baseline, trade: Trade, closure: Closure, labour: Labour) -> _Markets:
    """Evaluate the equations once at a state."""
    theta, psi = base.trade_elasticity, base.scale_elasticity
    log_bundle = (
        base.value_added_share * state.wage[:, None]
        + jnp.einsum("irs,ir->is", base.io_coefficient, state.price)
        - trade.log_productivity
    )
    log_cost = log_bundle - psi * (state.output - log_bundle)
    seller = jnp.exp(-theta * log_cost)
    price_sum = jnp.where(trade.buys, jnp.einsum("sji,is->js", trade.reach_by_buyer, seller), 1.0)
    log_price = -jnp.log(price_sum) / theta
    reached = jnp.einsum("sji,is->js", trade.receipt_by_buyer, seller) / price_sum
    revenue_share = jnp.where(trade.buys, 1.0 - reached, 0.0)
    output = base.gross_output * jnp.exp(state.output)
    intermediate = jnp.einsum("jsr,jr->js", base.io_coefficient, output)
    wage_bill = base.value_added * jnp.exp(state.wage + state.labour)
    world_output_hat = jnp.sum(output) / jnp.sum(base.gross_output)
    transfer = closure.transfer(base.deficit, world_output_hat, jnp.exp(state.wage))
    income = (wage_bill + transfer + jnp.sum(revenue_share * intermediate, axis=1)) / (
        1.0 - jnp.sum(revenue_share * base.consumption_share, axis=1)
    )
    spending = intermediate + base.consumption_share * income[:, None]
    sold = seller * jnp.einsum("sij,js->is", trade.receipt, spending / price_sum)
    revenue = jnp.sum(revenue_share * spending, axis=1)
    if labour.elasticity == 0.0:
        log_labour = jnp.zeros_like(state.labour)
    else:
        log_tax = -jnp.log1p(-revenue / wage_bill) if labour.rebate == "income_tax_relief" else 0.0
        consumer_price = jnp.sum(base.consumption_share * log_price, axis=1)
        log_labour = labour.elasticity * (log_tax + state.wage - consumer_price)
    return _Markets(
        log_cost=log_cost,
        seller=seller,
        price_sum=price_sum,
        log_price=log_price,
        revenue=revenue,
        spending=spending,
        income=income,
        transfer=transfer,
        output=sold,
        wage_bill=wage_bill,
        wage_bill_demanded=jnp.sum(base.value_added_share * sold, axis=1),
        log_labour=log_labour,
        overspent=jnp.sum(reached * spending, axis=1) - jnp.sum(sold, axis=1) - transfer,
    )


def _log_output(markets: _Markets, base: Baseline, trade: Trade) -> Array:
    """Return the log of output hats; 0 where nothing was produced, a floor where every buyer is lost."""
    ratio = markets.output / jnp.where(trade.sells, base.gross_output, 1.0)
    return jnp.where(trade.sells, jnp.log(jnp.maximum(ratio, _FLOOR)), 0.0)


class _Gaps(NamedTuple):
    """Relative violations: price index (N, S), goods market (N, S), labour market, labour supply and budget (N,)."""

    price_index: Array
    goods_market: Array
    labour_market: Array
    labour_supply: Array
    budget: Array


def _gaps(state: State, markets: _Markets, base: Baseline, trade: Trade) -> _Gaps:
    """Return the relative violation of every condition at a state."""
    return _Gaps(
        jnp.where(trade.buys, markets.log_price - state.price, 0.0),
        _log_output(markets, base, trade) - state.output,
        jnp.log(markets.wage_bill_demanded) - jnp.log(markets.wage_bill),
        markets.log_labour - state.labour,
        markets.overspent / markets.income,
    )


def sweep(state: State, base: Baseline, trade: Trade, closure: Closure, labour: Labour) -> tuple[State, Array]:
    """Apply the equilibrium map once.

    Wages move by a share of the log excess demand for labour, ``base.wage_step``; every other block is replaced by
    what the equations imply. The result is scaled so that world value added is the numeraire.

    Returns
    -------
    The next state, and the largest relative violation of any condition at the state given; at least 1 where a country's
    income is not positive, which no equilibrium has.
    """
    markets = _markets(state, base, trade, closure, labour)
    gaps = _gaps(state, markets, base, trade)
    wage = state.wage + base.wage_step * gaps.labour_market
    supply = state.labour + gaps.labour_supply
    scale = jnp.log(jnp.sum(base.value_added)) - jnp.log(jnp.sum(base.value_added * jnp.exp(wage + supply)))
    following = State(
        wage=wage + scale,
        price=jnp.where(trade.buys, state.price + gaps.price_index + scale, 0.0),
        output=jnp.where(trade.sells, state.output + gaps.goods_market + scale, 0.0),
        labour=supply,
    )
    worst = jnp.max(jnp.stack([jnp.max(jnp.abs(gap)) for gap in gaps]))
    return following, jnp.where(jnp.all(markets.income > 0), worst, jnp.maximum(worst, 1.0))


def residuals(state: State, base: Baseline, trade: Trade, closure: Closure, labour: Labour) -> dict[str, Array]:
    """Return the relative violation of every equilibrium condition, by name and place.

    ``price_index`` and ``goods_market`` (N, S), ``labour_market``, ``labour_supply`` and ``budget`` (N,), the last:
    imports minus exports at customs value against the closure's transfer, relative to income.
    """
    return _gaps(state, _markets(state, base, trade, closure, labour), base, trade)._asdict()


def outcome(state: State, base: Baseline, terms: Terms, trade: Trade, closure: Closure, labour: Labour) -> Outcome:
    """Return everything that follows from a state; differentiable in the state, the baseline and the terms."""
    markets = _markets(state, base, trade, closure, labour)
    flow = trade.receipt * markets.seller.T[:, :, None] * (markets.spending / markets.price_sum).T[:, None, :]
    duties = jnp.sum(flow * terms.tariff_rate, axis=(0, 1))
    subsidies = jnp.sum(flow * (1.0 + terms.tariff_rate) * terms.purchase_subsidy_rate, axis=(0, 1))
    consumer_price = jnp.exp(jnp.sum(base.consumption_share * markets.log_price, axis=1))
    return Outcome(
        wage_hat=jnp.exp(state.wage),
        price_index_hat=jnp.exp(markets.log_price),
        consumer_price_hat=consumer_price,
        unit_cost_hat=jnp.exp(markets.log_cost),
        labour_hat=jnp.exp(state.labour),
        gross_output_cf=markets.output,
        expenditure_cf=markets.spending,
        income_cf=markets.income,
        transfer_cf=markets.transfer,
        tariff_revenue_cf=duties - subsidies,
        purchase_cost_cf=subsidies,
        welfare_hat=markets.income / base.income / consumer_price,
        flow_cf=jnp.transpose(flow, (1, 2, 0)),
    )
