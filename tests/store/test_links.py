"""Sessions that turn out to be a user's, and users who turn out to be one: whose profile it is, whose events, and what stays out of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

import numpy as np
import pytest
from stored import Place, rows

from recommender.errors import AlreadyLinked, InvalidInput
from recommender.events import Consent, Event, EventType, Subject, SubjectKind
from recommender.people import HISTORY_LIMIT, SEEN_LIMIT, Person
from recommender.store import Linked, Store, open_store
from recommender.times import to_micros

ANN, BOB, EVE = Subject.user("ann"), Subject.user("bob"), Subject.user("eve")
VISIT = Subject.session("visit")
CONTEXT_ONLY = Consent.TRAIN | Consent.MEASURE
CLICK, LIKE, HIDE, SEEN = EventType.CLICK, EventType.LIKE, EventType.HIDE, EventType.IMPRESSION


class Diary:
    """Records events of several people; times are told in minutes ago."""

    def __init__(self, store: Store, now: datetime) -> None:
        self.store, self.now, self._next = store, now, count()

    def event(self, subject: Subject, kind: EventType, item: int, ago: float = 0, consent: Consent | None = None) -> Event:
        return Event(f"e{next(self._next)}", kind, subject, f"i{item}", at=self.now - timedelta(minutes=ago), consent=consent)

    def write(self, *events: Event, default: Consent = Consent.ALL) -> None:
        outcomes = self.store.record_events(events, now=self.now, consent_default=default)
        assert {outcome.status.value for outcome in outcomes} == {"accepted"}

    def did(self, subject: Subject, kind: EventType, item: int, ago: float = 0, consent: Consent | None = None) -> None:
        self.write(self.event(subject, kind, item, ago, consent))

    def ago(self, minutes: float) -> int:
        return to_micros(self.now - timedelta(minutes=minutes))

    def person(self, subject: Subject) -> Person:
        return self.store.read_person(subject).person

    def history(self, subject: Subject) -> list[int]:
        items: list[int] = self.person(subject).history["item"].tolist()
        return items

    def whose(self, upto: int | None = None) -> dict[int, int]:
        """The person of each item's events."""
        batches = self.store.iter_events(upto=self.store.change_sequence() if upto is None else upto)
        return {row["item"]: row["person"] for batch in batches for row in batch.to_pylist()}


@pytest.fixture
def diary(shop: Store, now: datetime) -> Diary:
    return Diary(shop, now)


def all_of(person: Person) -> tuple[object, ...]:
    return person.history.tobytes(), person.consumed, person.dismissed, person.seen.tobytes(), person.consent


def test_what_a_session_did_joins_the_users_profile_by_time(diary: Diary) -> None:
    for item, ago in ((1, 50), (3, 30)):
        diary.did(ANN, CLICK, item, ago)
    for item, ago in ((2, 40), (4, 20)):
        diary.did(VISIT, CLICK, item, ago)
    diary.did(ANN, SEEN, 9, 9)
    diary.did(VISIT, SEEN, 9, 5)
    diary.did(VISIT, HIDE, 8, 10)

    assert diary.store.link_session("visit", "ann") == Linked(ANN, new=True)

    person = diary.person(ANN)
    assert person.history["item"].tolist() == [1, 2, 3, 4, 8]
    assert list(person.consumed) == [1, 2, 3, 4]
    assert list(person.dismissed) == [8]
    assert person.seen.tolist() == [(9, 2, diary.ago(5))]


def test_session_and_user_are_one_from_then_on_in_every_process(diary: Diary, place: Place) -> None:
    diary.did(VISIT, CLICK, 1, 9)
    assert not diary.store.read_person(VISIT).linked
    diary.store.link_session("visit", "ann")

    with open_store(place) as elsewhere:
        there = Diary(elsewhere, diary.now)
        there.write(Event("there", CLICK, VISIT, "i2"), Event("too", CLICK, ANN, "i3"), Event("late", CLICK, VISIT, "i4", at=diary.now))
    for subject in (ANN, VISIT):
        read = diary.store.read_person(subject)
        assert (read.known, read.linked) == (True, subject == VISIT)
        assert diary.history(subject) == [1, 2, 3, 4]
    assert all_of(diary.person(ANN)) == all_of(diary.person(VISIT))


