"""The monthly stock-flow of clearing accounts: every posting a whole number of smallest units, every period closed.

Order within a month: the value clause writes the balance up; interest is paid; securities fall due; sales come in;
goods are paid; the other uses are served in turn; the cap turns away those sales of the month that would leave more
than it allows. A frozen account lets nothing out (and, where all is blocked, nothing in).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.settle.accounts import USES, Account, Arrangement
from counterpoise.settle.money import Minor, rounded, split_exactly
from counterpoise.settle.tables import currency

__all__ = ["POSTINGS", "STOCKS", "Ledger", "later", "simulate"]

DAYS_IN_MONTH = 365.25 / 12

POSTINGS: Mapping[str, str] = MappingProxyType(
    {
        "written_up": "added by the value clause when the currency fell (negative when it rose)",
        "interest": "paid on the money in the account",
        "coupons": "paid on what is invested",
        "redeemed": "securities that fell due",
        "due_in": "sales of the holder that fell due",
        "credited": "sales that came in",
        "diverted": "sales settled in another way because the cap was reached",
        "due_out": "goods bought by the holder that fell due",
        "paid": "goods paid out of the account",
        "paid_by_advance": "goods paid with earlier advances",
        "paid_outside": "goods paid with other money because the account was empty or frozen",
    }
)
"""Flows of a ledger, in smallest units a month, with what they are. ``used`` (by kind of use) comes beside them."""

STOCKS: Mapping[str, str] = MappingProxyType(
    {
        "money": "in the account at the end of the month",
        "invested": "in securities at the end of the month",
        "advanced": "paid ahead for goods not yet delivered",
        "waiting_in": "sales refused or blocked so far, tried again next month",
        "waiting_out": "payments for goods refused so far, tried again next month",
        "value_cents": "money, securities and advances in US cents at the month's rate",
        "flow_cents": "what was added in the month, in US cents at the month's rate",
        "revaluation_cents": "gain or loss in US cents on what was held before, from the rate alone",
    }
)
"""Stocks and values of a ledger, in smallest units (or US cents), with what they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """What happened in the accounts.

    Attributes
    ----------
    arrangement
        What was run.
    data
        Integer variables of `POSTINGS` and `STOCKS` with dims (draw, month, account), ``used`` with a further dim use,
        and ``opening`` (draw, account). Smallest units of the account's currency; US cents where the name says so.
    """

    arrangement: Arrangement
    data: xr.Dataset

    def check(self) -> tuple[str, ...]:
        """Return every violated identity; empty where money is conserved to the last unit in every period.

        Every comparison is between integers. The identities are those of the page on settlement: invoices in and out,
        money, securities, advances, value in dollars, and nothing below zero.
        """
        d = {name: self.data[name].to_numpy() for name in (*POSTINGS, *STOCKS)}
        used = self.data["used"].to_numpy()
        by_pot = {
            pot: used[..., [k for k, p in enumerate(USES.values()) if p == pot]].sum(axis=-1)
            for pot in ("invested", "advanced")
        }
        opening = self.data["opening"].to_numpy()[:, None, :]

        def before(name: str) -> Minor:
            start = opening if name == "money" else np.zeros_like(opening)
            return np.concatenate([start, d[name][:, :-1]], axis=1)

        sides = {
            "sales due = credited + diverted + change of waiting": (
                d["due_in"] + before("waiting_in"),
                d["credited"] + d["diverted"] + d["waiting_in"],
            ),
            "goods due = paid from the account, by advance and outside + change of waiting": (
                d["due_out"] + before("waiting_out"),
                d["paid"] + d["paid_by_advance"] + d["paid_outside"] + d["waiting_out"],
            ),
            "money": (
                before("money") + d["written_up"] + d["interest"] + d["coupons"] + d["redeemed"] + d["credited"],
                d["paid"] + used.sum(axis=-1) + d["money"],
            ),
            "securities": (before("invested") + by_pot["invested"], d["redeemed"] + d["invested"]),
            "advances": (before("advanced") + by_pot["advanced"], d["paid_by_advance"] + d["advanced"]),
            "dollar value = value before + added + revaluation": (
                d["value_cents"][:, 1:],
                d["value_cents"][:, :-1] + d["flow_cents"][:, 1:] + d["revaluation_cents"][:, 1:],
            ),
        }
        broken = [
            f"{name}: {int((left != right).sum())} cells differ, by up to {int(np.abs(left - right).max())}"
            for name, (left, right) in sides.items()
            if not np.array_equal(left, right)
        ]
        signed = {"written_up", "flow_cents", "revaluation_cents"}
        below = [name for name in d if name not in signed and (d[name] < 0).any()]
        return (
            *broken,
            *(f"{name} falls below zero" for name in below),
            *(("used falls below zero",) if (used < 0).any() else ()),
        )

    def account(self, label: str) -> Account:
        """Return an account by its label.

        Raises
        ------
        InputError
            If there is none.
        """
        labels = self.arrangement.labels
        if label not in labels:
            raise InputError(f"no account '{label}'{did_you_mean(label, labels) or ';'} accounts: {', '.join(labels)}")
        return self.arrangement.accounts[labels.index(label)]

    def usd_bn(self, label: str, name: str = "money") -> NDArray[np.float64]:
        """Return a stock or flow of an account in USD bn at each month's rate.

        Parameters
        ----------
        label
            Account.
        name
            Variable of `POSTINGS` or `STOCKS`, or ``"claims"``: money, securities and advances together.

        Returns
        -------
        Shape (draws, months).
        """
        code = currency(self.account(label).currency)
        if name == "claims":
            return self.data["value_cents"].sel(account=label).to_numpy() / 100e9
        amount = self.data[name].sel(account=label).to_numpy()
        if name.endswith("_cents"):
            return amount / 100e9
        return amount / code.minor_units / self.arrangement.rate(code.code) / 1e9

    def band(
        self, label: str, name: str = "money", *, quantiles: tuple[float, float, float] = (0.05, 0.5, 0.95)
    ) -> pd.DataFrame:
        """Return low, middle and high of a stock or flow over the draws.

        Returns
        -------
        Table with columns month, low, median, high; USD bn.
        """
        low, middle, high = np.quantile(self.usd_bn(label, name), quantiles, axis=0)
        return pd.DataFrame({"month": self.arrangement.months.astype(str), "low": low, "median": middle, "high": high})

    def limit_binds(self, label: str) -> NDArray[np.datetime64]:
        """Return the first month in which the cap turns sales away, per draw; NaT where it never does."""
        turned = self.data["diverted"].sel(account=label).to_numpy() > 0
        first = self.arrangement.months[turned.argmax(axis=1)]
        return np.where(turned.any(axis=1), first, np.datetime64("NaT", "M"))

    def first_at_most(self, label: str, level_usd_bn: float, since: np.datetime64) -> NDArray[np.datetime64]:
        """Return the first month after ``since`` at whose end the account holds no more than a level.

        Parameters
        ----------
        label
            Account.
        level_usd_bn
            USD bn at each month's rate.
        since
            Month; only later ones count.

        Returns
        -------
        One month per draw; NaT where it never comes to that.
        """
        months = self.arrangement.months
        low = (self.usd_bn(label) <= level_usd_bn) & (months > since)
        return np.where(low.any(axis=1), months[low.argmax(axis=1)], np.datetime64("NaT", "M"))

    def trial_balance(self, label: str, *, draw: int = 0) -> pd.DataFrame:
        """Return where an account's money came from and where it is: whole units that sum to zero.

        Returns
        -------
        Table with columns entry, amount_minor (positive: came from there; negative: went or is there).
        """
        account = self.data.sel(account=label).isel(draw=draw)
        entries = {"opening": int(account["opening"])}
        entries |= {n: int(account[n].sum()) for n in ("written_up", "interest", "coupons", "redeemed", "credited")}
        entries["goods paid"] = -int(account["paid"].sum())
        entries |= {str(use): -int(account["used"].sel(use=use).sum()) for use in USES}
        entries["in the account"] = -int(account["money"].isel(month=-1))
        return pd.DataFrame({"entry": list(entries), "amount_minor": list(entries.values())})


