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
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_table_says_which_obstacle_costs_most() -> None:
    result = invoke("IND", "RUS")
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
    told = document("IND", "RUS", "--sector", "food", "--attribute", "--set", "payment_shares.direct=1")
    rows = {r["obstacle"]: r["gap_usd"] for r in told["attribution"]["rows"]}
    everything = rows.pop("all")
    assert sum(rows.values()) == pytest.approx(everything, rel=1e-9)
    assert everything > 0
    assert told["attribution"]["exact"] is True


def test_rows_go_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    assert invoke("IND", "RUS", "--sector", "food", "-o", str(target)).exit_code == 0
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
