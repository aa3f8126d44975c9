"""Concordances: countries to regions, HS codes to sectors, industries to blocks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.core.errors import DataError, InputError
from counterpoise.data.builder.structure import blocks
from counterpoise.data.concordance import (
    goods_sectors,
    hs_chapter_names,
    hs_gtap,
    hs_sector,
    longest_prefix,
    read_table,
    region_members,
    region_of,
    regions,
    regions_of,
    sectors,
    service_sectors,
    wiod_block,
)


def test_there_are_24_regions_and_25_sectors() -> None:
    assert len(regions()) == 24
    assert len(sectors()) == 25
    assert (*goods_sectors(), *service_sectors()) == sectors()


@pytest.mark.parametrize(
    ("code", "sector"),
    [
        ("0306", "agriculture"),
        ("020230", "food"),
        ("100630", "agriculture"),
        ("1801", "agriculture"),
        ("1806", "food"),
        ("2401", "agriculture"),
        ("2402", "food"),
        ("270900", "crude_oil_gas"),
        ("271111", "crude_oil_gas"),
        ("271012", "refined_oil"),
        ("2701", "coal"),
        ("2704", "refined_oil"),
        ("2716", "utilities"),
        ("2601", "mining"),
        ("300490", "pharmaceuticals"),
        ("3102", "fertilisers"),
        ("293499", "chemicals"),
        ("400122", "agriculture"),
        ("4011", "plastics"),
        ("4403", "agriculture"),
        ("520100", "agriculture"),
        ("640399", "textiles_apparel"),
        ("710239", "gems"),
        ("847130", "electronics"),
        ("8474", "machinery"),
        ("870323", "vehicles"),
        ("9018", "electronics"),
        ("999995", "other_manufacturing"),
    ],
)
def test_an_hs_code_has_the_sector_of_its_longest_prefix(code: str, sector: str) -> None:
    assert hs_sector(code) == sector


@given(st.integers(min_value=1, max_value=96).filter(lambda c: c != 77), st.text("0123456789", max_size=8))
def test_a_longer_code_never_leaves_the_listed_prefix_it_starts_with(chapter: int, rest: str) -> None:
    code = f"{chapter:02d}{rest}"
    listed = {row["prefix"]: row["sector"] for row in read_table("hs_sectors")}
    longest = max((p for p in listed if code.startswith(p)), key=len)
    assert hs_sector(code) == listed[longest]
    assert hs_gtap(code)


@given(st.integers(min_value=1, max_value=9), st.integers(min_value=0, max_value=9999))
def test_a_code_without_its_leading_zero_is_another_code(chapter: int, rest: int) -> None:
    code = f"0{chapter}{rest:04d}"
    stripped = code[1:]
    assert hs_sector(code) in ("agriculture", "food")
    if len(stripped) >= 2 and stripped[0] != "0" and stripped[:2] != "77":
        assert hs_sector(stripped) == longest_prefix(
            stripped, {row["prefix"]: row["sector"] for row in read_table("hs_sectors")}
        )


@pytest.mark.parametrize("code", [306, "", "3", "3 6", "3a06", "77", "٠٣"])
def test_what_is_no_hs_code_is_refused_with_the_mend(code: object) -> None:
    with pytest.raises(InputError, match=r"'0306'|no listed chapter"):
        hs_sector(code)  # pyright: ignore[reportArgumentType]


def test_every_chapter_has_a_name_and_a_sector() -> None:
    for chapter in hs_chapter_names():
        assert hs_sector(chapter) in sectors()


def test_regions_partition_the_countries() -> None:
    members = region_members()
    codes = [code for listed in members.values() for code in listed]
    assert len(codes) == len(set(codes))
    assert set(members) == set(regions())
    assert len(members["EU27"]) == 27
    assert members["EAEU"] == ("ARM", "BLR", "KAZ", "KGZ")
    assert region_of("S19") == "TWN"
    assert region_of("TLS") == "ROW"


def test_unknown_countries_are_refused_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        regions_of(["IND", "XYZ", "ind"])
    assert len(caught.value.problems) == 2
    assert "did you mean 'IND'" in str(caught.value)


def test_every_country_of_the_sources_is_in_a_region(sources: Path) -> None:
    flows = pd.read_parquet(sources / "data/baci2024_hs17/trade_hs6.parquet", columns=["exporter", "importer"])
    before = pd.read_parquet(sources / "data/baci2023/trade.parquet")
    gdp = pd.read_csv(sources / "data/baci2023/countries.csv", keep_default_na=False)
    wiod = pd.read_csv(sources / "data/wiod2011/output.csv", keep_default_na=False)
    codes = {*flows["exporter"].unique(), *flows["importer"].unique(), *before["exporter"], *before["importer"]}
    codes |= {*gdp["iso3"], *wiod["origin"]} - {"ROW"}
    assert set(regions_of(codes).values()) == set(regions())


def test_every_hs6_code_of_the_sources_has_a_sector(sources: Path) -> None:
    flows = pd.read_parquet(sources / "data/baci2024_hs17/trade_hs6.parquet", columns=["hs6"])
    census = pd.read_parquet(sources / "data/us_imports_2024/hs6_by_partner.parquet", columns=["hs6"])
    found = {hs_sector(code) for code in {*flows["hs6"].unique(), *census["hs6"].unique()}}
    assert found == {*goods_sectors(), "utilities"}


def test_every_industry_has_a_block_and_every_split_sums_to_one() -> None:
    assert {wiod_block(f"c{k}") for k in range(1, 36)} == set(blocks())
    with pytest.raises(DataError, match="c1 to c35"):
        wiod_block("c36")
    sums: dict[tuple[str, str], float] = {}
    for row in read_table("splits"):
        sums[row["block"], row["user"]] = sums.get((row["block"], row["user"]), 0.0) + float(row["weight"])
    assert all(abs(total - 1) < 1e-12 for total in sums.values())


def test_every_region_has_what_the_builder_looks_up() -> None:
    assert {row["region"] for row in read_table("fuel_mix")} == set(regions())
    anchors = {(row["region"], row["sector"]) for row in read_table("output_anchors")}
    assert anchors == {(region, sector) for region in regions() for sector in ("crude_oil_gas", "coal", "refined_oil")}
    for row in read_table("tariff_overrides"):
        assert row["destination"] in regions()
        assert row["origin"] in (*regions(), "*")
        assert row["source"]
