"""Choosing the best rows and the strongest causes, against the plain way to do it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.best import best_of, best_rows
from recommender.cause_kernels import NAMED, strongest_of_each
from recommender.event_table import strongest_per_key
from recommender.sources.past import standing_events

SCORES = st.sampled_from([-1.0, 0.0, 0.5, 0.5, 1.0, 2.0, 3.5])


def plain_best(rows: list[int], scores: list[float], allowed: list[bool], limit: int) -> set[int]:
    there = [(-score, row) for row, score in zip(rows, scores, strict=True) if score > 0 and allowed[row]]
    return {row for _, row in sorted(there)[:limit]}


@settings(deadline=None)
@given(st.data(), st.integers(0, 12))
def test_the_best_are_allowed_above_zero_and_ties_go_to_the_lower_row(data: st.DataObject, limit: int) -> None:
    n = data.draw(st.integers(1, 15))
    rows = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    scores = data.draw(st.lists(SCORES, min_size=len(rows), max_size=len(rows)))
    allowed = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    mask = np.array(allowed)
    found = best_of(np.array(rows, dtype=np.int32), np.array(scores, dtype=np.float32), mask, limit)
    assert found.dtype == np.int32
    assert sorted(found.tolist()) == sorted(plain_best(rows, scores, allowed, limit))
    every = data.draw(st.lists(SCORES, min_size=n, max_size=n))
    of_all = best_rows(np.array(every, dtype=np.float32), mask, limit)
    assert sorted(of_all.tolist()) == sorted(plain_best(list(range(n)), every, allowed, limit))


@settings(deadline=None)
@given(st.data())
def test_the_strongest_of_each_row_are_the_nameable_ones_above_zero(data: st.DataObject) -> None:
    r, h = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 7))
    values = [data.draw(st.lists(SCORES, min_size=h, max_size=h)) for _ in range(r)]
    nameable = [data.draw(st.lists(st.booleans(), min_size=h, max_size=h)) for _ in range(r)]
    given_values = np.array(values, dtype=np.float32).reshape(r, h)
    columns, counts, shares = strongest_of_each(given_values, np.array(nameable, dtype=np.bool_).reshape(r, h))
    for row in range(r):
        there = sorted((-values[row][at], at) for at in range(h) if values[row][at] > 0 and nameable[row][at])[:NAMED]
        assert columns[row, : counts[row]].tolist() == [at for _, at in there]
        if there:
            assert shares[row] == np.float32(-there[0][0] / sum(value for value in values[row] if value > 0))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, 5), st.sampled_from([-0.5, 0.0, 0.25, 1.0, 1.5]), st.integers(0, 3)),
        max_size=25,
    )
)
def test_an_item_stands_at_its_newest_event_with_the_weight_that_training_gives_it(events: list[tuple[int, float, int]]) -> None:
    rows = np.array([row for row, _, _ in events], dtype=np.int32)
    weights = np.array([weight for _, weight, _ in events], dtype=np.float32)
    at = np.cumsum([step for _, _, step in events], dtype=np.int64) if events else np.zeros(0, dtype=np.int64)
    places, strongest, back = standing_events(rows, weights, at)
    kept = np.flatnonzero((rows >= 0) & (weights != 0))
    expected, expected_weights = strongest_per_key(rows[kept].astype(np.int64), weights[kept])
    assert places.tolist() == kept[expected].tolist()
    assert strongest.tolist() == expected_weights.tolist()
    assert back.tolist() == [len({int(later) for later in at[places] if later > at[place]}) for place in places]
