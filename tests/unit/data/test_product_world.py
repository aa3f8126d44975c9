"""Product worlds from the raw sources: balanced, every reporter told, solved to the residual."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counterpoise.core.errors import InputError
from counterpoise.core.products import ProductShock
from counterpoise.data.product_world import load_product_world
from counterpoise.solver.products import solve_products


def test_a_world_of_all_countries_balances_tells_and_solves(sources: Path) -> None:
    """Lines add up to a balanced world, importers that do not report are named, a duty on India moves its lines."""
    base = load_product_world(sources, min_flow_usd=1e6)
    assert base.world.check() == ()
    assert len(base.world.countries) == 226
    told = " ".join(base.notes)
    assert "DEU, ESP, FRA, GBR, NLD, USA" in told
    assert "lines under 1,000,000 USD" in told
    assert "US duties as calculated" in told
    into_usa = base.lines(destination="USA")
    assert 2.5e12 < base.flow[into_usa].sum() < 4e12
    shrimp = base.lines(origin="IND", destination="USA", hs="0306")
    assert base.flow[shrimp].sum() == pytest.approx(2.0e9, rel=0.3)  # India's exports of them, FY2024-25, USD
    shock = ProductShock.none(base).with_tariff(0.5, origin="IND", destination="USA", hs="0306", add=True)
    found = solve_products(base, shock)
    assert found.max_residual <= 1e-9
    assert np.all(found.flow_cf[shrimp] < base.flow[shrimp])
    assert found.gap_cf_usd("IND", "USA") < float(base.world.gap_usd("IND", "USA"))


def test_unknown_options_are_refused() -> None:
    """The known ones are named."""
    with pytest.raises(InputError, match="'all' or 'regions'"):
        load_product_world(countries="some")  # pyright: ignore[reportArgumentType]
