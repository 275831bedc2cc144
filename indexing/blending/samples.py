"""What a blend is learnt from: the candidates of held-out people, as the engine sees them, and which of them they took up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from indexing.learn.blocks import runs
from recommender.cores import shared
from recommender.engine import Recommender
from recommender.feeds import Query, SourceName
from recommender.judging import HeldOut
from recommender.placements import HISTORY_BUCKETS, Placement
from recommender.ranking import FEATURES, Blend, Pool
from recommender.ranking.blend import AS_SET, EVEN, NO_CALIBRATION
from recommender.times import from_micros

Floats = npt.NDArray[np.float32]

AT_ONCE = 100
"""Queries that a core asks at a time."""


@dataclass(frozen=True, eq=False)
class Samples:
    """q queries of up to m candidates each, padded at the end of a line with zeros.

    `strengths`: shape (q, m, s), float32. `features`: shape (q, m, f), float32, but for the columns of the blend that is to be
    learnt. `hits`: shape (q, m), bool: taken up. `relevant`: shape (q,): how many items were taken up, among the candidates or not,
    ≥ 1. `people`: shape (q,): whose query it is. `buckets`: shape (q,): bucket of history length. `groups`: shape (q,): which cut a
    query comes from; what orders one cut better may order another worse.
    """

    strengths: Floats
    features: Floats
    hits: npt.NDArray[np.bool_]
    relevant: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64]
    buckets: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.relevant)

    @cached_property
    def _hits_at(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        query, place = np.nonzero(self.hits)
        return query, place

    @property
    def hit_query(self) -> npt.NDArray[np.intp]:
        """The query of each hit, ascending, shape (h,)."""
        return self._hits_at[0]

    @property
    def hit_place(self) -> npt.NDArray[np.intp]:
        """The place of each hit among the candidates of its query, shape (h,)."""
        return self._hits_at[1]

    def where(self, mask: npt.NDArray[np.bool_]) -> Samples:
        """The queries at which `mask`, shape (q,), is true."""
        return Samples(**{column.name: getattr(self, column.name)[mask] for column in fields(self)})


def joined(parts: Sequence[Samples]) -> Samples:
    """The queries of all `parts`, at least one and of equal m, one part after the other; each query stays in the cut it comes from."""
    return Samples(**{column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Samples)})


def every_source(decays: Floats = AS_SET) -> Blend:
    """A blend in which every source takes part alike: under it the engine gathers what all of them say, histories fading by `decays`."""
    return Blend(np.ones((len(HISTORY_BUCKETS), len(SourceName)), dtype=np.float32), EVEN, None, NO_CALIBRATION, decays)


def with_blend(recommender: Recommender, blend: Blend) -> Recommender:
    """The same engine with another blend."""
    return Recommender.unpublished(replace(recommender.contents, blend=blend), recommender.settings)


def query_of(held_out: HeldOut, place: int, placement: Placement) -> Query:
    """What a held-out person asks for."""
    return Query(
        placement,
        size=1,
        history=held_out.histories[place],
        consumed=held_out.consumed[place],
        dismissed=held_out.dismissed[place],
        candidates=None if held_out.candidates is None else held_out.candidates[place],
    )


def drawn(parts: Sequence[HeldOut], most: int, *, seed: int) -> list[HeldOut]:
    """At most `most` people of all `parts` together, as evenly as their sizes allow, drawn at random within each."""
    rng = np.random.default_rng(seed)
    taken: dict[int, int] = {}
    for left, place in enumerate(sorted(range(len(parts)), key=lambda place: len(parts[place]))):
        # What small parts do not need goes to larger ones.
        share = (most - sum(taken.values())) // (len(parts) - left)
        taken[place] = min(len(parts[place]), share)
    return [part.chosen(np.sort(rng.choice(len(part), taken[place], replace=False))) for place, part in enumerate(parts)]


def gather(recommender: Recommender, parts: Sequence[HeldOut], placement: Placement, depth: int, *, decays: Floats = AS_SET) -> Samples:
    """Samples of all `parts`, each a group of its own, by an engine that has not seen what was held out.

    Of each query the `depth` candidates are kept that any source ranks highest: no blend brings others to the top. Strengths are
    scores as they are. `decays` as a `Blend` has them.
    """
    engine = with_blend(recommender, every_source(decays))
    q = sum(len(part) for part in parts)
    samples = Samples(
        strengths=np.zeros((q, depth, len(SourceName)), dtype=np.float32),
        features=np.zeros((q, depth, len(FEATURES)), dtype=np.float32),
        hits=np.zeros((q, depth), dtype=np.bool_),
        relevant=np.array([len(targets) for part in parts for targets in part.targets], dtype=np.int64),
        people=np.concatenate([np.zeros(0), *(part.people for part in parts)]).astype(np.int64),
        buckets=np.zeros(q, dtype=np.int64),
        groups=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
    )
    placement = placement.model_copy(update={"blend": "learned"})
    starts = np.cumsum([0, *map(len, parts)]).tolist()

    def fill(asked: tuple[int, range]) -> None:
        part, places = asked
        held_out, now = parts[part], from_micros(parts[part].cut)
        for place in places:
            pool = engine.pool(query_of(held_out, place, placement), now=now)
            kept, line = _leading(pool, depth), starts[part] + place
            numbers = engine.contents.catalogue.numbers[pool.rows[kept]]
            samples.buckets[line] = np.searchsorted(HISTORY_BUCKETS, int(pool.past.positive.sum()), side="right") - 1
            samples.strengths[line, : len(kept)] = pool.strengths[kept]
            samples.features[line, : len(kept)] = engine.features(pool, kept, now=now)
            samples.hits[line, : len(kept)] = np.isin(numbers, held_out.targets[place])

    spans = [(part, range(span.start, span.stop)) for part, held_out in enumerate(parts) for span in runs(len(held_out), AT_ONCE)]
    # Many small sums, in which threads of BLAS would only wait for each other.
    with threadpool_limits(1, "blas"):
        shared(fill, spans)
    return samples


def _leading(pool: Pool, depth: int) -> npt.NDArray[np.int64]:
    """Places of the candidates that some source ranks highest, at most `depth`, ascending."""
    ranks = pool.source_ranks
    best = np.where(ranks > 0, ranks, np.iinfo(np.int32).max).min(axis=1, initial=np.iinfo(np.int32).max)
    return np.sort(np.argsort(best, kind="stable")[:depth])


def typical_bests(samples: Samples) -> Floats:
    """What each source gives a query's best candidate on average, shape (s,), over the queries in which it has a say; 1 where none."""
    best = samples.strengths.max(axis=1, initial=0)
    heard = (best > 0).sum(axis=0)
    scales = np.divide(best.sum(axis=0), heard, out=np.ones_like(EVEN), where=heard > 0)
    # Freshness is in [0, 1] as it is.
    scales[SourceName.FRESH - 1] = 1
    typical: Floats = scales.astype(np.float32)
    return typical
