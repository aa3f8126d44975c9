"""Levers: what a ministry can move, each one small frozen class that multiplies one term of a Shock.

A lever has a value between bounds. It says which cells it acts on, by what factor it multiplies their term at a value,
and the derivative of that factor; how factors of several levers on one cell combine, and the chain rule to any outcome,
is `Mixture`. So adding a lever is adding a class with three short methods.

Opening a line that is zero today adds a latent share instead of multiplying one, since exact hats keep a zero at zero.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, raise_all
from counterpoise.core.labels import index_of
from counterpoise.model import latent_share
from counterpoise.policy.costs import FREE, MONEY, CostCurve

__all__ = [
    "ExportSupport",
    "FundMoney",
    "Lever",
    "Mixture",
    "ObstacleRemoval",
    "OilRestraint",
    "OpenedLine",
    "PurchaseProgramme",
    "Ramp",
    "TariffCut",
    "TermArrays",
    "lever_problems",
    "shock_with",
]

Floats = NDArray[np.float64]
Cells = tuple[NDArray[np.intp], ...]
Reach = tuple[tuple[str, float], ...]
"""Sectors, each with the share of its trade that a lever reaches."""

Term = Literal["duty_kept", "price_factor", "unsubsidised", "iceberg", "productivity", "latent"]
"""What a factor multiplies: the duty, one plus the duty, one minus the purchase subsidy, iceberg cost, productivity.

Factors on ``latent`` are amounts, USD of potential trade, and add up.
"""

_TINY = 1e-300

TERMS: tuple[Term, ...] = ("duty_kept", "price_factor", "unsubsidised", "iceberg", "productivity", "latent")


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
class _TradeLever(Lever):
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
        return np.array([part for _, part in self.reach], dtype=np.float64)

    @property
    def places(self) -> tuple[str, ...]:
        """Countries it names."""
        return (self.payer, self.origin, self.destination)

    @property
    def touched(self) -> tuple[str, ...]:
        """Sectors it names."""
        return tuple(name for name, _ in self.reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffCut(_TradeLever):
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
class PurchaseProgramme(_TradeLever):
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
class ObstacleRemoval(_TradeLever):
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
class ExportSupport(_TradeLever):
    """The share of the price that the origin's budget pays for its sales to the destination, below 1.

    The model has no export subsidy: it sees a fall of the trade cost by that share. What the origin pays, value / (1 -
    value) per USD of flow, is booked in the cost and not taken from the origin's income.
    """

    kind: ClassVar[str] = "export support"
    unit: ClassVar[str] = "share of the price"

    def factor(self, value: float) -> tuple[Floats, Floats]:
        """Lower the cost to the buyer by the value on the share reached."""
        return 1.0 - self.covered * value, -self.covered

    def booked_rate(self, value: float) -> tuple[Floats, Floats]:
        """Book the part of the full price that the buyer does not pay."""
        left = 1.0 - self.covered * value
        return self.covered * value / left, self.covered / left**2


@dataclass(frozen=True, slots=True, kw_only=True)
class OilRestraint(_TradeLever):
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
class OpenedLine(_TradeLever):
    """Lines without trade today, opened to a share of their potential, 0 to 1; its cost is the curve alone.

    ``potential_usd`` is by sector of ``reach`` what would be traded at base-year prices, USD a year at customs value: an
    export potential. A buyer then spends potential over spending on it, as long as costs stay as they are there.
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


class TermArrays(NamedTuple):
    """The terms of a shock; trade arrays are (S, N origin, N destination), productivity (N, S).

    ``latent_share`` is the expenditure share of lines that are opened at base-year prices; ``booked_rate`` is what payers spend per USD of flow outside the equilibrium.
    """

    tariff_rate: Floats
    purchase_subsidy_rate: Floats
    iceberg_cost_hat: Floats
    productivity_hat: Floats
    latent_share: Floats
    booked_rate: Floats


@dataclass(frozen=True, slots=True)
class _Part:
    """One lever in the mixture: its column, its cells as flat positions of its term's array, and among those touched."""

    column: int
    lever: Lever
    flat: NDArray[np.intp]
    at: NDArray[np.intp]


