"""HS codes are strings; revisions are told apart by what occurs in a table."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.core.errors import DataError, InputError
from counterpoise.data.codes import hs_code, hs_revision, hs_revisions, hs_section, hs_sections, sniff_hs_revision
from counterpoise.data.concordance import hs_chapter_names

_CODES = st.sampled_from([2, 4, 6, 8, 10]).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n))


@given(_CODES)
def test_a_code_is_kept_to_the_digit_however_it_is_written(code: str) -> None:
    pairs = [code[k : k + 2] for k in range(0, len(code), 2)]
    assert hs_code(code) == code
    assert hs_code(" ".join(pairs)) == code
    assert hs_code(code[:4] + "".join(f".{p}" for p in pairs[2:])) == code


@pytest.mark.parametrize("wrong", [306, 3.0, None, b"0306", "306", "1", "", "03060", "O306", "03,06", "٠٣٠٦", "0306.1"])
def test_what_is_no_string_of_whole_pairs_is_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="leading zero"):
        hs_code(wrong)


def test_every_chapter_has_a_section_but_the_special_ones() -> None:
    chapters = hs_chapter_names()
    assert {c: hs_section(c) for c in chapters if not hs_section(c)} == {"98": "", "99": ""}
    assert {hs_section(c) for c in chapters} - {""} == set(hs_sections())
    assert len(hs_sections()) == 21
    for unused in ("00", "77"):
        with pytest.raises(InputError, match="not used"):
            hs_section(unused)


def test_a_revision_has_many_names() -> None:
    assert [r.code for r in hs_revisions()] == [f"H{k}" for k in range(7)]
    for name in ("H5", "HS2017", "hs17", "HS 2017", "2017"):
        assert hs_revision(name).edition == 2017
    with pytest.raises(InputError, match="known: HS1992"):
        hs_revision("HS2018")


def _codes(path: Path, column: str) -> set[str]:
    return {r[0] for r in duckdb.connect().execute(f"SELECT DISTINCT {column} FROM '{path}'").fetchall()}


def test_the_revision_of_each_file_at_hand_is_recognised(sources: Path) -> None:
    seen = {
        "baci": sniff_hs_revision(_codes(sources / "data/baci2024_hs17/trade_hs6.parquet", "hs6"))[0].code,
        "names": sniff_hs_revision(
            pd.read_csv(sources / "data/baci2024_hs17/product_codes_HS02_V202501.csv", dtype=str)["code"]
        )[0].code,
        "usa": sniff_hs_revision(_codes(sources / "data/us_imports_2024/hs6_by_partner.parquet", "hs6"))[0].code,
    }
    assert seen == {"baci": "H5", "names": "H2", "usa": "H6"}


def test_the_evidence_names_the_codes_that_tell() -> None:
    revision, seen = sniff_hs_revision(["010121", "870380", "880330"])
    assert revision.name == "HS2017"
    assert seen == (
        "870380 (electric cars) exists from HS2017",
        "8803 (parts of aircraft) exists up to HS2017",
    )
    with pytest.raises(DataError, match=r"8806.*but 8803"):
        sniff_hs_revision(["880621", "880330"])
    assert sniff_hs_revision(["010121"])[0].code == "H0"
