from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from recommender.events import CONSUMING, Consent, Event, EventType, Subject, SubjectKind
from recommender.items import Item, ItemKind
from recommender.people import HISTORY_LIMIT, SEEN_LIMIT, Person
from recommender.store import Store
from recommender.times import to_micros

ANN = Subject.user("ann")
CONTEXT_ONLY = Consent.TRAIN | Consent.MEASURE
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Diary:
    """Records events of one person with ids of their own."""

    def __init__(self, store: Store, now: datetime, subject: Subject = ANN) -> None:
        self.store, self.now, self.subject, self.written = store, now, subject, 0

    def event(self, kind: EventType, item: int, *, ago: timedelta = timedelta(0), **fields: object) -> Event:
        self.written += 1
        given: dict[str, object] = {"custom": "x" if kind is EventType.CUSTOM else "", **fields}
        return Event(f"{self.subject}-{self.written}", kind, self.subject, f"i{item}", at=self.now - ago, **given)  # type: ignore[arg-type]

    def write(self, *events: Event, consent: Consent = Consent.ALL) -> Person:
        outcomes = self.store.record_events(events, now=self.now, consent_default=consent)
        assert all(outcome.status.value == "accepted" for outcome in outcomes)
        return self.store.read_person(self.subject).person


@pytest.fixture
def diary(shop: Store, now: datetime) -> Diary:
    return Diary(shop, now)


def test_of_a_stranger_nothing_is_known(shop: Store) -> None:
    read = shop.read_person(Subject.user("stranger"))
    assert not read.known
    assert read.change == 600
    assert (len(read.person.history), len(read.person.consumed), len(read.person.seen)) == (0, 0, 0)
    assert read.person.consent == Consent.ALL


def test_in_an_empty_store_the_change_is_zero(store: Store) -> None:
    assert store.read_person(ANN).change == 0


def test_history_is_in_the_order_of_event_time_however_late_events_come(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 3, ago=1 * MINUTE), diary.event(EventType.CLICK, 1, ago=9 * MINUTE))
    person = diary.write(diary.event(EventType.VIEW, 2, ago=5 * MINUTE))
    assert person.history["item"].tolist() == [1, 2, 3]
    assert person.history["at"].tolist() == [to_micros(diary.now - ago * MINUTE) for ago in (9, 5, 1)]


def test_events_of_the_same_time_stay_in_the_order_of_arrival(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 5), diary.event(EventType.CLICK, 2))
    person = diary.write(diary.event(EventType.CLICK, 4), diary.event(EventType.CLICK, 1))
    assert person.history["item"].tolist() == [5, 2, 4, 1]


def test_the_history_keeps_the_newest_and_the_consumed_set_keeps_all(diary: Diary) -> None:
    person = diary.write(*[diary.event(EventType.CLICK, item, ago=item * MINUTE) for item in range(1, 301)])
    assert len(person.history) == HISTORY_LIMIT
    assert person.history["item"].tolist() == list(range(200, 0, -1))
    assert list(person.consumed) == list(range(1, 301))
    person = diary.write(diary.event(EventType.CLICK, 400, ago=1000 * MINUTE))
    assert 400 not in person.history["item"]
    assert 400 in person.consumed
    person = diary.write(diary.event(EventType.CLICK, 500))
    assert person.history["item"].tolist() == [*range(199, 0, -1), 500]


def test_the_value_of_the_history_is_the_portion_for_read_and_watch_and_never_their_value(diary: Diary) -> None:
    kinds = (EventType.WATCH, EventType.READ, EventType.WATCH, EventType.PURCHASE, EventType.CLICK)
    given: list[dict[str, float]] = [{"portion": 0.5, "value": 4.0}, {"value": 0.0}, {"value": 1.0}, {"value": 19.5}, {}]
    person = diary.write(*[diary.event(kind, 1, **fields) for kind, fields in zip(kinds, given, strict=True)])
    np.testing.assert_array_equal(person.history["value"], np.array([0.5, np.nan, np.nan, 19.5, np.nan], dtype=np.float32))
    assert person.history["type"].tolist() == list(kinds)


@pytest.mark.parametrize("kind", list(EventType))
def test_each_type_leaves_its_mark(diary: Diary, kind: EventType) -> None:
    person = diary.write(diary.event(kind, 7))
    assert (7 in person.consumed) == (kind in CONSUMING)
    assert (7 in person.dismissed) == (kind in (EventType.DISLIKE, EventType.HIDE))
    assert (7 in person.history["item"]) == (kind is not EventType.IMPRESSION)
    assert (7 in person.seen["item"]) == (kind is EventType.IMPRESSION)


