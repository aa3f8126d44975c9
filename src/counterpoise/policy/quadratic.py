r"""The quadratic model of one step: of goal and limits around a point, minimised within a trust region.

The quick way is Newton's method on a guess of which bounds and limits bind, corrected until it holds. A model that
bends downwards where nothing holds it is made convex first, and its limits straight for a guess that exists wherever
some step keeps them. Where none does, the limits become elastic, at a penalty.

References
----------
Hintermueller, Ito and Kunisch (2002), SIAM Journal on Optimization 13(3), for the active set; Lawson and Hanson (1974),
Solving Least Squares Problems, ch. 23, for the least distance; Fletcher (1987), Practical Methods of Optimization, ch.
12.4 and 14.4, for the elastic limits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

__all__ = [
    "Guess",
    "Model",
    "best_step",
    "by_active_set",
    "by_descent",
    "by_least_distance",
    "made_convex",
    "penalised",
]

Floats = NDArray[np.float64]

_minimize = cast(Any, optimize).minimize
_nnls = cast(Any, optimize).nnls

_AT_BOUND = 1e-9
"""Distance from a bound or limit, of order one, below which it counts as met."""

_GUESSES = 10
"""Guesses of what binds in the model before it is minimised the slow way."""

_SETTLED = 1e-10
"""Residual of the model's own conditions, over the size of its slope, at which it is minimised."""

_FLAT = 1e-6
"""Least second derivative of a model made convex, over its largest."""

