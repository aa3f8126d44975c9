r"""Cooperative tariffs: those that several countries would set together, and what each gains.

Tariffs are efficient when no others make one party better off without loss to another. Each efficient choice maximises
a weighted sum of log welfares, sum_k mu_k h_k, so that at it, for every line that the parties choose::

    sum_k mu_k d h_k / d ln f_ijs = 0,    mu_k > 0

Weights and tariffs are found together (`counterpoise.policy.tariff_sweeps`). Under ``"equal_gains"`` the weights are
those at which all parties gain the same percentage over the point they start from: the symmetric bargain of Ossa
(2014). Under ``"joint"`` they are given, incomes by default: the largest sum of gains in money, whoever has them.

Certificates: ``first_order_gap``, the largest distance of any tariff factor, or of any weight, from these conditions,
in logs; the weights themselves, which are positive; and ``spread_pct``, by how much the common gain differs between
starts.

References
----------
Ossa (2014), Trade Wars and Trade Talks with Data, American Economic Review 104(12), section IV.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution
from counterpoise.core.errors import InputError, NotConvergedError, did_you_mean, raise_all
from counterpoise.policy.tariff_sweeps import End, Tie, play
from counterpoise.policy.tariffs import (
    BOUNDS,
    Progress,
    choice_for,
    factor_in_force,
    players_of,
    rates_table,
    unsettled,
)
from counterpoise.solver.variants import Economy, solve_variant

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CooperativeTariffs", "cooperative_tariffs"]

_RULES = ("equal_gains", "joint")


@dataclass(frozen=True, slots=True, eq=False)
class CooperativeTariffs:
    """Tariffs that no other ones improve on for all parties.

    Attributes
    ----------
    parties
        Countries that choose together; the others keep their tariffs.
    rule
        ``"equal_gains"`` or ``"joint"``.
    tariff_rate
        By origin, destination and sector; a negative one is an import subsidy.
    chosen
        Mask of the same shape: the lines that were chosen.
    solution
        The equilibrium they lead to.
    gain_pct
        By party, change of welfare against the tariffs the talks start from, percent.
    weight
        By party, of its log welfare in the sum that the tariffs maximise; they add up to one.
    first_order_gap
        Largest distance of a tariff factor or a weight from its condition, in logs.
    spread_pct
        Largest difference of any party's gain between starts, percent; NaN with one start.
    sweeps, seconds
        Joint sweeps over all starts, and wall time.
    """

    parties: tuple[str, ...]
    rule: str
    tariff_rate: xr.DataArray
    chosen: xr.DataArray
    solution: Solution
    gain_pct: dict[str, float]
    weight: dict[str, float]
    first_order_gap: float
    spread_pct: float
    sweeps: int
    seconds: float

    def table(self) -> pd.DataFrame:
        """Return one row per chosen line, see `counterpoise.policy.tariffs.rates_table`."""
        return rates_table(self.solution, self.chosen.to_numpy())


def cooperative_tariffs(
    economy: Economy,
    parties: Sequence[str] | None = None,
    *,
    rule: Literal["equal_gains", "joint"] = "equal_gains",
    weights: Sequence[float] | None = None,
    sectors: Sequence[str] | None = None,
    tie: Tie = "line",
    background: Shock | None = None,
    start: Shock | None = None,
    bounds: tuple[float, float] = BOUNDS,
    progress: Progress | None = None,
) -> CooperativeTariffs:
    """Find the tariffs on each other that several countries would agree on.

    Parameters
    ----------
    economy
        A world with a model bound to it.
    parties
        Who agrees, two or more; every country by default.
    rule
        ``"equal_gains"``: all gain the same percentage; ``"joint"``: the largest weighted sum of log welfares.
    weights
        Of the parties under ``"joint"``, more than 0; incomes by default.
    sectors, tie
        What is agreed on, as in `counterpoise.policy.tariffs.optimal_tariff`.
    background
        Tariffs in force, which gains are counted from. None: those of the economy.
    start
        Tariffs that a second search starts from; both must agree to ``spread_pct``.
    bounds
        Lowest and highest rate.
    progress
        Told (step, number, of how many).

    Raises
    ------
    LabelError
        If a country or sector is unknown.
    InputError
        If there are fewer than two parties, one stands twice, or weights do not fit; every reason is listed.
    NotConvergedError
        If no tariffs meet the conditions.
    """
    began = time.perf_counter()
    names, positions = players_of(economy, parties)
    problems = [f"{name} is alone; name two parties or more" for name in names if len(names) == 1]
    if rule not in _RULES:
        problems.append(f"unknown rule '{rule}'{did_you_mean(rule, _RULES)} Known: {', '.join(_RULES)}")
    if weights is not None and rule != "joint":
        problems.append("weights are given, but under 'equal_gains' they follow from the talks; leave them out")
    if weights is not None and (len(weights) != len(names) or not all(value > 0 for value in weights)):
        problems.append(f"weights = {list(weights)}; expected {len(names)} numbers above 0")
    raise_all(InputError, "the talks cannot be held", problems)
    choice = choice_for(economy, positions, names, sectors, tie, bounds)
    factor = factor_in_force(economy, background)
    held = solve_variant(economy, economy.with_tariffs(factor, "tariffs in force"))
    reference = np.log(held.values["welfare_hat"])[list(positions)]
    begins = [factor]
    if start is not None:
        begins.append(_entering(factor, factor_in_force(economy, start), choice.free, positions))
    given = None if weights is None else np.array(weights, dtype=np.float64)
    ends: list[End] = []
    for k, begin in enumerate(begins):
        if progress is not None:
            progress(f"start {k + 1}", k, len(begins))
        ends.append(play(economy, begin, choice, rule, weights=given, reference=reference))
    failed = [end for end in ends if not end.settled]
    if failed:
        raise NotConvergedError(unsettled(economy, names, failed[0]))
    best = max(ends, key=lambda end: float(end.weight @ end.gain))
    gains = np.stack([end.gain for end in ends])
    solution = solve_variant(economy, economy.with_tariffs(best.factor, "tariffs agreed on"), start=best.x)
    rate = solution.shock.tariff_rate_cf.rename("tariff_rate")
    mask = np.zeros(rate.shape, dtype=np.bool_)
    mask[:, list(positions)] = choice.free
    return CooperativeTariffs(
        parties=names,
        rule=rule,
        tariff_rate=rate,
        chosen=xr.DataArray(mask, coords=rate.coords, dims=rate.dims),
        solution=solution,
        gain_pct=dict(zip(names, (100.0 * np.expm1(best.gain)).tolist(), strict=True)),
        weight=dict(zip(names, best.weight.tolist(), strict=True)),
        first_order_gap=best.violation,
        spread_pct=100.0 * float(np.ptp(gains, axis=0).max()) if len(ends) > 1 else float("nan"),
        sweeps=sum(end.sweeps for end in ends),
        seconds=time.perf_counter() - began,
    )


def _entering(
    factor: NDArray[np.float64],
    other: NDArray[np.float64],
    free: NDArray[np.bool_],
    positions: tuple[int, ...],
) -> NDArray[np.float64]:
    """Return the factors in force with the lines of the talks (N, J, S) as in another shock."""
    entered, columns = factor.copy(), list(positions)
    entered[:, columns] = np.where(free, other[:, columns], factor[:, columns])
    return entered
