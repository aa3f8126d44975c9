"""The trade store: what it answers, what it refuses with line and column, and that nothing is left half-written."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.core.errors import DataError, InputError, SourceMissingError
from counterpoise.data.readers.reading import Reading
from counterpoise.data.trade_import import ImportOptions
from counterpoise.data.trade_store import TradeStore, find_trade, import_trade

TABLE = """origin,destination,hs,value_usd,quantity_t
RUS,IND,270900,50000,100
RUS,IND,310210,9000,
IND,RUS,300490,4000,2
IND,RUS,030617,700,0.5
CHN,IND,851713,90000,NA
IND,CHN,270900,10,1
RUS,CHN,270900,600,3
"""

BACI = """t,i,j,k,v,q
2023,643,699,270900,   50.000,       100.000
2023,699,643,030617,    0.700,            NA
2023,699,842,300490,    4.000,         2.000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a file and return its path."""

    def write(text: str, name: str = "trade.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def store(table: Callable[..., Path], folder: Path) -> TradeStore:
    return import_trade(table(TABLE), folder, year=2024)


def test_a_pair_at_every_level(store: TradeStore) -> None:
    by_code = store.pair("RUS", "IND")
    assert list(by_code["hs"]) == ["270900", "310210"]
    assert list(by_code["value_usd"]) == [50000.0, 9000.0]
    assert by_code["quantity_t"].iloc[0] == 100.0
    assert np.isnan(by_code["quantity_t"].iloc[1])
    assert list(by_code["value_with_quantity_usd"]) == [50000.0, 0.0]
    assert list(store.pair("IND", "RUS", "hs4")["hs"]) == ["0306", "3004"]
    assert list(store.pair("IND", "RUS", "hs2")["hs"]) == ["03", "30"]
    assert list(store.pair("IND", "RUS", "section")["hs"]) == ["I", "VI"]
    assert list(store.pair("IND", "RUS", "sector")["hs"]) == ["agriculture", "pharmaceuticals"]


def test_a_quantity_that_covers_a_part_says_which_part(store: TradeStore) -> None:
    whole = store.imports_by_product("IND", "section").set_index("hs")
    assert whole.loc["VI", "value_with_quantity_usd"] == 0.0
    assert whole["quantity_t"].isna()["VI"]
    assert whole.loc["V", "value_with_quantity_usd"] == 50000.0


def test_what_is_not_recorded_is_absent(store: TradeStore) -> None:
    assert store.pair("CHN", "RUS").empty
    beside = store.pair_products("RUS", "IND").set_index("hs")
    assert beside["b_to_a_usd"].isna()["270900"]
    assert beside.loc["270900", "a_exports_usd"] == 50600.0
    assert beside.loc["270900", "world_usd"] == 50610.0
    assert beside.loc["030617", "b_to_a_usd"] == 700.0


def test_a_country_and_a_market(store: TradeStore) -> None:
    assert list(store.exports_of("RUS")[["destination", "hs"]].itertuples(index=False, name=None)) == [
        ("CHN", "270900"),
        ("IND", "270900"),
        ("IND", "310210"),
    ]
    assert store.imports_of("IND", "hs2")["value_usd"].sum() == 149000.0
    assert list(store.market(["27", "0306"])["hs"]) == ["270900", "030617", "270900", "270900"]
    assert list(store.product("270900")["value_usd"]) == [50000.0, 600.0, 10.0]
    assert store.totals().set_index(["origin", "destination"]).loc[("RUS", "IND"), "value_usd"] == 59000.0
    assert store.exports_by_product(level="hs2").groupby("origin")["value_usd"].sum()["RUS"] == 59600.0


def test_who_reports(table: Callable[..., Path], folder: Path) -> None:
    text = "exporter,importer,hs6,value_usd\nRUS,IND,270900,5\nIND,RUS,300490,4\nUSA,IND,847130,3\n"
    store = import_trade(table(text), folder, year=2024)
    assert store.years == (2024,)
    assert store.reporters() == ("IND", "RUS")
    assert store.missing_reporters() == ("USA",)


def test_the_manifest_tells_what_was_kept(table: Callable[..., Path], folder: Path) -> None:
    import_trade(table(TABLE + "IND,IND,300490,5,1\n"), folder, year=2024)
    manifest = json.loads((folder / "year=2024" / "manifest.json").read_text())
    assert (manifest["rows_read"], manifest["rows_kept"]) == (8, 7)
    assert manifest["rows_dropped"] == {"a country's trade with itself": 1}
    assert len(manifest["source"]["sha256"]) == 64
    assert manifest["value_usd"] == 154310.0


def test_years_lie_side_by_side_and_a_year_is_replaced(table: Callable[..., Path], folder: Path) -> None:
    import_trade(table(TABLE), folder, year=2023)
    import_trade(table(TABLE.replace("50000", "70000")), folder, year=2024)
    store = import_trade(table(TABLE.replace("50000", "80000")), folder, year=2024)
    assert store.years == (2023, 2024)
    assert [store.pair("RUS", "IND", year=y)["value_usd"].iloc[0] for y in store.years] == [50000.0, 80000.0]
    assert {p.name for p in folder.iterdir()} == {"year=2023", "year=2024"}
    with pytest.raises(InputError, match=r"2022 is not in the trade store; it holds 2023, 2024"):
        store.pair("RUS", "IND", year=2022)


def test_a_table_of_several_years_is_split(table: Callable[..., Path], folder: Path) -> None:
    text = "year,origin,destination,hs,value_usd\n2022,RUS,IND,270900,5\n2023,RUS,IND,270900,6\n"
    assert import_trade(table(text), folder).years == (2022, 2023)
    with pytest.raises(InputError, match=r"no line of 2021; it has 2022, 2023"):
        import_trade(table(text), folder, year=2021)


def test_baci_as_published(table: Callable[..., Path], folder: Path) -> None:
    store = import_trade(table(BACI, "BACI_HS17_Y2023_V202501.csv"), folder)
    assert store.years == (2023,)
    assert store.at().revision == "HS17"
    assert store.at().vintage == "202501"
    assert store.pair("RUS", "IND")["value_usd"].iloc[0] == 50000.0
    assert store.pair("IND", "RUS")["hs"].iloc[0] == "030617"
    assert np.isnan(store.pair("IND", "RUS")["quantity_t"].iloc[0])
    assert store.pair("IND", "USA")["quantity_t"].iloc[0] == 2.0


def test_baci_as_an_archive(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "BACI_HS17_V202501.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BACI_HS17_Y2022_V202501.csv", BACI.replace("2023", "2022"))
        archive.writestr("BACI_HS17_Y2023_V202501.csv", BACI)
        archive.writestr("Readme.txt", "t: year")
    assert import_trade(path, folder, year=2023).years == (2023,)
    assert import_trade(path, folder).years == (2022, 2023)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"no whole ZIP archive"):
        import_trade(path, folder)
    assert TradeStore.open(folder).years == (2022, 2023)


def test_parquet_of_the_named_columns(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "flows.parquet"
    frame = pd.DataFrame({"exporter": ["RUS"], "importer": ["IND"], "hs6": ["030617"], "value_usd": [5.0]})
    frame.to_parquet(path)
    assert import_trade(path, folder, year=2024).pair("RUS", "IND")["hs"].iloc[0] == "030617"
    frame.assign(hs6=30617).to_parquet(path)
    with pytest.raises(DataError, match=r"column hs6: holds numbers \(BIGINT\).*lost its zero"):
        import_trade(path, folder, year=2024)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"is no whole Parquet file.*download it again"):
        import_trade(path, folder, year=2024)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TABLE + "RUS,IND,2709", r"line 9, column hs: the file ends inside a line, 'RUS,IND,2709'"),
        (TABLE + "RUS,TUR,270900,17,5,9\n", "line 9, column quantity_t: 6 fields 'RUS,TUR,270900,17,5,9'; expected 5"),
        (
            TABLE.replace("value_usd", "valeu_usd"),
            "line 1: the header is.*\n.*value: no column value_usd.*did you mean",
        ),
        (TABLE.replace("hs,", "hs,hs,", 1), "column 'hs' stands twice"),
        (TABLE.replace("destination,", "destination,importer,", 1), "the columns importer, destination say the same"),
        (TABLE + "RUS,IND,270900,3,1\n", "exporter RUS, importer IND, hs6 270900: 2 rows on lines 2, 9"),
        (TABLE + "RUS,TUR,270900,-3,1\n", "line 9, column value_usd: '-3'; expected a number of zero or more"),
        (TABLE + "RUS,TUR,270900,3,-1\n", "line 9, column quantity_t: '-1'; expected a number of zero or more"),
        (TABLE + "RUS,TUR,270900,3,some\n", r"line 9, column quantity_t: 'some'; expected .* \(or NA"),
        (TABLE + "RUS,TUR,270900,,1\n", "line 9, column value_usd: nothing; expected a number"),
        (TABLE + "RUS,TUR,270900,inf,1\n", "line 9, column value_usd: 'inf'; expected a number"),
        (TABLE + "RUS,XQX,270900,3,1\n", "line 9, column destination: 'XQX'; expected a country code"),
        (TABLE + "RUS,TUR,30617,3,1\n", "line 9, column hs: '30617'; expected .*; where the leading zero is lost"),
        (TABLE + "RUS,TUR,270900.0,3,1\n", "line 9, column hs: '270900.0'; expected a code of 6 digits"),
        ("origin,destination,hs,value_usd\n", "ends after its header: it is cut off"),
        ("", "other.csv is empty; download it again"),
    ],
)
def test_a_faulty_file_is_told_by_line_and_column(
    text: str, words: str, table: Callable[..., Path], folder: Path
) -> None:
    import_trade(table(TABLE), folder, year=2024)
    before = sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*"))
    with pytest.raises(DataError, match=words):
        import_trade(table(text, "other.csv"), folder, year=2024)
    assert sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*")) == before


_LONG = [
    f"{year},{i},{j},{k:06d},{(i * j + k) / 7:14.3f},{'NA' if k % 13 == 0 else f'{k / 3:.3f}':>14}"
    for year in (2021, 2022)
    for k in range(270_100, 270_700)
    for i in (643, 156, 699, 842, 276)
    for j in (643, 156, 699, 842)
    if i != j
]
"""Lines of BACI, 19,200 of two years."""


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Split text into cells in blocks of 32 KB, so that a short file has borders of blocks as a long one has."""
    monkeypatch.setattr(Reading, "block_bytes", 32_768)