def test_impressions_are_counted_with_their_latest_time(diary: Diary) -> None:
    diary.write(diary.event(EventType.IMPRESSION, 7, ago=2 * MINUTE), diary.event(EventType.IMPRESSION, 7, ago=9 * MINUTE))
    person = diary.write(diary.event(EventType.IMPRESSION, 7, ago=5 * MINUTE), diary.event(EventType.IMPRESSION, 8))
    seen = {row["item"]: (row["count"], row["at"]) for row in person.seen}
    assert seen == {7: (3, to_micros(diary.now - 2 * MINUTE)), 8: (1, to_micros(diary.now))}


def test_the_most_recently_seen_stay_when_there_are_too_many(diary: Diary) -> None:
    person = diary.write(*[diary.event(EventType.IMPRESSION, item, ago=item * MINUTE) for item in range(1, 551)])
    assert len(person.seen) == SEEN_LIMIT
    assert sorted(person.seen["item"].tolist()) == list(range(1, SEEN_LIMIT + 1))


def test_a_like_takes_an_item_back_out_of_the_dismissed(diary: Diary) -> None:
    person = diary.write(diary.event(EventType.HIDE, 7, ago=9 * MINUTE), diary.event(EventType.DISLIKE, 8, ago=9 * MINUTE))
    assert list(person.dismissed) == [7, 8]
    assert list(diary.write(diary.event(EventType.LIKE, 7, ago=5 * MINUTE)).dismissed) == [8]
    assert list(diary.write(diary.event(EventType.HIDE, 7, ago=2 * MINUTE)).dismissed) == [7, 8]


def test_a_like_from_before_the_dismissal_that_comes_late_changes_nothing(diary: Diary) -> None:
    diary.write(diary.event(EventType.HIDE, 7, ago=5 * MINUTE))
    assert list(diary.write(diary.event(EventType.LIKE, 7, ago=9 * MINUTE)).dismissed) == [7]


def test_a_dismissal_from_before_the_like_that_comes_late_changes_nothing(diary: Diary) -> None:
    diary.write(diary.event(EventType.LIKE, 7, ago=5 * MINUTE))
    assert list(diary.write(diary.event(EventType.HIDE, 7, ago=9 * MINUTE)).dismissed) == []


def test_a_dismissal_outlives_the_history_and_an_old_like_does_not_undo_it(diary: Diary) -> None:
    diary.write(diary.event(EventType.HIDE, 7, ago=500 * MINUTE))
    person = diary.write(*[diary.event(EventType.CLICK, item, ago=item * MINUTE) for item in range(10, 250)])
    assert 7 not in person.history["item"]
    assert list(person.dismissed) == [7]
    assert list(diary.write(diary.event(EventType.LIKE, 7, ago=600 * MINUTE)).dismissed) == [7]
    assert list(diary.write(diary.event(EventType.LIKE, 7)).dismissed) == []


def test_events_without_consent_to_personalise_are_kept_and_change_nothing_else(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 1, ago=9 * MINUTE))
    kinds = (EventType.CLICK, EventType.HIDE, EventType.IMPRESSION, EventType.PURCHASE)
    person = diary.write(*[diary.event(kind, 2, consent=CONTEXT_ONLY) for kind in kinds])
    assert person.history["item"].tolist() == [1]
    assert (list(person.consumed), list(person.dismissed), len(person.seen)) == ([1], [], 0)
    assert person.consent == CONTEXT_ONLY
    assert diary.store.counts().events == 5


def test_someone_who_never_consented_is_known_and_has_no_history(diary: Diary) -> None:
    person = diary.write(diary.event(EventType.CLICK, 1, consent=Consent.NONE))
    assert diary.store.read_person(ANN).known
    assert (len(person.history), len(person.consumed), person.consent) == (0, 0, Consent.NONE)


def test_the_consent_of_the_newest_event_counts_however_late_others_come(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 1, ago=5 * MINUTE, consent=CONTEXT_ONLY))
    assert diary.write(diary.event(EventType.CLICK, 2, ago=9 * MINUTE, consent=Consent.ALL)).consent == CONTEXT_ONLY
    assert diary.write(diary.event(EventType.CLICK, 3, consent=Consent.ALL)).consent == Consent.ALL


