"""The folder of all generations: writing one in a single step, checking it, choosing the one that serves.

::

    generations/
        CURRENT              id of the active generation, replaced in one step
        ACTIVATIONS.jsonl    who became active when, and why
        .checked.json        whose files have been compared with their manifests; may be lost
        <id>/                manifest.json and the files that it lists
        .build.json          how far the newest build is, for whoever watches it; may be lost
        .building/           what the stages of a build that is under way, or was killed, have made
        .new-…/              a build that is being written, or was killed; ignored and swept
        .old-…/              a generation that is being removed; likewise
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from recommender.durable_files import FileEntry, difference, sync, synced_sha256, write_durably
from recommender.errors import CorruptGeneration, NotFound, RecommenderError
from recommender.generation.activations import Entry, entry_of, is_entry, predecessor
from recommender.generation.build_progress import PROGRESS
from recommender.generation.checked import NOTE, note_checked, was_checked
from recommender.generation.contents import Contents, file_names
from recommender.generation.manifest import MANIFEST, Manifest, check_allowed, manifest_of
from recommender.profile import BuildSettings

CURRENT = "CURRENT"
ACTIVATIONS = "ACTIVATIONS.jsonl"
UNFINISHED = ".new-"
REMOVED = ".old-"
_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True, eq=False)
class Generation:
    """A loaded generation: its manifest, the settings it serves with, and its contents."""

    id: str
    manifest: Manifest
    settings: BuildSettings
    contents: Contents


class Generations:
    """The generations below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self) -> list[str]:
        """Ids of all finished generations, newest first."""
        if not self.root.is_dir():
            return []
        return sorted((path.name for path in self.root.iterdir() if is_id(path.name) and path.is_dir()), reverse=True)

    def current_id(self) -> str | None:
        """Id of the active generation; None before the first activation."""
        try:
            return (self.root / CURRENT).read_text(encoding="ascii", errors="replace").strip() or None
        except FileNotFoundError:
            return None

    def manifest(self, generation_id: str) -> Manifest:
        """The manifest of a generation.

        Raises `NotFound`, `CorruptGeneration` when it is not one, and `RecommenderError` when it cannot be read now.
        """
        folder = self._folder(generation_id)
        try:
            content = (folder / MANIFEST).read_bytes()
        except OSError as error:
            raise _unreadable(generation_id, MANIFEST, error, folder) from error
        return manifest_of(generation_id, content)

    def verify(self, generation_id: str) -> Manifest:
        """Compare every file with the manifest.

        Raises `NotFound`, `CorruptGeneration` naming the first bad file and why, and `RecommenderError` when one cannot be
        read now.
        """
        manifest = self.manifest(generation_id)
        folder = self._folder(generation_id)
        check_complete(manifest)
        for name, entry in manifest.files.items():
            path = folder / name
            try:
                why = difference(path, entry)
            except OSError as error:
                raise _unreadable(generation_id, name, error, folder) from error
            if why:
                raise CorruptGeneration(generation_id, name, why)
        self.note_sound(manifest)
        return manifest

    def note_sound(self, manifest: Manifest) -> None:
        """Remember that all files of a generation are as its manifest says, so that they need not be compared again."""
        note_checked(self.root, manifest.id, self._files(manifest), self.ids())

    def noted(self) -> list[Manifest]:
        """The manifests of the generations whose files were compared and have not been touched since."""
        found = []
        for generation_id in self.ids():
            with suppress(RecommenderError):
                manifest = self.manifest(generation_id)
                if was_checked(self.root, generation_id, self._files(manifest)):
                    found.append(manifest)
        return found

    def sound(self, generation_id: str) -> Manifest:
        """The manifest, after `verify` unless the files were checked before and have not been touched since. Raises what that raises."""
        manifest = self.manifest(generation_id)
        there = set(manifest.files) >= set(file_names())
        return manifest if there and was_checked(self.root, generation_id, self._files(manifest)) else self.verify(generation_id)

    def _files(self, manifest: Manifest) -> list[Path]:
        return [self.root / manifest.id / name for name in (MANIFEST, *manifest.files)]

    def load(self, generation_id: str, *, verify: bool = True) -> Generation:
        """Load a generation, by default after checking every file that has not been checked since it was last touched.

        Raises `NotFound`, `CorruptGeneration`, and `RecommenderError` when it cannot be read now, such as for want of memory
        or file handles.
        """
        manifest = self.sound(generation_id) if verify else self.manifest(generation_id)
        folder = self._folder(generation_id)
        try:
            contents = Contents.read(folder)
            settings = BuildSettings.model_validate(manifest.profile)
        except (OSError, EOFError, ValueError, RuntimeError, KeyError) as error:
            raise _unreadable(generation_id, "contents", error, folder) from error
        return Generation(generation_id, manifest, settings, contents)

    def add(self, contents: Contents, describe: Callable[[str, dict[str, FileEntry]], Manifest], *, now: datetime) -> Manifest:
        """Write a generation and return its manifest; it exists completely or not at all, also after a power cut.

        `describe(id, files)` makes the manifest once the files are known. The id holds the time and a digest of the files.
        Raises `RecommenderError` when the files cannot be written; nothing is left of them then.
        """
        self.sweep()
        unfinished = self.root / f"{UNFINISHED}{now:%Y%m%dT%H%M%S}-{os.getpid()}"
        with self._writing("a generation"):
            unfinished.mkdir(parents=True)
            try:
                return self._add(unfinished, contents, describe, now)
            except BaseException:
                # On a full disk, the space that the next build needs.
                shutil.rmtree(unfinished, ignore_errors=True)
                raise

    def _add(
        self, unfinished: Path, contents: Contents, describe: Callable[[str, dict[str, FileEntry]], Manifest], now: datetime
    ) -> Manifest:
        try:
            contents.write(unfinished)
        except RuntimeError as error:
            # So FAISS tells that it could not write.
            raise OSError(str(error).strip().splitlines()[-1]) from error
        with ThreadPoolExecutor(2) as pool:
            sums = list(pool.map(lambda name: synced_sha256(unfinished / name), file_names()))
        files = {
            name: FileEntry(sha256=digest, size=(unfinished / name).stat().st_size) for name, digest in zip(file_names(), sums, strict=True)
        }
        digest = hashlib.sha256("".join(sums).encode()).hexdigest()[:8]
        manifest = describe(f"{now:%Y%m%dT%H%M%S}-{digest}", files)
        write_durably(unfinished / MANIFEST, manifest.model_dump_json(indent=2))
        sync(unfinished)
        finished = self.root / manifest.id
        if finished.exists():
            shutil.rmtree(unfinished)
            return self.manifest(manifest.id)
        unfinished.rename(finished)
        sync(self.root)
        return manifest

    def activate(self, generation_id: str, *, now: datetime, reason: str = "") -> str | None:
        """Make a generation the serving one and return the id of the one before.

        Checks its files first. Raises `NotFound`, `CorruptGeneration`, `RefusedGeneration` when its gate refused it and no
        `reason` is given, or `RecommenderError` when the folder cannot be written to.
        """
        return self._activate(generation_id, now, reason, rollback=False)

    def _activate(self, generation_id: str, now: datetime, reason: str, *, rollback: bool) -> str | None:
        manifest = self.verify(generation_id)
        check_allowed(manifest, reason)
        with self._writing("the active generation's name"), self._activating() as log:
            # It may have been pruned while its files were checked.
            self._folder(generation_id)
            previous = self.current_id()
            self._note(log, entry_of(generation_id, previous, now=now, reason=reason, passed=manifest.passed, rollback=rollback))
        return previous

    def follow(self, generation_id: str, *, now: datetime, reason: str) -> None:
        """Make a sound generation the serving one, as has been decided elsewhere; nothing happens where it is.

        Raises what `activate` raises, but for `RefusedGeneration`.
        """
        manifest = self.sound(generation_id)
        with self._writing("the active generation's name"), self._activating() as log:
            self._folder(generation_id)
            previous = self.current_id()
            if previous != generation_id:
                self._note(log, entry_of(generation_id, previous, now=now, reason=reason, passed=manifest.passed, rollback=False))

    def _note(self, log: BinaryIO, entry: Entry) -> None:
        log.write(json.dumps(entry).encode() + b"\n")
        log.flush()
        os.fsync(log.fileno())
        write_durably(self.root / CURRENT, entry["id"] + "\n")

    @contextmanager
    def _activating(self) -> Iterator[BinaryIO]:
        """The log of activations, at its end, where the next line starts; whoever has it locked may replace CURRENT."""
        with (self.root / ACTIVATIONS).open("a+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            if log.seek(0, os.SEEK_END):
                log.seek(-1, os.SEEK_END)
                if log.read() != b"\n":
                    # A crash cut the last line short; it must not take the next one with it.
                    log.write(b"\n")
            yield log

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecommenderError(f"cannot write {what} below {self.root}: {error}; the active generation is as it was") from error

    def rollback(self, *, now: datetime, reason: str = "") -> tuple[str, str]:
        """Activate the generation that was active before the current one; returns (active now, active before).

        Raises `NotFound` when there is none to go back to, and what `activate` raises.
        """
        current = self.current_id()
        target = self._before(current)
        if current is None or target is None:
            raise NotFound("generation before", current or "the first", "nothing earlier was activated that still exists")
        self._activate(target, now, reason or f"rollback from {current}", rollback=True)
        return target, current

    def _before(self, current: str | None) -> str | None:
        return predecessor(self.activations(), current, self.ids())

    def activations(self) -> list[Entry]:
        """The log of activations, oldest first; a line cut short by a crash is left out."""
        try:
            lines = (self.root / ACTIVATIONS).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if is_entry(entry):
                entries.append(entry)
        return entries

    def sweep(self) -> None:
        """Remove what killed builds left behind. Only the holder of the writer's lock may call it."""
        with self._writing("anything"):
            for pattern in (f"{UNFINISHED}*", f"{REMOVED}*"):
                for path in self.root.glob(pattern):
                    shutil.rmtree(path)
            for pattern in (f"{NOTE}.*", f"{PROGRESS}.*"):
                for path in self.root.glob(pattern):
                    path.unlink(missing_ok=True)
            if any(self.root.glob(f".{CURRENT}.*")):
                with self._activating():
                    for path in self.root.glob(f".{CURRENT}.*"):
                        path.unlink()

    def in_use(self) -> set[str]:
        """Ids of the active generation and of the one to go back to, as far as there are such."""
        current = self.current_id()
        return {generation_id for generation_id in (current, self._before(current)) if generation_id is not None}

    def to_prune(self, keep: int) -> list[str]:
        """Ids of all but the newest `keep` generations, the active one and its predecessor, newest first."""
        protected = {*self.ids()[:keep], *self.in_use()}
        return [generation_id for generation_id in self.ids() if generation_id not in protected]

    def prune(self, keep: int) -> list[str]:
        """Remove what `to_prune` names; returns the removed ids. Only the holder of the writer's lock may call it."""
        return self.remove(lambda: self.to_prune(keep)) if self.ids()[keep:] else []

    def remove(self, choose: Callable[[], list[str]]) -> list[str]:
        """Remove the generations whose ids `choose` gives; returns them. Only the holder of the writer's lock may call it."""
        with self._writing("anything"):
            # No other one may become active between the choice and the removal.
            with self._activating():
                removed = choose()
                # Renamed first, so that a kill leaves no generation that lacks some of its files.
                for generation_id in removed:
                    (self.root / generation_id).rename(self.root / f"{REMOVED}{generation_id}")
                if removed:
                    sync(self.root)
            for generation_id in removed:
                shutil.rmtree(self.root / f"{REMOVED}{generation_id}")
        return removed

    def withdraw(self, keep: int, *, into: Callable[[str], Path]) -> list[str]:
        """Move what `to_prune` names away, each to where `into` says, for whoever calls it to remove; returns their ids. Of a cache, which
        anybody may clear, without the writer's lock."""
        with self._writing("anything"), self._activating():
            removed = self.to_prune(keep)
            for generation_id in removed:
                (self.root / generation_id).rename(into(generation_id))
            if removed:
                sync(self.root)
        return removed

    def _folder(self, generation_id: str) -> Path:
        if not is_id(generation_id) or not (self.root / generation_id).is_dir():
            there = ", ".join(self.ids()[:5]) or "none yet; run `recommender reindex`"
            raise NotFound("generation", generation_id, f"there are: {there}")
        return self.root / generation_id


def check_complete(manifest: Manifest) -> None:
    """Raise `CorruptGeneration` where a file that a generation must have is not in its manifest."""
    for name in file_names():
        if name not in manifest.files:
            raise CorruptGeneration(manifest.id, name, "is not in the manifest")


def is_id(name: str) -> bool:
    """Whether `name` may be a generation's, which also keeps it from being a path to elsewhere."""
    return _ID.fullmatch(name) is not None


_LASTING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, None}
"""What the system says of files that are missing or no such files; whatever else it says, such as too many open files or an
I/O error, may pass."""

_PASSING = tuple(os.strerror(number) for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EACCES))
"""The same by their texts, since FAISS hands on only those."""


def _unreadable(generation_id: str, file: str, error: Exception, folder: Path) -> RecommenderError:
    """What a failure to read `file` means: corruption, unless trying again may help. Says nothing of where `folder` is."""
    if isinstance(error, OSError) and error.strerror:
        passes, why = error.errno not in _LASTING, error.strerror
        if isinstance(error.filename, str):
            why = f"{Path(error.filename).name}: {why}"
    else:
        why = (str(error) or type(error).__name__).splitlines()[0]
        passes = isinstance(error, RuntimeError) and any(text in why for text in _PASSING)
    why = why.replace(f"{folder}{os.sep}", "")
    if passes:
        return RecommenderError(f"generation {generation_id} cannot be read now: {file}: {why}; try again")
    return CorruptGeneration(generation_id, file, f"cannot be read ({why})")
