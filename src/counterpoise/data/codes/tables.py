"""Read the shipped code tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

__all__ = ["read_codes"]


@cache
def read_codes(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of a shipped code table, every cell a string.

    Parameters
    ----------
    name
        File name without ``.csv``.
    """
    text = resources.files("counterpoise.data.codes").joinpath("tables", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(MappingProxyType(row) for row in csv.DictReader(text.splitlines()))
