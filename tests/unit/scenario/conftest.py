"""A small world with sectors that HS codes know, its products, and a place to write scenario files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core import World

COUNTRIES = ("IND", "RUS", "USA")
SECTORS = ("agriculture", "pharmaceuticals", "electronics", "business_services")


@pytest.fixture(scope="session")
def world() -> World:
    """Return three countries and four sectors; IND sells 100, 60, 200 and 40 to the USA."""
    flow = np.full((3, 3, 4), 10.0)
    flow[np.arange(3), np.arange(3)] = 1000.0
    flow[0, 2] = [100.0, 60.0, 200.0, 40.0]
    tariff = np.zeros((3, 3, 4))
    tariff[0, 2, 0] = 0.04
    return World.from_arrays(countries=COUNTRIES, sectors=SECTORS, flow=flow, tariff_rate=tariff, trade_elasticity=4.0)


@pytest.fixture(scope="session")
def products() -> pd.DataFrame:
    """Return what IND sells: six digits to the USA, headings to RUS, nothing known back."""
    rows = [
        ("IND", "USA", "0306", 75.0),
        ("IND", "USA", "030617", 75.0),
        ("IND", "USA", "090111", 25.0),
        ("IND", "USA", "300490", 60.0),
        ("IND", "USA", "851713", 150.0),
        ("IND", "USA", "854231", 50.0),
        ("IND", "USA", "other", 3.0),
        ("IND", "RUS", "0306", 8.0),
        ("IND", "RUS", "8517", 5.0),
        ("IND", "RUS", "3004", 5.0),
    ]
    return pd.DataFrame(rows, columns=["origin", "destination", "hs", "value_usd"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a scenario file and returns its path."""

    def to(text: str, name: str = "case") -> str:
        path = tmp_path / f"{name}.toml"
        head = "" if "schema =" in text else f'schema = 1\nname = "{name}"\n'
        path.write_text(head + text, encoding="utf-8")
        return str(path)

    return to
