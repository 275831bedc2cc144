"""Writes the domain's types as protobuf messages."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from recommender.client.messages import item_message
from recommender.generation import Manifest
from recommender.store import EventOutcome, EventStatus, StoredItem, UpsertStatus
from recommender.v1 import catalog_pb2, event_pb2, generation_pb2, types_pb2

UPSERT_STATUS = {
    UpsertStatus.CREATED: catalog_pb2.UPSERT_STATUS_CREATED,
    UpsertStatus.UPDATED: catalog_pb2.UPSERT_STATUS_UPDATED,
    UpsertStatus.UNCHANGED: catalog_pb2.UPSERT_STATUS_UNCHANGED,
}
EVENT_STATUS = {
    EventStatus.ACCEPTED: event_pb2.EVENT_STATUS_ACCEPTED,
    EventStatus.DUPLICATE: event_pb2.EVENT_STATUS_DUPLICATE,
    EventStatus.REJECTED: event_pb2.EVENT_STATUS_REJECTED,
}


def stored_item_message(stored: StoredItem) -> catalog_pb2.StoredItem:
    """A stored item."""
    updated_at = Timestamp()
    updated_at.FromDatetime(stored.updated_at)
    return catalog_pb2.StoredItem(item=item_message(stored.item), state=types_pb2.ItemState.ValueType(stored.state), updated_at=updated_at)


def event_result_message(outcome: EventOutcome) -> event_pb2.EventResult:
    """What became of one event."""
    return event_pb2.EventResult(event_id=outcome.event_id, status=EVENT_STATUS[outcome.status], message=outcome.message)


def generation_message(manifest: Manifest, *, active: bool, full: bool) -> generation_pb2.Generation:
    """One generation; metrics and checks only where `full`."""
    created_at = Timestamp()
    created_at.FromDatetime(manifest.created_at)
    return generation_pb2.Generation(
        id=manifest.id,
        created_at=created_at,
        active=active,
        passed_gate=manifest.passed,
        parent_id=manifest.parent or "",
        items=manifest.items,
        events=manifest.events,
        watermark=manifest.watermark,
        profile=manifest.profile_hash,
        embedder=manifest.embedder,
        metrics=[generation_pb2.Metric(name=m.name, mean=m.mean, low=m.low, high=m.high) for m in manifest.metrics] if full else [],
        checks=[generation_pb2.GateCheck(name=c.name, passed=c.passed, message=c.message) for c in manifest.checks] if full else [],
        size_bytes=manifest.size_bytes,
    )