def simulate(arrangement: Arrangement) -> Ledger:
    """Run the accounts month by month, all draws at once.

    Parameters
    ----------
    arrangement
        Months, trade, accounts, rates and freezes.

    Returns
    -------
    Ledger of whole smallest units. Rounding is half to even and happens once per posting, so that `Ledger.check` finds
    nothing.
    """
    draws, months = arrangement.draws, arrangement.months.size
    shape = (draws, months, len(arrangement.accounts))
    names = (*POSTINGS, *STOCKS)
    out = {name: np.zeros(shape, dtype=np.int64) for name in names}
    used = np.zeros((*shape, len(USES)), dtype=np.int64)
    opening = np.zeros((draws, shape[2]), dtype=np.int64)
    for at, account in enumerate(arrangement.accounts):
        code = currency(account.currency)
        units = code.minor_units
        rate = arrangement.rate(account.currency)
        due_in, due_out = _due(arrangement, account)
        opening[:, at] = rounded(np.asarray(account.opening)[:, 0] * units)
        run = _run(arrangement, account, due_in, due_out, opening[:, at])
        for name, values in run.items():
            if name != "used":
                out[name][:, :, at] = values
        used[:, :, at] = run["used"]
        claims = run["money"] + run["invested"] + run["advanced"]
        earlier = np.concatenate([opening[:, at : at + 1], claims[:, :-1]], axis=1)
        cents = 100 / (rate * units)
        value, carried = rounded(claims * cents), rounded(earlier * cents)
        out["value_cents"][:, :, at] = value
        out["flow_cents"][:, :, at] = value - carried
        out["revaluation_cents"][:, 1:, at] = carried[:, 1:] - value[:, :-1]
    dims = ("draw", "month", "account")
    variables = {
        name: xr.Variable(
            dims,
            values,
            {
                "description": {**POSTINGS, **STOCKS}[name],
                "unit": "US cent" if name.endswith("_cents") else "smallest unit",
            },
        )
        for name, values in out.items()
    }
    variables["used"] = xr.Variable(
        (*dims, "use"), used, {"description": "uses besides goods", "unit": "smallest unit"}
    )
    variables["opening"] = xr.Variable(
        ("draw", "account"), opening, {"description": "in the account before the first month", "unit": "smallest unit"}
    )
    for values in (*out.values(), used, opening):
        values.flags.writeable = False
    coords = {
        "draw": np.arange(draws),
        "month": arrangement.months.astype("datetime64[ns]"),
        "account": list(arrangement.labels),
        "use": list(USES),
    }
    return Ledger(arrangement, xr.Dataset(variables, coords))


