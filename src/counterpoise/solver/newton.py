"""Newton's method for small systems, compiled as one loop: the whole Jacobian by forward differentiation.

The step is halved while it does not bring the system nearer to zero (Dennis and Schnabel 1996, ch. 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array, lax

from counterpoise.solver.anderson import Run
from counterpoise.solver.options import BETWEEN, require_options

__all__ = ["Newton", "find_zero"]

_jacfwd = cast(Any, jax.jacfwd)
_solve = cast(Callable[[Array, Array], Array], jnp.linalg.solve)


@dataclass(frozen=True, slots=True)
class Newton:
    """Options of Newton's method.

    Parameters
    ----------
    rtol
        Largest relative violation of any equilibrium condition at which a state counts as an equilibrium.
    max_steps
        Jacobians before giving up.
    step_limit
        Largest change of any log in one step.
    halvings
        How often a step is halved before it is taken all the same.
    """

    rtol: float = 1e-11
    max_steps: int = 60
    step_limit: float = 1.0
    halvings: int = 6
    name: str = "newton"

    def __post_init__(self) -> None:
        """Check the options, all at once."""
        require_options(
            self,
            {
                "rtol": (BETWEEN, 1e-14 <= self.rtol <= 1),
                "max_steps": ("1 or more", self.max_steps >= 1),
                "step_limit": ("more than 0", self.step_limit > 0),
                "halvings": ("0 or more", self.halvings >= 0),
            },
        )


class _Loop(NamedTuple):
    x: Array
    value: Array
    violation: Array
    steps: Array


def find_zero(evaluate: Callable[[Array], tuple[Array, Array]], start: Array, options: Newton) -> Run:
    """Find x with evaluate(x) = (0, violation at most ``options.rtol``).

    Parameters
    ----------
    evaluate
        Map of a vector (n,) to as many numbers that are to be zero, and a scalar violation, which alone decides on
        convergence.
    start
        First point (n,).
    options
        Stopping and safeguards.
    """
    value, violation = evaluate(start)

    def values(x: Array) -> Array:
        return evaluate(x)[0]

    def size(value: Array) -> Array:
        return jnp.sum(value * value)

    def unfinished(at: _Loop) -> Array:
        return (at.violation > options.rtol) & (at.steps < options.max_steps)

    def step(at: _Loop) -> _Loop:
        move = -_solve(_jacfwd(values)(at.x), at.value)
        longest = jnp.max(jnp.abs(move))
        move = move * jnp.minimum(1.0, options.step_limit / jnp.maximum(longest, options.step_limit))

        def poor(trial: tuple[Array, Array]) -> Array:
            part, halved = trial
            return ~(size(values(at.x + part * move)) < size(at.value)) & (halved < options.halvings)

        def halve(trial: tuple[Array, Array]) -> tuple[Array, Array]:
            return 0.5 * trial[0], trial[1] + 1

        part, _ = lax.while_loop(poor, halve, (jnp.ones((), start.dtype), jnp.zeros((), jnp.int32)))
        x = at.x + part * move
        value, violation = evaluate(x)
        return _Loop(x, value, violation, at.steps + 1)

    last = lax.while_loop(unfinished, step, _Loop(start, value, violation, jnp.zeros((), jnp.int32)))
    return Run(last.x, last.violation, last.steps)
