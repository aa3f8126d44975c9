"""Structure: WIOD 2011 mapped to regions and blocks, blocks split into sectors, all at the target year's GDP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.builder.balance import RegionTable
from counterpoise.data.concordance import read_table, region_members, regions, sectors, service_sectors, wiod_block
from counterpoise.data.wiod import Wiod

__all__ = [
    "BlockTable",
    "block_tables",
    "blocks",
    "entity_weights",
    "output_anchors",
    "services_trade",
    "split_region",
    "split_weights",
]

VALUE_ADDED_KEPT = 0.5
"""Least part of a sector's share of value added that is left when its users' purchases are scaled to stated output."""

DOMESTIC_FLOOR = 0.05
"""Least share of the use of ores and minerals that is bought at home."""

MARGIN_INDUSTRIES = ("c19", "c20", "c21", "c23")
"""Wholesale, retail and inland transport: their exports in WIOD are the margin on goods, which FOB values contain."""

ANCHOR_FLOOR = 0.005
"""Least domestic sales of a sector with an output anchor, as a share of its use."""

TRADE_BLEND = 0.5
"""Weight of the target year's trade, against ``splits.csv``, where the table says that a division follows trade."""

GAS_PER_COAL = 2.0
"""Cost of gas over cost of coal for the same electricity (about 60 against 30 USD per MWh of fuel)."""

GAS_DISTRIBUTION = 0.15
"""Gas that utilities buy to distribute rather than to burn, in units of the electricity shares."""


@dataclass(frozen=True, slots=True)
class BlockTable:
    """Structure of one region by block, as a multiple of its value added; B blocks.

    Attributes
    ----------
    output, domestic, final
        (B,) gross output, sales at home (with all sales of `MARGIN_INDUSTRIES`), final use of home and foreign goods.
    intermediate
        (B, B) on (block, using block), home and foreign inputs together.
    """

    output: np.ndarray
    domestic: np.ndarray
    final: np.ndarray
    intermediate: np.ndarray


def blocks() -> tuple[str, ...]:
    """Return the blocks in the order of the sectors: unsplit sectors, and parents at the place of their first child."""
    parent = _parents()
    return tuple(dict.fromkeys(parent.get(sector, sector) for sector in sectors()))


def block_tables(wiod: Wiod) -> dict[str, BlockTable]:
    """Map: aggregate WIOD to blocks and to regions.

    A region whose members are in WIOD is the sum of them, with trade among them as domestic sales. The others take a
    weighted mean of the structures of the donors in ``structure_donors.csv``.

    Raises
    ------
    DataError
        If donor weights of a region do not sum to one or a donor is unknown.
    """
    names = blocks()
    place = {name: k for k, name in enumerate(names)}
    to_block = np.zeros((len(wiod.industries), len(names)))
    for k, industry in enumerate(wiod.industries):
        to_block[k, place[wiod_block(industry)]] = 1.0
    inputs = np.einsum("ikjl,kb,lc->ijbc", wiod.intermediate, to_block, to_block, optimize=True)
    final = np.einsum("ikj,kb->ijb", wiod.final, to_block)
    is_margin = np.isin(wiod.industries, MARGIN_INDUSTRIES)
    sales = (wiod.intermediate[:, is_margin].sum(axis=3) + wiod.final[:, is_margin]) * (
        1.0 - np.eye(len(wiod.entities))
    )[:, None]
    margins = sales.sum(axis=2) @ to_block[is_margin]
    entity = {name: k for k, name in enumerate(wiod.entities)}
    donors: dict[str, dict[str, float]] = {}
    for row in read_table("structure_donors"):
        donors.setdefault(row["region"], {})[row["donor"]] = float(row["weight"])
    problems = [
        f"weights of {r} sum to {sum(w.values()):g}, expected 1"
        for r, w in donors.items()
        if abs(sum(w.values()) - 1) > 1e-9
    ]
    problems += [f"{d}, donor of {r}, is not in WIOD" for r, w in donors.items() for d in w if d not in entity]
    raise_all(DataError, "structure_donors.csv cannot be used", problems)

    def of_members(codes: list[str]) -> BlockTable:
        at = [entity[code] for code in codes]
        z, f = inputs[np.ix_(at, at)].sum(axis=(0, 1)), final[np.ix_(at, at)].sum(axis=(0, 1))
        used, consumed = inputs[:, at].sum(axis=(0, 1)), final[:, at].sum(axis=(0, 1))
        made = inputs[at].sum(axis=(0, 1, 3)) + final[at].sum(axis=(0, 1))
        at_home = z.sum(axis=1) + f + margins[at].sum(axis=0)
        value_added = made.sum() - used.sum()
        return BlockTable(made / value_added, at_home / value_added, consumed / value_added, used / value_added)

    out: dict[str, BlockTable] = {}
    for region, members in region_members().items():
        if region in donors:
            parts = [(weight, of_members([donor])) for donor, weight in donors[region].items()]
            out[region] = BlockTable(
                *(
                    sum(w * getattr(t, name) for w, t in parts)
                    for name in ("output", "domestic", "final", "intermediate")
                )  # pyright: ignore[reportArgumentType]
            )
        else:
            out[region] = of_members([code for code in members if code in entity])
    return out


