"""The detail tables that are shipped beside the world."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterpoise.data.builder.trade import Trade

__all__ = ["DETAILED", "SMALL_USD", "markets_table", "pairs_table", "products_table", "significant"]

DETAILED = ("IND", "RUS", "USA")
"""Regions whose trade is kept by HS6."""

SMALL_USD = 1000.0
"""Flows below this are pooled into one row ``other`` of their pair."""

_FILLED = ("filled_importer", "restored", "rescaled")


def products_table(trade: Trade) -> pd.DataFrame:
    """Return trade by product: HS4 between all regions; HS6 among `DETAILED` and of each of them with the world.

    Returns
    -------
    Table origin, destination (``WORLD`` for totals), hs, level, value_usd (float32, four significant digits), source:
    ``reported``, ``us_census``, ``filled`` (more than 90 % of the value filled) or ``mixed`` (10 to 90 %).
    """
    lines = trade.lines
    by_heading = _by(lines.assign(hs=lines["hs6"].str[:4]))
    parts = [by_heading.assign(level="hs4")]
    lines = lines.rename(columns={"hs6": "hs"})
    detailed = list(DETAILED)
    parts.append(_by(lines[lines["origin"].isin(detailed) & lines["destination"].isin(detailed)]).assign(level="hs6"))
    parts.append(_by(lines[lines["origin"].isin(detailed)].assign(destination="WORLD")).assign(level="hs6"))
    parts.append(_by(lines[lines["destination"].isin(detailed)].assign(origin="WORLD")).assign(level="hs6"))
    table = pd.concat(parts, ignore_index=True)
    table["value_usd"] = significant(table["value_usd"].to_numpy(dtype=np.float64), 4).astype(np.float32)
    columns = ["origin", "destination", "hs", "level", "value_usd", "source"]
    return table[columns].sort_values(["level", "origin", "destination", "hs"], ignore_index=True)


def markets_table(trade: Trade) -> pd.DataFrame:
    """Return world trade by HS6: what all regions buy from other regions, filled flows included.

    Returns
    -------
    Table hs (six digits), value_usd (float32, four significant digits); sorted.
    """
    sums = trade.lines.groupby("hs6")["value_usd"].sum().sort_index()
    value = significant(sums.to_numpy(dtype=np.float64), 4).astype(np.float32)
    return pd.DataFrame({"hs": sums.index.to_numpy(), "value_usd": value})


def _by(lines: pd.DataFrame) -> pd.DataFrame:
    """Sum lines by origin, destination and hs; pool small ones; say where the value comes from."""
    keys = ["origin", "destination", "hs"]
    filled = lines["value_usd"].where(lines["source"].isin(_FILLED), 0)
    census = lines["value_usd"].where(lines["source"] == "us_census", 0)
    cells = lines.assign(filled=filled, census=census)
    cells = cells.groupby(keys, as_index=False)[["value_usd", "filled", "census"]].sum()
    small = cells["value_usd"] < SMALL_USD
    cells = cells.assign(hs=cells["hs"].where(~small, "other"))
    cells = cells.groupby(keys, as_index=False)[["value_usd", "filled", "census"]].sum()
    filled_part = cells["filled"] / cells["value_usd"]
    reporter = np.where(2 * cells["census"] > cells["value_usd"] - cells["filled"], "us_census", "reported")
    cells["source"] = np.select([filled_part > 0.9, filled_part > 0.1], ["filled", "mixed"], reporter)
    return cells.drop(columns=["filled", "census"])


def significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Round to a number of significant decimal digits; zero stays zero."""
    size = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(values), 1e-300))) - (digits - 1))
    return np.where(values == 0, 0.0, np.round(values / size) * size)


def pairs_table(trade: Trade) -> pd.DataFrame:
    """Return country totals, float32 with five significant digits, NaN where nothing is reported.

    Returns
    -------
    Table exporter, importer (ISO3; the Union as ``EU27`` where the USA reports it as one), value_2023_usd,
    value_2024_usd.
    """
    pairs = trade.pairs.copy()
    for column in ("value_2023_usd", "value_2024_usd"):
        numbers = pairs[column].to_numpy(dtype=np.float64)
        pairs[column] = np.where(np.isnan(numbers), np.nan, significant(np.nan_to_num(numbers), 5)).astype(np.float32)
    return pairs
