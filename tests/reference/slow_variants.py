"""The two variants written literally from their papers' equations, country by country, and solved by scipy.

No code is shared with the package: loops, levels instead of maps, and every unknown kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SlowVariant:
    """Wages, prices, spending, welfare as hats (N,), and flows at customs value (N, N, S)."""

    wage_hat: Numbers
    price_hat: Numbers
    welfare_hat: Numbers
    flow_cf: Numbers
    labour_hat: Numbers


def solve_profits(flow: Numbers, rate: Numbers, rate_cf: Numbers, sigma: Numbers, transfer: Numbers) -> SlowVariant:
    """Ossa (2014): prices, profits, wages as sector-weighted profits, the budget; numeraire: the sum of wage bills.

    P_js = [sum_i gamma_ijs (w_i tau_ijs)^(1-sigma)]^(1/(1-sigma));
    profit_is = sum_j alpha_ijs tau^-sigma w_i^(1-sigma) P_js^(sigma-1) E_j; w_i = sum_s delta_is profit_is.
    """
    n, sectors = flow.shape[0], flow.shape[2]
    spent = np.zeros((n, sectors))
    for j in range(n):
        for s in range(sectors):
            spent[j, s] = sum(flow[i, j, s] * (1 + rate[i, j, s]) for i in range(n))
    total = spent.sum(axis=1)
    gamma, alpha = np.zeros_like(flow), np.zeros_like(flow)
    for i in range(n):
        for s in range(sectors):
            sold = sum(flow[i, k, s] for k in range(n))
            for j in range(n):
                gamma[i, j, s] = flow[i, j, s] * (1 + rate[i, j, s]) / spent[j, s]
                alpha[i, j, s] = flow[i, j, s] / sold
    wages = np.array([sum((1 - 1 / sigma[s]) * flow[i, :, s].sum() for s in range(sectors)) for i in range(n)])
    delta = np.array([[(1 - 1 / sigma[s]) * flow[i, :, s].sum() / wages[i] for s in range(sectors)] for i in range(n)])

    def parts(x: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
        w, e = np.exp(x[:n]), np.exp(x[n:])
        price, profit, new = np.zeros((n, sectors)), np.zeros((n, sectors)), np.zeros_like(flow)
        for j in range(n):
            for s in range(sectors):
                inside = 0.0
                for i in range(n):
                    tau = (1 + rate_cf[i, j, s]) / (1 + rate[i, j, s])
                    inside += gamma[i, j, s] * (w[i] * tau) ** (1 - sigma[s])
                price[j, s] = inside ** (1 / (1 - sigma[s]))
        for i in range(n):
            for s in range(sectors):
                for j in range(n):
                    tau = (1 + rate_cf[i, j, s]) / (1 + rate[i, j, s])
                    growth = tau ** -sigma[s] * w[i] ** (1 - sigma[s]) * price[j, s] ** (sigma[s] - 1) * e[j]
                    profit[i, s] += alpha[i, j, s] * growth
                    new[i, j, s] = flow[i, j, s] * growth
        return w, e, price, profit, new

    def gaps(x: Numbers) -> Numbers:
        w, e, _, profit, new = parts(x)
        out = [sum(delta[i, s] * profit[i, s] for s in range(sectors)) - w[i] for i in range(n)]
        for j in range(n):
            revenue = sum(rate_cf[i, j, s] * new[i, j, s] for i in range(n) for s in range(sectors))
            earned = w[j] * wages[j] + sum(new[j, k, s] / sigma[s] for k in range(n) for s in range(sectors))
            out.append((earned + revenue + transfer[j]) / total[j] - e[j])
        out[-1] = float(w @ wages / wages.sum() - 1)
        return np.array(out)

    found = root(gaps, np.zeros(2 * n), tol=1e-13)
    assert np.max(np.abs(found.fun)) < 1e-9, found
    w, e, price, _, new = parts(found.x)
    index: Numbers = np.array(
        [np.prod([price[j, s] ** (spent[j, s] / total[j]) for s in range(sectors)]) for j in range(n)], float
    )
    return SlowVariant(w, index, e / index, new, np.ones(len(wages)))


def solve_margin(
    flow: Numbers,
    rate_cf: Numbers,
    nu: Numbers,
    *,
    epsilon: float,
    psi: float,
    kappa: float,
    relief: bool,
    beta: float = 1.0,
) -> SlowVariant:
    """Ignatenko et al. (2025), one sector (N, N): unknowns wage, spending, labour and price, as in their program."""
    n = len(flow)
    theta = 1 / psi
    phi = 1 + (1 + theta) / ((1 - nu) * theta) - 1 / theta - 1
    spent = flow.sum(axis=0)
    produced = np.array([sum((1 - nu[j]) * flow[i, j] for j in range(n)) for i in range(n)])
    earned = beta * produced + nu * spent
    transfer = spent - earned - (1 - beta) * produced

    def parts(x: Numbers, rate: Numbers) -> tuple[Numbers, ...]:
        w, e, labour, price = np.exp(x).reshape(4, n)
        new, revenue, sums = np.zeros((n, n)), np.zeros(n), np.zeros(n)
        for j in range(n):
            weight = np.zeros(n)
            for i in range(n):
                cost = w[i] ** beta * price[i] ** (1 - beta)
                entry = (w[i] / price[i]) ** (1 - beta)
                weight[i] = flow[i, j] / spent[j] * (cost / (entry * labour[i]) ** psi) ** -epsilon
                weight[i] *= (1 + rate[i, j]) ** (-epsilon * phi[j])
            sums[j] = weight.sum()
            for i in range(n):
                new[i, j] = weight[i] / sums[j] * e[j] * spent[j] / (1 + rate[i, j])
                revenue[j] += rate[i, j] * new[i, j]
        return w, e, labour, price, new, revenue, sums

    def gaps(x: Numbers, rate: Numbers) -> Numbers:
        w, e, labour, price, new, revenue, sums = parts(x, rate)
        bill = w * labour * earned
        out: list[float] = []
        for i in range(n):
            sold = sum((1 - nu[j]) * new[i, j] for j in range(n))
            out.append((beta * sold + nu[i] * new[:, i].sum()) / bill[i] - 1)
            income = revenue[i] + bill[i] + (1 - beta) * sold + transfer[i] * bill.sum() / earned.sum()
            out.append(income / (e[i] * spent[i]) - 1)
            tax_hat = 1 / (1 - revenue[i] / bill[i]) if relief else 1.0
            out.append(labour[i] - (tax_hat * w[i] / price[i]) ** kappa)
            out.append(price[i] - (e[i] / w[i]) ** (1 - phi[i]) * sums[i] ** (-1 / epsilon))
        out[0] = float(((price - 1) * spent).sum() / spent.sum())
        return np.array(out)

    x, off = np.zeros(4 * n), np.inf
    for steps in (1, 5, 20):
        x = np.zeros(4 * n)
        for step in range(1, steps + 1):
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                x, off = _zero(gaps, x, rate_cf * step / steps)
        if off < 1e-9:
            break
    else:
        raise AssertionError(f"the slow reference found no equilibrium: off by {off}")
    w, _, labour, price, new, revenue, _ = parts(x, rate_cf)
    bill = w * labour * earned
    tax = revenue / bill if relief else np.zeros(n)
    consumed = earned + transfer
    delta = consumed / (consumed - kappa * (1 - tax) * earned / (1 + kappa))
    real = (revenue + bill + transfer * bill.sum() / earned.sum()) / consumed
    welfare = delta * real / price + (1 - delta) * w * labour / price
    return SlowVariant(w, price, welfare, new[:, :, None], labour)


def _zero(gaps: Callable[[Numbers, Numbers], Numbers], start: Numbers, rate: Numbers) -> tuple[Numbers, float]:
    """Return where the gaps vanish, and the largest that is left."""
    found = cast(Any, root(gaps, start, args=(rate,), tol=1e-13))
    return np.asarray(found.x, dtype=np.float64), float(np.max(np.abs(found.fun)))
