"""Write the exact versions that a fresh environment gets, or check that they still fit.

    python -m tools.lock            write requirements/*.txt from what is installed in this environment
    python -m tools.lock --check    say where they differ

`lock.txt` is what `./run` installs, `dev.txt` adds what tests, linters and docs need, `bench.txt` adds the opponents of
the benchmarks. Only packages that pyproject.toml asks for, and what those ask for, are written; the versions are those
of this environment: to move to newer ones, upgrade them here first (`pip install --upgrade NAME`), run the tests, then
write the lock. The files are resolved for Linux and the Python that wrote them, and name no index.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.rules import ROOT, finish

FOLDER = ROOT / "requirements"
# The build needs this one for an editable install, and asks for it only while it builds.
BUILD_EXTRAS = ("editables",)


def closure(roots: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Follow what packages ask for, through the metadata of what is installed.

    Parameters
    ----------
    roots
        Requirements to start from.

    Returns
    -------
    Version by name, for every package reached, in alphabetical order; and one line for each that is not installed, or
    is installed in a version that somebody refuses.
    """
    versions: dict[str, str] = {}
    problems: list[str] = []
    done: set[tuple[str, str]] = set()
    waiting: list[tuple[Requirement, str]] = [(Requirement(root), "pyproject.toml") for root in roots]
    while waiting:
        wanted, asker = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            found = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            problems.append(f"{asker} asks for {wanted}, which is not installed")
            continue
        if not wanted.specifier.contains(found.version, prereleases=True):
            problems.append(f"{asker} asks for {wanted}, but {found.version} is installed")
        versions[name] = found.version
        for extra in ("", *wanted.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            for text in found.requires or ():
                asked = Requirement(text)
                if asked.marker is None and not extra:
                    waiting.append((asked, name))
                elif asked.marker is not None and asked.marker.evaluate({"extra": extra}):
                    waiting.append((asked, name))
    return dict(sorted(versions.items())), sorted(set(problems))


def roots_of(project: Mapping[str, Any]) -> dict[str, list[str]]:
    """List what each lock file starts from.

    Parameters
    ----------
    project
        Contents of pyproject.toml.

    Returns
    -------
    Requirements by file name, each file including those before it.
    """
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    run = [*project["build-system"]["requires"], *BUILD_EXTRAS, *project["project"]["dependencies"]]
    dev = [*run, *extras["estimate"], *(wanted for group in groups.values() for wanted in group)]
    return {"lock.txt": run, "dev.txt": dev, "bench.txt": [*dev, *extras["bench"]]}


def texts(project: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Write every lock file as text.

    Parameters
    ----------
    project
        Contents of pyproject.toml.

    Returns
    -------
    Text by file name, without the files that cannot be resolved here; and one line per problem.
    """
    written: dict[str, str] = {}
    problems: list[str] = []
    previous, known = "", dict[str, str]()
    for file, roots in roots_of(project).items():
        versions, missing = closure(roots)
        problems += [f"requirements/{file}: {problem}" for problem in missing]
        lines = [f"-r {previous}"] if previous else []
        lines += [f"{name}=={version}" for name, version in versions.items() if name not in known]
        if not missing:
            written[file] = (
                "# Exact versions. Written by `make lock`; edit pyproject.toml instead.\n" + "\n".join(lines) + "\n"
            )
        previous, known = file, versions
    return written, problems


def main(arguments: list[str]) -> int:
    """Write the lock files, or check them.

    Parameters
    ----------
    arguments
        Command line: nothing, or `--check`.

    Returns
    -------
    Exit status.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    written, problems = texts(project)
    if "--check" in arguments:
        # The benchmarks' opponents are not part of the test environment.
        problems = [problem for problem in problems if not problem.startswith("requirements/bench.txt")]
        problems += [
            f"requirements/{file} differs from what is installed; run `make lock`, or install from the lock"
            for file, text in written.items()
            if _read(FOLDER / file) != text
        ]
        return finish("lock", problems)
    if not problems:
        FOLDER.mkdir(exist_ok=True)
        for file, text in written.items():
            (FOLDER / file).write_text(text, encoding="utf-8")
    return finish("lock", problems)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
