"""Tables that stand beside the gap: who reports what, fiscal and calendar years, value added, price and quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, SourceMissingError
from counterpoise.data import load_table, load_world
from counterpoise.data.concordance import regions
from counterpoise.data.trade_files import label_of
from counterpoise.data.trade_store import TradeStore, find_trade
from counterpoise.measure.gap import gap
from counterpoise.measure.indicators import PriceQuantity, price_quantity
from counterpoise.measure.mirror import CIF_FACTOR, fiscal_reconciliation, mirror_table
from counterpoise.measure.store_gap import price_quantity_of_pair, store_by_year
from counterpoise.measure.value_added import value_added_balance

__all__ = ["VIEWS", "View", "view"]

VIEWS = ("mirror", "fiscal", "value-added", "prices")


@dataclass(frozen=True, slots=True)
class View:
    """A table beside the gap.

    Attributes
    ----------
    title
        What it shows.
    rows
        The table; columns ``_usd`` are USD a year.
    totals
        Numbers on the whole, by name.
    caveats
        What a reader must know.
    shown
        Heading by column, of those that a terminal has room for.
    words
        How many of the first shown columns are text.
    """

    a: str
    b: str
    name: str
    title: str
    rows: pd.DataFrame
    totals: dict[str, float]
    caveats: tuple[str, ...]
    shown: Mapping[str, str]
    words: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return a, b, table, rows, totals and caveats, ready for JSON; absent numbers are null."""
        return {
            "a": self.a,
            "b": self.b,
            "table": self.name,
            "rows": [
                {str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
                for row in self.rows.to_dict("records")
            ],
            "totals": {k: None if np.isnan(v) else v for k, v in self.totals.items()},
            "caveats": list(self.caveats),
        }


def view(
    name: str,
    a: str,
    b: str,
    *,
    year: int | None = None,
    since: int | None = None,
    store: TradeStore | Path | str | None = None,
    world: str | Path = "embedded2024",
    cif_factor: float | None = None,
) -> View:
    """Make one of `VIEWS` for a pair.

    Parameters
    ----------
    name
        ``mirror``: what each side reports, and one number of both. ``fiscal``: from India's fiscal years to calendar
        years. ``value-added``: the balance in value added. ``prices``: what price and quantity contribute to the change
        of both flows between two years.
    a, b
        Countries by any code; of the world's for ``value-added``.
    year, since
        The year, or last year, and for ``prices`` the first one; by default the latest two.
    store
        Trade store of ``mirror`` and ``prices``; without one the shipped tables are used.
    world
        Of ``value-added``.
    cif_factor
        CIF over FOB, `counterpoise.measure.mirror.CIF_FACTOR` by default.

    Raises
    ------
    InputError
        If the name, a country or a year is unknown, or the tables cannot answer for the pair.
    """
    if name not in VIEWS:
        raise InputError(f"unknown table '{name}'; known: {', '.join(VIEWS)}")
    factor = CIF_FACTOR if cif_factor is None else cif_factor
    given = TradeStore.open(store) if isinstance(store, str | Path) else store
    if name == "value-added":
        return _value_added(a, b, world)
    one, two = (_label(x) for x in (a, b))
    if name == "mirror":
        return _mirror(one, two, year, given, factor)
    if name == "fiscal":
        return _fiscal(one, two, year, given, factor)
    return _prices(one, two, year, since, given)


def _label(name: str) -> str:
    label = name if name in regions() else label_of(name)
    if not label:
        raise InputError(f"unknown country '{name}'; expected an ISO3 code")
    return label


def _value_added(a: str, b: str, world: str | Path) -> View:
    found = value_added_balance(load_world(world), a, b)
    rows = found.rows.sort_values("value_added_gap_usd", key=lambda v: -v.abs(), kind="stable", ignore_index=True)
    shown = {
        "name": "sector",
        "a_to_b_usd": f"{a} to {b}",
        "b_to_a_usd": f"{b} to {a}",
        "gap_usd": "gap",
        "a_in_b_usd": f"{a}'s income in {b}",
        "b_in_a_usd": f"{b}'s income in {a}",
        "value_added_gap_usd": "gap in value added",
    }
    title = f"Trade of {a} and {b} in gross terms and in value added"
    return View(a, b, "value-added", title, rows, found.totals, found.caveats, shown, 1)


def _mirror(a: str, b: str, year: int | None, store: TradeStore | None, factor: float) -> View:
    source, notes = None if store is None else _records(a, b, store), () if store is None else store.notes
    found = mirror_table(a, b, load_table, cif_factor=factor, source=source)
    rows = found.rows if year is None else found.rows[found.rows["period"].str[2:6] == str(year)].reset_index(drop=True)
    shown = {
        "period": "period",
        "origin": "from",
        "destination": "to",
        "exporter_fob_usd": "exporter, FOB",
        "importer_usd": "importer",
        "importer_valuation": "valuation",
        "source_usd": "BACI, FOB",
        "cif_fob_ratio": "importer / exporter",
        "reconciled_usd": "one number, FOB",
        "basis": "basis",
    }
    if rows.empty:
        raise InputError(f"{year} is not reported for {a} and {b}; leave --year out to see which years are")
    return View(
        a, b, "mirror", f"What is reported of trade of {a} and {b}", rows, {}, (*found.caveats, *notes), shown, 3
    )


def _records(a: str, b: str, store: TradeStore) -> pd.DataFrame:
    """Return the store's years as records of the side whose reports they are."""
    rows, _ = store_by_year(a, b, store)
    parts: list[dict[str, object]] = []
    for row in rows.to_dict("records"):
        information = store.at(int(str(row["period"])[2:6]))
        reporter = {"reconciled": "source", "reported by the importer": "importer"}.get(information.basis, "exporter")
        for side, origin, destination in (("a_to_b_usd", a, b), ("b_to_a_usd", b, a)):
            if not np.isnan(float(row[side])):
                parts.append(
                    {
                        "period": row["period"],
                        "origin": origin,
                        "destination": destination,
                        "reporter": reporter,
                        "value_usd": float(row[side]),
                        "valuation": information.valuation,
                    }
                )
    return pd.DataFrame(parts, columns=["period", "origin", "destination", "reporter", "value_usd", "valuation"])


def _fiscal(a: str, b: str, year: int | None, store: TradeStore | None, factor: float) -> View:
    years = gap(a, b, store=store).rows
    calendar = years[years["kind"] == "CY"]
    long = pd.concat(
        [
            pd.DataFrame({"period": calendar["period"], "origin": i, "destination": j, "value_usd": calendar[side]})
            for side, i, j in (("a_to_b_usd", a, b), ("b_to_a_usd", b, a))
        ]
    )
    if year is not None:
        long = long[long["period"] == f"CY{year}"]
    rows = fiscal_reconciliation(a, b, load_table("years"), long, cif_factor=factor)
    shown = {
        "period": "year",
        "origin": "from",
        "destination": "to",
        "fiscal_beginning_usd": "fiscal year from April",
        "calendar_effect_usd": "to the calendar year",
        "valuation_effect_usd": "CIF to FOB",
        "unexplained_usd": "unexplained",
        "calendar_usd": "calendar year",
    }
    caveats = (
        "A calendar year is a quarter of the fiscal year that ends in it and three quarters of the one that begins.",
        f"India's imports include freight and insurance; they are divided by {factor:g}. What is unexplained is "
        "timing, the other side's records, and what the source made of both.",
    )
    return View(a, b, "fiscal", f"From fiscal to calendar years, {a} and {b}", rows, {}, caveats, shown, 3)


def _prices(a: str, b: str, year: int | None, since: int | None, store: TradeStore | None) -> View:
    crude = store is None and {a, b} == {"IND", "RUS"}
    if crude:
        parts, words, caveats = _crude(year, since)
        sides = [("RUS", "IND", parts)]
    else:
        sides, words, caveats = _from_store(a, b, year, since, store)
    shown = {
        "origin": "from",
        "destination": "to",
        "hs": "HS",
        "before_usd": "before",
        "after_usd": "after",
        "price_before": "USD/t before",
        "price_after": "USD/t after",
        "price_effect_usd": "by price",
        "quantity_effect_usd": "by quantity",
        "entry_exit_usd": "entry, exit",
        "unexplained_usd": "unexplained",
    }
    frames = [found.rows.assign(origin=i, destination=j) for i, j, found in sides]
    totals = {
        f"{i}_to_{j}_{name}": value
        for i, j, found in sides
        for name, value in (found.totals | {"covered_share": found.covered_share}).items()
    }
    rows = pd.concat(frames, ignore_index=True)
    rows = rows[["origin", "destination", *(c for c in rows.columns if c not in ("origin", "destination"))]]
    return View(a, b, "prices", f"Price and quantity, {a} and {b}, {words}", rows, totals, caveats, shown, 3)


def _crude(year: int | None, since: int | None) -> tuple[PriceQuantity, str, tuple[str, ...]]:
    """Take India's crude oil from Russia apart, between two fiscal years of the shipped table."""
    table = load_table("crude")
    mine = table[table["origin"] == "RUS"].sort_values("period", ignore_index=True)
    start = {int(str(p)[2:6]): str(p) for p in mine["period"]}
    last = max(start) if year is None else year
    first = last - 1 if since is None else since
    lacking = [str(y) for y in (first, last) if y not in start]
    if lacking or first >= last:
        raise InputError(
            f"crude oil is known for the fiscal years {', '.join(start.values())}; expected two of them, the first "
            f"earlier, not {first} and {last}"
        )
    sides: list[pd.DataFrame] = []
    for chosen in (first, last):
        row = mine[mine["period"] == start[chosen]]
        sides.append(
            pd.DataFrame(
                {
                    "hs": ["2709"],
                    "value_usd": row["value_usd"].to_numpy(float),
                    "quantity_t": row["tonnes"].to_numpy(float),
                }
            )
        )
    words = f"crude oil, {start[first]} to {start[last]}"
    caveat = (
        "Crude oil only, as India reports it (fiscal years, CIF): the other goods have no quantity in the shipped "
        "tables. A trade store with quantities, as of BACI, takes every product apart."
    )
    return price_quantity(*sides), words, (caveat,)


def _from_store(
    a: str, b: str, year: int | None, since: int | None, store: TradeStore | None
) -> tuple[list[tuple[str, str, PriceQuantity]], str, tuple[str, ...]]:
    try:
        opened = find_trade() if store is None else store
    except SourceMissingError as error:
        raise SourceMissingError(
            f"price and quantity of {a} and {b} need two years with quantities; {error}"
        ) from error
    last = opened.years[-1] if year is None else year
    earlier = [y for y in opened.years if y < last]
    if since is None and not earlier:
        raise InputError(
            f"price and quantity need two years; the store has {', '.join(map(str, opened.years))}. Import another one "
            "with 'counterpoise data import'"
        )
    first = earlier[-1] if since is None else since
    revisions = {opened.at(y).revision for y in (first, last)}
    if len(revisions) > 1:
        raise InputError(
            f"{first} and {last} are of different revisions of the Harmonized System ({', '.join(sorted(revisions))}); "
            "import both in one"
        )
    caveats = (
        "Unit values of HS6 products mix qualities. A product traded in one year only is entry or exit; where a "
        "quantity is not stated the change is unexplained, not quantity.",
        *opened.notes,
    )
    both = [(i, j, price_quantity_of_pair(i, j, opened, first, last)) for i, j in ((a, b), (b, a))]
    return both, f"{first} to {last}", caveats
