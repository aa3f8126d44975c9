"""What an estimate becomes: elasticities, trade costs, and files that a world and a scenario take."""

from __future__ import annotations

import importlib.util
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterpoise.core.errors import DataError, InputError
from counterpoise.data import load_world
from counterpoise.data.concordance import goods_sectors
from counterpoise.estimate import (
    TradeCost,
    TradeElasticity,
    elasticity_table,
    estimate_by,
    estimate_gravity,
    gravity_scenario,
    parse_spec,
    trade_cost_of,
    trade_elasticity_of,
)
from counterpoise.scenario import load_scenario, scenario_world
from counterpoise.scenario.schema import Obstacle

needs_pyfixest = pytest.mark.skipif(
    importlib.util.find_spec("pyfixest") is None, reason="the extra 'estimate' is not installed"
)

THETA, AGREEMENT = 4.0, 0.35
PANEL = "trade ~ lntariff + agreement | exporter^year + importer^year + exporter^importer"


def simulated(rng: np.random.Generator, countries: int = 14, years: int = 5, theta: float = THETA) -> pd.DataFrame:
    """Draw customs values that follow a gravity equation with exporter-year, importer-year and pair effects.

    Duties and agreements are correlated with the pair effects: without these the estimate would be wrong.
    """
    names = [f"C{k:02d}" for k in range(countries)]
    rows = pd.DataFrame(
        list(product(names, names, range(2001, 2001 + years))), columns=["exporter", "importer", "year"]
    )
    rows = rows[rows["exporter"] != rows["importer"]].reset_index(drop=True)
    effects: dict[str, np.ndarray] = {}
    for columns in (["exporter", "year"], ["importer", "year"], ["exporter", "importer"]):
        key = pd.MultiIndex.from_frame(rows[columns])
        drawn = pd.Series(rng.normal(0.0, 0.3, key.nunique()), index=key.unique())
        effects["^".join(columns)] = drawn.reindex(key).to_numpy()
    pair = effects["exporter^importer"]
    rows["lntariff"] = np.log1p(np.clip(0.15 - 0.12 * pair + rng.normal(0.0, 0.08, len(rows)), 0.0, None))
    rows["agreement"] = (rng.random(len(rows)) < 0.35 + 0.3 * np.tanh(3 * pair)).astype(float)
    mean = np.exp(
        8 - (theta + 1) * rows["lntariff"] + AGREEMENT * rows["agreement"] + np.sum(list(effects.values()), axis=0)
    )
    rows["trade"] = mean * rng.gamma(5.0, 0.2, len(rows))
    return rows


def _inverse(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.pinv(matrix, rcond=1e-10, hermitian=True), dtype=np.float64)


