"""Published results beside what this package computes, cell by cell.

``published_results.csv`` holds the numbers as they were printed; a cell is met when the difference is at most its
stated tolerance, or half a unit of the last printed digit where none is stated; a note says why one is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World, WorldMeta
from counterpoise.core.errors import InputError, NotConvergedError, did_you_mean, raise_all
from counterpoise.data.replication_data import (
    GravitySample,
    load_caliendo_parro,
    load_gravity_sample,
    load_liberation_day,
)
from counterpoise.estimate import GravityEstimate, estimate_gravity, gravity_flows
from counterpoise.model import ElasticLabour
from counterpoise.report.replication_power import liberation_day_cells, liberation_day_world, ossa_cells
from counterpoise.solver import linearised_welfare, midpoint_welfare, rebase, solve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CASES", "canada_japan", "conditional_prices", "liberation_day_world", "replicate"]

Numbers = NDArray[np.float64]
Cells = dict[tuple[str, str, str], float]
"""Computed values by table, row and column."""

_GRAVITY_REGRESSORS = ("lndist", "contiguity", "common_language", "pta", "international")
_GRAVITY_ELASTICITY = 4.0
_GRAVITY_REFERENCE = "DEU"


def replicate(names: Sequence[str] | None = None, sources: Path | str | None = None) -> pd.DataFrame:
    """Compute published results anew and return them side by side.

    Parameters
    ----------
    names
        Cases, see `CASES`; all of them by default.
    sources
        Folder that holds ``data/`` with the published tables; by default the environment or the folder beside the
        repository.

    Returns
    -------
    One row per published cell: case, table, row, column, published, computed, difference, tolerance, ok, note.

    Raises
    ------
    InputError
        If a case is unknown.
    SourceMissingError
        If the tables of a case are not there; the message names each.
    """
    import pandas as pd

    wanted = list(CASES) if names is None else list(names)
    unknown = [f"unknown case '{name}'{did_you_mean(name, CASES)}" for name in wanted if name not in CASES]
    raise_all(InputError, f"nothing to replicate; known cases are {', '.join(CASES)}", unknown)
    published = _published()
    parts = [_beside(published[published["case"] == name], CASES[name](sources)) for name in wanted]
    return pd.concat(parts, ignore_index=True)


def _published() -> pd.DataFrame:
    """Return the printed numbers, as text, in the order of the papers."""
    import pandas as pd

    with files("counterpoise.report").joinpath("published_results.csv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle, dtype=str, keep_default_na=False)


def _beside(published: pd.DataFrame, computed: Cells) -> pd.DataFrame:
    """Return the published cells of one case with the computed ones."""
    cells = list(zip(published["table"], published["row"], published["column"], strict=True))
    assert set(cells) == set(computed), f"cells differ: {set(cells) ^ set(computed)}"
    number = published["published"].astype("float64")
    tolerance = [
        float(t) if t else _half_a_unit(p) for t, p in zip(published["tolerance"], published["published"], strict=True)
    ]
    out = published[["case", "table", "row", "column"]].assign(
        published=number, computed=[computed[cell] for cell in cells], tolerance=tolerance
    )
    out["difference"] = out["computed"] - out["published"]
    out["ok"] = out["difference"].abs() <= out["tolerance"]
    out["note"] = published["note"]
    return out[["case", "table", "row", "column", "published", "computed", "difference", "tolerance", "ok", "note"]]


def _half_a_unit(printed: str) -> float:
    """Return half a unit of the last printed digit."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def _pct(hat: object) -> Numbers:
    """Return a ratio as a percentage change."""
    return 100.0 * (np.asarray(hat, dtype=np.float64) - 1.0)


