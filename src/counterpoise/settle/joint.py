"""Several countries, several currencies: their accounts side by side, which limit binds when, and what drains them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.settle.accounts import USES, Account, Arrangement, Use
from counterpoise.settle.flows import TradeStream
from counterpoise.settle.hard_money import HardMoney, balance_obligations, hard_money
from counterpoise.settle.ledger import Ledger, simulate
from counterpoise.settle.money import Minor
from counterpoise.settle.outlook import OtherUses
from counterpoise.settle.overview import NettingStudy, compare_netting
from counterpoise.settle.tables import currency

__all__ = ["Aim", "JointCase", "JointStudy", "study_joint"]

_HALF = 0.5
_STEPS = 26
_NEAR_USD = 1.0
_FLOWS = {
    "credited": "sales_usd",
    "paid": "goods_usd",
    "interest": "interest_usd",
    "diverted": "turned_away_usd",
    "paid_outside": "paid_outside_usd",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """A level that an account shall be down to.

    Parameters
    ----------
    account
        Label, such as ``"RUS:INR"``.
    by
        Month by whose end, such as ``"2027-12"``.
    target_usd
        What shall be left, USD at that month's rate.
    """

    account: str
    by: str
    target_usd: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class JointCase:
    """Countries with their trade, their accounts and what is asked about them.

    Attributes
    ----------
    title
        Words for it.
    countries
        In the order given.
    arrangement
        What is run.
    since
        Month at whose end the questions are asked.
    aims
        Levels to drain accounts to.
    every
        Months after which what moves in hard currency is netted.
    left_out
        Seller and buyer of flows that nobody reports and that are therefore not here.
    notes, sources
        What a reader must know, and where the numbers are from.
    seed
        Seed of the draws.
    """

    title: str
    countries: tuple[str, ...]
    arrangement: Arrangement
    since: np.datetime64
    aims: tuple[Aim, ...] = ()
    every: int = 1
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class JointStudy:
    """What becomes of the accounts, and of the hard currency beside them.

    Attributes
    ----------
    case
        What was run.
    ledger
        The accounts.
    drains
        One row per aim and reading of other uses: account, by, target_usd, uses, usd_a_year_low, usd_a_year,
        usd_a_year_high (5, 50 and 95 % of the draws) and never (share of the draws that no purchase brings there).
    hard
        What moves in hard currency.
    """

    case: JointCase
    ledger: Ledger
    drains: pd.DataFrame
    hard: HardMoney

    @cached_property
    def periods(self) -> pd.DataFrame:
        """What moves in each period under every way of settling: see `HardMoney.by_period`."""
        return self.hard.by_period()

    @cached_property
    def balances(self) -> NettingStudy | None:
        """The accounts at the end of the last month netted against each other; None where all are empty."""
        owed = balance_obligations(self.ledger)
        return compare_netting(owed) if owed.amount.size else None

    @cached_property
    def binding(self) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Account and limit to the draws and months in which it binds, shape (draws, months); never-binding left out.

        Limits: ``cap``, ``freeze``, ``refusal``, ``empty`` (goods are paid with other money since nothing is left),
        ``limit of USE`` (all that may be used in the month is used) and ``USE not yet permitted``.
        """
        out: dict[tuple[str, str], NDArray[np.bool_]] = {}
        for account in self.case.arrangement.accounts:
            for limit, binds in _binding(self.ledger, account).items():
                if binds.any():
                    out[account.label, limit] = binds
        return out

    def limits(self) -> pd.DataFrame:
        """Return which limit binds when.

        Returns
        -------
        Columns account, limit, first, last (months; the middle ones of the draws in which it binds), months (how many,
        median of those draws) and rate (share of the draws in which it ever binds).
        """
        rows: list[dict[str, str | float]] = []
        months = self.case.arrangement.months
        for (account, limit), binds in self.binding.items():
            ever = binds[binds.any(axis=1)]
            first = np.sort(ever.argmax(axis=1))
            last = np.sort(months.size - 1 - ever[:, ::-1].argmax(axis=1))
            middle = ever.shape[0] // 2
            rows.append(
                {"account": account, "limit": limit, "first": str(months[first[middle]])}
                | {"last": str(months[last[middle]]), "months": float(np.median(ever.sum(axis=1)))}
                | {"rate": ever.shape[0] / binds.shape[0]}
            )
        return pd.DataFrame(rows, columns=["account", "limit", "first", "last", "months", "rate"])

    def months(self) -> pd.DataFrame:
        """Return every account month by month.

        Returns
        -------
        Columns month, account, holder, currency, rate (units per USD), money (units), money_usd_low, money_usd,
        money_usd_high (5, 50 and 95 % of the draws), invested_usd, advanced_usd, waiting_usd, sales_usd, goods_usd,
        used_usd, interest_usd, turned_away_usd, paid_outside_usd, revaluation_usd (medians) and limits, those that
        bind in at least half of the draws.
        """
        parts: list[pd.DataFrame] = []
        arrangement = self.case.arrangement
        for account in arrangement.accounts:
            label = account.label
            low, middle, high = np.quantile(self._usd(label, "money"), (0.05, 0.5, 0.95), axis=0)
            columns: dict[str, Any] = {
                "month": arrangement.months.astype(str),
                "account": label,
                "holder": account.holder,
                "currency": account.currency,
                "rate": np.median(arrangement.rate(account.currency), axis=0),
                "money": np.median(self._minor(label, "money"), axis=0) / currency(account.currency).minor_units,
                "money_usd_low": low,
                "money_usd": middle,
                "money_usd_high": high,
            }
            columns |= {f"{name}_usd": np.median(self._usd(label, name), axis=0) for name in ("invested", "advanced")}
            waiting = self._usd(label, "waiting_in") + self._usd(label, "waiting_out")
            columns["waiting_usd"] = np.median(waiting, axis=0)
            columns |= {
                told: np.median(self._usd(label, name), axis=0) for name, told in _FLOWS.items() if name != "interest"
            }
            columns["interest_usd"] = np.median(self._interest(label), axis=0)
            columns["used_usd"] = np.median(self._used(label), axis=0)
            columns["revaluation_usd"] = np.median(self._usd(label, "revaluation_cents"), axis=0)
            often = {
                limit: binds.mean(axis=0) >= _HALF for (name, limit), binds in self.binding.items() if name == label
            }
            columns["limits"] = [
                "; ".join(limit for limit, on in often.items() if on[t]) for t in range(arrangement.months.size)
            ]
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def accounts(self) -> pd.DataFrame:
        """Return one row per account: where its money came from and went, USD over all months, and where it ends.

        Returns
        -------
        Columns account, holder, currency, opening_usd, sales_usd, goods_usd, converted_usd, other_uses_usd,
        interest_usd, revaluation_usd, turned_away_usd, paid_outside_usd (medians of the draws), end_usd_low, end_usd,
        end_usd_high, invested_usd (at the end), peak_usd and peak_month (of the medians; empty where they are zero).
        """
        rows: list[dict[str, str | float]] = []
        for account in self.case.arrangement.accounts:
            label = account.label
            money = self._usd(label, "money")
            low, end, high = np.quantile(money[:, -1], (0.05, 0.5, 0.95))
            middle = np.median(money, axis=0)
            peak = int(middle.argmax())
            rate = self.case.arrangement.rate(account.currency)[:, 0]
            opening = self.ledger.data["opening"].sel(account=label).to_numpy()

            def total(values: NDArray[np.float64]) -> float:
                return float(np.median(values.sum(axis=1)))

            flows = {told: total(self._usd(label, name)) for name, told in _FLOWS.items() if name != "interest"}
            converted = self._used(label, ("conversion",))
            others = self._used(label, tuple(use for use in USES if use != "conversion"))
            rows.append(
                {"account": label, "holder": account.holder, "currency": account.currency}
                | {"opening_usd": float(np.median(opening / currency(account.currency).minor_units / rate))}
                | {"sales_usd": flows["sales_usd"], "goods_usd": flows["goods_usd"]}
                | {"converted_usd": total(converted), "other_uses_usd": total(others)}
                | {"interest_usd": total(self._interest(label))}
                | {"revaluation_usd": total(self._usd(label, "revaluation_cents"))}
                | {name: flows[name] for name in ("turned_away_usd", "paid_outside_usd")}
                | {"end_usd_low": float(low), "end_usd": float(end), "end_usd_high": float(high)}
                | {"invested_usd": float(np.median(self._usd(label, "invested")[:, -1]))}
                | {"peak_usd": float(middle[peak])}
                | {"peak_month": str(self.case.arrangement.months[peak]) if middle[peak] > 0 else ""}
            )
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data, USD unless a name says otherwise."""
        return {
            "title": self.case.title,
            "countries": list(self.case.countries),
            "first": str(self.case.arrangement.months[0]),
            "last": str(self.case.arrangement.months[-1]),
            "as_of": str(self.case.since),
            "draws": self.case.arrangement.draws,
            "seed": self.case.seed,
            "accounts": self.accounts().to_dict("records"),
            "limits": self.limits().to_dict("records"),
            "drains": self.drains.to_dict("records"),
            "hard_currency": self.hard.table(self.periods).to_dict("records"),
            "hard_currency_periods": self.periods.to_dict("records"),
            "balances": None if self.balances is None else self.balances.to_json(),
            "months": self.months().to_dict("records"),
            "left_out": [{"origin": seller, "destination": buyer} for seller, buyer in self.case.left_out],
            "notes": list(self.case.notes),
            "sources": list(self.case.sources),
            "money_conserved": not self.ledger.check(),
        }

    def _minor(self, label: str, name: str) -> Minor:
        return self.ledger.data[name].sel(account=label).to_numpy()

    def _usd(self, label: str, name: str) -> NDArray[np.float64]:
        return self.ledger.usd_bn(label, name) * 1e9

    def _interest(self, label: str) -> NDArray[np.float64]:
        return self._usd(label, "interest") + self._usd(label, "coupons")

    def _used(self, label: str, uses: tuple[str, ...] = tuple(USES)) -> NDArray[np.float64]:
        code = self.ledger.account(label).currency
        amount = self.ledger.data["used"].sel(account=label, use=list(uses)).sum("use").to_numpy()
        return amount / currency(code).minor_units / self.case.arrangement.rate(code)


def study_joint(case: JointCase) -> JointStudy:
    """Run the accounts of several countries and answer the questions about them.

    Parameters
    ----------
    case
        Made with `joint_case` or `read_arrangement`.

    Raises
    ------
    NotConvergedError
        If a clearing does not prove itself.
    """
    ledger = simulate(case.arrangement)
    rows = [_drain(case, ledger, aim, uses) for aim in case.aims for uses in _READINGS]
    columns = ["account", "by", "target_usd", "uses", "usd_a_year_low", "usd_a_year", "usd_a_year_high", "never"]
    return JointStudy(case, ledger, pd.DataFrame(rows, columns=columns), hard_money(ledger, every=case.every))


_READINGS: tuple[OtherUses, ...] = ("unchanged", "in_proportion")


def _drain(case: JointCase, ledger: Ledger, aim: Aim, uses: OtherUses) -> dict[str, str | float]:
    """Find the extra purchases that bring an account down to its target, draw by draw, by bisection on the ledger."""
    arrangement = case.arrangement
    months = arrangement.months
    account = ledger.account(aim.account)
    by = int((np.datetime64(aim.by, "M") - months[0]) / np.timedelta64(1, "M"))
    first = max(int((case.since - months[0]) / np.timedelta64(1, "M")) + 1, 0)
    keep = months[: by + 1]
    on = np.arange(by + 1) >= first
    rate = arrangement.rate(account.currency)
    if uses == "unchanged":
        account = _with_given_uses(ledger, account)
    alone = Arrangement(
        keep,
        tuple(_cut(stream, by + 1) for stream in arrangement.streams),
        (_cut_account(account, by + 1),),
        {account.currency: rate[:, : by + 1]},
        tuple(freeze for freeze in arrangement.freezes if freeze.account == aim.account),
    )

    def left(usd_a_year: NDArray[np.float64]) -> NDArray[np.float64]:
        extra = TradeStream(
            currency(account.currency).issuer, account.holder, "extra purchases",
            usd_a_year[:, None] * on / 12, {account.currency: 1.0},
        )  # fmt: skip
        run = simulate(replace(alone, streams=(*alone.streams, extra)))
        return run.usd_bn(aim.account)[:, -1] * 1e9

    goal = aim.target_usd + _NEAR_USD
    start = left(np.zeros(arrangement.draws))
    # Purchases that take in one month all that is ever there empty the account in the first.
    most = np.zeros((arrangement.draws, by + 1))
    for name in ("money", "paid"):
        most = most + ledger.usd_bn(aim.account, name)[:, : by + 1] * 1e9
    spent = ledger.data["used"].sel(account=aim.account).sum("use").to_numpy() / currency(account.currency).minor_units
    most = ((most + spent[:, : by + 1] / rate[:, : by + 1]) * on).max(axis=1)
    refused = float(np.asarray(account.refusal_rate).max())
    bound = np.where(start > goal, 13 * most / (1 - refused), 0.0)
    low, high = np.zeros(arrangement.draws), np.minimum(12 * start / int(on.sum()), bound)
    never = left(high) > goal
    while (never & (high < bound)).any():
        high = np.where(never, np.minimum(2 * high, bound), high)
        never = left(high) > goal
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = left(middle) > goal
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found = np.where(never, np.inf, high)
    at = np.quantile(found, (0.05, 0.5, 0.95), method="nearest")
    return {
        "account": aim.account,
        "by": aim.by,
        "target_usd": aim.target_usd,
        "uses": uses,
        "usd_a_year_low": float(at[0]),
        "usd_a_year": float(at[1]),
        "usd_a_year_high": float(at[2]),
        "never": float(never.mean()),
    }


def _with_given_uses(ledger: Ledger, account: Account) -> Account:
    """Return an account whose uses take each month what they took, whatever is in it."""
    units = currency(account.currency).minor_units
    fixed: list[Use] = []
    for kind in dict.fromkeys(use.kind for use in account.uses):
        spent = ledger.data["used"].sel(account=account.label, use=kind).to_numpy() / units
        limited = any(use.limit is not None for use in account.uses if use.kind == kind)
        fixed.append(Use(kind, amount=spent, limit=spent if limited else None))
    return replace(account, uses=tuple(fixed))


def _cut(stream: TradeStream, count: int) -> TradeStream:
    return replace(
        stream,
        value_usd=stream.value[:, :count],
        invoice_share={code: share[:, :count] for code, share in stream.shares.items()},
    )


def _cut_account(account: Account, count: int) -> Account:
    def cut(values: object) -> NDArray[np.float64]:
        return np.asarray(values, dtype=np.float64)[:, :count]

    uses = tuple(
        replace(use, rate=cut(use.rate), amount=cut(use.amount), limit=None if use.limit is None else cut(use.limit))
        for use in account.uses
    )
    names = ("interest_rate", "investment_rate", "redemption_rate", "refusal_rate")
    return replace(
        account,
        cap=None if account.cap is None else cut(account.cap),
        uses=uses,
        **{name: cut(getattr(account, name)) for name in names},
    )


def _binding(ledger: Ledger, account: Account) -> dict[str, NDArray[np.bool_]]:
    """Return the draws and months in which each limit of an account binds."""
    d = {
        name: ledger.data[name].sel(account=account.label).to_numpy()
        for name in ("diverted", "money", "paid_outside", "waiting_in", "waiting_out")
    }
    months = ledger.arrangement.months
    shape = d["money"].shape
    frozen = np.zeros(months.size, dtype=bool)
    for freeze in ledger.arrangement.freezes:
        if freeze.account == account.label:
            frozen |= freeze.covers(months)
    blocked = (d["money"] > 0) | (d["paid_outside"] > 0) | (d["waiting_in"] > 0)
    refused = np.broadcast_to(np.asarray(account.refusal_rate) > 0, shape)
    out = {
        "cap": d["diverted"] > 0,
        "freeze": blocked & frozen,
        "refusal": ((d["waiting_in"] > 0) | (d["waiting_out"] > 0)) & refused & ~frozen,
        "empty": (d["paid_outside"] > 0) & ~frozen,
    }
    units = currency(account.currency).minor_units
    used = ledger.data["used"].sel(account=account.label)
    for kind in dict.fromkeys(use.kind for use in account.uses):
        uses = [use for use in account.uses if use.kind == kind]
        spent = used.sel(use=kind).to_numpy()
        room, limited = np.zeros(shape), np.ones(months.size, dtype=bool)
        ready, wanted = np.zeros(months.size, dtype=bool), np.zeros(shape, dtype=bool)
        for use in uses:
            is_open = use.open_in(months, account.currency)
            ready |= is_open
            limited &= ~is_open | (use.limit is not None)
            room += 0.0 if use.limit is None else np.rint(np.asarray(use.limit) * units) * is_open
            first = use.starts(account.currency)
            early = np.zeros(months.size, dtype=bool) if first is None else months < np.datetime64(first, "M")
            wanted |= ((np.asarray(use.rate) > 0) | (np.asarray(use.amount) > 0)) & early
        words = kind.replace("_", " ")
        out[f"limit of {words}"] = (spent >= room) & (spent > 0) & limited & ready
        out[f"{words} not yet permitted"] = wanted & ~ready & (d["money"] > 0)
    return out
