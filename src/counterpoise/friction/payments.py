r"""Payments as a chain of steps: what the invoice costs beyond itself, and how long the money is on its way.

A route is a chain: invoice currency, correspondent or agent, conversion (direct, or through a third currency), release.
Each step has a fee and a spread, takes days, and may be refused. A refused payment goes back to the payer and starts
anew: with $p_m$ the chance of refusal at step m, step k is made $1 / \prod_{m \ge k} (1 - p_m)$ times on average, so

    expected days  D = sum_k d_k / prod_{m >= k} (1 - p_m)

which for one pipeline of d days with one chance p of refusal at its end is d / (1 - p). Fees are paid once, on the
payment that arrives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.friction import tables
from counterpoise.friction.ranges import CASES, ZERO, Case, Range

__all__ = [
    "STEP_KINDS",
    "PaymentRoute",
    "PaymentStep",
    "PaymentWedge",
    "currency_of",
    "currency_rates",
    "mixed_wedge",
    "payment_problems",
    "payment_routes",
    "payment_shares",
    "share_problems",
]

STEP_KINDS = ("invoice", "correspondent", "agent", "conversion", "release")
"""What a step can be."""

ANY_CURRENCY = frozenset({"BUYER", "SELLER"})
"""Stand for the currencies of the two sides where the pair's own are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStep:
    """One step of a payment.

    Parameters
    ----------
    name
        Words.
    kind
        One of `STEP_KINDS`. What a conversion costs counts as currency, what any other step costs as commission.
    from_currency, to_currency
        Currency before and after.
    fee_rate, spread_rate
        Shares of the amount; 0.03 is 3 %.
    days
        Days until the next step, when nothing is refused.
    refusal_probability
        Chance that the payment is sent back here; below 1.
    source, confidence
        Where the numbers come from and how far to trust them.

    Raises
    ------
    InputError
        If anything cannot be used; lists every problem.
    """

    name: str
    kind: str
    from_currency: str
    to_currency: str
    fee_rate: Range = ZERO
    spread_rate: Range = ZERO
    days: Range = ZERO
    refusal_probability: Range = ZERO
    source: str = ""
    confidence: str = "low"

    def __post_init__(self) -> None:
        """Check everything at once."""
        raise_all(InputError, f"the payment step '{self.name}' cannot be used", self._problems())

    def _problems(self) -> Iterator[str]:
        if self.kind not in STEP_KINDS:
            yield f"kind is '{self.kind}'; expected one of {', '.join(STEP_KINDS)}{did_you_mean(self.kind, STEP_KINDS)}"
        for label, value in (("fee_rate", self.fee_rate), ("spread_rate", self.spread_rate)):
            if not 0 <= value.low <= value.high < 1:
                yield f"{label} is {value.low:g} to {value.high:g}; expected 0 or more and below 1 (0.03 is 3 %)"
        if self.days.low < 0:
            yield f"days is {self.days.low:g}; expected zero or more"
        p = self.refusal_probability
        if not 0 <= p.low <= p.high < 1:
            yield (
                f"refusal_probability is {p.low:g} to {p.high:g}; expected 0 or more and below 1: a payment that is "
                "always refused never arrives"
            )
        if self.kind not in ("conversion", "correspondent") and self.from_currency != self.to_currency:
            yield (
                f"a step of kind {self.kind} turns {self.from_currency} into {self.to_currency}; only conversions and "
                "correspondents do"
            )


@dataclass(frozen=True, slots=True)
class PaymentWedge:
    """What paying costs, as rates on the invoice, and how long it takes.

    Attributes
    ----------
    commission, currency, delay
        Fees of agents and banks; spreads and fees of conversion; interest over the expected days.
    days
        Expected days until the seller has the money.
    """

    commission: Range
    currency: Range
    delay: Range
    days: Range

    @property
    def total(self) -> Range:
        """All three, each on top of the others: the product of 1 + rate, minus 1."""
        return Range(
            *((1 + self.commission.at(c)) * (1 + self.currency.at(c)) * (1 + self.delay.at(c)) - 1 for c in CASES)
        )


