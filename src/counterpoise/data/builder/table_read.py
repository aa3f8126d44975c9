"""Read an inter-country input-output table of any known edition into arrays, and check that it balances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core.errors import DataError, InputError, UnbalancedError, raise_all
from counterpoise.data.readers import Provenance, read_source

__all__ = ["ROUNDING", "Table", "read_table_file", "require_balanced"]

ROUNDING = 1e-4
"""Part of a country's output by which an industry's inputs may exceed its sales where no value added is stated."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """An inter-country input-output table, N countries and K industries, USD.

    Attributes
    ----------
    countries, industries
        Labels in the order in which the file sells from them.
    intermediate
        (N, K, N, K) on (origin, industry, destination, using industry), zero or more.
    final
        (N, K, N) on (origin, industry, destination), all final uses, zero or more.
    stated_cost
        (N, K) inputs, taxes, adjustments and value added as the file states them; NaN where it states no value added.
    clipped
        Flows to final use that were negative (falls in stocks) and are zero here: origin, industry, destination, USD.
    provenance
        Of the file.
    """

    countries: tuple[str, ...]
    industries: tuple[str, ...]
    intermediate: Numbers
    final: Numbers
    stated_cost: Numbers
    clipped: pd.DataFrame
    provenance: Provenance


def read_table_file(path: Path, *, year: int | None = None) -> Table:
    """Read an input-output table; see `Table`.

    Parameters
    ----------
    path
        A file, or a folder with one table (of ``year``).

    Raises
    ------
    InputError
        If a folder holds no table, or several of which none is chosen.
    DataError
        If the file cannot be read, or cells are negative in intermediate use.
    """
    file = _one_file(path, year)
    options: dict[str, Any] = {"year": year} if file.suffix == ".zip" and year is not None else {}
    cells, provenance = read_source(file, **options)
    if not {"origin", "sector", "destination", "use", "kind", "value_usd"} <= set(cells.columns):
        raise DataError(
            f"{file.name} is {provenance.title}, which is no input-output table; expected OECD ICIO, WIOD, or a table "
            "origin, industry, destination, use, value"
        )
    sales = cells[cells["kind"].isin(["intermediate", "final"])]
    countries = tuple(dict.fromkeys(sales["origin"].astype(str)))
    industries = tuple(dict.fromkeys(sales["sector"].astype(str)))
    place = {label: k for k, label in enumerate(countries)}
    row = {label: k for k, label in enumerate(industries)}
    strangers = sorted(set(sales["destination"]) - set(countries))
    raise_all(DataError, f"{file.name} cannot be used", [f"{c} buys, and sells nothing" for c in strangers])
    n, k = len(countries), len(industries)
    intermediate, final = np.zeros((n, k, n, k)), np.zeros((n, k, n))
    inner = sales[sales["kind"] == "intermediate"]
    outer = sales[sales["kind"] == "final"]
    at = [inner[c].map(m).to_numpy() for c, m in (("origin", place), ("sector", row), ("destination", place))]
    np.add.at(intermediate, (*at, inner["use"].map(row).to_numpy()), inner["value_usd"].to_numpy(float))
    at = [outer[c].map(m).to_numpy() for c, m in (("origin", place), ("sector", row), ("destination", place))]
    np.add.at(final, tuple(at), outer["value_usd"].to_numpy(float))
    bad = np.argwhere(intermediate < -1e-6 * max(float(intermediate.max()), 1.0))
    raise_all(
        DataError,
        f"{file.name} cannot be used; expected 0 or more in intermediate use",
        [
            f"{countries[i]} {industries[s]} -> {countries[j]} {industries[u]}: {intermediate[i, s, j, u]:.6g}"
            for i, s, j, u in bad
        ],
    )
    intermediate = np.maximum(intermediate, 0.0)
    negative = np.argwhere(final < 0)
    clipped = pd.DataFrame(
        [(countries[i], industries[s], countries[j], float(final[i, s, j])) for i, s, j in negative.tolist()],
        columns=["origin", "industry", "destination", "value_usd"],
    )
    cost = intermediate.sum(axis=(0, 1))
    paid = cells[cells["kind"].isin(["value_added", "taxes", "adjustment"]) & cells["use"].isin(industries)]
    stated = np.full((n, k), np.nan)
    if (paid["kind"] == "value_added").any():
        stated = cost.copy()
        where = (paid["destination"].map(place).to_numpy(), paid["use"].map(row).to_numpy())
        np.add.at(stated, where, paid["value_usd"].to_numpy(float))
    table = Table(countries, industries, intermediate, final, stated, clipped, provenance)
    return table


def _one_file(path: Path, year: int | None) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path} does not exist; expected a file of an input-output table, or a folder with one")
    known = (".csv", ".zip", ".parquet", ".xlsx", ".xlsb", ".dta")
    files = [p for p in sorted(path.iterdir()) if p.suffix.casefold() in known]
    chosen = files if year is None else [p for p in files if str(year) in p.name]
    if len(chosen) != 1:
        held = ", ".join(p.name for p in files) or "no table"
        raise InputError(f"{path} holds {held}; name one file, or the year of one with --table-year")
    return chosen[0]


def require_balanced(table: Table, rtol: float) -> None:
    """Raise for every industry whose sales differ from its stated costs, or fall short of its inputs.

    Where no value added is stated, inputs may exceed sales by `ROUNDING` of the country's output: published tables are
    rounded, and hold a few tiny industries that sell less than they buy.

    Raises
    ------
    UnbalancedError
        Each such industry is named with both sides.
    """
    sales: Numbers = table.intermediate.sum(axis=(2, 3)) + table.final.sum(axis=2)
    inputs: Numbers = table.intermediate.sum(axis=(0, 1))
    known = ~np.isnan(table.stated_cost)
    country = sales.sum(axis=1, keepdims=True)
    size = np.maximum(sales, 1e-4 * country)
    off = known & (np.abs(sales - np.where(known, table.stated_cost, 0.0)) > rtol * size)
    problems = [
        f"{table.countries[i]} {table.industries[k]}: sales {sales[i, k]:.6g}, "
        f"inputs, taxes and value added {table.stated_cost[i, k]:.6g}"
        for i, k in np.argwhere(off)
    ]
    short = ~known & (np.maximum(sales, 0.0) < inputs - np.maximum(rtol * sales, ROUNDING * country))
    problems += [
        f"{table.countries[i]} {table.industries[k]}: sales {sales[i, k]:.6g} are less than inputs {inputs[i, k]:.6g}"
        for i, k in np.argwhere(short)
    ]
    raise_all(UnbalancedError, f"{table.provenance.file} does not balance; correct these industries", problems)
