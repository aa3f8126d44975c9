"""A world from any input-output table: editions of the OECD, WIOD, mappings, customs trade, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import World
from counterpoise.core.errors import DataError, InputError, UnbalancedError
from counterpoise.data.builder.mapping import divisions_of, hs_of_industries, read_sectors
from counterpoise.data.builder.table_read import read_table_file
from counterpoise.data.builder.table_world import build_table_world
from counterpoise.data.trade_store import import_trade

COUNTRIES = ("IND", "RUS", "ROW")
EDITIONS = {
    "2021_SML2018.csv": ("01T02", "05T06", "20", "45T47"),
    "2020_SML.csv": ("A01_02", "B05_06", "C20", "G"),
    "2022_SML.csv": ("A01", "B06", "C20", "G"),
}
"""File name and industries (farming, mining, chemicals, trade) as the editions of 2021, 2023 and 2025 write them."""


def _numbers() -> tuple[np.ndarray, np.ndarray]:
    """Return a balanced table in million USD: sales to industries (12, 12) and to final demand (12, 3)."""
    draws = np.random.default_rng(20251003)
    n = len(COUNTRIES) * 4
    sales = draws.uniform(1.0, 10.0, (n, n))
    final = draws.uniform(20.0, 60.0, (n, len(COUNTRIES)))
    home = np.arange(n)[:, None] // 4
    sales *= np.where(home == np.arange(n)[None] // 4, 1.0, 0.1)
    final *= np.where(home == np.arange(len(COUNTRIES))[None], 1.0, 0.1)
    final += (np.maximum(sales.sum(axis=0) - sales.sum(axis=1), 0.0) / len(COUNTRIES))[:, None]
    return sales, final


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a table of the OECD as CSV and return its path."""

    def write(name: str = "2022_SML.csv", *, spoil: float = 0.0, stocks: float = 0.0) -> Path:
        industries = EDITIONS[name]
        labels = [f"{c}_{i}" for c in COUNTRIES for i in industries]
        sales, final = _numbers()
        stock = np.zeros_like(final)
        stock[0, 1] = stocks
        header = [
            "V1", *labels,
            *(f"{c}_{use}" for use in ("HFCE", "INVNT") for c in COUNTRIES), "OUT",
        ]  # fmt: skip
        output = sales.sum(axis=1) + final.sum(axis=1) + stock.sum(axis=1)
        value_added = output - sales.sum(axis=0)
        value_added[1] += spoil
        rows = [[label, *sales[k], *final[k], *stock[k], output[k]] for k, label in enumerate(labels)]
        blank = [0.0] * (2 * len(COUNTRIES))
        rows.append(["TLS", *np.zeros(len(labels)), *blank, 0.0])
        rows.append(["VA", *value_added, *blank, value_added.sum()])
        rows.append(["OUT", *(sales.sum(axis=0) + value_added), *final.sum(axis=0), *stock.sum(axis=0), 0.0])
        path = tmp_path / name
        path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", EDITIONS)
def test_every_edition_gives_a_balanced_world_with_its_own_labels(table: Callable[..., Path], name: str) -> None:
    built = build_table_world(table(name))
    sales, final = _numbers()
    assert built.world.countries == COUNTRIES
    assert built.world.sectors == EDITIONS[name]
    assert built.world.check(1e-9) == ()
    made = 1e6 * (sales.sum(axis=1) + final.sum(axis=1))
    assert built.world.gross_output.to_numpy().ravel() == pytest.approx(made, rel=1e-12)
    assert built.world.value_added.to_numpy().ravel() == pytest.approx(made - 1e6 * sales.sum(axis=0), rel=1e-9)
    assert built.written == ()


def test_regions_and_sectors_of_ones_own(table: Callable[..., Path], tmp_path: Path) -> None:
    regions = tmp_path / "regions.csv"
    regions.write_text("region,name,countries\nHOME,India,IND\nAWAY,The others,RUS ROW\n")
    sectors = tmp_path / "sectors.csv"
    sectors.write_text(
        "sector,name,industries,hs,trade_elasticity\ngoods,Goods,A01 B06 C20,01 27 30,5\nservices,Services,G,,\n"
    )
    world = build_table_world(table(), regions=regions, sectors=sectors, trade_elasticity=3.0).world
    assert (world.countries, world.sectors) == (("HOME", "AWAY"), ("goods", "services"))
    assert list(world.trade_elasticity.to_numpy()) == [5.0, 3.0]
    assert world.meta.country_names["AWAY"] == "The others"
    whole = build_table_world(table()).world
    assert float(world.value_added.sum()) == pytest.approx(float(whole.value_added.sum()))
    assert float(world.exports[0]) == pytest.approx(float(whole.exports[0]))


