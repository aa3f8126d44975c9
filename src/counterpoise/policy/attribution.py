r"""Who did it, where effects interact: Shapley values over levers or obstacles, in equilibrium.

The value of a player is its mean contribution over all orders in which the players could come,

    phi_k = sum over S without k of |S|! (n - |S| - 1)! / n! * (v(S + k) - v(S)),

so the values add up to v(all) - v(none) exactly, equal players get equal values, and a player who changes nothing gets
nothing. Up to twelve players every coalition is solved, once; beyond, orders are drawn together with their reverses and
the standard error is told.

References
----------
Shapley (1953) in Contributions to the Theory of Games II; Shorrocks (2013), Journal of Economic Inequality 11(1), for
decompositions; Castro, Gomez and Tejada (2009), Computers and Operations Research 36(5), for sampled orders.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal, TypeAlias, cast, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.core.labels import index_of
from counterpoise.model import Closure, Labour
from counterpoise.solver import Anderson, solve_batch

__all__ = ["EXACT_PLAYERS", "Shapley", "attribute_obstacles", "shapley"]

Numbers = NDArray[np.float64]

Coalition: TypeAlias = frozenset[str]
Value: TypeAlias = Callable[[Coalition], ArrayLike]
Values: TypeAlias = Callable[[Sequence[Coalition]], ArrayLike]

EXACT_PLAYERS = 12
"""Most players for whom every coalition is solved: 4096 of them."""

_AT_ONCE = 256
"""Coalitions in one call, so that their shocks fit in memory."""

_COLUMNS = ("ave_{case}", "removable_{case}")

OUTCOMES = ("export_usd", "import_usd", "trade_usd", "gap_usd", "welfare_origin_pct", "welfare_destination_pct")
"""What `attribute_obstacles` takes apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Shapley:
    """Values of n players for m outcomes.

    Attributes
    ----------
    players
        In the order given.
    attribution
        Shapley value (n, m).
    standard_error
        Of the attribution (n, m); zero where every coalition was solved.
    alone
        What the player does when it comes first (n, m): v({k}) - v(none).
    last
        What it does when it comes last (n, m): v(all) - v(all without k). It differs from ``alone`` by interaction.
    total
        v(all) - v(none) (m,); the attribution sums to it.
    exact
        True where every coalition was solved.
    solved
        Number of different coalitions evaluated.
    """

    players: tuple[str, ...]
    attribution: Numbers
    standard_error: Numbers
    alone: Numbers
    last: Numbers
    total: Numbers
    exact: bool
    solved: int

    def __repr__(self) -> str:
        """Say the values of the first outcome."""
        how = "every coalition" if self.exact else "sampled orders"
        lines = [f"Shapley values of {len(self.players)} players, {how}, {self.solved} evaluations"]
        rows = zip(self.players, self.attribution, self.standard_error, strict=True)
        lines += [f"  {name}: {value[0]:.6g}" + (f" (s.e. {se[0]:.2g})" if se[0] else "") for name, value, se in rows]
        return "\n".join(lines)


@overload
def shapley(
    players: Sequence[str],
    value: Value,
    *,
    batched: Literal[False] = False,
    exact_players: int = EXACT_PLAYERS,
    orders: int = 200,
    seed: int = 0,
) -> Shapley: ...


@overload
def shapley(
    players: Sequence[str],
    value: Values,
    *,
    batched: Literal[True],
    exact_players: int = EXACT_PLAYERS,
    orders: int = 200,
    seed: int = 0,
) -> Shapley: ...


