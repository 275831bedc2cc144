"""Bringing a remote generation into the cache: what a generation there holds already is linked, all else downloaded, all of it checked."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recommender.durable_files import FileEntry, difference, sync, write_durably_bytes
from recommender.errors import CorruptGeneration, NotFound, RecommenderError
from recommender.generation.folder import Generations, check_complete
from recommender.generation.manifest import MANIFEST, Manifest, manifest_of
from recommender.remote.at_once import at_once
from recommender.remote.place import Place

LOCK = ".fetch.lock"
FETCHING, WITHDRAWN = ".fetch-", ".gone-"


@dataclass(frozen=True)
class Fetched:
    """What a generation took to be in the cache: bytes `downloaded`, and bytes that were there, of another one, and are `shared`."""

    manifest: Manifest
    downloaded: int = 0
    shared: int = 0


def read_manifest(place: Place, generation_id: str) -> tuple[Manifest, bytes]:
    """A generation's manifest, and the file as it is. Raises `NotFound`, `CorruptGeneration` and `RemoteError`."""
    content = place.read(f"{generation_id}/{MANIFEST}")
    if content is None:
        raise NotFound("generation", generation_id, f"it is not among those of {place.url}")
    manifest = manifest_of(generation_id, content)
    check_complete(manifest)
    for name in manifest.files:
        # It becomes the name of a file of this machine.
        if name != Path(name).name or name in (MANIFEST, ".", ".."):
            raise CorruptGeneration(generation_id, MANIFEST, f"names a file {name!r}, which is none of a generation's folder")
    return manifest, content


def fetch(place: Place, cache: Generations, generation_id: str) -> Fetched:
    """Have a generation in the cache, sound. What is there and damaged is fetched anew.

    One process of a machine does it at a time. Raises `NotFound`, `CorruptGeneration` naming a remote file that is not what the manifest
    says, `RemoteError`, and `RecommenderError` where the cache cannot be written. Of what failed nothing is left.
    """
    with fetching(cache):
        try:
            return Fetched(cache.sound(generation_id))
        except (NotFound, CorruptGeneration):
            # It is not there, or not what it was.
            manifest, content = read_manifest(place, generation_id)
        unfinished = cache.root / f"{FETCHING}{generation_id}"
        try:
            unfinished.mkdir()
            there, noted = _held(cache), cache.noted()
            downloaded = sum(at_once(partial(_file, place, manifest.id, unfinished, there), manifest.files.items()))
            write_durably_bytes(unfinished / MANIFEST, content)
            damaged = cache.root / generation_id
            if damaged.exists():
                damaged.rename(_gone(cache, generation_id))
            unfinished.rename(cache.root / generation_id)
            sync(cache.root)
        except OSError as error:
            raise RecommenderError(f"cannot write generation {generation_id} below {cache.root}: {error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.rmtree(_gone(cache, generation_id), ignore_errors=True)
        # Each file has been compared with the manifest, so that loading need not do it again.
        # A link to a file also changes what the system says of it.
        for each in (*noted, manifest):
            cache.note_sound(each)
        return Fetched(manifest, downloaded, manifest.size_bytes - downloaded)


def clear(cache: Generations, keep: int) -> list[str]:
    """Remove from the cache all but the newest `keep` generations, the active one and its predecessor; returns their ids."""
    with fetching(cache):
        removed = cache.withdraw(keep, into=lambda generation_id: _gone(cache, generation_id))
        for generation_id in removed:
            shutil.rmtree(_gone(cache, generation_id), ignore_errors=True)
    return removed


@contextmanager
def fetching(cache: Generations) -> Iterator[None]:
    """Hold the cache's lock, which the kernel frees when its holder dies; what killed ones left behind is gone then."""
    try:
        cache.root.mkdir(parents=True, exist_ok=True)
        lock = (cache.root / LOCK).open("a")
    except OSError as error:
        raise RecommenderError(
            f"cannot lock {cache.root}: {error.strerror or error}; it must be a folder that may be written to"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for pattern in (f"{FETCHING}*", f"{WITHDRAWN}*"):
            for path in cache.root.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
        yield


def _gone(cache: Generations, generation_id: str) -> Path:
    return cache.root / f"{WITHDRAWN}{generation_id}"


def _held(cache: Generations) -> dict[str, Path]:
    """The files of all generations in the cache by their checksums."""
    held: dict[str, Path] = {}
    for generation_id in cache.ids():
        try:
            files = cache.manifest(generation_id).files
        except RecommenderError:
            continue
        held.update({entry.sha256: cache.root / generation_id / name for name, entry in files.items()})
    return held


def _file(place: Place, generation_id: str, folder: Path, held: dict[str, Path], name: str, entry: FileEntry) -> int:
    """Have one file of a generation in `folder`; how many bytes that took from the place."""
    path = folder / name
    twin = held.get(entry.sha256)
    if twin is not None and _linked(twin, path):
        if not difference(path, entry):
            return 0
        path.unlink()
    download(place, generation_id, name, entry, path)
    sync(path)
    return entry.size


def download(place: Place, generation_id: str, name: str, entry: FileEntry, path: Path) -> None:
    """Copy one file of a generation to `path`. Raises `CorruptGeneration` where it is not what its manifest says."""
    there = place.download(f"{generation_id}/{name}", path)
    why = difference(path, entry) if there else "is missing"
    if why:
        raise CorruptGeneration(generation_id, name, f"{why}, at {place.url}")


def _linked(twin: Path, path: Path) -> bool:
    """Whether the file could be had without a copy, which not every file system allows."""
    try:
        os.link(twin, path)
    except OSError:
        return False
    return True
