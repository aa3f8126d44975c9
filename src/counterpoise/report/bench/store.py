"""The trade store beside pandas: the same tables of a pair from ten million rows, in the same run.

Cold is a new process, from its first import to the answer; warm is a second question to an open store. The answers are
shown to agree before anything is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoise.core.errors import DataError
from counterpoise.data.sources import locate_sources
from counterpoise.data.trade_store import TradeStore, import_trade

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["measure_store", "pandas_pair", "store_pair"]

_SECONDS = """
import json, time
start = time.perf_counter()
{code}
seconds = time.perf_counter() - start
# The high-water mark of this process alone: ru_maxrss would carry that of the one that started it.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, 1024 * int(peak.split()[1])]))
"""

_STORE = """
from counterpoise.data.trade_store import TradeStore
store = TradeStore.open({store!r})
store.pair({a!r}, {b!r}); store.pair_products({a!r}, {b!r})
"""

_PANDAS = """
from counterpoise.report.benchmarks_store import pandas_pair
pandas_pair({path!r}, {a!r}, {b!r})
"""


def store_pair(store: TradeStore, a: str, b: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what a sells to b by HS6, and every product of the world beside the pair's, from the store."""
    return store.pair(a, b), store.pair_products(a, b)


def pandas_pair(path: str | Path, a: str, b: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the same two tables from the raw Parquet file, with pandas."""
    import pandas as pd

    raw = pd.read_parquet(path)

    def total(rows: pd.DataFrame) -> pd.Series[float]:
        return rows.groupby("hs6")["value_usd"].sum().astype(float)

    seller, buyer = raw["exporter"], raw["importer"]
    series = {
        "a_to_b_usd": total(raw[(seller == a) & (buyer == b)]),
        "b_to_a_usd": total(raw[(seller == b) & (buyer == a)]),
        "a_exports_usd": total(raw[seller == a]),
        "a_imports_usd": total(raw[buyer == a]),
        "b_exports_usd": total(raw[seller == b]),
        "b_imports_usd": total(raw[buyer == b]),
        "world_usd": total(raw),
    }
    pair = series["a_to_b_usd"].rename("value_usd").rename_axis("hs").reset_index()
    return pair, pd.DataFrame(series).rename_axis("hs").reset_index()


def measure_store(a: str = "RUS", b: str = "IND", *, sources: Path | None = None, repeats: int = 3) -> dict[str, float]:
    """Import the BACI file of the sources, ask for a pair cold and warm, and ask pandas the same.

    Returns
    -------
    import_s, store_cold_s, store_warm_s, store_peak_bytes, pandas_cold_s, pandas_peak_bytes; times are the least of
    ``repeats``, cold ones of new processes.

    Raises
    ------
    DataError
        If the two answers differ; nothing is timed then.
    """
    path = locate_sources(sources).path("baci_2024")
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as name:
        start = time.perf_counter()
        store = import_trade(path, name, year=2024)
        imported = time.perf_counter() - start
        _agree(store_pair(store, a, b), pandas_pair(path, a, b))
        warm: list[float] = []
        for _ in range(repeats):
            start = time.perf_counter()
            store_pair(store, a, b)
            warm.append(time.perf_counter() - start)
        store.close()
        ours = [_fresh(_STORE.format(store=name, a=a, b=b)) for _ in range(repeats)]
        theirs = [_fresh(_PANDAS.format(path=str(path), a=a, b=b)) for _ in range(repeats)]
    return {
        "import_s": imported,
        "store_cold_s": min(t for t, _ in ours),
        "store_warm_s": min(warm),
        "store_peak_bytes": max(m for _, m in ours),
        "pandas_cold_s": min(t for t, _ in theirs),
        "pandas_peak_bytes": max(m for _, m in theirs),
    }


def _fresh(code: str) -> tuple[float, float]:
    """Run code in a new interpreter; return its seconds and its peak memory in bytes."""
    run = subprocess.run(
        [sys.executable, "-c", _SECONDS.format(code=code)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise DataError(f"the measured process ended with {run.returncode}: {run.stderr.strip()[-400:]}")
    seconds, peak = json.loads(run.stdout.strip().splitlines()[-1])
    return float(seconds), float(peak)


def _agree(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    """Raise where the two answers differ by more than rounding of the source's single precision."""
    import numpy as np

    for mine, other in zip(ours, theirs, strict=True):
        columns = [c for c in other.columns if c != "hs"]
        same = list(mine["hs"]) == list(other["hs"]) and all(
            np.allclose(mine[c].to_numpy(float), other[c].to_numpy(float), rtol=1e-5, equal_nan=True) for c in columns
        )
        if not same:
            raise DataError("the store and pandas give different tables of the pair; nothing is timed")
