"""What product opportunities are read from: one pair by product, its suppliers and buyers, and the world beside it.

Three sources give the same tables: the trade store, the raw file the store is made from, and the embedded tables, which
need nothing but the package. What each leaves out is in ``notes``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError, InputError, SourceMissingError, did_you_mean, raise_all
from counterpoise.data.codes import country
from counterpoise.data.concordance import read_table, region_members, regions
from counterpoise.data.reporting import listed_silent, pair_totals, silent_among, silent_words
from counterpoise.data.store import load_table
from counterpoise.data.trade_files import BASES

if TYPE_CHECKING:
    from counterpoise.data.trade_store import TradeStore

__all__ = ["DETAILED", "EMBEDDED", "LINE_COLUMNS", "ProductTables", "embedded_products", "product_tables"]

EMBEDDED = "embedded"
"""Name of the source that is inside the package."""

DETAILED = ("IND", "RUS", "USA")
"""Regions whose trade the embedded tables know by six digits."""

LINE_COLUMNS = ("bought_usd", "sold_back_usd", "buyer_imports_usd", "seller_exports_usd", "world_usd")
"""Columns that the lines always have, beside ``hs``."""

SILENT_USD, COLLAPSE_RATIO = 5e7, 0.05
"""A supplier of at least this much in 2023 that falls below this ratio in 2024 is named as missing, not as gone."""

_POOLED = "other"
_NAMED = 4


@dataclass(frozen=True, slots=True, eq=False)
class ProductTables:
    """Trade of a pair by product, with what surrounds it.

    Attributes
    ----------
    seller, buyer
        The seller whose goods the buyer might buy more of.
    level
        ``hs6`` or ``hs4``: the digits of ``lines``.
    year
        Calendar year.
    source
        What was read, in words.
    lines
        Table hs (string), bought_usd (buyer from seller), sold_back_usd (buyer to seller), buyer_imports_usd,
        seller_exports_usd, world_usd: USD a year, 0 where no flow is recorded; where quantities exist also the tonnes
        of the first, third and fourth and the value they belong to: bought_t, bought_with_t_usd and so on.
    suppliers, buyers
        Who sells to the buyer (exporter, hs, value_usd) and who buys from the seller (importer, hs, value_usd); their
        ``hs`` may be coarser than those of ``lines``.
    market
        What every country sells to the world (exporter, hs, value_usd); None where it is not known.
    third, third_exports
        The third country, and what the seller sells to it (hs, value_usd; may be coarser); empty and None without one.
    notes
        What is missing or not reported, next to what it touches.
    basis
        Whether ``bought`` and ``sold_back`` are no records: ``filled`` or ``restored`` from another year's total.
    """

    seller: str
    buyer: str
    level: str
    year: int
    source: str
    lines: pd.DataFrame
    suppliers: pd.DataFrame
    buyers: pd.DataFrame
    market: pd.DataFrame | None
    third: str
    third_exports: pd.DataFrame | None
    notes: tuple[str, ...]
    basis: Mapping[str, str] = field(default_factory=dict[str, str])


def product_tables(
    seller: str,
    buyer: str,
    *,
    third: str | None = None,
    year: int | None = None,
    store: Path | str | None = None,
    sources: Path | str | None = None,
) -> ProductTables:
    """Return the tables of a pair from the best source at hand.

    Parameters
    ----------
    seller, buyer, third
        Countries by any code of `counterpoise.data.codes`; regions of the embedded world where only its tables are at
        hand.
    year
        Calendar year; the latest by default.
    store
        Folder of a trade store, or `EMBEDDED` to read nothing but the package. By default the user's store; where
        there is none, the raw file in ``sources``; where there is none either, the package.
    sources
        Folder of raw sources.

    Raises
    ------
    InputError
        If a country is unknown, occurs twice, or a year is not known.
    DataError
        If nothing is recorded for the pair.
    """
    seller, buyer, third = _label(seller), _label(buyer), None if third is None else _label(third)
    _require_different(seller, buyer, third)
    if store == EMBEDDED:
        return embedded_products(seller, buyer, third=third, year=year)
    from counterpoise.data.trade_store import find_trade

    try:
        opened = find_trade(store, sources=sources)
    except SourceMissingError:
        if store is not None or sources is not None:
            raise
        return embedded_products(seller, buyer, third=third, year=year)
    with opened:
        return _from_store(opened, seller, buyer, third, year, sources)


def embedded_products(seller: str, buyer: str, *, third: str | None = None, year: int | None = None) -> ProductTables:
    """Return the tables of two regions from the package: by HS6 among `DETAILED`, else by HS4.

    Raises
    ------
    InputError
        If a region is unknown or the year is not the one of the tables.
    DataError
        If nothing is recorded for the pair.
    """
    seller, buyer, third = _label(seller), _label(buyer), None if third is None else _label(third)
    _require_different(seller, buyer, third)
    if year is not None and year != 2024:
        raise InputError(f"the embedded product tables are of 2024, not of {year}; import that year into a trade store")
    _require_regions(*(name for name in (seller, buyer, third) if name is not None))
    products = load_table("products")
    level = "hs6" if {seller, buyer} <= set(DETAILED) else "hs4"
    headings = products[products["level"] == "hs4"]
    there = _embedded_flow(products, seller, buyer, level)
    if there is None and _embedded_flow(products, "WORLD" if level == "hs6" else None, buyer, level) is None:
        raise DataError(f"nobody reports what {buyer} buys; there is nothing to say about {seller} -> {buyer}")
    world = load_table("markets").assign(value_usd=lambda t: t["value_usd"].astype(np.float64))
    if level == "hs6":
        sold, wanted = (_embedded_flow(products, *pair, level) for pair in ((seller, "WORLD"), ("WORLD", buyer)))
    else:
        world = world.assign(hs=world["hs"].str[:4])
        sold, wanted = _embedded_flow(products, seller, None, level), _embedded_flow(products, None, buyer, level)
    lines = _join_lines(
        bought_usd=there,
        sold_back_usd=_embedded_flow(products, buyer, seller, level),
        buyer_imports_usd=wanted,
        seller_exports_usd=sold,
        world_usd=_sums(world),
    )
    suppliers = headings.loc[(headings["destination"] == buyer) & (headings["hs"] != _POOLED)]
    buyers = headings.loc[(headings["origin"] == seller) & (headings["hs"] != _POOLED)]
    market = headings.loc[headings["hs"] != _POOLED, :].groupby(["origin", "hs"])["value_usd"].sum().reset_index()
    notes = [
        "The embedded tables hold 24 regions in 2024, customs values; trade inside a region (the Union, ASEAN and"
        " others) is left out of every total, and flows under 1,000 USD count as zero.",
        *_filled_note(products, seller, buyer, level),
    ]
    if level == "hs6":
        notes.append(
            "Suppliers and buyers are known by heading (HS4) and region; US lines are HS 2022, others HS 2017."
        )
    else:
        notes.append(
            f"Six digits are known among {', '.join(DETAILED)} only: for {seller} and {buyer} products are headings."
        )
    third_exports = None
    if third is not None:
        fine = "hs6" if {seller, third} <= set(DETAILED) and level == "hs6" else "hs4"
        third_exports = _as_table(_embedded_flow(products, seller, third, fine))
        if third_exports is None:
            raise DataError(f"nobody reports what {seller} sells to {third}; nothing can be redirected from there")
    return ProductTables(
        seller=seller,
        buyer=buyer,
        level=level,
        year=2024,
        source="Embedded product tables: BACI 2024 and US Census 2024, what is missing filled as the data card says",
        lines=lines,
        suppliers=_renamed(suppliers, "origin", "exporter"),
        buyers=_renamed(buyers, "destination", "importer"),
        market=_renamed(market, "origin", "exporter") if level == "hs4" else None,
        third=third or "",
        third_exports=third_exports,
        notes=(*notes, *mirror_notes(seller, buyer, filled=True)),
    )


def _silent_notes(
    sellers: list[str], buyers: list[str], silent: Collection[str], year: int, *, filled: bool
) -> list[str]:
    """Say which countries of a pair report nothing, and what that leaves out of its tables."""
    notes = [words] if (words := silent_words(sellers, buyers, silent, year)) else []
    if not filled and set(buyers) <= set(silent):
        others = [code for code in silent if code not in buyers]
        notes.append(
            f"What {buyers[0]} buys lacks what the other countries that report nothing in {year} sell it"
            f" ({', '.join(others[:6])} and {max(len(others) - 6, 0)} more): their part is absent, not zero."
        )
    return notes


def mirror_notes(seller: str, buyer: str, *, filled: bool, silent: Collection[str] | None = None) -> tuple[str, ...]:
    """Return what is known about missing and mirrored reports of a pair in 2024.

    Parameters
    ----------
    seller, buyer
        Countries (ISO3) or regions.
    filled
        Whether the tables already fill what is missing.
    silent
        Countries that report nothing in 2024; by default as the totals of all pairs show.
    """
    members = region_members()
    inside = {name: set(members.get(name, (_OLDER.get(name, name),))) for name in (seller, buyer)}
    pairs = load_table("pairs")
    if silent is None:
        silent = silent_among(pair_totals(pairs, 2024), 2024)
    notes = [
        f"{row['note']}: mirror data, incomplete."
        for row in read_table("non_reporters")
        if row["iso3"] in inside[seller] | inside[buyer]
    ]
    notes += _silent_notes(sorted(inside[seller]), sorted(inside[buyer]), silent, 2024, filled=filled)
    mine = pairs[pairs["importer"].isin(list(inside[buyer])) & ~pairs["exporter"].isin(list(inside[buyer]))]
    # The Census counts the Union as one supplier of the USA.
    union = set(members["EU27"]) if (mine["exporter"] == "EU27").any() else set[str]()
    mine = mine[(mine["value_2023_usd"] >= SILENT_USD) & ~mine["exporter"].isin(list(union))]
    reported = mine.groupby("importer")["value_2024_usd"].transform("count") > 0
    gone = mine.loc[reported & (mine["value_2024_usd"].fillna(0.0) < COLLAPSE_RATIO * mine["value_2023_usd"]), :]
    gone = gone.sort_values(by=["value_2023_usd"], ascending=False)
    if len(gone):
        first = gone.head(_NAMED)
        named = zip(first["exporter"].astype(str), first["value_2023_usd"].astype(float), strict=True)
        shown = ", ".join(f"{exporter} ({usd / 1e9:.2f} bn)" for exporter, usd in named)
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        rest = "what they sold in 2023 is filled in" if filled else "their goods are missing from the buyer's imports"
        notes.append(
            f"Suppliers of {buyer} that sold it much in 2023 and report next to nothing in 2024: {shown}{more}; {rest}."
        )
    return tuple(notes)


def _from_store(
    store: TradeStore, seller: str, buyer: str, third: str | None, year: int | None, sources: Path | str | None
) -> ProductTables:
    """Return the tables of two countries from a store; the imports of an importer it lacks are unknown."""
    information = store.at(year)
    year = information.year
    codes = {
        name: _OLDER.get(name, name) if name not in information.countries else name
        for name in (seller, buyer, third)
        if name is not None
    }
    store.require_country(*codes.values(), year=year)
    notes = _missing_importers(store, seller, year)
    market = _worded(_renamed(store.exports_by_product(year=year), "origin", "exporter"), "exporter")
    buyers = _worded(store.exports_of(codes[seller], year=year), "destination")
    basis = dict[str, str]()
    if codes[buyer] in information.importers:
        suppliers = _worded(store.imports_of(codes[buyer], year=year), "origin")
    else:
        suppliers, words = _unreported_imports(buyer, year, market, sources)
        notes.append(words)
        basis = {"bought": "filled"} if words.startswith("FILLED") else {}
    bought, words = _or_restored(suppliers[suppliers["origin"] == seller], seller, buyer, year, market)
    back, words_back = _or_restored(store.pair(codes[buyer], codes[seller], year=year), buyer, seller, year, market)
    for side, said in (("bought", words), ("sold_back", words_back)):
        if "RESTORED" in "".join(said):
            basis[side] = "restored"
    imports = _sums(suppliers)
    if words:
        restored = pd.DataFrame({"origin": seller, "hs": bought.index, "value_usd": bought.to_numpy()})
        suppliers = pd.concat([suppliers, restored], ignore_index=True)
        imports = imports.add(bought, fill_value=0.0)
    lines = _join_lines(
        bought_usd=bought,
        sold_back_usd=back,
        buyer_imports_usd=imports,
        seller_exports_usd=_sums(buyers),
        world_usd=_sums(market),
    )
    lines = _with_quantities(lines, suppliers, buyers, seller)
    notes += [*words, *words_back]
    silent = silent_among(store.totals(year=year), year) if information.basis == BASES[0] else listed_silent(year)
    if year == 2024:
        notes += mirror_notes(seller, buyer, filled=False, silent=silent)
    else:
        notes += _silent_notes([seller], [buyer], silent, year, filled=False)
    third_exports = None
    if third is not None:
        third_exports, said = _third_exports(store, seller, third, codes, year, sources)
        notes.append(said)
    return ProductTables(
        seller=seller,
        buyer=buyer,
        level="hs6",
        year=year,
        source=f"{information.title}, {year}, {information.revision}, {information.valuation}, {information.basis}"
        + (", the file read in place" if store.direct else ""),
        lines=lines,
        suppliers=_renamed(suppliers, "origin", "exporter"),
        buyers=_renamed(buyers, "destination", "importer"),
        market=market,
        third=third or "",
        third_exports=third_exports,
        notes=tuple(notes),
        basis=basis,
    )


_OLDER = {"TWN": "S19"}
"""Codes under which BACI has written a country, as the table of pairs does."""


def _label(name: str) -> str:
    """Return the label of a region or country; what is neither as it is, for the source to refuse."""
    if name in regions():
        return name
    try:
        return country(name).iso3
    except InputError:
        return name


def _worded(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a table with the labels of this package where BACI has others."""
    return table.assign(**{column: table[column].replace({older: label for label, older in _OLDER.items()})})


