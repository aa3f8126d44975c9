"""Fit the account to what was reported about it: not a line but every draw that agrees with the reports.

Rupee share of invoices, drain and conversion are not separately identified by four reported balances: more coming in
and more going out look alike from outside. So parameters are drawn from wide priors and kept where the simulated
account passes through every reported interval. What is reported is the band of the kept draws, and how they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, NotConvergedError, raise_all
from counterpoise.settle.case import PairCase
from counterpoise.settle.ledger import Ledger, simulate
from counterpoise.settle.tables import read_parameters

__all__ = ["Fit", "Observation", "Prior", "calibrate", "draw_priors", "observations", "priors"]


@dataclass(frozen=True, slots=True)
class Observation:
    """A reported balance: an interval, or a bound where one side is open.

    Attributes
    ----------
    id, date
        Name, and the day or month it speaks of.
    low_usd_bn, high_usd_bn
        As published; minus and plus infinity where open.
    rounding_usd_bn
        Half the last printed digit, where the source gives a round number: the interval is widened by it.
    kind
        ``"stock"``, ``"flow"`` (a month) or ``"peak"`` (highest stock so far).
    fitted
        ``"yes"``, ``"start"`` (sets where the account begins) or ``"no"`` (shown, not used).
    what, source, confidence
        For the record.
    """

    id: str
    date: str
    low_usd_bn: float
    high_usd_bn: float
    rounding_usd_bn: float
    kind: Literal["stock", "flow", "peak"]
    fitted: Literal["yes", "start", "no"]
    what: str
    source: str
    confidence: str

    @property
    def month(self) -> np.datetime64:
        """Month at whose end the account is compared: that of the date, the one before for a day up to the 15th."""
        month = np.datetime64(self.date[:7], "M")
        early = len(self.date) > 7 and int(self.date[8:10]) <= 15
        return month - np.timedelta64(1, "M") if early else month

    @property
    def interval(self) -> tuple[float, float]:
        """Interval in USD bn, rounding included."""
        return self.low_usd_bn - self.rounding_usd_bn, self.high_usd_bn + self.rounding_usd_bn


@dataclass(frozen=True, slots=True)
class Prior:
    """Range of an uncertain number: uniform, or uniform in the logarithm; months and counts are whole."""

    parameter: str
    low: float
    high: float
    scale: Literal["uniform", "log"]
    whole: bool
    unit: str
    what: str
    source: str

    def value(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value at a position from 0 to 1, where equal lengths are equally likely."""
        if self.whole:
            return np.minimum(np.floor(self.low + position * (self.high - self.low + 1)), self.high)
        if self.scale == "log":
            return self.low * (self.high / self.low) ** position
        return self.low + position * (self.high - self.low)

    def position(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where values lie from 0 to 1; a whole number lies in the middle of its stretch."""
        if self.whole:
            return (value - self.low + 0.5) / (self.high - self.low + 1)
        if self.scale == "log":
            return np.log(value / self.low) / np.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def observations() -> tuple[Observation, ...]:
    """Return every report about the rupee accounts, those that contradict each other too."""
    return tuple(
        Observation(
            row["id"],
            row["date"],
            float(row["low_usd_bn"] or "-inf"),
            float(row["high_usd_bn"] or "inf"),
            float(row["rounding_usd_bn"]),
            "flow" if row["kind"] == "flow" else "peak" if row["kind"] == "peak" else "stock",
            "yes" if row["fitted"] == "yes" else "start" if row["fitted"] == "start" else "no",
            row["what"],
            row["source"],
            row["confidence"],
        )
        for row in read_parameters("reported_balances")
    )


def priors() -> tuple[Prior, ...]:
    """Return the ranges of the uncertain numbers; a month is counted from January 1970."""

    def number(cell: str, unit: str) -> float:
        return float(np.datetime64(cell, "M").astype(np.int64)) if unit == "month" else float(cell)

    return tuple(
        Prior(
            row["parameter"],
            number(row["low"], row["unit"]),
            number(row["high"], row["unit"]),
            "log" if row["scale"] == "log" else "uniform",
            row["unit"] in ("month", "months"),
            row["unit"],
            row["what"],
            row["source"],
        )
        for row in read_parameters("priors")
    )


def draw_priors(count: int, *, seed: int, ranges: Sequence[Prior] | None = None) -> pd.DataFrame:
    """Draw parameters from their priors alone, for a pair about whose account nothing is reported.

    Before and after the turn invoice share and drain are then the same.

    Parameters
    ----------
    count
        Number of draws, at least one.
    seed
        Seed of the draws.
    ranges
        Priors; by default those shipped.
    """
    if count < 1:
        raise InputError(f"number of draws is {count}; expected at least 1")
    boxes = tuple(ranges or priors())
    table = _table(boxes, np.random.default_rng(seed).random((count, len(boxes))))
    for name in ("invoice_share", "drain_rate"):
        table[f"{name}_later"] = table[f"{name}_rise"]
    return table


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Every draw that agrees with the reports.

    Attributes
    ----------
    case
        The pair.
    parameters
        One row per kept draw.
    ranges
        The priors.
    reports
        The reports that were fitted, and those that were not.
    acceptance_rate
        Estimated part of the prior that agrees with the reports.
    simulated
        How many accounts were run.
    tolerance_usd_bn, seed
        How far outside an interval a draw may lie, and the seed.
    """

    case: PairCase
    parameters: pd.DataFrame
    ranges: tuple[Prior, ...]
    reports: tuple[Observation, ...]
    acceptance_rate: float
    simulated: int
    tolerance_usd_bn: float
    seed: int

    def ledger(self, case: PairCase | None = None) -> Ledger:
        """Run the kept draws, on a longer case where one is given."""
        return simulate((case or self.case).arrangement(self.parameters))

    def identification(self) -> pd.DataFrame:
        """Return what the reports say about each number.

        Returns
        -------
        Table with columns parameter, unit, prior_low, prior_high, low, median, high (5, 50 and 95 % of the kept draws)
        and narrowing: 1 minus the spread of the kept draws over that of the prior, in the prior's scale. 0: the reports
        say nothing; 1: they fix the number.
        """
        rows: list[dict[str, str | float]] = []
        for prior in self.ranges:
            values = self.parameters[prior.parameter].to_numpy(dtype=np.float64)
            low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
            levels = prior.high - prior.low + 1
            flat = np.sqrt((1 - levels**-2 if prior.whole else 1) / 12)
            rows.append(
                {"parameter": prior.parameter, "unit": prior.unit, "prior_low": prior.low, "prior_high": prior.high}
                | {"low": float(low), "median": float(median), "high": float(high)}
                | {"narrowing": float(1 - prior.position(values).std() / flat)}
            )
        return pd.DataFrame(rows)

    def correlation(self) -> pd.DataFrame:
        """Return the rank correlation of the kept draws, square with the parameters on both sides."""
        ranks = self.parameters.rank().to_numpy(dtype=np.float64)
        names = list(self.parameters.columns)
        return pd.DataFrame(np.corrcoef(ranks, rowvar=False), index=names, columns=names)

    def ridges(self, *, least: float = 0.3) -> pd.DataFrame:
        """Return the pairs of parameters that trade off against each other in the kept draws, strongest first.

        Parameters
        ----------
        least
            Smallest rank correlation, in size, that counts.
        """
        matrix = self.correlation()
        names = list(matrix.columns)
        values = matrix.to_numpy()
        rows = [
            {"first": names[i], "second": names[j], "correlation": float(values[i, j])}
            for i in range(len(names))
            for j in range(i + 1, len(names))
            if abs(values[i, j]) >= least
        ]
        table = pd.DataFrame(rows, columns=["first", "second", "correlation"])
        return table.sort_values("correlation", key=lambda column: -column.abs(), ignore_index=True)

    def statement(self) -> str:
        """Say in words what is identified and what is not."""
        table = self.identification()
        vague = [_words(str(name)) for name in table.loc[table["narrowing"] < 0.5, "parameter"]]
        shared = self.ridges()
        fitted = sum(report.fitted == "yes" for report in self.reports)
        text = (
            f"{fitted} reports cannot fix {len(table)} numbers: about {_one_in(self.acceptance_rate)} draws "
            "from the priors "
            f"agrees with all of them, and {len(self.parameters):,} such draws are kept: the answer is a band "
            "and not a line."
        )
        if vague:
            text += f" Hardly narrowed by the reports: {_listed(vague)}."
        if len(shared):
            strongest = shared.iloc[0]
            way = (
                "rise together"
                if float(strongest["correlation"]) > 0
                else "stand in for each other (one rises, the other falls)"
            )
            text += (
                f" The longest ridge: {_words(str(strongest['first']))} and {_words(str(strongest['second']))} {way} "
                f"(rank correlation {float(strongest['correlation']):.2f}); the reports cannot tell them apart."
            )
        return text

    def predicted(self) -> pd.DataFrame:
        """Return each report beside what the kept draws say, those not used for the fit too.

        Returns
        -------
        Table with columns id, date, kind, fitted, reported_low, reported_high, low, median, high (USD bn), inside
        (share of the kept draws within the report). Reports before or after the months of the fit are left out.
        """
        stock = self.ledger().usd_bn(self.case.label)
        first = self.case.months[0]
        rows: list[dict[str, str | float]] = []
        for report in self.reports:
            at = int((report.month - first) / np.timedelta64(1, "M"))
            if not 0 < at < self.case.months.size:
                continue
            values = _seen(stock, report, at)
            low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
            inside = (values >= report.interval[0] - 1e-9) & (values <= report.interval[1] + 1e-9)
            rows.append(
                {"id": report.id, "date": report.date, "kind": report.kind, "fitted": report.fitted}
                | {"reported_low": report.low_usd_bn, "reported_high": report.high_usd_bn}
                | {"low": float(low), "median": float(median), "high": float(high), "inside": float(inside.mean())}
            )
        return pd.DataFrame(rows)


def calibrate(
    case: PairCase,
    *,
    reports: Sequence[Observation] | None = None,
    ranges: Sequence[Prior] | None = None,
    draws: int = 1000,
    tolerance_usd_bn: float = 0.0,
    max_steps: int = 60,
    moves: int = 8,
    seed: int = 20251003,
) -> Fit:
    """Draw from the priors what agrees with every reported interval.

    Parameters
    ----------
    case
        The pair, from the month in which the account opened.
    reports
        Reports; by default those shipped. Only those marked as fitted decide.
    ranges
        Priors; by default those shipped.
    draws
        Draws to keep.
    tolerance_usd_bn
        How far outside an interval a draw may lie, zero or more.
    max_steps
        Steps in which the distance is narrowed.
    moves
        Random steps of every draw after each narrowing; five times as many at the end.
    seed
        Seed of the draws.

    Returns
    -------
    Fit, with exactly ``draws`` draws.

    Raises
    ------
    InputError
        If numbers are out of range, or a fitted report lies outside the months of the case.
    NotConvergedError
        If no draw agrees with every report within ``max_steps``; the message says how near the nearest came.

    Notes
    -----
    The target is the prior, restricted to draws whose distance (the largest distance of the account from a reported
    interval, USD bn) is at most the tolerance. Plain rejection keeps too few, so the distance is narrowed step by
    step to the median of the draws; after each step draws are resampled and moved by Metropolis steps that leave the
    restricted prior as it is. The product of the parts that survive estimates which part of the prior agrees.

    References
    ----------
    Del Moral, Doucet and Jasra (2012), Statistics and Computing 22, 1009-1020: sequential Monte Carlo for approximate
    Bayesian computation.
    """
    known = tuple(reports if reports is not None else observations())
    boxes = tuple(ranges if ranges is not None else priors())
    used = [report for report in known if report.fitted == "yes"]
    raise_all(
        InputError, "the account cannot be fitted", _problems(case, used, boxes, draws, max_steps, tolerance_usd_bn)
    )
    distance = _distance(case, used, boxes)
    rng = np.random.default_rng(seed)
    place = rng.random((draws, len(boxes)))
    away = distance(place)
    simulated, accepted = draws, 1.0
    for _ in range(max_steps):
        limit = max(tolerance_usd_bn, float(np.median(away)))
        alive = np.flatnonzero(away <= limit)
        accepted *= alive.size / draws
        chosen = rng.choice(alive, draws)
        done = limit <= tolerance_usd_bn
        spread = np.cov(place[alive], rowvar=False) + 1e-6 * np.eye(len(boxes))
        place, away = place[chosen], away[chosen]
        for step in range(moves * (5 if done else 1)):
            size = 2.38 / np.sqrt(len(boxes)) * (1.0, 0.5, 0.2)[step % 3]
            proposed = place + size * rng.multivariate_normal(np.zeros(len(boxes)), spread, draws)
            inside = ((proposed >= 0) & (proposed < 1)).all(axis=1)
            there = np.full(draws, np.inf)
            there[inside] = distance(proposed[inside])
            simulated += int(inside.sum())
            better = there <= limit
            place[better], away[better] = proposed[better], there[better]
        if done:
            return Fit(case, _table(boxes, place), boxes, known, accepted, simulated, tolerance_usd_bn, seed)
    raise NotConvergedError(
        f"no {draws} draws agree with every report after {max_steps} steps: half of them still miss one by "
        f"{float(np.median(away)):.2f} USD bn or more, the nearest by {float(away.min()):.2f}; widen the priors, allow "
        "tolerance_usd_bn, or leave a report out"
    )


def _distance(
    case: PairCase, used: Sequence[Observation], boxes: Sequence[Prior]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the function from positions in the priors to the distance from the reports in USD bn."""
    short = case.until(max(report.month for report in used))
    at = np.array([int((report.month - case.months[0]) / np.timedelta64(1, "M")) for report in used])
    low = np.array([report.interval[0] for report in used])
    high = np.array([report.interval[1] for report in used])

    def distance(place: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(place):
            return np.empty(0)
        stock = simulate(short.arrangement(_table(boxes, place))).usd_bn(case.label)
        seen = np.stack([_seen(stock, report, int(t)) for report, t in zip(used, at, strict=True)], axis=1)
        return np.maximum(np.maximum(low - seen, seen - high), 0).max(axis=1)

    return distance


def _seen(stock: NDArray[np.float64], report: Observation, at: int) -> NDArray[np.float64]:
    """Return what a report speaks of, per draw: the stock, its highest value so far, or what the month added."""
    if report.kind == "peak":
        return stock[:, : at + 1].max(axis=1)
    return stock[:, at] - stock[:, at - 1] if report.kind == "flow" else stock[:, at]


def _problems(
    case: PairCase, used: Sequence[Observation], boxes: Sequence[Prior], draws: int, max_steps: int, tolerance: float
) -> list[str]:
    problems: list[str] = []
    if not used:
        problems.append("no report is marked as fitted; give at least one reported stock")
    problems += [
        (
            f"report '{r.id}' ({r.date}) lies outside the months {case.months[0]} to {case.months[-1]}; begin "
            "earlier or run longer"
        )
        for r in used
        if not case.months[0] <= r.month <= case.months[-1]
    ]
    problems += [
        f"report '{r.id}' is a flow of the first month, which nothing precedes; begin earlier"
        for r in used
        if r.kind == "flow" and r.month == case.months[0]
    ]
    problems += [
        f"report '{r.id}': low {r.low_usd_bn:g} is above high {r.high_usd_bn:g}; swap them"
        for r in used
        if r.low_usd_bn > r.high_usd_bn
    ]
    problems += [
        f"prior of {p.parameter}: {p.low:g} to {p.high:g} is no range; expected low below high"
        for p in boxes
        if not p.low < p.high
    ]
    expected = {prior.parameter for prior in priors()}
    given = {prior.parameter for prior in boxes}
    problems += [f"prior of {name} is missing" for name in sorted(expected - given)]
    problems += [
        f"prior of unknown number '{name}'; known: {', '.join(sorted(expected))}" for name in sorted(given - expected)
    ]
    if draws < 20:
        problems.append(f"draws is {draws}; expected at least 20")
    if max_steps < 1:
        problems.append(f"max_steps is {max_steps}; expected at least 1")
    if not tolerance >= 0:
        problems.append(f"tolerance_usd_bn is {tolerance:g}; expected zero or more")
    return problems


def _table(ranges: Sequence[Prior], place: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({prior.parameter: prior.value(place[:, k]) for k, prior in enumerate(ranges)})


def _one_in(part: float) -> str:
    digits = int(np.floor(np.log10(1 / part))) if 0 < part < 1 else 0
    return f"one in {round(1 / part, -digits + 1):,.0f}" if digits else "every one of the"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
