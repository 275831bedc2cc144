"""DecisionService: explains decisions, and makes them again from their records."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import grpc
import numpy as np
import numpy.typing as npt

from recommender.decisions.explanation import Explanation, explained
from recommender.decisions.rebuilding import Rebuilder
from recommender.decisions.replay import replayed
from recommender.errors import InvalidInput, NotFound
from recommender.items import check_id
from recommender.reasons import reason_text
from recommender.store import Decision, Store
from recommender.tokens import ItemToken, TokenSigner
from recommender.v1 import decision_pb2, decision_pb2_grpc, types_pb2

Asked = decision_pb2.ExplainDecisionRequest | decision_pb2.ReplayDecisionRequest


class DecisionService(decision_pb2_grpc.DecisionServiceServicer):
    """Works on engines of its own, beside the one that serves."""

    def __init__(self, store: Store, signer: TokenSigner, rebuilder: Rebuilder) -> None:
        self._store = store
        self._signer = signer
        self._rebuilder = rebuilder

    def ExplainDecision(
        self, request: decision_pb2.ExplainDecisionRequest, context: grpc.ServicerContext
    ) -> decision_pb2.ExplainDecisionResponse:
        """How one item fared in a decision."""
        decision, token = self._asked(request)
        if request.item_id:
            check_id(request.item_id, "item_id")
            number = self._number_of(request.item_id)
        elif token is not None:
            number = token.number
        else:
            raise InvalidInput("item_id", "nothing", "the id of an item, or an item's token in place of the decision's id")
        rebuilt = self._rebuilder.rebuilt(decision)
        position = token.position if token is not None and token.number == number else None
        return self._message(decision, number, explained(rebuilt, number, position))

    def ReplayDecision(
        self, request: decision_pb2.ReplayDecisionRequest, context: grpc.ServicerContext
    ) -> decision_pb2.ReplayDecisionResponse:
        """A decision made again."""
        decision, _ = self._asked(request)
        replay = replayed(self._rebuilder, decision)
        feed = replay.feed
        return decision_pb2.ReplayDecisionResponse(
            decision=_info(decision),
            items=self._slate(feed.numbers, feed.sources, feed.probabilities),
            recorded=self._slate(decision.numbers, decision.sources, decision.probabilities),
            equal=replay.equal,
            differs_at=replay.differs_at + 1,
            inexact=replay.inexact,
        )

    def _message(self, decision: Decision, number: int, found: Explanation) -> decision_pb2.ExplainDecisionResponse:
        reason = found.reason
        named = [] if reason is None else self._store.get_items_by_number(list(reason.because))
        message = decision_pb2.ExplainDecisionResponse(
            decision=_info(decision),
            item_id=self._ids([number])[0],
            place=found.place,
            eligible_items=found.eligible,
            candidates=found.candidates,
            rank=found.rank,
            score=found.score,
            sources=[
                decision_pb2.SourceOpinion(
                    source=types_pb2.Source.ValueType(said.source),
                    rank=said.rank,
                    strength=said.strength,
                    weight=said.weight,
                    contribution=said.added,
                )
                for said in found.sources
            ],
            features=[decision_pb2.Feature(name=name, value=value) for name, value in found.features],
            rules=[decision_pb2.RuleEffect(name=rule.name, does=rule.does, effect=rule.effect) for rule in found.rules],
            kept=found.kept,
            placing=types_pb2.Placing.ValueType(found.placing),
            probability=found.probability,
            inexact=found.inexact,
        )
        if found.stop is not None:
            message.stop.CopyFrom(decision_pb2.Stop(stage=found.stop.stage, detail=found.stop.detail))
        if reason is not None:
            message.reason.CopyFrom(
                types_pb2.Reason(
                    kind=types_pb2.ReasonKind.ValueType(reason.kind),
                    text=reason_text(reason, {stored.number: stored.item.title for stored in named}),
                    because_item_ids=[stored.item.id for stored in named],
                    share=reason.share,
                    category=reason.category,
                    author=reason.author,
                    region=reason.trending.region if reason.trending else "",
                    segment=reason.trending.segment if reason.trending else "",
                )
            )
            if reason.trending and reason.trending.window_us:
                message.reason.window.FromMicroseconds(reason.trending.window_us)
        return message

    def _asked(self, request: Asked) -> tuple[Decision, ItemToken | None]:
        """The decision asked about, and the item's token that names it."""
        token = None
        given = request.WhichOneof("decision")
        if given is None:
            raise InvalidInput("decision", "nothing", "token or decision_id")
        if given == "token":
            token = self._signer.read_item(request.token)
            decision_id = token.decision_id
        else:
            decision_id = _id_of(request.decision_id)
        decision = self._store.get_decision(decision_id)
        if decision is None:
            raise NotFound("record of the decision", decision_id.hex(), "it may not be written yet, or have expired")
        return decision, token

    def _number_of(self, item_id: str) -> int:
        numbers = self._store.item_numbers([item_id])
        if item_id not in numbers:
            raise NotFound("item", item_id)
        return numbers[item_id]

    def _ids(self, numbers: Sequence[int]) -> list[str]:
        """The id of each item, "" where it is gone."""
        known = {stored.number: stored.item.id for stored in self._store.get_items_by_number(list(numbers))}
        return [known.get(number, "") for number in numbers]

    def _slate(
        self, numbers: npt.NDArray[np.uint32], sources: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]
    ) -> list[decision_pb2.SlateItem]:
        columns = zip(self._ids(numbers.tolist()), sources.tolist(), probabilities.tolist(), strict=True)
        return [
            decision_pb2.SlateItem(item_id=item_id, source=types_pb2.Source.ValueType(source), probability=probability)
            for item_id, source, probability in columns
        ]


def _id_of(text: str) -> bytes:
    try:
        return UUID(text).bytes
    except ValueError:
        raise InvalidInput("decision_id", text, "the decision_id of an answer: 32 hex digits") from None


def _info(decision: Decision) -> decision_pb2.DecisionInfo:
    info = decision_pb2.DecisionInfo(
        decision_id=decision.id.hex(),
        placement=decision.placement,
        placement_version=decision.placement_version,
        generation_id=decision.generation_id,
        basis=types_pb2.Basis.ValueType(decision.basis),
        size=len(decision.numbers),
    )
    info.at.FromDatetime(decision.at)
    if decision.subject is not None:
        kind = decision.subject.kind.name.lower()
        setattr(info.subject, f"{kind}_id", decision.subject.id)
    return info
