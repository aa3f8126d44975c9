"""From a list of countries to their accounts: all pairs among them, each as the pair alone would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, raise_all
from counterpoise.settle.accounts import Account, Arrangement, Freeze, Use
from counterpoise.settle.calibration import calibrate, draw_priors
from counterpoise.settle.case import MONTHS, START, PairCase, pair_case
from counterpoise.settle.flows import TradeStream, month_range
from counterpoise.settle.joint import Aim, JointCase
from counterpoise.settle.overview import AS_OF, study_problems
from counterpoise.settle.trade import RUPEE_PAIR, monthly_trade, reported_trade, unknown_countries

__all__ = ["joint_case"]

_HARD = "USD"


def joint_case(
    countries: Sequence[str],
    *,
    first: str | None = None,
    months: int = MONTHS,
    as_of: str = AS_OF,
    rates: Mapping[str, float] | None = None,
    depreciation_rate: float = 0.0,
    growth_rate: float = 0.0,
    cap_usd_bn: float | None = None,
    freezes: Sequence[tuple[str, str]] = (),
    freeze_all: bool = False,
    refusal_rate: float = 0.0,
    drain_by: str | None = None,
    target_usd_bn: float = 0.0,
    draws: int = 1000,
    seed: int = 20251003,
) -> JointCase:
    """Put the accounts of all pairs among some countries side by side.

    In each pair the one that sells more holds an account in the buyer's currency, as `pair_case` has it, with the part
    of the invoices, the uses and the conversion drawn from the priors of `draw_priors`; for India and Russia, where
    something is reported, from the draws that agree with it. A pair whose buyer's currency is the dollar, or has no
    rate, keeps no account.

    Parameters
    ----------
    countries
        Two or more ISO3 codes or regions.
    first, months, rates, depreciation_rate, growth_rate
        As `pair_case`; by default from December 2022 where India and Russia are among them, else from January 2023.
    as_of
        Month at whose end the questions are asked; cap and refusals hold from the month after. One later than the run
        reaches is moved to its last but one.
    cap_usd_bn, freezes, freeze_all, refusal_rate
        Stress, the same for every account.
    drain_by, target_usd_bn
        Month by whose end every account shall be down to the target, and what shall be left of each.
    draws, seed
        Draws of the uncertain numbers, independent between pairs.

    Raises
    ------
    InputError
        If anything is out of range; every problem is listed.
    """
    problems = [
        f"{code} is named {countries.count(code)} times; name each country once" for code in _repeated(countries)
    ]
    if len(set(countries)) < 2:
        problems.append(f"{len(set(countries))} country is given; expected at least 2")
    problems += unknown_countries(*dict.fromkeys(countries))
    problems += study_problems(
        as_of=as_of, draws=draws, cap_usd_bn=cap_usd_bn, freezes=freezes, refusal_rate=refusal_rate,
        drain_by=drain_by, target_usd_bn=target_usd_bn,
    )  # fmt: skip
    start = first or (START if set(countries) >= RUPEE_PAIR else "2023-01")
    try:
        span = month_range(start, months)
    except InputError as error:
        raise_all(InputError, "nothing can be settled", [*problems, *error.problems])
        raise
    problems += aim_problems(drain_by, span)
    problems += [
        f"rate of {code} is {value:g}; expected units per USD above zero"
        for code, value in (rates or {}).items()
        if not 0 < value < np.inf
    ]
    problems += [
        f"{name} is {value:g}; expected above -1 (0.03 is 3 % a year)"
        for name, value in (("growth_rate", growth_rate), ("depreciation_rate", depreciation_rate))
        if not value > -1
    ]
    raise_all(InputError, "nothing can be settled", problems)
    since = min(np.datetime64(as_of, "M"), span[max(span.size - 2, 0)])

    streams: list[TradeStream] = []
    accounts: dict[str, Account] = {}
    paths: dict[str, NDArray[np.float64]] = {}
    left_out: list[tuple[str, str]] = []
    outside: list[str] = []
    notes: list[str] = []
    sources: list[str] = []
    for number, (a, b) in enumerate(combinations(countries, 2)):
        reported = {pair: reported_trade(*pair) for pair in ((a, b), (b, a))}
        silent = [pair for pair, (annual, _) in reported.items() if not annual]
        left_out += silent
        sources += [source for annual, source in reported.values() if annual]
        if silent:
            streams += [
                TradeStream(*pair, "goods", monthly_trade(annual, span, growth_rate, "smooth") / 100, {_HARD: 1.0})
                for pair, (annual, _) in reported.items()
                if annual
            ]
            continue
        pair = pair_case(
            a, b, first=start, months=months, rates=rates, depreciation_rate=depreciation_rate,
            growth_rate=growth_rate,
        )  # fmt: skip
        notes += [_carried_words(pair)] if "2024" not in reported[a, b][0] and {a, b} != RUPEE_PAIR else []
        if pair.currency == _HARD:
            outside.append(f"{pair.seller} and {pair.buyer}")
            streams += _in_dollars(pair)
            continue
        fitted = {a, b} == RUPEE_PAIR and start == START and months > 24
        table = calibrate(pair, draws=draws, seed=seed).parameters if fitted else draw_priors(draws, seed=seed + number)
        if fitted:
            notes.append(f"{pair.label}: the draws agree with the balances reported of it")
        one = pair.arrangement(table, cap_usd_bn=cap_usd_bn, refusal_rate=refusal_rate, since=since)
        streams += one.streams
        account = one.accounts[0]
        accounts[account.label] = _joined(accounts[account.label], account) if account.label in accounts else account
        paths[pair.currency] = pair.rate
    if not accounts:
        raise InputError(
            f"no account can be kept among {', '.join(countries)}: no buyer's currency has a rate but the dollar; give "
            "rates={'CODE': units per USD} (on the command line: --rate CODE=UNITS)"
        )
    notes = [*_default_words(accounts, start, growth_rate, outside, left_out, countries), *notes]
    blocks = "all" if freeze_all else "debits"
    return JointCase(
        title=f"Accounts among {', '.join(countries)}",
        countries=tuple(countries),
        arrangement=Arrangement(
            span, tuple(streams), tuple(accounts.values()), paths,
            tuple(Freeze(label, begin, end, blocks) for label in accounts for begin, end in freezes),
        ),
        since=since,
        aims=() if drain_by is None else tuple(Aim(label, drain_by, target_usd_bn * 1e9) for label in accounts),
        left_out=tuple(left_out),
        notes=tuple(notes),
        sources=tuple(dict.fromkeys(sources)),
        seed=seed,
    )  # fmt: skip


def aim_problems(drain_by: str | None, span: NDArray[np.datetime64], where: str = "drain_by") -> list[str]:
    """Return what is wrong with a month to drain an account by."""
    if drain_by is None:
        return []
    try:
        month = np.datetime64(drain_by, "M")
    except ValueError:
        return []
    if not span[0] <= month <= span[-1]:
        return [f"{where} is {drain_by}; expected a month from {span[0]} to {span[-1]}, or run more months"]
    return []


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _in_dollars(pair: PairCase) -> list[TradeStream]:
    """Return the trade of a pair that keeps no account: all of it in dollars."""
    out = [TradeStream(pair.seller, pair.buyer, name, cents / 100, {_HARD: 1.0}) for name, cents in pair.sales.items()]
    return [*out, TradeStream(pair.buyer, pair.seller, "goods", pair.purchases / 100, {_HARD: 1.0})]


def _joined(one: Account, other: Account) -> Account:
    """Put two pairs' accounts of the same holder and currency together: what either converts is converted."""
    converted = [use.amount for account in (one, other) for use in account.uses if use.kind == "conversion"]
    amount = sum((np.asarray(value, dtype=np.float64) for value in converted), np.zeros((1, 1)))
    uses = tuple(Use("conversion", amount=amount) if use.kind == "conversion" else use for use in one.uses)
    return replace(one, uses=uses)


