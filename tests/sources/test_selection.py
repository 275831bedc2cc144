"""Choosing the best rows and the strongest causes, against the plain way to do it."""

from __future__ import annotations

import numpy as np
from event_rows import strongest_per_key
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.best import best_rows
from recommender.cause_kernels import NAMED, strongest_of_each
from recommender.halves import halved
from recommender.lists import Lists
from recommender.sources.past import standing_events
from recommender.sum_kernels import best_sums, looked_up, strongest_sums, sum_lists

SCORES = st.sampled_from([-1.0, 0.0, 0.5, 0.5, 1.0, 2.0, 3.5])


def plain_best(rows: list[int], scores: list[float], allowed: list[bool], limit: int) -> set[int]:
    there = [(-score, row) for row, score in zip(rows, scores, strict=True) if score > 0 and allowed[row]]
    return {row for _, row in sorted(there)[:limit]}


@settings(deadline=None)
@given(st.data(), st.integers(0, 12))
def test_the_best_are_allowed_above_zero_and_ties_go_to_the_lower_row(data: st.DataObject, limit: int) -> None:
    n = data.draw(st.integers(1, 15))
    allowed = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    every = data.draw(st.lists(SCORES, min_size=n, max_size=n))
    found = best_rows(np.array(every, dtype=np.float32), np.array(allowed), limit)
    assert found.dtype == np.int32
    assert sorted(found.tolist()) == sorted(plain_best(list(range(n)), every, allowed, limit))


@settings(deadline=None)
@given(st.data(), st.integers(0, 12))
def test_sums_of_lists_are_those_of_adding_up_one_by_one(data: st.DataObject, limit: int) -> None:
    n = data.draw(st.integers(1, 40))
    lists = [data.draw(st.lists(st.tuples(st.integers(0, n - 1), SCORES), unique_by=lambda pair: pair[0])) for _ in range(n)]
    history = data.draw(st.lists(st.tuples(st.integers(0, n - 1), SCORES), unique_by=lambda pair: pair[0], max_size=8))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    added: dict[int, float] = {}
    for row, strength in history:
        for column, weight in lists[row]:
            if strength:
                added[column] = added.get(column, 0.0) + strength * weight

    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    columns = np.array([column for each in lists for column, _ in each], dtype=np.int32)
    weights = halved(np.array([weight for each in lists for _, weight in each], dtype=np.float32))
    rows, strengths = np.array([row for row, _ in history], dtype=np.int32), np.array([own for _, own in history], dtype=np.float32)
    items, sums, sound = sum_lists(Lists(offsets, columns.astype(np.uint16), weights, 1), rows, strengths, np.float32(0))

    assert sound
    assert looked_up(items, sums, np.arange(n, dtype=np.int32), np.float32(-1), n).tolist() == [
        added[row] if added.get(row, 0) > 0 else -1 for row in range(n)
    ]
    came_up = [row for row, total in added.items() if total]
    assert items.tolist() == came_up
    best = best_sums(items, sums, mask, limit)
    assert set(best.tolist()) == plain_best(came_up, [added[row] for row in came_up], mask.tolist(), limit)
    chosen, farthest_sums = strongest_sums(items, sums, mask, limit)
    farthest = sorted((-abs(added[row]), place) for place, row in enumerate(came_up) if mask[row])[:limit]
    assert set(chosen.tolist()) == {came_up[place] for _, place in farthest}
    assert farthest_sums.tolist() == [added[row] for row in chosen.tolist()]


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
