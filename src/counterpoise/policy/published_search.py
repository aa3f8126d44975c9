r"""Tariffs as Ossa (2014) searched them, for replication alone; `counterpoise.policy.tariffs` finds the exact ones.

A country's choice is a programme in which the equilibrium is a constraint. With j the country, G welfare, X spending
and w wages of all countries, all in hats, and y what its rates t are relative to those in force, t0::

    max G_j  over  (G, X, w, y)
    s.t.  equilibrium(X, w, t) = 0,  G = welfare(X, w, t),  y = (1 + t / 10) / (1 + t0 / 10)

It is solved by sequential quadratic programming: steps d and multipliers v of  min d'Hd / 2 - d_j  s.t.  c + A d = 0,
where H starts as the identity and follows the changes of A'v by the rule of Broyden, Fletcher, Goldfarb and Shanno. A
step is halved until one of two things falls: the largest violation less welfare, or all violations at their prices
r = max(|v|, (|v| + r) / 2) less welfare. The search ends once a step promises less than 1e-13 while no constraint is
violated by more. It starts from the best single rate of every sector, found in the same way from 1 / (sigma - 1). In a
war all countries answer at once, first with single rates, then with one for each partner, round after round while the
mean rate moves by more than 0.01.

The stop asks for little gain, not for first-order conditions: lines with little trade keep rates near the start. Bounds
of 0 and 10 on rates bind nowhere and are checked at the end. Derivatives are exact here and
differences over 1.5e-8 in the paper, and multipliers keep their signs, which the solver used there drops: see
docs/explanation/variants.md for what that changes.

References
----------
Ossa (2014), Trade Wars and Trade Talks with Data, American Economic Review 104(12), sections II and III, and its
programs. Han (1977), Journal of Optimization Theory and Applications 22(3). Powell (1978), Numerical Analysis, Lecture
Notes in Mathematics 630.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, NotConvergedError
from counterpoise.core.labels import index_of
from counterpoise.policy.tariff_sweeps import Tie, choice_of
from counterpoise.solver.variants import PROFITS, Economy, Variant, equilibrium

__all__ = ["SearchedTariffs", "searched_optimum", "searched_war"]

Numbers = NDArray[np.float64]
Positions = NDArray[np.intp]

# What the paper's programs say.
_STOP = 1e-13
_STEPS = 5000
_RATE_SCALE = 0.1
_BOUNDS = (0.0, 10.0)
_ROUNDS = 24
_ROUND_STOP = 0.01
# What their solver does: steps shorter than this are not tried, and a curvature below rounding is not learnt.
_SHORTEST_STEP = 1e-4
_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class SearchedTariffs:
    """Where the search stopped: near the best tariffs, not at them.

    Attributes
    ----------
    tariff_rate
        By origin, destination and sector; lines that nobody chose are as they were.
    chosen
        Mask of the same shape: the lines that were chosen.
    steps
        By country, steps of its last search.
    rounds
        Rounds with single rates, and with one rate for each partner; both 1 for one country alone.
    """

    tariff_rate: xr.DataArray
    chosen: xr.DataArray
    steps: dict[str, int]
    rounds: tuple[int, int]

    def median_tariff_pct(self, country: str) -> float:
        """Return the median of the tariffs that a country chose, percent."""
        own = self.chosen.sel(destination=country).to_numpy()
        return 100.0 * float(np.median(self.tariff_rate.sel(destination=country).to_numpy()[own]))


def searched_optimum(economy: Economy, country: str) -> SearchedTariffs:
    """Search the tariffs of one country over all partners and sectors, others' given, as the paper's table 3 did.

    Parameters
    ----------
    economy
        A world with fixed varieties and profits, see `counterpoise.solver.variants.profits_economy`.
    country
        Who sets tariffs.

    Raises
    ------
    LabelError
        If the country is unknown.
    InputError
        If the economy has another model, or the country has no line to choose.
    NotConvergedError
        If a search takes more than 5000 steps or leaves the bounds.
    """
    player = index_of(economy.world.countries, country, "country")
    factor = 1.0 + economy.in_force.tariff_rate_cf.to_numpy()
    single, _ = _search(economy, factor, player, "sector", _first_guess(economy, factor))
    best, steps = _search(economy, factor, player, "line", single)
    return _labelled(economy, best, (player,), {country: steps}, (1, 1))


def searched_war(economy: Economy) -> SearchedTariffs:
    """Search the tariffs of all countries against each other, as the paper's table 4 did.

    Raises
    ------
    InputError, NotConvergedError
        As `searched_optimum`.
    """
    countries = economy.world.countries
    in_force = 1.0 + economy.in_force.tariff_rate_cf.to_numpy()
    guess = _first_guess(economy, in_force)
    factor, _ = _round(economy, in_force, "sector", guess)
    factor, _, singles = _war(economy, factor, "sector")
    factor, steps, lines = _war(economy, factor, "line")
    players = tuple(range(len(countries)))
    return _labelled(economy, factor, players, dict(zip(countries, steps, strict=True)), (singles, lines))


def _war(economy: Economy, factor: Numbers, tie: Tie) -> tuple[Numbers, list[int], int]:
    """Return factors, steps and rounds; with a rate for every partner each round starts from the first one's guess."""
    start = factor
    for rounds in range(1, _ROUNDS + 1):
        before = factor
        factor, steps = _round(economy, before, tie, before if tie == "sector" else start)
        # The mean is over all cells, home sales with their zero rate too, and rises offset falls.
        if abs(float(np.mean(factor - before))) <= _ROUND_STOP:
            return factor, steps, rounds
    raise NotConvergedError(f"tariffs still move after {_ROUNDS} rounds of answers to each other")


