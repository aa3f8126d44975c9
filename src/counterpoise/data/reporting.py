"""Who reports: countries whose own records are missing from a year of trade, as it shows and as is listed.

A reconciled source shows a flow where at least one of its two sides reports it. Two large countries without any
recorded trade between them are therefore both silent; and so is who has no recorded trade with any of the silent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from counterpoise.data.concordance import read_table

__all__ = ["listed_silent", "pair_totals", "silent_among", "silent_reporters", "silent_words"]

SEED_USD = 3e9
"""Trade both ways, expected from size alone, whose absence shows two silent countries. The largest absence for another
reason in 2024, Israel and Saudi Arabia, is below 2 bn."""

EXPECTED_USD = 1e8
"""Trade with all silent countries, expected from size alone, below which nothing is said of a country."""

ABSENT_SHARE = 0.95
"""Share of the trade expected with the silent that must be absent."""

_LEAST = 3


def silent_reporters(totals: pd.DataFrame) -> tuple[str, ...]:
    """Derive which countries do not report in a year, from the totals of all pairs.

    Parameters
    ----------
    totals
        Table origin, destination, value_usd of one year, of a source that shows a flow where one side reports it.
        Countries that it lacks as importers altogether are not judged.

    Returns
    -------
    Labels, largest trader first; empty where no three countries are silent together. A single silent country leaves no
    trace in the totals: see `listed_silent`.

    Notes
    -----
    Expected trade of i and j is t_i t_j / sum(t), with t = exports + imports. The pair with the largest expected trade
    and no recorded trade begins the set, if that is `SEED_USD` or more. Others, by size, join where at least
    `ABSENT_SHARE` of the trade expected with the set is absent.

    Examples
    --------
    >>> import pandas as pd
    >>> reports = {"A": False, "B": False, "C": False, "D": True, "E": True}
    >>> rows = [(i, j, 5e10) for i in reports for j in reports if i != j and (reports[i] or reports[j])]
    >>> silent_reporters(pd.DataFrame(rows, columns=["origin", "destination", "value_usd"]))
    ('A', 'B', 'C')
    """
    known = totals[totals["value_usd"] > 0]
    names = sorted(set(known["origin"]) & set(known["destination"]))
    if len(names) < _LEAST:
        return ()
    place = {name: k for k, name in enumerate(names)}
    inside = known[known["origin"].isin(names) & known["destination"].isin(names)]
    i, j = (inside[side].map(place).to_numpy(np.intp) for side in ("origin", "destination"))
    value = inside["value_usd"].to_numpy(np.float64)
    size = np.bincount(i, value, len(names)) + np.bincount(j, value, len(names))
    absent = np.ones((len(names), len(names)), dtype=bool)
    absent[i, j] = absent[j, i] = False
    np.fill_diagonal(absent, val=False)
    expected = np.outer(size, size) / size.sum()
    lost = np.where(absent, expected, 0.0)
    first, second = np.unravel_index(int(np.argmax(lost)), lost.shape)
    if lost[first, second] < SEED_USD:
        return ()

    def fits(k: int, members: list[int]) -> bool:
        others = [m for m in members if m != k]
        whole = float(expected[k, others].sum())
        return whole >= EXPECTED_USD and float(lost[k, others].sum()) >= ABSENT_SHARE * whole

    order = [int(k) for k in np.argsort(-size, kind="stable")]
    members = [int(first), int(second)]
    for k in order:
        if k not in members and fits(k, members):
            members.append(k)
    kept = [k for k in order if k in members and fits(k, members)]
    return tuple(names[k] for k in kept) if len(kept) >= _LEAST else ()


def pair_totals(pairs: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return the totals of a year of the shipped table ``pairs``: origin, destination, value_usd, where recorded."""
    totals = pd.DataFrame(
        {
            "origin": pairs["exporter"].astype(str),
            "destination": pairs["importer"].astype(str),
            "value_usd": pairs[f"value_{year}_usd"].astype(np.float64),
        }
    )
    return totals.dropna(subset=["value_usd"])


def listed_silent(year: int) -> tuple[str, ...]:
    """Return the countries that are known to publish nothing in a year, whatever the data show."""
    return tuple(
        row["iso3"]
        for row in read_table("non_reporters")
        if int(row["first_year"]) <= year and (not row["last_year"] or year <= int(row["last_year"]))
    )


def silent_among(totals: pd.DataFrame, year: int) -> tuple[str, ...]:
    """Return the countries that report nothing in a year: those listed, and those that its totals show."""
    return tuple(dict.fromkeys((*listed_silent(year), *silent_reporters(totals))))


def silent_words(sellers: Sequence[str], buyers: Sequence[str], silent: Collection[str], year: int) -> str:
    """Say which countries of a flow report nothing, and what that does to its numbers; empty where all report."""
    quiet = {side: [c for c in members if c in silent] for side, members in (("s", sellers), ("b", buyers))}
    if not (quiet["s"] or quiet["b"]):
        return ""
    named = list(dict.fromkeys((*quiet["s"], *quiet["b"])))
    verb = "reports" if len(named) == 1 else "report"
    between = ""
    if quiet["s"] and quiet["b"]:
        between = f"; what {_few(quiet['s'])} and {_few(quiet['b'])} trade with each other is absent"
    return f"{_few(named)} {verb} nothing in {year}: the numbers are what partners report{between}."


def _few(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
