"""The gap by year and by product, and what is said when a number is absent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import World
from counterpoise.core.errors import InputError, SourceMissingError
from counterpoise.data.codes import hs_sections, section_of
from counterpoise.data.concordance import hs_chapter_names
from counterpoise.measure import gap
from counterpoise.measure.views import view


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """Return two chapters between IND and RUS, a filled flow from CHN, and nothing from TUR."""
    rows = [
        ("RUS", "IND", "2709", "hs4", 50.0, "reported"),
        ("RUS", "IND", "3102", "hs4", 10.0, "reported"),
        ("IND", "RUS", "3004", "hs4", 4.0, "reported"),
        ("IND", "RUS", "other", "hs4", 1.0, "reported"),
        ("CHN", "IND", "8517", "hs4", 90.0, "filled"),
        ("IND", "CHN", "1006", "hs4", 10.0, "reported"),
        ("RUS", "TUR", "2709", "hs4", 10.0, "reported"),
    ]
    columns = ["origin", "destination", "hs", "level", "value_usd", "source"]
    years = pd.DataFrame(
        [
            ("FY2024-25", "FY", "IND", "RUS", 5.0, "provisional", "s"),
            ("FY2024-25", "FY", "RUS", "IND", 60.0, "final", "s"),
        ],
        columns=["period", "kind", "origin", "destination", "value_usd", "status", "source"],
    )
    pairs = pd.DataFrame(
        [
            ("DEU", "FRA", 7.0, 8.0),
            ("FRA", "DEU", 6.0, np.nan),
            ("KAZ", "RUS", 3.0, np.nan),
            ("ARM", "RUS", np.nan, 1.0),
        ],
        columns=["exporter", "importer", "value_2023_usd", "value_2024_usd"],
    )
    return {"products": pd.DataFrame(rows, columns=columns), "years": years, "pairs": pairs}


def test_by_chapter(tables: dict[str, pd.DataFrame]) -> None:
    table = gap("RUS", "IND", by="hs2", tables=tables)
    assert list(table.rows["hs2"]) == ["27", "31", "30", "other"]
    assert list(table.rows["gap_usd"]) == [50.0, 10.0, -4.0, -1.0]
    assert list(table.rows["gap_share"]) == pytest.approx([50 / 55, 10 / 55, -4 / 55, -1 / 55])
    assert table.totals == {"a_to_b_usd": 60.0, "b_to_a_usd": 5.0, "gap_usd": 55.0, "turnover_usd": 65.0}


def test_the_two_directions_mirror_each_other(tables: dict[str, pd.DataFrame]) -> None:
    there, back = gap("RUS", "IND", by="section", tables=tables), gap("IND", "RUS", by="section", tables=tables)
    assert there.totals["gap_usd"] == -back.totals["gap_usd"]
    assert set(there.rows["section"]) == {"V", "VI", "other"}


def test_what_is_filled_and_what_is_absent_is_said(tables: dict[str, pd.DataFrame]) -> None:
    filled = gap("CHN", "IND", by="hs4", tables=tables)
    assert any("100 % of CHN -> IND is filled" in caveat for caveat in filled.caveats)
    absent = gap("RUS", "TUR", by="hs4", tables=tables)
    assert any("TUR -> RUS is absent" in caveat for caveat in absent.caveats)
    assert np.isnan(absent.totals["gap_usd"])
    assert absent.totals["a_to_b_usd"] == 10.0
    document = absent.to_json()
    assert document["rows"][0]["b_to_a_usd"] is None
    assert json.loads(json.dumps(document, allow_nan=False))["totals"]["gap_usd"] is None


def test_years_of_countries_keep_what_is_absent_absent(tables: dict[str, pd.DataFrame]) -> None:
    table = gap("DEU", "FRA", tables=tables)
    assert list(table.rows["period"]) == ["CY2023", "CY2024"]
    assert table.rows["gap_usd"].iloc[0] == 1.0
    assert np.isnan(table.rows["gap_usd"].iloc[1])
    assert any("FRA -> DEU is absent in 2024" in caveat for caveat in table.caveats)
    assert table.totals["gap_usd"] == 1.0


def test_years_of_regions_say_how_many_countries_report(tables: dict[str, pd.DataFrame]) -> None:
    table = gap("EAEU", "RUS", tables=tables)
    assert any("EAEU -> RUS in 2023 is known for 1 of 2 pairs" in caveat for caveat in table.caveats)


def test_fiscal_years_come_from_their_own_table(tables: dict[str, pd.DataFrame]) -> None:
    table = gap("RUS", "IND", tables=tables, year=2024)
    assert list(table.rows["period"]) == ["CY2024", "FY2024-25"]
    assert table.rows["gap_usd"].iloc[1] == 55.0
    assert any("provisional" in caveat for caveat in table.caveats)


def test_by_sector_reads_the_world() -> None:
    flow = np.array([[[9.0, 9.0], [4.0, 1.0]], [[1.0, 3.0], [9.0, 9.0]]])
    absent = np.zeros((2, 2, 2), dtype=bool)
    absent[1, 0, 0] = True
    world = World.from_arrays(countries=["A", "B"], sectors=["x", "y"], flow=flow, trade_elasticity=4.0, absent=absent)
    table = gap("A", "B", by="sector", world=world)
    assert list(table.rows["sector"]) == ["x", "y"]
    assert list(table.rows["gap_usd"]) == [3.0, -2.0]
    assert any("B -> A is absent, not zero, in x" in caveat for caveat in table.caveats)


@pytest.mark.parametrize(
    ("a", "b", "options", "words"),
    [
        ("XXX", "RUS", {"by": "hs2"}, "unknown country 'XXX'"),
        ("XXX", "RUS", {}, "unknown country 'XXX'.*expected an ISO3 code"),
        ("Germeny", "RUS", {}, "did you mean 'Germany'"),
        ("IND", "India", {}, "on both sides"),
        ("IND", "RUS", {"by": "hs8"}, r"unknown by 'hs8'; did you mean 'hs2'|hs4|hs6"),
        ("IND", "RUS", {"year": 1999}, "1999 is not known for IND and RUS"),
        ("CHN", "WORLD", {}, "no year is known for CHN and WORLD"),
        ("CHN", "WORLD", {"by": "hs2"}, "shipped for IND, RUS, USA only, not for CHN and WORLD"),
    ],
)
def test_questions_without_an_answer_say_what_can_be_asked(
    a: str, b: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        gap(a, b, **options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("a", "b", "options", "words"),
    [
        ("DEU", "RUS", {"by": "hs2"}, "DEU: the shipped tables by product know regions.*no trade store at"),
        ("IND", "RUS", {"by": "hs2", "year": 2020}, "the shipped tables by product are of 2024, not of 2020"),
        (
            "CHN",
            "IND",
            {"by": "hs6"},
            "six digits .* for IND, RUS, USA only, not for CHN and IND; and there is no",
        ),
    ],
)
def test_what_only_a_store_knows_asks_for_one(
    a: str, b: str, options: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUNTERPOISE_CACHE", str(tmp_path))
    monkeypatch.setenv("COUNTERPOISE_DATA", str(tmp_path))
    with pytest.raises(SourceMissingError, match=words):
        gap(a, b, **options)  # pyright: ignore[reportArgumentType]


def test_a_country_is_known_by_any_name(tables: dict[str, pd.DataFrame]) -> None:
    assert gap("Germany", "fra", tables=tables).rows.equals(gap("DEU", "FRA", tables=tables).rows)


def test_each_number_says_whose_records_it_is(tables: dict[str, pd.DataFrame]) -> None:
    rows = gap("IND", "RUS", by="hs2", tables=tables).rows.set_index("hs2")
    assert rows["a_to_b_basis"]["30"] == "mirror: RUS publishes nothing, as IND reports"
    assert rows["b_to_a_basis"]["27"] == "mirror: RUS publishes nothing, as IND reports"
    years = gap("RUS", "IND", tables=tables).rows.set_index("period")
    assert years["a_to_b_basis"]["FY2024-25"] == "mirror: reported by IND, CIF"
    assert years["b_to_a_basis"]["FY2024-25"] == "reported by IND, FOB"
    absent = gap("RUS", "TUR", by="hs4", tables=tables).rows
    assert list(absent["b_to_a_basis"]) == ["absent: no record"]


def test_growth_is_over_the_year_before(tables: dict[str, pd.DataFrame]) -> None:
    rows = gap("DEU", "FRA", tables=tables).rows
    assert rows["a_to_b_growth_pct"].iloc[1] == pytest.approx(100 / 7)
    assert rows["a_to_b_growth_pct"].isna().iloc[0]
    assert rows["b_to_a_growth_pct"].isna().all()


def test_the_sections_cover_every_chapter_once() -> None:
    chapters = {chapter: section_of(chapter) for chapter in hs_chapter_names()}
    assert [chapter for chapter, section in chapters.items() if not section] == ["98", "99"]
    assert list(dict.fromkeys(filter(None, chapters.values()))) == list(hs_sections())
    assert (section_of("77"), section_of("other")) == ("", "")


# On the embedded tables


def test_russia_and_india_2024() -> None:
    by_year = gap("RUS", "IND").rows.set_index("period")
    assert by_year.loc["CY2024", "gap_usd"] == pytest.approx(58.8404e9, rel=1e-6)
    assert by_year.loc["FY2024-25", "gap_usd"] == pytest.approx(58.93014e9, rel=1e-9)
    for by in ("section", "hs2", "hs4", "hs6", "sector"):
        totals = gap("RUS", "IND", by=by).totals
        assert totals["a_to_b_usd"] == pytest.approx(63.65e9, rel=0.003), by
        assert totals["b_to_a_usd"] == pytest.approx(4.81e9, rel=0.01), by


def test_china_sells_india_122_bn() -> None:
    assert gap("CHN", "IND", by="hs4").totals["a_to_b_usd"] == pytest.approx(122.5e9, rel=0.001)


def test_india_and_the_world_by_six_digits() -> None:
    table = gap("IND", "WORLD", by="hs6")
    assert table.totals["gap_usd"] < -200e9
    assert table.rows["hs6"].iloc[0] == "270900"


@pytest.mark.parametrize(
    ("a", "b", "basis", "words"),
    [
        ("ARE", "RUS", "absent: no record", "ARE -> RUS is absent in 2024: neither ARE nor RUS reports that year."),
        ("BGD", "VNM", "absent: no record", "BGD -> VNM is absent in 2024: neither BGD nor VNM reports that year."),
        ("PNG", "CHN", "mirror: PNG reports nothing, as CHN reports", ""),
        ("KOR", "RUS", "mirror: RUS publishes nothing, as KOR reports", "neither KOR nor RUS reports that year."),
        ("IND", "TWN", "reconciled", "IND -> TWN is absent in 2023: the source of 2023 has no imports of TWN at all."),
        ("IND", "DEU", "absent: no record", "the source of 2024 has no imports of DEU at all"),
        ("CHN", "IND", "reconciled", ""),
    ],
)
def test_who_does_not_report_is_said_beside_the_years_it_touches(a: str, b: str, basis: str, words: str) -> None:
    table = gap(a, b)
    assert table.rows.set_index("period")["a_to_b_basis"]["CY2024"] == basis
    assert words in " ".join(table.caveats)


def test_a_group_names_its_members_that_do_not_report() -> None:
    assert any("VNM" in caveat and "RUS report nothing in 2023" in caveat for caveat in gap("ASEAN", "RUS").caveats)


def test_the_mirror_table_says_who_does_not_report() -> None:
    rows = view("mirror", "PNG", "CHN").rows
    assert set(rows["basis"]) == {"mirror: PNG reports nothing, as CHN reports"}
    assert set(view("mirror", "CHN", "IND").rows.query("kind == 'CY'")["basis"]) == {"reconciled by the source"}