def _carried_words(pair: PairCase) -> str:
    return f"{pair.seller} and {pair.buyer}: 2023 is the last year reported, and is carried on"


def _default_words(
    accounts: Mapping[str, Account],
    start: str,
    growth_rate: float,
    outside: Sequence[str],
    left_out: Sequence[tuple[str, str]],
    countries: Sequence[str],
) -> list[str]:
    """Say what was assumed for lack of anything else."""
    growth = f", growing {growth_rate:.1%} a year" if growth_rate else ""
    out = [
        "in each pair the one that sells more holds the other's currency: " + ", ".join(accounts),
        f"every account is empty before {start}; which part of the invoices goes through it, what is used and what is "
        "converted is drawn from wide priors, the same for every pair; the rest is paid in dollars",
        f"after the last year reported its monthly average goes on{growth}",
    ]
    if outside:
        out.append(
            f"no account between {'; '.join(outside)}: the buyer's currency is the dollar or has no rate here; "
            "--rate CODE=UNITS_PER_USD gives one"
        )
    if left_out:
        flows = len(countries) * (len(countries) - 1)
        out.append(
            f"{len(left_out)} of {flows} flows are not reported and left out, which is not zero: "
            + ", ".join(f"{seller} to {buyer}" for seller, buyer in left_out)
        )
    return out
