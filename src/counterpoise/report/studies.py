"""The studies beside the counterfactuals of a story: obstacles, settlement, the fund, the way back.

Each is left out, with the reason, where the world or the tables do not know what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core import Solution, World
from counterpoise.core.errors import InputError
from counterpoise.data.concordance import goods_sectors
from counterpoise.friction import FrictionReport, friction_report
from counterpoise.model import labour_of
from counterpoise.policy.attribution import attribute_obstacles
from counterpoise.policy.fund import FundResult, allocate_fund
from counterpoise.policy.fund_options import FundResponse, FundRisk, fund_lines, fund_parameters
from counterpoise.policy.order_flow import ExtraPurchases, extra_purchases
from counterpoise.policy.search import InfeasibleError
from counterpoise.report.packages import WayBack, find_way_back
from counterpoise.scenario import Scenario
from counterpoise.settle import (
    NettingStudy,
    Obligations,
    SettlementStudy,
    compare_netting,
    study,
    trade_obligation_rows,
    trade_reported,
)

__all__ = ["FUND_DRAWS", "FUND_USD", "NETTED", "Studies", "run_studies"]

FUND_USD = 1e9
"""Budget of the fund in a report: what RDIF and NIIF agreed on in 2016."""

FUND_DRAWS = 50
"""Draws of the fund's returns."""

SETTLEMENT_DRAWS = 1000
"""Draws of the account."""

DRAIN_BY = "2027-12"
"""Month by whose end the account shall be empty, in the question that a report asks."""

