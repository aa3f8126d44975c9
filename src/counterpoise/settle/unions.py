"""Clearing unions: the tranches of the European Payments Union, the two months of the Asian Clearing Union.

Both net every member against the union; they differ in what happens to the net position. In Europe it was settled
partly in gold, partly in credit, the more in gold the further the member's quota was used; in Asia it is paid in full
after two months, and those who owed pay interest for the days they did. Amounts are whole smallest units.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.settle.money import allot
from counterpoise.settle.tables import read_parameters

__all__ = [
    "BimonthlyResult",
    "Tranche",
    "TrancheResult",
    "Transaction",
    "clear_bimonthly",
    "settle_in_tranches",
    "union_tranches",
]


@dataclass(frozen=True, slots=True)
class Tranche:
    """A stretch of a quota: up to which part of it, and the part settled in gold by a debtor and to a creditor."""

    upto_quota: Fraction
    debtor_gold_rate: Fraction
    creditor_gold_rate: Fraction


def union_tranches(as_of: str = "1950-07", *, union: str = "epu") -> tuple[Tranche, ...]:
    """Return the tranches in force in a month.

    Parameters
    ----------
    as_of
        Month, such as ``"1950-07"``.
    union
        ``"epu"``: European Payments Union; five tranches from July 1950, half gold throughout from July 1954.

    Raises
    ------
    InputError
        If there is no such union, or it did not exist yet.
    """
    rows = [r for r in read_parameters("union_tranches") if r["union"] == union]
    starts = sorted({r["valid_from"] for r in rows if r["valid_from"] <= as_of})
    if not starts:
        known = ", ".join(sorted({f"{r['union']} from {r['valid_from']}" for r in read_parameters("union_tranches")}))
        raise InputError(f"no tranches of '{union}' in {as_of}; known: {known}")
    return tuple(
        Tranche(Fraction(r["upto_quota"]), Fraction(r["debtor_gold_rate"]), Fraction(r["creditor_gold_rate"]))
        for r in rows
        if r["valid_from"] == starts[-1]
    )


@dataclass(frozen=True, slots=True, eq=False)
class TrancheResult:
    """What a payments union settled in gold and in credit.

    Attributes
    ----------
    table
        One row per period and member: net position of the period, cumulative position, gold received (+) or paid (-)
        and credit drawn (+, owed to the union) or granted (-) in the period, and what lies beyond the quota; smallest
        units.
    union_gold
        Gold of the union at the end of each period; its opening gold plus what debtors paid minus what creditors
        received.
    opening_gold
        Gold of the union at the start.
    """

    table: pd.DataFrame
    union_gold: tuple[int, ...]
    opening_gold: int

    def check(self) -> tuple[str, ...]:
        """Return violated identities: net = gold received - credit drawn per row; positions and gold add up."""
        t = self.table
        problems = [
            f"{r.member} in period {r.period}"
            for r in t[t["net_minor"] != t["gold_minor"] - t["credit_minor"]].itertuples()
        ]
        if t.groupby("period")["net_minor"].sum().ne(0).any():
            problems.append("net positions of a period do not sum to zero")
        gold = self.opening_gold - t.groupby("period")["gold_minor"].sum().cumsum()
        if tuple(int(g) for g in gold) != self.union_gold:
            problems.append("the gold of the union does not add up")
        return tuple(problems)


def settle_in_tranches(
    net_positions: Sequence[Mapping[str, int]],
    quotas: Mapping[str, int],
    *,
    tranches: Sequence[Tranche] | None = None,
    opening_gold: int = 0,
) -> TrancheResult:
    """Settle net positions period by period, in gold and credit by tranche of the quota.

    Parameters
    ----------
    net_positions
        One mapping per period: member to its net position against the union, whole smallest units; each sums to zero.
    quotas
        Member to quota, above zero.
    tranches
        By default those of July 1950.
    opening_gold
        Working capital of the union.

    Raises
    ------
    InputError
        If a member has no quota, positions do not sum to zero, or tranches do not rise to the whole quota.

    Notes
    -----
    What counts is the cumulative position c: gold so far is G(c) = sum over tranches of rate times the stretch of |c|
    in it, and the period's gold is the difference, so that a reversal undoes what was settled. Beyond the quota
    everything is gold. G is rounded to whole units, half to even.
    """
    steps = tuple(tranches if tranches is not None else union_tranches())
    problems = [
        f"period {k}: '{m}' has no quota{did_you_mean(m, quotas) or ';'} members: {', '.join(quotas)}"
        for k, p in enumerate(net_positions)
        for m in p
        if m not in quotas
    ]
    problems += [
        f"period {k}: net positions sum to {sum(p.values()):+,}; expected 0"
        for k, p in enumerate(net_positions)
        if sum(p.values())
    ]
    problems += [f"quota of {m} is {q:,}; expected above zero" for m, q in quotas.items() if q <= 0]
    uptos = [step.upto_quota for step in steps]
    if not uptos or uptos != sorted(set(uptos)) or uptos[-1] != 1:
        problems.append(
            f"tranches end at {', '.join(str(float(u)) for u in uptos) or 'nothing'}; expected rising parts of "
            "the quota, the last 1"
        )
    problems += [
        f"gold rate {float(r):g} of a tranche; expected 0 to 1"
        for s in steps
        for r in (s.debtor_gold_rate, s.creditor_gold_rate)
        if not 0 <= r <= 1
    ]
    raise_all(InputError, "the union cannot settle", problems)
    so_far = dict.fromkeys(quotas, 0)
    gold_so_far = dict.fromkeys(quotas, 0)
    rows: list[dict[str, int | str]] = []
    union_gold: list[int] = []
    treasury = opening_gold
    for period, positions in enumerate(net_positions):
        for member in quotas:
            net = positions.get(member, 0)
            so_far[member] += net
            gold = _gold(so_far[member], quotas[member], steps)
            moved = gold - gold_so_far[member]
            gold_so_far[member] = gold
            treasury -= moved
            beyond = max(abs(so_far[member]) - quotas[member], 0)
            rows.append(
                {"period": period, "member": member, "net_minor": net, "cumulative_minor": so_far[member]}
                | {"gold_minor": moved, "credit_minor": moved - net, "beyond_quota_minor": beyond}
            )
        union_gold.append(treasury)
    columns = ["period", "member", "net_minor", "cumulative_minor", "gold_minor", "credit_minor", "beyond_quota_minor"]
    return TrancheResult(pd.DataFrame(rows, columns=columns), tuple(union_gold), opening_gold)


def _gold(position: int, quota: int, steps: Sequence[Tranche]) -> int:
    """Gold received (+) or paid (-) for a cumulative position."""
    size, gold, start = Fraction(abs(position)), Fraction(0), Fraction(0)
    for step in steps:
        end = step.upto_quota * quota
        rate = step.creditor_gold_rate if position > 0 else step.debtor_gold_rate
        gold += rate * max(min(size, end) - start, Fraction(0))
        start = end
    gold += max(size - quota, Fraction(0))
    return round(gold) if position > 0 else -round(gold)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A payment through a clearing union: the day, who pays, who is paid, whole smallest units."""

    day: dt.date
    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True, eq=False)
