"""``counterpoise run [SCENARIO]``: the whole story and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterpoise.faces.cli.options import AsJson, AsOf, Closure, Model, Offline, Output, Seed, Settings, overrides_of
from counterpoise.faces.cli.show import folder, jsonable, print_json, progress, say

__all__ = ["FLAGSHIP", "run"]

FLAGSHIP = "valdai-2025"
"""The scenario that is run when none is named."""


def run(
    scenario: Annotated[str, typer.Argument(help="Name of a library scenario, or path of a TOML file.")] = FLAGSHIP,
    settings: Settings = None,
    closure: Closure = None,
    model: Model = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
    output: Output = None,
    seed: Seed = 0,
    offline: Offline = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Solve anew what was already answered.")] = False,
) -> None:
    """Tell the whole story of a scenario in five sentences, with what stands beside it, and write the report.

    A question that was already answered, by the same program on the same data, is not solved again: its report is
    written once more.
    """
    from counterpoise.faces.cli.runtime import prepare
    from counterpoise.report.memory import Remembered, fingerprint, recall, remember
    from counterpoise.scenario import load_scenario

    chosen = load_scenario(scenario, overrides=overrides_of(settings, closure=closure, as_of=as_of, model=model))
    target = folder(output if output is not None else Path("counterpoise-out") / chosen.name)
    key = fingerprint(chosen, seed)
    known = None if fresh else recall(key, target)
    if known is not None:
        say(f"this question was answered on {known.finished} and nothing has changed; --fresh solves it anew")
    else:
        prepare()
        from counterpoise.report.story import run_story

        with progress(chosen.name) as tell:
            story = run_story(chosen, target, tell, seed=seed)
        known = Remembered(story.sentences, story.headlines, jsonable(story.studies), story.finished)
        unkept = remember(key, target, known)
        if unkept is not None:
            say(f"this answer is not kept for the next run ({unkept}); it will be solved anew")
    if as_json:
        print_json(
            {
                "scenario": chosen.name,
                "sentences": list(known.sentences),
                "headlines": list(known.headlines),
                "studies": known.studies,
                "report": str(target / "report.html"),
                "workbook": str(target / "report.xlsx"),
                "manifest": str(target / "manifest.json"),
            }
        )
        return
    for sentence in known.sentences:
        typer.echo(sentence)
    if known.headlines:
        typer.echo()
    for headline in known.headlines:
        typer.echo(headline)
    typer.echo()
    typer.echo(str(target / "report.html"))
