"""What a benchmark case holds before it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Prepared", "Run"]

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case ready to be run: our run, the check of its answer, an opponent's run (None without one).

    ``sweep_bytes`` is what one evaluation of the equilibrium map must read at the least, ``sweeps`` reads their
    number off an answer; together they give the time that memory alone would take.
    ``most_repeats`` limits the timed runs of long cases. ``peaks_mb`` tells the peak memory of our run and of the
    opponent's, MB, where each runs in a process of its own.
    """

    size: str
    run: Run
    check: Callable[[Any], None]
    opponent: Run | None = None
    opponent_name: str = ""
    sweep_bytes: int = 0
    sweeps: Callable[[Any], int] | None = None
    most_repeats: int = 1000
    peaks_mb: Callable[[], tuple[float, float]] | None = None
