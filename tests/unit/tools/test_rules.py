from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import check_dependencies, check_repository_words, check_variables, check_wheel, rules

HOME = "/".join(("", "home", "someone", "data.csv"))
REGISTRY = "https://" + ".".join(("pypi", "org")) + "/simple"


@pytest.mark.parametrize(
    ("text", "offence"),
    [
        (f"see {HOME}", f"the path of one machine: {HOME[:7]}"),
        (f'open("{HOME}")', f"the path of one machine: {HOME[:7]}"),
        (REGISTRY, f"the address of a package registry: {REGISTRY[8:16]}"),
        ("<" * 7 + " HEAD", "the mark of an unfinished merge: <<<<<<<"),
    ],
)
def test_a_word_that_only_one_machine_knows_is_found(text: str, offence: str) -> None:
    assert list(check_repository_words.check_text(f"first line\n{text}\n")) == [(2, offence)]


@pytest.mark.parametrize(
    "text", ["https://www.worldbank.org/en/home/about", "paths/work/x", "# Title\n=====\n", "./root/x"]
)
def test_an_ordinary_word_is_left_alone(text: str) -> None:
    assert list(check_repository_words.check_text(text)) == []


def test_ignored_and_binary_files_are_not_read(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored.txt\n")
    (tmp_path / "ignored.txt").write_text(HOME)
    (tmp_path / "table.bin").write_bytes(b"\0" + HOME.encode())
    (tmp_path / "new.txt").write_text(HOME)
    assert [problem.split(":")[0] for problem in check_repository_words.check(tmp_path)] == [str(tmp_path / "new.txt")]


GOOD = ["flow", "X_ijs", "origin destination sector", "USD", "nonnegative", "Sales.", ""]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (["Flow", *GOOD[1:]], "is no name"),
        (["share", *GOOD[1:]], "is no name"),
        (GOOD, "stands on line 2 already"),
        (["x", "", "country planet", "USD", "any", "Text.", ""], "has dims 'country planet'"),
        (["x", "", "country", "EUR", "any", "Text.", ""], "has unit 'EUR'"),
        (["x", "", "country", "USD", "odd", "Text.", ""], "has sign 'odd'"),
        (["x", "", "country", "USD", "any", "", ""], "is not described"),
        (["gap_usd", "", "country", "1", "any", "Text.", ""], "_usd promises 'USD'"),
        (["x", "", "country", "USD", "any", "Text", " with a comma", ""], "8 fields"),
    ],
)
def test_a_faulty_row_of_the_vocabulary_is_found(row: list[str], complaint: str) -> None:
    problems = check_variables.check_rows([list(check_variables.COLUMNS), GOOD, row])
    assert len(problems) == 1
    assert problems[0][0] == 3
    assert complaint in problems[0][1]


def test_a_vocabulary_without_its_header_is_refused() -> None:
    assert check_variables.check_rows([["name"]])[0][0] == 1
    assert check_variables.check_rows([])[0][0] == 1


def test_an_undeclared_import_is_found(tmp_path: Path) -> None:
    source = tmp_path / "counterpoise"
    source.mkdir()
    (source / "a.py").write_text("import json\nimport numpy.linalg\nfrom . import b\nfrom rich.table import Table\n")
    problems = check_dependencies.undeclared(source, ["numpy>=2"])
    assert [problem.rpartition(": ")[2] for problem in problems] == ["rich is no dependency in pyproject.toml"]


def test_a_binding_licence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    licences = {"a": "MIT", "b": "GPL-3.0-only", "c": "GNU Lesser General Public License v3", "d": ""}
    monkeypatch.setattr(check_dependencies, "licence_of", licences.__getitem__)
    assert [problem.split()[0] for problem in check_dependencies.binding(licences)] == ["b", "c", "d"]


def test_a_file_left_out_of_the_wheel_is_found() -> None:
    packed = ["counterpoise/__init__.py", "counterpoise-0.1.0.dist-info/METADATA"]
    problems = check_wheel.left_behind(["counterpoise/__init__.py", "counterpoise/world.parquet"], packed)
    assert [problem.split()[0] for problem in problems] == ["counterpoise/world.parquet"]


def test_the_exit_status_tells_whether_a_rule_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.finish("rule", []) == 0
    assert rules.finish("rule", ["a:1: wrong"]) == 1
    assert capsys.readouterr().err == "rule: holds\na:1: wrong\nrule: is broken in 1 place\n"
