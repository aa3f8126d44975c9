r"""Optimal and Nash tariffs over all partners and sectors: equilibrium, adjoint and first-order conditions in one sweep.

A country j chooses its tariff factors f_ijs = 1 + t'_ijs on all origins and sectors to maximise its log welfare h_j(x,
f), where the state x solves the equilibrium F(x, f) = 0. By the implicit function theorem::

    g_ijs = d h_j / d ln f_ijs = h_f - v_j' F_f,    F_x' v_j = h_x

one adjoint v_j for all tariffs. Imports of a line fall with its tariff factor at a known rate a_ijs, relative to
spending (`Variant.steepness`), and g / a is nearly linear in f with slope -1: it is what the terms of trade are worth
on this line, less the tariff. So f + g / a is close to the best factor, whatever the size of the line. One sweep
improves the state, the adjoints of all players and all their tariffs; Anderson acceleration makes the sweeps converge,
and only the violation of all conditions together decides when they have. With one player the end is its optimum, with
several their Nash equilibrium.

Certificates: ``first_order_gap``, the largest distance of a tariff factor from its first-order condition, in logs;
``curvature``, the largest eigenvalue of the second-order conditions, each line measured by its steepness (a maximum has
none above zero); and ``gain_pct`` of a Nash equilibrium, the most that any player was found to gain by answering with
other tariffs, searched anew from several starts.

References
----------
Ossa (2014), Trade Wars and Trade Talks with Data, American Economic Review 104(12), sections II and III.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array, lax
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution
from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.core.labels import index_of
from counterpoise.solver import Anderson
from counterpoise.solver.anderson import Run, accelerate
from counterpoise.solver.newton import Newton
from counterpoise.solver.variants import Economy, Variant, equilibrium, solve_variant

__all__ = ["NashTariffs", "OptimalTariff", "best_response_gains", "nash_tariffs", "optimal_tariff"]

Numbers = NDArray[np.float64]

_BOUNDS = (-0.9, 20.0)
"""Tariffs are searched between these rates."""

_STARTS = (0.0, 0.5, 2.0)
"""Uniform rates that a search starts from beside the tariffs in force."""

_SWEEPS = Anderson(rtol=1e-9, max_steps=1000, memory=20, step_limit=0.5)
"""Accuracy of state, adjoints and tariffs together."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimalTariff:
    """The tariffs that are best for one country, others' given.

    Attributes
    ----------
    country
        Who sets them.
    tariff_rate
        By origin and sector; its own row is as in the base year. A line without baseline trade keeps its tariff.
    solution
        The equilibrium they lead to.
    welfare_pct
        Change of the country's welfare against the baseline, percent.
    first_order_gap
        Largest distance of a tariff factor from its first-order condition, in logs; tariffs at a bound that holds them
        have none.
    curvature
        Largest eigenvalue of the second-order conditions over the steepness of lines; below zero at a strict maximum.
        NaN where it was not asked for.
    spread_pct
        Difference of welfare between the best and the worst start that converged, percent.
    sweeps, seconds
        Joint sweeps over all starts, and wall time.
    """

    country: str
    tariff_rate: xr.DataArray
    solution: Solution
    welfare_pct: float
    first_order_gap: float
    curvature: float
    spread_pct: float
    sweeps: int
    seconds: float

    @property
    def median_tariff_pct(self) -> float:
        """Median of the tariffs over foreign origins and sectors, percent."""
        return _median_pct(self.tariff_rate, self.country)


