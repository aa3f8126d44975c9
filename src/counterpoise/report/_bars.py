"""Bars, ranges and waterfalls: one row or column per category."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from counterpoise.report._chart import (
    Chart,
    Json,
    Palette,
    Plot,
    base_option,
    category_axis,
    flags,
    levels,
    ordered,
    palette_of,
    plain,
    scaffold,
    sorted_names,
    tick_width,
    tip,
    value_axis,
    with_unit,
    zero_line,
)
from counterpoise.report._frame import Row, number, text
from counterpoise.report._text import LINE, SIZE, line_count, text_width, wrap
from counterpoise.report.numbers import nice_scale
from counterpoise.report.theme import display_name

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure, Mark


_SMALL = 11

_STACKED: Json = {
    "stack": "all",
    "stackStrategy": "samesign",
    "itemStyle": {"borderColor": "@paper", "borderWidth": 0.5},
}


_HALO: Json = {"textBorderColor": "@paper", "textBorderWidth": 3, "textBorderType": "solid"}
"""Keeps a label readable where it crosses an axis or a grid line."""


def bar(figure: Figure, width: int) -> Chart:
    """Bars: plain (signed ones point both ways), stacked or grouped; lying or standing."""
    if figure.horizontal:
        return _lying(figure, width)
    return _standing(figure, width)


def interval(figure: Figure, width: int) -> Chart:
    """Dots on their ranges: low, central, high."""
    rows = figure.rows()
    narrow = width < 500
    palette = palette_of(figure)
    names = sorted_names(figure, rows, figure.x, figure.y)
    groups = ordered(rows, figure.series) if figure.series else [""]
    words, left = _row_names(figure, names, width)
    bounds = _bounds(rows, (figure.y, figure.low, figure.high), 3 if narrow else 6)
    said = ["" if narrow else _range_words(figure, row) for row in rows]
    step = max(max(line_count(w) for w in words) * LINE + (18 if narrow else 12), 18 * len(groups) + 10)
    centred = [figure.number.text(number(row, figure.y)) for row in rows] if narrow else []
    overhang = max(text_width(w) for w in (*centred, f"{figure.number.text(bounds[1])}")) / 2 + 6
    right = max(overhang, *(text_width(w, _SMALL) + 16 for w in said))
    upright = [mark for mark in figure.marks if mark.axis == "y"]
    plot, height = _row_plot(figure, width, left, right, len(names) * step, bounds, upright)
    ranges: list[Json] = []
    dots: list[Json] = []
    labels: list[Json] = []
    for row, beside in zip(rows, said, strict=True):
        name, group = text(row, figure.x), text(row, figure.series)
        lane = (groups.index(group) - (len(groups) - 1) / 2) * min(0.28, 0.8 / len(groups))
        at = names.index(name) + lane
        token = _bar_token(figure, palette, name, group, 1.0)
        low, mid, high = (number(row, column) for column in (figure.low, figure.y, figure.high))
        pairs = [
            ("Central", with_unit(figure.number, mid, figure.unit)),
            ("Range", f"{figure.number.text(low)} to {figure.number.text(high)}"),
        ]
        about = tip(", ".join(filter(None, (display_name(name), display_name(group)))), *pairs)
        ranges.append(about | {"coords": [[low, at], [high, at]], "value": mid, "lineStyle": {"color": token}})
        dots.append(about | {"value": [mid, at], "itemStyle": {"color": token}})
        label = {"show": True, "formatter": plain(beside or figure.number.text(mid)), "color": "@ink"}
        label |= {"fontSize": _SMALL, "distance": 7, "position": "top" if narrow else "right"} | _HALO
        if not narrow or not figure.series:
            labels.append({"value": [mid if narrow else high, at], "label": label})
    series: list[Json] = [
        {
            "type": "lines",
            "coordinateSystem": "cartesian2d",
            "yAxisIndex": 1,
            "data": ranges,
            "lineStyle": {"width": 5, "opacity": 0.35, "cap": "round", "curveness": 0},
            "z": 2,
        },
        {
            "type": "scatter",
            "yAxisIndex": 1,
            "data": dots,
            "symbolSize": 10,
            "clip": False,
            "emphasis": {"disabled": True},
            "itemStyle": {"opacity": 1, "borderColor": "@paper", "borderWidth": 1.5},
            "z": 3,
        },
        _label_points(labels) | {"yAxisIndex": 1},
        *_row_marks(bounds, upright, plot),
    ]
    lanes = {"type": "value", "min": -0.5, "max": len(names) - 0.5, "inverse": True, "show": False}
    option = base_option() | {
        "grid": plot.grid(),
        "xAxis": _tick_axis(bounds, figure, upright),
        "yAxis": [_row_axis(words, figure, names), lanes],
        "series": series,
    }
    legend = tuple((display_name(g), palette.own(g), "dot") for g in groups) if figure.series else ()
    return Chart(option, height, legend)


def _range_words(figure: Figure, row: Row) -> str:
    """Central value with its range in brackets; the value alone where there is no range."""
    low, mid, high = (figure.number.text(number(row, column)) for column in (figure.low, figure.y, figure.high))
    return mid if low == high else f"{mid} ({low} to {high})"


def waterfall(figure: Figure, width: int) -> Chart:
    """Lead from one level to another in steps, row by row."""
    rows = figure.rows()
    narrow = width < 500
    names = [text(row, figure.x) for row in rows]
    words, left = _row_names(figure, names, width)
    level = 0.0
    spans: list[tuple[float, float, bool]] = []
    for row in rows:
        amount = number(row, figure.y)
        is_total = bool(figure.total) and row.get(figure.total) is True
        spans.append((0.0, amount, True) if is_total else (level, level + amount, False))
        level = spans[-1][1]
    ends = [point for start, stop, _ in spans for point in (start, stop)]
    bounds = nice_scale(min(0.0, *ends), max(0.0, *ends), 4 if narrow else 6)
    heights = max(line_count(w) for w in words) * LINE + 14
    steps = figure.number
    written = [steps.text(number(row, figure.y)) for row in rows]
    signed = [
        text_ if is_total or number(row, figure.y) <= 0 or steps.sign else f"+{text_}"
        for text_, row, (_, _, is_total) in zip(written, rows, spans, strict=True)
    ]
    right = max(text_width(words) for words in signed) + 12
    plot, height = _row_plot(figure, width, left, right, len(rows) * heights, bounds, [])
    bases: list[Json] = []
    bodies: list[Json] = []
    labels: list[Json] = []
    joints: list[Json] = []
    palette = palette_of(figure)
    for index, (start, stop, is_total) in enumerate(spans):
        sign = "total" if is_total else "up" if stop >= start else "down"
        token = {"total": "@muted", "up": "@up", "down": "@down"}[sign]
        if names[index] in figure.colours:
            token = palette.own(names[index])
        about = tip(names[index], ("", f"{signed[index]} {figure.unit}".strip()))
        bases.append({"value": min(start, stop) if start * stop >= 0 else start})
        bodies.append(about | {"value": abs(stop - start) if start * stop >= 0 else stop - start})
        bodies[-1]["itemStyle"] = {"color": token}
        label = {"show": True, "formatter": plain(signed[index]), "position": "right", "distance": 5, "color": "@ink"}
        label |= _HALO
        label |= {"fontWeight": "bold" if is_total else "normal"}
        labels.append({"value": [max(start, stop), index], "label": label})
        if index + 1 < len(spans):
            joints.append({"coords": [[stop, index], [stop, index + 1]]})
    hidden = {"itemStyle": {"color": "transparent"}, "silent": True, "tooltip": {"show": False}}
    stack = {"type": "bar", "stack": "level", "stackStrategy": "all", "barWidth": "58%", "emphasis": {"disabled": True}}
    series: list[Json] = [
        stack | {"data": bases} | hidden,
        stack | {"data": bodies},
        {
            "type": "lines",
            "coordinateSystem": "cartesian2d",
            "data": joints,
            "silent": True,
            "lineStyle": {"color": "@muted", "width": 1, "opacity": 0.6, "curveness": 0},
            "z": 1,
        },
        _label_points(labels),
        *_row_marks(bounds, [], plot),
    ]
    option = base_option() | {
        "grid": plot.grid(),
        "xAxis": _tick_axis(bounds, figure, []),
        "yAxis": _row_axis(words, figure, names),
        "series": series,
    }
    return Chart(option, height)


def _lying(figure: Figure, width: int) -> Chart:
    rows = figure.rows()
    narrow = width < 500
    palette = palette_of(figure)
    names = sorted_names(figure, rows, figure.x, figure.y)
    groups = ordered(rows, figure.series) if figure.series else [""]
    plain_bars = figure.layout == "plain"
    words, left = _row_names(figure, names, width)
    low, high = _extent(figure, rows, names)
    bounds = nice_scale(min(0.0, low), max(0.0, high), 4 if narrow else 6)
    labelled = plain_bars or (figure.layout == "grouped" and len(groups) <= 3)
    written = max((text_width(figure.number.text(number(row, figure.y))) for row in rows), default=0.0)
    if labelled:
        bounds = (min(0.0, low) * 1.0, max(0.0, high) * 1.0, bounds[2])
    right = written + 12 if high > 0 or not labelled else 8
    gutter = written + 12 if labelled and low < 0 else 8
    lanes = len(groups) if figure.layout == "grouped" else 1
    step = max(max(line_count(w) for w in words) * LINE + 11, 17 * lanes + 12)
    upright = [mark for mark in figure.marks if mark.axis == "y"]
    size = len(names) * step
    plot, height = _row_plot(figure, width, left + gutter - 8, right, size, bounds, upright, ticks=not labelled)
    series: list[Json] = []
    for group in groups:
        of = {text(row, figure.x): row for row in rows if not figure.series or text(row, figure.series) == group}
        bars: list[Json] = []
        for name in names:
            row = of.get(name)
            value = number(row, figure.y) if row is not None else math.nan
            if row is None or math.isnan(value):
                bars.append({"value": None})
                continue
            token = _bar_token(figure, palette, name, group, value)
            about = _bar_tip(figure, row, name, group)
            bars.append(about | {"value": value, "itemStyle": {"color": token}})
            if labelled and not figure.low:
                bars[-1]["label"] = {
                    "show": True,
                    "formatter": plain(figure.number.text(value)),
                    "position": "right" if value >= 0 else "left",
                    "distance": 5,
                    "color": "@ink",
                    "fontSize": SIZE if lanes == 1 else 11,
                }
        body: Json = {"type": "bar", "name": display_name(group), "data": bars, "emphasis": {"disabled": True}}
        body |= {"barCategoryGap": "34%", "barGap": "12%", "barMaxWidth": 22 if lanes == 1 else 15}
        if figure.layout == "stacked":
            body |= _STACKED
        series.append(body)
    if figure.low:
        series += _whiskers(figure, rows, names)
    series += _row_marks(bounds, upright, plot)
    option = base_option() | {
        "grid": plot.grid(),
        "xAxis": _tick_axis(bounds, figure, upright, ticks=not labelled),
        "yAxis": _row_axis(words, figure, names, gutter),
        "series": series,
    }
    legend = tuple((display_name(g), palette.own(g), "box") for g in groups) if figure.series else ()
    return Chart(option, height, legend)


def _standing(figure: Figure, width: int) -> Chart:
    rows = figure.rows()
    narrow = width < 500
    palette = palette_of(figure)
    names = ordered(rows, figure.x) if figure.sort == "none" else sorted_names(figure, rows, figure.x, figure.y)
    groups = ordered(rows, figure.series) if figure.series else [""]
    low, high = _extent(figure, rows, names)
    bounds = nice_scale(min(0.0, low), max(0.0, high), 5)
    left = tick_width(bounds, figure.number) + 12
    slot = (width - left - 8) / len(names)
    turned = max(text_width(display_name(n)) for n in names) > slot * 1.9 and len(names) > 6
    if turned and slot < LINE:
        return _lying(figure, width)
    words = [display_name(n) if turned else wrap(display_name(n), slot - 4) for n in names]
    every = max(1, math.ceil(max(text_width(w) for w in words) / slot)) if not turned and len(names) > 8 else 1
    below = 24 + LINE * (max(line_count(w) for w in words) - 1)
    upright = [mark for mark in figure.marks if mark.axis == "x"]
    height = figure.height or (290 if narrow else 340)

    def centre(at: object) -> float:
        return (names.index(str(at)) + 0.5) / len(names) if str(at) in names else 0.0

    rough = Plot(width, height, left, 8, 20, below)
    room = flags(upright, centre, rough)[2]
    plot = Plot(width, height + round(room), left, 8, 20 + room, below)
    lines, areas, _ = flags(upright, centre, plot)
    fits = max(text_width(figure.number.text(number(row, figure.y)), 11) for row in rows) < slot
    series: list[Json] = []
    for group in groups:
        of = {text(row, figure.x): row for row in rows if not figure.series or text(row, figure.series) == group}
        bars: list[Json] = []
        for name in names:
            row = of.get(name)
            if row is None:
                bars.append({"value": None})
                continue
            value = number(row, figure.y)
            bars.append(_bar_tip(figure, row, name, group) | {"value": value})
            bars[-1]["itemStyle"] = {"color": _bar_token(figure, palette, name, group, value)}
            if figure.layout == "plain" and fits:
                label = {"show": True, "formatter": plain(figure.number.text(value)), "fontSize": 11, "color": "@ink"}
                bars[-1]["label"] = label | {"position": "top" if value >= 0 else "bottom", "distance": 4}
        body: Json = {"type": "bar", "name": display_name(group), "data": bars, "emphasis": {"disabled": True}}
        body |= {"barCategoryGap": "28%", "barGap": "8%", "barMaxWidth": 64}
        if figure.layout == "stacked":
            body |= _STACKED
        series.append(body)
    series.append(scaffold(zero_line("y")))
    series.append(scaffold(lines, areas))
    series.append(scaffold(levels((mark for mark in figure.marks if mark.axis == "y"), "yAxis")))
    label = {"interval": every - 1, "color": "@muted"} | ({"rotate": 45} if turned else {})
    if turned:
        plot = Plot(width, plot.height, left, 8, plot.top, 20 + 0.72 * max(text_width(w) for w in words))
    option = base_option() | {
        "grid": plot.grid(),
        "xAxis": category_axis(words, axisLabel=label) | {"axisLine": {"show": False, "onZero": False}},
        "yAxis": value_axis(bounds, figure.number),
        "series": series,
    }
    legend = tuple((display_name(g), palette.own(g), "box") for g in groups) if figure.series else ()
    return Chart(option, plot.height, legend)


def _bar_token(figure: Figure, palette: Palette, name: str, group: str, value: float) -> str:
    """Colour of one bar: its series, its own when it was given one, else its sign."""
    if figure.series:
        return palette.shown(group)
    if figure.highlight and name not in figure.highlight:
        return "@quiet"
    if name in figure.colours:
        return palette.own(name)
    return "@up" if value >= 0 else "@down"


def _bar_tip(figure: Figure, row: Row, name: str, group: str) -> Json:
    pairs = [(display_name(group), with_unit(figure.number, number(row, figure.y), figure.unit))]
    if figure.low:
        low, high = (figure.number.text(number(row, column)) for column in (figure.low, figure.high))
        pairs.append(("Range", f"{low} to {high}"))
    return tip(display_name(name), *pairs)


def _whiskers(figure: Figure, rows: Sequence[Row], names: Sequence[str]) -> list[Json]:
    lines: list[Json] = []
    labels: list[Json] = []
    for row in rows:
        at = names.index(text(row, figure.x))
        low, mid, high = (number(row, column) for column in (figure.low, figure.y, figure.high))
        lines.append({"coords": [[low, at], [high, at]]})
        label = {"show": True, "formatter": plain(figure.number.text(mid)), "distance": 5, "color": "@ink"}
        edge, side = (max(high, 0.0), "right") if mid >= 0 else (min(low, 0.0), "left")
        labels.append({"value": [edge, at], "label": label | _HALO | {"position": side}})
    stroke = {"color": "@ink", "width": 1.25, "opacity": 1, "curveness": 0}
    whisker = {
        "type": "lines",
        "coordinateSystem": "cartesian2d",
        "data": lines,
        "silent": True,
        "lineStyle": stroke,
        "z": 4,
    }
    return [whisker, _label_points(labels)]


def _label_points(labels: list[Json]) -> Json:
    return {
        "type": "scatter",
        "data": labels,
        "symbolSize": 1,
        "itemStyle": {"color": "transparent", "borderWidth": 0, "opacity": 1},
        "clip": False,
        "silent": True,
        "tooltip": {"show": False},
        "z": 5,
    }


def _extent(figure: Figure, rows: Sequence[Row], names: Sequence[str]) -> tuple[float, float]:
    if figure.layout != "stacked":
        columns = [column for column in (figure.y, figure.low, figure.high) if column]
        values = [number(row, column) for row in rows for column in columns]
        return min(values), max(values)
    below, above = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for row in rows:
        value = number(row, figure.y)
        side = above if value >= 0 else below
        side[text(row, figure.x)] += value
    return min(below.values()), max(above.values())


def _bounds(rows: Sequence[Row], columns: Sequence[str], ticks: int) -> tuple[float, float, float]:
    values = [number(row, column) for row in rows for column in columns]
    return nice_scale(min(0.0, *values), max(0.0, *values), ticks)


def _row_names(figure: Figure, names: Sequence[str], width: int) -> tuple[list[str], float]:
    """Names wrapped to the column they get, and the width of that column with its margin."""
    room = min(230.0, 0.34 * width)
    bold = [name in figure.highlight and not figure.series for name in names]
    words = [wrap(display_name(name), room, bold=b) for name, b in zip(names, bold, strict=True)]
    return words, max(text_width(word, bold=b) for word, b in zip(words, bold, strict=True)) + 14


def _row_axis(words: Sequence[str], figure: Figure, names: Sequence[str], gutter: float = 8) -> Json:
    axis = category_axis([plain(word) for word in words], inverse=True, axisLabel={"margin": round(gutter)})
    if figure.highlight and not figure.series:
        axis["data"] = [
            {"value": plain(word), "textStyle": {"fontWeight": "bold"}} if name in figure.highlight else plain(word)
            for word, name in zip(words, names, strict=True)
        ]
    return axis


def _tick_axis(
    bounds: tuple[float, float, float], figure: Figure, upright: Sequence[Mark], *, ticks: bool = True
) -> Json:
    axis = value_axis(bounds, figure.number, labels=ticks, lines=ticks)
    return axis | {"position": "bottom" if upright else "top"}


def _row_plot(
    figure: Figure,
    width: int,
    left: float,
    right: float,
    body: float,
    bounds: tuple[float, float, float],
    upright: Sequence[Mark],
    *,
    ticks: bool = True,
) -> tuple[Plot, int]:
    """Rectangle for rows; ticks stand above it, or below when flags need the room above."""
    room = flags(upright, _placer(bounds), Plot(width, 100, left, right, 0, 0))[2]
    top, bottom = (room + 4, 26 if ticks else 6) if upright else (24 if ticks else 4, 6)
    height = figure.height or round(top + body + bottom)
    return Plot(width, height, left, right, top, bottom), height


def _row_marks(bounds: tuple[float, float, float], upright: Sequence[Mark], plot: Plot) -> list[Json]:
    lines, areas, _ = flags(upright, _placer(bounds), plot)
    series = [scaffold(lines, areas)]
    if bounds[0] <= 0 <= bounds[1]:
        series.append(scaffold(zero_line("x")))
    return series


def _placer(bounds: tuple[float, float, float]) -> Callable[[object], float]:
    """Position of a number between bounds, from 0 to 1."""

    def place(at: object) -> float:
        return (float(at) - bounds[0]) / ((bounds[1] - bounds[0]) or 1.0) if isinstance(at, int | float) else 0.0

    return place
