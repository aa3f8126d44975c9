"""The whole story of a scenario: solve what it asks, apart and together, say it in five sentences, write the report.

A scenario names a pair of countries and groups of measures. What can be told depends on what it holds: a group of
duties gives the chapter on the third party, purchases and obstacles the chapter on the order, an embargo the chapter
on the stop. Every number of the text is computed from the solutions and the embedded tables; bands are 5 to 95 % of
draws of the elasticities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import Shock, Solution, World, horizon_elasticity
from counterpoise.core.errors import InputError
from counterpoise.core.labels import index_of
from counterpoise.data import load_table
from counterpoise.data.concordance import goods_sectors
from counterpoise.model import labour_of
from counterpoise.report.manifest import run_manifest, write_manifest
from counterpoise.report.studies import Studies, run_studies
from counterpoise.scenario import (
    CompiledScenario,
    Scenario,
    compile_scenario,
    load_scenario,
    product_detail,
    scenario_world,
)
from counterpoise.scenario.products import ProductDetail
from counterpoise.scenario.schema import AnyMeasure, Obstacle, Purchase, Range, Tariff
from counterpoise.solver import Batch, rebase, solve, solve_batch

__all__ = ["Band", "Case", "Story", "StoryResult", "groups_of_parts", "run_story", "tell"]

COMPANIONS: Mapping[str, tuple[str, ...]] = {"valdai-2025": ("oil-stop", "100bn-2030")}
"""Library scenarios whose result belongs into the report of another."""

PARTS = ("duty", "order", "obstacles", "oil")
"""Parts that a story can have; groups of these names belong to them whatever they hold."""

CLOSURES = ("fixed_world_share", "zero", "fixed_nominal")
SETS = ("fgo", "cp2015", "gtap")
"""Published sets of trade elasticities; each draw starts from one of them, in turn."""

DRAWS = 150
LOG_SPREAD = 0.2
"""Standard deviation of the log of each elasticity around its published value within a draw: our assumption."""

CAP = 15.0
"""Largest elasticity in a draw: the one published value above it (64.85 for refined oil) would rule the band alone."""

SUBSIDY_RATES = tuple(round(0.05 * k, 2) for k in range(13))
"""Rates of the purchase programme at which its reach is drawn, 0 to 60 %."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Band:
    """A number with its 5 to 95 % range over the draws."""

    central: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One counterfactual of the story: what was asked, its solution, and the same under drawn elasticities."""

    name: str
    title: str
    compiled: CompiledScenario
    solution: Solution
    draws: Batch

    def band(self, of: Callable[[Solution], float], drawn: NDArray[np.float64]) -> Band:
        """Return a number of the solution with its range over the draws."""
        low, high = np.quantile(drawn, [0.05, 0.95])
        return Band(of(self.solution), float(low), float(high))

    def welfare_pct(self, country: str) -> Band:
        """Real income of a country, percent of the baseline."""
        drawn = 100.0 * (self.draws.data["welfare_hat"].sel(country=country).to_numpy() - 1.0)
        return self.band(lambda s: 100.0 * (float(s.welfare_hat.sel(country=country)) - 1.0), drawn)

    def equivalent_variation_usd(self, country: str) -> Band:
        """Equivalent variation of a country, USD."""
        income = float(self.solution.world.income.sel(country=country))
        pct = self.welfare_pct(country)
        return Band(*(income * value / 100.0 for value in (pct.central, pct.low, pct.high)))

    def flow_change_usd(self, origin: str, destination: str) -> Band:
        """Change of everything sold from origin to destination, USD at customs value."""
        base = float(self.solution.world.flow.sel(origin=origin, destination=destination).sum())
        drawn = self.draws.data["pair_flow_cf"].sel(origin=origin, destination=destination).to_numpy() - base
        return self.band(lambda s: float(s.flow_cf.sel(origin=origin, destination=destination).sum()) - base, drawn)

    def goods_change_usd(self, origin: str, destination: str) -> Band:
        """Change of the goods sold from origin to destination, USD at customs value; services left out."""
        world = self.solution.world
        pick = {"origin": origin, "destination": destination, "sector": goods_of(world)}
        base = float(world.flow.sel(pick).sum())
        drawn = self.draws.data["flow_cf"].sel(pick).sum("sector").to_numpy() - base
        return self.band(lambda s: float(s.flow_cf.sel(pick).sum()) - base, drawn)

    def closed_share(self, origin: str, destination: str) -> Band:
        """Share of the baseline gap of a pair that is closed; negative where it opens."""
        base = self.solution.world.gap_usd(origin, destination)
        drawn = 1.0 - self.draws.gap_cf_usd(origin, destination) / base
        return self.band(lambda s: 1.0 - s.gap_cf_usd(origin, destination) / base, drawn)


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """Everything the report says, as numbers.

    ``seller`` and ``buyer`` are the pair (seller sells more than it buys); ``third`` and ``target`` who levies the
    duty and on whom, None without one. ``cases`` holds the counterfactuals by name; ``closures`` the headline case
    under every closure; ``reach`` the share of the gap closed by the purchase programme at each rate, obstacles as
    they are and removed; ``alone`` each obstacle removed alone. ``studies`` holds obstacles, settlement and the fund;
    None where the scenario has neither obstacles nor an order.
    """

    scenario: Scenario
    world: World
    seller: str
    buyer: str
    third: str | None
    target: str | None
    cases: Mapping[str, Case]
    closures: Mapping[str, Solution]
    reach: tuple[tuple[float, float, float, float], ...]
    alone: tuple[tuple[str, float, float, float], ...]
    seed: int
    detail: ProductDetail
    studies: Studies | None = None

    @property
    def headline(self) -> Case:
        """The case with everything the scenario holds."""
        return self.cases["all"]


@dataclass(frozen=True, slots=True)
class StoryResult:
    """The answer, the headlines of the studies beside it, their numbers, where it is written, and when it finished."""

    sentences: tuple[str, ...]
    headlines: tuple[str, ...]
    studies: Mapping[str, Any]
    html_path: Path
    workbook_path: Path
    manifest_path: Path
    finished: str


def run_story(scenario: Scenario, out_dir: Path, progress: Tell | None = None, *, seed: int = 0) -> StoryResult:
    """Solve a scenario's story and write report, workbook and manifest.

    Parameters
    ----------
    scenario
        A validated scenario with a pair.
    out_dir
        Folder that takes ``report.html``, ``report.xlsx`` and ``manifest.json``; each appears whole or not at all.
    progress
        Called with a phase, steps done and steps in all.
    seed
        Of the draws.

    Raises
    ------
    InputError
        If the scenario names no pair.
    NotConvergedError
        If a counterfactual has no equilibrium.
    """
    from counterpoise.report.chapters import compose, headlines_of
    from counterpoise.report.html import write_html
    from counterpoise.report.workbook import write_workbook

    story = tell(scenario, progress, seed=seed)
    studies = story.studies.facts() if story.studies is not None else {}
    manifest = run_manifest(
        inputs={"scenario": scenario.model_dump_json(by_alias=True).encode()},
        options={"scenario": scenario.name, "as_of": str(scenario.as_of), "closure": scenario.closure, "seed": seed}
        | {"model": scenario.model.model_dump(exclude_none=True), "horizon_years": scenario.horizon_years},
        results={
            "world": {"name": story.world.meta.name, "sources": list(story.world.meta.sources)},
            "draws": DRAWS,
            "solutions": {name: case.solution.facts() for name, case in story.cases.items()},
            "studies": studies,
        },
    )
    document = compose(story, manifest)
    if progress is not None:
        progress("writing", 0, 3)
    html_path = write_html(document, out_dir / "report.html")
    workbook_path = write_workbook(document, out_dir / "report.xlsx")
    manifest_path = write_manifest(manifest, out_dir / "manifest.json")
    if progress is not None:
        progress("writing", 3, 3)
    sentences = tuple(sentence.replace("**", "") for sentence in document.sentences)
    headlines = tuple(words.replace("**", "") for words in headlines_of(story.studies))
    return StoryResult(
        sentences, headlines, studies, html_path, workbook_path, manifest_path, str(manifest["finished"])
    )


def tell(scenario: Scenario, progress: Tell | None = None, *, seed: int = 0) -> Story:
    """Solve every counterfactual a scenario's story needs.

    Parameters
    ----------
    scenario, progress, seed
        As in `run_story`; its model must hold every instrument in single sectors.
    """
    if scenario.pair is None:
        raise InputError(
            f'the scenario \'{scenario.name}\' names no pair; add pair = {{ origin = "RUS", destination = "IND" }},'
            " the two countries whose gap is the subject, or solve it with 'counterpoise simulate'"
        )
    scenario.choice.require_levers("the story of a scenario")
    world, labour = scenario_world(scenario), labour_of(scenario.choice)
    seller, buyer = scenario.pair.origin, scenario.pair.destination
    if world.gap_usd(seller, buyer) < 0:
        seller, buyer = buyer, seller
    elasticity = drawn_elasticities(world, DRAWS, seed, years=scenario.horizon_years)
    asked = _questions(scenario, seller)
    detail = product_detail(world)
    cases: dict[str, Case] = {}
    for done, (name, (title, variant, groups)) in enumerate(asked.items()):
        if progress is not None:
            progress(title, done, len(asked))
        compiled = compile_scenario(variant, world, products=detail, groups=groups)
        solution = solve(world, compiled.shock, closure=scenario.closure, labour=labour)
        draws = solve_batch(
            world, compiled.shock, trade_elasticity=elasticity, closure=scenario.closure, labour=labour, flows=True
        )
        cases[name] = Case(name, title, compiled, solution, draws)
    third, target = _third_party(scenario)
    lead = cases.get("duty", cases["all"])
    closures = {
        name: solve(_world_for(world, name), lead.compiled.shock, closure=name, labour=labour) for name in CLOSURES
    }
    if progress is not None:
        progress("what the order can reach", len(asked), len(asked))
    studies = None
    if {"obstacles", "order"} & {*groups_of_parts(scenario, seller)}:
        order = cases["order"].solution if "order" in cases else None
        studies = run_studies(scenario, world, seller, buyer, order, progress, seed=seed)
    return Story(
        scenario=scenario,
        world=world,
        seller=seller,
        buyer=buyer,
        third=third,
        target=target,
        cases=cases,
        closures=closures,
        reach=_reach(scenario, world, detail, seller, buyer),
        alone=_one_obstacle_at_a_time(scenario, world, detail, seller, buyer),
        seed=seed,
        detail=detail,
        studies=studies,
    )


def goods_of(world: World) -> list[str]:
    """Return the sectors that hold goods; all of them in a world whose sectors are not the embedded ones."""
    return [s for s in world.sectors if s in goods_sectors()] or list(world.sectors)


def drawn_elasticities(world: World, count: int, seed: int, *, years: float | None = None) -> NDArray[np.float64]:
    """Draw trade elasticities, (count, S): the published sets in turn, each value times a log-normal factor.

    For a world other than the embedded one the sets do not apply, and draws are around the world's own. ``years`` after
    a change the sets are as small as they are then. With scale economies no draw goes beyond one over the scale
    elasticity, where equilibria could be many.
    """
    noise = np.random.default_rng(seed).standard_normal((count, len(world.sectors)))
    table = load_table("elasticities")
    known = set(table["sector"].astype(str))
    if not set(world.sectors) <= known:
        centre = np.repeat(world.trade_elasticity.to_numpy()[None, :], count, axis=0)
    else:
        wide = table.pivot(index="sector", columns="set", values="trade_elasticity").loc[
            list(world.sectors), list(SETS)
        ]
        published = wide.to_numpy(dtype=np.float64).T
        centre = np.minimum(published, CAP)[np.arange(count) % len(SETS)]
        if years is not None:
            centre = horizon_elasticity(centre, years)
    drawn = centre * np.exp(LOG_SPREAD * noise)
    scale = world.scale_elasticity.to_numpy()
    return np.minimum(drawn, np.divide(1.0, scale, out=np.full_like(scale, np.inf), where=scale > 0))


def groups_of_parts(scenario: Scenario, seller: str | None = None) -> dict[str, tuple[str, ...]]:
    """Return the groups of measures behind each part of the story: duty, order, obstacles and oil.

    A group of that name, and groups of other names whose measures all belong to one part: purchases by ``seller``, who
    sells more (the pair's origin by default), from the other; obstacles between the two that stand today; duties that
    neither levies.
    """
    held: dict[str, set[str]] = {}
    for measure in scenario.measure:
        if measure.group_name in PARTS or measure.enabled:
            part = measure.group_name if measure.group_name in PARTS else _part_of(scenario, measure, seller)
            held.setdefault(measure.group_name, set()).add(part)
    out = {part: tuple(group for group, parts in held.items() if parts == {part}) for part in PARTS}
    return {part: groups for part, groups in out.items() if groups}


def _part_of(scenario: Scenario, measure: AnyMeasure, seller: str | None) -> str:
    """Return the part of the story that a measure of a group of another name belongs to; empty where to none."""
    if scenario.pair is None:
        return ""
    pair = {scenario.pair.origin, scenario.pair.destination}
    buyer = seller or scenario.pair.origin
    if isinstance(measure, Purchase) and measure.buyer == buyer and {measure.buyer, measure.seller} == pair:
        return "order"
    if isinstance(measure, Obstacle) and not measure.added and pair <= {*measure.origins, *measure.destinations}:
        return "obstacles"
    if isinstance(measure, Tariff) and not {*pair, "all"} & {*measure.destinations}:
        return "duty"
    return ""


def _questions(scenario: Scenario, seller: str) -> dict[str, tuple[str, Scenario, Sequence[str] | None]]:
    """Return the counterfactuals to solve: name -> (title, scenario, groups)."""
    parts = groups_of_parts(scenario, seller)
    out: dict[str, tuple[str, Scenario, Sequence[str] | None]] = {}
    if "duty" in parts:
        out["duty"] = ("the duty", scenario, parts["duty"])
    if "order" in parts:
        out["order"] = ("the order", scenario, parts["order"])
    if "obstacles" in parts:
        freed = with_obstacles_removed(scenario)
        out["obstacles"] = ("every obstacle removed", freed, parts["obstacles"])
        if "order" in parts:
            both = (*parts["order"], *parts["obstacles"])
            out["order_and_obstacles"] = ("the order, every obstacle removed", freed, both)
    if "oil" in parts:
        out["oil"] = ("the stop", scenario, parts["oil"])
    out["all"] = ("everything in the scenario", scenario, None)
    for companion in COMPANIONS.get(scenario.name, ()):
        other = load_scenario(companion)
        out[companion] = (other.title, other, groups_of_parts(other).get("oil"))
    return out


def with_obstacles_removed(scenario: Scenario, only: str | None = None) -> Scenario:
    """Return the scenario with every obstacle taken away (or one, by id)."""
    return _with_measures(
        scenario,
        lambda m: m.model_copy(update={"removed": True}) if isinstance(m, Obstacle) and only in (None, m.id) else m,
    )


def with_subsidy_rate(scenario: Scenario, rate: float) -> Scenario:
    """Return the scenario with every purchase programme at one rate."""
    flat = Range(central=rate, low=rate, high=rate)
    return _with_measures(
        scenario, lambda m: m.model_copy(update={"subsidy_rate": flat}) if isinstance(m, Purchase) else m
    )


def _with_measures(scenario: Scenario, change: Callable[[AnyMeasure], AnyMeasure]) -> Scenario:
    return scenario.model_copy(update={"measure": tuple(change(m) for m in scenario.measure)})


def _third_party(scenario: Scenario) -> tuple[str | None, str | None]:
    """Return who levies the first duty, and on whom."""
    for measure in scenario.measure:
        if isinstance(measure, Tariff) and measure.enabled:
            return measure.destinations[0], measure.origins[0]
    return None, None


def _world_for(world: World, closure: str) -> World:
    """Return the world a closure starts from: without deficits for 'zero', so that only the shock moves anything."""
    return rebase(world, "zero") if closure == "zero" else world


def _reach(
    scenario: Scenario, world: World, detail: ProductDetail, seller: str, buyer: str
) -> tuple[tuple[float, float, float, float], ...]:
    """Return (rate, share closed, share closed without obstacles, cost in USD) at each rate of the programme."""
    parts = groups_of_parts(scenario, seller)
    if "order" not in parts:
        return ()
    free = with_obstacles_removed(scenario)
    order = parts["order"]
    both = (*order, *parts.get("obstacles", ()))
    shocks: list[Shock] = []
    for rate in SUBSIDY_RATES:
        shocks.append(compile_scenario(with_subsidy_rate(scenario, rate), world, products=detail, groups=order).shock)
        shocks.append(compile_scenario(with_subsidy_rate(free, rate), world, products=detail, groups=both).shock)
    batch = solve_batch(world, shocks, closure=scenario.closure, labour=labour_of(scenario.choice))
    closed = 1.0 - batch.gap_cf_usd(seller, buyer) / world.gap_usd(seller, buyer)
    paid = batch.data["purchase_cost_cf"].sel(country=seller).to_numpy()
    rows = zip(SUBSIDY_RATES, closed[0::2].tolist(), closed[1::2].tolist(), paid[0::2].tolist(), strict=True)
    return tuple(rows)


def _one_obstacle_at_a_time(
    scenario: Scenario, world: World, detail: ProductDetail, seller: str, buyer: str
) -> tuple[tuple[str, float, float, float], ...]:
    """Return (title, mean ad valorem equivalent, share of gap closed, more exports in USD), each obstacle alone."""
    obstacles = [m for m in scenario.measure if isinstance(m, Obstacle)]
    if not obstacles:
        return ()
    compiled = [
        compile_scenario(with_obstacles_removed(scenario, m.id), world, products=detail, groups=(m.group_name,))
        for m in obstacles
    ]
    batch = solve_batch(world, [c.shock for c in compiled], closure=scenario.closure, labour=labour_of(scenario.choice))
    closed = 1.0 - batch.gap_cf_usd(seller, buyer) / world.gap_usd(seller, buyer)
    i, j = (index_of(world.countries, c, "country") for c in (buyer, seller))
    before = float(world.flow.to_numpy()[i, j].sum())
    sold = batch.data["pair_flow_cf"].to_numpy()[:, i, j] - before
    return tuple(
        (m.title, m.ave.at(scenario.case), float(share), float(more))
        for m, share, more in zip(obstacles, closed, sold, strict=True)
    )
