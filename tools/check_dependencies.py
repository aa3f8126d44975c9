"""Check that the package imports only what pyproject.toml declares, and that everything it brings is freely licensed.

A package that happens to be installed because another one wants it can vanish with the next release; a copyleft one
would bind whoever passes the workbench on.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock import closure
from tools.rules import ROOT, SOURCE, finish, place, python_files

COPYLEFT = re.compile(r"\b(?:A|L)?GPL|GNU (?:Affero |Lesser |Library )?General Public|copyleft", re.IGNORECASE)


def undeclared(source: Path, declared: Iterable[str]) -> list[str]:
    """List imports of packages that are not asked for.

    Parameters
    ----------
    source
        Folder of the package.
    declared
        Requirements of pyproject.toml.

    Returns
    -------
    One line per import.
    """
    wanted = {canonicalize_name(Requirement(text).name) for text in declared}
    providers = metadata.packages_distributions()
    problems: list[str] = []
    for path in python_files(source):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules = [node.module]
            else:
                continue
            for module in modules:
                top = module.partition(".")[0]
                if top in sys.stdlib_module_names or top == source.name:
                    continue
                names = {canonicalize_name(name) for name in providers.get(top, [top])}
                if not names & wanted:
                    problems.append(f"{place(path, node.lineno)}: {top} is no dependency in pyproject.toml")
    return problems


def licence_of(name: str) -> str:
    """Say under which licence an installed package comes.

    Parameters
    ----------
    name
        Name of a distribution.

    Returns
    -------
    Its licence expression, else its licence classifiers, else the first line of its licence field.
    """
    told = metadata.metadata(name)
    classifiers = [
        text.rpartition("::")[2].strip() for text in told.get_all("Classifier") or [] if "License ::" in text
    ]
    expression = "".join(told.get_all("License-Expression") or [])
    field = "".join(told.get_all("License") or []).strip().partition("\n")[0]
    return expression or "; ".join(classifiers) or field


def binding(names: Iterable[str]) -> list[str]:
    """List packages whose licence binds those who pass them on, or that name none.

    Parameters
    ----------
    names
        Names of installed distributions.

    Returns
    -------
    One line per package.
    """
    licences = {name: licence_of(name) for name in names}
    return [
        f"{name} comes under '{licence}'; a dependency of the workbench is permissively licensed"
        for name, licence in licences.items()
        if not licence or COPYLEFT.search(licence)
    ]


def check(root: Path, source: Path) -> list[str]:
    """List every offence.

    Parameters
    ----------
    root
        Root of the repository.
    source
        Folder of the package.

    Returns
    -------
    One line per offence.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [text for extra in project["optional-dependencies"].values() for text in extra]
    versions, missing = closure(project["dependencies"])
    return [*undeclared(source, [*project["dependencies"], *optional]), *binding(versions), *missing]


if __name__ == "__main__":
    sys.exit(finish("dependencies", check(ROOT, SOURCE)))
