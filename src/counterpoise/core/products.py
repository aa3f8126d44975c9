"""The product tier: the flows of a World split into products, and shocks to single product lines.

Lines are arrays of one length, sorted by product, destination and origin, so that all lines of a product lie together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.core.errors import InputError, LabelError, raise_all
from counterpoise.core.labels import index_of
from counterpoise.core.world import World

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OTHER", "ProductShock", "ProductWorld", "scheduled_shock", "split_world"]

OTHER = ":other"
"""Ends the name of the product that holds what a sector trades without detail."""

Numbers = NDArray[np.float64]
Places = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProductWorld:
    """A World whose flows are split into products inside sectors. Build it with `split_world`.

    L lines with positive flow, K products in the order of their sectors, N countries, S sectors: ``origin``,
    ``destination`` (positions in ``world.countries``) and ``product`` (position in ``products``) are (L,), ``flow``
    (L,) USD at customs value, ``tariff_rate`` (L,). ``product_sector`` (K,) is the position of a product's sector,
    ``trade_elasticity`` (K,) its theta between origins, ``substitution`` (S,) the same between products of a sector:
    the substitution elasticity minus one. Summed over products, lines give ``world.flow`` and its duties.
    """

    world: World
    products: tuple[str, ...]
    product_sector: Places
    trade_elasticity: Numbers
    substitution: Numbers
    origin: Places
    destination: Places
    product: Places
    flow: Numbers
    tariff_rate: Numbers
    notes: tuple[str, ...] = ()

    def lines(
        self,
        *,
        origin: str | Iterable[str] | None = None,
        destination: str | Iterable[str] | None = None,
        hs: str | Iterable[str] | None = None,
    ) -> NDArray[np.bool_]:
        """Return the mask (L,) of lines from an origin to a destination whose product code begins with one of ``hs``.

        Domestic sales are in only where a country is named on both sides.

        Raises
        ------
        LabelError
            If a country is unknown, or no product begins with a code.
        """
        mask = np.ones(len(self.flow), dtype=bool)
        for places, wanted, kind in ((self.origin, origin, "origin"), (self.destination, destination, "destination")):
            if wanted is not None:
                mask &= np.isin(places, [index_of(self.world.countries, c, kind) for c in _several(wanted)])
        if hs is not None:
            codes = _several(hs)
            found = {code: [k for k, name in enumerate(self.products) if name.startswith(code)] for code in codes}
            raise_all(
                LabelError,
                "no such products",
                [
                    f"no product code begins with {code!r}; expected digits such as '0306'"
                    for code in codes
                    if not found[code]
                ],
            )
            mask &= np.isin(self.product, [k for places in found.values() for k in places])
        if origin is None or origin != destination:
            mask &= self.origin != self.destination
        return mask

    def table(self, mask: NDArray[np.bool_] | None = None) -> pd.DataFrame:
        """Return lines as a table: origin, destination, product, flow_usd, tariff_rate."""
        import pandas as pd

        kept = np.flatnonzero(np.ones(len(self.flow), dtype=bool) if mask is None else mask)
        countries, products = np.asarray(self.world.countries, object), np.asarray(self.products, object)
        return pd.DataFrame(
            {
                "origin": countries[self.origin[kept]],
                "destination": countries[self.destination[kept]],
                "product": products[self.product[kept]],
                "flow_usd": self.flow[kept],
                "tariff_rate": self.tariff_rate[kept],
            }
        )

    def __repr__(self) -> str:
        """Say how large it is."""
        n, s = len(self.world.countries), len(self.world.sectors)
        return "\n".join(
            [
                f"ProductWorld '{self.world.meta.name}': {len(self.flow):,} lines, {len(self.products):,} products in "
                f"{s} sectors, {n} countries",
                *(f"  {note}" for note in self.notes),
            ]
        )


@dataclass(frozen=True, slots=True, eq=False)
class ProductShock:
    """What changes, line by line: start from ``ProductShock.none(product_world)``.

    ``tariff_rate_cf`` (L,) is the counterfactual level, ``iceberg_cost_hat`` (L,) a ratio, ``productivity_hat`` (N, S)
    a ratio by country and sector; ``embargo`` (L,) says which lines are shut, None where none is.
    """

    base: ProductWorld
    tariff_rate_cf: Numbers
    iceberg_cost_hat: Numbers
    productivity_hat: Numbers
    embargo: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and values, all at once."""
        count, shape = len(self.base.flow), (len(self.base.world.countries), len(self.base.world.sectors))
        problems = [
            f"{name} has shape {values.shape}, expected {expected}"
            for name, values, expected in (
                ("tariff_rate_cf", self.tariff_rate_cf, (count,)),
                ("iceberg_cost_hat", self.iceberg_cost_hat, (count,)),
                ("productivity_hat", self.productivity_hat, shape),
            )
            if values.shape != expected
        ]
        if self.embargo is not None and (self.embargo.shape != (count,) or self.embargo.dtype != np.bool_):
            problems.append(
                f"embargo has shape {self.embargo.shape} of {self.embargo.dtype}, expected ({count},) of truth values"
            )
        for name, bad, rule in (
            ("tariff_rate_cf", ~(self.tariff_rate_cf > -1) | ~np.isfinite(self.tariff_rate_cf), "above -1"),
            ("iceberg_cost_hat", ~(self.iceberg_cost_hat > 0) | ~np.isfinite(self.iceberg_cost_hat), "positive"),
            ("productivity_hat", ~(self.productivity_hat > 0) | ~np.isfinite(self.productivity_hat), "positive"),
        ):
            if np.any(bad):
                problems.append(f"{name}: {int(bad.sum())} values are not finite and {rule}")
        raise_all(InputError, "the shock cannot be used", problems)

    @classmethod
    def none(cls, base: ProductWorld) -> ProductShock:
        """Return the shock that changes nothing."""
        shape = (len(base.world.countries), len(base.world.sectors))
        return cls(base, base.tariff_rate, np.ones(len(base.flow)), np.ones(shape))

    def with_tariff(
        self,
        rate: float,
        *,
        origin: str | Iterable[str] | None = None,
        destination: str | Iterable[str] | None = None,
        hs: str | Iterable[str] | None = None,
        add: bool = False,
        note: str | None = None,
    ) -> ProductShock:
        """Set the tariff of lines, or add to it; 0.25 is 25 %. Lines as in `ProductWorld.lines`."""
        mask = self.base.lines(origin=origin, destination=destination, hs=hs)
        rates = np.where(mask, self.tariff_rate_cf + rate if add else rate, self.tariff_rate_cf)
        return dataclasses.replace(self, tariff_rate_cf=rates, notes=(*self.notes, note) if note else self.notes)

    def with_iceberg_cost(
        self,
        factor: float,
        *,
        origin: str | Iterable[str] | None = None,
        destination: str | Iterable[str] | None = None,
        hs: str | Iterable[str] | None = None,
        note: str | None = None,
    ) -> ProductShock:
        """Multiply the trade cost of lines; 1.1 makes trade 10 % dearer."""
        mask = self.base.lines(origin=origin, destination=destination, hs=hs)
        costs = np.where(mask, self.iceberg_cost_hat * factor, self.iceberg_cost_hat)
        return dataclasses.replace(self, iceberg_cost_hat=costs, notes=(*self.notes, note) if note else self.notes)

    def with_embargo(
        self,
        *,
        origin: str | Iterable[str] | None = None,
        destination: str | Iterable[str] | None = None,
        hs: str | Iterable[str] | None = None,
        note: str | None = None,
    ) -> ProductShock:
        """Shut lines. Sales at home stay open; name the country as origin and destination to shut those."""
        mask = _shut(self.base, origin, destination, hs)
        shut = mask if self.embargo is None else mask | self.embargo
        return dataclasses.replace(self, embargo=shut, notes=(*self.notes, note) if note else self.notes)

    def unsupplied(self) -> list[tuple[str, str]]:
        """List the (country, sector) that buy in the base year and have no supplier left."""
        if self.embargo is None:
            return []
        base = self.base
        n, s = len(base.world.countries), len(base.world.sectors)
        cell = base.product_sector[base.product].astype(np.int64) * n + base.destination
        before = np.bincount(cell, base.flow, n * s)
        left = np.bincount(cell, np.where(self.embargo, 0.0, base.flow), n * s)
        return [
            (base.world.countries[at % n], base.world.sectors[at // n])
            for at in np.flatnonzero((before > 0) & (left <= 0)).tolist()
        ]


def _shut(
    base: ProductWorld,
    origin: str | Iterable[str] | None,
    destination: str | Iterable[str] | None,
    hs: str | Iterable[str] | None,
) -> NDArray[np.bool_]:
    """Return the lines (L,) that an embargo shuts: sales at home only where one country is named on both sides."""
    mask = base.lines(origin=origin, destination=destination, hs=hs)
    return mask if origin == destination and origin is not None else mask & (base.origin != base.destination)


def scheduled_shock(base: ProductWorld, rows: Sequence[Mapping[str, object]]) -> ProductShock:
    """Return the shock of a tariff schedule.

    Parameters
    ----------
    base
        Product world.
    rows
        Each with origin, destination (labels, or ``*`` for all), hs (digits that a code begins with, or ``*``), rate
        (0.25 is 25 %) and how (``add`` to the tariff, ``set`` it, or ``embargo``, which needs no rate and leaves sales
        at home open). Where several rows reach a line, the one with the longest code decides, and of equal codes the
        last.

    Raises
    ------
    InputError
        If rows cannot be read or name what is not there; every problem is listed.
    """
    problems: list[str] = []
    wanted: list[tuple[int, int, float, str, NDArray[np.bool_]]] = []
    for place, row in enumerate(rows, start=1):
        needed = ("origin", "destination", "hs", *(() if row.get("how") == "embargo" else ("rate",)), "how")
        missing = [name for name in needed if row.get(name) in (None, "")]
        if missing:
            problems.append(f"row {place}: {', '.join(missing)} missing; expected origin, destination, hs, rate, how")
            continue
        how = str(row["how"])
        if how not in ("add", "set", "embargo"):
            problems.append(f"row {place}: how = '{how}'; expected 'add', 'set' or 'embargo'")
        named = {key: None if str(row[key]) == "*" else str(row[key]) for key in ("origin", "destination", "hs")}
        try:
            mask = _shut(base, **named) if how == "embargo" else base.lines(**named)
            rate = 0.0 if how == "embargo" else float(str(row["rate"]))
        except (LabelError, ValueError) as error:
            problems.append(f"row {place}: {error}")
            continue
        wanted.append((len(named["hs"] or ""), place, rate, how, mask))
    raise_all(InputError, "the tariff schedule cannot be used", problems)
    rates, shut = base.tariff_rate.copy(), np.zeros(len(base.flow), dtype=bool)
    for _, _, rate, how, mask in sorted(wanted, key=lambda w: w[:2]):
        shut[mask] = how == "embargo"
        rates[mask] = rate if how == "set" else base.tariff_rate[mask] + rate
    return dataclasses.replace(
        ProductShock.none(base),
        tariff_rate_cf=rates,
        embargo=shut if shut.any() else None,
        notes=(f"{len(wanted)} rows of a schedule",),
    )


def split_world(
    world: World,
    *,
    products: Sequence[str],
    product_sector: Sequence[str],
    origin: ArrayLike,
    destination: ArrayLike,
    product: ArrayLike,
    flow: ArrayLike,
    tariff_rate: ArrayLike | None = None,
    trade_elasticity: ArrayLike | None = None,
    substitution: ArrayLike | None = None,
) -> ProductWorld:
    """Split the flows of a world into products, in proportion to product lines.

    Parameters
    ----------
    world
        Balanced base year; it is not changed.
    products, product_sector
        Codes of K products and the sector of each.
    origin, destination, product, flow
        (L,) positions and USD of foreign trade; lines of one cell (origin, destination, sector) are scaled so that they
        add up to the world's flow. Several lines of one product and pair are added up.
    tariff_rate
        (L,); by default the rate of the line's cell. Duties of a cell must then add up to the world's, so that given
        rates are shifted by one number for each cell.
    trade_elasticity
        (K,) theta between origins; by default that of the sector.
    substitution
        (S,) the same between products of a sector; by default the sector's theta, with which products of equal theta
        and rate add up exactly to the sector.

    Notes
    -----
    No source knows domestic sales by product: those of a sector are split in proportion to the world trade of its
    products, alike in every country. A cell that trades but has no line becomes one line of the product
    ``sector:other``. Lines
    of a cell without flow in the world are dropped; the notes tell how many and how much.

    Raises
    ------
    InputError
        If shapes, positions or values cannot be used; every problem is listed.
    """
    n, s = len(world.countries), len(world.sectors)
    labels = [*products, *(f"{name}{OTHER}" for name in world.sectors)]
    sector_of = np.array(
        [index_of(world.sectors, name, "sector") for name in [*product_sector, *world.sectors]], np.int32
    )
    i, j, k = (np.asarray(v, dtype=np.int32) for v in (origin, destination, product))
    usd = np.asarray(flow, dtype=np.float64)
    _require_usable(products, len(product_sector), n, i, j, k, usd, tariff_rate)
    own = world.trade_elasticity.to_numpy()
    theta = own[sector_of].copy()
    if trade_elasticity is not None:
        theta[: len(products)] = np.asarray(trade_elasticity, dtype=np.float64)
    between = own if substitution is None else np.broadcast_to(np.asarray(substitution, dtype=np.float64), (s,))
    if not (np.all(theta > 0) and np.all(between > 0) and np.all(np.isfinite(theta)) and np.all(np.isfinite(between))):
        raise InputError("trade_elasticity and substitution must be positive numbers; 1e-6 stands for fixed shares")

    flat: Numbers = world.flow.to_numpy().reshape(-1)
    cell = (i.astype(np.int64) * n + j) * s + sector_of[k]
    dropped = (flat[cell] <= 0) | (usd <= 0) | (i == j)
    notes = [
        f"{int(dropped.sum()):,} of {len(usd):,} lines ({usd[dropped].sum():,.0f} USD) have no flow in the "
        f"world and are "
        "left out"
    ]
    given = None if tariff_rate is None else np.asarray(tariff_rate, dtype=np.float64)
    if dropped.any():
        k, usd, cell = k[~dropped], usd[~dropped], cell[~dropped]
        given = None if given is None else given[~dropped]
    detailed = np.bincount(cell, usd, flat.size).astype(np.float64)
    usd = usd * (flat / np.where(detailed > 0, detailed, 1.0))[cell]
    bare = np.flatnonzero((flat > 0) & (detailed <= 0))
    home = bare[(bare // s) // n == (bare // s) % n]
    traded = np.bincount(k, usd, len(labels)).astype(np.float64)
    in_sector = np.bincount(sector_of, traded, s).astype(np.float64)
    weights = np.divide(traded, in_sector[sector_of], out=np.zeros_like(traded), where=in_sector[sector_of] > 0)
    splits = in_sector[home % s] > 0
    rest = np.concatenate([bare[(bare // s) // n != (bare // s) % n], home[~splits]])
    notes.append(f"{len(rest):,} cells ({flat[rest].sum():,.0f} USD) have no product detail and are one line each")
    split_cell, split_product = _products_of(home[splits], weights, sector_of, s)
    usd = np.concatenate([usd, flat[split_cell] * weights[split_product], flat[rest]])
    k = np.concatenate([k, split_product, (len(products) + rest % s)]).astype(np.int32)
    cell = np.concatenate([cell, split_cell, rest])
    cell_rate: Numbers = world.tariff_rate.to_numpy().reshape(-1)
    rate = cell_rate[cell]
    if given is not None:
        rate[: len(given)] = given
        duty = np.bincount(cell, usd * rate, flat.size)
        shift = np.divide(
            world.tariff_rate.to_numpy().reshape(-1) * flat - duty, flat, out=np.zeros_like(flat), where=flat > 0
        )
        rate = rate + shift[cell]
    return _sorted_lines(world, labels, sector_of, theta, between, cell, k, usd, rate, tuple(notes))


def _products_of(
    cells: NDArray[np.int64], weights: Numbers, sector_of: Places, sectors: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (cell, product) of domestic cells and the products that their sector trades."""
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for s in range(sectors):
        mine, members = cells[cells % sectors == s], np.flatnonzero((sector_of == s) & (weights > 0))
        pairs.append((np.repeat(mine, len(members)), np.tile(members, len(mine))))
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def _sorted_lines(
    world: World,
    labels: Sequence[str],
    sector_of: Places,
    theta: Numbers,
    between: Numbers,
    cell: NDArray[np.int64],
    product: Places,
    usd: Numbers,
    rate: Numbers,
    notes: tuple[str, ...],
) -> ProductWorld:
    """Keep the products that are used, order them by sector, order the lines, and add up lines that repeat."""
    n, s = len(world.countries), len(world.sectors)
    used = np.flatnonzero(np.bincount(product, minlength=len(labels)) > 0)
    used = used[np.argsort(sector_of[used], kind="stable")]
    place = np.full(len(labels), -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    pair = cell // s
    key = (place[product] * n + pair % n) * n + pair // n
    order = np.argsort(key, kind="stable")
    key, usd, rate = key[order], usd[order], rate[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    duty, usd = np.add.reduceat(usd * rate, first), np.add.reduceat(usd, first)
    key = key[first]
    parted = ProductWorld(
        world=world,
        products=tuple(labels[int(k)] for k in used),
        product_sector=sector_of[used],
        trade_elasticity=theta[used],
        substitution=np.array(between, dtype=np.float64),
        origin=(key % n).astype(np.int32),
        destination=(key // n % n).astype(np.int32),
        product=(key // (n * n)).astype(np.int32),
        flow=usd,
        tariff_rate=duty / usd,
        notes=notes,
    )
    for values in (parted.flow, parted.tariff_rate, parted.origin, parted.destination, parted.product):
        values.flags.writeable = False
    return parted


def _require_usable(
    products: Sequence[str],
    named: int,
    countries: int,
    i: Places,
    j: Places,
    k: Places,
    usd: Numbers,
    rate: ArrayLike | None,
) -> None:
    """Raise InputError that lists what is wrong with product lines."""
    problems: list[str] = []
    if len(products) != named:
        problems.append(f"{len(products)} products but {named} sectors named for them; give one each")
    if len(set(products)) < len(products):
        problems.append(f"{len(products) - len(set(products))} products are listed more than once")
    given = np.zeros(len(usd)) if rate is None else np.asarray(rate, dtype=np.float64)
    if given.shape != usd.shape or not np.all(np.isfinite(given) & (given > -1)):
        problems.append(f"tariff_rate has shape {given.shape}, expected {usd.shape} finite values above -1")
    if not len(i) == len(j) == len(k) == len(usd):
        problems.append(f"origin, destination, product, flow have lengths {len(i)}, {len(j)}, {len(k)}, {len(usd)}")
    for name, values, most in (("origin", i, countries), ("destination", j, countries), ("product", k, len(products))):
        outside = int(((values < 0) | (values >= most)).sum())
        if outside:
            problems.append(f"{outside} values of {name} are outside 0 to {most - 1}")
    bad = int((~np.isfinite(usd) | (usd < 0)).sum())
    if bad:
        problems.append(f"{bad} flows are negative or not finite")
    raise_all(InputError, "the product lines cannot be used", problems)


def _several(labels: str | Iterable[str]) -> list[str]:
    return [labels] if isinstance(labels, str) else list(labels)
