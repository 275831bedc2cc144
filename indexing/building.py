"""One build, from the store to a published generation: read, embed, judge a twin, fit, check, publish, prune."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from indexing.checkpoint import Begun, Checkpoint, files_taken_in
from indexing.checkpoint.folder import ADDED
from indexing.checkpoint.forms import NAME
from indexing.following import Followed
from indexing.gate import Latencies
from indexing.importing.report import ImportReport
from indexing.making import Making, settings_of
from indexing.progress import Reporter
from indexing.taking_in import NO_FILES, Files
from indexing.twin import TwinReport
from recommender.engine import Recommender
from recommender.errors import CorruptGeneration, RecommenderError, Unchanged
from recommender.generation import FileEntry, Generations, Manifest
from recommender.generation.build_progress import BuildState, StageTook
from recommender.generation.writer_lock import writer_lock
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.retention import Expired, Rules, apply
from recommender.settings import Settings
from recommender.store import Store, open_store

if TYPE_CHECKING:
    from recommender.remote.writer import Writing

LIBRARIES = (
    "numpy",
    "scipy",
    "faiss-cpu",
    "implicit",
    "lightgbm",
    "pyarrow",
    "torch",
    "sentence-transformers",
    "transformers",
    "onnx",
    "onnxscript",
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a build came to: its manifest, whether it was activated, and the twin's report.

    `embedded` counts texts that had to be encoded, `cached` those that had not. `pruned`: ids of removed generations. `latencies`: how long
    feeds took. `stages`: those that were passed, in their order. `imported`: the reports on files that were taken in first.
    """

    manifest: Manifest
    activated: bool
    twin: TwinReport
    embedded: int
    cached: int
    pruned: list[str]
    latencies: Latencies
    stages: tuple[StageTook, ...]
    imported: tuple[ImportReport, ...] = ()


def reindex(
    settings: Settings,
    build: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    now: datetime,
    keep: int = 3,
    force: str = "",
    resume: bool = False,
    if_changed: bool = False,
    files: Files = NO_FILES,
    keep_expired: bool = False,
    on_expired: Callable[[Expired], None] = lambda expired: None,
) -> Outcome:
    """Build a generation from the store and publish it; the rows of `files` are imported into the store first.

    It is activated when its gate passes, or when `force` gives a reason; otherwise it is kept, inactive, for inspection. The
    active generation serves on until the very last step, so that a build may be killed at any moment.

    With `resume` it goes on with a killed build that began with the same settings, placement and libraries: as of that build's time and
    watermark, without doing its finished stages again, so that the same generation comes of it. What such a build left is thrown away
    otherwise. With `if_changed` nothing is built where the active generation is of the same settings and of the store as it is, with
    what files brought.

    Where `settings.generations` names a remote place, the generation is uploaded and activated there, and the data folder is a cache.

    In the end what has expired goes, unless `keep_expired`; also where nothing was built, and not after a failure, which a resumed build
    shall find the store as it was. `on_expired` hears of it. The build is published by then: where letting go fails, that is told, and done
    the next time.

    Raises `Locked` when another build is running or has taken the lease of this one, `Unchanged` as said, `ImportRefused` for files that
    cannot be read or have too many bad rows, `RemoteError`, `InvalidInput` for an empty catalogue, and what opening the store raises.
    """
    root = settings.generations_path
    generations = Generations(root)
    # The store first: a mistyped folder must not be made by taking a lock in it.
    with (
        open_store(settings.store_place, create=bool(files.items)) as store,
        writer_lock(root, now=now),
        _writing(settings, store, now) as writing,
    ):
        followed = Followed(root, report, now=now)

        def expire() -> None:
            if not keep_expired:
                on_expired(_expired(store, generations, Rules.of(settings), followed, now))

        try:
            generations.sweep()
            identity = files.identity()
            imported: tuple[ImportReport, ...] = ()
            if identity and resume and identity == files_taken_in(root):
                followed.tell("the files are in the store: the killed build has taken them in")
            else:
                imported = files.taken_in(settings, now=now, reporter=followed)
            active = generations.current_id()
            watermark = store.change_sequence()
            if if_changed:
                _refuse_unchanged(_readable(generations, active), build, watermark)
            libraries = {name: version(name) for name in LIBRARIES}
            begun = Begun.of(build, placement, libraries, at=now, watermark=watermark, active=active, files=identity)
            kept = Checkpoint.opened(root, begun, resume=resume, tell=followed.tell)
            making = Making(build, placement, store, settings.cache_path, kept, followed)
            with _not_for_ever(kept):
                outcome = _built(making, generations, writing, now=now, keep=keep, force=force)
                outcome = replace(outcome, imported=imported)
        except Unchanged as error:
            followed.ended(BuildState.UNCHANGED, generation=error.generation_id, message=str(error))
            expire()
            raise
        except BaseException as error:
            followed.ended(BuildState.FAILED, message=str(error) if isinstance(error, RecommenderError) else type(error).__name__)
            raise
        state = BuildState.PUBLISHED if outcome.activated else BuildState.REFUSED
        failed = "; ".join(f"{check.name}: {check.message}" for check in outcome.manifest.checks if not check.passed)
        followed.ended(state, generation=outcome.manifest.id, message=failed)
        expire()
        return outcome


