"""Trade by HS6 as a raw table: which column is what, and what a cell must look like; of BACI and of any other table.

BACI's columns: ``t`` year, ``i`` exporter, ``j`` importer (numbers of UN Comtrade), ``k`` HS6, ``v`` thousand current
USD FOB, ``q`` metric tons, padded with blanks, ``NA`` where absent. Files of before 2020 call ``k`` ``hs6``, and their
codes have lost the leading zero. Other tables name their columns (`ROLES`), and write codes as text of six digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.data.readers.delimited import Drop, Layout, add_delimited, add_rows, digits, first_lines, number, year
from counterpoise.data.readers.peek import Peek, fields_of
from counterpoise.data.readers.reading import Reading, literal, quoted

__all__ = ["KEY", "ROLES", "columns_of", "members_of", "read_trade"]

KEY = ("year", "exporter", "importer", "hs6")
"""No two rows of the tidy table share these."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "year": ("year", "t", "period"),
    "exporter": ("exporter", "origin", "exporter_iso3", "i"),
    "importer": ("importer", "destination", "importer_iso3", "j"),
    "hs6": ("hs6", "hs", "product", "k"),
    "value": ("value_usd", "value_thousand_usd", "v"),
    "quantity": ("quantity_tonnes", "quantity_t", "q"),
}
"""What a column may be called, by what it is; year and quantity may lack."""

_THOUSAND = ("value_thousand_usd", "v")
_OPTIONAL = ("year", "quantity")


def columns_of(names: Sequence[str], label: str) -> dict[str, str]:
    """Recognise which column of a header is what.

    Returns
    -------
    Name in the file by role of `ROLES`; roles that lack are not in it.

    Raises
    ------
    DataError
        If a column is missing, given twice or could be two things; the message shows the header and what is expected.
    """
    folded = [name.casefold() for name in names]
    columns: dict[str, str] = {}
    problems: list[str] = []
    for role, words in ROLES.items():
        found = [names[folded.index(word)] for word in words if word in folded]
        if len(found) > 1:
            problems.append(f"{role}: the columns {', '.join(found)} say the same; keep one")
        elif found:
            columns[role] = found[0]
        elif role not in _OPTIONAL:
            near = next((w for w in (did_you_mean(name, words) for name in names) if w), "")
            problems.append(f"{role}: no column {' or '.join(words)}{near}")
    problems += [
        f"column '{name}' stands twice" for name in sorted({n for n in names if folded.count(n.casefold()) > 1})
    ]
    raise_all(
        DataError,
        f"{label}, line 1: the header is {','.join(names)}; expected that of BACI (t,i,j,k,v,q) or of a table (origin, "
        "destination, hs, value_usd and, if known, quantity_t and year)",
        problems,
    )
    return columns


def members_of(peek: Peek, years: Sequence[int] = ()) -> dict[int, str]:
    """Return the yearly files of an archive by year; of some years only, if they are named.

    Raises
    ------
    InputError
        If the archive does not hold a year that is asked for.
    DataError
        If it holds no yearly file.
    """
    found = {
        int(m[1]): name
        for name in sorted(peek.members)
        if (m := re.search(r"_Y((?:19|20)\d\d)", name)) and name.casefold().endswith(".csv")
    }
    if not found:
        raise DataError(
            f"{peek.name} holds no file named like BACI_HS17_Y2023_V202501.csv; it holds {_list(peek.members)}"
        )
    lacking = [y for y in years if y not in found]
    if lacking:
        raise InputError(f"{peek.name} lacks {_list(lacking)}; it holds {_list(found)}")
    return {y: found[y] for y in sorted(years or found)}


def _list(names: Sequence[object] | Mapping[int, str]) -> str:
    return ", ".join(map(str, names))


