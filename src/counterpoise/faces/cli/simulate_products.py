"""``counterpoise simulate-products``: a counterfactual of duties by HS code, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from counterpoise.core.errors import InputError
from counterpoise.faces.cli.options import AsJson, Closure, Output, SourcesFolder
from counterpoise.faces.cli.show import bn, number, print_json, print_table, progress, say, write_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["simulate_products"]


def simulate_products(
    origin: Annotated[str | None, typer.Option(metavar="COUNTRY", help="Who sells.")] = None,
    destination: Annotated[str | None, typer.Option(metavar="COUNTRY", help="Who sets the duty.")] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="The duty, as 25; +25 adds to the duty as it stands.")
    ] = None,
    hs: Annotated[
        list[str] | None, typer.Option("--hs", metavar="CODE", help="Digits a code begins with; repeatable; else all.")
    ] = None,
    embargo: Annotated[
        bool, typer.Option("--embargo", help="Shut these lines instead; sales at home stay open.")
    ] = False,
    schedule: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CSV instead: origin, destination, hs, rate (0.25), how (add, set or embargo)."
        ),
    ] = None,
    countries: Annotated[str, typer.Option(help="all: 226 of BACI; regions: the embedded world, split.")] = "all",
    elasticity: Annotated[str, typer.Option(help="fgo: by product where known; sector.")] = "fgo",
    closure: Closure = None,
    top: Annotated[int, typer.Option(min=1, help="Rows shown on the terminal.")] = 15,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Solve a change of duties on single products, or an embargo, in a world of product lines."""
    import numpy as np

    from counterpoise.core.products import ProductShock, scheduled_shock
    from counterpoise.data.product_world import load_product_world
    from counterpoise.solver.products import solve_products

    if (schedule is not None) + (rate is not None) + embargo != 1:
        raise InputError("give one of --rate, --embargo (with --origin, --destination, --hs) and --schedule FILE")
    if countries not in ("all", "regions") or elasticity not in ("fgo", "sector"):
        raise InputError(
            f"--countries {countries} --elasticity {elasticity}: expected all or regions, and fgo or sector"
        )
    rows = None if schedule is None else _rows(schedule)
    percent = None if rate is None else _percent(rate)
    say("reading product lines")
    base = load_product_world(sources, countries=countries, product_elasticity=elasticity)
    if rows is not None:
        shock = scheduled_shock(base, rows)
    elif rate is not None and percent is not None:
        shock = ProductShock.none(base).with_tariff(
            percent / 100, origin=origin, destination=destination, hs=hs, add=rate.strip().startswith("+")
        )
    else:
        shock = ProductShock.none(base).with_embargo(origin=origin, destination=destination, hs=hs)
    with progress("simulate-products") as tell:
        solution = solve_products(
            base,
            shock,
            closure=closure or "fixed_world_share",
            progress=lambda steps, gap: tell(f"sweep {steps}, off by {gap:.1e}", steps, 500),
        )
    moved = shock.tariff_rate_cf != base.tariff_rate
    if shock.embargo is not None:
        moved |= shock.embargo
    lines = solution.table(moved)
    order = np.argsort(-np.abs(lines["flow_cf_usd"].to_numpy() - lines["flow_usd"].to_numpy()), kind="stable")
    lines = lines.iloc[order]
    by_country = solution.countries_table()
    facts = {
        "lines": len(base.flow),
        "products": len(base.products),
        "countries": len(base.world.countries),
        "closure": solution.closure,
        "iterations": solution.iterations,
        "seconds": solution.seconds,
        "residuals": solution.residuals,
        "notes": list(base.notes),
    }
    document = {
        **facts,
        "countries_table": by_country.to_dict("records"),
        "changed": lines.head(1000).to_dict("records"),
    }
    if output is not None:
        write_table(output, solution.table(), document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(base.notes, lines, by_country, top)
    say(repr(solution))


def _percent(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--rate {text!r} is no number of percent; expected such as 25 or +25") from None


def _rows(path: Path) -> list[Mapping[str, object]]:
    """Read a schedule; codes stay strings."""
    import csv

    if not path.is_file():
        raise InputError(f"--schedule {path}: no such file")
    with path.open(encoding="utf-8", newline="") as handle:
        return [cast("Mapping[str, object]", row) for row in csv.DictReader(handle)]


def _show(notes: tuple[str, ...], lines: pd.DataFrame, by_country: pd.DataFrame, top: int) -> None:
    """Print the lines that change most and the countries that gain or lose most."""
    for note in notes:
        say(note)
    print_table(
        f"Lines whose duty changes or that are shut ({len(lines):,}), largest changes first",
        ["origin", "destination", "product", "duty, %", "before, bn USD", "after, bn USD"],
        [
            [
                str(r["origin"]),
                str(r["destination"]),
                str(r["product"]),
                "shut"
                if r["embargo"]
                else f"{number(100 * r['tariff_rate'], 1)} to {number(100 * r['tariff_rate_cf'], 1)}",
                bn(r["flow_usd"]),
                bn(r["flow_cf_usd"]),
            ]
            for r in lines.head(top).to_dict("records")
        ],
        left=3,
    )
    order = by_country["welfare_pct"].abs().sort_values(ascending=False).index[:top]
    print_table(
        "Countries, largest changes of real income first",
        ["country", "real income, %", "exports, bn USD", "after", "imports, bn USD", "after"],
        [
            [
                str(r["country"]),
                number(r["welfare_pct"], 4, sign=True),
                *(bn(r[k]) for k in ("exports_usd", "exports_cf_usd", "imports_usd", "imports_cf_usd")),
            ]
            for r in by_country.loc[order].to_dict("records")
        ],
    )
