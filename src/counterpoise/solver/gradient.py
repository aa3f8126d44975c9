r"""Exact gradients of any outcome of an equilibrium, to every instrument and parameter at once, by one adjoint solve.

At an equilibrium x = F(x, p). For an outcome g(x, p) the implicit function theorem gives::

    dg/dp = g_p + v' F_p,    v = g_x + F_x' v

The adjoint equation has the size of the state and is solved by the same accelerated iteration as the equilibrium; all
derivatives are automatic, of the same equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from counterpoise.core import Solution
from counterpoise.core.errors import InputError, NotConvergedError, did_you_mean
from counterpoise.core.labels import coordinates, dim_labels, index_of
from counterpoise.core.variables import variable
from counterpoise.model import (
    OPTIONAL_PARTS,
    Baseline,
    Closure,
    FixedLabour,
    Labour,
    Outcome,
    State,
    Terms,
    baseline_of,
    closed_lines,
    closure_named,
    initial_state,
    outcome,
    quota_cells,
    sweep,
    terms_of,
    trade_maps,
)
from counterpoise.solver.anderson import Anderson, accelerate

__all__ = ["Gap", "Gradient", "Objective", "Welfare", "gradient"]


_MEMORY = 20
"""Differences kept by the accelerated iteration of the adjoint; on a linear equation it is as good as GMRES."""

_STEPS = 1200
"""Evaluations of the transposed map before giving up."""

_UNLIMITED = 1e300
"""The adjoint is linear, so steps need no safeguard of their length."""


class Objective:
    """A scalar outcome: subclasses are frozen, hashable, and evaluate an `Outcome` under JAX."""

    def value(self, result: Outcome, base: Baseline) -> Array:
        """Return the outcome as a scalar that JAX can differentiate."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Welfare(Objective):
    """Exact real income of one country over its baseline, by position in the world's countries."""

    country: int

    def value(self, result: Outcome, base: Baseline) -> Array:
        """Return ``welfare_hat`` of the country."""
        return result.welfare_hat[self.country]


@dataclass(frozen=True, slots=True)
class Gap(Objective):
    """What one country sells to another minus what it buys from it, USD at customs value, by positions."""

    origin: int
    destination: int

    def value(self, result: Outcome, base: Baseline) -> Array:
        """Return the bilateral gap."""
        i, j = self.origin, self.destination
        return jnp.sum(result.flow_cf[i, j]) - jnp.sum(result.flow_cf[j, i])


@dataclass(frozen=True, slots=True)
class Custom(Objective):
    """Any function of an `Outcome` and the `Baseline` that JAX can differentiate."""

    function: Callable[[Outcome, Baseline], Array]

    def value(self, result: Outcome, base: Baseline) -> Array:
        """Return what the function returns."""
        return self.function(result, base)


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """Derivatives of one outcome at one equilibrium.

    ``value`` is the outcome; the arrays are labelled as the instruments and parameters they belong to: derivative per
    unit of a rate (so 0.01 of it per percentage point), of a hat, or of a USD, whether or not the shock uses the
    instrument. Quotas are the exception: where there is none, there is no limit to move, and the derivative is 0.
    Where a quota just binds or just does not, the outcome has a kink; the derivative is that of the side the solution
    is on. ``trade_elasticity`` and ``scale_elasticity`` are (S,). Parameters move with the baseline data held fixed,
    as in a sensitivity analysis. ``residual`` is the relative error of the adjoint solve.
    """

    value: float
    tariff_rate_cf: xr.DataArray
    purchase_subsidy_rate: xr.DataArray
    export_tax_rate: xr.DataArray
    iceberg_cost_hat: xr.DataArray
    non_tariff_cost_hat: xr.DataArray
    productivity_hat: xr.DataArray
    labour_supply_hat: xr.DataArray
    demand_hat: xr.DataArray
    potential_flow: xr.DataArray
    quota_limit: xr.DataArray
    quota_exporter_share: xr.DataArray
    trade_elasticity: xr.DataArray
    scale_elasticity: xr.DataArray
    residual: float


class _Adjoint(NamedTuple):
    """What the compiled adjoint returns."""

    value: Array
    base: Baseline
    terms: Terms
    error: Array
    violation: Array


