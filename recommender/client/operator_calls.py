"""Calls about the catalogue, generations, retention and decisions, on the operators' address."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import grpc

from recommender.client.calling import HEALTH_PAUSE_S, Connection
from recommender.client.failures import failure_of
from recommender.client.messages import item_message
from recommender.client.streaming import STREAM_S
from recommender.items import Item, ItemState
from recommender.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    decision_pb2,
    decision_pb2_grpc,
    generation_pb2,
    generation_pb2_grpc,
    retention_pb2,
    retention_pb2_grpc,
    types_pb2,
)

RETENTION_S = 600.0
"""Seconds that looking through a large store for what has expired may take."""
EXPLANATION_S = 60.0
"""Seconds that it may take to load a generation of before and to count the events since."""
GENERATION_S = 600.0
"""Seconds that it may take to read all files of a large generation, and to load and try it."""


class OperatorCalls(Connection):
    """What operators ask for. Raises ValueError on a connection without their address."""

    def upsert_items(self, items: Iterable[Item]) -> catalog_pb2.UpsertItemsResponse:
        """Add or replace up to 1,000 items; one result each, in order."""
        return self._call(self._catalogue.UpsertItems, catalog_pb2.UpsertItemsRequest(items=[item_message(item) for item in items]))

    def get_items(self, item_ids: Iterable[str]) -> catalog_pb2.GetItemsResponse:
        """Read up to 1,000 items."""
        return self._call(self._catalogue.GetItems, catalog_pb2.GetItemsRequest(item_ids=item_ids))

    def set_state(self, item_ids: Iterable[str], state: ItemState) -> catalog_pb2.SetStateResponse:
        """Hide up to 1,000 items or set them live again."""
        request = catalog_pb2.SetStateRequest(item_ids=item_ids, state=types_pb2.ItemState.ValueType(state))
        return self._call(self._catalogue.SetState, request)

    def delete_items(self, item_ids: Iterable[str]) -> catalog_pb2.DeleteItemsResponse:
        """Delete up to 1,000 items."""
        return self._call(self._catalogue.DeleteItems, catalog_pb2.DeleteItemsRequest(item_ids=item_ids))

    def list_generations(self) -> Sequence[generation_pb2.Generation]:
        """All generations, newest first, without metrics and checks."""
        return self._call(self._generations.ListGenerations, generation_pb2.ListGenerationsRequest()).generations

    def get_generation(self, generation_id: str = "") -> generation_pb2.Generation:
        """One generation with its report; the active one by default."""
        return self._call(self._generations.GetGeneration, generation_pb2.GetGenerationRequest(generation_id=generation_id)).generation

    def activate_generation(self, generation_id: str, reason: str = "") -> generation_pb2.ActivateGenerationResponse:
        """Make a generation the serving one; a `reason` is needed where its gate refused it."""
        request = generation_pb2.ActivateGenerationRequest(generation_id=generation_id, reason=reason)
        return self._call(self._generations.ActivateGeneration, request, GENERATION_S)

    def rollback_generation(self, reason: str = "") -> generation_pb2.RollbackGenerationResponse:
        """Go back to the generation that was active before."""
        return self._call(self._generations.RollbackGeneration, generation_pb2.RollbackGenerationRequest(reason=reason), GENERATION_S)

    def verify_generation(self, generation_id: str = "") -> generation_pb2.VerifyGenerationResponse:
        """Compare every file of a generation, the active one by default, with its manifest."""
        return self._call(
            self._generations.VerifyGeneration, generation_pb2.VerifyGenerationRequest(generation_id=generation_id), GENERATION_S
        )

    def diff_generations(self, before_id: str, after_id: str) -> generation_pb2.DiffGenerationsResponse:
        """Two generations side by side."""
        request = generation_pb2.DiffGenerationsRequest(before_id=before_id, after_id=after_id)
        return self._call(self._generations.DiffGenerations, request)

    def prune_generations(self, keep: int, *, dry_run: bool = False) -> Sequence[str]:
        """Remove all but the newest `keep` generations, the active one and the one to go back to; the ids of those that go."""
        request = generation_pb2.PruneGenerationsRequest(keep=keep, dry_run=dry_run)
        return self._call(self._generations.PruneGenerations, request).removed_ids

    def watch_build(self) -> Iterator[generation_pb2.WatchBuildResponse]:
        """How far the newest build is, at once and whenever that has changed; the last one says how it ended.

        The server lets no stream grow old: it is asked again from where it ended, for as long as the build takes.
        """
        request = generation_pb2.WatchBuildRequest()
        while True:
            try:
                for seen in self._generations.WatchBuild(request, timeout=STREAM_S):
                    yield seen
                    if seen.state != generation_pb2.BUILD_STATE_RUNNING:
                        return
                    request = generation_pb2.WatchBuildRequest(build=seen.build, after_sequence=seen.sequence)
            except grpc.RpcError as error:
                if not isinstance(error, grpc.Call) or error.code() is not grpc.StatusCode.CANCELLED:
                    raise failure_of(error) from error
                time.sleep(HEALTH_PAUSE_S)

    def preview_retention(self) -> retention_pb2.PreviewRetentionResponse:
        """What would go now by the rules of the server's settings. Changes nothing."""
        return self._call(self._retention.PreviewRetention, retention_pb2.PreviewRetentionRequest(), RETENTION_S)

    def apply_retention(self) -> Iterator[retention_pb2.ApplyRetentionResponse]:
        """Let go what is due, some seconds of work with each answer, until all is done. May be left off at any answer, and begun again."""
        complete = False
        while not complete:
            answer = self._call(self._retention.ApplyRetention, retention_pb2.ApplyRetentionRequest(), RETENTION_S)
            complete = answer.complete
            yield answer

    def explain_decision(self, *, token: str = "", decision_id: str = "", item: str = "") -> decision_pb2.ExplainDecisionResponse:
        """Stage by stage, how an `item` came into a decision, or what kept it out; with a `token` alone the item of the token."""
        request = decision_pb2.ExplainDecisionRequest(item_id=item, **_one_of(token, decision_id))
        return self._call(self._decisions.ExplainDecision, request, EXPLANATION_S)

    def replay_decision(self, *, token: str = "", decision_id: str = "") -> decision_pb2.ReplayDecisionResponse:
        """A decision made again from its record, beside that."""
        return self._call(self._decisions.ReplayDecision, decision_pb2.ReplayDecisionRequest(**_one_of(token, decision_id)), EXPLANATION_S)

    @property
    def _decisions(self) -> decision_pb2_grpc.DecisionServiceStub:
        return decision_pb2_grpc.DecisionServiceStub(self._admin())

    @property
    def _catalogue(self) -> catalog_pb2_grpc.CatalogServiceStub:
        return catalog_pb2_grpc.CatalogServiceStub(self._admin())

    @property
    def _generations(self) -> generation_pb2_grpc.GenerationServiceStub:
        return generation_pb2_grpc.GenerationServiceStub(self._admin())

    @property
    def _retention(self) -> retention_pb2_grpc.RetentionServiceStub:
        return retention_pb2_grpc.RetentionServiceStub(self._admin())


def _one_of(token: str, decision_id: str) -> dict[str, str]:
    """The one of the two that is given. Raises ValueError for both or neither."""
    if bool(token) == bool(decision_id):
        raise ValueError("give either token or decision_id")
    return {"token": token} if token else {"decision_id": decision_id}
