r"""The equilibrium in exact hats, written once: a map from a state to the next, and the conditions it must satisfy.

All letters except base-year data are counterfactual over baseline. With i origin, j destination, s sector, r using
sector::

    bundle cost   b_is = w_is^gamma_is  prod_r P_ir^gamma_irs / A_is
    unit cost     c_is = b_is (Y_is / b_is)^-psi_s
    price         P_js = (sum_i (lambda_ijs a_ijs + latent_ijs) (c_is kappa_ijs)^-theta_s)^(-1/theta_s)
    trade cost    kappa = (1+e') (1+t') (1-s') m / (1+t) d n
    spending      E'_js = sum_r gamma_jsr Y'_jr + alpha'_js I'_j,   I' = w L VA + R' + T' + D'
    flow          X'_ijs = lambda'_ijs E'_js / buyer_ijs,   R' = sum_is (buyer - 1) X'   (duties, rents, programmes)
    output        Y'_is = sum_j X'_ijs / seller_ijs,        T' = sum_js (1 - 1 / seller) X'   (export taxes, rents)
    labour        w_i L_i VA_i = sum_s gamma_is Y'_is,      w_is = w_i (Y'_is / (w_i L_i))^(1 / mobility)
    quota         m_ijs = 1 and volume <= limit, or m_ijs > 1 and volume = limit;  volume = X' / (seller c)

``buyer`` is what the buyer pays over customs value, ``seller`` customs value over what the producer gets. Without
export taxes and quotas they are (1+t')(1-s') and 1. A quota's wedge m raises what is paid by m; the part rho of the
rent that exporters keep is in the customs value, the rest in the buyer's price.

Arrays carry all trade costs: ``reach`` A = (lambda a + latent) kappa^-theta, its customs value A / buyer, and
``receipt`` B = A / (buyer seller). With u = c^-theta the price sum is M = A^T u and output is u * (B (E / M)). Revenue
is proportional to spending at given prices, so income has a closed form. Quotas touch few cells, which are left out of
the arrays and added one by one. Parts that a shock does not use are None, and cost nothing. Numeraire: world value
added.

References
----------
Dekle, Eaton and Kortum (2008), IMF Staff Papers 55(3); Caliendo and Parro (2015), Review of Economic Studies 82(1),
eqs (4)-(9); Kucheryavyy, Lyn and Rodriguez-Clare (2023), American Economic Journal: Macroeconomics 15(2); Galle,
Rodriguez-Clare and Yi (2023), Review of Economic Studies 90(1), for labour that moves at a cost.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from counterpoise.model.parts import Closure, Labour

__all__ = [
    "Baseline",
    "Outcome",
    "Quotas",
    "State",
    "Terms",
    "Trade",
    "initial_state",
    "outcome",
    "residuals",
    "sweep",
    "trade_maps",
]

_SLACK = 1.0
"""How far below zero the scarcity of a limit that does not bind is followed; the wedge is 1 there all the same."""

_TINY = 1e-300
"""Stands for zero where a quota's volume needs a logarithm."""

_FLOOR = 1e-30
"""Output of a line that lost every buyer, over its baseline: stands for zero where a logarithm is needed."""


class Baseline(NamedTuple):
    """Base-year data. N countries, S sectors; trade arrays are (S, N origin, N destination).

    ``rival_share`` (N, S) is the part of a sector's sales that goes where others sell too, which paces the search.
    """

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
    rival_share: Array


class Quotas(NamedTuple):
    """Limits of single lines, K of them.

    ``cell`` (K, 3) holds positions of sector, origin and destination, as floats, so that the terms of a shock stay one
    differentiable tree; ``limit`` (K,) USD at base-year producer prices, positive; ``exporter_share`` (K,).
    """

    cell: Array
    limit: Array
    exporter_share: Array


