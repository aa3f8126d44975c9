"""``counterpoise data import`` and ``data store``: trade by HS6 of any year, put into the store, and what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.faces.cli.options import AsJson
from counterpoise.faces.cli.show import bn, number, print_json, print_table, progress, say

if TYPE_CHECKING:
    from counterpoise.data.trade_store import TradeStore

__all__ = ["StoreFolder", "import_command", "store_command"]

StoreFolder = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="The trade store; else $COUNTERPOISE_CACHE/trade, else ~/.cache."),
]


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="BACI (CSV or zip), or a table origin, destination, hs, value_usd.")
    ],
    year: Annotated[int | None, typer.Option(help="This year only; needed where the file names none.")] = None,
    store: StoreFolder = None,
    title: Annotated[str, typer.Option(help="Where the file comes from, if its name does not say.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the file.")] = "",
    vintage: Annotated[str, typer.Option(help="Edition of the file.")] = "",
    revision: Annotated[str, typer.Option(help="HS92 to HS22, if the name does not say.")] = "",
    basis: Annotated[
        str, typer.Option(help="reconciled, 'reported by the importer' or 'reported by the exporter'.")
    ] = "reconciled",
    valuation: Annotated[str, typer.Option(help="FOB or CIF.")] = "FOB",
    pad_hs: Annotated[
        bool, typer.Option("--pad-hs", help="Give codes of five digits their leading zero back.")
    ] = False,
    drop_unknown: Annotated[
        bool, typer.Option("--drop-unknown", help="Leave out lines of unknown countries, and count them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a file of trade by HS6 and put it into the store; the store stays as it was where the file is faulty."""
    from counterpoise.data.trade_import import ImportOptions, import_trade

    options = ImportOptions(
        title=title,
        licence=licence,
        vintage=vintage,
        revision=revision,
        basis=basis,
        valuation=valuation,
        pad_hs=pad_hs,
        drop_unknown=drop_unknown,
    )
    with progress("import") as tell, import_trade(file, store, year=year, options=options, progress=tell) as opened:
        _show(opened, as_json)


def store_command(
    store: StoreFolder = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every file with its SHA-256.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which years of trade by HS6 the store holds, and where they come from."""
    from counterpoise.core.errors import DataError, raise_all
    from counterpoise.data.trade_store import TradeStore

    with TradeStore.open(store) as opened:
        _show(opened, as_json)
        if verify:
            raise_all(DataError, f"the store at {opened.folder} is damaged; import it again", opened.verify())
            say("every file is as it was written")


def _show(store: TradeStore, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "year": year,
            "missing_importers": list(store.missing_reporters(year)),
            **{key: value for key, value in store.at(year).manifest.items() if key not in ("countries", "importers")},
        }
        for year in store.years
    ]
    if as_json:
        print_json({"store": str(store.folder), "years": rows})
        return
    print_table(
        f"Trade store at {store.folder}",
        ["year", "source", "HS", "basis", "flows", "bn USD", "countries", "left out"],
        [
            [
                str(row["year"]),
                store.at(row["year"]).title,
                store.at(row["year"]).revision,
                f"{store.at(row['year']).basis}, {store.at(row['year']).valuation}",
                number(row["rows_kept"], 0),
                bn(row["value_usd"]),
                str(len(store.at(row["year"]).countries)),
                number(sum(row["rows_dropped"].values()), 0),
            ]
            for row in rows
        ],
        left=4,
    )
    for row in rows:
        if row["missing_importers"]:
            say(f"{row['year']}: no imports of {', '.join(row['missing_importers'])}; absent, not zero.")
    # What is left out and noted is of a file, which may hold several years.
    for source, found in {row["source"]["sha256"]: row for row in rows}.items():
        years = [str(row["year"]) for row in rows if row["source"]["sha256"] == source]
        place = f"{found['source']['file']} ({', '.join(years)})"
        for reason, count in found["rows_dropped"].items():
            say(f"{place}: {count:,} lines left out, {reason}.")
        for note in found.get("notes", ()):
            say(f"{place}: {note}.")
