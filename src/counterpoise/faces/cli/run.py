"""``counterpoise run [SCENARIO]``: the whole story and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterpoise.faces.cli.options import AsJson, AsOf, Closure, Offline, Output, Seed, Settings, overrides_of
from counterpoise.faces.cli.show import folder, print_json, progress

__all__ = ["FLAGSHIP", "run"]

FLAGSHIP = "valdai-2025"
"""The scenario that is run when none is named."""


def run(
    scenario: Annotated[str, typer.Argument(help="Name of a library scenario, or path of a TOML file.")] = FLAGSHIP,
    settings: Settings = None,
    closure: Closure = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
    output: Output = None,
    seed: Seed = 0,
    offline: Offline = False,
) -> None:
    """Tell the whole story of a scenario in five sentences, with what stands beside it, and write the report."""
    from counterpoise.faces.cli.runtime import prepare
    from counterpoise.scenario import load_scenario

    chosen = load_scenario(scenario, overrides=overrides_of(settings, closure=closure, as_of=as_of))
    target = folder(output if output is not None else Path("counterpoise-out") / chosen.name)
    prepare()
    from counterpoise.report.story import run_story

    with progress(chosen.name) as tell:
        story = run_story(chosen, target, tell, seed=seed)
    if as_json:
        paths = {"report": story.html_path, "workbook": story.workbook_path, "manifest": story.manifest_path}
        print_json(
            {
                "scenario": chosen.name,
                "sentences": list(story.sentences),
                "headlines": list(story.headlines),
                "studies": story.studies,
                **{k: str(v) for k, v in paths.items()},
            }
        )
        return
    for sentence in story.sentences:
        typer.echo(sentence)
    if story.headlines:
        typer.echo()
    for headline in story.headlines:
        typer.echo(headline)
    typer.echo()
    typer.echo(str(story.html_path))