class BimonthlyResult:
    """What a clearing union with fixed periods settled.

    Attributes
    ----------
    table
        One row per period and member: period_start, settled_on, gross paid and received, net position before interest,
        interest received (+) or paid (-), and what it is paid (+) or pays (-) in all; smallest units.
    efficiency
        Per period, part of the gross that needed no money: 1 - sum of net credits / gross.
    """

    table: pd.DataFrame
    efficiency: tuple[float, ...]


def clear_bimonthly(
    transactions: Iterable[Transaction],
    members: Sequence[str],
    *,
    first: dt.date,
    interest_rate: float | str | Fraction,
    months: int = 2,
    payment_days: int = 4,
    days_in_year: int = 360,
) -> BimonthlyResult:
    """Clear payments in periods of two months, as the Asian Clearing Union does.

    Parameters
    ----------
    transactions
        Payments; on the first day of a period or later.
    members
        Central banks that take part.
    first
        First day of the first period, a first of a month.
    interest_rate
        Paid a year by net debtors on what they owe from day to day, and credited to net creditors.
    months
        Length of a period.
    payment_days
        Days from the end of the period to the payment (T+4).
    days_in_year
        Days of the interest year.

    Raises
    ------
    InputError
        If a member is unknown, an amount negative, a day too early, or an option out of range; every problem is listed.

    Notes
    -----
    Interest of the union in a period is r / days_in_year times the sum over days of what members owe at the end of
    the day. Each debtor's part is rounded half to even; the sum is handed to the creditors in proportion to their
    credit days, largest remainders first, so that no unit is lost.

    References
    ----------
    Asian Clearing Union, Agreement, Articles V and VI, and Procedure Rules (asianclearingunion.org).
    """
    listed = list(transactions)
    rate = Fraction(str(interest_rate))
    problems = [
        f"transaction {k}: unknown party '{n}'{did_you_mean(n, members) or ';'} members: {', '.join(members)}"
        for k, t in enumerate(listed)
        for n in (t.payer, t.payee)
        if n not in members
    ]
    problems += [
        f"transaction {k}: amount {t.amount:,} is negative; swap payer and payee"
        for k, t in enumerate(listed)
        if t.amount < 0
    ]
    problems += [
        f"transaction {k}: {t.payer} pays itself; leave it out" for k, t in enumerate(listed) if t.payer == t.payee
    ]
    problems += [
        f"transaction {k}: {t.day} lies before {first}, the first day" for k, t in enumerate(listed) if t.day < first
    ]
    if first.day != 1:
        problems.append(f"first is {first}; expected the first of a month")
    if not 0 <= rate < 1:
        problems.append(f"interest_rate is {float(rate):g}; expected 0 to below 1 a year (0.05 is 5 %)")
    problems += [
        f"{name} is {value}; expected {words}"
        for name, value, least, words in (
            ("months", months, 1, "at least 1"),
            ("payment_days", payment_days, 0, "zero or more days"),
            ("days_in_year", days_in_year, 1, "at least 1"),
        )
        if value < least
    ]
    raise_all(InputError, "the union cannot clear", problems)
    rows: list[dict[str, object]] = []
    efficiency: list[float] = []
    last = max((t.day for t in listed), default=first)
    start = first
    while start <= last:
        end = _add_months(start, months)
        inside = [t for t in listed if start <= t.day < end]
        block, part = _period(inside, members, start, end, rate / days_in_year)
        settled_on = end - dt.timedelta(days=1) + dt.timedelta(days=payment_days)
        rows += [{"period_start": start, "settled_on": settled_on} | row for row in block]
        efficiency.append(part)
        start = end
    columns = [
        "period_start",
        "settled_on",
        "member",
        "paid_minor",
        "received_minor",
        "net_minor",
        "interest_minor",
        "settled_minor",
    ]
    return BimonthlyResult(pd.DataFrame(rows, columns=columns), tuple(efficiency))


