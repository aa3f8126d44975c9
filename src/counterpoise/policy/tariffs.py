r"""Optimal and Nash tariffs over all partners and sectors, with certificates.

A country chooses tariffs that are best for it, others' given; several do so at once, until nobody gains by another
choice. How they are found stands in `counterpoise.policy.tariff_sweeps`: at the end every tariff meets its first-order
condition, at a bound with the right sign.

Certificates: ``first_order_gap``, the largest distance of a tariff factor from its first-order condition, in logs;
``curvature``, the largest eigenvalue of the second-order conditions, each rate measured by its steepness (a maximum has
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
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array, lax
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution
from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.core.labels import index_of
from counterpoise.policy.tariff_sweeps import SWEEPS, Choice, End, Tie, choice_of, own_gradients, play
from counterpoise.solver.variants import Economy, Variant, solve_variant

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BOUNDS",
    "NashTariffs",
    "OptimalTariff",
    "best_response_gains",
    "choice_for",
    "factor_in_force",
    "nash_tariffs",
    "optimal_tariff",
    "players_of",
    "rates_table",
    "unsettled",
]

Numbers = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

BOUNDS = (-0.9, 20.0)
"""Tariffs are searched between these rates."""

_STARTS = (0.0, 0.5, 2.0)
"""Uniform rates that the search for a better answer starts from."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimalTariff:
    """The tariffs that are best for one country, others' given.

    Attributes
    ----------
    country
        Who sets them.
    tariff_rate
        By origin and sector; lines that it could not choose are as they were.
    chosen
        Mask of the same shape: the lines that were chosen.
    solution
        The equilibrium they lead to.
    welfare_pct
        Change of the country's welfare against the base year, percent.
    in_force_pct
        The same under the tariffs in force before it chose.
    first_order_gap
        Largest distance of a tariff factor from its first-order condition, in logs; tariffs at a bound that holds them
        have none.
    at_bound
        How many of the chosen lines a bound holds.
    curvature
        Largest eigenvalue of the second-order conditions over the steepness of lines; below zero at a strict maximum.
        NaN where it was not asked for.
    spread_pct
        Difference of welfare between the best and the worst start that converged, percent.
    starts_settled, starts
        How many starts ended at first-order conditions no worse than the choices at hand, and how many there were.
    sweeps, seconds
        Joint sweeps over all starts, and wall time.
    """

    country: str
    tariff_rate: xr.DataArray
    chosen: xr.DataArray
    solution: Solution
    welfare_pct: float
    in_force_pct: float
    first_order_gap: float
    at_bound: int
    curvature: float
    spread_pct: float
    starts_settled: int
    starts: int
    sweeps: int
    seconds: float

    @property
    def median_tariff_pct(self) -> float:
        """Median of the chosen tariffs, percent."""
        return 100.0 * float(np.median(self.tariff_rate.to_numpy()[self.chosen.to_numpy()]))

    def table(self) -> pd.DataFrame:
        """Return one row per chosen line, see `rates_table`."""
        chosen = np.zeros(self.solution.world.flow.shape, dtype=np.bool_)
        chosen[:, self.solution.world.countries.index(self.country)] = self.chosen.to_numpy()
        return rates_table(self.solution, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class NashTariffs:
    """Tariffs from which no player gains by a change of its own.

    Attributes
    ----------
    players
        Countries that choose; the others keep their tariffs.
    tariff_rate
        By origin, destination and sector.
    chosen
        Mask of the same shape: the lines that were chosen.
    solution
        The equilibrium they lead to.
    gain_pct
        By player, the most it was found to gain by answering with other tariffs, percent of welfare.
    first_order_gap
        As in `OptimalTariff`, over all players.
    sweeps, seconds
        Joint sweeps, and wall time without the search for better answers.
    certificate_seconds
        Wall time of that search.
    """

    players: tuple[str, ...]
    tariff_rate: xr.DataArray
    chosen: xr.DataArray
    solution: Solution
    gain_pct: dict[str, float]
    first_order_gap: float
    sweeps: int
    seconds: float
    certificate_seconds: float

    @property
    def welfare_pct(self) -> dict[str, float]:
        """Change of welfare of every country against the base year, percent."""
        change = 100.0 * (self.solution.values["welfare_hat"] - 1.0)
        return dict(zip(self.solution.world.countries, change.tolist(), strict=True))

    @property
    def max_gain_pct(self) -> float:
        """The most that any player was found to gain by deviating: the best-response certificate."""
        return max(self.gain_pct.values())

    def median_tariff_pct(self, country: str) -> float:
        """Return the median of the tariffs that a country chose, percent."""
        own = self.chosen.sel(destination=country).to_numpy()
        return 100.0 * float(np.median(self.tariff_rate.sel(destination=country).to_numpy()[own]))

    def table(self) -> pd.DataFrame:
        """Return one row per chosen line, see `rates_table`."""
        return rates_table(self.solution, self.chosen.to_numpy())


def optimal_tariff(
    economy: Economy,
    country: str,
    *,
    partners: Sequence[str] | None = None,
    sectors: Sequence[str] | None = None,
    tie: Tie = "line",
    background: Shock | None = None,
    bounds: tuple[float, float] = BOUNDS,
    starts: Sequence[float] = (),
    second_order: bool = False,
    progress: Progress | None = None,
) -> OptimalTariff:
    """Find the tariffs of one country over partners and sectors that are best for it.

    Parameters
    ----------
    economy
        A world with a model bound to it: `counterpoise.solver.main_economy`, `profits_economy` or `margin_economy`.
    country
        Who sets tariffs.
    partners, sectors
        Whose goods, and which; all by default.
    tie
        Which lines share one rate: ``"line"`` none, ``"sector"``, ``"partner"``, ``"uniform"`` all.
    background
        Tariffs in force; its own column is the first start. None: those of the economy.
    bounds
        Lowest and highest rate.
    starts
        Uniform rates to start from besides.
    second_order
        Compute ``curvature``: as many directional derivatives as there are lines. Only where all lines are chosen one
        by one and no bound holds them.
    progress
        Told (step, number, of how many).

    Raises
    ------
    LabelError
        If a country or sector is unknown.
    InputError
        If the bounds do not hold 0, or no line is left to choose.
    NotConvergedError
        If no start led to tariffs that meet the first-order conditions.
    """
    began = time.perf_counter()
    player = index_of(economy.world.countries, country, "country")
    choice = choice_for(economy, (player,), partners, sectors, tie, bounds)
    factor = factor_in_force(economy, background)
    begins = [factor, *(_uniform(factor, choice, 0, rate) for rate in starts)]
    ends: list[End] = []
    for k, begin in enumerate(begins):
        if progress is not None:
            progress(f"start {k + 1}", k, len(begins))
        ends.append(play(economy, begin, choice))
    before = solve_variant(economy, economy.with_tariffs(factor, "tariffs in force"))
    held = _yardstick(economy, factor, choice, player)
    # First-order conditions hold at a minimum too: what is worse than a choice at hand is no optimum.
    for rate in _STARTS:
        if any(end.settled and float(end.gain[0]) >= held - 1e-9 for end in ends):
            break
        ends.append(play(economy, _uniform(factor, choice, 0, rate), choice))
    settled = [end for end in ends if end.settled and float(end.gain[0]) >= held - 1e-9]
    if not settled:
        raise NotConvergedError(unsettled(economy, [country], ends[0]))
    welfare = [float(end.gain[0]) for end in settled]
    best = settled[int(np.argmax(welfare))]
    solution = solve_variant(economy, economy.with_tariffs(best.factor, _NOTE), start=best.x)
    rate = solution.shock.tariff_rate_cf.sel(destination=country, drop=True).rename("tariff_rate")
    own = np.log(best.factor[:, player][choice.free[:, 0]])
    return OptimalTariff(
        country=country,
        tariff_rate=rate,
        chosen=xr.DataArray(choice.free[:, 0], coords=rate.coords, dims=rate.dims),
        solution=solution,
        welfare_pct=100.0 * float(solution.values["welfare_hat"][player] - 1.0),
        in_force_pct=100.0 * float(before.values["welfare_hat"][player] - 1.0),
        first_order_gap=best.violation,
        at_bound=int(np.sum((own <= choice.limits[0] + 1e-9) | (own >= choice.limits[1] - 1e-9))),
        curvature=_largest_curvature(economy, best, choice) if second_order else float("nan"),
        spread_pct=100.0 * float(np.exp(max(welfare)) - np.exp(min(welfare))),
        starts_settled=len(settled),
        starts=len(ends),
        sweeps=sum(end.sweeps for end in ends),
        seconds=time.perf_counter() - began,
    )


def nash_tariffs(
    economy: Economy,
    players: Sequence[str] | None = None,
    *,
    partners: Sequence[str] | None = None,
    sectors: Sequence[str] | None = None,
    tie: Tie = "line",
    background: Shock | None = None,
    bounds: tuple[float, float] = BOUNDS,
    certify: bool = True,
    progress: Progress | None = None,
) -> NashTariffs:
    """Find tariffs of several countries that are best responses to each other, and certify them.

    Parameters
    ----------
    economy
        A world with a model bound to it.
    players
        Who chooses; every country by default.
    partners, sectors, tie
        As in `optimal_tariff`, for every player; name the players as partners for tariffs on each other alone.
    background
        Tariffs in force, where the search starts. None: those of the economy.
    bounds
        Lowest and highest rate.
    certify
        Search a better answer for every player, see `best_response_gains`; without it ``gain_pct`` holds NaN.
    progress
        Told (step, number, of how many).

    Raises
    ------
    LabelError
        If a country or sector is unknown.
    InputError
        If a player stands twice, there is none, or the bounds do not hold 0.
    NotConvergedError
        If no equilibrium was found.
    """
    began = time.perf_counter()
    names, chosen = players_of(economy, players)
    choice = choice_for(economy, chosen, partners, sectors, tie, bounds)
    if progress is not None:
        progress("tariffs", 0, 1 + certify * len(names))
    end = play(economy, factor_in_force(economy, background), choice)
    if not end.settled:
        raise NotConvergedError(unsettled(economy, names, end))
    shock = economy.with_tariffs(end.factor, _NOTE)
    solution = solve_variant(economy, shock, start=end.x)
    solved = time.perf_counter()
    gains = dict.fromkeys(names, float("nan"))
    if certify:
        gains = best_response_gains(
            economy, shock, names, partners=partners, sectors=sectors, tie=tie, bounds=bounds, progress=progress
        )
    rate = shock.tariff_rate_cf.rename("tariff_rate")
    mask = np.zeros(rate.shape, dtype=np.bool_)
    mask[:, list(chosen)] = choice.free
    return NashTariffs(
        players=names,
        tariff_rate=rate,
        chosen=xr.DataArray(mask, coords=rate.coords, dims=rate.dims),
        solution=solution,
        gain_pct=gains,
        first_order_gap=end.violation,
        sweeps=end.sweeps,
        seconds=solved - began,
        certificate_seconds=time.perf_counter() - solved,
    )


def best_response_gains(
    economy: Economy,
    shock: Shock,
    players: Sequence[str] | None = None,
    *,
    partners: Sequence[str] | None = None,
    sectors: Sequence[str] | None = None,
    tie: Tie = "line",
    bounds: tuple[float, float] = BOUNDS,
    starts: Sequence[float] = _STARTS,
    progress: Progress | None = None,
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
    partners, sectors, tie, bounds
        What a player may choose, as in `optimal_tariff`.
    starts
        Uniform rates that each search starts from.
    progress
        Told (step, number, of how many).

    Raises
    ------
    NotConvergedError
        If no search of a player ended at first-order conditions: nothing is certified then.
    """
    names, positions = players_of(economy, players)
    factor = factor_in_force(economy, shock)
    held = np.log(solve_variant(economy, shock).values["welfare_hat"])
    gains: dict[str, float] = {}
    for k, (name, player) in enumerate(zip(names, positions, strict=True)):
        if progress is not None:
            progress(f"a better answer of {name}", k + 1, 1 + len(names))
        choice = choice_for(economy, (player,), partners, sectors, tie, bounds)
        ends = [play(economy, _uniform(factor, choice, 0, rate), choice) for rate in starts]
        found = [float(end.gain[0]) for end in ends if end.settled]
        if not found:
            raise NotConvergedError(unsettled(economy, [name], ends[0]))
        gains[name] = 100.0 * float(np.expm1(max(found) - held[player]))
    return gains


def rates_table(solution: Solution, chosen: NDArray[np.bool_]) -> pd.DataFrame:
    """Return one row per chosen line (N, N, S): rates in the base year and chosen, flows before and after."""
    import pandas as pd

    world = solution.world
    i, j, s = np.nonzero(chosen)
    names, sectors = np.array(world.countries, dtype=object), np.array(world.sectors, dtype=object)
    return pd.DataFrame(
        {
            "origin": names[i],
            "destination": names[j],
            "sector": sectors[s],
            "tariff_rate": world.tariff_rate.to_numpy()[chosen],
            "tariff_rate_cf": solution.shock.tariff_rate_cf.to_numpy()[chosen],
            "flow_usd": world.flow.to_numpy()[chosen],
            "flow_cf_usd": solution.values["flow_cf"][chosen],
        }
    )


_NOTE = "tariffs chosen by optimisation"


def choice_for(
    economy: Economy,
    players: tuple[int, ...],
    partners: Sequence[str] | None,
    sectors: Sequence[str] | None,
    tie: str,
    bounds: tuple[float, float],
) -> Choice:
    """Return the lines that players may choose, see `counterpoise.policy.tariff_sweeps.choice_of`."""
    return choice_of(
        economy,
        players,
        partners=None if partners is None else tuple(partners),
        sectors=None if sectors is None else tuple(sectors),
        tie=tie,
        bounds=bounds,
    )


def players_of(economy: Economy, players: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return names and positions of the players, every country by default.

    Raises
    ------
    LabelError
        If one is unknown.
    InputError
        If one stands twice, or there is none.
    """
    names = economy.world.countries if players is None else tuple(players)
    problems = [f"{name} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    raise_all(InputError, "players cannot be used", problems if names else ["there is none; name one country or more"])
    return names, tuple(index_of(economy.world.countries, name, "country") for name in names)


def factor_in_force(economy: Economy, shock: Shock | None) -> Numbers:
    """Return the tariff factors of a shock, or of the economy, as a new array."""
    given = economy.in_force if shock is None else shock
    given.require_labels(economy.world)
    return 1.0 + given.tariff_rate_cf.to_numpy()


def _yardstick(economy: Economy, factor: Numbers, choice: Choice, player: int) -> float:
    """Return the log welfare of a choice at hand: the tariffs in force, brought within bounds and ties."""
    own = np.clip(np.log(factor[:, player]), *choice.limits)
    for group in np.unique(choice.group[choice.free]):
        lines = (choice.free & (choice.group == group))[:, 0]
        own[lines] = own[lines].mean()
    allowed = factor.copy()
    allowed[:, player] = np.where(choice.free[:, 0], np.exp(own), factor[:, player])
    found = solve_variant(economy, economy.with_tariffs(allowed, "tariffs in force, as they could be chosen"))
    return float(np.log(found.values["welfare_hat"][player]))


def _uniform(factor: Numbers, choice: Choice, k: int, rate: float) -> Numbers:
    """Return factors with one and the same rate on every line that a player can move."""
    moved, player = factor.copy(), choice.players[k]
    moved[:, player] = np.where(choice.free[:, k], 1.0 + rate, factor[:, player])
    return moved


def unsettled(economy: Economy, names: Sequence[str], end: End) -> str:
    """Say that no tariffs were found, and why there may be none."""
    transfers = economy.closure != "zero" and bool(np.any(np.abs(economy.world.deficit.to_numpy()) > 0))
    advice = (
        "With fixed transfers a country in deficit is paid whatever it trades, and may gain from ever higher tariffs, "
        "so that no best one exists: take closure 'zero' on a world re-based to it, or a highest rate"
        if transfers
        else "Give a highest rate, or fewer lines; goods without a substitute may deserve the highest tariff there is"
    )
    return (
        f"tariffs of {', '.join(names)} were not found: after {end.sweeps} sweeps the worst of equilibrium, adjoint "
        f"and first-order conditions is off by {end.violation:.3g}, expected at most {SWEEPS.rtol:g}. {advice}"
    )


# JAX does not annotate these; what comes out is typed where it is used.
_jacfwd, _jacrev, _jvp = cast(Any, jax.jacfwd), cast(Any, jax.jacrev), cast(Any, jax.jvp)
_map = cast(Any, lax.map)
_solve = cast(Callable[[Array, Array], Array], jnp.linalg.solve)


def _largest_curvature(economy: Economy, end: End, choice: Choice) -> float:
    """Return the largest eigenvalue of the second derivatives of log welfare to free log factors, by steepness."""
    if choice.tie != "line":
        raise InputError("second_order needs lines that are chosen one by one; give tie='line'")
    free = choice.free[:, 0].reshape(-1)
    with jax.enable_x64(True):
        raw: object = cast(Callable[..., object], _second_order)(
            economy.base,
            jnp.log(jnp.asarray(end.factor)),
            jnp.asarray(choice.players[0]),
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
    players, one = player[None], jnp.ones((1, 1))
    shape = log_factor[:, players].shape

    def factors(own: Array) -> Array:
        return log_factor.at[:, players].set(own.reshape(shape))

    def trade_of(own: Array) -> Any:
        return variant.maps(jnp.exp(factors(own)), base)

    def system(own: Array, x: Array) -> Array:
        return variant.system(x, trade_of(own), base)

    def slopes_at(own: Array, x: Array) -> Array:
        return _jacfwd(partial(system, own))(x)

    def gradient(own: Array, x: Array) -> Array:
        trade = trade_of(own)

        def welfare(y: Array) -> Array:
            return variant.log_welfare(y, trade, base)[players]

        to_state: Array = _jacrev(welfare)(x)
        adjoint = _solve(slopes_at(own, x).T, to_state.T).T
        return own_gradients(base, factors(own), players, x, adjoint, one, variant).reshape(-1)

    def system_of(own: Array) -> Array:
        return system(own, x)

    own = log_factor[:, players].reshape(-1)
    slopes = slopes_at(own, x)

    def along(direction: Array) -> Array:
        pushed: Array = _jvp(system_of, (own,), (direction,))[1]
        bent: Array = _jvp(gradient, (own, x), (direction, -_solve(slopes, pushed)))[1]
        return bent

    steep = variant.steepness(x, trade_of(own), base)[:, players].reshape(-1)
    bends: Array = _map(along, jnp.eye(own.size), batch_size=32)
    return bends, steep
