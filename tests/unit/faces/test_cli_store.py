"""The store, the gap's other tables and worlds of one's own on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from counterpoise.faces.cli.app import app

LINES = "origin,destination,hs,value_usd,quantity_t\nMEX,POL,870323,100,10\nPOL,MEX,850760,80,4\nDEU,MEX,870323,70,5\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Import two years and return the folder."""
    file = tmp_path / "t.csv"
    for year in (2023, 2024):
        file.write_text(LINES.replace(",100,", f",{100 * (year - 2022)},"))
        result = CliRunner().invoke(
            app, ["data", "import", str(file), "--year", str(year), "--store", str(tmp_path / "s"), "--json"]
        )
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["years"][-1]["rows_kept"] == 3
    return tmp_path / "s"


def test_the_store_is_shown_and_verified(store: Path) -> None:
    shown = CliRunner().invoke(app, ["data", "store", "--store", str(store), "--verify"])
    assert shown.exit_code == 0
    assert "2023" in shown.stdout
    assert "no imports of DEU; absent, not zero" in shown.stderr
    assert "every file is as it was written" in shown.stderr


def test_a_faulty_file_ends_with_3_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(LINES + "MEX,POL,2709")
    result = CliRunner().invoke(app, ["data", "import", str(file), "--year", "2024", "--store", str(tmp_path / "s")])
    assert (result.exit_code, result.stdout) == (3, "")
    assert "line 5, column hs: the file ends inside a line" in result.stderr
    assert list((tmp_path / "s").iterdir()) == []


def test_the_gap_from_a_store(store: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["gap", "MEX", "DEU", "--by", "hs6", "--store", str(store), "--json"])
    row = json.loads(result.stdout)["rows"][0]
    assert (row["hs6"], row["a_to_b_usd"], row["b_to_a_usd"]) == ("870323", None, 70.0)
    assert row["a_to_b_basis"] == "absent: importer missing"
    prices = CliRunner().invoke(app, ["gap", "MEX", "POL", "--table", "prices", "--store", str(store), "--json"])
    assert json.loads(prices.stdout)["totals"]["MEX_to_POL_price_effect_usd"] == 100.0
    book = tmp_path / "gap.xlsx"
    written = CliRunner().invoke(app, ["gap", "MEX", "POL", "--by", "hs6", "--store", str(store), "-o", str(book)])
    assert written.exit_code == 0, written.stderr
    sheets = openpyxl.load_workbook(book)
    assert sheets.sheetnames == ["Table", "Totals", "Notes"]
    assert sheets["Table"]["A2"].value == "870323"


@pytest.mark.parametrize("table", ["mirror", "fiscal", "value-added", "prices"])
def test_every_table_beside_the_gap_is_shown(table: str) -> None:
    result = CliRunner().invoke(app, ["gap", "IND", "RUS", "--table", table])
    assert result.exit_code == 0, result.stderr
    assert "IND" in result.stdout
    document = json.loads(CliRunner().invoke(app, ["gap", "IND", "RUS", "--table", table, "--json"]).stdout)
    assert list(document) == ["a", "b", "table", "rows", "totals", "caveats"]
    assert document["rows"]


def test_options_of_a_world_of_ones_own_need_a_table(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "build-world", "--regions", str(tmp_path / "r.csv"), "--theta", "5"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--regions needs --icio PATH" in result.stderr
    assert "--theta needs --icio PATH" in result.stderr


def test_a_world_of_ones_own(sources: Path, tmp_path: Path) -> None:
    regions = tmp_path / "regions.csv"
    rest = (
        "AUS AUT BEL BGR BRA CAN CHN CYP CZE DEU DNK ESP EST FIN FRA GBR GRC HUN IDN IRL ITA JPN KOR LTU LUX LVA MEX "
        "MLT NLD POL PRT ROU SVK SVN SWE TUR TWN USA ROW"
    )
    regions.write_text(f"region,name,countries\nIND,India,IND\nRUS,Russia,RUS\nREST,Rest,{rest}\n")
    table = sources / "data" / "wiod2011" / "flows.parquet"
    out = tmp_path / "out"
    result = CliRunner().invoke(
        app,
        ["data", "build-world", "--icio", str(table), "--regions", str(regions), "-o", str(out), "--json"],
    )
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["regions"] == ["IND", "RUS", "REST"]
    assert document["violated"] == []
    assert {p.name for p in out.iterdir()} == {"world.parquet", "adjustments.parquet", "data-card.md"}
    shown = CliRunner().invoke(
        app, ["gap", "IND", "RUS", "--table", "value-added", "--world", str(out / "world.parquet"), "--json"]
    )
    assert json.loads(shown.stdout)["totals"]["b_vax_ratio"] > 0.5
