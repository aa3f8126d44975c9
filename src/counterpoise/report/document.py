"""What a report says, apart from how it looks: title, answer in a few sentences, sections with figures and tables.

Prose knows three marks and nothing else: ``**bold**`` (in the opening sentences: a key number, set larger),
``*italic*``, and ``[words](#id)`` for a link inside the page or ``[words](https://...)`` for a reference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.report._frame import columns_of, frozen_copy, is_numeric, rows_of, text
from counterpoise.report.figure import Figure, slug
from counterpoise.report.numbers import NumberFormat

__all__ = ["Cells", "Document", "Head", "Section", "TableBlock"]

_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_ID = re.compile(r"[a-z][a-z0-9-]*")
_RESERVED = frozenset({"content", "manifest", "figure-themes"})


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a table's column: its words with the unit, and whether numbers stand under it."""

    words: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Cells:
    """A table as written text: heads and rows, every cell already formatted."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TableBlock:
    """A table with units in its headers and its source under it.

    Parameters
    ----------
    title
        What the table shows.
    frame
        The rows. Copied.
    source
        Source and vintage.
    headers
        Column to the words over it; others show the column's name.
    units
        Column to its unit, written after the words in brackets.
    formats
        Column to how its numbers are written; others keep up to six significant digits.
    subtitle, note
        Words over and under the table.
    id
        Anchor in the page; empty: made from the title.

    Raises
    ------
    InputError
        If words are missing or name columns that do not exist; lists every problem.
    """

    title: str
    frame: pd.DataFrame = field(repr=False)
    source: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    formats: Mapping[str, NumberFormat] = field(default_factory=lambda: MappingProxyType({}))
    subtitle: str = ""
    note: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        """Check everything at once, then own the data."""
        raise_all(InputError, f'the table "{self.title or "without a title"}" cannot be shown', self._problems())
        object.__setattr__(self, "frame", frozen_copy(self.frame))
        for name in ("headers", "units", "formats"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if not self.id:
            object.__setattr__(self, "id", f"table-{slug(self.title)}")

    def header(self, column: str) -> str:
        """Words over a column, with the unit in brackets."""
        plain = column.replace("_", " ")
        words = self.headers.get(column, plain[:1].upper() + plain[1:])
        unit = self.units.get(column, "")
        return f"{words} ({unit})" if unit else words

    def numeric(self, column: str) -> bool:
        """Whether numbers stand in a column."""
        return is_numeric(self.frame, column)

    def cells(self) -> Cells:
        """Return the table as written text."""
        return written_cells(
            self.frame, {name: self.header(name) for name in columns_of(self.frame)}, dict(self.formats)
        )

    def _problems(self) -> Iterator[str]:
        if not self.title.strip():
            yield "title is empty, expected what the table shows"
        if not self.source.strip():
            yield "source is empty, expected source and vintage"
        if self.frame.empty:
            yield "frame has no rows, expected at least one"
        columns = columns_of(self.frame)
        for name in sorted(name for name, count in Counter(columns).items() if count > 1):
            yield f"frame has the column '{name}' more than once; rename it"
        for argument in ("headers", "units", "formats"):
            for column in getattr(self, argument):
                if column not in columns:
                    yield f"{argument} names '{column}', which is not a column{did_you_mean(column, columns)}"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Section:
    """One part of a report: prose, then a callout, figures and tables.

    Parameters
    ----------
    id
        Anchor: lower-case letters, digits and hyphens.
    title
        Heading, a statement rather than a topic.
    prose
        Paragraphs.
    callout
        One paragraph that must not be missed.
    figures, tables
        In the order shown.
    """

    id: str
    title: str
    prose: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[TableBlock, ...] = ()
    callout: str = ""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Document:
    """A whole report.

    Parameters
    ----------
    title
        The answer, as a headline.
    dek
        What the report is about, in one or two sentences.
    sentences
        The answer in (about five) sentences; ``**63.7 bn**`` marks the key numbers, already formatted.
    sections
        In the order shown.
    manifest
        How the report was made: version, inputs and their hashes, options, residuals, seed. Values are shown as text.

    Raises
    ------
    InputError
        If words are missing, an anchor occurs twice, or a link leads nowhere; lists every problem.
    """

    title: str
    dek: str
    sentences: tuple[str, ...]
    sections: tuple[Section, ...]
    manifest: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Check everything at once."""
        raise_all(InputError, f'the report "{self.title or "without a title"}" is not whole', self._problems())
        object.__setattr__(self, "manifest", MappingProxyType(dict(self.manifest)))

    def figures(self) -> tuple[Figure, ...]:
        """Every figure, in order."""
        return tuple(figure for section in self.sections for figure in section.figures)

    def tables(self) -> tuple[TableBlock, ...]:
        """Every table, in order."""
        return tuple(table for section in self.sections for table in section.tables)

    def ids(self) -> tuple[str, ...]:
        """Every anchor, in order."""
        return tuple(
            anchor
            for section in self.sections
            for anchor in (section.id, *(f.id for f in section.figures), *(t.id for t in section.tables))
        )

    def _texts(self) -> Iterator[str]:
        yield from self.sentences
        for section in self.sections:
            yield from section.prose
            yield section.callout
            for figure in section.figures:
                yield figure.note
                yield figure.method
            for table in section.tables:
                yield table.note

    def _problems(self) -> Iterator[str]:
        for name, words in (("title", self.title), ("dek", self.dek)):
            if not words.strip():
                yield f"{name} is empty"
        if not self.sentences:
            yield "sentences is empty, expected the answer in about five sentences"
        if not self.sections:
            yield "sections is empty, expected at least one Section"
        ids = self.ids()
        for anchor, count in Counter(ids).items():
            if count > 1:
                yield f"the id '{anchor}' occurs {count} times, expected once; pass id='...'"
            if anchor in _RESERVED:
                yield f"the id '{anchor}' is taken by the page itself; choose another"
            if not _ID.fullmatch(anchor):
                yield f"the id '{anchor}' is not an anchor, expected lower-case letters, digits and hyphens"
        for section in self.sections:
            if not section.title.strip():
                yield f"section '{section.id}' has no title"
        for words in self._texts():
            if words.count("**") % 2:
                yield f"'**' does not come in pairs in: {words[:70]}"
            for target in _LINK.findall(words):
                if target.startswith("#") and target[1:] not in (*ids, "manifest"):
                    yield f"a link leads to '{target}', which is no id here{did_you_mean(target[1:], ids)}"
                elif not target.startswith(("#", "https://")):
                    yield f"a link leads to '{target}', expected '#id' or 'https://...'"


def written_cells(frame: pd.DataFrame, headers: Mapping[str, str], formats: Mapping[str, NumberFormat]) -> Cells:
    """Write every cell of a frame as text.

    Parameters
    ----------
    frame
        The rows.
    headers
        Column to the words over it.
    formats
        Column to how its numbers are written.
    """
    names = columns_of(frame)
    numeric = {name: is_numeric(frame, name) for name in names}
    rows: list[tuple[str, ...]] = []
    for row in rows_of(frame):
        cells: list[str] = []
        for name in names:
            value = row[name]
            if isinstance(value, bool):
                cells.append("yes" if value else "no")
            elif isinstance(value, int | float) and name in formats:
                cells.append(formats[name].text(float(value)))
            elif isinstance(value, float):
                cells.append(f"{value:,.6g}".replace("-", "\u2212") if not value.is_integer() else text(row, name))
            else:
                cells.append(text(row, name) or ("–" if numeric[name] else ""))
        rows.append(tuple(cells))
    return Cells(tuple(Head(headers.get(name, name), numeric[name]) for name in names), tuple(rows))
