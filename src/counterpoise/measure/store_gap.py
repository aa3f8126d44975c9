"""The gap of any pair from the trade store: countries and groups, by year and by product, and what is missing in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, SourceMissingError, did_you_mean
from counterpoise.data.codes import group_members, groups, hs_sections
from counterpoise.data.concordance import region_members, sector_names
from counterpoise.data.hs_levels import LEVELS, UNPLACED, level_of
from counterpoise.data.reporting import listed_silent, silent_among, silent_words
from counterpoise.data.sources import locate_sources
from counterpoise.data.trade_files import BASES, label_of
from counterpoise.data.us_imports import load_us_imports
from counterpoise.measure.gap_table import GapTable, basis_words, finish_products, product_indicators
from counterpoise.measure.indicators import PriceQuantity, price_quantity

if TYPE_CHECKING:
    from counterpoise.data.trade_store import TradeStore

__all__ = ["members_of", "price_quantity_of_pair", "product_name", "store_by_product", "store_by_year"]

_CENSUS_YEAR = 2024
"""Year of the table of US imports by country and HS6 among the raw sources."""

US_DUTY_PARTNER = "EU27"


def members_of(name: str, store: TradeStore, year: int) -> tuple[str, ...]:
    """Return the countries that a name stands for in a year of the store: itself, a region, or a group as it was then.

    Raises
    ------
    InputError
        If no country, region or group is called so, or none of its members trades in that year.
    """
    known = set(store.at(year).countries)
    label = label_of(name)
    regions = region_members()
    if label in known and name not in regions:
        return (label,)
    if name in regions:
        members = tuple(code for code in dict.fromkeys(map(label_of, regions[name])) if code in known)
    elif name.upper() in {group.code for group in groups()}:
        members = tuple(code for code in group_members(name, date(year, 7, 1)) if code in known)
    else:
        candidates = [*known, *regions, *(group.code for group in groups())]
        hint = did_you_mean(name, candidates) if len(name) <= 5 else ""
        if not hint:
            store.require_country(name, year=year)
        raise InputError(f"'{name}' is no country, region or group of {year}{hint}")
    if not members:
        raise InputError(f"no member of '{name}' trades in {year}; the store holds {', '.join(sorted(known)[:20])} ...")
    return members


@dataclass(frozen=True, slots=True)
class _Side:
    """One direction at a level: hs and value_usd (None where it is absent), whose records it is, what to say of it."""

    table: pd.DataFrame | None
    basis: str
    caveats: tuple[str, ...]


def _side(store: TradeStore, year: int, level: str, origin: str, destination: str, silent: tuple[str, ...]) -> _Side:
    """Read one direction, and say what is missing in it."""
    sellers, buyers = members_of(origin, store, year), members_of(destination, store, year)
    missing = [code for code in buyers if code in store.missing_reporters(year)]
    there = [code for code in buyers if code not in missing]
    arrow = f"{origin} -> {destination}"
    information = store.at(year)
    if not there:
        census = _census(sellers, level) if buyers == ("USA",) and year == _CENSUS_YEAR else None
        if census is not None:
            words = "mirror: US Census, imports for consumption at customs value"
            return _Side(census, words, (f"{arrow}: the store has no imports of the USA; {words}.",))
        text = f"{arrow} is absent in {year}: {information.title} has no imports of {destination}. Absent is not zero."
        return _Side(None, "absent: importer missing", (text,))
    frame = store.between(sellers, there, level, year=year)
    caveats: list[str] = []
    basis = basis_words(origin, destination, year, information.basis, silent)
    words = silent_words(sellers, there, silent, year)
    if words and not frame.empty:
        caveats.append(f"{arrow}: {words}")
    if missing:
        basis = f"{basis}; without {', '.join(missing)}"
        caveats.append(
            f"{arrow} lacks the imports of {', '.join(missing)}, which {information.title} does not have: "
            "the sum is too low by them."
        )
    if frame.empty:
        reason = "there is no record of it"
        if set(sellers) <= set(silent) and set(there) <= set(silent):
            reason = f"neither {origin} nor {destination} reports that year"
        caveats.append(f"{arrow} is absent in {year}: {reason}. Absent is not zero.")
        return _Side(None, "absent: no record", tuple(caveats))
    return _Side(frame, basis, tuple(caveats))


def _silent(store: TradeStore, year: int) -> tuple[str, ...]:
    """Return who reports nothing in a year; one side's records alone show nothing about the other's."""
    if store.at(year).basis != BASES[0]:
        return listed_silent(year)
    return silent_among(store.totals(year=year), year)


def _census(sellers: tuple[str, ...], level: str) -> pd.DataFrame | None:
    """Return what the USA reports as imports from countries of 2024; None where the raw file is not at hand.

    The Census file has the Union as one partner: a member of it alone is not known.
    """
    try:
        imports = load_us_imports(locate_sources())
    except SourceMissingError:
        return None
    union = set(group_members(US_DUTY_PARTNER, date(_CENSUS_YEAR, 7, 1)))
    partners = {label_of(code) or code: code for code in imports["exporter"].unique()}
    wanted = {partners[code] for code in sellers if code in partners}
    if union <= set(sellers):
        wanted.add(US_DUTY_PARTNER)
    elif union & set(sellers):
        return None
    mine = imports[imports["exporter"].isin(wanted)]
    if mine.empty:
        return None
    codes = [level_of(code, level) for code in mine["hs6"]]
    return mine.groupby(codes)["value_usd"].sum().astype(float).rename_axis("hs").reset_index()


def store_by_product(a: str, b: str, by: str, store: TradeStore, year: int | None = None) -> GapTable:
    """Take the gap of a pair apart by product, from the store.

    Parameters
    ----------
    a, b
        Countries by any code, regions of the embedded world, or groups as they were in the year (``EU``, ``BRICS``).
    by
        One of `counterpoise.data.hs_levels.LEVELS`; ``sector`` has goods only.
    store, year
        Where from; the latest year by default.

    Raises
    ------
    InputError
        If a name, the level or the year is unknown, or both sides share a country.
    """
    if by not in LEVELS:
        level_of("", by)
    chosen = store.at(year).year
    shared = set(members_of(a, store, chosen)) & set(members_of(b, store, chosen))
    if shared:
        raise InputError(f"'{a}' and '{b}' share {', '.join(sorted(shared))}; a gap is between two different sides")
    silent = _silent(store, chosen)
    sides = {"a_to_b": _side(store, chosen, by, a, b, silent), "b_to_a": _side(store, chosen, by, b, a, silent)}
    columns = {
        f"{name}_usd": side.table.set_index("hs")["value_usd"] if side.table is not None else pd.Series(dtype=float)
        for name, side in sides.items()
    }
    frame = pd.DataFrame(columns).astype(float).rename_axis(by).reset_index()
    for name, side in sides.items():
        # A line that is not recorded in a direction that is, counts as no trade; a direction without records is absent.
        frame[f"{name}_usd"] = np.nan if side.table is None else frame[f"{name}_usd"].fillna(0.0)
    frame.insert(1, "name", [product_name(str(code), by) for code in frame[by]])
    frame, totals = finish_products(frame)
    for name, side in sides.items():
        frame[f"{name}_basis"] = side.basis
    information = store.at(chosen)
    caveats = [
        f"{information.title}, {information.revision}, {chosen}: {information.valuation}, {information.basis}.",
        *store.notes,
        *(caveat for side in sides.values() for caveat in side.caveats),
    ]
    if by == "sector":
        caveats.append("Goods only: services have no HS code.")
    return GapTable(a, b, by, frame, totals, tuple(caveats), product_indicators(frame))


def store_by_year(a: str, b: str, store: TradeStore) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the calendar years of a pair in the store: the rows of ``by="year"``, and what to say of them."""
    rows: list[dict[str, object]] = []
    caveats: list[str] = list(store.notes)
    for year in store.years:
        silent = _silent(store, year)
        there, back = _side(store, year, "hs2", a, b, silent), _side(store, year, "hs2", b, a, silent)
        sums = [float("nan") if s.table is None else float(s.table["value_usd"].sum()) for s in (there, back)]
        rows.append(
            {
                "period": f"CY{year}",
                "kind": "CY",
                "a_to_b_usd": sums[0],
                "b_to_a_usd": sums[1],
                "status": "final",
                "source": store.at(year).title,
                "a_to_b_basis": there.basis,
                "b_to_a_basis": back.basis,
            }
        )
        caveats += [*there.caveats, *back.caveats]
    return pd.DataFrame(rows), tuple(dict.fromkeys(caveats))


