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

from counterpoise.solver.options import BETWEEN, require_options

__all__ = ["Anderson", "Progress", "Run", "accelerate", "advance", "begin", "unfinished"]


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
        require_options(
            self,
            {
                "rtol": (BETWEEN, 1e-14 <= self.rtol <= 1),
                "max_steps": ("1 or more", self.max_steps >= 1),
                "memory": ("0 to 50", 0 <= self.memory <= 50),
                "step_limit": ("more than 0", self.step_limit > 0),
                "tolerated_growth": ("1 or more", self.tolerated_growth >= 1),
            },
        )


class Run(NamedTuple):
    """Where the acceleration stopped: the best point, its violation, and evaluations of the map."""

    x: Array
    violation: Array
    steps: Array


class Progress(NamedTuple):
    """Where the loop stands.

    ``dx`` and ``df`` (memory, n) hold differences of points and of residuals f = image - x; ``gram`` is df df' and
    ``slope`` df f, both kept up to date row by row, so that a step reads the history three times. Rows beyond ``kept``
    steps of age are finite, and masked out of the small system.
    """

    x: Array
    image: Array
    violation: Array
    best_x: Array
    best_image: Array
    best_violation: Array
    dx: Array
    df: Array
    gram: Array
    slope: Array
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
    last = lax.while_loop(
        lambda at: unfinished(at, options), lambda at: _step(evaluate, at, options), begin(evaluate, start, options)
    )
    return Run(last.best_x, last.best_violation, last.steps)


def advance(evaluate: Callable[[Array], tuple[Array, Array]], at: Progress, options: Anderson, budget: int) -> Progress:
    """Go on for at most ``budget`` evaluations, so that a batch can drop its finished members in between."""
    limit = at.steps + budget

    def going(now: Progress) -> Array:
        return unfinished(now, options) & (now.steps < limit)

    return lax.while_loop(going, lambda now: _step(evaluate, now, options), at)


def unfinished(at: Progress, options: Anderson) -> Array:
    """Say whether the iteration has neither arrived nor given up."""
    hopeful = jnp.isfinite(at.best_violation) & (at.damping > 1e-4)
    return (at.best_violation > options.rtol) & (at.steps < options.max_steps) & hopeful


# JAX does not annotate it.
_replaced = cast(Callable[[Array, Array, Array, int], Array], lax.dynamic_update_index_in_dim)


def begin(evaluate: Callable[[Array], tuple[Array, Array]], start: Array, options: Anderson) -> Progress:
    """Evaluate the map at the start; no history yet."""
    memory = max(options.memory, 1)
    image, violation = evaluate(start)
    history = jnp.zeros((memory, start.size), dtype=start.dtype)
    gram = jnp.zeros((memory, memory), dtype=start.dtype)
    one = jnp.ones((), dtype=start.dtype)
    zero = jnp.zeros((), dtype=jnp.int32)
    return Progress(
        start, image, violation, start, image, violation, history, history, gram, gram[0], zero, one, zero + 1
    )


def _step(evaluate: Callable[[Array], tuple[Array, Array]], at: Progress, options: Anderson) -> Progress:
    """Move to the accelerated point, or back to the best one when that makes things much worse."""
    memory = max(options.memory, 1)
    f = at.image - at.x
    age = jnp.mod(at.steps - 2 - jnp.arange(memory), memory)
    usable = (age < at.kept).astype(f.dtype)
    gram = at.gram * usable[:, None] * usable[None, :]
    ridge = options.regularisation * jnp.trace(gram) + float(np.finfo(np.float64).tiny)
    weights = cast(Array, jnp.linalg.solve(gram + jnp.diag(ridge + (1.0 - usable)), at.slope * usable))
    move = at.damping * f - weights @ at.dx - at.damping * (weights @ at.df)
    move = jnp.where(jnp.all(jnp.isfinite(move)), move, at.damping * f)
    longest = jnp.max(jnp.abs(move))
    x = at.x + move * jnp.minimum(1.0, options.step_limit / jnp.maximum(longest, options.step_limit))
    image, violation = evaluate(x)
    following = image - x
    sound = jnp.isfinite(violation) & jnp.all(jnp.isfinite(image))
    accepted = sound & (violation <= options.tolerated_growth * at.best_violation)
    newer = sound & (violation <= at.best_violation)
    slot = jnp.mod(at.steps - 1, memory)
    dx = _replaced(at.dx, jnp.where(accepted, x - at.x, 0.0), slot, 0)
    changed = jnp.where(accepted, following - f, 0.0)
    df = _replaced(at.df, changed, slot, 0)
    slope = df @ jnp.where(accepted, following, 0.0)
    # df f at the point before is known but for the new row, so the new row of df df' is the difference of the two.
    row = _replaced(slope - at.slope, changed @ changed, slot, 0)
    return Progress(
        x=jnp.where(accepted, x, at.best_x),
        image=jnp.where(accepted, image, at.best_image),
        violation=jnp.where(accepted, violation, at.best_violation),
        best_x=jnp.where(newer, x, at.best_x),
        best_image=jnp.where(newer, image, at.best_image),
        best_violation=jnp.where(newer, violation, at.best_violation),
        dx=dx,
        df=df,
        gram=at.gram.at[slot, :].set(row).at[:, slot].set(row),
        slope=slope,
        kept=jnp.where(accepted, jnp.minimum(at.kept + 1, options.memory), 0),
        damping=jnp.where(accepted, jnp.minimum(1.0, at.damping * 1.1), at.damping * 0.5),
        steps=at.steps + 1,
    )
