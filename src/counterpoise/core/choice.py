"""Which model answers a question: technology, scale economies and labour, named once for file, command line and Python.

What the deficits do (`closure`) and how far trade elasticities have grown (`horizon_years`) are named beside it, since
every model takes them. A choice is data: `counterpoise.core.reduction` shapes a World by it, and
`counterpoise.solver.solve` takes it as ``model=``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from counterpoise.core.errors import InputError, did_you_mean, raise_all

__all__ = ["TECHNOLOGIES", "ModelChoice", "Rebate", "choice_named", "choice_problems", "closure_problem"]

Rebate = Literal["lump_sum", "income_tax_relief"]

TECHNOLOGIES: Mapping[str, str] = {
    "input_output": "many sectors with the input-output links of the world: the default",
    "multi_sector": "many sectors without intermediate inputs",
    "one_sector": "one sector (Armington, Eaton and Kortum)",
    "fixed_varieties": "many sectors, fixed varieties with profits (Ossa 2014); tariffs alone",
    "distribution_margin": "one sector with a local-distribution margin (Ignatenko et al. 2025); tariffs alone",
}
"""Technologies by name, with what they are."""

_ONE_SECTOR = ("one_sector", "distribution_margin")
_TARIFFS_ALONE = ("fixed_varieties", "distribution_margin")
_CLOSURES = {"fixed_varieties": ("fixed_nominal", "zero"), "distribution_margin": ("fixed_world_share",)}
"""Closures of the technologies that do not take all."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model by its parts.

    Attributes
    ----------
    technology
        A name of `TECHNOLOGIES`.
    trade_elasticity
        Of the one sector; by default the mean of the world's, weighted with foreign trade at customs value.
    scale_strength
        Scale elasticity times trade elasticity, 0 to 1, in every sector: 1 is Krugman (1980), 0 constant returns.
    scale_elasticity
        Scale elasticity itself, by sector or one number for all, instead of ``scale_strength``.
    value_added_share
        Of the one sector: what producers do not spend on inputs, above 0 and up to 1.
    margin_rate
        Share of spending before duty that stays with distributors at home: one number, or by country (others 0).
    labour_supply_elasticity, rebate
        How labour follows its after-tax real wage, and what tariff revenue pays for, as in
        `counterpoise.model.ElasticLabour`.
    labour_mobility
        1 ties labour to its sector, infinity (default) lets it move, as in `counterpoise.model.SectorLabour`.

    Raises
    ------
    InputError
        If parts are out of range or do not go together; every problem is listed.
    """

    technology: str = "input_output"
    trade_elasticity: float | None = None
    scale_strength: float | None = None
    scale_elasticity: float | Mapping[str, float] | None = None
    value_added_share: float | None = None
    margin_rate: float | Mapping[str, float] | None = None
    labour_supply_elasticity: float = 0.0
    rebate: Rebate = "lump_sum"
    labour_mobility: float = math.inf

    def __post_init__(self) -> None:
        """Check everything at once."""
        given = {name: getattr(self, name) for name in self.__slots__}
        raise_all(
            InputError,
            "the model cannot be used",
            [f"{'.'.join(key)}: {words}" for key, words in choice_problems(given)],
        )

    @property
    def one_sector(self) -> bool:
        """True where all sectors are added up."""
        return self.technology in _ONE_SECTOR

    @property
    def tariffs_alone(self) -> bool:
        """True for the two published models that know no other instrument."""
        return self.technology in _TARIFFS_ALONE

    @property
    def is_default(self) -> bool:
        """True where nothing is chosen."""
        return self == ModelChoice()

    @property
    def beyond_world(self) -> ModelChoice:
        """What is left to do for a world that `counterpoise.core.reduction.shaped_world` has shaped already."""
        return self if self.one_sector else replace(self, scale_strength=None, scale_elasticity=None)

    def require_levers(self, what: str) -> None:
        """Refuse a technology that cannot hold what levers move.

        Parameters
        ----------
        what
            The command or function, in words.

        Raises
        ------
        InputError
            If the technology adds up all sectors or knows tariffs alone.
        """
        if self.one_sector or self.tariffs_alone:
            fits = ", ".join(name for name in TECHNOLOGIES if name not in (*_ONE_SECTOR, *_TARIFFS_ALONE))
            why = "adds up all sectors" if self.one_sector else "knows tariffs alone"
            raise InputError(
                f"{what} moves purchases, obstacles and duties of single sectors, and technology '{self.technology}' "
                f"{why}; set model.technology to one of {fits}, or solve it with 'counterpoise simulate'"
            )

    def words(self) -> str:
        """Say the model in one line."""
        parts = [TECHNOLOGIES[self.technology].partition(":")[0]]
        if self.trade_elasticity is not None:
            parts.append(f"trade elasticity {self.trade_elasticity:g}")
        if self.scale_strength:
            parts.append(f"scale economies with scale x trade elasticity = {self.scale_strength:g}")
        if self.scale_elasticity is not None:
            parts.append(f"scale elasticity {_said(self.scale_elasticity)}")
        if self.value_added_share is not None:
            parts.append(f"value added {self.value_added_share:g} of output")
        if self.margin_rate is not None:
            parts.append(f"margin {_said(self.margin_rate)}")
        if self.labour_supply_elasticity:
            what = "pays relief of the tax on labour" if self.rebate == "income_tax_relief" else "is paid out lump sum"
            parts.append(f"labour supply elasticity {self.labour_supply_elasticity:g}, tariff revenue {what}")
        if not math.isinf(self.labour_mobility):
            parts.append(f"labour tied to its sector (mobility {self.labour_mobility:g})")
        return "; ".join(parts)


def choice_named(model: ModelChoice | str | None) -> ModelChoice:
    """Return the choice of a technology's name, the instance itself, or the default; InputError for another name."""
    return model if isinstance(model, ModelChoice) else ModelChoice() if model is None else ModelChoice(model)


