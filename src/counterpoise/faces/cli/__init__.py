"""The command line: data to standard output, messages and progress to standard error.

Exit status: 0 done, 2 the input cannot be used, 3 the data cannot be used, 4 no equilibrium, 130 interrupted.
"""

from __future__ import annotations

from counterpoise.faces.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line with the arguments of the process."""
    app(prog_name="counterpoise")