@dataclass(frozen=True, slots=True)
class PaymentRoute:
    """A way to pay: a chain of steps, each taking up the currency in which the one before ends.

    Raises
    ------
    InputError
        If there is no step, or the chain is broken.
    """

    name: str
    steps: tuple[PaymentStep, ...]
    match: tables.Match = "user"

    def __post_init__(self) -> None:
        """Check the chain."""
        raise_all(InputError, f"the payment route '{self.name}' cannot be used", self._problems())

    def _problems(self) -> Iterator[str]:
        if not self.steps:
            yield "it has no step"
        for before, after in pairwise(self.steps):
            if before.to_currency != after.from_currency:
                yield (
                    f"step '{before.name}' ends in {before.to_currency}, step '{after.name}' begins in "
                    f"{after.from_currency}; add a conversion"
                )

    @property
    def currencies(self) -> tuple[str, ...]:
        """Currencies the money passes through, each once."""
        return tuple(dict.fromkeys(c for step in self.steps for c in (step.from_currency, step.to_currency)))

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the steps, each once."""
        return tuple(tables.iterate_sources(step.source for step in self.steps))

    @property
    def confidence(self) -> str:
        """Lowest confidence of the steps."""
        return tables.least(step.confidence for step in self.steps)

    def expected_days(self) -> Range:
        """Return the days until the money has arrived, refusals included."""
        return Range(*(self._expected_days(case) for case in CASES))

    def wedge(self, interest_rate: Range) -> PaymentWedge:
        """Return what paying this way costs.

        Parameters
        ----------
        interest_rate
            Rate per year; 0.10 is 10 %.
        """
        commission = sum((step.fee_rate for step in self.steps if step.kind != "conversion"), start=ZERO)
        margin = sum((step.fee_rate for step in self.steps if step.kind == "conversion"), start=ZERO)
        spread = sum((step.spread_rate for step in self.steps), start=ZERO)
        days = self.expected_days()
        return PaymentWedge(commission, spread + margin, days * interest_rate / 365.0, days)

    def delivered(self, amount: float, rates: Mapping[str, float], case: Case = "central") -> float:
        """Return what the seller receives of an amount paid in the first currency, in the last one.

        Parameters
        ----------
        amount
            Paid by the buyer, in the currency of the first step.
        rates
            USD per unit, by currency.

        Raises
        ------
        InputError
            If a currency has no rate.
        """
        raise_all(InputError, f"the payment route '{self.name}' has no value", _rate_problems(self, rates, ()))
        for step in self.steps:
            kept = (1.0 - step.fee_rate.at(case)) * (1.0 - step.spread_rate.at(case))
            if step.from_currency != step.to_currency:
                kept *= rates[step.from_currency] / rates[step.to_currency]
            amount *= kept
        return amount

    def _expected_days(self, case: Case) -> float:
        expected, visits = 0.0, 1.0
        for step in reversed(self.steps):
            visits /= 1.0 - step.refusal_probability.at(case)
            expected += step.days.at(case) * visits
        return expected


def mixed_wedge(routes: Mapping[str, PaymentRoute], shares: Mapping[str, float], interest_rate: Range) -> PaymentWedge:
    """Return the mean wedge over the routes in use.

    Parameters
    ----------
    routes
        Routes by name.
    shares
        Share of payments by route; sums to 1.
    interest_rate
        Rate per year.

    Raises
    ------
    InputError
        If a share has no route, or shares do not sum to 1.
    """
    raise_all(InputError, "the payment shares cannot be used", share_problems(shares, routes, "payment_shares"))
    used = [(routes[name].wedge(interest_rate), share) for name, share in shares.items() if share > 0]
    return PaymentWedge(
        *(
            sum((getattr(wedge, part) * share for wedge, share in used), start=ZERO)
            for part in ("commission", "currency", "delay", "days")
        )
    )


def payment_routes(origin: str, destination: str) -> dict[str, PaymentRoute]:
    """Return the shipped ways to pay for goods from ``origin`` sold to ``destination``, by name.

    The buyer sits in ``destination``. Currencies that stand for a side become the pair's own where they are known.
    """
    rows: dict[str, list[tuple[tables.Row, tables.Match]]] = {}
    for row, match in tables.best_rows("payments", origin, destination, by="route"):
        rows.setdefault(row["route"], []).append((row, match))
    sides = {"BUYER": currency_of(destination) or "BUYER", "SELLER": currency_of(origin) or "SELLER"}
    return {
        name: PaymentRoute(name, tuple(_step(row, sides) for row, _ in chain), chain[0][1])
        for name, chain in rows.items()
    }


def payment_shares(origin: str, destination: str) -> dict[str, float]:
    """Return the shipped shares of the ways to pay, by route; they sum to 1."""
    return {
        row["route"]: float(row["route_share"]) for row, _ in tables.best_rows("payment_shares", origin, destination)
    }


def currency_rates() -> Mapping[str, float]:
    """Return the shipped rates, USD per unit of currency."""
    return MappingProxyType({row["currency"]: float(row["usd_per_unit"]) for row in tables.rows("currencies")})


def currency_of(country: str) -> str | None:
    """Return the currency of a country, or None where none is listed."""
    return next((row["currency"] for row in tables.rows("currencies") if row["country"] == country), None)


def payment_problems(
    routes: Mapping[str, PaymentRoute], shares: Mapping[str, float], rates: Mapping[str, float]
) -> list[str]:
    """List what is wrong with routes, their shares and the rates of their currencies, all at once."""
    problems = [problem for route in routes.values() for problem in _rate_problems(route, rates, ANY_CURRENCY)]
    problems += [
        f"the rate of {currency} is {rate:g} USD per unit; expected more than zero"
        for currency, rate in rates.items()
        if not rate > 0
    ]
    return [*problems, *share_problems(shares, routes, "payment_shares")]


def share_problems(shares: Mapping[str, float], known: Mapping[str, object], name: str) -> list[str]:
    """List what is wrong with shares that must sum to 1 over known names."""
    problems = [
        f"{name} names '{key}', which is not known{did_you_mean(key, known)} Known: {', '.join(known)}"
        for key in shares
        if key not in known
    ]
    problems += [
        f"{name} of '{key}' is {share:g}; expected 0 to 1" for key, share in shares.items() if not 0 <= share <= 1
    ]
    total = sum(shares.values())
    if abs(total - 1.0) > 1e-9:
        problems.append(f"{name} add up to {total:g}; expected 1")
    return problems


def with_step(step: PaymentStep, **changes: Range) -> PaymentStep:
    """Return a step with some numbers replaced; same checks."""
    return replace(step, **changes)


def _rate_problems(
    route: PaymentRoute, rates: Mapping[str, float], exempt: Sequence[str] | frozenset[str]
) -> list[str]:
    return [
        f"the currency {currency} of payment route '{route.name}' has no rate; expected one of {', '.join(rates)}, or "
        f"give its rate in USD per unit{did_you_mean(currency, rates)}"
        for currency in route.currencies
        if currency not in rates and currency not in exempt
    ]


def _step(row: tables.Row, sides: Mapping[str, str]) -> PaymentStep:
    def percent(name: str) -> Range:
        return Range(*(float(row[f"{name}_{case}"]) for case in CASES)) / 100.0

    def plain(name: str) -> Range:
        return Range(*(float(row[f"{name}_{case}"]) for case in CASES))

    return PaymentStep(
        name=row["step"],
        kind=row["kind"],
        from_currency=sides.get(row["from_currency"], row["from_currency"]),
        to_currency=sides.get(row["to_currency"], row["to_currency"]),
        fee_rate=percent("fee"),
        spread_rate=percent("spread"),
        days=plain("days"),
        refusal_probability=plain("refusal"),
        source=row["source"],
        confidence=row["confidence"],
    )
