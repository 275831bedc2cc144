"""A tuning is handed the training events alone."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from eval.datasets.dataset import SECOND_US, Dataset, clicks, undated_events
from eval.datasets.lightgcn import read_lightgcn
from eval.datasets.sequences import read_sequences
from eval.tuning.training_part import READERS, TrainingPart, of_dataset, of_store, read_dataset, training_events
from indexing.progress import Lines
from recommender.errors import InvalidInput
from recommender.items import Item, ItemKind
from recommender.order import Order
from recommender.profile import BuildSettings
from recommender.settings import Settings

QUIET = Lines(StringIO())


class Untouchable:
    """Stands for a test part; looking at anything of it is an error."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"the test part was looked at: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test part was counted")


def timed(count: int) -> Dataset:
    """One person who clicks on item i at second i."""
    number = np.arange(count)
    items = [Item(str(item), ItemKind.PRODUCT) for item in number]
    return Dataset("timed", items, clicks(np.zeros(count, dtype=np.int64), number, SECOND_US * number), Order.TIME, ["0"], "")


def test_a_given_test_part_is_never_looked_at(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("0 0 1\n1 1 2\n")
    (tmp_path / "test.txt").write_text("0 3\n")
    dataset = read_lightgcn(tmp_path)
    object.__setattr__(dataset, "test", Untouchable())
    part = of_dataset(dataset, BuildSettings(), tmp_path / "cache", QUIET)
    assert sorted(zip(part.events.person.tolist(), part.events.item.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert part.catalogue.n == 4


def test_without_a_test_part_what_the_benchmark_judges_is_left_out() -> None:
    assert training_events(timed(10)).item.tolist() == [0, 1, 2, 3, 4, 5]


def test_of_sequences_the_last_item_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "Toys.txt").write_text("1 3 1 2\n2 2 4\n")
    events = training_events(read_sequences(tmp_path))
    assert list(zip(events.person.tolist(), events.item.tolist(), strict=True)) == [(0, 2), (0, 0), (1, 1)]


def test_without_order_and_test_part_all_is_training() -> None:
    events = undated_events(np.array([0, 0]), np.array([0, 1]))
    items = [Item(str(number), ItemKind.PRODUCT) for number in range(2)]
    assert training_events(Dataset("plain", items, events, Order.NONE, ["0"], "")) is events


def test_what_lies_after_the_end_is_left_out(tmp_path: Path, deployment: Settings, present: BuildSettings, data: TrainingPart) -> None:
    assert of_dataset(timed(10), BuildSettings(), tmp_path, QUIET, until=3 * SECOND_US).events.item.tolist() == [0, 1, 2]
    middle = int(np.median(data.events.at))
    early = of_store(deployment, present, QUIET, until=middle)
    assert len(early.events) == np.count_nonzero(data.events.at < middle)


def test_no_events_are_refused(tmp_path: Path, deployment: Settings, present: BuildSettings) -> None:
    with pytest.raises(InvalidInput, match="events: given 'none'"):
        of_store(deployment, present, QUIET, until=0)
    with pytest.raises(InvalidInput, match="events: given 'none'"):
        of_dataset(timed(0), BuildSettings(), tmp_path, QUIET)


def test_the_fingerprint_changes_with_an_event_and_with_a_text(tmp_path: Path) -> None:
    dataset = timed(10)
    later = replace(dataset, events=replace(dataset.events, at=dataset.events.at + 1))
    named = replace(dataset, items=[Item("0", ItemKind.PRODUCT, categories=("toys",)), *dataset.items[1:]])
    prints = {of_dataset(one, BuildSettings(), tmp_path, QUIET).fingerprint for one in (dataset, dataset, later, named)}
    assert len(prints) == 3


def test_a_training_part_says_what_it_is(data: TrainingPart) -> None:
    assert data.description.startswith("1920 events of 160 people on ")
    assert (data.order, data.types) == (Order.TIME, {"watch"})


def test_unknown_formats_and_names_of_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"format: given 'csv', allowed: one of {', '.join(READERS)}"):
        read_dataset(tmp_path, "csv")
    with pytest.raises(InvalidInput, match="set: given 'Toys'"):
        read_dataset(tmp_path, "lightgcn", "Toys")
    (tmp_path / "Toys.txt").write_text("1 3 1 2\n")
    assert read_dataset(tmp_path, "sequences", "Toys").name == "Toys"