def test_a_late_event_keeps_the_consent_that_it_came_with(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 1, consent=Consent.NONE))
    person = diary.write(diary.event(EventType.CLICK, 2, ago=9 * MINUTE, consent=Consent.ALL))
    assert person.history["item"].tolist() == [2]
    assert person.consent == Consent.NONE


def test_the_default_consent_decides_for_events_that_say_nothing(diary: Diary) -> None:
    person = diary.write(diary.event(EventType.CLICK, 1), consent=Consent.NONE)
    assert (len(person.history), person.consent) == (0, Consent.NONE)
    person = diary.write(diary.event(EventType.CLICK, 1), consent=Consent.ALL)
    assert (len(person.history), person.consent) == (1, Consent.ALL)


def test_a_user_and_a_session_of_one_id_are_two_people(shop: Store, now: datetime) -> None:
    user, session = Diary(shop, now), Diary(shop, now, Subject.session("ann"))
    shop.record_events([user.event(EventType.CLICK, 1), session.event(EventType.CLICK, 2)], now=now, consent_default=Consent.ALL)
    assert shop.read_person(ANN).person.history["item"].tolist() == [1]
    assert shop.read_person(Subject.session("ann")).person.history["item"].tolist() == [2]
    assert (shop.counts().users, shop.counts().sessions) == (1, 1)


def test_a_read_carries_the_newest_catalogue_change_and_events_do_not_move_it(diary: Diary) -> None:
    store = diary.store
    diary.write(diary.event(EventType.CLICK, 1))
    assert store.read_person(ANN).change == 600
    store.delete_items(["i1"], now=diary.now)
    read = store.read_person(ANN)
    assert read.change == store.change_sequence() == 602
    assert [change.sequence for change in store.catalogue_changes(600)] == [read.change]
    assert read.person.history["item"].tolist() == [1]


def test_all_people_are_walked_by_kind_and_up_to_a_limit(shop: Store, now: datetime) -> None:
    subjects = [Subject.session(f"p{place}") if place % 3 == 0 else Subject.user(f"p{place}") for place in range(2_100)]
    events = [Event(f"e{place}", EventType.CLICK, subject, f"i{place % 600 + 1}") for place, subject in enumerate(subjects)]
    shop.record_events(events, now=now, consent_default=Consent.ALL)
    walked = list(shop.read_people())
    assert [subject for subject, _ in walked] == subjects
    assert walked[1_234][1].history["item"].tolist() == [1_234 % 600 + 1]
    users = [subject for subject in subjects if subject.kind is SubjectKind.USER]
    assert [subject for subject, _ in shop.read_people(kind=SubjectKind.USER)] == users
    assert [subject for subject, _ in shop.read_people(kind=SubjectKind.USER, limit=1_005)] == users[:1_005]
    assert list(shop.read_people(limit=0)) == []


def test_nothing_handed_out_can_be_written_into(diary: Diary) -> None:
    person = diary.write(diary.event(EventType.CLICK, 1))
    with pytest.raises(ValueError, match="read-only"):
        person.history["item"] = 2


def test_items_that_came_later_get_the_next_numbers_in_histories(diary: Diary) -> None:
    diary.store.upsert_items([Item("i601", ItemKind.PRODUCT)], now=diary.now)
    assert diary.write(diary.event(EventType.CLICK, 601)).history["item"].tolist() == [601]


def test_an_event_that_says_nothing_follows_what_the_person_last_said(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 1, ago=MINUTE, consent=CONTEXT_ONLY))
    person = diary.write(diary.event(EventType.CLICK, 2), consent=Consent.ALL)
    assert person.consent == CONTEXT_ONLY
    assert not len(person.history)
    (batch,) = diary.store.iter_events(upto=diary.store.change_sequence())
    assert batch.column("consent").to_pylist() == [CONTEXT_ONLY, CONTEXT_ONLY]


def stored_consents(store: Store) -> list[int]:
    """Consent of every event, by its time."""
    batches = store.iter_events(upto=store.change_sequence())
    rows = [row for batch in batches for row in zip(batch["at"].to_pylist(), batch["consent"].to_pylist(), strict=True)]
    return [consent for _, consent in sorted(rows)]


