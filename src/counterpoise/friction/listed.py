"""Dual-use goods of the Common High Priority List: nothing that stands in their way is ever taken away here.

For goods on their way into Russia and its customs union, the listed part of each sector's trade is left out of what
could be removed. The obstacles themselves are shown for the sector as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

from counterpoise.data import load_table
from counterpoise.data.concordance import high_priority_tiers, hs_sector

__all__ = ["LISTED_DESTINATIONS", "listed_share"]

LISTED_DESTINATIONS = ("RUS", "EAEU")
"""Destinations for which the list matters."""


def listed_share(origin: str, destination: str, sectors: Sequence[str]) -> dict[str, float]:
    """Return the part of each sector's trade that is on the list, 0 to 1.

    Parameters
    ----------
    origin, destination
        Regions. Among India, Russia and the United States trade is known by subheading; for other pairs a heading
        counts whole when any of it is listed, and where no product is known a sector with listed goods counts whole.
    sectors
        Sectors wanted.
    """
    if destination not in LISTED_DESTINATIONS:
        return dict.fromkeys(sectors, 0.0)
    known = _shares(origin, destination)
    return {sector: known.get(sector, 0.0) for sector in sectors}


@cache
def _shares(origin: str, destination: str) -> Mapping[str, float]:
    codes = high_priority_tiers()
    headings = {code[:4] for code in codes}
    products = load_table("products")
    mine = products[(products["origin"] == origin) & (products["destination"] == destination)]
    listed: dict[str, float] = dict.fromkeys({hs_sector(code) for code in codes}, 0.0)
    whole: dict[str, float] = {}
    value = {str(hs): float(usd) for hs, usd in zip(mine["hs"], mine["value_usd"], strict=True) if str(hs).isdigit()}
    fine = {hs[:4] for hs in value if len(hs) == 6}
    for hs, usd in value.items():
        if len(hs) == 4 and hs in fine:
            continue
        sector = hs_sector(hs)
        whole[sector] = whole.get(sector, 0.0) + usd
        if hs in codes or (len(hs) == 4 and hs in headings):
            listed[sector] = listed.get(sector, 0.0) + usd
    return MappingProxyType({s: usd / whole[s] if whole.get(s, 0.0) > 0 else 1.0 for s, usd in listed.items()})
