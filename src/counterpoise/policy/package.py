"""`close_gap`: the cheapest package of levers that closes a gap, its price, its proof, and its limit."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError
from counterpoise.model import Closure, Labour
from counterpoise.policy.costs import Objective, objective_named
from counterpoise.policy.levers import Lever
from counterpoise.policy.problem import Equilibria
from counterpoise.policy.programme import Certificate, Programme
from counterpoise.policy.search import ContradictionError, InfeasibleError, Reached, Search, standing_limits

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KKT_LIMIT",
    "OPTIMAL",
    "UNPROVEN",
    "ContradictionError",
    "InfeasibleError",
    "LeverUse",
    "Package",
    "close_gap",
    "closed_usd_of",
    "lever_uses",
    "open_search",
    "package_of",
]

Floats = NDArray[np.float64]

OPTIMAL = "optimal"
"""Status of a package whose certificate holds."""

UNPROVEN = "feasible, not proven optimal"
"""Status of a package that does what is asked while its certificate misses `KKT_LIMIT`."""

KKT_LIMIT = 1e-5
"""Largest residual of the optimality conditions of a package that is called optimal."""

_BILLION = 1e9

_SAME_GAP = 0.02
"""Relative difference from the base year's gap up to which nothing is said of it."""

_TELLING = 0.05
"""Part of the cost from which on the effect on all other revenue is told."""


