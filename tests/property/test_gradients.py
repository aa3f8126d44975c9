"""Gradients of the equilibrium are those of finite differences, for every instrument, with quotas binding and slack."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoise.core import Shock, World
from counterpoise.core.errors import InputError
from counterpoise.model import Labour, SectorLabour
from counterpoise.solver import gradient, solve
from tests.reference.worlds import random_shock, random_world

AGREE = 1e-6
"""Fourth-order differences with a step of 1e-3 leave about 1e-11 of the outcome over the step."""

INSTRUMENTS = (
    "tariff_rate_cf",
    "purchase_subsidy_rate",
    "export_tax_rate",
    "iceberg_cost_hat",
    "non_tariff_cost_hat",
    "productivity_hat",
    "labour_supply_hat",
    "demand_hat",
    "potential_flow",
    "quota_limit",
    "quota_exporter_share",
)


def case() -> tuple[World, Shock]:
    """Return a world and a shock with every instrument, one quota that binds and one that does not."""
    world = random_world(3, 3, 2)
    flow = world.flow.to_numpy()
    shock = (
        random_shock(world, 103, tariff=(-0.2, 1.0))
        .with_export_tax(0.15, origin="C1")
        .with_export_tax(-0.1, origin="C2", destination="C0")
        .with_quota(0.5 * flow[0, 2, 0], origin="C0", destination="C2", sector="s0", exporter_share=0.3)
        .with_quota(3.0 * flow[2, 0, 1], origin="C2", destination="C0", sector="s1", exporter_share=0.6)
        .with_labour_supply(1.1, country="C1")
        .with_demand(1.5, country="C0", sector="s0")
        .with_non_tariff_cost(1.05, origin="C0")
    )
    shut = [c for c in np.argwhere(flow == 0).tolist() if c[0] != c[1] and not shock.embargo.to_numpy()[tuple(c)]]
    i, j, s = shut[0]
    return world, shock.with_opening(
        1e8, origin=world.countries[i], destination=world.countries[j], sector=world.sectors[s]
    )


def cells_to_try(name: str, shock: Shock) -> list[tuple[int, ...]]:
    """Return where a finite difference can step both ways."""
    values = getattr(shock, name).to_numpy()
    cells = [tuple(int(k) for k in cell) for cell in np.ndindex(values.shape)]
    if name.startswith("quota"):
        return [c for c in cells if np.isfinite(shock.quota_limit.to_numpy()[c])]
    if name in ("potential_flow", "purchase_subsidy_rate"):
        return [c for c in cells if values[c] > 0]
    return [cells[k] for k in np.random.default_rng(7).permutation(len(cells))[:2]]


@pytest.mark.parametrize("labour", [None, SectorLabour(1.5)], ids=["mobile", "tied"])
@pytest.mark.parametrize("wanted", [("welfare_hat", "C0"), ("gap_usd", "C0", "C2")], ids=["welfare", "gap"])
def test_every_instrument_against_finite_differences(wanted: tuple[str, ...], labour: Labour | None) -> None:
    world, shock = case()

    def outcome(changed: Shock) -> float:
        solution = solve(world, changed, labour=labour, rtol=1e-13)
        return float(solution.welfare_hat[0]) if len(wanted) == 2 else solution.gap_cf_usd("C0", "C2")

    solution = solve(world, shock, labour=labour, rtol=1e-13)
    assert solution.quotas_table()["binds"].tolist() == [True, False]
    found = gradient(solution, wanted)
    for name in INSTRUMENTS:
        slopes: np.ndarray = getattr(found, name).to_numpy()
        base: np.ndarray = getattr(shock, name).to_numpy()
        for cell in cells_to_try(name, shock):
            unit = base[cell] if name in ("potential_flow", "quota_limit") else 1.0
            value = [
                outcome(shock.with_array(name, np.where(_only(base, cell), base + k * 1e-3 * unit, base)))
                for k in (-2, -1, 1, 2)
            ]
            expected = (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / (12e-3 * unit)
            scale = max(abs(found.value) / unit, float(np.max(np.abs(slopes))))
            assert abs(slopes[cell] - expected) < AGREE * scale, f"{name}{cell}: {slopes[cell]} against {expected}"


def _only(values: np.ndarray, cell: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(values.shape, dtype=bool)
    mask[cell] = True
    return mask


def test_a_limit_that_does_not_bind_is_worth_nothing_and_one_that_binds_something() -> None:
    world, shock = case()
    found = gradient(solve(world, shock, rtol=1e-12), ("welfare_hat", "C2"))
    assert float(found.quota_limit[2, 0, 1]) == 0.0
    assert float(found.quota_limit[0, 2, 0]) != 0.0


def test_a_solution_of_other_equations_has_no_gradient_here() -> None:
    world, shock = case()
    solution = solve(world, shock, labour=SectorLabour(1.5))
    with pytest.raises(InputError, match="no equilibrium with closure 'zero'"):
        gradient(solution, ("welfare_hat", "C0"), closure="zero")
