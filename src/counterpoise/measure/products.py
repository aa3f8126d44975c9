"""Which products could carry more trade: what a buyer buys from whom, what a seller sells, and what lies between.

The seller is A, the buyer is B: the goods of A that B might buy more of. Everything here is arithmetic on tables of one
year, before any equilibrium. Dual-use goods of the Common High Priority List are in no recommendation; they stand in a
block of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import DataError, InputError, did_you_mean
from counterpoise.data.concordance import high_priority_tiers, hs_chapter_names, hs_sector, region_of
from counterpoise.data.product_tables import ProductTables
from counterpoise.data.store import load_table
from counterpoise.measure.indices import (
    balassa_rca,
    complementarity_index,
    density_of,
    export_potential,
    grubel_lloyd,
    herfindahl,
)
from counterpoise.measure.redirect import pushed_out
from counterpoise.measure.selection import hs_ranges, in_ranges

if TYPE_CHECKING:
    from counterpoise.core import World

__all__ = ["RANKS", "ProductStudy", "latent_share", "line_openings", "product_opportunities"]

RANKS: Mapping[str, str] = {
    "unrealised": "unrealised_usd",
    "potential": "potential_usd",
    "redirected": "redirect_room_usd",
    "market": "displaceable_usd",
    "density": "density",
}
"""What products can be ranked by, and the column of each."""

COMPETITORS, MARKETS = 3, 2
"""Suppliers of the buyer, and markets of the seller, that are named for each product."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ProductStudy:
    """The products of a pair, ranked.

    Attributes
    ----------
    seller, buyer, level, year, source
        As in `ProductTables`.
    table
        One row per product that may be recommended, best first: hs, name, chapter, sector; bought_usd,
        buyer_imports_usd, seller_exports_usd, world_usd, sold_back_usd (USD a year); bought_share (of the buyer's
        imports, 0 to 1), supply_share (of world trade); rca, density, grubel_lloyd (NaN where they do not apply);
        potential_usd, unrealised_usd, displaceable_usd (what the buyer buys from others); supplier_hhi, suppliers
        (number), supplier_1 to supplier_3 with supplier_1_share and so on: competitors, the seller left out; markets
        (number), market_1 and market_2 with their parts: to whom the seller sells it;
        seller_unit_value, buyer_unit_value (USD a tonne) and unit_value_headroom (the second over the first, minus 1),
        where quantities are known; tariff_rate (duty of the buyer on the seller's sector) and obstacle_ave, where
        known; with a third country third_exports_usd, third_duty_before, third_duty_added, pushed_out_usd,
        redirect_room_usd.
    listed
        The same columns, and ``tier``, for the goods of the Common High Priority List.
    summary
        Totals of the pair over all products: see `product_opportunities`.
    missing
        What the tables lack or hold only as mirror data.
    caveats
        What else a reader must know about the numbers.
    """

    seller: str
    buyer: str
    level: str
    year: int
    source: str
    table: pd.DataFrame
    listed: pd.DataFrame
    summary: Mapping[str, Any]
    missing: tuple[str, ...]
    caveats: tuple[str, ...]

    def to_json(self, top: int | None = None) -> dict[str, Any]:
        """Return everything as JSON takes it; absent numbers are null; at most ``top`` rows of each table."""
        return {
            "seller": self.seller,
            "buyer": self.buyer,
            "level": self.level,
            "year": self.year,
            "source": self.source,
            "summary": dict(self.summary),
            "products": _records(self.table, top),
            "excluded": _records(self.listed, top),
            "missing": list(self.missing),
            "caveats": list(self.caveats),
        }


