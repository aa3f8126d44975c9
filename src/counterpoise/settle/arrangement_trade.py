"""The trade of an arrangement file, and the currencies it is invoiced in: flows, invoice rules, streams."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.settle.arrangement_table import Draws, Spread, Table, is_number
from counterpoise.settle.flows import Months, TradeStream
from counterpoise.settle.money import split_exactly
from counterpoise.settle.trade import fuel_share, monthly_trade, reported_trade, unknown_countries

__all__ = ["FUELS", "GOODS", "FiledTrade", "InvoiceRule", "invoice_rules", "invoiced", "trade_of"]

FUELS = "fuels"
GOODS = "other goods"

_FLOW = ("origin", "destination", "goods", "usd_a_year", "usd_by_year", "payment_days", "source")
_INVOICE = ("origin", "destination", "goods", "share", "rest", "payment_days", "valid_from", "valid_until")
_SHARE = "a share from 0 to 1 (0.25 is 25 %)"


@dataclass(frozen=True, slots=True, eq=False)
class InvoiceRule:
    """Which currencies some trade is invoiced in, from which day to which."""

    name: str
    origin: str
    destination: str
    goods: str
    share: Mapping[str, Spread]
    rest: str
    payment_days: float | None
    valid_from: dt.date | None
    valid_until: dt.date | None

    def fits(self, origin: str, destination: str, goods: str) -> bool:
        """Say whether the rule is about some trade."""
        asked = ((self.origin, origin), (self.destination, destination), (self.goods, goods))
        return all(wanted in ("", seen) for wanted, seen in asked)

    @property
    def detail(self) -> int:
        """How much it names: the more detailed rule holds."""
        return sum(bool(word) for word in (self.origin, self.destination, self.goods))

    def open_in(self, months: Months) -> NDArray[np.bool_]:
        """Say in which months the rule holds; the month of its first day counts."""
        on = np.ones(months.shape, dtype=bool)
        if self.valid_from is not None:
            on &= months >= np.datetime64(self.valid_from, "M")
        if self.valid_until is not None:
            on &= months < np.datetime64(self.valid_until, "M")
        return on


@dataclass(frozen=True, slots=True, eq=False)
class FiledTrade:
    """What one country sells another of one kind, USD a month."""

    origin: str
    destination: str
    goods: str
    usd: NDArray[np.float64]
    payment_days: float

    @property
    def name(self) -> str:
        """Words that name the trade in messages."""
        return f"{self.goods} from {self.origin} to {self.destination}"


def trade_of(
    top: Table,
    countries: list[str],
    span: Months,
    notes: list[str],
    sources: list[str],
    left_out: list[tuple[str, str]],
) -> list[FiledTrade]:
    """Return all trade: flows of the file, and the tables' for the other pairs where it asks for them."""
    growth = top.number("growth_rate", 0.0, low=-1.0, expected="above -1 (0.03 is 3 % a year)")
    out: list[FiledTrade] = []
    for number, content in enumerate(top.list_of("flow"), 1):
        flow = _flow(content, number, countries, span, growth, top.problems, sources)
        if flow is not None:
            out.append(flow)
    wanted = top.text("trade", "none", among=("world", "none"))
    refuse = top.text("unreported", "refuse", among=("refuse", "leave_out")) == "refuse"
    if wanted != "world":
        if not top.list_of("flow"):
            top.wrong("there is no trade; give flows under [[flow]], or trade = 'world' for those of the tables")
        return out
    given = {(flow.origin, flow.destination) for flow in out}
    known = [code for code in countries if not unknown_countries(code)]
    for origin in known:
        for destination in known:
            pair = (origin, destination)
            if origin == destination or pair in given:
                continue
            annual, source = reported_trade(*pair)
            if not annual:
                left_out.append(pair)
                continue
            sources.append(source)
            last = max(annual)
            if last not in ("2024", "FY2025-26"):
                notes.append(f"{origin} to {destination}: {last} is the last year reported, and is carried on")
            cents = monthly_trade(annual, span, growth, "smooth")
            share, words = fuel_share(*pair)
            if share is None:
                out.append(FiledTrade(*pair, GOODS, cents / 100, 0.0))
                continue
            if words and share > 0.01:
                notes.append(f"{origin} to {destination}: the part of fuels, {share:.0%}, is {words}")
            fuels, other = split_exactly(cents, [np.full(1, share), np.full(1, 1 - share)])
            out += [
                FiledTrade(*pair, goods, part / 100, 0.0)
                for goods, part in ((FUELS, fuels), (GOODS, other))
                if part.any()
            ]
    notes.append(
        "after the last year reported its monthly average goes on"
        + (f", growing {growth:.1%} a year" if growth else "")
    )
    told = ", ".join(f"{seller} to {buyer}" for seller, buyer in left_out)
    if left_out and refuse:
        top.wrong(
            f"no trade is reported from {told} in 2023 or 2024, which is not zero; give it under [[flow]], or say "
            "unreported = 'leave_out'"
        )
    elif left_out:
        count = len(countries) * (len(countries) - 1)
        notes.append(f"{len(left_out)} of {count} flows are not reported and left out, which is not zero: {told}")
    return out


