"""The data card of a built world, Markdown: sources, method, assumptions, gaps, and what was moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import numpy as np
import pandas as pd

from counterpoise.core.world import World
from counterpoise.data.builder import structure
from counterpoise.data.builder.tables import SMALL_USD
from counterpoise.data.builder.trade import RULES, Trade
from counterpoise.data.concordance import goods_sectors, read_table, region_members, service_sectors
from counterpoise.data.elasticities import ELASTICITY_SETS
from counterpoise.data.sources import FILES

__all__ = ["HEADLINES", "data_card", "headline_flows"]

HEADLINES = (("RUS", "IND", 63.65), ("IND", "RUS", 4.81), ("IND", "USA", 87.7), ("CHN", "IND", 122.5))
"""Goods flows of 2024 that the world must keep: origin, destination, billion USD as published."""

_EPISODES = (
    ("rescaled", "Outliers scaled back"),
    ("restored", "Pairs restored at their 2023 value"),
    ("collapsed", "Pairs that collapsed, kept as reported"),
)


def headline_flows(world: World) -> list[tuple[str, str, float, float]]:
    """Return origin, destination, published and built goods flow (billion USD) of `HEADLINES`."""
    goods = world.flow.sel(sector=[*goods_sectors(), "utilities"]).sum("sector")
    return [(o, d, usd, float(goods.sel(origin=o, destination=d)) / 1e9) for o, d, usd in HEADLINES]


def data_card(
    world: World,
    trade: Trade,
    adjustments: pd.DataFrame,
    elasticities: pd.DataFrame,
    country_gdp: Mapping[str, float],
    digests: Mapping[str, str],
    *,
    custom_tariffs: bool = False,
) -> str:
    """Write the data card.

    Parameters
    ----------
    world, trade, adjustments, elasticities
        What the build made.
    country_gdp
        USD by ISO3.
    digests
        SHA-256 of each raw file.
    custom_tariffs
        Whether a tariff file of the user's own replaced cells of the baseline.
    """
    import jinja2

    text = resources.files("counterpoise.data").joinpath("builder", "data-card.md.j2").read_text(encoding="utf-8")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(text)
    hub = world.countries.index("HKG")
    everyone = [code for codes in region_members().values() for code in codes]
    return template.render(
        world=world,
        structure=structure,
        rules=RULES,
        small_usd=SMALL_USD,
        elasticity_sets=ELASTICITY_SETS,
        custom_tariffs=custom_tariffs,
        sources=_sources(digests),
        donors=_donors(),
        headlines=_headlines(world),
        regions=_regions(world),
        fills=_fills(trade),
        episodes=_episodes(trade.episodes),
        hub_deficit_pct=100 * float(world.deficit[hub]) / float(world.value_added[hub].sum()),
        services_tn=_services_tn(world),
        absent=int(world.absent.sum()),
        gdp_fills="; ".join(
            f"{row['iso3']} at {float(row['gdp_usd']) / 1e9:g} bn USD ({row['source']})"
            for row in read_table("gdp_fills")
        ),
        without_gdp=sorted(set(everyone) - set(country_gdp) - {"S19"}),
        moved=_moved(adjustments),
        adjustments=f"{len(adjustments):,}",
        largest=_largest(adjustments),
        elasticities=_elasticities(elasticities),
    )


def _services_tn(world: World) -> str:
    services = world.flow.sel(sector=list(service_sectors())).to_numpy().sum(axis=2)
    return f"{(services.sum() - services.trace()) / 1e12:.1f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; text to the left, numbers to the right."""
    body = [[str(cell).replace("|", "/") for cell in row] for row in rows]
    numeric = [all(not row[k].strip("-+.,% 0123456789") for row in body) for k in range(len(header))]
    rule = "|" + "|".join("---:" if right else "---" for right in numeric) + "|"
    return "\n".join(["| " + " | ".join(row) + " |" if row else rule for row in [[*header], [], *body]])


def _bn(value: float, digits: int = 1) -> str:
    return "-" if np.isnan(value) else f"{value / 1e9:,.{digits}f}"


def _mn(value: float) -> str:
    return "-" if np.isnan(value) else f"{value / 1e6:,.1f}" if value < 1e7 else f"{value / 1e6:,.0f}"


