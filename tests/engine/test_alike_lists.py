"""What is like one item, from the lists that come with a generation: the same that the engine finds without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from handmade import HOME, NOW, blend_by, blend_of, checkerboard, contents_of, engine_of, feed_of, number_of, rows_in, some_items
from pyroaring import BitMap

from recommender.alike_lists import CANDIDATES, KEPT, AlikeLists, looking, seeds
from recommender.engine import Recommender
from recommender.feeds import Feed, Query, ReasonKind, SourceName
from recommender.generation import Contents
from recommender.items import ItemState
from recommender.segments import Delta
from recommender.store import Change
from recommender.times import MISSING_TIME, to_micros

N = 120
LOOKING = looking(HOME)
BLEND = blend_of(np.random.default_rng(5).random((4, len(SourceName))).astype(np.float32), None)
BARE = engine_of(replace(checkerboard(N), blend=BLEND))


def listed(bare: Recommender) -> Recommender:
    """The engine of the same contents with lists."""
    return engine_of(replace(bare.contents, alike=bare.alike_lists(HOME, now=NOW)))


LISTED = listed(BARE)


def like(row: int, size: int = 30, engine: Recommender = BARE, **more: object) -> Query:
    """What is like the item in `row` is wanted."""
    history = seeds([number_of(row)], at=to_micros(NOW))
    given = {"placement": LOOKING, "reasons": size, "sources": engine.by_likeness, "seeds_are_items": True} | more
    return Query(size=size, history=history, **given)  # type: ignore[arg-type]


def assert_alike(found: Feed, expected: Feed) -> None:
    """Scores may differ by as much as half precision rounds, nothing else that a caller sees."""
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    np.testing.assert_array_equal(found.sources, expected.sources)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.scores, rtol=1e-6)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert found.reasons == expected.reasons
    assert found.eligible == expected.eligible
    assert found.degraded == expected.degraded


def from_list(feed: Feed) -> bool:
    """Whether a feed is one from a list: those say nothing of how sources ranked."""
    return not feed.source_ranks.any()


def test_every_item_has_what_the_engine_finds_without_lists() -> None:
    for row in range(N):
        found = feed_of(LISTED, like(row))
        assert from_list(found)
        assert len(found.numbers) == 30
        assert_alike(found, feed_of(BARE, like(row)))


def test_the_reason_is_the_given_item() -> None:
    [first, *_] = feed_of(LISTED, like(3, size=4)).reasons
    assert first.kind is ReasonKind.SIMILAR_TO_SEED
    assert (first.because, first.share, first.event) == ((number_of(3),), 1.0, 0)


def test_what_may_not_be_shown_is_left_out_and_the_order_stays() -> None:
    whole = feed_of(LISTED, like(7, size=KEPT)).numbers.tolist()
    without = feed_of(LISTED, like(7, consumed=BitMap(whole[:2]), exclude=(whole[5],)))
    assert from_list(without)
    assert without.numbers.tolist() == [number for number in whole if number not in (*whole[:2], whole[5])][:30]


def test_where_a_filter_leaves_too_few_the_engine_looks_again() -> None:
    kept = [number_of(row) for row in range(0, N, 10)]
    rare = 'title in ["' + '", "'.join(f"Title {row}" for row in range(0, N, 10)) + '"]'
    found = feed_of(LISTED, like(7, size=8, filter=rare))
    assert set(found.numbers.tolist()) <= set(kept)
    assert_alike(found, feed_of(BARE, like(7, size=8, filter=rare)))


def test_a_page_longer_than_the_lists_is_looked_for() -> None:
    found = feed_of(LISTED, like(7, size=KEPT + 1))
    assert not from_list(found)
    assert len(found.numbers) == KEPT + 1


@pytest.mark.parametrize(
    "more",
    [
        {"placement": HOME},
        {"placement": LOOKING.model_copy(update={"blend": "weights"})},
        {"placement": LOOKING.model_copy(update={"candidates": CANDIDATES // 2})},
        {"sources": frozenset({SourceName.CONTENT})},
        {"seeds_are_items": False},
        {"candidates": np.array([number_of(row) for row in range(9)], dtype=np.uint32)},
    ],
)
def test_a_query_that_lists_were_not_made_for_is_answered_without(more: dict[str, object]) -> None:
    found = feed_of(LISTED, like(7, **more))
    assert len(found.numbers)
    assert not from_list(found)


def test_several_items_and_one_to_be_unlike_are_answered_without() -> None:
    for given in (seeds([number_of(7), number_of(9)], at=0), seeds([], [number_of(7)], at=0)):
        query = replace(like(7), history=given)
        np.testing.assert_array_equal(feed_of(LISTED, query).numbers, feed_of(BARE, query).numbers)


def three() -> Contents:
    """Row 0 leads to row 1 and, half as much, to row 2; row 3 knows nothing."""
    lines = [[0, 4, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    return contents_of(some_items(4), item_item=lines, blend=blend_by(None, item_item=1.0))


def test_a_short_list_is_all_that_there_is() -> None:
    engine = listed(engine_of(three()))
    found = feed_of(engine, like(0, engine=engine))
    assert rows_in(found) == [1, 2]
    assert from_list(found)
    nothing = feed_of(engine, like(3, engine=engine))
    assert rows_in(nothing) == []
    assert nothing.reasons == ()


def test_a_short_list_of_which_some_may_not_be_shown_is_looked_for_again() -> None:
    engine = listed(engine_of(three()))
    found = feed_of(engine, like(0, engine=engine, exclude=(number_of(1),)))
    assert rows_in(found) == [2]
    assert not from_list(found)


def test_what_is_hidden_now_is_on_the_lists_and_shown_once_it_may_be() -> None:
    [first, second, *_] = rows_in(feed_of(LISTED, like(7)))
    hidden = LISTED.with_changes([Change(1, number_of(first), ItemState.HIDDEN, 0, MISSING_TIME, MISSING_TIME)], 1)
    assert rows_in(feed_of(hidden, like(7)))[0] == second
    [again, *_] = rows_in(feed_of(listed(hidden), like(7)))
    assert again == first
    shown = listed(hidden).with_changes([Change(2, number_of(first), ItemState.LIVE, 0, MISSING_TIME, MISSING_TIME)], 2)
    assert rows_in(feed_of(shown, like(7)))[0] == first


def test_lists_do_not_depend_on_when_they_were_made() -> None:
    later = BARE.alike_lists(HOME, now=NOW + timedelta(days=400))
    for made, as_before in zip(later, LISTED.contents.alike, strict=True):
        np.testing.assert_array_equal(made, as_before)


def test_without_a_blend_there_are_no_lists() -> None:
    assert not engine_of(checkerboard(N)).alike_lists(HOME, now=NOW).there


def test_where_a_source_fails_there_are_no_lists(caplog: pytest.LogCaptureFixture) -> None:
    broken = replace(BARE.contents, factors=np.full_like(BARE.contents.factors, np.nan))
    assert not engine_of(broken).alike_lists(HOME, now=NOW).there
    assert "source failed" in caplog.text


def test_lists_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    LISTED.contents.write(tmp_path)
    for read, written in zip(Contents.read(tmp_path).alike, LISTED.contents.alike, strict=True):
        np.testing.assert_array_equal(read, written)
        assert read.dtype == written.dtype


def test_lists_of_another_number_of_items_are_refused() -> None:
    with pytest.raises(ValueError, match="alike rows has 3 rows, the catalogue has 120"):
        replace(BARE.contents, alike=AlikeLists.none(3))


def test_a_floor_of_scores_and_new_copies_are_heeded_as_without_lists() -> None:
    scores = feed_of(BARE, like(3)).scores
    floored = LOOKING.model_copy(update={"score_floor": float(scores[4])})
    for engine in (BARE, LISTED):
        assert len(feed_of(engine, like(3, placement=floored)).numbers) == 5
    # A copy of the given item, laid over: all of a blend by content sees it first of all.
    engines = [engine_of(replace(BARE.contents, blend=blend_by(content=1.0, item_item=1e-4)))]
    engines.append(listed(engines[0]))
    copy = replace(some_items(4)[3], id="copy", published_at=some_items(4)[3].published_at)
    vector = BARE.content.gather(np.array([3], dtype=np.int32))
    delta = Delta.of([(number_of(N), ItemState.LIVE, copy)], vector, dimension=vector.shape[1])
    for row in (3, 5):
        shown = [set(rows_in(feed_of(engine.with_overlay(delta, 1, []), like(row, 30, engine)))) for engine in engines]
        # Scores of lists are rounded, so that the last places may differ.
        assert len(shown[0] & shown[1]) >= 28
        assert (N in shown[0], N in shown[1]) == (False, False)
