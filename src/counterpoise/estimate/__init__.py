"""Estimation: gravity equations by Poisson pseudo-maximum likelihood. Needs the extra ``estimate``."""

from counterpoise.estimate.gravity import GravityEstimate, estimate_gravity, gravity_flows
from counterpoise.estimate.terms import (
    GravitySpec,
    TradeCost,
    TradeElasticity,
    elasticity_table,
    estimate_by,
    gravity_scenario,
    parse_spec,
    trade_cost_of,
    trade_elasticity_of,
)

__all__ = [
    "GravityEstimate",
    "GravitySpec",
    "TradeCost",
    "TradeElasticity",
    "elasticity_table",
    "estimate_by",
    "estimate_gravity",
    "gravity_flows",
    "gravity_scenario",
    "parse_spec",
    "trade_cost_of",
    "trade_elasticity_of",
]
