"""``counterpoise fund``: what it prints, what scripts may rely on, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from counterpoise.core.errors import InputError
from counterpoise.faces.cli.fund import fund_command

FEW = ("--sector", "pharmaceuticals", "--sector", "fertilisers", "--sector", "coal")


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command("fund")(fund_command)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    result = invoke(*FEW, "--draws", "20", "--minimum", "0", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_marginal_returns_of_the_funded_lines_are_equal_and_the_budget_is_spent(document: dict[str, Any]) -> None:
    free = [row["marginal_return"] for row in document["allocation"] if row["status"] == "free"]
    assert len(free) >= 2
    assert free == pytest.approx([document["multiplier"]] * len(free), rel=1e-6)
    assert sum(row["spend_usd"] for row in document["allocation"]) == pytest.approx(1e9)
    assert document["kkt_residual"] < 1e-6


def test_every_kind_of_lever_stands_beside_the_fund(document: dict[str, Any]) -> None:
    kinds = {row["lever"] for row in document["levers"]}
    assert kinds == {"fund", "tariff cut", "purchase programme", "obstacle removal"}


def test_caution_gives_up_some_mean_for_a_better_tail(document: dict[str, Any]) -> None:
    cautious = document["cautious"]
    assert cautious["low_usd"] > document["low_usd"]
    assert cautious["mean_usd"] < document["mean_usd"]
    assert sum(cautious["spend_usd"].values()) == pytest.approx(1e9)


def test_the_two_aims_rank_differently_and_precedents_stand_beside(document: dict[str, Any]) -> None:
    ranks = [(row["welfare_rank"], row["gap_rank"]) for row in document["ranking"]]
    assert any(w != g for w, g in ranks)
    assert document["plans"]["gap"]["gap_closed_usd"] > document["plans"]["welfare"]["gap_closed_usd"]
    assert {p["usd"] for p in document["precedents"]} >= {1e9, 8e9, 350e6}


def test_a_stuck_balance_is_spent_where_it_is_stuck(tmp_path: Path) -> None:
    target = tmp_path / "fund.html"
    told = invoke(*FEW, "--draws", "1", "--minimum", "0", "--finance", "balance", "-o", str(target))
    assert told.exit_code == 0, told.output
    page = target.read_text(encoding="utf-8")
    for anchor in ("fund-spending", "fund-aims", "fund-levers", "fund-precedents"):
        assert f'id="{anchor}"' in page
    assert "the balance of Russia that is stuck in India" in page
    assert "Russia: Pharmaceuticals" not in page


def test_the_tables_say_what_each_kind_of_lever_brings() -> None:
    told = invoke(*FEW, "--draws", "1", "--minimum", "0", "--objective", "gap").stdout
    for words in ("tariff cut", "purchase programme", "obstacle removal", "How large such sums have been"):
        assert words in told


def test_everything_wrong_is_said_at_once() -> None:
    words = invoke("--case", "middling", "--finance", "gift", "--risk", "none").exception
    assert isinstance(words, InputError)
    assert words.problems == (
        "--case 'middling' Expected low, central, high",
        "--finance 'gift' Expected budgets, balance",
        "--risk 'none' Expected mean, low",
    )
    numbers = invoke(*FEW, "--budget", "-1", "--weight", "2", "--draws", "0", "--tail", "0").exception
    assert isinstance(numbers, InputError)
    assert len(numbers.problems) >= 4
    assert numbers.exit_code == 2