def read_trade(
    peek: Peek,
    reading: Reading,
    *,
    years: Sequence[int] = (),
    stated_year: int | None = None,
    pad_hs: bool = False,
    drop_unknown: bool = False,
) -> dict[str, str]:
    """Read trade by HS6: columns exporter, importer, hs6, year, value_usd, quantity_tonnes (NULL where absent).

    Parameters
    ----------
    years
        Which yearly files of an archive; all by default.
    stated_year
        The year of a file that has no column of it.
    pad_hs
        Give codes of five digits their leading zero back, as it is always done for BACI; how many is noted.
    drop_unknown
        Leave out rows of unknown countries, and count them; else they are an error.

    Returns
    -------
    Name in the file by role of `ROLES`.

    Raises
    ------
    InputError
        If no year is known, or the archive lacks one that is asked for.
    DataError
        If the file is cut off, its header is another, cells are at fault, or a key stands twice: every fault with its
        line and column.

    Notes
    -----
    A country's trade with itself (re-imports, or two codes of one country) is left out, and counted.
    """
    columns: dict[str, str] = {}

    def layout(names: Sequence[str], label: str, delimiter: str = ",") -> Layout:
        columns.clear()
        columns.update(columns_of(names, label))
        if "year" not in columns and stated_year is None:
            raise InputError(f"{label} states no year, neither in a column nor in its name; name it with --year")
        return _layout(
            columns, stated_year, pad=pad_hs or columns["exporter"] == "i", drop_unknown=drop_unknown, mark=delimiter
        )

    def add_text(path: Path, label: str, encoding: str) -> None:
        (head,) = first_lines(path, encoding, 1)
        mark = max(",;\t", key=head.count)
        add_delimited(reading, path, label, layout(fields_of(head, mark), label, mark), encoding)

    if peek.kind == "zip":
        for name in members_of(peek, years).values():
            with reading.member(name) as path:
                add_text(path, Path(name).name, "utf-8")
    elif peek.kind == "parquet":
        _add_parquet(peek, reading, layout(peek.header, peek.name))
    elif peek.kind == "text":
        add_text(peek.path, peek.name, peek.encoding)
    else:
        raise DataError(f"{peek.name} is a file of the kind {peek.kind}; expected CSV, zip or Parquet of trade by HS6")
    if "quantity" not in columns:
        reading.note("the file has no quantities")
    reading.finish(KEY)
    return columns


def _layout(columns: Mapping[str, str], stated_year: int | None, *, pad: bool, drop_unknown: bool, mark: str) -> Layout:
    """Return how the raw table becomes the tidy one."""
    k, v, scale = (
        quoted(columns["hs6"]),
        quoted(columns["value"]),
        1000 if columns["value"].casefold() in _THOUSAND else 1,
    )
    hint = "" if pad else "; where the leading zero is lost, write it as text of six digits, or import with --pad-hs"
    checks = [digits(columns["hs6"], 5 if pad else 6, 6, hint=hint), number(columns["value"], absent=False)]
    notes = {"an HS code of five digits got its leading zero": f"length(trim({k})) = 5"} if pad else {}
    select = {
        "hs6": f"lpad(trim({k}), 6, '0')",
        "year": f"{stated_year}::INTEGER",
        "value_usd": f"{v}::DOUBLE * {scale}",
        "quantity_tonnes": "NULL::DOUBLE",
    }
    if "year" in columns:
        checks.append(year(columns["year"]))
        select["year"] = f"trim({quoted(columns['year'])})::INTEGER"
    if "quantity" in columns:
        q = quoted(columns["quantity"])
        checks.append(number(columns["quantity"]))
        select["quantity_tonnes"] = f"try_cast({q} AS DOUBLE)"
        notes = {"the quantity is absent (NA)": f"coalesce(trim({q}::VARCHAR), '') IN ('', 'NA')", **notes}
    return Layout(
        select=select,
        countries={side: columns[side] for side in ("exporter", "importer")},
        required=tuple(columns.values()),
        checks=checks,
        delimiter=mark,
        notes=notes,
        tidy_drop=Drop("exporter = importer", "a country's trade with itself"),
        drop_unknown=drop_unknown,
    )


def _add_parquet(peek: Peek, reading: Reading, layout: Layout) -> None:
    """Read a Parquet table: text is text, numbers stay numbers, a NaN of a quantity is absent."""
    path = literal(str(peek.path))
    try:
        types = {
            str(name): str(kind) for name, kind, *_ in reading.query(f"DESCRIBE SELECT * FROM read_parquet({path})")
        }
        columns = columns_of(list(types), peek.name)
        kind = types[columns["hs6"]]
        if kind != "VARCHAR" and not kind.startswith("ENUM"):
            raise DataError(
                f"{peek.name}, column {columns['hs6']}: holds numbers ({kind}); HS codes are text: '010121' as a "
                "number has lost its zero. Write the column as text of six digits"
            )
        cells = {role: f"{quoted(name)}::VARCHAR" for role, name in columns.items()}
        cells["value"] = quoted(columns["value"])
        if "quantity" in columns and types[columns["quantity"]] in ("DOUBLE", "FLOAT"):
            q = quoted(columns["quantity"])
            cells["quantity"] = f"CASE WHEN NOT isnan({q}) THEN {q} END"
        listed = ", ".join(f"{cell} AS {quoted(columns[role])}" for role, cell in cells.items())
        rows = f"SELECT {listed}, file_row_number + 1 AS _line FROM read_parquet({path}, file_row_number = true)"
        add_rows(reading, rows, peek.name, layout, unit="row")
    except duckdb.Error as error:
        raise DataError(
            f"{peek.name} is not a readable Parquet file ({str(error).splitlines()[0]}); it may be cut off"
        ) from error
