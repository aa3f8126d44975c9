"""The Shock: everything that changes between baseline and counterfactual, as labelled terms of one equilibrium."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, LabelError, raise_all
from counterpoise.core.labels import array_problems, dim_labels, index_of, labelled

if TYPE_CHECKING:
    from counterpoise.core.world import World

__all__ = ["Shock"]

Pick = str | Iterable[str] | None
"""One label, several, or None for all."""

_TERMS = ("tariff_rate_cf", "purchase_subsidy_rate", "iceberg_cost_hat", "productivity_hat", "embargo")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Shock:
    """What changes, for the labels of one World. Start from ``Shock.none(world)`` or ``Shock(world, ...)``.

    ``tariff_rate_cf`` (N, N, S) is the counterfactual *level* of the tariff; ``purchase_subsidy_rate`` (N, N, S) the
    share of the duty-paid price that the destination's budget pays; ``iceberg_cost_hat`` (N, N, S) and
    ``productivity_hat`` (N, S) are ratios; ``embargo`` (N, N, S) forbids trade. Every ``with_*`` returns a new Shock.
    """

    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    tariff_rate_cf: xr.DataArray
    purchase_subsidy_rate: xr.DataArray
    iceberg_cost_hat: xr.DataArray
    productivity_hat: xr.DataArray
    embargo: xr.DataArray
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        world: World,
        *,
        tariff_rate_cf: ArrayLike | xr.DataArray | None = None,
        purchase_subsidy_rate: ArrayLike | xr.DataArray | None = None,
        iceberg_cost_hat: ArrayLike | xr.DataArray | None = None,
        productivity_hat: ArrayLike | xr.DataArray | None = None,
        embargo: ArrayLike | xr.DataArray | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Make a shock for the labels of ``world``; what is not given does not change.

        Parameters
        ----------
        world
            Supplies labels and the baseline tariff.
        tariff_rate_cf, purchase_subsidy_rate, iceberg_cost_hat, productivity_hat, embargo
            See the class; bare arrays in the documented order, or labelled ones with exactly the world's labels.
        notes
            Words that say what the shock is, one per measure.

        Raises
        ------
        LabelError
            If a labelled array carries other labels.
        InputError
            If shapes or values cannot be used; every problem is listed.
        """
        n, s = len(world.countries), len(world.sectors)
        labels = dim_labels(world.countries, world.sectors)
        given: dict[str, ArrayLike | xr.DataArray] = {
            "tariff_rate_cf": world.tariff_rate.to_numpy() if tariff_rate_cf is None else tariff_rate_cf,
            "purchase_subsidy_rate": np.zeros((n, n, s)) if purchase_subsidy_rate is None else purchase_subsidy_rate,
            "iceberg_cost_hat": np.ones((n, n, s)) if iceberg_cost_hat is None else iceberg_cost_hat,
            "productivity_hat": np.ones((n, s)) if productivity_hat is None else productivity_hat,
            "embargo": np.zeros((n, n, s), dtype=bool) if embargo is None else embargo,
        }
        problems = [p for name, values in given.items() for p in array_problems(name, values, labels)]
        kind = LabelError if any("label" in p for p in problems) else InputError
        raise_all(kind, "the shock cannot be used", problems)
        object.__setattr__(self, "countries", world.countries)
        object.__setattr__(self, "sectors", world.sectors)
        object.__setattr__(self, "notes", tuple(notes))
        for name in _TERMS:
            object.__setattr__(self, name, labelled(name, given[name], labels))

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
    def is_none(self) -> bool:
        """True when no cost, productivity or embargo term is set (the tariff level cannot tell without its World)."""
        return bool(
            np.all(self.purchase_subsidy_rate == 0)
            and np.all(self.iceberg_cost_hat == 1)
            and np.all(self.productivity_hat == 1)
            and not np.any(self.embargo)
        )

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
        for name, neutral in (("purchase_subsidy_rate", 0.0), ("iceberg_cost_hat", 1.0), ("productivity_hat", 1.0)):
            values = getattr(self, name).to_numpy()
            if np.any(values != neutral):
                touched = values[values != neutral]
                lines.append(f"  {name}: {touched.size} cells, {touched.min():.4g} to {touched.max():.4g}")
        if np.any(self.embargo):
            lines.append(f"  embargo: {int(self.embargo.sum())} cells")
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
