"""``counterpoise doctor``: say whether this installation is sound."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, cast

import typer

from counterpoise import __version__
from counterpoise.faces.cli.options import AsJson, SourcesFolder
from counterpoise.faces.cli.show import print_json, print_table, say

__all__ = ["Finding", "doctor", "examine"]

_PACKAGES = (
    "duckdb",
    "jax",
    "jinja2",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy",
    "typer",
    "xarray",
    "xlsxwriter",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    needed
        True where the workbench cannot do without it.
    mend
        What to do where it is not ok.
    """

    name: str
    ok: bool
    seen: str
    needed: bool = True
    mend: str = ""


def doctor(as_json: AsJson = False, sources: SourcesFolder = None) -> None:
    """Look at versions, device, world, cache, sources and browser; exit 3 where something needed is broken."""
    findings = examine(None if sources is None else str(sources))
    broken = [f for f in findings if f.needed and not f.ok]
    if as_json:
        print_json({"ok": not broken, "findings": [asdict(f) for f in findings]})
    else:
        print_table(
            f"Counterpoise {__version__}",
            ["what", "", "seen", "mend"],
            [
                [f.name, "ok" if f.ok else "broken" if f.needed else "absent", f.seen, "" if f.ok else f.mend]
                for f in findings
            ],
            left=4,
        )
    say("sound" if not broken else f"broken: {', '.join(f.name for f in broken)}")
    if broken:
        raise typer.Exit(3)


def examine(sources: str | None = None) -> list[Finding]:
    """Look at everything; a look that fails is a finding, not an error."""
    return [
        Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *(_package(name) for name in _PACKAGES),
        _look("device", _device, mend="reinstall jax; JAX_PLATFORMS=cpu leaves a broken GPU aside"),
        _look("world", _world, mend="reinstall the package, or rebuild it with 'counterpoise data build-world'"),
        _look("scenarios", _scenarios, mend="reinstall the package"),
        _look("cache", _cache, needed=False, mend="name a folder that can be written in JAX_COMPILATION_CACHE_DIR"),
        _look(
            "sources",
            lambda: _sources(sources),
            needed=False,
            mend="needed for replicate and build-world only: --sources DIR or COUNTERPOISE_DATA",
        ),
        _look("chromium", _chromium, needed=False, mend="needed for browser tests only: apt-get install chromium"),
    ]


def _look(name: str, look: Callable[[], str], *, needed: bool = True, mend: str) -> Finding:
    try:
        return Finding(name, True, look(), needed)
    except Exception as error:
        return Finding(name, False, (str(error) or type(error).__name__).splitlines()[0], needed, mend)


def _package(name: str) -> Finding:
    return _look(name, lambda: metadata.version(name), mend=f"pip install {name}")


def _device() -> str:
    import jax

    devices = cast("list[Any]", jax.devices())
    return ", ".join(f"{d.device_kind} ({d.platform})" for d in devices)


def _world() -> str:
    from counterpoise.data import load_world

    world = load_world()
    world.require_balanced()
    return f"{world.meta.name}: {len(world.countries)} countries x {len(world.sectors)} sectors, all identities hold"


def _scenarios() -> str:
    from counterpoise.scenario import list_scenarios, load_scenario

    return ", ".join(load_scenario(name).name for name in list_scenarios())


def _cache() -> str:
    from counterpoise.faces.cli.runtime import cache_folder

    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} cannot be written")
    return str(folder)


def _sources(given: str | None) -> str:
    from counterpoise.data import locate_sources

    return str(locate_sources(given).root)


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        raise FileNotFoundError("not on the path")
    return found
