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

__all__ = ["obstacle_factors", "preference_shock", "removal_shock", "removed_factor"]

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
    _require_fit(shock, report)
    chosen = report.obstacles if obstacles is None else tuple(obstacles)
    factors = shock.iceberg_cost_hat.to_numpy().copy()
    i, j = shock.countries.index(report.origin), shock.countries.index(report.destination)
    at = [shock.sectors.index(s) for s in report.sectors]
    for obstacle in chosen:
        factors[i, j, at] *= obstacle_factors(report, obstacle, whole=whole, case=case)
    words = ", ".join(OBSTACLES[name].lower() for name in chosen)
    return shock.with_array("iceberg_cost_hat", factors, f"{report.origin} -> {report.destination} without: {words}")


def preference_shock(shock: Shock, report: FrictionReport) -> Shock:
    """Return a shock in which the pair's duties are those of the trade agreements in the report, as well.

    Duties are those of the report's day, with preferences where they are worth proving origin; the cost of proving it
    is paid to nobody and multiplies the iceberg cost. Of several agreements on a sector the cheapest is taken.

    Parameters
    ----------
    shock
        Its labels must hold the report's countries and sectors.
    report
        Made with ``tariff_rate``, so that it has duties.

    Raises
    ------
    LabelError
        If the shock does not know a country or a sector of the report.
    """
    _require_fit(shock, report)
    rates = shock.tariff_rate_cf.to_numpy().copy()
    factors = shock.iceberg_cost_hat.to_numpy().copy()
    i, j = shock.countries.index(report.origin), shock.countries.index(report.destination)
    used = report.duties[report.duties["used"].astype(bool)]
    best: dict[str, tuple[float, float]] = {}
    for sector, duty, proof in zip(used["sector"], used["duty_rate"], used["compliance_rate"], strict=True):
        offer = (float(duty), float(proof))
        held = best.get(str(sector))
        best[str(sector)] = offer if held is None or sum(offer) < sum(held) else held
    for sector, (duty, proof) in best.items():
        s = shock.sectors.index(sector)
        rates[i, j, s] = duty
        factors[i, j, s] *= 1.0 + proof
    words = ", ".join(dict.fromkeys(str(name) for name in used["agreement"])) or "no preference in force"
    return shock.with_array("tariff_rate_cf", rates).with_array(
        "iceberg_cost_hat", factors, f"{report.origin} -> {report.destination}, preferences: {words}"
    )


def _require_fit(shock: Shock, report: FrictionReport) -> None:
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
