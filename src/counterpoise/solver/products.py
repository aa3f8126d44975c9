"""`solve_products`: counterfactuals of a product world, to the same residuals as the dense tier.

The solve runs in NumPy and SciPy on the processor: sparse products with millions of lines are bound by memory, and need
no compilation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import jax
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.core.labels import dim_labels, index_of
from counterpoise.core.products import ProductShock, ProductWorld
from counterpoise.core.variables import variable
from counterpoise.model import Closure, closure_named
from counterpoise.model.products import ProductBase, ProductMarkets, product_base, product_markets

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ProductSolution", "conditions", "solve_products"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProductSolution:
    """A solved counterfactual of a product world.

    ``flow_cf`` (L,) are the flows of its lines, USD at customs value; ``values`` bare arrays by vocabulary name,
    read labelled through `array`. ``residuals`` holds the largest relative violation by condition.
    """

    shock: ProductShock
    closure: str
    residuals: dict[str, float]
    iterations: int
    seconds: float
    flow_cf: Numbers
    values: dict[str, Numbers]

    @property
    def base(self) -> ProductWorld:
        """The product world that was shocked."""
        return self.shock.base

    @property
    def max_residual(self) -> float:
        """Largest relative violation over all conditions."""
        return max(self.residuals.values())

    def array(self, name: str) -> xr.DataArray:
        """Return one quantity with its labels: wage_hat, price_index_hat, gross_output_cf, welfare_hat and others."""
        row, labels = variable(name), dim_labels(self.base.world.countries, self.base.world.sectors)
        coords = {dim: list(labels[dim]) for dim in row.dims}
        return xr.DataArray(self.values[name], dims=row.dims, coords=coords, name=name, attrs={"unit": row.unit})

    @property
    def sector_flow_cf(self) -> xr.DataArray:
        """Flows summed over products (origin, destination, sector), USD at customs value."""
        base = self.base
        n, s = len(base.world.countries), len(base.world.sectors)
        cell = (base.origin.astype(np.int64) * n + base.destination) * s + base.product_sector[base.product]
        summed = np.bincount(cell, self.flow_cf, n * n * s).reshape(n, n, s)
        labels = dim_labels(base.world.countries, base.world.sectors)
        dims = variable("flow_cf").dims
        return xr.DataArray(summed, dims=dims, coords={d: list(labels[d]) for d in dims}, name="flow_cf")

    def gap_cf_usd(self, origin: str, destination: str) -> float:
        """Return what ``origin`` sells to ``destination`` minus what it buys from it, counterfactual, USD."""
        i, j = (index_of(self.base.world.countries, c, "country") for c in (origin, destination))
        there = (self.base.origin == i) & (self.base.destination == j)
        back = (self.base.origin == j) & (self.base.destination == i)
        return float(self.flow_cf[there].sum() - self.flow_cf[back].sum())

    def table(self, mask: NDArray[np.bool_] | None = None) -> pd.DataFrame:
        """Return lines: origin, destination, product, flow_usd, tariff_rate, both after the shock, and embargo."""
        kept = np.flatnonzero(np.ones(len(self.flow_cf), dtype=bool) if mask is None else mask)
        shut = self.shock.embargo
        return self.base.table(mask).assign(
            flow_cf_usd=self.flow_cf[kept],
            tariff_rate_cf=self.shock.tariff_rate_cf[kept],
            embargo=np.zeros(len(kept), dtype=bool) if shut is None else shut[kept],
        )

    def countries_table(self) -> pd.DataFrame:
        """Return one row per country: welfare and wage, percent; exports and imports before and after, USD."""
        import pandas as pd

        base = self.base
        foreign = base.origin != base.destination
        n = len(base.world.countries)
        sums = {
            f"{word}_{end}": np.bincount(side[foreign], flow[foreign], n)
            for word, side in (("exports", base.origin), ("imports", base.destination))
            for end, flow in (("usd", base.flow), ("cf_usd", self.flow_cf))
        }
        changes = {f"{k}_pct": 100.0 * (self.values[f"{k}_hat"] - 1.0) for k in ("welfare", "wage")}
        return pd.DataFrame({"country": list(base.world.countries), **changes, **sums})

    def __repr__(self) -> str:
        """Say how it was solved."""
        return (
            f"ProductSolution: {len(self.flow_cf):,} lines, closure '{self.closure}', {self.iterations} sweeps, "
            f"{self.seconds:.1f} s, largest residual {self.max_residual:.1e}"
        )


def solve_products(
    base: ProductWorld,
    shock: ProductShock | None = None,
    *,
    closure: Closure | str = "fixed_world_share",
    rtol: float = 1e-9,
    max_steps: int = 500,
    memory: int = 12,
    workers: int | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> ProductSolution:
    """Solve the counterfactual equilibrium of a shock to product lines.

    Parameters
    ----------
    base, shock
        Product world, and a shock made for it; None changes nothing.
    closure
        As in `counterpoise.solver.solve`.
    rtol, max_steps, memory
        Largest relative violation of any condition, sweeps before giving up, differences that the acceleration keeps.
    workers
        Threads; by default the number of processors.
    progress
        Called with sweeps done and the violation they reached.

    Raises
    ------
    InputError
        If the shock was made for another product world, or the world has scale economies, which this tier leaves out.
    UnbalancedError
        If the world violates an accounting identity.
    NotConvergedError
        If no equilibrium was found, and which condition is worst where.
    """
    began = time.perf_counter()
    shock = ProductShock.none(base) if shock is None else shock
    if shock.base is not base:
        raise InputError("the shock was made for another product world; build it with ProductShock.none(this world)")
    world = base.world
    if np.any(world.scale_elasticity.to_numpy() != 0):
        raise InputError("the product tier holds for constant returns; this world has a scale_elasticity above 0")
    world.require_balanced()
    stranded = [
        f"{country} has no supplier of {sector} left; lift the embargo from one origin, or from some products"
        for country, sector in shock.unsupplied()
    ]
    raise_all(NotConvergedError, "no equilibrium exists", stranded)
    bound = closure_named(closure, world.countries)
    threads = workers or os.cpu_count() or 1
    with jax.enable_x64(True), ThreadPoolExecutor(max_workers=threads) as pool:
        arrays = product_base(shock, threads)
        n, s = len(world.countries), len(world.sectors)

        def evaluate(x: Numbers) -> tuple[Numbers, float, ProductMarkets]:
            wage, price, output = x[:n], x[n : n + s * n].reshape(s, n), x[n + s * n :].reshape(s, n)
            at = product_markets(wage, price, output, arrays, bound, pool)
            return _image(wage, price, output, at, arrays), _violation(at), at

        steps, violation, at, wage = _accelerated(
            evaluate, np.zeros(n + 2 * s * n), n, rtol, max_steps, memory, progress
        )
    residuals = {name: float(np.max(np.abs(gap))) for name, gap in at.gaps.items()}
    if not violation <= rtol:
        name = max(residuals, key=lambda k: np.nan_to_num(residuals[k], nan=np.inf))
        cell = np.unravel_index(int(np.argmax(np.nan_to_num(np.abs(at.gaps[name]), nan=np.inf))), at.gaps[name].shape)
        where = ", ".join(v[k] for v, k in zip((world.sectors, world.countries)[-len(cell) :], cell, strict=True))
        raise NotConvergedError(
            f"no equilibrium was found after {steps} sweeps: the worst condition is {name} at {where}, off by "
            f"{residuals[name]:.3g} relative, expected at most {rtol:g}; try a smaller shock first, another closure, "
            f"or max_steps={10 * max_steps}"
        )
    return ProductSolution(
        shock, bound.name, residuals, steps, time.perf_counter() - began, _flows(shock, at), _values(wage, at, arrays)
    )


def conditions(
    shock: ProductShock, closure: Closure | str, pool: ThreadPoolExecutor
) -> tuple[Numbers, Callable[[Numbers], Numbers], Callable[[Numbers], Numbers]]:
    """Return the equilibrium as a bare root-finding problem, for other programs to solve.

    Parameters
    ----------
    shock, closure
        As in `solve_products`.
    pool
        Threads to use.

    Returns
    -------
    The start; the function whose root is the equilibrium; and real income over baseline (N,) at a point. Points are log
    wages (N,), log prices and log output (S, N), one after the other.
    """
    world = shock.base.world
    n, s = len(world.countries), len(world.sectors)
    bound = closure_named(closure, world.countries)
    with jax.enable_x64(True):
        arrays = product_base(shock, 1)

    def markets(x: Numbers) -> ProductMarkets:
        price, output = x[n : n + s * n].reshape(s, n), x[n + s * n :].reshape(s, n)
        return product_markets(x[:n], price, output, arrays, bound, pool)

    def gap(x: Numbers) -> Numbers:
        gaps = markets(x).gaps
        scale = np.log((arrays.value_added * np.exp(x[:n])).sum() / arrays.value_added.sum())
        blocks = (gaps["price_index"].reshape(-1), gaps["goods_market"].reshape(-1))
        return np.concatenate([gaps["labour_market"] + scale, *blocks])

    def real_income(x: Numbers) -> Numbers:
        return _values(x[:n], markets(x), arrays)["welfare_hat"]

    return np.zeros(n + 2 * s * n), gap, real_income


def _image(wage: Numbers, price: Numbers, output: Numbers, at: ProductMarkets, base: ProductBase) -> Numbers:
    """Return the next point: what the equations imply, wages moved towards excess demand, in units of the numeraire."""
    moved = wage + base.wage_step * at.gaps["labour_market"]
    scale = np.log(base.value_added.sum()) - np.log((base.value_added * np.exp(moved)).sum())
    after = np.where(base.buys, price + at.gaps["price_index"] + scale, 0.0)
    made = np.where(base.sells, output + at.gaps["goods_market"] + scale, 0.0)
    return np.concatenate([moved + scale, after.reshape(-1), made.reshape(-1)])


def _violation(at: ProductMarkets) -> float:
    """Return the largest violation; at least 1 where an income is not positive, which no equilibrium has."""
    worst = max(float(np.max(np.abs(gap))) for gap in at.gaps.values())
    return worst if bool(np.all(at.income > 0)) else max(worst, 1.0)


def _accelerated(
    evaluate: Callable[[Numbers], tuple[Numbers, float, ProductMarkets]],
    start: Numbers,
    countries: int,
    rtol: float,
    max_steps: int,
    memory: int,
    progress: Callable[[int, float], None] | None,
) -> tuple[int, float, ProductMarkets, Numbers]:
    """Iterate with the safeguards of `counterpoise.solver.anderson`; return sweeps, violation, markets, log wages."""
    x, damping, steps = start, 1.0, 1
    image, violation, at = evaluate(x)
    best: tuple[float, Numbers, Numbers, ProductMarkets] = (violation, x, image, at)
    dx: list[Numbers] = []
    df: list[Numbers] = []
    while best[0] > rtol and steps < max_steps and damping > 1e-4:
        f: Numbers = image - x
        move: Numbers = damping * f
        if df:
            rows = np.array(df)
            gram = rows @ rows.T
            ridge = 1e-14 * np.trace(gram) + np.finfo(np.float64).tiny
            weights = cast(Numbers, np.linalg.solve(gram + ridge * np.eye(len(df)), rows @ f))
            move = move - weights @ (np.array(dx) + damping * rows)
        longest = float(np.max(np.abs(move)))
        trial: Numbers = x + move * min(1.0, 1.0 / max(longest, 1.0))
        with np.errstate(all="ignore"):
            following, violation, at = evaluate(trial)
        steps += 1
        if np.isfinite(violation) and np.all(np.isfinite(following)) and violation <= 20.0 * best[0]:
            dx, df = [*dx, trial - x][-memory:], [*df, following - trial - f][-memory:]
            x, image, damping = trial, following, min(1.0, 1.1 * damping)
            if violation <= best[0]:
                best = (violation, x, image, at)
        else:
            _, x, image, _ = best
            dx, df, damping = [], [], 0.5 * damping
        if progress is not None:
            progress(steps, best[0])
    violation, x, _, at = best
    return steps, violation, at, x[:countries]


def _flows(shock: ProductShock, at: ProductMarkets) -> Numbers:
    """Return the counterfactual flow of every line."""
    lines = shock.base
    theta = lines.trade_elasticity[lines.product]
    paid = lines.flow * (1.0 + lines.tariff_rate)
    n = at.seller.shape[1]
    buyer = lines.product * np.int32(n) + lines.destination
    spent = np.bincount(buyer, paid, at.seller.size)
    kappa = (1.0 + shock.tariff_rate_cf) / (1.0 + lines.tariff_rate) * shock.iceberg_cost_hat
    pull = (at.product_spending / at.price_sum).reshape(-1) / np.where(spent > 0, spent, 1.0)
    flow = paid * at.seller.reshape(-1)[lines.product * np.int32(n) + lines.origin] * pull[buyer]
    moved = np.flatnonzero(kappa != 1.0)
    flow[moved] *= kappa[moved] ** -theta[moved]
    if shock.embargo is not None:
        flow[shock.embargo] = 0.0
    return flow / (1.0 + shock.tariff_rate_cf)


def _values(wage: Numbers, at: ProductMarkets, base: ProductBase) -> dict[str, Numbers]:
    """Return the quantities of the vocabulary."""
    consumer_price = np.exp((base.consumption_share * at.log_price).sum(axis=0))
    return {
        "wage_hat": np.exp(wage),
        "price_index_hat": np.exp(at.log_price).T,
        "consumer_price_hat": consumer_price,
        "unit_cost_hat": np.exp(at.log_cost).T,
        "gross_output_cf": at.output.T,
        "expenditure_cf": at.spending.T,
        "income_cf": at.income,
        "tariff_revenue_cf": at.revenue,
        "welfare_hat": at.income / base.income / consumer_price,
    }
