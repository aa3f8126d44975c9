"""The last chapter: how it was computed, how well it was solved, on what data."""

from __future__ import annotations

import pandas as pd

from counterpoise.report.chapters.words import name, source_of
from counterpoise.report.document import Section, TableBlock
from counterpoise.report.numbers import NumberFormat
from counterpoise.report.story import DRAWS, LOG_SPREAD, Story
from counterpoise.scenario import Scenario
from counterpoise.solver import PARTS, linearised_welfare, path_decomposition

__all__ = ["method_chapter"]


def method_chapter(story: Story) -> Section:
    """Return the chapter on method, sources and residuals."""
    tables = [*([_measures(story)] if story.headline.compiled.report.measures else []), _residuals(story)]
    if story.headline.solution.labour_hat.std() == 0:
        tables.insert(0, _decomposition(story))
    meta = story.world.meta
    prose = (
        _model(story.scenario),
        (
            "Exact hats (Dekle, Eaton and Kortum 2008; Caliendo and Parro 2015): one equilibrium of prices, wages,"
            " output and spending in all countries, before and after. Duties"
            " are tariffs, obstacles iceberg costs, the order a subsidy paid from the buyer's budget, a stop an exact"
            " zero. It compares two long-run states of one year and says nothing of the way between them."
        ),
        (
            f"Bands: {DRAWS} draws of all trade elasticities, from three published sets in turn, each value spread by"
            f" {100 * LOG_SPREAD:.0f} % (standard deviation of the log); seed {story.seed}. They hold no uncertainty"
            " about the data, the closure or the model."
        ),
        *meta.notes,
        "Sources: " + "; ".join(meta.sources) + "." if meta.sources else "The world carries no list of sources.",
    )
    return Section(id="method", title="How this was computed", prose=prose, tables=tuple(tables))


def _model(scenario: Scenario) -> str:
    """Say which model answers, as the scenario names it."""
    when = "the long run" if scenario.horizon_years is None else f"{scenario.horizon_years:g} years after the change"
    return (
        f"Model: {scenario.choice.words()}; closure of the deficits '{scenario.closure}'; trade elasticities"
        f" '{scenario.elasticities}' of {when}."
    )


def _decomposition(story: Story) -> TableBlock:
    """Split the exact welfare change of the headline case, with the published linearisation beside it."""
    case = story.cases.get("duty", story.headline)
    parts = (
        path_decomposition(story.world, case.compiled.shock, closure=story.scenario.closure)
        .table()
        .set_index("country")
    )
    linear = linearised_welfare(case.solution).set_index("country")
    order = parts["welfare_pct"].abs().sort_values(ascending=False).index[:10]
    used = [part for part in PARTS if part in PARTS[:5] or bool(parts[f"{part}_pct"].abs().max() > 0)]
    frame = parts.loc[order, [f"{p}_pct" for p in used] + ["welfare_pct"]].assign(
        linear=linear.loc[order, "welfare_linearised_pct"]
    )
    frame.insert(0, "country", [name(str(c)) for c in order])
    words = {f"{p}_pct": p.replace("_", " ").capitalize() for p in used}
    return TableBlock(
        title=f"Where the change of real income comes from: {case.title}",
        frame=frame.reset_index(drop=True),
        source=source_of(story.world),
        headers={"country": "Country", **words, "welfare_pct": "Exact change", "linear": "Published linearisation"},
        units={column: "%" for column in frame.columns if column != "country"},
        formats={column: NumberFormat(4, sign=True) for column in frame.columns if column != "country"},
        note=(
            "The parts are integrated along the path to the shock and add up to the exact change. The linearisation"
            " (terms of trade plus volume of trade at baseline values, Caliendo and Parro 2015) is shown for"
            " comparison; for large shocks it is not the welfare change."
        ),
        id="method-decomposition",
    )


def _measures(story: Story) -> TableBlock:
    rows = [
        (
            m.id,
            m.title,
            m.group,
            "in force" if m.active else m.reason,
            100 * m.mean_rate,
            m.trade_usd / 1e9,
            m.confidence,
            m.source,
        )
        for m in story.headline.compiled.report.measures
    ]
    frame = pd.DataFrame(rows, columns=["id", "title", "group", "state", "rate", "trade", "confidence", "source"])
    return TableBlock(
        title="The measures" + ("" if story.scenario.as_of is None else f" as of {story.scenario.as_of}"),
        frame=frame,
        source=f"Scenario '{story.scenario.name}'.",
        headers={"id": "Measure", "title": "What", "rate": "Mean rate", "trade": "Trade covered"},
        units={"rate": "%", "trade": "USD bn"},
        formats={"rate": NumberFormat(1), "trade": NumberFormat(2)},
        id="method-measures",
    )


def _residuals(story: Story) -> TableBlock:
    rows = [
        (
            case.title,
            s.status,
            s.closure,
            s.iterations,
            1000 * s.seconds,
            f"{s.max_residual:.1e}",
            f"{case.draws.violation.max():.1e}",
        )
        for case in story.cases.values()
        for s in (case.solution,)
    ]
    columns = ["case", "status", "closure", "sweeps", "milliseconds", "residual", "draws"]
    return TableBlock(
        title="How well each equilibrium is solved",
        frame=pd.DataFrame(rows, columns=columns),
        source="The solver's own check of every market, labour market, price index and budget.",
        headers={"residual": "Largest relative violation", "draws": "Largest over the draws", "milliseconds": "Time"},
        units={"milliseconds": "ms"},
        formats={"sweeps": NumberFormat(0), "milliseconds": NumberFormat(1)},
        note="The first solve of a run includes compiling.",
        id="method-residuals",
    )
