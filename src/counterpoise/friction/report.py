"""The friction report: the wedge as tables, and which obstacle costs most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import LabelError, did_you_mean, raise_all
from counterpoise.friction import border, sheets, tables
from counterpoise.friction.assemble import OBSTACLES, wedge
from counterpoise.friction.corridors import corridor_changes
from counterpoise.friction.inputs import Overrides
from counterpoise.friction.ranges import CASES, Case, Range, check_case

__all__ = ["FrictionReport", "friction_report"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FrictionReport:
    """What stands between the order and the goods, for one pair.

    Attributes
    ----------
    origin, destination, sectors, case, as_of
        What was asked.
    rows
        One row per sector and obstacle: origin, destination, sector, obstacle, ave_low, ave_central, ave_high (rates;
        0.05 is 5 %), removable_low, removable_central, removable_high (the part that could be taken away),
        eased_share (part of the trade not on the Common High Priority List), days (central), source, confidence, match
        (``pair``, ``lane``, ``generic`` or ``user``).
    totals
        One row per sector: all obstacles together, each on top of the others; same columns of rates.
    routes
        Corridors: cost (USD per load) and days with bounds, basis, capacity, which others beat them, share of loads.
    legs
        Their legs in order, with cost, days and source.
    corridor_changes
        What the user's own network, a closed passage, a surcharge, or the lack of one corridor does to the wedge: see
        `counterpoise.friction.corridors.corridor_changes`.
    break_even
        Cargo value from which the faster of two container routes pays, at 0.6, 1.0 and 2.1 % a day.
    payments
        Ways to pay side by side: commission, currency, delay and total with bounds, days, the share in use.
    limits
        Limits of quantity, which are no prices.
    duties
        Duty without and with a preference, where one is known; empty without ``tariff_rate``.
    events, claims
        Dated events; published claims that contradict what is used here, with what they are held against.
    weights
        Weight of each sector in means, sums to 1.
    notes
        What a reader must know.
    """

    origin: str
    destination: str
    sectors: tuple[str, ...]
    case: Case
    as_of: date | None
    rows: pd.DataFrame
    totals: pd.DataFrame
    routes: pd.DataFrame
    legs: pd.DataFrame
    corridor_changes: pd.DataFrame
    break_even: pd.DataFrame
    payments: pd.DataFrame
    limits: pd.DataFrame
    duties: pd.DataFrame
    events: pd.DataFrame
    claims: pd.DataFrame
    weights: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Obstacles that occur, in the order of the way."""
        there = set(self.rows["obstacle"])
        return tuple(name for name in OBSTACLES if name in there)

    def by_obstacle(self) -> pd.DataFrame:
        """Return the mean over sectors of each obstacle, dearest first; a sector that does not meet it counts as zero.

        Columns obstacle, words, ave_low, ave_central, ave_high, removable_low, removable_central, removable_high,
        sectors (how many meet it), and the lowest confidence and least specific match of the sectors that make it up.
        """
        out: list[dict[str, Any]] = []
        for name in self.obstacles:
            part = self.rows[self.rows["obstacle"] == name]
            weight = np.array([self.weights[str(sector)] for sector in part["sector"]], dtype=np.float64)
            held = weight * part[f"ave_{self.case}"].to_numpy(dtype=np.float64)
            telling = held >= 0.01 * held.sum()
            columns = (*sheets.AVE_COLUMNS, *sheets.REMOVABLE_COLUMNS)
            out.append(
                {
                    "obstacle": name,
                    "words": OBSTACLES[name],
                    **{c: float(part[c].to_numpy(dtype=np.float64) @ weight) for c in columns},
                    "sectors": len(part),
                    "confidence": tables.least(_where(part["confidence"], telling)),
                    "match": tables.worst_match(tables.as_match(v) for v in _where(part["match"], telling)),
                }
            )
        return pd.DataFrame(out).sort_values(f"ave_{self.case}", ascending=False, ignore_index=True, kind="stable")

    @property
    def costliest(self) -> str:
        """Obstacle that costs most on average over the sectors, in the case of the report."""
        return self._top(f"ave_{self.case}")

    @property
    def costliest_removable(self) -> str:
        """Obstacle of which most could be taken away, in the case of the report."""
        return self._top(f"removable_{self.case}")

    def costliest_by_sector(self) -> pd.DataFrame:
        """Return, by sector, the obstacle that costs most, its rate, and all together: sector, obstacle, ave, total."""
        column = f"ave_{self.case}"
        out: list[dict[str, Any]] = []
        for sector, total in zip(self.sectors, self.totals[column].to_numpy(dtype=np.float64), strict=True):
            mine = self.rows[self.rows["sector"] == sector]
            rates = mine[column].to_numpy(dtype=np.float64)
            top = int(np.argmax(rates))
            name = [str(v) for v in mine["obstacle"]][top]
            out.append({"sector": sector, "obstacle": name, "ave": float(rates[top]), "total": float(total)})
        return pd.DataFrame(out)

    def ave(self, sector: str, obstacle: str) -> Range:
        """Return one obstacle of one sector; zero where the sector does not meet it.

        Raises
        ------
        LabelError
            If the sector or the obstacle is unknown.
        """
        return self._cell(sector, obstacle, sheets.AVE_COLUMNS)

    def removable(self, sector: str, obstacle: str) -> Range:
        """Return the part of an obstacle that could be taken away; zero where the sector does not meet it.

        Raises
        ------
        LabelError
            If the sector or the obstacle is unknown.
        """
        return self._cell(sector, obstacle, sheets.REMOVABLE_COLUMNS)

    def eased_share(self, sector: str) -> float:
        """Return the part of a sector's trade that is not on the Common High Priority List.

        Raises
        ------
        LabelError
            If the sector is unknown.
        """
        self._require(sector)
        shares = self.rows[self.rows["sector"] == sector]["eased_share"].to_numpy(dtype=np.float64)
        return float(shares[0])

    def total(self, sector: str) -> Range:
        """Return all obstacles of a sector together.

        Raises
        ------
        LabelError
            If the sector is unknown.
        """
        self._require(sector)
        values = self.totals[list(sheets.AVE_COLUMNS)].to_numpy(dtype=np.float64)[self.sectors.index(sector)]
        return Range(*(float(v) for v in values))

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON; absent numbers are null."""

        def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
            return [{str(k): sheets.plain_cell(v) for k, v in row.items()} for row in frame.to_dict("records")]

        return {
            "origin": self.origin,
            "destination": self.destination,
            "case": self.case,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "costliest": self.costliest,
            "costliest_removable": self.costliest_removable,
            "rows": plain(self.rows),
            "totals": plain(self.totals),
            "by_obstacle": plain(self.by_obstacle()),
            "routes": plain(self.routes),
            "legs": plain(self.legs),
            "corridor_changes": plain(self.corridor_changes),
            "break_even": plain(self.break_even),
            "payments": plain(self.payments),
            "limits": plain(self.limits),
            "duties": plain(self.duties),
            "events": plain(self.events),
            "claims": plain(self.claims),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        """Say what each obstacle costs, dearest first."""
        table = self.by_obstacle()
        span = table[list(sheets.AVE_COLUMNS)].to_numpy(dtype=np.float64) * 100.0
        at = CASES.index(self.case)
        lines = [
            f"Frictions {self.origin} -> {self.destination}: mean of {len(self.sectors)} sectors, case '{self.case}'"
        ]
        lines += [
            f"  {words:<26} {numbers[at]:6.2f} %  ({numbers[0]:.2f} to {numbers[2]:.2f})"
            for words, numbers in zip(table["words"], span, strict=True)
        ]
        return "\n".join(lines)

    def _top(self, column: str) -> str:
        table = self.by_obstacle()
        names = [str(v) for v in table["obstacle"]]
        return names[int(np.argmax(table[column].to_numpy(dtype=np.float64)))]

    def _cell(self, sector: str, obstacle: str, columns: Sequence[str]) -> Range:
        self._require(sector, obstacle)
        mine = self.rows[(self.rows["sector"] == sector) & (self.rows["obstacle"] == obstacle)]
        if mine.empty:
            return Range(0.0, 0.0, 0.0)
        return Range(*(float(v) for v in mine[list(columns)].to_numpy(dtype=np.float64)[0]))

    def _require(self, sector: str, obstacle: str | None = None) -> None:
        problems: list[str] = []
        if sector not in self.sectors:
            hint = did_you_mean(sector, self.sectors)
            problems.append(f"unknown sector '{sector}'{hint} Known: {', '.join(self.sectors)}")
        if obstacle is not None and obstacle not in OBSTACLES:
            hint = did_you_mean(obstacle, OBSTACLES)
            problems.append(f"unknown obstacle '{obstacle}'{hint} Known: {', '.join(OBSTACLES)}")
        raise_all(LabelError, "the report does not hold this", problems)


def friction_report(
    origin: str,
    destination: str,
    sectors: Sequence[str],
    *,
    case: Case = "central",
    as_of: date | None = None,
    overrides: Overrides | None = None,
    flow_usd: Mapping[str, float] | None = None,
    tariff_rate: Mapping[str, float] | None = None,
    preferences: Sequence[border.Preference] | None = None,
) -> FrictionReport:
    """Work out what stands between the order and the goods, for any pair.

    Parameters
    ----------
    origin, destination
        Country or region codes: whose goods go where.
    sectors
        Sectors.
    case
        Reading by which obstacles are ranked and taken away: ``low``, ``central``, ``high``.
    as_of
        Day looked at; None takes what has no end.
    overrides
        The user's own numbers, see `counterpoise.friction.inputs.gather`.
    flow_usd
        Trade by sector, USD a year: weights of the means, and what fills corridors of limited capacity. None: every
        sector counts the same, and capacity is left aside.
    tariff_rate
        Duty by sector, against which preferences are reported.
    preferences
        Preferences; those of the overrides, else the shipped ones, by default.

    Raises
    ------
    InputError
        If anything cannot be used; one message lists every problem.
    """
    check_case(case)
    found = wedge(origin, destination, sectors, as_of=as_of, overrides=overrides, flow_usd=flow_usd)
    rows = sheets.rows_sheet(found)
    agreed = found.inputs.preferences if preferences is None else tuple(preferences)
    weights = sheets.sector_weights(sectors, flow_usd)
    dated = border.events(origin, destination)
    return FrictionReport(
        origin=origin,
        destination=destination,
        sectors=tuple(sectors),
        case=case,
        as_of=as_of,
        rows=rows,
        totals=sheets.totals_sheet(rows, sectors),
        routes=sheets.routes_sheet(found),
        legs=sheets.legs_sheet(found),
        corridor_changes=corridor_changes(found, weights, flow_usd),
        break_even=sheets.break_even_sheet(found),
        payments=sheets.payments_sheet(found),
        limits=sheets.limits_sheet(found, sectors),
        duties=sheets.duties_sheet(sectors, tariff_rate, agreed, as_of),
        events=sheets.events_sheet(dated, sectors),
        claims=sheets.claims_sheet(origin, destination),
        weights=weights,
        notes=(*found.notes, *border.preference_notes(agreed, as_of), *sheets.cliff_notes(dated, sectors, as_of)),
    )


def _where(column: Iterable[object], mask: Iterable[object]) -> list[str]:
    """Return the cells of a column where a mask is true, as text."""
    return [str(cell) for cell, kept in zip(column, mask, strict=True) if kept]
