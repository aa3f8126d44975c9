"""The World: one base year of production, trade, tariffs and spending in current USD, and its identities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from counterpoise.core import storage
from counterpoise.core.errors import InputError, LabelError, UnbalancedError, raise_all
from counterpoise.core.horizon import FIRST_YEAR_SHARE, SETTLED_YEARS, horizon_elasticity
from counterpoise.core.labels import array_problems, check_labels, dim_labels, index_of, labelled

__all__ = ["BALANCE_RTOL", "World", "WorldMeta"]

BALANCE_RTOL = 1e-9
"""Largest violation of an identity, relative to the quantity it is about, that counts as balanced."""

_ARRAYS = (
    "flow",
    "tariff_rate",
    "value_added_share",
    "io_coefficient",
    "consumption_share",
    "trade_elasticity",
    "scale_elasticity",
    "absent",
)


@dataclass(frozen=True, slots=True)
class WorldMeta:
    """Where a World comes from.

    ``members`` maps a region to the ISO3 codes of its countries; names are for display.
    """

    name: str = "unnamed world"
    trade_year: int | None = None
    gdp_year: int | None = None
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    country_names: Mapping[str, str] = field(default_factory=dict[str, str])
    sector_names: Mapping[str, str] = field(default_factory=dict[str, str])
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True, weakref_slot=True, repr=False, eq=False)
class World:
    """A balanced base year. Build it with `World.from_arrays`, `World.load` or `counterpoise.load_world`.

    Arrays are read-only and labelled; shapes and units stand in ``core/variables.csv``. With N countries and S sectors:
    ``flow``, ``tariff_rate``, ``absent`` (N, N, S) on (origin, destination, sector); ``value_added_share`` and
    ``consumption_share`` (N, S); ``io_coefficient`` (N, S, S) on (country, sector, using_sector); ``trade_elasticity``
    and ``scale_elasticity`` (S,).

    References
    ----------
    Dekle, Eaton and Kortum (2008), IMF Staff Papers 55(3); Caliendo and Parro (2015), Review of Economic Studies 82(1).
    """

    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    flow: xr.DataArray
    tariff_rate: xr.DataArray
    value_added_share: xr.DataArray
    io_coefficient: xr.DataArray
    consumption_share: xr.DataArray
    trade_elasticity: xr.DataArray
    scale_elasticity: xr.DataArray
    absent: xr.DataArray
    meta: WorldMeta

    @classmethod
    def from_arrays(
        cls,
        *,
        countries: Sequence[str],
        sectors: Sequence[str],
        flow: ArrayLike | xr.DataArray,
        trade_elasticity: ArrayLike | xr.DataArray,
        tariff_rate: ArrayLike | xr.DataArray | None = None,
        value_added_share: ArrayLike | xr.DataArray | None = None,
        io_coefficient: ArrayLike | xr.DataArray | None = None,
        consumption_share: ArrayLike | xr.DataArray | None = None,
        scale_elasticity: ArrayLike | xr.DataArray | None = None,
        absent: ArrayLike | xr.DataArray | None = None,
        meta: WorldMeta | None = None,
    ) -> World:
        """Build a World from arrays in the documented order, or labelled ones with exactly these labels.

        Parameters
        ----------
        countries, sectors
            Unique labels, N and S of them.
        flow
            (N, N, S) on (origin, destination, sector), USD a year at customs value, domestic sales on the diagonal.
        trade_elasticity
            (S,), theta > 0: substitution elasticity minus one. A number stands for all sectors.
        tariff_rate
            (N, N, S), set by the destination on the origin, 0.25 = 25 %; no tariffs by default.
        value_added_share
            (N, S); by default one minus the sum of the input coefficients.
        io_coefficient
            (N, S, S) on (country, sector, using_sector); no intermediate inputs by default.
        consumption_share
            (N, S); by default final demand over income, as the identities imply.
        scale_elasticity
            (S,), 0 by default (constant returns). A number stands for all sectors.
        absent
            (N, N, S), True where a flow is unknown rather than zero.
        meta
            Provenance.

        Raises
        ------
        LabelError
            If labels repeat, or a labelled array carries others.
        InputError
            If shapes or values cannot be used; every problem is listed.
        UnbalancedError
            If the implied final demand is negative, or countries sell more than the world can pay for.
        """
        check_labels(countries, sectors)
        labels = dim_labels(countries, sectors)
        n, s = len(labels["country"]), len(labels["sector"])
        given: dict[str, ArrayLike | xr.DataArray] = {
            "flow": flow,
            "tariff_rate": np.zeros((n, n, s)) if tariff_rate is None else tariff_rate,
            "trade_elasticity": _per_sector(trade_elasticity, s),
            "scale_elasticity": _per_sector(0.0 if scale_elasticity is None else scale_elasticity, s),
            "absent": np.zeros((n, n, s), dtype=bool) if absent is None else absent,
        }
        if io_coefficient is not None:
            given["io_coefficient"] = io_coefficient
        elif value_added_share is None or s == 1:
            inputs = (
                np.zeros((n, s)) if value_added_share is None else 1.0 - np.asarray(value_added_share, dtype=np.float64)
            )
            given["io_coefficient"] = inputs.reshape(n, 1, 1) if s == 1 and inputs.size == n else np.zeros((n, s, s))
        else:
            raise InputError(
                "value_added_share was given without io_coefficient, and with several sectors nothing says which "
                "inputs are used; give io_coefficient (country, sector, using_sector), or leave both out for a world "
                "without intermediate inputs"
            )
        if value_added_share is None:
            given["value_added_share"] = 1.0 - np.asarray(given["io_coefficient"], dtype=np.float64).sum(axis=1)
        else:
            given["value_added_share"] = value_added_share
        if consumption_share is not None:
            given["consumption_share"] = consumption_share
        problems = [p for name, values in given.items() for p in array_problems(name, values, labels)]
        kind = LabelError if any("label" in p for p in problems) else InputError
        raise_all(kind, "the world cannot be built", problems)
        ready = {name: labelled(name, values, labels) for name, values in given.items()}
        if consumption_share is None:
            ready["consumption_share"] = labelled(
                "consumption_share", _implied_consumption_share(ready, countries, sectors), labels
            )
        return cls(countries=labels["country"], sectors=labels["sector"], meta=meta or WorldMeta(), **ready)

    # Derived quantities. Each is computed when asked for, so that nothing can go stale.

    @property
    def gross_output(self) -> xr.DataArray:
        """Gross output Y (country, sector), USD."""
        return _named(self.flow.sum("destination").rename(origin="country"), "gross_output")

    @property
    def expenditure(self) -> xr.DataArray:
        """Tariff-inclusive expenditure E (destination, sector), USD."""
        return _named((self.flow * (1.0 + self.tariff_rate)).sum("origin"), "expenditure")

    @property
    def expenditure_share(self) -> xr.DataArray:
        """Tariff-inclusive expenditure share lambda (origin, destination, sector); 0 where nothing is bought."""
        spent = self.expenditure
        return _named((self.flow * (1.0 + self.tariff_rate)) / spent.where(spent > 0, 1.0), "expenditure_share")

    @property
    def value_added(self) -> xr.DataArray:
        """Value added by country and sector, USD."""
        return _named(self.value_added_share * self.gross_output, "value_added")

    @property
    def tariff_revenue(self) -> xr.DataArray:
        """Tariff revenue R (country,), USD."""
        revenue = (self.flow * self.tariff_rate).sum(["origin", "sector"])
        return _named(revenue.rename(destination="country"), "tariff_revenue")

    @property
    def exports(self) -> xr.DataArray:
        """Exports (country,), USD at customs value, without domestic sales."""
        return _named(_foreign(self.flow).sum(["destination", "sector"]).rename(origin="country"), "exports")

    @property
    def imports(self) -> xr.DataArray:
        """Imports (country,), USD at customs value, without domestic sales."""
        return _named(_foreign(self.flow).sum(["origin", "sector"]).rename(destination="country"), "imports")

    @property
    def deficit(self) -> xr.DataArray:
        """Imports minus exports D (country,), USD at customs value; sums to 0 over the world."""
        return _named(self.imports - self.exports, "deficit")

    @property
    def income(self) -> xr.DataArray:
        """Value added plus tariff revenue plus deficit I (country,), USD."""
        return _named(self.value_added.sum("sector") + self.tariff_revenue + self.deficit, "income")

    @property
    def final_demand(self) -> xr.DataArray:
        """Expenditure minus intermediate use (country, sector), USD."""
        output = self.gross_output.rename(sector="using_sector")
        used = (self.io_coefficient * output).sum("using_sector")
        return _named(self.expenditure.rename(destination="country") - used, "final_demand")

    def gap_usd(self, origin: str, destination: str) -> float:
        """Return what ``origin`` sells to ``destination`` minus what it buys from it, USD at customs value."""
        i, j = (index_of(self.countries, c, "country") for c in (origin, destination))
        flow = self.flow.to_numpy()
        return float(flow[i, j].sum() - flow[j, i].sum())

    def check(self, rtol: float = BALANCE_RTOL) -> tuple[str, ...]:
        """List every violated accounting identity, by name and place; empty when the world balances.

        Parameters
        ----------
        rtol
            Tolerance, relative to the quantity each identity is about.
        """
        return tuple(_violations(self, rtol))

    def require_balanced(self, rtol: float = BALANCE_RTOL) -> None:
        """Raise UnbalancedError that names every violated identity, if there is one.

        What was found to balance is not checked again while it holds the same read-only arrays.
        """
        arrays: tuple[np.ndarray, ...] = tuple(getattr(self, name).to_numpy() for name in _ARRAYS)
        known = _BALANCED.get(self)
        if known is not None and known[0] <= rtol:
            if all(a is b and not a.flags.writeable for a, b in zip(arrays, known[1], strict=True)):
                return
        raise_all(UnbalancedError, f"{self.meta.name} does not balance; rebuild it or re-base it", self.check(rtol))
        _BALANCED[self] = (rtol, arrays)

    def with_changes(self, **changes: object) -> World:
        """Return a copy with some arrays (or ``meta``) replaced; same labels, same checks.

        ``consumption_share`` is derived anew unless it is given.
        """
        given: dict[str, object] = {name: getattr(self, name) for name in _ARRAYS if name != "consumption_share"}
        given["meta"] = self.meta
        given.update(changes)
        return World.from_arrays(countries=self.countries, sectors=self.sectors, **given)  # pyright: ignore[reportArgumentType]

    def at_horizon(
        self, years: float, *, first_year_share: float = FIRST_YEAR_SHARE, settled_years: float = SETTLED_YEARS
    ) -> World:
        """Return the world with the trade elasticities that hold some years after a change.

        The world's own elasticities count as the long run; see `counterpoise.core.horizon_elasticity` for the path and
        its source. Base-year data, consumption shares included, stay what they are.

        Parameters
        ----------
        years
            Years since the change, 1 or more; infinity is the long run.
        first_year_share, settled_years
            Shape of the path.
        """
        theta = horizon_elasticity(
            self.trade_elasticity.to_numpy(), years, first_year_share=first_year_share, settled_years=settled_years
        )
        meta = dataclasses.replace(
            self.meta, notes=(*self.meta.notes, f"trade elasticities {years:g} years after a change")
        )
        return self.with_changes(trade_elasticity=theta, consumption_share=self.consumption_share, meta=meta)

    def permute(self, countries: Sequence[str]) -> World:
        """Return the same world with its countries in another order."""
        order = list(countries)
        picked = {
            name: getattr(self, name).sel(
                {d: order for d in getattr(self, name).dims if d in ("origin", "destination", "country")}
            )
            for name in _ARRAYS
        }
        return World.from_arrays(countries=order, sectors=self.sectors, meta=self.meta, **picked)

    def save(self, path: Path | str) -> None:
        """Write the world as one Parquet file: a long table and its metadata; the same world gives the same bytes."""
        storage.write_arrays(
            Path(path),
            {name: getattr(self, name) for name in _ARRAYS},
            {"countries": list(self.countries), "sectors": list(self.sectors), "meta": dataclasses.asdict(self.meta)},
        )

    @classmethod
    def load(cls, path: Path | str) -> World:
        """Read a world that `World.save` wrote.

        Raises
        ------
        DataError
            If the file is missing, is no such file, or lacks a quantity.
        """
        arrays, metadata = storage.read_arrays(Path(path), _ARRAYS)
        meta: dict[str, Any] = dict(metadata["meta"])
        meta |= {name: tuple(meta[name]) for name in ("sources", "notes")}
        meta["members"] = {region: tuple(iso3s) for region, iso3s in meta["members"].items()}
        return cls.from_arrays(
            countries=metadata["countries"], sectors=metadata["sectors"], meta=WorldMeta(**meta), **arrays
        )

    def __repr__(self) -> str:
        """Say what the world is in five lines."""
        total = float(self.value_added.sum())
        traded = float(self.exports.sum())
        violated = len(self.check())
        return "\n".join(
            [
                f"World '{self.meta.name}': {len(self.countries)} countries x {len(self.sectors)} sectors"
                + (f", trade {self.meta.trade_year}, GDP {self.meta.gdp_year}" if self.meta.trade_year else ""),
                f"  value added {total / 1e12:.2f} tn USD, trade {traded / 1e12:.2f} tn USD a year at customs value",
                f"  countries: {', '.join(self.countries)}",
                f"  sectors: {', '.join(self.sectors)}",
                "  identities: all hold" if not violated else f"  identities: {violated} violated (see .check())",
            ]
        )


_BALANCED: WeakKeyDictionary[World, tuple[float, tuple[np.ndarray, ...]]] = WeakKeyDictionary()
"""Worlds that were found to balance, at which tolerance, and the very arrays that did."""


def _per_sector(values: ArrayLike | xr.DataArray, sectors: int) -> ArrayLike | xr.DataArray:
    """Repeat a single number for all sectors; leave arrays alone."""
    return np.full(sectors, float(values)) if isinstance(values, (int, float)) else values  # pyright: ignore[reportArgumentType]


def _named(array: xr.DataArray, name: str) -> xr.DataArray:
    array = array.rename(name)
    array.attrs["unit"] = "1" if name.endswith("share") else "USD"
    return array


def _foreign(flow: xr.DataArray) -> xr.DataArray:
    """Return the flows with domestic sales set to zero."""
    n = flow.sizes["origin"]
    return flow * xr.DataArray(1.0 - np.eye(n), dims=("origin", "destination"))


def _implied_consumption_share(
    ready: Mapping[str, xr.DataArray], countries: Sequence[str], sectors: Sequence[str]
) -> np.ndarray:
    """Return final demand over its total, (N, S); raise UnbalancedError where it is negative.

    Cancellation leaves final demand of a sector that is all used up at some 1e-16 of spending on either side of zero;
    what is negative by less than 1e-12 of spending counts as zero.
    """
    flow, t = ready["flow"].to_numpy(), ready["tariff_rate"].to_numpy()
    spent = (flow * (1 + t)).sum(axis=0)
    used = np.einsum("jsr,jr->js", ready["io_coefficient"].to_numpy(), flow.sum(axis=1))
    final = spent - used
    problems = [
        f"final demand of {countries[j]} for {sectors[s]} is {final[j, s]:.6g} USD: spending {spent[j, s]:.6g} is "
        f"less than intermediate use {used[j, s]:.6g}"
        for j, s in np.argwhere(final < -1e-12 * np.maximum(spent, used))
    ]
    raise_all(UnbalancedError, "the world does not balance; correct the table or pass consumption_share", problems)
    final = np.maximum(final, 0.0)
    total = final.sum(axis=1, keepdims=True)
    nothing = [f"{countries[int(j)]} has no final demand at all" for j in np.flatnonzero(total[:, 0] <= 0)]
    raise_all(UnbalancedError, "the world does not balance", nothing)
    return final / total


def _violations(world: World, rtol: float) -> list[str]:
    """List violated identities of a World, see `World.check`."""
    out: list[str] = []
    c, s = world.countries, world.sectors

    def say(
        name: str, left: np.ndarray, right: np.ndarray, scale: np.ndarray, names: tuple[Sequence[str], ...]
    ) -> None:
        for cell in np.argwhere(np.abs(left - right) > rtol * np.maximum(scale, 1e-300)):
            k = tuple(int(v) for v in cell)
            where = ", ".join(labels[p] for labels, p in zip(names, k, strict=True))
            out.append(f"{name}[{where}]: {left[k]:.9g} is not {right[k]:.9g}")

    flow, rate, gamma = world.flow.to_numpy(), world.tariff_rate.to_numpy(), world.value_added_share.to_numpy()
    io, alpha = world.io_coefficient.to_numpy(), world.consumption_share.to_numpy()
    ones = np.ones(len(c))
    shares = gamma + io.sum(axis=1)
    say("value_added_share + sum of io_coefficient = 1", shares, np.ones_like(shares), np.ones_like(shares), (c, s))
    say("sum of consumption_share = 1", alpha.sum(axis=1), ones, ones, (c,))
    output, duties = flow.sum(axis=1), (flow * rate).sum(axis=0)
    bought = flow.sum(axis=0)
    spent, used = bought + duties, (io @ output[:, :, None])[:, :, 0]
    deficit = bought.sum(axis=1) - output.sum(axis=1)
    income = (gamma * output).sum(axis=1) + duties.sum(axis=1) + deficit
    say(
        "expenditure = intermediate use + consumption_share * income",
        spent,
        used + alpha * income[:, None],
        spent + used,
        (c, s),
    )
    say("final demand = income", (spent - used).sum(axis=1), income, np.abs(income), (c,))
    traded = np.array([bought.sum() - np.trace(flow.sum(axis=2))])
    say("world deficits sum to 0", np.array([deficit.sum()]), np.zeros(1), traded, (("world",),))
    return out