def product_opportunities(
    tables: ProductTables,
    *,
    hs: str | Sequence[str] | None = None,
    rank: str | None = None,
    ease: float | None = None,
    duties: pd.DataFrame | None = None,
    obstacles: Mapping[str, float] | None = None,
    world: World | None = None,
) -> ProductStudy:
    """Rank the products that a buyer might buy more of from a seller.

    Parameters
    ----------
    tables
        From `counterpoise.data.product_tables`.
    hs
        Selection of products, as ``"01-24,30"``; all by default. Shares, ease and complementarity are always those of
        all products.
    rank
        One of `RANKS`; ``unrealised`` by default, ``redirected`` where ``duties`` are given.
    ease
        Ease of trade to use instead of the pair's own, see `export_potential`.
    duties
        New duty of the third country on the seller: hs (of the tables' level or finer), rate_before, rate_after.
    obstacles
        Ad valorem equivalent of what stands in the way by HS code of the tables; NaN or absent where unknown.
    world
        World whose duties by sector are shown; None shows none.

    Returns
    -------
    Study. Its summary has: bought_usd, sold_back_usd, with bought_basis and sold_back_basis (``recorded``, ``filled``
    or ``restored``), gap_usd (sold back minus bought; NaN where one is absent), buyer_imports_usd, seller_exports_usd;
    complementarity (0 to 100); ease, ease_of (``pair``, ``given`` or ``neutral``); potential_usd,
    unrealised_usd of all products, unrealised_listed_usd of those excluded; largest_chapter and
    largest_chapter_back with their shares; product_hhi, grubel_lloyd; and of what is selected: selection, products,
    selected_unrealised_usd, selected_bought_usd, selected_imports_usd, selected_displaceable_usd; with a third country
    pushed_out_usd, redirect_room_usd.

    Raises
    ------
    InputError
        If the selection cannot be read or holds no traded product, the rank is unknown or does not apply, or duties
        come without a third country.
    DataError
        If one side of the pair has no trade at all.
    """
    ranges = None if hs is None else hs_ranges(hs)
    rank = rank or ("unrealised" if duties is None else "redirected")
    if rank not in RANKS:
        raise InputError(f"unknown rank '{rank}'{did_you_mean(rank, RANKS) or ';'} Known: {', '.join(RANKS)}")
    if (duties is None) != (tables.third_exports is None):
        raise InputError("goods are redirected where both a third country's duties and the exports to it are given")
    lines, caveats = tables.lines.copy(), list[str]()
    for column, words in (
        ("seller_exports_usd", f"{tables.seller} sells"),
        ("buyer_imports_usd", f"{tables.buyer} buys"),
    ):
        if not (lines[column] > 0).any():
            raise DataError(f"{tables.source} holds nothing that {words}; there is no product to rank")
    summary = _pair_summary(lines)
    _add_potential(lines, summary, caveats, tables, ease)
    _add_advantage(lines, tables, caveats)
    lines["displaceable_usd"] = (lines["buyer_imports_usd"] - lines["bought_usd"]).clip(lower=0.0)
    lines["grubel_lloyd"] = grubel_lloyd(lines["bought_usd"], lines["sold_back_usd"])
    _add_suppliers(lines, tables)
    _add_unit_values(lines, tables, caveats)
    _add_costs(lines, tables, caveats, obstacles, world)
    if duties is not None:
        assert tables.third_exports is not None
        lines, summary["pushed_out_usd"] = _add_redirected(lines, tables, duties, caveats)
    lines = _add_names(lines)
    if rank == "density" and lines["density"].isna().all():
        raise InputError(
            "density needs the exports of every country by product, which are not known here; take another rank"
        )
    tier = lines["hs"].map(_tiers(tables.level))
    _summarise_potential(lines, summary, tier.notna())
    if ranges is not None:
        picked = in_ranges(lines["hs"], ranges)
        if not (picked & (lines["world_usd"] + lines["buyer_imports_usd"] > 0)).any():
            wanted = hs if isinstance(hs, str) else ",".join(hs or ())
            raise InputError(
                f"--hs {wanted} holds no product that anyone trades; expected chapters among "
                f"{lines['hs'].str[:2].min()} to {lines['hs'].str[:2].max()}"
            )
        lines, tier = lines[picked], tier[picked]
    lines = lines[(lines["buyer_imports_usd"] > 0) | (lines["seller_exports_usd"] > 0)]
    order = lines.sort_values([RANKS[rank], "displaceable_usd", "hs"], ascending=[False, False, True]).index
    lines, tier = lines.loc[order], tier.loc[order]
    table, listed = lines[tier.isna()], lines[tier.notna()]
    listed = listed.assign(tier=tier[tier.notna()])
    selection = None if ranges is None else ",".join(a if a == b else f"{a}-{b}" for a, b in ranges)
    summary |= {f"{side}_basis": tables.basis.get(side, "recorded") for side in ("bought", "sold_back")}
    summary |= {"rank": rank, "selection": selection, "products": len(table), "excluded_products": len(listed)}
    for name, column in (
        ("selected_unrealised_usd", "unrealised_usd"),
        ("selected_bought_usd", "bought_usd"),
        ("selected_imports_usd", "buyer_imports_usd"),
        ("selected_displaceable_usd", "displaceable_usd"),
    ):
        summary[name] = float(table[column].sum())
    if duties is not None:
        summary["third"] = tables.third
        summary["redirect_room_usd"] = float(table["redirect_room_usd"].sum())
    caveats.append(
        "A ranking of goods is no licence to trade them: export controls and sanctions of every country apply."
    )
    if len(listed):
        caveats.append(
            f"{len(listed)} products of the Common High Priority List ({listed['bought_usd'].sum() / 1e6:,.1f} "
            "mn USD bought today) are excluded from the ranking and shown apart"
            + ("; a heading counts when any of it is listed." if tables.level == "hs4" else ".")
        )
    return ProductStudy(
        seller=tables.seller,
        buyer=tables.buyer,
        level=tables.level,
        year=tables.year,
        source=tables.source,
        table=table.reset_index(drop=True),
        listed=listed.reset_index(drop=True),
        summary=summary,
        missing=tables.notes,
        caveats=tuple(caveats),
    )


