"""Levers: what a ministry can move, each one small frozen class that multiplies one term of a Shock.

A lever has a value between bounds. It says which cells it acts on, by what factor it multiplies their term at a value,
and the derivative of that factor; how factors of several levers on one cell combine, and the chain rule to any outcome,
is `counterpoise.policy.mixture`. So adding a lever is adding a class with three short methods.

Opening a line that is zero today adds a latent share instead of multiplying one, since exact hats keep a zero at zero.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import World
from counterpoise.core.errors import InputError
from counterpoise.core.labels import index_of
from counterpoise.policy.costs import FREE, MONEY, CostCurve

__all__ = [
    "TERMS",
    "ExportSupport",
    "FundMoney",
    "Lever",
    "ObstacleRemoval",
    "OilRestraint",
    "OpenedLine",
    "PurchaseProgramme",
    "Ramp",
    "TariffCut",
    "Term",
    "TradeLever",
    "lever_problems",
]

Floats = NDArray[np.float64]
Cells = tuple[NDArray[np.intp], ...]
Reach = tuple[tuple[str, float], ...]
"""Sectors, each with the share of its trade that a lever reaches."""

Term = Literal["duty_kept", "price_factor", "unsubsidised", "untaxed", "iceberg", "productivity", "latent"]
"""What a factor multiplies: the duty, one plus the duty, one minus the purchase subsidy, one plus the export tax (the
price at the border over what the producer gets), iceberg cost, productivity.

