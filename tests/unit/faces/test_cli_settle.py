"""``counterpoise settle``: what it prints, what scripts may rely on, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from counterpoise.core.errors import InputError
from counterpoise.faces.cli.settle import settle

THREE = """
countries = ["IND", "RUS", "ARE"]
first = "2026-01"
months = 6

[currencies]
INR = 100.0

[[flow]]
origin = "RUS"
destination = "IND"
goods = "oil"
usd_a_year = 1200e6

[[flow]]
origin = "IND"
destination = "ARE"
goods = "rice"
usd_a_year = 600e6

[[flow]]
origin = "ARE"
destination = "IND"
goods = "dates"
usd_a_year = 60e6

[[invoice]]
goods = "oil"
share = { INR = 0.5, USD = 0.5 }

[[invoice]]
goods = "rice"
share = { USD = 1.0 }

[[invoice]]
goods = "dates"
share = { INR = 1.0 }

[[account]]
holder = "RUS"
currency = "INR"

  [[account.use]]
  kind = "conversion"
  rate = 1.0
  limit_usd = 10e6

  [[account.freeze]]
  first = "2026-04"
  last = "2026-04"

[[account]]
holder = "ARE"
currency = "INR"
"""


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command("settle")(settle)
    return CliRunner().invoke(app, list(arguments))


def test_the_default_pair_is_fitted_and_its_json_is_complete() -> None:
    result = invoke("--draws", "60", "--json", "--limit", "4", "--freeze", "2026-01:2026-06", "--drain-by", "2027-12")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["account"] == "RUS:INR"
    assert document["fitted"] is True
    assert document["money_conserved"] is True
    assert [set(row) for row in document["months"]] == [{"month", "low", "median", "high"}] * 61
    assert {row["unit"] for row in document["answers"]} == {"USD bn", "months", "USD bn a year"}
    assert document["stress"]["freezes"][0]["first"] == "2026-01"
    assert document["rules"][0]["date"] == "2022-07-11"


def test_tables_go_to_standard_output_and_words_to_standard_error() -> None:
    result = invoke("CHN", "IND", "--draws", "40", "--months", "24", "--extra-imports", "2", "--extra-from", "2024-06")
    assert result.exit_code == 0, result.stderr
    assert "What CHN holds in INR" in result.stdout
    assert "median, changed" in result.stdout
    assert "Nothing is reported" in result.stderr


def test_netting_a_file_prints_the_hand_example(tmp_path: Path) -> None:
    path = tmp_path / "owed.csv"
    path.write_text("debtor,creditor,amount\nA,B,100\nB,C,80\nC,A,60\n", encoding="utf-8")
    document = json.loads(invoke("--netting", str(path), "--json").stdout)
    saved = {row["method"]: row["efficiency"] for row in document["methods"]}
    assert saved["cycle clearing"] == 0.75
    assert saved["multilateral novation"] == pytest.approx(5 / 6)
    assert document["net_positions_minor"] == {"A": -4000, "B": 2000, "C": 2000}
    assert document["net_positions_unchanged"] is True
    assert document["payments_union"][1]["debtor_gold_minor"] == 2800
    told = invoke("--netting", str(path), "--liquidity", "0.4")
    assert "83.3" in told.stdout
    assert "offsetting among all" in told.stdout
    queues = json.loads(invoke("--netting", str(path), "--liquidity", "0.4", "--json").stdout)["liquidity"]["queues"]
    assert [q["settled_rate"] for q in queues] == [0.0, 0.0, 1.0]


def test_two_months_are_cleared_with_interest(tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("day,payer,payee,amount\n2025-01-01,IND,BGD,360\n2025-01-31,BGD,IND,60\n", encoding="utf-8")
    document = json.loads(invoke("--clearing", str(path), "--interest", "0.1", "--json").stdout)
    rows = {row["member"]: row for row in document["periods"]}
    # 360 for 30 days and 300 for 29: 10 % of (360 * 30 + 300 * 29) / 360 is 5.42.
    assert rows["IND"]["interest_minor"] == -542
    assert rows["BGD"]["settled_minor"] == 30542
    assert rows["IND"]["settled_on"] == "2025-03-04"
    assert document["efficiency"] == [pytest.approx(1 - 300 / 420)]
    assert "cleared every two months" in invoke("--clearing", str(path)).stdout


def test_options_of_a_file_need_the_file(tmp_path: Path) -> None:
    assert "--liquidity needs --netting FILE" in str(invoke("--liquidity", "0.1").exception)
    assert "--interest needs --clearing FILE" in str(invoke("--interest", "0.1").exception)
    both = invoke("--netting", str(tmp_path / "a"), "--clearing", str(tmp_path / "b"))
    assert "--netting and --clearing are both given" in str(both.exception)


def test_a_product_programme_empties_the_account_and_says_when(tmp_path: Path) -> None:
    result = invoke("--draws", "60", "--programme", "valdai-2025", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    programme = document["programme"]
    assert next(iter(programme["by_sector"])) == "pharmaceuticals"
    assert programme["usd_a_year"] == pytest.approx(sum(programme["by_sector"].values()))
    assert document["stress"]["programme_usd_bn_a_year"] == pytest.approx(programme["usd_a_year"] / 1e9)
    assert document["stress"]["drained_rate"] == 1.0
    assert "2026-04" <= document["stress"]["drained_in"] <= "2026-12"
    assert any("bring the account down to 0 between" in words for words in document["words"])
    assert document["permitted_uses"][-1]["valid_from"] == "2025-10-03"
    assert len(document["statements"]) == 7
    both = invoke("--programme", "valdai-2025", "--extra-imports", "1")
    assert "expected one of them" in str(both.exception)
    other = invoke("CHN", "BRA", "--programme", "valdai-2025", "--draws", "40")
    assert "RUS buys from IND there; expected purchases of" in str(other.exception)


def test_everything_wrong_with_the_options_is_said_at_once() -> None:
    result = invoke(
        "INX", "RUS", "--freeze", "2026-01", "--freeze", "2026-05:2026-02", "--rate", "x", "--refusal-rate", "1.5",
        "--months", "-3", "--limit", "-1", "--drain-by", "soon", "--trade", "3",
    )  # fmt: skip
    assert isinstance(result.exception, InputError)
    assert result.exception.problems == (
        "--freeze '2026-01' is no span of months; expected FIRST:LAST, as 2026-01:2026-06",
        "--rate 'x' is no rate; expected CODE=UNITS_PER_USD, as KZT=480",
        "--trade '3' is no trade; expected what A sells and what B sells in USD bn, as 0.4:0.1",
        "cap_usd_bn is -1; expected zero or more USD bn",
        "refusal_rate is 1.5; expected a probability from 0 to below 1 (0.3 is 30 %)",
        "drain_by is 'soon'; expected a month, as 2026-01",
        "freeze 2026-05 to 2026-02 ends before it begins; swap the months",
        "months is -3; expected at least 1",
        "unknown country 'INX'; did you mean 'IRN'? expected an ISO3 code or a region of the world",
    )


def test_one_country_alone_and_countries_beside_a_file_are_refused(tmp_path: Path) -> None:
    assert "expected two countries" in str(invoke("IND").exception)
    assert "takes no countries" in str(invoke("IND", "RUS", "--netting", str(tmp_path)).exception)


def test_the_band_is_written_as_its_suffix_says(tmp_path: Path) -> None:
    path = tmp_path / "account.csv"
    assert invoke("--draws", "40", "-o", str(path)).exit_code == 0
    assert path.read_text(encoding="utf-8").splitlines()[0] == "month,low,median,high"


def test_a_falling_currency_is_worth_less_in_dollars() -> None:
    kept, falling = (
        json.loads(invoke("--draws", "40", "--depreciation", rate, "--json").stdout)["months"][-1]
        for rate in ("0", "0.1")
    )
    assert falling["median"] < kept["median"]
    assert "expected above -1" in str(invoke("--depreciation", "-2").exception)


def test_several_countries_and_currencies_are_settled_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "three.toml"
    path.write_text(THREE, encoding="utf-8")
    told = invoke("--file", str(path), "--drain-by", "2026-06")
    assert told.exit_code == 0, told.stderr
    for words in ("RUS:INR", "ARE:INR", "Which limit binds when", "extra imports drain it", "Hard currency that moves"):
        assert words in told.stdout
    document = json.loads(invoke("--file", str(path), "--json").stdout)
    assert [row["account"] for row in document["accounts"]] == ["RUS:INR", "ARE:INR"]
    assert document["money_conserved"] is True
    # 50 mn a month come in and 10 are converted; April is frozen; ARE sells for 5 a month and buys nothing.
    assert [round(row["money_usd"] / 1e6) for row in document["months"]] == [
        40,
        80,
        120,
        170,
        210,
        250,
        *range(5, 31, 5),
    ]
    # Hard currency: the other half of the oil, all of the rice, and conversions.
    moved = {row["method"]: row["settled_cents"] for row in document["hard_currency"]}
    assert moved["all_hard"] == (600 + 300 + 30) * 10**8
    assert moved["accounts"] == (300 + 300 + 50) * 10**8


def test_a_folder_takes_tables_document_and_page(tmp_path: Path) -> None:
    path = tmp_path / "three.toml"
    path.write_text(THREE, encoding="utf-8")
    result = invoke("--file", str(path), "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.stderr
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names >= {"accounts.csv", "months.csv", "limits.csv", "settlement.html", "settlement.json"}
    page = (tmp_path / "out" / "settlement.html").read_text(encoding="utf-8")
    assert "Russia in INR" in page
    assert "Frozen" in page


def test_all_pairs_among_countries_are_settled() -> None:
    result = invoke("IND", "RUS", "CHN", "--draws", "20", "--months", "30", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert {row["account"] for row in document["accounts"]} == {"RUS:INR", "CHN:INR", "RUS:CNY"}
    assert document["money_conserved"] is True


def test_options_of_a_pair_are_refused_for_more_countries_and_for_a_file(tmp_path: Path) -> None:
    among = invoke("IND", "RUS", "CHN", "--extra-imports", "2", "--freeze", "soon")
    assert isinstance(among.exception, InputError)
    assert len(among.exception.problems) == 2
    path = tmp_path / "three.toml"
    path.write_text(THREE, encoding="utf-8")
    filed = invoke("IND", "RUS", "--file", str(path), "--limit", "3", "--depreciation", "0.05")
    assert isinstance(filed.exception, InputError)
    assert filed.exception.problems == (
        "--limit stands in the file",
        "--depreciation stands in the file",
        "--file names its own countries; leave IND and RUS out",
    )
