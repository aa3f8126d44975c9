"""Corridors as a network of legs: which routes there are, what each costs and lasts, which never pay.

A leg is a stretch or a stop (sea, rail, road, the Caspian, a port, customs) with a cost per load, days, and perhaps a
capacity. A load is one container of twenty feet (TEU), or for bulk cargo a lot of 20 tonnes. A route is a simple path
from one country to the other, along the legs from start to end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.friction import tables
from counterpoise.friction.ranges import CASES, ZERO, Case, Range, RangeLike

__all__ = ["MODES", "Cargo", "Dominance", "Leg", "Network", "Route", "break_even_cargo_value", "dominated", "network"]

Cargo: TypeAlias = Literal["container", "bulk"]

CARGOES: tuple[Cargo, ...] = ("container", "bulk")
"""Kinds of cargo."""

MODES = ("port", "sea", "rail", "road", "caspian", "customs", "air")
"""What a leg can be."""

MOST_ROUTES = 2000
"""Routes between two countries beyond which a network is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One stretch or stop.

    Parameters
    ----------
    name
        Unique in its network.
    start, end
        Nodes: places, or country codes at both ends of a route. Traffic goes from start to end.
    mode
        One of `MODES`.
    cost
        USD per load: TEU, or lot of 20 tonnes in bulk.
    days
        Days.
    cargo
        ``container`` or ``bulk``.
    passage
        Strait, canal or country passed through, by which legs are closed or surcharged together.
    corridor
        Words that name a route using this leg; empty where several corridors share it.
    capacity
        Loads a year; None where no limit is known.
    basis
        Years the cost is of.
    source, confidence, note
        Where the numbers come from and how far to trust them.
    generic
        True for a default that knows nothing of the pair.

    Raises
    ------
    InputError
        If anything cannot be used; lists every problem.
    """

    name: str
    start: str
    end: str
    mode: str
    cost: Range
    days: Range
    cargo: Cargo = "container"
    passage: str = ""
    corridor: str = ""
    capacity: float | None = None
    basis: str = ""
    source: str = ""
    confidence: str = "low"
    note: str = ""
    generic: bool = False

    def __post_init__(self) -> None:
        """Check everything at once."""
        raise_all(InputError, f"the leg '{self.name}' cannot be used", self._problems())

    def _problems(self) -> Iterator[str]:
        for label, text in (("name", self.name), ("start", self.start), ("end", self.end)):
            if not text.strip():
                yield f"{label} is empty"
        if self.start == self.end:
            yield f"it leads from {self.start} to itself"
        if self.mode not in MODES:
            yield f"mode is '{self.mode}'; expected one of {', '.join(MODES)}{did_you_mean(self.mode, MODES)}"
        if self.cargo not in ("container", "bulk"):
            yield f"cargo is '{self.cargo}'; expected container or bulk"
        if self.cost.low < 0:
            yield f"cost is {self.cost.low:g} USD; expected zero or more"
        if self.days.low < 0:
            yield f"days is {self.days.low:g}; expected zero or more"
        if self.capacity is not None and not self.capacity >= 0:
            yield f"capacity is {self.capacity:g} loads a year; expected zero or more, or none for no limit"
        if self.confidence not in tables.CONFIDENCE:
            yield f"confidence is '{self.confidence}'; expected {', '.join(tables.CONFIDENCE)}"


@dataclass(frozen=True, slots=True)
class Route:
    """A way from one country to another: legs in order, and the name of the corridor."""

    name: str
    legs: tuple[Leg, ...]

    @property
    def cost(self) -> Range:
        """Cost of a load from door to door, USD."""
        return self.cost_of()

    @property
    def days(self) -> Range:
        """Days from door to door."""
        return self.days_of()

    def cost_of(self, *, customs: bool | None = None) -> Range:
        """Add up the cost of all legs, of customs alone (True), or of all others (False), USD."""
        return sum((leg.cost for leg in self._picked(customs)), start=ZERO)

    def days_of(self, *, customs: bool | None = None) -> Range:
        """Add up the days of all legs, of customs alone (True), or of all others (False)."""
        return sum((leg.days for leg in self._picked(customs)), start=ZERO)

    @property
    def capacity(self) -> float | None:
        """Loads a year that the narrowest leg lets through; None where no limit is known."""
        return min((leg.capacity for leg in self.legs if leg.capacity is not None), default=None)

    @property
    def basis(self) -> str:
        """Years the costs are of."""
        return ", ".join(dict.fromkeys(leg.basis for leg in self.legs if leg.basis))

    @property
    def generic(self) -> bool:
        """True where the route rests on defaults that know nothing of the pair."""
        return any(leg.generic for leg in self.legs)

    @property
    def confidence(self) -> str:
        """Lowest confidence of the legs."""
        return tables.least(leg.confidence for leg in self.legs)

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the legs, each once."""
        return tuple(tables.iterate_sources(leg.source for leg in self.legs))

    def generalised_cost(self, cargo_value: float, value_of_time: float, case: Case = "central") -> float:
        """Return cost plus what the days cost, USD per load.

        Parameters
        ----------
        cargo_value
            USD per load.
        value_of_time
            Rate per day; 0.01 is 1 % of the cargo's value.
        """
        return self.cost.at(case) + self.days.at(case) * value_of_time * cargo_value

    def _picked(self, customs: bool | None) -> Iterable[Leg]:
        return (leg for leg in self.legs if customs is None or (leg.mode == "customs") == customs)


