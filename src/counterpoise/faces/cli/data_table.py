"""``counterpoise data build-world --icio``: a world from any input-output table and any year of customs trade."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

from counterpoise.core.errors import InputError, raise_all
from counterpoise.faces.cli.show import bn, folder, number, print_json, print_table, progress, say

__all__ = ["TableOptions", "build_from_table"]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Options that mean something with ``--icio`` only."""

    trade: Path | None
    regions: Path | None
    sectors: Path | None
    gdp: Path | None
    table_year: int | None
    year: int | None
    theta: float | None

    def refuse_without_table(self) -> None:
        """Raise an `InputError` that names every option given although there is no table."""
        given = [field.name.replace("_", "-") for field in fields(self) if getattr(self, field.name) is not None]
        raise_all(
            InputError,
            "options of a world of your own",
            [f"--{name} needs --icio PATH; the embedded world is built from --sources" for name in given],
        )


def build_from_table(
    icio: Path, output: Path | None, own: TableOptions, *, tariffs: Path | None, name: str, as_json: bool
) -> None:
    """Build, write and show a world."""
    from counterpoise.data.builder.table_world import DEFAULT_ELASTICITY, build_table_world

    target = folder(output if output is not None else Path("counterpoise-out") / "world")
    with progress("build-world") as tell:
        result = build_table_world(
            icio,
            target,
            trade=own.trade,
            regions=own.regions,
            sectors=own.sectors,
            tariffs=tariffs,
            gdp=own.gdp,
            table_year=own.table_year,
            trade_year=own.year,
            trade_elasticity=DEFAULT_ELASTICITY if own.theta is None else own.theta,
            name=name,
            progress=tell,
        )
    world, moved = result.world, result.adjustments
    size = (moved["after_usd"] - moved["before_usd"]).abs()
    if as_json:
        print_json(
            {
                "world": world.meta.name,
                "regions": list(world.countries),
                "sectors": list(world.sectors),
                "value_added_usd": float(world.value_added.sum()),
                "violated": list(world.check(1e-9)),
                "moved": {str(why): float(size[part.index].sum()) for why, part in moved.groupby("what")},
                "files": [
                    {"path": str(p), "bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
                    for p in result.written
                ],
                "sources": list(world.meta.sources),
                "notes": list(world.meta.notes),
            }
        )
        return
    print_table(
        f"{world.meta.name}: {len(world.countries)} regions, {len(world.sectors)} sectors, value added "
        f"{float(world.value_added.sum()) / 1e12:.2f} tn USD",
        ["what was moved", "cells", "bn USD"],
        [[str(why), number(len(part), 0), bn(float(size[part.index].sum()))] for why, part in moved.groupby("what")],
    )
    for note in world.meta.notes:
        say(note)
    for path in result.written:
        say(f"wrote {path}")
