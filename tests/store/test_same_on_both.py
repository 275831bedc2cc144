"""A store says the same whichever database it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from postgres_cluster import Cluster

from recommender.errors import AlreadyLinked
from recommender.events import WITH_PORTION, Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind, ItemState
from recommender.store import Decision, Store, open_store

IDS = [*(f"film/{place}" for place in range(40)), "ÄÖ ✓ 'quoted' \"; %s ?", "İstanbul", "b", "B", "á"]


@pytest.fixture
def both(tmp_path: Path, postgres: Cluster) -> Iterator[tuple[Store, Store]]:
    """Two empty stores, on SQLite and on PostgreSQL."""
    url = postgres.new()
    with ExitStack() as stack:
        yield stack.enter_context(open_store(tmp_path / "store.sqlite", create=True)), stack.enter_context(open_store(url, create=True))
    postgres.drop(url)


def an_item(draw: Random, now: datetime) -> Item:
    return Item(
        draw.choice(IDS),
        draw.choice(list(ItemKind)),
        title=draw.choice(["", "%s and ?", "日本 🎬 \\ 'x'", "\t\n"]),
        text="wörd " * draw.randrange(4_000),
        categories=tuple(draw.sample(["a", "b, c", "d"], draw.randrange(3))),
        published_at=draw.choice([None, now - timedelta(microseconds=draw.randrange(10**12))]),
        price=draw.choice([None, 0.1, 1e300, 5e-324, 3]),
        embedding=draw.choice([None, np.array([draw.random(), 1], dtype=np.float32)]),
        attributes=draw.choice([{}, {"minutes": 1e-17, "colour": True, "x": "%"}]),
    )


def an_event(draw: Random, now: datetime) -> Event:
    kind = draw.choice(list(EventType))
    portion = draw.choice([None, 0.1, 1.0]) if kind in WITH_PORTION else None
    return Event(
        f"event-{draw.randrange(4_000)}",
        kind,
        draw.choice([Subject.user, Subject.session])(draw.choice(IDS)),
        draw.choice(IDS),
        at=draw.choice([None, now - timedelta(minutes=draw.randrange(60_000))]),
        value=draw.choice([None, 0.1, -5.0, 1e9]) if portion is None else None,
        portion=portion,
        consent=draw.choice([None, None, Consent.ALL, Consent.NONE, Consent.TRAIN]),
        custom="zoom %s" if kind is EventType.CUSTOM else "",
        token=draw.choice(["", "t?k"]),
        context=draw.choice([{}, {"page": "höme %"}]),
    )


def everything(store: Store) -> str:
    """All events in words, in which what is missing is equal to what is missing."""
    batches = list(store.iter_events(upto=store.change_sequence(), batch=700))
    return str(pa.Table.from_batches(batches).to_pydict())


def linked(store: Store, merging: bool, ids: list[str]) -> object:
    """What linking a session, or merging users, comes to."""
    try:
        return store.merge_users(*ids) if merging else store.link_session(*ids)
    except AlreadyLinked as error:
        return str(error)


def catalogue(store: Store) -> list[tuple[object, ...]]:
    walk = store.iter_items(upto=store.change_sequence(), batch=7)
    return [(*whole(stored.item), stored.number, stored.state, stored.updated_at, stored.change) for batch in walk for stored in batch]


def whole(item: Item) -> tuple[object, ...]:
    embedding = None if item.embedding is None else item.embedding.tobytes()
    fields = [getattr(item, name) for name in item.__dataclass_fields__ if name not in ("embedding", "attributes")]
    return (*fields, embedding, dict(item.attributes))


def test_whatever_is_written_both_answer_and_hold_the_same(both: tuple[Store, Store], now: datetime, decision: Decision) -> None:
    draw = Random(11)
    for step in range(60):
        what, moment = draw.random(), now + timedelta(minutes=step)
        if what < 0.3:
            items = [an_item(draw, now) for _ in range(draw.randrange(1, 6))]
            answers = [store.upsert_items(items, now=moment) for store in both]
        elif what < 0.45:
            ids, state = draw.sample(IDS, 5), draw.choice([ItemState.LIVE, ItemState.HIDDEN])
            answers = [store.set_state(ids, state, now=moment) for store in both]
        elif what < 0.55:
            ids = draw.sample(IDS, 3)
            answers = [store.delete_items(ids, now=moment) for store in both]
        elif what < 0.65:
            pair, merging = draw.sample(IDS, 2), draw.random() < 0.5
            answers = [linked(store, merging, pair) for store in both]
        else:
            events = [an_event(draw, moment) for _ in range(draw.choice([1, 3, 900]))]
            answers = [store.record_events(events, now=moment, consent_default=Consent.MEASURE) for store in both]
        assert answers[0] == answers[1]
    sqlite, postgres = both
    for store in both:
        store.record_decisions([decision])
    assert sqlite.counts() == postgres.counts()
    assert min(sqlite.counts().events, sqlite.counts().sessions, sqlite.counts().items_deleted) > 0
    assert any(store_read.linked for store_read in (sqlite.read_person(subject) for _, subject in sqlite.subjects()))
    assert sqlite.change_sequence() == postgres.change_sequence()
    assert sqlite.catalogue_changes(0) == postgres.catalogue_changes(0)
    assert sqlite.event_days() == postgres.event_days()
    assert everything(sqlite) == everything(postgres)
    assert catalogue(sqlite) == catalogue(postgres)
    assert list(sqlite.subjects()) == list(postgres.subjects())
    for subject in (subject for _, subject in sqlite.subjects()):
        one, other = (store.read_person(subject) for store in both)
        told = [(read.known, read.said, read.change, read.linked, read.person.consent) for read in (one, other)]
        assert told[0] == told[1]
        assert one.person.history.tobytes() == other.person.history.tobytes()
        assert one.person.seen.tobytes() == other.person.seen.tobytes()
        assert (one.person.consumed, one.person.dismissed) == (other.person.consumed, other.person.dismissed)
