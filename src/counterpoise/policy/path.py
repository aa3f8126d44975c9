"""Paths: a target for every year, with levers that ramp up and trade that answers more the longer one waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from counterpoise.core.errors import InputError
from counterpoise.policy.closing import closing_of, target_of
from counterpoise.policy.costs import Objective
from counterpoise.policy.package import closed_usd_of, lever_uses
from counterpoise.policy.search import InfeasibleError
from counterpoise.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.policy.package import LeverUse

__all__ = ["Milepost", "Path", "path_to"]


@dataclass(frozen=True, slots=True, eq=False)
class Milepost:
    """The package of one year.

    Attributes
    ----------
    on, years
        Last day of the year, and years since the scenario's day (at least 1).
    elasticity_share
        Trade elasticities over their long-run values.
    target_usd, closed_usd, max_closure_usd
        What was to be closed, what is, and the most that could be; the gap of the base year's trade.
    reached
        False where the target is beyond the largest closure: then the package is the one of the largest closure.
    turnover_usd
        Trade of the pair in both directions.
    """

    on: date
    years: float
    elasticity_share: float
    target_usd: float
    closed_usd: float
    max_closure_usd: float
    reached: bool
    cost_usd: float
    shadow_price: float
    kkt_residual: float
    turnover_usd: float
    uses: tuple[LeverUse, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Packages year by year.

    Attributes
    ----------
    start
        The scenario's day, from which years are counted.
    milestones
        (day, words): the scenario's dated marks, and the days on which its levers and measures change.
    goal_usd, goal_by
        Published aim for trade in both directions; NaN and None without one.
    """

    pair: tuple[str, str]
    gap_usd: float
    turnover_before_usd: float
    mileposts: tuple[Milepost, ...]
    start: date
    milestones: tuple[tuple[date, str], ...]
    goal_usd: float
    goal_by: date | None

    def table(self) -> pd.DataFrame:
        """Return one row per year, as `Milepost` without its levers."""
        import pandas as pd

        names = [name for name in Milepost.__slots__ if name != "uses"]
        return pd.DataFrame([{name: getattr(m, name) for name in names} for m in self.mileposts])

    def levers(self) -> pd.DataFrame:
        """Return one row per year and lever: on, lever, title, kind, value, upper, cost_usd."""
        import pandas as pd

        rows = [
            {
                "on": m.on,
                "lever": use.lever.id,
                "title": use.lever.title or use.lever.id,
                "kind": use.lever.kind,
                "value": use.value,
                "upper": use.lever.upper,
                "cost_usd": use.cost_usd,
            }
            for m in self.mileposts
            for use in m.uses
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready document."""
        years = [{k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()} for row in _rows(self)]
        return {
            "pair": list(self.pair),
            "gap_usd": self.gap_usd,
            "turnover_before_usd": self.turnover_before_usd,
            "start": self.start.isoformat(),
            "goal_usd": self.goal_usd,
            "goal_by": None if self.goal_by is None else self.goal_by.isoformat(),
            "milestones": [{"day": day.isoformat(), "title": words} for day, words in self.milestones],
            "years": years,
        }


def path_to(
    scenario: Scenario | str,
    target: float | str = 0.2,
    *,
    last: int = 2030,
    first: int | None = None,
    only_scenario: bool = False,
    welfare_floors: Mapping[str, float] | None = None,
    third_party_limits: Mapping[str, float] | None = None,
    objective: Objective | str = "fiscal",
    cost: str = "central",
    obstacles: str = "scenario",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Return the cheapest package of every year, with targets that rise evenly to the last one.

    Every year is a comparative static of its own on the base year's trade: measures and ramps as on its last day, trade
    elasticities as after so many years. Nothing of the economies' growth is in it.

    Parameters
    ----------
    scenario
        With a pair and a day to count from.
    target
        In the last year, as in `counterpoise.policy.target_of`.
    first, last
        Years; the first is the one after the scenario's day by default.
    only_scenario, welfare_floors, third_party_limits, objective, cost, obstacles
        As in `counterpoise.policy.close_scenario`.
    progress
        Called with years done and years in all.

    Raises
    ------
    InputError
        If the scenario has no day, or the years run backwards.
    """
    chosen = load_scenario(scenario) if isinstance(scenario, str) else scenario
    if chosen.as_of is None:
        raise InputError(f"the scenario '{chosen.name}' has no day to count from; set as_of = 2025-10-03")
    begin = chosen.as_of.year + 1 if first is None else first
    if last < begin or begin < chosen.as_of.year:
        raise InputError(f"path from {begin} to {last}; expected rising years from {chosen.as_of.year} on")
    asked = target_of(target)
    count = last - begin + 1
    found: list[Milepost] = []
    near: tuple[np.ndarray, ...] = ()
    gap = before = np.nan
    pair = ("", "")
    for done, year in enumerate(range(begin, last + 1)):
        if progress is not None:
            progress(done, count)
        closing = closing_of(chosen, by=date(year, 12, 31), only_scenario=only_scenario, cost=cost, obstacles=obstacles)
        search = closing.search(
            welfare_floors=welfare_floors, third_party_limits=third_party_limits, objective=objective
        )
        pair, rows = closing.pair, search.given.before.rows
        at_row = search.given.equilibria.at_row
        gap, before = search.programme.gap, float(rows[at_row.turnover])
        wanted = closed_usd_of(asked, gap) * (done + 1) / count
        most = search.closed(search.most())
        try:
            hit, reached = True, search.cheapest(wanted, near=near, starts=1)
        except InfeasibleError:
            hit, reached = False, search.cheapest(most * (1.0 - 1e-6), near=near, starts=1)
        near = (reached.u,)
        theta = closing.trade_elasticity
        share = 1.0 if theta is None else float(np.mean(theta / closing.world.trade_elasticity.to_numpy()))
        found.append(
            Milepost(
                on=date(year, 12, 31),
                years=closing.years,
                elasticity_share=share,
                target_usd=wanted,
                closed_usd=reached.closed_usd,
                max_closure_usd=most,
                reached=hit,
                cost_usd=reached.cost_usd,
                shadow_price=reached.certificate.multipliers["the target"],
                kkt_residual=reached.certificate.kkt_residual,
                turnover_usd=float(search.given.at(reached.given).rows[at_row.turnover]),
                uses=lever_uses(search, reached.given),
            )
        )
    if progress is not None:
        progress(count, count)
    goal = chosen.target
    return Path(
        pair,
        gap,
        before,
        tuple(found),
        chosen.as_of,
        _marks(chosen, chosen.as_of, last),
        np.nan if goal is None else goal.turnover_usd,
        None if goal is None else goal.by,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in path.table().to_dict("records")]


def _marks(scenario: Scenario, begin: date, last: int) -> tuple[tuple[date, str], ...]:
    """Return the dated marks that fall on the way: milestones, and days from which a measure or lever is available."""
    marks = [(m.day, m.title) for m in scenario.milestone]
    marks += [
        (entry.available_from, f"{entry.title or entry.id}: from here")
        for entry in scenario.lever
        if entry.available_from is not None and entry.enabled
    ]
    if scenario.target is not None:
        marks.append((scenario.target.by, f"aim: {scenario.target.turnover_usd / 1e9:g} bn USD of trade"))
    marks = [mark for k, mark in enumerate(marks) if mark[0] not in [day for day, _ in marks[:k]]]
    return tuple(sorted(mark for mark in marks if begin <= mark[0] <= date(last, 12, 31)))
