"""HS codes are strings everywhere: a code with a leading zero comes out of every path as it went in."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from counterpoise.core.errors import InputError, ScenarioError
from counterpoise.data.codes import CLASSIFICATIONS, concord, hs_code
from counterpoise.data.concordance import hs_chapter_names, hs_sector
from counterpoise.data.fetch.interfaces import ComtradeQuery
from counterpoise.data.readers import convert_source, read_source
from counterpoise.data.readers.comtrade import COLUMNS
from counterpoise.data.store import write_table as write_parquet
from counterpoise.faces.cli.app import app
from counterpoise.faces.cli.show import write_table
from counterpoise.report.document import Document, Section, TableBlock
from counterpoise.report.workbook import write_workbook
from counterpoise.scenario import load_scenario

CHAPTERS = sorted(hs_chapter_names())


def codes(digits: int) -> st.SearchStrategy[str]:
    """Draw codes of used chapters, half of them of chapters 01 to 09."""
    chapter = st.one_of(st.sampled_from(CHAPTERS[:9]), st.sampled_from(CHAPTERS))
    rest = st.text("0123456789", min_size=digits - 2, max_size=digits - 2)
    return st.tuples(chapter, rest).map("".join)


def as_number(code: str) -> str:
    """Write a code as software does that takes it for a number: of six digits it keeps five."""
    return str(int(code)).rjust(5, "0")


SOME = st.lists(codes(6), min_size=1, max_size=12, unique=True)
PATIENT = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PATIENT
@given(SOME)
def test_through_baci_and_parquet(tmp_path_factory: pytest.TempPathFactory, drawn: list[str]) -> None:
    folder = tmp_path_factory.mktemp("hs")
    raw = folder / "BACI_HS92_Y2020_V202501.csv"
    # As CEPII writes them, and as software that took them for numbers writes them.
    for cells in (drawn, [as_number(code) for code in drawn]):
        lines = [f"2020,699,643,{cell},{k + 1}.5,NA" for k, cell in enumerate(cells)]
        raw.write_text("t,i,j,k,v,q\n" + "\n".join(lines) + "\n", encoding="utf-8")
        frame, _ = read_source(raw)
        assert frame["hs6"].tolist() == drawn
        convert_source(raw, folder / "tidy.parquet")
        assert pd.read_parquet(folder / "tidy.parquet")["hs6"].tolist() == drawn


@PATIENT
@given(SOME)
def test_through_comtrade_wits_and_census(tmp_path_factory: pytest.TempPathFactory, drawn: list[str]) -> None:
    folder = tmp_path_factory.mktemp("hs")
    fields: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    fields |= {
        "refYear": 2022, "period": 2022, "reporterCode": 699, "flowCode": "M", "partnerCode": 643, "partner2Code": 0,
        "classificationCode": "H6", "customsCode": "C00", "motCode": 0, "primaryValue": 1,
    }  # fmt: skip
    with (folder / "c.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        writer.writerows([{**fields, "cmdCode": code}[c] for c in COLUMNS] for code in drawn)
    assert read_source(folder / "c.csv")[0]["hs"].tolist() == drawn
    wits = "NomenCode,Reporter_ISO_N,Year,ProductCode,Min_Rate,Max_Rate,SimpleAverage\n"
    (folder / "w.csv").write_text(wits + "".join(f"H6,356,2022,{c},1,1,1\n" for c in drawn), encoding="utf-8")
    assert read_source(folder / "w.csv")[0]["hs6"].tolist() == drawn
    rows = [["I_COMMODITY", "CTY_CODE", "CTY_NAME", "CON_VAL_YR", "CAL_DUT_YR", "YEAR", "MONTH"]]
    rows += [[code, "5330", "INDIA", "1", "0", "2024", "12"] for code in drawn]
    (folder / "u.json").write_text(json.dumps(rows), encoding="utf-8")
    assert read_source(folder / "u.json")[0]["hs"].tolist() == drawn


@PATIENT
@given(SOME)
def test_through_tables_of_every_format(tmp_path_factory: pytest.TempPathFactory, drawn: list[str]) -> None:
    folder = tmp_path_factory.mktemp("hs")
    frame = pd.DataFrame({"hs": drawn, "value_usd": [float(k) for k in range(len(drawn))]})
    write_table(folder / "t.csv", frame)
    with (folder / "t.csv").open(encoding="utf-8", newline="") as handle:
        assert [row["hs"] for row in csv.DictReader(handle)] == drawn
    write_table(folder / "t.parquet", frame)
    assert pd.read_parquet(folder / "t.parquet")["hs"].tolist() == drawn
    write_parquet(folder / "u.parquet", frame)
    assert pd.read_parquet(folder / "u.parquet")["hs"].tolist() == drawn
    write_table(folder / "t.json", frame)
    assert [row["hs"] for row in json.loads((folder / "t.json").read_text(encoding="utf-8"))] == drawn
    block = TableBlock(title="Goods", frame=frame, source="drawn")
    document = Document(title="T", dek="D", sentences=("S.",), sections=(Section(id="s", title="S", tables=(block,)),))
    write_workbook(document, folder / "t.xlsx")
    book = openpyxl.load_workbook(folder / "t.xlsx", read_only=True)
    try:
        found = [row for row in book.worksheets[1].iter_rows(values_only=True) if row and row[0] in drawn]
    finally:
        book.close()
    assert [row[0] for row in found] == drawn


@PATIENT
@given(st.sampled_from([2, 4, 6]).flatmap(codes))
def test_through_scenario_files(tmp_path_factory: pytest.TempPathFactory, code: str) -> None:
    path = tmp_path_factory.mktemp("hs") / "mine.toml"
    text = """
