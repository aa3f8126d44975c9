r"""Trade finance: what securing an order costs, and what finds no finance at all.

Prices: the fee of a letter of credit on the share of orders secured by one, insurance, and interest on the days for
which the seller gives credit, ``days / 365 * rate``. Days in transit are in the value of time already, not here again.

The part of trade that finds no finance at any price is a limit of quantity and no price. By class k of firms,

    unmet = sum_k export_share_k * need_share * rejection_share_k

where the need for outside finance, the same for all, is the one at which the total is the published one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoise.core.errors import InputError, raise_all
from counterpoise.friction import tables
from counterpoise.friction.ranges import Range

__all__ = ["FirmClass", "UnmetFinance", "firm_class_problems", "firm_classes", "unmet_finance", "working_capital_rate"]


@dataclass(frozen=True, slots=True)
class FirmClass:
    """Firms of one size.

    Parameters
    ----------
    name
        Words.
    export_share
        Share of the origin's exports; the classes sum to 1.
    rejection_share
        Share of requests for trade finance that is rejected.
    source, confidence
        Where the numbers come from and how far to trust them.
    """

    name: str
    export_share: float
    rejection_share: float
    source: str = ""
    confidence: str = "low"


@dataclass(frozen=True, slots=True)
class UnmetFinance:
    """What finds no finance, by class of firms: limits, not prices.

    Attributes
    ----------
    firm_class
        Words.
    export_share
        Share of exports.
    need_share
        Share of its exports that needs outside finance.
    unmet_share
        Share of its exports that finds none.
    """

    firm_class: str
    export_share: float
    need_share: float
    unmet_share: float


def working_capital_rate(days: Range, interest_rate: Range) -> Range:
    """Return the cost of capital tied up for some days, as a rate on value: ``days / 365 * interest_rate``.

    Parameters
    ----------
    days
        Days for which the money is out.
    interest_rate
        Rate per year; 0.10 is 10 %.
    """
    return days * interest_rate / 365.0


def unmet_finance(classes: Sequence[FirmClass], unmet_total: float) -> tuple[UnmetFinance, ...]:
    """Spread the share of trade that finds no finance over classes of firms.

    Parameters
    ----------
    classes
        Classes of firms; export shares sum to 1.
    unmet_total
        Share of all trade that finds no finance; 0.10 is 10 %.

    Returns
    -------
    One entry per class; the shares of exports times what is unmet sum to ``unmet_total`` exactly.

    Raises
    ------
    InputError
        If shares do not add up, or no need of 100 % or less explains the total.
    """
    problems = firm_class_problems(classes)
    if not 0 <= unmet_total <= 1:
        problems.append(f"unmet_total is {unmet_total:g}; expected 0 to 1")
    raise_all(InputError, "unmet finance cannot be spread over firms", problems)
    rejected = sum(k.export_share * k.rejection_share for k in classes)
    if unmet_total > rejected:
        raise InputError(
            f"unmet_total is {unmet_total:g}, but rejections reach {rejected:g} of exports even where all of them need "
            "finance; lower it, or raise the rejection shares"
        )
    need = unmet_total / rejected if rejected > 0 else 0.0
    return tuple(UnmetFinance(k.name, k.export_share, need, need * k.rejection_share) for k in classes)


def firm_classes(origin: str) -> tuple[FirmClass, ...]:
    """Return the shipped classes of firms of an origin."""
    rows = [row for row in tables.rows("firm_classes") if row["origin"] == origin]
    rows = rows or [row for row in tables.rows("firm_classes") if row["origin"] == "*"]
    return tuple(
        FirmClass(
            row["firm_class"],
            float(row["export_share"]),
            float(row["rejection_share"]),
            row["source"],
            row["confidence"],
        )
        for row in rows
    )


def firm_class_problems(classes: Sequence[FirmClass]) -> list[str]:
    """List what is wrong with classes of firms: shares out of bounds, or not adding up."""
    problems: list[str] = []
    for k in classes:
        for label, value in (("export_share", k.export_share), ("rejection_share", k.rejection_share)):
            if not 0 <= value <= 1:
                problems.append(f"{label} of firms '{k.name}' is {value:g}; expected 0 to 1")
    total = sum(k.export_share for k in classes)
    if abs(total - 1.0) > 1e-9:
        problems.append(f"export shares of firm classes add up to {total:g}; expected 1")
    return problems
