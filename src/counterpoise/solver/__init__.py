"""Solvers: shocks in, equilibria out, or an error that says why not."""

from counterpoise.solver.anderson import Anderson
from counterpoise.solver.batch import Batch, elasticity_draws, solve_batch
from counterpoise.solver.closures import ClosureComparison, compare_closures
from counterpoise.solver.engine import SOLVERS, PathPoint, rebase, solve, solve_path
from counterpoise.solver.gradient import Gap, Gradient, Objective, Welfare, gradient
from counterpoise.solver.krylov import NewtonKrylov
from counterpoise.solver.many import Equilibria, equilibria
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
    "ClosureComparison",
    "Equilibria",
    "Gap",
    "Gradient",
    "NewtonKrylov",
    "Objective",
    "PathDecomposition",
    "PathPoint",
    "Welfare",
    "compare_closures",
    "elasticity_draws",
    "equilibria",
    "gradient",
    "linearised_welfare",
    "midpoint_welfare",
    "path_decomposition",
    "rebase",
    "solve",
    "solve_batch",
    "solve_path",
]
