"""The model of a scenario: the same answer from the file, from the command line and from Python; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import counterpoise as cp
from counterpoise.core.errors import ScenarioError
from counterpoise.faces.cli.app import app
from counterpoise.policy import close_gap
from counterpoise.scenario import scenario_world
from tests.unit.policy.small import small_world
from tests.unit.solver.test_fallbacks import twins

SCENARIO = """
schema = 1
name = "small"
as_of = 2025-10-03
world = "{world}"
pair = {{ origin = "BBB", destination = "AAA" }}

[[measure]]
id = "duty"
kind = "tariff"
origins = "CCC"
destinations = "BBB"
sectors = "all"
rate = 0.1

[[measure]]
id = "road"
kind = "obstacle"
origins = ["BBB"]
destinations = ["AAA"]
sectors = "all"
ave = 0.1
"""

TWINS = """
schema = 1
name = "twins"
world = "{world}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    small_world(duty=0.1).save(made / "small.parquet")
    return made


def file(folder: Path, more: str = "", name: str = "case") -> str:
    path = folder / f"{name}.toml"
    path.write_text(SCENARIO.format(world=folder / "small.parquet") + more, encoding="utf-8")
    return str(path)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def welfare(*arguments: str) -> list[float]:
    done = call("simulate", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return [row["welfare_pct"] for row in json.loads(done.stdout)["countries"]]


MODELS: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    ("multi_sector", "fixed_world_share", {}, ()),
    ("one_sector", "fixed_nominal", {"trade_elasticity": 4.0}, ("--set", "model.trade_elasticity=4.0")),
    ("fixed_varieties", "zero", {}, ()),
    ("distribution_margin", "fixed_world_share", {"margin_rate": 0.3}, ("--set", "model.margin_rate=0.3")),
    ("input_output", "zero", {"scale_strength": 0.5}, ("--set", "model.scale_strength=0.5")),
    ("input_output", "fixed_world_share", {"labour_mobility": 1.0}, ("--mobility", "1")),
]


@pytest.mark.parametrize(("technology", "closure", "parts", "options"), MODELS)
def test_file_command_line_and_python_give_the_same_answer(
    folder: Path, technology: str, closure: str, parts: dict[str, Any], options: tuple[str, ...]
) -> None:
    plain = file(folder)
    table = f'[model]\ntechnology = "{technology}"\n' + "".join(f"{k} = {v}\n" for k, v in parts.items())
    named = file(folder, table, "named")
    from_file = welfare(named, "--closure", closure)
    from_options = welfare(plain, "--model", technology, "--closure", closure, *options)
    world = cp.load_world(str(folder / "small.parquet"))
    shock = cp.Shock.none(world).with_tariff(0.1, origin="CCC", destination="BBB", add=True)
    found = cp.solve(world, shock, model=cp.ModelChoice(technology, **parts), closure=closure)
    from_python = found.countries_table()["welfare_pct"].tolist()
    assert from_file == pytest.approx(from_options, rel=1e-12)
    assert from_file == pytest.approx(from_python, abs=1e-7)
    assert from_file != pytest.approx(welfare(plain, "--closure", closure), abs=1e-5)


def test_close_uses_the_model_of_the_scenario(folder: Path) -> None:
    plain = file(folder)
    table = '[model]\ntechnology = "multi_sector"\nscale_strength = 0.3\nlabour_mobility = 1.0\n'
    named = file(folder, table, "closing")
    options = ("--set", "model.scale_strength=0.3", "--set", "model.labour_mobility=1.0")
    documents: list[dict[str, Any]] = []
    for arguments in ((named,), (plain, "--model", "multi_sector", *options)):
        done = call("close", *arguments, "--target", "0.5%", "--only", "road", "--json")
        assert done.exit_code == 0, done.output
        documents.append(json.loads(done.stdout))
    one, other = documents
    assert one["cost_usd"] == pytest.approx(other["cost_usd"], rel=1e-9)
    package = close_gap(named, target="0.5%", only=["road"])
    assert package.cost_usd == pytest.approx(one["cost_usd"], rel=1e-9)
    default = close_gap(plain, target="0.5%", only=["road"])
    assert abs(default.cost_usd / one["cost_usd"] - 1.0) > 0.01
    # What the package does is what a solve under the model says of its shock.
    loaded = cp.load_scenario(named)
    found = cp.solve(scenario_world(loaded), package.shock, model=loaded.choice.beyond_world)
    assert found.gap_cf_usd("AAA", "BBB") == pytest.approx(package.gap_after_usd, rel=1e-7)


