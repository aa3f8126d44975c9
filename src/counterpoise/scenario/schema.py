"""The scenario file as types: what may stand in it, what each key means, and its JSON Schema.

Only structure lives here. What the types cannot say - unknown countries, dates in the wrong order, duplicate names - is
checked in `counterpoise.scenario.problems`, together with these types, so that one message names every mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag

from counterpoise.core.choice import ModelChoice

__all__ = [
    "CLOSURES",
    "HS_PATTERN",
    "MAX_RATE",
    "AnyMeasure",
    "Demand",
    "Embargo",
    "ExemptionList",
    "ExportTax",
    "Labour",
    "Lever",
    "LeverCost",
    "Measure",
    "Milestone",
    "Model",
    "Obstacle",
    "Opening",
    "Pair",
    "PartialExemption",
    "Productivity",
    "Purchase",
    "Quota",
    "Range",
    "RateRow",
    "Scenario",
    "Target",
    "Tariff",
    "json_schema",
]

CLOSURES = ("fixed_world_share", "zero", "fixed_nominal")
"""Names of the deficit closures a scenario may ask for."""

MAX_RATE = 10.0
"""Largest rate that is taken for a rate and not for a slip: 10 is 1000 %."""

HS_PATTERN = r"^(all|\d{2}(-\d{2})?|\d{4}(-\d{4})?|\d{6}(-\d{6})?)$"
"""An HS chapter, heading or subheading, or a range of one of them; or ``all`` goods."""

SLUG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Names of scenarios and measures: they become parts of file names and of dotted keys."""

Case = Literal["low", "central", "high"]


def _one_or_more(value: object) -> object:
    """Let one name stand for a list of one."""
    return [value] if isinstance(value, str) else value


