"""What any honest report must reproduce about the order to buy more."""

from __future__ import annotations

import pytest

from counterpoise.core.errors import DataError
from counterpoise.measure import closing_multiple, closing_share_of_growth, fuel_share, order_cover


def test_fuels_are_89_percent_of_what_india_buys() -> None:
    assert fuel_share() == pytest.approx(0.892, abs=0.001)


def test_all_farm_and_medicine_imports_would_cover_56_percent() -> None:
    cover = order_cover()
    assert cover.covered_share == pytest.approx(0.563, abs=0.001)
    assert cover.gap_usd == pytest.approx(58.93014e9)
    assert cover.bought_usd == pytest.approx(1.206e9, rel=0.001)


def test_exports_times_thirteen_close_the_gap_and_doubling_closes_8_percent() -> None:
    assert closing_multiple() == pytest.approx(13.07, abs=0.005)
    assert closing_share_of_growth(2.0) == pytest.approx(0.083, abs=0.001)
    assert closing_share_of_growth(closing_multiple()) == pytest.approx(1.0)


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(DataError, match="no six-digit trade CHN -> TUR"):
        fuel_share("TUR", "CHN")
    with pytest.raises(DataError, match="FY1999-00 is not known"):
        closing_multiple(period="FY1999-00")
