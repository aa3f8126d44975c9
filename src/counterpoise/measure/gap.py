"""The gap of a pair: what A sells to B minus what it buys from B, by year, section, HS code or sector.

Years are known for any two countries; product detail is by region, and by six digits among India, Russia and the USA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.data import concordance, load_table, load_world
from counterpoise.data.hs_sections import SECTIONS, section_of

if TYPE_CHECKING:
    from counterpoise.core import World

__all__ = ["BY", "SECTIONS", "GapTable", "gap", "section_of"]

BY = ("year", "section", "hs2", "hs4", "hs6", "sector")
"""Ways to take a gap apart."""

DETAILED = ("IND", "RUS", "USA")
"""Regions whose trade is known by six digits."""

DETAIL_YEAR = 2024
"""Year of the product tables."""

_POOLED = "other"


@dataclass(frozen=True, slots=True)
class GapTable:
    """The gap of a pair, taken apart.

    Attributes
    ----------
    a, b
        The pair; ``gap_usd`` is what a sells to b minus what b sells to a.
    by
        One of `BY`.
    rows
        One row per year or product: names, ``a_to_b_usd``, ``b_to_a_usd``, ``gap_usd`` (USD a year at customs value,
        NaN where a side is absent), and for products ``gap_share`` (share of the total gap).
    totals
        Sums in USD for products; the latest full year for ``by="year"``.
    caveats
        What a reader must know about the numbers.
    """

    a: str
    b: str
    by: str
    rows: pd.DataFrame
    totals: Mapping[str, float]
    caveats: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a, b, by, rows, totals and caveats, ready for JSON; absent numbers are null."""
        rows = [{k: _plain(v) for k, v in row.items()} for row in self.rows.to_dict("records")]
        totals = {k: _plain(v) for k, v in self.totals.items()}
        return {"a": self.a, "b": self.b, "by": self.by, "rows": rows, "totals": totals, "caveats": list(self.caveats)}


def gap(
    a: str,
    b: str,
    *,
    by: str = "year",
    year: int | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    world: World | None = None,
) -> GapTable:
    """Take the gap of a pair apart.

    Parameters
    ----------
    a, b
        Regions of the embedded world, or for ``by="year"`` any countries (ISO3); ``WORLD`` where the tables have it.
    by
        ``year``, ``section``, ``hs2``, ``hs4``, ``hs6`` (among India, Russia, the USA and the world) or ``sector`` (of
        the balanced world).
    year
        Keep one year of ``by="year"``; product detail is of 2024 only.
    tables
        ``years``, ``pairs`` and ``products`` to use instead of the embedded ones.
    world
        World of ``by="sector"``; the embedded one by default.

    Raises
    ------
    InputError
        If a country, ``by`` or the year is unknown, or a country inside a region is asked for product detail.
    """
    if by not in BY:
        raise InputError(f"unknown by '{by}'{did_you_mean(by, BY) or ';'} Known: {', '.join(BY)}")
    if a == b:
        raise InputError(f"'{a}' is on both sides; a gap is between two countries")

    def table(name: str) -> pd.DataFrame:
        return load_table(name) if tables is None or name not in tables else tables[name]

    if by == "year":
        return _by_year(a, b, year, table)
    if year is not None and year != DETAIL_YEAR:
        raise InputError(f"product detail is of {DETAIL_YEAR}, not of {year}; leave --year out, or take --by year")
    if by == "sector":
        return _by_sector(a, b, load_world() if world is None else world)
    return _by_product(a, b, by, table("products"))


def _plain(value: object) -> object:
    """Return a number as JSON takes it; an absent one as None."""
    number = cast("object", value.item()) if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and np.isnan(number) else number


