"""Parts that every kind of chart is put together from: axes, labels that do not collide, marks, tooltips.

All layout is computed here, for a known width and height in pixels, so that a label never depends on luck. Options hold
colour tokens (``"@RUS"``) and named formatters (``{"fn": "number", ...}``), both resolved by ``static/figure.js``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

from counterpoise.report._frame import Row, number, text
from counterpoise.report._text import LINE, SIZE, balance, line_count, text_width
from counterpoise.report.numbers import NumberFormat, nice_scale, step_decimals
from counterpoise.report.theme import CATEGORICAL_COUNT, LIGHT, colour_token, display_name

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure, Mark

Json: TypeAlias = dict[str, Any]

FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Liberation Sans, Arial, sans-serif"
FLAG = 13

_REST = frozenset({"other", "others", "other goods", "rest", "the rest"})


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart laid out for one width: option, height in pixels, legend entries (name, colour token, line style)."""

    option: Json
    height: int
    legend: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """The rectangle of the plot inside a picture, in pixels."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float

    @property
    def inner_width(self) -> float:
        """Width of the rectangle."""
        return self.width - self.left - self.right

    @property
    def inner_height(self) -> float:
        """Height of the rectangle."""
        return self.height - self.top - self.bottom

    def grid(self) -> Json:
        """Return the rectangle as an ECharts grid."""
        return {
            "left": round(self.left),
            "right": round(self.right),
            "top": round(self.top),
            "bottom": round(self.bottom),
            "outerBoundsMode": "none",
        }


@dataclass(slots=True)
class Palette:
    """Colours of named things: given, known (region, sector), or the next free categorical one."""

    given: dict[str, str] = field(default_factory=lambda: {})
    highlight: tuple[str, ...] = ()
    _next: int = 0
    _seen: dict[str, str] = field(default_factory=lambda: {})

    def own(self, name: str) -> str:
        """Token of the thing itself, whatever is highlighted."""
        if name not in self._seen:
            given = self.given.get(name) or ("@ROW" if name.casefold() in _REST else None)
            token = (given if given in LIGHT.tokens else colour_token(given)) if given else colour_token(name)
            if token is None:
                token = f"@q{self._next % CATEGORICAL_COUNT}"
                self._next += 1
            self._seen[name] = token
        return self._seen[name]

    def shown(self, name: str) -> str:
        """Token to draw with: quiet unless the name is highlighted or nothing is."""
        return self.own(name) if not self.highlight or name in self.highlight else "@quiet"


def palette_of(figure: Figure) -> Palette:
    """Palette with the colours that a figure asks for."""
    return Palette(dict(figure.colours), figure.highlight)


def base_option(trigger: str = "item") -> Json:
    """Return what every option begins with."""
    return {
        "animation": False,
        "backgroundColor": "transparent",
        "textStyle": {"fontFamily": FONT, "fontSize": SIZE, "color": "@ink"},
        "tooltip": {
            "trigger": trigger,
            "confine": True,
            "backgroundColor": "@paper",
            "borderColor": "@rule",
            "borderWidth": 1,
            "padding": [6, 9],
            "transitionDuration": 0,
            "textStyle": {"color": "@ink", "fontSize": SIZE, "fontFamily": FONT},
            "formatter": {"fn": "tooltip"},
            "axisPointer": {"type": "line", "lineStyle": {"color": "@muted", "type": "solid", "width": 1}},
        },
    }


def value_axis(
    bounds: tuple[float, float, float], fmt: NumberFormat, *, labels: bool = True, lines: bool = True
) -> Json:
    """Numeric axis with known bounds and step, thin grid lines and no axis line."""
    low, high, step = bounds
    return {
        "type": "value",
        "min": low,
        "max": high,
        "interval": step,
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"show": lines, "lineStyle": {"color": "@grid", "width": 1}},
        "axisLabel": {
            "show": labels,
            "color": "@muted",
            "fontSize": SIZE,
            "margin": 8,
            "formatter": {
                "fn": "number",
                "decimals": step_decimals(step),
                "sign": fmt.sign,
                "prefix": fmt.prefix,
                "suffix": fmt.axis_suffix,
            },
        },
    }


def value_bounds(
    rows: Sequence[Row], columns: Sequence[str], *, zero: bool, ticks: int = 5
) -> tuple[float, float, float]:
    """Bounds and step of an axis that holds every number of some columns."""
    values = [number(row, column) for row in rows for column in columns if column]
    values = [value for value in values if not math.isnan(value)]
    low, high = min(values), max(values)
    return nice_scale(min(low, 0.0) if zero else low, max(high, 0.0) if zero else high, ticks)


def tick_width(bounds: tuple[float, float, float], fmt: NumberFormat) -> float:
    """Width in pixels of the widest tick label of an axis."""
    low, high, step = bounds
    ticks = NumberFormat(step_decimals(step), fmt.sign, fmt.prefix, fmt.axis_suffix)
    return max(text_width(ticks.text(low)), text_width(ticks.text(high)))


def category_axis(names: Sequence[str], **extra: Any) -> Json:
    """Axis of names without line or ticks, every name shown."""
    label = {"color": "@ink", "fontSize": SIZE, "lineHeight": LINE, "interval": 0, "hideOverlap": False}
    label |= extra.pop("axisLabel", {})
    return {
        "type": "category",
        "data": list(names),
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"show": False},
        "axisLabel": label,
        **extra,
    }


def spread(centres: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Move labels apart so that none overlaps and all stay between ``low`` and ``high``, as little as needed.

    Parameters
    ----------
    centres
        Wished vertical centres in pixels.
    heights
        Heights in pixels.
    low, high
        Bounds in pixels.

    Returns
    -------
    Centres in the order given.
    """
    order = sorted(range(len(centres)), key=lambda index: (centres[index], index))
    placed = list(centres)
    groups: list[tuple[list[int], float]] = []
    for index in order:
        groups.append(([index], centres[index]))
        while len(groups) > 1 and _bottom(groups[-2], heights) > _top(groups[-1], heights):
            members = groups[-2][0] + groups[-1][0]
            groups[-2:] = [(members, _mean_centre(members, centres, heights))]
    for members, centre in groups:
        height = sum(heights[index] for index in members)
        edge = min(max(centre - height / 2, low), max(low, high - height))
        for index in members:
            placed[index] = edge + heights[index] / 2
            edge += heights[index]
    edge = low
    for index in order:
        placed[index] = max(placed[index], edge + heights[index] / 2)
        edge = placed[index] + heights[index] / 2
    edge = high
    for index in reversed(order):
        placed[index] = min(placed[index], edge - heights[index] / 2)
        edge = placed[index] - heights[index] / 2
    return placed