def _flow(
    content: object,
    number: int,
    countries: list[str],
    span: Months,
    growth: float,
    problems: list[str],
    sources: list[str],
) -> FiledTrade | None:
    table = Table(content, f"flow {number}", _FLOW, problems)
    before = len(problems)
    origin, destination = (table.text(key, among=countries) for key in ("origin", "destination"))
    goods = table.text("goods", "goods")
    days = table.number("payment_days", 0.0, expected="zero or more days")
    table.only_one_of("usd_a_year", "usd_by_year")
    sources.append(table.text("source", f"the file's own figures, flow {number}"))
    annual: dict[str, float] = {}
    if table.has("usd_by_year"):
        for year, value in table.mapping("usd_by_year").items():
            if not is_number(value) or value < 0:
                table.wrong(f"usd_by_year, {year}, is {value!r}; expected zero or more USD")
                continue
            annual[year] = float(value)
    else:
        annual = {str(span[0])[:4]: table.number("usd_a_year", expected="zero or more USD a year")}
    if len(problems) > before:
        return None
    try:
        usd = monthly_trade(annual, span, growth, "smooth" if table.has("usd_by_year") else "flat") / 100
    except InputError as error:
        problems += [f"{table.where}: {words}" for words in error.problems]
        return None
    return FiledTrade(origin, destination, goods, usd, days)


def invoice_rules(top: Table, countries: list[str]) -> list[InvoiceRule]:
    """Return the invoice rules of a file; what is wrong with them is added to its problems."""
    return [_rule(content, number, countries, top.problems) for number, content in enumerate(top.list_of("invoice"), 1)]


def _rule(content: object, number: int, countries: list[str], problems: list[str]) -> InvoiceRule:
    table = Table(content, f"invoice {number}", _INVOICE, problems)
    share: dict[str, Spread] = {
        code: table.spread_of(value, f"the share in {code}", high=1.0, expected=_SHARE)
        for code, value in table.mapping("share").items()
    }
    rest = table.text("rest", "")
    ends = [value if isinstance(value, tuple) else (value,) * 3 for value in share.values()]
    least, central, most = (sum(end[at] for end in ends) for at in range(3))
    if rest in share:
        table.wrong(f"rest is '{rest}', which has a share; name another currency, or leave its share out")
    elif rest and most > 1 + 1e-9:
        table.wrong(f"shares add up to as much as {most:g}; expected at most 1")
    elif not rest and (least < central or central < most):
        table.wrong("shares are uncertain; name the currency that takes the rest, as rest = 'USD'")
    elif not rest and abs(central - 1) > 1e-9:
        table.wrong(f"shares add up to {central:g}; expected 1, or name the currency that takes the rest: rest = 'USD'")
    start, end = table.day("valid_from"), table.day("valid_until")
    if start is not None and end is not None and end <= start:
        table.wrong(f"valid_until {end} is not after valid_from {start}; swap them or mend one")
    days = table.number("payment_days", expected="zero or more days") if table.has("payment_days") else None
    return InvoiceRule(
        table.where,
        table.text("origin", "", among=["", *countries]),
        table.text("destination", "", among=["", *countries]),
        table.text("goods", ""),
        share,
        rest,
        days,
        start,
        end,
    )


