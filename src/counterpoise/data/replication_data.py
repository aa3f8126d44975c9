"""Tables of published papers, read as they were published: what `counterpoise.report.replication` starts from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterpoise.core import World, WorldMeta
from counterpoise.core.errors import DataError, SourceMissingError, raise_all
from counterpoise.data.sources import ENVIRONMENT_VARIABLE

__all__ = [
    "CaliendoParro",
    "GravitySample",
    "LiberationDay",
    "load_caliendo_parro",
    "load_gravity_sample",
    "load_liberation_day",
    "load_ossa",
]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CaliendoParro:
    """The data of Caliendo and Parro (2015) for 1993 and the tariffs of 2005.

    ``world`` does not balance: the authors set negative final demand to zero and rescaled the rest to income, so
    spending and income agree only after a re-base. ``tariff_rate_cf`` is (N, N, S): what the members of NAFTA charged
    each other in 2005, all other tariffs as in 1993.
    """

    world: World
    tariff_rate_cf: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class LiberationDay:
    """Goods trade and GDP of 2023, and the tariffs that the United States announced on 2 April 2025.

    ``flow`` (N, N) is USD at customs value without domestic sales, ``gdp_usd`` (N,), ``us_tariff_rate`` (N,) the
    announced rate on each origin, at least 10 % and zero on the United States.
    """

    countries: tuple[str, ...]
    flow: Numbers
    gdp_usd: Numbers
    us_tariff_rate: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class GravitySample:
    """The 30 x 30 gravity sample of 2006 that comes with gegravity.

    ``table`` has one row per exporter and importer: trade, pta, contiguity, common_language, lndist, international.
    ``output`` and ``expenditure`` (N,) are the published totals, in millions of USD; the sums of ``trade`` differ.
    """

    countries: tuple[str, ...]
    table: pd.DataFrame
    output: Numbers
    expenditure: Numbers

    def matrix(self, column: str) -> Numbers:
        """Return a column of the table as (N exporter, N importer)."""
        return _cube(self.table, column, {"exporter": self.countries, "importer": self.countries})


def load_caliendo_parro(sources: Path | str | None = None) -> CaliendoParro:
    """Read the 31 regions and 40 sectors of Caliendo and Parro (2015).

    Parameters
    ----------
    sources
        Folder that holds ``data/``; by default the environment or the folder beside the repository.

    Raises
    ------
    SourceMissingError
        If a table is not there; the message names each.
    DataError
        If a table lacks a cell or holds one twice.

    References
    ----------
    Caliendo and Parro (2015), Review of Economic Studies 82(1).
    """
    names = ("trade", "intermediate_consumption", "final_consumption", "value_added", "theta")
    path = _files(sources, "cp2015", [f"{name}.parquet" for name in names])
    trade, inputs, final, value_added, theta = (pd.read_parquet(path / f"{name}.parquet") for name in names)
    countries = tuple(str(v) for v in trade["exporter"].unique())
    sectors = tuple(str(v) for v in trade["sector"].unique())
    lines = {"exporter": countries, "importer": countries, "sector": sectors}
    used = _cube(inputs, "value", {"region": countries, "input": sectors, "sector": sectors})
    earned = _cube(value_added, "value", {"region": countries, "sector": sectors})
    consumed = _cube(final, "value", {"region": countries, "sector": sectors})
    output = earned + used.sum(axis=1)
    world = World.from_arrays(
        countries=countries,
        sectors=sectors,
        flow=_cube(trade, "value", lines),
        tariff_rate=_cube(trade, "tariff_bln", lines),
        value_added_share=earned / output,
        io_coefficient=used / output[:, None, :],
        consumption_share=consumed / consumed.sum(axis=1, keepdims=True),
        trade_elasticity=_cube(theta, "value", {"sector": sectors}),
        meta=WorldMeta(
            name="Caliendo-Parro 1993",
            trade_year=1993,
            gdp_year=1993,
            sources=("Caliendo and Parro (2015), Review of Economic Studies 82(1)",),
            notes=(
                "spending and income agree only after a re-base: negative final demand was set to zero by the authors",
            ),
        ),
    )
    return CaliendoParro(world, _cube(trade, "tariff_cfl", lines))


def load_liberation_day(sources: Path | str | None = None) -> LiberationDay:
    """Read the 194 countries of Ignatenko, Lashkaripour, Macedoni and Simonovska (2025).

    Parameters
    ----------
    sources
        Folder that holds ``data/``; by default the environment or the folder beside the repository.

    Raises
    ------
    SourceMissingError
        If a table is not there.

    References
    ----------
    Ignatenko, Lashkaripour, Macedoni and Simonovska (2025), Journal of International Economics 157.
    """
    path = _files(sources, "baci2023", ["trade.parquet", "countries.csv"])
    trade = pd.read_parquet(path / "trade.parquet")
    listed = pd.read_csv(path / "countries.csv", keep_default_na=False)
    countries = tuple(str(v) for v in listed["iso3"])
    pairs = pd.MultiIndex.from_product([countries, countries])
    reported = trade.set_index(["exporter", "importer"])["value_thousand_usd"]
    strangers = sorted({str(v) for v in reported.index.difference(pairs).to_numpy().ravel()})
    raise_all(DataError, "trade.parquet names pairs that countries.csv lacks", strangers)
    flow = 1e3 * reported.reindex(pairs, fill_value=0.0).to_numpy(dtype=np.float64).reshape(len(countries), -1)
    np.fill_diagonal(flow, 0.0)
    rate = np.maximum(0.10, listed["us_tariff_april_2025"].to_numpy(dtype=np.float64))
    rate[countries.index("USA")] = 0.0
    return LiberationDay(countries, flow, listed["gdp_usd"].to_numpy(dtype=np.float64), rate)


def load_ossa(sources: Path | str | None = None) -> World:
    """Read the 7 regions and 33 sectors of Ossa (2014) for 2007.

    The trade elasticity is the substitution elasticity minus one. There are no intermediate inputs: all of gross output
    is wages and profits. Trade is not balanced; the paper removes the imbalances first.

    Parameters
    ----------
    sources
        Folder that holds ``data/``; by default the environment or the folder beside the repository.

    Raises
    ------
    SourceMissingError
        If a table is not there.
    DataError
        If a table lacks a cell or holds one twice.

    References
    ----------
    Ossa (2014), American Economic Review 104(12).
    """
    path = _files(sources, "ossa2014", ["trade.parquet", "sigma.csv"])
    trade, sigma = pd.read_parquet(path / "trade.parquet"), pd.read_csv(path / "sigma.csv")
    countries = tuple(str(v) for v in trade["origin"].unique())
    sectors = tuple(str(v) for v in sigma["sector"])
    lines = {"origin": countries, "destination": countries, "sector": sectors}
    return World.from_arrays(
        countries=countries,
        sectors=sectors,
        flow=1e6 * _cube(trade, "flow_usd_mn", lines),
        tariff_rate=_cube(trade, "tariff_rate", lines),
        trade_elasticity=_cube(sigma, "substitution_elasticity", {"sector": sectors}) - 1.0,
        meta=WorldMeta(
            name="Ossa 2007",
            trade_year=2007,
            gdp_year=2007,
            sources=("Ossa (2014), American Economic Review 104(12)", "GTAP 8"),
        ),
    )


def load_gravity_sample(sources: Path | str | None = None) -> GravitySample:
    """Read the example data of gegravity 0.3.

    Parameters
    ----------
    sources
        Folder that holds ``data/``; by default the environment or the folder beside the repository.

    Raises
    ------
    SourceMissingError
        If the table is not there.

    References
    ----------
    Herman (2024), gegravity: General Equilibrium Gravity Modelling in Python, version 0.3, example data.
    """
    table = pd.read_csv(_files(sources, "gegravity_example", ["sample_data_set.dlm"]) / "sample_data_set.dlm")
    countries = tuple(sorted(str(v) for v in table["exporter"].unique()))

    def total(by: str, column: str) -> Numbers:
        return table.groupby(by)[column].first().loc[list(countries)].to_numpy(dtype=np.float64)

    return GravitySample(countries, table, output=total("exporter", "Y"), expenditure=total("importer", "E"))


def _files(sources: Path | str | None, folder: str, names: Sequence[str]) -> Path:
    """Return the folder of one published table, every file in it present."""
    named = str(sources) if sources is not None else os.environ.get(ENVIRONMENT_VARIABLE, "")
    root = Path(named).expanduser() if named else Path(__file__).resolve().parents[3].parent / "shared"
    path = root / "data" / folder
    absent = [f"data/{folder}/{name} is not in {root}" for name in names if not (path / name).is_file()]
    headline = f"the published tables cannot be read; name their folder with --sources DIR or {ENVIRONMENT_VARIABLE}"
    raise_all(SourceMissingError, headline, absent)
    return path


def _cube(table: pd.DataFrame, column: str, axes: dict[str, tuple[str, ...]]) -> Numbers:
    """Return a column of a long table as an array with one axis per key; every cell must be there exactly once."""
    keys = [tuple(str(label) for label in key) for key in zip(*(table[axis] for axis in axes), strict=True)]
    values = dict(zip(keys, table[column].to_numpy(dtype=np.float64), strict=True))
    cells = list(product(*axes.values()))
    problems = [f"'{column}' lacks {', '.join(cell)}" for cell in cells if cell not in values]
    problems += [f"'{column}' has the unknown cell {', '.join(cell)}" for cell in sorted(values.keys() - set(cells))]
    if len(values) < len(keys):
        problems.append(f"{len(keys) - len(values)} cells of '{column}' stand more than once")
    raise_all(DataError, "the published table cannot be read", problems)
    return np.array([values[cell] for cell in cells]).reshape([len(labels) for labels in axes.values()])
