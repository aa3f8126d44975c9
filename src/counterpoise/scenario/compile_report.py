"""What became of every measure of a scenario on a day: what it touched, what it covers, and what a reader must know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CompileReport", "Coverage", "MeasureReport"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a measure covers of one sector of one pair.

    Attributes
    ----------
    trade_usd
        Trade covered, USD a year at customs value.
    covered_share
        Share of the sector's trade, 0 to 1.
    rate
        Mean of the measure's rate over the trade covered.
    """

    origin: str
    destination: str
    sector: str
    trade_usd: float
    covered_share: float
    rate: float


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """What became of one measure.

    Attributes
    ----------
    active
        True when the measure acts on the day.
    reason
        Why it does not act; empty where it does.
    cells
        Number of (origin, destination, sector) or (country, sector) cells touched.
    trade_usd
        Baseline trade covered, USD a year, or the potential that is opened; NaN for productivity, labour and demand.
    mean_rate
        Trade-weighted mean of what is applied: duty, tax, subsidy, ad valorem equivalent, or factor minus one; for a
        quota its limit over the trade covered, minus one; NaN for an embargo and an opening.
    notes
        What a reader must know: codes without trade, missing detail.
    """

    id: str
    kind: str
    group: str
    title: str
    source: str
    confidence: str
    active: bool
    reason: str = ""
    cells: int = 0
    trade_usd: float = 0.0
    mean_rate: float = float("nan")
    coverage: tuple[Coverage, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompileReport:
    """What became of every measure on a day."""

    scenario: str
    as_of: date | None
    groups: tuple[str, ...] | None
    measures: tuple[MeasureReport, ...]

    @property
    def active(self) -> tuple[MeasureReport, ...]:
        """Measures that act."""
        return tuple(m for m in self.measures if m.active)

    def records(self) -> list[dict[str, Any]]:
        """Return one JSON-ready row per measure, without the coverage by sector."""
        keys = (
            "id",
            "kind",
            "group",
            "title",
            "active",
            "reason",
            "cells",
            "trade_usd",
            "mean_rate",
            "source",
            "confidence",
        )
        rows: list[dict[str, Any]] = []
        for measure in self.measures:
            row = {key: getattr(measure, key) for key in keys}
            row["notes"] = list(measure.notes)
            rows.append({k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()})
        return rows

    def coverage_table(self) -> pd.DataFrame:
        """Return what every active measure covers, one row per measure, pair and sector as in `Coverage`."""
        import pandas as pd

        columns = ["measure", "origin", "destination", "sector", "trade_usd", "covered_share", "rate"]
        rows = [
            (m.id, c.origin, c.destination, c.sector, c.trade_usd, c.covered_share, c.rate)
            for m in self.measures
            for c in m.coverage
        ]
        return pd.DataFrame(rows, columns=columns)
