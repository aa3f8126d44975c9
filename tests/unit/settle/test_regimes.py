"""The same obligations in a payments union and in a queue, by hand; payments read from a file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.settle import Obligations, members_of, queue_obligations, read_transactions, union_terms

RING = [("A", "B", 10000), ("B", "C", 8000), ("C", "A", 6000)]


def test_hard_money_and_credit_of_the_hand_example() -> None:
    rows = {row["terms"]: row for row in union_terms(Obligations.from_rows(RING)).to_dict("records")}
    # A owes 40 net; its quota is 15 % of 160, so 24. In 1950: 0, 20, 40, 60, 80 % of fifths of 4.8, and 16 beyond.
    first = rows["1950-07"]
    assert first["net_minor"] == 4000
    assert first["debtor_gold_minor"] == 4.8 * 100 * (0.2 + 0.4 + 0.6 + 0.8) + 1600
    assert first["beyond_quota_minor"] == 1600
    later = rows["1954-07"]
    assert later["debtor_gold_minor"] == 1200 + 1600
    assert later["credit_minor"] == 1200
    assert later["gold_rate"] == pytest.approx(2800 / 24000)


def test_gold_and_credit_add_up_to_the_net_in_random_trade(rng: np.random.Generator) -> None:
    for _ in range(50):
        names = [f"P{k}" for k in range(6)]
        rows = [(d, c, int(rng.integers(0, 10**6))) for d in names for c in names if d != c and rng.random() < 0.6]
        for row in union_terms(Obligations.from_rows(rows)).to_dict("records"):
            assert row["debtor_gold_minor"] + row["credit_minor"] == row["net_minor"]
            assert 0 <= row["debtor_gold_minor"] <= row["net_minor"]


def test_a_quota_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="quota_share is 0; expected more than zero"):
        union_terms(Obligations.from_rows(RING), quota_share=0)


def test_a_ring_settles_among_all_with_the_money_of_its_largest_net_debtor() -> None:
    ring = Obligations.from_rows(RING)
    # A must bring 40 of the 100 it owes; with that share everybody settles, but only if all are released together.
    assert queue_obligations(ring, 0.4).settled_rate == 1.0
    assert queue_obligations(ring, 0.4, multilateral=False).settled_rate == 0.0
    assert queue_obligations(ring, 0.39).settled_rate < 1.0
    assert queue_obligations(ring, 0.4).check() == ()


def test_more_offsetting_never_settles_less(rng: np.random.Generator) -> None:
    for _ in range(30):
        debtor = rng.integers(0, 6, 40)
        creditor = (debtor + rng.integers(1, 6, 40)) % 6
        owed = Obligations(tuple("ABCDEF"), debtor, creditor, rng.integers(1, 100, 40))
        single, pairs, all_together = (
            queue_obligations(owed, 0.05, bilateral=b, multilateral=m)
            for b, m in ((False, False), (True, False), (True, True))
        )
        assert single.settled_rate <= pairs.settled_rate + 1e-12
        assert pairs.settled_rate <= all_together.settled_rate + 1e-12


def test_a_negative_share_is_refused() -> None:
    with pytest.raises(InputError, match=r"liquidity_share is -0\.1; expected zero or more"):
        queue_obligations(Obligations.from_rows(RING), -0.1)


def test_dated_payments_are_read_to_the_cent(tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("day,payer,payee,amount\n2025-01-15,IND,BGD,100.05\n2025-02-01,BGD,IND,60\n", encoding="utf-8")
    first, second = read_transactions(path)
    assert (first.day, first.payer, first.payee, first.amount) == (dt.date(2025, 1, 15), "IND", "BGD", 10005)
    assert second.amount == 6000
    assert members_of([first, second]) == ("IND", "BGD")


def test_all_faults_of_a_file_of_payments_are_named_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("day,payer,payee,amount\nsoon,IND,IND,1\n2025-01-01,,BGD,1.234\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_transactions(path)
    assert caught.value.problems == (
        "line 2: IND pays itself; leave it out",
        "line 2: day 'soon' is no date; expected one such as 2025-01-31",
        "line 3: payer is empty",
        "line 3: amount 1.234 has more than 2 decimals; round it to the smallest unit",
    )
    with pytest.raises(InputError, match="there is no file"):
        read_transactions(tmp_path / "none.csv")
    path.write_text("day,payer\n", encoding="utf-8")
    with pytest.raises(InputError, match="the column payee is missing"):
        read_transactions(path)
