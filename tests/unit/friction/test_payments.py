"""Payments: expected days, wedges, ways side by side, and what is refused."""

from __future__ import annotations

import pytest

from counterpoise.core.errors import InputError
from counterpoise.friction import PaymentRoute, PaymentStep, Range, mixed_wedge, payment_routes, payment_shares
from counterpoise.friction.payments import currency_rates, payment_problems

TEN_PERCENT = Range.exactly(0.10)


def step(name: str = "s", **more: object) -> PaymentStep:
    given: dict[str, object] = {"kind": "release", "from_currency": "RUB", "to_currency": "RUB"} | more
    return PaymentStep(name=name, **given)  # pyright: ignore[reportArgumentType]


def test_one_pipeline_takes_d_over_one_minus_p() -> None:
    route = PaymentRoute("r", (step(days=Range(14, 27, 40), refusal_probability=Range(0.3, 0.5, 0.8)),))
    days = route.expected_days()
    assert (days.low, days.central, days.high) == pytest.approx((14 / 0.7, 54, 200), rel=1e-14)


def test_a_refusal_sends_the_money_back_to_the_start() -> None:
    steps = (
        step("one", days=Range.exactly(2)),
        step("two", days=Range.exactly(3), refusal_probability=Range.exactly(0.5)),
    )
    assert PaymentRoute("late", steps).expected_days().central == pytest.approx((2 + 3) / 0.5)
    assert PaymentRoute("early", steps[::-1]).expected_days().central == pytest.approx(3 / 0.5 + 2)


def test_two_doubtful_steps_multiply() -> None:
    one = step("one", days=Range.exactly(1), refusal_probability=Range.exactly(0.2))
    two = step("two", days=Range.exactly(1), refusal_probability=Range.exactly(0.5))
    assert PaymentRoute("r", (one, two)).expected_days().central == pytest.approx(1 / (0.8 * 0.5) + 1 / 0.5)


def test_the_third_currency_costs_what_the_facts_say() -> None:
    wedge = payment_routes("IND", "RUS")["third_currency"].wedge(TEN_PERCENT)
    assert (wedge.commission.low, wedge.commission.central, wedge.commission.high) == (0.02, 0.03, 0.12)
    assert (wedge.currency.low, wedge.currency.central, wedge.currency.high) == (0.04, 0.045, 0.05)
    delay = (20 / 365 * 0.1, 54 / 365 * 0.1, 200 / 365 * 0.1)
    assert (wedge.delay.low, wedge.delay.central, wedge.delay.high) == pytest.approx(delay, rel=1e-12)
    assert wedge.total.central == pytest.approx(1.03 * 1.045 * (1 + delay[1]) - 1, rel=1e-12)


def test_direct_quotation_is_the_cheapest_and_the_third_currency_the_dearest() -> None:
    total = {name: route.wedge(TEN_PERCENT).total.central for name, route in payment_routes("IND", "RUS").items()}
    assert sorted(total, key=lambda name: total[name]) == ["direct", "special_account", "netting", "third_currency"]


def test_a_mixture_is_the_mean_of_its_ways() -> None:
    routes = payment_routes("IND", "RUS")
    mixed = mixed_wedge(routes, {"direct": 0.25, "third_currency": 0.75}, TEN_PERCENT)
    assert mixed.currency.central == pytest.approx(0.25 * 0.002 + 0.75 * 0.045)


def test_shipped_shares_add_up_for_every_pair() -> None:
    for pair in (("IND", "RUS"), ("RUS", "IND"), ("USA", "CHN"), ("CHN", "RUS")):
        routes = payment_routes(*pair)
        assert payment_problems(routes, payment_shares(*pair), currency_rates()) == []


def test_delivery_turns_roubles_into_rupees() -> None:
    received = payment_routes("IND", "RUS")["direct"].delivered(1000.0, {"RUB": 0.012, "INR": 0.0115})
    assert received == pytest.approx(1000 * 0.012 / 0.0115 * (1 - 0.002))


def test_delivery_without_a_rate_is_refused() -> None:
    with pytest.raises(InputError, match="the currency INR of payment route 'direct' has no rate; expected one of RUB"):
        payment_routes("IND", "RUS")["direct"].delivered(1000.0, {"RUB": 0.012})


def test_a_broken_chain_is_refused() -> None:
    with pytest.raises(InputError, match="step 'one' ends in RUB, step 'two' begins in INR; add a conversion"):
        PaymentRoute("r", (step("one"), step("two", from_currency="INR", to_currency="INR")))


def test_a_step_tells_all_its_faults_at_once() -> None:
    with pytest.raises(InputError) as caught:
        step(
            kind="relase",
            to_currency="INR",
            fee_rate=Range.exactly(3.0),
            days=Range.exactly(-1),
            refusal_probability=Range.exactly(1.2),
        )
    assert caught.value.problems == (
        "kind is 'relase'; expected one of invoice, correspondent, agent, conversion, release; did you mean 'release'?",
        "fee_rate is 3 to 3; expected 0 or more and below 1 (0.03 is 3 %)",
        "days is -1; expected zero or more",
        "refusal_probability is 1.2 to 1.2; expected 0 or more and below 1: a payment that is always refused never "
        "arrives",
        "a step of kind relase turns RUB into INR; only conversions and correspondents do",
    )
