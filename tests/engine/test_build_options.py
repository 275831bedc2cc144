"""Every option of a build can change an answer: a feed, a judgement or a vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from handmade import HOME, NOW, catalogue_of, checkerboard, contents_of, engine_of, feed_of, history_of, number_of, some_items, unit
from pydantic import BaseModel
from worlds import films, tiny_model

from indexing.embedding.model import find_embedder
from indexing.fitting import fit
from indexing.learn.stories import stories
from indexing.learning import learn
from indexing.twin import judge_twin
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.feeds import Feed, Query, SourceName
from recommender.generation import Contents
from recommender.people import HISTORY_DTYPE
from recommender.profile import Blending, BuildSettings, Collaborative, ItemItem, Ranker
from recommender.times import DAY_US, to_micros
from recommender.vectors import VectorIndex

pytestmark = pytest.mark.usefixtures("learnt_here")

N = 60
ACTED = [kind for kind in EventType if kind is not EventType.IMPRESSION]
BASE = BuildSettings(
    collaborative=Collaborative(factors=16, regularisation=1.0, alpha=2.0),
    item_item=ItemItem(reach=20, regularisation=5.0),
    blending=Blending(
        cuts=2,
        fewest=5,
        fewest_for_ranker=10,
        ranker="always",
        trees=Ranker(trees=10, leaves=7, learning_rate=0.1, least_in_leaf=5, feature_share=0.9),
    ),
)
"""Settings under which so small a world teaches every learner something."""
CATALOGUE = catalogue_of([replace(item, tags=(f"tag-{row % 7}",)) for row, item in enumerate(some_items(N))])
ALL = np.ones(N, dtype=np.bool_)


def leaves(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Paths of all options of a settings model, such as "content.interests"."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        yield from leaves(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [f"{prefix}{name}"]


def with_options(options: Mapping[str, object]) -> BuildSettings:
    """The usual settings with these options at these values, by path."""
    table = BASE.model_dump()
    for path, value in options.items():
        *outer, name = path.split(".")
        inner = table
        for part in outer:
            inner = inner[part]
        inner[name] = value
    return BuildSettings.model_validate(table)


def events_of_every_type(people: int = 40) -> EventTable:
    """People who keep to one parity and do all that can be done to items, but for the last ten, over fifty days."""
    rng = np.random.default_rng(6)
    person = np.repeat(np.arange(people, dtype=np.uint32), 24)
    own = 2 * rng.integers(0, N // 2 - 5, len(person)) + person % 2
    return EventTable.sorted(
        person=person,
        item=np.array([number_of(int(row)) for row in own], dtype=np.uint32),
        type=rng.choice(np.array(ACTED, dtype=np.uint8), len(person)),
        value=np.full(len(person), np.nan, dtype=np.float32),
        at=to_micros(NOW) - rng.integers(0, 50 * DAY_US, len(person)),
        consent=np.full(len(person), Consent.ALL, dtype=np.uint8),
        sequence=np.arange(len(person)),
    )


EVENTS = events_of_every_type()


def vectors_by_taste() -> VectorIndex:
    rng = np.random.default_rng(2)
    sides = np.hstack([np.eye(2)[np.arange(N) % 2], np.zeros((N, 6))])
    return VectorIndex.build(unit(sides + rng.normal(scale=0.5, size=(N, 8))), exact_limit=20_000, seed=0)


VECTORS = vectors_by_taste()


def told(feeds: list[Feed]) -> object:
    return [(feed.numbers.tolist(), feed.scores.tolist(), feed.retrieval_mode) for feed in feeds]


def feeds(settings: BuildSettings) -> object:
    """Feeds of people who did all that can be done, from what is learnt with `settings`, by the placement's weights."""
    return feeds_from(learn(CATALOGUE, VECTORS, ALL, EVENTS, settings), settings)


def learned_feeds(settings: BuildSettings) -> object:
    """The same, by a blend that was learned too."""
    return feeds_from(fit(CATALOGUE, VECTORS, ALL, EVENTS, settings, HOME).contents, settings)


def learned_trees(settings: BuildSettings) -> object:
    """The trees of such a blend, which may change without a feed that does."""
    blend = fit(CATALOGUE, VECTORS, ALL, EVENTS, settings, HOME).contents.blend
    return None if blend is None or blend.trees is None else {name: array.tolist() for name, array in blend.trees.arrays().items()}


