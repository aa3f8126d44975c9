"""Goods trade between regions by HS6: what is reported, and what is filled by a stated rule.

All values are whole USD: sums are exact whatever their order, so the build reproduces to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd

from counterpoise.data.baci import load_totals_2023, open_baci, totals
from counterpoise.data.concordance import regions_of
from counterpoise.data.sources import Sources
from counterpoise.data.us_imports import load_us_imports

__all__ = ["RULES", "Rules", "Trade", "assemble_trade"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds of the fills.

    Attributes
    ----------
    growth_bounds
        Bounds of the growth 2024 / 2023 by which totals of 2023 are moved to 2024.
    growth_base_usd
        An exporter with a smaller base in 2023 takes the growth of all exporters together.
    silent_pair_usd
        A pair with no record in 2024 counts as unreported, not as zero, if it traded at least this much in 2023.
    collapse_ratio, collapse_usd
        A pair of at least ``collapse_usd`` in 2023 that falls below this ratio is listed (and kept as reported).
    outlier_ratio, outlier_usd
        A country whose total rises by this factor, to at least this value, is scaled back to its total of 2023.
    mix_usd
        A restored pair takes the exporter's product mix to the importer's region if that is at least this large,
        else its mix to the world.
    """

    growth_bounds: tuple[float, float] = (0.5, 2.0)
    growth_base_usd: float = 1e6
    silent_pair_usd: float = 1e7
    collapse_ratio: float = 0.05
    collapse_usd: float = 5e7
    outlier_ratio: float = 3.0
    outlier_usd: float = 1e10
    mix_usd: float = 5e7


RULES = Rules()


@dataclass(frozen=True, slots=True)
class Trade:
    """Goods trade of 2024.

    Attributes
    ----------
    lines
        Table origin, destination (regions, never equal), hs6, source, value_usd (int64). ``source`` is ``reported``
        (BACI 2024), ``us_census``, ``rescaled``, ``filled_importer`` (importer missing in 2024) or ``restored`` (pair
        without any record in 2024).
    pairs
        Table exporter, importer (ISO3), value_2023_usd, value_2024_usd; NaN where nothing is reported.
    episodes
        Table kind, exporter, importer, value_2023_usd, value_2024_usd, value_used_usd: every pair or country that a
        rule touched or flagged.
    """

    lines: pd.DataFrame
    pairs: pd.DataFrame
    episodes: pd.DataFrame


def assemble_trade(sources: Sources, rules: Rules = RULES) -> Trade:
    """Assemble goods trade between regions by HS6 from BACI 2024, US imports 2024 and BACI 2023.

    Notes
    -----
    1. BACI 2024 where the importer is in it.
    2. Importers only in 2023 (DEU, ESP, FRA, NLD, GBR): the 2023 total of each exporter times its growth 2024 / 2023 to
       the Union members that do report, split by its product mix to them. Flows inside the Union are not needed.
    3. USA: the Census file. Partners not in it: 2023 totals times the exporter's growth, split by its mix to the world.
    4. Pairs silent in 2024: restored at their 2023 value. Countries whose totals jump: scaled back. See `Rules`.
    """
    connection = open_baci(sources)
    before, after = load_totals_2023(sources), totals(connection)
    us = load_us_imports(sources)
    both = before.merge(after, on=["exporter", "importer"], how="outer", suffixes=("_2023", "_2024"))
    both = both.sort_values(["exporter", "importer"], ignore_index=True)
    region = pd.Series(regions_of({*both["exporter"], *both["importer"]}))
    common = sorted(set(before["importer"]) & set(after["importer"]))
    factors = outliers(both, common, rules)
    fills = pd.concat(
        [
            fill_missing_importers(both, region, rules),
            fill_missing_us_partners(both, region, set(us["exporter"]), common, rules),
            restore_silent_pairs(both, common, rules),
        ],
        ignore_index=True,
    )
    lines = _lines(connection, region, factors, fills, us, rules)
    episodes = pd.concat(
        [
            fills.rename(columns={"source": "kind", "value_usd": "value_used_usd"}).drop(columns="mix"),
            factors,
            collapsed_pairs(both, common, rules),
        ],
        ignore_index=True,
    )
    return Trade(lines, _pairs(both, us), episodes.sort_values(["kind", "exporter", "importer"], ignore_index=True))


def growth(both: pd.DataFrame, importers: list[str], rules: Rules = RULES) -> pd.Series[float]:
    """Return each exporter's growth 2024 / 2023 over pairs reported in both years, to given importers, bounded.

    The entry ``""`` is the growth of all exporters together.
    """
    matched = both[both["importer"].isin(importers)].dropna()
    sums = matched.groupby("exporter")[["value_usd_2023", "value_usd_2024"]].sum()
    total = sums.sum()
    overall = float(total["value_usd_2024"] / total["value_usd_2023"])
    rate = (sums["value_usd_2024"] / sums["value_usd_2023"]).where(
        sums["value_usd_2023"] >= rules.growth_base_usd, overall
    )
    return pd.concat([rate, pd.Series({"": overall})]).clip(*rules.growth_bounds)


