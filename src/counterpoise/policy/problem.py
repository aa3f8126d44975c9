r"""The closing problem: cost, gap and limits as functions of the levers, with exact derivatives.

Every point is an equilibrium, started from the one before. All outcomes come from one vector g(x, p) of the state x and
the terms p; the rows that are asked for are differentiated together by the adjoint of the equilibrium
(`counterpoise.policy.kernels`), and the chain rule of the levers (`Jacobian.pull`) turns terms into levers. So are the
second derivatives.

Where the state is small enough, M, the inverse of I - F_x at the first point, speeds all of it up: the equilibrium is
the fixed point of x + M (F(x) - x), and the adjoint that of v + M' (g_x + F_x' v - v). M only sets the pace; what
counts as solved is judged on the equations themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.core.labels import index_of
from counterpoise.model import (
    Closure,
    FixedLabour,
    Labour,
    baseline_of,
    closure_named,
    initial_state,
    parts_of,
    terms_of,
)
from counterpoise.policy import kernels
from counterpoise.policy.kernels import Aim, Bent, Setting, Slopes, Solved
from counterpoise.policy.levers import Lever
from counterpoise.policy.mixture import Mixture, TermArrays
from counterpoise.solver import Anderson
from counterpoise.solver.engine import require_unique

__all__ = ["Equilibria", "Outcomes", "Point"]

Floats = NDArray[np.float64]

_SOLVE = Anderson(rtol=1e-11)
"""Accuracy of every equilibrium: derivatives and certificates are read to about its square root."""

_ADJOINT = Anderson(rtol=1e-10, step_limit=1e9, max_steps=2000)
"""The adjoint is linear and scaled to one, so its steps need no limit."""

_ROUGH = Anderson(rtol=1e-5, memory=3, step_limit=1e9, max_steps=2000)
"""Movements of the state behind second derivatives, which only set the direction of a step."""

_DENSE = 2500
"""Largest state whose linearisation is inverted: 25 MB, and seconds to make."""

_AT_ONCE = 8
"""Directions of second derivatives in one call; one size, so that one is compiled."""

_LANES = 2
"""Rows in one call of the adjoint, for the same reason."""

_STEP = 1e-6
"""Step of the differences of the levers' own derivatives, in scaled levers."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Where each outcome stands in the vector of all of them; N countries.

    ``gap`` and ``turnover`` of the pair in USD at customs value; ``revenue`` the net revenue of the paying budgets
    (duties and export taxes less subsidies) and ``support`` what they book outside the equilibrium, USD;
    ``welfare`` the exact real income over its baseline by country; ``sold`` what each country sells to the pair, USD.
    """

    countries: int

    gap: int = 0
    turnover: int = 1
    revenue: int = 2
    support: int = 3

    def welfare(self, country: int) -> int:
        """Position of one country's real income."""
        return 4 + country

    def sold(self, country: int) -> int:
        """Position of one country's sales to the pair."""
        return 4 + self.countries + country

    @property
    def count(self) -> int:
        """Number of outcomes."""
        return 4 + 2 * self.countries

    def unit(self, row: int) -> Floats:
        """Return the weights that pick one outcome."""
        return np.eye(self.count)[row]


@dataclass(slots=True, eq=False)
class Point:
    """One equilibrium: values of the levers, all outcomes, flows, and the derivatives that were asked for so far."""

    values: Floats
    terms: TermArrays
    x: Floats
    rows: Floats
    flow: Floats
    slopes: dict[bytes, Floats] = field(default_factory=dict[bytes, Floats])
    adjoints: dict[bytes, Floats] = field(default_factory=dict[bytes, Floats])


