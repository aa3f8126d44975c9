"""The gap of a pair as a table: what each question of `counterpoise.measure.gap` returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd

from counterpoise.data.reporting import listed_silent
from counterpoise.measure.indicators import concentration, grubel_lloyd

__all__ = ["GapTable", "basis_words", "finish_products", "product_indicators"]


@dataclass(frozen=True, slots=True)
class GapTable:
    """The gap of a pair, taken apart.

    Attributes
    ----------
    a, b
        The pair; ``gap_usd`` is what a sells to b minus what b sells to a.
    by
        One of `counterpoise.measure.gap.BY`.
    rows
        One row per year or product: names, ``a_to_b_usd``, ``b_to_a_usd``, ``gap_usd`` (USD a year at customs value,
        NaN where a side is absent), ``a_to_b_basis``, ``b_to_a_basis`` (whose records the number is), and for products
        ``gap_share`` (share of the total gap) and ``grubel_lloyd`` (1); for years growth in percent.
    totals
        Sums in USD for products; the latest full year for ``by="year"``.
    caveats
        What a reader must know about the numbers.
    indicators
        Numbers on the whole table, NaN where a side is absent; see `counterpoise.measure.indicators`.
    """

    a: str
    b: str
    by: str
    rows: pd.DataFrame
    totals: Mapping[str, float]
    caveats: tuple[str, ...]
    indicators: Mapping[str, float] = field(default_factory=dict[str, float])

    def to_json(self) -> dict[str, Any]:
        """Return a, b, by, rows, totals, indicators and caveats, ready for JSON; absent numbers are null."""
        return {
            "a": self.a,
            "b": self.b,
            "by": self.by,
            "rows": [{str(k): _plain(v) for k, v in row.items()} for row in self.rows.to_dict("records")],
            "totals": {k: _plain(v) for k, v in self.totals.items()},
            "indicators": {k: _plain(v) for k, v in self.indicators.items()},
            "caveats": list(self.caveats),
        }


def _plain(value: object) -> object:
    """Return a number as JSON takes it; an absent one as None."""
    number = cast("object", value.item()) if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and np.isnan(number) else number


def finish_products(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Add gap, its share of the total and the Grubel-Lloyd index; sort by size; return the totals, too."""
    # A side that is absent altogether stays absent in the totals.
    a_to_b, b_to_a = (float(frame[column].sum(min_count=1)) for column in ("a_to_b_usd", "b_to_a_usd"))
    total = a_to_b - b_to_a
    frame = frame.assign(gap_usd=frame["a_to_b_usd"] - frame["b_to_a_usd"])
    frame["gap_share"] = frame["gap_usd"] / total if total else np.nan
    both = frame["a_to_b_usd"] + frame["b_to_a_usd"]
    frame["grubel_lloyd"] = (1 - frame["gap_usd"].abs() / both.where(both > 0)).to_numpy(float)
    frame = frame.sort_values("gap_usd", key=lambda v: -v.abs(), kind="stable", ignore_index=True)
    return frame, {"a_to_b_usd": a_to_b, "b_to_a_usd": b_to_a, "gap_usd": total, "turnover_usd": a_to_b + b_to_a}


def product_indicators(frame: pd.DataFrame) -> dict[str, float]:
    """Return concentration of each direction and the Grubel-Lloyd index over the rows of a table by product."""
    there, back = (frame[column].to_numpy(float) for column in ("a_to_b_usd", "b_to_a_usd"))
    return {
        "a_to_b_hhi": concentration(there),
        "b_to_a_hhi": concentration(back),
        "grubel_lloyd": grubel_lloyd(there, back),
    }


def basis_words(origin: str, destination: str, year: int, otherwise: str, silent: Collection[str] | None = None) -> str:
    """Return whose records a flow of a year is, where one side publishes none.

    Parameters
    ----------
    otherwise
        What it is where both sides publish.
    silent
        Countries that report nothing in the year; those that are listed by default.

    Examples
    --------
    >>> basis_words("IND", "RUS", 2024, "reconciled"), basis_words("IND", "RUS", 2019, "reconciled")
    ('mirror: RUS publishes nothing, as IND reports', 'reconciled')
    """
    listed = listed_silent(year)
    quiet = listed if silent is None else silent
    if origin in quiet and destination in quiet:
        return f"estimate of the source: neither {origin} nor {destination} publishes anything"
    for name, other in ((destination, origin), (origin, destination)):
        if name in quiet:
            return f"mirror: {name} {'publishes' if name in listed else 'reports'} nothing, as {other} reports"
    return otherwise
