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
    from counterpoise.core import ModelChoice, Shock, Solution, World, WorldMeta, horizon_elasticity
    from counterpoise.core.products import ProductShock, ProductWorld, split_world
    from counterpoise.data import load_table, load_world
    from counterpoise.data.product_world import load_product_world
    from counterpoise.policy import close_gap
    from counterpoise.scenario import compile_scenario, load_scenario
    from counterpoise.solver import (
        compare_closures,
        equilibria,
        gradient,
        linearised_welfare,
        path_decomposition,
        rebase,
        solve,
        solve_batch,
    )
    from counterpoise.solver.products import solve_products

__version__ = "0.1.0"

__all__ = [
    "ModelChoice",
    "ProductShock",
    "ProductWorld",
    "Shock",
    "Solution",
    "World",
    "WorldMeta",
    "__version__",
    "close_gap",
    "compare_closures",
    "compile_scenario",
    "equilibria",
    "gradient",
    "horizon_elasticity",
    "linearised_welfare",
    "load_product_world",
    "load_scenario",
    "load_table",
    "load_world",
    "path_decomposition",
    "rebase",
    "solve",
    "solve_batch",
    "solve_products",
    "split_world",
]

_HOME = {
    "ModelChoice": "core",
    "ProductShock": "core.products",
    "ProductWorld": "core.products",
    "load_product_world": "data.product_world",
    "solve_products": "solver.products",
    "split_world": "core.products",
    "Shock": "core",
    "Solution": "core",
    "World": "core",
    "WorldMeta": "core",
    "close_gap": "policy",
    "compare_closures": "solver",
    "compile_scenario": "scenario",
    "equilibria": "solver",
    "gradient": "solver",
    "horizon_elasticity": "core",
    "linearised_welfare": "solver",
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
