"""`close_scenario`: a scenario's gap, what can be moved, and when, in one call; and how a target may be written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, World, horizon_elasticity
from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.model import labour_of
from counterpoise.policy.costs import CostCase, Objective, cost_case
from counterpoise.policy.from_scenario import background_of, levers_at, levers_costing, levers_from_scenario, pair_of
from counterpoise.policy.levers import Lever
from counterpoise.policy.package import Package, closed_usd_of, open_search, package_of
from counterpoise.policy.package import close_gap as close_world_gap
from counterpoise.policy.search import Search
from counterpoise.scenario import Scenario, load_scenario, scenario_world

__all__ = ["Closing", "close_gap", "close_scenario", "closing_of", "day_of", "target_of"]

Floats = NDArray[np.float64]

DAYS_IN_YEAR = 365.25

_AMOUNT = re.compile(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*(%|bn|mn|)", re.IGNORECASE)
_FACTORS = {"%": 0.01, "bn": 1e9, "mn": 1e6, "": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Closing:
    """What a scenario asks: its pair and gap, what holds anyway, what can be moved, and when.

    Attributes
    ----------
    on
        Day by which the target is to be met; None: in the long run, with every lever at hand.
    years
        Years from the scenario's day to ``on``, at least 1; infinity in the long run.
    trade_elasticity
        (S,) after so many years; None where the world's own hold.
    cost
        Bound of the levers' cost curves that is taken: ``"low"``, ``"central"`` or ``"high"``.
    """

    scenario: Scenario
    world: World
    pair: tuple[str, str]
    levers: tuple[Lever, ...]
    background: Shock
    on: date | None
    years: float
    trade_elasticity: Floats | None
    cost: CostCase = "central"

    def search(
        self,
        *,
        welfare_floors: Mapping[str, float] | None = None,
        third_party_limits: Mapping[str, float] | None = None,
        turnover_floor_usd: float | None = None,
        objective: Objective | str = "fiscal",
        trade_elasticity: Floats | None = None,
        seed: int = 0,
    ) -> Search:
        """Return the search for packages; limits and objective as in `counterpoise.policy.close_gap`."""
        return open_search(
            self.world,
            self.levers,
            self.pair,
            welfare_floors=welfare_floors,
            third_party_limits=third_party_limits,
            turnover_floor_usd=turnover_floor_usd,
            objective=objective,
            background=self.background,
            closure=self.scenario.closure,
            labour=labour_of(self.scenario.choice),
            trade_elasticity=self.trade_elasticity if trade_elasticity is None else trade_elasticity,
            seed=seed,
        )


def closing_of(
    scenario: Scenario | str,
    *,
    by: date | None = None,
    only: Sequence[str] | None = None,
    only_scenario: bool = False,
    restraint: bool = False,
    cost: str = "central",
    obstacles: str = "scenario",
    world: World | None = None,
) -> Closing:
    """Return what a scenario asks, ready to be searched.

    Parameters
    ----------
    scenario
        A scenario with a pair, or the name of one.
    by
        Day by which the target is to be met: dated measures hold as on that day, levers reach as far as their ramps let
        them, and trade elasticities are those of so many years after the scenario's day
        (`counterpoise.core.horizon_elasticity`). None: the long run.
    only
        Ids of the only levers to use, or kinds of them (``"tariff cut"``); all by default.
    only_scenario, restraint, obstacles
        As in `counterpoise.policy.levers_from_scenario`.
    cost
        Bound of the levers' cost curves: ``"low"``, ``"central"`` (default) or ``"high"``.
    world
        In place of the scenario's own.

    Raises
    ------
    InputError
        If the scenario's model cannot hold levers, it names no pair, leaves no lever, ``by`` lies before its day,
        or ``cost`` is no bound.
    """
    chosen = load_scenario(scenario) if isinstance(scenario, str) else scenario
    chosen.choice.require_levers("a package")
    world = scenario_world(chosen) if world is None else world
    pair, end = pair_of(chosen, world), cost_case(cost)
    levers = levers_from_scenario(chosen, world, only_scenario=only_scenario, restraint=restraint, obstacles=obstacles)
    levers = levers_costing(levers, end)
    problems: list[str] = []
    if only is not None:
        known = [*(lever.id for lever in levers), *dict.fromkeys(lever.kind for lever in levers)]
        problems += [
            f"no lever '{name}'{did_you_mean(name, known) or ';'} Known: {', '.join(known)}"
            for name in only
            if name not in known
        ]
        levers = tuple(lever for lever in levers if lever.id in only or lever.kind in only)
    years, theta = math.inf, None
    if by is not None:
        if chosen.as_of is None:
            problems.append(f"by {by}: the scenario has no day to count from; set as_of = 2025-10-03")
        elif by < chosen.as_of:
            problems.append(f"by {by} lies before the scenario's day {chosen.as_of}; give a later day")
        else:
            years = max(1.0, (by - chosen.as_of).days / DAYS_IN_YEAR)
            theta = horizon_elasticity(world.trade_elasticity.to_numpy(), years)
            levers = levers_at(levers, by)
    raise_all(InputError, f"the gap of '{chosen.name}' cannot be closed as asked", problems)
    background = background_of(chosen, world, as_of=by)
    return Closing(chosen, world, pair, levers, background, by, years, theta, end)


def close_gap(
    subject: World | Scenario | str,
    levers: Sequence[Lever] | None = None,
    pair: tuple[str, str] | None = None,
    target: float | str = 0.2,
    **options: Any,
) -> Package:
    """Find the cheapest package that closes so much of a gap, of a scenario or of a world with levers of one's own.

    Parameters
    ----------
    subject
        A scenario or its name, then without levers and pair; or a balanced world.
    levers, pair
        What can be moved, and (origin, destination) with origin selling more; for a world only.
    target
        As in `target_of`.
    **options
        Those of `close_scenario`, or of `counterpoise.policy.package.close_gap` for a world; see there for the errors.

    Raises
    ------
    InputError
        If levers or a pair are given for a scenario, or missing for a world.
    """
    if isinstance(subject, World):
        if levers is None or pair is None:
            raise InputError("close_gap(world, levers, pair, target): a world needs levers and a pair; give both")
        return close_world_gap(subject, levers, pair, target_of(target), **options)
    if levers is not None or pair is not None:
        raise InputError(
            "close_gap(scenario, target=...): a scenario brings its own levers and pair; leave them out, or give "
            "scenario_world(scenario) instead"
        )
    return close_scenario(subject, target, **options)


def close_scenario(
    scenario: Scenario | str,
    target: float | str = 0.2,
    *,
    by: date | None = None,
    only: Sequence[str] | None = None,
    only_scenario: bool = False,
    restraint: bool = False,
    cost: str = "central",
    obstacles: str = "scenario",
    welfare_floors: Mapping[str, float] | None = None,
    third_party_limits: Mapping[str, float] | None = None,
    turnover_floor_usd: float | None = None,
    objective: Objective | str = "fiscal",
    starts: int = 3,
    seed: int = 0,
) -> Package:
    """Find the cheapest package that closes so much of a scenario's gap.

    Parameters
    ----------
    scenario, by, only, only_scenario, restraint, cost, obstacles
        As in `closing_of`.
    target
        As in `target_of`.
    welfare_floors, third_party_limits, turnover_floor_usd, objective, starts, seed
        As in `counterpoise.policy.close_gap`, which also lists the errors.
    """
    import time

    began = time.perf_counter()
    asked = target_of(target)
    closing = closing_of(
        scenario,
        by=by,
        only=only,
        only_scenario=only_scenario,
        restraint=restraint,
        cost=cost,
        obstacles=obstacles,
    )
    search = closing.search(
        welfare_floors=welfare_floors,
        third_party_limits=third_party_limits,
        turnover_floor_usd=turnover_floor_usd,
        objective=objective,
        seed=seed,
    )
    closed = closed_usd_of(asked, search.programme.gap)
    return package_of(search, search.cheapest(closed, starts=starts), closed, began=began)


def target_of(text: float | str) -> float:
    """Return a target from what people write: ``"20%"``, ``"0.2"``, ``"5e9"``, ``"5bn"``, ``"500mn"``, or a number.

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> target_of("20%"), target_of("5bn"), target_of(0.2)
    (0.2, 5000000000.0, 0.2)
    """
    if not isinstance(text, str):
        return float(text)
    found = _AMOUNT.fullmatch(text.strip().replace("USD", "").replace(" ", ""))
    try:
        value = math.nan if found is None else float(found[1]) * _FACTORS[found[2].lower()]
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InputError(
            f"target '{text}'; expected a share of the gap, as 20% or 0.2, or USD a year, as 5bn, 500mn or 5e9"
        )
    return value


def day_of(text: str) -> date:
    """Return a day from ``"2030"`` (its last day), ``"2030-06"`` (its first) or ``"2030-12-31"``.

    Raises
    ------
    InputError
        If it is none of these.
    """
    parts = text.strip().split("-")
    try:
        numbers = [int(part) for part in parts]
        if len(numbers) == 1 and len(parts[0]) == 4:
            return date(numbers[0], 12, 31)
        if len(numbers) == 2:
            return date(numbers[0], numbers[1], 1)
        if len(numbers) == 3:
            return date(numbers[0], numbers[1], numbers[2])
    except ValueError:
        pass
    raise InputError(f"'{text}' is no day; expected a year as 2030, or a day as 2030-12-31")