def _period(
    inside: Sequence[Transaction], members: Sequence[str], start: dt.date, end: dt.date, daily_rate: Fraction
) -> tuple[list[dict[str, object]], float]:
    index = {member: k for k, member in enumerate(members)}
    days = (end - start).days
    daily = np.zeros((len(members), days), dtype=object)
    paid, received = [0] * len(members), [0] * len(members)
    for t in inside:
        at = (t.day - start).days
        daily[index[t.payer], at:] -= t.amount
        daily[index[t.payee], at:] += t.amount
        paid[index[t.payer]] += t.amount
        received[index[t.payee]] += t.amount
    debit = [sum(-int(x) for x in row if x < 0) for row in daily]
    credit = [sum(int(x) for x in row if x > 0) for row in daily]
    charged = [round(daily_rate * d) for d in debit]
    earned = allot(sum(charged), credit) if sum(credit) else [0] * len(members)
    rows: list[dict[str, object]] = []
    for k, member in enumerate(members):
        net, interest = received[k] - paid[k], earned[k] - charged[k]
        row: dict[str, object] = {"member": member, "paid_minor": paid[k], "received_minor": received[k]}
        rows.append(row | {"net_minor": net, "interest_minor": interest, "settled_minor": net + interest})
    gross = sum(paid)
    credits = sum(max(r - p, 0) for r, p in zip(received, paid, strict=True))
    return rows, 1 - credits / gross if gross else 0.0


def _add_months(day: dt.date, months: int) -> dt.date:
    count = day.year * 12 + day.month - 1 + months
    return dt.date(count // 12, count % 12 + 1, 1)
