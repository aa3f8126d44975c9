"""Saving liquidity: a queue that releases payments against each other, and the game of who brings the money.

Amounts in the queue are whole smallest units, and no account ever falls below zero.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, did_you_mean, raise_all

__all__ = ["LiquidityGame", "Payment", "QueueResult", "liquidity_game", "period_cost", "run_queue"]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment order: when it arrives (whole ticks from 0), who pays, who is paid, whole smallest units."""

    tick: int
    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True, eq=False)
class QueueResult:
    """What a queue settled, when and how.

    Attributes
    ----------
    table
        One row per payment: tick, payer, payee, amount, settled_tick (-1: never), how ("at once", "from the queue",
        "bilateral offset", "multilateral release" or "not settled").
    opening, closing
        Liquidity of each bank before and after.
    """

    table: pd.DataFrame
    opening: Mapping[str, int]
    closing: Mapping[str, int]

    @property
    def settled_rate(self) -> float:
        """Part of the value that was settled."""
        total = int(self.table["amount"].sum())
        return float(self.table.loc[self.table["settled_tick"] >= 0, "amount"].sum() / total) if total else 1.0

    @property
    def delay(self) -> float:
        """Mean ticks that settled value waited."""
        done = self.table[self.table["settled_tick"] >= 0]
        weight = float(done["amount"].sum())
        return float(((done["settled_tick"] - done["tick"]) * done["amount"]).sum() / weight) if weight else 0.0

    @property
    def turnover(self) -> float:
        """Settled value per unit of opening liquidity; infinite where there was none."""
        value = float(self.table.loc[self.table["settled_tick"] >= 0, "amount"].sum())
        money = sum(self.opening.values())
        return value / money if money else (np.inf if value else 0.0)

    def check(self) -> tuple[str, ...]:
        """Return violated identities: every bank's closing = opening + received - paid, none below zero."""
        done = self.table[self.table["settled_tick"] >= 0]
        problems: list[str] = []
        for bank, opening in self.opening.items():
            received = int(done.loc[done["payee"] == bank, "amount"].sum())
            paid = int(done.loc[done["payer"] == bank, "amount"].sum())
            if opening + received - paid != self.closing[bank] or self.closing[bank] < 0:
                problems.append(f"{bank} has {self.closing[bank]:,}, expected {opening + received - paid:,}")
        return tuple(problems)


def run_queue(
    payments: Sequence[Payment],
    liquidity: Mapping[str, int],
    *,
    bilateral: bool = True,
    multilateral: bool = True,
) -> QueueResult:
    """Settle payments in the order they arrive, queueing what the payer cannot pay and releasing what offsets.

    Parameters
    ----------
    payments
        Orders; those of one tick are taken in the order listed.
    liquidity
        Opening money of every bank, zero or more.
    bilateral
        Release the first queued payments of two banks against each other where both can pay the difference.
    multilateral
        Release the largest set of queued payments that all banks can pay together, keeping each bank's order.

    Returns
    -------
    QueueResult.

    Raises
    ------
    InputError
        If a bank is unknown, an amount not above zero, a tick or liquidity negative; every problem is listed.

    Notes
    -----
    A bank's queue is first in, first out. The multilateral release starts from all queued payments and takes away the
    last one of any bank that cannot pay, until all can: under the order constraint the set it ends with is the
    largest and does not depend on which bank is looked at first.

    References
    ----------
    Bech and Soramaki (2001), Gridlock resolution in interbank payment systems, Bank of Finland Discussion Paper 9/2001.
    """
    problems = [
        f"payment {k}: unknown party '{n}'{did_you_mean(n, liquidity) or ';'} banks: {', '.join(liquidity)}"
        for k, p in enumerate(payments)
        for n in (p.payer, p.payee)
        if n not in liquidity
    ]
    problems += [
        f"payment {k}: amount {p.amount:,}; expected above zero" for k, p in enumerate(payments) if p.amount <= 0
    ]
    problems += [
        f"payment {k}: {p.payer} pays itself; leave it out" for k, p in enumerate(payments) if p.payer == p.payee
    ]
    problems += [
        f"payment {k}: tick {p.tick} is negative; time starts at 0" for k, p in enumerate(payments) if p.tick < 0
    ]
    problems += [
        f"liquidity of {bank} is {money:,}; expected zero or more" for bank, money in liquidity.items() if money < 0
    ]
    raise_all(InputError, "the queue cannot run", problems)
    run = _Queue(payments, liquidity)
    arrivals: defaultdict[int, list[int]] = defaultdict(list)
    for k, payment in enumerate(payments):
        arrivals[payment.tick].append(k)
    for tick in sorted(arrivals):
        for k in arrivals[tick]:
            run.arrive(k, tick)
        run.release(tick, bilateral=bilateral, multilateral=multilateral)
    table = pd.DataFrame(
        {
            "tick": [p.tick for p in payments],
            "payer": [p.payer for p in payments],
            "payee": [p.payee for p in payments],
            "amount": [p.amount for p in payments],
            "settled_tick": run.settled,
            "how": run.how,
        }
    )
    return QueueResult(table, dict(liquidity), run.money)


