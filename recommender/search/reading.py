"""What somebody may have meant: each word that was typed, and the terms of an index that it may stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.search.search_kernels import Floats, Places
from recommender.search.spelling import LONGEST, RANGE
from recommender.search.word_index import WordIndex
from recommender.search.words import is_spelt, terms_of, words_of

MOST_WORDS = 32
"""Terms of a query that are looked for by their letters; all of it is looked for by its meaning."""
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
    """Places of t terms in a vocabulary that the words of a query may stand for.

    `groups`: shape (t,), int32: by which word of the query each is there, those of one next to each other, the words in few items first.
    `weights`: shape (t,), float32, what each term counts. `whole`: what all words would count that stand as they are typed.
    """

    terms: Places
    groups: Places
    weights: Floats
    whole: float

    @property
    def words(self) -> int:
        """Terms of the query that stand for something."""
        return int(self.groups[-1]) + 1 if len(self.groups) else 0


def query_terms(text: str) -> tuple[str, ...]:
    """The terms of a query, in their order, each once, at most `MOST_WORDS`."""
    return tuple(dict.fromkeys(term for word in words_of(text) for term in terms_of(word)))[:MOST_WORDS]


class Rarity:
    """What a term says, more the fewer of the `n` items of an `index` hold it: inverse document frequency as in BM25 (Robertson and
    Zaragoza 2009, section 3.1)."""

    def __init__(self, index: WordIndex, n: int) -> None:
        self._index, self._n = index, n

    def of(self, term: str) -> float:
        """That of a `term`, which need not be in the index."""
        place = self._index.vocabulary.place(term)
        return self._of_count(self._index.count(place) if place >= 0 else 0)

    def at(self, place: int, index: WordIndex) -> float:
        """That of the term at a `place` of any `index`."""
        if index is self._index:
            return self._of_count(index.count(place))
        return self.of(index.vocabulary.term(place))

    def _of_count(self, count: int) -> float:
        return math.log(1 + (self._n - count + 0.5) / (count + 0.5))


def read(terms: Sequence[str], index: WordIndex, rarity: Rarity) -> Reading:
    """What `terms`, as `query_terms` gives them, may stand for in `index`."""
    meant = [_variants(terms, at, index) for at in range(len(terms))]
    groups: list[tuple[int, list[tuple[int, float]]]] = []
    whole = 0.0
    for term, variants in zip(terms, meant, strict=True):
        own = index.vocabulary.place(term)
        says = {place: rarity.at(place, index) for place in variants}
        # What a common word may be misspelt for does not say more than the word.
        most = says[own] if own >= 0 else max(says.values(), default=rarity.of(term))
        whole += most
        weighted = [(place, alike * min(says[place], most)) for place, alike in variants.items()]
        groups.append((sum(index.count(place) for place in variants), sorted(weighted, key=lambda each: (-each[1], each[0]))))
    groups.sort(key=lambda group: group[0])
    flat = [(place, at, weight) for at, (_, variants) in enumerate(group for group in groups if group[1]) for place, weight in variants]
    return Reading(
        np.array([place for place, _, _ in flat], dtype=np.int32),
        np.array([at for _, at, _ in flat], dtype=np.int32),
        np.array([weight for _, _, weight in flat], dtype=np.float32),
        whole,
    )


def _variants(terms: Sequence[str], at: int, index: WordIndex) -> dict[int, float]:
    """Places of what the term `at` a place of the query may stand for, and how like each is to it, in (0, 1]."""
    term, vocabulary = terms[at], index.vocabulary
    found: dict[int, float] = {}

    def add(place: int, alike: float) -> None:
        if place >= 0:
            found[place] = max(alike, found.get(place, 0.0))

    add(vocabulary.place(term), 1.0)
    if not is_spelt(term) or len(term) > LONGEST:
        return found
    for near in vocabulary.alike(term):
        longest = max(len(term), len(vocabulary.term(near)))
        add(near, max(1 - 1 / longest, 0.1))
    for neighbours in (terms[at : at + 2], terms[max(at - 1, 0) : at + 1]):
        if len(neighbours) == 2 and len(both := "".join(neighbours)) <= LONGEST:
            joined = vocabulary.place(both)
            add(joined, JOINED)
            # Another sign may have come in the place of a space, or a space in the place of a letter.
            for near in vocabulary.alike(both) if joined < 0 else ():
                add(near, JOINED * (1 - 1 / len(both)))
    for cut in range(1, len(term)):
        for rest in (term[cut:], term[cut + 1 :]):
            parts = [(vocabulary.place(part), len(part)) for part in (term[:cut], rest) if part]
            if len(parts) == 2 and min(place for place, _ in parts) >= 0:
                for place, length in parts:
                    add(place, SPLIT * length / len(term))
    if at == len(terms) - 1 and len(term) >= SHORTEST_BEGINNING:
        begun = vocabulary.beginning(term)
        if len(begun) <= RANGE:
            for place in sorted(begun, key=lambda place: (-index.count(place), place))[:BEGINNINGS]:
                add(place, BEGUN * len(term) / len(vocabulary.term(place)))
    best = sorted(found.items(), key=lambda each: (-each[1], -index.count(each[0]), each[0]))[:VARIANTS]
    return dict(best)
