"""Whole amounts, months, and annual trade spread over them."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.settle import month_range, monthly_from_annual, permitted_uses, rate_path, write_up_rate
from counterpoise.settle.money import allot, rounded, split_exactly
from counterpoise.settle.tables import currency, dated_rules, permitted_from, read_parameters


def test_the_devaluation_of_1966_writes_balances_up_by_57_5_per_cent() -> None:
    assert write_up_rate("0.365") == Fraction(1000, 635) - 1
    assert f"{100 * float(write_up_rate(0.365)):.1f}" == "57.5"


def test_amounts_round_half_to_even() -> None:
    np.testing.assert_array_equal(rounded([0.5, 1.5, 2.5, -0.5]), [0, 2, 2, 0])


def test_parts_of_an_amount_add_up_to_the_last_unit() -> None:
    amount = np.array([[1, 2, 100, 10**15 + 1]])
    third = np.full((1, 1), 1 / 3)
    parts = split_exactly(amount, [third, third, third])
    np.testing.assert_array_equal(sum(parts), amount)
    assert all((part >= 0).all() for part in parts)


def test_largest_remainders_get_the_odd_units() -> None:
    assert allot(10, [1, 1, 1]) == [4, 3, 3]
    assert allot(7, [0, 5, 2]) == [0, 5, 2]


@pytest.mark.parametrize("method", ["smooth", "flat"])
def test_months_add_up_to_every_annual_total_to_the_cent(method: str) -> None:
    annual = {"FY2021-22": 9869.99e6, "FY2022-23": 46212.71e6, "FY2023-24": 61431.24e6, "FY2020-21": 5485.75e6}
    months, cents = monthly_from_annual(annual, method=method)  # pyright: ignore[reportArgumentType]
    assert str(months[0]) == "2020-04"
    assert str(months[-1]) == "2024-03"
    totals = cents.reshape(-1, 12).sum(axis=1)
    assert totals.tolist() == [548575000000, 986999000000, 4621271000000, 6143124000000]


def test_the_smooth_path_moves_less_than_the_flat_one() -> None:
    annual = {"2022": 1e9, "2023": 3e9, "2024": 4e9}
    smooth = monthly_from_annual(annual)[1].astype(float)
    flat = monthly_from_annual(annual, method="flat")[1].astype(float)
    assert (np.diff(smooth) ** 2).sum() < 0.2 * (np.diff(flat) ** 2).sum()


def test_a_path_that_would_fall_below_zero_is_refused_with_the_mend() -> None:
    with pytest.raises(InputError, match=r"smooth path falls to -.* pass method='flat'"):
        monthly_from_annual({"2022": 1e6, "2023": 9e9})


def test_years_with_gaps_and_negative_trade_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        monthly_from_annual({"2021": 1.0, "2023": -2.0})
    assert caught.value.problems == (
        "2023: -2 USD is negative or no number; trade is zero or more",
        "2023 starts 24 months after 2021; expected 12: years follow one another without gap or overlap",
    )


def test_months_are_counted_from_a_month() -> None:
    assert month_range("2022-12", 2).astype(str).tolist() == ["2022-12", "2023-01"]
    with pytest.raises(InputError, match="2 problems"):
        month_range("2022-13", 0)


def test_the_schedule_of_permitted_uses_widens_with_the_circulars() -> None:
    whole = {use.use for use in permitted_uses(dt.date(2022, 7, 11)) if not use.extent.startswith("within")}
    assert whole == {"goods", "advance", "project"}
    assert permitted_from("government_security") == dt.date(2025, 8, 12)
    assert permitted_from("government_security", whole=False) == dt.date(2022, 7, 11)
    assert permitted_from("corporate_bond") == dt.date(2025, 10, 3)
    assert permitted_uses(dt.date(2022, 7, 10)) == ()


def test_every_shipped_row_carries_its_source_and_confidence() -> None:
    tables = (
        "currencies",
        "exchange_rates",
        "permitted_uses",
        "rules",
        "reported_balances",
        "priors",
        "union_tranches",
    )
    for table in tables:
        assert all(row["source"] and row["confidence"] for row in read_parameters(table)), table
    assert [rule.date for rule in dated_rules()] == sorted(rule.date for rule in dated_rules())


def test_a_fiscal_average_stands_in_the_middle_of_its_year_and_depreciation_follows_the_last() -> None:
    months = month_range("2023-09", 1)
    middle = rate_path("INR", month_range("2023-09", 2))
    assert middle[0] < 82.7897 < middle[1]
    far = month_range("2027-09", 13)
    path = rate_path("INR", far, depreciation_rate=0.03)
    assert path[12] / path[0] == pytest.approx(1.03)
    with pytest.raises(InputError, match="currency KZT has no shipped rate"):
        rate_path("KZT", months)


def test_an_unknown_currency_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown currency 'INX'; did you mean 'INR'"):
        currency("INX")
