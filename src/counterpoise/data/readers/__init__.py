"""One module per public source: a raw file as it is published becomes a tidy table with its provenance."""

from __future__ import annotations

from counterpoise.data.readers.provenance import Dropped, Provenance, SourceInfo, read_provenance
from counterpoise.data.readers.reading import Reading
from counterpoise.data.readers.registry import READERS, Sniffed, convert_source, open_source, read_source, sniff

__all__ = [
    "READERS",
    "Dropped",
    "Provenance",
    "Reading",
    "Sniffed",
    "SourceInfo",
    "convert_source",
    "open_source",
    "read_provenance",
    "read_source",
    "sniff",
]
