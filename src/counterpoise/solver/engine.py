"""`solve`: from World and Shock to an equilibrium, or an error that says which condition fails where."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from counterpoise.core import ModelChoice, Shock, Solution, World
from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.core.solution import CONVERGED
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
    quota_cells,
    terms_along,
    unsupplied,
)
from counterpoise.solver.kernel import SOLVERS, Answer, Reached, Solver, approach, solve_kernel, solver_named

__all__ = [
    "SOLVERS",
    "PathPoint",
    "rebase",
    "require_unique",
    "require_usable",
    "solution_of",
    "solve",
    "solve_path",
    "solver_named",
    "values_of",
]


def solve(
    world: World,
    shock: Shock | None = None,
    *,
    closure: Closure | str = "fixed_world_share",
    solver: Solver | str = "anderson",
    labour: Labour | None = None,
    model: ModelChoice | str | None = None,
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
        An instance, or ``"anderson"`` (default), ``"newton_krylov"``, ``"plain"``.
    labour
        `FixedLabour` (default), `ElasticLabour`, or `SectorLabour` for the short run.
    model
        A `ModelChoice` or the name of a technology, as in the ``[model]`` table of a scenario: ``"input_output"`` (what
        the world holds: the default), ``"multi_sector"``, ``"one_sector"``, ``"fixed_varieties"``,
        ``"distribution_margin"``. The Solution then holds world and shock as that model sees them.
    throw
        Raise when no equilibrium is found; with False the Solution comes back with a status other than ``"converged"``.
    rtol
        Largest relative violation of any equilibrium condition; overrides the solver's (1e-9).

    Raises
    ------
    LabelError
        If the shock was made for other labels than the world's.
    InputError
        If an option is unknown, the closure is refused, a line cannot be opened, the model does not hold what the shock
        changes, or scale economies are so strong that the equilibrium need not be unique (see
        `counterpoise.solver.equilibria`).
    UnbalancedError
        If the world violates an accounting identity.
    NotConvergedError
        If no equilibrium was found, and which condition is worst where; also when an embargo leaves a buyer without
        any supplier.
    """
    if model is not None:
        from counterpoise.solver.choice import solve_choice

        return solve_choice(world, shock, model, closure=closure, solver=solver, labour=labour, throw=throw, rtol=rtol)
    world.require_balanced()
    return _solve(world, shock, closure=closure, solver=solver, labour=labour, throw=throw, rtol=rtol)


def rebase(world: World, closure: Closure | str = "zero", *, solver: Solver | str = "anderson") -> World:
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
    """An equilibrium on the way to a shock, in levels of the numeraire; trade arrays are (N, N, S).

    ``price_rate`` is what the buyer pays over customs value, less 1; ``export_factor`` customs value over what the
    producer gets; ``flow_if_open`` what a line would sell per unit of expenditure share that its opening adds.
    """

    flow: np.ndarray
    unit_cost: np.ndarray
    price_index: np.ndarray
    income: np.ndarray
    wage_bill: np.ndarray
    output: np.ndarray
    welfare: np.ndarray
    transfer: np.ndarray
    price_rate: np.ndarray
    export_factor: np.ndarray
    flow_if_open: np.ndarray
    log_labour: np.ndarray


def solve_path(
    world: World,
    shock: Shock,
    fractions: np.ndarray,
    *,
    closure: Closure | str = "fixed_world_share",
    solver: Solver | str = "anderson",
    labour: Labour | None = None,
) -> list[PathPoint]:
    """Solve equilibria on the path from the baseline (0) to the shock (1), each started from the one before.

    Parameters
    ----------
    fractions
        Rising positions on the path, see `counterpoise.model.terms_along`.
    labour
        As in `solve`.

    Raises
    ------
    NotConvergedError
        If a point has no equilibrium.
    """
    world.require_balanced()
    shock.require_labels(world)
    raise_all(InputError, "the shock cannot be used", shock.opening_problems(world))
    bound = closure_named(closure, world.countries)
    options = dataclasses.replace(solver_named(solver), rtol=min(1e-12, solver_named(solver).rtol))
    points: list[PathPoint] = []
    with jax.enable_x64(True):
        base = baseline_of(world)
        terms = terms_along(world, shock, 0.0)
        state = initial_state(len(world.countries), len(world.sectors), terms)
        for fraction in fractions:
            terms = terms_along(world, shock, float(fraction))
            answer = solve_kernel(base, terms, state, closure=bound, labour=labour or FixedLabour(), options=options)
            if not float(answer.violation) <= 1e-9:
                raise NotConvergedError(
                    f"no equilibrium was found {100 * fraction:.1f} % of the way to the shock: largest violation "
                    f"{float(answer.violation):.3g}; try a smaller shock or another closure"
                )
            state = answer.state
            points.append(_path_point(world, shock, base, terms, answer))
    return points