def latent_share(
    study: ProductStudy, spending_usd: Mapping[str, float], *, closed_only: bool = True
) -> dict[str, float]:
    r"""Return the latent share of each sector: what a line that is zero today would take of the buyer's spending.

    Parameters
    ----------
    study
        The pair; dual-use goods count for nothing.
    spending_usd
        The buyer's spending by sector, USD a year, duty included; sectors that are not in it are left out.
    closed_only
        Count only products that the buyer does not buy from the seller today (True), or also what is unrealised in
        the others.

    Returns
    -------
    Share by sector, 0 and more, in the order of ``spending_usd``.

    Raises
    ------
    InputError
        If spending is not above zero, or a share reaches 1: then potential and spending are not of one world.

    Notes
    -----
    lambda_latent = potential / spending: the share the line has at the cost at which the potential is reached. Once
    opened it adds lambda_latent (c kappa)^-theta to the price sum of the sector, with kappa = 1 at that cost.
    """
    rows = study.table[study.table["bought_usd"] == 0] if closed_only else study.table
    value = rows.groupby("sector")["unrealised_usd"].sum()
    problems = [f"{s}: {usd}" for s, usd in spending_usd.items() if not (np.isfinite(usd) and usd > 0)]
    if problems:
        raise InputError(f"spending must be above zero, USD a year; seen {', '.join(problems)}")
    shares = {sector: float(value.get(sector, 0.0)) / usd for sector, usd in spending_usd.items()}
    over = [f"{sector} {share:.3g}" for sector, share in shares.items() if share >= 1]
    if over:
        raise InputError(
            f"the latent share of {', '.join(over)} is 1 or more: the potential is as large as all that {study.buyer} "
            "spends there; check that both are USD a year of the same country"
        )
    return shares


