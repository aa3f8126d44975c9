r"""The cheapest point of a closing problem, and the proof that it is one.

In scaled variables u = (value - lower) / (upper - lower), the cost c is minimised under limits h >= 0 with exact
derivatives (`counterpoise.policy.descent`), from several starts. The certificate is independent of the solver: the
multipliers are the non-negative least-squares solution of::

    grad c = sum_i mu_i grad h_i + z_lower - z_upper,   mu, z >= 0, on the limits and bounds that bind

and its residual is what is left, with complementarity and feasibility.

References
----------
Nocedal and Wright (2006), Numerical Optimization, ch. 12 and 18; Lawson and Hanson (1974), Solving Least Squares
Problems, ch. 23; Kraft (1988), DFVLR-FB 88-28, for `descend`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from counterpoise.policy.costs import Objective
from counterpoise.policy.levers import Lever
from counterpoise.policy.problem import Equilibria, Point

__all__ = ["Certificate", "Conditions", "Goal", "Limit", "Programme", "certify", "descend", "optimality"]

# SciPy's stubs do not cover these calls; what comes out is typed where it is used.
_minimize = cast(Any, optimize).minimize
_nnls = cast(Any, optimize).nnls

Floats = NDArray[np.float64]

_BINDING = 1e-7
"""Distance of a scaled variable or limit from its bound below which it binds."""

_NEAR = 1e-6
"""Scaled slack below which a limit may carry a multiplier."""

_FREE = 1e-12
"""Marginal cost of a lever's whole range, over the gap, below which it counts as nothing."""

