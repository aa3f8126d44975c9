"""Safeguarded Anderson acceleration of a fixed-point map, compiled as one loop.

References
----------
Anderson (1965), Journal of the ACM 12(4); Walker and Ni (2011), SIAM Journal on Numerical Analysis 49(4);
Zhang, O'Donoghue and Boyd (2020), SIAM Journal on Optimization 30(4), for the safeguard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from counterpoise.core.errors import InputError

__all__ = ["Anderson", "Run", "accelerate"]


@dataclass(frozen=True, slots=True)
class Anderson:
    """Options of the default solver.

    Parameters
    ----------
    rtol
        Largest relative violation of any equilibrium condition at which a state counts as an equilibrium.
    max_steps
        Evaluations of the map before giving up.
    memory
        Differences kept; 0 gives the plain iteration.
    step_limit
        Largest change of any log in one step.
    tolerated_growth
        How far the violation may rise above the best so far before history is dropped and the step halved.
    regularisation
        Of the least squares, relative to its trace.
    """

    rtol: float = 1e-9
    max_steps: int = 2000
    memory: int = 12
    step_limit: float = 1.0
    tolerated_growth: float = 20.0
    regularisation: float = 1e-14
    name: str = "anderson"

    def __post_init__(self) -> None:
        """Check the options, all at once."""
        problems = [
            f"{label} = {value}; expected {rule}"
            for label, value, rule, fine in (
                ("rtol", self.rtol, "between 1e-14 and 1", 1e-14 <= self.rtol <= 1),
                ("max_steps", self.max_steps, "1 or more", self.max_steps >= 1),
                ("memory", self.memory, "0 to 50", 0 <= self.memory <= 50),
                ("step_limit", self.step_limit, "more than 0", self.step_limit > 0),
                ("tolerated_growth", self.tolerated_growth, "1 or more", self.tolerated_growth >= 1),
            )
            if not fine
        ]
        if problems:
            raise InputError("solver options cannot be used: " + "; ".join(problems), problems)


class Run(NamedTuple):
    """Where the acceleration stopped: the best point, its violation, and evaluations of the map."""

    x: Array
    violation: Array
    steps: Array


class _Loop(NamedTuple):
    x: Array
    image: Array
    violation: Array
    best_x: Array
    best_image: Array
    best_violation: Array
    dx: Array
    df: Array
    kept: Array
    damping: Array
    steps: Array


def accelerate(evaluate: Callable[[Array], tuple[Array, Array]], start: Array, options: Anderson) -> Run:
    """Find x with evaluate(x) = (x, 0) to ``options.rtol``.

    Parameters
    ----------
    evaluate
        Map of a vector (n,) to its image (n,) and a scalar violation, which alone decides on convergence.
    start
        First point (n,).
    options
        Stopping and safeguards.
    """
    memory = max(options.memory, 1)
    image, violation = evaluate(start)
    empty = jnp.zeros((memory, start.size), dtype=start.dtype)
    one = jnp.ones((), dtype=start.dtype)
    zero = jnp.zeros((), dtype=jnp.int32)
    first = _Loop(start, image, violation, start, image, violation, empty, empty, zero, one, zero + 1)

    def unfinished(at: _Loop) -> Array:
        hopeful = jnp.isfinite(at.best_violation) & (at.damping > 1e-4)
        return (at.best_violation > options.rtol) & (at.steps < options.max_steps) & hopeful

    def step(at: _Loop) -> _Loop:
        f = at.image - at.x
        usable = (jnp.arange(memory) < at.kept).astype(f.dtype)
        df, dx = at.df * usable[:, None], at.dx * usable[:, None]
        gram = df @ df.T
        ridge = options.regularisation * jnp.trace(gram) + float(np.finfo(np.float64).tiny)
        weights = cast(Array, jnp.linalg.solve(gram + jnp.diag(ridge + (1.0 - usable)), df @ f))
        move = at.damping * f - weights @ (dx + at.damping * df)
        move = jnp.where(jnp.all(jnp.isfinite(move)), move, at.damping * f)
        longest = jnp.max(jnp.abs(move))
        x = at.x + move * jnp.minimum(1.0, options.step_limit / jnp.maximum(longest, options.step_limit))
        image, violation = evaluate(x)
        steps = at.steps + 1
        sound = jnp.isfinite(violation) & jnp.all(jnp.isfinite(image))
        accepted = sound & (violation <= options.tolerated_growth * at.best_violation)
        slot = jnp.mod(at.steps - 1, memory)
        newer = sound & (violation <= at.best_violation)
        kept = jnp.minimum(at.kept + 1, options.memory)
        return _Loop(
            x=jnp.where(accepted, x, at.best_x),
            image=jnp.where(accepted, image, at.best_image),
            violation=jnp.where(accepted, violation, at.best_violation),
            best_x=jnp.where(newer, x, at.best_x),
            best_image=jnp.where(newer, image, at.best_image),
            best_violation=jnp.where(newer, violation, at.best_violation),
            dx=jnp.where(accepted, at.dx.at[slot].set(x - at.x), 0.0),
            df=jnp.where(accepted, at.df.at[slot].set(image - x - f), 0.0),
            kept=jnp.where(accepted, kept, 0),
            damping=jnp.where(accepted, jnp.minimum(1.0, at.damping * 1.1), at.damping * 0.5),
            steps=steps,
        )

    last = lax.while_loop(unfinished, step, first)
    return Run(last.best_x, last.best_violation, last.steps)
