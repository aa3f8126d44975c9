"""Gravity equations by Poisson pseudo-maximum likelihood, and the trade flows that a gravity equation implies."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, NotConvergedError, WorkbenchError, did_you_mean, raise_all

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GravityEstimate", "estimate_gravity", "gravity_flows"]

Numbers = NDArray[np.float64]

INSTALL = "pip install 'counterpoise[estimate]'"
"""The line that installs what an estimate needs."""

_NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class GravityEstimate:
    """An estimated gravity equation: ln E[flow] = constant + sum of coefficient * regressor + fixed effects.

    Attributes
    ----------
    dependent, regressors, fixed_effects
        Column names; K regressors, in the order given, without the omitted ones.
    coefficient, standard_error, z, p_value
        (K,) each; p_value is two-sided and normal.
    covariance
        (K, K).
    covariance_kind
        ``"robust"``, or ``"clustered by ..."``.
    constant
        Mean of the fixed effects, weighted by fitted values, as ppmlhdfe of Stata reports it.
    observations, separated, singletons
        Rows used; rows dropped because a fixed effect or regressor predicts them as exactly zero; rows dropped because
        they are alone in a fixed effect.
    clusters
        Number of clusters by cluster column; empty for robust errors.
    omitted
        Regressors left out because the others and the fixed effects determine them.
    deviance
        Poisson deviance at the estimate.
    """

    dependent: str
    regressors: tuple[str, ...]
    fixed_effects: tuple[str, ...]
    coefficient: Numbers
    standard_error: Numbers
    z: Numbers
    p_value: Numbers
    covariance: Numbers
    covariance_kind: str
    constant: float
    observations: int
    separated: int
    singletons: int
    clusters: Mapping[str, int]
    omitted: tuple[str, ...]
    deviance: float

    def __getitem__(self, regressor: str) -> float:
        """Return the coefficient of a regressor."""
        return float(self.coefficient[self._position(regressor)])

    def error_of(self, regressor: str) -> float:
        """Return the standard error of a regressor's coefficient."""
        return float(self.standard_error[self._position(regressor)])

    def trade_cost_power(self, regressors: Mapping[str, Numbers]) -> Numbers:
        """Return exp(sum of coefficient * regressor): trade costs to the power of minus the trade elasticity.

        Parameters
        ----------
        regressors
            One array for each regressor, all of one shape.

        Raises
        ------
        InputError
            If the regressors are not exactly those of the equation.
        """
        problems = [f"'{name}' is missing" for name in self.regressors if name not in regressors]
        problems += [f"'{name}' is not in the equation" for name in regressors if name not in self.regressors]
        raise_all(InputError, "the regressors are not those that were estimated", problems)
        return np.exp(sum(self[name] * values for name, values in regressors.items()))

    def table(self) -> pd.DataFrame:
        """Return one row per regressor: coefficient, standard error, z, p value and the 95 % interval."""
        import pandas as pd

        return pd.DataFrame(
            {
                "regressor": list(self.regressors),
                "coefficient": self.coefficient,
                "standard_error": self.standard_error,
                "z": self.z,
                "p_value": self.p_value,
                "low_95": self.coefficient - _NORMAL_975 * self.standard_error,
                "high_95": self.coefficient + _NORMAL_975 * self.standard_error,
            }
        )

    def __repr__(self) -> str:
        """Print as a regression table."""
        effects = " + ".join(self.fixed_effects) or "none"
        lines = [f"PPML of {self.dependent}, fixed effects {effects}, {self.covariance_kind} errors"]
        lines += [
            f"  {name:<24}{b:>12.6f}  ({se:.6f})"
            for name, b, se in zip(self.regressors, self.coefficient, self.standard_error, strict=True)
        ]
        lines.append(f"  {'constant':<24}{self.constant:>12.6f}")
        lines.append(f"  {self.observations} rows used, {self.separated} separated, {self.singletons} singletons")
        if self.omitted:
            lines.append(f"  omitted as collinear: {', '.join(self.omitted)}")
        return "\n".join(lines)

    def _position(self, regressor: str) -> int:
        if regressor not in self.regressors:
            hint = did_you_mean(regressor, self.regressors)
            raise InputError(f"no regressor '{regressor}'{hint} Known: {', '.join(self.regressors)}")
        return self.regressors.index(regressor)