NETTED = ("IND", "RUS", "CHN", "BRA", "TUR", "GULF", "EAEU", "ASEAN", "SASIA", "AFRICA")
"""Countries and regions whose goods trade is netted as an illustration."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Studies:
    """What stands beside the counterfactuals; None where it was left out, and why.

    Attributes
    ----------
    frictions, attribution
        Obstacles on the way from the country that sells less to the one that sells more, and what removals do.
    settlement, netting, netted
        The account of the pair, netting among countries, and words for whose trade that is.
    purchases
        What the order adds, by sector.
    fund
        The technology fund of the pair.
    way_back
        The cheapest package that closes a fifth of the gap, and what the order alone could.
    left_out
        Study to the reason why it is not there.
    """

    frictions: FrictionReport | None = None
    attribution: pd.DataFrame | None = None
    settlement: SettlementStudy | None = None
    netting: NettingStudy | None = None
    netted: str = ""
    purchases: ExtraPurchases | None = None
    fund: FundResult | None = None
    way_back: WayBack | None = None
    left_out: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def facts(self) -> dict[str, Any]:
        """Return the headline numbers as plain values."""
        out: dict[str, Any] = {}
        if self.frictions is not None:
            out["obstacles"] = _friction_facts(self.frictions, self.attribution)
        if self.settlement is not None:
            out["settlement"] = _settlement_facts(self.settlement, self.purchases)
        if self.fund is not None:
            keys = ("budget_usd", "spent_usd", "gains_usd", "costs_usd", "net_gain_usd", "gap_closed_usd")
            facts = self.fund.facts()
            out["fund"] = {key: facts[key] for key in (*keys, "mean_usd", "low_usd", "multiplier", "rank_correlation")}
        if self.way_back is not None:
            out["way_back"] = self.way_back.facts()
        if self.left_out:
            out["left_out"] = dict(self.left_out)
        return out


def run_studies(
    scenario: Scenario,
    world: World,
    seller: str,
    buyer: str,
    order: Solution | None,
    progress: Tell | None = None,
    *,
    seed: int = 0,
) -> Studies:
    """Run the four studies of a pair.

    Parameters
    ----------
    scenario
        Supplies the day, the case and the closure.
    world, seller, buyer
        The world, and the pair: ``seller`` sells more to ``buyer`` than it buys.
    order
        The solution with the purchase programme, or None where the scenario has none.
    progress
        Called with a phase, steps done and steps in all.
    seed
        Of the draws.
    """
    tell = progress if progress is not None else _silent
    left_out: dict[str, str] = {}
    tell("obstacles", 0, 4)
    frictions, attribution = _frictions(scenario, world, seller, buyer, seed, left_out)
    tell("settlement", 1, 4)
    bought = None if order is None else extra_purchases(order, seller, buyer)
    settlement = _settlement(seller, buyer, bought, left_out)
    netting = compare_netting(Obligations.from_rows(trade_obligation_rows(NETTED))) if settlement is not None else None
    tell("the fund", 2, 4)
    fund = _fund(scenario, world, seller, buyer, seed, left_out)
    tell("the way back", 3, 4)
    way_back = _way_back(scenario, world, progress, seed, left_out)
    tell("obstacles, settlement, the fund, the way back", 4, 4)
    return Studies(
        frictions=frictions,
        attribution=attribution,
        settlement=settlement,
        netting=netting,
        netted=f"goods trade among {len(NETTED)} countries and regions in 2024",
        purchases=bought,
        fund=fund,
        way_back=way_back,
        left_out=MappingProxyType(left_out),
    )


def _silent(phase: str, done: int, count: int) -> None:
    """Tell nobody."""


def _frictions(
    scenario: Scenario, world: World, seller: str, buyer: str, seed: int, left_out: dict[str, str]
) -> tuple[FrictionReport | None, pd.DataFrame | None]:
    known = set(goods_sectors())
    sectors = tuple(s for s in world.sectors if s in known)
    if not sectors:
        left_out["obstacles"] = "the world's sectors are not those of the tables of obstacles"
        return None, None
    pick = {"origin": buyer, "destination": seller, "sector": list(sectors)}
    report = friction_report(
        buyer,
        seller,
        sectors,
        case=scenario.case,
        as_of=scenario.as_of,
        flow_usd=_by_name(sectors, world.flow.sel(pick).to_numpy()),
        tariff_rate=_by_name(sectors, world.tariff_rate.sel(pick).to_numpy()),
    )
    attribution = attribute_obstacles(
        world,
        report.rows,
        (buyer, seller),
        case=report.case,
        closure=scenario.closure,
        labour=labour_of(scenario.choice),
        seed=seed,
    )
    return report, attribution


def _settlement(
    seller: str, buyer: str, bought: ExtraPurchases | None, left_out: dict[str, str]
) -> SettlementStudy | None:
    if not trade_reported(seller, buyer):
        left_out["settlement"] = f"no trade between {seller} and {buyer} is reported in the tables"
        return None
    extra = None if bought is None or bought.usd_a_year <= 0 else bought.usd_a_year / 1e9
    return study(buyer, seller, draws=SETTLEMENT_DRAWS, extra_imports_usd_bn=extra, drain_by=DRAIN_BY)


def _fund(
    scenario: Scenario, world: World, seller: str, buyer: str, seed: int, left_out: dict[str, str]
) -> FundResult | None:
    if not {*world.sectors} <= {*FundResponse.shipped().scale_rate}:
        left_out["fund"] = "the world's sectors are not those of the fund's table"
        return None
    smallest = fund_parameters()["minimum_usd"].at(scenario.case)
    return allocate_fund(
        world,
        (seller, buyer),
        FUND_USD,
        lines=fund_lines(world, (seller, buyer), minimum_usd=smallest),
        risk=FundRisk.shipped("mean", scenario.case, draws=FUND_DRAWS, seed=seed),
        closure=scenario.closure,
        labour=labour_of(scenario.choice),
        case=scenario.case,
        caution=False,
    )


def _way_back(
    scenario: Scenario, world: World, progress: Tell | None, seed: int, left_out: dict[str, str]
) -> WayBack | None:
    try:
        return find_way_back(scenario, world, progress, seed=seed)
    except (InputError, InfeasibleError) as error:
        left_out["the way back"] = str(error).splitlines()[0].rstrip(".:")
        return None


def _by_name(names: tuple[str, ...], values: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _friction_facts(report: FrictionReport, attribution: pd.DataFrame | None) -> dict[str, Any]:
    weight = np.array([report.weights[s] for s in report.sectors], dtype=np.float64)
    mean = {
        name: float(report.totals[f"{name}_{report.case}"].to_numpy(dtype=np.float64) @ weight)
        for name in ("ave", "removable")
    }
    out: dict[str, Any] = {
        "origin": report.origin,
        "destination": report.destination,
        "mean_ave": mean["ave"],
        "mean_removable": mean["removable"],
        "costliest": report.costliest,
        "costliest_removable": report.costliest_removable,
    }
    if attribution is not None:
        parts = attribution.to_dict("records")
        first, whole = parts[0], parts[-1]
        out |= {
            "removal_trade_usd": float(whole["trade_usd"]),
            "removal_gap_usd": float(whole["gap_usd"]),
            "most_trade_held_back_by": str(first["obstacle"]),
            "most_trade_usd": float(first["trade_usd"]),
        }
    return out


def _settlement_facts(found: SettlementStudy, bought: ExtraPurchases | None) -> dict[str, Any]:
    rows = {str(row["question"]): row for row in found.answers.table.to_dict("records")}
    here, rest = rows["in the account"], rows["comes to rest at"]
    out: dict[str, Any] = {
        "account": found.case.label,
        "as_of": str(found.answers.since),
        "usd_bn": [float(here[k]) for k in ("low", "median", "high")],
        "rests_at_usd_bn": [float(rest[k]) for k in ("low", "median", "high")],
        "fitted": found.fit is not None,
    }
    if bought is not None:
        out["order_usd_a_year"] = bought.usd_a_year
    drained = found.drained_in
    if drained is not None:
        there = np.sort(drained[~np.isnat(drained)]).astype("datetime64[M]")
        out |= {
            "drained_rate": there.size / drained.size,
            "drained_in": str(there[there.size // 2]) if there.size else None,
        }
    for uses, values in found.answers.extra_usd_a_year.items():
        out[f"drain_by_{found.drain_by}_{uses}_usd_a_year"] = [
            float(v) for v in np.quantile(values, (0.05, 0.5, 0.95), method="nearest")
        ]
    return out
