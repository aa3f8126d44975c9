"""The Harmonized System: codes as strings, revisions, sections.

A code is a string of 2, 4, 6, 8 or 10 digits with its leading zero: chapter 03 is ``"03"``, never 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from counterpoise.core.errors import DataError, InputError
from counterpoise.data.codes.tables import read_codes

__all__ = [
    "HsRevision",
    "hs_code",
    "hs_revision",
    "hs_revisions",
    "hs_section",
    "hs_sections",
    "section_of",
    "sniff_hs_revision",
]

_PAIRS = re.compile(r"[0-9]{2}(?:[. ]?[0-9]{2}){0,4}")


@dataclass(frozen=True, slots=True, order=True)
class HsRevision:
    """A revision of the Harmonized System.

    Attributes
    ----------
    edition
        Year of the edition: 1992 (in force from 1988), 1996, 2002, 2007, 2012, 2017 or 2022.
    code
        Code of UN Comtrade, H0 to H6.
    name
        Name, as HS2017.
    in_force_from
        First day, ISO.
    """

    edition: int
    code: str
    name: str
    in_force_from: str


@cache
def hs_revisions() -> tuple[HsRevision, ...]:
    """Return the revisions, oldest first."""
    return tuple(
        HsRevision(int(row["edition"]), row["code"], row["name"], row["in_force_from"])
        for row in read_codes("hs_revisions")
    )


def hs_revision(name: str) -> HsRevision:
    """Return a revision by any of its names: H5, HS2017, HS17, HS 2017, 2017.

    Raises
    ------
    InputError
        If there is no such revision.

    Examples
    --------
    >>> hs_revision("HS17").code, hs_revision("H0").edition, hs_revision("HS 2022").name
    ('H5', 1992, 'HS2022')
    """
    text = name.strip().upper().replace(" ", "").replace("-", "").replace("_", "")
    for revision in hs_revisions():
        year = str(revision.edition)
        if text in (revision.code, revision.name, year, f"HS{year[2:]}", f"H{year[2:]}"):
            return revision
    known = ", ".join(f"{r.name} ({r.code})" for r in hs_revisions())
    raise InputError(f"there is no revision '{name}' of the Harmonized System; known: {known}")


def hs_code(code: object) -> str:
    """Return a code as plain digits.

    Parameters
    ----------
    code
        A string of 2, 4, 6, 8 or 10 digits, with or without points or spaces between pairs: ``"0306.17"``. Anything
        that is not a string is refused, since a number has lost its leading zero.

    Raises
    ------
    InputError
        If it is not such a string.

    Examples
    --------
    >>> hs_code("0306.17"), hs_code(" 03 "), hs_code("0306 17 00")
    ('030617', '03', '03061700')
    """
    if not isinstance(code, str):
        raise InputError(
            f"HS code {code!r} is a {type(code).__name__}; expected a string with its leading zero, as '0306'"
        )
    text = code.strip()
    if _PAIRS.fullmatch(text) is None:
        raise InputError(
            f"HS code '{code}' is not a string of 2, 4, 6, 8 or 10 digits; write the leading zero, as '0306' or '03.06'"
        )
    return text.replace(".", "").replace(" ", "")


@cache
def _section_of_chapter() -> Mapping[str, str]:
    return MappingProxyType(
        {
            f"{chapter:02d}": row["section"]
            for row in read_codes("hs_sections")
            for chapter in range(int(row["first_chapter"]), int(row["last_chapter"]) + 1)
            if chapter != 77
        }
    )


def hs_sections() -> dict[str, str]:
    """Return the short name of each of the 21 sections, by its Roman number."""
    return {row["section"]: row["name"] for row in read_codes("hs_sections")}


def section_of(chapter: str) -> str:
    """Return the section of an HS chapter; empty for 98, 99 and whatever is no chapter, as a pool of small flows.

    Examples
    --------
    >>> section_of("30"), section_of("98")
    ('VI', '')
    """
    return _section_of_chapter().get(chapter, "")


def hs_section(code: str) -> str:
    """Return the section of an HS code, a Roman number; empty for the special chapters 98 and 99.

    Raises
    ------
    InputError
        If it is no HS code, or its chapter is 00 or 77, which are not used.

    Examples
    --------
    >>> hs_section("0306"), hs_section("300490"), hs_section("99")
    ('I', 'VI', '')
    """
    chapter = hs_code(code)[:2]
    if chapter in ("98", "99"):
        return ""
    found = section_of(chapter)
    if not found:
        raise InputError(f"HS code '{code}' is of chapter {chapter}, which is not used; expected 01 to 99 without 77")
    return found


def sniff_hs_revision(codes: Iterable[str]) -> tuple[HsRevision, tuple[str, ...]]:
    """Recognise the revision of a table from the codes that occur in it.

    Some codes exist only from a revision on (8806, unmanned aircraft, from HS2022) or only up to one (8803, parts of
    aircraft, up to HS2017). The newest code present says from when; the oldest, until when.

    Parameters
    ----------
    codes
        Six-digit codes of a table that covers most of trade. In a narrow table the codes that tell may be missing;
        then the oldest revision that fits is returned, and the evidence says how far it reaches.

    Returns
    -------
    The revision, and what was seen: one line per code that tells.

    Raises
    ------
    DataError
        If codes of different revisions are mixed; both are named.
    """
    present = set(codes)
    order = {revision.code: k for k, revision in enumerate(hs_revisions())}
    first, last = 0, len(order) - 1
    since, until, seen = "", "", list[str]()
    for row in read_codes("hs_markers"):
        count = sum(code.startswith(row["code"]) for code in present)
        if not count:
            continue
        bound = row["first_revision"] or row["last_revision"]
        word = "from" if row["first_revision"] else "up to"
        line = f"{row['code']} ({row['what']}) exists {word} {hs_revisions()[order[bound]].name}"
        seen.append(line)
        if row["first_revision"] and order[bound] >= first:
            first, since = order[bound], line
        elif row["last_revision"] and order[bound] <= last:
            last, until = order[bound], line
    if first > last:
        raise DataError(f"the table mixes revisions of the Harmonized System: {since}, but {until}; take one revision")
    if not since:
        seen.append(f"no code that began after {hs_revisions()[0].name}")
    return hs_revisions()[first], tuple(seen)
