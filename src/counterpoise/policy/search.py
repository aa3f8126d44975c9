"""Search for packages: the largest closure under standing limits, and the cheapest way to a given one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import World
from counterpoise.core.errors import InputError, NotConvergedError, did_you_mean, raise_all
from counterpoise.policy.descent import seek
from counterpoise.policy.folding import fold
from counterpoise.policy.programme import Certificate, Goal, Limit, Programme, certify, descend

__all__ = ["ContradictionError", "InfeasibleError", "Reached", "Search", "standing_limits"]

Floats = NDArray[np.float64]

_TIGHT = 1e-7
"""Residual of the optimality conditions at which a descent stops: a little above what adjoints solved to 1e-10 resolve.

The cost is flat there: it is off by the square of this.
"""

_GAIN = 2e-5
"""Fall of the cost still to be expected, over its scale, at which a descent from a further start stops."""

_TRIES = 3
"""Descents at most from one start, each from a point that closes enough."""

_SAME = 1e-4
"""Difference of costs, over the scale of the cost, below which two ends are the same package."""

_EXACT = 1e-10
"""Violation of a standing limit, relative to its scale, from which on it is taken into the descent."""

_AGREE = 1e-6
"""Largest violation of a limit, relative to its scale, of a point that counts as feasible."""


class ContradictionError(InputError):
    """The standing limits cannot all be kept, whatever the target; ``problems`` says by how much each is missed."""


class InfeasibleError(NotConvergedError):
    """No package closes as much as is asked.

    Attributes
    ----------
    max_closure_usd, max_closure_pct
        The largest closure that the levers and limits allow.
    stops
        What stops it, one line each.
    seconds
        Time until it was known.
    """

    def __init__(
        self,
        message: str,
        problems: Sequence[str] = (),
        *,
        max_closure_usd: float = float("nan"),
        max_closure_pct: float = float("nan"),
        stops: Sequence[str] = (),
        began: float = math.nan,
    ) -> None:
        super().__init__(message, problems)
        self.seconds = time.perf_counter() - began
        self.max_closure_usd = max_closure_usd
        self.max_closure_pct = max_closure_pct
        self.stops = tuple(stops)


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """A cheapest point: scaled variables of the search and of the levers as given, closure, cost and certificate.

    ``starts_agreeing`` of ``starts`` ended at the same cost.
    """

    u: Floats
    given: Floats
    closed_usd: float
    cost_usd: float
    certificate: Certificate
    starts_agreeing: int
    starts: int
    free: bool


def standing_limits(
    programme: Programme,
    *,
    welfare_floors: Mapping[str, float] | None = None,
    third_party_limits: Mapping[str, float] | None = None,
    turnover_floor_usd: float | None = None,
) -> tuple[Limit, ...]:
    """Return the limits that hold whatever the target.

    Parameters
    ----------
    welfare_floors
        Country to the least change of its real income against no package, percent; ``"all"`` names everyone.
    third_party_limits
        Country to the most that its sales to the pair may fall, USD a year; ``"all"`` names everyone outside the pair.
    turnover_floor_usd
        Least trade of the pair in both directions, USD a year.

    Raises
    ------
    InputError
        If a country is unknown or a number is none; all problems at once.
    """
    equilibria = programme.equilibria
    world, at_row, rows = equilibria.world, equilibria.at_row, programme.before.rows
    floors = _by_country(world, welfare_floors or {}, world.countries)
    outside = [c for c in world.countries if c not in equilibria.pair]
    losses = _by_country(world, third_party_limits or {}, outside)
    problems = [
        *_label_problems(world, welfare_floors or {}, "welfare floor"),
        *_label_problems(world, third_party_limits or {}, "third-party limit"),
        *(
            f"welfare floor {c} = {v}; expected a finite percentage above -100"
            for c, v in floors.items()
            if not v > -100
        ),
        *(f"third-party limit {c} = {v}; expected USD of 0 or more" for c, v in losses.items() if not v >= 0),
        *(f"third-party limit {c}: it is one of the pair" for c in losses if c in equilibria.pair),
    ]
    raise_all(InputError, "the limits cannot be used", problems)
    out: list[Limit] = []
    for country, floor in floors.items():
        row = at_row.welfare(world.countries.index(country))
        before = float(rows[row])
        point = before / 100.0
        words = f"real income of {country} changes by at least {floor:+g} %"
        out.append(Limit(words, row, 1.0, -before * (1.0 + floor / 100.0), point, per=point))
    for country, loss in losses.items():
        row = at_row.sold(world.countries.index(country))
        words = f"sales of {country} to {' and '.join(equilibria.pair)} fall by at most {loss / 1e9:g} bn USD"
        out.append(Limit(words, row, 1.0, loss - float(rows[row]), programme.gap))
    if turnover_floor_usd is not None:
        words = f"trade in both directions is at least {turnover_floor_usd / 1e9:g} bn USD"
        out.append(Limit(words, at_row.turnover, 1.0, -turnover_floor_usd, programme.gap))
    return tuple(out)


class Search:
    """Packages of one programme under standing limits.

    The search itself runs over folded levers (`counterpoise.policy.folding`); certificates are of the levers as given.

    Parameters
    ----------
    programme
        Cost over scaled levers as given.
    standing
        Limits that hold whatever the target.
    seed
        Of the random starts.
    """

    def __init__(self, programme: Programme, standing: tuple[Limit, ...], *, seed: int = 0) -> None:
        self._began = time.perf_counter()
        self.given = programme
        equilibria = programme.equilibria
        self.folding = fold(equilibria.world, programme.levers, equilibria.mixture.background)
        self.programme = (
            Programme(equilibria.with_levers(self.folding.folded), programme.objective)
            if self.folding.twins
            else programme
        )
        self.standing = standing
        self._random = np.random.default_rng(seed)
        self._most: Floats | None = None
        self._working: tuple[Limit, ...] = ()
        self._near = False

    def closed(self, u: Floats) -> float:
        """Return what a point closes, USD."""
        return self.programme.gap - float(self.programme.at(u).rows[self.programme.equilibria.at_row.gap])

    def most(self) -> Floats:
        """Return the scaled variables of the largest closure.

        Raises
        ------
        ContradictionError
            If the standing limits contradict each other.
        """
        if self._most is None:
            self._most = self._furthest()
        return self._most

    def as_given(self, u: Floats) -> Floats:
        """Return scaled variables of the levers as given from those of the search; duties go before subsidies."""
        return self.given.scaled(self.folding.unfold(self.programme.values(u)))

    def target_limit(self, closed_usd: float) -> Limit:
        """Return the limit that a package closes so much."""
        gap, row = self.programme.gap, self.programme.equilibria.at_row.gap
        return Limit("the target", row, -1.0, gap - closed_usd, gap)

    def cheapest(self, closed_usd: float, *, near: Sequence[Floats] = (), starts: int = 3) -> Reached:
        """Return the cheapest point that closes so much.

        Parameters
        ----------
        closed_usd
            USD of the gap.
        near
            Scaled variables to start from, such as a neighbouring package; they come first.
        starts
            Starts in all.

        Raises
        ------
        InfeasibleError
            If no point closes so much; the error holds the largest closure and what stops it.
        NotConvergedError
            If no descent ends at a feasible point.
        """
        programme, most = self.programme, self.most()
        if closed_usd > self.closed(most) * (1.0 + 1e-9):
            raise self.unreachable(closed_usd)
        limits = (self.target_limit(closed_usd), *self.standing)
        first = self._lifted(programme.begin, closed_usd)
        if programme.is_free((programme.begin, first, most)):
            u = self._least_effort(first, limits[:1])
            return self._reached(u, limits, 1, 1, free=True)
        if not self._near:
            programme.equilibria.linearise(programme.at(first))
            self._near = True
        scale = self._cost_scale(first)
        ends: list[tuple[float, Floats]] = []
        for number, start in enumerate(self._starts(first, most, near, starts)):
            u = self._lifted(start, closed_usd)
            for _ in range(_TRIES):
                u = self._cost_descent(u, limits[:1], scale, 0.0 if number == 0 else _GAIN)
                if float(np.min(programme.slack(u, limits))) >= -_AGREE:
                    ends.append((programme.cost(u), u))
                    break
                u = self._lifted(u, closed_usd)
        if not ends:
            raise NotConvergedError(
                f"none of {starts} starts led to a package that closes {closed_usd / 1e9:.4g} bn USD within the "
                "limits; give more starts, or looser limits"
            )
        least, best = min(ends, key=lambda end: end[0])
        if best is not ends[0][1]:
            better = least < ends[0][0] - _SAME * scale
            best = self._cost_descent(best, limits[:1], scale) if better else ends[0][1]
        agreeing = sum(abs(cost - least) <= _SAME * scale for cost, _ in ends)
        return self._reached(best, limits, agreeing, starts, free=False)

    def unreachable(self, closed_usd: float) -> InfeasibleError:
        """Return the error that says how far the levers reach, and what stops them."""
        most = self.closed(self.most())
        share = 100.0 * most / self.programme.gap
        stops = self.stops(self.most())
        lines = "".join(f"\n  - {stop}" for stop in stops)
        return InfeasibleError(
            f"no package closes {closed_usd / 1e9:.4g} bn USD ({100 * closed_usd / self.programme.gap:.4g} % of the "
            f"gap of {self.programme.gap / 1e9:.4g} bn USD): the largest closure that the levers and limits allow is "
            f"{most / 1e9:.4g} bn USD ({share:.4g} %). Ask for less, add levers, or widen what stops it:{lines}",
            stops,
            max_closure_usd=most,
            max_closure_pct=share,
            stops=stops,
            began=self._began,
        )

    def stops(self, u: Floats) -> tuple[str, ...]:
        """Say what stops the closure at a point: limits that bind, and levers at their bounds, the strongest first."""
        programme, u = self.given, self.as_given(u)
        slack, slope = programme.slack(u, self.standing), -programme.gap_slope(u)
        said = [limit.words for limit, left in zip(self.standing, slack, strict=True) if left <= 1e-6]
        order: list[int] = np.argsort(-np.abs(slope)).tolist()
        for k in order:
            lever, at = programme.levers[k], float(u[k])
            pushes = (slope[k] > 0 and at >= 1.0 - 1e-7) or (slope[k] < 0 and at <= 1e-7 and lever.start > lever.lower)
            if pushes and abs(float(slope[k])) > 1e-6 * programme.gap:
                bound = lever.upper if slope[k] > 0 else lever.lower
                said.append(f"{lever.title or lever.id} is at its bound, {bound:g} ({lever.unit})")
        return tuple(said)

    def _furthest(self) -> Floats:
        """Maximise the closure under the standing limits."""
        programme = self.programme
        start = self._feasible()
        best = start
        for first in (np.ones_like(start), start):
            u = self._seek(first, (), programme.gap_goal(), 1e-7)
            fine = not self.standing or float(np.min(programme.slack(u, self.standing))) >= -_AGREE
            if fine and self.closed(u) > self.closed(best):
                best = u
            if not self.standing:
                break
        return np.where(programme.idle(best, self._working), programme.begin, best)

    def _feasible(self) -> Floats:
        """Return a point within the standing limits: no package, or the nearest to all of them."""
        programme, limits = self.programme, self.standing
        if not limits or float(np.min(programme.slack(programme.begin, limits))) >= -1e-9:
            return programme.begin

        def worst(u: Floats) -> float:
            return 0.5 * float(np.sum(np.minimum(programme.slack(u, limits), 0.0) ** 2))

        def slope(u: Floats) -> Floats:
            return np.minimum(programme.slack(u, limits), 0.0) @ programme.slack_slope(u, limits)

        ends = [
            descend(programme, first, limits, worst, slope)
            for first in (programme.begin, np.full_like(programme.begin, 0.5))
        ]
        best = max(ends, key=lambda u: float(np.min(programme.slack(u, limits))))
        slack = programme.slack(best, limits)
        if float(np.min(slack)) < -_AGREE:
            missed = [
                f"{limit.words}: missed by {-left * limit.scale / limit.per:.3g}{' %' if limit.per != 1.0 else ' USD'}"
                for limit, left in zip(limits, slack, strict=True)
                if left < -_AGREE
            ]
            listed = "".join(f"\n  - {line}" for line in missed)
            raise ContradictionError(
                "the limits contradict each other or ask more than the levers can give: no package keeps all of them, "
                f"and the nearest one misses:{listed}\nLower these limits, or add levers",
                missed,
            )
        return best

    def _lifted(self, start: Floats, closed_usd: float) -> Floats:
        """Return a start, or the first point between it and the most that closes so much (roughly)."""
        most = self.most()
        if self.closed(start) >= closed_usd:
            return start
        low, high = 0.0, 1.0
        for _ in range(12):
            middle = 0.5 * (low + high)
            if self.closed(start + middle * (most - start)) < closed_usd:
                low = middle
            else:
                high = middle
            if high - low < 0.02 * high:
                break
        return start + high * (most - start)

    def _starts(self, first: Floats, most: Floats, near: Sequence[Floats], count: int) -> list[Floats]:
        """Return starting points: given ones, the point on the way, and random mixtures."""
        points = [*near, first][: max(count, 1)]
        while len(points) < count:
            points.append(most * self._random.uniform(0.0, 1.0, len(most)))
        return points

    def _cost_scale(self, u: Floats) -> float:
        """Return the size of the cost around a point, USD."""
        slope = float(np.max(np.abs(self.programme.cost_slope(u) * np.maximum(u, 0.01))))
        return max(abs(self.programme.cost(u)), slope, 1e-9 * abs(self.programme.gap))

    def _cost_descent(self, start: Floats, limits: tuple[Limit, ...], scale: float, gain: float = 0.0) -> Floats:
        return self._seek(start, limits, self.programme.cost_goal(scale), _TIGHT, gain)

    def _seek(self, start: Floats, limits: tuple[Limit, ...], goal: Goal, accuracy: float, gain: float = 0.0) -> Floats:
        """Descend under limits and those standing ones that turn out to bind: the others need no derivatives."""
        return self._under_limits(
            start, lambda u, working: seek(self.programme, u, (*limits, *working), goal, accuracy=accuracy, gain=gain)
        )

    def _least_effort(self, start: Floats, limits: tuple[Limit, ...]) -> Floats:
        """Move the levers as little as the limits allow."""
        return self._under_limits(
            start,
            lambda u, working: descend(
                self.programme, u, (*limits, *working), self._effort, self._effort_slope, accuracy=_TIGHT
            ),
        )

    def _under_limits(self, start: Floats, towards: Callable[[Floats, tuple[Limit, ...]], Floats]) -> Floats:
        programme, u = self.programme, start
        while True:
            u = towards(u, self._working)
            slack = programme.slack(u, self.standing)
            broken = [
                limit
                for limit, left in zip(self.standing, slack, strict=True)
                if left < -_EXACT and limit not in self._working
            ]
            if not broken:
                return u
            self._working = (*self._working, *broken)

    def _effort(self, u: Floats) -> float:
        return 0.5 * float(np.sum((u - self.programme.begin) ** 2))

    def _effort_slope(self, u: Floats) -> Floats:
        return u - self.programme.begin

    def _reached(self, u: Floats, limits: tuple[Limit, ...], agreeing: int, starts: int, *, free: bool) -> Reached:
        """Put levers without effect back to where they start, and certify in terms of the levers as given."""
        u = np.where(self.programme.idle(u, (limits[0], *self._working)), self.programme.begin, u)
        given = self.as_given(u)
        cost, certificate = self.given.cost(given), certify(self.given, given, limits)
        return Reached(u, given, self.closed(u), cost, certificate, agreeing, starts, free)


def _by_country(world: World, given: Mapping[str, float], everyone: Sequence[str]) -> dict[str, float]:
    """Spread ``"all"`` over everyone; a country that is named keeps its own number."""
    spread = dict.fromkeys(everyone, float(given["all"])) if "all" in given else {}
    return spread | {c: float(v) for c, v in given.items() if c in world.countries}


def _label_problems(world: World, given: Mapping[str, float], kind: str) -> list[str]:
    return [
        f"{kind}: unknown country '{c}'{did_you_mean(c, world.countries) or ';'} Known: {', '.join(world.countries)}"
        for c in given
        if c not in world.countries and c != "all"
    ]
