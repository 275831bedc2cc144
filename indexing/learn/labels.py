"""Labels of items as vectors: categories, tags, author and brand, weighted by how rare each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.columns import StringColumn, StringListColumn
from recommender.generation.catalogue import Catalogue

NAMES = ("categories", "tags", "author", "brand")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of n items as TF-IDF vectors of length 1, or 0 for none: `vectors`, shape (n, l), CSR, float32, indices sorted.

    `rarity`: shape (l,), float32, the weight of each label, 0 for one that a single item has, which says nothing. `values`: the labels
    of each of `NAMES`, which follow each other.
    """

    vectors: sp.csr_array
    rarity: Floats
    values: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Labels:
        """The labels of a catalogue."""
        columns = [_column(catalogue, name) for name in NAMES]
        values = tuple(column.values for column in columns)
        held = sp.csr_array(sp.hstack([_held(column, np.arange(len(column.values)), len(column.values)) for column in columns]))
        held.sum_duplicates()
        holders = np.bincount(held.indices, minlength=held.shape[1])
        rarity = np.where(holders > 1, np.log((catalogue.n + 1) / (holders + 0.5)), 0).astype(np.float32)
        return cls(_weighted(held, rarity), rarity, values)

    def others(self, catalogue: Catalogue) -> sp.csr_array:
        """The labels of the m items of another catalogue, shape (m, l), weighted as here; what nothing here has says nothing."""
        blocks = []
        for name, values in zip(NAMES, self.values, strict=True):
            column, codes = _column(catalogue, name), {value: code for code, value in enumerate(values)}
            blocks.append(_held(column, np.array([codes.get(value, -1) for value in column.values], dtype=np.int64), len(values)))
        held = sp.csr_array(sp.hstack(blocks))
        held.sum_duplicates()
        return _weighted(held, self.rarity)


def _column(catalogue: Catalogue, name: str) -> StringColumn | StringListColumn:
    column = catalogue.column(name)
    assert isinstance(column, StringColumn | StringListColumn)
    return column


def _held(column: StringColumn | StringListColumn, code_of: npt.NDArray[np.int64], count: int) -> sp.csr_array:
    """Ones where an item has a label of `column`, under the code that `code_of` gives it, -1 for none: shape (n, `count`)."""
    if isinstance(column, StringListColumn):
        codes, offsets = code_of[column.codes] if len(code_of) else column.codes.astype(np.int64), column.offsets
        known = codes >= 0
        offsets = np.concatenate([[0], np.cumsum(known)])[offsets]
    else:
        there = column.codes >= 0
        codes = np.full(len(column.codes), -1, dtype=np.int64)
        codes[there] = code_of[column.codes[there]]
        known = codes >= 0
        offsets = np.concatenate([[0], np.cumsum(known)])
    return sp.csr_array(
        (np.ones(int(np.count_nonzero(known)), dtype=np.float32), codes[known].astype(np.int32), offsets.astype(np.int32)),
        shape=(len(offsets) - 1, count),
    )


def _weighted(held: sp.csr_array, rarity: Floats) -> sp.csr_array:
    """Labels by their `rarity`, each row of length 1 or empty; what weighs nothing is left out. Changes `held`."""
    held.data = rarity[held.indices]
    held.eliminate_zeros()
    lengths = np.sqrt(np.asarray(held.power(2).sum(axis=1)).ravel())
    held.data /= np.repeat(lengths, np.diff(held.indptr)).astype(np.float32)
    held.sort_indices()
    return held