def _number_or_range(value: object) -> object:
    """Let one number stand for a range without bounds."""
    return {"central": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _number_or_table(value: object) -> str:
    """Say which of the two a value was meant to be."""
    return "table" if isinstance(value, Mapping) else "number"


Name = Annotated[str, Field(strict=True, min_length=1)]
Slug = Annotated[str, Field(strict=True, pattern=SLUG_PATTERN)]
Code = Annotated[str, Field(strict=True, pattern=HS_PATTERN)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[Name, ...])]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[Code, ...])]
Day = Annotated[date, Field(strict=True)]
Rate = Annotated[float, Field(strict=True, gt=-1.0, le=MAX_RATE, allow_inf_nan=False)]
Level = Annotated[float, Field(strict=True, ge=0.0, le=MAX_RATE, allow_inf_nan=False)]
Factor = Annotated[float, Field(strict=True, gt=0.0, le=10.0, allow_inf_nan=False)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NumberOrTable = Annotated[
    Annotated[Number, Tag("number")] | Annotated[dict[str, Number], Tag("table")], Discriminator(_number_or_table)
]
Portion = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """A number with its bounds; a bare number in the file is a central value whose bounds are the same."""

    central: Level = Field(description="Best value; 0.045 is 4.5 %.")
    low: Level | None = Field(default=None, description="Low value; the central one where it is left out.")
    high: Level | None = Field(default=None, description="High value; the central one where it is left out.")

    def at(self, case: Case) -> float:
        """Return the value of a case; a bound that was left out is the central value."""
        value = {"low": self.low, "central": self.central, "high": self.high}[case]
        return self.central if value is None else value


Bounded = Annotated[Range, BeforeValidator(_number_or_range, json_schema_input_type=float | Range)]


class RateRow(_Part):
    """One row of a duty schedule: a rate for an HS code, or for a whole sector."""

    rate: Rate = Field(description="Ad valorem rate; 0.5 is 50 %.")
    hs: Code | None = Field(
        default=None, description="HS code or range, as a string.", examples=["61", "0306", "72-76"]
    )
    sector: Name | None = Field(default=None, description="Sector of the world, instead of an HS code.")


class PartialExemption(_Part):
    """A code of which the measure reaches only a part, because the legal list is finer than six digits."""

    hs: Code = Field(description="HS code or range, as a string.")
    reached_share: Portion = Field(description="Share of the trade under the code that the measure reaches, 0 to 1.")


class ExemptionList(_Part):
    """A list of products that measures refer to by name with ``exempt``."""

    title: str = Field(default="", description="What the list is.")
    source: str = Field(default="", description="Where the list comes from.")
    hs: Codes = Field(default=(), description="Codes that are exempt altogether.")
    partial: tuple[PartialExemption, ...] = Field(default=(), description="Codes that are exempt in part.")
    valid_from: Day | None = Field(default=None, description="First day of the exemption (included).")
    valid_until: Day | None = Field(default=None, description="First day without it (excluded).")


class _MeasureBase(_Part):
    id: Slug = Field(
        description="Name within the scenario; `--set measure.<id>.<key>=value` and `extends` refer to it."
    )
    title: str = Field(default="", description="One line for people.")
    source: str = Field(default="", description="Where the numbers come from; 'own assumption' is an answer.")
    confidence: Literal["high", "medium", "low", "assumption"] = Field(
        default="medium", description="How far to trust it."
    )
    group: str | None = Field(
        default=None, description="Measures that are solved together or apart; the kind by default."
    )
    note: str = Field(default="", description="What a reader must know beside the numbers.")
    enabled: StrictBool = Field(default=True, description="False leaves the measure out.")
    valid_from: Day | None = Field(default=None, description="First day in force (included); none: always was.")
    valid_until: Day | None = Field(
        default=None, description="First day no longer in force (excluded); none: for good."
    )

    @property
    def group_name(self) -> str:
        """Group of the measure: what it says, else its kind."""
        kind: str = getattr(self, "kind", "")
        return self.group or kind

    def in_force(self, on: date) -> bool:
        """Say whether the measure is in force on a day: ``valid_from`` is included, ``valid_until`` is not."""
        after = self.valid_from is None or on >= self.valid_from
        return self.enabled and after and (self.valid_until is None or on < self.valid_until)


class _Selecting(_MeasureBase):
    products: Codes | None = Field(
        default=None,
        description="HS codes as strings of 2, 4 or 6 digits, ranges of them, or 'all' goods.",
        examples=[["30", "0306", "72-76"], "all"],
    )
    sectors: Names | None = Field(default=None, description="Sectors of the world, or 'all'; instead of products.")
    except_: Codes = Field(default=(), alias="except", description="HS codes that are left out.")
    exempt: Names = Field(default=(), description="Names of exemption lists of this scenario that are left out, too.")


class Tariff(_Selecting):
    """A duty that the destinations put on goods from the origins."""

    kind: Literal["tariff"]
    origins: Names = Field(description="Countries whose goods pay, or 'all'.", examples=["IND", ["IND", "BRA"]])
    destinations: Names = Field(description="Countries that levy it, or 'all'.", examples=["USA"])
    rate: Rate | None = Field(default=None, description="Ad valorem rate for the whole selection; 0.5 is 50 %.")
    rates: tuple[RateRow, ...] = Field(default=(), description="Rates by HS code or sector; the longest prefix wins.")
    mode: Literal["add", "set", "replace_added"] = Field(
        default="add",
        description="add: on top of the duty as it stands; set: the whole duty; replace_added: instead of what earlier "
        "measures added on the same goods (duties that do not stack).",
    )


class Obstacle(_Selecting):
    """A friction of trade as an ad valorem equivalent (an iceberg cost, paid to nobody)."""

    kind: Literal["obstacle"]
    origins: Names = Field(description="Countries whose goods meet it, or 'all'.")
    destinations: Names = Field(description="Countries where they go, or 'all'.")
    ave: Bounded = Field(description="Ad valorem equivalent, as a number or {low, central, high}; 0.045 is 4.5 %.")
    removed: StrictBool = Field(default=False, description="True takes an obstacle of the baseline away.")
    removal_share: Portion = Field(default=1.0, description="How much of it is taken away, 0 to 1.")
    added: StrictBool = Field(default=False, description="True puts a new obstacle in the way.")
    nature: Literal["iceberg", "non_tariff"] = Field(
        default="iceberg", description="iceberg: transport, payments, finance; non_tariff: rules, checks and papers."
    )


class Purchase(_Selecting):
    """A purchase programme: the buyer's budget pays a share of the duty-paid price."""

    kind: Literal["purchase"]
    buyer: Name = Field(description="Country whose budget pays.", examples=["RUS"])
    seller: Name = Field(description="Country whose goods are bought.", examples=["IND"])
    subsidy_rate: Bounded = Field(
        description="Share of the duty-paid price, below 1, as a number or {low, central, high}."
    )


class Embargo(_Selecting):
    """Trade that stops altogether: the flow becomes exactly zero. It must cover whole sectors."""

    kind: Literal["embargo"]
    origins: Names = Field(description="Countries whose goods no longer go, or 'all'.")
    destinations: Names = Field(description="Countries that no longer take them, or 'all'.")


class ExportTax(_Selecting):
    """A tax that the origins put on what they sell to the destinations, or a subsidy from their budgets."""

    kind: Literal["export_tax"]
    origins: Names = Field(description="Countries that levy it, or 'all'.", examples=["RUS"])
    destinations: Names = Field(description="Countries where the goods go, or 'all'.")
    rate: Rate = Field(description="Share of the producer's price; 0.1 is 10 %, -0.1 an export subsidy of 10 %.")


class Quota(_Selecting):
    """A limit on volume: where it binds the price of a line rises until it is met. It covers whole sectors."""

    kind: Literal["quota"]
    origins: Names = Field(description="Countries whose goods are limited, or 'all'.")
    destinations: Names = Field(description="Countries where they go, or 'all'.")
    limit_share: Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)] | None = Field(
        default=None, description="Limit of each sector of each pair over its base-year trade; 0.8 takes a fifth away."
    )
    limit_usd: Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Limit of the one sector of the one pair that is meant, USD a year at base-year producer prices.",
    )
    exporter_share: Portion = Field(
        default=0.0,
        description="Part of the rents that licence holders in the origin earn; the rest stays with buyers.",
    )


