"""``counterpoise settle``: how a balance in local currency piles up and drains, or what netting saves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from counterpoise.core.errors import InputError, raise_all
from counterpoise.faces.cli.options import AsJson, Offline, Output, Seed
from counterpoise.faces.cli.pages import write_result
from counterpoise.faces.cli.settle_joint import settle_among, settle_file
from counterpoise.faces.cli.show import number, print_json, print_table, say, write_table

if TYPE_CHECKING:
    import pandas as pd

    from counterpoise.policy.order_flow import ExtraPurchases
    from counterpoise.settle import NettingStudy, PairCase, SettlementStudy

__all__ = ["settle"]

_SPAN = re.compile(r"(\d{4}-\d{2})(?::|\.\.)(\d{4}-\d{2})")
_TICKS = 12

AS_OF = "2025-09"
"""Month at whose end the questions are asked by default."""


def settle(
    countries: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COUNTRY]...", help="Two or more countries (ISO3) or regions; IND and RUS by default."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", metavar="FILE", help="Accounts among several countries from a TOML file, or one that is shipped."
        ),
    ] = None,
    months: Annotated[int | None, typer.Option(help="Months to run; 61, or those of the file.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="MONTH", help="Month at whose end the questions are asked; 2025-09."),
    ] = None,
    limit: Annotated[float | None, typer.Option(metavar="BN", help="Cap on the account, USD bn.")] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(metavar="FIRST:LAST", help="Freeze the account, as 2026-01:2026-06; repeatable."),
    ] = None,
    freeze_all: Annotated[bool, typer.Option("--freeze-all", help="A freeze stops what comes in as well.")] = False,
    refusal_rate: Annotated[
        float, typer.Option(metavar="P", help="Probability that a payment is refused in a month.")
    ] = 0.0,
    extra_imports: Annotated[
        float | None, typer.Option(metavar="BN", help="Extra purchases of the holder a year, USD bn.")
    ] = None,
    programme: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            help="Extra purchases are what the purchase programme of a scenario adds in equilibrium.",
        ),
    ] = None,
    extra_from: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Their first month; by default the one after --as-of.")
    ] = None,
    drain_by: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Find the extra purchases that reach --target by then.")
    ] = None,
    target: Annotated[float, typer.Option(metavar="BN", help="What shall be left by --drain-by, USD bn.")] = 0.0,
    crowding_out: Annotated[
        bool,
        typer.Option(
            "--crowding-out", help="Extra purchases make other uses shrink; else these stay as they would be."
        ),
    ] = False,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Currency of the account.")] = None,
    rate: Annotated[
        list[str] | None, typer.Option(metavar="CODE=UNITS", help="Exchange rate in units per USD; repeatable.")
    ] = None,
    growth: Annotated[float, typer.Option(metavar="RATE", help="Yearly growth of trade after the data.")] = 0.0,
    depreciation: Annotated[
        float, typer.Option(metavar="RATE", help="Yearly fall of the currency after the last shipped rate.")
    ] = 0.0,
    trade: Annotated[
        str | None,
        typer.Option(metavar="BN:BN", help="What A sells to B and B to A, USD bn a year, instead of the tables."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws of the uncertain numbers.")] = 1000,
    netting: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Net the obligations of a CSV file (debtor, creditor, amount) instead."),
    ] = None,
    liquidity: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="With --netting: also settle the file in a queue, every party with this share of what it owes.",
        ),
    ] = None,
    clearing: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Clear the payments of a CSV file (day, payer, payee, amount) every two months, as the Asian Clearing "
            "Union does.",
        ),
    ] = None,
    interest: Annotated[
        float, typer.Option(metavar="RATE", help="With --clearing: rate a year that net debtors pay.")
    ] = 0.0,
    seed: Seed = 20251003,
    as_json: AsJson = False,
    output: Output = None,
    offline: Offline = False,
) -> None:
    """Show how balances in local currency pile up and drain, and what netting them saves.

    Two countries have one account; more of them, or a --file, have many. --netting and --clearing take obligations.
    """
    named = countries or []
    if netting is not None or clearing is not None:
        _require_file_alone(named, file, netting, clearing)
        if netting is not None:
            _netting(netting, liquidity, as_json=as_json, output=output)
        else:
            _clearing(cast("Path", clearing), interest, as_json=as_json, output=output)
        return
    _require_unused(liquidity=liquidity, interest=interest or None)
    if len(named) == 1:
        raise InputError(f"only '{named[0]}' is given; expected two countries or more, or none for IND and RUS")
    pair_only = {
        "--extra-imports": extra_imports, "--programme": programme, "--extra-from": extra_from,
        "--crowding-out": crowding_out or None, "--currency": currency, "--trade": trade,
    }  # fmt: skip
    if file is not None:
        told_there = {
            "--limit": limit, "--freeze": freeze, "--freeze-all": freeze_all or None,
            "--refusal-rate": refusal_rate or None, "--rate": rate, "--growth": growth or None,
            "--depreciation": depreciation or None, **pair_only,
        }  # fmt: skip
        settle_file(
            file, named, unused=told_there, months=months, as_of=as_of, drain_by=drain_by, target=target, draws=draws,
            seed=seed, as_json=as_json, output=output,
        )  # fmt: skip
        return
    problems: list[str] = []
    if len(named) > 2:
        spans, rates = _spans(freeze, problems), _rates(rate, problems)
        settle_among(
            named, problems, unused=pair_only, months=61 if months is None else months, as_of=as_of or AS_OF,
            drain_by=drain_by, target=target, limit=limit, freezes=spans, freeze_all=freeze_all,
            refusal_rate=refusal_rate, rates=rates, growth=growth, depreciation=depreciation, draws=draws, seed=seed,
            as_json=as_json, output=output,
        )  # fmt: skip
        return
    from counterpoise.settle import pair_case, study, study_problems

    a, b = named or ("IND", "RUS")
    as_of = as_of or AS_OF
    if programme is not None and extra_imports is not None:
        problems.append("--programme and --extra-imports both say how much more is bought; expected one of them")
    spans, rates, sold = _spans(freeze, problems), _rates(rate, problems), _trade(trade, problems)
    problems += study_problems(
        as_of=as_of,
        draws=draws,
        cap_usd_bn=limit,
        freezes=spans,
        refusal_rate=refusal_rate,
        extra_imports_usd_bn=extra_imports,
        extra_from=extra_from,
        drain_by=drain_by,
        target_usd_bn=target,
    )
    try:
        case = pair_case(
            a,
            b,
            months=61 if months is None else months,
            currency=currency,
            rates=rates,
            growth_rate=growth,
            depreciation_rate=depreciation,
            trade_usd=sold,
        )
    except InputError as error:
        problems += error.problems
        case = None
    raise_all(InputError, "nothing can be settled", problems)
    assert case is not None, "a case that cannot be made is a problem"
    bought = None if programme is None else _bought(programme, case)
    if bought is not None:
        extra_imports = bought.usd_a_year / 1e9
    result = study(
        case=case,
        as_of=as_of,
        draws=draws,
        cap_usd_bn=limit,
        freezes=spans,
        freeze_all=freeze_all,
        refusal_rate=refusal_rate,
        extra_imports_usd_bn=extra_imports,
        extra_from=extra_from,
        drain_by=drain_by,
        target_usd_bn=target,
        other_uses="in_proportion" if crowding_out else "unchanged",
        seed=seed,
    )
    document = result.to_json()
    if bought is not None:
        document["programme"] = {
            "scenario": programme, "buyer": bought.buyer, "seller": bought.seller,
            "usd_a_year": bought.usd_a_year, "by_sector": dict(bought.by_sector),
        }  # fmt: skip
    if output is not None:
        from counterpoise.report.settlement import settlement_section

        write_result(
            output,
            result.baseline.band(result.case.label),
            document,
            section=lambda: settlement_section(result, purchases=bought),
            dek=f"What {result.case.seller} holds in {result.case.currency}, month by month.",
            options={"seller": case.seller, "buyer": case.buyer, "as_of": as_of, "draws": draws, "limit": limit}
            | {"freeze": freeze or [], "programme": programme, "drain_by": drain_by, "seed": seed},
        )
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show(result)
        if bought is not None:
            _show_bought(bought)


def _bought(scenario: str, case: PairCase) -> ExtraPurchases:
    """Solve a scenario's purchase programme; it must be one by the account's holder.

    Raises
    ------
    InputError
        If the programme is of another pair, or adds nothing.
    """
    from counterpoise.faces.cli.runtime import prepare

    prepare()
    from counterpoise.policy.order_flow import scenario_purchases
    from counterpoise.scenario import load_scenario

    bought = scenario_purchases(load_scenario(scenario))
    if (bought.buyer, bought.seller) != (case.seller, case.buyer):
        raise InputError(
            f"--programme {scenario}: {bought.buyer} buys from {bought.seller} there; expected purchases of "
            f"{case.seller}, who holds the account, from {case.buyer}"
        )
    if bought.usd_a_year <= 0:
        raise InputError(f"--programme {scenario} adds {bought.usd_a_year:g} USD a year; expected more than zero")
    return bought


def _show_bought(bought: ExtraPurchases) -> None:
    """Show which goods the programme consists of."""
    print_table(
        f"What the programme adds to what {bought.buyer} buys from {bought.seller}, mn USD a year",
        ["goods", "change"],
        [[s, number(usd / 1e6, 1, sign=True)] for s, usd in bought.by_sector.items() if abs(usd) >= 5e4]
        + [["all goods", number(bought.usd_a_year / 1e6, 1, sign=True)]],
    )


def _spans(given: Sequence[str] | None, problems: list[str]) -> list[tuple[str, str]]:
    found = [(text, _SPAN.fullmatch(text)) for text in given or ()]
    problems += [
        f"--freeze '{text}' is no span of months; expected FIRST:LAST, as 2026-01:2026-06"
        for text, match in found
        if not match
    ]
    return [(match[1], match[2]) for _, match in found if match]


def _rates(given: Sequence[str] | None, problems: list[str]) -> dict[str, float]:
    rates: dict[str, float] = {}
    for text in given or ():
        code, _, value = text.partition("=")
        try:
            rates[code.strip().upper()] = float(value)
        except ValueError:
            problems.append(f"--rate '{text}' is no rate; expected CODE=UNITS_PER_USD, as KZT=480")
    return rates


def _trade(text: str | None, problems: list[str]) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        there, back = (float(part) * 1e9 for part in text.split(":"))
    except ValueError:
        problems.append(f"--trade '{text}' is no trade; expected what A sells and what B sells in USD bn, as 0.4:0.1")
        return None
    return there, back


def _show(result: SettlementStudy) -> None:
    case = result.case
    band = result.baseline.band(case.label)
    columns = ["month", "low", "median", "high"]
    frames = [band]
    if result.stressed is not None:
        columns += ["low, changed", "median, changed", "high, changed"]
        frames.append(result.stressed.band(case.label))
    rows = [
        [str(band["month"].iloc[at]), *(number(value) for frame in frames for value in _bounds(frame, at))]
        for at in _ticks(len(band))
    ]
    print_table(
        f"What {case.seller} holds in {case.currency}, USD bn (5, 50 and 95 % of {len(result.parameters):,} draws)",
        columns,
        rows,
    )
    table = result.answers.table
    lines = [
        [str(r["question"]), str(r["unit"]), *(number(float(r[k])) for k in ("low", "median", "high"))]
        for r in table.to_dict("records")
    ]
    print_table(f"From the end of {result.answers.since}", ["question", "unit", "low", "median", "high"], lines, left=2)
    if result.fit is not None:
        lines = [
            [
                str(r["date"]),
                str(r["kind"]),
                str(r["fitted"]),
                *(_bound(float(r[k])) for k in ("reported_low", "reported_high")),
                *(number(float(r[k])) for k in ("low", "median", "high")),
            ]
            for r in result.fit.predicted().to_dict("records")
        ]
        heads = ["report", "kind", "fitted", "from", "to", "low", "median", "high"]
        print_table("Reported, and what the draws say, USD bn", heads, lines, left=3)
    if result.rules:
        print_table("Dated rules", ["day", "rule"], [[str(r.date), r.what] for r in result.rules], left=2)
    for words in (*result.words, *case.notes, f"Trade: {case.source}"):
        say(words)


def _bounds(frame: pd.DataFrame, at: int) -> list[float]:
    return [float(frame[name].iloc[at]) for name in ("low", "median", "high")]


def _bound(value: float) -> str:
    return "open" if value in (float("inf"), float("-inf")) else number(value)


def _ticks(count: int) -> list[int]:
    """Pick about a dozen rows, the last among them."""
    step = max(1, -(-count // _TICKS))
    return sorted({*range(0, count, step), count - 1})


def _require_file_alone(
    countries: Sequence[str], file: str | None, netting: Path | None, clearing: Path | None
) -> None:
    problems: list[str] = []
    option = "--netting" if netting else "--clearing"
    if countries:
        problems.append(f"{option} takes no countries; leave {' and '.join(countries)} out")
    if file is not None:
        problems.append(f"{option} and --file are both given; expected one of them")
    if netting is not None and clearing is not None:
        problems.append("--netting and --clearing are both given; expected one of them")
    raise_all(InputError, "nothing can be settled", problems)


def _require_unused(**given: float | None) -> None:
    """Refuse options that belong to a file where no file is given."""
    owner = {"liquidity": "netting", "interest": "clearing"}
    problems = [f"--{name} needs --{owner[name]} FILE" for name, value in given.items() if value is not None]
    raise_all(InputError, "nothing can be settled", problems)


def _netting(path: Path, liquidity: float | None, *, as_json: bool, output: Path | None) -> None:
    from counterpoise.settle import compare_netting, queue_obligations, read_obligations

    obligations = read_obligations(path)
    result = compare_netting(obligations)
    document = result.to_json()
    queues: list[dict[str, Any]] = []
    if liquidity is not None:
        for words, flags in (
            ("one by one", {"bilateral": False, "multilateral": False}),
            ("offsetting in pairs", {"bilateral": True, "multilateral": False}),
            ("offsetting among all", {"bilateral": True, "multilateral": True}),
        ):
            queue = queue_obligations(obligations, liquidity, **flags)
            queues.append({"queue": words, "settled_rate": queue.settled_rate, "turnover": queue.turnover})
        document["liquidity"] = {"share": liquidity, "queues": queues}
    if output is not None:
        write_table(output, result.table(), document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        _show_netting(result, path, queues)


def _show_netting(result: NettingStudy, path: Path, queues: Sequence[Mapping[str, Any]]) -> None:
    from counterpoise.settle import union_terms

    rows = [
        [
            str(r["method"]),
            number(float(r["settled_minor"]) / 100),
            number(100 * float(r["efficiency"]), 1),
            number(float(r["obligations"]), 0),
        ]
        for r in result.table().to_dict("records")
    ]
    parties = len(result.obligations.parties)
    print_table(
        f"{path.name}: {parties:,} parties", ["method", "still to be paid", "saved, %", "obligations left"], rows
    )
    print_table(
        "In a payments union, quota 15 % of a member's trade: what net debtors pay in hard money and owe on credit",
        ["terms of", "net", "hard money", "credit", "hard money, % of gross"],
        [
            [
                str(r["terms"]),
                *(number(float(r[k]) / 100) for k in ("net_minor", "debtor_gold_minor", "credit_minor")),
                number(100 * float(r["gold_rate"]), 1),
            ]
            for r in union_terms(result.obligations).to_dict("records")
        ],
    )
    if queues:
        print_table(
            "In a queue, payments in the order of the file",
            ["release", "settled, %", "settled per unit of liquidity"],
            [
                [str(q["queue"]), number(100 * float(q["settled_rate"]), 1), number(float(q["turnover"]), 2)]
                for q in queues
            ],
        )
    say(
        "Nobody's net position moves. Cycle clearing keeps every obligation with its debtor and creditor; "
        "novation puts a clearing house between them."
    )


def _clearing(path: Path, interest: float, *, as_json: bool, output: Path | None) -> None:
    from counterpoise.settle import clear_bimonthly, members_of, read_transactions

    payments = read_transactions(path)
    first = min(t.day for t in payments).replace(day=1)
    result = clear_bimonthly(payments, members_of(payments), first=first, interest_rate=interest)
    document = {"periods": result.table.to_dict("records"), "efficiency": list(result.efficiency)}
    if output is not None:
        write_table(output, result.table, document=document)
        say(f"wrote {output}")
    if as_json:
        print_json(document)
    elif output is None:
        columns = ("paid_minor", "received_minor", "net_minor", "interest_minor", "settled_minor")
        print_table(
            f"{path.name}: cleared every two months",
            ["period from", "settled on", "member", "paid", "received", "net", "interest", "settled"],
            [
                [
                    str(r["period_start"]),
                    str(r["settled_on"]),
                    str(r["member"]),
                    *(number(float(r[k]) / 100, sign=k in columns[2:]) for k in columns),
                ]
                for r in result.table.to_dict("records")
            ],
            left=3,
        )
        saved = ", ".join(f"{100 * part:.1f} %" for part in result.efficiency)
        say(f"saved by netting, by period: {saved}")
