"""What a package costs: curves that the user states, and the weights of the objective.

What the model itself counts (revenue lost, subsidies paid, real income lost) comes from the equilibrium; a curve adds
what it cannot know, such as running a green corridor. A curve has a source, and bounds as factors of its central value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from counterpoise.core.errors import InputError, did_you_mean, raise_all

__all__ = [
    "FISCAL",
    "FREE",
    "MIX",
    "MONEY",
    "OBJECTIVES",
    "WELFARE",
    "CostCase",
    "CostCurve",
    "Objective",
    "cost_case",
    "objective_named",
]

CostCase = Literal["low", "central", "high"]
"""Which end of the curves is taken."""


def cost_case(text: str) -> CostCase:
    """Return a case by its name; raise InputError for another."""
    if text not in get_args(CostCase):
        hint = did_you_mean(text, get_args(CostCase)) or ";"
        raise InputError(f"unknown end of the cost curves '{text}'{hint} Known: low, central, high")
    return cast(CostCase, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """USD a year that a lever costs at v, beside what the model counts: (money + linear) v + quadratic v^2 / 2.

    Parameters
    ----------
    linear_usd
        USD a year per unit of the lever.
    quadratic_usd
        Rise of the marginal cost per unit of the lever, USD a year; 0 or more, so that the cheapest part comes first.
    source
        Where the numbers come from; "own assumption" is an answer.
    low_factor, high_factor
        The curve at its low and high bound, over the central one.
    money_usd
        USD a year per unit that are no estimate and so have no bounds: 1 for a lever whose value is money.

    Raises
    ------
    InputError
        If numbers are not finite, the curve bends the wrong way, or the bounds are not around 1.
    """

    linear_usd: float = 0.0
    quadratic_usd: float = 0.0
    source: str = "own assumption"
    low_factor: float = 1.0
    high_factor: float = 1.0
    money_usd: float = 0.0

    def __post_init__(self) -> None:
        """Check everything at once."""
        problems = [
            f"{name} = {value}; expected {rule}"
            for name, value, rule, fine in (
                ("linear_usd", self.linear_usd, "a finite number", math.isfinite(self.linear_usd)),
                ("money_usd", self.money_usd, "a finite number of 0 or more", 0.0 <= self.money_usd < math.inf),
                ("quadratic_usd", self.quadratic_usd, "0 or more", 0.0 <= self.quadratic_usd < math.inf),
                ("low_factor", self.low_factor, "0 to 1", 0.0 <= self.low_factor <= 1.0),
                ("high_factor", self.high_factor, "1 or more", 1.0 <= self.high_factor < math.inf),
            )
            if not fine
        ]
        raise_all(InputError, "the cost curve cannot be used", problems)

    def at(self, value: float) -> float:
        """Return the cost at a value of the lever, USD a year."""
        return value * (self.money_usd + self.linear_usd + 0.5 * self.quadratic_usd * value)

    def slope(self, value: float) -> float:
        """Return the marginal cost at a value of the lever, USD a year per unit."""
        return self.money_usd + self.linear_usd + self.quadratic_usd * value

    def bend(self, value: float) -> float:
        """Return the rise of the marginal cost at a value of the lever, USD a year per unit squared."""
        return self.quadratic_usd

    def case(self, which: CostCase) -> CostCurve:
        """Return the curve at its low, central or high bound; money is money in all of them."""
        factor = {"low": self.low_factor, "central": 1.0, "high": self.high_factor}[which]
        return replace(
            self,
            linear_usd=factor * self.linear_usd,
            quadratic_usd=factor * self.quadratic_usd,
            low_factor=1.0,
            high_factor=1.0,
        )

    @property
    def is_free(self) -> bool:
        """True where the curve is zero everywhere."""
        return self.money_usd == 0.0 and self.linear_usd == 0.0 and self.quadratic_usd == 0.0


FREE = CostCurve(source="nothing beside what the model counts")
"""No cost beside what the model counts."""


MONEY = CostCurve(money_usd=1.0, source="the money itself")
"""A lever whose value is money: it costs what it is."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised, in USD: a weighted sum of two readings of the model's cost, plus the curves.

    Attributes
    ----------
    fiscal
        Weight of what the paying budgets lose: revenue forgone, subsidies paid, and what the package does to all their
        other revenue.
    welfare
        Weight of what the paying countries lose in real income (baseline income times the fall of ``welfare_hat``).

    Outlays that the model does not see (curves, dearer oil under restraint) count with the sum of weights.
    """

    name: str
    fiscal: float
    welfare: float

    def __post_init__(self) -> None:
        """Refuse weights that make no objective."""
        weights = (self.fiscal, self.welfare)
        if not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
            raise InputError(
                f"objective weights fiscal = {self.fiscal}, welfare = {self.welfare}; expected numbers of 0 or more, "
                "not both 0"
            )


FISCAL = Objective("fiscal", 1.0, 0.0)
"""Cost to the paying budgets: the default."""

WELFARE = Objective("welfare", 0.0, 1.0)
"""Real income lost by the paying countries."""

MIX = Objective("mix", 0.5, 0.5)
"""Half of each."""

OBJECTIVES = {objective.name: objective for objective in (FISCAL, WELFARE, MIX)}
"""Objectives by registered name."""


def objective_named(objective: Objective | str) -> Objective:
    """Return the objective of a name, or the instance itself; raise InputError for an unknown name."""
    if isinstance(objective, Objective):
        return objective
    if objective not in OBJECTIVES:
        hint = did_you_mean(objective, OBJECTIVES) or ";"
        raise InputError(f"unknown objective '{objective}'{hint} Known: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[objective]
