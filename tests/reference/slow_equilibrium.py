"""The equilibrium once more, slowly: the equations as they are printed, loop by loop, solved by a general root finder.

It shares nothing with the engine but the World and the Shock it reads. Unknown are log wages (of countries, or of
sectors where labour is tied to them), log prices, log outputs, log spending and log labour, all relative to the base
year, and the rent of each quota over the producer's price; a line that nobody makes or buys stays as it is. One of the
labour markets follows from the others, so the last one gives way to the numeraire: world value added stays what it was.

`violation_at` asks less: it puts the numbers of a Solution into these equations and says how far they are from holding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root

from counterpoise.core import Shock, Solution, World

Numbers = NDArray[np.float64]
ClosureName = Literal["fixed_world_share", "zero", "fixed_nominal"]
Rebate = Literal["lump_sum", "income_tax_relief"]


GONE = 1e-25
"""Output over its base year below which a line counts as closed down: nobody asks what making nothing would cost."""


@dataclass(frozen=True, slots=True)
class SlowSolution:
    """What the equations imply; names and shapes as in a Solution of the package."""

    wage_hat: Numbers
    sector_wage_hat: Numbers
    price_index_hat: Numbers
    consumer_price_hat: Numbers
    unit_cost_hat: Numbers
    labour_hat: Numbers
    gross_output_cf: Numbers
    expenditure_cf: Numbers
    flow_cf: Numbers
    tariff_revenue_cf: Numbers
    purchase_cost_cf: Numbers
    export_tax_revenue_cf: Numbers
    quota_rent_cf: Numbers
    quota_wedge_rate: Numbers
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
    tariff_rate_cf: Numbers
    programme: Numbers
    export_tax: Numbers
    obstacle: Numbers
    productivity_hat: Numbers
    labour_supply: Numbers
    taste: Numbers
    potential: Numbers
    closed: NDArray[np.bool_]
    limit: Numbers
    exporter_share: Numbers
    limited: tuple[tuple[int, int, int], ...]
    closure: ClosureName
    nominal_in_wage_of: int | None
    kappa: float
    rebate: Rebate
    mobility: float | None


def solve_slowly(
    world: World,
    shock: Shock,
    *,
    closure: ClosureName = "fixed_world_share",
    nominal_in_wage_of: str | None = None,
    labour_supply_elasticity: float = 0.0,
    rebate: Rebate = "lump_sum",
    mobility: float | None = None,
    steps: tuple[int, ...] = (1, 5, 25),
) -> SlowSolution:
    """Solve a small world; approach the shock in more steps where one does not do."""
    economy = economy_of(world, shock, closure, nominal_in_wage_of, labour_supply_elasticity, rebate, mobility)
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


def economy_of(
    world: World,
    shock: Shock,
    closure: ClosureName,
    nominal_in_wage_of: str | None = None,
    kappa: float = 0.0,
    rebate: Rebate = "lump_sum",
    mobility: float | None = None,
) -> Economy:
    """Read a world and a shock."""
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
    limit, potential = shock.quota_limit.to_numpy(), shock.potential_flow.to_numpy()
    closed = shock.embargo.to_numpy() | (limit == 0.0)
    limited = [
        (i, j, s)
        for i in range(n)
        for j in range(n)
        for s in range(sectors)
        if np.isfinite(limit[i, j, s]) and not closed[i, j, s] and flow[i, j, s] + potential[i, j, s] > 0
    ]
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
        tariff_rate_cf=shock.tariff_rate_cf.to_numpy(),
        programme=shock.purchase_subsidy_rate.to_numpy(),
        export_tax=shock.export_tax_rate.to_numpy(),
        obstacle=shock.iceberg_cost_hat.to_numpy() * shock.non_tariff_cost_hat.to_numpy(),
        productivity_hat=shock.productivity_hat.to_numpy(),
        labour_supply=shock.labour_supply_hat.to_numpy(),
        taste=shock.demand_hat.to_numpy(),
        potential=potential,
        closed=closed,
        limit=limit,
        exporter_share=shock.quota_exporter_share.to_numpy(),
        limited=tuple(limited),
        closure=closure,
        nominal_in_wage_of=None if nominal_in_wage_of is None else world.countries.index(nominal_in_wage_of),
        kappa=kappa,
        rebate=rebate,
        mobility=mobility,
    )


def _part_of_the_way(e: Economy, fraction: float) -> Economy:
    """Return the economy with the shock a fraction of its size; embargoes are prohibitive costs until the last step."""
    if fraction == 1.0:
        return e
    before, after = 1 + e.tariff_rate, 1 + e.tariff_rate_cf
    tight = np.isfinite(e.limit) & (e.flow > e.limit) & (e.limit > 0)
    looser = np.where(tight, e.flow, 1.0) ** (1 - fraction) * np.where(tight, e.limit, 1.0) ** fraction
    return replace(
        e,
        tariff_rate_cf=before * (after / before) ** fraction - 1,
        programme=1 - (1 - e.programme) ** fraction,
        export_tax=(1 + e.export_tax) ** fraction - 1,
        obstacle=e.obstacle**fraction * np.where(e.closed, (1 - fraction) ** (-1 / e.theta), 1.0),
        productivity_hat=e.productivity_hat**fraction,
        labour_supply=e.labour_supply**fraction,
        taste=e.taste**fraction,
        potential=e.potential * fraction,
        limit=np.where(tight, looser, e.limit),
        closed=np.zeros_like(e.closed),
    )


def _wages(e: Economy) -> int:
    """Count the wages that are unknown: one in each country, or one in each sector of each."""
    return len(e.made) if e.mobility is None else e.made.size


def _size(e: Economy) -> int:
    n, sectors = e.made.shape
    return _wages(e) + 3 * n * sectors + n + len(e.limited)


@dataclass(frozen=True, slots=True)
class _Unknown:
    """One guess at everything that is unknown, as hats; rents over the producer's price, by line."""

    wage: Numbers
    sector_wage: Numbers
    price: Numbers
    output: Numbers
    spending: Numbers
    labour: Numbers
    rent: Numbers


