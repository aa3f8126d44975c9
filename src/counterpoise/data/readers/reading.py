"""A raw file being read: checked in DuckDB with bounded memory, kept as Parquet parts in a folder of its own.

Nothing is written where the user looks before every check has passed: `Reading.write` puts the finished table in its
place in one move.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import duckdb
import numpy as np

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.core.storage import atomic_path
from counterpoise.data.readers.peek import Peek
from counterpoise.data.readers.provenance import METADATA_KEY, Dropped, Provenance, SourceInfo, digest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEMORY_VARIABLE", "Reading", "literal", "quoted"]

MEMORY_VARIABLE = "COUNTERPOISE_MEMORY"
"""Environment variable: the most memory that DuckDB takes while reading, as 2GB."""

_MEMORY = "1GB"


def literal(text: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return a column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Reading:
    """A raw file being read; use it in a ``with`` statement.

    Parameters
    ----------
    peek
        The file.
    info
        The source.
    edition, evidence
        What was recognised, and by what.
    inside
        Where the folder of the parts is made; among the system's temporary files by default.
    progress
        Called as ``progress(step, share)`` when a step of what takes long begins, with share 0, and while it goes on.
    """

    block_bytes = 8_000_000
    """Text that one core splits into cells at a time; a line is at most an eighth of it."""

    def __init__(
        self,
        peek: Peek,
        info: SourceInfo,
        edition: str,
        evidence: Sequence[str],
        *,
        inside: Path | None = None,
        progress: Callable[[str, float], None] | None = None,
    ) -> None:
        self.peek, self._progress = peek, progress
        self._folder = tempfile.TemporaryDirectory(prefix=".counterpoise-" if inside else "counterpoise-", dir=inside)
        self.folder = Path(self._folder.name)
        self.connection = duckdb.connect()
        # Rows keep the order of the file, so that a fault can be named by its line.
        memory = os.environ.get(MEMORY_VARIABLE) or _MEMORY
        try:
            self.connection.execute(f"SET memory_limit = {literal(memory)}")
        except duckdb.Error as error:
            self.close()
            raise InputError(f"{MEMORY_VARIABLE} is '{memory}'; expected a size, as 2GB or 700MB") from error
        self.connection.execute(f"SET temp_directory = {literal(str(self.folder / 'spill'))}")
        # DuckDB tells its progress when asked, and draws no bar on standard output, where data belong.
        self.connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        self.parts: list[Path] = []
        self._dropped: dict[str, int] = {}
        self._notes: list[str] = []
        self._rows_read = 0
        self._kept = 0
        self._provenance = Provenance(
            info.name, info.title, info.licence, info.valuation, info.unit, edition, "", peek.name,
            digest(peek.path), peek.path.stat().st_size, tuple(evidence),
        )  # fmt: skip

    def __enter__(self) -> Reading:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close DuckDB and remove the parts."""
        self.close()

    def close(self) -> None:
        """Close DuckDB and remove the parts."""
        self.connection.close()
        self._folder.cleanup()

    @property
    def provenance(self) -> Provenance:
        """What is known so far."""
        return replace(
            self._provenance,
            rows_read=self._rows_read,
            rows_kept=self._kept,
            dropped=tuple(Dropped(reason, rows) for reason, rows in self._dropped.items()),
            notes=tuple(self._notes),
        )

    def count(self, rows: int) -> None:
        """Add to the number of rows read."""
        self._rows_read += rows

    def drop(self, reason: str, rows: int) -> None:
        """Record rows that are left out."""
        if rows:
            self._dropped[reason] = self._dropped.get(reason, 0) + rows

    def note(self, text: str) -> None:
        """Record what a reader should know, once."""
        if text not in self._notes:
            self._notes.append(text)

    def vintage(self, text: str) -> None:
        """Record which years the data are of."""
        self._provenance = replace(self._provenance, vintage=text)

    def unit(self, text: str) -> None:
        """Record the unit where the file states it."""
        self._provenance = replace(self._provenance, unit=text)

    def part(self, select: str, *, step: str = "") -> Path:
        """Keep the rows of a query as the next part of the tidy table."""
        path = self.folder / f"part-{len(self.parts):05d}.parquet"
        self.run(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)", step)
        self.parts.append(path)
        return path

    def rows(self, rows: Iterable[Sequence[object]], columns: Mapping[str, str], *, batch: int = 100_000) -> None:
        """Keep rows made in Python as the next part, in batches.

        Parameters
        ----------
        columns
            Arrow type by column name: ``string``, ``double`` or ``int32``.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = cast("Any", pa)
        types = {"string": arrow.string(), "double": arrow.float64(), "int32": arrow.int32()}
        schema = arrow.schema([arrow.field(name, types[kind]) for name, kind in columns.items()])
        path = self.folder / f"part-{len(self.parts):05d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for chunk in _batches(rows, batch):
                values = [list(column) for column in zip(*chunk, strict=True)]
                arrays = [arrow.array(v, types[kind]) for v, kind in zip(values, columns.values(), strict=True)]
                writer.write_batch(arrow.record_batch(arrays, schema=schema))
        self.parts.append(path)

    def arrays(self, batches: Iterable[tuple[Mapping[str, tuple[np.ndarray, Sequence[str]]], np.ndarray]]) -> None:
        """Keep long blocks of a table of labels and one number as the next part.

        Parameters
        ----------
        batches
            Of each block: by column, the positions (int32) and the labels they point to; and ``value_usd``.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = cast("Any", pa)
        path = self.folder / f"part-{len(self.parts):05d}.parquet"
        writer: Any = None
        try:
            for labels, values in batches:
                columns = {
                    name: arrow.DictionaryArray.from_arrays(arrow.array(at, arrow.int32()), arrow.array(list(words)))
                    for name, (at, words) in labels.items()
                }
                table = arrow.table({**columns, "value_usd": arrow.array(values, arrow.float64())})
                writer = writer or cast("Any", pq).ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            self.parts.append(path)

    @property
    def relation(self) -> str:
        """The tidy table as an SQL relation."""
        files = ", ".join(literal(str(part)) for part in self.parts)
        return f"read_parquet([{files}])"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(sql).fetchall()

    def ask(self, sql: str, step: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query that takes long; see `run`."""
        self.run(sql, step)
        return self.connection.fetchall()

    def run(self, sql: str, step: str) -> None:
        """Execute SQL that takes long, and tell how far it is, in tenths."""
        if self._progress is None or not step:
            self.connection.execute(sql)
            return
        tell, done = self._progress, Event()
        tell(step, 0.0)

        def watch() -> None:
            told = 0
            while not done.wait(1.0):
                tenths = int(self.connection.query_progress() // 10)
                if told < tenths < 10:
                    told = tenths
                    tell(step, tenths / 10)

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            self.connection.execute(sql)
        finally:
            done.set()
            watcher.join()

    def finish(self, key: Sequence[str]) -> None:
        """Count the table and check that no key repeats.

        Raises
        ------
        DataError
            If the table is empty, or a key occurs twice; each is named.
        """
        columns = ", ".join(quoted(k) for k in key)
        self._kept = int(self.query(f"SELECT count(*) FROM {self.relation}")[0][0])
        if self._kept == 0:
            raise DataError(
                f"{self.peek.name} holds no row that can be used"
                + "".join(f"; {d.rows} dropped: {d.reason}" for d in self.provenance.dropped)
            )
        # Grouping numbers is several times faster than grouping words: only where hashes meet are keys compared.
        self.run(
            f"CREATE OR REPLACE TEMP TABLE met AS SELECT hash({columns}) AS h FROM {self.relation} "
            "GROUP BY h HAVING count(*) > 1",
            "keys",
        )
        repeated = (
            self.query(
                f"SELECT {columns}, count(*) AS n FROM {self.relation} WHERE hash({columns}) IN (SELECT h FROM met) "
                f"GROUP BY {columns} HAVING n > 1 ORDER BY {columns} LIMIT 50"
            )
            if self.query("SELECT count(*) FROM met")[0][0]
            else []
        )
        raise_all(
            DataError,
            f"{self.peek.name} holds the same key more than once; expected one row per {', '.join(key)}",
            [
                f"{', '.join(f'{k} {v}' for k, v in zip(key, row[:-1], strict=True))}: {row[-1]} rows"
                + self._lines_of(key, row[:-1])
                for row in repeated
            ],
        )

    def _lines_of(self, key: Sequence[str], values: Sequence[object]) -> str:
        """Return on which lines a key stands, where the parts know."""
        names = {r[0] for r in self.query(f"DESCRIBE SELECT * FROM {self.relation}")}
        if "_line" not in names:
            return ""
        where = " AND ".join(f"{quoted(k)} = ?" for k in key)
        lines = self.connection.execute(
            f"SELECT _file, _line FROM {self.relation} WHERE {where} ORDER BY ALL LIMIT 3", list(values)
        ).fetchall()
        return " on lines " + ", ".join(
            f"{line}" if len(self.parts) == 1 else f"{line} of {file}" for file, line in lines
        )

    def frame(self) -> pd.DataFrame:
        """Return the tidy table as a frame."""
        return self.connection.execute(f"SELECT {self._star} FROM {self.relation}").df()

    @property
    def _star(self) -> str:
        """The columns of the tidy table, without the file and line that faults are named by."""
        names = [r[0] for r in self.query(f"DESCRIBE SELECT * FROM {self.relation}")]
        return ", ".join(quoted(n) for n in names if n not in ("_file", "_line"))

    def write(self, path: Path) -> Path:
        """Write the tidy table as one Parquet file with its provenance; whole or not at all.

        Raises
        ------
        InputError
            If the suffix is not .parquet.
        """
        if path.suffix != ".parquet":
            raise InputError(f"{path}: the suffix '{path.suffix}' is not .parquet; tidy tables are written as Parquet")
        provenance = literal(json.dumps(self.provenance.as_json(), ensure_ascii=False))
        with atomic_path(path) as temporary:
            self.connection.execute(
                f"COPY (SELECT {self._star} FROM {self.relation}) TO {literal(str(temporary))} "
                f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{METADATA_KEY}: {provenance}}})"
            )
        return path

    @contextmanager
    def member(self, name: str) -> Generator[Path]:
        """Unpack a member of the archive into the folder of the reading, and remove it afterwards.

        Raises
        ------
        DataError
            If the archive is cut off or damaged.
        """
        target = self.folder / f"member-{len(self.parts)}{Path(name).suffix}"
        try:
            with zipfile.ZipFile(self.peek.path) as archive, archive.open(name) as packed, target.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
        except (zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
            raise DataError(
                f"{self.peek.name}, member {name}, cannot be unpacked ({error}): it is damaged; download it again"
            ) from error
        try:
            yield target
        finally:
            target.unlink(missing_ok=True)


def _batches(rows: Iterable[Sequence[object]], size: int) -> Iterator[list[Sequence[object]]]:
    chunk: list[Sequence[object]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