def test_what_is_written_is_a_world(table: Callable[..., Path], tmp_path: Path) -> None:
    built = build_table_world(table(stocks=-10.0), tmp_path / "out", name="mine")
    assert {p.name for p in built.written} == {"mine.parquet", "adjustments.parquet", "data-card.md"}
    assert World.load(tmp_path / "out" / "mine.parquet").check(1e-9) == ()
    assert "sha256" in (tmp_path / "out" / "data-card.md").read_text()
    assert built.adjustments["what"].iloc[0] == "negative final use set to zero"
    assert built.adjustments["before_usd"].iloc[0] < -3e6


def test_a_table_that_does_not_balance_is_refused_by_cell(table: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"IND_B06|IND B06"):
        build_table_world(table(spoil=40.0), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_long_table_whose_inputs_exceed_its_sales_is_refused(tmp_path: Path) -> None:
    rows = [
        ("IND", "A01", "IND", "A01", 5.0),
        ("IND", "A01", "IND", "households", 5.0),
        ("RUS", "A01", "IND", "A01", 50.0),
        ("RUS", "A01", "RUS", "households", 9.0),
    ]
    path = tmp_path / "long.parquet"
    pd.DataFrame(rows, columns=["origin", "industry", "destination", "use", "value"]).to_parquet(path)
    with pytest.raises(UnbalancedError, match=r"IND A01: sales 1e\+07 are less than inputs 5\.5e\+07"):
        build_table_world(path)


TRADE = """exporter,importer,hs6,value_usd
IND,RUS,300490,40000000
IND,RUS,090240,10000000
RUS,IND,270900,90000000
RUS,IND,310210,20000000
CHN,RUS,290511,30000000
CHN,IND,290511,60000000
IND,CHN,100630,15000000
RUS,CHN,270900,80000000
IND,RUS,999999,1000000
"""


def test_customs_trade_takes_the_place_of_the_tables(table: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TRADE)
    gdp = tmp_path / "gdp.csv"
    own = build_table_world(table()).world.value_added.sum("sector").to_numpy()
    gdp.write_text("iso3,gdp_usd\n" + "".join(f"{c},{v}\n" for c, v in zip(("IND", "RUS", "CHN"), own, strict=True)))
    with import_trade(path, tmp_path / "store", year=2024) as store:
        built = build_table_world(table(), trade=store, gdp=gdp)
    world = built.world
    assert world.check(1e-9) == ()
    goods = world.flow.sel(origin="RUS", destination="IND")
    assert float(goods.sel(sector="B06")) == pytest.approx(90e6, rel=1e-9)
    assert float(goods.sel(sector="C20")) == pytest.approx(20e6, rel=1e-9)
    # China is not in the table: it is part of the rest of the world.
    assert float(world.flow.sel(origin="ROW", destination="IND", sector="C20")) == pytest.approx(60e6, rel=1e-9)
    assert world.meta.trade_year == 2024
    assert "| 99 | 0.00 |" in built.card
    assert world.value_added.sum("sector").to_numpy() == pytest.approx(own, rel=1e-9)
    # Without GDP the level of goods trade is the table's, and the pattern that of customs.
    scaled = build_table_world(table(), trade=tmp_path / "store").world
    flow = scaled.flow.sel(origin="RUS", destination="IND")
    assert float(flow.sel(sector="B06") / flow.sel(sector="C20")) == pytest.approx(4.5)


def test_an_importer_that_does_not_report_keeps_the_tables_flows_grown(
    table: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(line for line in TRADE.splitlines() if not line.split(",")[1] == "RUS") + "\n")
    gdp = tmp_path / "gdp.csv"
    gdp.write_text("iso3,gdp_usd\nIND,1e9\nRUS,8e8\nCHN,1.2e9\n")
    with import_trade(path, tmp_path / "store", year=2024) as store:
        built = build_table_world(table(), trade=store, gdp=gdp)
    assert any("RUS do not report imports in 2024" in note for note in built.world.meta.notes)
    assert float(built.world.flow.sel(origin="IND", destination="RUS").sum()) > 0


def test_tariffs_are_part_of_what_users_pay(table: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "tariffs.csv"
    path.write_text("origin,destination,sector,tariff_rate\nIND,RUS,A01,0.1\n")
    world = build_table_world(table(), tariffs=path).world
    assert world.check(1e-9) == ()
    assert float(world.tariff_rate.sel(origin="IND", destination="RUS", sector="A01")) == 0.1
    path.write_text("origin,destination,sector,tariff_rate\nIND,XXX,A01,x\n")
    with pytest.raises(DataError, match=r"line 2: destination 'XXX' is not in the world\n.*line 2: tariff_rate 'x'"):
        build_table_world(table(), tariffs=path)


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ("region,name,countries\nA,A,IND\n", "country RUS of the table is in no region"),
        ("region,name,countries\nA,A,IND RUS ROW\nB,B,IND\n", "line 3: IND is in A and in B"),
        ("region,name,countries\nA,A,IND RUS ROW XQX\n", "line 2: 'XQX' is no country"),
        ("region,name,countries\nA,A,IND RUS ROW\nB,B,CHN\n", "region B has no country of the table"),
        ("area,land\nA,IND\n", "line 1: the columns are area, land; expected region, countries or country, region"),
    ],
)
def test_regions_that_do_not_fit_are_told(table: Callable[..., Path], tmp_path: Path, regions: str, words: str) -> None:
    path = tmp_path / "regions.csv"
    path.write_text(regions)
    with pytest.raises(DataError, match=words):
        build_table_world(table(), regions=path)


