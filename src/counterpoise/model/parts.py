"""The swappable parts of the equilibrium, frozen and named: how deficits close and how labour is supplied.

Parts are static: they choose code when a solve is compiled, and carry no arrays. Numbers they need (an elasticity)
are Python floats, positions are integers looked up by label before the solve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import jax.numpy as jnp
from jax import Array

from counterpoise.core.choice import ModelChoice
from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.core.labels import index_of

__all__ = [
    "CLOSURES",
    "Closure",
    "ElasticLabour",
    "FixedLabour",
    "FixedNominal",
    "FixedWorldShare",
    "Labour",
    "SectorLabour",
    "ZeroDeficit",
    "closure_named",
    "labour_of",
]


class Closure(Protocol):
    """How the aggregate deficit of each country is pinned down."""

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    def bind(self, countries: Sequence[str]) -> Closure:
        """Return the closure with labels looked up; raise LabelError for an unknown country."""
        ...

    def transfer(self, deficit: Array, world_output_hat: Array, wage_hat: Array) -> Array:
        """Return the counterfactual deficit (country,), USD in the numeraire.

        Parameters
        ----------
        deficit
            Baseline deficit (country,), USD.
        world_output_hat
            World gross output, counterfactual over baseline, scalar.
        wage_hat
            By country.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedWorldShare:
    """The deficit of each country stays the same share of world gross output: the default."""

    name: str = "fixed_world_share"

    def bind(self, countries: Sequence[str]) -> FixedWorldShare:
        """Return itself: no label to look up."""
        return self

    def transfer(self, deficit: Array, world_output_hat: Array, wage_hat: Array) -> Array:
        """Scale deficits with world gross output."""
        return deficit * world_output_hat


@dataclass(frozen=True, slots=True)
class ZeroDeficit:
    """Every country's trade is balanced in the counterfactual."""

    name: str = "zero"

    def bind(self, countries: Sequence[str]) -> ZeroDeficit:
        """Return itself: no label to look up."""
        return self

    def transfer(self, deficit: Array, world_output_hat: Array, wage_hat: Array) -> Array:
        """Return zeros."""
        return jnp.zeros_like(deficit)


@dataclass(frozen=True, slots=True)
class FixedNominal:
    """The deficit stays the same amount of the numeraire (world value added), or of the wage of ``country``."""

    country: str | None = None
    position: int | None = None
    name: str = "fixed_nominal"

    def bind(self, countries: Sequence[str]) -> FixedNominal:
        """Look the country up."""
        return (
            self if self.country is None else FixedNominal(self.country, index_of(countries, self.country, "country"))
        )

    def transfer(self, deficit: Array, world_output_hat: Array, wage_hat: Array) -> Array:
        """Return baseline deficits, in units of one wage if a country is named."""
        return deficit if self.position is None else deficit * wage_hat[self.position]


CLOSURES: dict[str, Closure] = {c.name: c for c in (FixedWorldShare(), ZeroDeficit(), FixedNominal())}
"""Closures by registered name."""

_REFUSED = {
    "own_value_added_share": (
        "it keeps each deficit a share of the country's own value added; after a shock these do not sum to zero over "
        "the world, so somebody's spending is paid by nobody. Use 'fixed_world_share', 'fixed_nominal' or 'zero'"
    ),
}
"""Closures that are met in the literature and not offered, with the reason."""


def closure_named(closure: Closure | str, countries: Sequence[str]) -> Closure:
    """Return the closure of a name, or the instance itself, with its labels looked up.

    Raises
    ------
    InputError
        If no closure has this name, or it is one that does not add up over the world.
    """
    if isinstance(closure, str):
        if closure in _REFUSED:
            raise InputError(f"closure '{closure}' is refused: {_REFUSED[closure]}")
        if closure not in CLOSURES:
            raise InputError(
                f"unknown closure '{closure}'{did_you_mean(closure, CLOSURES)} Known: {', '.join(CLOSURES)}"
            )
        closure = CLOSURES[closure]
    return closure.bind(countries)


@dataclass(frozen=True, slots=True)
class FixedLabour:
    """Labour supply does not move, labour moves freely between the sectors of a country."""

    name: str = "fixed_labour"
    elasticity: float = 0.0
    rebate: Literal["lump_sum", "income_tax_relief"] = "lump_sum"
    mobility: float = math.inf


@dataclass(frozen=True, slots=True)
class ElasticLabour:
    """Labour follows the after-tax real wage: L = (tax_factor w / P)^elasticity.

    ``rebate`` says what tariff revenue does: paid out lump sum, or used to cut the tax on labour income
    (tax_factor = 1 / (1 - revenue / wage bill)). ``mobility`` is that of `SectorLabour`; infinite by default.

    References
    ----------
    Ignatenko, Lashkaripour, Macedoni and Simonovska (2025), Journal of International Economics 157.
    """

    elasticity: float
    rebate: Literal["lump_sum", "income_tax_relief"] = "lump_sum"
    name: str = "elastic_labour"
    mobility: float = math.inf

    def __post_init__(self) -> None:
        """Check the options."""
        problems: list[str] = []
        if not self.elasticity >= 0:
            problems.append(f"labour supply elasticity {self.elasticity} is negative; give 0 or more")
        if self.rebate not in ("lump_sum", "income_tax_relief"):
            problems.append(f"unknown rebate '{self.rebate}'; expected 'lump_sum' or 'income_tax_relief'")
        raise_all(InputError, "the labour supply cannot be used", [*problems, *_mobility_problems(self.mobility)])


@dataclass(frozen=True, slots=True)
class SectorLabour:
    r"""Labour is tied to its sector, wholly or in part: the short run.

    Workers differ in what they can do in each sector (Frechet draws with shape ``mobility``), so that a sector that
    pays 1 % more gets 1 % times ``mobility`` - 1 more labour. 1 is specific factors: no one moves, and the wage of
    each sector answers alone; infinity is perfect mobility. With VA_is base-year value added and w_i the average wage::

        w_is^mobility w_i^(1 - mobility) L_i VA_is = gamma_is Y'_is

    References
    ----------
    Galle, Rodriguez-Clare and Yi (2023), Review of Economic Studies 90(1), eqs (4)-(9); Lagakos and Waugh (2013),
    American Economic Review 103(2).
    """

    mobility: float = 1.0
    name: str = "sector_labour"
    elasticity: float = 0.0
    rebate: Literal["lump_sum", "income_tax_relief"] = "lump_sum"

    def __post_init__(self) -> None:
        """Check the options."""
        problems = _mobility_problems(self.mobility)
        if self.elasticity != 0.0:
            problems.append(
                f"elasticity {self.elasticity}; for labour supply that moves use ElasticLabour(mobility=...)"
            )
        raise_all(InputError, "the labour supply cannot be used", problems)


def _mobility_problems(mobility: float) -> list[str]:
    """Say what is wrong with a mobility."""
    return [] if mobility >= 1.0 else [f"labour mobility {mobility}; give 1 (no one changes sector) or more"]


Labour = FixedLabour | ElasticLabour | SectorLabour


def labour_of(choice: ModelChoice) -> Labour | None:
    """Return how labour is supplied in a chosen model; None where it is fixed and moves freely."""
    if choice.labour_supply_elasticity > 0:
        return ElasticLabour(choice.labour_supply_elasticity, choice.rebate, mobility=choice.labour_mobility)
    return None if math.isinf(choice.labour_mobility) else SectorLabour(choice.labour_mobility)