class Terms(NamedTuple):
    """A shock as numbers; trade arrays are (S, N origin, N destination), None where a part is not used.

    ``open_share`` multiplies the expenditure share before prices move: 1 is open, 0 is an embargo, between the two lies
    the path to one. ``latent_share`` is the expenditure share that a line without trade would have at base-year
    prices. ``productivity_hat`` and ``demand_hat`` are (N, S), ``labour_supply_hat`` (N,).
    """

    tariff_rate: Array
    purchase_subsidy_rate: Array
    iceberg_cost_hat: Array
    open_share: Array
    productivity_hat: Array
    non_tariff_cost_hat: Array | None = None
    export_tax_rate: Array | None = None
    latent_share: Array | None = None
    labour_supply_hat: Array | None = None
    demand_hat: Array | None = None
    quotas: Quotas | None = None

    @property
    def price_factor(self) -> Array:
        """What the buyer pays over customs value: duty and purchase subsidy together; quota rents apart."""
        return (1.0 + self.tariff_rate) * (1.0 - self.purchase_subsidy_rate)

    @property
    def trade_cost_hat(self) -> Array:
        """Iceberg and non-tariff costs together."""
        return (
            self.iceberg_cost_hat
            if self.non_tariff_cost_hat is None
            else self.iceberg_cost_hat * self.non_tariff_cost_hat
        )


class State(NamedTuple):
    """Logarithms of hats: wage (N,), price index (N, S), gross output (N, S), labour (N,).

    ``export_revenue`` (N,) is what export taxes and exporters' rents bring over baseline value added, None without such
    parts. ``scarcity`` (K,) is the log of a quota's wedge where positive; where negative the wedge is 1 and the value
    says how far the limit is from binding.
    """

    wage: Array
    price: Array
    output: Array
    labour: Array
    export_revenue: Array | None = None
    scarcity: Array | None = None


class _QuotaCells(NamedTuple):
    """What the equations need to know of each quota's line (K,): positions, maps without a wedge, and rates."""

    sector: Array
    origin: Array
    destination: Array
    reach: Array
    theta: Array
    tariff_factor: Array
    price_factor: Array
    export_factor: Array
    subsidy: Array
    limit: Array
    exporter_share: Array

    @property
    def buyer(self) -> tuple[Array, Array]:
        """Where the buyers of the lines stand in an array of countries and sectors."""
        return self.destination, self.sector

    @property
    def seller(self) -> tuple[Array, Array]:
        """Where the sellers stand."""
        return self.origin, self.sector


class Trade(NamedTuple):
    """The maps of a shock, and who buys and sells (N, S).

    ``reach_by_buyer`` is A, ``receipt_by_buyer`` its customs value, ``receipt`` B what producers get, ``levied`` the
    difference of the last two, by seller. Each is stored with the axis it is summed over last: ``_by_buyer``
    (S, N destination, N origin), else (S, N origin, N destination). ``consumption_share`` (N, S) holds after a shift of
    demand. Lines under a quota are zero in the maps and stand in ``quotas``.
    """

    reach_by_buyer: Array
    receipt_by_buyer: Array
    receipt: Array
    buys: Array
    sells: Array
    log_productivity: Array
    consumption_share: Array
    levied: Array | None
    log_labour_supply: Array | None
    quotas: _QuotaCells | None


class Outcome(NamedTuple):
    """Everything that follows from a state, see `outcome`; shapes (N,), (N, S) and (N origin, N destination, S).

    The last fields are None where a part is not used: by country the revenue of export taxes and the rents of quotas,
    by quota (K,) the wedge over 1, the volume, and the rents of importers and exporters.
    """

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
    sector_wage_hat: Array | None = None
    export_tax_revenue_cf: Array | None = None
    quota_rent_cf: Array | None = None
    quota_wedge: Array | None = None
    quota_volume: Array | None = None
    quota_importer_rent: Array | None = None
    quota_exporter_rent: Array | None = None


class _Wedges(NamedTuple):
    """Quota lines at a state (K,): wedge over 1, rents over the producer's receipt with tax, and the line's maps."""

    wedge: Array
    exporter_rent: Array
    importer_rent: Array
    reach: Array
    customs: Array
    receipt: Array


