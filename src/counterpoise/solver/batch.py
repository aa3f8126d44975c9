"""Many counterfactuals of one world in compiled batches: several shocks, or draws of the elasticities.

A member that has converged stops costing, see `counterpoise.solver.lanes`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.core.labels import dim_labels
from counterpoise.core.variables import variable
from counterpoise.model import (
    Closure,
    FixedLabour,
    Labour,
    Outcome,
    Terms,
    baseline_of,
    closure_named,
    terms_alike,
    unsupplied,
)
from counterpoise.solver.anderson import Anderson
from counterpoise.solver.kernel import solver_named
from counterpoise.solver.lanes import Lanes, Member, Plan, run_lanes

__all__ = ["Batch", "elasticity_draws", "solve_batch"]

_KEPT = (
    "wage_hat",
    "consumer_price_hat",
    "labour_hat",
    "income_cf",
    "tariff_revenue_cf",
    "purchase_cost_cf",
    "welfare_hat",
)
_KEPT_IF_USED = ("export_tax_revenue_cf", "quota_rent_cf")
"""Quantities by country that every batch returns, and those that it returns where a shock has such a part."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Solved counterfactuals of one world; the first axis of every array is ``draw``.

    ``data`` holds labelled arrays by vocabulary name; ``pair_flow_cf`` (draw, origin, destination) the flows summed
    over sectors, USD at customs value. ``violation`` (draw,) is the largest relative violation of any condition,
    ``iterations`` (draw,) the sweeps.
    """

    data: xr.Dataset
    violation: NDArray[np.float64]
    iterations: NDArray[np.int32]
    seconds: float

    def gap_cf_usd(self, origin: str, destination: str) -> NDArray[np.float64]:
        """Return what ``origin`` sells to ``destination`` minus what it buys from it, (draw,), USD at customs value."""
        flow = self.data["pair_flow_cf"]
        there = flow.sel(origin=origin, destination=destination).to_numpy()
        return there - flow.sel(origin=destination, destination=origin).to_numpy()


def solve_batch(
    world: World,
    shocks: Shock | Sequence[Shock],
    *,
    trade_elasticity: ArrayLike | None = None,
    closure: Closure | str = "fixed_world_share",
    solver: Anderson | str = "anderson",
    labour: Labour | None = None,
    flows: bool = False,
    chunk: int | None = None,
    workers: int | None = None,
    lanes: Lanes = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Batch:
    """Solve many counterfactuals of one world.

    Parameters
    ----------
    world
        Balanced base year.
    shocks
        One shock for all draws, or one per draw.
    trade_elasticity
        (draws, S), positive; the world's own for all draws by default. Baseline data are held fixed.
    closure, solver, labour
        As in `counterpoise.solver.solve`.
    flows
        Keep ``flow_cf`` by sector as well (N, N, S) for every draw.
    chunk
        Draws in one compiled call: by default 8 in turn, or 4096 together.
    workers
        Threads that take chunks in turn; by default the number of processors.
    lanes
        ``"in_turn"``: each draw to its own end, for processors. ``"together"``: all draws of a chunk at once; those
        that are done leave every few sweeps, for GPUs. ``"auto"`` takes what fits the device of JAX.
    progress
        Called with draws done and draws in all. An exception of it, or an interrupt, drops what has not begun.

    Raises
    ------
    InputError
        If counts or values do not fit; every problem is listed.
    NotConvergedError
        If any draw has no equilibrium; the draws are named.
    """
    began = time.perf_counter()
    world.require_balanced()
    one_shock = isinstance(shocks, Shock)
    listed: list[Shock] = [shocks] if isinstance(shocks, Shock) else list(shocks)
    elasticity = _draws_of_elasticity(world, listed, one_shock, trade_elasticity)
    for shock in listed:
        shock.require_labels(world)
    raise_all(
        InputError,
        "the batch cannot be solved",
        [f"shock {k}: {problem}" for k, shock in enumerate(listed) for problem in shock.opening_problems(world)],
    )
    stranded = [
        f"shock {k}: {c} has no supplier of {s}" for k, shock in enumerate(listed) for c, s in unsupplied(world, shock)
    ]
    raise_all(NotConvergedError, "no equilibrium exists", stranded)
    count = len(elasticity)
    bound, options = closure_named(closure, world.countries), solver_named(solver)
    if not isinstance(options, Anderson):
        raise InputError(f"a batch is solved by 'anderson' or 'plain', not '{options.name}'")
    if lanes not in ("auto", "in_turn", "together"):
        raise InputError(f"unknown lanes '{lanes}'; expected 'auto', 'in_turn' or 'together'")
    plan = Plan(bound, labour or FixedLabour(), options, not one_shock, flows)
    with jax.enable_x64(True):
        base = baseline_of(world)
        made = terms_alike(world, listed)
        common = made(listed[0])

    def terms_at(places: NDArray[np.intp]) -> Terms:
        return common if one_shock else _stacked([made(listed[int(k)]) for k in places])

    parts: list[Member] = []
    done = 0
    for part in run_lanes(base, elasticity, terms_at, plan, lanes=lanes, chunk=chunk, workers=workers):
        parts.append(part)
        done = min(done + len(part.steps), count)
        if progress is not None:
            progress(done, count)
    whole = cast(Member, jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *parts))
    violation = np.asarray(whole.violation)
    failed = [
        f"draw {k}: largest violation {violation[k]:.3g}, expected at most {options.rtol:g}"
        for k in np.flatnonzero(~(violation <= options.rtol)).tolist()
    ]
    raise_all(NotConvergedError, "some draws have no equilibrium; solve them one by one for continuation", failed)
    data = _labelled(world, whole.outcome, flows)
    return Batch(data, violation, np.asarray(whole.steps), time.perf_counter() - began)


def _draws_of_elasticity(
    world: World, shocks: list[Shock], one_shock: bool, given: ArrayLike | None
) -> NDArray[np.float64]:
    """Return the elasticities by draw (draws, S); refuse counts and values that do not fit."""
    own = world.trade_elasticity.to_numpy()
    if not shocks:
        raise InputError("shocks is empty; give at least one Shock")
    if given is None:
        return np.repeat(own[None, :], len(shocks), axis=0)
    drawn = np.atleast_2d(np.asarray(given, dtype=np.float64))
    problems: list[str] = []
    if drawn.shape[1] != len(own):
        problems.append(f"trade_elasticity has {drawn.shape[1]} columns, expected {len(own)}, one per sector")
    if not one_shock and len(shocks) != len(drawn):
        problems.append(f"{len(shocks)} shocks but {len(drawn)} rows of trade_elasticity; give as many, or one shock")
    if not np.all(np.isfinite(drawn)) or np.any(drawn <= 0):
        problems.append("trade_elasticity holds values that are not positive numbers")
    raise_all(InputError, "the batch cannot be solved", problems)
    return drawn


def _stacked(terms: list[Terms]) -> Terms:
    """Stack the terms of several shocks along a leading axis."""
    return cast(Terms, jax.tree.map(lambda *leaves: jnp.stack(leaves), *terms))


def _labelled(world: World, result: Outcome, flows: bool) -> xr.Dataset:
    """Label the quantities of a batch."""
    labels = dim_labels(world.countries, world.sectors)
    trade = np.asarray(result.flow_cf)
    draws = np.arange(len(trade))
    used = [name for name in _KEPT_IF_USED if getattr(result, name) is not None]
    fields = {name: np.asarray(getattr(result, name)) for name in (*_KEPT, *used)}
    arrays = {
        name: xr.DataArray(values, dims=("draw", *variable(name).dims), attrs={"unit": variable(name).unit})
        for name, values in fields.items()
    }
    pairs = trade.sum(axis=3) if flows else trade
    arrays["pair_flow_cf"] = xr.DataArray(pairs, dims=("draw", "origin", "destination"), attrs={"unit": "USD"})
    if flows:
        arrays["flow_cf"] = xr.DataArray(trade, dims=("draw", *variable("flow_cf").dims), attrs={"unit": "USD"})
    dims = {dim for array in arrays.values() for dim in array.dims if dim != "draw"}
    return xr.Dataset(arrays, coords={"draw": draws} | {str(d): list(labels[str(d)]) for d in dims})


def elasticity_draws(world: World, count: int, *, relative_sd: float = 0.25, seed: int = 0) -> NDArray[np.float64]:
    """Draw trade elasticities around the world's own, log-normal with the given relative spread, (count, S).

    Parameters
    ----------
    count
        Number of draws.
    relative_sd
        Standard deviation of the log, the same for all sectors and independent between them.
    seed
        Of the generator.
    """
    noise = np.random.default_rng(seed).standard_normal((count, len(world.sectors)))
    return world.trade_elasticity.to_numpy() * np.exp(relative_sd * noise)
