"""Frictions as terms of a Shock: what taking an obstacle away does to the iceberg cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import LabelError, did_you_mean, raise_all
from counterpoise.friction.assemble import OBSTACLES
from counterpoise.friction.ranges import Case, check_case
from counterpoise.friction.report import FrictionReport

if TYPE_CHECKING:
    from counterpoise.core import Shock

__all__ = ["obstacle_factors", "removal_shock", "removed_factor"]

Numbers = NDArray[np.float64]


def removed_factor(ave: float, removable: float) -> float:
    """Return the iceberg cost without an obstacle over the one with it.

    Parameters
    ----------
    ave
        The obstacle as it stands, a rate.
    removable
        The part that is taken away.

    Returns
    -------
    (1 + ave - removable) / (1 + ave); 1 / (1 + ave) where all of it goes.
    """
    return (1.0 + ave - removable) / (1.0 + ave)


def obstacle_factors(
    report: FrictionReport, obstacle: str, *, whole: bool = False, case: Case | None = None
) -> Numbers:
    """Return what taking an obstacle away does to the iceberg cost, by sector.

    Parameters
    ----------
    report
        The report.
    obstacle
        A key of `OBSTACLES`.
    whole
        Take it away altogether, 1 / (1 + ave), save for goods on the Common High Priority List; by default only the
        part that could be.
    case
        Reading; the report's by default.

    Returns
    -------
    Factors (S,) for ``Shock.iceberg_cost_hat`` of the pair, in the order of ``report.sectors``; 1 where the sector does
    not meet the obstacle.

    Raises
    ------
    LabelError
        If the obstacle is unknown.
    """
    if obstacle not in OBSTACLES:
        raise LabelError(
            f"unknown obstacle '{obstacle}'{did_you_mean(obstacle, OBSTACLES)} Known: {', '.join(OBSTACLES)}"
        )
    at = check_case(case or report.case)
    factors: list[float] = []
    for sector in report.sectors:
        ave = report.ave(sector, obstacle).at(at)
        gone = ave * report.eased_share(sector) if whole else report.removable(sector, obstacle).at(at)
        factors.append(removed_factor(ave, gone))
    return np.array(factors, dtype=np.float64)


def removal_shock(
    shock: Shock,
    report: FrictionReport,
    obstacles: Sequence[str] | None = None,
    *,
    whole: bool = False,
    case: Case | None = None,
) -> Shock:
    """Return a shock in which obstacles of a pair are taken away as well.

    Parameters
    ----------
    shock
        Start from ``Shock.none(world)``; its labels must hold the report's countries and sectors.
    report
        The report.
    obstacles
        Keys of `OBSTACLES`; None takes all.
    whole, case
        See `obstacle_factors`.

    Raises
    ------
    LabelError
        If the shock does not know a country or a sector of the report, or an obstacle is unknown.
    """
    problems = [
        f"the shock has no country '{c}'{did_you_mean(c, shock.countries)}"
        for c in (report.origin, report.destination)
        if c not in shock.countries
    ]
    problems += [
        f"the shock has no sector '{s}'{did_you_mean(s, shock.sectors)}"
        for s in report.sectors
        if s not in shock.sectors
    ]
    raise_all(LabelError, "the report does not fit the shock", problems)
    chosen = report.obstacles if obstacles is None else tuple(obstacles)
    factors = shock.iceberg_cost_hat.to_numpy().copy()
    i, j = shock.countries.index(report.origin), shock.countries.index(report.destination)
    at = [shock.sectors.index(s) for s in report.sectors]
    for obstacle in chosen:
        factors[i, j, at] *= obstacle_factors(report, obstacle, whole=whole, case=case)
    words = ", ".join(OBSTACLES[name].lower() for name in chosen)
    return shock.with_array("iceberg_cost_hat", factors, f"{report.origin} -> {report.destination} without: {words}")
