"""A lever class of a user's own: one method or two, and all that packages do works with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from counterpoise.core import Shock
from counterpoise.policy import TradeLever, close_gap, frontier_of, open_search, shares_of
from counterpoise.policy.problem import Equilibria
from counterpoise.solver import solve
from tests.unit.policy.small import PAIR, programme, small_world

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoGuarantee(TradeLever):
    """The share of cargo risk that the payer's budget takes over, 0 to 1."""

    premium: float
    loss_rate: float
    kind: ClassVar[str] = "cargo guarantee"
    unit: ClassVar[str] = "share of the risk"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Lower the iceberg cost by the premium that is no longer charged."""
        slope = -self.covered * self.premium / (1.0 + self.premium)
        return 1.0 + slope * value, slope

    def booked_rate(self, value: float) -> tuple[Floats, Floats]:
        """Pay the losses."""
        return self.covered * self.loss_rate * value, self.covered * self.loss_rate


GUARANTEE = CargoGuarantee(
    id="guarantee",
    title="guarantee",
    payer="AAA",
    origin="BBB",
    destination="AAA",
    reach=(("food", 1.0), ("machinery", 0.5)),
    upper=1.0,
    premium=0.2,
    loss_rate=0.03,
)


def test_its_gradient_is_the_difference() -> None:
    problem = Equilibria(small_world(duty=0.1), (GUARANTEE, programme("order", "food")), PAIR)
    at_row = problem.at_row
    rows = np.stack([at_row.unit(k) for k in (at_row.gap, at_row.support, at_row.welfare(0))])
    values, step = np.array([0.4, 0.1]), np.array([1e-4, 0.0])
    slopes = problem.slopes(problem.point(values), rows)[:, 0]
    change = rows @ (problem.point(values + step).rows - problem.point(values - step).rows) / 2e-4
    assert slopes == pytest.approx(change, rel=1e-5)


def test_a_package_with_it_is_optimal_and_what_a_solve_says() -> None:
    world = small_world(duty=0.1)
    package = close_gap(world, [GUARANTEE, programme("order", "food")], PAIR, 0.03)
    assert package.status == "optimal"
    value = package.uses[0].value
    assert 0.0 < value <= 1.0
    alone = close_gap(world, [programme("order", "food")], PAIR, 0.03)
    assert package.cost_usd < alone.cost_usd
    # By hand: iceberg costs and subsidy of the package, and the losses on the trade that follows.
    shock = Shock.none(world).with_purchase_subsidy(
        package.uses[1].value, origin="BBB", destination="AAA", sector="food"
    )
    covered = {"food": 1.0, "machinery": 0.5}
    for sector, part in covered.items():
        factor = 1.0 - part * value * 0.2 / 1.2
        shock = shock.with_iceberg_cost(factor, origin="BBB", destination="AAA", sector=sector)
    after = solve(world, shock, rtol=1e-12)
    assert after.gap_cf_usd(*PAIR) == pytest.approx(package.gap_after_usd, rel=1e-8)
    flow = after.flow_cf.sel(origin="BBB", destination="AAA")
    losses = sum(0.03 * part * value * float(flow.sel(sector=sector)) for sector, part in covered.items())
    assert package.uses[0].cost_usd == pytest.approx(losses, rel=1e-6)
    lost = float((world.tariff_revenue - after.tariff_revenue_cf).sel(country="AAA"))
    assert package.cost_usd == pytest.approx(lost + losses, rel=1e-6)


def test_frontier_and_attribution_know_it() -> None:
    search = open_search(small_world(duty=0.1), (GUARANTEE, programme("order", "food")), PAIR)
    frontier = frontier_of(search, 3)
    assert (np.diff([row["cost_usd"] for row in frontier.table().to_dict("records")]) > 0).all()
    table = shares_of(search, search.most(), by="kind").table()
    assert "cargo guarantee" in set(table["title"])
