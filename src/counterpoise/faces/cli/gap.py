"""``counterpoise gap A B``: how far two countries trade out of balance, and in what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.faces.cli.options import AsJson, Offline, Output
from counterpoise.faces.cli.show import bn, number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    from counterpoise.measure import GapTable

__all__ = ["gap_command"]


def gap_command(
    a: Annotated[str, typer.Argument(metavar="A", help="Region, or country (ISO3) with --by year.")],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The other one; the gap is what A sells to B minus what it buys.")
    ],
    by: Annotated[str, typer.Option(metavar="HOW", help="year, section, hs2, hs4, hs6 or sector.")] = "year",
    year: Annotated[int | None, typer.Option(help="Only this year.")] = None,
    top: Annotated[int, typer.Option(help="Rows shown on the terminal; 0 shows all.")] = 20,
    as_json: AsJson = False,
    output: Output = None,
    offline: Offline = False,
) -> None:
    """Show how far two countries trade out of balance, by year or by product."""
    from counterpoise.measure import gap

    table = gap(a, b, by=by, year=year)
    if output is not None:
        write_table(output, table.rows, document=table.to_json())
        say(f"wrote {output}")
    if as_json:
        print_json(table.to_json())
    elif output is None:
        _show(table, top)


def _show(table: GapTable, top: int) -> None:
    a, b = table.a, table.b
    money = [f"{a} to {b}, bn USD", f"{b} to {a}, bn USD", "gap, bn USD"]
    rows = table.rows.to_dict("records")
    if table.by == "year":
        lines = [
            [
                str(r["period"]),
                *(bn(float(r[k])) for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd", "turnover_usd")),
                str(r["status"]),
            ]
            for r in rows
        ]
        print_table(f"Trade of {a} and {b}", ["year", *money, "both ways, bn USD", "status"], lines)
    else:
        shown = rows if top <= 0 else rows[:top]
        lines = [
            [
                str(r[table.by]),
                str(r["name"]),
                *(bn(float(r[k])) for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd")),
                number(100.0 * float(r["gap_share"]), 1),
            ]
            for r in shown
        ]
        totals = table.totals
        lines.append(["all", "", *(bn(totals[k]) for k in ("a_to_b_usd", "b_to_a_usd", "gap_usd")), number(100.0, 1)])
        print_table(f"Trade of {a} and {b} by {table.by}", [table.by, "name", *money, "part of gap, %"], lines, left=2)
        if len(shown) < len(rows):
            say(f"{len(rows) - len(shown)} more rows; --top 0 shows all")
    for caveat in table.caveats:
        say(caveat)