def _or_restored(
    recorded: pd.DataFrame, seller: str, buyer: str, year: int, market: pd.DataFrame
) -> tuple[pd.Series[float], tuple[str, ...]]:
    """Return a flow by product; where 2024 has no record, the total of 2023 in the seller's mix, with words on it."""
    if len(recorded):
        return _sums(recorded), ()
    nothing = pd.Series(dtype="float64")
    absent = f"Nobody reports what {seller} sells to {buyer} in {year}: it is absent, not zero"
    if year != 2024:
        return nothing, (f"{absent}.",)
    pairs = load_table("pairs")
    there = (pairs["exporter"] == _OLDER.get(seller, seller)) & (pairs["importer"] == _OLDER.get(buyer, buyer))
    before = pairs.loc[there, "value_2023_usd"].dropna()
    mix = market[market["exporter"] == seller].set_index("hs")["value_usd"]
    if before.empty or mix.empty:
        return nothing, (f"{absent}, and 2023 has no record either.",)
    total = float(before.iloc[0])
    return mix / mix.sum() * total, (
        f"{absent}. RESTORED: its total of 2023 ({total / 1e6:,.0f} mn USD), split as what {seller} sells the world.",
    )


def _missing_importers(store: TradeStore, seller: str, year: int) -> list[str]:
    """Say which importers the store lacks, and how much the seller sold them the year before, where that is known."""
    lacking = list(store.missing_reporters(year))
    if not lacking:
        return []
    note = (
        f"Importers that are missing in {year}: {', '.join(lacking)}. What {seller} sells them, and what they buy, is"
        f" in no number here: its exports, world trade and every share are of {len(store.reporters(year))} importers"
    )
    if year != 2024:
        return [note + "."]
    before = load_table("pairs")
    before = before[before["exporter"] == _OLDER.get(seller, seller)]
    value = before["value_2023_usd"].astype(np.float64)
    part = float(value[before["importer"].isin(lacking)].sum() / max(float(value.sum()), 1.0))
    return [f"{note}. In 2023 they took {100 * part:.0f} % of what {seller} sold."]


