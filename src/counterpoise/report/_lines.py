"""Lines, slopes and scatters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from counterpoise.report._chart import (
    Chart,
    Json,
    Plot,
    base_option,
    category_axis,
    flags,
    levels,
    ordered,
    palette_of,
    plain,
    scaffold,
    spread,
    tick_width,
    tip,
    value_axis,
    value_bounds,
    with_unit,
    zero_line,
)
from counterpoise.report._frame import Row, number, text
from counterpoise.report._text import LINE, SIZE, line_count, text_width, wrap
from counterpoise.report.numbers import nice_scale
from counterpoise.report.theme import display_name

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure


_WHOLE_STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class _Across:
    """The horizontal axis of a line chart: years or other numbers, dates, or ordered text."""

    kind: str
    points: tuple[Any, ...]
    step: float = 1.0

    def place(self, at: Any) -> float:
        """Position from 0 (left) to 1 (right); what is outside stays outside."""
        if self.kind == "category":
            return self.points.index(str(at)) / max(1, len(self.points) - 1) if str(at) in self.points else 0.0
        first, last, here = (_ordinal(p) for p in (self.points[0], self.points[-1], at))
        return (here - first) / ((last - first) or 1.0)

    def value(self, row: Row, column: str) -> float | str:
        """Cell as ECharts wants it."""
        return number(row, column) if self.kind == "value" else text(row, column)

    def axis(self) -> Json:
        """Return the axis option."""
        shared: Json = {
            "axisLine": {"show": True, "onZero": False, "lineStyle": {"color": "@muted"}},
            "axisTick": {"show": True, "length": 4, "lineStyle": {"color": "@muted"}},
            "splitLine": {"show": False},
            "axisLabel": {"color": "@muted", "fontSize": SIZE, "hideOverlap": True, "margin": 8},
        }
        if self.kind == "category":
            shared["axisLabel"] |= {"alignMinLabel": "left", "alignMaxLabel": "right"}
            return {"type": "category", "boundaryGap": False, "data": list(self.points), **shared}
        if self.kind == "time":
            return {"type": "time", "min": self.points[0], "max": self.points[-1], **shared}
        ticks = _ticks(self.points[0], self.points[-1], self.step)
        whole = all(float(tick).is_integer() for tick in ticks)
        years = whole and 1000 <= self.points[0] <= 3000
        formatter = {"fn": "year"} if years else {"fn": "number", "decimals": 0 if whole else 1}
        shared["axisTick"]["customValues"] = ticks
        shared["axisLabel"] |= {"customValues": ticks, "formatter": formatter}
        return {"type": "value", "min": self.points[0], "max": self.points[-1], **shared}


def line(figure: Figure, width: int) -> Chart:
    """Lines over time, labelled at their ends, with bands and dated events."""
    rows = figure.rows()
    narrow = width < 500
    palette = palette_of(figure)
    names = ordered(rows, figure.series) if figure.series else [""]
    of = {name: [row for row in rows if not figure.series or text(row, figure.series) == name] for name in names}
    across = _across(rows, figure.x, 3 if narrow else 7)
    bounds = value_bounds(rows, (figure.y, figure.low, figure.high), zero=figure.zero)
    ends = [_end_label(figure, name, of[name], 92 if narrow else 150) for name in names]
    room = max(text_width(words, bold=True) for words, _ in ends) + 16
    upright = [mark for mark in figure.marks if mark.axis == "x"]
    height = figure.height or (300 if narrow else 360)
    left = tick_width(bounds, figure.number) + 12
    plot = Plot(width, height, left, room, 12, 30)
    flag_room = flags(upright, across.place, plot)[2]
    plot = Plot(width, height + round(flag_room), left, room, 12 + flag_room, 30)
    lines, areas, _ = flags(upright, across.place, plot)

    wished = [plot.top + (bounds[1] - value) / (bounds[1] - bounds[0]) * plot.inner_height for _, value in ends]
    placed = spread(wished, [LINE * line_count(words) for words, _ in ends], plot.top - 8, plot.height - 20)
    series: list[Json] = []
    for index, name in enumerate(names):
        token = palette.shown(name) if figure.series else "@accent"
        if figure.colours and not figure.series:
            token = palette.shown(next(iter(figure.colours)))
        if figure.low:
            series += _band(figure, across, of[name], name, token)
        series.append(_line(figure, across, of[name], name, token, ends[index][0], placed[index] - wished[index]))
    if bounds[0] <= 0 <= bounds[1]:
        series.append(scaffold(zero_line("y")))
    series.append(scaffold(lines, areas))
    series.append(scaffold(levels((mark for mark in figure.marks if mark.axis == "y"), "yAxis")))
    option = base_option("axis") | {
        "grid": plot.grid(),
        "xAxis": across.axis(),
        "yAxis": value_axis(bounds, figure.number),
        "series": series,
    }
    return Chart(option, plot.height)


def slope(figure: Figure, width: int) -> Chart:
    """Before and after: straight lines between moments, named and valued at both ends."""
    rows = figure.rows()
    narrow = width < 500
    palette = palette_of(figure)
    moments, names = ordered(rows, figure.x), ordered(rows, figure.series)
    cells = {(text(row, figure.series), text(row, figure.x)): number(row, figure.y) for row in rows}
    bounds = value_bounds(rows, (figure.y,), zero=figure.zero, ticks=8)
    side = 96 if narrow else 190
    first = [wrap(f"{display_name(n)} {figure.number.text(cells[n, moments[0]])}", side) for n in names]
    last = [wrap(f"{figure.number.text(cells[n, moments[-1]])} {display_name(n)}", side) for n in names]
    height = figure.height or max(300, 34 * len(names) + 90)
    left, right = (max(text_width(words, bold=True) for words in ends) + 16 for ends in (first, last))
    slack = 0 if narrow else max(0.0, (width - left - right - 380) / 2)
    plot = Plot(width, height, left + slack, right + slack, 34, 14)

    def pixel(name: str, moment: str) -> float:
        return plot.top + (bounds[1] - cells[name, moment]) / (bounds[1] - bounds[0]) * plot.inner_height

    shifts: list[list[float]] = []
    for moment, ends in ((moments[0], first), (moments[-1], last)):
        wished = [pixel(name, moment) for name in names]
        placed = spread(wished, [LINE * line_count(words) for words in ends], plot.top - 8, height - 2)
        shifts.append([there - here for here, there in zip(wished, placed, strict=True)])
    series: list[Json] = []
    for index, name in enumerate(names):
        token = palette.shown(name)
        data: list[Json] = []
        for moment in moments:
            value = cells[name, moment]
            item = tip(moment, (display_name(name), with_unit(figure.number, value, figure.unit)))
            item |= {"value": [moment, value], "symbolSize": 7}
            if moment in (moments[0], moments[-1]):
                at_start = moment == moments[0]
                item["label"] = {
                    "show": True,
                    "formatter": plain((first if at_start else last)[index]),
                    "position": "left" if at_start else "right",
                    "align": "right" if at_start else "left",
                    "distance": 8,
                    "offset": [0, round(shifts[0 if at_start else 1][index], 1)],
                    "color": _label_colour(token),
                    "fontWeight": "bold" if name in figure.highlight else "normal",
                    "lineHeight": LINE,
                }
            data.append(item)
        series.append(
            _stroke(display_name(name), token, data, dashed=name in figure.dashed, loud=name in figure.highlight)
        )
    axis = category_axis(moments, boundaryGap=False, position="top", axisLabel={"color": "@ink", "fontWeight": "bold"})
    axis["splitLine"] = {"show": True, "interval": 0, "lineStyle": {"color": "@rule"}}
    hidden = value_axis(bounds, figure.number, labels=False, lines=False)
    return Chart(base_option() | {"grid": plot.grid(), "xAxis": axis, "yAxis": hidden, "series": series}, height)


def _across(rows: Sequence[Row], column: str, ticks: int) -> _Across:
    cells = [row[column] for row in rows]
    if all(isinstance(cell, date) for cell in cells):
        days = sorted({text(row, column) for row in rows})
        return _Across("time", tuple(days))
    if all(isinstance(cell, int | float) for cell in cells):
        values = sorted({number(row, column) for row in rows})
        raw = (values[-1] - values[0]) / ticks
        whole = all(value.is_integer() for value in values)
        step = nice_scale(values[0], values[-1], ticks)[2]
        return _Across("value", tuple(values), next((s for s in _WHOLE_STEPS if s >= raw), step) if whole else step)
    return _Across("category", tuple(ordered(rows, column)))


def _ticks(first: float, last: float, step: float) -> list[float]:
    if abs(math.remainder(last - first, step)) < 1e-9 * step:
        return [round(first + k * step, 9) for k in range(round((last - first) / step) + 1)]
    start = math.ceil(first / step - 1e-9)
    stop = math.floor(last / step + 1e-9)
    inner = [round(k * step, 9) for k in range(start, stop + 1)]
    inner = [tick for tick in inner if tick - first > 0.6 * step and last - tick > 0.6 * step]
    return [first, *inner, *([last] if last > first else [])]


def _ordinal(at: Any) -> float:
    if isinstance(at, date):
        return float(at.toordinal())
    if isinstance(at, str):
        try:
            return float(date.fromisoformat(at).toordinal())
        except ValueError:
            return math.nan
    return float(at)


def _end_label(figure: Figure, name: str, rows: Sequence[Row], width: float) -> tuple[str, float]:
    value = next((number(row, figure.y) for row in reversed(rows) if not math.isnan(number(row, figure.y))), 0.0)
    words = f"{display_name(name)} {figure.number.text(value)}".strip()
    return wrap(words, width, bold=True), value


def _line(figure: Figure, across: _Across, rows: Sequence[Row], name: str, token: str, end: str, shift: float) -> Json:
    loud = name in figure.highlight
    last = max((i for i, row in enumerate(rows) if not math.isnan(number(row, figure.y))), default=-1)
    data: list[Json] = []
    for index, row in enumerate(rows):
        value = number(row, figure.y)
        gap = math.isnan(value)
        written = "no number" if gap else with_unit(figure.number, value, figure.unit)
        if figure.low and not gap:
            low, high = (figure.number.text(number(row, column)) for column in (figure.low, figure.high))
            written += f" ({low} to {high})"
        item = tip(text(row, figure.x), (display_name(name) or figure.header(figure.y), written))
        item |= {"value": [across.value(row, figure.x), None if gap else value], "symbol": "none"}
        if not gap and _alone(figure, rows, index):
            item |= {"symbol": "circle", "symbolSize": 5}
        if index == last:
            item |= {"symbol": "circle", "symbolSize": 7}
            item["label"] = {
                "show": True,
                "formatter": plain(end),
                "position": "right",
                "align": "left",
                "distance": 7,
                "offset": [0, round(shift, 1)],
                "color": _label_colour(token),
                "fontWeight": "bold",
                "fontSize": SIZE,
                "lineHeight": LINE,
            }
        data.append(item)
    return _stroke(display_name(name), token, data, dashed=name in figure.dashed, loud=loud)


def _alone(figure: Figure, rows: Sequence[Row], index: int) -> bool:
    """Whether a point has gaps on both sides, so that no line would show it."""
    around = [*rows[max(0, index - 1) : index], *rows[index + 1 : index + 2]]
    return all(math.isnan(number(row, figure.y)) for row in around)


def _stroke(name: str, token: str, data: list[Json], *, dashed: bool, loud: bool) -> Json:
    return {
        "type": "line",
        "name": name,
        "data": data,
        "showSymbol": True,
        "showAllSymbol": True,
        "symbol": "circle",
        "connectNulls": False,
        "clip": False,
        "color": token,
        "lineStyle": {
            "color": token,
            "width": 1.5 if token == "@quiet" else 2.5 if loud else 2.25,
            "type": "dashed" if dashed else "solid",
        },
        "itemStyle": {"color": token},
        "emphasis": {"disabled": True},
        "z": 2 if token == "@quiet" else 4,
    }


def _band(figure: Figure, across: _Across, rows: Sequence[Row], name: str, token: str) -> list[Json]:
    kept = [row for row in rows if not math.isnan(number(row, figure.low)) and not math.isnan(number(row, figure.high))]
    lows = [number(row, figure.low) for row in kept]
    spans = [number(row, figure.high) - low for row, low in zip(kept, lows, strict=True)]
    parts: list[Json] = []
    for values, opacity in ((lows, 0.0), (spans, 0.16)):
        parts.append(
            {
                "type": "line",
                "name": f"{name} band",
                "stack": f"band {name}",
                "stackStrategy": "all",
                "data": [[across.value(row, figure.x), v] for row, v in zip(kept, values, strict=True)],
                "symbol": "none",
                "silent": True,
                "lineStyle": {"opacity": 0},
                "areaStyle": {"color": token, "opacity": opacity},
                "tooltip": {"show": False},
                "emphasis": {"disabled": True},
                "z": 1,
            }
        )
    return parts


def _label_colour(token: str) -> str:
    return "@muted" if token == "@quiet" else token
