"""Trends against a slow plain count, and what small groups, windows and too many events do to them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recommender.events import Consent, EventType
from recommender.feeds import Degradation
from recommender.profile import BuildSettings
from recommender.times import DAY_US
from recommender.trends import ENTRIES, OF_ALL, OF_GROUP, Asked, Least, RecentEvents, Trend, trend_of
from recommender.trends import recent_events as module
from recommender.trends.groups import Regions, Segments, groups_to_try, wider

TABLE = BuildSettings().weight_table
NOW = 20_000 * DAY_US + 40_000_000_000
HOUR = 3_600_000_000
WEEK = 7 * DAY_US
LARGE = 10**9
NAN = float("nan")


@dataclass(frozen=True)
class Act:
    """One event."""

    person: int
    item: int
    at: int = NOW - HOUR
    type: EventType = EventType.CLICK
    region: str = ""
    segment: str = ""
    consent: Consent = Consent.ALL
    portion: float = NAN


def batch_of(acts: list[Act]) -> pa.RecordBatch:
    """The events as the store gives them."""
    columns = {
        "person": pa.array([act.person for act in acts], pa.uint32()),
        "item": pa.array([act.item for act in acts], pa.uint32()),
        "type": pa.array([act.type for act in acts], pa.uint8()),
        "portion": pa.array([act.portion for act in acts], pa.float32()),
        "at": pa.array([act.at for act in acts], pa.int64()),
        "consent": pa.array([int(act.consent) for act in acts], pa.uint8()),
    }
    for name in ENTRIES:
        columns[f"context.{name}"] = pa.array([getattr(act, name) for act in acts], pa.string()).dictionary_encode()
    return pa.RecordBatch.from_pydict(columns)


def events_of(acts: list[Act], *, since: int = NOW - WEEK, limit: int = LARGE) -> RecentEvents:
    return RecentEvents.none().joined([batch_of(acts)] if acts else [], since=since, limit=limit)


def asked_of(events: RecentEvents, asked: Asked, *, people: int = 1, of_item: int = 1, now: int = NOW) -> Trend:
    return trend_of(events, asked, TABLE, Least(people, of_item), now=now, longest_us=WEEK)


def name_of(trend: Trend) -> str:
    """What the region whose trend it is is called."""
    trending = trend.trending[OF_GROUP]
    assert trending is not None
    return trending.region_name


def weight_of(act: Act) -> float:
    weight = float(TABLE[act.type])
    return weight * act.portion if act.type in (EventType.READ, EventType.WATCH) and act.portion == act.portion else weight


def slow_count(acts: list[Act], asked: Asked, *, since: int) -> tuple[dict[int, float], dict[int, set[int]]]:
    """Weight and people of each item: the strongest event of each person, item and day, the first of equal ones."""
    best: dict[tuple[int, int, int], tuple[float, int]] = {}
    for act in acts:
        inside = act.region == asked.region or act.region.startswith(asked.region + "-") or not asked.region
        inside &= not asked.segment or asked.segment in [name.strip() for name in act.segment.split(",")]
        counts = Consent.TRAIN in act.consent and act.type not in (EventType.IMPRESSION, EventType.DISLIKE, EventType.HIDE)
        start = max(since, NOW - asked.window_us if asked.window_us else since)
        if inside and counts and act.at >= start and weight_of(act) > 0:
            key = (act.item, act.person, act.at // DAY_US)
            best[key] = max(best.get(key, (0.0, 0)), (weight_of(act), -act.at))
    sums: dict[int, float] = defaultdict(float)
    people: dict[int, set[int]] = defaultdict(set)
    for (item, person, _), (weight, minus_at) in best.items():
        age = max(NOW + minus_at, 0)
        sums[item] += weight * (0.5 ** (age / asked.half_life_us) if asked.half_life_us else 1.0)
        people[item].add(person)
    return sums, people


acts = st.builds(
    Act,
    person=st.integers(1, 6),
    item=st.integers(1, 5),
    at=st.integers(NOW - 8 * DAY_US, NOW + 300_000_000) | st.sampled_from([NOW, NOW - HOUR, NOW - DAY_US, NOW - WEEK]),
    type=st.sampled_from(EventType),
    region=st.sampled_from(["", "FR", "FR-ARA", "FR-ARA-69", "FRA", "DE"]),
    segment=st.sampled_from(["", "new", "new, loyal", "loyal,old", "newer"]),
    consent=st.sampled_from([Consent.ALL, Consent.NONE, Consent.TRAIN, Consent.PERSONALISE | Consent.MEASURE]),
    portion=st.sampled_from([NAN, 0.0, 0.3, 1.0]),
)
wishes = st.builds(
    Asked,
    window_us=st.sampled_from([0, 60_000_000, HOUR, DAY_US, WEEK]),
    half_life_us=st.sampled_from([0, HOUR, 3 * DAY_US]),
    region=st.sampled_from(["", "FR", "FR-ARA", "DE", "XX"]),
    segment=st.sampled_from(["", "new", "loyal", "none"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(acts, max_size=40), st.lists(acts, max_size=25), wishes, st.integers(1, 3))
@example([], [], Asked(region="FR"), 1)
def test_a_trend_is_what_a_slow_plain_count_says(before: list[Act], after: list[Act], asked: Asked, of_item: int) -> None:
    events = events_of(before).joined([batch_of(after)], since=NOW - WEEK, limit=LARGE)
    trend = asked_of(events, asked, people=0, of_item=of_item)
    both, since = [*before, *after], NOW - WEEK

    # With nobody needed, even an empty group does, as long as anybody ever named it.
    group = Asked(asked.window_us, asked.half_life_us, trend.region, trend.segment)
    theirs, people = slow_count(both, group, since=since)
    whole, _ = slow_count(both, Asked(asked.window_us, asked.half_life_us), since=since)
    is_group = bool(trend.region or trend.segment)
    enough = {item for item in theirs if is_group and theirs[item] > 0 and len(people[item]) >= of_item}

    assert set(trend.numbers.tolist()) == {item for item, weight in whole.items() if weight > 0}
    assert {item for item, level in zip(trend.numbers.tolist(), trend.levels.tolist(), strict=True) if level == OF_GROUP} == enough
    assert trend.levels.tolist() == sorted(trend.levels.tolist(), reverse=True)
    for level, sums in ((OF_GROUP, theirs), (OF_ALL, whole)):
        counted = [sums[item] for item in trend.numbers[trend.levels == level].tolist()]
        assert counted == pytest.approx(sorted(counted, reverse=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(acts, max_size=60), st.lists(st.integers(0, 60), max_size=4), wishes)
def test_it_does_not_matter_in_how_many_batches_events_come(acts: list[Act], cuts: list[int], asked: Asked) -> None:
    once = events_of(acts)
    ends = sorted({0, len(acts), *[min(cut, len(acts)) for cut in cuts]})
    parts = RecentEvents.none()
    for start, end in pairwise(ends):
        parts = parts.joined([batch_of(acts[start:end])], since=NOW - WEEK, limit=LARGE)
    assert len(parts) == len(once)
    ours, theirs = asked_of(parts, asked), asked_of(once, asked)
    assert ours.numbers.tolist() == theirs.numbers.tolist()
    assert (ours.levels.tolist(), ours.region, ours.segment) == (theirs.levels.tolist(), theirs.region, theirs.segment)


def test_events_stand_by_item_then_person_then_time() -> None:
    rng = np.random.default_rng(0)
    events = RecentEvents.none()
    for _ in range(5):
        acts = [Act(int(p), int(i), NOW - int(t)) for p, i, t in rng.integers(1, 9, (50, 3))]
        events = events.joined([batch_of(acts)], since=0, limit=LARGE)
    rows = list(zip(*(getattr(events.columns, name).tolist() for name in ("item", "person", "at")), strict=True))
    assert len(rows) == 250
    assert rows == sorted(rows)


def test_who_does_not_allow_to_be_learnt_from_is_not_counted() -> None:
    refused = [Consent.NONE, Consent.PERSONALISE, Consent.MEASURE, Consent.PERSONALISE | Consent.MEASURE]
    acts = [Act(person, 1, consent=consent, region="FR") for person, consent in enumerate(refused, start=1)]
    assert len(events_of(acts)) == 0
    # They do not make a group large enough either.
    trend = asked_of(events_of([*acts, Act(9, 2, region="FR")]), Asked(region="FR"), people=2)
    assert (trend.region, trend.numbers.tolist()) == ("", [2])


def test_a_region_is_its_parts_and_not_what_begins_alike() -> None:
    assert wider("FR-ARA-69") == ["FR-ARA-69", "FR-ARA", "FR", ""]
    assert wider("") == [""]
    names = ["", "FR", "FR-ARA", "FRA", "fr", "FR-ARA-69", "F"]
    assert Regions(names).within("FR").tolist() == [False, True, True, False, False, True, False]
    assert Regions(names).within("").all()
    assert not Regions(names).within("FR-").any()
    assert Segments(["", "new", "loyal,new", "newer"]).holding("new").tolist() == [False, True, True, False]
    assert Segments(["", "new"]).holding("").all()
    assert not Segments(["", "new"]).holding("old").any()


@given(st.lists(st.text("FRA-.,x", max_size=6), unique=True, max_size=30), st.text("FRA-.,x", min_size=1, max_size=4))
def test_what_lies_in_a_region_or_holds_a_segment_is_what_looking_at_every_name_says(names: list[str], wanted: str) -> None:
    assert Regions(names).within(wanted).tolist() == [name == wanted or name.startswith(wanted + "-") for name in names]
    assert Segments(names).holding(wanted).tolist() == [wanted in name.split(",") for name in names]


def test_the_same_segments_are_one_name_however_they_are_put() -> None:
    acts = [Act(place, 1, segment=name) for place, name in enumerate(["new,loyal", "loyal, new", " new ,loyal,new,", " , ", ""], start=1)]
    events = events_of(acts)
    assert events.segments == ("", "loyal,new")
    assert events.columns.segment.tolist() == [1, 1, 1, 0, 0]
    assert asked_of(events, Asked(segment="new"), people=3).segment == "new"


def test_groups_are_tried_from_narrow_to_wide() -> None:
    assert list(groups_to_try("FR-ARA", "new")) == [("FR-ARA", "new"), ("FR", "new"), ("", "new"), ("FR-ARA", ""), ("FR", ""), ("", "")]
    assert list(groups_to_try("", "")) == [("", "")]


def people(count: int, item: int, *, first: int = 1, **what: object) -> list[Act]:
    return [Act(person, item, **what) for person in range(first, first + count)]  # type: ignore[arg-type]


def test_a_group_needs_so_many_different_people() -> None:
    lyon = people(4, 7, region="FR-ARA-69") + [Act(1, 7, NOW - 2 * HOUR, region="FR-ARA-69")] * 30
    elsewhere = people(9, 8, first=50, region="DE")
    events = events_of([*lyon, *elsewhere])
    asked = Asked(window_us=DAY_US, region="FR-ARA-69", region_name="Lyon")

    enough = asked_of(events, asked, people=4)
    assert (enough.region, name_of(enough), enough.numbers.tolist(), enough.degraded) == ("FR-ARA-69", "Lyon", [7, 8], ())
    assert enough.levels.tolist() == [OF_GROUP, OF_ALL]

    too_few = asked_of(events, asked, people=5)
    assert (too_few.region, name_of(too_few)) == ("", "")
    assert too_few.numbers.tolist() == [8, 7]
    assert too_few.degraded == (Degradation("region", "too_few_people"),)


def test_too_small_a_region_gives_way_to_the_next_wider_one() -> None:
    events = events_of(people(2, 1, region="FR-ARA-69") + people(3, 2, first=10, region="FR-ARA") + people(9, 3, first=20))
    trend = asked_of(events, Asked(region="FR-ARA-69", region_name="Lyon"), people=5)
    assert (trend.region, name_of(trend), trend.numbers.tolist()) == ("FR-ARA", "FR-ARA", [2, 1, 3])
    assert trend.degraded == (Degradation("region", "too_few_people"),)


def test_a_segment_holds_on_longer_than_a_region_and_both_are_told() -> None:
    acts = (
        people(3, 1, region="FR", segment="new") + people(3, 2, first=10, region="DE", segment="new") + people(4, 3, first=20, region="FR")
    )
    events = events_of(acts)
    found = {needed: asked_of(events, Asked(region="FR", segment="new"), people=needed) for needed in (3, 6, 7, 8)}
    assert {needed: (trend.region, trend.segment) for needed, trend in found.items()} == {
        3: ("FR", "new"),
        6: ("", "new"),
        7: ("FR", ""),
        8: ("", ""),
    }
    told = {needed: [entry.what for entry in trend.degraded] for needed, trend in found.items()}
    assert told == {3: [], 6: ["region"], 7: ["segment"], 8: ["region", "segment"]}


def test_people_outside_of_the_window_do_not_make_a_group_large_enough() -> None:
    events = events_of(people(9, 1, region="FR", at=NOW - 2 * HOUR) + people(2, 2, region="FR", at=NOW - 1))
    assert asked_of(events, Asked(DAY_US, region="FR"), people=9).region == "FR"
    assert asked_of(events, Asked(HOUR, region="FR"), people=3).region == ""
    assert asked_of(events, Asked(HOUR, region="FR"), people=2).numbers.tolist() == [2]


def test_an_item_of_too_few_people_of_the_group_is_ranked_by_everybody() -> None:
    acts = people(2, 1, region="FR", type=EventType.PURCHASE) + people(3, 2, region="FR") + people(9, 3, first=40) + people(1, 4, first=60)
    trend = asked_of(events_of(acts), Asked(region="FR"), people=3, of_item=3)
    assert trend.levels.tolist() == [OF_GROUP, OF_ALL, OF_ALL, OF_ALL]
    assert trend.numbers.tolist()[0] == 2
    assert trend.numbers.tolist()[-1] == 4


def test_an_unknown_region_is_an_empty_group_and_no_error() -> None:
    trend = asked_of(events_of(people(5, 1)), Asked(region="Atlantis", segment="mermaids"), people=1)
    assert (trend.region, trend.segment, trend.numbers.tolist()) == ("", "", [1])
    assert len(trend.degraded) == 2
    nothing = asked_of(RecentEvents.none(), Asked(DAY_US, region="Atlantis"))
    assert (nothing.numbers.tolist(), nothing.degraded) == ([], (Degradation("region", "too_few_people"),))


def test_with_a_half_life_what_is_new_counts_more() -> None:
    events = events_of(people(3, 1, at=NOW - 3 * DAY_US) + people(2, 2, first=30, at=NOW - HOUR))
    assert asked_of(events, Asked()).numbers.tolist() == [1, 2]
    assert asked_of(events, Asked(half_life_us=DAY_US)).numbers.tolist() == [2, 1]


def test_ties_are_broken_by_number() -> None:
    assert asked_of(events_of([Act(1, item) for item in (9, 3, 7)]), Asked()).numbers.tolist() == [3, 7, 9]


def test_of_too_many_events_the_newest_stay_and_a_window_that_reaches_further_says_so() -> None:
    events = events_of([Act(person, person, NOW - person * HOUR) for person in range(1, 11)], limit=4)
    assert len(events) == 4
    assert sorted(events.columns.item.tolist()) == [1, 2, 3, 4]
    assert asked_of(events, Asked(4 * HOUR)).degraded == ()
    assert asked_of(events, Asked(WEEK)).degraded == (Degradation("window", "too_many_events"),)
    later = events.joined([batch_of([Act(1, 99, NOW)])], since=NOW - WEEK, limit=4)
    assert len(later) == 4
    assert sorted(later.columns.item.tolist()) == [1, 2, 3, 99]


def test_of_events_of_one_time_no_more_than_allowed_stay() -> None:
    assert len(events_of(people(10, 1, at=NOW), limit=4)) == 4


def test_reading_from_the_newest_on_stops_when_there_are_enough() -> None:
    read = 0

    def batches() -> object:
        nonlocal read
        for day in range(5):
            read += 1
            yield batch_of([Act(person, day + 1, NOW - day * DAY_US - person) for person in range(1, 11)])

    events = RecentEvents.none().joined(batches(), since=NOW - WEEK, limit=15)  # type: ignore[arg-type]
    assert (read, len(events)) == (3, 15)
    assert asked_of(events, Asked(HOUR)).degraded == ()
    assert asked_of(events, Asked(2 * DAY_US)).degraded == (Degradation("window", "too_many_events"),)
    whole = RecentEvents.none().joined(batches(), since=NOW - WEEK, limit=LARGE)  # type: ignore[arg-type]
    assert (len(whole), whole.since) == (50, NOW - WEEK)


def test_what_was_reported_late_does_not_hide_what_happened_later_on_the_day_that_is_read_last() -> None:
    day = NOW // DAY_US * DAY_US
    read = 0

    def batches() -> object:
        """Today, and yesterday from its last report on: events of its morning were uploaded behind those of its evening."""
        nonlocal read
        for acts in (
            [Act(1, 1, day + 5)],
            [Act(person, 2, day - DAY_US + person) for person in range(1, 5)],
            [Act(person, 3, day - DAY_US + 100 + person) for person in range(1, 5)],
            [Act(person, 4, day - 100 + person) for person in range(1, 5)],
            [Act(1, 5, day - DAY_US - 1)],
            [Act(1, 6, day - 2 * DAY_US - 1)],
        ):
            read += 1
            yield batch_of(acts)

    events = RecentEvents.none().joined(batches(), since=NOW - WEEK, limit=5)  # type: ignore[arg-type]
    assert (read, sorted(events.columns.item.tolist())) == (5, [1, 4, 4, 4, 4])
    assert day - DAY_US + 104 < events.since <= day - 99
    read = 0
    more = RecentEvents.none().joined(batches(), since=NOW - WEEK, limit=13)  # type: ignore[arg-type]
    assert (read, sorted(more.columns.item.tolist())) == (5, [1] + [2] * 4 + [3] * 4 + [4] * 4)
    assert more.since == day - DAY_US


Report = tuple[int, int, int]
"""An event: how many days back, the hour and the person."""
reports = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(1, 4)), max_size=50)


@settings(max_examples=300, deadline=None)
@given(reports, reports, st.integers(1, 25), st.integers(1, 7))
def test_all_that_happened_since_what_is_told_is_there(before: list[Report], after: list[Report], limit: int, size: int) -> None:
    day, since = NOW // DAY_US, NOW - WEEK

    def newest_first(made: list[Report]) -> list[pa.RecordBatch]:
        """In batches as the store reads them."""
        batches = []
        for ago in range(4):
            acts = [Act(person, ago + 1, (day - ago) * DAY_US + hour * HOUR) for back, hour, person in reversed(made) if back == ago]
            batches += [batch_of(acts[start : start + size]) for start in range(0, len(acts), size)]
        return batches

    events = RecentEvents.none()
    for made in (before, after):
        events = events.joined(newest_first(made), since=since, limit=limit)
    there = sorted(zip(events.columns.at.tolist(), events.columns.person.tolist(), strict=True))
    happened = sorted(((day - back) * DAY_US + hour * HOUR, person) for back, hour, person in [*before, *after])
    assert len(there) <= limit
    assert [each for each in there if each[0] >= events.since] == [each for each in happened if each[0] >= events.since]
    if len(happened) <= limit:
        assert (len(there), events.since) == (len(happened), since)


def test_events_grow_old() -> None:
    events = events_of(people(3, 1, at=NOW - 6 * DAY_US) + people(2, 2))
    later = events.joined([], since=NOW - 5 * DAY_US, limit=LARGE)
    assert later.columns.item.tolist() == [2, 2]


def test_names_beyond_the_limit_are_of_no_group_and_those_out_of_use_make_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "NAMES_LIMIT", 6)
    old = [Act(person, 1, NOW - 6 * DAY_US, region=f"old-{person}") for person in range(1, 9)]
    events = events_of(old)
    assert events.regions == ("", "old-1", "old-2", "old-3", "old-4", "old-5")
    assert events.columns.region.tolist() == [1, 2, 3, 4, 5, 0, 0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        "no more than 6 different values of region in contexts are told apart: further ones are of no group"
    ]
    assert len(events.joined([batch_of(old)], since=NOW - WEEK, limit=LARGE)) == 16
    # Once: they are looked for every few seconds.
    assert len(caplog.records) == 1
    later = events.joined([], since=NOW - DAY_US, limit=LARGE)
    assert later.regions == ("",)
    again = later.joined([batch_of(people(2, 3, region="FR"))], since=NOW - DAY_US, limit=LARGE)
    assert asked_of(again, Asked(region="FR"), people=2).region == "FR"


@pytest.mark.parametrize("needed", [1, 20, 1_000])
def test_people_are_told_apart_whatever_their_numbers(needed: int) -> None:
    rng = np.random.default_rng(needed)
    numbers = np.unique(rng.integers(1, 2**32 - 1, needed + 50))[:needed]
    events = events_of([Act(int(number), 1, region="FR") for number in numbers])
    assert asked_of(events, Asked(region="FR"), people=needed).region == "FR"
    assert asked_of(events, Asked(region="FR"), people=needed + 1).region == ""
