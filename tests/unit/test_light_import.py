"""What is asked first, the name and the help, must not pay for what comes later."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("jax", "jaxlib", "pandas", "xarray", "scipy", "pyarrow", "duckdb")


def loaded(program: str) -> set[str]:
    """Run a program in a fresh interpreter and return which heavy packages it loaded."""
    report = f"\nimport sys\nsys.stderr.write(' '.join(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import counterpoise") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["simulate", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
from counterpoise.faces.cli import main
sys.argv = ["counterpoise", *{arguments!r}]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""
    assert loaded(program) == set()
