"""Logged decisions from a table in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from eval.off_policy.logged import Floats, LoggedDecisions
from recommender.errors import InvalidInput

REQUIRED = ("reward", "propensity", "target_probability")
MODEL = ("q_logged", "q_target")

_READERS = {
    ".csv": pyarrow.csv.read_csv,
    ".jsonl": pyarrow.json.read_json,
    ".parquet": pyarrow.parquet.read_table,
}


def read_logged(path: Path) -> LoggedDecisions:
    """The rows of a `.csv`, `.jsonl` or `.parquet` file as `LoggedDecisions`.

    Columns `reward`, `propensity` and `target_probability`; optionally `q_logged` and `q_target`, and `cluster` (text or whole numbers).
    Others are left out. Raises `InvalidInput` for a file of another kind, unreadable, without these columns, or with a missing or
    impossible value, by column and row (from 0).
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput("FILE", path.name, "a file named " + ", ".join(f"*{ending}" for ending in _READERS))
    try:
        table = reader(str(path))
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(str(path), f"{type(error).__name__}: {error}", f"a readable {path.suffix.lower()[1:]} file") from error
    absent = [name for name in REQUIRED if name not in table.column_names]
    if absent:
        raise InvalidInput("columns", table.column_names, f"also {', '.join(absent)}")
    q_logged, q_target = (_numbers(table, name) if name in table.column_names else None for name in MODEL)
    cluster = _labels(table) if "cluster" in table.column_names else None
    reward, propensity, target_probability = (_numbers(table, name) for name in REQUIRED)
    return LoggedDecisions(reward, propensity, target_probability, q_logged, q_target, cluster)


def _numbers(table: pa.Table, name: str) -> Floats:
    try:
        column = table[name].cast(pa.float64())
    except pa.ArrowException as error:
        raise InvalidInput(name, f"a column of {table[name].type}", "a column of numbers") from error
    return np.asarray(_complete(column, name).to_numpy(), dtype=np.float64)


def _labels(table: pa.Table) -> npt.NDArray[np.int64]:
    # Codes, since text of Arrow would become Python objects, which sort slowly.
    codes = _complete(table["cluster"], "cluster").combine_chunks().dictionary_encode()
    joined = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return np.asarray(joined.indices.to_numpy(), dtype=np.int64)


def _complete(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if column.null_count:
        row = pc.index(pc.is_null(column), pa.scalar(True)).as_py()
        raise InvalidInput(f"{name}[{row}]", None, "a value in every row")
    return column
