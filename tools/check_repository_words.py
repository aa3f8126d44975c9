"""Check that no file of the repository names a place that only one machine knows.

A path into somebody's home, the address of a package registry, or the marks of an unfinished merge have no place in
what is shared: the first two break for the next reader, the last is a mistake.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.rules import ROOT, finish, place, repository_files

RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("the path of one machine", re.compile(r"(?<![\w.:/~-])/(?:work|root|home|Users)/[\w.]")),
    (
        "the address of a package registry",
        re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|--(?:extra-)?index-url", re.IGNORECASE),
    ),
    ("the mark of an unfinished merge", re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)),
)


def check_text(text: str) -> Iterator[tuple[int, str]]:
    """Find what does not belong in a shared file.

    Parameters
    ----------
    text
        Contents of a file.

    Yields
    ------
    Line and offence.
    """
    for what, pattern in RULES:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, f"{what}: {match.group().strip()}"


def check(root: Path) -> list[str]:
    """List every offence in the text files of the repository.

    Parameters
    ----------
    root
        Root of a git working tree.

    Returns
    -------
    One line per offence.
    """
    problems: list[str] = []
    for path in repository_files(root):
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", errors="replace")
        problems += [f"{place(path, line)}: {offence}" for line, offence in sorted(check_text(text))]
    return problems


if __name__ == "__main__":
    sys.exit(finish("words of the repository", check(ROOT)))
