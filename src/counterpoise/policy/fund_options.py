"""What a technology fund may choose and assumes: lines, the response of productivity, risk, finance; its parameters.

The shipped numbers stand in ``parameters/fund.toml``, each with low, central and high, its source and how far it can
be trusted. Options list their own faults instead of raising, so that a caller is told all of them at once.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from counterpoise.core import World
from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.core.labels import index_of

__all__ = [
    "Finance",
    "FundCase",
    "FundLine",
    "FundParameter",
    "FundResponse",
    "FundRisk",
    "Precedent",
    "excluded_sectors",
    "fund_lines",
    "fund_parameters",
    "input_spillover",
    "precedents",
    "read_lines",
]

Numbers = NDArray[np.float64]
FundCase: TypeAlias = Literal["low", "central", "high"]


@dataclass(frozen=True, slots=True)
class FundParameter:
    """One assumption: what it is, its unit, low, central and high, its source and how far it can be trusted."""

    name: str
    what: str
    unit: str
    low: float
    central: float
    high: float
    source: str
    confidence: str

    def at(self, case: FundCase) -> float:
        """Return the value of a case."""
        return {"low": self.low, "central": self.central, "high": self.high}[case]


@dataclass(frozen=True, slots=True)
class Precedent:
    """How large a comparable sum has been: USD, when, what it was, and the source."""

    name: str
    year: str
    usd: float
    what: str
    source: str
    confidence: str


@cache
def _shipped() -> Mapping[str, Any]:
    text = resources.files("counterpoise.policy").joinpath("parameters", "fund.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


@cache
def fund_parameters() -> Mapping[str, FundParameter]:
    """Return the shipped assumptions by name."""
    return MappingProxyType({name: FundParameter(name, **row) for name, row in _shipped()["parameter"].items()})


@cache
def precedents() -> tuple[Precedent, ...]:
    """Return what comparable funds and balances have amounted to."""
    return tuple(Precedent(**row) for row in _shipped()["precedent"])


def excluded_sectors() -> tuple[tuple[str, ...], str]:
    """Return the sectors no fund pays for unless they are named, and why."""
    return tuple(_shipped()["excluded"]["sectors"]), str(_shipped()["excluded"]["reason"])


@dataclass(frozen=True, slots=True)
class FundLine:
    """Something money can be put into: a sector of a country, or a project in it.

    Attributes
    ----------
    country, sector
        Labels of the world; several lines may share a sector.
    minimum_usd
        A line gets nothing or at least this much; 0 makes it divisible.
    maximum_usd
        What it can take at most.
    name
        Of a project; the sector's by default.
    """

    country: str
    sector: str
    minimum_usd: float = 0.0
    maximum_usd: float = math.inf
    name: str = ""

    @property
    def label(self) -> str:
        """Return what the line is called."""
        return self.name or f"{self.country} {self.sector}"

    def problems(self, world: World, pair: Sequence[str], response: FundResponse) -> Iterator[str]:
        """Yield what is wrong with the line."""
        if self.country not in pair:
            yield (
                f"line '{self.label}': the country is '{self.country}'{did_you_mean(self.country, pair)} Expected "
                + f"one of the partners, {' or '.join(pair)}"
            )
        if self.sector not in world.sectors:
            yield f"line '{self.label}': unknown sector '{self.sector}'{did_you_mean(self.sector, world.sectors)}"
        elif self.sector not in response.scale_rate:
            yield (
                f"line '{self.label}': the response has no scale_rate for '{self.sector}'; give "
                f"FundResponse(scale_rate={{'{self.sector}': ...}})"
            )
        elif self.country in world.countries and not _output(world, self.country, self.sector) > 0:
            yield f"line '{self.label}': {self.country} produces nothing there; leave the line out"
        if not (0 <= self.minimum_usd < math.inf):
            yield f"line '{self.label}': minimum_usd = {self.minimum_usd:g}; expected 0 or more"
        if not self.maximum_usd > 0 or self.maximum_usd < self.minimum_usd:
            yield (
                f"line '{self.label}': maximum_usd = {self.maximum_usd:g}; expected more than 0 and at least "
                f"minimum_usd = {self.minimum_usd:g}"
            )


def _output(world: World, country: str, sector: str) -> float:
    return float(world.gross_output.sel(country=country, sector=sector))


@dataclass(frozen=True, slots=True, eq=False)
class FundResponse:
    """How money becomes productivity.

    ``log A = return_rate * scale_rate * log(1 + e / (scale_rate * gross_output))``, with ``e`` the USD of knowledge
    that reach the sector. The first USD saves ``return_rate`` USD of cost a year in every sector alike; how soon the
    return fades is the sector's own research: ``scale_rate``, as a share of gross output.

    Attributes
    ----------
    return_rate
        1/year, at the first USD.
    scale_rate
        Sector to the scale of diminishing returns over gross output, unit 1.
    input_spillover
        Strength of the default spillover to domestic buyers, see `input_spillover`.
    partner_spillover
        Part of each USD that also works in the same sector of the partner, 0 to 1.
    spillover
        (2, S, S) on (partner, sector paid, sector reached) in place of the default; its diagonal is not used.
    """

    return_rate: float
    scale_rate: Mapping[str, float]
    input_spillover: float = 0.0
    partner_spillover: float = 0.0
    spillover: Numbers | None = field(default=None, repr=False)

    @classmethod
    def shipped(cls, case: FundCase = "central") -> FundResponse:
        """Return the shipped assumptions of a case."""
        numbers = fund_parameters()
        scale = numbers["programme_years"].at(case) * numbers["local_intensity"].at(case)
        return cls(
            return_rate=numbers["return_rate"].at(case),
            scale_rate=MappingProxyType(
                {sector: scale * float(row["value"]) for sector, row in _shipped()["research_intensity"].items()}
            ),
            input_spillover=numbers["input_spillover"].at(case),
            partner_spillover=numbers["partner_spillover"].at(case),
        )

    def problems(self, world: World) -> Iterator[str]:
        """Yield what is wrong with the response."""
        if not 0 < self.return_rate < 10:
            yield f"return_rate = {self.return_rate:g}; expected more than 0 and less than 10 a year"
        for sector, rate in self.scale_rate.items():
            if not 0 < rate < math.inf:
                yield f"scale_rate of {sector} = {rate:g}; expected more than 0"
        if not 0 <= self.input_spillover < math.inf:
            yield f"input_spillover = {self.input_spillover:g}; expected 0 or more"
        if not 0 <= self.partner_spillover <= 1:
            yield f"partner_spillover = {self.partner_spillover:g}; expected 0 to 1"
        if self.spillover is not None:
            shape, size = np.shape(self.spillover), len(world.sectors)
            if shape != (2, size, size):
                yield f"spillover has shape {shape}, expected {(2, size, size)}: partner, sector paid, sector reached"
            elif not np.all(np.isfinite(self.spillover)) or np.any(self.spillover < 0):
                yield "spillover holds values that are negative or no numbers; expected 0 or more"


def input_spillover(world: World, countries: Sequence[str], strength: float) -> Numbers:
    r"""Return the default spillovers: knowledge goes where the sector's output goes.

    Parameters
    ----------
    world
        Supplies the input-output coefficients.
    countries
        The partners.
    strength
        Knowledge that arrives, over the share of output that is bought.

    Returns
    -------
    (2, S, S) on (partner, sector paid, sector reached), unit 1, diagonal 0.

    Notes
    -----
    strength * lambda_iis * gamma_isr * Y_ir / Y_is: the share of output of s that buyers r at home use as an input,
    with lambda = expenditure_share, gamma = io_coefficient, Y = gross_output.
    """
    output = world.gross_output.to_numpy()
    out = np.zeros((len(countries), len(world.sectors), len(world.sectors)))
    for k, country in enumerate(countries):
        i = index_of(world.countries, country, "country")
        own = world.expenditure_share.to_numpy()[i, i]
        made = output[i]
        sold = own[:, None] * world.io_coefficient.to_numpy()[i] * made[None, :]
        out[k] = strength * np.divide(sold, made[:, None], out=np.zeros_like(sold), where=made[:, None] > 0)
        np.fill_diagonal(out[k], 0.0)
    return out


def fund_lines(
    world: World,
    pair: Sequence[str],
    *,
    countries: Sequence[str] | None = None,
    sectors: Sequence[str] | None = None,
    include: Sequence[str] = (),
    minimum_usd: float = 0.0,
) -> tuple[FundLine, ...]:
    """Return one line for each goods sector of each partner that produces, without the excluded sectors.

    Parameters
    ----------
    world, pair
        The world and the two partners.
    countries
        Only in these; both partners by default.
    sectors
        Only these; the goods of the shipped table by default. Named sectors are taken even where excluded.
    include
        Excluded sectors to take all the same.
    minimum_usd
        Of every line.

    Raises
    ------
    InputError
        If nothing is left, or a name is unknown.
    """
    table: Mapping[str, Any] = _shipped()["research_intensity"]
    excluded, _ = excluded_sectors()
    problems = [
        f"unknown sector '{name}'{did_you_mean(name, world.sectors)}"
        for name in (*(sectors or ()), *include)
        if name not in world.sectors
    ]
    wanted = (
        list(sectors)
        if sectors is not None
        else [s for s in world.sectors if s in table and table[s]["fundable"] and (s not in excluded or s in include)]
    )
    if not wanted:
        problems.append(
            "none of the world's sectors is in the shipped table; name sectors and give a FundResponse with their "
            "scale_rate"
        )
    raise_all(InputError, "no lines can be made", problems)
    return tuple(
        FundLine(country, sector, minimum_usd)
        for country in (pair if countries is None else countries)
        for sector in wanted
        if _output(world, country, sector) > 0
    )


@dataclass(frozen=True, slots=True)
class FundRisk:
    """How uncertain returns are, and which summary of the draws is made as large as possible.

    Each sector's return is multiplied by a log-normal factor whose mean over the draws is exactly one.

    Attributes
    ----------
    measure
        ``"mean"`` of the draws, or ``"low"``: the mean of the worst ``tail`` of them (conditional value at risk).
    tail
        Share of the draws in the low tail, between 0 and 1.
    draws
        Number of draws; 1 stands for no uncertainty.
    log_sd, common_share
        Standard deviation of the log, and the part of its variance common to all sectors.
    seed
        Of the generator.
    """

    measure: Literal["mean", "low"] = "mean"
    tail: float = 0.1
    draws: int = 100
    log_sd: float = 0.6
    common_share: float = 0.25
    seed: int = 0

    @classmethod
    def none(cls) -> FundRisk:
        """Return certainty: one draw, every factor one."""
        return cls(draws=1, log_sd=0.0)

    @classmethod
    def shipped(
        cls,
        measure: Literal["mean", "low"] = "mean",
        case: FundCase = "central",
        *,
        tail: float = 0.1,
        draws: int = 100,
        seed: int = 0,
    ) -> FundRisk:
        """Return the shipped spread of a case."""
        numbers = fund_parameters()
        return cls(measure, tail, draws, numbers["log_sd"].at(case), numbers["common_share"].at(case), seed)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong."""
        if self.measure not in ("mean", "low"):
            yield f"risk measure '{self.measure}'{did_you_mean(self.measure, ('mean', 'low'))} Expected mean or low"
        if not 0 < self.tail < 1:
            yield f"tail = {self.tail:g}; expected a share between 0 and 1, such as 0.1"
        if self.draws < 1:
            yield f"draws = {self.draws}; expected 1 or more"
        if self.measure == "low" and 0 < self.tail < 1 and self.draws * self.tail < 1:
            yield (
                f"draws = {self.draws} leave no draw in a tail of {self.tail:g}; take {math.ceil(1 / self.tail)} or"
                " more"
            )
        if not 0 <= self.log_sd <= 3:
            yield f"log_sd = {self.log_sd:g}; expected 0 to 3"
        if not 0 <= self.common_share <= 1:
            yield f"common_share = {self.common_share:g}; expected 0 to 1"

    def factors(self, cells: int) -> Numbers:
        """Return the factors by draw and cell (draws, cells), mean one over the draws in every cell."""
        rng = np.random.default_rng(self.seed)
        common, own = rng.standard_normal((self.draws, 1)), rng.standard_normal((self.draws, cells))
        raw = np.exp(self.log_sd * (math.sqrt(self.common_share) * common + math.sqrt(1.0 - self.common_share) * own))
        return raw / raw.mean(axis=0)