def _caliendo_parro(sources: Path | str | None) -> Cells:
    """NAFTA's tariffs of 2005 in the world of 1993, deficits removed first."""
    data = load_caliendo_parro(sources)
    world = rebase(data.world, "zero")
    shock = Shock(world, tariff_rate_cf=data.tariff_rate_cf, notes=("NAFTA tariffs of 2005",))
    solution = solve(world, shock, closure="zero")
    linearised = linearised_welfare(solution)
    real_wage = _pct(solution.real_wage_hat)
    flow, flow_cf = (f.sum("sector").to_numpy() for f in (world.flow, solution.flow_cf))
    members = {name: world.countries.index(name) for name in ("Mexico", "Canada", "USA")}
    cells: Cells = {}
    for name, k in members.items():
        one = linearised.iloc[k]
        cells["welfare", name, "terms of trade, %"] = float(one["terms_of_trade_pct"])
        cells["welfare", name, "volume of trade, %"] = float(one["volume_of_trade_pct"])
        cells["welfare", name, "welfare as published, %"] = float(one["welfare_linearised_pct"])
        cells["welfare", name, "real wage, %"] = float(real_wage[k])
        cells["welfare", name, "exact real income, %"] = float(one["welfare_pct"])
        for origin, i in members.items():
            if i != k:
                cells["import growth", name, f"from {origin}, %"] = float(_pct(flow_cf[i, k] / flow[i, k]))
    for steps in (1, 2, 5, 20, 60):
        added = midpoint_welfare(world, shock, steps, closure="zero")
        column = f"{steps} step{'s' if steps > 1 else ''}, %"
        cells["path to the exact change", "Mexico", column] = float(added[members["Mexico"]])
    return cells


def _liberation_day(sources: Path | str | None) -> Cells:
    """Announced tariffs in one sector with elastic labour, where revenue relieves the tax on labour income."""
    data = load_liberation_day(sources)
    world = liberation_day_world(data)
    usa, china = (data.countries.index(c) for c in ("USA", "CHN"))
    rate = np.zeros((len(data.countries), len(data.countries), 1))
    rate[:, usa, 0] = data.us_tariff_rate
    labour = ElasticLabour(0.5, rebate="income_tax_relief")
    solution = solve(
        world, Shock(world, tariff_rate_cf=rate, notes=("tariffs announced on 2 April 2025",)), labour=labour
    )
    spending = world.expenditure.to_numpy()[:, 0]
    # The paper's dollar: the one in which the world's price level, weighted with spending, does not move.
    level = np.average(solution.consumer_price_hat.to_numpy(), weights=spending)
    price = solution.consumer_price_hat.to_numpy() / level
    welfare = _pct(_welfare_with_leisure(solution, labour.elasticity))
    gdp_hat = solution.gross_output_cf.to_numpy()[:, 0] / world.gross_output.to_numpy()[:, 0]
    others = np.arange(len(data.countries)) != usa
    deficit, deficit_cf = world.deficit.to_numpy(), solution.deficit_cf.to_numpy() / level
    announced: dict[tuple[str, str], Any] = {
        ("USA", "welfare, %"): welfare[usa],
        ("USA", "deficit, %"): 100.0 * (deficit_cf[usa] - deficit[usa]) / abs(deficit[usa]),
        ("USA", "exports over GDP, %"): _pct((solution.exports_cf / world.exports).to_numpy() / gdp_hat)[usa],
        ("USA", "imports over GDP, %"): _pct((solution.imports_cf / world.imports).to_numpy() / gdp_hat)[usa],
        ("USA", "employment, %"): _pct(solution.labour_hat)[usa],
        ("USA", "prices, %"): _pct(price[usa]),
        ("rest of world", "welfare, %"): np.average(welfare[others], weights=spending[others]),
    }
    cells: Cells = {("announced tariffs", row, column): float(v) for (row, column), v in announced.items()}
    bilateral = "bilateral deficit with China"
    cells[bilateral, "USA", "base year, bn USD"] = world.gap_usd(data.countries[china], "USA") / 1e9
    cells[bilateral, "USA", "announced tariffs, bn USD"] = (
        solution.gap_cf_usd(data.countries[china], "USA") / level / 1e9
    )
    return cells