def _finish(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Add gap and its share of the total; sort by size; return the totals, too."""
    # A side that is absent altogether stays absent in the totals.
    a_to_b, b_to_a = (float(frame[column].sum(min_count=1)) for column in ("a_to_b_usd", "b_to_a_usd"))
    total = a_to_b - b_to_a
    frame = frame.assign(gap_usd=frame["a_to_b_usd"] - frame["b_to_a_usd"])
    frame["gap_share"] = frame["gap_usd"] / total if total else np.nan
    frame = frame.sort_values("gap_usd", key=lambda v: -v.abs(), kind="stable", ignore_index=True)
    return frame, {"a_to_b_usd": a_to_b, "b_to_a_usd": b_to_a, "gap_usd": total, "turnover_usd": a_to_b + b_to_a}


# By product


def _by_product(a: str, b: str, by: str, products: pd.DataFrame) -> GapTable:
    known = (*concordance.regions(), "WORLD")
    for name in (a, b):
        _require_region(name, known)
    six = by == "hs6" or "WORLD" in (a, b)
    if six and not {a, b} <= {*DETAILED, "WORLD"}:
        raise InputError(
            f"six digits and the world as a partner are known for {', '.join(DETAILED)} only, not for {a} and {b}; "
            "take --by hs4"
        )
    level = "hs6" if six else "hs4"
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
    frame.insert(1, "name", [_product_name(code, by) for code in frame[by]])
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
    frame, totals = _finish(frame)
    return GapTable(a, b, by, frame, totals, tuple(caveats))


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


def _product_name(code: str, by: str) -> str:
    if code == _POOLED:
        return "Other and special provisions" if by == "section" else "Flows under 1,000 USD"
    if by == "section":
        return next(name for roman, _, _, name in SECTIONS if roman == code)
    return concordance.hs_chapter_names().get(code[:2], "Special provisions")


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
    frame, totals = _finish(frame)
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
    return GapTable(a, b, "sector", frame, totals, tuple(caveats))


# By year


def _by_year(a: str, b: str, year: int | None, table: Callable[[str], pd.DataFrame]) -> GapTable:
    caveats = ["Calendar years at customs value, free on board (BACI method)."]
    years = table("years")
    fiscal = _from_years(years, a, b)
    if not fiscal.empty and (fiscal["kind"] == "FY").any():
        caveats.append(
            "Fiscal years (April to March) as India reports them: its imports include freight and insurance."
        )
    if (fiscal.get("status", pd.Series(dtype=str)) == "provisional").any():
        caveats.append("The latest fiscal year is provisional.")
    calendar = _from_pairs(table, a, b, caveats) if "WORLD" not in (a, b) else pd.DataFrame()
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
    if year is not None:
        frame = frame[frame["period"].str[2:6] == str(year)].reset_index(drop=True)
        if frame.empty:
            raise InputError(f"{year} is not known for {a} and {b}; leave --year out to see which years are")
    frame = frame[["period", "kind", "a_to_b_usd", "b_to_a_usd", "gap_usd", "turnover_usd", "status", "source"]]
    whole = frame.dropna(subset=["gap_usd"])
    last = whole[whole["period"].str[2:6] == whole["period"].str[2:6].max()].iloc[-1:] if len(whole) else whole
    totals = {
        k: float(last[k].iloc[0]) if len(last) else float("nan")
        for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd", "turnover_usd")
    }
    if len(last):
        caveats.append(f"The totals are those of {last['period'].iloc[0]}.")
    return GapTable(a, b, "year", frame, totals, tuple(caveats))


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
    return pd.DataFrame(
        {
            "period": joined["period"],
            "kind": joined["kind"],
            "a_to_b_usd": joined["value_usd_there"],
            "b_to_a_usd": joined["value_usd_back"],
            "status": np.where((status == "provisional").any(axis=1), "provisional", "final"),
            "source": joined["source_there"].fillna(joined["source_back"]),
        }
    )


def _from_pairs(table: Callable[[str], pd.DataFrame], a: str, b: str, caveats: list[str]) -> pd.DataFrame:
    """Return the calendar years: country totals; for two regions 2024 from the product table, whose gaps are filled."""
    pairs = table("pairs")
    regional = {a, b} <= set(concordance.regions())
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
            if regional and year == DETAIL_YEAR:
                flow = _flow(table("products"), seller, buyer, "hs4")
                row[side] = float(flow["value_usd"].sum()) if len(flow) else float("nan")
                caveats += _filled(flow, seller, buyer)
                continue
            mine = pairs[pairs["exporter"].isin(members[seller]) & pairs["importer"].isin(members[buyer])]
            known = mine[f"value_{year}_usd"].astype(np.float64).dropna()
            row[side] = float(known.sum()) if len(known) else float("nan")
            if known.empty:
                caveats.append(f"{seller} -> {buyer} is absent in {year}: nobody reports it. Absent is not zero.")
            elif len(known) < len(mine):
                caveats.append(
                    f"{seller} -> {buyer} in {year} is known for {len(known)} of {len(mine)} pairs of countries; "
                    "the sum is too low by the others."
                )
        rows.append(row)
    return pd.DataFrame(rows)


def _members(name: str) -> tuple[str, ...]:
    """Return the codes under which a country, or the members of a region, report."""
    members = concordance.region_members()
    if name in members:
        return members[name]
    if _region_of(name) is not None:
        return (name,)
    names = {row["name"]: row["iso3"] for row in concordance.read_table("countries")}
    near = did_you_mean(name, names)
    code = next((iso3 for full, iso3 in names.items() if near == f"; did you mean '{full}'?"), None)
    hint = f"{near[:-1]}, which is {code}?" if code and len(name) > 3 else ";"
    raise InputError(f"unknown country '{name}'{hint} expected an ISO3 code or a region ({', '.join(members)})")
