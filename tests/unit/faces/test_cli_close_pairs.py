"""``counterpoise close`` on the shipped scenarios and on pairs of a user's own: an answer, or words that help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from counterpoise.data import load_world
from counterpoise.faces.cli.app import app
from counterpoise.scenario import list_scenarios

PAIR = """
schema = 1
name = "pair"
as_of = 2025-10-03
pair = {{ origin = "{0}", destination = "{1}" }}
"""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def file(folder: Path, origin: str, destination: str) -> str:
    path = folder / "pair.toml"
    path.write_text(PAIR.format(origin, destination), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", list_scenarios())
def test_every_shipped_scenario_has_a_package(name: str) -> None:
    done = call("close", name, "--target", "5%", "--starts", "1", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["status"] == "optimal"
    assert found["closed_pct"] == pytest.approx(5.0, rel=1e-4)
    a, b = found["pair"]
    left = found["gap_before_usd"] / load_world().gap_usd(a, b)
    assert (left < 0.2) == (name == "oil-stop")
    assert any("What holds anyway leaves a gap" in note for note in found["notes"]) == (abs(left - 1.0) > 0.02)


@pytest.mark.parametrize(("origin", "destination", "seller"), [("BRA", "JPN", "BRA"), ("MEX", "EU27", "EU27")])
def test_a_pair_of_ones_own_needs_two_names_alone(tmp_path: Path, origin: str, destination: str, seller: str) -> None:
    path = file(tmp_path, origin, destination)
    done = call("close", path, "--target", "10%", "--starts", "1", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["status"] == "optimal"
    assert found["pair"][0] == seller
    assert found["notes"] == []
    assert found["cost_usd"] > 0


def test_a_country_inside_a_region_and_a_pair_that_leaves_nothing_are_told(tmp_path: Path) -> None:
    inside = call("close", file(tmp_path, "MEX", "DEU"))
    assert inside.exit_code == 2
    assert "'DEU' lies inside the region 'EU27' of this world; write 'EU27'" in inside.stderr
    nothing = call("close", file(tmp_path, "BRA", "JPN"), "--only-scenario")
    assert nothing.exit_code == 2
    assert "leaves nothing that BRA could do about the gap with JPN" in nothing.stderr
    beyond = call("close", file(tmp_path, "BRA", "JPN"), "--only", "duty_food", "--target", "90%")
    assert beyond.exit_code == 4
    assert "is at its bound, 1 (share of the duty)" in beyond.stderr


def test_the_story_of_a_pair_without_measures_is_written(tmp_path: Path) -> None:
    done = call("run", file(tmp_path, "MEX", "EU27"), "-o", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "Model: many sectors" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
