"""Put results on the terminal, in JSON, or in a file."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from counterpoise.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = [
    "bn",
    "console",
    "folder",
    "jsonable",
    "number",
    "print_json",
    "print_table",
    "progress",
    "say",
    "write_table",
]

_WIDTH_OF_FILES = 160


def console(*, stderr: bool = False) -> Console:
    """Return a console; colours and the width of the window only where there is a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _WIDTH_OF_FILES, highlight=False, soft_wrap=False)


def say(text: str) -> None:
    """Tell people something, on standard error."""
    typer.echo(text, err=True)


def number(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """Write a number with thousands separators; an absent one as a dash."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:{'+' if sign else ''},.{decimals}f}"
    return text.replace("-", "−") if any(c in "123456789" for c in text) else text.lstrip("+-")


def bn(value: float | None, *, sign: bool = False) -> str:
    """Write USD in billions."""
    return number(None if value is None else value / 1e9, 2, sign=sign)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print an aligned table; the first ``left`` columns are text, the others are numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, justify="left" if position < left else "right", no_wrap=position >= left)
    for row in rows:
        table.add_row(*row)
    out = console()
    out.print(Text(title, style="bold"), table, sep="\n", markup=False)


def print_json(value: object) -> None:
    """Print one JSON document; numbers that are not finite are null."""
    typer.echo(json.dumps(jsonable(value), ensure_ascii=False, indent=2, allow_nan=False))


def jsonable(value: object) -> Any:
    """Return plain values that JSON has; numbers that are not finite are None."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in cast("Sequence[object]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    item = getattr(value, "item", None)
    return jsonable(item()) if callable(item) else str(value)


def folder(path: Path) -> Path:
    """Return a folder to write into.

    Raises
    ------
    InputError
        If a file of that name is in the way.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"-o {path} is a file; expected a folder to write into")
    return path


def write_table(path: Path, frame: pd.DataFrame, *, document: object = None) -> None:
    """Write a table as its suffix says: .csv, .parquet or .json; whole or not at all.

    Raises
    ------
    InputError
        If the suffix is another.
    """
    from counterpoise.core.storage import atomic_path

    if path.suffix not in (".csv", ".parquet", ".json"):
        raise InputError(f"-o {path}: the suffix '{path.suffix}' names no format; expected .csv, .parquet or .json")
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        elif path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            content = frame.to_dict("records") if document is None else document
            temporary.write_text(json.dumps(jsonable(content), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


class progress:
    """Give a function ``(step, k, count)`` that shows progress on standard error: a bar on a terminal, else lines."""

    def __init__(self, title: str) -> None:
        self.title = title

    def __enter__(self) -> progress:
        """Open the bar."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        out = console(stderr=True)
        self._bar = None
        if out.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
            self._bar = Progress(*columns, console=out, transient=True)
            self._task = self._bar.add_task(self.title, total=None)
            self._bar.start()
        return self

    def __call__(self, step: str, k: int, count: int) -> None:
        """Say which step it is, and how far that is."""
        if self._bar is None:
            say(f"{self.title}: {step} ({k}/{count})")
        else:
            self._bar.update(self._task, description=f"{self.title}: {step}", completed=k, total=count)

    def __exit__(self, *_: object) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.stop()
