"""Arrow files: the same rows as Parquet files of the same table, and words for those that are damaged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from indexing.importing.files import Format, ImportFile, import_file
from indexing.importing.open_table import open_table
from indexing.importing.rows import BadRow, Row
from recommender.errors import InvalidInput

EVENTS = pa.Table.from_pylist(
    [
        {
            "type": "click" if n % 3 else "like",
            "user_id": n % 7,
            "item_id": "a",
            "at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n),
            "value": None if n % 2 else n / 2,
        }
        for n in range(2_500)
    ]
)


def written(path: Path, table: pa.Table, *, rows: int = 700, compression: str | None = None) -> ImportFile:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return import_file(path)


def read(file: ImportFile) -> list[Row | BadRow]:
    with open_table(file) as table:
        rows = list(table.rows)
        assert table.position() == 1.0
        return rows


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("rows", [700, 5_000])
def test_rows_are_those_of_a_parquet_file_of_the_same_table(tmp_path: Path, compression: str | None, rows: int) -> None:
    pq.write_table(EVENTS, tmp_path / "events.parquet")

    assert read(written(tmp_path / "events.arrow", EVENTS, rows=rows, compression=compression)) == read(
        import_file(tmp_path / "events.parquet")
    )


def test_events_are_imported_by_columns_and_count_once_beside_those_of_parquet(deployment: Any, tmp_path: Path) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [{"id": "a", "kind": "media"}]))
    written(tmp_path / "events.arrow", EVENTS, rows=5_000)
    pyarrow.feather.write_feather(EVENTS, tmp_path / "events.feather")
    pq.write_table(EVENTS, tmp_path / "events.parquet")

    assert deployment.events(tmp_path / "events.arrow", batch=300).counts == {"accepted": 2_500, "duplicates": 0}
    for name in ("events.parquet", "events.feather"):
        assert deployment.events(tmp_path / name).counts == {"accepted": 0, "duplicates": 2_500}


def test_a_bad_row_is_told_by_its_number_in_the_file(deployment: Any, tmp_path: Path) -> None:
    types = EVENTS["type"].to_pylist()
    types[1_999] = "stare"
    written(tmp_path / "events.arrow", EVENTS.set_column(0, "type", pa.array(types)))
    deployment.items(deployment.jsonl("items.jsonl", [{"id": "a", "kind": "media"}]))

    [rejected] = deployment.rejects(deployment.events(tmp_path / "events.arrow", limit="1"))

    assert rejected["line"] == 2_000


def test_damaged_and_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.arrow", EVENTS).path.read_bytes()
    with pa.OSFile(str(tmp_path / "stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, EVENTS.schema) as writer:
        writer.write_table(EVENTS)
    for name, content in (("cut.arrow", whole[:-100]), ("empty.arrow", b""), ("text.arrow", b"id,kind\n" * 20)):
        (tmp_path / name).write_bytes(content)

    for name in ("cut.arrow", "empty.arrow", "text.arrow", "stream.arrow"):
        with pytest.raises(InvalidInput, match=rf"file: given .*{name}.*, allowed: an undamaged Arrow file"):
            read(import_file(tmp_path / name))


def test_a_column_named_twice_and_a_wrong_format_are_told(tmp_path: Path) -> None:
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["id", "id"])
    with pytest.raises(InvalidInput, match="given 'id', allowed: each column named once"):
        read(written(tmp_path / "twice.arrow", twice))

    path = written(tmp_path / "events.arrow", EVENTS).path
    with pytest.raises(InvalidInput, match="this is a file of Arrow, use --format arrow"):
        read(ImportFile(path, Format.CSV))