def _path_point(world: World, shock: Shock, base: Baseline, terms: Terms, answer: Answer) -> PathPoint:
    """Collect what the decomposition needs."""
    result = jax.device_get(answer.outcome)
    theta = np.asarray(base.trade_elasticity)[:, None, None]
    tariff_factor, subsidy = 1.0 + np.asarray(terms.tariff_rate), np.asarray(terms.purchase_subsidy_rate)
    buyer = np.array(terms.price_factor)
    seller = np.ones_like(buyer) if terms.export_tax_rate is None else 1.0 + np.asarray(terms.export_tax_rate)
    cells = quota_cells(world, shock)
    if len(cells):
        at = (cells[:, 2], cells[:, 0], cells[:, 1])
        part = shock.quota_exporter_share.to_numpy()[tuple(cells.T)]
        rent = np.asarray(result.quota_wedge) / (part + (1.0 - part) / tariff_factor[at])
        buyer[at] = (tariff_factor[at] + (1.0 - part) * rent / (1.0 + part * rent)) * (1.0 - subsidy[at])
        seller[at] *= 1.0 + part * rent
    kappa = buyer * seller / (1.0 + np.asarray(base.tariff_rate)) * np.asarray(terms.trade_cost_hat)
    landed = np.asarray(result.unit_cost_hat).T[:, :, None] * kappa / np.asarray(result.price_index_hat).T[:, None, :]
    flow_if_open = landed**-theta / buyer * np.asarray(result.expenditure_cf).T[:, None, :]
    wage_bill = np.asarray(base.value_added) * result.wage_hat * result.labour_hat
    return PathPoint(
        flow=result.flow_cf,
        unit_cost=result.unit_cost_hat,
        price_index=result.price_index_hat,
        income=result.income_cf,
        wage_bill=wage_bill,
        output=result.gross_output_cf,
        welfare=result.welfare_hat,
        transfer=result.transfer_cf,
        price_rate=np.moveaxis(buyer - 1.0, 0, 2),
        export_factor=np.moveaxis(seller, 0, 2),
        flow_if_open=np.moveaxis(flow_if_open, 0, 2),
        log_labour=np.log(result.labour_hat),
    )


def _solve(
    world: World,
    shock: Shock | None,
    *,
    closure: Closure | str,
    solver: Solver | str,
    labour: Labour | None,
    throw: bool,
    rtol: float | None,
) -> Solution:
    began = time.perf_counter()
    shock = Shock.none(world) if shock is None else shock
    require_usable(world, shock)
    bound = closure_named(closure, world.countries)
    require_unique(world)
    options = solver_named(solver)
    if rtol is not None:
        options = dataclasses.replace(options, rtol=rtol)
    with jax.enable_x64(True):
        base = baseline_of(world)
        found = approach(world, shock, base, bound, labour or FixedLabour(), options)
        found = found._replace(answer=jax.device_get(found.answer))
    solution = solution_of(world, shock, found, bound, labour, options, began)
    if throw and not solution.converged:
        raise NotConvergedError(_failure(world, solution, found, options), solution=solution)
    return solution


def require_usable(world: World, shock: Shock) -> None:
    """Refuse a shock that has other labels, opens what cannot be opened, or leaves a buyer without any supplier.

    Raises
    ------
    LabelError
        If the shock was made for other labels.
    InputError
        If a line cannot be opened.
    NotConvergedError
        If a buyer is left without supplier: no equilibrium exists.
    """
    shock.require_labels(world)
    raise_all(InputError, "the shock cannot be used", shock.opening_problems(world))
    stranded = [
        f"{country} has no supplier of {sector} left; lift the embargo from one origin, its own included"
        for country, sector in unsupplied(world, shock)
    ]
    raise_all(NotConvergedError, "no equilibrium exists", stranded)


def solution_of(
    world: World,
    shock: Shock,
    found: Reached,
    closure: Closure,
    labour: Labour | None,
    options: Solver,
    began: float,
) -> Solution:
    """Label an answer; ``began`` is when its solve started (`time.perf_counter`)."""
    worst = _by_name(found.answer.residuals)
    return Solution(
        world=world,
        shock=shock,
        status=_status(found.answer, worst, options),
        closure=closure.name,
        solver=found.route,
        technology=_technology(world, labour),
        numeraire="world value added at its baseline value",
        residuals=worst,
        iterations=found.steps,
        seconds=time.perf_counter() - began,
        values=values_of(world, shock, found.answer.outcome),
        labour=labour or FixedLabour(),
    )


