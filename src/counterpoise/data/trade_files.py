"""What a year of the trade store consists of, and the layouts of the files it is imported from."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from counterpoise.core.errors import DataError, InputError, did_you_mean
from counterpoise.data.sources import FILES

__all__ = [
    "BASES",
    "COMPANION",
    "FORMAT",
    "ORDERS",
    "VALUATIONS",
    "Described",
    "Layout",
    "baci_countries",
    "describe_file",
    "file_digest",
    "layout_of",
]

FORMAT = "counterpoise-trade-1"

ORDERS = ("by_origin", "by_destination", "by_product")
"""Files of a year that hold every line, each in its own order."""

BASES = ("reconciled", "reported by the importer", "reported by the exporter")
"""Whose records the lines are: both sides' made one, or one side's."""

VALUATIONS = ("FOB", "CIF")

COMPANION = re.compile(r"country_codes_.*\.csv$", re.IGNORECASE)
"""Name of the file in which BACI says which country each of its numbers means."""

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "year": ("year", "t", "period"),
    "origin": ("origin", "exporter", "exporter_iso3", "i"),
    "destination": ("destination", "importer", "importer_iso3", "j"),
    "hs": ("hs", "hs6", "product", "k"),
    "value": ("value_usd", "value_thousand_usd", "v"),
    "quantity": ("quantity_t", "quantity_tonnes", "q"),
}
_THOUSAND = ("value_thousand_usd", "v")
_NEEDED = ("origin", "destination", "hs", "value")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of a file is what.

    Attributes
    ----------
    columns
        Name in the file by role: year, origin, destination, hs, value, quantity; roles that lack are not in it.
    usd_per_unit
        1 or 1000.
    numeric_countries
        Countries are the numbers of BACI.
    """

    columns: Mapping[str, str]
    usd_per_unit: float
    numeric_countries: bool


def layout_of(names: list[str], path: str) -> Layout:
    """Recognise the layout of a file by its header.

    Raises
    ------
    DataError
        If a column is missing, given twice or could be two things; the message shows the header and what is expected.
    """
    seen = [name.strip().strip("\ufeff") for name in names]
    folded = [name.casefold() for name in seen]
    columns: dict[str, str] = {}
    problems: list[str] = []
    for role, words in _SYNONYMS.items():
        found = [seen[folded.index(word)] for word in words if word in folded]
        if len(found) > 1:
            problems.append(f"{role}: the columns {', '.join(found)} say the same; keep one")
        elif found:
            columns[role] = found[0]
        elif role in _NEEDED:
            near = next((w for w in (did_you_mean(name, words) for name in seen) if w), "")
            problems.append(f"{role}: no column {' or '.join(words)}{near}")
    problems += [
        f"column '{name}' stands twice" for name in sorted({n for n in seen if folded.count(n.casefold()) > 1})
    ]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(
            f"{path}, line 1: the header is {','.join(seen)}\n{listed}\n"
            "expected the header of BACI (t,i,j,k,v,q) or of a table "
            "(origin, destination, hs, value_usd and, if known, quantity_t and year)",
            problems,
        )
    value = columns["value"].casefold()
    return Layout(columns, 1000.0 if value in _THOUSAND else 1.0, columns["origin"].casefold() == "i")


@dataclass(frozen=True, slots=True)
class Described:
    """What a file's name and place say about it; empty where they say nothing."""

    title: str
    vintage: str
    licence: str
    revision: str
    year: int | None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])


def describe_file(path: Path, member: str = "") -> Described:
    """Read off a file's name what it is: ``BACI_HS17_Y2023_V202501.csv``, or a file of the sources folder.

    Parameters
    ----------
    path
        The file, or the archive.
    member
        Name of the file within the archive.
    """
    name = member or path.name
    text = f"{path.parent.name}/{path.name}/{member}"
    revision = re.search(r"HS(92|96|02|07|12|17|22)(?![0-9])", text, re.IGNORECASE)
    hs = f"HS{revision.group(1)}" if revision else ""
    known = next((file for file in FILES.values() if path.as_posix().endswith("/" + file.path)), None)
    if known is not None:
        stated = int(known.vintage) if known.vintage.isdigit() else None
        return Described(known.title, known.vintage, known.licence, hs, stated)
    year = re.search(r"_Y((?:19|20)[0-9]{2})", name)
    version = re.search(r"_V([0-9]{6}[a-z]?)", name)
    if re.match(r"BACI_", name, re.IGNORECASE):
        return Described(
            f"CEPII BACI bilateral trade by HS6, {hs or 'revision not stated'} (Gaulier and Zignago 2010)",
            version.group(1) if version else "",
            "Etalab 2.0",
            hs,
            int(year.group(1)) if year else None,
        )
    return Described("", version.group(1) if version else "", "", hs, int(year.group(1)) if year else None)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def baci_countries(path: Path) -> dict[str, str]:
    """Return ISO3 by BACI number, from the ``country_codes`` file in the same archive or folder.

    Raises
    ------
    InputError
        If there is no such file.
    DataError
        If it has no columns ``country_code`` and ``country_iso3``, or a number stands for two countries.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if COMPANION.search(name)]
            text = archive.read(inside[0]).decode("utf-8-sig") if inside else None
        where = inside[0] if inside else ""
    else:
        beside = sorted(p for p in path.parent.iterdir() if COMPANION.search(p.name))
        text = beside[0].read_text(encoding="utf-8-sig") if beside else None
        where = beside[0].name if beside else ""
    if text is None:
        raise InputError(
            f"{path} gives countries as numbers, and no country_codes_V*.csv lies in the same archive or folder; "
            "CEPII ships it with every BACI archive: put it beside the file"
        )
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not {"country_code", "country_iso3"} <= set(rows[0]):
        raise DataError(f"{where}, line 1: expected the columns country_code and country_iso3")
    out: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        code = row["country_code"].strip().lstrip("0")
        if out.get(code, row["country_iso3"]) != row["country_iso3"]:
            raise DataError(
                f"{where}, line {line}: number {code} is {row['country_iso3']}, and above it is {out[code]}"
            )
        out[code] = row["country_iso3"].strip()
    return out
