"""The manifest of a run: what was run, with what, on what, and how well it was solved."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from counterpoise import __version__
from counterpoise.report._files import write_atomically

__all__ = ["git_commit", "run_manifest", "write_manifest"]


def git_commit() -> str | None:
    """Return the commit of the repository this package runs from; None where it is installed from elsewhere."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def run_manifest(
    *, inputs: Mapping[str, bytes], options: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest of a run.

    Parameters
    ----------
    inputs
        Contents of every input by name; only their SHA-256 is kept.
    options
        What was asked.
    results
        Status, residuals and what else says how the run ended.
    """
    return {
        "version": __version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": {name: hashlib.sha256(content).hexdigest() for name, content in inputs.items()},
        "options": dict(options),
        **results,
    }


def write_manifest(manifest: Mapping[str, Any], path: Path) -> Path:
    """Write a manifest as JSON, whole or not at all."""
    return write_atomically(path, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())
