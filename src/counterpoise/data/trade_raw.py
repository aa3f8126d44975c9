"""A raw file of trade by HS6, read into DuckDB and checked line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.data.codes import countries
from counterpoise.data.trade_files import BASES, VALUATIONS, Layout, describe_file, label_of, layout_of

__all__ = ["SHOWN", "ImportOptions", "RawTrade", "quoted"]

_MEMORY = "700MB"
SHOWN = 50
"""Faulty lines of one kind that a message names."""


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


class RawTrade:
    """One file being imported: a raw copy with a row number, parsed and checked by SQL."""

    def __init__(
        self,
        path: Path,
        member: str,
        text: Path,
        staged: Path,
        options: ImportOptions,
        tell: Callable[[str], None],
    ) -> None:
        import duckdb

        self.path, self.member, self.text, self.staged = path, member, text, staged
        self.options, self.tell = options, tell
        self.shown = f"{path.name}, {member}" if member else path.name
        self.described = describe_file(path, member)
        self.database: duckdb.DuckDBPyConnection = duckdb.connect(
            str(staged / "work.duckdb"), config={"memory_limit": _MEMORY, "temp_directory": str(staged / "spill")}
        )
        # DuckDB draws its bar on standard output, where data belong.
        self.database.execute("SET enable_progress_bar = false")
        self.tell("read")
        self.is_parquet = text.suffix == ".parquet"
        self.rejected: list[tuple[int, str, str]] = []
        self.layout = self._read()
        self._parse()

    def close(self) -> None:
        """Close the working database and remove what is not part of the store."""
        self.database.close()
        for name in ("work.duckdb", "raw.parquet"):
            (self.staged / name).unlink(missing_ok=True)

    def sql(self, text: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run SQL; a disk or memory that runs out is told in words."""
        import duckdb

        try:
            return self.database.execute(text, dict(values or {})).fetchall()
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise DataError(
                f"{self.shown}: DuckDB could not go on ({error}); is the disk of the store full?"
            ) from error

    # Reading

    def _read(self) -> Layout:
        if self.is_parquet:
            return self._read_parquet()
        with self.text.open("rb") as handle:
            head = handle.readline(1 << 16)
        try:
            line = head.decode("utf-8-sig").strip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.shown}, line 1: not UTF-8 text ({error.reason}); expected a CSV file") from error
        if not line.strip():
            raise DataError(f"{self.shown}, line 1: empty; expected a header")
        mark = max(",;\t", key=line.count)
        names = [name.strip().strip('"') for name in line.split(mark)]
        layout = layout_of(names, self.shown)
        columns = "{" + ", ".join(f"'c{k}': 'VARCHAR'" for k in range(len(names))) + "}"
        # store_rejects keeps what has too few or too many cells, with its line; nothing is skipped silently.
        self.sql(
            f"""
            CREATE VIEW text AS SELECT * FROM read_csv({quoted(self.text)}, header = true, delim = '{mark}',
                quote = '"', escape = '"', columns = {columns}, auto_detect = false, store_rejects = true,
                strict_mode = true, rejects_limit = 1000, max_line_size = 1048576)
            """
        )
        raw = self.staged / "raw.parquet"
        self.sql(f"COPY (SELECT * FROM text) TO {quoted(raw)} (FORMAT parquet, COMPRESSION snappy)")
        self.rejected = [
            (int(at), str(column or ""), str(error).split("\n")[0])
            for at, column, error in self.sql(
                "SELECT DISTINCT line, column_name, error_message FROM reject_errors ORDER BY line, column_name"
            )
        ]
        self._fail_structural(names)
        self.raw, self.first_line = raw, 2
        self.cell = {role: f"trim(c{names.index(name)})" for role, name in layout.columns.items()}
        return layout

    def _fail_structural(self, names: list[str]) -> None:
        """Raise for lines with too few or too many cells: the last line of a file that is cut off is one."""
        last = max((at for at, _, _ in self.rejected), default=0)
        problems: list[str] = []
        for at, _, error in {at: entry for entry in reversed(self.rejected) if (at := entry[0])}.values():
            cells = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", error)
            count = f"{cells.group(2)} cells, expected {len(names)} ({','.join(names)})" if cells else error
            problems.append(f"line {at}: {count}")
        if self.rejected and not self.ends_with_newline():
            problems.append(f"the file ends in the middle of line {last}: it may be cut off; download it again")
        raise_all(DataError, f"{self.shown} cannot be used", sorted(problems, key=_line_number))

    def ends_with_newline(self) -> bool:
        """Say whether the last line of the text is ended."""
        with self.text.open("rb") as handle:
            handle.seek(-1, 2)
            return handle.read(1) == b"\n"

    def _read_parquet(self) -> Layout:
        import duckdb

        try:
            described = self.database.execute(f"DESCRIBE SELECT * FROM read_parquet({quoted(self.text)})").fetchall()
        except duckdb.Error as error:
            raise DataError(
                f"{self.shown} is not a readable Parquet file ({str(error).splitlines()[0]}); it may be cut off"
            ) from error
        types = {str(name): str(kind) for name, kind, *_ in described}
        layout = layout_of(list(types), self.shown)
        hs = layout.columns["hs"]
        if types[hs] != "VARCHAR" and not types[hs].startswith("ENUM"):
            raise DataError(
                f"{self.shown}, column {hs}: holds numbers ({types[hs]}); HS codes are text: '010121' as a number "
                "has lost its zero. Write the column as text of six digits"
            )
        self.raw, self.first_line = self.text, 1
        self.cell = {role: f'trim("{name}"::VARCHAR)' for role, name in layout.columns.items()}
        for role in ("value", "quantity", "year"):
            if role in layout.columns:
                self.cell[role] = f'"{layout.columns[role]}"'
        return layout

    # Parsing and checking

    def _parse(self) -> None:
        """Make the view ``parsed``: line, year, origin, destination, hs, value_usd, quantity_t, and the raw cells."""
        layout, cell = self.layout, self.cell
        texts = "SELECT {} AS text FROM read_parquet({})"
        raw = quoted(self.raw)
        found = self.sql(
            f"{texts.format(cell['origin'], raw)} UNION {texts.format(cell['destination'], raw)} ORDER BY text"
        )
        known = {text: label for (text,) in found if text is not None and (label := label_of(text))}
        self.sql("CREATE TABLE places (text VARCHAR PRIMARY KEY, iso3 VARCHAR)")
        self.sql(
            "INSERT INTO places SELECT unnest($text), unnest($iso3)",
            {"text": list(known), "iso3": list(known.values())},
        )
        hs = f"CASE WHEN {cell['hs']} ~ '^[0-9]{{5}}$' THEN '0' || {cell['hs']} ELSE {cell['hs']} END"
        absent = "('', 'NA', 'NaN', 'nan', 'null', '.')"
        quantity = cell.get("quantity", "NULL")
        if self.is_parquet:
            year = f"try_cast({cell['year']} AS INTEGER)" if "year" in cell else "NULL::INTEGER"
            value, has_quantity = (
                f"try_cast({cell['value']} AS DOUBLE)",
                f"({quantity} IS NOT NULL AND NOT isnan({quantity}::DOUBLE))",
            )
        else:
            year = f"try_cast({cell['year']} AS INTEGER)" if "year" in cell else "NULL::INTEGER"
            value, has_quantity = f"try_cast({cell['value']} AS DOUBLE)", f"coalesce({quantity} NOT IN {absent}, false)"
        self.sql(
            f"""
            CREATE VIEW parsed AS SELECT
                file_row_number + {self.first_line} AS line, {year} AS year,
                o.iso3 AS origin, d.iso3 AS destination,
                {hs if self.options.pad_hs else cell["hs"]} AS hs,
                {value} * {layout.usd_per_unit} AS value_usd,
                CASE WHEN {has_quantity} THEN try_cast({quantity} AS DOUBLE) END AS quantity_t,
                {has_quantity} AS has_quantity,
                {cell["origin"]} AS origin_text, {cell["destination"]} AS destination_text, {cell["hs"]} AS hs_text,
                {cell["value"]}::VARCHAR AS value_text, ({quantity})::VARCHAR AS quantity_text,
                {cell.get("year", "NULL")}::VARCHAR AS year_text
            FROM read_parquet({raw}, file_row_number = true) f
            LEFT JOIN places o ON {cell["origin"]} = o.text LEFT JOIN places d ON {cell["destination"]} = d.text
            """
        )

    def years(self, wanted: int | None) -> tuple[int, ...]:
        """Return the years to import.

        Raises
        ------
        InputError
            If none is known, or the wanted one is not in the file.
        """
        named = self.described.year
        if "year" not in self.layout.columns:
            if wanted is None and named is None:
                raise InputError(
                    f"{self.shown} states no year, neither in a column nor in its name; name it with --year"
                )
            if wanted is not None and named is not None and wanted != named:
                raise InputError(f"{self.shown} is of {named}, not of {wanted}")
            return (wanted if wanted is not None else named or 0,)
        bad = self.sql(
            "SELECT line, year_text FROM parsed WHERE year IS NULL OR year NOT BETWEEN 1900 AND 2100 "
            f"ORDER BY line LIMIT {SHOWN}"
        )
        raise_all(
            DataError,
            f"{self.shown} cannot be used",
            [f"{self._at(line)}, column {self.layout.columns['year']}: {text!r} is no year" for line, text in bad],
        )
        there = tuple(int(row[0]) for row in self.sql("SELECT DISTINCT year FROM parsed ORDER BY 1"))
        if not there:
            raise DataError(f"{self.shown} holds no line below its header; expected one per flow")
        if wanted is None:
            return there
        if wanted not in there:
            raise InputError(f"{self.shown} has no line of {wanted}; it has {', '.join(map(str, there))}")
        return (wanted,)

    def _at(self, line: int) -> str:
        return f"{'row' if self.is_parquet else 'line'} {line}"

    def check(self, year: int) -> dict[str, int]:
        """Raise for every faulty line of a year, with line and column; return how many lines are left out and why."""
        self.tell("check")
        column = {role: name for role, name in self.layout.columns.items()}
        lost = "; the leading zero is lost: write HS codes as text of six digits, or import with --pad-hs"
        tests: list[tuple[str, str, str, str]] = [
            ("hs", "hs IS NULL OR NOT regexp_full_match(hs, '[0-9]{6}')", "hs_text", "is not an HS code of six digits"),
            ("value", "value_usd IS NULL OR NOT isfinite(value_usd)", "value_text", "is not a number"),
            ("value", "value_usd < 0", "value_text", "is negative; expected 0 or more"),
            (
                "quantity",
                "has_quantity AND (quantity_t IS NULL OR NOT isfinite(quantity_t))",
                "quantity_text",
                "is neither a number nor NA",
            ),
            ("quantity", "quantity_t < 0", "quantity_text", "is negative; expected 0 or more"),
        ]
        unknown = "{0} IS NULL"
        if not self.options.drop_unknown:
            words = "is an unknown country; expected an ISO3 code, or a number of M49, BACI or UN Comtrade"
            tests += [(side, unknown.format(side), f"{side}_text", words) for side in ("origin", "destination")]
        flags = ", ".join(f"count(*) FILTER (WHERE {test})" for _, test, _, _ in tests)
        either = " OR ".join(f"({unknown.format(side)})" for side in ("origin", "destination"))
        where = self.of(year)
        lines, loops, strange, padded, *counts = self.sql(
            f"""
            SELECT count(*), count(*) FILTER (WHERE origin = destination),
                   count(*) FILTER (WHERE ({either}) AND origin IS DISTINCT FROM destination),
                   count(*) FILTER (WHERE length(hs_text) = 5 AND length(hs) = 6), {flags}
            FROM parsed WHERE {where}
            """
        )[0]
        if not lines:
            raise DataError(f"{self.shown} holds no line below its header; expected one per flow")
        problems: list[tuple[int, str]] = []
        total = 0
        for (role, test, text, words), count in zip(tests, counts, strict=True):
            total += int(count)
            if not count:
                continue
            for line, seen in self.sql(
                f"SELECT line, {text} FROM parsed WHERE {where} AND ({test}) ORDER BY line LIMIT {SHOWN}"
            ):
                hint = lost if role == "hs" and re.fullmatch(r"[0-9]{5}", str(seen)) else ""
                if role in ("origin", "destination"):
                    hint = did_you_mean(str(seen), [country.iso3 for country in countries()])
                problems.append((int(line), f"{self._at(line)}, column {column[role]}: {seen!r} {words}{hint}"))
        if total:
            last = self.sql(f"SELECT max(line) FROM parsed WHERE {where}")[0][0]
            cut = any(line == last for line, _ in problems) and not self.is_parquet and not self.ends_with_newline()
            if cut:
                problems.append((int(last) + 1, "the file ends without a line end there: it may be cut off"))
            listed = [text for _, text in sorted(problems)]
            if total > len(listed):
                listed.append(f"{total - len(listed)} more lines like these")
            raise_all(DataError, f"{self.shown} cannot be used", listed)
        dropped = {"a country's trade with itself": int(loops), "unknown countries": int(strange)}
        self.padded = int(padded)
        self.lines = int(lines)
        return {reason: count for reason, count in dropped.items() if count}

    def of(self, year: int) -> str:
        """Return the SQL condition of a line of a year."""
        return f"year = {year}" if "year" in self.layout.columns else "TRUE"


def _line_number(problem: str) -> int:
    found = re.match(r"line (\d+)", problem)
    return int(found.group(1)) if found else 1 << 60


def quoted(path: Path) -> str:
    """Return a path as an SQL string."""
    text = str(path).replace("'", "''")
    return f"'{text}'"