def require_unique(world: World) -> None:
    """Raise InputError where scale economies are so strong that the equilibrium need not be unique."""
    product = world.scale_elasticity.to_numpy() * world.trade_elasticity.to_numpy()
    problems = [
        f"{world.sectors[s]}: scale_elasticity x trade_elasticity = {product[s]:.3g}; expected at most 1"
        for s in np.flatnonzero(product > 1.0 + 1e-12).tolist()
    ]
    raise_all(
        InputError,
        "the equilibrium need not be unique (Kucheryavyy, Lyn and Rodriguez-Clare 2023); to search for all of them use "
        "counterpoise.solver.equilibria, or counterpoise simulate --equilibria 32",
        problems,
    )


def _status(answer: Answer, worst: Mapping[str, float], options: Solver) -> str:
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
    strength = world.scale_elasticity.to_numpy() * world.trade_elasticity.to_numpy()
    if bool(np.any(strength > 0)):
        bound = "the equilibrium is unique" if strength.max() <= 1.0 + 1e-12 else "equilibria can be many"
        words.append(f"scale economies (scale x trade elasticity up to {strength.max():.3g}: {bound})")
    if labour is not None and labour.elasticity > 0:
        words.append(f"elastic labour ({labour.rebate})")
    if labour is not None and not math.isinf(labour.mobility):
        words.append(f"labour tied to sectors (mobility {labour.mobility:g})")
    return ", ".join(words)


def _by_name(gaps: Mapping[str, Array]) -> dict[str, float]:
    return {name: float(np.max(np.abs(values))) for name, values in gaps.items()}


_OPTIONAL = ("sector_wage_hat", "export_tax_revenue_cf", "quota_rent_cf")
"""Quantities that the equations leave out where a part is not used; a Solution then holds what they amount to."""

_BARE = ("transfer_cf", "quota_wedge", "quota_volume", "quota_importer_rent", "quota_exporter_rent", *_OPTIONAL)
"""Fields of an outcome that are no quantity of the vocabulary, or may be None."""


def values_of(world: World, shock: Shock, result: Outcome) -> dict[str, np.ndarray]:
    """Return the quantities of the vocabulary that follow from the compiled outcome, as bare arrays."""
    values = {
        name: np.asarray(value) for name, value in result._asdict().items() if name not in _BARE and value is not None
    }
    values["real_wage_hat"] = values["wage_hat"] / values["consumer_price_hat"]
    n, s = len(world.countries), len(world.sectors)
    same_wage = np.broadcast_to(values["wage_hat"][:, None], (n, s))
    nothing = np.broadcast_to(np.zeros(()), (n,))
    for name, otherwise in zip(_OPTIONAL, (same_wage, nothing, nothing), strict=True):
        found = getattr(result, name)
        values[name] = otherwise if found is None else np.asarray(found)
    values["quota_wedge_rate"] = np.broadcast_to(np.zeros(()), (n, n, s))
    if result.quota_wedge is not None:
        wedge = np.zeros((n, n, s))
        wedge[tuple(quota_cells(world, shock).T)] = np.asarray(result.quota_wedge)
        values["quota_wedge_rate"] = wedge
    return values


def _failure(world: World, solution: Solution, found: Reached, options: Solver) -> str:
    """Say which condition is worst where, and what to try."""
    gaps = found.answer.residuals
    followed = f" Steps towards the shock end {100 * found.followed:.0f} % of the way." if found.followed > 0 else ""
    incomes: list[float] = solution.values["income_cf"].tolist()
    poor = [country for country, income in zip(world.countries, incomes, strict=True) if income <= 0]
    if poor:
        return (
            f"no equilibrium was found after {solution.iterations} sweeps: the income of {', '.join(poor)} is not "
            f"positive, since closure '{solution.closure}' makes it pay more abroad than it earns; take a smaller "
            f"shock or another closure.{followed}"
        )
    name = max(solution.residuals, key=lambda k: np.nan_to_num(solution.residuals[k], nan=np.inf))
    values = np.nan_to_num(np.abs(np.asarray(gaps[name])), nan=np.inf)
    cell = np.unravel_index(int(np.argmax(values)), values.shape)
    if name == "quota":
        i, j, s = quota_cells(world, solution.shock)[cell[0]].tolist()
        where = f"{world.countries[i]} -> {world.countries[j]}, {world.sectors[s]}"
    else:
        where = ", ".join(labels[k] for labels, k in zip((world.countries, world.sectors), cell, strict=False))
    return (
        f"no equilibrium was found ({solution.status}) after {solution.iterations} sweeps: "
        f"the worst condition is {name} at {where}, off by {solution.residuals[name]:.3g} relative, expected at most "
        f"{options.rtol:g}.{followed} Try a smaller shock first, a lower trade elasticity where it is extreme, "
        f"another closure, or a solver with max_steps={10 * options.max_steps}; throw=False returns the last state"
    )
