"""Goods that a third country's new duty pushes out, in partial equilibrium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterpoise.core.errors import InputError, raise_all

__all__ = ["PushedOut", "pushed_out"]


@dataclass(frozen=True, slots=True, eq=False)
class PushedOut:
    """What a new duty pushes out, by product.

    Attributes
    ----------
    table
        hs, third_exports_usd, third_duty_before, third_duty_added (rates), pushed_out_usd; one row per line.
    notes
        What could not be placed.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


def pushed_out(
    lines: pd.DataFrame,
    third_exports: pd.DataFrame,
    duties: pd.DataFrame,
    trade_elasticity: Mapping[str, float],
) -> PushedOut:
    r"""Return what the seller no longer sells a third country when that raises its duties.

    Parameters
    ----------
    lines
        hs, seller_exports_usd, sector: the products of the pair.
    third_exports
        hs, value_usd: what the seller sells to the third country; headings, and codes that the lines lack, are split
        over the codes of their heading as the seller's exports to the world are.
    duties
        hs, rate_before, rate_after; longest prefix first. Lines without a duty have none pushed out.
    trade_elasticity
        By sector, of tariff-inclusive flows.

    Raises
    ------
    InputError
        If a rate is at or below -1 or not finite, or a sector has no elasticity.

    Notes
    -----
    pushed out = v (1 - ((1 + t') / (1 + t))^-(theta + 1)), with v = third_exports_usd, t = rate_before,
    t' = rate_after, theta = trade_elasticity: the fall of the customs value of a flow whose price before duty, and all
    else, is fixed. Where the duty falls, nothing is pushed out.
    """
    problems = [f"{s} has no trade elasticity" for s in sorted(set(lines["sector"]) - set(trade_elasticity))]
    rates = duties[["rate_before", "rate_after"]].to_numpy(dtype=np.float64)
    bad = ~np.isfinite(rates).all(axis=1) | (rates <= -1).any(axis=1)
    problems += [f"HS {hs} has rates that cannot be used" for hs in duties["hs"].to_numpy()[bad].tolist()]
    raise_all(InputError, "the pushed-out goods cannot be found", problems)
    value, spread, lost = _placed(lines, third_exports)
    before, after = (_by_prefix(lines["hs"], duties, column) for column in ("rate_before", "rate_after"))
    theta = lines["sector"].map(dict(trade_elasticity)).to_numpy(dtype=np.float64)
    factor = ((1.0 + after) / (1.0 + before)) ** -(theta + 1.0)
    table = pd.DataFrame(
        {
            "hs": lines["hs"].to_numpy(),
            "third_exports_usd": value,
            "third_duty_before": before,
            "third_duty_added": after - before,
            "pushed_out_usd": np.where(np.isfinite(factor), value * np.maximum(1.0 - factor, 0.0), 0.0),
        }
    )
    notes: list[str] = []
    total = float(third_exports["value_usd"].sum())
    if spread > 0.001 * total:
        notes.append(
            f"{100 * spread / total:.1f} % of what is sold to the third country is known by heading, or by codes of"
            " another edition of the HS, and is split over the codes of its heading as the seller's exports."
        )
    if lost > 0.001 * total:
        notes.append(
            f"{100 * lost / total:.1f} % of what is sold to the third country is in headings that the pair's table"
            " lacks, such as special chapters, and is left out."
        )
    return PushedOut(table, tuple(notes))


def _placed(lines: pd.DataFrame, third_exports: pd.DataFrame) -> tuple[np.ndarray, float, float]:
    """Return the third country's purchases by line, what was placed by heading only, and what found no place."""
    sold = third_exports.groupby("hs")["value_usd"].sum()
    codes = lines["hs"].astype(str)
    finest = int(codes.str.len().max())
    sold = sold.groupby(sold.index.astype(str).str[:finest]).sum()
    known = sold.index.isin(list(codes))
    value = codes.map(sold[known]).fillna(0.0).to_numpy(dtype=np.float64)
    rest = sold[~known]
    rest = rest.groupby(rest.index.str[:4]).sum()
    # Within a heading, as the seller exports its codes to the world.
    key = codes.str[:4]
    weight = lines["seller_exports_usd"]
    whole = weight.groupby(key).transform("sum")
    spread = (key.map(rest).fillna(0.0) * (weight / whole.where(whole > 0)).fillna(0.0)).to_numpy(dtype=np.float64)
    value = value + spread
    return value, float(spread.sum()), float(sold.sum() - value.sum())


def _by_prefix(codes: pd.Series[str], duties: pd.DataFrame, column: str) -> np.ndarray:
    """Return the rate of each code by its longest prefix among the duties; NaN where there is none."""
    rate = dict(zip(duties["hs"].astype(str), duties[column].astype(float), strict=True))
    lengths = sorted({len(hs) for hs in rate}, reverse=True)
    found = [next((rate[code[:n]] for n in lengths if code[:n] in rate), np.nan) for code in codes]
    return np.array(found, dtype=np.float64)
