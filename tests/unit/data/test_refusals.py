"""What the builder refuses: every fault of a table at once, by name, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import DataError, InputError, SourceMissingError, UnbalancedError
from counterpoise.data import build_world, load_table, load_world, locate_sources
from counterpoise.data.builder.icio import world_from_icio
from counterpoise.data.builder.pipeline import line_problems
from counterpoise.data.builder.tariffs import read_tariffs
from counterpoise.data.concordance import regions, sectors

NO_TARIFFS = np.zeros((len(regions()), len(regions()), len(sectors())))


def icio() -> pd.DataFrame:
    """Return a balanced table of two countries and two sectors, with value added."""
    cells = [
        ("IND", "food", "IND", "food", 10.0),
        ("IND", "food", "IND", "final", 50.0),
        ("IND", "food", "RUS", "final", 20.0),
        ("IND", "fuel", "IND", "food", 5.0),
        ("IND", "fuel", "IND", "final", 15.0),
        ("RUS", "food", "RUS", "final", 30.0),
        ("RUS", "fuel", "IND", "food", 15.0),
        ("RUS", "fuel", "RUS", "final", 25.0),
        ("IND", "value_added", "IND", "food", 50.0),
        ("IND", "value_added", "IND", "fuel", 20.0),
        ("RUS", "value_added", "RUS", "food", 30.0),
        ("RUS", "value_added", "RUS", "fuel", 40.0),
    ]
    return pd.DataFrame(cells, columns=["origin", "sector", "destination", "use", "value_usd"])


def test_a_table_of_your_own_becomes_a_balanced_world(tmp_path: Path) -> None:
    tariffs = pd.DataFrame({"origin": ["IND"], "destination": ["RUS"], "sector": ["food"], "tariff_rate": [0.1]})
    icio().to_csv(tmp_path / "table.csv", index=False)
    world = world_from_icio(tmp_path / "table.csv", trade_elasticity={"food": 4.0, "fuel": 8.0}, tariffs=tariffs)
    assert world.countries == ("IND", "RUS")
    assert world.sectors == ("food", "fuel")
    assert world.check(1e-12) == ()
    assert float(world.io_coefficient.sel(country="IND", sector="fuel", using_sector="food")) == pytest.approx(20 / 80)
    assert world.tariff_revenue.to_numpy() == pytest.approx([0.0, 2.0])


def test_an_unbalanced_table_is_refused_with_the_sectors_named() -> None:
    table = icio()
    table.loc[1, "value_usd"] = 70.0
    table.loc[11, "value_usd"] = 45.0
    with pytest.raises(UnbalancedError) as caught:
        world_from_icio(table, trade_elasticity=4.0)
    assert caught.value.problems == (
        "IND food: sales 100, inputs 30 + value added 50",
        "RUS fuel: sales 40, inputs 0 + value added 45",
    )


def test_sales_below_costs_are_refused_where_no_value_added_is_stated() -> None:
    table = icio().iloc[:8].copy()
    table.loc[6, "value_usd"] = 95.0
    with pytest.raises(UnbalancedError, match="IND food: sales 80 are less than inputs 110"):
        world_from_icio(table, trade_elasticity=4.0)


def test_every_faulty_cell_of_a_table_is_named_at_once() -> None:
    table = icio()
    table.loc[0, "value_usd"] = -1.0
    table.loc[1, "value_usd"] = np.nan
    table.loc[2, "destination"] = "XYZ"
    table.loc[3, "use"] = "foood"
    table = pd.concat([table, table.iloc[[5]]])
    with pytest.raises(DataError) as caught:
        world_from_icio(table, trade_elasticity=4.0)
    text = str(caught.value)
    for words in (
        "IND food -> IND food: -1.0 is negative",
        "IND food -> IND final: nan is not a number",
        "IND food -> XYZ final: 20.0 goes to a country that sells nothing",
        "IND fuel -> IND foood: 5.0 has an unknown use",
        "RUS food -> RUS final: 30.0 is given more than once",
    ):
        assert words in text


def test_every_faulty_line_of_goods_trade_is_named() -> None:
    lines = pd.DataFrame(
        [
            ("IND", "RUS", "300490", "reported", 5),
            ("IND", "RUS", "300490", "reported", 6),
            ("IND", "XXX", "300490", "reported", 7),
            ("USA", "USA", "010121", "reported", 8),
            ("CHN", "IND", "851713", "reported", -9),
        ],
        columns=["origin", "destination", "hs6", "source", "value_usd"],
    )
    found = line_problems(lines)
    assert "CHN -> IND, HS 851713: -9 is negative; expected 0 or more" in found
    assert "IND -> XXX, HS 300490: 7 has an unknown region" in found
    assert "USA -> USA, HS 010121: 8 is a region's trade with itself; it belongs to domestic sales" in found
    assert sum("given more than once" in problem for problem in found) == 2


def test_every_faulty_line_of_a_tariff_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tariffs.csv"
    path.write_text(
        "origin,destination,sector,tariff_rate\nIND,USA,fod,0.5\nINDIA,USA,food,0.5\nIND,USA,food,5000\n"
        "IND,USA,gems,0.5\nIND,USA,gems,0.4\nUSA,USA,coal,0.1\n"
    )
    with pytest.raises(DataError) as caught:
        read_tariffs(path, NO_TARIFFS)
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    for words in ("did you mean 'food'?", "unknown origin 'INDIA'", "'5000' is not a number", "twice", "on itself"):
        assert words in text


def test_a_tariff_file_replaces_only_its_cells(tmp_path: Path) -> None:
    path = tmp_path / "tariffs.csv"
    path.write_text("origin,destination,sector,tariff_rate\nIND,USA,gems,0.25\n")
    rates = read_tariffs(path, NO_TARIFFS)
    cell = (regions().index("IND"), regions().index("USA"), sectors().index("gems"))
    assert rates[cell] == 0.25
    assert rates.sum() == 0.25
    assert NO_TARIFFS.sum() == 0


def test_a_tariff_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tariffs.csv"
    path.write_text("origin,destination,rate\nIND,USA,0.25\n")
    with pytest.raises(DataError, match="lacks the columns sector, tariff_rate"):
        read_tariffs(path, NO_TARIFFS)


def test_missing_sources_are_named_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceMissingError, match="--sources DIR"):
        locate_sources(tmp_path / "nowhere")
    monkeypatch.setenv("COUNTERPOISE_DATA", str(tmp_path))
    with pytest.raises(SourceMissingError) as caught:
        build_world(out=tmp_path / "out")
    assert len(caught.value.problems) == 12
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out").exists()


def _sources_with(sources: Path, folder: Path, replaced: str, table: pd.DataFrame) -> Path:
    """Mirror the raw sources by links, with one file replaced."""
    for path in (p for part in ("data", "facts") for p in (sources / part).rglob("*") if p.is_file()):
        link = folder / path.relative_to(sources)
        link.parent.mkdir(parents=True, exist_ok=True)
        if str(path.relative_to(sources)) != replaced:
            link.symlink_to(path)
        elif link.suffix == ".csv":
            table.to_csv(link, index=False)
        else:
            table.to_parquet(link)
    return folder


def test_a_malformed_input_output_table_stops_the_build_and_nothing_is_written(sources: Path, tmp_path: Path) -> None:
    name = "data/wiod2011/flows.parquet"
    flows = pd.read_parquet(sources / name)
    flows.loc[0, "value"] = -8732.0
    flows.loc[5, "value"] = np.nan
    bad = _sources_with(sources, tmp_path / "bad", name, flows)
    with pytest.raises(DataError) as caught:
        build_world(bad, tmp_path / "out")
    assert "AUS c1 AUS c1: -8732.0" in caught.value.problems
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "out").exists()


def test_a_country_without_gdp_stops_the_build(sources: Path, tmp_path: Path) -> None:
    name = "data/baci2023/countries.csv"
    gdp = pd.read_csv(sources / name, keep_default_na=False)
    gdp.loc[gdp["iso3"] == "IND", "gdp_usd"] = -1
    bad = _sources_with(sources, tmp_path / "bad", name, gdp)
    with pytest.raises(DataError, match=r"IND: -1\.0"):
        build_world(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'embedded2024'"):
        load_world("embeded2024")
    with pytest.raises(InputError, match="did you mean 'products'"):
        load_table("product")
    with pytest.raises(InputError, match="Known: cp2015, fgo, gtap"):
        load_world(elasticities="ossa")
    with pytest.raises(InputError, match="did you mean 'gtap'"):
        build_world(elasticities="gtapp")