_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Second-order model at a point: of the goal (f, F) and of m limits (h, slope, H)."""

    u: Floats
    goal: float
    slope: Floats
    bend: Floats
    slack: Floats
    slack_slope: Floats
    slack_bend: Floats

    def goal_at(self, d: Floats) -> float:
        """Return the change of the goal."""
        return float(self.slope @ d + 0.5 * d @ self.bend @ d)

    def slack_at(self, d: Floats) -> Floats:
        """Return the limits."""
        return self.slack + self.slack_slope @ d + 0.5 * (self.slack_bend @ d) @ d

    def slack_slope_at(self, d: Floats) -> Floats:
        """Return derivatives of the limits."""
        return self.slack_slope + self.slack_bend @ d


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """A step (L,) and multipliers of the limits (m,) to begin with."""

    step: Floats
    weights: Floats


def penalised(goal: float, slack: Floats, penalty: float) -> float:
    """Return a goal with what limits are missed by, at a penalty."""
    return goal + penalty * float(np.sum(np.maximum(-slack, 0.0)))


def best_step(
    model: Model, radius: float, penalty: float, movable: NDArray[np.bool_], multipliers: Floats
) -> tuple[Floats, float, bool]:
    """Return the step that minimises the model within a trust region, the fall it foretells, and if it is off the edge.

    ``multipliers`` (m,) of the limits at the point say which of them are tried first as binding. A model that bends
    downwards where nothing holds it is made convex first.
    """
    u = model.u
    low = np.where(movable, np.maximum(-u, -radius), 0.0)
    high = np.where(movable, np.minimum(1.0 - u, radius), 0.0)
    step = by_active_set(model, low, high, penalty, Guess(np.zeros(len(u)), multipliers))
    if step is None:
        convex = made_convex(model, multipliers)
        near = by_least_distance(convex, multipliers, low, high)
        if near is not None:
            step = by_active_set(convex, low, high, penalty, near)
            step = near.step if step is None else step
            model = convex
        if step is None or not _gains(model, step, penalty):
            step = by_descent(model, low, high, penalty)
    edge = np.abs(np.abs(step) - radius) <= 1e-12
    foretold = penalised(0.0, model.slack, penalty) - penalised(model.goal_at(step), model.slack_at(step), penalty)
    return step, foretold, not bool(np.any(edge))


def by_active_set(model: Model, low: Floats, high: Floats, penalty: float, guess: Guess) -> Floats | None:
    """Minimise the model by Newton's method on a guess of what binds, which every step corrects.

    The primal-dual active set strategy (Hintermueller, Ito and Kunisch 2002). None where the guess does not settle, the
    limits ask more than their penalty, or what is found is no minimum.
    """
    fixed = high <= low
    step, weights = guess.step.copy(), guess.weights.copy()
    limits = (weights > 0) | (model.slack_at(step) < -_AT_BOUND)
    pulled = model.slope + model.bend @ step - model.slack_slope_at(step).T @ weights
    at_low, at_high = (step <= low) & (pulled > 0) & ~fixed, (step >= high) & (pulled < 0) & ~fixed
    size = max(float(np.max(np.abs(model.slope))), _SETTLED)
    for _ in range(_GUESSES):
        free = ~(fixed | at_low | at_high)
        n, m = int(free.sum()), int(limits.sum())
        if m > n:
            return None
        bend = model.bend - np.tensordot(weights, model.slack_bend, axes=1)
        held = model.slack_slope_at(step)[limits]
        moved = np.where(at_low, low - step, np.where(at_high, high - step, 0.0))
        matrix, target = np.zeros((n + m, n + m)), np.zeros(n + m)
        matrix[:n, :n], matrix[:n, n:], matrix[n:, :n] = bend[np.ix_(free, free)], -held[:, free].T, held[:, free]
        target[:n] = -(model.slope + model.bend @ step + bend @ moved)[free]
        target[n:] = -model.slack_at(step)[limits] - held @ moved
        try:
            found = np.linalg.solve(matrix, target)
        except np.linalg.LinAlgError:
            return None
        moved[free] = found[:n]
        step, weights = step + moved, np.zeros(len(weights))
        weights[limits] = found[n:]
        slack = model.slack_at(step)
        pulled = model.slope + model.bend @ step - model.slack_slope_at(step).T @ weights
        before = at_low, at_high, limits
        at_low = ~fixed & ((step < low - _AT_BOUND) | (at_low & (pulled > 0)))
        at_high = ~fixed & ((step > high + _AT_BOUND) | (at_high & (pulled < 0)))
        limits = (limits & (weights > 0)) | (slack < -_AT_BOUND)
        same = all(np.array_equal(a, b) for a, b in zip(before, (at_low, at_high, limits), strict=True))
        settled = float(np.max(np.abs(pulled[free]), initial=0.0)) <= _SETTLED * size
        if same and settled and float(np.max(np.abs(slack[limits]), initial=0.0)) <= _SETTLED:
            step = np.clip(step, low, high)
            bend = model.bend - np.tensordot(weights, model.slack_bend, axes=1)
            best = _is_minimum(bend[np.ix_(free, free)], model.slack_slope_at(step)[limits][:, free])
            kept = best and float(np.max(weights, initial=0.0)) <= penalty
            return step if kept and _gains(model, step, penalty) else None
    return None


def made_convex(model: Model, multipliers: Floats) -> Model:
    """Return the model with the second derivatives of its Lagrangian function turned upwards where they are not."""
    limits = np.tensordot(multipliers, model.slack_bend, axes=1)
    values, vectors = np.linalg.eigh(model.bend - limits)
    size = np.maximum(np.abs(values), _FLAT * float(np.max(np.abs(values), initial=_FLAT)))
    return replace(model, bend=(vectors * size) @ vectors.T + limits)


def by_least_distance(model: Model, multipliers: Floats, low: Floats, high: Floats) -> Guess | None:
    """Minimise a convex model with its limits straight; None where no step within the region keeps them.

    With the second derivatives as L L', the goal is the length of z = L'd + f / L, and the shortest z under linear
    limits is a least-squares problem with non-negative weights (Lawson and Hanson 1974, ch. 23).
    """
    free = high > low
    bend = model.bend - np.tensordot(multipliers, model.slack_bend, axes=1)
    values, vectors = np.linalg.eigh(bend[np.ix_(free, free)])
    root = vectors / np.sqrt(np.maximum(values, _TINY))
    unit = np.eye(int(free.sum()))
    normal = np.concatenate([unit, -unit, model.slack_slope[:, free]]) @ root
    pull = root.T @ model.slope[free]
    bound = np.concatenate([low[free], -high[free], -model.slack]) + normal @ pull
    rows = np.vstack([normal.T, bound])
    target = np.append(np.zeros(len(pull)), 1.0)
    weights, missed = _nnls(rows, target, maxiter=30 * max(rows.shape))
    if missed <= _SETTLED:
        return None
    left = rows @ weights - target
    step = np.zeros(len(free))
    step[free] = root @ (-left[:-1] / left[-1] - pull)
    return Guess(np.clip(step, low, high), cast(Floats, -weights[2 * len(pull) :] / left[-1]))


def _gains(model: Model, step: Floats, penalty: float) -> bool:
    """Say whether a step lowers the model's penalty function."""
    return penalised(model.goal_at(step), model.slack_at(step), penalty) < penalised(0.0, model.slack, penalty)


