"""Import a file of trade by HS6 into the store: checked as every source is, sorted three ways, whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.data.readers.peek import peek_at
from counterpoise.data.readers.provenance import SourceInfo, digest
from counterpoise.data.readers.reading import Reading, literal
from counterpoise.data.readers.trade import members_of, read_trade
from counterpoise.data.trade_files import BASES, FORMAT, ORDERS, VALUATIONS, Described, describe_file

if TYPE_CHECKING:
    from counterpoise.data.trade_store import TradeStore

__all__ = ["STEPS", "ImportOptions", "import_trade"]

STEPS = ("read", "check", "keep", "keys")
"""What `import_trade` reports to ``progress`` while it reads a file; then, of each year, `ORDERS` and ``sums``."""

Progress = Callable[[str, int, int], None]

_OF_A_YEAR = (*ORDERS, "sums")
_ROW_GROUP = 122_880
_INFO = SourceInfo("trade", "Trade by HS6", "not stated", "as imported", "value_usd in USD, quantity_tonnes in tonnes")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is to be read, where it does not say so itself.

    Attributes
    ----------
    title, vintage, licence, revision
        Where the file comes from; what its name says by default.
    basis, valuation
        One of `BASES` and of `VALUATIONS`.
    pad_hs
        Give codes of five digits their leading zero back; how many is recorded.
    drop_unknown
        Leave out lines of countries that `counterpoise.data.codes` does not know; how many is recorded.
    """

    title: str = ""
    vintage: str = ""
    licence: str = ""
    revision: str = ""
    basis: str = BASES[0]
    valuation: str = VALUATIONS[0]
    pad_hs: bool = False
    drop_unknown: bool = False

    def __post_init__(self) -> None:
        """Check the words."""
        problems = [
            f"{name} '{value}' is unknown{did_you_mean(value, known) or ';'} expected {', '.join(known)}"
            for name, value, known in (("basis", self.basis, BASES), ("valuation", self.valuation, VALUATIONS))
            if value not in known
        ]
        if self.revision and not re.fullmatch(r"HS(92|96|02|07|12|17|22)", self.revision):
            problems.append(
                f"revision '{self.revision}' is unknown; expected HS92, HS96, HS02, HS07, HS12, HS17 or HS22"
            )
        raise_all(InputError, "the options of the import cannot be used", problems)


