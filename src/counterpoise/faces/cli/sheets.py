"""Write tables as a plain Excel workbook, whole or not at all."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["write_sheets"]


def write_sheets(path: Path, sheets: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]) -> None:
    """Write sheets of a heading and rows; numbers that are absent are empty cells, and text stays text."""
    import xlsxwriter

    from counterpoise.core.storage import atomic_path

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False})
    bold = book.add_format({"bold": True})
    for name, (heading, rows) in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, list(heading), bold)
        for k, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, float) and not math.isfinite(value):
                    continue
                if isinstance(value, str):
                    sheet.write_string(k, column, value)
                elif value is not None:
                    sheet.write_number(k, column, value)
        sheet.autofit()
    book.close()
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