@dataclass(frozen=True, slots=True)
class Finance:
    """Who pays, and what the money costs a year.

    ``"budgets"``: both partners pay from taxes: interest and depreciation of each USD, times one plus the excess
    burden. ``"balance"``: the stuck balance of the partner that sells more pays, which can be spent only where it is
    stuck; its holder gives up interest and depreciation on what the balance would be worth when converted, and no tax
    is raised. Money is assumed to buy real resources worth its amount; whom it is paid to is not modelled.

    Attributes
    ----------
    source
        ``"budgets"`` or ``"balance"``.
    seller_share
        What the partner that sells more contributes under ``"budgets"``, 0 to 1.
    interest_rate, depreciation_rate
        1/year.
    excess_burden
        Of taxation, unit 1.
    conversion_loss_rate
        Part of the balance that its holder would lose by converting it.
    balance_usd
        How much is stuck.
    """

    source: Literal["budgets", "balance"] = "budgets"
    seller_share: float = 0.5
    interest_rate: float = 0.05
    depreciation_rate: float = 0.15
    excess_burden: float = 0.2
    conversion_loss_rate: float = 0.045
    balance_usd: float = 3.25e9

    @classmethod
    def shipped(cls, source: Literal["budgets", "balance"] = "budgets", case: FundCase = "central") -> Finance:
        """Return the shipped costs of a case."""
        names = ("interest_rate", "depreciation_rate", "excess_burden", "conversion_loss_rate", "balance_usd")
        return cls(source, **{name: fund_parameters()[name].at(case) for name in names})

    @property
    def annual_cost_rate(self) -> float:
        """Return what a USD in the fund costs the payers a year."""
        held = self.interest_rate + self.depreciation_rate
        factor = 1.0 + self.excess_burden if self.source == "budgets" else 1.0 - self.conversion_loss_rate
        return held * factor

    def cost_usd(self, spent_usd: float) -> tuple[float, float]:
        """Return the annual cost to the partner that sells more and to the one that buys more, USD."""
        total = self.annual_cost_rate * spent_usd
        part = self.seller_share if self.source == "budgets" else 1.0
        return part * total, (1.0 - part) * total

    def problems(self, budget_usd: float) -> Iterator[str]:
        """Yield what is wrong."""
        if self.source not in ("budgets", "balance"):
            near = did_you_mean(self.source, ("budgets", "balance"))
            yield f"finance source '{self.source}'{near} Expected budgets or balance"
        for name in ("seller_share", "interest_rate", "depreciation_rate", "conversion_loss_rate"):
            value = float(getattr(self, name))
            if not 0 <= value <= 1:
                yield f"{name} = {value:g}; expected 0 to 1"
        for name in ("excess_burden", "balance_usd"):
            value = float(getattr(self, name))
            if not 0 <= value < math.inf:
                yield f"{name} = {value:g}; expected 0 or more"
        if self.source == "balance" and budget_usd > self.balance_usd >= 0:
            yield (
                f"the balance holds {self.balance_usd:,.0f} USD, the budget is {budget_usd:,.0f}; lower the budget or "
                "pay from budgets"
            )


