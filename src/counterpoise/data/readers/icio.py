"""OECD Inter-Country Input-Output tables, editions of 2016 to 2025: CSV, one line per selling industry, million USD.

All labels come from the file: rows and columns are ``COUNTRY_INDUSTRY``, final demand columns are ``COUNTRY_CATEGORY``
(``HFCE``, ``GFCF``...). The edition is told by the codes of the first industry: ``01T03`` and ``D01T03`` up to 2018,
``01T02`` in 2021, ``A01_02`` in 2023, ``A01`` and ``A02`` apart in 2025. Some editions cut China and Mexico into parts
(``CN1``, ``MX2``): the parts are added to their country.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from counterpoise.core.errors import DataError, InputError, raise_all
from counterpoise.data.codes import country
from counterpoise.data.readers.peek import Peek, fields_of
from counterpoise.data.readers.provenance import SourceInfo
from counterpoise.data.readers.reading import Reading
from counterpoise.data.readers.wide import KEY, Line, Use, keep_wide

__all__ = ["INFO", "read", "recognise"]

INFO = SourceInfo(
    "icio",
    "Inter-Country Input-Output tables (OECD)",
    "CC BY 4.0",
    "basic prices; taxes less subsidies on products stand apart",
    "value_usd in current USD",
)

_TOTAL_ROWS = ("OUT", "OUTPUT")
_TOTAL_COLUMNS = ("OUT", "TOTAL", "OUTPUT")
_VALUE_ADDED = ("VA", "VALU")
_TAXES = ("TLS", "TAXSUB")
_FINAL = ("HFCE", "NPISH", "NPS", "GGFC", "GFCF", "INVNT", "INV", "DIRP", "DPABR", "P33", "FD", "NONRES", "DISC", "HC")
_PARTS = {"CN1": "CHN", "CN2": "CHN", "MX1": "MEX", "MX2": "MEX", "MX3": "MEX", "CN3": "CHN", "CN4": "CHN"}
_LABEL = re.compile(r"([A-Z]{3}|[A-Z]{2}\d)_(\w+)")
_MARKS = ((2023, {"A01_02"}), (2025, {"A01"}), (2021, {"01T02", "D01T02"}), (2018, {"01T03", "D01T03"}))
_YEARS = {2021: (1995, 2018), 2023: (1995, 2020), 2025: (1995, 2022)}


def _edition(header: Sequence[str]) -> int | None:
    """Return the edition by the codes of agriculture; None where none is there."""
    codes = {m[2] for label in header if (m := _LABEL.fullmatch(label))}
    for edition, marks in (
        (2023, {"A01_02"}),
        (2025, {"A01"}),
        (2021, {"01T02", "D01T02"}),
        (2018, {"01T03", "D01T03"}),
    ):
        if marks & codes:
            return edition
    return None


def recognise(peek: Peek) -> str | None:
    """Say which edition a file is of, with what shows it; None where it is not of the OECD's tables."""
    if peek.kind not in ("text", "zip") or len(peek.header) < 4:
        return None
    labelled = [h for h in peek.header[1:] if _LABEL.fullmatch(h)]
    if len(labelled) < 0.8 * (len(peek.header) - 1) or not any(h.endswith(("_HFCE", "_GFCF")) for h in labelled):
        return None
    edition = _edition(peek.header)
    countries = len({h[:3] for h in labelled})
    shown = f"{len(peek.header) - 1} columns, {countries} countries, first industry {labelled[0]}"
    return f"OECD ICIO, edition {edition or 'unknown'}: {shown}"


def read(peek: Peek, reading: Reading, *, year: int | None = None) -> None:
    """Read a table: origin, sector, destination, use, kind, value_usd.

    Sales to industries have kind ``intermediate``, sales to final users ``final`` (``use`` is the category). Value
    added and taxes less subsidies on products have origin = destination and the sector ``value_added`` or ``taxes``.

    Parameters
    ----------
    year
        Which year of an archive that holds several.

    Raises
    ------
    InputError
        If an archive holds several years and none is chosen, or not the one that is.
    DataError
        If the file is cut off, labels are unknown, or numbers are at fault.
    """
    if peek.kind == "zip":
        name = _member(peek, year)
        with reading.member(name) as path:
            _read_csv(peek, reading, path, Path(name).name)
    else:
        _read_csv(peek, reading, peek.path, peek.name)


def _member(peek: Peek, year: int | None) -> str:
    tables = [n for n in peek.members if n.lower().endswith(".csv")]
    if year is not None:
        tables = [n for n in tables if str(year) in Path(n).name]
    if len(tables) != 1:
        held = ", ".join(n for n in peek.members if n.lower().endswith(".csv"))
        raise InputError(f"{peek.name} holds {held}; choose one with year=, as year={year or 2020}")
    return tables[0]


