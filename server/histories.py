"""Answers with lists from one's own history: nothing is ranked but by what the person did, and nothing is shown that may not be."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from recommender.asker import Asker
from recommender.engine import Recommender
from recommender.events import Consent
from recommender.feeds import NAMED, Basis, Query, ReasonKind, Reasons
from recommender.history_lists import Entries, HistoryList, entries_of
from recommender.served_query import AS_BUILT
from recommender.times import to_micros
from recommender.tokens import NO_SOURCE
from recommender.v1 import event_pb2, feed_pb2
from server.answering import Decided, Shown, answer_bytes, answer_info, field_bytes, ranked_items
from server.asking import audience_of, meet, numbers_of
from server.deciding import Tools, count_answer
from server.decisions import Served
from server.reading import Wanted, consent_of, enum_of, subject_of

METHOD = "GetHistory"

CONSUMPTIONS = 3
"""Number of the field `consumptions` in the answer."""

_REASONS = {
    HistoryList.RECENT: ReasonKind.CONSUMED,
    HistoryList.CONTINUE: ReasonKind.STARTED,
    HistoryList.AGAIN: ReasonKind.DUE,
}


def history_answer(tools: Tools, request: feed_pb2.GetHistoryRequest) -> bytes:
    """The list that is asked for, in the wire format. Raises `InvalidInput` naming the field, and what the store raises."""
    now, offered = tools.now(), tools.offered.now
    wanted = Wanted.of(request, offered.placements)
    listed = enum_of(HistoryList, request.list, "list")
    consent = consent_of(request.consent) if request.HasField("consent") else None
    asker, engine = meet(tools.store, tools.live, subject_of(request.subject), consent, tools.consent_default)
    excluded, unknown = numbers_of(engine, wanted.exclude_ids)
    # What was consumed is what is asked for: only what may not be shown at all is left out.
    limits = Query(
        placement=wanted.placement,
        size=wanted.page_size,
        dismissed=asker.dismissed,
        exclude=tuple(excluded.tolist()),
        kinds=wanted.kinds,
        language=wanted.context.language,
        filter=wanted.filter,
        region=wanted.context.region,
        muted=wanted.context.muted,
        audience=audience_of(asker, wanted.context),
    )
    entries = entries_of(asker.history, listed, to_micros(now))
    entries = entries.among(engine.eligible(limits, entries.numbers, now=now))
    eligible, entries = len(entries.numbers), entries.first(wanted.page_size)

    name = wanted.placement.name
    decided = Decided(tools.new_id(), name, offered.placements.versions[name], engine.generation_id, _basis(asker))
    shown = _shown(entries, _REASONS[listed])
    tools.decisions.note(_served(decided, asker, engine, shown, now))
    count_answer(tools.metrics, METHOD, decided.basis, ())
    items = ranked_items(engine, tools.signer, decided, shown, explain=False)
    consumptions = [field_bytes(CONSUMPTIONS, message.SerializeToString()) for message in _consumptions(entries)]
    return answer_bytes(items, answer_info(decided, unknown=unknown, eligible=eligible)) + b"".join(consumptions)


def _basis(asker: Asker) -> Basis:
    """What a list rests on: the history, where there is one and it may be used."""
    if Consent.PERSONALISE not in asker.consent or not len(asker.history):
        return Basis.CONTEXTUAL
    return Basis.PERSONAL if asker.is_user else Basis.SESSION


def _served(decided: Decided, asker: Asker, engine: Recommender, shown: Shown, now: datetime) -> Served:
    """The served record. A list of what was done is not made again by ranking anything, so that no query is kept."""
    return Served(
        decision_id=decided.decision_id,
        at=now,
        subject=asker.recorded_as,
        query=None,
        made=AS_BUILT,
        placement=decided.placement,
        placement_version=decided.placement_version,
        generation_id=decided.generation_id,
        profile=engine.profile_hash,
        basis=decided.basis,
        seed=0,
        change=engine.change,
        numbers=shown.numbers,
        sources=shown.sources,
        probabilities=shown.probabilities,
    )


def _shown(entries: Entries, kind: ReasonKind) -> Shown:
    k = len(entries.numbers)
    none, zeros = np.full((k, NAMED), -1, dtype=np.int64), np.zeros(k, dtype=np.uint8)
    return Shown(
        positions=np.arange(k),
        numbers=entries.numbers,
        sources=np.full(k, NO_SOURCE, dtype=np.uint8),
        probabilities=np.ones(k, dtype=np.float32),
        marks=zeros,
        reasons=Reasons(np.full(k, kind, dtype=np.uint8), zeros, entries.types, none, np.zeros(k, dtype=np.float32)),
        scores=entries.scores,
    )


def _consumptions(entries: Entries) -> list[feed_pb2.Consumption]:
    made = []
    for at, kind, portion, times in zip(*(column.tolist() for column in entries[1:5]), strict=True):
        message = feed_pb2.Consumption(last_type=event_pb2.EventType.ValueType(kind), times=times)
        message.last_at.FromMicroseconds(at)
        # NaN where there is none.
        if portion == portion:
            message.portion = portion
        made.append(message)
    return made
