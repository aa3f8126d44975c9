"""Solvers: shocks in, equilibria out, or an error that says why not."""

from counterpoise.solver.anderson import Anderson
from counterpoise.solver.batch import Batch, elasticity_draws, solve_batch
from counterpoise.solver.engine import SOLVERS, PathPoint, rebase, solve, solve_path
from counterpoise.solver.gradient import Gap, Gradient, Objective, Welfare, gradient
from counterpoise.solver.welfare import (
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
    "Batch",
    "Gap",
    "Gradient",
    "Objective",
    "PathDecomposition",
    "PathPoint",
    "Welfare",
    "elasticity_draws",
    "gradient",
    "linearised_welfare",
    "midpoint_welfare",
    "path_decomposition",
    "rebase",
    "solve",
    "solve_batch",
    "solve_path",
]
