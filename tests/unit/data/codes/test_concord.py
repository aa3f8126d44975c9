"""HS to BEC, ISIC and industries: what is covered of real trade, and the remainder."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from counterpoise.core.errors import InputError
from counterpoise.data.codes import (
    CLASSIFICATIONS,
    bec_categories,
    bec_end_use,
    concord,
    hs_bec,
    hs_icio,
    hs_isic4,
    hs_wiod,
    isic4_divisions,
)
from counterpoise.data.codes.tables import read_codes
from counterpoise.data.concordance import wiod_block


def test_prefixes_are_codes_and_categories_are_known() -> None:
    for table, column, known in (
        ("hs_bec4", "category", {*bec_categories(), ""}),
        ("hs_isic4", "division", set(isic4_divisions())),
    ):
        prefixes = [row["prefix"] for row in read_codes(table)]
        assert len(set(prefixes)) == len(prefixes)
        assert all(p.isdigit() and len(p) in (2, 4, 6) for p in prefixes)
        assert {row[column] for row in read_codes(table)} == known, table
    assert {bec_end_use(c) for c in bec_categories()} == {"capital", "intermediate", "consumption", "mixed"}
    with pytest.raises(InputError, match="no category '99'"):
        bec_end_use("99")


def test_industries_of_a_division_exist() -> None:
    for row in read_codes("isic4_divisions"):
        assert wiod_block(row["wiod2013"])
    assert (hs_wiod("270900"), hs_icio("270900")) == ("c2", "B05_06")
    assert (hs_wiod("300490"), hs_icio("300490")) == ("c9", "C21")
    assert hs_icio("99") == hs_wiod("98") == ""


@pytest.mark.parametrize(
    ("code", "category", "division"),
    [
        ("010221", "111", "01"), ("020130", "122", "10"), ("090111", "111", "01"), ("090121", "122", "10"),
        ("240220", "63", "12"), ("270119", "31", "05"), ("270900", "31", "06"), ("271012", "321", "19"),
        ("271019", "322", "19"), ("310520", "22", "20"), ("300490", "63", "21"), ("610910", "62", "14"),
        ("640399", "62", "15"), ("710812", "22", "24"), ("720449", "21", "38"), ("840734", "53", "29"),
        ("841191", "53", "30"), ("847130", "41", "26"), ("847330", "42", "26"), ("854231", "42", "26"),
        ("870323", "51", "29"), ("870423", "521", "29"), ("870899", "53", "29"), ("880240", "521", "30"),
        ("871120", "522", "30"), ("901890", "41", "32"), ("940360", "61", "31"), ("950300", "62", "32"),
    ],
)  # fmt: skip
def test_well_known_goods_are_where_they_belong(code: str, category: str, division: str) -> None:
    assert (hs_bec(code), hs_isic4(code)) == (category, division)


def test_the_remainder_of_real_trade_is_small_and_named(sources: Path) -> None:
    path = sources / "data/baci2024_hs17/trade_hs6.parquet"
    rows = duckdb.connect().execute(f"SELECT hs6, sum(value_usd) FROM '{path}' GROUP BY hs6").fetchall()
    values = {str(code): float(value) for code, value in rows}
    found = {to: concord(values, to) for to in CLASSIFICATIONS}
    for to in ("section", "sector", "isic4", "wiod2013", "icio2023"):
        assert not found[to].unmapped, to
    bec = found["bec4"]
    assert 0.94 < bec.coverage_rate < 0.95
    assert bec.unmapped_value == pytest.approx(857e9, rel=0.01)
    assert max(bec.unmapped, key=lambda code: bec.unmapped[code]) == "850760"
    assert sum(bec.values.values()) + bec.unmapped_value == pytest.approx(sum(values.values()), rel=1e-12)


def test_an_unknown_classification_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'bec4'"):
        concord({"0306": 1.0}, "bec5")
    with pytest.raises(InputError, match="leading zero"):
        concord({"306": 1.0}, "bec4")
