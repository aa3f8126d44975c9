"""How a batch is run: one member after the other in a compiled loop, or all together with the finished ones dropped.

On a processor core a member fits the cache and its loop ends when it has converged, so members are run in turn, a chunk
in each compiled call and a chunk on each thread. On a GPU members go together, a few sweeps a round; after each round
those that are done leave, and the rest moves up into a smaller compiled call (sizes are powers of two).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from counterpoise.model import Baseline, Closure, Labour, Outcome, Terms, initial_state, outcome, sweep, trade_maps
from counterpoise.solver.anderson import Anderson, Progress, accelerate, advance, begin, unfinished

__all__ = ["Lanes", "Member", "Plan", "device", "run_lanes"]

Lanes = Literal["auto", "in_turn", "together"]
"""``in_turn`` for processors, ``together`` for GPUs; ``auto`` takes what fits the device."""

_ROUND = 12
"""Sweeps between two looks at who is done."""

_jit = cast(Any, jax.jit)
_vmap = cast(Any, jax.vmap)


class Member(NamedTuple):
    """The end of one member; with a leading axis, of several."""

    outcome: Outcome
    violation: Array
    steps: Array


class Plan(NamedTuple):
    """What all members share: parts, solver, and whether terms and flows by sector come one per member."""

    closure: Closure
    labour: Labour
    options: Anderson
    many_terms: bool
    full_flow: bool


_Evaluate = Callable[[Array], tuple[Array, Array]]
_Followed = Callable[[Array], Outcome]
_T = TypeVar("_T")


def _system(
    base: Baseline, theta: Array, terms: Terms, plan: Plan
) -> tuple[_Evaluate, Array, Callable[[Array], Outcome]]:
    """Return the map of one member, its start, and what follows from a point."""
    countries, sectors = base.gross_output.shape
    start, state_of = ravel_pytree(initial_state(countries, sectors, terms))
    drawn = base._replace(trade_elasticity=theta)
    trade = trade_maps(drawn, terms)

    def evaluate(x: Array) -> tuple[Array, Array]:
        following, violation = sweep(state_of(x), drawn, trade, plan.closure, plan.labour)
        return ravel_pytree(following)[0], violation

    def followed(x: Array) -> Outcome:
        result = outcome(state_of(x), drawn, terms, trade, plan.closure, plan.labour)
        return result if plan.full_flow else result._replace(flow_cf=jnp.sum(result.flow_cf, axis=2))

    return evaluate, start, followed


@partial(_jit, static_argnames=("plan",))
def _in_turn(base: Baseline, elasticity: Array, terms: Terms, *, plan: Plan) -> Member:
    """Solve a chunk (draws, S), each member to its own end."""

    def one(given: tuple[Array, Terms | None]) -> Member:
        theta, own = given
        evaluate, start, followed = _system(base, theta, terms if own is None else own, plan)
        run = accelerate(evaluate, start, plan.options)
        return Member(followed(run.x), run.violation, run.steps)

    return cast(Member, lax.map(one, (elasticity, terms if plan.many_terms else None)))


@partial(_jit, static_argnames=("plan",))
def _started(base: Baseline, elasticity: Array, terms: Terms, *, plan: Plan) -> Progress:
    def one(theta: Array, terms: Terms) -> Progress:
        evaluate, start, _ = _system(base, theta, terms, plan)
        return begin(evaluate, start, plan.options)

    return _vmap(one, in_axes=(0, 0 if plan.many_terms else None))(elasticity, terms)


@partial(_jit, static_argnames=("plan",))
def _advanced(base: Baseline, elasticity: Array, terms: Terms, at: Progress, *, plan: Plan) -> tuple[Progress, Array]:
    def one(theta: Array, terms: Terms, at: Progress) -> tuple[Progress, Array]:
        evaluate, _, _ = _system(base, theta, terms, plan)
        now = advance(evaluate, at, plan.options, _ROUND)
        return now, unfinished(now, plan.options)

    return _vmap(one, in_axes=(0, 0 if plan.many_terms else None, 0))(elasticity, terms, at)


@partial(_jit, static_argnames=("plan",))
def _ended(base: Baseline, elasticity: Array, terms: Terms, x: Array, *, plan: Plan) -> Outcome:
    def one(theta: Array, terms: Terms, x: Array) -> Outcome:
        return _system(base, theta, terms, plan)[2](x)

    return _vmap(one, in_axes=(0, 0 if plan.many_terms else None, 0))(elasticity, terms, x)


def _together(base: Baseline, elasticity: Array, terms: Terms, plan: Plan) -> Member:
    """Solve a chunk in rounds; whoever is done leaves, so that the rest costs less."""
    count = len(elasticity)
    at = cast(Progress, _started(base, elasticity, terms, plan=plan))
    x = np.zeros(at.best_x.shape)
    violation, steps = np.zeros(count), np.zeros(count, dtype=np.int32)
    active: NDArray[np.intp] = np.arange(count)
    theta, own = elasticity, terms
    while True:
        at, going = cast("tuple[Progress, Array]", _advanced(base, theta, own, at, plan=plan))
        open_ = np.asarray(going)[: len(active)]
        done = np.flatnonzero(~open_)
        x[active[done]] = np.asarray(at.best_x)[done]
        violation[active[done]] = np.asarray(at.best_violation)[done]
        steps[active[done]] = np.asarray(at.steps)[done]
        left = np.flatnonzero(open_)
        if not left.size:
            break
        if left.size < len(active):
            active = active[left]
            size = min(len(theta), 1 << int(left.size - 1).bit_length())
            kept = np.resize(left, size)
            at, theta = _taken(at, kept), theta[kept]
            own = _taken(own, kept) if plan.many_terms else own
    return Member(
        _ended(base, elasticity, terms, jnp.asarray(x), plan=plan), jnp.asarray(violation), jnp.asarray(steps)
    )


def _taken(tree: _T, places: NDArray[np.intp]) -> _T:
    """Pick members of every array of a tree."""

    def pick(leaf: Array) -> Array:
        return leaf[places]

    return cast(_T, jax.tree.map(pick, tree))


def device() -> tuple[str, str]:
    """Return what JAX runs on: ``cpu``, ``gpu`` or another platform, and its kind."""
    first = cast(Any, jax.devices)()[0]
    return str(first.platform), str(first.device_kind)


def run_lanes(
    base: Baseline,
    elasticity: NDArray[np.float64],
    terms_at: Callable[[NDArray[np.intp]], Terms],
    plan: Plan,
    *,
    lanes: Lanes,
    chunk: int | None,
    workers: int | None,
) -> Iterator[Member]:
    """Yield the chunks of a batch in order, as NumPy arrays; the last one is padded with its last member.

    Parameters
    ----------
    base
        Baseline of all members.
    elasticity
        (draws, S).
    terms_at
        Returns the terms of the members at some places.
    plan
        What all members share.
    lanes, chunk, workers
        See `counterpoise.solver.solve_batch`. Leaving early, as an interrupt does, drops the chunks not begun.
    """
    if lanes == "auto":
        lanes = "in_turn" if jax.default_backend() == "cpu" else "together"
    count = len(elasticity)
    size = min(chunk or (8 if lanes == "in_turn" else 4096), count)
    solve = partial(_in_turn, plan=plan) if lanes == "in_turn" else partial(_together, plan=plan)

    def run(first: int) -> Member:
        picked = np.minimum(np.arange(first, first + size), count - 1)
        with jax.enable_x64(True):
            return cast(Member, jax.device_get(solve(base, jnp.asarray(elasticity[picked]), terms_at(picked))))

    threads = (workers or os.cpu_count() or 1) if lanes == "in_turn" else 1
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        yield from pool.map(run, range(0, count, size))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