def invoiced(
    trade: list[FiledTrade], rules: list[InvoiceRule], span: Months, drawn: Draws, notes: list[str], problems: list[str]
) -> list[TradeStream]:
    """Return the trade with the currencies it is invoiced in, month by month."""
    out: list[TradeStream] = []
    used: set[str] = set()
    plain: list[FiledTrade] = []
    partly: list[FiledTrade] = []
    for flow in trade:
        fitting = [rule for rule in rules if rule.fits(flow.origin, flow.destination, flow.goods)]
        used |= {rule.name for rule in fitting}
        held: list[InvoiceRule | None] = [None] * span.size
        for rule in sorted(fitting, key=lambda r: (r.detail, r.valid_from or dt.date.min)):
            on = rule.open_in(span)
            for t in np.flatnonzero(on):
                other = held[t]
                if other is not None and (other.detail, other.valid_from) == (rule.detail, rule.valid_from):
                    problems.append(
                        f"{other.name} and {rule.name} both hold for {flow.name} in {span[t]}; name goods, origin or "
                        "destination in one of them, or give it a later valid_from"
                    )
                    break
                held[t] = rule
        if None in held:
            (plain if not any(held) else partly).append(flow)
        shares: dict[str, NDArray[np.float64]] = {}
        for rule in dict.fromkeys(held):
            on = np.array([other is rule for other in held], dtype=np.float64)[None, :]
            for code, share in _shares(rule, drawn).items():
                shares[code] = shares.get(code, np.zeros((1, 1))) + share * on
        days = {rule.payment_days for rule in held if rule is not None and rule.payment_days is not None}
        if len(days) > 1:
            problems.append(f"{flow.name}: payment_days changes from invoice to invoice; give one number for all")
        out.append(
            TradeStream(
                flow.origin, flow.destination, flow.goods, flow.usd, shares, max(days, default=flow.payment_days)
            )
        )
    if plain:
        notes.append(f"no invoice rule, so paid in dollars: {_told(plain, trade)}")
    if partly:
        notes.append(f"no invoice rule in some months, which are paid in dollars: {_told(partly, trade)}")
    kinds = {flow.goods for flow in trade}
    for rule in rules:
        if rule.name not in used and trade:
            hint = did_you_mean(rule.goods, kinds) if rule.goods and rule.goods not in kinds else ""
            problems.append(
                f"{rule.name} fits no flow{hint or ';'} goods traded here: {', '.join(sorted(kinds))}; mend or drop it"
            )
    return out


def _told(some: list[FiledTrade], trade: list[FiledTrade]) -> str:
    """Name flows; a pair once where all that it trades is among them."""
    pairs = dict.fromkeys((flow.origin, flow.destination) for flow in some)
    words: list[str] = []
    for pair in pairs:
        mine = [flow.goods for flow in some if (flow.origin, flow.destination) == pair]
        whole = len(mine) == sum((flow.origin, flow.destination) == pair for flow in trade)
        words.append(f"{pair[0]} to {pair[1]}" + ("" if whole else f" ({', '.join(mine)})"))
    return ", ".join(words)


def _shares(rule: InvoiceRule | None, drawn: Draws) -> dict[str, NDArray[np.float64]]:
    if rule is None:
        return {"USD": np.ones((1, 1))}
    out = {code: drawn.of(value, f"{rule.name} {code}") for code, value in rule.share.items()}
    if rule.rest:
        out[rule.rest] = np.maximum(1.0 - sum(out.values(), np.zeros((1, 1))), 0.0)
    return out
