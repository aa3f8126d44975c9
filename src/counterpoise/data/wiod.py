"""World Input-Output Database 2011: 41 regions, 35 industries, million USD."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError, raise_all
from counterpoise.data.sources import Sources

__all__ = ["FINAL_USES", "Wiod", "load_wiod"]

FINAL_USES = ("gfcf", "government", "households", "inventories", "npish")
"""The final-demand columns of the table."""


@dataclass(frozen=True, slots=True)
class Wiod:
    """The 2011 table as arrays, USD.

    Attributes
    ----------
    entities, industries
        Labels, N = 41 (40 countries and ROW) and K = 35.
    intermediate
        (N, K, N, K) on (origin, industry, destination, using industry), zero or more.
    final
        (N, K, N) on (origin, industry, destination), all final uses together, zero or more.
    output
        (N, K) gross output, the row sums.
    """

    entities: tuple[str, ...]
    industries: tuple[str, ...]
    intermediate: np.ndarray
    final: np.ndarray
    output: np.ndarray


def load_wiod(sources: Sources) -> Wiod:
    """Load the 2011 table.

    Changes in stocks are part of final use; where the sum of final uses of one flow is negative it is set to zero, and
    gross output is the sum of the rows after that.

    Raises
    ------
    DataError
        If cells are missing, repeated or negative in intermediate use; the cells are named.
    """
    flows = pd.read_parquet(sources.path("wiod_flows"))
    for column in ("origin", "industry", "destination", "use"):
        flows[column] = flows[column].astype(str)
    entities = tuple(sorted(flows["origin"].unique()))
    industries = tuple(f"c{k}" for k in range(1, 36))
    place = {name: k for k, name in enumerate(entities)}
    row = {name: k for k, name in enumerate(industries)}
    use = {**row, **dict.fromkeys(FINAL_USES, len(industries))}
    key = ["origin", "industry", "destination", "use"]
    is_final = flows["use"].isin(FINAL_USES)
    bad = flows[(flows["value"].isna()) | ((flows["value"] < 0) & ~is_final) | flows.duplicated(key)]
    raise_all(
        DataError,
        "the WIOD table cannot be used; expected one finite, non-negative number per cell",
        [f"{' '.join(str(v) for v in cell)}: {value}" for *cell, value in bad[[*key, "value"]].itertuples(index=False)],
    )
    n, k = len(entities), len(industries)
    cells = np.zeros((n, k, n, k + 1))
    where = (
        flows["origin"].map(place).to_numpy(),
        flows["industry"].map(row).to_numpy(),
        flows["destination"].map(place).to_numpy(),
        flows["use"].map(use).to_numpy(),
    )
    np.add.at(cells, where, flows["value"].to_numpy(dtype=np.float64) * 1e6)
    intermediate, final = cells[..., :k], np.maximum(cells[..., k], 0.0)
    return Wiod(entities, industries, intermediate, final, intermediate.sum(axis=(2, 3)) + final.sum(axis=2))
