"""From a figure to an ECharts option: one function per kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from counterpoise.report._area import flow, heatmap, treemap
from counterpoise.report._bars import bar, interval, waterfall
from counterpoise.report._chart import Chart
from counterpoise.report._lines import line, slope
from counterpoise.report._scatter import scatter

if TYPE_CHECKING:
    from counterpoise.report.figure import Figure

__all__ = ["build"]

_BUILDERS: dict[str, Callable[[Figure, int], Chart]] = {
    "line": line,
    "bar": bar,
    "interval": interval,
    "slope": slope,
    "waterfall": waterfall,
    "flow": flow,
    "heatmap": heatmap,
    "treemap": treemap,
    "scatter": scatter,
}


def build(figure: Figure, width: int) -> Chart:
    """Lay a figure out for a width in pixels.

    Parameters
    ----------
    figure
        Checked figure.
    width
        Width in pixels.

    Returns
    -------
    Option with colour tokens, height in pixels and legend.
    """
    return _BUILDERS[figure.kind](figure, width)
