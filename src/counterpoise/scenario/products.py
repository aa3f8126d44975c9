"""Product detail below the sectors: which lines of trade an HS code means, and how much of a sector they are.

A line is the finest trade known for a pair: a subheading, a heading where there is no finer, or the whole sector where
there is no product detail at all. Line values are weights; the world's own flow gives the money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import DataError
from counterpoise.data.concordance import hs_sector, read_table
from counterpoise.scenario.schema import hs_codes

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.core import World

__all__ = ["LineTerms", "Lines", "Match", "ProductDetail", "look_up"]

COLUMNS = ("origin", "destination", "hs", "value_usd")
"""Columns a product table must have; ``hs`` is a string of 4 or 6 digits, others are pools of small flows."""

ROUNDING = 0.01
"""Part of a heading that its subheadings may leave over by rounding and pooling and not count as a line."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one pair.

    Attributes
    ----------
    code
        HS code of 4 or 6 digits; ``""`` where the line is a whole sector without product detail.
    sector
        Position of the sector in the world.
    usd
        Value, USD a year, scaled so that the lines of a sector add up to the world's flow.
    """

    code: NDArray[np.str_]
    sector: NDArray[np.intp]
    usd: NDArray[np.float64]

    def sector_mean(self, values: NDArray[np.float64], sectors: int) -> NDArray[np.float64]:
        """Return the trade-weighted mean of ``values`` in each sector, (S,); the plain mean where nothing is traded."""
        weight = np.bincount(self.sector, self.usd, sectors)
        plain = np.where(weight[self.sector] > 0, self.usd, 1.0)
        total = np.bincount(self.sector, plain, sectors)
        return np.bincount(self.sector, plain * values, sectors) / np.where(total > 0, total, 1.0)


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What measures do to each line of one pair, before lines are averaged into sectors.

    Attributes
    ----------
    lines
        The lines.
    duty_before, duty_after
        Duty of the baseline and with the measures; 0.25 is 25 %.
    iceberg_cost_hat
        Ratio of the iceberg cost with the measures to that of the baseline.
    """

    lines: Lines
    duty_before: NDArray[np.float64]
    duty_after: NDArray[np.float64]
    iceberg_cost_hat: NDArray[np.float64]


@dataclass(slots=True)
class ProductDetail:
    """Lines of every pair of a world, made when first asked for."""

    world: World
    products: pd.DataFrame | None
    _made: dict[tuple[int, int], Lines] = field(default_factory=dict[tuple[int, int], Lines])
    _pairs: Any = None

    def __post_init__(self) -> None:
        """Check the columns, and index the pairs."""
        lacking = [c for c in COLUMNS if self.products is not None and c not in self.products.columns]
        if lacking:
            raise DataError(f"the product table lacks {', '.join(lacking)}; expected the columns {', '.join(COLUMNS)}")
        if self.products is not None:
            self._pairs = self.products.groupby(["origin", "destination"], sort=False, observed=True).indices

    def lines(self, origin: int, destination: int) -> Lines:
        """Return the lines of a pair, by position of the countries."""
        key = (origin, destination)
        if key not in self._made:
            self._made[key] = self._make(origin, destination)
        return self._made[key]

    def _make(self, origin: int, destination: int) -> Lines:
        world = self.world
        codes, values = self._finest(world.countries[origin], world.countries[destination])
        position = {name: k for k, name in enumerate(world.sectors)}
        placed = [position.get(hs_sector(code), -1) for code in codes]
        sector = np.array(placed, dtype=np.intp)
        keep = sector >= 0
        code, usd, sector = np.array(codes, dtype="U6")[keep], np.array(values)[keep], sector[keep]
        flow = world.flow.to_numpy()[origin, destination]
        detailed = np.bincount(sector, usd, len(flow)) if len(sector) else np.zeros(len(flow))
        usd = usd * (flow / np.where(detailed > 0, detailed, 1.0))[sector] if len(sector) else usd
        whole = np.flatnonzero(detailed <= 0)
        listed = np.isin(sector, whole)
        return Lines(
            code=np.concatenate([code[~listed], np.full(len(whole), "", dtype="U6")]),
            sector=np.concatenate([sector[~listed], whole]),
            usd=np.concatenate([usd[~listed], flow[whole]]),
        )

    def _finest(self, origin: str, destination: str) -> tuple[list[str], list[float]]:
        """Return codes and values: subheadings, and of each heading what its subheadings leave over."""
        if self.products is None:
            return [], []
        assert self._pairs is not None
        rows = self._pairs.get((origin, destination))
        if rows is None:
            return [], []
        hs: list[str] = self.products["hs"].to_numpy()[rows].tolist()
        usds: list[float] = self.products["value_usd"].to_numpy(dtype=np.float64)[rows].tolist()
        value: dict[str, float] = {}
        for code, usd in zip(hs, usds, strict=True):
            if code[:2] in _chapters():
                value[code] = value.get(code, 0.0) + usd
        headings = {code: usd for code, usd in value.items() if len(code) == 4}
        for code in [c for c in value if len(c) == 6 and c[:4] in value]:
            value[code[:4]] -= value[code]
        kept = {c: v for c, v in value.items() if len(c) == 6 or v > ROUNDING * headings[c]}
        return list(kept), list(kept.values())


