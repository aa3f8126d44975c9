"""The technology fund: the allocation is the best one, marginal returns are equal, what cannot be is refused."""

from __future__ import annotations

import itertools
import tomllib

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError
from counterpoise.data import load_world
from counterpoise.data.concordance import hs_sector
from counterpoise.policy.fund import FundResult, allocate_fund
from counterpoise.policy.fund_options import (
    Finance,
    FundLine,
    FundResponse,
    FundRisk,
    excluded_sectors,
    fund_lines,
    fund_parameters,
    input_spillover,
    precedents,
)
from counterpoise.policy.fund_search import Bounds, Tail, kkt_residual
from counterpoise.scenario import scenario_text
from counterpoise.solver import solve
from tests.reference.worlds import random_world

WORLD = random_world(4, countries=3, sectors=3)
PAIR = ("C0", "C1")
RESPONSE = FundResponse(0.25, {"s0": 0.02, "s1": 0.01, "s2": 0.015}, input_spillover=0.5, partner_spillover=0.2)
BUDGET = 1e8
LINES = (FundLine("C0", "s0"), FundLine("C0", "s1"), FundLine("C1", "s2"))


def small(budget: float = BUDGET, lines: tuple[FundLine, ...] = LINES, **options: object) -> FundResult:
    return allocate_fund(
        WORLD,
        PAIR,
        budget,
        lines=lines,
        response=RESPONSE,
        compare=False,
        **options,  # pyright: ignore[reportArgumentType]
    )


def literal(spend: dict[tuple[str, str], float], goal: str, factor: float = 1.0) -> float:
    """Compute the objective word for word from its definition, one equilibrium."""
    output = WORLD.gross_output
    spill = input_spillover(WORLD, PAIR, RESPONSE.input_spillover)
    reach = {(c, s): 0.0 for c in PAIR for s in WORLD.sectors}
    for (country, sector), usd in spend.items():
        p, k = PAIR.index(country), WORLD.sectors.index(sector)
        reach[country, sector] += usd
        reach[PAIR[1 - p], sector] += RESPONSE.partner_spillover * usd
        for r, other in enumerate(WORLD.sectors):
            reach[country, other] += spill[p, k, r] * usd
    shock = Shock.none(WORLD)
    for (country, sector), usd in reach.items():
        rate = RESPONSE.scale_rate[sector]
        scale = rate * float(output.sel(country=country, sector=sector))
        gain = RESPONSE.return_rate * rate * np.log(1.0 + usd / scale)
        shock = shock.with_productivity(float(np.exp(factor * gain)), country=country, sector=sector)
    before, after = solve(WORLD, rtol=1e-12), solve(WORLD, shock, rtol=1e-12)
    if goal == "welfare":
        gains = after.equivalent_variation_usd - before.equivalent_variation_usd
        return float(gains.sel(country=list(PAIR)).sum())
    gap = before.gap_cf_usd(*PAIR)
    return float(np.sign(gap)) * (gap - after.gap_cf_usd(*PAIR))


def spent(result: FundResult) -> dict[tuple[str, str], float]:
    return {(x.country, x.sector): float(b) for x, b in zip(result.lines, result.spend_usd, strict=True)}


@pytest.mark.parametrize("goal", ["welfare", "gap"])
def test_the_allocation_equals_brute_force_over_two_lines(goal: str) -> None:
    lines = LINES[:2]
    result = small(lines=lines, goal=goal)
    grid = np.linspace(0.0, BUDGET, 26)
    values = [literal({("C0", "s0"): x, ("C0", "s1"): BUDGET - x}, goal) for x in grid]
    best = float(literal(spent(result), goal))
    assert result.objective_usd == pytest.approx(best, rel=1e-6)
    if result.spent_usd > 0.999 * BUDGET:
        assert abs(result.spend_usd[0] - grid[int(np.argmax(values))]) <= grid[1]
    assert best >= max(values) * (1 - 1e-9)


def test_the_allocation_equals_brute_force_over_three_lines() -> None:
    result = small()
    steps = 8
    shares = [c for c in itertools.product(range(steps + 1), repeat=3) if sum(c) == steps]
    values = {
        c: literal({(x.country, x.sector): BUDGET * k / steps for x, k in zip(LINES, c, strict=True)}, "welfare")
        for c in shares
    }
    best = max(values, key=lambda c: values[c])
    assert result.objective_usd >= values[best] * (1 - 1e-9)
    np.testing.assert_allclose(result.spend_usd / BUDGET, np.array(best) / steps, atol=1.01 / steps)