def _unreported_imports(
    buyer: str, year: int, market: pd.DataFrame, sources: Path | str | None
) -> tuple[pd.DataFrame, str]:
    """Return what an importer buys that the store lacks: from the US Census, or filled; and which of them.

    Filled imports are the total that each supplier sold the buyer in 2023, split as what the supplier sells the world.

    Raises
    ------
    DataError
        If neither is known.
    """
    if year == 2024 and buyer == "USA":
        census = _census(sources)
        if len(census):
            words = (
                "The source lacks the USA as an importer: what it buys is of US Census 2024 (HS 2022, imports for "
                "consumption, the European Union as one supplier)."
            )
            return census.rename(columns={"exporter": "origin", "hs6": "hs"}).assign(quantity_t=np.nan), words
    before = load_table("pairs")
    before = _worded(before[(before["importer"] == buyer) & before["value_2023_usd"].notna()], "exporter")
    if year != 2024 or before.empty:
        raise DataError(f"the source of {year} lacks {buyer} as an importer, so that what it buys is unknown, not zero")
    total = before.set_index("exporter")["value_2023_usd"].astype(np.float64)
    sold = market.groupby("exporter")["value_usd"].sum()
    known = market[market["exporter"].isin(list(total.index))]
    owner = known["exporter"]
    filled = known["value_usd"] * owner.map(total) / owner.map(sold)
    left_out = float(total[~total.index.isin(list(sold.index))].sum() / total.sum())
    words = (
        f"FILLED, NOT REPORTED: the source of {year} lacks {buyer} as an importer. What each supplier sold it in all in"
        f" 2023 ({total.sum() / 1e9:,.0f} bn USD) is split as what that supplier sells the world in {year}: suppliers,"
        " potential and unrealised trade by product are estimates of the order of size."
        f" {100 * left_out:.1f} % of it has no such mix and is left out."
    )
    table = pd.DataFrame({"origin": owner, "hs": known["hs"], "value_usd": filled, "quantity_t": np.nan})
    return table.reset_index(drop=True), words


