r"""Compiled parts of the closing problem: equilibria, their adjoints, and second derivatives.

With x the state, p the terms that levers move, F the equilibrium map and g the outcomes, the derivatives of w'g are::

    dg/dp = g_p + v' F_p,    v = g_x + F_x' v
    d2g/dp2 = [dx/dp; 1]' (L_xx, L_xp; L_px, L_pp) [dx/dp; 1],    L = w'g(x, p) + v'F(x, p)

where dx/dp solves dx = F_x dx + F_p dp, and the bracket is the change of L's gradient along (dx, dp) with v held: no
second equilibrium and no second adjoint. Every linear equation is a fixed point like the equilibrium itself, and is
found by the same iteration; M, the inverse of I - F_x at a point nearby, speeds it up where it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from counterpoise.model import Baseline, Closure, Labour, Outcome, Terms, initial_state, outcome, sweep, trade_maps
from counterpoise.policy.mixture import TermArrays
from counterpoise.solver import Anderson
from counterpoise.solver.anderson import accelerate

__all__ = ["Aim", "Bent", "Setting", "Slopes", "Solved", "adjoints", "bends", "equilibrium", "inverse_at"]

# JAX does not annotate these; what comes out is typed where it is used.
_vjp = cast(Any, jax.vjp)
_linearize = cast(Any, jax.linearize)
_grad = cast(Any, jax.grad)
_vmap = cast(Any, jax.vmap)
_jacfwd = cast(Any, jax.jacfwd)

_TINY = float(np.finfo(np.float64).tiny)


class Aim(NamedTuple):
    """Positions of the pair, and masks (N,) of the countries whose budgets pay and of the pair itself."""

    origin: Array
    destination: Array
    payer: Array
    pair: Array


class Setting(NamedTuple):
    """What is the same at every point: baseline, terms of the background, aim, and M (n, n) or an empty array.

    M only sets the pace, and is kept in single precision: half as much to read in every step.
    """

    base: Baseline
    background: Terms
    aim: Aim
    inverse: Array


class Solved(NamedTuple):
    """Of a point: state (n,), flows (N origin, N destination, S), rows (outcomes,) and violation."""

    x: Array
    flow: Array
    rows: Array
    violation: Array


class Slopes(NamedTuple):
    """Of m rows at a point: derivatives to the terms, adjoints (m, n) and their errors (m,)."""

    terms: TermArrays
    adjoint: Array
    error: Array


class Bent(NamedTuple):
    """What m rows do from a point to B places beside it, adjoints held.

    ``terms`` are the derivatives of L to the terms (1 + B, m, ...), first at the point and then beside it; ``state``
    the change of those to the state per unit of the step (B, m, n), and ``moved`` that of the state itself (B, n), with
    its ``error`` (B,).
    """

    terms: TermArrays
    state: Array
    moved: Array
    error: Array


class _Maps:
    """The equilibrium map and the outcomes as functions of a flat state and of the terms that levers move."""

    def __init__(self, setting: Setting, closure: Closure, labour: Labour) -> None:
        countries, sectors = setting.base.gross_output.shape
        self._setting, self._closure, self._labour = setting, closure, labour
        self.state_of = ravel_pytree(initial_state(countries, sectors, setting.background))[1]

    def terms(self, given: TermArrays) -> Terms:
        """Return the background with what the levers move."""
        background = self._setting.background
        latent = None if background.latent_share is None else jnp.asarray(given.latent_share)
        export_tax = None if background.export_tax_rate is None else jnp.asarray(given.export_tax_rate)
        return background._replace(
            tariff_rate=jnp.asarray(given.tariff_rate),
            purchase_subsidy_rate=jnp.asarray(given.purchase_subsidy_rate),
            export_tax_rate=export_tax,
            iceberg_cost_hat=jnp.asarray(given.iceberg_cost_hat),
            productivity_hat=jnp.asarray(given.productivity_hat),
            latent_share=latent,
        )

    def at(self, given: TermArrays) -> Callable[[Array], tuple[Array, Array]]:
        """Return the map of a state (n,) to the following one and its violation, at given terms."""
        base = self._setting.base
        trade = trade_maps(base, self.terms(given))

        def moved(x: Array) -> tuple[Array, Array]:
            following, violation = sweep(self.state_of(x), base, trade, self._closure, self._labour)
            return ravel_pytree(following)[0], violation

        return moved

    def following(self, x: Array, given: TermArrays) -> Array:
        """Return F(x, p)."""
        return self.at(given)(x)[0]

    def outcome(self, x: Array, given: TermArrays) -> Outcome:
        """Return everything that follows from a state."""
        terms, base = self.terms(given), self._setting.base
        return outcome(self.state_of(x), base, terms, trade_maps(base, terms), self._closure, self._labour)

    def rows(self, x: Array, given: TermArrays) -> Array:
        """Return g(x, p)."""
        return _rows(self.outcome(x, given), jnp.asarray(given.booked_rate), self._setting.aim)


def _rows(result: Outcome, booked: Array, aim: Aim) -> Array:
    """Return all outcomes as one vector, in the order of `counterpoise.policy.problem.Outcomes`."""
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


def _linear(
    pull: Callable[[Array], Array], pace: Callable[[Array], Array], target: Array, first: Array, options: Anderson
) -> tuple[Array, Array]:
    """Solve v = target + pull(v) (n,) from a first guess; return it with its error, relative to the target."""
    scale = jnp.maximum(jnp.max(jnp.abs(target)), _TINY)
    wanted = target / scale

    def evaluate(v: Array) -> tuple[Array, Array]:
        left = wanted + pull(v) - v
        return v + pace(left), jnp.max(jnp.abs(left)) / jnp.maximum(1.0, jnp.max(jnp.abs(v)))

    run = accelerate(evaluate, first / scale, options)
    return run.x * scale, run.violation


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def equilibrium(
    setting: Setting, given: TermArrays, start: Array, *, closure: Closure, labour: Labour, options: Anderson
) -> Solved:
    """Solve the equilibrium at given terms from a start (n,)."""
    maps = _Maps(setting, closure, labour)
    moved = maps.at(given)

    def evaluate(x: Array) -> tuple[Array, Array]:
        following, violation = moved(x)
        return x + _paced(setting.inverse, following - x), violation

    run = accelerate(evaluate, start, options)
    result = maps.outcome(run.x, given)
    return Solved(run.x, result.flow_cf, _rows(result, jnp.asarray(given.booked_rate), setting.aim), run.violation)


@partial(jax.jit, static_argnames=("closure", "labour"))
def inverse_at(setting: Setting, given: TermArrays, x: Array, *, closure: Closure, labour: Labour) -> Array:
    """Return the inverse of I - F_x (n, n) at a point, in single precision."""
    moved = _Maps(setting, closure, labour).at(given)

    def following(y: Array) -> Array:
        return moved(y)[0]

    left = (jnp.eye(x.size) - _jacfwd(following)(x)).astype(jnp.float32)
    return cast(Array, cast(Any, jnp.linalg).inv(left))


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def adjoints(
    setting: Setting,
    given: TermArrays,
    x: Array,
    weights: Array,
    guess: Array,
    *,
    closure: Closure,
    labour: Labour,
    options: Anderson,
) -> Slopes:
    """Differentiate weighted outcomes, one row of ``weights`` (m, outcomes) each, at a point x (n,)."""
    maps = _Maps(setting, closure, labour)
    moved = maps.at(given)

    def following(y: Array) -> Array:
        return moved(y)[0]

    to_state, direct = _vmap(_vjp(maps.rows, x, given)[1])(weights)
    pull_state: Callable[[Array], tuple[Array]] = _vjp(following, x)[1]

    def pull(v: Array) -> Array:
        return pull_state(v)[0]

    def pace(left: Array) -> Array:
        inverse = setting.inverse  # times the transposed of M, which is read as it is stored
        return (left.astype(inverse.dtype) @ inverse).astype(left.dtype) if inverse.size else left

    adjoint, error = _vmap(partial(_linear, pull, pace, options=options))(to_state, guess)
    (through,) = _vmap(_vjp(partial(maps.following, x), given)[1])(adjoint)
    return Slopes(cast(TermArrays, jax.tree.map(jnp.add, direct, through)), adjoint, error)


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def bends(
    setting: Setting,
    given: TermArrays,
    x: Array,
    weights: Array,
    adjoint: Array,
    beside: TermArrays,
    step: Array,
    *,
    closure: Closure,
    labour: Labour,
    options: Anderson,
) -> Bent:
    """Return how the derivatives of weighted outcomes turn from a point to places beside it.

    Parameters
    ----------
    x, weights, adjoint
        State (n,), rows (m, outcomes) and their adjoints (m, n) at the point.
    beside
        Terms with a leading axis B, a small step away.
    step
        What a difference is divided by.
    """
    maps = _Maps(setting, closure, labour)
    here = maps.at(given)

    def following(y: Array) -> Array:
        return here(y)[0]

    at_point, push_state = _linearize(following, x)

    def moved_to(terms: TermArrays) -> tuple[Array, Array]:
        target = (maps.following(x, terms) - at_point) / step
        return _linear(push_state, partial(_paced, setting.inverse), target, jnp.zeros_like(x), options)

    def lagrangian(y: Array, p: TermArrays, weight: Array, v: Array) -> Array:
        return weight @ maps.rows(y, p) + v @ maps.following(y, p)

    def slopes(y: Array, p: TermArrays) -> tuple[Array, TermArrays]:
        found = _vmap(partial(_grad(lagrangian, argnums=(0, 1)), y, p))(weights, adjoint)
        return cast(tuple[Array, TermArrays], found)

    moved, error = _vmap(moved_to)(beside)
    places = jnp.concatenate([x[None], x + step * moved])
    to_state, to_terms = _vmap(slopes)(places, cast(TermArrays, jax.tree.map(_before, given, beside)))
    return Bent(to_terms, (to_state[1:] - to_state[:1]) / step, moved, error)


def _before(first: Array, others: Array) -> Array:
    return jnp.concatenate([first[None], others])


def _paced(inverse: Array, left: Array) -> Array:
    """Return M times what is left of an equation (n,); unchanged without M."""
    return (inverse @ left.astype(inverse.dtype)).astype(left.dtype) if inverse.size else left
