"""One message with line and column for every fault, and nothing half-written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.core.errors import DataError, WorkbenchError
from counterpoise.data.readers import convert_source

FIXTURES = Path(__file__).parents[3] / "fixtures" / "sources"
BACI = "BACI_HS17_Y2023_V202501.csv"
DELIMITED = (
    BACI, "TradeData_11_3_2025_14_20_7.csv", "comtrade-legacy.csv", "AVEMFN_H6_356_2022_U2.CSV", "wits-query.csv",
    "Gravity_V202211.csv", "ITPD_E_R02.csv", "WDICSV.csv",
)  # fmt: skip


def refused(content: bytes, folder: Path, name: str = BACI, source: str | None = None) -> str:
    """Convert contents that cannot be used; return the message, after checking that nothing was written."""
    raw, out = folder / name, folder / "out"
    raw.write_bytes(content)
    out.mkdir(exist_ok=True)
    with pytest.raises(DataError) as caught:
        convert_source(raw, out / "tidy.parquet", source=source)
    assert list(out.iterdir()) == []
    assert caught.value.exit_code == 3
    return str(caught.value)


def changed(name: str, line: int, column: int, text: str) -> bytes:
    """Return a fixture with one cell replaced; lines and columns count from 1."""
    lines = (FIXTURES / name).read_bytes().split(b"\n")
    fields = lines[line - 1].split(b",")
    fields[column - 1] = text.encode()
    lines[line - 1] = b",".join(fields)
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("line", "column", "text", "words"),
    [
        (4, 5, "-1.5", "line 4, column v: '-1.5'; expected a number of zero or more"),
        (4, 5, "NA", "line 4, column v: 'NA'; expected a number of zero or more"),
        (4, 5, "nan", "line 4, column v: 'nan'; expected a number"),
        (4, 5, "inf", "line 4, column v: 'inf'; expected a number"),
        (4, 5, "1.234,5", "line 4, column q: 7 fields"),
        (4, 6, "heavy", "line 4, column q: 'heavy'; expected a number of zero or more (or NA where it is absent)"),
        (4, 4, "27090", None),
        (4, 4, "2709", "line 4, column k: '2709'; expected a code of 5 to 6 digits"),
        (4, 4, "27O900", "line 4, column k: '27O900'; expected a code of 5 to 6 digits"),
        (4, 2, "998", "line 4, column i: '998'; expected a country code, but '998' is unknown"),
        (4, 2, "", "line 4, column i: nothing; expected a country code"),
        (4, 1, "23", "line 4, column t: '23'; expected a year of four digits"),
        (1, 5, "value", "line 1: the header is t,i,j,k,value,q"),
        (1, 6, "v", "column 'v' stands twice"),
    ],
)
def test_a_fault_in_one_cell_is_named(line: int, column: int, text: str, words: str | None, tmp_path: Path) -> None:
    content = changed(BACI, line, column, text)
    if words is None:
        (tmp_path / BACI).write_bytes(content)
        assert "five digits" in convert_source(tmp_path / BACI, tmp_path / "t.parquet").notes[1]
        return
    assert words in refused(content, tmp_path, source="baci")


def test_every_fault_is_listed_in_one_message(tmp_path: Path) -> None:
    lines = (FIXTURES / BACI).read_text(encoding="utf-8").split("\n")
    lines[1] = "2023,699,643,300490,-1,NA"
    lines[4] = "2023,997,643,300490,x,NA"
    lines[7] = "1,699,643,300490,1,NA"
    message = refused("\n".join(lines).encode(), tmp_path)
    assert "4 problems" in message
    assert [int(n) for n in re.findall(r"line (\d+), column", message)] == [2, 5, 5, 8]


def test_a_key_that_repeats_is_named_with_both_lines(tmp_path: Path) -> None:
    lines = (FIXTURES / BACI).read_text(encoding="utf-8").split("\n")
    lines.insert(9, lines[2].replace("643", "643"))
    message = refused("\n".join(lines).encode(), tmp_path)
    assert "year 2023, exporter IND, importer RUS, hs6 030617: 2 rows on lines 3, 10" in message


def test_a_key_that_meets_only_after_labels_are_read_is_found(tmp_path: Path) -> None:
    """699 and 356 are both India: two lines that differ in the file are one flow."""
    text = "t,i,j,k,v,q\n2023,699,643,300490,1,NA\n2023,356,643,300490,2,NA\n"
    assert "2 rows on lines 2, 3" in refused(text.encode(), tmp_path)


@settings(max_examples=40)
@given(share=st.floats(0.02, 0.999), name=st.sampled_from(DELIMITED))
def test_a_file_cut_off_anywhere_is_an_error_or_ends_with_a_whole_line(
    share: float, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No cut inside a line passes; a cut at a line end leaves a table that is shorter, never one that is wrong."""
    whole = (FIXTURES / name).read_bytes()
    cut = whole[: int(len(whole) * share)]
    if cut.endswith(b"\n") or not cut:
        return
    folder = tmp_path_factory.mktemp("cut")
    raw, out = folder / name, folder / "tidy.parquet"
    raw.write_bytes(cut)
    with pytest.raises(DataError) as caught:
        convert_source(raw, out)
    assert not out.exists()
    if b"\n" in cut:
        assert re.search(r"line \d+", str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["comtrade-preview.json", "census-imports-hs10.json", "wdi-api.json", "wits-api.xml", "tradestat-pair-hs8.html",
     "tradestat-country-all-commodities.html"],
)  # fmt: skip
@pytest.mark.parametrize("share", [0.5, 0.8, 0.99])
def test_a_document_cut_off_is_an_error(name: str, share: float, tmp_path: Path) -> None:
    whole = (FIXTURES / name).read_bytes()
    message = refused(whole[: int(len(whole) * share)], tmp_path, name)
    assert "cut off" in message or "no known source" in message


