"""Labels of items, such as their author or their categories, as numbers: what quotas of each value go by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.columns import Columns, StringColumn, StringListColumn
from recommender.compiling import compiled
from recommender.generation.catalogue import Catalogue
from recommender.overlay.catalogue import OverlaidCatalogue

Rows = npt.NDArray[np.integer]
Codes = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]


class Labelled(NamedTuple):
    """Which items have which labels: `places` of items, ascending, and a `codes` for each, both of shape (m,), int64."""

    places: Codes
    codes: Codes

    @classmethod
    def of_all(cls, places: Codes) -> Labelled:
        """Items that all have the same label."""
        return cls(places, np.zeros(len(places), dtype=np.int64))

    def among(self, holds: npt.NDArray[np.bool_]) -> Labelled:
        """Those of the items that `holds`, by place, is true for."""
        kept = holds[self.places]
        return Labelled(self.places[kept], self.codes[kept])

    def fitting(self, r: int, most: int) -> tuple[npt.NDArray[np.bool_], Codes]:
        """Which of the r items find room, one after the other, where no label is given to more than `most`, and the codes without room."""
        fits, counts = _fitting(self.ends(r), self.codes, most)
        return fits, np.flatnonzero(counts >= most)

    def ends(self, r: int) -> npt.NDArray[np.int64]:
        """Where the labels of each of r items begin, and the last one's end, shape (r + 1,)."""
        return self.places.searchsorted(np.arange(r + 1))


@compiled
def _fitting(ends: Codes, codes: Codes, most: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Which items, whose codes lie between their `ends`, find room, and how many of these have each code."""
    fits, highest = np.ones(len(ends) - 1, dtype=np.bool_), np.int64(-1)
    for code in codes:
        highest = max(highest, code)
    counts = np.zeros(highest + 1, dtype=np.int32)
    for item in range(len(fits)):
        for at in range(ends[item], ends[item + 1]):
            fits[item] &= counts[codes[at]] < most
        if fits[item]:
            for at in range(ends[item], ends[item + 1]):
                counts[codes[at]] += 1
    return fits, counts


@compiled
def by_candidate(places: Codes, codes: Codes, of: Codes, limits: int, c: int) -> tuple[Counts, Counts, Counts]:
    """Labels of c candidates under so many `limits` as numbers from 0, one for each label of each limit, in the order in which they first
    occur.

    A candidate at one of `places` has one of `codes` under a limit `of` that place among the limits, all of shape (m,). Returns where the
    labels of each candidate begin, and the last one's end, shape (c + 1,), the labels, shape (m,), and the limit of each, shape (g,).
    """
    m, highest, count = len(places), np.int64(-1), 0
    for code in codes:
        highest = max(highest, code)
    number_of = np.full((limits, highest + 1), -1, dtype=np.int32)
    numbers, limit_of, ends = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32), np.zeros(c + 1, dtype=np.int32)
    for at in range(m):
        if number_of[of[at], codes[at]] < 0:
            number_of[of[at], codes[at]], limit_of[count] = count, of[at]
            count += 1
        numbers[at] = number_of[of[at], codes[at]]
        ends[places[at] + 1] += 1
    for place in range(c):
        ends[place + 1] += ends[place]
    labels, free = np.empty(m, dtype=np.int32), ends.copy()
    for at in range(m):
        labels[free[places[at]]] = numbers[at]
        free[places[at]] += 1
    return ends, labels, limit_of[:count].copy()


NONE = Labelled.of_all(np.zeros(0, dtype=np.int64))


def labels_of(catalogue: Catalogue | OverlaidCatalogue, field: str, rows: Rows) -> Labelled:
    """The labels in `field` of the items at `rows`, shape (r,), by their place there.

    Two codes are the same where their labels are. None where the field holds no labels, or nothing has it.
    """
    if isinstance(catalogue, Catalogue):
        return _labels_in(catalogue.columns, field, rows)
    places = catalogue.overlay.places(rows)
    changed, kept = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
    ours = _labels_in(catalogue.base.columns, field, rows[kept])
    if not len(changed):
        return ours
    theirs = _labels_in(catalogue.changed_columns, field, places[changed])
    known, new = _values(catalogue.base.columns, field), _values(catalogue.changed_columns, field)
    code_of = {value: code for code, value in enumerate(known)} if len(theirs.codes) else {}
    translated = np.array([code_of.get(new[code], len(known) + code) for code in theirs.codes.tolist()], dtype=np.int64)
    both = Labelled(np.concatenate([kept[ours.places], changed[theirs.places]]), np.concatenate([ours.codes, translated]))
    order = np.argsort(both.places, kind="stable")
    return Labelled(both.places[order], both.codes[order])


def has_labels(catalogue: Catalogue | OverlaidCatalogue, field: str) -> bool:
    """Whether `field` is one of text or of labels."""
    every = [catalogue.columns] if isinstance(catalogue, Catalogue) else [catalogue.base.columns, catalogue.changed_columns]
    return any(isinstance(columns.by_name.get(field), StringColumn | StringListColumn) for columns in every)


def label_named(catalogue: Catalogue | OverlaidCatalogue, field: str, code: int) -> str:
    """The label of a code that `labels_of` gave."""
    if isinstance(catalogue, Catalogue):
        return _values(catalogue.columns, field)[code]
    known = _values(catalogue.base.columns, field)
    return known[code] if code < len(known) else _values(catalogue.changed_columns, field)[code - len(known)]


def _labels_in(columns: Columns, field: str, rows: Rows) -> Labelled:
    column = columns.by_name.get(field)
    if isinstance(column, StringColumn):
        return Labelled(*_of_texts(column.codes, rows))
    if isinstance(column, StringListColumn):
        return Labelled(*_of_lists(column.offsets, column.codes, rows))
    return NONE


@compiled
def _of_texts(codes: npt.NDArray[np.integer], rows: Rows) -> tuple[Codes, Codes]:
    """Places of those of `rows`, shape (r,), that have a code ≥ 0, and these codes."""
    places, found, count = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64), 0
    for place in range(len(rows)):
        places[count], found[count] = place, codes[rows[place]]
        count += int(found[count] >= 0)
    return places[:count], found[:count]


@compiled
def _of_lists(offsets: npt.NDArray[np.integer], codes: npt.NDArray[np.integer], rows: Rows) -> tuple[Codes, Codes]:
    """The same of items that have any number of codes each, those of row i from `offsets[i]` up to before `offsets[i + 1]`."""
    total = 0
    for row in rows:
        total += offsets[row + 1] - offsets[row]
    places, found, count = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64), 0
    for place in range(len(rows)):
        for at in range(offsets[rows[place]], offsets[rows[place] + 1]):
            places[count], found[count] = place, codes[at]
            count += 1
    return places, found


def _values(columns: Columns, field: str) -> tuple[str, ...]:
    column = columns.by_name.get(field)
    return column.values if isinstance(column, StringColumn | StringListColumn) else ()
