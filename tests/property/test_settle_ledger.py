"""Money is conserved to the last unit in every period, whatever happens to the account."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.settle import Account, Arrangement, Freeze, TradeStream, Use, month_range, simulate
from counterpoise.settle.accounts import USES

MONTHS = month_range("2025-06", 14)
DRAWS = 7


def unit(most: float = 1.0) -> Any:
    return st.floats(0.0, most, allow_nan=False, width=32)


@st.composite
def arrangements(draw: Any) -> Arrangement:
    """Draw two accounts in two currencies with every feature on or off, freezes of every kind, and several draws."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = 10.0 ** draw(st.integers(0, 10))
    local = rng.uniform(0, 1, (DRAWS, 1))
    streams = (
        TradeStream(
            "RUS", "IND", "oil", rng.uniform(0, scale, (DRAWS, 14)), {"INR": local, "RUB": 1 - local}, draw(unit(90.0))
        ),
        TradeStream("IND", "RUS", "goods", rng.uniform(0, scale, 14), {"INR": 0.3, "RUB": 0.7}),
    )
    uses = tuple(
        Use(
            kind,
            rate=draw(unit()),
            amount=draw(unit()) * scale * 50,
            limit=draw(st.none() | st.just(scale * 20)),
            valid_until=draw(st.none() | st.just(dt.date(2026, 2, 1))),
        )
        for kind in draw(st.lists(st.sampled_from(sorted(USES)), max_size=4))
    )
    accounts = tuple(
        Account(
            holder,
            code,
            opening=rng.uniform(0, scale, (DRAWS, 1)) * draw(st.sampled_from([0, 90])),
            interest_rate=draw(unit()),
            investment_rate=draw(unit()),
            redemption_rate=draw(unit()),
            refusal_rate=draw(unit(0.96875)),
            cap=draw(st.none() | st.just(scale * 300)),
            value_clause=draw(st.booleans()),
            uses=uses if code == "INR" else (),
        )
        for holder, code in (("RUS", "INR"), ("IND", "RUB"))
    )
    freezes = tuple(
        Freeze(label, str(MONTHS[first]), str(MONTHS[min(first + length, 13)]), blocks)
        for label, first, length, blocks in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["RUS:INR", "IND:RUB"]),
                    st.integers(0, 13),
                    st.integers(0, 6),
                    st.sampled_from(["debits", "all"]),
                ),
                max_size=3,
            )
        )
    )
    rates = {"INR": 80 * np.exp(rng.normal(0, 0.1, 14).cumsum()), "RUB": np.exp(rng.normal(4.5, 0.2, (DRAWS, 14)))}
    return Arrangement(MONTHS, streams, accounts, rates, freezes)


@settings(max_examples=300)
@given(arrangements())
def test_money_is_conserved_in_every_period(arrangement: Arrangement) -> None:
    ledger = simulate(arrangement)
    assert ledger.check() == ()
    for label in arrangement.labels:
        assert ledger.trial_balance(label, draw=DRAWS - 1)["amount_minor"].sum() == 0


@settings(max_examples=100)
@given(arrangements())
def test_nothing_leaves_a_frozen_account(arrangement: Arrangement) -> None:
    ledger = simulate(arrangement)
    for freeze in arrangement.freezes:
        frozen = ledger.data.sel(account=freeze.account).isel(month=np.flatnonzero(freeze.covers(MONTHS)))
        assert not frozen["paid"].any()
        assert not frozen["used"].any()
        if freeze.blocks == "all":
            assert not frozen["credited"].any()


@settings(max_examples=100)
@given(arrangements())
def test_draws_do_not_know_of_each_other(arrangement: Arrangement) -> None:
    def third(values: Any) -> Any:
        grid = np.asarray(values)
        return grid[2:3] if grid.shape[0] == DRAWS else grid

    one = Arrangement(
        MONTHS,
        tuple(
            TradeStream(
                s.origin, s.destination, s.goods, third(s.value), {c: third(g) for c, g in s.shares.items()},
                s.payment_days,
            )
            for s in arrangement.streams
        ),
        tuple(
            Account(
                a.holder, a.currency, third(a.opening), a.interest_rate, a.investment_rate, a.redemption_rate, a.cap,
                a.refusal_rate, a.value_clause, a.uses,
            )
            for a in arrangement.accounts
        ),
        {code: third(path) for code, path in arrangement.rates.items()},
        arrangement.freezes,
    )  # fmt: skip
    alone, together = simulate(one).data, simulate(arrangement).data.isel(draw=[2])
    for name in alone.data_vars:
        np.testing.assert_array_equal(alone[name].to_numpy(), together[name].to_numpy())
