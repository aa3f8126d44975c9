"""Who reports: silent countries are derived from what is absent among them, and never from one odd pair."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import pytest

from counterpoise.data import load_table
from counterpoise.data.reporting import silent_among, silent_reporters, silent_words

COUNTRIES = {"AAA": 9e11, "BBB": 6e11, "CCC": 5e11, "DDD": 4e11, "EEE": 3e11, "FFF": 2e11}


def world(silent: Collection[str], without: Collection[tuple[str, str]] = ()) -> pd.DataFrame:
    """Return totals by gravity, without what two silent countries trade and without some pairs, both ways."""
    rows = [
        (i, j, COUNTRIES[i] * COUNTRIES[j] / 3e12)
        for i in COUNTRIES
        for j in COUNTRIES
        if i != j and not {i, j} <= set(silent) and (i, j) not in without and (j, i) not in without
    ]
    return pd.DataFrame(rows, columns=["origin", "destination", "value_usd"])


def test_countries_without_trade_among_them_are_silent_largest_first() -> None:
    assert silent_reporters(world(("BBB", "DDD", "FFF"))) == ("BBB", "DDD", "FFF")
    assert silent_reporters(world(())) == ()


def test_an_embargo_is_no_silence() -> None:
    """Two that do not trade, and one that trades with neither of two partners that do trade."""
    assert silent_reporters(world((), [("BBB", "CCC")])) == ()
    assert silent_reporters(world((), [("BBB", "CCC"), ("BBB", "DDD")])) == ()


def test_an_importer_that_the_source_lacks_is_not_judged() -> None:
    totals = world(("BBB", "DDD", "FFF"))
    totals = totals[totals["destination"] != "BBB"]
    assert silent_reporters(totals) == ()


def test_one_silent_country_is_known_from_the_list_only() -> None:
    assert silent_reporters(world(("CCC",))) == ()
    assert silent_among(world(()), 2024) == ("RUS",)
    assert silent_among(world(()), 2019) == ()


@pytest.mark.parametrize(
    ("year", "silent", "reporting"),
    [
        (
            2024,
            {"ARE", "BGD", "DZA", "IRN", "IRQ", "PNG", "RUS", "VNM"},
            {"CHN", "IND", "ISR", "KOR", "MEX", "SAU", "USA"},
        ),
        (2023, {"BGD", "KOR", "PNG", "RUS", "VNM"}, {"ARE", "CHN", "DEU", "IND", "MEX", "USA"}),
    ],
)
def test_the_shipped_totals_show_who_is_silent(year: int, silent: set[str], reporting: set[str]) -> None:
    pairs = load_table("pairs").rename(columns={"exporter": "origin", "importer": "destination"})
    totals = pairs.assign(value_usd=pairs[f"value_{year}_usd"].astype(float)).dropna(subset=["value_usd"])
    found = set(silent_reporters(totals.astype({"origin": str, "destination": str})))
    assert silent <= found
    assert not reporting & found


def test_words_name_the_silent_of_both_sides_and_what_is_absent() -> None:
    assert silent_words(["IND"], ["CHN"], ["RUS"], 2024) == ""
    assert silent_words(["IND"], ["RUS"], ["RUS"], 2024) == (
        "RUS reports nothing in 2024: the numbers are what partners report."
    )
    assert silent_words(["VNM", "THA"], ["RUS"], ["RUS", "VNM"], 2024) == (
        "VNM, RUS report nothing in 2024: the numbers are what partners report; "
        "what VNM and RUS trade with each other is absent."
    )
