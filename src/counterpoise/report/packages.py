"""What a report asks about the way back: the order alone, the cheapest package, the frontier, the shares, the path."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from counterpoise.core import World
from counterpoise.measure.order import FARM, MEDICINES
from counterpoise.policy.closing import Closing, closing_of
from counterpoise.policy.frontier import Frontier, frontier_of
from counterpoise.policy.levers import PurchaseProgramme
from counterpoise.policy.package import Package, closed_usd_of, package_of
from counterpoise.policy.path import Path, path_to
from counterpoise.policy.shares import Shares, shares_of
from counterpoise.scenario import Scenario
from counterpoise.scenario.schema import Purchase, hs_codes

__all__ = ["LARGEST_RATE", "TARGET", "OrderAlone", "WayBack", "WholeGap", "find_way_back", "order_alone"]

TARGET = 0.2
"""Share of the gap that the package of a report closes: a fifth."""

POINTS = 8
"""Points of the frontier in a report."""

LAST_YEAR = 2030
"""Last year of the path in a report: that of the published aim for trade."""

Tell = Callable[[str, int, int], None]


LARGEST_RATE = 0.95
"""Largest share of the price that a programme may pay at all, as in a scenario's levers."""


@dataclass(frozen=True, slots=True)
class WholeGap:
    """What it takes to close the whole gap by the scenario's own programmes, whatever their bounds: the cheapest way.

    Attributes
    ----------
    rates
        Share of the price that is paid, by lever.
    cost_usd
        USD a year.
    bought_usd
        What is then bought of these goods from the partner, USD a year at customs value.
    imports_usd
        What is imported of these sectors from everyone in the base year, USD a year at customs value.
    """

    rates: Mapping[str, float]
    cost_usd: float
    bought_usd: float
    imports_usd: float

    @property
    def multiple(self) -> float:
        """Purchases over all that is imported of these sectors today."""
        return self.bought_usd / self.imports_usd


@dataclass(frozen=True, slots=True)
class OrderAlone:
    """The most that the scenario's own purchase programmes close, at what price, and what closing all of it takes.

    Attributes
    ----------
    max_closure_pct, cost_usd, shadow_price
        Share of the gap, percent; cost, USD a year; price of the last dollar of the gap.
    rate
        The highest share of the price that they may pay.
    levers, goods
        Ids of the programmes, and their goods in words.
    whole
        What closing the whole gap takes; None where not even `LARGEST_RATE` does.
    """

    max_closure_pct: float
    cost_usd: float
    shadow_price: float
    rate: float
    levers: tuple[str, ...]
    goods: str
    whole: WholeGap | None


@dataclass(frozen=True, slots=True, eq=False)
class WayBack:
    """Everything that a report says about the way back; ``alone`` is None where the scenario orders nothing."""

    closing: Closing
    package: Package
    frontier: Frontier
    shares: Shares
    yearly: Path | None
    alone: OrderAlone | None

    def facts(self) -> dict[str, Any]:
        """Return the headline numbers as plain values."""
        keys = (
            "status",
            "cost_usd",
            "shadow_price",
            "max_closure_pct",
            "kkt_residual",
            "closed_usd",
            "closed_pct",
            "next_billion_usd",
        )
        package = self.package.to_json()
        out: dict[str, Any] = {key: package[key] for key in keys}
        if self.alone is not None:
            out |= {
                "order_alone_max_closure_pct": self.alone.max_closure_pct,
                "order_alone_cost_usd": self.alone.cost_usd,
                "order_alone_shadow_price": self.alone.shadow_price,
            }
            if self.alone.whole is not None:
                out |= {
                    "order_for_all_rates": dict(self.alone.whole.rates),
                    "order_for_all_cost_usd": self.alone.whole.cost_usd,
                    "order_for_all_over_imports": self.alone.whole.multiple,
                }
        return out


