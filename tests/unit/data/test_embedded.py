"""The embedded world and its tables: balanced, true to the published flows, reproduced by the builder to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from counterpoise.data import BuildResult, build_world, load_table, load_world
from counterpoise.data.builder.card import HEADLINES, headline_flows
from counterpoise.data.builder.pipeline import STEPS
from counterpoise.data.concordance import regions, sectors
from counterpoise.data.store import TABLES, embedded_path

CARD = Path(__file__).resolve().parents[3] / "docs" / "data-card.md"
FARM = tuple(f"{chapter:02d}" for chapter in range(1, 25))


@pytest.fixture(scope="module")
def built(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return build_world(sources, tmp_path_factory.mktemp("built"))


def test_every_identity_holds_to_the_last_digits() -> None:
    world = load_world()
    assert world.countries == regions()
    assert world.sectors == sectors()
    assert world.check(1e-12) == ()
    assert float(world.value_added_share.min()) > 0.04
    assert float(world.consumption_share.min()) >= 0


def test_published_flows_of_2024_are_kept() -> None:
    assert len(HEADLINES) == 4
    for origin, destination, published, in_world in headline_flows(load_world()):
        assert in_world == pytest.approx(published, rel=1e-3), (origin, destination)


def test_value_added_is_gdp_2023() -> None:
    value_added = load_world().value_added.sum("sector")
    assert float(value_added.sel(country="IND")) == pytest.approx(3.5676e12, rel=1e-4)
    assert float(value_added.sel(country="USA")) == pytest.approx(2.784328e13, rel=1e-4)
    assert float(value_added.sel(country="TWN")) == pytest.approx(7.559e11, rel=1e-4)


def test_tariffs_are_zero_at_home_and_on_services_and_within_agreements() -> None:
    tariff = load_world().tariff_rate
    home = np.diagonal(tariff.to_numpy(), axis1=0, axis2=1)
    assert np.all(home == 0)
    assert float(tariff.sel(sector=list(sectors()[20:])).max()) == 0
    assert float(tariff.sel(origin="RUS", destination="EAEU").max()) == 0
    assert float(tariff.sel(origin="IND", destination="USA", sector="pharmaceuticals")) == pytest.approx(0, abs=1e-3)
    assert 0.05 < float(tariff.sel(origin="IND", destination="USA", sector="textiles_apparel")) < 0.15
    assert float(tariff.max()) < 2


@pytest.mark.parametrize("name", ["cp2015", "gtap"])
def test_other_elasticities_are_a_switch_away(name: str) -> None:
    table = load_table("elasticities")
    expected = table[table["set"] == name].set_index("sector")["trade_elasticity"]
    world = load_world(elasticities=name)
    assert world.trade_elasticity.to_series().to_dict() == pytest.approx(expected.to_dict())
    assert world.check(1e-12) == ()


def test_elasticities_of_customs_value_flows_are_taken_as_sigma() -> None:
    theta = load_table("elasticities").set_index(["set", "sector"])["trade_elasticity"]
    assert theta["fgo", "pharmaceuticals"] == pytest.approx(7.9163017 - 1)
    assert theta["fgo", "crude_oil_gas"] == pytest.approx(10.892274 - 1)
    assert theta["fgo", "business_services"] == 5
    assert theta["cp2015", "machinery"] == pytest.approx(1.45)
    assert theta["gtap", "pharmaceuticals"] == pytest.approx(5.6)


def test_products_add_up_to_the_flows_of_the_world() -> None:
    products = load_table("products")
    by_pair = products[products["level"] == "hs4"].groupby(["origin", "destination"])["value_usd"].sum()
    for origin, destination, published, _ in headline_flows(load_world()):
        assert by_pair[origin, destination] / 1e9 == pytest.approx(published, rel=1e-3)
    assert set(products["hs"].str.len()) == {4, 5, 6}
    assert set(products.loc[products["hs"].str.len() == 5, "hs"]) == {"other"}


def test_fuels_are_89_percent_of_what_india_buys_from_russia() -> None:
    products = load_table("products")
    bought = products[(products["level"] == "hs4") & (products["origin"] == "RUS") & (products["destination"] == "IND")]
    fuels = bought[bought["hs"].str.startswith("27")]["value_usd"].sum() / bought["value_usd"].sum()
    assert float(fuels) == pytest.approx(0.89, abs=0.01)


def test_all_of_russias_farm_and_medicine_imports_cover_56_percent_of_the_gap() -> None:
    products = load_table("products").query("level == 'hs6' and destination == 'RUS'")
    chosen = products[products["hs"].str[:2].isin([*FARM, "30"]) & (products["hs"] != "other")]
    total = chosen.groupby("origin")["value_usd"].sum().astype(float)
    years = load_table("years").set_index(["period", "origin", "destination"])["value_usd"]
    gap = float(years["FY2024-25", "RUS", "IND"] - years["FY2024-25", "IND", "RUS"])
    assert gap == pytest.approx(58.93e9, rel=1e-4)
    assert (total["WORLD"] - total["IND"]) / gap == pytest.approx(0.56, abs=0.01)


def test_absence_is_marked_and_not_zero() -> None:
    pairs = load_table("pairs").set_index(["exporter", "importer"])
    after = pairs["value_2024_usd"]
    absent = after.isna()
    assert absent["RUS", "DEU"]
    assert absent["ARE", "RUS"]
    assert pairs["value_2023_usd"].isna()["KOR", "RUS"]
    assert after["IND", "USA"] == pytest.approx(87.735e9, rel=1e-4)
    used = load_table("episodes").set_index(["kind", "exporter", "importer"])["value_used_usd"]
    assert used["restored", "ARE", "RUS"] == pytest.approx(4.489e9, rel=1e-3)
    assert ("rescaled", "PNG", "*") in used.index


def test_markets_hold_what_is_sold_into_them() -> None:
    markets = load_table("markets").set_index("hs")["value_usd"].astype("float64")
    products = load_table("products")
    assert markets.index.str.fullmatch(r"[0-9]{6}").all()
    assert markets.sum() == pytest.approx(
        products.query("level == 'hs4'")["value_usd"].astype("float64").sum(), rel=1e-3
    )
    sold = products.query("level == 'hs6' and destination == 'WORLD' and hs != 'other'")
    assert (sold["value_usd"] <= 1.001 * sold["hs"].map(markets)).all()


def test_headings_have_names() -> None:
    names = load_table("headings").set_index("hs")["name"]
    assert names["0306"].startswith("Crustaceans")
    assert names["3004"].startswith("Medicaments")
    # Of a heading whose goods differ, each is named: a jet is no helicopter, gold no "metals".
    assert names["8802"] == "Helicopters; Aeroplanes and other aircraft; Spacecraft"
    assert names["7108"] == "Metals: gold; Gold, monetary"
    assert names["6204"].startswith("Suits; Ensembles; Jackets and blazers")
    assert names.index.is_unique


def test_what_is_shipped_is_small() -> None:
    files = list(embedded_path("embedded2024").parent.glob("*.parquet"))
    assert {path.stem for path in files} >= {"embedded2024", *TABLES}
    assert sum(path.stat().st_size for path in files) < 3_000_000


@pytest.mark.slow
def test_the_builder_reproduces_what_is_shipped_to_the_byte(built: BuildResult) -> None:
    differing: list[str] = []
    for path in built.written:
        shipped = CARD if path.suffix == ".md" else embedded_path(path.stem)
        if path.stem == "adjustments":
            continue
        if path.suffix == ".parquet":
            writers = {pq.read_metadata(p).created_by for p in (path, shipped)}
            if len(writers) > 1:
                pytest.skip(f"Parquet writers differ, so bytes do: {', '.join(sorted(writers))}")
        if path.read_bytes() != shipped.read_bytes():
            differing.append(path.name)
    assert differing == []


@pytest.mark.slow
def test_a_build_tells_where_it_is_and_what_it_moved(built: BuildResult) -> None:
    assert built.world.check(1e-12) == ()
    assert len(STEPS) == 7
    moves = built.adjustments
    assert len(moves) == 24 * 25 * 28
    size = (moves["after_usd"] - moves["before_usd"]).abs().to_numpy()
    assert np.all(np.diff(size) <= 0)
    assert "balancing moved" in repr(built)
    assert all(len(digest) == 64 for digest in built.digests.values())
