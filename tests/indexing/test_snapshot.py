"""What a build reads of the store is what a feed reads of it."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path

import numpy as np
from worlds import NOW, fill_store

from indexing.snapshot import read_snapshot
from recommender.events import WITH_PORTION, Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.profile import EventWeights
from recommender.store import open_store

ANN = Subject.user("ann")


def test_a_build_sees_the_very_events_that_a_persons_history_holds(tmp_path: Path) -> None:
    shapes = [
        (kind, value, portion)
        for kind, value, portion in product(EventType, (None, 0.0, 0.5, 4.0), (None, 0.0, 0.25))
        if kind is not EventType.IMPRESSION and (portion is None or kind in WITH_PORTION)
    ]
    events = [
        Event(
            f"e{place}",
            kind,
            ANN,
            "a",
            at=NOW - timedelta(minutes=place),
            value=value,
            portion=portion,
            custom="zoom" if kind is EventType.CUSTOM else "",
        )
        for place, (kind, value, portion) in enumerate(shapes)
    ]
    with open_store(fill_store(tmp_path, [Item("a", ItemKind.ARTICLE)], events).store_path) as store:
        table = read_snapshot(store).events
        history = store.read_person(ANN).person.history
    ((_, read),) = table.by_person().items()
    assert len(read) == len(events)
    for name in ("item", "type", "at", "value"):
        np.testing.assert_array_equal(read[name], history[name], err_msg=name)


def test_the_value_of_a_read_weighs_nothing_in_or_out_and_its_portion_does(tmp_path: Path) -> None:
    weights = EventWeights(read=2.0)
    given = [{"value": 0.0}, {"value": 0.5}, {"value": 4.0}, {}, {"portion": 0.25, "value": 4.0}, {"portion": 0.0}]
    events = [
        Event(f"e{place}", EventType.READ, ANN, "a", at=NOW - timedelta(minutes=len(given) - place), **fields)
        for place, fields in enumerate(given)
    ]
    with open_store(fill_store(tmp_path, [Item("a", ItemKind.ARTICLE)], events).store_path) as store:
        table = read_snapshot(store).events
    assert table.weights(weights).tolist() == [2.0, 2.0, 2.0, 2.0, 0.5, 0.0]


def test_a_build_sees_linked_people_as_the_one_whom_their_feeds_are_made_for(tmp_path: Path) -> None:
    who = [Subject.session("visit"), ANN, Subject.user("ann's other account")]
    events = [
        Event(f"e{place}", EventType.CLICK, who[place % 3], f"i{place % 5}", at=NOW - timedelta(minutes=7 * place % 31))
        for place in range(30)
    ]
    items = [Item(f"i{place}", ItemKind.ARTICLE) for place in range(5)]
    with open_store(fill_store(tmp_path, items, events).store_path) as store:
        before = store.change_sequence()
        store.link_session("visit", "ann")
        store.merge_users("ann's other account", "ann")
        table = read_snapshot(store).events
        history = store.read_person(ANN).person.history
        apart = read_snapshot(store, upto=before).events
    ((_, read),) = table.by_person().items()
    assert len(read) == 30
    for name in ("item", "type", "at", "value"):
        np.testing.assert_array_equal(read[name], history[name], err_msg=name)
    # A build that goes on as of an earlier point of the store sees what it saw then.
    assert len(apart.by_person()) == 3
