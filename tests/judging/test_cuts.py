"""Held-out time: nothing of it is known before, and only what people allowed is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.event_table import EventTable
from recommender.events import CONSUMING, DISMISSING, Consent, EventType
from recommender.judging import HeldOut, cut_at_share, hold_out
from recommender.people import HISTORY_LIMIT
from recommender.profile import EventWeights

Row = tuple[int, int, EventType, int]
WEIGHTS = EventWeights()
WATCH, LIKE, DISLIKE, SAVE, SEEN, VIEW = (
    EventType.WATCH,
    EventType.LIKE,
    EventType.DISLIKE,
    EventType.SAVE,
    EventType.IMPRESSION,
    EventType.VIEW,
)


def table(*rows: Row, consent: list[Consent] | Consent = Consent.ALL) -> EventTable:
    """Events as (person, item, type, time), which arrive in the order given."""
    person, item, kind, at = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    return EventTable.sorted(
        np.array(person, dtype=np.uint32),
        np.array(item, dtype=np.uint32),
        np.array(kind, dtype=np.uint8),
        np.full(len(rows), np.nan, dtype=np.float32),
        np.array(at, dtype=np.int64),
        np.broadcast_to(np.array(consent, dtype=np.uint8), len(rows)),
        np.arange(len(rows), dtype=np.int64),
    )


def targets(held: HeldOut) -> dict[int, list[int]]:
    return {int(person): items.tolist() for person, items in zip(held.people, held.targets, strict=True)}


def known(held: HeldOut) -> dict[int, list[int]]:
    return {int(person): history["item"].tolist() for person, history in zip(held.people, held.histories, strict=True)}


def test_events_before_the_cut_are_known_and_new_items_after_it_are_targets() -> None:
    held = hold_out(table((1, 10, WATCH, 5), (1, 11, WATCH, 20), (1, 12, LIKE, 30), (2, 10, WATCH, 25)), WEIGHTS, cut=15)
    assert known(held) == {1: [10], 2: []}
    assert targets(held) == {1: [11, 12], 2: [10]}
    assert held.cut == 15


def test_an_event_at_the_very_cut_is_after_it() -> None:
    held = hold_out(table((1, 10, WATCH, 14), (1, 11, WATCH, 15)), WEIGHTS, cut=15)
    assert (known(held), targets(held)) == ({1: [10]}, {1: [11]})


def test_what_was_touched_before_is_no_target() -> None:
    events = table((1, 10, WATCH, 5), (1, 11, DISLIKE, 6), (1, 12, SAVE, 7), (1, 10, LIKE, 20), (1, 11, LIKE, 21), (1, 12, WATCH, 22))
    assert len(hold_out(events, WEIGHTS, cut=15)) == 0


def test_dislikes_and_impressions_are_no_targets() -> None:
    events = table((1, 10, WATCH, 5), (1, 11, DISLIKE, 20), (1, 12, SEEN, 21), (1, 13, EventType.CUSTOM, 22), (1, 14, VIEW, 23))
    assert targets(hold_out(events, WEIGHTS, cut=15)) == {1: [14]}


def test_a_target_counts_once_however_often_it_was_taken_up() -> None:
    assert targets(hold_out(table((1, 10, WATCH, 20), (1, 10, LIKE, 21), (1, 9, WATCH, 22)), WEIGHTS, cut=15)) == {1: [9, 10]}


def test_until_bounds_what_is_judged() -> None:
    events = table((1, 10, WATCH, 20), (1, 11, WATCH, 29), (1, 12, WATCH, 30), (2, 12, WATCH, 35))
    assert targets(hold_out(events, WEIGHTS, cut=15, until=30)) == {1: [10, 11]}


@pytest.mark.parametrize(("reveal", "shown"), [(0.0, 0), (0.25, 1), (0.5, 2), (0.74, 2), (0.75, 3), (0.99, 3)])
def test_revealed_events_are_known_and_no_longer_judged(reveal: float, shown: int) -> None:
    events = table((1, 9, WATCH, 5), *[(1, 20 + at, WATCH, 20 + at) for at in range(4)])
    held = hold_out(events, WEIGHTS, cut=15, reveal=reveal)
    assert known(held) == {1: [9, *range(20, 20 + shown)]}
    assert targets(held) == {1: list(range(20 + shown, 24))}


def test_events_without_consent_to_personalise_and_measure_do_not_exist() -> None:
    rows = [(person, 10 + at, WATCH, at) for person in range(4) for at in (5, 20)]
    consents = [Consent.ALL, Consent.PERSONALISE | Consent.TRAIN, Consent.MEASURE, Consent.PERSONALISE | Consent.MEASURE]
    held = hold_out(table(*rows, consent=[consent for consent in consents for _ in range(2)]), WEIGHTS, cut=15)
    assert sorted(targets(held)) == [0, 3]


def test_consent_is_a_matter_of_each_event() -> None:
    rows = [(1, 10, WATCH, 5), (1, 11, WATCH, 6), (1, 12, WATCH, 20), (1, 13, WATCH, 21)]
    held = hold_out(table(*rows, consent=[Consent.ALL, Consent.NONE, Consent.NONE, Consent.ALL]), WEIGHTS, cut=15)
    assert (known(held), targets(held)) == ({1: [10]}, {1: [13]})


def test_consumed_and_dismissed_are_complete_though_histories_are_capped() -> None:
    many = HISTORY_LIMIT + 50
    held = hold_out(table(*[(1, 100 + at, WATCH, at) for at in range(many)], (1, 1, DISLIKE, many), (1, 2, WATCH, 1_000)), WEIGHTS, cut=900)
    assert len(held.histories[0]) == HISTORY_LIMIT
    assert held.histories[0]["item"][-1] == 1
    assert (len(held.consumed[0]), list(held.dismissed[0])) == (many, [1])


def test_saved_items_are_still_wanted() -> None:
    held = hold_out(table((1, 10, SAVE, 5), (1, 11, WATCH, 6), (1, 12, WATCH, 20)), WEIGHTS, cut=15)
    assert list(held.consumed[0]) == [11]


def test_nobody_is_held_out_of_nothing() -> None:
    assert len(hold_out(table(), WEIGHTS, cut=0)) == 0
    assert len(hold_out(table((1, 10, WATCH, 5)), WEIGHTS, cut=15)) == 0


def test_the_cut_leaves_about_the_share_before_it() -> None:
    events = table(*[(at % 7, at, WATCH, at) for at in range(100)])
    for share in (0.1, 0.5, 0.8):
        assert len(events.before(cut_at_share(events, share))) == pytest.approx(100 * share, abs=1)
    assert cut_at_share(table(), 0.8) == 0


EVENTS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 8), st.sampled_from([WATCH, LIKE, DISLIKE, SAVE, SEEN, VIEW]), st.integers(0, 30)),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.integers(0, 31), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_nothing_leaks(rows: list[Row], cut: int, reveal: float) -> None:
    held = hold_out(table(*rows), WEIGHTS, cut=cut, reveal=reveal)
    acted = [row for row in rows if row[2] is not SEEN]
    for person, history, consumed, dismissed, wanted in zip(
        held.people, held.histories, held.consumed, held.dismissed, held.targets, strict=True
    ):
        own = [row for row in acted if row[0] == person]
        after = [row for row in own if row[3] >= cut]
        assert int((history["at"] >= cut).sum()) == int(len(after) * reveal)
        assert len(history) == len(own) - len(after) + int(len(after) * reveal)
        assert (np.diff(history["at"]) >= 0).all()
        assert len(wanted)
        assert not set(wanted.tolist()) & (set(history["item"].tolist()) | set(consumed) | set(dismissed))
        assert set(wanted.tolist()) <= {row[1] for row in after}
        assert set(consumed) == {int(event["item"]) for event in history if int(event["type"]) in CONSUMING}
        assert set(dismissed) == {int(event["item"]) for event in history if int(event["type"]) in DISMISSING}
