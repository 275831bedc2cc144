"""What is judged on: a catalogue, what people did with it, and who they are, from the store or from the files of a public set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from eval.datasets.citeulike import Cut, read_citeulike
from eval.datasets.dataset import Dataset
from eval.datasets.impressions import Impressions
from eval.datasets.lightgcn import read_lightgcn
from eval.datasets.mind import read_mind
from eval.datasets.movielens_latest import read_movielens
from eval.datasets.sequences import read_sequences
from indexing.progress import Reporter
from indexing.snapshot import read_snapshot
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import Subject
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemState
from recommender.order import Order, order_of
from recommender.store import open_store


@dataclass(frozen=True, eq=False)
class Material:
    """`items` row by row the same as `catalogue`. `people`: by the number that `events` and `test` have. `test`: the part that the
    publishers of a set hold out, None where they do not; `candidates`: the only item numbers that may be ranked in it, None for all.
    `impressions`: what was shown, where a set says so in a part of its own; otherwise it is to be seen from the events, if at all."""

    name: str
    items: list[Item]
    catalogue: Catalogue
    events: EventTable
    order: Order
    people: Mapping[int, Subject]
    test: EventTable | None = None
    candidates: npt.NDArray[np.uint32] | None = None
    impressions: Impressions | None = None


def from_store(where: Path | str, report: Reporter) -> Material:
    """All that the store at `where` holds. Raises `InvalidInput` where there are no events, and what opening a store raises."""
    with open_store(where) as store, report.stage("read") as advance:
        snapshot = read_snapshot(store, progress=lambda what, done, total: advance(done, total))
        people = dict(store.subjects())
    if not len(snapshot.events):
        raise InvalidInput("events", "none", "a store with events; add some with `recommender import events FILE`")
    # Events outlive a session that nobody came back to.
    nameless = set(np.unique(snapshot.events.person).tolist()) - people.keys()
    people |= {number: Subject.session(f"forgotten-{number}") for number in sorted(nameless)}
    return Material("store", snapshot.items, snapshot.catalogue, snapshot.events, order_of(snapshot.events), people)


def from_files(folder: Path, format: str, name: str, report: Reporter) -> Material:
    """A public set in `folder`. `format`: one of `FORMATS`; `name`: which set, where a folder holds several, else "".

    Raises `InvalidInput` for an unknown format or set, and by file and line for files that are missing or malformed.
    """
    if format not in FORMATS:
        raise InvalidInput("--format", format, f"one of {', '.join(FORMATS)}")
    with report.stage("read"):
        dataset = FORMATS[format](folder, name)
    return of_dataset(dataset)


def of_dataset(dataset: Dataset) -> Material:
    """A set in memory; all its items are live, all its people users."""
    catalogue = Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(dataset.items)])
    people = {number: Subject.user(name) for number, name in enumerate(dataset.people_ids)}
    parts = dataset.test, dataset.candidates, dataset.impressions
    return Material(dataset.name, dataset.items, catalogue, dataset.events, dataset.order, people, *parts)


def _citeulike(folder: Path, name: str) -> Dataset:
    cut: Cut
    for cut in get_args(Cut):
        if name in (cut, "") or name == f"{cut}/titles":
            return read_citeulike(folder, split=cut, tags=not name.endswith("/titles"))
    cuts = ", ".join(get_args(Cut))
    raise InvalidInput("--set", name, f"one of {cuts}, each also with /titles behind it for papers without tags")


def _single(read: Callable[[Path], Dataset]) -> Callable[[Path, str], Dataset]:
    def reading(folder: Path, name: str) -> Dataset:
        if name:
            raise InvalidInput("--set", name, "no name, since a folder of this format holds one set")
        return read(folder)

    return reading


FORMATS: Mapping[str, Callable[[Path, str], Dataset]] = {
    "movielens": _single(read_movielens),
    "lightgcn": _single(read_lightgcn),
    "sequences": read_sequences,
    "citeulike": _citeulike,
    "mind": _single(read_mind),
}
"""Readers by format; each takes a folder and the name of a set in it."""
