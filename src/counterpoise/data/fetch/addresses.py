"""Where each public source can be fetched: our table ``addresses.csv``, which a file of the user can extend."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from counterpoise.core.errors import InputError, did_you_mean, raise_all

__all__ = ["ADDRESSES_VARIABLE", "Address", "address", "addresses"]

ADDRESSES_VARIABLE = "COUNTERPOISE_ADDRESSES"
"""Environment variable: a CSV with the columns of ``addresses.csv`` whose rows replace or extend the shipped ones."""

_COLUMNS = ("name", "source", "title", "vintage", "url", "file", "licence", "bytes", "sha256", "page")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a raw file is published.

    Attributes
    ----------
    name
        What ``data fetch`` calls it.
    source
        One of `counterpoise.data.readers.READERS`.
    title, vintage, licence
        What it is.
    url
        Where it is fetched; empty where the publisher asks for a form or a login.
    file
        Name in the cache.
    bytes
        Size the publisher states; None where unknown.
    sha256
        What the contents must be; empty where the publisher changes the file in place.
    page
        Where people find it.
    """

    name: str
    source: str
    title: str
    vintage: str
    url: str
    file: str
    licence: str
    bytes: int | None
    sha256: str
    page: str


def _rows(text: str, where: str) -> list[Address]:
    reader = csv.DictReader(text.splitlines())
    lacking = [c for c in _COLUMNS if c not in (reader.fieldnames or ())]
    raise_all(InputError, f"{where}, line 1", [f"column '{c}' is missing" for c in lacking])
    out: list[Address] = []
    problems: list[str] = []
    for row in reader:
        size, url, sha = row["bytes"].strip(), row["url"].strip(), row["sha256"].strip().lower()
        if size and not size.isdigit():
            problems.append(f"line {reader.line_num}, column bytes: '{size}'; expected a whole number or nothing")
        if url and not url.startswith(("https://", "http://")):
            problems.append(f"line {reader.line_num}, column url: '{url}'; expected https://... or nothing")
        if sha and (len(sha) != 64 or set(sha) - set("0123456789abcdef")):
            problems.append(
                f"line {reader.line_num}, column sha256: '{sha}'; expected 64 hexadecimal digits or nothing"
            )
        if row["file"] != Path(row["file"]).name:
            problems.append(f"line {reader.line_num}, column file: '{row['file']}'; expected a name without folders")
        if not problems:
            given = {c: row[c].strip() for c in _COLUMNS}
            out.append(Address(**{**given, "bytes": int(size) if size else None, "sha256": sha}))  # pyright: ignore[reportArgumentType]
    raise_all(InputError, f"{where} cannot be used", problems)
    return out


def addresses(extra: Path | str | None = None) -> dict[str, Address]:
    """Return the addresses by name: the shipped ones, then those of the user's file.

    Parameters
    ----------
    extra
        A CSV as ``addresses.csv``; `ADDRESSES_VARIABLE` by default.

    Raises
    ------
    InputError
        If the user's file is not there, or at fault: every fault with its line.
    """
    shipped = resources.files("counterpoise.data.fetch").joinpath("addresses.csv").read_text(encoding="utf-8")
    known = {row.name: row for row in _rows(shipped, "addresses.csv")}
    named = str(extra) if extra is not None else os.environ.get(ADDRESSES_VARIABLE, "")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise InputError(f"{path} does not exist; expected a CSV of addresses, see {ADDRESSES_VARIABLE}")
        known |= {row.name: row for row in _rows(path.read_text(encoding="utf-8"), path.name)}
    return known


def address(name: str, extra: Path | str | None = None) -> Address:
    """Return an address by its name.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    known = addresses(extra)
    if name not in known:
        raise InputError(f"unknown source file '{name}'{did_you_mean(name, known)} Known: {', '.join(known)}")
    return known[name]
