r"""At the border: registration, admission, sanitary rules, and preferences that a trade agreement phases in.

- Registration ties up capital for its days, but only for what is new to the market: ``share_new * days / 365 * rate``.
- Admission (of plants, of firms) is a count: a limit of quantity and no price.
- A non-tariff measure is an equivalent taken from the literature, or a multiple of the duty.
- A preference lowers the duty in equal yearly steps from the day it enters into force; it is used where it saves more
  than proving origin costs.
- Cliffs and openings are dated events, which a report lists beside its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from counterpoise.core.errors import InputError, raise_all
from counterpoise.friction import tables
from counterpoise.friction.ranges import Range

__all__ = [
    "AppliedDuty",
    "Event",
    "Limit",
    "Preference",
    "applied_duty",
    "events",
    "limits",
    "ntm_from_duty",
    "preference_notes",
    "preferences",
    "registration_rate",
]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of quantity, which no price moves.

    Attributes
    ----------
    obstacle, name
        What it belongs to and what it counts.
    sector
        Sector, or ``*`` for all.
    value, unit
        Low, central, high, as published.
    source, confidence, note, match
        Where it comes from and how far to trust it.
    """

    obstacle: str
    name: str
    sector: str
    value: Range
    unit: str
    source: str
    confidence: str
    note: str
    match: tables.Match


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens on a day: a cliff, an opening, a rule."""

    on: date
    sector: str
    kind: str
    words: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A lower duty under a trade agreement, phased in from a day.

    Parameters
    ----------
    agreement
        Words.
    final_rate
        Duty at the end, as a rate; 0 is free.
    valid_from
        First day of the first step; None: not in force.
    staging_years
        Number of equal yearly steps; 0 or 1: at once. The first step comes on ``valid_from``.
    compliance_cost_rate
        What proving origin costs, as a rate on value.
    sector
        Sector, or ``*`` for all.
    source
        Where it comes from.

    Raises
    ------
    InputError
        If a number cannot be used; lists every problem.
    """

    agreement: str
    final_rate: float = 0.0
    valid_from: date | None = None
    staging_years: int = 0
    compliance_cost_rate: float = 0.0
    sector: str = "*"
    source: str = ""

    def __post_init__(self) -> None:
        """Check everything at once."""
        problems = [
            f"{label} is {value:g}; expected {rule}"
            for label, value, fine, rule in (
                ("final_rate", self.final_rate, self.final_rate >= 0, "0 or more"),
                ("staging_years", self.staging_years, 0 <= self.staging_years <= 50, "0 to 50"),
                ("compliance_cost_rate", self.compliance_cost_rate, 0 <= self.compliance_cost_rate < 1, "0 to 1"),
            )
            if not fine
        ]
        if self.valid_from is not None and not isinstance(cast(object, self.valid_from), date):
            problems.append(f"valid_from is {self.valid_from!r}; expected a date such as 2027-01-01")
        raise_all(InputError, f"the preference '{self.agreement}' cannot be used", problems)

    def rate_on(self, mfn_rate: float, on: date) -> float:
        """Return the preferential duty on a day; the ordinary one before it is in force or where it is lower anyway.

        Parameters
        ----------
        mfn_rate
            Duty without the agreement.
        on
            Day.
        """
        if self.valid_from is None or on < self.valid_from or mfn_rate <= self.final_rate:
            return mfn_rate
        steps = max(1, self.staging_years)
        done = min(steps, 1 + _whole_years(self.valid_from, on))
        return mfn_rate + (self.final_rate - mfn_rate) * done / steps


@dataclass(frozen=True, slots=True)
class AppliedDuty:
    """What a shipment pays on a day.

    Attributes
    ----------
    mfn_rate, preferential_rate
        Duty without and with the agreement.
    used
        Whether the preference saves more than proving origin costs.
    duty_rate
        Duty paid to the budget.
    compliance_rate
        What proving origin costs; 0 where the preference is not used.
    """

    mfn_rate: float
    preferential_rate: float
    used: bool
    duty_rate: float
    compliance_rate: float


