r"""Descent with second derivatives: a quadratic model of goal and limits, minimised within a trust region.

At a point u the goal f and the limits h >= 0 are replaced by their second-order models, and the step d solves::

    min  f' d + d' F d / 2 + mu e   so that   h + h' d + d' H d / 2 + e >= 0,  e >= 0,  0 <= u + d <= 1,  |d| <= radius

with an elastic e, so that every such problem has a solution. A step is taken when the exact penalty function falls as
the model foretold (Fletcher 1987). Second derivatives are taken anew only where the descent slows; between, every step
corrects them by what it showed. Near the end the model's Newton step on the limits that bind makes it converge fast.

References
----------
Fletcher (1987), Practical Methods of Optimization, ch. 12.4 and 14.4; Conn, Gould and Toint (2000), Trust-Region
Methods, ch. 15; Conn, Gould and Toint (1991), Mathematical Programming 50, for corrections of rank one; Hintermueller,
Ito and Kunisch (2002), SIAM Journal on Optimization 13(3), for the active set of the model; Lawson and Hanson (1974),
Solving Least Squares Problems, ch. 23.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from counterpoise.policy.programme import Goal, Limit, Programme, optimality

__all__ = ["seek"]

Floats = NDArray[np.float64]

_minimize = cast(Any, optimize).minimize
_nnls = cast(Any, optimize).nnls

_RADIUS = 0.3
"""First trust region, in scaled levers."""

_SMALLEST = 1e-9
"""Trust region at which a descent gives up: no step improves the goal."""

_SLOW = 0.7
"""Residual of the conditions over the one before, above which second derivatives are taken anew."""

_TRUE = 0.7
"""Part of the foretold fall from which on a step to the edge of the region says that the model is still good."""

_NEARLY = 1e-3
"""Residual of the conditions below which corrected second derivatives are good enough to say what is still to gain."""

_ENOUGH = 0.1
"""Part of the foretold fall that a step must bring."""

_NOISE = 1e-9
"""Foretold fall of the goal, of order one, below which values of the goal are too rough to judge a step."""

_CLOSE = 1e-2
"""Slack below which a limit may carry a multiplier while the descent is under way."""

_MET = 5e-10
"""Violation of a limit, over its scale, up to which it counts as kept: values are known far better than slopes."""

_STILL = 1e-7
"""Step below which differences of slopes say more of rounding than of second derivatives."""

_SKEW = 1e-3
"""Cosine between a step and what it missed below which a correction of rank one would blow up."""

_GUESSES = 10
"""Guesses of what binds in the model before it is minimised the slow way."""

_SETTLED = 1e-10
"""Residual of the model's own conditions, over the size of its slope, at which it is minimised."""

_TINY = 1e-300

_FLAT = 1e-6
"""Least second derivative of a model made convex, over its largest."""

_AT_BOUND = 1e-9
"""Distance below which a lever is put on its bound."""


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
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
class _Guess:
    """A step (L,) and multipliers of the limits (m,) to begin with."""

    step: Floats
    weights: Floats