def _census(sources: Path | str | None) -> pd.DataFrame:
    """Return US imports by exporter and HS6 (exporter, hs6, value_usd); empty where the file is not at hand."""
    from counterpoise.data.sources import locate_sources
    from counterpoise.data.us_imports import load_us_imports

    try:
        return _worded(load_us_imports(locate_sources(sources)), "exporter")
    except SourceMissingError:
        return pd.DataFrame({"exporter": [], "hs6": [], "value_usd": []})


def _third_exports(
    store: TradeStore, seller: str, third: str, codes: dict[str, str], year: int, sources: Path | str | None
) -> tuple[pd.DataFrame, str]:
    """Return what the seller sells to a third country, and where that is known from."""
    if codes[third] in store.at(year).importers:
        table = store.pair(codes[seller], codes[third], year=year)
        if table.empty:
            raise DataError(f"nothing is recorded of what {seller} sells to {third} in {year}")
        return table[["hs", "value_usd"]], f"What {seller} sells to {third} is of the same source."
    if third == "USA" and year == 2024:
        census = _census(sources)
        mine = census[census["exporter"] == seller]
        if len(mine):
            words = f"What {seller} sells to the USA is of US Census 2024 (HS 2022, imports for consumption)."
            return mine.rename(columns={"hs6": "hs"})[["hs", "value_usd"]].astype({"value_usd": "float64"}), words
    if {seller, third} <= set(regions()) and year == 2024:
        level = "hs6" if {seller, third} <= set(DETAILED) else "hs4"
        found = _as_table(_embedded_flow(load_table("products"), seller, third, level))
        if found is not None:
            return (
                found,
                f"What {seller} sells to {third} is of the embedded tables, which fill importers that are missing.",
            )
    raise DataError(
        f"{third} is missing as an importer in {year}, and no other source at hand says what {seller} sells there; "
        "nothing can be redirected from it"
    )