@dataclass(frozen=True, slots=True, eq=False)
class NashTariffs:
    """Tariffs from which no player gains by a change of its own.

    Attributes
    ----------
    players
        Countries that choose; the others keep their tariffs.
    tariff_rate
        By origin, destination and sector.
    solution
        The equilibrium they lead to.
    gain_pct
        By player, the most it was found to gain by answering with other tariffs, percent of welfare.
    first_order_gap
        As in `OptimalTariff`, over all players.
    sweeps, seconds
        Joint sweeps, and wall time without the search for better answers.
    """

    players: tuple[str, ...]
    tariff_rate: xr.DataArray
    solution: Solution
    gain_pct: dict[str, float]
    first_order_gap: float
    sweeps: int
    seconds: float

    @property
    def welfare_pct(self) -> dict[str, float]:
        """Change of welfare of every country against the baseline, percent."""
        change = 100.0 * (self.solution.values["welfare_hat"] - 1.0)
        return dict(zip(self.solution.world.countries, change.tolist(), strict=True))

    @property
    def max_gain_pct(self) -> float:
        """The most that any player was found to gain by deviating: the best-response certificate."""
        return max(self.gain_pct.values())

    def median_tariff_pct(self, country: str) -> float:
        """Return the median of a country's tariffs over foreign origins and sectors, percent."""
        return _median_pct(self.tariff_rate.sel(destination=country), country)


def optimal_tariff(
    economy: Economy,
    country: str,
    *,
    background: Shock | None = None,
    bounds: tuple[float, float] = _BOUNDS,
    starts: Sequence[float] = (),
    second_order: bool = False,
) -> OptimalTariff:
    """Find the tariffs of one country over all partners and sectors that are best for it.

    Parameters
    ----------
    economy
        A world with a model bound to it.
    country
        Who sets tariffs.
    background
        Tariffs in force; its own column is the first start. None: those of the base year.
    bounds
        Lowest and highest rate.
    starts
        Uniform rates to start from besides.
    second_order
        Compute ``curvature``: as many directional derivatives as there are tariffs.

    Raises
    ------
    LabelError
        If the country is unknown.
    InputError
        If the bounds do not hold 0.
    NotConvergedError
        If no start led to tariffs that meet the first-order conditions.
    """
    began = time.perf_counter()
    player = index_of(economy.world.countries, country, "country")
    limits = _limits(bounds)
    factor = _factor_in_force(economy, background)
    ends = [_play(economy, factor, (player,), limits)]
    ends += [_play(economy, _uniform(economy, factor, player, rate), (player,), limits) for rate in starts]
    settled = [end for end in ends if end.violation <= _SWEEPS.rtol]
    if not settled:
        raise NotConvergedError(_unsettled([country], ends[0]))
    welfare = [_log_welfare(economy, end, player) for end in settled]
    best = settled[int(np.argmax(welfare))]
    shock = _shock(economy, best.factor)
    solution = solve_variant(economy, shock, start=best.x)
    curvature = _largest_curvature(economy, best, player) if second_order else float("nan")
    return OptimalTariff(
        country=country,
        tariff_rate=shock.tariff_rate_cf.sel(destination=country, drop=True).rename("tariff_rate"),
        solution=solution,
        welfare_pct=100.0 * float(solution.values["welfare_hat"][player] - 1.0),
        first_order_gap=best.violation,
        curvature=curvature,
        spread_pct=100.0 * float(np.exp(max(welfare)) - np.exp(min(welfare))),
        sweeps=sum(end.sweeps for end in ends),
        seconds=time.perf_counter() - began,
    )


def nash_tariffs(
    economy: Economy,
    players: Sequence[str] | None = None,
    *,
    background: Shock | None = None,
    bounds: tuple[float, float] = _BOUNDS,
    certify: bool = True,
) -> NashTariffs:
    """Find tariffs of several countries that are best responses to each other, and certify them.

    Parameters
    ----------
    economy
        A world with a model bound to it.
    players
        Who chooses; every country by default.
    background
        Tariffs in force, where the search starts. None: those of the base year.
    bounds
        Lowest and highest rate.
    certify
        Search a better answer for every player, see `best_response_gains`; without it ``gain_pct`` holds NaN.

    Raises
    ------
    LabelError
        If a player is unknown.
    InputError
        If a player stands twice, there is none, or the bounds do not hold 0.
    NotConvergedError
        If no equilibrium was found.
    """
    began = time.perf_counter()
    names = _players(economy, players)
    chosen = tuple(index_of(economy.world.countries, name, "country") for name in names)
    end = _play(economy, _factor_in_force(economy, background), chosen, _limits(bounds))
    if not end.violation <= _SWEEPS.rtol:
        raise NotConvergedError(_unsettled(names, end))
    shock = _shock(economy, end.factor)
    solution = solve_variant(economy, shock, start=end.x)
    seconds = time.perf_counter() - began
    gains = best_response_gains(economy, shock, names, bounds=bounds) if certify else dict.fromkeys(names, np.nan)
    rate = shock.tariff_rate_cf.rename("tariff_rate")
    return NashTariffs(names, rate, solution, gains, end.violation, end.sweeps, seconds)


