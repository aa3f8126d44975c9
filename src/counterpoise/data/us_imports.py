"""US imports for consumption and calculated duties, 2024, by partner and HS6."""

from __future__ import annotations

import pandas as pd

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.concordance import read_table
from counterpoise.data.sources import Sources

__all__ = ["load_us_imports"]


def load_us_imports(sources: Sources) -> pd.DataFrame:
    """Return US imports by exporter and HS6.

    The European Union is one partner (exporter ``EU27``). The separate rows of Slovakia are part of it - no line of
    Slovakia exceeds the line of the Union, and one equals it to the dollar - and are left out.

    Returns
    -------
    Table with columns exporter (ISO3 or ``EU27``), hs6 (string), value_usd (int64), duty_usd (int64); sorted.

    Raises
    ------
    DataError
        If a partner is unknown or a line is negative, missing or repeated.
    """
    raw = pd.read_parquet(sources.path("us_imports"))
    iso3 = {row["census_code"]: row["iso3"] for row in read_table("us_partners")}
    unknown = raw.loc[~raw["cty_code"].isin(list(iso3)), ["cty_code", "partner"]].drop_duplicates()
    problems = [f"partner {code} {name} is not in us_partners.csv" for code, name in unknown.itertuples(index=False)]
    numbers = raw[["imports_usd", "duty_usd"]]
    bad = raw[numbers.isna().any(axis=1) | (numbers < 0).any(axis=1) | raw.duplicated(["cty_code", "hs6"])]
    problems += [f"{r.partner} {r.hs6}: imports {r.imports_usd}, duty {r.duty_usd}" for r in bad.itertuples()]
    raise_all(DataError, "the US import file cannot be used", problems)
    table = pd.DataFrame(
        {
            "exporter": raw["cty_code"].map(iso3),
            "hs6": raw["hs6"].astype(str),
            "value_usd": raw["imports_usd"].round().astype("int64"),
            "duty_usd": raw["duty_usd"].round().astype("int64"),
        }
    )
    table = table[(table["exporter"] != "SVK") & (table["value_usd"] > 0)]
    return table.sort_values(["exporter", "hs6"], ignore_index=True)
