"""Areas as rectangles as near to squares as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["Box", "squarify"]

Box: TypeAlias = tuple[float, float, float, float]


def squarify(values: Sequence[float], box: Box) -> list[Box]:
    """Cut a rectangle into parts whose areas are proportional to values.

    Parameters
    ----------
    values
        Positive, in descending order.
    box
        Left, top, width, height.

    Returns
    -------
    One box per value, in the same order.

    References
    ----------
    Bruls, Huizing and van Wijk (2000), Squarified treemaps, Data Visualization 2000, 33-42.
    """
    left, top, width, height = box
    boxes: list[Box] = []
    areas = [value / sum(values) * width * height for value in values]
    while areas:
        side = min(width, height)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(areas[:count], side):
            count += 1
        row, areas = areas[:count], areas[count:]
        depth = sum(row) / side if side else 0.0
        along = 0.0
        for area in row:
            length = area / depth if depth else 0.0
            boxes.append((left, top + along, depth, length) if width >= height else (left + along, top, length, depth))
            along += length
        if width >= height:
            left, width = left + depth, max(0.0, width - depth)
        else:
            top, height = top + depth, max(0.0, height - depth)
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """Largest ratio of the sides among the boxes of one row."""
    total = sum(row)
    return max(max(side * side * area / total**2, total**2 / (side * side * area)) for area in row)
