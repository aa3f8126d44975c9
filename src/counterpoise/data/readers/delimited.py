"""Read delimited text of any size through DuckDB: every cell a string, every check with line and column.

All columns come in as text, so that codes keep their zeros. A layout says how tidy columns are made, which rows are
left out and why, and what a cell must look like. The text is split into cells once, on all cores, and kept as a raw
table beside its line numbers; one pass over that counts what is wrong, and only where something is, a second finds the
lines.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

import duckdb

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.data.codes import countries, country
from counterpoise.data.readers.peek import fields_of
from counterpoise.data.readers.reading import Reading, literal, quoted

__all__ = [
    "Check",
    "Drop",
    "Layout",
    "add_delimited",
    "add_rows",
    "digits",
    "first_lines",
    "number",
    "one_of",
    "require_header",
    "year",
]

_MOST = 20


@dataclass(frozen=True, slots=True)
class Check:
    """What a cell must look like.

    Attributes
    ----------
    column
        Raw column.
    bad
        SQL condition, true where the cell is at fault.
    expected
        What was expected, in words.
    """

    column: str
    bad: str
    expected: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Which rows are left out.

    Attributes
    ----------
    where
        SQL condition over raw columns. It is judged before the checks: what is left out need not be well-formed. Of
        `Layout.tidy_drop`: over tidy columns, and judged after the checks.
    reason
        Why, in words.
    """

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a delimited file becomes a tidy table.

    Attributes
    ----------
    select
        SQL expression over raw columns, by tidy column.
    countries
        Raw column that holds a country code, by tidy column. Unknown codes are an error, unless ``drop_unknown``.
    checks, drops
        See `Check` and `Drop`.
    required
        Raw columns that must be there.
    delimiter, quote
        Of the file.
    skip
        Lines before the header.
    resolve
        Returns the label of a country code; raises InputError where it is unknown.
    notes
        SQL condition by note: the note is taken down, with the number of rows, where the condition holds.
    tidy_drop
        Which rows of the tidy table are left out.
    drop_unknown
        Leave out rows of unknown countries, and count them.
    """

    select: Mapping[str, str]
    countries: Mapping[str, str]
    required: Sequence[str]
    checks: Sequence[Check] = ()
    drops: Sequence[Drop] = ()
    delimiter: str = ","
    quote: str = '"'
    skip: int = 0
    resolve: Callable[[str], str] = field(default=lambda code: country(code).iso3)
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    tidy_drop: Drop | None = None
    drop_unknown: bool = False


def number(column: str, *, absent: bool = True, negative: bool = False) -> Check:
    """Expect a finite number; empty and NA are absent numbers where ``absent``."""
    name = quoted(column)
    bad = f"coalesce(NOT isfinite(try_cast({name} AS DOUBLE)), true)"
    if not negative:
        bad = f"({bad} OR try_cast({name} AS DOUBLE) < 0)"
    if absent:
        bad = f"({bad} AND coalesce(trim({name}::VARCHAR), '') NOT IN ('', 'NA'))"
    words = "a number" if negative else "a number of zero or more"
    return Check(column, bad, words + (" (or NA where it is absent)" if absent else ""))


def year(column: str) -> Check:
    """Expect a year, 1900 to 2100."""
    name = f"trim({quoted(column)})"
    return Check(
        column,
        f"(NOT regexp_full_match(coalesce({name}, ''), '[0-9]{{4}}') "
        f"OR try_cast({name} AS INT) NOT BETWEEN 1900 AND 2100)",
        "a year of four digits",
    )


def digits(column: str, least: int, most: int, *, hint: str = "") -> Check:
    """Expect a code of so many digits; the hint says how to mend it."""
    words = (f"{least} digits" if least == most else f"{least} to {most} digits") + hint
    return Check(
        column,
        f"NOT regexp_full_match(coalesce(trim({quoted(column)}), ''), '[0-9]{{{least},{most}}}')",
        f"a code of {words}",
    )


def one_of(column: str, values: Sequence[str]) -> Check:
    """Expect one of some words."""
    listed = ", ".join(literal(v) for v in values)
    return Check(
        column,
        f"coalesce(trim({quoted(column)}), '') NOT IN ({listed})",
        "one of " + ", ".join(v or "nothing" for v in values),
    )


def require_header(name: str, seen: Sequence[str], required: Sequence[str]) -> None:
    """Check that a header has the columns that are needed.

    Raises
    ------
    DataError
        If columns lack or repeat; each is named with its nearest neighbour.
    """
    problems = [f"column '{c}' is missing{did_you_mean(c, seen)}" for c in required if c not in seen]
    problems += [f"column '{c}' stands twice" for c in dict.fromkeys(seen) if c and list(seen).count(c) > 1]
    raise_all(
        DataError,
        f"{name}, line 1: the header is not as expected; seen {', '.join(seen[:60])}; "
        f"expected at least {', '.join(required)}",
        problems,
    )


def add_delimited(reading: Reading, path: Path, label: str, layout: Layout, encoding: str) -> None:
    """Check a delimited file and keep it as the next part of the tidy table.

    Parameters
    ----------
    path
        The file, unpacked or gzip.
    label
        How messages call it.

    Raises
    ------
    DataError
        If the file is cut off, its header is another, or cells are at fault: every fault with its line and column.
    """
    header, trailing = _header(path, label, layout, encoding)
    require_header(label, header, layout.required)
    columns = [*header, *(["_trailing"] if trailing else [])]
    _require_whole(path, label, header, layout)
    spec = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in columns)
    raw = reading.folder / "raw.parquet"
    text = (
        f"read_csv({literal(str(path))}, columns = {{{spec}}}, "
        f"auto_detect = false, header = true, skip = {layout.skip}, delim = {literal(layout.delimiter)}, "
        f"quote = {literal(layout.quote)}, escape = {literal(layout.quote)}, encoding = {literal(encoding)}, "
        f"strict_mode = true, null_padding = false, max_line_size = {reading.block_bytes // 8}, "
        f"buffer_size = {reading.block_bytes})"
    )
    try:
        reading.run(f"COPY (SELECT * FROM {text}) TO {literal(str(raw))} (FORMAT parquet)", "read")
        table = f"read_parquet({literal(str(raw))}, file_row_number = true)"
        rows = f"SELECT * EXCLUDE file_row_number, file_row_number + {layout.skip + 2} AS _line FROM {table}"
        add_rows(reading, rows, label, layout)
    except duckdb.Error as error:
        raise DataError(_csv_words(label, layout, columns, error)) from error
    finally:
        raw.unlink(missing_ok=True)


def add_rows(reading: Reading, rows: str, label: str, layout: Layout, *, unit: str = "line") -> None:
    """Check raw rows and keep them as the next part of the tidy table.

    Parameters
    ----------
    rows
        SQL that selects the raw columns, and ``_line``: where a row stands in the file.
    label
        How messages call the file.
    unit
        What ``_line`` counts: ``line`` or ``row``.

    Raises
    ------
    DataError
        If cells are at fault: every fault with its line and column.
    """
    reading.connection.execute(f"CREATE OR REPLACE TEMP VIEW raw AS {rows}")
    mapping, left = _check(reading, label, layout, unit)
    _keep(reading, label, layout, mapping, left)


def first_lines(path: Path, encoding: str, count: int) -> list[str]:
    """Return the first lines of a file, unpacked or gzip, with their line ends; what lacks is empty."""
    opened = gzip.open(path, "rt", encoding=encoding) if _packed(path) else path.open(encoding=encoding)
    with cast("TextIO", opened) as handle:
        return [handle.readline().removeprefix("\ufeff") for _ in range(count)]


def _header(path: Path, label: str, layout: Layout, encoding: str) -> tuple[list[str], bool]:
    """Return the column names, and whether data lines end with one more, empty field than the header."""
    lines = first_lines(path, encoding, layout.skip + 2)
    if not lines[layout.skip].strip():
        raise DataError(f"{label}, line {layout.skip + 1}: there is no header; expected {', '.join(layout.required)}")
    header = list(fields_of(lines[layout.skip], layout.delimiter))
    first = fields_of(lines[layout.skip + 1], layout.delimiter) if lines[layout.skip + 1].strip() else ()
    if not first:
        raise DataError(f"{label} ends after its header: it is cut off; download it again")
    if header[-1] == "" and len(first) == len(header):
        header[-1] = "_empty"
    return header, len(first) == len(header) + 1 and first[-1] == ""


def _packed(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def _require_whole(path: Path, label: str, header: Sequence[str], layout: Layout) -> None:
    """Check that the last line has its line end: a download that broke inside its last number has none."""
    if _packed(path):
        return
    with path.open("rb") as handle:
        handle.seek(-1, 2)
        if handle.read(1) in (b"\n", b"\r"):
            return
        handle.seek(0)
        count, tail = 0, b""
        while piece := handle.read(1 << 20):
            count += piece.count(b"\n")
            tail = (tail + piece)[-200:]
    last = tail.rsplit(b"\n", 1)[-1].decode("utf-8", "replace")
    column = header[min(len(fields_of(last, layout.delimiter)), len(header)) - 1]
    raise DataError(
        f"{label}, line {count + 1}, column {column}: the file ends inside a line, '{last[-80:]}'; expected a line "
        "end after the last row. It is cut off: download it again (if it is whole, add a line end)"
    )


def _check(reading: Reading, label: str, layout: Layout, unit: str) -> tuple[dict[str, dict[str, str]], int]:
    """Count faults and dropped rows in one pass; return the label of each country code by raw column, and rows left."""
    kept = " AND ".join(f"NOT coalesce({d.where}, false)" for d in layout.drops) or "true"
    raw_columns = list(dict.fromkeys(layout.countries.values()))
    parts = ["count(*)"]
    taken = "true"
    for drop in layout.drops:
        parts.append(f"count(*) FILTER (WHERE {taken} AND coalesce({drop.where}, false))")
        taken += f" AND NOT coalesce({drop.where}, false)"
    parts += [f"count(*) FILTER (WHERE {kept} AND {c.bad})" for c in layout.checks]
    parts += [f"count(*) FILTER (WHERE {kept} AND {n})" for n in layout.notes.values()]
    parts += [f"list(DISTINCT coalesce(trim({quoted(c)}), '')) FILTER (WHERE {kept})" for c in raw_columns]
    found = reading.ask(f"SELECT {', '.join(parts)} FROM raw", "check")[0]
    reading.count(int(found[0]))
    at, left = 1, int(found[0])
    for drop in layout.drops:
        reading.drop(drop.reason, int(found[at]))
        left -= int(found[at])
        at += 1
    faulty = [c for k, c in enumerate(layout.checks) if found[at + k]]
    total = sum(int(found[at + k]) for k in range(len(layout.checks)))
    at += len(layout.checks)
    for note in layout.notes:
        if found[at]:
            reading.note(f"{found[at]:,} {'row' if found[at] == 1 else 'rows'}: {note}")
        at += 1
    mapping: dict[str, dict[str, str]] = {}
    strangers: list[tuple[str, str]] = []
    for k, column in enumerate(raw_columns):
        mapping[column] = {}
        for code in sorted(found[at + k] or []):
            try:
                mapping[column][code] = layout.resolve(code)
            except InputError:
                strangers.append((column, code))
    if layout.drop_unknown and strangers:
        unknown = " OR ".join(f"coalesce(trim({quoted(c)}), '') = {literal(code)}" for c, code in strangers)
        lost = int(reading.query(f"SELECT count(*) FROM raw WHERE {kept} AND ({unknown})")[0][0])
        reading.drop("unknown countries", lost)
        left -= lost
        strangers = []
    renamed = sorted({f"{k} is {v}" for found in mapping.values() for k, v in found.items() if len(k) == 3 and k != v})
    if any(name[0].isalpha() for name in renamed):
        reading.note("labels of countries: " + ", ".join(name for name in renamed if name[0].isalpha()))
    problems = _located(reading, layout, kept, faulty, strangers, unit)
    if problems:
        missing = total + len(strangers) - len(problems)
        if missing > 0:
            problems.append(f"and {missing} more")
        raise_all(
            DataError, f"{label} cannot be used; correct these cells, or download it again", problems, most=_MOST + 1
        )
    return mapping, left


def _located(
    reading: Reading,
    layout: Layout,
    kept: str,
    faulty: Sequence[Check],
    strangers: Sequence[tuple[str, str]],
    unit: str,
) -> list[str]:
    """Find the lines of the first faults."""
    wanted = [(c.column, c.bad, c.expected) for c in faulty]
    wanted += [
        (column, f"coalesce(trim({quoted(column)}), '') = {literal(code)}", _unknown(code))
        for column, code in strangers[:_MOST]
    ]
    out: list[tuple[int, str]] = []
    for column, bad, expected in wanted:
        least = _MOST if not expected.startswith("a country") else 1
        rows = reading.query(
            f"SELECT _line, {quoted(column)} FROM raw WHERE {kept} AND {bad} ORDER BY _line LIMIT {least}"
        )
        for line, cell in rows:
            seen = "nothing" if cell is None else f"'{str(cell).strip()}'"
            out.append((int(line), f"{unit} {line}, column {column}: {seen}; expected {expected}"))
    return [text for _, text in sorted(out)[:_MOST]]


def _unknown(code: str) -> str:
    near = did_you_mean(code, [known.iso3 for known in countries()]) if code.isalpha() else ""
    return f"a country code, but '{code}' is unknown{near}"


def _keep(
    reading: Reading, label: str, layout: Layout, mapping: Mapping[str, Mapping[str, str]], expected: int
) -> None:
    """Write the tidy rows as the next part, of so many that are expected before the last are dropped."""
    connection = reading.connection
    joins, labels = "", dict[str, str]()
    for k, (tidy, column) in enumerate(layout.countries.items()):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE code_{k} (code VARCHAR, label VARCHAR)")
        if mapping[column]:
            connection.executemany(
                f"INSERT INTO code_{k} VALUES (?, ?)", [list(pair) for pair in mapping[column].items()]
            )
        joins += f" JOIN code_{k} ON coalesce(trim(raw.{quoted(column)}), '') = code_{k}.code"
        labels[tidy] = f"code_{k}.label"
    kept = " AND ".join(f"NOT coalesce({d.where}, false)" for d in layout.drops) or "true"
    columns = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in {**labels, **layout.select}.items())
    drop = layout.tidy_drop
    condition = f" WHERE NOT ({drop.where})" if drop else ""
    rows = f"SELECT {columns}, {literal(label)} AS _file, raw._line AS _line FROM raw{joins} WHERE {kept}"
    # The raw rows stream past the small tables of codes, in the order of the file; the optimizer may turn that round.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    part = reading.part(f"SELECT * FROM ({rows}){condition}", step="keep")
    connection.execute("RESET disabled_optimizers")
    if drop:
        written = int(reading.query(f"SELECT count(*) FROM read_parquet({literal(str(part))})")[0][0])
        reading.drop(drop.reason, expected - written)


def _csv_words(label: str, layout: Layout, columns: Sequence[str], error: duckdb.Error) -> str:
    """Turn an error of DuckDB's CSV reader into one message with its line."""
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    original = re.search(r"Original Line: ?(.*)", text)
    count = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    place = f"{label}, line {line[1]}" if line else label
    shown = f" '{original[1].strip()[:120]}'" if original else ""
    if count:
        last = columns[min(int(count[2]), len(columns)) - 1] if int(count[2]) else columns[0]
        return (
            f"{place}, column {last}: {count[2]} fields{shown}; expected {count[1]}: {', '.join(columns[:20])}. "
            "The file is cut off or damaged there; download it again"
        )
    if "Out of Memory" in text or ("memory" in text.lower() and "limit" in text.lower()):
        return f"{label} needs more memory than allowed; set COUNTERPOISE_MEMORY=4GB, or read one year at a time"
    first = next((x for x in text.splitlines() if x.strip()), text)
    return f"{place}{shown}: {first.strip()}; expected text with the separator '{layout.delimiter}'; download it again"
