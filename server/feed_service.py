"""FeedService: makes feeds, similar items, what is popular, and orders of given items.

The served record of a feed holds its whole slate and is written with the first page; later pages belong to the same decision,
whose generation and placement version they go on naming.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import grpc
import numpy as np

from recommender.alike_lists import seeds
from recommender.asker import Asker
from recommender.engine import Recommender
from recommender.errors import InvalidInput, InvalidToken
from recommender.events import Consent
from recommender.feeds import Basis, Degradation, Feed, Query, Reasons, SourceName
from recommender.paging import Page, TakenIn, take_page
from recommender.stages import reached
from recommender.times import to_micros
from recommender.v1 import feed_pb2, types_pb2
from server.answering import Decided, Shown, answer_bytes, answer_info, field_bytes, ranked_items
from server.asking import Moment, audience_of, meet, numbers_of
from server.deadlines import seconds_left
from server.deciding import Tools, count_answer, decide
from server.histories import history_answer
from server.reader import Reader
from server.reading import (
    EXCLUDE_LIMIT,
    NO_CONTEXT,
    RANK_LIMIT,
    SEEDS_LIMIT,
    Context,
    Wanted,
    consent_of,
    ids_of,
    label_of,
    subject_of,
    within,
)
from server.reading_trends import asked_of
from server.search_method import search

POPULAR = frozenset({SourceName.POPULAR})

SLATES_LIMIT = 20
FEED_INFO = 3
"""Number of the field `info` in a page of a feed."""


class FeedService:
    """The methods of the service in feed.proto; each answers with the bytes of its message.

    Each call takes the engine once, after reading the person and every change of the catalogue up to that read.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def GetFeed(self, request: feed_pb2.GetFeedRequest, context: grpc.ServicerContext) -> bytes:
        """A personalised feed, page by page."""
        tools, now, offered = self._tools, self._tools.now(), self._tools.offered.now
        wanted = Wanted.of(request, offered.placements)
        subject = subject_of(request.subject)
        consent = consent_of(request.consent) if request.HasField("consent") else None
        reached("request")
        reader = Reader.of(tools, subject, consent, wanted.context, now)
        reached("person")
        query, unknown = reader.query(wanted)
        bound = reader.bound_to(wanted)
        if request.page_token:
            page = tools.signer.read_page(request.page_token, binding=bound, now=now, max_age=tools.page_age)
            if page.basis is not Basis.CONTEXTUAL and Consent.PERSONALISE not in reader.asker.consent:
                given = "a token of a personal feed, which the person no longer allows"
                raise InvalidToken("page_token", given, "none: start again without page_token")
            return self._later_page(page, reader.engine, query, unknown, context, now, explain=request.explain)
        reached("query")
        decided, feed = decide(tools, offered, "GetFeed", reader.engine, query, reader.asker, reader.moment, context, now)
        return self._first_page(reader, bound, decided, feed, wanted.page_size, unknown, explain=request.explain)

    def GetSlates(self, request: feed_pb2.GetSlatesRequest, context: grpc.ServicerContext) -> bytes:
        """Several feeds for one screen, with no item in two of them."""
        tools, now, offered = self._tools, self._tools.now(), self._tools.offered.now
        if not 1 <= len(request.slates) <= SLATES_LIMIT:
            raise InvalidInput("slates", f"{len(request.slates)} slates", f"1 to {SLATES_LIMIT}")
        said = Context.of(request.context) if request.HasField("context") else NO_CONTEXT
        exclude = tuple(ids_of(request.exclude_item_ids, "exclude_item_ids", EXCLUDE_LIMIT))
        slates = []
        for place, slate in enumerate(request.slates):
            with within(f"slates[{place}]"):
                slates.append(Wanted.of_slate(slate, offered.placements, exclude, said))
        consent = consent_of(request.consent) if request.HasField("consent") else None
        reader = Reader.of(tools, subject_of(request.subject), consent, said, now)
        shown: list[int] = []
        made = []
        for place, wanted in enumerate(slates):
            query, unknown = reader.query(wanted, tuple(shown))
            with within(f"slates[{place}]"):
                decided, feed = decide(tools, offered, "GetSlates", reader.engine, query, reader.asker, reader.moment, context, now)
            shown += feed.numbers[: wanted.page_size].tolist()
            made.append((wanted, decided, feed, unknown))
        answers = []
        for wanted, decided, feed, unknown in made:
            # What follows on a later page may not be shown in another slate either.
            kept = np.arange(len(feed.numbers)) < wanted.page_size
            kept |= ~np.isin(feed.numbers, np.array(shown, dtype=np.uint32))
            bound = reader.bound_to(wanted)
            answers.append(self._first_page(reader, bound, decided, feed.at(kept), wanted.page_size, unknown, explain=request.explain))
        return b"".join(field_bytes(1, answer) for answer in answers)

    def _first_page(
        self, reader: Reader, bound: bytes, decided: Decided, feed: Feed, page_size: int, unknown: Sequence[str], *, explain: bool
    ) -> bytes:
        """The first items of a slate that was just decided, and the token of its next page."""
        shown = Shown.first(feed, page_size)
        next_page_token = ""
        if len(feed.numbers) > len(shown.numbers):
            page = Page.of_feed(
                decision_id=decided.decision_id,
                binding=bound,
                issued_at=reader.now,
                generation_id=decided.generation_id,
                placement_version=decided.placement_version,
                offset=len(shown.numbers),
                basis=decided.basis,
                feed=feed,
                newest=reader.engine.catalogue.newest,
            )
            next_page_token = self._tools.signer.sign_page(page)
        reached("page token")
        items = ranked_items(reader.engine, self._tools.signer, decided, shown, explain=explain)
        reached("items")
        return answer_bytes(items, _info(decided, feed, unknown), page_token=next_page_token, info_field=FEED_INFO)

    def _later_page(
        self,
        page: Page,
        engine: Recommender,
        query: Query,
        unknown: Sequence[str],
        context: grpc.ServicerContext,
        now: datetime,
        *,
        explain: bool,
    ) -> bytes:
        """The next items of a slate that was decided before, less those that may not be shown any more."""
        eligible = engine.eligible(query, page.numbers, now=now)
        since = engine.breaking(query, page.newest, page.taken_in, now=now)
        taken_in = TakenIn(since, query.placement.breaking.slots) if len(since) else None
        taken = take_page(page, eligible, query.reasons, taken_in)
        decided = Decided(page.decision_id, query.placement.name, page.placement_version, page.generation_id, page.basis)
        degraded = []
        left = seconds_left(context)
        deadline = None if left is None else time.monotonic() + left
        shown = Shown(taken.positions, taken.numbers, taken.sources, taken.probabilities, taken.marks, reasons=Reasons.none())
        if deadline is not None and time.monotonic() > deadline:
            degraded.append(Degradation("reasons", "deadline"))
        elif len(taken.numbers):
            reasons = engine.reasons(query, taken.numbers, taken.sources, now=now).promoting(taken.marks)
            shown = shown._replace(reasons=reasons)
            if explain:
                shown = _scored(engine, query, shown, now, deadline)
        count_answer(self._tools.metrics, "GetFeed", page.basis, degraded)
        return answer_bytes(
            ranked_items(engine, self._tools.signer, decided, shown, explain=explain),
            answer_info(decided, unknown=unknown, degraded=degraded, eligible=int(np.count_nonzero(eligible))),
            page_token="" if taken.rest is None else self._tools.signer.sign_page(taken.rest),
            info_field=FEED_INFO,
        )

    def GetSimilar(self, request: feed_pb2.GetSimilarRequest, context: grpc.ServicerContext) -> bytes:
        """Items like the given ones."""
        tools, now, offered = self._tools, self._tools.now(), self._tools.offered.now
        wanted = Wanted.of(request, offered.placements)
        liked_ids = ids_of(request.item_ids, "item_ids", SEEDS_LIMIT)
        disliked_ids = ids_of(request.negative_item_ids, "negative_item_ids", SEEDS_LIMIT)
        if not liked_ids:
            raise InvalidInput("item_ids", "none", f"1 to {SEEDS_LIMIT} ids")
        both = sorted(set(liked_ids) & set(disliked_ids))
        if both:
            raise InvalidInput("negative_item_ids", both[0], "ids that are not in item_ids as well")
        consent = consent_of(request.consent) if request.HasField("consent") else None
        if request.HasField("subject"):
            asker, engine = meet(tools.store, tools.live, subject_of(request.subject), consent, tools.consent_default)
        else:
            asker, engine = Asker.nobody(consent), tools.live.newest()
        liked, unknown_liked = numbers_of(engine, liked_ids)
        disliked, unknown_disliked = numbers_of(engine, disliked_ids)
        excluded, unknown = numbers_of(engine, wanted.exclude_ids)
        query = Query(
            placement=offered.alike[wanted.placement.name],
            size=wanted.page_size,
            history=seeds(liked.tolist(), disliked.tolist(), at=to_micros(now)),
            consumed=asker.consumed,
            dismissed=asker.dismissed,
            exclude=tuple(excluded.tolist()),
            kinds=wanted.kinds,
            language=wanted.context.language,
            region=wanted.context.region,
            muted=wanted.context.muted,
            owner=asker.owner(wanted.placement),
            filter=wanted.filter,
            audience=audience_of(asker, wanted.context),
            sources=engine.by_likeness,
            reasons=wanted.page_size,
            seeds_are_items=True,
        )
        decided, feed = decide(tools, offered, "GetSimilar", engine, query, asker, None, context, now)
        shown = Shown.first(feed, len(feed.numbers))
        if request.explain and len(feed.numbers):
            # A list that was made with the generation does not say what each source added.
            shown = _scored(engine, query, shown, now, None)
        items = ranked_items(engine, tools.signer, decided, shown, explain=request.explain)
        return answer_bytes(items, _info(decided, feed, [*unknown_liked, *unknown_disliked, *unknown]))

    def GetPopular(self, request: feed_pb2.GetPopularRequest, context: grpc.ServicerContext) -> bytes:
        """What is popular, overall or in one category, or what trends within a window of time, in a region or with a segment."""
        tools, now, offered = self._tools, self._tools.now(), self._tools.offered.now
        wanted = Wanted.of(request, offered.placements)
        category = label_of(request.category, "category")
        asked = asked_of(request, tools.trends.longest)
        engine = tools.live.newest()
        excluded, unknown = numbers_of(engine, wanted.exclude_ids)
        query = Query(
            placement=wanted.placement,
            size=wanted.page_size,
            exclude=tuple(excluded.tolist()),
            kinds=wanted.kinds,
            language=wanted.context.language,
            region=wanted.context.region,
            muted=wanted.context.muted,
            filter=wanted.filter,
            audience=audience_of(Asker.nobody(), wanted.context),
            category=category,
            sources=POPULAR,
            reasons=wanted.page_size,
            trend=None if asked is None else tools.trends.trend(asked, engine, now),
        )
        decided, feed = decide(tools, offered, "GetPopular", engine, query, Asker.nobody(), None, context, now)
        return self._answer(engine, decided, feed, unknown, explain=False)

    def GetHistory(self, request: feed_pb2.GetHistoryRequest, context: grpc.ServicerContext) -> bytes:
        """A list from one's own history."""
        return history_answer(self._tools, request)

    def Rank(self, request: feed_pb2.RankRequest, context: grpc.ServicerContext) -> bytes:
        """The given items in the order that suits one person."""
        tools, now, offered = self._tools, self._tools.now(), self._tools.offered.now
        placement = offered.placements.get(request.placement)
        subject = subject_of(request.subject)
        item_ids = ids_of(request.item_ids, "item_ids", RANK_LIMIT)
        if not item_ids:
            raise InvalidInput("item_ids", "none", f"1 to {RANK_LIMIT} ids")
        given = Context.of(request.context)
        consent = consent_of(request.consent) if request.HasField("consent") else None
        asker, engine = meet(tools.store, tools.live, subject, consent, tools.consent_default)
        moment = Moment.of(given, engine)
        numbers, unknown = numbers_of(engine, item_ids)
        query = Query(
            placement=offered.of_given[placement.name],
            size=max(len(numbers), 1),
            history=moment.joined(asker.history, now),
            dismissed=asker.dismissed,
            exclude=moment.excluded,
            candidates=numbers,
            language=given.language,
            region=given.region,
            muted=given.muted,
            audience=audience_of(asker, given),
            reasons=len(numbers),
        )
        decided, feed = decide(tools, offered, "Rank", engine, query, asker, moment, context, now)
        return self._answer(engine, decided, feed, [*unknown, *moment.unknown], explain=request.explain)

    def Search(self, request: feed_pb2.SearchRequest, context: grpc.ServicerContext) -> bytes:
        """Items by what somebody typed."""
        return search(self._tools, request, context)

    def _answer(self, engine: Recommender, decided: Decided, feed: Feed, unknown: Sequence[str], *, explain: bool) -> bytes:
        """An answer of all of `feed`."""
        shown = Shown.first(feed, len(feed.numbers))
        return answer_bytes(ranked_items(engine, self._tools.signer, decided, shown, explain=explain), _info(decided, feed, unknown))


def _info(decided: Decided, feed: Feed, unknown: Sequence[str]) -> types_pb2.AnswerInfo:
    return answer_info(
        decided,
        unknown=unknown,
        degraded=feed.degraded,
        retrieval_mode=feed.retrieval_mode,
        eligible=feed.eligible,
        broken=feed.broken,
    )


def _scored(engine: Recommender, query: Query, shown: Shown, now: datetime, deadline: float | None) -> Shown:
    """`shown` with scores and their parts as they are now; the order stays that of the slate."""
    [feed] = engine.feeds([replace(query, candidates=shown.numbers, size=len(shown.numbers), reasons=0)], now=now, deadline=deadline)
    place_of = {number: place for place, number in enumerate(feed.numbers.tolist())}
    places = np.array([place_of[number] for number in shown.numbers.tolist()])
    return shown._replace(scores=feed.scores[places], contributions=feed.contributions[places], source_ranks=feed.source_ranks[places])
