"""Metrics against arithmetic by hand, and against loops as textbooks write them."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.judging import ndcg, recall


def hits(*lines: str) -> np.ndarray:
    """A line such as "x.x" for each list: x where an item is relevant."""
    return np.array([[mark == "x" for mark in line] for line in lines])


def test_recall_by_hand() -> None:
    ranked = hits("x..x.", "....x", ".....")
    assert recall(ranked, np.array([2, 4, 1]), 5).tolist() == [2 / 2, 1 / 4, 0 / 1]
    assert recall(ranked, np.array([2, 4, 1]), 3).tolist() == [1 / 2, 0 / 4, 0 / 1]


def test_ndcg_by_hand() -> None:
    ranked = hits("x..x.", "....x", "xx...")
    expected = [
        (1 / log2(2) + 1 / log2(5)) / (1 / log2(2) + 1 / log2(3)),
        (1 / log2(6)) / (1 / log2(2) + 1 / log2(3) + 1 / log2(4)),
        1.0,
    ]
    np.testing.assert_allclose(ndcg(ranked, np.array([2, 3, 2]), 5), expected)


def test_ndcg_cannot_ask_for_more_hits_than_places() -> None:
    np.testing.assert_allclose(ndcg(hits("xxx"), np.array([50]), 3), [1.0])
    np.testing.assert_allclose(ndcg(hits("x.x"), np.array([50]), 3), [(1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4))])


def test_a_list_shorter_than_k_counts_as_filled_with_misses() -> None:
    for k in (2, 5, 10, 100):
        padded = hits("x." + "." * 98)
        assert recall(hits("x."), np.array([3]), k).tolist() == recall(padded, np.array([3]), k).tolist()
        np.testing.assert_allclose(ndcg(hits("x."), np.array([3]), k), ndcg(padded, np.array([3]), k))


def test_an_empty_list_scores_nothing() -> None:
    nothing = np.zeros((2, 0), dtype=np.bool_)
    assert recall(nothing, np.array([1, 2]), 10).tolist() == [0, 0]
    assert ndcg(nothing, np.array([1, 2]), 10).tolist() == [0, 0]


def textbook_recall(line: list[bool], relevant: int, k: int) -> float:
    found = 0
    for hit in line[:k]:
        found += hit
    return found / relevant


def textbook_ndcg(line: list[bool], relevant: int, k: int) -> float:
    gained = sum(1 / log2(place + 1) for place, hit in enumerate(line[:k], 1) if hit)
    ideal = sum(1 / log2(place + 1) for place in range(1, min(relevant, k) + 1))
    return gained / ideal


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 12).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=5)),
    st.integers(1, 15),
    st.data(),
)
def test_metrics_are_what_a_slow_loop_gives(lines: list[list[bool]], k: int, data: st.DataObject) -> None:
    relevant = [data.draw(st.integers(max(1, sum(line)), 20)) for line in lines]
    ranked = np.array(lines, dtype=np.bool_).reshape(len(lines), -1)
    pairs = list(zip(lines, relevant, strict=True))
    np.testing.assert_allclose(recall(ranked, np.array(relevant), k), [textbook_recall(*pair, k) for pair in pairs])
    values = ndcg(ranked, np.array(relevant), k)
    np.testing.assert_allclose(values, [textbook_ndcg(*pair, k) for pair in pairs])
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@pytest.mark.parametrize("k", [1, 5, 10])
def test_a_hit_higher_up_is_worth_more_to_ndcg_and_the_same_to_recall(k: int) -> None:
    moved = np.eye(10, dtype=np.bool_)[:k]
    assert (np.diff(ndcg(moved, np.ones(k, dtype=int), k)) < 0).all()
    assert set(recall(moved, np.ones(k, dtype=int), k).tolist()) == {1.0}
