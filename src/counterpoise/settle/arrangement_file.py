"""Accounts among several countries from one TOML file: currencies, trade, invoices, accounts, stress and aims.

Every mistake in the file is found before anything is run, and told in one message.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.settle.accounts import USES, Account, Arrangement, Freeze, Use, path_between
from counterpoise.settle.among import aim_problems
from counterpoise.settle.arrangement_table import Draws, Table, is_number
from counterpoise.settle.arrangement_trade import invoice_rules, invoiced, trade_of
from counterpoise.settle.flows import Months, TradeStream, month_range, period_start
from counterpoise.settle.joint import Aim, JointCase
from counterpoise.settle.tables import shipped_rates
from counterpoise.settle.trade import unknown_countries

__all__ = ["arrangement_case", "read_arrangement", "shipped_arrangements"]

_TOP = (
    "title", "countries", "first", "months", "as_of", "netting_months", "trade", "growth_rate", "unreported",
    "currencies", "flow", "invoice", "account", "programme",
)  # fmt: skip
_ACCOUNT = (
    "holder", "currency", "opening", "opening_usd", "interest_rate", "investment_rate", "redemption_rate", "cap",
    "cap_usd", "refusal_rate", "value_clause", "drain_by", "target_usd", "use", "freeze", "refusal",
)  # fmt: skip
_USE = ("kind", "rate", "amount", "amount_usd", "limit", "limit_usd", "valid_from", "valid_until")
_PROGRAMME = ("buyer", "seller", "goods", "currency", "usd_a_year", "first", "last")
_CURRENCY = ("rate", "path", "depreciation_rate")
_PROBABILITY = "a probability from 0 to below 1 (0.3 is 30 %)"
_BELOW_ONE = float(np.nextafter(1.0, 0.0))
_RATES = {
    "interest_rate": (10.0, "a rate a year from 0 to 10 (0.06 is 6 %)"),
    "investment_rate": (10.0, "a rate a year from 0 to 10 (0.06 is 6 %)"),
    "redemption_rate": (1.0, "0 to 1 a month"),
}


def shipped_arrangements() -> tuple[str, ...]:
    """Return the names of the files that the package ships."""
    folder = resources.files("counterpoise.settle").joinpath("library")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def read_arrangement(
    path: Path | str,
    *,
    months: int | None = None,
    as_of: str | None = None,
    drain_by: str | None = None,
    target_usd_bn: float = 0.0,
    draws: int = 1000,
    seed: int = 20251003,
) -> JointCase:
    """Read accounts among several countries from a TOML file.

    Parameters
    ----------
    path
        File, or the name of one that the package ships (`shipped_arrangements`).
    months, as_of, drain_by, target_usd_bn, draws, seed
        As `arrangement_case`.

    Raises
    ------
    InputError
        If there is no such file, it is no TOML, or anything in it cannot be used; every problem is listed.
    """
    given = Path(path)
    if given.is_file():
        content, name = given.read_bytes(), given.name
    elif str(path) in shipped_arrangements():
        content = resources.files("counterpoise.settle").joinpath("library", f"{path}.toml").read_bytes()
        name = str(path)
    else:
        shipped = shipped_arrangements()
        raise InputError(
            f"{path} is no file{did_you_mean(str(path), shipped) or ';'} expected a TOML file with accounts, or one "
            f"that is shipped: {', '.join(shipped)}"
        )
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is no TOML: {error}") from None
    return arrangement_case(
        tables, name=name, months=months, as_of=as_of, drain_by=drain_by, target_usd_bn=target_usd_bn, draws=draws,
        seed=seed,
    )  # fmt: skip


def arrangement_case(
    tables: Mapping[str, Any],
    *,
    name: str = "the arrangement",
    months: int | None = None,
    as_of: str | None = None,
    drain_by: str | None = None,
    target_usd_bn: float = 0.0,
    draws: int = 1000,
    seed: int = 20251003,
) -> JointCase:
    """Make accounts among several countries from nested tables, as a TOML file holds them.

    Parameters
    ----------
    tables
        Keys as on the page about settling between several countries. A number may be one, or three (low, central,
        high), which are then drawn from a triangular distribution.
    name
        Words that name the file in messages.
    months, as_of
        Replace those of the file: how many months, and at the end of which one questions are asked.
    drain_by, target_usd_bn
        Month by whose end every account shall be down to the target, besides the aims of the file.
    draws, seed
        Draws of what is uncertain; one where nothing is.

    Raises
    ------
    InputError
        If anything cannot be used; every problem is listed.
    """
    problems: list[str] = []
    top = Table(tables, name, _TOP, problems)
    countries = _countries(top)
    first = top.month("first", "2025-01") or "2025-01"
    count = months if months is not None else top.whole("months", 36)
    if count < 1:
        problems.append(f"months is {count}; expected at least 1")
    span = month_range(first, max(count, 1))
    drawn = Draws(draws, seed)
    if draws < 20:
        problems.append(f"draws is {draws}; expected at least 20")
    notes: list[str] = []
    sources: list[str] = []
    left_out: list[tuple[str, str]] = []
    trade = trade_of(top, countries, span, notes, sources, left_out)
    before = len(problems)
    rules = invoice_rules(top, countries)
    rules_hold = len(problems) == before
    given_rates = _given_rates(top, span)
    streams = invoiced(trade, rules, span, drawn, notes, problems)
    accounts, freezes, aims = _accounts(top, countries, span, given_rates, drawn)
    streams += _programmes(top, countries, span, drawn)
    rates = _rates(given_rates, accounts, span, notes, problems)
    since = _since(as_of or top.month("as_of"), span, problems)
    labels = [account.label for account in accounts]
    aims = [aim for aim in aims if drain_by is None] + (
        [] if drain_by is None else [Aim(label, drain_by, target_usd_bn * 1e9) for label in labels]
    )
    for aim in aims:
        problems += aim_problems(aim.by, span, f"account {aim.account}: drain_by")
    if not 0 <= target_usd_bn < np.inf:
        problems.append(f"target_usd_bn is {target_usd_bn:g}; expected zero or more USD bn")
    if not accounts and not top.list_of("account"):
        problems.append("there is no account; give at least one under [[account]]")
    for part in (*(streams if rules_hold else ()), *accounts):
        problems += part.problems()
    for freeze in freezes:
        problems += freeze.problems(labels)
    every = top.whole("netting_months", 1)
    raise_all(InputError, f"{name} cannot be used", dict.fromkeys(problems))
    try:
        arrangement = Arrangement(span, tuple(streams), tuple(accounts), rates, tuple(freezes))
    except InputError as error:
        raise_all(InputError, f"{name} cannot be used", error.problems)
        raise
    return JointCase(
        title=top.text("title", f"Accounts among {', '.join(countries)}"),
        countries=tuple(countries),
        arrangement=arrangement,
        since=since,
        aims=tuple(aims),
        every=every,
        left_out=tuple(left_out),
        notes=tuple(dict.fromkeys(notes)),
        sources=tuple(dict.fromkeys(sources)),
        seed=seed,
    )


def _countries(top: Table) -> list[str]:
    listed = top.list_of("countries")
    codes = [code for code in listed if isinstance(code, str)]
    if len(codes) < len(listed):
        top.wrong('countries holds what is no word; expected codes in quotes, as ["IND", "RUS"]')
    if len(set(codes)) < 2:
        top.wrong(f'countries names {len(set(codes))}; expected at least 2, as ["IND", "RUS", "CHN"]')
    top.problems += [f"countries: {words}" for words in unknown_countries(*dict.fromkeys(codes))]
    top.problems += [
        f"countries names {code} {codes.count(code)} times; name each once"
        for code in dict.fromkeys(codes)
        if codes.count(code) > 1
    ]
    return list(dict.fromkeys(codes))


def _since(text: str | None, span: Months, problems: list[str]) -> np.datetime64:
    before = span[0] - np.timedelta64(1, "M")
    if text is None:
        return before
    try:
        month = np.datetime64(text, "M")
    except ValueError:
        problems.append(f"as_of is '{text}'; expected a month, as 2026-01")
        return before
    if not before <= month < span[-1]:
        problems.append(f"as_of is {text}; expected a month from {before} to the last but one, {span[-1] - 1}")
        return before
    return month


def _given_rates(top: Table, span: Months) -> dict[str, NDArray[np.float64]]:
    """Return the exchange rates of the file, units per USD by month."""
    out: dict[str, NDArray[np.float64]] = {}
    for code, content in top.mapping("currencies").items():
        where = f"currencies, {code}"
        table = Table({"rate": content} if is_number(content) else content, where, _CURRENCY, top.problems)
        fall = table.number("depreciation_rate", 0.0, low=-1.0, expected="above -1 (0.03 is 3 % a year)")
        table.only_one_of("rate", "path")
        points: dict[str, float] = {}
        if table.has("path"):
            for period, value in table.mapping("path").items():
                try:
                    period_start(period)
                except InputError as error:
                    table.problems += [f"{where}: {words}" for words in error.problems]
                    continue
                points[period] = _rate(table, value, period)
        elif table.has("rate"):
            points[str(span[0])] = _rate(table, table.content["rate"], "the rate")
        else:
            points = dict(shipped_rates(code))
            if not points:
                table.wrong("has no rate; give rate = units per USD, or a path by month")
        if points and fall > -1:
            out[code] = path_between(points, span, depreciation_rate=fall)
    return out


def _rate(table: Table, value: object, what: str) -> float:
    if is_number(value) and value > 0:
        return float(value)
    table.wrong(f"{what} is {value!r}; expected units per USD above zero")
    return 1.0


def _rates(
    given: Mapping[str, NDArray[np.float64]],
    accounts: list[Account],
    span: Months,
    notes: list[str],
    problems: list[str],
) -> dict[str, NDArray[np.float64]]:
    out = dict(given)
    for code in dict.fromkeys(account.currency for account in accounts):
        if code in out or code == "USD":
            continue
        points = shipped_rates(code)
        if not points:
            problems.append(f"currency {code} has no rate; give one in the file: [currencies] {code} = units per USD")
            continue
        out[code] = path_between(points, span)
        notes.append(f"{code}: the rate is the one shipped, last of {list(points)[-1]}")
    return out


def _accounts(
    top: Table, countries: list[str], span: Months, rates: Mapping[str, NDArray[np.float64]], drawn: Draws
) -> tuple[list[Account], list[Freeze], list[Aim]]:
    accounts: list[Account] = []
    freezes: list[Freeze] = []
    aims: list[Aim] = []
    for number, content in enumerate(top.list_of("account"), 1):
        table = Table(content, f"account {number}", _ACCOUNT, top.problems)
        holder, code = table.text("holder", among=countries), table.text("currency")
        if not holder or not code:
            continue
        label = f"{holder}:{code}"
        table.where = f"account {label}"
        rate = rates.get(code)
        if rate is None:
            shipped = shipped_rates(code)
            rate = path_between(shipped, span) if shipped else np.ones(span.size)
        grid = rate[None, :]
        opening = _money(table, "opening", grid[:, :1], drawn)
        account = Account(
            holder,
            code,
            opening=0.0 if opening is None else opening,
            cap=_money(table, "cap", grid, drawn),
            refusal_rate=_refusals(table, span, drawn),
            value_clause=table.flag("value_clause"),
            uses=tuple(_use(use, label, grid, drawn, table) for use in table.list_of("use")),
            **{
                key: drawn.of(table.spread(key, 0.0, high=high, expected=words), f"{label} {key}")
                for key, (high, words) in _RATES.items()
            },
        )
        accounts.append(account)
        for span_content in table.list_of("freeze"):
            part = Table(span_content, f"account {label}, freeze", ("first", "last", "blocks"), top.problems)
            begin, end = part.need_month("first"), part.need_month("last")
            blocks = part.text("blocks", "debits", among=("debits", "all"))
            if begin and end:
                freezes.append(Freeze(label, begin, end, cast("Literal['debits', 'all']", blocks)))
        by = table.month("drain_by")
        target = table.number("target_usd", 0.0, expected="zero or more USD")
        if by is not None:
            aims.append(Aim(label, by, target))
        elif table.has("target_usd"):
            table.wrong("target_usd needs drain_by, the month by whose end it shall be reached")
    return accounts, freezes, aims


def _money(table: Table, key: str, rate: NDArray[np.float64], drawn: Draws) -> NDArray[np.float64] | None:
    """Return an amount in units of the currency, or None; one in USD at each month's rate."""
    table.only_one_of(key, f"{key}_usd")
    name = f"{table.where} {key}"
    if table.has(f"{key}_usd"):
        return drawn.of(table.spread(f"{key}_usd", 0.0, expected="zero or more USD"), name) * rate
    if table.has(key):
        return drawn.of(table.spread(key, 0.0, expected="zero or more units of the currency"), name)
    return None