class _Markets(NamedTuple):
    """Intermediate results of one evaluation of the equations."""

    log_cost: Array
    log_sector_wage: Array
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
    export_revenue: Array | None
    wedges: _Wedges | None
    volume: Array | None
    quota_step: Array | None


def initial_state(countries: int, sectors: int, terms: Terms | None = None) -> State:
    """Return the state of no change; a shock's terms say which parts it has.

    The arrays are NumPy's, which costs nothing before a compiled call and counts as constant within one.
    """
    levies = terms is not None and (terms.export_tax_rate is not None or terms.quotas is not None)
    quotas = None if terms is None else terms.quotas
    return State(
        _zeros(countries),
        _zeros(countries, sectors),
        _zeros(countries, sectors),
        _zeros(countries),
        _zeros(countries) if levies else None,
        None if quotas is None else _zeros(*quotas.limit.shape),
    )


def _zeros(*shape: int) -> Array:
    return cast(Array, np.zeros(shape))


def trade_maps(base: Baseline, terms: Terms) -> Trade:
    """Build the linear maps of a shock.

    Parameters
    ----------
    base, terms
        Base-year data and the shock.
    """
    theta = base.trade_elasticity[:, None, None]
    kappa = terms.price_factor / (1.0 + base.tariff_rate) * terms.trade_cost_hat
    weight = base.expenditure_share * terms.open_share
    if terms.latent_share is not None:
        weight = weight + terms.latent_share
    if terms.export_tax_rate is None:
        reach = weight * jnp.exp(-theta * jnp.log(kappa))
        customs = receipt = reach / terms.price_factor
        levied = None
    else:
        reach = weight * jnp.exp(-theta * jnp.log(kappa * (1.0 + terms.export_tax_rate)))
        customs = reach / terms.price_factor
        receipt = customs / (1.0 + terms.export_tax_rate)
        levied = customs - receipt
    quotas = None
    if terms.quotas is not None:
        cells = terms.quotas.cell.astype(jnp.int32)
        at = (cells[:, 0], cells[:, 1], cells[:, 2])
        quotas = _QuotaCells(
            sector=cells[:, 0],
            origin=cells[:, 1],
            destination=cells[:, 2],
            reach=reach[at],
            theta=base.trade_elasticity[cells[:, 0]],
            tariff_factor=1.0 + terms.tariff_rate[at],
            price_factor=terms.price_factor[at],
            export_factor=jnp.ones(len(cells)) if terms.export_tax_rate is None else 1.0 + terms.export_tax_rate[at],
            subsidy=terms.purchase_subsidy_rate[at],
            limit=terms.quotas.limit,
            exporter_share=terms.quotas.exporter_share,
        )
        reach, customs, receipt = (array.at[at].set(0.0) for array in (reach, customs, receipt))
        levied = jnp.zeros_like(receipt) if levied is None else levied.at[at].set(0.0)
    alpha = base.consumption_share
    if terms.demand_hat is not None:
        shifted = alpha * terms.demand_hat
        alpha = shifted / jnp.sum(shifted, axis=1, keepdims=True)
    return Trade(
        reach_by_buyer=jnp.swapaxes(reach, 1, 2),
        receipt_by_buyer=jnp.swapaxes(customs, 1, 2),
        receipt=receipt,
        buys=jnp.any(base.expenditure_share > 0, axis=1).T,
        sells=base.gross_output > 0,
        log_productivity=jnp.log(terms.productivity_hat),
        consumption_share=alpha,
        levied=levied,
        log_labour_supply=None if terms.labour_supply_hat is None else jnp.log(terms.labour_supply_hat),
        quotas=quotas,
    )


def _total(maps: Array, values: Array) -> Array:
    """Sum maps (S, N, N) times values (N, S) over the maps' last axis, to (N, S).

    The maps stay as they are stored: an einsum of one sector alone would have XLA transpose them in every sweep.
    """
    found = lax.dot_general(maps, values, (((2,), (0,)), ((0,), (1,))))
    return found.T