def test_events_of_one_call_join_in_the_order_of_the_call_whoever_of_the_two_they_name(diary: Diary) -> None:
    diary.store.link_session("visit", "ann")
    diary.write(*[diary.event((ANN, VISIT)[item % 2], CLICK, item) for item in range(1, 8)], diary.event(BOB, CLICK, 9))
    assert diary.history(ANN) == [1, 2, 3, 4, 5, 6, 7]
    assert diary.history(BOB) == [9]


def test_linking_again_changes_nothing(diary: Diary, place: Place) -> None:
    diary.did(ANN, SEEN, 1)
    diary.did(VISIT, SEEN, 1)
    diary.store.link_session("visit", "ann")
    before, sequence = all_of(diary.person(ANN)), diary.store.change_sequence()

    assert diary.store.link_session("visit", "ann") == Linked(ANN, new=False)
    assert (all_of(diary.person(ANN)), diary.store.change_sequence()) == (before, sequence)
    assert rows(place, "SELECT count(*) FROM links") == [(1,)]


def test_a_link_moves_the_change_sequence_so_that_a_night_sees_that_there_is_something_to_do(diary: Diary) -> None:
    before = diary.store.change_sequence()
    diary.store.link_session("visit", "ann")
    assert diary.store.change_sequence() == before + 1


def test_a_session_of_one_user_cannot_become_anothers(diary: Diary) -> None:
    diary.did(VISIT, CLICK, 1)
    diary.store.link_session("visit", "ann")
    before = all_of(diary.person(ANN))

    with pytest.raises(AlreadyLinked, match="session 'visit' is user 'ann' already, and cannot become user 'bob'"):
        diary.store.link_session("visit", "bob")
    assert all_of(diary.person(VISIT)) == before
    assert not diary.store.read_person(BOB).known


def test_chains_of_merges_end_at_their_end_whichever_came_first(diary: Diary) -> None:
    for subject, item in ((ANN, 1), (BOB, 2), (EVE, 3), (VISIT, 4)):
        diary.did(subject, CLICK, item, 10 - item)
    diary.store.link_session("visit", "ann")
    assert diary.store.merge_users("ann", "bob") == Linked(BOB, new=True)
    assert diary.store.merge_users("bob", "eve") == Linked(EVE, new=True)

    for subject in (ANN, BOB, EVE, VISIT):
        assert diary.history(subject) == [1, 2, 3, 4]
    assert len(set(diary.whose().values())) == 1
    assert diary.store.link_session("visit", "ann") == Linked(EVE, new=False)
    assert diary.store.merge_users("ann", "eve") == Linked(EVE, new=False)
    # Whoever joins somebody who is part of another joins that other.
    assert diary.store.merge_users("zoe", "ann") == Linked(EVE, new=True)
    diary.did(Subject.user("zoe"), CLICK, 5)
    assert diary.history(EVE) == [1, 2, 3, 4, 5]


def test_circles_and_second_merges_are_refused_with_who_is_who(diary: Diary) -> None:
    diary.store.merge_users("ann", "bob")
    diary.store.merge_users("bob", "eve")
    for into in ("ann", "bob"):
        with pytest.raises(AlreadyLinked, match=f"user '{into}' is user 'eve' already"):
            diary.store.merge_users("eve", into)
    with pytest.raises(AlreadyLinked, match="user 'ann' is user 'eve' already, and cannot become user 'zoe'"):
        diary.store.merge_users("ann", "zoe")


