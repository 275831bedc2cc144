"""Parquet files, good and bad, down to the items and events they make."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexing.importing.files import Format, ImportFile
from indexing.importing.open_table import open_table
from indexing.importing.rows import BadRow, Row
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.rows_to_items import item_from_row
from recommender.errors import InvalidInput
from recommender.events import Consent, Subject


def written(tmp_path: Path, table: pa.Table) -> ImportFile:
    path = tmp_path / "file.parquet"
    pq.write_table(table, path, row_group_size=700)
    return ImportFile(path, Format.PARQUET)


def read(file: ImportFile) -> list[Row | BadRow]:
    with open_table(file) as table:
        return list(table.rows)


def test_rows_are_numbered_from_one_across_row_groups_and_batches(tmp_path: Path) -> None:
    rows = read(written(tmp_path, pa.table({"id": [f"i{n}" for n in range(2_500)]})))

    assert rows == [Row(n + 1, {"id": f"i{n}"}) for n in range(2_500)]


def test_a_typed_row_makes_the_item_it_describes(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([17], pa.int64()),
            "kind": pa.array(["product"]).dictionary_encode(),
            "categories": [["Shoes", None, "Sale"]],
            "price": pa.array([Decimal("19.90")]),
            "published_at": pa.array([datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("ns")),
            "valid_from": pa.array([date(2026, 1, 3)]),
            "valid_to": pa.array([datetime(2026, 2, 3, tzinfo=UTC)], pa.timestamp("ms", "Europe/Berlin")),
            "embedding": pa.array([[0.5, -1.0]], pa.list_(pa.float32())),
            "attributes": [{"size": 42, "new": True, "colour": None}],
            "attributes.code": ["007"],
        }
    )
    (row,) = read(written(tmp_path, table))

    item = item_from_row({name: value for name, value in row.values.items() if value is not None}, untyped=False)

    assert (item.id, item.categories, item.price) == ("17", ("Shoes", "Sale"), 19.9)
    assert item.published_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert item.valid_from == datetime(2026, 1, 3, tzinfo=UTC)
    assert item.valid_to == datetime(2026, 2, 3, tzinfo=UTC)
    assert item.embedding is not None
    np.testing.assert_array_equal(item.embedding, np.array([0.5, -1.0], np.float32))
    assert dict(item.attributes) == {"size": 42.0, "new": True, "code": "007"}


def test_maps_and_structs_make_context_and_consent(tmp_path: Path) -> None:
    table = pa.table(
        {
            "type": ["view"],
            "session_id": ["s"],
            "item_id": ["a"],
            "at": pa.array([1_769_890_000], pa.timestamp("s")),
            "context": pa.array([[("device", "tv"), ("shelf", "3")]], pa.map_(pa.string(), pa.string())),
            "consent": [{"personalise": True, "train": False, "measure": None}],
        }
    )
    (row,) = read(written(tmp_path, table))

    event = event_from_row(row.values)

    assert event.subject == Subject.session("s")
    assert event.at == datetime(2026, 1, 31, 20, 6, 40, tzinfo=UTC)
    assert event.context == {"device": "tv", "shelf": "3"}
    assert event.consent is Consent.PERSONALISE


def test_a_moment_that_no_calendar_has_is_refused_with_its_row_alone(tmp_path: Path) -> None:
    at = pa.array([2**60, 0], pa.int64()).cast(pa.timestamp("ms"))
    bad, good = read(written(tmp_path, pa.table({"type": ["view"] * 2, "user_id": ["u"] * 2, "item_id": ["a"] * 2, "at": at})))

    with pytest.raises(InvalidInput, match="at: given '1152921504606846976 ms since 1970'"):
        event_from_row(bad.values)
    assert event_from_row(good.values).at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("content", [b"", b"id\na\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match="an undamaged Parquet file"):
        read(ImportFile(path, Format.PARQUET))


def test_a_file_damaged_in_the_middle_is_refused_as_a_whole(tmp_path: Path) -> None:
    file = written(tmp_path, pa.table({"id": [f"i{n * 7919 % 10_007}" for n in range(5_000)]}))
    content = bytearray(file.path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 2_000] = b"\xff" * 2_000
    file.path.write_bytes(content)

    with pytest.raises(InvalidInput, match="an undamaged Parquet file"):
        read(file)
