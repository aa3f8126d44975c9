"""The World: what it refuses, what it derives, and that it comes back from a file as it went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counterpoise.core import World
from counterpoise.core.errors import DataError, InputError, LabelError, UnbalancedError

COUNTRIES, SECTORS = ("AAA", "BBB", "CCC"), ("grain", "cloth")


def small_world(**changes: object) -> World:
    """Three countries, two sectors, tariffs of 10 %, half of output bought as inputs."""
    n, s = len(COUNTRIES), len(SECTORS)
    flow = np.arange(1.0, 1.0 + n * n * s).reshape(n, n, s)
    flow[np.arange(n), np.arange(n)] *= 20.0
    given: dict[str, object] = {
        "countries": COUNTRIES,
        "sectors": SECTORS,
        "flow": flow,
        "tariff_rate": 0.1 * (1.0 - np.eye(n))[:, :, None] * np.ones(s),
        "value_added_share": np.full((n, s), 0.5),
        "io_coefficient": np.full((n, s, s), 0.25),
        "trade_elasticity": 4.0,
    }
    return World.from_arrays(**(given | changes))  # pyright: ignore[reportArgumentType]


def test_a_world_built_from_arrays_balances() -> None:
    assert small_world().check() == ()


def test_deficits_sum_to_zero_and_income_is_spent() -> None:
    world = small_world()
    assert abs(float(world.deficit.sum())) < 1e-9
    np.testing.assert_allclose(world.final_demand.sum("sector"), world.income, rtol=1e-12)


def test_expenditure_shares_sum_to_one_over_origins() -> None:
    np.testing.assert_allclose(small_world().expenditure_share.sum("origin"), 1.0, rtol=1e-14)


def test_gap_is_what_one_sells_minus_what_it_buys() -> None:
    world = small_world()
    expected = float(world.flow[0, 1].sum() - world.flow[1, 0].sum())
    assert world.gap_usd("AAA", "BBB") == pytest.approx(expected)
    assert world.gap_usd("BBB", "AAA") == pytest.approx(-expected)


def test_a_misspelt_country_is_met_with_the_nearest_one() -> None:
    with pytest.raises(LabelError, match="unknown country 'AAb'; did you mean 'AAA'"):
        small_world().gap_usd("AAb", "BBB")


def test_all_problems_come_in_one_message() -> None:
    flow = np.ones((3, 3, 2))
    flow[0, 1, 0], flow[2, 2, 1] = -5.0, np.nan
    with pytest.raises(InputError) as caught:
        small_world(flow=flow, value_added_share=np.full((3, 2), 1.5), trade_elasticity=np.array([4.0, 0.0]))
    text = str(caught.value)
    for words in ("flow[AAA, BBB, grain] = -5 is negative", "flow[CCC, CCC, cloth] = nan is not a finite number"):
        assert words in text
    assert "value_added_share[AAA, grain] = 1.5 lies outside 0 to 1" in text
    assert "trade_elasticity[cloth] = 0 is not positive" in text


def test_a_wrong_shape_is_named_with_the_expected_one() -> None:
    with pytest.raises(InputError, match=r"flow has shape \(3, 2, 3\), expected \(3, 3, 2\)"):
        small_world(flow=np.ones((3, 2, 3)))


def test_labels_in_another_order_are_refused() -> None:
    turned = small_world().flow.isel(origin=[1, 0, 2])
    with pytest.raises(LabelError, match="in another order"):
        small_world(flow=turned)


def test_repeated_labels_are_refused() -> None:
    with pytest.raises(LabelError, match="holds 'AAA' more than once"):
        small_world(countries=("AAA", "AAA", "CCC"))


def test_more_inputs_than_spending_is_refused_with_the_cell() -> None:
    io = np.full((3, 2, 2), 0.25)
    io[0] = [[0.45, 0.45], [0.05, 0.05]]
    flow = np.ones((3, 3, 2))
    flow[0, 1:, 1] = 50.0
    with pytest.raises(UnbalancedError, match="final demand of AAA for grain is"):
        small_world(flow=flow, io_coefficient=io)


def test_a_given_consumption_share_that_contradicts_the_table_is_listed_by_check() -> None:
    world = small_world(consumption_share=np.array([[0.9, 0.1]] * 3))
    assert any("consumption_share * income[AAA, grain]" in line for line in world.check())
    with pytest.raises(UnbalancedError, match="does not balance"):
        world.require_balanced()


def test_value_added_without_inputs_is_refused_when_several_sectors_could_supply_them() -> None:
    with pytest.raises(InputError, match="given without io_coefficient"):
        small_world(io_coefficient=None)


def test_arrays_are_read_only_and_the_callers_stay_his_own() -> None:
    flow = small_world().flow.to_numpy().copy()
    world = small_world(flow=flow)
    flow[0, 0, 0] = 7.0
    assert float(world.flow[0, 0, 0]) != 7.0
    with pytest.raises(ValueError, match="read-only"):
        world.flow[0, 0, 0] = 1.0


def test_a_world_comes_back_from_its_file_and_equal_worlds_give_equal_bytes(tmp_path: Path) -> None:
    world = small_world()
    world.save(tmp_path / "one.parquet")
    back = World.load(tmp_path / "one.parquet")
    back.save(tmp_path / "two.parquet")
    for name in ("flow", "tariff_rate", "io_coefficient", "consumption_share", "absent"):
        np.testing.assert_array_equal(getattr(back, name), getattr(world, name))
    assert back.meta == world.meta
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_file_that_is_no_world_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        World.load(broken)
    with pytest.raises(DataError, match="does not exist"):
        World.load(tmp_path / "missing.parquet")


def test_permuting_countries_moves_every_array() -> None:
    world = small_world()
    turned = world.permute(["CCC", "AAA", "BBB"])
    assert float(turned.flow.sel(origin="AAA", destination="CCC", sector="grain")) == float(
        world.flow.sel(origin="AAA", destination="CCC", sector="grain")
    )
    assert turned.check() == ()


def test_a_world_says_what_it_is() -> None:
    text = repr(small_world())
    assert "3 countries x 2 sectors" in text
    assert "identities: all hold" in text
