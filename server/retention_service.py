"""RetentionService: shows what the rules of the settings let go, and lets it go, a few seconds at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import grpc

from recommender.generation import Generations
from recommender.generation.writer_lock import writer_lock
from recommender.retention import DECISIONS, EVENTS, REFUSED, SESSIONS, UNFINISHED, Expiring, Rules, apply, due
from recommender.store import Store
from recommender.v1 import retention_pb2, retention_pb2_grpc

APPLY_S = 2.0
"""Seconds after which a call begins no further step: it holds a thread, and callers do not wait for ever."""

_RULES = {
    EVENTS: retention_pb2.RETENTION_RULE_EVENTS,
    SESSIONS: retention_pb2.RETENTION_RULE_SESSIONS,
    DECISIONS: retention_pb2.RETENTION_RULE_DECISIONS,
    REFUSED: retention_pb2.RETENTION_RULE_REFUSED,
    UNFINISHED: retention_pb2.RETENTION_RULE_UNFINISHED,
}


class RetentionService(retention_pb2_grpc.RetentionServiceServicer):
    """Works beside everything else that the server does."""

    def __init__(self, store: Store, generations: Generations, rules: Rules, now: Callable[[], datetime]) -> None:
        self._store = store
        self._generations = generations
        self._rules = rules
        self._now = now

    def PreviewRetention(
        self, request: retention_pb2.PreviewRetentionRequest, context: grpc.ServicerContext
    ) -> retention_pb2.PreviewRetentionResponse:
        """What would go now."""
        found = due(self._store, self._generations, self._rules, now=self._now())
        return retention_pb2.PreviewRetentionResponse(expiring=_messages(found.expiring), notes=found.notes)

    def ApplyRetention(
        self, request: retention_pb2.ApplyRetentionRequest, context: grpc.ServicerContext
    ) -> retention_pb2.ApplyRetentionResponse:
        """Let it go, or a part of it."""
        now, end = self._now(), time.monotonic() + APPLY_S
        with writer_lock(self._generations.root, now=now, what="retention"):
            gone = apply(self._store, self._generations, self._rules, now=now, more=lambda: time.monotonic() < end)
        return retention_pb2.ApplyRetentionResponse(expired=_messages(gone.expiring), notes=gone.notes, complete=gone.complete)


def _messages(told: Sequence[Expiring]) -> list[retention_pb2.Expiring]:
    return [
        retention_pb2.Expiring(
            rule=_RULES[each.rule],
            days=each.days,
            count=each.count,
            kept=each.kept,
            partitions=each.partitions,
            bytes=each.bytes,
            oldest="" if each.oldest is None else each.oldest.isoformat(),
            newest="" if each.newest is None else each.newest.isoformat(),
            ids=each.ids,
        )
        for each in told
    ]
