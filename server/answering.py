"""Turns rankings into answers: items with title, reason and token, and the information that comes with every answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.engine import Recommender
from recommender.feeds import Basis, Degradation, Feed, Reason, SourceName
from recommender.reasons import reason_text
from recommender.tokens import TokenSigner
from recommender.v1 import types_pb2

NO_ARM = ""
"""The experiment arm outside experiments."""

BECAUSE_LIMIT = 3


@dataclass(frozen=True)
class Decided:
    """What every item and the information of one answer name: under which id, settings and generation it was decided."""

    decision_id: bytes
    placement: str
    placement_version: str
    generation_id: str
    basis: Basis


@dataclass(frozen=True, eq=False)
class Shown:
    """The r items of one page, best first.

    `positions`: shape (r,), place of each among all items handed out, from 0 through all pages. `numbers` uint32, `sources`
    uint8, `probabilities` float32: shape (r,). `reasons`: r of them, or none. `scores` float32 (r,), `contributions` float32
    (r, s) and `source_ranks` int32 (r, s): None where they are not known any more.
    """

    positions: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    reasons: Sequence[Reason]
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
            reasons=feed.reasons[:size],
            scores=feed.scores[:size],
            contributions=feed.contributions[:size],
            source_ranks=feed.source_ranks[:size],
        )


def ranked_items(engine: Recommender, signer: TokenSigner, decided: Decided, shown: Shown, *, explain: bool) -> list[types_pb2.RankedItem]:
    """The items of one page as messages, each with its token."""
    cited = _citable(engine, {number for reason in shown.reasons for number in reason.because})
    cards = engine.cards(np.concatenate([shown.numbers, cited]))
    of_number = dict(zip(cited.tolist(), cards[len(shown.numbers) :], strict=True))
    titles = {number: card.title for number, card in of_number.items()}
    ids = {number: card.item_id for number, card in of_number.items()}
    tokens = signer.sign_items(
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
    return [
        types_pb2.RankedItem(
            item_id=card.item_id,
            kind=types_pb2.ItemKind.ValueType(card.kind),
            title=card.title,
            image_url=card.image_url,
            score=0.0 if shown.scores is None else float(shown.scores[place]),
            reason=_reason_message(shown.reasons[place], titles, ids) if place < len(shown.reasons) else None,
            token=tokens[place],
            explanation=_explanation(shown, place) if explain else [],
        )
        for place, card in enumerate(cards[: len(shown.numbers)])
    ]


def answer_info(
    decided: Decided,
    *,
    unknown: Sequence[str],
    degraded: Sequence[Degradation] = (),
    retrieval_mode: str = "none",
    eligible: int = 0,
) -> types_pb2.AnswerInfo:
    """What comes with every answer. `unknown`: ids of the request that the generation does not have."""
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
    )


def _citable(engine: Recommender, numbers: set[int]) -> npt.NDArray[np.uint32]:
    """Those of `numbers` that may be named to readers: an item that was taken down is not to live on in reasons."""
    cited = np.array(sorted(numbers), dtype=np.uint32)
    return cited[engine.eligibility.live[engine.contents.catalogue.rows_of(cited)]]


def _reason_message(reason: Reason, titles: dict[int, str], ids: dict[int, str]) -> types_pb2.Reason:
    return types_pb2.Reason(
        kind=types_pb2.ReasonKind.ValueType(reason.kind),
        text=reason_text(reason, titles),
        because_item_ids=[ids[number] for number in reason.because[:BECAUSE_LIMIT] if number in ids],
        share=reason.share,
        category=reason.category,
    )


def _explanation(shown: Shown, place: int) -> list[types_pb2.SourceContribution]:
    if shown.contributions is None or shown.source_ranks is None:
        return []
    parts, ranks = shown.contributions[place].tolist(), shown.source_ranks[place].tolist()
    return [
        types_pb2.SourceContribution(source=types_pb2.Source.ValueType(name), rank=rank, contribution=part)
        for name, part, rank in zip(SourceName, parts, ranks, strict=True)
        if part or rank
    ]
