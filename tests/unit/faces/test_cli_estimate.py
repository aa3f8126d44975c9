"""`counterpoise estimate gravity`: the published example, the files it writes, and every way to be refused."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from counterpoise.data import load_world
from counterpoise.faces.cli import app
from counterpoise.scenario import load_scenario, scenario_world
from counterpoise.scenario.schema import Obstacle

needs_pyfixest = pytest.mark.skipif(
    importlib.util.find_spec("pyfixest") is None, reason="the extra 'estimate' is not installed"
)

EXAMPLE = "trade ~ lndist + contiguity + common_language + pta + international | exporter + importer"

PUBLISHED = {
    "lndist": (-0.3898623, 0.0729915),
    "contiguity": (0.891577, 0.1327354),
    "common_language": (0.0326249, 0.0840702),
    "pta": (0.4711383, 0.1076578),
    "international": (-3.412584, 0.2151235),
}
"""Stata ppmlhdfe on the example of gegravity 0.3: coefficient, robust standard error."""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["estimate", "gravity", *arguments])


@pytest.fixture
def file(rng: np.random.Generator, tmp_path: Path) -> Path:
    """Write a panel of two sectors with duties that differ over years and pairs."""
    names = [f"C{k}" for k in range(8)]
    rows = [
        (i, j, y, s) for s in ("food", "metals") for i in names for j in names if i != j for y in (2001, 2002, 2003)
    ]
    table = pd.DataFrame(rows, columns=["exporter", "importer", "year", "sector"])
    table["lntariff"] = np.log1p(rng.uniform(0.0, 0.4, len(table)))
    table["pta"] = (rng.random(len(table)) < 0.4).astype(int)
    theta = table["sector"].map({"food": 3.0, "metals": 6.0})
    table["trade"] = np.exp(5 - (theta + 1) * table["lntariff"] + 0.4 * table["pta"]) * rng.gamma(
        9.0, 1 / 9, len(table)
    )
    path = tmp_path / "panel.csv"
    table.to_csv(path, index=False)
    return path


SPEC = "trade ~ lntariff + pta | exporter^year + importer^year + exporter^importer"


@needs_pyfixest
def test_the_published_example(sources: Path) -> None:
    path = sources / "data" / "gegravity_example" / "sample_data_set.dlm"
    result = invoke(str(path), "--spec", EXAMPLE, "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["estimates"]
    for row in found["coefficients"]:
        coefficient, error = PUBLISHED[row["regressor"]]
        assert row["coefficient"] == pytest.approx(coefficient, abs=1e-6)
        assert row["standard_error"] == pytest.approx(error, abs=1e-6)
    assert found["constant"] == pytest.approx(16.32434, abs=1e-5)
    assert (found["observations"], found["separated"], found["singletons"]) == (900, 0, 0)


@needs_pyfixest
def test_elasticities_by_sector_reach_the_model(file: Path, tmp_path: Path) -> None:
    options = (str(file), "--spec", SPEC, "--by", "sector", "--tariff", "lntariff", "--flows", "customs")
    options = (*options, "--cluster", "exporter^importer")
    scenario, table = tmp_path / "theta.toml", tmp_path / "theta.csv"
    assert invoke(*options, "-o", str(scenario)).exit_code == 0
    assert invoke(*options, "-o", str(table)).exit_code == 0
    found = load_scenario(scenario).trade_elasticity
    assert set(found) == {"food", "metals"}
    assert found["food"] == pytest.approx(3.0, abs=0.5)
    assert found["metals"] == pytest.approx(6.0, abs=0.5)
    world = scenario_world(load_scenario(scenario))
    assert float(world.trade_elasticity[world.sectors.index("metals")]) == found["metals"]
    rows = pd.read_csv(table)
    assert set(rows["errors"]) == {"clustered by exporter^importer"}
    assert rows.loc[rows["regressor"] == "pta", "ave"].notna().all()
    document: dict[str, Any] = json.loads(invoke(*options, "--json").stdout)
    assert [e["trade_elasticity"]["trade_elasticity"] for e in document["estimates"]] == list(found.values())
    assert document["estimates"][0]["clusters"] == {"exporter^importer": 56}


@needs_pyfixest
def test_a_trade_cost_becomes_an_obstacle(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "pta.toml"
    result = invoke(str(file), "--spec", SPEC, "--theta", "4", "--term", "pta", "--pair", "CAN:JPN", "-o", str(path))
    assert result.exit_code == 0, result.output
    (measure,) = load_scenario(path).measure
    assert (measure.kind, measure.id) == ("obstacle", "pta")
    assert isinstance(measure, Obstacle)
    assert measure.removed
    assert "not having pta" in measure.title


@needs_pyfixest
def test_the_table_on_the_terminal(file: Path) -> None:
    result = invoke(str(file), "--spec", SPEC, "--tariff", "lntariff", "--flows", "customs")
    assert result.exit_code == 0, result.output
    assert "Trade elasticity" in result.stdout
    assert "336 rows used, 0 separated and 0 singletons dropped" in result.stderr


def test_bad_input_is_one_message_that_names_it_all(file: Path, tmp_path: Path) -> None:
    wrong = invoke(
        str(file),
        "--spec",
        SPEC,
        "--tariff",
        "lntariff",
        "--theta",
        "0",
        "--term",
        "pta",
        "--pair",
        "CAN",
        "-o",
        "x.md",
    )
    assert wrong.exit_code == 2
    assert "6 problems" in wrong.stderr
    for words in ("needs --flows", "leave one of them out", "not above zero", "is no pair", "-o FILE.toml", "'.md'"):
        assert words in wrong.stderr
    assert "cannot be read" in invoke(str(file), "--spec", "trade").stderr
    absent = invoke(str(tmp_path / "none.csv"), "--spec", SPEC)
    assert (absent.exit_code, "does not exist" in absent.stderr) == (2, True)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    assert invoke(str(broken), "--spec", SPEC).exit_code == 3
    column = invoke(str(file), "--spec", "trade ~ lntarif | exporter")
    assert (column.exit_code, "did you mean 'lntariff'" in column.stderr) == (2, True)
    assert "did you mean 'customs'" in invoke(str(file), "--spec", SPEC, "--flows", "custom").stderr


def test_a_missing_extra_is_said_in_clear_words(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name == "pyfixest":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    result = invoke(str(file), "--spec", SPEC)
    assert result.exit_code == 1
    assert "pip install 'counterpoise[estimate]'" in result.stderr


def test_help_needs_no_extra_and_the_world_is_untouched() -> None:
    result = CliRunner().invoke(app, ["estimate", "--help"])
    assert (result.exit_code, "gravity" in result.stdout) == (0, True)
    assert load_world().check() == ()
