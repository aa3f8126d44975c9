"""Closed forms against the ledger, and the study that puts all of it together."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core.errors import DataError, InputError
from counterpoise.settle import (
    Account,
    Arrangement,
    SteadyAccount,
    TradeStream,
    Use,
    month_range,
    pair_case,
    simulate,
    study,
)


def ledger_of(account: SteadyAccount, months: int, *, extra: float = 0.0) -> np.ndarray:
    """Run the same steady flows through the ledger, in cents; 1 unit is 1 USD."""
    span = month_range("2026-01", months)
    streams = (
        TradeStream("RUS", "IND", "oil", float(np.asarray(account.sales)), {"INR": 1.0}),
        TradeStream("IND", "RUS", "goods", float(np.asarray(account.purchases)) + extra, {"INR": 1.0}),
    )
    held = Account(
        "RUS",
        "INR",
        opening=float(np.asarray(account.opening)),
        interest_rate=float(np.asarray(account.interest_rate)),
        uses=(
            Use("other", rate=float(np.asarray(account.drain_rate))),
            Use("conversion", amount=float(np.asarray(account.conversion))),
        ),
    )
    return simulate(Arrangement(span, streams, (held,), {"INR": 1.0})).data["money"].to_numpy()[0, :, 0] / 100


CASES = [
    SteadyAccount(8e6, 3e6, 4e5, 0.05, 1e5, 0.04),
    SteadyAccount(0.0, 3e6, 4e5),
    SteadyAccount(5e6, 1e6, 2e5, 0.3),
    SteadyAccount(5e6, 1e6, 2e5, 0.0, 0.0, 0.06),
]


@pytest.mark.parametrize("account", CASES)
def test_the_closed_form_is_the_ledger_to_a_unit_a_month(account: SteadyAccount) -> None:
    ran = ledger_of(account, 60)
    told = np.array([float(account.after(n)) for n in range(1, 61)])
    assert (np.abs(ran - told) <= 0.01 * np.arange(1, 61)).all()


@pytest.mark.parametrize("account", CASES)
def test_a_level_is_passed_in_the_month_that_the_ledger_passes_it(account: SteadyAccount) -> None:
    ran = ledger_of(account, 60)
    start = float(np.asarray(account.opening))
    goal = (start + ran[40]) / 2
    passed = ran >= goal if ran[40] > start else ran <= goal
    assert int(account.months_until(goal)) == int(passed.argmax()) + 1


@pytest.mark.parametrize("account", [CASES[0], CASES[2]])
def test_extra_purchases_reach_the_target_in_the_ledger(account: SteadyAccount) -> None:
    target = 0.3 * float(account.after(24))
    extra = float(account.extra_purchases(24, target, uses="in_proportion"))
    assert extra > 0
    assert ledger_of(account, 24, extra=extra)[-1] == pytest.approx(target, abs=1.0)


def test_with_other_uses_unchanged_each_month_of_a_programme_is_missing_at_the_end() -> None:
    account = SteadyAccount(6.0, 2.0, 2.0)
    assert float(account.extra_purchases(12, 0.0)) == pytest.approx(0.5)


def test_levels_that_are_never_reached_are_infinitely_far() -> None:
    account = SteadyAccount(1.0, 1.0, 0.0, 0.5)
    assert float(account.resting_level) == pytest.approx(1.0)
    assert np.isinf(account.months_until(2.0))
    assert float(account.months_until(1.0)) == 0.0
    assert np.isinf(SteadyAccount(0.0, 1.0).resting_level)


def test_answers_come_one_per_draw() -> None:
    account = SteadyAccount(np.array([0.0, 8.0]), 1.0, 0.0, np.array([0.0, 0.5]))
    np.testing.assert_allclose(account.months_until(4.0), [4.0, 2.0])


def test_everything_wrong_with_an_outlook_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        SteadyAccount(-1.0, 1.0, drain_rate=1.0)
    assert caught.value.problems == (
        "opening is -1; expected zero or more",
        "drain_rate is 1; expected 0 to below 1 a month",
    )
    with pytest.raises(InputError, match="do not fit together"):
        SteadyAccount(np.ones(2), np.ones(3))
    with pytest.raises(InputError, match="2 problems"):
        SteadyAccount(1.0, 1.0).extra_purchases(0, -1.0)


def test_the_programme_that_is_found_drains_every_draw_to_the_target() -> None:
    result = study(drain_by="2027-06", target_usd_bn=0.5, draws=100)
    assert result.stressed is not None
    at = result.case.months.astype(str).tolist().index("2027-06")
    np.testing.assert_allclose(result.stressed.usd_bn(result.case.label)[:, at], 0.5, atol=1e-6)
    assert result.stressed.check() == ()
    shrinking = study(drain_by="2027-06", target_usd_bn=0.5, draws=100, other_uses="in_proportion")
    assert shrinking.stressed is not None
    np.testing.assert_allclose(shrinking.stressed.usd_bn(result.case.label)[:, at], 0.5, atol=0.15)


def test_a_freeze_and_a_cap_are_seen_in_the_account() -> None:
    result = study(cap_usd_bn=4.0, freezes=[("2026-01", "2026-12")], draws=100)
    assert result.stressed is not None
    months = result.case.months.astype(str).tolist()
    held = result.stressed.usd_bn(result.case.label)
    assert (held[:, months.index("2025-10") :] <= 4.0 + 1e-6).all()
    assert not np.isnat(result.stressed.limit_binds(result.case.label)).any()
    document = result.to_json()
    assert document["money_conserved"] is True
    assert document["stress"]["limit_binds_rate"] == 1.0


def test_any_pair_can_be_settled_and_says_what_it_does_not_know() -> None:
    result = study("BRA", "VNM", draws=50)
    assert result.fit is None
    assert result.case.currency == "USD"
    assert "no exchange rate for" in result.case.notes[0]
    assert "Nothing is reported" in result.words[0]
    given = pair_case("BGD", "VNM", trade_usd=(0.1e9, 0.7e9), months=6)
    assert (given.seller, given.sales_usd[0]) == ("VNM", pytest.approx(0.7e9 / 12))
    local = pair_case("KAZ", "RUS", currency="KZT", rates={"KZT": 480.0})
    assert (local.label, local.rate[0]) == ("RUS:KZT", 480.0)
    assert pair_case("CHN", "IND").label == "CHN:INR"
    assert pair_case("MEX", "EU27", months=3).currency == "MXN"


def test_oil_and_other_goods_add_up_to_what_russia_sells() -> None:
    case = pair_case("IND", "RUS", first="2023-04", months=12)
    assert set(case.sales) == {"oil", "other goods"}
    assert case.sales_usd.sum() == pytest.approx(61431.24e6, abs=0.5)
    assert case.sales["oil"].sum() / 100 == pytest.approx(46487.55e6, rel=1e-6)
    assert case.purchases_usd.sum() == pytest.approx(4261.62e6, abs=0.5)


def test_pairs_that_cannot_be_settled_say_why() -> None:
    with pytest.raises(InputError) as caught:
        pair_case("INX", "INX", months=0, growth_rate=-2.0, rates={"INR": -1.0})
    assert len(caught.value.problems) == 6
    with pytest.raises(InputError, match="currency KZT has no rate"):
        pair_case("KAZ", "RUS", currency="KZT")
    with pytest.raises(DataError, match="absent is not zero"):
        pair_case("TKL", "PCN")
    with pytest.raises(InputError, match="is not after"):
        study(drain_by="2025-01", draws=50)
