"""Labelled arrays as one Parquet file: a long table (variable, dim1, dim2, dim3, value) and JSON metadata.

Zero cells are not stored: the metadata say which labels exist, and absence of a *report* is an array of its own.
Rows are in a fixed order and writer options are fixed, so equal content gives equal bytes.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr

from counterpoise.core.errors import DataError
from counterpoise.core.labels import dim_labels
from counterpoise.core.variables import variable

__all__ = ["atomic_path", "read_arrays", "write_arrays"]

_FORMAT = "counterpoise-arrays-1"
_DIM_COLUMNS = ("dim1", "dim2", "dim3")


class atomic_path:
    """Give a temporary path beside ``path``, renamed into place on success; on failure ``path`` is untouched."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        """Make the temporary file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Rename on success, remove on failure."""
        if kind is None:
            self.temporary.chmod(0o644)
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, xr.DataArray], metadata: Mapping[str, Any]) -> None:
    """Write labelled arrays of at most three dims to one Parquet file, atomically and reproducibly.

    Parameters
    ----------
    path
        File to write.
    arrays
        Arrays by vocabulary name; NaN-free.
    metadata
        JSON-ready; must hold ``countries`` and ``sectors``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[np.ndarray]] = {"variable": [], "dim1": [], "dim2": [], "dim3": [], "value": []}
    for name, array in arrays.items():
        values = array.to_numpy().astype(np.float64)
        cells = np.nonzero(values)
        count = len(cells[0])
        columns["variable"].append(np.full(count, name, dtype=object))
        for k, column in enumerate(_DIM_COLUMNS):
            labels = np.asarray(array.coords[array.dims[k]].to_numpy(), dtype=object) if k < values.ndim else None
            columns[column].append(np.full(count, "", dtype=object) if labels is None else labels[cells[k]])
        columns["value"].append(values[cells])
    table = cast(Any, pa).table({name: np.concatenate(parts) for name, parts in columns.items()})
    text = json.dumps({**metadata, "arrays": list(arrays)}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    table = table.replace_schema_metadata({"format": _FORMAT, "counterpoise": text})
    with atomic_path(path) as temporary:
        cast(Any, pq).write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=[c for c in columns if c != "value"],
            use_byte_stream_split=["value"],
            write_statistics=False,
        )


def read_arrays(path: Path, names: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_arrays` wrote.

    Returns
    -------
    Bare arrays by name in the order of the labels in the metadata, and the metadata.

    Raises
    ------
    DataError
        If the file is missing, is not of this format, or lacks one of ``names``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a world file that World.save or 'data build-world' wrote")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} is not a readable Parquet file ({error}); rebuild it with 'data build-world'"
        ) from error
    header = table.schema.metadata or {}
    if header.get(b"format") != _FORMAT.encode():
        raise DataError(f"{path} is not a world file: its format is {header.get(b'format')!r}, expected '{_FORMAT}'")
    metadata: dict[str, Any] = json.loads(header[b"counterpoise"])
    lacking = [name for name in names if name not in metadata["arrays"]]
    if lacking:
        raise DataError(f"{path} lacks {', '.join(lacking)}; it holds {', '.join(metadata['arrays'])}; rebuild it")
    position = {
        dim: {label: k for k, label in enumerate(labels)}
        for dim, labels in dim_labels(metadata["countries"], metadata["sectors"]).items()
    }
    column = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
    out: dict[str, np.ndarray] = {}
    for name in names:
        row = variable(name)
        dense = np.zeros([len(position[dim]) for dim in row.dims])
        mine = column["variable"] == name
        where = tuple(
            np.array([position[dim][label] for label in column[_DIM_COLUMNS[k]][mine]], dtype=np.intp)
            for k, dim in enumerate(row.dims)
        )
        dense[where] = column["value"][mine]
        out[name] = dense.astype(bool) if row.unit == "bool" else dense
    return out, metadata
