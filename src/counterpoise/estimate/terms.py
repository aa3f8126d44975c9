"""From an estimated gravity equation to what a model takes: trade elasticities and trade costs, each with its error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from counterpoise.core.errors import InputError, did_you_mean, raise_all
from counterpoise.estimate.gravity import GravityEstimate, estimate_gravity

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Flows",
    "GravitySpec",
    "TradeCost",
    "TradeElasticity",
    "elasticity_table",
    "estimate_by",
    "gravity_scenario",
    "parse_spec",
    "trade_cost_of",
    "trade_elasticity_of",
]

Flows = Literal["customs", "inclusive"]
"""What the flows of a table are: at customs value, or with the duty in them."""

_NORMAL_975 = 1.959963984540054
_SPEC = re.compile(r"(?P<dependent>[^~|]+)~(?P<regressors>[^~|]+)(?:\|(?P<effects>[^~|]*))?")
_SLUG = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class GravitySpec:
    """What is regressed on what: columns of the table."""

    dependent: str
    regressors: tuple[str, ...]
    fixed_effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TradeElasticity:
    """A trade elasticity from the coefficient of the log tariff factor.

    Attributes
    ----------
    trade_elasticity
        Minus the elasticity of tariff-inclusive flows to trade costs; above 0 where it can be used.
    standard_error
        Of it, and of the coefficient: the two differ by a constant and a sign.
    coefficient
        Of ln(1 + tariff rate).
    """

    trade_elasticity: float
    standard_error: float
    coefficient: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        reach = _NORMAL_975 * self.standard_error
        return self.trade_elasticity - reach, self.trade_elasticity + reach


@dataclass(frozen=True, slots=True)
class TradeCost:
    """What one unit of a regressor adds to trade costs, as an ad valorem equivalent; below 0 where it saves.

    Attributes
    ----------
    regressor
        Column.
    ave, standard_error
        Equivalent of one unit more, 0.1 is 10 %; its error by the delta method, the elasticity taken as known.
    low, high
        The 95 % interval, from the coefficient's.
    trade_elasticity
        The elasticity it was computed with.
    """

    regressor: str
    ave: float
    standard_error: float
    low: float
    high: float
    trade_elasticity: float


def parse_spec(text: str) -> GravitySpec:
    """Read ``"trade ~ lndist + pta | exporter^year + importer^year + exporter^importer"``.

    Parameters
    ----------
    text
        Dependent column, ``~``, regressors, and after ``|`` the fixed effects; ``a^b`` are the effects of every
        combination of two columns. Without ``|`` exporter and importer; an empty part after it: none.

    Raises
    ------
    InputError
        If it is not of that form.

    Examples
    --------
    >>> parse_spec("trade ~ lndist + pta | exporter^year + importer^year").fixed_effects
    ('exporter^year', 'importer^year')
    """
    match = _SPEC.fullmatch(text.strip())
    parts = {name: _terms(match[name]) for name in ("dependent", "regressors", "effects")} if match else {}
    if match is None or len(parts["dependent"]) != 1 or not parts["regressors"] or "" in parts["regressors"]:
        raise InputError(
            f"the specification '{text}' cannot be read; expected 'FLOW ~ COLUMN + COLUMN | EFFECT + EFFECT', "
            "as 'trade ~ lndist + pta | exporter^year + importer^year + exporter^importer'"
        )
    effects = ("exporter", "importer") if match["effects"] is None else tuple(e for e in parts["effects"] if e)
    return GravitySpec(parts["dependent"][0], tuple(parts["regressors"]), effects)


def _terms(text: str | None) -> list[str]:
    return [re.sub(r"\s*\^\s*", "^", term.strip()) for term in (text or "").split("+")]


def estimate_by(
    table: pd.DataFrame, spec: GravitySpec, *, by: str | None = None, cluster: str | Sequence[str] = ()
) -> dict[str, GravityEstimate]:
    """Estimate the equation for the whole table (key ``""``), or apart for every value of a column.

    Raises
    ------
    InputError
        If the column is missing or has empty cells; and as `estimate_gravity`, with the value it happened at.
    """
    clusters = (cluster,) if isinstance(cluster, str) and cluster else tuple(cluster)
    asked = {
        "dependent": spec.dependent,
        "regressors": spec.regressors,
        "fixed_effects": spec.fixed_effects,
        "cluster": clusters,
    }
    if by is None:
        return {"": estimate_gravity(table, **asked)}  # pyright: ignore[reportArgumentType]
    if by not in table.columns:
        raise InputError(f"no column '{by}'{did_you_mean(by, [str(c) for c in table.columns])} to estimate by")
    if table[by].isna().any():
        raise InputError(f"column '{by}' has {int(table[by].isna().sum())} empty cells; fill or drop those rows first")
    found: dict[str, GravityEstimate] = {}
    problems: list[str] = []
    for value, part in table.groupby(by, sort=True):
        try:
            found[str(value)] = estimate_gravity(part, **asked)  # pyright: ignore[reportArgumentType]
        except InputError as error:
            problems += [f"{by} {value}: {problem}" for problem in error.problems]
    raise_all(InputError, "the gravity equation cannot be estimated", problems)
    return found


def trade_elasticity_of(estimate: GravityEstimate, tariff: str, *, flows: Flows) -> TradeElasticity:
    r"""Return the trade elasticity that the coefficient of the log tariff factor implies.

    Parameters
    ----------
    estimate
        The equation.
    tariff
        Regressor that is ln(1 + tariff rate).
    flows
        ``customs``: flows before duty; ``inclusive``: flows with the duty in them.

    Raises
    ------
    InputError
        If the regressor was left out as collinear or is unknown, or the elasticity is not above zero.

    Notes
    -----
    Tariff-inclusive flows move by (1 + t)^-theta, customs values by (1 + t)^-(theta + 1), since their buyer pays 1 + t
    for each dollar: theta = -b, or theta = -b - 1, with b the coefficient.
    """
    if tariff in estimate.omitted:
        raise InputError(
            f"'{tariff}' was left out: the fixed effects and the other regressors determine it, and no elasticity can "
            "be found; duties must differ over time within pairs, or over origins for one destination"
        )
    coefficient, error = estimate[tariff], estimate.error_of(tariff)
    theta = -coefficient - (1.0 if flows == "customs" else 0.0)
    if theta <= 0:
        raise InputError(
            f"the coefficient of '{tariff}' is {coefficient:.4f} (standard error {error:.4f}), which makes a trade "
            f"elasticity of {theta:.4f}; a model needs one above zero. Look at the data, or at --flows "
            f"(now {flows})"
        )
    return TradeElasticity(theta, error, coefficient)


def trade_cost_of(estimate: GravityEstimate, regressor: str, trade_elasticity: float) -> TradeCost:
    r"""Return what one unit of a regressor adds to trade costs.

    Raises
    ------
    InputError
        If the regressor is unknown or the elasticity is not above zero.

    Notes
    -----
    ave = exp(-b / theta) - 1, with b the coefficient, theta = trade_elasticity; its error is (1 + ave) se / theta.
    """
    if not (np.isfinite(trade_elasticity) and trade_elasticity > 0):
        raise InputError(f"the trade elasticity is {trade_elasticity}; expected a number above zero")
    coefficient, error = estimate[regressor], estimate.error_of(regressor)
    reach = _NORMAL_975 * error

    def equivalent(b: float) -> float:
        return float(np.exp(-b / trade_elasticity) - 1.0)

    ave = equivalent(coefficient)
    return TradeCost(
        regressor=regressor,
        ave=ave,
        standard_error=(1.0 + ave) * error / trade_elasticity,
        low=equivalent(coefficient + reach),
        high=equivalent(coefficient - reach),
        trade_elasticity=trade_elasticity,
    )


def elasticity_table(found: Mapping[str, TradeElasticity], sectors: Sequence[str]) -> pd.DataFrame:
    """Return elasticities as `counterpoise.data.load_world` takes them: sector, trade_elasticity, standard_error.

    Parameters
    ----------
    found
        By sector, or one under ``""`` that stands for every sector.
    sectors
        Sectors of the world, in its order; those without an estimate are left out.

    Raises
    ------
    InputError
        If an estimate is for no sector of the world.
    """
    import pandas as pd

    problems = [
        f"'{name}' is no sector{did_you_mean(name, sectors) or ';'} Known: {', '.join(sectors)}"
        for name in found
        if name and name not in sectors
    ]
    raise_all(InputError, "estimates and sectors do not match", problems)
    rows = [(s, found.get(s, found.get(""))) for s in sectors]
    return pd.DataFrame(
        [(s, e.trade_elasticity, e.standard_error) for s, e in rows if e is not None],
        columns=["sector", "trade_elasticity", "standard_error"],
    )


def gravity_scenario(
    elasticities: pd.DataFrame,
    costs: Sequence[TradeCost] = (),
    *,
    name: str,
    source: str,
    origin: str | None = None,
    destination: str | None = None,
    extends: str | None = None,
) -> str:
    """Return a scenario file, as TOML, that carries what was estimated.

    Parameters
    ----------
    elasticities
        From `elasticity_table`; empty where none was estimated.
    costs
        Trade costs to write as obstacles between ``origin`` and ``destination``. A regressor that saves costs is
        written as the obstacle of not having it, removed; one that adds costs as an obstacle that is added.
    name
        Name of the scenario.
    source
        What was estimated on what.
    origin, destination
        The pair of the costs.
    extends
        Scenario the file starts from.

    Raises
    ------
    InputError
        If costs come without a pair, or nothing is to be written.
    """
    if costs and (origin is None or destination is None):
        raise InputError("trade costs are written between two countries; give both, as --pair CAN:JPN")
    if elasticities.empty and not costs:
        raise InputError(
            "nothing was asked for that a scenario holds; give --tariff COLUMN, or --term COLUMN with --pair"
        )
    lines = ["schema = 1", f'name = "{_SLUG.sub("-", name).strip("-") or "gravity"}"', f'title = "{_quoted(source)}"']
    if extends is not None:
        lines.append(f'extends = "{_quoted(extends)}"')
    if not elasticities.empty:
        lines += ["", "# Standard errors stand beside each value.", "[trade_elasticity]"]
        lines += [
            f"{sector} = {float(value)!r} # {float(error):.6g}"
            for sector, value, error in elasticities[["sector", "trade_elasticity", "standard_error"]].itertuples(
                index=False
            )
        ]
    for cost in costs:
        saves = cost.ave < 0
        bounds = (cost.low, cost.ave, cost.high)
        low, central, high = sorted(1.0 / (1.0 + v) - 1.0 for v in bounds) if saves else bounds
        words = "not having" if saves else "having"
        if low < 0:
            lines += ["", f"# The 95 % interval of {cost.regressor} reaches beyond no cost at all; low is cut there."]
        lines += [
            "",
            "[[measure]]",
            f'id = "{_SLUG.sub("-", cost.regressor).strip("-")}"',
            'kind = "obstacle"',
            f'title = "The cost of {words} {_quoted(cost.regressor)}"',
            f'source = "{_quoted(source)}; trade elasticity {cost.trade_elasticity:.6g}"',
            f'origins = ["{origin}"]',
            f'destinations = ["{destination}"]',
            'products = "all"',
            f"ave = {{ low = {max(low, 0.0)!r}, central = {central!r}, high = {max(high, 0.0)!r} }}",
            "removed = true" if saves else "added = true",
        ]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
