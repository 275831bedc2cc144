"""Files whose rows a build takes into the store before it reads it, by the very import that a command of its own does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from indexing.importing.column_map import parse_map
from indexing.importing.files import ImportFile, identity_of, import_file
from indexing.importing.import_files import EVENTS_PER_WRITE, ITEMS_PER_WRITE, ImportRequest, import_events, import_items
from indexing.importing.report import ImportReport
from indexing.importing.schema import EVENTS, ITEMS, Schema
from indexing.progress import Reporter
from recommender.errors import ImportRefused, InvalidInput
from recommender.settings import Settings

Import = Callable[..., ImportReport]


@dataclass(frozen=True)
class Files:
    """Files of items and of events, whose columns have the names that docs/import.md gives."""

    items: tuple[ImportFile, ...] = ()
    events: tuple[ImportFile, ...] = ()

    @classmethod
    def of(cls, items: Sequence[Path], events: Sequence[Path]) -> Files:
        """The files at these paths, their formats told by their endings. Raises `InvalidInput`."""
        return cls(tuple(map(import_file, items)), tuple(map(import_file, events)))

    def identity(self) -> str:
        """What becomes another one when a file is replaced or written to; "" for no files. Raises `InvalidInput` where one is gone."""
        named = [(schema.name, str(file.path.absolute()), identity_of(file)) for schema, files, _, _ in self._parts() for file in files]
        return hashlib.sha256(repr(named).encode()).hexdigest()[:12] if named else ""

    def taken_in(self, settings: Settings, *, now: datetime, reporter: Reporter) -> tuple[ImportReport, ...]:
        """Import the items, then the events, and give the report of each. Items make the store where there is none.

        Raises `ImportRefused` where a file cannot be read or has too many bad rows, and what writing to the store raises. Items stay
        that were taken in before events were refused.
        """
        done = []
        for schema, files, batch, take in self._parts():
            try:
                request = ImportRequest(files, parse_map(schema, ()), batch=batch)
                done.append(take(request, settings, now=now, reporter=reporter))
            except InvalidInput as error:
                raise ImportRefused(str(error)) from error
        return tuple(done)

    def _parts(self) -> Iterator[tuple[Schema, tuple[ImportFile, ...], int, Import]]:
        parts: tuple[tuple[Schema, tuple[ImportFile, ...], int, Import], ...] = (
            (ITEMS, self.items, ITEMS_PER_WRITE, import_items),
            (EVENTS, self.events, EVENTS_PER_WRITE, import_events),
        )
        return (part for part in parts if part[1])


NO_FILES = Files()
