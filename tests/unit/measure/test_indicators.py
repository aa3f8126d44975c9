"""Growth, concentration, two-way trade, price and quantity; mirror statistics; value added."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.core import World
from counterpoise.core.errors import InputError, LabelError
from counterpoise.data import load_table, load_world
from counterpoise.measure import (
    concentration,
    fiscal_reconciliation,
    grubel_lloyd,
    mirror_table,
    price_quantity,
    reconcile,
    value_added_balance,
    value_added_exports,
)
from counterpoise.measure.indicators import yearly_growth_pct

NAN = float("nan")


def _table(rows: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame([(hs, v, q) for hs, (v, q) in rows.items()], columns=["hs", "value_usd", "quantity_t"])


def test_concentration() -> None:
    assert concentration(np.array([1.0, 1.0, 1.0, 1.0])) == 0.25
    assert concentration(np.array([3.0, NAN, 0.0])) == 1.0
    assert np.isnan(concentration(np.array([NAN])))


def test_two_way_trade_is_unknown_where_a_side_is() -> None:
    assert grubel_lloyd(np.array([5.0]), np.array([5.0])) == 1.0
    assert np.isnan(grubel_lloyd(np.array([5.0]), np.array([NAN])))
    with pytest.raises(LabelError, match="expected both directions of the same products"):
        grubel_lloyd(np.array([5.0]), np.array([5.0, 1.0]))


def test_price_and_quantity_by_hand() -> None:
    parts = price_quantity(
        _table({"270900": (100.0, 10.0), "300490": (5.0, NAN), "100630": (7.0, 1.0)}),
        _table({"270900": (240.0, 12.0), "300490": (8.0, 2.0), "310210": (3.0, 1.0)}),
    )
    # 10 to 20 USD a tonne at a mean of 11 tonnes, 2 tonnes more at a mean of 15 USD.
    assert parts.totals["price_effect_usd"] == pytest.approx(110.0)
    assert parts.totals["quantity_effect_usd"] == pytest.approx(30.0)
    assert parts.totals["entry_exit_usd"] == -4.0
    assert parts.totals["unexplained_usd"] == 3.0
    assert parts.covered_share == pytest.approx(350 / 363)
    with pytest.raises(LabelError, match="before: 27 stand twice"):
        price_quantity(pd.concat([_table({"27": (1.0, 1.0)})] * 2), _table({}))


_side = st.dictionaries(
    st.sampled_from(["01", "02", "03", "04"]),
    st.tuples(st.floats(0.0, 1e9), st.none() | st.just(0.0) | st.floats(1e-3, 1e6)),
    min_size=1,
)


@given(before=_side, after=_side)
def test_the_parts_add_up_to_the_change(
    before: dict[str, tuple[float, float | None]], after: dict[str, tuple[float, float | None]]
) -> None:
    sides = [_table({k: (v, NAN if q is None else q) for k, (v, q) in side.items()}) for side in (before, after)]
    parts = price_quantity(*sides)
    totals = parts.totals
    effects = sum(totals[f"{name}_usd"] for name in ("price_effect", "quantity_effect", "entry_exit", "unexplained"))
    delta = sum(v for v, _ in after.values()) - sum(v for v, _ in before.values())
    # A tiny quantity beside a huge one makes the two effects cancel: rounding is relative to the larger of them.
    terms = ["price_effect_usd", "quantity_effect_usd", "before_usd", "after_usd"]
    scale = 1 + parts.rows[terms].abs().fillna(0.0).to_numpy().max()
    assert abs(effects - delta) <= 1e-9 * scale


def test_reports_are_made_one() -> None:
    both = reconcile(100.0, 127.2, cif_factor=1.06)
    assert (both.value_usd, both.basis) == (pytest.approx(110.0), "both sides")
    assert both.cif_fob_ratio == pytest.approx(1.272)
    assert both.log_gap == pytest.approx(np.log(1.2))
    assert reconcile(100.0, NAN).basis == "exporter only"
    assert reconcile(NAN, 106.0).value_usd == pytest.approx(100.0)
    assert np.isnan(reconcile(NAN, NAN).value_usd)
    assert reconcile(0.0, 106.0).value_usd == pytest.approx(50.0)
    with pytest.raises(InputError, match=r"exporter -1, cif_factor 0\.9"):
        reconcile(-1.0, 2.0, cif_factor=0.9)


def test_what_is_reported_of_india_and_russia() -> None:
    rows = cast(Any, mirror_table("IND", "RUS", load_table).rows.set_index(["period", "origin"]))
    fiscal = rows.loc[("FY2024-25", "RUS")]
    assert fiscal["basis"] == "mirror: importer only"
    assert fiscal["reconciled_usd"] == pytest.approx(63811.44e6 / 1.06)
    assert rows.loc[("FY2024-25", "IND"), "basis"] == "exporter only"
    assert rows.loc[("CY2024", "IND"), "basis"] == "mirror: RUS publishes nothing, as IND reports"
    census = cast(Any, mirror_table("IND", "USA", load_table).rows.set_index(["period", "origin"]))
    assert census.loc[("CY2024", "IND"), "importer_valuation"] == "customs value"


def test_a_further_report_meets_the_one_at_hand() -> None:
    more = pd.DataFrame(
        [("FY2024-25", "IND", "RUS", "importer", 5.3e9, "CIF")],
        columns=["period", "origin", "destination", "reporter", "value_usd", "valuation"],
    )
    rows = cast(Any, mirror_table("IND", "RUS", load_table, source=more).rows.set_index(["period", "origin"]))
    row = rows.loc[("FY2024-25", "IND")]
    assert row["basis"] == "both sides"
    assert row["reconciled_usd"] == pytest.approx((4881.3e6 + 5.0e9) / 2)


def test_fiscal_years_lead_to_the_calendar_year() -> None:
    calendar = pd.DataFrame(
        [("CY2024", "IND", "RUS", 4810.85e6), ("CY2024", "RUS", "IND", 63651.25e6), ("CY2050", "IND", "RUS", 1.0)],
        columns=["period", "origin", "destination", "value_usd"],
    )
    steps = cast(Any, fiscal_reconciliation("IND", "RUS", load_table("years"), calendar).set_index("origin"))
    assert steps.loc["IND", "shifted_usd"] == pytest.approx(0.25 * 4261.62e6 + 0.75 * 4881.3e6)
    assert steps.loc["IND", "valuation_effect_usd"] == 0.0
    ends = steps["fiscal_beginning_usd"] + steps["calendar_effect_usd"] + steps["valuation_effect_usd"]
    assert list(ends + steps["unexplained_usd"]) == pytest.approx(list(steps["calendar_usd"]))
    with pytest.raises(InputError, match="no calendar year of DEU and FRA"):
        fiscal_reconciliation("DEU", "FRA", load_table("years"), calendar)


def test_growth_a_year() -> None:
    assert yearly_growth_pct(63.8, 100.0, 5) == pytest.approx(100 * ((100 / 63.8) ** 0.2 - 1))
    assert np.isnan(yearly_growth_pct(0.0, 1.0, 2))
    with pytest.raises(InputError, match="years = 0"):
        yearly_growth_pct(1.0, 2.0, 0)


def test_value_added_by_hand() -> None:
    """A sells B steel worth 10, made with 4 of B's ore; B turns it into final goods of 15 for itself."""
    flow = np.zeros((2, 2, 2))
    flow[0, 1, 1] = 10.0  # A's goods to B
    flow[1, 0, 0] = 4.0  # B's ore to A
    flow[0, 0, 1], flow[1, 1, 1] = 5.0, 15.0
    inputs = np.zeros((2, 2, 2))
    inputs[0, 0, 1] = 4.0 / 15.0
    inputs[1, 1, 1] = 10.0 / 15.0
    world = World.from_arrays(
        countries=["A", "B"], sectors=["ore", "goods"], flow=flow, io_coefficient=inputs, trade_elasticity=4.0
    )
    balance = value_added_balance(world, "A", "B")
    # B's final goods hold 10 of A's, of which 4/15 is B's ore; A's own 5 hold 4/15 of ore, too.
    assert balance.totals["a_in_b_usd"] == pytest.approx(10.0 * 11 / 15)
    assert balance.totals["b_in_a_usd"] == pytest.approx(5.0 * 4 / 15)
    assert balance.totals["a_vax_ratio"] == pytest.approx(11 / 15)
    with pytest.raises(InputError, match="'C' is not a country of the world"):
        value_added_balance(world, "A", "C")


def test_value_added_is_all_traced_to_its_buyers() -> None:
    world = load_world()
    traced = value_added_exports(world)
    made = world.value_added.to_numpy()
    assert np.max(np.abs(traced.sum(axis=2) - made) / np.maximum(made, 1.0)) < 1e-9
    assert traced.min() > -1e-3
    totals = value_added_balance(world, "RUS", "IND").totals
    # What Russia sells India is oil: nearly all of it is Russian value added, and some reaches India through others.
    assert 0.8 < totals["a_vax_ratio"] < 1.3
