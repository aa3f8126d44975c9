"""A world from any inter-country input-output table and, if wanted, any year of customs trade.

Read, map, check, put customs trade in place of the table's goods trade, balance, write. Every cell that is moved is
recorded. The tables are those `counterpoise.data.readers` knows (OECD ICIO 2016 to 2025, WIOD 2013 and 2016, or a long
table origin, industry, destination, use, value); all labels come from the file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.core.world import World, WorldMeta
from counterpoise.data.builder.mapping import REST, Regions, Sectors, read_regions, read_sectors
from counterpoise.data.builder.table_read import Table, read_table_file, require_balanced
from counterpoise.data.builder.table_trade import CustomsTrade, customs_trade, put_in_place
from counterpoise.data.store import write_table
from counterpoise.data.trade_store import TradeStore, import_trade

__all__ = ["DEFAULT_ELASTICITY", "STEPS", "TableWorld", "build_table_world"]

DEFAULT_ELASTICITY = 4.0
"""Trade elasticity of a sector for which none is stated: Simonovska and Waugh (2014), J. of International Economics 92.
"""

STEPS = ("read table", "map", "customs trade", "balance", "check", "write")
"""What `build_table_world` reports to ``progress``, in this order."""

Progress = Callable[[str, int, int], None]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TableWorld:
    """What a build made.

    Attributes
    ----------
    world
        Balanced; ``world.check()`` is empty.
    adjustments
        What was moved and why: what, region, partner, sector, before_usd, after_usd; largest first.
    card
        Markdown: sources with SHA-256, method, what is missing.
    written
        Paths; empty where no folder was given.
    """

    world: World
    adjustments: pd.DataFrame
    card: str
    written: tuple[Path, ...]


def build_table_world(
    icio: Path | str,
    out: Path | str | None = None,
    *,
    trade: Path | str | TradeStore | None = None,
    regions: Path | str | None = None,
    sectors: Path | str | None = None,
    tariffs: Path | str | None = None,
    gdp: Path | str | None = None,
    table_year: int | None = None,
    trade_year: int | None = None,
    trade_elasticity: float = DEFAULT_ELASTICITY,
    name: str = "world",
    rtol: float = 1e-3,
    progress: Progress | None = None,
) -> TableWorld:
    """Build a world from an input-output table and customs trade.

    Parameters
    ----------
    icio
        File of the table, or a folder that holds one (of ``table_year``).
    out
        Folder to write ``<name>.parquet``, ``adjustments.parquet`` and ``data-card.md`` to; nothing by default.
    trade
        Trade store, its folder, or a file that `import_trade` takes. Without it goods trade is the table's.
    regions, sectors
        Files; see `counterpoise.data.builder.mapping`. Without them every country and industry stands for itself.
    tariffs
        CSV: origin, destination, sector, tariff_rate, by the labels of the world; none by default.
    gdp
        CSV: iso3, gdp_usd, of the year that the world is to have. Without it value added is the table's, and customs
        trade is scaled to the table's total of goods trade: its pattern is of the trade's year, its level is not.
    table_year, trade_year
        Which table of a folder or archive; which year of the trade.
    trade_elasticity
        Of sectors for which the file of sectors states none.
    name
        Of the world and its file.
    rtol
        Largest difference of a sector's sales and costs that counts as balanced, relative to sales.
    progress
        Called as ``progress(step, k, count)`` when step k of `STEPS` begins.

    Raises
    ------
    InputError
        If an option cannot be used.
    DataError
        If a file cannot be read, or a mapping leaves labels out: each is named.
    UnbalancedError
        If the table does not balance, or no balanced world is near it: each cell is named.
    """
    if not trade_elasticity > 0:
        raise InputError(f"trade_elasticity {trade_elasticity:g}; expected a number above 0")

    def tell(step: str) -> None:
        if progress is not None:
            progress(step, STEPS.index(step) + 1, len(STEPS))

    tell("read table")
    table = read_table_file(Path(icio), year=table_year)
    require_balanced(table, rtol)
    tell("map")
    place = read_regions(None if regions is None else Path(regions), table.countries)
    kind = read_sectors(None if sectors is None else Path(sectors), table.industries)
    rates = _tariffs(None if tariffs is None else Path(tariffs), tuple(place.names), tuple(kind.names))
    tell("customs trade")
    customs: CustomsTrade | None = None
    if trade is not None:
        with tempfile.TemporaryDirectory(prefix="counterpoise-trade-") as scratch:
            store = trade if isinstance(trade, TradeStore) else _opened(Path(trade), Path(scratch), trade_year)
            customs = customs_trade(store, table, kind, place, trade_year)
            if not isinstance(trade, TradeStore):
                store.close()
    targets = None if gdp is None else _gdp(Path(gdp), table.countries, place)
    tell("balance")
    built = put_in_place(table, place, kind, customs, rates, targets)
    tell("check")
    theta = [kind.trade_elasticity.get(s, trade_elasticity) for s in kind.names]
    world = World.from_arrays(
        countries=tuple(place.names),
        sectors=tuple(kind.names),
        flow=built.flow,
        tariff_rate=rates,
        value_added_share=1.0 - built.inputs.sum(axis=1),
        io_coefficient=built.inputs,
        trade_elasticity=theta,
        meta=_meta(name, table, customs, place, kind, gdp is not None),
    )
    world.require_balanced(1e-9)
    clipped = pd.DataFrame(
        {
            "what": "negative final use set to zero",
            "region": table.clipped["origin"].astype(str),
            "partner": table.clipped["destination"].astype(str),
            "sector": table.clipped["industry"].astype(str),
            "before_usd": table.clipped["value_usd"].astype(float),
            "after_usd": 0.0,
        }
    )
    moved = pd.concat([clipped, built.adjustments], ignore_index=True)
    order = (moved["after_usd"] - moved["before_usd"]).abs().sort_values(ascending=False, kind="stable").index
    moved = moved.loc[order].reset_index(drop=True)
    card = _card(world, table, customs, moved, trade_elasticity)
    tell("write")
    return TableWorld(world, moved, card, () if out is None else _write(Path(out), name, world, moved, card))


def _opened(path: Path, scratch: Path, year: int | None) -> TradeStore:
    """Open a store, or import a file for the time of the build; a Parquet table of the plain kind is read in place."""
    if path.is_dir():
        return TradeStore.open(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a trade store, or a file of trade by HS6")
    return import_trade(path, scratch / "store", year=year)


def _tariffs(path: Path | None, regions: Sequence[str], sectors: Sequence[str]) -> Numbers:
    rates: Numbers = np.zeros((len(regions), len(regions), len(sectors)))
    if path is None:
        return rates
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    columns = {"origin": regions, "destination": regions, "sector": sectors}
    lacking = [c for c in (*columns, "tariff_rate") if c not in table.columns]
    raise_all(DataError, f"{path} cannot be used", [f"line 1: no column {c}" for c in lacking])
    problems: list[str] = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        problems += [
            f"line {line}: {c} '{row[c]}' is not in the world" for c, known in columns.items() if row[c] not in known
        ]
        try:
            rate = float(row["tariff_rate"])
        except ValueError:
            rate = float("nan")
        if not rate > -1:
            problems.append(f"line {line}: tariff_rate '{row['tariff_rate']}'; expected a number above -1")
        elif not problems:
            at = [list(known).index(row[c]) for c, known in columns.items()]
            rates[at[0], at[1], at[2]] = rate
    raise_all(DataError, f"{path} cannot be used", problems)
    return rates


def _gdp(path: Path, countries: Sequence[str], place: Regions) -> dict[str, float]:
    """Return GDP by region; countries that the table does not list belong to the region of the rest of the world."""
    table = pd.read_csv(path, keep_default_na=False, na_values={"gdp_usd": [""]})
    if not {"iso3", "gdp_usd"} <= set(table.columns):
        raise DataError(f"{path}, line 1: expected the columns iso3 and gdp_usd")
    problems = [
        f"line {k}: {row.iso3} {row.gdp_usd}; expected a number above 0"
        for k, row in enumerate(table.itertuples(), start=2)
        if not float(row.gdp_usd) > 0  # pyright: ignore[reportArgumentType]
    ]
    out = dict.fromkeys(place.names, 0.0)
    listed = set(table["iso3"])
    problems += [f"{c} of the table has no GDP" for c in countries if c != REST and c not in listed]
    raise_all(DataError, f"{path} cannot be used", problems)
    for code, value in zip(table["iso3"].astype(str), table["gdp_usd"].astype(float), strict=True):
        region = place.of.get(code) or place.of.get(REST)
        if region is not None:
            out[region] += float(value)
    raise_all(DataError, f"{path} cannot be used", [f"region {r} has no GDP" for r, v in out.items() if not v > 0])
    return out


def _meta(
    name: str, table: Table, customs: CustomsTrade | None, place: Regions, kind: Sectors, has_gdp: bool
) -> WorldMeta:
    origin = table.provenance
    sources = [f"{origin.title}, {origin.edition} ({origin.vintage}; {origin.licence}); sha256 {origin.sha256}"]
    notes = ["Value added holds taxes less subsidies on products and the table's adjustments."]
    year = int(origin.vintage) if origin.vintage.isdigit() else None
    if customs is not None:
        sources.append(customs.source)
        notes += [*customs.notes]
        if not has_gdp:
            notes.append("Value added is the table's; customs trade is scaled to the table's total of goods trade.")
    members: dict[str, list[str]] = {region: [] for region in place.names}
    for code, region in place.of.items():
        members[region].append(code)
    return WorldMeta(
        name=name,
        trade_year=customs.year if customs is not None else year,
        gdp_year=None if has_gdp else year,
        sources=tuple(sources),
        notes=tuple(notes),
        country_names=dict(place.names),
        sector_names=dict(kind.names),
        members={region: tuple(sorted(codes)) for region, codes in members.items()},
    )


def _card(world: World, table: Table, customs: CustomsTrade | None, moved: pd.DataFrame, theta: float) -> str:
    """Write the data card."""
    size = float((moved["after_usd"] - moved["before_usd"]).abs().sum()) / 1e9
    lines = [
        f"# {world.meta.name}",
        "",
        f"{len(world.countries)} regions, {len(world.sectors)} sectors; trade {world.meta.trade_year}, value added "
        f"{float(world.value_added.sum()) / 1e12:.2f} tn USD.",
        "",
        "## Sources",
        "",
        *[f"- {source}" for source in world.meta.sources],
        "",
        "## Notes",
        "",
        *[f"- {note}" for note in world.meta.notes],
        f"- Trade elasticity {theta:g} where the file of sectors states none.",
        "",
        "## What was moved",
        "",
        f"{len(moved)} cells, {size:,.1f} bn USD in all; every one is in adjustments.parquet.",
        "",
        "| why | cells | bn USD |",
        "|---|---:|---:|",
        *[
            f"| {why} | {len(part)} | {float((part['after_usd'] - part['before_usd']).abs().sum()) / 1e9:,.2f} |"
            for why, part in moved.groupby("what", sort=True)
        ],
    ]
    if customs is not None and len(customs.unmapped):
        lines += ["", "## HS codes in no sector", "", "| HS | bn USD |", "|---|---:|"]
        lines += [f"| {code} | {value / 1e9:,.2f} |" for code, value in customs.unmapped.items()]
    return "\n".join(lines) + "\n"


def _write(out: Path, name: str, world: World, moved: pd.DataFrame, card: str) -> tuple[Path, ...]:
    """Write into a folder beside ``out``, and move all files there when they are complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        staged = Path(folder)
        world.save(staged / f"{name}.parquet")
        write_table(staged / "adjustments.parquet", moved)
        (staged / "data-card.md").write_text(card, encoding="utf-8")
        out.mkdir(exist_ok=True)
        return tuple(path.replace(out / path.name) for path in sorted(staged.iterdir()))
