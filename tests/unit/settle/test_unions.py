"""Clearing unions, the liquidity-saving queue and the two-bank game, by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.settle import (
    Payment,
    Transaction,
    clear_bimonthly,
    liquidity_game,
    run_queue,
    settle_in_tranches,
    union_tranches,
)
from counterpoise.settle.liquidity import period_cost

QUOTAS = {"FRA": 1000, "DEU": 1000, "GBR": 1000}


def gold(position: int, as_of: str = "1950-07") -> int:
    """Gold that France receives (+) or pays (-) for one position, Germany taking the other side."""
    result = settle_in_tranches([{"FRA": position, "DEU": -position}], QUOTAS, tranches=union_tranches(as_of))
    assert result.check() == ()
    return int(result.table.set_index("member").loc["FRA", "gold_minor"])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (-200, 0),
        (-400, -40),
        (-600, -120),
        (-800, -240),
        (-1000, -400),
        (-1100, -500),
        (200, 0),
        (1000, 400),
        (1100, 500),
    ],
)
def test_gold_rises_by_tranche_of_the_quota(position: int, expected: int) -> None:
    assert gold(position) == expected


def test_from_july_1954_half_is_gold() -> None:
    assert gold(-300, "1954-07") == -150
    assert gold(300, "1954-07") == 150
    with pytest.raises(InputError, match="no tranches of 'epu' in 1949-01"):
        union_tranches("1949-01")


def test_a_reversal_undoes_what_was_settled_and_the_union_bears_the_difference() -> None:
    periods = [{"FRA": -600, "DEU": 600}, {"FRA": 600, "DEU": -600}]
    result = settle_in_tranches(periods, QUOTAS, opening_gold=350)
    assert result.check() == ()
    # The creditor gets 200 in gold while the debtor pays 120: the working capital bridges 80, and comes back.
    assert result.union_gold == (270, 350)
    assert result.table.groupby("member")["credit_minor"].sum().tolist() == [0, 0, 0]


def test_faults_of_a_union_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        settle_in_tranches([{"FRA": 5, "ITA": -4}], {"FRA": 0}, tranches=union_tranches()[:3])
    assert caught.value.problems == (
        "period 0: 'ITA' has no quota; members: FRA",
        "period 0: net positions sum to +1; expected 0",
        "quota of FRA is 0; expected above zero",
        "tranches end at 0.2, 0.4, 0.6; expected rising parts of the quota, the last 1",
    )


def test_net_debtors_of_the_asian_union_pay_interest_for_the_days_they_owe() -> None:
    members = ["IND", "BGD", "LKA"]
    payments = [
        Transaction(dt.date(2020, 1, 5), "IND", "BGD", 1_000_000),
        Transaction(dt.date(2020, 1, 15), "BGD", "LKA", 700_000),
        Transaction(dt.date(2020, 3, 15), "LKA", "IND", 700_000),
    ]
    result = clear_bimonthly(payments, members, first=dt.date(2020, 1, 1), interest_rate="0.05")
    first = result.table.iloc[:3].set_index("member")
    # 5 January to 29 February: 56 days; 1,000,000 x 5 % x 56 / 360 = 7,778.
    assert first["interest_minor"].to_dict() == {"IND": -7778, "BGD": 3306, "LKA": 4472}
    assert first["net_minor"].to_dict() == {"IND": -1_000_000, "BGD": 300_000, "LKA": 700_000}
    assert result.table.groupby("period_start")["settled_minor"].sum().tolist() == [0, 0]
    assert set(result.table["settled_on"]) == {dt.date(2020, 3, 4), dt.date(2020, 5, 4)}
    assert result.efficiency == (pytest.approx(1 - 10 / 17), 0.0)


def test_faults_of_a_clearing_are_named_together() -> None:
    payments = [Transaction(dt.date(2019, 12, 31), "IND", "BGX", -1), Transaction(dt.date(2020, 1, 1), "IND", "IND", 1)]
    with pytest.raises(InputError) as caught:
        clear_bimonthly(payments, ["IND", "BGD"], first=dt.date(2020, 1, 1), interest_rate=1.5, payment_days=-4)
    assert caught.value.problems == (
        "transaction 0: unknown party 'BGX'; did you mean 'BGD'? members: IND, BGD",
        "transaction 0: amount -1 is negative; swap payer and payee",
        "transaction 1: IND pays itself; leave it out",
        "transaction 0: 2019-12-31 lies before 2020-01-01, the first day",
        "interest_rate is 1.5; expected 0 to below 1 a year (0.05 is 5 %)",
        "payment_days is -4; expected zero or more days",
    )


CIRCLE = [Payment(0, "A", "B", 100), Payment(0, "B", "C", 100), Payment(1, "C", "A", 100)]


def test_a_gridlock_of_three_is_released_together() -> None:
    stuck = run_queue(CIRCLE, {"A": 10, "B": 0, "C": 0}, multilateral=False)
    assert stuck.settled_rate == 0.0
    freed = run_queue(CIRCLE, {"A": 10, "B": 0, "C": 0})
    assert freed.table["how"].tolist() == ["multilateral release"] * 3
    assert freed.table["settled_tick"].tolist() == [1, 1, 1]
    assert freed.delay == pytest.approx(2 / 3)
    assert freed.turnover == 30.0
    assert freed.check() == ()


def test_two_banks_offset_when_both_can_pay_the_difference() -> None:
    payments = [Payment(0, "A", "B", 50), Payment(1, "B", "A", 60)]
    assert run_queue(payments, {"A": 0, "B": 10}, multilateral=False).table["how"].tolist() == ["bilateral offset"] * 2
    assert run_queue(payments, {"A": 0, "B": 9}).settled_rate == 0.0
    assert run_queue(payments, {"A": 0, "B": 10}, bilateral=False, multilateral=False).settled_rate == 0.0


def test_a_queue_is_first_in_first_out() -> None:
    result = run_queue([Payment(0, "A", "B", 80), Payment(0, "A", "C", 10)], {"A": 20, "B": 0, "C": 0})
    assert result.table["settled_tick"].tolist() == [-1, -1]


def test_the_release_is_the_largest_set_that_keeps_the_order() -> None:
    payments = [*CIRCLE, Payment(1, "C", "B", 500), Payment(1, "B", "A", 5)]
    result = run_queue(payments, {"A": 0, "B": 0, "C": 0})
    assert result.table["how"].tolist() == ["multilateral release"] * 3 + ["not settled"] * 2
    assert result.check() == ()


def test_faults_of_a_queue_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        run_queue([Payment(-1, "A", "B", 0), Payment(0, "A", "A", 5)], {"A": -7})
    assert caught.value.problems == (
        "payment 0: unknown party 'B'; banks: A",
        "payment 0: amount 0; expected above zero",
        "payment 1: A pays itself; leave it out",
        "payment 0: tick -1 is negative; time starts at 0",
        "liquidity of A is -7; expected zero or more",
    )


def test_the_two_bank_game_of_castro_and_others() -> None:
    game = liquidity_game([[0.0, 0.15], [0.15, 0.05]], collateral_rate=0.1, delay_rate=0.2, borrowing_rate=0.4)
    np.testing.assert_allclose(game.liquidity, [0.0, 0.20], atol=1e-15)
    np.testing.assert_allclose(game.cost, [0.0, 0.02], atol=1e-15)


def test_no_bank_can_do_better_on_a_grid(rng: np.random.Generator) -> None:
    rates = {"collateral_rate": 0.1, "delay_rate": 0.2, "borrowing_rate": 0.4}
    for _ in range(50):
        due = rng.uniform(0, 1, (2, 2)).round(2)
        game = liquidity_game(due, **rates)
        for bank in range(2):
            other = float(game.liquidity[1 - bank])
            tried = [period_cost(bank, level, other, due, rates) for level in np.linspace(0, 2.5, 251)]
            assert game.cost[bank] <= min(tried) + 1e-12


def test_money_that_is_not_the_cheapest_way_has_no_such_equilibrium() -> None:
    with pytest.raises(InputError) as caught:
        liquidity_game([[0.0, -0.15], [0.15, 0.05]], collateral_rate=0.3, delay_rate=0.2, borrowing_rate=0.4)
    assert caught.value.problems == (
        "payments hold -0.15; expected zero or more",
        "delay_rate 0.2 is not above collateral_rate 0.3; bringing money must be the cheapest way",
    )