def read_lines(path: str | Path) -> tuple[FundLine, ...]:
    """Read lines and projects from a TOML file: a list of tables ``line``.

    Parameters
    ----------
    path
        Each table has ``country`` and ``sector``, and may have ``minimum_usd``, ``maximum_usd`` and ``name`` (several
        projects in one sector need different names).

    Raises
    ------
    InputError
        If the file cannot be read; every problem is listed.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"there is no file {source}; expected a TOML file with tables [[line]]")
    try:
        content: Mapping[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is no TOML: {error}") from None
    known = {f.name: f.type for f in fields(FundLine)}
    problems = [
        f"unknown key '{key}'{did_you_mean(key, ('line',)) or ';'} expected tables [[line]]"
        for key in content
        if key != "line"
    ]
    rows: Any = content.get("line", [])
    out: list[FundLine] = []
    if not isinstance(rows, list) or not rows:
        problems.append("there is no [[line]]; expected one table for each line or project")
        rows = []
    for k, row in enumerate(cast("list[Any]", rows), start=1):
        found = list(_line_problems(row, known))
        problems += [f"line {k}: {words}" for words in found]
        if not found:
            out.append(FundLine(**row))
    raise_all(InputError, f"{source.name} cannot be read", problems)
    return tuple(out)


def _line_problems(row: Any, known: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(row, dict):
        yield f"it is {row!r}; expected a table"
        return
    table = cast("dict[str, Any]", row)
    for key, value in table.items():
        if key not in known:
            yield f"unknown key '{key}'{did_you_mean(key, known) or ';'} known: {', '.join(known)}"
        elif key.endswith("_usd"):
            if isinstance(value, bool) or not isinstance(value, int | float):
                yield f"{key} is {value!r}; expected USD as a number"
        elif not isinstance(value, str):
            yield f"{key} is {value!r}; expected text"
    for key in ("country", "sector"):
        if key not in table:
            yield f"{key} is missing"