def _welfare_with_leisure(solution: Solution, elasticity: float) -> Numbers:
    """Return the change of welfare where leisure counts, (N,).

    W = delta I_hat / P + (1 - delta) w L / P with delta = I / (I - kappa (1 - tax) VA / (1 + kappa)): the disutility of
    labour is subtracted from consumption. kappa = elasticity, I = income, tax = share of the wage bill that revenue now
    pays.
    """
    world, values = solution.world, solution.values
    income, value_added = world.income.to_numpy(), world.value_added.sum("sector").to_numpy()
    wage_bill_hat = values["wage_hat"] * values["labour_hat"]
    relief = values["tariff_revenue_cf"] / (value_added * wage_bill_hat)
    delta = income / (income - elasticity * (1.0 - relief) * value_added / (1.0 + elasticity))
    return (delta * values["income_cf"] / income + (1.0 - delta) * wage_bill_hat) / values["consumer_price_hat"]


def _gegravity(sources: Path | str | None) -> Cells:
    """Gravity by PPML, and an agreement between Canada and Japan in the world that it implies."""
    sample = load_gravity_sample(sources)
    estimate = estimate_gravity(sample.table, dependent="trade", regressors=_GRAVITY_REGRESSORS)
    cells: Cells = {("PPML", "constant", "coefficient"): estimate.constant}
    for name in estimate.regressors:
        cells["PPML", name, "coefficient"] = estimate[name]
        cells["PPML", name, "standard error"] = estimate.error_of(name)
    world, shock = canada_japan(sample, estimate)
    canada, japan, usa, reference = (world.countries.index(c) for c in ("CAN", "JPN", "USA", _GRAVITY_REFERENCE))
    price, solution = conditional_prices(world, shock)
    consumer_price = solution.consumer_price_hat.to_numpy()
    price = price / consumer_price[reference]
    consumer_price = consumer_price / consumer_price[reference]
    # The flows as published: shares of the conditional equilibrium, output and spending moved with the factory price.
    world_output_hat = (price * sample.output).sum() / sample.output.sum()
    trade = (solution.flow_cf / world.flow).to_numpy()[:, :, 0] * np.outer(price, price) / world_output_hat
    table, real_output = "trade agreement CAN-JPN", _pct(price / consumer_price)
    cells[table, "CAN to JPN", "trade, %"] = float(_pct(trade[canada, japan]))
    cells[table, "JPN to CAN", "trade, %"] = float(_pct(trade[japan, canada]))
    cells[table, "CAN", "factory price, %"] = float(_pct(price)[canada])
    for name, k in (("CAN", canada), ("JPN", japan), ("USA", usa)):
        cells[table, name, "real GDP, %"] = float(real_output[k])
    return cells


def canada_japan(sample: GravitySample, estimate: GravityEstimate) -> tuple[World, Shock]:
    """Return the world that an estimated gravity equation implies, and a trade agreement between Canada and Japan.

    Parameters
    ----------
    sample
        Output and expenditure, which the flows of the world meet; its output is scaled to the total of expenditure.
    estimate
        Trade costs, and what an agreement does to them.
    """
    power = estimate.trade_cost_power({name: sample.matrix(name) for name in estimate.regressors})
    world = World.from_arrays(
        countries=sample.countries,
        sectors=("all goods",),
        flow=1e6 * gravity_flows(power, sample.output, sample.expenditure)[:, :, None],
        trade_elasticity=_GRAVITY_ELASTICITY,
        meta=WorldMeta(name="gegravity 2006", trade_year=2006, gdp_year=2006, sources=("gegravity 0.3 example data",)),
    )
    cost = float(np.exp(-estimate["pta"] / _GRAVITY_ELASTICITY))
    outward = Shock.none(world).with_iceberg_cost(cost, origin="CAN", destination="JPN")
    return world, outward.with_iceberg_cost(cost, origin="JPN", destination="CAN", note="agreement CAN-JPN")


