"""What an allocation of a technology fund says: where the money goes, what it brings, how the sectors rank."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Solution, World
from counterpoise.policy.fund_options import Finance, FundLine, FundResponse, FundRisk

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CautiousPlan", "FundGoal", "FundPlan", "FundResult"]

Numbers = NDArray[np.float64]
FundGoal: TypeAlias = Literal["welfare", "gap", "mix"]


@dataclass(frozen=True, slots=True, eq=False)
class FundPlan:
    """One way to spend the budget, and what it brings when every return is at its mean.

    ``spend_usd`` (L,); ``welfare_usd`` the weighted sum of equivalent variations and ``gap_closed_usd``, USD a year
    over the same world without a fund.
    """

    goal: FundGoal
    spend_usd: Numbers
    welfare_usd: float
    gap_closed_usd: float


@dataclass(frozen=True, slots=True, eq=False)
class CautiousPlan:
    """The same budget spent for the low tail of the draws instead of their mean.

    ``spend_usd`` (L,); ``mean_usd`` and ``low_usd`` the objective over the draws: its mean, and the mean of the worst
    tail, USD a year.
    """

    spend_usd: Numbers
    mean_usd: float
    low_usd: float


@dataclass(frozen=True, slots=True, eq=False)
class FundResult:
    """The best allocation found, with its certificate.

    Attributes
    ----------
    world, pair
        The world, and the partners: the first sells more than it buys.
    budget_usd, goal, welfare_weight, partner_weights
        What was asked: ``welfare_weight`` * welfare + (1 - ``welfare_weight``) * gap closed, both USD a year.
    lines
        What could be funded (L of them).
    excluded
        Sectors left out because of the dual-use goods in them.
    response, risk, finance
        The assumptions.
    spend_usd, on
        (L,) USD by line, and whether it is funded.
    marginal_return
        (L,) exact derivative of the objective to each line's money, USD a year per USD.
    marginal_welfare, marginal_gap
        (L,) the same of either objective when every return is at its mean.
    first_welfare, first_gap
        (L,) the same for the first USD of an empty fund: what the two rankings are made of.
    multiplier
        Objective per further USD of budget, USD a year per USD.
    kkt_residual
        Largest relative violation of the conditions of a maximum.
    objective_usd, mean_usd, low_usd, quantile_usd
        The objective at the allocation: as maximised, its mean over the draws, the mean of the worst tail, and the
        quantile at the tail; USD a year.
    draws_usd
        (draws, 4): objective, equivalent variation of seller and of buyer, gap closed, USD a year.
    plans
        What spending the same sum for welfare alone and for the gap alone would buy, and this allocation.
    cautious
        What caution would do; None where returns are certain, the low tail is maximised anyway, or it was not compared.
    before, solution
        The equilibria without the fund, and with it when every return is at its mean.
    levers
        One row per other lever, see `lever_table`.
    sets_compared, nodes, bound_gap
        On/off sets solved exactly, nodes of the branch and bound, and the relative gap it left open.
    seconds
        Wall time.
    """

    world: World
    pair: tuple[str, str]
    budget_usd: float
    goal: FundGoal
    welfare_weight: float
    partner_weights: tuple[float, float]
    lines: tuple[FundLine, ...]
    excluded: tuple[str, ...]
    response: FundResponse
    risk: FundRisk
    finance: Finance
    spend_usd: Numbers
    on: NDArray[np.bool_]
    marginal_return: Numbers
    marginal_welfare: Numbers
    marginal_gap: Numbers
    first_welfare: Numbers
    first_gap: Numbers
    multiplier: float
    kkt_residual: float
    objective_usd: float
    mean_usd: float
    low_usd: float
    quantile_usd: float
    draws_usd: Numbers = field(repr=False)
    plans: Mapping[str, FundPlan] = field(repr=False)
    cautious: CautiousPlan | None = field(repr=False)
    before: Solution = field(repr=False)
    solution: Solution = field(repr=False)
    levers: tuple[Mapping[str, Any], ...] = field(repr=False)
    sets_compared: int
    nodes: int
    bound_gap: float
    seconds: float

    @property
    def spent_usd(self) -> float:
        """Return what is spent; less than the budget where more would do harm, or too little is left for a project."""
        return float(self.spend_usd.sum())

    @property
    def gains_usd(self) -> Mapping[str, float]:
        """Return the equivalent variation of each partner at mean returns, before costs, USD a year."""
        after = (self.solution.welfare_hat - self.before.welfare_hat) * self.world.income
        return {c: float(after.sel(country=c)) for c in self.pair}

    @property
    def costs_usd(self) -> Mapping[str, float]:
        """Return what each partner pays, USD a year."""
        return dict(zip(self.pair, self.finance.cost_usd(self.spent_usd), strict=True))

    @property
    def gap_closed_usd(self) -> float:
        """Return by how much the gap shrinks at mean returns, USD a year."""
        return self.before.gap_cf_usd(*self.pair) - self.solution.gap_cf_usd(*self.pair)

    def allocation_table(self) -> pd.DataFrame:
        """Return one row per line: spending, its part of the budget, marginal returns, largest spending first."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "line": [line.label for line in self.lines],
                "country": [line.country for line in self.lines],
                "sector": [line.sector for line in self.lines],
                "spend_usd": self.spend_usd,
                "part_of_budget_pct": 100.0 * self.spend_usd / self.budget_usd if self.budget_usd else self.spend_usd,
                "marginal_return": self.marginal_return,
                "marginal_welfare": self.marginal_welfare,
                "marginal_gap": self.marginal_gap,
                "minimum_usd": [line.minimum_usd for line in self.lines],
                "status": self.statuses(),
            }
        )
        return frame.sort_values(["spend_usd", "marginal_return"], ascending=False, kind="stable", ignore_index=True)

    def statuses(self) -> tuple[str, ...]:
        """Return where each line stands: free, at minimum, at maximum, off (lumpy, not worth its minimum), unfunded."""
        near = 1e-9 * max(self.budget_usd, 1.0)
        out: list[str] = []
        for line, spend, on in zip(self.lines, self.spend_usd.tolist(), self.on.tolist(), strict=True):
            if not on:
                out.append("off" if line.minimum_usd > 0 else "unfunded")
            elif line.minimum_usd > 0 and spend <= line.minimum_usd + near:
                out.append("at minimum")
            else:
                out.append("at maximum" if spend >= line.maximum_usd - near else "free")
        return tuple(out)

    def ranking_table(self) -> pd.DataFrame:
        """Return one row per line: return of the first USD and rank under either objective, ordered by welfare."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "line": [line.label for line in self.lines],
                "country": [line.country for line in self.lines],
                "sector": [line.sector for line in self.lines],
                "welfare_return": self.first_welfare,
                "gap_return": self.first_gap,
                "welfare_rank": _ranks(self.first_welfare),
                "gap_rank": _ranks(self.first_gap),
            }
        )
        return frame.sort_values("welfare_rank", kind="stable", ignore_index=True)

    @property
    def rank_correlation(self) -> float:
        """Return Spearman's correlation of the two rankings: 1 when they agree; NaN with fewer than two lines."""
        if len(self.lines) < 2:
            return math.nan
        return float(np.corrcoef(_ranks(self.first_welfare), _ranks(self.first_gap))[0, 1])

    def lever_table(self) -> pd.DataFrame:
        """Return one row per lever: what a USD a year spent at the margin brings, USD a year.

        ``welfare_per_usd`` is net of what the lever costs the payers, excess burden of taxes included; for the removal
        of an obstacle no cost is known and the number is gross: what could be spent on it. ``outlay_usd`` is what the
        lever costs per unit of its rate (a removal: trade at customs value that it makes cheaper).
        """
        import pandas as pd

        return pd.DataFrame([dict(row) for row in self.levers])

    def facts(self) -> dict[str, Any]:
        """Return the answer and its certificate as plain values, as the command line prints them."""
        gap = self.before.gap_cf_usd(*self.pair)
        gains, costs = self.gains_usd, self.costs_usd
        return {
            "pair": list(self.pair),
            "budget_usd": self.budget_usd,
            "spent_usd": self.spent_usd,
            "objective": self.goal,
            "welfare_weight": self.welfare_weight,
            "partner_weights": dict(zip(self.pair, self.partner_weights, strict=True)),
            "multiplier": self.multiplier,
            "kkt_residual": self.kkt_residual,
            "objective_usd": self.objective_usd,
            "mean_usd": self.mean_usd,
            "low_usd": self.low_usd,
            "quantile_usd": self.quantile_usd,
            "gains_usd": dict(gains),
            "costs_usd": dict(costs),
            "net_gain_usd": sum(gains.values()) - sum(costs.values()),
            "gap_before_usd": gap,
            "gap_closed_usd": self.gap_closed_usd,
            "gap_closed_pct": 100.0 * self.gap_closed_usd / gap if gap else math.nan,
            "rank_correlation": self.rank_correlation,
            "risk": asdict(self.risk),
            "finance": asdict(self.finance) | {"annual_cost_rate": self.finance.annual_cost_rate},
            "excluded": list(self.excluded),
            "sets_compared": self.sets_compared,
            "nodes": self.nodes,
            "bound_gap": self.bound_gap,
            "seconds": self.seconds,
        }

    def to_json(self) -> dict[str, Any]:
        """Return everything as one document of plain values."""
        return self.facts() | {
            "allocation": self.allocation_table().to_dict("records"),
            "ranking": self.ranking_table().to_dict("records"),
            "levers": [dict(row) for row in self.levers],
            "plans": {
                name: {
                    "spend_usd": dict(zip([x.label for x in self.lines], plan.spend_usd.tolist(), strict=True)),
                    "welfare_usd": plan.welfare_usd,
                    "gap_closed_usd": plan.gap_closed_usd,
                }
                for name, plan in self.plans.items()
            },
            "cautious": None
            if self.cautious is None
            else {
                "spend_usd": dict(zip([x.label for x in self.lines], self.cautious.spend_usd.tolist(), strict=True)),
                "mean_usd": self.cautious.mean_usd,
                "low_usd": self.cautious.low_usd,
            },
        }

    def __repr__(self) -> str:
        """Say what is funded and what it brings."""
        funded = [
            f"{row.line} {row.spend_usd / 1e6:,.0f} mn" for row in _records(self.allocation_table()) if row.spend_usd
        ]
        gains = ", ".join(f"{c} {value / 1e6:+,.0f} mn" for c, value in self.gains_usd.items())
        return "\n".join(
            [
                (
                    f"Technology fund of {self.budget_usd / 1e6:,.0f} mn USD, {self.pair[0]} and {self.pair[1]}, "
                    f"objective {self.goal}, {self.risk.measure} of {self.risk.draws} draws"
                ),
                f"  funded: {', '.join(funded) or 'nothing'}",
                f"  real income a year: {gains}; gap closed by {self.gap_closed_usd / 1e6:+,.0f} mn",
                f"  next USD: {self.multiplier:.4g} a year; conditions of a maximum hold to {self.kkt_residual:.1e}",
            ]
        )


def _records(frame: pd.DataFrame) -> Iterator[Any]:
    return iter(frame.itertuples(index=False))


def _ranks(values: Numbers) -> NDArray[np.int64]:
    """Return ranks from 1, the largest first, ties in the order given."""
    order = np.argsort(-values, kind="stable")
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(1, len(values) + 1)
    return ranks
