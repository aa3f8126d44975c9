"""Check the small rules that no general linter knows.

- A functional array update (`x.at[i].set(v)`) whose result is thrown away does nothing: it is an offence.
- An exception that is built but not raised hides a failure.
- A message with {braces} but without its `f` tells the reader nothing.
- A commented-out test guards nothing: mend it or delete it.
- Randomness without a seed cannot be repeated.
- A docstring whose default differs from the signature's is worse than none.
- A file over 600 lines is split, or its module docstring says "Longer than 600 lines because ...".
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tools.rules import ROOT, finish, place, python_files

LONGEST = 600
EXCUSE = "Longer than 600 lines because"
FOLDERS = ("src", "tools", "tests", "benchmarks")

Offence = tuple[int, str]

_PLACEHOLDER = re.compile(r"(?<!\{)\{[A-Za-z_][\w.\[\]()'\"]*(?:![rsa])?(?::[^{}\"']*)?\}(?!\})")
_DEAD_TEST = re.compile(r"#\s*(?:(?:async\s+)?def test_\w*\(|class Test\w*[:(]|@pytest\.)")
_DEFAULT = re.compile(r"\bdefault(?:s to| is|:)?\s+(`{1,2})([^`]+)\1", re.IGNORECASE)
_SEEDED = frozenset({"Generator", "SeedSequence", "PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937", "BitGenerator"})


def dotted(node: ast.expr) -> str:
    """Spell a name or a chain of attributes.

    Parameters
    ----------
    node
        An expression.

    Returns
    -------
    "a.b.c", or "" where the expression is anything else.
    """
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def _is_exception(call: ast.Call) -> bool:
    name = dotted(call.func).rpartition(".")[2]
    return name.endswith(("Error", "Exception")) and name[:1].isupper()


def discarded_results(tree: ast.Module) -> Iterator[Offence]:
    """Find array updates and exceptions whose value goes nowhere.

    Parameters
    ----------
    tree
        Syntax tree of a module.

    Yields
    ------
    Line and offence.
    """
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        call = node.value
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Subscript):
            held = call.func.value.value
            if isinstance(held, ast.Attribute) and held.attr == "at":
                yield node.lineno, f"`{ast.unparse(call)}` returns a new array that nobody keeps; assign it"
        if _is_exception(call):
            yield node.lineno, f"{dotted(call.func)} is built but not raised; raise it"


def braces_without_f(tree: ast.Module, text: str) -> Iterator[Offence]:
    """Find error messages with placeholders that will never be filled in.

    Parameters
    ----------
    tree
        Syntax tree of a module.
    text
        Its source.

    Yields
    ------
    Line and offence, one per literal inside an exception, a `raise_all` call or a list of problems.
    """
    spans: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.end_lineno is not None and node.end_col_offset is not None:
            name = dotted(node.func)
            if _is_exception(node) or name.endswith(("raise_all", "problems.append", "problems.extend")):
                spans.append(((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)))
    if not spans:
        return
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type != tokenize.NL]
    lines = text.splitlines()
    for token, following in pairwise(tokens):
        if token.type != tokenize.STRING:
            continue
        prefix = re.match(r"[A-Za-z]*", token.string)
        if prefix is not None and "f" in prefix.group().lower():
            continue
        # The syntax tree counts bytes, the tokenizer characters.
        column = len(lines[token.start[0] - 1][: token.start[1]].encode())
        inside = any(start <= (token.start[0], column) < end for start, end in spans)
        found = _PLACEHOLDER.search(token.string)
        if inside and found is not None and following.string != ".":
            yield token.start[0], f"the message says {found.group()} but has no f prefix"


def dead_tests(text: str) -> Iterator[Offence]:
    """Find tests that were commented out.

    Parameters
    ----------
    text
        Source of a module.

    Yields
    ------
    Line and offence.
    """
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and _DEAD_TEST.match(token.string):
            yield token.start[0], "a commented-out test guards nothing; mend it or delete it"


def unseeded_randomness(tree: ast.Module) -> Iterator[Offence]:
    """Find draws that cannot be repeated.

    Parameters
    ----------
    tree
        Syntax tree of a module.

    Yields
    ------
    Line and offence.
    """
    uses_random = any(isinstance(n, ast.Import) and any(a.name == "random" for a in n.names) for n in ast.walk(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        if last == "default_rng" or name in {"random.Random"}:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if not given or (isinstance(given[0], ast.Constant) and given[0].value is None):
                yield node.lineno, f"{name}() without a seed; pass one"
        elif re.match(r"(?:np|numpy)\.random\.", name) and last not in _SEEDED:
            yield node.lineno, f"{name} draws from the global state; draw from a seeded numpy.random.Generator"
        elif uses_random and re.match(r"random\.[a-z]\w*$", name):
            yield node.lineno, f"{name} draws from the global state; draw from a seeded generator"


def stale_defaults(tree: ast.Module) -> Iterator[Offence]:
    """Find docstrings that state another default than the signature.

    Compared is a default in backticks under a parameter of a NumPy docstring, where the signature's is a literal.

    Parameters
    ----------
    tree
        Syntax tree of a module.

    Yields
    ------
    Line and offence.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        arguments = node.args
        named = reversed([*arguments.posonlyargs, *arguments.args])
        pairs = [
            *zip(named, reversed(arguments.defaults), strict=False),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        defaults = {argument.arg: value for argument, value in pairs if value is not None}
        parameter = ""
        for line in (ast.get_docstring(node) or "").splitlines():
            if line and not line[0].isspace():
                parameter = line.partition(":")[0].strip()
            stated = _DEFAULT.search(line)
            if stated is None or parameter not in defaults:
                continue
            try:
                told = ast.literal_eval(stated[2])
                real = ast.literal_eval(defaults[parameter])
            except (ValueError, SyntaxError):
                continue
            if told != real:
                yield node.lineno, f"the docstring gives {parameter} the default {told!r}, the signature {real!r}"


def too_long(tree: ast.Module, text: str) -> Iterator[Offence]:
    """Find files that grew too long and do not say why.

    Parameters
    ----------
    tree
        Syntax tree of a module.
    text
        Its source.

    Yields
    ------
    Line and offence.
    """
    length = text.count("\n")
    if length > LONGEST and EXCUSE not in " ".join((ast.get_docstring(tree) or "").split()):
        yield 1, f"{length} lines; split it, or say in the module docstring: {EXCUSE} ..."


def check_text(text: str) -> list[Offence]:
    """List every offence in one module.

    Parameters
    ----------
    text
        Source of the module.

    Returns
    -------
    Line and offence, in the order of the lines.
    """
    tree = ast.parse(text)
    found = [
        *discarded_results(tree),
        *braces_without_f(tree, text),
        *dead_tests(text),
        *unseeded_randomness(tree),
        *stale_defaults(tree),
        *too_long(tree, text),
    ]
    return sorted(found)


def check(root: Path) -> list[str]:
    """List every offence in the repository.

    Parameters
    ----------
    root
        Root of the repository.

    Returns
    -------
    One line per offence.
    """
    return [
        f"{place(path, line)}: {offence}"
        for path in python_files(*(root / folder for folder in FOLDERS))
        for line, offence in check_text(path.read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    sys.exit(finish("house rules", check(ROOT)))