def slow_poisson(
    rows: pd.DataFrame, regressors: list[str], effects: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximise the Poisson likelihood with every effect as a column of its own, by Newton's method.

    Coefficients, robust errors with the factor N/(N-1), and errors clustered by pair with G/(G-1).
    """
    keys = [rows[e.split("^")].astype(str).agg("-".join, axis=1) for e in effects]
    dummies = pd.concat([pd.get_dummies(key, dtype=float) for key in keys], axis=1)
    x = np.column_stack([rows[regressors].to_numpy(), dummies.to_numpy()])
    trade = rows["trade"].to_numpy(dtype=np.float64)
    y = trade / trade.mean()
    k = len(regressors)
    # Redundant effects leave the likelihood flat in some directions: the pseudo-inverse stays out of them.
    b: np.ndarray = np.asarray(np.linalg.lstsq(x, np.log(y), rcond=None)[0], dtype=np.float64)
    for _ in range(50):
        mean = np.exp(x @ b)
        step = _inverse((x.T * mean) @ x) @ (x.T @ (y - mean))
        b = b + step
        if np.abs(x @ step).max() < 1e-11:
            break
    else:
        raise AssertionError("Newton's method did not settle")
    mean = np.exp(x @ b)
    bread = _inverse((x.T * mean) @ x)
    score = x * (y - mean)[:, None]
    by_pair = pd.DataFrame(score).groupby(rows["exporter"] + rows["importer"]).sum().to_numpy()
    errors = [np.sqrt(np.diag(bread @ (s.T @ s) @ bread)[:k] * (len(s) / (len(s) - 1))) for s in (score, by_pair)]
    return b[:k], errors[0], errors[1]


@needs_pyfixest
def test_a_panel_with_pair_effects_finds_the_truth(rng: np.random.Generator) -> None:
    rows = simulated(rng, countries=16, years=6)
    found = estimate_by(rows, parse_spec(PANEL), cluster="exporter^importer")[""]
    assert dict(found.clusters) == {"exporter^importer": 16 * 15}
    theta = trade_elasticity_of(found, "lntariff", flows="customs")
    assert abs(theta.trade_elasticity - THETA) < 3 * theta.standard_error < 1.0
    assert abs(found["agreement"] - AGREEMENT) < 3 * found.error_of("agreement") < 0.2
    # Without pair effects the same data mislead by far more than the error that is reported.
    naive = estimate_by(rows, parse_spec("trade ~ lntariff + agreement | exporter^year + importer^year"))[""]
    assert abs(naive["lntariff"] + THETA + 1) > 4 * naive.error_of("lntariff")


@needs_pyfixest
def test_coefficients_and_errors_are_those_of_the_whole_likelihood(rng: np.random.Generator) -> None:
    rows = simulated(rng, countries=6, years=3)
    spec = parse_spec(PANEL)
    slow, robust, clustered = slow_poisson(rows, list(spec.regressors), list(spec.fixed_effects))
    for cluster, errors in (("", robust), ("exporter^importer", clustered)):
        found = estimate_by(rows, spec, cluster=cluster)[""]
        assert found.coefficient == pytest.approx(slow, abs=1e-7)
        assert found.standard_error == pytest.approx(errors, rel=1e-6)


@needs_pyfixest
def test_intervals_hold_the_truth_about_as_often_as_they_say(rng: np.random.Generator) -> None:
    inside = 0
    for _ in range(20):
        found = estimate_by(simulated(rng), parse_spec(PANEL), cluster="exporter^importer")[""]
        low, high = trade_elasticity_of(found, "lntariff", flows="customs").interval
        inside += low <= THETA <= high
    # In short panels the errors are known to be somewhat small (Weidner and Zylkin 2021): 18 of 20 are expected here.
    assert inside >= 15


@needs_pyfixest
def test_sectors_are_estimated_apart(rng: np.random.Generator, tmp_path: Path) -> None:
    parts = {"food": 3.0, "metals": 6.0}
    rows = pd.concat([simulated(rng, theta=theta).assign(sector=name) for name, theta in parts.items()])
    found = estimate_by(rows, parse_spec(PANEL), by="sector")
    theta = {name: trade_elasticity_of(e, "lntariff", flows="customs") for name, e in found.items()}
    for name, truth in parts.items():
        assert abs(theta[name].trade_elasticity - truth) < 3 * theta[name].standard_error
    path = tmp_path / "theta.csv"
    elasticity_table(theta, goods_sectors()).to_csv(path, index=False)
    world, changed = load_world(), load_world(elasticities=str(path))
    for k, sector in enumerate(world.sectors):
        old, new = float(world.trade_elasticity[k]), float(changed.trade_elasticity[k])
        assert new == (theta[sector].trade_elasticity if sector in theta else old)


@needs_pyfixest
def test_faults_of_every_part_are_listed(rng: np.random.Generator) -> None:
    rows = simulated(rng, countries=5, years=2).assign(sector="food")
    rows.loc[0, "trade"] = -1.0
    other = rows.assign(sector="metals")
    with pytest.raises(InputError, match="2 problems") as caught:
        estimate_by(pd.concat([rows, other]), parse_spec(PANEL), by="sector")
    assert [p.partition(":")[0] for p in caught.value.problems] == ["sector food", "sector metals"]
    with pytest.raises(InputError, match="did you mean 'sector'"):
        estimate_by(rows, parse_spec(PANEL), by="secto")
    with pytest.raises(InputError, match="1 empty cells"):
        estimate_by(rows.assign(sector=rows["sector"].where(rows.index > 0)), parse_spec(PANEL), by="sector")


@needs_pyfixest
def test_a_duty_that_the_effects_determine_gives_no_elasticity(rng: np.random.Generator) -> None:
    rows = simulated(rng, countries=6, years=3)
    rows["lntariff"] = rows["importer"].str[1:].astype(float)
    found = estimate_by(rows, parse_spec(PANEL))[""]
    with pytest.raises(InputError, match="fixed effects and the other regressors determine it"):
        trade_elasticity_of(found, "lntariff", flows="customs")


@needs_pyfixest
def test_customs_values_and_inclusive_flows_give_one_elasticity(rng: np.random.Generator) -> None:
    rows = simulated(rng)
    inclusive = rows.assign(trade=rows["trade"] * np.exp(rows["lntariff"]))
    spec = parse_spec(PANEL)
    a = trade_elasticity_of(estimate_by(rows, spec)[""], "lntariff", flows="customs")
    b = trade_elasticity_of(estimate_by(inclusive, spec)[""], "lntariff", flows="inclusive")
    # The two weigh observations differently, so they agree within the error, not to the digit.
    assert a.trade_elasticity == pytest.approx(b.trade_elasticity, abs=a.standard_error)
    with pytest.raises(InputError, match="needs one above zero"):
        trade_elasticity_of(estimate_by(rows.assign(lntariff=-rows["lntariff"]), spec)[""], "lntariff", flows="customs")


@needs_pyfixest
def test_a_trade_cost_is_what_the_coefficient_is_worth(rng: np.random.Generator) -> None:
    rows = simulated(rng, countries=8, years=3)
    found = estimate_gravity(rows, dependent="trade", regressors=["lntariff", "agreement"])
    cost = trade_cost_of(found, "agreement", 4.0)
    b, se = found["agreement"], found.error_of("agreement")
    assert cost.ave == pytest.approx(np.exp(-b / 4.0) - 1.0)
    step = 1e-6
    slope = (np.exp(-(b + step) / 4.0) - np.exp(-(b - step) / 4.0)) / (2 * step)
    assert cost.standard_error == pytest.approx(abs(slope) * se, rel=1e-6)
    assert cost.low < cost.ave < cost.high
    # Costs of the size found, to the power of minus the elasticity, give the coefficient back.
    assert (1.0 + cost.ave) ** -4.0 == pytest.approx(np.exp(b))
    with pytest.raises(InputError, match="above zero"):
        trade_cost_of(found, "agreement", 0.0)


def test_a_specification_is_read_or_refused() -> None:
    spec = parse_spec(" trade ~ lndist+ pta | exporter ^ year + importer^year ")
    assert (spec.dependent, spec.regressors) == ("trade", ("lndist", "pta"))
    assert spec.fixed_effects == ("exporter^year", "importer^year")
    assert parse_spec("trade ~ lndist").fixed_effects == ("exporter", "importer")
    assert parse_spec("trade ~ lndist |").fixed_effects == ()
    for wrong in ("", "trade", "trade ~", "~ lndist", "a + b ~ c", "trade ~ a + | exporter", "trade ~ a | b | c"):
        with pytest.raises(InputError, match="cannot be read"):
            parse_spec(wrong)


def test_a_scenario_carries_elasticities_and_costs(tmp_path: Path) -> None:
    table = elasticity_table({"food": TradeElasticity(3.5, 0.4, -4.5)}, goods_sectors())
    saves = TradeCost("pta", -0.1, 0.02, -0.14, 0.01, 4.0)
    costs = TradeCost("border", 0.3, 0.02, 0.2, 0.4, 4.0)
    text = gravity_scenario(
        table, [saves, costs], name="my estimate", source='PPML of "trade"', origin="CAN", destination="JPN"
    )
    path = tmp_path / "estimate.toml"
    path.write_text(text, encoding="utf-8")
    scenario = load_scenario(path)
    assert scenario.trade_elasticity == {"food": 3.5}
    position = scenario_world(scenario).sectors.index("food")
    assert float(scenario_world(scenario).trade_elasticity[position]) == 3.5
    pta, border = scenario.measure
    assert isinstance(pta, Obstacle)
    assert isinstance(border, Obstacle)
    assert (pta.removed, border.removed, border.added) == (True, False, True)
    assert pta.ave.central == pytest.approx(1 / 0.9 - 1)
    assert (pta.ave.low, border.ave.high) == (0.0, 0.4)
    assert "low is cut there" in text


def test_a_scenario_of_nothing_or_of_no_pair_is_refused() -> None:
    none = elasticity_table({}, goods_sectors())
    with pytest.raises(InputError, match="nothing was asked for"):
        gravity_scenario(none, name="x", source="y")
    with pytest.raises(InputError, match="give both"):
        gravity_scenario(none, [TradeCost("pta", -0.1, 0.0, -0.1, -0.1, 4.0)], name="x", source="y", origin="CAN")
    with pytest.raises(InputError, match="did you mean 'food'"):
        elasticity_table({"foood": TradeElasticity(3.5, 0.4, -4.5)}, goods_sectors())


def test_one_estimate_stands_for_every_sector() -> None:
    table = elasticity_table({"": TradeElasticity(3.5, 0.4, -4.5)}, goods_sectors())
    assert tuple(table["sector"]) == goods_sectors()
    assert set(table["trade_elasticity"]) == {3.5}


def test_a_file_of_elasticities_is_checked_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "theta.csv"
    with pytest.raises(InputError, match="does not exist"):
        load_world(elasticities=str(path))
    path.write_text("sector,trade_elasticity\nfood,3\nfood,4\nmetals,-1\nmining,x\n", encoding="utf-8")
    with pytest.raises(DataError, match="3 problems") as caught:
        load_world(elasticities=str(path))
    assert [p.partition(":")[0] for p in caught.value.problems] == ["line 3", "line 4", "line 5"]
    path.write_text("sector,theta\nfood,3\n", encoding="utf-8")
    with pytest.raises(DataError, match="lacks the columns trade_elasticity"):
        load_world(elasticities=str(path))
    path.write_text("sector,trade_elasticity\nfoood,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'food'"):
        load_world(elasticities=str(path))
