"""Answers are written as protobuf itself writes them."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import contents_of, engine_of, number_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recommender.errors import NotFound
from recommender.events import EventType
from recommender.feeds import NAMED, Basis, Degradation, Reason, ReasonKind, Reasons, SourceName, Trending
from recommender.items import Item, ItemKind
from recommender.reasons import reason_text
from recommender.tokens import TokenSigner
from recommender.v1 import feed_pb2, types_pb2
from server.answering import Decided, Shown, answer_bytes, answer_info, ranked_items
from server.feed_handlers import FEED, REQUESTS
from server.feed_service import FEED_INFO

SIGNER = TokenSigner([("key", b"s" * 32)])
DECIDED = Decided(b"d" * 16, "home", "0123456789ab", "20260131T020000-1a2b3c", Basis.PERSONAL)
INFO = answer_info(DECIDED, unknown=["x", "x", "ü"], degraded=[Degradation("graph", "failed")], retrieval_mode="lists", eligible=300)

TITLES = ["", "One", "Два 🎬", "t" * 130, "u" * 2_000, "é" * 64]
IDS = ["a", "ж" * 60, "c" * 127, "d" * 128, "e" * 200, "f" * 256]
ITEMS = [
    Item(id=IDS[row], kind=ItemKind(1 + row % 3), title=title, image_url="" if row % 2 else f"https://example.org/{'i' * row * 40}")
    for row, title in enumerate(TITLES)
]
IMPERSONAL = [
    ReasonKind.POPULAR,
    ReasonKind.FRESH,
    ReasonKind.FILL,
    ReasonKind.PROMOTED,
    ReasonKind.CONSUMED,
    ReasonKind.STARTED,
    ReasonKind.DUE,
]
TRENDS = (
    None,
    Trending(window_us=86_400_000_000),
    Trending("FR-ARA-69", "étudiants", 5_400_000_001, "Lyon " * 30, "students"),
)
HIDDEN = 2
UNKNOWN = number_of(len(ITEMS)) + 1_000
ENGINE = engine_of(contents_of(ITEMS))
ENGINE.eligibility.live.flags.writeable = True
ENGINE.eligibility.live[HIDDEN] = False

numbers = st.integers(0, len(ITEMS) - 1).map(number_of)
shares = st.floats(0, 1, width=32)
because = st.lists(numbers | st.just(UNKNOWN) | st.just(2**32 - 1), max_size=NAMED).map(tuple)
sources = st.sampled_from(SourceName)
events = st.sampled_from([0, *EventType])
categories = st.sampled_from(["", "drama", "драма", "c" * 200])
nothing, no_event = st.just(""), st.just(0)
reasons = (
    st.builds(Reason, st.just(ReasonKind.BECAUSE_OF_HISTORY), sources, because, shares, events, nothing)
    | st.builds(Reason, st.just(ReasonKind.SIMILAR_TO_SEED), sources, because, shares, no_event, nothing)
    | st.builds(Reason, st.sampled_from(IMPERSONAL), sources, st.just(()), st.just(0.0), events, nothing)
    | st.builds(
        Reason,
        st.just(ReasonKind.NEW_FROM_AUTHOR),
        sources,
        because,
        st.just(0.0),
        no_event,
        nothing,
        author=st.sampled_from(["", *TITLES]),
    )
)
scores = st.floats(width=32, allow_nan=False)


def in_columns(made: list[Reason], category: str, levels: list[int]) -> Reasons:
    """Reasons as an engine gives them, all that are there for being popular of one category, and by the trends of `levels`, if any."""
    because = np.full((len(made), NAMED), -1, dtype=np.int64)
    for place, reason in enumerate(made):
        because[place, : len(reason.because)] = reason.because
    kinds, named, events = (np.array([reason[field] for reason in made], dtype=np.uint8) for field in (0, 1, 4))
    by = np.array(levels[: len(made)], dtype=np.uint8) if levels else None
    authors = {place: reason.author for place, reason in enumerate(made) if reason.author}
    shares = np.array([reason.share for reason in made], dtype=np.float32)
    return Reasons(kinds, named, events, because, shares, category, TRENDS if levels else (None,), by, authors)


@st.composite
def shown(draw: st.DrawFn) -> Shown:
    of = draw(st.lists(numbers, max_size=8))
    n, s = len(of), len(SourceName)
    return Shown(
        positions=np.arange(n) + draw(st.integers(0, 1_000)),
        numbers=np.array(of, dtype=np.uint32),
        sources=np.array([1 + place % s for place in range(n)], dtype=np.uint8),
        probabilities=np.array(draw(st.lists(shares, min_size=n, max_size=n)), dtype=np.float32),
        marks=np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=np.uint8),
        reasons=in_columns(
            draw(st.lists(reasons, max_size=n)), draw(categories), draw(st.just([]) | st.lists(st.integers(0, 2), min_size=n, max_size=n))
        ),
        scores=draw(st.none() | st.lists(scores, min_size=n, max_size=n).map(lambda values: np.array(values, dtype=np.float32))),
        contributions=np.arange(n * s, dtype=np.float32).reshape(n, s) % 5,
        source_ranks=np.arange(n * s, dtype=np.int32).reshape(n, s) % 3,
    )


def as_protobuf(page: Shown, *, explain: bool) -> list[types_pb2.RankedItem]:
    """The items of `page`, made the long way."""
    tokens = SIGNER.sign_items(
        decision_id=DECIDED.decision_id,
        placement=DECIDED.placement,
        placement_version=DECIDED.placement_version,
        generation_id=DECIDED.generation_id,
        arm="",
        numbers=page.numbers,
        positions=page.positions,
        sources=page.sources,
        probabilities=page.probabilities,
    )
    citable = {number_of(row): item for row, item in enumerate(ITEMS) if row != HIDDEN}
    made = []
    for place, number in enumerate(page.numbers.tolist()):
        item = next(item for row, item in enumerate(ITEMS) if number_of(row) == number)
        message = types_pb2.RankedItem(
            item_id=item.id,
            kind=types_pb2.ItemKind.ValueType(item.kind),
            title=item.title,
            image_url=item.image_url,
            score=0.0 if page.scores is None else float(page.scores[place]),
            token=tokens[place],
            placing=types_pb2.Placing.ValueType(int(page.marks[place])),
        )
        if place < len(page.reasons):
            reason = page.reasons[place]
            message.reason.kind = types_pb2.ReasonKind.ValueType(reason.kind)
            message.reason.text = reason_text(reason, {number: item.title for number, item in citable.items()})
            message.reason.because_item_ids.extend(citable[number].id for number in reason.because[:3] if number in citable)
            message.reason.share = reason.share
            message.reason.category = reason.category
            message.reason.author = reason.author
            if reason.trending is not None:
                message.reason.region, message.reason.segment = reason.trending.region, reason.trending.segment
                message.reason.window.FromMicroseconds(reason.trending.window_us)
        if explain and page.contributions is not None and page.source_ranks is not None:
            for source, rank, part in zip(SourceName, page.source_ranks[place].tolist(), page.contributions[place].tolist(), strict=True):
                if rank or part:
                    message.explanation.add(source=types_pb2.Source.ValueType(source), rank=rank, contribution=part)
        made.append(message)
    return made


@settings(max_examples=300, deadline=None)
@given(shown(), st.booleans())
@example(
    Shown(*(np.zeros(0, dtype=dtype) for dtype in (np.int64, np.uint32, np.uint8, np.float32, np.uint8)), reasons=Reasons.none()), False
)
def test_items_are_written_as_protobuf_writes_them(page: Shown, explain: bool) -> None:
    written = ranked_items(ENGINE, SIGNER, DECIDED, page, explain=explain)

    expected = feed_pb2.RankResponse(items=as_protobuf(page, explain=explain))
    assert feed_pb2.RankResponse.FromString(written) == expected
    assert written == expected.SerializeToString()


@pytest.mark.parametrize("page_token", ["", "t" * 127, "t" * 128, "t" * 6_000])
def test_answers_are_written_as_protobuf_writes_them(page_token: str) -> None:
    item = types_pb2.RankedItem(item_id="x")
    items = feed_pb2.RankResponse(items=[item, item]).SerializeToString()
    page = feed_pb2.GetFeedResponse(items=[item, item], next_page_token=page_token, info=INFO)

    assert answer_bytes(items, INFO, page_token=page_token, info_field=3) == page.SerializeToString()
    for kind in (feed_pb2.GetSimilarResponse, feed_pb2.GetPopularResponse, feed_pb2.RankResponse):
        assert answer_bytes(items, INFO) == kind(items=[item, item], info=INFO).SerializeToString()


def test_an_item_that_the_generation_does_not_have_cannot_be_shown() -> None:
    byte = np.ones(1, np.uint8)
    page = Shown(np.zeros(1, np.int64), np.array([UNKNOWN], np.uint32), byte, np.ones(1, np.float32), byte, reasons=Reasons.none())
    with pytest.raises(NotFound, match="item of number"):
        ranked_items(ENGINE, SIGNER, DECIDED, page, explain=False)


def test_nothing_is_shown_of_an_empty_generation() -> None:
    byte = np.zeros(0, np.uint8)
    page = Shown(np.zeros(0, np.int64), np.zeros(0, np.uint32), byte, np.zeros(0, np.float32), byte, reasons=Reasons.none())
    assert ranked_items(engine_of(contents_of([])), SIGNER, DECIDED, page, explain=False) == b""


def test_every_method_of_the_service_is_offered_with_its_own_request() -> None:
    service = feed_pb2.DESCRIPTOR.services_by_name["FeedService"]

    assert service.full_name == FEED
    assert set(REQUESTS) == {method.name for method in service.methods}
    for method in service.methods:
        assert REQUESTS[method.name](b"").DESCRIPTOR is method.input_type
        if method.name == "GetSlates":
            # Each of its slates is a feed.
            assert method.output_type.fields_by_name["slates"].message_type.name == "GetFeedResponse"
            continue
        assert method.output_type.fields_by_name["items"].number == 1
        assert method.output_type.fields_by_name["info"].number == (FEED_INFO if method.name == "GetFeed" else 2)
