"""Customs trade in place of an input-output table's goods trade, and the balance of every region around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import UnbalancedError, raise_all
from counterpoise.data.builder.balance import RegionTable, balance_region
from counterpoise.data.builder.mapping import REST, Regions, Sectors
from counterpoise.data.builder.table_read import ROUNDING, Table
from counterpoise.data.trade_store import TradeStore

__all__ = ["Built", "CustomsTrade", "customs_trade", "put_in_place"]

Numbers = NDArray[np.float64]

_LEAST = 1e-6
"""Least prior of a cell that must carry something, as a share of what it must carry."""

_VALUE_ADDED_LEAST = 0.02
"""Least share of value added in a prior."""


_GROWTH_BOUND = 10.0
"""Most by which an exporter's growth in one sector may differ from that of all its goods, where it fills a flow."""


@dataclass(frozen=True, slots=True)
class CustomsTrade:
    """Goods trade of a year between the countries of a table.

    Attributes
    ----------
    flow
        (N, N, S) on (origin, destination, sector), USD; NaN where the importer does not report, and in services.
    year, source
        Of the trade.
    notes
        What is missing.
    unmapped
        USD by HS chapter of codes in no sector.
    """

    flow: Numbers
    year: int
    source: str
    notes: tuple[str, ...]
    unmapped: Mapping[str, float]


def customs_trade(
    store: TradeStore,
    table: Table,
    kind: Sectors,
    place: Regions,
    year: int | None,
) -> CustomsTrade:
    """Add a year of the store up to the countries of a table and the sectors of a world, and fill what is missing.

    Notes
    -----
    A country that the table does not list belongs to the member of its region that is listed first, else to the rest of
    the world. Where an importer does not report, its imports are the table's, times the growth of the same exporter and
    sector to all importers that do (of the exporter's goods where the sector is new); the note says which.
    """
    countries = table.countries
    information = store.at(year)
    home = _homes(information.countries, countries, place)
    sector_of: dict[str, str] = {}
    for code in store.codes(year=year):
        target = next((kind.hs[code[:n]] for n in (6, 4, 2) if code[:n] in kind.hs), None)
        if target is not None:
            sector_of[code] = target
    lines = store.aggregate(home, sector_of, year=year)
    names = tuple(kind.names)
    goods = np.array([s in set(kind.hs.values()) for s in names])
    n = len(countries)
    flow = np.zeros((n, n, len(names)))
    axes = (("origin", countries), ("destination", countries), ("product", names))
    at = [lines[column].map({x: k for k, x in enumerate(known)}).to_numpy() for column, known in axes]
    flow[tuple(at)] = lines["value_usd"].to_numpy(float)
    flow[:, :, ~goods] = np.nan
    reporting = {home[c] for c in information.importers if c in home}
    missing = [k for k, c in enumerate(countries) if c not in reporting]
    own = to_sectors(table.intermediate.sum(axis=3) + np.maximum(table.final, 0.0), table.industries, kind)
    own = np.where(np.eye(n, dtype=bool)[:, :, None], 0.0, own)
    there = np.ones(n, dtype=bool)
    there[missing] = False
    sold, before = np.nan_to_num(flow[:, there]).sum(axis=1), own[:, there].sum(axis=1)
    overall: Numbers = sold[:, goods].sum(axis=1) / np.maximum(before[:, goods].sum(axis=1), 1e-300)
    ratio: Numbers = np.where(before > 0, sold / np.where(before > 0, before, 1.0), overall[:, None])
    growth = np.minimum(np.maximum(ratio, overall[:, None] / _GROWTH_BOUND), overall[:, None] * _GROWTH_BOUND)
    for k in missing:
        flow[:, k, goods] = own[:, k][:, goods] * growth[:, goods]
        flow[k, k, goods] = 0.0
    notes = [f"Goods trade between countries: {information.title}, {information.year}."]
    if missing:
        notes.append(
            f"{', '.join(countries[k] for k in missing)} do not report imports in {information.year}: the table's "
            "flows times the growth of the same exporter's other sales of the sector."
        )
    lost = sorted({c for c in information.countries if c not in home})
    if lost:
        notes.append(f"Not in the table, which has no rest of the world, and left out: {', '.join(lost)}.")
    return CustomsTrade(flow, information.year, _source(store, year), tuple(notes), _unmapped(store, sector_of, year))


def _homes(traders: Sequence[str], countries: Sequence[str], place: Regions) -> dict[str, str]:
    first: dict[str, str] = {}
    for country in countries:
        first.setdefault(place.of[country], country)
    out: dict[str, str] = {}
    for code in traders:
        target = code if code in countries else first.get(place.of.get(code, ""), REST if REST in countries else "")
        if target:
            out[code] = target
    return out


