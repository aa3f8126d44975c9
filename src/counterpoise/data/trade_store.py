"""The store of goods trade: HS6 flows of all country pairs, one folder a year, Parquet under DuckDB.

A year lies in ``year=YYYY`` as the same lines in three orders, so that every question reads only the row groups that
hold its answer, beside small sums and ``manifest.json``:

======================  ==============================  ====================================
file                    order                           answers
======================  ==============================  ====================================
``by_origin.parquet``   origin, destination, hs         a pair; what a country sells
``by_destination``      destination, origin, hs         what a country buys, and from whom
``by_product.parquet``  hs, origin, destination         the market of a product
``sold``, ``bought``    country, hs                     a country's trade with the world
``totals.parquet``      origin, destination             country pairs
======================  ==============================  ====================================

`import_trade` writes it, `TradeStore` reads it. Values are USD a year, quantities tonnes; a quantity that is not stated
is absent. A flow that is not in the store is unreported, or below what the source keeps: it is no zero.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoise.core.errors import DataError, InputError, SourceMissingError, did_you_mean, raise_all
from counterpoise.data.codes import countries
from counterpoise.data.hs_levels import LEVELS, level_of, require_codes
from counterpoise.data.readers.provenance import digest
from counterpoise.data.sources import FILES, locate_sources
from counterpoise.data.trade_files import FORMAT, ORDERS, label_of
from counterpoise.data.trade_import import import_trade

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["ENVIRONMENT_VARIABLE", "TradeStore", "TradeYear", "default_store", "find_trade", "import_trade"]

ENVIRONMENT_VARIABLE = "COUNTERPOISE_CACHE"

_MEMORY = "512MB"
_QUANTITY = (
    "sum(quantity_t) AS quantity_t, "
    "coalesce(sum(value_usd) FILTER (WHERE quantity_t IS NOT NULL), 0) AS value_with_quantity_usd"
)


@dataclass(frozen=True, slots=True)
class TradeYear:
    """One year of the store, as its manifest says.

    Attributes
    ----------
    year
        Calendar year.
    title, vintage, licence, revision, valuation, basis
        Where it comes from; HS revision (``HS17``); ``FOB`` or ``CIF``; ``reconciled``, ``reported by the importer`` or
        ``reported by the exporter``.
    countries, importers
        All codes, and those that occur as importers; sorted.
    manifest
        All of the manifest: file, sha256, rows read, kept and dropped with the reason, and the files written.
    """

    year: int
    title: str
    vintage: str
    licence: str
    revision: str
    valuation: str
    basis: str
    countries: tuple[str, ...]
    importers: tuple[str, ...]
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TradeStore:
    """Goods trade by HS6 of all country pairs, read in place with bounded memory.

    Attributes
    ----------
    folder
        Where it lies.
    information
        What is known of each year, by year.
    notes
        What a reader must know about how this store is read.
    connection
        DuckDB, in memory; 512 MB at most.
    """

    folder: Path
    information: Mapping[int, TradeYear]
    notes: tuple[str, ...]
    connection: duckdb.DuckDBPyConnection
    direct: str = ""

    @classmethod
    def open(cls, folder: Path | str | None = None) -> TradeStore:
        """Open a store that `import_trade` wrote.

        Parameters
        ----------
        folder
            The store; `default_store` by default.

        Raises
        ------
        SourceMissingError
            If there is no year in it.
        DataError
            If a manifest cannot be read, or files are missing or of another size than the manifest says.
        """
        root = default_store() if folder is None else Path(folder).expanduser()
        found = sorted(root.glob("year=*/manifest.json")) if root.is_dir() else []
        if not found:
            raise SourceMissingError(
                f"no trade store at {root}; make one with 'counterpoise data import FILE --year YEAR', "
                "where FILE is a BACI file (CSV or zip) or a table origin, destination, hs, value_usd"
            )
        problems: list[str] = []
        years: dict[int, TradeYear] = {}
        for path in found:
            try:
                information = _read_manifest(path)
            except (ValueError, KeyError, TypeError) as error:
                problems.append(f"{path} is not a manifest of this version ({error!r}); import that year again")
                continue
            for entry in information.manifest["files"]:
                file = path.parent / str(entry["name"])
                size = file.stat().st_size if file.is_file() else -1
                if size != entry["bytes"]:
                    seen = "is missing" if size < 0 else f"has {size} bytes"
                    problems.append(f"{file} {seen}, expected {entry['bytes']} bytes; import {information.year} again")
            years[information.year] = information
        raise_all(DataError, f"the trade store at {root} cannot be used", problems)
        return cls(root, years, (), _connect())

    @classmethod
    def over(cls, path: Path, *, year: int, title: str, vintage: str, licence: str) -> TradeStore:
        """Read a Parquet file exporter, importer, hs6, value_usd in place, unsorted and unchecked: slower, no import.

        Raises
        ------
        SourceMissingError
            If the file is not there.
        """
        if not path.is_file():
            raise SourceMissingError(f"{path} does not exist; expected a Parquet file of trade by HS6")
        connection = _connect()
        quoted = str(path).replace("'", "''")
        columns = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{quoted}')").fetchall()}
        quantity = "quantity_t::DOUBLE" if "quantity_t" in columns else "NULL::DOUBLE"
        codes = connection.execute(
            f"SELECT exporter FROM read_parquet('{quoted}') UNION SELECT importer FROM read_parquet('{quoted}')"
        ).fetchall()
        renamed = "".join(
            f" WHEN '{code}' THEN '{label}'" for (code,) in codes if (label := label_of(code)) and label != code
        )

        def side(column: str) -> str:
            return f"CASE {column}{renamed} ELSE {column} END" if renamed else column

        direct = (
            f"(SELECT {side('exporter')} AS origin, {side('importer')} AS destination, hs6 AS hs, "
            f"value_usd::DOUBLE AS value_usd, {quantity} AS quantity_t FROM read_parquet('{quoted}'))"
        )
        importers = tuple(
            r[0] for r in connection.execute(f"SELECT DISTINCT destination FROM {direct} ORDER BY 1").fetchall()
        )
        exporters = {r[0] for r in connection.execute(f"SELECT DISTINCT origin FROM {direct}").fetchall()}
        information = TradeYear(
            year=year,
            title=title,
            vintage=vintage,
            licence=licence,
            revision="HS17",
            valuation="FOB",
            basis="reconciled",
            countries=tuple(sorted({*importers, *exporters})),
            importers=importers,
            manifest={},
        )
        note = f"Read straight from {path.name}, not from a store: 'counterpoise data import {path}' makes it quicker."
        return cls(path.parent, {year: information}, (note,), connection, direct)

    @property
    def years(self) -> tuple[int, ...]:
        """Calendar years, ascending."""
        return tuple(sorted(self.information))

    def reporters(self, year: int | None = None) -> tuple[str, ...]:
        """Return the countries whose imports the year holds, sorted."""
        return self.at(year).importers

    def missing_reporters(self, year: int | None = None) -> tuple[str, ...]:
        """Return the countries that occur as exporters but never as importers, sorted: their imports are unknown."""
        information = self.at(year)
        return tuple(sorted(set(information.countries) - set(information.importers)))

    def at(self, year: int | None = None) -> TradeYear:
        """Return what is known of a year; of the latest by default.

        Raises
        ------
        InputError
            If the year is not in the store.
        """
        chosen = self.years[-1] if year is None else year
        if chosen not in self.information:
            raise InputError(f"{chosen} is not in the trade store; it holds {', '.join(map(str, self.years))}")
        return self.information[chosen]

    def require_country(self, *names: str, year: int | None = None) -> tuple[str, ...]:
        """Return the labels of countries that occur in a year.

        Raises
        ------
        InputError
            If a country is unknown, or does not trade in that year; all such are named.
        """
        known = set(self.at(year).countries)
        labels = [label_of(name) for name in names]
        raise_all(
            InputError,
            "unknown countries",
            [
                f"'{name}' does not trade in {self.at(year).year}{_nearest(name, known)}"
                for name, label in zip(names, labels, strict=True)
                if label not in known
            ],
        )
        return tuple(labels)

    def pair(self, origin: str, destination: str, level: str = "hs6", *, year: int | None = None) -> pd.DataFrame:
        """Return what a country sells to another.

        Parameters
        ----------
        origin, destination
            ISO3 codes.
        level
            One of `LEVELS`.
        year
            Calendar year; the latest by default.

        Returns
        -------
        Table hs, value_usd, quantity_t (tonnes; NaN where no line states any), value_with_quantity_usd (the value of
        the lines whose quantity is stated); sorted by hs. Empty where nothing is recorded: absent, not zero.

        Raises
        ------
        InputError
            If a country, level or year is unknown.
        """
        return self.between((origin,), (destination,), level, year=year)

    def between(
        self, origins: Iterable[str], destinations: Iterable[str], level: str = "hs6", *, year: int | None = None
    ) -> pd.DataFrame:
        """Return what a group of countries sells to another, without what its members sell each other; see `pair`."""
        sellers = self.require_country(*origins, year=year)
        buyers = self.require_country(*destinations, year=year)
        where = f"origin IN ({_listed(sellers)}) AND destination IN ({_listed(buyers)})"
        return self._grouped("by_origin", where, level, year, {}, exact=len(sellers) == len(buyers) == 1)

    def exports_of(self, country: str, level: str = "hs6", *, year: int | None = None) -> pd.DataFrame:
        """Return what a country sells, by partner and product: destination, hs and the columns of `pair`."""
        (label,) = self.require_country(country, year=year)
        return self._grouped("by_origin", "origin = $country", level, year, {"country": label}, ("destination",))

    def imports_of(self, country: str, level: str = "hs6", *, year: int | None = None) -> pd.DataFrame:
        """Return what a country buys, by partner and product: origin, hs and the columns of `pair`."""
        (label,) = self.require_country(country, year=year)
        where = "destination = $country"
        return self._grouped("by_destination", where, level, year, {"country": label}, ("origin",))

    def market(self, codes: Iterable[str], level: str = "hs6", *, year: int | None = None) -> pd.DataFrame:
        """Return who sells given products to whom: origin, destination, hs and the columns of `pair`.

        Parameters
        ----------
        codes
            HS codes of two, four or six digits, as text.
        """
        ranges = [(code.ljust(6, "0"), code.ljust(6, "9")) for code in require_codes(codes)]
        if not ranges:
            raise InputError("no HS code was given; expected at least one of 2, 4 or 6 digits")
        where = " OR ".join(f"hs BETWEEN '{low}' AND '{high}'" for low, high in ranges)
        return self._grouped("by_product", f"({where})", level, year, {}, ("origin", "destination"))

    def product(self, hs6: str, *, year: int | None = None) -> pd.DataFrame:
        """Return who sells one product to whom: origin, destination, value_usd, quantity_t; largest first.

        Raises
        ------
        InputError
            If the code is not six digits, as text.
        """
        if require_codes([hs6]) and len(hs6) != 6:
            raise InputError(f"HS code '{hs6}' has {len(hs6)} digits; expected 6, or take market(['{hs6}'])")
        table = self._relation("by_product", year)
        return self.connection.execute(
            f"SELECT origin, destination, value_usd, quantity_t FROM {table} WHERE hs = $hs "
            "ORDER BY value_usd DESC, origin, destination",
            {"hs": hs6},
        ).df()

    def exports_by_product(
        self, country: str | None = None, level: str = "hs6", *, year: int | None = None
    ) -> pd.DataFrame:
        """Return what each country, or one, sells to all others: origin, hs and the columns of `pair`."""
        return self._world("sold", "origin", country, level, year)

    def imports_by_product(
        self, country: str | None = None, level: str = "hs6", *, year: int | None = None
    ) -> pd.DataFrame:
        """Return what each country, or one, buys from all others: destination, hs and the columns of `pair`."""
        return self._world("bought", "destination", country, level, year)

    def pair_products(self, a: str, b: str, level: str = "hs6", *, year: int | None = None) -> pd.DataFrame:
        """Return every product of the world beside what a pair trades in it.

        Returns
        -------
        Table hs, a_to_b_usd, b_to_a_usd, a_exports_usd, a_imports_usd, b_exports_usd, b_imports_usd, world_usd; sorted
        by hs. NaN where nothing is recorded.
        """
        one, two = self.require_country(a, b, year=year)
        code = self._code(level, year)
        sums = {"a_exports_usd": ("sold", "origin", one), "b_exports_usd": ("sold", "origin", two)}
        sums |= {"a_imports_usd": ("bought", "destination", one), "b_imports_usd": ("bought", "destination", two)}
        parts: list[str] = []
        for order in ("sold", "bought"):
            columns = ", ".join(
                f"sum(value_usd) FILTER (WHERE {side} = '{label}') AS {name}"
                for name, (table, side, label) in sums.items()
                if table == order
            )
            parts.append(
                f"(SELECT {code} AS hs, sum(value_usd) AS world_usd, {columns} FROM {self._relation(order, year)} f "
                f"{self._join(level, year)} GROUP BY 1)"
            )
        flows = [
            f"(SELECT {code} AS hs, sum(value_usd) AS {name} FROM {self._relation('by_origin', year)} f "
            f"{self._join(level, year)} WHERE origin = '{i}' AND destination = '{j}' GROUP BY 1)"
            for name, i, j in (("a_to_b_usd", one, two), ("b_to_a_usd", two, one))
        ]
        return self.connection.execute(
            f"""
            SELECT hs, a_to_b_usd, b_to_a_usd, a_exports_usd, a_imports_usd, b_exports_usd, b_imports_usd,
                   s.world_usd AS world_usd
            FROM {parts[0]} s JOIN {parts[1]} b USING (hs) LEFT JOIN {flows[0]} x USING (hs)
            LEFT JOIN {flows[1]} y USING (hs) ORDER BY hs
            """
        ).df()

    def totals(self, *, year: int | None = None) -> pd.DataFrame:
        """Return the total of every recorded pair: origin, destination, value_usd, quantity_t, lines."""
        table = self._relation("totals", year)
        if self.direct:
            table = (
                "(SELECT origin, destination, sum(value_usd) AS value_usd, sum(quantity_t) AS quantity_t, "
                f"count(*) AS lines FROM {table} GROUP BY ALL)"
            )
        return self.connection.execute(f"SELECT * FROM {table} ORDER BY origin, destination").df()

    def aggregate(
        self, places: Mapping[str, str], products: Mapping[str, str], *, year: int | None = None
    ) -> pd.DataFrame:
        """Add all flows of a year up to places and products of one's own.

        Parameters
        ----------
        places
            Place of each country; countries that are not in it are left out.
        products
            Product of each six-digit code; codes that are not in it are left out.
        year
            Calendar year; the latest by default.

        Returns
        -------
        Table origin, destination, product, value_usd (places, never equal), lines; sorted.
        """
        for name, table in (("place_of", places), ("product_of", products)):
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} (code VARCHAR PRIMARY KEY, target VARCHAR)")
            self.connection.execute(
                f"INSERT INTO {name} SELECT unnest($code), unnest($target)",
                {"code": list(table), "target": list(table.values())},
            )
        return self.connection.execute(
            f"""
            SELECT o.target AS origin, d.target AS destination, p.target AS product, sum(value_usd) AS value_usd,
                   count(*) AS lines
            FROM {self._relation("by_origin", year)} f JOIN place_of o ON f.origin = o.code
            JOIN place_of d ON f.destination = d.code JOIN product_of p ON f.hs = p.code
            WHERE o.target <> d.target GROUP BY ALL ORDER BY 1, 2, 3
            """
        ).df()

    def codes(self, *, year: int | None = None) -> tuple[str, ...]:
        """Return the six-digit codes that are traded in a year, sorted."""
        table = self._relation("sold", year)
        return tuple(r[0] for r in self.connection.execute(f"SELECT DISTINCT hs FROM {table} ORDER BY hs").fetchall())

    def verify(self) -> tuple[str, ...]:
        """Return what differs from the manifests, by SHA-256 of every file; empty when all is well."""
        return tuple(
            f"year={year}/{entry['name']}: SHA-256 {seen[:12]}, expected {str(entry['sha256'])[:12]}"
            for year, information in sorted(self.information.items())
            for entry in information.manifest.get("files", ())
            if (seen := digest(self.folder / f"year={year}" / str(entry["name"]))) != entry["sha256"]
        )

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> TradeStore:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def __repr__(self) -> str:
        """Say what the store holds."""
        lines = [f"Trade store at {self.folder}"]
        for year in self.years:
            information = self.information[year]
            rows = information.manifest.get("rows_kept")
            size = f"{rows:,} flows, " if rows is not None else ""
            lines.append(
                f"  {year}: {information.title}, {size}{len(information.countries)} countries, "
                f"{len(information.importers)} importers"
            )
        return "\n".join(lines)

    def _relation(self, order: str, year: int | None) -> str:
        """Return the SQL of a table of a year."""
        chosen = self.at(year).year
        if self.direct:
            return self.direct
        path = str(self.folder / f"year={chosen}" / f"{order}.parquet").replace("'", "''")
        return f"read_parquet('{path}', hive_partitioning = false)"

    def _grouped(
        self,
        order: str,
        where: str,
        level: str,
        year: int | None,
        values: Mapping[str, str],
        keys: tuple[str, ...] = (),
        *,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Add flows up by keys and by HS at a level."""
        if level not in LEVELS:
            level_of("", level)
        names = ", ".join((*keys, "hs"))
        table = self._relation(order, year)
        if level == "hs6" and not self.direct and (exact or (keys and order in ORDERS)):
            own = "CASE WHEN quantity_t IS NULL THEN 0 ELSE value_usd END AS value_with_quantity_usd"
            sql = f"SELECT {names}, value_usd, quantity_t, {own} FROM {table} WHERE {where} ORDER BY {names}"
            return self.connection.execute(sql, dict(values)).df()
        quantity = _QUANTITY
        if order in ("sold", "bought") and not self.direct:
            quantity = "sum(quantity_t) AS quantity_t, sum(value_with_quantity_usd) AS value_with_quantity_usd"
        code, join = self._code(level, year), self._join(level, year)
        inner = ", ".join((*keys, f"{code} AS hs", "sum(value_usd) AS value_usd", quantity))
        group = ", ".join((*keys, code))
        sql = f"SELECT {inner} FROM {table} f {join} WHERE {where} GROUP BY {group} ORDER BY {group}"
        return self.connection.execute(sql, dict(values)).df()

    def _code(self, level: str, year: int | None) -> str:
        """Return the SQL of a line's code at a level; a level that is a mapping gets its table first."""
        if level not in LEVELS:
            level_of("", level)
        if level in ("hs6", "hs4", "hs2"):
            return "f.hs" if level == "hs6" else f"substr(f.hs, 1, {level[2]})"
        name = f"level_{level}_{self.at(year).year}"
        there = self.connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_name = $name", {"name": name}
        ).fetchone()
        if there is None or not there[0]:
            codes = self.codes(year=year)
            self.connection.execute(f"CREATE TEMP TABLE {name} (hs VARCHAR, code VARCHAR)")
            self.connection.execute(
                f"INSERT INTO {name} SELECT unnest($hs), unnest($code)",
                {"hs": list(codes), "code": [level_of(hs, level) for hs in codes]},
            )
        return "l.code"

    def _join(self, level: str, year: int | None) -> str:
        """Return the SQL that joins the mapping of a level, where there is one."""
        if level in ("hs6", "hs4", "hs2"):
            return ""
        return f"JOIN level_{level}_{self.at(year).year} l ON f.hs = l.hs"

    def _world(self, order: str, side: str, country: str | None, level: str, year: int | None) -> pd.DataFrame:
        where, values = "TRUE", dict[str, str]()
        if country is not None:
            where, values = f"{side} = $country", {"country": self.require_country(country, year=year)[0]}
        return self._grouped(order, where, level, year, values, (side,))


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the code that was meant, by code or by name, or what is expected."""
    by_name = {country.name: country.iso3 for country in countries()}
    if len(name) <= 3:
        return did_you_mean(name, known) or "; expected an ISO3 code"
    guess = did_you_mean(name, by_name)
    code = next((iso3 for full, iso3 in by_name.items() if guess == f"; did you mean '{full}'?"), None)
    return f"{guess[:-1]}, which is {code}?" if code else "; expected an ISO3 code"


@cache
def _read_text(path: Path, stamp: int) -> str:
    return path.read_text(encoding="utf-8")


def _read_manifest(path: Path) -> TradeYear:
    document = json.loads(_read_text(path, path.stat().st_mtime_ns))
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, expected {FORMAT!r}")
    source = document["source"]
    return TradeYear(
        year=int(document["year"]),
        title=source["title"],
        vintage=source["vintage"],
        licence=source["licence"],
        revision=document["revision"],
        valuation=document["valuation"],
        basis=document["basis"],
        countries=tuple(document["countries"]),
        importers=tuple(document["importers"]),
        manifest=document,
    )


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(config={"memory_limit": _MEMORY})
    # DuckDB draws its bar on standard output, where data belong.
    connection.execute("SET enable_progress_bar = false")
    return connection


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(f"'{code}'" for code in codes)


def default_store() -> Path:
    """Return where the store lies: below ``$COUNTERPOISE_CACHE``, else ``counterpoise`` in the user's cache folder."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named).expanduser() / "trade"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "counterpoise" / "trade"


def find_trade(store: Path | str | None = None, *, sources: Path | str | None = None) -> TradeStore:
    """Open the store; where there is none, read the BACI file of the sources folder in place, and note it.

    Parameters
    ----------
    store
        The store; `default_store` by default. A store that is named must be there.
    sources
        Folder of raw sources, see `locate_sources`.

    Raises
    ------
    SourceMissingError
        If neither is there; the message says how to make a store.
    """
    if store is not None:
        return TradeStore.open(store)
    root = default_store()
    if any(root.glob("year=*/manifest.json")):
        return TradeStore.open(root)
    file = FILES["baci_2024"]
    try:
        path = locate_sources(sources).path("baci_2024")
    except SourceMissingError:
        return TradeStore.open(root)
    return TradeStore.over(path, year=2024, title=file.title, vintage=file.vintage, licence=file.licence)
