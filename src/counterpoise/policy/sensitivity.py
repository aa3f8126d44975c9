"""How a package depends on trade elasticities: solved anew under each set, and whether the order of levers changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import World
from counterpoise.core.errors import InputError
from counterpoise.policy.package import closed_usd_of, lever_uses
from counterpoise.policy.search import InfeasibleError, Reached, Search

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.policy.package import LeverUse

__all__ = ["SensitiveCase", "Sensitivity", "elasticity_cases", "sensitivity_of"]

Floats = NDArray[np.float64]

SPREAD = (0.8, 1.25)
"""Factors on all elasticities at once, beside the published sets: 20 % down, and the same up in logs."""


@dataclass(frozen=True, slots=True, eq=False)
class SensitiveCase:
    """The package under one set of elasticities; not reached: no levers, and NaN cost and price."""

    name: str
    reached: bool
    cost_usd: float
    shadow_price: float
    max_closure_pct: float
    uses: tuple[LeverUse, ...]
    rank_correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Packages for one target under several sets of elasticities; the first is the one the others are held against.

    ``rank_correlation`` of a case is Spearman's, over the levers moved in either, of what each lever costs.
    """

    target_usd: float
    cases: tuple[SensitiveCase, ...]

    @property
    def order_changes(self) -> bool:
        """True where the three dearest levers are not the same in every case that reaches the target."""
        firsts = {tuple(_dearest(case)) for case in self.cases if case.reached}
        return len(firsts) > 1

    def table(self) -> pd.DataFrame:
        """Return one row per case: cost, price, largest closure, rank correlation, and the three dearest levers."""
        import pandas as pd

        rows = [
            {
                "elasticities": case.name,
                "reached": case.reached,
                "cost_usd": case.cost_usd,
                "shadow_price": case.shadow_price,
                "max_closure_pct": case.max_closure_pct,
                "rank_correlation": case.rank_correlation,
                "dearest": ", ".join(_dearest(case)),
            }
            for case in self.cases
        ]
        return pd.DataFrame(rows)

    def levers(self) -> pd.DataFrame:
        """Return one row per case and lever: elasticities, lever, value, cost_usd."""
        import pandas as pd

        rows = [
            {"elasticities": case.name, "lever": use.lever.id, "value": use.value, "cost_usd": use.cost_usd}
            for case in self.cases
            for use in case.uses
        ]
        return pd.DataFrame(rows, columns=["elasticities", "lever", "value", "cost_usd"])

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready document."""
        return {
            "target_usd": self.target_usd,
            "order_changes": self.order_changes,
            "cases": self.table().to_dict("records"),
            "levers": self.levers().to_dict("records"),
        }


def elasticity_cases(world: World) -> dict[str, Floats]:
    """Return the world's own elasticities first, then the published sets that fit it, then all of them scaled.

    For a world with other sectors than the embedded ones there are no published sets.
    """
    from counterpoise.data import load_table

    own = world.trade_elasticity.to_numpy()
    out: dict[str, Floats] = {"the world's own": own}
    table = load_table("elasticities")
    if set(world.sectors) <= set(table["sector"].astype(str)):
        wide = table.pivot(index="sector", columns="set", values="trade_elasticity").loc[list(world.sectors)]
        for name in wide.columns:
            values = wide[name].to_numpy(dtype=np.float64)
            if not np.allclose(values, own):
                out[str(name)] = values
    return out | {f"all times {factor:g}": own * factor for factor in SPREAD}


def sensitivity_of(
    open_with: Callable[[Floats], Search],
    target: float,
    cases: Mapping[str, Floats],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """Solve the package under each set of elasticities.

    Parameters
    ----------
    open_with
        Returns the search under given elasticities (S,).
    target
        Share of the gap, or USD; the USD amount is the first case's in every case.
    cases
        Name to elasticities; the first is what the others are held against.
    progress
        Called with cases done and cases in all.

    Raises
    ------
    InputError
        If there is no case.
    InfeasibleError
        If the first case does not reach the target.
    """
    if not cases:
        raise InputError("no set of elasticities was given; give at least one")
    found: list[SensitiveCase] = []
    near: list[Floats] = []
    closed = 0.0
    for done, (name, theta) in enumerate(cases.items()):
        if progress is not None:
            progress(done, len(cases))
        search = open_with(theta)
        closed = closed_usd_of(target, search.programme.gap) if done == 0 else closed
        try:
            reached: Reached | None = search.cheapest(closed, near=near, starts=1)
        except InfeasibleError:
            if done == 0:
                raise
            reached = None
        most = 100.0 * search.closed(search.most()) / search.programme.gap
        if reached is None:
            found.append(SensitiveCase(name, False, np.nan, np.nan, most, (), np.nan))
            continue
        uses = lever_uses(search, reached.given)
        near = near or [reached.u]
        base = uses if not found else found[0].uses
        price = reached.certificate.multipliers["the target"]
        found.append(SensitiveCase(name, True, reached.cost_usd, price, most, uses, _alike(base, uses)))
    if progress is not None:
        progress(len(cases), len(cases))
    return Sensitivity(closed, tuple(found))


def _dearest(case: SensitiveCase, count: int = 3) -> list[str]:
    ranked = sorted(case.uses, key=lambda use: -use.cost_usd)
    return [use.lever.id for use in ranked[:count] if use.cost_usd > 0]


def _alike(base: tuple[LeverUse, ...], other: tuple[LeverUse, ...]) -> float:
    """Return Spearman's rank correlation of what the levers cost, over those that cost something in either."""
    pairs = [(a.cost_usd, b.cost_usd) for a, b in zip(base, other, strict=True) if a.used or b.used]
    if len(pairs) < 2:
        return 1.0
    ranks = [np.argsort(np.argsort(np.array(column))).astype(np.float64) for column in zip(*pairs, strict=True)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
