"""Compile a scenario to a Shock: measures in force on a day, laid on the lines of trade, averaged into sectors.

Duties and obstacles are laid product by product, so that exemptions, rates by chapter and duties that do not stack
come out exactly; the sectors of the model then get trade-weighted means at baseline values. The report says for every
measure what it touched, and names every code that met no trade.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import ScenarioError, did_you_mean, raise_all
from counterpoise.core.shock import Shock
from counterpoise.data import concordance
from counterpoise.scenario import schema
from counterpoise.scenario.compile_report import CompileReport, Coverage, MeasureReport
from counterpoise.scenario.products import Lines, LineTerms, Match, ProductDetail, look_up
from counterpoise.scenario.schema import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.core import World

__all__ = [
    "CompileReport",
    "CompiledScenario",
    "Coverage",
    "MeasureReport",
    "added_duty_rate",
    "change_dates",
    "compile_scenario",
    "timeline",
]

EMBARGO_COVERAGE = 0.999
"""Share of a sector's trade that an embargo must cover to stop the sector."""

Floats = NDArray[np.float64]
OnTrade = schema.Tariff | schema.ExportTax | schema.Obstacle | schema.Purchase | schema.Quota | schema.Embargo
Elsewhere = schema.Productivity | schema.Labour | schema.Demand | schema.Opening


@dataclass(frozen=True, slots=True)
class CompiledScenario:
    """A Shock, the report of how it came about, and its terms by line for each pair (origin, destination) touched."""

    shock: Shock
    report: CompileReport
    lines: Mapping[tuple[str, str], LineTerms] = field(default_factory=dict[tuple[str, str], LineTerms])


def compile_scenario(
    scenario: Scenario,
    world: World,
    *,
    products: pd.DataFrame | ProductDetail | None = None,
    as_of: date | None = None,
    groups: Iterable[str] | None = None,
) -> CompiledScenario:
    """Turn the measures in force on a day into a Shock for a world.

    Parameters
    ----------
    scenario
        A validated scenario.
    world
        The baseline.
    products
        Trade below the sectors: origin, destination, hs (4 or 6 digits), value_usd. By default the embedded table where
        the world has the embedded labels (`product_detail` reads it once for many calls); otherwise whole sectors
        stand for their codes, and the report says so.
    as_of
        The day; the scenario's own by default.
    groups
        Groups of measures to compile; all by default.

    Returns
    -------
    The shock and its report.

    Raises
    ------
    ScenarioError
        If measures are dated and no day is given, labels are not those of the world, a group is unknown, or an embargo
        covers only part of a sector; all problems at once.
    """
    day = as_of or scenario.as_of
    picked = None if groups is None else tuple(groups)
    raise_all(
        ScenarioError, f"the scenario '{scenario.name}' cannot be compiled", _problems(scenario, world, day, picked)
    )
    detail = products if isinstance(products, ProductDetail) else product_detail(world, products)
    state = _State(world, detail, scenario, day)
    reports: list[MeasureReport] = []
    for measure in scenario.measure:
        reason = _idle(measure, day, picked)
        reports.append(_report(measure, reason=reason) if reason else _apply(state, measure))
    raise_all(ScenarioError, f"the scenario '{scenario.name}' cannot be compiled", state.problems)
    report = CompileReport(scenario.name, day, picked, tuple(reports))
    shock = state.shock([f"{m.id}: {m.title or m.kind}" for m in report.active])
    raise_all(ScenarioError, f"the scenario '{scenario.name}' cannot be compiled", shock.opening_problems(world))
    return CompiledScenario(shock, report, state.line_terms())


def change_dates(scenario: Scenario) -> tuple[date, ...]:
    """Return the days on which some enabled measure or exemption starts or stops, in order."""
    days: set[date] = set()
    used = {name for m in scenario.measure if isinstance(m, OnTrade) and m.enabled for name in m.exempt}
    for dated in [m for m in scenario.measure if m.enabled] + [scenario.exemptions[name] for name in sorted(used)]:
        days |= {day for day in (dated.valid_from, dated.valid_until) if day is not None}
    return tuple(sorted(days))


