"""`counterpoise products`: tables, files, and every way to be refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from counterpoise.data.concordance import high_priority_tiers
from counterpoise.data.trade_import import import_trade
from counterpoise.faces.cli import app
from counterpoise.scenario import load_scenario
from counterpoise.scenario.schema import Purchase


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["products", *arguments])


def answer(*arguments: str) -> dict[str, Any]:
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments: str, code: int = 2) -> str:
    result = invoke(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return result.stderr


def test_a_fresh_clone_answers_from_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUNTERPOISE_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr("counterpoise.data.sources.__file__", str(tmp_path / "a" / "b" / "c" / "d" / "sources.py"))
    monkeypatch.delenv("COUNTERPOISE_DATA", raising=False)
    found = answer("IND", "RUS", "--top", "3")
    assert found["source"].startswith("Embedded product tables")
    assert len(found["products"]) == 3
    assert found["summary"]["bought_usd"] == pytest.approx(4.81e9, rel=0.002)
    assert any("by heading" in words for words in found["missing"])


def test_the_ranking_and_the_block_on_the_terminal() -> None:
    result = invoke("IND", "RUS", "--hs", "01-24,30", "--redirect-from", "USA", "--store", "embedded", "--top", "5")
    assert result.exit_code == 0, result.output
    for words in ("complementarity", "ease of trade (pair)", "Products by redirected", "030617", "pushed out of USA"):
        assert words in result.stdout
    assert "Duties of USA as of 2025-10-03 (us-india-timeline)" in result.stderr
    assert "no licence to trade" in result.stderr
    everything = invoke("IND", "RUS", "--store", "embedded")
    assert "Excluded, dual-use" in everything.stdout


def test_no_recommendation_holds_a_dual_use_code(tmp_path: Path) -> None:
    found = answer("IND", "RUS", "--store", "embedded", "--top", "0")
    listed = set(high_priority_tiers())
    assert not {row["hs"] for row in found["products"]} & listed
    assert {row["hs"] for row in found["excluded"]} <= listed
    path = tmp_path / "programme.toml"
    assert invoke("IND", "RUS", "--store", "embedded", "--top", "0", "--programme", str(path)).exit_code == 0
    measure, *openings = load_scenario(path).measure
    assert {m.kind for m in openings} == {"opening"}
    assert isinstance(measure, Purchase)
    assert not set(measure.products or ()) & listed


def test_codes_stay_text_in_every_file(tmp_path: Path) -> None:
    for suffix in (".csv", ".parquet", ".json", ".xlsx", ".html"):
        path = tmp_path / f"products{suffix}"
        result = invoke("IND", "RUS", "--hs", "03", "--store", "embedded", "-o", str(path))
        assert result.exit_code == 0, result.output
        assert result.stdout == ""
    table = pd.read_csv(tmp_path / "products.csv", dtype={"hs": str})
    assert table["hs"].str.fullmatch(r"03\d{4}").all()
    assert pd.read_parquet(tmp_path / "products.parquet")["hs"].tolist() == table["hs"].tolist()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_programme_is_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "farm.toml"
    result = invoke(
        "IND",
        "RUS",
        "--hs",
        "01-24",
        "--store",
        "embedded",
        "--top",
        "4",
        "--programme",
        str(path),
        "--subsidy-rate",
        "0.3",
    )
    assert result.exit_code == 0, result.output
    (measure,) = load_scenario(path).measure
    assert measure.kind == "purchase"
    assert len(measure.products or ()) == 4
    assert measure.subsidy_rate.central == 0.3


def test_the_day_of_the_duties_matters() -> None:
    options = ("IND", "RUS", "--store", "embedded", "--hs", "03", "--redirect-from", "USA", "--top", "1")
    autumn = answer(*options, "--as-of", "2025-10-03")["summary"]["pushed_out_usd"]
    spring = answer(*options, "--as-of", "2026-02-21")["summary"]["pushed_out_usd"]
    assert autumn > 2 * spring > 0


def test_bad_input_is_one_message_that_names_it_all(tmp_path: Path) -> None:
    text = refused(
        "IND", "RUS", "--as-of", "October", "--top", "-1", "--subsidy-rate", "20", "-o", "x.pdf", "--programme", "x.ini"
    )
    assert "5 problems" in text
    for words in ("YYYY-MM-DD", "--top -1", "outside 0 to 1", "'.pdf' names no format", "ends in .toml"):
        assert words in text
    assert "leading zero may be lost" in refused("IND", "RUS", "--hs", "306", "--store", "embedded")
    assert "no product that anyone trades" in refused("IND", "RUS", "--hs", "77", "--store", "embedded")
    assert "unknown country 'XXX'" in refused("XXX", "RUS", "--store", "embedded")
    assert "lies inside the region 'EU27'" in refused("MEX", "DEU", "--store", "embedded")
    assert "on both sides" in refused("IND", "IND", "--store", "embedded")
    assert "no duties of USA on MEX" in refused("MEX", "EU27", "--redirect-from", "USA", "--store", "embedded")
    assert "no trade store at" in refused("IND", "RUS", "--store", str(tmp_path / "nothing"), code=3)
    assert list(tmp_path.iterdir()) == []


def test_any_pair_works_from_the_raw_file(sources: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUNTERPOISE_CACHE", str(tmp_path / "none"))
    filled = answer("MEX", "DEU", "--sources", str(sources), "--top", "1")
    assert any(words.startswith("FILLED, NOT REPORTED") for words in filled["missing"])
    assert filled["summary"]["buyer_imports_usd"] > 1e12
    silent = answer("BGD", "VNM", "--sources", str(sources), "--top", "1")
    assert silent["summary"]["ease_of"] == "neutral"
    assert any("absent, not zero" in words for words in silent["missing"])
    text = refused("IDN", "RUX", "--sources", str(sources))
    assert "'RUX'" in text


def test_headroom_is_shown_where_tonnes_are_stated_and_a_pair_without_record_is_absent(tmp_path: Path) -> None:
    """India asks 2,000 USD a tonne of all; Russia pays China 3,000: half as much again."""
    lines = [
        "exporter,importer,hs6,value_usd,quantity_tonnes",
        "IND,RUS,300490,4000000,2000",
        "IND,CHN,300490,2000000,1000",
        "CHN,RUS,300490,9000000,3000",
        "RUS,IND,270900,5000000,NA",
        "CHN,BGD,300490,1000000,NA",
        "BGD,CHN,610910,1000000,100",
    ]
    path = tmp_path / "flows.csv"
    path.write_text("\n".join(lines) + "\n")
    import_trade(path, tmp_path / "store", year=2021).close()
    shown = invoke("IND", "RUS", "--store", str(tmp_path / "store"))
    assert shown.exit_code == 0, shown.output
    (row,) = [line.split() for line in shown.stdout.splitlines() if line.strip().startswith("300490")]
    assert row[-3:] == ["2,000", "3,000", "+50"]
    assert "known for 1 of" in shown.stderr
    absent = invoke("BGD", "RUS", "--store", str(tmp_path / "store"))
    assert "RUS buys from BGD" in absent.stdout
    assert absent.stdout.count("absent: no record") == 2
    assert answer("BGD", "RUS", "--store", str(tmp_path / "store"))["summary"]["gap_usd"] is None


def test_a_number_that_nobody_reported_is_marked_where_it_stands(sources: Path) -> None:
    """The Emirates and Russia both report nothing in 2024; Germany is missing as an importer."""
    restored = invoke("ARE", "RUS", "--sources", str(sources))
    assert restored.stdout.count("restored: see below") == 2
    assert "ARE, RUS report nothing in 2024" in restored.stderr
    filled = invoke("MEX", "DEU", "--sources", str(sources))
    assert filled.stdout.count("filled: see below") == 1
    assert "FILLED, NOT REPORTED" in filled.stderr