def seek(
    programme: Programme,
    start: Floats,
    limits: tuple[Limit, ...],
    goal: Goal,
    *,
    accuracy: float = 1e-7,
    gain: float = 0.0,
    max_steps: int = 60,
) -> Floats:
    """Minimise a goal under limits from a start; return the last scaled variables, within bounds.

    Parameters
    ----------
    programme, limits, goal
        What is minimised, and under what.
    start
        Scaled variables (L,).
    accuracy
        Residual of the optimality conditions at which to stop, limits being kept.
    gain
        Fall of the goal still to be expected at which to stop, too.
    max_steps
        Trial steps at which to stop anyway; what is returned is judged by its certificate.
    """
    u = best = np.clip(start, 0.0, 1.0)
    radius, penalty, before, least = _RADIUS, 0.0, np.inf, np.inf
    bends, fresh, striding = programme.last_bend(limits, goal), False, False
    earlier: tuple[Floats, Floats, Floats] | None = None
    for _ in range(max_steps):
        programme.differentiate(u, limits, goal)
        slope, slack = programme.goal_slope(goal, u), programme.slack(u, limits)
        slack_slope = programme.slack_slope(u, limits)
        if bends is not None and earlier is not None and not fresh:
            bends = _corrected(bends, u - earlier[0], slope - earlier[1], slack_slope - earlier[2])
        earlier = (u, slope, slack_slope)
        found = optimality(slope, slack, slack_slope, u, programme.range > 0, near=_CLOSE)
        if found.worst < least:
            best, least = u, found.worst
        if (found.worst <= accuracy and found.feasibility <= _MET) or radius <= _SMALLEST:
            break
        penalty = max(penalty, 2.0 * float(np.max(found.multipliers * found.size, initial=0.0)), found.size)
        if bends is None or (not fresh and not striding and found.worst > _SLOW * before):
            bends, fresh = programme.bend(u, limits, goal), True
        before = found.worst
        model = _Model(u, programme.goal(goal, u), slope, bends[0], slack, slack_slope, bends[1])
        step, foretold, inside = _step(model, radius, penalty, programme.range > 0, found.multipliers * found.size)
        size = float(np.max(np.abs(step), initial=0.0))
        if (fresh or found.worst <= _NEARLY) and inside and foretold <= gain:
            break
        if foretold <= _NOISE:  # values say nothing any more: the conditions alone decide
            if fresh and found.worst > _SLOW * least and found.worst > least:
                break
            u, fresh = _snapped(u + step), False
            continue
        following = _snapped(u + step)
        value, left = programme.goal(goal, following), programme.slack(following, limits)
        fell = _merit(0.0, slack, penalty) - _merit(value - model.goal, left, penalty)
        if fell >= _ENOUGH * foretold:
            striding = fell > _TRUE * foretold and not inside
            if striding:
                radius = min(2.0 * radius, 1.0)
            u, fresh = following, False
            least = np.inf
        elif fresh:
            radius = 0.25 * min(radius, size)
        else:
            bends, before, striding = None, np.inf, False
    return best


def _corrected(bends: tuple[Floats, Floats], moved: Floats, turned: Floats, limits: Floats) -> tuple[Floats, Floats]:
    """Correct second derivatives by what a step showed of them: the symmetric update of rank one.

    Parameters
    ----------
    bends
        Of the goal (L, L) and of m limits (m, L, L), before the step.
    moved, turned, limits
        The step (L,), and what it changed in the slope of the goal (L,) and of the limits (m, L).
    """
    size = float(np.linalg.norm(moved))
    if size <= _STILL:
        return bends
    out: list[Floats] = []
    for bend, seen in zip((bends[0], *bends[1]), (turned, *limits), strict=True):
        missed = seen - bend @ moved
        along = float(missed @ moved)
        sound = abs(along) > _SKEW * size * float(np.linalg.norm(missed))
        out.append(bend + np.outer(missed, missed) / along if sound else bend)
    return out[0], np.stack(out[1:]) if len(out) > 1 else bends[1]


def _merit(goal: float, slack: Floats, penalty: float) -> float:
    return goal + penalty * float(np.sum(np.maximum(-slack, 0.0)))


def _snapped(u: Floats) -> Floats:
    inside = np.clip(u, 0.0, 1.0)
    return np.where(inside <= _AT_BOUND, 0.0, np.where(inside >= 1.0 - _AT_BOUND, 1.0, inside))