def estimate_gravity(
    table: pd.DataFrame,
    *,
    dependent: str,
    regressors: Sequence[str],
    fixed_effects: Sequence[str] = ("exporter", "importer"),
    cluster: str | Sequence[str] = (),
) -> GravityEstimate:
    """Estimate a gravity equation by Poisson pseudo-maximum likelihood with high-dimensional fixed effects.

    Zeros of trade stay in; separated and singleton rows are dropped and counted. Standard errors follow ppmlhdfe of
    Stata: robust ones carry the factor N/(N-1), clustered ones G/(G-1).

    Parameters
    ----------
    table
        One row per observation.
    dependent
        Column of trade flows, 0 or more.
    regressors
        Columns in levels or logs as they shall enter.
    fixed_effects
        Columns, each a set of effects; ``"exporter^year"`` stands for the effects of every combination.
    cluster
        No column: robust errors. One or two columns: clustered errors; ``"exporter^importer"`` is one cluster for every
        pair.

    Raises
    ------
    WorkbenchError
        If pyfixest is not installed; the message holds the line that installs it.
    InputError
        If a column is missing, holds gaps, or trade is negative; every problem is listed.
    NotConvergedError
        If the estimate does not converge.

    References
    ----------
    Santos Silva and Tenreyro (2006), Review of Economics and Statistics 88(4); Correia, Guimaraes and Zylkin (2020),
    Stata Journal 20(1).
    """
    clusters = (cluster,) if isinstance(cluster, str) else tuple(cluster)
    _require_usable(table, dependent, tuple(regressors), tuple(fixed_effects), clusters)
    pyfixest = _pyfixest()
    # Plain names keep any column name clear of the formula grammar.
    effect_columns = {c: f"f{k}" for k, c in enumerate(dict.fromkeys(_factors(fixed_effects)))}
    plain = {dependent: "y", **{c: f"x{k}" for k, c in enumerate(regressors)}}
    data = table[list(plain)].rename(columns=plain).astype("float64")
    data = data.assign(**{new: table[c].astype(str) for c, new in effect_columns.items()})
    data = data.assign(**{f"g{k}": _joined(table, c) for k, c in enumerate(clusters)}).reset_index(drop=True)
    effects = " + ".join("^".join(effect_columns[c] for c in effect.split("^")) for effect in fixed_effects)
    formula = "y ~ " + " + ".join(plain[c] for c in regressors) + (f" | {effects}" if effects else "")
    with warnings.catch_warnings():
        # What pyfixest warns about and matters, dropped rows and collinear regressors, stands in the result.
        warnings.simplefilter("ignore")
        try:
            fit: Any = pyfixest.fepois(
                formula,
                data,
                vcov={"CRV1": " + ".join(f"g{k}" for k in range(len(clusters)))} if clusters else "hetero",
                ssc=pyfixest.ssc(k_adj=False, G_adj=True),
                separation_check=["fe", "ir"] if effects else None,
                iwls_tol=1e-12,
                iwls_maxiter=200,
                demeaner=pyfixest.MapDemeaner(fixef_tol=1e-10),
            )
        except pyfixest.errors.NonConvergenceError as error:
            raise NotConvergedError(
                f"the gravity estimate did not converge ({error}); look for regressors that are nearly collinear"
            ) from error
        names = {new: old for old, new in plain.items()}
        return _collect(fit, len(data), dependent, names, tuple(fixed_effects), clusters)


def gravity_flows(trade_cost_power: Numbers, output: Numbers, expenditure: Numbers, *, rtol: float = 1e-14) -> Numbers:
    r"""Return the flows of structural gravity: trade costs scaled so that they meet output and expenditure.

    Parameters
    ----------
    trade_cost_power
        (N origin, N destination), more than 0: trade cost to the power of minus the trade elasticity.
    output, expenditure
        (N,), USD. Where their totals differ, output is scaled to the total of expenditure.
    rtol
        Largest relative change of a factor at which the scaling stops.

    Returns
    -------
    Flows (N, N): rows sum to scaled output, columns to expenditure.

    Notes
    -----
    X_ij = t_ij^-theta (Y_i / Pi_i^-theta) (E_j / P_j^-theta), with Pi the outward and P the inward resistance:
    biproportional scaling finds both.

    Raises
    ------
    NotConvergedError
        If no scaling is found in 100 000 rounds.

    References
    ----------
    Anderson and van Wincoop (2003), American Economic Review 93(1), eqs (9)-(11).
    """
    sold = output * (expenditure.sum() / output.sum())
    column = np.ones_like(expenditure)
    for _ in range(100_000):
        row = sold / (trade_cost_power @ column)
        following = expenditure / (trade_cost_power.T @ row)
        settled = np.max(np.abs(following / column - 1.0)) <= rtol
        column = following
        if settled:
            return trade_cost_power * row[:, None] * column[None, :]
    raise NotConvergedError(
        "the resistances of the gravity equation were not found; check that every trade cost is finite and positive"
    )


