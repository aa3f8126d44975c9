"""Build the wheel and check that everything the package needs travels in it.

A table, a template or a script that is left behind is missed only by the next user, offline.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tools.rules import ROOT, finish, repository_files


def left_behind(expected: Iterable[str], packed: Iterable[str]) -> list[str]:
    """List files of the package that a wheel does not hold.

    Parameters
    ----------
    expected
        Paths below `src`.
    packed
        Paths inside the wheel.

    Returns
    -------
    One line per file.
    """
    held = set(packed)
    return [
        f"{name} is not in the wheel; see [tool.hatch.build] in pyproject.toml" for name in expected if name not in held
    ]


def check(root: Path) -> list[str]:
    """Build the wheel in a temporary folder and look into it.

    Parameters
    ----------
    root
        Root of the repository.

    Returns
    -------
    One line per problem.
    """
    source = root / "src"
    expected = [p.relative_to(source).as_posix() for p in repository_files(root) if p.is_relative_to(source)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        built = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if built.returncode or not wheels:
            return [f"the wheel cannot be built: {built.stderr.strip()}"]
        with zipfile.ZipFile(wheels[0]) as wheel:
            return left_behind(expected, wheel.namelist())


if __name__ == "__main__":
    sys.exit(finish("wheel", check(ROOT)))