def import_trade(
    source: Path | str,
    folder: Path | str | None = None,
    *,
    year: int | None = None,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> TradeStore:
    """Import trade by HS6 into a store.

    Parameters
    ----------
    source
        BACI as CEPII publishes it (``t,i,j,k,v,q``; CSV or the zip archive; countries as numbers, thousand USD,
        tonnes), or a table of named columns as CSV or Parquet: origin or exporter, destination or importer (ISO3), hs
        or hs6 (text of six digits), value_usd or value_thousand_usd and, if known, quantity_t and year.
    folder
        The store; `counterpoise.data.trade_store.default_store` by default.
    year
        Take this year only; needed where neither the file nor its name states one. All years of the file otherwise.
    options
        What the file does not say of itself.
    progress
        Called as ``progress(step, k, count)`` when a step begins: `STEPS` of each file, then those of each year; and
        with the share done while it goes on.

    Returns
    -------
    The store, opened.

    Raises
    ------
    InputError
        If no year is known, or the year is not in the file.
    DataError
        If the file is cut off, its header is wrong, or lines have no value, a negative one, an unknown country, an HS
        code that is not six digits, or a key that stands twice: every fault with its line and column. The store is as
        it was.

    Notes
    -----
    A country's trade with itself (re-imports) is left out, and counted in the manifest. A year appears in the store
    when it is complete; a year that is there already is replaced in one move. Memory stays near a gigabyte, whatever
    the size of the file: DuckDB sorts on disk, in a folder beside the store that is gone afterwards. The file is read
    once, whatever the number of its years.
    """
    from counterpoise.data.trade_store import TradeStore, default_store

    path, chosen = Path(source).expanduser(), options or ImportOptions()
    root = default_store() if folder is None else Path(folder).expanduser()
    if not path.is_file():
        raise InputError(f"{path} is not a file; expected a CSV, zip or Parquet file of trade by HS6")
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; expected the folder of the store")
    peek = peek_at(path)
    members = members_of(peek, () if year is None else (year,)) if peek.kind == "zip" else {}
    described = describe_file(path, next(iter(members.values()), ""))
    if not members and year is not None and described.year not in (None, year):
        raise InputError(f"{path.name} is of {described.year}, not of {year}")
    root.mkdir(parents=True, exist_ok=True)
    _require_space(path, root)
    steps = _Steps(progress, len(STEPS) * max(len(members), 1) + len(_OF_A_YEAR) * max(len(members), 1))
    with _told(path), Reading(peek, _INFO, "", (), inside=root, progress=steps) as reading:
        columns = read_trade(
            peek,
            reading,
            years=tuple(members),
            stated_year=described.year if year is None else year,
            pad_hs=chosen.pad_hs,
            drop_unknown=chosen.drop_unknown,
        )
        years = _years(reading, year)
        steps.expect(len(_OF_A_YEAR) * len(years))
        job = _Job(reading, described, chosen, steps, columns)
        finished = [job.write(one, members.get(one, "")) for one in years]
        for folder_of_year in finished:
            _publish(folder_of_year, root)
    return TradeStore.open(root)


class _Steps:
    """Tell which step of how many it is, and the share of it that is done."""

    def __init__(self, progress: Progress | None, count: int) -> None:
        self._progress, self._done, self._count = progress, 0, count

    def __call__(self, step: str, share: float) -> None:
        if share == 0.0:
            self._done += 1
        if self._progress is not None:
            self._progress(f"{step} {share:.0%}" if share else step, self._done, max(self._count, self._done))

    def expect(self, count: int) -> None:
        """Say how many steps follow."""
        self._count = self._done + count


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Turn a disk or memory that runs out into words."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise DataError(f"{path.name}: DuckDB could not go on ({error}); is the disk of the store full?") from error


def _years(reading: Reading, wanted: int | None) -> tuple[int, ...]:
    """Return the years to write."""
    there = tuple(int(row[0]) for row in reading.query(f"SELECT DISTINCT year FROM {reading.relation} ORDER BY 1"))
    if wanted is None:
        return there
    if wanted not in there:
        raise InputError(f"{reading.peek.name} has no line of {wanted}; it has {', '.join(map(str, there))}")
    return (wanted,)


def _require_space(path: Path, root: Path) -> None:
    """Raise where the disk cannot hold what is written beside the store while it is made."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size += max((info.file_size for info in archive.infolist()), default=0)
    wanted, free = 2 * size + (64 << 20), shutil.disk_usage(root).free
    if free < wanted:
        raise InputError(
            f"{root} has {free / 1e9:.1f} GB free; importing {path.name} takes up to {wanted / 1e9:.1f} GB for a "
            "while. Make room, or name a store on another disk"
        )


def _publish(folder: Path, root: Path) -> None:
    """Move a complete year into the store; what was there is kept until the move is done."""
    target = root / folder.name
    old = folder.parent / f"old-{folder.name}"
    if target.exists():
        target.replace(old)
    try:
        folder.replace(target)
    except OSError:
        if old.exists():
            old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


class _Job:
    """The checked lines of a file, written year by year, sorted three ways."""

    def __init__(
        self,
        reading: Reading,
        described: Described,
        options: ImportOptions,
        steps: _Steps,
        columns: dict[str, str],
    ) -> None:
        self.reading, self.described, self.options, self.steps = reading, described, options, steps
        self.columns = columns

    def write(self, year: int, member: str) -> Path:
        """Write a year below the folder of the reading and return its folder; ``manifest.json`` is written last."""
        out = self.reading.folder / f"year={year}"
        out.mkdir()
        self._encode(year)
        orders = ("origin, destination, hs", "destination, origin, hs", "hs, origin, destination")
        for order, columns in zip(ORDERS, orders, strict=True):
            self.steps(f"{year} {order}", 0.0)
            self._copy(
                f"SELECT origin, destination, hs, value_usd, quantity_t FROM lines ORDER BY {columns}",
                out / f"{order}.parquet",
            )
        self.steps(f"{year} sums", 0.0)
        with_quantity = "coalesce(sum(value_usd) FILTER (WHERE quantity_t IS NOT NULL), 0)"
        for file, side in (("sold", "origin"), ("bought", "destination")):
            self._copy(
                f"SELECT {side}, hs, sum(value_usd) AS value_usd, sum(quantity_t) AS quantity_t, "
                f"{with_quantity} AS value_with_quantity_usd FROM lines GROUP BY ALL ORDER BY {side}, hs",
                out / f"{file}.parquet",
            )
        self._copy(
            "SELECT origin, destination, sum(value_usd) AS value_usd, sum(quantity_t) AS quantity_t, "
            "count(*) AS lines FROM lines GROUP BY ALL ORDER BY origin, destination",
            out / "totals.parquet",
        )
        manifest = self._manifest(year, member, out)
        (out / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return out

    def _encode(self, year: int) -> None:
        """Put the lines of a year into a table whose labels and codes are the numbers of their place in the alphabet.

        Two bytes each: sorting and writing them takes a third of what text takes, and Parquet holds them as text.
        """
        source = f"{self.reading.relation} WHERE year = {year}"
        sets = {
            "country": f"SELECT exporter FROM {source} UNION SELECT importer FROM {source} ORDER BY 1",
            "code": f"SELECT DISTINCT hs6 FROM {source} ORDER BY 1",
        }
        execute = self.reading.connection.execute
        execute("DROP TABLE IF EXISTS lines")
        for name, words in sets.items():
            listed = ", ".join(literal(word) for (word,) in self.reading.query(words))
            execute(f"DROP TYPE IF EXISTS {name}")
            execute(f"CREATE TYPE {name} AS ENUM ({listed})")
        execute(
            "CREATE TABLE lines AS SELECT exporter::country AS origin, importer::country AS destination, "
            f"hs6::code AS hs, value_usd, quantity_tonnes AS quantity_t FROM {source}"
        )

    def _copy(self, sql: str, target: Path) -> None:
        self.reading.connection.execute(
            f"COPY ({sql}) TO {literal(str(target))} "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {_ROW_GROUP})"
        )

    def _manifest(self, year: int, member: str, out: Path) -> dict[str, Any]:
        options, described, read = self.options, self.described, self.reading.provenance
        totals = f"read_parquet({literal(str(out / 'totals.parquet'))}, hive_partitioning = false)"
        importers = [row[0] for row in self.reading.query(f"SELECT DISTINCT destination FROM {totals} ORDER BY 1")]
        countries = [row[0] for row in self.reading.query("SELECT unnest(enum_range(NULL::country))::VARCHAR")]
        kept, total, quantity = self.reading.query(
            "SELECT count(*), sum(value_usd), sum(value_usd) FILTER (WHERE quantity_t IS NOT NULL) FROM lines"
        )[0]
        files = [
            {"name": file.name, "bytes": file.stat().st_size, "sha256": digest(file)} for file in sorted(out.iterdir())
        ]
        return {
            "format": FORMAT,
            "year": year,
            "source": {
                "title": options.title or described.title or read.file,
                "file": read.file,
                "member": member,
                "bytes": read.bytes,
                "sha256": read.sha256,
                "vintage": options.vintage or described.vintage or "not stated",
                "licence": options.licence or described.licence or "not stated",
                "columns": self.columns,
            },
            "revision": options.revision or described.revision or "not stated",
            "valuation": options.valuation,
            "basis": options.basis,
            "units": {"value_usd": "USD a year", "quantity_t": "tonnes"},
            # Of the whole file; what is kept is of the year.
            "rows_read": read.rows_read,
            "rows_dropped": {d.reason: d.rows for d in read.dropped},
            "notes": list(read.notes),
            "rows_kept": int(kept),
            "value_usd": float(total or 0.0),
            "value_with_quantity_usd": float(quantity or 0.0),
            "countries": countries,
            "importers": importers,
            "files": files,
        }
