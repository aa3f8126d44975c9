"""What still moves in hard currency when countries keep accounts in each other's money, and what netting leaves of it.

An invoice moves no hard currency where the buyer pays its own money, or out of an account, and the seller takes it into
an account, or it is the seller's own. All else does, and so does what a holder converts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import InputError
from counterpoise.settle.clearing import clear_cycles
from counterpoise.settle.ledger import DAYS_IN_MONTH, Ledger, later
from counterpoise.settle.money import Minor, rounded, split_exactly
from counterpoise.settle.netting import Obligations, net_bilaterally, novate
from counterpoise.settle.tables import currency

__all__ = ["METHODS", "HardMoney", "balance_obligations", "hard_money"]

METHODS = {
    "all_hard": "everything in hard currency, one by one",
    "all_hard_novated": "everything in hard currency, through a clearing house",
    "accounts": "with the accounts, one by one",
    "bilateral": "with the accounts, the rest netted in pairs",
    "cycles": "with the accounts, the rest cleared in circles",
    "novation": "with the accounts, the rest through a clearing house",
}
"""Ways of settling, with their words; the money that moves falls from one to the next except at the third."""


@dataclass(frozen=True, slots=True, eq=False)
class HardMoney:
    """What the countries owe each other, and how much of it moves in hard currency.

    Attributes
    ----------
    months
        Consecutive months.
    pairs
        Buyer and seller.
    invoiced_cents, hard_cents
        What falls due, and what of it (and of conversions) moves in hard currency; whole US cents, shape
        (months, pairs), the mean over the draws.
    every
        Months after which is netted.
    """

    months: NDArray[np.datetime64]
    pairs: tuple[tuple[str, str], ...]
    invoiced_cents: Minor
    hard_cents: Minor
    every: int

    def obligations(self, cents: Minor, first: int = 0, last: int | None = None) -> Obligations:
        """Return what falls due from one month to another (by position; the last not included) as obligations."""
        total = cents[first:last].sum(axis=0)
        names = tuple(dict.fromkeys(name for pair in self.pairs for name in pair))
        rows = [(*pair, int(value)) for pair, value in zip(self.pairs, total, strict=True) if value > 0]
        return Obligations.from_rows(rows, parties=names)

    def by_period(self) -> pd.DataFrame:
        """Return what moves in each period under every way of settling.

        Returns
        -------
        Columns from, to (months) and one per key of `METHODS`, US cents.
        """
        rows: list[dict[str, str | int]] = []
        for first in range(0, self.months.size, self.every):
            last = min(first + self.every, self.months.size)
            everything = self.obligations(self.invoiced_cents, first, last)
            rest = self.obligations(self.hard_cents, first, last)
            rows.append(
                {
                    "from": str(self.months[first]),
                    "to": str(self.months[last - 1]),
                    "all_hard": everything.gross,
                    "all_hard_novated": novate(everything).settled_minor,
                    "accounts": rest.gross,
                    "bilateral": net_bilaterally(rest).settled_minor,
                    "cycles": clear_cycles(rest).settled_minor,
                    "novation": novate(rest).settled_minor,
                }
            )
        return pd.DataFrame(rows)

    def table(self, periods: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return what moves over all months under every way of settling.

        Parameters
        ----------
        periods
            Result of `by_period`, if it is at hand.

        Returns
        -------
        Columns method, words, settled_cents, and saved_rate: what does not move, over what is invoiced; below zero
        where conversions make more move than is invoiced.
        """
        found = self.by_period() if periods is None else periods
        whole = int(found["all_hard"].sum())
        rows = [
            {
                "method": name,
                "words": words,
                "settled_cents": int(found[name].sum()),
                "saved_rate": 1 - int(found[name].sum()) / whole if whole else 0.0,
            }
            for name, words in METHODS.items()
        ]
        return pd.DataFrame(rows)


