"""Import a file of trade by HS6 into the store: checked line by line, sorted three ways, whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.trade_files import FORMAT, ORDERS, file_digest
from counterpoise.data.trade_raw import SHOWN, ImportOptions, RawTrade, quoted

if TYPE_CHECKING:
    from counterpoise.data.trade_store import TradeStore

__all__ = ["STEPS", "ImportOptions", "import_trade"]

STEPS = ("read", "check", *ORDERS, "sums", "write")
"""What `import_trade` reports to ``progress``, in this order, for every year."""

Progress = Callable[[str, int, int], None]

_ROW_GROUP = 122_880
_COUNTRY_BITS, _CODE_BITS = 10, 20


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
        Called as ``progress(step, k, count)`` when step k of `STEPS` begins.

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
    when it is complete; a year that is there already is replaced in one move. Memory stays below a gigabyte, whatever
    the size of the file: DuckDB sorts on disk, in a folder beside the store that is gone afterwards.
    """
    from counterpoise.data.trade_store import TradeStore, default_store

    def tell(step: str) -> None:
        if progress is not None:
            progress(step, STEPS.index(step) + 1, len(STEPS))

    path, chosen = Path(source).expanduser(), options or ImportOptions()
    root = default_store() if folder is None else Path(folder).expanduser()
    if not path.is_file():
        raise InputError(f"{path} is not a file; expected a CSV, zip or Parquet file of trade by HS6")
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; expected the folder of the store")
    root.mkdir(parents=True, exist_ok=True)
    _require_space(path, root)
    digest = file_digest(path)
    with tempfile.TemporaryDirectory(dir=root, prefix=".import-") as name:
        finished: list[Path] = []
        for k, member in enumerate(_members(path, year)):
            staged = Path(name) / str(k)
            staged.mkdir()
            with (
                _readable(path, member, staged) as text,
                closing(RawTrade(path, member, text, staged, chosen, tell)) as raw,
            ):
                job = _Job(raw, digest, tell)
                finished += [job.write(one) for one in raw.years(year)]
        for folder_of_year in finished:
            _publish(folder_of_year, root)
    return TradeStore.open(root)


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


def _members(path: Path, year: int | None) -> tuple[str, ...]:
    """Return the trade files in an archive, of one year if it is named; ``""`` for a file that is no archive."""
    if path.suffix.casefold() != ".zip":
        return ("",)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.casefold().endswith(".csv")]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is no whole zip archive ({error}); it may be cut off: download it again") from error
    trade = [name for name in names if re.search(r"_Y(19|20)[0-9]{2}", name)]
    if not trade:
        raise DataError(f"{path} holds no file named like BACI_HS17_Y2023_V202501.csv; it holds {', '.join(names)}")
    if year is None:
        return tuple(sorted(trade))
    wanted = [name for name in trade if f"_Y{year}" in name]
    if not wanted:
        years = sorted({m.group(1) for name in trade if (m := re.search(r"_Y([0-9]{4})", name))})
        raise InputError(f"{path} has no file of {year}; it has {', '.join(years)}")
    return tuple(wanted)


