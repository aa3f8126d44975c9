"""Balancing: identities hold exactly, the prior is kept where it can be, contradictions are named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.core.errors import UnbalancedError
from counterpoise.data.builder.balance import RegionTable, balance_region, minimum_cross_entropy, ras

SECTORS = ("farm", "oil", "services")


def region_prior(rng: np.random.Generator) -> RegionTable:
    s = len(SECTORS)
    return RegionTable(
        domestic=rng.uniform(10, 100, s),
        intermediate=rng.uniform(1, 20, (s, s)),
        value_added=rng.uniform(10, 60, s),
        final=rng.uniform(5, 80, s),
    )


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_a_balanced_region_meets_every_identity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prior, exports, imports = region_prior(rng), rng.uniform(0, 200, 3), rng.uniform(0, 200, 3)
    gdp = float(100 + exports.sum() + rng.uniform(0, 300))
    table = balance_region(prior, exports, imports, gdp, SECTORS, "HUB")
    output, used = table.domestic + exports, table.intermediate.sum(axis=1)
    assert np.all(table.flat() >= 0)
    np.testing.assert_allclose(table.intermediate.sum(axis=0) + table.value_added, output, rtol=1e-11)
    np.testing.assert_allclose(used + table.final, table.domestic + imports, rtol=1e-11)
    assert table.value_added.sum() == pytest.approx(gdp, rel=1e-12)


def test_a_table_that_balances_is_left_alone(rng: np.random.Generator) -> None:
    inputs, added, exports = rng.uniform(1, 20, (3, 3)), rng.uniform(30, 60, 3), rng.uniform(1, 9, 3)
    domestic = inputs.sum(axis=0) + added - exports
    imports = rng.uniform(20, 90, 3)
    prior = RegionTable(domestic, inputs, added, domestic + imports - inputs.sum(axis=1))
    table = balance_region(prior, exports, imports, float(added.sum()), SECTORS, "ANY")
    np.testing.assert_allclose(table.flat(), prior.flat(), rtol=1e-12)


def test_the_solution_is_the_prior_times_a_multiplier_per_equation(rng: np.random.Generator) -> None:
    prior, matrix = rng.uniform(1, 5, 12), rng.choice([-1.0, 0.0, 1.0], (3, 12))
    weight = rng.uniform(0.5, 4, 12)
    target = matrix @ rng.uniform(1, 5, 12)
    x = minimum_cross_entropy(prior, matrix, target, ["a", "b", "c"], weight=weight)
    np.testing.assert_allclose(matrix @ x, target, atol=1e-11)
    gradient = weight * np.log(x / prior)
    multiplier = np.linalg.lstsq(matrix.T, gradient, rcond=None)[0]
    np.testing.assert_allclose(matrix.T @ multiplier, gradient, atol=1e-9)


def test_ras_agrees_with_scaling_rows_and_columns_in_turn(rng: np.random.Generator) -> None:
    prior, truth = rng.uniform(1, 9, (3, 4)), rng.uniform(1, 9, (3, 4))
    rows, columns = truth.sum(axis=1), truth.sum(axis=0)
    scaled = prior.copy()
    for _ in range(500):
        scaled *= (rows / scaled.sum(axis=1))[:, None]
        scaled *= columns / scaled.sum(axis=0)
    np.testing.assert_allclose(ras(prior, rows, columns, list("abc"), list("wxyz")), scaled, rtol=1e-10)


def test_ras_names_every_cell_and_total_it_cannot_use() -> None:
    prior = np.array([[1.0, -2.0], [np.nan, 0.0], [0.0, 0.0]])
    with pytest.raises(UnbalancedError) as caught:
        ras(prior, np.array([3.0, 1.0, 2.0]), np.array([4.0, 1.0]), ["IND", "RUS", "USA"], ["food", "coal"])
    text = str(caught.value)
    for words in ("IND, coal is -2", "RUS, food is nan", "row totals sum to 6 and column totals to 5", "USA: total 2"):
        assert words in text


def test_totals_that_contradict_each_other_are_named() -> None:
    matrix = np.array([[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(UnbalancedError, match=r"row 2: .* instead of 3"):
        minimum_cross_entropy(np.ones(2), matrix, np.array([2.0, 3.0]), ["row 1", "row 2"])


def test_gdp_that_exports_leave_no_room_for_is_refused() -> None:
    prior = RegionTable(np.ones(1), np.zeros((1, 1)), np.ones(1), np.ones(1))
    with pytest.raises(UnbalancedError, match="GDP of HUB"):
        balance_region(prior, np.array([50.0]), np.array([1.0]), 1.0, ["gems"], "HUB")
