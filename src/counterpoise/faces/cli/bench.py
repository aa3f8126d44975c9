"""``counterpoise bench``: speed beside opponents, in the same run."""

from __future__ import annotations

from typing import Annotated

import typer

from counterpoise.faces.cli.options import AsJson, Output, SourcesFolder
from counterpoise.faces.cli.show import number, print_json, print_table, progress, say, write_table

__all__ = ["bench_command"]


def bench_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Cases; all by default.")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Timed runs of ours; the median counts.")] = 7,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Check answers, then time them beside opponents."""
    from counterpoise.faces.cli.runtime import prepare

    prepare()
    from counterpoise.report.benchmarks import measure

    with progress("bench") as tell:
        table = measure(names or None, sources, repeats=repeats, progress=tell)
    if output is not None:
        write_table(output, table)
        say(f"wrote {output}")
    rows = table.to_dict("records")
    if as_json:
        print_json(rows)
    elif output is None:
        print_table(
            f"Time on {table['machine'].iloc[0]}",
            ["case", "size", "opponent", "ratio", "ours (ms)", "opponent (ms)", "first call (ms)", "memory alone (ms)"],
            [
                [str(row[key]) for key in ("case", "size", "opponent")]
                + [number(row[key], 1) for key in ("ratio", "warm_ms", "opponent_ms", "first_ms", "memory_bound_ms")]
                for row in rows
            ],
            left=3,
        )