def test_a_late_event_that_says_nothing_does_not_take_what_was_said_after_it(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 1, ago=10 * DAY, consent=Consent.NONE))
    diary.write(diary.event(EventType.CLICK, 2, ago=1 * DAY, consent=Consent.ALL))
    person = diary.write(diary.event(EventType.CLICK, 3, ago=5 * DAY))
    assert stored_consents(diary.store) == [Consent.NONE, Consent.NONE, Consent.ALL]
    assert person.history["item"].tolist() == [2]
    assert person.consent == Consent.ALL
    assert diary.write(diary.event(EventType.CLICK, 4)).history["item"].tolist() == [2, 4]


def test_a_late_event_that_says_nothing_gets_what_the_default_and_all_that_was_said_allow(diary: Diary) -> None:
    diary.write(diary.event(EventType.CLICK, 1, ago=1 * DAY, consent=Consent.ALL))
    diary.write(diary.event(EventType.CLICK, 2, ago=3 * DAY), consent=Consent.ALL)
    diary.write(diary.event(EventType.CLICK, 3, ago=4 * DAY), consent=Consent.NONE)
    diary.write(diary.event(EventType.CLICK, 4, ago=9 * DAY, consent=CONTEXT_ONLY))
    diary.write(diary.event(EventType.CLICK, 5, ago=5 * DAY), consent=Consent.ALL)
    diary.write(diary.event(EventType.CLICK, 6, ago=6 * DAY), consent=Consent.PERSONALISE | Consent.TRAIN)
    assert stored_consents(diary.store) == [CONTEXT_ONLY, Consent.TRAIN, CONTEXT_ONLY, Consent.NONE, Consent.ALL, Consent.ALL]


def test_events_of_one_call_follow_what_was_said_by_their_time(diary: Diary) -> None:
    diary.write(
        diary.event(EventType.CLICK, 3, ago=5 * DAY),
        diary.event(EventType.CLICK, 4, ago=1 * DAY, consent=Consent.ALL),
        diary.event(EventType.CLICK, 1, ago=15 * DAY),
        diary.event(EventType.CLICK, 5),
        diary.event(EventType.CLICK, 2, ago=10 * DAY, consent=Consent.NONE),
    )
    assert stored_consents(diary.store) == [Consent.ALL, Consent.NONE, Consent.NONE, Consent.ALL, Consent.ALL]


def test_a_read_tells_whether_the_person_ever_said_anything_about_consent(diary: Diary) -> None:
    store = diary.store
    assert not store.read_person(ANN).said
    diary.write(diary.event(EventType.CLICK, 1), consent=Consent.ALL)
    assert (store.read_person(ANN).known, store.read_person(ANN).said) == (True, False)
    diary.write(diary.event(EventType.CLICK, 2, ago=9 * MINUTE, consent=CONTEXT_ONLY))
    assert store.read_person(ANN).said
    diary.write(diary.event(EventType.CLICK, 3))
    assert (store.read_person(ANN).said, store.read_person(ANN).person.consent) == (True, CONTEXT_ONLY)


def test_the_default_holds_for_somebody_who_never_said_anything_even_when_it_changes(diary: Diary) -> None:
    for default in (Consent.ALL, Consent.NONE):
        assert diary.write(diary.event(EventType.CLICK, 1), consent=default).consent == default


def test_spans_of_people_together_are_all_of_them_each_once(shop: Store, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.store.people.WALK_BATCH", 2)
    words = [CONTEXT_ONLY if place == 3 else None for place in range(7)]
    events = [Event(f"e{place}", EventType.CLICK, Subject.user(f"p{place}"), "i1", consent=word) for place, word in enumerate(words)]
    shop.record_events(events, now=now, consent_default=Consent.ALL)
    last = shop.last_person()

    spans = [list(shop.read_span(after=after, upto=after + 3)) for after in range(0, last, 3)]

    people = [pair for span in spans for pair in span]
    assert [subject for subject, _ in people] == [subject for subject, _ in shop.read_people()]
    assert len(people) == last == 7
    assert [(read.said, read.person.consent) for _, read in people] == [
        (read.said, read.person.consent) for read in (shop.read_person(subject) for subject, _ in people)
    ]
    assert [read.said for _, read in people] == [word is not None for word in words]
    assert list(shop.read_span(after=last, upto=last + 100)) == []


def test_a_store_without_people_has_no_last_one(shop: Store) -> None:
    assert shop.last_person() == 0
