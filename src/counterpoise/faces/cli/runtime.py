"""What a command prepares before it solves: the cache of compiled equilibria."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder", "prepare"]


def cache_folder() -> Path:
    """Return the folder of compiled equilibria: $JAX_COMPILATION_CACHE_DIR, else below the user's cache folder."""
    named = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "counterpoise" / "jax"


def prepare() -> None:
    """Let JAX keep what it compiles, so that the second run starts at once; call before JAX is first imported.

    Where the folder cannot be written, nothing is kept and every run compiles anew; ``counterpoise doctor`` tells.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
