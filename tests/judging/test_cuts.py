"""Cuts: nothing of what is held out is known before, and only what people allowed is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from event_rows import Row, known, rows_of, table, targets
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from pyroaring import BitMap

from recommender.errors import InvalidInput
from recommender.events import CONSUMING, DISMISSING, Consent, EventType
from recommender.judging.cuts import HeldOut, Split, by_time, cut_at_share, given, hold_out, leave_last_out, rolling, together
from recommender.people import HISTORY_LIMIT, empty_history
from recommender.profile import EventWeights

WEIGHTS = EventWeights()
WATCH, LIKE, DISLIKE, SAVE, SEEN, VIEW = (
    EventType.WATCH,
    EventType.LIKE,
    EventType.DISLIKE,
    EventType.SAVE,
    EventType.IMPRESSION,
    EventType.VIEW,
)


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
@examples(EVENTS, st.integers(0, 31), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
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


def three_people() -> HeldOut:
    """Persons 4, 5 and 6, who know nothing, want items 10, 20 and 30, and may be shown one other item each."""
    return HeldOut(
        np.array([4, 5, 6], dtype=np.uint32),
        [empty_history()] * 3,
        [BitMap([person]) for person in range(3)],
        [BitMap()] * 3,
        [np.array([item], dtype=np.uint32) for item in (10, 20, 30)],
        cut=7,
        candidates=[np.array([item, item + 1], dtype=np.uint32) for item in (10, 20, 30)],
        moments=np.array([100, 200, 300], dtype=np.int64),
    )


def test_chosen_people_keep_all_that_is_theirs_in_the_order_asked_for() -> None:
    held = three_people().chosen(np.array([2, 0]))
    assert targets(held) == {6: [30], 4: [10]}
    assert (held.consumed, held.cut) == ([BitMap([2]), BitMap([0])], 7)
    assert held.candidates is not None
    assert held.moments is not None
    assert [items.tolist() for items in held.candidates] == [[30, 31], [10, 11]]
    assert held.moments.tolist() == [300, 100]


def test_chosen_people_without_candidates_and_moments_have_none() -> None:
    held = hold_out(table((1, 10, WATCH, 20), (2, 11, WATCH, 20)), WEIGHTS, cut=15).chosen(np.array([1]))
    assert (targets(held), held.candidates, held.moments) == ({2: [11]}, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("people", np.zeros((3, 1), dtype=np.uint32)),
        ("histories", [empty_history()] * 2),
        ("consumed", [BitMap()] * 4),
        ("targets", [np.zeros(1, dtype=np.uint32)] * 2),
        ("targets", [np.zeros(1, dtype=np.uint32), np.zeros(0, dtype=np.uint32), np.zeros(1, dtype=np.uint32)]),
        ("targets", [np.zeros(1, dtype=np.int64)] * 3),
        ("candidates", [np.zeros(1, dtype=np.uint32)] * 2),
        ("candidates", [np.zeros((1, 1), dtype=np.uint32)] * 3),
        ("moments", np.zeros(2, dtype=np.int64)),
        ("moments", np.zeros(3, dtype=np.float64)),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=field):
        HeldOut(**{**vars(three_people()), field: value})


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_lies_between_0_and_1(share: float) -> None:
    with pytest.raises(InvalidInput, match="share"):
        cut_at_share(table((1, 10, WATCH, 5)), share)


@pytest.mark.parametrize("reveal", [1.0, -0.1, float("nan")])
def test_not_everything_can_be_revealed(reveal: float) -> None:
    with pytest.raises(InvalidInput, match="reveal"):
        hold_out(table((1, 10, WATCH, 5)), WEIGHTS, cut=3, reveal=reveal)


ONE_LINE = [(1, 10, WATCH, 1), (1, 11, WATCH, 2), (1, 12, WATCH, 3)]


def test_a_cut_in_time_learns_from_what_lies_before_it() -> None:
    split = by_time(table(*ONE_LINE, (2, 10, WATCH, 5)), WEIGHTS, cut=3)
    assert rows_of(split.training) == [(1, 10), (1, 11)]
    assert targets(split.held_out) == {1: [12], 2: [10]}
    assert split.name == "by time"


@pytest.mark.parametrize(("cut", "empty"), [(1, "training"), (9, "held_out")])
def test_a_cut_with_an_empty_side_is_refused(cut: int, empty: str) -> None:
    with pytest.raises(InvalidInput, match=f"by time: {empty}"):
        by_time(table(*ONE_LINE), WEIGHTS, cut=cut)


def test_windows_follow_one_another_and_each_knows_all_before_it() -> None:
    first, second = rolling(table(*ONE_LINE, (2, 13, WATCH, 3), (2, 14, WATCH, 4)), WEIGHTS, cuts=[2, 3, 4])
    assert (rows_of(first.training), targets(first.held_out)) == ([(1, 10)], {1: [11]})
    assert (rows_of(second.training), targets(second.held_out)) == ([(1, 10), (1, 11)], {1: [12], 2: [13]})
    assert known(second.held_out) == {1: [10, 11], 2: []}
    assert (second.held_out.cut, second.name) == (3, "window 2 of 2")


@pytest.mark.parametrize("cuts", [[], [2], [3, 2], [2, 2]])
def test_windows_need_cuts_that_ascend(cuts: list[int]) -> None:
    with pytest.raises(InvalidInput, match="cuts"):
        rolling(table(*ONE_LINE), WEIGHTS, cuts=cuts)


def test_a_window_with_nobody_is_named() -> None:
    with pytest.raises(InvalidInput, match="window 2 of 2: held_out"):
        rolling(table(*ONE_LINE), WEIGHTS, cuts=[2, 9, 10])


def test_the_newest_item_is_to_be_found_from_what_came_before() -> None:
    split = leave_last_out(table(*ONE_LINE, (2, 12, WATCH, 7), (2, 10, WATCH, 9), (3, 11, WATCH, 1)))
    assert rows_of(split.training) == [(1, 10), (1, 11), (2, 12), (3, 11)]
    assert (known(split.held_out), targets(split.held_out)) == ({1: [10, 11], 2: [12]}, {1: [12], 2: [10]})
    assert split.held_out.moments is not None
    assert split.held_out.moments.tolist() == [3, 9]


def test_of_equal_times_the_later_arrival_is_the_newest() -> None:
    assert targets(leave_last_out(table((1, 30, WATCH, 5), (1, 10, WATCH, 5), (1, 20, WATCH, 5))).held_out) == {1: [20]}


def test_what_follows_the_newest_new_item_is_known_to_nobody() -> None:
    split = leave_last_out(table(*ONE_LINE, (1, 10, LIKE, 4), (1, 13, DISLIKE, 5), (1, 14, SEEN, 6)))
    assert rows_of(split.training) == [(1, 10), (1, 11)]
    assert (known(split.held_out), targets(split.held_out)) == ({1: [10, 11]}, {1: [12]})


def test_people_of_few_items_are_learnt_from_and_not_judged() -> None:
    events = table(*ONE_LINE, (2, 10, WATCH, 1), (2, 11, WATCH, 2))
    split = leave_last_out(events, fewest=3)
    assert targets(split.held_out) == {1: [12]}
    assert rows_of(split.training) == [(1, 10), (1, 11), (2, 10), (2, 11)]
    assert targets(leave_last_out(events, fewest=2).held_out) == {1: [12], 2: [11]}


def test_the_last_but_one_is_found_without_the_last() -> None:
    events = table(*ONE_LINE, (2, 10, WATCH, 1), (2, 11, WATCH, 2))
    split = leave_last_out(events, last=2)
    assert (known(split.held_out), targets(split.held_out)) == ({1: [10]}, {1: [11]})
    assert rows_of(split.training) == [(1, 10), (2, 10)]
    again = leave_last_out(leave_last_out(events).training)
    assert (rows_of(again.training), targets(again.held_out)) == (rows_of(split.training), targets(split.held_out))


def test_the_last_may_have_another_weight_in_mind() -> None:
    events = table(*ONE_LINE[:2], (1, 12, SAVE, 3))
    assert targets(leave_last_out(events).held_out) == {1: [12]}
    assert targets(leave_last_out(events, weights=EventWeights(save=0)).held_out) == {1: [11]}


@pytest.mark.parametrize(("field", "number"), [("last", 0), ("fewest", 1)])
def test_leaving_none_out_and_knowing_nothing_are_refused(field: str, number: int) -> None:
    with pytest.raises(InvalidInput, match=field):
        leave_last_out(table(*ONE_LINE), **{field: number})


def test_nobody_to_judge_is_refused() -> None:
    with pytest.raises(InvalidInput, match="last left out: held_out"):
        leave_last_out(table((1, 10, WATCH, 5), (2, 10, WATCH, 6)))
    with pytest.raises(InvalidInput, match="training"):
        leave_last_out(table())


@settings(max_examples=200, deadline=None)
@examples(EVENTS, st.integers(1, 3), st.integers(2, 4))
def test_no_target_is_in_training(rows: list[Row], last: int, fewest: int) -> None:
    try:
        split = leave_last_out(table(*rows), last=last, fewest=fewest)
    except InvalidInput:
        return
    learnt = rows_of(split.training.acted())
    for person, wanted in targets(split.held_out).items():
        assert len(wanted) == 1
        assert (person, wanted[0]) not in learnt
        assert known(split.held_out)[person] == [item for owner, item in learnt if owner == person]


def test_given_parts_are_taken_as_they_are() -> None:
    training = table((1, 10, WATCH, 1), (1, 11, WATCH, 2), (2, 12, WATCH, 5))
    split = given(training, table((1, 13, WATCH, 1), (1, 12, WATCH, 1), (3, 10, WATCH, 1)))
    assert split.training is training
    assert (known(split.held_out), targets(split.held_out)) == ({1: [10, 11], 3: []}, {1: [12, 13], 3: [10]})
    assert (split.dropped, split.held_out.cut, split.held_out.candidates) == (0, 5, None)


def test_what_was_had_before_is_dropped_from_a_given_test_and_counted() -> None:
    training = table((1, 10, WATCH, 1), (1, 11, WATCH, 2), (2, 12, WATCH, 5))
    split = given(training, table((1, 10, WATCH, 9), (1, 10, LIKE, 9), (1, 13, WATCH, 9), (2, 12, WATCH, 9)))
    assert (targets(split.held_out), split.dropped) == ({1: [13]}, 2)


def test_given_candidates_hold_for_everybody() -> None:
    candidates = np.array([13, 12, 13], dtype=np.uint32)
    split = given(table((1, 10, WATCH, 1)), table((1, 13, WATCH, 1), (2, 12, WATCH, 1)), candidates=candidates)
    assert split.held_out.candidates is not None
    assert [items.tolist() for items in split.held_out.candidates] == [[12, 13], [12, 13]]


AGAIN: list[Row] = [(1, 10, WATCH, 1), (1, 11, WATCH, 2), (1, 12, DISLIKE, 3), (1, 10, WATCH, 4), (1, 12, WATCH, 5), (1, 13, WATCH, 6)]


def test_what_was_had_before_is_a_target_only_where_repeats_are_judged() -> None:
    assert targets(hold_out(table(*AGAIN), WEIGHTS, cut=4)) == {1: [13]}
    # What was dismissed is never shown again, so that it is no target either way.
    again = hold_out(table(*AGAIN), WEIGHTS, cut=4, repeats=True)
    assert (targets(again), known(again)) == ({1: [10, 13]}, {1: [10, 11, 12]})
    assert again.consumed[0].to_array().tolist() == [10, 11]


def test_somebody_who_only_repeats_is_judged_only_where_repeats_are() -> None:
    events = table((1, 10, WATCH, 1), (1, 10, WATCH, 9))
    assert len(hold_out(events, WEIGHTS, cut=5)) == 0
    assert targets(by_time(events, WEIGHTS, cut=5, repeats=True).held_out) == {1: [10]}
    assert targets(rolling(events, WEIGHTS, cuts=[5, 10], repeats=True)[0].held_out) == {1: [10]}


def test_the_newest_item_may_be_an_old_one_where_repeats_are_judged() -> None:
    events = table(*AGAIN[:5])
    split = leave_last_out(events, repeats=True)
    assert (targets(split.held_out), known(split.held_out)) == ({1: [10]}, {1: [10, 11, 12]})
    assert rows_of(split.training) == [(1, 10), (1, 11), (1, 12)]
    assert targets(leave_last_out(events).held_out) == {1: [11]}


def test_a_given_test_keeps_what_was_had_before_where_repeats_are_judged() -> None:
    training, test = table(*AGAIN[:3]), table((1, 10, WATCH, 9), (1, 12, WATCH, 9), (1, 13, WATCH, 9))
    kept, dropped = given(training, test, repeats=True), given(training, test)
    assert (targets(kept.held_out), kept.dropped) == ({1: [10, 13]}, 1)
    assert (targets(dropped.held_out), dropped.dropped) == ({1: [13]}, 2)


def test_a_split_is_whole_or_not_at_all() -> None:
    with pytest.raises(InvalidInput, match="mine: training"):
        Split(table(), three_people(), "mine")
    with pytest.raises(InvalidInput, match="mine: held_out"):
        Split(table(*ONE_LINE), hold_out(table(), WEIGHTS, cut=0), "mine")


def test_queries_of_several_moments_stand_one_after_the_other() -> None:
    events = table((1, 10, WATCH, 20), (1, 11, WATCH, 21), (1, 12, WATCH, 22), (1, 13, WATCH, 23), (2, 10, WATCH, 25), (2, 11, WATCH, 26))
    early, late = (hold_out(events, WEIGHTS, cut=15, reveal=reveal) for reveal in (0.25, 0.5))
    both = together([early, late])
    assert both.people.tolist() == [1, 2, 1, 2]
    assert [items.tolist() for items in both.targets] == [[11, 12, 13], [10, 11], [12, 13], [11]]
    assert [history["item"].tolist() for history in both.histories] == [[10], [], [10, 11], [10]]
    assert [sorted(items) for items in both.consumed] == [[10], [], [10, 11], [10]]
    assert (both.cut, both.candidates, both.moments) == (15, None, None)


def test_only_queries_of_one_kind_are_put_together() -> None:
    events = table((1, 10, WATCH, 20), (1, 11, WATCH, 21), (2, 10, WATCH, 25))
    one = hold_out(events, WEIGHTS, cut=15)
    offered = HeldOut(one.people, one.histories, one.consumed, one.dismissed, one.targets, one.cut, candidates=one.targets)
    np.testing.assert_array_equal(
        np.concatenate(together([offered, offered]).candidates or []), np.concatenate([*one.targets, *one.targets])
    )
    with pytest.raises(InvalidInput, match="candidates"):
        together([one, offered])
    with pytest.raises(InvalidInput, match="one moment for all parts"):
        together([one, hold_out(events, WEIGHTS, cut=16)])
