"""What every test shares: double precision, seeded draws, the raw sources where they are at hand, a browser."""

from __future__ import annotations

import atexit
import fcntl
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from counterpoise.report.story import StoryResult

ROOT = Path(__file__).resolve().parents[1]
SEED = 20251003

# Read by JAX when a test first imports it; tests without it never pay for it. A run on a GPU names its own platform.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Most of a test's time goes into compiling small equilibria: without optimisation it takes a quarter. The flagship is
# run as it ships, and `XLA_FLAGS= ./test` compiles everything so.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")

# Tests neither read nor fill the cache of whoever runs them.
os.environ["COUNTERPOISE_CACHE"] = tempfile.mkdtemp(prefix="counterpoise-cache-")
atexit.register(shutil.rmtree, os.environ["COUNTERPOISE_CACHE"], ignore_errors=True)

# The same examples on every machine, and no deadline: the first call of a compiled function is slow.
hypothesis.settings.register_profile("house", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--sources DIR`."""
    parser.addoption(
        "--sources",
        metavar="DIR",
        default=None,
        help="folder of the raw sources (with data/ and facts/); else $COUNTERPOISE_DATA, else ../shared",
    )


@pytest.fixture(scope="session")
def sources(request: pytest.FixtureRequest) -> Path:
    """Find the raw sources (`data/`, `facts/`); skip where there are none, fail where a named folder holds none."""
    named: str | None = request.config.getoption("--sources") or os.environ.get("COUNTERPOISE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared"
    if (folder / "data").is_dir():
        return folder.resolve()
    if named:
        raise FileNotFoundError(f"{folder} holds no data/ folder; name the folder of the raw sources")
    pytest.skip("the raw sources are not at hand: pass --sources DIR or set COUNTERPOISE_DATA")


@pytest.fixture
def rng() -> np.random.Generator:
    """Draw the same numbers in every run."""
    return np.random.default_rng(SEED)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium, headless; skip where it is not installed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


FLAGSHIP = """
import pickle, sys
from pathlib import Path
from counterpoise.report.story import run_story
from counterpoise.scenario import load_scenario
found = run_story(load_scenario("valdai-2025"), Path(sys.argv[1]))
Path(sys.argv[2]).write_bytes(pickle.dumps(found))
"""


@pytest.fixture(scope="session")
def flagship(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> StoryResult:
    """Run the flagship once for every test that reads its report, as it ships; workers wait for the one that does."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    kept = shared / "flagship.pickle"
    with (shared / "flagship.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            as_shipped = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
            command = [sys.executable, "-c", FLAGSHIP, str(shared / "valdai"), str(kept)]
            subprocess.run(command, check=True, env=as_shipped)
    found: StoryResult = pickle.loads(kept.read_bytes())
    return found
