"""Elasticities by horizon: the published first year and long run, rising between, and everything else untouched."""

from __future__ import annotations

import math

import numpy as np
import pytest

from counterpoise.core import horizon_elasticity
from counterpoise.core.errors import InputError
from tests.unit.core.test_world import small_world


def test_the_published_path_starts_at_its_first_year_and_settles_by_the_tenth() -> None:
    # Boehm, Levchenko and Pandalai-Nayar (2023): 0.76 in the first year, 1.75 to 2.25 in the long run.
    assert horizon_elasticity(2.0, 1.0) == pytest.approx(0.76)
    assert 1.75 <= float(horizon_elasticity(2.0, 10.0)) <= 2.0
    assert horizon_elasticity(2.0, math.inf) == pytest.approx(2.0)


def test_elasticities_rise_with_time_and_keep_their_order() -> None:
    theta = np.array([0.5, 4.0, 65.0])
    path = np.stack([horizon_elasticity(theta, years) for years in (1, 2, 5, 10, 30)])
    assert np.all(np.diff(path, axis=0) > 0)
    np.testing.assert_allclose(path / path[:, :1], np.broadcast_to(theta / theta[0], path.shape), rtol=1e-12)


def test_every_option_out_of_range_is_named() -> None:
    with pytest.raises(InputError) as caught:
        horizon_elasticity([1.0, -1.0], 0.5, first_year_share=1.5, settled_years=1.0)
    assert len(caught.value.problems) == 4


def test_a_world_at_a_horizon_differs_in_its_elasticities_alone() -> None:
    world = small_world()
    soon = world.at_horizon(1)
    np.testing.assert_allclose(soon.trade_elasticity, 0.38 * world.trade_elasticity)
    np.testing.assert_array_equal(soon.flow, world.flow)
    np.testing.assert_array_equal(soon.consumption_share, world.consumption_share)
    assert soon.check() == ()
