"""One list of what was found by words, by spelling and by meaning.

Words and meaning propose candidates; all of them are then judged alike, by how much of the query's words they hold, how much their title is
like the query letter by letter, and how near their vector is to the query's. A weighted sum decides. Titles that are the query, but for
spelling and signs, come before all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.best import best_places
from recommender.generation.catalogue import Catalogue
from recommender.search.reading import Reading, query_terms, read
from recommender.search.search_kernels import proposed, slips_between, worth
from recommender.search.word_index import WordIndex, title_keys
from recommender.search.words import key_of

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

WORTHS = np.array([1.0, 0.8, 0.5, 0.0], dtype=np.float32)
"""What a term counts by the `Field` that it stands in."""
WORTHS.flags.writeable = False
POSTINGS = 400_000
"""Places in lists of items by word that are looked at for candidates. The words that few items hold come first; what the others add is
looked up for the candidates alone."""
BY_WORDS = 100
"""Candidates of an index by words."""
LETTERS = 200
"""Letters of a query and a title that are compared."""
FULL_TITLE, SHORT_TITLE = np.float32(2), np.float32(1)
"""What is added to the score of an item whose title is the query, as it stands or without what is added to it."""


@dataclass(frozen=True)
class Mix:
    """What counts how much: shares of `words`, of the `title` letter by letter and of `meaning`, and how much the `person` adds.

    Chosen on one half of MovieLens' titles, misspelt and in part, and on kinds of films described in other words; reciprocal ranks
    (Cormack, Clarke and Büttcher 2009) instead of a sum lost what was misspelt among what is near.
    """

    words: float = 0.2
    title: float = 0.2
    meaning: float = 0.6
    person: float = 0.05


@dataclass(frozen=True, eq=False)
class Part:
    """A part of p items of what is searched: a generation's, or those that are laid over it.

    `may`: shape (p,), which of them may be found. `near`: places of further candidates among them, such as those near in meaning. `rows`:
    shape (p,), int32, the row that the engine knows each by; None where that is its place.
    """

    catalogue: Catalogue
    index: WordIndex
    may: Mask
    near: Rows
    rows: Rows | None = None


class Candidates(NamedTuple):
    """What fits a query, in no order: `rows`, shape (c,), all different. All others are of that shape: how much of the query's `words`
    each holds and how like the query its `title` is, in [0, 1]; what an `exact` title adds; and whether the title has all words.
    """

    rows: Rows
    words: Floats
    title: Floats
    exact: Floats
    titled: Mask


def candidates(text: str, parts: Sequence[Part]) -> Candidates:
    """What of `parts`, at least one, fits the query `text`. By the first of them words are told common from rare."""
    key, readings = key_of(text), read(query_terms(text), [part.index for part in parts], len(parts[0].may))
    found = [_of_part(part, reading, key) for part, reading in zip(parts, readings, strict=True)]
    return Candidates(*map(np.concatenate, zip(*found, strict=True)))


def _of_part(part: Part, reading: Reading, key: str) -> Candidates:
    index, given = part.index, (reading.terms, reading.groups, reading.weights)
    found, sums = proposed(index.postings, index.offsets, WORTHS, *given, part.may, POSTINGS)
    order = np.argsort(found)
    found, sums = found[order], sums[order]
    same = index.titled(key) if key else found[:0]
    places = np.unique(np.concatenate([found[best_places(sums, BY_WORDS)], same[part.may[same]], part.near]))
    by_words, in_title = worth(index.postings, index.offsets, WORTHS, *given, reading.covers, places)
    words = np.minimum(by_words / np.float32(reading.whole), np.float32(1)) if reading.whole > 0 else by_words
    title, exact = _like_titles(key, part.catalogue.titles_at(places))
    titled = (exact > 0) | ((in_title == reading.words) & (reading.words > 0))
    return Candidates(places if part.rows is None else part.rows[places], words, title, exact, titled)


def _like_titles(key: str, titles: Sequence[str]) -> tuple[Floats, Floats]:
    """How like each of `titles` is to a query of this `key`, 1 for the very same, and what an exact title adds."""
    keys = [(place, rank, each) for place, title in enumerate(titles) for rank, each in enumerate(title_keys(title))]
    like, exact = np.zeros(len(titles), dtype=np.float32), np.zeros(len(titles), dtype=np.float32)
    if not key or not keys:
        return like, exact
    typed, cut = _signs(key[:LETTERS]), [each[:LETTERS] for _, _, each in keys]
    lengths = np.array([len(each) for each in cut])
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    slips = slips_between(typed, _signs("".join(cut)), ends)
    of = np.array([place for place, _, _ in keys])
    # Half of the letters agree in any two titles.
    np.maximum.at(like, of, np.maximum(1 - 2 * slips / np.maximum(lengths, len(typed)), 0).astype(np.float32))
    adds = [np.float32(0) if each != key else SHORT_TITLE if rank else FULL_TITLE for _, rank, each in keys]
    np.maximum.at(exact, of, np.array(adds))
    return like, exact


def _signs(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