def zero_line(axis: str) -> Json:
    """Mark line at zero in ink; ``axis`` is the numeric axis, "x" or "y"."""
    return {
        "silent": True,
        "symbol": "none",
        "animation": False,
        "label": {"show": False},
        "lineStyle": {"color": "@ink", "width": 1, "type": "solid"},
        "data": [{f"{axis}Axis": 0}],
    }


def scaffold(mark_line: Json | None = None, mark_area: Json | None = None, **extra: Any) -> Json:
    """Return an invisible series that carries reference lines, so that they do not depend on the data's series."""
    series: Json = {"type": "scatter", "data": [], "silent": True, "tooltip": {"show": False}, **extra}
    if mark_line and mark_line["data"]:
        series["markLine"] = mark_line
    if mark_area and mark_area["data"]:
        series["markArea"] = mark_area
    return series


@dataclass(frozen=True, slots=True)
class _Flag:
    """A mark with its label laid out: where its line stands, what the label spans, on which side."""

    mark: Mark
    words: str
    at: float
    width: float
    rows: int
    to_left: bool

    @property
    def span(self) -> tuple[float, float]:
        """What the label covers from left to right."""
        return (self.at - self.width, self.at) if self.to_left else (self.at, self.at + self.width)

    def crosses(self, other: _Flag) -> bool:
        """Whether the label runs across the line of another mark."""
        return self.span[0] < other.at < self.span[1]

    def meets(self, other: _Flag) -> bool:
        """Whether the two labels, or a label and the other's line, would collide on the same row."""
        return self.span[0] < other.span[1] and other.span[0] < self.span[1]


def flags(marks: Iterable[Mark], fraction: Callable[[Any], float], plot: Plot) -> tuple[Json, Json, float]:
    """Return upright reference lines with flags above the plot, staggered so that no label crosses a line or a label.

    Parameters
    ----------
    marks
        Marks on the horizontal axis.
    fraction
        Position of a mark from 0 (left edge of the plot) to 1.
    plot
        Rectangle of the plot; its ``top`` includes the room for the flags, except when that room is being asked for.

    Returns
    -------
    Mark lines, mark areas, room in pixels that the flags need above the plot.
    """
    laid = _lay_flags(marks, fraction, plot)
    levels: list[int] = []
    for index, flag in enumerate(laid):
        below = [levels[k] + laid[k].rows for k in range(index) if flag.meets(laid[k])]
        levels.append(max(below, default=0))
    lines: list[Any] = []
    areas: list[Any] = []
    for flag, level in zip(laid, levels, strict=True):
        position = _axis_value(flag.mark.at)
        if flag.mark.until is not None:
            areas.append([{"xAxis": position}, {"xAxis": _axis_value(flag.mark.until)}])
        label = {
            "show": True,
            "formatter": plain(flag.words),
            "position": "end",
            "distance": [0, 0],
            "align": "right" if flag.to_left else "left",
            "verticalAlign": "top",
            "offset": [-5 if flag.to_left else 5, 0],
            "fontSize": 11,
            "lineHeight": FLAG,
            "color": "@muted",
        }
        top = plot.top - FLAG * (level + flag.rows) - 2
        lines.append(
            [{"xAxis": position, "y": plot.height - plot.bottom, "label": label}, {"xAxis": position, "y": top}]
        )
    tallest = max((level + flag.rows for flag, level in zip(laid, levels, strict=True)), default=0)
    style = {"color": "@quiet", "width": 1, "type": "solid"}
    mark_line = {"silent": True, "symbol": "none", "animation": False, "lineStyle": style, "data": lines}
    mark_area = {"silent": True, "animation": False, "itemStyle": {"color": "@grid", "opacity": 0.55}, "data": areas}
    return mark_line, mark_area, FLAG * tallest + (4.0 if tallest else 0.0)


