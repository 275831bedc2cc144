"""The catalogue of a generation: an Arrow table of items, seen as ids, numbers, cards and filterable columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from recommender.arrow_buffers import Texts, booleans_in, numbers_in, with_missing
from recommender.columns import BoolColumn, Column, Columns, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.items import Item, ItemKind, ItemState
from recommender.read_only import read_only
from recommender.times import MISSING_TIME, to_micros

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        ("number", pa.uint32()),
        ("id", pa.string()),
        ("kind", _DICTIONARY),
        ("live", pa.bool_()),
        ("title", pa.string()),
        ("image_url", pa.string()),
        ("language", _DICTIONARY),
        ("categories", pa.list_(_DICTIONARY)),
        ("tags", pa.list_(_DICTIONARY)),
        ("author", _DICTIONARY),
        ("brand", _DICTIONARY),
        ("owner", _DICTIONARY),
        ("published_at", pa.int64()),
        ("valid_from", pa.int64()),
        ("valid_to", pa.int64()),
        ("price", pa.float64()),
    ]
)
FILTER_FIELDS = tuple(name for name in _SCHEMA.names if name not in ("number", "live", "image_url"))
ATTRIBUTE = "attributes."
_NO_STRING, _NO_NUMBER = -1, float("nan")
"""The code of a string, and the number, of an item that has none."""


class Card(NamedTuple):
    """What an answer shows of an item."""

    item_id: str
    kind: ItemKind
    title: str
    image_url: str


class CardColumns(NamedTuple):
    """What cards are made of, as arrays for compiled loops, all read-only.

    Texts in UTF-8: the one of row r reaches from `ends[r]` to `ends[r + 1]`. `kinds`: `ItemKind` by row, shape (n,), uint8.
    `row_of_number`: as in `Catalogue`.
    """

    kinds: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint8]
    id_ends: npt.NDArray[np.int32]
    titles: npt.NDArray[np.uint8]
    title_ends: npt.NDArray[np.int32]
    images: npt.NDArray[np.uint8]
    image_ends: npt.NDArray[np.int32]
    row_of_number: npt.NDArray[np.int32]


class Catalogue:
    """n items in order of their number, memory-mapped when loaded from a file."""

    def __init__(
        self,
        table: pa.Table,
        id_hashes: npt.NDArray[np.uint64],
        id_rows: npt.NDArray[np.int32],
        row_of_number: npt.NDArray[np.int32],
    ) -> None:
        """`table` as `of` makes it; `id_hashes` ascending, shape (n,), and the row of each; `row_of_number` by number, -1 for none."""
        self.table = table
        self.n: int = table.num_rows
        self.id_hashes = id_hashes
        self.id_rows = id_rows
        self.row_of_number = row_of_number
        self._read: dict[str, Texts] = {}
        self._codes: dict[str, Mapping[str, int]] = {}
        self.numbers: npt.NDArray[np.uint32] = numbers_in(self._array("number"))
        self.live: npt.NDArray[np.bool_] = booleans_in(self._array("live")) == 1
        self.published_at = self._times("published_at")
        self.valid_from = self._times("valid_from")
        self.valid_to = self._times("valid_to")

    @classmethod
    def of(cls, items: Sequence[tuple[int, ItemState, Item]]) -> Catalogue:
        """The catalogue of (number, state, item) triples, in any order. Hidden items are in it, but not live."""
        ordered = sorted(items, key=lambda entry: entry[0])
        columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA.names}
        attributes: dict[str, list[Any]] = {}
        for row, (number, state, item) in enumerate(ordered):
            columns["number"].append(number)
            columns["live"].append(state is ItemState.LIVE)
            columns["kind"].append(item.kind.name.lower())
            for name in ("id", "title", "image_url", "price"):
                columns[name].append(getattr(item, name))
            for name in ("language", "author", "brand", "owner"):
                columns[name].append(getattr(item, name) or None)
            for name in ("categories", "tags"):
                columns[name].append(list(getattr(item, name)))
            for name in ("published_at", "valid_from", "valid_to"):
                moment = getattr(item, name)
                columns[name].append(MISSING_TIME if moment is None else to_micros(moment))
            for name, value in item.attributes.items():
                # One name may hold different types in different items: each type is a column of its own.
                key = (name, type(value).__name__)
                attributes.setdefault(f"{ATTRIBUTE}{key[0]}:{key[1]}", [None] * len(ordered))[row] = value
        arrays = [pa.array(columns[field.name], type=field.type) for field in _SCHEMA]
        names = list(_SCHEMA.names)
        for name, values in sorted(attributes.items()):
            kind = name.rsplit(":", 1)[1]
            arrays.append(pa.array(values, type={"str": _DICTIONARY, "float": pa.float64(), "bool": pa.bool_()}[kind]))
            names.append(name)
        hashes = np.fromiter((_hash(item.id) for _, _, item in ordered), dtype=np.uint64, count=len(ordered))
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        row_of_number = np.full((ordered[-1][0] if ordered else 0) + 2, -1, dtype=np.int32)
        row_of_number[[number for number, _, _ in ordered]] = np.arange(len(ordered), dtype=np.int32)
        return cls(pa.table([_viewable(array) for array in arrays], names=names), hashes[order], order, row_of_number)

    def _array(self, name: str) -> pa.Array:
        return _array(self.table, name)

    def _times(self, name: str) -> npt.NDArray[np.int64]:
        times: npt.NDArray[np.int64] = numbers_in(self._array(name))
        return times

    def rows_of(self, numbers: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Rows of item `numbers`, the same shape, int32; -1 for numbers that are not in this generation."""
        # The last place is that of a number which nothing has.
        return self.row_of_number.take(np.asarray(numbers, dtype=np.int64), mode="clip")

    @property
    def newest(self) -> int:
        """The highest number of an item; 0 where there is none."""
        return int(self.numbers[-1]) if self.n else 0

    def rows_above(self, number: int) -> npt.NDArray[np.int32]:
        """Rows of items whose number is above `number`."""
        return np.arange(np.searchsorted(self.numbers, number, side="right"), self.n, dtype=np.int32)

    def numbers_at(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint32]:
        """Item numbers of `rows`, the same shape."""
        numbers: npt.NDArray[np.uint32] = self.numbers[rows]
        return numbers

    def ids_at(self, rows: npt.NDArray[np.integer]) -> pa.Array:
        """External ids of `rows`, shape (r,): r strings."""
        taken = self.table.column("id").take(pa.array(rows)).combine_chunks()
        return taken.chunk(0) if isinstance(taken, pa.ChunkedArray) else taken

    def rows_of_ids(self, item_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Rows of external ids, shape (len(item_ids),), int32; -1 for ids that are not in this generation."""
        rows = np.full(len(item_ids), -1, dtype=np.int32)
        if not len(item_ids):
            return rows
        encoded = [item_id.encode() for item_id in item_ids]
        wanted = np.array([xxhash.xxh3_64_intdigest(item_id) for item_id in encoded], dtype=np.uint64)
        texts = self._texts("id")
        for place, at in enumerate(self.id_hashes.searchsorted(wanted).tolist()):
            while at < self.n and self.id_hashes[at] == wanted[place]:
                if texts.one(self.id_rows[at]) == encoded[place]:
                    rows[place] = self.id_rows[at]
                    break
                at += 1
        return rows

    def cards(self, rows: npt.NDArray[np.integer]) -> list[Card]:
        """What to show of `rows`, shape (r,)."""
        ids, titles, images = (self._texts(name).at(rows) for name in ("id", "title", "image_url"))
        codes, kinds = self._kinds
        return [
            Card(item_id, kinds[code], title, image)
            for item_id, code, title, image in zip(ids, codes[rows].tolist(), titles, images, strict=True)
        ]

    def titles_at(self, rows: npt.NDArray[np.integer]) -> list[str]:
        """Titles of `rows`, shape (r,)."""
        return self._texts("title").at(rows)

    @cached_property
    def card_columns(self) -> CardColumns:
        """What `cards` are made of."""
        codes, values = self._kinds
        kinds = np.array(values, dtype=np.uint8)[codes] if self.n else np.zeros(0, dtype=np.uint8)
        row_of_number = self.row_of_number.view()
        kinds.flags.writeable = row_of_number.flags.writeable = False
        ids, titles, images = (self._texts(name) for name in ("id", "title", "image_url"))
        return CardColumns(kinds, ids.data, ids.ends, titles.data, titles.ends, images.data, images.ends, row_of_number)

    def kinds_at(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """The number of the `ItemKind` of each of `rows`, the same shape."""
        kinds: npt.NDArray[np.uint8] = self.card_columns.kinds[rows]
        return kinds

    @cached_property
    def changed_cards(self) -> tuple[CardColumns, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Cards that hold instead of those of some rows, those rows, and which each has: none, as nothing is laid over this catalogue."""
        none = read_only(np.zeros(0, dtype=np.int32))
        return self.card_columns, none, none

    def _texts(self, name: str) -> Texts:
        if name not in self._read:
            self._read[name] = Texts(self._array(name))
        return self._read[name]

    @cached_property
    def _kinds(self) -> tuple[npt.NDArray[np.int32], tuple[ItemKind, ...]]:
        """A code for each row, and the kind of each code."""
        column = self.column("kind")
        assert isinstance(column, StringColumn)
        return column.codes, tuple(ItemKind[value.upper()] for value in column.values)

    @cached_property
    def columns(self) -> Columns:
        """Every field that a filter may name; each is made when it is first used."""
        names = list(FILTER_FIELDS)
        typed = [name for name in self.table.column_names if name.startswith(ATTRIBUTE)]
        plain: dict[str, str] = {}
        for name in typed:
            field = name.rsplit(":", 1)[0]
            # Where items disagree on an attribute's type, the type that most items use is the one filters see.
            if field not in plain or self._array(name).null_count < self._array(plain[field]).null_count:
                plain[field] = name
        return Columns(self.n, _LazyColumns(self.table, {**{name: name for name in names}, **plain}))

    def column(self, stored: str) -> Column:
        """The stored column as filters see it."""
        return _column(self.table, stored)

    def codes_of(self, stored: str) -> Mapping[str, int]:
        """The code of each value of a stored column of strings."""
        if stored not in self._codes:
            column = self.column(stored)
            assert isinstance(column, StringColumn | StringListColumn)
            self._codes[stored] = {value: code for code, value in enumerate(column.values)}
        return self._codes[stored]

    @cached_property
    def category_members(self) -> dict[str, npt.NDArray[np.int32]]:
        """Rows of each category, ascending."""
        column = self.column("categories")
        assert isinstance(column, StringListColumn)
        rows = np.repeat(np.arange(self.n, dtype=np.int32), np.diff(column.offsets))
        order = np.argsort(column.codes, kind="stable")
        counts = np.bincount(column.codes, minlength=len(column.values))
        parts = np.split(rows[order], np.cumsum(counts)[:-1]) if len(column.values) else []
        return dict(zip(column.values, parts, strict=True))

    def is_kind(self, kinds: frozenset[ItemKind]) -> npt.NDArray[np.bool_]:
        """Whether each row is of one of `kinds`, shape (n,)."""
        column = self.column("kind")
        assert isinstance(column, StringColumn)
        wanted = np.array([ItemKind[value.upper()] in kinds for value in column.values], dtype=np.bool_)
        return wanted[column.codes] if self.n else np.zeros(0, dtype=np.bool_)


class _LazyColumns(Mapping[str, Column]):
    """Columns of a table by field name, made on first use and kept.

    They know nothing of the catalogue that holds them: in a circle they would outlive it until cycles are looked for, and in a server what
    came before its first call is never looked at again.
    """

    def __init__(self, table: pa.Table, stored: Mapping[str, str]) -> None:
        self._table = table
        self._stored = stored
        self._made: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._made:
            self._made[name] = _column(self._table, self._stored[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def _array(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], type=column.type)


def _viewable(array: pa.Array) -> pa.Array:
    """`array` as `_column` sees it without copying it, where it is of strings or numbers."""
    if pa.types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(with_missing(array.indices, _NO_STRING), array.dictionary)
    return with_missing(array, _NO_NUMBER) if pa.types.is_float64(array.type) else array


def _column(table: pa.Table, stored: str) -> Column:
    array = _array(table, stored)
    if stored in ("published_at", "valid_from", "valid_to"):
        return TimeColumn(numbers_in(array))
    if pa.types.is_dictionary(array.type):
        return _strings(array)
    if pa.types.is_list(array.type):
        inner = _strings(array.flatten())
        offsets: npt.NDArray[np.int32] = numbers_in(array.offsets)
        return StringListColumn(offsets - offsets[0] if offsets[:1].any() else offsets, inner.codes, inner.values)
    if pa.types.is_string(array.type):
        return _strings(array.dictionary_encode())
    if pa.types.is_boolean(array.type):
        return BoolColumn(booleans_in(array))
    return NumberColumn(numbers_in(array, _NO_NUMBER))


def _strings(array: pa.DictionaryArray) -> StringColumn:
    return StringColumn(numbers_in(array.indices, _NO_STRING), tuple(array.dictionary.to_pylist()))


def _hash(item_id: str) -> int:
    return xxhash.xxh3_64_intdigest(item_id.encode())
