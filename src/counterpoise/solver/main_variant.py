"""The main model as a `Variant`, so that what is optimised over one model is optimised over all of them.

Nothing is written twice: state, map, conditions and outcome are those of `counterpoise.model.equilibrium`, under any
closure and labour supply; what else a shock changes (costs, productivity, embargoes, purchase programmes) is data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from counterpoise.core import Shock, World
from counterpoise.model import (
    Baseline,
    Closure,
    FixedLabour,
    Labour,
    Outcome,
    State,
    Terms,
    Trade,
    baseline_of,
    closure_named,
    initial_state,
    outcome,
    residuals,
    sweep,
    terms_of,
    trade_maps,
)
from counterpoise.solver.anderson import Anderson
from counterpoise.solver.variants import Economy, Variant

__all__ = ["MainBase", "main_economy"]


class MainBase(NamedTuple):
    """Base-year arrays, and everything that changes besides tariffs."""

    baseline: Baseline
    terms: Terms


class _Maps(NamedTuple):
    terms: Terms
    trade: Trade


def main_economy(
    world: World,
    closure: Closure | str = "fixed_world_share",
    labour: Labour | None = None,
    *,
    background: Shock | None = None,
) -> Economy:
    """Bind the main model, with its input-output links, to a world.

    Parameters
    ----------
    world
        Balanced base year.
    closure
        How aggregate deficits are pinned down, as in `counterpoise.solver.solve`.
    labour
        `FixedLabour` (default) or `ElasticLabour`.
    background
        What changes besides the tariffs that are solved for; its tariffs are the ones in force.

    Raises
    ------
    UnbalancedError
        If the world violates an accounting identity.
    InputError
        If the closure is unknown or refused.
    LabelError
        If the background was made for other labels.
    """
    world.require_balanced()
    if background is not None:
        background.require_labels(world)
    shock = Shock.none(world) if background is None else background
    bound, supplied = closure_named(closure, world.countries), labour or FixedLabour()
    with jax.enable_x64(True):
        base = MainBase(baseline_of(world), terms_of(world, shock))
        still = initial_state(len(world.countries), len(world.sectors), base.terms)
        shapes = tuple(None if part is None else part.shape for part in still)
        variant = _main_variant(bound, supplied, shapes)
        return Economy(world, variant, base, bound.name, supplied, background=shock, main_closure=bound)


@lru_cache(maxsize=64)
def _main_variant(closure: Closure, labour: Labour, shapes: tuple[tuple[int, ...] | None, ...]) -> Variant:
    """Return the main model as functions of a flat state; one object for each choice of parts: it compiles once."""
    with jax.enable_x64(True):
        still, state_of = ravel_pytree(
            State(*cast("list[Array]", [None if shape is None else jnp.zeros(shape) for shape in shapes]))
        )

    def start(base: MainBase) -> Array:
        return still

    def maps(tariff_factor: Array, base: MainBase) -> _Maps:
        terms = base.terms._replace(tariff_rate=jnp.moveaxis(tariff_factor, 2, 0) - 1.0)
        return _Maps(terms, trade_maps(base.baseline, terms))

    def system(x: Array, at: _Maps, base: MainBase) -> Array:
        following, _ = sweep(state_of(x), base.baseline, at.trade, closure, labour)
        return ravel_pytree(following)[0] - x

    def gaps(x: Array, at: _Maps, base: MainBase) -> dict[str, Array]:
        return residuals(state_of(x), base.baseline, at.trade, closure, labour)

    def followed(x: Array, at: _Maps, base: MainBase) -> Outcome:
        return outcome(state_of(x), base.baseline, at.terms, at.trade, closure, labour)

    def log_welfare(x: Array, at: _Maps, base: MainBase) -> Array:
        return jnp.log(followed(x, at, base).welfare_hat)

    def steepness(x: Array, at: _Maps, base: MainBase) -> Array:
        result = followed(x, at, base)
        return (1.0 + base.baseline.trade_elasticity) * result.flow_cf / result.income_cf[:, None]

    def all_of(x: Array, tariff_factor: Array, base: MainBase) -> Outcome:
        return followed(x, maps(tariff_factor, base), base)

    return Variant(
        name="main model",
        numeraire="world value added at its baseline value",
        solver=Anderson(),
        start=start,
        maps=maps,
        system=system,
        gaps=gaps,
        log_welfare=log_welfare,
        steepness=steepness,
        outcome=all_of,
    )