def _lay_flags(marks: Iterable[Mark], fraction: Callable[[Any], float], plot: Plot) -> list[_Flag]:
    """Break labels and choose sides: those that hang to the left first, then the others from right to left."""
    flags: list[_Flag] = []
    for mark in marks:
        at = fraction(mark.at) * plot.inner_width
        words = balance(mark.label, min(200.0, plot.inner_width * 0.5), 11)
        width = text_width(words, 11) + 10
        to_left = at + width > plot.inner_width + plot.right and at - width > -plot.left
        flags.append(_Flag(mark, words, at, width, line_count(words), to_left))
    for index, flag in enumerate(flags):
        if not flag.to_left and flag.at > flag.width and any(o.to_left and o.crosses(flag) for o in flags):
            flags[index] = replace(flag, to_left=True)
    return sorted(flags, key=lambda flag: (not flag.to_left, flag.at if flag.to_left else -flag.at))


def levels(marks: Iterable[Mark], axis: str, position: str = "insideStartTop") -> Json:
    """Horizontal reference lines, labelled on the line."""
    data = [
        {
            axis: _axis_value(mark.at),
            "label": {
                "show": True,
                "formatter": plain(mark.label),
                "position": position,
                "distance": 3,
                "fontSize": 11,
                "color": "@muted",
            },
        }
        for mark in marks
    ]
    style = {"color": "@muted", "width": 1, "type": "dashed"}
    return {"silent": True, "symbol": "none", "animation": False, "lineStyle": style, "data": data}


def plain(words: str) -> str:
    """Text that ECharts shows letter by letter: its template braces are replaced by look-alikes."""
    return words.replace("{", "❴").replace("}", "❵")


def tip(head: str, *pairs: tuple[str, str]) -> Json:
    """Say of one item, in its tooltip, a heading and (name, value) lines."""
    return {"head": head, "tip": [list(pair) for pair in pairs]}


def named(row: Row, column: str) -> str:
    """Cell as words for a reader: region and sector codes become names."""
    return display_name(text(row, column))


def ordered(rows: Iterable[Row], column: str) -> list[str]:
    """Distinct texts of a column in order of appearance."""
    return list(dict.fromkeys(text(row, column) for row in rows))


def with_unit(fmt: NumberFormat, value: float, unit: str) -> str:
    """Write a number with its unit, for tooltips."""
    written = fmt.text(value)
    return written if not unit or fmt.suffix else f"{written} {unit}"


def sorted_names(figure: Figure, rows: Sequence[Row], key: str, amount: str) -> list[str]:
    """Category names in the order that the figure asks for: by the sum of their amounts, or as they come."""
    names = ordered(rows, key)
    if figure.sort == "none":
        return names
    totals = dict.fromkeys(names, 0.0)
    for row in rows:
        value = number(row, amount)
        totals[text(row, key)] += 0.0 if math.isnan(value) else value
    return sorted(names, key=lambda name: totals[name], reverse=figure.sort == "descending")


def _axis_value(at: float | str | date) -> float | str:
    return at.isoformat() if isinstance(at, date) else at


def _mean_centre(members: Sequence[int], centres: Sequence[float], heights: Sequence[float]) -> float:
    total = sum(heights[index] for index in members)
    before = 0.0
    wished = 0.0
    for index in members:
        wished += centres[index] - (before + heights[index] / 2 - total / 2)
        before += heights[index]
    return wished / len(members)


def _top(group: tuple[list[int], float], heights: Sequence[float]) -> float:
    return group[1] - sum(heights[index] for index in group[0]) / 2


def _bottom(group: tuple[list[int], float], heights: Sequence[float]) -> float:
    return group[1] + sum(heights[index] for index in group[0]) / 2
