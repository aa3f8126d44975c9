"""``counterpoise frictions``: what a script and a reader get, and how mistakes end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

from counterpoise.core.errors import InputError
from counterpoise.faces.cli.frictions import friction_overrides, frictions

app = typer.Typer()
app.command()(frictions)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def document(*arguments: str) -> dict[str, Any]:
    result = invoke(*arguments, "--no-attribute", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_table_says_which_obstacle_costs_most() -> None:
    result = invoke("IND", "RUS", "--no-attribute")
    assert result.exit_code == 0
    assert "Most costly: time in transit, 25.44 %." in result.stdout
    assert "INSTC sea and rail" in result.stdout
    assert "could be removed" in result.stdout


def test_json_holds_every_sheet() -> None:
    told = document("IND", "RUS", "--sector", "food", "--sector", "pharmaceuticals")
    assert {r["sector"] for r in told["rows"]} == {"food", "pharmaceuticals"}
    assert told["costliest"] == "transit_time"
    values = [round(r["cargo_value_usd"]) for r in told["break_even"]]
    assert values == [11583, 6950, 3310]


def test_the_case_ranks() -> None:
    assert document("IND", "RUS", "--sector", "gems", "--case", "high")["costliest"] == "agent_commission"


def test_a_setting_changes_the_wedge() -> None:
    told = document("IND", "RUS", "--sector", "food", "--set", "payment_shares.direct=1", "--set", "insurance.rise=0")
    rates = {r["obstacle"]: r["ave_central"] for r in told["rows"]}
    assert rates["currency"] == pytest.approx(0.002)
    assert rates["insurance"] == pytest.approx(0.003)


def test_attribution_adds_up() -> None:
    told = json.loads(invoke("IND", "RUS", "--sector", "food", "--set", "payment_shares.direct=1", "--json").stdout)
    rows = {r["obstacle"]: r["gap_usd"] for r in told["attribution"]["rows"]}
    everything = rows.pop("all")
    assert sum(rows.values()) == pytest.approx(everything, rel=1e-9)
    assert everything > 0
    assert told["attribution"]["exact"] is True


def test_rows_go_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    assert invoke("IND", "RUS", "--sector", "food", "--no-attribute", "-o", str(target)).exit_code == 0
    assert set(pd.read_csv(target)["sector"]) == {"food"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("IND", "RUS", "--sector", "fod"), "unknown sector 'fod'; did you mean 'food'?"),
        (("IND", "RUS", "--case", "worst"), "case is 'worst'; expected low, central or high"),
        (("IND", "RUS", "--as-of", "soon"), "--as-of soon is no date; expected YYYY-MM-DD"),
        (("IND", "RUS", "--set", "payment_shares.direct=0.5"), "payment_shares add up to 0.5; expected 1"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_settings_become_nested_tables() -> None:
    told = friction_overrides({"a.b": "1", "a.c.d": "[1, 2, 3]", "close": "suez"})
    assert told == {"a": {"b": 1, "c": {"d": [1, 2, 3]}}, "close": "suez"}
    with pytest.raises(InputError, match=r"a\.b: 'a' is set to 1 already; expected a table"):
        friction_overrides({"a": "1", "a.b": "2"})


OWN = """
close = "suez"
[insurance]
rise = 0
[[legs]]
name = "new_rail"
start = "IND"
end = "RUS"
mode = "rail"
corridor = "New railway"
cost = [2500, 2900, 3400]
days = 14
"""


def test_a_file_holds_the_users_own_numbers_and_settings_come_on_top(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    told = document("IND", "RUS", "--sector", "food", "--file", str(path), "--set", "insurance.base_rate=0")
    rates = {r["obstacle"]: r["ave_central"] for r in told["rows"]}
    assert rates["insurance"] == 0.0
    names = {r["route"] for r in told["routes"]}
    assert "New railway" in names
    assert not any(name.startswith(("Suez", "Traditional")) for name in names)
    assert told["corridor_changes"][0]["kind"] == "given"
    result = invoke("IND", "RUS", "--sector", "food", "--no-attribute", "--file", str(path))
    assert "your own network" in result.stdout


def test_every_mistake_of_a_file_is_told_in_one_message(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        """
        payment_shares = { direct = 0.5, netting = 0.4 }
        [[payments.barter]]
        name = "swap"
        kind = "release"
        from_currency = "XYZ"
        to_currency = "XYZ"
        refusal_probability = 1.2
        [[legs]]
        name = "rail"
        start = "IND"
        end = "RUS"
        mode = "rail"
        cost = 100
        days = -3
        [[payments.shells]]
        name = "pay"
        kind = "release"
        from_currency = "XYZ"
        to_currency = "XYZ"
        """,
        encoding="utf-8",
    )
    result = invoke("IND", "RUS", "--file", str(path))
    assert isinstance(result.exception, InputError)
    text = str(result.exception)
    assert "refusal_probability is 1.2 to 1.2; expected 0 or more and below 1" in text
    assert "days is -3; expected zero or more" in text
    assert "the currency XYZ of payment route 'shells' has no rate" in text
    assert "payment_shares add up to 0.9; expected 1" in text
    assert result.exception.exit_code == 2


def test_a_file_that_is_none_or_no_toml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    assert "is no file; expected a TOML file" in str(invoke("IND", "RUS", "--file", str(path)).exception)
    path.write_text("close = ", encoding="utf-8")
    assert "is no TOML" in str(invoke("IND", "RUS", "--file", str(path)).exception)


def test_a_country_outside_the_world_is_told_and_a_misspelt_one_refused() -> None:
    result = invoke("VNM", "BRA", "--sector", "food")
    assert result.exit_code == 0
    assert "VNM is no country of the world that is solved" in result.stderr
    assert "No pair-specific source for VNM to Brazil" in result.stderr
    wrong = str(invoke("INX", "RUQ").exception)
    assert "unknown country 'INX'" in wrong
    assert "unknown country 'RUQ'; did you mean 'RUS'?" in wrong


def test_a_page_has_the_chapter_with_its_pictures(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    told = invoke("CHN", "BRA", "--sector", "food", "--sector", "coal", "--no-attribute", "-o", str(target))
    assert told.exit_code == 0
    page = target.read_text(encoding="utf-8")
    for anchor in ("frictions-waterfall", "frictions-legs", "frictions-payments"):
        assert f'id="{anchor}"' in page
    wrong = invoke("CHN", "BRA", "--sector", "food", "--no-attribute", "-o", str(tmp_path / "page.pdf"))
    assert "the suffix '.pdf' names no format; expected .csv, .parquet, .json, .html" in str(wrong.exception)
