"""``counterpoise products A B``: which goods of A could B buy more of, and from whom does it buy them now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.core.errors import InputError, raise_all
from counterpoise.faces.cli.options import AsJson, AsOf, Offline, Output, SourcesFolder
from counterpoise.faces.cli.show import bn, number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    from counterpoise.core import World
    from counterpoise.measure.products import ProductStudy

__all__ = ["products_command"]

_DOCUMENTS = (".html", ".xlsx")
_TABLES = (".csv", ".parquet", ".json")


def products_command(
    a: Annotated[str, typer.Argument(metavar="A", help="The seller: country by any code, or region.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The buyer, who might buy more of A's goods.")],
    hs: Annotated[
        str | None, typer.Option("--hs", metavar="CODES", help="Only these products, as 01-24,30 or 3004.")
    ] = None,
    redirect_from: Annotated[
        str | None,
        typer.Option(metavar="C", help="Show what new duties of this third country push out of it."),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Scenario that holds these duties and the obstacles; the library's by default."
        ),
    ] = None,
    as_of: AsOf = None,
    rank: Annotated[
        str | None, typer.Option(metavar="HOW", help="unrealised, potential, redirected, market or density.")
    ] = None,
    ease: Annotated[
        float | None, typer.Option(metavar="BETA", help="Ease of trade instead of the pair's own; 1 is neutral.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Year of the store; the latest by default.")] = None,
    top: Annotated[int, typer.Option(help="Rows shown on the terminal and in --json; 0 shows all.")] = 20,
    programme: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Write the shown products as a purchase programme for simulate."),
    ] = None,
    subsidy_rate: Annotated[
        float, typer.Option(metavar="RATE", help="Share of the price the programme pays; an assumption.")
    ] = 0.2,
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Trade store; 'embedded' reads nothing but the package."),
    ] = None,
    sources: SourcesFolder = None,
    as_json: AsJson = False,
    output: Output = None,
    offline: Offline = False,
) -> None:
    """Rank the goods of A that B could buy more of: who sells them now, and how much room there is."""
    from counterpoise.data.product_tables import EMBEDDED, product_tables
    from counterpoise.measure.products import product_opportunities

    day = _checked(as_of, top, subsidy_rate, output, programme)
    tables = product_tables(
        a,
        b,
        third=redirect_from,
        year=year,
        store=EMBEDDED if store is not None and str(store) == EMBEDDED else store,
        sources=sources,
    )
    codes = tables.lines["hs"].astype(str).tolist()
    duties, words = None, ""
    if redirect_from is not None:
        from counterpoise.scenario.opportunities import duties_by_product

        found = duties_by_product(tables.third, tables.seller, codes, scenario=scenario, as_of=day)
        duties = found.table
        day_words = f" as of {found.as_of}" if found.as_of else ""
        words = f"Duties of {tables.third}{day_words} ({found.scenario}): " + "; ".join(found.measures or ("none",))
    study = product_opportunities(
        tables,
        hs=hs,
        rank=rank,
        ease=ease,
        duties=duties,
        obstacles=_obstacles(scenario, tables.seller, tables.buyer, codes),
        world=_world(),
    )
    shown = study.table if top == 0 else study.table.head(top)
    if programme is not None:
        _write_programme(programme, shown["hs"].astype(str).tolist(), study, subsidy_rate)
    if output is not None:
        _write(output, study)
    if as_json:
        print_json(study.to_json(None if top == 0 else top) | ({"duties": words} if words else {}))
    elif output is None and programme is None:
        _show(study, top, words)
    else:
        _say_caveats(study, words)


def _checked(
    as_of: str | None, top: int, subsidy_rate: float, output: Path | None, programme: Path | None
) -> date | None:
    """Check the options that need no data; return the day.

    Raises
    ------
    InputError
        If any cannot be used; all are named.
    """
    problems: list[str] = []
    day = None
    if as_of is not None:
        try:
            day = date.fromisoformat(as_of)
        except ValueError:
            problems.append(f"--as-of '{as_of}' is no day; expected YYYY-MM-DD, as 2025-10-03")
    if top < 0:
        problems.append(f"--top {top} is below zero; expected a number of rows, 0 for all")
    if not 0 < subsidy_rate < 1:
        problems.append(f"--subsidy-rate {subsidy_rate:g} is outside 0 to 1; 0.2 pays 20 % of the price")
    if output is not None and output.suffix not in (*_TABLES, *_DOCUMENTS):
        wanted = ", ".join((*_TABLES, *_DOCUMENTS))
        problems.append(f"-o {output}: the suffix '{output.suffix}' names no format; expected one of {wanted}")
    if programme is not None and programme.suffix != ".toml":
        problems.append(f"--programme {programme}: expected a file that ends in .toml")
    raise_all(InputError, "the products cannot be ranked", problems)
    return day


def _obstacles(scenario: str | None, a: str, b: str, codes: list[str]) -> dict[str, float] | None:
    """Return the obstacles between the two in the scenario named, else in the flagship; None where it has none."""
    from counterpoise.faces.cli.run import FLAGSHIP
    from counterpoise.scenario import load_scenario
    from counterpoise.scenario.opportunities import obstacles_by_product

    return obstacles_by_product(load_scenario(scenario or FLAGSHIP), a, b, codes) or None


def _world() -> World:
    from counterpoise.data import load_world

    return load_world()


def _write(path: Path, study: ProductStudy) -> None:
    if path.suffix in _DOCUMENTS:
        from counterpoise.report.manifest import run_manifest
        from counterpoise.report.products import write_products

        manifest = run_manifest(
            inputs={}, options={"seller": study.seller, "buyer": study.buyer, "source": study.source}, results={}
        )
        write_products(study, path, manifest)
    else:
        write_table(path, study.table, document=study.to_json())
    say(f"wrote {path}")


def _write_programme(path: Path, codes: list[str], study: ProductStudy, subsidy_rate: float) -> None:
    from counterpoise.core.storage import atomic_path
    from counterpoise.measure.products import line_openings
    from counterpoise.scenario.opportunities import purchase_fragment

    text = purchase_fragment(
        codes,
        seller=study.seller,
        buyer=study.buyer,
        name=path.stem,
        subsidy_rate=subsidy_rate,
        extends=None,
        openings=line_openings(study, _world()),
        source=f"counterpoise products {study.seller} {study.buyer}, by {study.summary['rank']}: {study.source}",
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"wrote {path}; solve it with: counterpoise simulate {path}")


def _show(study: ProductStudy, top: int, words: str) -> None:
    a, b, total = study.seller, study.buyer, study.summary
    facts = [
        [f"{b} buys from {a}", _flow(total, "bought")],
        [f"{a} buys from {b}", _flow(total, "sold_back")],
        [f"largest chapter {a} to {b}", _chapter(total, "largest_chapter")],
        [f"largest chapter {b} to {a}", _chapter(total, "largest_chapter_back")],
        ["complementarity, 0 to 100", number(total["complementarity"], 1)],
        [f"ease of trade ({total['ease_of']})", number(total["ease"], 6)],
        ["unrealised potential, all products", f"{number(total['unrealised_usd'] / 1e6, 0)} mn USD"],
        ["of that dual-use, excluded", f"{number(total['unrealised_listed_usd'] / 1e6, 1)} mn USD"],
        ["of that selected here", f"{number(total['selected_unrealised_usd'] / 1e6, 0)} mn USD"],
    ]
    if "pushed_out_usd" in total:
        facts += [
            [f"pushed out of {total['third']}", f"{number(total['pushed_out_usd'] / 1e6, 0)} mn USD"],
            ["room for it here, at most", f"{number(total['redirect_room_usd'] / 1e6, 0)} mn USD"],
        ]
    print_table(f"What {b} could buy more of from {a}, {study.year}", ["", "value"], facts)
    shown = study.table if top == 0 else study.table.head(top)
    redirected = "pushed_out_usd" in study.table
    heads = ["HS", "product", "first supplier", "unrealised", "bought", "imports", "its part, %", "RCA", "density"]
    priced, recorded = "unit_value_headroom" in study.table, total["bought_usd"] > 0
    heads += ["asked, USD/t", "others pay, USD/t", "headroom, %"] if priced else []
    heads += ["duty there, +points", "pushed out", "room"] if redirected else []
    rows: list[list[str]] = []
    for r in shown.to_dict("records"):
        first = f"{r['supplier_1']} {number(100 * float(r['supplier_1_share']), 0)} %" if r["supplier_1"] else ""
        row = [str(r["hs"]), str(r["name"]), first]
        bought, part = (float(r[k]) if recorded else None for k in ("bought_usd", "bought_share"))
        row += [number(float(r["unrealised_usd"]) / 1e6, 1), number(None if bought is None else bought / 1e6, 1)]
        row += [number(float(r["buyer_imports_usd"]) / 1e6, 1), number(None if part is None else 100 * part, 1)]
        row += [number(float(r["rca"]), 2), number(float(r["density"]), 2)]
        if priced:
            row += [number(float(r[k]), 0) for k in ("seller_unit_value", "buyer_unit_value")]
            row.append(number(100 * float(r["unit_value_headroom"]), 0, sign=True))
        if redirected:
            row.append(number(100 * float(r["third_duty_added"]), 1))
            row += [number(float(r[k]) / 1e6, 1) for k in ("pushed_out_usd", "redirect_room_usd")]
        rows.append(row)
    print_table(f"Products by {total['rank']}, USD mn a year", heads, rows, left=3)
    if len(shown) < len(study.table):
        say(f"{len(study.table) - len(shown):,} more products; --top 0 shows all")
    if len(study.listed):
        lines = [
            [str(r["hs"]), str(r["name"]), str(r["tier"]), number(float(r["bought_usd"]) / 1e6, 1)]
            for r in study.listed.head(5).to_dict("records")
        ]
        title = f"Excluded, dual-use: {len(study.listed)} products, the first {len(lines)}"
        print_table(title, ["HS", "product", "tier", "bought, USD mn"], lines, left=3)
    _say_caveats(study, words)


def _flow(total: Mapping[str, Any], side: str) -> str:
    usd, basis = float(total[f"{side}_usd"]), str(total[f"{side}_basis"])
    if not usd > 0:
        return "absent: no record"
    return f"{bn(usd)} bn USD" + ("" if basis == "recorded" else f", {basis}: see below")


def _chapter(total: Mapping[str, Any], name: str) -> str:
    chapter = total[name]
    return "–" if chapter is None else f"HS {chapter}, {number(100 * float(total[f'{name}_share']), 1)} %"


def _say_caveats(study: ProductStudy, words: str) -> None:
    for caveat in (*([words] if words else []), *study.missing, *study.caveats, f"Source: {study.source}"):
        say(caveat)
