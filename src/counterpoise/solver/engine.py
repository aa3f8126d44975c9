"""`solve`: from World and Shock to an equilibrium, or an error that says which condition fails where."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, cast

import jax
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError, NotConvergedError, did_you_mean, raise_all
from counterpoise.core.solution import CONVERGED
from counterpoise.model import (
    Baseline,
    Closure,
    FixedLabour,
    Labour,
    Outcome,
    State,
    Terms,
    baseline_of,
    closure_named,
    initial_state,
    outcome,
    residuals,
    sweep,
    terms_along,
    trade_maps,
    unsupplied,
)
from counterpoise.solver.anderson import Anderson, accelerate

__all__ = ["SOLVERS", "PathPoint", "rebase", "solve", "solve_path", "solver_named"]

SOLVERS: dict[str, Anderson] = {"anderson": Anderson(), "plain": Anderson(memory=0, max_steps=20000, name="plain")}
"""Solvers by registered name: the default, and the plain iteration as an independent check."""

_CONTINUATION = (4, 16)
"""Numbers of steps in which a shock is approached when it cannot be solved at once."""


class _Answer(NamedTuple):
    """What the compiled solve returns."""

    state: State
    outcome: Outcome
    residuals: dict[str, Array]
    violation: Array
    steps: Array


def _solve_kernel(
    base: Baseline, terms: Terms, start: State, *, closure: Closure, labour: Labour, options: Anderson
) -> _Answer:
    """Solve from a start, in one compiled call."""
    return cast(_Answer, _compiled(base, terms, start, closure=closure, labour=labour, options=options))


@partial(jax.jit, static_argnames=("closure", "labour", "options"))
def _compiled(
    base: Baseline, terms: Terms, start: State, *, closure: Closure, labour: Labour, options: Anderson
) -> _Answer:
    """Trace the whole solve: the maps of the shock, the accelerated iteration, and what follows from its end."""
    trade = trade_maps(base, terms)
    vector, state_of = ravel_pytree(start)

    def evaluate(x: Array) -> tuple[Array, Array]:
        following, violation = sweep(state_of(x), base, trade, closure, labour)
        return ravel_pytree(following)[0], violation

    run = accelerate(evaluate, vector, options)
    state = state_of(run.x)
    return _Answer(
        state=state,
        outcome=outcome(state, base, terms, trade, closure, labour),
        residuals=residuals(state, base, trade, closure, labour),
        violation=run.violation,
        steps=run.steps,
    )


def solve(
    world: World,
    shock: Shock | None = None,
    *,
    closure: Closure | str = "fixed_world_share",
    solver: Anderson | str = "anderson",
    labour: Labour | None = None,
    throw: bool = True,
    rtol: float | None = None,
) -> Solution:
    """Solve the counterfactual equilibrium of a shock.

    Parameters
    ----------
    world
        Balanced base year.
    shock
        What changes; None changes nothing.
    closure
        How aggregate deficits are pinned down: an instance, or ``"fixed_world_share"`` (default), ``"zero"``,
        ``"fixed_nominal"``.
    solver
        An instance, or ``"anderson"`` (default), ``"plain"``.
    labour
        `FixedLabour` (default) or `ElasticLabour`.
    throw
        Raise when no equilibrium is found; with False the Solution comes back with a status other than ``"converged"``.
    rtol
        Largest relative violation of any equilibrium condition; overrides the solver's (1e-9).

    Raises
    ------
    LabelError
        If the shock was made for other labels than the world's.
    InputError
        If an option is unknown, or the closure is refused.
    UnbalancedError
        If the world violates an accounting identity.
    NotConvergedError
        If no equilibrium was found, and which condition is worst where; also when an embargo leaves a buyer without
        any supplier.
    """
    world.require_balanced()
    return _solve(world, shock, closure=closure, solver=solver, labour=labour, throw=throw, rtol=rtol)


def rebase(world: World, closure: Closure | str = "zero", *, solver: Anderson | str = "anderson") -> World:
    """Return the counterfactual of no shock as a new, balanced base year.

    The usual first step of replications: tables whose spending and income do not agree, or whose deficits are to be
    removed, become a consistent world with the same tariffs and shares of technology and taste.

    Parameters
    ----------
    world
        Base year; need not balance, since consumption shares and closure say where its equilibrium is.
    closure
        How deficits are pinned down in the new base year.
    """
    solution = _solve(world, None, closure=closure, solver=solver, labour=None, throw=True, rtol=1e-12)
    meta = dataclasses.replace(world.meta, name=f"{world.meta.name}, re-based to closure '{solution.closure}'")
    return world.with_changes(flow=solution.values["flow_cf"], consumption_share=world.consumption_share, meta=meta)


class PathPoint(NamedTuple):
    """An equilibrium on the way to a shock, in levels of the numeraire; trade arrays are (N, N, S)."""

    flow: np.ndarray
    unit_cost: np.ndarray
    income: np.ndarray
    welfare: np.ndarray
    transfer: np.ndarray
    price_rate: np.ndarray
    flow_if_open: np.ndarray


def solve_path(
    world: World,
    shock: Shock,
    fractions: np.ndarray,
    *,
    closure: Closure | str = "fixed_world_share",
    solver: Anderson | str = "anderson",
) -> list[PathPoint]:
    """Solve equilibria on the path from the baseline (0) to the shock (1), each started from the one before.

    Parameters
    ----------
    fractions
        Rising positions on the path, see `counterpoise.model.terms_along`.

    Raises
    ------
    NotConvergedError
        If a point has no equilibrium.
    """
    world.require_balanced()
    shock.require_labels(world)
    bound = closure_named(closure, world.countries)
    options = dataclasses.replace(solver_named(solver), rtol=min(1e-12, solver_named(solver).rtol))
    points: list[PathPoint] = []
    with jax.enable_x64(True):
        base = baseline_of(world)
        state = initial_state(len(world.countries), len(world.sectors))
        for fraction in fractions:
            terms = terms_along(world, shock, float(fraction))
            answer = _solve_kernel(base, terms, state, closure=bound, labour=FixedLabour(), options=options)
            if not float(answer.violation) <= 1e-9:
                raise NotConvergedError(
                    f"no equilibrium was found {100 * fraction:.1f} % of the way to the shock: largest violation "
                    f"{float(answer.violation):.3g}; try a smaller shock or another closure"
                )
            state = answer.state
            points.append(_path_point(base, terms, answer))
    return points


def _path_point(base: Baseline, terms: Terms, answer: _Answer) -> PathPoint:
    """Collect what the decomposition needs; ``flow_if_open`` is what a closing line would sell per unit of openness."""
    result = jax.device_get(answer.outcome)
    theta = np.asarray(base.trade_elasticity)[:, None, None]
    price_factor = np.asarray(terms.price_factor)
    kappa = price_factor / (1.0 + np.asarray(base.tariff_rate)) * np.asarray(terms.iceberg_cost_hat)
    landed = np.asarray(result.unit_cost_hat).T[:, :, None] * kappa / np.asarray(result.price_index_hat).T[:, None, :]
    unhindered = np.asarray(base.expenditure_share) * landed**-theta / price_factor
    flow_if_open = np.moveaxis(unhindered * np.asarray(result.expenditure_cf).T[:, None, :], 0, 2)
    return PathPoint(
        flow=result.flow_cf,
        unit_cost=result.unit_cost_hat,
        income=result.income_cf,
        welfare=result.welfare_hat,
        transfer=result.transfer_cf,
        price_rate=np.moveaxis(price_factor - 1.0, 0, 2),
        flow_if_open=flow_if_open,
    )


def _solve(
    world: World,
    shock: Shock | None,
    *,
    closure: Closure | str,
    solver: Anderson | str,
    labour: Labour | None,
    throw: bool,
    rtol: float | None,
) -> Solution:
    began = time.perf_counter()
    shock = Shock.none(world) if shock is None else shock
    shock.require_labels(world)
    bound = closure_named(closure, world.countries)
    _refuse_many_equilibria(world)
    options = solver_named(solver)
    if rtol is not None:
        options = dataclasses.replace(options, rtol=rtol)
    stranded = [
        f"{country} has no supplier of {sector} left; lift the embargo from one origin, its own included"
        for country, sector in unsupplied(world, shock)
    ]
    raise_all(NotConvergedError, "no equilibrium exists", stranded)
    with jax.enable_x64(True):
        base = baseline_of(world)
        answer, steps = _approach(world, shock, base, bound, labour or FixedLabour(), options)
        answer = jax.device_get(answer)
    worst = _by_name(answer.residuals)
    status = _status(answer, worst, options)
    solution = Solution(
        world=world,
        shock=shock,
        status=status,
        closure=bound.name,
        solver=options.name,
        technology=_technology(world, labour),
        numeraire="world value added at its baseline value",
        residuals=worst,
        iterations=steps,
        seconds=time.perf_counter() - began,
        values=_values(answer.outcome),
    )
    if throw and not solution.converged:
        raise NotConvergedError(_failure(world, solution, answer.residuals, options), solution=solution)
    return solution


def _approach(
    world: World, shock: Shock, base: Baseline, closure: Closure, labour: Labour, options: Anderson
) -> tuple[_Answer, int]:
    """Solve at once, or by continuation in 4, then 16 steps when that fails; return the last answer, all sweeps."""
    total = 0
    start = initial_state(len(world.countries), len(world.sectors))
    terms = terms_along(world, shock, 1.0)
    answer = _solve_kernel(base, terms, start, closure=closure, labour=labour, options=options)
    total += int(answer.steps)
    for stages in _CONTINUATION:
        if _reached(answer, options):
            break
        state = start
        for stage in range(1, stages + 1):
            terms = terms_along(world, shock, stage / stages)
            answer = _solve_kernel(base, terms, state, closure=closure, labour=labour, options=options)
            total += int(answer.steps)
            if not _reached(answer, options):
                break
            state = answer.state
    return answer, total


def _reached(answer: _Answer, options: Anderson) -> bool:
    """Say whether an answer is an equilibrium; NaN is not."""
    return float(answer.violation) <= options.rtol


def solver_named(solver: Anderson | str) -> Anderson:
    """Return the solver of a name, or the instance itself; raise InputError for an unknown name."""
    if isinstance(solver, Anderson):
        return solver
    if solver not in SOLVERS:
        raise InputError(f"unknown solver '{solver}'{did_you_mean(solver, SOLVERS)} Known: {', '.join(SOLVERS)}")
    return SOLVERS[solver]


def _refuse_many_equilibria(world: World) -> None:
    """Raise InputError where scale economies are so strong that the equilibrium need not be unique."""
    product = world.scale_elasticity.to_numpy() * world.trade_elasticity.to_numpy()
    problems = [
        f"{world.sectors[s]}: scale_elasticity x trade_elasticity = {product[s]:.3g}; expected at most 1"
        for s in np.flatnonzero(product > 1.0 + 1e-12).tolist()
    ]
    raise_all(InputError, "the equilibrium need not be unique (Kucheryavyy, Lyn and Rodriguez-Clare 2023)", problems)


def _status(answer: _Answer, worst: Mapping[str, float], options: Anderson) -> str:
    """Say how the solve ended; only an equilibrium with positive incomes is "converged"."""
    if not all(np.isfinite(value) for value in (float(answer.violation), *worst.values())):
        return "not_finite"
    if np.min(np.asarray(answer.outcome.income_cf)) <= 0:
        return "negative_income"
    return CONVERGED if float(answer.violation) <= options.rtol else "max_steps"


def _technology(world: World, labour: Labour | None) -> str:
    """Name the parts a world and its labour supply amount to."""
    words = ["one sector" if len(world.sectors) == 1 else "multi-sector"]
    if bool(np.any(world.io_coefficient.to_numpy() > 0)):
        words.append("input-output links")
    if bool(np.any(world.scale_elasticity.to_numpy() > 0)):
        words.append("scale economies")
    if labour is not None and labour.elasticity > 0:
        words.append(f"elastic labour ({labour.rebate})")
    return ", ".join(words)


def _by_name(gaps: Mapping[str, Array]) -> dict[str, float]:
    return {name: float(np.max(np.abs(values))) for name, values in gaps.items()}


def _values(result: Outcome) -> dict[str, np.ndarray]:
    """Return the quantities of the vocabulary that follow from the compiled outcome, as bare arrays."""
    values = {name: np.asarray(value) for name, value in result._asdict().items() if name != "transfer_cf"}
    return values | {"real_wage_hat": values["wage_hat"] / values["consumer_price_hat"]}


def _failure(world: World, solution: Solution, gaps: Mapping[str, Array], options: Anderson) -> str:
    """Say which condition is worst where, and what to try."""
    incomes: list[float] = solution.values["income_cf"].tolist()
    poor = [country for country, income in zip(world.countries, incomes, strict=True) if income <= 0]
    if poor:
        return (
            f"no equilibrium was found after {solution.iterations} sweeps: the income of {', '.join(poor)} is not "
            f"positive, since closure '{solution.closure}' makes it pay more abroad than it earns; take a smaller "
            "shock or another closure"
        )
    name = max(solution.residuals, key=lambda k: np.nan_to_num(solution.residuals[k], nan=np.inf))
    values = np.nan_to_num(np.abs(np.asarray(gaps[name])), nan=np.inf)
    cell = np.unravel_index(int(np.argmax(values)), values.shape)
    where = ", ".join(labels[k] for labels, k in zip((world.countries, world.sectors), cell, strict=False))
    return (
        f"no equilibrium was found ({solution.status}) after {solution.iterations} sweeps, continuation included: "
        f"the worst condition is {name} at {where}, off by {solution.residuals[name]:.3g} relative, expected at most "
        f"{options.rtol:g}. Try a smaller shock first, a lower trade elasticity where it is extreme, another closure, "
        f"or solver=Anderson(max_steps={10 * options.max_steps}); throw=False returns the last state"
    )
