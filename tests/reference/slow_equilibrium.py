"""The equilibrium once more, slowly: the equations as they are printed, loop by loop, solved by a general root finder.

It shares nothing with the engine but the World and the Shock it reads. Unknown are log wages, log prices, log outputs,
log spending and log labour, all relative to the base year; a line that nobody makes or buys stays as it is. One of the
labour markets follows from the others, so the last one gives way to the numeraire: world value added stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root

from counterpoise.core import Shock, World

Numbers = NDArray[np.float64]
ClosureName = Literal["fixed_world_share", "zero", "fixed_nominal"]
Rebate = Literal["lump_sum", "income_tax_relief"]


@dataclass(frozen=True, slots=True)
class SlowSolution:
    """What the equations imply; names and shapes as in a Solution of the package."""

    wage_hat: Numbers
    price_index_hat: Numbers
    consumer_price_hat: Numbers
    unit_cost_hat: Numbers
    labour_hat: Numbers
    gross_output_cf: Numbers
    expenditure_cf: Numbers
    flow_cf: Numbers
    tariff_revenue_cf: Numbers
    transfer_cf: Numbers
    income_cf: Numbers
    welfare_hat: Numbers
    largest_residual: float


@dataclass(frozen=True, slots=True)
class Economy:
    """Base-year numbers, the shock, and the parts chosen."""

    flow: Numbers
    spent: Numbers
    share: Numbers
    made: Numbers
    gamma: Numbers
    io: Numbers
    alpha: Numbers
    theta: Numbers
    psi: Numbers
    value_added: Numbers
    deficit: Numbers
    tariff_rate: Numbers
    price_factor_cf: Numbers
    iceberg_cost_hat: Numbers
    productivity_hat: Numbers
    closed: NDArray[np.bool_]
    closure: ClosureName
    nominal_in_wage_of: int | None
    kappa: float
    rebate: Rebate


def solve_slowly(
    world: World,
    shock: Shock,
    *,
    closure: ClosureName = "fixed_world_share",
    nominal_in_wage_of: str | None = None,
    labour_supply_elasticity: float = 0.0,
    rebate: Rebate = "lump_sum",
    steps: tuple[int, ...] = (1, 5, 25),
) -> SlowSolution:
    """Solve a small world; approach the shock in more steps where one does not do."""
    economy = _economy(world, shock, closure, nominal_in_wage_of, labour_supply_elasticity, rebate)
    found = None
    for count in steps:
        x = np.zeros(_size(economy))
        for step in range(1, count + 1):
            part = _part_of_the_way(economy, step / count)
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                found = root(_residuals, x, args=(part,), method="hybr", tol=1e-13)
            x = found.x
            if not np.max(np.abs(found.fun)) <= 1e-9:
                break
        else:
            return _collect(x, economy)
    raise AssertionError(f"the slow reference found no equilibrium: {found}")


def _economy(
    world: World, shock: Shock, closure: ClosureName, nominal_in_wage_of: str | None, kappa: float, rebate: Rebate
) -> Economy:
    flow, rate = world.flow.to_numpy(), world.tariff_rate.to_numpy()
    n, sectors = flow.shape[0], flow.shape[2]
    made, spent, share = np.zeros((n, sectors)), np.zeros((n, sectors)), np.zeros_like(flow)
    deficit = np.zeros(n)
    for i in range(n):
        for j in range(n):
            for s in range(sectors):
                made[i, s] += flow[i, j, s]
                spent[j, s] += flow[i, j, s] * (1 + rate[i, j, s])
                deficit[j] += flow[i, j, s]
                deficit[i] -= flow[i, j, s]
    for i in range(n):
        for j in range(n):
            for s in range(sectors):
                if spent[j, s] > 0:
                    share[i, j, s] = flow[i, j, s] * (1 + rate[i, j, s]) / spent[j, s]
    gamma = world.value_added_share.to_numpy()
    return Economy(
        flow=flow,
        spent=spent,
        share=share,
        made=made,
        gamma=gamma,
        io=world.io_coefficient.to_numpy(),
        alpha=world.consumption_share.to_numpy(),
        theta=world.trade_elasticity.to_numpy(),
        psi=world.scale_elasticity.to_numpy(),
        value_added=np.array([sum(gamma[i, s] * made[i, s] for s in range(sectors)) for i in range(n)]),
        deficit=deficit,
        tariff_rate=rate,
        price_factor_cf=(1 + shock.tariff_rate_cf.to_numpy()) * (1 - shock.purchase_subsidy_rate.to_numpy()),
        iceberg_cost_hat=shock.iceberg_cost_hat.to_numpy(),
        productivity_hat=shock.productivity_hat.to_numpy(),
        closed=shock.embargo.to_numpy(),
        closure=closure,
        nominal_in_wage_of=None if nominal_in_wage_of is None else world.countries.index(nominal_in_wage_of),
        kappa=kappa,
        rebate=rebate,
    )


def _part_of_the_way(e: Economy, fraction: float) -> Economy:
    """Return the economy with the shock a fraction of its size; embargoes are prohibitive costs until the last step."""
    if fraction == 1.0:
        return e
    before = 1 + e.tariff_rate
    return Economy(
        **{
            f: getattr(e, f)
            for f in e.__slots__
            if f not in ("price_factor_cf", "iceberg_cost_hat", "productivity_hat", "closed")
        },
        price_factor_cf=before * (e.price_factor_cf / before) ** fraction,
        iceberg_cost_hat=e.iceberg_cost_hat**fraction * np.where(e.closed, (1 - fraction) ** (-1 / e.theta), 1.0),
        productivity_hat=e.productivity_hat**fraction,
        closed=np.zeros_like(e.closed),
    )


def _size(e: Economy) -> int:
    n, sectors = e.made.shape
    return n + 3 * n * sectors + (n if e.kappa else 0)


def _hats(x: Numbers, e: Economy) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    """Return wage, price, output, spending and labour hats."""
    n, sectors = e.made.shape
    m = n * sectors
    hats: Numbers = np.exp(x)
    wage = hats[:n]
    price, output, spending = hats[n : n + 3 * m].reshape(3, n, sectors)
    labour = hats[n + 3 * m :]
    return wage, price, output, spending, np.append(labour, np.ones(n - len(labour)))


def _parts(x: Numbers, e: Economy) -> dict[str, Numbers]:
    """Evaluate the equations, one after the other."""
    n, sectors = e.made.shape
    wage, price, output, spending, labour = _hats(x, e)
    cost, price_implied = np.zeros((n, sectors)), np.ones((n, sectors))
    share, flow = np.zeros((n, n, sectors)), np.zeros((n, n, sectors))
    for i in range(n):
        for s in range(sectors):
            bundle = wage[i] ** e.gamma[i, s]
            for r in range(sectors):
                bundle *= price[i, r] ** e.io[i, r, s]
            bundle /= e.productivity_hat[i, s]
            cost[i, s] = bundle * (output[i, s] / bundle) ** -e.psi[s]
    for j in range(n):
        for s in range(sectors):
            total = 0.0
            for i in range(n):
                if e.share[i, j, s] > 0 and not e.closed[i, j, s]:
                    kappa = e.price_factor_cf[i, j, s] / (1 + e.tariff_rate[i, j, s]) * e.iceberg_cost_hat[i, j, s]
                    share[i, j, s] = e.share[i, j, s] * (cost[i, s] * kappa) ** -e.theta[s]
                    total += share[i, j, s]
            if e.spent[j, s] > 0:
                price_implied[j, s] = total ** (-1 / e.theta[s])
                for i in range(n):
                    share[i, j, s] /= total
                    flow[i, j, s] = share[i, j, s] * spending[j, s] * e.spent[j, s] / e.price_factor_cf[i, j, s]
    revenue, wage_bill, consumer_price = np.zeros(n), np.zeros(n), np.ones(n)
    world_output, world_output_base = 0.0, 0.0
    for j in range(n):
        wage_bill[j] = wage[j] * labour[j] * e.value_added[j]
        for s in range(sectors):
            consumer_price[j] *= price_implied[j, s] ** e.alpha[j, s]
            world_output += output[j, s] * e.made[j, s]
            world_output_base += e.made[j, s]
            for i in range(n):
                revenue[j] += (e.price_factor_cf[i, j, s] - 1) * flow[i, j, s]
    transfer = np.zeros(n)
    for j in range(n):
        if e.closure == "fixed_world_share":
            transfer[j] = e.deficit[j] / world_output_base * world_output
        elif e.closure == "fixed_nominal":
            transfer[j] = e.deficit[j] * (1.0 if e.nominal_in_wage_of is None else wage[e.nominal_in_wage_of])
    income = wage_bill + revenue + transfer
    return {
        "cost": cost,
        "price": price_implied,
        "flow": flow,
        "revenue": revenue,
        "wage_bill": wage_bill,
        "consumer_price": consumer_price,
        "transfer": transfer,
        "income": income,
    }


def _residuals(x: Numbers, e: Economy) -> Numbers:
    """Return the violation of every condition: price index, goods market, spending, labour market and supply."""
    n, sectors = e.made.shape
    wage, price, output, spending, labour = _hats(x, e)
    p = _parts(x, e)
    out: list[float] = []
    for j in range(n):
        for s in range(sectors):
            out.append(np.log(p["price"][j, s]) - np.log(price[j, s]))
            sold = sum(p["flow"][j, k, s] for k in range(n))
            out.append(sold / e.made[j, s] - output[j, s] if e.made[j, s] > 0 else np.log(output[j, s]))
            used = sum(e.io[j, s, r] * output[j, r] * e.made[j, r] for r in range(sectors))
            wanted = used + e.alpha[j, s] * p["income"][j]
            out.append(wanted / e.spent[j, s] - spending[j, s] if e.spent[j, s] > 0 else np.log(spending[j, s]))
    for i in range(n - 1):
        demanded = sum(e.gamma[i, s] * p["flow"][i, k, s] for k in range(n) for s in range(sectors))
        out.append(demanded / e.value_added[i] - wage[i] * labour[i])
    out.append(sum(p["wage_bill"]) / sum(e.value_added) - 1)
    if e.kappa:
        for i in range(n):
            relief = 1 - p["revenue"][i] / p["wage_bill"][i] if e.rebate == "income_tax_relief" else 1.0
            out.append(
                np.log(labour[i]) - e.kappa * np.log(wage[i] / relief / p["consumer_price"][i])
                if relief > 0
                else np.inf
            )
    return np.array(out)


def _collect(x: Numbers, e: Economy) -> SlowSolution:
    wage, price, output, spending, labour = _hats(x, e)
    p = _parts(x, e)
    base_income = e.value_added + e.deficit + (e.tariff_rate * e.flow).sum(axis=(0, 2))
    return SlowSolution(
        wage_hat=wage,
        price_index_hat=price,
        consumer_price_hat=p["consumer_price"],
        unit_cost_hat=p["cost"],
        labour_hat=labour,
        gross_output_cf=output * e.made,
        expenditure_cf=spending * e.spent,
        flow_cf=p["flow"],
        tariff_revenue_cf=p["revenue"],
        transfer_cf=p["transfer"],
        income_cf=p["income"],
        welfare_hat=p["income"] / base_income / p["consumer_price"],
        largest_residual=float(np.max(np.abs(_residuals(x, e)))),
    )
