"""The chapter on products: which goods could carry more trade, and who sells them today."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError
from counterpoise.data.codes import country
from counterpoise.data.concordance import regions
from counterpoise.measure.products import ProductStudy
from counterpoise.report.document import Document, Section, TableBlock
from counterpoise.report.figure import Figure
from counterpoise.report.html import write_html
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.theme import display_name
from counterpoise.report.workbook import write_workbook

__all__ = ["product_label", "products_document", "products_section", "write_products"]

SUFFIXES = (".html", ".xlsx")
"""Suffixes of the documents that can be written; tables have others."""

_MN = NumberFormat(1)
_SHARE = NumberFormat(1, suffix=" %", axis_suffix=" %")
_INDEX = NumberFormat(2)
_AREAS, _BUBBLES, _BARS = 60, 40, 15

_METHOD = (
    "Static export potential of Decreux and Spies (2016): the seller's share in world trade of a product, times"
    " what the buyer imports of it, times the ease of trade of the pair; unrealised is what of it is not traded today."
    " RCA is Balassa's index. One year, no projections, prices and all else as they are."
)

_COLUMNS: Mapping[str, tuple[str, str, float, NumberFormat]] = {
    "hs": ("HS", "", 1.0, _MN),
    "name": ("Product", "", 1.0, _MN),
    "unrealised_usd": ("Unrealised", "USD mn", 1e-6, _MN),
    "potential_usd": ("Potential", "USD mn", 1e-6, _MN),
    "bought_usd": ("Bought today", "USD mn", 1e-6, _MN),
    "buyer_imports_usd": ("Imports from all", "USD mn", 1e-6, _MN),
    "seller_exports_usd": ("Exports to all", "USD mn", 1e-6, _MN),
    "bought_share": ("Part of imports", "%", 100.0, _SHARE),
    "rca": ("RCA", "", 1.0, _INDEX),
    "density": ("Density", "", 1.0, _INDEX),
    "competitors": ("Competitors", "", 1.0, _MN),
    "supplier_1": ("First competitor", "", 1.0, _MN),
    "supplier_1_share": ("its part", "%", 100.0, _SHARE),
    "supplier_2": ("Second", "", 1.0, _MN),
    "supplier_2_share": ("its part ", "%", 100.0, _SHARE),
    "supplier_hhi": ("Concentration (HHI)", "", 1.0, _INDEX),
    "market_1": ("Largest market of the seller", "", 1.0, _MN),
    "market_1_share": ("its part  ", "%", 100.0, _SHARE),
    "unit_value_headroom": ("Unit value headroom", "%", 100.0, _SHARE),
    "tariff_rate": ("Duty", "%", 100.0, _SHARE),
    "obstacle_ave": ("Obstacles", "%", 100.0, _SHARE),
    "third_exports_usd": ("Sold to the third country", "USD mn", 1e-6, _MN),
    "third_duty_added": ("Duty added there", "points", 100.0, NumberFormat(1)),
    "pushed_out_usd": ("Pushed out", "USD mn", 1e-6, _MN),
    "redirect_room_usd": ("Room for it", "USD mn", 1e-6, _MN),
    "tier": ("Tier", "", 1.0, _MN),
}
"""Columns of a table on paper: words, unit, factor, format."""


def product_label(hs: str, name: str) -> str:
    """Return a product as people write it.

    Examples
    --------
    >>> product_label("870322", "Vehicles"), product_label("8703", "Vehicles")
    ('Vehicles 8703.22', 'Vehicles 8703')
    """
    return f"{name} {hs[:4]}.{hs[4:]}" if len(hs) == 6 else f"{name} {hs}"


def products_section(study: ProductStudy, *, top: int | None = 30, id: str = "products") -> Section:
    """Return the chapter on the products of a pair.

    Parameters
    ----------
    study
        From `counterpoise.measure.products.product_opportunities`.
    top
        Rows of the ranking shown; None shows all.
    id
        Anchor; also the beginning of the anchors of its figures and tables.
    """
    seller, buyer = _country(study.seller), _country(study.buyer)
    total = study.summary
    figures = [f for f in (_areas(study, id), _bubbles(study, id), _redirected(study, id)) if f is not None]
    ranked = study.table if top is None else study.table.head(top)
    brief = top is not None
    counted = f"The products with most room{_only(study)}, {len(ranked)} of {len(study.table):,}"
    tables = [_table(study, ranked, counted, f"{id}-ranking", " ".join(study.missing), brief=brief)]
    if len(study.listed):
        shown = study.listed if top is None else study.listed.head(top)
        tables.append(
            _table(
                study,
                shown,
                "Excluded: dual-use goods of the Common High Priority List",
                f"{id}-excluded",
                note="Never recommended. All tiers of the list of February 2024; codes that HS 2022 renamed are there"
                " under both names.",
                brief=brief,
            )
        )
    prose = [
        f"{buyer} buys {_bn(total['bought_usd'])} from {seller} and {_bn(total['buyer_imports_usd'])} from all the"
        f" world in {study.year}. What {seller} sells fits what {buyer} buys to {total['complementarity']:.1f} of 100"
        f" (complementarity over {_digits(study)}). {_ease(study)}",
        f"By its shares {seller} could sell **{_bn(total['unrealised_usd'])}** more in the products where it sells less"
        f" than its potential; {_bn(total['unrealised_listed_usd'])} of that is dual-use and excluded.",
        "This is no forecast: potentials with the pair's own ease add up to what is traded already, so that the sum"
        " says how much would have to move from where the pair trades above its shares to where it trades below them.",
        " ".join(study.caveats),
    ]
    return Section(
        id=id,
        title=f"The products: {_bn(total['unrealised_usd'])} between what {buyer} buys of {seller} and what shares say",
        prose=tuple(prose),
        figures=tuple(figures),
        tables=tuple(tables),
    )


def products_document(study: ProductStudy, manifest: Mapping[str, Any], *, top: int | None = 50) -> Document:
    """Return the products of a pair as a report of its own."""
    seller, buyer = _country(study.seller), _country(study.buyer)
    total = study.summary
    best = study.table.head(1)
    first = (
        f"First comes **{product_label(str(best['hs'].iloc[0]), str(best['name'].iloc[0]))}**: {buyer} buys"
        f" {_bn(float(best['buyer_imports_usd'].iloc[0]))} of it from all, {_bn(float(best['bought_usd'].iloc[0]))} of"
        f" that from {seller}."
    )
    sentences = [
        f"{buyer} buys **{_bn(total['bought_usd'])}** of {seller} a year and sells it"
        f" **{_bn(total['sold_back_usd'])}**.",
        f"What {seller} sells fits what {buyer} buys to **{total['complementarity']:.1f}** of 100.",
        f"The static export potential that is not used comes to **{_bn(total['unrealised_usd'])}**{_chosen(study)}.",
        first,
    ]
    return Document(
        title=f"What {buyer} could buy more of from {seller}",
        dek=f"{study.source}.",
        sentences=tuple(sentences),
        sections=(products_section(study, top=top),),
        manifest=manifest,
    )


def write_products(study: ProductStudy, path: Path, manifest: Mapping[str, Any]) -> Path:
    """Write the products of a pair as a page (``.html``) or a workbook (``.xlsx``, every product); whole or not at all.

    Raises
    ------
    InputError
        If the suffix is another.
    """
    if path.suffix == ".html":
        return write_html(products_document(study, manifest), path)
    if path.suffix == ".xlsx":
        return write_workbook(products_document(study, manifest, top=None), path)
    raise InputError(f"-o {path}: the suffix '{path.suffix}' names no document; expected {' or '.join(SUFFIXES)}")


def _country(code: str) -> str:
    """Return the words for a region or a country."""
    words = display_name(code)
    return country(code).name if words == code and code not in regions() else words


def _only(study: ProductStudy) -> str:
    """Return the selection in words, empty for all products."""
    return f" in HS {study.summary['selection']}" if study.summary["selection"] else ""


def _chosen(study: ProductStudy) -> str:
    """Say how much of what is unrealised is in the selection; empty for all products."""
    if not study.summary["selection"]:
        return ""
    return f", of which **{_bn(float(study.summary['selected_unrealised_usd']))}**{_only(study)}"


def _bn(usd: float) -> str:
    decimals = 2 if abs(usd) < 9.995e9 else 1
    return NumberFormat(decimals, suffix=" bn USD").text(usd / 1e9)


def _digits(study: ProductStudy) -> str:
    return "six digits" if study.level == "hs6" else "four digits"


def _ease(study: ProductStudy) -> str:
    ease, kind = float(study.summary["ease"]), study.summary["ease_of"]
    if kind != "pair":
        return f"The ease of trade is set to {ease:.3g}."
    more = "more" if ease >= 1 else "less"
    return f"The pair trades {100 * abs(ease - 1):.0f} % {more} than shares alone would have it (ease {ease:.3f})."


def _labelled(rows: pd.DataFrame) -> list[str]:
    return [product_label(hs, name) for hs, name in zip(rows["hs"].astype(str), rows["name"].astype(str), strict=True)]


def _areas(study: ProductStudy, id: str) -> Figure | None:
    """Draw what is unrealised, by heading within its sector."""
    rows = study.table[study.table["unrealised_usd"] > 0]
    if rows.empty:
        return None
    rows = rows.assign(hs=rows["hs"].str[:4])
    rows = rows.groupby(["hs", "name", "sector"])["unrealised_usd"].sum().reset_index()
    rows = rows.sort_values(by=["unrealised_usd"], ascending=False)
    head, tail = rows.head(_AREAS), rows.iloc[_AREAS:]
    parts = [pd.DataFrame({"product": _labelled(head), "sector": head["sector"], "usd": head["unrealised_usd"]})]
    if len(tail):
        rest = tail.groupby("sector")["unrealised_usd"].agg(["sum", "size"]).reset_index()
        words = [f"{n} more headings" if n > 1 else "1 more heading" for n in rest["size"]]
        parts.append(pd.DataFrame({"product": words, "sector": rest["sector"], "usd": rest["sum"]}))
    frame = pd.concat(parts, ignore_index=True)
    frame["usd"] = frame["usd"] / 1e6
    sums = frame.groupby("sector")["usd"].sum().sort_values(ascending=False)
    frame["sector"] = [display_name(s) for s in frame["sector"]]
    lead = " and ".join(display_name(str(s)).lower() for s in sums.index[:2])
    part = float(sums.iloc[:2].sum() / sums.sum())
    return Figure(
        kind="treemap",
        title=f"{100 * part:.0f} % of the unused potential{_only(study)} is in {lead}",
        subtitle=f"Unrealised potential, {_country(study.seller)} to {_country(study.buyer)}, USD mn a year",
        data=frame,
        label="product",
        value="usd",
        group="sector",
        unit="USD mn",
        number=_MN,
        source=study.source,
        note=" ".join(("Dual-use goods of the Common High Priority List are left out.", *study.missing)),
        method=_METHOD,
        id=f"{id}-areas",
    )


def _bubbles(study: ProductStudy, id: str) -> Figure | None:
    """Draw the seller's advantage against what the buyer takes from others; the area is what is unrealised."""
    rows = study.table[
        (study.table["unrealised_usd"] > 0) & (study.table["rca"] > 0) & (study.table["displaceable_usd"] > 0)
    ]
    rows = rows.sort_values("unrealised_usd", ascending=False).head(_BUBBLES)
    if len(rows) < 2:
        return None
    frame = pd.DataFrame(
        {
            "product": _labelled(rows),
            "rca": rows["rca"].to_numpy(),
            "others": rows["displaceable_usd"].to_numpy(dtype=np.float64) / 1e6,
            "unrealised": rows["unrealised_usd"].to_numpy(dtype=np.float64) / 1e6,
            "sector": [display_name(s) for s in rows["sector"]],
        }
    )
    strong = int((frame["rca"] >= 1).sum())
    seller, buyer = _country(study.seller), _country(study.buyer)
    return Figure(
        kind="scatter",
        title=f"In {strong} of the {len(frame)} products with most room{_only(study)} {seller} has an advantage",
        subtitle=f"What {buyer} imports from others, USD mn a year; the area is the unrealised potential",
        data=frame,
        x="rca",
        y="others",
        size="unrealised",
        series="sector",
        label="product",
        log=("x", "y"),
        x_title="revealed comparative advantage of the seller (1: as the world), logarithmic",
        y_title="imports from others, USD mn, logarithmic",
        x_number=_INDEX,
        number=_MN,
        unit="USD mn",
        headers={"unrealised": "Unrealised potential (USD mn)", "rca": "RCA"},
        source=study.source,
        method=_METHOD,
        id=f"{id}-bubbles",
    )


