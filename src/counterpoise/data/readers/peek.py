"""Look at the beginning of a raw file without reading it: its text, its header, the members of an archive."""

from __future__ import annotations

import csv
import gzip
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from counterpoise.core.errors import DataError, SourceMissingError

__all__ = ["Peek", "fields_of", "peek_at", "year_named"]

_HEAD = 1 << 18


@dataclass(frozen=True, slots=True)
class Peek:
    """The beginning of a raw file.

    Attributes
    ----------
    path
        The file.
    kind
        ``text``, ``zip``, ``xlsx``, ``parquet`` or ``stata``.
    text
        The first 256 KiB as text; of an archive the beginning of its first data member; empty for a binary file.
    encoding
        ``utf-8`` or ``latin-1``.
    header
        Fields of the first line, or the columns of a Parquet file.
    members
        Names in an archive.
    """

    path: Path
    kind: str
    text: str
    encoding: str
    header: tuple[str, ...]
    members: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file name."""
        return self.path.name


def year_named(path: Path) -> str:
    """Return the year that a file's name says, else the one its folder says; empty where neither does."""
    for text in (path.name, path.parent.name):
        found = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)
        if found:
            return found[0]
    return ""


def fields_of(line: str, delimiter: str = ",") -> tuple[str, ...]:
    """Split a line of a delimited file into its fields, without the blanks and quotes around them."""
    rows = list(csv.reader([line.rstrip("\r\n")], delimiter=delimiter))
    return tuple(field.strip() for field in rows[0]) if rows else ()


def _decoded(raw: bytes, *, whole: bool) -> tuple[str, str]:
    body = raw.removeprefix(b"\xef\xbb\xbf")
    if not whole:
        # The piece may end inside a letter of several bytes: end it at a line.
        body = body[: body.rfind(b"\n") + 1] or body
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return body.decode("latin-1"), "latin-1"


def peek_at(path: Path) -> Peek:
    """Look at the beginning of a file.

    Raises
    ------
    SourceMissingError
        If there is no such file.
    DataError
        If it is empty, or an archive that is cut off or damaged.
    """
    if not path.is_file():
        raise SourceMissingError(f"{path} does not exist, or is a folder; expected a raw file of a public source")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path.name} is empty; download it again")
    with path.open("rb") as handle:
        head = handle.read(_HEAD)
    if head[:4] == b"PAR1":
        return _peek_parquet(path)
    if head[:4] == b"PK\x03\x04":
        return _peek_zip(path)
    if head[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as packed:
                head = packed.read(_HEAD)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path.name} cannot be unpacked ({error}): it is cut off; download it again") from error
        size = _HEAD + 1 if len(head) == _HEAD else len(head)
    if head[:11] == b"<stata_dta>" or (len(head) > 3 and head[0] in (113, 114, 115) and head[1] in (1, 2)):
        return Peek(path, "stata", "", "utf-8", (), ())
    text, encoding = _decoded(head, whole=size <= _HEAD)
    first = text.split("\n", 1)[0]
    return Peek(path, "text", text, encoding, fields_of(first), ())


def _peek_parquet(path: Path) -> Peek:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = tuple(str(n) for n in pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path.name} is no whole Parquet file ({error}); download it again") from error
    return Peek(path, "parquet", "", "utf-8", names, ())


def _peek_zip(path: Path) -> Peek:
    try:
        with zipfile.ZipFile(path) as archive:
            names = tuple(i.filename for i in archive.infolist() if not i.is_dir())
            if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
                return Peek(path, "xlsx", "", "utf-8", (), names)
            data = [n for n in names if n.lower().endswith((".csv", ".txt", ".xml", ".json"))]
            if not data:
                return Peek(path, "zip", "", "utf-8", (), names)
            largest = max(data, key=lambda n: archive.getinfo(n).file_size)
            with archive.open(largest) as member:
                head = member.read(_HEAD)
            text, encoding = _decoded(head, whole=archive.getinfo(largest).file_size <= _HEAD)
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path.name} is no whole ZIP archive ({error}): it is cut off; download it again") from error
    return Peek(path, "zip", text, encoding, fields_of(text.split("\n", 1)[0]), names)
