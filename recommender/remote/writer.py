"""Writing to a remote place: one writer at a time by a lease in the store, files first, the manifest last, then CURRENT.

Two leases guard it. `generations` is held by a build or a pruning from its beginning to its end, and its fence is in CURRENT from the
beginning on: whoever lost the lease finds a higher one there. `current` is held for the moment in which CURRENT is read, changed and
replaced, so that operators may activate or roll back while a build runs. Where the place can be told so, CURRENT is replaced on condition
that nobody else has replaced it since it was read; elsewhere the second lease alone sees to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta

from recommender.errors import CorruptGeneration, Locked, NotFound, RemoteError
from recommender.generation.activations import entry_of, predecessor
from recommender.generation.folder import CURRENT, Generations, is_id
from recommender.generation.manifest import MANIFEST, check_allowed
from recommender.remote.at_once import at_once
from recommender.remote.fetching import fetch
from recommender.remote.generations import RemoteGenerations
from recommender.remote.head import Head, head_of
from recommender.remote.lease import LENGTH, Clock, HeldLease, LeaseLost, held_lease
from recommender.remote.place import Changed, Place, place_at
from recommender.settings import Settings
from recommender.store import Store

WRITERS, CURRENTS = "generations", "current"
"""The names of the leases."""
TURN = timedelta(seconds=10)
"""Whoever dies while it replaces CURRENT keeps others from it for so long."""
TRIES, PAUSE_S = 200, 0.1
"""How often, and how long after the time before, CURRENT is tried to be replaced while others do so."""


def remote_writer_of(settings: Settings, store: Store, clock: Clock) -> RemoteWriter | None:
    """The remote generations of a deployment, to be changed; None where they lie in the data folder. Raises what `place_at` raises."""
    if settings.generations is None:
        return None
    place = place_at(settings.generations, "setting generations")
    return RemoteWriter(place, Generations(settings.generations_path), store, clock)


class RemoteWriter(RemoteGenerations):
    """Remote generations that may be changed, by leases of `store`, which must be that of all who write there. `clock` is asked for the
    time when it is needed, since a lease is a matter of it; leases are `length` long."""

    def __init__(self, place: Place, cache: Generations, store: Store, clock: Clock, *, length: timedelta = LENGTH) -> None:
        super().__init__(place, cache)
        self._store = store
        self.clock = clock
        self._length = length

    def activate(self, generation_id: str, *, now: datetime, reason: str = "") -> str | None:
        """Make a generation the serving one, after bringing it into the cache, and return the id of the one before.

        Raises `NotFound`, `CorruptGeneration`, `RefusedGeneration` when its gate refused it and no `reason` is given, and `RemoteError`.
        """
        return self.make_active(generation_id, now, reason)

    def rollback(self, *, now: datetime, reason: str = "") -> tuple[str, str]:
        """Activate the generation that was active before the current one; returns (active now, active before).

        Raises `NotFound` when there is none to go back to, and what `activate` raises.
        """
        head = self.head()
        target = predecessor(head.activations, head.current, self.ids_by(head))
        if head.current is None or target is None:
            raise NotFound("generation before", head.current or "the first", "nothing earlier was activated that still exists")
        self.make_active(target, now, reason or f"rollback from {head.current}", back_from=head.current)
        return target, head.current

    def make_active(
        self, generation_id: str, now: datetime, reason: str, *, held: HeldLease | None = None, back_from: str | None = None
    ) -> str | None:
        """What `activate` does, for a writer only while its lease is `held`; `back_from` makes it a rollback from there."""
        self.check_there(generation_id, self.head())
        manifest = fetch(self.place, self.cache, generation_id).manifest
        check_allowed(manifest, reason)
        previous: str | None = None

        def activated(head: Head) -> Head:
            nonlocal previous
            # It may have been pruned meanwhile.
            self.check_there(generation_id, head)
            if back_from is not None and head.current != back_from:
                raise RemoteError(f"{head.current} has been activated meanwhile, instead of {back_from}; look again and try again")
            previous = head.current
            rollback = back_from is not None
            return head.activated(entry_of(generation_id, previous, now=now, reason=reason, passed=manifest.passed, rollback=rollback))

        self.change(activated, held)
        self.follow(now=self.clock())
        return previous

    def prune(self, keep: int) -> list[str]:
        """Remove what `to_prune` names from the place; returns the removed ids. The cache keeps its own few.

        Raises `Locked` while a build or another pruning is running.
        """
        with self.writing("pruning") as writing:
            return writing.prune(keep)

    @contextmanager
    def writing(self, purpose: str) -> Iterator[Writing]:
        """Be the one writer for a `purpose` while the block runs. Raises `Locked` saying who is.

        What killed writers left behind is removed first.
        """
        with held_lease(self._store, WRITERS, purpose, self.clock, length=self._length) as held:
            self.change(lambda head: head.with_(fence=held.fence), held)
            writing = Writing(self, held)
            writing.sweep()
            yield writing

    def change(self, changed: Callable[[Head], Head], held: HeldLease | None = None) -> Head:
        """Replace CURRENT by what `changed` makes of it; a writer does so only while its lease is `held`."""
        for _ in range(TRIES):
            with self._turn() as turn:
                seen = self.place.read_version(CURRENT)
                head = head_of(seen.content, self.place.url)
                if held is not None:
                    held.check()
                    if head.fence > held.fence:
                        raise LeaseLost(f"{self.place.url} is written by fence {head.fence} now, and no more by {held.fence}")
                wanted = changed(head)
                # Finding out what is there may have taken long.
                turn.check()
                try:
                    self.place.replace(CURRENT, wanted.content, seen)
                except Changed:
                    time.sleep(PAUSE_S)
                else:
                    return wanted
        raise RemoteError(f"CURRENT of {self.place.url} is being replaced by others all the time; try again")

    @contextmanager
    def _turn(self) -> Iterator[HeldLease]:
        """The turn to change CURRENT, which is waited for."""
        with ExitStack() as turn:
            for left in reversed(range(TRIES)):
                try:
                    held = turn.enter_context(held_lease(self._store, CURRENTS, "activation", self.clock, length=min(self._length, TURN)))
                    break
                except Locked:
                    if not left:
                        raise
                    time.sleep(PAUSE_S)
            yield held


class Writing:
    """What the one writer may do; made by `RemoteWriter.writing`. All methods raise `LeaseLost` where that is somebody else by now, and
    have changed nothing that is served then."""

    def __init__(self, remote: RemoteWriter, held: HeldLease) -> None:
        self._remote = remote
        self._place = remote.place
        self._held = held

    def sweep(self) -> None:
        """Remove what killed writers left behind: uploads without a manifest, and what was being removed."""
        head = self._remote.head()
        names = self._place.files()
        whole = {name.partition("/")[0] for name in names if name.endswith(f"/{MANIFEST}")}
        folders = {name.partition("/")[0] for name in names if "/" in name}
        for folder in sorted(folder for folder in folders if is_id(folder) and (folder not in whole or folder in head.removing)):
            self._held.check()
            self._remove(folder)
        if head.removing:
            self._remote.change(lambda head: head.with_(removing=()), self._held)

    def follow(self) -> None:
        """Have what is active at the place in the cache, and active there, unless it is damaged or gone: a new build must survive that."""
        with suppress(CorruptGeneration, NotFound):
            self._remote.follow(now=self._remote.clock())

    def upload(self, generation_id: str) -> None:
        """Have a generation of the cache at the place: its files, and when they all are there its manifest. Nothing happens where it is
        there. Raises what checking its files raises."""
        manifest = self._remote.cache.sound(generation_id)
        folder = self._remote.cache.root / generation_id
        content = (folder / MANIFEST).read_bytes()
        if self._place.read(f"{generation_id}/{MANIFEST}") == content:
            return
        self._held.check()
        at_once(self._place.upload, [(folder / name, f"{generation_id}/{name}") for name in manifest.files])
        there = self._place.files(generation_id)
        for name, entry in manifest.files.items():
            size = there.get(f"{generation_id}/{name}")
            if size != entry.size:
                raise RemoteError(
                    f"{self._place.url}/{generation_id}/{name} was uploaded with {entry.size} bytes and has {size} now; try again"
                )
        self._held.check()
        self._place.write(f"{generation_id}/{MANIFEST}", content)

    def activate(self, generation_id: str, *, now: datetime, reason: str = "") -> str | None:
        """See `RemoteWriter.activate`."""
        return self._remote.make_active(generation_id, now, reason, held=self._held)

    def prune(self, keep: int) -> list[str]:
        """See `RemoteWriter.prune`."""
        removed: list[str] = []
        self._held.check()

        def marked(head: Head) -> Head:
            # From here on nobody may activate them.
            removed[:] = self._remote.to_prune_by(head, keep)
            return head.with_(removing=(*head.removing, *removed))

        if self._remote.to_prune(keep):
            self._remote.change(marked, self._held)
            for generation_id in removed:
                self._held.check()
                self._remove(generation_id)
            self._remote.change(lambda head: head.with_(removing=()), self._held)
        return removed

    def _remove(self, generation_id: str) -> None:
        # What has no manifest is no generation, whenever a kill comes.
        self._place.remove(f"{generation_id}/{MANIFEST}")
        self._place.remove(generation_id)