@pytest.mark.usefixtures("short_blocks")
def test_a_long_file_of_two_years_is_read_across_the_borders_of_its_blocks(
    table: Callable[..., Path], folder: Path
) -> None:
    text = "t,i,j,k,v,q\n" + "\n".join(_LONG) + "\n"
    assert len(text) > 25 * Reading.block_bytes
    steps: list[tuple[str, int, int]] = []

    def tell(step: str, k: int, count: int) -> None:
        steps.append((step, k, count))

    store = import_trade(table(text), folder, progress=tell)
    assert [store.at(year).manifest["rows_kept"] for year in store.years] == [9600, 9600]
    for year in store.years:
        expected = sum(1000 * float(line.split(",")[4]) for line in _LONG if line.startswith(f"{year},"))
        assert store.totals(year=year)["value_usd"].sum() == pytest.approx(expected, rel=1e-12)
    assert store.product("270401")["quantity_t"].dropna().unique().tolist() == [pytest.approx(270_401 / 3, abs=1e-3)]
    begun = [step for step, _, _ in steps if "%" not in step]
    assert begun[:5] == ["read", "check", "keep", "keys", "2021 by_origin"]
    assert steps[-1] == ("2022 sums", 12, 12)


_FAULTS: tuple[tuple[Callable[[str], str], str | None], ...] = (
    (lambda line: line[:24] + "x" + line[25:], r"line 19192, column v: '.*x.*'; expected a number of zero or more"),
    (lambda line: "2022,998" + line[8:], r"line 19192, column i: '998'; expected a country code"),
    (lambda line: line.replace("270699", "27069"), None),
    (
        lambda line: line.replace("270699", "2706"),
        r"line 19192, column k: '2706'; expected a code of 5 to 6 digits",
    ),
    (
        lambda line: line[: line.rindex(",")],
        r"line 19192, column v: 5 fields '2022,.*'; expected 6: t, i, j, k, v, q",
    ),
)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize(("fault", "words"), _FAULTS, ids=["number", "country", "zero", "code", "cell"])
def test_one_mistake_near_the_end_of_a_long_file_is_told_by_line_and_column(
    fault: Callable[[str], str], words: str | None, table: Callable[..., Path], folder: Path
) -> None:
    place = 19_190
    lines = [*_LONG[:place], fault(_LONG[place]), *_LONG[place + 1 :]]
    path = table("t,i,j,k,v,q\n" + "\n".join(lines) + "\n")
    if words is None:
        assert import_trade(path, folder).at(2022).manifest["notes"][-1].startswith("1 row: an HS code of five digits")
        return
    with pytest.raises(DataError, match=words) as caught:
        import_trade(path, folder)
    assert str(caught.value).count("line 19192") == 1
    assert not list(folder.iterdir())


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize(("cut", "column"), [(3, "q"), (17, "v"), (30, "k"), (40, "j")])
def test_a_long_file_cut_off_inside_its_last_line_is_refused_with_the_cell(
    cut: int, column: str, table: Callable[..., Path], folder: Path
) -> None:
    """A value that is cut in its middle is still a number: only the missing line end tells."""
    text = "t,i,j,k,v,q\n" + "\n".join(_LONG)
    with pytest.raises(DataError, match=rf"line 19201, column {column}: the file ends inside a line") as caught:
        import_trade(table(text[:-cut]), folder)
    assert str(caught.value).count("line 19201") == 1
    assert not list(folder.iterdir())


