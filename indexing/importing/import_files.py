"""Importing files into the store of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from indexing.importing.column_map import ColumnMap
from indexing.importing.files import ImportFile
from indexing.importing.rejects import RejectLimit, Rejects
from indexing.importing.report import ImportReport
from indexing.importing.run import check, report, write
from indexing.importing.targets import EventTarget, ItemTarget
from indexing.progress import Reporter
from recommender.errors import InvalidInput
from recommender.events import Consent
from recommender.settings import Settings
from recommender.store import Store, open_store

DEFAULT_LIMIT = RejectLimit(share=0.01)
ITEMS_PER_WRITE = 5_000
EVENTS_PER_WRITE = 20_000
"""The more events are written at a time, the more of them share one change of a person's state; others who write wait for about
half a second."""
ITEMS_PER_SENDING, EVENTS_PER_SENDING = 1_000, 10_000
"""Rows that are sent to a running server before the next ones are read."""


@dataclass(frozen=True)
class ImportRequest:
    """What to import and how.

    `rejects`: the file for bad rows, None for one in the data folder. `limit`: how many rows may be bad. `batch`: rows per
    write, 1 or more. `dry_run`: check only. Raises `InvalidInput` naming the field.
    """

    files: tuple[ImportFile, ...]
    mapping: ColumnMap
    rejects: Path | None = None
    limit: RejectLimit = DEFAULT_LIMIT
    batch: int = ITEMS_PER_WRITE
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not self.files:
            raise InvalidInput("files", self.files, "one file or more")
        if self.batch < 1:
            raise InvalidInput("batch", self.batch, "1 or more")
        if (
            self.rejects is not None
            and self.rejects.exists()
            and any(self.rejects.samefile(file.path) for file in self.files if file.place is None)
        ):
            raise InvalidInput("rejects", str(self.rejects), "a file that is not itself imported")

    def rejects_path(self, settings: Settings, now: datetime) -> Path:
        """Where bad rows go."""
        return self.rejects or settings.data / "rejects" / f"{self.files[0].path.name}-{now:%Y%m%dT%H%M%S%f}.jsonl"


def import_items(request: ImportRequest, settings: Settings, *, now: datetime, reporter: Reporter) -> ImportReport:
    """Add items to the catalogue or replace them; makes the store where there is none.

    Raises `InvalidInput` for files that cannot be read as a whole, `ImportRefused` for too many bad rows; both before
    anything is written. Raises `StoreError` where the store cannot take the items.
    """
    target = ItemTarget(now=now)
    with Rejects(request.rejects_path(settings, now)) as rejects:
        checked = check(target, request.files, request.mapping, rejects, limit=request.limit, batch=request.batch, reporter=reporter)
        if request.dry_run:
            return report(checked, rejects, counts={}, dry_run=True)
        with _open(settings, create=True) as store:
            return write(checked, partial(target.write, store), rejects, reporter=reporter)


def import_events(request: ImportRequest, settings: Settings, *, now: datetime, reporter: Reporter) -> ImportReport:
    """Add events to the history; their items must be in the catalogue. Raises like `import_items`, and `NotFound` without a store."""
    with _open(settings, create=False) as store, Rejects(request.rejects_path(settings, now)) as rejects:
        target = EventTarget(
            store,
            now=now,
            consent_default=Consent.ALL if settings.consent_default == "all" else Consent.NONE,
            future_tolerance_s=settings.future_tolerance_s,
        )
        checked = check(target, request.files, request.mapping, rejects, limit=request.limit, batch=request.batch, reporter=reporter)
        if request.dry_run:
            return report(checked, rejects, counts={}, dry_run=True)
        return write(checked, partial(target.write, store), rejects, reporter=reporter)


def _open(settings: Settings, *, create: bool) -> Store:
    return open_store(settings.store_place, create=create, dedup_days=settings.dedup_days, future_tolerance_s=settings.future_tolerance_s)
