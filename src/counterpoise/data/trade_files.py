"""What a year of the trade store consists of, and what the name of a file says about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from counterpoise.core.errors import InputError
from counterpoise.data.codes import country
from counterpoise.data.sources import FILES

__all__ = [
    "BASES",
    "FORMAT",
    "ORDERS",
    "VALUATIONS",
    "Described",
    "describe_file",
    "label_of",
]

FORMAT = "counterpoise-trade-1"

ORDERS = ("by_origin", "by_destination", "by_product")
"""Files of a year that hold every line, each in its own order."""

BASES = ("reconciled", "reported by the importer", "reported by the exporter")
"""Whose records the lines are: both sides' made one, or one side's."""

VALUATIONS = ("FOB", "CIF")


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


def label_of(code: str) -> str:
    """Return the label of a country from a code of a file, empty where it is unknown: ``S19`` and ``490`` are ``TWN``.

    Two countries that trade statistics write as one, or a former state, keep the label of the table.
    """
    try:
        return country(code).iso3
    except InputError:
        return ""
