r"""Trade elasticities that grow with time: small in the first year, settled after seven to ten.

Estimates of how trade answers a duty differ by how long one waits. The path here starts at a share of the long-run
elasticity and closes on it exponentially::

    theta(h) = theta * (1 - (1 - a) 20^(-(h - 1) / (H - 1))),   h >= 1 year

a = ``first_year_share``, H = ``settled_years``, at which 95 % of the way is done. It is proportional, so that the order
of sectors stays what it was.

References
----------
Boehm, Levchenko and Pandalai-Nayar (2023), American Economic Review 113(4): customs values fall by 0.76 % per percent
of duty in the first year, by 1.75 to 2.25 % in the long run, reached after 7 to 10 years; 0.76 over the middle of that
range is the default share.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, raise_all

__all__ = ["FIRST_YEAR_SHARE", "SETTLED_YEARS", "horizon_elasticity"]

FIRST_YEAR_SHARE = 0.76 / 2.0
"""First-year over long-run elasticity, Boehm, Levchenko and Pandalai-Nayar (2023), abstract and Table 2."""

SETTLED_YEARS = 10.0
"""Years after which 95 % of the difference is gone: the end of the range of the same source."""


def horizon_elasticity(
    long_run: ArrayLike,
    years: float,
    *,
    first_year_share: float = FIRST_YEAR_SHARE,
    settled_years: float = SETTLED_YEARS,
) -> NDArray[np.float64]:
    """Return the trade elasticity some years after a change, same shape as ``long_run``.

    Parameters
    ----------
    long_run
        Long-run trade elasticities theta, positive; any shape.
    years
        Years since the change, 1 or more; infinity is the long run.
    first_year_share
        Elasticity of the first year over the long-run one, above 0 and at most 1. The causal estimates for India's
        exports to the United States in 2025 (0.64 to 1.51 in the first four months) are 0.16 to 0.38 of a long-run 4.
    settled_years
        Years after which 95 % of the difference is gone, more than 1.

    Raises
    ------
    InputError
        If an option is out of range; every one is named.
    """
    theta = np.asarray(long_run, dtype=np.float64)
    rules = (
        ("years", years, "1 or more (the first year is 1)", years >= 1),
        ("first_year_share", first_year_share, "above 0 and at most 1", 0 < first_year_share <= 1),
        ("settled_years", settled_years, "more than 1", settled_years > 1 and math.isfinite(settled_years)),
    )
    problems = [f"{name} = {value}; expected {rule}" for name, value, rule, fine in rules if not fine]
    if not bool(np.all(theta > 0)):
        problems.append("long_run holds an elasticity that is not positive")
    raise_all(InputError, "the elasticity at this horizon cannot be found", problems)
    left = 0.0 if math.isinf(years) else 20.0 ** (-(years - 1.0) / (settled_years - 1.0))
    return theta * (1.0 - (1.0 - first_year_share) * left)
