"""The chart grammar: a `Figure` is tidy data, encodings, and the words around them.

A figure is checked when it is made: every column exists, numbers are numbers, no gap is drawn unless it was asked for,
parts add up to the totals they claim. What comes out (`Figure.echarts_option`) is plain JSON without functions. Numbers
are shown in the unit the data are in: divide before, not after.

=========  ==============================================================================================
kind       encodings (columns of ``data``)
=========  ==============================================================================================
line       x (number, date or ordered text), y; optional series, low, high (a band)
bar        x (category), y; optional series with layout "stacked" or "grouped"; low, high (plain only)
interval   x (category), y, low, high; optional series: a dot on its range
slope      x (two or more moments), y, series
waterfall  x (step), y (signed amount); total (boolean column: the row is a level, not a step)
flow       origin, destination, value: ribbons, wide as the value
heatmap    x, y (categories), value; ``centre`` makes the colours diverge
treemap    label, value; optional group
scatter    x, y; optional size, series, label
=========  ==============================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import pandas as pd

from counterpoise.core.errors import InputError, raise_all
from counterpoise.report._frame import Row, columns_of, frozen_copy, rows_of
from counterpoise.report.numbers import BILLIONS, NumberFormat
from counterpoise.report.theme import Theme

__all__ = ["KINDS", "Figure", "Kind", "Layout", "Mark", "Sort"]

Kind: TypeAlias = Literal["line", "bar", "interval", "slope", "waterfall", "flow", "heatmap", "treemap", "scatter"]
Layout: TypeAlias = Literal["plain", "stacked", "grouped"]
Sort: TypeAlias = Literal["descending", "ascending", "none"]

KINDS: tuple[Kind, ...] = (
    "line",
    "bar",
    "interval",
    "slope",
    "waterfall",
    "flow",
    "heatmap",
    "treemap",
    "scatter",
)

WIDE = 740
NARROW = 350


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled reference: a dated event, a target, a band of time.

    Parameters
    ----------
    at
        Position on the axis of the encoding ``axis``: a number, a date, or the text of a category.
    label
        Words beside the line.
    axis
        ``"x"`` or ``"y"``: which encoding ``at`` belongs to, whichever way the chart is turned.
    until
        End of a shaded band that begins at ``at``; None draws a line.
    """

    at: float | str | date
    label: str
    axis: Literal["x", "y"] = "x"
    until: float | str | date | None = None


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Figure:
    """One chart: data, encodings, and the words around it.

    Parameters
    ----------
    kind
        One of `KINDS`; the table in the module's docstring lists the encodings of each.
    title
        The answer the chart gives, as a sentence.
    data
        Tidy frame, one row per drawn thing, numbers in ``unit``. Copied.
    source
        Source and vintage; stands under the chart.
    x, y, value, series, size, low, high, label, group, origin, destination, total
        Names of columns, as the kind asks.
    subtitle
        What is measured and in which unit, for example "Goods trade, USD bn at customs value". Empty: ``unit``.
    unit
        Unit of the numbers, for headers of tables and tooltips.
    note
        Caveats, under the chart before the source.
    method
        How the numbers were computed; opens in a drawer under the chart.
    number
        How the numbers of the main encoding are written.
    x_number
        How numbers of the x encoding are written (scatter only).
    x_title, y_title
        Words at the axes of a scatter.
    layout
        For bars: "plain", "stacked" or "grouped".
    horizontal
        For bars: lying (room for long names) or standing (for a few moments in time).
    sort
        Order of the bars or of the dots: by value, or "none" to keep the order of the data.
    marks
        Reference lines and bands.
    highlight
        Names (of series; of categories in plain bars, of labels in a scatter) that keep their colour; the rest steps
        back.
    dashed
        Names of series drawn with a dashed line, such as counterfactuals.
    colours
        Name of a series or category to its colour: a region or sector by code or name, or a token such as "@accent".
    gaps
        Draw missing numbers of a line as gaps; otherwise they are refused.
    zero
        Whether the value axis of a line or scatter must show zero.
    log
        Axes of a scatter on a logarithmic scale: any of "x", "y".
    centre
        For heatmaps: the value at which the diverging colours meet.
    height
        Height in pixels; None fits the content.
    headers
        Column name to the words that stand over it in tables, CSV and Excel.
    id
        Anchor of the figure in the page; empty: made from the title.

    Raises
    ------
    InputError
        If anything is missing, unknown or contradictory; the error lists every problem.
    """

    kind: Kind
    title: str
    data: pd.DataFrame = field(repr=False)
    source: str
    x: str = ""
    y: str = ""
    value: str = ""
    series: str = ""
    size: str = ""
    low: str = ""
    high: str = ""
    label: str = ""
    group: str = ""
    origin: str = ""
    destination: str = ""
    total: str = ""
    subtitle: str = ""
    unit: str = ""
    note: str = ""
    method: str = ""
    number: NumberFormat = BILLIONS
    x_number: NumberFormat = BILLIONS
    x_title: str = ""
    y_title: str = ""
    layout: Layout = "plain"
    horizontal: bool = True
    sort: Sort = "descending"
    marks: tuple[Mark, ...] = ()
    highlight: tuple[str, ...] = ()
    dashed: tuple[str, ...] = ()
    colours: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    gaps: bool = False
    zero: bool = True
    log: tuple[Literal["x", "y"], ...] = ()
    centre: float | None = None
    height: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    id: str = ""

    def __post_init__(self) -> None:
        """Check everything at once, then own the data."""
        from counterpoise.report._check import figure_problems

        shown = self.title or "without a title"
        raise_all(InputError, f'the figure "{shown}" ({self.kind}) cannot be drawn', figure_problems(self))
        object.__setattr__(self, "data", frozen_copy(self.data))
        object.__setattr__(self, "colours", MappingProxyType(dict(self.colours)))
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))
        if not self.id:
            object.__setattr__(self, "id", slug(self.title))

    def rows(self) -> list[Row]:
        """Rows of the data as plain dictionaries, in order."""
        return rows_of(self.data)

    def columns(self) -> tuple[tuple[str, str], ...]:
        """Column names with the words that stand over them, units included."""
        return tuple((name, self.header(name)) for name in columns_of(self.data))

    def header(self, column: str) -> str:
        """Words over a column: those given in ``headers``, else the name, with the unit where the numbers carry it."""
        if column in self.headers:
            return self.headers[column]
        words = column.replace("_", " ")
        words = words[:1].upper() + words[1:]
        return f"{words} ({self.unit})" if self.unit and column in self.number_columns() else words

    def number_columns(self) -> tuple[str, ...]:
        """Columns whose numbers are in ``unit`` and written with ``number``."""
        main = self.value if self.kind in ("flow", "heatmap", "treemap") else self.y
        return tuple(name for name in (main, self.low, self.high) if name)

    def csv(self) -> str:
        """Return the data as CSV: header words with units, full precision, one line per row."""
        frame = self.data.rename(columns=dict(self.columns()))
        return str(frame.to_csv(index=False, lineterminator="\n"))

    def echarts_option(self, theme: Theme, *, width: int = WIDE) -> dict[str, Any]:
        """Return the ECharts option, plain JSON with the colours of a theme.

        Parameters
        ----------
        theme
            `theme.LIGHT` or `theme.DARK`.
        width
            Width in pixels for which labels are wrapped and room is left.
        """
        from counterpoise.report._kinds import build

        return theme.resolve(build(self, width).option)

    def payload(self) -> dict[str, Any]:
        """Return everything the page's script needs: options for wide and narrow paper, words, CSV."""
        from counterpoise.report._kinds import build

        wide, narrow = build(self, WIDE), build(self, NARROW)
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "subtitle": self.subtitle or self.unit,
            "source": self.source,
            "note": self.note,
            "legend": [list(entry) for entry in wide.legend],
            "wide": {"option": wide.option, "height": wide.height},
            "narrow": {"option": narrow.option, "height": narrow.height},
            "csv": self.csv(),
        }


def slug(title: str) -> str:
    """Anchor made from words: lower case, hyphens, at most 60 characters."""
    words = re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
    return words[:60].rstrip("-") or "figure"
