"""Product worlds from HS6 trade: 226 countries and 5,079 products as BACI has them, or the embedded regions.

``load_product_world()`` keeps every country and every flow apart. What no source tells by country is taken from the
region of the embedded world that the country belongs to, by rules that the notes of the result repeat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core import World, WorldMeta
from counterpoise.core.errors import InputError
from counterpoise.core.products import ProductWorld, split_world
from counterpoise.data.baci import load_totals_2023, open_baci, totals
from counterpoise.data.builder.trade import growth
from counterpoise.data.concordance import hs_gtap, hs_sector, region_members, regions_of
from counterpoise.data.gdp import load_gdp
from counterpoise.data.sources import Sources, locate_sources
from counterpoise.data.store import load_world
from counterpoise.data.us_imports import load_us_imports

__all__ = ["load_product_world"]

Numbers = NDArray[np.float64]

_LEAST_FILLED = 1000
"""Smallest line that is filled for an importer that does not report, USD."""

_LEAST_FINAL = 0.1
"""Least part of a country's spending in a sector that is final demand."""


def load_product_world(
    sources: Path | str | None = None,
    *,
    countries: Literal["all", "regions"] = "all",
    product_elasticity: Literal["fgo", "sector"] = "fgo",
    min_flow_usd: float = 0.0,
) -> ProductWorld:
    """Build a product world from the HS6 flows of 2024.

    Parameters
    ----------
    sources
        Folder of the raw sources.
    countries
        ``"all"``: each country of BACI by itself. ``"regions"``: the 24 regions of the embedded world, whose flows,
        input-output links and tariffs are kept and only split.
    product_elasticity
        ``"fgo"``: Fontagne, Guimbard and Orefice (2022) by GTAP sector of the product where they estimate more than
        1, else that of the sector. ``"sector"``: that of the sector for all.
    min_flow_usd
        Leave out smaller lines (none by default); the notes tell how much they are worth.

    Raises
    ------
    SourceMissingError
        If a source is missing.
    DataError
        If a source cannot be used.

    Notes
    -----
    With ``"all"``, by country i of region R and sector s: domestic sales are those of the region, less the trade among
    its members, shared among them in proportion to GDP; a country without GDP is taken to have the region's ratio of
    GDP to
    imports. Each sector uses its own composite as input (as in Eaton and Kortum 2002); the value-added share is that of
    the region, raised where inputs would take more than 90 % of what the country spends in the sector. Tariffs are
    those of the embedded world by region and sector, and none between members of a region; for the USA, the duties
    that were
    calculated by partner and HS6 where the customs value is at hand. Services are sold at home only.
    """
    if countries not in ("all", "regions") or product_elasticity not in ("fgo", "sector"):
        raise InputError(
            f"countries={countries!r}, product_elasticity={product_elasticity!r}; expected 'all' or 'regions', and "
            "'fgo' or 'sector'"
        )
    found = locate_sources(sources)
    lines, left_out = _read_lines(found, min_flow_usd)
    embedded = load_world()
    codes = [str(code) for code in lines["hs6"].cat.categories]
    sector = [hs_sector(code) for code in codes]
    names = sorted({*lines["exporter"].cat.categories, *lines["importer"].cat.categories})
    region = regions_of(names)
    labels = names if countries == "all" else list(embedded.countries)
    place = {name: labels.index(name if countries == "all" else region[name]) for name in names}
    i, j = (_coded(lines[side], place) for side in ("exporter", "importer"))
    k = np.asarray(lines["hs6"].cat.codes, dtype=np.int32)
    usd = lines["value_usd"].to_numpy(np.float64)
    notes = list(left_out)
    rate: Numbers | None = None
    if countries == "all":
        world, more = _country_world(found, embedded, labels, region, sector, i, j, k, usd)
        notes += more
        rate, told = _line_rates(found, world, labels, region, codes, sector, i, j, k, usd)
        world = _with_line_rates(world, sector, i, j, k, usd, rate)
        notes.append(told)
    else:
        world = embedded
    theta = _elasticities(found, world, codes, sector) if product_elasticity == "fgo" else None
    split = split_world(
        world,
        products=codes,
        product_sector=sector,
        origin=i,
        destination=j,
        product=k,
        flow=usd,
        tariff_rate=rate,
        trade_elasticity=theta,
    )
    return dataclasses.replace(split, notes=(*notes, *split.notes))


