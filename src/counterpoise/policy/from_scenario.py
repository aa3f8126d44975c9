"""Levers of a scenario: its purchase programmes and obstacles, and the duties of the pair, each with bounds and a cost.

What the scenario does not hold comes from assumptions of ours, stated here and carried in every lever's ``source``.
Goods on a list of exemptions of the scenario's purchases or obstacles stay outside every lever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, cast

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.data.concordance import goods_sectors
from counterpoise.policy.costs import CostCase, CostCurve
from counterpoise.policy.levers import (
    ExportSupport,
    FundMoney,
    Lever,
    ObstacleRemoval,
    OilRestraint,
    OpenedLine,
    PurchaseProgramme,
    Ramp,
    Reach,
    TariffCut,
)
from counterpoise.scenario import Scenario, compile_scenario, schema
from counterpoise.scenario.schema import Obstacle, Purchase, Tariff

__all__ = ["background_of", "levers_at", "levers_costing", "levers_from_scenario", "pair_of", "passed_over"]

OBSTACLE_SOURCES = ("scenario", "report")
"""Where the obstacles that can be removed come from."""

PROGRAMME_BOUND = 0.4
"""Largest share of the price that a programme pays where the scenario names no bound: own assumption."""

REMOVAL_PART = 0.5
"""Cost a year of taking an obstacle away, over what it costs traders a year today: own assumption, 0.25 to 1.

