"""``counterpoise replicate [NAME]``: published results beside what this package computes."""

from __future__ import annotations

from typing import Annotated

import typer

from counterpoise.faces.cli.options import AsJson, Output, SourcesFolder
from counterpoise.faces.cli.show import number, print_json, print_table, say, write_table

__all__ = ["replicate_command"]

_COLUMNS = ("case", "table", "row", "column", "published", "computed", "difference", "tolerance", "ok")


def replicate_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Cases; all by default.")] = None,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Compute published results anew; exit 1 where one is outside of its tolerance."""
    from counterpoise.faces.cli.runtime import prepare

    prepare()
    from counterpoise.report.replication import replicate

    table = replicate(names or None, sources)[list(_COLUMNS)]
    if output is not None:
        write_table(output, table)
        say(f"wrote {output}")
    rows = table.to_dict("records")
    if as_json:
        print_json(rows)
    elif output is None:
        print_table(
            "Published and computed",
            [*_COLUMNS[:4], "published", "computed", "difference", "tolerance", ""],
            [
                [str(r[k]) for k in _COLUMNS[:4]]
                + [number(r[k], 4) for k in ("published", "computed")]
                + [f"{r['difference']:+.1e}", f"{r['tolerance']:.1e}", "ok" if r["ok"] else "MISSED"]
                for r in rows
            ],
            left=4,
        )
    missed = sum(not r["ok"] for r in rows)
    say(f"{len(rows) - missed} of {len(rows)} published cells met")
    if missed:
        raise typer.Exit(1)