def _read_lines(sources: Sources, least: float) -> tuple[pd.DataFrame, list[str]]:
    """Read BACI as categories, fill importers that do not report, and say what was filled and left out."""
    connection = open_baci(sources)
    notes = _fill(connection, sources)
    for name in ("exporter", "importer", "hs6"):
        connection.execute(f"CREATE TYPE t_{name} AS ENUM (SELECT DISTINCT {name} FROM whole ORDER BY {name})")
    table = connection.execute(
        "SELECT exporter::t_exporter AS exporter, importer::t_importer AS importer, hs6::t_hs6 AS hs6, value_usd "
        "FROM whole"
    ).df()
    connection.close()
    small = table["value_usd"] < max(least, 1.0)
    if small.any():
        lost = int(table.loc[small, "value_usd"].sum())
        notes.append(f"{int(small.sum()):,} lines under {max(least, 1.0):,.0f} USD ({lost:,} USD) are left out")
        table = table[~small]
    return table, notes


def _fill(connection: duckdb.DuckDBPyConnection, sources: Sources) -> list[str]:
    """Make table ``whole``: BACI 2024 and what fills the importers it lacks; return what was done, in words.

    The USA: the Census file by partner and HS6, the Union's line shared among its members by their sales of 2023.
    Others, and partners the Census does not list: the total of 2023 times the exporter's growth to the importers
    that report,
    split by the exporter's product mix to the Union's reporting members (to all, for the USA). Filled lines under
    `_LEAST_FILLED` are left out.
    """
    before, after = load_totals_2023(sources), totals(connection)
    both = before.merge(after, on=["exporter", "importer"], how="outer", suffixes=("_2023", "_2024"))
    reporting = set(after["importer"])
    absent = sorted(set(both["importer"]) - reporting)
    silent = sorted(set(after["exporter"]) - set(both["importer"]))
    region = pd.Series(regions_of({*both["exporter"], *both["importer"]}))
    rate = growth(both, sorted(reporting & set(before["importer"])))
    us = load_us_imports(sources)
    union = before[(before["importer"] == "USA") & (before["exporter"].map(region) == "EU27")]
    shares = union.assign(part=union["value_usd"] / union["value_usd"].sum())[["exporter", "part"]]
    single = us[us["exporter"] != "EU27"].assign(member=lambda t: t["exporter"], part=1.0)
    joint = us[us["exporter"] == "EU27"].merge(shares.rename(columns={"exporter": "member"}), how="cross")
    census = pd.concat([single, joint], ignore_index=True)
    census = pd.DataFrame(
        {"exporter": census["member"], "hs6": census["hs6"], "value_usd": census["value_usd"] * census["part"]}
    )
    wanted = both[both["importer"].isin(absent) & both["value_usd_2023"].notna()]
    wanted = wanted[~((wanted["importer"] == "USA") & wanted["exporter"].isin(set(census["exporter"])))]
    fills = pd.DataFrame(
        {
            "exporter": wanted["exporter"],
            "importer": wanted["importer"],
            "value_usd": wanted["value_usd_2023"] * wanted["exporter"].map(rate).fillna(rate[""]),
            "mix": wanted["importer"].map(lambda code: "world" if code == "USA" else "union"),
        }
    )
    connection.register("fills", fills)
    connection.register("census", census)
    members = [code for code in sorted(reporting) if region.get(code) == "EU27"]
    connection.register("members", pd.DataFrame({"importer": members}))
    connection.execute(
        """
        CREATE TABLE filled AS
        WITH mix AS (
            SELECT exporter, 'world' AS mix, hs6, sum(value_usd) AS v FROM baci GROUP BY ALL
            UNION ALL
            SELECT exporter, 'union', hs6, sum(value_usd) FROM baci JOIN members USING (importer) GROUP BY ALL
        ), parts AS (SELECT *, v / sum(v) OVER (PARTITION BY exporter, mix) AS part FROM mix WHERE v > 0)
        SELECT f.exporter, f.importer, p.hs6, round(f.value_usd * p.part)::BIGINT AS value_usd
        FROM fills f JOIN parts p USING (exporter, mix)
        UNION ALL
        SELECT exporter, 'USA', hs6, round(value_usd)::BIGINT FROM census
        """
    )
    connection.execute(
        "CREATE TABLE whole AS SELECT exporter, importer, hs6, value_usd FROM baci UNION ALL "
        "SELECT exporter, importer, hs6, value_usd FROM filled "
        f"WHERE value_usd >= {_LEAST_FILLED} AND exporter <> importer"
    )
    kept, lost = (
        connection.execute(
            f"SELECT count(*), coalesce(sum(value_usd), 0) FROM filled WHERE value_usd {sign} {_LEAST_FILLED}"
        ).fetchall()[0]
        for sign in (">=", "<")
    )
    asked = fills["value_usd"].sum() + census["value_usd"].sum()
    unfilled = asked - float(kept[1]) - float(lost[1])
    done = float(kept[1]) / 1e12
    notes = [
        f"BACI 2024 lacks the imports of {', '.join(absent)}: filled with {kept[0]:,} lines ({done:.2f} tn USD) from "
        "the US Census file and the totals of 2023 moved by the exporter's growth; the latter's products are "
        "those of the "
        f"exporter's mix, not reported. {lost[0]:,} filled lines under {_LEAST_FILLED} USD and {unfilled / 1e9:,.1f} "
        "bn USD of exporters without a mix are left out"
    ]
    newer = connection.execute(
        "SELECT count(DISTINCT hs6), coalesce(sum(value_usd), 0) FROM filled WHERE hs6 NOT IN (SELECT hs6 FROM baci)"
    ).fetchall()[0]
    if newer[0]:
        notes.append(
            f"{newer[0]:,} codes ({float(newer[1]) / 1e9:,.0f} bn USD) stand in the US file alone, which is "
            f"of HS 2022: they "
            "compete with the older codes of the same goods only through the sector"
        )
    if silent:
        notes.append(f"no imports are known of {', '.join(silent)}: they sell but buy nothing abroad")
    return notes