def test_all_faults_are_told_at_once(table: Callable[..., Path], folder: Path) -> None:
    text = TABLE + "RUS,XQX,30617,-3,x\n"
    with pytest.raises(DataError) as caught:
        import_trade(table(text), folder, year=2024)
    assert len(caught.value.problems) == 4
    assert all("line 9" in problem for problem in caught.value.problems)
    assert not list(folder.iterdir())


def test_an_unknown_number_of_baci_is_told(table: Callable[..., Path], folder: Path) -> None:
    path = table(BACI.replace("842", "999"), "BACI_HS17_Y2023_V202501.csv")
    with pytest.raises(DataError, match="line 4, column j: '999'; expected a country code, but '999' is unknown"):
        import_trade(path, folder)


def test_a_country_has_one_label_whatever_the_file_calls_it(table: Callable[..., Path], folder: Path) -> None:
    text = "origin,destination,hs,value_usd\nS19,IND,854231,5\nTWN,USA,854231,4\n490,RUS,854231,3\n"
    store = import_trade(table(text), folder, year=2024)
    assert list(store.exports_of("S19")["destination"]) == ["IND", "RUS", "USA"]
    assert list(store.exports_of("Taiwan")["value_usd"]) == [5.0, 3.0, 4.0]


def test_what_may_be_mended_is_mended_when_asked_and_counted(table: Callable[..., Path], folder: Path) -> None:
    text = TABLE + "RUS,XQX,270900,3,1\nRUS,TUR,30617,3,1\n"
    store = import_trade(table(text), folder, year=2024, options=ImportOptions(pad_hs=True, drop_unknown=True))
    manifest = store.at().manifest
    assert manifest["rows_dropped"] == {"unknown countries": 1}
    assert "1 row: an HS code of five digits got its leading zero" in manifest["notes"]
    assert list(store.pair("RUS", "TUR")["hs"]) == ["030617"]