@dataclass(frozen=True, slots=True)
class LeverUse:
    """One lever in a package.

    Attributes
    ----------
    value, lower, upper
        In the lever's unit.
    cost_usd
        What the lever itself takes from its payer, USD a year: duty forgone, subsidy paid, dearer oil booked, curve.
    marginal
        USD of the objective for the next dollar of the gap closed by this lever alone; NaN where it does not move it.
    binds
        ``"lower"``, ``"upper"`` or empty.
    """

    lever: Lever
    value: float
    cost_usd: float
    marginal: float
    binds: str

    @property
    def used(self) -> bool:
        """True where it is moved from its start."""
        return abs(self.value - self.lever.start) > 1e-6 * (self.lever.upper - self.lever.lower)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready row."""
        lever = self.lever
        return {
            "lever": lever.id,
            "title": lever.title,
            "kind": lever.kind,
            "unit": lever.unit,
            "value": self.value,
            "lower": lever.lower,
            "upper": lever.upper,
            "cost_usd": self.cost_usd,
            "marginal": self.marginal,
            "binds": self.binds,
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Package:
    """The cheapest package for a target.

    Attributes
    ----------
    status
        ``"optimal"``, or ``"feasible, not proven optimal"`` where the certificate misses 1e-5.
    pair
        (origin, destination): the gap is what origin sells to destination minus what it buys.
    objective
        What was minimised.
    gap_before_usd, gap_after_usd, target_usd
        Gap with no lever moved and with the package, and what was to be closed, USD a year at customs value.
    cost_usd
        The objective, USD a year.
    fiscal_usd
        Net revenue lost by the paying budgets plus support and curves, whatever the objective; ``induced_usd`` is the
        part that no lever takes itself: what the package does to all other revenue.
    welfare_cost_usd
        Real income lost by the paying countries; negative where they gain.
    shadow_price
        USD of cost per further USD of the gap closed.
    next_billion_usd
        Cost of closing 1 bn USD more, from a package of its own; NaN where that is out of reach.
    max_closure_usd
        The largest closure that levers and limits allow; ``stops`` says what stops it.
    uses
        Every lever, in the order given.
    certificate
        Optimality conditions, with a multiplier per limit.
    welfare_pct
        Change of real income by country against no package, percent.
    turnover_before_usd, turnover_after_usd
        Trade of the pair in both directions.
    shock
        The package (and what holds anyway) as a Shock.
    seconds, solves, adjoints, starts, starts_agreeing
        Time, equilibria, adjoint equations; how many of the starts ended at the same cost (to 1e-4).
    notes
        What a reader must know.
    """

    status: str
    pair: tuple[str, str]
    objective: Objective
    gap_before_usd: float
    gap_after_usd: float
    target_usd: float
    cost_usd: float
    fiscal_usd: float
    induced_usd: float
    welfare_cost_usd: float
    shadow_price: float
    next_billion_usd: float
    max_closure_usd: float
    stops: tuple[str, ...]
    uses: tuple[LeverUse, ...]
    certificate: Certificate
    welfare_pct: Mapping[str, float]
    turnover_before_usd: float
    turnover_after_usd: float
    shock: Shock
    seconds: float
    solves: int
    adjoints: int
    starts: int
    starts_agreeing: int
    notes: tuple[str, ...] = ()

    @property
    def closed_usd(self) -> float:
        """What the package closes, USD."""
        return self.gap_before_usd - self.gap_after_usd

    @property
    def closed_pct(self) -> float:
        """What the package closes, percent of the gap."""
        return 100.0 * self.closed_usd / self.gap_before_usd

    @property
    def max_closure_pct(self) -> float:
        """The largest closure, percent of the gap."""
        return 100.0 * self.max_closure_usd / self.gap_before_usd

    @property
    def kkt_residual(self) -> float:
        """Largest residual of the optimality conditions."""
        return self.certificate.kkt_residual

    @property
    def values(self) -> Floats:
        """Values of the levers (L,)."""
        return np.array([use.value for use in self.uses])

    @property
    def binding(self) -> tuple[str, ...]:
        """Bounds and limits that bind."""
        bounds = [f"{use.lever.id} at its {use.binds} bound" for use in self.uses if use.binds and use.used]
        limits = [words for words, price in self.certificate.multipliers.items() if price > 0]
        return (*limits, *bounds)

    def table(self) -> pd.DataFrame:
        """Return one row per lever: as `LeverUse.to_json`."""
        import pandas as pd

        return pd.DataFrame([use.to_json() for use in self.uses])

    def welfare_table(self) -> pd.DataFrame:
        """Return one row per country: country, welfare_pct (change of real income against no package)."""
        import pandas as pd

        return pd.DataFrame([{"country": c, "welfare_pct": v} for c, v in self.welfare_pct.items()])

    def to_json(self) -> dict[str, Any]:
        """Return the package as one JSON-ready document."""
        return {
            "status": self.status,
            "cost_usd": self.cost_usd,
            "shadow_price": self.shadow_price,
            "max_closure_pct": self.max_closure_pct,
            "kkt_residual": self.kkt_residual,
            "seconds": self.seconds,
            "package": [use.to_json() for use in self.uses],
            "pair": list(self.pair),
            "objective": self.objective.name,
            "target_usd": self.target_usd,
            "closed_usd": self.closed_usd,
            "closed_pct": self.closed_pct,
            "gap_before_usd": self.gap_before_usd,
            "gap_after_usd": self.gap_after_usd,
            "fiscal_usd": self.fiscal_usd,
            "induced_usd": self.induced_usd,
            "welfare_cost_usd": self.welfare_cost_usd,
            "next_billion_usd": self.next_billion_usd,
            "max_closure_usd": self.max_closure_usd,
            "stops": list(self.stops),
            "binding": list(self.binding),
            "multipliers": dict(self.certificate.multipliers),
            "stationarity": self.certificate.stationarity,
            "complementarity": self.certificate.complementarity,
            "feasibility": self.certificate.feasibility,
            "welfare_pct": dict(self.welfare_pct),
            "turnover_before_usd": self.turnover_before_usd,
            "turnover_after_usd": self.turnover_after_usd,
            "solves": self.solves,
            "adjoints": self.adjoints,
            "starts": self.starts,
            "starts_agreeing": self.starts_agreeing,
            "notes": list(self.notes),
        }

    def summary(self) -> str:
        """Say the answer in a few sentences, without the list of levers."""
        a, b = self.pair
        price = f"The next dollar of the gap costs {self.shadow_price:.3f}"
        if math.isfinite(self.next_billion_usd):
            price += f", the next billion {self.next_billion_usd / 1e6:.0f} mn USD."
        else:
            price += "; a further billion is out of reach."
        moved = "raises" if self.induced_usd < 0 else "lowers"
        other = ""
        if abs(self.induced_usd) > _TELLING * abs(self.fiscal_usd):
            other = (
                f" The levers themselves take {(self.fiscal_usd - self.induced_usd) / 1e6:.0f} mn USD; the package "
                f"{moved} all other revenue of the budgets by {abs(self.induced_usd) / 1e6:.0f} mn."
            )
        lines = [
            f"Closing {self.closed_usd / 1e9:.2f} bn USD ({self.closed_pct:.1f} %) of the gap {a}-{b} costs "
            f"{self.cost_usd / 1e9:.3f} bn USD a year ({self.objective.name}). {price}{other}",
            f"At most {self.max_closure_usd / 1e9:.2f} bn USD ({self.max_closure_pct:.1f} %) can be closed"
            + (", which would turn the gap round" if self.max_closure_pct > 100 else "")
            + ("; what stops it:" if self.stops else "."),
        ]
        return "\n".join([*self.notes, *lines])

    def words(self) -> str:
        """Say the package in a few sentences."""
        used = sorted((use for use in self.uses if use.used), key=lambda use: -abs(use.cost_usd))
        listed = "; ".join(f"{use.lever.title or use.lever.id}: {_said(use)}" for use in used) or "nothing"
        return f"{self.summary().removesuffix('; what stops it:').rstrip('.')}.\nThe package: {listed}."

    def __repr__(self) -> str:
        """Say the package and how well it is proven."""
        return (
            f"Package: {self.status}, residual {self.kkt_residual:.1e}, {self.solves} equilibria, "
            f"{self.seconds:.2f} s\n{self.words()}"
        )


def close_gap(
    world: World,
    levers: Sequence[Lever],
    pair: tuple[str, str],
    target: float = 0.2,
    *,
    welfare_floors: Mapping[str, float] | None = None,
    third_party_limits: Mapping[str, float] | None = None,
    turnover_floor_usd: float | None = None,
    objective: Objective | str = "fiscal",
    background: Shock | None = None,
    closure: Closure | str = "fixed_world_share",
    labour: Labour | None = None,
    trade_elasticity: Floats | None = None,
    starts: int = 3,
    seed: int = 0,
) -> Package:
    """Find the cheapest package that closes so much of a gap.

    Parameters
    ----------
    world
        Balanced base year.
    levers
        What can be moved; each with finite bounds.
    pair
        (origin, destination), origin selling more than it buys.
    target
        Above 0 and up to 1: share of the gap with no lever moved; from 1e6 on: USD a year.
    welfare_floors
        Country to the least change of its real income against no package, percent (-0.1: may lose a tenth of a
        percent); ``"all"`` names everyone.
    third_party_limits
        Country to the most that its sales to the pair may fall, USD a year; ``"all"`` names everyone outside the pair.
    turnover_floor_usd
        Least trade of the pair in both directions, USD a year.
    objective
        ``"fiscal"`` (default), ``"welfare"``, ``"mix"``, or an `Objective`.
    background
        What holds whatever the levers do.
    closure, labour
        As in `counterpoise.solver.solve`.
    trade_elasticity
        (S,), in place of the world's own.
    starts, seed
        Starting points; the first lies on the way to the largest closure, the others are drawn.

    Raises
    ------
    InputError
        If levers, labels, target or limits cannot be used; all problems at once.
    ContradictionError
        If the limits contradict each other, whatever the target. Exit code 2.
    InfeasibleError
        If the target is out of reach; it holds the largest closure and what stops it. Exit code 4.
    NotConvergedError
        If an equilibrium on the way is not found.
    """
    began = time.perf_counter()
    search = open_search(
        world,
        levers,
        pair,
        welfare_floors=welfare_floors,
        third_party_limits=third_party_limits,
        turnover_floor_usd=turnover_floor_usd,
        objective=objective,
        background=background,
        closure=closure,
        labour=labour,
        trade_elasticity=trade_elasticity,
        seed=seed,
    )
    closed = closed_usd_of(target, search.programme.gap)
    reached = search.cheapest(closed, starts=starts)
    return package_of(search, reached, closed, began=began)


def open_search(
    world: World,
    levers: Sequence[Lever],
    pair: tuple[str, str],
    *,
    welfare_floors: Mapping[str, float] | None = None,
    third_party_limits: Mapping[str, float] | None = None,
    turnover_floor_usd: float | None = None,
    objective: Objective | str = "fiscal",
    background: Shock | None = None,
    closure: Closure | str = "fixed_world_share",
    labour: Labour | None = None,
    trade_elasticity: Floats | None = None,
    seed: int = 0,
) -> Search:
    """Return the search that `close_gap` asks once, and frontier and paths ask often; parameters as there."""
    chosen = objective_named(objective)
    equilibria = Equilibria(
        world,
        tuple(levers),
        pair,
        background=background,
        closure=closure,
        labour=labour,
        trade_elasticity=trade_elasticity,
    )
    programme = Programme(equilibria, chosen)
    if not programme.gap > 0:
        raise InputError(_no_gap(world, pair, programme.gap))
    standing = standing_limits(
        programme,
        welfare_floors=welfare_floors,
        third_party_limits=third_party_limits,
        turnover_floor_usd=turnover_floor_usd,
    )
    return Search(programme, standing, seed=seed)


def _no_gap(world: World, pair: tuple[str, str], gap_usd: float) -> str:
    """Say why there is no gap to close: the pair stands the wrong way round, or what holds anyway turned it round."""
    a, b = pair
    before = world.gap_usd(a, b)
    if before > 0:
        return (
            f"without any package {a} sells {-gap_usd / 1e9:.4g} bn USD less to {b} than it buys, after "
            f"{before / 1e9:.4g} bn more in the base year: what holds anyway turns the gap round, and nothing is left "
            "to close; leave out the measure that does so, as with --set measure.ID.enabled=false"
        )
    return (
        f"{a} sells {-gap_usd / 1e9:.4g} bn USD less to {b} than it buys; expected a gap to close: give the pair as "
        f"({b!r}, {a!r})"
    )


def closed_usd_of(target: float, gap_usd: float) -> float:
    """Return a target as USD to close: a share up to 1, or USD from 1e6 on.

    Raises
    ------
    InputError
        If it is neither.
    """
    if math.isfinite(target) and 0 < target <= 1:
        return target * gap_usd
    if math.isfinite(target) and target >= 1e6:
        return target
    raise InputError(
        f"target = {target}; expected a share of the gap above 0 and up to 1 (0.2 closes a fifth), or USD of 1e6 or "
        "more"
    )


def package_of(search: Search, reached: Reached, target_usd: float, *, began: float, further: bool = True) -> Package:
    """Return the package of a cheapest point.

    Parameters
    ----------
    search, reached
        Where it was found.
    target_usd
        What was to be closed.
    began
        ``time.perf_counter()`` at the start.
    further
        Also find the cost of the next billion.
    """
    programme = search.given
    equilibria, u = programme.equilibria, reached.given
    point, before = programme.at(u), programme.before
    at_row, world = equilibria.at_row, equilibria.world
    uses = lever_uses(search, u)
    paid = sum(use.cost_usd for use in uses)
    curves = sum(
        lever.curve.at(float(v)) - lever.curve.at(lever.start)
        for lever, v in zip(programme.levers, point.values, strict=True)
    )
    moved = point.rows - before.rows
    fiscal = float(moved[at_row.support] - moved[at_row.revenue]) + curves
    welfare = np.array([at_row.welfare(k) for k in range(len(world.countries))])
    payers = equilibria.payers
    counted = {id(e): e for e in (equilibria, search.programme.equilibria)}.values()
    certificate = reached.certificate
    return Package(
        status=OPTIMAL if certificate.kkt_residual <= KKT_LIMIT else UNPROVEN,
        pair=equilibria.pair,
        objective=programme.objective,
        gap_before_usd=programme.gap,
        gap_after_usd=float(point.rows[at_row.gap]),
        target_usd=target_usd,
        cost_usd=reached.cost_usd,
        fiscal_usd=fiscal,
        induced_usd=fiscal - paid,
        welfare_cost_usd=-float(equilibria.income[payers] @ moved[welfare][payers]),
        shadow_price=certificate.multipliers["the target"],
        next_billion_usd=_next_billion(search, reached, target_usd) if further else math.nan,
        max_closure_usd=search.closed(search.most()),
        stops=search.stops(search.most()),
        uses=uses,
        certificate=certificate,
        welfare_pct={
            c: float(100.0 * (point.rows[row] / before.rows[row] - 1.0))
            for c, row in zip(world.countries, welfare.tolist(), strict=True)
        },
        turnover_before_usd=float(before.rows[at_row.turnover]),
        turnover_after_usd=float(point.rows[at_row.turnover]),
        shock=equilibria.mixture.shock(point.values),
        seconds=time.perf_counter() - began,
        solves=sum(e.solves for e in counted),
        adjoints=sum(e.adjoints for e in counted),
        starts=reached.starts,
        starts_agreeing=reached.starts_agreeing,
        notes=(*_gap_notes(world.gap_usd(*equilibria.pair), programme.gap), *_notes(reached, certificate, target_usd)),
    )


def lever_uses(search: Search, given: Floats) -> tuple[LeverUse, ...]:
    """Return what each lever does in a package, in the order given.

    Parameters
    ----------
    search
        Where it was found.
    given
        Scaled variables of the levers as given (L,).
    """
    programme = search.given
    point = programme.at(given)
    outlay = programme.equilibria.mixture.outlay(point.values, point.flow)
    cost_slope, closing = programme.cost_slope(given), -programme.gap_slope(given)
    moves = np.abs(closing) > 1e-12 * programme.gap
    marginal = np.divide(cost_slope, closing, out=np.full_like(closing, np.nan), where=moves)
    return tuple(
        LeverUse(lever, float(value), float(paid), float(price), _bound(lever, float(x)))
        for lever, value, paid, price, x in zip(programme.levers, point.values, outlay, marginal, given, strict=True)
    )


def _bound(lever: Lever, x: float) -> str:
    """Name the bound at which a scaled variable stands."""
    if lever.lower == lever.upper:
        return ""
    return "upper" if x >= 1 - 1e-7 else "lower" if x <= 1e-7 else ""


def _next_billion(search: Search, reached: Reached, target_usd: float) -> float:
    """Return what closing 1 bn USD more costs; NaN where it is out of reach."""
    further = max(target_usd, reached.closed_usd) + _BILLION
    if reached.free or further > search.closed(search.most()):
        return 0.0 if reached.free and further <= search.closed(search.most()) else math.nan
    return search.cheapest(further, near=(reached.u,), starts=1).cost_usd - reached.cost_usd


def _gap_notes(base_usd: float, gap_usd: float) -> tuple[str, ...]:
    """Say what gap the shares are of, where that is not the base year's."""
    if abs(gap_usd - base_usd) <= _SAME_GAP * abs(base_usd):
        return ()
    return (
        f"What holds anyway leaves a gap of {gap_usd / 1e9:.2f} bn USD, after {base_usd / 1e9:.2f} bn in the base "
        "year; shares are of what is left.",
    )


def _notes(reached: Reached, certificate: Certificate, target_usd: float) -> tuple[str, ...]:
    """Return what a reader must know beside the numbers."""
    notes: list[str] = []
    if reached.free:
        notes.append(
            "Nothing costs anything here: neither the model nor a curve counts a cost of these levers, so every "
            "package that reaches the target is as cheap. Shown is the one that moves the levers least; give cost "
            "curves to choose between them."
        )
    if reached.closed_usd > target_usd * (1.0 + 1e-6):
        notes.append(
            "The target does not bind: the package that costs least closes "
            f"{reached.closed_usd / 1e9:.2f} bn USD by itself."
        )
    if certificate.kkt_residual > KKT_LIMIT:
        notes.append(f"The optimality conditions hold to {certificate.kkt_residual:.1e} only; try more starts.")
    return tuple(notes)


def _said(use: LeverUse) -> str:
    """Write a lever's value."""
    if use.lever.unit.startswith("USD"):
        return f"{use.value / 1e9:.3g} bn {use.lever.unit}"
    return f"{100 * use.value:.1f} %" + (" (bound)" if use.binds else "")