def _source(store: TradeStore, year: int | None) -> str:
    information = store.at(year)
    digest = information.manifest.get("source", {}).get("sha256", "read in place")
    return f"{information.title} ({information.vintage}; {information.licence}); sha256 {digest}"


def _unmapped(store: TradeStore, sector_of: Mapping[str, str], year: int | None) -> dict[str, float]:
    """Return the value of codes in no sector, by chapter, USD; largest first."""
    world = store.exports_by_product(year=year).groupby("hs")["value_usd"].sum()
    out: dict[str, float] = {}
    for code, value in world.items():
        if str(code) not in sector_of:
            out[str(code)[:2]] = out.get(str(code)[:2], 0.0) + float(value)
    return dict(sorted(out.items(), key=lambda item: -item[1]))


def to_sectors(sales: Numbers, industries: Sequence[str], kind: Sectors) -> Numbers:
    """Add (N, K, M) sales of industries to (N, M, S) sales of sectors."""
    return np.einsum("ikj,ks->ijs", sales, _matrix(industries, kind.of, tuple(kind.names)))


def _matrix(labels: Sequence[str], of: Mapping[str, str], targets: Sequence[str]) -> Numbers:
    out = np.zeros((len(labels), len(targets)))
    for k, label in enumerate(labels):
        out[k, list(targets).index(of[label])] = 1.0
    return out


@dataclass(frozen=True, slots=True)
class Built:
    """The arrays of a world: flow (N, N, S) USD, inputs (N, S, S) per unit of output, and what was moved."""

    flow: Numbers
    inputs: Numbers
    adjustments: pd.DataFrame


def put_in_place(
    table: Table,
    place: Regions,
    kind: Sectors,
    customs: CustomsTrade | None,
    rates: Numbers,
    gdp: Mapping[str, float] | None,
) -> Built:
    """Map a table to regions and sectors, put customs trade in place of its goods trade, and balance every region.

    Parameters
    ----------
    table
        The table; its negative cells of final use become zero.
    rates
        Tariffs of the world, which its users pay on top of customs values.
    gdp
        Value added by region, USD; the table's by default.

    Raises
    ------
    UnbalancedError
        If a region cannot be balanced: the sectors are named.

    Notes
    -----
    Without customs trade, tariffs and GDP the table is only added up. With them the prior of a region has the table's
    sales at home, its inputs per unit of output at the output that sales at home and the new exports make, and its
    final use, all times the growth of GDP; `balance_region` finds the nearest table in cross entropy. Services trade
    grows with the root of the product of both regions' growth.
    """
    names, sectors = tuple(place.names), tuple(kind.names)
    r = len(names)
    to_region = _matrix(table.countries, place.of, names)
    to_sector = _matrix(table.industries, kind.of, sectors)
    final = np.maximum(table.final, 0.0)
    inner = np.einsum("ikju,ks->isju", table.intermediate, to_sector)
    inner = np.einsum("isju,ut->isjt", inner, to_sector)
    inner = np.einsum("isjt,ip->psjt", inner, to_region)
    inner = np.einsum("psjt,jq->psqt", inner, to_region)
    outer = np.einsum("ikj,ks,ip,jq->psq", final, to_sector, to_region, to_region, optimize=True)
    flow = (inner.sum(axis=3) + outer).transpose(0, 2, 1).copy()
    used = inner.sum(axis=0).transpose(1, 0, 2)
    bought = outer.sum(axis=0).T
    output = flow.sum(axis=1)
    value_added = output - used.sum(axis=1)
    problems = [
        f"{names[i]} {sectors[k]}: sales {output[i, k]:.6g} are less than inputs {used[i, :, k].sum():.6g}"
        for i, k in np.argwhere(value_added < -ROUNDING * output.sum(axis=1, keepdims=True))
    ]
    raise_all(UnbalancedError, "the table does not balance once mapped; correct these sectors", problems)
    if customs is None and not rates.any() and gdp is None:
        inputs = used / np.where(output > 0, output, 1.0)[:, None, :]
        inputs = inputs / np.maximum(inputs.sum(axis=1, keepdims=True), 1.0)
        return Built(flow, inputs, _cut(names, sectors, output, used))
    growth = np.ones(r)
    if gdp is not None:
        growth = np.array([gdp[name] for name in names]) / value_added.sum(axis=1)
    trade = _trade(flow, customs, to_region, growth, gdp is None)
    exports, imports = trade.sum(axis=1), (trade * (1 + rates)).sum(axis=0)
    home = np.einsum("iis->is", flow) * growth[:, None]
    cost: Numbers = used / np.where(output > 0, output, 1.0)[:, None, :]
    mean: Numbers = used.sum(axis=0) / np.maximum(output.sum(axis=0), 1e-300)
    cost = np.where((output > 0)[:, None, :], cost, mean[None])
    most = (1 - _VALUE_ADDED_LEAST) / np.maximum(cost.sum(axis=1, keepdims=True), 1e-300)
    cost = cost * np.minimum(1.0, most)
    total = value_added.sum(axis=1) * growth
    tables: list[RegionTable] = []
    parts: list[pd.DataFrame] = []
    failures: list[str] = []
    for i, name in enumerate(names):
        prior = _prior(home[i], cost[i], bought[i] * growth[i], exports[i], imports[i])
        try:
            tables.append(balance_region(prior, exports[i], imports[i], float(total[i]), sectors, name))
        except UnbalancedError as error:
            failures += error.problems
            continue
        parts.append(_moves(name, prior, tables[-1], sectors))
    raise_all(UnbalancedError, "the world cannot be balanced", failures)
    out = trade.copy()
    out[np.arange(r), np.arange(r)] = np.array([t.domestic for t in tables])
    made = [t.intermediate.sum(axis=0) + t.value_added for t in tables]
    inputs = np.array([t.intermediate / np.where(m > 0, m, 1.0) for t, m in zip(tables, made, strict=True)])
    parts.append(_traded(names, sectors, flow, out))
    return Built(out, inputs, pd.concat(parts, ignore_index=True))