def _step(
    model: _Model, radius: float, penalty: float, movable: NDArray[np.bool_], multipliers: Floats
) -> tuple[Floats, float, bool]:
    """Return the step that minimises the model within a trust region, the fall it foretells, and if it is off the edge.

    ``multipliers`` (m,) of the limits at the point say which of them are tried first as binding. A model that bends
    downwards where nothing holds it is made convex first.
    """
    u = model.u
    low = np.where(movable, np.maximum(-u, -radius), 0.0)
    high = np.where(movable, np.minimum(1.0 - u, radius), 0.0)
    step = _by_active_set(model, low, high, penalty, _Guess(np.zeros(len(u)), multipliers))
    if step is None:
        convex = _convex(model, multipliers)
        near = _by_least_distance(convex, multipliers, low, high)
        if near is not None:
            step = _by_active_set(convex, low, high, penalty, near)
            step = near.step if step is None else step
            model = convex
        if step is None or not _gains(model, step, penalty):
            step = _by_descent(model, low, high, penalty)
    edge = np.abs(np.abs(step) - radius) <= 1e-12
    foretold = _merit(0.0, model.slack, penalty) - _merit(model.goal_at(step), model.slack_at(step), penalty)
    return step, foretold, not bool(np.any(edge))


def _by_active_set(model: _Model, low: Floats, high: Floats, penalty: float, guess: _Guess) -> Floats | None:
    """Minimise the model by Newton's method on a guess of what binds, which every step corrects.

    The primal-dual active set strategy (Hintermueller, Ito and Kunisch 2002). None where the guess does not settle, the
    limits ask more than their penalty, or what is found is no minimum.
    """
    fixed = high <= low
    step, weights = guess.step.copy(), guess.weights.copy()
    limits = (weights > 0) | (model.slack_at(step) < -_AT_BOUND)
    pulled = model.slope + model.bend @ step - model.slack_slope_at(step).T @ weights
    at_low, at_high = (step <= low) & (pulled > 0) & ~fixed, (step >= high) & (pulled < 0) & ~fixed
    size = max(float(np.max(np.abs(model.slope))), _NOISE)
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


def _convex(model: _Model, multipliers: Floats) -> _Model:
    """Return the model with the second derivatives of its Lagrangian function turned upwards where they are not."""
    limits = np.tensordot(multipliers, model.slack_bend, axes=1)
    values, vectors = np.linalg.eigh(model.bend - limits)
    size = np.maximum(np.abs(values), _FLAT * float(np.max(np.abs(values), initial=_FLAT)))
    return replace(model, bend=(vectors * size) @ vectors.T + limits)


def _by_least_distance(model: _Model, multipliers: Floats, low: Floats, high: Floats) -> _Guess | None:
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
    return _Guess(np.clip(step, low, high), cast(Floats, -weights[2 * len(pull) :] / left[-1]))


def _gains(model: _Model, step: Floats, penalty: float) -> bool:
    """Say whether a step lowers the model's penalty function."""
    return _merit(model.goal_at(step), model.slack_at(step), penalty) < _merit(0.0, model.slack, penalty)


def _is_minimum(bend: Floats, held: Floats) -> bool:
    """Say whether second derivatives (n, n) are not negative along what limits (m, n) leave free."""
    if held.size:
        basis = np.linalg.qr(held.T, mode="complete")[0][:, len(held) :]
        bend = basis.T @ bend @ basis
    if not bend.size:
        return True
    values = np.linalg.eigvalsh(bend)
    return bool(values[0] >= -_SETTLED * max(1.0, float(values[-1])))


def _by_descent(model: _Model, low: Floats, high: Floats, penalty: float) -> Floats:
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


def _newton(model: _Model, step: Floats, low: Floats, high: Floats, penalty: float) -> Floats:
    """Sharpen a minimum of the model by Newton steps on the limits that bind, where that does not lose anything."""
    best, worth = step, _merit(model.goal_at(step), model.slack_at(step), penalty)
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
        merit = _merit(model.goal_at(trial), model.slack_at(trial), penalty)
        if merit > worth + 1e-13 * max(1.0, abs(worth)):
            break
        best, worth = trial, merit
    return best