def feeds_of_what_was_shown(settings: BuildSettings) -> object:
    """Feeds by how often items were taken up when they were shown, an hour apart, some often and some not."""
    rows = np.repeat(np.arange(N, dtype=np.uint32), 1 + np.arange(N) % 5)
    taken = rows[::3]
    item = np.array([number_of(int(row)) for row in np.concatenate([rows, taken])], dtype=np.uint32)
    kinds = np.repeat(np.array([EventType.IMPRESSION, EventType.CLICK], dtype=np.uint8), [len(rows), len(taken)])
    at = to_micros(NOW) - np.arange(len(item)) * DAY_US // 24
    consent, value = np.full(len(item), Consent.ALL, dtype=np.uint8), np.full(len(item), np.nan, dtype=np.float32)
    events = EventTable.sorted(np.zeros(len(item), dtype=np.uint32), item, kinds, value, at, consent, np.arange(len(item)))
    engine = engine_of(learn(CATALOGUE, VECTORS, ALL, events, settings), settings)
    return told([feed_of(engine, Query(HOME, N, sources=frozenset({SourceName.RESPONSE})))])


def feeds_from(contents: Contents, settings: BuildSettings) -> object:
    engine = engine_of(contents, settings)
    return told(engine.feeds([Query(HOME, N), *(Query(HOME, N, history=history) for history in EVENTS.by_person().values())], now=NOW))


def feed_after_one_event_of_each_type(settings: BuildSettings) -> object:
    """A feed by sources that stay the same, so that only the weights of the history can tell."""
    events = [(number_of(3 + 2 * place), kind, np.nan, place) for place, kind in enumerate(ACTED)]
    return told([feed_of(engine_of(checkerboard(N), settings), Query(HOME, N, history=np.array(events, dtype=HISTORY_DTYPE)))])


def search_among_many(settings: BuildSettings) -> object:
    """How content is searched among more items than are ever compared one by one."""
    n = MANY
    vectors = unit(np.random.default_rng(0).normal(size=(n, 8)))
    index = VectorIndex.build(vectors, exact_limit=settings.content.exact_limit, seed=settings.seed)
    return index.search(vectors[:1], 5, np.ones(n, dtype=np.bool_))[2]


def lists_kept(settings: BuildSettings) -> object:
    """What a history's content candidates are, among many items."""
    n = MANY
    vectors = unit(np.random.default_rng(0).normal(size=(n, 8)))
    index = VectorIndex.build(vectors, exact_limit=0, seed=0, near=settings.content.near)
    contents = replace(contents_of(some_items(n)), vectors=index, has_vector=np.ones(n, dtype=np.bool_))
    feed = feed_of(engine_of(contents), Query(HOME, 20, history=history_of(3), sources=frozenset({SourceName.CONTENT})))
    return feed.retrieval_mode


def judgement(settings: BuildSettings) -> object:
    """What the twin says of itself."""
    report = judge_twin(CATALOGUE, VECTORS, ALL, EVENTS, settings, HOME, parent=None)
    return report.description, report.metrics


def stories_told(settings: BuildSettings) -> object:
    """Which of two pairs of items tell the very same: one nearly so, the other for sure but published days apart."""
    vectors = unit([[1, 0, 0], [1, 0.5, 0], [0, 0, 1], [0, 0, 1]])
    items = [
        replace(item, title="Fire", published_at=NOW - timedelta(days=day)) for item, day in zip(some_items(4), (0, 0, 0, 3), strict=True)
    ]
    index = VectorIndex.build(vectors, exact_limit=20_000, seed=0)
    return stories(catalogue_of(items), index, np.ones(4, dtype=np.bool_), settings.near_duplicates, settings.seed).tolist()


def vectors_of_films(settings: BuildSettings) -> bytes:
    """The vectors of a few titles."""
    model = find_embedder(settings.embedder, settings.embed_precision).load()
    return model.encode([item.title for item in films(3)]).tobytes()


Look = Callable[[BuildSettings], object]


