"""Training and test part as two files of one's own, in the formats that an import takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from eval.material import Material
from indexing.importing.column_map import ColumnMap, ColumnPicker, check_columns
from indexing.importing.files import import_file
from indexing.importing.open_table import open_table
from indexing.importing.rows import BadRow
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.rows_to_items import item_from_row
from indexing.importing.schema import EVENTS, ITEMS, Schema
from indexing.importing.values import Values
from indexing.progress import Reporter
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import WITH_PORTION, Consent, Event, Subject
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.order import order_of
from recommender.times import to_micros

R = TypeVar("R")


def from_own_files(train: Path, test: Path, items: Path | None, report: Reporter) -> Material:
    """The events of `train` to learn from, those of `test` to judge on, and what `items` says of their items.

    An item that only the events name has an id alone and is of kind media; without `items` that is all of them. Consent that a row
    does not give is taken as given. Raises `InvalidInput` by file and line for the first row that is not as an import asks, an item
    that `items` has twice, and files without a row.
    """
    with report.stage("read"):
        told = {} if items is None else _items(items)
        known, wanted = _events(train), _events(test)
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*told, *(event.item_id for event in [*known, *wanted])]))}
    catalogue_items = [told.get(name) or Item(name, ItemKind.MEDIA) for name in numbers]
    people = {subject: number for number, subject in enumerate(dict.fromkeys(event.subject for event in [*known, *wanted]))}
    events = _table(known, people, numbers)
    return Material(
        train.name,
        catalogue_items,
        Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(catalogue_items)]),
        events,
        order_of(events),
        {number: subject for subject, number in people.items()},
        test=_table(wanted, people, numbers),
    )


def _items(path: Path) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for line, item in _records(path, ITEMS, lambda values, untyped: item_from_row(values, untyped=untyped)):
        if item.id in found:
            raise InvalidInput(f"{path}:{line}", item.id, "each item once")
        found[item.id] = item
    return found


def _events(path: Path) -> list[Event]:
    found = [event for _, event in _records(path, EVENTS, lambda values, untyped: event_from_row(values))]
    if not found:
        raise InvalidInput(str(path), "no event", "a file with events")
    return found


def _records(path: Path, schema: Schema, made_of: Callable[[Values, bool], R]) -> Iterator[tuple[int, R]]:
    """Every row's line and record."""
    file, mapping = import_file(path), ColumnMap(schema)
    picker = ColumnPicker(mapping)
    with open_table(file) as table:
        if table.columns:
            check_columns(table.columns, mapping, file)
        for row in table.rows:
            if isinstance(row, BadRow):
                raise InvalidInput(f"{path}:{row.line}", row.raw, f"a row that can be read ({row.problem})")
            try:
                yield row.line, made_of(picker.pick(row.values), table.untyped)
            except InvalidInput as error:
                raise InvalidInput(f"{path}:{row.line}: {error.field}", error.given, error.allowed) from error


def _table(events: list[Event], people: Mapping[Subject, int], items: Mapping[str, int]) -> EventTable:
    amounts = [event.portion if event.type in WITH_PORTION else event.value for event in events]
    return EventTable.sorted(
        np.array([people[event.subject] for event in events], dtype=np.uint32),
        np.array([items[event.item_id] for event in events], dtype=np.uint32),
        np.array([event.type for event in events], dtype=np.uint8),
        np.array([np.nan if amount is None else amount for amount in amounts], dtype=np.float32),
        np.array([0 if event.at is None else to_micros(event.at) for event in events], dtype=np.int64),
        np.array([Consent.ALL if event.consent is None else event.consent for event in events], dtype=np.uint8),
        np.arange(len(events), dtype=np.int64),
    )
