"""Titles and texts of a synthetic world: made-up words, of which each topic uses a few more often than others do."""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eval.world.shape import Shape

WORDS = 4_000
WORDS_OF_TOPIC = 12
TITLE_WORDS = 5
TEXT_WORDS = 20
ABOUT_TOPIC = 0.5
"""The share of an item's words that are its topic's own."""

_ONSETS = ("b", "br", "d", "f", "g", "h", "k", "kr", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "w", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")


class Vocabulary:
    """The words of a world."""

    def __init__(self, shape: Shape) -> None:
        rng = shape.rng("words")
        syllables = [onset + vowel for onset in _ONSETS for vowel in _VOWELS]
        picked = rng.integers(0, len(syllables), (WORDS, 3))
        long = rng.random(WORDS) < 0.5
        made = [syllables[a] + syllables[b] + (syllables[c] if more else "") for (a, b, c), more in zip(picked.tolist(), long, strict=True)]
        self._words = pa.array(made)
        self._of_topic = rng.integers(0, WORDS, (shape.topics, WORDS_OF_TOPIC))

    def names(self) -> list[str]:
        """What each topic is called, by its place."""
        first = self._words.take(pa.array(self._of_topic[:, 0])).to_pylist()
        return [f"{word}-{place}" for place, word in enumerate(first)]

    def phrases(self, topic: npt.NDArray[np.int32], count: int, rng: np.random.Generator) -> pa.Array:
        """A phrase of `count` words for each of `topic`, shape (m,)."""
        own = self._of_topic[topic[:, None], rng.integers(0, WORDS_OF_TOPIC, (len(topic), count))]
        chosen = np.where(rng.random(own.shape) < ABOUT_TOPIC, own, rng.integers(0, WORDS, own.shape))
        columns = [self._words.take(pa.array(column)) for column in chosen.T]
        return reduce(lambda left, right: pc.binary_join_element_wise(left, right, " "), columns)
