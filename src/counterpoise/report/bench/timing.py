"""Check, then time: compiling apart from running, opponents in the same run, memory, and the limit of the machine."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.report.bench.cases import BENCHMARKS
from counterpoise.report.bench.prepared import Prepared, Run
from counterpoise.solver.lanes import device

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bandwidth", "markdown", "measure"]


_LONG = 5.0
"""An opponent that takes longer runs once, seconds."""


def measure(
    names: Sequence[str] | None = None,
    sources: Path | None = None,
    *,
    repeats: int = 7,
    progress: Callable[[str, int, int], None] | None = None,
) -> pd.DataFrame:
    """Run benchmarks, each checked before it is timed.

    Parameters
    ----------
    names
        Cases of `BENCHMARKS`; all by default.
    sources
        Folder of the raw sources, for the published cases.
    repeats
        Timed runs of ours; the least counts, the median is given beside it. Opponents run twice, the least counts; once
        where they take more than 5 seconds.
    progress
        Called with a case, cases done and cases in all.

    Returns
    -------
    One row per case: case, what, size, prepare_s (data and opponents made ready), first_ms (compiling or the cache of
    what was compiled included), warm_ms, median_ms, processor_ms (all threads, mean of the runs), aim_ms, opponent,
    opponent_ms, ratio (opponent over ours), sweeps, memory_bound_ms (bytes the sweeps must read over the measured
    bandwidth), of_limit (that over ours), peak_mb of the process so far or, where ours and the opponent run in
    processes of their own, of ours alone, with opponent_peak_mb; load of the machine when the case ended, machine.

    Raises
    ------
    InputError
        If a case is unknown.
    NotConvergedError
        If an answer is not what it must be.
    """
    import pandas as pd

    wanted = list(BENCHMARKS) if names is None else list(names)
    unknown = [
        f"unknown benchmark '{name}'{did_you_mean(name, BENCHMARKS)}" for name in wanted if name not in BENCHMARKS
    ]
    raise_all(InputError, f"nothing to measure; known are {', '.join(BENCHMARKS)}", unknown)
    speed = bandwidth()
    rows: list[dict[str, object]] = []
    for done, name in enumerate(wanted):
        if progress is not None:
            progress(name, done, len(wanted))
        prepare, what, aim = BENCHMARKS[name]
        began = time.perf_counter()
        case = prepare(sources)
        ready = time.perf_counter() - began
        row = {"case": name, "what": what, "prepare_s": ready, **_timed(case, repeats, speed), "aim_ms": aim}
        peak, other = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, float("nan")
        if case.peaks_mb is not None:
            peak, other = case.peaks_mb()
        rows.append(row | {"peak_mb": peak, "opponent_peak_mb": other, "load": os.getloadavg()[0]})
    frame = pd.DataFrame(rows)
    frame["machine"] = machine(speed)
    return frame


def machine(speed: float) -> str:
    """Name the machine: processor, cores, load when asked, what JAX runs on, and the bandwidth of one core."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    platform_of, kind = device()
    on = "" if platform_of == "cpu" else f", {kind}"
    return f"{name}, {os.cpu_count()} cores, {speed / 1e9:.0f} GB/s read by one, load {os.getloadavg()[0]:.1f}{on}"


def _timed(case: Prepared, repeats: int, speed: float) -> dict[str, object]:
    """Check, then time; milliseconds."""
    began = time.perf_counter()
    answer = case.run()
    first = time.perf_counter() - began
    theirs = [] if case.opponent is None else _times(case.opponent, 1)
    case.check(answer)
    if case.opponent is not None and theirs[0] < _LONG:
        theirs += _times(case.opponent, 1)
    runs = min(repeats, case.most_repeats)
    spent = _processor_time()
    taken = _times(case.run, runs)
    spent = _processor_time() - spent
    warm = min(taken)
    other = min(theirs, default=float("nan"))
    sweeps = case.sweeps(answer) if case.sweeps is not None else 0
    bound = sweeps * case.sweep_bytes / speed if sweeps else float("nan")
    return {
        "size": case.size,
        "first_ms": 1e3 * first,
        "warm_ms": 1e3 * warm,
        "median_ms": 1e3 * float(np.median(taken)),
        "processor_ms": 1e3 * spent / runs,
        "opponent": case.opponent_name,
        "opponent_ms": 1e3 * other,
        "ratio": other / warm,
        "sweeps": sweeps,
        "memory_bound_ms": 1e3 * bound,
        "of_limit": bound / warm,
    }


def _processor_time() -> float:
    """Return the time that processors have worked for this process and its children, seconds, all threads together."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _times(run: Run, repeats: int) -> list[float]:
    """Return wall times of a run, seconds."""
    taken: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return taken


def bandwidth(megabytes: int = 256) -> float:
    """Measure how fast one core reads memory, bytes a second."""
    array = np.ones(megabytes * 2**17)
    return array.nbytes / min(_times(array.sum, 6))


def markdown(table: pd.DataFrame) -> str:
    """Return the table of `measure` as Markdown: ratios first, the machine named above."""

    def number(value: object, decimals: int = 1) -> str:
        read = float(str(value))
        return "–" if not np.isfinite(read) else f"{read:,.{decimals}f}"

    head = (
        "| case | size | times faster than | ratio | aim met by | ours, ms | aim, ms | median, ms | processor, ms | "
        "first call, ms | share of the limit of memory | peak so far, MB | load |"
    )
    lines = [f"Machine: {table['machine'].iloc[0]}.", "", head, "|---|---|---|" + "---:|" * 10]
    for row in table.to_dict("records"):
        aim = float(row["aim_ms"])
        cells = [
            f"{row['what']} (`{row['case']}`)",
            str(row["size"]),
            str(row["opponent"]) or "–",
            number(row["ratio"]),
            number(aim / float(row["warm_ms"])),
            number(row["warm_ms"]),
            number(aim),
            number(row["median_ms"]),
            number(row["processor_ms"]),
            number(row["first_ms"], 0),
            "–" if not np.isfinite(float(row["of_limit"])) else f"{100 * float(row['of_limit']):.0f} %",
            number(row["peak_mb"], 0)
            + (
                ""
                if np.isnan(float(row["opponent_peak_mb"]))
                else f" alone; opponent {number(row['opponent_peak_mb'], 0)}"
            ),
            number(row["load"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
