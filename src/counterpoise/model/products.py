r"""The product tier of the equilibrium: the same equations with prices and shares by product, in sparse form.

With k a product of sector s, i origin, j destination, letters counterfactual over baseline but for base-year shares::

    unit cost       c_is = w_i^gamma_is prod_r P_ir^gamma_irs / A_is
    product price   P_jk = (sum_i lambda_ijk (c_is kappa_ijk)^-theta_k)^(-1/theta_k)
    sector price    P_js = (sum_k m_jk P_jk^-eta_s)^(-1/eta_s)
    spending        E'_jk = m_jk (P_jk / P_js)^-eta_s E'_js,   E'_js as in `counterpoise.model.equilibrium`
    output          Y'_is = sum_{k in s} sum_j lambda'_ijk E'_jk / (1 + t'_ijk)

lambda_ijk is the share of origin i in j's spending on k, m_jk the share of k in j's spending on the sector. If theta_k
= eta_s for all k and rates agree within the sector, sums over products give the sector model exactly.

Lines of a product lie together and know only its own buyers and sellers, so that the maps A (reach) and B (receipt) are
block-diagonal sparse matrices over (product, country), and one evaluation is three products of them with a vector.

References
----------
Costinot and Rodriguez-Clare (2014), Handbook of International Economics 4, ch. 4, section 3 (nested demand).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from counterpoise.core.products import ProductShock
from counterpoise.model.parts import Closure
from counterpoise.model.prepare import baseline_of

__all__ = ["ProductBase", "ProductMarkets", "product_base", "product_markets"]

Numbers = NDArray[np.float64]


class _Map:
    """A block-diagonal sparse matrix cut into parts of about equal work, one for each thread."""

    def __init__(
        self, rows: NDArray[np.int32], columns: NDArray[np.int32], values: Numbers, size: int, parts: int
    ) -> None:
        """Store entries that are sorted by row."""
        bounds = np.searchsorted(rows, np.arange(size + 1))
        cuts = np.searchsorted(bounds, np.linspace(0, len(values), parts + 1)[1:-1])
        self.blocks: list[Any] = []
        for low, high in zip([0, *cuts], [*cuts, size], strict=True):
            span = slice(int(bounds[low]), int(bounds[high]))
            pointer = (bounds[low : high + 1] - bounds[low]).astype(np.int32)
            self.blocks.append(sparse.csr_array((values[span], columns[span], pointer), shape=(int(high - low), size)))

    def __call__(self, vector: Numbers, pool: ThreadPoolExecutor) -> Numbers:
        """Multiply a vector."""

        def multiply(block: Any) -> Numbers:
            return block @ vector

        return np.concatenate(list(pool.map(multiply, self.blocks)))


@dataclass(frozen=True, slots=True, eq=False)
class ProductBase:
    """Base year and shock as arrays over (K products, N countries) and (S, N); maps over pairs (product, country)."""

    reach: _Map
    receipt: _Map
    receipt_by_seller: _Map
    theta: Numbers
    eta: Numbers
    first: NDArray[np.intp]
    sector_of: NDArray[np.int32]
    product_share: Numbers
    buys: NDArray[np.bool_]
    sells: NDArray[np.bool_]
    value_added_share: Numbers
    io_coefficient: Numbers
    consumption_share: Numbers
    gross_output: Numbers
    value_added: Numbers
    deficit: Numbers
    income: Numbers
    log_productivity: Numbers
    wage_step: Numbers


class ProductMarkets(NamedTuple):
    """What follows from log wage (N,), log price and log output (S, N); product arrays are (K, N)."""

    log_cost: Numbers
    seller: Numbers
    price_sum: Numbers
    product_spending: Numbers
    log_price: Numbers
    spending: Numbers
    income: Numbers
    transfer: Numbers
    revenue: Numbers
    output: Numbers
    gaps: dict[str, Numbers]


def product_base(shock: ProductShock, threads: int) -> ProductBase:
    """Build the maps of a shock; call where JAX is allowed 64 bits."""
    lines = shock.base
    world = lines.world
    n, count = len(world.countries), len(lines.products)
    base = baseline_of(world)
    paid = lines.flow * (1.0 + lines.tariff_rate)
    buyer = lines.product * np.int32(n) + lines.destination
    seller = lines.product * np.int32(n) + lines.origin
    spent = np.bincount(buyer, paid, count * n)
    theta = lines.trade_elasticity
    kappa = (1.0 + shock.tariff_rate_cf) / (1.0 + lines.tariff_rate) * shock.iceberg_cost_hat
    reach = paid / spent[buyer]
    moved = np.flatnonzero(kappa != 1.0)
    reach[moved] *= kappa[moved] ** -theta[lines.product[moved]]
    if shock.embargo is not None:
        reach[shock.embargo] = 0.0
    receipt = reach / (1.0 + shock.tariff_rate_cf)
    by_seller = np.argsort(seller, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], np.diff(lines.product_sector) > 0]))
    present = lines.product_sector[first]
    in_product = spent.reshape(count, n)
    in_sector = np.zeros((len(world.sectors), n))
    in_sector[present] = np.add.reduceat(in_product, first, axis=0)
    whole = in_sector[lines.product_sector]
    size = count * n
    return ProductBase(
        reach=_Map(buyer, seller, reach, size, threads),
        receipt=_Map(buyer, seller, receipt, size, threads),
        receipt_by_seller=_Map(seller[by_seller], buyer[by_seller], receipt[by_seller], size, threads),
        theta=theta[:, None],
        eta=lines.substitution[:, None],
        first=first,
        sector_of=lines.product_sector,
        product_share=in_product / np.where(whole > 0, whole, 1.0),
        buys=in_sector > 0,
        sells=np.asarray(base.gross_output).T > 0,
        value_added_share=np.asarray(base.value_added_share).T,
        io_coefficient=np.asarray(base.io_coefficient),
        consumption_share=np.asarray(base.consumption_share).T,
        gross_output=np.asarray(base.gross_output).T,
        value_added=np.asarray(base.value_added),
        deficit=np.asarray(base.deficit),
        income=np.asarray(base.income),
        log_productivity=np.log(shock.productivity_hat).T,
        wage_step=np.asarray(base.wage_step),
    )


def product_markets(
    wage: Numbers, price: Numbers, output: Numbers, base: ProductBase, closure: Closure, pool: ThreadPoolExecutor
) -> ProductMarkets:
    """Evaluate the equations once; the gaps are relative violations, named as in the dense tier.

    Parameters
    ----------
    wage, price, output
        Logs of hats, (N,), (S, N), (S, N).
    """
    shape = base.product_share.shape
    log_cost = (
        base.value_added_share * wage + np.einsum("irs,ri->si", base.io_coefficient, price) - base.log_productivity
    )
    seller = np.exp(-base.theta * log_cost[base.sector_of])
    price_sum = base.reach(seller.reshape(-1), pool).reshape(shape)
    reached = base.receipt(seller.reshape(-1), pool).reshape(shape)
    bought = price_sum > 0
    safe = np.where(bought, price_sum, 1.0)
    eta = base.eta[base.sector_of]
    # P_jk^-eta = price_sum^(eta / theta)
    weight = base.product_share * np.exp(eta / base.theta * np.log(safe)) * bought
    total = _by_sector(weight, base)
    log_price = np.where(base.buys, -np.log(np.where(total > 0, total, 1.0)) / base.eta, 0.0)
    part = weight / np.where(total > 0, total, 1.0)[base.sector_of]
    revenue_share = np.where(base.buys, 1.0 - _by_sector(part * (reached / safe), base), 0.0)
    made = base.gross_output * np.exp(output)
    intermediate = np.einsum("jsr,rj->sj", base.io_coefficient, made)
    wage_bill = base.value_added * np.exp(wage)
    world_output_hat = made.sum() / base.gross_output.sum()
    move = cast(Callable[..., Any], closure.transfer)
    transfer = np.asarray(move(base.deficit, world_output_hat, np.exp(wage)), dtype=np.float64)
    alpha = base.consumption_share
    income = (wage_bill + transfer + (revenue_share * intermediate).sum(axis=0)) / (
        1.0 - (revenue_share * alpha).sum(axis=0)
    )
    spending = intermediate + alpha * income
    product_spending = part * spending[base.sector_of]
    sold = _by_sector(seller * base.receipt_by_seller((product_spending / safe).reshape(-1), pool).reshape(shape), base)
    ratio = sold / np.where(base.sells, base.gross_output, 1.0)
    demanded = (base.value_added_share * sold).sum(axis=0)
    revenue = (revenue_share * spending).sum(axis=0)
    gaps = {
        "price_index": np.where(base.buys, log_price - price, 0.0),
        "goods_market": np.where(base.sells, np.log(np.maximum(ratio, 1e-30)), 0.0) - output,
        "labour_market": np.log(demanded) - np.log(wage_bill),
        "budget": (spending.sum(axis=0) - revenue - sold.sum(axis=0) - transfer) / income,
    }
    return ProductMarkets(
        log_cost, seller, safe, product_spending, log_price, spending, income, transfer, revenue, sold, gaps
    )


def _by_sector(values: Numbers, base: ProductBase) -> Numbers:
    """Sum (K, N) over the products of each sector, (S, N)."""
    out = np.zeros((len(base.eta), values.shape[1]))
    out[base.sector_of[base.first]] = np.add.reduceat(values, base.first, axis=0)
    return out
