"""Trade month by month: months, annual totals spread over them, and streams of invoices."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, raise_all
from counterpoise.settle.money import Minor, rounded
from counterpoise.settle.tables import read_parameters, unknown_currency

__all__ = [
    "Interpolation",
    "Months",
    "TradeStream",
    "month_range",
    "monthly_from_annual",
    "period_months",
    "period_start",
]

Months: TypeAlias = NDArray[np.datetime64]
"""Consecutive months, ``datetime64[M]``."""

Interpolation: TypeAlias = Literal["smooth", "flat"]

_FISCAL = re.compile(r"FY(\d{4})-\d{2,4}")
_CALENDAR = re.compile(r"(?:CY)?(\d{4})")
_MONTH = re.compile(r"\d{4}-\d{2}")
_SHARE_TOLERANCE = 1e-9


def month_range(first: str | dt.date | np.datetime64, count: int) -> Months:
    """Return consecutive months.

    Parameters
    ----------
    first
        First month, such as ``"2022-12"``.
    count
        How many, at least one.

    Raises
    ------
    InputError
        If ``first`` is no month or ``count`` is below one.
    """
    problems: list[str] = []
    if isinstance(first, str) and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", first):
        problems.append(f"first month is '{first}'; expected year and month, as 2022-12")
    if count < 1:
        problems.append(f"number of months is {count}; expected at least 1")
    raise_all(InputError, "these months cannot be counted", problems)
    start = np.datetime64(str(first)[:7], "M")
    return start + np.arange(count)


def period_start(period: str) -> np.datetime64:
    """Return the first month of a year: ``FY2022-23`` starts in April 2022, ``2023`` and ``CY2023`` in January.

    Raises
    ------
    InputError
        If the words name no year.
    """
    if fiscal := _FISCAL.fullmatch(period):
        return np.datetime64(f"{fiscal[1]}-04", "M")
    if calendar := _CALENDAR.fullmatch(period):
        return np.datetime64(f"{calendar[1]}-01", "M")
    if _MONTH.fullmatch(period):
        return np.datetime64(period, "M")
    raise InputError(
        f"'{period}' is no period; expected a fiscal year as FY2022-23, a calendar year as 2023, or a month as 2024-10"
    )


def period_months(period: str) -> Months:
    """Return the twelve months of a year."""
    return period_start(period) + np.arange(12)


def monthly_from_annual(annual_usd: Mapping[str, float], *, method: Interpolation = "smooth") -> tuple[Months, Minor]:
    r"""Spread annual totals over their months, to the cent.

    Parameters
    ----------
    annual_usd
        Consecutive years (fiscal or calendar) and their totals in USD.
    method
        ``"smooth"``: the path with the least squared movement from month to month that adds up to every annual total;
        ``"flat"``: a twelfth each month.

    Returns
    -------
    Months, and whole cents of each month; those of a year sum to its total exactly.

    Raises
    ------
    InputError
        If years overlap, leave a gap or are negative, or the smooth path would fall below zero.

    Notes
    -----
    min sum_t (x_t - x_{t-1})^2 subject to sum over the months of each year = its total.

    References
    ----------
    Boot, Feibes and Lisman (1967), Applied Statistics 16(1), 65-75: first differences.
    """
    years = sorted(annual_usd, key=lambda period: period_start(period))
    problems = [
        f"{p}: {annual_usd[p]:g} USD is negative or no number; trade is zero or more"
        for p in years
        if not annual_usd[p] >= 0
    ]
    if not years:
        problems.append("no year is given; expected at least one annual total")
    for before, after in pairwise(years):
        step = int((period_start(after) - period_start(before)) / np.timedelta64(1, "M"))
        if step != 12:
            problems.append(
                f"{after} starts {step} months after {before}; expected 12: years follow one another without "
                "gap or overlap"
            )
    if method not in ("smooth", "flat"):
        problems.append(f"method is '{method}'; expected 'smooth' or 'flat'")
    raise_all(InputError, "annual trade cannot be spread over months", problems)
    months = period_start(years[0]) + np.arange(12 * len(years))
    totals = np.array([annual_usd[period] for period in years], dtype=np.float64)
    path = np.repeat(totals / 12, 12) if method == "flat" else _least_movement(totals)
    if path.min() < 0:
        low = months[int(path.argmin())]
        raise InputError(
            f"the smooth path falls to {path.min():,.0f} USD in {low}; pass method='flat' to spread each year evenly"
        )
    cents = np.empty(months.size, dtype=np.int64)
    for k, total in enumerate(totals):
        running = rounded(np.cumsum(path[12 * k : 12 * k + 12]) * 100)
        running[-1] = round(total * 100)
        cents[12 * k : 12 * k + 12] = np.diff(running, prepend=0)
    return months, cents


def _least_movement(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve the first-order conditions of the smoothest path with the given sums of twelve."""
    years, count = totals.size, 12 * totals.size
    if years == 1:
        return np.repeat(totals / 12, 12)
    steps = np.diff(np.eye(count), axis=0)
    adding = np.kron(np.eye(years), np.ones(12))
    system = np.block([[2 * steps.T @ steps, adding.T], [adding, np.zeros((years, years))]])
    solved = np.linalg.solve(system, np.concatenate([np.zeros(count), totals]))
    return solved[:count].astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class TradeStream:
    """What one country sells another, month by month, and the currencies it is invoiced in.

    Parameters
    ----------
    origin, destination
        Seller and buyer; the buyer pays the seller.
    goods
        Words for what is sold, such as ``"oil"``.
    value_usd
        Invoiced each month, shape (months,), (draws, months) or a number for every month; USD, rounded to the cent.
    invoice_share
        Currency to its share of the invoices: a number, or an array of shape (draws, 1), (1, months) or
        (draws, months). Shares sum to 1.
    payment_days
        Days from the invoice to the payment, zero or more; what falls due after the last month stays unpaid.
    """

    origin: str
    destination: str
    goods: str
    value_usd: ArrayLike
    invoice_share: Mapping[str, ArrayLike]
    payment_days: float = 0.0

    def __post_init__(self) -> None:
        """Own read-only copies."""
        object.__setattr__(self, "value_usd", frozen_grid(self.value_usd))
        shares = {code: frozen_grid(share) for code, share in self.invoice_share.items()}
        object.__setattr__(self, "invoice_share", MappingProxyType(shares))

    @property
    def name(self) -> str:
        """Words that name the stream in messages."""
        return f"{self.goods} from {self.origin} to {self.destination}"

    @property
    def value(self) -> NDArray[np.float64]:
        """Value in USD, shape (draws or 1, months or 1)."""
        return np.asarray(self.value_usd)

    @property
    def shares(self) -> dict[str, NDArray[np.float64]]:
        """Invoice share by currency, each of shape (draws or 1, months or 1)."""
        return {code: np.asarray(share) for code, share in self.invoice_share.items()}

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the stream itself."""
        if self.origin == self.destination:
            yield f"{self.name}: a country does not trade with itself here; name two countries"
        if not (self.value >= 0).all():
            yield f"{self.name}: value_usd holds {_worst(self.value, 0, np.inf)}; expected zero or more in every month"
        if not 0 <= self.payment_days < np.inf:
            yield f"{self.name}: payment_days is {self.payment_days:g}; expected zero or more days"
        known = {row["currency"] for row in read_parameters("currencies")}
        for code, share in self.shares.items():
            if code not in known:
                yield f"{self.name}: {unknown_currency(code)}"
            if not ((share >= 0) & (share <= 1)).all():
                yield (
                    f"{self.name}: the share invoiced in {code} is {_worst(share, 0, 1)}; expected 0 to 1 (0.25 "
                    "is 25 %)"
                )
        shapes = [share.shape for share in self.shares.values()]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            yield (
                f"{self.name}: invoice shares have shapes {shapes}, which do not fit together; expected (draws "
                "or 1, months or 1)"
            )
            return
        total = sum(self.shares.values(), np.zeros((1, 1)))
        if not (np.abs(total - 1) <= _SHARE_TOLERANCE).all():
            worst = (
                float(total.flat[int(np.nanargmax(np.abs(total - 1)))]) if np.isfinite(total).any() else float("nan")
            )
            yield f"{self.name}: invoice shares add up to {worst:g}; expected 1: give the rest to another currency"


def frozen_grid(values: ArrayLike) -> NDArray[np.float64]:
    """Copy to a read-only array of shape (draws, months); a vector runs over months, a number over neither."""
    grid = np.array(values, dtype=np.float64)
    grid = grid.reshape(1, -1) if grid.ndim < 2 else grid
    grid.flags.writeable = False
    return grid


def _worst(values: NDArray[np.float64], low: float, high: float) -> str:
    bad = values[~((values >= low) & (values <= high))]
    return f"{bad.flat[0]:g}" + (f" (and {bad.size - 1} more)" if bad.size > 1 else "")
