"""GenerationService: shows the published generations, chooses the one that serves, and says how far a build is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import grpc

from recommender.errors import InvalidInput, NoGeneration, NotFound, RecommenderError
from recommender.generation import Generations
from recommender.generation.build_progress import read_progress
from recommender.generation.difference import difference_of
from recommender.generation.writer_lock import writer_lock
from recommender.v1 import generation_pb2, generation_pb2_grpc
from server.live import NOTHING_ACTIVE, Live
from server.logs import LOGGER_NAME
from server.reading import reason_of
from server.streams import ORDERLY_S
from server.writing import build_message, diff_message, generation_message

if TYPE_CHECKING:
    from recommender.remote.writer import RemoteWriter

_LOG = logging.getLogger(f"{LOGGER_NAME}.generations")

LOOKS_S = 0.25
"""Seconds between two looks at how far a build is."""


class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    """An activation has taken effect in this process when its call returns; other processes follow within their poll time."""

    def __init__(self, generations: Generations | RemoteWriter, live: Live, now: Callable[[], datetime]) -> None:
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
        return generation_pb2.GetGenerationResponse(generation=self._message(self._given_or_active(request.generation_id)))

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

    def VerifyGeneration(
        self, request: generation_pb2.VerifyGenerationRequest, context: grpc.ServicerContext
    ) -> generation_pb2.VerifyGenerationResponse:
        """Compare every file of a generation, the active one without an id, with its manifest."""
        manifest = self._generations.verify(self._given_or_active(request.generation_id))
        return generation_pb2.VerifyGenerationResponse(generation=self._message(manifest.id), files=len(manifest.files))

    def DiffGenerations(
        self, request: generation_pb2.DiffGenerationsRequest, context: grpc.ServicerContext
    ) -> generation_pb2.DiffGenerationsResponse:
        """Set two generations side by side."""
        for name in ("before_id", "after_id"):
            if not getattr(request, name):
                raise InvalidInput(name, "", "the id of a generation, as ListGenerations shows them")
        diff = difference_of(self._generations, request.before_id, request.after_id)
        return diff_message(diff, active=self._generations.current_id())

    def PruneGenerations(
        self, request: generation_pb2.PruneGenerationsRequest, context: grpc.ServicerContext
    ) -> generation_pb2.PruneGenerationsResponse:
        """Remove all but the newest generations, the active one and the one to go back to."""
        if request.keep < 1:
            raise InvalidInput("keep", request.keep, "1 or more")
        if request.dry_run:
            return generation_pb2.PruneGenerationsResponse(removed_ids=self._generations.to_prune(request.keep))
        with writer_lock(self._generations.root, now=self._now(), what="pruning"):
            return generation_pb2.PruneGenerationsResponse(removed_ids=self._generations.prune(request.keep))

    def WatchBuild(
        self, request: generation_pb2.WatchBuildRequest, context: grpc.ServicerContext
    ) -> Iterator[generation_pb2.WatchBuildResponse]:
        """How far the newest build is, at once and whenever that has changed, until it ends or the stream has grown old."""
        gone = threading.Event()
        # Called at once where the caller has gone already.
        if not context.add_callback(gone.set):
            return
        seen, end = (request.build, request.after_sequence), time.monotonic() + ORDERLY_S
        while not gone.is_set() and time.monotonic() < end:
            progress = read_progress(self._generations.root)
            if progress is None:
                raise NotFound("build below", self._generations.root.name, "none has been started yet; run `recommender reindex`")
            if progress.state.ended or progress.build != seen[0] or progress.sequence > seen[1]:
                yield build_message(progress)
                seen = progress.build, progress.sequence
            if progress.state.ended:
                return
            gone.wait(LOOKS_S)

    def _given_or_active(self, generation_id: str) -> str:
        chosen = generation_id or self._generations.current_id()
        if chosen is None:
            raise NoGeneration(NOTHING_ACTIVE)
        return chosen

    def _message(self, generation_id: str) -> generation_pb2.Generation:
        active = self._generations.current_id()
        return generation_message(self._generations.manifest(generation_id), active=generation_id == active, full=True)
