"""A generation's catalogue under an overlay: what an answer shows of items, and by what they are found, as of now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recommender.columns import BoolColumn, Column, Columns, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.generation.catalogue import Card, CardColumns, Catalogue
from recommender.mask_cache import MaskCache
from recommender.overlay.overlay import Overlay
from recommender.overlay.overlay_kernels import names_new, numbers_of
from recommender.read_only import read_only
from recommender.times import MISSING_TIME

Rows = npt.NDArray[np.int32]


class OverlaidCatalogue:
    """The n items of `base` and the m that an `overlay` adds, by row: what it says of an item holds."""

    def __init__(self, base: Catalogue, overlay: Overlay) -> None:
        self.base = base
        self.overlay = overlay
        self.masks = MaskCache(len(overlay.delta.numbers))
        self.n: int = base.n + overlay.m
        numbers = self._added = read_only(overlay.delta.numbers[overlay.added])
        size = max(len(base.row_of_number), int(numbers[-1]) + 2 if len(numbers) else 0)
        # The last place is that of a number which nothing has, here as in the generation.
        self.row_of_number: Rows = np.full(size, -1, dtype=np.int32)
        self.row_of_number[: len(base.row_of_number)] = base.row_of_number
        self.row_of_number[numbers] = np.arange(base.n, self.n, dtype=np.int32)

    def rows_of(self, numbers: npt.ArrayLike) -> Rows:
        """Rows of item `numbers`, the same shape, int32; -1 for numbers that nothing has."""
        return self.row_of_number.take(np.asarray(numbers, dtype=np.int64), mode="clip")

    def any_added(self, numbers: npt.NDArray[np.uint32]) -> bool:
        """Whether any of item `numbers`, shape (r,), is one that the overlay adds."""
        # Copied in any case, as in `Past.of`: a single one may be read-only, and its loop would be compiled while a request waits.
        return names_new(np.array(numbers), self.row_of_number, self.base.n)

    @property
    def newest(self) -> int:
        """The highest number of an item; 0 where there is none."""
        return max(self.base.newest, int(self._added[-1]) if len(self._added) else 0)

    def rows_above(self, number: int) -> Rows:
        """Rows of items whose number is above `number`."""
        added = self.base.n + np.flatnonzero(self._added > number)
        return np.concatenate([self.base.rows_above(number), added]).astype(np.int32)

    def numbers_at(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint32]:
        """Item numbers of `rows`, shape (r,), all ≥ 0, the same shape."""
        return numbers_of(np.asarray(rows, dtype=np.int32), self.base.numbers, self._added)

    def ids_at(self, rows: npt.NDArray[np.integer]) -> pa.Array:
        """External ids of `rows`, shape (r,): r strings."""
        places = self.overlay.places(rows)
        kept, changed = np.flatnonzero(places < 0), np.flatnonzero(places >= 0)
        found = pa.concat_arrays([self.base.ids_at(rows[kept]), self.overlay.delta.catalogue.ids_at(places[changed])])
        return found.take(pa.array(np.argsort(np.concatenate([kept, changed]), kind="stable")))

    def rows_of_ids(self, item_ids: Sequence[str]) -> Rows:
        """Rows of external ids, shape (len(item_ids),), int32; -1 for ids that nothing has. An id that was given anew is the new item's."""
        rows = self.base.rows_of_ids(item_ids)
        places = self.overlay.delta.catalogue.rows_of_ids(item_ids)
        there = places >= 0
        if there.any():
            rows[there] = self.rows_of(self.overlay.delta.numbers[places[there]])
        return rows

    def cards(self, rows: npt.NDArray[np.integer]) -> list[Card]:
        """What to show of `rows`, shape (r,)."""
        places = self.overlay.places(rows)
        kept, changed = np.flatnonzero(places < 0), np.flatnonzero(places >= 0)
        cards = dict(zip(kept.tolist(), self.base.cards(rows[kept]), strict=True))
        cards.update(zip(changed.tolist(), self.overlay.delta.catalogue.cards(places[changed]), strict=True))
        return [cards[place] for place in range(len(rows))]

    @cached_property
    def card_columns(self) -> CardColumns:
        """What the cards of the generation are made of; `changed_cards` says which of them hold no more."""
        return self.base.card_columns._replace(row_of_number=read_only(self.row_of_number))

    def kinds_at(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """The number of the `ItemKind` of each of `rows`, shape (r,), all ≥ 0, the same shape."""
        places = self.overlay.places(rows)
        changed = places >= 0
        kinds: npt.NDArray[np.uint8] = self.base.card_columns.kinds[np.where(changed, 0, rows)]
        kinds[changed] = self.overlay.delta.catalogue.card_columns.kinds[places[changed]]
        return kinds

    @cached_property
    def changed_cards(self) -> tuple[CardColumns, Rows, Rows]:
        """What the cards of the delta's items are made of; rows of the generation of which it has newer ones, ascending, and then those
        that it adds; and where it has each, both of shape (r + m,)."""
        overlay = self.overlay
        rows = np.concatenate([overlay.revised_rows, np.arange(self.base.n, self.n, dtype=np.int32)])
        return overlay.delta.catalogue.card_columns, read_only(rows), read_only(np.concatenate([overlay.revised, overlay.added]))

    @cached_property
    def changed_columns(self) -> Columns:
        """The delta's items as conditions see them: every field of the generation, in its type there, and those that only they have. These
        rules may name at once, filters once a generation has them too."""
        return _conforming(self.overlay.delta.catalogue.columns, self.base.columns)


def _conforming(columns: Columns, like: Columns) -> Columns:
    return Columns(columns.n, _Conforming(columns, like))


class _Conforming(Mapping[str, Column]):
    """`columns`, and all names of `like` in the types there, empty where they lack one; each is made when it is first used."""

    def __init__(self, columns: Columns, like: Columns) -> None:
        self._columns = columns
        self._like = like
        self._names = tuple(dict.fromkeys([*like.by_name, *columns.by_name]))

    def __getitem__(self, name: str) -> Column:
        column = self._columns.by_name.get(name)
        if name not in self._like.by_name and column is not None:
            return column
        wanted = type(self._like.by_name[name])
        return column if isinstance(column, wanted) else _empty(wanted, self._columns.n)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _empty(kind: type[Column], n: int) -> Column:
    """A column of `n` rows that have no value."""
    none = np.full(n, -1, dtype=np.int32)
    if kind is StringColumn:
        return StringColumn(none, ())
    if kind is StringListColumn:
        return StringListColumn(np.zeros(n + 1, dtype=np.int32), none[:0], ())
    if kind is BoolColumn:
        return BoolColumn(none.astype(np.int8))
    return TimeColumn(np.full(n, MISSING_TIME, dtype=np.int64)) if kind is TimeColumn else NumberColumn(np.full(n, np.nan))
