"""Indices by hand, against slow literal loops, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.core.errors import InputError
from counterpoise.measure.indices import (
    balassa_rca,
    complementarity_index,
    density_of,
    export_potential,
    grubel_lloyd,
    herfindahl,
    proximity,
    relatedness_density,
)


@pytest.fixture
def exports(rng: np.random.Generator) -> np.ndarray:
    """Draw exports of nine countries in fourteen products, half of them none; one product that nobody sells."""
    table = rng.lognormal(0.0, 2.0, (9, 14)) * (rng.random((9, 14)) < 0.5)
    table[:, 13] = 0.0
    return table


def test_advantage_is_the_share_over_the_share_of_the_world(exports: np.ndarray) -> None:
    found = balassa_rca(exports)
    world = exports.sum()
    for c in range(9):
        for k in range(13):
            slow = (exports[c, k] / sum(exports[c])) / (sum(exports[:, k]) / world)
            assert found[c, k] == pytest.approx(slow, rel=1e-12)
    assert np.isnan(found[:, 13]).all()
    assert balassa_rca(exports[2], exports.sum(axis=0)) == pytest.approx(found[2], nan_ok=True)


def test_advantages_weighted_by_world_shares_average_to_one(exports: np.ndarray) -> None:
    weights = exports.sum(axis=0) / exports.sum()
    assert np.nansum(balassa_rca(exports) * weights, axis=1) == pytest.approx(np.ones(9))


def test_proximity_and_density_are_what_the_loops_say(exports: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        has = balassa_rca(exports) >= 1
    phi = proximity(has)
    count = has.sum(axis=0)
    for k in range(14):
        for m in range(14):
            most = max(count[k], count[m])
            assert phi[k, m] == pytest.approx(sum(has[:, k] & has[:, m]) / most if most else 0.0)
    for with_itself in (False, True):
        density = relatedness_density(has, phi, with_itself=with_itself)
        for c in range(9):
            for k in range(13):
                others = [m for m in range(14) if with_itself or m != k]
                slow = sum(has[c, m] * phi[k, m] for m in others) / sum(phi[k, m] for m in others)
                assert density[c, k] == pytest.approx(slow, rel=1e-12)
        assert np.isnan(density[:, 13]).all()
        assert density_of(has[4], has, with_itself=with_itself, block=5) == pytest.approx(density[4], nan_ok=True)
    assert relatedness_density(has[4], phi) == pytest.approx(relatedness_density(has, phi)[4], nan_ok=True)


def test_a_country_that_has_everything_is_dense_and_one_that_has_nothing_is_not(exports: np.ndarray) -> None:
    phi = proximity(exports[:, :13] > 0)
    assert relatedness_density(np.ones(13), phi) == pytest.approx(np.ones(13))
    assert relatedness_density(np.zeros(13), phi) == pytest.approx(np.zeros(13))


def test_potential_by_hand() -> None:
    potential, ease = export_potential([60.0, 20.0], [100.0, 100.0], [30.0, 50.0], [20.0, 0.0])
    assert potential == pytest.approx([12.857143, 7.142857], abs=5e-7)
    assert ease == pytest.approx(20 / 28)
    given_ease, used = export_potential([60.0, 20.0], [100.0, 100.0], [30.0, 50.0], [0.0, 0.0], ease=1.0)
    assert given_ease == pytest.approx([18.0, 10.0])
    assert used == 1.0


@given(st.integers(0, 2**32 - 1))
def test_potentials_add_up_to_what_is_traded(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sold, rest, wanted, bought = rng.lognormal(0.0, 1.5, (4, 20))
    potential, ease = export_potential(sold, sold + rest, wanted, bought)
    assert potential.sum() == pytest.approx(bought.sum())
    doubled, _ = export_potential(sold, sold + rest, wanted, 2 * bought)
    assert doubled == pytest.approx(2 * potential)
    assert ease > 0


@given(st.integers(0, 2**32 - 1))
def test_complementarity_is_between_0_and_100_and_symmetric(seed: int) -> None:
    x, m = np.random.default_rng(seed).lognormal(0.0, 1.5, (2, 12))
    found = complementarity_index(x, m)
    assert 0 <= found <= 100
    assert found == pytest.approx(complementarity_index(3 * m, x))
    assert complementarity_index(x, 5 * x) == pytest.approx(100.0)


def test_complementarity_of_strangers_is_zero() -> None:
    assert complementarity_index([1.0, 0.0], [0.0, 7.0]) == 0.0


def test_concentration_and_two_way_trade() -> None:
    assert herfindahl([1.0, 1.0, 1.0, 1.0]) == 0.25
    assert np.isnan(herfindahl([0.0, 0.0]))
    found = grubel_lloyd([10.0, 10.0, 0.0], [10.0, 30.0, 0.0])
    assert found[:2] == pytest.approx([1.0, 0.5])
    assert np.isnan(found[2])


def test_what_does_not_apply_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="zero or more"):
        balassa_rca([[1.0, -1.0]])
    with pytest.raises(InputError, match=r"2 problems"):
        balassa_rca([[np.nan, np.inf]])
    with pytest.raises(InputError, match="pass world_usd"):
        balassa_rca([1.0, 2.0])
    with pytest.raises(InputError, match="2 products on one side and 3"):
        complementarity_index([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="sums to zero"):
        complementarity_index([0.0], [1.0])
    with pytest.raises(InputError, match="does not trade today"):
        export_potential([1.0], [2.0], [1.0], [0.0])
    with pytest.raises(InputError, match="no potential"):
        export_potential([1.0, 0.0], [2.0, 2.0], [0.0, 1.0], [0.0, 0.0])
    with pytest.raises(InputError, match="traded by nobody"):
        export_potential([1.0], [0.0], [1.0], [0.0])
    with pytest.raises(InputError, match="ease is 0"):
        export_potential([1.0], [2.0], [1.0], [1.0], ease=0.0)
