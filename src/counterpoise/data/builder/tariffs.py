"""Baseline tariffs: duties collected by the USA, applied rates elsewhere, zero within agreements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError, did_you_mean, raise_all
from counterpoise.data.concordance import goods_sectors, hs_sector, read_table, regions, regions_of, sectors
from counterpoise.data.sources import Sources
from counterpoise.data.us_imports import load_us_imports

__all__ = ["baseline_tariffs", "read_tariffs"]

_OSSA_REGION = {"BRA": "BRA", "CHN": "CHN", "EU27": "EU", "IND": "IND", "JPN": "JPN", "USA": "USA"}


def baseline_tariffs(sources: Sources) -> np.ndarray:
    """Return baseline tariff rates, (N, N, S) on (origin, destination, sector).

    Notes
    -----
    1. Applied rates of Ossa (2014), 2007, averaged over his sectors with his flows as weights; destinations other than
       BRA, CHN, EU27, IND and JPN take the rates of his rest of the world. Energy and ores, which he lacks, and
       services: zero.
    2. ``tariff_overrides.csv``: free trade agreements and a few stated rates; later rows override earlier ones.
    3. USA: duties collected over imports in 2024 by partner and sector; partners without a line take the average of the
       sector.
    """
    rates = _applied_rates(sources)
    _apply_overrides(rates)
    _us_duties(sources, rates)
    rates[np.arange(len(regions())), np.arange(len(regions()))] = 0.0
    return rates


def _applied_rates(sources: Sources) -> np.ndarray:
    raw = pd.read_parquet(sources.path("ossa"))
    raw = raw[raw["origin"] != raw["destination"]]
    crosswalk = pd.DataFrame([dict(row) for row in read_table("tariff_sectors")])
    lines = raw.merge(crosswalk, left_on="sector", right_on="ossa_sector", suffixes=("_ossa", ""))
    lines["duty"] = lines["flow_usd_mn"] * lines["tariff_rate"]
    pair = lines.groupby(["origin", "destination", "sector"])[["duty", "flow_usd_mn"]].sum()
    everyone = lines.groupby(["destination", "sector"])[["duty", "flow_usd_mn"]].sum()
    by_pair = (pair["duty"] / pair["flow_usd_mn"]).to_dict()
    by_destination = (everyone["duty"] / everyone["flow_usd_mn"]).to_dict()
    rates = np.zeros((len(regions()), len(regions()), len(sectors())))
    for i, origin in enumerate(regions()):
        for j, destination in enumerate(regions()):
            if destination == "USA":
                continue
            o, d = _OSSA_REGION.get(origin, "ROW"), _OSSA_REGION.get(destination, "ROW")
            for s, sector in enumerate(sectors()):
                rates[i, j, s] = by_pair.get((o, d, sector), by_destination.get((d, sector), 0.0))
    return rates


def _apply_overrides(rates: np.ndarray) -> None:
    """Overwrite rates by the rows of the overrides table, in order; ``*`` stands for all regions."""
    place = {region: k for k, region in enumerate(regions())}
    farm = {"agriculture", "food"}
    scopes: dict[str, set[str]] = {name: {name} for name in goods_sectors()}
    scopes |= {"goods": set(goods_sectors()), "industrial": set(goods_sectors()) - farm}
    scopes["chemistry"] = {"fertilisers", "pharmaceuticals", "chemicals", "plastics"}
    for row in read_table("tariff_overrides"):
        chosen = [k for k, sector in enumerate(sectors()) if sector in scopes[row["scope"]]]
        origins = list(place.values()) if row["origin"] == "*" else [place[row["origin"]]]
        for i in origins:
            j = place[row["destination"]]
            rates[i, j, chosen] = float(row["rate"])
            if row["mutual"] == "yes":
                rates[j, i, chosen] = float(row["rate"])


def _us_duties(sources: Sources, rates: np.ndarray) -> None:
    us = load_us_imports(sources)
    placed = {**regions_of(set(us["exporter"]) - {"EU27"}), "EU27": "EU27"}
    codes = sorted(us["hs6"].unique())
    sector = dict(zip(codes, map(hs_sector, codes), strict=True))
    us = us[~us["hs6"].str[:2].isin(["98", "99"])]
    us = us.assign(region=us["exporter"].map(placed), sector=us["hs6"].map(sector))
    cells, average = (
        (sums["duty_usd"] / sums["value_usd"]).to_dict()
        for sums in (us.groupby(key)[["duty_usd", "value_usd"]].sum() for key in (["region", "sector"], "sector"))
    )
    j = regions().index("USA")
    for i, region in enumerate(regions()):
        for s, name in enumerate(sectors()):
            rates[i, j, s] = cells.get((region, name), average.get(name, 0.0))


def read_tariffs(path: Path, default: np.ndarray) -> np.ndarray:
    """Return tariff rates with the cells of a CSV file (origin, destination, sector, tariff_rate) put over a default.

    Raises
    ------
    DataError
        If columns lack, labels are unknown, rates are not numbers between -1 and 10, cells repeat, or a region taxes
        itself; every problem is named with its line.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    columns = ["origin", "destination", "sector", "tariff_rate"]
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise DataError(f"{path} lacks the columns {', '.join(lacking)}; expected {', '.join(columns)}")
    known = {"origin": regions(), "destination": regions(), "sector": sectors()}
    rates, seen = default.copy(), set[tuple[str, ...]]()
    problems: list[str] = []
    for number, row in enumerate(table[columns].itertuples(index=False), start=2):
        cell = tuple(str(v) for v in row[:3])
        faults = [
            f"unknown {c} '{v}'{did_you_mean(v, known[c])}"
            for c, v in zip(columns, cell, strict=False)
            if v not in known[c]
        ]
        rate = pd.to_numeric(str(row[3]), errors="coerce")
        if not -1 < rate <= 10:
            faults.append(f"tariff_rate '{row[3]}' is not a number above -1 and up to 10; 25 % is 0.25")
        if cell in seen:
            faults.append("the cell is given twice")
        if cell[0] == cell[1] and rate != 0:
            faults.append("a region sets no tariff on itself")
        seen.add(cell)
        problems += [f"line {number} ({', '.join(cell)}): {fault}" for fault in faults]
        if not faults:
            rates[tuple(known[c].index(v) for c, v in zip(columns, cell, strict=False))] = rate
    raise_all(DataError, f"{path} cannot be used as tariffs", problems)
    return rates