@cache
def _chapters() -> frozenset[str]:
    """Return the chapters that hold products; 98 and 99 are special provisions, and pools have no chapter."""
    return frozenset(row["prefix"][:2] for row in read_table("hs_sectors")) - {"98", "99"}


@cache
def _prefixes(sector: str) -> tuple[str, ...]:
    """Return the HS prefixes of a sector; none for a service."""
    return tuple(row["prefix"] for row in read_table("hs_sectors") if row["sector"] == sector)


@cache
def _sectors_between(first: str, last: str) -> frozenset[str]:
    """Return the sectors that hold some code between two of the same length."""
    width = len(first)
    codes = (f"{number:0{width}}" for number in range(int(first), int(last) + 1))
    own = {hs_sector(code) for code in codes if code[:2] in _chapters()}
    finer = {
        row["sector"]
        for row in read_table("hs_sectors")
        if first <= row["prefix"][:width] <= last and len(row["prefix"]) > width
    }
    return frozenset(own | finer)


def _covers(first: str, last: str, sector: str) -> bool:
    """Say whether every code of a sector lies between ``first`` and ``last``."""
    return all(len(p) >= len(first) and first <= p[: len(first)] <= last for p in _prefixes(sector))


@dataclass(slots=True)
class Match:
    """How the entries of a `CodeTable` met the lines of one or several pairs.

    Attributes
    ----------
    matched
        Entries that mean some line.
    widened
        Entries taken for a whole sector, since the pair has no product detail in it; by entry the sectors.
    unseen
        Exempting entries that exempt nothing, since the pair has no product detail in their sector.
    too_fine
        Entries of six digits where the pair has only headings; by entry the headings.
    """

    matched: set[str] = field(default_factory=set[str])
    widened: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    unseen: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    too_fine: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def merge(self, other: Match) -> None:
        """Add what another pair or table showed."""
        self.matched |= other.matched
        for mine, theirs in (
            (self.widened, other.widened),
            (self.unseen, other.unseen),
            (self.too_fine, other.too_fine),
        ):
            for entry, found in theirs.items():
                mine.setdefault(entry, set()).update(found)


def look_up(
    entries: Sequence[tuple[str, float]], lines: Lines, sectors: Sequence[str], *, widen: bool
) -> tuple[NDArray[np.float64], Match]:
    """Return the value that HS entries give each line, by the longest prefix; among equals the later entry wins.

    Parameters
    ----------
    entries
        HS codes, ranges or ``all`` (goods), each with a value.
    lines
        Lines of one pair.
    sectors
        Names of the world's sectors.
    widen
        What an entry means for a whole sector without product detail: all of it (True), or nothing unless it covers
        the sector altogether (False).

    Returns
    -------
    Values (L,), NaN where no entry means the line; and how the entries matched.
    """
    out = np.full(len(lines.code), np.nan)
    match = Match()
    digits = np.char.str_len(lines.code)
    whole = np.flatnonzero(digits == 0)
    for entry, value in sorted(entries, key=lambda e: 0 if e[0] == "all" else len(e[0].partition("-")[0])):
        bounds = hs_codes(entry)
        hit = digits > 0
        if bounds is None:
            hit[whole] = [bool(_prefixes(sectors[s])) for s in lines.sector[whole].tolist()]
        else:
            first, last = bounds
            prefix = lines.code.astype(f"U{len(first)}")
            coarse = np.unique(lines.code[(digits == 4) & (lines.code >= first[:4]) & (lines.code <= last[:4])])
            hit &= (digits >= len(first)) & (prefix >= first) & (prefix <= last)
            if len(first) > 4 and len(coarse):
                match.too_fine.setdefault(entry, set()).update(str(c) for c in coarse)
            for k in whole.tolist():
                name = sectors[int(lines.sector[k])]
                if name in _sectors_between(first, last) and lines.usd[k] > 0:
                    covered = _covers(first, last, name)
                    hit[k] = covered or widen
                    if not covered:
                        (match.widened if widen else match.unseen).setdefault(entry, set()).add(name)
        out[hit] = value
        if hit.any():
            match.matched.add(entry)
    return out, match
