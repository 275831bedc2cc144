"""The common type refuses numbers that nothing stands behind; docs/datasets.md lists the readers that there are."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import eval.datasets as package
from eval.datasets.dataset import Dataset, undated_events
from recommender.errors import InvalidInput
from recommender.items import Item, ItemKind
from recommender.order import Order

DOCUMENT = (Path(__file__).parents[2] / "docs/datasets.md").read_text(encoding="utf-8")
ITEMS = [Item(str(number), ItemKind.MEDIA) for number in range(3)]
EVENTS = undated_events(np.array([0, 1]), np.array([2, 0]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("items", [*ITEMS, ITEMS[0]]),
        ("items", ITEMS[:2]),
        ("people_ids", ["a"]),
        ("test", undated_events(np.array([0]), np.array([3]))),
        ("test", undated_events(np.array([2]), np.array([0]))),
        ("candidates", np.array([0, 3], dtype=np.uint32)),
        ("candidates", np.array([1, 0], dtype=np.uint32)),
        ("candidates", np.array([1, 1], dtype=np.uint32)),
        ("candidates", np.array([], dtype=np.uint32)),
    ],
)
def test_numbers_that_stand_for_nothing_are_refused(field: str, value: object) -> None:
    sound = {"name": "mine", "items": ITEMS, "events": EVENTS, "order": Order.NONE, "people_ids": ["a", "b"], "note": ""}
    Dataset(**sound)
    with pytest.raises(InvalidInput):
        Dataset(**{**sound, field: value})


def test_every_reader_stands_in_the_document_and_no_other() -> None:
    readers = set()
    for module in pkgutil.iter_modules(package.__path__):
        functions = inspect.getmembers(importlib.import_module(f"eval.datasets.{module.name}"), inspect.isfunction)
        readers |= {
            f"eval.datasets.{module.name}.{name}"
            for name, function in functions
            if name.startswith("read_") and name != "read_table" and function.__module__ == f"eval.datasets.{module.name}"
        }
    assert set(re.findall(r"`(eval\.datasets\.\w+\.read_\w+)`", DOCUMENT)) == readers
    assert len(readers) == 8
