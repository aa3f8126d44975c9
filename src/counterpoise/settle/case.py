"""From two countries to a settlement run: their trade by month, one account, and a handful of uncertain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, raise_all
from counterpoise.data import load_table
from counterpoise.settle.accounts import Account, Arrangement, Freeze, Use, rate_path
from counterpoise.settle.flows import Interpolation, Months, TradeStream, month_range
from counterpoise.settle.money import EXACT_LIMIT, Minor, split_exactly
from counterpoise.settle.tables import currency, currency_of, shipped_rates
from counterpoise.settle.trade import RUPEE_PAIR, monthly_trade, require_both_ways, unknown_countries

__all__ = ["MONTHS", "START", "PairCase", "Programme", "pair_case"]

START = "2022-12"
"""First month of the rupee accounts with transactions: on 16 November 2022 there were none."""

MONTHS = 61
"""Months of a run: from December 2022 to December 2027."""

_FIRST = "2023-01"
_FUELS = "oil"


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """Extra purchases by the holder of an account, paid out of it.

    Parameters
    ----------
    usd_a_year
        Goods bought besides, USD a year, spread evenly; a number, or one per draw.
    first
        First month, such as ``"2026-01"``.
    last
        Last month, or None for the end.
    """

    usd_a_year: ArrayLike
    first: str
    last: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PairCase:
    """Two countries whose trade runs through one account.

    Attributes
    ----------
    seller, buyer
        The seller's sales are the larger; it holds the account, in the buyer's currency.
    currency
        Currency of the account.
    months
        Consecutive months.
    sales
        What the seller sells by kind of goods, whole cents a month.
    purchases
        What it buys, whole cents a month.
    rate
        Units of the currency per USD, shape (months,).
    notes, source
        What a reader must know, and where the trade figures are from.
    """

    seller: str
    buyer: str
    currency: str
    months: Months
    sales: Mapping[str, Minor]
    purchases: Minor
    rate: NDArray[np.float64]
    notes: tuple[str, ...]
    source: str

    @property
    def label(self) -> str:
        """Label of the account."""
        return f"{self.seller}:{self.currency}"

    @property
    def sales_usd(self) -> NDArray[np.float64]:
        """All sales of the seller, USD a month."""
        return sum(self.sales.values(), np.zeros(self.months.size, dtype=np.int64)) / 100

    @property
    def purchases_usd(self) -> NDArray[np.float64]:
        """All purchases of the seller, USD a month."""
        return self.purchases / 100

    def until(self, last: np.datetime64) -> PairCase:
        """Return the case cut off after a month."""
        keep = self.months <= last
        return PairCase(
            self.seller, self.buyer, self.currency, self.months[keep],
            MappingProxyType({name: cents[keep] for name, cents in self.sales.items()}),
            self.purchases[keep], self.rate[keep], self.notes, self.source,
        )  # fmt: skip

    def arrangement(
        self,
        parameters: pd.DataFrame,
        *,
        cap_usd_bn: float | None = None,
        freezes: Sequence[Freeze] = (),
        programme: Programme | None = None,
        refusal_rate: float = 0.0,
        since: np.datetime64 | None = None,
        other_uses: ArrayLike | None = None,
        interest_rate: float = 0.0,
        payment_days: float = 0.0,
        uses: Sequence[Use] = (),
    ) -> Arrangement:
        """Put the case and a table of draws together.

        Parameters
        ----------
        parameters
            One row per draw, columns as in the table of priors: invoice_share_rise, invoice_share_later, turn_month
            (months since January 1970), ramp_months, goods_share, drain_rate_rise, drain_rate_later, conversion_share.
        cap_usd_bn
            Most the account may hold, USD bn at each month's rate.
        freezes, refusal_rate
            Stress.
        since
            Month after which cap, refusals and given other uses hold; None: from the first.
        other_uses
            What other uses take after ``since``, units of the currency, shape (draws, months); None: in proportion to
            the account throughout.
        programme
            Extra purchases paid out of the account.
        interest_rate
            Paid a year on the account.
        payment_days
            Days from the invoice to the payment.
        uses
            Uses besides the drain and the conversion.
        """
        column: dict[str, NDArray[np.float64]] = {
            str(name): parameters[name].to_numpy(dtype=np.float64)[:, None] for name in parameters.columns
        }
        count = self.months.astype(np.int64)
        ramp = np.minimum((count - count[0] + 1) / (column["ramp_months"] + 1), 1.0)
        rising = count < column["turn_month"]
        local: NDArray[np.float64] = np.where(
            rising, column["invoice_share_rise"] * ramp, column["invoice_share_later"]
        )
        drain: NDArray[np.float64] = np.where(rising, column["drain_rate_rise"], column["drain_rate_later"])
        goods = np.broadcast_to(column["goods_share"], (column["goods_share"].shape[0], 1))
        rest = "USD" if self.currency != "USD" else "EUR"
        streams = [
            TradeStream(
                self.seller, self.buyer, name, cents / 100, {self.currency: local, rest: 1 - local}, payment_days
            )
            for name, cents in self.sales.items()
        ]
        streams.append(
            TradeStream(
                self.buyer,
                self.seller,
                "goods",
                self.purchases / 100,
                {self.currency: goods, rest: 1 - goods},
                payment_days,
            )
        )
        if programme is not None:
            last = np.datetime64(programme.last or str(self.months[-1]), "M")
            on = (self.months >= np.datetime64(programme.first, "M")) & (self.months <= last)
            streams.append(
                TradeStream(
                    self.buyer,
                    self.seller,
                    "programme",
                    np.asarray(programme.usd_a_year)[..., None] * on / 12,
                    {self.currency: 1.0},
                )
            )
        later = np.ones(count.shape, dtype=bool) if since is None else self.months > since
        cap = None
        if cap_usd_bn is not None:
            cap = np.where(later, cap_usd_bn * 1e9 * self.rate, EXACT_LIMIT / currency(self.currency).minor_units)[
                None, :
            ]
        other = Use("other", rate=drain)
        if other_uses is not None:
            other = Use(
                "other", rate=np.where(later, 0.0, drain), amount=np.asarray(other_uses, dtype=np.float64) * later
            )
        account = Account(
            self.seller,
            self.currency,
            interest_rate=interest_rate,
            refusal_rate=(refusal_rate * later)[None, :],
            cap=cap,
            uses=(
                *uses,
                other,
                Use("conversion", amount=column["conversion_share"] * self.sales_usd * self.rate),
            ),
        )
        return Arrangement(self.months, tuple(streams), (account,), {self.currency: self.rate}, tuple(freezes))


def pair_case(
    a: str,
    b: str,
    *,
    first: str | None = None,
    months: int = MONTHS,
    currency: str | None = None,
    rates: Mapping[str, float] | None = None,
    depreciation_rate: float = 0.0,
    growth_rate: float = 0.0,
    trade_usd: tuple[float, float] | None = None,
    method: Interpolation = "smooth",
) -> PairCase:
    """Put the trade of any two countries on a monthly footing.

    Parameters
    ----------
    a, b
        ISO3 codes or regions of the embedded world, in either order.
    first, months
        First month and how many; by default December 2022 for India and Russia, January 2023 for others.
    currency
        Currency of the account; by default the buyer's where the package has a rate for it (or ``rates`` gives one),
        else USD, which the notes then say.
    rates
        Own exchange rates, units per USD; they hold in every month.
    depreciation_rate
        Yearly fall of the currency after the last shipped rate.
    growth_rate
        Yearly growth of trade, either way, after the last year with data, whose monthly average is carried on.
    trade_usd
        What a sells to b and b to a, USD a year in every month, instead of the figures in the tables.
    method
        How annual figures are spread over months.

    Raises
    ------
    InputError
        If the countries are unknown or the same, or numbers are out of range; every problem is listed.
    DataError
        If no trade is reported between them.
    """
    problems = [f"{a} and {b} are one country; name two"] if a == b else []
    if months < 1:
        problems.append(f"months is {months}; expected at least 1")
    problems += [
        f"{name} is {value:g}; expected above -1 (0.03 is 3 % a year)"
        for name, value in (("growth_rate", growth_rate), ("depreciation_rate", depreciation_rate))
        if not value > -1
    ]
    problems += [
        f"rate of {code} is {value:g}; expected units per USD above zero"
        for code, value in (rates or {}).items()
        if not 0 < value < np.inf
    ]
    problems += [
        f"trade_usd holds {value:g}; expected zero or more USD a year"
        for value in trade_usd or ()
        if not 0 <= value < np.inf
    ]
    problems += unknown_countries(a, b)
    raise_all(InputError, "the pair cannot be settled", problems)
    annual, source = require_both_ways(a, b) if trade_usd is None else _given(a, b, trade_usd)
    span = month_range(first or (START if {a, b} == RUPEE_PAIR else _FIRST), months)
    held, notes = _held_currency(currency, annual, a, b, rates or {})
    seller, buyer = _seller(annual, a, b)
    flows = {
        pair: monthly_trade(annual[pair], span, growth_rate, method) for pair in ((seller, buyer), (buyer, seller))
    }
    last_year = max(annual[seller, buyer])
    notes = (
        *notes,
        f"after {last_year} trade goes on at that year's monthly average"
        + (f", growing {growth_rate:.1%} a year" if growth_rate else ""),
    )
    sales = {"goods": flows[seller, buyer]}
    if {a, b} == RUPEE_PAIR and trade_usd is None:
        sales = _with_oil(flows[seller, buyer], annual[seller, buyer], span)
    rate = (
        np.full(months, (rates or {})[held])
        if held in (rates or {})
        else rate_path(held, span, depreciation_rate=depreciation_rate)
    )
    return PairCase(seller, buyer, held, span, MappingProxyType(sales), flows[buyer, seller], rate, notes, source)


def _given(a: str, b: str, trade_usd: tuple[float, float]) -> tuple[dict[tuple[str, str], dict[str, float]], str]:
    """Return trade as given, the same every year."""
    return {(a, b): {"2024": trade_usd[0]}, (b, a): {"2024": trade_usd[1]}}, "trade as given"


def _seller(annual: Mapping[tuple[str, str], Mapping[str, float]], a: str, b: str) -> tuple[str, str]:
    latest = {pair: totals[max(totals)] for pair, totals in annual.items()}
    return (a, b) if latest[a, b] >= latest[b, a] else (b, a)


def _held_currency(
    wanted: str | None,
    annual: Mapping[tuple[str, str], Mapping[str, float]],
    a: str,
    b: str,
    rates: Mapping[str, float],
) -> tuple[str, tuple[str, ...]]:
    """Choose the currency of the account, and say so where it is not the buyer's."""
    if wanted is not None:
        if wanted not in rates and not shipped_rates(wanted):
            raise InputError(
                f"currency {wanted} has no rate; pass rates={{'{wanted}': units per USD}} (on the command "
                f"line: --rate {wanted}=...)"
            )
        return wanted, ()
    _, buyer = _seller(annual, a, b)
    local = currency_of(buyer)
    if local is not None and (local.code in rates or shipped_rates(local.code)):
        return local.code, ()
    name = local.code if local is not None else f"the currency of {buyer}"
    return "USD", (
        (
            f"no exchange rate for {name} is shipped: the account is kept in US dollars; give --currency and "
            "--rate CODE=UNITS_PER_USD"
        ),
    )


def _with_oil(cents: Minor, annual: Mapping[str, float], span: Months) -> dict[str, Minor]:
    """Split Russia's sales into crude oil and other goods by the fiscal year's proportion."""
    crude = load_table("crude")
    crude = crude[crude["origin"] == "RUS"].set_index("period")["value_usd"]
    fiscal = (span.astype("datetime64[M]").astype(np.int64) - 3) // 12 + 1970
    shares = {period: float(crude[period]) / total for period, total in annual.items() if period in crude.index}
    first, last = min(shares), max(shares)
    share = np.array(
        [
            shares.get(f"FY{year}-{(year + 1) % 100:02d}", shares[first] if year < int(first[2:6]) else shares[last])
            for year in fiscal
        ]
    )
    oil, other = split_exactly(cents, [share, 1 - share])
    return {_FUELS: oil, "other goods": other}
