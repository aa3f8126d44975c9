"""The Shock: everything that changes between baseline and counterfactual, as labelled terms of one equilibrium."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, LabelError, raise_all
from counterpoise.core.labels import array_problems, dim_labels, index_of, labelled
from counterpoise.core.variables import variable

if TYPE_CHECKING:
    from counterpoise.core.world import World

__all__ = ["Shock"]

Pick = str | Iterable[str] | None
"""One label, several, or None for all."""

_NEUTRAL: dict[str, float | bool] = {
    "purchase_subsidy_rate": 0.0,
    "export_tax_rate": 0.0,
    "iceberg_cost_hat": 1.0,
    "non_tariff_cost_hat": 1.0,
    "productivity_hat": 1.0,
    "labour_supply_hat": 1.0,
    "demand_hat": 1.0,
    "embargo": False,
    "potential_flow": 0.0,
    "quota_limit": float("inf"),
    "quota_exporter_share": 0.0,
}
"""Terms that stand for no change at one value; the tariff is a level and has none."""

_TERMS = ("tariff_rate_cf", *_NEUTRAL)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Shock:
    """What changes, for the labels of one World. Start from ``Shock.none(world)`` or ``Shock(world, ...)``.

    Trade terms are (N, N, S) on (origin, destination, sector): ``tariff_rate_cf`` the counterfactual *level* of the
    tariff; ``purchase_subsidy_rate`` the share of the price at the border, duty and quota rent included, that the
    destination's budget pays; ``export_tax_rate`` what the origin takes on top of the producer's price (negative: an
    export subsidy); ``iceberg_cost_hat`` and ``non_tariff_cost_hat`` ratios of trade costs that nobody receives;
    ``embargo`` forbids trade; ``potential_flow`` opens a line that is zero in the base year, USD at customs value that
    it would sell at base-year prices; ``quota_limit`` the most that may be sold, USD at base-year producer prices,
    infinite where there is no quota; ``quota_exporter_share`` the part of its rents that stays with the origin.
    ``productivity_hat`` and ``demand_hat`` (N, S), and ``labour_supply_hat`` (N,), are ratios. Every ``with_*`` returns
    a new Shock.
    """

    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    tariff_rate_cf: xr.DataArray
    purchase_subsidy_rate: xr.DataArray
    export_tax_rate: xr.DataArray
    iceberg_cost_hat: xr.DataArray
    non_tariff_cost_hat: xr.DataArray
    productivity_hat: xr.DataArray
    labour_supply_hat: xr.DataArray
    demand_hat: xr.DataArray
    embargo: xr.DataArray
    potential_flow: xr.DataArray
    quota_limit: xr.DataArray
    quota_exporter_share: xr.DataArray
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        world: World,
        *,
        tariff_rate_cf: ArrayLike | xr.DataArray | None = None,
        purchase_subsidy_rate: ArrayLike | xr.DataArray | None = None,
        export_tax_rate: ArrayLike | xr.DataArray | None = None,
        iceberg_cost_hat: ArrayLike | xr.DataArray | None = None,
        non_tariff_cost_hat: ArrayLike | xr.DataArray | None = None,
        productivity_hat: ArrayLike | xr.DataArray | None = None,
        labour_supply_hat: ArrayLike | xr.DataArray | None = None,
        demand_hat: ArrayLike | xr.DataArray | None = None,
        embargo: ArrayLike | xr.DataArray | None = None,
        potential_flow: ArrayLike | xr.DataArray | None = None,
        quota_limit: ArrayLike | xr.DataArray | None = None,
        quota_exporter_share: ArrayLike | xr.DataArray | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Make a shock for the labels of ``world``; what is not given does not change.

        Parameters
        ----------
        world
            Supplies labels and the baseline tariff.
        tariff_rate_cf, purchase_subsidy_rate, export_tax_rate, iceberg_cost_hat, non_tariff_cost_hat
            See the class; bare arrays in the documented order, or labelled ones with exactly the world's labels.
        productivity_hat, labour_supply_hat, demand_hat, embargo, potential_flow, quota_limit, quota_exporter_share
            Likewise.
        notes
            Words that say what the shock is, one per measure.

        Raises
        ------
        LabelError
            If a labelled array carries other labels.
        InputError
            If shapes or values cannot be used; every problem is listed.
        """
        labels = dim_labels(world.countries, world.sectors)
        named: dict[str, ArrayLike | xr.DataArray | None] = {
            "tariff_rate_cf": world.tariff_rate.to_numpy() if tariff_rate_cf is None else tariff_rate_cf,
            "purchase_subsidy_rate": purchase_subsidy_rate,
            "export_tax_rate": export_tax_rate,
            "iceberg_cost_hat": iceberg_cost_hat,
            "non_tariff_cost_hat": non_tariff_cost_hat,
            "productivity_hat": productivity_hat,
            "labour_supply_hat": labour_supply_hat,
            "demand_hat": demand_hat,
            "embargo": embargo,
            "potential_flow": potential_flow,
            "quota_limit": quota_limit,
            "quota_exporter_share": quota_exporter_share,
        }
        given = {name: values for name, values in named.items() if values is not None}
        problems = [p for name, values in given.items() for p in array_problems(name, values, labels)]
        kind = LabelError if any("label" in p for p in problems) else InputError
        raise_all(kind, "the shock cannot be used", problems)
        object.__setattr__(self, "countries", world.countries)
        object.__setattr__(self, "sectors", world.sectors)
        object.__setattr__(self, "notes", tuple(notes))
        for name in _TERMS:
            term = (
                labelled(name, given[name], labels) if name in given else _neutral(name, self.countries, self.sectors)
            )
            object.__setattr__(self, name, term)

    @classmethod
    def none(cls, world: World) -> Self:
        """Return the shock that changes nothing."""
        return cls(world)

    def with_tariff(
        self,
        rate: float,
        *,
        origin: Pick = None,
        destination: Pick = None,
        sector: Pick = None,
        add: bool = False,
        note: str | None = None,
    ) -> Self:
        """Set the tariff that ``destination`` puts on ``origin`` (or add to it), foreign trade only.

        Parameters
        ----------
        rate
            0.25 is 25 %.
        origin, destination, sector
            One label, several, or None for all.
        add
            Add to the tariff as it stands instead of replacing it.
        note
            Words for the record.

        Raises
        ------
        LabelError
            If a label is unknown.
        InputError
            If the resulting rate is -1 or below.
        """
        cells = self._cells(origin, destination, sector)
        rates = self.tariff_rate_cf.to_numpy().copy()
        rates[cells] = rates[cells] + rate if add else rate
        return self._replaced("tariff_rate_cf", rates, note)

    def with_purchase_subsidy(
        self, rate: float, *, origin: Pick, destination: Pick, sector: Pick = None, note: str | None = None
    ) -> Self:
        """Let the budget of ``destination`` pay a share of the duty-paid price of purchases from ``origin``."""
        rates = self.purchase_subsidy_rate.to_numpy().copy()
        rates[self._cells(origin, destination, sector)] = rate
        return self._replaced("purchase_subsidy_rate", rates, note)

    def with_iceberg_cost(
        self,
        factor: float,
        *,
        origin: Pick = None,
        destination: Pick = None,
        sector: Pick = None,
        note: str | None = None,
    ) -> Self:
        """Multiply the iceberg cost by ``factor``: 1.1 makes trade 10 % dearer, 1/1.1 removes such an obstacle."""
        factors = self.iceberg_cost_hat.to_numpy().copy()
        factors[self._cells(origin, destination, sector)] *= factor
        return self._replaced("iceberg_cost_hat", factors, note)

    def with_productivity(self, factor: float, *, country: Pick, sector: Pick = None, note: str | None = None) -> Self:
        """Multiply productivity by ``factor``."""
        factors = self.productivity_hat.to_numpy().copy()
        factors[np.ix_(self._pick(country, "country"), self._pick(sector, "sector"))] *= factor
        return self._replaced("productivity_hat", factors, note)

    def with_export_tax(
        self, rate: float, *, origin: Pick, destination: Pick = None, sector: Pick = None, note: str | None = None
    ) -> Self:
        """Let ``origin`` tax what it sells to ``destination``: 0.1 is 10 % on the producer's price, -0.1 a subsidy.

        Customs value, on which the destination's duty is charged, includes the tax.
        """
        rates = self.export_tax_rate.to_numpy().copy()
        rates[self._cells(origin, destination, sector)] = rate
        return self._replaced("export_tax_rate", rates, note)

    def with_non_tariff_cost(
        self,
        factor: float,
        *,
        origin: Pick = None,
        destination: Pick = None,
        sector: Pick = None,
        note: str | None = None,
    ) -> Self:
        """Multiply the cost of rules, checks and papers by ``factor``: 1.1 adds an ad valorem equivalent of 10 %."""
        factors = self.non_tariff_cost_hat.to_numpy().copy()
        factors[self._cells(origin, destination, sector)] *= factor
        return self._replaced("non_tariff_cost_hat", factors, note)

    def with_labour_supply(self, factor: float, *, country: Pick, note: str | None = None) -> Self:
        """Multiply the labour of ``country`` by ``factor``, whatever it earns."""
        factors = self.labour_supply_hat.to_numpy().copy()
        factors[self._pick(country, "country")] *= factor
        return self._replaced("labour_supply_hat", factors, note)

    def with_demand(self, factor: float, *, country: Pick, sector: Pick, note: str | None = None) -> Self:
        """Multiply the weight of ``sector`` in the tastes of ``country``; shares then add up to 1 again."""
        factors = self.demand_hat.to_numpy().copy()
        factors[np.ix_(self._pick(country, "country"), self._pick(sector, "sector"))] *= factor
        return self._replaced("demand_hat", factors, note)

    def with_opening(
        self,
        potential_usd: float,
        *,
        origin: str,
        destination: str,
        sector: str,
        cost_factor: float = 1.0,
        note: str | None = None,
    ) -> Self:
        """Open a line that is zero in the base year, where no ratio can ever move it.

        Parameters
        ----------
        potential_usd
            What the line would sell at base-year prices and incomes, USD a year at customs value, as from an export
            potential.
        origin, destination, sector
            The line.
        cost_factor
            Trade cost over the one at which the potential is reached; 1 is that one.
        note
            Words for the record.
        """
        cells = self._cells(origin, destination, sector)
        potential = self.potential_flow.to_numpy().copy()
        potential[cells] = potential_usd
        opened = self._replaced("potential_flow", potential, note)
        if cost_factor == 1.0:
            return opened
        factors = self.iceberg_cost_hat.to_numpy().copy()
        factors[cells] *= cost_factor
        return opened._replaced("iceberg_cost_hat", factors, None)

    def with_quota(
        self,
        limit_usd: float,
        *,
        origin: Pick,
        destination: Pick,
        sector: Pick = None,
        exporter_share: float = 0.0,
        note: str | None = None,
    ) -> Self:
        """Limit what each line meant may sell: where that binds, its price rises until it is met.

        Parameters
        ----------
        limit_usd
            Volume, USD a year at base-year producer prices, for each line; 0 is an embargo.
        origin, destination, sector
            One label, several, or None for all.
        exporter_share
            Part of the rent that holders in ``origin`` earn, 0 to 1; the rest is earned in ``destination``.
        note
            Words for the record.
        """
        cells = self._cells(origin, destination, sector)
        limits, parts = self.quota_limit.to_numpy().copy(), self.quota_exporter_share.to_numpy().copy()
        limits[cells], parts[cells] = limit_usd, exporter_share
        return self._replaced("quota_limit", limits, note)._replaced("quota_exporter_share", parts, None)

    def with_embargo(self, *, origin: Pick, destination: Pick, sector: Pick = None, note: str | None = None) -> Self:
        """Forbid trade from ``origin`` to ``destination``: the flow becomes exactly zero."""
        forbidden = self.embargo.to_numpy().copy()
        forbidden[self._cells(origin, destination, sector)] = True
        return self._replaced("embargo", forbidden, note)

    def with_array(self, name: str, values: ArrayLike | xr.DataArray, note: str | None = None) -> Self:
        """Replace one term by an array; same checks as at construction."""
        if name not in _TERMS:
            raise InputError(f"a shock has no term '{name}'; its terms are {', '.join(_TERMS)}")
        return self._replaced(name, values, note)

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the terms that are set anywhere, the tariff apart (its level cannot tell without a World)."""
        return tuple(name for name, value in _NEUTRAL.items() if _differs(getattr(self, name).to_numpy(), value))

    @property
    def is_none(self) -> bool:
        """True when no term but the tariff is set (the tariff level cannot tell without its World)."""
        return not self.moved

    def opening_problems(self, world: World) -> tuple[str, ...]:
        """List the lines with a potential that cannot be opened in a world, each with the reason."""
        potential = self.potential_flow.to_numpy()
        if not potential.any():
            return ()
        flow = world.flow.to_numpy()
        out: list[str] = []
        for i, j, s in np.argwhere(potential > 0).tolist():
            where = f"{self.countries[i]} -> {self.countries[j]}, {self.sectors[s]}"
            if flow[i, j, s] > 0:
                out.append(f"{where} trades already ({flow[i, j, s]:.6g} USD); lower its cost with with_iceberg_cost")
            elif flow[i, :, s].sum() <= 0:
                out.append(f"{where}: {self.countries[i]} makes none of it in the base year; there is no cost to scale")
            elif flow[:, j, s].sum() <= 0:
                out.append(f"{where}: {self.countries[j]} buys none of it in the base year; there is no budget for it")
        return tuple(out)

    def require_labels(self, world: World) -> None:
        """Raise LabelError unless the shock was made for exactly the labels of ``world``."""
        problems: list[str] = []
        for kind, mine, theirs in (
            ("countries", self.countries, world.countries),
            ("sectors", self.sectors, world.sectors),
        ):
            if mine != theirs:
                problems.append(
                    f"{kind} of the shock {list(mine)} are not those of the world {list(theirs)}; "
                    "build the shock from this world"
                )
        raise_all(LabelError, "shock and world do not match", problems)

    def __repr__(self) -> str:
        """Say which terms are set and where."""
        lines = [f"Shock for {len(self.countries)} countries x {len(self.sectors)} sectors"]
        lines += [f"  {note}" for note in self.notes]
        for name in self.moved:
            values, neutral = getattr(self, name).to_numpy(), _NEUTRAL[name]
            touched = values[values != neutral]
            size = f", {touched.min():.4g} to {touched.max():.4g}" if name != "embargo" else ""
            lines.append(f"  {name}: {touched.size} cells{size}")
        return "\n".join(lines)

    def _replaced(self, name: str, values: ArrayLike | xr.DataArray, note: str | None) -> Self:
        labels = dim_labels(self.countries, self.sectors)
        problems = array_problems(name, values, labels)
        raise_all(
            LabelError if any("label" in p for p in problems) else InputError, "the shock cannot be used", problems
        )
        copy = object.__new__(type(self))
        for f in dataclasses.fields(self):
            object.__setattr__(copy, f.name, getattr(self, f.name))
        object.__setattr__(copy, name, labelled(name, values, labels))
        object.__setattr__(copy, "notes", (*self.notes, note) if note else self.notes)
        return copy

    def _pick(self, wanted: Pick, kind: str) -> NDArray[np.intp]:
        """Return positions of the wanted labels of a kind (country, origin, destination, sector)."""
        labels = self.sectors if kind == "sector" else self.countries
        if wanted is None:
            return np.arange(len(labels))
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        return np.array([index_of(labels, name, kind) for name in names], dtype=np.intp)

    def _cells(self, origin: Pick, destination: Pick, sector: Pick) -> NDArray[np.bool_]:
        """Return the mask (N, N, S) of the cells meant; the diagonal only where a country is named on both sides."""
        n, s = len(self.countries), len(self.sectors)
        mask = np.zeros((n, n, s), dtype=bool)
        mask[
            np.ix_(self._pick(origin, "origin"), self._pick(destination, "destination"), self._pick(sector, "sector"))
        ] = True
        if not (origin is not None and origin == destination):
            mask[np.arange(n), np.arange(n), :] = False
        return mask


@lru_cache(maxsize=256)
def _neutral(name: str, countries: tuple[str, ...], sectors: tuple[str, ...]) -> xr.DataArray:
    """Return the array of a term that changes nothing; it holds one number, however many cells it shows."""
    row = variable(name)
    labels = dim_labels(countries, sectors)
    values = np.broadcast_to(np.asarray(_NEUTRAL[name]), tuple(len(labels[dim]) for dim in row.dims))
    coords = {dim: list(labels[dim]) for dim in row.dims}
    return xr.DataArray(values, dims=row.dims, coords=coords, name=name, attrs={"unit": row.unit})


def _differs(array: NDArray[np.generic], value: float | bool) -> bool:
    """Say whether an array holds anything else anywhere; one number shown in many cells is looked at once."""
    if not any(array.strides):
        return bool(array.item((0,) * array.ndim) != value)
    return bool(np.any(array != value))
