"""The chapter on settlement: how the account fills and empties, what is known about it, and what netting would save."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError
from counterpoise.data.codes.countries import country
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.figure import Figure, Mark
from counterpoise.report.numbers import INTEGER, NumberFormat
from counterpoise.report.theme import display_name
from counterpoise.settle.tables import currency, permitted_uses, statements

if TYPE_CHECKING:
    from counterpoise.policy.order_flow import ExtraPurchases
    from counterpoise.settle import Ledger, NettingStudy, Observation, SettlementStudy

__all__ = ["day_of", "month_words", "place_name", "settlement_section"]

_BN = NumberFormat(1)
_BN2 = NumberFormat(2)
_ACCOUNT = "Account"
_REPORTED = "Reported"
_CHANGED = "Changed"
_MOST_MARKS = 5


def settlement_section(
    study: SettlementStudy,
    netting: NettingStudy | None = None,
    *,
    netted: str = "",
    purchases: ExtraPurchases | None = None,
) -> Section:
    """Write the chapter.

    Parameters
    ----------
    study
        The account of a pair.
    netting
        What netting leaves of some obligations, or None to leave that part out.
    netted
        Words for whose obligations these are and of when, such as "goods trade among ten countries in 2024".
    purchases
        What the programme consists of, by sector, or None.

    Returns
    -------
    Section with the account over time (band, reports, dated rules), what the reports fix, the stress if one was run,
    netting before and after, and the tables behind them.
    """
    case = study.case
    figures = [_over_time(study)]
    tables = [_answers(study)]
    if study.stressed is not None:
        figures.append(_stress(study, study.stressed))
    if purchases is not None:
        tables.append(_purchases(purchases))
    if study.fit is not None:
        figures.append(_narrowing(study))
        tables.append(_reports(study))
    if study.rules:
        tables += [_uses(), _rules(study)]
    if study.reports:
        tables.append(_statements())
    prose = list(study.words)
    if netting is not None:
        figures.append(_netting(netting, netted))
        prose.append(_netting_words(netting, netted))
    here = study.answers.table.set_index("question").loc["in the account"]
    title = (
        f"{place_name(case.seller)} would hold {here['low']:.1f} to {here['high']:.1f} bn USD in "
        f"{_money(case.currency)} "
        f"at the end of {month_words(str(study.answers.since))}"
    )
    return Section(
        id="settlement",
        title=title,
        prose=tuple(prose),
        callout=" ".join(f"{note[:1].upper()}{note[1:]}." for note in case.notes),
        figures=tuple(figures),
        tables=tuple(tables),
    )


def _over_time(study: SettlementStudy) -> Figure:
    case = study.case
    frame = _rows(study.baseline, case.label, _ACCOUNT)
    # Only what belongs on this axis: balances, not monthly flows, and no bound far above everything.
    top = float(frame["high"].max())
    shown = [r for r in study.reports if r.fitted == "yes" and r.kind == "stock" and _point(r) <= 3 * top]
    points = {r.month: _point(r) for r in shown}
    if points:
        reported = frame.assign(series=_REPORTED)
        value = [points.get(np.datetime64(m.isoformat()[:7], "M"), np.nan) for m in reported["month"]]
        frame = pd.concat([frame, reported.assign(median=value, low=value, high=value)], ignore_index=True)
    first, last = frame["month"].min(), frame["month"].max()
    marks = tuple(Mark(rule.date, rule.label) for rule in study.rules if first < rule.date < last)[-_MOST_MARKS:]
    peak = study.baseline.band(case.label).sort_values("median").iloc[-1]
    how = (
        "drawn from wide priors and kept where the account passes through every reported interval"
        if study.fit is not None
        else "drawn from wide priors; nothing is reported"
    )
    return Figure(
        kind="line",
        title=(
            f"The account peaked at {peak['low']:.1f} to {peak['high']:.1f} bn in "
            f"{month_words(str(peak['month']))}; since the last report nobody outside knows"
        ),
        data=frame,
        x="month",
        y="median",
        series="series",
        low="low",
        high="high",
        unit="USD bn",
        subtitle=(
            f"What {place_name(case.seller)} holds in {_money(case.currency)}, USD bn at the month's rate; "
            f"band: 90 % of {len(study.parameters):,} draws"
        ),
        source=f"{case.source}; reported balances from the press, with their dates in the table"
        if points
        else case.source,
        note=_bounds_note(shown),
        method=(
            f"Monthly stock and flow in whole smallest units. Numbers nobody publishes are {how}. Annual trade "
            "is spread over months by the smoothest path with the same annual totals."
        ),
        number=_BN,
        gaps=bool(points),
        marks=marks,
        colours={_ACCOUNT: "@accent", _REPORTED: "@ink"} if points else {_ACCOUNT: "@accent"},
        headers={"month": "Month", "median": "Account (USD bn)", "series": "Series"},
        id="settlement-account",
    )


def _stress(study: SettlementStudy, stressed: Ledger) -> Figure:
    case = study.case
    frame = pd.concat(
        [_rows(study.baseline, case.label, _ACCOUNT), _rows(stressed, case.label, _CHANGED)], ignore_index=True
    )
    marks = tuple(Mark(day_of(f.first), "Frozen", until=day_of(f.last)) for f in study.freezes)
    if study.cap_usd_bn is not None:
        marks += (Mark(study.cap_usd_bn, "Cap", axis="y"),)
    what = [f"a cap of {study.cap_usd_bn:g} bn"] if study.cap_usd_bn is not None else []
    what += ["a freeze"] if study.freezes else []
    what += [f"{study.refusal_rate:.0%} of payments refused"] if study.refusal_rate else []
    if study.programme is not None:
        what.append(f"extra purchases of {np.median(np.asarray(study.programme.usd_a_year)) / 1e9:.1f} bn a year")
    last = frame[frame["series"] == _CHANGED].iloc[-1]
    return Figure(
        kind="line",
        title=f"With {', '.join(what)} " + _ends(study, float(last["low"]), float(last["high"])),
        data=frame,
        x="month",
        y="median",
        series="series",
        low="low",
        high="high",
        unit="USD bn",
        subtitle=f"What {place_name(case.seller)} holds in {_money(case.currency)}, USD bn; band: 90 % of draws",
        source=case.source,
        number=_BN,
        dashed=(_CHANGED,),
        marks=marks,
        colours={_ACCOUNT: "@muted", _CHANGED: "@accent"},
        headers={"month": "Month", "median": "Account (USD bn)", "series": "Series"},
        id="settlement-stress",
    )


def _ends(study: SettlementStudy, low: float, high: float) -> str:
    """Say where the changed account ends, or when it is down to the target where it always gets there."""
    drained = study.drained_in
    if drained is None or np.isnat(drained).any():
        return f"it ends at {low:.1f} to {high:.1f} bn"
    months = np.sort(drained).astype("datetime64[M]")
    first, last = (month_words(str(months[int(q * (months.size - 1))])) for q in (0.05, 0.95))
    down = "empty" if study.target_usd_bn == 0 else f"down to {study.target_usd_bn:g} bn"
    return f"it is {down} by {last}" if first == last else f"it is {down} between {first} and {last}"


def _narrowing(study: SettlementStudy) -> Figure:
    assert study.fit is not None
    table = study.fit.identification()
    frame = pd.DataFrame(
        {"number": table["parameter"].str.replace("_", " "), "narrowing": 100 * table["narrowing"].clip(lower=0.0)}
    )
    open_ones = int((frame["narrowing"] < 50).sum())
    return Figure(
        kind="bar",
        title=f"The reports leave {open_ones} of {len(frame)} numbers open",
        data=frame,
        x="number",
        y="narrowing",
        unit="%",
        subtitle="By how much the reports narrow each number against its prior, %; 100 would fix it",
        source="Counterpoise; priors and reports with their sources in the package",
        method="1 minus the spread of the kept draws over the spread of the prior, in the scale of the prior.",
        number=INTEGER,
        headers={"number": "Number"},
        id="settlement-identified",
    )


def _netting(netting: NettingStudy, netted: str) -> Figure:
    table = netting.table()
    scale, unit = _scale(int(table["settled_minor"].max()))
    words = {"gross": "Paid one by one"}
    frame = pd.DataFrame(
        {
            "method": [words.get(m, str(m).capitalize()) for m in table["method"]],
            "amount": table["settled_minor"] / scale,
        }
    )
    best = table.set_index("method")["efficiency"]
    return Figure(
        kind="bar",
        title=(
            f"Novation saves {best['multilateral novation']:.0%} of the money, clearing in circles "
            f"{best['cycle clearing']:.0%}"
        ),
        data=frame,
        x="method",
        y="amount",
        sort="none",
        unit=unit,
        subtitle=f"Money that still has to move, {unit}" + (f"; {netted}" if netted else ""),
        source="Counterpoise" + (f"; {netted}, BACI" if netted else ""),
        method=(
            "Novation: every party pays or receives its net position. Circles: the most that can be cancelled "
            "without a new debtor or creditor, a maximum circulation proved in whole numbers."
        ),
        number=_BN2,
        headers={"method": "Way of settling"},
        id="settlement-netting",
    )


def _netting_words(netting: NettingStudy, netted: str) -> str:
    table = netting.table().set_index("method")
    parts = [
        f"{table.loc[m, 'efficiency']:.0%} by {m}"
        for m in ("bilateral netting", "cycle clearing", "multilateral novation")
    ]
    about = f" of {netted}" if netted else ""
    return (
        f"Netting{about} would save {parts[0]}, {parts[1]} and {parts[2]}. None of them moves anybody's "
        "net position: who sells more than "
        "he buys is still owed the difference, and netting alone drains no account."
    )


def _purchases(purchases: ExtraPurchases) -> TableBlock:
    moved = {s: usd for s, usd in purchases.by_sector.items() if abs(usd) >= 5e6}
    rows = [(display_name(s), usd / 1e9) for s, usd in moved.items()]
    rows.append(("All goods", purchases.usd_a_year / 1e9))
    return TableBlock(
        title=f"What the programme adds to what {place_name(purchases.buyer)} buys from {place_name(purchases.seller)}",
        frame=pd.DataFrame(rows, columns=["sector", "usd"]),
        source="Counterpoise, the equilibrium with the order",
        headers={"sector": "Goods", "usd": "Change"},
        units={"usd": "USD bn a year"},
        formats={"usd": _BN2},
        note="Below zero: other goods are bought less. Goods that move by less than 5 mn are left out.",
        id="table-settlement-programme",
    )


def _answers(study: SettlementStudy) -> TableBlock:
    table = study.answers.table.replace([np.inf], np.nan).drop(columns="never")
    return TableBlock(
        title=f"From the end of {month_words(str(study.answers.since))}",
        frame=table,
        source="Counterpoise, closed form for the flows of the twelve months that follow",
        headers={"question": "If flows stay as they are, the account", "low": "5 %", "median": "50 %", "high": "95 %"},
        formats={name: _BN2 for name in ("low", "median", "high")},
        note="A dash: not within any time.",
        id="table-settlement-answers",
    )


def _reports(study: SettlementStudy) -> TableBlock:
    assert study.fit is not None
    table = study.fit.predicted().replace([np.inf, -np.inf], np.nan)
    about = {report.id: report for report in study.reports}
    ids = [str(name) for name in table["id"]]
    frame = pd.DataFrame(
        {
            "date": table["date"],
            "what": [about[name].what for name in ids],
            "source": [f"{about[name].source} ({about[name].confidence})" for name in ids],
            "fitted": ["yes" if word == "yes" else "no" for word in table["fitted"]],
            "reported_low": table["reported_low"],
            "reported_high": table["reported_high"],
            "low": table["low"],
            "high": table["high"],
        }
    )
    return TableBlock(
        title="What was reported, contradictions included, and what the draws say",
        frame=frame,
        source="Press and official statements, each with its date",
        headers={"what": "Report", "reported_low": "From", "reported_high": "To", "low": "Draws, 5 %", "high": "95 %"},
        units={name: "USD bn" for name in ("reported_low", "reported_high", "low", "high")},
        formats={name: _BN2 for name in ("reported_low", "reported_high", "low", "high")},
        note="A dash: the report leaves that side open.",
        id="table-settlement-reports",
    )


def _rules(study: SettlementStudy) -> TableBlock:
    frame = pd.DataFrame(
        [{"day": str(r.date), "rule": r.what, "source": f"{r.source} ({r.confidence})"} for r in study.rules]
    )
    return TableBlock(
        title="Rules and dates of the rupee accounts",
        frame=frame,
        source="Reserve Bank of India and press",
        id="table-settlement-rules",
    )


def _uses() -> TableBlock:
    return TableBlock(
        title="What a rupee account may be used for, and since when",
        frame=pd.DataFrame(
            [
                {
                    "use": p.use.replace("_", " "),
                    "since": str(p.valid_from),
                    "extent": p.extent.replace("_", " "),
                    "rule": p.rule,
                    "source": f"{p.source} ({p.confidence})",
                }
                for p in permitted_uses()
            ]
        ),
        source="Reserve Bank of India",
        id="table-settlement-uses",
    )


def _statements() -> TableBlock:
    return TableBlock(
        title="What was said about the account, contradictions included",
        frame=pd.DataFrame(
            [{"date": s.date, "what": s.what, "source": f"{s.source} ({s.confidence})"} for s in statements()]
        ),
        source="Press and official statements; none of them is a balance, and none is used",
        headers={"what": "Statement"},
        id="table-settlement-statements",
    )


def _rows(ledger: Ledger, label: str, series: str) -> pd.DataFrame:
    band = ledger.band(label)
    return band.assign(month=[day_of(str(m)) for m in band["month"]], series=series)[
        ["month", "series", "median", "low", "high"]
    ]


def _point(report: Observation) -> float:
    """Where a report is drawn: the middle of its interval, or the one bound it gives."""
    ends = [end for end in (report.low_usd_bn, report.high_usd_bn) if np.isfinite(end)]
    return float(np.mean(ends)) if ends else float("inf")


def _bounds_note(reports: list[Observation]) -> str:
    sides = [
        (r, "at least" if np.isfinite(r.low_usd_bn) else "at most")
        for r in reports
        if np.isfinite(r.low_usd_bn) != np.isfinite(r.high_usd_bn)
    ]
    return (
        "Points are one-sided where the report is: "
        + ", ".join(f"{way} {_point(r):g} bn in {month_words(str(r.month))}" for r, way in sides)
        + "."
        if sides
        else ""
    )


def _scale(amount: int) -> tuple[float, str]:
    for power, name in ((12, "tn"), (9, "bn"), (6, "mn")):
        if amount >= 100 * 10**power:
            return 100.0 * 10**power, f"USD {name}" if name != "tn" else "USD tn"
    return 100.0, "USD"


def place_name(code: str) -> str:
    """Return a country or region in words; a code that names neither as it is."""
    words = display_name(code)
    if words != code:
        return words
    try:
        return country(code).name
    except InputError:
        return code


def day_of(month: str) -> dt.date:
    """Return the first day of a month such as 2025-09."""
    return dt.date(int(month[:4]), int(month[5:7]), 1)


def _money(code: str) -> str:
    name = currency(code).name
    return (
        name
        if name.endswith(("yen", "won", "yuan", "baht", "dong", "rand", "taka", "tenge", "rupiah", "ringgit"))
        else f"{name}s"
    )


def month_words(month: str) -> str:
    """Return a month such as 2025-09 in words."""
    return day_of(month).strftime("%B %Y")
