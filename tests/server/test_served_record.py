"""The served record: written off the request path, complete enough to decide again, and silent about who does not want it."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from waiting import soon

from recommender.composing.audience import Audience
from recommender.engine import Recommender
from recommender.events import Consent, EventType, Subject
from recommender.feeds import Basis, Muted, Query, SourceName
from recommender.items import ItemKind
from recommender.people import HISTORY_DTYPE
from recommender.placements import Placement, SourceWeights
from recommender.served_query import MadeWith, decode_query, encode_query
from server.decisions import DecisionWriter, Served
from server.metrics import Metrics

if TYPE_CHECKING:
    from recommender.client import Feed
    from recommender.store import Decision, Store
    from tests.server.conftest import Clock, Deployment, World


def record_of(live: Deployment, feed: Feed) -> Decision:
    """The served record of an answer, after the server has stopped and so written everything."""
    live.server.stop()
    with live.world.open() as store:
        decision = store.get_decision(UUID(feed.decision_id).bytes)
    assert decision is not None
    return decision


def item_ids(store: Store, numbers: np.ndarray) -> list[str]:
    return [stored.item.id for stored in store.get_items_by_number(numbers.tolist())]


def test_a_feed_is_recorded_with_its_whole_slate_once_for_all_pages(live: Deployment) -> None:
    live.act("drama-11", user="ann")
    first = live.client.get_feed(user="ann", page_size=4)
    pages = list(first.pages())

    decision = record_of(live, first)

    with live.world.open() as store:
        assert item_ids(store, decision.numbers) == [item.id for page in pages for item in page.items]
        assert store.counts().decisions == 1
    assert decision.subject == Subject.user("ann")
    assert (decision.placement, decision.placement_version) == (first.placement, first.placement_version)
    assert (decision.generation_id, decision.basis) == (first.generation_id, Basis.PERSONAL)
    assert set(decision.probabilities.tolist()) == {1.0}
    assert decision.seed == int(first.decision_id[:16], 16)


def test_a_decision_can_be_made_again_from_its_record(live: Deployment) -> None:
    for item_id, type in (("drama-11", EventType.CLICK), ("drama-02", EventType.HIDE), ("news-00", EventType.LIKE)):
        live.act(item_id, type, user="ann")
    feed = live.client.get_feed(
        user="ann",
        page_size=6,
        filter="price < 9.0",
        exclude=["comedy-00"],
        language="en",
        current_item="drama-00",
        recent_items=["drama-05"],
    )

    decision = record_of(live, feed)
    query = decode_query(decision.query)
    engine = Recommender.of(live.world.generations.load(decision.generation_id))
    [again] = engine.feeds([query], now=decision.at)

    assert again.numbers.tolist() == decision.numbers.tolist()
    assert again.sources.tolist() == decision.sources.tolist()
    assert engine.profile_hash == decision.profile


def test_every_kind_of_answer_is_recorded_under_its_decision_id(live: Deployment) -> None:
    client = live.client
    answers = [client.get_feed(user="ann"), client.get_similar(["comedy-00"]), client.get_popular(), client.rank(["news-00"], user="ann")]
    answers.append(client.get_similar(["atlantis"]))
    live.server.stop()

    with live.world.open() as store:
        for answer in answers:
            decision = store.get_decision(UUID(answer.decision_id).bytes)
            assert decision is not None
            assert item_ids(store, decision.numbers)[: len(answer.items)] == [item.id for item in answer.items]


@pytest.mark.parametrize("consent", [Consent.NONE, Consent.PERSONALISE | Consent.TRAIN])
def test_the_record_does_not_name_who_does_not_want_to_be_counted(live: Deployment, consent: Consent) -> None:
    live.act("drama-11", user="ann")

    decision = record_of(live, live.client.get_feed(user="ann", consent=consent))

    assert (decision.subject, decision.query) == (None, b"")
    assert len(decision.numbers) == (29 if Consent.PERSONALISE in consent else 30)


def encoded_before(query: Query) -> bytes:
    """The bytes of format 1, as servers wrote them before."""

    def text(data: bytes) -> str:
        return b64encode(data).decode()

    placement = query.placement.model_dump(mode="json")
    placement["kinds"] = sorted(kind.name.lower() for kind in query.placement.kinds)
    record = {
        "format": 1,
        "placement": placement,
        "size": query.size,
        "history": text(query.history.tobytes()),
        "consumed": text(query.consumed.serialize()),
        "dismissed": text(query.dismissed.serialize()),
        "exclude": query.exclude,
        "candidates": None if query.candidates is None else query.candidates.tolist(),
        "kinds": sorted(query.kinds),
        "language": query.language,
        "filter": query.filter,
        "category": query.category,
        "sources": None if query.sources is None else sorted(query.sources),
        "reasons": query.reasons,
        "seeds_are_items": query.seeds_are_items,
    }
    return zlib.compress(json.dumps(record).encode())


@pytest.mark.parametrize("encode", [encode_query, encoded_before])
def test_a_query_survives_its_bytes(encode: Callable[[Query], bytes]) -> None:
    history = np.zeros(2, dtype=HISTORY_DTYPE)
    history["item"], history["type"], history["value"], history["at"] = [3, 2**32 - 1], [5, 6], [np.nan, 0.5], [1, 2]
    query = Query(
        placement=Placement(name="radio", kinds=frozenset({ItemKind.MEDIA}), repeat="allowed", weights=SourceWeights(fresh=(1, 2, 3, 4))),
        size=7,
        history=history,
        exclude=(4, 5),
        candidates=np.array([9, 8], dtype=np.uint32),
        kinds=frozenset({ItemKind.ARTICLE}),
        language="pt-br",
        filter='title == "é"',
        category="c",
        sources=frozenset({SourceName.FRESH, SourceName.CONTENT}),
        reasons=3,
        seeds_are_items=True,
    )
    if encode is encode_query:
        # Formats of before knew nothing of these.
        audience = Audience("user", 3, "pt-br", "PT", ("vip", "new"))
        query = replace(query, audience=audience, region="PT", muted=Muted(("é",), ("c", "d"), ("w x",)), owner="o")
    query.consumed.update([1, 2**31])
    query.dismissed.add(6)

    back = decode_query(encode(query))

    assert back.placement == query.placement
    assert back.placement.version == query.placement.version
    assert back.history.tobytes() == query.history.tobytes()
    assert back.candidates is not None
    assert back.candidates.tolist() == [9, 8]
    assert back.seen.tobytes() == query.seen.tobytes()
    for name in set(Query.__dataclass_fields__) - {"placement", "history", "candidates", "seen"}:
        assert getattr(back, name) == getattr(query, name), name
    plain = decode_query(encode(Query(placement=query.placement, size=1)))
    assert plain.candidates is None
    assert plain.sources is None
    assert not plain.seeds_are_items
    none_asked = decode_query(encode(replace(query, sources=frozenset(), candidates=np.zeros(0, dtype=np.uint32))))
    assert none_asked.sources == frozenset()
    assert none_asked.candidates is not None
    for damaged in (b"other bytes", b"", encode(query)[:-1], b"\x02" + encode(query), encode_query(query) + b"x"):
        with pytest.raises(ValueError, match="not a resolved query"):
            decode_query(damaged)


def served(clock: Clock) -> Served:
    empty = np.zeros(0)
    return Served(
        decision_id=b"0123456789abcdef",
        at=clock(),
        subject=None,
        query=None,
        made=MadeWith(),
        placement="home",
        placement_version="v",
        generation_id="g",
        profile="p",
        basis=3,
        seed=1,
        change=0,
        numbers=empty.astype(np.uint32),
        sources=empty.astype(np.uint8),
        probabilities=empty.astype(np.float32),
    )


def test_records_do_not_wait_for_the_end_to_be_written(world: World, live: Deployment) -> None:
    metrics = Metrics(live.clock)
    with world.open() as store:
        writer = DecisionWriter(store, metrics, limit=10)
        for first in range(3):
            for place in range(3):
                writer.note(served(live.clock)._replace(decision_id=bytes((first, place)) * 8))
            written = 3 * (first + 1)
            assert soon(lambda written=written: store.counts().decisions == written)
        writer.close()

    assert metrics.registry.get_sample_value("recommender_decisions_written_total") == 9


def test_a_full_queue_is_written_at_once_and_what_is_too_much_is_dropped(world: World, live: Deployment) -> None:
    metrics = Metrics(live.clock)
    with world.open() as store:
        writer = DecisionWriter(store, metrics, limit=2)
        for place in range(50):
            writer.note(served(live.clock)._replace(decision_id=bytes((place,)) * 16))
        writer.close()
        written = store.counts().decisions

    assert written >= 2
    assert metrics.registry.get_sample_value("recommender_decisions_dropped_total", {"why": "queue"}) == 50 - written


def test_records_that_find_no_place_are_counted_and_never_wait(world: World, live: Deployment) -> None:
    metrics = Metrics(live.clock)
    with world.open() as store:
        writer = DecisionWriter(store, metrics, limit=1)
        writer.close()
        for _ in range(3):
            writer.note(served(live.clock))

    assert metrics.registry.get_sample_value("recommender_decisions_dropped_total", {"why": "queue"}) == 3


def test_records_that_the_store_refuses_are_counted_and_the_next_ones_written(
    world: World, live: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics(live.clock)
    store = world.open()
    store.close()
    lost = DecisionWriter(store, metrics, limit=10)
    lost.note(served(live.clock))
    lost.close()
    with world.open() as store:
        kept = DecisionWriter(store, metrics, limit=10)
        kept.note(served(live.clock))
        kept.close()
        assert store.get_decision(b"0123456789abcdef") is not None

    assert metrics.registry.get_sample_value("recommender_decisions_dropped_total", {"why": "store"}) == 1
    assert metrics.registry.get_sample_value("recommender_decisions_written_total") == 1
    assert "served records lost" in caplog.text
