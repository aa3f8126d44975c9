"""The sheets of a friction report: one function per table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError
from counterpoise.friction import border, tables
from counterpoise.friction.assemble import Wedge
from counterpoise.friction.finance import unmet_finance
from counterpoise.friction.logistics import break_even_cargo_value, dominated
from counterpoise.friction.ranges import CASES

__all__ = [
    "AVE_COLUMNS",
    "REMOVABLE_COLUMNS",
    "VALUES_OF_TIME",
    "break_even_sheet",
    "claims_sheet",
    "cliff_notes",
    "duties_sheet",
    "events_sheet",
    "legs_sheet",
    "limits_sheet",
    "payments_sheet",
    "plain_cell",
    "routes_sheet",
    "rows_sheet",
    "sector_weights",
    "totals_sheet",
]

VALUES_OF_TIME = (0.006, 0.01, 0.021)
"""Rates per day at which break-even cargo values are given (Hummels and Schaur 2013)."""

AVE_COLUMNS = tuple(f"ave_{case}" for case in CASES)
"""Columns of the whole obstacle."""

REMOVABLE_COLUMNS = tuple(f"removable_{case}" for case in CASES)
"""Columns of the part that could be taken away."""


def rows_sheet(found: Wedge) -> pd.DataFrame:
    """Return one row per sector and obstacle.

    Parameters
    ----------
    found
        The wedge.
    """
    return pd.DataFrame(
        [
            {
                "origin": o.origin,
                "destination": o.destination,
                "sector": o.sector,
                "obstacle": o.name,
                **{f"ave_{c}": o.ave.at(c) for c in CASES},
                **{f"removable_{c}": o.removable.at(c) for c in CASES},
                "eased_share": o.eased_share,
                "days": o.days.central if o.days else float("nan"),
                "source": o.source,
                "confidence": o.confidence,
                "match": o.match,
            }
            for o in found.obstacles
        ]
    )


def totals_sheet(rows: pd.DataFrame, sectors: Sequence[str]) -> pd.DataFrame:
    """Return one row per sector: all obstacles together, and what taking away all that could be would save.

    Parameters
    ----------
    rows
        From `rows_sheet`.
    sectors
        In the order wanted.
    """
    out: list[dict[str, Any]] = []
    for sector in sectors:
        mine = rows[rows["sector"] == sector]
        row: dict[str, Any] = {"sector": sector}
        for case in CASES:
            ave = mine[f"ave_{case}"].to_numpy(dtype=np.float64)
            left = ave - mine[f"removable_{case}"].to_numpy(dtype=np.float64)
            row[f"ave_{case}"] = math.prod((1.0 + ave).tolist()) - 1.0
            row[f"removable_{case}"] = math.prod((1.0 + ave).tolist()) - math.prod((1.0 + left).tolist())
        out.append(row)
    return pd.DataFrame(out, columns=["sector", *AVE_COLUMNS, *REMOVABLE_COLUMNS])


def routes_sheet(found: Wedge) -> pd.DataFrame:
    """Return the corridors side by side, with the share of loads on each and which other ones beat it."""
    out: list[dict[str, Any]] = []
    for cargo, routes in found.routes.items():
        choice, beaten = found.choices[cargo], dominated(routes)
        loads = choice.volume if np.any(choice.volume > 0) else choice.route_share
        weights = [float(row.sum() / loads.sum()) for row in loads]
        for k, route in enumerate(routes):
            by = [d for d in beaten if d.route == route.name]
            out.append(
                {
                    "route": route.name,
                    "cargo": cargo,
                    **{f"cost_usd_{c}": route.cost.at(c) for c in CASES},
                    **{f"days_{c}": route.days.at(c) for c in CASES},
                    "load_share": weights[k],
                    "capacity": float("nan") if route.capacity is None else route.capacity,
                    "toll_usd": float(choice.toll_usd[k]),
                    "dominated_by": ", ".join(d.by for d in by),
                    "same_basis": any(d.same_basis for d in by),
                    "basis": route.basis,
                    "legs": " - ".join(leg.name for leg in route.legs),
                    "confidence": route.confidence,
                    "source": "; ".join(route.sources),
                }
            )
    columns = [
        "route",
        "cargo",
        *(f"cost_usd_{c}" for c in CASES),
        *(f"days_{c}" for c in CASES),
        "load_share",
        "capacity",
    ]
    columns += ["toll_usd", "dominated_by", "same_basis", "basis", "legs", "confidence", "source"]
    return pd.DataFrame(out, columns=columns)


def legs_sheet(found: Wedge) -> pd.DataFrame:
    """Return the legs of every corridor in order, with what each costs and lasts."""
    columns = ["route", "cargo", "position", "leg", "start", "end", "mode", "passage"]
    columns += [*(f"cost_usd_{c}" for c in CASES), *(f"days_{c}" for c in CASES), "capacity", "source", "note"]
    return pd.DataFrame(
        [
            {
                "route": route.name,
                "cargo": cargo,
                "position": k,
                "leg": leg.name,
                "start": leg.start,
                "end": leg.end,
                "mode": leg.mode,
                "passage": leg.passage,
                **{f"cost_usd_{c}": leg.cost.at(c) for c in CASES},
                **{f"days_{c}": leg.days.at(c) for c in CASES},
                "capacity": float("nan") if leg.capacity is None else leg.capacity,
                "source": leg.source,
                "note": leg.note,
            }
            for cargo, routes in found.routes.items()
            for route in routes
            for k, leg in enumerate(route.legs)
        ],
        columns=columns,
    )


def break_even_sheet(found: Wedge) -> pd.DataFrame:
    """Return from which cargo value the faster of two container routes pays; routes that never do are left out."""
    every = found.routes.get("container", ())
    beaten = {d.route for d in dominated(every)}
    routes = [route for route in every if route.name not in beaten]
    out = [
        {
            "fast": fast.name,
            "slow": slow.name,
            "extra_cost_usd": fast.cost.central - slow.cost.central,
            "days_saved": slow.days.central - fast.days.central,
            "value_of_time": rate,
            "cargo_value_usd": break_even_cargo_value(fast, slow, rate),
        }
        for fast in routes
        for slow in routes
        if fast.days.central < slow.days.central and fast.cost.central > slow.cost.central
        for rate in VALUES_OF_TIME
    ]
    return pd.DataFrame(
        out, columns=["fast", "slow", "extra_cost_usd", "days_saved", "value_of_time", "cargo_value_usd"]
    )


def payments_sheet(found: Wedge) -> pd.DataFrame:
    """Return the ways to pay side by side, cheapest first."""
    inputs = found.inputs
    interest = inputs.need("interest", "interest_rate").amount
    out: list[dict[str, Any]] = []
    for name, route in inputs.payment_routes.items():
        cost = route.wedge(interest)
        parts = {"commission": cost.commission, "currency": cost.currency, "delay": cost.delay, "total": cost.total}
        out.append(
            {
                "route": name,
                "payment_share": inputs.payment_shares.get(name, 0.0),
                **{f"{part}_{c}": value.at(c) for part, value in parts.items() for c in CASES},
                **{f"days_{c}": cost.days.at(c) for c in CASES},
                "currencies": " - ".join(route.currencies),
                "match": route.match,
                "confidence": route.confidence,
                "source": "; ".join(route.sources),
            }
        )
    return pd.DataFrame(out).sort_values("total_central", ignore_index=True, kind="stable")


def limits_sheet(found: Wedge, sectors: Sequence[str]) -> pd.DataFrame:
    """Return the limits of quantity, unmet finance by class of firms among them."""
    inputs = found.inputs
    listed = [k for k in border.limits(inputs.origin, inputs.destination, inputs.as_of) if k.sector in ("*", *sectors)]
    out: list[dict[str, Any]] = [
        {
            "obstacle": k.obstacle,
            "limit": k.name,
            "sector": k.sector,
            "applies_to": "all firms",
            **{c: k.value.at(c) for c in CASES},
            "unit": k.unit,
            "source": k.source,
            "confidence": k.confidence,
            "match": k.match,
            "note": k.note,
        }
        for k in listed
    ]
    for k in (k for k in listed if k.name == "unmet_finance_share"):
        for part in unmet_finance(inputs.firm_classes, tables.fraction(k.value.central)):
            exports, need = 100.0 * part.export_share, 100.0 * part.need_share
            out.append(
                {
                    "obstacle": "trade_finance",
                    "limit": "unmet_finance_share_by_class",
                    "sector": "*",
                    "applies_to": f"{part.firm_class} firms",
                    **{c: 100.0 * part.unmet_share for c in CASES},
                    "unit": "% of the class's exports",
                    "source": "; ".join(tables.iterate_sources(f.source for f in inputs.firm_classes)),
                    "confidence": tables.least(f.confidence for f in inputs.firm_classes),
                    "match": k.match,
                    "note": f"{exports:g} % of exports; {need:.1f} % of them need outside finance",
                }
            )
    return pd.DataFrame(out)


def duties_sheet(
    sectors: Sequence[str],
    tariff_rate: Mapping[str, float] | None,
    known: Sequence[border.Preference],
    as_of: date | None,
) -> pd.DataFrame:
    """Return the duty without and with each preference, by sector; empty where no duty was given."""
    columns = [
        "sector",
        "agreement",
        "valid_from",
        "mfn_rate",
        "preferential_rate",
        "duty_rate",
        "compliance_rate",
        "used",
        "source",
    ]
    if tariff_rate is None:
        return pd.DataFrame(columns=columns)
    if as_of is None and any(p.valid_from is not None for p in known):
        raise InputError("as_of is missing, and preferences are dated; name the day looked at")
    day = as_of or date.min
    out: list[dict[str, Any]] = []
    for sector in sectors:
        for preference in (p for p in known if p.sector in ("*", sector)):
            duty = border.applied_duty(tariff_rate.get(sector, 0.0), preference, day)
            out.append(
                {
                    "sector": sector,
                    "agreement": preference.agreement,
                    "valid_from": preference.valid_from,
                    "mfn_rate": duty.mfn_rate,
                    "preferential_rate": duty.preferential_rate,
                    "duty_rate": duty.duty_rate,
                    "compliance_rate": duty.compliance_rate,
                    "used": duty.used,
                    "source": preference.source,
                }
            )
    return pd.DataFrame(out, columns=columns)


def events_sheet(dated: Sequence[border.Event], sectors: Sequence[str]) -> pd.DataFrame:
    """Return the dated events that touch the sectors, in order."""
    columns = ["on", "sector", "kind", "event", "source", "confidence"]
    out = [(e.on, e.sector, e.kind, e.words, e.source, e.confidence) for e in dated if e.sector in ("*", *sectors)]
    return pd.DataFrame(out, columns=columns)


def claims_sheet(origin: str, destination: str) -> pd.DataFrame:
    """Return the published claims about a pair that contradict each other or what is used here."""
    columns = ["topic", "claim", "low", "high", "unit", "source", "confidence", "held_against"]
    out = [
        {c: float(row[c]) if c in ("low", "high") else row[c] for c in columns}
        for row in tables.rows("claims")
        if tables.match_of(row, origin, destination) is not None
    ]
    return pd.DataFrame(out, columns=columns)


def sector_weights(sectors: Sequence[str], flow_usd: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weight of each sector in means: its share of trade, or the same for all; sums to 1."""
    flows = {s: float(flow_usd.get(s, 0.0)) for s in sectors} if flow_usd else dict.fromkeys(sectors, 1.0)
    total = sum(flows.values())
    if total <= 0:
        return dict.fromkeys(sectors, 1.0 / len(sectors))
    return {s: value / total for s, value in flows.items()}


def cliff_notes(dated: Sequence[border.Event], sectors: Sequence[str], as_of: date | None) -> list[str]:
    """Say where a cliff lies from the day looked at."""
    if as_of is None:
        return []
    return [
        f"{e.on:%-d %B %Y}, "
        + (f"{(e.on - as_of).days} days ahead" if e.on >= as_of else f"{(as_of - e.on).days} days ago")
        + f": {e.words[0].lower()}{e.words[1:]}."
        for e in dated
        if e.kind == "cliff" and e.sector in ("*", *sectors)
    ]


def plain_cell(value: object) -> object:
    """Return a cell as JSON can hold it: dates as text, absent numbers as null."""
    value = cast(object, getattr(value, "item", lambda: value)())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, date):
        return value.isoformat()
    return value
