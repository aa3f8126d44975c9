"""``counterpoise bench``: speed beside opponents, in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterpoise.core.errors import InputError
from counterpoise.faces.cli.options import AsJson, Output, SourcesFolder
from counterpoise.faces.cli.show import number, print_json, print_table, progress, say, write_table

__all__ = ["bench_command"]


def bench_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Cases; all by default.")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Timed runs of ours; the least counts.")] = 7,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write the table into this page, between its marks.")
    ] = None,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Check answers, then time them beside opponents."""
    from counterpoise.faces.cli.runtime import prepare

    prepare()
    from counterpoise.report.bench import markdown, measure

    if page is not None:
        _split(page)
    with progress("bench") as tell:
        table = measure(names or None, sources, repeats=repeats, progress=tell)
    if output is not None:
        write_table(output, table)
        say(f"wrote {output}")
    if page is not None:
        _into(page, markdown(table))
        say(f"wrote the table into {page}")
    rows = table.to_dict("records")
    if as_json:
        print_json(rows)
    elif output is None:
        print_table(
            f"Time on {table['machine'].iloc[0]}",
            [
                "case",
                "size",
                "opponent",
                "ratio",
                "ours (ms)",
                "aim (ms)",
                "opponent (ms)",
                "first call (ms)",
                "memory alone (ms)",
            ],
            [
                [str(row[key]) for key in ("case", "size", "opponent")] + [number(row[key], 1) for _, key in _COLUMNS]
                for row in rows
            ],
            left=3,
        )


_COLUMNS = (
    ("ratio", "ratio"),
    ("ours (ms)", "warm_ms"),
    ("aim (ms)", "aim_ms"),
    ("opponent (ms)", "opponent_ms"),
    ("first call (ms)", "first_ms"),
    ("memory alone (ms)", "memory_bound_ms"),
)
_MARKS = ("<!-- counterpoise bench: begin -->", "<!-- counterpoise bench: end -->")


def _split(page: Path) -> tuple[str, str]:
    """Return what stands before and after the table of a page, marks included.

    Raises
    ------
    InputError
        If the page is missing or lacks the marks.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(_MARKS[0])
    _, end, after = rest.partition(_MARKS[1])
    if not (begin and end):
        raise InputError(f"--page {page}: expected a file with the lines {_MARKS[0]} and {_MARKS[1]}")
    return before + begin, end + after


def _into(page: Path, table: str) -> None:
    """Replace what stands between the marks of a page."""
    from counterpoise.core.storage import atomic_path

    before, after = _split(page)
    with atomic_path(page) as temporary:
        temporary.write_text(f"{before}\n\n{table}\n{after}", encoding="utf-8")
