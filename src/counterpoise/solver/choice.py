"""`solve` under a model that is named: shape world and shock, bind the model, solve."""

from __future__ import annotations

from counterpoise.core import Shock, Solution, World
from counterpoise.core.choice import ModelChoice, choice_named, closure_problem
from counterpoise.core.errors import InputError, raise_all
from counterpoise.core.reduction import one_sector_shock, one_sector_world, shaped_world
from counterpoise.model import Closure, Labour, labour_of
from counterpoise.solver.engine import solve
from counterpoise.solver.kernel import Solver
from counterpoise.solver.variants import margin_economy, profits_economy, solve_variant

__all__ = ["solve_choice"]


def solve_choice(
    world: World,
    shock: Shock | None,
    model: ModelChoice | str,
    *,
    closure: Closure | str,
    solver: Solver | str,
    labour: Labour | None,
    throw: bool,
    rtol: float | None,
) -> Solution:
    """Solve a shock under a chosen model; parameters and errors as in `counterpoise.solver.solve`.

    Returns
    -------
    A Solution whose world and shock are those that the model sees: in one sector, where it has one.
    """
    choice = choice_named(model)
    _require_fitting(choice, closure, solver, labour, rtol)
    world.require_balanced()
    shock = Shock.none(world) if shock is None else shock
    shock.require_labels(world)
    own = shaped_world(world, choice)
    if choice.one_sector:
        own = one_sector_world(world, choice)
        shock = one_sector_shock(world, shock, own, choice)
    supplied = labour or labour_of(choice)
    if choice.technology == "fixed_varieties":
        return solve_variant(profits_economy(own, _name(closure)), shock, throw=throw)
    if choice.technology == "distribution_margin":
        margin = 0.0 if choice.margin_rate is None else choice.margin_rate
        inputs = 1.0 if choice.value_added_share is None else choice.value_added_share
        return solve_variant(margin_economy(own, margin, supplied, value_added_share=inputs), shock, throw=throw)
    return solve(own, shock, closure=closure, solver=solver, labour=supplied, throw=throw, rtol=rtol)


def _require_fitting(
    choice: ModelChoice, closure: Closure | str, solver: Solver | str, labour: Labour | None, rtol: float | None
) -> None:
    """Refuse options that the chosen model does not take, or that it names itself; all at once."""
    problems: list[str] = []
    unfit = closure_problem(choice.technology, _name(closure))
    if unfit is not None:
        problems.append(f"closure {unfit}")
    if labour is not None and labour_of(choice) is not None:
        problems.append("labour is given beside a model that names its own; keep one")
    if choice.tariffs_alone:
        if labour is not None:
            problems.append(f"labour has no place beside technology '{choice.technology}'; name it in the model")
        if solver != "anderson" or rtol is not None:
            problems.append(f"technology '{choice.technology}' has a solver of its own; leave solver and rtol out")
    raise_all(InputError, f"the model '{choice.technology}' cannot be solved as asked", problems)


def _name(closure: Closure | str) -> str:
    return closure if isinstance(closure, str) else closure.name
