"""What is known of candidates before a slate is filled, held against the same in plain steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.composing.candidate_kernels import left_of, uncertain_ones
from recommender.composing.labels import by_candidate
from recommender.people import SEEN_DTYPE

HOUR_US = 3_600_000_000


@given(st.lists(st.one_of(st.floats(0, 200, width=32), st.just(-1.0), st.just(0.0)), max_size=40), st.sampled_from([0.5, 1.0, 20.0, 100.0]))
def test_uncertain_ones_come_by_turns_as_ranked_and_as_least_is_known(weights: list[float], below: float) -> None:
    uncertain = [place for place, weight in enumerate(weights) if weight < below]
    known = {place: int(np.log2(1 + max(weights[place], 0.0))) for place in uncertain}
    expected: list[int] = []
    for turn in zip(uncertain, sorted(uncertain, key=lambda place: known[place]), strict=True):
        expected += [place for place in turn if place not in expected]

    assert uncertain_ones(np.array(weights, dtype=np.float32), below).tolist() == list(dict.fromkeys(expected))


def seen_of(entries: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array([(0, count, at) for _, count, at in entries], dtype=SEEN_DTYPE)


def left(entries: list[tuple[int, int, int]], rows: list[int], *, discount: float = 0.5, most: int = 3, now: int = 0) -> list[float]:
    """What is left of rows after (row, times, moment) entries, with a half-life of an hour."""
    seen, room = seen_of(entries), np.zeros(10, dtype=np.int32)
    of_entries = np.array([row for row, _, _ in entries], dtype=np.int32)
    made = left_of(of_entries, seen["count"], seen["at"], np.array(rows, dtype=np.int32), discount, most, float(HOUR_US), now, room)
    assert not room.any(), "the room is left as it was"
    return made.tolist()


def test_each_time_that_something_was_passed_over_takes_a_share_and_half_of_it_is_forgiven_in_an_hour() -> None:
    assert left([(4, 1, 0), (7, 2, 0)], [4, 5, 7]) == pytest.approx([0.5, 1.0, 0.25])
    assert left([(4, 2, 0)], [4], now=HOUR_US) == pytest.approx([0.5])
    assert left([(4, 9, 0)], [4]) == pytest.approx([0.125]), "no more than so many count"
    assert left([(4, 1, HOUR_US)], [4]) == pytest.approx([0.5]), "what is to come is as of now"


def test_what_is_in_no_generation_and_what_nobody_saw_changes_nothing() -> None:
    assert left([(-1, 5, 0)], [0, 9]) == [1.0, 1.0]
    assert left([], [3]) == [1.0]
    assert left([(3, 1, 0)], []) == []


@given(st.lists(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), unique=True, max_size=12), max_size=3))
def test_labels_are_numbered_for_each_limit_and_lie_by_candidate(labelled: list[list[tuple[int, int]]]) -> None:
    """`labelled`: for each limit pairs of a candidate's place and a code."""
    flat = [(place, code, limit) for limit, pairs in enumerate(labelled) for place, code in sorted(pairs)]
    places, codes, of = (np.array([each[at] for each in flat], dtype=np.int64) for at in range(3))

    ends, labels, limit_of = by_candidate(places, codes, of, len(labelled), 8)

    number_of = {key: number for number, key in enumerate(dict.fromkeys((limit, code) for _, code, limit in flat))}
    assert limit_of.tolist() == [limit for limit, _ in number_of]
    for place in range(8):
        expected = [number_of[limit, code] for at, code, limit in flat if at == place]
        assert labels[ends[place] : ends[place + 1]].tolist() == expected
    assert (ends[0], ends[-1]) == (0, len(flat))