def price_quantity_of_pair(
    origin: str, destination: str, store: TradeStore, first: int, last: int, level: str = "hs6"
) -> PriceQuantity:
    """Take the change of a flow between two years of the store apart into price and quantity.

    Raises
    ------
    InputError
        If a year is not in the store, or no quantity is stated in either year.
    """
    tables: list[pd.DataFrame] = []
    for year in (first, last):
        names = (members_of(origin, store, year), members_of(destination, store, year))
        tables.append(_whole_quantities(store.between(*names, level, year=year)))
    if tables[0]["quantity_t"].isna().all() or tables[1]["quantity_t"].isna().all():
        raise InputError(
            f"{origin} -> {destination}: no quantity is stated in {first} or {last}; price and quantity need both. "
            "BACI as CEPII publishes it has quantities"
        )
    return price_quantity(*tables)


def _whole_quantities(table: pd.DataFrame) -> pd.DataFrame:
    """Keep a quantity only where it covers all the value of its row."""
    whole = table["value_with_quantity_usd"] >= table["value_usd"] * (1 - 1e-9)
    return table.assign(quantity_t=table["quantity_t"].where(whole))


_NAMES: dict[str, Callable[[], dict[str, str]]] = {
    "section": hs_sections,
    "sector": sector_names,
}


def product_name(code: str, by: str) -> str:
    """Return the name of a row: of a section or sector, else of the chapter."""
    from counterpoise.data.concordance import hs_chapter_names

    if by in _NAMES:
        return _NAMES[by]().get(code, "Other and special provisions" if code == UNPLACED else code)
    return "Flows under 1,000 USD" if code == UNPLACED else hs_chapter_names().get(code[:2], "Special provisions")
