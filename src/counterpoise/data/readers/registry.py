"""Recognise a raw file by what is in it, and read it with the module of its source."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from counterpoise.core.errors import DataError, InputError, did_you_mean
from counterpoise.data.readers.peek import Peek, peek_at
from counterpoise.data.readers.provenance import Provenance, SourceInfo
from counterpoise.data.readers.reading import Reading

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["READERS", "Sniffed", "convert_source", "infos", "key_of", "layouts", "open_source", "read_source", "sniff"]

READERS: tuple[str, ...] = (
    "baci",
    "comtrade",
    "wits",
    "icio",
    "wiod",
    "gravity",
    "itpde",
    "wdi",
    "tradestat",
    "census",
)
"""Names of the sources; each is a module with ``INFO``, ``recognise`` and ``read``."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a raw file was recognised as.

    Attributes
    ----------
    source
        One of `READERS`.
    edition
        Release or layout, with what shows it.
    """

    source: str
    edition: str


def _module(name: str) -> ModuleType:
    return import_module(f"counterpoise.data.readers.{name}")


def infos() -> dict[str, SourceInfo]:
    """Return what is the same for every file of each source."""
    return {name: _module(name).INFO for name in READERS}


def layouts(name: str) -> tuple[str, ...]:
    """Return the layouts that the module of a source reads, in words."""
    return tuple(_module(name).LAYOUTS)


def key_of(name: str) -> tuple[str, ...]:
    """Return the columns of a source's tidy table that no two rows share."""
    return tuple(_module(name).KEY)


def sniff(path: Path | str) -> Sniffed:
    """Recognise a raw file by what is in it, never by its suffix alone.

    Raises
    ------
    SourceMissingError
        If there is no such file.
    DataError
        If it is of no known source; the message says what was seen.
    """
    return _sniff(peek_at(Path(path)))


def _sniff(peek: Peek) -> Sniffed:
    for name in READERS:
        edition = _module(name).recognise(peek)
        if edition is not None:
            return Sniffed(name, edition)
    raise DataError(
        f"{peek.name} is of no known source: seen {_seen(peek)}; expected a raw file of {', '.join(READERS)} as it is "
        f"published{_nearest(peek)}"
    )


def _seen(peek: Peek) -> str:
    seen = f"a {peek.kind} file"
    if peek.header:
        return seen + " that begins with " + ", ".join(peek.header[:12])[:300]
    return seen + " with the members " + ", ".join(peek.members[:12]) if peek.members else seen


def _nearest(peek: Peek) -> str:
    """Return what the nearest layout has that the file lacks; empty where none is near."""
    best: tuple[float, str] = (0.5, "")
    for name in READERS:
        headers: dict[str, tuple[str, ...]] = getattr(_module(name), "HEADERS", {})
        for layout, columns in headers.items():
            lacking = [c for c in columns if c not in peek.header]
            share = 1 - len(lacking) / len(columns)
            if share > best[0]:
                best = (share, f". Nearest is {name}, {layout}: column {', '.join(lacking)} is missing")
    return best[1]


@contextmanager
def open_source(path: Path | str, *, source: str | None = None, **options: Any) -> Generator[Reading]:
    """Read a raw file and check it whole; give its tidy table, which is gone when the block ends.

    Parameters
    ----------
    path
        The file as it was downloaded.
    source
        One of `READERS`; recognised from the file by default.
    **options
        Of the source's ``read``, as ``years=(2023, 2024)`` for an archive of BACI.

    Raises
    ------
    InputError
        If the source is unknown.
    SourceMissingError
        If there is no such file.
    DataError
        If the file is of no known source, or of another than ``source`` names, cut off, or at fault.
    """
    if source is not None and source not in READERS:
        raise InputError(f"unknown source '{source}'{did_you_mean(source, READERS)} Known: {', '.join(READERS)}")
    peek = peek_at(Path(path))
    if source is None:
        found = _sniff(peek)
    else:
        found = Sniffed(source, _module(source).recognise(peek) or "layout named by the caller, not recognised")
    module = _module(found.source)
    edition, _, evidence = found.edition.partition(": ")
    with Reading(peek, module.INFO, edition, [evidence] if evidence else []) as reading:
        module.read(peek, reading, **options)
        yield reading


def read_source(path: Path | str, *, source: str | None = None, **options: Any) -> tuple[pd.DataFrame, Provenance]:
    """Return the tidy table of a raw file, and its provenance; see `open_source` for what it raises."""
    with open_source(path, source=source, **options) as reading:
        return reading.frame(), reading.provenance


def convert_source(path: Path | str, output: Path | str, *, source: str | None = None, **options: Any) -> Provenance:
    """Write the tidy table of a raw file as Parquet, with its provenance inside; see `open_source` for what it raises.

    Nothing is written where a fault is found.
    """
    with open_source(path, source=source, **options) as reading:
        reading.write(Path(output))
        return reading.provenance
