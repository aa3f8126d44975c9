"""Which products are meant: HS codes and ranges of them, always as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from counterpoise.core.errors import InputError, raise_all

__all__ = ["hs_ranges", "in_ranges"]

_ENTRY = re.compile(r"(\d{2}|\d{4}|\d{6})(?:-(\d{2}|\d{4}|\d{6}))?")


def hs_ranges(selection: str | Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return first and last code of every entry of a selection.

    Parameters
    ----------
    selection
        Codes of 2, 4 or 6 digits and ranges of one length, as ``"01-24,30"`` or ``["01-24", "3004"]``.

    Raises
    ------
    InputError
        If an entry is no such text; every one is named.

    Examples
    --------
    >>> hs_ranges("01-24,3004")
    (('01', '24'), ('3004', '3004'))
    """
    entries: list[object] = [p.strip() for p in selection.split(",")] if isinstance(selection, str) else list(selection)
    problems: list[str] = []
    found: list[tuple[str, str]] = []
    for entry in entries:
        if not isinstance(entry, str):
            problems.append(
                f"{entry!r} is a {type(entry).__name__}; HS codes are text with their leading zero, as '0101'"
            )
            continue
        match = _ENTRY.fullmatch(entry)
        first, last = (match[1], match[2] or match[1]) if match else ("", "")
        if not match or len(first) != len(last):
            length = (
                "an odd number of digits: the leading zero may be lost, write 0101 for 101; " if _odd(entry) else ""
            )
            problems.append(f"'{entry}' is no HS code: {length}expected 2, 4 or 6 digits or a range, as 01-24 or 3004")
        elif first > last:
            problems.append(f"'{entry}' runs backwards; expected {last}-{first}")
        else:
            found.append((first, last))
    if not entries:
        problems.append("the selection is empty; expected at least one code, as 30, or leave it out for all products")
    raise_all(InputError, "the selection of products cannot be read", problems)
    return tuple(found)


def in_ranges(codes: pd.Series[str], ranges: Sequence[tuple[str, str]]) -> pd.Series[bool]:
    """Say which codes, all of one length, lie in any of the ranges; a heading that a finer range reaches into does.

    Examples
    --------
    >>> in_ranges(pd.Series(["0101", "3004", "3901"]), [("01", "24"), ("300490", "300490")]).tolist()
    [True, True, False]
    """
    hit = pd.Series(False, index=codes.index)
    for first, last in ranges:
        # Codes of one level have one length; a heading is compared with the first digits of a finer bound.
        width = min(len(first), int(codes.str.len().max())) if len(codes) else len(first)
        prefix = codes.str[:width]
        hit |= (prefix >= first[:width]) & (prefix <= last[:width])
    return hit


def _odd(entry: str) -> bool:
    return entry.isdigit() and len(entry) % 2 == 1