def test_marginal_returns_are_equal_across_funded_lines_and_not_larger_elsewhere() -> None:
    result = small(lines=fund_lines(WORLD, PAIR, sectors=WORLD.sectors))
    funded = result.on
    assert funded.sum() >= 2
    np.testing.assert_allclose(result.marginal_return[funded], result.multiplier, rtol=1e-6)
    assert np.all(result.marginal_return[~funded] <= result.multiplier * (1 + 1e-6))
    assert result.spent_usd == pytest.approx(BUDGET, rel=1e-9)
    assert result.kkt_residual < 1e-6


def test_marginal_returns_are_the_finite_differences_of_the_literal_objective() -> None:
    result = small()
    for k, line in enumerate(LINES):
        step, where = 1e-3 * BUDGET, spent(result)
        up = where | {(line.country, line.sector): where[line.country, line.sector] + step}
        down = where | {(line.country, line.sector): where[line.country, line.sector] + 0.5 * step}
        slope = (4 * literal(down, "welfare") - literal(up, "welfare") - 3 * literal(where, "welfare")) / step
        assert result.marginal_return[k] == pytest.approx(slope, rel=2e-4)


def test_lumpy_projects_are_chosen_as_by_enumeration_and_better_than_by_rounding() -> None:
    divisible = small()
    minimum = 0.45 * BUDGET
    lumpy = tuple(FundLine(x.country, x.sector, minimum) for x in LINES)
    result = small(lines=lumpy)
    amounts = result.spend_usd
    assert np.all((amounts == 0) | (amounts >= minimum * (1 - 1e-9)))
    values: dict[tuple[int, int], float] = {}
    steps = 20
    for first, second in itertools.product(range(steps + 1), repeat=2):
        usd = BUDGET * np.array([first, second, steps - first - second]) / steps
        if np.all((usd == 0) | (usd >= minimum * (1 - 1e-9))):
            where = {(x.country, x.sector): float(b) for x, b in zip(LINES, usd, strict=True)}
            values[first, second] = literal(where, "welfare")
    assert result.objective_usd >= max(values.values()) * (1 - 1e-9)
    # Rounding the divisible answer: what falls short of the minimum is dropped, the rest is scaled up.
    kept = np.where(divisible.spend_usd >= minimum, divisible.spend_usd, 0.0)
    if kept.sum() == 0:
        kept[int(np.argmax(divisible.spend_usd))] = BUDGET
    kept *= BUDGET / kept.sum()
    naive = literal({(x.country, x.sector): float(b) for x, b in zip(LINES, kept, strict=True)}, "welfare")
    assert result.objective_usd > naive
    assert result.objective_usd <= divisible.objective_usd * (1 + 1e-9)


def test_a_line_stops_at_its_maximum_and_is_then_worth_more_than_the_multiplier() -> None:
    free = small()
    top = int(np.argmax(free.spend_usd))
    lines = tuple(
        FundLine(x.country, x.sector, 0.0, 0.5 * float(free.spend_usd[top])) if k == top else x
        for k, x in enumerate(LINES)
    )
    result = small(lines=lines)
    assert result.spend_usd[top] == pytest.approx(0.5 * free.spend_usd[top], rel=1e-8)
    assert result.statuses()[top] == "at maximum"
    assert result.marginal_return[top] > result.multiplier


def test_an_empty_fund_buys_nothing_and_still_tells_the_first_returns() -> None:
    result = small(0.0)
    assert result.spent_usd == 0
    assert result.objective_usd == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(result.marginal_return, result.first_welfare, rtol=1e-9)
    assert result.gap_closed_usd == pytest.approx(0.0, abs=1.0)


def test_money_that_would_widen_the_gap_is_kept() -> None:
    first = small(0.0, lines=fund_lines(WORLD, PAIR, sectors=WORLD.sectors)).first_gap
    lines = fund_lines(WORLD, PAIR, sectors=WORLD.sectors)
    harmful = tuple(line for line, slope in zip(lines, first, strict=True) if slope < 0)
    assert harmful
    result = small(lines=harmful, goal="gap")
    assert result.spent_usd == 0
    assert result.multiplier == 0


def test_a_mix_lies_between_its_ends() -> None:
    lines = fund_lines(WORLD, PAIR, sectors=WORLD.sectors)
    ends = {goal: small(lines=lines, goal=goal) for goal in ("welfare", "gap", "mix")}
    welfare = {goal: sum(result.gains_usd.values()) for goal, result in ends.items()}
    closed = {
        goal: result.gap_closed_usd * np.sign(ends["gap"].before.gap_cf_usd(*ends["gap"].pair))
        for goal, result in ends.items()
    }
    assert welfare["gap"] <= welfare["mix"] <= welfare["welfare"]
    assert closed["welfare"] <= closed["mix"] <= closed["gap"]