def closure_problem(technology: str, closure: str) -> str | None:
    """Say what is wrong with the name of a closure under a technology; None where it fits."""
    fitting = _CLOSURES.get(technology)
    if fitting is None or closure in fitting:
        return None
    return f"'{closure}' does not go with technology '{technology}'; give {' or '.join(fitting)}"


def choice_problems(given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (key, words) for all that is wrong with the parts of a choice; values of a wrong type are passed over.

    Parameters
    ----------
    given
        Parts by name, as in `ModelChoice`; None counts as left out.
    """
    set_keys = {k: v for k, v in given.items() if v is not None}
    technology = set_keys.get("technology", "input_output")
    if technology not in TECHNOLOGIES:
        if isinstance(technology, str):
            hint = did_you_mean(technology, TECHNOLOGIES) or ";"
            yield ("technology",), f"unknown technology '{technology}'{hint} Known: {', '.join(TECHNOLOGIES)}"
    else:
        yield from _misplaced(str(technology), set_keys)
    if "scale_strength" in set_keys and "scale_elasticity" in set_keys:
        yield ("scale_strength",), "given beside scale_elasticity; keep one"
    if set_keys.get("rebate", "lump_sum") == "income_tax_relief" and not set_keys.get("labour_supply_elasticity"):
        yield ("rebate",), "income_tax_relief needs labour that answers; give labour_supply_elasticity, as 0.5"
    if set_keys.get("rebate", "lump_sum") not in ("lump_sum", "income_tax_relief"):
        yield ("rebate",), f"unknown rebate '{set_keys['rebate']}'; expected lump_sum or income_tax_relief"
    for name, least, most, strict, rule in _RANGES:
        for key, value in _numbers(name, set_keys.get(name)):
            low = value > least if strict else value >= least
            fine = low and (value < most if name == "margin_rate" else value <= most)
            if not fine:
                yield key, f"{value:g} is out of range; expected {rule}"


_RANGES = (
    ("trade_elasticity", 0.0, 100.0, True, "more than 0, at most 100"),
    ("scale_strength", 0.0, 1.0, False, "0 (constant returns) to 1 (Krugman)"),
    ("scale_elasticity", 0.0, 100.0, False, "0 or more"),
    ("value_added_share", 0.0, 1.0, True, "more than 0, at most 1"),
    ("margin_rate", 0.0, 1.0, False, "0 or more, below 1"),
    ("labour_supply_elasticity", 0.0, 100.0, False, "0 or more"),
    ("labour_mobility", 1.0, math.inf, False, "1 (no one changes sector) or more"),
)
"""Name, least and largest value, whether the least is excluded, and the rule in words."""


def _misplaced(technology: str, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find parts that a technology does not have, and what it needs."""
    one = technology in _ONE_SECTOR
    if not one:
        for name, instead in (
            ("trade_elasticity", "; give [trade_elasticity] by sector"),
            ("value_added_share", ""),
        ):
            if name in given:
                yield (name,), f"is of one sector, and technology '{technology}' has many{instead}"
    if one and isinstance(given.get("scale_elasticity"), Mapping):
        yield ("scale_elasticity",), f"is given by sector, and technology '{technology}' has one; give one number"
    if technology == "distribution_margin" and "margin_rate" not in given:
        yield ("margin_rate",), "is missing; technology 'distribution_margin' needs it, as 0.3 or { USA = 0.5 }"
    if technology != "distribution_margin" and "margin_rate" in given:
        yield ("margin_rate",), f"belongs to technology 'distribution_margin', not '{technology}'"
    if technology == "fixed_varieties":
        for name in ("scale_strength", "scale_elasticity", "labour_supply_elasticity"):
            if given.get(name):
                yield (name,), "has no place in technology 'fixed_varieties', where varieties and labour are fixed"
    if (one or technology == "fixed_varieties") and _finite(given.get("labour_mobility")):
        yield (
            ("labour_mobility",),
            f"has no place in technology '{technology}'; expected multi_sector or input_output",
        )


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _numbers(name: str, value: object) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the numbers of a part that is one number or a table of them."""
    if isinstance(value, Mapping):
        for label, number in cast("Mapping[str, object]", value).items():
            yield from (((name, label), number) for _, number in _numbers(name, number))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield (name,), float(value)


def _said(value: float | Mapping[str, float]) -> str:
    """Write one number, or numbers by label."""
    if isinstance(value, Mapping):
        return ", ".join(f"{label} {number:g}" for label, number in value.items())
    return f"{value:g}"
