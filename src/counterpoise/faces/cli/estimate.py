"""``counterpoise estimate``: parameters from data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.faces.cli.options import AsJson, Output
from counterpoise.faces.cli.show import number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.estimate import GravityEstimate, TradeCost, TradeElasticity
    from counterpoise.estimate.terms import Flows

__all__ = ["app"]

_FLOWS = ("customs", "inclusive")

app = typer.Typer(no_args_is_help=True, help="Estimate parameters from data; needs the extra named estimate.")


@app.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction]
    """Keep the name of the command after that of the group."""


@app.command("gravity")
def gravity(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Table: .csv, .tsv, .dlm or .parquet, one row per flow.")
    ],
    spec: Annotated[
        str,
        typer.Option(
            "--spec",
            metavar="SPEC",
            help="FLOW ~ COLUMN + COLUMN | EFFECT + EFFECT, as "
            "'trade ~ lndist + pta | exporter^year + importer^year + exporter^importer'.",
        ),
    ],
    cluster: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Cluster errors by it, a^b by combinations; at most two, else robust."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Estimate apart for each value, as a sector.")
    ] = None,
    tariff: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Regressor that is ln(1 + tariff rate): the trade elasticity.")
    ] = None,
    flows: Annotated[
        str | None, typer.Option(metavar="KIND", help="What the flows are: customs (before duty) or inclusive.")
    ] = None,
    theta: Annotated[
        float | None, typer.Option(metavar="X", help="Trade elasticity for the costs, where none is estimated.")
    ] = None,
    term: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Write its trade cost into the scenario of -o FILE.toml; repeatable."),
    ] = None,
    pair: Annotated[
        str | None, typer.Option(metavar="A:B", help="Origin and destination of these costs, as CAN:JPN.")
    ] = None,
    extends: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scenario that the written one starts from.")
    ] = None,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Estimate a gravity equation by PPML, and turn it into elasticities and trade costs that the model takes."""
    from counterpoise.data.concordance import goods_sectors
    from counterpoise.estimate import elasticity_table, estimate_by, parse_spec, trade_cost_of, trade_elasticity_of

    _check(flows, tariff, theta, term, pair, output)
    equation = parse_spec(spec)
    table = _read(file)
    estimates = estimate_by(table, equation, by=by, cluster=tuple(cluster or ()))
    elasticities: dict[str, TradeElasticity] = {}
    if tariff is not None:
        kind = cast("Flows", flows)
        elasticities = {k: trade_elasticity_of(e, tariff, flows=kind) for k, e in estimates.items()}
    costs: dict[str, tuple[TradeCost, ...]] = {}
    for key, estimate in estimates.items():
        used = elasticities[key].trade_elasticity if key in elasticities else theta
        if used is not None:
            costs[key] = tuple(trade_cost_of(estimate, r, used) for r in estimate.regressors if r != tariff)
    document = _document(spec, file, estimates, elasticities, costs)
    if output is not None and output.suffix == ".toml":
        sectors = goods_sectors()
        written = elasticity_table(elasticities, sectors) if elasticities else elasticity_table({}, sectors)
        _write_scenario(output, written, costs, term or [], pair, extends, f"PPML of {spec} on {file.name}")
    elif output is not None:
        write_table(output, _coefficients(estimates, elasticities, costs), document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(spec, estimates, elasticities, costs)


def _check(
    flows: str | None,
    tariff: str | None,
    theta: float | None,
    term: list[str] | None,
    pair: str | None,
    output: Path | None,
) -> None:
    problems: list[str] = []
    if flows is not None and flows not in _FLOWS:
        problems.append(f"--flows '{flows}'{did_you_mean(flows, _FLOWS) or ';'} expected {' or '.join(_FLOWS)}")
    if tariff is not None and flows is None:
        problems.append(
            "--tariff needs --flows: customs where flows are before duty (theta = -b - 1), inclusive where the duty is "
            "in them (theta = -b)"
        )
    if tariff is not None and theta is not None:
        problems.append("--tariff estimates the elasticity and --theta gives one; leave one of them out")
    if theta is not None and not theta > 0:
        problems.append(f"--theta {theta:g} is not above zero")
    if term and tariff is None and theta is None:
        problems.append("--term needs an elasticity: --tariff COLUMN, or --theta X")
    if term and pair is None:
        problems.append("--term needs --pair A:B, the origin and the destination of the cost")
    if pair is not None and len([p for p in pair.split(":") if p.strip()]) != 2:
        problems.append(f"--pair '{pair}' is no pair; expected A:B, as CAN:JPN")
    if (term or pair) and (output is None or output.suffix != ".toml"):
        problems.append("--term and --pair are for a scenario; give -o FILE.toml")
    known = (".toml", ".csv", ".parquet", ".json")
    if output is not None and output.suffix not in known:
        problems.append(f"-o {output}: the suffix '{output.suffix}' names no format; expected {', '.join(known)}")
    raise_all(InputError, "gravity cannot be estimated", problems)


def _read(file: Path) -> pd.DataFrame:
    """Read a table by its suffix.

    Raises
    ------
    InputError
        If there is no such file, or its suffix names no format.
    DataError
        If it cannot be read.
    """
    import pandas as pd

    if not file.is_file():
        raise InputError(f"{file} does not exist; expected a table with one row per flow")
    if file.suffix not in (".csv", ".dlm", ".tsv", ".txt", ".parquet"):
        raise InputError(f"{file}: the suffix '{file.suffix}' names no format; expected .csv, .tsv, .dlm or .parquet")
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        with file.open(encoding="utf-8-sig") as handle:
            head = handle.readline()
        separator = max((",", "\t", ";"), key=head.count)
        return pd.read_csv(file, sep=separator, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a table: {error}") from error


def _document(
    spec: str,
    file: Path,
    estimates: Mapping[str, GravityEstimate],
    elasticities: Mapping[str, TradeElasticity],
    costs: Mapping[str, tuple[TradeCost, ...]],
) -> dict[str, Any]:
    from dataclasses import asdict

    rows: list[dict[str, Any]] = []
    for key, e in estimates.items():
        found = elasticities.get(key)
        row = {
            "by": key or None,
            "dependent": e.dependent,
            "fixed_effects": list(e.fixed_effects),
            "errors": e.covariance_kind,
            "clusters": dict(e.clusters),
            "observations": e.observations,
            "separated": e.separated,
            "singletons": e.singletons,
            "omitted": list(e.omitted),
            "constant": e.constant,
            "deviance": e.deviance,
            "coefficients": e.table().to_dict("records"),
            "trade_elasticity": None if found is None else {**asdict(found), "interval": list(found.interval)},
            "trade_costs": [asdict(c) for c in costs.get(key, ())],
        }
        rows.append(row)
    return {"file": file.name, "spec": spec, "estimates": rows}


def _coefficients(
    estimates: Mapping[str, GravityEstimate],
    elasticities: Mapping[str, TradeElasticity],
    costs: Mapping[str, tuple[TradeCost, ...]],
) -> pd.DataFrame:
    """Return every coefficient, with the elasticity or the trade cost that it stands for."""
    import pandas as pd

    parts: list[pd.DataFrame] = []
    for key, estimate in estimates.items():
        part = estimate.table()
        part.insert(0, "by", key)
        ave = {c.regressor: c for c in costs.get(key, ())}
        part["ave"] = [ave[r].ave if r in ave else float("nan") for r in part["regressor"]]
        part["ave_standard_error"] = [ave[r].standard_error if r in ave else float("nan") for r in part["regressor"]]
        found = elasticities.get(key)
        part["trade_elasticity"] = float("nan") if found is None else found.trade_elasticity
        part["trade_elasticity_standard_error"] = float("nan") if found is None else found.standard_error
        part["observations"], part["errors"] = estimate.observations, estimate.covariance_kind
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _write_scenario(
    path: Path,
    elasticities: pd.DataFrame,
    costs: Mapping[str, tuple[TradeCost, ...]],
    terms: list[str],
    pair: str | None,
    extends: str | None,
    source: str,
) -> None:
    from counterpoise.core.storage import atomic_path
    from counterpoise.estimate import gravity_scenario

    if terms and list(costs) != [""]:
        raise InputError("--term and --by cannot go together: the cost of one term would be one for each value")
    known = {c.regressor: c for c in costs.get("", ())}
    problems = [
        f"'{t}'{did_you_mean(t, known) or ';'} known: {', '.join(known) or 'none'}" for t in terms if t not in known
    ]
    raise_all(InputError, "these are no regressors with a trade cost", problems)
    origin, _, destination = (pair or "").partition(":")
    text = gravity_scenario(
        elasticities,
        [known[t] for t in terms],
        name=path.stem,
        source=source,
        origin=origin.strip() or None,
        destination=destination.strip() or None,
        extends=extends,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"wrote {path}; solve it with: counterpoise simulate {path}")


def _show(
    spec: str,
    estimates: Mapping[str, GravityEstimate],
    elasticities: Mapping[str, TradeElasticity],
    costs: Mapping[str, tuple[TradeCost, ...]],
) -> None:
    for key, e in estimates.items():
        ave = {c.regressor: c for c in costs.get(key, ())}
        heads = ["regressor", "coefficient", "standard error", "z", "95 % from", "to", *(["cost, %"] if ave else [])]
        rows = [
            [
                str(r["regressor"]),
                *(number(float(r[k]), 6) for k in ("coefficient", "standard_error")),
                number(float(r["z"]), 2),
                *(number(float(r[k]), 4) for k in ("low_95", "high_95")),
                *([number(100 * ave[r["regressor"]].ave if r["regressor"] in ave else None, 2)] if ave else []),
            ]
            for r in cast("list[dict[str, Any]]", e.table().to_dict("records"))
        ]
        rows.append(["constant", number(e.constant, 6), "", "", "", "", *([""] if ave else [])])
        print_table(f"{spec}{f', {key}' if key else ''}: PPML, {e.covariance_kind} errors", heads, rows)
        say(f"{e.observations:,} rows used, {e.separated:,} separated and {e.singletons:,} singletons dropped")
        if e.clusters:
            say("clusters: " + ", ".join(f"{n:,} by {name}" for name, n in e.clusters.items()))
        if e.omitted:
            say(f"omitted as collinear: {', '.join(e.omitted)}")
    if elasticities:
        lines = [
            [key or "all", *(number(v, 4) for v in (x.trade_elasticity, x.standard_error, *x.interval))]
            for key, x in elasticities.items()
        ]
        print_table("Trade elasticity", ["of", "theta", "standard error", "95 % from", "to"], lines)
