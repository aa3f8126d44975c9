"""Who closes how much in a package: Shapley values of its levers, or of kinds of levers, in equilibrium."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import InputError
from counterpoise.policy.attribution import EXACT_PLAYERS, Coalition, Shapley, shapley
from counterpoise.policy.search import Search

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Shares", "shares_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What each player closes and costs, USD a year.

    Attributes
    ----------
    values
        Outcomes in this order: gap closed, cost (the objective).
    titles
        Words for the players.
    """

    values: Shapley
    titles: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """Return one row per player, largest first, and a last row ``all``.

        Columns: player, title, closed_usd, cost_usd, each with ``_se`` (0 where every coalition was solved),
        closed_alone_usd and closed_last_usd (first and last in order: they differ by interaction).
        """
        import pandas as pd

        found = self.values
        rows = [
            {
                "player": name,
                "title": self.titles[k],
                "closed_usd": float(found.attribution[k, 0]),
                "closed_usd_se": float(found.standard_error[k, 0]),
                "cost_usd": float(found.attribution[k, 1]),
                "cost_usd_se": float(found.standard_error[k, 1]),
                "closed_alone_usd": float(found.alone[k, 0]),
                "closed_last_usd": float(found.last[k, 0]),
            }
            for k, name in enumerate(found.players)
        ]
        rows.sort(key=lambda row: -abs(float(row["closed_usd"])))
        closed, cost = (float(v) for v in found.total)
        total = {"player": "all", "title": "all together", "closed_usd": closed, "cost_usd": cost}
        total |= {"closed_usd_se": 0.0, "cost_usd_se": 0.0, "closed_alone_usd": closed, "closed_last_usd": closed}
        return pd.DataFrame([*rows, total])

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready document."""
        return {
            "exact": self.values.exact,
            "coalitions_solved": self.values.solved,
            "players": self.table().to_dict("records"),
        }


def shares_of(
    search: Search,
    given: Floats,
    *,
    by: Literal["lever", "kind"] = "lever",
    exact_players: int = EXACT_PLAYERS,
    orders: int = 40,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Shares:
    """Take a package apart: what would be closed if only some of its levers were moved.

    Parameters
    ----------
    search
        Where the package was found.
    given
        Its scaled variables, of the levers as given (L,).
    by
        Players: every lever that is moved, or all levers of a kind together.
    exact_players, orders, seed
        As in `counterpoise.policy.attribution.shapley`.
    progress
        Called with coalitions solved in the current round, and how many there are.

    Raises
    ------
    InputError
        If no lever is moved.
    """
    programme = search.given
    moved = np.flatnonzero(np.abs(given - programme.begin) > 1e-6).tolist()
    if not moved:
        raise InputError("the package moves no lever, so there is nothing to take apart")
    players: dict[str, list[int]] = {}
    for k in moved:
        lever = programme.levers[k]
        players.setdefault(lever.id if by == "lever" else lever.kind, []).append(k)
    titles = tuple((programme.levers[ks[0]].title or name) if by == "lever" else name for name, ks in players.items())

    def outcomes(coalitions: Sequence[Coalition]) -> Floats:
        rows: list[tuple[float, float]] = []
        for done, coalition in enumerate(coalitions):
            if progress is not None and done % max(1, len(coalitions) // 10) == 0:
                progress(done, len(coalitions))
            u = programme.begin.copy()
            for name in coalition:
                u[players[name]] = given[players[name]]
            gap = float(programme.at(u).rows[programme.equilibria.at_row.gap])
            rows.append((programme.gap - gap, programme.cost(u)))
        if progress is not None:
            progress(len(coalitions), len(coalitions))
        return np.array(rows)

    found = shapley(tuple(players), outcomes, batched=True, exact_players=exact_players, orders=orders, seed=seed)
    return Shares(found, titles)
