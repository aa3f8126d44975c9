"""Published results of the two models beside the main one: tariffs of 2 April 2025, and trade wars with data.

The cells are compared with the printed ones by `counterpoise.report.replication`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World, WorldMeta
from counterpoise.data import load_world
from counterpoise.data.replication_data import LiberationDay, load_liberation_day, load_ossa
from counterpoise.model import ElasticLabour
from counterpoise.policy.published_search import searched_optimum, searched_war
from counterpoise.policy.tariffs import nash_tariffs, optimal_tariff
from counterpoise.solver.variants import (
    Economy,
    margin_economy,
    profits_economy,
    rebase_variant,
    solve_variant,
)

__all__ = [
    "LOCAL_SHARE",
    "liberation_day_cells",
    "liberation_day_economy",
    "liberation_day_world",
    "ossa_cells",
    "ossa_economy",
]

Numbers = NDArray[np.float64]
Cells = dict[tuple[str, str, str], float]

LOCAL_SHARE = (0.11434, 0.27047)
"""Share of spending that stays with distributors at home: of all countries, and of the United States. The paper solves
for the two so that world aggregates match."""

_INPUT_SHARE = 0.51
"""Inputs over what producers receive, in the paper's extension with round-about production."""

_LABOUR_ELASTICITY = 0.5

_AS_SEARCHED = "median tariff as searched, %"

_NOT_IN_EU_MEAN = ("CZE", "SVK")
"""Members that the printed mean over the European Union can only have left out: both of its numbers come out without
these two, and with no other choice of up to two members."""


def ossa_economy(sources: Path | str | None = None) -> Economy:
    """Return the 7 regions and 33 sectors of 2007, imbalances removed first as in the paper."""
    return rebase_variant(profits_economy(load_ossa(sources)))


def ossa_cells(sources: Path | str | None) -> Cells:
    """Tariff changes of the United States, optimal tariffs of each region, and their trade war.

    Medians of tariffs stand there twice: of the exact ones, and of those that the paper's search stops at.
    """
    economy = ossa_economy(sources)
    world = economy.world
    usa = world.countries.index("USA")
    cells: Cells = {}
    for name, sector in (("chemicals", "crp"), ("apparel", "wap")):
        shock = Shock.none(world).with_tariff(0.5, destination="USA", sector=sector, add=True)
        solution = solve_variant(economy, shock)
        wage = solution.values["wage_hat"]
        cells["table 2", name, "wage of USA over the mean, %"] = 100.0 * float(wage[usa] / wage.mean() - 1.0)
        cells["table 2", name, "welfare of USA, %"] = 100.0 * float(solution.values["welfare_hat"][usa] - 1.0)
    for country in world.countries:
        best = optimal_tariff(economy, country)
        cells["table 3a: optimal tariffs", country, "welfare, %"] = best.welfare_pct
        cells["table 3a: optimal tariffs", country, "median tariff, %"] = best.median_tariff_pct
        near = searched_optimum(economy, country)
        cells["table 3a: optimal tariffs", country, _AS_SEARCHED] = near.median_tariff_pct(country)
    war, searched = nash_tariffs(economy, certify=False), searched_war(economy)
    for country, welfare in war.welfare_pct.items():
        cells["table 4a: Nash tariffs", country, "welfare, %"] = welfare
        cells["table 4a: Nash tariffs", country, "median tariff, %"] = war.median_tariff_pct(country)
        cells["table 4a: Nash tariffs", country, _AS_SEARCHED] = searched.median_tariff_pct(country)
    return cells


def liberation_day_world(data: LiberationDay, *, value_added_share: float = 1.0) -> World:
    """Return the one-sector world of the paper, with the domestic sales that GDP leaves where margins stay at home.

    Parameters
    ----------
    value_added_share
        Domestic sales are this much larger where producers spend the rest on inputs.
    """
    local = np.where(np.array(data.countries) == "USA", LOCAL_SHARE[1], LOCAL_SHARE[0])
    imports = data.flow.sum(axis=0)
    transfer = (1.0 - local) * (imports - data.flow @ (1.0 - local))
    flow = data.flow + np.diag(np.maximum(data.gdp_usd + transfer - imports, 0.0) / value_added_share)
    return World.from_arrays(
        countries=data.countries,
        sectors=("goods and services",),
        flow=flow[:, :, None],
        trade_elasticity=4.0,
        scale_elasticity=0.67 / 4.0,
        meta=WorldMeta(name="Liberation Day 2023", trade_year=2023, gdp_year=2023, sources=("BACI 2023", "World Bank")),
    )


def liberation_day_economy(
    sources: Path | str | None = None, *, rebate: str = "income_tax_relief", inputs: bool = False
) -> Economy:
    """Return the model of the paper.

    Parameters
    ----------
    rebate
        What revenue does: ``"income_tax_relief"`` or ``"lump_sum"``.
    inputs
        With round-about production, the paper's extension.
    """
    return _economy(load_liberation_day(sources), rebate, inputs=inputs)


