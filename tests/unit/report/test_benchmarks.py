"""Benchmarks: answers are checked before time, the opponent is independent, unknown names meet the known ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from counterpoise.core import Shock
from counterpoise.core.errors import InputError
from counterpoise.faces.cli.app import app
from counterpoise.report.bench import BENCHMARKS, markdown, measure, nested_loops, scipy_root
from counterpoise.solver import solve
from tests.unit.core.test_world import small_world


def test_the_textbook_loops_and_the_engine_agree() -> None:
    world = small_world()
    shock = Shock.none(world).with_tariff(0.5, origin="AAA", destination="BBB").with_iceberg_cost(1.1, origin="CCC")
    expected = nested_loops(world, shock)
    np.testing.assert_allclose(solve(world, shock, closure="fixed_nominal").welfare_hat, expected, rtol=1e-8)


def test_scipys_root_finder_and_the_engine_agree() -> None:
    world = small_world()
    shock = Shock.none(world).with_tariff(0.5, origin="AAA", destination="BBB")
    expected = scipy_root(world, shock)
    np.testing.assert_allclose(solve(world, shock, closure="fixed_nominal").welfare_hat, expected, rtol=1e-8)


def test_a_case_is_checked_and_then_timed_beside_its_opponent() -> None:
    table = measure(["gradient"], repeats=1)
    row = table.iloc[0]
    assert row["opponent"] == "one solve"
    assert row["warm_ms"] > 0
    assert row["opponent_ms"] > 0
    page = markdown(table).splitlines()
    assert page[0].startswith("Machine: ")
    assert page[2].count("|") == page[4].count("|")
    assert "one solve" in page[4]


def test_a_page_without_marks_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text("no marks here", encoding="utf-8")
    ran = CliRunner().invoke(app, ["bench", "embedded", "--page", str(page)])
    assert ran.exit_code == 2
    assert "expected a file with the lines" in " ".join(ran.output.split())
    assert page.read_text(encoding="utf-8") == "no marks here"


def test_an_unknown_case_is_met_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="did you mean 'embedded'"):
        measure(["embeded"])


def test_every_case_says_what_it_is() -> None:
    assert all(what and aim != 0 for _, what, aim in BENCHMARKS.values())