def test_without_a_year_it_is_asked_for(table: Callable[..., Path], folder: Path) -> None:
    with pytest.raises(InputError, match=r"states no year, neither in a column nor in its name; name it with --year"):
        import_trade(table(TABLE), folder)


def test_options_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match=r"basis 'mirrored' is unknown.*\n.*valuation 'fob'.*\n.*revision 'HS18'"):
        ImportOptions(basis="mirrored", valuation="fob", revision="HS18")


def test_a_damaged_store_is_told(store: TradeStore, folder: Path) -> None:
    assert store.verify() == ()
    file = folder / "year=2024" / "totals.parquet"
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)
    assert store.verify()[0].startswith("year=2024/totals.parquet: SHA-256")
    file.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"totals.parquet has \d+ bytes, expected \d+ bytes; import 2024 again"):
        TradeStore.open(folder)
    (folder / "year=2024" / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"is not a manifest of this version"):
        TradeStore.open(folder)


def test_questions_about_nobody(store: TradeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'Indja' does not trade in 2024; did you mean 'India', which is IND"):
        store.pair("Indja", "RUS")
    with pytest.raises(InputError, match=r"unknown level 'hs5'; did you mean 'hs"):
        store.pair("IND", "RUS", "hs5")
    with pytest.raises(InputError, match=r"'271' is not text of 2, 4 or 6 digits"):
        store.market(["271"])
    with pytest.raises(InputError, match=r"'2709' has 4 digits; expected 6"):
        store.product("2709")
    with pytest.raises(SourceMissingError, match=r"no trade store at .*counterpoise data import"):
        TradeStore.open(tmp_path / "nowhere")


def test_an_interrupted_import_leaves_the_store_as_it_was(table: Callable[..., Path], folder: Path) -> None:
    import_trade(table(TABLE), folder, year=2024)

    def stop(step: str, _k: int, _count: int) -> None:
        if step == "2024 by_product":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_trade(table(TABLE.replace("50000", "1")), folder, year=2024, progress=stop)
    assert {p.name for p in folder.iterdir()} == {"year=2024"}
    assert TradeStore.open(folder).pair("RUS", "IND")["value_usd"].iloc[0] == 50000.0


def test_a_file_is_read_in_place_where_there_is_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: Path
) -> None:
    monkeypatch.setenv("COUNTERPOISE_CACHE", str(tmp_path))
    store = find_trade(sources=sources)
    assert store.years == (2024,)
    assert any("Read straight from trade_hs6.parquet" in note for note in store.notes)
    assert store.missing_reporters() == ("DEU", "ESP", "FRA", "GBR", "NLD", "USA")
    assert store.pair("RUS", "IND")["value_usd"].sum() == pytest.approx(63.65e9, rel=1e-3)
    assert store.pair("IND", "RUS", "hs2")["value_usd"].sum() == pytest.approx(4.81e9, rel=1e-3)


