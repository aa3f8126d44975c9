"""Each source of delimited text, HTML, XML or JSON: the layouts with their real headers, to the number."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import DataError, InputError, SourceMissingError
from counterpoise.data.readers import convert_source, open_source, read_provenance, read_source, sniff
from counterpoise.data.readers.comtrade import COLUMNS, LEGACY_COLUMNS
from counterpoise.data.readers.peek import peek_at
from counterpoise.data.readers.tradestat import fiscal_year

FIXTURES = Path(__file__).parents[3] / "fixtures" / "sources"

EXPECTED: dict[str, tuple[str, str, int, int, int]] = {
    # file: source, a word of the edition, rows read, kept, dropped
    "API_NY.GDP.MKTP.CD_DS2_en_csv_v2_31795.csv": ("wdi", "one indicator", 9, 21, 2),
    "AVEMFN_H6_356_2022_U2.CSV": ("wits", "AVEMFN", 9, 7, 2),
    "AVEPref_H6_356_2022_U2.CSV": ("wits", "AVEPref", 5, 5, 0),
    "BACI_HS17_Y2023_V202501.csv": ("baci", "official CSV", 13, 13, 0),
    "BACI_HS17_Y2024_V202501.csv": ("baci", "official CSV", 13, 13, 0),
    "Gravity_V202211.csv": ("gravity", "202211", 32, 21, 11),
    "ITPD_E_R01.csv": ("itpde", "release 1", 36, 36, 0),
    "ITPD_E_R02.csv": ("itpde", "release 2", 27, 19, 8),
    "TradeData_11_3_2025_14_20_7.csv": ("comtrade", "47 columns", 15, 10, 5),
    "WDICSV.csv": ("wdi", "bulk", 18, 63, 4),
    "census-imports-hs10.json": ("census", "JSON", 18, 9, 9),
    "comtrade-legacy.csv": ("comtrade", "legacy", 10, 6, 4),
    "comtrade-preview.json": ("comtrade", "JSON", 6, 3, 3),
    "tradestat-commodity-countries.html": ("tradestat", "page", 6, 9, 2),
    "tradestat-country-all-commodities.html": ("tradestat", "page", 6, 7, 3),
    "tradestat-pair-hs8.html": ("tradestat", "page", 3, 4, 3),
    "wdi-api.json": ("wdi", "JSON", 30, 15, 15),
    "wits-api.xml": ("wits", "SDMX", 4, 3, 1),
    "wits-query.csv": ("wits", "query", 7, 5, 2),
}


def test_every_fixture_is_listed() -> None:
    assert {p.name for p in FIXTURES.iterdir()} == set(EXPECTED)
    assert len(COLUMNS) == 47
    assert len(LEGACY_COLUMNS) == 35


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_file_is_recognised_and_every_row_is_accounted_for(name: str) -> None:
    source, words, read, kept, dropped = EXPECTED[name]
    found = sniff(FIXTURES / name)
    assert (found.source, words in found.edition) == (source, True), found
    frame, provenance = read_source(FIXTURES / name)
    assert len(frame) == kept == provenance.rows_kept
    assert (provenance.rows_read, sum(d.rows for d in provenance.dropped)) == (read, dropped)
    assert provenance.source == source
    assert provenance.vintage
    assert all((provenance.licence, provenance.valuation, provenance.unit, provenance.evidence))
    assert len(provenance.sha256) == 64
    assert not {"_file", "_line"} & set(frame.columns)


def test_baci_gives_usd_labels_codes_with_zeros_and_absent_quantities() -> None:
    frame, provenance = read_source(FIXTURES / "BACI_HS17_Y2023_V202501.csv")
    table = frame.set_index(["exporter", "importer", "hs6"])
    assert table.index.is_unique
    lines = (FIXTURES / "BACI_HS17_Y2023_V202501.csv").read_text(encoding="utf-8").splitlines()[1:]
    first = [cell.strip() for cell in lines[0].split(",")]
    assert table.loc[("IND", "RUS", "300490"), "value_usd"] == pytest.approx(float(first[4]) * 1000, rel=1e-12)
    assert table.loc[("IND", "RUS", "300490"), "quantity_tonnes"] == float(first[5])
    assert ("IND", "RUS", "030617") in table.index
    assert ("FRA", "TWN", "220421") in table.index
    assert ("NOR", "CHE", "030214") in table.index
    assert table["quantity_tonnes"].isna().sum() == 2
    assert "2 rows: the quantity is absent (NA)" in provenance.notes
    assert "Etalab" in provenance.licence


def test_baci_as_the_official_zip_of_several_years(tmp_path: Path) -> None:
    path = tmp_path / "BACI_HS17_V202501.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("BACI_HS17_Y2023_V202501.csv", "BACI_HS17_Y2024_V202501.csv"):
            archive.write(FIXTURES / name, name)
        archive.writestr(
            "country_codes_V202501.csv", "country_code,country_name,country_iso2,country_iso3\n4,A,AF,AFG\n"
        )
        archive.writestr("Readme.txt", "t,i,j,k,v,q\n")
    frame, provenance = read_source(path)
    assert frame["year"].value_counts().to_dict() == {2023: 13, 2024: 13}
    assert (provenance.vintage, provenance.rows_read) == ("2023 to 2024", 26)
    with open_source(path, years=(2024,)) as reading:
        assert set(reading.frame()["year"]) == {2024}
    with pytest.raises(InputError, match=r"lacks 2019; it holds 2023, 2024"):
        read_source(path, years=(2019,))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut off; download it again"):
        read_source(path)


def test_baci_of_before_2020_and_packed_by_gzip(tmp_path: Path) -> None:
    old = tmp_path / "baci92_1998.csv.gz"
    with gzip.open(old, "wt", encoding="utf-8") as handle:
        handle.write("t,hs6,i,j,v,q\n1998,10119,58,699,12.5,3.1\n1998,270900,810,58,1,NA\n")
    frame, provenance = read_source(old)
    assert frame[["exporter", "importer", "hs6", "value_usd"]].to_numpy().tolist() == [
        ["BLX", "IND", "010119", 12500.0],
        ["SUN", "BLX", "270900", 1000.0],
    ]
    assert "1 row: an HS code of five digits got its leading zero" in provenance.notes


def test_a_revision_that_the_codes_contradict_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "BACI_HS92_Y2023_V202501.csv"
    shutil.copy(FIXTURES / "BACI_HS17_Y2023_V202501.csv", path)
    notes = read_source(path)[1].notes
    assert any(n.startswith("check the revision: the name says HS1992, the codes HS2017: 870340") for n in notes)


@pytest.mark.slow
def test_the_real_file_of_2024(sources: Path) -> None:
    with open_source(sources / "data/baci2024_hs17/trade_hs6.parquet") as reading:
        pairs = dict(
            reading.query(
                f"SELECT exporter || importer, sum(value_usd) / 1e9 FROM {reading.relation} "
                "WHERE (exporter, importer) IN (('IND','RUS'), ('RUS','IND')) GROUP BY 1"
            )
        )
        provenance = reading.provenance
    assert pairs["INDRUS"] == pytest.approx(4.81, abs=0.01)
    assert pairs["RUSIND"] == pytest.approx(63.65, abs=0.01)
    assert provenance.rows_kept == 9_933_867
    assert "labels of countries: S19 is TWN" in provenance.notes
    assert any("HS2017" in note for note in provenance.notes)


def test_comtrade_keeps_the_sums_and_drops_the_parts() -> None:
    frame, provenance = read_source(FIXTURES / "TradeData_11_3_2025_14_20_7.csv")
    crude = frame[(frame["hs"] == "270900") & (frame["flow"] == "M")]
    assert crude["value_usd"].tolist() == [52734012345.67]
    assert crude["cif_usd"].tolist() == [52734012345.67]
    assert crude["fob_usd"].isna().all()
    assert set(frame["partner"]) == {"RUS", "TWN", "CIV", "_899", "IND"}
    assert {d.reason.split(",")[0]: d.rows for d in provenance.dropped} == {
        "the partner is World": 1, "a part by second partner": 1, "a part by mode of transport": 2,
        "a part by customs procedure": 1,
    }  # fmt: skip
    assert "030617" in set(frame["hs"])


def test_comtrade_in_the_legacy_layout_names_flows_alike() -> None:
    frame, _ = read_source(FIXTURES / "comtrade-legacy.csv")
    assert set(frame["flow"]) == {"M", "X", "RX"}
    assert frame.loc[frame["hs"] == "090240", "value_usd"].tolist() == [61e6]


def test_wits_leaves_out_zeros_that_are_no_rates() -> None:
    bulk, provenance = read_source(FIXTURES / "AVEMFN_H6_356_2022_U2.CSV")
    rates = bulk.set_index("hs6")["tariff_rate"]
    assert rates["030617"] == pytest.approx(0.30)
    assert rates["854231"] == 0.0
    assert "270900" not in rates.index
    assert any("no free entry" in d.reason for d in provenance.dropped)
    preference, _ = read_source(FIXTURES / "AVEPref_H6_356_2022_U2.CSV")
    assert preference["beneficiary"].tolist() == ["SGP", "SGP", "JPN", "group P28", "KOR"]
    assert preference["hs6"].tolist()[1] == "010129"
    api, _ = read_source(FIXTURES / "wits-api.xml")
    assert api[["destination", "beneficiary", "hs6"]].to_numpy().tolist()[:2] == [
        ["IND", "MFN", "030617"], ["EUN", "IND", "300490"],
    ]  # fmt: skip
    query, _ = read_source(FIXTURES / "wits-query.csv")
    assert query.set_index(["beneficiary", "kind", "hs6"]).loc[("CIV", "AHS", "300490"), "tariff_rate"] == 0.0431


def test_gravity_converts_thousands_and_drops_states_that_were_not_there() -> None:
    frame, _ = read_source(FIXTURES / "Gravity_V202211.csv")
    raw = pd.read_csv(FIXTURES / "Gravity_V202211.csv", keep_default_na=False)
    row = raw[(raw["year"] == 2019) & (raw["iso3_o"] == "IND") & (raw["iso3_d"] == "RUS")].iloc[0]
    pair = frame[(frame["year"] == 2019) & (frame["origin"] == "IND") & (frame["destination"] == "RUS")]
    mine = dict(zip(pair.columns, pair.to_numpy()[0], strict=True))
    assert mine["gdp_o_usd"] == pytest.approx(1000 * float(row["gdp_o"]))
    assert mine["tradeflow_baci_usd"] == pytest.approx(1000 * float(row["tradeflow_baci"]))
    assert mine["dist"] == float(row["dist"])
    assert np.isnan(mine["gdp_d_usd"])
    assert "YUG" not in set(frame.loc[frame["year"] == 2019, "origin"])
    assert "RUS" not in set(frame.loc[frame["year"] == 1990, "origin"])


def test_itpde_keeps_reported_zeros_and_drops_the_others() -> None:
    frame, provenance = read_source(FIXTURES / "ITPD_E_R02.csv")
    assert set(frame["flag_zero"]) == {"p", "r"}
    assert (frame.loc[frame["flag_zero"] == "r", "value_usd"] == 0).all()
    assert (frame["origin"] == frame["destination"]).any()
    assert provenance.dropped[0].reason.endswith("absent, not zero")
    assert set(read_source(FIXTURES / "ITPD_E_R01.csv")[0]["origin"]) == {"IND", "RUS", "ROU", "COD"}


def test_the_three_forms_of_wdi_agree() -> None:
    frames = [
        read_source(FIXTURES / name)[0]
        for name in ("WDICSV.csv", "API_NY.GDP.MKTP.CD_DS2_en_csv_v2_31795.csv", "wdi-api.json")
    ]
    series = [f[f["indicator"] == "NY.GDP.MKTP.CD"].set_index(["iso3", "year"])["value"] for f in frames]
    assert series[0].loc[("IND", 2023)] == 3567551674623.0
    pd.testing.assert_series_equal(series[0], series[1])
    pd.testing.assert_series_equal(series[2], series[0].loc[series[2].index])
    assert {"IND", "RUS", "CIV", "CHI", "NAM"} == set(series[0].index.get_level_values("iso3"))


def test_tradestat_pages_give_money_and_fiscal_years() -> None:
    exports, provenance = read_source(FIXTURES / "tradestat-country-all-commodities.html")
    fish = exports[exports["hs"] == "03"].set_index("fiscal_year")["value"]
    assert fish.to_dict() == {"2023-24": 119.10e6, "2024-25": 1127.05e6}
    assert (exports["flow"].unique().tolist(), exports["partner"].unique().tolist()) == (["export"], ["RUS"])
    assert "page dated 12/9/2025" in provenance.notes
    crude, _ = read_source(FIXTURES / "tradestat-commodity-countries.html")
    assert set(crude["partner"]) == {"RUS", "IRQ", "ARE", "USA", "_899"}
    part = crude[(crude["partner"] == "RUS") & (crude["fiscal_year"] == "2024-25")].iloc[0]
    assert (part["first_month"], part["last_month"], part["currency"]) == ("2024-04", "2024-09", "INR")
    assert part["value"] == pytest.approx(210400.50 * 1e5)
    pair, _ = read_source(FIXTURES / "tradestat-pair-hs8.html")
    assert pair[["partner", "hs"]].drop_duplicates().to_numpy().tolist() == [["TUR", "12079100"]]
    assert pair["value"].tolist()[0] == pytest.approx(271.40e7)


def test_fiscal_years_that_do_not_follow_each_other_are_refused() -> None:
    assert fiscal_year("2023-24") == ("2023-24", "2023-04", "2024-03")
    assert fiscal_year("1999 - 2000") == ("1999-00", "1999-04", "2000-03")
    with pytest.raises(DataError, match="no fiscal year"):
        fiscal_year("2023 - 2025")


def test_census_drops_groups_and_the_union_counts_once(sources: Path) -> None:
    frame, _ = read_source(FIXTURES / "census-imports-hs10.json")
    assert set(frame["partner"]) == {"IND", "RUS", "KOR"}
    assert set(frame["hs"].str.len()) == {10}
    hs6, provenance = read_source(sources / "data/us_imports_2024/hs6_by_partner.parquet")
    assert "SVK" not in set(hs6["partner"])
    assert provenance.dropped[0].rows == 1264
    india, _ = read_source(sources / "data/us_imports_india_2024/hs10.parquet")
    assert india["partner"].unique().tolist() == ["IND"]
    assert india["value_usd"].sum() == pytest.approx(hs6.loc[hs6["partner"] == "IND", "value_usd"].sum(), rel=0.02)


def test_provenance_travels_in_the_parquet_file(tmp_path: Path) -> None:
    target = tmp_path / "tidy.parquet"
    provenance = convert_source(FIXTURES / "ITPD_E_R02.csv", target)
    assert read_provenance(target) == provenance
    assert len(pd.read_parquet(target)) == provenance.rows_kept
    plain = tmp_path / "plain.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(plain)
    assert read_provenance(plain) is None
    with pytest.raises(InputError, match=r"not \.parquet"):
        convert_source(FIXTURES / "ITPD_E_R02.csv", tmp_path / "tidy.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain.parquet", "tidy.parquet"]


def test_what_is_of_no_source_is_described(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("t,i,j,k,q\n1,2,3,4,5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"begins with t, i, j, k, q.*Nearest is baci, CSV: column v is missing"):
        sniff(path)
    with pytest.raises(DataError, match=r"line 1: the header is t,i,j,k,q;.*\n.*value: no column value_usd"):
        read_source(path, source="baci")
    with pytest.raises(InputError, match="did you mean 'baci'"):
        read_source(path, source="bacy")
    with pytest.raises(SourceMissingError, match="does not exist"):
        peek_at(tmp_path / "none.csv")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        sniff(path)


def test_pages_and_records_that_are_missing_are_errors(tmp_path: Path) -> None:
    pages: list[Any] = json.loads((FIXTURES / "wdi-api.json").read_text(encoding="utf-8"))
    path = tmp_path / "w.json"
    path.write_text(json.dumps(pages[:1]), encoding="utf-8")
    with pytest.raises(DataError, match=r"lacks pages \[2\] of 2"):
        read_source(path)
    pages[1][1].pop()
    path.write_text(json.dumps(pages), encoding="utf-8")
    with pytest.raises(DataError, match="says it holds 30 records and holds 29"):
        read_source(path)
    document: dict[str, Any] = json.loads((FIXTURES / "comtrade-preview.json").read_text(encoding="utf-8"))
    document["data"].pop()
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match="says it holds 6 records and holds 5"):
        read_source(path)


def test_a_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "BACI_HS17_Y2023_V202501.csv", tmp_path)
    with open_source(tmp_path / "BACI_HS17_Y2023_V202501.csv") as reading:
        folder = reading.folder
        assert folder.is_dir()
    assert not folder.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["BACI_HS17_Y2023_V202501.csv"]