@partial(jax.jit, static_argnames=("objective", "closure", "labour", "rtol"))
def _compiled(
    base: Baseline,
    terms: Terms,
    state: State,
    *,
    objective: Objective,
    closure: Closure,
    labour: Labour,
    rtol: float,
) -> _Adjoint:
    """Trace outcome, adjoint iteration and the derivative of the map to baseline and terms."""
    x, state_of = ravel_pytree(state)

    def goal(x: Array, base: Baseline, terms: Terms) -> Array:
        maps = trade_maps(base, terms)
        return objective.value(outcome(state_of(x), base, terms, maps, closure, labour), base)

    def mapped(x: Array, base: Baseline, terms: Terms) -> Array:
        following, _ = sweep(state_of(x), base, trade_maps(base, terms), closure, labour)
        return ravel_pytree(following)[0]

    value, goal_x, goal_base, goal_terms = _pulled(goal, x, base, terms)
    trade = trade_maps(base, terms)

    def moved(y: Array) -> Array:
        return ravel_pytree(sweep(state_of(y), base, trade, closure, labour)[0])[0]

    pull_state: Callable[[Array], tuple[Array]] = _vjp(moved, x)[1]
    scale = jnp.maximum(jnp.max(jnp.abs(goal_x)), float(np.finfo(np.float64).tiny))

    def adjoint_map(v: Array) -> tuple[Array, Array]:
        image = goal_x / scale + pull_state(v)[0]
        return image, jnp.max(jnp.abs(image - v)) / jnp.maximum(1.0, jnp.max(jnp.abs(v)))

    options = Anderson(rtol=rtol, max_steps=_STEPS, memory=_MEMORY, step_limit=_UNLIMITED, tolerated_growth=_UNLIMITED)
    run = accelerate(adjoint_map, goal_x / scale, options)
    adjoint, error = run.x, run.violation
    pull_parameters: Callable[[Array], tuple[Baseline, Terms]] = _vjp(partial(mapped, x), base, terms)[1]
    map_base, map_terms = pull_parameters(adjoint * scale)
    total_base = cast(Baseline, jax.tree.map(jnp.add, goal_base, map_base))
    total_terms = cast(Terms, jax.tree.map(jnp.add, goal_terms, map_terms))
    violation = sweep(state, base, trade, closure, labour)[1]
    return _Adjoint(value, total_base, total_terms, error, violation)


# JAX does not annotate it; what comes out is typed where it is used.
_vjp = cast(Any, jax.vjp)


def _pulled(
    goal: Callable[[Array, Baseline, Terms], Array], x: Array, base: Baseline, terms: Terms
) -> tuple[Array, Array, Baseline, Terms]:
    """Return a scalar and its derivatives to state, baseline and terms."""
    value, pull = _vjp(goal, x, base, terms)
    to_state, to_base, to_terms = pull(jnp.ones_like(value))
    return value, to_state, to_base, to_terms


def gradient(
    solution: Solution,
    outcome_of: Objective | Callable[[Outcome, Baseline], Array] | tuple[str, ...],
    *,
    closure: Closure | str | None = None,
    labour: Labour | None = None,
    rtol: float = 1e-10,
) -> Gradient:
    """Differentiate one outcome of a solved counterfactual to all instruments and the trade elasticities.

    Parameters
    ----------
    solution
        A converged Solution; gradients are taken there.
    outcome_of
        ``("welfare_hat", country)``, ``("gap_usd", origin, destination)``, an `Objective`, or a function of
        (Outcome, Baseline) that JAX can differentiate; a named function compiles once, a new lambda each time.
    closure
        The closure the solution was solved with, if it was not a plain registered name.
    labour
        The labour supply the solution was solved with, if it was not fixed.
    rtol
        Relative accuracy of the adjoint solve.

    Raises
    ------
    NotConvergedError
        If the solution is no equilibrium, or the adjoint iteration fails.
    InputError
        If the outcome is unknown.
    """
    if not solution.converged:
        raise NotConvergedError(
            f"the solution is '{solution.status}'; a gradient needs an equilibrium", solution=solution
        )
    world, shock = solution.world, solution.shock
    objective = _objective(solution, outcome_of)
    bound = closure_named(closure or solution.closure, world.countries)
    supply = labour or cast("Labour | None", solution.labour) or FixedLabour()
    with jax.enable_x64(True):
        base, terms = baseline_of(world), terms_of(world, shock, OPTIONAL_PARTS)
        raw: object = cast(Callable[..., object], _compiled)(
            base,
            terms,
            state_of_solution(solution, terms),
            objective=objective,
            closure=bound,
            labour=supply,
            rtol=0.1 * rtol,
        )
        answer = cast(_Adjoint, jax.device_get(raw))
    if not float(answer.violation) <= _AT_EQUILIBRIUM:
        raise InputError(
            f"the solution is no equilibrium with closure '{bound.name}' and labour supply '{supply.name}': a "
            f"condition is off by {float(answer.violation):.3g}, expected at most {_AT_EQUILIBRIUM:g}; pass the "
            "closure and labour it was solved with (a solution of counterpoise.solver.variants has its own derivatives)"
        )
    error = float(answer.error)
    if not error <= rtol:
        raise NotConvergedError(
            f"the adjoint equation was solved to {error:.3g} only, expected {rtol:g}; try a larger rtol",
            solution=solution,
        )
    labels = dim_labels(world.countries, world.sectors)

    def array(name: str, values: Array | NDArray[np.float64] | None) -> xr.DataArray:
        dims = variable(name).dims
        assert values is not None
        return xr.DataArray(np.asarray(values), dims=dims, coords=coordinates(dims, labels), name=name)

    def trade(values: Array | None) -> NDArray[np.float64]:
        return np.moveaxis(np.asarray(values), 0, 2)

    slopes = answer.terms
    spent = (world.flow.to_numpy() * (1.0 + world.tariff_rate.to_numpy())).sum(axis=0)
    per_potential = (1.0 + world.tariff_rate.to_numpy()) / np.where(spent > 0, spent, 1.0)
    of_limit, of_part = np.zeros_like(per_potential), np.zeros_like(per_potential)
    if slopes.quotas is not None:
        at = tuple(quota_cells(world, shock).T)
        of_limit[at], of_part[at] = slopes.quotas.limit, slopes.quotas.exporter_share
    return Gradient(
        value=float(answer.value),
        tariff_rate_cf=array("tariff_rate_cf", trade(slopes.tariff_rate)),
        purchase_subsidy_rate=array("purchase_subsidy_rate", trade(slopes.purchase_subsidy_rate)),
        export_tax_rate=array("export_tax_rate", trade(slopes.export_tax_rate)),
        iceberg_cost_hat=array("iceberg_cost_hat", trade(slopes.iceberg_cost_hat)),
        non_tariff_cost_hat=array("non_tariff_cost_hat", trade(slopes.non_tariff_cost_hat)),
        productivity_hat=array("productivity_hat", slopes.productivity_hat),
        labour_supply_hat=array("labour_supply_hat", slopes.labour_supply_hat),
        demand_hat=array("demand_hat", slopes.demand_hat),
        potential_flow=array("potential_flow", trade(slopes.latent_share) * per_potential * ~closed_lines(shock)),
        quota_limit=array("quota_limit", of_limit),
        quota_exporter_share=array("quota_exporter_share", of_part),
        trade_elasticity=array("trade_elasticity", answer.base.trade_elasticity),
        scale_elasticity=array("scale_elasticity", answer.base.scale_elasticity),
        residual=error,
    )


