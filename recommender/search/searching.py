"""A search through the engine: what may be shown, what fits the query, and of that what suits the person, as one feed."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.errors import RecommenderError
from recommender.feeds import NAMED, PERSONAL_SOURCES, Degradation, Feed, Placing, Query, ReasonKind, Reasons, SourceName
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.pools import CONTENT
from recommender.search.hybrid import Mix, Part, candidates
from recommender.sources import ContentSource
from recommender.stages import reached

if TYPE_CHECKING:
    from recommender.engine import Recommender

MIX = Mix()
NEAR = 100
"""Items that are found by meaning alone, at the most."""
NEAR_ENOUGH = 0.2
"""Cosine below which meaning alone finds nothing: texts about different things come to as much."""
FOR_THE_PERSON = 50
"""Leading items that are ordered anew for the person."""

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_PERSONAL = [int(name) - 1 for name in sorted(PERSONAL_SOURCES)]


class _Meaning(NamedTuple):
    """What is near to a query: `rows`, nearest first; its `vector`, None without one; how it was looked for, and why it was not."""

    rows: Rows
    vector: Floats | None
    mode: str
    why_not: str


def searched(engine: Recommender, query: Query, allowed: Mask, now: datetime, deadline: float | None) -> Feed:
    """The answer to a `query` that has a `text`, from the `allowed` rows, shape (n,).

    Near the `deadline`, a `time.monotonic()` value, words alone answer, and the feed says so.
    """
    content = engine.content
    meaning = _meaning(engine, content, query.text, allowed, deadline)
    reached("meaning of the query")
    found = candidates(query.text, _parts(engine, allowed, meaning.rows))
    cosines = _cosines(content, found.rows, meaning.vector)
    scores = np.float32(MIX.words) * found.words + np.float32(MIX.title) * found.title
    if meaning.vector is None:
        scores /= np.float32(MIX.words + MIX.title)
    else:
        scores += np.float32(MIX.meaning) * cosines
    fits = (found.words > 0) | (found.exact > 0) | (cosines >= NEAR_ENOUGH)
    numbers = engine.catalogue.numbers_at(found.rows)
    order = np.lexsort((numbers, -(scores + found.exact)))
    order = order[fits[order]][: max(query.size, FOR_THE_PERSON)]
    numbers, scores, exact, titled = numbers[order], scores[order], found.exact[order], found.titled[order]
    reached("what fits the query")
    added = np.zeros((len(order), len(engine.sources)), dtype=np.float32)
    added[:, CONTENT] = scores + exact
    degraded = [] if meaning.vector is not None else [Degradation("meaning", meaning.why_not)]
    by_history = False
    suits = _suits(engine, query, numbers[:FOR_THE_PERSON], now, deadline)
    if suits is None:
        degraded.append(Degradation("person", "deadline"))
    else:
        added[: len(suits)] += suits
        by_history = bool((suits[:, _PERSONAL] > 0).any())
    scores = added.sum(axis=1)
    # An exact title stays first, whoever asks.
    order = np.lexsort((numbers, -scores, -exact))[: query.size]
    numbers, scores, added, titled = numbers[order], scores[order], added[order], titled[order]
    reached("what suits the person")
    ranks = np.zeros(added.shape, dtype=np.int32)
    ranks[:, CONTENT] = np.arange(1, len(order) + 1)
    return Feed(
        numbers=numbers,
        scores=scores,
        sources=np.full(len(order), SourceName.CONTENT, dtype=np.uint8),
        contributions=added,
        source_ranks=ranks,
        probabilities=np.ones(len(order), dtype=np.float32),
        marks=np.full(len(order), Placing.RANKED, dtype=np.uint8),
        reasons=_reasons(titled[: query.reasons]),
        eligible=int(np.count_nonzero(allowed)),
        retrieval_mode=meaning.mode,
        degraded=tuple(degraded),
        by_history=by_history,
    )


def _meaning(engine: Recommender, content: ContentSource, text: str, allowed: Mask, deadline: float | None) -> _Meaning:
    encoder, nothing = engine.contents.encoder, np.zeros(0, dtype=np.int32)
    if not encoder.there:
        return _Meaning(nothing, None, "none", "no model")
    if _late(deadline):
        return _Meaning(nothing, None, "none", "deadline")
    try:
        vector = encoder.vector(text)
    except RecommenderError:
        return _Meaning(nothing, None, "none", "failed")
    if len(vector) != content.vectors.dimension:
        return _Meaning(nothing, None, "none", "no model")
    rows, mode = content.nearest(vector, NEAR, allowed)
    return _Meaning(rows, vector, mode, "")


def _late(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline


def _parts(engine: Recommender, allowed: Mask, near: Rows) -> list[Part]:
    """What the engine knows: the generation, and what is laid over it, which stands for what it changed. `near`: rows of candidates."""
    base, words = engine.contents.catalogue, engine.contents.words
    if not isinstance(engine.catalogue, OverlaidCatalogue):
        return [Part(base, words, allowed, near)]
    overlay = engine.catalogue.overlay
    may = allowed[: base.n].copy()
    may[overlay.revised_rows] = False
    rows, places = overlay.engine_rows, overlay.places(near)
    return [
        Part(base, words, may, near[places < 0]),
        Part(overlay.delta.catalogue, overlay.delta.words, allowed[rows], places[places >= 0], rows),
    ]


def _cosines(content: ContentSource, rows: Rows, vector: Floats | None) -> Floats:
    """How near each of `rows`, shape (r,), is to the query in meaning, 0 to 1: shape (r,), 0 for what has no vector."""
    made = np.zeros(len(rows), dtype=np.float32)
    if vector is None:
        return made
    there = content.known[rows]
    made[there] = np.clip(content.gather(rows[there]) @ vector, 0, 1)
    return made


def _suits(engine: Recommender, query: Query, numbers: npt.NDArray[np.uint32], now: datetime, deadline: float | None) -> Floats | None:
    """What each of the leading items, by their `numbers`, shape (l,), gains by suiting the person, shape (l, s), by the source that speaks
    most for it. The engine puts them in order: the first gains most, the last next to nothing. None where the deadline is too near."""
    if _late(deadline):
        return None
    added = np.zeros((len(numbers), len(engine.sources)), dtype=np.float32)
    if not len(numbers):
        return added
    wanted = replace(query, text="", candidates=numbers, size=len(numbers), reasons=0)
    [feed] = engine.feeds([wanted], now=now, deadline=deadline)
    place_of = {number: place for place, number in enumerate(numbers.tolist())}
    at = np.array([place_of[number] for number in feed.numbers.tolist()], dtype=np.int64)
    spoken = feed.source_ranks.any(axis=1)
    share = 1 - np.arange(len(at), dtype=np.float32) / np.float32(len(numbers))
    added[at[spoken], feed.sources[spoken].astype(np.int64) - 1] = np.float32(MIX.person) * share[spoken]
    return added


def _reasons(titled: Mask) -> Reasons:
    """Why each item is there: whether its title says what was typed, shape (r,), or something else does."""
    count, none = len(titled), np.zeros(len(titled), dtype=np.uint8)
    return Reasons(
        kinds=np.where(titled, int(ReasonKind.MATCHES_TITLE), int(ReasonKind.MATCHES_QUERY)).astype(np.uint8),
        sources=np.full(count, SourceName.CONTENT, dtype=np.uint8),
        events=none,
        because=np.full((count, NAMED), -1, dtype=np.int64),
        shares=np.zeros(count, dtype=np.float32),
    )
