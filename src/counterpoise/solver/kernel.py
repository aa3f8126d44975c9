"""The compiled solve, and how a shock is reached when it cannot be had at once.

First the solver that was asked for. Then, for the default one, Newton-Krylov from the best point found. Then the shock
is approached from the baseline in steps that grow while they succeed and shrink while they fail. What was used is
told. A solver that was given fewer steps than the default stays on its own: who limits the work wants it limited.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, cast

import jax
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.model import (
    Baseline,
    Closure,
    Labour,
    Outcome,
    State,
    Terms,
    initial_state,
    outcome,
    residuals,
    sweep,
    terms_along,
    trade_maps,
)
from counterpoise.solver.anderson import Anderson, accelerate
from counterpoise.solver.krylov import NewtonKrylov, newton_krylov

__all__ = ["SOLVERS", "Answer", "Reached", "Solver", "approach", "reached", "solve_kernel", "solver_named"]

Solver = Anderson | NewtonKrylov

SOLVERS: dict[str, Solver] = {
    "anderson": Anderson(),
    "newton_krylov": NewtonKrylov(),
    "plain": Anderson(memory=0, max_steps=20000, name="plain"),
}
"""Solvers by registered name: the default, the alternative, and the plain iteration as an independent check."""

_FIRST_STEP = 0.25
"""Part of the shock that continuation tries first."""

_SHORTEST_STEP = 1.0 / 128.0
"""Part of the shock below which continuation gives up."""

_ATTEMPTS = 40
"""Solves after which continuation gives up."""


class Answer(NamedTuple):
    """What the compiled solve returns."""

    state: State
    outcome: Outcome
    residuals: dict[str, Array]
    violation: Array
    steps: Array


class Reached(NamedTuple):
    """The last answer, sweeps in all, how it was come by, and the part of the shock that has an equilibrium.

    ``followed`` is 1 where the answer is an equilibrium of the whole shock.
    """

    answer: Answer
    steps: int
    route: str
    followed: float


def solve_kernel(
    base: Baseline, terms: Terms, start: State, *, closure: Closure, labour: Labour, options: Solver
) -> Answer:
    """Solve from a start, in one compiled call."""
    return cast(Answer, _compiled(base, terms, start, closure=closure, labour=labour, options=options))


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def _compiled(
    base: Baseline, terms: Terms, start: State, *, closure: Closure, labour: Labour, options: Solver
) -> Answer:
    """Trace the whole solve: the maps of the shock, the iteration, and what follows from its end."""
    trade = trade_maps(base, terms)
    vector, state_of = ravel_pytree(start)

    def evaluate(x: Array) -> tuple[Array, Array]:
        following, violation = sweep(state_of(x), base, trade, closure, labour)
        return ravel_pytree(following)[0], violation

    search = newton_krylov if isinstance(options, NewtonKrylov) else accelerate
    run = search(evaluate, vector, options)  # pyright: ignore[reportArgumentType]
    state = state_of(run.x)
    return Answer(
        state=state,
        outcome=outcome(state, base, terms, trade, closure, labour),
        residuals=residuals(state, base, trade, closure, labour),
        violation=run.violation,
        steps=run.steps,
    )


def solver_named(solver: Solver | str) -> Solver:
    """Return the solver of a name, or the instance itself; raise InputError for an unknown name."""
    if isinstance(solver, (Anderson, NewtonKrylov)):
        return solver
    if solver not in SOLVERS:
        raise InputError(f"unknown solver '{solver}'{did_you_mean(solver, SOLVERS)} Known: {', '.join(SOLVERS)}")
    return SOLVERS[solver]


def reached(answer: Answer, options: Solver) -> bool:
    """Say whether an answer is an equilibrium; NaN is not."""
    return float(answer.violation) <= options.rtol


def approach(
    world: World,
    shock: Shock,
    base: Baseline,
    closure: Closure,
    labour: Labour,
    options: Solver,
    start: State | None = None,
) -> Reached:
    """Solve at once, or with the fallback, or by continuation; see the module.

    Parameters
    ----------
    world, shock, base
        Baseline, the shock, and the baseline as arrays.
    closure, labour, options
        The parts, and the solver asked for.
    start
        First state; by default that of no change.
    """
    terms = terms_along(world, shock, 1.0)
    unmoved = initial_state(len(world.countries), len(world.sectors), terms)
    answer = solve_kernel(base, terms, start or unmoved, closure=closure, labour=labour, options=options)
    steps = int(answer.steps)
    if reached(answer, options):
        return Reached(answer, steps, options.name, 1.0)
    if options.max_steps < type(options)().max_steps:
        return Reached(answer, steps, options.name, 0.0)
    fallback = NewtonKrylov(rtol=options.rtol) if options.name == "anderson" else None

    def attempt(terms: Terms, start: State) -> tuple[Answer, int, bool]:
        """Solve with the solver asked for, then with the fallback from where it stopped."""
        first = solve_kernel(base, terms, start, closure=closure, labour=labour, options=options)
        if reached(first, options) or fallback is None:
            return first, int(first.steps), False
        second = rescue(first, terms, start)
        return second, int(first.steps) + int(second.steps), True

    def rescue(failed: Answer, terms: Terms, start: State) -> Answer:
        assert fallback is not None
        at = failed.state if _close(failed) else start
        return solve_kernel(base, terms, at, closure=closure, labour=labour, options=fallback)

    if fallback is not None:
        second = rescue(answer, terms, start or unmoved)
        steps += int(second.steps)
        if reached(second, fallback):
            return Reached(second, steps, f"{options.name}, then {fallback.name}", 1.0)
        answer = min(answer, second, key=_largest_gap)
    position, length, state = 0.0, _FIRST_STEP, unmoved
    helped = False
    for attempts in range(1, _ATTEMPTS + 1):
        goal = min(1.0, position + length)
        found, taken, with_fallback = attempt(terms if goal == 1.0 else terms_along(world, shock, goal), state)
        steps += taken
        if reached(found, options):
            helped |= with_fallback
            position, length, state = goal, 2.0 * length, found.state
            if goal == 1.0:
                names = f"{options.name} and {fallback.name}" if helped and fallback is not None else options.name
                return Reached(found, steps, f"{names}, {attempts} steps of continuation", 1.0)
            continue
        if _ruined(found):
            last = solve_kernel(base, terms, found.state, closure=closure, labour=labour, options=fallback or options)
            return Reached(last if _ruined(last) else found, steps + int(last.steps), options.name, position)
        length = 0.5 * (goal - position)
        if length < _SHORTEST_STEP:
            break
    return Reached(answer, steps, options.name, position)


def _largest_gap(answer: Answer) -> float:
    """Return the largest violation of the conditions alone, so that a root with an income below zero is seen as one."""
    return max(float(np.nan_to_num(np.max(np.abs(np.asarray(gap))), nan=np.inf)) for gap in answer.residuals.values())


def _ruined(answer: Answer) -> bool:
    """Say whether an answer solves the equations with an income that is not positive; more of the shock is no help."""
    return _largest_gap(answer) <= 1e-6 and float(np.min(np.asarray(answer.outcome.income_cf))) <= 0.0


def _close(answer: Answer) -> bool:
    """Say whether a failed answer is worth starting from: finite and not absurdly far off."""
    return float(answer.violation) < 1.0 and all(
        bool(np.all(np.isfinite(np.asarray(part)))) for part in answer.state if part is not None
    )
