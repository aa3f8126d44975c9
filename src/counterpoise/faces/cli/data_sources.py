"""``counterpoise data fetch``, ``add``, ``sniff``, ``tidy`` and ``comtrade``: raw files of public sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from counterpoise.faces.cli.options import AsJson, Offline
from counterpoise.faces.cli.show import number, print_json, print_table, progress, say

__all__ = [
    "CacheFolder",
    "add_command",
    "comtrade_command",
    "fetch_command",
    "raw_rows",
    "sniff_command",
    "tidy_command",
]

CacheFolder = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Cache folder; else $COUNTERPOISE_CACHE, else ~/.cache/counterpoise."),
]
SourceName = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="What the file is, where it cannot be recognised.")
]


def raw_rows(cache: Path | None) -> list[dict[str, Any]]:
    """Return every address and every file in the cache, one row each."""
    from counterpoise.data.fetch import Cache, addresses

    held = {stored.name: stored for stored in Cache(cache).stored()}
    rows: list[dict[str, Any]] = [
        {
            "name": a.name, "what": f"{a.title}, {a.vintage}", "kind": "source", "source": a.source,
            "licence": a.licence, "url": a.url, "page": a.page, "at_hand": a.name in held,
            "bytes": held[a.name].bytes if a.name in held else 0,
            "sha256": held[a.name].sha256 if a.name in held else a.sha256,
        }
        for a in addresses().values()
    ]  # fmt: skip
    known = {row["name"] for row in rows}
    return rows + [
        {
            "name": s.name, "what": s.edition, "kind": "added", "source": s.source, "licence": s.licence, "url": "",
            "page": "", "at_hand": True, "bytes": s.bytes, "sha256": s.sha256,
        }
        for s in held.values()
        if s.name not in known
    ]  # fmt: skip


def fetch_command(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names of 'data list', or addresses https://...")
    ],
    cache: CacheFolder = None,
    again: Annotated[bool, typer.Option("--again", help="Download even what is at hand; it stays until then.")] = False,
    sha256: Annotated[str, typer.Option(metavar="HEX", help="What the contents of one file must be.")] = "",
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Fetch raw files into the cache: resumed, checked, and never in place of a good file before they are whole."""
    from counterpoise.core.errors import InputError
    from counterpoise.data.fetch import Cache

    if sha256 and len(names) != 1:
        raise InputError(f"--sha256 is for one file; {len(names)} are named")
    wanted = [_address(name, sha256) for name in names]
    with progress("fetch") as tell:
        found = [Cache(cache).fetch(a, offline=offline, again=again, progress=tell) for a in wanted]
    _show_stored(found, cache, as_json)


def _address(name: str, sha256: str) -> Any:
    """Return an address by its name, or one made of a URL."""
    from dataclasses import replace

    from counterpoise.core.errors import InputError
    from counterpoise.data.fetch import Address, address

    if not name.startswith(("https://", "http://")):
        found = address(name)
        return replace(found, sha256=sha256.lower()) if sha256 else found
    file = name.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
    if not file or "/" not in name.split("://", 1)[1]:
        raise InputError(f"'{name}' names no file; expected an address that ends with a file name")
    return Address(file, "", file, "", name, file, "", None, sha256.lower(), "")


def _show_stored(found: list[Any], cache: Path | None, as_json: bool) -> None:
    from dataclasses import asdict

    from counterpoise.data.fetch import Cache

    folder = Cache(cache).folder
    if as_json:
        print_json([{**asdict(s), "path": str(folder / s.file)} for s in found])
        return
    print_table(
        f"In the cache at {folder}",
        ["name", "file", "recognised as", "SHA-256", "MB"],
        [[s.name, s.file, s.edition.partition(":")[0], s.sha256[:12], number(s.bytes / 1e6, 1)] for s in found],
        left=4,
    )


def add_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A raw file as it was downloaded.")],
    source: SourceName = None,
    name: Annotated[str | None, typer.Option(help="Under which name of 'data list'; the file name by default.")] = None,
    cache: CacheFolder = None,
    as_json: AsJson = False,
) -> None:
    """Recognise a file and copy it into the cache with a receipt; the file itself stays where it is."""
    from counterpoise.data.fetch import Cache, address

    given = address(name).name if name is not None else None
    _show_stored([Cache(cache).add(file, source=source, name=given)], cache, as_json)


