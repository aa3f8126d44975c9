"""The chapter on accounts among several countries: who holds whose money, which limit binds, what netting saves."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure, Mark
from counterpoise.report.numbers import INTEGER, NumberFormat
from counterpoise.report.settlement import day_of, month_words, place_name

if TYPE_CHECKING:
    from counterpoise.settle import JointStudy

__all__ = ["account_words", "joint_section", "joint_sentences", "limit_words"]

_BN = NumberFormat(1)
_BN2 = NumberFormat(2)
_MOST_LINES = 6
_SMALL = 0.02
_SHORT = {
    "all_hard": "All in hard currency, one by one",
    "all_hard_novated": "All in hard currency, clearing house",
    "accounts": "With the accounts, one by one",
    "bilateral": "With the accounts, pairs netted",
    "cycles": "With the accounts, circles cleared",
    "novation": "With the accounts, clearing house",
}


_BRIEF = {"refusal": "refused", "freeze": "frozen"}
_LIMITS = {
    "cap": "the cap turns sales away",
    "empty": "empty, goods paid with other money",
    "refusal": "payments refused",
    "freeze": "frozen",
}


def account_words(label: str) -> str:
    """Return an account in words: ``RUS:INR`` is Russia in INR."""
    holder, _, code = label.partition(":")
    return f"{place_name(holder)} in {code}"


def joint_section(study: JointStudy) -> Section:
    """Write the chapter.

    Parameters
    ----------
    study
        Accounts among several countries.

    Returns
    -------
    Section with the accounts over time, which limits bind when, what moves in hard currency, and the tables behind.
    """
    figures = [_over_time(study)]
    if study.binding:
        figures.append(_binding(study))
    figures.append(_hard(study))
    tables = [_accounts(study), _months(study)]
    if not study.limits().empty:
        tables.append(_limits(study))
    if not study.drains.empty:
        tables.append(_drains(study))
    if study.balances is not None:
        tables.append(_balances(study))
    saved = study.hard.table(study.periods).set_index("method")["saved_rate"]
    return Section(
        id="settlement-joint",
        title=f"Accounts in each other's money spare {saved['accounts']:.0%} of the hard currency, and "
        f"{saved['novation']:.0%} where the rest goes through a clearing house",
        prose=joint_sentences(study),
        callout=" ".join(f"{note[:1].upper()}{note[1:]}." for note in study.case.notes),
        figures=tuple(figures),
        tables=tuple(tables),
    )


def joint_sentences(study: JointStudy) -> tuple[str, ...]:
    """Return what the run says, in sentences.

    Parameters
    ----------
    study
        Accounts among several countries.
    """
    table = study.accounts()
    moved = _moved(study)
    last = month_words(str(study.case.arrangement.months[-1]))
    top = table.sort_values("end_usd", ascending=False).iloc[0]
    among = _listed([place_name(code) for code in study.case.countries])
    out = [
        f"Among {among} {moved['all_hard']:,.1f} USD bn fall due in {len(study.case.arrangement.months)} months; "
        f"{moved['accounts']:,.1f} of them still move in hard currency beside the accounts, {moved['novation']:,.1f} "
        "where these are netted through a clearing house."
    ]
    if moved["novation"] > moved["all_hard_novated"]:
        out.append(
            f"A clearing house for all trade in hard currency would need {moved['all_hard_novated']:,.1f}, less than "
            "the accounts and a clearing house for the rest: what goes into an account is not there to be netted any "
            "more, and what is converted moves besides."
        )
    if float(top["end_usd"]) > 0:
        held = _band(*(float(top[name]) / 1e9 for name in ("end_usd_low", "end_usd_high")), digits=1)
        out.append(f"Most is left with {account_words(str(top['account']))}: {held} USD bn at the end of {last}.")
    limits = study.limits()
    caps = limits[limits["limit"] == "cap"]
    out += [
        f"{account_words(str(row['account']))}: the cap binds"
        + (f" in {row['rate']:.0%} of the draws, first in {month_words(str(row['first']))} in half of those."
           if row["rate"] < 1 else f" from {month_words(str(row['first']))}.")
        for row in caps.to_dict("records")
    ]  # fmt: skip
    for row in study.drains.to_dict("records"):
        if row["uses"] == "unchanged":
            out.append(_drain_words(row))
    net = study.balances
    if net is not None:
        share = net.table().set_index("method")["efficiency"]
        out.append(
            f"Netting the balances of {last} against each other leaves "
            f"{1 - share['multilateral novation']:.0%} of them to be paid in hard currency through a clearing house, "
            f"{1 - share['cycle clearing']:.0%} where nobody gets a new debtor; no net position moves."
            if share["multilateral novation"] > 0
            else f"The balances of {last} do not offset each other: netting spares none of them."
        )
    return tuple(out)


def _moved(study: JointStudy) -> dict[str, float]:
    """Return what moves in hard currency under each way of settling, USD bn."""
    table = study.hard.table(study.periods)
    return {str(m): float(cents) / 100e9 for m, cents in zip(table["method"], table["settled_cents"], strict=True)}


def _drain_words(row: Mapping[Hashable, object]) -> str:
    where, by = account_words(str(row["account"])), month_words(str(row["by"]))
    target, never = float(str(row["target_usd"])) / 1e9, float(str(row["never"]))
    low, high = (float(str(row[f"usd_a_year_{end}"])) / 1e9 for end in ("low", "high"))
    if never == 1:
        return f"{where}: no purchases leave {target:g} USD bn by {by}, since the account is frozen until then."
    if high == 0:
        return f"{where}: comes down to {target:g} USD bn by {by} without extra imports."
    return f"{where}: extra imports of {_band(low, high, digits=2)} USD bn a year leave {target:g} USD bn by {by}."


def _band(low: float, high: float, *, digits: int) -> str:
    """Return a range as words, or one number where its ends read the same."""
    least, most = f"{low:.{digits}f}", f"{high:.{digits}f}"
    return least if least == most else f"{least} to {most}"


def _over_time(study: JointStudy) -> Figure:
    table = study.accounts().sort_values("peak_usd", ascending=False)
    most = float(table["peak_usd"].max())
    shown = [
        str(row["account"])
        for row in table.head(_MOST_LINES).to_dict("records")
        if float(row["peak_usd"]) >= _SMALL * most
    ]
    hidden = [str(label) for label in table["account"] if label not in shown]
    months = study.months()
    months = months[months["account"].isin(shown)]
    several = study.case.arrangement.draws > 1
    frame = pd.DataFrame(
        {
            "month": [day_of(str(m)) for m in months["month"]],
            "series": [account_words(str(label)) for label in months["account"]],
            "money": months["money_usd"].to_numpy() / 1e9,
            "low": months["money_usd_low"].to_numpy() / 1e9,
            "high": months["money_usd_high"].to_numpy() / 1e9,
        }
    )
    if not several:
        frame = frame.drop(columns=["low", "high"])
    peak = table.iloc[0]
    spans = dict.fromkeys((f.first, f.last) for f in study.case.arrangement.freezes if f.account in shown)
    note = f"Never much in: {', '.join(account_words(label) for label in hidden)}." if hidden else ""
    return Figure(
        kind="line",
        title=f"The fullest account is {account_words(str(peak['account']))}: {peak['peak_usd'] / 1e9:.1f} bn in "
        f"{month_words(str(peak['peak_month']))}"
        if most > 0
        else "No account ever holds anything",
        data=frame,
        x="month",
        y="money",
        series="series",
        low="low" if several else "",
        high="high" if several else "",
        unit="USD bn",
        subtitle="Money in each account at the end of the month, USD bn at the month's rate"
        + (f"; line: median, band: 90 % of {study.case.arrangement.draws:,} draws" if several else ""),
        source=_source(study),
        note=note,
        method="Monthly stock and flow in whole smallest units; what is invested in securities is not in the line.",
        number=_BN,
        marks=tuple(Mark(day_of(first), "Frozen", until=day_of(last)) for first, last in spans),
        headers={"month": "Month", "money": "Account (USD bn)", "series": "Account"},
        id="settlement-joint-accounts",
    )


def _binding(study: JointStudy) -> Figure:
    months = study.case.arrangement.months
    quarters = months.astype("datetime64[M]").astype(np.int64) // 3
    names = np.array([f"{1970 + q // 4} Q{q % 4 + 1}" for q in quarters.tolist()])
    rows = [
        {
            "limit": f"{account_words(label)}: {_BRIEF.get(limit, limit)}",
            "quarter": str(quarter),
            "share": float(100 * binds.mean(axis=0)[names == quarter].mean()),
        }
        for (label, limit), binds in study.binding.items()
        for quarter in dict.fromkeys(names.tolist())
    ]
    limits = study.limits()
    caps = limits[limits["limit"] == "cap"].sort_values(["rate", "months"], ascending=False)
    worst = (caps if len(caps) else limits.sort_values(["rate", "months"], ascending=False)).iloc[0]
    often = "" if float(worst["rate"]) == 1 else f", in {worst['rate']:.0%} of the draws"
    return Figure(
        kind="heatmap",
        title=f"{account_words(str(worst['account']))}: {limit_words(str(worst['limit']))}, first in "
        f"{month_words(str(worst['first']))}{often}",
        data=pd.DataFrame(rows),
        x="quarter",
        y="limit",
        value="share",
        unit="%",
        subtitle="Months of the quarter, and draws, in which a limit binds, %",
        source=_source(study),
        note="Empty: so little is left in the account that goods are paid with other money.",
        number=INTEGER,
        headers={"limit": "Account and limit", "quarter": "Quarter"},
        id="settlement-joint-limits",
    )


def _hard(study: JointStudy) -> Figure:
    table = study.hard.table(study.periods)
    saved = table.set_index("method")["saved_rate"]
    frame = pd.DataFrame(
        {"way": [_SHORT[str(m)] for m in table["method"]], "usd": table["settled_cents"].to_numpy() / 100e9}
    )
    every = study.case.every
    return Figure(
        kind="bar",
        title=f"Beside the accounts, netting in pairs spares {saved['bilateral']:.0%} of the hard currency, circles "
        f"{saved['cycles']:.0%}, a clearing house {saved['novation']:.0%}",
        data=frame,
        x="way",
        y="usd",
        sort="none",
        unit="USD bn",
        subtitle=f"Hard currency that moves in {len(study.case.arrangement.months)} months, USD bn; netted "
        + ("every month" if every == 1 else f"every {every} months"),
        source=_source(study),
        method="An invoice moves none where the buyer pays its own money or out of an account, and the seller takes it "
        "into an account or it is the seller's own. Conversions move hard currency. Mean of the draws.",
        number=_BN,
        headers={"way": "Way of settling"},
        id="settlement-joint-hard",
    )


def _accounts(study: JointStudy) -> TableBlock:
    table = study.accounts()
    names = {
        "opening_usd": "Opening", "sales_usd": "Sales paid in", "goods_usd": "Goods paid", "converted_usd": "Converted",
        "other_uses_usd": "Other uses", "interest_usd": "Interest", "turned_away_usd": "Turned away by the cap",
        "paid_outside_usd": "Goods paid with other money", "revaluation_usd": "Gain or loss from the rate",
        "end_usd_low": "End, 5 %", "end_usd": "End, 50 %", "end_usd_high": "End, 95 %",
        "invested_usd": "Invested at the end",
    }  # fmt: skip
    frame = pd.DataFrame({"account": [account_words(str(label)) for label in table["account"]]})
    for name in names:
        frame[name] = table[name].to_numpy() / 1e9
    return TableBlock(
        title="Where the money of each account came from and went",
        frame=frame,
        source=_source(study),
        headers={"account": "Account", **names},
        units=dict.fromkeys(names, "USD bn"),
        formats=dict.fromkeys(names, _BN2),
        note="Sums over all months, medians of the draws, which is why they need not add up across a row.",
        id="table-settlement-joint-accounts",
    )


def _months(study: JointStudy) -> TableBlock:
    table = study.months()
    labels = list(study.case.arrangement.labels)
    frame = table.pivot(index="month", columns="account", values="money_usd")[labels] / 1e9
    frame = frame.reset_index()
    frame.columns = ["month", *labels]
    return TableBlock(
        title="Month by month: money in each account",
        frame=frame,
        source=_source(study),
        headers={"month": "Month", **{label: account_words(label) for label in labels}},
        units=dict.fromkeys(labels, "USD bn"),
        formats=dict.fromkeys(labels, _BN2),
        note="Medians of the draws. The command line writes every posting of every month with -o months.csv.",
        id="table-settlement-joint-months",
    )


def _limits(study: JointStudy) -> TableBlock:
    table = study.limits()
    return TableBlock(
        title="Which limit binds when",
        frame=pd.DataFrame(
            {
                "account": [account_words(str(label)) for label in table["account"]],
                "limit": [limit_words(str(name)) for name in table["limit"]],
                "first": table["first"],
                "last": table["last"],
                "months": table["months"],
                "rate": 100 * table["rate"],
            }
        ),
        source=_source(study),
        headers={"first": "First in", "last": "Last in", "months": "Months", "rate": "Draws"},
        units={"rate": "%"},
        formats={"months": INTEGER, "rate": INTEGER},
        note="First and last: the middle ones of the draws in which the limit binds.",
        id="table-settlement-joint-limits",
    )


def _drains(study: JointStudy) -> TableBlock:
    table = study.drains.replace([np.inf], np.nan)
    told = {"unchanged": "as without them", "in_proportion": "shrink with the account"}
    ends = ("usd_a_year_low", "usd_a_year", "usd_a_year_high")
    frame = pd.DataFrame(
        {
            "account": [account_words(str(label)) for label in table["account"]],
            "by": table["by"],
            "target": table["target_usd"] / 1e9,
            "uses": [told[str(name)] for name in table["uses"]],
            **{end: table[end] / 1e9 for end in ends},
        }
    )
    heads = dict(zip(ends, ("5 %", "50 %", "95 %"), strict=True))
    return TableBlock(
        title="Which extra imports drain an account by when",
        frame=frame,
        source=_source(study),
        headers={"by": "By the end of", "target": "Left", "uses": "Other uses", **heads},
        units={"target": "USD bn", **dict.fromkeys(ends, "USD bn a year")},
        formats={"target": _BN2, **dict.fromkeys(ends, _BN2)},
        note="A dash: no purchases bring it there, since the account is frozen.",
        id="table-settlement-joint-drains",
    )


def _balances(study: JointStudy) -> TableBlock:
    assert study.balances is not None
    table = study.balances.table()
    return TableBlock(
        title=f"Balances of {month_words(str(study.case.arrangement.months[-1]))}, netted against each other",
        frame=pd.DataFrame(
            {
                "method": table["method"],
                "left": table["settled_minor"] / 100e9,
                "saved": 100 * table["efficiency"],
                "obligations": table["obligations"],
            }
        ),
        source=_source(study),
        headers={
            "method": "Way of netting",
            "left": "Still to be paid",
            "saved": "Spared",
            "obligations": "Debts left",
        },
        units={"left": "USD bn", "saved": "%"},
        formats={"left": _BN2, "saved": _BN, "obligations": INTEGER},
        note="Who issues a currency owes those that hold it: money, securities and advances. No net position moves.",
        id="table-settlement-joint-balances",
    )


def limit_words(limit: str) -> str:
    """Return a limit in words."""
    return _LIMITS.get(limit, limit)


def _source(study: JointStudy) -> str:
    return "; ".join(study.case.sources) or "Counterpoise"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
