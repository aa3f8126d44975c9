"""Everything a friction report rests on, for one pair: shipped parameters with the user's own laid over them.

All mistakes of the user's are found before anything is computed, and told in one message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal, TypeAlias, TypeVar, cast

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.friction import tables
from counterpoise.friction.border import Preference, preferences
from counterpoise.friction.finance import FirmClass, firm_class_problems, firm_classes
from counterpoise.friction.logistics import CARGOES, Leg, Network, network
from counterpoise.friction.payments import (
    PaymentRoute,
    PaymentStep,
    currency_rates,
    payment_problems,
    payment_routes,
    payment_shares,
)
from counterpoise.friction.ranges import CASES, ZERO, Range

__all__ = ["Carriage", "Inputs", "Overrides", "SectorCargo", "gather", "sector_cargo"]

Carriage: TypeAlias = Literal["container", "bulk", "air", "none"]
"""How a sector's goods travel; ``none`` are services."""

Overrides: TypeAlias = Mapping[str, Any]
"""The user's own numbers, as nested tables (a TOML file fits): see `gather`."""

_T = TypeVar("_T")

_OTHER_KEYS = (
    "sectors",
    "payments",
    "payment_shares",
    "currencies",
    "firm_classes",
    "legs",
    "close",
    "surcharge",
    "capacity",
    "preferences",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SectorCargo:
    """What a load of a sector is worth and what a day costs it.

    Attributes
    ----------
    sector
        Label.
    carriage
        ``container``, ``bulk``, ``air`` or ``none``.
    cargo_value
        USD per load: TEU, or lot of 20 tonnes in bulk. Zero where nothing is carried by land or sea.
    value_of_time
        Rate per day; 0.01 is 1 % of the value.
    source, confidence, note
        Where the numbers come from and how far to trust them.
    """

    sector: str
    carriage: Carriage
    cargo_value: Range = ZERO
    value_of_time: Range = ZERO
    source: str = ""
    confidence: str = "low"
    note: str = ""

    @property
    def carried(self) -> bool:
        """True where the goods travel over the network of corridors."""
        return self.carriage in ("container", "bulk")

    @property
    def goods(self) -> bool:
        """True for goods, False for services."""
        return self.carriage != "none"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a report of one pair rests on.

    Attributes
    ----------
    origin, destination, as_of
        Whose goods go where, and the day looked at (None: no dates).
    parameters
        By (obstacle, name, sector).
    cargo
        By sector, in the order asked for.
    network
        Corridors.
    payment_routes, payment_shares, currency_rates
        Ways to pay, the share of each, and USD per unit of currency.
    firm_classes
        Classes of firms.
    preferences
        Duties under trade agreements.
    shipped_network
        Corridors before anything of the user's.
    """

    origin: str
    destination: str
    as_of: date | None
    parameters: Mapping[tuple[str, str, str], tables.Parameter]
    cargo: Mapping[str, SectorCargo]
    network: Network
    payment_routes: Mapping[str, PaymentRoute]
    payment_shares: Mapping[str, float]
    currency_rates: Mapping[str, float]
    firm_classes: tuple[FirmClass, ...]
    preferences: tuple[Preference, ...]
    shipped_network: Network

    def find(self, obstacle: str, name: str, sector: str = "*") -> tables.Parameter | None:
        """Return a parameter for a sector, else for all, else None."""
        return self.parameters.get((obstacle, name, sector)) or self.parameters.get((obstacle, name, "*"))

    def need(self, obstacle: str, name: str, sector: str = "*") -> tables.Parameter:
        """Return a parameter that the shipped tables hold for every pair."""
        found = self.find(obstacle, name, sector)
        assert found is not None, f"{obstacle}.{name} has no generic default"
        return found


def sector_cargo() -> dict[str, SectorCargo]:
    """Return the shipped cargo values and values of time by sector."""
    out: dict[str, SectorCargo] = {}
    for row in tables.rows("sectors"):
        carriage = cast(Carriage, row["cargo"])
        numbers = {"cargo_value": ZERO, "value_of_time": ZERO}
        if carriage in ("container", "bulk"):
            numbers = {name: Range(*(float(row[f"{name}_{case}"]) for case in CASES)) for name in numbers}
        out[row["sector"]] = SectorCargo(
            sector=row["sector"],
            carriage=carriage,
            cargo_value=numbers["cargo_value"],
            value_of_time=numbers["value_of_time"] / 100.0,
            source=row["source"],
            confidence=row["confidence"],
            note=row["note"],
        )
    return out


def gather(
    origin: str,
    destination: str,
    sectors: Sequence[str],
    *,
    as_of: date | None = None,
    overrides: Overrides | None = None,
) -> Inputs:
    """Collect what a report rests on, the user's numbers over the shipped ones; refuse all mistakes at once.

    Parameters
    ----------
    origin, destination
        Country or region codes.
    sectors
        Sectors to report on.
    as_of
        Day looked at; None takes what has no end.
    overrides
        Nested tables. Every number may be one value or (low, central, high). Keys:

        - an obstacle, with its parameters in the unit of the shipped table (percent, days, shares):
          ``{"insurance": {"rise": 0}}``, ``{"interest": {"interest_rate": (8, 12, 20)}}``;
        - ``sectors``: by sector, ``carriage``, ``cargo_value`` (USD), ``value_of_time`` (percent per day);
        - ``payments``: by route, either numbers for its steps (``{"third_currency": {"release": {"days": 10}}}``) or a
          list of steps that makes a new route; rates are rates here, 0.03 is 3 %;
        - ``payment_shares``: share by route, sums to 1; ``currencies``: USD per unit;
        - ``firm_classes``: list of ``name``, ``export_share``, ``rejection_share``;
        - ``legs``: list of legs to add, or to replace by name; ``close``: passages that are closed; ``surcharge``: USD
          per load by passage; ``capacity``: loads a year by leg;
        - ``preferences``: list of ``agreement``, ``final_rate``, ``valid_from``, ``staging_years``,
          ``compliance_cost_rate``, ``sector``, in place of the shipped ones.

    Raises
    ------
    InputError
        If anything cannot be used; one message lists every problem.
    """
    given = dict(overrides or {})
    problems = tables.require_country(origin, "origin") + tables.require_country(destination, "destination")
    if origin == destination:
        problems.append(f"origin and destination are both '{origin}'; expected two countries")
    known = tables.parameters(origin, destination, as_of)
    obstacles = sorted({key[0] for key in known})
    for key in given:
        if key not in (*obstacles, *_OTHER_KEYS):
            hint = did_you_mean(key, (*obstacles, *_OTHER_KEYS))
            problems.append(f"overrides has the key '{key}'{hint} Known: {', '.join((*obstacles, *_OTHER_KEYS))}")
    parameters = _parameters(known, {k: v for k, v in given.items() if k in obstacles}, problems)
    cargo = _cargo(sectors, _table(given, "sectors", problems), problems)
    rates = {**currency_rates(), **_numbers(_table(given, "currencies", problems), "currencies", problems)}
    routes = _payments(payment_routes(origin, destination), _table(given, "payments", problems), problems)
    shares = payment_shares(origin, destination)
    if "payment_shares" in given:
        shares = _numbers(_table(given, "payment_shares", problems), "payment_shares", problems)
    problems += payment_problems(routes, shares, rates)
    classes = _listed(FirmClass, firm_classes(origin), given.get("firm_classes"), "firm_classes", problems)
    problems += firm_class_problems(classes)
    agreed = _listed(Preference, preferences(origin, destination), given.get("preferences"), "preferences", problems)
    shipped = network(origin, destination)
    legs = _network(shipped, given, problems)
    for cargo_kind in CARGOES:
        if any(c.carriage == cargo_kind for c in cargo.values()) and not legs.reaches(origin, destination, cargo_kind):
            problems.append(
                f"no route for {cargo_kind} cargo leads from {origin} to {destination}; open one, or add a leg"
            )
    raise_all(InputError, f"the frictions between {origin} and {destination} cannot be worked out", problems)
    return Inputs(origin, destination, as_of, parameters, cargo, legs, routes, shares, rates, classes, agreed, shipped)


def _parameters(
    known: Mapping[tuple[str, str, str], tables.Parameter], given: Mapping[str, Any], problems: list[str]
) -> dict[tuple[str, str, str], tables.Parameter]:
    out = dict(known)
    for obstacle in given:
        names = [key[1] for key in known if key[0] == obstacle]
        for name, value in _table(given, obstacle, problems).items():
            if name not in names:
                problems.append(
                    f"{obstacle}.{name} is not known{did_you_mean(name, names)} Known: {', '.join(sorted(set(names)))}"
                )
                continue
            number = _caught(lambda v=value: Range.of(v), f"{obstacle}.{name}", problems)
            if number is None:
                continue
            for key in [key for key in known if key[:2] == (obstacle, name)]:
                unit = known[key].unit
                problems += tables.range_problems(f"{obstacle}.{name}", number, unit)
                out[key] = replace(known[key], value=number, source="Given by the user", match="user")
    return out


def _cargo(sectors: Sequence[str], given: Mapping[str, Any], problems: list[str]) -> dict[str, SectorCargo]:
    shipped = sector_cargo()
    if not sectors:
        problems.append("sectors is empty; name at least one")
    for sector in given:
        if sector not in sectors:
            problems.append(f"sectors names '{sector}', which is not asked for{did_you_mean(sector, sectors)}")
    out: dict[str, SectorCargo] = {}
    for sector in sectors:
        changes = _table(given, sector, problems)
        if sector not in shipped and not changes:
            problems.append(
                f"nothing is known of sector '{sector}'{did_you_mean(sector, shipped)} Known: {', '.join(shipped)}; "
                "or give its carriage, cargo_value and value_of_time under sectors"
            )
            continue
        out[sector] = _changed_cargo(
            shipped.get(sector, SectorCargo(sector=sector, carriage="container")), changes, problems
        )
    return out


def _changed_cargo(cargo: SectorCargo, changes: Mapping[str, Any], problems: list[str]) -> SectorCargo:
    where = f"sectors.{cargo.sector}"
    for key, value in changes.items():
        if key == "carriage" and value in ("container", "bulk", "air", "none"):
            cargo = replace(cargo, carriage=value, source="Given by the user")
        elif key in ("cargo_value", "value_of_time"):
            number = _caught(lambda v=value: Range.of(v), f"{where}.{key}", problems)
            if number is not None:
                unit = "USD/TEU" if key == "cargo_value" else "% per day"
                problems += tables.range_problems(f"{where}.{key}", number, unit)
                changed = number if key == "cargo_value" else number / 100.0
                cargo = (
                    replace(cargo, cargo_value=changed, source="Given by the user")
                    if key == "cargo_value"
                    else replace(cargo, value_of_time=changed, source="Given by the user")
                )
        else:
            problems.append(
                f"{where}.{key} = {value!r} cannot be used; expected carriage (container, bulk, air, none), "
                "cargo_value or value_of_time"
            )
    if cargo.carried and not cargo.cargo_value.low > 0:
        problems.append(f"{where}.cargo_value is {cargo.cargo_value.low:g} USD per load; expected more than zero")
    return cargo


def _payments(
    routes: dict[str, PaymentRoute], given: Mapping[str, Any], problems: list[str]
) -> dict[str, PaymentRoute]:
    out = dict(routes)
    for name, value in given.items():
        if isinstance(value, list | tuple):
            listed = list(cast("Iterable[object]", value))
            steps = [_object(PaymentStep, step, f"payments.{name}", problems) for step in listed]
            whole = tuple(step for step in steps if step is not None)
            if len(whole) == len(steps):
                route = _caught(lambda n=name, s=whole: PaymentRoute(n, s), f"payments.{name}", problems)
                out |= {name: route} if route is not None else {}
            continue
        if name not in routes:
            problems.append(
                f"payments names '{name}', which is no route of this pair{did_you_mean(name, routes)} Known: "
                f"{', '.join(routes)}; a new route is a list of steps"
            )
            continue
        route = routes[name]
        names = [step.name for step in route.steps]
        changed = {step.name: step for step in route.steps}
        for step_name, changes in _table(given, name, problems).items():
            if step_name not in names:
                problems.append(
                    f"payments.{name} has no step '{step_name}'{did_you_mean(step_name, names)} "
                    f"Known: {', '.join(names)}"
                )
                continue
            step = _object(PaymentStep, changes, f"payments.{name}.{step_name}", problems, changed[step_name])
            changed |= {step_name: step} if step is not None else {}
        whole_route = _caught(
            lambda n=name, c=changed: PaymentRoute(n, tuple(c.values()), "user"), f"payments.{name}", problems
        )
        out |= {name: whole_route} if whole_route is not None else {}
    return out


def _listed(kind: type[_T], shipped: tuple[_T, ...], given: object, name: str, problems: list[str]) -> tuple[_T, ...]:
    """Return the objects that a list of tables describes; the shipped ones where none is given."""
    if given is None:
        return shipped
    if not isinstance(given, list | tuple):
        known = ", ".join(f.name for f in fields(cast(Any, kind)))
        problems.append(f"{name} is no list; expected tables with {known}")
        return shipped
    found = [_object(kind, value, name, problems) for value in cast("Iterable[object]", given)]
    return tuple(k for k in found if k is not None)


def _network(shipped: Network, given: Mapping[str, Any], problems: list[str]) -> Network:
    legs = {leg.name: leg for leg in shipped.legs}
    added = given.get("legs", [])
    if not isinstance(added, list | tuple):
        problems.append("legs is no list; expected tables, one per leg")
        added = []
    for value in cast("Iterable[object]", added):
        leg = _object(Leg, value, "legs", problems)
        legs |= {leg.name: leg} if leg is not None else {}
    out = Network(tuple(legs.values()))
    changes: list[Callable[[Network], Network]] = []
    closed = given.get("close", [])
    for passage in [closed] if isinstance(closed, str) else list(cast("Iterable[str]", closed)):
        changes.append(lambda n, p=passage: n.without_passage(p))
    for passage, usd in _table(given, "surcharge", problems).items():
        changes.append(lambda n, p=passage, u=usd: n.with_surcharge(u, p))
    for name, loads in _numbers(_table(given, "capacity", problems), "capacity", problems).items():
        changes.append(lambda n, k=name, c=loads: n.with_capacity(k, c))
    for change in changes:
        out = _caught(lambda c=change, n=out: c(n), "network", problems) or out
    return out


def _object(kind: type[_T], value: object, where: str, problems: list[str], start: _T | None = None) -> _T | None:
    """Build or change an object from a table; numbers of ranges may be single or three."""
    if not isinstance(value, Mapping):
        problems.append(f"{where} holds {value!r}; expected a table")
        return None
    table = dict(cast("Mapping[str, Any]", value))
    types = {f.name: str(f.type) for f in fields(cast(Any, kind))}
    unknown = [
        f"{where}.{key} is not known{did_you_mean(key, types)} Known: {', '.join(types)}"
        for key in table
        if key not in types
    ]
    problems += unknown
    if unknown:
        return None
    ready: dict[str, Any] = {}
    for key, content in table.items():
        read = _caught(lambda v=content: Range.of(v), f"{where}.{key}", problems) if types[key] == "Range" else content
        if read is None:
            return None
        ready[key] = read

    def build() -> _T:
        try:
            return replace(cast(Any, start), **ready) if start is not None else kind(**ready)
        except TypeError as error:
            raise InputError(f"{error}; expected {', '.join(types)}") from None

    return _caught(build, where, problems)


def _caught(make: Callable[[], _T], where: str, problems: list[str]) -> _T | None:
    """Return what ``make`` makes; where it refuses, keep its problems and return None."""
    try:
        return make()
    except InputError as error:
        problems += tables.input_problems(error, where)
        return None


def _table(given: Mapping[str, Any], key: str, problems: list[str]) -> Mapping[str, Any]:
    value = given.get(key, {})
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    problems.append(f"{key} is {value!r}; expected a table of names and numbers")
    return {}


def _numbers(table: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, float]:
    out: dict[str, float] = {}
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(f"{where}.{key} is {value!r}; expected a number")
        else:
            out[key] = float(value)
    return out