def timeline(
    scenario: Scenario,
    world: World,
    dates: Sequence[date] | None = None,
    *,
    products: pd.DataFrame | ProductDetail | None = None,
) -> tuple[tuple[date, CompiledScenario], ...]:
    """Compile a scenario on several days, by default on every day on which something changes."""
    detail = products if isinstance(products, ProductDetail) else product_detail(world, products)
    days = change_dates(scenario) if dates is None else tuple(dates)
    return tuple((day, compile_scenario(scenario, world, products=detail, as_of=day)) for day in days)


def added_duty_rate(world: World, shock: Shock, origin: str, destination: str) -> float:
    """Return the trade-weighted duty that a shock adds to the goods of a pair, at baseline trade; 0.5 is 50 points.

    Goods are the sectors that hold HS codes other than electricity; in a world with other sectors, all of them.
    """
    goods = [s for s in world.sectors if s in concordance.goods_sectors()] or list(world.sectors)
    pick = {"origin": origin, "destination": destination, "sector": goods}
    flow = world.flow.sel(pick)
    added = (shock.tariff_rate_cf - world.tariff_rate).sel(pick)
    return float((flow * added).sum() / flow.sum())


def product_detail(world: World, products: pd.DataFrame | None = None) -> ProductDetail:
    """Return the lines of every pair, to compile many scenarios for one world without reading the table anew.

    Parameters
    ----------
    world
        The baseline.
    products
        As in `compile_scenario`.
    """
    return _own_detail(world) if products is None else ProductDetail(world, products)


@lru_cache(maxsize=2)
def _own_detail(world: World) -> ProductDetail:
    """Return the lines of a world from the embedded table, once for all scenarios that are compiled for it."""
    return ProductDetail(world, _products(world))


def _products(world: World) -> pd.DataFrame | None:
    """Return the embedded product table for a world with the embedded labels."""
    if world.countries != concordance.regions() or world.sectors != concordance.sectors():
        return None
    from counterpoise.data import load_table

    return load_table("products")


def _problems(scenario: Scenario, world: World, day: date | None, groups: tuple[str, ...] | None) -> Iterator[str]:
    dated = [m.id for m in scenario.measure if m.valid_from or m.valid_until]
    if dated and day is None:
        first = ", ".join(dated[:3])
        yield f"measures are dated ({first}) and no day is given; set as_of = 2025-10-03, or --as-of DATE"
    for group in groups or ():
        if group not in scenario.groups:
            yield f"no group '{group}'{did_you_mean(group, scenario.groups) or ';'} Known: {', '.join(scenario.groups)}"
    for measure in scenario.measure:
        for key, kind in _LABEL_KEYS.items():
            known = world.sectors if kind == "sector" else world.countries
            value: object = getattr(measure, key, None)
            names = (value,) if isinstance(value, str) else cast("tuple[str, ...]", value or ())
            for name in names:
                if name not in known and name != "all":
                    hint = did_you_mean(name, known) or ";"
                    yield f"measure.{measure.id}.{key}: unknown {kind} '{name}'{hint} Known: {', '.join(known)}"


_LABEL_KEYS = {
    "origins": "country",
    "destinations": "country",
    "buyer": "country",
    "seller": "country",
    "countries": "country",
    "origin": "country",
    "destination": "country",
    "sectors": "sector",
    "sector": "sector",
}


def _idle(measure: schema.AnyMeasure, day: date | None, groups: tuple[str, ...] | None) -> str:
    """Say why a measure does not act; empty where it does."""
    if not measure.enabled:
        return "disabled"
    if groups is not None and measure.group_name not in groups:
        return f"group '{measure.group_name}' is left out"
    if day is not None and measure.valid_from is not None and day < measure.valid_from:
        return f"in force from {measure.valid_from}"
    if day is not None and measure.valid_until is not None and day >= measure.valid_until:
        return f"ended on {measure.valid_until}"
    if isinstance(measure, schema.Obstacle) and not (measure.removed or measure.added):
        return "part of the baseline; set removed = true to take it away"
    return ""


