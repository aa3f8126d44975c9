"""Newton-Krylov: Newton's method on the equilibrium map, each step solved by GMRES without ever forming a matrix.

The system is f(x) = F(x) - x, with F one sweep of the equations: every block then comes in logs, moved by what its own
market asks for, so that the residuals share one scale. The step is halved until f shrinks (Armijo), and GMRES is as
exact as the progress of f deserves (Eisenstat and Walker's second choice).

References
----------
Knoll and Keyes (2004), Journal of Computational Physics 193(2); Eisenstat and Walker (1996), SIAM Journal on Scientific
Computing 17(1); Dennis and Schnabel (1996), ch. 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.sparse import linalg

from counterpoise.solver.anderson import Run
from counterpoise.solver.options import BETWEEN, require_options

__all__ = ["NewtonKrylov", "newton_krylov"]

# JAX does not annotate these; what comes out is typed where it is used.
_linearize = cast(Any, jax.linearize)
_gmres = cast(Any, linalg).gmres

_HALVINGS = 12
"""How often a step is halved before the search gives up."""

_ARMIJO = 1e-4
"""Part of the promised decrease of the norm that a step must bring."""

_EISENSTAT_WALKER = (0.9, 2.0)
"""Gamma and alpha of their second choice."""


@dataclass(frozen=True, slots=True)
class NewtonKrylov:
    """Options of the Newton-Krylov solver.

    Parameters
    ----------
    rtol
        Largest relative violation of any equilibrium condition at which a state counts as an equilibrium.
    max_steps
        Newton steps before giving up.
    krylov
        Vectors of the Krylov space before GMRES restarts.
    restarts
        Restarts of GMRES in one Newton step.
    step_limit
        Largest change of any log in one step.
    """

    rtol: float = 1e-9
    max_steps: int = 60
    krylov: int = 60
    restarts: int = 4
    step_limit: float = 2.0
    name: str = "newton_krylov"

    def __post_init__(self) -> None:
        """Check the options, all at once."""
        require_options(
            self,
            {
                "rtol": (BETWEEN, 1e-14 <= self.rtol <= 1),
                "max_steps": ("1 or more", self.max_steps >= 1),
                "krylov": ("1 or more", self.krylov >= 1),
                "restarts": ("1 or more", self.restarts >= 1),
                "step_limit": ("more than 0", self.step_limit > 0),
            },
        )


class _Loop(NamedTuple):
    x: Array
    f: Array
    violation: Array
    best_x: Array
    best_violation: Array
    forcing: Array
    stuck: Array
    steps: Array


class _Trial(NamedTuple):
    """A step of some length: where it ends, how far off that is, and how often it was halved."""

    x: Array
    image: Array
    violation: Array
    part: Array
    norm: Array
    halved: Array


def newton_krylov(evaluate: Callable[[Array], tuple[Array, Array]], start: Array, options: NewtonKrylov) -> Run:
    """Find x with evaluate(x) = (x, 0) to ``options.rtol``.

    Parameters
    ----------
    evaluate
        Map of a vector (n,) to its image (n,) and a scalar violation, which alone decides on convergence.
    start
        First point (n,).
    options
        Stopping and safeguards.

    Returns
    -------
    The best point, its violation, and Newton steps taken.
    """

    def residual(x: Array) -> Array:
        return evaluate(x)[0] - x

    image, violation = evaluate(start)
    gamma, alpha = _EISENSTAT_WALKER
    restart = min(options.krylov, start.size)
    first = _Loop(
        start,
        image - start,
        violation,
        start,
        violation,
        jnp.asarray(0.1, start.dtype),
        jnp.asarray(False),
        jnp.zeros((), jnp.int32),
    )

    def unfinished(at: _Loop) -> Array:
        hopeful = jnp.all(jnp.isfinite(at.f)) & ~at.stuck
        return (at.best_violation > options.rtol) & (at.steps < options.max_steps) & hopeful

    def step(at: _Loop) -> _Loop:
        slope: Callable[[Array], Array] = _linearize(residual, at.x)[1]
        size = jnp.sqrt(jnp.sum(at.f * at.f))
        move: Array = _gmres(slope, -at.f, tol=at.forcing, atol=0.0, restart=restart, maxiter=options.restarts)[0]
        move = jnp.where(jnp.all(jnp.isfinite(move)), move, at.f)
        longest = jnp.max(jnp.abs(move))
        move = move * jnp.minimum(1.0, options.step_limit / jnp.maximum(longest, options.step_limit))

        def poor(trial: _Trial) -> Array:
            return ~(trial.norm <= (1.0 - _ARMIJO * trial.part) * size) & (trial.halved < _HALVINGS)

        def halve(trial: _Trial) -> _Trial:
            part = 0.5 * trial.part
            x = at.x + part * move
            image, violation = evaluate(x)
            norm = jnp.sqrt(jnp.sum((image - x) ** 2))
            return _Trial(x, image, violation, part, jnp.where(jnp.isfinite(norm), norm, jnp.inf), trial.halved + 1)

        none = jnp.asarray(-1, jnp.int32)
        first = _Trial(at.x, at.x, at.violation, jnp.asarray(2.0, start.dtype), jnp.asarray(jnp.inf, start.dtype), none)
        trial = lax.while_loop(poor, halve, first)
        x, image, violation = trial.x, trial.image, trial.violation
        newer = jnp.isfinite(violation) & (violation <= at.best_violation)
        ratio = trial.norm / jnp.maximum(size, float(np.finfo(np.float64).tiny))
        return _Loop(
            x=x,
            f=image - x,
            violation=violation,
            best_x=jnp.where(newer, x, at.best_x),
            best_violation=jnp.where(newer, violation, at.best_violation),
            forcing=jnp.clip(gamma * ratio**alpha, 1e-8, 0.1),
            stuck=trial.halved >= _HALVINGS,
            steps=at.steps + 1,
        )

    last = lax.while_loop(unfinished, step, first)
    return Run(last.best_x, last.best_violation, last.steps)
