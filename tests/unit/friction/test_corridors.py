"""What another network does to the wedge, by hand on two routes and on the shipped corridors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.friction import friction_report
from counterpoise.friction.corridors import SURCHARGE_USD

VALUE, SPREAD = 40_000.0, 400.0
TWO_LEGS = [
    {"name": "by_sea", "start": "VNM", "end": "BRA", "mode": "sea", "passage": "canal", "corridor": "Sea",
     "cost": 3000, "days": 30},
    {"name": "to_hub", "start": "VNM", "end": "hub", "mode": "rail", "passage": "land", "corridor": "Land",
     "cost": 1000, "days": 5},
    {"name": "from_hub", "start": "hub", "end": "BRA", "mode": "rail", "passage": "land", "cost": 3000, "days": 10},
]  # fmt: skip


def own_pair(legs: list[dict[str, Any]], **more: Any) -> pd.DataFrame:
    """Return the changes of a pair with corridors of its own; shipped defaults of the pair are closed off."""
    dear = [
        {"name": name, "start": "VNM", "end": f"{name} nowhere", "mode": "sea", "cost": 1, "days": 1}
        for name in ("generic_port", "generic_sea", "generic_customs", "generic_inland")
    ]
    overrides = {
        "legs": [*dear, *legs],
        "sectors": {"machinery": {"cargo_value": VALUE, "value_of_time": 1.0}},
        "freight": {"route_dispersion": SPREAD},
        **more,
    }
    return friction_report("VNM", "BRA", ["machinery"], overrides=overrides).corridor_changes


def log_sum(*costs: float) -> float:
    return -SPREAD * math.log(sum(math.exp(-cost / SPREAD) for cost in costs))


def change_of(table: pd.DataFrame, kind: str, what: str) -> pd.Series[Any]:
    found = table[(table["kind"] == kind) & (table["what"] == what)]
    assert len(found) == 1
    return found.iloc[0]


def test_changes_are_differences_of_log_sums() -> None:
    table = own_pair(TWO_LEGS)
    sea, land = 3000 + 30 * 0.01 * VALUE, 4000 + 15 * 0.01 * VALUE
    now = log_sum(sea, land)
    expected = {
        ("closed", "canal"): land - now,
        ("closed", "land"): sea - now,
        ("surcharge", "canal"): log_sum(sea + SURCHARGE_USD, land) - now,
        ("surcharge", "land"): log_sum(sea, land + SURCHARGE_USD) - now,
        ("without", "Sea"): land - now,
        ("without", "Land"): sea - now,
    }
    for (kind, what), usd in expected.items():
        row = change_of(table, kind, what)
        assert row["mean_ave_change"] == pytest.approx(usd / VALUE, rel=1e-9)
        assert row["most_sector"] == "machinery"


def test_where_no_way_is_left_the_change_is_absent_and_said() -> None:
    row = change_of(own_pair(TWO_LEGS[:1]), "closed", "canal")
    assert not row["open"]
    assert math.isnan(row["mean_ave_change"])


def test_a_new_corridor_of_the_users_lowers_the_wedge_and_a_closed_one_raises_it() -> None:
    new = {"name": "new_rail", "start": "IND", "end": "RUS", "mode": "rail", "cost": 2500, "days": 12}
    better = friction_report("IND", "RUS", ["machinery"], overrides={"legs": [new]}).corridor_changes
    assert change_of(better, "given", "your own network")["mean_ave_change"] < -0.05
    worse = friction_report("IND", "RUS", ["machinery"], overrides={"close": "iran"}).corridor_changes
    assert change_of(worse, "given", "your own network")["mean_ave_change"] > 0.01
    untouched = friction_report("IND", "RUS", ["machinery"]).corridor_changes
    assert "given" not in set(untouched["kind"])


def test_closing_the_passage_of_a_corridor_costs_at_least_what_the_corridor_is_worth() -> None:
    table = friction_report("IND", "RUS", ["food", "machinery"]).corridor_changes
    closed = change_of(table, "closed", "iran")["mean_ave_change"]
    without = change_of(table, "without", "INSTC sea and rail")["mean_ave_change"]
    assert closed >= without > 0
    assert np.all(table["mean_ave_change"].to_numpy(dtype=np.float64) >= -1e-12)


def test_a_surcharge_is_paid_once_however_many_legs_lie_in_the_passage() -> None:
    report = friction_report("IND", "RUS", ["machinery"])
    dearer = friction_report("IND", "RUS", ["machinery"], overrides={"surcharge": {"iran": 1000}})
    cost = report.routes.set_index("route")["cost_usd_central"]
    more = dearer.routes.set_index("route")["cost_usd_central"]
    assert more["INSTC sea and rail"] == cost["INSTC sea and rail"] + 1000
    assert more["INSTC across the Caspian"] == cost["INSTC across the Caspian"] + 1000
    assert more["Suez to Novorossiysk"] == cost["Suez to Novorossiysk"]


def test_legs_add_up_to_their_corridor() -> None:
    report = friction_report("IND", "RUS", ["machinery", "coal"])
    for name in ("cost_usd_central", "days_central"):
        parts = report.legs.groupby("route")[name].sum()
        whole = report.routes.set_index("route")[name]
        np.testing.assert_allclose(parts.loc[whole.index].to_numpy(), whole.to_numpy())
