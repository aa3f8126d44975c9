"""The same shock under every closure of the deficits, side by side, with the check that the world adds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterpoise.core import Shock, Solution, World
from counterpoise.model import CLOSURES, Closure, Labour
from counterpoise.solver.engine import rebase, solve
from counterpoise.solver.kernel import Solver

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ClosureComparison", "compare_closures"]


@dataclass(frozen=True, slots=True, eq=False)
class ClosureComparison:
    """One shock solved under several closures.

    ``solutions`` by the name of the closure; under ``"zero"`` the baseline is the world re-based to balanced trade, so
    that the shock alone is seen and not the end of lending.
    """

    solutions: Mapping[str, Solution]

    def countries_table(self) -> pd.DataFrame:
        """Return one row per closure and country: welfare, real wage, deficit before, after and its change."""
        import pandas as pd

        rows = [
            solution.countries_table()[
                ["country", "welfare_pct", "real_wage_pct", "deficit_usd", "deficit_cf_usd", "equivalent_variation_usd"]
            ].assign(closure=name)
            for name, solution in self.solutions.items()
        ]
        frame = pd.concat(rows, ignore_index=True)
        frame["deficit_change_usd"] = frame["deficit_cf_usd"] - frame["deficit_usd"]
        return frame[["closure", *(c for c in frame.columns if c != "closure")]]

    def world_table(self) -> pd.DataFrame:
        """Say of each closure, in one row, whether the world adds up, and whether a refused one would.

        ``deficits_sum_usd`` is the sum of all counterfactual deficits, ``deficits_sum_relative`` that over world trade
        (0 but for rounding), ``deficits_moved_usd`` half the sum of their absolute changes, and
        ``own_value_added_share_gap_usd`` what nobody would pay for if each deficit stayed the same share of its
        country's own value added: why that closure is refused.
        """
        import pandas as pd

        rows: list[dict[str, object]] = []
        for name, solution in self.solutions.items():
            world = solution.world
            deficit = solution.deficit_cf.to_numpy()
            wage_bill_hat = solution.wage_hat.to_numpy() * solution.labour_hat.to_numpy()
            rows.append(
                {
                    "closure": name,
                    "status": solution.status,
                    "max_residual": solution.max_residual,
                    "deficits_sum_usd": float(deficit.sum()),
                    "deficits_sum_relative": float(deficit.sum() / solution.imports_cf.to_numpy().sum()),
                    "deficits_moved_usd": 0.5 * float(np.abs(deficit - world.deficit.to_numpy()).sum()),
                    "own_value_added_share_gap_usd": float((world.deficit.to_numpy() * wage_bill_hat).sum()),
                }
            )
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        """Show the world table."""
        return self.world_table().to_string(index=False)


def compare_closures(
    world: World,
    shock: Shock,
    closures: Sequence[Closure | str] = tuple(CLOSURES),
    *,
    solver: Solver | str = "anderson",
    labour: Labour | None = None,
    rtol: float | None = None,
) -> ClosureComparison:
    """Solve one shock under several closures.

    Parameters
    ----------
    world, shock
        Balanced base year, and what changes.
    closures
        Names or instances; every registered one by default.
    solver, labour, rtol
        As in `counterpoise.solver.solve`.

    Raises
    ------
    InputError
        If a closure is unknown or refused.
    NotConvergedError
        If there is no equilibrium under one of them.
    """
    solutions: dict[str, Solution] = {}
    balanced: World | None = None
    for closure in closures:
        name = closure if isinstance(closure, str) else closure.name
        base = world
        if name == "zero":
            balanced = balanced or rebase(world, "zero", solver=solver)
            base = balanced
        solution = solve(base, shock, closure=closure, solver=solver, labour=labour, rtol=rtol)
        country = getattr(closure, "country", None)
        solutions[f"{name} ({country})" if country else name] = solution
    return ClosureComparison(solutions)
