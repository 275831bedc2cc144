"""The stages of a build, each done once: what a killed build has finished is taken over instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from indexing.beside import Beside
from indexing.checkpoint import Checkpoint, Form
from indexing.checkpoint.forms import CHECKED, ENCODER, INDEXED, READ, RECORD, Indexed, Read, learnt_of, without_vectors
from indexing.embedding import CatalogueVectors, Wanted, embed_wanted, find_embedder, query_encoder
from indexing.embedding.catalogue_vectors import NOTHING, OWN
from indexing.fitting import fit
from indexing.following import Followed
from indexing.gate import Latencies, all_checks
from indexing.learning import learn, sequence_beside
from indexing.progress import Stage, within
from indexing.snapshot import read_snapshot
from indexing.twin import TwinReport, judge_twin
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.generation import Contents, GateCheck, Manifest
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.search.query_encoder import QueryEncoder
from recommender.search.word_index import WordIndex
from recommender.sequence_model import SequenceModel
from recommender.store import Store

Made = TypeVar("Made")

EMBED = "embed"


@dataclass(frozen=True, eq=False)
class Making:
    """One build with `settings`, as of what `kept.begun` says. `cache`: the folder of cached vectors."""

    settings: BuildSettings
    placement: Placement
    store: Store
    cache: Path
    kept: Checkpoint
    report: Followed
    ahead: list[Beside[SequenceModel]] = field(default_factory=list)
    """The sequence model of everything, where its learning began while the twin was judged."""

    def read(self) -> Read:
        """The catalogue and all events, up to the watermark. Raises `InvalidInput` for an empty catalogue."""

        def make(advance: Stage) -> Read:
            watermark = self.kept.begun.watermark
            snapshot = read_snapshot(self.store, upto=watermark, progress=lambda what, done, total: advance(done, total))
            if not snapshot.catalogue.n:
                raise InvalidInput("catalogue", "no items", "at least one; add some with `recommender import items FILE`")
            # Of the texts no more is kept than is embedded.
            return Read(replace(snapshot, items=[]), [Wanted.of(item) for item in snapshot.items])

        return self._made("read", READ, make)

    def indexed(self, read: Read) -> Indexed:
        """All vectors in an index; afterwards nothing holds them in full precision."""

        def embed(advance: Stage) -> CatalogueVectors:
            find = partial(find_embedder, self.settings.embedder, self.settings.embed_precision)
            return embed_wanted(read.wanted, find, self.cache, progress=advance)

        def index(advance: Stage) -> Indexed:
            vectors = embedded.indexed(self.settings)
            advance(vectors.size, vectors.size)
            return Indexed(vectors, without_vectors(embedded))

        name = "index vectors"
        done = self.kept.get(name, INDEXED)
        if done is not None:
            for stage in (EMBED, name):
                self._taken_over(stage)
            return done
        embedded: CatalogueVectors = self._made(EMBED, RECORD, embed)
        made = self._made(name, INDEXED, index)
        self.kept.drop(EMBED)
        return made

    def twin(self, read: Read, indexed: Indexed, parent: BuildSettings | None) -> TwinReport:
        """The judgement on held-out time, beside the `parent`'s settings where there are any."""

        def make(advance: Stage) -> TwinReport:
            return judge_twin(
                read.snapshot.catalogue,
                indexed.index,
                indexed.embedded.has_vector,
                read.snapshot.events,
                self.settings,
                self.placement,
                parent=parent,
                on_sequence=lambda earlier: self.ahead.append(self._sequence(read, earlier)),
                progress=advance,
                part=within(self.report.part, "twin"),
            )

        twin: TwinReport = self._made("judge a twin", RECORD, make)
        return twin

    def contents(self, read: Read, indexed: Indexed, twin: TwinReport) -> Contents:
        """All that is learnt of everything, with what is like each item."""
        given = read.snapshot.catalogue, indexed.index, indexed.embedded.has_vector, read.snapshot.events, self.settings

        def make(advance: Stage) -> Contents:
            if twin.comparison is None:
                made = fit(*given, self.placement, part=self.report.part).contents
            else:
                # Where the newest events are too few to learn a blend from, the one that was judged is published.
                learnt = twin.learnt or twin.judged_with
                # It has not begun where the judgement was taken over from a killed build.
                sequence = self.ahead.pop() if self.ahead else self._sequence(read, twin.sequence)
                made = learn(*given, learnt.blend if learnt else None, sequence=sequence, part=self.report.part)
            advance(1, 1)
            return made

        contents = self._made("learn", learnt_of(read, indexed), make)
        contents = replace(contents, words=self._made("index words", RECORD, lambda advance: WordIndex.of(read.snapshot.catalogue)))
        contents = replace(contents, encoder=self._encoder(indexed.embedded.embedder))
        engine, at = Recommender.unpublished(contents, self.settings), self.kept.begun.at
        alike = self._made("list what is alike", RECORD, lambda advance: engine.alike_lists(self.placement, now=at, progress=advance))
        return replace(contents, alike=alike)

    def _sequence(self, read: Read, earlier: SequenceModel | None) -> Beside[SequenceModel]:
        """The sequence model of everything, begun, from the `earlier` one of the twin."""
        snapshot = read.snapshot
        return sequence_beside(snapshot.events, snapshot.catalogue, self.settings, earlier=earlier, part=self.report.part)

    def _encoder(self, embedder: str) -> QueryEncoder:
        """What makes vectors of queries by the model that made the catalogue's, `embedder` by name; none where there was none."""

        def make(advance: Stage) -> QueryEncoder:
            if embedder in (OWN, NOTHING):
                return QueryEncoder.none()
            made = query_encoder(find_embedder(self.settings.embedder, self.settings.embed_precision), self.cache)
            advance(1, 1)
            return made

        return self._made("export the query encoder", ENCODER, make)

    def checked(
        self, contents: Contents, read: Read, indexed: Indexed, twin: TwinReport, parent: Manifest | None, before: Recommender | None
    ) -> tuple[list[GateCheck], Latencies]:
        """What the gate finds, beside the `parent` and the engine of it, `before`, where it can be loaded."""

        def make(advance: Stage) -> tuple[list[GateCheck], Latencies]:
            return all_checks(
                (Recommender.unpublished(contents, self.settings), before),
                indexed.embedded,
                read.snapshot.events,
                twin,
                parent,
                self.placement,
                self.settings.gate,
                now=self.kept.begun.at,
                why_no_parent=why_not_judged(parent, self.settings),
            )

        return self._made("check", CHECKED, make)

    def _made(self, stage: str, form: Form[Made], make: Callable[[Stage], Made]) -> Made:
        with self.report.stage(stage) as advance:
            done = self.kept.get(stage, form)
            if done is not None:
                self.report.resumed()
                return done
            made = make(advance)
            self.kept.keep(stage, form, made)
            return made

    def _taken_over(self, stage: str) -> None:
        with self.report.stage(stage):
            self.report.resumed()


def settings_of(parent: Manifest) -> BuildSettings | None:
    """The settings that the parent was built with; None for those of a release whose settings differ from this one's."""
    try:
        return BuildSettings.model_validate(parent.profile)
    except ValidationError:
        return None


def why_not_judged(parent: Manifest | None, settings: BuildSettings) -> str:
    """Why the parent's settings are not fitted beside these; "" where they are."""
    if parent is None:
        return "there is no parent"
    theirs = settings_of(parent)
    if theirs is None:
        return f"the settings of {parent.id} are those of another release"
    return f"{parent.id} was built with the same settings, so that its fit at the cut is this one" if theirs.hash == settings.hash else ""
