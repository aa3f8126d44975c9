r"""Spend a budget where it works best: an interior-point climb on divisible lines, a branch and bound on lumpy ones.

The problem, at equilibrium values ``v`` and slopes ``G`` by draw::

    maximise   R( v_d + G_d . (a(b) - a(b0)) )   subject to   lower <= b <= upper,  sum b <= budget
    a_c(b) = coefficient_c log(1 + (b spread)_c / scale_c)

R is the mean over the draws, or the mean of the worst share of them with its edge softened so that it has a gradient
everywhere. The response ``a`` is kept exact and only the equilibrium is linear here; who calls repeats until slopes and
budget agree, so that the end is exact in both.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import NotConvergedError

__all__ = ["Bounds", "Branching", "Curve", "LocalModel", "Tail", "branch", "climb", "kkt_residual"]

Numbers = NDArray[np.float64]

_STEPS = 200
"""Interior-point steps before giving up; thirty are usual."""

_COMPLEMENTARITY = 1e-14
"""Of bounds and multipliers at the end, relative to the first gradient times the budget."""

_SNAP = 1e-9
"""Part of the budget below which a line counts as being at its bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The response of productivity: ``spread`` (L, C), ``scale`` (C,) USD, ``coefficient`` (C,), unit 1."""

    spread: Numbers
    scale: Numbers
    coefficient: Numbers

    def gain(self, spend: Numbers) -> Numbers:
        """Return the log of productivity by cell (C,)."""
        return self.coefficient * np.log1p((spend @ self.spread) / self.scale)

    def slope(self, spend: Numbers) -> Numbers:
        """Return its derivative to the USD of knowledge that reach the cell (C,), 1/USD."""
        return self.coefficient / (self.scale + spend @ self.spread)


class _Summary(NamedTuple):
    value: float
    weight: Numbers
    band: Numbers


@dataclass(frozen=True, slots=True)
class Tail:
    """How draws become one number: the mean, or with ``share`` the mean of the worst share, softened over ``width``."""

    share: float | None = None
    width: float = 1.0

    def summary(self, value: Numbers) -> _Summary:
        """Return the number, its derivative to each draw, and the weight of each draw in the softened edge."""
        count = len(value)
        if self.share is None:
            return _Summary(float(value.mean()), np.full(count, 1.0 / count), np.zeros(count))
        target, width = self.share * count, self.width
        breaks = np.sort(np.concatenate([value - width, value + width]))
        inside = np.clip((breaks[:, None] - value[None, :] + width) / (2.0 * width), 0.0, 1.0).sum(axis=1)
        edge = float(np.interp(target, inside, breaks))
        distance = edge - value
        part = np.clip((distance + width) / (2.0 * width), 0.0, 1.0)
        hinge = np.where(distance >= width, distance, width * part**2)
        band = ((part > 0) & (part < 1)).astype(np.float64) / (2.0 * width * target)
        return _Summary(edge - float(hinge.sum()) / target, part / target, band)


@dataclass(frozen=True, slots=True, eq=False)
class LocalModel:
    """The objective near a point: ``value`` (D,), ``slope`` (D, C) to the log of productivity, ``gain`` (C,) there.

    ``factor`` (D, C) multiplies the gains of each draw; ``bend`` (C, C) is an estimate of second derivatives that only
    quickens the way: at the point itself the model is exact to first order.
    """

    curve: Curve
    tail: Tail
    factor: Numbers
    value: Numbers
    slope: Numbers
    gain: Numbers
    bend: Numbers

    def moves(self, spend: Numbers) -> tuple[Numbers, Numbers]:
        """Return how far each draw's log productivity is from the point (D, C), and the slopes there (D, C)."""
        step = self.factor * (self.curve.gain(spend) - self.gain)
        return step, self.slope + step @ self.bend

    def draws(self, spend: Numbers) -> Numbers:
        """Return the value of each draw (D,)."""
        step, slope = self.moves(spend)
        return self.value + 0.5 * ((self.slope + slope) * step).sum(axis=1)

    def objective(self, spend: Numbers) -> float:
        """Return the number to be made large."""
        return self.tail.summary(self.draws(spend)).value

    def derivatives(self, spend: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Return the gradient (L,), the Hessian without positive curvature (L, L), and what ``bend`` adds to it."""
        step, slope = self.moves(spend)
        summary = self.tail.summary(self.value + 0.5 * ((self.slope + slope) * step).sum(axis=1))
        each = slope * self.factor
        to_cell = summary.weight @ each
        reached = self.curve.slope(spend)
        spread = self.curve.spread
        hessian = (spread * np.minimum(-to_cell * reached**2 / self.curve.coefficient, 0.0)) @ spread.T
        touched = summary.band > 0
        if np.any(touched):
            rows = (each[touched] * reached) @ spread.T
            band = summary.band[touched]
            centred = rows - (band @ rows) / band.sum()
            hessian = hessian - (centred.T * band) @ centred
        inner = self.bend * ((self.factor.T * summary.weight) @ self.factor)
        to_line = spread * reached
        return spread @ (to_cell * reached), hessian, to_line @ inner @ to_line.T


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What lines may get: ``lower`` and ``upper`` (L,) and ``budget``, USD."""

    lower: Numbers
    upper: Numbers
    budget: float

    @property
    def room(self) -> float:
        """What is left when every line gets its lower bound."""
        return self.budget - float(self.lower.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Interior:
    """A point strictly inside the bounds, in parts of the budget, with a multiplier for every bound.

    ``above`` and ``below`` (F,) are the distances to the two bounds, ``slack`` what is left to spend; ``low``, ``high``
    and ``price`` their multipliers. Where ``capped`` is False the upper bound can never bind.
    """

    above: Numbers
    below: Numbers
    slack: float
    low: Numbers
    high: Numbers
    price: float
    capped: NDArray[np.bool_]

    @property
    def pairs(self) -> Numbers:
        """Return every distance times its multiplier; all are zero at a maximum."""
        return np.concatenate([self.above * self.low, self.below * self.high, [self.price * self.slack]])

    @property
    def nearness(self) -> Numbers:
        """Return one over the distance to the upper bound, 0 where there is none."""
        return np.where(self.capped, 1.0 / self.below, 0.0)

    def walls(self) -> float:
        """Return the logarithmic barriers."""
        return float(np.log(self.above).sum() + np.log(self.below[self.capped]).sum() + np.log(self.slack))

    def reach(self, step: Numbers) -> float:
        """Return how far a step may go before a bound is hit, at most 1."""
        spent = np.array([-float(step.sum())])
        down = _reach(self.below[self.capped], -step[self.capped])
        return min(_reach(self.above, step), down, _reach(np.array([self.slack]), spent))

    def moved(self, step: Numbers) -> _Interior:
        """Return the point after a step; multipliers stay."""
        below = np.where(self.capped, self.below - step, 1.0)
        return replace(self, above=self.above + step, below=below, slack=self.slack - float(step.sum()))

    def priced(self, step: Numbers, aim: float) -> _Interior:
        """Return the point with the multipliers that go with a full step towards complementarity ``aim``."""
        low = (aim - self.low * step) / self.above - self.low
        high = (aim + self.high * step) * self.nearness - self.high
        price = (aim + self.price * float(step.sum())) / self.slack - self.price
        part = min(_reach(self.low, low), _reach(self.high, high), _reach(np.array([self.price]), np.array([price])))
        return replace(self, low=self.low + part * low, high=self.high + part * high, price=self.price + part * price)


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """The local model over the free lines, in parts of the budget and of the first gradient."""

    model: LocalModel
    lower: Numbers
    free: NDArray[np.intp]
    scale: float
    unit: float

    def spend(self, above: Numbers) -> Numbers:
        """Return the spending of all lines (L,), USD."""
        out = self.lower.copy()
        out[self.free] += self.scale * above
        return out

    def merit(self, point: _Interior, aim: float) -> float:
        """Return the objective with its barriers."""
        return self.model.objective(self.spend(point.above)) / self.unit + aim * point.walls()

    def derivatives(self, point: _Interior) -> tuple[Numbers, Numbers, Numbers]:
        """Return gradient (F,), Hessian (F, F), and what second derivatives of the equilibrium add to it (F, F)."""
        gradient, hessian, bend = self.model.derivatives(self.spend(point.above))
        block = np.ix_(self.free, self.free)
        factor = self.scale / self.unit
        return gradient[self.free] * factor, hessian[block] * self.scale * factor, bend[block] * self.scale * factor


_RIDGE = 1e-14
"""What is added to the diagonal of a singular Newton step, over its largest entry."""


def climb(model: LocalModel, bounds: Bounds) -> Numbers:
    """Maximise the local model within bounds; return the spending (L,), USD.

    Raises
    ------
    NotConvergedError
        If the interior-point steps run out.
    """
    free = np.flatnonzero(bounds.upper > bounds.lower)
    if bounds.room <= _SNAP * bounds.budget or not len(free):
        return bounds.lower.copy()
    total = bounds.room / bounds.budget
    room = np.minimum(bounds.upper - bounds.lower, bounds.room)[free] / bounds.budget
    capped = (bounds.upper - bounds.lower)[free] < bounds.room
    above = np.minimum(0.5 * room, 0.5 * total / len(free))
    start = _Scaled(model, bounds.lower, free, bounds.budget, 1.0)
    first = model.derivatives(start.spend(above))[0][free]
    unit = float(np.max(np.abs(first))) * bounds.budget
    if unit == 0:
        return bounds.lower.copy()
    scaled = replace(start, unit=unit)
    point = _Interior(
        above=above,
        below=np.where(capped, room - above, 1.0),
        slack=total - float(above.sum()),
        low=np.ones(len(free)),
        high=np.where(capped, 1.0, 0.0),
        price=1.0,
        capped=capped,
    )
    for _ in range(_STEPS):
        gradient, hessian, bend = scaled.derivatives(point)
        pairs = point.pairs
        stationary = float(np.max(np.abs(-gradient + point.price - point.low + point.high)))
        if float(pairs.max()) <= _COMPLEMENTARITY and stationary <= 1e-11:
            return _snapped(scaled, point, room, total)
        aim = max(0.1 * float(pairs.sum()) / (len(free) + int(capped.sum()) + 1), 0.1 * _COMPLEMENTARITY)
        step = _newton(point, gradient, hessian, bend, aim)
        part, stay = point.reach(step), scaled.merit(point, aim)
        while part > 1e-6 and scaled.merit(point.moved(part * step), aim) < stay - 1e-12 * (1.0 + abs(stay)):
            part *= 0.5
        point = point.priced(step, aim).moved(part * step)
    raise NotConvergedError(
        f"the allocation did not settle in {_STEPS} steps; take fewer lines, or a response that is less extreme"
    )


def _newton(point: _Interior, gradient: Numbers, hessian: Numbers, bend: Numbers, aim: float) -> Numbers:
    """Return the Newton step of the conditions with complementarity ``aim``; ``bend`` only where it keeps it uphill."""
    matrix = -hessian + np.diag(point.low / point.above + point.high * point.nearness) + point.price / point.slack
    right = gradient - aim / point.slack + aim / point.above - aim * point.nearness
    try:
        np.linalg.cholesky(matrix - bend)
    except np.linalg.LinAlgError:
        bend = np.zeros_like(bend)
    try:
        return np.asarray(np.linalg.solve(matrix - bend, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        # Lines that reach the same cells alike, such as projects in one sector: a ridge shares out the step among them.
        ridge = _RIDGE * float(np.max(np.diag(matrix)))
        return np.asarray(np.linalg.solve(matrix - bend + ridge * np.eye(len(matrix)), right), dtype=np.float64)


def _snapped(scaled: _Scaled, point: _Interior, room: Numbers, total: float) -> Numbers:
    """Return the spending with lines put on the bounds they are next to, and the budget used up if it binds."""
    full = point.capped & (point.below < _SNAP)
    above = np.where(point.above < _SNAP, 0.0, np.where(full, room, point.above))
    inner = (above > 0) & ~full
    if point.slack < _SNAP and np.any(inner):
        above = np.where(inner, above * (1.0 + (total - above.sum()) / above[inner].sum()), above)
    return scaled.spend(above)


def _reach(position: Numbers, step: Numbers) -> float:
    """Return how far a step may go before a positive quantity vanishes, at most 1."""
    falling = step < 0
    return min(1.0, 0.995 * float(np.min(-position[falling] / step[falling]))) if np.any(falling) else 1.0


def kkt_residual(marginal: Numbers, spend: Numbers, bounds: Bounds) -> tuple[float, float]:
    """Return the multiplier of the budget and the largest relative violation of the conditions of a maximum.

    Between its bounds a line's marginal return equals the multiplier; at the lower one it is not larger, at the upper
    one not smaller. Lines whose bounds coincide have no condition.

    Parameters
    ----------
    marginal
        (L,), objective per USD.
    spend
        (L,), USD.
    """
    near = _SNAP * max(bounds.budget, 1.0)
    movable = bounds.upper > bounds.lower
    at_low, at_high = movable & (spend <= bounds.lower + near), movable & (spend >= bounds.upper - near)
    free = movable & ~at_low & ~at_high
    spent = float(spend.sum()) >= bounds.budget - near
    if not spent:
        multiplier = 0.0
    elif np.any(free):
        multiplier = max(float(marginal[free] @ spend[free] / spend[free].sum()), 0.0)
    else:
        multiplier = max(float(np.max(marginal[at_low], initial=0.0)), 0.0)
    unit = multiplier or float(np.max(np.abs(marginal), initial=0.0)) or 1.0
    off = np.where(free, np.abs(marginal - multiplier), 0.0)
    off = np.where(at_low, np.maximum(marginal - multiplier, 0.0), off)
    off = np.where(at_high & ~at_low, np.maximum(multiplier - marginal, 0.0), off)
    return multiplier, float(np.max(off, initial=0.0)) / unit


@dataclass(frozen=True, slots=True, eq=False)
class Branching:
    """What a branch and bound found: on/off sets best first (each (L,) bool), nodes solved, and what is not excluded.

    ``bound_gap`` is the relative distance between the best set and the best bound left open; 0 when all were closed.
    """

    sets: tuple[NDArray[np.bool_], ...]
    nodes: int
    bound_gap: float


def branch(
    model: LocalModel, bounds: Bounds, minimum: Numbers, *, keep: int = 4, most_nodes: int = 2000, rtol: float = 1e-9
) -> Branching:
    """Choose which lumpy lines are on: a line gets nothing, or between its minimum and its upper bound.

    A node relaxes the undecided lines to anything from 0; the line furthest inside its forbidden range is decided
    next. Bounds are those of a concave problem: exact where more knowledge harms the objective nowhere.

    Parameters
    ----------
    minimum
        (L,), USD; 0 where the line is divisible.
    keep
        How many of the best sets to return.
    most_nodes
        Nodes after which the search stops and says how much is left open.
    """
    lumpy = minimum > 0
    count = len(minimum)
    decided = np.full(count, -1, dtype=np.int8)
    best: list[tuple[float, int, NDArray[np.bool_]]] = []
    seen: set[bytes] = set()
    ticket = itertools.count()
    nodes = 0

    def solved(state: NDArray[np.int8]) -> tuple[float, Numbers] | None:
        nonlocal nodes
        low = np.where(state == 1, minimum, 0.0)
        if low.sum() > bounds.budget * (1 + 1e-12):
            return None
        high = np.where(lumpy & (state == 0), 0.0, bounds.upper)
        # An undecided line that no longer fits is off.
        too_large = lumpy & (state == -1) & (minimum > bounds.budget - low.sum() + _SNAP * bounds.budget)
        high = np.where(too_large, 0.0, high)
        nodes += 1
        spend = climb(model, replace(bounds, lower=low, upper=np.maximum(high, low)))
        return model.objective(spend), spend

    def offer(value: float, spend: Numbers) -> None:
        chosen = lumpy & (spend > _SNAP * bounds.budget)
        if chosen.tobytes() in seen:
            return
        seen.add(chosen.tobytes())
        heapq.heappush(best, (value, next(ticket), chosen))
        if len(best) > keep:
            heapq.heappop(best)

    def floor() -> float:
        return best[0][0] if len(best) >= keep else -np.inf

    def forbidden(spend: Numbers, state: NDArray[np.int8]) -> Numbers:
        inside = lumpy & (state == -1) & (spend > _SNAP * bounds.budget) & (spend < minimum * (1 - 1e-9))
        return np.where(inside, np.minimum(spend, minimum - spend), 0.0)

    root = solved(decided)
    open_nodes: list[tuple[float, int, NDArray[np.int8], Numbers]] = []
    if root is not None:
        heapq.heappush(open_nodes, (-root[0], next(ticket), decided, root[1]))
        # Two guesses by rounding, so that bounds bite early.
        for share in (0.0, 0.5):
            state = np.where(lumpy, (root[1] > share * minimum) & (root[1] > _SNAP * bounds.budget), -1).astype(np.int8)
            guess = solved(state)
            if guess is not None:
                offer(*guess)
    while open_nodes and nodes < most_nodes:
        negative, _, state, spend = heapq.heappop(open_nodes)
        if -negative <= floor() + rtol * abs(negative):
            open_nodes = []
            break
        wrong = forbidden(spend, state)
        if not np.any(wrong > 0):
            offer(-negative, spend)
            continue
        line = int(np.argmax(wrong))
        for choice in (1, 0):
            child = state.copy()
            child[line] = choice
            answer = solved(child)
            if answer is not None and answer[0] > floor():
                heapq.heappush(open_nodes, (-answer[0], next(ticket), child, answer[1]))
    ranked = sorted(best, key=lambda entry: -entry[0])
    if not ranked:
        return Branching((np.zeros(count, dtype=bool),), nodes, 0.0)
    left = max((-entry[0] for entry in open_nodes), default=-np.inf)
    top = ranked[0][0]
    gap = max(0.0, left - top) / max(abs(top), 1e-300) if np.isfinite(left) else 0.0
    return Branching(tuple(entry[2] for entry in ranked), nodes, gap)


def set_bounds(bounds: Bounds, minimum: Numbers, chosen: Sequence[bool] | NDArray[np.bool_]) -> Bounds:
    """Return the bounds once it is decided which lumpy lines are on."""
    on = np.asarray(chosen, dtype=bool)
    lumpy = minimum > 0
    low = np.where(lumpy & on, minimum, 0.0)
    return replace(bounds, lower=low, upper=np.where(lumpy & ~on, 0.0, np.maximum(bounds.upper, low)))
