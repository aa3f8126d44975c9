"""The command line: what goes where, how it ends, and what scripts may rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import counterpoise
from counterpoise.core.errors import SourceMissingError
from counterpoise.faces.cli import app

FIVE_MISTAKES = """
schema = 1
name = "five"
as_of = 2025-10-03
clossure = "zero"
[[measure]]
id = "duty"
kind = "tariff"
origins = ["INDIA"]
destinations = ["USA"]
products = [306]
rate = 50.0
valid_from = 2025-08-27
valid_until = 2025-08-07
"""

COUNTRY_KEYS = [
    "country",
    "welfare_pct",
    "real_wage_pct",
    "exports_usd",
    "exports_cf_usd",
    "imports_usd",
    "imports_cf_usd",
    "deficit_usd",
    "deficit_cf_usd",
    "tariff_revenue_usd",
    "tariff_revenue_cf_usd",
    "equivalent_variation_usd",
]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def ended(*arguments: str) -> Result:
    """Invoke a command that must succeed."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


def document(*arguments: str) -> Any:
    return json.loads(ended(*arguments).stdout)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Simulate the oil stop once; return what is printed and the folder that is written."""
    folder = tmp_path_factory.mktemp("simulate") / "out"
    return document("simulate", "oil-stop", "--json", "-o", str(folder), "--seed", "7"), folder


def test_the_version() -> None:
    assert ended("--version").stdout == f"counterpoise {counterpoise.__version__}\n"


def test_five_mistakes_end_with_2_and_write_nothing(tmp_path: Path) -> None:
    file = tmp_path / "five.toml"
    file.write_text(FIVE_MISTAKES, encoding="utf-8")
    out = tmp_path / "out"
    for command in ("simulate", "run"):
        result = invoke(command, str(file), "-o", str(out))
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.count("five.toml: ") == 5
        assert "Traceback" not in result.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["five.toml"]


def test_simulate_prints_what_scripts_rely_on(simulated: tuple[dict[str, Any], Path]) -> None:
    printed, _ = simulated
    assert list(printed) == [
        "scenario", "as_of", "status", "technology", "closure", "max_residual", "iterations", "seconds",
        "countries", "pairs", "measures",
    ]  # fmt: skip
    assert (printed["status"], printed["closure"], printed["as_of"]) == ("converged", "fixed_world_share", "2025-10-03")
    assert printed["max_residual"] < 1e-9
    assert list(printed["countries"][0]) == COUNTRY_KEYS
    assert list(printed["pairs"][0]) == ["origin", "destination", "flow_usd", "flow_cf_usd"]
    assert len(printed["pairs"]) == 24 * 23
    oil = next(m for m in printed["measures"] if m["id"] == "stop_russian_crude")
    assert (oil["active"], oil["cells"], oil["mean_rate"]) == (True, 1, None)


def test_simulate_writes_tables_and_a_manifest(simulated: tuple[dict[str, Any], Path]) -> None:
    printed, folder = simulated
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert {path.name for path in folder.iterdir()} == {*manifest["files"], "manifest.json"}
    assert manifest["version"] == counterpoise.__version__
    assert manifest["options"]["seed"] == 7
    assert set(manifest["inputs"]) == {"scenario", "world"}
    assert all(len(digest) == 64 for digest in manifest["inputs"].values())
    assert set(manifest["residuals"]) >= {"goods_market", "labour_market"}
    assert manifest["scenario"]["name"] == "oil-stop"
    countries = pd.read_parquet(folder / "countries.parquet")
    pd.testing.assert_frame_equal(countries, pd.DataFrame(printed["countries"]), check_exact=False, rtol=1e-12)
    flows = pd.read_csv(folder / "flows.csv")
    stopped = flows.query("origin == 'RUS' and destination == 'IND' and sector == 'crude_oil_gas'")
    assert stopped["flow_cf_usd"].tolist() == [0.0]


def test_simulate_for_people(simulated: tuple[dict[str, Any], Path]) -> None:
    result = ended("simulate", "valdai-2025", "--group", "order", "--set", "case=high", "--closure", "fixed_nominal")
    assert "closure fixed_nominal" in result.stdout
    assert "Russia's order: more Indian medicines" in result.stdout
    assert "welfare, %" in result.stdout
    assert "Gap RUS to IND: 58." in result.stdout
    assert "Reciprocal duty" not in result.stdout
    assert "largest residual" in result.stderr


def test_a_solver_asked_the_impossible_ends_with_4(tmp_path: Path) -> None:
    result = invoke("simulate", "oil-stop", "--json", "--max-steps", "2", "-o", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith("counterpoise: ")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused_before_anything_is_solved(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    result = invoke("simulate", "oil-stop", "-o", str(tmp_path / "taken"))
    assert result.exit_code == 2
    assert "is a file; expected a folder" in result.stderr
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "nonsuch"], "no scenario 'nonsuch'"),
        (["simulate", "oil-stop", "--set", "closure"], "'closure' has no '='"),
        (["simulate", "oil-stop", "--as-of", "soon"], "expected a date"),
        (["simulate", "oil-stop", "--closure", "own_value_added_share"], "is not one of fixed_world_share"),
        (["simulate", "oil-stop", "--group", "gas"], "no group 'gas'"),
        (["simulate", "oil-stop", "--rtol", "1e-30"], "rtol"),
        (["simulate", "oil-stop", "--max-steps", "0"], "max_steps"),
        (["simulate", "oil-stop", "--solver", "newton"], "newton"),
        (["gap", "IND", "DUE", "--by", "hs2"], "unknown country 'DUE'"),
        (["gap", "IND", "RUS", "--table", "mirrors"], "unknown table 'mirrors'; did you mean 'mirror'?"),
        (["gap", "RUS", "IND", "-o", "x.xls"], "expected .csv, .parquet or .json"),
        (["data", "verify", "nonsuch"], "unknown world 'nonsuch'"),
        (["replicate", "nonsuch"], "unknown case 'nonsuch'"),
        (["frobnicate"], "No such command"),
        (["gap", "IND"], "Missing argument"),
    ],
)
def test_what_cannot_be_used_ends_with_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_gap_in_json_and_for_people(tmp_path: Path) -> None:
    printed = document("gap", "RUS", "IND", "--by", "section", "--json")
    assert list(printed) == ["a", "b", "by", "rows", "totals", "indicators", "caveats"]
    assert printed["rows"][0]["section"] == "V"
    assert printed["totals"]["gap_usd"] == pytest.approx(58.84e9, rel=0.001)
    result = ended("gap", "RUS", "IND", "--by", "hs2", "--top", "3")
    assert "Mineral fuels" in result.stdout
    assert "more rows; --top 0 shows all" in result.stderr
    ended("gap", "RUS", "IND", "-o", str(tmp_path / "gap.csv"))
    assert len(pd.read_csv(tmp_path / "gap.csv")) == 18


def test_scenarios_and_schema(tmp_path: Path) -> None:
    assert [row["name"] for row in document("scenarios", "list", "--json")] == [
        "100bn-2030", "oil-stop", "us-india-timeline", "valdai-2025",
    ]  # fmt: skip
    shown = document("scenarios", "show", "valdai-2025", "--json")
    assert shown["schema"] == 1
    assert len(shown["measure"]) == 21
    assert 'id = "payments"' in ended("scenarios", "show", "valdai-2025", "--text").stdout
    assert "stop_russian_crude" in ended("scenarios", "show", "oil-stop").stdout
    schema = document("schema")
    assert schema["title"] == "Counterpoise scenario"
    ended("schema", "-o", str(tmp_path / "schema.json"))
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8")) == schema


def test_data_list_verify_and_card() -> None:
    listed = document("data", "list", "--json")
    assert {"embedded2024", "products", "years"} <= {row["name"] for row in listed}
    assert sum(row["bytes"] for row in listed) < 3_000_000
    verified = document("data", "verify", "--json")
    assert verified["violated"] == []
    russia = next(row for row in verified["flows"] if row["origin"] == "RUS")
    assert russia["world_usd"] == pytest.approx(63.65e9, rel=0.003)
    assert "63.65" in ended("data", "verify").stdout
    assert "2024" in ended("data", "card").stdout


def test_a_world_that_does_not_balance_ends_with_3(tmp_path: Path) -> None:
    world = counterpoise.load_world()
    broken = world.with_changes(consumption_share=world.consumption_share[:, ::-1].to_numpy())
    broken.save(tmp_path / "broken.parquet")
    result = invoke("data", "verify", str(tmp_path / "broken.parquet"))
    assert result.exit_code == 3
    assert "does not hold" in result.stderr


def test_missing_sources_end_with_3(tmp_path: Path) -> None:
    result = invoke("data", "build-world", "--sources", str(tmp_path), "-o", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert not (tmp_path / "out").exists()


def test_doctor_finds_this_installation_sound() -> None:
    report = document("doctor", "--json")
    assert report["ok"]
    assert {"python", "jax", "device", "world", "scenarios", "cache", "sources", "chromium"} <= {
        finding["name"] for finding in report["findings"]
    }
    assert "sound" in ended("doctor").stderr


def test_doctor_ends_with_3_where_something_needed_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    import counterpoise.data

    def gone(*_: object, **__: object) -> None:
        raise SourceMissingError("the world is gone")

    monkeypatch.setattr(counterpoise.data, "load_world", gone)
    result = invoke("doctor")
    assert result.exit_code == 3
    assert "the world is gone" in result.stdout
    assert "broken: world" in result.stderr


@pytest.fixture
def replicated(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a function that lets the replication meet its one cell, or miss it."""

    def to(ok: bool) -> None:
        row = ("cp2015", "welfare", "MEX", "real_wage", 1.7153, 1.71534, 4e-5, 1e-3, ok, "a note")
        columns = ["case", "table", "row", "column", "published", "computed", "difference", "tolerance", "ok", "note"]
        module = types.ModuleType("counterpoise.report.replication")

        def replicate(names: object, sources: object) -> pd.DataFrame:
            return pd.DataFrame([row], columns=columns)

        module.replicate = replicate  # pyright: ignore[reportAttributeAccessIssue]
        monkeypatch.setitem(sys.modules, "counterpoise.report.replication", module)

    return to


