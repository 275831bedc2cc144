"""Every option of a build can change an answer: a feed, a judgement or a vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from handmade import HOME, NOW, catalogue_of, checkerboard, engine_of, feed_of, history_of, number_of, some_items, unit
from pydantic import BaseModel
from worlds import films, tiny_model

from indexing.embedding.model import find_embedder
from indexing.learning import learn
from indexing.twin import judge_twin
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.feeds import Feed, Query
from recommender.people import HISTORY_DTYPE
from recommender.profile import BuildSettings
from recommender.times import DAY_US, to_micros
from recommender.vectors import GATHER_LIMIT, VectorIndex

N = 60
ACTED = [kind for kind in EventType if kind is not EventType.IMPRESSION]
BASE = BuildSettings()
CATALOGUE = catalogue_of(some_items(N))
ALL = np.ones(N, dtype=np.bool_)


def leaves(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Paths of all options of a settings model, such as "content.interests"."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        yield from leaves(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [f"{prefix}{name}"]


def with_option(path: str, value: object) -> BuildSettings:
    table: object = value
    for part in reversed(path.split(".")):
        table = {part: table}
    return BuildSettings.model_validate(table)


def events_of_every_type(people: int = 40) -> EventTable:
    """People who keep to one parity and do all that can be done to items, over fifty days."""
    rng = np.random.default_rng(6)
    person = np.repeat(np.arange(people, dtype=np.uint32), 24)
    own = 2 * rng.integers(0, N // 2, len(person)) + person % 2
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
    """Feeds of people who did all that can be done, from what is learnt with `settings`."""
    engine = engine_of(learn(CATALOGUE, VECTORS, ALL, EVENTS, settings), settings)
    return told(engine.feeds([Query(HOME, N), *(Query(HOME, N, history=history) for history in EVENTS.by_person().values())], now=NOW))


def feed_after_one_event_of_each_type(settings: BuildSettings) -> object:
    """A feed by sources that stay the same, so that only the weights of the history can tell."""
    events = [(number_of(3 + 2 * place), kind, np.nan, place) for place, kind in enumerate(ACTED)]
    return told([feed_of(engine_of(checkerboard(N), settings), Query(HOME, N, history=np.array(events, dtype=HISTORY_DTYPE)))])


def search_among_many(settings: BuildSettings) -> object:
    """How content is searched among more items than are ever compared one by one."""
    n = GATHER_LIMIT + 1_000
    vectors = unit(np.random.default_rng(0).normal(size=(n, 8)))
    index = VectorIndex.build(vectors, exact_limit=settings.content.exact_limit, seed=settings.seed)
    return index.search(vectors[:1], 5, np.ones(n, dtype=np.bool_))[2]


def judgement(settings: BuildSettings) -> object:
    """What the twin says of itself."""
    report = judge_twin(CATALOGUE, VECTORS, ALL, EVENTS, settings, HOME, parent=None)
    return report.description, report.metrics


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


OPTIONS: dict[str, Other] = {
    **{f"event_weights.{kind.name.lower()}": Other(7.0) for kind in ACTED},
    "half_life_days": Other(1.0),
    "person_limit": Other(3),
    "history_cap": Other(2),
    "collaborative.factors": Other(2),
    "collaborative.regularisation": Other(0.1),
    "collaborative.alpha": Other(100.0),
    "collaborative.iterations": Other(1),
    "collaborative.history_decay": Other(0.1),
    "item_item.neighbours": Other(2),
    "item_item.dense_limit": Other(0),
    "item_item.regularisation": Other(1.0),
    "item_item.degree_exponent": Other(2.0),
    "item_item.history_decay": Other(0.1),
    "content.interests": Other(1),
    "content.same_interest": Other(0.95),
    "content.history_decay": Other(0.1),
    "content.exact_limit": Other(20_000, search_among_many),
    "popularity.half_life_days": Other(0.5),
    "judging.share": Other(0.5, judgement),
    "judging.reveal": Other(0.0, judgement),
    "judging.people": Other(21, judgement),
    "judging.fewest": Other(1_000, judgement),
    "seed": Other(3),
    "embedder": Other("a folder", vectors_of_films),
    "embed_precision": Other("bfloat16", vectors_of_films),
}
LEARNT = [path for path in OPTIONS if not path.startswith("embed")]
ANSWERS: dict[Look, object] = {}


def usual(look: Look) -> object:
    """The answer with the default settings, worked out once."""
    if look not in ANSWERS:
        ANSWERS[look] = look(BASE)
    return ANSWERS[look]


def test_every_option_of_a_build_is_tried() -> None:
    assert set(OPTIONS) == set(leaves(BASE))


@pytest.mark.parametrize("path", LEARNT)
def test_every_option_of_a_build_changes_an_answer(path: str) -> None:
    other = OPTIONS[path]
    assert other.look(with_option(path, other.value)) != usual(other.look)


def test_one_build_gives_one_answer() -> None:
    assert feeds(BASE) == usual(feeds)


@pytest.mark.parametrize("kind", ACTED)
def test_the_weight_of_every_type_of_event_counts_in_a_history(kind: EventType) -> None:
    settings = with_option(f"event_weights.{kind.name.lower()}", -6.0 if kind not in (EventType.DISLIKE, EventType.HIDE) else 6.0)
    assert feed_after_one_event_of_each_type(settings) != usual(feed_after_one_event_of_each_type)


def test_another_model_gives_other_vectors(model: Path, tmp_path: Path) -> None:
    ours, theirs = (BASE.model_copy(update={"embedder": str(folder)}) for folder in (model, other_model(tmp_path)))
    assert vectors_of_films(ours) == vectors_of_films(ours)
    assert vectors_of_films(ours) != vectors_of_films(theirs)


def test_another_precision_gives_other_vectors_that_lie_close() -> None:
    full, half = (np.frombuffer(vectors_of_films(with_option("embed_precision", name)), np.float32) for name in ("float32", "bfloat16"))
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
