"""Netting never moves a net position, and cycle clearing is the best there is."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from counterpoise.settle import Obligations, Payment, clear_cycles, cycles_of, net_bilaterally, novate, run_queue

NETWORKS = 10_000


def networks(rng: np.random.Generator, count: int, size: int, degree: int) -> Obligations:
    """Draw many networks of their own in one: party p of network k is k * size + p."""
    block = np.repeat(np.arange(count) * size, size * degree)
    debtor = rng.integers(0, size, block.size)
    creditor = (debtor + rng.integers(1, size, block.size)) % size
    amount = rng.integers(0, 10 ** rng.integers(1, 9, block.size))
    return Obligations(tuple(map(str, range(count * size))), block + debtor, block + creditor, amount)


def test_no_net_position_moves_in_ten_thousand_random_networks(rng: np.random.Generator) -> None:
    obligations = networks(rng, NETWORKS, 6, 3)
    before = obligations.net_positions()
    np.testing.assert_array_equal(before.reshape(NETWORKS, 6).sum(axis=1), 0)
    for result in (net_bilaterally(obligations), clear_cycles(obligations), novate(obligations)):
        assert result.check() == ()
        np.testing.assert_array_equal(result.after.net_positions()[: before.size], before)
        assert result.after.amount.dtype == np.int64
        assert (result.after.amount > 0).all()


def test_clearing_only_ever_takes_from_obligations_that_exist(rng: np.random.Generator) -> None:
    obligations = networks(rng, 500, 8, 4)
    result = clear_cycles(obligations)
    assert ((result.cleared >= 0) & (result.cleared <= obligations.amount)).all()
    assert result.settled_minor + result.cleared_minor == obligations.gross


def independent_optimum(obligations: Obligations) -> float:
    """Return the least that can remain, by a dense LP in what remains and another algorithm than the product's."""
    count, parties = obligations.amount.size, len(obligations.parties)
    moves = np.zeros((parties, count))
    moves[obligations.creditor, np.arange(count)] += 1
    moves[obligations.debtor, np.arange(count)] -= 1
    solution = linprog(
        np.ones(count),
        A_eq=moves,
        b_eq=moves @ obligations.amount,
        bounds=[(0, float(a)) for a in obligations.amount],
        method="highs-ipm",
    )
    assert solution.fun is not None
    return solution.fun


def test_clearing_reaches_the_optimum_of_an_independent_programme(rng: np.random.Generator) -> None:
    for _ in range(150):
        obligations = networks(rng, 1, int(rng.integers(2, 9)), int(rng.integers(1, 6)))
        result = clear_cycles(obligations)
        best = independent_optimum(obligations)
        assert abs(result.settled_minor - best) <= 1e-6 * max(1.0, best)


def test_clearing_equals_brute_force_on_tiny_networks(rng: np.random.Generator) -> None:
    for _ in range(60):
        debtor = rng.integers(0, 4, 6)
        creditor = (debtor + rng.integers(1, 4, 6)) % 4
        amount = rng.integers(0, 4, 6)
        obligations = Obligations(("A", "B", "C", "D"), debtor, creditor, amount)
        best = 0
        for cleared in itertools.product(*(range(int(a) + 1) for a in amount)):
            taken = np.array(cleared)
            if sum(cleared) > best and not obligations.net_positions(taken).any():
                best = sum(cleared)
        assert clear_cycles(obligations).cleared_minor == best


def test_the_bound_holds_for_any_potentials(rng: np.random.Generator) -> None:
    obligations = networks(rng, 1, 8, 4)
    cleared = clear_cycles(obligations).cleared_minor
    for _ in range(200):
        p = rng.integers(-5, 6, 8)
        bound = (obligations.amount * np.maximum(0, 1 + p[obligations.debtor] - p[obligations.creditor])).sum()
        assert cleared <= bound


def test_circles_add_up_to_what_is_cleared(rng: np.random.Generator) -> None:
    for _ in range(50):
        obligations = networks(rng, 3, 7, 4)
        result = clear_cycles(obligations)
        cycles = list(cycles_of(result))
        assert sum(len(c.parties) * c.amount for c in cycles) == result.cleared_minor
        assert len(cycles) <= int((result.cleared > 0).sum())
        assert all(len(set(c.parties)) == len(c.parties) >= 2 for c in cycles)
        owed: dict[tuple[str, str], int] = {}
        for d, c, a in zip(obligations.debtor, obligations.creditor, result.cleared, strict=True):
            key = (obligations.parties[int(d)], obligations.parties[int(c)])
            owed[key] = owed.get(key, 0) + int(a)
        for cycle in cycles:
            for debtor, creditor in zip(cycle.parties, (*cycle.parties[1:], cycle.parties[0]), strict=True):
                owed[debtor, creditor] -= cycle.amount
        assert not any(owed.values())


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("ABCD"), st.sampled_from("ABCD"), st.integers(1, 100)), max_size=25
    ),
    st.tuples(*(st.integers(0, 60) for _ in "ABCD")),
)
def test_a_queue_conserves_money_and_never_overdraws(
    orders: list[tuple[int, str, str, int]], money: tuple[int, ...]
) -> None:
    payments = [Payment(*order) for order in orders if order[1] != order[2]]
    liquidity = dict(zip("ABCD", money, strict=True))
    result = run_queue(payments, liquidity)
    assert result.check() == ()
    assert sum(result.closing.values()) == sum(money)
    plain = run_queue(payments, liquidity, bilateral=False, multilateral=False)
    assert plain.check() == ()