def _joined(table: pd.DataFrame, cluster: str) -> pd.Series[str]:
    """Return the cluster of each row as text; a combination of columns is joined by a sign that no text holds."""
    first, *others = cluster.split("^")
    joined = table[first].astype(str)
    for column in others:
        joined = joined + "\x1f" + table[column].astype(str)
    return joined


def _factors(fixed_effects: Sequence[str]) -> list[str]:
    """Return the columns that the fixed effects are made of."""
    return [column for effect in fixed_effects for column in effect.split("^")]


def _require_usable(
    table: pd.DataFrame,
    dependent: str,
    regressors: tuple[str, ...],
    fixed_effects: tuple[str, ...],
    clusters: tuple[str, ...],
) -> None:
    """Raise InputError that lists every fault of the request."""
    columns = [str(c) for c in table.columns]
    wanted = list(dict.fromkeys((dependent, *regressors, *_factors(fixed_effects), *_factors(clusters))))
    problems = [f"no column '{c}'{did_you_mean(c, columns)}" for c in wanted if c not in columns]
    problems += [
        f"column '{c}' has {int(table[c].isna().sum())} empty cells; fill or drop those rows first"
        for c in wanted
        if c in columns and table[c].isna().any()
    ]
    if not regressors:
        problems.append("no regressors were given; name at least one")
    problems += [f"regressor '{c}' is given twice" for c in sorted({c for c in regressors if regressors.count(c) > 1})]
    if len(clusters) > 2:
        problems.append(f"{len(clusters)} cluster columns were given; at most two can be used")
    if dependent in columns and not table[dependent].isna().any() and (table[dependent] < 0).any():
        problems.append(
            f"column '{dependent}' has {int((table[dependent] < 0).sum())} negative flows; expected 0 or more"
        )
    raise_all(InputError, "the gravity equation cannot be estimated", problems)


def _pyfixest() -> Any:
    """Return pyfixest; raise WorkbenchError that names the install line where it is missing."""
    try:
        return importlib.import_module("pyfixest")
    except ImportError as error:
        raise WorkbenchError(
            f"estimating gravity needs pyfixest, which is not installed; install it with: {INSTALL}"
        ) from error


def _collect(
    fit: Any,
    rows: int,
    dependent: str,
    names: Mapping[str, str],
    fixed_effects: tuple[str, ...],
    clusters: tuple[str, ...],
) -> GravityEstimate:
    """Return the estimate that a fit of pyfixest holds, under the caller's names."""
    from scipy.stats import norm

    coefficients = fit.coef().drop("Intercept", errors="ignore")
    kept = [str(name) for name in coefficients.index]
    picked = [list(fit.coef().index).index(name) for name in kept]
    coefficient = coefficients.to_numpy(dtype=np.float64)
    observations = int(fit._N)
    covariance = np.asarray(fit._vcov, dtype=np.float64)[np.ix_(picked, picked)]
    if not clusters:
        covariance = covariance * (observations / (observations - 1))
    error = np.sqrt(np.diag(covariance))
    z = coefficient / error
    used: pd.DataFrame = fit._data
    linear = np.asarray(fit.predict(type="link"), dtype=np.float64)
    fitted = np.exp(linear)
    effects = linear - used[kept].to_numpy(dtype=np.float64) @ coefficient
    separated = int(fit.n_separation_na)
    return GravityEstimate(
        dependent=dependent,
        regressors=tuple(names[name] for name in kept),
        fixed_effects=fixed_effects,
        coefficient=coefficient,
        standard_error=error,
        z=z,
        p_value=2.0 * np.asarray(norm.sf(np.abs(z)), dtype=np.float64),
        covariance=covariance,
        covariance_kind=f"clustered by {' and '.join(clusters)}" if clusters else "robust",
        constant=float((effects * fitted).sum() / fitted.sum()),
        observations=observations,
        separated=separated,
        singletons=rows - observations - separated,
        clusters={c: int(used[f"g{k}"].nunique()) for k, c in enumerate(clusters)},
        omitted=tuple(name for new, name in names.items() if new.startswith("x") and new not in kept),
        deviance=float(fit.deviance),
    )
