"""What an earlier run wrote, found again by everything that went into it: the same question is not solved twice.

A run is known by a fingerprint of the package's own files, the versions of what it computes with, the scenario as
validated, the world file it names, the seed and the commit. Its files lie in a folder of that name in the cache, with
the digest of each: what is damaged counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from counterpoise.data.fetch.cache import cache_folder
from counterpoise.report._files import write_atomically
from counterpoise.report.manifest import git_commit
from counterpoise.scenario import Scenario

__all__ = ["KEPT", "Remembered", "fingerprint", "recall", "remember"]

KEPT = 8
"""Runs that are kept; the oldest go first."""

FILES = ("report.html", "report.xlsx", "manifest.json")
"""What a run writes."""

_COMPUTED_WITH = ("jax", "jaxlib", "numpy", "pandas", "scipy", "xarray", "xlsxwriter", "jinja2")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an earlier run answered: sentences, headlines, the numbers of its studies, and when it finished."""

    sentences: tuple[str, ...]
    headlines: tuple[str, ...]
    studies: Mapping[str, Any]
    finished: str


def fingerprint(scenario: Scenario, seed: int) -> str:
    """Return the SHA-256 of everything that a run depends on, hexadecimal.

    Parameters
    ----------
    scenario
        As validated: overrides are in it.
    seed
        Of the draws.
    """
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for path in sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(f"{path.relative_to(package)}\0".encode())
        digest.update(path.read_bytes())
    versions = {name: metadata.version(name) for name in _COMPUTED_WITH}
    facts = {"python": platform.python_version(), "machine": platform.machine(), "commit": git_commit(), "seed": seed}
    digest.update(json.dumps([versions, facts], sort_keys=True).encode())
    digest.update(scenario.model_dump_json(by_alias=True).encode())
    world = Path(scenario.world)
    if world.suffix == ".parquet" and world.is_file():
        digest.update(world.read_bytes())
    return digest.hexdigest()


def recall(key: str, out_dir: Path, *, cache: Path | None = None) -> Remembered | None:
    """Write again what a run of this fingerprint wrote; None where there is none, or it is damaged.

    Parameters
    ----------
    key
        From `fingerprint`.
    out_dir
        Takes `FILES`, each whole or not at all.
    cache
        Cache folder; the user's by default.
    """
    folder = _place(cache) / key
    try:
        answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        contents = {name: (folder / name).read_bytes() for name in FILES}
        whole = all(hashlib.sha256(contents[name]).hexdigest() == answer["digests"][name] for name in FILES)
        found = Remembered(
            tuple(answer["sentences"]), tuple(answer["headlines"]), answer["studies"], str(answer["finished"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole:
        return None
    for name, content in contents.items():
        write_atomically(out_dir / name, content)
    return found


def remember(key: str, out_dir: Path, answer: Remembered, *, cache: Path | None = None) -> str | None:
    """Keep what a run wrote; return why it could not be kept, which harms nothing, or None where it is kept.

    Parameters
    ----------
    key
        From `fingerprint`.
    out_dir
        Where the run wrote `FILES`.
    answer
        What it said.
    cache
        Cache folder; the user's by default.
    """
    place = _place(cache)
    try:
        place.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=place, prefix=".new-"))
        digests: dict[str, str] = {}
        for name in FILES:
            content = (out_dir / name).read_bytes()
            digests[name] = hashlib.sha256(content).hexdigest()
            (beside / name).write_bytes(content)
        document = {
            "sentences": answer.sentences,
            "headlines": answer.headlines,
            "studies": answer.studies,
            "finished": answer.finished,
            "digests": digests,
        }
        (beside / "answer.json").write_text(json.dumps(document), encoding="utf-8")
        shutil.rmtree(place / key, ignore_errors=True)
        beside.rename(place / key)
        runs = sorted((p for p in place.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
        for old in runs[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        return f"{error.filename or place}: {error.strerror or error}"
    return None


def _place(cache: Path | None) -> Path:
    return cache_folder(cache) / "runs"
