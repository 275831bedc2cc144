"""The search over a generation and its deltas equals one over what the catalogue holds now, however the changes came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from handmade import unit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segmented import BASE, D, delta, item, vector

from recommender.items import ItemState
from recommender.segments import Delta, SegmentedIndex, Segments, merged
from recommender.vectors import VectorIndex

NUMBERS = np.arange(0, 40, 2, dtype=np.uint32)
"""Item numbers of the base; odd ones and those from 40 on come with deltas only."""

operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.dictionaries(st.integers(0, 50), st.booleans(), max_size=6)),
        st.tuples(st.just("compact"), st.just({})),
    ),
    max_size=8,
)


def brute_force(
    held: dict[int, npt.NDArray[np.float32]], allowed: set[int], query: npt.NDArray[np.float32], k: int
) -> list[tuple[int, float]]:
    stored = {number: held[number].astype(np.float16).astype(np.float32) for number in held if number in allowed}
    scored = [(number, float(stored[number].astype(np.float64) @ query.astype(np.float64))) for number in stored]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:k]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=operations, k=st.integers(1, 60), seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_any_changes_give_what_brute_force_finds(
    steps: list[tuple[str, dict[int, bool]]], k: int, seed: int, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    segments = Segments(tmp_path_factory.mktemp("deltas"), BASE)
    held = {int(number): vector(int(number)) for number in NUMBERS}
    base = VectorIndex.build(np.stack(list(held.values())), exact_limit=1_000, seed=0)
    for change, (kind, changed) in enumerate(steps, start=1):
        if kind == "compact":
            segments.compact()
            continue
        upserts = [(number, change) for number, stays in changed.items() if stays]
        removed = [number for number, stays in changed.items() if not stays]
        segments.add(delta(upserts, removed), change, change)
        for number in removed:
            held.pop(number, None)
        held.update({number: vector(number, version) for number, version in upserts})
    loaded = segments.load()
    assert loaded.refused == ()
    index = SegmentedIndex(base, NUMBERS, loaded.delta(D))
    stored = [held.get(number, np.zeros(D)).astype(np.float16) for number in range(60)]
    np.testing.assert_array_equal(index.gather(np.arange(60, dtype=np.uint32)), np.stack(stored).astype(np.float32))
    rng = np.random.default_rng(seed)
    chosen = {number for number in range(51) if rng.random() < share}
    queries = unit(rng.normal(size=(2, D)))
    allowed = np.array([int(number) in chosen for number in NUMBERS], dtype=np.bool_)
    allowed_new = np.array([int(number) in chosen for number in index.delta.numbers], dtype=np.bool_)
    found, cosines, mode = index.search(queries, k, allowed, allowed_new)
    assert mode == "exact"
    assert found.dtype == np.uint32
    for line, scores, query in zip(found, cosines, queries, strict=True):
        expected = brute_force(held, chosen, query, k)
        assert line.tolist() == [number for number, _ in expected]
        np.testing.assert_allclose(scores, [score for _, score in expected], atol=1e-6)


def test_equal_vectors_stand_in_order_of_their_number_wherever_they_are() -> None:
    same = vector(1)
    base = VectorIndex.build(np.tile(same, (3, 1)), exact_limit=1_000, seed=0)
    live = [(number, ItemState.LIVE, item(number)) for number in (1, 5, 9)]
    changed = Delta.of(live, np.tile(same, (3, 1)), [4], dimension=D)
    index = SegmentedIndex(base, np.array([2, 4, 6], dtype=np.uint32), changed)
    found, cosines, _ = index.search(same[None], 4, np.ones(3, dtype=np.bool_), np.ones(3, dtype=np.bool_))
    assert found.tolist() == [[1, 2, 5, 6]]
    assert len(set(cosines[0].tolist())) == 1


def test_an_item_that_lost_its_vector_is_found_no_more() -> None:
    base = VectorIndex.build(vector(2)[None], exact_limit=1_000, seed=0)
    numbers = np.array([2], dtype=np.uint32)
    blank = Delta.of([(2, ItemState.LIVE, item(2, 1))], np.zeros((1, D), dtype=np.float32), dimension=D)
    index = SegmentedIndex(base, numbers, blank)
    every = np.ones(1, dtype=np.bool_)
    assert index.search(vector(2)[None], 5, every, every)[0].shape == (1, 0)
    back = index.with_delta(merged([blank, delta([(2, 3)])]))
    assert back.search(vector(2)[None], 5, every, every)[0].tolist() == [[2]]
    assert index.search(vector(2)[None], 5, every, every)[0].shape == (1, 0)


def test_a_base_without_items_and_a_delta_without_any() -> None:
    empty = VectorIndex.build(np.zeros((0, D), dtype=np.float32), exact_limit=1_000, seed=0)
    nobody, nothing = np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.bool_)
    index = SegmentedIndex(empty, nobody, Delta.empty(D))
    assert index.search(vector(1)[None], 3, nothing, nothing)[0].shape == (1, 0)
    index = SegmentedIndex(empty, nobody, delta([(7, 0)], [3]))
    assert index.search(vector(7)[None], 3, nothing, np.ones(1, dtype=np.bool_))[0].tolist() == [[7]]


def test_a_compressed_base_is_searched_under_its_deltas() -> None:
    rng = np.random.default_rng(5)
    vectors = unit(rng.normal(size=(12_000, D * 4)))
    base = VectorIndex.build(vectors, exact_limit=1_000, seed=0)
    numbers = np.arange(12_000, dtype=np.uint32) * 3 + 1
    fresh = unit(vectors[:400] + rng.normal(scale=0.02, size=(400, D * 4)))
    live = [(number, ItemState.LIVE, item(number)) for number in range(0, 1200, 3)]
    changed = Delta.of(live, fresh, numbers[5_000:6_000], dimension=D * 4)
    index = SegmentedIndex(base, numbers, changed)
    everything = np.ones(12_000, dtype=np.bool_)
    found, cosines, mode = index.search(fresh[:20], 30, everything, np.ones(400, dtype=np.bool_))
    assert mode == "index"
    assert (found[:, 0] == np.arange(0, 60, 3)).all()
    assert not np.isin(found, numbers[5_000:6_000]).any()
    both = np.concatenate([fresh @ fresh[:20].T, np.delete(vectors, np.s_[5_000:6_000], axis=0) @ fresh[:20].T])
    kth = -np.sort(-both, axis=0)[29]
    assert (cosines >= kth[:, None] - 1e-3).mean() > 0.98


def test_what_does_not_belong_together_is_refused() -> None:
    base = VectorIndex.build(vector(1)[None], exact_limit=1_000, seed=0)
    with pytest.raises(ValueError, match="2 item numbers for 1 vectors"):
        SegmentedIndex(base, np.array([1, 2], dtype=np.uint32), Delta.empty(D))
    with pytest.raises(ValueError, match="the delta's vectors have 9 numbers, the base's 8"):
        SegmentedIndex(base, np.array([1], dtype=np.uint32), Delta.empty(9))


def test_segments_and_one_compacted_give_the_same_answers(tmp_path: Path) -> None:
    base = VectorIndex.build(np.stack([vector(int(number)) for number in NUMBERS]), exact_limit=1_000, seed=0)
    segments = Segments(tmp_path, BASE)
    for change in range(1, 20):
        segments.add(delta([(change, change), (50 + change % 4, change)], [2 * change + 20]), change, change)
    many = SegmentedIndex(base, NUMBERS, segments.load().delta(D))
    segments.compact()
    one = SegmentedIndex(base, NUMBERS, segments.load().delta(D))
    queries = unit(np.random.default_rng(0).normal(size=(5, D)))
    answers = [
        index.search(queries, 20, np.ones(20, dtype=np.bool_), np.ones(len(index.delta.numbers), dtype=np.bool_)) for index in (many, one)
    ]
    for before, after in zip(*answers, strict=True):
        np.testing.assert_array_equal(before, after)
