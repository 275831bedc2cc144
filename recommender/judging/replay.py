"""Replay: held-out people's feeds, made by the serving engine itself, against what they then took up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from recommender.cores import shared
from recommender.engine import Recommender
from recommender.errors import InvalidInput, RecommenderError
from recommender.feeds import Feed, Query, SourceName
from recommender.judging.cuts import HeldOut
from recommender.judging.intervals import Interval, bootstrap_means
from recommender.judging.list_figures import LISTED, ListFigures
from recommender.judging.metrics import (
    Hits,
    Values,
    auc,
    average_precision,
    hit_rate,
    ndcg,
    precision,
    r_precision,
    recall,
    reciprocal_rank,
)
from recommender.people import Seen
from recommender.placements import Placement
from recommender.times import from_micros

DEPTH = 100
BATCH = 256
SEEDS_APART = 2**32
"""What chance goes by differs from person to person, and with the seed for all of them."""
SHARED = 32
"""Feeds that a core makes at a time."""
BLEND = "blend"
SILENT = (0.0, 0.0, 0.0, 0.0)

VARIANTS: Mapping[str, frozenset[SourceName] | None] = {
    "popularity": frozenset({SourceName.POPULAR}),
    **{source.key: frozenset({source}) for source in SourceName if source not in (SourceName.POPULAR, SourceName.FRESH)},
    BLEND: None,
}
"""What is judged: each source alone at full weight, and all of them blended as the placement says.

