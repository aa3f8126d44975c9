"""Levers together: the terms of a shock as functions of their values, with the chain rule, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, raise_all
from counterpoise.model import latent_share
from counterpoise.policy.levers import TERMS, Lever, Term, lever_problems

__all__ = ["Jacobian", "Mixture", "TermArrays", "shock_with"]

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

_TINY = 1e-300

_ARRAYS: dict[Term, str] = {
    "duty_kept": "tariff_rate",
    "price_factor": "tariff_rate",
    "unsubsidised": "purchase_subsidy_rate",
    "untaxed": "export_tax_rate",
    "iceberg": "iceberg_cost_hat",
    "productivity": "productivity_hat",
    "latent": "latent_share",
}
"""The array of `TermArrays` that each term of a lever moves."""

_ANCHORS: dict[Term, float] = {"unsubsidised": 1.0, "untaxed": -1.0, "iceberg": 0.0, "productivity": 0.0}
"""Value a of an array x that a factor f leaves alone: x becomes a + (x - a) f."""


class TermArrays(NamedTuple):
    """The terms of a shock; trade arrays are (S, N origin, N destination), productivity (N, S).

    ``latent_share`` is the expenditure share of lines that are opened at base-year prices; ``booked_rate`` is
    what payers spend per USD of flow outside the equilibrium.
    """

    tariff_rate: Floats
    purchase_subsidy_rate: Floats
    export_tax_rate: Floats
    iceberg_cost_hat: Floats
    productivity_hat: Floats
    latent_share: Floats
    booked_rate: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Jacobian:
    """Derivatives of the terms to L levers, sparse.

    ``entries`` holds by array of `TermArrays` the cells (E,) as flat positions, the levers (E,) and the values (E,).
    """

    entries: Mapping[str, tuple[Positions, Positions, Floats]]
    levers: int

    def pull(self, slopes: TermArrays) -> Floats:
        """Return derivatives to the levers (m, L) from derivatives to the terms, each with a leading axis m."""
        rows = len(slopes.tariff_rate)
        out = np.zeros((rows, self.levers))
        for name, (cells, columns, values) in self.entries.items():
            array: Floats = getattr(slopes, name)
            moved = array.reshape(rows, -1)[:, cells] * values
            for k in range(rows):
                out[k] += np.bincount(columns, moved[k], minlength=self.levers)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """The levers on one term, one entry per lever and cell.

    ``levers`` with their columns; ``column`` (E,) the lever of every entry, ``flat`` (E,) its cell in the term's array
    and ``at`` (E,) among the C cells ``touched`` by any.
    """

    levers: tuple[tuple[int, Lever], ...]
    column: Positions
    flat: Positions
    at: Positions
    touched: Positions

    def factors(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the factor of every entry (E,) and its derivative to the lever's value."""
        pairs = [lever.factor(float(values[column])) for column, lever in self.levers]
        return _joined([own for own, _ in pairs]), _joined([slope for _, slope in pairs])

    def product(self, own: Floats) -> Floats:
        """Multiply the factors of all levers, by touched cell (C,)."""
        total = np.ones(len(self.touched))
        np.multiply.at(total, self.at, own)
        return total

    def others(self, own: Floats) -> Floats:
        """Return by entry (E,) the product of the factors of all other levers on its cell."""
        none = own == 0
        rest = self.product(np.where(none, 1.0, own))[self.at]
        zeros = np.bincount(self.at, none, minlength=len(self.touched))[self.at]
        return np.where(zeros - none > 0, 0.0, rest / np.where(none, 1.0, own))


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
        self._shapes = {name: (n, s) if name == "productivity_hat" else (s, n, n) for name in TermArrays._fields}
        found: dict[Term, list[tuple[int, Lever, Positions]]] = {term: [] for term in TERMS}
        for column, lever in enumerate(levers):
            cells = lever.cells(world)
            ordered = cells if len(cells) == 2 else (cells[2], cells[0], cells[1])
            flat = np.asarray(np.ravel_multi_index(ordered, self._shapes[_ARRAYS[lever.term]]), dtype=np.intp)
            found[lever.term].append((column, lever, flat))
        self._places: dict[Term, _Place] = {term: _place(mine) for term, mine in found.items() if mine}
        self._flat = {column: flat for mine in found.values() for column, _, flat in mine}
        duty, price = (_cells([flat for _, _, flat in found[term]]) for term in ("duty_kept", "price_factor"))
        duty, price = np.unique(duty), np.unique(price)
        self._priced = np.union1d(duty, price)
        self._duty_at, self._price_at = np.searchsorted(self._priced, duty), np.searchsorted(self._priced, price)
        self._base = TermArrays(
            tariff_rate=_by_sector(background.tariff_rate_cf.to_numpy()),
            purchase_subsidy_rate=_by_sector(background.purchase_subsidy_rate.to_numpy()),
            export_tax_rate=_by_sector(background.export_tax_rate.to_numpy()),
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
        return "latent" in self._places

    @property
    def supports_exports(self) -> bool:
        """True where some lever pays for exports."""
        return "untaxed" in self._places

    def terms(self, values: Floats) -> TermArrays:
        """Return the terms at values of the levers, (L,)."""
        out = TermArrays(*(array.copy() for array in self._base))
        flat = {name: array.reshape(-1) for name, array in out._asdict().items()}
        for column, (rate, _) in self._booked(values).items():
            np.add.at(flat["booked_rate"], self._flat[column], rate)
        own = self._factors(values)
        if self._priced.size:
            kept, price = self._prices(own)
            flat["tariff_rate"][self._priced] = (1.0 + flat["tariff_rate"][self._priced] * kept) * price - 1.0
        for term, place in self._places.items():
            array = flat[_ARRAYS[term]]
            if term in _ANCHORS:
                anchor = _ANCHORS[term]
                array[place.touched] = anchor + (array[place.touched] - anchor) * place.product(own[term][0])
            elif term == "latent":
                np.add.at(array, place.flat, own[term][0] * self._share_of_usd.reshape(-1)[place.flat])
        return out

    def jacobian(self, values: Floats) -> Jacobian:
        """Return the derivatives of the terms to the levers at values (L,)."""
        both = self._factors(values)
        kept, price = self._prices(both)
        parts: dict[str, list[tuple[Positions, Positions, Floats]]] = {}
        for term, place in self._places.items():
            own, slope = both[term]
            base = getattr(self._base, _ARRAYS[term]).reshape(-1)[place.flat]
            if term == "duty_kept":
                slope = slope * place.others(own) * base * price[self._duty_at][place.at]
            elif term == "price_factor":
                slope = slope * place.others(own) * (1.0 + base * kept[self._price_at][place.at])
            elif term == "latent":
                slope = slope * self._share_of_usd.reshape(-1)[place.flat]
            else:
                slope = slope * place.others(own) * (base - _ANCHORS[term])
            parts.setdefault(_ARRAYS[term], []).append((place.flat, place.column, slope))
        for column, (_, slope) in self._booked(values).items():
            flat = self._flat[column]
            parts.setdefault("booked_rate", []).append((flat, np.full_like(flat, column), slope))
        entries = {
            name: (_cells([p[0] for p in mine]), _cells([p[1] for p in mine]), _joined([p[2] for p in mine]))
            for name, mine in parts.items()
        }
        return Jacobian(entries, len(self.levers))

    def shock(self, values: Floats) -> Shock:
        """Return the background with the levers at values, as a Shock; what is booked outside is not in it."""
        terms = self.terms(values)
        return (
            self.background.with_array("tariff_rate_cf", np.moveaxis(terms.tariff_rate, 0, 2))
            .with_array("purchase_subsidy_rate", np.moveaxis(terms.purchase_subsidy_rate, 0, 2))
            .with_array("export_tax_rate", np.moveaxis(terms.export_tax_rate, 0, 2))
            .with_array("iceberg_cost_hat", np.moveaxis(terms.iceberg_cost_hat, 0, 2))
            .with_array("productivity_hat", terms.productivity_hat)
            .with_array("potential_flow", np.moveaxis(terms.latent_share / self._share_of_usd, 0, 2))
        )

    def outlay(self, values: Floats, flow: Floats) -> Floats:
        """Return what each lever itself takes from its payer at given flows (S, N, N), USD a year (L,).

        Duty forgone and subsidies paid on the flows as they are with the package, what is booked, and the curve; levers
        on one cell share what is paid there in proportion to one minus their factors.
        """
        base, terms = self._base, self.terms(values)
        paid = (flow * (1.0 + terms.tariff_rate) * (terms.purchase_subsidy_rate - base.purchase_subsidy_rate)).reshape(
            -1
        )
        forgone = (flow * (base.tariff_rate - terms.tariff_rate)).reshape(-1)
        receipt = flow / (1.0 + terms.export_tax_rate)
        supported = (receipt * (base.export_tax_rate - terms.export_tax_rate)).reshape(-1)
        out = np.zeros(len(self.levers))
        shared: tuple[tuple[tuple[Term, ...], Floats], ...] = (
            (("duty_kept", "price_factor"), forgone),
            (("unsubsidised",), paid),
            (("untaxed",), supported),
        )
        for group, money in shared:
            places = [self._places[term] for term in group if term in self._places]
            flat, column = _cells([p.flat for p in places]), _cells([p.column for p in places])
            piece = 1.0 - _joined([p.factors(values)[0] for p in places])
            total = np.zeros_like(money)
            np.add.at(total, flat, piece)
            whole = total[flat]
            portion = np.divide(piece, whole, out=np.zeros_like(piece), where=whole != 0)
            out += np.bincount(column, money[flat] * portion, minlength=len(out))
        traded = flow.reshape(-1)
        for column, (rate, _) in self._booked(values).items():
            out[column] += float(traded[self._flat[column]] @ rate)
        for column, lever in enumerate(self.levers):
            out[column] += lever.curve.at(float(values[column])) - lever.curve.at(lever.start)
        return out

    def _booked(self, values: Floats) -> dict[int, tuple[Floats, Floats]]:
        """Return what is booked outside the equilibrium by column of the lever, and its derivative."""
        rates = {k: lever.booked_rate(float(v)) for k, (lever, v) in enumerate(zip(self.levers, values, strict=True))}
        return {k: rate for k, rate in rates.items() if rate is not None}

    def _factors(self, values: Floats) -> dict[Term, tuple[Floats, Floats]]:
        """Return the factors on every term by entry (E,), and their derivatives."""
        return {term: place.factors(values) for term, place in self._places.items()}

    def _prices(self, own: Mapping[Term, tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
        """Return the part of the duty kept and the price factor over all cells whose duty-paid price moves."""
        out: dict[Term, Floats] = {term: np.ones(len(self._priced)) for term in ("duty_kept", "price_factor")}
        for term, at in (("duty_kept", self._duty_at), ("price_factor", self._price_at)):
            if term in self._places:
                out[term][at] = self._places[term].product(own[term][0])
        return out["duty_kept"], out["price_factor"]


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


def _place(found: Sequence[tuple[int, Lever, Positions]]) -> _Place:
    """Return the levers on one term from their columns and flat cells."""
    flat = _cells([cells for _, _, cells in found])
    column = _cells([np.full_like(cells, k) for k, _, cells in found])
    touched, at = np.unique(flat, return_inverse=True)
    return _Place(tuple((k, lever) for k, lever, _ in found), column, flat, at.astype(np.intp), touched)


def _cells(parts: Sequence[Positions]) -> Positions:
    return np.concatenate([np.empty(0, dtype=np.intp), *parts])


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.empty(0), *parts])


def _by_sector(array: Floats) -> Floats:
    """Move the sector axis first, contiguous."""
    return np.ascontiguousarray(np.moveaxis(array, 2, 0))
