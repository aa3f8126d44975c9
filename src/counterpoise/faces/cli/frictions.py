"""``counterpoise frictions A B``: what stands between the order and the goods, and which obstacle costs most."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.faces.cli.options import AsJson, AsOf, Offline, Output, Seed, overrides_of
from counterpoise.faces.cli.pages import write_result
from counterpoise.faces.cli.show import bn, number, print_json, print_table, progress, say

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
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Your own numbers as a TOML file: legs of corridors, ways to pay, any parameter, preferences; --set "
            "comes on top.",
        ),
    ] = None,
    attribute: Annotated[
        bool,
        typer.Option("--attribute/--no-attribute", help="Solve what taking each obstacle away does to trade and gap."),
    ] = True,
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
    _require_known(world, a, b)
    sectors = _sectors(world, sector)
    report = friction_report(
        a,
        b,
        sectors,
        case=check_case(case),
        as_of=_day(as_of),
        overrides=_merged(_from_file(file), friction_overrides(overrides_of(settings))),
        flow_usd=_by_sector(world, "flow", a, b, sectors),
        tariff_rate=_by_sector(world, "tariff_rate", a, b, sectors),
    )
    document = report.to_json()
    outside = [c for c in (a, b) if c not in world.countries]
    attribution = _attribution(world, report, whole=whole, seed=seed) if attribute and not outside else None
    if attribution is not None:
        document["attribution"] = {"rows": attribution.to_dict("records"), **attribution.attrs}
    if output is not None:
        from counterpoise.report.frictions import frictions_section

        write_result(
            output,
            report.rows,
            document,
            section=lambda: frictions_section(report, attribution),
            dek=f"What stands between the order and the goods, {a} to {b}.",
            options={"origin": a, "destination": b, "case": case, "as_of": as_of, "set": settings or [], "seed": seed},
        )
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(report)
        if attribution is not None:
            _show_attribution(report, attribution)
    if attribute and outside:
        say(
            f"{' and '.join(outside)} is no country of the world that is solved: what removals do in equilibrium is "
            f"left out, and every sector counts the same; its countries are {', '.join(world.countries)}"
        )


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


def _from_file(path: Path | None) -> dict[str, Any]:
    """Read the user's own numbers.

    Raises
    ------
    InputError
        If there is no such file, or it is no TOML; the message says where.
    """
    import tomllib

    if path is None:
        return {}
    if not path.is_file():
        raise InputError(f"--file {path} is no file; expected a TOML file with your own numbers")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--file {path} is no TOML: {error}") from None


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested tables over others; what is no table replaces."""
    out = dict(under)
    for key, value in over.items():
        held = out.get(key)
        both = isinstance(held, Mapping) and isinstance(value, Mapping)
        out[key] = _merged(cast("Mapping[str, Any]", held), cast("Mapping[str, Any]", value)) if both else value
    return out


def _require_known(world: World, a: str, b: str) -> None:
    """Refuse codes that name neither a country or region of the world nor any other country."""
    from counterpoise.data.concordance import read_table

    known = {*world.countries, *(row["iso3"] for row in read_table("countries"))}
    problems = [
        f"unknown country '{code}'{did_you_mean(code, known) or ';'} expected an ISO3 code such as IND, or one of the "
        f"world: {', '.join(world.countries)}"
        for code in (a, b)
        if code not in known
    ]
    raise_all(InputError, "no frictions can be worked out", problems)


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
    _show_corridors(report)
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
    _show_border(report)
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


_CHANGES = {"given": "your own network", "closed": "closed", "surcharge": "1,000 USD dearer", "without": "falls away"}
_LEAST_SHOWN = 5e-5


def _show_corridors(report: FrictionReport) -> None:
    """Show from which cargo value the faster corridor pays, and what another network would do."""
    if not report.break_even.empty:
        print_table(
            "From which cargo value the faster corridor pays",
            ["faster", "cheaper", "extra USD", "days saved", "value of a day, %", "cargo value, USD a TEU"],
            [
                [
                    str(r["fast"]),
                    str(r["slow"]),
                    number(float(r["extra_cost_usd"]), 0),
                    number(float(r["days_saved"]), 1),
                    number(100.0 * float(r["value_of_time"]), 1),
                    number(float(r["cargo_value_usd"]), 0),
                ]
                for r in report.break_even.to_dict("records")
            ],
            left=2,
        )
    rows = [
        r
        for r in report.corridor_changes.to_dict("records")
        if not r["open"] or r["kind"] == "given" or abs(float(r["most_ave_change"])) >= _LEAST_SHOWN
    ]
    if rows:
        print_table(
            "What another network does to the wedge, points of the value of the goods",
            ["change", "of", "cargo", "mean over trade", "most", "in"],
            [
                [
                    _CHANGES[str(r["kind"])],
                    str(r["what"]),
                    str(r["cargo"]),
                    number(100.0 * float(r["mean_ave_change"]), 2, sign=True) if r["open"] else "no way left",
                    number(100.0 * float(r["most_ave_change"]), 2, sign=True),
                    str(r["most_sector"]),
                ]
                for r in rows
            ],
            left=3,
        )


def _show_border(report: FrictionReport) -> None:
    """Show duties under an agreement in force, dated events, and claims that contradict each other."""
    duties = report.duties[report.duties["used"].astype(bool)]
    if not duties.empty:
        print_table(
            "Duties under a trade agreement, %",
            ["sector", "agreement", "since", "without", "with", "cost of proving origin"],
            [
                [
                    str(r["sector"]),
                    str(r["agreement"]),
                    str(r["valid_from"]),
                    *(_percent(r[k]) for k in ("mfn_rate", "duty_rate", "compliance_rate")),
                ]
                for r in duties.to_dict("records")
            ],
            left=3,
        )
    if not report.events.empty:
        print_table(
            "Dated events",
            ["day", "kind", "event"],
            [[str(r["on"]), str(r["kind"]), str(r["event"])] for r in report.events.to_dict("records")],
            left=3,
        )
    if not report.claims.empty:
        print_table(
            "Published claims, those that contradict each other too",
            ["claim", "from", "to", "unit", "source", "held against"],
            [
                [
                    str(r["claim"]),
                    number(float(r["low"]), 1),
                    number(float(r["high"]), 1),
                    str(r["unit"]),
                    str(r["source"]),
                    str(r["held_against"]),
                ]
                for r in report.claims.to_dict("records")
            ],
            left=6,
        )


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
