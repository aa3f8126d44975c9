"""Options that several commands share, and what they parse to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from counterpoise.core.errors import InputError, raise_all

__all__ = [
    "AsJson",
    "AsOf",
    "Closure",
    "Model",
    "Offline",
    "Output",
    "Seed",
    "Settings",
    "SourcesFolder",
    "overrides_of",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace a key of the scenario, as measure.ID.enabled=false; repeatable."
    ),
]
Closure = Annotated[
    str | None, typer.Option("--closure", metavar="NAME", help="fixed_world_share, zero or fixed_nominal.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Technology: input_output, multi_sector, one_sector, fixed_varieties or distribution_margin; its other "
        "parts as --set model.scale_strength=0.5.",
    ),
]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Day whose measures are in force.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="PATH", help="Write there instead of only printing.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random draw; recorded in the manifest.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Refuse every use of the network; the embedded data need none.")
]
SourcesFolder = Annotated[
    Path | None,
    typer.Option("--sources", metavar="DIR", help="Folder of raw sources (data/, facts/); else $COUNTERPOISE_DATA."),
]


def overrides_of(
    settings: Sequence[str] | None,
    *,
    closure: str | None = None,
    as_of: str | None = None,
    model: str | None = None,
) -> dict[str, str]:
    """Return the overrides of a scenario: those of ``--set``, then the options that have a name of their own.

    Raises
    ------
    InputError
        If a setting is not KEY=VALUE; all such are named.
    """
    given = list(settings or ())
    wrong = [
        f"'{text}' has no '='; expected KEY=VALUE, as as_of=2026-02-08" for text in given if not text.partition("=")[1]
    ]
    raise_all(InputError, "--set cannot be read", wrong)
    out = {key.strip(): value.strip() for key, _, value in (text.partition("=") for text in given)}
    if closure is not None:
        out["closure"] = closure
    if model is not None:
        out["model.technology"] = model
    if as_of is not None:
        out["as_of"] = as_of
    return out