def split_weights(region: str, traded: np.ndarray) -> np.ndarray:
    """Return how a region's use of each block divides into sectors, (S, S + 1) on (sector, user), final demand last.

    ``splits.csv`` states the division for every user; where it says ``trade``, it is averaged with the sectors' parts
    in the region's trade (`TRADE_BLEND`). What utilities burn follows the electricity mix of ``fuel_mix.csv``.

    Parameters
    ----------
    traded
        (S,) exports plus imports of the target year, USD.
    """
    users = (*sectors(), "final")
    index = {sector: k for k, sector in enumerate(sectors())}
    table: dict[tuple[str, str], dict[str, float]] = {}
    blended: set[tuple[str, str]] = set()
    for row in read_table("splits"):
        key = (row["block"], row["user"])
        table.setdefault(key, {})[row["sector"]] = float(row["weight"])
        if row["follows"] == "trade":
            blended.add(key)
    for key in sorted(blended):
        total = sum(traded[index[sector]] for sector in table[key])
        table[key] = {x: (1 - TRADE_BLEND) * w + TRADE_BLEND * traded[index[x]] / total for x, w in table[key].items()}
    mix = next(row for row in read_table("fuel_mix") if row["region"] == region)
    gas = GAS_PER_COAL * float(mix["gas_electricity_share"]) + GAS_DISTRIBUTION
    coal = float(mix["coal_electricity_share"])
    table["extraction", "utilities"] = {"crude_oil_gas": gas / (gas + coal), "coal": coal / (gas + coal), "mining": 0.0}
    parent = _parents()
    weights = np.ones((len(sectors()), len(users)))
    for k, sector in enumerate(sectors()):
        if sector in parent:
            block = parent[sector]
            weights[k] = [table.get((block, user), table[block, "*"])[sector] for user in users]
    return weights


def _parents() -> dict[str, str]:
    return {row["sector"]: row["block"] for row in read_table("splits")}


def output_anchors(region: str) -> np.ndarray:
    """Return the gross output that ``output_anchors.csv`` states for a region, (S,), USD; NaN where it states none."""
    anchors = np.full(len(sectors()), np.nan)
    for row in read_table("output_anchors"):
        if row["region"] == region:
            anchors[sectors().index(row["sector"])] = 1e9 * float(row["output_usd_bn"])
    return anchors