def _report(measure: schema.AnyMeasure, *, reason: str = "", **values: Any) -> MeasureReport:
    return MeasureReport(
        id=measure.id,
        kind=measure.kind,
        group=measure.group_name,
        title=measure.title,
        source=measure.source,
        confidence=measure.confidence,
        active=not reason,
        reason=reason,
        **values,
    )


@dataclass(slots=True)
class _Cells:
    """The terms of one pair by line, while measures are laid on it."""

    lines: Lines
    base: Floats
    duty: Floats
    unsubsidised: Floats
    iceberg: Floats
    rules: Floats
    tax: Floats
    duty_set: NDArray[np.bool_]
    subsidy_set: NDArray[np.bool_]
    iceberg_set: NDArray[np.bool_]
    rules_set: NDArray[np.bool_]
    tax_set: NDArray[np.bool_]


@dataclass(slots=True)
class _State:
    """All pairs touched so far, and the terms that are set by sector at once."""

    world: World
    detail: ProductDetail
    scenario: Scenario
    day: date | None
    pairs: dict[tuple[int, int], _Cells] = field(default_factory=dict[tuple[int, int], _Cells])
    stopped: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    productivity: dict[tuple[int, int], float] = field(default_factory=dict[tuple[int, int], float])
    labour: dict[int, float] = field(default_factory=dict[int, float])
    demand: dict[tuple[int, int], float] = field(default_factory=dict[tuple[int, int], float])
    limits: dict[tuple[int, int, int], tuple[float, float]] = field(
        default_factory=dict[tuple[int, int, int], tuple[float, float]]
    )
    opened: dict[tuple[int, int, int], tuple[float, float]] = field(
        default_factory=dict[tuple[int, int, int], tuple[float, float]]
    )
    problems: list[str] = field(default_factory=list[str])

    def cells(self, origin: int, destination: int) -> _Cells:
        """Return the terms of a pair, neutral at first."""
        key = (origin, destination)
        if key not in self.pairs:
            lines = self.detail.lines(origin, destination)
            base = self.world.tariff_rate.to_numpy()[origin, destination][lines.sector]
            n, s = len(base), len(self.world.sectors)
            untouched = [np.zeros(s, dtype=bool) for _ in range(5)]
            self.pairs[key] = _Cells(
                lines, base, base.copy(), np.ones(n), np.ones(n), np.ones(n), np.zeros(n), *untouched
            )
        return self.pairs[key]

    def line_terms(self) -> dict[tuple[str, str], LineTerms]:
        """Return the terms by line of every pair touched, by the labels of the countries."""
        names = self.world.countries
        return {
            (names[i], names[j]): LineTerms(cells.lines, cells.base, cells.duty, cells.iceberg * cells.rules)
            for (i, j), cells in self.pairs.items()
        }

    def shock(self, notes: Sequence[str]) -> Shock:
        """Average the lines into sectors; a sector that no measure touched keeps its baseline to the last bit."""
        world = self.world
        duty = world.tariff_rate.to_numpy().copy()
        subsidy, iceberg, rules, tax = np.zeros_like(duty), np.ones_like(duty), np.ones_like(duty), np.zeros_like(duty)
        embargo = np.zeros(duty.shape, dtype=bool)
        productivity = np.ones((len(world.countries), len(world.sectors)))
        demand, labour = np.ones_like(productivity), np.ones(len(world.countries))
        limit, part, potential = np.full(duty.shape, np.inf), np.zeros_like(duty), np.zeros_like(duty)
        for pair, cells in self.pairs.items():
            for target, touched, values in (
                (duty, cells.duty_set, cells.duty),
                (subsidy, cells.subsidy_set, 1.0 - cells.unsubsidised),
                (iceberg, cells.iceberg_set, cells.iceberg),
                (rules, cells.rules_set, cells.rules),
                (tax, cells.tax_set, cells.tax),
            ):
                if touched.any():
                    target[pair][touched] = cells.lines.sector_mean(values, len(world.sectors))[touched]
        for cell in self.stopped:
            embargo[cell] = True
        for array, factors in ((productivity, self.productivity), (labour, self.labour), (demand, self.demand)):
            for place, factor in factors.items():
                array[place] = factor
        for cell, (most, exporters) in self.limits.items():
            limit[cell], part[cell] = most, exporters
        for cell, (sold, cost) in self.opened.items():
            potential[cell] = sold
            iceberg[cell] *= 1.0 + cost
        return Shock(
            world,
            tariff_rate_cf=duty,
            purchase_subsidy_rate=subsidy,
            export_tax_rate=_if_any(tax, 0.0),
            iceberg_cost_hat=iceberg,
            non_tariff_cost_hat=_if_any(rules, 1.0),
            productivity_hat=productivity,
            labour_supply_hat=_if_any(labour, 1.0),
            demand_hat=_if_any(demand, 1.0),
            embargo=embargo,
            potential_flow=_if_any(potential, 0.0),
            quota_limit=_if_any(limit, np.inf),
            quota_exporter_share=_if_any(part, 0.0),
            notes=notes,
        )


