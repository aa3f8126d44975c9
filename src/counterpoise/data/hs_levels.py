"""Levels of the Harmonized System: how a six-digit code is read more coarsely.

HS codes are strings: ``"0306"`` is a heading, ``306`` is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.data.codes import section_of
from counterpoise.data.concordance import hs_sector

__all__ = ["LEVELS", "UNPLACED", "level_of", "require_codes"]

LEVELS = ("hs6", "hs4", "hs2", "section", "sector")
"""Levels at which trade by six digits can be added up."""

UNPLACED = "other"
"""What belongs to no section: the special chapters 98 and 99."""


def level_of(hs6: str, level: str) -> str:
    """Return the code of a six-digit line at a level of `LEVELS`.

    Raises
    ------
    InputError
        If the level is unknown.

    Examples
    --------
    >>> [level_of("030617", level) for level in ("hs4", "hs2", "section", "sector")]
    ['0306', '03', 'I', 'agriculture']
    """
    if level in ("hs6", "hs4", "hs2"):
        return hs6[: int(level[2])]
    if level == "section":
        return section_of(hs6[:2]) or UNPLACED
    if level == "sector":
        return hs_sector(hs6)
    raise InputError(f"unknown level '{level}'{did_you_mean(level, LEVELS) or ';'} Known: {', '.join(LEVELS)}")


def require_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Return HS codes of two, four or six digits, sorted and without those that another of them contains.

    Raises
    ------
    InputError
        If a code is not a string of two, four or six digits; all such are named.
    """
    given = list(codes)
    raise_all(
        InputError,
        "HS codes cannot be used",
        [
            f"{code!r} is not text of 2, 4 or 6 digits; write it in quotes with its leading zero, as '0306'"
            for code in given
            if not isinstance(code, str) or not code.isascii() or not code.isdigit() or len(code) not in (2, 4, 6)  # pyright: ignore[reportUnnecessaryIsInstance]
        ],
    )
    kept: list[str] = []
    for code in sorted(set(given)):
        if not (kept and code.startswith(kept[-1])):
            kept.append(code)
    return tuple(kept)
