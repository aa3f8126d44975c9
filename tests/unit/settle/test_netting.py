"""Netting and cycle clearing, by hand and at size."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.settle import (
    Obligations,
    clear_cycles,
    compare_netting,
    cycles_of,
    net_bilaterally,
    novate,
    read_obligations,
    trade_obligation_rows,
)

THREE = Obligations.from_rows([("A", "B", 100), ("B", "C", 80), ("C", "A", 60)])


def test_three_parties_net_to_minus_40_plus_20_plus_20() -> None:
    result = novate(THREE)
    assert THREE.net_positions().tolist() == [-40, 20, 20]
    assert result.settled_minor == 40
    assert f"{100 * result.efficiency:.1f}" == "83.3"
    assert result.check() == ()


def test_cycle_clearing_leaves_60_of_240() -> None:
    result = clear_cycles(THREE)
    assert result.settled_minor == 60
    assert result.efficiency == 0.75
    assert result.cleared_minor == result.bound == 180
    assert result.after.frame().to_numpy().tolist() == [["A", "B", 40], ["B", "C", 20]]
    assert [(set(cycle.parties), cycle.amount) for cycle in cycles_of(result)] == [({"A", "B", "C"}, 60)]


def test_bilateral_netting_offsets_pairs_only() -> None:
    result = net_bilaterally(Obligations.from_rows([("A", "B", 100), ("B", "A", 70), ("A", "B", 5), ("B", "C", 10)]))
    assert result.after.frame().to_numpy().tolist() == [["A", "B", 35], ["B", "C", 10]]
    assert result.check() == ()


def test_offsetting_pairs_first_would_not_be_the_best_clearing() -> None:
    # The circle A, B, C takes 100 from three obligations; offsetting A and B first takes 100 from two, and breaks it.
    result = clear_cycles(Obligations.from_rows([("A", "B", 100), ("B", "A", 100), ("B", "C", 100), ("C", "A", 100)]))
    assert result.cleared_minor == 300


def test_obligations_outside_every_circle_stay_as_they_are() -> None:
    result = clear_cycles(Obligations.from_rows([("A", "B", 7), ("B", "C", 8), ("A", "C", 9)]))
    assert result.cleared_minor == 0
    assert result.settled_minor == 24


def test_of_several_obligations_between_two_parties_the_first_is_cleared_first() -> None:
    result = clear_cycles(Obligations.from_rows([("A", "B", 30), ("A", "B", 30), ("B", "A", 40)]))
    assert result.cleared.tolist() == [30, 10, 40]


def test_nothing_owed_is_nothing_to_net() -> None:
    study = compare_netting(Obligations.from_rows([("A", "B", 0)]))
    assert study.table()["settled_minor"].tolist() == [0, 0, 0, 0]
    assert study.table()["efficiency"].tolist() == [0.0] * 4


def test_amounts_near_the_largest_exact_ones_still_prove_themselves(rng: np.random.Generator) -> None:
    debtor = rng.integers(0, 30, 400)
    creditor = (debtor + rng.integers(1, 30, 400)) % 30
    amount = rng.integers(1, 2**53 // 401, 400)
    result = clear_cycles(Obligations(tuple(map(str, range(30))), debtor, creditor, amount))
    assert result.bound == result.cleared_minor
    assert result.check() == ()


@pytest.mark.parametrize("kind", ["even", "hubs"])
def test_a_hundred_thousand_obligations_among_five_thousand_parties_take_seconds(
    kind: str, rng: np.random.Generator
) -> None:
    parties, count = 5_000, 100_000
    weight = np.ones(parties) if kind == "even" else 1 / np.arange(1, parties + 1) ** 0.9
    debtor = rng.choice(parties, count, p=weight / weight.sum())
    creditor = rng.choice(parties, count, p=weight / weight.sum())
    creditor = np.where(creditor == debtor, (creditor + 1) % parties, creditor)
    amount = np.ceil(np.exp(rng.normal(10, 2, count))).astype(np.int64)
    obligations = Obligations(tuple(map(str, range(parties))), debtor, creditor, amount)
    start = time.perf_counter()
    result = clear_cycles(obligations)
    assert (
        time.perf_counter() - start < 60
    )  # one to three seconds on two cores; timing is no test, this only catches blunders
    assert result.check() == ()
    assert result.bound == result.cleared_minor
    assert result.efficiency <= novate(obligations).efficiency


def test_all_faults_of_obligations_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        Obligations(("A", "B"), np.array([0, 1, 0]), np.array([1, 1, 5]), np.array([-3, 4, 5]))
    assert caught.value.problems == (
        "obligation 2: creditor 5 is no party; there are 2, counted from 0",
        "obligation 0: amount -3 is negative; swap debtor and creditor",
        "obligation 1: B owes itself; leave it out",
    )
    with pytest.raises(InputError) as caught:
        Obligations.from_rows([("Sberr", "VTB", -5)], parties=["Sber", "VTB"])
    assert caught.value.problems == (
        "unknown party 'Sberr'; did you mean 'Sber'? expected one of Sber, VTB",
        "obligation 0: amount -5 is negative; swap debtor and creditor",
    )


def test_a_file_is_read_to_the_cent(tmp_path: Path) -> None:
    path = tmp_path / "owed.csv"
    path.write_text("Debtor,Creditor,Amount\nA,B,100.10\nB,A,0.2\n", encoding="utf-8")
    assert read_obligations(path).amount.tolist() == [10010, 20]


def test_all_faults_of_a_file_are_named_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "owed.csv"
    path.write_text("debtor,creditor,amount\nA,B,-1\nB,,1.005\nC,C,x\nA,B,inf\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_obligations(path)
    assert caught.value.problems == (
        "line 2: amount -1 is negative; swap debtor and creditor",
        "line 3: creditor is empty",
        "line 3: amount 1.005 has more than 2 decimals; round it to the smallest unit",
        "line 4: amount 'x' is no number; expected one such as 1250.50",
        "line 4: C owes itself; leave it out",
        "line 5: amount 'inf' is not finite",
    )
    path.write_text("from,to,amount\n", encoding="utf-8")
    with pytest.raises(InputError, match="column 'debtor' is missing; the header has from, to, amount"):
        read_obligations(path)
    with pytest.raises(InputError, match="no file"):
        read_obligations(tmp_path / "none.csv")


def test_trade_among_countries_becomes_obligations() -> None:
    rows = trade_obligation_rows(["IND", "RUS"])
    assert [row[:2] for row in rows] == [("RUS", "IND"), ("IND", "RUS")]
    net = Obligations.from_rows(rows).net_positions()
    assert abs(net).sum() / 2 / 100 == pytest.approx(58.84e9, rel=0.001)
    with pytest.raises(InputError, match="has 2023 and 2024"):
        trade_obligation_rows(["IND", "RUS"], year=1999)
