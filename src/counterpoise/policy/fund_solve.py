"""Bring slopes of the equilibrium and spending of a fund together: certain or drawn returns, lumpy lines or not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Solution
from counterpoise.core.errors import NotConvergedError
from counterpoise.policy.fund_equilibrium import FundEquilibria, Gains
from counterpoise.policy.fund_options import FundRisk
from counterpoise.policy.fund_search import (
    Bounds,
    Branching,
    Curve,
    LocalModel,
    Tail,
    branch,
    climb,
    kkt_residual,
    set_bounds,
)

__all__ = ["KKT_RTOL", "FoundAllocation", "FundTask", "best_allocation", "with_risk"]

Numbers = NDArray[np.float64]

KKT_RTOL = 1e-7
"""Relative violation of the conditions of a maximum at which an allocation is done."""

_ROUNDS = 25
"""Times slopes and spending are brought together before giving up; three are usual."""

_EDGE = 0.05
"""Width of the softened edge of the low tail, over the spread of the draws under an equal split."""


@dataclass(frozen=True, slots=True, eq=False)
class FundTask:
    """The problem as arrays, and the exact local models of it."""

    equilibria: FundEquilibria
    curve: Curve
    bounds: Bounds
    minimum: Numbers
    share: float
    tail: Tail
    factors: Numbers

    @property
    def certain(self) -> bool:
        """Say whether every return is certain."""
        return len(self.factors) == 1

    def objective(self, gains: Gains) -> Numbers:
        """Return the objective of each draw, USD a year."""
        welfare = gains.partners @ np.array(self.equilibria.weights)
        return np.atleast_1d(self.share * welfare + (1.0 - self.share) * gains.gap_closed)

    def draws(self, spend: Numbers) -> Gains:
        """Return the exact gains of every draw."""
        gain = self.curve.gain(spend)
        if self.certain:
            one = self.equilibria.gains(self.equilibria.solve(gain))
            return Gains(one.partners[None, :], np.atleast_1d(one.gap_closed))
        return self.equilibria.many_gains(self.factors * gain)

    def central(self, spend: Numbers) -> tuple[Solution, Numbers]:
        """Return the equilibrium when every return is at its mean, and the objective's slope to productivity (C,)."""
        middle = self.equilibria.solve(self.curve.gain(spend))
        return middle, self._mixed(*self.equilibria.slopes(middle, welfare=self.share > 0, gap=self.share < 1))

    def local(self, spend: Numbers, bend: Numbers, *, exact: bool) -> tuple[LocalModel, Numbers]:
        """Return the local model at a spending, and the slopes when every return is at its mean (C,).

        The model's slopes are the latter; with ``exact``, every draw that counts in the objective has those of its own
        equilibrium.
        """
        gain = self.curve.gain(spend)
        middle, central = self.central(spend)
        if self.certain:
            value = self.objective(self.equilibria.gains(middle))
        else:
            value = self.objective(self.equilibria.many_gains(self.factors * gain))
        slope = np.repeat(central[None, :], len(value), axis=0)
        if exact and not self.certain:
            counted = np.flatnonzero(self.tail.summary(value).weight > 0)
            draws = [self.factors[d] * gain for d in counted.tolist()]
            rows = self.equilibria.many_slopes(draws, welfare=self.share > 0, gap=self.share < 1)
            slope[counted] = [self._mixed(*row) for row in rows]
        return LocalModel(self.curve, self.tail, self.factors, value, slope, gain, bend), central

    def followed(self, model: LocalModel, central: Numbers, bounds: Bounds) -> tuple[Numbers, Numbers]:
        """Return the spending that a local model leads to, and what was learnt about second derivatives.

        Each step takes one adjoint at mean returns and not one for every draw: slopes of draws move with it. The caller
        checks the end exactly.
        """
        there = climb(model, bounds)
        for _ in range(_ROUNDS):
            _, moved = self.central(there)
            gain = self.curve.gain(there)
            bend = _learnt(model.bend, gain - model.gain, moved - central)
            step = self.factors * (gain - model.gain)
            # What the new second derivatives say of each draw, and at mean returns the very slopes found.
            slope = model.slope + step @ bend + (moved - central - (gain - model.gain) @ bend)
            model = replace(model, value=model.draws(there), slope=slope, gain=gain, bend=bend)
            central = moved
            if kkt_residual(model.derivatives(there)[0], there, bounds)[1] <= 0.1 * KKT_RTOL:
                break
            there = climb(model, bounds)
        return there, model.bend

    def _mixed(self, welfare: Numbers, gap_closed: Numbers) -> Numbers:
        return self.share * welfare + (1.0 - self.share) * gap_closed


@dataclass(frozen=True, slots=True, eq=False)
class FoundAllocation:
    """An allocation for one on/off set, solved to the conditions of a maximum."""

    spend: Numbers
    marginal: Numbers
    multiplier: float
    residual: float
    objective: float
    search: Branching
    compared: int = 1


