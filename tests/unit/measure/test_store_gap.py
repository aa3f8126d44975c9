"""The gap from the trade store: any pair, any level, groups, missing importers, price and quantity."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.data.trade_import import ImportOptions
from counterpoise.data.trade_store import TradeStore, import_trade
from counterpoise.measure import gap
from counterpoise.measure.store_gap import members_of, price_quantity_of_pair
from counterpoise.measure.views import view

LINES = """origin,destination,hs,value_usd,quantity_t
MEX,POL,870323,100,10
MEX,POL,270900,50,100
POL,MEX,850760,80,4
POL,MEX,870323,20,2
MEX,AUT,870323,7,1
AUT,POL,870323,9,1
DEU,MEX,870323,70,5
RUS,IND,270900,500,1000
IND,RUS,300490,40,2
"""


@pytest.fixture
def store(tmp_path: Path) -> TradeStore:
    """Return two years without the imports of Germany; prices double and quantities stay."""
    for year, text in ((2023, LINES), (2024, LINES.replace("270900,50,100", "270900,100,100"))):
        path = tmp_path / f"{year}.csv"
        path.write_text(text)
        import_trade(path, tmp_path / "store", year=year, options=ImportOptions(title="A test", revision="HS17"))
    return TradeStore.open(tmp_path / "store")


def test_any_pair_at_any_level(store: TradeStore) -> None:
    table = gap("MEX", "POL", by="hs2", store=store)
    assert dict(zip(table.rows["hs2"], table.rows["gap_usd"], strict=True)) == {"27": 100.0, "87": 80.0, "85": -80.0}
    assert table.totals["gap_usd"] == 100.0
    assert gap("MEX", "POL", by="hs2", store=store, year=2023).totals["gap_usd"] == 50.0
    assert list(gap("MEX", "POL", by="section", store=store).rows["section"].sort_values()) == ["V", "XVI", "XVII"]
    assert "vehicles" in " ".join(gap("MEX", "POL", by="sector", store=store).rows["sector"])
    # Shares 1/2 and 1/2 there, 4/5 and 1/5 back; two-way in cars only: 1 - (80 + 100 + 80) / 300.
    assert table.indicators["a_to_b_hhi"] == 0.5
    assert table.indicators["b_to_a_hhi"] == pytest.approx(0.68)
    assert table.indicators["grubel_lloyd"] == pytest.approx(1 - 260 / 300)


def test_a_missing_importer_is_said_beside_the_number(store: TradeStore) -> None:
    table = gap("MEX", "DEU", by="hs2", store=store)
    assert table.rows["a_to_b_usd"].isna().all()
    assert list(table.rows["a_to_b_basis"]) == ["absent: importer missing"]
    assert list(table.rows["b_to_a_basis"]) == ["reconciled"]
    assert np.isnan(table.totals["gap_usd"])
    assert any("has no imports of DEU. Absent is not zero" in caveat for caveat in table.caveats)


def test_a_group_is_its_members_of_the_year_without_those_that_do_not_report(store: TradeStore) -> None:
    assert members_of("EU", store, 2024) == ("AUT", "DEU", "POL")
    table = gap("MEX", "EU", by="hs2", store=store)
    assert table.totals["a_to_b_usd"] == 207.0
    assert table.rows["a_to_b_basis"].iloc[0] == "reconciled; without DEU"
    assert any("lacks the imports of DEU" in caveat for caveat in table.caveats)
    with pytest.raises(InputError, match="'POL' and 'EU' share POL"):
        gap("POL", "EU", by="hs2", store=store)


def test_mirror_bias_is_said(store: TradeStore) -> None:
    table = gap("RUS", "IND", by="hs6", store=store)
    assert set(table.rows["a_to_b_basis"]) == {"mirror: RUS publishes nothing, as IND reports"}
    assert any(
        "IND -> RUS: RUS reports nothing in 2024: the numbers are what partners report" in caveat
        for caveat in table.caveats
    )


def test_years_of_the_store(store: TradeStore) -> None:
    rows = gap("MEX", "POL", store=store).rows.set_index("period")
    assert list(rows.index) == ["CY2023", "CY2024"]
    assert rows["a_to_b_growth_pct"]["CY2024"] == pytest.approx(100 * 50 / 150)


def test_price_and_quantity_of_a_pair(store: TradeStore) -> None:
    parts = price_quantity_of_pair("MEX", "POL", store, 2023, 2024)
    assert parts.totals["price_effect_usd"] == pytest.approx(50.0)
    assert parts.totals["quantity_effect_usd"] == pytest.approx(0.0)
    assert parts.covered_share == 1.0
    shown = view("prices", "MEX", "POL", store=store)
    assert shown.totals["MEX_to_POL_price_effect_usd"] == pytest.approx(50.0)


def test_years_of_different_revisions_are_not_compared(store: TradeStore, tmp_path: Path) -> None:
    path = tmp_path / "2025.csv"
    path.write_text(LINES)
    later = import_trade(path, tmp_path / "store", year=2025, options=ImportOptions(revision="HS22"))
    with pytest.raises(InputError, match="2024 and 2025 are of different revisions"):
        view("prices", "MEX", "POL", store=later)


def test_reports_of_one_side_meet_in_the_mirror(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(LINES)
    by_importer = ImportOptions(basis="reported by the importer", valuation="CIF")
    store = import_trade(path, tmp_path / "store", year=2022, options=by_importer)
    rows = cast(Any, view("mirror", "RUS", "IND", store=store, year=2022).rows.set_index(["period", "origin"]))
    assert rows.loc[("CY2022", "RUS"), "basis"] == "mirror: importer only"
    assert rows.loc[("CY2022", "RUS"), "reconciled_usd"] == pytest.approx(500 / 1.06)


def test_nobody_of_that_name(store: TradeStore) -> None:
    with pytest.raises(InputError, match="unknown country 'MEXX'"):
        gap("MEXX", "POL", by="hs2", store=store)
    with pytest.raises(InputError, match="no member of 'GCC' trades in 2024"):
        gap("GCC", "POL", by="hs2", store=store)


def test_the_pairs_of_the_references(sources: Path) -> None:
    """India and Russia as published, and US imports as its Census reports them where the store has none."""
    parquet = sources / "data" / "baci2024_hs17" / "trade_hs6.parquet"
    store = TradeStore.over(parquet, year=2024, title="BACI", vintage="2024", licence="Etalab 2.0")
    table = gap("RUS", "IND", by="hs2", store=store)
    assert table.totals["a_to_b_usd"] == pytest.approx(63.65e9, rel=1e-4)
    assert table.totals["b_to_a_usd"] == pytest.approx(4.81e9, rel=1e-3)
    fuels = table.rows.set_index("hs2")["a_to_b_usd"]["27"] / table.totals["a_to_b_usd"]
    assert fuels == pytest.approx(0.89, abs=0.005)
    usa = gap("VNM", "USA", by="hs2", store=store)
    assert set(usa.rows["a_to_b_basis"]) == {"mirror: US Census, imports for consumption at customs value"}
    assert usa.totals["a_to_b_usd"] > 100e9


def test_countries_that_report_nothing_are_found_in_the_store_and_said_beside_the_number(tmp_path: Path) -> None:
    """Three large countries without any trade among them: BGD, VNM and ARE."""
    silent, others = ("ARE", "BGD", "VNM"), ("CHN", "IND", "JPN")
    lines = [
        f"{i},{j},270900,50000000000"
        for i in (*silent, *others)
        for j in (*silent, *others)
        if i != j and not {i, j} <= set(silent)
    ]
    path = tmp_path / "flows.csv"
    path.write_text("origin,destination,hs,value_usd\n" + "\n".join(lines) + "\n")
    with import_trade(path, tmp_path / "store", year=2021) as store:
        mirrored = gap("BGD", "CHN", by="hs2", store=store)
        assert set(mirrored.rows["a_to_b_basis"]) == {"mirror: BGD reports nothing, as CHN reports"}
        assert any("CHN -> BGD: BGD reports nothing in 2021" in caveat for caveat in mirrored.caveats)
        absent = gap("BGD", "VNM", by="hs2", store=store)
        assert any("neither BGD nor VNM reports that year. Absent is not zero" in caveat for caveat in absent.caveats)
        assert set(gap("IND", "CHN", by="hs2", store=store).rows["a_to_b_basis"]) == {"reconciled"}
    one_sided = ImportOptions(basis="reported by the importer")
    with import_trade(path, tmp_path / "other", year=2021, options=one_sided) as store:
        assert set(gap("BGD", "CHN", by="hs2", store=store).rows["a_to_b_basis"]) == {"reported by the importer"}
