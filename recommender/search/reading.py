"""What somebody may have meant: each word that was typed, and the terms that it may stand for among the words of all that is searched.

What is searched may lie in several parts with an index each: a generation's, and what is laid over it. A word means the same in all of
them, so that an item is worth as much whichever part it is in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recommender.search.search_kernels import Floats, Places
from recommender.search.spelling import LONGEST, RANGE
from recommender.search.word_index import WordIndex
from recommender.search.words import is_spelt, terms_of, words_of

MOST_WORDS = 32
"""Terms of a query that are looked for by their letters, the first ones; all of it is looked for by its meaning."""
VARIANTS = 60
"""Terms that one word may stand for."""
BEGINNINGS = 30
SHORTEST_BEGINNING = 2

BEGUN = 0.9
"""How much a word counts that begins with what was typed, before how much of it that is."""
JOINED = 0.95
SPLIT = 0.9


@dataclass(frozen=True, eq=False)
class Reading:
    """Places of t terms in the vocabulary of one part that the words of a query may stand for.

    `groups`: shape (t,), int32: by which word of the query each is there, those of one next to each other, the words in few items first.
    `weights`: shape (t,), float32, what each term counts. `covers`: shape (t,), float32, how much of its word each is, in (0, 1]: less than
    all of it where it is a half of one that was typed without its space. `whole`: what all words would count that stand as they are typed.
    `words`: how many the query has, those among them that stand for nothing here, or were not looked for.
    """

    terms: Places
    groups: Places
    weights: Floats
    covers: Floats
    whole: float
    words: int


class _Meant(NamedTuple):
    """How like a term is to a word that was typed, and how much of the word it is; both in (0, 1]."""

    alike: float
    covers: float


class _There(NamedTuple):
    """A term at a `place` of a part's vocabulary, what it counts, and how much of its word it is."""

    place: int
    weight: float
    covers: float


def query_terms(text: str) -> tuple[str, ...]:
    """The terms of a query, in their order, each once."""
    return tuple(dict.fromkeys(term for word in words_of(text) for term in terms_of(word)))


class _Words:
    """The terms of all parts together, by their `indexes`, at least one. What a term says is more the fewer of the `n` items of the first
    part hold it: inverse document frequency as in BM25 (Robertson and Zaragoza 2009, section 3.1)."""

    def __init__(self, indexes: Sequence[WordIndex], n: int) -> None:
        self._indexes, self._n = indexes, n
        # What was looked up in each part.
        self._places: list[dict[str, int]] = [{} for _ in indexes]

    def place(self, part: int, term: str) -> int:
        """Where `term` is in the vocabulary of a `part`; -1 where it is not."""
        known = self._places[part]
        place = known.get(term)
        if place is None:
            place = known[term] = self._indexes[part].vocabulary.place(term)
        return place

    def has(self, term: str) -> bool:
        """Whether `term` is in any part."""
        return any(self.place(part, term) >= 0 for part in range(len(self._indexes)))

    def count(self, term: str) -> int:
        """How many items of all parts hold `term`."""
        count = 0
        for part, index in enumerate(self._indexes):
            place = self.place(part, term)
            if place >= 0:
                count += index.count(place)
        return count

    def rarity(self, term: str) -> float:
        """What `term` says, which need not be in any part."""
        place = self.place(0, term)
        count = self._indexes[0].count(place) if place >= 0 else 0
        return math.log(1 + (self._n - count + 0.5) / (count + 0.5))

    def alike(self, term: str) -> set[str]:
        """Terms that are one slip away from `term`."""
        return {self._term(part, place) for part, index in enumerate(self._indexes) for place in index.vocabulary.alike(term)}

    def beginning(self, start: str) -> list[str]:
        """The most common of the terms that begin with `start`; none of too many."""
        ranges = [index.vocabulary.beginning(start) for index in self._indexes]
        if sum(map(len, ranges)) > RANGE:
            return []
        begun: set[str] = set()
        for part, (index, places) in enumerate(zip(self._indexes, ranges, strict=True)):
            common = sorted(places, key=lambda place: (-index.count(place), place))[:BEGINNINGS]
            begun.update(self._term(part, place) for place in common)
        return sorted(begun, key=lambda term: (-self.count(term), term))[:BEGINNINGS]

    def _term(self, part: int, place: int) -> str:
        term = self._indexes[part].vocabulary.term(place)
        self._places[part][term] = place
        return term


