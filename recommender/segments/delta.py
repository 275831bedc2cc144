"""What changed in a catalogue: new and changed items with their vectors, and the numbers of those that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recommender.errors import InvalidInput
from recommender.generation.catalogue import Catalogue
from recommender.halves import widened
from recommender.items import Item, ItemState
from recommender.search.word_index import WordIndex
from recommender.segments.loans import Loans, joined

Numbers = npt.NDArray[np.uint32]

UNIT = 1e-2
"""A vector's length may differ from 1 by so much."""


@dataclass(frozen=True, eq=False)
class Delta:
    """m items in order of their `numbers`, shape (m,), uint32, and the numbers `removed`, shape (g,), uint32, ascending; none is in both.

    `table`: the items as the catalogue of a generation holds them. `id_hashes`: shape (m,), uint64, of their ids, row by row.
    `halves`: shape (m, d), int16, the bits of their vectors in half precision, zeros where `has_vector`, shape (m,), is False. `loans`:
    what items of the generation lend to them.
    """

    table: pa.Table
    numbers: Numbers
    id_hashes: npt.NDArray[np.uint64]
    halves: npt.NDArray[np.int16]
    has_vector: npt.NDArray[np.bool_]
    removed: Numbers
    loans: Loans

    @classmethod
    def of(
        cls,
        items: Sequence[tuple[int, ItemState, Item]],
        vectors: npt.NDArray[np.float32],
        removed: npt.ArrayLike = (),
        *,
        dimension: int,
        loans: Loans | None = None,
    ) -> Delta:
        """The delta of (number, state, item) triples, in any order, with the vector of each and its `loans`, and of `removed` numbers.

        `vectors`: shape (m, `dimension`), float32, unit rows, or zeros for items without one. Raises `InvalidInput` for other vectors,
        an item that comes twice or is removed too, and a deleted one, whose number belongs among those removed.
        """
        numbers = np.array([number for number, _, _ in items], dtype=np.int64)
        gone = np.sort(np.asarray(removed, dtype=np.int64))
        _check_numbers(numbers, gone)
        for number, state, _ in items:
            if state is ItemState.DELETED:
                raise InvalidInput("items", number, "items that are not deleted; list their numbers as removed")
        if vectors.shape != (len(items), dimension):
            raise InvalidInput(
                "vectors", f"shape {vectors.shape}", f"({len(items)}, {dimension}): one for each item, as long as the base's"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        odd = np.flatnonzero(~((np.abs(lengths - 1) <= UNIT) | (lengths == 0)))
        if len(odd):
            raise InvalidInput("vectors", f"length {lengths[odd[0]]} of item {numbers[odd[0]]}", "finite vectors of length 1 or 0")
        catalogue = Catalogue.of(items)
        hashes = np.empty(len(items), dtype=np.uint64)
        hashes[catalogue.id_rows] = catalogue.id_hashes
        order = np.argsort(numbers, kind="stable")
        halves = np.ascontiguousarray(vectors[order].astype(np.float16)).view(np.int16)
        lent = Loans.none(len(items)) if loans is None else loans.at(order)
        return cls(catalogue.table, catalogue.numbers, hashes, halves, lengths[order] > 0, gone.astype(np.uint32), lent)

    @classmethod
    def empty(cls, dimension: int) -> Delta:
        """Nothing changed; vectors would have `dimension` numbers."""
        return cls.of([], np.zeros((0, dimension), dtype=np.float32), dimension=dimension)

    @property
    def dimension(self) -> int:
        """Length d of each vector."""
        return int(self.halves.shape[1])

    def vectors(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """The vectors of the items at `rows` of the delta, shape (r,): shape (r, d), float32."""
        return widened(self.halves, rows)

    def among(self, numbers: Numbers) -> Delta:
        """What it says of items of these `numbers` alone."""
        rows = np.flatnonzero(np.isin(self.numbers, numbers))
        return Delta(
            table=self.table.take(pa.array(rows)).combine_chunks(),
            numbers=self.numbers[rows],
            id_hashes=self.id_hashes[rows],
            halves=self.halves[rows],
            has_vector=self.has_vector[rows],
            removed=self.removed[np.isin(self.removed, numbers)],
            loans=self.loans.at(rows),
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items as a catalogue of their own, whose columns filters are evaluated on; row i is item `numbers[i]`."""
        order = np.argsort(self.id_hashes, kind="stable").astype(np.int32)
        row_of_number = np.full((int(self.numbers[-1]) if len(self.numbers) else 0) + 2, -1, dtype=np.int32)
        row_of_number[self.numbers] = np.arange(len(self.numbers), dtype=np.int32)
        return Catalogue(self.table, self.id_hashes[order], order, row_of_number)

    @cached_property
    def words(self) -> WordIndex:
        """The lexical index of the items, by their rows in the delta; made with the first search, some 20 µs an item."""
        return WordIndex.of(self.catalogue)

    @property
    def is_searched(self) -> bool:
        """Whether anybody has looked for words in it."""
        return "words" in vars(self)


def merged(deltas: Sequence[Delta]) -> Delta:
    """One delta of several, oldest first, at least one, all of one dimension: of an item, what the newest of them says holds."""
    if len(deltas) == 1:
        return deltas[0]
    numbers = np.concatenate([part for delta in deltas for part in (delta.numbers, delta.removed)])
    stays = np.concatenate([part for d in deltas for part in (np.ones(len(d.numbers), bool), np.zeros(len(d.removed), bool))])
    # The last place of each number: the first one of the whole read backwards.
    kept, backwards = np.unique(numbers[::-1], return_index=True)
    last = len(numbers) - 1 - backwards
    live = stays[last]
    # Places among the items alone.
    rows = (np.cumsum(stays) - 1)[last[live]]
    table = pa.concat_tables([delta.table for delta in deltas], promote_options="default").unify_dictionaries().combine_chunks()
    return Delta(
        table=table.take(pa.array(rows)).combine_chunks(),
        numbers=kept[live],
        id_hashes=np.concatenate([delta.id_hashes for delta in deltas])[rows],
        halves=np.concatenate([delta.halves for delta in deltas])[rows],
        has_vector=np.concatenate([delta.has_vector for delta in deltas])[rows],
        removed=kept[~live],
        loans=joined([delta.loans for delta in deltas]).at(rows),
    )


def _check_numbers(numbers: npt.NDArray[np.int64], removed: npt.NDArray[np.int64]) -> None:
    every = np.concatenate([numbers, removed])
    allowed = f"item numbers, 0 to {2**32 - 1}"
    wrong = every[(every < 0) | (every >= 2**32)]
    if len(wrong):
        raise InvalidInput("items", int(wrong[0]), allowed)
    each, times = np.unique(every, return_counts=True)
    if (times > 1).any():
        raise InvalidInput("items", f"item {each[times > 1][0]} more than once", "each item once in a segment, or once among those removed")
