"""The gap of a pair: what A sells to B minus what it buys from B, by year, section, HS code or sector.

The shipped tables know years of any two countries, and products by region (by six digits among India, Russia and the
USA). The trade store knows products of any two countries and groups, in every year that was imported into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, SourceMissingError, did_you_mean
from counterpoise.data import concordance, load_table, load_world
from counterpoise.data.codes import countries, group_members, groups, section_of
from counterpoise.data.reporting import pair_totals, silent_among, silent_words
from counterpoise.data.trade_files import label_of
from counterpoise.data.trade_store import TradeStore, find_trade
from counterpoise.measure.gap_table import GapTable, basis_words, finish_products, product_indicators
from counterpoise.measure.indicators import growth_pct, yearly_growth_pct
from counterpoise.measure.store_gap import product_name, store_by_product, store_by_year

if TYPE_CHECKING:
    from counterpoise.core import World

__all__ = ["BY", "GapTable", "gap"]

BY = ("year", "section", "hs2", "hs4", "hs6", "sector")
"""Ways to take a gap apart."""

DETAILED = ("IND", "RUS", "USA")
"""Regions whose trade is known by six digits."""

DETAIL_YEAR = 2024
"""Year of the product tables."""

_POOLED = "other"


def gap(
    a: str,
    b: str,
    *,
    by: str = "year",
    year: int | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    world: World | None = None,
    store: TradeStore | Path | str | None = None,
) -> GapTable:
    """Take the gap of a pair apart.

    Parameters
    ----------
    a, b
        Countries by any code, regions of the embedded world, or groups (``EU``, ``BRICS``); ``WORLD`` where the shipped
        tables have it.
    by
        ``year``, ``section``, ``hs2``, ``hs4``, ``hs6`` or ``sector``: of the balanced world for its regions, else of
        goods by the codes of the Harmonized System.
    year
        Keep one year of ``by="year"``; the year of product detail, by default 2024, or the latest of the store.
    tables
        ``years``, ``pairs`` and ``products`` to use instead of the embedded ones.
    world
        World of ``by="sector"``; the embedded one by default.
    store
        Trade store to answer from, or its folder. By default the shipped tables answer what they can, and for the rest
        the store is looked for where `counterpoise.data.trade_store.find_trade` does.

    Raises
    ------
    InputError
        If a country, ``by`` or the year is unknown.
    SourceMissingError
        If the shipped tables cannot answer, and there is no store; the message says why not, and how to make one.
    """
    if by not in BY:
        raise InputError(f"unknown by '{by}'{did_you_mean(by, BY) or ';'} Known: {', '.join(BY)}")
    if by != "sector" or world is None:
        a, b = _called(a), _called(b)
    if a == b:
        raise InputError(f"'{a}' is on both sides; a gap is between two countries")

    def table(name: str) -> pd.DataFrame:
        return load_table(name) if tables is None or name not in tables else tables[name]

    given = _opened(store)
    if by == "year":
        return _by_year(a, b, year, table, given)
    if by == "sector" and world is not None:
        return _by_sector(a, b, world)
    if by == "sector" and given is None and year in (None, DETAIL_YEAR):
        balanced = load_world()
        if {a, b} <= set(balanced.countries):
            return _by_sector(a, b, balanced)
    if given is None and year in (None, DETAIL_YEAR):
        refusal = _refusal(a, b, by)
        if not refusal and by != "sector":
            return _by_product(
                a, b, by, table("products"), silent_among(pair_totals(table("pairs"), DETAIL_YEAR), DETAIL_YEAR)
            )
    else:
        refusal = f"the shipped tables by product are of {DETAIL_YEAR}, not of {year}"
    if "WORLD" in (a, b):
        raise InputError(f"{refusal}; WORLD is known for {', '.join(DETAILED)} in {DETAIL_YEAR}, by product")
    return store_by_product(a, b, by, _found(refusal) if given is None else given, year)


def _called(name: str) -> str:
    """Return a region, a group, ``WORLD``, or the label of a country that is written in any of the known ways.

    Raises
    ------
    InputError
        If nothing is called so.
    """
    if name in (*concordance.regions(), "WORLD") or name.upper() in {group.code for group in groups()}:
        return name
    label = label_of(name)
    if label:
        return label
    codes = [*concordance.regions(), *(group.code for group in groups()), *(country.iso3 for country in countries())]
    hint = did_you_mean(name, codes if len(name) <= 5 else [country.name for country in countries()])
    raise InputError(
        f"unknown country '{name}'{hint or ';'} expected an ISO3 code, a region ({', '.join(concordance.regions())}) "
        f"or a group ({', '.join(group.code for group in groups())})"
    )


def _opened(store: TradeStore | Path | str | None) -> TradeStore | None:
    return TradeStore.open(store) if isinstance(store, str | Path) else store


def _found(refusal: str) -> TradeStore:
    """Find the store; where there is none, say why it is needed."""
    try:
        return find_trade()
    except SourceMissingError as error:
        raise SourceMissingError(f"{refusal}; and there is {error}") from error


def _refusal(a: str, b: str, by: str) -> str:
    """Say why the shipped tables cannot answer by product; empty where they can."""
    known = (*concordance.regions(), "WORLD")
    inside = [name for name in (a, b) if name not in known]
    if inside:
        return f"{' and '.join(inside)}: the shipped tables by product know regions ({', '.join(known)})"
    if (by == "hs6" or "WORLD" in (a, b)) and not {a, b} <= {*DETAILED, "WORLD"}:
        return f"six digits and the world as a partner are shipped for {', '.join(DETAILED)} only, not for {a} and {b}"
    return ""


# By product


def _by_product(a: str, b: str, by: str, products: pd.DataFrame, silent: tuple[str, ...]) -> GapTable:
    level = "hs6" if by == "hs6" or "WORLD" in (a, b) else "hs4"
    sides = {"a_to_b": _flow(products, a, b, level), "b_to_a": _flow(products, b, a, level)}
    keys: dict[str, Callable[[str], str]] = {
        "hs2": lambda hs: hs[:2],
        "section": lambda hs: section_of(hs[:2]) or _POOLED,
    }
    key = keys.get(by, lambda hs: hs)
    columns = {
        f"{side}_usd": flow.groupby([_POOLED if hs == _POOLED else key(hs) for hs in flow["hs"]])["value_usd"].sum()
        for side, flow in sides.items()
    }
    frame = pd.DataFrame(columns).fillna(0.0).rename_axis(by).reset_index()
    frame.insert(1, "name", [product_name(code, by) for code in frame[by]])
    caveats = [
        f"Customs values of {DETAIL_YEAR} in USD; a line that a reporting country does not report counts as zero, "
        f"lines under 1,000 USD are pooled as '{_POOLED}'."
    ]
    for (side, flow), (origin, destination) in zip(sides.items(), ((a, b), (b, a)), strict=True):
        if flow.empty:
            frame[f"{side}_usd"] = np.nan
            caveats.append(f"{origin} -> {destination} is absent: nobody reports it. Absent is not zero.")
        else:
            caveats += _filled(flow, origin, destination)
            words = silent_words(_members(origin), _members(destination), silent, DETAIL_YEAR)
            caveats += [f"{origin} -> {destination}: {words}"] if words else []
    frame, totals = finish_products(frame)
    for (side, flow), (origin, destination) in zip(sides.items(), ((a, b), (b, a)), strict=True):
        frame[f"{side}_basis"] = _bases(flow, origin, destination, [str(code) for code in frame[by]], key, silent)
    return GapTable(a, b, by, frame, totals, tuple(caveats), product_indicators(frame))


_SOURCES = {"reported": "reconciled", "us_census": "mirror: US Census at customs value", "filled": "filled"}
_MIXED = "partly filled"


def _bases(
    flow: pd.DataFrame,
    origin: str,
    destination: str,
    codes: list[str],
    key: Callable[[str], str],
    silent: tuple[str, ...],
) -> list[str]:
    """Return whose records each row is, in the year of detail."""
    if flow.empty:
        return ["absent: no record"] * len(codes)
    group = [_POOLED if hs == _POOLED else key(hs) for hs in flow["hs"]]
    seen = {str(code): set(map(str, part)) for code, part in flow.groupby(group)["source"]}
    words = {code: _SOURCES.get(min(kinds), _MIXED) if len(kinds) == 1 else _MIXED for code, kinds in seen.items()}
    reconciled = basis_words(origin, destination, DETAIL_YEAR, _SOURCES["reported"], silent)
    return [reconciled if (word := words.get(code, "no line")) == _SOURCES["reported"] else word for code in codes]


def _flow(products: pd.DataFrame, origin: str, destination: str, level: str) -> pd.DataFrame:
    mine = products[
        (products["origin"] == origin) & (products["destination"] == destination) & (products["level"] == level)
    ]
    return mine.assign(hs=mine["hs"].astype(str), value_usd=mine["value_usd"].astype(np.float64))


def _filled(flow: pd.DataFrame, origin: str, destination: str) -> list[str]:
    """Say how much of a flow was not reported in the year of detail, where that is more than half a percent."""
    filled = float(
        flow.loc[flow["source"].isin(["filled", "mixed"]), "value_usd"].sum() / max(float(flow["value_usd"].sum()), 1.0)
    )
    if filled <= 0.005:
        return []
    return [
        f"{100 * filled:.0f} % of {origin} -> {destination} is filled, in whole or in part: "
        f"the reports of {DETAIL_YEAR} are incomplete."
    ]


def _require_region(name: str, known: tuple[str, ...]) -> None:
    if name in known:
        return
    region = _region_of(name)
    if region is not None:
        raise InputError(
            f"'{name}' lies inside the region '{region}', and product detail is by region; "
            f"ask for '{region}', or take --by year, which knows every country"
        )
    raise InputError(f"unknown country '{name}'{did_you_mean(name, known) or ';'} Known: {', '.join(known)}")


def _region_of(iso3: str) -> str | None:
    return next((region for region, members in concordance.region_members().items() if iso3 in members), None)


# By sector


def _by_sector(a: str, b: str, world: World) -> GapTable:
    for name in (a, b):
        _require_region(name, world.countries)
    flow = world.flow
    frame = pd.DataFrame(
        {
            "sector": list(world.sectors),
            "name": [world.meta.sector_names.get(s, s) for s in world.sectors],
            "a_to_b_usd": flow.sel(origin=a, destination=b).to_numpy(),
            "b_to_a_usd": flow.sel(origin=b, destination=a).to_numpy(),
        }
    )
    frame, totals = finish_products(frame)
    for side in ("a_to_b", "b_to_a"):
        frame[f"{side}_basis"] = "balanced"
    caveats = [
        f"Sectors of the balanced world '{world.meta.name}', services included; its goods differ from customs "
        "reports by what balancing moved."
    ]
    for i, j in ((a, b), (b, a)):
        names = [
            s
            for s, missing in zip(world.sectors, world.absent.sel(origin=i, destination=j).to_numpy(), strict=True)
            if missing
        ]
        if names:
            caveats.append(f"{i} -> {j} is absent, not zero, in {', '.join(names)}.")
    return GapTable(a, b, "sector", frame, totals, tuple(caveats), product_indicators(frame))


# By year


def _by_year(
    a: str, b: str, year: int | None, table: Callable[[str], pd.DataFrame], store: TradeStore | None
) -> GapTable:
    caveats = ["Calendar years at customs value, free on board (BACI method)."]
    years = table("years")
    fiscal = _from_years(years, a, b)
    if not fiscal.empty and (fiscal["kind"] == "FY").any():
        caveats.append(
            "Fiscal years (April to March) as India reports them: its imports include freight and insurance."
        )
    if (fiscal.get("status", pd.Series(dtype=str)) == "provisional").any():
        caveats.append("The latest fiscal year is provisional.")
    calendar = pd.DataFrame()
    if store is not None:
        calendar, more = store_by_year(a, b, store)
        caveats += more
        fiscal = fiscal[~fiscal["period"].isin(calendar["period"])] if not fiscal.empty else fiscal
    elif "WORLD" not in (a, b):
        calendar = _from_pairs(table, a, b, caveats)
    if not calendar.empty:
        calendar = calendar[~calendar["period"].isin(list(fiscal.get("period", [])))]
    frame = (
        pd.concat([f for f in (fiscal, calendar) if not f.empty])
        if not (fiscal.empty and calendar.empty)
        else pd.DataFrame()
    )
    if frame.empty:
        raise InputError(f"no year is known for {a} and {b}; WORLD is known as a partner of IND only")
    frame = frame.assign(
        gap_usd=frame["a_to_b_usd"] - frame["b_to_a_usd"], turnover_usd=frame["a_to_b_usd"] + frame["b_to_a_usd"]
    )
    frame = frame.sort_values(["kind", "period"], ignore_index=True)
    frame = _with_growth(frame)
    if year is not None:
        frame = frame[frame["period"].str[2:6] == str(year)].reset_index(drop=True)
        if frame.empty:
            raise InputError(f"{year} is not known for {a} and {b}; leave --year out to see which years are")
    frame = frame[[*_YEAR_COLUMNS]]
    whole = frame.dropna(subset=["gap_usd"])
    last = whole[whole["period"].str[2:6] == whole["period"].str[2:6].max()].iloc[-1:] if len(whole) else whole
    totals = {
        k: float(last[k].iloc[0]) if len(last) else float("nan")
        for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd", "turnover_usd")
    }
    if len(last):
        caveats.append(f"The totals are those of {last['period'].iloc[0]}.")
    return GapTable(a, b, "year", frame, totals, tuple(caveats), _growth(frame))


_YEAR_COLUMNS = (
    *(
        "period",
        "kind",
        "a_to_b_usd",
        "b_to_a_usd",
        "gap_usd",
        "turnover_usd",
        "a_to_b_growth_pct",
        "b_to_a_growth_pct",
    ),
    *("status", "source", "a_to_b_basis", "b_to_a_basis"),
)


def _with_growth(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the growth over the year before of the same kind; NaN after a year that lacks."""
    out = frame.copy()
    year = frame["period"].str[2:6].astype(int)
    follows = ((frame["kind"] == frame["kind"].shift()) & (year == year.shift() + 1)).to_numpy()
    for side in ("a_to_b", "b_to_a"):
        growth = growth_pct(frame[f"{side}_usd"].to_numpy(float))
        out[f"{side}_growth_pct"] = np.where(follows, growth, np.nan)
    return out