def _read(x: Numbers, e: Economy) -> _Unknown:
    n, sectors = e.made.shape
    m, w = n * sectors, _wages(e)
    hats: Numbers = np.exp(x[: w + 3 * m + n])
    price, output, spending = hats[w : w + 3 * m].reshape(3, n, sectors)
    rent = np.zeros_like(e.flow)
    for cell, value in zip(e.limited, x[w + 3 * m + n :], strict=True):
        rent[cell] = value
    if e.mobility is None:
        wage = hats[:n]
        sector_wage = np.repeat(wage[:, None], sectors, axis=1)
    else:
        sector_wage = hats[:w].reshape(n, sectors)
        wage = np.zeros(n)
        for i in range(n):
            for s in range(sectors):
                weight = e.gamma[i, s] * e.made[i, s] / e.value_added[i]
                wage[i] += weight * sector_wage[i, s] ** e.mobility
            wage[i] = wage[i] ** (1 / e.mobility)
    return _Unknown(wage, sector_wage, price, output, spending, hats[w + 3 * m :], rent)


def _parts(u: _Unknown, e: Economy) -> dict[str, Numbers]:
    """Evaluate the equations, one after the other."""
    n, sectors = e.made.shape
    cost, price_implied = np.zeros((n, sectors)), np.ones((n, sectors))
    share, flow, volume = (np.zeros((n, n, sectors)) for _ in range(3))
    at_border, paid = np.ones((n, n, sectors)), np.ones((n, n, sectors))
    alpha = np.zeros((n, sectors))
    for j in range(n):
        weight = sum(e.alpha[j, s] * e.taste[j, s] for s in range(sectors))
        for s in range(sectors):
            alpha[j, s] = e.alpha[j, s] * e.taste[j, s] / weight
    for i in range(n):
        for s in range(sectors):
            bundle = u.sector_wage[i, s] ** e.gamma[i, s]
            for r in range(sectors):
                bundle *= u.price[i, r] ** e.io[i, r, s]
            bundle /= e.productivity_hat[i, s]
            cost[i, s] = bundle * (u.output[i, s] / bundle) ** -e.psi[s]
    for j in range(n):
        for s in range(sectors):
            total = 0.0
            for i in range(n):
                kept = e.exporter_share[i, j, s] * u.rent[i, j, s]
                handed = (1 - e.exporter_share[i, j, s]) * u.rent[i, j, s]
                duty_paid = (1 + kept) * (1 + e.tariff_rate_cf[i, j, s]) + handed
                at_border[i, j, s] = (1 + e.export_tax[i, j, s]) * (1 + kept)
                paid[i, j, s] = (1 + e.export_tax[i, j, s]) * duty_paid * (1 - e.programme[i, j, s])
                wanted = e.share[i, j, s]
                if e.potential[i, j, s] > 0:
                    wanted += e.potential[i, j, s] * (1 + e.tariff_rate[i, j, s]) / e.spent[j, s]
                if wanted > 0 and not e.closed[i, j, s]:
                    kappa = paid[i, j, s] / (1 + e.tariff_rate[i, j, s]) * e.obstacle[i, j, s]
                    share[i, j, s] = wanted * (cost[i, s] * kappa) ** -e.theta[s]
                    total += share[i, j, s]
            if e.spent[j, s] > 0:
                price_implied[j, s] = total ** (-1 / e.theta[s])
                for i in range(n):
                    share[i, j, s] /= total
                    bought = share[i, j, s] * u.spending[j, s] * e.spent[j, s]
                    flow[i, j, s] = bought / paid[i, j, s] * at_border[i, j, s]
                    volume[i, j, s] = bought / paid[i, j, s] / cost[i, s]
    duties, programmes, taxes, rents, wage_bill = (np.zeros(n) for _ in range(5))
    consumer_price, wedge = np.ones(n), np.zeros((n, n, sectors))
    world_output, world_output_base = 0.0, 0.0
    for j in range(n):
        wage_bill[j] = u.wage[j] * u.labour[j] * e.value_added[j]
        for s in range(sectors):
            consumer_price[j] *= price_implied[j, s] ** alpha[j, s]
            world_output += u.output[j, s] * e.made[j, s]
            world_output_base += e.made[j, s]
            for i in range(n):
                sent = flow[i, j, s] / at_border[i, j, s]
                tax, rent = e.export_tax[i, j, s], u.rent[i, j, s]
                duty_paid = paid[i, j, s] / (1 - e.programme[i, j, s])
                duties[j] += e.tariff_rate_cf[i, j, s] * flow[i, j, s]
                programmes[j] += e.programme[i, j, s] * duty_paid * sent
                taxes[i] += tax * sent
                rents[i] += e.exporter_share[i, j, s] * rent * (1 + tax) * sent
                rents[j] += (1 - e.exporter_share[i, j, s]) * rent * (1 + tax) * sent
                without = (1 + tax) * (1 + e.tariff_rate_cf[i, j, s])
                wedge[i, j, s] = duty_paid / without - 1
    transfer = np.zeros(n)
    for j in range(n):
        if e.closure == "fixed_world_share":
            transfer[j] = e.deficit[j] / world_output_base * world_output
        elif e.closure == "fixed_nominal":
            transfer[j] = e.deficit[j] * (1.0 if e.nominal_in_wage_of is None else u.wage[e.nominal_in_wage_of])
    return {
        "cost": cost,
        "price": price_implied,
        "flow": flow,
        "volume": volume,
        "received": flow / at_border,
        "revenue": duties - programmes,
        "programmes": programmes,
        "taxes": taxes,
        "rents": rents,
        "wedge": wedge,
        "wage_bill": wage_bill,
        "alpha": alpha,
        "consumer_price": consumer_price,
        "transfer": transfer,
        "income": wage_bill + duties - programmes + taxes + rents + transfer,
    }