def test_caution_gives_up_mean_for_a_better_low_tail() -> None:
    risk = {measure: FundRisk(measure, tail=0.2, draws=30, log_sd=0.8, seed=3) for measure in ("mean", "low")}
    mean, low = (small(risk=risk[measure]) for measure in ("mean", "low"))
    assert low.low_usd > mean.low_usd
    assert low.mean_usd < mean.mean_usd
    for result in (mean, low):
        np.testing.assert_allclose(result.marginal_return[result.on], result.multiplier, rtol=1e-6)
    assert low.draws_usd.shape == (30, 4)
    again = small(risk=risk["low"])
    np.testing.assert_array_equal(low.spend_usd, again.spend_usd)


def test_draws_have_mean_one_and_depend_on_the_seed_alone() -> None:
    risk = FundRisk(draws=50, seed=7)
    factors = risk.factors(4)
    np.testing.assert_allclose(factors.mean(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(factors, risk.factors(4))
    assert not np.allclose(factors, FundRisk(draws=50, seed=8).factors(4))


def test_the_softened_tail_has_the_gradient_it_claims(rng: np.random.Generator) -> None:
    tail, value = Tail(0.25, 0.3), rng.normal(size=40)
    summary = tail.summary(value)
    assert summary.weight.sum() == pytest.approx(1.0, rel=1e-12)
    for k in range(0, 40, 7):
        step = np.zeros(40)
        step[k] = 1e-6
        slope = (tail.summary(value + step).value - tail.summary(value - step).value) / 2e-6
        assert summary.weight[k] == pytest.approx(slope, abs=1e-8)
    sharp = Tail(0.25, 1e-9).summary(value).value
    assert sharp == pytest.approx(np.sort(value)[:10].mean(), rel=1e-6)


def test_the_certificate_sees_an_allocation_that_is_no_maximum() -> None:
    bounds = Bounds(np.zeros(2), np.full(2, 1e30), 10.0)
    assert kkt_residual(np.array([2.0, 1.0]), np.array([5.0, 5.0]), bounds)[1] == pytest.approx(1 / 3)
    assert kkt_residual(np.array([2.0, 1.0]), np.array([10.0, 0.0]), bounds) == (2.0, 0.0)


def test_spillovers_go_where_the_output_is_used_and_are_less_than_all_of_it() -> None:
    spill = input_spillover(WORLD, PAIR, 1.0)
    home, sector, user = (WORLD.countries.index("C1"), 0, 2)
    flow, output = WORLD.flow.to_numpy(), WORLD.gross_output.to_numpy()
    paid = flow * (1 + WORLD.tariff_rate.to_numpy())
    own = paid[home, home, sector] / paid[:, home, sector].sum()
    by_hand = own * WORLD.io_coefficient.to_numpy()[home, sector, user] * output[home, user] / output[home, sector]
    assert spill[1, sector, user] == pytest.approx(by_hand, rel=1e-12)
    assert np.all(np.diagonal(spill, axis1=1, axis2=2) == 0)
    assert np.all(spill.sum(axis=2) <= 1.0 + 1e-12)


def test_a_given_spillover_matrix_replaces_the_default() -> None:
    none = FundResponse(0.25, RESPONSE.scale_rate, spillover=np.zeros((2, 3, 3)))
    some = FundResponse(0.25, RESPONSE.scale_rate, spillover=np.full((2, 3, 3), 0.3))
    first = [allocate_fund(WORLD, PAIR, 0.0, lines=LINES, response=r).first_welfare for r in (none, some)]
    assert np.all(first[1] > first[0])


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        allocate_fund(
            WORLD,
            PAIR,
            -1.0,
            goal="welfar",  # pyright: ignore[reportArgumentType]
            welfare_weight=1.5,
            lines=(FundLine("C0", "s9"), FundLine("C2", "s0"), FundLine("C1", "s0", minimum_usd=-5.0)),
            response=FundResponse(0.25, RESPONSE.scale_rate, partner_spillover=1.2),
            risk=FundRisk("low", tail=1.2),
            finance=Finance(seller_share=2.0),
        )
    told = "\n".join(caught.value.problems)
    for words in (
        "budget_usd = -1; expected 0 or more",
        "unknown objective 'welfar'; did you mean 'welfare'?",
        "welfare_weight = 1.5; expected a share between 0 and 1",
        "unknown sector 's9'",
        "the country is 'C2'",
        "minimum_usd = -5",
        "partner_spillover = 1.2",
        "tail = 1.2",
        "seller_share = 2",
    ):
        assert words in told
    assert len(caught.value.problems) >= 9


def test_an_unknown_partner_is_met_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="Expected two different countries of C0, C1, C2"):
        allocate_fund(WORLD, ("C0", "C7"), 1.0)


def test_a_world_with_other_sectors_asks_for_lines_and_scales() -> None:
    with pytest.raises(InputError, match="FundResponse with their scale_rate"):
        allocate_fund(WORLD, PAIR, 1.0)


def test_a_stuck_balance_can_be_spent_only_where_it_is_and_only_while_it_lasts() -> None:
    seller, buyer = PAIR if WORLD.gap_usd(*PAIR) >= 0 else PAIR[::-1]
    with pytest.raises(InputError) as caught:
        small(4e9, lines=(FundLine(seller, "s0"), FundLine(buyer, "s0")), finance=Finance("balance"))
    assert len(caught.value.problems) == 2
    paid = small(lines=(FundLine(buyer, "s0"),), finance=Finance("balance"))
    assert paid.costs_usd[buyer] == 0
    assert paid.costs_usd[seller] == pytest.approx(0.2 * 0.955 * BUDGET)


def test_costs_of_budgets_are_shared_and_carry_the_excess_burden() -> None:
    seller, buyer = Finance(seller_share=0.25).cost_usd(100.0)
    assert (seller, buyer) == (pytest.approx(0.25 * 24.0), pytest.approx(0.75 * 24.0))


def test_shipped_assumptions_are_ordered_sourced_and_graded() -> None:
    for parameter in fund_parameters().values():
        assert parameter.low <= parameter.central <= parameter.high, parameter.name
        assert len(parameter.source) > 10
        assert parameter.confidence
    assert all(precedent.usd > 0 and precedent.source for precedent in precedents())


def test_excluded_sectors_are_those_that_hold_dual_use_codes() -> None:
    text, _ = scenario_text("valdai-2025")
    codes = tomllib.loads(text)["exemptions"]["high_priority"]["hs"]
    assert {hs_sector(code) for code in codes} == set(excluded_sectors()[0])


@pytest.fixture(scope="module")
def embedded() -> World:
    return load_world()


def test_welfare_and_gap_rank_the_sectors_of_india_and_russia_differently(embedded: World) -> None:
    result = allocate_fund(embedded, ("IND", "RUS"), 1e9)
    assert result.pair == ("RUS", "IND")
    table = result.ranking_table()
    assert list(table["welfare_rank"]) != list(table["gap_rank"])
    assert result.rank_correlation < 0.5
    assert not {"electronics", "machinery", "vehicles"} & set(table["sector"])
    plans = result.plans
    assert plans["welfare"].welfare_usd > plans["gap"].welfare_usd
    assert plans["gap"].gap_closed_usd > plans["welfare"].gap_closed_usd
    np.testing.assert_allclose(result.marginal_return[result.on], result.multiplier, rtol=1e-6)
    levers = result.lever_table()
    assert set(levers["lever"]) == {"fund", "tariff cut", "purchase programme", "obstacle removal"}
    fund = levers[levers["lever"] == "fund"].iloc[0]
    assert fund["welfare_per_usd"] == pytest.approx(result.multiplier / 0.24 - 1.0, rel=1e-6)


def test_a_tariff_cut_brings_what_the_lever_table_says(embedded: World) -> None:
    result = allocate_fund(embedded, ("RUS", "IND"), 0.0, lines=(FundLine("IND", "pharmaceuticals"),))
    row = (
        result.lever_table().query("lever == 'tariff cut' and origin == 'IND' and sector == 'pharmaceuticals'").iloc[0]
    )
    rate = float(embedded.tariff_rate.sel(origin="IND", destination="RUS", sector="pharmaceuticals"))
    cut = 1e-3
    shock = Shock.none(embedded).with_tariff(rate - cut, origin="IND", destination="RUS", sector="pharmaceuticals")
    after = solve(embedded, shock, rtol=1e-12)
    closed = embedded.gap_usd("RUS", "IND") - after.gap_cf_usd("RUS", "IND")
    assert row["gap_closed_per_usd"] == pytest.approx(closed / (cut * row["outlay_usd"]), rel=1e-2)
    gained = float(after.equivalent_variation_usd.sel(country=["RUS", "IND"]).sum())
    assert row["welfare_per_usd"] + 0.2 == pytest.approx(gained / (cut * row["outlay_usd"]), rel=1e-2)
