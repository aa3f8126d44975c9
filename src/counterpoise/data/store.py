"""What is shipped: the embedded world and its detail tables, small Parquet files inside the package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from counterpoise.core.errors import InputError, did_you_mean
from counterpoise.core.storage import atomic_path
from counterpoise.core.world import World
from counterpoise.data.concordance import sectors

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        Set of trade elasticities, see `counterpoise.data.elasticities.ELASTICITY_SETS`. A world file of your own
        keeps its elasticities unless another set than the default is asked for.

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
    theta = _elasticity_set(elasticities)
    world = World.load(embedded_path(str(name)) if shipped else path)
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
