"""Finance and the border: prices, limits that are no prices, and dates."""

from __future__ import annotations

from datetime import date

import pytest

from counterpoise.core import Shock
from counterpoise.core.errors import InputError
from counterpoise.data import load_world
from counterpoise.friction import (
    FirmClass,
    Preference,
    Range,
    applied_duty,
    events,
    firm_classes,
    friction_report,
    limits,
    ntm_from_duty,
    preference_shock,
    preferences,
    registration_rate,
    unmet_finance,
    working_capital_rate,
)
from counterpoise.friction.border import preference_notes


def test_working_capital_is_days_times_rate() -> None:
    assert working_capital_rate(Range(0, 30, 90), Range.exactly(0.1)).central == pytest.approx(30 * 0.1 / 365)


def test_unmet_finance_by_class_adds_up_to_the_published_total() -> None:
    parts = unmet_finance(firm_classes("IND"), 0.10)
    assert sum(p.export_share * p.unmet_share for p in parts) == pytest.approx(0.10, rel=1e-14)
    assert {p.firm_class: round(p.unmet_share, 4) for p in parts} == {"small and medium": 0.2222, "large": 0.0}


def test_rejections_that_cannot_explain_the_total_are_told() -> None:
    with pytest.raises(InputError, match=r"unmet_total is 0.3, but rejections reach 0.1845 of exports"):
        unmet_finance(firm_classes("IND"), 0.3)


def test_classes_tell_all_their_faults_at_once() -> None:
    with pytest.raises(InputError) as caught:
        unmet_finance([FirmClass("a", 0.5, 1.2), FirmClass("b", 0.4, 0.1)], 1.5)
    assert caught.value.problems == (
        "rejection_share of firms 'a' is 1.2; expected 0 to 1",
        "export shares of firm classes add up to 0.9; expected 1",
        "unmet_total is 1.5; expected 0 to 1",
    )


def test_registration_waits_only_for_what_is_new() -> None:
    days, new = Range(100, 210, 304), Range(0.1, 0.3, 1)
    rate = registration_rate(days, new, Range.exactly(0.1))
    assert rate.central == pytest.approx(0.3 * 210 / 365 * 0.1)
    assert rate.high == pytest.approx(304 / 365 * 0.1)


def test_admitted_plants_are_a_count() -> None:
    (plants,) = [k for k in limits("IND", "RUS") if k.name == "admitted_plants"]
    assert (plants.value.low, plants.value.high, plants.unit) == (128, 160, "establishments")
    assert plants.sector == "food"


def test_the_cliff_of_medicine_registrations_is_dated() -> None:
    (cliff,) = [e for e in events("IND", "RUS") if e.kind == "cliff"]
    assert (cliff.on, cliff.sector) == (date(2025, 12, 31), "pharmaceuticals")


def test_a_preference_comes_in_equal_steps() -> None:
    deal = Preference(agreement="deal", valid_from=date(2027, 1, 1), staging_years=5)
    on = [
        date(2026, 12, 31),
        date(2027, 1, 1),
        date(2027, 12, 31),
        date(2028, 1, 1),
        date(2031, 1, 1),
        date(2040, 1, 1),
    ]
    assert [deal.rate_on(0.10, day) for day in on] == pytest.approx([0.10, 0.08, 0.08, 0.06, 0.0, 0.0])


def test_a_preference_is_used_where_it_saves_more_than_proving_origin_costs() -> None:
    deal = Preference(agreement="deal", valid_from=date(2027, 1, 1), staging_years=5, compliance_cost_rate=0.03)
    first, third = (applied_duty(0.10, deal, date(year, 6, 1)) for year in (2027, 2029))
    assert (first.used, first.duty_rate, first.compliance_rate) == (False, 0.10, 0.0)
    assert third.used
    assert (third.duty_rate, third.compliance_rate) == pytest.approx((0.04, 0.03))


def test_what_is_under_negotiation_is_not_in_force() -> None:
    (deal,) = preferences("IND", "RUS")
    assert deal.rate_on(0.10, date(2030, 1, 1)) == 0.10


def test_the_rule_of_thumb_for_non_tariff_measures() -> None:
    assert ntm_from_duty(0.1) == Range(0.2, 0.25, 0.30000000000000004)


def test_a_preference_tells_all_its_faults_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Preference(agreement="deal", final_rate=-0.1, staging_years=-1, compliance_cost_rate=2)
    assert caught.value.problems == (
        "final_rate is -0.1; expected 0 or more",
        "staging_years is -1; expected 0 to 50",
        "compliance_cost_rate is 2; expected 0 to 1",
    )


def test_an_agreement_says_once_whether_it_is_in_force() -> None:
    dated = Preference(agreement="Pact", valid_from=date(2027, 1, 1), staging_years=5)
    undated = Preference(agreement="Talks")
    assert preference_notes([dated, dated, undated], date(2026, 1, 1)) == [
        "Pact: preferences begin on 1 January 2027, in 5 yearly steps.",
        "Talks: no preference is in force and none has a date.",
    ]
    assert preference_notes([dated], date(2027, 1, 1)) == [
        "Pact: preferences are in force since 1 January 2027, in 5 yearly steps."
    ]


def test_a_preference_of_the_users_lowers_duties_and_becomes_a_term_of_a_shock() -> None:
    world = load_world()
    pact = {"agreement": "Pact", "valid_from": date(2027, 1, 1), "staging_years": 2, "compliance_cost_rate": 0.01}
    rates = {"food": 0.10, "coal": 0.015}
    report = friction_report(
        "IND", "RUS", ["food", "coal"], as_of=date(2027, 6, 1), tariff_rate=rates, overrides={"preferences": [pact]}
    )
    duties = report.duties.set_index("sector")
    assert duties.loc["food", "duty_rate"] == pytest.approx(0.05)
    assert not duties.loc["coal", "used"]  # half of 1.5 % is less than proving origin costs
    shock = preference_shock(Shock.none(world), report)
    food = {"origin": "IND", "destination": "RUS", "sector": "food"}
    coal = food | {"sector": "coal"}
    assert float(shock.tariff_rate_cf.sel(food)) == pytest.approx(0.05)
    assert float(shock.iceberg_cost_hat.sel(food)) == pytest.approx(1.01)
    untouched = world.tariff_rate.sel(coal)
    assert float(shock.tariff_rate_cf.sel(coal)) == float(untouched)


def test_a_preference_whose_date_is_no_date_is_told_with_the_other_mistakes() -> None:
    wrong = {"preferences": [{"agreement": "Pact", "valid_from": "soon"}], "insurance": {"rise": -1}}
    with pytest.raises(InputError) as caught:
        friction_report("IND", "RUS", ["food"], overrides=wrong)
    text = str(caught.value)
    assert "valid_from is 'soon'; expected a date such as 2027-01-01" in text
    assert "insurance.rise is low -1, central -1, high -1; expected 0 to 1000" in text
