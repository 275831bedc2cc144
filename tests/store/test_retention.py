"""The rules over a store and its generations: what they let go, what they say before, and that they may be cut short at any point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import Place, contents, rows

import recommender
from recommender.cli import run
from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation import Generations
from recommender.generation.leftovers import BUILDING
from recommender.generation.writer_lock import writer_lock
from recommender.retention import DECISIONS, EVENTS, REFUSED, SESSIONS, UNFINISHED, Expired, Expiring, Rules, apply, due
from recommender.settings import Settings, load_settings
from recommender.store import Decision, EventStatus, Store, open_store

FOR_EVER = Rules(event_days=0, least_events=0, session_days=0, decision_days=0, refused_days=0, unfinished_days=0, late_days=365)
PROGRAM = Path(__file__).with_name("retaining_program.py")


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


def did(event_id: str, at: datetime, who: Subject) -> Event:
    return Event(event_id, EventType.CLICK, who, "i1", at=at)


def record(store: Store, *events: Event, now: datetime) -> list[EventStatus]:
    return [outcome.status for outcome in store.record_events(events, now=now, consent_default=Consent.ALL)]


def a_day_each(store: Store, days: int, *, now: datetime, who: str = "ann") -> None:
    """One event a day, of today and the days before."""
    record(store, *(did(f"{who}-{day}", now - timedelta(days=day), Subject.user(who)) for day in range(days)), now=now)


def of(rule: str, told: tuple[Expiring, ...]) -> Expiring:
    (one,) = [each for each in told if each.rule == rule]
    return one


def test_out_of_the_box_no_rule_is_without_an_end(tmp_path: Path) -> None:
    rules = Rules.of(Settings(data=tmp_path))
    assert all(getattr(rules, name) > 0 for name in Rules.__dataclass_fields__)
    assert rules.event_days >= rules.late_days


def test_without_rules_everything_stays_for_ever(
    shop: Store, place: Place, generations: Generations, now: datetime, decision: Decision
) -> None:
    a_day_each(shop, 3, now=now)
    shop.record_decisions([replace(decision, id=bytes([day]) * 16, at=now - timedelta(days=1_000 * day)) for day in range(3)])
    record(shop, did("s", now - timedelta(days=9_000), Subject.session("s")), now=now)
    before = contents(place)
    expired = apply(shop, generations, FOR_EVER, now=now + timedelta(days=10_000))
    assert [(each.count, each.days) for each in expired.expiring] == [(0, 0)] * 5
    assert expired.notes == ()
    assert contents(place) == before


def test_days_count_back_from_the_newest_so_that_an_archive_and_a_site_at_rest_lose_nothing(
    shop: Store, generations: Generations, now: datetime, decision: Decision
) -> None:
    a_day_each(shop, 5, now=now)
    record(shop, did("s", now, Subject.session("s")), now=now)
    shop.record_decisions([decision])
    years_later = now + timedelta(days=3_000)
    rules = replace(FOR_EVER, event_days=30, session_days=30, decision_days=30)
    assert not any(each.count for each in due(shop, generations, rules, now=years_later).expiring)

    record(shop, did("later", years_later, Subject.user("ann")), now=years_later)

    told = due(shop, generations, rules, now=years_later).expiring
    assert of(EVENTS, told) == Expiring(EVENTS, 30, 6, 1, 5, of(EVENTS, told).bytes, (now - timedelta(days=4)).date(), now.date())
    assert (of(SESSIONS, told).count, of(SESSIONS, told).kept, of(SESSIONS, told).newest) == (1, 0, now.date())
    assert of(DECISIONS, told).count == 0


def test_an_event_slightly_ahead_of_the_clock_makes_nothing_older(shop: Store, generations: Generations, now: datetime) -> None:
    midnight = now.replace(hour=23, minute=59)
    record(
        shop,
        did("old", midnight - timedelta(days=20), Subject.user("ann")),
        did("ahead", midnight + timedelta(minutes=3), Subject.user("ann")),
        now=midnight,
    )
    assert due(shop, generations, replace(FOR_EVER, event_days=20), now=midnight).events == []
    assert len(due(shop, generations, replace(FOR_EVER, event_days=20), now=midnight + timedelta(minutes=3)).events) == 1


def test_as_many_events_as_a_build_needs_stay_however_old(shop: Store, generations: Generations, now: datetime) -> None:
    a_day_each(shop, 60, now=now)
    rules = replace(FOR_EVER, event_days=30, least_events=50)
    told = due(shop, generations, rules, now=now)
    assert (of(EVENTS, told.expiring).count, of(EVENTS, told.expiring).kept) == (10, 50)
    assert told.notes[0] == "19 events stay that are older than 30 days: builds are to have 50 (least_events)"
    assert told.first_kept == (now - timedelta(days=49)).date()

    apply(shop, generations, rules, now=now)

    assert shop.counts().events == 50
    assert record(shop, did("late", now - timedelta(days=49), Subject.user("ann")), now=now) == [EventStatus.ACCEPTED]
    assert record(shop, did("later", now - timedelta(days=50), Subject.user("ann")), now=now) == [EventStatus.REJECTED]


def test_where_a_store_is_small_days_stay_open_for_an_archive(shop: Store, generations: Generations, now: datetime) -> None:
    a_day_each(shop, 2, now=now)
    apply(shop, generations, replace(FOR_EVER, event_days=30, least_events=10), now=now)
    assert shop.expiry.first_kept() is None
    assert record(shop, did("old", now - timedelta(days=4_000), Subject.user("ann")), now=now) == [EventStatus.ACCEPTED]


def test_a_longer_rule_opens_the_days_that_a_shorter_one_closed(shop: Store, generations: Generations, now: datetime) -> None:
    a_day_each(shop, 40, now=now)
    apply(shop, generations, replace(FOR_EVER, event_days=20), now=now)
    old = now - timedelta(days=30)
    assert record(shop, did("again", old, Subject.user("ann")), now=now) == [EventStatus.REJECTED]
    apply(shop, generations, replace(FOR_EVER, event_days=35), now=now)
    assert record(shop, did("again", old, Subject.user("ann")), now=now) == [EventStatus.ACCEPTED]
    apply(shop, generations, FOR_EVER, now=now)
    assert record(shop, did("much older", now - timedelta(days=300), Subject.user("ann")), now=now) == [EventStatus.ACCEPTED]


def test_an_event_rule_below_the_window_of_recognised_ids_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"setting event_days: given '?13'?, allowed: 0 for ever, or 14 \(dedup_days\) or more"):
        load_settings(event_days=13)
    assert load_settings(event_days=14).event_days == 14
    assert load_settings(event_days=7, dedup_days=7).event_days == 7
    assert load_settings(event_days=0).event_days == 0


def test_trends_of_more_days_than_events_are_kept_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"setting trend_days: given '?31'?, allowed: 30 \(event_days\) or less"):
        load_settings(event_days=30, trend_days=31)
    assert load_settings(event_days=30, trend_days=30).trend_days == 30
    assert load_settings(event_days=0, trend_days=90).trend_days == 90
    with pytest.raises(InvalidInput, match=r"setting trend_days: given '?7'?, allowed: 5 "):
        load_settings(event_days=5, dedup_days=5)


def test_what_a_short_rule_means_for_builds_and_late_events_is_said_before_it_acts(
    shop: Store, generations: Generations, now: datetime
) -> None:
    a_day_each(shop, 60, now=now)
    (generations.root / BUILDING).mkdir(parents=True)
    short, late, large, killed = due(shop, generations, replace(FOR_EVER, event_days=14), now=now).notes
    assert short.startswith("event_days is 14: builds learn from, and are judged on, so many days at the most")
    assert late == "event_days is below late_days (365): later events are rejected once their day is gone"
    assert large.startswith("45 of 60 events go at once")
    assert killed.startswith("a killed build can be gone on with")
    assert due(shop, generations, replace(FOR_EVER, event_days=365), now=now).notes == ()


def test_applying_lets_go_what_was_told_and_nothing_more(shop: Store, generations: Generations, now: datetime, decision: Decision) -> None:
    a_day_each(shop, 40, now=now)
    record(shop, *(did(f"s{day}", now - timedelta(days=day), Subject.session(f"s{day}")) for day in range(40)), now=now)
    shop.record_decisions([replace(decision, id=bytes([day]) * 16, at=now - timedelta(days=day)) for day in range(40)])
    rules = replace(FOR_EVER, event_days=30, session_days=10, decision_days=5)
    told = due(shop, generations, rules, now=now)
    heard: list[tuple[str, int, int]] = []

    expired = apply(shop, generations, rules, now=now, told=lambda *heard_of: heard.append(heard_of))

    assert expired == Expired(told.expiring, told.notes)
    assert [(each.rule, each.count, each.kept, each.partitions) for each in expired.expiring[:3]] == [
        (EVENTS, 18, 62, 9),
        (SESSIONS, 29, 11, 0),
        (DECISIONS, 34, 6, 34),
    ]
    assert heard[8] == (EVENTS, 9, 9)
    assert heard[9] == (SESSIONS, 29, 29)
    assert heard[-1] == (DECISIONS, 34, 34)
    assert (shop.counts().events, shop.counts().sessions, shop.counts().decisions) == (62, 11, 6)
    assert not any(each.count for each in apply(shop, generations, rules, now=now).expiring)
    assert json.loads(json.dumps(expired.as_json()))["expired"][0]["oldest"] == (now - timedelta(days=39)).date().isoformat()


def test_cut_short_it_says_so_and_the_next_time_goes_on(shop: Store, generations: Generations, now: datetime) -> None:
    a_day_each(shop, 40, now=now)
    rules = replace(FOR_EVER, event_days=30)
    gone = []
    while True:
        expired = apply(shop, generations, rules, now=now, more=lambda: False)
        gone.append(of(EVENTS, expired.expiring).count)
        if expired.complete:
            break
    assert gone == [1] * 9
    assert shop.counts().events == 31
    assert record(shop, did("ann-39", now - timedelta(days=39), Subject.user("ann")), now=now) == [EventStatus.REJECTED]


def test_it_may_be_killed_at_any_point_and_loses_nothing_that_was_to_stay(
    shop: Store, place: Place, generations: Generations, now: datetime
) -> None:
    a_day_each(shop, 120, now=now)
    sessions = [Subject.session(f"s{number}") for number in range(1_500)]
    record(shop, *(did(f"s-{who.id}", now - timedelta(days=60), who) for who in sessions), now=now)
    whole = shop.read_person(Subject.user("ann")).person.history.tobytes()
    program = [sys.executable, str(PROGRAM), str(place), str(generations.root), now.isoformat(), "30", "40"]
    environment = {**os.environ, "PYTHONPATH": str(Path(recommender.__file__).parents[1])}
    for lines in (1, 20, 50):
        with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        with open_store(place) as reopened:
            days = reopened.expiry.event_days()
            assert [day.rows for day in days[-31:]] == [1] * 31
            assert reopened.counts().events == sum(day.rows for day in days)
            assert sum(batch.num_rows for batch in reopened.iter_events(upto=reopened.change_sequence())) == reopened.counts().events
    expired = apply(shop, generations, replace(FOR_EVER, event_days=30, session_days=40), now=now)
    assert expired.complete
    assert (shop.counts().events, shop.counts().sessions) == (31, 0)
    assert shop.read_person(Subject.user("ann")).person.history.tobytes() == whole


# A model of what must remain

NUMBERS = count()
DAY = st.integers(0, 40)
RULE = st.integers(0, 30)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(st.tuples(DAY, st.sampled_from(["user", "s1", "s2", "s3"])), max_size=30),
    shown=st.lists(DAY, max_size=10),
    days=st.tuples(RULE, RULE, RULE),
    least=st.integers(0, 20),
)
def test_what_remains_is_what_the_rules_say(
    shop: Store,
    place: Place,
    generations: Generations,
    now: datetime,
    decision: Decision,
    acts: list[tuple[int, str]],
    shown: list[int],
    days: tuple[int, int, int],
    least: int,
) -> None:
    cleared(shop, place)
    # A rule is never below the window in which ids are recognised.
    with open_store(place, dedup_days=1) as store:
        remains_as_the_rules_say(store, generations, now, decision, acts, shown, days, least)


def remains_as_the_rules_say(
    store: Store,
    generations: Generations,
    now: datetime,
    decision: Decision,
    acts: list[tuple[int, str]],
    shown: list[int],
    days: tuple[int, int, int],
    least: int,
) -> None:
    subjects = {name: Subject.user(name) if name == "user" else Subject.session(name) for _, name in acts}
    record(store, *(did(f"e{next(NUMBERS)}", now - timedelta(days=ago), subjects[name]) for ago, name in acts), now=now)
    store.record_decisions([replace(decision, id=next(NUMBERS).to_bytes(16, "big"), at=now - timedelta(days=ago)) for ago in shown])
    event_days, session_days, decision_days = days
    rules = replace(FOR_EVER, event_days=event_days, least_events=least, session_days=session_days, decision_days=decision_days)

    told = due(store, generations, rules, now=now)
    expired = apply(store, generations, rules, now=now)

    assert expired.expiring == told.expiring
    left = Counter(ago for ago, _ in acts)
    newest = min(left, default=0)
    for ago in sorted(left, reverse=True):
        if event_days and ago > newest + event_days and sum(left.values()) - left[ago] >= least:
            del left[ago]
        else:
            break
    assert {day.day: day.rows for day in store.expiry.event_days()} == {on(now, ago): rows for ago, rows in left.items()}
    last = {name: min(ago for ago, who in acts if who == name) for name in subjects}
    stay = {name for name, ago in last.items() if name == "user" or not session_days or ago <= newest + session_days}
    assert {subject.id for _, subject in store.subjects()} == stay
    kept = [ago for ago in shown if not decision_days or ago <= min(shown) + decision_days]
    assert {day.day: day.rows for day in store.expiry.decision_days()} == {on(now, ago): rows for ago, rows in Counter(kept).items()}
    for ago, _ in acts:
        (status,) = record(store, did(f"e{next(NUMBERS)}", now - timedelta(days=ago), Subject.user("user")), now=now)
        assert status is (EventStatus.ACCEPTED if ago in left else EventStatus.REJECTED)


def on(now: datetime, ago: int) -> date:
    return (now - timedelta(days=ago)).date()


def cleared(store: Store, place: Place) -> None:
    for day in store.expiry.event_days():
        store.expiry.drop_events(day.day)
    for day in store.expiry.decision_days():
        store.expiry.drop_decisions(day.day)
    store.expiry.keep_events_from(None)
    rows(place, "DELETE FROM people")


# The command


def in_data(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options of commands that use the test's store."""
    if isinstance(place, str):
        monkeypatch.setenv("RECOMMENDER_STORE", place)
    monkeypatch.setenv("RECOMMENDER_LEAST_EVENTS", "0")
    monkeypatch.setenv("RECOMMENDER_EVENT_DAYS", "20")
    return ["--data", str(tmp_path)]


