"""Charts, tables, the self-contained HTML report and the Excel workbook.

`Figure` is the one chart grammar, `Document` what a report says; `write_html` and `write_workbook` put it on paper.
"""

from __future__ import annotations

from counterpoise.report.document import Document, Section, TableBlock
from counterpoise.report.figure import KINDS, Figure, Mark
from counterpoise.report.html import render_html, write_html
from counterpoise.report.numbers import BILLIONS, INTEGER, PERCENT, POINTS, NumberFormat
from counterpoise.report.theme import DARK, LIGHT, Theme
from counterpoise.report.workbook import write_workbook

__all__ = [
    "BILLIONS",
    "DARK",
    "INTEGER",
    "KINDS",
    "LIGHT",
    "PERCENT",
    "POINTS",
    "Document",
    "Figure",
    "Mark",
    "NumberFormat",
    "Section",
    "TableBlock",
    "Theme",
    "render_html",
    "write_html",
    "write_workbook",
]
