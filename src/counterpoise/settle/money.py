"""Money in whole smallest units: conversion, exact splitting, and revaluation.

Every amount in a ledger is an integer number of paise, kopecks or cents. Rounding happens once, where an amount is made
(half to even), and never where it is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["EXACT_LIMIT", "Minor", "allot", "rounded", "split_exactly", "write_up_rate"]

Minor: TypeAlias = NDArray[np.int64]
"""Amounts in smallest units."""

EXACT_LIMIT = 2**53
"""Largest amount whose neighbours a double still tells apart: 90 trillion rupees in paise."""


def rounded(amount: ArrayLike) -> Minor:
    """Round amounts to whole smallest units, half to even.

    Parameters
    ----------
    amount
        Amounts in smallest units, not yet whole; any shape.
    """
    return np.rint(np.asarray(amount, dtype=np.float64)).astype(np.int64)


def split_exactly(amount: Minor, weights: Sequence[NDArray[np.float64]]) -> list[Minor]:
    """Split whole amounts by weights so that the parts add up to the amount, to the last unit.

    Parameters
    ----------
    amount
        Whole amounts, any shape.
    weights
        One array per part, each broadcastable to the shape of ``amount``; they sum to 1.

    Returns
    -------
    One integer array per part. Part k is the difference of two rounded running sums, so nothing is lost or made.
    """
    parts: list[Minor] = []
    running = np.zeros(1)
    before: Minor = np.zeros_like(amount)
    for weight in weights[:-1]:
        running = running + weight
        upto = np.minimum(np.maximum(rounded(amount * running), before), amount)
        parts.append(upto - before)
        before = upto
    parts.append(amount - before)
    return parts


def allot(total: int, weights: Sequence[int]) -> list[int]:
    """Hand out a whole amount in proportion to whole weights: largest remainders first, earlier ones on a tie.

    Parameters
    ----------
    total
        Amount to hand out, zero or more.
    weights
        Non-negative, not all zero.

    Returns
    -------
    Whole parts that sum to ``total``.
    """
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda k: (-remainders[k], k))
    for k in order[: total - sum(parts)]:
        parts[k] += 1
    return parts


def write_up_rate(devaluation_rate: float | str | Decimal | Fraction) -> Fraction:
    """Return by how much a balance must be written up to keep its value after a devaluation.

    Parameters
    ----------
    devaluation_rate
        Fall of the currency's value in the other, between 0 and 1: 36.5 % is ``"0.365"``.

    Returns
    -------
    Exact rate 1 / (1 - devaluation_rate) - 1.

    Notes
    -----
    June 1966: the rupee lost 36.5 %, so that the Soviet rupee balances, kept in gold, were written up by 57.5 %.

    Examples
    --------
    >>> f"{float(write_up_rate('0.365')):.3f}"
    '0.575'
    """
    rate = Fraction(str(devaluation_rate)) if isinstance(devaluation_rate, float) else Fraction(devaluation_rate)
    return 1 / (1 - rate) - 1