def fill_missing_importers(both: pd.DataFrame, region: pd.Series[str], rules: Rules = RULES) -> pd.DataFrame:
    """Move the 2023 totals of importers that 2024 lacks (the USA apart) to 2024; see `assemble_trade`.

    An exporter that the 2023 file lacks altogether (Taiwan) is given the importer's share in what it sells to the
    reporting members of the Union: the importer's imports of 2023 over theirs, from the exporters in both files.
    """
    has_2024 = set(both.loc[both["value_usd_2024"].notna(), "importer"])
    absent = sorted(set(both["importer"]) - has_2024 - {"USA"})
    reference = sorted(code for code in has_2024 if region[code] == "EU27")
    rate = growth(both, reference, rules)
    known = both[both["importer"].isin(absent) & both["value_usd_2023"].notna()]
    moved = known.assign(value=known["value_usd_2023"] * known["exporter"].map(rate).fillna(rate[""]))
    new = sorted(set(both["exporter"]) - set(both.loc[both["value_usd_2023"].notna(), "exporter"]))
    outside = both[~both["exporter"].map(region).eq("EU27")]
    imports = outside.groupby("importer")["value_usd_2023"].sum()
    sales = (
        both[both["importer"].isin(reference) & both["exporter"].isin(new)].groupby("exporter")["value_usd_2024"].sum()
    )
    scale = {importer: float(imports[importer] / imports.loc[reference].sum()) for importer in absent}
    guessed = pd.DataFrame(
        [(e, i, float("nan"), float(sales.get(e, 0.0)) * scale[i]) for e in new for i in absent],
        columns=["exporter", "importer", "value_usd_2023", "value"],
    )
    rows = pd.concat([moved[guessed.columns], guessed], ignore_index=True)
    rows = rows[rows["exporter"].map(region) != rows["importer"].map(region)]
    return _fill_rows(rows, "filled_importer", "union")


def fill_missing_us_partners(
    both: pd.DataFrame, region: pd.Series[str], listed: set[str], common: list[str], rules: Rules = RULES
) -> pd.DataFrame:
    """Move the 2023 totals of US partners that the Census file does not list to 2024."""
    rate = growth(both, common, rules)
    rows = both[(both["importer"] == "USA") & both["value_usd_2023"].notna() & ~both["exporter"].isin(listed)]
    rows = rows[rows["exporter"].map(region) != "EU27"]
    return _fill_rows(
        rows.assign(value=rows["value_usd_2023"] * rows["exporter"].map(rate).fillna(rate[""])),
        "filled_importer",
        "world",
    )


def restore_silent_pairs(both: pd.DataFrame, common: list[str], rules: Rules = RULES) -> pd.DataFrame:
    """Restore at their 2023 value the pairs for which neither side left a record in 2024.

    BACI holds a flow if either side reports it; with no record at all a flow that was large a year before is unknown.
    """
    silent = (
        both["importer"].isin(common)
        & both["value_usd_2024"].isna()
        & (both["value_usd_2023"] >= rules.silent_pair_usd)
    )
    rows = both[silent & both["exporter"].isin(set(both.loc[both["value_usd_2024"].notna(), "exporter"]))]
    return _fill_rows(rows.assign(value=rows["value_usd_2023"]), "restored", "region")


def _fill_rows(rows: pd.DataFrame, source: str, mix: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source": source,
            "mix": mix,
            "exporter": rows["exporter"],
            "importer": rows["importer"],
            "value_2023_usd": rows["value_usd_2023"],
            "value_2024_usd": float("nan"),
            "value_usd": rows["value"].round(),
        }
    ).query("value_usd > 0")


