r"""From parameters to the wedge: what stands between the order and the goods, by sector and obstacle.

Every obstacle is an ad valorem equivalent (AVE) with low, central and high. Obstacles multiply,

    1 + total_s = prod_k (1 + AVE_ks),

because each is paid on a value that already holds the others, and because taking one away divides the iceberg cost of
the model by 1 + AVE. The part that could be taken away at all is apart from the whole: no corridor carries goods at no
cost and in no time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

import numpy as np

from counterpoise.data.concordance import region_names, sector_names
from counterpoise.friction import tables
from counterpoise.friction.border import registration_rate
from counterpoise.friction.choice import RouteChoice, choose_routes
from counterpoise.friction.finance import working_capital_rate
from counterpoise.friction.inputs import Inputs, Overrides, SectorCargo, gather
from counterpoise.friction.listed import listed_share
from counterpoise.friction.logistics import CARGOES, Cargo, Network, Route
from counterpoise.friction.payments import mixed_wedge
from counterpoise.friction.ranges import CASES, ZERO, Range

__all__ = ["OBSTACLES", "Obstacle", "Wedge", "compare_networks", "wedge"]

OBSTACLES: Mapping[str, str] = MappingProxyType(
    {
        "freight": "Freight",
        "transit_time": "Time in transit",
        "congestion": "Full corridors",
        "customs": "Customs clearance",
        "insurance": "Insurance",
        "agent_commission": "Agents' commission",
        "currency": "Currency conversion",
        "payment_delay": "Payments late or refused",
        "letter_of_credit": "Letters of credit",
        "working_capital": "Sellers' credit",
        "registration": "Registration of medicines",
        "sanitary": "Sanitary rules",
    }
)
"""Every obstacle with its words, in the order in which an order meets them on the way to the goods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One obstacle for one sector of a pair.

    Attributes
    ----------
    origin, destination, sector, name
        Where it stands; ``name`` is a key of `OBSTACLES`.
    ave
        Ad valorem equivalent as it stands, a rate; 0.05 is 5 %.
    removable
        Part of it that could be taken away; goods on the Common High Priority List are left out.
    days
        Days it costs; None where it costs none.
    source, confidence, match
        Where it comes from, the lowest confidence of what goes in, and the least specific match.
    eased_share
        Part of the sector's trade that is not on the Common High Priority List.
    """

    origin: str
    destination: str
    sector: str
    name: str
    ave: Range
    removable: Range
    source: str
    confidence: str
    match: tables.Match
    days: Range | None = None
    eased_share: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Wedge:
    """Every obstacle of a pair, and the choice of routes behind the freight.

    Attributes
    ----------
    inputs
        What it rests on.
    obstacles
        In the order of the sectors, and for each of `OBSTACLES`.
    routes
        Routes by kind of cargo.
    choices
        Who takes which route, by kind of cargo; columns in the order of ``carried``.
    carried
        Sectors by kind of cargo.
    notes
        What a reader must know.
    """

    inputs: Inputs
    obstacles: tuple[Obstacle, ...]
    routes: Mapping[Cargo, tuple[Route, ...]]
    choices: Mapping[Cargo, RouteChoice]
    carried: Mapping[Cargo, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Carriage:
    """How the sectors with one kind of cargo travel."""

    routes: tuple[Route, ...]
    sectors: tuple[SectorCargo, ...]
    choice: RouteChoice


def wedge(
    origin: str,
    destination: str,
    sectors: Sequence[str],
    *,
    as_of: date | None = None,
    overrides: Overrides | None = None,
    flow_usd: Mapping[str, float] | None = None,
) -> Wedge:
    """Work out every obstacle between two countries.

    Parameters
    ----------
    origin, destination
        Country or region codes; any pair.
    sectors
        Sectors.
    as_of
        Day looked at; None takes what has no end.
    overrides
        The user's own numbers, see `counterpoise.friction.inputs.gather`.
    flow_usd
        Trade by sector, USD a year; gives the loads that fill corridors of limited capacity. None leaves it aside.

    Raises
    ------
    InputError
        If anything cannot be used; one message lists every problem.
    """
    inputs = gather(origin, destination, sectors, as_of=as_of, overrides=overrides)
    carriages: dict[Cargo, _Carriage] = {
        cargo: _carriage(inputs, cargo, flow_usd)
        for cargo in CARGOES
        if any(c.carriage == cargo for c in inputs.cargo.values())
    }
    order = list(OBSTACLES)
    listed = listed_share(origin, destination, sectors)
    found: list[Obstacle] = []
    for cargo in inputs.cargo.values():
        mine = [*_money(inputs, cargo), *_border(inputs, cargo)]
        for kind, carriage in carriages.items():
            if kind == cargo.carriage:
                mine += _logistics(inputs, cargo, carriage)
        eased = 1.0 - listed[cargo.sector]
        mine = [replace(o, removable=o.removable * eased, eased_share=eased) for o in mine]
        found += sorted(mine, key=lambda o: order.index(o.name))
    return Wedge(
        inputs=inputs,
        obstacles=tuple(found),
        routes={cargo: c.routes for cargo, c in carriages.items()},
        choices={cargo: c.choice for cargo, c in carriages.items()},
        carried={cargo: tuple(s.sector for s in c.sectors) for cargo, c in carriages.items()},
        notes=tuple(_notes(inputs, found, carriages)),
    )


def compare_networks(
    inputs: Inputs, after: Network, *, cargo: Cargo = "container", flow_usd: Mapping[str, float] | None = None
) -> dict[str, tuple[float, float]]:
    """Return what another network changes: a new corridor, a closed canal, a surcharge.

    Parameters
    ----------
    inputs
        Pair, sectors and the network as it is.
    after
        The other network.
    cargo
        Kind of cargo.
    flow_usd
        Trade by sector, USD a year, for capacities.

    Returns
    -------
    By sector: the exact change of the logistics AVE (inclusive value over cargo value), and the change of the mean of
    the routes taken; rates, negative where the change helps.
    """
    before = _carriage(inputs, cargo, flow_usd)
    then = _carriage(inputs, cargo, flow_usd, after)
    value = np.array([s.cargo_value.central for s in before.sectors])
    exact = (then.choice.inclusive_cost_usd - before.choice.inclusive_cost_usd) / value
    mean = (then.choice.expected_cost_usd - before.choice.expected_cost_usd) / value
    return {s.sector: (float(e), float(m)) for s, e, m in zip(before.sectors, exact, mean, strict=True)}


def _carriage(
    inputs: Inputs, cargo: Cargo, flow_usd: Mapping[str, float] | None, over: Network | None = None
) -> _Carriage:
    """Choose routes for all sectors with one kind of cargo, at central values."""
    sectors = tuple(c for c in inputs.cargo.values() if c.carriage == cargo)
    routes = (over or inputs.network).routes(inputs.origin, inputs.destination, cargo)
    cost = [[r.generalised_cost(s.cargo_value.central, s.value_of_time.central) for s in sectors] for r in routes]
    loads = None if flow_usd is None else [flow_usd.get(s.sector, 0.0) / s.cargo_value.central for s in sectors]
    dispersion = inputs.need("freight", "route_dispersion").amount.central
    return _Carriage(routes, sectors, choose_routes(routes, cost, dispersion_usd=dispersion, loads=loads))


def _logistics(inputs: Inputs, cargo: SectorCargo, carriage: _Carriage) -> list[Obstacle]:
    """Freight, time and customs of one sector; bounds hold the choice of routes at central values."""
    column = [s.sector for s in carriage.sectors].index(cargo.sector)
    share = carriage.choice.route_share[:, column]
    routes = carriage.routes

    def mean(parts: Sequence[Range]) -> Range:
        return sum((part * float(weight) for part, weight in zip(parts, share, strict=True)), start=ZERO)

    freight_usd = mean([r.cost_of(customs=False) for r in routes])
    transit_days = mean([r.days_of(customs=False) for r in routes])
    customs_usd = mean([r.cost_of(customs=True) for r in routes])
    customs_days = mean([r.days_of(customs=True) for r in routes])
    toll = float(share @ carriage.choice.toll_usd)
    used = [r for r, weight in zip(routes, share, strict=True) if weight > 0.01]
    match: tables.Match = "generic" if any(r.generic for r in used) else "pair"
    where = _Where(inputs, cargo.sector)
    words = [source for r in used for source in r.sources]
    trust = tables.least([cargo.confidence, *(r.confidence for r in used)])
    freight = freight_usd.over(cargo.cargo_value)
    time = transit_days * cargo.value_of_time
    customs = customs_usd.over(cargo.cargo_value) + customs_days * cargo.value_of_time
    best_cost, best_days = inputs.find("freight", "benchmark_cost"), inputs.find("transit_time", "benchmark_days")
    saved_usd = (
        (freight_usd + customs_usd).above(best_cost.amount) if best_cost and cargo.carriage == "container" else ZERO
    )
    saved_days = transit_days.above(best_days.amount) if best_days and cargo.carriage == "container" else ZERO
    part = inputs.need("customs", "removable_share").amount
    out = [
        where.obstacle(
            "freight", freight, saved_usd.over(cargo.cargo_value).within(freight), [*words, cargo.source], trust, match
        ),
        where.obstacle(
            "transit_time",
            time,
            (saved_days * cargo.value_of_time).within(time),
            [cargo.source, *words],
            trust,
            match,
            transit_days,
        ),
        where.obstacle("customs", customs, customs * part, [*words, cargo.source], trust, match, customs_days),
    ]
    if toll > 0:
        scarce = Range(0.0, toll, toll).over(cargo.cargo_value)
        out.append(
            where.obstacle(
                "congestion", scarce, scarce, ["Scarcity price of full corridors, worked out here"], trust, match
            )
        )
    return out


def _money(inputs: Inputs, cargo: SectorCargo) -> list[Obstacle]:
    """Payments, insurance and finance of one sector."""
    where = _Where(inputs, cargo.sector)
    interest = inputs.need("interest", "interest_rate")
    paid = mixed_wedge(inputs.payment_routes, inputs.payment_shares, interest.amount)
    used = [inputs.payment_routes[name] for name, share in inputs.payment_shares.items() if share > 0]
    words = [source for route in used for source in route.sources]
    trust = tables.least(route.confidence for route in used)
    match: tables.Match = tables.worst_match(route.match for route in used)
    out = [
        where.obstacle("agent_commission", paid.commission, paid.commission, words, trust, match),
        where.obstacle("currency", paid.currency, paid.currency, words, trust, match),
        where.obstacle(
            "payment_delay", paid.delay, paid.delay, [*words, f"interest: {interest.source}"], trust, match, paid.days
        ),
    ]
    if not cargo.goods:
        return out
    base, rise = inputs.need("insurance", "base_rate"), inputs.need("insurance", "rise")
    fee, secured = inputs.need("letter_of_credit", "fee"), inputs.need("letter_of_credit", "secured_share")
    credit = inputs.need("working_capital", "credit_days")
    out += [
        where.from_parameters("insurance", base.amount + rise.amount, [rise, base]),
        where.from_parameters("letter_of_credit", fee.amount * secured.amount, [fee, secured]),
        where.from_parameters(
            "working_capital", working_capital_rate(credit.amount, interest.amount), [credit, interest], credit.amount
        ),
    ]
    return out


def _border(inputs: Inputs, cargo: SectorCargo) -> list[Obstacle]:
    """Registration and sanitary rules, where the tables have them for this sector."""
    where = _Where(inputs, cargo.sector)
    out: list[Obstacle] = []
    interest = inputs.need("interest", "interest_rate")
    days = inputs.find("registration", "registration_days", cargo.sector)
    new = inputs.find("registration", "new_product_share", cargo.sector)
    best = inputs.find("registration", "benchmark_days", cargo.sector)
    if days and new:
        ave = registration_rate(days.amount, new.amount, interest.amount)
        saved = registration_rate(days.amount.above(best.amount), new.amount, interest.amount) if best else ave
        out.append(where.from_parameters("registration", ave, [days, new, interest], days.amount, removable=saved))
    rules = inputs.find("sanitary", "ave", cargo.sector)
    if rules:
        out.append(where.from_parameters("sanitary", rules.amount, [rules]))
    return out


@dataclass(frozen=True, slots=True)
class _Where:
    """Makes obstacles of one sector."""

    inputs: Inputs
    sector: str

    def obstacle(
        self,
        name: str,
        ave: Range,
        removable: Range,
        sources: Sequence[str],
        confidence: str,
        match: tables.Match,
        days: Range | None = None,
    ) -> Obstacle:
        text = "; ".join(tables.iterate_sources(sources))
        return Obstacle(
            origin=self.inputs.origin,
            destination=self.inputs.destination,
            sector=self.sector,
            name=name,
            ave=ave,
            removable=removable,
            source=f"No pair-specific source: {text}" if match == "generic" else text,
            confidence=confidence,
            match=match,
            days=days,
        )

    def from_parameters(
        self,
        name: str,
        ave: Range,
        used: Sequence[tables.Parameter],
        days: Range | None = None,
        removable: Range | None = None,
    ) -> Obstacle:
        """Make an obstacle from parameters; the first one says how specific it is."""
        part = self.inputs.find(name, "removable_share", self.sector)
        gone = removable if removable is not None else ave * part.amount if part else ave
        trust = tables.least(p.confidence for p in used)
        return self.obstacle(name, ave, gone, [p.source for p in used], trust, used[0].match, days)


def _notes(inputs: Inputs, found: Sequence[Obstacle], carriages: Mapping[Cargo, _Carriage]) -> list[str]:
    """Say what a reader must know beside the numbers."""
    notes: list[str] = []
    generic = _where_from(found, "generic")
    if generic:
        notes.append(
            f"No pair-specific source for {_name(inputs.origin)} to {_name(inputs.destination)}: generic defaults for "
            f"{generic}."
        )
    lane = _where_from(found, "lane")
    if lane:
        notes.append(f"Measured on other lanes than {_name(inputs.origin)} to {_name(inputs.destination)}: {lane}.")
    containers = carriages.get("container")
    if containers and not any(r.generic for r in containers.routes):
        bases = sorted({leg.basis for r in containers.routes for leg in r.legs if leg.basis})
        if len(bases) > 1:
            notes.append(f"Corridor costs are of different years ({'; '.join(bases)}) and are not converted to one.")
        if not any(row["start"] == inputs.origin for row in tables.rows("legs")):
            notes.append(
                "The corridors were surveyed the other way round; the way back is taken to cost and last as much."
            )
    for cargo, carriage in carriages.items():
        missing = float(carriage.choice.unserved.sum())
        if missing > 0:
            full = ", ".join(carriage.choice.leg_toll_usd)
            notes.append(f"The corridors have no room for {missing:,.0f} {cargo} loads a year (full: {full}).")
    by_air = [_name(c.sector).lower() for c in inputs.cargo.values() if c.carriage == "air"]
    if by_air:
        notes.append(
            f"No freight is worked out for {', '.join(by_air)}: they go by air, and no corridor figure applies."
        )
    kept = {o.sector: 100.0 * (1.0 - o.eased_share) for o in found if o.eased_share < 1.0}
    if kept:
        shown = ", ".join(f"{_name(s).lower()} {share:.1f} %" for s, share in kept.items())
        notes.append(f"Nothing is eased for goods on the Common High Priority List, part of the trade in {shown}.")
    bounds = [
        row
        for row in tables.rows("claims")
        if row["topic"] == "sanctions" and row["unit"] == "%" and "Upper bound" in row["held_against"]
    ]
    for row in bounds:
        if tables.match_of(row, inputs.origin, inputs.destination):
            notes.append(_cross_check(found, row))
    return notes


def _name(code: str) -> str:
    """Return the words for a region or a sector; the code itself where there are none."""
    return {**region_names(), **sector_names()}.get(code, code)


def _where_from(found: Sequence[Obstacle], match: tables.Match) -> str:
    """List the obstacles found in one way, with their sectors where others were found better."""
    parts: list[str] = []
    for name, words in OBSTACLES.items():
        mine = [o for o in found if o.name == name]
        those = [o.sector for o in mine if o.match == match]
        if those:
            parts.append(
                words.lower() + ("" if len(those) == len(mine) else f" ({', '.join(_name(s).lower() for s in those)})")
            )
    return "; ".join(parts)


def _cross_check(found: Sequence[Obstacle], row: tables.Row) -> str:
    """Hold payments, currency and insurance together against the published rise of import prices."""
    names = ("insurance", "agent_commission", "currency", "payment_delay")
    sector = found[0].sector
    mine = [o.ave for o in found if o.sector == sector and o.name in names]
    total = [100.0 * (math.prod(1.0 + r.at(case) for r in mine) - 1.0) for case in CASES]
    low, high = float(row["low"]), float(row["high"])
    verdict = "inside it" if low <= total[1] <= high else "below it" if total[1] < low else "above it"
    shown = " / ".join(f"{value:.1f}" for value in total)
    return (
        f"Payments, currency and insurance together come to {shown} %; the price rise of imports from origins that do "
        f"not sanction was {low:g} to {high:g} % ({row['source']}), an upper bound: the central value lies "
        f"{verdict}."
    )