def _with_quantities(lines: pd.DataFrame, suppliers: pd.DataFrame, buyers: pd.DataFrame, seller: str) -> pd.DataFrame:
    """Add tonnes and the value they belong to, where any are stated."""
    if not (suppliers["quantity_t"].notna().any() and buyers["quantity_t"].notna().any()):
        return lines
    for name, table in (
        ("bought", suppliers[suppliers["origin"] == seller]),
        ("buyer_imports", suppliers),
        ("seller_exports", buyers),
    ):
        sums = table.groupby("hs")[["quantity_t", "value_with_quantity_usd"]].sum()
        lines[f"{name}_t"] = lines["hs"].map(sums["quantity_t"]).fillna(0.0)
        lines[f"{name}_with_t_usd"] = lines["hs"].map(sums["value_with_quantity_usd"]).fillna(0.0)
    return lines


def _join_lines(**columns: pd.Series[float] | None) -> pd.DataFrame:
    """Join series by HS into the lines; a flow that is not recorded is 0 in its column."""
    known = {name: series for name, series in columns.items() if series is not None}
    table = pd.DataFrame(known).reindex(columns=list(columns)).fillna(0.0).sort_index()
    return table.rename_axis("hs").reset_index()


def _embedded_flow(
    products: pd.DataFrame, origin: str | None, destination: str | None, level: str
) -> pd.Series[float] | None:
    """Return a flow by HS, USD; a side that is None is all regions; None where nothing is reported."""
    mine = products[(products["level"] == level) & (products["hs"] != _POOLED)]
    for column, name in (("origin", origin), ("destination", destination)):
        mine = mine[mine[column] == name] if name is not None else mine[mine[column] != "WORLD"]
    return None if mine.empty else _sums(mine)