def _economy(data: LiberationDay, rebate: str = "income_tax_relief", *, inputs: bool = False) -> Economy:
    labour = ElasticLabour(_LABOUR_ELASTICITY, rebate="lump_sum" if rebate == "lump_sum" else "income_tax_relief")
    beta = 1.0 - _INPUT_SHARE if inputs else 1.0
    others, usa = LOCAL_SHARE
    world = liberation_day_world(data, value_added_share=beta)
    return margin_economy(world, {"USA": usa}, labour, default=others, value_added_share=beta)


def liberation_day_cells(sources: Path | str | None) -> Cells:
    """Tariffs of 2 April 2025 in the paper's main model, and the tariffs that would be best for the United States."""
    data = load_liberation_day(sources)
    relief = _economy(data)
    world = relief.world
    usa = world.countries.index("USA")
    rate = np.zeros(world.flow.shape)
    rate[:, usa, 0] = data.us_tariff_rate
    announced = Shock(world, tariff_rate_cf=rate, notes=("tariffs announced on 2 April 2025",))
    answered = rate.copy()
    answered[usa, :, 0] = data.us_tariff_rate
    retaliation = Shock(world, tariff_rate_cf=answered, notes=("the same, answered with the same rates",))
    main = solve_variant(relief, announced)
    cells: Cells = {}
    for table, solution, traded in (
        ("income-tax relief", main, True),
        ("lump-sum rebate", solve_variant(_economy(data, "lump_sum"), announced), True),
        ("uniform tariff 21.8 %", solve_variant(relief, _uniform(world, 0.218)), True),
        ("reciprocal retaliation", solve_variant(relief, retaliation), False),
    ):
        cells |= _american(table, solution, usa, traded=traded)
    cells |= _abroad("income-tax relief", main)
    bilateral, china = "bilateral deficit with China", "CHN"
    cells[bilateral, "USA", "base year, bn USD"] = world.gap_usd(china, "USA") / 1e9
    cells[bilateral, "USA", "announced tariffs, bn USD"] = main.gap_cf_usd(china, "USA") / 1e9
    better = solve_variant(relief, _uniform(world, 0.251))
    best = "best tariffs for USA"
    cells[best, "USA", "uniform 25.1 %, welfare, %"] = float(_pct(better.values["welfare_hat"])[usa])
    cells[best, "USA", "193 tariffs, welfare, %"] = optimal_tariff(relief, "USA").welfare_pct
    cells[best, "USA", "193 tariffs with inputs, welfare, %"] = optimal_tariff(
        _economy(data, inputs=True), "USA"
    ).welfare_pct
    return cells


def _uniform(world: World, rate: float) -> Shock:
    return Shock.none(world).with_tariff(rate, destination="USA", note=f"{100 * rate:g} % on all")


def _american(table: str, solution: Solution, usa: int, *, traded: bool) -> Cells:
    """Return what a table prints of the United States and of the rest of the world."""
    world, values = solution.world, solution.values
    welfare = _pct(values["welfare_hat"])
    others = np.arange(len(world.countries)) != usa
    deficit, deficit_cf = world.deficit.to_numpy(), solution.deficit_cf.to_numpy()
    gdp_hat = values["wage_hat"] * values["labour_hat"]
    columns = {
        "welfare, %": welfare[usa],
        "deficit, %": 100.0 * (deficit_cf[usa] - deficit[usa]) / abs(deficit[usa]),
        "employment, %": _pct(values["labour_hat"])[usa],
        "prices, %": _pct(values["consumer_price_hat"])[usa],
    }
    if traded:
        columns["exports over GDP, %"] = _pct((solution.exports_cf / world.exports).to_numpy() / gdp_hat)[usa]
        columns["imports over GDP, %"] = _pct((solution.imports_cf / world.imports).to_numpy() / gdp_hat)[usa]
    cells: Cells = {(table, "USA", column): float(value) for column, value in columns.items()}
    spending = world.expenditure.to_numpy()[:, 0]
    cells[table, "rest of world", "welfare, %"] = float(np.average(welfare[others], weights=spending[others]))
    return cells


def _abroad(table: str, solution: Solution) -> Cells:
    """Return welfare and deficits of single countries, and means over members of the European Union, by spending."""
    world = solution.world
    welfare, spending = _pct(solution.values["welfare_hat"]), world.expenditure.to_numpy()[:, 0]
    deficit = world.deficit.to_numpy()
    deficit_pct = 100.0 * (solution.deficit_cf.to_numpy() - deficit) / np.abs(deficit)
    members: dict[str, tuple[str, ...]] = {name: (name,) for name in ("CHN", "IND", "RUS", "VNM", "MEX")}
    members["EU"] = tuple(c for c in load_world().meta.members["EU27"] if c not in _NOT_IN_EU_MEAN)
    cells: Cells = {}
    for name, countries in members.items():
        at = [world.countries.index(country) for country in countries]
        cells[table, name, "welfare, %"] = float(np.average(welfare[at], weights=spending[at]))
        if name not in ("VNM", "MEX"):
            cells[table, name, "deficit, %"] = float(np.average(deficit_pct[at], weights=spending[at]))
    return cells


def _pct(hat: object) -> Numbers:
    """Return a ratio as a percentage change."""
    return 100.0 * (np.asarray(hat, dtype=np.float64) - 1.0)