def best_response_gains(
    economy: Economy,
    shock: Shock,
    players: Sequence[str] | None = None,
    *,
    bounds: tuple[float, float] = _BOUNDS,
    starts: Sequence[float] = _STARTS,
) -> dict[str, float]:
    """Return by player the most it can gain over the tariffs of a shock by setting other ones itself, percent.

    Every player searches its own best tariffs from uniform ones, the others' given; those of a Nash equilibrium it can
    at best find again. At a Nash equilibrium all numbers are zero to the accuracy of the search.

    Parameters
    ----------
    economy
        A world with a model bound to it.
    shock
        Tariffs in force.
    players
        Who may deviate, one at a time; every country by default.
    bounds
        Lowest and highest rate.
    starts
        Uniform rates that each search starts from.

    Raises
    ------
    NotConvergedError
        If no search of a player ended at first-order conditions: nothing is certified then.
    """
    names = _players(economy, players)
    limits = _limits(bounds)
    factor = _factor_in_force(economy, shock)
    held = np.log(solve_variant(economy, shock).values["welfare_hat"])
    gains: dict[str, float] = {}
    for name in names:
        player = index_of(economy.world.countries, name, "country")
        ends = [_play(economy, _uniform(economy, factor, player, rate), (player,), limits) for rate in starts]
        if not any(end.violation <= _SWEEPS.rtol for end in ends):
            raise NotConvergedError(_unsettled([name], ends[0]))
        best = max(_log_welfare(economy, end, player) for end in ends)
        gains[name] = 100.0 * float(np.expm1(best - held[player]))
    return gains


class _End(NamedTuple):
    """Where the sweeps stopped: tariff factors (N, N, S), state, adjoints (J, n), violation and sweeps."""

    factor: Numbers
    x: Array
    adjoint: Array
    violation: float
    sweeps: int


def _median_pct(rate: xr.DataArray, country: str) -> float:
    foreign = [c for c in rate.coords["origin"].to_numpy().tolist() if c != country]
    return 100.0 * float(np.median(rate.sel(origin=foreign)))


def _limits(bounds: tuple[float, float]) -> Numbers:
    """Return the bounds as log factors."""
    if not -1.0 < bounds[0] < 0.0 < bounds[1]:
        raise InputError(f"bounds = {bounds}; expected a lowest rate between -1 and 0 and a highest above 0")
    return np.log1p(np.array(bounds))