def test_sectors_that_do_not_fit_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sectors.csv"
    path.write_text("sector,industries,hs,trade_elasticity\na,A01 A02,1,5\nb,B05,27 27,-1\n")
    with pytest.raises(DataError) as caught:
        read_sectors(path, ("A01", "B05", "C20"))
    text = str(caught.value)
    assert "line 2: the table has no industry 'A02'; did you mean 'A01'?" in text
    assert "line 2: '1' is no HS code of 2, 4 or 6 digits" in text
    assert "line 3: trade_elasticity '-1'; expected a number above 0" in text
    assert "industry C20 of the table is in no sector" in text


def test_hs_codes_follow_from_the_labels_of_industries() -> None:
    assert divisions_of("D10T12") == ("10", "11", "12")
    assert hs_of_industries(["A01", "B05_06", "C20", "C21"])["30"] == "C21"
    assert hs_of_industries(["c1", "c2", "c3", "c9"])["270900"[:4]] == "c2"
    with pytest.raises(InputError, match="no HS code can be told from the industries x, y"):
        hs_of_industries(["x", "y"])


def test_a_folder_holds_one_table_or_is_told_which(table: Callable[..., Path], tmp_path: Path) -> None:
    table("2022_SML.csv")
    table("2020_SML.csv")
    assert read_table_file(tmp_path, year=2020).industries == EDITIONS["2020_SML.csv"]
    with pytest.raises(InputError, match=r"holds 2020_SML.csv, 2022_SML.csv; name one file, or the year"):
        read_table_file(tmp_path)


def test_wiod_of_2011_with_every_region_and_industry(sources: Path) -> None:
    built = build_table_world(sources / "data" / "wiod2011" / "flows.parquet")
    world = built.world
    assert (len(world.countries), len(world.sectors)) == (41, 35)
    assert world.check(1e-9) == ()
    stated = pd.read_csv(sources / "data" / "wiod2011" / "output.csv").pivot(
        index="origin", columns="industry", values="gross_output"
    )
    want = stated.reindex(index=list(world.countries), columns=list(world.sectors)).to_numpy(float)
    stocks = built.adjustments[built.adjustments["what"] == "negative final use set to zero"]
    taken = stocks.pivot_table(index="region", columns="sector", values="before_usd", aggfunc="sum")
    taken = taken.reindex(index=list(world.countries), columns=list(world.sectors)).fillna(0.0).to_numpy(float)
    made = (world.gross_output.to_numpy() + taken) / 1e6
    # The flows are whole millions: within 1 % or 200 mn USD of the output that the source states.
    assert np.all(np.abs(made - want) <= 0.01 * want + 200)
