"""The country table: unique, complete against the files at hand, and readable in every spelling."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import duckdb
import pytest

from counterpoise.core.errors import InputError
from counterpoise.data.codes import (
    countries,
    country,
    country_of_name,
    group,
    group_members,
    groups,
    members_on,
    resolve,
)
from counterpoise.data.codes.tables import read_codes
from counterpoise.data.concordance import read_table

_NOT_AS_CEPII_SAYS = {"58": "BLX", "490": "TWN"}
"""CEPII labels Belgium-Luxembourg BEL and Other Asia S19; here the first is apart and the second is Taiwan."""


def test_codes_of_the_current_countries_are_well_formed_and_unique() -> None:
    current = countries("iso")
    assert len(current) == 249
    for column, pattern in (("iso3", "[A-Z]{3}"), ("iso2", "[A-Z]{2}"), ("m49", "[0-9]{3}")):
        values = [getattr(c, column) for c in current]
        assert len(set(values)) == len(values), column
        assert all(re.fullmatch(pattern, v) for v in values), column
    labels = [c.iso3 for c in countries()]
    assert len(set(labels)) == len(labels)
    numbers = [c.m49 for c in countries() if c.m49]
    assert len(set(numbers)) == len(numbers)


def test_successors_are_in_the_table_and_begin_after_the_state_ended() -> None:
    for former in countries("historical"):
        assert former.last_year is not None
        assert former.successors, former
        for iso3 in former.successors:
            heir = country(iso3)
            assert heir.first_year is None or heir.first_year >= former.last_year, (former, heir)


def test_no_name_means_two_countries() -> None:
    seen: dict[str, str] = {}
    rows = [(c.name, c.iso3) for c in countries()] + [(r["name"], r["iso3"]) for r in read_codes("country_names")]
    for name, iso3 in rows:
        assert country_of_name(name).iso3 == iso3, name
        assert seen.setdefault(name, iso3) == iso3


@pytest.mark.parametrize(
    ("code", "iso3"),
    [
        (699, "IND"), ("842", "USA"), (251, "FRA"), ("579", "NOR"), (757, "CHE"), ("490", "TWN"), ("S19", "TWN"),
        ("356", "IND"), (4, "AFG"), ("004", "AFG"), ("ROM", "ROU"), ("ZAR", "COD"), ("KSV", "XKX"), ("412", "XKX"),
        (810, "SUN"), ("891", "SCG"), (711, "ZA1"), ("697", "R20"), ("gb", "GBR"), ("bGd", "BGD"),
        ("Viet Nam", "VNM"), ("KOREA RP", "KOR"), ("CHINA P RP", "CHN"), ("Côte d'Ivoire", "CIV"),
        ("Korea, Dem. People's Rep.", "PRK"), ("U ARAB EMTS", "ARE"), ("NA", "NAM"), ("Areas, nes", "_899"),
    ],
)  # fmt: skip
def test_every_code_of_the_sources_is_read(code: str | int, iso3: str) -> None:
    assert country(code).iso3 == iso3


def test_an_unknown_code_is_named_with_the_nearest_known() -> None:
    with pytest.raises(InputError, match=r"2 problems(.|\n)*'INX'(.|\n)*number 998"):
        resolve(["IND", "INX", 998, "842"])
    with pytest.raises(InputError, match="did you mean 'germany'"):
        country_of_name("Germny")


def test_every_row_of_the_country_file_of_cepii_is_read(sources: Path) -> None:
    with (sources / "data/baci2024_hs17/country_codes_V202501.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 238
    different = {
        row["country_code"]: country(row["country_code"]).iso3
        for row in rows
        if country(row["country_code"]).iso3 != row["country_iso3"]
    }
    assert different == _NOT_AS_CEPII_SAYS
    assert country("S19").iso3 == "TWN"


def test_every_country_of_the_trade_files_is_read(sources: Path) -> None:
    connection = duckdb.connect()
    labels = set[str]()
    for name, columns in (
        ("data/baci2024_hs17/trade_hs6.parquet", ("exporter", "importer")),
        ("data/baci2023/trade.parquet", ("exporter", "importer")),
        ("data/us_imports_2024/hs6_by_partner.parquet", ("partner",)),
    ):
        for column in columns:
            labels |= {r[0] for r in connection.execute(f"SELECT DISTINCT {column} FROM '{sources / name}'").fetchall()}
    labels.discard("EUROPEAN UNION")
    found = resolve(sorted(labels))
    assert len(found) == len(labels) > 250
    assert not [c for c in found.values() if country(c).kind == "area"]


def test_every_country_with_a_region_is_in_the_table() -> None:
    for row in read_table("countries"):
        assert country(row["iso3"]).iso3 == {"S19": "TWN"}.get(row["iso3"], row["iso3"])


@pytest.mark.parametrize(
    ("code", "day", "count"),
    [
        ("EU", date(1957, 12, 31), 0), ("EU", date(1958, 1, 1), 6), ("EU", date(1973, 1, 1), 9),
        ("EU", date(1981, 1, 1), 10), ("EU", date(1986, 1, 1), 12), ("EU", date(1995, 1, 1), 15),
        ("EU", date(2004, 5, 1), 25), ("EU", date(2007, 1, 1), 27), ("EU", date(2013, 7, 1), 28),
        ("EU", date(2020, 1, 31), 28), ("EU", date(2020, 2, 1), 27), ("EA", date(2015, 1, 1), 19),
        ("EA", date(2023, 1, 1), 20), ("EAEU", date(2015, 1, 1), 3), ("EAEU", date(2015, 8, 12), 5),
        ("BRICS", date(2010, 1, 1), 4), ("BRICS", date(2012, 1, 1), 5), ("BRICS", date(2024, 6, 1), 9),
        ("BRICS", date(2025, 6, 1), 10), ("ASEAN", date(2000, 1, 1), 10), ("ASEAN", date(2025, 11, 1), 11),
        ("GCC", date(2024, 1, 1), 6), ("OECD", date(1964, 12, 31), 21), ("OECD", date(2024, 1, 1), 38),
        ("G20", date(2024, 1, 1), 19), ("RCEP", date(2024, 1, 1), 14), ("OPEC", date(2024, 1, 1), 12),
        ("CPTPP", date(2025, 1, 1), 12), ("EFTA", date(2024, 1, 1), 4), ("MERCOSUR", date(2014, 1, 1), 5),
    ],
)  # fmt: skip
def test_groups_had_their_members_on_the_day(code: str, day: date, count: int) -> None:
    assert len(members_on(code, day)) == count


def test_fixed_compositions_do_not_change() -> None:
    assert set(group_members("EU28")) - set(group_members("EU27")) == {"GBR"}
    assert set(group_members("EU28")) - set(group_members("EU27_2007")) == {"HRV"}
    assert group_members("EU27", date(1990, 1, 1)) == group_members("EU27")
    for g in groups():
        digits = re.match(r"(?:EU|EA|ASEAN)(\d+)", g.code)
        if digits:
            assert len(group_members(g.code)) == int(digits[1]), g


def test_members_are_countries_and_dates_are_in_order() -> None:
    known = {g.code for g in groups()}
    for row in read_codes("group_members"):
        assert row["group"] in known
        assert country(row["iso3"]).kind == "iso"
        assert row["iso3"] == country(row["iso3"]).iso3
        assert date.fromisoformat(row["since"]) < date.fromisoformat(row["until"] or "9999-12-31")


def test_a_group_that_did_not_exist_raises() -> None:
    with pytest.raises(InputError, match="had no members on 1990-01-01"):
        group_members("EAEU", date(1990, 1, 1))
    with pytest.raises(InputError, match="did you mean 'EU27'"):
        group("EU-27")