def state_of_solution(solution: Solution, terms: Terms) -> State:
    """Return the state of a solution, with the parts that ``terms`` have, to start an adjoint from it."""
    world, shock, values = solution.world, solution.shock, solution.values
    output = world.gross_output.to_numpy()
    made = values["gross_output_cf"] / np.where(output > 0, output, 1.0)
    state = initial_state(len(world.countries), len(world.sectors), terms)
    export_revenue = scarcity = None
    if state.export_revenue is not None:
        part, wedge = shock.quota_exporter_share.to_numpy(), values["quota_wedge_rate"]
        rent = wedge / (part + (1.0 - part) / (1.0 + shock.tariff_rate_cf.to_numpy()))
        seller = (1.0 + shock.export_tax_rate.to_numpy()) * (1.0 + part * rent)
        taken = (values["flow_cf"] * (1.0 - 1.0 / seller)).sum(axis=(1, 2))
        export_revenue = jnp.asarray(taken / (world.value_added_share.to_numpy() * output).sum(axis=1))
    if terms.quotas is not None:
        wedge = values["quota_wedge_rate"][tuple(quota_cells(world, shock).T)]
        scarcity = jnp.asarray(np.where(wedge > 0, np.log1p(wedge), -1.0))
    return State(
        wage=jnp.log(jnp.asarray(values["wage_hat"])),
        price=jnp.log(jnp.asarray(values["price_index_hat"])),
        output=jnp.where(output > 0, jnp.log(jnp.maximum(jnp.asarray(made), 1e-30)), 0.0),
        labour=jnp.log(jnp.asarray(values["labour_hat"])),
        export_revenue=export_revenue,
        scarcity=scarcity,
    )


_AT_EQUILIBRIUM = 1e-6
"""Violation of a condition above which a solution is one of other equations: a thousand times what a solve leaves."""


def _objective(
    solution: Solution, wanted: Objective | Callable[[Outcome, Baseline], Array] | tuple[str, ...]
) -> Objective:
    """Turn what the caller named into an objective with positions."""
    if isinstance(wanted, Objective):
        return wanted
    if callable(wanted):
        return Custom(wanted)
    places = [index_of(solution.world.countries, label, "country") for label in wanted[1:]]
    known = {("welfare_hat", 1): "one country", ("gap_usd", 2): "origin and destination"}
    if (wanted[0], len(places)) not in known:
        names = {name for name, _ in known}
        hint = did_you_mean(wanted[0], names)
        raise InputError(
            f"unknown outcome {wanted!r}{hint} Expected ('welfare_hat', country) or ('gap_usd', origin, destination)"
        )
    return Welfare(*places) if wanted[0] == "welfare_hat" else Gap(*places)
