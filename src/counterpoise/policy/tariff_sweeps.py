r"""Equilibrium, adjoints and first-order conditions of tariff choices in one compiled sweep.

A country j chooses its tariff factors f_ijs = 1 + t'_ijs to maximise an aim: its log welfare h_j(x, f), or, in talks, a
weighted sum over the parties, where the state x solves the equilibrium F(x, f) = 0. By the implicit function theorem::

    g_ijs = d aim_j / d ln f_ijs = aim_f - v_j' F_f,    F_x' v_j = aim_x

one adjoint v_j for all tariffs. Imports of a line fall with its tariff factor at a known rate a_ijs, relative to
income (`Variant.steepness`), and g / a is nearly linear in f with slope -1: it is what the terms of trade are worth
on this line, less the tariff. So f + g / a is close to the best factor, whatever the size of the line; where several
lines share one rate, the sums of g and a over them take the place of both. One sweep improves the state, the adjoints
and all tariffs; Anderson acceleration makes the sweeps converge, and only the violation of all conditions together
decides when they have.

In talks the weights move too, under ``equal_gains``: towards those who gain less, until all gain the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.core.labels import index_of
from counterpoise.solver.anderson import Anderson, accelerate
from counterpoise.solver.newton import Newton
from counterpoise.solver.variants import Economy, Variant, equilibrium

__all__ = ["SWEEPS", "TIES", "Choice", "End", "Rule", "Tie", "choice_of", "play"]

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Tie = Literal["line", "sector", "partner", "uniform"]
Rule = Literal["own", "equal_gains", "joint"]

TIES: dict[str, str] = {
    "line": "a rate for every partner and sector",
    "sector": "a rate for every sector, the same for all partners",
    "partner": "a rate for every partner, the same in all sectors",
    "uniform": "one rate",
}
"""Which lines share one rate."""

SWEEPS = Anderson(rtol=1e-9, max_steps=3000, memory=20, step_limit=0.5)
"""Accuracy of state, adjoints and tariffs together."""

_BARGAIN_STEP = 1.0
"""By how much the log weight of a party rises for each log point that it gains less than the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Who chooses which tariffs. J players; arrays (N, J, S) are on (origin, player, sector).

    ``free`` marks the lines that can move, ``group`` (ints) which of them share one rate, ``limits`` (2,) are log
    factors.
    """

    players: tuple[int, ...]
    free: Mask
    group: NDArray[np.int32]
    groups: int
    limits: Numbers


class End(NamedTuple):
    """Where the sweeps stopped: factors (N, N, S), state, weights (J,), log gains (J,), violation, sweeps."""

    factor: Numbers
    x: Array
    weight: Numbers
    gain: Numbers
    violation: float
    sweeps: int

    @property
    def settled(self) -> bool:
        """True where every condition holds."""
        return self.violation <= SWEEPS.rtol


def choice_of(
    economy: Economy,
    players: tuple[int, ...],
    *,
    partners: tuple[str, ...] | None,
    sectors: tuple[str, ...] | None,
    tie: str,
    bounds: tuple[float, float],
) -> Choice:
    """Return the lines that players can move: foreign ones with baseline trade that no embargo closes.

    Raises
    ------
    LabelError
        If a partner or sector is unknown.
    InputError
        If the bounds do not hold 0, the tie is unknown, or no line is left to choose.
    """
    world = economy.world
    if not -1.0 < bounds[0] <= 0.0 <= bounds[1] or bounds[0] == bounds[1]:
        raise InputError(f"bounds = {bounds}; expected a lowest rate above -1, at most 0, and a highest of 0 or more")
    if tie not in TIES:
        raise InputError(f"unknown tie '{tie}'{did_you_mean(tie, TIES)} Known: {', '.join(TIES)}")
    free = (world.flow.to_numpy() > 0) & ~economy.in_force.embargo.to_numpy()
    free = free[:, list(players)]
    free[list(players), np.arange(len(players))] = False
    for axis, wanted, labels, kind in (
        (0, partners, world.countries, "partner"),
        (2, sectors, world.sectors, "sector"),
    ):
        if wanted is not None:
            kept = np.zeros(len(labels), dtype=np.bool_)
            kept[[index_of(labels, name, kind) for name in wanted]] = True
            free &= np.expand_dims(kept, tuple(k for k in range(3) if k != axis))
    idle = [world.countries[p] for k, p in enumerate(players) if not free[:, k].any()]
    if idle:
        raise InputError(f"{', '.join(idle)} can move no tariff: none of the lines asked for has baseline trade")
    origins, count, lines = free.shape
    i, j, s = np.indices(free.shape)
    numbers: dict[str, Any] = {
        "line": (i * count + j) * lines + s,
        "sector": j * lines + s,
        "partner": i * count + j,
        "uniform": j,
    }
    group = cast("NDArray[np.intp]", numbers[tie])
    groups = {"line": free.size, "sector": count * lines, "partner": origins * count, "uniform": count}[tie]
    return Choice(players, free, group.astype(np.int32), groups, np.log1p(np.array(bounds)))


def play(
    economy: Economy,
    factor: Numbers,
    choice: Choice,
    rule: Rule = "own",
    *,
    weights: Numbers | None = None,
    reference: Numbers | None = None,
) -> End:
    """Sweep from given tariff factors (N, N, S) to the first-order conditions of all players.

    Parameters
    ----------
    rule
        ``"own"``: each maximises its own welfare. Else all maximise a weighted sum, see the module.
    weights
        Weights to start from (J,), those of ``"joint"`` throughout; by default incomes.
    reference
        Log welfare that gains are counted from (J,); zero, the base year, by default.
    """
    players, count = choice.players, len(choice.players)
    income = economy.world.income.to_numpy()[list(players)]
    weight = income / income.sum() if weights is None else weights / weights.sum()
    with jax.enable_x64(True):
        start = equilibrium(economy, factor).x
        raw: object = cast(Callable[..., object], _joint)(
            economy.base,
            jnp.log(jnp.asarray(factor)),
            jnp.asarray(players),
            jnp.asarray(choice.free),
            jnp.asarray(choice.group),
            jnp.asarray(choice.limits),
            jnp.asarray(_levels(factor, choice, economy.world.flow.to_numpy())),
            jnp.log(jnp.asarray(weight)),
            jnp.zeros(count) if reference is None else jnp.asarray(reference),
            start,
            variant=economy.variant,
            rule=rule,
        )
    found = cast(_Found, raw)
    chosen = factor.copy()
    chosen[:, list(players)] = np.exp(np.asarray(found.own))
    return End(
        factor=chosen,
        x=found.x,
        weight=np.exp(np.asarray(found.log_weight)),
        gain=np.asarray(found.gain),
        violation=float(found.violation),
        sweeps=int(found.steps),
    )


def _levels(factor: Numbers, choice: Choice, flow: Numbers) -> Numbers:
    """Return the log factor that each group starts from: the mean of its lines, by baseline trade."""
    own = np.log(factor[:, list(choice.players)])
    trade = np.where(choice.free, flow[:, list(choice.players)], 0.0)
    total = np.bincount(choice.group.ravel(), trade.ravel(), minlength=choice.groups)
    mean = np.bincount(choice.group.ravel(), (own * trade).ravel(), minlength=choice.groups)
    return np.clip(mean / np.where(total > 0, total, 1.0), *choice.limits)


class _Found(NamedTuple):
    own: Array
    x: Array
    log_weight: Array
    gain: Array
    violation: Array
    steps: Array


# JAX does not annotate these; what comes out is typed where it is used.
_vjp, _vmap, _grad, _jacfwd = cast(Any, jax.vjp), cast(Any, jax.vmap), cast(Any, jax.grad), cast(Any, jax.jacfwd)
_segment_sum = cast(Any, jax.ops.segment_sum)
_diagonal = cast(Callable[[Array], Array], jnp.diagonal)
_solve = cast(Callable[[Array, Array], Array], jnp.linalg.solve)


def own_gradients(
    base: Any, log_factor: Array, players: Array, x: Array, adjoint: Array, aims: Array, variant: Variant
) -> Array:
    """Return d aim_j / d ln f of every player's own lines (N, J, S), given state and adjoints (J, n).

    ``aims`` (J, J) weighs the log welfares of the players, one row for each player's aim.
    """

    def lagrangian(column: Array, who: Array, v: Array, aim: Array) -> Array:
        trade = variant.maps(jnp.exp(log_factor.at[:, who].set(column)), base)
        return aim @ variant.log_welfare(x, trade, base)[players] - v @ variant.system(x, trade, base)

    columns = jnp.moveaxis(log_factor[:, players], 1, 0)
    gradients: Array = _vmap(_grad(lagrangian))(columns, players, adjoint, aims)
    return jnp.moveaxis(gradients, 0, 1)


@partial(jax.jit, static_argnames=("variant", "rule"))
def _joint(
    base: Any,
    log_factor: Array,
    players: Array,
    free: Array,
    group: Array,
    limits: Array,
    levels: Array,
    log_weight: Array,
    reference: Array,
    start: Array,
    *,
    variant: Variant,
    rule: Rule,
) -> _Found:
    """Sweep state, adjoints, tariffs and weights together, compiled.

    A variant that is solved by Newton's method has a small state: its sweep is a Newton step, and adjoints are solved
    at once. Otherwise both move by what they violate. In talks all players share one adjoint.
    """
    dense, talks = isinstance(variant.solver, Newton), rule != "own"
    size, count, groups = start.size, players.size, levels.size
    adjoints = 1 if talks else count
    held = 0 if dense else adjoints * size

    def summed(lines: Array) -> Array:
        return _segment_sum(jnp.where(free, lines, 0.0).reshape(-1), group.reshape(-1), num_segments=groups)

    def factors(levels: Array) -> Array:
        own = jnp.where(free, levels[group], log_factor[:, players])
        return log_factor.at[:, players].set(own)

    def unpack(z: Array) -> tuple[Array, Array, Array, Array]:
        parts = jnp.split(z, [size, size + held, size + held + groups])
        return parts[0], parts[1].reshape(-1, size), parts[2], parts[3]

    def evaluate(z: Array) -> tuple[Array, Array]:
        x, v, levels, log_weight = unpack(z)
        logs = factors(levels)
        trade = variant.maps(jnp.exp(logs), base)

        def system(y: Array) -> Array:
            return variant.system(y, trade, base)

        def welfare(y: Array) -> Array:
            return variant.log_welfare(y, trade, base)[players]

        weight = jnp.exp(log_weight)
        aims = jnp.broadcast_to(weight, (count, count)) if talks else jnp.eye(count)
        worst = jnp.max(jnp.stack([jnp.max(jnp.abs(gap)) for gap in variant.gaps(x, trade, base).values()]))
        held_welfare, pull_welfare = _vjp(welfare, x)
        (to_state,) = _vmap(pull_welfare)(aims[:adjoints])
        if dense:
            slopes: Array = _jacfwd(system)(x)
            moved = x - _solve(slopes, system(x))
            following = v = _solve(slopes.T, to_state.T).T
        else:
            moved_by, pull = _vjp(system, x)
            (pulled,) = _vmap(pull)(v)
            moved, following = x + moved_by, v + pulled - to_state
            worst = jnp.maximum(worst, jnp.max(jnp.abs(pulled - to_state)) / jnp.maximum(1.0, jnp.max(jnp.abs(v))))
        gradient = own_gradients(base, logs, players, x, jnp.broadcast_to(v, (count, size)), aims, variant)
        steep = variant.steepness(x, trade, base)[:, players] * _diagonal(aims)[:, None]
        slope = summed(steep)
        wanted = jnp.exp(levels) + summed(gradient) / jnp.where(slope > 0, slope, 1.0)
        next_levels = jnp.clip(jnp.log(jnp.maximum(wanted, jnp.exp(limits[0]))), limits[0], limits[1])
        next_levels = jnp.where(slope > 0, next_levels, levels)
        worst = jnp.maximum(worst, jnp.max(jnp.abs(next_levels - levels)))
        gain: Array = held_welfare - reference
        next_weight = _weights(log_weight, gain, rule)
        worst = jnp.maximum(worst, jnp.max(jnp.abs(next_weight - log_weight)))
        kept = jnp.zeros(0) if dense else following.reshape(-1)
        return jnp.concatenate([moved, kept, next_levels, next_weight]), worst

    run = accelerate(evaluate, jnp.concatenate([start, jnp.zeros(held), levels, log_weight]), SWEEPS)
    x, _, levels, log_weight = unpack(run.x)
    logs = factors(levels)
    gain = variant.log_welfare(x, variant.maps(jnp.exp(logs), base), base)[players] - reference
    return _Found(logs[:, players], x, log_weight, gain, run.violation, run.steps)


def _weights(log_weight: Array, gain: Array, rule: Rule) -> Array:
    """Return the next log weights of the parties (J,); they add up to one."""
    if rule != "equal_gains":
        return log_weight
    moved = log_weight + _BARGAIN_STEP * (jnp.mean(gain) - gain)
    return moved - jnp.log(jnp.sum(jnp.exp(moved)))
