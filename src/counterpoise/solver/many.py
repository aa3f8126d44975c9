"""Scale economies beyond the bound of uniqueness: search for every equilibrium, and show them all.

With scale elasticity times trade elasticity above 1 an industry that grows becomes cheaper faster than its buyers tire
of it, so that it can settle here or there. `solve` refuses such worlds; `equilibria` starts from many distributions of
industry over countries and returns every equilibrium it meets. It proves that those exist, never that there are no
more.

References
----------
Kucheryavyy, Lyn and Rodriguez-Clare (2023), American Economic Journal: Macroeconomics 15(2), Propositions 1 and 2.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World
from counterpoise.core.errors import InputError, NotConvergedError
from counterpoise.model import Closure, FixedLabour, Labour, baseline_of, closure_named, initial_state, terms_of
from counterpoise.solver.engine import require_usable, solution_of
from counterpoise.solver.kernel import Answer, Reached, reached, solve_kernel
from counterpoise.solver.krylov import NewtonKrylov

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Equilibria", "equilibria"]

_GONE = 1e-12
"""Output over its base year below which an industry counts as gone."""


@dataclass(frozen=True, slots=True, eq=False)
class Equilibria:
    """Every equilibrium that was met, the one nearest to the base year first.

    ``solutions`` are all converged; ``met`` says from how many starts each was reached, ``starts`` how many there were,
    ``failed`` how many ended nowhere. ``unique_by_theory`` is True where scale times trade elasticity is at most 1 in
    every sector.
    """

    solutions: tuple[Solution, ...]
    met: tuple[int, ...]
    starts: int
    failed: int
    unique_by_theory: bool

    def table(self) -> pd.DataFrame:
        """Return one row per equilibrium and country: welfare, real wage, and the industries that are gone."""
        import pandas as pd

        frames: list[pd.DataFrame] = []
        for number, (solution, met) in enumerate(zip(self.solutions, self.met, strict=True), start=1):
            before, after = solution.world.gross_output.to_numpy(), solution.values["gross_output_cf"]
            gone = (before > 0) & (after < _GONE * before)
            names = [", ".join(np.asarray(solution.world.sectors)[row].tolist()) for row in gone]
            frame = solution.countries_table()[["country", "welfare_pct", "real_wage_pct"]]
            frames.append(frame.assign(equilibrium=number, starts=met, industries_gone=names))
        return pd.concat(frames, ignore_index=True)

    def __repr__(self) -> str:
        """Say how many there are."""
        kind = "unique by theory" if self.unique_by_theory else "not unique by theory: there may be more"
        return (
            f"{len(self.solutions)} equilibria met from {self.starts} starts ({self.failed} ended nowhere), {kind}; "
            f"met {', '.join(str(m) for m in self.met)} times"
        )


def equilibria(
    world: World,
    shock: Shock | None = None,
    *,
    starts: int = 32,
    spread: float = 2.0,
    seed: int = 0,
    closure: Closure | str = "fixed_world_share",
    labour: Labour | None = None,
    rtol: float = 1e-9,
    distance: float = 1e-5,
) -> Equilibria:
    """Search for all equilibria of a world with scale economies, however strong.

    Parameters
    ----------
    world
        Balanced base year; its scale elasticity may exceed one over the trade elasticity.
    shock
        What changes; None changes nothing, so that the base year itself is one of the equilibria.
    starts
        Starting points: the base year, then logs of output drawn with standard deviation ``spread``.
    spread, seed
        Of the draws.
    closure, labour
        As in `counterpoise.solver.solve`.
    rtol
        Largest relative violation of any condition.
    distance
        Two states whose logs of wages and outputs (over world output) differ by less are one equilibrium.

    Raises
    ------
    InputError
        If an option is out of range.
    NotConvergedError
        If no start leads to an equilibrium.
    """
    if starts < 1 or not spread > 0:
        raise InputError(f"starts = {starts}, spread = {spread}; expected at least one start and a spread above 0")
    world.require_balanced()
    shock = Shock.none(world) if shock is None else shock
    require_usable(world, shock)
    bound, supply = closure_named(closure, world.countries), labour or FixedLabour()
    options = NewtonKrylov(rtol=rtol, max_steps=200)
    rng = np.random.default_rng(seed)
    n, s = len(world.countries), len(world.sectors)
    found: list[tuple[Solution, NDArray[np.float64]]] = []
    met: list[int] = []
    failed = 0
    made = world.gross_output.to_numpy() > 0
    with jax.enable_x64(True):
        base, terms = baseline_of(world), terms_of(world, shock)
        start = initial_state(n, s, terms)
        for number in range(starts):
            began = time.perf_counter()
            drawn = np.where(made, spread * rng.standard_normal((n, s)), 0.0) if number else np.zeros((n, s))
            raw = solve_kernel(
                base, terms, start._replace(output=jnp.asarray(drawn)), closure=bound, labour=supply, options=options
            )
            answer: Answer = jax.device_get(raw)
            if not reached(answer, options):
                failed += 1
                continue
            place = np.concatenate([np.asarray(answer.state.wage), np.asarray(answer.state.output)[made]])
            place = np.maximum(place, np.log(_GONE))
            same = [k for k, (_, other) in enumerate(found) if np.max(np.abs(place - other)) < distance]
            if same:
                met[same[0]] += 1
                continue
            solution = solution_of(
                world, shock, Reached(answer, int(answer.steps), options.name, 1.0), bound, labour, options, began
            )
            if solution.converged:
                found.append((solution, place))
                met.append(1)
            else:
                failed += 1
    if not found:
        raise NotConvergedError(
            f"none of {starts} starts led to an equilibrium; try a smaller shock, more starts or a smaller spread"
        )
    order = sorted(range(len(found)), key=lambda k: float(np.max(np.abs(found[k][1]))))
    bounded = bool(np.all(world.scale_elasticity.to_numpy() * world.trade_elasticity.to_numpy() <= 1.0 + 1e-12))
    return Equilibria(tuple(found[k][0] for k in order), tuple(met[k] for k in order), starts, failed, bounded)
