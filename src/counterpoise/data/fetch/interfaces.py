"""Ask the interfaces of UN Comtrade and the World Bank, with the checks they need.

UN Comtrade cuts an answer off at a number of records and says nothing of it: 500 without a key, 100,000 with one. An
answer that reaches the cap is asked again in halves, first by period, then by reporter, partner, flow and product; what
cannot be halved is an error. With a key, the number of records is asked for first and compared.

The World Bank gives its answers in pages; every page is fetched, and the records are counted against the stated total.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.core.storage import atomic_path
from counterpoise.data.codes import country, hs_code
from counterpoise.data.codes.tables import read_codes
from counterpoise.data.fetch.download import Patience, get

__all__ = ["KEY_VARIABLE", "ComtradeQuery", "fetch_comtrade", "fetch_world_bank"]

KEY_VARIABLE = "COMTRADE_API_KEY"
"""Environment variable: the subscription key of UN Comtrade. Without one its preview is asked, 500 records a query."""

COMTRADE = "https://comtradeapi.un.org"
WORLD_BANK = "https://api.worldbank.org/v2"
PREVIEW_CAP = 500
KEYED_CAP = 100_000

_NEEDED = ("reporters", "periods", "flows", "codes")
_HALVED = ("periods", "reporters", "partners", "flows", "codes")


@dataclass(frozen=True, slots=True)
class ComtradeQuery:
    """What is asked of UN Comtrade.

    Attributes
    ----------
    reporters, partners
        Countries in any spelling; ``partners`` empty asks for all.
    periods
        Years, or months as 202401.
    flows
        M, X, RM, RX.
    codes
        HS codes of 2, 4 or 6 digits as strings, or TOTAL, AG2, AG4, AG6.
    """

    reporters: tuple[str, ...]
    periods: tuple[str, ...]
    partners: tuple[str, ...] = ()
    flows: tuple[str, ...] = ("M", "X")
    codes: tuple[str, ...] = ("TOTAL",)

    def __post_init__(self) -> None:
        """Check every word.

        Raises
        ------
        InputError
            If a country, period, flow or code is unknown; all are named.
        """
        problems: list[str] = []
        for name in (*self.reporters, *self.partners):
            try:
                _number(name)
            except InputError as error:
                problems.append(str(error))
        problems += [
            f"period '{p}'; expected 2024 or 202401" for p in self.periods if not (p.isdigit() and len(p) in (4, 6))
        ]
        problems += [f"flow '{f}'; expected M, X, RM or RX" for f in self.flows if f not in ("M", "X", "RM", "RX")]
        for code in self.codes:
            if code not in ("TOTAL", "AG2", "AG4", "AG6"):
                try:
                    if len(hs_code(code)) > 6:
                        problems.append(f"HS code '{code}'; expected 2, 4 or 6 digits")
                except InputError as error:
                    problems.append(str(error))
        problems += [f"no {what} is given" for what in _NEEDED if not getattr(self, what)]
        raise_all(InputError, "the query of UN Comtrade cannot be asked", problems)

    @property
    def parameters(self) -> dict[str, str]:
        """What stands after the question mark."""
        asked = {
            "reporterCode": ",".join(_number(r) for r in self.reporters),
            "period": ",".join(self.periods),
            "flowCode": ",".join(self.flows),
            "cmdCode": ",".join(self.codes),
            "partner2Code": "0",
            "motCode": "0",
            "customsCode": "C00",
        }
        if self.partners:
            asked["partnerCode"] = ",".join(_number(p) for p in self.partners)
        return asked

    def halves(self) -> tuple[ComtradeQuery, ComtradeQuery] | None:
        """Return the query in two; None where nothing can be halved."""
        for name in _HALVED:
            values = cast("tuple[str, ...]", getattr(self, name))
            if len(values) > 1:
                middle = len(values) // 2
                return replace(self, **{name: values[:middle]}), replace(self, **{name: values[middle:]})
        return None


def _number(name: str) -> str:
    """Return the number of a country in UN Comtrade: 699 for India, not 356."""
    iso3 = country(name).iso3
    wanted = [row["code"] for row in read_codes("country_codes") if row["system"] == "numeric" and row["iso3"] == iso3]
    current = {"FRA": "251", "NOR": "579", "CHE": "757", "USA": "842", "IND": "699", "TWN": "490"}
    number = current[iso3] if iso3 in current and current[iso3] in wanted else country(iso3).m49
    return number.lstrip("0")


def fetch_comtrade(
    query: ComtradeQuery,
    target: Path,
    *,
    key: str | None = None,
    base: str = COMTRADE,
    offline: bool = False,
    patience: Patience | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Ask UN Comtrade and write the answer as one JSON document, which its reader takes; return how many records.

    Parameters
    ----------
    key
        Subscription key; `KEY_VARIABLE` by default. It travels in a header and never in an address or a message.

    Raises
    ------
    DownloadError
        If the network is refused or absent, or the server says no.
    DataError
        If an answer is cut off and cannot be halved, or holds fewer records than were counted.
    """
    secret = key if key is not None else os.environ.get(KEY_VARIABLE, "")
    asked: list[ComtradeQuery] = []
    records: list[dict[str, Any]] = []
    waiting = [query]
    while waiting:
        part = waiting.pop(0)
        asked.append(part)
        found = _ask(part, secret, base, offline, patience)
        if progress is not None:
            progress(f"comtrade {','.join(part.periods)}", len(asked), len(asked) + len(waiting))
        if found is not None:
            records += found
            continue
        halves = part.halves()
        if halves is None:
            cap = KEYED_CAP if secret else PREVIEW_CAP
            raise DataError(
                f"UN Comtrade cuts the answer for {part.parameters} off at {cap:,} records, and it cannot be asked in "
                f"smaller parts; name partners or products{'' if secret else f', or set {KEY_VARIABLE}'}"
            )
        waiting = [*halves, *waiting]
    document = {"elapsedTime": "", "count": len(records), "data": records, "error": ""}
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return len(records)