def test_the_command_shows_what_would_go_and_lets_it_go_only_when_it_is_told_to(
    shop: Store,
    place: Place,
    generations: Generations,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a_day_each(shop, 30, now=now)
    options = in_data(place, tmp_path, monkeypatch)
    before = contents(place)

    assert run(["store", "retention", *options]) == 0
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()[1:3]] == [
        ["events", "20", "9", "21", "9", "0.0", "2026-02-13", "2026-02-21"],
        ["sessions", "90", "0", "0", "0.0"],
    ]
    assert "note: event_days is 20: builds learn from" in shown
    assert shown.splitlines()[-1] == "let it go with: recommender store retention --apply"
    assert contents(place) == before

    assert run(["store", "retention", *options, "--json"]) == 0
    preview = json.loads(capsys.readouterr().out)
    assert [(each["rule"], each["count"], each["kept"]) for each in preview["expiring"][:2]] == [(EVENTS, 9, 21), (SESSIONS, 0, 0)]

    assert run(["store", "retention", *options, "--apply", "--json"]) == 0
    gone = json.loads(capsys.readouterr().out)
    assert gone["expired"] == preview["expiring"]
    assert gone["complete"] is True
    assert shop.counts().events == 21
    assert run(["store", "retention", *options, "--apply"]) == 0
    assert "let it go with" not in capsys.readouterr().out


