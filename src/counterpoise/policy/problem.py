r"""The closing problem: cost, gap and limits as functions of the levers, with exact derivatives.

Every point is an equilibrium, started from the one before. All outcomes come from one vector g(x, p) of the state x and
the terms p; the rows that are asked for are differentiated together by the adjoint of the equilibrium map F::

    dg/dp = g_p + V' F_p,    V = g_x + F_x' V

and the chain rule of the levers (`Mixture.chain`) turns terms into levers. Second derivatives are differences of these
first ones, all levers in one call.

Where the state is small enough, M, the inverse of I - F_x at the first point, speeds up both: the equilibrium is the
fixed point of x + M (F(x) - x), and the adjoint that of V + M' (g_x + F_x' V - V). M only sets the pace; what counts as
solved is judged on the equations themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

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
    Baseline,
    Closure,
    FixedLabour,
    Labour,
    Outcome,
    Terms,
    baseline_of,
    closure_named,
    initial_state,
    outcome,
    parts_of,
    sweep,
    terms_of,
    trade_maps,
)
from counterpoise.policy.levers import Lever
from counterpoise.policy.mixture import Mixture, TermArrays
from counterpoise.solver import Anderson
from counterpoise.solver.anderson import accelerate
from counterpoise.solver.engine import require_unique

__all__ = ["Equilibria", "Outcomes", "Point"]

Floats = NDArray[np.float64]

_SOLVE = Anderson(rtol=1e-11)
"""Accuracy of every equilibrium: derivatives and certificates are read to about its square root."""

_ADJOINT = Anderson(rtol=1e-10, step_limit=1e9, max_steps=2000)
"""The adjoint is linear and scaled to one, so its steps need no limit."""

_ROUGH = (Anderson(rtol=1e-9, memory=3), Anderson(rtol=1e-8, memory=3, step_limit=1e9, max_steps=2000))
"""Equilibria and adjoints whose differences are second derivatives, which only set the direction of a step."""

_DENSE = 2500
"""Largest state whose linearisation is inverted: 50 MB, and seconds to make."""

_AT_ONCE = 8
"""Equilibria in one call, where there are many; one size, so that one is compiled."""

_LANES = 2
"""Rows in one call of the adjoint, for the same reason."""

_STEP = 3e-4
"""Step of the differences of first derivatives, in scaled levers."""


class _Aim(NamedTuple):
    """Positions of the pair, and masks (N,) of the countries whose budgets pay and of the pair itself."""

    origin: Array
    destination: Array
    payer: Array
    pair: Array


class _Solved(NamedTuple):
    """Of B points: states (B, n), outcomes, rows (B, outcomes) and violations (B,)."""

    x: Array
    outcome: Outcome
    rows: Array
    violation: Array


class _Slopes(NamedTuple):
    """Of B points and m rows: derivatives to the terms, adjoints (B, m, n) and their errors (B, m)."""

    terms: Terms
    adjoint: Array
    error: Array


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
            self._base = base
            used = {"potential_flow"} if self.mixture.opens_lines else set[str]()
            used |= {"export_tax_rate"} if self.mixture.supports_exports else set[str]()
            self._background = terms_of(world, shock, {*parts_of([shock]), *used})
            self._initial: Floats = np.asarray(ravel_pytree(initial_state(n, len(world.sectors), self._background))[0])
            self._aim = _Aim(
                jnp.asarray(i),
                jnp.asarray(j),
                jnp.asarray([1.0 if c in payers else 0.0 for c in world.countries]),
                jnp.asarray([1.0 if c in pair else 0.0 for c in world.countries]),
            )
            self._inverse = jnp.zeros((0, 0))
        self._kept: dict[bytes, Point] = {}
        self._last: Point | None = None

    def with_levers(self, levers: tuple[Lever, ...]) -> Equilibria:
        """Return the same world and background under other levers; what has been learned about pace is kept."""
        other = copy(self)
        other.levers = levers
        other.mixture = Mixture(self.world, levers, self.mixture.background)
        payers = {lever.payer for lever in levers}
        with jax.enable_x64(True):
            other._aim = self._aim._replace(
                payer=jnp.asarray([1.0 if c in payers else 0.0 for c in self.world.countries])
            )
        other._kept = {}
        other.solves = other.adjoints = 0
        return other

    @property
    def income(self) -> Floats:
        """Baseline income (N,), USD."""
        return np.asarray(self._base.income)

    @property
    def payers(self) -> NDArray[np.bool_]:
        """Which countries pay for some lever (N,)."""
        return np.asarray(self._aim.payer) > 0

    def point(self, values: Floats) -> Point:
        """Return the equilibrium at values of the levers (L,).

        Raises
        ------
        NotConvergedError
            If there is none.
        """
        key = values.tobytes()
        if key not in self._kept:
            start = self._initial if self._last is None else self._last.x
            (point,) = self._points(values[None, :], start)
            self._kept[key] = point
            if self._last is None:
                self._linearise(point)
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
            slopes, adjoint = self._differentiate((point,), rows, guess)
            for k, name in enumerate(wanted):
                point.slopes[name] = slopes[0, k]
                point.adjoints[name] = adjoint[0, k]
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
            If an equilibrium beside the point, or its adjoint, was not found.
        """
        slopes = self.slopes(point, weights)
        moving = np.flatnonzero(ranges > 0)
        out = np.zeros((len(weights), len(ranges), len(ranges)))
        if not moving.size:
            return out
        lower = np.array([lever.lower for lever in self.levers])
        inward = np.where((point.values - lower) / np.where(ranges > 0, ranges, 1.0) > 0.5, -_STEP, _STEP)
        moved = np.repeat(point.values[None, :], -(-len(moving) // _AT_ONCE) * _AT_ONCE, axis=0)
        moved[np.arange(len(moving)), moving] += (inward * ranges)[moving]
        guess = np.stack([point.adjoints[row.tobytes()] for row in weights])
        found: list[Floats] = []
        for first in range(0, len(moved), _AT_ONCE):
            points = self._points(moved[first : first + _AT_ONCE], point.x, _ROUGH[0])
            found.append(self._differentiate(points, weights, guess, _ROUGH[1])[0])
        beside = np.concatenate(found)
        change = (beside[: len(moving)] - slopes[None]) * ranges
        out[:, moving, :] = np.moveaxis(change / inward[moving][:, None, None], 0, 1)
        out[:, :, ranges <= 0] = 0.0
        return 0.5 * (out + np.swapaxes(out, 1, 2))

    def _points(self, values: Floats, start: Floats, options: Anderson = _SOLVE) -> tuple[Point, ...]:
        """Return the equilibria at values (B, L), all from one start (n,)."""
        terms = [self.mixture.terms(row) for row in values]
        with jax.enable_x64(True):
            model, booked = self._model_terms(terms), jnp.asarray(np.stack([t.booked_rate for t in terms]))
            answer = self._solve(model, booked, start, options)
            if not float(np.max(answer.violation)) <= options.rtol:
                answer = self._solve(model, booked, self._initial, options, plain=True)
        worst = int(np.argmax(np.where(np.isfinite(answer.violation), answer.violation, np.inf)))
        if not float(answer.violation[worst]) <= 1e3 * options.rtol:
            said = ", ".join(f"{lever.id} {v:.4g}" for lever, v in zip(self.levers, values[worst], strict=True))
            raise NotConvergedError(
                f"no equilibrium was found with the levers at {said}: largest violation "
                f"{float(answer.violation[worst]):.3g}; give the levers narrower bounds, or take another closure"
            )
        flow = np.moveaxis(np.asarray(answer.outcome.flow_cf), 3, 1)
        rows, x = np.asarray(answer.rows), np.asarray(answer.x)
        return tuple(Point(values[k].copy(), terms[k], x[k], rows[k], flow[k]) for k in range(len(values)))

    def _linearise(self, point: Point) -> None:
        """Invert the linearised equilibrium at a point, where it is small enough."""
        if point.x.size > _DENSE:
            return
        with jax.enable_x64(True):
            raw: object = cast(Callable[..., object], _inverse)(
                self._base,
                jax.tree.map(_first, self._model_terms([point.terms])),
                jnp.asarray(point.x),
                closure=self._closure,
                labour=self._labour,
            )
        inverse = cast(Array, raw)
        if bool(jnp.all(jnp.isfinite(inverse))):
            self._inverse = inverse

    def _differentiate(
        self, points: tuple[Point, ...], weights: Floats, guess: Floats, options: Anderson = _ADJOINT
    ) -> tuple[Floats, Floats]:
        """Solve the adjoints of weighted outcomes at points; return slopes (B, m, L) and adjoints (B, m, n)."""
        parts = [
            self._few(points, weights[k : k + _LANES], guess[k : k + _LANES], options)
            for k in range(0, len(weights), _LANES)
        ]
        return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=1)

    def _few(
        self, points: tuple[Point, ...], weights: Floats, guess: Floats, options: Anderson
    ) -> tuple[Floats, Floats]:
        """Solve the adjoints of a few rows at points in one call."""
        count = len(weights)
        padded, first = np.zeros((_LANES, self.at_row.count)), np.zeros((_LANES, guess.shape[1]))
        padded[:count], first[:count] = weights, guess
        with jax.enable_x64(True):
            raw: object = cast(Callable[..., object], _adjoints)(
                self._base,
                self._model_terms([p.terms for p in points]),
                jnp.asarray(np.stack([p.terms.booked_rate for p in points])),
                self._aim,
                jnp.asarray(np.stack([p.x for p in points])),
                jnp.asarray(padded),
                jnp.asarray(first),
                self._inverse,
                closure=self._closure,
                labour=self._labour,
                options=options,
            )
            answer = cast(_Slopes, jax.device_get(raw))
        self.adjoints += count * len(points)
        error = float(np.max(np.asarray(answer.error)[:, :count]))
        if not error <= 1e2 * options.rtol:
            raise NotConvergedError(
                f"the adjoint equation was solved to {error:.3g} only, expected {options.rtol:g}; give the levers "
                "narrower bounds, or take another closure"
            )
        support = weights[:, self.at_row.support]
        still = np.zeros(self._base.expenditure_share.shape)
        slopes = np.stack(
            [
                self.mixture.chain(
                    point.values,
                    TermArrays(
                        np.asarray(answer.terms.tariff_rate)[k, :count],
                        np.asarray(answer.terms.purchase_subsidy_rate)[k, :count],
                        _part(answer.terms.export_tax_rate, k, count, still),
                        np.asarray(answer.terms.iceberg_cost_hat)[k, :count],
                        np.asarray(answer.terms.productivity_hat)[k, :count],
                        _part(answer.terms.latent_share, k, count, still),
                        support[:, None, None, None] * point.flow,
                    ),
                )
                for k, point in enumerate(points)
            ]
        )
        return slopes, np.asarray(answer.adjoint)[:, :count]

    def _model_terms(self, terms: Sequence[TermArrays]) -> Terms:
        """Return the terms of B points, each with a leading axis B."""
        same: Callable[[Array], Array] = partial(_repeated, count=len(terms))
        latent = jnp.asarray(np.stack([t.latent_share for t in terms])) if self.mixture.opens_lines else None
        shared = cast(Terms, jax.tree.map(same, self._background))
        if self.mixture.supports_exports:
            shared = shared._replace(export_tax_rate=jnp.asarray(np.stack([t.export_tax_rate for t in terms])))
        return shared._replace(
            latent_share=shared.latent_share if latent is None else latent,
            tariff_rate=jnp.asarray(np.stack([t.tariff_rate for t in terms])),
            purchase_subsidy_rate=jnp.asarray(np.stack([t.purchase_subsidy_rate for t in terms])),
            iceberg_cost_hat=jnp.asarray(np.stack([t.iceberg_cost_hat for t in terms])),
            productivity_hat=jnp.asarray(np.stack([t.productivity_hat for t in terms])),
        )

    def _solve(self, terms: Terms, booked: Array, start: Floats, options: Anderson, *, plain: bool = False) -> _Solved:
        self.solves += len(booked)
        raw: object = cast(Callable[..., object], _equilibria)(
            self._base,
            terms,
            booked,
            self._aim,
            jnp.asarray(start),
            jnp.zeros((0, 0)) if plain else self._inverse,
            closure=self._closure,
            labour=self._labour,
            options=options,
        )
        return cast(_Solved, jax.device_get(raw))


def _part(slopes: Array | None, k: int, count: int, still: Floats) -> Floats:
    """Return the derivatives of ``count`` rows to a term at a point; zeros of shape ``still`` where it is not used."""
    return np.zeros((count, *still.shape)) if slopes is None else np.asarray(slopes)[k, :count]


def _first(values: Array) -> Array:
    return values[0]


def _repeated(values: Array, count: int) -> Array:
    return jnp.broadcast_to(values, (count, *jnp.shape(values)))


def _rows(result: Outcome, booked: Array, aim: _Aim) -> Array:
    """Return all outcomes as one vector, in the order of `Outcomes`."""
    i, j = aim.origin, aim.destination
    pairs = jnp.sum(result.flow_cf, axis=2)
    there, back = pairs[i, j], pairs[j, i]
    budget = result.tariff_revenue_cf
    if result.export_tax_revenue_cf is not None:
        budget = budget + result.export_tax_revenue_cf
    revenue = jnp.sum(aim.payer * budget)
    support = jnp.sum(jnp.transpose(booked, (1, 2, 0)) * result.flow_cf)
    own: Array = cast(Any, jnp).diagonal(pairs)
    sold = jnp.sum(pairs * aim.pair[None, :], axis=1) - own * aim.pair
    return jnp.concatenate([jnp.stack([there - back, there + back, revenue, support]), result.welfare_hat, sold])


# JAX does not annotate these; what comes out is typed where it is used.
_vjp = cast(Any, jax.vjp)
_vmap = cast(Any, jax.vmap)
_jacfwd = cast(Any, jax.jacfwd)


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def _equilibria(
    base: Baseline,
    terms: Terms,
    booked: Array,
    aim: _Aim,
    start: Array,
    inverse: Array,
    *,
    closure: Closure,
    labour: Labour,
    options: Anderson,
) -> _Solved:
    """Solve B equilibria from one start and return the outcomes, compiled; an empty ``inverse`` is none."""
    countries, sectors = base.gross_output.shape
    one = cast(Terms, jax.tree.map(_first, terms))
    _, state_of = ravel_pytree(initial_state(countries, sectors, one))

    def solved(given: Terms, support: Array) -> _Solved:
        trade = trade_maps(base, given)

        def evaluate(x: Array) -> tuple[Array, Array]:
            following, violation = sweep(state_of(x), base, trade, closure, labour)
            step = ravel_pytree(following)[0] - x
            return x + (inverse @ step if inverse.size else step), violation

        run = accelerate(evaluate, start, options)
        result = outcome(state_of(run.x), base, given, trade, closure, labour)
        return _Solved(run.x, result, _rows(result, support, aim), run.violation)

    return cast(_Solved, _vmap(solved)(terms, booked))


@partial(jax.jit, static_argnames=("closure", "labour"))
def _inverse(base: Baseline, terms: Terms, x: Array, *, closure: Closure, labour: Labour) -> Array:
    """Return the inverse of I - F_x (n, n) at a point, compiled."""
    countries, sectors = base.gross_output.shape
    _, state_of = ravel_pytree(initial_state(countries, sectors, terms))
    trade = trade_maps(base, terms)

    def moved(y: Array) -> Array:
        return ravel_pytree(sweep(state_of(y), base, trade, closure, labour)[0])[0]

    return cast(Array, cast(Any, jnp.linalg).inv(jnp.eye(x.size) - _jacfwd(moved)(x)))


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def _adjoints(
    base: Baseline,
    terms: Terms,
    booked: Array,
    aim: _Aim,
    x: Array,
    weights: Array,
    guess: Array,
    inverse: Array,
    *,
    closure: Closure,
    labour: Labour,
    options: Anderson,
) -> _Slopes:
    """Differentiate weighted outcomes, one row of ``weights`` (m, outcomes) each, at B points; compiled."""
    countries, sectors = base.gross_output.shape
    one = cast(Terms, jax.tree.map(_first, terms))
    _, state_of = ravel_pytree(initial_state(countries, sectors, one))

    def at_point(given: Terms, support: Array, state: Array) -> _Slopes:
        trade = trade_maps(base, given)

        def rows_at(y: Array, p: Terms) -> Array:
            return _rows(outcome(state_of(y), base, p, trade_maps(base, p), closure, labour), support, aim)

        def mapped(p: Terms) -> Array:
            return ravel_pytree(sweep(state_of(state), base, trade_maps(base, p), closure, labour)[0])[0]

        def moved(y: Array) -> Array:
            return ravel_pytree(sweep(state_of(y), base, trade, closure, labour)[0])[0]

        to_state, direct = _vmap(_vjp(rows_at, state, given)[1])(weights)
        pull_state: Callable[[Array], tuple[Array]] = _vjp(moved, state)[1]

        def solve(target: Array, first: Array) -> tuple[Array, Array]:
            scale = jnp.maximum(jnp.max(jnp.abs(target)), float(np.finfo(np.float64).tiny))
            wanted = target / scale

            def evaluate(v: Array) -> tuple[Array, Array]:
                left = wanted + pull_state(v)[0] - v
                error = jnp.max(jnp.abs(left)) / jnp.maximum(1.0, jnp.max(jnp.abs(v)))
                return v + (left @ inverse if inverse.size else left), error

            run = accelerate(evaluate, first / scale, options)
            return run.x * scale, run.violation

        adjoint, error = _vmap(solve)(to_state, guess)
        (through,) = _vmap(_vjp(mapped, given)[1])(adjoint)
        return _Slopes(cast(Terms, jax.tree.map(jnp.add, direct, through)), adjoint, error)

    return cast(_Slopes, _vmap(at_point)(terms, booked, x))
