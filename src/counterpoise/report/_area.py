"""Flows, heatmaps and treemaps: amounts as widths, shades and areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from counterpoise.report._chart import (
    FONT,
    Chart,
    Json,
    Plot,
    base_option,
    category_axis,
    ordered,
    palette_of,
    plain,
    tip,
    with_unit,
)
from counterpoise.report._frame import Row, number, text
from counterpoise.report._squarify import Box, squarify
from counterpoise.report._text import LINE, SIZE, line_count, text_width, wrap
from counterpoise.report.theme import display_name

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure

_STEPS = 7


def flow(figure: Figure, width: int) -> Chart:
    """Ribbons from origins to destinations, as wide as their value."""
    rows = figure.rows()
    narrow = width < 500
    palette = palette_of(figure)
    into, out = _sums(rows, figure.destination, figure.value), _sums(rows, figure.origin, figure.value)
    names = list(dict.fromkeys([text(r, c) for c in (figure.origin, figure.destination) for r in rows]))
    side = 84 if narrow else 190
    words: dict[str, str] = {}
    for name in names:
        amount = max(into.get(name, 0.0), out.get(name, 0.0))
        words[name] = wrap(f"{display_name(name)} {figure.number.text(amount)}", side)
    left = max((text_width(words[name]) for name in names if name not in into), default=0.0) + 12
    right = max((text_width(words[name]) for name in names if name not in out), default=0.0) + 12
    nodes: list[Json] = []
    for name in names:
        start = name not in into
        label = {
            "formatter": plain(words[name]),
            "position": "left" if start else "right",
            "align": "right" if start else "left",
            "color": "@ink",
            "fontSize": SIZE,
            "lineHeight": LINE,
        }
        amount = max(into.get(name, 0.0), out.get(name, 0.0))
        about = tip(display_name(name), ("", with_unit(figure.number, amount, figure.unit)))
        style = {"color": palette.shown(name), "borderWidth": 0}
        nodes.append(about | {"name": name, "label": label, "itemStyle": style})
    links: list[Json] = []
    for row in rows:
        source, target, value = text(row, figure.origin), text(row, figure.destination), number(row, figure.value)
        owner = target if figure.highlight and target in figure.highlight else source
        about = tip(
            f"{display_name(source)} → {display_name(target)}", ("", with_unit(figure.number, value, figure.unit))
        )
        style = {"color": palette.shown(owner), "opacity": 0.34, "curveness": 0.5}
        links.append(about | {"source": source, "target": target, "value": value, "lineStyle": style})
    tall = max(len(into), len(out))
    gap = LINE * max(line_count(written) for written in words.values())
    height = figure.height or max(260, (gap + 26) * tall + 40)
    option = base_option() | {
        "series": [
            {
                "type": "sankey",
                "left": round(left),
                "right": round(right),
                "top": 10,
                "bottom": 10,
                "nodeWidth": 12,
                "nodeGap": gap,
                "draggable": False,
                "layoutIterations": 32,
                "data": nodes,
                "links": links,
                "emphasis": {"focus": "adjacency"},
            }
        ]
    }
    return Chart(option, height)


def heatmap(figure: Figure, width: int) -> Chart:
    """Shaded table: two categories across each other, the number in the cell."""
    rows = figure.rows()
    x_column, y_column = figure.x, figure.y
    columns, lines = ordered(rows, x_column), ordered(rows, y_column)
    if len(columns) > len(lines) and 0.7 * width / len(columns) < LINE:
        (x_column, y_column), (columns, lines) = (y_column, x_column), (lines, columns)
    room = min(210.0, 0.32 * width)
    names = [wrap(display_name(name), room) for name in lines]
    left = max(text_width(name) for name in names) + 12
    slot = (width - left - 4) / len(columns)
    heads = [wrap(display_name(name), slot - 4, 11) for name in columns]
    upright = max(text_width(head, 11) for head in heads) > slot
    if upright:
        heads = [wrap(display_name(name), 110, 11) for name in columns]
    top = (max(text_width(h, 11) for h in heads) if upright else 13 * max(line_count(h) for h in heads)) + 12
    step = max(30, max(line_count(name) for name in names) * LINE + 6)
    height = figure.height or round(top + step * len(lines) + 4)
    values = [number(row, figure.value) for row in rows]
    fits = max(text_width(figure.number.text(value), 11) for value in values) < slot - 3
    cells: list[Json] = []
    for row in rows:
        value = number(row, figure.value)
        token = _shade(value, values, figure.centre)
        x, y = text(row, x_column), text(row, y_column)
        about = tip(f"{display_name(y)}, {display_name(x)}", ("", with_unit(figure.number, value, figure.unit)))
        label = {"show": fits, "formatter": plain(figure.number.text(value)), "color": f"{token}/on", "fontSize": 11}
        cells.append(
            about
            | {
                "value": [columns.index(x), lines.index(y), value],
                "itemStyle": {"color": token, "borderColor": "@paper", "borderWidth": 1},
                "label": label,
            }
        )
    plot = Plot(width, height, left, 4, top, 4)
    head_label: Json = {"fontSize": 11, "lineHeight": 13, "color": "@muted", "margin": 6}
    if upright:
        head_label |= {"rotate": 90}
    option = base_option() | {
        "grid": plot.grid(),
        "xAxis": category_axis([plain(h) for h in heads], position="top", axisLabel=head_label),
        "yAxis": category_axis([plain(n) for n in names], inverse=True),
        "visualMap": {"show": False, "min": min(values), "max": max(values), "seriesIndex": 99},
        "series": [{"type": "heatmap", "data": cells, "emphasis": {"disabled": True}}],
    }
    return Chart(option, height, () if fits else _shade_legend(figure, values))


def treemap(figure: Figure, width: int) -> Chart:
    """Areas: parts of a whole, in groups."""
    rows = sorted(figure.rows(), key=lambda row: -number(row, figure.value))
    palette = palette_of(figure)
    whole = sum(number(row, figure.value) for row in rows)
    height = figure.height or (400 if width < 500 else 420)
    groups = _sums(rows, figure.group, figure.value) if figure.group else {"": whole}
    names = sorted(groups, key=lambda name: -groups[name])
    outer = squarify([groups[name] for name in names], (0.0, 0.0, float(width), float(height)))
    data: list[Json] = []
    rects: list[Json] = []
    for group, box in zip(names, outer, strict=True):
        members = [row for row in rows if not figure.group or text(row, figure.group) == group]
        inner = squarify([number(row, figure.value) for row in members], _shrunk(box, 2.0 if figure.group else 0.0))
        for row, cell in zip(members, inner, strict=True):
            name, value = text(row, figure.label), number(row, figure.value)
            token = palette.own(group) if figure.group and name not in figure.colours else palette.own(name)
            share = ("Share", f"{100 * value / whole:.1f}%")
            data.append(
                tip(display_name(name), ("", with_unit(figure.number, value, figure.unit)), share) | {"value": value}
            )
            left, top, wide, tall = _shrunk(cell, 0.5)
            words = _fitted(display_name(name), figure.number.text(value), wide - 9, tall - 6)
            rects.append(
                {
                    "x": left,
                    "y": top,
                    "width": wide,
                    "height": tall,
                    "fill": token,
                    "words": words,
                    "ink": f"{token}/on",
                }
            )
    option = base_option() | {
        "series": [
            {
                "type": "custom",
                "coordinateSystem": "none",
                "renderItem": {
                    "fn": "rectangles",
                    "width": width,
                    "rectangles": rects,
                    "size": SIZE,
                    "line": LINE,
                    "font": FONT,
                },
                "data": data,
            }
        ]
    }
    legend = tuple((display_name(group), palette.own(group), "box") for group in names) if figure.group else ()
    return Chart(option, height, legend)


def _shrunk(box: Box, by: float) -> Box:
    left, top, width, height = box
    return left + by, top + by, max(0.0, width - 2 * by), max(0.0, height - 2 * by)


def _fitted(name: str, written: str, width: float, height: float) -> str:
    """Name and number, the name alone, or nothing: as much as the rectangle holds."""
    for words in (f"{wrap(name, width)}\n{written}", wrap(name, width)):
        if text_width(words) <= width and LINE * line_count(words) <= height:
            return words
    return ""


def _sums(rows: Sequence[Row], key: str, value: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for row in rows:
        sums[text(row, key)] = sums.get(text(row, key), 0.0) + number(row, value)
    return sums


def _shade(value: float, values: Sequence[float], centre: float | None) -> str:
    if centre is not None:
        reach = max(abs(other - centre) for other in values) or 1.0
        half = _STEPS // 2
        return f"@div{round((value - centre) / reach * half) + half}"
    low, high = min(values), max(values)
    share = (value - low) / ((high - low) or 1.0)
    return f"@seq{min(_STEPS - 1, int(share * _STEPS))}"


def _shade_legend(figure: Figure, values: Sequence[float]) -> tuple[tuple[str, str, str], ...]:
    low, high = min(values), max(values)
    points = (low, (low + high) / 2, high) if figure.centre is None else (low, figure.centre, high)
    return tuple((figure.number.text(point), _shade(point, values, figure.centre), "box") for point in points)
