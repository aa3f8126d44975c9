"""What scenarios say about single products: the duties a third country adds, and what stands in a pair's way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError
from counterpoise.data.concordance import region_members
from counterpoise.scenario.compile import compile_scenario
from counterpoise.scenario.files import list_scenarios, load_scenario, scenario_world
from counterpoise.scenario.schema import Obstacle, Scenario, Tariff

if TYPE_CHECKING:
    from counterpoise.core import World

__all__ = ["Duties", "duties_by_product", "obstacles_by_product", "purchase_fragment", "schedule_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Duties:
    """What a third country's measures make of its duties on a seller's goods.

    Attributes
    ----------
    table
        hs, rate_before, rate_after; 0.25 is 25 %.
    scenario
        Name of the schedule.
    as_of
        Day whose measures are in force; None for a scenario without dates.
    measures
        Titles of these measures.
    """

    table: pd.DataFrame
    scenario: str
    as_of: date | None
    measures: tuple[str, ...]


def schedule_of(third: str, seller: str) -> str:
    """Return the library scenario that holds a third country's dated duties on a seller, the longest one.

    Raises
    ------
    InputError
        If the library holds none; the message says what it holds.
    """
    found: dict[str, int] = {}
    held: set[str] = set()
    for name in list_scenarios():
        scenario = load_scenario(name)
        if scenario.extends is None:
            duties = [m for m in scenario.measure if isinstance(m, Tariff)]
            held |= {f"{d} on {o}" for m in duties for d in m.destinations for o in m.origins}
            count = sum(third in m.destinations and seller in m.origins for m in duties)
            if count:
                found[name] = count
    if not found:
        raise InputError(
            f"the library holds no duties of {third} on {seller}; it has {', '.join(sorted(held))}. "
            "Name a scenario that has them with --scenario"
        )
    return max(found, key=lambda name: found[name])


def duties_by_product(
    third: str,
    seller: str,
    codes: Sequence[str],
    *,
    scenario: str | Scenario | None = None,
    as_of: date | None = None,
) -> Duties:
    """Return the duties of a third country on a seller's products, before and with the measures of a schedule.

    Parameters
    ----------
    third, seller
        Countries or regions; a country inside a region of the scenario's world stands for it.
    codes
        HS codes of 4 or 6 digits.
    scenario
        A scenario, its library name or its path; `schedule_of` by default.
    as_of
        Day; the scenario's own by default.

    Raises
    ------
    InputError
        If the world does not know a country, or the scenario has no duty of the third country on the seller.
    ScenarioError
        If the scenario cannot be read or compiled.
    """
    places = {name: _place(name) for name in (third, seller)}
    if isinstance(scenario, Scenario):
        chosen = scenario
    else:
        chosen = load_scenario(scenario or schedule_of(places[third], places[seller]))
    world = scenario_world(chosen)
    _require_known(world, places)
    ours = [
        m
        for m in chosen.measure
        if isinstance(m, Tariff)
        and {places[third], "all"} & set(m.destinations)
        and {places[seller], "all"} & set(m.origins)
    ]
    if not ours:
        raise InputError(
            f"the scenario '{chosen.name}' has no duty of {third} on {seller}; name another with --scenario"
        )
    only = chosen.model_copy(update={"measure": tuple(ours)})
    pair = places[seller], places[third]
    compiled = compile_scenario(only, world, products=_every(codes, *pair), as_of=as_of)
    terms = compiled.lines.get(pair)
    day = as_of or chosen.as_of
    if terms is None:
        said = "; ".join(f"{m.id}: {m.reason}" for m in compiled.report.measures)
        raise InputError(f"no duty of {third} on {seller} is in force on {day or 'any day'} in '{chosen.name}': {said}")
    table = pd.DataFrame({"hs": terms.lines.code, "rate_before": terms.duty_before, "rate_after": terms.duty_after})
    titles = tuple(m.title or m.id for m in compiled.report.active)
    return Duties(table[table["hs"] != ""].reset_index(drop=True), chosen.name, day, titles)


def obstacles_by_product(scenario: Scenario, seller: str, buyer: str, codes: Sequence[str]) -> dict[str, float]:
    """Return what stands in the way of each product from seller to buyer, as an ad valorem equivalent.

    All obstacles of the scenario are put together: prod(1 + ave) - 1. A product that none of them means has 0. Empty
    where the scenario has no obstacle between the two.
    """
    places = {name: _place(name) for name in (seller, buyer)}
    obstacles = [
        m.model_copy(
            update={
                "removed": True,
                "removal_share": 1.0,
                "added": False,
                "exempt": (),
                "valid_from": None,
                "valid_until": None,
            }
        )
        for m in scenario.measure
        if isinstance(m, Obstacle)
        and {places[seller], "all"} & set(m.origins)
        and {places[buyer], "all"} & set(m.destinations)
    ]
    if not obstacles:
        return {}
    world = scenario_world(scenario)
    _require_known(world, places)
    only = scenario.model_copy(update={"measure": tuple(obstacles)})
    pair = places[seller], places[buyer]
    terms = compile_scenario(only, world, products=_every(codes, *pair)).lines[pair]
    ave = 1.0 / terms.iceberg_cost_hat - 1.0
    return {str(code): float(value) for code, value in zip(terms.lines.code, ave, strict=True) if code}


def purchase_fragment(
    codes: Sequence[str],
    *,
    seller: str,
    buyer: str,
    name: str,
    subsidy_rate: float,
    extends: str | None,
    source: str,
    openings: Mapping[str, float] | None = None,
) -> str:
    """Return a scenario file whose purchase programme is on given products, as TOML that `simulate` takes.

    Parameters
    ----------
    codes
        HS codes of the programme, best first.
    seller, buyer
        Countries; one inside a region of the embedded world is written as that region.
    name
        Name of the new scenario.
    subsidy_rate
        Share of the duty-paid price that the buyer's budget pays.
    extends
        Scenario the file starts from; None writes one that stands alone.
    source
        Where the choice of products comes from.
    openings
        Potential of lines that are zero today, USD a year by sector: levers for ``close``, measures for ``simulate``
        that are switched off.

    Raises
    ------
    InputError
        If there is no product, or both countries lie in one region.
    """
    places = {label: _place(label) for label in (seller, buyer)}
    if not codes:
        raise InputError("a purchase programme needs at least one product; widen --hs or --top")
    if places[seller] == places[buyer]:
        raise InputError(
            f"{seller} and {buyer} both lie in {places[seller]}, one region of the embedded world: no trade"
            " between them is in it, and no programme can be solved"
        )
    quoted = ", ".join(f'"{code}"' for code in codes)
    parent = [f'extends = "{extends}"'] if extends else []
    return "\n".join(
        [
            "schema = 1",
            f'name = "{name}"',
            f'title = "{buyer} pays part of the price of {len(codes)} products of {seller}"',
            *parent,
            f'pair = {{ origin = "{places[buyer]}", destination = "{places[seller]}" }}',
            "",
            "[[measure]]",
            'id = "programme"',
            'kind = "purchase"',
            'group = "order"',
            f'title = "Purchase programme on the {len(codes)} products with most room"',
            f'source = "{source}; the rate is an assumption"',
            'confidence = "assumption"',
            f'buyer = "{places[buyer]}"',
            f'seller = "{places[seller]}"',
            f"products = [{quoted}]",
            f"subsidy_rate = {subsidy_rate!r}",
            *(
                line
                for sector, usd in (openings or {}).items()
                for line in (
                    "",
                    "[[lever]]",
                    f'id = "open_{sector}"',
                    'kind = "opened_line"',
                    f'title = "Open the line of {sector}, which is zero today"',
                    f'source = "{source}"',
                    f'origin = "{places[seller]}"',
                    f'destination = "{places[buyer]}"',
                    f'sectors = ["{sector}"]',
                    "upper = 1.0",
                    f"potential_usd = {usd!r}",
                    "",
                    "[[measure]]",
                    f'id = "opened_{sector}"',
                    'kind = "opening"',
                    'group = "openings"',
                    f'title = "Switch: the line of {sector} opened at the cost of its potential"',
                    f'source = "{source}"',
                    'confidence = "assumption"',
                    "enabled = false",
                    f'origin = "{places[seller]}"',
                    f'destination = "{places[buyer]}"',
                    f'sector = "{sector}"',
                    f"potential_usd = {usd!r}",
                )
            ),
            "",
        ]
    )


def _place(name: str) -> str:
    """Return the region of the embedded world that a country lies in; a name it does not know as it is."""
    return next((region for region, members in region_members().items() if name in members), name)


def _require_known(world: World, places: dict[str, str]) -> None:
    lacking = [f"'{name}'" for name, place in places.items() if place not in world.countries]
    if lacking:
        raise InputError(
            f"{world.meta.name} does not know {' and '.join(lacking)}; it has {', '.join(world.countries)}"
        )


def _every(codes: Sequence[str], origin: str, destination: str) -> pd.DataFrame:
    """Return a product table in which a pair trades every code, so that each becomes a line."""
    return pd.DataFrame(
        {"origin": origin, "destination": destination, "hs": list(codes), "value_usd": np.ones(len(codes))}
    )