The newest items alone are nobody's recommender, so that freshness is judged within the blend only.
"""

METRICS: Mapping[str, tuple[Callable[[Hits, npt.NDArray[np.integer], int], Values], int]] = {
    "ndcg@10": (ndcg, 10),
    "ndcg@20": (ndcg, 20),
    "recall@10": (recall, 10),
    "recall@20": (recall, 20),
    "recall@50": (recall, 50),
    "recall@100": (recall, 100),
    "hit_rate@10": (hit_rate, 10),
    "precision@10": (precision, 10),
    "map@10": (average_precision, 10),
    "mrr@10": (reciprocal_rank, 10),
}
"""The metrics of every judgement by name; "r_precision", which has no k, and "auc" stand beside them."""
OFFERED_METRICS: Mapping[str, tuple[Callable[[Hits, npt.NDArray[np.integer], int], Values], int]] = {
    "ndcg@5": (ndcg, 5),
    "mrr@100": (reciprocal_rank, DEPTH),
}
"""Further ones where people have candidates of their own, as is usual for impressions (Wu et al., MIND, ACL 2020)."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Figures of one variant over q people.

    `values`: by metric ("ndcg@10"), one value per person, shape (q,), NaN where a person has none ("auc" of an impression of
    which nothing was clicked, the age of undated items). `intervals`: their means, over those who have a value, with 95 %
    bootstrap intervals. `overall`: figures that only everybody's lists together have, such as "gini@10", and "auc_excluded",
    how many people have no AUC. `lists`: shape (q, 100), int32 catalogue rows best first, -1 where a list is shorter; `hits`:
    the same shape, whether each was taken up; `relevant`: shape (q,), how many items were taken up.
    `shown`: how many different items stood in the first ten of anybody's feed. `scores`: shape as `lists`, float32, what each item
    scored, NaN where no source spoke for it.
    """

    variant: str
    values: Mapping[str, Values]
    intervals: Mapping[str, Interval]
    overall: Mapping[str, float]
    lists: npt.NDArray[np.int32]
    hits: Hits
    relevant: npt.NDArray[np.int64]
    shown: int
    scores: npt.NDArray[np.float32]


def judge(
    recommender: Recommender,
    held_out: HeldOut,
    placement: Placement,
    *,
    variant: str = BLEND,
    sources: frozenset[SourceName] | None = None,
    lists: bool = False,
    seen: Sequence[Seen] | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Judgement:
    """Rank all that may be ranked for every held-out person and compare with what they took up; no sampled negatives.

    `variant`: a name in `VARIANTS`. With `sources` it is an ablation's own name instead: the blend of only these, at the weights
    that the placement gives them. `lists`: also measure lists as lists (popularity, novelty, diversity, serendipity, age,
    calibration, coverage, Gini), which takes about a quarter longer. Where people have candidates, all of these are ranked, and
    "auc" is over the complete ranking. Whoever took up more than 100 items is asked for as many, so that "r_precision" is over all its
    places. `seen`: what each person was shown before, q arrays; nothing without it. `seed`: what intervals are drawn by, and chance, where
    the placement leaves anything to it. `progress` is told how many people are done.

    Raises `InvalidInput` for a name that is not known or already taken, and `RecommenderError` when nobody is held out, a source
    failed, or one that an ablation leaves out took part all the same: a figure of another engine than is said would mislead.
    """
    if not len(held_out):
        raise RecommenderError("nobody took up anything new after the cut, so there is nothing to judge")
    asked = _asked_sources(variant, sources)
    placement = placement if sources is None else blend_with_only(placement, sources)
    recommender = recommender if sources is None else _with_only(recommender, sources)
    record = _Record.of(len(held_out))
    figures = ListFigures.of(recommender) if lists else None
    values: dict[str, Values] = {}
    done = 0
    # Feeds are made of many small sums, in which threads of BLAS would only wait for each other.
    with _blas().limit(limits=1, user_api="blas"):
        for moment, people in _batches(held_out):
            now = from_micros(moment)
            queries = [_query(held_out, int(person), placement, asked) for person in people]
            if seen is not None:
                queries = [replace(query, seen=seen[person]) for query, person in zip(queries, people, strict=True)]
            if placement.goes_by_chance:
                queries = [replace(query, seed=SEEDS_APART * seed + int(person)) for query, person in zip(queries, people, strict=True)]
            feeds = _whole_feeds(recommender, queries, now)
            if sources is not None:
                _check_silent(feeds, sources)
            for person, feed in zip(people, feeds, strict=True):
                record.note(recommender, int(person), feed, held_out.targets[person])
            targets = [held_out.targets[person] for person in people]
            of_batch: dict[str, Values] = {"r_precision": _r_precisions(feeds, targets)}
            if figures is not None:
                expected = np.full((len(people), LISTED), -1, dtype=np.int32)
                plain = [replace(query, size=LISTED, sources=VARIANTS["popularity"]) for query in queries]
                for line, feed in enumerate(_whole_feeds(recommender, plain, now)):
                    expected[line, : len(feed.numbers)] = recommender.contents.catalogue.rows_of(feed.numbers)
                histories = [held_out.histories[person] for person in people]
                of_batch |= figures.of_people(record.lists[people], record.hits[people], expected, histories, np.full(len(people), moment))
            if held_out.candidates is not None:
                of_batch["auc"] = _areas(feeds, targets, [held_out.candidates[person] for person in people])
            for name, column in of_batch.items():
                values.setdefault(name, np.full(len(held_out), np.nan))[people] = column
            done += len(people)
            progress(done)
    relevant = np.array([len(targets) for targets in held_out.targets], dtype=np.int64)
    asked_for = METRICS if held_out.candidates is None else {**METRICS, **OFFERED_METRICS}
    values = {**{name: metric(record.hits, relevant, k) for name, (metric, k) in asked_for.items()}, **values}
    overall = {} if figures is None else figures.overall(record.lists, record.spoken_for, values)
    if "auc" in values:
        overall["auc_excluded"] = float(np.isnan(values["auc"]).sum())
    intervals = bootstrap_means(values, np.random.default_rng(seed), people=held_out.people)
    first = record.lists[:, :10]
    shown = len(np.unique(first[first >= 0]))
    return Judgement(variant, values, intervals, overall, record.lists, record.hits, relevant, shown, record.scores)


def blend_with_only(placement: Placement, sources: frozenset[SourceName]) -> Placement:
    """`placement` with all other sources silent and the weights of `sources` as they are, so that what is left out is all that differs."""
    silent = {source.key: SILENT for source in SourceName if source not in sources}
    return placement.model_copy(update={"weights": placement.weights.model_copy(update=silent)})


def _asked_sources(variant: str, sources: frozenset[SourceName] | None) -> frozenset[SourceName] | None:
    if sources is None:
        if variant not in VARIANTS:
            raise InvalidInput("variant", variant, f"one of {', '.join(VARIANTS)}, or a name with the sources that it stands for")
        return VARIANTS[variant]
    if variant in VARIANTS:
        raise InvalidInput("variant", variant, f"for given sources a name other than {', '.join(VARIANTS)}")
    return None


def _with_only(recommender: Recommender, sources: frozenset[SourceName]) -> Recommender:
    """The engine whose learned blend, where it has one, listens to `sources` alone."""
    blend = recommender.contents.blend
    if blend is None:
        return recommender
    heard = np.array([source in sources for source in SourceName])
    contents = replace(recommender.contents, blend=replace(blend, weights=blend.weights * heard))
    return Recommender(contents, recommender.settings, recommender.eligibility, recommender.generation_id)


@dataclass(frozen=True, eq=False)
class _Record:
    """What was shown: `lists`, `hits` and `scores` as in `Judgement`; `spoken_for`: how many leading items of each list a source
    proposed."""

    lists: npt.NDArray[np.int32]
    hits: Hits
    scores: npt.NDArray[np.float32]
    spoken_for: npt.NDArray[np.int64]

    @classmethod
    def of(cls, people: int) -> _Record:
        lists = np.full((people, DEPTH), -1, dtype=np.int32)
        scores = np.full((people, DEPTH), np.nan, dtype=np.float32)
        return cls(lists, np.zeros((people, DEPTH), dtype=np.bool_), scores, np.zeros(people, dtype=np.int64))

    def note(self, recommender: Recommender, person: int, feed: Feed, targets: npt.NDArray[np.uint32]) -> None:
        numbers = feed.numbers[:DEPTH]
        self.lists[person, : len(numbers)] = recommender.contents.catalogue.rows_of(numbers)
        self.hits[person, : len(numbers)] = np.isin(numbers, targets)
        # What fills a short slate has a rank from no source, and always stands at its end.
        spoken_for = np.count_nonzero(feed.source_ranks[:DEPTH].any(axis=1))
        self.spoken_for[person] = spoken_for
        self.scores[person, :spoken_for] = feed.scores[:spoken_for]


def _batches(held_out: HeldOut) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """The places of at most `BATCH` people at a time who share a moment (µs)."""
    if held_out.moments is None:
        groups = [(held_out.cut, np.arange(len(held_out)))]
    else:
        order = np.argsort(held_out.moments, kind="stable")
        moments, starts = np.unique(held_out.moments[order], return_index=True)
        groups = list(zip(moments.tolist(), np.split(order, starts[1:]), strict=True))
    for moment, places in groups:
        for start in range(0, len(places), BATCH):
            yield moment, places[start : start + BATCH]


def _query(held_out: HeldOut, person: int, placement: Placement, sources: frozenset[SourceName] | None) -> Query:
    candidates = None if held_out.candidates is None else held_out.candidates[person]
    return Query(
        placement,
        size=max(DEPTH, len(held_out.targets[person])) if candidates is None else len(candidates),
        history=held_out.histories[person],
        consumed=held_out.consumed[person],
        dismissed=held_out.dismissed[person],
        candidates=candidates,
        sources=sources,
    )


@cache
def _blas() -> ThreadpoolController:
    """The libraries whose threads are limited, looked for once: that takes longer than judging a few people does."""
    return ThreadpoolController()


def _whole_feeds(recommender: Recommender, queries: Sequence[Query], now: datetime) -> list[Feed]:
    parts = [queries[start : start + SHARED] for start in range(0, len(queries), SHARED)]
    made = shared(lambda part: recommender.feeds(part, now=now), parts) if len(parts) > 1 else [recommender.feeds(queries, now=now)]
    feeds = [feed for part in made for feed in part]
    for feed in feeds:
        if feed.degraded:
            raise RecommenderError(f"cannot judge: source {feed.degraded[0].what} {feed.degraded[0].why}")
    return feeds


def _check_silent(feeds: Sequence[Feed], sources: frozenset[SourceName]) -> None:
    for place, source in enumerate(SourceName):
        if source not in sources and any(feed.source_ranks[:, place].any() for feed in feeds):
            raise RecommenderError(f"cannot judge without source {source.key}: the engine gives it a say whatever the placement's weights")


def _r_precisions(feeds: Sequence[Feed], targets: Sequence[npt.NDArray[np.uint32]]) -> Values:
    """R-precision of each feed over all that it holds, shape (b,)."""
    return r_precision(_hits_of(feeds, targets), np.array([len(wanted) for wanted in targets]))


def _hits_of(feeds: Sequence[Feed], targets: Sequence[npt.NDArray[np.uint32]]) -> Hits:
    """Whether each item of each feed was taken up, shape (b, longest), false behind the end of a shorter one."""
    hits = np.zeros((len(feeds), max((len(feed.numbers) for feed in feeds), default=0)), dtype=np.bool_)
    for line, (feed, wanted) in enumerate(zip(feeds, targets, strict=True)):
        hits[line, : len(feed.numbers)] = np.isin(feed.numbers, wanted)
    return hits


def _areas(feeds: Sequence[Feed], targets: Sequence[npt.NDArray[np.uint32]], candidates: Sequence[npt.NDArray[np.uint32]]) -> Values:
    """AUC of each feed over its complete ranking of `candidates`, shape (b,); a batch at a time, since rankings may be long."""
    lengths = np.array([len(feed.numbers) for feed in feeds])
    offered = [np.unique(items) for items in candidates]
    clicked = np.array([np.count_nonzero(np.isin(items, wanted)) for items, wanted in zip(offered, targets, strict=True)])
    return auc(_hits_of(feeds, targets), lengths, clicked, np.array([len(items) for items in offered]))
