"""The interfaces of UN Comtrade and the World Bank: caps, counts, pages, keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from counterpoise.core.errors import DataError, InputError
from counterpoise.data.fetch import Patience
from counterpoise.data.fetch.interfaces import ComtradeQuery, fetch_comtrade, fetch_world_bank
from counterpoise.data.readers import read_source

from .servers import Answer, serve

_QUICK = Patience(attempts=2, timeout=2.0, sleep=lambda _: None)


def _record(reporter: str, partner: str, period: str, flow: str, code: str) -> dict[str, Any]:
    fields = {
        "typeCode": "C", "freqCode": "A", "refYear": int(period[:4]), "period": period, "reporterCode": int(reporter),
        "flowCode": flow, "partnerCode": int(partner), "partner2Code": 0, "classificationCode": "H6", "cmdCode": code,
        "customsCode": "C00", "motCode": 0, "netWgt": 10.0, "cifvalue": None, "fobvalue": None, "primaryValue": 5.5,
    }  # fmt: skip
    return fields


def _comtrade(cap: int, lie: int = 0) -> Callable[[str], bytes]:
    """Answer as UN Comtrade: one record per combination, cut off at the cap without a word."""

    def body(path: str) -> bytes:
        asked = {k: v[0].split(",") for k, v in parse_qs(urlsplit(path).query).items()}
        records = [
            _record(r, p, t, f, c)
            for r in asked["reporterCode"]
            for p in asked.get("partnerCode", ["643", "842", "276"])
            for t in asked["period"]
            for f in asked["flowCode"]
            for c in asked["cmdCode"]
        ]
        if "countOnly" in asked:
            return json.dumps({"count": len(records) + lie, "data": []}).encode()
        sent = records[:cap]
        return json.dumps({"count": len(sent), "data": sent, "error": ""}).encode()

    return body


def test_an_answer_that_reaches_the_cap_is_asked_in_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMTRADE_API_KEY", raising=False)
    monkeypatch.setattr("counterpoise.data.fetch.interfaces.PREVIEW_CAP", 5)
    query = ComtradeQuery(("India",), ("2022", "2023", "2024"), ("RUS", "USA"), ("M", "X"), ("0306", "300490"))
    with serve(_comtrade(5)) as server:
        count = fetch_comtrade(query, tmp_path / "a.json", base=server.url.rsplit("/", 1)[0], patience=_QUICK)
        paths = [urlsplit(path) for path, _ in server.seen]
    assert count == 3 * 2 * 2 * 2
    assert {p.path for p in paths} == {"/public/v1/preview/C/A/HS"}
    assert parse_qs(paths[0].query)["reporterCode"] == ["699"]
    assert parse_qs(paths[0].query)["partnerCode"] == ["643,842"]
    assert parse_qs(paths[0].query)["cmdCode"] == ["0306,300490"]
    frame, provenance = read_source(tmp_path / "a.json")
    assert len(frame) == count
    assert set(frame["hs"]) == {"0306", "300490"}
    assert provenance.source == "comtrade"


def test_what_cannot_be_halved_is_an_error_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMTRADE_API_KEY", raising=False)
    monkeypatch.setattr("counterpoise.data.fetch.interfaces.PREVIEW_CAP", 3)
    query = ComtradeQuery(("IND",), ("2024",), (), ("M",), ("AG6",))
    with serve(_comtrade(3)) as server, pytest.raises(DataError, match=r"off at 3 records.*COMTRADE_API_KEY"):
        fetch_comtrade(query, tmp_path / "a.json", base=server.url.rsplit("/", 1)[0], patience=_QUICK)
    assert list(tmp_path.iterdir()) == []


def test_with_a_key_records_are_counted_and_the_key_stays_in_its_header(tmp_path: Path) -> None:
    query = ComtradeQuery(("IND",), ("2024",), ("RUS",), ("M",), ("TOTAL",))
    with serve(_comtrade(9)) as server:
        base = server.url.rsplit("/", 1)[0]
        assert fetch_comtrade(query, tmp_path / "a.json", key="secret", base=base, patience=_QUICK) == 1
        assert all("secret" not in path for path, _ in server.seen)
        assert [headers["Ocp-Apim-Subscription-Key"] for _, headers in server.seen] == ["secret", "secret"]
        assert "countOnly=true" in server.seen[0][0]
    with serve(_comtrade(9, lie=4)) as server, pytest.raises(DataError, match=r"counted 5 records.*sent 1"):
        fetch_comtrade(query, tmp_path / "b.json", key="secret", base=server.url.rsplit("/", 1)[0], patience=_QUICK)
    assert not (tmp_path / "b.json").exists()


def test_a_query_is_checked_before_it_is_asked() -> None:
    with pytest.raises(InputError, match="4 problems") as caught:
        ComtradeQuery(("Atlantis",), ("24",), (), ("Z",), ("306",))
    assert "'Atlantis'" in str(caught.value)
    assert "leading zero" in str(caught.value)


def test_numbers_are_those_of_comtrade() -> None:
    query = ComtradeQuery(("IND", "USA", "FRA", "NOR", "CHE", "TWN", "DEU", "AFG"), ("2024",))
    assert query.parameters["reporterCode"] == "699,842,251,579,757,490,276,4"


def test_every_page_of_the_world_bank_is_fetched_and_counted(tmp_path: Path) -> None:
    records = [
        {"indicator": {"id": "X"}, "country": {"id": "I", "value": "India"}, "countryiso3code": "IND", "date": str(y),
         "value": y / 2}
        for y in range(2000, 2007)
    ]  # fmt: skip

    def body(path: str, lost: int = 0) -> bytes:
        page = int(parse_qs(urlsplit(path).query)["page"][0])
        mine = records[3 * (page - 1) : 3 * page]
        return json.dumps([{"page": page, "pages": 3, "per_page": 3, "total": 7}, mine[lost:]]).encode()

    with serve(body) as server:
        base = server.url.rsplit("/", 1)[0]
        assert fetch_world_bank(["X"], tmp_path / "w.json", base=base, per_page=3, patience=_QUICK) == 7
    frame, _ = read_source(tmp_path / "w.json")
    assert list(frame["value"]) == [y / 2 for y in range(2000, 2007)]
    with serve(lambda path: body(path, 1)) as server, pytest.raises(DataError, match="says 7 records of X and sent 4"):
        fetch_world_bank(["X"], tmp_path / "v.json", base=server.url.rsplit("/", 1)[0], per_page=3, patience=_QUICK)
    unknown = b'[{"message":[{"id":"120","value":"The provided parameter value is not valid"}]}]'
    with serve(unknown, Answer()) as server, pytest.raises(DataError, match="does not know the indicator 'NOPE'"):
        fetch_world_bank(["NOPE"], tmp_path / "v.json", base=server.url.rsplit("/", 1)[0], patience=_QUICK)
    assert not (tmp_path / "v.json").exists()
