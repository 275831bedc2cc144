"""Turns rankings into answers: items with title, reason and token, and the information that comes with every answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Basis, Degradation, Feed, ReasonKind, Reasons, SourceName, Trending
from recommender.reasons import popular_sentence, reason_phrase
from recommender.tokens import TokenSigner
from recommender.v1 import feed_pb2, types_pb2
from server.item_kernel import EVENTS, Bytes, Ends, written_items

NO_ARM = ""
"""The experiment arm outside experiments."""

_NO_LEVELS = np.zeros(0, dtype=np.uint8)


class Decided(NamedTuple):
    """What every item and the information of one answer name: under which id, settings and generation it was decided."""

    decision_id: bytes
    placement: str
    placement_version: str
    generation_id: str
    basis: Basis


class Shown(NamedTuple):
    """The r items of one page, best first.

    `positions`: shape (r,), place of each among all items handed out, from 0 through all pages. `numbers` uint32, `sources`
    uint8, `probabilities` float32, `marks` uint8: shape (r,). `reasons`: r of them, or none. `scores` float32 (r,), `contributions` float32
    (r, s) and `source_ranks` int32 (r, s): None where they are not known any more.
    """

    positions: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    marks: npt.NDArray[np.uint8]
    reasons: Reasons
    scores: npt.NDArray[np.float32] | None = None
    contributions: npt.NDArray[np.float32] | None = None
    source_ranks: npt.NDArray[np.int32] | None = None

    @classmethod
    def first(cls, feed: Feed, size: int) -> Shown:
        """The first `size` items of `feed`."""
        numbers = feed.numbers[:size]
        return cls(
            positions=np.arange(len(numbers)),
            numbers=numbers,
            sources=feed.sources[:size],
            probabilities=feed.probabilities[:size],
            marks=feed.marks[:size],
            reasons=feed.reasons[:size],
            scores=feed.scores[:size],
            contributions=feed.contributions[:size],
            source_ranks=feed.source_ranks[:size],
        )


def ranked_items(engine: Recommender, signer: TokenSigner, decided: Decided, shown: Shown, *, explain: bool) -> bytes:
    """The items of one page, each with its token: the field `items`, 1 in every answer, in the wire format.

    Raises `NotFound` for a number that the generation does not have.
    """
    columns = engine.catalogue.card_columns
    newer, changed, places = engine.catalogue.changed_cards
    reasons = shown.reasons
    tokens = signer.sign_joined(
        decision_id=decided.decision_id,
        placement=decided.placement,
        placement_version=decided.placement_version,
        generation_id=decided.generation_id,
        arm=NO_ARM,
        numbers=shown.numbers,
        positions=shown.positions,
        sources=shown.sources,
        probabilities=shown.probabilities,
    )
    scores = np.zeros(len(shown.numbers), dtype=np.float32) if shown.scores is None else np.ascontiguousarray(shown.scores)
    live = engine.eligibility.live.view()
    live.flags.writeable = False
    written = written_items(
        engine.rows_of(shown.numbers),
        scores.view(np.uint32),
        np.frombuffer(tokens, dtype=np.uint8),
        np.ascontiguousarray(shown.marks),
        reasons.kinds,
        reasons.events,
        reasons.because,
        reasons.shares.view(np.uint32),
        np.frombuffer(reasons.category.encode(), dtype=np.uint8),
        _NO_LEVELS if reasons.levels is None else np.ascontiguousarray(reasons.levels),
        *_popular(reasons.category, reasons.trends),
        *_authors(reasons),
        *_phrases(),
        columns.row_of_number,
        live,
        columns.kinds,
        columns.ids,
        columns.id_ends,
        columns.titles,
        columns.title_ends,
        columns.images,
        columns.image_ends,
        changed,
        places,
        newer.kinds,
        newer.ids,
        newer.id_ends,
        newer.titles,
        newer.title_ends,
        newer.images,
        newer.image_ends,
    ).tobytes()
    return _explained(written, shown) if explain else written


def answer_bytes(items: bytes, info: types_pb2.AnswerInfo, *, page_token: str = "", info_field: int = 2) -> bytes:
    """An answer in the wire format, of the `items` that `ranked_items` wrote; only feeds have a page token, and so another `info_field`."""
    written = info.SerializeToString()
    return b"".join((items, field_bytes(2, page_token.encode()) if page_token else b"", field_bytes(info_field, written)))


def answer_info(
    decided: Decided,
    *,
    unknown: Sequence[str],
    degraded: Sequence[Degradation] = (),
    retrieval_mode: str = "none",
    eligible: int = 0,
    broken: Sequence[str] = (),
) -> types_pb2.AnswerInfo:
    """What comes with every answer. `unknown`: ids of the request that the generation does not have; `broken`: rules that were not kept."""
    return types_pb2.AnswerInfo(
        decision_id=decided.decision_id.hex(),
        generation_id=decided.generation_id,
        basis=types_pb2.Basis.ValueType(decided.basis),
        placement=decided.placement,
        placement_version=decided.placement_version,
        arm=NO_ARM,
        degraded=[types_pb2.Degradation(what=entry.what, why=entry.why) for entry in degraded],
        unknown_item_ids=list(dict.fromkeys(unknown)),
        retrieval_mode=retrieval_mode,
        eligible_items=eligible,
        broken_rules=broken,
    )


def field_bytes(number: int, content: bytes) -> bytes:
    """A field of text or of a message, with its tag and its length."""
    head, left = bytearray((number << 3 | 2,)), len(content)
    while left >= 128:
        head.append(left & 127 | 128)
        left >>= 7
    head.append(left)
    return bytes(head) + content


@cache
def _phrases() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The phrase of every kind of reason and event, without and with a name at its end, as `written_items` takes them."""
    kinds, events = {int(kind): kind for kind in ReasonKind if kind is not ReasonKind.POPULAR}, (0, *EventType)
    return _joined(
        [
            reason_phrase(kinds[kind], event, named=named).encode() if kind in kinds and event in events else b""
            for kind in range(max(ReasonKind) + 1)
            for event in range(EVENTS)
            for named in (False, True)
        ]
    )