def test_binary_rubbish_in_the_middle_is_one_message(tmp_path: Path) -> None:
    whole = (FIXTURES / BACI).read_bytes()
    for junk in (b"\x00" * 50, b'"', b"\xff\xfe\xff" * 9, b"\n\n\n"):
        content = whole[:300] + junk + whole[300:]
        assert re.search(r"line \d+", refused(content, tmp_path))
    assert "download it again" in refused(whole[:300] + b"\r" * 3 + whole[300:], tmp_path)


def test_an_old_result_stays_where_a_new_file_is_at_fault(tmp_path: Path) -> None:
    out = tmp_path / "tidy.parquet"
    convert_source(FIXTURES / BACI, out)
    before = out.read_bytes()
    raw = tmp_path / BACI
    raw.write_bytes(changed(BACI, 3, 5, "-9"))
    with pytest.raises(DataError):
        convert_source(raw, out)
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [BACI, "tidy.parquet"]


def test_a_long_file_is_read_in_pieces_under_a_limit_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of a million rows under a limit of 60 MB for DuckDB."""
    raw = tmp_path / "BACI_HS17_Y2022_V202501.csv"
    countries = (4, 8, 12, 24, 31, 32, 36, 40, 44, 48, 50, 51, 52, 56, 60, 64, 68, 70, 72, 76)
    with raw.open("w", encoding="utf-8") as handle:
        handle.write("t,i,j,k,v,q\n")
        for k in range(900):
            block = "".join(
                f"2022,{i},{j},{k + 10000:06d},{(i * j + k) / 7:14.3f},            NA\n"
                for i in countries
                for j in countries
                if i != j
            )
            handle.write(block)
    assert raw.stat().st_size > 15e6
    monkeypatch.setenv("COUNTERPOISE_MEMORY", "60MB")
    provenance = convert_source(raw, tmp_path / "tidy.parquet")
    assert provenance.rows_kept == 900 * 380
    raw.write_bytes(raw.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"line 342001, column q"):
        convert_source(raw, tmp_path / "again.parquet")
    assert not (tmp_path / "again.parquet").exists()


def test_too_little_memory_is_said_and_not_survived_by_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_MEMORY", "a lot")
    with pytest.raises(WorkbenchError, match="COUNTERPOISE_MEMORY"):
        convert_source(FIXTURES / BACI, tmp_path / "tidy.parquet")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_for_want_of_rights_is_no_traceback(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    raw = tmp_path / BACI
    raw.write_bytes((FIXTURES / BACI).read_bytes())
    raw.chmod(0)
    with pytest.raises(WorkbenchError):
        convert_source(raw, tmp_path / "tidy.parquet")
