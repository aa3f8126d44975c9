"""Inter-country input-output tables that are wide on disk: one line per selling industry, one column per use.

`keep_wide` turns lines into cells, one line at a time: origin, sector, destination, use, kind, value_usd. Zeros are not
listed: in such a table every cell that is not listed is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.readers.reading import Reading

__all__ = ["KEY", "KINDS", "Line", "Use", "keep_wide"]

KEY = ("origin", "sector", "destination", "use")
KINDS = ("intermediate", "final", "value_added", "taxes", "adjustment")
"""Sales to industries; sales to final users; payments of industries to labour and capital; taxes less subsidies on
products; corrections of WIOD (CIF/FOB, purchases abroad, transport margins)."""

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Use:
    """A column: who buys. ``total`` is true for the column of gross output, which is checked and not kept."""

    destination: str
    use: str
    final: bool
    total: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row: who sells, or what users pay besides.

    Attributes
    ----------
    place
        How messages call it, as ``line 17``.
    origin
        Country; empty for value added and the like, which belong to the country of each column.
    sector
        Selling industry, or the name of the payment.
    kind
        One of `KINDS`; ``intermediate`` for a selling industry, ``total`` for a row of sums.
    values
        Million USD, one number per column.
    """

    place: str
    origin: str
    sector: str
    kind: str
    values: np.ndarray


def keep_wide(
    reading: Reading,
    uses: Sequence[Use],
    lines: Iterable[Line],
    *,
    held: frozenset[str] = frozenset(),
    rtol: float = 1e-3,
) -> None:
    """Check the lines and keep their cells as the next part.

    Parameters
    ----------
    held
        Countries that stand in several parts, as China in export processing and the rest: their lines are added up.
    rtol
        Largest difference of a line's sum from its column of gross output, beside 2 million USD for rounding.

    Raises
    ------
    DataError
        If a number is missing, a sale between industries is negative, a line does not add up to its gross output, or
        industries buy that do not sell: every line and column is named.
    """
    problems: list[str] = []
    positions = [k for k, u in enumerate(uses) if not u.total]
    kept = np.array(positions)
    totals = [k for k, u in enumerate(uses) if u.total]
    destinations = sorted({u.destination for u in uses if not u.total})
    names = sorted({u.use for u in uses if not u.total})
    # Parts of one country (CN1 and CN2 of China) share a label: their columns fall on one cell.
    cells = sorted({(destinations.index(uses[k].destination), names.index(uses[k].use)) for k in positions})
    cell_of = {cell: n for n, cell in enumerate(cells)}
    where = np.array([cell_of[destinations.index(uses[k].destination), names.index(uses[k].use)] for k in positions])
    is_final = np.zeros(len(cells), dtype=bool)
    for k, n in zip(positions, where, strict=True):
        is_final[n] = uses[k].final
    to, use = np.array([c[0] for c in cells], dtype=np.int32), np.array([c[1] for c in cells], dtype=np.int32)
    worst = 0.0

    def folded() -> Iterator[tuple[str, str, str, np.ndarray]]:
        nonlocal worst
        waiting: dict[tuple[str, str, str], np.ndarray] = {}
        for line in lines:
            reading.count(1)
            problems.extend(_faults(line, uses))
            if line.kind == "total":
                reading.drop("sums of columns, checked against the cells", 1)
                continue
            if totals and line.kind == "intermediate":
                stated, found = float(line.values[totals[0]]), float(line.values[kept].sum())
                worst = max(worst, abs(found - stated) / max(abs(stated), 1.0)) if abs(stated) > 1 else worst
                if abs(found - stated) > rtol * abs(stated) + 2.0:
                    problems.append(
                        f"{line.place}, {line.origin} {line.sector}: its cells add up to {found:,.3f}, but its gross "
                        f"output is {stated:,.3f} million USD"
                    )
            dense = np.bincount(where, weights=line.values[kept], minlength=len(cells)) * 1e6
            if line.origin in held:
                key = (line.origin, line.sector, line.kind)
                waiting[key] = waiting[key] + dense if key in waiting else dense
            else:
                yield line.origin, line.sector, line.kind, dense
        yield from ((*k, v) for k, v in waiting.items())

    rows = list[tuple[str, str, str, np.ndarray]]()

    def blocks() -> Iterator[tuple[Mapping[str, tuple[np.ndarray, Sequence[str]]], np.ndarray]]:
        for row in folded():
            rows.append(row)
            if len(rows) == _BLOCK:
                yield from _block(rows, to, use, destinations, names, is_final)
                rows.clear()
        if rows:
            yield from _block(rows, to, use, destinations, names, is_final)

    reading.arrays(blocks())
    raise_all(DataError, f"{reading.peek.name} cannot be used; download it again", problems)
    if totals:
        reading.note(f"lines add up to gross output within {100 * worst:.2g} %")
    reading.note("cells of zero are not listed")


def _faults(line: Line, uses: Sequence[Use]) -> list[str]:
    """List what is wrong with the numbers of a line."""
    bad = ~np.isfinite(line.values)
    if line.kind == "intermediate":
        bad |= (line.values < 0) & np.array([not u.final and not u.total for u in uses])
    return [
        f"{line.place}, column {uses[k].destination} {uses[k].use}: {line.values[k]:g}; expected a number"
        + (" of zero or more" if np.isfinite(line.values[k]) else "")
        for k in np.flatnonzero(bad)[:5]
    ]


def _block(
    rows: Sequence[tuple[str, str, str, np.ndarray]],
    to: np.ndarray,
    use: np.ndarray,
    destinations: Sequence[str],
    names: Sequence[str],
    is_final: np.ndarray,
) -> Iterator[tuple[Mapping[str, tuple[np.ndarray, Sequence[str]]], np.ndarray]]:
    """Yield the cells of some lines that are not zero."""
    values = np.stack([row[3] for row in rows])
    at, cell = np.nonzero(values)
    if not len(at):
        return
    origins = [row[0] for row in rows]
    own = np.array([not o for o in origins])
    labels = [*destinations, *dict.fromkeys(o for o in origins if o not in destinations)]
    place = {label: k for k, label in enumerate(labels)}
    origin = np.array([place.get(o, 0) for o in origins], dtype=np.int32)[at]
    origin[own[at]] = to[cell][own[at]]
    sold = np.array([row[2] == "intermediate" for row in rows])
    kind = np.array([KINDS.index(row[2]) for row in rows], dtype=np.int32)[at]
    kind[sold[at] & is_final[cell]] = KINDS.index("final")
    yield (
        {
            "origin": (origin, labels),
            "sector": (at.astype(np.int32), [row[1] for row in rows]),
            "destination": (to[cell], destinations),
            "use": (use[cell], names),
            "kind": (kind, KINDS),
        },
        values[at, cell],
    )
