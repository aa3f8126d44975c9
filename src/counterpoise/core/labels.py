"""Labelled arrays at every public edge: build them, check them against the vocabulary, never guess an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, LabelError, did_you_mean, raise_all
from counterpoise.core.variables import variable

__all__ = ["array_problems", "check_labels", "coordinates", "dim_labels", "index_of", "labelled"]

Labels = Mapping[str, tuple[str, ...]]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


def dim_labels(countries: Sequence[str], sectors: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the labels of every dimension for a list of countries and a list of sectors."""
    c, s = tuple(countries), tuple(sectors)
    return {"country": c, "origin": c, "destination": c, "sector": s, "using_sector": s}


def check_labels(countries: Sequence[str], sectors: Sequence[str]) -> None:
    """Raise LabelError unless both lists are non-empty, without blanks and without duplicates."""
    problems: list[str] = []
    for kind, labels in (("countries", countries), ("sectors", sectors)):
        if not labels:
            problems.append(f"{kind} is empty; give at least one label")
        problems += [
            f"{kind} holds {label!r}; labels are non-empty strings" for label in labels if not str(label).strip()
        ]
        twice = sorted({str(label) for label in labels if list(labels).count(label) > 1})
        problems += [f"{kind} holds '{label}' more than once; labels must be unique" for label in twice]
    raise_all(LabelError, "the labels cannot be used", problems)


def coordinates(dims: Sequence[str], labels: Labels) -> xr.Coordinates:
    """Return the coordinates of some dimensions; the same labels give the same immutable indexes, made once."""
    return _coordinates(tuple((dim, labels[dim]) for dim in dims))


@lru_cache(maxsize=128)
def _coordinates(labels: tuple[tuple[str, tuple[str, ...]], ...]) -> xr.Coordinates:
    return xr.Coordinates({dim: list(names) for dim, names in labels})


def index_of(labels: Sequence[str], wanted: str, kind: str) -> int:
    """Return the position of a label.

    Raises
    ------
    LabelError
        If the label is not there; the message names the nearest one.
    """
    try:
        return list(labels).index(wanted)
    except ValueError:
        hint = did_you_mean(wanted, labels)
        raise LabelError(f"unknown {kind} '{wanted}'{hint} Known: {', '.join(labels)}") from None


def labelled(name: str, values: ArrayLike | xr.DataArray, labels: Labels) -> xr.DataArray:
    """Return a read-only labelled array for a name of the vocabulary.

    Parameters
    ----------
    name
        Name in ``variables.csv``; its dims and unit apply.
    values
        A bare array in the order of the dims, or a DataArray with exactly the same labels in the same order.
    labels
        Labels by dimension.

    Raises
    ------
    LabelError
        If a DataArray carries other dims, other labels or another order.
    InputError
        If the shape differs, or values are NaN, infinite or outside the range the vocabulary allows; cells are named.
    """
    row = variable(name)
    problems = array_problems(name, values, labels)
    kind = LabelError if isinstance(values, xr.DataArray) and any("label" in p for p in problems) else InputError
    raise_all(kind, f"{name} cannot be used", problems)
    bare = values.to_numpy() if isinstance(values, xr.DataArray) else values
    array: NDArray[Any] = np.array(bare, dtype=bool if row.unit == "bool" else np.float64)
    array.flags.writeable = False
    return xr.DataArray(array, dims=row.dims, coords=coordinates(row.dims, labels), name=name, attrs={"unit": row.unit})


def array_problems(name: str, values: ArrayLike | xr.DataArray, labels: Labels, *, most: int = 8) -> list[str]:
    """List what is wrong with the values of a quantity: labels, shape, NaN, range; offending cells by label.

    Parameters
    ----------
    most
        How many cells are named for each kind of fault; the rest are counted.
    """
    row = variable(name)
    shape = tuple(len(labels[dim]) for dim in row.dims)
    if isinstance(values, xr.DataArray):
        if tuple(str(d) for d in values.dims) != row.dims:
            return [
                f"{name} has dims {tuple(values.dims)}, its labels must be on {row.dims}; transpose or rename first"
            ]
        problems = [_label_mismatch(name, dim, values, labels[dim]) for dim in row.dims]
        found = [p for p in problems if p]
        if found:
            return found
        values = values.to_numpy()
    array = np.asarray(values)
    if array.shape != shape:
        return [f"{name} has shape {array.shape}, expected {shape} for dims {' x '.join(row.dims)}"]
    if row.unit == "bool":
        return [] if array.dtype == np.bool_ else [f"{name} has dtype {array.dtype}, expected bool"]
    if array.dtype.kind not in "iuf":
        return [f"{name} has dtype {array.dtype}, expected numbers"]
    numbers = array.astype(np.float64)
    unbounded = row.sign == "limit"
    tests = [("is not a number", np.isnan(numbers)) if unbounded else ("is not a finite number", ~np.isfinite(numbers))]
    rule = _RANGES.get(row.sign)
    if rule is not None:
        tests.append((rule[0], np.isfinite(numbers) & rule[1](numbers)))
    out: list[str] = []
    for words, bad in tests:
        cells = np.argwhere(bad)
        for cell in cells[:most].tolist():
            names: list[str] = [labels[dim][k] for dim, k in zip(row.dims, cell, strict=True)]
            where = ", ".join(names)
            out.append(f"{name}[{where}] = {numbers[tuple(cell)]:g} {words}")
        if len(cells) > most:
            out.append(f"{name}: {len(cells) - most} more cells where the value {words}")
    return out


_RANGES: dict[str, tuple[str, Callable[[Numbers], Mask]]] = {
    "nonnegative": ("is negative; expected 0 or more", lambda x: x < 0),
    "limit": ("is negative; expected 0 or more, infinity for no limit", lambda x: x < 0),
    "positive": ("is not positive; expected more than 0", lambda x: x <= 0),
    "share": ("lies outside 0 to 1", lambda x: (x < -1e-12) | (x > 1 + 1e-12)),
    "above_minus_one": ("is -1 or below; a rate of 0.25 means 25 %", lambda x: x <= -1),
    "subsidy": ("lies outside 0 (included) to 1 (excluded)", lambda x: (x < 0) | (x >= 1)),
}


def _label_mismatch(name: str, dim: str, values: xr.DataArray, expected: tuple[str, ...]) -> str:
    """Return what differs between the labels of one dimension and the expected ones, or an empty string."""
    if dim not in values.coords:
        return f"{name} carries no labels on '{dim}'; give them, or pass a bare array in the documented order"
    seen = tuple(str(v) for v in cast(list[object], values.coords[dim].to_numpy().tolist()))
    if seen == expected:
        return ""
    missing, extra = [v for v in expected if v not in seen], [v for v in seen if v not in expected]
    if not missing and not extra:
        return f"{name} holds the labels of '{dim}' in another order; reindex({dim}=...) to {list(expected)}"
    return f"{name} on '{dim}': labels missing {missing}, labels unknown {extra}; reindex or drop them explicitly"