def test_ids_are_checked_by_name(diary: Diary) -> None:
    for ids, field in ((("", "ann"), "session_id"), (("visit", "x" * 1_000), "user_id"), (("a\x00", "ann"), "session_id")):
        with pytest.raises(InvalidInput, match=f"^{field}: given"):
            diary.store.link_session(*ids)
    for ids, field in ((("", "ann"), "from_user_id"), (("ann", ""), "into_user_id"), (("ann", "ann"), "into_user_id")):
        with pytest.raises(InvalidInput, match=f"^{field}: given"):
            diary.store.merge_users(*ids)
    assert diary.store.last_person() == 0


def test_strangers_may_be_linked_before_they_do_anything(diary: Diary) -> None:
    diary.store.link_session("visit", "ann")
    diary.store.merge_users("ann", "bob")
    read = diary.store.read_person(VISIT)
    assert (read.known, read.said, read.linked, len(read.person.history)) == (True, False, True, 0)
    diary.did(VISIT, CLICK, 1)
    assert diary.history(BOB) == [1]


def test_the_history_keeps_the_newest_of_both_and_the_sets_keep_all(diary: Diary) -> None:
    for subject, first in ((ANN, 1), (VISIT, 2)):
        diary.write(*[diary.event(subject, CLICK, item, ago=item) for item in range(first, 401, 2)])
    diary.write(*[diary.event(ANN, SEEN, item, ago=item) for item in range(1, 401)])
    diary.write(*[diary.event(VISIT, SEEN, item, ago=item) for item in range(301, 600)])

    diary.store.link_session("visit", "ann")

    person = diary.person(ANN)
    assert person.history["item"].tolist() == list(range(HISTORY_LIMIT, 0, -1))
    assert list(person.consumed) == list(range(1, 401))
    seen = {row["item"]: row["count"] for row in person.seen}
    assert len(person.seen) == len(seen) == SEEN_LIMIT
    assert seen == {item: 2 if 301 <= item <= 400 else 1 for item in range(1, SEEN_LIMIT + 1)}


@pytest.mark.parametrize("user_first", [True, False])
@pytest.mark.parametrize(("newer", "dismissed"), [(LIKE, []), (HIDE, [7])])
def test_the_newest_opinion_of_both_decides(diary: Diary, newer: EventType, dismissed: list[int], user_first: bool) -> None:
    first, second = (ANN, VISIT) if user_first else (VISIT, ANN)
    diary.did(first, LIKE if newer is HIDE else HIDE, 7, 9)
    diary.did(second, newer, 7, 5)
    diary.store.link_session("visit", "ann")
    assert list(diary.person(ANN).dismissed) == dismissed


def test_a_like_does_not_undo_a_dismissal_that_may_be_younger_and_fell_out_of_the_history(diary: Diary) -> None:
    diary.did(ANN, HIDE, 7, 500)
    diary.write(*[diary.event(ANN, CLICK, item, ago=item) for item in range(10, 250)])
    diary.did(VISIT, LIKE, 7, 400)
    diary.store.link_session("visit", "ann")
    assert list(diary.person(ANN).dismissed) == [7]
    diary.did(Subject.session("other"), LIKE, 7, 1)
    diary.store.link_session("other", "ann")
    assert list(diary.person(ANN).dismissed) == []


def test_what_a_session_did_without_consent_to_personalise_never_shapes_the_user(diary: Diary) -> None:
    diary.did(VISIT, CLICK, 1, 9, CONTEXT_ONLY)
    diary.did(VISIT, HIDE, 2, 8)
    diary.did(ANN, CLICK, 3, 1, Consent.ALL)
    diary.store.link_session("visit", "ann")
    person = diary.person(ANN)
    assert person.history["item"].tolist() == [3]
    assert (list(person.consumed), list(person.dismissed), person.consent) == ([3], [], Consent.ALL)


