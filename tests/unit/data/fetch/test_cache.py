"""The cache: receipts, additions by hand, verification, addresses of the user."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from counterpoise.core.errors import DataError, DownloadError, InputError, SourceMissingError
from counterpoise.data.fetch import Cache, Patience, address, addresses, cache_folder
from counterpoise.data.fetch.addresses import Address
from counterpoise.data.readers import READERS

from .servers import Answer, serve

FIXTURES = Path(__file__).parents[3] / "fixtures" / "sources"
BACI = (FIXTURES / "BACI_HS17_Y2023_V202501.csv").read_bytes()
_QUICK = Patience(attempts=2, timeout=2.0, sleep=lambda _: None)


def _address(url: str, **changes: str) -> Address:
    given = {"name": "toy", "source": "baci", "title": "A toy", "vintage": "2023", "url": url, "file": "toy.csv",
             "licence": "Etalab 2.0", "sha256": "", "page": "https://page.example", **changes}  # fmt: skip
    return Address(**given, bytes=None)


def test_a_fetched_file_has_a_receipt_and_is_not_fetched_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with serve(BACI) as server:
        stored = cache.fetch(_address(server.url), patience=_QUICK)
        again = cache.fetch(_address(server.url), patience=_QUICK, offline=True)
        assert len(server.seen) == 1
    assert stored == again
    assert (stored.source, stored.bytes, stored.sha256) == ("baci", len(BACI), hashlib.sha256(BACI).hexdigest())
    assert "t,i,j,k,v,q" in stored.edition
    assert cache.path("toy") == tmp_path / "raw" / "toy.csv"
    assert cache.verify() == ()


def test_a_bad_answer_keeps_file_and_receipt(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with serve(BACI) as server:
        stored = cache.fetch(_address(server.url), patience=_QUICK)
        server.answers[:] = [Answer(body=b"<html><body>Log in</body></html>\n", etag='"two"')]
        with pytest.raises(DownloadError, match=r"no known source.*kept as it was"):
            cache.fetch(_address(server.url), patience=_QUICK, again=True)
    assert cache.stored() == (stored,)
    assert cache.path("toy").read_bytes() == BACI
    assert cache.verify() == ()


def test_what_was_changed_on_disk_is_found_and_not_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with serve(BACI) as server:
        cache.fetch(_address(server.url), patience=_QUICK)
        path = cache.path("toy")
        path.write_bytes(BACI[:-1] + b"9")
        assert [fault.split(" has ")[0] for fault in cache.verify()] == ["toy.csv"]
        with pytest.raises(DataError, match="--again"):
            cache.fetch(_address(server.url), patience=_QUICK)
        assert cache.fetch(_address(server.url), patience=_QUICK, again=True).bytes == len(BACI)
    path.unlink()
    assert cache.verify() == (f"toy.csv is missing from {tmp_path / 'raw'}",)


def test_a_file_of_the_user_is_recognised_and_copied(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    stored = cache.add(FIXTURES / "WDICSV.csv")
    assert (stored.source, stored.url) == ("wdi", "")
    assert cache.path("WDICSV.csv").read_bytes() == (FIXTURES / "WDICSV.csv").read_bytes()
    unknown = tmp_path / "shopping.csv"
    unknown.write_text("item,price\nmilk,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no known source: seen a text file that begins with item, price"):
        cache.add(unknown)
    assert len(cache.stored()) == 1
    assert cache.add(unknown, source="baci").source == "baci"


def test_what_is_not_at_hand_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match=r"data fetch baci-hs17.*data add FILE"):
        Cache(tmp_path).path("baci-hs17")
    with pytest.raises(InputError, match=r"no direct address.*by hand from https://www.rug.nl"):
        Cache(tmp_path).fetch(address("wiod2016"))
    with pytest.raises(DownloadError, match="--offline"):
        Cache(tmp_path).fetch(address("baci-hs17"), offline=True)


def test_the_folder_is_the_option_then_the_environment_then_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUNTERPOISE_CACHE", "/somewhere")
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("COUNTERPOISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/counterpoise")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/people/ann")
    assert cache_folder() == Path("/people/ann/.cache/counterpoise")


def test_every_address_is_of_a_reader_and_every_reader_has_one() -> None:
    known = addresses()
    assert {a.source for a in known.values()} == set(READERS)
    for a in known.values():
        assert a.page.startswith("https://"), a
        assert a.licence, a
        assert not a.url or (a.url.startswith("https://") and a.file), a
    with pytest.raises(InputError, match="did you mean 'gravity'"):
        address("gravty")


def test_addresses_of_the_user_replace_and_extend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.csv"
    header = "name,source,title,vintage,url,file,licence,bytes,sha256,page\n"
    mine.write_text(
        header + "gravity,gravity,Mirror,2021,http://127.0.0.1/g.zip,g.zip,Etalab 2.0,12,,https://x.example\n"
    )
    monkeypatch.setenv("COUNTERPOISE_ADDRESSES", str(mine))
    assert address("gravity").url == "http://127.0.0.1/g.zip"
    assert address("baci-hs17").source == "baci"
    mine.write_text(header + "x,baci,T,2020,ftp://x,../g.zip,L,many,abc,\n")
    with pytest.raises(InputError, match="4 problems") as caught:
        addresses()
    assert all(f"line 2, column {c}" in str(caught.value) for c in ("bytes", "url", "sha256", "file"))


def test_a_damaged_receipt_is_an_error(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.add(FIXTURES / "WDICSV.csv")
    receipt = tmp_path / "raw" / "WDICSV.csv.receipt.json"
    assert json.loads(receipt.read_text(encoding="utf-8"))["source"] == "wdi"
    receipt.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        cache.stored()