@lru_cache(maxsize=1_024)
def _popular(category: str, trends: tuple[Trending | None, ...]) -> tuple[Bytes, Ends, Bytes, Ends]:
    """For each of `trends` the sentence about what is popular by it, and the fields that tell of it, as `written_items` takes them."""
    fields = [b"" if trend is None else trend_fields(trend).SerializeToString() for trend in trends]
    return *_joined([popular_sentence(category, trend).encode() for trend in trends]), *_joined(fields)


def trend_fields(trend: Trending) -> types_pb2.Reason:
    """What a reason says of a trend beside its sentence."""
    reason = types_pb2.Reason(region=trend.region, segment=trend.segment)
    if trend.window_us:
        reason.window.FromMicroseconds(trend.window_us)
    return reason


def _authors(reasons: Reasons) -> tuple[Bytes, Ends]:
    """The authors that `reasons` name, as `written_items` takes them."""
    return _joined([reasons.authors.get(place, "").encode() for place in range(len(reasons))]) if reasons.authors else _no_texts()


@cache
def _no_texts() -> tuple[Bytes, Ends]:
    return _joined([])


def _joined(texts: Sequence[bytes]) -> tuple[Bytes, Ends]:
    """`texts` one after the other, and where each begins and the last one ends."""
    return np.frombuffer(b"".join(texts), dtype=np.uint8), np.cumsum([0, *map(len, texts)], dtype=np.int32)


def _explained(items: bytes, shown: Shown) -> bytes:
    """The items with how their scores came about."""
    answer = feed_pb2.RankResponse.FromString(items)
    for place, item in enumerate(answer.items):
        item.explanation.extend(_explanation(shown, place))
    return answer.SerializeToString()


def _explanation(shown: Shown, place: int) -> list[types_pb2.SourceContribution]:
    if shown.contributions is None or shown.source_ranks is None:
        return []
    parts, ranks = shown.contributions[place].tolist(), shown.source_ranks[place].tolist()
    return [
        types_pb2.SourceContribution(source=types_pb2.Source.ValueType(name), rank=rank, contribution=part)
        for name, part, rank in zip(SourceName, parts, ranks, strict=True)
        if part or rank
    ]
