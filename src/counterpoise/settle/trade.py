"""What the tables hold about the trade of any two countries, and what it is month by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import DataError, InputError, did_you_mean
from counterpoise.data import load_table
from counterpoise.data.concordance import region_members, region_names, regions_of
from counterpoise.settle.flows import Interpolation, Months, monthly_from_annual
from counterpoise.settle.money import Minor

__all__ = [
    "RUPEE_PAIR",
    "fuel_share",
    "monthly_trade",
    "reported_trade",
    "require_both_ways",
    "trade_obligation_rows",
    "trade_reported",
    "unknown_countries",
]

RUPEE_PAIR = {"IND", "RUS"}
"""The pair whose trade is known by fiscal year, from India's own statistics."""

_FISCAL_FROM = "FY2020-21"
_YEARS = ("2023", "2024")
_FUELS = "27"


def unknown_countries(*codes: str) -> list[str]:
    """Return a problem for every code that is neither a country of the table of pairs nor a region."""
    pairs = load_table("pairs")
    known = {*pairs["exporter"], *pairs["importer"], *region_members()}
    return [
        f"unknown country '{code}'{did_you_mean(code, known) or ';'} expected an ISO3 code or a region of the world"
        for code in codes
        if code not in known
    ]


def reported_trade(origin: str, destination: str) -> tuple[dict[str, float], str]:
    """Return what one country sells another, by year.

    Parameters
    ----------
    origin, destination
        ISO3 codes or regions of the embedded world.

    Returns
    -------
    Period to USD, and the source: fiscal years for India and Russia, calendar 2023 and 2024 for others. A year without
    a report is left out, so that nothing reported gives an empty mapping.
    """
    if {origin, destination} == RUPEE_PAIR:
        years = load_table("years")
        rows = years[(years["kind"] == "FY") & (years["period"] >= _FISCAL_FROM)]
        rows = rows[(rows["origin"] == origin) & (rows["destination"] == destination)]
        totals = rows["value_usd"].to_numpy(dtype=np.float64)
        found = {str(period): float(total) for period, total in zip(rows["period"], totals, strict=True)}
        return found, "India's foreign trade statistics (TRADESTAT), fiscal years"
    table = load_table("pairs")
    rows = table[table["exporter"].isin(_members(origin)) & table["importer"].isin(_members(destination))]
    by_year = {year: float(rows[f"value_{year}_usd"].sum(min_count=1)) for year in _YEARS}
    return {year: total for year, total in by_year.items() if not np.isnan(total)}, "BACI, calendar years 2023 and 2024"


def require_both_ways(a: str, b: str) -> tuple[dict[tuple[str, str], dict[str, float]], str]:
    """Return annual trade in both directions by period, and its source.

    Raises
    ------
    DataError
        If no trade is reported in one of them.
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    source = ""
    for pair in ((a, b), (b, a)):
        found[pair], source = reported_trade(*pair)
    silent = [f"{o} to {d}" for (o, d), totals in found.items() if not totals]
    if silent:
        raise DataError(
            f"no trade is reported from {' and from '.join(silent)} in 2023 or 2024; absent is not zero, "
            "so give the trade yourself: trade_usd=(USD a year from A to B, and back), or --trade BN:BN on the "
            "command line"
        )
    return found, source


def trade_reported(a: str, b: str) -> bool:
    """Say whether trade of two countries or regions is reported both ways, so that `pair_case` needs no own figures."""
    if a == b or unknown_countries(a, b):
        return False
    return all(reported_trade(*pair)[0] for pair in ((a, b), (b, a)))


def fuel_share(origin: str, destination: str) -> tuple[float | None, str]:
    """Return which part of what one country sells another are fuels (HS 27), in 2024.

    Parameters
    ----------
    origin, destination
        ISO3 codes or regions.

    Returns
    -------
    Share from 0 to 1, and words about it where it is that of the regions the two belong to; None where the table of
    products has nothing between them.
    """
    names = region_names()
    seller, buyer = (code if code in names else regions_of([code])[code] for code in (origin, destination))
    table = load_table("products")
    rows = table[(table["origin"] == seller) & (table["destination"] == buyer)]
    level = "hs4" if (rows["level"] == "hs4").any() else "hs6"
    rows = rows[rows["level"] == level]
    total = float(rows["value_usd"].sum())
    if not total > 0:
        return None, ""
    share = float(rows.loc[rows["hs"].str.startswith(_FUELS), "value_usd"].sum()) / total
    words = "" if (seller, buyer) == (origin, destination) else f"that of {names[seller]} to {names[buyer]}"
    return share, words


def monthly_trade(annual: Mapping[str, float], span: Months, growth_rate: float, method: Interpolation) -> Minor:
    """Return whole cents for every month of a span: the annual path, carried on flat (or growing) at both ends.

    Parameters
    ----------
    annual
        Consecutive years to USD.
    span
        Months wanted.
    growth_rate
        Yearly growth after the last year, whose monthly average is carried on.
    method
        As `monthly_from_annual`.
    """
    months, cents = monthly_from_annual(annual, method=method)
    here = (span - months[0]).astype(np.int64)
    inside = (here >= 0) & (here < months.size)
    years_after = np.maximum(here - (months.size - 1), 0) / 12
    first, last = float(cents[:12].mean()), float(cents[-12:].mean())
    beyond: NDArray[np.float64] = np.where(here < 0, first, last * (1 + growth_rate) ** years_after)
    return np.where(inside, cents[np.clip(here, 0, months.size - 1)], np.rint(beyond).astype(np.int64))


def trade_obligation_rows(countries: Sequence[str], *, year: int = 2024) -> list[tuple[str, str, int]]:
    """Return the goods trade among countries as obligations: the buyer owes the seller, whole cents.

    Parameters
    ----------
    countries
        ISO3 codes or regions.
    year
        2023 or 2024.

    Returns
    -------
    Rows debtor, creditor, amount in cents, for `Obligations.from_rows`; unreported flows are left out.
    """
    table = load_table("pairs")
    column = f"value_{year}_usd"
    if column not in table.columns:
        raise InputError(f"year is {year}; the table of pairs has 2023 and 2024")
    rows: list[tuple[str, str, int]] = []
    for seller in countries:
        for buyer in countries:
            if seller == buyer:
                continue
            cells = table[table["exporter"].isin(_members(seller)) & table["importer"].isin(_members(buyer))][column]
            total = cells.sum(min_count=1)
            if pd.notna(total) and total > 0:
                rows.append((buyer, seller, round(float(total) * 100)))
    return rows


def _members(code: str) -> set[str]:
    return {code, *region_members().get(code, ())}
