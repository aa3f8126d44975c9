"""Public sources, the world builder, and the embedded world with its detail tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.data.builder.icio import world_from_icio
    from counterpoise.data.builder.pipeline import BuildResult, build_world
    from counterpoise.data.sources import Sources, locate_sources
    from counterpoise.data.store import load_table, load_world
    from counterpoise.data.trade_import import import_trade
    from counterpoise.data.trade_store import TradeStore, find_trade

__all__ = [
    "BuildResult",
    "Sources",
    "TradeStore",
    "build_world",
    "find_trade",
    "import_trade",
    "load_table",
    "load_world",
    "locate_sources",
    "world_from_icio",
]

_HOME = {
    "BuildResult": "builder.pipeline",
    "Sources": "sources",
    "TradeStore": "trade_store",
    "build_world": "builder.pipeline",
    "find_trade": "trade_store",
    "import_trade": "trade_import",
    "load_table": "store",
    "load_world": "store",
    "locate_sources": "sources",
    "world_from_icio": "builder.icio",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the builder brings DuckDB and pandas, which a name alone need not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
