"""Steps of the descent: the quick ways to minimise a model against the slow one, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from counterpoise.policy.quadratic import (
    Guess,
    Model,
    best_step,
    by_active_set,
    by_descent,
    by_least_distance,
    made_convex,
    penalised,
)

Floats = NDArray[np.float64]


def model_of(rng: np.random.Generator, count: int, limits: int, *, curved: float, least: float) -> Model:
    """Draw a model of ``count`` levers and some limits, second derivatives of the goal from ``least`` upwards."""
    turn = np.linalg.qr(rng.normal(size=(count, count)))[0]
    bent = rng.normal(size=(limits, count, count)) * curved
    return Model(
        u=rng.uniform(0.0, 1.0, count),
        goal=0.0,
        slope=rng.normal(size=count),
        bend=(turn * rng.uniform(least, 3.0, count)) @ turn.T,
        slack=rng.uniform(-0.02, 0.3, limits),
        slack_slope=rng.normal(size=(limits, count)),
        slack_bend=0.5 * (bent + bent.swapaxes(1, 2)),
    )


def box(model: Model, radius: float) -> tuple[Floats, Floats]:
    """Return the bounds of a step."""
    return np.maximum(-model.u, -radius), np.minimum(1.0 - model.u, radius)


@pytest.mark.parametrize("limits", [0, 1, 3])
@pytest.mark.parametrize("curved", [0.0, 0.05])
def test_the_active_set_finds_what_the_slow_way_finds(limits: int, curved: float) -> None:
    rng = np.random.default_rng(7 + limits)
    settled = 0
    for _ in range(40):
        model = model_of(rng, 8, limits, curved=curved, least=0.5)
        low, high = box(model, 0.4)
        guess = Guess(np.zeros(8), np.zeros(limits))
        quick = by_active_set(model, low, high, 50.0, guess)
        if quick is None:
            continue
        settled += 1
        slow = by_descent(model, low, high, 50.0)
        ends = [penalised(model.goal_at(d), model.slack_at(d), 50.0) for d in (quick, slow)]
        assert ends[0] <= ends[1] + 1e-7
        assert np.all((quick >= low) & (quick <= high))
        assert np.all(model.slack_at(quick) >= -1e-8)
    assert settled >= 25


def test_the_least_distance_is_the_minimum_under_straight_limits() -> None:
    rng = np.random.default_rng(11)
    for _ in range(40):
        model = model_of(rng, 8, 2, curved=0.0, least=0.5)
        low, high = box(model, 0.4)
        guess = by_least_distance(model, np.zeros(2), low, high)
        slow = by_descent(model, low, high, 50.0)
        if guess is None:
            assert float(np.min(model.slack_at(slow))) < -1e-7
            continue
        assert guess.step == pytest.approx(slow, abs=1e-5)
        left = model.slope + model.bend @ guess.step - model.slack_slope.T @ guess.weights
        free = (guess.step > low + 1e-9) & (guess.step < high - 1e-9)
        assert left[free] == pytest.approx(np.zeros(int(free.sum())), abs=1e-7)


def test_a_model_that_bends_downwards_is_no_minimum_and_is_turned_upwards() -> None:
    rng = np.random.default_rng(5)
    model = model_of(rng, 4, 1, curved=0.0, least=0.5)
    hollow = replace(model, slope=np.full(4, 1e-3), bend=-np.eye(4), slack=np.ones(1))
    low, high = np.full(4, -0.4), np.full(4, 0.4)
    assert by_active_set(hollow, low, high, 50.0, Guess(np.zeros(4), np.zeros(1))) is None
    turned = made_convex(hollow, np.zeros(1))
    assert turned.bend == pytest.approx(np.eye(4))


def test_limits_that_no_step_keeps_become_elastic() -> None:
    model = Model(
        u=np.full(2, 0.5),
        goal=0.0,
        slope=np.array([1.0, 2.0]),
        bend=np.eye(2),
        slack=np.array([-5.0]),
        slack_slope=np.array([[1.0, 1.0]]),
        slack_bend=np.zeros((1, 2, 2)),
    )
    low, high = box(model, 0.3)
    assert by_least_distance(model, np.zeros(1), low, high) is None
    step, foretold, inside = best_step(model, 0.3, 10.0, np.ones(2, dtype=bool), np.zeros(1))
    assert step == pytest.approx([0.3, 0.3], abs=1e-7)
    assert foretold > 0
    assert not inside
