"""``counterpoise data``: what is shipped, whether it holds, and how to build it anew."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from counterpoise.faces.cli.data_sources import (
    CacheFolder,
    add_command,
    comtrade_command,
    fetch_command,
    raw_rows,
    sniff_command,
    tidy_command,
)
from counterpoise.faces.cli.data_store import import_command, store_command
from counterpoise.faces.cli.data_table import TableOptions, build_from_table
from counterpoise.faces.cli.options import AsJson, Output, SourcesFolder
from counterpoise.faces.cli.show import bn, folder, number, print_json, print_table, progress, say

__all__ = ["app", "verification"]

app = typer.Typer(no_args_is_help=True, help="The embedded data, and the world made from public sources.")

app.command("import")(import_command)
app.command("store")(store_command)
app.command("fetch")(fetch_command)
app.command("add")(add_command)
app.command("sniff")(sniff_command)
app.command("tidy")(tidy_command)
app.command("comtrade")(comtrade_command)

_RTOL = 1e-9


@app.command("list")
def list_command(cache: CacheFolder = None, as_json: AsJson = False) -> None:
    """List the shipped worlds and tables, the raw files that can be fetched, and those in the cache."""
    from counterpoise.data.store import TABLES, WORLDS, embedded_path

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "what": what,
            "kind": "shipped",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, what in ({name: "world" for name in WORLDS} | TABLES).items()
        for content in [embedded_path(name).read_bytes()]
    ]
    raw = raw_rows(cache)
    if as_json:
        print_json([*rows, *raw])
        return
    print_table(
        "Shipped data",
        ["name", "what", "SHA-256", "kB"],
        [[str(r["name"]), str(r["what"]), str(r["sha256"])[:12], number(int(r["bytes"]) / 1e3, 0)] for r in rows],
        left=3,
    )
    print_table(
        "Raw files: 'counterpoise data fetch NAME', or 'data add FILE' where there is only a page",
        ["name", "what", "licence", "at hand", "MB"],
        [
            [
                str(r["name"]),
                str(r["what"]),
                str(r["licence"]),
                "yes" if r["at_hand"] else "no" if r["url"] else "by hand",
                number(int(r["bytes"]) / 1e6, 1) if r["at_hand"] else "",
            ]
            for r in raw
        ],
        left=4,
    )


@app.command("verify")
def verify(
    world: Annotated[str, typer.Argument(help="Name of a shipped world, or path of a world file.")] = "embedded2024",
    cache: CacheFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check the identities of a world, its main flows beside customs, and the cached raw files; exit 3 on a fault."""
    from counterpoise.core.errors import DataError, UnbalancedError, raise_all
    from counterpoise.data.fetch import Cache

    held = Cache(cache)
    report: dict[str, Any] = {
        **verification(world),
        "cache": str(held.folder),
        "cached": [stored.file for stored in held.stored()],
        "damaged": list(held.verify()),
    }
    if as_json:
        print_json(report)
    else:
        print_table(
            f"{report['world']}: trade in the world and by customs, bn USD",
            ["pair", "world", "customs", "difference"],
            [
                [
                    f"{r['origin']} to {r['destination']}",
                    bn(r["world_usd"]),
                    bn(r["customs_usd"]),
                    bn(r["world_usd"] - r["customs_usd"], sign=True),
                ]
                for r in report["flows"]
            ],
        )
    raise_all(
        UnbalancedError,
        f"{report['world']} does not hold; rebuild it with 'counterpoise data build-world'",
        report["violated"],
    )
    raise_all(
        DataError,
        f"files in the cache at {report['cache']} are not what they were; fetch them with --again, or add them anew",
        report["damaged"],
    )
    say(f"all identities of {report['world']} hold to {_RTOL:g}")
    if report["cached"]:
        say(f"{len(report['cached'])} raw files in the cache are what their receipts say")


def verification(name: str) -> dict[str, Any]:
    """Return what is violated in a world, and its headline flows beside the customs tables."""
    from counterpoise.data import load_table, load_world
    from counterpoise.data.concordance import goods_sectors, regions

    world = load_world(name)
    flows: list[dict[str, Any]] = []
    if world.countries == regions():
        products = load_table("products")
        goods = [s for s in world.sectors if s in goods_sectors()]
        for origin, destination in (("RUS", "IND"), ("IND", "RUS"), ("IND", "USA"), ("CHN", "IND")):
            mine = products[
                (products["origin"] == origin) & (products["destination"] == destination) & (products["level"] == "hs4")
            ]
            modelled = world.flow.sel(origin=origin, destination=destination, sector=goods).sum()
            flows.append(
                {
                    "origin": origin,
                    "destination": destination,
                    "world_usd": float(modelled),
                    "customs_usd": float(mine["value_usd"].astype(float).sum()),
                }
            )
    return {"world": world.meta.name, "violated": list(world.check(_RTOL)), "flows": flows}


