"""GenerationService: shows the published generations and chooses the one that serves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import grpc

from recommender.errors import InvalidInput, NoGeneration, RecommenderError
from recommender.generation import Generations
from recommender.v1 import generation_pb2, generation_pb2_grpc
from server.live import NOTHING_ACTIVE, Live
from server.logs import LOGGER_NAME
from server.reading import reason_of
from server.writing import generation_message

_LOG = logging.getLogger(f"{LOGGER_NAME}.generations")


class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    """An activation has taken effect in this process when its call returns; other processes follow within their poll time."""

    def __init__(self, generations: Generations, live: Live, now: Callable[[], datetime]) -> None:
        self._generations = generations
        self._live = live
        self._now = now

    def ListGenerations(
        self, request: generation_pb2.ListGenerationsRequest, context: grpc.ServicerContext
    ) -> generation_pb2.ListGenerationsResponse:
        """All readable generations, newest first; the log names those that are not."""
        active = self._generations.current_id()
        messages = []
        for generation_id in self._generations.ids():
            try:
                manifest = self._generations.manifest(generation_id)
            except RecommenderError as error:
                _LOG.warning("generation left out of the list", extra={"generation_id": generation_id, "why": str(error)})
                continue
            messages.append(generation_message(manifest, active=generation_id == active, full=False))
        return generation_pb2.ListGenerationsResponse(generations=messages)

    def GetGeneration(
        self, request: generation_pb2.GetGenerationRequest, context: grpc.ServicerContext
    ) -> generation_pb2.GetGenerationResponse:
        """One generation with its report; the active one when no id is given."""
        generation_id = request.generation_id or self._generations.current_id()
        if generation_id is None:
            raise NoGeneration(NOTHING_ACTIVE)
        return generation_pb2.GetGenerationResponse(generation=self._message(generation_id))

    def ActivateGeneration(
        self, request: generation_pb2.ActivateGenerationRequest, context: grpc.ServicerContext
    ) -> generation_pb2.ActivateGenerationResponse:
        """Check a generation and make it the serving one."""
        if not request.generation_id:
            raise InvalidInput("generation_id", "", "the id of a generation, as ListGenerations shows them")
        previous = self._generations.activate(request.generation_id, now=self._now(), reason=reason_of(request.reason))
        self._live.retry()
        return generation_pb2.ActivateGenerationResponse(generation=self._message(request.generation_id), previous_id=previous or "")

    def RollbackGeneration(
        self, request: generation_pb2.RollbackGenerationRequest, context: grpc.ServicerContext
    ) -> generation_pb2.RollbackGenerationResponse:
        """Go back to the generation that served before."""
        active, before = self._generations.rollback(now=self._now(), reason=reason_of(request.reason))
        self._live.retry()
        return generation_pb2.RollbackGenerationResponse(generation=self._message(active), previous_id=before)

    def _message(self, generation_id: str) -> generation_pb2.Generation:
        active = self._generations.current_id()
        return generation_message(self._generations.manifest(generation_id), active=generation_id == active, full=True)
