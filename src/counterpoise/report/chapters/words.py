"""Numbers as words, the same everywhere in a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from counterpoise.report.numbers import NumberFormat
from counterpoise.report.theme import display_name

if TYPE_CHECKING:
    from counterpoise.core import World
    from counterpoise.report.story import Band

__all__ = ["BAND_NOTE", "SHARE", "WELFARE", "band_bn", "band_pct", "bn", "name", "pct", "share", "source_of"]

SHARE = NumberFormat(1, suffix=" %", axis_suffix=" %")
"""Percent with one decimal."""

WELFARE = NumberFormat(2, sign=True, suffix=" %", axis_suffix=" %")
"""Signed percent with two decimals, for real income."""

BAND_NOTE = (
    "Bands: 5 to 95 % of draws that start from one of three published sets of trade elasticities (Fontagné, Guimbard"
    " and Orefice 2022; Caliendo and Parro 2015; GTAP; values above 15 cut to 15) and spread each value log-normally by"
    " 20 %."
)
"""What every band means."""


def name(code: str) -> str:
    """Return the words for a country."""
    return display_name(code)


def bn(usd: float, decimals: int = 1, sign: bool = False) -> str:
    """Write USD as billions.

    Examples
    --------
    >>> bn(63.65e9)
    '63.7 bn USD'
    """
    return NumberFormat(decimals, sign=sign, suffix=" bn USD").text(usd / 1e9)


def pct(value: float, decimals: int = 1, sign: bool = False) -> str:
    """Write a number that is already in percent."""
    return NumberFormat(decimals, sign=sign, suffix=" %").text(value)


def share(value: float, decimals: int = 1) -> str:
    """Write a share as percent: 0.5 is 50.0 %."""
    return pct(100.0 * value, decimals)


def band_bn(band: Band, decimals: int = 1) -> str:
    """Write the range of a band in billions, without its centre."""
    low, high = sorted((abs(band.low), abs(band.high)))
    return f"{low / 1e9:,.{decimals}f} to {high / 1e9:,.{decimals}f}"


def band_pct(band: Band, decimals: int = 2, scale: float = 1.0) -> str:
    """Write the range of a band in percent, as sizes when both ends have one sign."""
    low, high = scale * band.low, scale * band.high
    if low * high > 0:
        low, high = sorted((abs(low), abs(high)))
    text = NumberFormat(decimals)
    return f"{text.text(low)} to {text.text(high)}"


def source_of(world: World) -> str:
    """Return the source line of everything computed on a world."""
    meta = world.meta
    if meta.trade_year is None:
        return f"Counterpoise on {meta.name}."
    return (
        f"Counterpoise on {meta.name}: trade {meta.trade_year} (BACI, US Census), GDP {meta.gdp_year}, input-output"
        " structure 2011 (WIOD)."
    )
