"""`optimal`, `nash` and `cooperate`: what they print, write and refuse, on a small world file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from counterpoise.faces.cli.app import app
from tests.reference.worlds import random_world

runner = CliRunner()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "small.parquet"
    random_world(21, countries=3, sectors=2, zeros=0.0).save(path)
    return path


def test_optimal_prints_json_and_writes_the_chosen_lines(world: Path, tmp_path: Path) -> None:
    target = tmp_path / "tariffs.csv"
    command = ["optimal", "C0", "--economy", str(world), "--partners", "C1", "--cap", "0.05", "--floor", "0"]
    done = runner.invoke(app, [*command, "--starts", "", "--json", "-o", str(target)])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["lines"] == document["at_bound"] == 2
    assert {row["origin"] for row in document["tariffs"]} == {"C1"}
    assert [row["tariff_rate_cf"] for row in document["tariffs"]] == pytest.approx([0.05, 0.05])
    assert document["first_order_gap"] <= 1e-9
    assert document["welfare_pct"] == pytest.approx(
        next(row["welfare_pct"] for row in document["countries"] if row["country"] == "C0"), abs=1e-6
    )
    assert target.read_text(encoding="utf-8").startswith("origin,destination,sector,tariff_rate,tariff_rate_cf")


def test_optimal_says_what_it_found(world: Path) -> None:
    done = runner.invoke(app, ["optimal", "C0", "--economy", str(world), "--starts", ""])
    assert done.exit_code == 0, done.output
    assert "C0: welfare +" in done.stdout
    assert "First-order conditions to" in done.stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["optimal", "C9"], "unknown country 'C9'"),
        (["optimal", "C0", "--tie", "sectors"], "did you mean 'sector'"),
        (["optimal", "C0", "--starts", "a,-2"], "2 problems"),
        (["optimal", "C0", "--cap", "-0.5"], "bounds"),
        (["nash", "C0", "C0"], "C0 stands twice"),
        (["nash", "C0", "C1", "--among", "--partners", "C2"], "exclude each other"),
        (["cooperate", "C0"], "name two parties"),
        (["cooperate", "C0", "C1", "--rule", "fair"], "unknown rule"),
    ],
)
def test_what_cannot_be_used_ends_with_words_and_2(world: Path, command: list[str], words: str) -> None:
    done = runner.invoke(app, [*command, "--economy", str(world)])
    assert done.exit_code == 2
    assert words in done.stderr


def test_an_unknown_economy_is_named() -> None:
    done = runner.invoke(app, ["optimal", "USA", "--economy", "ossa-2041"])
    assert done.exit_code == 2
    assert "did you mean 'ossa-2014'" in done.stderr


@pytest.mark.parametrize(
    "command", [("optimal", "C0", "--starts", ""), ("nash", "C0", "C1"), ("cooperate", "C0", "C1")]
)
def test_every_answer_says_how_it_was_asked_and_found(world: Path, command: tuple[str, ...]) -> None:
    done = runner.invoke(app, [*command, "--economy", str(world), "--cap", "0.1", "--floor", "0", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["economy"], document["closure"], document["tie"]) == (str(world), "fixed_world_share", "line")
    assert document["first_order_gap"] < 1e-6
    assert document["sweeps"] > 0
    assert len(document["countries"]) == 3
    assert {row["destination"] for row in document["tariffs"]} <= {"C0", "C1"}