The curve is quadratic: the first part is nearly free, and the last costs what it saves on today's trade.
"""

RESTRAINT_BOUND = 0.5
"""Largest ad valorem equivalent of restraint in what the other side buys: own assumption."""


def pair_of(scenario: Scenario, world: World) -> tuple[str, str]:
    """Return the pair of a scenario, the one that sells more first.

    Raises
    ------
    InputError
        If the scenario names no pair.
    """
    if scenario.pair is None:
        raise InputError(
            f"the scenario '{scenario.name}' names no pair; add pair = "
            '{ origin = "RUS", destination = "IND" }, the two countries whose gap is to be closed'
        )
    a, b = scenario.pair.origin, scenario.pair.destination
    return (a, b) if world.gap_usd(a, b) >= 0 else (b, a)


def background_of(scenario: Scenario, world: World, *, as_of: date | None = None) -> Shock:
    """Return what holds whatever the levers do: the scenario without the measures that become levers."""
    levers = _lever_measures(scenario, world)
    kept = tuple(m for m in scenario.measure if m.id not in levers)
    return compile_scenario(scenario.model_copy(update={"measure": kept}), world, as_of=as_of).shock


def levers_from_scenario(
    scenario: Scenario,
    world: World,
    *,
    only_scenario: bool = False,
    restraint: bool = False,
    programme_bound: float = PROGRAMME_BOUND,
    removal_part: float = REMOVAL_PART,
    obstacles: str = "scenario",
) -> tuple[Lever, ...]:
    """Return the levers of the country that sells more: what it can buy from the other, and on what terms.

    Parameters
    ----------
    scenario, world
        The scenario must name a pair, and its labels be the world's.
    only_scenario
        Leave out what the scenario does not name: programmes for other goods, and the duties of the pair.
    restraint
        Add restraint of the other side in the good it buys most of, such as oil, to compare.
    programme_bound
        Largest share of the price where the scenario names no bound.
    removal_part
        Cost a year of taking an obstacle away, over what it costs traders a year today.
    obstacles
        ``"scenario"``: those that the scenario names. ``"report"``: those that
        `counterpoise.friction.friction_report` finds for the pair, by sector, in their place.

    Returns
    -------
    Purchase programmes (from 0 to the scenario's high rate), obstacles (share taken away, up to what can go),
    the levers that the scenario itself lists, a duty cut for every sector with a duty, and a programme for every other
    goods sector. A measure that begins later than ``as_of`` gives a lever that is not available before.

    Raises
    ------
    InputError
        If the scenario names no pair, no lever is left, or ``obstacles`` is neither of the two.
    """
    if obstacles not in OBSTACLE_SOURCES:
        hint = did_you_mean(obstacles, OBSTACLE_SOURCES) or ";"
        raise InputError(f"obstacles is '{obstacles}'{hint} expected scenario or report")
    seller, buyer = pair_of(scenario, world)
    named = tuple(
        m.model_copy(update={"removed": True}) if isinstance(m, Obstacle) else m
        for m in scenario.measure
        if (isinstance(m, Purchase) and m.buyer == seller and m.seller == buyer and m.enabled)
        or (isinstance(m, Obstacle) and obstacles == "scenario" and _is_lever(m, seller, buyer))
    )
    reach = _reaches(scenario, world, named)
    found: list[Lever] = [_programme(m, reach[m.id]) for m in named if isinstance(m, Purchase)]
    covered = {sector for lever in found for sector in lever.touched}
    if obstacles == "report":
        found += _reported(scenario, world, seller, buyer, removal_part)
    found += [
        _removal(scenario, world, m, reach[m.id], seller, buyer, removal_part) for m in named if isinstance(m, Obstacle)
    ]
    found += [_listed(entry) for entry in scenario.lever if entry.enabled]
    if not only_scenario:
        found += _duty_cuts(world, seller, buyer)
        found += _other_programmes(scenario, world, seller, buyer, covered, programme_bound)
    if restraint:
        found += _restraint(world, seller, buyer)
    kept = tuple(lever for lever in found if lever.touched)
    if not kept:
        raise InputError(
            f"the scenario '{scenario.name}' leaves nothing that {seller} could do about the gap with {buyer}; add "
            "measures of kind purchase or obstacle, or allow levers it does not name"
        )
    return kept


def passed_over(scenario: Scenario, world: World) -> tuple[str, ...]:
    """Say which purchases and obstacles of the pair are no levers, and why: an analyst may have meant them to be.

    Parameters
    ----------
    scenario, world
        The scenario must name a pair.
    """
    seller, buyer = pair_of(scenario, world)
    both = {seller, buyer}
    out: list[str] = []
    for measure in scenario.measure:
        if isinstance(measure, Purchase) and measure.enabled and (measure.buyer, measure.seller) == (buyer, seller):
            out.append(
                f"'{measure.id}': {buyer} buys from {seller}, which sells more already; it widens the gap, holds "
                f'anyway and is no lever (a lever has buyer = "{seller}", seller = "{buyer}")'
            )
        if isinstance(measure, Obstacle) and measure.enabled and not measure.added and both <= _named(measure):
            if not _is_lever(measure, seller, buyer):
                out.append(
                    f"'{measure.id}': an obstacle is a lever where it names exactly origins = \"{buyer}\" and "
                    f'destinations = "{seller}"; this one holds anyway'
                )
    return tuple(out)


def _named(measure: Obstacle) -> set[str]:
    return {*measure.origins, *measure.destinations}


def _reported(
    scenario: Scenario, world: World, seller: str, buyer: str, removal_part: float
) -> tuple[ObstacleRemoval, ...]:
    """Return a lever for every obstacle that the friction report finds for what ``buyer`` sells to ``seller``."""
    from counterpoise.friction import friction_report
    from counterpoise.policy.obstacle_levers import obstacle_levers

    there = world.flow.sel(origin=buyer, destination=seller)
    duty = world.tariff_rate.sel(origin=buyer, destination=seller)
    traded = [s for s in goods_sectors() if s in world.sectors and float(there.sel(sector=s)) > 0]
    report = friction_report(
        buyer,
        seller,
        traded,
        as_of=scenario.as_of,
        flow_usd={s: float(there.sel(sector=s)) for s in traded},
        tariff_rate={s: float(duty.sel(sector=s)) for s in traded},
    )
    return obstacle_levers(world, report, cost_share=removal_part)


def levers_at(levers: Sequence[Lever], on: date) -> tuple[Lever, ...]:
    """Return the levers as far as their ramps let them go on a day: the range is cut, the start is not."""
    out: list[Lever] = []
    for lever in levers:
        share = 1.0 if lever.ramp is None else lever.ramp.share(on)
        low = lever.start + share * (lever.lower - lever.start)
        out.append(replace(lever, lower=low, upper=lever.start + share * (lever.upper - lever.start)))
    return tuple(out)


def levers_costing(levers: Sequence[Lever], case: CostCase) -> tuple[Lever, ...]:
    """Return the levers with their curves at the low, central or high bound; what the model counts has no such ends."""
    return tuple(replace(lever, curve=lever.curve.case(case)) for lever in levers)


def _listed(entry: schema.Lever) -> Lever:
    """Return the lever that a scenario lists."""
    origin, destination = entry.origin or "", entry.destination or ""
    sells = entry.kind in ("export_support", "fund")
    ramp = None
    if entry.available_from is not None:
        ramp = Ramp(entry.available_from, entry.full_by or entry.available_from)
    curve = CostCurve(**entry.cost.model_dump())
    common: dict[str, Any] = {
        "id": entry.id,
        "title": entry.title or entry.id,
        "payer": entry.payer or (origin if sells else destination),
        "lower": entry.lower,
        "start": entry.lower,
        "upper": math.inf if entry.upper is None else entry.upper,
        "curve": curve,
        "ramp": ramp,
        "source": entry.source,
    }
    make: Any
    own: dict[str, Any] = {}
    if entry.kind == "fund":
        make = FundMoney
        own = {"country": origin, "sectors": entry.sectors, "gain": entry.gain, "scale_usd": entry.scale_usd}
        common["curve"] = replace(curve, money_usd=1.0)
    else:
        own = {"origin": origin, "destination": destination, "reach": tuple((s, 1.0) for s in entry.sectors)}
        make = _KINDS[entry.kind]
    if entry.kind == "obstacle_removal":
        own["ave"] = entry.ave
    if entry.kind == "opened_line":
        own["potential_usd"] = (entry.potential_usd,) * len(entry.sectors)
    if entry.kind == "restraint":
        own["rent"] = entry.rent
    return cast(Lever, make(**common, **own))


_KINDS: dict[str, type[Lever]] = {
    "tariff_cut": TariffCut,
    "purchase": PurchaseProgramme,
    "obstacle_removal": ObstacleRemoval,
    "export_support": ExportSupport,
    "opened_line": OpenedLine,
    "restraint": OilRestraint,
}


def _ramp(measure: Purchase | Obstacle) -> Ramp | None:
    """Return the ramp of a dated measure: nothing before its first day."""
    return None if measure.valid_from is None else Ramp(measure.valid_from, measure.valid_from)


def _lever_measures(scenario: Scenario, world: World) -> set[str]:
    """Return the ids of measures that become levers, and so leave the background."""
    seller, buyer = pair_of(scenario, world)
    return {
        m.id
        for m in scenario.measure
        if (isinstance(m, Purchase) and m.buyer == seller and m.seller == buyer)
        or (isinstance(m, Obstacle) and _is_lever(m, seller, buyer))
    }


def _is_lever(measure: Obstacle, seller: str, buyer: str) -> bool:
    """Say whether an obstacle stands between the two, on the way that narrows the gap, and in the baseline."""
    return measure.enabled and not measure.added and measure.origins == (buyer,) and measure.destinations == (seller,)


def _reaches(scenario: Scenario, world: World, measures: Sequence[Purchase | Obstacle | Tariff]) -> dict[str, Reach]:
    """Return by measure the sectors it reaches, with the share of trade that it covers, as the compiler lays it."""
    undated = tuple(m.model_copy(update={"valid_from": None, "valid_until": None}) for m in measures)
    report = compile_scenario(scenario.model_copy(update={"measure": undated}), world).report
    return {
        found.id: tuple((c.sector, c.covered_share) for c in found.coverage if c.covered_share > 0 and c.trade_usd > 0)
        for found in report.measures
    }


def _programme(measure: Purchase, reach: Reach) -> PurchaseProgramme:
    upper = measure.subsidy_rate.at("high")
    return PurchaseProgramme(
        id=measure.id,
        title=measure.title or measure.id,
        payer=measure.buyer,
        origin=measure.seller,
        destination=measure.buyer,
        reach=reach,
        upper=upper,
        ramp=_ramp(measure),
        source=measure.source,
    )


def _removal(
    scenario: Scenario, world: World, measure: Obstacle, reach: Reach, seller: str, buyer: str, part: float
) -> ObstacleRemoval:
    ave = measure.ave.at(scenario.case)
    flow = world.flow.sel(origin=buyer, destination=seller)
    trade = float(sum(share * float(flow.sel(sector=name)) for name, share in reach))
    burden = ave * trade
    return ObstacleRemoval(
        id=measure.id,
        title=measure.title or measure.id,
        payer=seller,
        origin=buyer,
        destination=seller,
        reach=reach,
        upper=measure.removal_share,
        ramp=_ramp(measure),
        ave=ave,
        curve=CostCurve(
            quadratic_usd=2.0 * part * burden,
            source=f"own assumption: taking all of it away costs {part:g} of the {burden / 1e6:.0f} mn USD that it "
            "costs traders",
            low_factor=0.5,
            high_factor=2.0,
        ),
        source=measure.source,
    )


def _duty_cuts(world: World, seller: str, buyer: str) -> list[Lever]:
    """Return a cut for every goods sector in which the seller levies a duty on trade that exists."""
    pick = {"origin": buyer, "destination": seller}
    flow, rate = world.flow.sel(pick), world.tariff_rate.sel(pick)
    return [
        TariffCut(
            id=f"duty_{name}",
            title=f"Duty on {_words(world, name)}",
            payer=seller,
            origin=buyer,
            destination=seller,
            reach=((name, 1.0),),
            upper=1.0,
            source="the duty of the base year can be taken away whole, for this partner alone",
        )
        for name in _goods(world)
        if float(flow.sel(sector=name)) > 0 and float(rate.sel(sector=name)) > 0
    ]


def _other_programmes(
    scenario: Scenario, world: World, seller: str, buyer: str, covered: set[str], bound: float
) -> list[Lever]:
    """Return a programme for every goods sector that none of the scenario's reaches, its exemptions kept."""
    exempt = tuple(sorted({n for m in scenario.measure if isinstance(m, Purchase | Obstacle) for n in m.exempt}))
    flow = world.flow.sel(origin=buyer, destination=seller)
    measures = [
        Purchase.model_validate(
            {
                "id": f"programme_{name}",
                "kind": "purchase",
                "buyer": seller,
                "seller": buyer,
                "sectors": [name],
                "exempt": list(exempt),
                "subsidy_rate": bound,
                "title": f"Programme for {_words(world, name)}",
                "source": "own assumption: not part of the scenario",
            }
        )
        for name in _goods(world)
        if name not in covered and float(flow.sel(sector=name)) > 0
    ]
    reach = _reaches(scenario, world, measures)
    return [_programme(measure, reach[measure.id]) for measure in measures]


def _restraint(world: World, seller: str, buyer: str) -> list[Lever]:
    """Return restraint of the buyer in the good that the seller sells it most of, such as crude oil."""
    sold = world.flow.sel(origin=seller, destination=buyer)
    name = max(_goods(world), key=lambda s: float(sold.sel(sector=s)))
    return [
        OilRestraint(
            id=f"restraint_{name}",
            title=f"{buyer} buys less {_words(world, name)} from {seller}",
            payer=buyer,
            origin=seller,
            destination=buyer,
            reach=((name, 1.0),),
            upper=RESTRAINT_BOUND,
        )
    ]


def _goods(world: World) -> Sequence[str]:
    """Return the sectors that hold goods; all in a world with other sectors."""
    return [s for s in world.sectors if s in goods_sectors()] or list(world.sectors)


def _words(world: World, sector: str) -> str:
    return world.meta.sector_names.get(sector, sector.replace("_", " ")).lower()