@dataclass(frozen=True)
class Other:
    """Another value of an option, and where to look for the difference."""

    value: object
    look: Look = feeds
    beside: Mapping[str, object] = field(default_factory=dict)
    """Other options without which this one has no say."""


MANY = 6_000
"""Vectors enough that a compressed list is searched first."""
SLOW = {
    "blending.trees.trees": 60,
    "blending.trees.learning_rate": 0.05,
    "blending.trees.leaves": 7,
    "blending.trees.patience": 30,
}
"""So many trees of so little each that some of them serve nobody better."""
READ = {
    "sequence.fewest": 1,
    "sequence.factors": 8,
    "sequence.passes": 2,
    "sequence.learning_rate": 0.1,
    "sequence.negatives": 20,
}
"""A transformer that learns something of little."""
OPTIONS: dict[str, Other] = {
    **{f"event_weights.{kind.name.lower()}": Other(7.0) for kind in ACTED},
    "half_life_days": Other(1.0),
    "person_limit": Other(3),
    "history_cap": Other(2),
    "collaborative.factors": Other(2),
    "collaborative.regularisation": Other(0.1),
    "collaborative.alpha": Other(100.0),
    "collaborative.iterations": Other(1),
    "collaborative.most_people": Other(10),
    "collaborative.history_decay": Other(0.1),
    "item_item.neighbours": Other(2),
    "item_item.dense_limit": Other(0),
    "item_item.reach": Other(3, beside={"item_item.dense_limit": 0}),
    "item_item.regularisation": Other(50.0),
    "item_item.degree_exponent": Other(2.0),
    "item_item.item_exponent": Other(2.0),
    "item_item.history_decay": Other(0.1),
    "co_occurrence.neighbours": Other(2),
    "co_occurrence.person_exponent": Other(0.0),
    "co_occurrence.source_exponent": Other(0.0),
    "co_occurrence.target_exponent": Other(2.0),
    "co_occurrence.history_decay": Other(0.1),
    "transitions.neighbours": Other(2),
    "transitions.window": Other(1),
    "transitions.step_decay": Other(0.1),
    "transitions.backward": Other(1.0),
    "transitions.source_exponent": Other(2.0),
    "transitions.target_exponent": Other(2.0),
    "transitions.history_decay": Other(0.1),
    "graph.factors": Other(2),
    "graph.least_per_factor": Other(1),
    "graph.most_people": Other(10),
    "graph.exponent": Other(4.0),
    "graph.history_decay": Other(0.1),
    "sequence.factors": Other(4, beside=READ),
    "sequence.blocks": Other(0, beside=READ),
    "sequence.heads": Other(4, beside=READ),
    "sequence.length": Other(3, beside=READ),
    "sequence.passes": Other(5, beside=READ),
    "sequence.most_tokens": Other(100, beside=READ),
    "sequence.later_share": Other(1.0, learned_feeds, beside={**READ, "sequence.most_tokens": 100}),
    "sequence.dropout": Other(0.9, beside=READ),
    "sequence.negatives": Other(5, beside=READ),
    "sequence.learning_rate": Other(0.01, beside=READ),
    "sequence.fewest": Other(1),
    "content.interests": Other(1),
    "content.same_interest": Other(0.95),
    "content.history_decay": Other(0.1),
    "content.exact_limit": Other(20_000, search_among_many),
    "content.near": Other(0, lists_kept),
    "transfer.neighbours": Other(2),
    "transfer.label_share": Other(20.0),
    "transfer.own_share": Other(5.0),
    "transfer.degree_exponent": Other(2.0),
    "transfer.fewest": Other(25.0),
    "near_duplicates.likeness": Other(0.85, stories_told),
    "near_duplicates.within_hours": Other(24.0, stories_told),
    "popularity.half_life_days": Other(0.5),
    "popularity.recent_half_life_days": Other(0.2, learned_feeds),
    "response.half_life_hours": Other(1.0, feeds_of_what_was_shown),
    "response.prior": Other(50.0, feeds_of_what_was_shown),
    "blending.share": Other(0.5, learned_feeds),
    "blending.reveals": Other((0.1, 0.0), learned_feeds),
    "blending.history_decays": Other((), learned_feeds),
    "blending.people": Other(10, learned_feeds),
    "blending.cuts": Other(1, learned_feeds),
    "blending.enough": Other(1, learned_feeds),
    "blending.candidates": Other(10, learned_feeds),
    "blending.fewest": Other(1_000, learned_feeds),
    "blending.ranker": Other("never", learned_feeds),
    "blending.fewest_for_ranker": Other(1_000, learned_feeds),
    "blending.trees.trees": Other(1, learned_trees, beside=SLOW),
    "blending.trees.leaves": Other(2, learned_trees),
    "blending.trees.learning_rate": Other(0.3, learned_trees),
    "blending.trees.least_in_leaf": Other(60, learned_trees),
    "blending.trees.penalty": Other(0.0, learned_trees),
    "blending.trees.feature_share": Other(0.2, learned_trees),
    "blending.trees.truncation": Other(1, learned_trees),
    "blending.trees.depth": Other(5, learned_trees),
    "blending.trees.folds": Other(2, learned_trees, beside=SLOW),
    "blending.trees.judges": Other(1, learned_trees, beside=SLOW),
    "blending.trees.patience": Other(1, learned_trees, beside=SLOW),
    "judging.share": Other(0.5, judgement),
    "judging.reveal": Other(0.0, judgement),
    "judging.people": Other(21, judgement),
    "judging.fewest": Other(1_000, judgement),
    "seed": Other(3),
    "embedder": Other("a folder", vectors_of_films),
    "embed_precision": Other("bfloat16", vectors_of_films),
}
LEARNT = [path for path in OPTIONS if not path.startswith("embed")]
ANSWERS: dict[tuple[Look, str], object] = {}


