"""``counterpoise optimal``, ``nash`` and ``cooperate``: tariffs chosen alone, at war, and together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import typer

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.faces.cli.options import AsJson, Output, SourcesFolder
from counterpoise.faces.cli.show import number, print_json, print_table, progress, say, write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.core import Solution
    from counterpoise.policy.tariff_sweeps import Tie
    from counterpoise.solver.variants import Economy

__all__ = ["cooperate_command", "nash_command", "optimal_command"]

ECONOMIES = {
    "embedded2024": "the embedded world under the main model, with its input-output links",
    "ossa-2014": "fixed varieties with profits, balanced trade (Ossa 2014); needs --sources",
    "liberation-day-2025": "one sector, distribution margin, elastic labour (Ignatenko et al. 2025); needs --sources",
}
"""What can be named with --economy; a path is a world file, as `counterpoise data build-world` writes it."""

EconomyName = Annotated[
    str, typer.Option("--economy", metavar="NAME", help=f"{', '.join(ECONOMIES)}, or the path of a world file.")
]
Partners = Annotated[
    str | None, typer.Option("--partners", metavar="A,B", help="Only tariffs on goods of these; all by default.")
]
Sectors = Annotated[str | None, typer.Option("--sectors", metavar="S,T", help="Only these sectors; all by default.")]
ClosureOption = Annotated[
    str | None,
    typer.Option(
        "--closure",
        metavar="NAME",
        help="fixed_world_share (default), fixed_nominal, or zero: the world is then re-based to balanced trade first.",
    ),
]
Cap = Annotated[float | None, typer.Option("--cap", metavar="RATE", help="Highest tariff; 0.5 is 50 %.")]
Floor = Annotated[float, typer.Option("--floor", metavar="RATE", help="Lowest tariff; below 0 is an import subsidy.")]
TieOption = Annotated[
    str, typer.Option("--tie", metavar="HOW", help="line, sector, partner or uniform: which lines share one rate.")
]
Top = Annotated[int, typer.Option(help="Lines shown on the terminal; 0 shows all.")]

_LOWEST, _HIGHEST = -0.9, 20.0


def optimal_command(
    country: Annotated[str, typer.Argument(help="Who sets tariffs.")],
    partners: Partners = None,
    sectors: Sectors = None,
    tie: TieOption = "line",
    closure: ClosureOption = None,
    cap: Cap = None,
    floor: Floor = _LOWEST,
    starts: Annotated[
        str, typer.Option(metavar="R,R", help="Uniform rates to search from besides the tariffs in force.")
    ] = "0,0.5",
    economy: EconomyName = "embedded2024",
    top: Top = 20,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Find the tariffs over all partners and sectors that are best for one country, others' given."""
    bound = _economy(economy, closure, sources)
    from counterpoise.policy.tariffs import optimal_tariff

    rates = _rates(starts)
    with progress("optimal tariff") as bar:
        found = optimal_tariff(
            bound,
            country,
            partners=_names(partners),
            sectors=_names(sectors),
            tie=cast("Tie", tie),
            bounds=_bounds(floor, cap),
            starts=rates,
            progress=bar,
        )
    document: dict[str, Any] = {
        "country": country,
        **_found(found, economy, bound, tie),
        "welfare_pct": found.welfare_pct,
        "in_force_pct": found.in_force_pct,
        "median_tariff_pct": found.median_tariff_pct,
        "lines": int(found.chosen.sum()),
        "at_bound": found.at_bound,
        "spread_pct": found.spread_pct,
        "starts": found.starts,
        "starts_settled": found.starts_settled,
    }
    summary = [
        f"{country}: welfare {number(found.welfare_pct, 3, sign=True)} % against the base year "
        f"({number(found.in_force_pct, 3, sign=True)} % with the tariffs in force); median tariff "
        f"{number(found.median_tariff_pct, 1)} % over {int(found.chosen.sum())} lines.",
        f"First-order conditions to {found.first_order_gap:.1e}; {found.starts_settled} of {found.starts} starts agree "
        f"to {found.spread_pct:.1e} points; {found.at_bound} lines at a bound; {found.sweeps} sweeps, "
        f"{found.seconds:.2f} s.",
    ]
    _hand_over(document, found.solution, summary, as_json, output, top)