def _due(arrangement: Arrangement, account: Account) -> tuple[Minor, Minor]:
    """Return what falls due into and out of an account, shape (draws, months), smallest units."""
    shape = (arrangement.draws, arrangement.months.size)
    into, out_of = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    scale = arrangement.rate(account.currency) * currency(account.currency).minor_units / 100
    for stream in arrangement.streams:
        codes = list(stream.shares)
        if account.currency not in codes or account.holder not in (stream.origin, stream.destination):
            continue
        cents = np.broadcast_to(rounded(stream.value * 100), (stream.value.shape[0], shape[1]))
        grids = [np.asarray(share) for share in stream.shares.values()]
        rows = max(cents.shape[0], *(grid.shape[0] for grid in grids))
        parts = split_exactly(np.broadcast_to(cents, (rows, shape[1])), grids)
        invoiced = rounded(parts[codes.index(account.currency)] * scale)
        side = into if account.holder == stream.origin else out_of
        side += later(invoiced, stream.payment_days / DAYS_IN_MONTH)
    return into, out_of


def later(amount: Minor, lag: float) -> Minor:
    """Move amounts back by a lag in months; a fraction is split between two months, exactly."""
    whole, part = int(lag), lag - int(lag)
    now, next_month = split_exactly(amount, [np.full((1, 1), 1 - part), np.full((1, 1), part)])
    moved = np.zeros_like(amount)
    for portion, shift in ((now, whole), (next_month, whole + 1)):
        if shift < amount.shape[1]:
            moved[:, shift:] += portion[:, : amount.shape[1] - shift]
    return moved