def with_risk(task: FundTask, risk: FundRisk) -> FundTask:
    """Return the task with draws; the softened edge of the tail is a small part of the spread under an equal split."""
    factors = risk.factors(task.factors.shape[1])
    tail = Tail()
    if risk.measure == "low":
        split = np.full(len(task.minimum), max(task.bounds.budget, 1.0) / len(task.minimum))
        spread = float(np.std(task.objective(task.equilibria.many_gains(factors * task.curve.gain(split)))))
        tail = Tail(risk.tail, max(_EDGE * spread, 1e-6))
    return FundTask(task.equilibria, task.curve, task.bounds, task.minimum, task.share, tail, factors)


def _learnt(bend: Numbers, step: Numbers, change: Numbers) -> Numbers:
    """Update an estimate of second derivatives so that it explains the change of slopes over a step.

    The first estimate is diagonal; later ones are symmetric updates of rank one.
    """
    large = np.abs(step) > 1e-6 * np.max(np.abs(step), initial=0.0)
    if not np.any(large):
        return bend
    if not np.any(bend):
        return np.diag(np.where(large, change / np.where(large, step, 1.0), 0.0))
    left = change - step @ bend
    along = float(left @ step)
    if abs(along) <= 1e-8 * float(np.linalg.norm(left) * np.linalg.norm(step)):
        return bend
    return bend + np.outer(left, left) / along


def _settled(
    task: FundTask, chosen: NDArray[np.bool_], start: Numbers, search: Branching, *, exact: bool
) -> FoundAllocation:
    """Bring slopes and spending together for one on/off set."""
    bounds = set_bounds(task.bounds, task.minimum, chosen)
    spend = np.clip(start, bounds.lower, bounds.upper)
    if spend.sum() > bounds.budget:
        spend = bounds.lower.copy()
    bend = np.zeros((task.factors.shape[1], task.factors.shape[1]))
    best: tuple[float, float, Numbers] | None = None
    residual = np.inf
    for _ in range(_ROUNDS):
        model, central = task.local(spend, bend, exact=exact)
        marginal = model.derivatives(spend)[0]
        multiplier, residual = kkt_residual(marginal, spend, bounds)
        objective = task.tail.summary(model.value).value
        if residual <= KKT_RTOL or bounds.budget <= 0:
            return FoundAllocation(spend, marginal, multiplier, residual, objective, search)
        if best is not None and objective < best[0] - 1e-6 * abs(best[0]) and residual > best[1]:
            # The equilibrium bends more than the response: go half as far.
            spend = 0.5 * (spend + best[2])
            continue
        best = (objective, residual, spend)
        spend, bend = task.followed(model, central, bounds)
    raise NotConvergedError(
        f"slopes and spending did not come together in {_ROUNDS} rounds: the conditions of a maximum hold to"
        f" {residual:.3g} only, expected {KKT_RTOL:g}; take a smaller budget or a lower return_rate"
    )


def best_allocation(task: FundTask, certain: FundTask | None) -> FoundAllocation:
    """Return the best allocation: on/off sets from the branch and bound, each solved exactly, the best one kept.

    The sets come from local models that are renewed until the best set stays the same. With draws they are compared at
    the slopes of mean returns first (for the mean of the draws: at mean returns altogether), and only the winner is
    solved with the slopes of every draw.
    """
    zero = np.zeros(len(task.minimum))
    none = Branching((zero > 0,), 0, 0.0)
    if task.bounds.budget <= 0:
        return _settled(task, zero > 0, zero, none, exact=True)
    guide = task if certain is None or task.tail.share is not None else certain
    if not np.any(task.minimum > 0):
        near = _settled(certain or task, zero > 0, zero, none, exact=True)
        return near if certain is None else _settled(task, zero > 0, near.spend, none, exact=True)
    flat = np.zeros((task.factors.shape[1], task.factors.shape[1]))
    spend, search, nodes = zero, none, 0
    last: NDArray[np.bool_] | None = None
    for _ in range(6):
        model, _ = guide.local(spend, flat, exact=False)
        search = branch(model, task.bounds, task.minimum)
        nodes += search.nodes
        if last is not None and np.array_equal(search.sets[0], last):
            break
        last = search.sets[0]
        spend = climb(model, set_bounds(task.bounds, task.minimum, last))
    search = Branching(search.sets, nodes, search.bound_gap)
    quick = [_settled(guide, chosen, spend, search, exact=False) for chosen in search.sets]
    winner = max(range(len(quick)), key=lambda k: quick[k].objective)
    found = quick[winner]
    if not task.certain:
        found = _settled(task, search.sets[winner], found.spend, search, exact=True)
    return replace(found, search=search, compared=len(quick))
