"""Calls for feeds, similar items, what is popular, lists of one's own, orders of given items, and searches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cached_property

from recommender.client.answers import Feed, feed_of
from recommender.client.calling import Connection
from recommender.client.histories import History, history_of
from recommender.client.messages import consent_message, context_message, duration, kind_numbers, subject_of
from recommender.client.slates import Slate, page_of_slate
from recommender.events import Consent
from recommender.history_lists import HistoryList
from recommender.items import ItemKind
from recommender.v1 import feed_pb2, feed_pb2_grpc


class FeedCalls(Connection):
    """What front ends ask for."""

    @cached_property
    def _feeds(self) -> feed_pb2_grpc.FeedServiceStub:
        return feed_pb2_grpc.FeedServiceStub(self._channel)

    def get_feed(
        self,
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        current_item: str = "",
        recent_items: Iterable[str] = (),
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
        page_token: str = "",
    ) -> Feed:
        """The first page of the feed of a `user` or a `session`, or the page of `page_token` (all else being the same)."""
        return self._feed(
            feed_pb2.GetFeedRequest(
                subject=subject_of(user, session),
                placement=placement,
                context=context_message(
                    language, current_item, recent_items, region, segments, (muted_authors, muted_categories, muted_words)
                ),
                page_size=page_size,
                page_token=page_token,
                exclude_item_ids=exclude,
                kinds=kind_numbers(kinds),
                filter=filter,
                explain=explain,
                consent=consent_message(consent),
            )
        )

    def get_slates(
        self,
        slates: Iterable[Slate],
        *,
        user: str = "",
        session: str = "",
        exclude: Iterable[str] = (),
        language: str = "",
        current_item: str = "",
        recent_items: Iterable[str] = (),
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
    ) -> list[Feed]:
        """The feeds of several placements of one screen, with no item in two of them; those that come first choose first."""
        request = feed_pb2.GetSlatesRequest(
            subject=subject_of(user, session),
            slates=[slate.message() for slate in slates],
            context=context_message(language, current_item, recent_items, region, segments, (muted_authors, muted_categories, muted_words)),
            exclude_item_ids=exclude,
            explain=explain,
            consent=consent_message(consent),
        )
        answer = self._call(self._feeds.GetSlates, request)
        return [
            feed_of(of_one, of_one.next_page_token, self._following(page_of_slate(request, slate)))
            for of_one, slate in zip(answer.slates, request.slates, strict=True)
        ]

    def get_similar(
        self,
        items: Iterable[str],
        *,
        unlike: Iterable[str] = (),
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
    ) -> Feed:
        """Items like `items` (1 to 50) and unlike `unlike`; of a `user` or `session` what was consumed or dismissed is left out."""
        request = feed_pb2.GetSimilarRequest(
            item_ids=items,
            negative_item_ids=unlike,
            placement=placement,
            page_size=page_size,
            exclude_item_ids=exclude,
            kinds=kind_numbers(kinds),
            filter=filter,
            subject=subject_of(user, session) if user or session else None,
            explain=explain,
            context=context_message(language, region=region, segments=segments, muted=(muted_authors, muted_categories, muted_words)),
            consent=consent_message(consent),
        )
        return feed_of(self._call(self._feeds.GetSimilar, request))

    def get_popular(
        self,
        *,
        category: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        window: timedelta | None = None,
        half_life: timedelta | None = None,
        region: str = "",
        segment: str = "",
        region_name: str = "",
        segment_name: str = "",
    ) -> Feed:
        """What is popular, overall or in one category; or what trends: within a `window`, with what is new counting more by a `half_life`,
        in a `region`, which is the reader's as well, or with a `segment`, which reasons call by their names."""
        request = feed_pb2.GetPopularRequest(
            category=category,
            placement=placement,
            page_size=page_size,
            exclude_item_ids=exclude,
            kinds=kind_numbers(kinds),
            filter=filter,
            context=context_message(language, region=region, segments=segments, muted=(muted_authors, muted_categories, muted_words)),
            window=duration(window),
            half_life=duration(half_life),
            region=region,
            segment=segment,
            region_name=region_name,
            segment_name=segment_name,
        )
        return feed_of(self._call(self._feeds.GetPopular, request))

    def get_history(
        self,
        wanted: HistoryList,
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
    ) -> History:
        """A list from the history of a `user` or `session`: what they had lately, what they can go on with, or what is due again."""
        request = feed_pb2.GetHistoryRequest(
            subject=subject_of(user, session),
            list=feed_pb2.HistoryList.ValueType(wanted),
            placement=placement,
            page_size=page_size,
            exclude_item_ids=exclude,
            kinds=kind_numbers(kinds),
            filter=filter,
            context=context_message(language, region=region, segments=segments, muted=(muted_authors, muted_categories, muted_words)),
            consent=consent_message(consent),
        )
        return history_of(self._call(self._feeds.GetHistory, request))

    def rank(
        self,
        items: Iterable[str],
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        language: str = "",
        current_item: str = "",
        recent_items: Iterable[str] = (),
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
    ) -> Feed:
        """`items` in the order that suits one person."""
        request = feed_pb2.RankRequest(
            subject=subject_of(user, session),
            item_ids=items,
            placement=placement,
            context=context_message(
                language, current_item, recent_items, region, segments, muted=(muted_authors, muted_categories, muted_words)
            ),
            explain=explain,
            consent=consent_message(consent),
        )
        return feed_of(self._call(self._feeds.Rank, request))

    def search(
        self,
        query: str,
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
    ) -> Feed:
        """Items by what somebody typed, `query`: by words and names, however they are spelt, and by meaning; a little ordered by what the
        `user` or `session`, where one is given, likes."""
        request = feed_pb2.SearchRequest(
            query=query,
            subject=subject_of(user, session) if user or session else None,
            placement=placement,
            page_size=page_size,
            kinds=kind_numbers(kinds),
            filter=filter,
            exclude_item_ids=exclude,
            context=context_message(language, region=region, segments=segments, muted=(muted_authors, muted_categories, muted_words)),
            consent=consent_message(consent),
            explain=explain,
        )
        return feed_of(self._call(self._feeds.Search, request))

    def _feed(self, request: feed_pb2.GetFeedRequest) -> Feed:
        answer = self._call(self._feeds.GetFeed, request)
        return feed_of(answer, answer.next_page_token, self._following(request))

    def _following(self, request: feed_pb2.GetFeedRequest) -> Callable[[str], Feed]:
        """Fetches later pages of the feed of `request`."""

        def follow(page_token: str) -> Feed:
            following = feed_pb2.GetFeedRequest()
            following.CopyFrom(request)
            following.page_token = page_token
            return self._feed(following)

        return follow
