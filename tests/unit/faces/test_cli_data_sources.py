"""The commands for raw files, against a server on 127.0.0.1 and the fixtures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from counterpoise.faces.cli.app import app
from tests.unit.data.fetch.servers import Answer, serve

FIXTURES = Path(__file__).parents[2] / "fixtures" / "sources"
BACI = (FIXTURES / "BACI_HS17_Y2023_V202501.csv").read_bytes()
SHA = hashlib.sha256(BACI).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNTERPOISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COUNTERPOISE_ADDRESSES", raising=False)
    monkeypatch.delenv("COMTRADE_API_KEY", raising=False)
    return tmp_path / "cache" / "raw"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def document(*arguments: str) -> Any:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_list_shows_what_is_shipped_and_what_can_be_fetched() -> None:
    rows = {row["name"]: row for row in document("data", "list", "--json")}
    assert {row["kind"] for row in rows.values()} == {"shipped", "source"}
    assert rows["baci-hs17"]["licence"] == "Etalab 2.0"
    assert (rows["baci-hs17"]["at_hand"], rows["baci-hs17"]["bytes"]) == (False, 0)
    shown = invoke("data", "list").stdout
    assert "by hand" in shown
    assert "embedded2024" in shown


def test_fetch_by_address_list_and_verify(cache: Path) -> None:
    with serve(BACI, Answer(cut=100), Answer()) as server:
        url = server.url.replace("file.zip", "BACI_HS17_Y2023_V202501.csv")
        found = document("data", "fetch", url, "--sha256", SHA, "--json")
    assert (found[0]["source"], found[0]["sha256"]) == ("baci", SHA)
    assert (cache / "BACI_HS17_Y2023_V202501.csv").read_bytes() == BACI
    added = next(row for row in document("data", "list", "--json") if row["kind"] == "added")
    assert (added["at_hand"], added["bytes"]) == (True, len(BACI))
    assert document("data", "verify", "--json")["damaged"] == []
    (cache / "BACI_HS17_Y2023_V202501.csv").write_bytes(BACI[:-3] + b"9\n")
    result = invoke("data", "verify")
    assert result.exit_code == 3
    assert "BACI_HS17_Y2023_V202501.csv has" in result.stderr


def test_progress_is_a_few_lines_and_goes_to_standard_error() -> None:
    with serve(BACI, Answer(cut=300), Answer()) as server:
        result = invoke("data", "fetch", server.url.replace("file.zip", "BACI_HS17_Y2023_V202501.csv"))
    assert result.exit_code == 0
    lines = [line for line in result.stderr.splitlines() if line.startswith("fetch:")]
    assert 2 <= len(lines) <= 22
    assert "again in" in result.stderr
    assert "fetch:" not in result.stdout


def test_a_name_of_the_users_addresses_is_fetched(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.csv"
    with serve(BACI) as server:
        mine.write_text(
            "name,source,title,vintage,url,file,licence,bytes,sha256,page\n"
            f"baci-toy,baci,Toy,2023,{server.url},toy.csv,Etalab 2.0,{len(BACI)},{SHA},https://page.example\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("COUNTERPOISE_ADDRESSES", str(mine))
        assert document("data", "fetch", "baci-toy", "--json")[0]["licence"] == "Etalab 2.0"
        assert document("data", "fetch", "baci-toy", "--offline", "--json")[0]["file"] == "toy.csv"
        assert len(server.seen) == 1
        server.answers[:] = [Answer(404)]
        result = invoke("data", "fetch", "baci-toy", "--again")
    assert result.exit_code == 3
    assert "answers 404" in result.stderr
    assert "https://page.example" in result.stderr
    assert (cache / "toy.csv").read_bytes() == BACI


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["data", "fetch", "nonsuch"], 2, "unknown source file 'nonsuch'"),
        (["data", "fetch", "wiod2016"], 2, "by hand from https://www.rug.nl"),
        (["data", "fetch", "gravity", "--offline"], 3, "the network is refused"),
        (["data", "fetch", "gravity", "wdi", "--sha256", "00"], 2, "--sha256 is for one file"),
        (["data", "fetch", "https://example.org"], 2, "names no file"),
        (["data", "add", "nonsuch.csv"], 3, "does not exist"),
        (["data", "sniff", "nonsuch.csv"], 3, "does not exist"),
        (["data", "tidy", "nonsuch.csv", "-o", "x.parquet"], 3, "does not exist"),
        (["data", "tidy", str(FIXTURES / "WDICSV.csv"), "-o", "x.csv"], 2, "not .parquet"),
        (["data", "tidy", str(FIXTURES / "WDICSV.csv"), "-o", "x.parquet", "--set", "colour=red"], 2, "'colour=red'"),
        (["data", "tidy", str(FIXTURES / "WDICSV.csv"), "-o", "x.parquet", "--source", "bacy"], 2, "did you mean"),
        (["data", "comtrade", "--reporter", "XX1", "--year", "2024", "-o", "x.json"], 2, "no country 'XX1'"),
        (["data", "comtrade", "--reporter", "IND", "--year", "2024", "-o", "x.json", "--offline"], 3, "refused"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_writes_nothing(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_add_sniff_and_tidy(tmp_path: Path, cache: Path) -> None:
    added = document("data", "add", str(FIXTURES / "AVEMFN_H6_356_2022_U2.CSV"), "--json")
    assert added[0]["source"] == "wits"
    assert (cache / added[0]["file"]).is_file()
    seen = document("data", "sniff", *(str(p) for p in sorted(FIXTURES.iterdir())), "--json")
    assert {row["source"] for row in seen} == {
        "baci", "census", "comtrade", "gravity", "itpde", "tradestat", "wdi", "wits",
    }  # fmt: skip
    out = tmp_path / "wits.parquet"
    told = document("data", "tidy", "AVEMFN_H6_356_2022_U2.CSV", "-o", str(out), "--json")
    assert (told["rows_read"], told["rows_kept"]) == (9, 7)
    assert told["sha256"] == added[0]["sha256"]
    assert pd.read_parquet(out)["hs6"].tolist()[0] == "010121"
    page = str(FIXTURES / "tradestat-country-all-commodities.html")
    shown = invoke("data", "tidy", page, "-o", str(tmp_path / "t.parquet"), "--set", "flow=export")
    assert shown.exit_code == 0
    assert "a total of the page" in shown.stdout
    assert "fiscal years run from April to March" in shown.stderr


def test_a_broken_file_ends_with_3_and_leaves_the_old_result(tmp_path: Path) -> None:
    raw, out = tmp_path / "BACI_HS17_Y2023_V202501.csv", tmp_path / "b.parquet"
    raw.write_bytes(BACI)
    assert invoke("data", "tidy", str(raw), "-o", str(out)).exit_code == 0
    before = out.read_bytes()
    raw.write_bytes(BACI[: len(BACI) // 2])
    result = invoke("data", "tidy", str(raw), "-o", str(out))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "line 8, column k" in result.stderr
    assert out.read_bytes() == before