def _wedges(scarcity: Array, quotas: _QuotaCells) -> _Wedges:
    """Return what quotas do to their lines at a state, see the module."""
    wedge = jnp.exp(jnp.maximum(scarcity, 0.0))
    part = quotas.exporter_share
    rent = (wedge - 1.0) / (part + (1.0 - part) / quotas.tariff_factor)
    reach = quotas.reach * wedge**-quotas.theta
    receipt = reach / (quotas.price_factor * quotas.export_factor * wedge)
    return _Wedges(
        wedge=wedge,
        exporter_rent=part * rent,
        importer_rent=(1.0 - part) * rent,
        reach=reach,
        customs=receipt * quotas.export_factor * (1.0 + part * rent),
        receipt=receipt,
    )


def _markets(state: State, base: Baseline, trade: Trade, closure: Closure, labour: Labour) -> _Markets:
    """Evaluate the equations once at a state."""
    theta, psi, alpha = base.trade_elasticity, base.scale_elasticity, trade.consumption_share
    log_wage = state.wage[:, None]
    if not math.isinf(labour.mobility):
        log_wage = log_wage + (state.output - state.labour[:, None] - log_wage) / labour.mobility
    log_bundle = (
        base.value_added_share * log_wage
        + jnp.einsum("irs,ir->is", base.io_coefficient, state.price)
        - trade.log_productivity
    )
    log_cost = log_bundle - psi * (state.output - log_bundle)
    seller = jnp.exp(-theta * log_cost)
    price_sum = _total(trade.reach_by_buyer, seller)
    at_customs = _total(trade.receipt_by_buyer, seller)
    quotas, wedges = trade.quotas, None
    if quotas is not None and state.scarcity is not None:
        wedges = _wedges(state.scarcity, quotas)
        buyer, from_seller = quotas.buyer, seller[quotas.seller]
        price_sum = price_sum.at[buyer].add(wedges.reach * from_seller)
        at_customs = at_customs.at[buyer].add(wedges.customs * from_seller)
    price_sum = jnp.where(trade.buys, price_sum, 1.0)
    log_price = -jnp.log(price_sum) / theta
    reached = at_customs / price_sum
    revenue_share = jnp.where(trade.buys, 1.0 - reached, 0.0)
    output = base.gross_output * jnp.exp(state.output)
    intermediate = jnp.einsum("jsr,jr->js", base.io_coefficient, output)
    wage_bill = base.value_added * jnp.exp(state.wage + state.labour)
    world_output_hat = jnp.sum(output) / jnp.sum(base.gross_output)
    transfer = closure.transfer(base.deficit, world_output_hat, jnp.exp(state.wage))
    earned = wage_bill + transfer
    if state.export_revenue is not None:
        earned = earned + state.export_revenue * base.value_added
    income = (earned + jnp.sum(revenue_share * intermediate, axis=1)) / (1.0 - jnp.sum(revenue_share * alpha, axis=1))
    spending = intermediate + alpha * income[:, None]
    demand = spending / price_sum
    sold = seller * _total(trade.receipt, demand)
    export_revenue = volume = quota_step = None
    if trade.levied is not None:
        export_revenue = jnp.einsum("is,sij,js->i", seller, trade.levied, demand)
    elif state.export_revenue is not None:
        export_revenue = jnp.zeros_like(state.export_revenue)
    if quotas is not None and wedges is not None and export_revenue is not None:
        buyer, from_seller = quotas.buyer, seller[quotas.seller]
        bought = from_seller * demand[buyer]
        sold = sold.at[quotas.seller].add(wedges.receipt * bought)
        export_revenue = export_revenue.at[quotas.origin].add((wedges.customs - wedges.receipt) * bought)
        volume = wedges.receipt * bought * jnp.exp(-log_cost[quotas.seller])
        part_of_buyer = wedges.reach * from_seller / price_sum[buyer]
        quota_step = 1.0 / (1.0 + quotas.theta * (1.0 - part_of_buyer))
    revenue = jnp.sum(revenue_share * spending, axis=1)
    if labour.elasticity == 0.0:
        log_labour = jnp.zeros_like(state.labour)
    else:
        log_tax = -jnp.log1p(-revenue / wage_bill) if labour.rebate == "income_tax_relief" else 0.0
        consumer_price = jnp.sum(alpha * log_price, axis=1)
        log_labour = labour.elasticity * (log_tax + state.wage - consumer_price)
    if trade.log_labour_supply is not None:
        log_labour = log_labour + trade.log_labour_supply
    exported = jnp.sum(sold, axis=1) if export_revenue is None else jnp.sum(sold, axis=1) + export_revenue
    return _Markets(
        log_cost=log_cost,
        log_sector_wage=log_wage,
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
        overspent=jnp.sum(reached * spending, axis=1) - exported - transfer,
        export_revenue=export_revenue,
        wedges=wedges,
        volume=volume,
        quota_step=quota_step,
    )


