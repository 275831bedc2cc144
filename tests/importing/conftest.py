"""A deployment in a temporary folder, and imports into it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexing.importing.column_map import parse_map
from indexing.importing.files import import_file
from indexing.importing.import_files import ImportRequest, import_events, import_items
from indexing.importing.rejects import parse_reject_limit
from indexing.importing.report import ImportReport
from indexing.importing.schema import EVENTS, ITEMS
from indexing.progress import Reporter, Stage, reporter
from recommender.settings import Settings, load_settings
from recommender.store import Store, open_store

NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)


class DoneAtStage:
    """Does something as soon as a stage of the given beginning starts; shows nothing."""

    def __init__(self, beginning: str, do: Callable[[], object]) -> None:
        self._beginning = beginning
        self._do = do

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        if name.startswith(self._beginning):
            self._do()
        yield lambda done, total=None: None


@dataclass(frozen=True)
class Deployment:
    """A data folder and the imports into it."""

    folder: Path
    settings: Settings

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def jsonl(self, name: str, rows: Iterable[object]) -> Path:
        return self.file(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def parquet(self, name: str, rows: list[dict[str, object]]) -> Path:
        path = self.folder / name
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path

    def done_at(self, beginning: str, do: Callable[[], object]) -> Reporter:
        return DoneAtStage(beginning, do)

    def with_settings(self, **given: object) -> Deployment:
        return Deployment(self.folder, load_settings(data=self.settings.data, **given))

    @property
    def now(self) -> datetime:
        return NOW

    def items(
        self, *paths: Path, maps: Iterable[str] = (), limit: str = "0", shown: Reporter | None = None, **given: object
    ) -> ImportReport:
        defaults = {"kind": given.pop("kind")} if "kind" in given else {}
        request = ImportRequest(tuple(map(import_file, paths)), parse_map(ITEMS, maps, defaults), limit=parse_reject_limit(limit), **given)
        return import_items(request, self.settings, now=NOW, reporter=shown or reporter(io.StringIO()))

    def events(
        self, *paths: Path, maps: Iterable[str] = (), limit: str = "0", shown: Reporter | None = None, **given: object
    ) -> ImportReport:
        request = ImportRequest(tuple(map(import_file, paths)), parse_map(EVENTS, maps), limit=parse_reject_limit(limit), **given)
        return import_events(request, self.settings, now=NOW, reporter=shown or reporter(io.StringIO()))

    def store(self) -> Store:
        return open_store(self.settings.store_path)

    def rejects(self, report: ImportReport) -> list[dict[str, object]]:
        assert report.rejects_file is not None
        return [json.loads(line) for line in Path(report.rejects_file).read_text(encoding="utf-8").splitlines()]

    def titles(self) -> dict[str, str]:
        """Titles of all stored items by id; none where there is no store."""
        if not self.settings.store_path.exists():
            return {}
        with self.store() as store:
            return {stored.item.id: stored.item.title for batch in store.iter_items(upto=store.change_sequence()) for stored in batch}


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, load_settings(data=tmp_path / "data"))