def test_the_command_leaves_everything_to_a_build_that_is_running(
    shop: Store,
    place: Place,
    generations: Generations,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a_day_each(shop, 30, now=now)
    options = in_data(place, tmp_path, monkeypatch)
    with writer_lock(generations.root, now=now):
        assert run(["store", "retention", *options, "--apply"]) == 75
        assert run(["store", "retention", *options]) == 0
    assert "another build is running" in capsys.readouterr().err
    assert shop.counts().events == 30


def test_the_clock_rules_what_lies_beside_the_store(store: Store, generations: Generations, now: datetime) -> None:
    killed = generations.root / BUILDING
    (killed / "read").mkdir(parents=True)
    (killed / "read" / "events.npy").write_bytes(b"x" * 100)
    written = datetime.fromtimestamp(killed.stat().st_mtime, UTC)
    rules = replace(FOR_EVER, unfinished_days=7)
    assert due(store, generations, rules, now=written + timedelta(days=6)).unfinished == []
    told = of(UNFINISHED, due(store, generations, rules, now=written + timedelta(days=8)).expiring)
    assert (told.count, told.ids, told.newest) == (1, (BUILDING,), written.date())
    assert told.bytes >= 100
    expired = apply(store, generations, rules, now=written + timedelta(days=8))
    assert of(UNFINISHED, expired.expiring) == told
    assert not killed.exists()
    assert of(REFUSED, expired.expiring).count == 0
