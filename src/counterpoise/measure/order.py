"""What an order to buy more can and cannot do: plain arithmetic on what is traded, before any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError
from counterpoise.data import load_table

__all__ = [
    "FARM",
    "MEDICINES",
    "OrderCover",
    "closing_multiple",
    "closing_share_of_growth",
    "fuel_share",
    "order_cover",
]

FARM = tuple(f"{chapter:02}" for chapter in range(1, 25))
"""HS chapters of farm goods and food."""

MEDICINES = ("30",)
"""HS chapter of medicines."""

_PERIOD = "FY2024-25"

Tables = Mapping[str, pd.DataFrame] | None


@dataclass(frozen=True, slots=True)
class OrderCover:
    """How much of a gap the buyer could cover by buying certain goods from the seller alone.

    Attributes
    ----------
    imports_usd
        What the buyer imports of these goods from the world, as reported.
    bought_usd
        What of it comes from the seller already.
    gap_usd
        The gap to be covered: what the buyer sells to the seller minus what it buys, in ``period``.
    covered_share
        (imports - bought) / gap.
    """

    buyer: str
    seller: str
    period: str
    imports_usd: float
    bought_usd: float
    gap_usd: float

    @property
    def covered_share(self) -> float:
        """Share of the gap that the remaining imports would cover."""
        return (self.imports_usd - self.bought_usd) / self.gap_usd


def _table(tables: Tables, name: str) -> pd.DataFrame:
    return load_table(name) if tables is None or name not in tables else tables[name]


def _traded(
    tables: Tables, origin: str, destination: str, chapters: Sequence[str] | None, *, reported: bool = False
) -> float:
    """Return a flow by six digits in some chapters (all where None), USD."""
    products = _table(tables, "products")
    mine = products[
        (products["origin"] == origin) & (products["destination"] == destination) & (products["level"] == "hs6")
    ]
    if mine.empty:
        raise DataError(
            f"the product table holds no six-digit trade {origin} -> {destination}; it has India, Russia and the USA"
        )
    if chapters is not None:
        mine = mine[mine["hs"].str[:2].isin(list(chapters))]
    if reported:
        mine = mine[mine["source"].isin(["reported", "us_census"])]
    return float(mine["value_usd"].astype(np.float64).sum())


def _yearly(tables: Tables, origin: str, destination: str, period: str) -> float:
    years = _table(tables, "years")
    mine = years[(years["origin"] == origin) & (years["destination"] == destination) & (years["period"] == period)]
    if mine.empty:
        raise DataError(
            f"{period} is not known for {origin} -> {destination}; known: {', '.join(sorted(years['period'].unique()))}"
        )
    return float(mine["value_usd"].iloc[0])


def fuel_share(buyer: str = "IND", seller: str = "RUS", *, tables: Tables = None) -> float:
    """Return the share of mineral fuels (HS 27) in what the buyer buys from the seller, 2024."""
    return _traded(tables, seller, buyer, ("27",)) / _traded(tables, seller, buyer, None)


def order_cover(
    buyer: str = "RUS",
    seller: str = "IND",
    *,
    chapters: Sequence[str] = (*FARM, *MEDICINES),
    period: str = _PERIOD,
    tables: Tables = None,
) -> OrderCover:
    """Return how much of the gap is covered if all of the buyer's imports of some goods came from the seller.

    Imports are those reported (mirror data, about 70 % of the official Russian total); filled lines are left out.
    """
    return OrderCover(
        buyer=buyer,
        seller=seller,
        period=period,
        imports_usd=_traded(tables, "WORLD", buyer, chapters, reported=True),
        bought_usd=_traded(tables, seller, buyer, chapters),
        gap_usd=_yearly(tables, buyer, seller, period) - _yearly(tables, seller, buyer, period),
    )


def closing_multiple(
    seller: str = "IND", partner: str = "RUS", *, period: str = _PERIOD, tables: Tables = None
) -> float:
    """Return by what the seller's exports must be multiplied to close the gap with the partner's unchanged."""
    return _yearly(tables, partner, seller, period) / _yearly(tables, seller, partner, period)


def closing_share_of_growth(
    factor: float, seller: str = "IND", partner: str = "RUS", *, period: str = _PERIOD, tables: Tables = None
) -> float:
    """Return the share of the gap that closes when the seller's exports are multiplied by ``factor``."""
    sold, bought = _yearly(tables, seller, partner, period), _yearly(tables, partner, seller, period)
    return (factor - 1.0) * sold / (bought - sold)
