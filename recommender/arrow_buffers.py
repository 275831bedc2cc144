"""Arrow arrays seen as NumPy arrays, straight from their buffers.

pyarrow's own `to_numpy`, `fill_null` and the like import pandas wherever it is installed, which costs a serving process a
quarter of a second and tens of megabytes for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DTYPES: dict[pa.DataType, np.dtype[Any]] = {
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.uint32(): np.dtype(np.uint32),
    pa.float64(): np.dtype(np.float64),
}


def numbers_in(array: pa.Array, missing: float = 0) -> npt.NDArray[Any]:
    """The values of a numeric array, shape (n,); nulls become `missing`.

    A view of its buffer where none is null or the buffer says `missing` of those, as after `with_missing`.
    """
    dtype = _DTYPES[array.type]
    if not len(array):
        return np.zeros(0, dtype=dtype)
    values: npt.NDArray[Any] = np.frombuffer(array.buffers()[1], dtype=dtype)[array.offset : array.offset + len(array)]
    if not array.null_count:
        return values
    there = _bits(array, 0)
    if np.array_equal(values[~there], np.full(array.null_count, missing, dtype=dtype), equal_nan=dtype.kind == "f"):
        return values
    return np.where(there, values, dtype.type(missing))


def with_missing(array: pa.Array, missing: float) -> pa.Array:
    """A numeric `array` whose buffer says `missing` of nulls, which Arrow leaves open: `numbers_in` need not copy it then."""
    if not array.null_count:
        return array
    validity = pa.py_buffer(np.packbits(_bits(array, 0), bitorder="little"))
    return pa.Array.from_buffers(array.type, len(array), [validity, pa.py_buffer(numbers_in(array, missing))], array.null_count)


def booleans_in(array: pa.Array) -> npt.NDArray[np.int8]:
    """The values of a true/false array, shape (n,), int8: 1, 0, or -1 for nulls."""
    if not len(array):
        return np.zeros(0, dtype=np.int8)
    values = _bits(array, 1).astype(np.int8)
    return values if not array.null_count else np.where(_bits(array, 0), values, np.int8(-1))


class Texts:
    """The values of an array of strings without nulls, read one by one: Arrow's own way makes an object of each first."""

    def __init__(self, array: pa.Array) -> None:
        """Raises ValueError where a value is missing."""
        if array.null_count:
            raise ValueError(f"{array.null_count} of {len(array)} texts are missing, allowed are none")
        if len(array):
            self._offsets = np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset :]
            self._data = memoryview(array.buffers()[2] or b"")
        else:
            self._offsets, self._data = np.frombuffer(bytes(4), dtype=np.int32), memoryview(b"")

    @property
    def ends(self) -> npt.NDArray[np.int32]:
        """Where each text begins in `data`, and after it where the last one ends; read-only."""
        return self._offsets

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """All texts in UTF-8, shape (b,), read-only."""
        return np.frombuffer(self._data, dtype=np.uint8)

    def one(self, place: int) -> bytes:
        """The text at `place`, in UTF-8."""
        return bytes(self._data[self._offsets[place] : self._offsets[place + 1]])

    def at(self, places: npt.NDArray[np.integer] | Sequence[int]) -> list[str]:
        """The texts at `places`, in their order."""
        chosen = np.asarray(places, dtype=np.int64)
        data, starts, ends = self._data, self._offsets[chosen].tolist(), self._offsets[chosen + 1].tolist()
        return [str(data[start:end], "utf-8") for start, end in zip(starts, ends, strict=True)]


def _bits(array: pa.Array, buffer: int) -> npt.NDArray[np.bool_]:
    packed = np.frombuffer(array.buffers()[buffer], dtype=np.uint8)
    return np.unpackbits(packed, bitorder="little")[array.offset : array.offset + len(array)].astype(np.bool_)