@pytest.mark.parametrize(
    ("user_said", "session_said", "holds"),
    [
        ((9, Consent.ALL), (5, CONTEXT_ONLY), CONTEXT_ONLY),
        ((5, Consent.ALL), (9, CONTEXT_ONLY), Consent.ALL),
        ((5, Consent.ALL), (5, CONTEXT_ONLY), CONTEXT_ONLY),
        ((5, CONTEXT_ONLY), (5, Consent.PERSONALISE | Consent.TRAIN), Consent.TRAIN),
        (None, (5, CONTEXT_ONLY), CONTEXT_ONLY),
        ((5, CONTEXT_ONLY), None, CONTEXT_ONLY),
    ],
)
def test_the_last_word_on_consent_of_both_holds(
    diary: Diary, user_said: tuple[int, Consent] | None, session_said: tuple[int, Consent] | None, holds: Consent
) -> None:
    for subject, said in ((ANN, user_said), (VISIT, session_said)):
        diary.did(subject, CLICK, 1, *(said or (7, None)))
    diary.store.link_session("visit", "ann")
    read = diary.store.read_person(ANN)
    assert (read.said, read.person.consent) == (True, holds)


def test_a_late_event_gets_no_more_than_what_both_ever_allowed(diary: Diary) -> None:
    diary.did(ANN, CLICK, 1, 5, Consent.ALL)
    diary.did(VISIT, CLICK, 2, 9, Consent.NONE)
    diary.store.link_session("visit", "ann")
    diary.did(ANN, CLICK, 3, 7)
    diary.did(VISIT, CLICK, 4, 1)
    assert diary.history(ANN) == [4, 1] or diary.history(ANN) == [1, 4]
    assert 3 not in diary.person(ANN).consumed


def test_events_are_one_persons_from_the_link_on_and_two_peoples_before_it(diary: Diary) -> None:
    diary.did(ANN, CLICK, 1)
    diary.did(VISIT, CLICK, 2)
    diary.did(BOB, CLICK, 3)
    before = diary.store.change_sequence()
    diary.store.link_session("visit", "ann")
    between = diary.store.change_sequence()
    diary.store.merge_users("ann", "bob")
    diary.did(VISIT, CLICK, 4)

    # As of a point of the sequence the answer stays the same, whatever comes later.
    assert diary.whose(before) == {1: 1, 2: 2, 3: 3}
    assert diary.whose(between) == {1: 1, 2: 1, 3: 3}
    assert diary.whose() == {1: 3, 2: 3, 3: 3, 4: 3}
    assert diary.store.counts().events == 4


def test_an_event_sent_again_under_the_other_name_counts_once(diary: Diary) -> None:
    diary.did(VISIT, CLICK, 1)
    diary.store.link_session("visit", "ann")
    (outcome,) = diary.store.record_events([Event("e0", CLICK, ANN, "i1")], now=diary.now, consent_default=Consent.ALL)
    assert outcome.status.value == "duplicate"
    assert diary.history(ANN) == [1]


def test_walks_over_people_and_counts_have_linked_people_once(diary: Diary) -> None:
    for subject in (ANN, BOB, VISIT, Subject.session("alone")):
        diary.did(subject, CLICK, 1)
    diary.store.link_session("visit", "ann")
    diary.store.merge_users("ann", "bob")
    left = [BOB, Subject.session("alone")]
    assert [subject for subject, _ in diary.store.read_people()] == left
    assert [subject for subject, _ in diary.store.read_people(kind=SubjectKind.SESSION)] == left[1:]
    assert [subject for subject, _ in diary.store.read_span(after=0, upto=diary.store.last_person())] == left
    assert (diary.store.counts().users, diary.store.counts().sessions) == (1, 1)
    assert [subject for _, subject in diary.store.subjects()] == [ANN, BOB, VISIT, left[1]]


def test_many_links_are_followed_in_short_reads(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.store.links.LINKS_BATCH", 2)
    users = [f"u{place}" for place in range(9)]
    diary.write(*[diary.event(Subject.user(user), CLICK, place + 1) for place, user in enumerate(users)])
    for order in ([4, 2, 6], [0, 5], [1, 3, 7]):
        for place in order:
            diary.store.merge_users(users[place], users[place + 1])
    assert np.unique(list(diary.whose().values())).tolist() == [9]
    assert sorted(diary.history(Subject.user("u0"))) == list(range(1, 10))
