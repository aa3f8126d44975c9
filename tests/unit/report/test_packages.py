"""The headline of the flagship: what the ordered goods alone can do, at what price, and what more would take."""

from __future__ import annotations

import pytest

from counterpoise.core import Shock, Solution, World
from counterpoise.measure.order import order_cover
from counterpoise.policy import Closing, closing_of
from counterpoise.report.chapters.way_back import way_back_headline, way_back_section
from counterpoise.report.packages import OrderAlone, WayBack, find_way_back, order_alone
from counterpoise.scenario import Scenario, compile_scenario, load_scenario, scenario_world
from counterpoise.scenario.schema import Range
from counterpoise.solver import solve

ORDER = {"order_farm", "order_medicines"}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("valdai-2025")


@pytest.fixture(scope="module")
def world(scenario: Scenario) -> World:
    return scenario_world(scenario)


@pytest.fixture(scope="module")
def closing(scenario: Scenario, world: World) -> Closing:
    return closing_of(scenario, world=world)


@pytest.fixture(scope="module")
def alone(scenario: Scenario, world: World, closing: Closing) -> OrderAlone:
    found = order_alone(scenario, closing, world)
    assert found is not None
    return found


def ordered(scenario: Scenario, world: World, closing: Closing, rates: dict[str, float]) -> tuple[Solution, Solution]:
    """Solve the order at given rates by the scenario's own measures, and the same without it."""

    def measures(paid: dict[str, float]) -> Scenario:
        kept = [m for m in scenario.measure if m.group_name != "obstacles" and (m.id not in ORDER or m.id in paid)]
        made = [m.model_copy(update={"subsidy_rate": Range(central=paid[m.id])}) if m.id in paid else m for m in kept]
        return scenario.model_copy(update={"measure": tuple(made)})

    def solved(paid: dict[str, float]) -> Solution:
        shock: Shock = compile_scenario(measures(paid), world).shock
        return solve(world, shock, closure=scenario.closure, rtol=1e-12)

    return solved(rates), solved({})


def test_farm_goods_and_medicines_alone_cannot_close_the_gap(
    scenario: Scenario, world: World, closing: Closing, alone: OrderAlone
) -> None:
    assert set(alone.levers) == ORDER
    assert alone.goods == "farm goods and medicines"
    assert alone.max_closure_pct < 100.0
    # By arithmetic: all that Russia imports of these goods from anyone would not cover the gap.
    assert order_cover("RUS", "IND").covered_share < 1.0
    # By another route: the measures themselves at their highest rate, without levers.
    after, before = ordered(scenario, world, closing, dict.fromkeys(ORDER, alone.rate))
    gap = before.gap_cf_usd("RUS", "IND")
    assert 100.0 * (1.0 - after.gap_cf_usd("RUS", "IND") / gap) == pytest.approx(alone.max_closure_pct, rel=1e-5)
    lost = float((before.tariff_revenue_cf - after.tariff_revenue_cf).sel(country="RUS"))
    assert alone.cost_usd == pytest.approx(lost, rel=1e-4)


def test_the_price_of_the_last_dollar_is_a_difference_of_costs(
    scenario: Scenario, world: World, closing: Closing, alone: OrderAlone
) -> None:
    search = closing_of(scenario, only=sorted(ORDER), world=world).search()
    most = alone.max_closure_pct / 100.0 * search.programme.gap
    costs = [search.cheapest(most * part, starts=1).cost_usd for part in (0.9995, 0.9999)]
    assert alone.shadow_price == pytest.approx((costs[1] - costs[0]) / (0.0004 * most), rel=0.02)


def test_what_closing_all_of_it_takes_closes_all_of_it(
    scenario: Scenario, world: World, closing: Closing, alone: OrderAlone
) -> None:
    whole = alone.whole
    assert whole is not None
    assert min(whole.rates.values()) > alone.rate
    assert whole.cost_usd > 4.0 * alone.cost_usd
    after, before = ordered(scenario, world, closing, dict(whole.rates))
    assert abs(after.gap_cf_usd("RUS", "IND")) < 1e-4 * before.gap_cf_usd("RUS", "IND")
    goods = ["agriculture", "food", "pharmaceuticals"]
    bought = float(after.flow_cf.sel(origin="IND", destination="RUS", sector=goods).sum())
    assert whole.bought_usd == pytest.approx(bought, rel=1e-4)
    assert whole.multiple > 1.0


def test_goods_of_another_order_are_not_called_farm_goods(scenario: Scenario, world: World, closing: Closing) -> None:
    other = tuple(
        m.model_copy(update={"products": ("72",)}) if m.id == "order_medicines" else m for m in scenario.measure
    )
    changed = scenario.model_copy(update={"measure": other})
    found = order_alone(changed, closing_of(changed, world=world), world)
    assert found is not None
    assert found.goods == "the goods that the scenario orders"


def test_the_report_says_so_with_these_numbers(scenario: Scenario, world: World, alone: OrderAlone) -> None:
    found: WayBack = find_way_back(scenario, world)
    section = way_back_section(found.closing, found.package, found=found)
    most = f"{alone.max_closure_pct:.0f} %"
    assert section.title == (
        f"The way back: farm goods and medicines alone cannot close the gap, at most {most} of it at subsidies of up "
        "to 40 %"
    )
    assert f"close **{alone.max_closure_pct:.1f} %** of the gap" in section.prose[0]
    assert alone.whole is not None
    assert f"{alone.whole.cost_usd / 1e9:.1f} bn USD a year, until Russia bought from India" in section.prose[0]
    assert f"at most {most} of the gap at subsidies of up to 40 % of their price" in way_back_headline(found)
    facts = found.facts()
    assert facts["order_alone_max_closure_pct"] == pytest.approx(alone.max_closure_pct, rel=1e-6)
    assert facts["order_for_all_cost_usd"] == pytest.approx(alone.whole.cost_usd, rel=1e-6)
