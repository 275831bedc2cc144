"""Records as files and back: trees of frozen records, NamedTuples, containers, numbers and arrays, exactly as they were.

Structure goes into one JSON file, arrays one after the other into another, each with its dtype, shape and order in memory. Records are
made anew by their constructors, which check them; only those of `KNOWN` are made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from indexing.blending.blending import Learnt
from indexing.embedding import CatalogueVectors
from indexing.gate import Latencies
from indexing.twin import TwinReport
from recommender.alike_lists import AlikeLists
from recommender.event_table import EventTable
from recommender.graph_filter import ItemSpectrum
from recommender.judging import HeldOut, Interval
from recommender.judging.comparison import Comparison
from recommender.judging.replay import Judgement
from recommender.lists import Lists
from recommender.ranking import Blend
from recommender.ranking.trees import Trees
from recommender.search.spelling import Vocabulary
from recommender.search.word_index import WordIndex
from recommender.sequence_model import SequenceModel

STRUCTURE, ARRAYS = "structure.json", "arrays.bin"
ALIGNMENT = 64

KNOWN: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (
        AlikeLists,
        Blend,
        CatalogueVectors,
        Comparison,
        EventTable,
        HeldOut,
        Interval,
        ItemSpectrum,
        Judgement,
        Latencies,
        Learnt,
        Lists,
        SequenceModel,
        Trees,
        TwinReport,
        Vocabulary,
        WordIndex,
    )
}


def write_record(value: object, folder: Path) -> None:
    """Write `value` into the existing `folder`. Raises OSError where that fails, and TypeError for what is no such tree."""
    with (folder / ARRAYS).open("wb") as file:
        writer = _Writer(file)
        structure = {"value": writer.plain(value), "arrays": writer.arrays}
    (folder / STRUCTURE).write_text(json.dumps(structure), encoding="utf-8")


def read_record(folder: Path) -> Any:
    """What `write_record` wrote; arrays are the caller's own. Raises OSError, ValueError, TypeError or KeyError for what it did not."""
    structure = json.loads((folder / STRUCTURE).read_text(encoding="utf-8"))
    with (folder / ARRAYS).open("rb") as file:
        arrays = [_array(file, entry) for entry in structure["arrays"]]
    return _made(structure["value"], arrays)


class _Writer:
    """Writes arrays to a file as it comes upon them; each object once, however often it is met."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[int, int] = {}
        # Kept, so that no other array gets the address of one that is gone.
        self._met: list[npt.NDArray[np.generic]] = []
        self.arrays: list[dict[str, object]] = []

    def plain(self, value: object) -> object:
        """`value` as JSON has it."""
        if value is None or isinstance(value, bool | int | float | str):
            # NumPy's own numbers are numbers of Python as well, but not to JSON.
            return value.item() if isinstance(value, np.generic) else value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return {"array": self._place(value)}
        if isinstance(value, BitMap):
            return {"bitmap": self._place(np.array(value, dtype=np.uint32))}
        if isinstance(value, Mapping):
            return {"map": [[name, self.plain(part)] for name, part in value.items()]}
        name = type(value).__name__
        if KNOWN.get(name) is type(value):
            names = value._fields if isinstance(value, tuple) else _given(value)  # type: ignore[attr-defined]
            return {"record": name, "fields": {field: self.plain(getattr(value, field)) for field in names}}
        if type(value) is list or type(value) is tuple:
            return {type(value).__name__: [self.plain(part) for part in value]}
        raise TypeError(f"{name} is no record that is kept")

    def _place(self, array: npt.NDArray[np.generic]) -> int:
        known = self._places.get(id(array))
        if known is not None:
            return known
        if array.dtype.hasobject:
            raise TypeError("an array of objects is not kept")
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
        entry: dict[str, object] = {
            "dtype": np.lib.format.dtype_to_descr(array.dtype),
            "shape": list(array.shape),
            "order": order,
            "at": self._file.tell(),
        }
        np.ravel(array, order="F" if order == "F" else "C").tofile(self._file)
        self._places[id(array)] = len(self.arrays)
        self._met.append(array)
        self.arrays.append(entry)
        return len(self.arrays) - 1


def _given(value: object) -> list[str]:
    """The fields of a record that its constructor takes."""
    assert is_dataclass(value)
    return [field.name for field in fields(value) if field.init]


def _array(file: BinaryIO, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    descr = entry["dtype"]
    dtype: np.dtype[Any] = np.lib.format.descr_to_dtype(descr if isinstance(descr, str) else [tuple(field) for field in descr])  # type: ignore[arg-type]
    file.seek(entry["at"])
    count = math.prod(entry["shape"])
    flat = np.fromfile(file, dtype=dtype, count=count)
    if len(flat) != count:
        raise ValueError(f"{ARRAYS} ends within an array")
    return flat.reshape(entry["shape"], order=entry["order"])


def _made(plain: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        return arrays[plain["array"]]
    if "bitmap" in plain:
        return BitMap(arrays[plain["bitmap"]])
    if "map" in plain:
        return {name: _made(part, arrays) for name, part in plain["map"]}
    if "record" in plain:
        return KNOWN[plain["record"]](**{name: _made(part, arrays) for name, part in plain["fields"].items()})
    [(kind, parts)] = plain.items()
    made = [_made(part, arrays) for part in parts]
    return tuple(made) if kind == "tuple" else made
