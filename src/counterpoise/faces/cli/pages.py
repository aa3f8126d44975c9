"""Write a result as its suffix says: a table, a document, or a page with the chapter and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoise.core.errors import InputError
from counterpoise.faces.cli.show import write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.report.document import Section

__all__ = ["write_result"]

_SUFFIXES = (".csv", ".parquet", ".json", ".html")


def write_result(
    path: Path,
    frame: pd.DataFrame,
    document: Mapping[str, Any],
    *,
    section: Callable[[], Section],
    dek: str,
    options: Mapping[str, Any],
) -> None:
    """Write a result; the file appears whole or not at all.

    Parameters
    ----------
    path
        ``.csv`` and ``.parquet`` take the table, ``.json`` the document, ``.html`` a page with the chapter.
    frame, document, section
        What is written; the chapter is made only where it is asked for.
    dek
        What the page is about.
    options
        What was asked, for the page's manifest.

    Raises
    ------
    InputError
        If the suffix is another.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(f"-o {path}: the suffix '{path.suffix}' names no format; expected {', '.join(_SUFFIXES)}")
    if path.suffix != ".html":
        write_table(path, frame, document=document)
        return
    from counterpoise.report.document import Document
    from counterpoise.report.html import write_html
    from counterpoise.report.manifest import run_manifest

    chapter = section()
    manifest = run_manifest(inputs={}, options=options, results={})
    write_html(
        Document(title=chapter.title, dek=dek, sentences=chapter.prose[:1], sections=(chapter,), manifest=manifest),
        path,
    )