def _residuals(x: Numbers, e: Economy) -> Numbers:
    return _violations(_read(x, e), e)


def _violations(u: _Unknown, e: Economy) -> Numbers:
    """Return the violation of every condition: prices, goods, spending, labour market and supply, quotas."""
    n, sectors = e.made.shape
    p = _parts(u, e)
    out: list[float] = []
    for j in range(n):
        for s in range(sectors):
            out.append(np.log(p["price"][j, s]) - np.log(u.price[j, s]))
            sold = sum(p["received"][j, k, s] for k in range(n))
            out.append(sold / e.made[j, s] - u.output[j, s] if e.made[j, s] > 0 else np.log(u.output[j, s]))
            used = sum(e.io[j, s, r] * u.output[j, r] * e.made[j, r] for r in range(sectors))
            wanted = used + p["alpha"][j, s] * p["income"][j]
            out.append(wanted / e.spent[j, s] - u.spending[j, s] if e.spent[j, s] > 0 else np.log(u.spending[j, s]))
    out += _labour_markets(u, e, p)
    out[-1] = sum(p["wage_bill"]) / sum(e.value_added) - 1
    for i in range(n):
        relief = 1 - p["revenue"][i] / p["wage_bill"][i] if e.rebate == "income_tax_relief" else 1.0
        wanted = e.labour_supply[i]
        if e.kappa:
            wanted = wanted * (u.wage[i] / relief / p["consumer_price"][i]) ** e.kappa if relief > 0 else np.inf
        out.append(np.log(u.labour[i]) - np.log(wanted))
    out += [min(u.rent[cell], np.log(e.limit[cell] / p["volume"][cell])) for cell in e.limited]
    return np.array(out)