def hard_money(ledger: Ledger, *, every: int = 1) -> HardMoney:
    """Work out what moves in hard currency beside the accounts of a run.

    Parameters
    ----------
    ledger
        The run.
    every
        Months after which is netted, at least one.

    Raises
    ------
    InputError
        If ``every`` is below one.

    Notes
    -----
    Of an invoice in a currency the part min(b, s) moves none: b is 1 where the buyer issues the currency, else the part
    of the month's goods that the buyer's account pays; s is 1 where the seller issues it, else the part of the month's
    sales that the seller's account takes; without an account they are 0. What is refused waits, and moves no money
    meanwhile.
    """
    if every < 1:
        raise InputError(f"netting every {every} months cannot be done; expected at least 1")
    arrangement = ledger.arrangement
    draws, count = arrangement.draws, arrangement.months.size
    pairs = dict.fromkeys((stream.destination, stream.origin) for stream in arrangement.streams)
    pairs |= dict.fromkeys((currency(a.currency).issuer, a.holder) for a in arrangement.accounts)
    invoiced = {pair: np.zeros((draws, count), dtype=np.int64) for pair in pairs}
    hard = {pair: np.zeros((draws, count), dtype=np.int64) for pair in pairs}
    taken, paid = _taken(ledger)
    none = np.zeros((draws, count))
    for stream in arrangement.streams:
        pair = (stream.destination, stream.origin)
        cents = np.broadcast_to(rounded(stream.value * 100), (draws, count))
        grids = list(stream.shares.values())
        for code, part in zip(stream.shares, split_exactly(cents, grids), strict=True):
            due = later(np.broadcast_to(part, (draws, count)), stream.payment_days / DAYS_IN_MONTH)
            issuer = currency(code).issuer
            buyer = none + 1.0 if issuer == stream.destination else paid.get(f"{stream.destination}:{code}", none)
            seller = none + 1.0 if issuer == stream.origin else taken.get(f"{stream.origin}:{code}", none)
            invoiced[pair] += due
            hard[pair] += due - np.minimum(rounded(due * np.minimum(buyer, seller)), due)
    for account in arrangement.accounts:
        converted = ledger.data["used"].sel(account=account.label, use="conversion").to_numpy()
        units = currency(account.currency).minor_units
        hard[currency(account.currency).issuer, account.holder] += rounded(
            converted / units / arrangement.rate(account.currency) * 100
        )
    return HardMoney(
        arrangement.months,
        tuple(pairs),
        np.stack([rounded(cents.mean(axis=0)) for cents in invoiced.values()], axis=1),
        np.stack([rounded(cents.mean(axis=0)) for cents in hard.values()], axis=1),
        every,
    )


def balance_obligations(ledger: Ledger, at: int = -1) -> Obligations:
    """Return the accounts at the end of a month as obligations: who issues the currency owes the holder.

    Parameters
    ----------
    ledger
        The run.
    at
        Position of the month; the last by default.

    Returns
    -------
    Whole US cents (money, securities and advances), the mean over the draws; empty accounts are left out.
    """
    arrangement = ledger.arrangement
    value = rounded(ledger.data["value_cents"].isel(month=at).mean("draw").to_numpy())
    rows = [
        (currency(account.currency).issuer, account.holder, int(cents))
        for account, cents in zip(arrangement.accounts, value, strict=True)
        if cents > 0
    ]
    return Obligations.from_rows(rows)


def _taken(ledger: Ledger) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return, by account, the part of a month's sales that it takes and the part of its goods that it pays.

    All of it in a month in which nothing moved: what waits moves no other money either.
    """
    taken: dict[str, NDArray[np.float64]] = {}
    paid: dict[str, NDArray[np.float64]] = {}
    for label in ledger.arrangement.labels:
        d = {
            name: ledger.data[name].sel(account=label).to_numpy().astype(np.float64)
            for name in ("credited", "diverted", "paid", "paid_by_advance", "paid_outside")
        }
        for out, good, bad in (
            (taken, d["credited"], d["diverted"]),
            (paid, d["paid"] + d["paid_by_advance"], d["paid_outside"]),
        ):
            moved = good + bad
            out[label] = np.where(moved > 0, good / np.where(moved > 0, moved, 1.0), 1.0)
    return taken, paid