def _read_csv(peek: Peek, reading: Reading, path: Path, label: str) -> None:
    header, names = _labels(path, peek.encoding, label)
    sellers = {m[2] for name in names if (m := _LABEL.fullmatch(name)) and m[2] not in _TAXES}
    uses = _uses(label, header, names, sellers)
    held = frozenset(v for k, v in _PARTS.items() if any(name.startswith(k + "_") for name in names))
    keep_wide(reading, uses, _lines(path, peek.encoding, label, len(header)), held=held)
    reading.finish(KEY)
    if held:
        reading.note(f"parts are added to their country: {', '.join(sorted(held))}")
    edition = _edition(header)
    years = [int(y) for y in re.findall(r"(?:19|20)\d\d", label)]
    if edition in years and len(years) > 1:
        years.remove(edition)
    reading.vintage(str(years[-1]) if years else "year not in the name")
    limits = _YEARS.get(edition or 0)
    if limits and years and not limits[0] <= years[-1] <= limits[1]:
        reading.note(f"edition {edition} was published for {limits[0]} to {limits[1]}; the name says {years[-1]}")


def _labels(path: Path, encoding: str, label: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the header and the first field of each line; check that every line has as many fields as the header."""
    problems: list[str] = []
    names: list[str] = []
    with path.open(encoding=encoding) as handle:
        first = handle.readline()
        header = fields_of(first.removeprefix("﻿"))
        commas = first.count(",")
        line = ""
        for number, line in enumerate(handle, start=2):
            if not line.strip():
                continue
            seen = line.count(",")
            names.append(line.split(",", 1)[0].strip().strip('"'))
            if seen != commas:
                column = header[min(seen, len(header) - 1)]
                problems.append(f"line {number}, column {column}: {seen + 1} fields; expected {commas + 1}")
            elif not line.endswith("\n"):
                problems.append(f"line {number}, column {header[-1]}: the file ends inside a line, '{line[-40:]}'")
    for number, name in enumerate(names, start=2):
        found = _LABEL.fullmatch(name)
        if found is None and name not in (*_TOTAL_ROWS, *_VALUE_ADDED, *_TAXES):
            known = ", ".join((*_VALUE_ADDED, *_TAXES, *_TOTAL_ROWS))
            problems.append(f"line {number}, column 1: '{name}' is no COUNTRY_INDUSTRY and none of {known}")
        elif found is not None:
            try:
                _country(found[1])
            except InputError as error:
                problems.append(f"line {number}, column 1: '{name}': {error}")
    doubled = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    problems += [f"line {names.index(n) + 2}, column 1: the row '{n}' stands twice" for n in doubled]
    raise_all(DataError, f"{label} cannot be used: it is cut off or damaged; download it again", problems)
    if not names:
        raise DataError(f"{label} ends after its header: it is cut off; download it again")
    return header, names


def _country(code: str) -> str:
    """Return the label of a country of the table; ROW is the rest of the world."""
    return "ROW" if code == "ROW" else country(_PARTS.get(code, code)).iso3


def _uses(label: str, header: Sequence[str], names: Sequence[str], sellers: set[str]) -> list[Use]:
    uses: list[Use] = []
    problems: list[str] = []
    rows = set(names)
    for column in header[1:]:
        found = _LABEL.fullmatch(column)
        if column in _TOTAL_COLUMNS:
            uses.append(Use("", column, final=False, total=True))
            continue
        if found is None and column in _FINAL:
            uses.append(Use("ROW", column, final=True))
            continue
        if found is None:
            problems.append(f"line 1, column {column}: is no COUNTRY_INDUSTRY; expected as DEU_C29 or DEU_HFCE")
            continue
        final = found[2] not in sellers
        if not final and column not in rows:
            problems.append(f"line 1, column {column}: buys, but no line of that name sells")
        if final and found[2] not in _FINAL:
            problems.append(
                f"line 1, column {column}: '{found[2]}' is neither an industry of the lines nor a final use"
            )
        try:
            uses.append(Use(_country(found[1]), found[2], final=final))
        except InputError as error:
            problems.append(f"line 1, column {column}: {error}")
    raise_all(DataError, f"{label}: the header is not as expected", problems)
    return uses


def _lines(path: Path, encoding: str, label: str, width: int) -> Iterator[Line]:
    """Yield the lines, one at a time."""
    with path.open(encoding=encoding) as handle:
        handle.readline()
        for number, text in enumerate(handle, start=2):
            if not text.strip():
                continue
            name, *cells = [c.strip().strip('"') for c in text.rstrip("\r\n").split(",")]
            values = _numbers(label, number, cells)
            found = _LABEL.fullmatch(name)
            if name in _TOTAL_ROWS:
                yield Line(f"line {number}", "", name, "total", values)
            elif name in _VALUE_ADDED:
                yield Line(f"line {number}", "", "value_added", "value_added", values)
            elif name in _TAXES or (found and found[2] in _TAXES):
                # Of the editions of 2016 and 2018: taxes that users pay on what comes from one country.
                origin = _country(found[1]) if found else ""
                yield Line(f"line {number}", origin, "taxes", "taxes", values)
            elif found:
                yield Line(f"line {number}", _country(found[1]), found[2], "intermediate", values)


def _numbers(label: str, number: int, cells: Sequence[str]) -> np.ndarray:
    """Return the numbers of a line; an empty cell is zero, as in the published files."""
    try:
        return np.array([float(c) if c else 0.0 for c in cells])
    except ValueError:
        for k, cell in enumerate(cells, start=2):
            try:
                float(cell or 0)
            except ValueError as error:
                raise DataError(f"{label}, line {number}, column {k}: '{cell}'; expected a number") from error
        raise