def sniff_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Raw files.")], as_json: AsJson = False
) -> None:
    """Say what raw files are, by what is in them."""
    from counterpoise.data.readers import sniff

    found = [(file, sniff(file)) for file in files]
    if as_json:
        print_json([{"file": str(f), "source": s.source, "edition": s.edition} for f, s in found])
        return
    print_table("Recognised", ["file", "source", "edition"], [[f.name, s.source, s.edition] for f, s in found], left=3)


def tidy_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A raw file, or the name of one in the cache.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PATH", help="The .parquet file to write.")],
    source: SourceName = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Option of the source, as year=2020, years=2023,2024, flow=export."
        ),
    ] = None,
    cache: CacheFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check a raw file and write its tidy table as Parquet, with where it comes from and what was left out inside."""
    from counterpoise.data.fetch import Cache
    from counterpoise.data.readers import convert_source

    path = file if file.exists() or file.name != str(file) else _in_cache(Cache(cache), file)
    provenance = convert_source(path, output, source=source, **_options(settings))
    if as_json:
        print_json({"path": str(output), **provenance.as_json()})
        return
    say(f"{provenance.file} is {provenance.title}: {provenance.edition}, {provenance.vintage}")
    print_table(
        f"{output}: {provenance.rows_kept:,} rows of {provenance.rows_read:,} read; {provenance.unit}",
        ["left out", "rows"],
        [[d.reason, number(d.rows, 0)] for d in provenance.dropped],
    )
    for note in provenance.notes:
        say(note)


def _in_cache(cache: Any, file: Path) -> Path:
    """Return a file of the cache by its name; the name itself where there is none, so that the message names it."""
    names = {name for stored in cache.stored() for name in (stored.name, stored.file)}
    return cache.path(file.name) if file.name in names else file


def _options(settings: list[str] | None) -> dict[str, Any]:
    """Return the options of a reader from KEY=VALUE."""
    from counterpoise.core.errors import InputError, raise_all

    known = {"year": int, "years": None, "flow": str, "partner": str, "period": str}
    out: dict[str, Any] = {}
    problems: list[str] = []
    for text in settings or []:
        key, sign, value = text.partition("=")
        if not sign or key not in known:
            problems.append(f"'{text}'; expected {', '.join(f'{k}=...' for k in known)}")
        elif key in ("year", "years") and not all(v.isdigit() for v in value.split(",")):
            problems.append(f"'{text}'; expected years of four digits")
        else:
            out[key] = (
                tuple(int(v) for v in value.split(",")) if key == "years" else int(value) if key == "year" else value
            )
    raise_all(InputError, "--set cannot be read", problems)
    return out


def comtrade_command(
    reporter: Annotated[str, typer.Option(help="Countries that report, separated by commas; any code or name.")],
    year: Annotated[str, typer.Option(help="Years, or months as 202401, separated by commas.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PATH", help="The .json file to write.")],
    partner: Annotated[str, typer.Option(help="Partners, separated by commas; all by default.")] = "",
    flow: Annotated[str, typer.Option(help="M imports, X exports, RM, RX; separated by commas.")] = "M,X",
    hs: Annotated[str, typer.Option(help="HS codes, or TOTAL, AG2, AG4, AG6; separated by commas.")] = "TOTAL",
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Ask UN Comtrade: without a key its preview, with $COMTRADE_API_KEY the whole; 'data tidy' reads the answer."""
    from counterpoise.data.fetch.interfaces import ComtradeQuery, fetch_comtrade

    def parts(text: str) -> tuple[str, ...]:
        return tuple(p.strip() for p in text.split(",") if p.strip())

    query = ComtradeQuery(parts(reporter), parts(year), parts(partner), parts(flow), parts(hs))
    with progress("comtrade") as tell:
        records = fetch_comtrade(query, output, offline=offline, progress=tell)
    if as_json:
        print_json({"path": str(output), "records": records, "query": query.parameters})
    else:
        typer.echo(f"{records:,} records in {output}")
