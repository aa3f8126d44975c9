"""Levers from a friction report: one per obstacle, that takes away in each sector what could be."""

from __future__ import annotations

from counterpoise.core import World
from counterpoise.core.errors import LabelError, did_you_mean, raise_all
from counterpoise.friction import FrictionReport, obstacle_factors
from counterpoise.friction.assemble import OBSTACLES
from counterpoise.policy.costs import CostCurve
from counterpoise.policy.levers import ObstacleRemoval

__all__ = ["obstacle_levers"]


def obstacle_levers(
    world: World, report: FrictionReport, *, cost_share: float = 0.5, payer: str | None = None
) -> tuple[ObstacleRemoval, ...]:
    """Return a lever for every obstacle of a report of which something could be taken away.

    Parameters
    ----------
    world
        Its labels must hold the report's pair and sectors.
    report
        The obstacles, in the reading of the report.
    cost_share
        What taking all of it away costs a year, as a part of what the removable obstacle costs traders; the cost rises
        with the square of the share taken away. Own assumption, to be replaced where a cost is known.
    payer
        Whose budget pays; the destination by default.

    Returns
    -------
    Levers with values from 0 to 1. At 1 the iceberg cost of every sector is multiplied by what
    `counterpoise.friction.obstacle_factors` returns, exactly.

    Raises
    ------
    LabelError
        If the world does not know a country or a sector of the report.

    Notes
    -----
    A lever has one equivalent and a reach by sector: the iceberg cost is multiplied by 1 - x r_s a / (1 + a). With f_s
    the factor of a full removal, a / (1 + a) = max_s (1 - f_s) and r_s = (1 - f_s) / max_s (1 - f_s).
    """
    pairs = (
        ("country", (report.origin, report.destination), world.countries),
        ("sector", report.sectors, world.sectors),
    )
    raise_all(
        LabelError,
        "the report does not fit the world",
        [
            f"the world has no {kind} '{name}'{did_you_mean(name, known)}"
            for kind, names, known in pairs
            for name in names
            if name not in known
        ],
    )
    flow = world.flow.sel(origin=report.origin, destination=report.destination, sector=list(report.sectors)).to_numpy()
    out: list[ObstacleRemoval] = []
    for obstacle in report.obstacles:
        gone = 1.0 - obstacle_factors(report, obstacle)
        most = float(gone.max())
        if most <= 0.0:
            continue
        burden = float(gone @ flow)
        rows = report.rows[report.rows["obstacle"] == obstacle]
        out.append(
            ObstacleRemoval(
                id=obstacle,
                title=f"{OBSTACLES[obstacle]}, what could be removed",
                payer=payer or report.destination,
                origin=report.origin,
                destination=report.destination,
                reach=tuple((s, float(g) / most) for s, g in zip(report.sectors, gone, strict=True) if g > 0.0),
                upper=1.0,
                ave=most / (1.0 - most),
                curve=CostCurve(
                    quadratic_usd=2.0 * cost_share * burden,
                    source=f"own assumption: taking it away costs {cost_share:g} of the {burden / 1e6:.0f} mn USD that "
                    "it costs traders",
                    low_factor=0.5,
                    high_factor=2.0,
                ),
                source="; ".join(dict.fromkeys(str(text) for text in rows["source"])),
            )
        )
    return tuple(out)
