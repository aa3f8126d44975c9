r"""Descent with second derivatives: a quadratic model of goal and limits, minimised within a trust region.

At a point u the goal f and the limits h >= 0 are replaced by their second-order models, and the step d solves::

    min  f' d + d' F d / 2 + mu e   so that   h + h' d + d' H d / 2 + e >= 0,  e >= 0,  0 <= u + d <= 1,  |d| <= radius

with an elastic e, so that every such problem has a solution (`counterpoise.policy.quadratic`). A step is taken when the
exact penalty function falls as the model foretold (Fletcher 1987). Second derivatives are taken anew only where the
descent slows; between, every step corrects them by what it showed.

References
----------
Fletcher (1987), Practical Methods of Optimization, ch. 12.4 and 14.4; Conn, Gould and Toint (2000), Trust-Region
Methods, ch. 15; Conn, Gould and Toint (1991), Mathematical Programming 50, for corrections of rank one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from counterpoise.policy.programme import Goal, Limit, Programme, optimality
from counterpoise.policy.quadratic import Model, best_step, penalised

__all__ = ["seek"]

Floats = NDArray[np.float64]

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

_AT_BOUND = 1e-9
"""Distance below which a lever is put on its bound."""


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
        model = Model(u, programme.goal(goal, u), slope, bends[0], slack, slack_slope, bends[1])
        step, foretold, inside = best_step(model, radius, penalty, programme.range > 0, found.multipliers * found.size)
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
        fell = penalised(0.0, slack, penalty) - penalised(value - model.goal, left, penalty)
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


def _snapped(u: Floats) -> Floats:
    inside = np.clip(u, 0.0, 1.0)
    return np.where(inside <= _AT_BOUND, 0.0, np.where(inside >= 1.0 - _AT_BOUND, 1.0, inside))