@contextmanager
def _readable(path: Path, member: str, staged: Path) -> Generator[Path]:
    """Give a plain file: the source itself, or a member of the archive unpacked for a while."""
    if not member:
        yield path
        return
    target = staged / "member.csv"
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed, target.open("wb") as handle:
            shutil.copyfileobj(packed, handle, 1 << 20)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(f"{path}, {member}: cannot be unpacked ({error}); download the archive again") from error
    yield target
    target.unlink()


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
    """One file being imported: its lines as whole-number keys, sorted and written three ways."""

    def __init__(self, raw: RawTrade, digest: str, tell: Callable[[str], None]) -> None:
        self.raw, self.digest, self._tell = raw, digest, tell

    def write(self, year: int) -> Path:
        """Write a year below the staging folder and return its folder; ``manifest.json`` is written last."""
        dropped = self.raw.check(year)
        out = self.raw.staged / f"year={year}"
        out.mkdir()
        self._encode(year)
        code = f"lpad((key & {(1 << _CODE_BITS) - 1})::VARCHAR, 6, '0')"
        at = {
            "origin": f"(key >> {_COUNTRY_BITS + _CODE_BITS})",
            "destination": f"((key >> {_CODE_BITS}) & {(1 << _COUNTRY_BITS) - 1})",
        }
        name = {side: f"enum_range(NULL::country)[{place} + 1]::VARCHAR" for side, place in at.items()}
        mask = (1 << _CODE_BITS) - 1
        swapped = f"({at['destination']} << {_COUNTRY_BITS + _CODE_BITS}) + ({at['origin']} << {_CODE_BITS})"
        orders = {
            "by_origin": "key",
            "by_destination": f"{swapped} + (key & {mask})",
            "by_product": f"((key & {mask}) << {2 * _COUNTRY_BITS}) + (key >> {_CODE_BITS})",
        }
        for order in ORDERS:
            self._tell(order)
            self._copy(
                f"SELECT {name['origin']} AS origin, {name['destination']} AS destination, {code} AS hs, value_usd, "
                f"quantity_t FROM lines ORDER BY {orders[order]}",
                out / f"{order}.parquet",
            )
        self._tell("sums")
        with_quantity = "coalesce(sum(value_usd) FILTER (WHERE quantity_t IS NOT NULL), 0)"
        for file, side in (("sold", "origin"), ("bought", "destination")):
            self._copy(
                f"SELECT {name[side]} AS {side}, {code} AS hs, sum(value_usd) AS value_usd, sum(quantity_t) AS "
                f"quantity_t, {with_quantity} AS value_with_quantity_usd FROM lines GROUP BY ALL ORDER BY {side}, hs",
                out / f"{file}.parquet",
            )
        self._copy(
            f"SELECT {name['origin']} AS origin, {name['destination']} AS destination, sum(value_usd) AS value_usd, "
            "sum(quantity_t) AS quantity_t, count(*) AS lines FROM lines GROUP BY ALL ORDER BY origin, destination",
            out / "totals.parquet",
        )
        self._tell("write")
        manifest = self._manifest(year, dropped, out)
        (out / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return out

    def _encode(self, year: int) -> None:
        """Put the lines of a year into a table of whole-number keys, and raise where a key stands twice."""
        where = self.raw.of(year)
        keep = f"{where} AND origin <> destination AND origin IS NOT NULL AND destination IS NOT NULL"
        names = [
            row[0]
            for row in self.raw.sql(
                f"SELECT origin FROM parsed WHERE {keep} UNION SELECT destination FROM parsed WHERE {keep} ORDER BY 1"
            )
        ]
        if not names:
            raise DataError(f"{self.raw.shown}: no line of {year} is left; every one was left out")
        self.raw.sql("DROP TABLE IF EXISTS lines")
        self.raw.sql("DROP TYPE IF EXISTS country")
        self.raw.sql("CREATE TYPE country AS ENUM (" + ", ".join(f"'{name}'" for name in names) + ")")
        self.raw.sql(
            f"""
            CREATE TABLE lines AS SELECT
                (enum_code(origin::country)::BIGINT << {_COUNTRY_BITS + _CODE_BITS})
                + (enum_code(destination::country)::BIGINT << {_CODE_BITS}) + hs::BIGINT AS key, value_usd, quantity_t
            FROM parsed WHERE {keep}
            """
        )
        (kept, distinct) = self.raw.sql("SELECT count(*), count(DISTINCT key) FROM lines")[0]
        self.kept = int(kept)
        if kept != distinct:
            twice = self.raw.sql(
                f"""
                SELECT string_agg(line::VARCHAR, ' and ' ORDER BY line), origin, destination, hs FROM parsed
                WHERE {keep} GROUP BY origin, destination, hs HAVING count(*) > 1 ORDER BY min(line) LIMIT {SHOWN}
                """
            )
            columns = ", ".join(self.raw.layout.columns[role] for role in ("origin", "destination", "hs"))
            word = "rows" if self.raw.is_parquet else "lines"
            raise_all(
                DataError,
                f"{self.raw.shown} cannot be used; expected one line per {columns}",
                [f"{word} {lines}, columns {columns}: {o} -> {d}, HS {hs} stands twice" for lines, o, d, hs in twice],
            )

    def _copy(self, sql: str, target: Path) -> None:
        self.raw.sql(
            f"COPY ({sql}) TO {quoted(target)} "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {_ROW_GROUP})"
        )

    def _manifest(self, year: int, dropped: Mapping[str, int], out: Path) -> dict[str, Any]:
        options, described = self.raw.options, self.raw.described
        countries = [row[0] for row in self.raw.sql("SELECT unnest(enum_range(NULL::country))::VARCHAR")]
        importers = [
            row[0]
            for row in self.raw.sql(f"SELECT DISTINCT destination FROM {_read(out / 'totals.parquet')} ORDER BY 1")
        ]
        total, quantity = self.raw.sql(
            "SELECT sum(value_usd), sum(value_usd) FILTER (WHERE quantity_t IS NOT NULL) FROM lines"
        )[0]
        files = [
            {"name": file.name, "bytes": file.stat().st_size, "sha256": file_digest(file)}
            for file in sorted(out.iterdir())
        ]
        return {
            "format": FORMAT,
            "year": year,
            "source": {
                "title": options.title or described.title or self.raw.path.name,
                "file": self.raw.path.name,
                "member": self.raw.member,
                "bytes": self.raw.path.stat().st_size,
                "sha256": self.digest,
                "vintage": options.vintage or described.vintage or "not stated",
                "licence": options.licence or described.licence or "not stated",
            },
            "revision": options.revision or described.revision or "not stated",
            "valuation": options.valuation,
            "basis": options.basis,
            "units": {"value_usd": "USD a year", "quantity_t": "tonnes"},
            "rows_read": self.raw.lines,
            "rows_kept": self.kept,
            "rows_dropped": dict(dropped),
            "codes_padded": self.raw.padded,
            "last_line_ended": self.raw.is_parquet or self.raw.ends_with_newline(),
            "value_usd": float(total or 0.0),
            "value_with_quantity_usd": float(quantity or 0.0),
            "countries": countries,
            "importers": importers,
            "files": files,
        }


def _read(path: Path) -> str:
    return f"read_parquet({quoted(path)}, hive_partitioning = false)"
