"""Counterpoise: trade out of balance, a third country's tariffs, and the cheapest honest way back.

Typical use::

    import counterpoise as cp

    world = cp.load_world()
    shock = cp.Shock.none(world).with_tariff(0.25, origin="IND", destination="USA", add=True)
    solution = cp.solve(world, shock)
    solution.welfare_hat.sel(country="IND")

Names are imported on first use, so that ``import counterpoise`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.core import Shock, Solution, World, WorldMeta
    from counterpoise.data import load_table, load_world
    from counterpoise.policy import close_gap
    from counterpoise.scenario import compile_scenario, load_scenario
    from counterpoise.solver import gradient, linearised_welfare, path_decomposition, rebase, solve, solve_batch

__version__ = "0.1.0"

__all__ = [
    "Shock",
    "Solution",
    "World",
    "WorldMeta",
    "__version__",
    "close_gap",
    "compile_scenario",
    "gradient",
    "linearised_welfare",
    "load_scenario",
    "load_table",
    "load_world",
    "path_decomposition",
    "rebase",
    "solve",
    "solve_batch",
]

_HOME = {
    "Shock": "core",
    "Solution": "core",
    "World": "core",
    "WorldMeta": "core",
    "close_gap": "policy",
    "compile_scenario": "scenario",
    "linearised_welfare": "solver",
    "gradient": "solver",
    "load_scenario": "scenario",
    "load_table": "data",
    "load_world": "data",
    "path_decomposition": "solver",
    "rebase": "solver",
    "solve": "solver",
    "solve_batch": "solver",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the layer it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'counterpoise' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"counterpoise.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