def outliers(both: pd.DataFrame, common: list[str], rules: Rules = RULES) -> pd.DataFrame:
    """Find countries whose exports or imports jump by `Rules.outlier_ratio`, over importers present in both years.

    Returns
    -------
    Episodes of kind ``rescaled``: totals of 2023 and 2024 with ``*`` for all partners. Papua New Guinea is one:
    exports rise 4.6 times and imports 3.6 times, near the number of kina to the dollar.
    """
    matched = both[both["importer"].isin(common)].fillna({"value_usd_2023": 0.0, "value_usd_2024": 0.0})
    parts: list[pd.DataFrame] = []
    for side, other in (("exporter", "importer"), ("importer", "exporter")):
        sums = matched.groupby(side)[["value_usd_2023", "value_usd_2024"]].sum()
        jump = sums.loc[
            (sums["value_usd_2024"] >= rules.outlier_usd)
            & (sums["value_usd_2023"] > 0)
            & (sums["value_usd_2024"] >= rules.outlier_ratio * sums["value_usd_2023"]),
            :,
        ]
        parts.append(
            pd.DataFrame(
                {
                    "kind": "rescaled",
                    side: jump.index,
                    other: "*",
                    "value_2023_usd": jump["value_usd_2023"].to_numpy(),
                    "value_2024_usd": jump["value_usd_2024"].to_numpy(),
                    "value_used_usd": jump["value_usd_2023"].to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def collapsed_pairs(both: pd.DataFrame, common: list[str], rules: Rules = RULES) -> pd.DataFrame:
    """List pairs that fall to almost nothing without falling silent; they are kept as reported."""
    fell = both["value_usd_2024"] < rules.collapse_ratio * both["value_usd_2023"]
    rows = both.loc[fell & (both["value_usd_2023"] >= rules.collapse_usd) & both["importer"].isin(common), :]
    return pd.DataFrame(
        {
            "kind": "collapsed",
            "exporter": rows["exporter"],
            "importer": rows["importer"],
            "value_2023_usd": rows["value_usd_2023"],
            "value_2024_usd": rows["value_usd_2024"],
            "value_used_usd": rows["value_usd_2024"],
        }
    )


def _pairs(both: pd.DataFrame, us: pd.DataFrame) -> pd.DataFrame:
    """Return country totals of both years; US imports of 2024 come from the Census, the Union as one exporter."""
    census = us.groupby("exporter", as_index=False)["value_usd"].sum().assign(importer="USA")
    pairs = both.merge(census, on=["exporter", "importer"], how="outer")
    return pd.DataFrame(
        {
            "exporter": pairs["exporter"],
            "importer": pairs["importer"],
            "value_2023_usd": pairs["value_usd_2023"],
            "value_2024_usd": pairs["value_usd_2024"].fillna(pairs["value_usd"]),
        }
    ).sort_values(["exporter", "importer"], ignore_index=True)


def _lines(
    connection: duckdb.DuckDBPyConnection,
    region: pd.Series[str],
    factors: pd.DataFrame,
    fills: pd.DataFrame,
    us: pd.DataFrame,
    rules: Rules,
) -> pd.DataFrame:
    """Aggregate reported and filled flows to regions and HS6 in DuckDB."""
    placed = pd.concat([region, pd.Series({"EU27": "EU27"})])
    connection.register("region", pd.DataFrame({"iso3": placed.index, "region": placed.to_numpy()}))
    for side in ("exporter", "importer"):
        mine = factors[factors[side] != "*"]
        scale = pd.DataFrame({"iso3": mine[side], "scale": mine["value_used_usd"] / mine["value_2024_usd"]})
        connection.register(f"{side}_scale", scale.astype({"iso3": str, "scale": float}))
    connection.register("fills", fills)
    connection.register("us", us)
    connection.execute(
        """
        CREATE TABLE placed AS
        SELECT exporter, o.region AS origin, importer, d.region AS destination, hs6,
               coalesce(e.scale, m.scale) IS NOT NULL AS rescaled,
               round(value_usd * coalesce(e.scale, 1) * coalesce(m.scale, 1))::BIGINT AS value_usd
        FROM baci JOIN region o ON exporter = o.iso3 JOIN region d ON importer = d.iso3
        LEFT JOIN exporter_scale e ON exporter = e.iso3 LEFT JOIN importer_scale m ON importer = m.iso3;

        CREATE TABLE sold AS
        SELECT exporter, destination, hs6, sum(value_usd)::BIGINT AS value_usd FROM placed GROUP BY ALL;

        CREATE TABLE mix AS
        SELECT exporter, 'world' AS mix, hs6, sum(value_usd)::BIGINT AS value_usd FROM sold GROUP BY ALL
        UNION ALL SELECT exporter, destination, hs6, value_usd FROM sold;

        CREATE TABLE mix_total AS SELECT exporter, mix, sum(value_usd)::BIGINT AS value_usd FROM mix GROUP BY ALL;
        """
    )
    return connection.execute(
        """
        WITH wanted AS (
            SELECT f.exporter, o.region AS origin, d.region AS destination, f.source, f.value_usd,
                   CASE f.mix WHEN 'union' THEN 'EU27' WHEN 'region' THEN d.region ELSE 'world' END AS mix
            FROM fills f JOIN region o ON f.exporter = o.iso3 JOIN region d ON f.importer = d.iso3
            WHERE o.region <> d.region
        ), chosen AS (
            SELECT w.* EXCLUDE (mix), CASE WHEN coalesce(t.value_usd, 0) >= $mix_usd THEN w.mix ELSE 'world' END AS mix
            FROM wanted w LEFT JOIN mix_total t ON w.exporter = t.exporter AND w.mix = t.mix
        ), flows AS (
            SELECT origin, destination, hs6, CASE WHEN rescaled THEN 'rescaled' ELSE 'reported' END AS source, value_usd
            FROM placed WHERE origin <> destination
            UNION ALL
            SELECT c.origin, c.destination, m.hs6, c.source, round(c.value_usd * (m.value_usd / t.value_usd))::BIGINT
            FROM chosen c JOIN mix m ON c.exporter = m.exporter AND c.mix = m.mix
            JOIN mix_total t ON c.exporter = t.exporter AND c.mix = t.mix
            UNION ALL
            SELECT o.region, 'USA', u.hs6, 'us_census', u.value_usd FROM us u JOIN region o ON u.exporter = o.iso3
        )
        SELECT origin, destination, hs6, source, sum(value_usd)::BIGINT AS value_usd
        FROM flows GROUP BY ALL HAVING sum(value_usd) > 0 ORDER BY ALL
        """,
        {"mix_usd": rules.mix_usd},
    ).df()
