"""One build, from the store to a published generation: read, embed, judge a twin, fit, check, publish, prune."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version

from pydantic import ValidationError

from indexing.embedding import embed_items, find_embedder
from indexing.fitting import fit
from indexing.gate import check_contents, check_feeds, check_judgement, check_vectors
from indexing.learning import learn
from indexing.progress import Reporter, within
from indexing.snapshot import Snapshot, read_snapshot
from indexing.twin import TwinReport, judge_twin
from indexing.writer_lock import writer_lock
from recommender.engine import Recommender
from recommender.errors import CorruptGeneration, InvalidInput
from recommender.generation import Contents, FileEntry, GateCheck, Generations, Manifest
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.settings import Settings
from recommender.store import open_store

LIBRARIES = ("numpy", "scipy", "faiss-cpu", "implicit", "lightgbm", "pyarrow", "torch", "sentence-transformers", "transformers")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a build came to: its manifest, whether it was activated, and the twin's report.

    `embedded` counts texts that had to be encoded, `cached` those that had not. `pruned`: ids of removed generations.
    """

    manifest: Manifest
    activated: bool
    twin: TwinReport
    embedded: int
    cached: int
    pruned: list[str]


def reindex(
    settings: Settings,
    build: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    now: datetime,
    keep: int = 3,
    force: str = "",
) -> Outcome:
    """Build a generation from the store and publish it.

    It is activated when its gate passes, or when `force` gives a reason; otherwise it is kept, inactive, for inspection. The
    active generation serves on until the very last step, so that a build may be killed at any moment. Raises `Locked` when
    another build is running, `InvalidInput` for an empty catalogue, and what opening the store raises.
    """
    generations = Generations(settings.generations_path)
    # The store first: a mistyped folder must not be made by taking a lock in it.
    with open_store(settings.store_place) as store, writer_lock(settings.generations_path, now=now):
        generations.sweep()
        parent = _parent(generations)
        with report.stage("read") as advance:
            snapshot = read_snapshot(store, progress=lambda what, done, total: advance(done, total))
        if not snapshot.catalogue.n:
            raise InvalidInput("catalogue", "no items", "at least one; add some with `recommender import items FILE`")
        with report.stage("embed") as advance:
            embedded = embed_items(
                snapshot.items,
                lambda: find_embedder(build.embedder, build.embed_precision),
                settings.cache_path,
                progress=advance,
            )
        with report.stage("index vectors") as advance:
            vectors = embedded.indexed(build)
            advance(vectors.size, vectors.size)
        # Learning needs the memory that the texts and the vectors in full precision take.
        snapshot, embedded = replace(snapshot, items=[]), replace(embedded, vectors=embedded.vectors[:0].copy())
        with report.stage("judge a twin") as advance:
            twin = judge_twin(
                snapshot.catalogue,
                vectors,
                embedded.has_vector,
                snapshot.events,
                build,
                placement,
                parent=_settings_of(parent) if parent else None,
                progress=advance,
                part=within(report.part, "twin"),
            )
        with report.stage("learn") as advance:
            if twin.comparison is None:
                contents = fit(
                    snapshot.catalogue, vectors, embedded.has_vector, snapshot.events, build, placement, part=report.part
                ).contents
            else:
                # Where the newest events are too few to learn a blend from, the one that was judged is published.
                learnt = twin.learnt or twin.judged_with
                blend = learnt.blend if learnt else None
                contents = learn(
                    snapshot.catalogue, vectors, embedded.has_vector, snapshot.events, build, blend, earlier=twin.sequence, part=report.part
                )
            advance(1, 1)
        with report.stage("list what is alike") as advance:
            alike = Recommender.unpublished(contents, build).alike_lists(placement, now=now, progress=advance)
            contents = replace(contents, alike=alike)
        with report.stage("check"):
            checks = [check_vectors(embedded), *_checks(contents, build, placement, parent, snapshot, twin, now)]
        with report.stage("publish") as advance:

            def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
                return Manifest(
                    id=generation_id,
                    created_at=now,
                    parent=parent.id if parent else None,
                    items=snapshot.catalogue.n,
                    events=len(snapshot.events),
                    watermark=snapshot.watermark,
                    profile=build.model_dump(mode="json"),
                    profile_hash=build.hash,
                    embedder=embedded.embedder,
                    dimension=vectors.dimension,
                    seed=build.seed,
                    libraries={name: version(name) for name in LIBRARIES},
                    judged=twin.description,
                    metrics=twin.metrics,
                    checks=tuple(checks),
                    files=files,
                )

            manifest = generations.add(contents, describe, now=now)
            advance(1, 2)
            activated = manifest.passed or bool(force)
            if activated:
                generations.activate(manifest.id, now=now, reason=force)
            pruned = generations.prune(keep)
            advance(2, 2)
        return Outcome(manifest, activated, twin, embedded.embedded, embedded.cached, pruned)


def _parent(generations: Generations) -> Manifest | None:
    """The active generation's manifest; None where there is none or it can no longer be read, which a new build must survive."""
    current = generations.current_id()
    if current is None or current not in generations.ids():
        return None
    try:
        return generations.manifest(current)
    except CorruptGeneration:
        return None


def _settings_of(parent: Manifest) -> BuildSettings | None:
    """The settings that the parent was built with; None for those of a release whose settings differ from this one's."""
    try:
        return BuildSettings.model_validate(parent.profile)
    except ValidationError:
        return None


def _checks(
    contents: Contents,
    build: BuildSettings,
    placement: Placement,
    parent: Manifest | None,
    snapshot: Snapshot,
    twin: TwinReport,
    now: datetime,
) -> list[GateCheck]:
    engine = Recommender.unpublished(contents, build)
    return [
        *check_contents(contents, parent, len(snapshot.events)),
        *check_feeds(engine, placement, now),
        *check_judgement(twin.comparison, twin.why_not, twin.over_parent),
    ]