class Opening(_MeasureBase):
    """A line that is zero in the base year is opened: a potential, and what reaching it costs."""

    kind: Literal["opening"]
    origin: Name = Field(description="Country that sells.", examples=["IND"])
    destination: Name = Field(description="Country that buys.", examples=["RUS"])
    sector: Name = Field(description="Sector of the world; the origin makes it and the destination buys it today.")
    potential_usd: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] = Field(
        description="What the line would sell at base-year prices, USD a year at customs value."
    )
    cost: Level = Field(
        default=0.0, description="Ad valorem cost above the one at which the potential is reached; 0.1 is 10 %."
    )


class Labour(_MeasureBase):
    """A change of labour supply."""

    kind: Literal["labour"]
    countries: Names = Field(description="Countries, or 'all'.")
    factor: Factor = Field(description="Counterfactual over baseline labour; 0.98 is 2 % less.")


class Demand(_MeasureBase):
    """A change of tastes: final spending moves to or from sectors, whatever prices do."""

    kind: Literal["demand"]
    countries: Names = Field(description="Countries, or 'all'.")
    sectors: Names = Field(description="Sectors, or 'all'.")
    factor: Factor = Field(
        description="Multiplies the sectors' shares of final spending, which then add up to 1 again."
    )


class Productivity(_MeasureBase):
    """A change of productivity."""

    kind: Literal["productivity"]
    countries: Names = Field(description="Countries, or 'all'.")
    sectors: Names = Field(description="Sectors, or 'all'.")
    factor: Factor = Field(description="Counterfactual over baseline productivity; 1.02 is 2 % more.")


AnyMeasure = Tariff | ExportTax | Obstacle | Purchase | Quota | Embargo | Opening | Productivity | Labour | Demand
Measure = Annotated[AnyMeasure, Field(discriminator="kind")]


class Pair(_Part):
    """The two countries whose gap is the subject: what origin sells to destination minus what it buys from it."""

    origin: Name
    destination: Name


class LeverCost(_Part):
    """USD a year that a lever costs at a value v beside what the model counts: linear v + quadratic v^2 / 2."""

    linear_usd: Annotated[float, Field(strict=True, allow_inf_nan=False)] = Field(
        default=0.0, description="USD a year per unit of the lever."
    )
    quadratic_usd: Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)] = Field(
        default=0.0, description="Rise of the marginal cost per unit of the lever, USD a year."
    )
    low_factor: Portion = Field(default=1.0, description="The curve at its low bound over the central one, 0 to 1.")
    high_factor: Annotated[float, Field(strict=True, ge=1.0, allow_inf_nan=False)] = Field(
        default=1.0, description="The curve at its high bound over the central one, 1 or more."
    )
    source: str = Field(default="own assumption", description="Where the numbers come from.")