def _ask(
    query: ComtradeQuery, key: str, base: str, offline: bool, patience: Patience | None
) -> list[dict[str, Any]] | None:
    """Return the records of one query; None where the answer reached the cap."""
    cap = KEYED_CAP if key else PREVIEW_CAP
    path = "data/v1/get/C/A/HS" if key else "public/v1/preview/C/A/HS"
    if any(len(p) == 6 for p in query.periods):
        path = path.replace("/C/A/", "/C/M/")
    headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
    counted: int | None = None
    if key:
        counting = urlencode({**query.parameters, "countOnly": "true"}, safe=",")
        counted = _document(get(f"{base}/{path}?{counting}", headers=headers, offline=offline, patience=patience)).get(
            "count"
        )
        if isinstance(counted, int) and counted > cap:
            return None
    parameters = urlencode({**query.parameters, "maxRecords": str(cap)}, safe=",")
    answer = _document(get(f"{base}/{path}?{parameters}", headers=headers, offline=offline, patience=patience))
    records = cast("list[dict[str, Any]]", answer.get("data") or [])
    if answer.get("error"):
        raise DataError(f"UN Comtrade answers: {answer['error']}")
    if len(records) >= cap:
        return None
    for stated, what in ((answer.get("count"), "says it holds"), (counted, "counted")):
        if isinstance(stated, int) and stated >= 0 and stated != len(records):
            raise DataError(
                f"UN Comtrade {what} {stated:,} records for {query.parameters} and sent {len(records):,}; "
                "try again later"
            )
    return records


def _document(content: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(content)
    except ValueError as error:
        raise DataError(f"UN Comtrade sent no whole JSON document ({error}); try again later") from error
    if not isinstance(found, dict):
        raise DataError(f"UN Comtrade sent a {type(found).__name__}; expected a document with count and data")
    return cast("dict[str, Any]", found)


def fetch_world_bank(
    indicators: Sequence[str],
    target: Path,
    *,
    base: str = WORLD_BANK,
    per_page: int = 20_000,
    offline: bool = False,
    patience: Patience | None = None,
) -> int:
    """Fetch every page of some indicators and write them as one JSON document that the reader of WDI takes.

    Returns
    -------
    Number of records.

    Raises
    ------
    DownloadError
        If the network is refused or absent, or the server says no.
    DataError
        If the bank says the indicator is unknown, or pages hold fewer records than their total.
    """
    pages: list[list[Any]] = []
    offset = 0
    for indicator in indicators:
        mine: list[list[Any]] = []
        wanted = 1
        while len(mine) < wanted:
            asked = urlencode({"format": "json", "per_page": per_page, "page": len(mine) + 1})
            content = get(
                f"{base}/country/all/indicator/{quote(indicator)}?{asked}", offline=offline, patience=patience
            )
            page = cast("list[Any]", json.loads(content))
            if len(page) < 2 or "pages" not in page[0]:
                raise DataError(f"the World Bank does not know the indicator '{indicator}': {json.dumps(page)[:300]}")
            wanted = int(page[0]["pages"])
            mine.append(page)
        total, held = int(mine[0][0]["total"]), sum(len(page[1] or []) for page in mine)
        if total != held:
            raise DataError(f"the World Bank says {total} records of {indicator} and sent {held}; try again later")
        pages += mine
        offset += total
    # One numbering of pages over all indicators, so that a missing one is seen.
    for k, page in enumerate(pages, start=1):
        page[0] = {**page[0], "page": k, "pages": len(pages), "total": offset}
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(pages, ensure_ascii=False), encoding="utf-8")
    return offset
