"""The method Search: items by what somebody typed."""

from __future__ import annotations

import grpc

from recommender.asker import Asker
from recommender.feeds import Query
from recommender.stages import reached
from recommender.v1 import feed_pb2
from server.answering import Shown, answer_bytes, answer_info, ranked_items
from server.asking import Moment, audience_of, meet, numbers_of
from server.deciding import Tools, decide
from server.reading import Wanted, consent_of, query_of, subject_of


def search(tools: Tools, request: feed_pb2.SearchRequest, context: grpc.ServicerContext) -> bytes:
    """The bytes of a SearchResponse.

    Whoever types a name wants the item, whatever they did with it before: what was consumed or dismissed is not left out. Raises
    `InvalidInput` naming the field, and what the engine raises.
    """
    now, offered = tools.now(), tools.offered.now
    text = query_of(request.query)
    wanted = Wanted.of(request, offered.placements)
    consent = consent_of(request.consent) if request.HasField("consent") else None
    reached("request")
    if request.HasField("subject"):
        asker, engine = meet(tools.store, tools.live, subject_of(request.subject), consent, tools.consent_default)
    else:
        asker, engine = Asker.nobody(consent), tools.live.newest()
    reached("person")
    moment = Moment.of(wanted.context, engine)
    excluded, unknown = numbers_of(engine, wanted.exclude_ids)
    query = Query(
        placement=offered.found[wanted.placement.name],
        size=wanted.page_size,
        history=moment.joined(asker.history, now),
        exclude=tuple(excluded.tolist()),
        kinds=wanted.kinds,
        language=wanted.context.language,
        region=wanted.context.region,
        muted=wanted.context.muted,
        filter=wanted.filter,
        reasons=wanted.page_size,
        audience=audience_of(asker, wanted.context),
        text=text,
    )
    decided, feed = decide(tools, offered, "Search", engine, query, asker, moment, context, now)
    items = ranked_items(engine, tools.signer, decided, Shown.first(feed, len(feed.numbers)), explain=request.explain)
    reached("items")
    info = answer_info(
        decided,
        unknown=[*unknown, *moment.unknown],
        degraded=feed.degraded,
        retrieval_mode=feed.retrieval_mode,
        eligible=feed.eligible,
        broken=feed.broken,
    )
    return answer_bytes(items, info)