def _if_any(values: Floats, neutral: float) -> Floats | None:
    """Return a term, or None where it changes nothing."""
    return values if bool(np.any(values != neutral)) else None


def _apply(state: _State, measure: schema.AnyMeasure) -> MeasureReport:
    """Lay one measure on all its cells and say what it touched."""
    if isinstance(measure, Elsewhere):
        return _apply_elsewhere(state, measure)
    world = state.world
    origins, destinations = _sides(measure)
    coverage: list[Coverage] = []
    match = Match()
    for i in _positions(world.countries, origins):
        for j in _positions(world.countries, destinations):
            if i != j:
                coverage += _apply_to_pair(state, measure, i, j, match)
    if isinstance(measure, schema.Quota) and measure.limit_usd is not None and len(coverage) > 1:
        cells = ", ".join(f"{c.origin} -> {c.destination} {c.sector}" for c in coverage[:4])
        state.problems.append(
            f"measure.{measure.id}: limit_usd is the limit of one sector of one pair, but {len(coverage)} are meant "
            f"({cells}{', ...' if len(coverage) > 4 else ''}); name one, or give limit_share"
        )
    notes = [*_match_notes(measure, match, origins, destinations), *([measure.note] if measure.note else [])]
    if not measure.source:
        notes.append("no source is given")
    traded = np.array([c.trade_usd for c in coverage])
    rates = np.array([c.rate for c in coverage])
    total = float(traded.sum())
    if not coverage:
        notes.append("touches no trade at all")
    if isinstance(measure, schema.Embargo):
        rates = np.full(len(rates), np.nan)
    mean = float(traded @ rates / total) if total > 0 else float(rates.mean()) if len(rates) else float("nan")
    return _report(
        measure, cells=len(coverage), trade_usd=total, mean_rate=mean, coverage=tuple(coverage), notes=tuple(notes)
    )


def _sides(measure: OnTrade) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(measure, schema.Purchase):
        return (measure.seller,), (measure.buyer,)
    return measure.origins, measure.destinations


def _positions(labels: Sequence[str], names: Sequence[str]) -> list[int]:
    return list(range(len(labels))) if "all" in names else [labels.index(name) for name in dict.fromkeys(names)]