def conditional_prices(
    world: World, shock: Shock, *, atol: float = 1e-11, max_steps: int = 100
) -> tuple[Numbers, Solution]:
    """Return the factory prices that clear every market at unchanged nominal output and spending.

    This is the conditional equilibrium of Anderson and van Wincoop. It is an ordinary equilibrium in which productivity
    moves each country's cost so that no wage changes; with unchanged wages every closure keeps the deficits it started
    from.

    Parameters
    ----------
    world
        One sector without intermediate inputs.
    shock
        What changes; its productivities are replaced.
    atol
        Largest log change of a wage that counts as none.
    max_steps
        Equilibria to solve before giving up.

    Returns
    -------
    Factory prices over their baseline (N,), and the equilibrium in which wages stay.

    Raises
    ------
    InputError
        If the world has several sectors or intermediate inputs.
    NotConvergedError
        If no such prices are found.

    References
    ----------
    Anderson and van Wincoop (2003), American Economic Review 93(1).
    """
    if len(world.sectors) > 1 or bool((world.io_coefficient > 0).any()):
        raise InputError(
            f"conditional prices need one sector without intermediate inputs; world '{world.meta.name}' has more"
        )
    # A wage answers a productivity with the elasticity theta / (1 + theta) where the country is small.
    step = 1.0 + 1.0 / float(world.trade_elasticity[0])
    price, wage = _cleared_prices(world, shock), np.full(len(world.countries), np.inf)
    for _ in range(max_steps):
        solution = solve(world, shock.with_array("productivity_hat", 1.0 / price[:, None]), rtol=0.1 * atol)
        wage = np.log(solution.wage_hat.to_numpy())
        if np.max(np.abs(wage)) <= atol:
            return price, solution
        price = price * np.exp(step * wage)
    raise NotConvergedError(
        f"wages still move by {np.max(np.abs(wage)):.3g} after {max_steps} equilibria; expected at most {atol:g}"
    )


def _cleared_prices(world: World, shock: Shock, steps: int = 30) -> Numbers:
    """Return factory prices (N,) that clear markets at given output and spending, by Newton's method.

    With x = p^-theta, sales of i are x_i sum_j B_ij E_j / (sum_k A_kj x_k); prices have mean log zero with value-added
    weights. They are exact where no revenue moves spending, else close.
    """
    theta = float(world.trade_elasticity[0])
    paid = (world.flow.to_numpy() * (1.0 + world.tariff_rate.to_numpy()))[:, :, 0]
    spent, output = paid.sum(axis=0), world.flow.to_numpy()[:, :, 0].sum(axis=1)
    factor = (1.0 + shock.tariff_rate_cf.to_numpy()) * (1.0 - shock.purchase_subsidy_rate.to_numpy())
    kappa = (factor / (1.0 + world.tariff_rate.to_numpy()) * shock.iceberg_cost_hat.to_numpy())[:, :, 0]
    reach = np.where(shock.embargo.to_numpy()[:, :, 0], 0.0, paid / spent * kappa**-theta)
    weight = output / output.sum()
    logs: Numbers = np.zeros(len(output))
    for _ in range(steps):
        pull = reach * np.exp(logs)[:, None]
        share = pull / pull.sum(axis=0)
        sales = share / factor[:, :, 0] * spent
        excess = np.log(sales.sum(axis=1) / output)
        if np.max(np.abs(excess)) < 1e-13:
            break
        # A common factor of x moves nothing: the weights pin it down.
        slope = np.eye(len(output)) - sales / sales.sum(axis=1, keepdims=True) @ share.T + weight
        logs = logs - cast(Numbers, cast(Any, np.linalg).solve(slope, excess - excess @ weight))
    return np.exp(-(logs - logs @ weight) / theta)


CASES: Mapping[str, Callable[[Path | str | None], Cells]] = {
    "caliendo-parro-2015": _caliendo_parro,
    "liberation-day-2025": liberation_day_cells,
    "liberation-day-2025-ek": _liberation_day,
    "ossa-2014": ossa_cells,
    "gegravity-2006": _gegravity,
}
"""What can be replicated, by name."""