def _excess(volume: Array, quotas: _QuotaCells) -> Array:
    """Return the log of volume over limit (K,); a line that is shut sells too little to count."""
    return jnp.log(jnp.maximum(volume, _TINY)) - jnp.log(quotas.limit)


def _log_output(markets: _Markets, base: Baseline, trade: Trade) -> Array:
    """Return the log of output hats; 0 where nothing was produced, a floor where every buyer is lost."""
    ratio = markets.output / jnp.where(trade.sells, base.gross_output, 1.0)
    return jnp.where(trade.sells, jnp.log(jnp.maximum(ratio, _FLOOR)), 0.0)


class _Gaps(NamedTuple):
    """Relative violations: price index (N, S), goods market (N, S), labour market, labour supply and budget (N,).

    ``export_revenue`` (N,) and ``quota`` (K,) are None where a shock has no such part.
    """

    price_index: Array
    goods_market: Array
    labour_market: Array
    labour_supply: Array
    budget: Array
    export_revenue: Array | None
    quota: Array | None


def _gaps(state: State, markets: _Markets, base: Baseline, trade: Trade) -> _Gaps:
    """Return the relative violation of every condition at a state."""
    export_revenue = quota = None
    if state.export_revenue is not None and markets.export_revenue is not None:
        export_revenue = (markets.export_revenue - state.export_revenue * base.value_added) / markets.income
    if state.scarcity is not None and trade.quotas is not None and markets.volume is not None:
        excess = _excess(markets.volume, trade.quotas)
        quota = jnp.where(state.scarcity > 0, excess, jnp.maximum(excess, 0.0))
    return _Gaps(
        jnp.where(trade.buys, markets.log_price - state.price, 0.0),
        _log_output(markets, base, trade) - state.output,
        jnp.log(markets.wage_bill_demanded) - jnp.log(markets.wage_bill),
        markets.log_labour - state.labour,
        markets.overspent / markets.income,
        export_revenue,
        quota,
    )


def sweep(state: State, base: Baseline, trade: Trade, closure: Closure, labour: Labour) -> tuple[State, Array]:
    """Apply the equilibrium map once.

    Wages move by a share of the log excess demand for labour, ``base.wage_step``, the wedge of a quota by a share of
    its excess volume; where labour is tied to its sector output moves by a share, too. Every other block is replaced by
    what the equations imply. The result is scaled so that world value added is the numeraire.

    Returns
    -------
    The next state, and the largest relative violation of any condition at the state given; 1 more where a country's
    income is not positive, which no equilibrium has.
    """
    markets = _markets(state, base, trade, closure, labour)
    gaps = _gaps(state, markets, base, trade)
    wage = state.wage + base.wage_step * gaps.labour_market
    supply = state.labour + gaps.labour_supply
    scale = jnp.log(jnp.sum(base.value_added)) - jnp.log(jnp.sum(base.value_added * jnp.exp(wage + supply)))
    output_gap = gaps.goods_market
    if not math.isinf(labour.mobility):
        slope = base.trade_elasticity * base.value_added_share * base.rival_share / labour.mobility
        output_gap = output_gap / (1.0 + slope)
    export_revenue = scarcity = None
    if markets.export_revenue is not None:
        export_revenue = markets.export_revenue / base.value_added * jnp.exp(scale)
    if state.scarcity is not None and trade.quotas is not None and markets.quota_step is not None:
        assert markets.volume is not None
        excess = _excess(markets.volume, trade.quotas)
        moved: Array = jnp.maximum(state.scarcity, 0.0) + markets.quota_step * excess
        scarcity = jnp.maximum(moved, -_SLACK)
    following = State(
        wage=wage + scale,
        price=jnp.where(trade.buys, state.price + gaps.price_index + scale, 0.0),
        output=jnp.where(trade.sells, state.output + output_gap + scale, 0.0),
        labour=supply,
        export_revenue=export_revenue,
        scarcity=scarcity,
    )
    worst = jnp.max(jnp.stack([jnp.max(jnp.abs(gap)) for gap in gaps if gap is not None]))
    return following, jnp.where(jnp.all(markets.income > 0), worst, 1.0 + worst)