def _round(economy: Economy, factor: Numbers, tie: Tie, guess: Numbers) -> tuple[Numbers, list[int]]:
    """Return the answers of all countries to the same factors (N, N, S), and the steps of each search."""
    after, taken = factor.copy(), list[int]()
    for player in range(factor.shape[1]):
        found, steps = _search(economy, factor, player, tie, guess)
        after[:, player] = found[:, player]
        taken.append(steps)
    return after, taken


def _first_guess(economy: Economy, factor: Numbers) -> Numbers:
    """Return factors (N, N, S) with 1 / (sigma - 1) on every line, as for two countries and one sector."""
    guess: Numbers = np.broadcast_to(1.0 + 1.0 / economy.world.trade_elasticity.to_numpy(), factor.shape)
    return guess


class _Problem(NamedTuple):
    """What a search holds fixed: player, factors (N, N, S), which rate each line has (N, S) or -1, and 1 + t0 / 10."""

    player: Array
    factor: Array
    rate_of: Array
    scale: Array


def _search(economy: Economy, factor: Numbers, player: int, tie: Tie, guess: Numbers) -> tuple[Numbers, int]:
    """Return factors (N, N, S) with those of one player as searched, and the number of steps."""
    if economy.variant != PROFITS:
        raise InputError(f"the search is of one paper's model; expected '{PROFITS.name}', not '{economy.variant.name}'")
    choice = choice_of(economy, (player,), partners=None, sectors=None, tie=tie, bounds=_BOUNDS)
    free = choice.free[:, 0]
    groups, member = np.unique(choice.group[:, 0][free], return_inverse=True)
    rate_of: Positions = np.full(free.shape, -1)
    rate_of[free] = member
    lines = np.bincount(member, minlength=groups.size)

    def mean_rate(of: Numbers) -> Numbers:
        return np.bincount(member, of[:, player][free] - 1.0, minlength=groups.size) / lines

    scale = 1.0 + _RATE_SCALE * mean_rate(factor)
    first = mean_rate(guess)
    begun = factor.copy()
    begun[:, player][free] = 1.0 + first[member]
    with jax.enable_x64(True):
        at = equilibrium(economy, begun).x
        trade = economy.variant.maps(jnp.asarray(begun), economy.base)
        welfare = jnp.exp(economy.variant.log_welfare(at, trade, economy.base))
        start = np.concatenate([np.asarray(welfare), np.exp(np.asarray(at)), (1.0 + _RATE_SCALE * first) / scale])
        problem = _Problem(*(jnp.asarray(part) for part in (player, factor, rate_of, scale)))
        found, steps = _climb(economy, problem, start, player)
    rate = (found[-groups.size :] * scale - 1.0) / _RATE_SCALE
    if steps >= _STEPS or not bool(np.all((rate >= _BOUNDS[0]) & (rate <= _BOUNDS[1]))):
        name = economy.world.countries[player]
        seen = f"{steps} steps, rates from {rate.min():.3g} to {rate.max():.3g}"
        raise NotConvergedError(
            f"the search of {name} did not end: {seen}; expected fewer than {_STEPS} steps and rates within {_BOUNDS}"
        )
    ended = factor.copy()
    ended[:, player][free] = 1.0 + rate[member]
    return ended, steps


