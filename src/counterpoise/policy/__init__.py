"""Policy: the inverse problem. What to do, at what price, and what is possible at all.

A package is a point of `Lever` values; `close_gap` finds the cheapest one for given levers, `close_scenario` the one of
a scenario. Names are imported on first use, so that tables of parameters can be read without loading the equilibrium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.policy.closing import Closing, close_gap, close_scenario, closing_of, day_of, target_of
    from counterpoise.policy.costs import FREE, CostCurve, Objective
    from counterpoise.policy.from_scenario import (
        background_of,
        levers_at,
        levers_costing,
        levers_from_scenario,
        pair_of,
        passed_over,
    )
    from counterpoise.policy.frontier import Frontier, frontier_of
    from counterpoise.policy.levers import (
        ExportSupport,
        FundMoney,
        Lever,
        ObstacleRemoval,
        OilRestraint,
        OpenedLine,
        PurchaseProgramme,
        Ramp,
        TariffCut,
        TradeLever,
    )
    from counterpoise.policy.mixture import shock_with
    from counterpoise.policy.package import LeverUse, Package, open_search
    from counterpoise.policy.path import Path, path_to
    from counterpoise.policy.search import ContradictionError, InfeasibleError
    from counterpoise.policy.sensitivity import Sensitivity, elasticity_cases, sensitivity_of
    from counterpoise.policy.shares import Shares, shares_of

__all__ = [
    "FREE",
    "Closing",
    "ContradictionError",
    "CostCurve",
    "ExportSupport",
    "Frontier",
    "FundMoney",
    "InfeasibleError",
    "Lever",
    "LeverUse",
    "Objective",
    "ObstacleRemoval",
    "OilRestraint",
    "OpenedLine",
    "Package",
    "Path",
    "PurchaseProgramme",
    "Ramp",
    "Sensitivity",
    "Shares",
    "TariffCut",
    "TradeLever",
    "background_of",
    "close_gap",
    "close_scenario",
    "closing_of",
    "day_of",
    "elasticity_cases",
    "frontier_of",
    "levers_at",
    "levers_costing",
    "levers_from_scenario",
    "open_search",
    "pair_of",
    "passed_over",
    "path_to",
    "sensitivity_of",
    "shares_of",
    "shock_with",
    "target_of",
]

_HOME: dict[str, str] = (
    {
        "Closing": "closing",
        "close_gap": "closing",
        "close_scenario": "closing",
        "closing_of": "closing",
        "day_of": "closing",
        "target_of": "closing",
    }
    | {"FREE": "costs", "CostCurve": "costs", "Objective": "costs"}
    | {
        "background_of": "from_scenario",
        "levers_at": "from_scenario",
        "levers_costing": "from_scenario",
        "levers_from_scenario": "from_scenario",
        "pair_of": "from_scenario",
        "passed_over": "from_scenario",
    }
    | {"Frontier": "frontier", "frontier_of": "frontier"}
    | {"LeverUse": "package", "Package": "package", "open_search": "package"}
    | {"Path": "path", "path_to": "path"}
    | {"ContradictionError": "search", "InfeasibleError": "search"}
    | {"shock_with": "mixture"}
    | {"Sensitivity": "sensitivity", "elasticity_cases": "sensitivity", "sensitivity_of": "sensitivity"}
    | {"Shares": "shares", "shares_of": "shares"}
)


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'levers')}"), name)
