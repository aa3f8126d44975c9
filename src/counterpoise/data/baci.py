"""BACI bilateral goods trade: HS6 flows of 2024 in DuckDB, country totals of 2023 and 2024 in pandas."""

from __future__ import annotations

import re
from itertools import takewhile

import duckdb
import pandas as pd

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.concordance import regions_of
from counterpoise.data.sources import Sources

__all__ = ["load_headings", "load_totals_2023", "open_baci", "totals"]


def open_baci(sources: Sources) -> duckdb.DuckDBPyConnection:
    """Open the HS6 flows of 2024 as table ``baci`` (exporter, importer, hs6, value_usd BIGINT) in memory.

    Values are whole USD, so that sums are exact and do not depend on the order of the rows. FOB, customs value.

    Raises
    ------
    DataError
        If a line is missing, negative or has an HS code that is not six digits, or a country trades with itself.
    InputError
        If a country is in no region.
    """
    connection = duckdb.connect()
    path = str(sources.path("baci_2024")).replace("'", "''")
    connection.execute(f"CREATE VIEW raw AS SELECT * FROM read_parquet('{path}')")
    bad = connection.execute(
        """
        SELECT exporter, importer, hs6, value_usd FROM raw
        WHERE value_usd IS NULL OR NOT isfinite(value_usd) OR value_usd < 0
           OR exporter IS NULL OR importer IS NULL OR exporter = importer
           OR NOT regexp_full_match(hs6, '[0-9]{6}')
        ORDER BY ALL LIMIT 50
        """
    ).fetchall()
    raise_all(
        DataError,
        "the BACI 2024 file cannot be used; expected whole, non-negative USD per exporter, importer and HS6",
        [f"{e} -> {i}, HS {hs}: {value}" for e, i, hs, value in bad],
    )
    connection.execute(
        "CREATE TABLE baci AS SELECT exporter, importer, hs6, round(value_usd)::BIGINT AS value_usd FROM raw"
    )
    regions_of(r[0] for r in connection.execute("SELECT exporter FROM baci UNION SELECT importer FROM baci").fetchall())
    return connection


def totals(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the 2024 total of every reported country pair: exporter, importer, value_usd (int64); sorted."""
    return connection.execute(
        "SELECT exporter, importer, sum(value_usd)::BIGINT AS value_usd FROM baci GROUP BY ALL ORDER BY ALL"
    ).df()


def load_totals_2023(sources: Sources) -> pd.DataFrame:
    """Return the 2023 total of every country pair: exporter, importer, value_usd (int64); sorted.

    Raises
    ------
    DataError
        If a pair is missing a value, negative or repeated.
    """
    raw = pd.read_parquet(sources.path("baci_2023"))
    value = raw["value_thousand_usd"]
    bad = raw[~(value >= 0) | raw.duplicated(["exporter", "importer"])]
    raise_all(
        DataError,
        "the BACI 2023 file cannot be used; expected one non-negative number per pair",
        [f"{r.exporter} -> {r.importer}: {r.value_thousand_usd}" for r in bad.itertuples()],
    )
    regions_of({*raw["exporter"], *raw["importer"]})
    table = raw[["exporter", "importer"]].assign(value_usd=(value * 1e3).round().astype("int64"))
    return table.sort_values(["exporter", "importer"], ignore_index=True)


def load_headings(sources: Sources) -> pd.DataFrame:
    """Return a name for each HS heading: hs (four digits), name; sorted.

    The names of BACI are of HS 2002 and of six digits: a heading takes the words with which all its codes begin, at
    most about 80 letters of them, or else what each of its goods is called before a colon, as far as they fit. Newer
    headings are not listed.
    """
    raw = pd.read_csv(sources.path("product_names"), dtype=str, keep_default_na=False)
    names: dict[str, list[str]] = {}
    for code, text in zip(raw["code"], raw["description"], strict=True):
        names.setdefault(code.zfill(6)[:4], []).append(text)
    rows = [(heading, _common_beginning(texts)) for heading, texts in sorted(names.items())]
    return pd.DataFrame(rows, columns=["hs", "name"])


def _common_beginning(texts: list[str], longest: int = 80) -> str:
    """Return the words that all texts begin with, without a dangling bracket, conjunction or sign at the end."""
    words = [list(group) for group in zip(*(text.split() for text in texts), strict=False)]
    common = [group[0] for group in takewhile(lambda group: len(set(group)) == 1, words)]
    whole = " ".join(common)
    if len(whole) > longest:
        whole = whole[:longest].rsplit(" ", 1)[0]
    if whole.count("(") > whole.count(")"):
        whole = whole[: whole.rindex("(")]
    first = re.split(r"[:;]", texts[0])[0]
    whole = re.sub(r"(,? (of|or|and|for|with|whether|other|not|in|n\.e\.c\.))+$", "", whole.strip(" ,;:")).strip(" ,;:")
    return whole if len(whole) >= min(len(first), 12) else _every_beginning(texts, longest)


def _every_beginning(texts: list[str], longest: int) -> str:
    """Return what each good of a heading is called, in the order of its codes; ``and others`` where they do not fit."""
    goods: dict[str, list[str]] = {}
    for text in texts:
        goods.setdefault(re.split(r"[:;]", text)[0], []).append(text)
    few = len(goods) <= 2
    named = [_whole_phrase(called, mine) if few else called for called, mine in goods.items()]
    kept = named[:1]
    for name in named[1:]:
        if len("; ".join([*kept, name])) > longest:
            return "; ".join(kept) + " and others"
        kept.append(name)
    return "; ".join(kept)


def _whole_phrase(called: str, texts: list[str]) -> str:
    """Return what texts say alike up to a comma, as ``Metals: gold``; else what they are called."""
    parts = [
        group[0] for group in takewhile(lambda g: len(set(g)) == 1, zip(*(t.split(",") for t in texts), strict=False))
    ]
    return parts[0].strip() if len(texts) > 1 and parts and ":" in parts[0] else called
