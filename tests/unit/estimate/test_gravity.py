"""The gravity estimator: what it counts, what it refuses, and the flows it implies."""

from __future__ import annotations

import importlib
import importlib.util
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import InputError, WorkbenchError
from counterpoise.estimate import estimate_gravity, gravity_flows

needs_pyfixest = pytest.mark.skipif(
    importlib.util.find_spec("pyfixest") is None, reason="the extra 'estimate' is not installed"
)

DISTANCE, AGREEMENT = -0.9, 0.4


@pytest.fixture
def table(rng: np.random.Generator) -> pd.DataFrame:
    """Trade of twelve countries in three years that follows a gravity equation, with multiplicative noise."""
    countries = [f"C{k:02d}" for k in range(12)]
    rows = pd.DataFrame(
        list(product(countries, countries, (2001, 2002, 2003))), columns=["exporter", "importer", "year"]
    )
    size = dict(zip(countries, rng.normal(0.0, 1.0, 12), strict=True))
    rows["log distance"] = rng.normal(8.0, 0.6, len(rows))
    rows["agreement"] = (rng.random(len(rows)) < 0.3).astype(float)
    mean = np.exp(
        9
        + DISTANCE * rows["log distance"]
        + AGREEMENT * rows["agreement"]
        + rows["exporter"].map(size)
        + rows["importer"].map(size)
    )
    rows["trade"] = mean * rng.gamma(4.0, 0.25, len(rows))
    return rows


@needs_pyfixest
def test_it_finds_the_coefficients(table: pd.DataFrame) -> None:
    found = estimate_gravity(table, dependent="trade", regressors=["log distance", "agreement"])
    assert abs(found["log distance"] - DISTANCE) < 3 * found.error_of("log distance")
    assert abs(found["agreement"] - AGREEMENT) < 3 * found.error_of("agreement")
    assert (found.observations, found.separated, found.singletons) == (432, 0, 0)
    assert found.covariance_kind == "robust"
    printed = found.table()
    assert list(printed["regressor"]) == ["log distance", "agreement"]
    assert ((printed["low_95"] < printed["coefficient"]) & (printed["coefficient"] < printed["high_95"])).all()
    assert "432 rows used" in repr(found)


@needs_pyfixest
def test_separated_rows_are_dropped_and_counted(table: pd.DataFrame) -> None:
    table.loc[table["exporter"] == "C03", "trade"] = 0.0
    found = estimate_gravity(table, dependent="trade", regressors=["log distance"])
    assert (found.observations, found.separated) == (396, 36)


@needs_pyfixest
def test_singletons_are_dropped_and_counted(table: pd.DataFrame) -> None:
    alone = table.iloc[[0]].assign(exporter="NEW")
    found = estimate_gravity(pd.concat([table, alone]), dependent="trade", regressors=["log distance"])
    assert (found.observations, found.singletons) == (432, 1)


@needs_pyfixest
def test_collinear_regressors_are_omitted_and_named(table: pd.DataFrame) -> None:
    table["twice"] = 2 * table["log distance"]
    found = estimate_gravity(table, dependent="trade", regressors=["log distance", "twice"])
    assert found.omitted == ("twice",)
    assert found.regressors == ("log distance",)


@needs_pyfixest
def test_clusters_and_combined_effects(table: pd.DataFrame) -> None:
    found = estimate_gravity(
        table,
        dependent="trade",
        regressors=["log distance"],
        fixed_effects=("exporter^year", "importer^year"),
        cluster=("exporter", "importer"),
    )
    assert found.covariance_kind == "clustered by exporter and importer"
    assert dict(found.clusters) == {"exporter": 12, "importer": 12}


@needs_pyfixest
def test_without_effects_the_constant_is_the_intercept(table: pd.DataFrame) -> None:
    found = estimate_gravity(table, dependent="trade", regressors=["log distance"], fixed_effects=())
    fitted = np.exp(found.constant + found["log distance"] * table["log distance"])
    assert fitted.sum() == pytest.approx(table["trade"].sum(), rel=1e-9)


def test_every_fault_is_listed(table: pd.DataFrame) -> None:
    table.loc[0, "trade"] = -1.0
    table.loc[1, "agreement"] = np.nan
    with pytest.raises(InputError, match="cannot be estimated") as caught:
        estimate_gravity(table, dependent="trade", regressors=["agreement", "log distanc"], fixed_effects=("expoter",))
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for words in ("did you mean 'log distance'?", "did you mean 'exporter'?", "1 empty cells", "1 negative flows"):
        assert words in text


def test_a_missing_extra_names_the_line_that_installs_it(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name == "pyfixest":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(WorkbenchError, match=r"pip install 'counterpoise\[estimate\]'"):
        estimate_gravity(table, dependent="trade", regressors=["log distance"])


def test_gravity_flows_meet_both_margins(rng: np.random.Generator) -> None:
    power = np.exp(rng.normal(0.0, 1.0, (6, 6)))
    output, spending = np.exp(rng.normal(0.0, 1.0, (2, 6)))
    flow = gravity_flows(power, output, spending)
    np.testing.assert_allclose(flow.sum(axis=0), spending, rtol=1e-12)
    np.testing.assert_allclose(flow.sum(axis=1), output * spending.sum() / output.sum(), rtol=1e-12)
    cross = power[0, 0] * power[1, 1] / (power[0, 1] * power[1, 0])
    assert flow[0, 0] * flow[1, 1] / (flow[0, 1] * flow[1, 0]) == pytest.approx(cross, rel=1e-12)
