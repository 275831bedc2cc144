"""Imports from files on an object store, or wherever fsspec reads from."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexing.importing.column_map import parse_map
from indexing.importing.files import import_file
from indexing.importing.import_files import ImportRequest, import_items
from indexing.importing.schema import ITEMS
from indexing.progress import Lines
from recommender.cli import run
from recommender.errors import InvalidInput
from recommender.remote.place import Place
from recommender.settings import Settings
from recommender.store import open_store

ITEM_ROWS: list[dict[str, Any]] = [{"id": f"film-{place}", "kind": "media", "title": f"Film {place}"} for place in range(500)]
EVENT_ROWS: list[dict[str, Any]] = [
    {"type": "watch", "item_id": f"film-{place}", "user_id": "ann", "at": datetime(2026, 1, 1, 0, place // 60, place % 60, tzinfo=UTC)}
    for place in range(500)
]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, default=str) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def csv(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]).encode()


@pytest.mark.parametrize(
    ("items", "events"),
    [("jsonl", "parquet"), ("parquet", "jsonl.gz"), ("csv.gz", "csv")],
)
def test_items_and_events_come_from_any_place(
    items: str, events: str, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, rows, ending in (("items", ITEM_ROWS, items), ("events", EVENT_ROWS, events)):
        made = {"jsonl": jsonl, "parquet": parquet, "csv": csv}[ending.partition(".")[0]](rows)
        place.write(f"in/{name}.{ending}", gzip.compress(made) if ending.endswith(".gz") else made)

    for name, ending in (("items", items), ("events", events)):
        code = run(["import", name, f"{place.url}/in/{name}.{ending}", "--data", str(tmp_path / "data")])
        assert (code, capsys.readouterr().err.count("error")) == (0, 0)

    with open_store(tmp_path / "data" / "store.sqlite") as store:
        assert (store.counts().items_live, store.counts().events) == (500, 500)


def test_bad_rows_are_told_by_their_url(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("in/items.csv", csv([*ITEM_ROWS[:10], {"id": "x", "kind": "song", "title": ""}]))
    rejects = tmp_path / "rejects.jsonl"
    code = run(
        ["import", "items", f"{place.url}/in/items.csv", "--data", str(tmp_path / "data"), "--rejects", str(rejects), "--max-rejects", "1"]
    )
    assert code == 0, capsys.readouterr().err
    told = json.loads(rejects.read_text())
    assert (told["file"], told["line"]) == (f"{place.url}/in/items.csv", 12)


def test_a_file_that_changes_meanwhile_is_noticed(place: Place, tmp_path: Path) -> None:
    place.write("in/items.jsonl", jsonl(ITEM_ROWS))
    file = import_file(f"{place.url}/in/items.jsonl")

    class Changing(Lines):
        """Tells of the progress, and replaces the file when the second pass begins."""

        def stage(self, name: str) -> Any:
            """See `Lines`."""
            if name.startswith("importing"):
                place.write("in/items.jsonl", jsonl(ITEM_ROWS[:-1]))
            return super().stage(name)

    request = ImportRequest((file,), parse_map(ITEMS, ()))
    with pytest.raises(InvalidInput, match="does not change during the import"):
        import_items(request, Settings(data=tmp_path / "data"), now=datetime(2026, 3, 1, tzinfo=UTC), reporter=Changing(StringIO()))


def test_what_is_not_there_is_wrong_usage(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "items", f"{place.url}/in/nothing.csv", "--data", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert f"{place.url}/in/nothing.csv" in shown
    assert "an existing regular file" in shown
    place.write("in/items.txt", b"")
    assert run(["import", "items", f"{place.url}/in/items.txt", "--data", str(tmp_path)]) == 2
    assert "a name that ends in .csv" in capsys.readouterr().err


def test_a_damaged_file_is_refused_as_one_of_this_machine(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("in/items.parquet", parquet(ITEM_ROWS)[:-8])
    place.write("in/items.csv.gz", gzip.compress(csv(ITEM_ROWS))[:-20])
    for name, why in (("items.parquet", "an undamaged Parquet file"), ("items.csv.gz", "a complete gzip file")):
        assert run(["import", "items", f"{place.url}/in/{name}", "--data", str(tmp_path)]) == 1
        assert f"allowed: {why}" in capsys.readouterr().err