def _trade(flow: Numbers, customs: CustomsTrade | None, to_region: Numbers, growth: Numbers, at_level: bool) -> Numbers:
    """Return trade between regions: customs where it is known, else the table's, grown; nothing on the diagonal."""
    r = len(flow)
    apart = ~np.eye(r, dtype=bool)[:, :, None]
    own = np.where(apart, flow, 0.0)
    grown: Numbers = own * np.sqrt(np.multiply.outer(growth, growth))[:, :, None]
    if customs is None:
        return grown
    goods = ~np.isnan(customs.flow).all(axis=(0, 1))
    new: Numbers = np.einsum("ijs,ip,jq->pqs", np.nan_to_num(customs.flow), to_region, to_region, optimize=True)
    new = np.where(apart, new, 0.0)
    level = float(own[:, :, goods].sum() / max(float(new[:, :, goods].sum()), 1e-300)) if at_level else 1.0
    return np.where(goods, new * level, grown)


def _prior(home: Numbers, cost: Numbers, final: Numbers, exports: Numbers, imports: Numbers) -> RegionTable:
    """Return the prior of a region; a sector that must sell or be used gets at least a trace where it had nothing."""
    domestic = np.maximum(home, _LEAST * (exports + imports))
    made = domestic + exports
    # What is neither made at home nor imported cannot be used.
    there = domestic + imports > 0
    inputs = np.where(there[:, None], cost, 0.0) * made
    used = np.where(there, np.maximum(final, _LEAST * imports), 0.0)
    return RegionTable(domestic, inputs, made - inputs.sum(axis=0), used)


def _cut(names: Sequence[str], sectors: Sequence[str], output: Numbers, used: Numbers) -> pd.DataFrame:
    """Return the inputs that exceeded sales, within rounding, and were cut to them."""
    inputs = used.sum(axis=1)
    i, k = np.nonzero(inputs > output)
    return pd.DataFrame(
        {
            "what": "inputs above sales cut to them",
            "region": np.array(names, dtype=object)[i],
            "partner": "",
            "sector": np.array(sectors, dtype=object)[k],
            "before_usd": inputs[i, k],
            "after_usd": output[i, k],
        }
    )


def _moves(region: str, prior: RegionTable, after: RegionTable, sectors: Sequence[str]) -> pd.DataFrame:
    """Return the cells that balancing moved by more than a thousand USD."""
    s = len(sectors)
    what = np.repeat(["sales at home", "inputs", "value added", "final use"], [s, s * s, s, s])
    names = np.array(sectors)
    frame = pd.DataFrame(
        {
            "what": np.char.add("balanced: ", what.astype(str)),
            "region": region,
            "partner": np.concatenate([np.full(s, ""), np.tile(names, s), np.full(2 * s, "")]),
            "sector": np.concatenate([names, np.repeat(names, s), names, names]),
            "before_usd": np.round(prior.flat(), -3),
            "after_usd": np.round(after.flat(), -3),
        }
    )
    return frame[frame["before_usd"] != frame["after_usd"]]


def _traded(names: Sequence[str], sectors: Sequence[str], before: Numbers, after: Numbers) -> pd.DataFrame:
    """Return the flows between regions that customs trade replaced."""
    apart = ~np.eye(len(names), dtype=bool)[:, :, None]
    i, j, k = np.nonzero(apart & (np.abs(after - before) > 1e3))
    return pd.DataFrame(
        {
            "what": "trade between regions",
            "region": np.array(names)[i],
            "partner": np.array(names)[j],
            "sector": np.array(sectors)[k],
            "before_usd": np.round(before[i, j, k], -3),
            "after_usd": np.round(after[i, j, k], -3),
        }
    )
