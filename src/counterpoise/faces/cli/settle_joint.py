"""``counterpoise settle`` for three countries or more, or from a file: many accounts, and what netting leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoise.core.errors import InputError, raise_all
from counterpoise.faces.cli.pages import write_result
from counterpoise.faces.cli.show import folder, number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.settle import JointCase, JointStudy

__all__ = ["settle_among", "settle_file"]

_TICKS = 12
_MOST_ACCOUNTS = 10


def settle_file(
    file: str,
    countries: Sequence[str],
    *,
    unused: Mapping[str, object],
    months: int | None,
    as_of: str | None,
    drain_by: str | None,
    target: float,
    draws: int,
    seed: int,
    as_json: bool,
    output: Path | None,
) -> None:
    """Settle what a file describes.

    Parameters
    ----------
    file
        File, or the name of one that is shipped.
    countries, unused
        Countries and options that a file leaves no room for; any that is given is a problem.
    months, as_of, drain_by, target, draws, seed
        As `counterpoise.settle.read_arrangement`; the target in USD bn.
    as_json, output
        As everywhere.
    """
    from counterpoise.settle import read_arrangement

    problems = _unused(unused, "stands in the file")
    if countries:
        problems.append(f"--file names its own countries; leave {' and '.join(countries)} out")
    raise_all(InputError, "nothing can be settled", problems)
    case = read_arrangement(
        file, months=months, as_of=as_of, drain_by=drain_by, target_usd_bn=target, draws=draws, seed=seed
    )
    _give(case, as_json=as_json, output=output, options={"file": file})


def settle_among(
    countries: Sequence[str],
    problems: list[str],
    *,
    unused: Mapping[str, object],
    months: int,
    as_of: str,
    drain_by: str | None,
    target: float,
    limit: float | None,
    freezes: Sequence[tuple[str, str]],
    freeze_all: bool,
    refusal_rate: float,
    rates: Mapping[str, float],
    growth: float,
    depreciation: float,
    draws: int,
    seed: int,
    as_json: bool,
    output: Path | None,
) -> None:
    """Settle between all pairs of some countries.

    Parameters
    ----------
    countries
        Three or more.
    problems
        What is wrong with options that were read before.
    unused
        Options that belong to a pair; any that is given is a problem.
    months, as_of, drain_by, target, limit, freezes, freeze_all, refusal_rate, rates, growth, depreciation, draws, seed
        As `counterpoise.settle.joint_case`.
    as_json, output
        As everywhere.
    """
    from counterpoise.settle import joint_case

    problems += _unused(unused, "is for two countries; write it into a file for --file")
    try:
        case = joint_case(
            countries, months=months, as_of=as_of, drain_by=drain_by, target_usd_bn=target, cap_usd_bn=limit,
            freezes=freezes, freeze_all=freeze_all, refusal_rate=refusal_rate, rates=rates, growth_rate=growth,
            depreciation_rate=depreciation, draws=draws, seed=seed,
        )  # fmt: skip
    except InputError as error:
        raise_all(InputError, "nothing can be settled", [*problems, *error.problems])
        raise
    raise_all(InputError, "nothing can be settled", problems)
    options = {"as_of": as_of, "limit": limit, "refusal_rate": refusal_rate, "drain_by": drain_by}
    _give(case, as_json=as_json, output=output, options={"countries": list(countries), **options})


def _unused(options: Mapping[str, object], words: str) -> list[str]:
    return [f"{name} {words}" for name, value in options.items() if value is not None]


def _give(case: JointCase, *, as_json: bool, output: Path | None, options: Mapping[str, Any]) -> None:
    """Run the case, then write, print or show it."""
    from counterpoise.settle import study_joint

    if output is not None and not output.suffix:
        folder(output)
    study = study_joint(case)
    document = study.to_json()
    if output is not None:
        _write(study, document, output, {**options, "draws": case.arrangement.draws, "seed": case.seed})
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(study)


def _write(study: JointStudy, document: dict[str, Any], output: Path, options: Mapping[str, Any]) -> None:
    """Write what the suffix says; a folder takes every table as CSV, the document and the page."""
    from counterpoise.report.settlement_joint import joint_section

    def page(path: Path) -> None:
        write_result(
            path,
            study.months(),
            document,
            section=lambda: joint_section(study),
            dek=f"{study.case.title}: who holds whose money, which limit binds when, and what netting spares.",
            options=options,
        )

    if output.suffix:
        page(output)
        return
    tables: dict[str, pd.DataFrame] = {
        "months": study.months(),
        "accounts": study.accounts(),
        "limits": study.limits(),
        "hard_currency": study.hard.table(study.periods),
        "hard_currency_periods": study.periods,
    }
    if not study.drains.empty:
        tables["drains"] = study.drains
    if study.balances is not None:
        tables["balances"] = study.balances.table()
        owed = study.balances.obligations.frame()
        tables["owed"] = owed.assign(amount=[f"{cents / 100:.2f}" for cents in owed["amount_minor"]])[
            ["debtor", "creditor", "amount"]
        ]
    output.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    for suffix in (".html", ".json"):
        page(output / f"settlement{suffix}")


def _show(study: JointStudy) -> None:
    from counterpoise.report.settlement_joint import joint_sentences, limit_words

    accounts = study.accounts()
    order = [str(label) for label in accounts.sort_values("peak_usd", ascending=False)["account"]]
    shown = [label for label in study.case.arrangement.labels if label in order[:_MOST_ACCOUNTS]]
    wide = study.months().pivot(index="month", columns="account", values="money_usd")
    steps = range(0, len(wide), max(1, -(-len(wide) // _TICKS)))
    draws = study.case.arrangement.draws
    print_table(
        "Money in each account, USD bn" + (f" (median of {draws:,} draws)" if draws > 1 else ""),
        ["month", *shown],
        [
            [str(wide.index[at]), *(number(float(wide[label].iloc[at]) / 1e9) for label in shown)]
            for at in sorted({*steps, len(wide) - 1})
        ],
    )
    columns = {
        "sales_usd": "sales in", "goods_usd": "goods paid", "converted_usd": "converted",
        "other_uses_usd": "other uses",
        "turned_away_usd": "turned away", "paid_outside_usd": "paid outside", "revaluation_usd": "from the rate",
        "end_usd_low": "end, low", "end_usd": "end", "end_usd_high": "end, high", "invested_usd": "invested",
    }  # fmt: skip
    print_table(
        "Where the money came from and went, USD bn over all months",
        ["account", *columns.values()],
        [
            [str(row["account"]), *(number(float(row[name]) / 1e9) for name in columns)]
            for row in accounts.to_dict("records")
        ],
    )
    limits = study.limits()
    if not limits.empty:
        print_table(
            "Which limit binds when",
            ["account", "limit", "first in", "last in", "months", "draws, %"],
            [
                [
                    *(str(r["account"]), limit_words(str(r["limit"])), str(r["first"]), str(r["last"])),
                    *(number(float(r["months"]), 0), number(100 * float(r["rate"]), 0)),
                ]
                for r in limits.to_dict("records")
            ],
            left=4,
        )
    if not study.drains.empty:
        ends = ("usd_a_year_low", "usd_a_year", "usd_a_year_high")
        print_table(
            "Which extra imports drain it by when, USD bn a year",
            ["account", "by", "left, bn", "other uses", "low", "median", "high"],
            [
                [str(r["account"]), str(r["by"]), number(float(r["target_usd"]) / 1e9)]
                + [str(r["uses"]).replace("_", " ")]
                + [number(float(r[end]) / 1e9) if float(r[end]) < float("inf") else "never" for end in ends]
                for r in study.drains.to_dict("records")
            ],
            left=4,
        )
    print_table(
        "Hard currency that moves, USD bn",
        ["way of settling", "moves", "spared, %"],
        [
            [str(r["words"]), number(float(r["settled_cents"]) / 100e9, 1), number(100 * float(r["saved_rate"]), 1)]
            for r in study.hard.table(study.periods).to_dict("records")
        ],
    )
    if study.balances is not None:
        print_table(
            f"Balances of {study.case.arrangement.months[-1]}, netted against each other",
            ["way of netting", "still to be paid, USD bn", "spared, %", "debts left"],
            [
                [
                    str(r["method"]),
                    number(float(r["settled_minor"]) / 100e9),
                    number(100 * float(r["efficiency"]), 1),
                    number(float(r["obligations"]), 0),
                ]
                for r in study.balances.table().to_dict("records")
            ],
        )
    hidden = [label for label in study.case.arrangement.labels if label not in shown]
    for words in (*joint_sentences(study), *study.case.notes):
        say(words)
    if hidden:
        say(f"not in the first table, since there is less in them: {', '.join(hidden)}")
    for source in study.case.sources:
        say(f"Trade: {source}")
