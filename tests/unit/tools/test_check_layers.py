from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_layers import check


def package(root: Path, **modules: str) -> Path:
    """Write a package: `core__world="..."` is the file core/world.py."""
    source = root / "counterpoise"
    for name, text in modules.items():
        path = source.joinpath(*name.split("__")).with_suffix(".py") if name != "init" else source / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return source


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("data__baci", "from counterpoise.core import World"),
        ("data__baci", "from counterpoise.core.errors import DataError"),
        ("solver__newton", "import jax.numpy as jnp"),
        ("report__html", "from counterpoise.measure.gap import gap\nfrom counterpoise import __version__"),
        ("faces__cli", "def main():\n    import jax\n    import counterpoise as cp"),
        ("init", "def __getattr__(name):\n    from counterpoise.core import World\n    return World"),
        ("init", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from counterpoise.core import World"),
        ("core__world", "from counterpoise.core._tables import rows"),
        ("core__world", "from ._tables import rows"),
    ],
)
def test_an_import_to_the_left_is_admitted(tmp_path: Path, module: str, text: str) -> None:
    assert check(package(tmp_path, **{module: text})) == []


@pytest.mark.parametrize(
    ("module", "text", "complaint"),
    [
        ("core__world", "from counterpoise.data import load", "to its right"),
        ("core__world", "from ..data import load", "to its right"),
        ("core__world", "from .. import data", "to its right"),
        ("core__world", "def f():\n    import counterpoise.solver.newton", "to its right"),
        ("measure__gap", "from counterpoise.friction import border", "its sibling"),
        ("scenario__file", "from counterpoise.model import Economy", "to its right"),
        ("report__html", "def f():\n    import jax", "JAX belongs in"),
        ("faces__cli", "import jax", "JAX belongs in"),
        ("data__baci", "from counterpoise.core._tables import rows", "private name _tables"),
        ("data__baci", "from counterpoise.core.world import _rows", "private name _rows"),
        ("data__baci", "from counterpoise import load_world", "front door"),
        ("init", "from counterpoise.core import World", "import it inside a function"),
        ("helpers__text", "", "is no layer"),
    ],
)
def test_any_other_import_is_named(tmp_path: Path, module: str, text: str, complaint: str) -> None:
    problems = check(package(tmp_path, **{module: text}))
    assert len(problems) == 1
    assert complaint in problems[0]


def test_the_place_is_named(tmp_path: Path) -> None:
    source = package(tmp_path, core__world="x = 1\n\nfrom counterpoise.data import load\n")
    assert check(source)[0].startswith(f"{source / 'core' / 'world.py'}:3: ")
