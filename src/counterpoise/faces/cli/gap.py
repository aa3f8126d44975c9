"""``counterpoise gap A B``: how far two countries trade out of balance, and in what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.faces.cli.data_store import StoreFolder
from counterpoise.faces.cli.options import AsJson, Offline, Output
from counterpoise.faces.cli.sheets import write_sheets
from counterpoise.faces.cli.show import bn, number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.measure import GapTable

__all__ = ["gap_command"]

_TABLES = ("trade", "mirror", "fiscal", "value-added", "prices")


def gap_command(
    a: Annotated[str, typer.Argument(metavar="A", help="Country by any code, region, or group as EU or BRICS.")],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The other one; the gap is what A sells to B minus what it buys.")
    ],
    by: Annotated[str, typer.Option(metavar="HOW", help="year, section, hs2, hs4, hs6 or sector.")] = "year",
    year: Annotated[int | None, typer.Option(help="Only this year.")] = None,
    table: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="trade; mirror: what each side reports; fiscal: fiscal and calendar years; value-added; or prices.",
        ),
    ] = "trade",
    since: Annotated[
        int | None, typer.Option("--since", metavar="YEAR", help="First year of --table prices; else the one before.")
    ] = None,
    store: StoreFolder = None,
    world: Annotated[
        str, typer.Option(metavar="NAME", help="World of --table value-added: shipped, or a file.")
    ] = "embedded2024",
    cif_factor: Annotated[
        float | None, typer.Option(help="CIF over FOB of imports that include freight; 1.06 by default.")
    ] = None,
    top: Annotated[int, typer.Option(help="Rows shown on the terminal; 0 shows all.")] = 20,
    as_json: AsJson = False,
    output: Output = None,
    offline: Offline = False,
) -> None:
    """Show how far two countries trade out of balance, by year or by product, and whose records the numbers are."""
    from counterpoise.core.errors import InputError, did_you_mean
    from counterpoise.measure import gap

    if table not in _TABLES:
        raise InputError(f"unknown table '{table}'{did_you_mean(table, _TABLES) or ';'} Known: {', '.join(_TABLES)}")
    if table == "trade":
        found = gap(a, b, by=by, year=year, store=store)
        _deliver(found.to_json(), found.rows, lambda: _show(found, top), output, as_json)
        return
    document, rows, show = _other(table, a, b, year, since, store, world, cif_factor, top)
    _deliver(document, rows, show, output, as_json)


def _deliver(
    document: dict[str, Any], rows: pd.DataFrame, show: Callable[[], None], output: Path | None, as_json: bool
) -> None:
    """Write, print as JSON, or show; messages go to standard error."""
    if output is not None:
        if output.suffix == ".xlsx":
            numbers = document.get("totals", {}) | document.get("indicators", {})
            notes = [[caveat] for caveat in document["caveats"]]
            write_sheets(
                output,
                {
                    "Table": ([str(c) for c in rows.columns], rows.to_numpy().tolist()),
                    "Totals": (["name", "value"], [[k, v] for k, v in numbers.items()]),
                    "Notes": (["note"], notes),
                },
            )
        else:
            write_table(output, rows, document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        show()
        for caveat in document["caveats"]:
            say(caveat)


def _show(table: GapTable, top: int) -> None:
    a, b = table.a, table.b
    money = [f"{a} to {b}, bn USD", f"{b} to {a}, bn USD", "gap, bn USD"]
    rows = table.rows.to_dict("records")
    if table.by == "year":
        lines = [
            [
                str(r["period"]),
                *(bn(float(r[k])) for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd", "turnover_usd")),
                *(number(float(r[f"{side}_growth_pct"]), 1, sign=True) for side in ("a_to_b", "b_to_a")),
                str(r["status"]),
            ]
            for r in rows
        ]
        columns = ["year", f"{a} to {b}", f"{b} to {a}", "gap", "both ways", "growth, %", "growth, %", "status"]
        print_table(f"Trade of {a} and {b}, bn USD", columns, lines)
        for side, words in (("a_to_b", f"{a} to {b}"), ("b_to_a", f"{b} to {a}")):
            periods: dict[str, list[str]] = {}
            for r in rows:
                periods.setdefault(str(r[f"{side}_basis"]), []).append(str(r["period"]))
            say(f"{words}: " + "; ".join(f"{_span(found)} {basis}" for basis, found in periods.items()) + ".")
        return
    shown = rows if top <= 0 else rows[:top]
    lines = [
        [
            str(r[table.by]),
            str(r["name"]),
            *(bn(float(r[k])) for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd")),
            number(100.0 * float(r["gap_share"]), 1),
            number(float(r["grubel_lloyd"]), 2),
        ]
        for r in shown
    ]
    totals, known = table.totals, table.indicators
    lines.append(
        [
            "all",
            "",
            *(bn(totals[k]) for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd")),
            number(100.0 if totals["gap_usd"] == totals["gap_usd"] else None, 1),
            number(known["grubel_lloyd"], 2),
        ]
    )
    columns = [table.by, "name", *money, "part of gap, %", "two-way"]
    print_table(f"Trade of {a} and {b} by {table.by}", columns, lines, left=2)
    if len(shown) < len(rows):
        say(f"{len(rows) - len(shown)} more rows; --top 0 shows all")
    say(
        f"Concentration (Herfindahl, 1 is one {table.by}): {a} to {b} {number(known['a_to_b_hhi'], 3)}, "
        f"{b} to {a} {number(known['b_to_a_hhi'], 3)}. "
        f"Two-way trade (Grubel-Lloyd): {number(known['grubel_lloyd'], 3)}."
    )


def _span(periods: list[str]) -> str:
    return periods[0] if len(periods) == 1 else f"{periods[0]} to {periods[-1]}"


def _other(
    table: str,
    a: str,
    b: str,
    year: int | None,
    since: int | None,
    store: Path | None,
    world: str,
    cif_factor: float | None,
    top: int,
) -> tuple[dict[str, Any], pd.DataFrame, Callable[[], None]]:
    """Make one of the tables beside the trade itself: its document, its rows, and how it is shown."""
    from counterpoise.measure import views

    found = views.view(table, a, b, year=year, since=since, store=store, world=world, cif_factor=cif_factor)

    def show() -> None:
        shown = found.rows if top <= 0 else found.rows.head(top)
        heads = list(found.shown.values())
        lines = [[_cell(column, row[column]) for column in found.shown] for row in shown.to_dict("records")]
        print_table(f"{found.title}; money in bn USD", heads, lines, left=found.words)
        if len(shown) < len(found.rows):
            say(f"{len(found.rows) - len(shown)} more rows; --top 0 shows all")
        for name, value in found.totals.items():
            text = f"{bn(value)} bn USD" if name.endswith("_usd") else number(value, 3)
            say(f"{name.removesuffix('_usd').replace('_', ' ')}: {text}")

    return found.to_json(), found.rows, show


def _cell(column: str, value: object) -> str:
    if isinstance(value, float):
        return bn(value) if column.endswith("_usd") else number(value, 3)
    return str(value)
