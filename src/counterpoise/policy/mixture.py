"""Levers together: the terms of a shock as functions of their values, with the chain rule, and what each takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError, raise_all
from counterpoise.model import latent_share
from counterpoise.policy.levers import TERMS, Lever, Term, lever_problems

__all__ = ["Mixture", "TermArrays", "shock_with"]

Floats = NDArray[np.float64]

_TINY = 1e-300


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


@dataclass(frozen=True, slots=True)
class _Part:
    """One lever in the mixture: its column, its cells as flat positions of its term's array and among those touched."""

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
        return bool(self._parts["latent"])

    @property
    def supports_exports(self) -> bool:
        """True where some lever pays for exports."""
        return bool(self._parts["untaxed"])

    def terms(self, values: Floats) -> TermArrays:
        """Return the terms at values of the levers, (L,)."""
        base = self._base
        booked = np.zeros_like(base.booked_rate)
        for part in (p for parts in self._parts.values() for p in parts):
            rate = part.lever.booked_rate(float(values[part.column]))
            if rate is not None:
                np.add.at(booked.reshape(-1), part.flat, rate[0])
        out = TermArrays(
            base.tariff_rate.copy(),
            base.purchase_subsidy_rate.copy(),
            base.export_tax_rate.copy(),
            base.iceberg_cost_hat.copy(),
            base.productivity_hat.copy(),
            base.latent_share.copy(),
            booked,
        )
        kept, price = self._over_priced("duty_kept", values), self._over_priced("price_factor", values)
        rate_before = base.tariff_rate.reshape(-1)[self._priced]
        out.tariff_rate.reshape(-1)[self._priced] = (1.0 + rate_before * kept) * price - 1.0
        left, at = self._product("unsubsidised", values), self._touched["unsubsidised"]
        subsidy = out.purchase_subsidy_rate.reshape(-1)
        subsidy[at] = 1.0 - (1.0 - subsidy[at]) * left
        left, at = self._product("untaxed", values), self._touched["untaxed"]
        export_tax = out.export_tax_rate.reshape(-1)
        export_tax[at] = (1.0 + export_tax[at]) * left - 1.0
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
            "untaxed": taken(slopes.export_tax_rate, at["untaxed"])
            * (1.0 + before(base.export_tax_rate, at["untaxed"])),
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
        duty, subsidy = self._parts["duty_kept"] + self._parts["price_factor"], self._parts["unsubsidised"]
        for parts, money in ((duty, forgone), (subsidy, paid), (self._parts["untaxed"], supported)):
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