def _labour_markets(u: _Unknown, e: Economy, p: dict[str, Numbers]) -> list[float]:
    """Return excess demand for the labour of every country, or of every sector of every country, over the base year."""
    n, sectors = e.made.shape
    out: list[float] = []
    for i in range(n):
        demanded = [e.gamma[i, s] * sum(p["received"][i, k, s] for k in range(n)) for s in range(sectors)]
        if e.mobility is None:
            out.append(sum(demanded) / e.value_added[i] - u.wage[i] * u.labour[i])
            continue
        for s in range(sectors):
            worked = e.gamma[i, s] * e.made[i, s]
            if worked > 0:
                offered = u.sector_wage[i, s] ** e.mobility * u.wage[i] ** (1 - e.mobility) * u.labour[i]
                out.append(demanded[s] / worked - offered)
            else:
                out.append(np.log(u.sector_wage[i, s]))
    return out


def violation_at(solution: Solution, e: Economy) -> tuple[float, str]:
    """Put a Solution into the equations; return the largest relative violation or difference, and of what.

    A line that nobody makes any more stands at 1e-30 of its base year. Checked are the conditions, all labour markets,
    and every quantity that the Solution states besides its unknowns.
    """
    v = {name: np.asarray(values, dtype=np.float64) for name, values in solution.values.items()}
    made, spent = np.where(e.made > 0, e.made, 1.0), np.where(e.spent > 0, e.spent, 1.0)
    kept = e.exporter_share + (1 - e.exporter_share) / (1 + e.tariff_rate_cf)
    u = _Unknown(
        wage=v["wage_hat"],
        sector_wage=np.where(e.made > 0, v["sector_wage_hat"], 1.0),
        price=v["price_index_hat"],
        output=np.where(e.made > 0, np.maximum(v["gross_output_cf"] / made, 1e-30), 1.0),
        spending=np.where(e.spent > 0, v["expenditure_cf"] / spent, 1.0),
        labour=v["labour_hat"],
        rent=v["quota_wedge_rate"] / kept,
    )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        p = _parts(u, e)
        off = [("a condition", float(np.max(np.abs(_violations(u, e)))))]
        off.append(("a labour market", float(np.max(np.abs(_labour_markets(u, e, p))))))
        stated = _stated(u, e, p)
    money = float(np.sum(e.made))
    for name, expected in stated.items():
        found = np.where(u.output > GONE, v[name], expected) if name == "unit_cost_hat" else v[name]
        scale = np.maximum(np.abs(expected), 1e-3 * money if name.endswith("_cf") else 0.0)
        scale = 1 + scale if name == "quota_wedge_rate" else scale
        off.append((name, float(np.max(np.abs(found - expected) / scale))))
    worst = max(off, key=lambda entry: np.nan_to_num(entry[1], nan=np.inf))
    return float(np.nan_to_num(worst[1], nan=np.inf)), worst[0]


def _stated(u: _Unknown, e: Economy, p: dict[str, Numbers]) -> dict[str, Numbers]:
    """Return every quantity of a Solution as the equations give it."""
    base_income = e.value_added + e.deficit + (e.tariff_rate * e.flow).sum(axis=(0, 2))
    return {
        "wage_hat": u.wage,
        "sector_wage_hat": u.sector_wage,
        "price_index_hat": u.price,
        "consumer_price_hat": p["consumer_price"],
        "unit_cost_hat": p["cost"],
        "labour_hat": u.labour,
        "gross_output_cf": np.where(e.made > 0, u.output * e.made, 0.0),
        "expenditure_cf": np.where(e.spent > 0, u.spending * e.spent, 0.0),
        "flow_cf": p["flow"],
        "tariff_revenue_cf": p["revenue"],
        "purchase_cost_cf": p["programmes"],
        "export_tax_revenue_cf": p["taxes"],
        "quota_rent_cf": p["rents"],
        "quota_wedge_rate": p["wedge"],
        "income_cf": p["income"],
        "welfare_hat": p["income"] / base_income / p["consumer_price"],
    }


def _collect(x: Numbers, e: Economy) -> SlowSolution:
    u = _read(x, e)
    p = _parts(u, e)
    return SlowSolution(
        **_stated(u, e, p), transfer_cf=p["transfer"], largest_residual=float(np.max(np.abs(_residuals(x, e))))
    )