def _sources(digests: Mapping[str, str]) -> str:
    files = [(FILES[key], digest) for key, digest in digests.items()]
    rows = [(file.title, file.vintage, file.licence, f"`{file.path}`", f"`{digest[:16]}`") for file, digest in files]
    return _table(["source", "vintage", "licence", "file", "SHA-256, first 16"], rows)


def _donors() -> str:
    donors: dict[str, list[str]] = {}
    for row in read_table("structure_donors"):
        donors.setdefault(row["region"], []).append(f"{row['donor']} {float(row['weight']):.0%}")
    return "; ".join(f"{region}: {', '.join(parts)}" for region, parts in donors.items())


def _headlines(world: World) -> str:
    rows = [(o, d, f"{published:g}", f"{built:.3f}") for o, d, published, built in headline_flows(world)]
    return _table(["origin", "destination", "published, bn USD", "in this world"], rows)


def _regions(world: World) -> str:
    arrays = (world.value_added.sum("sector"), world.exports, world.imports, world.deficit, world.tariff_revenue)
    numbers = [array.to_numpy() for array in arrays]
    duties_pct = 100 * numbers[4] / numbers[2]
    rows = [
        (code, world.meta.country_names[code], *(_bn(float(n[k])) for n in numbers), f"{duties_pct[k]:.1f}")
        for k, code in enumerate(world.countries)
    ]
    header = ["region", "name", "GDP, bn USD", "exports", "imports", "deficit", "duties", "duties / imports, %"]
    return _table(header, rows)


def _fills(trade: Trade) -> str:
    by_source = trade.lines.groupby("source")["value_usd"].sum()
    total = float(by_source.sum())
    rows = [(key, _bn(float(value), 2), f"{100 * float(value) / total:.2f}") for key, value in by_source.items()]
    return _table(["source", "bn USD", "% of trade between regions"], rows)


def _episodes(episodes: pd.DataFrame) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    for kind, title in _EPISODES:
        mine = episodes[episodes["kind"] == kind].sort_values("value_2023_usd", ascending=False, kind="stable")
        exporters, importers = list(mine["exporter"]), list(mine["importer"])
        before, after = mine["value_2023_usd"].to_numpy(float), mine["value_2024_usd"].to_numpy(float)
        lines = [
            f"{e} to {i} {_mn(float(b))} / {_mn(float(a))}".replace("*", "all")
            for e, i, b, a in zip(exporters, importers, before, after, strict=True)
        ]
        out.append({"title": title, "count": len(mine), "total": _bn(float(before.sum())), "lines": lines})
    return out


def _moved(adjustments: pd.DataFrame) -> str:
    before, after = adjustments["before_usd"].to_numpy(float), adjustments["after_usd"].to_numpy(float)
    kinds = adjustments["variable"].to_numpy()
    rows: list[tuple[str, ...]] = []
    for kind in sorted(set(kinds)):
        b, a = before[kinds == kind], after[kinds == kind]
        move = float(np.abs(a - b).sum())
        share = f"{100 * move / float(b.sum()):.1f}"
        rows.append((str(kind), _bn(float(b.sum()), 0), _bn(float(a.sum()), 0), _bn(move, 0), share))
    return _table(["cells", "before", "after", "moved", "moved, %"], rows)


def _largest(adjustments: pd.DataFrame) -> str:
    top = adjustments.head(60)
    text = [list(top[name]) for name in ("region", "variable", "sector", "using_sector")]
    money = [[_bn(float(v)) for v in top[name].to_numpy(float)] for name in ("before_usd", "after_usd")]
    return _table(["region", "cells", "sector", "used by", "before", "after"], zip(*text, *money, strict=True))


def _elasticities(table: pd.DataFrame) -> str:
    columns = [list(table[name]) for name in ("set", "sector", "trade_elasticity", "measured")]
    cells = {(key, sector): (float(theta), why) for key, sector, theta, why in zip(*columns, strict=True)}
    rows = [
        (sector, *(f"{cells[key, sector][0]:.2f}" for key in ELASTICITY_SETS), cells["fgo", sector][1])
        for sector in dict.fromkeys(columns[1])
    ]
    return _table(["sector", *ELASTICITY_SETS, "fgo: from"], rows)
