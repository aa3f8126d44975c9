"""Measurement: the gap between two countries over time and by product, and what an order to buy more can cover."""

from counterpoise.measure.gap import BY, gap
from counterpoise.measure.gap_table import GapTable
from counterpoise.measure.indicators import PriceQuantity, concentration, growth_pct, grubel_lloyd, price_quantity
from counterpoise.measure.mirror import MirrorTable, Reconciled, fiscal_reconciliation, mirror_table, reconcile
from counterpoise.measure.order import OrderCover, closing_multiple, closing_share_of_growth, fuel_share, order_cover
from counterpoise.measure.value_added import ValueAddedBalance, value_added_balance, value_added_exports

__all__ = [
    "BY",
    "GapTable",
    "MirrorTable",
    "OrderCover",
    "PriceQuantity",
    "Reconciled",
    "ValueAddedBalance",
    "closing_multiple",
    "closing_share_of_growth",
    "concentration",
    "fiscal_reconciliation",
    "fuel_share",
    "gap",
    "growth_pct",
    "grubel_lloyd",
    "mirror_table",
    "order_cover",
    "price_quantity",
    "reconcile",
    "value_added_balance",
    "value_added_exports",
]