def _apply_to_pair(state: _State, measure: OnTrade, i: int, j: int, match: Match) -> list[Coverage]:
    """Lay a measure on the lines of one pair; return what it covers, sector by sector."""
    world, cells = state.world, state.cells(i, j)
    lines, sectors = cells.lines, len(world.sectors)
    rate, reach = _rate_and_reach(state, measure, lines, match)
    touched = np.bincount(lines.sector[reach > 0], minlength=sectors) > 0
    if isinstance(measure, schema.Tariff):
        level = {"add": cells.duty + rate, "set": rate, "replace_added": cells.base + rate}[measure.mode]
        cells.duty = (1.0 - reach) * cells.duty + reach * level
        cells.duty_set |= touched
    elif isinstance(measure, schema.Purchase):
        cells.unsubsidised *= 1.0 - reach * rate
        cells.subsidy_set |= touched
    elif isinstance(measure, schema.ExportTax):
        cells.tax = (1.0 - reach) * cells.tax + reach * rate
        cells.tax_set |= touched
    elif isinstance(measure, schema.Obstacle):
        factor = 1.0 + rate if measure.added else (1.0 + rate * (1.0 - measure.removal_share)) / (1.0 + rate)
        target, marks = (
            (cells.iceberg, cells.iceberg_set) if measure.nature == "iceberg" else (cells.rules, cells.rules_set)
        )
        target *= 1.0 + reach * (factor - 1.0)
        marks |= touched
    covered = lines.sector_mean(reach, sectors)
    weighted = lines.sector_mean(reach * rate, sectors)
    flow = world.flow.to_numpy()[i, j]
    pair = world.countries[i], world.countries[j]
    out = [
        Coverage(
            *pair, world.sectors[s], float(flow[s] * covered[s]), float(covered[s]), float(weighted[s] / covered[s])
        )
        for s in np.flatnonzero(touched)
    ]
    if isinstance(measure, schema.Embargo | schema.Quota):
        state.problems += [_partial_stop(measure, c) for c in out if c.covered_share < EMBARGO_COVERAGE]
    if isinstance(measure, schema.Embargo):
        state.stopped += [(i, j, int(s)) for s in np.flatnonzero(touched)]
    if isinstance(measure, schema.Quota):
        for k, s in enumerate(np.flatnonzero(touched).tolist()):
            most = measure.limit_usd if measure.limit_share is None else measure.limit_share * float(flow[s])
            assert most is not None
            state.limits[i, j, s] = (most, measure.exporter_share)
            out[k] = replace(out[k], rate=most / float(flow[s]) - 1.0 if flow[s] > 0 else float("nan"))
    return out


def _partial_stop(measure: schema.Embargo | schema.Quota, part: Coverage) -> str:
    done = "stopped" if isinstance(measure, schema.Embargo) else "limited"
    return (
        f"measure.{measure.id} covers {100 * part.covered_share:.1f} % of {part.origin} -> {part.destination} trade in "
        f"{part.sector}, and a sector can only be {done} whole (at least {100 * EMBARGO_COVERAGE:g} %); take it with "
        f'sectors = ["{part.sector}"], or use a tariff on the products'
    )


def _rate_and_reach(state: _State, measure: OnTrade, lines: Lines, match: Match) -> tuple[Floats, Floats]:
    """Return by line the rate of a measure, and the share of the line that it reaches (0: not meant)."""
    sectors, case = state.world.sectors, state.scenario.case
    flat = 0.0
    if isinstance(measure, schema.Tariff | schema.ExportTax):
        flat = measure.rate or 0.0
    elif isinstance(measure, schema.Obstacle):
        flat = measure.ave.at(case)
    elif isinstance(measure, schema.Purchase):
        flat = measure.subsidy_rate.at(case)
    rate = np.full(len(lines.code), np.nan)
    names = set(measure.sectors or ())
    by_sector = {name: flat for name in (sectors if "all" in names else names)}
    codes = [(code, flat) for code in measure.products or ()]
    if isinstance(measure, schema.Tariff):
        by_sector |= {row.sector: row.rate for row in measure.rates if row.sector is not None}
        codes += [(row.hs, row.rate) for row in measure.rates if row.hs is not None]
    for name, value in by_sector.items():
        rate[lines.sector == sectors.index(name)] = value
    if codes:
        looked, found = look_up(codes, lines, sectors, widen=True)
        rate = np.where(np.isnan(looked), rate, looked)
        match.merge(found)
    reach = np.where(np.isnan(rate), 0.0, 1.0)
    for entries in _exemptions(state, measure):
        kept, found = look_up(entries, lines, sectors, widen=False)
        reach = np.where(np.isnan(kept), reach, np.minimum(reach, kept))
        match.merge(found)
    return np.nan_to_num(rate), reach


