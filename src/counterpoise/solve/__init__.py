"""Solvers: shocks in, equilibria out, or an error that says why not."""

from counterpoise.solve.anderson import Anderson
from counterpoise.solve.solver import SOLVERS, PathPoint, rebase, solve, solve_path
from counterpoise.solve.welfare import (
    PARTS,
    PathDecomposition,
    linearised_welfare,
    midpoint_welfare,
    path_decomposition,
)

__all__ = [
    "PARTS",
    "SOLVERS",
    "Anderson",
    "PathDecomposition",
    "PathPoint",
    "linearised_welfare",
    "midpoint_welfare",
    "path_decomposition",
    "rebase",
    "solve",
    "solve_path",
]
