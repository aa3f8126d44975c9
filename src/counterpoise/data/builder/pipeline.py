"""The world builder: map, split, fill, balance, check, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError, InputError, UnbalancedError, did_you_mean, raise_all
from counterpoise.core.world import World, WorldMeta
from counterpoise.data.baci import load_headings
from counterpoise.data.builder.balance import RegionTable, balance_region
from counterpoise.data.builder.card import data_card
from counterpoise.data.builder.structure import block_tables, entity_weights, services_trade, split_region
from counterpoise.data.builder.tables import markets_table, pairs_table, products_table
from counterpoise.data.builder.tariffs import baseline_tariffs, read_tariffs
from counterpoise.data.builder.trade import Trade, assemble_trade
from counterpoise.data.concordance import (
    goods_sectors,
    hs_gtap,
    hs_sector,
    region_members,
    region_names,
    regions,
    sector_names,
    sectors,
)
from counterpoise.data.elasticities import ELASTICITY_SETS, derive_elasticities
from counterpoise.data.facts import load_crude, load_years
from counterpoise.data.gdp import load_gdp, region_gdp
from counterpoise.data.sources import FILES, locate_sources
from counterpoise.data.store import write_table
from counterpoise.data.wiod import load_wiod

__all__ = ["STEPS", "BuildResult", "build_world", "goods_flows", "line_problems"]

STEPS = ("map structure", "fill goods trade", "split sectors", "balance regions", "check", "detail tables", "write")
"""What `build_world` reports to ``progress``, in this order."""

FLOW_GRID_USD = 1e3
"""Domestic sales and services trade are rounded up to this."""

COEFFICIENT_GRID = 1e-8
"""Input coefficients are rounded down to this."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build made.

    Attributes
    ----------
    world
        The balanced world; ``world.check()`` is empty.
    tables
        Detail tables by name, see `counterpoise.data.store.TABLES`.
    adjustments
        Every cell that balancing moved: region, variable, sector, using_sector, before_usd, after_usd; largest first.
    card
        The data card, Markdown.
    digests
        SHA-256 of each raw file that was read, by name.
    written
        Paths written; empty when no folder was given.
    """

    world: World
    tables: dict[str, pd.DataFrame]
    adjustments: pd.DataFrame
    card: str
    digests: dict[str, str]
    written: tuple[Path, ...]

    def __repr__(self) -> str:
        """Say what was built in a few lines."""
        moved = float((self.adjustments["after_usd"] - self.adjustments["before_usd"]).abs().sum()) / 1e12
        cells = f"  balancing moved {moved:.2f} tn USD in {len(self.adjustments)} cells"
        return "\n".join([repr(self.world), cells, f"  written: {len(self.written)} files"])


def build_world(
    sources: Path | str | None = None,
    out: Path | str | None = None,
    *,
    tariffs: Path | str | None = None,
    elasticities: str = "fgo",
    name: str = "embedded2024",
    progress: Progress | None = None,
) -> BuildResult:
    """Build the world of trade year 2024 and GDP year 2023 from public sources.

    Parameters
    ----------
    sources
        Folder of the raw files, see `locate_sources`.
    out
        Folder to write to: ``<name>.parquet``, the detail tables, ``adjustments.parquet`` and ``data-card.md``.
        Nothing is written when it is None, nor when anything fails.
    tariffs
        CSV file (origin, destination, sector, tariff_rate) whose cells replace the baseline.
    elasticities
        Name of a set in `ELASTICITY_SETS`.
    name
        Name of the world and of its file.
    progress
        Called as ``progress(step, k, count)`` when step k of `STEPS` begins.

    Raises
    ------
    SourceMissingError
        If raw files are missing.
    DataError, UnbalancedError
        If a source is malformed or no balanced table exists; every offending cell is named.
    """
    if elasticities not in ELASTICITY_SETS:
        known = ", ".join(ELASTICITY_SETS)
        raise InputError(
            f"unknown elasticity set '{elasticities}'{did_you_mean(elasticities, ELASTICITY_SETS)} Known: {known}"
        )

    def tell(step: str) -> None:
        if progress is not None:
            progress(step, STEPS.index(step) + 1, len(STEPS))

    raw = locate_sources(sources)
    tell("map structure")
    country_gdp = load_gdp(raw)
    gdp_of = {str(code): float(value) for code, value in country_gdp.items()}
    gdp = region_gdp(country_gdp).to_numpy()
    wiod = load_wiod(raw)
    structure = block_tables(wiod)
    rates = baseline_tariffs(raw)
    if tariffs is not None:
        rates = read_tariffs(Path(tariffs), rates)
    tell("fill goods trade")
    trade = assemble_trade(raw)
    raise_all(DataError, "goods trade cannot be used", line_problems(trade.lines))
    flow = goods_flows(trade.lines)
    weights = entity_weights(wiod, gdp_of, flow.sum(axis=(1, 2)) + flow.sum(axis=(0, 2)))
    flow = flow + services_trade(wiod, weights, gdp)
    tell("split sectors")
    exports, imports = flow.sum(axis=1), (flow * (1 + rates)).sum(axis=0)
    priors = [split_region(r, structure[r], gdp[k], exports[k], imports[k]) for k, r in enumerate(regions())]
    tell("balance regions")
    balanced = _balance_all(priors, exports, imports, gdp)
    tell("check")
    theta = derive_elasticities(raw, _gtap_trade(trade.lines))
    digests = {key: raw.digest(key) for key in FILES}
    world = _assemble(name, flow, rates, balanced, _absent(trade, flow), theta, elasticities, digests)
    world.require_balanced(1e-12)
    adjustments = _adjustments(priors, balanced)
    tell("detail tables")
    tables = {
        "products": products_table(trade),
        "markets": markets_table(trade),
        "pairs": pairs_table(trade),
        "years": load_years(raw),
        "crude": load_crude(raw),
        "elasticities": theta,
        "headings": load_headings(raw),
        "episodes": trade.episodes,
    }
    card = data_card(world, trade, adjustments, theta, gdp_of, digests, custom_tariffs=tariffs is not None)
    tell("write")
    written = () if out is None else _write(Path(out), name, world, tables, adjustments, card)
    return BuildResult(world, tables, adjustments, card, digests, written)


def line_problems(lines: pd.DataFrame) -> list[str]:
    """List what is wrong with a table of goods lines (origin, destination, hs6, source, value_usd)."""
    known = set(regions())
    value = pd.to_numeric(lines["value_usd"], errors="coerce")
    tests = (
        (value.isna(), "is not a number"),
        (value < 0, "is negative; expected 0 or more"),
        (~lines["origin"].isin(known) | ~lines["destination"].isin(known), "has an unknown region"),
        (lines["origin"] == lines["destination"], "is a region's trade with itself; it belongs to domestic sales"),
        (lines.duplicated(["origin", "destination", "hs6", "source"], keep=False), "is given more than once"),
    )
    return [
        f"{r.origin} -> {r.destination}, HS {r.hs6}: {r.value_usd} {words}"
        for bad, words in tests
        for r in lines[bad].itertuples()
    ]


def goods_flows(lines: pd.DataFrame) -> np.ndarray:
    """Return goods trade by origin, destination and sector, (N, N, S), USD.

    US imports of chapters 98 (returned and special goods) and 99 (low value) have no product; they are spread over the
    sectors of their origin's other goods, so that the total of the pair is kept.
    """
    codes = sorted(lines["hs6"].unique())
    sector = dict(zip(codes, map(hs_sector, codes), strict=True))
    special = lines["hs6"].str[:2].isin(["98", "99"])
    place = {region: k for k, region in enumerate(regions())}
    index = (lines["origin"].map(place), lines["destination"].map(place), lines["hs6"].map(sector).map(sectors().index))
    i, j, s = (column.to_numpy() for column in index)
    value, plain = lines["value_usd"].to_numpy(dtype=np.float64), ~special.to_numpy()
    flow = np.zeros((len(place), len(place), len(sectors())))
    np.add.at(flow, (i[plain], j[plain], s[plain]), value[plain])
    unplaced = np.zeros(flow.shape[:2])
    np.add.at(unplaced, (i[~plain], j[~plain]), value[~plain])
    total = flow.sum(axis=2)
    return flow * (1.0 + unplaced / np.maximum(total, 1e-300))[:, :, None]


def _gtap_trade(lines: pd.DataFrame) -> dict[tuple[str, str], float]:
    by_code = lines.groupby("hs6")["value_usd"].sum()
    out: dict[tuple[str, str], float] = {}
    for code, value in by_code.items():
        key = (hs_sector(str(code)), hs_gtap(str(code)))
        out[key] = out.get(key, 0.0) + float(value)
    return out


def _balance_all(
    priors: list[RegionTable], exports: np.ndarray, imports: np.ndarray, gdp: np.ndarray
) -> list[RegionTable]:
    """Balance every region; report the failures of all regions at once."""
    out: list[RegionTable] = []
    problems: list[str] = []
    for k, region in enumerate(regions()):
        try:
            out.append(balance_region(priors[k], exports[k], imports[k], gdp[k], sectors(), region))
        except UnbalancedError as error:
            problems += error.problems
    raise_all(UnbalancedError, "the world cannot be balanced", problems)
    return out


def _absent(trade: Trade, flow: np.ndarray) -> np.ndarray:
    """Mark goods cells that are zero in pairs where reports are missing: their product detail is not known."""
    place = {region: k for k, region in enumerate(regions())}
    pairs = trade.lines.loc[trade.lines["source"] == "restored", ["origin", "destination"]].drop_duplicates()
    doubtful = np.zeros(flow.shape[:2], dtype=bool)
    doubtful[pairs["origin"].map(place).to_numpy(), pairs["destination"].map(place).to_numpy()] = True
    goods = np.isin(sectors(), goods_sectors())
    return doubtful[:, :, None] & (flow == 0) & goods & ~np.eye(len(place), dtype=bool)[:, :, None]


def _assemble(
    name: str,
    flow: np.ndarray,
    rates: np.ndarray,
    balanced: list[RegionTable],
    absent: np.ndarray,
    theta: pd.DataFrame,
    elasticities: str,
    digests: dict[str, str],
) -> World:
    """Put the balanced tables together.

    What comes out of linear algebra is put on a grid (`FLOW_GRID_USD`, `COEFFICIENT_GRID`), so that the last digits of
    a processor do not show; value added and final demand, the residuals of the identities, close them exactly.
    """
    n = len(regions())
    flow = flow.copy()
    flow[np.arange(n), np.arange(n)] = np.array([table.domestic for table in balanced])
    on_grid = np.isin(sectors(), goods_sectors())[None, None, :] & ~np.eye(n, dtype=bool)[:, :, None]
    flow = np.where(on_grid, flow, np.ceil(flow / FLOW_GRID_USD) * FLOW_GRID_USD)
    inputs = np.array([table.intermediate / (table.intermediate.sum(axis=0) + table.value_added) for table in balanced])
    inputs = np.floor(inputs / COEFFICIENT_GRID) * COEFFICIENT_GRID
    chosen = theta[theta["set"] == elasticities].set_index("sector")["trade_elasticity"]
    meta = WorldMeta(
        name=name,
        trade_year=2024,
        gdp_year=2023,
        sources=tuple(
            f"{FILES[key].title} ({FILES[key].vintage}; {FILES[key].licence}); sha256 {digest}"
            for key, digest in digests.items()
        ),
        notes=(
            "Goods at customs value (FOB); domestic sales and trade inside a region on the diagonal.",
            "Structure of production and services trade: WIOD 2011 at the GDP of 2023. Tariffs: see the data card.",
            f"Trade elasticities: {ELASTICITY_SETS[elasticities]}.",
        ),
        country_names=region_names(),
        sector_names=sector_names(),
        members=region_members(),
    )
    return World.from_arrays(
        countries=regions(),
        sectors=sectors(),
        flow=flow,
        tariff_rate=rates,
        value_added_share=1.0 - inputs.sum(axis=1),
        io_coefficient=inputs,
        trade_elasticity=chosen.loc[list(sectors())].to_numpy(dtype=np.float64),
        absent=absent,
        meta=meta,
    )


def _adjustments(priors: list[RegionTable], balanced: list[RegionTable]) -> pd.DataFrame:
    """Return before and after of every balanced cell to 1,000 USD, largest move first."""
    s = len(sectors())
    names = np.array(sectors())
    blank = np.full(s, "")
    variable = np.repeat(["domestic_sales", "intermediate", "value_added", "final_demand"], [s, s * s, s, s])
    sector = np.concatenate([names, np.repeat(names, s), names, names])
    using = np.concatenate([blank, np.tile(names, s), blank, blank])
    parts = [
        pd.DataFrame(
            {
                "region": region,
                "variable": variable,
                "sector": sector,
                "using_sector": using,
                "before_usd": np.round(before.flat(), -3),
                "after_usd": np.round(after.flat(), -3),
            }
        )
        for region, before, after in zip(regions(), priors, balanced, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    move = (table["after_usd"] - table["before_usd"]).abs()
    return (
        table.assign(move=move)
        .sort_values("move", ascending=False, kind="stable", ignore_index=True)
        .drop(columns="move")
    )


def _write(
    out: Path, name: str, world: World, tables: dict[str, pd.DataFrame], adjustments: pd.DataFrame, card: str
) -> tuple[Path, ...]:
    """Write all files of a build into a folder beside ``out``, and move them there when all are complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        staged = Path(folder)
        world.save(staged / f"{name}.parquet")
        for key, table in {**tables, "adjustments": adjustments}.items():
            write_table(staged / f"{key}.parquet", table, ["value_usd"] if key == "products" else ())
        (staged / "data-card.md").write_text(card, encoding="utf-8")
        out.mkdir(exist_ok=True)
        return tuple(path.replace(out / path.name) for path in sorted(staged.iterdir()))