_lines = st.dictionaries(
    st.tuples(
        st.sampled_from(["RUS", "IND", "CHN", "USA"]), st.sampled_from(["RUS", "IND", "CHN"]), st.integers(0, 99)
    ),
    st.tuples(st.integers(0, 10**9), st.none() | st.integers(0, 10**6)),
    min_size=1,
    max_size=30,
).filter(lambda lines: any(o != d for o, d, _ in lines))


@settings(max_examples=12)
@given(lines=_lines)
def test_every_sum_is_the_sum_of_the_lines(lines: dict[tuple[str, str, int], tuple[int, int | None]]) -> None:
    rows = [(o, d, f"0{k:02}{k:02}0", v, q) for (o, d, k), (v, q) in lines.items()]
    frame = pd.DataFrame(rows, columns=["origin", "destination", "hs", "value_usd", "quantity_t"])
    frame["hs"] = [hs if hs[:2] != "00" else "01" + hs[2:] for hs in frame["hs"]]
    frame = frame.drop_duplicates(["origin", "destination", "hs"])
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "t.csv"
        frame.to_csv(path, index=False)
        with import_trade(path, Path(name) / "store", year=2024) as store:
            kept = frame[frame["origin"] != frame["destination"]]
            assert store.totals()["value_usd"].sum() == kept["value_usd"].sum()
            assert store.market([f"{k:02}" for k in range(1, 11)])["value_usd"].sum() == kept["value_usd"].sum()
            for country in store.at().countries:
                sold = store.exports_by_product(country, "hs2")["value_usd"].sum()
                assert sold == kept.loc[kept["origin"] == country, "value_usd"].sum()
            codes = {hs for o, d in [("RUS", "IND")] for hs in _codes(store, o, d)}
            assert codes == set(kept.loc[(kept["origin"] == "RUS") & (kept["destination"] == "IND"), "hs"])


def _codes(store: TradeStore, origin: str, destination: str) -> list[str]:
    known = store.at().countries
    return list(store.pair(origin, destination)["hs"]) if {origin, destination} <= set(known) else []


def test_the_order_of_the_files_is_what_queries_rely_on(store: TradeStore, folder: Path) -> None:
    for name, keys in (("by_origin", 0), ("by_destination", 1), ("by_product", 2)):
        frame = pd.read_parquet(folder / "year=2024" / f"{name}.parquet")
        rows = list(frame[["origin", "destination", "hs"]].itertuples(index=False, name=None))
        order = {0: (0, 1, 2), 1: (1, 0, 2), 2: (2, 0, 1)}[keys]
        assert rows == sorted(rows, key=lambda row: tuple(row[k] for k in order))
    assert store.years == (2024,)
