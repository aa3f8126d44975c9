"""What a purchase programme adds, sector by sector."""

from __future__ import annotations

import pytest

from counterpoise.core.errors import InputError
from counterpoise.policy.order_flow import scenario_purchases
from counterpoise.scenario import load_scenario


def test_the_order_of_the_flagship_is_medicines_and_farm_goods() -> None:
    bought = scenario_purchases(load_scenario("valdai-2025"))
    assert (bought.buyer, bought.seller) == ("RUS", "IND")
    assert list(bought.by_sector)[:3] == ["pharmaceuticals", "agriculture", "food"]
    assert bought.usd_a_year == pytest.approx(sum(bought.by_sector.values()))
    first_three = sum(list(bought.by_sector.values())[:3])
    assert first_three > bought.usd_a_year > 0  # other goods are crowded out a little
    assert "business_services" not in bought.by_sector


def test_a_scenario_without_a_programme_is_refused() -> None:
    with pytest.raises(InputError, match=r"purchase programmes of these pairs: none; expected"):
        scenario_purchases(load_scenario("oil-stop"))