schema = 1
name = "mine"
title = "One duty"
[[measure]]
id = "duty"
kind = "tariff"
origins = ["IND"]
destinations = ["USA"]
rates = [{{ hs = {code}, rate = 0.1 }}]
"""
    path.write_text(text.format(code=f'"{code}"'), encoding="utf-8")
    scenario = load_scenario(path)
    assert scenario.model_dump(mode="json")["measure"][0]["rates"][0]["hs"] == code
    # Without quotes TOML takes it for a number, or for nothing at all: both are refused, never mended.
    path.write_text(text.format(code=code), encoding="utf-8")
    with pytest.raises((ScenarioError, InputError)):
        load_scenario(path)


@given(st.sampled_from([2, 4, 6]).flatmap(codes))
def test_through_arguments(code: str) -> None:
    query = ComtradeQuery(("IND",), ("2024",), (), ("M",), (code,))
    assert query.parameters["cmdCode"] == code
    assert hs_code(code) == code


def test_the_command_line_prints_codes_with_their_zeros(tmp_path: Path) -> None:
    out = tmp_path / "gap.csv"
    result = CliRunner().invoke(app, ["gap", "IND", "USA", "--by", "hs2", "--top", "0", "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    with out.open(encoding="utf-8", newline="") as handle:
        found = [row["hs2"] for row in csv.DictReader(handle)]
    listed = [code for code in found if code.isdigit()]
    assert {"01", "03", "09"} <= set(listed)
    assert all(len(code) == 2 for code in listed)


@given(st.dictionaries(codes(6), st.floats(0, 1e12), min_size=1, max_size=40), st.sampled_from(sorted(CLASSIFICATIONS)))
def test_nothing_is_lost_between_classifications(values: dict[str, float], to: str) -> None:
    found = concord(values, to)
    assert sum(found.values.values()) + found.unmapped_value == pytest.approx(sum(values.values()), rel=1e-12, abs=1e-6)
    assert 0.0 <= found.coverage_rate <= 1.0 + 1e-12
    mapped = {code for weights in found.weights.values() for code in weights}
    assert mapped | set(found.unmapped) == set(values)
    assert not mapped & set(found.unmapped)


@given(codes(6))
def test_every_code_of_a_used_chapter_has_a_sector_and_a_section(code: str) -> None:
    assert hs_sector(code)
    assert bool(CLASSIFICATIONS["section"](code)) == (code[:2] not in ("98", "99"))
