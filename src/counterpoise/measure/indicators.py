"""Numbers on a table of trade: growth, concentration, two-way trade, and what price and quantity contribute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, LabelError

__all__ = ["PriceQuantity", "concentration", "growth_pct", "grubel_lloyd", "price_quantity", "yearly_growth_pct"]

Numbers = NDArray[np.float64]


def growth_pct(value: Numbers) -> Numbers:
    """Return the growth of each entry over the one before it, percent; NaN for the first and where one is absent or 0.

    Examples
    --------
    >>> [round(float(x), 2) for x in growth_pct(np.array([100.0, 110.0, 99.0]))]
    [nan, 10.0, -10.0]
    """
    before = np.concatenate([[np.nan], value[:-1]])
    out: Numbers = 100.0 * (value / np.where(before > 0, before, np.nan) - 1.0)
    return out


def yearly_growth_pct(first: float, last: float, years: int) -> float:
    """Return the constant growth a year that leads from one value to another, percent; NaN where one is absent or 0.

    Raises
    ------
    InputError
        If ``years`` is not positive.

    Examples
    --------
    >>> round(yearly_growth_pct(100.0, 121.0, 2), 6)
    10.0
    """
    if years <= 0:
        raise InputError(f"years = {years}; expected 1 or more")
    return 100.0 * ((last / first) ** (1.0 / years) - 1.0) if first > 0 and last > 0 else float("nan")


def concentration(value: Numbers) -> float:
    """Return the Herfindahl-Hirschman index, sum of squared shares, from 1 / n to 1; NaN where nothing is known.

    One over it is the number of equal products that would be as concentrated.

    Examples
    --------
    >>> concentration(np.array([50.0, 50.0, 0.0, np.nan]))
    0.5
    """
    known = value[~np.isnan(value)]
    total = float(known.sum())
    return float(np.sum((known / total) ** 2)) if total > 0 else float("nan")


def grubel_lloyd(there: Numbers, back: Numbers) -> float:
    """Return the Grubel-Lloyd index: the share of trade that is two-way within products, 0 to 1.

    Parameters
    ----------
    there, back
        (n,) sales in both directions of the same products, USD.

    Raises
    ------
    LabelError
        If they are not of one length.

    Notes
    -----
    1 - sum |x - m| / sum (x + m). NaN where one direction is absent: what is not known cannot overlap.

    References
    ----------
    Grubel and Lloyd (1975), Intra-Industry Trade, Macmillan.

    Examples
    --------
    >>> grubel_lloyd(np.array([30.0, 0.0]), np.array([10.0, 60.0]))
    0.2
    """
    if there.shape != back.shape:
        raise LabelError(f"{there.shape} and {back.shape} entries; expected both directions of the same products")
    if np.isnan(there).any() or np.isnan(back).any() or there.sum() + back.sum() <= 0:
        return float("nan")
    return float(1.0 - np.abs(there - back).sum() / (there + back).sum())


@dataclass(frozen=True, slots=True)
class PriceQuantity:
    """A change of value, taken apart.

    Attributes
    ----------
    rows
        One per product: hs, before_usd, after_usd, price_before, price_after (USD per tonne), price_effect_usd,
        quantity_effect_usd, entry_exit_usd, unexplained_usd; the last four sum to after - before. Largest change first.
    totals
        The sums of the effects and of both values, USD.
    covered_share
        Share of both years' value whose quantity is stated in both years, or that is entry or exit.
    """

    rows: pd.DataFrame
    totals: dict[str, float]
    covered_share: float


def price_quantity(before: pd.DataFrame, after: pd.DataFrame) -> PriceQuantity:
    r"""Take the change of trade between two years apart into price, quantity, entry and exit, product by product.

    Parameters
    ----------
    before, after
        Tables hs, value_usd, quantity_t (tonnes, NaN where it is not stated), one row per product.

    Returns
    -------
    The parts, which add up to the change exactly.

    Raises
    ------
    LabelError
        If a product stands twice.

    Notes
    -----
    With p = value / quantity, Bennet's symmetric indicator: p1 q1 - p0 q0 = (p1 - p0) (q0 + q1) / 2
    + (q1 - q0) (p0 + p1) / 2. A product traded in one year only is entry or exit. Where a quantity is not stated, or is
    zero, the change is ``unexplained``: a missing quantity is no quantity. Unit values of HS6 products mix qualities.

    References
    ----------
    Bennet (1920), Journal of the Royal Statistical Society 83(3); Diewert (2005), Journal of Productivity Analysis 24.
    """
    for name, table in (("before", before), ("after", after)):
        twice = table["hs"][table["hs"].duplicated()].unique()
        if len(twice):
            raise LabelError(f"{name}: {', '.join(map(str, twice[:10]))} stand twice; expected one row per product")
    columns = ["value_usd", "quantity_t"]
    sides = {"before": before, "after": after}
    both = pd.concat([side.set_index("hs")[columns].add_suffix(f"_{name}") for name, side in sides.items()], axis=1)
    both = both.sort_index()
    value = {k: both[f"value_usd_{k}"].to_numpy(float) for k in ("before", "after")}
    tonnes = {k: both[f"quantity_t_{k}"].to_numpy(float) for k in ("before", "after")}
    tonnes = {k: np.where(q > 0, q, np.nan) for k, q in tonnes.items()}
    price = {k: value[k] / tonnes[k] for k in value}
    known = {k: np.nan_to_num(v) for k, v in value.items()}
    delta = known["after"] - known["before"]
    one_only = np.isnan(value["before"]) != np.isnan(value["after"])
    by_price = (price["after"] - price["before"]) * (tonnes["before"] + tonnes["after"]) / 2
    by_quantity = (tonnes["after"] - tonnes["before"]) * (price["before"] + price["after"]) / 2
    stated = ~np.isnan(by_price)
    rows = pd.DataFrame(
        {
            "hs": both.index.astype(str),
            "before_usd": value["before"],
            "after_usd": value["after"],
            "price_before": price["before"],
            "price_after": price["after"],
            "price_effect_usd": np.where(stated, by_price, 0.0),
            "quantity_effect_usd": np.where(stated, by_quantity, 0.0),
            "entry_exit_usd": np.where(one_only, delta, 0.0),
            "unexplained_usd": np.where(stated | one_only, 0.0, delta),
        }
    )
    effects = ["price_effect_usd", "quantity_effect_usd", "entry_exit_usd", "unexplained_usd"]
    totals = {name: float(rows[name].sum()) for name in ("before_usd", "after_usd", *effects)}
    turnover = known["before"] + known["after"]
    covered = float(turnover[stated | one_only].sum() / turnover.sum()) if turnover.sum() > 0 else float("nan")
    order = np.argsort(-np.abs(delta), kind="stable")
    return PriceQuantity(rows.iloc[order].reset_index(drop=True), totals, covered)