def read(terms: Sequence[str], indexes: Sequence[WordIndex], n: int) -> list[Reading]:
    """What `terms`, as `query_terms` gives them, may stand for in each of `indexes`, at least one; no more than the first `MOST_WORDS` are
    looked for. The first index, of `n` items, tells words common from rare."""
    words, looked_for = _Words(indexes, n), terms[:MOST_WORDS]
    groups: list[list[tuple[int, list[_There]]]] = [[] for _ in indexes]
    whole = 0.0
    for at, term in enumerate(looked_for):
        variants = _variants(looked_for, at, words)
        says = {variant: words.rarity(variant) for variant in variants}
        # What a common word may be misspelt for does not say more than the word.
        most = says[term] if term in variants else max(says.values(), default=words.rarity(term))
        whole += most
        for part, index in enumerate(indexes):
            there = [
                _There(place, meant.alike * min(says[variant], most), meant.covers)
                for variant, meant in variants.items()
                if (place := words.place(part, variant)) >= 0
            ]
            if there:
                count = sum(index.count(each.place) for each in there)
                groups[part].append((count, sorted(there, key=lambda each: (-each.weight, each.place))))
    return [_reading(each, whole, len(terms)) for each in groups]


def _reading(groups: list[tuple[int, list[_There]]], whole: float, words: int) -> Reading:
    """That of one part, of what there is by word, with how many items hold any of it."""
    groups.sort(key=lambda group: group[0])
    flat = [(at, each) for at, (_, variants) in enumerate(groups) for each in variants]
    return Reading(
        terms=np.array([each.place for _, each in flat], dtype=np.int32),
        groups=np.array([at for at, _ in flat], dtype=np.int32),
        weights=np.array([each.weight for _, each in flat], dtype=np.float32),
        covers=np.array([each.covers for _, each in flat], dtype=np.float32),
        whole=whole,
        words=words,
    )


def _variants(terms: Sequence[str], at: int, words: _Words) -> dict[str, _Meant]:
    """What the term `at` a place of the query may stand for."""
    term = terms[at]
    found: dict[str, _Meant] = {}

    def add(variant: str, alike: float, covers: float = 1.0) -> None:
        known = found.get(variant, _Meant(0.0, 0.0))
        found[variant] = _Meant(max(alike, known.alike), max(covers, known.covers))

    if words.has(term):
        add(term, 1.0)
    if not is_spelt(term) or len(term) > LONGEST:
        return found
    for near in words.alike(term):
        add(near, max(1 - 1 / max(len(term), len(near)), 0.1))
    for neighbours in (terms[at : at + 2], terms[max(at - 1, 0) : at + 1]):
        if len(neighbours) == 2 and len(both := "".join(neighbours)) <= LONGEST:
            if words.has(both):
                add(both, JOINED)
                continue
            # Another sign may have come in the place of a space, or a space in the place of a letter.
            for near in words.alike(both):
                add(near, JOINED * (1 - 1 / len(both)))
    for cut in range(1, len(term)):
        for rest in (term[cut:], term[cut + 1 :]):
            parts = [part for part in (term[:cut], rest) if part]
            if len(parts) == 2 and all(map(words.has, parts)):
                for part in parts:
                    add(part, SPLIT * len(part) / len(term), len(part) / sum(map(len, parts)))
    if at == len(terms) - 1 and len(term) >= SHORTEST_BEGINNING:
        for begun in words.beginning(term):
            add(begun, BEGUN * len(term) / len(begun))
    best = sorted(found.items(), key=lambda each: (-each[1].alike, -words.count(each[0]), each[0]))[:VARIANTS]
    return dict(best)
