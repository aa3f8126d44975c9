"""The trade store beside pandas: the same two tables of a pair from ten million rows, in the same run.

Cold is a new process, from the start of the interpreter to the answer; warm is another question to what is open: the
store, or the frame that pandas has read. The answers are shown to agree before anything is timed.
"""

from __future__ import annotations

import atexit
import inspect
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from counterpoise.core.errors import DataError
from counterpoise.data.sources import locate_sources
from counterpoise.data.trade_store import TradeStore, import_trade
from counterpoise.report.bench.prepared import Prepared

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["agree", "pandas_pair", "prepare_cold", "prepare_import", "prepare_warm", "store_pair"]

_A, _B = "RUS", "IND"
_ROWS = 9_933_867

# The high-water mark of the process alone: ru_maxrss would carry that of the one that started it.
_PEAK = """
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([1024 * int(peak.split()[1]), float(pair["value_usd"].sum())]))
"""

# Each process imports what its answer needs, and nothing of the benchmarks.
_STORE = """
from __future__ import annotations
import json
from counterpoise.data.trade_store import TradeStore
{function}
pair, beside = store_pair(TradeStore.open({place!r}), {a!r}, {b!r})
"""

_PANDAS = """
from __future__ import annotations
import json
import pandas as pd
{function}
pair, beside = pandas_pair(pd.read_parquet({place!r}), {a!r}, {b!r})
"""


def store_pair(store: TradeStore, a: str, b: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what a sells to b by HS6, and every product of the world beside the pair's, from the store."""
    return store.pair(a, b), store.pair_products(a, b)


def pandas_pair(raw: pd.DataFrame, a: str, b: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the same two tables with pandas, from a frame exporter, importer, hs6, value_usd."""
    import pandas as pd

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


def _folder() -> str:
    """Make a folder that is gone when this process ends."""
    folder = tempfile.mkdtemp(prefix="counterpoise-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _source(sources: Path | None) -> Path:
    return locate_sources(sources).path("baci_2024")


def prepare_import(sources: Path | None) -> Prepared:
    """Prepare the import of BACI 2024 into a store."""
    path = _source(sources)

    def run() -> int:
        with (
            tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as name,
            import_trade(path, name, year=2024) as made,
        ):
            return int(made.at(2024).manifest["rows_kept"])

    def check(rows: int) -> None:
        if rows != _ROWS:
            raise DataError(f"the store holds {rows:,} rows, the file {_ROWS:,}; nothing is timed")

    return Prepared(f"{_ROWS:,} rows", run, check, most_repeats=1)


def prepare_cold(sources: Path | None) -> Prepared:
    """Prepare the question in a new process, to the store and to pandas; each tells its own peak of memory."""
    path, folder = _source(sources), _folder()
    import_trade(path, folder, year=2024).close()
    peaks: dict[str, float] = {}

    def asked(who: str, code: str, function: Callable[..., object], place: str) -> Callable[[], float]:
        text = code.format(function=inspect.getsource(function), place=place, a=_A, b=_B)

        def run() -> float:
            peak, value = _fresh(text)
            peaks[who] = max(peaks.get(who, 0.0), peak)
            return value

        return run

    ours, theirs = asked("store", _STORE, store_pair, folder), asked("pandas", _PANDAS, pandas_pair, str(path))

    def check(value: float) -> None:
        _same_pair(value, theirs())

    return Prepared(
        f"{_ROWS:,} rows",
        ours,
        check,
        theirs,
        "pandas, a new process",
        most_repeats=3,
        peaks_mb=lambda: (peaks["store"] / 2**20, peaks["pandas"] / 2**20),
    )


def prepare_warm(sources: Path | None) -> Prepared:
    """Prepare another question to an open store, and to a frame that pandas has read."""
    import pandas as pd

    path, folder = _source(sources), _folder()
    store, raw = import_trade(path, folder, year=2024), pd.read_parquet(path)

    def run() -> tuple[pd.DataFrame, pd.DataFrame]:
        return store_pair(store, _A, _B)

    def other() -> tuple[pd.DataFrame, pd.DataFrame]:
        return pandas_pair(raw, _A, _B)

    def check(answer: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        agree(answer, other())

    return Prepared(f"{_ROWS:,} rows", run, check, other, "pandas, frame in memory")


def _fresh(code: str) -> tuple[float, float]:
    """Run code in a new interpreter; return its peak memory in bytes, and the value of the pair in USD."""
    run = subprocess.run([sys.executable, "-c", code + _PEAK], capture_output=True, text=True, check=False)
    if run.returncode:
        raise DataError(f"the measured process ended with {run.returncode}: {run.stderr.strip()[-400:]}")
    peak, value = json.loads(run.stdout.strip().splitlines()[-1])
    return float(peak), float(value)


def _same_pair(mine: float, other: float) -> None:
    if abs(mine / other - 1) > 1e-5:
        raise DataError(f"the store finds {mine:.6g} USD, pandas {other:.6g}; nothing is timed")


def agree(ours: tuple[pd.DataFrame, pd.DataFrame], theirs: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Check two answers.

    Raises
    ------
    DataError
        If they differ by more than rounding of the source's single precision.
    """
    for mine, other in zip(ours, theirs, strict=True):
        columns = [c for c in other.columns if c != "hs"]
        same = list(mine["hs"]) == list(other["hs"]) and all(
            np.allclose(mine[c].to_numpy(float), other[c].to_numpy(float), rtol=1e-5, equal_nan=True) for c in columns
        )
        if not same:
            raise DataError("the store and pandas give different tables of the pair; nothing is timed")