def _refusals(table: Table, span: Months, drawn: Draws) -> NDArray[np.float64]:
    """Return the probability that a payment is refused, month by month."""
    base = table.spread("refusal_rate", 0.0, high=_BELOW_ONE, expected=_PROBABILITY)
    out = drawn.of(base, f"{table.where} refusal_rate")
    for content in table.list_of("refusal"):
        part = Table(content, f"{table.where}, refusal", ("first", "last", "rate"), table.problems)
        begin, end = part.need_month("first"), part.need_month("last")
        if not part.has("rate"):
            part.wrong(f"rate is missing; expected {_PROBABILITY}")
        drawn_rate = drawn.of(part.spread("rate", 0.0, high=_BELOW_ONE, expected=_PROBABILITY), f"{part.where} {begin}")
        if begin and end:
            if end < begin:
                part.wrong(f"{begin} to {end} ends before it begins; swap the months")
            on = (span >= np.datetime64(begin, "M")) & (span <= np.datetime64(end, "M"))
            out = np.where(on[None, :], drawn_rate, out)
    return out


def _use(content: object, label: str, rate: NDArray[np.float64], drawn: Draws, account: Table) -> Use:
    table = Table(content, f"account {label}, use", _USE, account.problems)
    kind = table.text("kind", among=USES) or "other"
    table.where = f"account {label}, {kind}"
    if not any(table.has(key) for key in ("rate", "amount", "amount_usd")):
        table.wrong("neither rate (a share of the account a month) nor amount is given, so that nothing is used")
    amount = _money(table, "amount", rate, drawn)
    return Use(
        kind,
        rate=drawn.of(table.spread("rate", 0.0, high=1.0, expected="0 to 1 a month"), f"{table.where} rate"),
        amount=0.0 if amount is None else amount,
        limit=_money(table, "limit", rate, drawn),
        valid_from=table.day("valid_from"),
        valid_until=table.day("valid_until"),
    )


def _programmes(top: Table, countries: list[str], span: Months, drawn: Draws) -> list[TradeStream]:
    out: list[TradeStream] = []
    for number, content in enumerate(top.list_of("programme"), 1):
        table = Table(content, f"programme {number}", _PROGRAMME, top.problems)
        buyer, seller = (table.text(key, among=countries) for key in ("buyer", "seller"))
        code, goods = table.text("currency"), table.text("goods", f"programme {number}")
        if not table.has("usd_a_year"):
            table.wrong("usd_a_year is missing; expected zero or more USD a year")
        amount = drawn.of(table.spread("usd_a_year", 0.0, expected="zero or more USD a year"), f"{table.where} usd")
        begin, end = table.month("first", str(span[0])), table.month("last", str(span[-1]))
        if begin and end and end < begin:
            table.wrong(f"{begin} to {end} ends before it begins; swap the months")
        on = (span >= np.datetime64(begin or span[0], "M")) & (span <= np.datetime64(end or span[-1], "M"))
        if buyer and seller and code:
            out.append(TradeStream(seller, buyer, goods, amount * on / 12, {code: 1.0}))
    return out
