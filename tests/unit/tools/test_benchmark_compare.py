"""The comparison of two benchmark results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.compare import main


def row(case: str, milliseconds: float, machine: str = "Xeon, 2 cores, load 0.1") -> dict[str, object]:
    return {"case": case, "processor_ms": milliseconds, "machine": machine}


def test_what_became_slower_is_named_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps([row("a", 10.0), row("b", 10.0), row("gone", 1.0)]), encoding="utf-8")
    new.write_text(json.dumps([row("a", 12.0), row("b", 13.0, "Xeon, 2 cores, load 3.0")]), encoding="utf-8")
    assert main([str(old), str(new)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "a: 10.0 to 12.0 ms, 1.20 times",
        "b: 10.0 to 13.0 ms, 1.30 times  SLOWER",
        "gone: only in the old result",
    ]
    assert main([str(old), str(new), "--allow", "1.5"]) == 0


def test_other_machines_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps([row("a", 10.0)]), encoding="utf-8")
    new.write_text(json.dumps([row("a", 5.0, "EPYC, 8 cores, load 0.1")]), encoding="utf-8")
    assert main([str(old), str(new)]) == 0
    assert "the machines differ" in capsys.readouterr().out
