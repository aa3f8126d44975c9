"""What knowledge does to two partners: equilibria at given productivities, and their exact slopes by one adjoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World
from counterpoise.core.labels import index_of
from counterpoise.model import Baseline, Closure, Labour, Outcome
from counterpoise.solver import Anderson, Gap, Gradient, Objective, gradient, solve, solve_batch

__all__ = ["Cells", "FundEquilibria", "Gains", "PartnersWelfare", "Slopes"]

Numbers = NDArray[np.float64]

_PRECISE = Anderson(rtol=1e-12)
"""Gains of a fund are millionths of income: equilibria are solved to twelve digits."""


@dataclass(frozen=True, slots=True)
class PartnersWelfare(Objective):
    """Weighted sum of equivalent variations, USD, by positions of the countries."""

    countries: tuple[int, ...]
    weights: tuple[float, ...]

    def value(self, result: Outcome, base: Baseline) -> Array:
        """Return the sum over countries of weight times baseline income times (welfare_hat - 1)."""
        where = jnp.asarray(self.countries)
        gains = base.income[where] * (result.welfare_hat[where] - 1.0)
        return jnp.sum(jnp.asarray(self.weights) * gains)


class Cells(NamedTuple):
    """The (country, sector) that knowledge can reach, as positions in the world (C,)."""

    country: NDArray[np.intp]
    sector: NDArray[np.intp]


class Gains(NamedTuple):
    """What a draw brings over the same world without a fund, USD a year.

    ``partners`` (..., 2) equivalent variations of seller and buyer; ``gap_closed`` (...,).
    """

    partners: Numbers
    gap_closed: Numbers


class Slopes(NamedTuple):
    """Derivatives to the log of productivity (C,), USD; an outcome that was not asked for is zero."""

    welfare: Numbers
    gap_closed: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class FundEquilibria:
    """Equilibria of one world, one shock and two partners, as a function of productivity.

    ``before`` is the equilibrium without a fund; gains are measured from there. A positive ``gap_closed`` always means
    less of a gap, whichever partner sells more.
    """

    world: World
    shock: Shock
    pair: tuple[str, str]
    weights: tuple[float, float]
    cells: Cells
    closure: Closure | str
    labour: Labour | None
    before: Solution

    @classmethod
    def start(
        cls,
        world: World,
        shock: Shock,
        pair: tuple[str, str],
        weights: tuple[float, float],
        cells: Cells,
        closure: Closure | str,
        labour: Labour | None = None,
    ) -> FundEquilibria:
        """Solve the world without a fund; the pair is ordered so that the first country sells more."""
        before = solve(world, shock, closure=closure, labour=labour, solver=_PRECISE)
        return cls(world, shock, pair, weights, cells, closure, labour, before)

    @property
    def positions(self) -> tuple[int, int]:
        """Return the positions of the partners in the world."""
        seller, buyer = (index_of(self.world.countries, c, "country") for c in self.pair)
        return seller, buyer

    def shock_at(self, log_gain: Numbers) -> Shock:
        """Return the shock with productivity raised by exp(log_gain) (C,)."""
        productivity = self.shock.productivity_hat.to_numpy().copy()
        productivity[self.cells.country, self.cells.sector] *= np.exp(log_gain)
        return self.shock.with_array("productivity_hat", productivity)

    def solve(self, log_gain: Numbers) -> Solution:
        """Solve one equilibrium."""
        return solve(self.world, self.shock_at(log_gain), closure=self.closure, labour=self.labour, solver=_PRECISE)

    def gains(self, solution: Solution) -> Gains:
        """Return what a solution brings."""
        where = list(self.positions)
        partners = (
            self.world.income.to_numpy()[where]
            * (solution.values["welfare_hat"] - self.before.values["welfare_hat"])[where]
        )
        return Gains(partners, np.asarray(self._closed(solution.gap_cf_usd(*self.pair))))

    def many_gains(self, log_gains: Numbers) -> Gains:
        """Return what each draw (D, C) brings, in one batch."""
        shocks = [self.shock_at(row) for row in log_gains]
        batch = solve_batch(self.world, shocks, closure=self.closure, labour=self.labour, solver=_PRECISE)
        where = list(self.positions)
        hats = batch.data["welfare_hat"].to_numpy()[:, where] - self.before.values["welfare_hat"][where]
        return Gains(self.world.income.to_numpy()[where] * hats, self._closed(batch.gap_cf_usd(*self.pair)))

    def gradients(self, solution: Solution) -> tuple[Gradient, Gradient]:
        """Return the exact derivatives of welfare and of the gap (not of its closing) to every instrument."""
        return self._gradient(solution, self._welfare()), self._gradient(solution, Gap(*self.positions))

    def slopes(self, solution: Solution, *, welfare: bool, gap: bool) -> Slopes:
        """Return slopes to the log of productivity; only what is asked for costs an adjoint."""
        nothing = np.zeros(len(self.cells.country))
        return Slopes(
            self.to_cells(solution, self._gradient(solution, self._welfare())) if welfare else nothing,
            -self._sign * self.to_cells(solution, self._gradient(solution, Gap(*self.positions))) if gap else nothing,
        )

    def many_slopes(self, log_gains: Sequence[Numbers], *, welfare: bool, gap: bool) -> list[Slopes]:
        """Return the slopes of several draws, an equilibrium and its adjoint for each, on several threads."""

        def one(row: Numbers) -> Slopes:
            return self.slopes(self.solve(row), welfare=welfare, gap=gap)

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return list(pool.map(one, log_gains))

    def to_cells(self, solution: Solution, found: Gradient) -> Numbers:
        """Return the derivative to the log of productivity of each cell (C,)."""
        where = (self.cells.country, self.cells.sector)
        return found.productivity_hat.to_numpy()[where] * solution.shock.productivity_hat.to_numpy()[where]

    def _gradient(self, solution: Solution, of: Objective) -> Gradient:
        return gradient(solution, of, closure=self.closure, labour=self.labour)

    def _welfare(self) -> PartnersWelfare:
        return PartnersWelfare(self.positions, self.weights)

    @property
    def _sign(self) -> float:
        return 1.0 if self.before.gap_cf_usd(*self.pair) >= 0 else -1.0

    def _closed(self, gap_usd: float | Numbers) -> Numbers:
        return self._sign * (self.before.gap_cf_usd(*self.pair) - np.asarray(gap_usd))
