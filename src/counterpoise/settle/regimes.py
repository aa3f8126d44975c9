"""The same obligations under the rules of a clearing union or of a liquidity-saving queue; payments read from a file.

Netting says what could be saved; these say what is paid in hard money, in credit or from liquidity of one's own.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, raise_all
from counterpoise.settle.liquidity import Payment, QueueResult, run_queue
from counterpoise.settle.netting import Obligations, amount_in_minor_units
from counterpoise.settle.unions import Transaction, settle_in_tranches, union_tranches

__all__ = ["QUOTA_SHARE", "UNION_TERMS", "members_of", "queue_obligations", "read_transactions", "union_terms"]

QUOTA_SHARE = "0.15"
"""Quota over a member's trade with the others, both ways, as in the European Payments Union."""

UNION_TERMS = ("1950-07", "1954-07")
"""Months in which terms of the European Payments Union came into force."""


def union_terms(obligations: Obligations, *, quota_share: float | str = QUOTA_SHARE) -> pd.DataFrame:
    """Return what a payments union would settle in gold (hard money) and in credit, under each of its terms.

    Parameters
    ----------
    obligations
        Trade among members over a period; every member's net position is settled against the union once.
    quota_share
        Quota over what a member owes and is owed, above zero.

    Returns
    -------
    One row per month in which terms came into force: terms, net_minor (what net debtors owe), debtor_gold_minor,
    creditor_gold_minor (paid by net debtors, to net creditors), credit_minor (what net debtors owe the union),
    beyond_quota_minor, and gold_rate, the part of the gross that debtors pay in gold; smallest units.

    Raises
    ------
    InputError
        If the quota share is not above zero.
    """
    part = Fraction(str(quota_share))
    if not part > 0:
        raise InputError(f"quota_share is {float(part):g}; expected more than zero (0.15 is 15 % of trade)")
    count = len(obligations.parties)
    turnover = np.zeros(count, dtype=np.int64)
    np.add.at(turnover, obligations.debtor, obligations.amount)
    np.add.at(turnover, obligations.creditor, obligations.amount)
    net = obligations.net_positions()
    traded = [k for k in range(count) if turnover[k] > 0]
    names = obligations.parties
    quotas = {names[k]: max(1, round(part * int(turnover[k]))) for k in traded}
    positions = {names[k]: int(net[k]) for k in traded}
    gross = obligations.gross
    rows: list[dict[str, str | int | float]] = []
    for terms in UNION_TERMS:
        table = settle_in_tranches([positions], quotas, tranches=union_tranches(terms)).table
        debtor = table["net_minor"] < 0
        paid = -int(table.loc[debtor, "gold_minor"].sum())
        rows.append(
            {
                "terms": terms,
                "net_minor": -int(table.loc[debtor, "net_minor"].sum()),
                "debtor_gold_minor": paid,
                "creditor_gold_minor": int(table.loc[~debtor, "gold_minor"].sum()),
                "credit_minor": int(table.loc[debtor, "credit_minor"].sum()),
                "beyond_quota_minor": int(table.loc[debtor, "beyond_quota_minor"].sum()),
                "gold_rate": paid / gross if gross else 0.0,
            }
        )
    return pd.DataFrame(rows)


def queue_obligations(
    obligations: Obligations, liquidity_share: float, *, bilateral: bool = True, multilateral: bool = True
) -> QueueResult:
    """Settle obligations as payments that arrive at once, in the order listed, in a queue that saves liquidity.

    Parameters
    ----------
    obligations
        Who owes whom how much; each is one payment.
    liquidity_share
        What each party brings, as a share of all it owes, 0 or more.
    bilateral, multilateral
        As in `counterpoise.settle.run_queue`.

    Raises
    ------
    InputError
        If the share is negative or no number.
    """
    if not 0 <= liquidity_share < np.inf:
        raise InputError(f"liquidity_share is {liquidity_share:g}; expected zero or more (0.05 is 5 % of what is owed)")
    owed = np.zeros(len(obligations.parties), dtype=np.int64)
    np.add.at(owed, obligations.debtor, obligations.amount)
    names = obligations.parties
    money = {name: int(liquidity_share * int(total)) for name, total in zip(names, owed, strict=True)}
    debtor, creditor, amount = (
        [int(x) for x in column] for column in (obligations.debtor, obligations.creditor, obligations.amount)
    )
    payments = [
        Payment(0, names[d], names[c], owing) for d, c, owing in zip(debtor, creditor, amount, strict=True) if owing > 0
    ]
    return run_queue(payments, money, bilateral=bilateral, multilateral=multilateral)


def read_transactions(path: str | Path, *, minor_digits: int = 2) -> tuple[Transaction, ...]:
    """Read dated payments from a CSV file with the columns day, payer, payee, amount.

    Parameters
    ----------
    path
        UTF-8, a header, one payment a line; days as 2025-01-31.
    minor_digits
        Decimals of the smallest unit.

    Raises
    ------
    InputError
        If the file cannot be read; every fault is named with its line.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"there is no file {source}; expected a CSV file with the columns day, payer, payee, amount")
    wanted = ("day", "payer", "payee", "amount")
    problems: list[str] = []
    out: list[Transaction] = []
    with source.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in wanted if name not in (reader.fieldnames or ())]
        raise_all(InputError, f"{source.name} cannot be read", [f"the column {name} is missing" for name in missing])
        for row in reader:
            cells = {name: (row[name] or "").strip() for name in wanted}
            found, day = _cell_problems(cells)
            amount, fault = amount_in_minor_units(cells["amount"], minor_digits)
            found += [fault] if fault else []
            problems += [f"line {reader.line_num}: {words}" for words in found]
            if day is not None:
                out.append(Transaction(day, cells["payer"], cells["payee"], amount))
    if not out and not problems:
        problems.append("there is no payment; expected at least one line below the header")
    raise_all(InputError, f"{source.name} cannot be read", problems)
    return tuple(out)


def _cell_problems(cells: dict[str, str]) -> tuple[list[str], dt.date | None]:
    found = [f"{name} is empty" for name in ("payer", "payee") if not cells[name]]
    if cells["payer"] and cells["payer"] == cells["payee"]:
        found.append(f"{cells['payer']} pays itself; leave it out")
    try:
        return found, dt.date.fromisoformat(cells["day"])
    except ValueError:
        return [*found, f"day '{cells['day']}' is no date; expected one such as 2025-01-31"], None


def members_of(transactions: Sequence[Transaction]) -> tuple[str, ...]:
    """Return who takes part, in the order of first appearance."""
    return tuple(dict.fromkeys(name for t in transactions for name in (t.payer, t.payee)))