def _sums(table: pd.DataFrame) -> pd.Series[float]:
    return table.assign(value_usd=table["value_usd"].astype(np.float64)).groupby("hs")["value_usd"].sum()


def _as_table(series: pd.Series[float] | None) -> pd.DataFrame | None:
    return None if series is None else series.rename("value_usd").rename_axis("hs").reset_index()


def _renamed(table: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    out = table[[column, "hs", "value_usd"]].rename(columns={column: name}).reset_index(drop=True)
    return out.assign(value_usd=out["value_usd"].astype(np.float64))


def _filled_note(products: pd.DataFrame, seller: str, buyer: str, level: str) -> list[str]:
    mine = products[(products["origin"] == seller) & (products["destination"] == buyer) & (products["level"] == level)]
    value = mine["value_usd"].astype(np.float64)
    filled = float(value[mine["source"].isin(["filled", "mixed"])].sum() / max(float(value.sum()), 1.0))
    if filled <= 0.005:
        return []
    return [f"{100 * filled:.0f} % of {seller} -> {buyer} is filled, in whole or in part: the reports of 2024 lack it."]


def _require_different(seller: str, buyer: str, third: str | None) -> None:
    problems: list[str] = []
    if seller == buyer:
        problems.append(f"'{seller}' is on both sides; expected two countries")
    if third is not None and third in (seller, buyer):
        problems.append(f"'{third}' is the third country and one of the pair; expected another")
    raise_all(InputError, "these are no three countries" if third else "this is no pair", problems)


def _require_regions(*names: str) -> None:
    known = regions()
    problems: list[str] = []
    for name in names:
        if name in known:
            continue
        region = _region_of(name)
        problems.append(
            f"'{name}' lies inside the region '{region}', and the embedded tables are by region: ask for '{region}'"
            if region
            else f"unknown country '{name}'{did_you_mean(name, known) or ';'} Known: {', '.join(known)}"
        )
    if problems:
        problems.append(
            "every country is known to a trade store; make one with 'counterpoise data import FILE --year YEAR', "
            "or name the folder of raw sources with --sources"
        )
    raise_all(InputError, "the embedded product tables do not know this", problems)


def _region_of(iso3: str) -> str | None:
    return next((region for region, members in region_members().items() if iso3 in members), None)
