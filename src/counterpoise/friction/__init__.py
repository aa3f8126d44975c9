"""Frictions: logistics, payments, finance and the border, turned into ad valorem equivalents.

::

    from counterpoise.friction import friction_report, removal_shock

    report = friction_report("IND", "RUS", world.sectors)
    report.costliest
    removal_shock(cp.Shock.none(world), report, ["currency"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.friction.assemble import OBSTACLES, Obstacle, Wedge, compare_networks, wedge
    from counterpoise.friction.border import (
        AppliedDuty,
        Event,
        Limit,
        Preference,
        applied_duty,
        events,
        limits,
        ntm_from_duty,
        preferences,
        registration_rate,
    )
    from counterpoise.friction.choice import RouteChoice, choose_routes
    from counterpoise.friction.corridors import corridor_changes
    from counterpoise.friction.finance import FirmClass, UnmetFinance, firm_classes, unmet_finance, working_capital_rate
    from counterpoise.friction.inputs import Inputs, SectorCargo, gather, sector_cargo
    from counterpoise.friction.logistics import (
        Dominance,
        Leg,
        Network,
        Route,
        break_even_cargo_value,
        dominated,
        network,
    )
    from counterpoise.friction.payments import (
        PaymentRoute,
        PaymentStep,
        PaymentWedge,
        mixed_wedge,
        payment_routes,
        payment_shares,
    )
    from counterpoise.friction.ranges import Case, Range
    from counterpoise.friction.report import FrictionReport, friction_report
    from counterpoise.friction.terms import obstacle_factors, preference_shock, removal_shock, removed_factor

__all__ = [
    "OBSTACLES",
    "AppliedDuty",
    "Case",
    "Dominance",
    "Event",
    "FirmClass",
    "FrictionReport",
    "Inputs",
    "Leg",
    "Limit",
    "Network",
    "Obstacle",
    "PaymentRoute",
    "PaymentStep",
    "PaymentWedge",
    "Preference",
    "Range",
    "Route",
    "RouteChoice",
    "SectorCargo",
    "UnmetFinance",
    "Wedge",
    "applied_duty",
    "break_even_cargo_value",
    "choose_routes",
    "compare_networks",
    "corridor_changes",
    "dominated",
    "events",
    "firm_classes",
    "friction_report",
    "gather",
    "limits",
    "mixed_wedge",
    "network",
    "ntm_from_duty",
    "obstacle_factors",
    "payment_routes",
    "payment_shares",
    "preference_shock",
    "preferences",
    "registration_rate",
    "removal_shock",
    "removed_factor",
    "sector_cargo",
    "unmet_finance",
    "wedge",
    "working_capital_rate",
]

_MODULES = {
    "assemble": ("OBSTACLES", "Obstacle", "Wedge", "compare_networks", "wedge"),
    "border": (
        "AppliedDuty",
        "Event",
        "Limit",
        "Preference",
        "applied_duty",
        "events",
        "limits",
        "ntm_from_duty",
        "preferences",
        "registration_rate",
    ),
    "choice": ("RouteChoice", "choose_routes"),
    "corridors": ("corridor_changes",),
    "finance": ("FirmClass", "UnmetFinance", "firm_classes", "unmet_finance", "working_capital_rate"),
    "inputs": ("Inputs", "SectorCargo", "gather", "sector_cargo"),
    "logistics": ("Dominance", "Leg", "Network", "Route", "break_even_cargo_value", "dominated", "network"),
    "payments": ("PaymentRoute", "PaymentStep", "PaymentWedge", "mixed_wedge", "payment_routes", "payment_shares"),
    "ranges": ("Case", "Range"),
    "report": ("FrictionReport", "friction_report"),
    "terms": ("obstacle_factors", "preference_shock", "removal_shock", "removed_factor"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import on first use: reports bring pandas and SciPy, which a name alone need not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