@pytest.mark.parametrize("command", ["close", "run"])
@pytest.mark.parametrize("technology", ["one_sector", "fixed_varieties"])
def test_a_model_that_holds_no_levers_is_refused_in_words(folder: Path, command: str, technology: str) -> None:
    done = call(command, file(folder), "--model", technology, "--closure", "fixed_nominal", "-o", str(folder / "out"))
    assert done.exit_code == 2
    assert "set model.technology to one of input_output, multi_sector" in done.stderr


def test_a_wrong_name_and_other_mistakes_are_told_at_once(folder: Path) -> None:
    table = '[model]\ntechnology = "multi_sektor"\nscale_strength = 3.0\nmargin = 0.3\n'
    with pytest.raises(ScenarioError) as caught:
        cp.load_scenario(file(folder, table, "wrong"))
    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert "model.technology" in told
    assert "did you mean 'multi_sector'?" in told
    assert "model.scale_strength: 3 is out of range; expected 0 (constant returns) to 1 (Krugman)" in told
    assert "did you mean 'margin_rate'?" in told


def test_labels_closure_and_horizon_of_a_model_are_checked(folder: Path) -> None:
    table = '[model]\ntechnology = "distribution_margin"\nmargin_rate = { AAB = 0.3 }\ntrade_elasticity = 4.0\n'
    with pytest.raises(ScenarioError) as caught:
        cp.load_scenario(file(folder, table, "labels"), overrides={"closure": "zero", "horizon_years": "2.0"})
    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert "unknown country 'AAB'; did you mean 'AAA'?" in told
    assert "closure: 'zero' does not go with technology 'distribution_margin'; give fixed_world_share" in told
    assert "write the elasticity of that year here" in told


def test_a_number_or_a_table_is_told_once(folder: Path) -> None:
    table = '[model]\nscale_elasticity = "much"\nmargin_rate = { AAA = "x" }\nlabour_mobility = 1\n'
    with pytest.raises(ScenarioError) as caught:
        cp.load_scenario(file(folder, table, "types"))
    told = [words.partition(": ")[2] for words in caught.value.problems]
    assert told == [
        "model.margin_rate: belongs to technology 'distribution_margin', not 'input_output'",
        "model.margin_rate.AAA: 'x' is a string; expected a number; 0.25 is 25 %",
        "model.scale_elasticity: 'much' is a string; expected a number; 0.25 is 25 %",
    ]


def test_closures_side_by_side_follow_the_model(folder: Path) -> None:
    done = call("simulate", file(folder), "--model", "one_sector", "--closures", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    rows = [r for r in found["closures"]["countries"] if r["closure"] == "fixed_world_share"]
    assert [r["welfare_pct"] for r in rows] == pytest.approx([r["welfare_pct"] for r in found["countries"]], abs=1e-6)
    assert found["technology"] == "one sector"
    refused = call("simulate", file(folder), "--model", "fixed_varieties", "--closure", "zero", "--closures")
    assert refused.exit_code == 2
    assert "--closures has no place beside technology 'fixed_varieties'" in refused.stderr


def test_the_published_schema_holds_the_model() -> None:
    schema = json.loads(call("schema").stdout)
    assert schema["properties"]["model"]
    names = schema["$defs"]["Model"]["properties"]["technology"]["enum"]
    assert names == ["input_output", "multi_sector", "one_sector", "fixed_varieties", "distribution_margin"]


def test_several_equilibria_are_searched_for_and_all_shown(tmp_path: Path) -> None:
    twins(1.8).save(tmp_path / "small.parquet")
    path = tmp_path / "twins.toml"
    path.write_text(TWINS.format(world=tmp_path / "small.parquet"), encoding="utf-8")
    refused = call("simulate", str(path))
    assert refused.exit_code == 2
    assert "counterpoise.solver.equilibria" in refused.output
    document = json.loads(call("simulate", str(path), "--equilibria", "12", "--json").stdout)
    assert document["unique_by_theory"] is False
    assert len(document["equilibria"]) == 3
    assert sum(row["met"] for row in document["equilibria"]) + document["failed"] == 12
    assert max(row["max_residual"] for row in document["equilibria"]) <= 1e-9
    beside = call("simulate", str(path), "--equilibria", "12", "--closures", "--max-steps", "5")
    assert beside.exit_code == 2
    assert "--closures has no place beside it" in beside.output
    assert "--max-steps has no place beside it" in beside.output
    told = call("simulate", str(path), "--equilibria", "12", "-o", str(tmp_path / "out"))
    assert "no. 3" in told.stdout
    assert "not unique by theory" in told.stderr
    assert (tmp_path / "out" / "equilibria.csv").is_file()
