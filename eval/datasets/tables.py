"""Tables in text files: columns by name and type, and a bad value named by file and line."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from eval.datasets.text_lines import content_of
from recommender.errors import InvalidInput

_TYPES = {"int64": pa.int64(), "float64": pa.float64(), "str": pa.string()}
_ROW = re.compile(r"Row #([0-9]+): (.*)", re.DOTALL)


def columns_of(path: Path) -> list[str]:
    """The names in the first line of a CSV file; "" for a column without one. Raises `InvalidInput` by file."""
    _check_readable(path)
    try:
        with csv.open_csv(path) as stream:
            return list(stream.schema.names)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), str(error), "comma-separated text in UTF-8") from error


def read_table(path: Path, types: Mapping[str, str], *, names: Sequence[str] | None = None, separator: str = ",") -> pd.DataFrame:
    """The columns of a CSV file in UTF-8 that `types` names, as "int64", "float64" or "str"; others are left out.

    Without `names` the first line names the columns, with it there is no such line. With a `separator` other than a comma, of one sign or
    several, quotes mean nothing. Every line has the same number of fields, numbers
    are there and finite, texts may be empty. Raises `InvalidInput` by file, and by line where one line is wrong; lines are counted as if
    no text went over several.
    """
    _check_readable(path)
    plain = separator == ","
    columns = ", ".join(f"{name} ({kind})" for name, kind in types.items())
    allowed = f"{'comma-separated text' if plain else f'text separated by {separator!r}'} in UTF-8 with {columns}"
    try:
        table = csv.read_csv(
            # Arrow knows separators of one sign alone.
            path if plain else io.BytesIO(content_of(path).replace(separator.encode(), b"\t")),
            # Rows are counted only where one thread reads them in order.
            read_options=csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=csv.ParseOptions(
                delimiter="," if plain else "\t",
                quote_char='"' if plain else False,
                newlines_in_values=plain,
                ignore_empty_lines=False,
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: _TYPES[kind] for name, kind in types.items()}, include_columns=list(types), null_values=[]
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        found = _ROW.search(str(error))
        where, given = (f"{path}:{found[1]}", found[2]) if found else (str(path), str(error))
        raise InvalidInput(where, given, allowed) from error
    frame = table.to_pandas()
    for name, kind in types.items():
        if kind == "float64" and not (finite := np.isfinite(frame[name].to_numpy())).all():
            row = int(np.flatnonzero(~finite)[0])
            raise InvalidInput(f"{path}:{row + (2 if names is None else 1)}", float(frame[name].iloc[row]), f"a finite number as {name}")
    return frame


def _check_readable(path: Path) -> None:
    if not path.is_file():
        content_of(path)
