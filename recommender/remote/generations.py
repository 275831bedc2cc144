"""The generations of a remote place, with a cache of some of them on this machine.

::

    s3://bucket/folder/
        CURRENT              see `Head`; replaced as a whole, on condition that nobody else has
        <id>/                the files of a generation, manifest.json having come last: without it there is none yet

Whoever serves reads the cache alone, which `follow` keeps up with the place: it is a folder of generations as any other. Who writes is
`RemoteWriter`.
"""

from __future__ import annotations

import tempfile
import threading
from datetime import datetime
from functools import partial
from pathlib import Path

from recommender.durable_files import FileEntry
from recommender.errors import CorruptGeneration, NotFound
from recommender.generation.activations import Entry, predecessor
from recommender.generation.folder import CURRENT, Generation, Generations, is_id
from recommender.generation.manifest import MANIFEST, Manifest
from recommender.remote.at_once import at_once
from recommender.remote.fetching import Fetched, clear, download, fetch, read_manifest
from recommender.remote.head import Head, head_of
from recommender.remote.place import Place, place_at
from recommender.settings import Settings

CACHED = 3
"""Newest generations that stay in the cache, besides the active one and its predecessor."""


def remote_of(settings: Settings) -> RemoteGenerations | None:
    """The remote generations of a deployment, None where they lie in the data folder. Raises what `place_at` raises."""
    if settings.generations is None:
        return None
    return RemoteGenerations(place_at(settings.generations, "setting generations"), Generations(settings.generations_path))


class RemoteGenerations:
    """The generations at `place`, some of which are in `cache`. All methods raise `RemoteError` where the place cannot be reached."""

    def __init__(self, place: Place, cache: Generations) -> None:
        self.place = place
        self.cache = cache
        self._following = threading.Lock()
        self._followed: bytes | None = None
        self._taken: str | None = None

    @property
    def root(self) -> Path:
        """The folder of the cache, in which builds of this machine say how far they are."""
        return self.cache.root

    def head(self) -> Head:
        """What CURRENT says now."""
        return head_of(self.place.read(CURRENT), self.place.url)

    def ids(self) -> list[str]:
        """Ids of all whole generations, newest first."""
        return self.ids_by(self.head())

    def ids_by(self, head: Head) -> list[str]:
        """What `ids` says when CURRENT says `head`."""
        folders = {name.removesuffix(f"/{MANIFEST}") for name in self.place.files() if name.endswith(f"/{MANIFEST}")}
        return sorted((name for name in folders - {*head.removing} if is_id(name)), reverse=True)

    def current_id(self) -> str | None:
        """Id of the active generation; None before the first activation."""
        return self.head().current

    def activations(self) -> list[Entry]:
        """The newest activations, oldest first."""
        return list(self.head().activations)

    def manifest(self, generation_id: str) -> Manifest:
        """The manifest of a generation. Raises `NotFound`, and `CorruptGeneration` when it is not one."""
        self.check_there(generation_id, self.head())
        return read_manifest(self.place, generation_id)[0]

    def check_there(self, generation_id: str, head: Head) -> None:
        """Raise `NotFound` where there is no such generation at the place, or it is being removed, whatever the cache holds."""
        ids = self.ids_by(head)
        if generation_id not in ids:
            raise NotFound("generation", generation_id, f"there are: {', '.join(ids[:5]) or 'none yet; run `recommender reindex`'}")

    def verify(self, generation_id: str) -> Manifest:
        """Read every file at the place and compare it with the manifest, whatever the cache holds.

        Raises `NotFound`, and `CorruptGeneration` naming the first bad file and why.
        """
        manifest = self.manifest(generation_id)
        with tempfile.TemporaryDirectory(prefix="recommender-verify-") as folder:
            at_once(partial(self._verify, generation_id, Path(folder)), manifest.files.items())
        return manifest

    def _verify(self, generation_id: str, folder: Path, name: str, entry: FileEntry) -> None:
        path = folder / name
        download(self.place, generation_id, name, entry, path)
        path.unlink()

    def load(self, generation_id: str) -> Generation:
        """Load a generation, after bringing it into the cache. Raises what `fetch` and loading raise."""
        self.check_there(generation_id, self.head())
        fetch(self.place, self.cache, generation_id)
        return self.cache.load(generation_id)

    def to_prune(self, keep: int) -> list[str]:
        """Ids of all but the newest `keep` generations, the active one and its predecessor, newest first."""
        return self.to_prune_by(self.head(), keep)

    def to_prune_by(self, head: Head, keep: int) -> list[str]:
        """What `to_prune` says when CURRENT says `head`."""
        ids = self.ids_by(head)
        protected = {*ids[:keep], head.current, predecessor(head.activations, head.current, ids)}
        return [generation_id for generation_id in ids if generation_id not in protected]

    def follow(self, *, now: datetime) -> Fetched | None:
        """Have the active generation in the cache, be the active one there, and clear the cache of old ones.

        None where that is so since the last call. Raises `CorruptGeneration` where the remote one is damaged, which is not tried
        again before CURRENT has been replaced, and `NotFound` where it has gone; the cache is as it was then.
        """
        # Two threads that follow must not end with what the slower one has read.
        with self._following:
            return self._follow(now)

    def _follow(self, now: datetime) -> Fetched | None:
        content = self.place.read(CURRENT)
        if content is None or content == self._followed:
            return None
        current = head_of(content, self.place.url).current
        if current is None or (current == self._taken and self.cache.current_id() == current):
            self._followed = content
            return None
        try:
            fetched = self._take(current, now)
        except CorruptGeneration:
            self._followed = content
            raise
        self._followed = content
        return fetched

    def _take(self, generation_id: str, now: datetime) -> Fetched:
        """Have a generation in the cache and active there."""
        fetched = fetch(self.place, self.cache, generation_id)
        self._taken = generation_id
        self.cache.follow(generation_id, now=now, reason=f"active at {self.place.url}")
        clear(self.cache, CACHED)
        return fetched