def _exemptions(state: _State, measure: OnTrade) -> Iterator[list[tuple[str, float]]]:
    """Yield exemption tables: HS entries, each with the share that the measure still reaches."""
    if measure.except_:
        yield [(code, 0.0) for code in measure.except_]
    for name in measure.exempt:
        listed = state.scenario.exemptions[name]
        started = listed.valid_from is None or (state.day is not None and state.day >= listed.valid_from)
        ended = listed.valid_until is not None and state.day is not None and state.day >= listed.valid_until
        if started and not ended:
            yield [(p.hs, p.reached_share) for p in listed.partial] + [(code, 0.0) for code in listed.hs]


def _match_notes(measure: OnTrade, match: Match, origins: Sequence[str], destinations: Sequence[str]) -> Iterator[str]:
    """Say what the HS codes of a measure met, and what they did not."""
    where = f"{', '.join(origins)} -> {', '.join(destinations)}"
    asked = [*(measure.products or ()), *measure.except_]
    if isinstance(measure, schema.Tariff):
        asked += [row.hs for row in measure.rates if row.hs is not None]
    absent = [
        c for c in dict.fromkeys(asked) if c not in match.matched and c not in match.too_fine and c not in match.unseen
    ]
    if absent:
        yield f"HS {', '.join(absent)} met no trade {where}"
    if match.widened:
        met = sorted({s for found in match.widened.values() for s in found})
        codes = ", ".join(sorted(match.widened))
        yield f"no product detail for some pairs of {where}: HS {codes} stands for the whole of {', '.join(met)} there"
    if match.unseen:
        codes = ", ".join(sorted(match.unseen))
        yield f"no product detail for some pairs of {where}: the exemption of HS {codes} has no effect there"
    if match.too_fine:
        codes = ", ".join(sorted(match.too_fine))
        yield f"only headings are known for some pairs of {where}: HS {codes} has no effect there"


def _apply_elsewhere(state: _State, measure: Elsewhere) -> MeasureReport:
    """Set what is no matter of products: productivity, labour, tastes, and a line that is opened."""
    world, trade, rate = state.world, float("nan"), float("nan")
    if isinstance(measure, schema.Opening):
        i, j = world.countries.index(measure.origin), world.countries.index(measure.destination)
        cell = (i, j, world.sectors.index(measure.sector))
        if cell in state.opened:
            state.problems.append(f"measure.{measure.id}: an earlier measure opens the same line; keep one")
        state.opened[cell] = (measure.potential_usd, measure.cost)
        trade, cells = measure.potential_usd, 1
    elif isinstance(measure, schema.Labour):
        countries = _positions(world.countries, measure.countries)
        for i in countries:
            state.labour[i] = state.labour.get(i, 1.0) * measure.factor
        rate, cells = measure.factor - 1.0, len(countries)
    else:
        target = state.productivity if isinstance(measure, schema.Productivity) else state.demand
        countries = _positions(world.countries, measure.countries)
        sectors = _positions(world.sectors, measure.sectors)
        for place in ((i, s) for i in countries for s in sectors):
            target[place] = target.get(place, 1.0) * measure.factor
        rate, cells = measure.factor - 1.0, len(countries) * len(sectors)
    notes = [note for note in (measure.note, "" if measure.source else "no source is given") if note]
    return _report(measure, cells=cells, trade_usd=trade, mean_rate=rate, notes=tuple(notes))
