"""``counterpoise scenarios`` and ``counterpoise schema``: what comes with the package, and what a file may hold."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from counterpoise.faces.cli.options import AsJson, AsOf, Output, Settings, overrides_of
from counterpoise.faces.cli.show import print_json, print_table, say

__all__ = ["app", "schema"]

app = typer.Typer(no_args_is_help=True, help="List the scenarios of the library, or show one.")


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the scenarios that come with the package."""
    from counterpoise.scenario import list_scenarios, load_scenario

    rows = [load_scenario(name) for name in list_scenarios()]
    if as_json:
        print_json(
            [
                {"name": s.name, "title": s.title, "extends": s.extends, "as_of": s.as_of, "groups": s.groups}
                for s in rows
            ]
        )
        return
    print_table(
        "Scenarios",
        ["name", "as of", "groups", "title"],
        [[s.name, str(s.as_of or ""), ", ".join(s.groups), s.title] for s in rows],
        left=4,
    )


@app.command("show")
def show(
    scenario: Annotated[str, typer.Argument(help="Name of a library scenario, or path of a TOML file.")],
    settings: Settings = None,
    as_of: AsOf = None,
    text: Annotated[bool, typer.Option("--text", help="Print the file as it stands.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a scenario with what it extends: its measures, their dates and sources."""
    from counterpoise.scenario import load_scenario, scenario_text

    if text:
        typer.echo(scenario_text(scenario)[0], nl=False)
        return
    chosen = load_scenario(scenario, overrides=overrides_of(settings, as_of=as_of))
    if as_json:
        print_json(json.loads(chosen.model_dump_json(by_alias=True, exclude_none=True)))
        return
    typer.echo(f"{chosen.title or chosen.name}\n\n{chosen.description.strip()}\n")
    typer.echo(f"Model: {chosen.choice.words()}; closure {chosen.closure}\n")
    print_table(
        f"Measures, as of {chosen.as_of}" if chosen.as_of else "Measures",
        ["id", "kind", "group", "from", "until", "in force", "title", "source"],
        [
            [
                m.id,
                m.kind,
                m.group_name,
                str(m.valid_from or ""),
                str(m.valid_until or ""),
                ""
                if chosen.as_of is None
                else "yes"
                if m.in_force(chosen.as_of)
                else "no"
                if m.enabled
                else "disabled",
                m.title,
                m.source,
            ]
            for m in chosen.measure
        ],
        left=8,
    )


def schema(output: Output = None) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from counterpoise.core.storage import atomic_path
    from counterpoise.scenario import json_schema

    text = json.dumps(json_schema(), ensure_ascii=False, indent=2)
    if output is None:
        typer.echo(text)
        return
    with atomic_path(output) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    say(f"wrote {output}")
