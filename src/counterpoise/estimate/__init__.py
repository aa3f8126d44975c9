"""Estimation: gravity equations by Poisson pseudo-maximum likelihood. Needs the extra ``estimate``."""

from counterpoise.estimate.gravity import GravityEstimate, estimate_gravity, gravity_flows

__all__ = ["GravityEstimate", "estimate_gravity", "gravity_flows"]
