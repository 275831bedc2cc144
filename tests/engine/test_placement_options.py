"""Every option of a placement can change an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, blend_by, checkerboard, engine_of, feed_of, history_of, number_of, some_items, stumps
from pydantic import BaseModel
from pyroaring import BitMap

from recommender.composing.rules import Pin
from recommender.engine import Recommender
from recommender.feeds import Feed, Query
from recommender.items import ItemKind
from recommender.people import SEEN_DTYPE
from recommender.placements import Placement, SourceWeights
from recommender.times import to_micros

N = 60


def leaves(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Paths of all options of a settings model, such as "weights.fresh"."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        yield from leaves(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [f"{prefix}{name}"]


def changed(placement: Placement, path: str, value: object) -> Placement:
    name, _, inner = path.partition(".")
    return placement.model_copy(update={name: getattr(placement, name).model_copy(update={inner: value}) if inner else value})


def answers(feeds: list[Feed]) -> list[tuple[list[int], list[float]]]:
    return [(feed.numbers.tolist(), feed.scores.tolist()) for feed in feeds]


def placement_engine() -> Recommender:
    """Items of three kinds, of which each source favours others."""
    items = [
        replace(item, kind=ItemKind(1 + row % 3), published_at=NOW - timedelta(hours=7 * (row * 17 % N)))
        for row, item in enumerate(some_items(N))
    ]
    stories = np.full(N, -1, dtype=np.int32)
    stories[10:20] = 10
    return engine_of(replace(checkerboard(N, items), stories=stories))


PLACEMENT_ENGINE = placement_engine()
WEIGHTS = (3.0, 3.0, 3.0, 3.0)
PLACEMENT_OPTIONS: dict[str, object] = {
    "kinds": frozenset({ItemKind.PRODUCT}),
    "candidates": 10,
    "weights.content": WEIGHTS,
    "weights.collaborative": WEIGHTS,
    "weights.item_item": WEIGHTS,
    "weights.popular": WEIGHTS,
    "weights.fresh": WEIGHTS,
    "weights.transitions": WEIGHTS,
    "weights.graph": WEIGHTS,
    "weights.co_occurrence": WEIGHTS,
    "weights.transfer": WEIGHTS,
    "weights.response": WEIGHTS,
    "weights.sequence": WEIGHTS,
    "rank_constant": 1.0,
    "repeat": "allowed",
    "freshness_half_life_hours": 1.0,
    "freshness_half_life_hours_of.article": 1.0,
    "freshness_half_life_hours_of.product": 1.0,
    "freshness_half_life_hours_of.media": 1.0,
    "score_floor": 0.1,
    "fallback": "none",
    "variety.strength": 0.9,
    "variety.near_duplicates": "allow",
    "variety.rotation": 1.0,
    "impressions.discount": 0.5,
    "exploration.share": 0.2,
    "rules": (Pin(name="first", do="pin", filter='id == "item-33"', slot=1),),
}
OF_OTHERS: dict[str, tuple[dict[str, object], object]] = {
    "variety.window": ({"variety.strength": 0.9}, 1),
    "variety.depth": ({"variety.strength": 0.9}, 2),
    "variety.choice": ({"variety.strength": 0.9}, 2),
    "impressions.most": ({"impressions.discount": 0.5}, 1),
    "impressions.half_life_hours": ({"impressions.discount": 0.5}, 0.1),
    "exploration.uncertain_below": ({"exploration.share": 0.2}, 0.1),
    "exploration.choice": ({"exploration.share": 0.2}, 1),
}
"""Options that matter where others are set."""
OF_A_LEARNED_BLEND: dict[str, object] = {"blend": "weights", "ranker_depth": 0}
"""Options that matter where the generation has learned a blend."""
SERVERS_OWN = {"name", "page_size", "slate_size", "own", "breaking.filter", "breaking.slots", "breaking.within_hours"}
"""What a placement is called, how many items the server asks for, what it leaves out for whom, and what later pages take in: tests of the
server cover them."""


def placement_feeds(placement: Placement, engine: Recommender = PLACEMENT_ENGINE) -> list[Feed]:
    histories = [history_of(*range(0, 2 * length, 2)) for length in (0, 1, 4, 12)]
    seen = np.array([(number_of(row), 1 + row % 3, to_micros(NOW) - 3_600_000_000 * row) for row in range(N)], dtype=SEEN_DTYPE)
    queries = [Query(placement, 50, history=h, consumed=BitMap(h["item"]), seen=seen, seed=7) for h in histories]
    return engine.feeds([*queries, Query(placement, 50, sources=frozenset())], now=NOW)


def test_every_option_of_a_placement_is_tried() -> None:
    assert set(PLACEMENT_OPTIONS) | set(OF_OTHERS) | set(OF_A_LEARNED_BLEND) | SERVERS_OWN == set(leaves(HOME))


@pytest.mark.parametrize("path", PLACEMENT_OPTIONS)
def test_every_option_of_a_placement_changes_a_feed(path: str) -> None:
    placement = changed(HOME, path, PLACEMENT_OPTIONS[path])
    assert answers(placement_feeds(placement)) != answers(placement_feeds(HOME))
    assert placement.version != HOME.version


@pytest.mark.parametrize("path", OF_OTHERS)
def test_every_option_that_goes_with_another_changes_a_feed(path: str) -> None:
    others, value = OF_OTHERS[path]
    base = HOME
    for other, given in others.items():
        base = changed(base, other, given)
    placement = changed(base, path, value)
    assert answers(placement_feeds(placement)) != answers(placement_feeds(base))
    assert placement.version != base.version


@pytest.mark.parametrize("path", OF_A_LEARNED_BLEND)
def test_every_option_of_a_learned_blend_changes_a_feed(path: str) -> None:
    trees = stumps(("popularity", 0.1, 1.0, -1.0), ("blend", 0.5, -0.2, 0.2))
    blend = blend_by(trees, item_item=1.0, popular=0.2, fresh=0.1)
    engine = engine_of(replace(PLACEMENT_ENGINE.contents, blend=blend))
    placement = changed(HOME, path, OF_A_LEARNED_BLEND[path])
    assert answers(placement_feeds(placement, engine)) != answers(placement_feeds(HOME, engine))
    assert placement.version != HOME.version


@pytest.mark.parametrize(
    ("source", "bucket", "length"),
    [
        (source, bucket, length)
        for source in SourceWeights.model_fields
        for bucket, length in ((0, 0), (1, 1), (1, 2), (2, 3), (2, 9), (3, 10), (3, 12))
        # No source can go by a history that is not there.
        if length or source in ("popular", "fresh", "response")
    ],
)
def test_each_of_the_four_weights_counts_for_its_length_of_history(source: str, bucket: int, length: int) -> None:
    weights = list(getattr(HOME.weights, source))
    weights[bucket] += 2
    placement = changed(HOME, f"weights.{source}", tuple(weights))
    query = Query(HOME, 30, history=history_of(*range(length)))
    before, after = feed_of(PLACEMENT_ENGINE, query), feed_of(PLACEMENT_ENGINE, replace(query, placement=placement))
    assert answers([before]) != answers([after])
    others = [at for at in (0, 1, 4, 11) if (at > 0) + (at > 2) + (at > 9) != bucket]
    for other in others:
        query = Query(HOME, 30, history=history_of(*range(other)))
        assert answers([feed_of(PLACEMENT_ENGINE, query)]) == answers([feed_of(PLACEMENT_ENGINE, replace(query, placement=placement))])


def test_both_fallbacks_fill_in_their_own_order() -> None:
    engine = engine_of(replace(PLACEMENT_ENGINE.contents, stories=np.zeros(0, dtype=np.int32)))
    orders = {}
    for fallback in ("popular", "fresh"):
        placement = changed(HOME, "fallback", fallback)
        orders[fallback] = feed_of(engine, Query(placement, N, sources=frozenset())).numbers.tolist()
    assert orders["popular"] == [number_of(row) for row in range(N)]
    assert orders["fresh"] == [number_of(row) for row in sorted(range(N), key=lambda row: row * 17 % N)]