def test_replicate_prints_a_list_of_rows(replicated: Callable[[bool], None]) -> None:
    replicated(True)
    (row,) = document("replicate", "--json")
    assert list(row) == ["case", "table", "row", "column", "published", "computed", "difference", "tolerance", "ok"]
    assert row["ok"] is True
    result = ended("replicate")
    assert "1.7153" in result.stdout
    assert "1 of 1 published cells met" in result.stderr


def test_a_missed_cell_ends_with_1(replicated: Callable[[bool], None]) -> None:
    replicated(False)
    result = invoke("replicate")
    assert result.exit_code == 1
    assert "MISSED" in result.stdout


@dataclass(frozen=True)
class Story:
    sentences: tuple[str, ...]
    headlines: tuple[str, ...]
    studies: dict[str, Any]
    html_path: Path
    workbook_path: Path
    manifest_path: Path
    finished: str = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, Path]]:
    """Let the story be told without solving; return what was asked for."""
    asked: list[tuple[str, Path]] = []

    def run_story(scenario: Any, out_dir: Path, progress: Callable[[str, int, int], None], *, seed: int) -> Story:
        asked.append((scenario.name, out_dir))
        assert seed in (0, 7)
        progress("solve", 1, 2)
        page, workbook, manifest = (out_dir / name for name in ("report.html", "report.xlsx", "manifest.json"))
        return Story(("First.", "Second."), ("Beside.",), {"fund": {"spent_usd": 1.0}}, page, workbook, manifest)

    module = types.ModuleType("counterpoise.report.story")
    module.run_story = run_story  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "counterpoise.report.story", module)
    monkeypatch.chdir(tmp_path)
    return asked


