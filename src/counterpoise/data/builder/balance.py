"""Balancing: the table nearest to a prior, in cross entropy, that satisfies linear identities exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from counterpoise.core.errors import UnbalancedError, raise_all

__all__ = ["RegionTable", "balance_region", "minimum_cross_entropy", "ras"]


@dataclass(frozen=True, slots=True)
class RegionTable:
    """Supply and use of one region, USD, S sectors.

    Attributes
    ----------
    domestic
        (S,) sales at home.
    intermediate
        (S, S) on (sector, using_sector).
    value_added
        (S,).
    final
        (S,) final demand.
    """

    domestic: np.ndarray
    intermediate: np.ndarray
    value_added: np.ndarray
    final: np.ndarray

    def flat(self) -> np.ndarray:
        """Return all cells as one vector (S * (S + 3),)."""
        return np.concatenate([self.domestic, self.intermediate.ravel(), self.value_added, self.final])

    @classmethod
    def of(cls, cells: np.ndarray, sectors: int) -> RegionTable:
        """Undo `flat`."""
        d, z, v, f = np.split(cells, np.cumsum([sectors, sectors * sectors, sectors]))
        return cls(d, z.reshape(sectors, sectors), v, f)


def minimum_cross_entropy(
    prior: np.ndarray,
    matrix: np.ndarray,
    target: np.ndarray,
    names: Sequence[str],
    *,
    weight: np.ndarray | float = 1.0,
    rtol: float = 1e-13,
    max_steps: int = 200,
) -> np.ndarray:
    r"""Return the non-negative vector nearest to a prior that satisfies linear equations.

    Parameters
    ----------
    prior
        (n,) zero or more; a cell that is zero stays zero.
    matrix, target
        (m, n) and (m,): the equations ``matrix @ x = target``.
    names
        (m,) what each equation is about, for the error message.
    weight
        (n,) or a number, positive: how dearly a cell is moved.
    rtol
        Largest residual, relative to the size of the terms of its equation.
    max_steps
        Newton steps at most.

    Returns
    -------
    The solution, (n,).

    Raises
    ------
    UnbalancedError
        If no such vector is found: every equation that fails is named with both sides.

    Notes
    -----
    minimise sum_k w_k (x_k ln(x_k / p_k) - x_k + p_k) subject to A x = b. The solution is x = p exp(A'y / w); y
    minimises the smooth convex dual sum_k w_k x_k(y) - b'y, whose gradient A x - b is the residual: damped Newton
    steps.

    Two Newton steps after convergence take the solution to the last digits, so that machines agree on it.

    References
    ----------
    Golan, Judge and Robinson (1994), Review of Economics and Statistics 76(3); Junius and Oosterhaven (2003),
    Economic Systems Research 15(1).
    """
    w = np.broadcast_to(np.asarray(weight, dtype=np.float64), prior.shape)
    y = np.zeros(len(target))

    def solution(multiplier: np.ndarray) -> np.ndarray:
        return prior * np.exp(np.clip(multiplier @ matrix / w, -700.0, 700.0))

    def dual(multiplier: np.ndarray) -> float:
        return float(w @ solution(multiplier) - target @ multiplier)

    x, size = prior, np.ones(len(target))
    value, settled = dual(y), 0
    for _ in range(max_steps):
        x = solution(y)
        residual = matrix @ x - target
        size = np.maximum(np.abs(matrix) @ x + np.abs(target), 1e-300)
        settled += int(np.all(np.abs(residual) <= rtol * size))
        if settled > 2:
            return x
        hessian = (matrix * (x / w)) @ matrix.T
        ridge = 1e-14 * np.maximum(np.diag(hessian), 1e-300)
        step = -np.linalg.lstsq(hessian + np.diag(ridge), residual, rcond=None)[0]
        slope, length = float(residual @ step), 1.0
        while length > 1e-12:
            trial = dual(y + length * step)
            if np.isfinite(trial) and trial <= value + 1e-4 * length * slope + 1e-13 * abs(value):
                break
            length *= 0.5
        y, value = y + length * step, dual(y + length * step)
    left = matrix @ x
    failed = np.flatnonzero(np.abs(left - target) > 1e3 * rtol * size)
    raise_all(
        UnbalancedError,
        "no table near the prior satisfies the identities: totals contradict each other, or cells they need are zero",
        [f"{names[int(k)]}: {left[k]:.6g} instead of {target[k]:.6g}" for k in failed],
    )
    return x


def ras(
    prior: np.ndarray,
    row_total: np.ndarray,
    column_total: np.ndarray,
    row_names: Sequence[str],
    column_names: Sequence[str],
) -> np.ndarray:
    """Scale rows and columns of a table until they add up to given totals (RAS, the two-way case of cross entropy).

    Parameters
    ----------
    prior
        (m, n) zero or more.
    row_total, column_total
        (m,) and (n,), zero or more, with equal sums.
    row_names, column_names
        Labels for messages.

    Raises
    ------
    UnbalancedError
        If cells are negative or NaN, the totals differ in sum, or a total is positive where the table has only zeros;
        all at once, each named.
    """
    bad = np.argwhere(~(prior >= 0))
    problems = [f"cell {row_names[i]}, {column_names[j]} is {prior[i, j]:g}; expected 0 or more" for i, j in bad]
    rows, columns = float(row_total.sum()), float(column_total.sum())
    if abs(rows - columns) > 1e-9 * max(abs(rows), abs(columns)):
        problems.append(f"row totals sum to {rows:.9g} and column totals to {columns:.9g}; they must be equal")
    for names, total, sums in (
        (row_names, row_total, prior.sum(axis=1)),
        (column_names, column_total, prior.sum(axis=0)),
    ):
        problems += [
            f"{names[int(k)]}: total {total[k]:g}, cells sum to {sums[k]:g}; expected 0 or more, and cells to carry it"
            for k in np.flatnonzero(~(total >= 0) | ((total > 0) & (sums == 0)))
        ]
    raise_all(UnbalancedError, "the table cannot be balanced", problems)
    m, n = prior.shape
    matrix = np.vstack([np.kron(np.eye(m), np.ones(n)), np.kron(np.ones(m), np.eye(n))])
    target = np.concatenate([row_total, column_total * (rows / columns if columns else 1.0)])
    scale = max(rows, 1e-300)
    cells = minimum_cross_entropy(
        prior.ravel() / scale, matrix, target / scale, [*row_names, *column_names], rtol=1e-12
    )
    return cells.reshape(m, n) * scale


def balance_region(
    prior: RegionTable,
    exports: np.ndarray,
    imports: np.ndarray,
    gdp: float,
    sectors: Sequence[str],
    region: str,
    *,
    anchor_weight: float = 4.0,
) -> RegionTable:
    """Balance one region around fixed trade and fixed GDP.

    Parameters
    ----------
    prior
        What the structure implies.
    exports
        (S,) USD at customs value.
    imports
        (S,) USD, tariff-inclusive.
    gdp
        Sum of value added, USD.
    sectors, region
        Labels for messages.
    anchor_weight
        How dearly domestic sales and value added are moved compared with inputs and final use, so that the size of
        sectors and their cost structures stay near their source.

    Returns
    -------
    A table with, for every sector, domestic + exports = value added + inputs (cost) and domestic + imports =
    intermediate + final use, and value added that sums to ``gdp``.

    Raises
    ------
    UnbalancedError
        If no such table exists.
    """
    s = len(sectors)
    eye, zero = np.eye(s), np.zeros((s, s))
    cost = np.hstack([eye, -np.kron(np.ones(s), eye), -eye, zero])
    use = np.hstack([eye, -np.kron(eye, np.ones(s)), zero, -eye])
    total = np.concatenate([np.zeros(s + s * s), np.ones(s), np.zeros(s)])
    matrix = np.vstack([cost, use, total])
    target = np.concatenate([-exports, -imports, [gdp]]) / gdp
    names = (
        [f"cost of {region} {x}" for x in sectors] + [f"use of {region} {x}" for x in sectors] + [f"GDP of {region}"]
    )
    held = np.full(s, anchor_weight)
    weight = np.concatenate([held, np.ones(s * s), held, np.ones(s)])
    cells = minimum_cross_entropy(prior.flat() / gdp, matrix, target, names, weight=weight)
    return RegionTable.of(cells * gdp, s)
