"""The state of people as bytes, beside the same rules written down once more, slowly and on lists."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from recommender.events import CONSUMING, DISMISSING, EventType
from recommender.people import HISTORY_DTYPE, HISTORY_LIMIT, SEEN_DTYPE, SEEN_LIMIT
from recommender.store.profiles import HistoryRow, State, after_events, bitmap

NAN = float("nan")
OPINIONS = {*DISMISSING, EventType.LIKE}


@dataclass
class Plain:
    """What `State` holds, as lists and sets; `seen`: count and newest time by item."""

    history: list[HistoryRow] = field(default_factory=list)
    consumed: set[int] = field(default_factory=set)
    dismissed: set[int] = field(default_factory=set)
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)

    def after(self, arrived: list[HistoryRow]) -> Plain:
        """The rules, word for word."""
        acted = [row for row in arrived if row[1] != EventType.IMPRESSION]
        merged = sorted([*self.history, *acted], key=lambda row: row[3])
        consumed = self.consumed | {row[0] for row in acted if row[1] in CONSUMING}
        known_from = self.history[0][3] if len(self.history) == HISTORY_LIMIT else -(2**63)
        dismissed = set(self.dismissed)
        for item in {row[0] for row in acted if row[1] in OPINIONS}:
            newest = [row for row in merged if row[0] == item and row[1] in OPINIONS][-1]
            if newest[1] in DISMISSING:
                dismissed.add(item)
            elif newest[3] >= known_from:
                dismissed.discard(item)
        seen = dict(self.seen)
        for item, kind, _, at in arrived:
            if kind == EventType.IMPRESSION:
                count, latest = seen.get(item, (0, at))
                seen[item] = (min(count + 1, 65_535), max(latest, at))
        kept = sorted(seen, key=lambda item: (seen[item][1], item))[-SEEN_LIMIT:]
        return Plain(merged[-HISTORY_LIMIT:], consumed, dismissed, {item: seen[item] for item in kept})


def same(state: State, plain: Plain) -> None:
    """Assert that both say the same."""
    expected = np.array(plain.history, dtype=HISTORY_DTYPE)
    assert state.history == expected.tobytes()
    assert set(bitmap(state.consumed)) == plain.consumed
    assert set(bitmap(state.dismissed)) == plain.dismissed
    seen = np.frombuffer(state.seen, dtype=SEEN_DTYPE).tolist()
    assert {item: (count, at) for item, count, at in seen} == plain.seen
    assert len(seen) == len(plain.seen)


def item_numbers(most: int) -> st.SearchStrategy[int]:
    """Numbers that are few, and numbers whose bytes look like parts of other records."""
    return st.integers(1, most) | st.sampled_from([256, 65_536, 2**24, 2**32 - 1, 0x01000000 | 6, 1_280])


kinds = st.sampled_from([int(kind) for kind in EventType])
values = st.just(NAN) | st.floats(-1e9, 1e9) | st.floats(0, 1)
rows = st.tuples(item_numbers(5), kinds, values, st.integers(0, 40) | st.integers(1_780_000_000_000_000, 1_780_000_000_000_009))
calls = st.lists(st.lists(rows, min_size=1, max_size=8), max_size=12)


@settings(deadline=None)
@given(calls)
@example([[(1, int(EventType.HIDE), NAN, 9)], [(1, int(EventType.LIKE), NAN, 3)], [(1, int(EventType.LIKE), NAN, 9)]])
@example([[(1, int(EventType.IMPRESSION), NAN, 9)], [(256, int(EventType.IMPRESSION), NAN, 1)], [(1, int(EventType.IMPRESSION), NAN, 3)]])
def test_whatever_arrives_the_bytes_say_what_the_rules_say(arrived: list[list[HistoryRow]]) -> None:
    state, plain = State(), Plain()
    for call in arrived:
        state, plain = after_events(state, call), plain.after(call)
        same(state, plain)


@settings(deadline=None)
@given(st.lists(st.lists(rows, min_size=1, max_size=5), min_size=1, max_size=5), st.integers(190, 205), st.integers(0, 40))
def test_with_a_full_history_too(arrived: list[list[HistoryRow]], held: int, begin: int) -> None:
    earlier = [(place % 7 + 1, int(EventType(place % 12 + 2)), NAN, begin + place // 8) for place in range(held)]
    state, plain = after_events(State(), earlier), Plain().after(earlier)
    for call in arrived:
        state, plain = after_events(state, call), plain.after(call)
        same(state, plain)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 700), st.integers(0, 20)), min_size=1, max_size=30), st.integers(480, 520))
def test_with_too_many_seen_too(shown: list[tuple[int, int]], held: int) -> None:
    impression = int(EventType.IMPRESSION)
    earlier = [(item, impression, NAN, item % 15) for item in range(1, held + 1)]
    state, plain = after_events(State(), earlier), Plain().after(earlier)
    for item, at in shown:
        call = [(item, impression, NAN, at)]
        state, plain = after_events(state, call), plain.after(call)
        same(state, plain)


in_turn = st.tuples(st.integers(1, 5), kinds, st.just(1.0), st.integers(0, 40))


@settings(deadline=None)
@given(st.lists(in_turn, max_size=60, unique_by=lambda row: row[3]), st.integers(0, 60))
def test_however_events_are_split_into_calls_the_state_is_the_same(arrived: list[HistoryRow], cut: int) -> None:
    in_two = State()
    for part in (arrived[:cut], arrived[cut:]):
        in_two = after_events(in_two, part)
    assert in_two == after_events(State(), arrived)


def test_a_seen_count_stops_at_its_highest_value() -> None:
    row: HistoryRow = (1, int(EventType.IMPRESSION), NAN, 5)
    state = after_events(after_events(State(), [row] * 65_530), [row] * 10)
    assert np.frombuffer(state.seen, dtype=SEEN_DTYPE)["count"].tolist() == [65_535]


def test_sets_are_kept_as_the_bitmaps_that_readers_expect() -> None:
    state = after_events(State(), [(7, int(EventType.READ), 0.5, 1), (70_000, int(EventType.HIDE), NAN, 2)])
    assert BitMap.deserialize(state.consumed) == BitMap([7])
    assert BitMap.deserialize(state.dismissed) == BitMap([70_000])
    assert after_events(state, [(70_000, int(EventType.LIKE), NAN, 3)]).dismissed == b""
