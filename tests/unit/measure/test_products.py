"""The products of a pair, on a world of four countries and five products that a person can follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import Shock
from counterpoise.core.errors import DataError, InputError
from counterpoise.data import load_table, load_world
from counterpoise.data.concordance import high_priority_tiers
from counterpoise.data.product_tables import EMBEDDED, ProductTables, product_tables
from counterpoise.measure.products import latent_share, line_openings, product_opportunities
from counterpoise.measure.redirect import pushed_out
from counterpoise.measure.selection import hs_ranges, in_ranges
from counterpoise.solver import solve

SHRIMP, MEDICINES, CARS, CHIPS, COAL = "030617", "300490", "870322", "854231", "270112"

FLOWS = pd.DataFrame(
    [
        ("AAA", "BBB", SHRIMP, 20.0),
        ("AAA", "CCC", SHRIMP, 40.0),
        ("AAA", "CCC", MEDICINES, 20.0),
        ("AAA", "CCC", CHIPS, 10.0),
        ("CCC", "BBB", SHRIMP, 8.0),
        ("DDD", "BBB", SHRIMP, 2.0),
        ("CCC", "BBB", MEDICINES, 50.0),
        ("DDD", "AAA", MEDICINES, 30.0),
        ("DDD", "BBB", CARS, 15.0),
        ("DDD", "CCC", SHRIMP, 30.0),
        ("DDD", "BBB", CHIPS, 90.0),
        ("BBB", "AAA", COAL, 60.0),
        ("BBB", "AAA", SHRIMP, 10.0),
    ],
    columns=["exporter", "importer", "hs", "value_usd"],
)
"""Trade of four countries; A sells B shrimp only, and B sells A coal and some shrimp."""


def tables_of(flows: pd.DataFrame, seller: str = "AAA", buyer: str = "BBB") -> ProductTables:
    """Return what the loaders make of a list of flows."""
    codes = sorted(flows["hs"].unique())

    def sums(**where: str) -> list[float]:
        mine = flows
        for column, name in where.items():
            mine = mine[mine[column] == name]
        return mine.groupby("hs")["value_usd"].sum().reindex(codes, fill_value=0.0).tolist()

    lines = pd.DataFrame(
        {
            "hs": codes,
            "bought_usd": sums(exporter=seller, importer=buyer),
            "sold_back_usd": sums(exporter=buyer, importer=seller),
            "buyer_imports_usd": sums(importer=buyer),
            "seller_exports_usd": sums(exporter=seller),
            "world_usd": sums(),
        }
    )
    return ProductTables(
        seller=seller,
        buyer=buyer,
        level="hs6",
        year=2024,
        source="four countries",
        lines=lines,
        suppliers=flows.loc[flows["importer"] == buyer, ["exporter", "hs", "value_usd"]],
        buyers=flows.loc[flows["exporter"] == seller, ["importer", "hs", "value_usd"]],
        market=flows.groupby(["exporter", "hs"])["value_usd"].sum().reset_index(),
        third="",
        third_exports=None,
        notes=("a note on what is missing",),
    )


@pytest.fixture
def tables() -> ProductTables:
    return tables_of(FLOWS)


def test_every_number_of_the_pair_by_hand(tables: ProductTables) -> None:
    study = product_opportunities(tables)
    rows = study.table.set_index("hs")
    # Shares of A in the world: shrimp 60/110, medicines 20/100, chips 10/100. B buys 30, 50 and 90.
    neutral = {SHRIMP: 60 / 110 * 30, MEDICINES: 20 / 100 * 50, CHIPS: 10 / 100 * 90}
    ease = 20 / sum(neutral.values())
    assert study.summary["ease"] == pytest.approx(ease)
    assert study.summary["ease_of"] == "pair"
    assert rows.loc[MEDICINES, "potential_usd"] == pytest.approx(ease * neutral[MEDICINES])
    assert rows.loc[SHRIMP, "unrealised_usd"] == pytest.approx(max(ease * neutral[SHRIMP] - 20, 0.0))
    assert study.summary["potential_usd"] == pytest.approx(20.0)
    assert rows.loc[SHRIMP, "displaceable_usd"] == 10.0
    assert rows.loc[SHRIMP, "bought_share"] == pytest.approx(20 / 30)
    assert rows.loc[SHRIMP, "supplier_hhi"] == pytest.approx((20**2 + 8**2 + 2**2) / 30**2)
    assert (rows.loc[SHRIMP, "supplier_1"], rows.loc[SHRIMP, "supplier_2"]) == ("CCC", "DDD")
    assert rows.loc[SHRIMP, "supplier_1_share"] == pytest.approx(8 / 30)
    assert rows.loc[SHRIMP, "supplier_3"] == ""
    assert [rows.loc[SHRIMP, c] for c in ("market_1", "market_2", "markets")] == ["CCC", "BBB", 2]
    assert rows.loc[SHRIMP, "market_1_share"] == pytest.approx(40 / 60)
    assert rows.loc[CARS, "markets"] == 0
    assert rows.loc[SHRIMP, "rca"] == pytest.approx((60 / 90) / (110 / FLOWS["value_usd"].sum()))
    assert rows.loc[SHRIMP, "grubel_lloyd"] == pytest.approx(1 - 10 / 30)
    assert rows["grubel_lloyd"].isna()[CARS]
    assert study.summary["gap_usd"] == pytest.approx(70 - 20)
    assert (study.summary["largest_chapter_back"], study.summary["largest_chapter_back_share"]) == ("27", 60 / 70)
    x = np.array([60, 20, 10, 0, 0]) / 90
    m = np.array([30, 50, 90, 15, 0]) / 185
    assert study.summary["complementarity"] == pytest.approx(100 * (1 - np.abs(x - m).sum() / 2))


def test_dual_use_goods_are_in_a_block_of_their_own_and_nowhere_else(tables: ProductTables) -> None:
    study = product_opportunities(tables)
    assert CHIPS not in set(study.table["hs"])
    assert study.listed["hs"].tolist() == [CHIPS]
    assert study.listed["tier"].tolist() == ["1"]
    assert study.summary["unrealised_listed_usd"] == pytest.approx(study.listed["unrealised_usd"].sum())
    assert study.summary["unrealised_usd"] == pytest.approx(
        study.table["unrealised_usd"].sum() + study.listed["unrealised_usd"].sum()
    )
    assert any("Common High Priority List" in c for c in study.caveats)
    sector = study.listed["sector"].iloc[0]
    assert latent_share(study, {sector: 1e9}) == {sector: 0.0}


def test_the_list_has_its_fifty_codes_in_six_tiers() -> None:
    tiers = high_priority_tiers()
    counted = pd.Series(dict(tiers)).value_counts().to_dict()
    # Fifty codes in HS 2022, and six that some of them had in HS 2017.
    assert len(tiers) == 56
    assert set(counted) == {"1", "2", "3.A", "3.B", "4.A", "4.B"}
    assert counted["1"] == 4


def test_ranking_is_by_what_was_asked(tables: ProductTables) -> None:
    by_market = product_opportunities(tables, rank="market").table
    assert by_market["hs"].tolist()[:2] == [MEDICINES, CARS]
    by_room = product_opportunities(tables).table
    assert by_room["unrealised_usd"].is_monotonic_decreasing
    with pytest.raises(InputError, match="did you mean 'density'"):
        product_opportunities(tables, rank="densty")
    with pytest.raises(InputError, match="density needs the exports of every country"):
        product_opportunities(replace(tables, market=None), rank="density")


def test_a_selection_keeps_the_ease_of_all_products(tables: ProductTables) -> None:
    everything, some = product_opportunities(tables), product_opportunities(tables, hs="01-24,30")
    assert set(some.table["hs"]) == {SHRIMP, MEDICINES}
    assert some.summary["ease"] == everything.summary["ease"]
    assert some.summary["unrealised_usd"] == everything.summary["unrealised_usd"]
    assert some.summary["selected_imports_usd"] == 80.0
    with pytest.raises(InputError, match="holds no product that anyone trades"):
        product_opportunities(tables, hs="50-63")


def test_codes_keep_their_leading_zero_or_are_refused() -> None:
    assert hs_ranges("0306,01-24") == (("0306", "0306"), ("01", "24"))
    with pytest.raises(InputError, match="5 problems") as caught:
        hs_ranges(["306", 101, "24-01", "01-2403", "ab"])  # pyright: ignore[reportArgumentType]
    text = "\n".join(caught.value.problems)
    for words in ("leading zero may be lost", "101 is a int", "expected 01-24", "'01-2403'", "'ab' is no HS code"):
        assert words in text
    with pytest.raises(InputError, match="is empty"):
        hs_ranges([])
    assert in_ranges(pd.Series(["0101", "3004"]), [("300490", "300490")]).tolist() == [False, True]


def test_a_pair_that_does_not_trade_has_a_neutral_ease_and_says_so(tables: ProductTables) -> None:
    silent = tables_of(FLOWS[~((FLOWS["exporter"] == "AAA") & (FLOWS["importer"] == "BBB"))])
    study = product_opportunities(silent)
    assert (study.summary["ease"], study.summary["ease_of"]) == (1.0, "neutral")
    assert any("neutral ease of 1" in c for c in study.caveats)
    assert product_opportunities(tables, ease=2.0).summary["ease_of"] == "given"


def test_one_side_without_trade_is_refused(tables: ProductTables) -> None:
    with pytest.raises(DataError, match="nothing that BBB buys"):
        product_opportunities(replace(tables, lines=tables.lines.assign(buyer_imports_usd=0.0)))


def test_unit_values_where_quantities_are_known(tables: ProductTables) -> None:
    assert any("Unit values and their headroom do not apply" in c for c in product_opportunities(tables).caveats)
    assert tables.lines["hs"].tolist() == [SHRIMP, COAL, MEDICINES, CHIPS, CARS]
    weighed = tables.lines.assign(
        seller_exports_t=[2.0, 0.0, 4.0, 0.0, 0.0],
        seller_exports_with_t_usd=[60.0, 0.0, 20.0, 0.0, 0.0],
        bought_t=[1.0, 0.0, 0.0, 0.0, 0.0],
        bought_with_t_usd=[20.0, 0.0, 0.0, 0.0, 0.0],
        buyer_imports_t=[1.0, 0.0, 5.0, 0.0, 0.0],
        buyer_imports_with_t_usd=[20.0, 0.0, 50.0, 0.0, 0.0],
    )
    study = product_opportunities(replace(tables, lines=weighed))
    rows = study.table.set_index("hs")
    # A asks 20 / 4 = 5 a tonne for medicines, B pays others 50 / 5 = 10: the buyer pays twice as much.
    assert rows.loc[MEDICINES, "seller_unit_value"] == 5.0
    assert rows.loc[MEDICINES, "unit_value_headroom"] == pytest.approx(1.0)
    # All shrimp with a stated weight is A's own: there is nobody else to compare with.
    assert rows["unit_value_headroom"].isna()[SHRIMP]


def test_goods_that_a_new_duty_pushes_out(tables: ProductTables) -> None:
    duties = pd.DataFrame({"hs": ["03", "30"], "rate_before": [0.0, 0.1], "rate_after": [0.5, 0.1]})
    sold = pd.DataFrame({"hs": [SHRIMP, MEDICINES, "999999"], "value_usd": [40.0, 20.0, 6.0]})
    study = product_opportunities(replace(tables, third="CCC", third_exports=sold), duties=duties)
    rows = study.table.set_index("hs")
    chosen = load_table("elasticities").query("set == 'fgo'").set_index("sector")["trade_elasticity"]
    theta = float(chosen["agriculture"])
    out = 40.0 * (1 - 1.5 ** -(theta + 1))
    assert rows.loc[SHRIMP, "pushed_out_usd"] == pytest.approx(out)
    assert rows.loc[SHRIMP, "redirect_room_usd"] == pytest.approx(min(out, 10.0))
    assert rows.loc[MEDICINES, "pushed_out_usd"] == 0.0
    assert study.summary["rank"] == "redirected"
    assert any("9.1 % of what is sold to the third country" in c for c in study.caveats)
    with pytest.raises(InputError, match="both a third country's duties and the exports"):
        product_opportunities(tables, duties=duties)


def test_headings_of_a_third_country_are_split_as_the_seller_exports() -> None:
    lines = pd.DataFrame(
        {"hs": ["030616", "030617"], "seller_exports_usd": [10.0, 30.0], "sector": ["agriculture", "agriculture"]}
    )
    duties = pd.DataFrame({"hs": ["0306"], "rate_before": [0.0], "rate_after": [0.1]})
    sold = pd.DataFrame({"hs": ["0306", "0901"], "value_usd": [8.0, 2.0]})
    found = pushed_out(lines, sold, duties, {"agriculture": 4.0})
    assert found.table["third_exports_usd"].tolist() == [2.0, 6.0]
    assert "80.0 %" in found.notes[0]
    assert "20.0 %" in found.notes[1]
    newer = pd.DataFrame({"hs": ["030617", "030699"], "value_usd": [5.0, 4.0]})
    placed = pushed_out(lines, newer, duties, {"agriculture": 4.0})
    assert placed.table["third_exports_usd"].tolist() == [1.0, 8.0]
    assert len(placed.notes) == 1
    with pytest.raises(InputError, match="has no trade elasticity"):
        pushed_out(lines, sold, duties, {})
    with pytest.raises(InputError, match="rates that cannot be used"):
        pushed_out(lines, sold, duties.assign(rate_after=[np.nan]), {"agriculture": 4.0})


def test_latent_shares_are_potential_over_spending(tables: ProductTables) -> None:
    study = product_opportunities(tables)
    rows = study.table.set_index("hs")
    found = latent_share(study, {"pharmaceuticals": 1000.0, "agriculture": 500.0, "metals": 10.0})
    assert found["pharmaceuticals"] == pytest.approx(rows["unrealised_usd"].astype(float)[MEDICINES] / 1000)
    # Shrimp is bought already: the line is open.
    assert (found["agriculture"], found["metals"]) == (0.0, 0.0)
    with pytest.raises(InputError, match="above zero"):
        latent_share(study, {"pharmaceuticals": 0.0})
    with pytest.raises(InputError, match="1 or more"):
        latent_share(study, {"pharmaceuticals": 1.0})


# The embedded tables


def test_the_flagship_offline() -> None:
    study = product_opportunities(product_tables("IND", "RUS", store=EMBEDDED), world=load_world())
    assert study.level == "hs6"
    assert study.summary["bought_usd"] == pytest.approx(4.81e9, rel=0.002)
    assert study.summary["sold_back_usd"] == pytest.approx(63.65e9, rel=0.002)
    assert (study.summary["largest_chapter_back"], round(study.summary["largest_chapter_back_share"], 2)) == (
        "27",
        0.89,
    )
    assert study.summary["potential_usd"] == pytest.approx(study.summary["bought_usd"])
    assert study.table["hs"].str.fullmatch(r"\d{6}").all()
    assert not set(study.table["hs"]) & set(high_priority_tiers())
    assert any("Russia has published no imports or exports" in note for note in study.missing)
    assert {"tariff_rate", "supplier_1"} <= set(study.table.columns)


def test_any_two_regions_by_heading() -> None:
    study = product_opportunities(product_tables("CHN", "EU27", store=EMBEDDED))
    assert (study.level, study.table["hs"].str.len().unique().tolist()) == ("hs4", [4])
    assert study.table["density"].notna().any()
    assert not set(study.table["hs"]) & {code[:4] for code in high_priority_tiers()}


def test_unknown_countries_are_all_named() -> None:
    with pytest.raises(InputError, match="3 problems") as caught:
        product_tables("XXX", "DEU", store=EMBEDDED)
    text = "\n".join(caught.value.problems)
    assert "unknown country 'XXX'" in text
    assert "'DEU' lies inside the region 'EU27'" in text
    with pytest.raises(InputError, match="on both sides"):
        product_tables("IND", "IND", store=EMBEDDED)
    with pytest.raises(InputError, match="one of the pair"):
        product_tables("IND", "RUS", third="RUS", store=EMBEDDED)
    with pytest.raises(InputError, match="are of 2024, not of 2019"):
        product_tables("IND", "RUS", year=2019, store=EMBEDDED)


def test_an_opened_line_sells_about_its_potential() -> None:
    world = load_world()
    study = product_opportunities(product_tables("MEX", "EAEU", store=EMBEDDED))
    found = line_openings(study, world)
    traded = world.flow.sel(origin="MEX", destination="EAEU")
    assert {"gems", "coal"} <= set(found)
    assert all(float(traded.sel(sector=sector)) == 0 for sector in found)
    shock = Shock.none(world).with_opening(found["gems"], origin="MEX", destination="EAEU", sector="gems")
    assert shock.opening_problems(world) == ()
    sold = float(solve(world, shock).flow_cf.sel(origin="MEX", destination="EAEU", sector="gems"))
    # Prices hardly move for so small a line, and the market grows a little by what is new in it.
    assert sold == pytest.approx(found["gems"], rel=0.02)
    spending = float(world.expenditure.sel(destination="EAEU", sector="gems"))
    share = latent_share(study, {"gems": spending}, closed_only=False)
    assert share == {"gems": pytest.approx(found["gems"] / spending)}
    with pytest.raises(InputError, match="has no trade"):
        line_openings(replace(study, seller="DEU", buyer="FRA"), world)


# The raw file


@pytest.fixture(scope="module")
def from_file(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> ProductTables:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUNTERPOISE_CACHE", str(tmp_path_factory.mktemp("no store")))
        return product_tables("IND", "RUS", sources=sources)


def test_published_numbers_of_the_pair(from_file: ProductTables, sources: Path) -> None:
    study = product_opportunities(from_file)
    assert study.summary["bought_usd"] == pytest.approx(4810.846e6, rel=1e-6)
    assert study.summary["sold_back_usd"] == pytest.approx(63.65e9, abs=0.005e9)
    assert study.summary["complementarity"] == pytest.approx(41.6, abs=0.05)
    assert study.summary["ease"] == pytest.approx(1.053288651, rel=1e-7)
    assert study.summary["largest_chapter_back_share"] == pytest.approx(0.892, abs=0.0005)
    check = pd.read_csv(sources / "facts" / "epi_static_check.csv", dtype={"code": str})
    total = check[check["level"] == "TOTAL"].iloc[0]
    assert study.summary["unrealised_usd"] / 1e6 == pytest.approx(float(total["unrealised_usd_mn"]), abs=0.001)
    every = pd.concat([study.table, study.listed])
    for level, width in (("HS2", 2), ("HS4", 4), ("HS6", 6)):
        published = check[check["level"] == level].set_index("code")
        found = every.groupby(every["hs"].str[:width])[["potential_usd", "unrealised_usd", "bought_usd"]].sum() / 1e6
        found = found.reindex(published.index, fill_value=0.0)
        assert len(published) >= 10
        for ours, theirs in (
            ("potential_usd", "potential_usd_mn"),
            ("unrealised_usd", "unrealised_usd_mn"),
            ("bought_usd", "india_to_russia_actual_usd_mn"),
        ):
            # The table is printed with three decimals.
            assert found[ours].to_numpy() == pytest.approx(published[theirs].to_numpy(), abs=0.0006), (level, ours)


def test_missing_importers_stand_beside_the_numbers(from_file: ProductTables) -> None:
    text = " ".join(from_file.notes)
    assert "DEU, ESP, FRA, GBR, NLD, USA" in text
    assert "ARE (4.49 bn)" in text
    assert "mirror data" in text
    assert "what is known is what its partners report" in text
