"""What can be wrong with a figure, found all at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from counterpoise.core.errors import did_you_mean
from counterpoise.report._frame import Row, columns_of, is_numeric, number, rows_of, text
from counterpoise.report.theme import LIGHT, colour_token

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure

__all__ = ["figure_problems"]

_ENCODINGS = (
    "x",
    "y",
    "value",
    "series",
    "size",
    "low",
    "high",
    "label",
    "group",
    "origin",
    "destination",
    "total",
)


@dataclass(frozen=True, slots=True)
class _Spec:
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ("y", "low", "high")
    unique: tuple[str, ...] = ()


_SPECS: dict[str, _Spec] = {
    "line": _Spec(("x", "y"), ("series", "low", "high"), unique=("x", "series")),
    "bar": _Spec(("x", "y"), ("series", "low", "high"), unique=("x", "series")),
    "interval": _Spec(("x", "y", "low", "high"), ("series",), unique=("x", "series")),
    "slope": _Spec(("x", "y", "series"), unique=("x", "series")),
    "waterfall": _Spec(("x", "y"), ("total",), ("y",), unique=("x",)),
    "flow": _Spec(("origin", "destination", "value"), (), ("value",), unique=("origin", "destination")),
    "heatmap": _Spec(("x", "y", "value"), (), ("value",), unique=("x", "y")),
    "treemap": _Spec(("label", "value"), ("group",), ("value",), unique=("label", "group")),
    "scatter": _Spec(("x", "y"), ("size", "series", "label"), ("x", "y", "size")),
}


def figure_problems(figure: Figure) -> list[str]:
    """List every problem of a figure; empty when it can be drawn."""
    problems = [*_word_problems(figure)]
    spec = _SPECS.get(figure.kind)
    if spec is None:
        kinds = ", ".join(_SPECS)
        problems.append(f"kind is '{figure.kind}', expected one of {kinds}{did_you_mean(str(figure.kind), _SPECS)}")
        return problems
    if not _is_frame(figure.data):
        return [
            *problems,
            f"data is a {type(figure.data).__name__}, expected a pandas DataFrame; use pd.DataFrame(rows)",
        ]
    encoding = list(_encoding_problems(figure, spec))
    problems += encoding
    if figure.data.empty:
        problems.append("data has no rows, expected at least one; leave the figure out and say why in the text")
    elif not encoding:
        rows = rows_of(figure.data)
        cells = [*_number_problems(figure, spec, rows), *_key_problems(figure, spec, rows)]
        problems += cells
        problems += _name_problems(figure, rows)
        if not cells:
            problems += _kind_problems(figure, rows)
    return problems


def _is_frame(data: object) -> bool:
    return isinstance(data, pd.DataFrame)


def _word_problems(figure: Figure) -> Iterator[str]:
    if not figure.title.strip():
        yield "title is empty, expected the sentence that the chart shows; pass title='...'"
    if not figure.source.strip():
        yield "source is empty, expected source and vintage such as 'BACI 2024, customs value'; pass source='...'"
    if figure.layout not in ("plain", "stacked", "grouped"):
        near = did_you_mean(str(figure.layout), ("plain", "stacked", "grouped"))
        yield f"layout is '{figure.layout}', expected plain, stacked or grouped{near}"
    if figure.sort not in ("descending", "ascending", "none"):
        near = did_you_mean(str(figure.sort), ("descending", "ascending", "none"))
        yield f"sort is '{figure.sort}', expected descending, ascending or none{near}"
    if figure.layout != "plain" and (figure.kind != "bar" or not figure.series):
        yield f"layout '{figure.layout}' needs kind 'bar' and a series column; pass series='...' or layout='plain'"
    if figure.layout == "plain" and figure.kind == "bar" and figure.series:
        yield "a plain bar has no series; pass layout='stacked' or layout='grouped', or leave series out"
    if figure.height is not None and figure.height < 80:
        yield f"height is {figure.height} px, expected at least 80, or None to fit the content"
    for name, colour in figure.colours.items():
        if colour not in LIGHT.tokens and colour_token(colour) is None:
            yield (
                f"colour of '{name}' is '{colour}', expected a region or sector (by code or name) or a token such as "
                f"'@accent'{did_you_mean(colour, LIGHT.tokens)}"
            )


def _encoding_problems(figure: Figure, spec: _Spec) -> Iterator[str]:
    columns = columns_of(figure.data)
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        yield f"data has the columns {', '.join(repeated)} more than once, expected each name once; rename them"
    for encoding in _ENCODINGS:
        column = str(getattr(figure, encoding))
        if encoding in spec.required and not column:
            yield f"{encoding} is missing, a {figure.kind} needs {', '.join(spec.required)}; pass {encoding}='<column>'"
        elif column and encoding not in spec.required + spec.optional:
            allowed = ", ".join(spec.required + spec.optional)
            yield f"{encoding}='{column}' means nothing to a {figure.kind}, which takes {allowed}; leave it out"
        elif column and column not in columns:
            near = did_you_mean(column, columns)
            yield f"{encoding}='{column}' is not a column of data, which has {', '.join(columns)}{near}"
        elif column and encoding in spec.numeric and not is_numeric(figure.data, column):
            yield f"{encoding}='{column}' holds text, expected numbers; convert the column with pd.to_numeric"
    if bool(figure.low) != bool(figure.high):
        yield "low and high come together, only one was given; pass both or none"
    for column in figure.headers:
        if column not in columns:
            yield f"headers names '{column}', which is not a column of data{did_you_mean(column, columns)}"


def _number_problems(figure: Figure, spec: _Spec, rows: list[Row]) -> Iterator[str]:
    for encoding in spec.numeric:
        column = str(getattr(figure, encoding))
        if not column:
            continue
        values = [number(row, column) for row in rows]
        missing = [index for index, value in enumerate(values) if math.isnan(value)]
        if missing and not (figure.gaps and figure.kind == "line"):
            mend = (
                "drop the rows, or pass gaps=True to draw gaps"
                if figure.kind == "line"
                else "drop the rows or fill them"
            )
            yield f"{encoding}='{column}' has no number in {_listed(missing)}, expected a number in every row; {mend}"
        infinite = [index for index, value in enumerate(values) if math.isinf(value)]
        if infinite:
            yield f"{encoding}='{column}' is infinite in {_listed(infinite)}, expected finite numbers"
    if figure.low and figure.high:
        wrong = [
            index
            for index, row in enumerate(rows)
            if number(row, figure.low) > number(row, figure.y) or number(row, figure.y) > number(row, figure.high)
        ]
        if wrong:
            yield f"low <= y <= high fails in {_listed(wrong)}; check which column is which"


def _key_problems(figure: Figure, spec: _Spec, rows: list[Row]) -> Iterator[str]:
    keys = tuple(str(getattr(figure, encoding)) for encoding in spec.unique if getattr(figure, encoding))
    if not keys:
        return
    seen: set[tuple[str, ...]] = set()
    repeated: list[str] = []
    for row in rows:
        key = tuple(text(row, column) for column in keys)
        if key in seen:
            repeated.append(" / ".join(key))
        seen.add(key)
    if repeated:
        shown = ", ".join(repeated[:5])
        yield f"({', '.join(keys)}) occurs more than once for {shown}; add the rows up or name the series"
    for column in keys:
        empty = [index for index, row in enumerate(rows) if not text(row, column)]
        if empty:
            yield f"'{column}' is empty in {_listed(empty)}, expected a name in every row"


def _name_problems(figure: Figure, rows: list[Row]) -> Iterator[str]:
    names = series_names(figure, rows)
    for argument in ("highlight", "dashed"):
        for name in getattr(figure, argument):
            if name not in names:
                yield f"{argument} names '{name}', which does not occur in the data{did_you_mean(name, names)}"
    for mark in figure.marks:
        if not mark.label.strip():
            yield f"the mark at {mark.at} has no label, expected words beside the line"


def series_names(figure: Figure, rows: list[Row]) -> list[str]:
    """Names that colours, highlights and dashes can speak of."""
    column = figure.series or (figure.label if figure.kind == "scatter" else figure.x)
    names = dict.fromkeys(text(row, column) for row in rows)
    if figure.kind == "scatter" and figure.label:
        names |= dict.fromkeys(text(row, figure.label) for row in rows)
    return list(names)


def _kind_problems(figure: Figure, rows: list[Row]) -> Iterator[str]:
    match figure.kind:
        case "waterfall":
            yield from _waterfall_problems(figure, rows)
        case "flow":
            yield from _flow_problems(figure, rows)
        case "treemap":
            wrong = [index for index, row in enumerate(rows) if number(row, figure.value) <= 0]
            if wrong:
                yield f"value='{figure.value}' is not above zero in {_listed(wrong)}; drop the rows"
        case "slope":
            moments = list(dict.fromkeys(text(row, figure.x) for row in rows))
            if len(moments) < 2:
                yield f"x='{figure.x}' has one moment ({moments[0]}), expected two or more"
            for name in dict.fromkeys(text(row, figure.series) for row in rows):
                have = {text(row, figure.x) for row in rows if text(row, figure.series) == name}
                if lacking := [moment for moment in moments if moment not in have]:
                    yield f"series '{name}' has no row for {', '.join(lacking)}; a slope needs both ends"
        case "scatter":
            for axis in figure.log:
                column = figure.x if axis == "x" else figure.y
                wrong = [index for index, row in enumerate(rows) if number(row, column) <= 0]
                if wrong:
                    yield f"log axis {axis}: '{column}' is not above zero in {_listed(wrong)}; drop the rows or the log"
            if figure.size and any(number(row, figure.size) < 0 for row in rows):
                yield f"size='{figure.size}' is negative somewhere, expected areas of zero or more"
        case _:
            return


def _waterfall_problems(figure: Figure, rows: list[Row]) -> Iterator[str]:
    level = 0.0
    scale = max(abs(number(row, figure.y)) for row in rows) or 1.0
    for index, row in enumerate(rows):
        amount = number(row, figure.y)
        if figure.total and row.get(figure.total) is True:
            if index and abs(amount - level) > 5e-3 * scale:
                yield (
                    f"total '{text(row, figure.x)}' is {amount:g}, but the steps before it add up to {level:g}; "
                    "give every step, or show a step 'other'"
                )
            level = amount
        else:
            level += amount


def _flow_problems(figure: Figure, rows: list[Row]) -> Iterator[str]:
    wrong = [index for index, row in enumerate(rows) if number(row, figure.value) <= 0]
    if wrong:
        yield f"value='{figure.value}' is not above zero in {_listed(wrong)}; a ribbon cannot show it, drop the rows"
    after: dict[str, set[str]] = {}
    for row in rows:
        after.setdefault(text(row, figure.origin), set()).add(text(row, figure.destination))
    reachable = {node: set(nodes) for node, nodes in after.items()}
    for _ in range(len(reachable)):
        for nodes in reachable.values():
            nodes |= {further for node in tuple(nodes) for further in reachable.get(node, ())}
    circular = sorted(node for node, nodes in reachable.items() if node in nodes)
    if circular:
        yield (
            f"ribbons run in a circle through {', '.join(circular)}; name both ends apart, "
            "for example 'India sells' and 'India buys'"
        )


def _listed(indices: list[int]) -> str:
    shown = ", ".join(str(index) for index in indices[:8])
    more = f" and {len(indices) - 8} more" if len(indices) > 8 else ""
    return f"{'row' if len(indices) == 1 else 'rows'} {shown}{more} (counted from 0)"
