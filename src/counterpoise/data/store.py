"""What is shipped: the embedded world and its detail tables, small Parquet files inside the package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from counterpoise.core.errors import DataError, InputError, did_you_mean, raise_all
from counterpoise.core.storage import atomic_path
from counterpoise.core.world import World
from counterpoise.data.concordance import sectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TABLES", "WORLDS", "embedded_path", "load_table", "load_world", "write_table"]

WORLDS = ("embedded2024",)
"""Names that `load_world` knows besides paths."""

TABLES: dict[str, str] = {
    "products": "goods trade 2024 by HS: HS4 for region pairs, HS6 for India, Russia and the USA",
    "markets": "world trade 2024 by HS6: between regions, what is filled included",
    "pairs": "goods trade totals 2023 and 2024 by country pair",
    "years": "India's trade with Russia, the USA and the world by year",
    "crude": "India's imports of crude oil, value and tonnes",
    "headings": "names of HS headings",
    "elasticities": "trade elasticities by set and sector",
    "episodes": "pairs and countries that a fill touched or flagged",
}
"""Names that `load_table` knows, with what each holds."""


def embedded_path(name: str) -> Path:
    """Return the path of a shipped file by its name without ``.parquet``."""
    return Path(str(resources.files("counterpoise.data").joinpath("embedded", f"{name}.parquet")))


def load_table(name: str, *, folder: Path | None = None) -> pd.DataFrame:
    """Return a detail table.

    Parameters
    ----------
    name
        One of `TABLES`. ``products`` has columns origin, destination (regions or ``WORLD``), hs (string; ``other``
        pools what is below 1,000 USD), level (``hs4`` or ``hs6``), value_usd, source.
    folder
        Folder that ``data build-world`` wrote; the shipped files by default.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if name not in TABLES:
        raise InputError(f"unknown table '{name}'{did_you_mean(name, TABLES)} Known: {', '.join(TABLES)}")
    return pd.read_parquet(embedded_path(name) if folder is None else folder / f"{name}.parquet")


def load_world(name: str | Path = "embedded2024", *, elasticities: str = "fgo") -> World:
    """Return the embedded world, or one that ``data build-world`` wrote.

    Parameters
    ----------
    name
        One of `WORLDS`, or the path of a world file.
    elasticities
        Set of trade elasticities, see `counterpoise.data.elasticities.ELASTICITY_SETS`, or the path of a CSV file with
        columns sector and trade_elasticity, as ``estimate gravity`` writes; sectors that it leaves out keep their own.
        A world file of your own keeps its elasticities unless another set than the default is asked for.

    Raises
    ------
    InputError
        If the name or the set is unknown.
    DataError
        If the file cannot be read.
    """
    path = Path(name)
    shipped = str(name) in WORLDS
    if not shipped and path.suffix != ".parquet":
        raise InputError(
            f"unknown world '{name}'{did_you_mean(str(name), WORLDS)} "
            f"Known: {', '.join(WORLDS)}, or the path of a .parquet file"
        )
    if Path(elasticities).suffix == ".csv":
        theta = _elasticity_file(Path(elasticities))
        return _with_some(_stored(str(name)) if shipped else World.load(path), theta, elasticities)
    theta = _elasticity_set(elasticities)
    return _shipped(str(name), elasticities) if shipped else _with_set(World.load(path), theta, elasticities)


@cache
def _stored(name: str) -> World:
    """Return a shipped world as it is stored; read once, since worlds cannot be changed."""
    return World.load(embedded_path(name))


@cache
def _shipped(name: str, elasticities: str) -> World:
    """Return a shipped world with a set of elasticities, one world for all who ask for the same."""
    return _with_set(_stored(name), _elasticity_set(elasticities), elasticities)


def _with_set(world: World, theta: Mapping[str, float], elasticities: str) -> World:
    """Return a world with a set of elasticities; its own where the set is the default."""
    if elasticities == "fgo":
        return world
    lacking = [sector for sector in world.sectors if sector not in theta]
    if lacking:
        raise InputError(
            f"elasticity set '{elasticities}' has no sector {', '.join(lacking)}; "
            "pass trade_elasticity to World.with_changes"
        )
    return world.with_changes(
        trade_elasticity=[theta[sector] for sector in world.sectors], consumption_share=world.consumption_share
    )


def _elasticity_file(path: Path) -> dict[str, float]:
    """Return elasticities by sector from a CSV file.

    Raises
    ------
    InputError
        If there is no such file.
    DataError
        If columns are missing, a sector occurs twice, or a number is not above zero; every line is named.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a CSV file with columns sector and trade_elasticity")
    table = pd.read_csv(path)
    lacking = [c for c in ("sector", "trade_elasticity") if c not in table.columns]
    if lacking:
        raise DataError(f"{path} lacks the columns {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}")
    theta = pd.to_numeric(table["trade_elasticity"], errors="coerce")
    bad = ~(theta > 0) | (theta == float("inf")) | table["sector"].duplicated() | table["sector"].isna()
    raise_all(
        DataError,
        f"{path} cannot be used; expected each sector once with a number above zero",
        [
            f"line {k + 2}: {table['sector'].iloc[k]}, {table['trade_elasticity'].iloc[k]}"
            for k in range(len(table))
            if bad.iloc[k]
        ],
    )
    return dict(zip(table["sector"].astype(str), theta.astype(float), strict=True))


def _with_some(world: World, theta: dict[str, float], named: str) -> World:
    """Return a world with some elasticities replaced.

    Raises
    ------
    InputError
        If a sector is not in the world.
    """
    problems = [f"'{s}'{did_you_mean(s, world.sectors)}" for s in theta if s not in world.sectors]
    raise_all(InputError, f"{named} names sectors that the world does not have", problems)
    old = world.trade_elasticity.to_numpy()
    new = [theta.get(sector, float(old[k])) for k, sector in enumerate(world.sectors)]
    return world.with_changes(trade_elasticity=new, consumption_share=world.consumption_share)


@cache
def _elasticity_set(name: str) -> dict[str, float]:
    table = load_table("elasticities")
    known = sorted(table["set"].unique())
    if name not in known:
        raise InputError(f"unknown elasticity set '{name}'{did_you_mean(name, known)} Known: {', '.join(known)}")
    chosen = table[table["set"] == name].set_index("sector")["trade_elasticity"]
    return {sector: float(chosen[sector]) for sector in sectors()}


def write_table(path: Path, table: pd.DataFrame, dictionary: Sequence[str] = ()) -> None:
    """Write a table as Parquet with fixed options, atomically: equal content gives equal bytes.

    Parameters
    ----------
    dictionary
        Columns of numbers that repeat and are stored by dictionary, as all text is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = [str(name) for name in table.columns if pd.api.types.is_string_dtype(table[name])]
    columns: dict[str, Any] = {
        str(name): pa.array(table[name].tolist(), pa.string()) if name in text else pa.array(table[name].to_numpy())
        for name in table.columns
    }
    with atomic_path(path) as temporary:
        pq.write_table(
            pa.table(columns),
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=[*text, *dictionary],  # pyright: ignore[reportArgumentType] - a list is fine
            write_statistics=False,
            store_schema=False,
            row_group_size=1 << 22,
        )