class _Queue:
    """The state of a running queue: money, waiting payments by payer, and what was settled how."""

    def __init__(self, payments: Sequence[Payment], liquidity: Mapping[str, int]) -> None:
        self.payments = payments
        self.money = dict(liquidity)
        self.waiting: dict[str, deque[int]] = {bank: deque() for bank in liquidity}
        self.settled = [-1] * len(payments)
        self.how = ["not settled"] * len(payments)

    def settle(self, k: int, tick: int, how: str) -> None:
        payment = self.payments[k]
        self.money[payment.payer] -= payment.amount
        self.money[payment.payee] += payment.amount
        self.settled[k], self.how[k] = tick, how

    def arrive(self, k: int, tick: int) -> None:
        payment = self.payments[k]
        if not self.waiting[payment.payer] and self.money[payment.payer] >= payment.amount:
            self.settle(k, tick, "at once")
        else:
            self.waiting[payment.payer].append(k)

    def release(self, tick: int, *, bilateral: bool, multilateral: bool) -> None:
        """Release until nothing more can be: single payments, then pairs, then the largest set."""
        while self.singles(tick) or (bilateral and self.pairs(tick)) or (multilateral and self.largest_set(tick)):
            pass

    def singles(self, tick: int) -> bool:
        moved = False
        for bank, queue in self.waiting.items():
            while queue and self.money[bank] >= self.payments[queue[0]].amount:
                self.settle(queue.popleft(), tick, "from the queue")
                moved = True
        return moved

    def pairs(self, tick: int) -> bool:
        for bank, queue in self.waiting.items():
            if not queue:
                continue
            first = self.payments[queue[0]]
            other = self.waiting[first.payee]
            if not other or self.payments[other[0]].payee != bank:
                continue
            back = self.payments[other[0]]
            net = first.amount - back.amount
            if self.money[bank] >= net and self.money[first.payee] >= -net:
                for k in (queue.popleft(), other.popleft()):
                    self.settle(k, tick, "bilateral offset")
                return True
        return False

    def largest_set(self, tick: int) -> bool:
        chosen = {bank: list(queue) for bank, queue in self.waiting.items()}
        after = dict(self.money)
        for queue in chosen.values():
            for k in queue:
                after[self.payments[k].payer] -= self.payments[k].amount
                after[self.payments[k].payee] += self.payments[k].amount
        short = [bank for bank, money in after.items() if money < 0]
        while short:
            bank = short.pop()
            while after[bank] < 0:
                dropped = self.payments[chosen[bank].pop()]
                after[bank] += dropped.amount
                after[dropped.payee] -= dropped.amount
                if after[dropped.payee] < 0:
                    short.append(dropped.payee)
        released = [k for queue in chosen.values() for k in queue]
        for bank, queue in chosen.items():
            for _ in queue:
                self.waiting[bank].popleft()
        for k in released:
            self.settle(k, tick, "multilateral release")
        return bool(released)