class Lever(_Part):
    """Something that `counterpoise close` may move between bounds, beside what the measures of the pair give."""

    id: Slug = Field(description="Name within the scenario, in results.")
    kind: Literal[
        "tariff_cut", "purchase", "obstacle_removal", "export_support", "opened_line", "restraint", "fund"
    ] = Field(
        description="tariff_cut, obstacle_removal, opened_line: value is the share taken away or opened, 0 to 1; "
        "purchase, export_support: share of the price that a budget pays, below 1; restraint: ad valorem equivalent; "
        "fund: USD a year."
    )
    title: str = Field(default="", description="One line for people.")
    source: str = Field(default="own assumption", description="Where bounds and cost come from.")
    origin: Name | None = Field(default=None, description="Country that sells; for a fund, where productivity rises.")
    destination: Name | None = Field(default=None, description="Country that buys; a fund has none.")
    payer: Name | None = Field(
        default=None, description="Whose budget pays: the destination by default, the origin of support and funds."
    )
    sectors: Names = Field(description="Sectors of the world that it reaches.")
    lower: Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)] = Field(
        default=0.0, description="Least value."
    )
    upper: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] | None = Field(
        default=None, description="Largest value; must be given."
    )
    ave: Level | None = Field(
        default=None, description="Of an obstacle: ad valorem equivalent as it stands; 0.045 is 4.5 %."
    )
    potential_usd: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] | None = Field(
        default=None, description="Of a line opened: USD a year in each sector at base-year prices."
    )
    gain: Annotated[float, Field(strict=True, gt=0.0, le=1.0, allow_inf_nan=False)] | None = Field(
        default=None, description="Of a fund: productivity gain that is never reached; 0.05 is 5 %."
    )
    scale_usd: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] | None = Field(
        default=None, description="Of a fund: USD a year that bring 63 % of the gain."
    )
    rent: Literal["lost", "kept"] = Field(
        default="lost", description="Of a restraint: lost, buyers pay more elsewhere; kept, it is a duty."
    )
    cost: LeverCost = Field(default=LeverCost(), description="Cost beside what the model counts.")
    available_from: Day | None = Field(default=None, description="Not before this day.")
    full_by: Day | None = Field(default=None, description="In full from this day on, evenly in between.")
    enabled: StrictBool = Field(default=True, description="False leaves the lever out.")


class Milestone(_Part):
    """A dated mark on the way, such as a summit."""

    day: Day = Field(description="When.")
    title: Name = Field(description="What.")
    source: str = Field(default="", description="Where the date comes from.")


class Target(_Part):
    """A published aim, as data beside the scenario."""

    turnover_usd: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] = Field(
        description="Trade of the pair in both directions, USD a year."
    )
    by: Day = Field(description="Day by which it is to be reached.")
    source: str = Field(default="", description="Who set it, when.")
    note: str = Field(default="", description="What it takes.")


class Model(_Part):
    """Which model answers: technology, scale economies and labour; `closure` and `horizon_years` stand beside it."""

    technology: Literal["input_output", "multi_sector", "one_sector", "fixed_varieties", "distribution_margin"] = Field(
        default="input_output",
        description="input_output: what the world holds; multi_sector: without intermediate inputs; one_sector: all "
        "sectors added up; fixed_varieties: with profits (Ossa 2014); distribution_margin: one sector, with a margin "
        "(Liberation Day). The last two take tariffs alone.",
    )
    trade_elasticity: Number | None = Field(
        default=None, description="Of the one sector; the trade-weighted mean of the world's by default."
    )
    scale_strength: Number | None = Field(
        default=None, description="Scale x trade elasticity in every sector, 0 to 1: 1 is Krugman (1980)."
    )
    scale_elasticity: NumberOrTable | None = Field(
        default=None, description="Scale elasticity, by sector or one for all, instead of scale_strength."
    )
    value_added_share: Number | None = Field(
        default=None, description="Of the one sector: what producers do not spend on inputs; 1 by default."
    )
    margin_rate: NumberOrTable | None = Field(
        default=None,
        description="Of a distribution_margin: share of spending that stays with distributors, for all or by country.",
        examples=[0.3, {"USA": 0.5}],
    )
    labour_supply_elasticity: Number = Field(
        default=0.0, description="By how many percent labour rises when its real wage after tax rises by 1 %."
    )
    rebate: Literal["lump_sum", "income_tax_relief"] = Field(
        default="lump_sum", description="What tariff revenue does where labour answers."
    )
    labour_mobility: Number | None = Field(
        default=None, description="1 ties labour to its sector; it moves freely where this is left out."
    )

    @property
    def choice(self) -> ModelChoice:
        """The same as a choice that the solver takes."""
        given = {k: v for k, v in self.model_dump().items() if v is not None}
        return ModelChoice(**given)


