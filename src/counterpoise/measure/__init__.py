"""Measurement: the gap between two countries over time and by product, and what an order to buy more can cover."""

from counterpoise.measure.gap import BY, SECTIONS, GapTable, gap, section_of
from counterpoise.measure.order import OrderCover, closing_multiple, closing_share_of_growth, fuel_share, order_cover

__all__ = [
    "BY",
    "SECTIONS",
    "GapTable",
    "OrderCover",
    "closing_multiple",
    "closing_share_of_growth",
    "fuel_share",
    "gap",
    "order_cover",
    "section_of",
]
