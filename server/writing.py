"""Writes the domain's types as protobuf messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from recommender.client.messages import item_message
from recommender.generation import Manifest
from recommender.generation.build_progress import BuildProgress, BuildState
from recommender.generation.difference import Changed, GenerationDiff
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
BUILD_STATE = {
    BuildState.RUNNING: generation_pb2.BUILD_STATE_RUNNING,
    BuildState.PUBLISHED: generation_pb2.BUILD_STATE_PUBLISHED,
    BuildState.REFUSED: generation_pb2.BUILD_STATE_REFUSED,
    BuildState.UNCHANGED: generation_pb2.BUILD_STATE_UNCHANGED,
    BuildState.FAILED: generation_pb2.BUILD_STATE_FAILED,
    BuildState.DIED: generation_pb2.BUILD_STATE_DIED,
}


def stored_item_message(stored: StoredItem, *, ready: bool) -> catalog_pb2.StoredItem:
    """A stored item, and whether feeds know it as it is."""
    updated_at = Timestamp()
    updated_at.FromDatetime(stored.updated_at)
    return catalog_pb2.StoredItem(
        item=item_message(stored.item), state=types_pb2.ItemState.ValueType(stored.state), updated_at=updated_at, ready=ready
    )


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


def diff_message(diff: GenerationDiff, *, active: str | None) -> generation_pb2.DiffGenerationsResponse:
    """Two generations side by side; `active` is the id of the one that is."""
    return generation_pb2.DiffGenerationsResponse(
        before=generation_message(diff.before, active=diff.before.id == active, full=True),
        after=generation_message(diff.after, active=diff.after.id == active, full=True),
        settings=_changes(diff.settings),
        libraries=_changes(diff.libraries),
        added=_items(diff.added),
        removed=_items(diff.removed),
        changed=_items(diff.changed),
        embedded=_items(diff.embedded),
    )


def _changes(changes: Mapping[str, tuple[Any, Any]]) -> list[generation_pb2.ValueChange]:
    return [
        generation_pb2.ValueChange(
            name=name, before="" if ours is None else json.dumps(ours), after="" if theirs is None else json.dumps(theirs)
        )
        for name, (ours, theirs) in changes.items()
    ]


def _items(items: Changed) -> generation_pb2.ItemChanges:
    return generation_pb2.ItemChanges(count=items.count, item_ids=items.ids)


def build_message(progress: BuildProgress) -> generation_pb2.WatchBuildResponse:
    """How far a build is."""
    started_at, updated_at = Timestamp(), Timestamp()
    started_at.FromDatetime(progress.started_at)
    updated_at.FromDatetime(progress.updated_at)
    return generation_pb2.WatchBuildResponse(
        build=progress.build,
        sequence=progress.sequence,
        state=BUILD_STATE[progress.state],
        owner=progress.owner,
        started_at=started_at,
        updated_at=updated_at,
        stage=progress.stage,
        done=progress.done,
        total=progress.total,
        finished=[generation_pb2.FinishedStage(name=took.name, seconds=took.seconds, resumed=took.resumed) for took in progress.finished],
        generation_id=progress.generation,
        message=progress.message,
    )