class Equilibria:
    """Equilibria of a world over values of levers, warm-started, kept, and differentiable.

    Parameters
    ----------
    world
        Balanced base year.
    levers
        What can be moved.
    pair
        (origin, destination); the gap is what origin sells to destination minus what it buys.
    background
        What holds whatever the levers do; None: nothing changes.
    closure, labour
        As in `counterpoise.solver.solve`.
    trade_elasticity
        (S,), in place of the world's own; baseline data are held fixed.
    """

    def __init__(
        self,
        world: World,
        levers: tuple[Lever, ...],
        pair: tuple[str, str],
        *,
        background: Shock | None = None,
        closure: Closure | str = "fixed_world_share",
        labour: Labour | None = None,
        trade_elasticity: Floats | None = None,
    ) -> None:
        world.require_balanced()
        shock = Shock.none(world) if background is None else background
        shock.require_labels(world)
        raise_all(InputError, "the shock cannot be used", shock.opening_problems(world))
        require_unique(world)
        self.world = world
        self.pair = pair
        self.levers = levers
        self.mixture = Mixture(world, levers, shock)
        self.solves = 0
        self.adjoints = 0
        n = len(world.countries)
        self.at_row = Outcomes(n)
        self._closure = closure_named(closure, world.countries)
        self._labour = labour or FixedLabour()
        i, j = (index_of(world.countries, c, "country") for c in pair)
        payers = {lever.payer for lever in levers}
        with jax.enable_x64(True):
            base = baseline_of(world)
            if trade_elasticity is not None:
                base = base._replace(trade_elasticity=jnp.asarray(trade_elasticity))
            used = {"potential_flow"} if self.mixture.opens_lines else set[str]()
            used |= {"export_tax_rate"} if self.mixture.supports_exports else set[str]()
            terms = terms_of(world, shock, {*parts_of([shock]), *used})
            self._initial: Floats = np.asarray(ravel_pytree(initial_state(n, len(world.sectors), terms))[0])
            aim = Aim(
                jnp.asarray(i),
                jnp.asarray(j),
                jnp.asarray([1.0 if c in payers else 0.0 for c in world.countries]),
                jnp.asarray([1.0 if c in pair else 0.0 for c in world.countries]),
            )
            self._setting = Setting(base, terms, aim, jnp.zeros((0, 0), jnp.float32))
        self._kept: dict[bytes, Point] = {}
        self._last: Point | None = None

    def with_levers(self, levers: tuple[Lever, ...]) -> Equilibria:
        """Return the same world and background under other levers; what has been learned about pace is kept."""
        other = copy(self)
        other.levers = levers
        other.mixture = Mixture(self.world, levers, self.mixture.background)
        payers = {lever.payer for lever in levers}
        with jax.enable_x64(True):
            payer = jnp.asarray([1.0 if c in payers else 0.0 for c in self.world.countries])
            other._setting = self._setting._replace(aim=self._setting.aim._replace(payer=payer))
        other._kept = {}
        other.solves = other.adjoints = 0
        return other

    @property
    def income(self) -> Floats:
        """Baseline income (N,), USD."""
        return np.asarray(self._setting.base.income)

    @property
    def payers(self) -> NDArray[np.bool_]:
        """Which countries pay for some lever (N,)."""
        return np.asarray(self._setting.aim.payer) > 0

    def point(self, values: Floats) -> Point:
        """Return the equilibrium at values of the levers (L,).

        Raises
        ------
        NotConvergedError
            If there is none.
        """
        key = values.tobytes()
        if key not in self._kept:
            point = self._solved(values, self._initial if self._last is None else self._last.x)
            self._kept[key] = point
            if self._last is None:
                self.linearise(point)
            self._last = point
        return self._kept[key]

    def slopes(self, point: Point, weights: Floats) -> Floats:
        """Return derivatives of weighted outcomes to the levers, (m, L) for weights (m, outcomes).

        Raises
        ------
        NotConvergedError
            If the adjoint equation could not be solved.
        """
        keys = [row.tobytes() for row in weights]
        wanted = {key: row for key, row in zip(keys, weights, strict=True) if key not in point.slopes}
        if wanted:
            rows = np.stack(list(wanted.values()))
            near = point.adjoints or ({} if self._last is None else self._last.adjoints)
            blank = np.zeros(self._initial.size)
            guess = np.stack([near.get(key, blank) for key in wanted])
            slopes, adjoint = self._differentiate(point, rows, guess)
            for k, name in enumerate(wanted):
                point.slopes[name] = slopes[k]
                point.adjoints[name] = adjoint[k]
            self._last = point
        return np.stack([point.slopes[key] for key in keys])

    def curvature(self, point: Point, weights: Floats, ranges: Floats) -> Floats:
        """Return second derivatives of weighted outcomes to scaled levers, (m, L, L), symmetric.

        Parameters
        ----------
        point
            Where.
        weights
            (m, outcomes).
        ranges
            Of the levers (L,): upper minus lower bound; rows and columns of a lever that cannot move are zero.

        Raises
        ------
        NotConvergedError
            If the movement of the state along a lever, or an adjoint, was not found.
        """
        self.slopes(point, weights)
        moving = np.flatnonzero(ranges > 0)
        out = np.zeros((len(weights), len(ranges), len(ranges)))
        if not moving.size:
            return out
        adjoint = np.stack([point.adjoints[row.tobytes()] for row in weights])
        for first in range(0, len(weights), _LANES):
            rows = slice(first, first + _LANES)
            out[rows] = self._bent(point, weights[rows], adjoint[rows], moving, ranges)
        out[:, :, ranges <= 0] = 0.0
        return 0.5 * (out + np.swapaxes(out, 1, 2))

    def _bent(self, point: Point, weights: Floats, adjoint: Floats, moving: NDArray[np.intp], ranges: Floats) -> Floats:
        """Return second derivatives of up to `_LANES` rows to scaled levers (m, L, L), not yet symmetric."""
        count, mixture = len(weights), self.mixture
        lanes, held = _padded(weights), _padded(adjoint)
        inward = np.where(self._inward(point.values, ranges), -_STEP, _STEP)
        here = mixture.jacobian(point.values)
        out = np.zeros((count, len(ranges), len(ranges)))
        to_state: list[Floats] = []
        moved: list[Floats] = []
        for first in range(0, len(moving), _AT_ONCE):
            some = np.resize(moving[first : first + _AT_ONCE], _AT_ONCE)
            values = np.repeat(point.values[None], _AT_ONCE, axis=0)
            values[np.arange(_AT_ONCE), some] += (inward * ranges)[some]
            beside = TermArrays(*map(np.stack, zip(*(mixture.terms(row) for row in values), strict=True)))
            with jax.enable_x64(True):
                raw: object = cast(Callable[..., object], kernels.bends)(
                    self._setting,
                    point.terms,
                    point.x,
                    lanes,
                    held,
                    beside,
                    _STEP,
                    closure=self._closure,
                    labour=self._labour,
                    options=_ROUGH,
                )
                bent = cast(Bent, jax.device_get(raw))
            _require_solved(float(np.max(np.asarray(bent.error))), _ROUGH, "the movement of the state")
            before = here.pull(TermArrays(*(t[0] for t in bent.terms)))[:count]
            for k, lever in enumerate(moving[first : first + _AT_ONCE].tolist()):
                turned = mixture.jacobian(values[k]).pull(TermArrays(*(t[k + 1] for t in bent.terms)))[:count]
                out[:, lever] = (turned - before) * ranges / inward[lever]
            to_state.append(np.asarray(bent.state)[:, :count])
            moved.append(np.asarray(bent.moved))
        size, signs = len(moving), np.sign(inward[moving])
        through = np.concatenate(to_state)[:size].swapaxes(0, 1) @ np.concatenate(moved)[:size].T
        out[:, moving[:, None], moving] += signs[:, None] * signs * through
        return out

    def _inward(self, values: Floats, ranges: Floats) -> NDArray[np.bool_]:
        """Say which levers have more room below than above (L,)."""
        lower = np.array([lever.lower for lever in self.levers])
        return (values - lower) / np.where(ranges > 0, ranges, 1.0) > 0.5

    def _solved(self, values: Floats, start: Floats) -> Point:
        """Return the equilibrium at values (L,) from a start (n,)."""
        terms = self.mixture.terms(values)
        answer = self._solve(self._setting, terms, start)
        if not float(answer.violation) <= _SOLVE.rtol:
            answer = self._solve(self._setting._replace(inverse=jnp.zeros((0, 0), jnp.float32)), terms, self._initial)
        if not float(answer.violation) <= 1e3 * _SOLVE.rtol:
            said = ", ".join(f"{lever.id} {v:.4g}" for lever, v in zip(self.levers, values, strict=True))
            raise NotConvergedError(
                f"no equilibrium was found with the levers at {said}: largest violation {float(answer.violation):.3g}; "
                "give the levers narrower bounds, or take another closure"
            )
        flow = np.moveaxis(np.asarray(answer.flow), 2, 0)
        return Point(values.copy(), terms, np.asarray(answer.x), np.asarray(answer.rows), flow)

    def _solve(self, setting: Setting, terms: TermArrays, start: Floats) -> Solved:
        self.solves += 1
        with jax.enable_x64(True):
            raw: object = cast(Callable[..., object], kernels.equilibrium)(
                setting, terms, start, closure=self._closure, labour=self._labour, options=_SOLVE
            )
            return cast(Solved, jax.device_get(raw))

    def linearise(self, point: Point) -> None:
        """Invert the linearised equilibrium at a point, where it is small enough: what follows nearby goes faster."""
        if point.x.size > _DENSE:
            return
        with jax.enable_x64(True):
            raw: object = cast(Callable[..., object], kernels.inverse_at)(
                self._setting, point.terms, point.x, closure=self._closure, labour=self._labour
            )
            inverse = cast(Array, raw)
            if bool(jnp.all(jnp.isfinite(inverse))):
                self._setting = self._setting._replace(inverse=inverse)

    def _differentiate(self, point: Point, weights: Floats, guess: Floats) -> tuple[Floats, Floats]:
        """Solve the adjoints of weighted outcomes at a point; return slopes (m, L) and adjoints (m, n)."""
        jacobian = self.mixture.jacobian(point.values)
        slopes: list[Floats] = []
        found: list[Floats] = []
        for first in range(0, len(weights), _LANES):
            rows = slice(first, first + _LANES)
            count = len(weights[rows])
            with jax.enable_x64(True):
                raw: object = cast(Callable[..., object], kernels.adjoints)(
                    self._setting,
                    point.terms,
                    point.x,
                    _padded(weights[rows]),
                    _padded(guess[rows]),
                    closure=self._closure,
                    labour=self._labour,
                    options=_ADJOINT,
                )
                answer = cast(Slopes, jax.device_get(raw))
            self.adjoints += count
            _require_solved(float(np.max(np.asarray(answer.error)[:count])), _ADJOINT, "the adjoint equation")
            slopes.append(jacobian.pull(answer.terms)[:count])
            found.append(np.asarray(answer.adjoint)[:count])
        return np.concatenate(slopes), np.concatenate(found)


def _padded(rows: Floats) -> Floats:
    """Return rows (m, k) with as many of zeros below them as fill the lanes."""
    out = np.zeros((_LANES, rows.shape[1]))
    out[: len(rows)] = rows
    return out


def _require_solved(error: float, options: Anderson, what: str) -> None:
    """Refuse a linear equation that was not solved."""
    if not error <= 1e2 * options.rtol:
        raise NotConvergedError(
            f"{what} was solved to {error:.3g} only, expected {options.rtol:g}; give the levers narrower bounds, or "
            "take another closure"
        )