def _run(arrangement: Arrangement, account: Account, due_in: Minor, due_out: Minor, opening: Minor) -> dict[str, Minor]:
    """Run one account; see the module's docstring for the order within a month."""
    draws, count = due_in.shape
    months = arrangement.months
    units = currency(account.currency).minor_units
    rate = arrangement.rate(account.currency)
    frozen = {blocks: np.zeros(count, dtype=bool) for blocks in ("debits", "all")}
    for freeze in arrangement.freezes:
        if freeze.account == account.label:
            frozen[freeze.blocks] |= freeze.covers(months)
    no_debits, no_credits = frozen["debits"] | frozen["all"], frozen["all"]
    open_in = [use.open_in(months, account.currency) for use in account.uses]

    out = {
        name: np.zeros((draws, count), dtype=np.int64)
        for name in (*POSTINGS, "money", "invested", "advanced", "waiting_in", "waiting_out")
    }
    out["due_in"], out["due_out"] = due_in, due_out
    used = np.zeros((draws, count, len(USES)), dtype=np.int64)
    kinds = list(USES)
    zero = np.zeros(draws, dtype=np.int64)
    money, invested, advanced, waiting_in, waiting_out = opening.copy(), zero, zero, zero, zero
    for t in range(count):

        def at(values: object, t: int = t) -> NDArray[np.float64]:
            grid = np.asarray(values)
            return grid[:, min(t, grid.shape[1] - 1)]

        written_up = rounded(money * (rate[:, t] / rate[:, t - 1] - 1)) if account.value_clause and t else zero
        money = money + written_up
        interest = rounded(money * (at(account.interest_rate) / 12))
        coupons = rounded(invested * (at(account.investment_rate) / 12))
        redeemed = np.minimum(rounded(invested * at(account.redemption_rate)), invested)
        invested = invested - redeemed

        tried = waiting_in + due_in[:, t]
        refused = tried if no_credits[t] else np.minimum(rounded(tried * at(account.refusal_rate)), tried)
        arrived, waiting_in = tried - refused, refused
        ordered = waiting_out + due_out[:, t]
        waiting_out = np.minimum(rounded(ordered * at(account.refusal_rate)), ordered)
        payable = ordered - waiting_out
        paid_by_advance = np.minimum(advanced, payable)
        money = money + interest + coupons + redeemed + arrived
        paid = zero if no_debits[t] else np.minimum(money, payable - paid_by_advance)
        money, advanced = money - paid, advanced - paid_by_advance
        for use, is_open in zip(account.uses, open_in, strict=True):
            if no_debits[t] or not is_open[t]:
                continue
            wanted = rounded(money * at(use.rate) + at(use.amount) * units)
            if use.limit is not None:
                wanted = np.minimum(wanted, rounded(at(use.limit) * units))
            if use.kind == "advance":
                wanted = np.where(waiting_out > 0, 0, wanted)
            spent = np.minimum(wanted, money)
            money = money - spent
            used[:, t, kinds.index(use.kind)] += spent
            if USES[use.kind] == "invested":
                invested = invested + spent
            elif USES[use.kind] == "advanced":
                advanced = advanced + spent
        diverted = zero
        if account.cap is not None:
            excess = money + invested - rounded(at(account.cap) * units)
            diverted = np.minimum(np.maximum(excess, 0), np.minimum(arrived, money))
            money = money - diverted

        flows = {
            "written_up": written_up,
            "interest": interest,
            "coupons": coupons,
            "redeemed": redeemed,
            "credited": arrived - diverted,
            "diverted": diverted,
            "paid": paid,
            "paid_by_advance": paid_by_advance,
            "paid_outside": payable - paid_by_advance - paid,
            "money": money,
            "invested": invested,
            "advanced": advanced,
            "waiting_in": waiting_in,
            "waiting_out": waiting_out,
        }
        for name, values in flows.items():
            out[name][:, t] = values
    return {**out, "used": used}
