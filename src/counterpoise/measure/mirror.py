"""Mirror statistics: what each side reports of the same trade, made one; and fiscal years beside calendar years."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError
from counterpoise.data.reporting import pair_totals, silent_among
from counterpoise.measure.gap_table import basis_words

__all__ = ["CIF_FACTOR", "MirrorTable", "Reconciled", "fiscal_reconciliation", "mirror_table", "reconcile"]

CIF_FACTOR = 1.06
"""CIF over FOB where freight is not known: the six percent of the IMF's Direction of Trade Statistics (Marini,
Dippelsman and Stanger 2018, IMF Working Paper 18/16)."""

FISCAL_PART = 0.25
"""Part of India's fiscal year, April to March, that falls into the calendar year in which it ends."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One flow as both sides report it.

    Attributes
    ----------
    value_usd
        Reconciled, FOB; NaN where neither side reports.
    basis
        ``both sides``, ``exporter only``, ``mirror: importer only`` or ``absent``.
    cif_fob_ratio
        The importer's report over the exporter's; NaN where one lacks.
    log_gap
        Log of the importer's report made FOB over the exporter's: what freight does not explain.
    """

    value_usd: float
    basis: str
    cif_fob_ratio: float
    log_gap: float


def reconcile(
    exporter_fob_usd: float, importer_cif_usd: float, *, cif_factor: float = CIF_FACTOR, exporter_weight: float = 0.5
) -> Reconciled:
    """Make one number of an exporter's and an importer's report of the same flow.

    Parameters
    ----------
    exporter_fob_usd, importer_cif_usd
        USD; NaN where a side does not report. A reported zero is a report.
    cif_factor
        CIF over FOB, 1 or more; 1 for an importer that reports at customs value without freight, as the USA.
    exporter_weight
        Trust in the exporter, 0 to 1; the importer has the rest.

    Raises
    ------
    InputError
        If a report is negative, the factor below 1, or the weight outside 0 and 1.

    Notes
    -----
    value = w x + (1 - w) m / c, with x = exporter_fob_usd, m = importer_cif_usd, c = cif_factor, w = exporter_weight;
    the one that is there where the other lacks. BACI does the same with weights and freight estimated from all pairs.

    References
    ----------
    Gaulier and Zignago (2010), BACI, CEPII Working Paper 2010-23.

    Examples
    --------
    >>> reconcile(100.0, 118.0, cif_factor=1.06).value_usd
    105.66037735849056
    >>> reconcile(float("nan"), 106.0).basis
    'mirror: importer only'
    """
    reports = {"exporter": exporter_fob_usd, "importer": importer_cif_usd}
    problems = [f"{name} {value:g}" for name, value in reports.items() if value < 0]
    if problems or cif_factor < 1 or not 0 <= exporter_weight <= 1:
        raise InputError(
            f"{', '.join(problems) or 'reports'}, cif_factor {cif_factor:g}, exporter_weight {exporter_weight:g}; "
            "expected reports of 0 or more, a factor of 1 or more, and a weight from 0 to 1"
        )
    nan = float("nan")
    fob = importer_cif_usd / cif_factor
    if np.isnan(exporter_fob_usd) and np.isnan(importer_cif_usd):
        return Reconciled(nan, "absent", nan, nan)
    if np.isnan(importer_cif_usd):
        return Reconciled(exporter_fob_usd, "exporter only", nan, nan)
    if np.isnan(exporter_fob_usd):
        return Reconciled(fob, "mirror: importer only", nan, nan)
    both = exporter_fob_usd > 0 and importer_cif_usd > 0
    return Reconciled(
        exporter_weight * exporter_fob_usd + (1 - exporter_weight) * fob,
        "both sides",
        importer_cif_usd / exporter_fob_usd if exporter_fob_usd > 0 else nan,
        float(np.log(fob / exporter_fob_usd)) if both else nan,
    )


@dataclass(frozen=True, slots=True)
class MirrorTable:
    """What is reported of a pair's trade, by direction and period.

    Attributes
    ----------
    rows
        period, kind (``CY``, ``FY``), origin, destination, exporter_fob_usd, importer_usd, importer_valuation (``CIF``,
        ``customs value``), source_usd (the reconciled number of BACI), cif_fob_ratio, log_gap, reconciled_usd (FOB),
        basis.
    caveats
        What a reader must know.
    """

    rows: pd.DataFrame
    caveats: tuple[str, ...]


def mirror_table(
    a: str,
    b: str,
    table: Callable[[str], pd.DataFrame],
    *,
    cif_factor: float = CIF_FACTOR,
    source: pd.DataFrame | None = None,
) -> MirrorTable:
    """List what each side reports of a pair's trade, and one number for each direction and period.

    Parameters
    ----------
    a, b
        Countries, ISO3.
    table
        Gives the table ``years`` (what India reports, by fiscal year) and ``pairs`` (BACI by calendar year; imports of
        the USA as its Census reports them).
    cif_factor
        CIF over FOB of imports that include freight.
    source
        Further records: period, origin, destination, reporter (``exporter``, ``importer`` or ``source``), value_usd,
        valuation. They take the place of those of the tables.

    Raises
    ------
    InputError
        If nothing is reported of the pair.
    """
    records = pd.concat(
        [
            part
            for part in (_of_years(a, b, table("years")), _of_pairs(a, b, table("pairs")), source)
            if part is not None
        ],
        ignore_index=True,
    ).drop_duplicates(["period", "origin", "destination", "reporter"], keep="last")
    if records.empty:
        raise InputError(
            f"nobody reports trade of {a} and {b} in the tables; import a year with 'counterpoise data import'"
        )
    silent = {year: silent_among(pair_totals(table("pairs"), year), year) for year in (2023, 2024)}
    rows: list[dict[str, object]] = []
    for (period, origin, destination), mine in records.groupby(["period", "origin", "destination"], sort=True):
        value = {r: float(v) for r, v in zip(mine["reporter"], mine["value_usd"], strict=True)}
        valuation = next(
            (str(v) for r, v in zip(mine["reporter"], mine["valuation"], strict=True) if r == "importer"), ""
        )
        nan = float("nan")
        factor = cif_factor if valuation == "CIF" else 1.0
        one = reconcile(value.get("exporter", nan), value.get("importer", nan), cif_factor=factor)
        given = value.get("source", nan)
        year = int(str(period)[2:6])
        of_source = basis_words(str(origin), str(destination), year, "reconciled by the source", silent.get(year))
        rows.append(
            {
                "period": period,
                "kind": str(period)[:2],
                "origin": origin,
                "destination": destination,
                "exporter_fob_usd": value.get("exporter", nan),
                "importer_usd": value.get("importer", nan),
                "importer_valuation": valuation,
                "source_usd": given,
                "cif_fob_ratio": one.cif_fob_ratio,
                "log_gap": one.log_gap,
                "reconciled_usd": one.value_usd if np.isnan(given) else given,
                "basis": one.basis if np.isnan(given) else of_source,
            }
        )
    caveats = (
        f"Imports at CIF are divided by {cif_factor:g} to compare them with exports at FOB; imports of the USA are at "
        "customs value, which has no freight in it.",
        "Where one side alone reports, its number stands for the flow: read 'exporter only' and 'mirror' as such. "
        "Where both do, the mean is taken.",
    )
    frame = pd.DataFrame(rows).sort_values(["kind", "period", "origin"], ignore_index=True)
    return MirrorTable(frame, caveats)


def _of_years(a: str, b: str, years: pd.DataFrame) -> pd.DataFrame:
    """Return the fiscal years, which India reports: its exports at FOB, its imports at CIF."""
    pair = years["origin"].isin([a, b]) & years["destination"].isin([a, b]) & (years["kind"] == "FY")
    mine = years[pair]
    exports = mine["origin"] == "IND"
    return pd.DataFrame(
        {
            "period": mine["period"],
            "origin": mine["origin"],
            "destination": mine["destination"],
            "reporter": np.where(exports, "exporter", "importer"),
            "value_usd": mine["value_usd"].astype(float),
            "valuation": np.where(exports, "FOB", "CIF"),
        }
    )


def _of_pairs(a: str, b: str, pairs: pd.DataFrame) -> pd.DataFrame | None:
    """Return the calendar years of BACI, and the Census of the USA where the USA is the importer in 2024."""
    parts: list[dict[str, object]] = []
    for origin, destination in ((a, b), (b, a)):
        mine = pairs[(pairs["exporter"] == origin) & (pairs["importer"] == destination)]
        for year in (2023, 2024):
            value = mine[f"value_{year}_usd"].astype(float).dropna()
            if value.empty:
                continue
            census = destination == "USA" and year == 2024
            parts.append(
                {
                    "period": f"CY{year}",
                    "origin": origin,
                    "destination": destination,
                    "reporter": "importer" if census else "source",
                    "value_usd": float(value.iloc[0]),
                    "valuation": "customs value" if census else "FOB",
                }
            )
    return pd.DataFrame(parts) if parts else None


def fiscal_reconciliation(
    a: str, b: str, years: pd.DataFrame, calendar: pd.DataFrame, *, cif_factor: float = CIF_FACTOR
) -> pd.DataFrame:
    """Lead from India's fiscal years to a calendar year, step by step.

    Parameters
    ----------
    a, b
        The pair; one of them is India.
    years
        The table ``years``.
    calendar
        period (``CY2024``), origin, destination, value_usd at FOB: the numbers to arrive at.
    cif_factor
        CIF over FOB of India's imports.

    Returns
    -------
    Table period, origin, destination and, in USD: fiscal_ending_usd and fiscal_beginning_usd (the fiscal years that end
    and that begin in it), shifted_usd (a quarter of the one, three quarters of the other), calendar_effect_usd (shifted
    - fiscal_beginning), valuation_effect_usd (FOB - CIF, imports only), unexplained_usd, calendar_usd. Beginning plus
    the three effects is the calendar number.

    Raises
    ------
    InputError
        If the pair has no fiscal years that enclose a calendar year with a number.

    Notes
    -----
    shifted(t) = 1/4 FY(t-1, t) + 3/4 FY(t, t+1): months are taken to be alike within a fiscal year. What is left is
    timing within the year, the other side's records, and what the source did with both.
    """
    out: list[dict[str, object]] = []
    for origin, destination in ((a, b), (b, a)):
        mine = years[(years["origin"] == origin) & (years["destination"] == destination) & (years["kind"] == "FY")]
        fiscal = {str(p): float(v) for p, v in zip(mine["period"], mine["value_usd"], strict=True)}
        known = calendar[(calendar["origin"] == origin) & (calendar["destination"] == destination)]
        for period, value in zip(known["period"], known["value_usd"], strict=True):
            year = int(str(period)[2:6])
            ending, beginning = f"FY{year - 1}-{year % 100:02}", f"FY{year}-{(year + 1) % 100:02}"
            if ending not in fiscal or beginning not in fiscal or np.isnan(float(value)):
                continue
            shifted = FISCAL_PART * fiscal[ending] + (1 - FISCAL_PART) * fiscal[beginning]
            fob = shifted / (cif_factor if destination == "IND" else 1.0)
            out.append(
                {
                    "period": period,
                    "origin": origin,
                    "destination": destination,
                    "fiscal_ending_usd": fiscal[ending],
                    "fiscal_beginning_usd": fiscal[beginning],
                    "shifted_usd": shifted,
                    "calendar_effect_usd": shifted - fiscal[beginning],
                    "valuation_effect_usd": fob - shifted,
                    "unexplained_usd": float(value) - fob,
                    "calendar_usd": float(value),
                }
            )
    if not out:
        raise InputError(
            f"no calendar year of {a} and {b} lies within two fiscal years that are known; India's trade with Russia "
            "and the USA has them"
        )
    return pd.DataFrame(out)
