"""Trade in value added: whose income the final buyers of a country pay, whatever route the goods take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from counterpoise.core import World

__all__ = ["ValueAddedBalance", "value_added_balance", "value_added_exports"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ValueAddedBalance:
    """The gap of a pair in gross trade and in value added.

    Attributes
    ----------
    a, b
        The pair.
    rows
        One per sector of origin: sector, name, a_to_b_usd, b_to_a_usd (gross trade), a_in_b_usd, b_in_a_usd (value
        added of one that the final buyers of the other pay for), gap_usd, value_added_gap_usd. USD a year.
    totals
        The sums, and ``a_vax_ratio``, ``b_vax_ratio``: value added over gross exports to the partner.
    caveats
        What a reader must know.
    """

    a: str
    b: str
    rows: pd.DataFrame
    totals: dict[str, float]
    caveats: tuple[str, ...]


def value_added_exports(world: World) -> Numbers:
    """Return value added by where it is made and where it is finally bought.

    Returns
    -------
    (N, S, N) on (origin, sector, destination), USD a year; over destinations it sums to the value added of each sector,
    and origin = destination is what is absorbed at home.

    Notes
    -----
    With A[(i,r),(j,s)] = io_coefficient[j,r,s] X[i,j,r] / E[j,r] the input of r from i per unit of output of s in j at
    customs value, and F[(i,r),j] = X[i,j,r] / E[j,r] final_demand[j,r]: Y = A Y + F 1, and

        VA[i,r,j] = value_added_share[i,r] ((I - A)^-1 F)[(i,r),j].

    Users of one country buy from the origins in the same proportions. Duties belong to the buyer's income, not to what
    is traced. X = flow, E = expenditure with duties, Y = gross_output.

    References
    ----------
    Johnson and Noguera (2012), Journal of International Economics 86(2), eq. (5) to (9).
    """
    flow = world.flow.to_numpy()
    spent = world.expenditure.to_numpy()
    n, _, s = flow.shape
    bought = flow / np.where(spent > 0, spent, 1.0)[None]
    inputs = np.einsum("jrs,ijr->irjs", world.io_coefficient.to_numpy(), bought).reshape(n * s, n * s)
    final = np.einsum("ijr,jr->irj", bought, world.final_demand.to_numpy()).reshape(n * s, n)
    output = cast("Numbers", np.linalg.solve(np.eye(n * s) - inputs, final))
    share: Numbers = world.value_added_share.to_numpy()
    return share[:, :, None] * output.reshape(n, s, n)


def value_added_balance(world: World, a: str, b: str) -> ValueAddedBalance:
    """Put a pair's balance in value added beside its balance in gross trade.

    Raises
    ------
    InputError
        If a or b is not a country of the world, or they are one.
    """
    for name in (a, b):
        if name not in world.countries:
            raise InputError(
                f"'{name}' is not a country of the world '{world.meta.name}'"
                f"{did_you_mean(name, world.countries) or ';'} Known: {', '.join(world.countries)}"
            )
    if a == b:
        raise InputError(f"'{a}' is on both sides; a balance is between two countries")
    i, j = world.countries.index(a), world.countries.index(b)
    flow, traced = world.flow.to_numpy(), value_added_exports(world)
    rows = pd.DataFrame(
        {
            "sector": list(world.sectors),
            "name": [world.meta.sector_names.get(x, x) for x in world.sectors],
            "a_to_b_usd": flow[i, j],
            "b_to_a_usd": flow[j, i],
            "a_in_b_usd": traced[i, :, j],
            "b_in_a_usd": traced[j, :, i],
        }
    )
    rows["gap_usd"] = rows["a_to_b_usd"] - rows["b_to_a_usd"]
    rows["value_added_gap_usd"] = rows["a_in_b_usd"] - rows["b_in_a_usd"]
    columns = ("a_to_b_usd", "b_to_a_usd", "a_in_b_usd", "b_in_a_usd", "gap_usd", "value_added_gap_usd")
    totals = {name: float(rows[name].sum()) for name in columns}
    for side, value_added, gross in (("a", "a_in_b_usd", "a_to_b_usd"), ("b", "b_in_a_usd", "b_to_a_usd")):
        totals[f"{side}_vax_ratio"] = totals[value_added] / totals[gross] if totals[gross] > 0 else float("nan")
    return ValueAddedBalance(
        a,
        b,
        rows,
        totals,
        (
            f"World '{world.meta.name}', goods and services. Value added is that of the sector where it is made: a "
            "mine's ore in an exported car counts as mining. Users of a country share the origins of what it buys.",
            "Value added reaches a partner through third countries, too; over all partners both balances have one sum, "
            "but for duties.",
        ),
    )
