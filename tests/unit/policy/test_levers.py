"""Levers: derivatives of every kind against differences, ramps, folding, and what is read from a scenario."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from counterpoise.core import Shock
from counterpoise.core.errors import InputError
from counterpoise.policy import (
    CostCurve,
    ExportSupport,
    FundMoney,
    Lever,
    OilRestraint,
    OpenedLine,
    Ramp,
    TariffCut,
    close_gap,
    day_of,
    levers_at,
    target_of,
)
from counterpoise.policy.folding import fold
from counterpoise.policy.problem import Equilibria
from counterpoise.solver import solve
from tests.unit.policy.small import PAIR, programme, removal, small_world

BACK: dict[str, Any] = {"payer": "AAA", "origin": "BBB", "destination": "AAA"}

EVERY: tuple[Lever, ...] = (
    TariffCut(id="duty", title="", reach=(("food", 1.0), ("machinery", 0.5)), upper=1.0, **BACK),
    programme("order", "food"),
    removal("road", "food", quadratic=1e9),
    ExportSupport(
        id="support", title="", payer="BBB", origin="BBB", destination="AAA", reach=(("food", 0.7),), upper=0.5
    ),
    OilRestraint(
        id="less", title="", payer="BBB", origin="AAA", destination="BBB", reach=(("machinery", 1.0),), upper=0.5
    ),
    OilRestraint(
        id="taxed",
        title="",
        payer="BBB",
        origin="AAA",
        destination="BBB",
        reach=(("food", 1.0),),
        upper=0.5,
        rent="kept",
    ),
    FundMoney(id="fund", title="", payer="BBB", country="BBB", sectors=("food",), gain=0.1, scale_usd=1e9, upper=2e9),
    OpenedLine(id="line", title="", reach=(("machinery", 1.0),), upper=1.0, potential_usd=(1e9,), **BACK),
)


def test_the_gradient_of_every_lever_is_the_difference() -> None:
    world = small_world(duty=0.15, empty=True)
    problem = Equilibria(world, EVERY, PAIR)
    values = np.array([0.3, 0.1, 0.4, 0.1, 0.1, 0.1, 5e8, 0.5])
    at_row = problem.at_row
    rows = np.stack([at_row.unit(k) for k in (at_row.gap, at_row.revenue, at_row.support, at_row.welfare(2))])
    slopes = problem.slopes(problem.point(values), rows)
    for k, lever in enumerate(EVERY):
        step = 1e-4 * lever.upper
        up, down = values.copy(), values.copy()
        up[k] += step
        down[k] -= step
        change = rows @ (problem.point(up).rows - problem.point(down).rows) / (2 * step)
        scale = np.abs(slopes[:, k])
        assert np.all(np.abs(slopes[:, k] - change) <= 1e-5 * np.maximum(scale, np.abs(change))), lever.id


def test_second_derivatives_are_differences_of_first_ones() -> None:
    world = small_world(duty=0.15, empty=True)
    problem = Equilibria(world, EVERY, PAIR)
    ranges = np.array([lever.upper - lever.lower for lever in EVERY])
    values = 0.3 * ranges
    rows = np.stack([problem.at_row.unit(k) for k in (problem.at_row.gap, problem.at_row.support, 5)])
    bends = problem.curvature(problem.point(values), rows, ranges)
    for bend, row in zip(bends, rows, strict=True):
        assert bend == pytest.approx(bend.T)
        for k, lever in enumerate(EVERY):
            up, down = values.copy(), values.copy()
            up[k] += 1e-3 * ranges[k]
            down[k] -= 1e-3 * ranges[k]
            ends = [problem.slopes(problem.point(v), row[None, :])[0] for v in (up, down)]
            change = (ends[0] - ends[1]) * ranges / 2e-3
            assert bend[k] == pytest.approx(change, abs=2e-5 * np.abs(bend).max()), lever.id


def test_an_opened_line_brings_its_potential_where_costs_stay() -> None:
    world = small_world(empty=True)
    problem = Equilibria(world, (EVERY[-1],), PAIR)
    flow = problem.point(np.array([1e-3])).flow[1, 1, 0]
    assert flow == pytest.approx(1e6, rel=2e-3)
    shock = problem.mixture.shock(np.array([1e-3]))
    assert float(shock.potential_flow.sel(origin="BBB", destination="AAA", sector="machinery")) == pytest.approx(1e6)


def test_folded_levers_do_the_same_as_those_given() -> None:
    world = small_world(duty=0.15)
    cut = TariffCut(id="duty", title="", reach=(("food", 1.0),), upper=1.0, **BACK)
    given: tuple[Lever, ...] = (removal("road", "machinery", quadratic=1e9), cut, programme("order", "food"))
    folding = fold(world, given, Shock.none(world))
    assert len(folding.folded) == 2
    for value in (0.0, 0.05, 0.2, 0.3):
        values = np.array([0.4, value])
        unfolded = folding.unfold(values)
        assert folding.refold(unfolded) == pytest.approx(values)
        one = Equilibria(world, folding.folded, PAIR).point(values).rows
        two = Equilibria(world, given, PAIR).point(unfolded).rows
        assert one == pytest.approx(two, rel=1e-9, abs=1.0)
        assert unfolded[2] == 0.0 or unfolded[1] == pytest.approx(1.0)


def test_levers_with_a_curve_of_their_own_are_not_folded() -> None:
    world = small_world(duty=0.15)
    curve = CostCurve(linear_usd=1.0)
    cut = TariffCut(id="duty", title="", reach=(("food", 1.0),), upper=1.0, curve=curve, **BACK)
    assert fold(world, (cut, programme("order", "food")), Shock.none(world)).twins == ()


def test_a_ramp_cuts_the_range_of_a_day() -> None:
    ramped = TariffCut(
        id="duty",
        title="",
        reach=(("food", 1.0),),
        upper=0.8,
        ramp=Ramp(date(2026, 1, 1), date(2028, 1, 1)),
        **BACK,
    )
    uppers = [levers_at([ramped], day)[0].upper for day in (date(2025, 6, 1), date(2027, 1, 1), date(2029, 1, 1))]
    assert uppers == pytest.approx([0.0, 0.4, 0.8])
    with pytest.raises(InputError, match="runs backwards"):
        Ramp(date(2028, 1, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20%", 0.2),
        ("20 %", 0.2),
        ("0.2", 0.2),
        ("5bn", 5e9),
        ("5 bn USD", 5e9),
        ("5e9", 5e9),
        ("500mn", 5e8),
        (0.3, 0.3),
    ],
)
def test_targets_are_read_as_people_write_them(text: str | float, value: float) -> None:
    assert target_of(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "a fifth", "5 rupees", "1e", "--3"])
def test_targets_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"as 20% or 0\.2, or USD a year"):
        target_of(text)


def test_days_are_read_from_years_months_and_days() -> None:
    assert [day_of(t) for t in ("2030", "2030-06", "2030-12-05")] == [
        date(2030, 12, 31),
        date(2030, 6, 1),
        date(2030, 12, 5),
    ]
    with pytest.raises(InputError, match="is no day"):
        day_of("2030-13-01")


def test_money_of_a_fund_has_no_bounds_and_its_estimate_has() -> None:
    curve = CostCurve(money_usd=1.0, linear_usd=0.2, low_factor=0.5, high_factor=3.0)
    assert [curve.case(end).at(10.0) for end in ("low", "central", "high")] == pytest.approx([11.0, 12.0, 16.0])
    assert curve.case("high").slope(10.0) == pytest.approx(1.6)
    assert not CostCurve(money_usd=1.0).is_free
    with pytest.raises(InputError, match="money_usd = -1"):
        CostCurve(money_usd=-1.0)


def test_export_support_is_the_export_subsidy_of_the_model() -> None:
    world = small_world(duty=0.15)
    support = replace(EVERY[3], upper=0.3, payer="BBB")
    package = close_gap(world, (support,), PAIR, 0.02)
    value = package.uses[0].value
    assert 0.0 < value < 0.3
    # The same by hand: a negative export tax, solved directly; support reaches 70 % of the food.
    shock = Shock.none(world).with_export_tax(-0.7 * value, origin="BBB", destination="AAA", sector="food")
    after = solve(world, shock, rtol=1e-12)
    assert after.gap_cf_usd(*PAIR) == pytest.approx(package.gap_after_usd, rel=1e-8)
    paid = -float(after.export_tax_revenue_cf.sel(country="BBB"))
    assert paid > 0
    assert package.uses[0].cost_usd == pytest.approx(paid, rel=1e-7)
    duties = float((world.tariff_revenue - after.tariff_revenue_cf).sel(country="BBB"))
    assert package.cost_usd == pytest.approx(paid + duties, rel=1e-6)
    for country, moved in package.welfare_pct.items():
        assert moved == pytest.approx(100 * (float(after.welfare_hat.sel(country=country)) - 1), abs=1e-7)
    assert package.kkt_residual < 1e-6
    assert float(package.shock.export_tax_rate.sel(origin="BBB", destination="AAA", sector="food")) == pytest.approx(
        -0.7 * value
    )


def test_export_support_lies_over_an_export_tax_that_holds_anyway() -> None:
    world = small_world()
    held = Shock.none(world).with_export_tax(0.1, origin="BBB", destination="AAA")
    problem = Equilibria(world, (EVERY[3],), PAIR, background=held)
    rate = problem.mixture.terms(np.array([0.2])).export_tax_rate[0, 1, 0]
    assert rate == pytest.approx(1.1 * (1 - 0.14) - 1.0)
    before, after = (problem.point(np.array([v])) for v in (0.0, 0.2))
    row = problem.at_row.revenue
    direct = [solve(world, problem.mixture.shock(np.array([v])), rtol=1e-12) for v in (0.0, 0.2)]
    for point, solution in zip((before, after), direct, strict=True):
        budget = solution.tariff_revenue_cf + solution.export_tax_revenue_cf
        assert float(point.rows[row]) == pytest.approx(float(budget.sel(country="BBB")), rel=1e-7)
