"""Two published models beside the main one, solved: fixed varieties with profits, and a local-distribution margin.

An `Economy` is a world with a model bound to it: the base-year arrays are made once, so that a warm solve is the
compiled kernel and nothing else. `solve_variant` turns a Shock into a labelled Solution; `equilibrium` is the bare
solve that `counterpoise.policy.tariffs` optimises over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError, LabelError, NotConvergedError, did_you_mean, raise_all
from counterpoise.core.solution import CONVERGED
from counterpoise.model import Closure, FixedLabour, Labour, Outcome, margin, ossa
from counterpoise.solver.anderson import Anderson, Run, accelerate
from counterpoise.solver.engine import solve, values_of
from counterpoise.solver.newton import Newton, find_zero

__all__ = [
    "MARGIN",
    "PROFITS",
    "Economy",
    "Equilibrium",
    "Variant",
    "equilibrium",
    "margin_economy",
    "profits_economy",
    "rebase_variant",
    "solve_variant",
]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Variant:
    """A model as functions of a state x, tariff factors and base-year arrays; static when a solve is compiled.

    ``maps`` takes tariff factors (N, N, S) to what the other functions read, so that a power is taken once. ``system``
    is zero at an equilibrium; with `Anderson` as ``solver``, x + system is the fixed-point map.
    """

    name: str
    numeraire: str
    solver: Anderson | Newton
    start: Callable[[Any], Array]
    maps: Callable[[Array, Any], Any]
    system: Callable[[Array, Any, Any], Array]
    gaps: Callable[[Array, Any, Any], dict[str, Array]]
    log_welfare: Callable[[Array, Any, Any], Array]
    steepness: Callable[[Array, Any, Any], Array]
    outcome: Callable[[Array, Array, Any], Outcome]


PROFITS = Variant(
    name="multi-sector, fixed varieties with profits",
    numeraire="sum of wage bills at its baseline value",
    solver=Newton(),
    start=ossa.start,
    maps=ossa.maps,
    system=ossa.system,
    gaps=ossa.gaps,
    log_welfare=ossa.log_welfare,
    steepness=ossa.steepness,
    outcome=ossa.outcome,
)
"""Ossa (2014)."""

MARGIN = Variant(
    name="one sector, local-distribution margin, scale economies",
    numeraire="world price level, weighted with baseline spending, at its baseline value",
    solver=Anderson(rtol=1e-10),
    start=margin.start,
    maps=margin.maps,
    system=margin.system,
    gaps=margin.gaps,
    log_welfare=margin.log_welfare,
    steepness=margin.steepness,
    outcome=margin.outcome,
)
"""Ignatenko, Lashkaripour, Macedoni and Simonovska (2025)."""


@dataclass(frozen=True, slots=True, eq=False)
class Economy:
    """A world with a model bound to it.

    Attributes
    ----------
    world, variant, labour
        The base year, the model, and how labour is supplied.
    base
        Base-year arrays of the variant.
    closure
        Registered name of what pins transfers.
    background
        What changes besides tariffs, and the tariffs in force; None: the base year's. Only the main model has any.
    main_closure
        The closure of the main model; None for a variant beside it.
    """

    world: World
    variant: Variant
    base: Any
    closure: str
    labour: Labour
    background: Shock | None = None
    main_closure: Closure | None = None

    @property
    def in_force(self) -> Shock:
        """The shock that holds where nobody has chosen anything."""
        return Shock.none(self.world) if self.background is None else self.background

    def with_tariffs(self, tariff_factor: Numbers, note: str) -> Shock:
        """Return the shock in force with other tariff factors (N, N, S); rates that do not move stay exactly equal."""
        held = self.in_force.tariff_rate_cf.to_numpy()
        rate = np.where(tariff_factor == 1.0 + held, held, tariff_factor - 1.0)
        return self.in_force.with_array("tariff_rate_cf", rate, note)


class Equilibrium(NamedTuple):
    """A bare solve: state, largest relative violation of any condition, and steps of the solver."""

    x: Array
    violation: float
    steps: int


def profits_economy(world: World, closure: str = "fixed_nominal") -> Economy:
    """Bind the model with fixed varieties and profits to a world.

    Parameters
    ----------
    world
        Without intermediate inputs; its trade elasticity is the substitution elasticity minus one.
    closure
        ``"zero"``, or ``"fixed_nominal"``: transfers keep their baseline value in the sum of wage bills.

    Raises
    ------
    InputError
        If the world has inputs or scale economies, or the closure is unknown; every reason is listed.
    """
    problems = _unfit(world)
    if bool(np.any(world.scale_elasticity.to_numpy() != 0)):
        problems.append("scale_elasticity is above 0; varieties are fixed here, set it to 0")
    if closure not in ("zero", "fixed_nominal"):
        hint = did_you_mean(closure, ("zero", "fixed_nominal"))
        problems.append(f"unknown closure '{closure}'{hint} Expected 'zero' or 'fixed_nominal'")
    raise_all(InputError, "fixed varieties with profits do not fit this world", problems)
    transfer = world.deficit.to_numpy() * (closure == "fixed_nominal")
    with jax.enable_x64(True):
        return Economy(world, PROFITS, ossa.profits_base(world, transfer), closure, FixedLabour())


def margin_economy(
    world: World,
    margin_rate: float | Mapping[str, float],
    labour: Labour | None = None,
    *,
    default: float = 0.0,
    value_added_share: float = 1.0,
) -> Economy:
    """Bind the model with a local-distribution margin to a world.

    Parameters
    ----------
    world
        One sector without inputs and without tariffs; its trade and scale elasticity are the model's epsilon and psi.
    margin_rate
        Share of spending before duty that stays with distributors at home: one number, or by country.
    labour
        `FixedLabour` (default) or `ElasticLabour`.
    default
        Rate of the countries that ``margin_rate`` does not name.
    value_added_share
        What producers do not spend on inputs, in (0, 1]; 1 is the model without inputs.

    Raises
    ------
    InputError
        If the world has several sectors, inputs or tariffs, or a rate is not in [0, 1); every reason is listed.
    LabelError
        If a country is unknown.
    """
    named = dict(margin_rate) if isinstance(margin_rate, Mapping) else {}
    strangers = [f"unknown country '{c}'{did_you_mean(c, world.countries)}" for c in named if c not in world.countries]
    raise_all(LabelError, "margin_rate names countries that the world lacks", strangers)
    common = default if isinstance(margin_rate, Mapping) else margin_rate
    rate = np.array([named.get(c, common) for c in world.countries], dtype=np.float64)
    problems = _unfit(world)
    if len(world.sectors) > 1:
        problems.append(f"{len(world.sectors)} sectors; expected one")
    if bool(np.any(world.tariff_rate.to_numpy() != 0)):
        problems.append("the base year has tariffs; the model starts from none")
    if not bool(np.all((rate >= 0) & (rate < 1))):
        problems.append("margin_rate is outside [0, 1)")
    if not 0 < value_added_share <= 1:
        problems.append(f"value_added_share = {value_added_share}; expected more than 0, at most 1")
    raise_all(InputError, "a local-distribution margin does not fit this world", problems)
    supplied = labour or FixedLabour()
    with jax.enable_x64(True):
        return Economy(
            world, MARGIN, margin.margin_base(world, rate, supplied, value_added_share), "fixed_world_share", supplied
        )


def _unfit(world: World) -> list[str]:
    return ["the world has intermediate inputs; expected none"] if bool((world.io_coefficient > 0).any()) else []


@partial(jax.jit, static_argnames=("variant", "options"))
def _compiled(base: Any, tariff_factor: Array, start: Array, *, variant: Variant, options: Anderson | Newton) -> Run:
    """Trace the whole solve."""
    return traced_solve(base, tariff_factor, start, variant, options)


def traced_solve(base: Any, tariff_factor: Array, start: Array, variant: Variant, options: Anderson | Newton) -> Run:
    """Solve inside a compiled function; judged on the largest gap of any condition."""
    trade = variant.maps(tariff_factor, base)

    def evaluate(x: Array) -> tuple[Array, Array]:
        worst = jnp.stack([jnp.max(jnp.abs(gap)) for gap in variant.gaps(x, trade, base).values()])
        moved = variant.system(x, trade, base)
        return (moved if isinstance(options, Newton) else x + moved), jnp.max(worst)

    if isinstance(options, Newton):
        return find_zero(evaluate, start, options)
    return accelerate(evaluate, start, options)


@partial(jax.jit, static_argnames=("variant",))
def _followed(base: Any, tariff_factor: Array, x: Array, *, variant: Variant) -> tuple[Outcome, dict[str, Array]]:
    """Trace what follows from a state."""
    return variant.outcome(x, tariff_factor, base), variant.gaps(x, variant.maps(tariff_factor, base), base)


def equilibrium(
    economy: Economy, tariff_factor: Numbers | Array, start: Array | None = None, *, throw: bool = True
) -> Equilibrium:
    """Solve for given tariff factors, without labels.

    Parameters
    ----------
    tariff_factor
        Counterfactual 1 + tariff (N origin, N destination, S).
    start
        State to start from; no change by default.
    throw
        Raise when no equilibrium is found.

    Raises
    ------
    NotConvergedError
        If none is found from ``start`` and from no change, by the variant's solver and by Newton's method.
    """
    variant = economy.variant
    with jax.enable_x64(True):
        still = variant.start(economy.base)
        factor = jnp.asarray(tariff_factor)
        attempts = [(still if start is None else start, variant.solver)]
        attempts += [] if start is None else [(still, variant.solver)]
        attempts += [] if isinstance(variant.solver, Newton) else [(still, Newton(rtol=variant.solver.rtol))]
        run = _run(economy, factor, *attempts[0])
        for first, options in attempts[1:]:
            if float(run.violation) <= options.rtol:
                break
            run = _run(economy, factor, first, options)
    found = Equilibrium(run.x, float(run.violation), int(run.steps))
    if throw and not found.violation <= variant.solver.rtol:
        raise NotConvergedError(
            f"no equilibrium was found after {found.steps} steps: largest violation {found.violation:.3g}, expected at "
            f"most {variant.solver.rtol:g}; try a smaller shock first"
        )
    return found


def _run(economy: Economy, factor: Array, start: Array, options: Anderson | Newton) -> Run:
    """Call the compiled solve."""
    call = cast(Callable[..., object], _compiled)
    return cast(Run, call(economy.base, factor, start, variant=economy.variant, options=options))


def solve_variant(
    economy: Economy, shock: Shock | None = None, *, start: Array | None = None, throw: bool = True
) -> Solution:
    """Solve the counterfactual of a shock to tariffs under a variant.

    Parameters
    ----------
    economy
        From `profits_economy`, `margin_economy` or `counterpoise.solver.main_variant.main_economy`.
    shock
        Tariffs only, under a variant beside the main model; None is the shock in force.
    start
        State to start from, see `equilibrium`.
    throw
        Raise when no equilibrium is found; with False the Solution comes back with another status.

    Raises
    ------
    InputError
        If the shock moves anything but tariffs.
    LabelError
        If the shock was made for other labels than the world's.
    NotConvergedError
        If no equilibrium was found.
    """
    began = time.perf_counter()
    world, variant = economy.world, economy.variant
    shock = economy.in_force if shock is None else shock
    if economy.main_closure is not None:
        return solve(world, shock, closure=economy.main_closure, labour=economy.labour, throw=throw)
    shock.require_labels(world)
    _require_tariffs_alone(shock)
    factor = 1.0 + shock.tariff_rate_cf.to_numpy()
    found = equilibrium(economy, factor, start, throw=throw)
    with jax.enable_x64(True):
        raw: object = cast(Callable[..., object], _followed)(
            economy.base, jnp.asarray(factor), found.x, variant=variant
        )
        result, gaps = cast("tuple[Outcome, dict[str, Array]]", jax.device_get(raw))
    converged = found.violation <= variant.solver.rtol
    labour = economy.labour
    parts = [variant.name] + ([f"elastic labour ({labour.rebate})"] if labour.elasticity > 0 else [])
    return Solution(
        world=world,
        shock=shock,
        status=CONVERGED if converged else ("max_steps" if np.isfinite(found.violation) else "not_finite"),
        closure=economy.closure,
        solver=variant.solver.name,
        technology=", ".join(parts),
        numeraire=variant.numeraire,
        residuals={name: float(np.max(np.abs(gap))) for name, gap in gaps.items()},
        iterations=found.steps,
        seconds=time.perf_counter() - began,
        values=values_of(world, shock, result),
    )


def _require_tariffs_alone(shock: Shock) -> None:
    """Refuse shocks that the variants do not hold."""
    problems = [f"{name} changes; use counterpoise.solver.solve for it" for name in shock.moved]
    raise_all(InputError, "this model variant takes tariffs alone", problems)


def rebase_variant(economy: Economy) -> Economy:
    """Return the economy with fixed varieties and profits whose base year is its own equilibrium without transfers.

    Raises
    ------
    InputError
        If the economy is of another variant.
    """
    if economy.variant is not PROFITS:
        raise InputError(f"only '{PROFITS.name}' is re-based; this economy is '{economy.variant.name}'")
    balanced = solve_variant(profits_economy(economy.world, "zero"))
    meta = replace(economy.world.meta, name=f"{economy.world.meta.name}, re-based to closure 'zero'")
    flow = balanced.values["flow_cf"]
    return profits_economy(economy.world.with_changes(flow=flow, consumption_share=None, meta=meta), "zero")