def _coded(column: pd.Series, place: Mapping[str, int]) -> NDArray[np.int32]:
    """Return positions of a column of categories."""
    lookup = np.array([place[str(name)] for name in column.cat.categories], dtype=np.int32)
    return lookup[column.cat.codes.to_numpy()]


def _country_world(
    sources: Sources,
    embedded: World,
    labels: list[str],
    region: Mapping[str, str],
    sector: list[str],
    i: NDArray[np.int32],
    j: NDArray[np.int32],
    k: NDArray[np.int32],
    usd: Numbers,
) -> tuple[World, list[str]]:
    """Build the world of single countries; see `load_product_world`."""
    n, s = len(labels), len(embedded.sectors)
    of_product = np.array([embedded.sectors.index(name) for name in sector], dtype=np.int64)
    cell = (i.astype(np.int64) * n + j) * s + of_product[k]
    flow = np.bincount(cell, usd, n * n * s).reshape(n, n, s)
    home_region = np.array([embedded.countries.index(region[name]) for name in labels])
    gdp, unknown = _gdp(sources, labels, home_region, flow.sum(axis=(0, 2)))
    weight = gdp / np.bincount(home_region, gdp, len(embedded.countries))[home_region]
    among = np.zeros((len(embedded.countries), s))
    inside = home_region[:, None] == home_region[None, :]
    np.add.at(among, home_region, (flow * inside[:, :, None]).sum(axis=1))
    own = np.diagonal(embedded.flow.to_numpy()).T
    net = np.maximum(own - among, 0.05 * own)
    squeezed = int(((own - among) < 0.05 * own).sum())
    at = np.arange(n)
    flow[at, at, :] = weight[:, None] * net[home_region]
    rate = embedded.tariff_rate.to_numpy()[home_region[:, None], home_region[None, :], :].copy()
    rate[inside] = 0.0
    output, spent = flow.sum(axis=1), (flow * (1.0 + rate)).sum(axis=0)
    share = embedded.value_added_share.to_numpy()[home_region]
    allowed = 1.0 - (1.0 - _LEAST_FINAL) * spent / np.where(output > 0, output, 1.0)
    raised = int(((allowed > share) & (output > 0)).sum())
    share = np.where(output > 0, np.maximum(share, allowed), share)
    inputs = np.zeros((n, s, s))
    inputs[:, np.arange(s), np.arange(s)] = 1.0 - share
    notes = [
        f"domestic sales: those of the region, less trade among its members, by GDP; at least 5 % of the region's "
        f"own in {squeezed} cells. Within a sector they are split by world trade of its products",
        f"{len(unknown)} countries without GDP take their region's ratio of GDP to imports: {', '.join(unknown)}",
        f"each sector uses its own composite as input; the value-added share of the region is raised in {raised} of "
        f"{n * s} cells, where inputs would exceed {100 * (1 - _LEAST_FINAL):.0f} % of spending",
    ]
    world = World.from_arrays(
        countries=labels,
        sectors=embedded.sectors,
        flow=flow,
        tariff_rate=rate,
        value_added_share=share,
        io_coefficient=inputs,
        trade_elasticity=embedded.trade_elasticity.to_numpy(),
        meta=WorldMeta(
            name=f"{n} countries, BACI 2024",
            trade_year=2024,
            gdp_year=2023,
            sources=("BACI 2024", "World Bank GDP 2023", *embedded.meta.sources),
            notes=tuple(notes),
            sector_names=embedded.meta.sector_names,
        ),
    )
    return world, notes


