"""Benchmarks: answers are checked before time, the opponent is independent, unknown names meet the known ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from counterpoise.core import Shock
from counterpoise.core.errors import DataError, InputError
from counterpoise.data.trade_store import import_trade
from counterpoise.faces.cli.app import app
from counterpoise.report.bench import BENCHMARKS, markdown, measure, nested_loops, scipy_root
from counterpoise.report.bench.store import agree, pandas_pair, store_pair
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


def test_the_store_and_pandas_agree_on_a_pair_and_its_products(tmp_path: Path) -> None:
    rows = [
        ("RUS", "IND", "270900", 5.0),
        ("RUS", "CHN", "270900", 3.0),
        ("IND", "RUS", "300490", 2.0),
        ("CHN", "IND", "851713", 9.0),
    ]
    frame = pd.DataFrame(rows, columns=["exporter", "importer", "hs6", "value_usd"])
    frame.to_parquet(tmp_path / "flows.parquet")
    with import_trade(tmp_path / "flows.parquet", tmp_path / "store", year=2024) as store:
        ours = store_pair(store, "RUS", "IND")
        agree(ours, pandas_pair(frame, "RUS", "IND"))
        with pytest.raises(DataError, match="different tables"):
            agree(ours, pandas_pair(frame.assign(value_usd=frame["value_usd"] * 1.001), "RUS", "IND"))


@pytest.mark.slow
def test_the_question_to_the_store_is_a_case_with_its_peak_of_memory_beside_that_of_pandas(sources: Path) -> None:
    table = measure(["store-cold"], sources, repeats=1)
    row = table.iloc[0]
    assert row["opponent"] == "pandas, a new process"
    assert 0 < row["peak_mb"] < 1024
    assert row["peak_mb"] < row["opponent_peak_mb"]
    assert "alone; opponent" in markdown(table)