def _players(economy: Economy, players: Sequence[str] | None) -> tuple[str, ...]:
    names = economy.world.countries if players is None else tuple(players)
    problems = [f"{name} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    raise_all(InputError, "players cannot be used", problems if names else ["there is none; name one country or more"])
    return names


def _factor_in_force(economy: Economy, shock: Shock | None) -> Numbers:
    """Return the tariff factors of a shock, or of the base year, as a new array."""
    if shock is None:
        return economy.tariff_factor
    shock.require_labels(economy.world)
    return 1.0 + shock.tariff_rate_cf.to_numpy()


def _uniform(economy: Economy, factor: Numbers, player: int, rate: float) -> Numbers:
    """Return factors with one and the same rate on every line that the player can move."""
    moved = factor.copy()
    moved[:, player] = np.where(_free(economy, (player,))[:, 0], 1.0 + rate, factor[:, player])
    return moved


def _free(economy: Economy, players: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the lines that players can move (N, J, S): foreign ones with baseline trade."""
    free = economy.world.flow.to_numpy()[:, players] > 0
    free[list(players), np.arange(len(players))] = False
    return free


def _shock(economy: Economy, factor: Numbers) -> Shock:
    return Shock(economy.world, tariff_rate_cf=factor - 1.0, notes=("tariffs chosen by optimisation",))


def _log_welfare(economy: Economy, end: _End, player: int) -> float:
    """Return a player's log welfare at the equilibrium of the tariffs found."""
    found = solve_variant(economy, _shock(economy, end.factor), start=end.x, throw=False)
    return float(np.log(found.values["welfare_hat"][player])) if found.converged else -np.inf


def _unsettled(names: Sequence[str], end: _End) -> str:
    return (
        f"tariffs of {', '.join(names)} were not found: after {end.sweeps} sweeps the worst of equilibrium, adjoint and "
        f"first-order conditions is off by {end.violation:.3g}, expected at most {_SWEEPS.rtol:g}. Try narrower bounds; "
        "a country whose rivals' goods have no good substitute may want the highest tariff there is"
    )


def _play(economy: Economy, factor: Numbers, players: tuple[int, ...], limits: Numbers) -> _End:
    """Sweep from given tariff factors to first-order conditions of all players."""
    with jax.enable_x64(True):
        start = equilibrium(economy, factor).x
        raw: object = cast(Callable[..., object], _joint)(
            economy.base,
            jnp.log(jnp.asarray(factor)),
            jnp.asarray(players),
            jnp.asarray(_free(economy, players)),
            jnp.asarray(limits),
            start,
            variant=economy.variant,
        )
    run, own, x, adjoint = cast("tuple[Run, Array, Array, Array]", raw)
    chosen = factor.copy()
    chosen[:, players] = np.exp(np.asarray(own))
    return _End(chosen, x, adjoint, float(run.violation), int(run.steps))


# JAX does not annotate these; what comes out is typed where it is used.
_vjp, _vmap, _grad = (cast(Any, f) for f in (jax.vjp, jax.vmap, jax.grad))
_jacfwd, _jacrev, _jvp = (cast(Any, f) for f in (jax.jacfwd, jax.jacrev, jax.jvp))


def _column_gradients(
    base: Any, log_factor: Array, players: Array, x: Array, adjoint: Array, variant: Variant
) -> Array:
    """Return d h_j / d ln f of every player's own lines (N, J, S), given state and adjoints (J, n)."""

    def lagrangian(column: Array, who: Array, v: Array) -> Array:
        trade = variant.maps(jnp.exp(log_factor.at[:, who].set(column)), base)
        return variant.log_welfare(x, trade, base)[who] - v @ variant.system(x, trade, base)

    columns = jnp.moveaxis(log_factor[:, players], 1, 0)
    gradients: Array = _vmap(_grad(lagrangian))(columns, players, adjoint)
    return jnp.moveaxis(gradients, 0, 1)


@partial(jax.jit, static_argnames=("variant",))
def _joint(
    base: Any, log_factor: Array, players: Array, free: Array, limits: Array, start: Array, *, variant: Variant
) -> tuple[Run, Array, Array, Array]:
    """Sweep state, adjoints and tariffs together, compiled.

    A variant that is solved by Newton's method has a small state: its sweep is a Newton step, and adjoints are solved
    at once. Otherwise both move by what they violate.

    Returns
    -------
    The run, the players' log factors (N, J, S), the state and the adjoints (J, n).
    """
    dense = isinstance(variant.solver, Newton)
    size, held = start.size, 0 if dense else players.size * start.size

    def unpack(z: Array) -> tuple[Array, Array, Array]:
        own = z[size + held :].reshape(free.shape)
        return z[:size], z[size : size + held].reshape(-1, size), log_factor.at[:, players].set(own)

    def parts(x: Array, v: Array, logs: Array) -> tuple[Array, Array, Array, Array]:
        trade = variant.maps(jnp.exp(logs), base)

        def system(y: Array) -> Array:
            return variant.system(y, trade, base)

        def welfare(y: Array) -> Array:
            return variant.log_welfare(y, trade, base)[players]

        worst = jnp.max(jnp.stack([jnp.max(jnp.abs(gap)) for gap in variant.gaps(x, trade, base).values()]))
        to_state: Array = _jacrev(welfare)(x)
        if dense:
            slopes: Array = _jacfwd(system)(x)
            moved = x - jnp.linalg.solve(slopes, system(x))
            following = v = jnp.linalg.solve(slopes.T, to_state.T).T
        else:
            moved_by, pull = _vjp(system, x)
            (pulled,) = _vmap(pull)(v)
            moved, following = x + moved_by, v + pulled - to_state
            worst = jnp.maximum(worst, jnp.max(jnp.abs(pulled - to_state)) / jnp.maximum(1.0, jnp.max(jnp.abs(v))))
        gradient = _column_gradients(base, logs, players, x, v, variant)
        steep = variant.steepness(x, trade, base)[:, players]
        wanted = jnp.exp(logs[:, players]) + gradient / jnp.where(free, steep, 1.0)
        logs_wanted = jnp.clip(jnp.log(jnp.maximum(wanted, jnp.exp(limits[0]))), limits[0], limits[1])
        own = jnp.where(free, logs_wanted, logs[:, players])
        return moved, following, own, jnp.maximum(worst, jnp.max(jnp.abs(own - logs[:, players])))

    def evaluate(z: Array) -> tuple[Array, Array]:
        moved, following, own, worst = parts(*unpack(z))
        kept = jnp.zeros(0) if dense else following.reshape(-1)
        return jnp.concatenate([moved, kept, own.reshape(-1)]), worst

    begin = jnp.concatenate([start, jnp.zeros(held), jnp.clip(log_factor[:, players], *limits).reshape(-1)])
    run = accelerate(evaluate, begin, _SWEEPS)
    x, v, logs = unpack(run.x)
    return run, logs[:, players], x, parts(x, v, logs)[1]


def _largest_curvature(economy: Economy, end: _End, player: int) -> float:
    """Return the largest eigenvalue of the second derivatives of log welfare to free log factors, by steepness."""
    free = _free(economy, (player,))[:, 0].reshape(-1)
    with jax.enable_x64(True):
        raw: object = cast(Callable[..., object], _second_order)(
            economy.base,
            jnp.log(jnp.asarray(end.factor)),
            jnp.asarray(player),
            end.x,
            variant=economy.variant,
        )
    total, steep = (np.asarray(part) for part in cast("tuple[Array, Array]", raw))
    root = np.sqrt(steep[free])
    scaled = total[np.ix_(free, free)] / np.outer(root, root)
    return float(np.linalg.eigvalsh(0.5 * (scaled + scaled.T))[-1])


@partial(jax.jit, static_argnames=("variant",))
def _second_order(base: Any, log_factor: Array, player: Array, x: Array, *, variant: Variant) -> tuple[Array, Array]:
    """Return second derivatives of a player's log welfare to its log factors (N S, N S), and steepness (N S,)."""
    players = player[None]
    shape = log_factor[:, players].shape

    def factors(own: Array) -> Array:
        return log_factor.at[:, players].set(own.reshape(shape))

    def trade_of(own: Array) -> Any:
        return variant.maps(jnp.exp(factors(own)), base)

    def system(own: Array, x: Array) -> Array:
        return variant.system(x, trade_of(own), base)

    def gradient(own: Array, x: Array) -> Array:
        trade = trade_of(own)
        to_state: Array = _jacrev(lambda y: variant.log_welfare(y, trade, base)[players])(x)
        slopes: Array = _jacfwd(lambda y: system(own, y))(x)
        adjoint = jnp.linalg.solve(slopes.T, to_state.T).T
        return _column_gradients(base, factors(own), players, x, adjoint, variant).reshape(-1)

    own = log_factor[:, players].reshape(-1)
    slopes: Array = _jacfwd(lambda y: system(own, y))(x)

    def along(direction: Array) -> Array:
        pushed: Array = _jvp(lambda p: system(p, x), (own,), (direction,))[1]
        return _jvp(gradient, (own, x), (direction, -jnp.linalg.solve(slopes, pushed)))[1]

    steep = variant.steepness(x, trade_of(own), base)[:, players].reshape(-1)
    return lax.map(along, jnp.eye(own.size), batch_size=32), steep
