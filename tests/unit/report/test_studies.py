"""Obstacles, settlement and the fund in the report of the flagship, and what becomes of a pair without them."""

from __future__ import annotations

import json

import pytest

from counterpoise.report.chapters import headlines_of
from counterpoise.report.chapters.studies import study_chapters
from counterpoise.report.story import StoryResult
from counterpoise.report.studies import Studies


def test_each_study_has_a_headline_with_numbers(flagship: StoryResult) -> None:
    heads = [line.split(":")[0] for line in flagship.headlines]
    assert heads == ["Obstacles", "Settlement", "Fund", "Way back"]
    for line in flagship.headlines:
        assert any(letter.isdigit() for letter in line)
        assert "**" not in line
        assert "nan" not in line


def test_headlines_are_the_numbers_of_the_studies(flagship: StoryResult) -> None:
    obstacles, settlement, fund = (flagship.studies[name] for name in ("obstacles", "settlement", "fund"))
    text = " ".join(flagship.headlines)
    assert f"{100 * obstacles['mean_ave']:.0f} % of their value" in text
    assert f"{obstacles['removal_trade_usd'] / 1e9:.1f} bn USD a year to trade" in text
    assert f"{settlement['usd_bn'][0]:.1f} to {settlement['usd_bn'][2]:.1f} bn USD in INR" in text
    assert f"{fund['gains_usd']['IND'] / 1e9:.2f} bn USD in India" in text
    assert settlement["fitted"] is True
    assert settlement["drained_rate"] == 1.0
    assert obstacles["removal_gap_usd"] < obstacles["removal_trade_usd"]
    assert fund["low_usd"] < fund["mean_usd"]


def test_the_page_has_a_chapter_for_each(flagship: StoryResult) -> None:
    page = flagship.html_path.read_text(encoding="utf-8")
    for anchor in (
        "frictions",
        "frictions-legs",
        "frictions-changes",
        "frictions-claims",
        "frictions-gap",
        "settlement",
        "settlement-stress",
        "table-settlement-programme",
        "table-settlement-statements",
        "fund",
        "fund-aims",
        "fund-levers",
    ):
        assert f'id="{anchor}"' in page
    assert "11,583" in page


def test_the_manifest_keeps_the_numbers(flagship: StoryResult) -> None:
    manifest = json.loads(flagship.manifest_path.read_text(encoding="utf-8"))
    assert manifest["studies"]["obstacles"]["costliest"] == "transit_time"


def test_what_is_left_out_says_why() -> None:
    studies = Studies(left_out={"settlement": "no trade between AAA and BBB is reported in the tables"})
    assert study_chapters(studies) == []
    assert headlines_of(studies) == ("Left out, settlement: no trade between AAA and BBB is reported in the tables.",)
    assert headlines_of(None) == ()


@pytest.mark.parametrize(("a", "b", "known"), [("IND", "RUS", True), ("CHN", "BRA", True), ("C0", "C1", False)])
def test_trade_is_reported_or_not(a: str, b: str, known: bool) -> None:
    from counterpoise.settle import trade_reported

    assert trade_reported(a, b) is known