def _is_minimum(bend: Floats, held: Floats) -> bool:
    """Say whether second derivatives (n, n) are not negative along what limits (m, n) leave free."""
    if held.size:
        basis = np.linalg.qr(held.T, mode="complete")[0][:, len(held) :]
        bend = basis.T @ bend @ basis
    if not bend.size:
        return True
    values = np.linalg.eigvalsh(bend)
    return bool(values[0] >= -_SETTLED * max(1.0, float(values[-1])))


def by_descent(model: Model, low: Floats, high: Floats, penalty: float) -> Floats:
    """Minimise the model by sequential least squares, limits elastic: slow, and sure of an answer."""
    count = len(model.u)
    short = max(0.0, float(np.max(-model.slack, initial=0.0)))
    wide = len(model.slack) > 0

    def value(z: Floats) -> float:
        return model.goal_at(z[:count]) + penalty * float(z[count])

    def slope(z: Floats) -> Floats:
        return np.append(model.slope + model.bend @ z[:count], penalty)

    def slack(z: Floats) -> Floats:
        return model.slack_at(z[:count]) + z[count]

    def slack_slope(z: Floats) -> Floats:
        return np.column_stack([model.slack_slope_at(z[:count]), np.ones(len(model.slack))])

    found = _minimize(
        value,
        np.append(np.zeros(count), short),
        jac=slope,
        method="SLSQP",
        bounds=[*zip(low.tolist(), high.tolist(), strict=True), (0.0, short if wide else 0.0)],
        constraints=({"type": "ineq", "fun": slack, "jac": slack_slope},) if wide else (),
        options={"ftol": 1e-14, "maxiter": 200},
    )
    step = np.clip(cast(Floats, found.x)[:count], low, high)
    return _newton(model, step, low, high, penalty)


def _newton(model: Model, step: Floats, low: Floats, high: Floats, penalty: float) -> Floats:
    """Sharpen a minimum of the model by Newton steps on the limits that bind, where that does not lose anything."""
    best, worth = step, penalised(model.goal_at(step), model.slack_at(step), penalty)
    for _ in range(3):
        free = (best - low > 1e-7) & (high - best > 1e-7)
        slack = model.slack_at(best)
        near = np.abs(slack) <= 1e-5
        if not free.any():
            break
        rows = model.slack_slope_at(best)[near]
        gradient = model.slope + model.bend @ best
        held = rows[:, free]
        weights = np.linalg.lstsq(held.T, gradient[free], rcond=None)[0] if held.size else np.zeros(0)
        bend = model.bend - np.tensordot(weights, model.slack_bend[near], axes=1)
        n, m = int(free.sum()), len(weights)
        matrix = np.zeros((n + m, n + m))
        matrix[:n, :n], matrix[:n, n:], matrix[n:, :n] = bend[np.ix_(free, free)], -held.T, held
        target = np.concatenate([-gradient[free], -slack[near]])
        moved = np.linalg.lstsq(matrix, target, rcond=1e-10)[0]
        trial = best.copy()
        trial[free] += moved[:n]
        if np.any(trial < low) or np.any(trial > high):
            break
        merit = penalised(model.goal_at(trial), model.slack_at(trial), penalty)
        if merit > worth + 1e-13 * max(1.0, abs(worth)):
            break
        best, worth = trial, merit
    return best