def _redirected(study: ProductStudy, id: str) -> Figure | None:
    """Draw what a third country's duty pushes out, beside the room for it."""
    if "pushed_out_usd" not in study.table:
        return None
    rows = study.table[study.table["pushed_out_usd"] > 0].sort_values("redirect_room_usd", ascending=False).head(_BARS)
    rows = rows[rows["redirect_room_usd"] > 0]
    if rows.empty:
        return None
    label = _labelled(rows)
    parts = [
        pd.DataFrame({"product": label, "what": words, "usd": rows[column].to_numpy(dtype=np.float64) / 1e6})
        for column, words in (
            ("pushed_out_usd", "pushed out by the duty"),
            ("redirect_room_usd", "of that at most what the buyer now takes from others"),
        )
    ]
    total = study.summary
    third = _country(str(total["third"]))
    return Figure(
        kind="bar",
        title=f"New duties ({third}) push out {_bn(float(total['pushed_out_usd']))} of what"
        f" {_country(study.seller)} sells; {_country(study.buyer)} has room for"
        f" {_bn(float(total['redirect_room_usd']))} at most",
        subtitle="USD mn a year, partial equilibrium, prices fixed",
        data=pd.concat(parts, ignore_index=True),
        x="product",
        y="usd",
        series="what",
        layout="grouped",
        sort="none",
        unit="USD mn",
        number=_MN,
        source=study.source,
        method="Pushed out: v (1 - ((1 + t') / (1 + t))^-(theta + 1)) by product, elasticities by sector (Fontagné,"
        " Guimbard and Orefice 2022). Room: the smaller of that and what the buyer imports from other suppliers.",
        id=f"{id}-redirected",
    )


