"""Slates of random candidates under random rules: what must always hold, whatever was drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.composing.quota_kernels import Floors, Limits
from recommender.composing.slate_kernels import (
    ENSURED,
    EXPLORED,
    PINNED,
    RANKED,
    Taste,
    Trials,
    compose_slate,
)

NO_VECTORS = np.zeros((0, 1), dtype=np.float32)


@dataclass
class Made:
    """A slate that was filled."""

    places: list[int]
    chances: npt.NDArray[np.float32]
    marks: list[int]
    broken: int


def limits_of(labels: list[list[tuple[int, int]]], at_most: list[int], within: list[int]) -> Limits:
    """Of each candidate the (limit, label) pairs; the bit of limit i is 2^(i + 1)."""
    names = sorted({pair for pairs in labels for pair in pairs})
    ends = np.cumsum([0, *(len(pairs) for pairs in labels)]).astype(np.int32)
    flat = np.array([names.index(pair) for pairs in labels for pair in pairs], dtype=np.int32)
    bits = np.array([1 << (place + 1) for place in range(len(at_most))], dtype=np.uint64)
    return Limits(
        ends, flat, np.array([limit for limit, _ in names], dtype=np.int32), *(np.array(x, dtype=np.int32) for x in (at_most, within)), bits
    )


def floors_of(holds: list[list[bool]], at_least: list[int], within: list[int], c: int) -> Floors:
    bits = np.array([1 << (place + 20) for place in range(len(holds))], dtype=np.uint64)
    shaped = np.array(holds, dtype=np.bool_).reshape(len(holds), c)
    return Floors(shaped, np.array(at_least, dtype=np.int32), np.array(within, dtype=np.int32), bits)


def filled(
    scores: list[float],
    n: int,
    *,
    pins: dict[int, int] | None = None,
    limits: Limits | None = None,
    floors: Floors | None = None,
    taste: Taste | None = None,
    trials: Trials | None = None,
    seed: int = 0,
) -> Made:
    c = len(scores)
    n = min(n, c)
    at = np.full(n, -1, dtype=np.int32)
    for place, candidate in (pins or {}).items():
        at[place] = candidate
    places, chances, marks, broken = compose_slate(
        np.array(scores, dtype=np.float32),
        at,
        limits or limits_of([[] for _ in scores], [], []),
        floors or floors_of([], [], [], c),
        taste or Taste(0.0, 10, n, 10, 0.0, NO_VECTORS),
        trials or Trials(np.zeros(n, dtype=np.bool_), np.zeros(0, dtype=np.int32), 1, 0.0),
        np.uint64(seed),
    )
    return Made(places.tolist(), chances, marks.tolist(), int(broken))


def crowded(places: list[int], labels: list[list[tuple[int, int]]], limit: int, at_most: int, within: int) -> bool:
    """Whether some window holds more than `at_most` of a label."""
    width = min(within, len(places))
    for start in range(len(places) - width + 1):
        counts = Counter(pair for place in places[start : start + width] for pair in labels[place] if pair[0] == limit)
        if counts and max(counts.values()) > at_most:
            return True
    return False


def missing(places: list[int], holds: list[bool], at_least: int, within: int) -> bool:
    """Whether some whole window holds fewer than `at_least`."""
    return any(sum(holds[place] for place in places[start : start + within]) < at_least for start in range(len(places) - within + 1))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[float], int, dict[int, int], list[list[tuple[int, int]]], list[int], list[int], Floors, int]:
    c = draw(st.integers(1, 40))
    n = draw(st.integers(1, 50))
    scores = sorted(draw(st.lists(st.floats(0, 1, width=32), min_size=c, max_size=c)), reverse=True)
    slots = draw(st.lists(st.integers(0, min(n, c) - 1), unique=True, max_size=3))
    pinned = draw(st.lists(st.integers(0, c - 1), unique=True, min_size=len(slots), max_size=len(slots))) if len(slots) <= c else []
    limits = draw(st.integers(0, 3))
    labels = [
        sorted({(limit, label) for limit in range(limits) for label in draw(st.sets(st.integers(0, 3), max_size=2))}) for _ in range(c)
    ]
    at_most = [draw(st.integers(1, 3)) for _ in range(limits)]
    within = [draw(st.integers(most + 1, 12)) for most in at_most]
    count = draw(st.integers(0, 2))
    holds = [draw(st.lists(st.booleans(), min_size=c, max_size=c)) for _ in range(count)]
    windows = [draw(st.integers(1, 8)) for _ in range(count)]
    least = [draw(st.integers(1, window)) for window in windows]
    return (
        scores,
        n,
        dict(zip(slots, pinned, strict=False)),
        labels,
        at_most,
        within,
        floors_of(holds, least, windows, c),
        draw(st.integers(0, 99)),
    )


@given(worlds())
def test_every_place_is_filled_once_pins_stand_and_quotas_hold_unless_it_says_so(world: tuple) -> None:  # type: ignore[type-arg]
    scores, n, pins, labels, at_most, within, floors, seed = world
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(scores), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tastes = [Taste(0.0, 10, n, 10, 0.0, NO_VECTORS), Taste(0.7, 3, n, 5, 0.5, vectors)]
    uncertain = np.flatnonzero(rng.random(len(scores)) < 0.3).astype(np.int32)
    trials = Trials(rng.random(min(n, len(scores))) < 0.3, uncertain, 3, 0.25)
    for taste, trial in ((tastes[0], None), (tastes[1], None), (tastes[1], trials)):
        limits = limits_of(labels, at_most, within)
        made = filled(scores, n, pins=pins, limits=limits, floors=floors, taste=taste, trials=trial, seed=seed)
        assert len(made.places) == min(n, len(scores))
        assert len(set(made.places)) == len(made.places)
        assert {made.places[slot] for slot in pins} == set(pins.values())
        assert all(made.places[slot] == place and made.marks[slot] == PINNED for slot, place in pins.items())
        for limit, (most, width) in enumerate(zip(at_most, within, strict=True)):
            # What editors pin may break a limit by itself.
            pinned = [made.places[slot] if slot in pins else -1 for slot in range(len(made.places))]
            by_pins = crowded_by(pinned, labels, limit, most, width)
            assert by_pins or made.broken & (2 << limit) or not crowded(made.places, labels, limit, most, width)
        for floor, bit in enumerate(floors.bits.tolist()):
            lacking = missing(made.places, floors.holds[floor].tolist(), int(floors.at_least[floor]), int(floors.within[floor]))
            free = any(slot not in pins for slot in range(len(made.places)))
            assert made.broken & bit or not lacking or not free or pins_prevent(made, pins, floors, floor)
        assert ((made.chances > 0) & (made.chances <= 1)).all()


def crowded_by(places: list[int], labels: list[list[tuple[int, int]]], limit: int, at_most: int, within: int) -> bool:
    width = min(within, len(places))
    for start in range(len(places) - width + 1):
        counts = Counter(pair for place in places[start : start + width] if place >= 0 for pair in labels[place] if pair[0] == limit)
        if counts and max(counts.values()) > at_most:
            return True
    return False


def pins_prevent(made: Made, pins: dict[int, int], floors: Floors, floor: int) -> bool:
    """Whether pins alone leave some window too few places."""
    least, width = int(floors.at_least[floor]), int(floors.within[floor])
    n = len(made.places)
    for start in range(n - width + 1):
        able = sum(slot not in pins or bool(floors.holds[floor, pins[slot]]) for slot in range(start, start + width))
        if able < least:
            return True
    return False


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30), st.integers(1, 40))
def test_without_rules_the_slate_is_the_ranking(scores: list[float], n: int) -> None:
    scores = sorted(scores, reverse=True)
    made = filled(scores, n)
    assert made.places == list(range(min(n, len(scores))))
    assert set(made.marks) == {RANKED}
    assert (made.chances == 1).all()
    assert made.broken == 0


def test_at_most_two_of_an_author_in_a_window_of_four() -> None:
    labels = [[(0, 0)]] * 6 + [[(0, 1)]] * 3
    made = filled([9, 8, 7, 6, 5, 4, 3, 2, 1], 6, limits=limits_of(labels, [2], [4]))
    assert made.places == [0, 1, 6, 7, 2, 3]
    assert made.broken == 0


def test_a_limit_that_nothing_left_can_keep_gives_way_and_is_told() -> None:
    made = filled([3, 2, 1], 3, limits=limits_of([[(0, 0)]] * 3, [1], [3]))
    assert made.places == [0, 1, 2]
    assert made.broken == 2


def test_at_least_one_local_story_in_three_comes_as_late_as_it_may() -> None:
    local = [False, False, False, False, True, False, True]
    made = filled([7, 6, 5, 4, 3, 2, 1], 6, floors=floors_of([local], [1], [3], 7))
    assert made.places == [0, 1, 4, 2, 3, 6]
    assert made.marks == [RANKED, RANKED, ENSURED, RANKED, RANKED, ENSURED]


def test_floors_that_fall_due_together_are_served_one_after_the_other() -> None:
    # Two in every five, of different candidates: nothing else may stand at the last two places.
    holds = [[place in (10, 11, 12) for place in range(20)], [place in (15, 16, 17) for place in range(20)]]
    made = filled([20.0 - place for place in range(20)], 10, floors=floors_of(holds, [1, 1], [5, 5], 20))
    assert made.broken == 0
    for floor in holds:
        assert all(any(floor[place] for place in made.places[start : start + 5]) for start in range(6))
    assert made.places[:3] == [0, 1, 2]
    assert made.places[3:5] == [10, 15]
    assert made.marks[3:5] == [ENSURED] * 2


def test_of_floors_that_do_not_fit_together_the_weightier_is_kept() -> None:
    # The second has the higher bit.
    holds = [[4 <= place < 8 for place in range(20)], [place >= 10 for place in range(20)]]
    made = filled([20.0 - place for place in range(20)], 6, floors=floors_of(holds, [1, 2], [2, 2], 20))
    assert all(place >= 10 for place in made.places)
    assert made.broken == 1 << 20


def test_of_two_rules_that_cannot_both_be_kept_the_weightier_is() -> None:
    # The floor has the higher bit: the third place goes to what is due, though its author stands there twice already.
    limits = limits_of([[(0, 0)], [(0, 0)], [], [(0, 0)]], [2], [4])
    floors = floors_of([[False, False, False, True]], [1], [3], 4)
    made = filled([4, 3, 2, 1], 4, limits=limits, floors=floors)
    assert made.places[:3] == [0, 1, 3]
    assert made.broken == 2


def test_what_is_pinned_further_down_counts_in_windows_before_it() -> None:
    labels = [[(0, 0)], [(0, 0)], [], [], []]
    made = filled([5, 4, 3, 2, 1], 4, pins={2: 1}, limits=limits_of(labels, [1], [3]))
    assert made.places == [2, 3, 1, 4]


def test_variety_puts_something_else_between_two_of_a_kind() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    scores = [1.0, 0.9, 0.6]
    assert filled(scores, 3, taste=Taste(0.5, 2, 3, 3, 0.0, vectors)).places == [0, 2, 1]
    assert filled(scores, 3, taste=Taste(0.2, 2, 3, 3, 0.0, vectors)).places == [0, 1, 2]
    # Beyond its depth the ranking stands.
    assert filled(scores, 3, taste=Taste(0.5, 2, 1, 3, 0.0, vectors)).places == [0, 1, 2]


def test_what_is_like_something_far_above_is_not_held_back() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 1], [1, 0]], dtype=np.float32)
    scores = [1.0, 0.99, 0.5, 0.5]
    assert filled(scores, 4, taste=Taste(1.0, 1, 4, 4, 0.0, vectors)).places == [0, 1, 3, 2]


@pytest.mark.parametrize("rotation", [0.5, 1.0])
def test_rotation_draws_by_scores_and_tells_the_chance_of_each_draw(rotation: float) -> None:
    scores, rounds = [0.5, 0.3, 0.2], 4_000
    odds = np.array(scores) ** (1 / rotation)
    firsts: Counter[int] = Counter()
    for seed in range(rounds):
        made = filled(scores, 3, taste=Taste(0.0, 10, 3, 3, rotation, NO_VECTORS), seed=seed)
        firsts[made.places[0]] += 1
        assert made.chances[0] == pytest.approx(odds[made.places[0]] / odds.sum())
        left = odds.sum() - odds[made.places[0]]
        assert made.chances[1] == pytest.approx(odds[made.places[1]] / left)
        assert made.chances[2] == 1
    for place, share in enumerate(odds / odds.sum()):
        # Four standard errors.
        assert firsts[place] / rounds == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / rounds))


def test_an_exploring_place_goes_to_an_uncertain_item_and_the_chances_say_so() -> None:
    uncertain = np.array([3, 4, 5], dtype=np.int32)
    exploring = np.array([False, True, False, False])
    made = filled([6, 5, 4, 3, 2, 1], 4, trials=Trials(exploring, uncertain, 2, 0.25), seed=3)
    assert made.marks == [RANKED, EXPLORED, RANKED, RANKED]
    assert made.places[1] in (3, 4)
    assert made.chances[0] == pytest.approx(0.75)
    assert made.chances[1] == pytest.approx(0.25 / 2)


def test_without_uncertain_items_nothing_is_tried() -> None:
    made = filled([2, 1], 2, trials=Trials(np.ones(2, dtype=np.bool_), np.zeros(0, dtype=np.int32), 2, 0.25))
    assert made.places == [0, 1]
    assert (made.chances == 1).all()


def test_the_chance_of_what_is_both_best_and_uncertain_adds_up() -> None:
    made = filled([2, 1], 1, trials=Trials(np.zeros(1, dtype=np.bool_), np.array([0, 1], dtype=np.int32), 2, 0.2))
    assert made.places == [0]
    assert made.chances[0] == pytest.approx(0.8 + 0.2 / 2)