def _gdp(
    sources: Sources, labels: list[str], home_region: NDArray[np.intp], imports: Numbers
) -> tuple[Numbers, list[str]]:
    """Return GDP by country, filled by the region's ratio to imports; and who was filled."""
    known = load_gdp(sources)
    gdp = known.reindex(labels).to_numpy(np.float64).copy()
    missing = np.flatnonzero(~(gdp > 0))
    listed = np.flatnonzero(gdp > 0)
    size = int(home_region.max()) + 1
    have, bought = (np.bincount(home_region[listed], v[listed], size) for v in (gdp, imports))
    world_ratio = have.sum() / bought.sum()
    ratio = np.divide(have, bought, out=np.full(size, world_ratio), where=bought > 0)
    gdp[missing] = np.maximum(ratio[home_region[missing]] * imports[missing], 1e6)
    return np.asarray(gdp, dtype=np.float64), [labels[int(c)] for c in missing]


def _line_rates(
    sources: Sources,
    world: World,
    labels: list[str],
    region: Mapping[str, str],
    codes: list[str],
    sector: list[str],
    i: NDArray[np.int32],
    j: NDArray[np.int32],
    k: NDArray[np.int32],
    usd: Numbers,
) -> tuple[Numbers, str]:
    """Return the tariff of each line: that of its cell, and for the USA calculated duties by partner and HS6."""
    of_product = np.array([world.sectors.index(name) for name in sector], dtype=np.int64)
    rate = world.tariff_rate.to_numpy()[i, j, of_product[k]]
    union = set(region_members()["EU27"]) if "EU27" in region_members() else set[str]()
    partners: dict[str, list[str]] = {"EU27": [c for c in labels if c in union]}
    table = load_us_imports(sources)
    product = {code: place for place, code in enumerate(codes)}
    known = np.full((len(labels), len(codes)), np.nan)
    for exporter, rows in table.groupby("exporter", sort=True):
        members = partners.get(str(exporter), [str(exporter)] if str(exporter) in labels else [])
        places = np.array([product.get(code, -1) for code in rows["hs6"]])
        duties = (rows["duty_usd"] / rows["value_usd"]).to_numpy(np.float64)
        for member in members:
            known[labels.index(member), places[places >= 0]] = duties[places >= 0]
    at = np.flatnonzero(j == labels.index("USA"))
    told = known[i[at], k[at]]
    rate[at] = np.where(np.isnan(told), rate[at], told)
    return rate, (
        f"US duties as calculated in 2024 on {int((~np.isnan(told)).sum()):,} of {len(at):,} lines into the USA "
        f"({100 * usd[at][~np.isnan(told)].sum() / usd[at].sum():.1f} % of their value), the sector's rate on the rest"
    )


def _with_line_rates(
    world: World,
    sector: list[str],
    i: NDArray[np.int32],
    j: NDArray[np.int32],
    k: NDArray[np.int32],
    usd: Numbers,
    rate: Numbers,
) -> World:
    """Return the world with the tariffs that the lines add up to; value-added shares stay, final demand follows."""
    n, s = len(world.countries), len(world.sectors)
    of_product = np.array([world.sectors.index(name) for name in sector], dtype=np.int64)
    cell = (i.astype(np.int64) * n + j) * s + of_product[k]
    duty = np.bincount(cell, usd * rate, n * n * s).reshape(n, n, s)
    flow = world.flow.to_numpy()
    foreign = np.arange(n)[:, None] != np.arange(n)[None, :]
    mean = np.divide(duty, flow, out=np.zeros_like(flow), where=(flow > 0) & foreign[:, :, None])
    return world.with_changes(tariff_rate=mean)


def _elasticities(sources: Sources, world: World, codes: list[str], sector: list[str]) -> Numbers:
    """Return theta by product: sigma - 1 of its GTAP sector where that is positive, else that of its sector."""
    raw = pd.read_csv(sources.path("fgo_gtap"))
    known = raw.dropna(subset=["epsilon_GTAP"])
    sigma = dict(zip(known["gtap_sector"].astype(str), -known["epsilon_GTAP"].to_numpy(np.float64), strict=True))
    own = {name: float(v) for name, v in zip(world.sectors, world.trade_elasticity.to_numpy(), strict=True)}
    theta = [float(sigma.get(hs_gtap(code), 0.0)) - 1.0 for code in codes]
    return np.array([t if t > 0 else own[name] for t, name in zip(theta, sector, strict=True)])
