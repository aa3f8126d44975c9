"""Answers in closed form for steady flows: where an account comes to rest, when it passes a level, what drains it.

With constant flows a month of the ledger is one affine step, so that everything follows from its powers. The ledger,
which rounds to whole units, agrees to within a unit a month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, raise_all
from counterpoise.settle.case import PairCase
from counterpoise.settle.ledger import Ledger

__all__ = ["Answers", "OtherUses", "SteadyAccount", "answers", "steady_account"]


OtherUses: TypeAlias = Literal["unchanged", "in_proportion"]
"""What becomes of other uses when a programme takes money out of the account."""


@dataclass(frozen=True, slots=True, eq=False)
class SteadyAccount:
    r"""An account with constant monthly flows; numbers or arrays of one shape, one element per draw.

    Parameters
    ----------
    opening
        In the account now, zero or more; any unit of value, the same for all amounts.
    sales, purchases
        Sales credited and goods paid a month.
    drain_rate
        Part of the account used each month, 0 to below 1.
    conversion
        Converted a month.
    interest_rate
        Paid a year.

    Notes
    -----
    B' = (1 - d) (B (1 + i/12) + s - m) - c = q B + k, with q = (1 - d)(1 + i/12), k = (1 - d)(s - m) - c,
    B = account, s = sales, m = purchases, d = drain_rate, c = conversion, i = interest_rate. Hence after n months
    B_n = q^n B_0 + k (1 - q^n) / (1 - q), which holds as long as the account does not run dry on the way.
    """

    opening: ArrayLike
    sales: ArrayLike
    purchases: ArrayLike = 0.0
    drain_rate: ArrayLike = 0.0
    conversion: ArrayLike = 0.0
    interest_rate: ArrayLike = 0.0

    def __post_init__(self) -> None:
        """Own arrays of one shape, and check them all."""
        names = ("opening", "sales", "purchases", "drain_rate", "conversion", "interest_rate")
        try:
            arrays = np.broadcast_arrays(*(np.asarray(getattr(self, n), dtype=np.float64) for n in names))
        except ValueError:
            shapes = ", ".join(f"{n} {np.shape(getattr(self, n))}" for n in names)
            raise InputError(
                f"the flows of an account have shapes that do not fit together: {shapes}; give numbers or one "
                "array shape"
            ) from None
        problems: list[str] = []
        for name, values in zip(names, arrays, strict=True):
            fine = (values >= 0) & (values < (1 if name == "drain_rate" else np.inf))
            if not fine.all():
                problems.append(
                    f"{name} is {values[~fine].flat[0]:g}; expected "
                    + ("0 to below 1 a month" if name == "drain_rate" else "zero or more")
                )
            object.__setattr__(self, name, values)
        raise_all(InputError, "the account has no outlook", problems)

    @property
    def factor(self) -> NDArray[np.float64]:
        """What is left of one unit after a month, q."""
        return (1 - np.asarray(self.drain_rate)) * (1 + np.asarray(self.interest_rate) / 12)

    @property
    def added(self) -> NDArray[np.float64]:
        """What a month adds, k; negative where more goes out than comes in."""
        return (1 - np.asarray(self.drain_rate)) * (np.asarray(self.sales) - np.asarray(self.purchases)) - np.asarray(
            self.conversion
        )

    @property
    def pace(self) -> NDArray[np.float64]:
        """By how much the account grows in the first month."""
        return self.added - (1 - self.factor) * np.asarray(self.opening)

    @property
    def resting_level(self) -> NDArray[np.float64]:
        """Level at which the account comes to rest, at least zero; infinite where it grows without end."""
        q, k = self.factor, self.added
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(
                q < 1,
                k / (1 - q),
                np.where(self.pace > 0, np.inf, np.where(self.pace < 0, 0.0, np.asarray(self.opening))),
            )
        return np.maximum(level, 0.0)

    def after(self, months: ArrayLike) -> NDArray[np.float64]:
        """Return the account after some months, at least zero.

        An account that runs dry stays dry where more goes out than comes in, which is the only way it gets there.
        """
        n = np.asarray(months, dtype=np.float64)
        return np.maximum(self.factor**n * np.asarray(self.opening) + self.added * self._weight(n), 0.0)

    def months_until(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the first whole month at whose end the account has reached a level, from either side.

        Parameters
        ----------
        level
            Zero or more.

        Returns
        -------
        0 where it is there already, infinite where it never comes.
        """
        goal = np.broadcast_to(np.asarray(level, dtype=np.float64), self.factor.shape)
        q, k, start = self.factor, self.added, np.asarray(self.opening)
        up = goal > start
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = k / (1 - q)
            curved = np.log((goal - rest) / (start - rest)) / np.log(q)
            straight = (goal - start) / k
        flat = np.abs(1 - q) < 1e-12
        exact = np.where(flat, straight, curved)
        reached = np.where(up, self.pace > 0, self.pace < 0) & np.isfinite(exact) & (exact > 0)
        whole = np.ceil(exact - 1e-9)
        return np.where(goal == start, 0.0, np.where(reached, whole, np.inf))

    def extra_purchases(
        self, months: ArrayLike, target: ArrayLike = 0.0, *, uses: OtherUses = "unchanged"
    ) -> NDArray[np.float64]:
        """Return the extra purchases a month that bring the account down to a target after some months.

        Parameters
        ----------
        months
            Whole months, at least one.
        target
            Level to reach, zero or more.
        uses
            ``"unchanged"``: other uses take each month what they would have taken without the programme;
            ``"in_proportion"``: they shrink with the account, so that a programme crowds them out.

        Returns
        -------
        Zero where the account comes down by itself.

        Notes
        -----
        Unchanged: each month of the programme is missing at the end with its interest, e = (B_n - target) / S with
        S = ((1 + i/12)^n - 1) / (i/12), or n without interest. In proportion: S = (1 - d) (1 - q^n) / (1 - q).
        """
        n = np.asarray(months, dtype=np.float64)
        problems: list[str] = []
        if not (n >= 1).all():
            problems.append(f"months is {float(n.min()):g}; expected at least 1")
        if not (np.asarray(target) >= 0).all():
            problems.append(f"target is {float(np.min(target)):g}; expected zero or more")
        if uses not in ("unchanged", "in_proportion"):
            problems.append(f"uses is '{uses}'; expected 'unchanged' or 'in_proportion'")
        raise_all(InputError, "no programme can be found", problems)
        left = self.factor**n * np.asarray(self.opening) + self.added * self._weight(n) - np.asarray(target)
        weight = (1 - np.asarray(self.drain_rate)) * self._weight(n)
        if uses == "unchanged":
            weight = _sum_of_powers(1 + np.asarray(self.interest_rate) / 12, n)
        return np.maximum(left / weight, 0.0)

    def _weight(self, n: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sum_of_powers(self.factor, n)


def _sum_of_powers(q: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of q^0 to q^(n-1)."""
    flat = np.abs(1 - q) < 1e-12
    return np.where(flat, n, (1 - q**n) / (1 - np.where(flat, 0.5, q)))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What an account does if flows stay as they are, over the draws.

    Attributes
    ----------
    since
        Month at whose end the question is asked.
    table
        Columns question, unit, low, median, high (5, 50 and 95 % of the draws) and never (share of the draws that never
        get there; a quantile among them is infinite).
    account
        The account with the flows of the twelve months after ``since``, USD, one element per draw.
    extra_usd_a_year
        Extra purchases that reach the target, USD a year, one per draw, by what becomes of other uses; empty where
        none was asked for.
    """

    since: np.datetime64
    table: pd.DataFrame
    account: SteadyAccount
    extra_usd_a_year: Mapping[OtherUses, NDArray[np.float64]]


def steady_account(case: PairCase, parameters: pd.DataFrame, ledger: Ledger, since: np.datetime64) -> SteadyAccount:
    """Return the outlook from the end of a month on, with the flows of the twelve months that follow, in USD.

    Parameters
    ----------
    case, parameters, ledger
        The case, its draws, and their run.
    since
        Month of the case after which twelve months follow.

    Raises
    ------
    InputError
        If the month lies outside, or nothing follows it.
    """
    at = int((since - case.months[0]) / np.timedelta64(1, "M"))
    if not 0 <= at < case.months.size - 1:
        raise InputError(
            f"{since} is not before the last of the months {case.months[0]} to {case.months[-1]}; choose an "
            "earlier one or run longer"
        )
    ahead = slice(at + 1, at + 13)
    sales, purchases = float(case.sales_usd[ahead].mean()), float(case.purchases_usd[ahead].mean())
    column = {str(name): parameters[name].to_numpy(dtype=np.float64) for name in parameters.columns}
    return SteadyAccount(
        opening=ledger.usd_bn(case.label)[:, at] * 1e9,
        sales=column["invoice_share_later"] * sales,
        purchases=column["goods_share"] * purchases,
        drain_rate=column["drain_rate_later"],
        conversion=column["conversion_share"] * sales,
    )


def answers(
    case: PairCase,
    parameters: pd.DataFrame,
    ledger: Ledger,
    *,
    since: np.datetime64,
    limit_usd_bn: float | None = None,
    drain_by: np.datetime64 | None = None,
    target_usd_bn: float = 0.0,
) -> Answers:
    """Answer how fast, when and how much.

    Parameters
    ----------
    case, parameters, ledger
        The case, its draws, and their run.
    since
        Month at whose end the question is asked.
    limit_usd_bn
        A cap on the account.
    drain_by, target_usd_bn
        Month by whose end the account shall be down to the target.
    """
    account = steady_account(case, parameters, ledger, since)
    rows = [
        _row("in the account", "USD bn", np.asarray(account.opening) / 1e9),
        _row("grows in the next month by", "USD bn", account.pace / 1e9),
        _row("comes to rest at", "USD bn", account.resting_level / 1e9),
    ]
    if limit_usd_bn is not None:
        rows.append(_row(f"reaches {limit_usd_bn:g} USD bn after", "months", account.months_until(limit_usd_bn * 1e9)))
    extra: dict[OtherUses, NDArray[np.float64]] = {}
    if drain_by is not None:
        count = int((drain_by - since) / np.timedelta64(1, "M"))
        if count < 1:
            raise InputError(f"{drain_by} is not after {since}; choose a later month to drain the account by")
        at = int((drain_by - case.months[0]) / np.timedelta64(1, "M"))
        if at >= case.months.size:
            raise InputError(
                f"{drain_by} is after {case.months[-1]}, the last month; run longer or choose an earlier one"
            )
        left = ledger.usd_bn(case.label)[:, at] * 1e9 - target_usd_bn * 1e9
        extra["unchanged"] = np.maximum(left / count, 0.0) * 12
        extra["in_proportion"] = account.extra_purchases(float(count), target_usd_bn * 1e9, uses="in_proportion") * 12
        told: dict[OtherUses, str] = {
            "unchanged": "other uses as without them",
            "in_proportion": "other uses shrinking with the account",
        }
        for uses, words in told.items():
            question = f"extra purchases that leave {target_usd_bn:g} by {drain_by}, {words}"
            rows.append(_row(question, "USD bn a year", extra[uses] / 1e9))
    return Answers(since, pd.DataFrame(rows), account, MappingProxyType(extra))


def _row(question: str, unit: str, values: NDArray[np.float64]) -> dict[str, str | float]:
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95), method="nearest")
    return {"question": question, "unit": unit, "low": float(low), "median": float(median), "high": float(high)} | {
        "never": float(np.isinf(values).mean())
    }
