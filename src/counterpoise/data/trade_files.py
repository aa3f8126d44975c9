"""What a year of the trade store consists of, and the layouts of the files it is imported from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from counterpoise.core.errors import DataError, InputError, did_you_mean
from counterpoise.data.codes import country
from counterpoise.data.sources import FILES

__all__ = [
    "BASES",
    "FORMAT",
    "ORDERS",
    "VALUATIONS",
    "Described",
    "Layout",
    "describe_file",
    "file_digest",
    "label_of",
    "layout_of",
]

FORMAT = "counterpoise-trade-1"

ORDERS = ("by_origin", "by_destination", "by_product")
"""Files of a year that hold every line, each in its own order."""

BASES = ("reconciled", "reported by the importer", "reported by the exporter")
"""Whose records the lines are: both sides' made one, or one side's."""

VALUATIONS = ("FOB", "CIF")

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
    """

    columns: Mapping[str, str]
    usd_per_unit: float


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
    return Layout(columns, 1000.0 if value in _THOUSAND else 1.0)


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


def label_of(code: str) -> str:
    """Return the label of a country from a code of a file, empty where it is unknown: ``S19`` and ``490`` are ``TWN``.

    Two countries that trade statistics write as one, or a former state, keep the label of the table.
    """
    try:
        return country(code).iso3
    except InputError:
        return ""