def _growth(frame: pd.DataFrame) -> dict[str, float]:
    """Return growth a year between the first and last known year of the longer series, percent, and which they are."""
    kind = "FY" if (frame["kind"] == "FY").sum() >= (frame["kind"] == "CY").sum() else "CY"
    out: dict[str, float] = {}
    for side in ("a_to_b", "b_to_a"):
        known = frame[(frame["kind"] == kind) & frame[f"{side}_usd"].notna()]
        years = known["period"].str[2:6].astype(int).to_numpy()
        span = int(years[-1] - years[0]) if len(years) > 1 else 0
        ends = known[f"{side}_usd"].iloc[[0, -1]].to_numpy(float) if span else np.array([np.nan, np.nan])
        out[f"{side}_yearly_growth_pct"] = yearly_growth_pct(float(ends[0]), float(ends[1]), max(span, 1))
        out[f"{side}_growth_from_year"] = float(years[0]) if span else float("nan")
    return out


def _from_years(years: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Return the periods of the yearly table; a period is provisional where one of its sides is."""
    there, back = (
        years[(years["origin"] == i) & (years["destination"] == j)].set_index(["period", "kind"])
        for i, j in ((a, b), (b, a))
    )
    if there.empty or back.empty:
        return pd.DataFrame()
    joined = pd.concat([there.add_suffix("_there"), back.add_suffix("_back")], axis=1).reset_index()
    status = joined[["status_there", "status_back"]]
    fiscal = (joined["kind"] == "FY").to_numpy()
    bases = {
        side: [
            ("reported by IND, FOB" if i == "IND" else "mirror: reported by IND, CIF")
            if of_fiscal
            else basis_words(i, j, int(period[2:6]), "reconciled")
            for of_fiscal, period in zip(fiscal, joined["period"], strict=True)
        ]
        for side, i, j in (("a_to_b", a, b), ("b_to_a", b, a))
    }
    return pd.DataFrame(
        {
            "period": joined["period"],
            "kind": joined["kind"],
            "a_to_b_usd": joined["value_usd_there"],
            "b_to_a_usd": joined["value_usd_back"],
            "status": np.where((status == "provisional").any(axis=1), "provisional", "final"),
            "source": joined["source_there"].fillna(joined["source_back"]),
            "a_to_b_basis": bases["a_to_b"],
            "b_to_a_basis": bases["b_to_a"],
        }
    )


def _from_pairs(table: Callable[[str], pd.DataFrame], a: str, b: str, caveats: list[str]) -> pd.DataFrame:
    """Return the calendar years: country totals; for two regions 2024 from the product table, whose gaps are filled."""
    pairs = table("pairs")
    regional = {a, b} <= set(concordance.regions())
    silent = {year: silent_among(pair_totals(pairs, year), year) for year in (2023, DETAIL_YEAR)}
    sides = {"a_to_b_usd": (a, b), "b_to_a_usd": (b, a)}
    members = {name: _members(name) for name in (a, b)}
    rows: list[dict[str, object]] = []
    for year in (2023, 2024):
        row: dict[str, object] = {
            "period": f"CY{year}",
            "kind": "CY",
            "status": "final",
            "source": "BACI bilateral totals",
        }
        if regional and year == DETAIL_YEAR:
            row["source"] = "BACI and US Census by product, gaps filled"
        for side, (seller, buyer) in sides.items():
            basis = basis_words(seller, buyer, year, "reconciled", silent[year])
            if buyer == "USA" and year == DETAIL_YEAR:
                basis = "mirror: US Census at customs value"
            row[side.replace("_usd", "_basis")] = basis
            if regional and year == DETAIL_YEAR:
                flow = _flow(table("products"), seller, buyer, "hs4")
                row[side] = float(flow["value_usd"].sum()) if len(flow) else float("nan")
                caveats += _filled(flow, seller, buyer)
                continue
            mine = pairs[pairs["exporter"].isin(members[seller]) & pairs["importer"].isin(members[buyer])]
            known = mine[f"value_{year}_usd"].astype(np.float64).dropna()
            row[side] = float(known.sum()) if len(known) else float("nan")
            if known.empty:
                row[side.replace("_usd", "_basis")] = "absent: no record"
                reason = _why_absent(seller, buyer, members, pairs, year, silent[year])
                caveats.append(f"{seller} -> {buyer} is absent in {year}: {reason}. Absent is not zero.")
                continue
            words = silent_words(members[seller], members[buyer], silent[year], year)
            if words and len(members[seller]) + len(members[buyer]) > 2:
                caveats.append(f"{seller} -> {buyer}: {words}")
            if len(known) < len(mine):
                caveats.append(
                    f"{seller} -> {buyer} in {year} is known for {len(known)} of {len(mine)} pairs of countries; "
                    "the sum is too low by the others."
                )
        rows.append(row)
    return pd.DataFrame(rows)


def _why_absent(
    seller: str,
    buyer: str,
    members: Mapping[str, tuple[str, ...]],
    pairs: pd.DataFrame,
    year: int,
    silent: tuple[str, ...],
) -> str:
    """Say why a flow is in no record of a year: a country the source lacks, two that do not report, or neither."""
    totals = pair_totals(pairs, year)
    for name, side in ((seller, "origin"), (buyer, "destination")):
        if not totals[side].isin(members[name]).any():
            return f"the source of {year} has no {'exports' if side == 'origin' else 'imports'} of {name} at all"
    if all(set(members[name]) <= set(silent) for name in (seller, buyer)):
        return f"neither {seller} nor {buyer} reports that year"
    return "nobody reports it"


def _members(name: str) -> tuple[str, ...]:
    """Return the codes under which a country, or the members of a region or group, report in the shipped tables."""
    members = concordance.region_members()
    if name in members:
        return members[name]
    if name.upper() in {group.code for group in groups()}:
        own = {label_of(row["iso3"]): row["iso3"] for row in concordance.read_table("countries")}
        return tuple(own[code] for code in group_members(name, date(DETAIL_YEAR, 7, 1)) if code in own)
    return (name,)