Factors on ``latent`` are amounts, USD of potential trade, and add up.
"""

TERMS: tuple[Term, ...] = ("duty_kept", "price_factor", "unsubsidised", "untaxed", "iceberg", "productivity", "latent")


@cache
def _covered(reach: Reach) -> Floats:
    """Return the shares of a reach, once for all values that are tried."""
    out = np.array([part for _, part in reach], dtype=np.float64)
    out.setflags(write=False)
    return out


@dataclass(frozen=True, slots=True)
class Ramp:
    """When a lever can be moved: not before ``start``, in full from ``full`` on, evenly in between."""

    start: date
    full: date

    def __post_init__(self) -> None:
        """Refuse a ramp that runs backwards."""
        if self.full < self.start:
            raise InputError(f"ramp from {self.start} to {self.full} runs backwards; expected full on or after start")

    def share(self, on: date) -> float:
        """Return the share of the lever's range that is available on a day, 0 to 1."""
        if on >= self.full:
            return 1.0
        return 0.0 if on <= self.start else (on - self.start).days / (self.full - self.start).days


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever(ABC):
    """What can be moved between bounds, at a cost.

    Parameters
    ----------
    id, title
        Name in results, and words for people.
    payer
        Country whose budget pays, and whose real income counts in the welfare objective.
    lower, upper
        Bounds of the value; ``upper`` must be given before a package is sought.
    start
        Value when nothing is done; costs are counted from there.
    curve
        Cost beside what the model counts.
    ramp
        When it is available; None: at once.
    source
        Where bounds and curve come from.
    """

    id: str
    title: str
    payer: str
    lower: float = 0.0
    upper: float = math.inf
    start: float = 0.0
    curve: CostCurve = FREE
    ramp: Ramp | None = None
    source: str = "own assumption"

    kind: ClassVar[str] = "lever"
    unit: ClassVar[str] = "1"

    @property
    def term(self) -> Term:
        """What its factor multiplies."""
        return "iceberg"

    @abstractmethod
    def cells(self, world: World) -> Cells:
        """Return where it acts: positions (origin, destination, sector), or (country, sector) for productivity."""

    @abstractmethod
    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Return by cell what the term is multiplied by at a value, and the derivative of that to the value."""

    def booked_rate(self, value: float) -> tuple[Floats, Floats] | None:
        """Return by cell what the payer spends per USD of flow outside the equilibrium, and its derivative; or None."""
        return None

    @property
    def places(self) -> tuple[str, ...]:
        """Countries it names."""
        return (self.payer,)

    @property
    def touched(self) -> tuple[str, ...]:
        """Sectors it names."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeLever(Lever):
    """A lever on what ``destination`` buys from ``origin``, in sectors that it reaches in whole or in part."""

    origin: str
    destination: str
    reach: Reach

    def cells(self, world: World) -> Cells:
        """Return positions (origin, destination, sector) of the sectors reached."""
        i, j = (index_of(world.countries, c, "country") for c in (self.origin, self.destination))
        sectors = np.array([index_of(world.sectors, name, "sector") for name, _ in self.reach], dtype=np.intp)
        return np.full_like(sectors, i), np.full_like(sectors, j), sectors

    @property
    def covered(self) -> Floats:
        """Share of each sector that is reached."""
        return _covered(self.reach)

    @property
    def places(self) -> tuple[str, ...]:
        """Countries it names."""
        return (self.payer, self.origin, self.destination)

    @property
    def touched(self) -> tuple[str, ...]:
        """Sectors it names."""
        return tuple(name for name, _ in self.reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffCut(TradeLever):
    """The share of the duty that the destination takes away, 0 to 1; the model counts the revenue."""

    kind: ClassVar[str] = "tariff cut"
    unit: ClassVar[str] = "share of the duty"

    @property
    def term(self) -> Term:
        """What its factor multiplies."""
        return "duty_kept"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Keep one minus the value of the duty on the share reached."""
        return 1.0 - self.covered * value, -self.covered


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseProgramme(TradeLever):
    """The share of the duty-paid price that the buyer's budget pays, below 1; the model counts the subsidy."""

    kind: ClassVar[str] = "purchase programme"
    unit: ClassVar[str] = "share of the price"

    @property
    def term(self) -> Term:
        """What its factor multiplies."""
        return "unsubsidised"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Leave one minus the value of the price to the buyer on the share reached."""
        return 1.0 - self.covered * value, -self.covered


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstacleRemoval(TradeLever):
    """The share of an obstacle that is taken away, 0 to 1; its cost is the curve alone.

    ``ave`` is the obstacle's ad valorem equivalent as it stands, 0.045 for 4.5 %.
    """

    ave: float
    kind: ClassVar[str] = "obstacle removed"
    unit: ClassVar[str] = "share of the obstacle"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Lower the iceberg cost from 1 + ave towards 1 on the share reached."""
        slope = -self.covered * self.ave / (1.0 + self.ave)
        return 1.0 + slope * value, slope


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSupport(TradeLever):
    """The share of the producer's price that the origin's budget pays for its sales to the destination, below 1.

    An export subsidy, which is a negative export tax: the model takes it from the origin's income, and the
    destination's duty falls on the price that is left.
    """

    kind: ClassVar[str] = "export support"
    unit: ClassVar[str] = "share of the price"

    @property
    def term(self) -> Term:
        """What its factor multiplies."""
        return "untaxed"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Leave one minus the value of the producer's price to the border on the share reached."""
        return 1.0 - self.covered * value, -self.covered


@dataclass(frozen=True, slots=True, kw_only=True)
class OilRestraint(TradeLever):
    """Buying less of the other side's oil: an ad valorem equivalent that makes it dearer to the destination.

    With ``rent="lost"`` the buyers turn to dearer oil, and what that takes, value / (1 + value) per USD of flow, is
    booked as their cost. With ``rent="kept"`` it is a duty, whose revenue the model counts for the destination.
    """

    rent: Literal["lost", "kept"] = "lost"
    kind: ClassVar[str] = "oil restraint"
    unit: ClassVar[str] = "ad valorem equivalent"

    @property
    def term(self) -> Term:
        """What its factor multiplies."""
        return "iceberg" if self.rent == "lost" else "price_factor"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Raise the cost to the buyer by the value on the share reached."""
        return 1.0 + self.covered * value, self.covered

    def booked_rate(self, value: float) -> tuple[Floats, Floats] | None:
        """Book the dearer oil where nobody earns the difference."""
        if self.rent == "kept":
            return None
        dearer = 1.0 + self.covered * value
        return self.covered * value / dearer, self.covered / dearer**2


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLine(TradeLever):
    """Lines without trade today, opened to a share of their potential, 0 to 1; its cost is the curve alone.

    ``potential_usd`` is by sector of ``reach`` what would be traded at base-year prices, USD a year at customs value:
    an export potential. A buyer then spends potential over spending on it, as long as costs stay as they are there.
    """

    potential_usd: tuple[float, ...]
    kind: ClassVar[str] = "line opened"
    unit: ClassVar[str] = "share of the potential"

    @property
    def term(self) -> Term:
        """What its factor adds to."""
        return "latent"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Open the value of the potential on the share reached."""
        potential = self.covered * np.array(self.potential_usd)
        return potential * value, potential


@dataclass(frozen=True, slots=True, kw_only=True)
class FundMoney(Lever):
    """Money of a fund, USD a year, that raises the productivity of sectors of one country with falling returns.

    Productivity is multiplied by 1 + ``gain`` (1 - exp(-money / ``scale_usd``)): ``gain`` is never reached,
    ``scale_usd`` brings 63 % of it. The money itself is the cost.
    """

    country: str
    sectors: tuple[str, ...]
    gain: float
    scale_usd: float
    curve: CostCurve = MONEY
    kind: ClassVar[str] = "fund"
    unit: ClassVar[str] = "USD a year"

    @property
    def term(self) -> Term:
        """What its factor multiplies."""
        return "productivity"

    def cells(self, world: World) -> Cells:
        """Return positions (country, sector)."""
        sectors = np.array([index_of(world.sectors, name, "sector") for name in self.sectors], dtype=np.intp)
        return np.full_like(sectors, index_of(world.countries, self.country, "country")), sectors

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Raise productivity, less and less."""
        left = math.exp(-value / self.scale_usd)
        same = np.ones(len(self.sectors))
        return same * (1.0 + self.gain * (1.0 - left)), same * (self.gain * left / self.scale_usd)

    @property
    def places(self) -> tuple[str, ...]:
        """Countries it names."""
        return (self.payer, self.country)

    @property
    def touched(self) -> tuple[str, ...]:
        """Sectors it names."""
        return self.sectors


def lever_problems(world: World, levers: Sequence[Lever]) -> Iterator[str]:
    """List what is wrong with levers before a package can be sought: names, bounds, starts, labels."""
    if not levers:
        yield "levers is empty; give at least one"
    names = [lever.id for lever in levers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"lever '{name}' is given {names.count(name)} times; ids must differ"
    for lever in levers:
        if not (math.isfinite(lever.lower) and math.isfinite(lever.upper)):
            yield (
                f"lever '{lever.id}' has no bounds ({lever.lower:g} to {lever.upper:g}); give lower= and upper= as "
                "finite numbers, since without them a package can grow without limit"
            )
        elif lever.lower > lever.upper:
            yield f"lever '{lever.id}' runs from {lever.lower:g} to {lever.upper:g}; expected lower <= upper"
        elif not lever.lower <= lever.start <= lever.upper:
            yield (
                f"lever '{lever.id}' starts at {lever.start:g}, outside its bounds {lever.lower:g} to {lever.upper:g}"
            )
        else:
            for value in (lever.lower, lever.upper):
                factor = lever.factor(value)[0]
                floor = 0.0 if lever.term in ("duty_kept", "latent") else 1e-6
                if not np.all(np.isfinite(factor) & (factor >= floor)):
                    yield (
                        f"lever '{lever.id}' at {value:g} multiplies its term by {float(np.min(factor)):g}; expected "
                        "more than 0: a subsidy or support stays below 1, a tariff cut at most 1"
                    )
        for kind, named, known in (
            ("country", lever.places, world.countries),
            ("sector", lever.touched, world.sectors),
        ):
            for label in dict.fromkeys(named):
                if label not in known:
                    yield f"lever '{lever.id}': unknown {kind} '{label}'; known: {', '.join(known)}"
