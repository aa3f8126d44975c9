"""The chapter on settlement is whole: figures are checked, ids are unique, words are true."""

from __future__ import annotations

from counterpoise.report.document import Document
from counterpoise.report.settlement import settlement_section
from counterpoise.settle import Obligations, compare_netting, study, trade_obligation_rows


def test_the_whole_chapter_can_be_put_into_a_report() -> None:
    result = study(cap_usd_bn=4.0, drain_by="2027-12", freezes=[("2026-06", "2026-09")], refusal_rate=0.1, draws=60)
    netting = compare_netting(Obligations.from_rows(trade_obligation_rows(["IND", "RUS", "CHN"])))
    section = settlement_section(result, netting, netted="goods trade among three countries in 2024")
    Document(title="t", dek="d", sentences=("a",), sections=(section,))
    assert [figure.id for figure in section.figures] == [
        "settlement-account",
        "settlement-stress",
        "settlement-identified",
        "settlement-netting",
    ]
    account = section.figures[0].data
    reported = account[(account["series"] == "Reported") & account["median"].notna()]
    assert reported["median"].tolist() == [2.0, 8.0, 4.0, 3.25]
    assert "at least 2 bn in June 2023, at most 4 bn in April 2024" in section.figures[0].note
    assert "Frozen" in [mark.label for mark in section.figures[1].marks]
    assert [table.id.removeprefix("table-settlement-") for table in section.tables] == [
        "answers",
        "reports",
        "uses",
        "rules",
        "statements",
    ]
    assert all(figure.payload()["wide"]["option"] for figure in section.figures)


def test_a_pair_without_reports_has_a_shorter_chapter() -> None:
    section = settlement_section(study("CHN", "BRA", draws=40))
    assert [figure.id for figure in section.figures] == ["settlement-account"]
    assert [table.id for table in section.tables] == ["table-settlement-answers"]
    assert "Nothing is reported" in section.prose[0]
