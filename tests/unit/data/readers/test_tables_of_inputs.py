"""ICIO and WIOD in every edition, against pymrio, which reads the same files by itself."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import DataError, InputError
from counterpoise.data.readers import read_source, sniff

from .tables import ICIO_INDUSTRIES, Toy, toy, write_icio, write_wiod_2013, write_wiod_2016

EDITIONS = {
    2018: ("ICIO2018_2015.csv", ("CHN", "IND", "MEX", "ROW", "CN1", "CN2", "MX1", "MX2")),
    2021: ("ICIO2021_2018.csv", ("CHN", "IND", "MEX", "ROW", "CN1", "CN2", "MX1", "MX2")),
    2023: ("ICIO2023_2020.csv", ("CHN", "IND", "MEX", "ROW", "CN1", "CN2")),
    2025: ("2022_SML.csv", ("IND", "RUS", "ROW", "USA")),
}


def oracle(read: str, path: Path) -> Any:
    """Read a file with pymrio, whose warnings are of extensions that we do not ask for."""
    pymrio: Any = pytest.importorskip("pymrio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(pymrio, read)(path)


def flat(block: Any) -> dict[tuple[str, str, str, str], float]:
    """Return a block of pymrio as cells in USD, without zeros."""
    values = block.to_numpy()
    return {
        (str(row[0]), str(row[1]), str(column[0]), str(column[1])): float(values[a, b]) * 1e6
        for a, row in enumerate(block.index)
        for b, column in enumerate(block.columns)
        if values[a, b] != 0
    }


def cells(frame: pd.DataFrame, kind: str) -> dict[tuple[str, str, str, str], float]:
    part = frame[frame["kind"] == kind]
    keys = zip(part["origin"], part["sector"], part["destination"], part["use"], strict=True)
    return {(str(o), str(s), str(d), str(u)): float(v) for (o, s, d, u), v in zip(keys, part["value_usd"], strict=True)}


def assert_same(mine: dict[Any, float], theirs: dict[Any, float]) -> None:
    assert mine.keys() == theirs.keys()
    for key, value in mine.items():
        assert value == pytest.approx(theirs[key], rel=1e-12, abs=1e-3), key


@pytest.fixture(params=sorted(EDITIONS))
def icio(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[int, Path, Toy]:
    edition: int = request.param
    name, countries = EDITIONS[edition]
    table = toy(countries, ICIO_INDUSTRIES[edition], np.random.default_rng(edition))
    write_icio(tmp_path / name, table, edition)
    return edition, tmp_path / name, table


def test_icio_is_what_pymrio_reads(icio: tuple[int, Path, Toy]) -> None:
    edition, path, _ = icio
    assert f"edition {edition}" in sniff(path).edition
    frame, provenance = read_source(path)
    theirs = oracle("parse_oecd", path)
    assert_same(cells(frame, "intermediate"), flat(theirs.Z))
    assert_same(cells(frame, "final"), flat(theirs.Y))
    inputs = theirs.factor_inputs.F
    for kind, rows in (("value_added", ("VA", "VALU")), ("taxes", ("TLS", "TAXSUB"))):
        row = next(name for name in rows if name in inputs.index)
        mine = {(d, u): v for (_, _, d, u), v in cells(frame, kind).items() if (d, u) in inputs.columns}
        assert mine == pytest.approx({k: float(v) * 1e6 for k, v in inputs.loc[row].items() if v}, rel=1e-9)
    assert provenance.vintage == {2018: "2015", 2021: "2018", 2023: "2020", 2025: "2022"}[edition]
    assert not {"CN1", "CN2", "MX1", "MX2"} & set(frame["origin"])


def test_icio_balances(icio: tuple[int, Path, Toy]) -> None:
    _, path, _ = icio
    frame, _ = read_source(path)
    sold = frame[frame["kind"].isin(["intermediate", "final"])].groupby(["origin", "sector"])["value_usd"].sum()
    industries = set(frame["sector"]) - {"value_added", "taxes"}
    paid = frame[frame["use"].isin(industries)].groupby(["destination", "use"])["value_usd"].sum()
    np.testing.assert_allclose(sold.to_numpy(), paid.loc[list(sold.index)].to_numpy(), rtol=1e-9)


def test_icio_from_the_archive_of_several_years(tmp_path: Path) -> None:
    table = toy(("IND", "RUS", "ROW"), ICIO_INDUSTRIES[2025], np.random.default_rng(1))
    path = tmp_path / "ICIO2025.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for year in (2021, 2022):
            write_icio(tmp_path / f"{year}_SML.csv", table, 2025)
            archive.write(tmp_path / f"{year}_SML.csv", f"{year}_SML.csv")
    with pytest.raises(InputError, match="choose one with year="):
        read_source(path)
    assert read_source(path, year=2021)[1].vintage == "2021"


def test_wiod_2013_is_what_pymrio_reads(tmp_path: Path) -> None:
    table = toy(("IND", "ROM", "USA", "ROW"), ("AtB", "C", "15t16"), np.random.default_rng(3), uses=5)
    path = tmp_path / "wiot11_row_apr12.xlsx"
    write_wiod_2013(path, table, 2011)
    assert "release 2013" in sniff(path).edition
    frame, provenance = read_source(path)
    theirs = oracle("parse_wiod", path)
    codes = dict(zip(table.industries, ("c1", "c2", "c35"), strict=True))
    finals = {"c37": "households", "c38": "npish", "c39": "government", "c41": "gfcf", "c42": "inventories"}
    expected = {(o, codes[s], d, codes[u]): v for (o, s, d, u), v in flat(theirs.Z).items()}
    assert_same(cells(frame, "intermediate"), expected)
    assert_same(cells(frame, "final"), {(o, codes[s], d, finals[u]): v for (o, s, d, u), v in flat(theirs.Y).items()})
    assert "ROU" in set(frame["origin"])
    assert provenance.vintage == "2011"
    assert set(frame["kind"]) == {"intermediate", "final", "value_added", "taxes", "adjustment"}


@pytest.mark.parametrize("name", ["WIOT2014_October16_ROW.dta", "WIOT2014_October16_ROW.csv"])
def test_wiod_2016_gives_back_the_table(name: str, tmp_path: Path) -> None:
    table = toy(("IND", "ROU", "USA", "ROW"), ("A01", "A02", "C10-C12"), np.random.default_rng(4), uses=5)
    write_wiod_2016(tmp_path / name, table, 2014)
    assert "release 2016" in sniff(tmp_path / name).edition
    frame, provenance = read_source(tmp_path / name)
    sellers = table.sellers
    expected = {
        (*row, *column): table.intermediate[a, b] * 1e6
        for a, row in enumerate(sellers)
        for b, column in enumerate(sellers)
        if table.intermediate[a, b]
    }
    assert_same(cells(frame, "intermediate"), expected)
    uses = [(c, u) for c in table.countries for u in ("households", "npish", "government", "gfcf", "inventories")]
    assert_same(
        cells(frame, "final"),
        {(*row, *uses[b]): table.final[a, b] * 1e6 for a, row in enumerate(sellers) for b in range(len(uses))},
    )
    added = {(d, u): v for (_, _, d, u), v in cells(frame, "value_added").items()}
    assert added == pytest.approx(dict(zip(sellers, table.value_added * 1e6, strict=True)))
    assert provenance.vintage == "2014"


def test_wiod_2011_as_it_lies_in_the_sources(sources: Path) -> None:
    frame, provenance = read_source(sources / "data/wiod2011/flows.parquet")
    output = pd.read_csv(sources / "data/wiod2011/output.csv").set_index(["origin", "industry"])["gross_output"]
    mine = frame.groupby(["origin", "sector"])["value_usd"].sum() / 1e6
    both = pd.concat([mine, output], axis=1).fillna(0.0)
    assert len(both) == 41 * 35
    # The flows are single precision and rounded to million USD.
    assert (both.iloc[:, 0] - both.iloc[:, 1]).abs().max() < 1e-3 * both.iloc[:, 1].max()
    assert provenance.rows_kept == 465_182


def _spoilt(path: Path, line: int, column: int, text: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = lines[line - 1].split(",")
    fields[column - 1] = text
    lines[line - 1] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "column", "text", "words"),
    [
        (3, 5, "many", r"line 3, column 5: 'many'; expected a number"),
        (3, 2, "-4.5", r"line 3, column IND 01T02: -4\.5; expected a number of zero or more"),
        (3, 4, "99999", r"line 3, IND 03: its cells add up to .* but its gross output is"),
        (4, 1, "IND_03", r"line 3, column 1: the row 'IND_03' stands twice"),
        (4, 1, "XQZ_10T12", r"line 4, column 1: 'XQZ_10T12'.*no country 'XQZ'"),
        (4, 1, "hello", r"line 4, column 1: 'hello' is no COUNTRY_INDUSTRY"),
        (1, 3, "IND_ZZ", r"line 1, column IND_ZZ: 'ZZ' is neither an industry"),
    ],
)
def test_a_fault_in_icio_is_named_by_line_and_column(
    line: int, column: int, text: str, words: str, tmp_path: Path
) -> None:
    table = toy(("IND", "RUS", "ROW"), ICIO_INDUSTRIES[2021], np.random.default_rng(7))
    path = tmp_path / "ICIO2021_2018.csv"
    write_icio(path, table, 2021)
    _spoilt(path, line, column, text)
    with pytest.raises(DataError, match=words):
        read_source(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
def test_a_table_that_is_cut_off_is_an_error(share: float, tmp_path: Path) -> None:
    table = toy(("IND", "ROU", "ROW"), ICIO_INDUSTRIES[2023], np.random.default_rng(8))
    icio = tmp_path / "ICIO2023_2020.csv"
    write_icio(icio, table, 2023)
    book = tmp_path / "wiot11_row_apr12.xlsx"
    write_wiod_2013(book, toy(("IND", "ROM", "ROW"), ("AtB", "C"), np.random.default_rng(9), uses=5), 2011)
    stata = tmp_path / "WIOT2014_October16_ROW.dta"
    write_wiod_2016(stata, toy(("IND", "ROU", "ROW"), ("A01", "A02"), np.random.default_rng(9), uses=5), 2014)
    for path, words in ((icio, r"line \d+, column"), (book, "cut off"), (stata, "cut off")):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match=words):
            read_source(path)
