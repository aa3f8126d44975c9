"""Gross domestic product by country, current USD."""

from __future__ import annotations

import pandas as pd

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.concordance import read_table, regions, regions_of
from counterpoise.data.sources import Sources

__all__ = ["load_gdp", "region_gdp"]


def load_gdp(sources: Sources) -> pd.Series[float]:
    """Return GDP 2023 in USD by ISO3, with the shipped fills (Taiwan) for countries the World Bank does not list.

    Raises
    ------
    DataError
        If a value is missing or not positive, or a country repeats.
    """
    table = pd.read_csv(sources.path("gdp"), keep_default_na=False, na_values={"gdp_usd": [""]})
    gdp = table.set_index("iso3")["gdp_usd"].astype(float)
    fills = {row["iso3"]: float(row["gdp_usd"]) for row in read_table("gdp_fills") if row["iso3"] not in gdp.index}
    gdp = pd.concat([gdp, pd.Series(fills, dtype=float)]).sort_index()
    bad = gdp[~(gdp > 0) | gdp.index.duplicated()]
    raise_all(
        DataError, "GDP cannot be used; expected one positive number per country", [f"{k}: {v}" for k, v in bad.items()]
    )
    return gdp


def region_gdp(gdp: pd.Series[float]) -> pd.Series[float]:
    """Return GDP in USD by region, in the order of the regions."""
    region = pd.Series(regions_of(gdp.index))
    return gdp.groupby(region.loc[gdp.index].to_numpy()).sum().reindex(list(regions()))
