r"""A duty cut and a purchase programme on the same goods are one lever to the model: both only lower the price factor.

The buyer's price factor is (1 + t)(1 - s), and what the budget takes of a dollar of trade is that factor minus one, so
a cut of the share v of a duty t with a programme at the rate s does what a programme alone does at::

    1 - (1 + t(1 - v))(1 - s) / (1 + t)

A search over both would wander along a flat valley. They are folded into one lever for the search, and unfolded by a
rule that people can follow: the duty goes first, and only what is still missing is paid as a subsidy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.policy.levers import Lever, PurchaseProgramme, TariffCut

__all__ = ["Folding", "fold"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Twin:
    """A duty cut and a programme on one cell: positions among all levers and among the folded ones, and the duty."""

    duty: int
    programme: int
    folded: int
    tariff_rate: float


@dataclass(frozen=True, slots=True)
class _Family:
    """A programme over several cells, each of which has a duty cut of its own: (position, duty) of the cuts."""

    programme: int
    duties: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Folding:
    """Levers for a search, and the way back to those that were given.

    Attributes
    ----------
    levers
        As given.
    folded
        With each duty cut and programme on the same goods as one.
    """

    levers: tuple[Lever, ...]
    folded: tuple[Lever, ...]
    kept: tuple[int, ...]
    twins: tuple[_Twin, ...]
    families: tuple[_Family, ...]

    def unfold(self, values: Floats) -> Floats:
        """Return values of the given levers from values of the folded ones: duties first, then subsidies."""
        out = np.zeros(len(self.levers))
        out[list(self.kept)] = values[: len(self.kept)]
        for twin in self.twins:
            most, t = self.levers[twin.duty].upper, twin.tariff_rate
            factor = (1.0 + t) * (1.0 - float(values[twin.folded]))
            cut = min(max((1.0 + t - factor) / t, 0.0), most)
            out[twin.duty] = cut
            out[twin.programme] = min(
                max(1.0 - factor / (1.0 + t * (1.0 - cut)), 0.0), self.levers[twin.programme].upper
            )
            if cut < most:
                out[twin.programme] = 0.0
        for family in self.families:
            left = 1.0 - out[family.programme]
            rest = max(
                left * (1.0 + t * (1.0 - out[k])) / (1.0 + t * (1.0 - self.levers[k].upper)) for k, t in family.duties
            )
            rest = min(max(rest, left), 1.0)
            for k, t in family.duties:
                out[k] = min(max((1.0 + t - left * (1.0 + t * (1.0 - out[k])) / rest) / t, 0.0), self.levers[k].upper)
            out[family.programme] = 1.0 - rest
        return out

    def refold(self, values: Floats) -> Floats:
        """Return values of the folded levers from values of the given ones."""
        out = np.zeros(len(self.folded))
        out[: len(self.kept)] = values[list(self.kept)]
        for twin in self.twins:
            t = twin.tariff_rate
            out[twin.folded] = 1.0 - (1.0 + t * (1.0 - values[twin.duty])) * (1.0 - values[twin.programme]) / (1.0 + t)
        return out


def fold(world: World, levers: Sequence[Lever], background: Shock) -> Folding:
    """Fold every duty cut and purchase programme that are the same to the model.

    Parameters
    ----------
    world, background
        The duty is the one of the background.
    levers
        Checked by `counterpoise.policy.levers.lever_problems`. Those with a cost curve, another start than 0, or in
        part only on the goods of another are left as they are.
    """
    rate = background.tariff_rate_cf.to_numpy()
    cells: dict[tuple[int, int, int], list[int]] = {}
    for k, lever in enumerate(levers):
        if isinstance(lever, TariffCut):
            for i, j, s in zip(*lever.cells(world), strict=True):
                cells.setdefault((int(i), int(j), int(s)), []).append(k)
    plain = {cell: ks[0] for cell, ks in cells.items() if len(ks) == 1 and _simple(levers[ks[0]], 1)}
    paired: list[tuple[int, int, float]] = []
    families: list[_Family] = []
    taken: set[int] = set()
    for p, lever in enumerate(levers):
        if not isinstance(lever, PurchaseProgramme) or not _simple(lever, None):
            continue
        mine = [(int(i), int(j), int(s)) for i, j, s in zip(*lever.cells(world), strict=True)]
        duties = [(plain[c], float(rate[c])) for c in mine if c in plain and rate[c] > 0]
        if len(duties) != len(mine) or any(k in taken or levers[k].payer != lever.payer for k, _ in duties):
            continue
        taken |= {k for k, _ in duties}
        if len(duties) == 1:
            paired.append((duties[0][0], p, duties[0][1]))
        else:
            families.append(_Family(p, tuple(duties)))
    hidden = {k for pair in paired for k in pair[:2]}
    kept = tuple(k for k in range(len(levers)) if k not in hidden)
    twins = tuple(_Twin(d, p, len(kept) + n, t) for n, (d, p, t) in enumerate(paired))
    together = tuple(_together(levers, twin) for twin in twins)
    return Folding(tuple(levers), (*(levers[k] for k in kept), *together), kept, twins, tuple(families))


def _simple(lever: TariffCut | PurchaseProgramme | Lever, count: int | None) -> bool:
    """Say whether a lever costs only what the model counts, starts at 0 and covers its goods whole."""
    whole = isinstance(lever, TariffCut | PurchaseProgramme) and bool(np.all(lever.covered == 1.0))
    fits = isinstance(lever, TariffCut | PurchaseProgramme) and (count is None or len(lever.reach) == count)
    return whole and fits and lever.curve.is_free and lever.lower == 0.0 and lever.start == 0.0


def _together(levers: Sequence[Lever], twin: _Twin) -> Lever:
    duty, programme, t = levers[twin.duty], levers[twin.programme], twin.tariff_rate
    upper = 1.0 - (1.0 + t * (1.0 - duty.upper)) * (1.0 - programme.upper) / (1.0 + t)
    return replace(programme, id=f"{duty.id} and {programme.id}", upper=upper)
