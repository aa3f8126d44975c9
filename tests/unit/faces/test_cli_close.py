"""``counterpoise close`` on a small world of its own: answers, exit codes, words and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from counterpoise.faces.cli.app import app
from counterpoise.scenario import load_scenario
from tests.unit.policy.small import small_world

SCENARIO = """
schema = 1
name = "small"
as_of = 2025-10-03
world = "{world}"
pair = {{ origin = "BBB", destination = "AAA" }}

[target]
turnover_usd = 3e10
by = 2028-12-31

[[milestone]]
day = 2027-05-01
title = "summit"

[[measure]]
id = "order"
kind = "purchase"
buyer = "AAA"
seller = "BBB"
sectors = ["food"]
subsidy_rate = {{ low = 0.1, central = 0.2, high = 0.3 }}

[[measure]]
id = "road"
kind = "obstacle"
origins = ["BBB"]
destinations = ["AAA"]
sectors = "all"
ave = 0.1

[[lever]]
id = "late"
kind = "obstacle_removal"
origin = "BBB"
destination = "AAA"
sectors = ["machinery"]
ave = 0.2
upper = 1.0
cost = {{ quadratic_usd = 1e9, source = "test" }}
available_from = 2026-01-01
full_by = 2028-01-01
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("close")
    small_world(duty=0.1).save(folder / "small.parquet")
    path = folder / "small.toml"
    path.write_text(SCENARIO.format(world=folder / "small.parquet"), encoding="utf-8")
    return str(path)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["close", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json_holds_what_scripts_rely_on(scenario: str) -> None:
    found = document(scenario, "--target", "4%")
    assert found["status"] == "optimal"
    assert found["closed_pct"] == pytest.approx(4.0, rel=1e-5)
    assert found["kkt_residual"] < 1e-5
    assert {"cost_usd", "shadow_price", "max_closure_pct", "seconds"} <= set(found)
    # The pair stands the other way round in the file; the one that sells more comes first.
    assert found["pair"] == ["AAA", "BBB"]
    levers = {row["lever"]: row for row in found["package"]}
    assert {"order", "road", "late", "duty_food", "duty_machinery", "programme_machinery"} == set(levers)
    in_dollars = document(scenario, "--target", f"{found['target_usd']}")
    assert in_dollars["cost_usd"] == pytest.approx(found["cost_usd"], rel=1e-6)


def test_an_unreachable_target_ends_with_4_and_says_the_most(scenario: str) -> None:
    result = call(scenario, "--target", "90%", "--only", "order", "--json")
    assert result.exit_code == 4
    found = json.loads(result.stdout)
    assert found["status"] == "unreachable"
    assert found["package"] == []
    assert found["cost_usd"] is None
    assert 0 < found["max_closure_pct"] < 90
    assert found["stops"] == ["order is at its bound, 0.3 (share of the price)"]
    assert "the largest closure that the levers and limits allow is" in result.stderr


def test_contradictory_floors_end_with_2(scenario: str) -> None:
    result = call(scenario, "--target", "2%", "--floor", "AAA=40%", "--floor", "BBB=40%")
    assert result.exit_code == 2
    assert "contradict each other" in result.stderr
    assert "real income of AAA changes by at least +40 %" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--floor", "AAA"), "'AAA'; expected COUNTRY=PERCENT"),
        (("--floor", "AAA=1", "--floor", "AAA=2"), "'AAA' is given twice, 1 and 2"),
        (("--floor", "XXX=1"), "unknown country 'XXX'"),
        (("--third-party", "AAA=1bn"), "it is one of the pair"),
        (("--target", "much"), "target 'much'; expected a share of the gap"),
        (("--target", "150%"), "expected a share of the gap above 0 and up to 1"),
        (("--by", "soon"), "'soon' is no day"),
        (("--by", "2024"), "lies before the scenario's day 2025-10-03"),
        (("--only", "ordr"), "no lever 'ordr'; did you mean 'order'?"),
        (("--cost", "hgh"), "unknown end of the cost curves 'hgh'; did you mean 'high'?"),
        (("--objective", "happiness"), "unknown objective 'happiness'"),
        (("--attribute", "country"), "expected lever or kind"),
        (("-o", "out.doc"), "names no format"),
    ],
)
def test_what_cannot_be_used_ends_with_2(scenario: str, arguments: tuple[str, ...], words: str) -> None:
    result = call(scenario, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_lever_without_a_bound_and_other_mistakes_are_told_at_once(scenario: str, tmp_path: Path) -> None:
    text = Path(scenario).read_text(encoding="utf-8")
    wrong = text.replace("upper = 1.0\n", "").replace("ave = 0.2\n", "").replace("2028-01-01", "2025-12-01")
    path = tmp_path / "wrong.toml"
    path.write_text(wrong.replace('sectors = ["machinery"]', 'sectors = ["machines"]'), encoding="utf-8")
    result = call(str(path))
    assert result.exit_code == 2
    for words in (
        "a lever without an upper bound could grow without limit",
        "a lever of kind obstacle_removal needs it",
        "is before available_from",
        "unknown sector 'machines'; did you mean 'machinery'?",
    ):
        assert words in result.stderr


def test_where_nothing_costs_anything_the_words_say_so(scenario: str, tmp_path: Path) -> None:
    text = Path(scenario).read_text(encoding="utf-8").replace("cost = { quadratic_usd = 1e9, source", "cost = { source")
    path = tmp_path / "free.toml"
    path.write_text(text, encoding="utf-8")
    # A world without duties, so that the lever has no cost of either kind.
    small_world().save(tmp_path / "small.parquet")
    result = call(str(path), "--set", f"world={tmp_path / 'small.parquet'}", "--target", "1%", "--only", "late")
    assert result.exit_code == 0, result.output
    assert "Nothing costs anything here: neither the model nor a curve counts a cost" in result.stdout
    assert "costs 0.000 bn USD a year" in result.stdout


STOP = """
[[measure]]
id = "stop"
kind = "quota"
origins = "AAA"
destinations = "BBB"
sectors = "all"
limit_share = {share}
"""


def with_more(scenario: str, folder: Path, more: str) -> str:
    path = folder / "more.toml"
    path.write_text(Path(scenario).read_text(encoding="utf-8") + more, encoding="utf-8")
    return str(path)


def test_a_gap_that_the_scenario_itself_turns_round_is_told(scenario: str, tmp_path: Path) -> None:
    result = call(with_more(scenario, tmp_path, STOP.format(share=0.01)), "--target", "5%")
    assert result.exit_code == 2
    assert "what holds anyway turns the gap round" in result.stderr
    assert "--set measure.ID.enabled=false" in result.stderr


def test_a_gap_that_other_measures_leave_is_what_shares_are_of(scenario: str, tmp_path: Path) -> None:
    changed = with_more(scenario, tmp_path, STOP.format(share=0.8))
    found = document(changed, "--target", "4%")
    world = small_world(duty=0.1)
    assert found["gap_before_usd"] < 0.8 * world.gap_usd("AAA", "BBB")
    assert found["closed_usd"] == pytest.approx(0.04 * found["gap_before_usd"], rel=1e-5)
    assert found["notes"][0].startswith(f"What holds anyway leaves a gap of {found['gap_before_usd'] / 1e9:.2f} bn USD")
    assert document(scenario, "--target", "4%")["notes"] == []


def test_measures_that_look_like_levers_and_are_none_are_named(scenario: str, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    text = Path(scenario).read_text(encoding="utf-8")
    text = text.replace('buyer = "AAA"\nseller = "BBB"', 'buyer = "BBB"\nseller = "AAA"')
    path.write_text(text.replace('origins = ["BBB"]', 'origins = ["BBB", "CCC"]'), encoding="utf-8")
    result = call(str(path), "--target", "2%", "--json")
    assert result.exit_code == 0, result.output
    assert "'order': BBB buys from AAA, which sells more already; it widens the gap" in result.stderr
    assert "'road': an obstacle is a lever where it names exactly origins = \"BBB\"" in result.stderr
    assert not {"order", "road"} & {row["lever"] for row in json.loads(result.stdout)["package"]}
    assert "is no lever" not in call(scenario, "--target", "2%").stderr


def test_what_the_package_does_to_other_revenue_is_told(scenario: str) -> None:
    found = document(scenario, "--target", "4%", "--only", "order")
    taken = sum(row["cost_usd"] for row in found["package"])
    assert found["cost_usd"] == pytest.approx(taken + found["induced_usd"], rel=1e-9)
    assert found["induced_usd"] < -0.05 * found["cost_usd"]
    told = call(scenario, "--target", "4%", "--only", "order").stdout.replace("\n", " ")
    assert f"raises all other revenue of the budgets by {-found['induced_usd'] / 1e6:.0f} mn" in told


def test_a_date_brings_ramps_and_the_elasticities_of_that_day(scenario: str) -> None:
    early, late = (document(scenario, "--target", "1%", "--by", day) for day in ("2027", "2030"))
    uppers = [next(r["upper"] for r in found["package"] if r["lever"] == "late") for found in (early, late)]
    assert uppers == pytest.approx([729 / 730, 1.0], abs=1e-3)
    assert early["cost_usd"] > late["cost_usd"]
    assert early["max_closure_pct"] < late["max_closure_pct"]


def test_a_path_has_a_package_for_every_year_and_its_marks(scenario: str) -> None:
    found = document(scenario, "--target", "3%", "--path", "--by", "2028")["path"]
    assert [row["on"] for row in found["years"]] == ["2026-12-31", "2027-12-31", "2028-12-31"]
    assert [row["target_usd"] for row in found["years"]] == pytest.approx(
        [0.01 * found["gap_usd"], 0.02 * found["gap_usd"], 0.03 * found["gap_usd"]]
    )
    assert found["years"][0]["elasticity_share"] < found["years"][2]["elasticity_share"] < 1
    assert [mark["title"] for mark in found["milestones"]] == [
        "late: from here",
        "summit",
        "aim: 30 bn USD of trade",
    ]
    assert found["goal_usd"] == 3e10


def test_a_folder_takes_every_table_and_a_page_and_a_workbook_are_made(scenario: str, tmp_path: Path) -> None:
    asked = (scenario, "--target", "3%", "--frontier", "3", "--attribute", "kind", "--sensitivity")
    result = call(*asked, "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "package.csv",
        "package.json",
        "welfare.csv",
        "frontier.csv",
        "composition.csv",
        "attribution.csv",
        "sensitivity.csv",
        "sensitivity_levers.csv",
    }
    sensitivity = pd.read_csv(tmp_path / "out" / "sensitivity.csv")
    assert sensitivity["elasticities"].iloc[0] == "the world's own"
    assert sensitivity["rank_correlation"].iloc[0] == pytest.approx(1.0)
    parts = pd.read_csv(tmp_path / "out" / "attribution.csv")
    assert parts["closed_usd"].iloc[:-1].sum() == pytest.approx(parts["closed_usd"].iloc[-1])
    for name in ("page.html", "book.xlsx"):
        assert call(*asked[:5], "--path", "--by", "2027", "-o", str(tmp_path / name)).exit_code == 0
        assert (tmp_path / name).stat().st_size > 5000


def test_the_words_say_price_limit_and_proof(scenario: str) -> None:
    result = call(scenario, "--target", "4%")
    assert result.exit_code == 0
    assert "of the gap AAA-BBB costs" in result.stdout
    assert "At most" in result.stdout
    assert "starts agree" in result.stderr


def test_the_package_at_each_end_of_the_cost_curves(scenario: str) -> None:
    ends = {end: document(scenario, "--target", "4%", "--cost", end) for end in ("low", "central", "high")}
    assert [found["cost_curves"] for found in ends.values()] == ["low", "central", "high"]
    low, central, high = (found["cost_usd"] for found in ends.values())
    assert low < central < high
    assert central == pytest.approx(document(scenario, "--target", "4%")["cost_usd"], rel=1e-9)
    removed = {
        end: next(row["value"] for row in found["package"] if row["lever"] == "road") for end, found in ends.items()
    }
    assert removed["low"] >= removed["central"] >= removed["high"]
    assert removed["low"] > removed["high"]
    # Dear money buys the same: the obstacle costs half or twice, and no package is better than that.
    assert high <= 2.0 * central * (1.0 + 1e-9)
    assert low >= 0.5 * central * (1.0 - 1e-9)
    told = call(scenario, "--target", "4%", "--cost", "high")
    assert "cost curves at their high bound" in told.stdout


def test_levers_of_a_scenario_are_part_of_its_schema(scenario: str) -> None:
    loaded = load_scenario(scenario)
    assert loaded.lever[0].cost.quadratic_usd == 1e9
    assert loaded.milestone[0].title == "summit"
    schema = json.loads(CliRunner().invoke(app, ["schema"]).stdout)
    assert {"lever", "milestone"} <= set(schema["properties"])
