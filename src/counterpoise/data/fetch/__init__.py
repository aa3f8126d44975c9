"""Fetch raw files: addresses, downloads that resume and check, the cache, and interfaces that are asked by query."""

from __future__ import annotations

from counterpoise.data.fetch.addresses import Address, address, addresses
from counterpoise.data.fetch.cache import CACHE_VARIABLE, Cache, Stored, cache_folder
from counterpoise.data.fetch.download import Patience, download

__all__ = [
    "CACHE_VARIABLE",
    "Address",
    "Cache",
    "Patience",
    "Stored",
    "address",
    "addresses",
    "cache_folder",
    "download",
]