class Scenario(_Part):
    """A validated scenario: dated measures, the day on which they are looked at, and how to close the world."""

    format: Literal[1] = Field(alias="schema", description="Version of this file format.")
    name: Slug = Field(description="Short name without spaces.", examples=["valdai-2025"])
    title: str = Field(default="", description="One line for people.")
    description: str = Field(default="", description="What the scenario asks, and what it leaves out.")
    extends: Name | None = Field(
        default=None, description="Scenario this one starts from: a library name, or a path ending in .toml."
    )
    as_of: Day | None = Field(
        default=None, description="Day whose measures are in force; today's date is never assumed."
    )
    world: Name = Field(
        default="embedded2024", description="Name of a shipped world, or the path of a world file (Parquet)."
    )
    closure: Literal["fixed_world_share", "zero", "fixed_nominal"] = Field(
        default="fixed_world_share", description="What happens to aggregate deficits."
    )
    elasticities: Literal["fgo", "cp2015", "gtap"] = Field(
        default="fgo",
        description="Set of trade elasticities of the embedded world; a world of your own keeps its own by default.",
    )
    trade_elasticity: dict[str, Annotated[float, Field(strict=True, gt=0.0, le=100.0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="Trade elasticities by sector that replace those of the set.",
        examples=[{"crude_oil_gas": 10.0}],
    )
    horizon_years: Annotated[float, Field(strict=True, ge=1.0, le=100.0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Years since the change: trade elasticities as small as they are then, 1 being the first year; the "
        "long run by default.",
    )
    model: Model = Field(default=Model(), description="Which model answers; the world's own technology by default.")
    case: Case = Field(default="central", description="Which of low, central, high is used where a number has bounds.")
    pair: Pair | None = Field(default=None, description="The two countries whose gap is the subject.")
    target: Target | None = Field(default=None, description="A published aim that the results are held against.")
    lever: tuple[Lever, ...] = Field(
        default=(), description="What `counterpoise close` may move beside the measures of the pair."
    )
    milestone: tuple[Milestone, ...] = Field(default=(), description="Dated marks on the way.")
    exemptions: dict[str, ExemptionList] = Field(default_factory=dict, description="Named lists of exempt products.")
    measure: tuple[Measure, ...] = Field(default=(), description="What changes, each with its dates and source.")

    @property
    def choice(self) -> ModelChoice:
        """The model that answers, as `counterpoise.solver.solve` takes it."""
        return self.model.choice

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the measures in the order of the file."""
        return tuple(dict.fromkeys(m.group_name for m in self.measure))


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors and for checks outside this package.

    A file that ``extends`` another may hold entries under ``measure`` and ``lever`` that only name an ``id`` and what
    differs.
    """
    schema = Scenario.model_json_schema(by_alias=True)
    for name in ("measure", "lever"):
        change: dict[str, Any] = {
            "type": "object",
            "title": f"Change of an inherited {name}",
            "description": f"Names a {name} of the scenario that this one extends, and what differs.",
            "required": ["id"],
            "not": {"required": ["kind"]},
        }
        listed = schema["properties"][name]
        listed["items"] = {"anyOf": [listed["items"], change]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Counterpoise scenario"}


def hs_codes(entry: str) -> tuple[str, str] | None:
    """Return first and last code of an entry such as ``"30"`` or ``"72-76"``; None where it is no HS code."""
    if not re.fullmatch(HS_PATTERN, entry) or entry == "all":
        return None
    first, _, last = entry.partition("-")
    return first, last or first