def _table(study: ProductStudy, rows: pd.DataFrame, title: str, id: str, note: str = "", *, brief: bool) -> TableBlock:
    """Return rows as a table: every column, or the few that fit a page."""
    rows = rows.assign(competitors=_competitors(rows))
    wanted = _brief(rows) if brief else [c for c in _COLUMNS if c != "competitors"]
    columns = [c for c in wanted if c in rows and not rows[c].isna().all()]
    frame = pd.DataFrame({c: rows[c] * _COLUMNS[c][2] if _COLUMNS[c][2] != 1.0 else rows[c] for c in columns})
    numeric = [c for c in columns if pd.api.types.is_numeric_dtype(frame[c])]
    return TableBlock(
        title=title,
        frame=frame.reset_index(drop=True),
        source=study.source,
        headers={c: _COLUMNS[c][0] for c in columns},
        units={c: _COLUMNS[c][1] for c in columns if _COLUMNS[c][1]},
        formats={c: _COLUMNS[c][3] for c in numeric},
        note=note,
        id=id,
    )


def _brief(rows: pd.DataFrame) -> list[str]:
    columns = ["hs", "name", "competitors", "unrealised_usd", "bought_usd", "buyer_imports_usd", "rca"]
    if "pushed_out_usd" in rows:
        columns[6:7] = ["pushed_out_usd", "redirect_room_usd"]
    return [*columns, "tier"]


def _competitors(rows: pd.DataFrame) -> list[str]:
    """Return the two largest competitors of each product, with their parts of what the buyer imports."""
    out: list[str] = []
    for row in rows.to_dict("records"):
        named = [(str(row[f"supplier_{k}"]), float(row[f"supplier_{k}_share"])) for k in (1, 2)]
        out.append(", ".join(f"{name} {100 * part:.0f} %" for name, part in named if name))
    return out
