"""Where a tidy table comes from, what was recognised in the raw file, and which rows were left out, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["METADATA_KEY", "Dropped", "Provenance", "SourceInfo", "digest", "read_provenance"]

METADATA_KEY = "counterpoise_provenance"
"""Key of the Parquet metadata that holds the provenance, as JSON."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A public source, the same for every file of it.

    Attributes
    ----------
    name
        Short name, as ``baci``.
    title
        What it is and who made it.
    licence
        Terms of use.
    valuation
        At which point of the way goods are valued, and where duties stand.
    unit
        Unit of the tidy table's values.
    """

    name: str
    title: str
    licence: str
    valuation: str
    unit: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows that were left out of the tidy table.

    Attributes
    ----------
    reason
        Why.
    rows
        How many.
    """

    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a tidy table comes from.

    Attributes
    ----------
    source, title, licence, valuation, unit
        As in `SourceInfo`.
    edition
        What was recognised: release or layout.
    vintage
        Which year or years the data are of.
    file, sha256, bytes
        Name, SHA-256 and size of the raw file.
    evidence
        By what it was recognised.
    rows_read, rows_kept
        Data rows of the raw file, and rows of the tidy table.
    dropped
        What was left out; rows_read = rows_kept + sum of dropped for sources of one row per record.
    notes
        What else a reader should know: absent numbers, codes that were mended.
    """

    source: str
    title: str
    licence: str
    valuation: str
    unit: str
    edition: str
    vintage: str
    file: str
    sha256: str
    bytes: int
    evidence: tuple[str, ...] = ()
    rows_read: int = 0
    rows_kept: int = 0
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready mappings."""
        return asdict(self)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal; read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_provenance(path: Path) -> Provenance | None:
    """Return the provenance in a Parquet file that a reader wrote; None where there is none."""
    import pyarrow.parquet as pq

    held: Mapping[bytes, bytes] = pq.read_schema(path).metadata or {}
    text = held.get(METADATA_KEY.encode())
    if text is None:
        return None
    raw: dict[str, Any] = json.loads(text)
    raw["dropped"] = tuple(Dropped(**d) for d in raw["dropped"])
    raw["evidence"], raw["notes"] = tuple(raw["evidence"]), tuple(raw["notes"])
    return Provenance(**raw)
