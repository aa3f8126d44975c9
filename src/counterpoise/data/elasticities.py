"""Trade elasticities by sector from three published sets, each with what it measures.

The model's ``trade_elasticity`` is theta: minus the elasticity of tariff-inclusive flows to trade cost. An elasticity
of flows at customs value to 1 + t is sigma = theta + 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.concordance import read_table, sectors
from counterpoise.data.sources import Sources

__all__ = ["ELASTICITY_SETS", "SERVICES_TRADE_ELASTICITY", "derive_elasticities"]

ELASTICITY_SETS: Mapping[str, str] = {
    "fgo": "Fontagné, Guimbard and Orefice (2022), J. of International Economics 137, 103593, by GTAP sector",
    "cp2015": "Caliendo and Parro (2015), Review of Economic Studies 82(1), Table 1, 99 % sample",
    "gtap": "GTAP ESUBM (Hertel, McDougall, Narayanan and Aguiar), substitution across import sources",
}
"""The sets, by the name that `load_world` takes; ``fgo`` is the default."""

SERVICES_TRADE_ELASTICITY = 5.0
"""For sectors without an estimate: Costinot and Rodriguez-Clare (2014), Handbook of Int. Economics 4, ch. 4."""

_NEIGHBOUR = {"coal": "oxt"}


def derive_elasticities(sources: Sources, world_trade: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """Derive all sets by sector.

    Parameters
    ----------
    world_trade
        World trade of the base year in USD by (sector, GTAP sector), the weights of the ``fgo`` set.

    Returns
    -------
    Table set, sector, trade_elasticity (theta, positive), measured (what the source measured), source; sorted by set
    and then in the order of the sectors.

    Raises
    ------
    DataError
        If a number that the map points to is missing, or a derived elasticity is not positive.

    Notes
    -----
    ``fgo``: epsilon < 0 is the elasticity of customs-value flows to 1 + t, hence sigma = |epsilon| and
    theta = sigma - 1; mean over the GTAP sectors of a sector that have an estimate, weighted by world trade. Gas takes
    the estimate of oil, coal that of the other extraction (oxt), services without an estimate 5
    (`SERVICES_TRADE_ELASTICITY`).

    ``cp2015``: theta as published; vehicles and services take the paper's aggregate, 8.22.

    ``gtap``: theta = sigma - 1, with sigma across import sources; where only the elasticity between home goods and
    imports is in hand, sigma is twice that (rule of two).
    """
    table = pd.concat([_fgo(sources, world_trade), _mapped(sources)], ignore_index=True)
    bad = table[~(table["trade_elasticity"] > 0)]
    raise_all(
        DataError,
        "trade elasticities must be positive numbers",
        [f"{r.set} {r.sector}: {r.trade_elasticity}" for r in bad.itertuples()],
    )
    return table


def _fgo(sources: Sources, world_trade: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    raw = pd.read_csv(sources.path("fgo_gtap"))
    sigma = (-raw.set_index("gtap_sector")["epsilon_GTAP"]).dropna().to_dict()
    rows: list[tuple[str, str, float, str, str]] = []
    for sector in sectors():
        parts = {g: usd for (s, g), usd in sorted(world_trade.items()) if s == sector and g in sigma}
        if sector in _NEIGHBOUR:
            theta, measured = sigma[_NEIGHBOUR[sector]] - 1, f"sigma of {_NEIGHBOUR[sector]}, no estimate of its own"
        elif parts:
            theta = sum(sigma[g] * usd for g, usd in parts.items()) / sum(parts.values()) - 1
            measured = f"sigma of {', '.join(parts)}; weighted by world trade"
        else:
            theta, measured = (
                SERVICES_TRADE_ELASTICITY,
                "theta of 5 for sectors without an estimate, Costinot and Rodriguez-Clare (2014)",
            )
        rows.append(("fgo", sector, theta, measured, ELASTICITY_SETS["fgo"]))
    return _table(rows)


def _mapped(sources: Sources) -> pd.DataFrame:
    raw = pd.read_csv(sources.path("elasticities"))
    raw = raw[raw["family"].isin(["Caliendo-Parro 2015", "GTAP ESUBM", "GTAP ESUBD"])]
    published = {(r.concept, r.sector): float(str(r.value)) for r in raw.itertuples()}
    parts: dict[tuple[str, str], list[tuple[float, str]]] = {}
    problems: list[str] = []
    for row in read_table("elasticity_map"):
        key = (row["concept"], row["source_sector"])
        if key not in published:
            problems.append(f"{row['set']} {row['sector']}: no row '{key[1]}' with concept '{key[0]}'")
            continue
        value = float(row["factor"]) * published[key]
        parts.setdefault((row["set"], row["sector"]), []).append((value, row["source_sector"]))
    raise_all(DataError, "elasticities.csv lacks numbers that elasticity_map.csv points to", problems)
    rows: list[tuple[str, str, float, str, str]] = []
    for name, shift, symbol in (("cp2015", 0.0, "theta"), ("gtap", 1.0, "sigma")):
        for sector in sectors():
            found = parts.get((name, sector), parts[name, "*"])
            mean = sum(value for value, _ in found) / len(found)
            measured = f"{symbol} of {', '.join(label for _, label in found)}"
            rows.append((name, sector, mean - shift, measured, ELASTICITY_SETS[name]))
    return _table(rows)


def _table(rows: list[tuple[str, str, float, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["set", "sector", "trade_elasticity", "measured", "source"])
