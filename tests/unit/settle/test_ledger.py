"""The monthly stock and flow of clearing accounts, by hand."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.settle import Account, Arrangement, Freeze, Ledger, TradeStream, Use, month_range, simulate

MONTHS = month_range("2026-01", 4)
ACCOUNT = "RUS:INR"


def run(account: Account, *, sales: object = 100.0, goods: object = 0.0, **more: object) -> Ledger:
    """Run one rupee account at 1 rupee per USD, so that a USD is 100 paise."""
    streams = (
        TradeStream("RUS", "IND", "oil", sales, {"INR": 1.0}),  # pyright: ignore[reportArgumentType]
        TradeStream("IND", "RUS", "goods", goods, {"INR": 1.0}),  # pyright: ignore[reportArgumentType]
    )
    ledger = simulate(Arrangement(MONTHS, streams, (account,), {"INR": more.pop("rate", 1.0)}, **more))  # pyright: ignore[reportArgumentType]
    assert ledger.check() == ()
    return ledger


def series(ledger: Ledger, name: str) -> list[int]:
    """Return a variable of the one account and draw."""
    return ledger.data[name].sel(account=ACCOUNT).isel(draw=0).to_numpy().tolist()


def test_sales_fill_the_account_and_goods_empty_it() -> None:
    ledger = run(Account("RUS", "INR"), goods=30.0)
    assert series(ledger, "money") == [7000, 14000, 21000, 28000]
    assert series(ledger, "paid") == [3000] * 4


def test_goods_are_paid_with_other_money_where_the_account_is_empty() -> None:
    ledger = run(Account("RUS", "INR"), sales=10.0, goods=30.0)
    assert series(ledger, "paid_outside") == [2000] * 4
    assert series(ledger, "money") == [0] * 4


def test_refused_payments_wait_and_are_tried_again() -> None:
    ledger = run(Account("RUS", "INR", refusal_rate=0.5))
    assert series(ledger, "credited") == [5000, 7500, 8750, 9375]
    assert series(ledger, "waiting_in") == [5000, 7500, 8750, 9375]


def test_a_frozen_account_takes_in_but_lets_nothing_out() -> None:
    ledger = run(Account("RUS", "INR"), goods=30.0, freezes=(Freeze(ACCOUNT, "2026-02", "2026-03"),))
    assert series(ledger, "paid") == [3000, 0, 0, 3000]
    assert series(ledger, "paid_outside") == [0, 3000, 3000, 0]
    assert series(ledger, "money") == [7000, 17000, 27000, 34000]


def test_a_full_freeze_keeps_sales_waiting_until_it_ends() -> None:
    ledger = run(Account("RUS", "INR"), freezes=(Freeze(ACCOUNT, "2026-02", "2026-03", "all"),))
    assert series(ledger, "credited") == [10000, 0, 0, 30000]
    assert series(ledger, "waiting_in") == [0, 10000, 20000, 0]


def test_the_cap_turns_sales_away_and_says_when_it_binds() -> None:
    ledger = run(Account("RUS", "INR", cap=250.0))
    assert series(ledger, "money") == [10000, 20000, 25000, 25000]
    assert series(ledger, "diverted") == [0, 0, 5000, 10000]
    assert str(ledger.limit_binds(ACCOUNT)[0]) == "2026-03"


def test_money_can_be_used_only_from_the_day_the_rules_permit_it() -> None:
    months = month_range("2025-07", 4)
    streams = (TradeStream("RUS", "IND", "oil", 100.0, {"INR": 1.0}),)
    uses = (Use("government_security", rate=0.5), Use("corporate_bond", amount=10.0))
    ledger = simulate(Arrangement(months, streams, (Account("RUS", "INR", uses=uses),), {"INR": 1.0}))
    used = ledger.data["used"].isel(draw=0, account=0)
    assert used.sel(use="government_security").to_numpy().tolist() == [0, 10000, 10000, 10000]
    assert used.sel(use="corporate_bond").to_numpy().tolist() == [0, 0, 0, 1000]
    assert ledger.check() == ()


def test_securities_pay_coupons_and_fall_due_into_the_account() -> None:
    account = Account(
        "RUS",
        "INR",
        opening=1000.0,
        investment_rate=0.12,
        redemption_rate=0.25,
        uses=(Use("corporate_bond", rate=1.0),),
    )
    ledger = run(account, sales=0.0)
    # 1000 invested in the first month; then a coupon of 1 % on it and a quarter of it back, all put in again.
    assert series(ledger, "coupons") == [0, 1000, 1010, 1020]
    assert series(ledger, "redeemed") == [0, 25000, 25250, 25502]
    assert series(ledger, "invested") == [100000, 101000, 102010, 103030]


def test_advances_pay_for_goods_that_come_later() -> None:
    until = dt.date(2026, 2, 1)
    ledger = run(
        Account("RUS", "INR", uses=(Use("advance", amount=60.0, valid_until=until),)),
        goods=np.array([0.0, 40.0, 40.0, 40.0]),
    )
    assert series(ledger, "paid_by_advance") == [0, 4000, 2000, 0]
    assert series(ledger, "advanced") == [6000, 2000, 0, 0]


def test_no_advance_is_paid_while_payments_for_goods_are_pending() -> None:
    ledger = run(Account("RUS", "INR", refusal_rate=0.5, uses=(Use("advance", amount=1.0),)), goods=10.0)
    assert ledger.data["used"].sum().item() == 0


def test_conversion_stops_at_its_limit() -> None:
    ledger = run(Account("RUS", "INR", uses=(Use("conversion", rate=1.0, limit=40.0),)))
    assert series(ledger, "money") == [6000, 12000, 18000, 24000]


def test_payments_come_in_later_by_their_days() -> None:
    ledger = simulate(
        Arrangement(
            MONTHS,
            (TradeStream("RUS", "IND", "oil", 100.0, {"INR": 1.0}, payment_days=1.5 * 365.25 / 12),),
            (Account("RUS", "INR"),),
            {"INR": 1.0},
        )
    )
    assert series(ledger, "credited") == [0, 5000, 10000, 10000]


def test_a_value_clause_writes_the_balance_up_by_the_devaluation_of_1966() -> None:
    before, after = 4.7619, 4.7619 / (1 - 0.365)
    ledger = run(
        Account("RUS", "INR", opening=1_000_000.0, value_clause=True),
        sales=0.0,
        rate=np.array([before, after, after, after]),
    )
    assert series(ledger, "written_up") == [0, 57480315, 0, 0]
    assert f"{100 * series(ledger, 'written_up')[1] / 1e8:.1f}" == "57.5"
    dollars = series(ledger, "value_cents")
    assert abs(dollars[1] - dollars[0]) <= 1


def test_without_the_clause_the_loss_is_booked_as_revaluation() -> None:
    ledger = run(Account("RUS", "INR", opening=1000.0), sales=0.0, rate=np.array([10.0, 12.5, 12.5, 10.0]))
    assert series(ledger, "value_cents") == [10000, 8000, 8000, 10000]
    assert series(ledger, "revaluation_cents") == [0, -2000, 0, 2000]
    assert series(ledger, "flow_cents")[1:] == [0, 0, 0]


def test_invoices_split_over_currencies_fill_the_accounts_of_both_sides() -> None:
    streams = (
        TradeStream("RUS", "IND", "oil", 100.0, {"INR": 0.5, "CNY": 0.3, "USD": 0.2}),
        TradeStream("IND", "RUS", "goods", 40.0, {"RUB": 1.0}),
    )
    accounts = (
        Account("RUS", "INR"),
        Account("IND", "RUB"),
        Account("RUS", "CNY"),
        Account("IND", "CNY", opening=50.0),
    )
    ledger = simulate(Arrangement(MONTHS, streams, accounts, {"INR": 80.0, "RUB": 90.0, "CNY": 7.0}))
    last = ledger.data["money"].isel(draw=0, month=-1)
    assert last.sel(account="RUS:INR").item() == 4 * 50 * 80 * 100
    assert last.sel(account="IND:RUB").item() == 4 * 40 * 90 * 100
    assert last.sel(account="RUS:CNY").item() == 4 * 30 * 7 * 100
    assert last.sel(account="IND:CNY").item() == 0
    assert ledger.data["paid_outside"].sel(account="IND:CNY").sum().item() == 4 * 30 * 7 * 100 - 5000
    assert ledger.check() == ()


def test_the_trial_balance_sums_to_zero() -> None:
    ledger = run(Account("RUS", "INR", opening=7.77, interest_rate=0.06, uses=(Use("project", rate=0.1),)), goods=33.33)
    assert ledger.trial_balance(ACCOUNT)["amount_minor"].sum() == 0


def test_a_tampered_ledger_is_found_out() -> None:
    ledger = run(Account("RUS", "INR"))
    money = ledger.data["money"].copy(data=ledger.data["money"].to_numpy() + np.array([0, 0, 0, 1])[None, :, None])
    assert Ledger(ledger.arrangement, ledger.data.assign(money=money)).check() == ("money: 1 cells differ, by up to 1",)


def test_results_cannot_be_written_to() -> None:
    ledger = run(Account("RUS", "INR"))
    with pytest.raises(ValueError, match="read-only"):
        ledger.data["money"].to_numpy()[0, 0, 0] = 1


def test_everything_wrong_with_an_arrangement_is_said_at_once() -> None:
    streams = (TradeStream("RUS", "IND", "oil", 100.0, {"INR": 0.5, "USD": 0.3}, payment_days=-3),)
    uses = (Use("projct"), Use("government_security", rate=1.2, valid_from=dt.date(2024, 1, 1)))
    accounts = (Account("RUS", "INR", refusal_rate=1.3, uses=uses), Account("CHN", "KZT", cap=-1.0))
    freezes = (Freeze("RUS:IRN", "2026-01", "2026-02"), Freeze(ACCOUNT, "2026-03", "2026-01"))
    with pytest.raises(InputError) as caught:
        Arrangement(MONTHS, streams, accounts, {"INR": 80.0}, freezes)
    assert caught.value.problems == (
        "oil from RUS to IND: payment_days is -3; expected zero or more days",
        "oil from RUS to IND: invoice shares add up to 0.8; expected 1: give the rest to another currency",
        "account RUS:INR: refusal_rate is 1.3; expected a probability from 0 to below 1 (0.3 is 30 %)",
        "account RUS:INR, projct is no use; did you mean 'project'? expected one of advance, project, "
        "government_security, corporate_bond, conversion, other",
        "account RUS:INR, government_security: rate is 1.2; expected 0 to 1 a month",
        "account RUS:INR, government_security: valid_from 2024-01-01 lies before 2025-08-12, when the Reserve Bank "
        "permitted it; move it, or give a limit where only existing limits held",
        "account CHN:KZT: cap is -1; expected zero or more",
        "freeze of unknown account 'RUS:IRN'; did you mean 'RUS:INR'? accounts: RUS:INR, CHN:KZT",
        "freeze of RUS:INR: lasts -1 months (2026-03 to 2026-01); expected the last month not before the first",
        "currency KZT has no rate; pass rates={'KZT': units per USD}",
        "account CHN:KZT: unknown party 'CHN'; trading here: IND, RUS",
    )


def test_draws_that_do_not_fit_together_are_refused() -> None:
    stream = TradeStream("RUS", "IND", "oil", np.ones((3, 4)), {"INR": 1.0})
    with pytest.raises(InputError, match="numbers of draws differ"):
        Arrangement(MONTHS, (stream,), (Account("RUS", "INR", opening=np.ones((2, 1))),), {"INR": 1.0})


def test_amounts_too_large_to_be_exact_are_refused() -> None:
    with pytest.raises(InputError, match="no longer exact"):
        Arrangement(
            MONTHS, (TradeStream("RUS", "IND", "oil", 1e15, {"INR": 1.0}),), (Account("RUS", "INR"),), {"INR": 80.0}
        )


def test_ten_thousand_draws_of_sixty_months_take_seconds(rng: np.random.Generator) -> None:
    months, draws = month_range("2022-12", 60), 10_000
    part = rng.uniform(0, 0.5, (draws, 1))
    stream = TradeStream("RUS", "IND", "oil", rng.uniform(4e9, 6e9, (draws, 60)), {"INR": part, "USD": 1 - part})
    account = Account("RUS", "INR", refusal_rate=0.1, interest_rate=0.03, uses=(Use("other", rate=0.1),))
    start = time.perf_counter()
    ledger = simulate(Arrangement(months, (stream,), (account,), {"INR": 83.0}))
    assert ledger.check() == ()
    assert time.perf_counter() - start < 30  # about one second on two cores; the bound only catches a loop over draws
