"""Check that imports run one way: each layer uses only what lies to its left, and siblings never use each other.

    core < data < {measure, estimate, friction, settle} < scenario < model < solver < policy < ensemble < report < faces

The real imports are read from the syntax tree, those inside functions and under `TYPE_CHECKING` too. Besides the order:

- JAX is imported only in model, solver, policy and ensemble; a face may reach for it inside a function, so that
  `counterpoise --help` never pays for it;
- a private name (`_x`) stays in its own layer;
- the package's `__init__` imports layers inside functions or for type checkers only: `import counterpoise` stays light.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.rules import SOURCE, finish, place, python_files

PACKAGE = "counterpoise"
ORDER: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"data"}),
    frozenset({"measure", "estimate", "friction", "settle"}),
    frozenset({"scenario"}),
    frozenset({"model"}),
    frozenset({"solver"}),
    frozenset({"policy"}),
    frozenset({"ensemble"}),
    frozenset({"report"}),
    frozenset({"faces"}),
)
RANK = {layer: rank for rank, layers in enumerate(ORDER) for layer in layers}
HOLDS_JAX = frozenset({"model", "solver", "policy", "ensemble"})
# Modules beside the layers, and the layer whose rights they have.
BESIDE = {"__main__": "faces", "testing": "faces"}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name.

    Attributes
    ----------
    line
        Line number, from 1.
    target
        Absolute dotted name: the module, or the module and the name taken from it.
    deferred
        True inside a function: the import happens when it is called.
    for_types
        True under `if TYPE_CHECKING`: the import never happens.
    """

    line: int
    target: str
    deferred: bool
    for_types: bool


def imports_of(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[Import]:
    """Yield every import of a module, with relative ones resolved.

    Parameters
    ----------
    tree
        Syntax tree of the module.
    module
        Its absolute dotted name.
    is_package
        True for an `__init__.py`, whose relative imports start one level lower.

    Yields
    ------
    One `Import` per imported name.
    """

    def walk(node: ast.AST, *, deferred: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(child.lineno, alias.name, deferred, for_types)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    parts = module.split(".")
                    kept = len(parts) - child.level + (1 if is_package else 0)
                    base = ".".join([*parts[:kept], *([child.module] if child.module else [])])
                for alias in child.names:
                    yield Import(child.lineno, f"{base}.{alias.name}", deferred, for_types)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                guarded = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
                yield from walk(child, deferred=deferred or inside, for_types=for_types or guarded)

    yield from walk(tree, deferred=False, for_types=False)


def layer_of(dotted: str) -> str | None:
    """Name the layer that a dotted name lies in.

    Parameters
    ----------
    dotted
        Absolute dotted name.

    Returns
    -------
    The layer, "" for the package itself, None for another package.
    """
    parts = dotted.split(".")
    if parts[0] != PACKAGE:
        return None
    return parts[1] if len(parts) > 1 else ""


def is_private(name: str) -> bool:
    """Say whether a name is private: one leading underscore, or two without two behind.

    Parameters
    ----------
    name
        One part of a dotted name.

    Returns
    -------
    True for `_x`, False for `x` and `__x__`.
    """
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def problem_with(found: Import, layer: str) -> str | None:
    """Judge one import.

    Parameters
    ----------
    found
        The import.
    layer
        Layer of the importing module, "" for the package's own `__init__`.

    Returns
    -------
    What is wrong with it, or None.
    """
    rights = BESIDE.get(layer, layer)
    if found.target.split(".")[0] in {"jax", "jaxlib"} and rights not in HOLDS_JAX:
        if rights == "faces" and found.deferred:
            return None
        return f"{layer or '__init__'} imports {found.target}; JAX belongs in {', '.join(sorted(HOLDS_JAX))}"
    target = layer_of(found.target)
    if target is None or target == layer:
        return None
    if layer == "":
        if found.deferred or found.for_types or target.startswith("__"):
            return None
        return f"__init__ imports {found.target} at once; import it inside a function"
    hidden = [part for part in found.target.split(".") if is_private(part)]
    if hidden:
        return f"{layer} imports the private name {hidden[0]} of {target}; make it public or leave it alone"
    if target == "" or target not in RANK:
        # The package's own face: `import counterpoise`, or a name that `__init__` offers.
        own = target.startswith("__") and target != "__main__"
        if rights == "faces" or own:
            return None
        return f"{layer} imports {found.target}; a layer imports the layers to its left by name, not their front door"
    if RANK[target] < RANK[rights]:
        return None
    relation = "its sibling" if RANK[target] == RANK[rights] else "to its right"
    return f"{layer} imports {found.target}, which is {relation}"


def check(source: Path) -> list[str]:
    """List every offence against the order of the layers.

    Parameters
    ----------
    source
        Folder of the package.

    Returns
    -------
    One line per offence.
    """
    problems: list[str] = []
    for path in python_files(source):
        parts = path.relative_to(source).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        names = parts[:-1] if is_package else parts
        layer = names[0] if names else ""
        if layer and layer not in RANK and layer not in BESIDE:
            problems.append(f"{place(path, 1)}: {layer} is no layer; the layers are {', '.join(RANK)}")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for found in imports_of(tree, ".".join([PACKAGE, *names]), is_package=is_package):
            verdict = problem_with(found, layer)
            if verdict is not None:
                problems.append(f"{place(path, found.line)}: {verdict}")
    return problems


if __name__ == "__main__":
    sys.exit(finish("order of the layers", check(SOURCE)))
