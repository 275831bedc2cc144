"""The delta segments of one generation: written whole or not at all, checked when read, and made one when they have become many.

::

    deltas/
        <generation>/
            .lock            taken by whoever writes
            <first>-<last>/  a segment
            .new-…/          one that is being written, or was when its writer was killed; ignored and swept
            .old-…/          one that is being removed; likewise

A segment made of several covers their changes, and stands in their place from the moment it appears.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recommender.durable_files import sync
from recommender.errors import CorruptSegment, InvalidInput, RecommenderError
from recommender.segments.delta import Delta, merged
from recommender.segments.segment import NAME, Base, Segment, SegmentManifest, name_of, read_manifest, read_segment, write_segment

LOCK = ".lock"
UNFINISHED, REMOVED = ".new-", ".old-"
LAST_CHANGE = 2**63 - 1
LISTINGS = 10
"""How often a folder is listed anew because what stood in it was replaced while it was read."""
_LASTING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL}


@dataclass(frozen=True, eq=False)
class Loaded:
    """The sound `segments`, oldest first, and why others were `refused`; those are left out, and what is served goes on without them."""

    segments: tuple[Segment, ...]
    refused: tuple[RecommenderError, ...]

    @property
    def last(self) -> int:
        """The newest change that is in a segment; 0 for none."""
        return self.segments[-1].manifest.last if self.segments else 0

    def delta(self, dimension: int) -> Delta:
        """What all segments say together; vectors have `dimension` numbers."""
        return merged([segment.delta for segment in self.segments] or [Delta.empty(dimension)])


class Segments:
    """The segments on top of `base` in the folder `root` of all deltas. Any number of processes may read while one writes."""

    def __init__(self, root: Path, base: Base) -> None:
        self.base = base
        self.folder = root / base.generation

    def names(self) -> list[str]:
        """Names of all finished segments, those first that begin first, and of these the longest first."""
        if not self.folder.is_dir():
            return []
        found = [path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir()]
        return sorted(found, key=lambda name: (_range(name)[0], -_range(name)[1]))

    @property
    def last(self) -> int:
        """The newest change that is in a segment, damaged or not; 0 for none."""
        return max((_range(name)[1] for name in self.names()), default=0)

    def drop_damaged(self) -> list[str]:
        """Remove the segments that are refused, and those after the first of them: whoever writes can make them again from the store.

        Returns their names. Raises `RecommenderError` where they cannot be removed.
        """
        refused = [error.name for error in self.load().refused if isinstance(error, CorruptSegment)]
        if not refused:
            return []
        from_here = min(_range(name)[0] for name in refused)
        with self._writing():
            dropped = [name for name in self.names() if _range(name)[1] >= from_here]
            for name in dropped:
                self._remove(name)
        return dropped

    def _remove(self, name: str) -> None:
        # Renamed first, so that a kill leaves no segment that lacks some of its files.
        (self.folder / name).rename(self.folder / f"{REMOVED}{name}")
        shutil.rmtree(self.folder / f"{REMOVED}{name}")

    def load(self, known: Sequence[Segment] = ()) -> Loaded:
        """All segments, checked; those that are `known` and have not changed are taken as they are.

        A damaged or foreign one is told among `Loaded.refused` and does no other harm.
        """
        for _ in range(LISTINGS):
            loaded = self._loaded({segment.manifest.name: segment for segment in known})
            if loaded is not None:
                return loaded
        raise RecommenderError(f"delta segments of {self.base.generation} cannot be read now: they are being replaced; try again")

    def _loaded(self, known: dict[str, Segment]) -> Loaded | None:
        """See `load`; None where a segment went away meanwhile."""
        segments: list[Segment] = []
        refused: list[RecommenderError] = []
        last = 0
        for name in self.names():
            first, end = _range(name)
            if end <= last:
                continue
            if first <= last:
                refused.append(CorruptSegment(name, name, f"changes: given from {first}, allowed: from {last + 1}, after those before"))
                continue
            try:
                segment = known.get(name)
                if segment is None or read_manifest(self.folder / name, self.base) != segment.manifest:
                    segment = read_segment(self.folder / name, self.base)
            except CorruptSegment as error:
                refused.append(error)
            except OSError as error:
                refused.append(_unreadable(name, error))
            else:
                segments.append(segment)
                last = end
                continue
            if not (self.folder / name).is_dir():
                return None
        return Loaded(tuple(segments), tuple(refused))

    def add(self, delta: Delta, first: int, last: int) -> SegmentManifest:
        """Write the changes `first` to `last` of the store's sequence as a segment; it exists completely or not at all.

        Waits for another writer to end. Raises `InvalidInput` for vectors of another length than the base's and for changes that do
        not come after those that are there, and `RecommenderError` when it cannot be written; nothing is left of it then.
        """
        with self._writing():
            newest = self.last
            if not newest < first <= last <= LAST_CHANGE:
                raise InvalidInput("changes", f"{first} to {last}", f"first ≤ last, from {newest + 1}, after those that are in a segment")
            return self._add(delta, first, last)

    def _add(self, delta: Delta, first: int, last: int) -> SegmentManifest:
        if delta.dimension != self.base.dimension:
            raise InvalidInput("vectors", f"of length {delta.dimension}", f"of length {self.base.dimension}, as the base's")
        unfinished = self.folder / f"{UNFINISHED}{name_of(first, last)}"
        unfinished.mkdir()
        try:
            manifest = write_segment(unfinished, delta, self.base, first, last)
            unfinished.rename(self.folder / manifest.name)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync(self.folder)
        return manifest

    def compact(self) -> SegmentManifest | None:
        """Make one segment of all, and remove those that it is made of; None where there is nothing to do.

        Raises the first `CorruptSegment` where one is refused, since what it says would be lost for good, and `RecommenderError` when it
        cannot be written; those that were there stay then.
        """
        with self._writing():
            loaded = self.load()
            if loaded.refused:
                raise loaded.refused[0]
            names = [segment.manifest.name for segment in loaded.segments]
            manifest = None
            if len(names) > 1:
                manifest = self._add(loaded.delta(self.base.dimension), loaded.segments[0].manifest.first, loaded.last)
            # A compaction that was killed left segments that another one covers.
            kept = {manifest.name} if manifest else set(names)
            for name in self.names():
                if name not in kept:
                    self._remove(name)
            return manifest

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock, which the kernel frees when its holder dies; what killed writers left behind is gone then."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for pattern in (f"{UNFINISHED}*", f"{REMOVED}*"):
                    for path in self.folder.glob(pattern):
                        shutil.rmtree(path)
                yield
        except OSError as error:
            raise RecommenderError(f"cannot write delta segments below {self.folder}: {error}; those that were there stay") from error


def _range(name: str) -> tuple[int, int]:
    first, last = name.split("-")
    return int(first), int(last)


def _unreadable(name: str, error: OSError) -> RecommenderError:
    """What a failure to read a segment means: damage, unless trying again may help."""
    why = error.strerror or type(error).__name__
    file = Path(error.filename).name if isinstance(error.filename, str) else name
    if error.errno in _LASTING or error.errno is None:
        return CorruptSegment(name, file, f"cannot be read ({why})")
    return RecommenderError(f"delta segment {name} cannot be read now: {file}: {why}; try again")
