"""What a tuning may look at: a catalogue and the training part of its events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from eval.bench.sets import ROLLING_SHARES
from eval.datasets.citeulike import read_citeulike
from eval.datasets.dataset import Dataset
from eval.datasets.lightgcn import read_lightgcn
from eval.datasets.mind import read_mind
from eval.datasets.movielens_latest import read_movielens
from eval.datasets.sequences import read_sequences
from indexing.embedding import embed_items, find_embedder
from indexing.embedding.text import embedding_text
from indexing.progress import Reporter
from indexing.snapshot import read_snapshot
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemState
from recommender.judging import cut_at_share
from recommender.judging.cuts import leave_last_out
from recommender.order import Order, order_of
from recommender.profile import BuildSettings
from recommender.settings import Settings
from recommender.store import open_store
from recommender.vectors import VectorIndex

TRAINING_SHARE = ROLLING_SHARES[0]
"""Of a data set with times and no test part of its own, the oldest share is for training: what the benchmark judges lies after it."""


@dataclass(frozen=True, eq=False)
class TrainingPart:
    """A catalogue of n items, their vectors, and the events that may be learnt from and validated on.

    `has_vector`: shape (n,). `name` and `fingerprint` say what data these are; the latter changes when an event or a text does.
    """

    name: str
    catalogue: Catalogue
    vectors: VectorIndex
    has_vector: npt.NDArray[np.bool_]
    events: EventTable
    fingerprint: str

    @property
    def order(self) -> Order:
        """What the events' times tell."""
        return order_of(self.events)

    @property
    def types(self) -> frozenset[str]:
        """The types of the events, as in the settings of event weights."""
        return frozenset(EventType(int(number)).name.lower() for number in np.unique(self.events.type))

    @property
    def description(self) -> str:
        """Numbers of events, people and items, and the fingerprint."""
        people, items = (len(np.unique(column)) for column in (self.events.person, self.events.item))
        return f"{len(self.events)} events of {people} people on {items} of {self.catalogue.n} items, sha256 {self.fingerprint[:16]}"


READERS: Mapping[str, Callable[[Path, str], Dataset]] = {
    "citeulike": lambda folder, name: read_citeulike(folder),
    "lightgcn": lambda folder, name: read_lightgcn(folder),
    "mind": lambda folder, name: read_mind(folder),
    "movielens": lambda folder, name: read_movielens(folder),
    "sequences": read_sequences,
}
"""Readers of data sets by format, from a folder and the name of a set in it; the sequences' folder alone holds several."""


def read_dataset(folder: Path, layout: str, name: str = "") -> Dataset:
    """The data set of a folder. Raises `InvalidInput` for an unknown layout, a name where there is but one set, and bad files."""
    if layout not in READERS:
        raise InvalidInput("format", layout, f"one of {', '.join(READERS)}")
    if name and layout != "sequences":
        raise InvalidInput("set", name, f"no name, since a folder in the format {layout} holds one set")
    return READERS[layout](folder, name)


def training_events(dataset: Dataset) -> EventTable:
    """The events that are for training: without the part that judges, whether its publishers fixed one or `recommender eval` cuts it.

    A given test part is never looked at. Otherwise what is left out is what the benchmark's windows judge, the newest two fifths of what
    has times, and the last item of each person's sequence. Data without order and without a test part are for training as a whole.
    """
    events = dataset.events
    if dataset.test is not None or not len(events):
        return events
    match dataset.order:
        case Order.TIME:
            return events.before(cut_at_share(events, TRAINING_SHARE))
        case Order.SEQUENCE:
            return leave_last_out(events).training
        case Order.NONE:
            return events


def of_dataset(dataset: Dataset, settings: BuildSettings, cache: Path, report: Reporter, *, until: int | None = None) -> TrainingPart:
    """The training part of a data set, only what is before `until` (µs) where it is given; vectors are kept in the folder `cache`.

    Raises `InvalidInput` where nothing is left.
    """
    events = training_events(dataset)
    events = events if until is None else events.before(until)
    catalogue = Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(dataset.items)])
    return _part(dataset.name, catalogue, dataset.items, events, settings, cache, report)


def of_store(deployment: Settings, settings: BuildSettings, report: Reporter, *, until: int | None = None) -> TrainingPart:
    """The events of a store, only those before `until` (µs) where it is given. Raises `InvalidInput` where there are none."""
    with open_store(deployment.store_place) as store, report.stage("read") as advance:
        snapshot = read_snapshot(store, progress=lambda what, done, total: advance(done, total))
        name = PurePath(store.name).name
    events = snapshot.events if until is None else snapshot.events.before(until)
    return _part(name, snapshot.catalogue, snapshot.items, events, settings, deployment.cache_path, report)


def _part(
    name: str, catalogue: Catalogue, items: Sequence[Item], events: EventTable, settings: BuildSettings, cache: Path, report: Reporter
) -> TrainingPart:
    if not len(events):
        raise InvalidInput("events", "none", "data with events to learn from")
    with report.stage("embed") as advance:
        embedded = embed_items(items, lambda: find_embedder(settings.embedder, settings.embed_precision), cache, progress=advance)
        vectors = embedded.indexed(settings)
    return TrainingPart(name, catalogue, vectors, embedded.has_vector, events, _fingerprint(items, events))


def _fingerprint(items: Sequence[Item], events: EventTable) -> str:
    digest = hashlib.sha256()
    for column in (events.person, events.item, events.type, events.value, events.at, events.consent):
        digest.update(np.ascontiguousarray(column).tobytes())
    for item in items:
        digest.update(repr((item.id, embedding_text(item), item.embedding, item.categories, item.tags)).encode())
    return digest.hexdigest()