def split_region(region: str, table: BlockTable, gdp: float, exports: np.ndarray, imports: np.ndarray) -> RegionTable:
    """Split: the prior of one region by sector, USD at the target year's GDP.

    Parameters
    ----------
    table
        Structure by block.
    gdp
        Value added of the target year, USD.
    exports, imports
        (S,) trade of the target year, USD.

    Notes
    -----
    Sectors of one block share its cost structure, and each user divides its purchases among them by `split_weights`.
    Sales at home: unsplit sectors keep those of the structure; the children of chemistry and manufactures divide
    those of their parent in proportion to use; ores and minerals take what is used less what is imported, at least
    `DOMESTIC_FLOOR` of use; coal, oil and gas, and refined oil take their stated output less exports, at least
    `ANCHOR_FLOOR` of use, and their users' purchases are scaled to what is there. Output is sales at home plus the
    exports of the target year, and inputs and value added follow it. Sales of a sector and the uses of its users
    depend on each other: a few passes settle them.
    """
    place = {name: k for k, name in enumerate(blocks())}
    parent = _parents()
    block_of = np.array([place[parent.get(sector, sector)] for sector in sectors()])
    proportional = np.array([parent.get(sector) in ("chemistry", "manufactures") for sector in sectors()])
    residual = np.array([parent.get(sector) == "extraction" for sector in sectors()])
    anchor = output_anchors(region)
    anchored = ~np.isnan(anchor)
    weights = split_weights(region, exports + imports)
    inputs = table.intermediate[block_of][:, block_of] / np.maximum(table.output[block_of], 1e-300) * weights[:, :-1]
    most = 1.0 - VALUE_ADDED_KEPT * np.maximum(1.0 - inputs.sum(axis=0), 0.02)
    final = gdp * table.final[block_of] * weights[:, -1]
    parent_sales = gdp * table.domestic[block_of]
    domestic = parent_sales / np.bincount(block_of)[block_of]
    for _ in range(25):
        use = inputs @ (domestic + exports) + final
        together = np.bincount(block_of, weights=use)[block_of]
        domestic = np.where(proportional, parent_sales * use / together, domestic)
        domestic = np.where(residual, np.maximum(use - imports, DOMESTIC_FLOOR * use), domestic)
        domestic = np.where(anchored, np.maximum(anchor - exports, ANCHOR_FLOOR * (use + exports)), domestic)
        scale = np.where(anchored, (domestic + imports) / np.maximum(use, 1e-300), 1.0)
        inputs, final = inputs * scale[:, None], final * scale
        inputs *= np.minimum(1.0, most / np.maximum(inputs.sum(axis=0), 1e-300))
    output = domestic + exports
    return RegionTable(domestic, inputs * output, (1.0 - inputs.sum(axis=0)) * output, final)


def entity_weights(wiod: Wiod, country_gdp: dict[str, float], goods_trade: np.ndarray) -> np.ndarray:
    """Return how much of each WIOD entity belongs to each region, (41, N), rows sum to one.

    A country belongs to its region. The rest of the world is divided among the regions by what is not in WIOD by
    itself: half by its GDP, half by its goods trade.

    Parameters
    ----------
    country_gdp
        USD by ISO3.
    goods_trade
        (N,) exports plus imports of goods by region, USD.
    """
    members = region_members()
    n = len(regions())
    weights = np.zeros((len(wiod.entities), n))
    listed, total = np.zeros(n), np.zeros(n)
    for j, region in enumerate(regions()):
        for code in members[region]:
            total[j] += country_gdp.get(code, 0.0)
            if code in wiod.entities:
                listed[j] += country_gdp.get(code, 0.0)
                weights[wiod.entities.index(code), j] = 1.0
    rest = 1.0 - listed / total
    by_gdp, by_trade = total * rest, goods_trade * rest
    weights[wiod.entities.index("ROW")] = 0.5 * by_gdp / by_gdp.sum() + 0.5 * by_trade / by_trade.sum()
    return weights


def services_trade(wiod: Wiod, weights: np.ndarray, gdp: np.ndarray) -> np.ndarray:
    """Return services trade between regions of the target year, (N, N, S), USD; goods and utilities are zero.

    Notes
    -----
    `MARGIN_INDUSTRIES` are left out: FOB values contain them. The other flows of 2011 grow with the square root of
    the product of the two regions' growth of GDP. What the rest of the world sells to itself is not known by country:
    its parts are taken to trade with each other in proportion to what it sells to and buys from everybody else.
    Utilities are left to electricity, HS 2716, in the goods data.
    """
    kept = [name for name in service_sectors() if name != "utilities"]
    flows = np.zeros((len(wiod.entities), len(wiod.entities), len(sectors())))
    for k, industry in enumerate(wiod.industries):
        if wiod_block(industry) in kept and industry not in MARGIN_INDUSTRIES:
            flows[:, :, sectors().index(wiod_block(industry))] += wiod.intermediate[:, k].sum(axis=2) + wiod.final[:, k]
    value_added = (wiod.output - wiod.intermediate.sum(axis=(0, 1))).sum(axis=1)
    growth = gdp / (value_added @ weights)
    rest = wiod.entities.index("ROW")
    foreign = flows * (1.0 - np.eye(len(wiod.entities)))[:, :, None]
    sold, bought = foreign[rest].sum(axis=0), foreign[:, rest].sum(axis=0)
    inside = sold * bought / np.maximum(foreign.sum(axis=(0, 1)) - sold - bought, 1e-300)
    foreign[rest, rest] = inside
    spread = np.einsum("ei,efs,fj->ijs", weights, foreign, weights, optimize=True)
    scaled = spread * np.sqrt(np.multiply.outer(growth, growth))[:, :, None]
    scaled[np.arange(len(gdp)), np.arange(len(gdp))] = 0.0
    return scaled