def line_openings(study: ProductStudy, world: World) -> dict[str, float]:
    """Return the lines of the pair that are zero in a world and could be opened, each with its potential.

    Parameters
    ----------
    study
        The pair; dual-use goods count for nothing.
    world
        A world that knows both, each by itself or by the region it lies in.

    Returns
    -------
    Unrealised potential by sector, USD a year at customs value: what ``Shock.with_opening`` takes. Sectors that trade
    already, that the seller does not make or the buyer does not buy, and those without potential are left out.

    Raises
    ------
    InputError
        If the world does not know the pair, or has both in one region.
    """
    seller, buyer = (_region(world, name) for name in (study.seller, study.buyer))
    if seller is None or buyer is None or seller == buyer:
        raise InputError(
            f"{world.meta.name} has no trade {study.seller} -> {study.buyer} of its own; no line can be opened"
        )
    flow = world.flow.to_numpy()
    i, j = world.countries.index(seller), world.countries.index(buyer)
    closed = (flow[i, j] == 0) & (flow[i].sum(axis=0) > 0) & (flow[:, j].sum(axis=0) > 0)
    potential = study.table.groupby("sector")["unrealised_usd"].sum()
    found = {s: float(potential.get(s, 0.0)) for k, s in enumerate(world.sectors) if closed[k]}
    return {sector: usd for sector, usd in found.items() if usd > 0}


