"""Scatters: two measures against each other, with labels that keep clear of points and of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from counterpoise.report._chart import (
    Chart,
    Json,
    Palette,
    Plot,
    base_option,
    levels,
    named,
    ordered,
    palette_of,
    plain,
    scaffold,
    tick_width,
    tip,
    value_axis,
    value_bounds,
    zero_line,
)
from counterpoise.report._frame import Row, number, text
from counterpoise.report._text import LINE, SIZE, line_count, text_width, wrap
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.theme import display_name

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure

_LABEL = 11


@dataclass(frozen=True, slots=True)
class _Scale:
    """One axis: bounds of what is drawn, ticks, and whether it is logarithmic."""

    low: float
    high: float
    ticks: tuple[float, ...]
    step: float
    log: bool

    def place(self, value: float) -> float:
        """Position from 0 to 1."""
        if self.log:
            return math.log10(value / self.low) / math.log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def axis(self, fmt: NumberFormat, *, across: bool) -> Json:
        """Return the axis option."""
        axis = value_axis((self.low, self.high, self.step), fmt)
        del axis["interval"]
        if self.log:
            axis["axisLabel"]["formatter"]["decimals"] = -1
            if across:
                axis["axisLabel"]["alignMaxLabel"] = "right"
            return axis | {"type": "log", "logBase": 10}
        for part in ("axisLabel", "axisTick", "splitLine"):
            axis[part]["customValues"] = list(self.ticks)
        return axis


@dataclass(frozen=True, slots=True)
class _Point:
    """A drawn point: centre and radius in pixels, its words and its colour."""

    row: Row
    x: float
    y: float
    radius: float
    words: str
    token: str
    loud: bool


_Rectangle = tuple[float, float, float, float]


def scatter(figure: Figure, width: int) -> Chart:
    """Points or bubbles: two measures against each other."""
    rows = figure.rows()
    narrow = width < 500
    height = figure.height or (340 if narrow else 420)
    reach = (13.0 if narrow else 22.0) if figure.size else 4.5
    xs = _scale(rows, figure, figure.x, log="x" in figure.log, ticks=4 if narrow else 7, pad=reach / (width - 80))
    ys = _scale(rows, figure, figure.y, log="y" in figure.log, ticks=5, pad=reach / (height - 90))
    left = tick_width((ys.low, ys.high, ys.step), figure.number) + 12
    below = wrap(figure.x_title or figure.header(figure.x), width - left - 14)
    plot = Plot(width, height, left, 14, 32, 50 + LINE * (line_count(below) - 1))
    points = _points(figure, rows, xs, ys, plot, reach)
    zeros: list[_Rectangle] = []
    if not xs.log and xs.low <= 0 <= xs.high:
        across = plot.left + xs.place(0.0) * plot.inner_width
        zeros.append((across, 0.0, across, float(height)))
    if not ys.log and ys.low <= 0 <= ys.high:
        down = plot.top + (1 - ys.place(0.0)) * plot.inner_height
        zeros.append((0.0, down, float(width), down))
    sides = _label_sides(points, plot, zeros)
    data = [_item(figure, point, side) for point, side in zip(points, sides, strict=True)]
    drawn: list[Json] = [{"type": "scatter", "data": data, "emphasis": {"disabled": True}, "clip": False, "z": 3}]
    for axis, scale in (("x", xs), ("y", ys)):
        if not scale.log and scale.low <= 0 <= scale.high:
            drawn.append(scaffold(zero_line(axis) | {"z": 1}))
        drawn.append(scaffold(levels((m for m in figure.marks if m.axis == axis), f"{axis}Axis", "insideEndTop")))
    x_axis = xs.axis(figure.x_number, across=True) | {
        "name": below,
        "nameLocation": "middle",
        "nameGap": 24,
        "nameTextStyle": {"color": "@muted", "fontSize": SIZE, "lineHeight": LINE, "verticalAlign": "top"},
    }
    y_axis = ys.axis(figure.number, across=False) | {
        "name": figure.y_title or figure.header(figure.y),
        "nameLocation": "end",
        "nameGap": 12,
        "nameTextStyle": {"color": "@muted", "fontSize": SIZE, "align": "left", "padding": [0, 0, 0, 2 - round(left)]},
    }
    for axis in (x_axis, y_axis):
        axis["axisLine"] = {"show": False, "onZero": False}
    option = base_option() | {"grid": plot.grid(), "xAxis": x_axis, "yAxis": y_axis, "series": drawn}
    legend: tuple[tuple[str, str, str], ...] = ()
    if figure.series:
        palette = palette_of(figure)
        legend = tuple((display_name(name), palette.own(name), "dot") for name in ordered(rows, figure.series))
    return Chart(option, height, legend)


def _scale(rows: Sequence[Row], figure: Figure, column: str, *, log: bool, ticks: int, pad: float) -> _Scale:
    values = [number(row, column) for row in rows]
    if log:
        low, high = 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values) * 1.001))
        return _Scale(low, high, (), 1.0, log=True)
    low, high, step = value_bounds(rows, (column,), zero=figure.zero, ticks=ticks)
    marks = tuple(round(low + step * k, 9) for k in range(round((high - low) / step) + 1))
    room = pad * (high - low) * 1.25
    return _Scale(min(low, min(values) - room), max(high, max(values) + room), marks, step, log=False)


def _points(figure: Figure, rows: Sequence[Row], xs: _Scale, ys: _Scale, plot: Plot, reach: float) -> list[_Point]:
    palette: Palette = palette_of(figure)
    for name in ordered(rows, figure.series) if figure.series else ():
        palette.own(name)
    largest = max((number(row, figure.size) for row in rows), default=0.0) if figure.size else 0.0
    points: list[_Point] = []
    for row in sorted(rows, key=lambda row: -number(row, figure.size)) if figure.size else rows:
        name, key = text(row, figure.label), text(row, figure.series) or text(row, figure.label)
        loud = not figure.highlight or name in figure.highlight or key in figure.highlight
        token = palette.own(key) if figure.series or key in figure.colours else "@accent"
        radius = max(3.0, reach * math.sqrt(number(row, figure.size) / largest)) if largest else reach
        x = plot.left + xs.place(number(row, figure.x)) * plot.inner_width
        y = plot.top + (1 - ys.place(number(row, figure.y))) * plot.inner_height
        points.append(_Point(row, x, y, radius, named(row, figure.label), token if loud else "@quiet", loud))
    return points


def _label_sides(points: Sequence[_Point], plot: Plot, lines: Sequence[_Rectangle]) -> list[str]:
    """Choose the side of each label: the first of right, left, top, bottom that is free; none when all are taken."""
    discs = [_around(point) for point in points]
    taken: list[_Rectangle] = []
    sides = [""] * len(points)
    order = sorted(range(len(points)), key=lambda k: (not points[k].loud, -points[k].radius))
    for index in order:
        point = points[index]
        if not point.words or not point.loud:
            continue
        for side in ("right", "left", "top", "bottom"):
            box = _label_box(point, side)
            inside = (
                box[0] >= plot.left
                and box[2] <= plot.width
                and box[1] >= plot.top - 8
                and box[3] <= plot.height - plot.bottom
            )
            others = [disc for k, disc in enumerate(discs) if k != index]
            if inside and not any(_meet(box, other) for other in (*others, *taken, *lines)):
                sides[index] = side
                taken.append(box)
                break
    return sides


def _item(figure: Figure, point: _Point, side: str) -> Json:
    row = point.row
    pairs = [
        (figure.x_title or figure.header(figure.x), figure.x_number.text(number(row, figure.x))),
        (figure.y_title or figure.header(figure.y), figure.number.text(number(row, figure.y))),
    ]
    if figure.size:
        pairs.append((figure.header(figure.size), f"{number(row, figure.size):,.4g}"))
    head = point.words or named(row, figure.series) or "Point"
    label = {"show": bool(side), "formatter": plain(point.words), "position": side or "right", "distance": 4}
    return tip(head, *pairs) | {
        "value": [number(row, figure.x), number(row, figure.y)],
        "symbolSize": round(2 * point.radius, 1),
        "itemStyle": {"color": point.token, "opacity": 1, "borderColor": "@paper", "borderWidth": 1},
        "label": label | {"color": "@ink", "fontSize": _LABEL},
    }


def _around(point: _Point) -> _Rectangle:
    r = point.radius
    return point.x - r, point.y - r, point.x + r, point.y + r


def _label_box(point: _Point, side: str) -> _Rectangle:
    width, half, gap = text_width(point.words, _LABEL), 7.0, point.radius + 4
    match side:
        case "right":
            return point.x + gap, point.y - half, point.x + gap + width, point.y + half
        case "left":
            return point.x - gap - width, point.y - half, point.x - gap, point.y + half
        case "top":
            return point.x - width / 2, point.y - gap - 2 * half, point.x + width / 2, point.y - gap
        case _:
            return point.x - width / 2, point.y + gap, point.x + width / 2, point.y + gap + 2 * half


def _meet(a: _Rectangle, b: _Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