@app.command("build-world")
def build(
    output: Output = None,
    sources: SourcesFolder = None,
    tariffs: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="origin, destination, sector, tariff_rate; replaces those cells of the baseline."
        ),
    ] = None,
    elasticities: Annotated[str, typer.Option(help="fgo, cp2015 or gtap.")] = "fgo",
    name: Annotated[str, typer.Option(help="Name of the world and of its file.")] = "embedded2024",
    icio: Annotated[
        Path | None,
        typer.Option(
            "--icio",
            metavar="PATH",
            help="An input-output table (OECD ICIO, WIOD), or a folder with one: builds a world of it instead.",
        ),
    ] = None,
    trade: Annotated[
        Path | None,
        typer.Option("--trade", metavar="PATH", help="With --icio: trade store, or a file of trade by HS6."),
    ] = None,
    regions: Annotated[
        Path | None, typer.Option("--regions", metavar="CSV", help="With --icio: region, name, countries.")
    ] = None,
    sectors: Annotated[
        Path | None, typer.Option("--sectors", metavar="CSV", help="With --icio: sector, name, industries, hs.")
    ] = None,
    gdp: Annotated[Path | None, typer.Option("--gdp", metavar="CSV", help="With --icio: iso3, gdp_usd.")] = None,
    table_year: Annotated[
        int | None, typer.Option("--table-year", help="With --icio: which table of a folder or archive.")
    ] = None,
    year: Annotated[int | None, typer.Option("--year", help="With --icio: which year of the trade.")] = None,
    theta: Annotated[
        float | None, typer.Option("--theta", help="With --icio: trade elasticity where the file states none; 4.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build the world from the raw sources, or one of your own from any input-output table and customs trade."""
    from counterpoise.data import build_world

    own = TableOptions(trade, regions, sectors, gdp, table_year, year, theta)
    if icio is not None:
        own_name = "world" if name == "embedded2024" else name
        build_from_table(icio, output, own, tariffs=tariffs, name=own_name, as_json=as_json)
        return
    own.refuse_without_table()
    target = folder(output if output is not None else Path("counterpoise-out") / "world")
    with progress("build-world") as tell:
        result = build_world(sources, target, tariffs=tariffs, elasticities=elasticities, name=name, progress=tell)
    rows: list[dict[str, Any]] = [
        {
            "path": str(path),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "as_shipped": _as_shipped(path),
        }
        for path in result.written
    ]
    if as_json:
        print_json({"world": result.world.meta.name, "files": rows, "sources": result.digests})
        return
    print_table(
        f"Built {result.world.meta.name}",
        ["file", "as shipped", "kB"],
        [[str(r["path"]), _SHIPPED[r["as_shipped"]], number(r["bytes"] / 1e3, 0)] for r in rows],
        left=2,
    )


_SHIPPED = {True: "yes", False: "no, it differs", None: "not shipped"}


def _as_shipped(path: Path) -> bool | None:
    """Say whether a built file equals the shipped one to the byte; None where none is shipped under its name."""
    from counterpoise.data.store import embedded_path

    shipped = embedded_path(path.stem).with_name(path.name)
    return shipped.read_bytes() == path.read_bytes() if shipped.is_file() else None


@app.command("card")
def card(as_json: AsJson = False) -> None:
    """Print where the embedded world comes from: sources, vintages, method, known gaps."""
    from counterpoise.data import load_world
    from counterpoise.data.store import embedded_path

    shipped = embedded_path("embedded2024").with_name("data-card.md")
    meta = load_world().meta
    if as_json:
        keys = ("name", "trade_year", "gdp_year", "sources", "notes", "country_names", "sector_names", "members")
        print_json({key: getattr(meta, key) for key in keys})
    elif shipped.is_file():
        typer.echo(shipped.read_text(encoding="utf-8"), nl=False)
    else:
        lines = [f"# {meta.name}", "", f"Trade {meta.trade_year}, GDP {meta.gdp_year}.", "", "## Sources", ""]
        lines += (
            [f"- {source}" for source in meta.sources] + ["", "## Notes", ""] + [f"- {note}" for note in meta.notes]
        )
        typer.echo("\n".join(lines))