def _records(table: pd.DataFrame, top: int | None) -> list[dict[str, Any]]:
    rows = cast("list[dict[str, Any]]", (table if top is None else table.head(top)).to_dict("records"))
    return [{k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in rows]


def _pair_summary(lines: pd.DataFrame) -> dict[str, Any]:
    """Return what holds for the pair over all products."""
    bought, back = lines["bought_usd"], lines["sold_back_usd"]
    both = float((bought + back).sum())
    out: dict[str, Any] = {
        "bought_usd": float(bought.sum()),
        "sold_back_usd": float(back.sum()),
        "gap_usd": float(back.sum() - bought.sum()) if bought.any() and back.any() else float("nan"),
        "buyer_imports_usd": float(lines["buyer_imports_usd"].sum()),
        "seller_exports_usd": float(lines["seller_exports_usd"].sum()),
        "complementarity": complementarity_index(lines["seller_exports_usd"], lines["buyer_imports_usd"]),
        "product_hhi": herfindahl(bought),
        "grubel_lloyd": float(1.0 - (bought - back).abs().sum() / both) if both else float("nan"),
    }
    for name, column in (("largest_chapter", "bought_usd"), ("largest_chapter_back", "sold_back_usd")):
        chapters = lines.groupby(lines["hs"].str[:2])[column].sum()
        total = float(chapters.sum())
        out[name] = str(chapters.idxmax()) if total > 0 else None
        out[f"{name}_share"] = float(chapters.max()) / total if total > 0 else float("nan")
    return out


def _add_potential(
    lines: pd.DataFrame, summary: dict[str, Any], caveats: list[str], tables: ProductTables, ease: float | None
) -> None:
    kind = "pair" if ease is None else "given"
    if ease is None and not (lines["bought_usd"] > 0).any():
        ease, kind = 1.0, "neutral"
        caveats.append(
            f"No trade {tables.seller} -> {tables.buyer} is recorded, so the pair has no ease of trade of its own: "
            "potential is taken at the neutral ease of 1, as shares alone would have it; --ease sets another."
        )
    columns = ("seller_exports_usd", "world_usd", "buyer_imports_usd", "bought_usd")
    sold, world, wanted, bought = (lines[c].to_numpy(dtype=np.float64) for c in columns)
    # A total that rounding leaves below the seller's own exports is at least these.
    lines["world_usd"] = world = np.maximum(world, sold)
    potential, used = export_potential(sold, world, wanted, bought, ease=ease)
    lines["potential_usd"] = potential
    lines["unrealised_usd"] = np.maximum(potential - bought, 0.0)
    lines["supply_share"] = np.divide(sold, world, out=np.full(len(sold), np.nan), where=world > 0)
    lines["bought_share"] = np.divide(bought, wanted, out=np.full(len(sold), np.nan), where=wanted > 0)
    summary |= {"ease": used, "ease_of": kind}


def _summarise_potential(lines: pd.DataFrame, summary: dict[str, Any], listed: pd.Series[bool]) -> None:
    summary["potential_usd"] = float(lines["potential_usd"].sum())
    summary["unrealised_usd"] = float(lines["unrealised_usd"].sum())
    summary["unrealised_listed_usd"] = float(lines.loc[listed, "unrealised_usd"].sum())


def _add_advantage(lines: pd.DataFrame, tables: ProductTables, caveats: list[str]) -> None:
    """Add RCA, and density where every country's exports are known."""
    lines["rca"] = balassa_rca(lines["seller_exports_usd"], lines["world_usd"])
    if tables.market is None:
        lines["density"] = np.nan
        caveats.append(
            "Density does not apply: it needs the exports of every country by product, which are not at hand."
        )
        return
    advantage = _advantages(tables.market, lines["hs"])
    own = lines["rca"].to_numpy(dtype=np.float64) >= 1.0
    lines["density"] = density_of(own, advantage)
    if len(advantage) < 100:
        caveats.append(f"Density is over {len(advantage)} regions only: coarse.")


def _advantages(market: pd.DataFrame, codes: pd.Series[str]) -> NDArray[np.bool_]:
    """Return (country, product): whether RCA is 1 or more, over the codes of the lines."""
    position = pd.Series(np.arange(len(codes)), index=codes.to_numpy())
    column = market["hs"].map(position)
    known = column.notna()
    row, names = pd.factorize(market.loc[known, "exporter"])
    flat = row * len(codes) + column[known].to_numpy(dtype=np.intp)
    value = market.loc[known, "value_usd"].to_numpy(dtype=np.float64)
    exports = np.bincount(flat, value, len(names) * len(codes)).reshape(len(names), len(codes))
    with np.errstate(invalid="ignore"):
        return balassa_rca(exports) >= 1.0


def _add_suppliers(lines: pd.DataFrame, tables: ProductTables) -> None:
    """Add who sells each product to the buyer and who buys it from the seller, at the level at which that is known."""
    suppliers, key = _parts(lines, tables.suppliers, "exporter")
    lines["supplier_hhi"] = key.map((suppliers["part"] ** 2).groupby(suppliers["hs"]).sum())
    lines["suppliers"] = key.map(suppliers.groupby("hs").size()).fillna(0).astype("int64")
    _add_largest(lines, key, suppliers[suppliers["exporter"] != tables.seller], "exporter", "supplier", COMPETITORS)
    buyers, key = _parts(lines, tables.buyers, "importer")
    lines["markets"] = key.map(buyers.groupby("hs").size()).fillna(0).astype("int64")
    _add_largest(lines, key, buyers, "importer", "market", MARKETS)


def _parts(lines: pd.DataFrame, flows: pd.DataFrame, side: str) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Return flows by product and country with the part of each in its product; and the key that lines look up."""
    sums = flows.groupby(["hs", side])["value_usd"].sum().reset_index()
    width = int(sums["hs"].astype(str).str.len().max()) if len(sums) else 6
    total = sums.groupby("hs")["value_usd"].transform("sum")
    return sums.assign(part=sums["value_usd"] / total), lines["hs"].astype(str).str[:width]


def _add_largest(
    lines: pd.DataFrame, key: pd.Series[str], parts: pd.DataFrame, side: str, name: str, count: int
) -> None:
    """Add the largest countries of each product and their parts: ``name_1``, ``name_1_share`` and so on."""
    ordered = parts.sort_values(by=["hs", "value_usd", side], ascending=[True, False, True])
    place = ordered.groupby("hs").cumcount()
    for k in range(count):
        mine = ordered[place == k]
        codes = mine["hs"].astype(str)
        countries = dict(zip(codes, mine[side].astype(str), strict=True))
        shares = dict(zip(codes, mine["part"].astype(float), strict=True))
        lines[f"{name}_{k + 1}"] = [countries.get(code, "") for code in key]
        lines[f"{name}_{k + 1}_share"] = [shares.get(code, np.nan) for code in key]


def _add_unit_values(lines: pd.DataFrame, tables: ProductTables, caveats: list[str]) -> None:
    """Add unit values, USD a tonne, and the headroom between what the buyer pays others and what the seller asks."""
    if "seller_exports_t" not in lines:
        caveats.append(
            f"Unit values and their headroom do not apply: the source of {tables.year} states no quantities "
            "(a BACI file with its column q does)."
        )
        return
    asked = _ratio(lines["seller_exports_with_t_usd"], lines["seller_exports_t"])
    tonnes = lines["buyer_imports_t"] - lines["bought_t"]
    paid = _ratio(lines["buyer_imports_with_t_usd"] - lines["bought_with_t_usd"], tonnes)
    lines["seller_unit_value"], lines["buyer_unit_value"] = asked, paid
    lines["unit_value_headroom"] = _ratio(paid, asked) - 1.0
    known = int(np.isfinite(lines["unit_value_headroom"]).sum())
    caveats.append(
        f"Headroom is what {tables.buyer} pays others a tonne over what {tables.seller} asks of all its buyers; "
        f"known for {known:,} of {len(lines):,} products, where both state tonnes. It compares means of whatever falls "
        "under a code: several hundred percent is another quality, not room."
    )


def _ratio(top: pd.Series[float] | Numbers, bottom: pd.Series[float] | Numbers) -> Numbers:
    a, b = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)


def _add_costs(
    lines: pd.DataFrame,
    tables: ProductTables,
    caveats: list[str],
    obstacles: Mapping[str, float] | None,
    world: World | None,
) -> None:
    """Add the buyer's duty by sector and the obstacles by product, where they are known."""
    lines["sector"] = [hs_sector(code) for code in lines["hs"]]
    if world is not None:
        seller, buyer = (_region(world, name) for name in (tables.seller, tables.buyer))
        if seller and buyer and seller != buyer:
            rates = world.tariff_rate.sel(origin=seller, destination=buyer)
            by_sector = {s: float(rates.sel(sector=s)) for s in world.sectors}
            lines["tariff_rate"] = lines["sector"].map(by_sector)
            caveats.append(
                f"Duties are means by sector of {world.meta.name}, {seller} -> {buyer}, not lines of a schedule."
            )
        else:
            caveats.append(f"Duties are not shown: {world.meta.name} has no {tables.seller} -> {tables.buyer}.")
    if obstacles is not None:
        lines["obstacle_ave"] = lines["hs"].map(dict(obstacles))


def _region(world: World, name: str) -> str | None:
    if name in world.countries:
        return name
    try:
        region = region_of(name)
    except InputError:
        return None
    return region if region in world.countries else None


def _add_redirected(
    lines: pd.DataFrame, tables: ProductTables, duties: pd.DataFrame, caveats: list[str]
) -> tuple[pd.DataFrame, float]:
    assert tables.third_exports is not None
    chosen = load_table("elasticities").query("set == 'fgo'")
    theta = dict(zip(chosen["sector"].astype(str), chosen["trade_elasticity"].astype(float), strict=True))
    found = pushed_out(lines[["hs", "seller_exports_usd", "sector"]], tables.third_exports, duties, theta)
    lines = lines.merge(found.table, on="hs", how="left", validate="one_to_one")
    lines["redirect_room_usd"] = np.minimum(lines["pushed_out_usd"], lines["displaceable_usd"])
    caveats.append(
        f"Pushed out of {tables.third} is what a partial equilibrium gives with prices fixed; what {tables.buyer} "
        "could take of it is at most what it buys from others. Neither is a forecast."
    )
    caveats += found.notes
    return lines, float(found.table["pushed_out_usd"].sum())


def _add_names(lines: pd.DataFrame) -> pd.DataFrame:
    headings = load_table("headings").set_index("hs")["name"]
    chapters = hs_chapter_names()
    names = lines["hs"].str[:4].map(headings)
    lines["chapter"] = lines["hs"].str[:2]
    lines["name"] = names.fillna(lines["chapter"].map(chapters)).fillna("Special provisions")
    first = ["hs", "name", "chapter", "sector"]
    return lines[[*first, *(c for c in lines.columns if c not in first)]]


def _tiers(level: str) -> dict[str, str]:
    """Return the tier of every listed code at a level; a heading has those of all its listed codes."""
    tiers = high_priority_tiers()
    if level == "hs6":
        return dict(tiers)
    headings: dict[str, set[str]] = {}
    for code, tier in tiers.items():
        headings.setdefault(code[:4], set()).add(tier)
    return {code: ", ".join(sorted(found)) for code, found in headings.items()}
