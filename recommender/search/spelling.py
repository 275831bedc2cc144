"""Words by how they are spelt: those that begin with what was typed, and those that one slip of the hand turns into it.

Two words are one slip apart (a letter left out, put in, another one in its place, or two neighbours exchanged) only where leaving out at
most one letter of each makes them the same: the symmetric delete algorithm (Garbe 2012, SymSpell). So no letter is special, the first one
as little as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from recommender.search.words import is_spelt

LONGEST = 40
"""Letters of a word that is looked for by spelling; longer ones are no words that anybody types."""
RANGE = 2_000
"""Words that begin the same, of which the most common are looked for; those of more have to be typed further."""
ALIKE = 2_000
"""Words that may be a slip away, at the most; only pathological catalogues have as many."""

Bytes = npt.NDArray[np.uint8]
Ends = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """v different terms, in order of their UTF-8.

    `letters`: all of them, one after the other; `ends`: shape (v + 1,), int32, where each begins and the last one ends. `slips`: shape
    (s,), uint32, ascending: hashes of terms, whole and with one letter left out; `slipped`: shape (s,), int32, the place of the term of
    each.
    """

    letters: Bytes
    ends: Ends
    slips: npt.NDArray[np.uint32]
    slipped: npt.NDArray[np.int32]

    @classmethod
    def of(cls, terms: Sequence[str]) -> Vocabulary:
        """The vocabulary of different `terms`, in any order."""
        encoded = sorted(term.encode() for term in terms)
        hashes: list[int] = []
        counts = np.zeros(len(encoded), dtype=np.int64)
        for place, word in enumerate(encoded):
            made = [_hash(each) for each in _shortened(word.decode())]
            counts[place] = len(made)
            hashes += made
        slips = np.array(hashes, dtype=np.uint32)
        slipped = np.repeat(np.arange(len(encoded), dtype=np.int32), counts)
        order = np.argsort(slips, kind="stable")
        return cls(
            np.frombuffer(b"".join(encoded), dtype=np.uint8),
            np.cumsum([0, *map(len, encoded)], dtype=np.int32),
            slips[order],
            slipped[order],
        )

    def __len__(self) -> int:
        return len(self.ends) - 1

    def term(self, place: int) -> str:
        """The term at `place`."""
        return self._bytes(place).decode()

    def place(self, term: str) -> int:
        """Where `term` is; -1 where it is not."""
        wanted, hashed = term.encode(), np.uint32(_hash(term))
        # Few others share its hash, while looking by its letters takes a dozen steps and more.
        at, end = int(self.slips.searchsorted(hashed)), len(self.slips)
        while at < end and self.slips[at] == hashed:
            place = int(self.slipped[at])
            if self._bytes(place) == wanted:
                return place
            at += 1
        return -1

    def beginning(self, start: str) -> range:
        """Places of the terms that begin with `start`, itself among them."""
        wanted = start.encode()
        # No UTF-8 has this byte.
        return range(self._first_from(wanted), self._first_from(wanted + b"\xff"))

    def alike(self, word: str) -> list[int]:
        """Places of terms that are one slip away from `word`, ascending; not its own."""
        hashes = np.unique(np.array([_hash(each) for each in _shortened(word)], dtype=np.uint32))
        found: set[int] = set()
        for start, stop in zip(self.slips.searchsorted(hashes), self.slips.searchsorted(hashes, side="right"), strict=True):
            found.update(self.slipped[start:stop].tolist())
        return [place for place in sorted(found)[:ALIKE] if is_one_slip(word, self.term(place))]

    def _bytes(self, place: int) -> bytes:
        return self.letters[self.ends[place] : self.ends[place + 1]].tobytes()

    def _first_from(self, wanted: bytes) -> int:
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low


def is_one_slip(one: str, other: str) -> bool:
    """Whether exactly one slip turns `one` into `other`."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    same = 0
    while same < len(one) and one[same] == other[same]:
        same += 1
    if len(one) < len(other):
        return one[same:] == other[same + 1 :]
    exchanged = one[same : same + 2] == other[same : same + 2][::-1] and one[same + 2 :] == other[same + 2 :]
    return one[same + 1 :] == other[same + 1 :] or exchanged


def _shortened(word: str) -> Iterator[str]:
    """`word` and, where it may be misspelt, what is left of it without any one of its letters, each once."""
    yield word
    if is_spelt(word) and len(word) <= LONGEST:
        for place in range(len(word)):
            # Without either of two same neighbours the same is left.
            if not place or word[place] != word[place - 1]:
                yield word[:place] + word[place + 1 :]


def _hash(text: str) -> int:
    return xxhash.xxh32_intdigest(text.encode())