def shapley(
    players: Sequence[str],
    value: Value | Values,
    *,
    batched: bool = False,
    exact_players: int = EXACT_PLAYERS,
    orders: int = 200,
    seed: int = 0,
) -> Shapley:
    """Share out what all players do together.

    Parameters
    ----------
    players
        Names, each once.
    value
        What a coalition is worth: a number, or m of them. It is asked once for each coalition.
    batched
        ``value`` takes a list of coalitions and returns (coalitions,) or (coalitions, m).
    exact_players
        Up to so many players every coalition is evaluated; beyond, orders are drawn.
    orders
        How many orders are drawn, half of them the reverse of the other half; an even number of four or more.
    seed
        Of the draws.

    Raises
    ------
    InputError
        If there is no player, a name occurs twice, or an option cannot be used.

    Examples
    --------
    >>> gloves = shapley(["left", "right 1", "right 2"], lambda s: float("left" in s and len(s) > 1))
    >>> [round(float(v), 4) for v in gloves.attribution[:, 0]]
    [0.6667, 0.1667, 0.1667]
    """
    names = tuple(players)
    _check(names, exact_players, orders)
    ask = cast(Values, value) if batched else _one_by_one(cast(Value, value))
    known = _Known(ask)
    everyone = frozenset(names)
    if len(names) <= exact_players:
        known.learn(frozenset(s) for size in range(len(names) + 1) for s in combinations(names, size))
        attribution, error = _exact(names, known), None
    else:
        attribution, error = _sampled(names, known, orders, seed)
    known.learn([frozenset(), everyone, *(frozenset({k}) for k in names), *(everyone - {k} for k in names)])
    nothing, everything = known[frozenset()], known[everyone]
    return Shapley(
        players=names,
        attribution=attribution,
        standard_error=np.zeros_like(attribution) if error is None else error,
        alone=np.stack([known[frozenset({k})] - nothing for k in names]),
        last=np.stack([everything - known[everyone - {k}] for k in names]),
        total=everything - nothing,
        exact=error is None,
        solved=len(known),
    )


