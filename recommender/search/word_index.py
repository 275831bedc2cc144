"""The lexical index: which items hold a term in their title, their author or brand, their categories or tags; and whose title is what.

A function of the catalogue alone, made when a generation is built and mapped into memory with it; over it a small one of the items that
changed since. Descriptions are found by their meaning.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from recommender.columns import StringColumn, StringListColumn
from recommender.generation.catalogue import Catalogue
from recommender.read_only import read_only
from recommender.search.spelling import Vocabulary
from recommender.search.words import key_of, terms_of, words_of

Rows = npt.NDArray[np.int32]
Codes = npt.NDArray[np.integer]

TITLES_AT_ONCE = 10_000
SAME_TITLE = 500
"""Items of the very same title that are looked at."""
_ADDED = re.compile(r"(?:\s*[(\[][^()\[\]]*[)\]])+\s*$")
"""What stands in brackets at the end of a title, such as a year."""
_MOVED = re.compile(r"(.+), (\w{1,3}'?)")
"""A title as lists have it, with its article at the end."""


WORD_ARRAYS = ("letters", "ends", "slips", "slipped", "offsets", "postings", "title_hashes", "title_rows")
"""What a `WordIndex` is stored as."""
_OF_VOCABULARY = WORD_ARRAYS[:4]


class Field(IntEnum):
    """Where a term stands; of several the first counts."""

    TITLE = 0
    MAKER = 1
    LABEL = 2


@dataclass(frozen=True, eq=False)
class WordIndex:
    """The terms of n items.

    `vocabulary`: v terms. `postings`: shape (p,), uint32: four times a row and the `Field`, by term, rows ascending; `offsets`: shape
    (v + 1,), int64, where those of each term begin and the last ones end. `title_hashes`: shape (t,), uint32, ascending, of the
    `title_keys` of all items, and `title_rows`, shape (t,), int32, whose each is.
    """

    vocabulary: Vocabulary
    offsets: npt.NDArray[np.int64]
    postings: npt.NDArray[np.uint32]
    title_hashes: npt.NDArray[np.uint32]
    title_rows: Rows

    def __post_init__(self) -> None:
        # Whether built or mapped, arrays are of one kind to compiled loops.
        for name in ("offsets", "postings"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def none(cls) -> WordIndex:
        """The index of no items."""
        return _of_pairs({}, [], 0, np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int32))

    @classmethod
    def of(cls, catalogue: Catalogue) -> WordIndex:
        """The index of the items of `catalogue`, hidden ones among them."""
        ids: dict[str, int] = {}
        pairs = []
        hashes, whose = array("I"), array("i")
        terms, rows = array("q"), array("q")
        for start in range(0, catalogue.n, TITLES_AT_ONCE):
            some = range(start, min(start + TITLES_AT_ONCE, catalogue.n))
            for row, title in zip(some, catalogue.titles_at(np.array(some)), strict=True):
                for term in _terms(title):
                    terms.append(ids.setdefault(term, len(ids)))
                    rows.append(row)
                for key in title_keys(title):
                    hashes.append(_hash(key))
                    whose.append(row)
        pairs.append((np.array(terms, dtype=np.int64), np.array(rows, dtype=np.int64), Field.TITLE))
        for name, field in (("author", Field.MAKER), ("brand", Field.MAKER), ("categories", Field.LABEL), ("tags", Field.LABEL)):
            column = catalogue.column(name)
            if isinstance(column, StringColumn):
                there = np.flatnonzero(column.codes >= 0)
                codes, of = column.codes[there], there
            else:
                assert isinstance(column, StringListColumn)
                codes, of = column.codes, np.repeat(np.arange(catalogue.n), np.diff(column.offsets))
            pairs.append((*_spread(column.values, codes, of, ids), field))
        return _of_pairs(ids, pairs, catalogue.n, np.array(hashes, dtype=np.uint32), np.array(whose, dtype=np.int32))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All of it, by the names of `WORD_ARRAYS`."""
        return {name: getattr(self.vocabulary if name in _OF_VOCABULARY else self, name) for name in WORD_ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> WordIndex:
        """What `arrays` gave."""
        own = {name: array for name, array in arrays.items() if name not in _OF_VOCABULARY}
        return cls(Vocabulary(**{name: arrays[name] for name in _OF_VOCABULARY}), **own)

    def titled(self, key: str) -> Rows:
        """Rows of the items that may have `key` among their `title_keys`, ascending, at most `SAME_TITLE`: few others share its hash."""
        wanted = np.uint32(_hash(key))
        start, stop = self.title_hashes.searchsorted(wanted), self.title_hashes.searchsorted(wanted, side="right")
        return np.unique(self.title_rows[start : min(stop, start + SAME_TITLE)])

    def holding(self, text: str) -> Rows:
        """Rows of the items that hold every word of `text`, as it is spelt, ascending; none for a text without words."""
        found: Rows | None = None
        for term in dict.fromkeys(_terms(text)):
            place = self.vocabulary.place(term)
            begin, end = (int(self.offsets[place]), int(self.offsets[place + 1])) if place >= 0 else (0, 0)
            rows = (self.postings[begin:end] >> 2).astype(np.int32)
            found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
        return np.zeros(0, dtype=np.int32) if found is None else found

    def count(self, place: int) -> int:
        """How many items hold the term at `place`."""
        return int(self.offsets[place + 1] - self.offsets[place])


def title_keys(title: str) -> tuple[str, ...]:
    """By what a title is known: as it stands, without what is added in brackets, and then with an article moved to its front; each once.

    "Godfather, The (1972)" is as well "Godfather, The" and "The Godfather". None for a title without any sign.
    """
    if title[-1:] not in (")", "]") and ", " not in title:
        # Most titles, for whom nothing else has to be looked at.
        key = key_of(title)
        return (key,) if key else ()
    short = _ADDED.sub("", title)
    moved = _MOVED.fullmatch(short)
    keys = (key_of(title), key_of(short), key_of(f"{moved[2]} {moved[1]}") if moved else "")
    return tuple(key for key in dict.fromkeys(keys) if key)


def _terms(text: str) -> Iterator[str]:
    return (term for word in words_of(text) for term in terms_of(word))


def _spread(values: Sequence[str], codes: Codes, rows: Codes, ids: dict[str, int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Terms and rows of rows that have values by their `codes`; new terms get new `ids`."""
    terms, counts = array("q"), np.zeros(len(values) + 1, dtype=np.int64)
    for place, value in enumerate(values):
        before = len(terms)
        terms.extend(ids.setdefault(term, len(ids)) for term in _terms(value))
        counts[place] = len(terms) - before
    ends = np.cumsum(counts)
    each = counts[codes]
    first = np.repeat(ends[codes] - each, each)
    within = np.arange(len(first)) - np.repeat(np.cumsum(each) - each, each)
    return np.array(terms, dtype=np.int64)[first + within], np.repeat(rows, each).astype(np.int64)


def _of_pairs(
    ids: dict[str, int],
    pairs: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Field]],
    n: int,
    hashes: npt.NDArray[np.uint32],
    whose: Rows,
) -> WordIndex:
    vocabulary, terms = Vocabulary.of(list(ids)), list(ids)
    place_of = np.empty(len(terms), dtype=np.int64)
    place_of[sorted(range(len(terms)), key=lambda term: terms[term].encode())] = np.arange(len(terms))
    keys = np.concatenate([((place_of[term] * n + row) << 2) | field for term, row, field in pairs] or [np.zeros(0, dtype=np.int64)])
    keys.sort()
    first = np.ones(len(keys), dtype=np.bool_)
    first[1:] = keys[1:] >> 2 != keys[:-1] >> 2
    keys = keys[first]
    offsets = np.searchsorted(keys, (np.arange(len(terms) + 1, dtype=np.int64) * n) << 2)
    postings = (keys % (max(n, 1) << 2)).astype(np.uint32)
    order = np.argsort(hashes, kind="stable")
    return WordIndex(vocabulary, offsets.astype(np.int64), postings, hashes[order], whose[order])


def _hash(key: str) -> int:
    return xxhash.xxh32_intdigest(key.encode())
