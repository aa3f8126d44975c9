"""A World from an inter-country input-output table (ICIO, FIGARO, EXIOBASE, WIOD): long, one row per cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from counterpoise.core.errors import DataError, UnbalancedError, raise_all
from counterpoise.core.world import World, WorldMeta

__all__ = ["FINAL", "ICIO_COLUMNS", "VALUE_ADDED", "world_from_icio"]

ICIO_COLUMNS = ("origin", "sector", "destination", "use", "value_usd")
FINAL = "final"
"""The ``use`` of final demand."""
VALUE_ADDED = "value_added"
"""The ``sector`` of a row of value added: origin and destination are its country, ``use`` its sector."""


def world_from_icio(
    table: pd.DataFrame | Path | str,
    *,
    trade_elasticity: Mapping[str, float] | float,
    tariffs: pd.DataFrame | None = None,
    name: str = "world of an input-output table",
    rtol: float = 1e-6,
) -> World:
    """Build a World from an inter-country input-output table.

    Parameters
    ----------
    table
        Columns `ICIO_COLUMNS`, as a frame or a CSV or Parquet file: what sector of origin sells to a use (a sector or
        ``final``) in destination, USD at customs value. Rows of sector ``value_added`` state value added; without any
        it is what sales leave over inputs.
    trade_elasticity
        Theta by sector, or one number.
    tariffs
        Columns origin, destination, sector, tariff_rate; zero where no row stands.
    name
        Name of the world.
    rtol
        Largest difference of sales and costs that counts as balanced, relative to sales.

    Returns
    -------
    A World with the countries and sectors in the order in which the table first sells from them.

    Raises
    ------
    DataError
        If columns lack, cells are negative, missing or repeated, or labels are unknown: every cell is named.
    UnbalancedError
        If sales of a country's sector differ from its inputs, duties on them and value added: every sector is named.

    Notes
    -----
    Uses of one destination buy from the origins in the same proportions (Caliendo and Parro 2015): the table's detail
    by use within a pair is added up. Duties are part of what users pay.
    """
    cells = _read(table)
    if tariffs is not None and not {"origin", "destination", "sector", "tariff_rate"} <= set(tariffs.columns):
        raise DataError("tariffs lack columns; expected origin, destination, sector, tariff_rate")
    sales = cells[cells["sector"] != VALUE_ADDED]
    countries, sectors = tuple(sales["origin"].unique()), tuple(sales["sector"].unique())
    raise_all(DataError, "the input-output table cannot be used", _problems(cells, tariffs, countries, sectors))
    country = {label: k for k, label in enumerate(countries)}
    sector = {label: k for k, label in enumerate((*sectors, FINAL))}
    n, s = len(countries), len(sectors)
    flows = np.zeros((n, n, s, s + 1))
    where = [
        sales[c].map(m).to_numpy() for c, m in zip(ICIO_COLUMNS[:4], (country, sector, country, sector), strict=True)
    ]
    flows[where[0], where[2], where[1], where[3]] = sales["value_usd"].to_numpy(float)
    rates = np.zeros((n, n, s))
    if tariffs is not None:
        at = [
            tariffs[c].map(m).to_numpy() for c, m in (("origin", country), ("destination", country), ("sector", sector))
        ]
        rates[at[0], at[1], at[2]] = tariffs["tariff_rate"].to_numpy(float)
    output = flows.sum(axis=(1, 3))
    inputs = (flows[..., :s] * (1 + rates)[..., None]).sum(axis=0)
    stated = cells[cells["sector"] == VALUE_ADDED]
    value_added = output - inputs.sum(axis=1)
    if len(stated):
        given = np.zeros((n, s))
        given[stated["origin"].map(country).to_numpy(), stated["use"].map(sector).to_numpy()] = stated[
            "value_usd"
        ].to_numpy(float)
        gap = np.abs(value_added - given) > rtol * np.maximum(output, 1.0)
        unbalanced = [
            f"{countries[i]} {sectors[k]}: sales {output[i, k]:.9g}, "
            f"inputs {inputs[i, :, k].sum():.9g} + value added {given[i, k]:.9g}"
            for i, k in np.argwhere(gap)
        ]
    else:
        unbalanced = [
            f"{countries[i]} {sectors[k]}: sales {output[i, k]:.9g} are less than inputs {inputs[i, :, k].sum():.9g}"
            for i, k in np.argwhere(value_added < -rtol * np.maximum(output, 1.0))
        ]
    raise_all(UnbalancedError, "the input-output table does not balance; correct these sectors", unbalanced)
    coefficients = inputs / np.maximum(output, 1e-300)[:, None, :]
    coefficients /= np.maximum(coefficients.sum(axis=1, keepdims=True), 1.0)
    theta = trade_elasticity if isinstance(trade_elasticity, (int, float)) else [trade_elasticity[x] for x in sectors]
    return World.from_arrays(
        countries=countries,
        sectors=sectors,
        flow=flows.sum(axis=3),
        tariff_rate=rates,
        io_coefficient=coefficients,
        trade_elasticity=theta,
        meta=WorldMeta(name=name),
    )


def _read(table: pd.DataFrame | Path | str) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        path = Path(table)
        if not path.is_file():
            raise DataError(
                f"{path} does not exist; expected a CSV or Parquet file with columns {', '.join(ICIO_COLUMNS)}"
            )
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, keep_default_na=False)
    lacking = [column for column in ICIO_COLUMNS if column not in table.columns]
    if lacking:
        raise DataError(
            f"the input-output table lacks the columns {', '.join(lacking)}; expected {', '.join(ICIO_COLUMNS)}"
        )
    out = table[list(ICIO_COLUMNS)].copy()
    for column in ICIO_COLUMNS[:4]:
        out[column] = out[column].astype(str)
    out["value_usd"] = pd.to_numeric(out["value_usd"], errors="coerce")
    return out


def _problems(
    cells: pd.DataFrame, tariffs: pd.DataFrame | None, countries: tuple[str, ...], sectors: tuple[str, ...]
) -> list[str]:
    """List every faulty cell of the table and of the tariffs."""
    value = cells["value_usd"]
    is_sale = cells["sector"] != VALUE_ADDED
    tests = [
        (~np.isfinite(value), "is not a number"),
        (is_sale & (value < 0), "is negative; expected 0 or more (put falls in stocks into final demand)"),
        (~cells["destination"].isin(countries), "goes to a country that sells nothing"),
        (~cells["use"].isin([*sectors, FINAL]), f"has an unknown use; expected a sector or '{FINAL}'"),
        (~is_sale & (cells["origin"] != cells["destination"]), "is value added between two countries"),
        (~is_sale & (cells["use"] == FINAL), "is value added of final demand"),
        (cells.duplicated(list(ICIO_COLUMNS[:4]), keep=False), "is given more than once"),
    ]
    out: list[str] = []
    for bad, words in tests:
        rows = cells[bad].to_numpy().tolist()
        out += [f"{o} {s} -> {d} {u}: {number} {words}" for o, s, d, u, number in rows]
    if tariffs is not None:
        places = {"origin": countries, "destination": countries, "sector": sectors}
        for column, known in places.items():
            unknown = sorted(set(tariffs[column].astype(str)) - set(known))
            out += [f"tariffs: {column} '{label}' is not in the table" for label in unknown]
        rates = pd.to_numeric(tariffs["tariff_rate"], errors="coerce").to_numpy(float)
        out += [
            f"tariffs, row {k}: rate {rates[k]:g}; expected a number above -1" for k in np.flatnonzero(~(rates > -1))
        ]
    return out