@dataclass(frozen=True, slots=True)
class Dominance:
    """A route that never pays: another one is no dearer and no slower, and better in one of the two.

    Attributes
    ----------
    route, by
        Names.
    extra_cost_usd, extra_days
        What choosing it costs more, central values.
    same_basis
        True where both costs are of the same years, so that the comparison is fair.
    """

    route: str
    by: str
    extra_cost_usd: float
    extra_days: float
    same_basis: bool


@dataclass(frozen=True, slots=True)
class Network:
    """Legs by which goods can go; every ``with_*`` returns a new network.

    Raises
    ------
    InputError
        If there is no leg, or two carry the same name.
    """

    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        """Check the names."""
        counted = Counter(leg.name for leg in self.legs)
        problems = [
            f"the leg '{name}' occurs {count} times; names must be unique"
            for name, count in counted.items()
            if count > 1
        ]
        raise_all(InputError, "the network cannot be used", problems if self.legs else ["it has no leg"])

    def routes(self, origin: str, destination: str, cargo: Cargo = "container") -> tuple[Route, ...]:
        """Return every simple path between two countries, cheapest first.

        Raises
        ------
        InputError
            If there is no way at all, or more than two thousand.
        """
        found = self._paths(origin, destination, cargo)
        if not found:
            raise InputError(
                f"no route leads from {origin} to {destination} for {cargo} cargo; add a leg, or open a closed one"
            )
        named = Counter(_corridor(path) for path in found)
        out = [
            Route(name if named[name] == 1 else f"{name} ({' - '.join(leg.end for leg in path[:-1])})", path)
            for path, name in ((path, _corridor(path)) for path in found)
        ]
        return tuple(sorted(out, key=lambda route: (route.cost.central, route.days.central, route.name)))

    def reaches(self, origin: str, destination: str, cargo: Cargo = "container") -> bool:
        """Say whether any route leads from one country to the other."""
        return bool(self._paths(origin, destination, cargo))

    def reversed(self) -> Self:
        """Return the same legs the other way round."""
        return replace(self, legs=tuple(replace(leg, start=leg.end, end=leg.start) for leg in self.legs))

    def with_legs(self, *legs: Leg) -> Self:
        """Add legs: a new corridor."""
        return replace(self, legs=(*self.legs, *legs))

    def without_passage(self, passage: str) -> Self:
        """Close a canal, strait or country: every leg through it goes.

        Raises
        ------
        InputError
            If no leg passes there.
        """
        self._require_passage(passage)
        return replace(self, legs=tuple(leg for leg in self.legs if leg.passage != passage))

    def with_surcharge(self, usd_per_load: RangeLike, passage: str) -> Self:
        """Add a surcharge for a passage, USD per load: on each leg that enters it, so that a route pays once.

        A leg enters a passage unless another leg through it ends where this one starts.

        Raises
        ------
        InputError
            If no leg passes there, or a leg would cost less than nothing.
        """
        self._require_passage(passage)
        extra = Range.of(usd_per_load)
        inside = {(leg.end, leg.cargo) for leg in self.legs if leg.passage == passage}
        return replace(
            self,
            legs=tuple(
                replace(leg, cost=leg.cost + extra)
                if leg.passage == passage and (leg.start, leg.cargo) not in inside
                else leg
                for leg in self.legs
            ),
        )

    def with_capacity(self, leg: str, loads_a_year: float | None) -> Self:
        """Set the capacity of a leg, loads a year; None lifts it.

        Raises
        ------
        InputError
            If there is no such leg.
        """
        names = [known.name for known in self.legs]
        if leg not in names:
            raise InputError(f"there is no leg '{leg}'{did_you_mean(leg, names)} Known: {', '.join(names)}")
        return replace(self, legs=tuple(replace(k, capacity=loads_a_year) if k.name == leg else k for k in self.legs))

    def _require_passage(self, passage: str) -> None:
        known = sorted({leg.passage for leg in self.legs if leg.passage})
        if passage not in known:
            raise InputError(
                f"no leg goes through '{passage}'{did_you_mean(passage, known)} Known: {', '.join(known) or 'none'}"
            )

    def _paths(self, origin: str, destination: str, cargo: Cargo) -> list[tuple[Leg, ...]]:
        """Enumerate simple paths depth first; a network of corridors is small."""
        at: dict[str, list[tuple[str, Leg]]] = {}
        for leg in self.legs:
            if leg.cargo == cargo:
                at.setdefault(leg.start, []).append((leg.end, leg))
        found: list[tuple[Leg, ...]] = []

        def walk(node: str, seen: frozenset[str], path: tuple[Leg, ...]) -> None:
            if node == destination:
                if len(found) >= MOST_ROUTES:
                    raise InputError(f"more than {MOST_ROUTES} routes lead from {origin} to {destination}; merge legs")
                found.append(path)
                return
            for following, leg in at.get(node, ()):
                if following not in seen:
                    walk(following, seen | {following}, (*path, leg))

        walk(origin, frozenset({origin}), ())
        return found