def attribute_obstacles(
    world: World,
    wedges: pd.DataFrame,
    pair: tuple[str, str],
    *,
    case: Literal["low", "central", "high"] = "central",
    whole: bool = False,
    obstacles: Sequence[str] | None = None,
    closure: Closure | str = "fixed_world_share",
    solver: Anderson | str = "anderson",
    labour: Labour | None = None,
    exact_players: int = EXACT_PLAYERS,
    orders: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return what taking each obstacle away does to the trade and the gap of a pair, in equilibrium.

    Parameters
    ----------
    world
        Balanced base year, in which the obstacles stand.
    wedges
        Columns origin, destination, sector, obstacle, ave_<case>, removable_<case>, as in the rows of a friction
        report; rows of several reports may be stacked. An obstacle is taken away in all of its rows at once. With
        ``whole``, a column eased_share (1 where it is missing) says for which part of the trade.
    pair
        Two countries; the gap is what the first sells to the second minus what it buys from it.
    case
        Which columns are read.
    whole
        Take the obstacle away altogether; by default only the part that could be.
    obstacles
        Which ones; all by default.
    closure, solver, labour
        As in `counterpoise.solver.solve`.
    exact_players, orders, seed
        As in `shapley`.
    progress
        Called with coalitions solved in the current round, and how many there are.

    Returns
    -------
    One row per obstacle, largest effect on trade first, and a last row ``all`` that the others add up to. Columns:
    obstacle; export_usd, import_usd, trade_usd, gap_usd (changes, USD a year at customs value; ``export`` is what the
    first of the pair sells to the second); welfare_origin_pct, welfare_destination_pct; each with ``_se``;
    trade_alone_usd and trade_last_usd, gap_alone_usd and gap_last_usd (first and last in order: they differ by
    interaction). ``attrs`` holds exact, solved, case, whole. An obstacle of which nothing can be taken away has zeros
    and is no player.

    Raises
    ------
    InputError
        If the wedges cannot be used; every problem is listed.
    LabelError
        If a country of the pair is unknown.
    """
    origin, destination = pair
    for country in pair:
        index_of(world.countries, country, "country")
    factors = _factors(world, wedges, case, whole, obstacles)
    players = [name for name, cells in factors.items() if any(factor != 1.0 for factor in cells.values())]
    idle = [name for name in factors if name not in players]
    i, j = world.countries.index(origin), world.countries.index(destination)
    there, back = _pair_flows(world.flow.to_numpy().sum(axis=2), i, j)

    def outcomes(coalitions: Sequence[Coalition]) -> Numbers:
        out: list[Numbers] = []
        for first in range(0, len(coalitions), _AT_ONCE):
            some = coalitions[first : first + _AT_ONCE]
            batch = solve_batch(
                world,
                [_shock(world, factors, coalition) for coalition in some],
                closure=closure,
                solver=solver,
                labour=labour,
            )
            flow = batch.data["pair_flow_cf"].to_numpy()
            export, bought = flow[:, i, j] - there, flow[:, j, i] - back
            welfare = 100.0 * (batch.data["welfare_hat"].to_numpy() - 1.0)
            columns = (export, bought, export + bought, export - bought, welfare[:, i], welfare[:, j])
            out.append(np.stack(columns, axis=1))
            if progress is not None:
                progress(min(first + _AT_ONCE, len(coalitions)), len(coalitions))
        return np.concatenate(out)

    rows: list[dict[str, str | float]] = []
    found: Shapley | None = None
    if players:
        found = shapley(players, outcomes, batched=True, exact_players=exact_players, orders=orders, seed=seed)
        for k, name in enumerate(players):
            value, error = found.attribution[k], found.standard_error[k]
            rows.append(_row(name, value, error, found.alone[k], found.last[k]))
        rows.sort(key=lambda row: -abs(float(row["trade_usd"])))
    none = np.zeros(len(OUTCOMES))
    rows += [_row(name, none, none, none, none) for name in idle]
    total = none if found is None else found.total
    rows.append(_row("all", total, none, total, total))
    table = pd.DataFrame(rows)
    table.attrs = {
        "exact": found is None or found.exact,
        "solved": 0 if found is None else found.solved,
        "case": case,
        "whole": whole,
    }
    return table


class _Known:
    """Remembers what each coalition is worth, and asks for several at once."""

    def __init__(self, ask: Values) -> None:
        self._ask = ask
        self._worth: dict[Coalition, Numbers] = {}

    def learn(self, coalitions: Iterable[Coalition]) -> None:
        """Ask for all that are not known yet."""
        new = [s for s in dict.fromkeys(coalitions) if s not in self._worth]
        if not new:
            return
        worth = np.asarray(self._ask(new), dtype=np.float64)
        if worth.shape[:1] != (len(new),) or worth.ndim > 2:
            raise InputError(
                f"value returned the shape {worth.shape} for {len(new)} coalitions; expected ({len(new)},) or "
                f"({len(new)}, m)"
            )
        if not np.all(np.isfinite(worth)):
            raise InputError("value returned numbers that are not finite")
        self._worth |= dict(zip(new, worth.reshape(len(new), -1), strict=True))

    def __getitem__(self, coalition: Coalition) -> Numbers:
        return self._worth[coalition]

    def __len__(self) -> int:
        return len(self._worth)


def _one_by_one(value: Value) -> Values:
    return lambda coalitions: np.stack([np.atleast_1d(np.asarray(value(s), dtype=np.float64)) for s in coalitions])


def _check(names: tuple[str, ...], exact_players: int, orders: int) -> None:
    problems = [f"player '{name}' occurs more than once" for name in sorted({k for k in names if names.count(k) > 1})]
    if not names:
        problems.append("there is no player")
    if not 0 <= exact_players <= 20:
        problems.append(f"exact_players is {exact_players}; expected 0 to 20")
    if orders < 4 or orders % 2:
        problems.append(f"orders is {orders}; expected an even number of four or more")
    raise_all(InputError, "Shapley values cannot be worked out", problems)


def _exact(names: tuple[str, ...], known: _Known) -> Numbers:
    """Weigh every contribution by how many orders make it."""
    n = len(names)
    out: list[Numbers] = []
    for player in names:
        others = [k for k in names if k != player]
        value = np.zeros_like(known[frozenset()])
        for size in range(n):
            weight = 1.0 / (n * comb(n - 1, size))
            for chosen in combinations(others, size):
                before = frozenset(chosen)
                value = value + weight * (known[before | {player}] - known[before])
        out.append(value)
    return np.stack(out)


def _sampled(names: tuple[str, ...], known: _Known, orders: int, seed: int) -> tuple[Numbers, Numbers]:
    """Average contributions over drawn orders, each with its reverse; errors are between such twins."""
    rng = np.random.default_rng(seed)
    forward: list[list[str]] = [rng.permutation(np.array(names, dtype=np.str_)).tolist() for _ in range(orders // 2)]
    known.learn(
        frozenset(line[:k]) for order in forward for line in (order, order[::-1]) for k in range(len(names) + 1)
    )
    twins = np.stack([(_along(order, names, known) + _along(order[::-1], names, known)) / 2.0 for order in forward])
    return twins.mean(axis=0), twins.std(axis=0, ddof=1) / np.sqrt(len(forward))


def _along(order: Sequence[str], names: tuple[str, ...], known: _Known) -> Numbers:
    """Return each player's contribution in one order (n, m)."""
    steps = [frozenset(order[:k]) for k in range(len(order) + 1)]
    added = {player: known[steps[k + 1]] - known[steps[k]] for k, player in enumerate(order)}
    return np.stack([added[name] for name in names])


def _factors(
    world: World, wedges: pd.DataFrame, case: str, whole: bool, obstacles: Sequence[str] | None
) -> dict[str, dict[tuple[int, int, int], float]]:
    """Return, by obstacle, the iceberg cost without it over the one with it, by cell."""
    ave_column, removable_column = (name.format(case=case) for name in _COLUMNS)
    needed = ["origin", "destination", "sector", "obstacle", ave_column]
    needed += [name for name in ("eased_share",) if name in wedges.columns] if whole else [removable_column]
    missing = [name for name in needed if name not in wedges.columns]
    raise_all(InputError, "wedges cannot be used", [f"the column '{name}' is missing" for name in missing])
    problems: list[str] = []
    out: dict[str, dict[tuple[int, int, int], float]] = {}
    for row in wedges[needed].to_dict("records"):
        cell: list[int] = []
        for kind, labels in (("origin", world.countries), ("destination", world.countries), ("sector", world.sectors)):
            name = str(row[kind])
            if name in labels:
                cell.append(labels.index(name))
            else:
                problems.append(f"unknown {kind} '{name}'{did_you_mean(name, labels)}")
        ave = float(row[ave_column])
        removable = ave * float(row.get("eased_share", 1.0)) if whole else float(row[removable_column])
        if not 0.0 <= removable <= ave < np.inf:
            problems.append(
                f"{row['obstacle']} of {row['sector']}: ave {ave:g}, removable {removable:g}; expected 0 <= removable "
                "<= ave"
            )
        if len(cell) == 3:
            mine = out.setdefault(str(row["obstacle"]), {})
            at = (cell[0], cell[1], cell[2])
            mine[at] = mine.get(at, 1.0) * (1.0 + ave - removable) / (1.0 + ave)
    if obstacles is not None:
        known = list(dict.fromkeys(str(name) for name in wedges["obstacle"]))
        problems += [
            f"unknown obstacle '{name}'{did_you_mean(name, known)} Known: {', '.join(known)}"
            for name in obstacles
            if name not in known
        ]
        out = {name: cells for name, cells in out.items() if name in obstacles}
    raise_all(InputError, "wedges cannot be used", list(dict.fromkeys(problems)))
    return out


def _shock(
    world: World, factors: Mapping[str, Mapping[tuple[int, int, int], float]], coalition: Iterable[Hashable]
) -> Shock:
    cost = np.ones((len(world.countries), len(world.countries), len(world.sectors)))
    for name in sorted(str(k) for k in coalition):
        for cell, factor in factors[name].items():
            cost[cell] *= factor
    return Shock(world, iceberg_cost_hat=cost)


def _pair_flows(flow: Numbers, i: int, j: int) -> tuple[float, float]:
    return float(flow[i, j]), float(flow[j, i])


def _row(name: str, value: Numbers, error: Numbers, alone: Numbers, last: Numbers) -> dict[str, str | float]:
    trade, gap = OUTCOMES.index("trade_usd"), OUTCOMES.index("gap_usd")
    row: dict[str, str | float] = {"obstacle": name}
    row |= {label: float(v) for label, v in zip(OUTCOMES, value, strict=True)}
    row |= {f"{label}_se": float(v) for label, v in zip(OUTCOMES, error, strict=True)}
    row |= {"trade_alone_usd": float(alone[trade]), "trade_last_usd": float(last[trade])}
    return row | {"gap_alone_usd": float(alone[gap]), "gap_last_usd": float(last[gap])}