@dataclass(frozen=True, slots=True, eq=False)
class LiquidityGame:
    """Equilibrium of the two-bank game.

    Attributes
    ----------
    liquidity, cost
        Of both banks, shape (2,), in the unit of the payments.
    """

    liquidity: NDArray[np.float64]
    cost: NDArray[np.float64]


def liquidity_game(
    payments: ArrayLike, *, collateral_rate: float, delay_rate: float, borrowing_rate: float
) -> LiquidityGame:
    r"""Find how much money two banks bring to a payment system with two periods.

    Parameters
    ----------
    payments
        What each bank has to pay the other in both periods, shape (2 banks, 2 periods), zero or more.
    collateral_rate, delay_rate, borrowing_rate
        Cost per unit of liquidity brought, of a payment delayed from the first period to the second, and of money
        borrowed at the end. Collateral is the cheapest of the three.

    Raises
    ------
    InputError
        If payments or rates are out of range; every problem is listed.

    Notes
    -----
    Bank i brings l_i. In the first period it pays min(l_i, P_i1); in the second the rest, from what is left and what it
    received; it borrows what is missing. Its best response is l_i = P_i1 + max(P_i2 - min(l_-i, P_-i1), 0). As no bank
    brings less than its first payment, min(l_-i, P_-i1) = P_-i1, and the equilibrium is unique.

    References
    ----------
    Castro, Desai, Du, Garratt and Rivadeneyra (2021), Estimating policy functions in payments systems using
    reinforcement learning, Bank of Canada Staff Working Paper 2021-7.
    """
    due = np.array(payments, dtype=np.float64)
    rates = {"collateral_rate": collateral_rate, "delay_rate": delay_rate, "borrowing_rate": borrowing_rate}
    problems: list[str] = []
    if due.shape != (2, 2):
        problems.append(f"payments have shape {due.shape}; expected (2 banks, 2 periods)")
    if not ((due >= 0) & np.isfinite(due)).all():
        problems.append(f"payments hold {due[~((due >= 0) & np.isfinite(due))].flat[0]:g}; expected zero or more")
    problems += [
        f"{name} is {value:g}; expected zero or more" for name, value in rates.items() if not 0 <= value < np.inf
    ]
    problems += [
        (
            f"{name} {rates[name]:g} is not above collateral_rate {collateral_rate:g}; bringing money must be "
            "the cheapest way"
        )
        for name in ("delay_rate", "borrowing_rate")
        if not rates[name] > collateral_rate
    ]
    raise_all(InputError, "the liquidity game has no such equilibrium", problems)
    liquidity = due[:, 0] + np.maximum(due[:, 1] - due[::-1, 0], 0.0)
    cost = np.array([period_cost(i, float(liquidity[i]), float(liquidity[1 - i]), due, rates) for i in range(2)])
    return LiquidityGame(liquidity, cost)


def period_cost(
    bank: int, liquidity: float, other_liquidity: float, payments: NDArray[np.float64], rates: Mapping[str, float]
) -> float:
    """Return what a bank pays for liquidity, delay and borrowing, given what both bring.

    Parameters
    ----------
    bank
        0 or 1.
    liquidity, other_liquidity
        What it brings, and what the other does.
    payments
        As in `liquidity_game`.
    rates
        collateral_rate, delay_rate and borrowing_rate.
    """
    now, later = payments[bank]
    sent = min(liquidity, now)
    received = min(other_liquidity, payments[1 - bank][0])
    delayed = now - sent
    short = max(delayed + later - (liquidity - sent) - received, 0.0)
    return float(rates["collateral_rate"] * liquidity + rates["delay_rate"] * delayed + rates["borrowing_rate"] * short)
