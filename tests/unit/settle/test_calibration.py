"""The band that agrees with the reports, and what it says about the numbers behind it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import InputError, NotConvergedError
from counterpoise.settle import Fit, PairCase, calibrate, draw_priors, observations, pair_case, priors, simulate


@pytest.fixture(scope="module")
def case() -> PairCase:
    return pair_case("RUS", "IND")


@pytest.fixture(scope="module")
def fit(case: PairCase) -> Fit:
    return calibrate(case, draws=400)


def stock(fit: Fit, month: str) -> np.ndarray:
    at = fit.case.months.astype(str).tolist().index(month)
    return fit.ledger().usd_bn(fit.case.label)[:, at]


def test_every_kept_draw_passes_through_every_reported_interval(fit: Fit) -> None:
    assert (stock(fit, "2023-06") >= 2).all()
    assert ((stock(fit, "2023-10") >= 7.5) & (stock(fit, "2023-10") <= 8.5)).all()
    assert (stock(fit, "2024-04") <= 4).all()
    assert ((stock(fit, "2024-08") >= 3) & (stock(fit, "2024-08") <= 3.5)).all()
    assert len(fit.parameters) == 400


def test_money_is_conserved_in_every_kept_draw(fit: Fit) -> None:
    assert fit.ledger().check() == ()


def test_the_answer_is_a_band_and_the_numbers_lie_on_a_ridge(fit: Fit) -> None:
    assert np.ptp(stock(fit, "2023-06")) > 2
    longest = fit.ridges().iloc[0]
    assert (longest["first"], longest["second"]) == ("invoice_share_later", "drain_rate_later")
    assert float(longest["correlation"]) > 0.8
    rows = fit.identification()
    table = dict(zip(rows["parameter"], rows["narrowing"], strict=True))
    assert float(table["goods_share"]) < 0.2
    assert float(table["conversion_share"]) < 0.3
    assert float(table["invoice_share_later"]) < 0.5
    assert "the answer is a band and not a line" in fit.statement()
    assert "invoice share later and drain rate later rise together" in fit.statement()


def test_a_report_that_was_not_fitted_lies_within_the_band(fit: Fit) -> None:
    table = fit.predicted().set_index("id")
    inside = table["inside"].to_dict()
    assert table["fitted"].to_dict()["monthly"] == "no"
    assert inside["monthly"] > 0.4
    assert inside["denial"] == 0.0
    assert (table.loc[table["fitted"] == "yes", "inside"] == 1.0).all()


def test_the_same_seed_gives_the_same_band(case: PairCase) -> None:
    first, again = (calibrate(case, draws=40, seed=7).parameters for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_the_narrowing_steps_agree_with_plain_rejection(case: PairCase) -> None:
    reports = tuple(
        dataclasses.replace(r, fitted="yes" if r.id in ("growing", "peak") else "no", rounding_usd_bn=1.0)
        for r in observations()
    )
    fit = calibrate(case, reports=reports, draws=2000)
    drawn = draw_from_priors(20_000)
    short = case.until(np.datetime64("2023-10", "M"))
    held = simulate(short.arrangement(drawn)).usd_bn(case.label)
    fine = (held[:, 6] >= 1) & (held[:, 10] >= 7) & (held[:, 10] <= 9)
    assert fit.acceptance_rate == pytest.approx(fine.mean(), rel=0.15)
    for name in ("invoice_share_rise", "drain_rate_rise", "goods_share", "turn_month"):
        plain = drawn.loc[fine, name]
        error = plain.std() * np.sqrt(1 / fine.sum() + 1 / 500)
        assert abs(fit.parameters[name].mean() - plain.mean()) < 4 * error, name


def draw_from_priors(count: int) -> pd.DataFrame:
    """Draw every number from its prior, by the definition of the ranges and nothing else."""
    rng = np.random.default_rng(11)
    columns: dict[str, np.ndarray] = {}
    for prior in priors():
        if prior.whole:
            columns[prior.parameter] = rng.integers(int(prior.low), int(prior.high) + 1, count).astype(float)
        elif prior.scale == "log":
            columns[prior.parameter] = np.exp(rng.uniform(np.log(prior.low), np.log(prior.high), count))
        else:
            columns[prior.parameter] = rng.uniform(prior.low, prior.high, count)
    return pd.DataFrame(columns)


def test_positions_and_values_of_a_prior_are_inverse() -> None:
    place = np.array([0.01, 0.5, 0.999])
    for prior in priors():
        value = prior.value(place)
        assert ((value >= prior.low) & (value <= prior.high)).all()
        np.testing.assert_allclose(prior.value(prior.position(value)), value)


def test_without_reports_before_and_after_the_turn_are_alike() -> None:
    table = draw_priors(50, seed=1)
    assert (table["invoice_share_rise"] == table["invoice_share_later"]).all()
    assert (table["drain_rate_rise"] == table["drain_rate_later"]).all()


def test_reports_that_cannot_be_met_end_in_an_honest_failure(case: PairCase) -> None:
    reports = [
        dataclasses.replace(r, low_usd_bn=500.0, high_usd_bn=600.0) if r.id == "peak" else r for r in observations()
    ]
    with pytest.raises(NotConvergedError, match=r"half of them still miss one by .* USD bn or more"):
        calibrate(case, reports=reports, draws=40, max_steps=3)


def test_everything_wrong_with_a_fit_is_said_at_once(case: PairCase) -> None:
    reports = [dataclasses.replace(r, date="2031-01") if r.id == "late" else r for r in observations()]
    with pytest.raises(InputError) as caught:
        calibrate(case, reports=reports, ranges=priors()[1:], draws=3, tolerance_usd_bn=-1.0)
    assert caught.value.problems == (
        "report 'late' (2031-01) lies outside the months 2022-12 to 2027-12; begin earlier or run longer",
        "prior of invoice_share_rise is missing",
        "draws is 3; expected at least 20",
        "tolerance_usd_bn is -1; expected zero or more",
    )


def test_every_report_is_kept_those_that_contradict_each_other_too() -> None:
    reports = {report.id: report for report in observations()}
    assert reports["denial"].fitted == "no"
    assert reports["growing"].interval == (2.0, np.inf)
    assert reports["halved"].interval == (-np.inf, 4.0)
    assert reports["peak"].interval == (7.5, 8.5)
    assert str(reports["halved"].month) == "2024-04"
    assert str(reports["growing"].month) == "2023-06"
