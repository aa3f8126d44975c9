"""What a purchase programme of a scenario adds to trade, in equilibrium: which goods, and how much a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from counterpoise.core import Solution
from counterpoise.core.errors import InputError
from counterpoise.data.concordance import goods_sectors
from counterpoise.scenario import Scenario, compile_scenario, scenario_world
from counterpoise.scenario.schema import Purchase
from counterpoise.solver import solve

__all__ = ["ExtraPurchases", "extra_purchases", "scenario_purchases"]


@dataclass(frozen=True, slots=True)
class ExtraPurchases:
    """What a country buys more of from another, USD a year at customs value.

    Attributes
    ----------
    buyer, seller
        Who buys, and from whom.
    by_sector
        Change of each goods sector, largest first; negative where other goods are bought less.
    """

    buyer: str
    seller: str
    by_sector: Mapping[str, float]

    @property
    def usd_a_year(self) -> float:
        """All goods together."""
        return float(sum(self.by_sector.values()))


def extra_purchases(solution: Solution, buyer: str, seller: str) -> ExtraPurchases:
    """Return what a buyer buys more of from a seller in a solution than in its world.

    Goods only; all sectors of a world whose sectors are not the embedded ones.
    """
    world = solution.world
    pick = {"origin": seller, "destination": buyer}
    change = (solution.flow_cf.sel(pick) - world.flow.sel(pick)).to_numpy()
    goods = set(goods_sectors())
    known = {
        s: float(v) for s, v in zip(world.sectors, change, strict=True) if s in goods or not goods & {*world.sectors}
    }
    return ExtraPurchases(buyer, seller, MappingProxyType(dict(sorted(known.items(), key=lambda item: -item[1]))))


def scenario_purchases(scenario: Scenario, *, groups: Sequence[str] | None = None) -> ExtraPurchases:
    """Solve the purchase programmes of a scenario and return what they add.

    Parameters
    ----------
    scenario
        Validated; its purchases must be by one buyer from one seller.
    groups
        Groups of measures that are solved; by default those that hold the programmes.

    Raises
    ------
    InputError
        If the scenario has no programme in these groups, several pairs have one, or its model holds no programmes.
    NotConvergedError
        If there is no equilibrium.
    """
    scenario.choice.require_levers("an order")
    bought = [m for m in scenario.measure if isinstance(m, Purchase) and m.enabled]
    chosen = tuple(dict.fromkeys(m.group_name for m in bought)) if groups is None else tuple(groups)
    pairs = {(m.buyer, m.seller) for m in bought if m.group_name in chosen}
    if len(pairs) != 1:
        seen = ", ".join(f"{buyer} from {seller}" for buyer, seller in sorted(pairs)) or "none"
        where = "" if groups is None else f" in the groups {', '.join(chosen)}"
        raise InputError(
            f"the scenario '{scenario.name}' has purchase programmes of these pairs{where}: {seen}; expected exactly "
            "one pair"
        )
    buyer, seller = pairs.pop()
    world = scenario_world(scenario)
    shock = compile_scenario(scenario, world, groups=chosen).shock
    return extra_purchases(
        solve(world, shock, closure=scenario.closure, model=scenario.choice.beyond_world), buyer, seller
    )
