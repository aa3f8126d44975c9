"""A `Document` as an Excel workbook: contents, one sheet per table and per figure's data, the manifest.

The same document gives the same bytes: the dates inside the file are fixed.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from counterpoise.report._files import write_atomically
from counterpoise.report._frame import Row, columns_of, rows_of
from counterpoise.report.document import Document, TableBlock
from counterpoise.report.figure import Figure
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.theme import LIGHT

__all__ = ["write_workbook"]

_CREATED = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_HEAD_ROW = 4


def write_workbook(document: Document, path: str | Path) -> Path:
    """Write the workbook; the file appears whole or not at all.

    Parameters
    ----------
    document
        What the report says.
    path
        Where; folders are made.

    Returns
    -------
    The path written.
    """
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False})
    book.set_properties({"title": document.title, "comments": document.dek, "created": _CREATED})
    formats = _Formats(book)
    contents = book.add_worksheet("Contents")
    blocks = _blocks(document)
    names = _sheet_names([block.title for block in blocks])
    _write_contents(contents, document, blocks, names, formats)
    for block, name in zip(blocks, names, strict=True):
        _write_block(book.add_worksheet(name), block, formats)
    _write_manifest(book.add_worksheet("Manifest"), document.manifest, formats)
    book.close()
    return write_atomically(Path(path), buffer.getvalue())


class _Block:
    """A figure's data or a table, alike for the workbook."""

    def __init__(self, item: Figure | TableBlock, section: str) -> None:
        self.section = section
        self.title = item.title
        self.source = item.source
        self.note = item.note
        if isinstance(item, Figure):
            self.kind = "Figure"
            self.subtitle = item.subtitle or item.unit
            frame = item.data
            self.formats: dict[str, NumberFormat] = dict.fromkeys(item.number_columns(), item.number)
            self.heads = [head for _, head in item.columns()]
        else:
            self.kind = "Table"
            self.subtitle = item.subtitle
            frame = item.frame
            self.formats = dict(item.formats)
            self.heads = [item.header(name) for name in columns_of(frame)]
        self.columns = columns_of(frame)
        self.rows: list[Row] = rows_of(frame)


class _Formats:
    """The few cell formats of the workbook, made once each."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._numbers: dict[str, Any] = {}
        muted, rule = LIGHT.colour("@muted"), LIGHT.colour("@rule")
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.quiet = book.add_format({"font_color": muted})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self.head = book.add_format(
            {"bold": True, "bottom": 1, "bottom_color": rule, "text_wrap": True, "valign": "bottom"}
        )
        self.head_number = book.add_format(
            {"bold": True, "bottom": 1, "bottom_color": rule, "text_wrap": True, "valign": "bottom", "align": "right"}
        )
        self.link = book.add_format({"font_color": LIGHT.colour("@accent"), "underline": 1})
        self.date = book.add_format({"num_format": "yyyy-mm-dd"})

    def number(self, written: str) -> Any:
        """Cell format with a number format of Excel."""
        if written not in self._numbers:
            self._numbers[written] = self._book.add_format({"num_format": written})
        return self._numbers[written]


def _blocks(document: Document) -> list[_Block]:
    return [
        _Block(item, section.title) for section in document.sections for item in (*section.figures, *section.tables)
    ]


def _sheet_names(titles: Sequence[str]) -> list[str]:
    """Names of at most 31 letters without the signs that Excel forbids, numbered so that no two are alike."""
    names: list[str] = []
    for index, title in enumerate(titles, start=1):
        words = _FORBIDDEN.sub(" ", title)
        names.append(f"{index} {' '.join(words.split())}"[:31].rstrip())
    return names


def _write_contents(
    sheet: Any, document: Document, blocks: Sequence[_Block], names: Sequence[str], formats: _Formats
) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 9)
    sheet.set_column(2, 2, 96)
    sheet.write_string(0, 0, document.title, formats.title)
    sheet.write_string(1, 0, document.dek, formats.quiet)
    line = 3
    for sentence in document.sentences:
        sheet.merge_range(line, 0, line, 2, _plain(sentence), formats.wrapped)
        sheet.set_row(line, 15 * (1 + len(sentence) // 135))
        line += 1
    line += 1
    for column, head in enumerate(("Sheet", "Kind", "What it shows")):
        sheet.write_string(line, column, head, formats.head)
    sheet.freeze_panes(0, 0)
    for block, name in zip(blocks, names, strict=True):
        line += 1
        sheet.write_url(line, 0, f"internal:'{name}'!A1", formats.link, name)
        sheet.write_string(line, 1, block.kind)
        sheet.write_string(line, 2, block.title)
    line += 1
    sheet.write_url(line, 0, "internal:'Manifest'!A1", formats.link, "Manifest")
    sheet.write_string(line, 2, "How this was made: version, inputs, options, residuals")


def _write_block(sheet: Any, block: _Block, formats: _Formats) -> None:
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, block.title, formats.title)
    sheet.write_string(1, 0, " · ".join(filter(None, (block.section, block.subtitle))), formats.quiet)
    sheet.write_url(2, 0, "internal:'Contents'!A1", formats.link, "Back to contents")
    numeric = {name: any(_is_number(row[name]) for row in block.rows) for name in block.columns}
    for column, (name, head) in enumerate(zip(block.columns, block.heads, strict=True)):
        sheet.write_string(_HEAD_ROW, column, head, formats.head_number if numeric[name] else formats.head)
        longest = max((len(str(row[name] or "")) for row in block.rows), default=0)
        wide = min(max(12, len(head) // 2 + 2), 24) if numeric[name] else min(max(10, len(head), longest) + 2, 60)
        sheet.set_column(column, column, wide)
    sheet.set_row(_HEAD_ROW, 32)
    for index, row in enumerate(block.rows, start=_HEAD_ROW + 1):
        for column, name in enumerate(block.columns):
            _write_cell(sheet, index, column, row[name], block.formats.get(name), formats)
    sheet.freeze_panes(_HEAD_ROW + 1, 1)
    last = _HEAD_ROW + len(block.rows)
    sheet.autofilter(_HEAD_ROW, 0, last, len(block.columns) - 1)
    end = last + 2
    if block.note:
        sheet.write_string(end, 0, _plain(block.note), formats.quiet)
        end += 1
    sheet.write_string(end, 0, f"Source: {block.source}", formats.quiet)


def _write_cell(sheet: Any, row: int, column: int, value: Any, number: NumberFormat | None, formats: _Formats) -> None:
    if value is None:
        sheet.write_blank(row, column, None)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value, formats.number(number.excel if number else "General"))
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, formats.date)
    else:
        sheet.write_string(row, column, value)


def _write_manifest(sheet: Any, manifest: Mapping[str, Any], formats: _Formats) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 110)
    sheet.write_string(0, 0, "How this was made", formats.title)
    sheet.write_string(2, 0, "Key", formats.head)
    sheet.write_string(2, 1, "Value", formats.head)
    for line, (key, value) in enumerate(manifest.items(), start=3):
        sheet.write_string(line, 0, str(key))
        words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        sheet.write_string(line, 1, words, formats.wrapped)
    sheet.freeze_panes(3, 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(words: str) -> str:
    """Prose without its marks."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", words).replace("**", "")
