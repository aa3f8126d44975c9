"""Settlement: how balances in local currencies pile up and drain, and what netting saves.

`study` takes two countries to a fitted account with its stress and its answers; `joint_case` (from a list of countries)
and `read_arrangement` (from a file) make accounts among several, which `study_joint` runs; `compare_netting` takes
obligations to what each way of netting leaves. The parts stand on their own: accounts and ledger, calibration,
closed-form outlook, netting, cycle clearing, clearing unions, liquidity-saving queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoise.settle.accounts import Account, Arrangement, Freeze, Use, rate_path
    from counterpoise.settle.among import joint_case
    from counterpoise.settle.arrangement_file import arrangement_case, read_arrangement, shipped_arrangements
    from counterpoise.settle.calibration import Fit, Observation, Prior, calibrate, draw_priors, observations, priors
    from counterpoise.settle.case import PairCase, Programme, pair_case
    from counterpoise.settle.clearing import ClearingResult, Cycle, clear_cycles, cycles_of
    from counterpoise.settle.flows import TradeStream, month_range, monthly_from_annual
    from counterpoise.settle.hard_money import HardMoney, balance_obligations, hard_money
    from counterpoise.settle.joint import Aim, JointCase, JointStudy, study_joint
    from counterpoise.settle.ledger import Ledger, simulate
    from counterpoise.settle.liquidity import LiquidityGame, Payment, QueueResult, liquidity_game, run_queue
    from counterpoise.settle.money import write_up_rate
    from counterpoise.settle.netting import NettingResult, Obligations, net_bilaterally, novate, read_obligations
    from counterpoise.settle.outlook import Answers, SteadyAccount, answers, steady_account
    from counterpoise.settle.overview import NettingStudy, SettlementStudy, compare_netting, study, study_problems
    from counterpoise.settle.regimes import members_of, queue_obligations, read_transactions, union_terms
    from counterpoise.settle.tables import (
        DatedRule,
        PermittedUse,
        Statement,
        dated_rules,
        permitted_uses,
        statements,
    )
    from counterpoise.settle.trade import trade_obligation_rows, trade_reported
    from counterpoise.settle.unions import (
        BimonthlyResult,
        Tranche,
        TrancheResult,
        Transaction,
        clear_bimonthly,
        settle_in_tranches,
        union_tranches,
    )

_MODULES = {
    "accounts": ("Account", "Arrangement", "Freeze", "Use", "rate_path"),
    "among": ("joint_case",),
    "arrangement_file": ("arrangement_case", "read_arrangement", "shipped_arrangements"),
    "calibration": ("Fit", "Observation", "Prior", "calibrate", "draw_priors", "observations", "priors"),
    "case": ("PairCase", "Programme", "pair_case"),
    "clearing": ("ClearingResult", "Cycle", "clear_cycles", "cycles_of"),
    "flows": ("TradeStream", "month_range", "monthly_from_annual"),
    "hard_money": ("HardMoney", "balance_obligations", "hard_money"),
    "joint": ("Aim", "JointCase", "JointStudy", "study_joint"),
    "ledger": ("Ledger", "simulate"),
    "liquidity": ("LiquidityGame", "Payment", "QueueResult", "liquidity_game", "run_queue"),
    "money": ("write_up_rate",),
    "netting": ("NettingResult", "Obligations", "net_bilaterally", "novate", "read_obligations"),
    "outlook": ("Answers", "SteadyAccount", "answers", "steady_account"),
    "overview": ("NettingStudy", "SettlementStudy", "compare_netting", "study", "study_problems"),
    "regimes": ("members_of", "queue_obligations", "read_transactions", "union_terms"),
    "tables": ("DatedRule", "PermittedUse", "Statement", "dated_rules", "permitted_uses", "statements"),
    "trade": ("trade_obligation_rows", "trade_reported"),
    "unions": (
        "BimonthlyResult",
        "Tranche",
        "TrancheResult",
        "Transaction",
        "clear_bimonthly",
        "settle_in_tranches",
        "union_tranches",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Account",
    "Aim",
    "Answers",
    "Arrangement",
    "BimonthlyResult",
    "ClearingResult",
    "Cycle",
    "DatedRule",
    "Fit",
    "Freeze",
    "HardMoney",
    "JointCase",
    "JointStudy",
    "Ledger",
    "LiquidityGame",
    "NettingResult",
    "NettingStudy",
    "Obligations",
    "Observation",
    "PairCase",
    "Payment",
    "PermittedUse",
    "Prior",
    "Programme",
    "QueueResult",
    "SettlementStudy",
    "Statement",
    "SteadyAccount",
    "TradeStream",
    "Tranche",
    "TrancheResult",
    "Transaction",
    "Use",
    "answers",
    "arrangement_case",
    "balance_obligations",
    "calibrate",
    "clear_bimonthly",
    "clear_cycles",
    "compare_netting",
    "cycles_of",
    "dated_rules",
    "draw_priors",
    "hard_money",
    "joint_case",
    "liquidity_game",
    "members_of",
    "month_range",
    "monthly_from_annual",
    "net_bilaterally",
    "novate",
    "observations",
    "pair_case",
    "permitted_uses",
    "priors",
    "queue_obligations",
    "rate_path",
    "read_arrangement",
    "read_obligations",
    "read_transactions",
    "run_queue",
    "settle_in_tranches",
    "shipped_arrangements",
    "simulate",
    "statements",
    "steady_account",
    "study",
    "study_joint",
    "study_problems",
    "trade_obligation_rows",
    "trade_reported",
    "union_terms",
    "union_tranches",
    "write_up_rate",
]


def __getattr__(name: str) -> Any:
    """Import on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
