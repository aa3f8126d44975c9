"""Clearing accounts in local currency, what their money may be used for, and what can go wrong with them.

A seller paid in the buyer's currency holds it in an account at the buyer's banks. The account fills with what it sells
and empties with what it buys there, with permitted uses and with what may be converted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.settle.flows import Months, TradeStream, frozen_grid, period_start
from counterpoise.settle.money import EXACT_LIMIT
from counterpoise.settle.tables import currency, permitted_from, read_parameters, shipped_rates, unknown_currency

__all__ = ["USES", "Account", "Arrangement", "Freeze", "Use", "path_between", "rate_path"]

Pot: TypeAlias = Literal["gone", "invested", "advanced"]

USES: Mapping[str, Pot] = MappingProxyType(
    {
        "advance": "advanced",
        "project": "gone",
        "government_security": "invested",
        "corporate_bond": "invested",
        "conversion": "gone",
        "other": "gone",
    }
)
"""Uses of an account besides paying for goods, and where the money goes.

``gone``: out of the account for good; ``invested``: still the holder's, in securities; ``advanced``: paid ahead for
goods to come.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A use of what is in an account.

    Parameters
    ----------
    kind
        One of `USES`.
    rate
        Part of the free money used each month, 0 to 1; a number, or shape (draws, 1), (1, months) or (draws, months).
    amount
        Used each month besides, in units of the currency; same shapes.
    limit
        Most that may be used in a month, in units of the currency; same shapes, or None.
    valid_from, valid_until
        First day, and first day no longer. None: from the day the rules of the Reserve Bank permit it (rupee accounts),
        else always.
    """

    kind: str
    rate: ArrayLike = 0.0
    amount: ArrayLike = 0.0
    limit: ArrayLike | None = None
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None

    def __post_init__(self) -> None:
        """Own read-only copies."""
        object.__setattr__(self, "rate", frozen_grid(self.rate))
        object.__setattr__(self, "amount", frozen_grid(self.amount))
        if self.limit is not None:
            object.__setattr__(self, "limit", frozen_grid(self.limit))

    def starts(self, code: str) -> dt.date | None:
        """Return the first day of the use in an account of this currency, or None where it is always open."""
        if self.valid_from is not None or code != "INR":
            return self.valid_from
        return permitted_from(self.kind, whole=self.limit is None)

    def open_in(self, months: Months, code: str) -> NDArray[np.bool_]:
        """Say in which months the use is permitted; the month of its first day counts."""
        first = self.starts(code)
        after = np.ones(months.shape, dtype=bool) if first is None else months >= np.datetime64(first, "M")
        return after if self.valid_until is None else after & (months < np.datetime64(self.valid_until, "M"))

    def grids(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield the numbers of the use by name."""
        yield "rate", np.asarray(self.rate)
        yield "amount", np.asarray(self.amount)
        if self.limit is not None:
            yield "limit", np.asarray(self.limit)

    def problems(self, where: str, code: str) -> Iterator[str]:
        """Yield what is wrong with the use."""
        name = f"{where}, {self.kind}"
        if self.kind not in USES:
            yield f"{name} is no use{did_you_mean(self.kind, USES)} expected one of {', '.join(USES)}"
        for field_name, grid in self.grids():
            most = 1.0 if field_name == "rate" else np.inf
            if not ((grid >= 0) & (grid <= most)).all():
                seen = grid[~((grid >= 0) & (grid <= most))].flat[0]
                yield f"{name}: {field_name} is {seen:g}; expected " + (
                    "0 to 1 a month" if most == 1 else "zero or more"
                )
        permitted = permitted_from(self.kind, whole=self.limit is None) if code == "INR" else None
        if permitted is not None and self.valid_from is not None and self.valid_from < permitted:
            yield (
                f"{name}: valid_from {self.valid_from} lies before {permitted}, when the Reserve Bank permitted "
                "it; move it, or give a limit where only existing limits held"
            )
        if self.valid_from is not None and self.valid_until is not None and self.valid_until <= self.valid_from:
            yield (
                f"{name}: valid_until {self.valid_until} is not after valid_from {self.valid_from}; swap them or "
                "mend one"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """A clearing account: whose money, in which currency, and on which terms.

    Parameters
    ----------
    holder
        Country whose exporters are paid into it.
    currency
        Currency it is kept in; it lies with banks of the issuer.
    opening
        In the account before the first month, in units of the currency; a number or shape (draws, 1).
    interest_rate, investment_rate
        Paid a year on the money in the account, and on what is invested; both into the account.
    redemption_rate
        Part of what is invested that falls due each month, 0 to 1.
    cap
        Most that the holder's claims (money and securities) may be at the end of a month, in units of the currency, or
        None. Sales that would lift them above it are settled in another way.
    refusal_rate
        Probability that a payment is refused in a month, 0 to below 1; refused ones are tried again the next month.
    value_clause
        Whether the balance is written up (or down) with the exchange rate, as under a gold clause.
    uses
        In the order in which they are served, after goods.
    """

    holder: str
    currency: str
    opening: ArrayLike = 0.0
    interest_rate: ArrayLike = 0.0
    investment_rate: ArrayLike = 0.0
    redemption_rate: ArrayLike = 0.0
    cap: ArrayLike | None = None
    refusal_rate: ArrayLike = 0.0
    value_clause: bool = False
    uses: tuple[Use, ...] = ()

    def __post_init__(self) -> None:
        """Own read-only copies."""
        for name in ("opening", "interest_rate", "investment_rate", "redemption_rate", "refusal_rate"):
            object.__setattr__(self, name, frozen_grid(getattr(self, name)))
        if self.cap is not None:
            object.__setattr__(self, "cap", frozen_grid(self.cap))
        object.__setattr__(self, "uses", tuple(self.uses))

    @property
    def label(self) -> str:
        """Name of the account: ``RUS:INR`` is what Russia holds in rupees."""
        return f"{self.holder}:{self.currency}"

    def grids(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield every number of the account by name, those of its uses too."""
        for name in ("opening", "interest_rate", "investment_rate", "redemption_rate", "refusal_rate"):
            yield name, np.asarray(getattr(self, name))
        if self.cap is not None:
            yield "cap", np.asarray(self.cap)
        for use in self.uses:
            for name, grid in use.grids():
                yield f"{use.kind} {name}", grid

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the account."""
        where = f"account {self.label}"
        codes = [row["currency"] for row in read_parameters("currencies")]
        if self.currency not in codes:
            yield f"{where}: {unknown_currency(self.currency)}"
        elif currency(self.currency).issuer == self.holder:
            yield (
                f"{where}: {self.holder} issues {self.currency} itself; a clearing account holds another "
                "country's currency"
            )
        bounds = {
            "redemption_rate": (0.0, 1.0),
            "refusal_rate": (0.0, 1.0),
            "interest_rate": (0.0, 10.0),
            "investment_rate": (0.0, 10.0),
        }
        for name, grid in self.grids():
            if " " in name:
                continue
            low, high = bounds.get(name, (0.0, np.inf))
            fine = (grid >= low) & (grid < high if name == "refusal_rate" else grid <= high)
            if not fine.all():
                words = {
                    "refusal_rate": "a probability from 0 to below 1 (0.3 is 30 %)",
                    "redemption_rate": "0 to 1 a month",
                }.get(name, "a rate a year from 0 to 10 (0.06 is 6 %)" if name in bounds else "zero or more")
                yield f"{where}: {name} is {grid[~fine].flat[0]:g}; expected {words}"
        for use in self.uses:
            yield from use.problems(where, self.currency)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Months in which an account cannot be used.

    Parameters
    ----------
    account
        Label, such as ``"RUS:INR"``.
    first, last
        First and last month, such as ``"2026-01"``.
    blocks
        ``"debits"``: money still comes in, none leaves; ``"all"``: what comes in waits outside as well.
    """

    account: str
    first: str
    last: str
    blocks: Literal["debits", "all"] = "debits"

    def covers(self, months: Months) -> NDArray[np.bool_]:
        """Say which months are frozen."""
        return (months >= np.datetime64(self.first, "M")) & (months <= np.datetime64(self.last, "M"))

    def problems(self, labels: list[str]) -> Iterator[str]:
        """Yield what is wrong with the freeze."""
        if self.account not in labels:
            yield (
                f"freeze of unknown account '{self.account}'{did_you_mean(self.account, labels) or ';'} "
                f"accounts: {', '.join(labels)}"
            )
        if self.blocks not in ("debits", "all"):
            yield f"freeze of {self.account}: blocks is '{self.blocks}'; expected 'debits' or 'all'"
        try:
            first, last = np.datetime64(self.first, "M"), np.datetime64(self.last, "M")
        except ValueError:
            yield f"freeze of {self.account}: '{self.first}' to '{self.last}' are no months; write them as 2026-01"
            return
        if last < first:
            count = int((last - first) / np.timedelta64(1, "M")) + 1
            yield (
                f"freeze of {self.account}: lasts {count} months ({self.first} to {self.last}); expected the "
                "last month not before the first"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Everything a settlement run needs: months, trade, accounts, exchange rates, freezes. Checked as a whole.

    Parameters
    ----------
    months
        Consecutive months.
    streams
        Trade between the countries.
    accounts
        Clearing accounts; whatever no account takes is settled outside.
    rates
        Currency to its rate in units per USD: a number, or shape (months,), (1, months) or (draws, months).
        Every currency that an account is kept in needs one; USD is 1.
    freezes
        Months in which accounts cannot be used.

    Raises
    ------
    InputError
        If anything is out of range, unknown, or does not fit together; every problem is listed.
    """

    months: Months
    streams: tuple[TradeStream, ...]
    accounts: tuple[Account, ...]
    rates: Mapping[str, ArrayLike] = field(default_factory=lambda: MappingProxyType({}))
    freezes: tuple[Freeze, ...] = ()

    def __post_init__(self) -> None:
        """Check everything at once, then own the data."""
        object.__setattr__(self, "months", np.array(self.months, dtype="datetime64[M]"))
        self.months.flags.writeable = False
        for name in ("streams", "accounts", "freezes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        rates = {code: frozen_grid(path) for code, path in {"USD": 1.0, **self.rates}.items()}
        object.__setattr__(self, "rates", MappingProxyType(rates))
        raise_all(InputError, "the settlement cannot be run", self._problems())

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the accounts."""
        return tuple(account.label for account in self.accounts)

    @property
    def draws(self) -> int:
        """How many draws of uncertain numbers it holds; 1 where everything is certain."""
        return max(grid.shape[0] for _, grid in self._grids())

    def rate(self, code: str) -> NDArray[np.float64]:
        """Return the rate of a currency in units per USD, shape (draws or 1, months)."""
        path = np.asarray(self.rates[code])
        return np.broadcast_to(path, (path.shape[0], self.months.size))

    def _grids(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        for stream in self.streams:
            yield f"{stream.name}: value_usd", stream.value
            yield from ((f"{stream.name}: share in {code}", share) for code, share in stream.shares.items())
        for account in self.accounts:
            yield from ((f"account {account.label}: {name}", grid) for name, grid in account.grids())
        yield from ((f"rate of {code}", np.asarray(path)) for code, path in self.rates.items())

    def _problems(self) -> Iterator[str]:
        if self.months.ndim != 1 or not self.months.size or not (np.diff(self.months) == np.timedelta64(1, "M")).all():
            yield "months are not consecutive; make them with month_range('2022-12', 36)"
        if not self.streams:
            yield "there is no trade; give at least one TradeStream"
        labels = list(self.labels)
        yield from (
            f"account {label} is given {labels.count(label)} times; join them"
            for label in sorted(set(labels))
            if labels.count(label) > 1
        )
        for part in (*self.streams, *self.accounts):
            yield from part.problems()
        for freeze in self.freezes:
            yield from freeze.problems(labels)
        for code in dict.fromkeys(account.currency for account in self.accounts):
            if code not in self.rates:
                yield f"currency {code} has no rate; pass rates={{'{code}': units per USD}}"
        for code, path in self.rates.items():
            if not (np.asarray(path) > 0).all() or not np.isfinite(np.asarray(path)).all():
                yield (
                    f"rate of {code} is {float(np.asarray(path).min()):g} somewhere; expected units per USD above zero"
                )
        traders = {country for stream in self.streams for country in (stream.origin, stream.destination)}
        for account in self.accounts:
            if self.streams and account.holder not in traders:
                yield (
                    f"account {account.label}: unknown party "
                    f"'{account.holder}'{did_you_mean(account.holder, traders) or ';'} trading here: "
                    f"{', '.join(sorted(traders))}"
                )
        yield from self._shape_problems()

    def _shape_problems(self) -> Iterator[str]:
        draws = {grid.shape[0] for _, grid in self._grids()} - {1}
        if len(draws) > 1:
            counts = ", ".join(f"{name} has {g.shape[0]}" for name, g in self._grids() if g.shape[0] != 1)
            yield f"numbers of draws differ ({counts}); expected one number, or 1"
        for name, grid in self._grids():
            if grid.ndim != 2 or grid.shape[1] not in (1, self.months.size):
                yield f"{name} has shape {grid.shape}; expected (draws or 1, {self.months.size} months or 1)"
        for account in self.accounts:
            most = sum(
                _whole(stream.value, self.months.size) * min(float(np.nanmax(stream.shares[account.currency])), 1.0)
                for stream in self.streams
                if account.currency in stream.shares and account.holder in (stream.origin, stream.destination)
            )
            path = np.asarray(self.rates.get(account.currency, np.ones((1, 1))))
            known = {row["currency"]: int(row["minor_digits"]) for row in read_parameters("currencies")}
            scale = 10.0 ** known.get(account.currency, 2)
            if (
                most * float(np.nanmax(path)) * scale >= EXACT_LIMIT
                or float(np.nanmax(np.asarray(account.opening))) * scale >= EXACT_LIMIT
            ):
                yield (
                    f"account {account.label}: amounts may pass {EXACT_LIMIT:,} smallest units, beyond which "
                    "they are no longer exact; use a larger unit of value"
                )


def _whole(value: NDArray[np.float64], months: int) -> float:
    """Return the largest sum over the months among the draws."""
    if not value.size:
        return 0.0
    return float(np.nansum(np.broadcast_to(value, (value.shape[0], months)), axis=1).max())


def rate_path(code: str, months: Months, *, depreciation_rate: float = 0.0) -> NDArray[np.float64]:
    """Return the exchange rate of a currency month by month, from the rates the package ships.

    Parameters
    ----------
    code
        Currency.
    months
        Months wanted.
    depreciation_rate
        Yearly fall of the currency after the last shipped rate; 0.03 lets the units per USD rise by 3 % a year.

    Returns
    -------
    Units per USD, shape (months,). An average of a fiscal year stands at its middle; in between the logarithm is
    linear, outside the nearest rate holds (with the depreciation after the last).

    Raises
    ------
    InputError
        If the package ships no rate for the currency.
    """
    shipped = shipped_rates(code)
    if not shipped:
        raise InputError(f"currency {code} has no shipped rate; pass rates={{'{code}': units per USD}}")
    return path_between(shipped, months, depreciation_rate=depreciation_rate)


def path_between(points: Mapping[str, float], months: Months, *, depreciation_rate: float = 0.0) -> NDArray[np.float64]:
    """Return an exchange rate month by month from what it is in some of them.

    Parameters
    ----------
    points
        Period (a month as 2025-01, a fiscal year as FY2024-25) to units per USD, at least one, in any order.
    months, depreciation_rate
        As in `rate_path`, which says how the path runs between the points and beyond them.

    Returns
    -------
    Units per USD, shape (months,).
    """
    placed = sorted(
        (
            float((period_start(p) - np.datetime64("2000-01", "M")).astype(int)) + (5.5 if p.startswith("FY") else 0.0),
            float(rate),
        )
        for p, rate in points.items()
    )
    at = np.array([place for place, _ in placed])
    here = (months - np.datetime64("2000-01", "M")).astype(np.int64).astype(np.float64)
    path = np.exp(np.interp(here, at, np.log([rate for _, rate in placed])))
    return path * (1 + depreciation_rate) ** (np.maximum(here - at[-1], 0) / 12)