def network(origin: str, destination: str) -> Network:
    """Return the shipped network for a pair; where none is known, one generic service by sea.

    Corridors that are known in the other direction only are taken to cost and last as much on the way back.

    Parameters
    ----------
    origin, destination
        Country codes.
    """
    known = Network(tuple(_leg(row) for row in tables.rows("legs") if not _generic(row)))
    if any(known.reaches(destination, origin, cargo) for cargo in CARGOES):
        known = known.reversed()
    missing = [cargo for cargo in CARGOES if not known.reaches(origin, destination, cargo)]
    own = [leg for leg in known.legs if leg.cargo not in missing]
    defaults = [
        _leg(row, origin, destination) for row in tables.rows("legs") if _generic(row) and row["cargo"] in missing
    ]
    return Network((*own, *defaults))


def dominated(routes: Sequence[Route]) -> tuple[Dominance, ...]:
    """Find the routes that never pay, whatever the cargo: some other one is no dearer, no slower, and better in one.

    Parameters
    ----------
    routes
        Routes between the same two countries; central values are compared.

    Returns
    -------
    One entry per dominated route and route that beats it.
    """
    out: list[Dominance] = []
    for route in routes:
        for other in routes:
            cost = route.cost.central - other.cost.central
            days = route.days.central - other.days.central
            if cost >= 0 and days >= 0 and (cost > 0 or days > 0):
                out.append(Dominance(route.name, other.name, cost, days, route.basis == other.basis))
    return tuple(out)


def break_even_cargo_value(fast: Route, slow: Route, value_of_time: float) -> float:
    """Return the cargo value from which the faster, dearer route pays, USD per load.

    Parameters
    ----------
    fast, slow
        Two routes; central values are compared.
    value_of_time
        Rate per day; 0.01 is 1 % of the cargo's value.

    Returns
    -------
    ``(cost_fast - cost_slow) / ((days_slow - days_fast) * value_of_time)``; 0 where the faster route is no dearer.

    Raises
    ------
    InputError
        If the first route is not the faster one, or the value of time is not above zero.
    """
    saved = slow.days.central - fast.days.central
    problems: list[str] = []
    if saved <= 0:
        problems.append(
            f"'{fast.name}' takes {fast.days.central:g} days and '{slow.name}' {slow.days.central:g}; expected the "
            "faster one first"
        )
    if not value_of_time > 0:
        problems.append(f"value_of_time is {value_of_time:g} a day; expected more than zero")
    raise_all(InputError, "no break-even exists", problems)
    return max(0.0, fast.cost.central - slow.cost.central) / (saved * value_of_time)


def _generic(row: tables.Row) -> bool:
    return "ORIGIN" in row["start"] or "DESTINATION" in row["start"] or "DESTINATION" in row["end"]


def _leg(row: tables.Row, origin: str = "", destination: str = "") -> Leg:
    """Read a leg from a row; generic ones get the names of the pair."""

    def place(text: str) -> str:
        return text.replace("ORIGIN", origin).replace("DESTINATION", destination)

    return Leg(
        name=row["leg"],
        start=place(row["start"]),
        end=place(row["end"]),
        mode=row["mode"],
        cost=Range(*(float(row[f"cost_{case}"]) for case in CASES)),
        days=Range(*(float(row[f"days_{case}"]) for case in CASES)),
        cargo="bulk" if row["cargo"] == "bulk" else "container",
        passage=row["passage"],
        corridor=row["corridor"],
        capacity=float(row["capacity_teu"]) if row["capacity_teu"] else None,
        basis=row["basis"],
        source=row["source"],
        confidence=row["confidence"],
        note=row["note"],
        generic=_generic(row),
    )


def _corridor(path: Sequence[Leg]) -> str:
    """Name a route after the corridors it uses."""
    return " + ".join(dict.fromkeys(leg.corridor for leg in path if leg.corridor)) or "Route"