def test_run_tells_the_flagship_and_names_the_report_last(told: list[tuple[str, Path]]) -> None:
    result = ended("run")
    folder = Path("counterpoise-out") / "valdai-2025"
    assert told == [("valdai-2025", folder)]
    assert result.stdout.splitlines() == ["First.", "Second.", "", "Beside.", "", str(folder / "report.html")]
    # The story of this test writes no report, so that there is nothing to keep.
    first, second = result.stderr.splitlines()
    assert first == "valdai-2025: solve (1/2)"
    assert second.startswith("this answer is not kept for the next run (")
    assert str(folder / "report.html") in second


def test_run_in_json(told: list[tuple[str, Path]], tmp_path: Path) -> None:
    printed = document("run", "oil-stop", "--json", "--seed", "7", "-o", str(tmp_path / "there"))
    assert told == [("oil-stop", tmp_path / "there")]
    assert printed["sentences"] == ["First.", "Second."]
    assert printed["headlines"] == ["Beside."]
    assert printed["studies"] == {"fund": {"spent_usd": 1.0}}
    assert printed["report"] == str(tmp_path / "there" / "report.html")


def test_what_was_answered_is_written_again_unless_it_is_to_be_solved_anew(
    told: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    story = sys.modules["counterpoise.report.story"]
    unwritten: Callable[..., Story] = story.run_story

    def written(scenario: Any, out_dir: Path, *rest: Any, seed: int) -> Story:
        result = unwritten(scenario, out_dir, *rest, seed=seed)
        out_dir.mkdir(parents=True, exist_ok=True)
        for path in (result.html_path, result.workbook_path, result.manifest_path):
            path.write_text(path.name, encoding="utf-8")
        return result

    monkeypatch.setattr(story, "run_story", written)
    monkeypatch.setenv("COUNTERPOISE_CACHE", str(tmp_path / "cache"))
    first = ended("run", "oil-stop")
    again = ended("run", "oil-stop", "-o", str(tmp_path / "again"))
    assert len(told) == 1
    assert "answered on 2026-01-01" in again.stderr
    assert again.stdout.splitlines()[:4] == first.stdout.splitlines()[:4]
    assert (tmp_path / "again" / "report.html").read_text(encoding="utf-8") == "report.html"
    ended("run", "oil-stop", "--fresh")
    assert len(told) == 2


def test_an_interrupt_ends_with_130(told: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["counterpoise.report.story"], "run_story", interrupt)
    result = invoke("run")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "interrupted" in result.stderr


def run_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from counterpoise.faces.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )


def test_the_process_keeps_data_and_messages_apart(tmp_path: Path) -> None:
    done = run_process("gap", "RUS", "IND", "--by", "hs2", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["a"] == "RUS"
    refused = run_process("gap", "RUS", "IDX", "--by", "hs2", folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("counterpoise: unknown country 'IDX'; did you mean 'IND'?")
    assert "\x1b[" not in run_process("gap", "RUS", "IND", folder=tmp_path).stdout