def nash_command(
    players: Annotated[
        list[str] | None, typer.Argument(metavar="[COUNTRY]...", help="Who chooses; all by default.")
    ] = None,
    partners: Partners = None,
    among: Annotated[bool, typer.Option("--among", help="Only tariffs of the players on each other.")] = False,
    sectors: Sectors = None,
    tie: TieOption = "line",
    closure: ClosureOption = None,
    cap: Cap = None,
    floor: Floor = _LOWEST,
    certify: Annotated[bool, typer.Option(help="Search a better answer for every player.")] = True,
    economy: EconomyName = "embedded2024",
    top: Top = 20,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Find the tariffs of a trade war: each country's are best for it, given those of the others."""
    if among and partners is not None:
        raise InputError("--among and --partners exclude each other; give one")
    bound = _economy(economy, closure, sources)
    from counterpoise.policy.tariffs import nash_tariffs

    with progress("trade war") as bar:
        found = nash_tariffs(
            bound,
            players or None,
            partners=tuple(players) if among and players else _names(partners),
            sectors=_names(sectors),
            tie=cast("Tie", tie),
            bounds=_bounds(floor, cap),
            certify=certify,
            progress=bar,
        )
    medians = {name: found.median_tariff_pct(name) for name in found.players}
    document: dict[str, Any] = {
        "players": list(found.players),
        **_found(found, economy, bound, tie),
        "welfare_pct": found.welfare_pct,
        "median_tariff_pct": medians,
        "gain_pct": found.gain_pct,
        "certificate_seconds": found.certificate_seconds,
    }
    certificate = (
        f"No player was found to gain more than {found.max_gain_pct:.1e} % by another answer "
        f"({found.certificate_seconds:.1f} s of search)."
        if certify
        else "Better answers were not searched (--no-certify)."
    )
    summary = [
        f"{len(found.players)} players, {int(found.chosen.sum())} tariffs, median "
        f"{', '.join(f'{name} {number(value, 1)} %' for name, value in medians.items())}.",
        f"{certificate} First-order conditions to {found.first_order_gap:.1e}; {found.sweeps} sweeps, "
        f"{found.seconds:.2f} s.",
    ]
    _hand_over(document, found.solution, summary, as_json, output, top)


def cooperate_command(
    parties: Annotated[
        list[str] | None, typer.Argument(metavar="[COUNTRY]...", help="Who agrees; all by default.")
    ] = None,
    rule: Annotated[
        str, typer.Option(metavar="HOW", help="equal_gains: all gain the same percentage; joint: the largest sum.")
    ] = "equal_gains",
    sectors: Sectors = None,
    tie: TieOption = "line",
    closure: ClosureOption = None,
    cap: Cap = None,
    floor: Floor = _LOWEST,
    economy: EconomyName = "embedded2024",
    top: Top = 20,
    as_json: AsJson = False,
    output: Output = None,
    sources: SourcesFolder = None,
) -> None:
    """Find the tariffs on each other that countries would agree on, and what each gains."""
    bound = _economy(economy, closure, sources)
    from counterpoise.policy.talks import cooperative_tariffs

    with progress("talks") as bar:
        found = cooperative_tariffs(
            bound,
            parties or None,
            rule=cast(Any, rule),
            sectors=_names(sectors),
            tie=cast("Tie", tie),
            bounds=_bounds(floor, cap),
            progress=bar,
        )
    document: dict[str, Any] = {
        "parties": list(found.parties),
        "rule": found.rule,
        **_found(found, economy, bound, tie),
        "gain_pct": found.gain_pct,
        "weight": found.weight,
    }
    summary = [
        f"Gains over the tariffs in force: "
        f"{', '.join(f'{name} {number(value, 3, sign=True)} %' for name, value in found.gain_pct.items())}.",
        f"Conditions of efficiency to {found.first_order_gap:.1e}, all weights above 0; {found.sweeps} sweeps, "
        f"{found.seconds:.2f} s.",
    ]
    _hand_over(document, found.solution, summary, as_json, output, top)


def _economy(name: str, closure: str | None, sources: Path | None) -> Economy:
    """Return the named economy; a closure of zero re-bases the world first, so that choices are compared from there."""
    from counterpoise.faces.cli.runtime import prepare

    prepare()
    if name in ("ossa-2014", "liberation-day-2025"):
        if closure is not None:
            raise InputError(f"--closure has no place here: '{name}' has its own; leave it out")
        from counterpoise.report.replication_power import liberation_day_economy, ossa_economy

        return ossa_economy(sources) if name == "ossa-2014" else liberation_day_economy(sources)
    from counterpoise.core import World
    from counterpoise.data import load_world
    from counterpoise.solver import rebase
    from counterpoise.solver.main_variant import main_economy

    if name != "embedded2024" and not Path(name).is_file():
        raise InputError(
            f"unknown economy '{name}'{did_you_mean(name, ECONOMIES)} Known: {', '.join(ECONOMIES)}, or the path of a "
            "world file"
        )
    world = load_world() if name == "embedded2024" else World.load(name)
    return main_economy(rebase(world, "zero") if closure == "zero" else world, closure or "fixed_world_share")


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _bounds(floor: float, cap: float | None) -> tuple[float, float]:
    return floor, _HIGHEST if cap is None else cap


def _rates(text: str) -> list[float]:
    """Return the rates of a comma-separated list.

    Raises
    ------
    InputError
        If one is no number above -1; all such are named.
    """
    rates, wrong = list[float](), list[str]()
    for part in (p.strip() for p in text.split(",") if p.strip()):
        try:
            rates.append(float(part))
        except ValueError:
            wrong.append(f"'{part}' is no number; expected rates as 0,0.5")
    wrong += [f"{rate:g} is no rate; expected more than -1" for rate in rates if not rate > -1]
    raise_all(InputError, "--starts cannot be read", wrong)
    return rates


class _Chosen(Protocol):
    """Tariffs that countries chose, whichever way."""

    @property
    def solution(self) -> Solution: ...
    @property
    def first_order_gap(self) -> float: ...
    @property
    def sweeps(self) -> int: ...
    @property
    def seconds(self) -> float: ...

    def table(self) -> pd.DataFrame: ...


def _found(chosen: _Chosen, name: str, economy: Economy, tie: str) -> dict[str, Any]:
    """Return what every such answer has: the setting, how well it was found, and who gains from which tariffs."""
    return {
        "economy": name,
        "closure": economy.closure,
        "tie": tie,
        "first_order_gap": chosen.first_order_gap,
        "sweeps": chosen.sweeps,
        "seconds": chosen.seconds,
        "countries": chosen.solution.countries_table().to_dict("records"),
        "tariffs": chosen.table().to_dict("records"),
    }


def _hand_over(
    document: dict[str, Any],
    solution: Solution,
    summary: Sequence[str],
    as_json: bool,
    output: Path | None,
    top: int,
) -> None:
    """Write, print as JSON or show: who gains, the largest lines, and how well it was found."""
    import pandas as pd

    document["technology"], document["numeraire"] = solution.technology, solution.numeraire
    tariffs = pd.DataFrame(document["tariffs"])
    if output is not None:
        write_table(output, tariffs, document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        rows = sorted(
            solution.countries_table().to_dict("records"), key=lambda r: -abs(float(r["equivalent_variation_usd"]))
        )
        print_table(
            "Who gains and loses against the base year",
            ["country", "welfare, %", "EV, bn USD", "tariff revenue, bn USD"],
            [
                [
                    str(r["country"]),
                    number(float(r["welfare_pct"]), 3, sign=True),
                    number(float(r["equivalent_variation_usd"]) / 1e9, 2, sign=True),
                    number(float(r["tariff_revenue_cf_usd"]) / 1e9, 2),
                ]
                for r in (rows if top <= 0 else rows[:top])
            ],
        )
        lines = tariffs.sort_values("flow_usd", ascending=False)
        print_table(
            "Tariffs on the largest flows",
            ["origin", "destination", "sector", "before, %", "chosen, %", "flow before, bn USD", "after"],
            [
                [
                    *(str(r[k]) for k in ("origin", "destination", "sector")),
                    *(number(100.0 * float(r[k]), 1) for k in ("tariff_rate", "tariff_rate_cf")),
                    *(number(float(r[k]) / 1e9, 2) for k in ("flow_usd", "flow_cf_usd")),
                ]
                for r in (lines if top <= 0 else lines.head(top)).to_dict("records")
            ],
            left=3,
        )
        if 0 < top < len(lines):
            say(f"{len(lines) - top} more lines; --top 0 shows all, -o writes them")
    for sentence in summary:
        (say if as_json or output is not None else typer.echo)(sentence)