def residuals(state: State, base: Baseline, trade: Trade, closure: Closure, labour: Labour) -> dict[str, Array]:
    """Return the relative violation of every equilibrium condition, by name and place.

    ``price_index`` and ``goods_market`` (N, S), ``labour_market``, ``labour_supply`` and ``budget`` (N,), the last:
    imports minus exports at customs value against the closure's transfer, relative to income. Where a shock has such
    parts, ``export_revenue`` (N,) relative to income, and ``quota`` (K,): the log of volume over limit where the wedge
    is above 1, its positive part where the wedge is 1.
    """
    found = _gaps(state, _markets(state, base, trade, closure, labour), base, trade)._asdict()
    return {name: gap for name, gap in found.items() if gap is not None}


def outcome(state: State, base: Baseline, terms: Terms, trade: Trade, closure: Closure, labour: Labour) -> Outcome:
    """Return everything that follows from a state; differentiable in the state, the baseline and the terms."""
    markets = _markets(state, base, trade, closure, labour)
    demand = markets.spending / markets.price_sum
    customs = trade.receipt if trade.levied is None else trade.receipt + trade.levied
    flow = customs * markets.seller.T[:, :, None] * demand.T[:, None, :]
    parts: dict[str, Array] = {}
    quotas, wedges = trade.quotas, markets.wedges
    taken = None
    if trade.levied is not None:
        taken = jnp.einsum("is,sij,js->i", markets.seller, trade.levied, demand)
    extra_cost = jnp.zeros_like(markets.income)
    if quotas is not None and wedges is not None and taken is not None and markets.volume is not None:
        bought = markets.seller[quotas.seller] * demand[quotas.buyer]
        sold = wedges.customs * bought
        flow = flow.at[quotas.sector, quotas.origin, quotas.destination].set(sold)
        taxed = wedges.receipt * bought * quotas.export_factor
        taken = taken.at[quotas.origin].add(taxed - wedges.receipt * bought)
        importer, exporter = wedges.importer_rent * taxed, wedges.exporter_rent * taxed
        extra_cost = extra_cost.at[quotas.destination].add(quotas.subsidy * importer)
        rent = jnp.zeros_like(markets.income)
        parts |= {
            "quota_rent_cf": rent.at[quotas.destination].add(importer).at[quotas.origin].add(exporter),
            "quota_wedge": wedges.wedge - 1.0,
            "quota_volume": markets.volume,
            "quota_importer_rent": importer,
            "quota_exporter_rent": exporter,
        }
    if taken is not None:
        parts["export_tax_revenue_cf"] = taken
    duties = jnp.sum(flow * terms.tariff_rate, axis=(0, 1))
    subsidies = jnp.sum(flow * (1.0 + terms.tariff_rate) * terms.purchase_subsidy_rate, axis=(0, 1)) + extra_cost
    consumer_price = jnp.exp(jnp.sum(trade.consumption_share * markets.log_price, axis=1))
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
        sector_wage_hat=None if math.isinf(labour.mobility) else jnp.exp(markets.log_sector_wage),
        **parts,
    )