def usual(look: Look, settings: BuildSettings = BASE) -> object:
    """The answer with settings that many options are tried beside, worked out once."""
    key = look, settings.hash
    if key not in ANSWERS:
        ANSWERS[key] = look(settings)
    return ANSWERS[key]


def test_every_option_of_a_build_is_tried() -> None:
    # The gate's bounds change verdicts, not answers: tests/indexing/test_gate.py tries every one of them.
    assert set(OPTIONS) == {path for path in leaves(BASE) if not path.startswith("gate.")}


@pytest.mark.parametrize("path", LEARNT)
def test_every_option_of_a_build_changes_an_answer(path: str) -> None:
    other = OPTIONS[path]
    assert other.look(with_options({**other.beside, path: other.value})) != usual(other.look, with_options(other.beside))


def test_one_build_gives_one_answer() -> None:
    assert feeds(BASE) == usual(feeds)


@pytest.mark.parametrize("kind", ACTED)
def test_the_weight_of_every_type_of_event_counts_in_a_history(kind: EventType) -> None:
    settings = with_options({f"event_weights.{kind.name.lower()}": 6.0 if kind in (EventType.DISLIKE, EventType.HIDE) else -6.0})
    assert feed_after_one_event_of_each_type(settings) != usual(feed_after_one_event_of_each_type)


def test_another_model_gives_other_vectors(model: Path, tmp_path: Path) -> None:
    ours, theirs = (BASE.model_copy(update={"embedder": str(folder)}) for folder in (model, other_model(tmp_path)))
    assert vectors_of_films(ours) == vectors_of_films(ours)
    assert vectors_of_films(ours) != vectors_of_films(theirs)


def test_another_precision_gives_other_vectors_that_lie_close() -> None:
    full, half = (np.frombuffer(vectors_of_films(with_options({"embed_precision": name})), np.float32) for name in ("float32", "bfloat16"))
    assert 0 < np.abs(full - half).max() < 0.02


def other_model(folder: Path) -> Path:
    """The tiny model with its words' vectors in another order."""
    from safetensors.numpy import load_file, save_file

    copied = tiny_model(folder / "other")
    [weights] = copied.rglob("*.safetensors")
    tensors = load_file(weights)
    for vectors in tensors.values():
        vectors[1:] = vectors[:0:-1].copy()
    save_file(tensors, weights)
    return copied


def test_history_of_one_is_capped_at_nothing_less() -> None:
    short, long = history_of(5), history_of(1, 2, 3, 5)
    engine = engine_of(checkerboard(N), BASE.model_copy(update={"history_cap": 1}))
    assert told([feed_of(engine, Query(HOME, N, history=short))]) == told([feed_of(engine, Query(HOME, N, history=long))])
