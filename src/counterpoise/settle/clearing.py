"""Clearing that preserves obligations: cancel as much as runs in circles, and leave everything else as it stands.

Nobody gets a new debtor or creditor. What can be cancelled is a circulation within the obligations; the most that can
be is a maximum circulation, a minimum-cost flow. HiGHS solves it; the answer is then made whole and proved in
integers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from counterpoise.core.errors import NotConvergedError
from counterpoise.settle.money import Minor
from counterpoise.settle.netting import NettingResult, Obligations

__all__ = ["ClearingResult", "Cycle", "clear_cycles", "cycles_of"]


@dataclass(frozen=True, slots=True)
class Cycle:
    """Obligations in a circle and the amount each of them is reduced by."""

    parties: tuple[str, ...]
    amount: int


@dataclass(frozen=True, slots=True, eq=False)
class ClearingResult(NettingResult):
    """What cycle clearing leaves.

    Attributes
    ----------
    cleared
        What is cancelled of each obligation, whole smallest units, shape (obligations,).
    bound
        Upper bound on what any clearing can cancel, from whole-number potentials of the parties. Equal to the sum of
        ``cleared``: no clearing cancels more.
    potentials
        The potentials, shape (parties,).
    """

    cleared: Minor
    bound: int
    potentials: NDArray[np.int64]

    @property
    def cleared_minor(self) -> int:
        """Sum of what is cancelled."""
        return int(self.cleared.sum())


def clear_cycles(obligations: Obligations) -> ClearingResult:
    r"""Cancel the most that can be cancelled without touching anybody's net position or partners.

    Parameters
    ----------
    obligations
        Before; several between the same two parties are served in the order listed.

    Returns
    -------
    ClearingResult, proved optimal.

    Raises
    ------
    NotConvergedError
        If the solver stops, or its answer does not prove itself in integers.

    Notes
    -----
    max sum_a x_a subject to sum over obligations of i of x = sum over claims of i of x for every party i, 0 <= x_a <=
    amount_a. Only obligations within a strongly connected part of the network can lie on a circle. For any numbers
    p_i, no clearing cancels more than sum_a amount_a max(0, 1 + p_debtor - p_creditor) over those; the dual solution
    makes this equal to what is cancelled, and both sides are integers.

    References
    ----------
    Fleischman, Dini and Littera (2020), Liquidity-saving through obligation-clearing and mutual credit, Journal of Risk
    and Financial Management 13(12), 295. Ahuja, Magnanti and Orlin (1993), Network Flows, ch. 9-11.
    """
    count = len(obligations.parties)
    pairs, at = np.unique(obligations.debtor * count + obligations.creditor, return_inverse=True)
    capacity = np.zeros(pairs.size, dtype=np.int64)
    np.add.at(capacity, at, obligations.amount)
    debtor, creditor = pairs // count, pairs % count
    live = _circular(debtor, creditor, capacity, count)
    flow = np.zeros(pairs.size, dtype=np.int64)
    potentials = np.zeros(count, dtype=np.int64)
    if live.size:
        flow[live], potentials = _maximum_circulation(debtor[live], creditor[live], capacity[live], count)
    slack = 1 + potentials[debtor[live]] - potentials[creditor[live]]
    bound = int((capacity[live] * np.maximum(0, slack)).sum())
    lost = np.zeros(count, dtype=np.int64)
    np.add.at(lost, debtor, flow)
    np.subtract.at(lost, creditor, flow)
    if bound != int(flow.sum()) or lost.any():
        raise NotConvergedError(
            f"the clearing cancels {int(flow.sum()):,} against a bound of {bound:,} and leaves "
            f"{int(np.abs(lost).sum()):,} out of "
            "line; amounts are too large for the solver: use a larger unit"
        )
    cleared = _hand_out(flow, at, obligations.amount)
    keep = obligations.amount - cleared
    left = np.flatnonzero(keep)
    after = Obligations(obligations.parties, obligations.debtor[left], obligations.creditor[left], keep[left])
    return ClearingResult("cycle clearing", obligations, after, cleared, bound, potentials)


def _circular(debtor: NDArray[np.int64], creditor: NDArray[np.int64], capacity: Minor, count: int) -> NDArray[np.int64]:
    """Return the arcs that lie on some circle: both ends in one strongly connected part."""
    real = capacity > 0
    graph = csr_array((np.ones(int(real.sum()), dtype=np.int8), (debtor[real], creditor[real])), shape=(count, count))
    _, part = connected_components(graph, directed=True, connection="strong")
    return np.flatnonzero(real & (part[debtor] == part[creditor]))


def _maximum_circulation(
    debtor: NDArray[np.int64], creditor: NDArray[np.int64], capacity: Minor, count: int
) -> tuple[Minor, NDArray[np.int64]]:
    """Solve the linear programme and return whole flows and whole potentials."""
    arcs = np.arange(capacity.size)
    ones = np.ones(capacity.size)
    incidence = coo_array(
        (np.concatenate([ones, -ones]), (np.concatenate([debtor, creditor]), np.concatenate([arcs, arcs]))),
        shape=(count, arcs.size),
    )
    used = np.unique(np.concatenate([debtor, creditor]))
    # The published types of linprog know neither sparse matrices nor arrays of bounds; it takes both.
    solution = cast("Any", linprog)(
        -ones,
        A_eq=incidence.tocsr()[used].tocsc(),
        b_eq=np.zeros(used.size),
        bounds=np.stack([np.zeros(arcs.size), capacity.astype(np.float64)], axis=1),
        method="highs-ds",
        options={"presolve": False},  # on a network with hubs the presolver takes fifty times as long as the simplex
    )
    if solution.status != 0:
        raise NotConvergedError(f"HiGHS stopped without a clearing: {solution.message}")
    flow = np.clip(np.rint(solution.x).astype(np.int64), 0, capacity)
    potentials = np.zeros(count, dtype=np.int64)
    potentials[used] = np.rint(solution.eqlin.marginals).astype(np.int64)
    return flow, potentials


def _hand_out(flow: Minor, at: NDArray[np.intp], amount: Minor) -> Minor:
    """Share the clearing of a pair among its obligations, the first listed first."""
    order = np.argsort(at, kind="stable")
    sizes = np.bincount(at, minlength=flow.size)
    starts = np.cumsum(sizes) - sizes
    running = np.cumsum(amount[order]) - amount[order]
    earlier = running - np.repeat(running[starts], sizes)
    cleared = np.zeros_like(amount)
    cleared[order] = np.clip(np.repeat(flow, sizes) - earlier, 0, amount[order])
    return cleared


def cycles_of(result: ClearingResult) -> Iterator[Cycle]:
    """Take a clearing apart into circles, so that every party can be told which obligations fall together.

    Parameters
    ----------
    result
        A clearing.

    Yields
    ------
    Circles whose amounts, each times its length, add up to what is cancelled; at most one per cleared obligation.
    """
    before = result.before
    left = [int(x) for x in result.cleared]
    out_of: defaultdict[int, list[int]] = defaultdict(list)
    for k in np.flatnonzero(result.cleared)[::-1]:
        out_of[int(before.debtor[k])].append(int(k))
    for start in list(out_of):
        path: list[int] = []
        at: dict[int, int] = {start: 0}
        here = start
        while True:
            while out_of[here] and left[out_of[here][-1]] == 0:
                out_of[here].pop()
            if not out_of[here]:
                break
            path.append(out_of[here][-1])
            here = int(before.creditor[path[-1]])
            if here not in at:
                at[here] = len(path)
                continue
            circle = path[at[here] :]
            amount = min(left[k] for k in circle)
            for k in circle:
                left[k] -= amount
                at.pop(int(before.creditor[k]), None)
            at[here] = len(path) - len(circle)
            del path[at[here] :]
            yield Cycle(tuple(before.parties[int(before.debtor[k])] for k in circle), amount)
