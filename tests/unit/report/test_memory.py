"""What an earlier run wrote: found by everything that went into it, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from counterpoise.faces.cli.app import app
from counterpoise.report import story
from counterpoise.report.memory import FILES, KEPT, Remembered, fingerprint, recall, remember
from counterpoise.report.story import StoryResult
from counterpoise.scenario import Scenario, load_scenario

ANSWER = Remembered(("One.",), ("Two.",), {"fund": {"mean_usd": 1.5}}, "2026-01-01T00:00:00+00:00")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(f"content of {name}".encode())
    return folder


def test_what_was_written_is_written_again(written: Path, tmp_path: Path) -> None:
    assert recall("a", tmp_path / "again", cache=tmp_path) is None
    assert remember("a", written, ANSWER, cache=tmp_path) is None
    assert recall("a", tmp_path / "again", cache=tmp_path) == ANSWER
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()
    assert recall("b", tmp_path / "other", cache=tmp_path) is None
    assert not (tmp_path / "other").exists()


def test_what_is_damaged_counts_as_absent(written: Path, tmp_path: Path) -> None:
    remember("a", written, ANSWER, cache=tmp_path)
    kept = tmp_path / "runs" / "a" / "report.html"
    kept.write_bytes(kept.read_bytes()[:-1])
    assert recall("a", tmp_path / "again", cache=tmp_path) is None
    assert not (tmp_path / "again").exists()


def test_the_oldest_runs_go(written: Path, tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        remember(f"run{number}", written, ANSWER, cache=tmp_path)
    assert len(list((tmp_path / "runs").iterdir())) == KEPT


def test_a_cache_that_cannot_be_written_harms_nothing(written: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    told = remember("a", written, ANSWER, cache=tmp_path / "file")
    assert told is not None
    assert told.startswith(f"{tmp_path / 'file'}")


def test_run_says_when_its_answer_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(scenario: Scenario, out_dir: Path, *_: object, **__: object) -> StoryResult:
        paths = [out_dir / name for name in FILES]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x", encoding="utf-8")
        return StoryResult(("One.",), (), {}, paths[0], paths[1], paths[2], ANSWER.finished)

    monkeypatch.setattr(story, "run_story", quick)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    for cache, kept in ((tmp_path / "file", False), (tmp_path / "good", True)):
        monkeypatch.setenv("COUNTERPOISE_CACHE", str(cache))
        done = CliRunner().invoke(app, ["run", "oil-stop", "-o", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
        assert done.stdout.startswith("One.")
        assert ("this answer is not kept for the next run" in done.stderr) != kept
        assert (str(cache) in done.stderr) != kept


def test_every_option_changes_the_fingerprint() -> None:
    scenario = load_scenario("valdai-2025")
    other = load_scenario("valdai-2025", overrides={"as_of": "2026-02-08"})
    keys = {fingerprint(scenario, 0), fingerprint(scenario, 1), fingerprint(other, 0)}
    assert len(keys) == 3
    assert fingerprint(scenario, 0) in keys
