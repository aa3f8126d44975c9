"""One call from two countries to an account with its stress and answers, one from obligations to what netting saves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, raise_all
from counterpoise.settle.accounts import Freeze
from counterpoise.settle.calibration import Fit, Observation, calibrate, draw_priors, observations
from counterpoise.settle.case import START, PairCase, Programme, pair_case
from counterpoise.settle.clearing import clear_cycles
from counterpoise.settle.ledger import Ledger, simulate
from counterpoise.settle.netting import NettingResult, Obligations, net_bilaterally, novate
from counterpoise.settle.outlook import Answers, OtherUses, answers
from counterpoise.settle.regimes import union_terms
from counterpoise.settle.tables import DatedRule, currency, dated_rules, permitted_uses, statements

__all__ = ["AS_OF", "NettingStudy", "SettlementStudy", "compare_netting", "study", "study_problems"]

AS_OF = "2025-09"
"""Month at whose end the questions are asked by default: the last before 3 October 2025."""

_RUPEE = "RUS:INR"

_NEAR_USD_BN = 0.01
"""What counts as down to a target: half the last digit that is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class SettlementStudy:
    """A pair's account: as it is if nothing happens, under stress, and what follows.

    Attributes
    ----------
    case
        The pair and its trade.
    parameters
        Draws: those that agree with the reports, or those of the priors where nothing is reported.
    fit
        The fit, or None where nothing is reported about the pair.
    baseline
        The account if nothing happens.
    stressed
        With the cap, freezes, refusals and the programme that were asked for, or None where none was.
    answers
        How fast, when, how much; about the baseline.
    words
        What the numbers mean, in sentences.
    rules
        Dated rules, for rupee accounts.
    cap_usd_bn, freezes, programme, refusal_rate, drain_by, target_usd_bn
        What was asked for.
    seed
        Seed of the draws.
    """

    case: PairCase
    parameters: pd.DataFrame
    fit: Fit | None
    baseline: Ledger
    stressed: Ledger | None
    answers: Answers
    words: tuple[str, ...]
    rules: tuple[DatedRule, ...]
    cap_usd_bn: float | None
    freezes: tuple[Freeze, ...]
    programme: Programme | None
    refusal_rate: float
    drain_by: str | None
    target_usd_bn: float
    seed: int

    @property
    def drained_in(self) -> NDArray[np.datetime64] | None:
        """First month in which the account, as changed, is down to the target; NaT in draws that never are.

        None where no programme was asked for. Down is no more than 10 mn USD above the target.
        """
        if self.stressed is None or self.programme is None:
            return None
        before = np.datetime64(self.programme.first, "M") - np.timedelta64(1, "M")
        return self.stressed.first_at_most(self.case.label, self.target_usd_bn + _NEAR_USD_BN, before)

    @property
    def reports(self) -> tuple[Observation, ...]:
        """Reported balances of the account, if any."""
        return observations() if self.case.label == _RUPEE else ()

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data, USD bn unless a name says otherwise."""
        label = self.case.label
        out: dict[str, Any] = {
            "seller": self.case.seller,
            "buyer": self.case.buyer,
            "account": label,
            "currency": self.case.currency,
            "draws": len(self.parameters),
            "seed": self.seed,
            "fitted": self.fit is not None,
            "words": list(self.words),
            "notes": list(self.case.notes),
            "source": self.case.source,
            "months": self.baseline.band(label).to_dict("records"),
            "as_of": str(self.answers.since),
            "answers": self.answers.table.to_dict("records"),
            "money_conserved": not self.baseline.check() and not (self.stressed.check() if self.stressed else ()),
        }
        if self.fit is not None:
            out |= {
                "acceptance_rate": self.fit.acceptance_rate,
                "identification": self.fit.identification().to_dict("records"),
                "ridges": self.fit.ridges().to_dict("records"),
                "reports": self.fit.predicted().to_dict("records"),
            }
        if self.stressed is not None:
            binds, drained = self.stressed.limit_binds(label), self.drained_in
            out["stress"] = {
                "cap_usd_bn": self.cap_usd_bn,
                "freezes": [
                    {"account": f.account, "first": f.first, "last": f.last, "blocks": f.blocks} for f in self.freezes
                ],
                "refusal_rate": self.refusal_rate,
                "programme_usd_bn_a_year": None
                if self.programme is None
                else float(np.median(np.asarray(self.programme.usd_a_year))) / 1e9,
                "drained_in": None
                if drained is None or np.isnat(drained).all()
                else str(_middle(drained[~np.isnat(drained)])),
                "drained_rate": None if drained is None else float((~np.isnat(drained)).mean()),
                "months": self.stressed.band(label).to_dict("records"),
                "limit_binds_in": None if np.isnat(binds).all() else str(_middle(binds[~np.isnat(binds)])),
                "limit_binds_rate": float((~np.isnat(binds)).mean()),
            }
        if self.rules:
            out["rules"] = [
                {"date": str(r.date), "label": r.label, "what": r.what, "source": r.source, "confidence": r.confidence}
                for r in self.rules
            ]
            out["permitted_uses"] = [
                {"use": p.use, "valid_from": str(p.valid_from), "extent": p.extent, "rule": p.rule, "source": p.source}
                for p in permitted_uses()
            ]
        if self.case.label == _RUPEE:
            out["statements"] = [
                {"date": s.date, "what": s.what, "source": s.source, "confidence": s.confidence} for s in statements()
            ]
        return out


def study(
    a: str = "IND",
    b: str = "RUS",
    *,
    case: PairCase | None = None,
    as_of: str = AS_OF,
    draws: int = 1000,
    cap_usd_bn: float | None = None,
    freezes: Sequence[tuple[str, str]] = (),
    freeze_all: bool = False,
    refusal_rate: float = 0.0,
    extra_imports_usd_bn: float | None = None,
    extra_from: str | None = None,
    drain_by: str | None = None,
    target_usd_bn: float = 0.0,
    other_uses: OtherUses = "unchanged",
    seed: int = 20251003,
) -> SettlementStudy:
    """Fit (or assume) the account of a pair, stress it, and answer the questions about it.

    Parameters
    ----------
    a, b
        Two countries; ignored where ``case`` is given.
    case
        A case made with `pair_case`.
    as_of
        Month at whose end the questions are asked; a later one than the case reaches is moved to its last but one.
    draws
        Draws kept.
    cap_usd_bn
        A cap on the account, from the month after ``as_of`` on; refusals begin then too.
    freezes
        First and last month of each freeze.
    freeze_all
        Whether a freeze stops what comes in as well.
    refusal_rate
        Probability that a payment is refused in a month.
    extra_imports_usd_bn, extra_from
        Extra purchases of the account's holder a year, and their first month (by default the one after ``as_of``).
    drain_by, target_usd_bn
        Month by whose end the account shall be down to the target. Where no extra purchases are given, those that
        reach the target are found, and run.
    other_uses
        What becomes of other uses once a programme runs: they take each month what they would have taken without it, or
        shrink with the account (which leaves a programme little to drain).
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        If anything is out of range; every problem is listed.
    DataError, NotConvergedError
        As `pair_case` and `calibrate`.
    """
    problems = study_problems(
        as_of=as_of, draws=draws, cap_usd_bn=cap_usd_bn, freezes=freezes, refusal_rate=refusal_rate,
        extra_imports_usd_bn=extra_imports_usd_bn, extra_from=extra_from, drain_by=drain_by,
        target_usd_bn=target_usd_bn,
    )  # fmt: skip
    raise_all(InputError, "the settlement cannot be studied", problems)
    pair = case if case is not None else pair_case(a, b)
    fitted = pair.label == _RUPEE and str(pair.months[0]) == START and "oil" in pair.sales
    fit = calibrate(pair, draws=draws, seed=seed) if fitted else None
    parameters = fit.parameters if fit is not None else draw_priors(draws, seed=seed)
    baseline = simulate(pair.arrangement(parameters))
    since = min(np.datetime64(as_of, "M"), pair.months[-2]) if pair.months.size > 1 else pair.months[-1]
    found = answers(
        pair, parameters, baseline, since=since, limit_usd_bn=cap_usd_bn,
        drain_by=None if drain_by is None else np.datetime64(drain_by, "M"), target_usd_bn=target_usd_bn,
    )  # fmt: skip
    starts = extra_from or str(since + np.timedelta64(1, "M"))
    programme = None
    if extra_imports_usd_bn is not None:
        programme = Programme(extra_imports_usd_bn * 1e9, starts)
    elif drain_by is not None:
        programme = Programme(found.extra_usd_a_year[other_uses], str(since + np.timedelta64(1, "M")), drain_by)
    frozen = tuple(Freeze(pair.label, first, last, "all" if freeze_all else "debits") for first, last in freezes)
    stress = cap_usd_bn is not None or bool(frozen) or bool(refusal_rate) or programme is not None
    stressed = None
    if stress:
        given = None
        if programme is not None and other_uses == "unchanged":
            spent = baseline.data["used"].sel(account=pair.label, use="other").to_numpy()
            given = spent / currency(pair.currency).minor_units
        arrangement = pair.arrangement(
            parameters, cap_usd_bn=cap_usd_bn, freezes=frozen, programme=programme, refusal_rate=refusal_rate,
            since=since, other_uses=given,
        )  # fmt: skip
        stressed = simulate(arrangement)
    words = _words(pair, fit, baseline, stressed, found, cap_usd_bn)
    if stressed is not None and programme is not None:
        months = stressed.first_at_most(
            pair.label, target_usd_bn + _NEAR_USD_BN, np.datetime64(programme.first, "M") - np.timedelta64(1, "M")
        )
        words = (*words, _drained_words(programme, months, target_usd_bn))
    rules = dated_rules() if pair.currency == "INR" else ()
    return SettlementStudy(
        pair,
        parameters,
        fit,
        baseline,
        stressed,
        found,
        words,
        rules,
        cap_usd_bn,
        frozen,
        programme,
        refusal_rate,
        drain_by,
        target_usd_bn,
        seed,
    )


def study_problems(
    *,
    as_of: str = AS_OF,
    draws: int = 1000,
    cap_usd_bn: float | None = None,
    freezes: Sequence[tuple[str, str]] = (),
    refusal_rate: float = 0.0,
    extra_imports_usd_bn: float | None = None,
    extra_from: str | None = None,
    drain_by: str | None = None,
    target_usd_bn: float = 0.0,
) -> list[str]:
    """Return what is wrong with the options of `study`, each by its name there."""
    amounts = {"cap_usd_bn": cap_usd_bn, "extra_imports_usd_bn": extra_imports_usd_bn, "target_usd_bn": target_usd_bn}
    problems = [
        f"{name} is {value:g}; expected zero or more USD bn"
        for name, value in amounts.items()
        if value is not None and not 0 <= value < np.inf
    ]
    if not 0 <= refusal_rate < 1:
        problems.append(f"refusal_rate is {refusal_rate:g}; expected a probability from 0 to below 1 (0.3 is 30 %)")
    if draws < 20:
        problems.append(f"draws is {draws}; expected at least 20")
    named = {"as_of": as_of, "extra_from": extra_from, "drain_by": drain_by}
    wanted = [(name, text) for name, text in named.items() if text is not None]
    wanted += [("freeze", month) for span in freezes for month in span]
    problems += [f"{name} is '{text}'; expected a month, as 2026-01" for name, text in wanted if not _is_month(text)]
    problems += [
        f"freeze {first} to {last} ends before it begins; swap the months"
        for first, last in freezes
        if _is_month(first) and _is_month(last) and last < first
    ]
    return problems


def _is_month(text: str) -> bool:
    try:
        return len(text) == 7 and not np.isnat(np.datetime64(text, "M"))
    except ValueError:
        return False


def _middle(months: NDArray[np.datetime64]) -> np.datetime64:
    """Return the middle one of some months."""
    return np.sort(months).astype("datetime64[M]")[months.size // 2]


def _in_words(month: np.datetime64) -> str:
    return dt.date.fromisoformat(f"{str(month)[:7]}-01").strftime("%B %Y")


def _words(
    case: PairCase, fit: Fit | None, baseline: Ledger, stressed: Ledger | None, found: Answers, cap_usd_bn: float | None
) -> tuple[str, ...]:
    out: list[str] = []
    if fit is not None:
        out.append(fit.statement())
        last = max(report.month for report in fit.reports if report.fitted == "yes")
        out.append(
            f"After {_in_words(last)} nothing is reported: from there on the band shows what follows if shares "
            "and uses stay as they were, and no more than that."
        )
    else:
        out.append(
            f"Nothing is reported about the account of {case.label}: the band is that of the assumptions "
            "alone, and wide."
        )
    table = found.table.set_index("question")
    here = table.loc["in the account"]
    out.append(
        f"At the end of {_in_words(found.since)} the account holds {here['low']:.1f} to {here['high']:.1f} USD bn."
    )
    rest = table.loc["comes to rest at"]
    out.append(
        f"With the flows of the year that follows it comes to rest at {rest['low']:.1f} to {rest['high']:.1f} USD bn."
    )
    for question, row in table.iterrows():
        if str(question).startswith("extra purchases"):
            out.append(f"E{str(question)[1:]}: {row['low']:.2f} to {row['high']:.2f} USD bn a year.")
    if stressed is not None and cap_usd_bn is not None:
        binds = stressed.limit_binds(case.label)
        never = np.isnat(binds)
        words = (
            "never binds"
            if never.all()
            else (
                f"binds in {1 - never.mean():.0%} of the draws, in half of those by {_in_words(_middle(binds[~never]))}"
            )
        )
        out.append(f"A cap of {cap_usd_bn:g} USD bn {words}.")
    return tuple(out)


def _drained_words(programme: Programme, months: NDArray[np.datetime64], target_usd_bn: float) -> str:
    """Say when a programme has brought the account down, and in how many draws it never does."""
    a_year = float(np.median(np.asarray(programme.usd_a_year))) / 1e9
    start = (
        f"Extra purchases of {a_year:.2f} USD bn a year from {_in_words(np.datetime64(programme.first, 'M'))} on "
        f"bring the account down to {target_usd_bn:g} "
    )
    reached = np.sort(months[~np.isnat(months)]).astype("datetime64[M]")
    if reached.size == 0:
        return f"{start}in none of the draws."
    low, high = (reached[int(q * (reached.size - 1))] for q in (0.05, 0.95))
    part = "" if reached.size == months.size else f" in {reached.size / months.size:.0%} of the draws,"
    if low == high:
        return f"{start.rstrip()}{part} in {_in_words(low)}."
    return f"{start.rstrip()}{part} between {_in_words(low)} and {_in_words(high)}."


@dataclass(frozen=True, slots=True, eq=False)
class NettingStudy:
    """What each way of netting leaves.

    Attributes
    ----------
    obligations
        Before.
    results
        Bilateral netting, cycle clearing, multilateral novation.
    """

    obligations: Obligations
    results: tuple[NettingResult, ...]

    def table(self) -> pd.DataFrame:
        """Return one row per method: method, settled_minor, efficiency (part that needs no money), obligations left."""
        gross = self.obligations.gross
        rows: list[dict[str, str | int | float]] = [
            {
                "method": "gross",
                "settled_minor": gross,
                "efficiency": 0.0,
                "obligations": int((self.obligations.amount > 0).sum()),
            }
        ]
        rows += [
            {
                "method": r.method,
                "settled_minor": r.settled_minor,
                "efficiency": r.efficiency,
                "obligations": int((r.after.amount > 0).sum()),
            }
            for r in self.results
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data; amounts in smallest units."""
        net = self.obligations.net_positions()
        return {
            "parties": len(self.obligations.parties),
            "gross_minor": self.obligations.gross,
            "methods": self.table().to_dict("records"),
            "payments_union": union_terms(self.obligations).to_dict("records"),
            "net_positions_minor": {party: int(net[k]) for k, party in enumerate(self.obligations.parties)},
            "net_positions_unchanged": not any(result.check() for result in self.results),
        }


def compare_netting(obligations: Obligations) -> NettingStudy:
    """Net the same obligations in every way.

    Parameters
    ----------
    obligations
        Who owes whom how much.
    """
    return NettingStudy(obligations, (net_bilaterally(obligations), clear_cycles(obligations), novate(obligations)))