def _expired(store: Store, generations: Generations, rules: Rules, followed: Followed, now: datetime) -> Expired:
    """Let go what has expired; how far that came where it fails."""
    try:
        expired = apply(store, generations, rules, now=now)
    except RecommenderError as error:
        followed.tell(f"what has expired could not all be let go: {error}")
        return Expired((), (str(error),), complete=False)
    for each in expired.expiring:
        if each.count:
            followed.tell(f"expired: {each.count:,} {each.rule}, about {each.bytes / 1e6:,.1f} MB")
    for note in expired.notes:
        followed.tell(note)
    return expired


@contextmanager
def _not_for_ever(kept: Checkpoint) -> Iterator[None]:
    """A build that was gone on with and failed all the same is not gone on with again: what it read may be the cause."""
    try:
        yield
    except Exception:
        if kept.resumed:
            kept.remove()
        raise


@contextmanager
def _writing(settings: Settings, store: Store, now: datetime) -> Iterator[Writing | None]:
    """Be the one writer of the remote place of generations while the block runs, with what is active there at hand; None where there is no
    such place."""
    if settings.generations is None:
        yield None
        return
    from recommender.remote.writer import remote_writer_of

    started = time.monotonic()
    remote = remote_writer_of(settings, store, lambda: now + timedelta(seconds=time.monotonic() - started))
    assert remote is not None
    with remote.writing("build") as writing:
        writing.follow()
        yield writing


def _built(making: Making, generations: Generations, writing: Writing | None, *, now: datetime, keep: int, force: str) -> Outcome:
    kept, report = making.kept, making.report
    parent = _readable(generations, kept.begun.active)
    read = making.read()
    indexed = making.indexed(read)
    # Nothing needs the texts any more, and learning needs the memory that they take.
    read.wanted.clear()
    twin = making.twin(read, indexed, settings_of(parent) if parent else None)
    contents = making.contents(read, indexed, twin)
    checks, latencies = making.checked(contents, read, indexed, twin, parent, _engine_of(generations, parent))
    with report.stage("publish") as advance:

        def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
            return Manifest(
                id=generation_id,
                created_at=kept.begun.at,
                parent=parent.id if parent else None,
                items=read.snapshot.catalogue.n,
                events=len(read.snapshot.events),
                watermark=read.snapshot.watermark,
                profile=making.settings.model_dump(mode="json"),
                profile_hash=making.settings.hash,
                embedder=indexed.embedded.embedder,
                dimension=indexed.index.dimension,
                seed=making.settings.seed,
                libraries=kept.begun.libraries,
                judged=twin.description,
                metrics=twin.metrics,
                checks=tuple(checks),
                files=files,
            )

        added = kept.get(ADDED, NAME)
        if added is None:
            manifest = generations.add(contents, describe, now=kept.begun.at)
            kept.keep(ADDED, NAME, manifest.id)
        else:
            manifest = generations.manifest(added)
        if writing is not None:
            # One that the gate refused as well: whoever looks at it, and activates it all the same, may do so from elsewhere.
            with report.part("upload"):
                writing.upload(manifest.id)
        advance(1, 2)
        activated = manifest.passed or bool(force)
        if activated and generations.current_id() != manifest.id:
            (writing or generations).activate(manifest.id, now=now, reason=force)
        pruned = generations.prune(keep)
        if writing is not None:
            pruned = writing.prune(keep)
        kept.remove()
        advance(2, 2)
    embedded = indexed.embedded
    return Outcome(manifest, activated, twin, embedded.embedded, embedded.cached, pruned, latencies, report.stages)


def _readable(generations: Generations, generation_id: str | None) -> Manifest | None:
    """A generation's manifest; None where there is none or it can no longer be read, which a new build must survive."""
    if generation_id is None or generation_id not in generations.ids():
        return None
    try:
        return generations.manifest(generation_id)
    except CorruptGeneration:
        return None


def _engine_of(generations: Generations, parent: Manifest | None) -> Recommender | None:
    """The parent's engine, to compare with; None where there is none, or it cannot be loaded, which a new build must survive."""
    if parent is None:
        return None
    try:
        return Recommender.of(generations.load(parent.id))
    except RecommenderError:
        return None


def _refuse_unchanged(active: Manifest | None, build: BuildSettings, watermark: int) -> None:
    """Raise `Unchanged` where the `active` generation is what a build would come to."""
    if active is not None and (active.profile_hash, active.watermark) == (build.hash, watermark):
        raise Unchanged(active.id, watermark)
