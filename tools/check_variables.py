"""Check the vocabulary: `core/variables.csv` names every quantity once, with known dims, unit and sign.

The suffix of a name promises its unit: `_usd` is money; `_hat`, `_share`, `_rate` and `_pct` are pure numbers.
A bare word that four trade codes use in four senses (tau, tariff, share, hat, balance, change) names nothing here.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

from counterpoise.core.variables import DIMS, SIGNS, UNITS
from tools.rules import SOURCE, finish, place

COLUMNS = ("name", "symbol", "dims", "unit", "sign", "description", "source")
BARE = frozenset({"tau", "tariff", "share", "hat", "balance", "change"})
SUFFIX_UNIT = {"_usd": "USD", "_hat": "1", "_share": "1", "_rate": "1", "_pct": "1"}


def check_rows(rows: list[list[str]]) -> list[tuple[int, str]]:
    """List every fault of the vocabulary.

    Parameters
    ----------
    rows
        Rows of the file, the header first.

    Returns
    -------
    Line and offence.
    """
    if not rows or tuple(rows[0]) != COLUMNS:
        return [(1, f"the header is {','.join(rows[0]) if rows else 'missing'}; expected {','.join(COLUMNS)}")]
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS):
            problems.append((line, f"{len(row)} fields; expected {len(COLUMNS)}: quote a text that holds a comma"))
            continue
        name, _, dims, unit, sign, description, _ = row
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in BARE:
            problems.append((line, f"'{name}' is no name; write lower_case_words that say of what"))
        if name in seen:
            problems.append((line, f"{name} stands on line {seen[name]} already"))
        seen.setdefault(name, line)
        unknown = [dim for dim in dims.split() if dim not in DIMS]
        if unknown or not dims:
            problems.append((line, f"{name} has dims '{dims}'; the dims are {', '.join(DIMS)}"))
        if unit not in UNITS:
            problems.append((line, f"{name} has unit '{unit}'; the units are {', '.join(UNITS)}"))
        if sign not in SIGNS:
            problems.append((line, f"{name} has sign '{sign}'; the signs are {', '.join(SIGNS)}"))
        if not description:
            problems.append((line, f"{name} is not described"))
        for suffix, promised in SUFFIX_UNIT.items():
            if name.endswith(suffix) and unit != promised:
                problems.append((line, f"{name} has unit '{unit}', but {suffix} promises '{promised}'"))
    return problems


def check(path: Path) -> list[str]:
    """List every fault of a vocabulary file.

    Parameters
    ----------
    path
        A CSV file.

    Returns
    -------
    One line per fault.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return [f"{place(path, line)}: {offence}" for line, offence in check_rows(rows)]


if __name__ == "__main__":
    sys.exit(finish("vocabulary", check(SOURCE / "core" / "variables.csv")))
