"""What every rule script shares: where the repository is, what it holds, and how offences are told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "counterpoise"


def python_files(*folders: Path) -> list[Path]:
    """List the Python files below some folders.

    Parameters
    ----------
    folders
        Folders to look in; one that does not exist holds nothing.

    Returns
    -------
    The files in alphabetical order.
    """
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def repository_files(root: Path) -> list[Path]:
    """List the files that belong to the repository.

    Parameters
    ----------
    root
        Root of a git working tree.

    Returns
    -------
    Tracked files, and new ones that git does not ignore, in alphabetical order.
    """
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (root / name for name in listing.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def place(path: Path, line: int | None = None) -> str:
    """Name a place in the repository the way editors understand it.

    Parameters
    ----------
    path
        A file.
    line
        Line number, from 1.

    Returns
    -------
    `file:line`, relative to the root where the file lies below it.
    """
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{name}" if line is None else f"{name}:{line}"


def finish(rule: str, problems: Iterable[str]) -> int:
    """Tell every offence on stderr.

    Parameters
    ----------
    rule
        Name of the rule, for the closing line.
    problems
        One line per offence.

    Returns
    -------
    Exit status: 0 when nothing offends, 1 otherwise.
    """
    found: Sequence[str] = list(problems)
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    verdict = "holds" if not found else f"is broken in {len(found)} place{'s' if len(found) > 1 else ''}"
    sys.stderr.write(f"{rule}: {verdict}\n")
    return 1 if found else 0