def find_way_back(scenario: Scenario, world: World, progress: Tell | None = None, *, seed: int = 0) -> WayBack:
    """Solve what a report asks about the way back.

    Parameters
    ----------
    scenario, world
        With a pair.
    progress
        Called with a phase, steps done and steps in all.
    seed
        Of starts and draws.

    Raises
    ------
    InputError
        If nothing could be moved.
    InfeasibleError
        If the levers cannot close a fifth of the gap.
    """
    tell = progress or _untold
    closing = closing_of(scenario, world=world)
    began = time.perf_counter()
    search = closing.search(seed=seed)
    closed = closed_usd_of(TARGET, search.programme.gap)
    reached = search.cheapest(closed)
    package = package_of(search, reached, closed, began=began)
    frontier = frontier_of(search, POINTS, progress=lambda k, n: tell("the frontier", k, n))
    shares = shares_of(search, reached.given, by="kind", seed=seed)
    yearly = None
    if scenario.as_of is not None and scenario.as_of.year < LAST_YEAR:
        yearly = path_to(scenario, TARGET, last=LAST_YEAR, progress=lambda k, n: tell("the path", k, n))
    return WayBack(closing, package, frontier, shares, yearly, order_alone(scenario, closing, world))


def _untold(step: str, k: int, count: int) -> None:
    """Tell nobody."""


def order_alone(scenario: Scenario, closing: Closing, world: World) -> OrderAlone | None:
    """Return the most that the purchase programmes which the scenario names can close, and what closing all takes.

    Parameters
    ----------
    scenario, world
        With a pair.
    closing
        Of the scenario with every lever.

    Returns
    -------
    None where the scenario names no programme of the pair.
    """
    own = {measure.id: measure for measure in scenario.measure if isinstance(measure, Purchase)}
    programmes = [v for v in closing.levers if isinstance(v, PurchaseProgramme) and v.id in own]
    if not programmes:
        return None
    names = tuple(v.id for v in programmes)
    only = closing_of(scenario, only=names, world=world)
    search = only.search()
    most = search.closed(search.most())
    reached = search.cheapest(most * (1.0 - 1e-6), starts=1)
    return OrderAlone(
        100.0 * most / search.programme.gap,
        reached.cost_usd,
        reached.certificate.multipliers["the target"],
        max(lever.upper for lever in only.levers),
        names,
        _goods([own[name] for name in names]),
        _whole(only, world),
    )


def _whole(only: Closing, world: World) -> WholeGap | None:
    """Return the cheapest way to close the whole gap by programmes that may pay nearly all of the price."""
    free = replace(only, levers=tuple(replace(lever, upper=LARGEST_RATE) for lever in only.levers))
    search = free.search()
    gap = search.programme.gap
    if search.closed(search.most()) < gap:
        return None
    reached = search.cheapest(gap, starts=1)
    point = search.given.at(reached.given)
    seller, buyer = only.pair
    touched = sorted({name for lever in free.levers for name in lever.touched}, key=world.sectors.index)
    where = [world.sectors.index(name) for name in touched]
    here, there = world.countries.index(seller), world.countries.index(buyer)
    foreign = [k for k in range(len(world.countries)) if k != here]
    imports = world.flow.to_numpy()[foreign, here][:, where].sum()
    return WholeGap(
        {lever.id: float(v) for lever, v in zip(free.levers, point.values, strict=True)},
        reached.cost_usd,
        float(point.flow[where, there, here].sum()),
        float(imports),
    )


def _goods(measures: Sequence[Purchase]) -> str:
    """Say what programmes buy: farm goods, medicines, both, or simply what the scenario orders."""
    codes = {code for m in measures for code in m.products or ("",)}
    farm = {code for code in codes if _within(code, FARM)}
    medicines = {code for code in codes if _within(code, MEDICINES)}
    if codes != farm | medicines:
        return "the goods that the scenario orders"
    return " and ".join(words for words, found in (("farm goods", farm), ("medicines", medicines)) if found)


def _within(code: str, chapters: Sequence[str]) -> bool:
    """Say whether a code or range of codes lies within chapters that follow each other."""
    ends = hs_codes(code)
    return ends is not None and all(end[:2] in chapters for end in ends)
