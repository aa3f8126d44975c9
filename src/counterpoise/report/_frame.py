"""The one place where charts and tables look inside a pandas frame; everything after works on plain rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

import pandas as pd

__all__ = ["Cell", "Row", "columns_of", "frozen_copy", "is_numeric", "number", "rows_of", "text"]

Cell: TypeAlias = str | int | float | bool | date | None
Row: TypeAlias = Mapping[str, Cell]


def frozen_copy(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy a frame so that what the caller does later to his own changes nothing here."""
    return frame.reset_index(drop=True).copy(deep=True)


def columns_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """Column names as text, in the order of the frame."""
    return tuple(str(name) for name in frame.columns)


def is_numeric(frame: pd.DataFrame, column: str) -> bool:
    """Whether a column holds numbers (booleans are not)."""
    values: Any = frame[column]
    return bool(pd.api.types.is_numeric_dtype(values.dtype)) and not bool(pd.api.types.is_bool_dtype(values.dtype))


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Rows of a frame as plain dictionaries; every kind of missing value becomes None."""
    names = columns_of(frame)
    columns = [_cells(frame.iloc[:, position]) for position in range(len(names))]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def number(row: Row, column: str) -> float:
    """Cell as a number; NaN where there is none."""
    value = row.get(column) if column else None
    return float(value) if isinstance(value, int | float) else math.nan


def text(row: Row, column: str) -> str:
    """Cell as text; empty where there is none, dates as YYYY-MM-DD, whole numbers without a point."""
    value = row.get(column) if column else None
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _cells(series: Any) -> list[Cell]:
    return [_cell(value) for value in series.tolist()]


def _cell(value: Any) -> Cell:
    plain: Any = value.item() if hasattr(value, "item") else value
    if plain is None or plain is pd.NaT or plain is pd.NA:
        return None
    if isinstance(plain, datetime):
        return plain.date()
    if isinstance(plain, float):
        return None if math.isnan(plain) else plain
    return plain if isinstance(plain, bool | int | date) else str(plain)
