"""What another network of corridors changes: a new one, a closed canal, a surcharge, one that falls away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from counterpoise.friction.assemble import Wedge, compare_networks
from counterpoise.friction.inputs import Inputs
from counterpoise.friction.logistics import CARGOES, Cargo, Leg, Network

__all__ = ["CHANGES", "SURCHARGE_USD", "corridor_changes"]

SURCHARGE_USD = 1000.0
"""Surcharge looked at, USD per load: that of the Red Sea crisis (RIA, January 2024)."""

CHANGES = ("given", "closed", "surcharge", "without")
"""Kinds of change: the user's own network, a passage closed, a surcharge on it, a corridor that falls away."""

_COLUMNS = ["kind", "what", "cargo", "mean_ave_change", "most_sector", "most_ave_change", "open"]


def corridor_changes(
    found: Wedge, weights: Mapping[str, float], flow_usd: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Return what changes of the network do to the wedge.

    Parameters
    ----------
    found
        The wedge as it is.
    weights
        Weight of each sector in means; those of the sectors carried are scaled to sum to 1.
    flow_usd
        Trade by sector, USD a year, for capacities.

    Returns
    -------
    One row per change: kind (one of `CHANGES`), what (a passage or a corridor), cargo, mean_ave_change and
    most_ave_change (exact change of the ad valorem equivalent of logistics, a rate, in the mean and in the sector
    that it moves most), and open (False where no way is left; the changes are then absent). ``given`` compares the
    network with the shipped one and is there where the user changed it; corridors of defaults are not taken away.
    """
    rows: list[dict[str, Any]] = []
    for cargo in CARGOES:
        if cargo not in found.routes:
            continue
        if found.inputs.network != found.inputs.shipped_network:
            before = replace(found.inputs, network=found.inputs.shipped_network)
            rows.append(_row("given", "your own network", cargo, before, found.inputs.network, weights, flow_usd))
        rows += [
            _row(kind, what, cargo, found.inputs, after, weights, flow_usd)
            for kind, what, after in _variants(found, cargo)
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _variants(found: Wedge, cargo: Cargo) -> Iterator[tuple[str, str, Network | None]]:
    """Yield what could change, passage by passage and corridor by corridor."""
    here = found.inputs.network
    legs = [leg for route in found.routes[cargo] for leg in route.legs]
    for passage in dict.fromkeys(leg.passage for leg in legs if leg.passage):
        yield "closed", passage, _only(leg for leg in here.legs if leg.passage != passage)
        yield "surcharge", passage, here.with_surcharge(SURCHARGE_USD, passage)
    for corridor in dict.fromkeys(leg.corridor for leg in legs if leg.corridor and not leg.generic):
        yield "without", corridor, _only(leg for leg in here.legs if leg.corridor != corridor)


def _only(legs: Iterable[Leg]) -> Network | None:
    """Return the network of some legs; None where there is none left."""
    left = tuple(legs)
    return Network(left) if left else None


def _row(
    kind: str,
    what: str,
    cargo: Cargo,
    before: Inputs,
    after: Network | None,
    weights: Mapping[str, float],
    flow_usd: Mapping[str, float] | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": kind, "what": what, "cargo": cargo, "open": True}
    if after is None or not after.reaches(before.origin, before.destination, cargo):
        return row | {
            "open": False,
            "mean_ave_change": float("nan"),
            "most_sector": "",
            "most_ave_change": float("nan"),
        }
    exact = {
        sector: pair[0] for sector, pair in compare_networks(before, after, cargo=cargo, flow_usd=flow_usd).items()
    }
    whole = sum(weights[sector] for sector in exact)
    scaled = {s: weights[s] / whole if whole > 0 else 1.0 / len(exact) for s in exact}
    most = max(exact, key=lambda sector: abs(exact[sector]))
    mean = sum(scaled[sector] * change for sector, change in exact.items())
    return row | {"mean_ave_change": mean, "most_sector": most, "most_ave_change": exact[most]}
