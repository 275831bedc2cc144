"""The items of a synthetic world: topics in categories, power-law appeal, ages by kind, vectors that cluster as texts do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.world.shape import LANGUAGE_SHARES, LANGUAGES, Shape
from recommender.items import ItemKind

KINDS = (ItemKind.ARTICLE, ItemKind.MEDIA, ItemKind.PRODUCT)
KIND_SHARES = (0.5, 0.3, 0.2)
"""Of categories; of the items of a category, `MAIN_KIND` are of its kind."""
MAIN_KIND = 0.9
HALF_LIFE_DAYS = (4.0, 45.0, 180.0)
"""How fast items of each of `KINDS` lose appeal with age."""
APPEAL_EXPONENT = 1.2
"""Appeal is drawn from a Pareto distribution of this shape: a few items draw most of the attention."""
BACKLOG = 0.3
"""The share of items that were published before the history begins; the others appear as it goes on."""
BACKLOG_DAYS = 1_500

VARIANCE_OF_CATEGORY = 0.22
VARIANCE_OF_TOPIC = 0.28
"""Shares of a vector that its category and its topic decide; the rest is the item's own. Texts embedded by small language
models show cosines of about 0 across categories, .2 within one and .5 within a topic."""
SPECTRUM = 0.4
"""Directions of vectors differ in spread, as (1 + place) to the power of minus this: text vectors have few strong directions."""

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

MICROS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All items but for their vectors and words, each array of shape (n,).

    `topic`, `category` and `language` are places; `kind` a place among `KINDS`; `published` in microseconds since 1970, int64;
    `appeal` > 0 with mean about 1; `author` a number, each of whom writes in one cell; `price` ≥ 0, NaN for what is not sold.
    """

    shape: Shape
    topic: Ints
    category: Ints
    language: Ints
    kind: npt.NDArray[np.int8]
    published: npt.NDArray[np.int64]
    appeal: Floats
    author: Ints
    price: Floats

    @property
    def cell(self) -> Ints:
        """The topic and language of each item as one number."""
        cell: Ints = self.topic * len(LANGUAGES) + self.language
        return cell

    @classmethod
    def drawn(cls, shape: Shape) -> Catalogue:
        """The catalogue of `shape`."""
        rng, n = shape.rng("catalogue"), shape.items
        category_of = np.arange(shape.topics) % shape.categories
        sizes = 1 / (np.arange(shape.topics) + 5.0) ** 0.5
        topic = rng.choice(shape.topics, n, p=sizes / sizes.sum()).astype(np.int32)
        category = category_of[topic].astype(np.int32)
        language = rng.choice(len(LANGUAGES), n, p=LANGUAGE_SHARES).astype(np.int32)
        main = np.repeat(np.arange(len(KINDS)), np.diff(np.round(np.cumsum([0, *KIND_SHARES]) * shape.categories).astype(int)))
        kind = np.where(rng.random(n) < MAIN_KIND, main[category], rng.integers(0, len(KINDS), n)).astype(np.int8)
        back = rng.random(n) < BACKLOG
        age = np.where(back, shape.days + rng.random(n) ** 2 * BACKLOG_DAYS, rng.random(n) * shape.days)
        published = int(shape.end.timestamp() * 1e6) - (age * MICROS_PER_DAY).astype(np.int64)
        appeal = rng.pareto(APPEAL_EXPONENT, n) + 0.05
        cell = topic.astype(np.int64) * len(LANGUAGES) + language
        # Some authors write much and most write little.
        writers = np.maximum(2, np.bincount(cell, minlength=shape.cells) // 8)
        author = np.cumsum(writers)[cell] - 1 - (writers[cell] * rng.random(n) ** 2).astype(np.int64)
        price = np.where(kind == 2, np.round(np.exp(rng.normal(3.2, 1.0, n)), 2), np.nan)
        return cls(
            shape, topic, category, language, kind, published, appeal.astype(np.float32), author.astype(np.int32), price.astype(np.float32)
        )


def vectors(catalogue: Catalogue, *, part: int = 65_536) -> Iterator[Floats]:
    """The items' unit vectors, shape (m, d), float32, in parts of at most `part` items, in order."""
    shape = catalogue.shape
    for number, start in enumerate(range(0, shape.items, part)):
        chosen = slice(start, start + part)
        yield vectors_about(shape, catalogue.topic[chosen], catalogue.category[chosen], shape.rng("vectors", number))


def vectors_about(shape: Shape, topic: Ints, category: Ints, rng: np.random.Generator) -> Floats:
    """Unit vectors of items of each `topic` and `category`, both of shape (m,), in a world of `shape`: shape (m, d), float32."""
    centres, d = shape.rng("centres"), shape.dimension
    spread = 1 / np.sqrt(1.0 + np.arange(d)) ** (2 * SPECTRUM)
    spread = (spread / np.linalg.norm(spread)).astype(np.float32)
    of_category = centres.standard_normal((shape.categories, d), dtype=np.float32) * spread
    of_topic = centres.standard_normal((shape.topics, d), dtype=np.float32) * spread
    own = 1 - VARIANCE_OF_CATEGORY - VARIANCE_OF_TOPIC
    made: Floats = rng.standard_normal((len(topic), d), dtype=np.float32) * spread
    made *= np.float32(np.sqrt(own))
    made += of_category[category] * np.float32(np.sqrt(VARIANCE_OF_CATEGORY))
    made += of_topic[topic] * np.float32(np.sqrt(VARIANCE_OF_TOPIC))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made
