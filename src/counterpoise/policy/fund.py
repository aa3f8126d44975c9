r"""The technology fund: how to spend a sum on the knowledge of two partners, and what it brings them.

Money raises productivity with diminishing returns, spills over to domestic buyers and to the partner, and works in the
general equilibrium of the whole world. Welfare and the closing of the bilateral gap rank sectors differently; both
rankings come with every answer, and so does what every other lever brings per USD, from the same adjoints.

At the optimum the marginal returns of all lines that are neither at a bound nor switched off are equal; that common
return is the multiplier of the budget. Marginal returns are exact derivatives of the equilibrium, taken where the
answer stands.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.core.labels import index_of
from counterpoise.model import Closure, Labour
from counterpoise.policy.fund_equilibrium import Cells, FundEquilibria
from counterpoise.policy.fund_options import (
    Finance,
    FundCase,
    FundLine,
    FundResponse,
    FundRisk,
    excluded_sectors,
    fund_lines,
    input_spillover,
)
from counterpoise.policy.fund_result import CautiousPlan, FundGoal, FundPlan, FundResult
from counterpoise.policy.fund_search import Bounds, Curve, Tail
from counterpoise.policy.fund_solve import FoundAllocation, FundTask, best_allocation, with_risk

__all__ = ["FundGoal", "FundPlan", "FundResult", "allocate_fund"]

Numbers = NDArray[np.float64]

_GOALS: tuple[FundGoal, ...] = ("welfare", "gap", "mix")

_LEVER_RATE = 1e-12
"""Rates below this count as no tariff that could be cut."""


def allocate_fund(
    world: World,
    pair: Sequence[str],
    budget_usd: float,
    *,
    goal: FundGoal = "welfare",
    welfare_weight: float = 0.5,
    partner_weights: Sequence[float] = (1.0, 1.0),
    lines: Sequence[FundLine] | None = None,
    response: FundResponse | None = None,
    risk: FundRisk | None = None,
    finance: Finance | None = None,
    shock: Shock | None = None,
    closure: Closure | str = "fixed_world_share",
    labour: Labour | None = None,
    case: FundCase = "central",
    compare: bool = True,
    caution: bool = True,
) -> FundResult:
    """Spend a budget over sectors and projects of two partners so that the objective is as large as possible.

    Parameters
    ----------
    world
        Balanced base year.
    pair
        The two partners, in any order.
    budget_usd
        Paid once; gains and costs are a year. 0 gives the value of the first USD of every line.
    goal
        ``"welfare"`` (weighted sum of equivalent variations), ``"gap"`` (how much the bilateral gap shrinks), or
        ``"mix"``.
    welfare_weight
        Of welfare in a mix, 0 to 1; the gap has the rest. Both are USD a year.
    partner_weights
        Of the two equivalent variations, in the order of ``pair``.
    lines
        What can be funded; by default `fund_lines`: the goods sectors of both partners, divisible; under finance from
        the balance, only those of the country where it is stuck.
    response, risk, finance
        Assumptions; the shipped ones of ``case`` by default, with certain returns.
    shock
        What else changes; the fund comes on top of it.
    closure
        How aggregate deficits are pinned down.
    labour
        How labour is supplied, as in `counterpoise.solver.solve`; fixed and mobile by default.
    case
        ``"low"``, ``"central"`` or ``"high"``: which of the shipped assumptions fill what is not given.
    compare
        Also allocate for welfare alone and for the gap alone.
    caution
        Also allocate for the low tail, where returns are uncertain and the mean is maximised.

    Raises
    ------
    InputError
        If anything given cannot be used; every problem is listed.
    NotConvergedError
        If an equilibrium is not found, or slopes and spending do not come together.

    Notes
    -----
    With A_c the productivity of cell c = (country, sector), b_l the money of line l, and m_lc the USD of knowledge
    that reach c from a USD on l (1 on its own cell, spillovers elsewhere)::

        log A_c = z_c rho kappa_c log(1 + e_c / (kappa_c Y_c)),   e_c = sum_l m_lc b_l
        d objective / d b_l = sum_c m_lc (d objective / d log A_c) z_c rho kappa_c / (kappa_c Y_c + e_c)

    rho = return_rate, kappa = scale_rate, Y = gross_output, z = the draw's factor, mean one; d objective / d log A is
    one adjoint of the equilibrium (`counterpoise.solver.gradient`).

    Examples
    --------
    >>> import counterpoise as cp
    >>> result = allocate_fund(cp.load_world(), ("RUS", "IND"), 1e9)  # doctest: +SKIP
    """
    began = time.perf_counter()
    response = FundResponse.shipped(case) if response is None else response
    risk = FundRisk.none() if risk is None else risk
    finance = Finance.shipped(case=case) if finance is None else finance
    partners = _checked_partners(world, pair)
    weights = tuple(float(w) for w in partner_weights)
    if world.gap_usd(*partners) < 0:
        partners, weights = (partners[1], partners[0]), tuple(reversed(weights))
    given = tuple(lines) if lines is not None else _default_lines(world, partners, finance)
    problems = list(
        _problems(world, partners, budget_usd, goal, welfare_weight, weights, given, response, risk, finance)
    )
    raise_all(InputError, "the fund cannot be allocated", problems)
    share = {"welfare": 1.0, "gap": 0.0, "mix": float(welfare_weight)}[goal]
    asked = shock if shock is not None else Shock.none(world)
    asked.require_labels(world)
    cells, curve = _curve(world, partners, given, response)
    equilibria = FundEquilibria.start(world, asked, partners, (weights[0], weights[1]), cells, closure, labour)
    bounds = Bounds(np.zeros(len(given)), np.array([min(x.maximum_usd, 1e30) for x in given]), float(budget_usd))
    minimum = np.array([x.minimum_usd for x in given])
    task = FundTask(equilibria, curve, bounds, minimum, share, Tail(), np.ones((1, len(cells.country))))
    certain = task if risk.draws > 1 and risk.log_sd > 0 else None
    if certain is not None:
        task = with_risk(certain, risk)
    return _assembled(
        best_allocation(task, certain),
        task=task,
        sure=certain,
        world=world,
        goal=goal,
        weights=(weights[0], weights[1]),
        lines=given,
        response=response,
        risk=risk,
        finance=finance,
        compare=compare,
        caution=caution,
        began=began,
    )


def _checked_partners(world: World, pair: Sequence[str]) -> tuple[str, str]:
    names = [str(c) for c in pair]
    if len(names) != 2 or any(c not in world.countries for c in names) or names[0] == names[1]:
        known = ", ".join(world.countries)
        hints = "".join(did_you_mean(c, world.countries) for c in names if c not in world.countries)
        raise InputError(f"pair = {names}{hints or ';'} Expected two different countries of {known}")
    return names[0], names[1]


def _default_lines(world: World, pair: tuple[str, str], finance: Finance) -> tuple[FundLine, ...]:
    return fund_lines(world, pair, countries=pair[1:] if finance.source == "balance" else None)


def _problems(
    world: World,
    pair: tuple[str, str],
    budget_usd: float,
    goal: str,
    welfare_weight: float,
    weights: tuple[float, ...],
    lines: tuple[FundLine, ...],
    response: FundResponse,
    risk: FundRisk,
    finance: Finance,
) -> Iterator[str]:
    """Yield everything that is wrong with what was asked."""
    if not 0 <= budget_usd < math.inf:
        yield f"budget_usd = {budget_usd:g}; expected 0 or more"
    if goal not in _GOALS:
        yield f"unknown objective '{goal}'{did_you_mean(goal, _GOALS)} Expected {', '.join(_GOALS)}"
    if not 0 <= welfare_weight <= 1:
        yield f"welfare_weight = {welfare_weight:g}; expected a share between 0 and 1"
    if len(weights) != 2 or not all(0 <= w < math.inf for w in weights) or not any(w > 0 for w in weights):
        yield f"partner_weights = {list(weights)}; expected two numbers, 0 or more, not both 0"
    if not lines:
        yield "there are no lines; give at least one sector of a partner"
    labels = [line.label for line in lines]
    for label in sorted({name for name in labels if labels.count(name) > 1}):
        yield f"{labels.count(label)} lines are called '{label}'; give projects in one sector different names"
    for line in lines:
        yield from line.problems(world, pair, response)
        if finance.source == "balance" and line.country == pair[0]:
            yield f"line '{line.label}': the balance is stuck in {pair[1]} and cannot be spent in {pair[0]}"
    yield from response.problems(world)
    yield from risk.problems()
    yield from finance.problems(budget_usd)


def _curve(
    world: World, pair: tuple[str, str], lines: tuple[FundLine, ...], response: FundResponse
) -> tuple[Cells, Curve]:
    """Return the cells that knowledge reaches, and the response of their productivity.

    Nothing spills into a sector that is excluded and has no line of its own.
    """
    count = len(world.sectors)
    place = [index_of(world.countries, c, "country") for c in pair]
    spill = (
        np.asarray(response.spillover, dtype=np.float64)
        if response.spillover is not None
        else input_spillover(world, pair, response.input_spillover)
    )
    rate = np.array([response.scale_rate.get(s, 0.0) for s in world.sectors])
    output = world.gross_output.to_numpy()[place]
    scale = rate[None, :] * output
    funded = {line.sector for line in lines}
    closed = [world.sectors.index(s) for s in excluded_sectors()[0] if s in world.sectors and s not in funded]
    spread = np.zeros((len(lines), 2, count))
    for k, line in enumerate(lines):
        p, s = pair.index(line.country), world.sectors.index(line.sector)
        spread[k, p] = spill[p, s]
        spread[k, 1 - p, s] = response.partner_spillover
        spread[k, p, s] = 1.0
    spread[:, :, closed] = 0.0
    reached = (scale > 0) & np.any(spread > 0, axis=0)
    where_pair, where_sector = np.nonzero(reached)
    cells = Cells(np.asarray(place, dtype=np.intp)[where_pair], where_sector.astype(np.intp))
    coefficient = np.broadcast_to(response.return_rate * rate, scale.shape)[reached]
    return cells, Curve(np.ascontiguousarray(spread[:, reached]), scale[reached], coefficient)


def _assembled(
    found: FoundAllocation,
    *,
    task: FundTask,
    sure: FundTask | None,
    world: World,
    goal: FundGoal,
    weights: tuple[float, float],
    lines: tuple[FundLine, ...],
    response: FundResponse,
    risk: FundRisk,
    finance: Finance,
    compare: bool,
    caution: bool,
    began: float,
) -> FundResult:
    """Put the result together: marginal returns under both objectives, draws, plans and levers."""
    equilibria, curve = task.equilibria, task.curve
    spend = found.spend
    solution = equilibria.solve(curve.gain(spend))
    draws = task.draws(spend)
    objective = task.objective(draws)
    first = equilibria.slopes(equilibria.before, welfare=True, gap=True)
    here = equilibria.slopes(solution, welfare=True, gap=True)
    start, now = curve.slope(np.zeros_like(spend)), curve.slope(spend)
    marginal_welfare, marginal_gap = (curve.spread @ (s * now) for s in here)
    on = spend > 1e-9 * max(task.bounds.budget, 1.0)
    at_mean = equilibria.gains(solution)
    plan = FundPlan(goal, spend, float(at_mean.partners @ np.array(weights)), float(at_mean.gap_closed))
    plans: dict[str, FundPlan] = {}
    if compare and task.bounds.budget > 0:
        alone: tuple[FundGoal, ...] = ("welfare", "gap")
        plans = {name: plan if name == goal and task.certain else _plan(task, name) for name in alone}
    levers = _levers(equilibria, solution, finance, lines, marginal_welfare, marginal_gap, found, task.share)
    return FundResult(
        world=world,
        pair=equilibria.pair,
        budget_usd=task.bounds.budget,
        goal=goal,
        welfare_weight=task.share,
        partner_weights=weights,
        lines=lines,
        excluded=tuple(s for s in excluded_sectors()[0] if s in world.sectors and s not in {x.sector for x in lines}),
        response=response,
        risk=risk,
        finance=finance,
        spend_usd=spend,
        on=on,
        marginal_return=found.marginal,
        marginal_welfare=marginal_welfare,
        marginal_gap=marginal_gap,
        first_welfare=curve.spread @ (first.welfare * start),
        first_gap=curve.spread @ (first.gap_closed * start),
        multiplier=found.multiplier,
        kkt_residual=found.residual,
        objective_usd=found.objective,
        mean_usd=float(objective.mean()),
        low_usd=_low(objective, risk.tail),
        quantile_usd=float(np.quantile(objective, risk.tail)),
        draws_usd=np.column_stack([objective, draws.partners, draws.gap_closed]),
        plans=MappingProxyType({"chosen": plan, **plans}),
        cautious=_cautious(sure, risk) if caution and sure is not None else None,
        before=equilibria.before,
        solution=solution,
        levers=tuple(MappingProxyType(row) for row in levers),
        sets_compared=found.compared,
        nodes=found.search.nodes,
        bound_gap=found.search.bound_gap,
        seconds=time.perf_counter() - began,
    )


def _low(values: Numbers, share: float) -> float:
    """Return the mean of the worst share of the draws, the draw at the edge counted in part."""
    ordered = np.sort(values)
    weight = np.clip(share * len(ordered) - np.arange(len(ordered)), 0.0, 1.0)
    return float(weight @ ordered / weight.sum())


def _cautious(sure: FundTask, risk: FundRisk) -> CautiousPlan | None:
    """Return the allocation for the low tail; None where it is maximised already, or the draws leave none in it."""
    if risk.measure == "low" or risk.draws * risk.tail < 1 or sure.bounds.budget <= 0:
        return None
    task = with_risk(sure, replace(risk, measure="low"))
    spend = best_allocation(task, sure).spend
    objective = task.objective(task.draws(spend))
    return CautiousPlan(spend, float(objective.mean()), _low(objective, risk.tail))


def _plan(task: FundTask, goal: FundGoal) -> FundPlan:
    """Return what the same sum buys for one objective alone, at mean returns."""
    share = 1.0 if goal == "welfare" else 0.0
    ones = np.ones((1, task.factors.shape[1]))
    alone = FundTask(task.equilibria, task.curve, task.bounds, task.minimum, share, Tail(), ones)
    spend = best_allocation(alone, None).spend
    gains = task.equilibria.gains(task.equilibria.solve(task.curve.gain(spend)))
    welfare = float(gains.partners @ np.array(task.equilibria.weights))
    return FundPlan(goal, spend, welfare, float(gains.gap_closed))


def _levers(
    equilibria: FundEquilibria,
    solution: Solution,
    finance: Finance,
    lines: tuple[FundLine, ...],
    marginal_welfare: Numbers,
    marginal_gap: Numbers,
    found: FoundAllocation,
    share: float,
) -> list[dict[str, Any]]:
    """Return what a USD a year brings at the margin: the fund's best line, and every tariff, programme and obstacle.

    Outlays of tariffs and programmes are first-round: trade as it is times the change of the rate. Their cost to the
    budget is inside the welfare number; the excess burden of replacing the money is taken off.
    """
    welfare, gap = equilibria.gradients(solution)
    world = equilibria.world
    excluded = {s for s in excluded_sectors()[0] if s not in {x.sector for x in lines}}
    closing = -1.0 if equilibria.before.gap_cf_usd(*equilibria.pair) >= 0 else 1.0
    rows: list[dict[str, Any]] = []

    def add(
        kind: str, origin: str, destination: str, sector: str, outlay: float, w: float, g: float, cost: float
    ) -> None:
        per_welfare, per_gap = w / outlay - cost, closing * g / outlay
        rows.append(
            {
                "lever": kind,
                "origin": origin,
                "destination": destination,
                "sector": sector,
                "outlay_usd": outlay,
                "welfare_per_usd": per_welfare,
                "gap_closed_per_usd": per_gap,
                "objective_per_usd": share * per_welfare + (1.0 - share) * per_gap,
            }
        )

    rate = finance.annual_cost_rate
    if rate > 0:
        total = float(found.spend.sum())
        best = int(np.argmax(share * marginal_welfare + (1.0 - share) * marginal_gap))
        part = found.spend / total if total > 0 else np.eye(len(lines))[best]
        name = "funded lines" if total > 0 else lines[best].label
        w, g = float(part @ marginal_welfare), closing * float(part @ marginal_gap)
        add("fund", *equilibria.pair, name, 1.0, w / rate, g / rate, 1.0)
    flow = solution.values["flow_cf"]
    tariff = cast(Numbers, solution.shock.tariff_rate_cf.to_numpy())
    subsidy = cast(Numbers, solution.shock.purchase_subsidy_rate.to_numpy())
    derivative = {
        name: (getattr(welfare, name).to_numpy(), getattr(gap, name).to_numpy())
        for name in ("tariff_rate_cf", "purchase_subsidy_rate", "iceberg_cost_hat")
    }
    hat = solution.shock.iceberg_cost_hat.to_numpy()
    burden = finance.excess_burden
    for origin, destination in (equilibria.pair, equilibria.pair[::-1]):
        i, j = (index_of(world.countries, c, "country") for c in (origin, destination))
        for s, sector in enumerate(world.sectors):
            sold = float(flow[i, j, s])
            if sold <= 0 or sector in excluded:
                continue
            at = (i, j, s)
            if tariff[at] > _LEVER_RATE:
                w, g = (-float(d[at]) for d in derivative["tariff_rate_cf"])
                add("tariff cut", origin, destination, sector, sold * (1.0 - float(subsidy[at])), w, g, burden)
            w, g = (float(d[at]) for d in derivative["purchase_subsidy_rate"])
            add("purchase programme", origin, destination, sector, sold * (1.0 + float(tariff[at])), w, g, burden)
            w, g = (-float(d[at]) * float(hat[at]) for d in derivative["iceberg_cost_hat"])
            add("obstacle removal", origin, destination, sector, sold, w, g, 0.0)
    return rows
