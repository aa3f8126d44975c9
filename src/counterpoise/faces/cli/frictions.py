"""``counterpoise frictions A B``: what stands between the order and the goods, and which obstacle costs most."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.faces.cli.options import AsJson, AsOf, Offline, Output, Seed, overrides_of
from counterpoise.faces.cli.show import bn, number, print_json, print_table, progress, say, write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.core import World
    from counterpoise.friction import FrictionReport

__all__ = ["friction_overrides", "frictions"]


def frictions(
    a: Annotated[str, typer.Argument(metavar="A", help="Whose goods: a region such as IND.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Where they go.")],
    sector: Annotated[
        list[str] | None, typer.Option("--sector", metavar="NAME", help="Only this sector; repeatable.")
    ] = None,
    case: Annotated[str, typer.Option(help="low, central or high: by which obstacles are ranked.")] = "central",
    as_of: AsOf = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Replace a parameter, as insurance.rise=0, payment_shares.direct=1 or close=suez; three numbers in "
            "brackets are low, central, high. Repeatable.",
        ),
    ] = None,
    attribute: Annotated[
        bool, typer.Option("--attribute", help="Solve what taking each obstacle away does to trade and gap.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Take obstacles away altogether, not only the part that could be.")
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
    output: Output = None,
    offline: Offline = False,
) -> None:
    """Show what stands between the order and the goods, as a share of their value, and which obstacle costs most."""
    from counterpoise.data import load_world
    from counterpoise.friction import friction_report
    from counterpoise.friction.ranges import check_case

    world = load_world()
    sectors = _sectors(world, sector)
    report = friction_report(
        a,
        b,
        sectors,
        case=check_case(case),
        as_of=_day(as_of),
        overrides=friction_overrides(overrides_of(settings)),
        flow_usd=_by_sector(world, "flow", a, b, sectors),
        tariff_rate=_by_sector(world, "tariff_rate", a, b, sectors),
    )
    document = report.to_json()
    attribution = _attribution(world, report, whole=whole, seed=seed) if attribute else None
    if attribution is not None:
        document["attribution"] = {"rows": attribution.to_dict("records"), **attribution.attrs}
    if output is not None:
        write_table(output, report.rows, document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(report)
        if attribution is not None:
            _show_attribution(report, attribution)


def friction_overrides(settings: dict[str, str]) -> dict[str, Any]:
    """Return settings such as ``insurance.rise=0`` as the nested tables that a friction report takes.

    Parameters
    ----------
    settings
        Dotted key to value. A value is read as TOML, so three numbers are ``[8, 12, 20]``; what is no TOML is text.

    Raises
    ------
    InputError
        If a key leads through a value that is no table; all such are named.
    """
    import tomllib

    out: dict[str, Any] = {}
    problems: list[str] = []
    for key, text in settings.items():
        try:
            value: object = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *path, last = key.split(".")
        table = out
        for part in path:
            inner: object = table.setdefault(part, {})
            if not isinstance(inner, dict):
                problems.append(f"{key}: '{part}' is set to {inner!r} already; expected a table")
                break
            table = cast("dict[str, Any]", inner)
        else:
            table[last] = value
    raise_all(InputError, "--set cannot be used", problems)
    return out


def _sectors(world: World, wanted: list[str] | None) -> tuple[str, ...]:
    """Return the sectors asked for, or all goods."""
    from counterpoise.data.concordance import goods_sectors

    if not wanted:
        return tuple(s for s in world.sectors if s in goods_sectors())
    problems = [
        f"unknown sector '{s}'{did_you_mean(s, world.sectors)} Known: {', '.join(world.sectors)}"
        for s in wanted
        if s not in world.sectors
    ]
    raise_all(InputError, "--sector cannot be used", problems)
    return tuple(dict.fromkeys(wanted))


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--as-of {text} is no date; expected YYYY-MM-DD") from None


def _by_sector(world: World, name: str, a: str, b: str, sectors: tuple[str, ...]) -> dict[str, float] | None:
    """Return one quantity of a pair by sector; None where the world does not know the pair."""
    if a not in world.countries or b not in world.countries:
        return None
    values = getattr(world, name).sel(origin=a, destination=b, sector=list(sectors)).to_numpy()
    return {s: float(v) for s, v in zip(sectors, values, strict=True)}


def _attribution(world: World, report: FrictionReport, *, whole: bool, seed: int) -> pd.DataFrame:
    from counterpoise.faces.cli import runtime

    runtime.prepare()
    from counterpoise.policy.attribution import attribute_obstacles

    with progress("frictions") as tell:
        return attribute_obstacles(
            world,
            report.rows,
            (report.origin, report.destination),
            case=report.case,
            whole=whole,
            seed=seed,
            progress=lambda done, count: tell("equilibria", done, count),
        )


def _show(report: FrictionReport) -> None:
    from counterpoise.friction.assemble import OBSTACLES

    a, b = report.origin, report.destination
    table = report.by_obstacle()
    place = {name: k for k, name in enumerate(report.obstacles)}
    lines: list[list[str]] = []
    for row in sorted(table.to_dict("records"), key=lambda r: place[str(r["obstacle"])]):
        rates = [_percent(row[f"ave_{c}"]) for c in ("central", "low", "high")]
        lines.append(
            [str(row["words"]), *rates, _percent(row["removable_central"]), str(row["confidence"]), str(row["match"])]
        )
    weights = [report.weights[s] for s in report.sectors]
    whole = [
        sum(w * float(v) for w, v in zip(weights, report.totals[f"ave_{c}"], strict=True))
        for c in ("central", "low", "high")
    ]
    gone = sum(w * float(v) for w, v in zip(weights, report.totals["removable_central"], strict=True))
    lines.append(["All, each on top of the others", *(_percent(v) for v in whole), _percent(gone), "", ""])
    print_table(
        f"{a} to {b}: what stands between the order and the goods, % of their value, mean over trade",
        ["obstacle", "central", "low", "high", "could be removed", "confidence", "source for"],
        lines,
    )
    top = report.costliest_by_sector()
    print_table(
        f"By sector, {report.case} case",
        ["sector", "dearest obstacle", "that one, %", "all together, %"],
        [
            [str(r["sector"]), OBSTACLES[str(r["obstacle"])], _percent(r["ave"]), _percent(r["total"])]
            for r in top.to_dict("records")
        ],
        left=2,
    )
    print_table(
        "Corridors (a load is a TEU, or 20 tonnes in bulk)",
        ["corridor", "USD a load", "days", "share, %", "of", "never pays against"],
        [
            [
                str(r["route"]),
                number(float(r["cost_usd_central"]), 0),
                number(float(r["days_central"]), 1),
                number(100.0 * float(r["load_share"]), 1),
                str(r["basis"]),
                str(r["dominated_by"]).split(", ")[0],
            ]
            for r in report.routes.to_dict("records")
        ],
    )
    print_table(
        "Ways to pay",
        ["way", "in use, %", "cost, %", "low, %", "high, %", "days"],
        [
            [
                str(r["route"]),
                number(100.0 * float(r["payment_share"]), 0),
                *(_percent(r[f"total_{c}"]) for c in ("central", "low", "high")),
                number(float(r["days_central"]), 0),
            ]
            for r in report.payments.to_dict("records")
        ],
    )
    print_table(
        "Limits, which no price moves",
        ["limit", "for", "unit", "central", "low", "high"],
        [
            [
                str(r["limit"]).replace("_", " "),
                str(r["applies_to"]),
                str(r["unit"]),
                *(number(float(r[c]), 1) for c in ("central", "low", "high")),
            ]
            for r in report.limits.to_dict("records")
        ],
        left=3,
    )
    words = {str(r["obstacle"]): str(r["words"]).lower() for r in table.to_dict("records")}
    rates = {str(r["obstacle"]): r for r in table.to_dict("records")}
    dearest, best = report.costliest, report.costliest_removable
    column = f"ave_{report.case}"
    typer.echo(f"Most costly: {words[dearest]}, {_percent(rates[dearest][column])} %.")
    typer.echo(
        f"Most to be gained: {words[best]}, {_percent(rates[best][f'removable_{report.case}'])} % could be removed."
    )
    for note in report.notes:
        say(note)


def _show_attribution(report: FrictionReport, table: pd.DataFrame) -> None:
    from counterpoise.friction.assemble import OBSTACLES

    a, b = report.origin, report.destination
    how = "every coalition solved" if table.attrs["exact"] else "drawn orders, standard errors in the JSON"
    print_table(
        f"In equilibrium: what taking each obstacle away does, Shapley values, bn USD a year ({how})",
        ["obstacle", f"{a} to {b}", f"{b} to {a}", "both ways", "gap", "gap, first", "gap, last"],
        [
            [
                OBSTACLES.get(str(r["obstacle"]), "All together"),
                *(
                    bn(float(r[k]), sign=True)
                    for k in ("export_usd", "import_usd", "trade_usd", "gap_usd", "gap_alone_usd", "gap_last_usd")
                ),
            ]
            for r in table.to_dict("records")
        ],
    )
    say(f"gap: what {a} sells to {b} minus what it buys; {table.attrs['solved']} equilibria")


def _percent(rate: object) -> str:
    return number(100.0 * float(str(rate)), 2)
