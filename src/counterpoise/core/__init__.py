"""Vocabulary, labels, errors, and the three objects of the one chain: World, Shock, Solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.core.choice import ModelChoice
    from counterpoise.core.horizon import horizon_elasticity
    from counterpoise.core.shock import Shock
    from counterpoise.core.solution import Solution
    from counterpoise.core.world import World, WorldMeta

__all__ = ["ModelChoice", "Shock", "Solution", "World", "WorldMeta", "horizon_elasticity"]

_HOME = {
    "ModelChoice": "choice",
    "Shock": "shock",
    "Solution": "solution",
    "World": "world",
    "WorldMeta": "world",
    "horizon_elasticity": "horizon",
}


def __getattr__(name: str) -> Any:
    """Import these on first use: they bring xarray, the rest does without."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