_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit h >= 0 on one outcome: h = (sign outcome + offset) / scale.

    ``words`` say it; ``per`` is the amount of the outcome that its multiplier is quoted for.
    """

    words: str
    row: int
    sign: float
    offset: float
    scale: float
    per: float = 1.0

    def slack(self, rows: Floats) -> float:
        """Return h at a vector of outcomes."""
        return (self.sign * float(rows[self.row]) + self.offset) / self.scale


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """What a descent minimises: (weights of outcomes + a multiple of the levers' curves) / scale."""

    weights: Floats
    curves: float
    scale: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """Karush-Kuhn-Tucker conditions at a package, each relative to the largest marginal cost of a lever's range.

    Attributes
    ----------
    stationarity
        Largest part of the cost's gradient that no binding limit or bound explains.
    complementarity
        Largest product of a multiplier and the slack of its limit.
    feasibility
        Largest violation of a limit, relative to its scale.
    multipliers
        By words of the limit: cost in USD per unit of the limit's outcome (a dollar of the gap, a percent of welfare).
    """

    stationarity: float
    complementarity: float
    feasibility: float
    multipliers: dict[str, float]

    @property
    def kkt_residual(self) -> float:
        """Largest of the three."""
        return max(self.stationarity, self.complementarity, self.feasibility)


class Programme:
    """Cost and limits over scaled levers.

    Parameters
    ----------
    equilibria
        Of the world with its levers.
    objective
        What is minimised.
    """

    def __init__(self, equilibria: Equilibria, objective: Objective) -> None:
        self.equilibria = equilibria
        self.objective = objective
        levers = equilibria.levers
        self.lower = np.array([lever.lower for lever in levers])
        self.range = np.array([lever.upper - lever.lower for lever in levers])
        self.begin = self.scaled(np.array([lever.start for lever in levers]))
        self.before = self.at(self.begin)
        at_row = equilibria.at_row
        self.gap = float(self.before.rows[at_row.gap])
        both = objective.fiscal + objective.welfare
        self._weights = both * at_row.unit(at_row.support) - objective.fiscal * at_row.unit(at_row.revenue)
        for country in np.flatnonzero(equilibria.payers).tolist():
            income = float(equilibria.income[country])
            self._weights -= objective.welfare * income * at_row.unit(at_row.welfare(country))
        self._curves = both
        self._bends: dict[tuple[bytes, ...], tuple[Floats, Floats]] = {}

    @property
    def levers(self) -> tuple[Lever, ...]:
        """What can be moved."""
        return self.equilibria.levers

    def scaled(self, values: Floats) -> Floats:
        """Return scaled variables of values; 0 for a lever that cannot move."""
        return np.divide(values - self.lower, self.range, out=np.zeros_like(values), where=self.range > 0)

    def values(self, u: Floats) -> Floats:
        """Return values of scaled variables, cut to the bounds."""
        return self.lower + np.clip(u, 0.0, 1.0) * self.range

    def at(self, u: Floats) -> Point:
        """Return the equilibrium at scaled variables."""
        return self.equilibria.point(self.values(u))

    def cost(self, u: Floats) -> float:
        """Return the cost over doing nothing, USD a year."""
        return self.goal(self.cost_goal(1.0), u)

    def cost_slope(self, u: Floats) -> Floats:
        """Return the derivative of the cost to scaled variables (L,)."""
        return self.goal_slope(self.cost_goal(1.0), u)

    def is_free(self, points: tuple[Floats, ...]) -> bool:
        """Say whether nothing costs anything at some scaled variables."""
        most = max(float(np.max(np.abs(self.cost_slope(u)))) for u in points)
        return most <= _FREE * abs(self.gap)

    def idle(self, u: Floats, limits: tuple[Limit, ...]) -> NDArray[np.bool_]:
        """Say which levers move neither the cost nor the gap nor any limit at scaled variables (L,)."""
        self.differentiate(u, limits)
        size = max(float(np.max(np.abs(self.cost_slope(u)))), _FREE * abs(self.gap))
        effects = np.vstack([self.cost_slope(u) / size, self.gap_slope(u) / abs(self.gap), self.slack_slope(u, limits)])
        return np.max(np.abs(effects), axis=0) <= _FREE

    def cost_goal(self, scale: float) -> Goal:
        """Return the cost as a goal of order one."""
        return Goal(self._weights, self._curves, scale)

    def gap_goal(self) -> Goal:
        """Return the gap left as a goal of order one."""
        return Goal(self.equilibria.at_row.unit(self.equilibria.at_row.gap), 0.0, self.gap)

    def goal(self, goal: Goal, u: Floats) -> float:
        """Return a goal over doing nothing."""
        point = self.at(u)
        value = float(goal.weights @ (point.rows - self.before.rows))
        if goal.curves:
            value += goal.curves * self._curve_sum(point.values)
        return value / goal.scale

    def goal_slope(self, goal: Goal, u: Floats) -> Floats:
        """Return the derivative of a goal to scaled variables (L,)."""
        point = self.at(u)
        slope = self.equilibria.slopes(point, goal.weights[None, :])[0]
        if goal.curves:
            slope = slope + goal.curves * self._curve_slope(point.values)
        return slope * self.range / goal.scale

    def bend(self, u: Floats, limits: tuple[Limit, ...], goal: Goal) -> tuple[Floats, Floats]:
        """Return second derivatives to scaled variables of a goal (L, L) and of limits (m, L, L)."""
        at_row = self.equilibria.at_row
        point = self.at(u)
        rows = np.stack([goal.weights, *(at_row.unit(limit.row) for limit in limits)])
        found = self.equilibria.curvature(point, rows, self.range)
        first = found[0]
        if goal.curves:
            curves = [lever.curve.bend(float(v)) for lever, v in zip(self.levers, point.values, strict=True)]
            first = first + np.diag(goal.curves * np.array(curves) * self.range**2)
        signs = np.array([limit.sign / limit.scale for limit in limits])
        self._bends[_bend_key(limits, goal)] = (first, signs[:, None, None] * found[1:])
        return first / goal.scale, signs[:, None, None] * found[1:]

    def last_bend(self, limits: tuple[Limit, ...], goal: Goal) -> tuple[Floats, Floats] | None:
        """Return the second derivatives found last, wherever that was; None where none were."""
        kept = self._bends.get(_bend_key(limits, goal))
        return None if kept is None else (kept[0] / goal.scale, kept[1])

    def _curve_sum(self, values: Floats) -> float:
        return sum(
            lever.curve.at(float(v)) - lever.curve.at(lever.start) for lever, v in zip(self.levers, values, strict=True)
        )

    def _curve_slope(self, values: Floats) -> Floats:
        return np.array([lever.curve.slope(float(v)) for lever, v in zip(self.levers, values, strict=True)])

    def slack(self, u: Floats, limits: tuple[Limit, ...]) -> Floats:
        """Return h of every limit."""
        rows = self.at(u).rows
        return np.array([limit.slack(rows) for limit in limits])

    def slack_slope(self, u: Floats, limits: tuple[Limit, ...]) -> Floats:
        """Return derivatives of every limit to scaled variables (limits, L)."""
        if not limits:
            return np.zeros((0, len(self.levers)))
        at_row = self.equilibria.at_row
        slopes = self.equilibria.slopes(self.at(u), np.stack([at_row.unit(limit.row) for limit in limits]))
        return np.array([limit.sign / limit.scale for limit in limits])[:, None] * slopes * self.range

    def gap_slope(self, u: Floats) -> Floats:
        """Return the derivative of the gap to scaled variables (L,), USD."""
        at_row = self.equilibria.at_row
        return self.equilibria.slopes(self.at(u), at_row.unit(at_row.gap)[None, :])[0] * self.range

    def differentiate(self, u: Floats, limits: tuple[Limit, ...], goal: Goal | None = None) -> None:
        """Solve the adjoints of cost (or a goal), gap and limits at scaled variables in one call."""
        at_row = self.equilibria.at_row
        first = self._weights if goal is None else goal.weights
        rows = [first, at_row.unit(at_row.gap), *(at_row.unit(limit.row) for limit in limits)]
        self.equilibria.slopes(self.at(u), np.stack(rows))


def _bend_key(limits: tuple[Limit, ...], goal: Goal) -> tuple[bytes, ...]:
    return (goal.weights.tobytes(), *(f"{limit.sign} {limit.row}".encode() for limit in limits))


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """How far a point is from the optimality conditions, and the multipliers (one per limit, scaled by ``size``)."""

    stationarity: float
    complementarity: float
    feasibility: float
    multipliers: Floats
    size: float

    @property
    def worst(self) -> float:
        """Largest of the three."""
        return max(self.stationarity, self.complementarity, self.feasibility)


class _Arrived(Exception):
    def __init__(self, u: Floats) -> None:
        super().__init__()
        self.u = u


def descend(
    programme: Programme,
    start: Floats,
    limits: tuple[Limit, ...],
    goal: Callable[[Floats], float],
    slope: Callable[[Floats], Floats],
    *,
    accuracy: float = 1e-9,
    max_steps: int = 100,
) -> Floats:
    """Minimise a goal under limits from a start; return the last scaled variables, within bounds.

    Parameters
    ----------
    goal, slope
        Value and derivative at scaled variables, of order one.
    accuracy
        Residual of the optimality conditions at which to stop.
    max_steps
        Steps at which to stop anyway.
    """

    def slope_at(u: Floats) -> Floats:
        programme.differentiate(u, limits)
        found = slope(u)
        inside = np.clip(u, 0.0, 1.0)
        conditions = optimality(
            found, programme.slack(u, limits), programme.slack_slope(u, limits), inside, programme.range > 0, _TINY
        )
        if conditions.worst <= accuracy:
            raise _Arrived(inside)
        return found

    def slack(u: Floats) -> Floats:
        return programme.slack(u, limits)

    def slack_slope(u: Floats) -> Floats:
        programme.differentiate(u, limits)
        return programme.slack_slope(u, limits)

    try:
        found = _minimize(
            goal,
            start,
            jac=slope_at,
            method="SLSQP",
            bounds=[(0.0, 1.0)] * len(start),
            constraints=({"type": "ineq", "fun": slack, "jac": slack_slope},) if limits else (),
            options={"ftol": 1e-6 * accuracy, "maxiter": max_steps},
        )
    except _Arrived as arrived:
        return arrived.u
    return np.clip(cast(Floats, found.x), 0.0, 1.0)


def certify(programme: Programme, u: Floats, limits: tuple[Limit, ...]) -> Certificate:
    """Return the certificate of scaled variables as a minimum of the cost under limits."""
    slack = programme.slack(u, limits)
    binding = tuple(limit for limit, left in zip(limits, slack, strict=True) if left <= _NEAR)
    programme.differentiate(u, binding)
    conditions = optimality(
        programme.cost_slope(u),
        programme.slack(u, binding),
        programme.slack_slope(u, binding),
        u,
        programme.range > 0,
        _FREE * abs(programme.gap),
    )
    multipliers = {limit.words: 0.0 for limit in limits}
    for limit, value in zip(binding, conditions.multipliers.tolist(), strict=True):
        multipliers[limit.words] = value * conditions.size * limit.per / limit.scale
    return Certificate(conditions.stationarity, conditions.complementarity, conditions.feasibility, multipliers)


def optimality(
    gradient: Floats,
    slack: Floats,
    slopes: Floats,
    u: Floats,
    movable: NDArray[np.bool_],
    least: float = _TINY,
    *,
    near: float = _NEAR,
) -> Conditions:
    """Find the multipliers that explain a gradient best, and what they leave.

    Parameters
    ----------
    gradient
        Of the goal (L,).
    slack, slopes
        Of the limits (m,) and (m, L).
    u, movable
        Scaled variables, and which of them can move (L,).
    least
        Size of a gradient that counts as zero.
    near
        Slack below which a limit may carry a multiplier.
    """
    size = max(float(np.max(np.abs(gradient))), least)
    tight = np.flatnonzero(slack <= near)
    unit = np.eye(len(u))
    low, high = movable & (u <= _BINDING), movable & (u >= 1.0 - _BINDING)
    columns = np.concatenate([slopes[tight], unit[low], -unit[high]]).T[movable]
    target = gradient[movable] / size
    weights = np.zeros(columns.shape[1])
    if columns.size:
        weights, _ = _nnls(columns, target, maxiter=30 * max(columns.shape))
    left = target - columns @ weights
    multipliers = np.zeros(len(slack))
    multipliers[tight] = weights[: len(tight)]
    return Conditions(
        stationarity=float(np.max(np.abs(left), initial=0.0)),
        complementarity=float(np.max(multipliers * np.abs(slack), initial=0.0)),
        feasibility=float(np.max(-slack, initial=0.0)),
        multipliers=multipliers,
        size=size,
    )