class Mixture:
    """The terms of a shock as functions of the values of levers, laid over a background shock.

    Parameters
    ----------
    world, levers, background
        Levers multiply what the background sets.
    """

    def __init__(self, world: World, levers: Sequence[Lever], background: Shock) -> None:
        raise_all(InputError, "the levers cannot be used", lever_problems(world, levers))
        n, s = len(world.countries), len(world.sectors)
        self.levers = tuple(levers)
        self.background = background
        self._shapes: dict[str, tuple[int, ...]] = {term: (s, n, n) for term in TERMS} | {"productivity": (n, s)}
        places: dict[Term, list[tuple[int, Lever, NDArray[np.intp]]]] = {term: [] for term in TERMS}
        for column, lever in enumerate(levers):
            cells = lever.cells(world)
            ordered = cells if len(cells) == 2 else (cells[2], cells[0], cells[1])
            flat = np.asarray(np.ravel_multi_index(ordered, self._shapes[lever.term]), dtype=np.intp)
            places[lever.term].append((column, lever, flat))
        self._touched = {term: _union([flat for _, _, flat in mine]) for term, mine in places.items()}
        self._parts: dict[Term, list[_Part]] = {
            term: [_Part(k, lever, flat, np.searchsorted(self._touched[term], flat)) for k, lever, flat in mine]
            for term, mine in places.items()
        }
        traded = [*self._touched["duty_kept"].tolist(), *self._touched["price_factor"].tolist()]
        self._priced = _union([np.array(traded, dtype=np.intp)])
        self._base = TermArrays(
            tariff_rate=_by_sector(background.tariff_rate_cf.to_numpy()),
            purchase_subsidy_rate=_by_sector(background.purchase_subsidy_rate.to_numpy()),
            iceberg_cost_hat=_by_sector(background.iceberg_cost_hat.to_numpy()),
            productivity_hat=background.productivity_hat.to_numpy().copy(),
            latent_share=_by_sector(latent_share(world, background)),
            booked_rate=np.zeros((s, n, n)),
        )
        paid = world.flow.to_numpy() * (1.0 + world.tariff_rate.to_numpy())
        spent = np.maximum(paid.sum(axis=0, keepdims=True), _TINY)
        self._share_of_usd = _by_sector((1.0 + world.tariff_rate.to_numpy()) / spent)

    @property
    def opens_lines(self) -> bool:
        """True where some lever opens a line."""
        return bool(self._parts["latent"])

    def terms(self, values: Floats) -> TermArrays:
        """Return the terms at values of the levers, (L,)."""
        base = self._base
        booked = np.zeros_like(base.booked_rate)
        for part in (p for parts in self._parts.values() for p in parts):
            rate = part.lever.booked_rate(float(values[part.column]))
            if rate is not None:
                np.add.at(booked.reshape(-1), part.flat, rate[0])
        out = TermArrays(*(array.copy() for array in base[:5]), booked)
        kept, price = self._over_priced("duty_kept", values), self._over_priced("price_factor", values)
        rate_before = base.tariff_rate.reshape(-1)[self._priced]
        out.tariff_rate.reshape(-1)[self._priced] = (1.0 + rate_before * kept) * price - 1.0
        left, at = self._product("unsubsidised", values), self._touched["unsubsidised"]
        subsidy = out.purchase_subsidy_rate.reshape(-1)
        subsidy[at] = 1.0 - (1.0 - subsidy[at]) * left
        out.iceberg_cost_hat.reshape(-1)[self._touched["iceberg"]] *= self._product("iceberg", values)
        out.productivity_hat.reshape(-1)[self._touched["productivity"]] *= self._product("productivity", values)
        for part in self._parts["latent"]:
            amount = part.lever.factor(float(values[part.column]))[0]
            np.add.at(out.latent_share.reshape(-1), part.flat, amount * self._share_of_usd.reshape(-1)[part.flat])
        return out

    def chain(self, values: Floats, slopes: TermArrays) -> Floats:
        """Return derivatives to the levers (m, L) from derivatives to the terms, each with a leading axis m."""
        rows = len(slopes.tariff_rate)
        base, at = self._base, self._touched
        kept, price = self._over_priced("duty_kept", values), self._over_priced("price_factor", values)
        where: dict[Term, NDArray[np.intp]] = {
            term: np.searchsorted(self._priced, at[term]) for term in ("duty_kept", "price_factor")
        }

        def taken(array: Floats, cells: NDArray[np.intp]) -> Floats:
            return array.reshape(rows, -1)[:, cells]

        def before(array: Floats, cells: NDArray[np.intp]) -> Floats:
            return array.reshape(-1)[cells]

        duty = at["duty_kept"]
        to_factor: dict[Term, Floats] = {
            "duty_kept": taken(slopes.tariff_rate, duty) * before(base.tariff_rate, duty) * price[where["duty_kept"]],
            "price_factor": taken(slopes.tariff_rate, at["price_factor"])
            * (1.0 + before(base.tariff_rate, at["price_factor"]) * kept[where["price_factor"]]),
            "unsubsidised": -taken(slopes.purchase_subsidy_rate, at["unsubsidised"])
            * (1.0 - before(base.purchase_subsidy_rate, at["unsubsidised"])),
            "iceberg": taken(slopes.iceberg_cost_hat, at["iceberg"]) * before(base.iceberg_cost_hat, at["iceberg"]),
            "productivity": taken(slopes.productivity_hat, at["productivity"])
            * before(base.productivity_hat, at["productivity"]),
            "latent": taken(slopes.latent_share, at["latent"]) * before(self._share_of_usd, at["latent"]),
        }
        out = np.zeros((rows, len(self.levers)))
        booked = slopes.booked_rate.reshape(rows, -1)
        for term, parts in self._parts.items():
            total = self._product(term, values)
            for part in parts:
                value = float(values[part.column])
                own, slope = part.lever.factor(value)
                if term == "latent":
                    others = np.ones(len(part.at))
                elif np.all(own != 0):
                    others = total[part.at] / own
                else:
                    others = self._product(term, values, without=part.column)[part.at]
                out[:, part.column] = to_factor[term][:, part.at] @ (slope * others)
                rate = part.lever.booked_rate(value)
                if rate is not None:
                    out[:, part.column] += booked[:, part.flat] @ rate[1]
        return out

    def shock(self, values: Floats) -> Shock:
        """Return the background with the levers at values, as a Shock; what is booked outside is not in it."""
        terms = self.terms(values)
        return (
            self.background.with_array("tariff_rate_cf", np.moveaxis(terms.tariff_rate, 0, 2))
            .with_array("purchase_subsidy_rate", np.moveaxis(terms.purchase_subsidy_rate, 0, 2))
            .with_array("iceberg_cost_hat", np.moveaxis(terms.iceberg_cost_hat, 0, 2))
            .with_array("productivity_hat", terms.productivity_hat)
            .with_array("potential_flow", np.moveaxis(terms.latent_share / self._share_of_usd, 0, 2))
        )

    def outlay(self, values: Floats, flow: Floats) -> Floats:
        """Return what each lever itself takes from its payer at given flows (S, N, N), USD a year (L,).

        Duty forgone and subsidy paid on the flows as they are with the package, support booked, and the curve; levers
        on one cell share what is paid there in proportion to one minus their factors.
        """
        base, terms = self._base, self.terms(values)
        paid = (flow * (1.0 + terms.tariff_rate) * (terms.purchase_subsidy_rate - base.purchase_subsidy_rate)).reshape(
            -1
        )
        forgone = (flow * (base.tariff_rate - terms.tariff_rate)).reshape(-1)
        out = np.zeros(len(self.levers))
        duty, subsidy = self._parts["duty_kept"] + self._parts["price_factor"], self._parts["unsubsidised"]
        for parts, money in ((duty, forgone), (subsidy, paid)):
            pieces = [1.0 - p.lever.factor(float(values[p.column]))[0] for p in parts]
            total = np.zeros_like(money)
            for part, piece in zip(parts, pieces, strict=True):
                np.add.at(total, part.flat, piece)
            for part, piece in zip(parts, pieces, strict=True):
                whole = total[part.flat]
                portion = np.divide(piece, whole, out=np.zeros_like(piece), where=whole != 0)
                out[part.column] = float(money[part.flat] @ portion)
        traded = flow.reshape(-1)
        for part in (p for parts in self._parts.values() for p in parts):
            value, lever = float(values[part.column]), part.lever
            rate = lever.booked_rate(value)
            if rate is not None:
                out[part.column] += float(traded[part.flat] @ rate[0])
            out[part.column] += lever.curve.at(value) - lever.curve.at(lever.start)
        return out

    def _product(self, term: Term, values: Floats, without: int | None = None) -> Floats:
        """Multiply the factors of all levers on a term (but one), by touched cell."""
        total = np.ones(len(self._touched[term]))
        for part in self._parts[term]:
            if part.column != without:
                np.multiply.at(total, part.at, part.lever.factor(float(values[part.column]))[0])
        return total

    def _over_priced(self, term: Term, values: Floats) -> Floats:
        """Return the factors of a term over all cells where some lever moves the duty-paid price; 1 elsewhere."""
        out = np.ones(len(self._priced))
        out[np.searchsorted(self._priced, self._touched[term])] = self._product(term, values)
        return out


def shock_with(
    world: World, levers: Sequence[Lever], values: Sequence[float] | Floats, background: Shock | None = None
) -> Shock:
    """Return the Shock of levers at given values, on top of a background shock.

    Raises
    ------
    InputError
        If levers cannot be used, or there are not as many values.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (len(levers),):
        raise InputError(f"{given.size} values for {len(levers)} levers; give one each")
    return Mixture(world, levers, background or Shock.none(world)).shock(given)


def _union(positions: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Return all positions once, in order."""
    return np.unique(np.concatenate([np.empty(0, dtype=np.intp), *positions]))


def _by_sector(array: Floats) -> Floats:
    """Move the sector axis first, contiguous."""
    return np.ascontiguousarray(np.moveaxis(array, 2, 0))
