"""Small published facts: India's trade by year, and what its crude oil cost."""

from __future__ import annotations

import pandas as pd

from counterpoise.core.errors import DataError
from counterpoise.data.sources import Sources

__all__ = ["load_crude", "load_years"]

_YEAR_FLOWS = (
    ("india_exports_to_russia_usd_mn", "IND", "RUS"),
    ("india_imports_from_russia_usd_mn", "RUS", "IND"),
    ("india_exports_usa_usd_mn", "IND", "USA"),
    ("india_imports_usa_usd_mn", "USA", "IND"),
    ("india_exports_world_usd_mn", "IND", "WORLD"),
    ("india_imports_world_usd_mn", "WORLD", "IND"),
)


def load_years(sources: Sources) -> pd.DataFrame:
    """Return India's goods trade with Russia, the USA and the world by fiscal (April to March) and calendar year.

    Returns
    -------
    Table with columns period, kind (``FY`` or ``CY``), origin, destination, value_usd, status, source; one row per
    published number. Periods with a total only, and parts of a year, are left out.

    Raises
    ------
    DataError
        If a period is of no known kind.
    """
    raw = pd.read_csv(sources.path("trade_by_year"))
    kind = raw["type"].str.extract(r"^(partial FY|FY|CY)", expand=False)
    if kind.isna().any():
        raise DataError(
            f"periods of unknown type: {', '.join(raw.loc[kind.isna(), 'period'])}; expected FY, CY or partial FY"
        )
    parts = [
        pd.DataFrame(
            {
                "period": raw["period"].str.replace("-20", "-", regex=False),
                "kind": kind,
                "origin": origin,
                "destination": destination,
                "value_usd": (raw[column] * 1e6).round(),
                "status": raw["status"].fillna("final"),
                "source": raw["source"],
            }
        )
        for column, origin, destination in _YEAR_FLOWS
    ]
    years = pd.concat(parts).dropna(subset=["value_usd"])
    return years[years["kind"] != "partial FY"].sort_values(
        ["kind", "period", "origin", "destination"], ignore_index=True
    )


def load_crude(sources: Sources) -> pd.DataFrame:
    """Return India's imports of crude oil by fiscal year, from Russia and from the others.

    Returns
    -------
    Table with columns period, origin (``RUS`` or ``OTHER``), value_usd, tonnes, usd_per_tonne, source.
    """
    raw = pd.read_csv(sources.path("crude_unit_values"))
    period = "FY" + raw["fy"].str.replace("-20", "-", regex=False)
    source = raw["source"].str.split(";").str[0]
    values = {
        "RUS": (raw["russia_value_usd_mn"], raw["russia_tonnes"]),
        "OTHER": (raw["total_value_usd_mn"] - raw["russia_value_usd_mn"], raw["total_tonnes"] - raw["russia_tonnes"]),
    }
    parts = [
        pd.DataFrame(
            {
                "period": period,
                "origin": origin,
                "value_usd": (value * 1e6).round(),
                "tonnes": tonnes.round(),
                "source": source,
            }
        )
        for origin, (value, tonnes) in values.items()
    ]
    crude = pd.concat(parts)
    crude.insert(4, "usd_per_tonne", crude["value_usd"] / crude["tonnes"])
    return crude.sort_values(["period", "origin"], ignore_index=True)