def _climb(economy: Economy, problem: _Problem, start: Numbers, player: int) -> tuple[Numbers, int]:
    """Raise one welfare from a start (n,) by sequential quadratic programming; return the end and the steps taken."""

    def violations(point: Numbers) -> Numbers:
        value: Array = cast(Any, _constraints)(point, problem, economy.base, variant=economy.variant)
        return np.asarray(value)

    def slopes(point: Numbers) -> Numbers:
        value: Array = cast(Any, _slopes)(point, problem, economy.base, variant=economy.variant)
        return np.asarray(value)

    point, gap, slope = start, violations(start), slopes(start)
    hessian, gradient = np.eye(start.size), np.zeros(start.size)
    gradient[player] = -1.0
    price = 1.0 / np.sum(slope**2, axis=1)
    multiplier = np.zeros(gap.size)
    corner = np.zeros((gap.size, gap.size))
    for steps in range(_STEPS):
        solved = np.linalg.solve(np.block([[hessian, slope.T], [slope, corner]]), -np.concatenate([gradient, gap]))
        step, wanted = solved[: start.size], solved[start.size :]
        price = np.maximum(np.abs(wanted), 0.5 * (np.abs(wanted) + price))
        held = _merits(point, gap, price, player)
        length, worst = 1.0, np.max(np.abs(gap))
        while True:
            if abs(length * step[player]) < _STOP and worst < _STOP:
                return point, steps
            tried = point + length * step
            gap_tried = violations(tried)
            worst = np.max(np.abs(gap_tried))
            better = any(a <= b for a, b in zip(_merits(tried, gap_tried, price, player), held, strict=True))
            if better or length < _SHORTEST_STEP:
                break
            length /= 2.0
        multiplier = length * wanted + (1.0 - length) * multiplier
        slope_tried = slopes(tried)
        hessian = _curved(hessian, tried - point, (slope_tried - slope).T @ multiplier)
        point, gap, slope = tried, gap_tried, slope_tried
    return point, _STEPS


def _merits(point: Numbers, gap: Numbers, price: Numbers, player: int) -> tuple[float, float]:
    """Return violations at their prices less welfare, and the largest violation less welfare."""
    return float(price @ np.abs(gap) - point[player]), float(np.max(np.abs(gap)) - point[player])


def _curved(hessian: Numbers, step: Numbers, turn: Numbers) -> Numbers:
    """Return the curvature (n, n) that also explains how the gradient turned over a step (n,), where that is convex."""
    if turn @ step <= _ROUNDING * np.linalg.norm(hessian):
        return hessian
    along = hessian @ step
    moved = hessian + np.outer(turn, turn) / (turn @ step) - np.outer(along, along) / (step @ along)
    return 0.5 * (moved + moved.T)


@partial(jax.jit, static_argnames=("variant",))
def _constraints(point: Array, problem: _Problem, base: Any, *, variant: Variant) -> Array:
    """Return 3N numbers that are zero where hats and rates belong together."""
    count = problem.factor.shape[0]
    state = jnp.log(point[count : 3 * count])
    rate = (point[3 * count :] * problem.scale - 1.0) / _RATE_SCALE
    own = jnp.where(problem.rate_of >= 0, 1.0 + rate[problem.rate_of], problem.factor[:, problem.player])
    trade = variant.maps(problem.factor.at[:, problem.player].set(own), base)
    welfare = jnp.exp(variant.log_welfare(state, trade, base))
    return jnp.concatenate([variant.system(state, trade, base), point[:count] - welfare])


_jacrev = cast(Any, jax.jacrev)  # JAX annotates neither this nor what it compiles.


@partial(jax.jit, static_argnames=("variant",))
def _slopes(point: Array, problem: _Problem, base: Any, *, variant: Variant) -> Array:
    """Return the derivatives of the constraints (3N, n)."""
    slopes: Array = _jacrev(partial(_constraints, variant=variant))(point, problem, base)
    return slopes


def _labelled(
    economy: Economy, factor: Numbers, players: tuple[int, ...], steps: dict[str, int], rounds: tuple[int, int]
) -> SearchedTariffs:
    """Return searched factors (N, N, S) with labels."""
    rate = economy.with_tariffs(factor, "tariffs as searched").tariff_rate_cf.rename("tariff_rate")
    choice = choice_of(economy, players, partners=None, sectors=None, tie="line", bounds=_BOUNDS)
    mask = np.zeros(rate.shape, dtype=np.bool_)
    mask[:, list(players)] = choice.free
    return SearchedTariffs(rate, xr.DataArray(mask, coords=rate.coords, dims=rate.dims), steps, rounds)
