"""The chapters on obstacles, settlement, the fund and the way back, and the headline of each."""

from __future__ import annotations

import numpy as np

from counterpoise.friction.assemble import OBSTACLES
from counterpoise.report.chapters.fund import fund_section
from counterpoise.report.chapters.way_back import way_back_headline, way_back_section
from counterpoise.report.chapters.words import bn, name, share
from counterpoise.report.document import Section
from counterpoise.report.frictions import frictions_section
from counterpoise.report.settlement import month_words, settlement_section
from counterpoise.report.studies import Studies
from counterpoise.settle import SettlementStudy

__all__ = ["headlines_of", "study_chapters"]


def study_chapters(studies: Studies | None) -> list[Section]:
    """Return a chapter for each study that was made."""
    out: list[Section] = []
    if studies is None:
        return out
    if studies.frictions is not None:
        out.append(frictions_section(studies.frictions, studies.attribution))
    if studies.settlement is not None:
        out.append(
            settlement_section(studies.settlement, studies.netting, netted=studies.netted, purchases=studies.purchases)
        )
    if studies.fund is not None:
        out.append(fund_section(studies.fund))
    if studies.way_back is not None:
        back = studies.way_back
        out.append(
            way_back_section(back.closing, back.package, back.frontier, back.shares, yearly=back.yearly, found=back)
        )
    return out


def headlines_of(studies: Studies | None) -> tuple[str, ...]:
    """Return one sentence for each study that was made, and one for each that was left out."""
    if studies is None:
        return ()
    out: list[str] = []
    if studies.frictions is not None:
        out.append(_obstacles(studies))
    if studies.settlement is not None:
        out.append(_settlement(studies.settlement, studies))
    if studies.fund is not None:
        out.append(_fund(studies))
    if studies.way_back is not None:
        out.append(way_back_headline(studies.way_back))
    out += [f"Left out, {study}: {reason}." for study, reason in studies.left_out.items()]
    return tuple(out)


def _obstacles(studies: Studies) -> str:
    facts = studies.facts()["obstacles"]
    a, b = name(facts["origin"]), name(facts["destination"])
    text = (
        f"Obstacles: what stands between an order and the goods from {a} to {b} comes to"
        f" {share(facts['mean_ave'], 0)} of their value, most of it {OBSTACLES[facts['costliest']].lower()};"
        f" {share(facts['mean_removable'], 0)} could be removed"
    )
    if "removal_trade_usd" in facts:
        most = OBSTACLES[facts["most_trade_held_back_by"]].lower()
        text += (
            f", which would add {bn(facts['removal_trade_usd'])} a year to trade both ways,"
            f" {bn(facts['most_trade_usd'])} of it for {most}"
        )
    return f"{text}."


def _settlement(found: SettlementStudy, studies: Studies) -> str:
    facts = studies.facts()["settlement"]
    low, _, high = facts["usd_bn"]
    text = (
        f"Settlement: {name(found.case.seller)} holds {low:.1f} to {high:.1f} bn USD in {found.case.currency} at the"
        f" end of {month_words(facts['as_of'])}"
        + (" in every reading that agrees with the reports" if facts["fitted"] else ", by assumptions alone")
    )
    if facts.get("drained_in"):
        drained = found.drained_in
        assert drained is not None
        there = np.sort(drained[~np.isnat(drained)]).astype("datetime64[M]")
        first, last = (month_words(str(there[int(q * (there.size - 1))])) for q in (0.05, 0.95))
        when = f"in {first}" if first == last else f"between {first} and {last}"
        what = (
            f"the order's {bn(facts['order_usd_a_year'], 2)} a year"
            if "order_usd_a_year" in facts
            else "the purchases that are asked for"
        )
        text += f"; paid out of it, {what} would empty it {when}"
        if facts["drained_rate"] < 1:
            text += f" in {share(facts['drained_rate'], 0)} of them"
    return f"{text}."


def _fund(studies: Studies) -> str:
    facts = studies.facts()["fund"]
    gains = facts["gains_usd"]
    each = " and ".join(f"{bn(usd, 2)} in {name(country)}" for country, usd in gains.items())
    return (
        f"Fund: {bn(facts['spent_usd'])} spent once for the real income of both brings {each} a year for a cost of"
        f" {bn(sum(facts['costs_usd'].values()), 2)}, and closes {bn(facts['gap_closed_usd'], 2)} of the gap; in the"
        f" worst tenth of the draws it brings {bn(facts['low_usd'], 2)} instead of {bn(facts['mean_usd'], 2)}."
    )