def applied_duty(mfn_rate: float, preference: Preference, on: date) -> AppliedDuty:
    """Return what a shipment pays on a day: the preference where it is worth proving origin.

    Parameters
    ----------
    mfn_rate
        Duty without the agreement, as a rate.
    preference
        Schedule.
    on
        Day.
    """
    preferential = preference.rate_on(mfn_rate, on)
    used = mfn_rate - preferential > preference.compliance_cost_rate
    return AppliedDuty(
        mfn_rate,
        preferential,
        used,
        preferential if used else mfn_rate,
        preference.compliance_cost_rate if used else 0.0,
    )


def registration_rate(days: Range, new_product_share: Range, interest_rate: Range) -> Range:
    """Return what registration costs as a rate on value: ``new_product_share * days / 365 * interest_rate``.

    Parameters
    ----------
    days
        Days until the goods may be sold.
    new_product_share
        Share of the trade that is new to the market and has to wait.
    interest_rate
        Rate per year.
    """
    return new_product_share * days * interest_rate / 365.0


def ntm_from_duty(tariff_rate: float) -> Range:
    """Return the equivalent of non-tariff measures as two to three times the duty, a published rule of thumb.

    Parameters
    ----------
    tariff_rate
        Duty; 0.05 is 5 %.

    References
    ----------
    UNCTAD (2013); Kee, Nicita and Olarreaga (2009) as cited in ERIA (2019), chapter 5.
    """
    if not tariff_rate >= 0:
        raise InputError(f"tariff_rate is {tariff_rate:g}; expected zero or more")
    return Range(2.0 * tariff_rate, 2.5 * tariff_rate, 3.0 * tariff_rate)


def limits(origin: str, destination: str, as_of: date | None = None) -> tuple[Limit, ...]:
    """Return the shipped limits of quantity that hold for a pair on a day."""
    out: list[Limit] = []
    for row in tables.rows("limits"):
        match = tables.match_of(row, origin, destination)
        if match is not None and tables.in_force(row, as_of):
            value = Range(float(row["low"]), float(row["central"]), float(row["high"]))
            words = (row["unit"], row["source"], row["confidence"], row["note"])
            out.append(Limit(row["obstacle"], row["limit"], row["sector"], value, *words, match))
    return tuple(out)


def events(origin: str, destination: str) -> tuple[Event, ...]:
    """Return the shipped dated events of a pair, in order."""
    found = [
        Event(
            date.fromisoformat(row["date"]), row["sector"], row["kind"], row["event"], row["source"], row["confidence"]
        )
        for row in tables.rows("events")
        if tables.match_of(row, origin, destination) is not None
    ]
    return tuple(sorted(found, key=lambda event: event.on))


def preferences(origin: str, destination: str) -> tuple[Preference, ...]:
    """Return the shipped preferences of a pair; those under negotiation have no date and are not in force."""
    return tuple(
        Preference(
            agreement=row["agreement"],
            final_rate=float(row["final_rate"]),
            valid_from=date.fromisoformat(row["valid_from"]) if row["valid_from"] else None,
            staging_years=int(row["staging_years"]),
            compliance_cost_rate=float(row["compliance_cost_rate"]),
            sector=row["sector"],
            source=row["source"],
        )
        for row in tables.rows("preferences")
        if tables.match_of(row, origin, destination) is not None
    )


def preference_notes(known: Sequence[Preference], as_of: date | None) -> list[str]:
    """Say of each agreement whether its preferences are in force, once per agreement."""
    notes: dict[str, str] = {}
    for preference in known:
        first = preference.valid_from
        if first is None:
            words = "no preference is in force and none has a date"
        elif as_of is None or as_of < first:
            words = f"preferences begin on {first:%-d %B %Y}"
        else:
            words = f"preferences are in force since {first:%-d %B %Y}"
        if preference.staging_years > 1 and first is not None:
            words += f", in {preference.staging_years} yearly steps"
        notes.setdefault(preference.agreement, f"{preference.agreement}: {words}.")
    return list(notes.values())


def _whole_years(start: date, on: date) -> int:
    return on.year - start.year - ((on.month, on.day) < (start.month, start.day))
