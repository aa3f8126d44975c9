"""The search of a published paper: near the exact optimum, its stop, its rounds, and what it refuses."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, LabelError, NotConvergedError
from counterpoise.policy import published_search
from counterpoise.policy.published_search import SearchedTariffs, searched_optimum, searched_war
from counterpoise.policy.tariffs import nash_tariffs, optimal_tariff
from counterpoise.solver.main_variant import main_economy
from counterpoise.solver.variants import Economy, profits_economy, solve_variant
from tests.reference.worlds import random_world


@cache
def three() -> Economy:
    """Three countries of which one is large, and two sectors that differ in elasticity; some tariffs are in force."""
    flow = np.ones((3, 3, 2)) + 9.0 * np.eye(3)[:, :, None]
    flow[0] *= 3.0
    rate = 0.1 * (1.0 - np.eye(3))[:, :, None] * np.ones(2)
    world = World.from_arrays(
        countries=["A", "B", "C"],
        sectors=["wide", "narrow"],
        flow=1e9 * flow,
        tariff_rate=rate,
        trade_elasticity=np.array([2.0, 5.0]),
    )
    return profits_economy(world, "zero")


def welfare(found: SearchedTariffs, country: str) -> float:
    """Return the welfare of a country under searched tariffs."""
    shock = Shock(three().world, tariff_rate_cf=found.tariff_rate.to_numpy(), notes=("as searched",))
    return float(solve_variant(three(), shock).welfare_hat.sel(country=country))


def test_the_search_ends_just_below_the_exact_optimum() -> None:
    """In a small world no line is left behind: welfare agrees to 1e-11 and rates to 1e-4."""
    for country in three().world.countries:
        found, exact = searched_optimum(three(), country), optimal_tariff(three(), country)
        assert -1e-11 < welfare(found, country) - (1.0 + exact.welfare_pct / 100.0) < 1e-12
        rate = found.tariff_rate.sel(destination=country, drop=True)
        np.testing.assert_allclose(rate, exact.tariff_rate, rtol=0, atol=1e-4)
        assert found.median_tariff_pct(country) == pytest.approx(exact.median_tariff_pct, abs=1e-2)
        assert int(found.chosen.sum()) == 4
        assert 0 < found.steps[country] < 200


def test_the_others_keep_their_tariffs() -> None:
    found = searched_optimum(three(), "A")
    others = found.tariff_rate.sel(destination=["B", "C"])
    np.testing.assert_array_equal(others, three().world.tariff_rate.sel(destination=["B", "C"]))
    assert found.rounds == (1, 1)


def test_a_war_ends_when_the_mean_tariff_rests() -> None:
    """Rounds of answers come within a point of the exact equilibrium, as their stop asks, and not to it."""
    found, exact = searched_war(three()), nash_tariffs(three(), certify=False)
    gap = np.abs(found.tariff_rate - exact.tariff_rate).max()
    assert 1e-6 < float(gap) < 0.02
    assert all(1 <= rounds < 24 for rounds in found.rounds)
    assert set(found.steps) == {"A", "B", "C"}
    assert int(found.chosen.sum()) == 12


def test_a_war_that_does_not_rest_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_search, "_ROUND_STOP", -1.0)
    monkeypatch.setattr(published_search, "_ROUNDS", 2)
    with pytest.raises(NotConvergedError, match="after 2 rounds"):
        searched_war(three())


def test_a_search_that_takes_too_long_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_search, "_STEPS", 2)
    with pytest.raises(NotConvergedError, match=r"the search of A did not end: 2 steps, rates from .* fewer than 2"):
        searched_optimum(three(), "A")


def test_rates_outside_the_bounds_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_search, "_BOUNDS", (0.0, 0.05))
    with pytest.raises(NotConvergedError, match=r"rates within \(0.0, 0.05\)"):
        searched_optimum(three(), "A")


def test_another_model_is_refused() -> None:
    with pytest.raises(InputError, match="fixed varieties with profits"):
        searched_optimum(main_economy(random_world(21, countries=3, sectors=2, zeros=0.0)), "C0")


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(LabelError, match="Z"):
        searched_optimum(three(), "Z")
