"""Shapley values: games with known answers, and obstacles in equilibrium."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError
from counterpoise.policy.attribution import attribute_obstacles, shapley
from counterpoise.solver import rebase, solve


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(11)
    flow = rng.uniform(1.0, 5.0, (3, 3, 2)) * 1e9
    flow[np.arange(3), np.arange(3)] *= 20
    raw = World.from_arrays(
        countries=["IND", "RUS", "USA"],
        sectors=["food", "machinery"],
        flow=flow,
        tariff_rate=np.zeros((3, 3, 2)),
        value_added_share=np.ones((3, 2)),
        io_coefficient=np.zeros((3, 2, 2)),
        trade_elasticity=[4.0, 6.0],
    )
    return rebase(raw, closure="fixed_world_share")


def wedges(*rows: tuple[str, str, str, str, float, float]) -> pd.DataFrame:
    columns = ["origin", "destination", "sector", "obstacle", "ave_central", "removable_central"]
    return pd.DataFrame(rows, columns=columns)


def test_an_additive_game_gives_each_player_its_own() -> None:
    worth = {"a": 1.0, "b": 2.0, "c": -3.0}
    found = shapley(list(worth), lambda s: sum(worth[k] for k in s))
    assert found.attribution[:, 0] == pytest.approx(list(worth.values()))
    assert found.alone == pytest.approx(found.last)


def test_the_airport_game() -> None:
    # Littlechild and Owen (1973): a runway costs what its longest user needs; each length is shared by who needs it.
    length = {"small": 1.0, "middle": 2.0, "large": 4.0}
    found = shapley(list(length), lambda s: max((length[k] for k in s), default=0.0))
    assert found.attribution[:, 0] == pytest.approx([1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 2])


def test_parts_add_up_and_every_coalition_is_asked_once() -> None:
    asked: list[frozenset[str]] = []

    def worth(s: frozenset[str]) -> tuple[float, float]:
        asked.append(s)
        return (len(s) ** 2.0, float("a" in s and "d" in s))

    found = shapley(["a", "b", "c", "d"], worth)
    assert found.attribution.sum(axis=0) == pytest.approx(found.total)
    assert found.attribution[:, 1] == pytest.approx([0.5, 0, 0, 0.5])
    assert len(asked) == len(set(asked)) == found.solved == 16


def test_drawn_orders_find_the_exact_values_within_their_error() -> None:
    names = [f"p{k}" for k in range(8)]
    weight = {name: float(k) for k, name in enumerate(names)}

    def worth(s: frozenset[str]) -> float:
        return sum(weight[k] for k in s) ** 1.5

    exact = shapley(names, worth)
    drawn = shapley(names, worth, exact_players=4, orders=400, seed=1)
    assert exact.exact
    assert not drawn.exact
    assert np.all(np.abs(drawn.attribution - exact.attribution) <= 4 * drawn.standard_error + 1e-12)
    assert drawn.attribution.sum() == pytest.approx(exact.total[0])
    again = shapley(names, worth, exact_players=4, orders=400, seed=1)
    assert np.array_equal(drawn.attribution, again.attribution)


def test_batches_give_the_same_as_single_calls() -> None:
    def many(coalitions: Sequence[frozenset[str]]) -> list[float]:
        return [float(len(s)) ** 3 for s in coalitions]

    one = shapley(["a", "b", "c"], lambda s: float(len(s)) ** 3)
    assert np.array_equal(one.attribution, shapley(["a", "b", "c"], many, batched=True).attribution)


def test_faults_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        shapley(["a", "a"], lambda s: 0.0, exact_players=30, orders=3)
    assert caught.value.problems == (
        "player 'a' occurs more than once",
        "exact_players is 30; expected 0 to 20",
        "orders is 3; expected an even number of four or more",
    )


def test_obstacles_add_up_to_the_equilibrium_without_any(world: World) -> None:
    table = attribute_obstacles(
        world,
        wedges(
            ("IND", "RUS", "food", "freight", 0.3, 0.2),
            ("IND", "RUS", "machinery", "freight", 0.1, 0.1),
            ("IND", "RUS", "food", "currency", 0.05, 0.05),
            ("RUS", "IND", "food", "currency", 0.05, 0.05),
            ("IND", "RUS", "food", "insurance", 0.03, 0.0),
        ),
        ("IND", "RUS"),
    ).set_index("obstacle")
    shock = (
        Shock.none(world)
        .with_iceberg_cost(1.1 / 1.3 / 1.05, origin="IND", destination="RUS", sector="food")
        .with_iceberg_cost(1 / 1.1, origin="IND", destination="RUS", sector="machinery")
        .with_iceberg_cost(1 / 1.05, origin="RUS", destination="IND", sector="food")
    )
    solution = solve(world, shock)
    gap = solution.gap_cf_usd("IND", "RUS") - world.gap_usd("IND", "RUS")
    assert float(table.loc["all", "gap_usd"]) == pytest.approx(gap, rel=1e-6)  # pyright: ignore[reportArgumentType]
    parts = table.drop(index="all")
    numbers = [c for c in table.columns if c.endswith(("_usd", "_pct")) and "alone" not in c and "last" not in c]
    assert parts[numbers].sum().to_numpy() == pytest.approx(table.loc["all", numbers].to_numpy(dtype=float), rel=1e-9)
    assert list(table.index) == ["freight", "currency", "insurance", "all"]
    assert np.all(parts.loc["insurance", numbers].to_numpy(dtype=float) == 0)
    assert np.all(parts.loc[["freight", "currency"], "trade_usd"].to_numpy(dtype=float) > 0)


def test_only_the_obstacles_asked_for_are_players(world: World) -> None:
    rows = wedges(("IND", "RUS", "food", "freight", 0.3, 0.2), ("IND", "RUS", "food", "currency", 0.05, 0.05))
    table = attribute_obstacles(world, rows, ("IND", "RUS"), obstacles=["currency"])
    assert list(table["obstacle"]) == ["currency", "all"]
    assert table.attrs["solved"] == 2


def test_wedges_that_cannot_be_used_are_told_all_at_once(world: World) -> None:
    rows = wedges(("IND", "RSU", "food", "freight", 0.3, 0.4), ("IND", "RUS", "fod", "currency", -0.1, 0.0))
    with pytest.raises(InputError) as caught:
        attribute_obstacles(world, rows, ("IND", "RUS"), obstacles=["frieght"])
    assert caught.value.problems == (
        "unknown destination 'RSU'; did you mean 'RUS'?",
        "freight of food: ave 0.3, removable 0.4; expected 0 <= removable <= ave",
        "unknown sector 'fod'; did you mean 'food'?",
        "currency of fod: ave -0.1, removable 0; expected 0 <= removable <= ave",
        "unknown obstacle 'frieght'; did you mean 'freight'? Known: freight, currency",
    )
    with pytest.raises(InputError, match="the column 'ave_low' is missing"):
        attribute_obstacles(world, rows, ("IND", "RUS"), case="low")
