r"""The closing problem: cost, gap and limits as functions of the levers, with exact derivatives.

Every point is an equilibrium, started from the one before. All outcomes come from one vector g(x, p) of the state x and
the terms p; the rows that are asked for are differentiated together by the adjoint of the equilibrium map F::

    dg/dp = g_p + V' F_p,    V = g_x + F_x' V

and the chain rule of the levers (`Mixture.chain`) turns terms into levers. The next adjoint starts from the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jax.scipy.sparse import linalg
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import NotConvergedError
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
    sweep,
    terms_of,
    trade_maps,
)
from counterpoise.policy.levers import Lever, Mixture, TermArrays
from counterpoise.solver import Anderson
from counterpoise.solver.anderson import accelerate

__all__ = ["Equilibria", "Outcomes", "Point"]

Floats = NDArray[np.float64]

_SOLVE = Anderson(rtol=1e-11)
"""Accuracy of every equilibrium: derivatives and certificates are read to about its square root."""

_ADJOINT_RTOL = 1e-10
_KRYLOV = 20
_RESTARTS = 60


class _Aim(NamedTuple):
    """Positions of the pair, and masks (N,) of the countries whose budgets pay and of the pair itself."""

    origin: Array
    destination: Array
    payer: Array
    pair: Array


class _Solved(NamedTuple):
    x: Array
    outcome: Outcome
    rows: Array
    violation: Array


class _Slopes(NamedTuple):
    terms: Terms
    adjoint: Array
    error: Array


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Where each outcome stands in the vector of all of them; N countries.

    ``gap`` and ``turnover`` of the pair in USD at customs value; ``revenue`` the net revenue of the paying budgets and
    ``support`` what they book outside the equilibrium, USD; ``welfare`` the exact real income over its baseline by
    country; ``sold`` what each country sells to the pair, USD.
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
    """One equilibrium: values of the levers, all outcomes, and the derivatives that were asked for so far."""

    values: Floats
    terms: TermArrays
    x: Array
    outcome: Outcome
    rows: Floats
    slopes: dict[bytes, Floats] = field(default_factory=dict[bytes, Floats])


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
            self._background = terms_of(world, shock)
            self._initial, _ = ravel_pytree(initial_state(n, len(world.sectors), self._background))
            self._aim = _Aim(
                jnp.asarray(i),
                jnp.asarray(j),
                jnp.asarray([1.0 if c in payers else 0.0 for c in world.countries]),
                jnp.asarray([1.0 if c in pair else 0.0 for c in world.countries]),
            )
        self._kept: dict[bytes, Point] = {}
        self._last_x = self._initial
        self._last_adjoint: dict[bytes, Floats] = {}

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
        if key in self._kept:
            return self._kept[key]
        terms = self.mixture.terms(values)
        with jax.enable_x64(True):
            model, booked = self._model_terms(terms), jnp.asarray(terms.booked_rate)
            answer = self._solve(model, booked, self._last_x)
            if not float(answer.violation) <= _SOLVE.rtol:
                answer = self._solve(model, booked, self._initial)
            worst = float(answer.violation)
            if not worst <= 1e3 * _SOLVE.rtol:
                said = ", ".join(f"{lever.id} {value:.4g}" for lever, value in zip(self.levers, values, strict=True))
                raise NotConvergedError(
                    f"no equilibrium was found with the levers at {said}: largest violation {worst:.3g}; give the "
                    "levers narrower bounds, or take another closure"
                )
        self._last_x = answer.x
        point = Point(values.copy(), terms, answer.x, jax.device_get(answer.outcome), np.asarray(answer.rows))
        self._kept[key] = point
        return point

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
            self._differentiate(point, wanted)
        return np.stack([point.slopes[key] for key in keys])

    def _differentiate(self, point: Point, wanted: dict[bytes, Floats]) -> None:
        """Solve the adjoints of weighted outcomes together, and keep what follows for the levers."""
        count, size = len(wanted), int(self._initial.size)
        lanes = 1 << max(1, (count - 1).bit_length())  # few sizes, so that few are compiled
        weights, guess = np.zeros((lanes, self.at_row.count)), np.zeros((lanes, size))
        for k, (key, row) in enumerate(wanted.items()):
            weights[k] = row
            guess[k] = self._last_adjoint.get(key, 0.0)
        with jax.enable_x64(True):
            raw: object = cast(Callable[..., object], _adjoint)(
                self._base,
                self._model_terms(point.terms),
                jnp.asarray(point.terms.booked_rate),
                self._aim,
                point.x,
                jnp.asarray(weights),
                jnp.asarray(guess),
                closure=self._closure,
                labour=self._labour,
            )
            answer = cast(_Slopes, jax.device_get(raw))
        self.adjoints += count
        error = float(np.max(np.asarray(answer.error)[:count]))
        if not error <= 1e2 * _ADJOINT_RTOL:
            raise NotConvergedError(
                f"the adjoint equation was solved to {error:.3g} only, expected {_ADJOINT_RTOL:g}; give the levers "
                "narrower bounds, or take another closure"
            )
        flow = np.moveaxis(np.asarray(point.outcome.flow_cf), 2, 0)
        support = weights[:count, self.at_row.support]
        to_terms = TermArrays(
            np.asarray(answer.terms.tariff_rate)[:count],
            np.asarray(answer.terms.purchase_subsidy_rate)[:count],
            np.asarray(answer.terms.iceberg_cost_hat)[:count],
            np.asarray(answer.terms.productivity_hat)[:count],
            support[:, None, None, None] * flow,
        )
        chained = self.mixture.chain(point.values, to_terms)
        for k, key in enumerate(wanted):
            point.slopes[key] = chained[k]
            self._last_adjoint[key] = np.asarray(answer.adjoint)[k]

    def _model_terms(self, terms: TermArrays) -> Terms:
        return self._background._replace(
            tariff_rate=jnp.asarray(terms.tariff_rate),
            purchase_subsidy_rate=jnp.asarray(terms.purchase_subsidy_rate),
            iceberg_cost_hat=jnp.asarray(terms.iceberg_cost_hat),
            productivity_hat=jnp.asarray(terms.productivity_hat),
        )

    def _solve(self, terms: Terms, booked: Array, start: Array) -> _Solved:
        self.solves += 1
        raw: object = cast(Callable[..., object], _equilibrium)(
            self._base, terms, booked, self._aim, start, closure=self._closure, labour=self._labour
        )
        return cast(_Solved, raw)


def _rows(result: Outcome, booked: Array, aim: _Aim) -> Array:
    """Return all outcomes as one vector, in the order of `Outcomes`."""
    i, j = aim.origin, aim.destination
    pairs = jnp.sum(result.flow_cf, axis=2)
    there, back = pairs[i, j], pairs[j, i]
    revenue = jnp.sum(aim.payer * result.tariff_revenue_cf)
    support = jnp.sum(jnp.transpose(booked, (1, 2, 0)) * result.flow_cf)
    sold = jnp.sum(pairs * aim.pair[None, :], axis=1) - jnp.diagonal(pairs) * aim.pair
    return jnp.concatenate([jnp.stack([there - back, there + back, revenue, support]), result.welfare_hat, sold])


@partial(jax.jit, static_argnames=("closure", "labour"))
def _equilibrium(
    base: Baseline, terms: Terms, booked: Array, aim: _Aim, start: Array, *, closure: Closure, labour: Labour
) -> _Solved:
    """Solve from a start and return the outcomes, compiled."""
    trade = trade_maps(base, terms)
    countries, sectors = base.gross_output.shape
    _, state_of = ravel_pytree(initial_state(countries, sectors, terms))

    def evaluate(x: Array) -> tuple[Array, Array]:
        following, violation = sweep(state_of(x), base, trade, closure, labour)
        return ravel_pytree(following)[0], violation

    run = accelerate(evaluate, start, _SOLVE)
    result = outcome(state_of(run.x), base, terms, trade, closure, labour)
    return _Solved(run.x, result, _rows(result, booked, aim), run.violation)


# JAX does not annotate these; what comes out is typed where it is used.
_vjp = cast(Any, jax.vjp)
_vmap = cast(Any, jax.vmap)
_gmres = cast(Any, linalg).gmres


@partial(jax.jit, static_argnames=("closure", "labour"))
def _adjoint(
    base: Baseline,
    terms: Terms,
    booked: Array,
    aim: _Aim,
    x: Array,
    weights: Array,
    guess: Array,
    *,
    closure: Closure,
    labour: Labour,
) -> _Slopes:
    """Differentiate weighted outcomes, one row of ``weights`` (m, outcomes) each, to the terms; compiled."""
    countries, sectors = base.gross_output.shape
    _, state_of = ravel_pytree(initial_state(countries, sectors, terms))
    trade = trade_maps(base, terms)

    def rows_at(y: Array, given: Terms) -> Array:
        result = outcome(state_of(y), base, given, trade_maps(base, given), closure, labour)
        return _rows(result, booked, aim)

    def mapped(given: Terms) -> Array:
        return ravel_pytree(sweep(state_of(x), base, trade_maps(base, given), closure, labour)[0])[0]

    def moved(y: Array) -> Array:
        return ravel_pytree(sweep(state_of(y), base, trade, closure, labour)[0])[0]

    to_state, direct = _vmap(_vjp(rows_at, x, terms)[1])(weights)
    pull_state: Callable[[Array], tuple[Array]] = _vjp(moved, x)[1]

    def apply(v: Array) -> Array:
        return v - pull_state(v)[0]

    def solve(target: Array, start: Array) -> tuple[Array, Array]:
        scale = jnp.maximum(jnp.max(jnp.abs(target)), float(np.finfo(np.float64).tiny))
        v: Array = _gmres(
            apply,
            target / scale,
            x0=start / scale,
            tol=0.1 * _ADJOINT_RTOL,
            atol=0.0,
            restart=_KRYLOV,
            maxiter=_RESTARTS,
        )[0]
        error = jnp.max(jnp.abs(target / scale - apply(v))) / jnp.maximum(1.0, jnp.max(jnp.abs(v)))
        return v * scale, error

    adjoint, error = _vmap(solve)(to_state, guess)
    (through,) = _vmap(_vjp(mapped, terms)[1])(adjoint)
    return _Slopes(cast(Terms, jax.tree.map(jnp.add, direct, through)), adjoint, error)
