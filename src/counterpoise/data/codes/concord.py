"""From HS to BEC, ISIC, sections and the sectors of the world, with what is left over in sight.

The longest listed prefix of a code decides, as in `counterpoise.data.concordance`. A prefix whose goods belong to
several categories of BEC, and which these tables do not divide further, is listed without a category: what falls there
is the unmapped remainder, and it is returned, never spread over the rest.

``hs_bec4.csv`` and ``hs_isic4.csv`` are our own reading of BEC revision 4 and ISIC revision 4 at the level of headings
and, where a heading is mixed and large in trade, of subheadings. They are no copy of the correspondence tables of the
United Nations, which work at six digits of one revision throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.data.codes.products import hs_code, hs_section
from counterpoise.data.codes.tables import read_codes
from counterpoise.data.concordance import hs_sector

__all__ = [
    "CLASSIFICATIONS",
    "Concorded",
    "bec_categories",
    "bec_end_use",
    "concord",
    "hs_bec",
    "hs_icio",
    "hs_isic4",
    "hs_wiod",
    "isic4_divisions",
]


@cache
def _column(table: str, key: str, value: str) -> Mapping[str, str]:
    return MappingProxyType({row[key]: row[value] for row in read_codes(table)})


def _longest(code: str, table: str, value: str) -> str:
    digits = hs_code(code)
    known = _column(table, "prefix", value)
    return next((known[digits[:n]] for n in range(len(digits), 1, -1) if digits[:n] in known), "")


def hs_bec(code: str) -> str:
    """Return the category of BEC revision 4 of an HS code; empty where its goods belong to several, or to none.

    Raises
    ------
    InputError
        If it is no HS code.

    Examples
    --------
    >>> hs_bec("270900"), hs_bec("300490"), hs_bec("870323"), hs_bec("847130"), hs_bec("8544")
    ('31', '63', '51', '41', '')
    """
    return _longest(code, "hs_bec4", "category")


def bec_categories() -> dict[str, str]:
    """Return the name of each basic category of BEC revision 4."""
    return dict(_column("bec4_categories", "category", "name"))


def bec_end_use(category: str) -> str:
    """Return the use of a category in the national accounts: capital, intermediate, consumption, or mixed.

    Raises
    ------
    InputError
        If there is no such category.
    """
    known = _column("bec4_categories", "category", "end_use")
    if category not in known:
        raise InputError(f"BEC has no category '{category}'; known: {', '.join(known)}")
    return known[category]


def hs_isic4(code: str) -> str:
    """Return the division of ISIC revision 4 that makes the goods of an HS code; empty for 98 and 99.

    Raises
    ------
    InputError
        If it is no HS code.

    Examples
    --------
    >>> hs_isic4("270900"), hs_isic4("300490"), hs_isic4("0306"), hs_isic4("030617")
    ('06', '21', '03', '10')
    """
    return _longest(code, "hs_isic4", "division")


def isic4_divisions() -> dict[str, str]:
    """Return the name of each division of ISIC revision 4 that makes goods."""
    return dict(_column("isic4_divisions", "division", "name"))


def _by_division(code: str, column: str) -> str:
    division = hs_isic4(code)
    return _column("isic4_divisions", "division", column)[division] if division else ""


def hs_wiod(code: str) -> str:
    """Return the industry of WIOD 2013, c1 to c35, that makes the goods of an HS code; empty for 98 and 99."""
    return _by_division(code, "wiod2013")


def hs_icio(code: str) -> str:
    """Return the industry of the OECD's tables of 2023 that makes the goods of an HS code; empty for 98 and 99."""
    return _by_division(code, "icio2023")


def _sector(code: str) -> str:
    return hs_sector(hs_code(code))


def _end_use(code: str) -> str:
    category = hs_bec(code)
    return bec_end_use(category) if category else ""


CLASSIFICATIONS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "section": hs_section,
        "sector": _sector,
        "bec4": hs_bec,
        "end_use": _end_use,
        "isic4": hs_isic4,
        "wiod2013": hs_wiod,
        "icio2023": hs_icio,
    }
)
"""What `concord` maps to, and the function of one code."""


@dataclass(frozen=True, slots=True)
class Concorded:
    """Values by HS code, added up to another classification.

    Attributes
    ----------
    values
        Sum by category, in the unit that was given.
    weights
        By category, the share of each HS code's value that went there: 1, or absent.
    unmapped
        Value by HS code that has no category.
    """

    values: Mapping[str, float]
    weights: Mapping[str, Mapping[str, float]]
    unmapped: Mapping[str, float]

    @property
    def unmapped_value(self) -> float:
        """What is left over, in the unit that was given."""
        return sum(self.unmapped.values())

    @property
    def coverage_rate(self) -> float:
        """Share of the value that has a category, 0 to 1."""
        mapped = sum(self.values.values())
        total = mapped + self.unmapped_value
        return mapped / total if total else 1.0


def concord(values: Mapping[str, float], to: str) -> Concorded:
    """Add values by HS code up to another classification; nothing is lost: values + unmapped = what was given.

    Parameters
    ----------
    values
        Value by HS code, any length of 2 to 10 digits.
    to
        One of `CLASSIFICATIONS`.

    Raises
    ------
    InputError
        If the classification is unknown, or a key is no HS code.

    Examples
    --------
    >>> found = concord({"270900": 70.0, "300490": 20.0, "854449": 10.0}, "bec4")
    >>> dict(found.values), dict(found.unmapped), found.coverage_rate
    ({'31': 70.0, '63': 20.0}, {'854449': 10.0}, 0.9)
    """
    if to not in CLASSIFICATIONS:
        known = ", ".join(CLASSIFICATIONS)
        raise InputError(f"unknown classification '{to}'{did_you_mean(to, CLASSIFICATIONS)} Known: {known}")
    sums: dict[str, float] = {}
    weights: dict[str, dict[str, float]] = {}
    unmapped: dict[str, float] = {}
    for code, value in values.items():
        category = CLASSIFICATIONS[to](code)
        if not category:
            unmapped[code] = unmapped.get(code, 0.0) + value
            continue
        sums[category] = sums.get(category, 0.0) + value
        weights.setdefault(category, {})[code] = 1.0
    return Concorded(sums, weights, unmapped)
