"""What is told of whole columns is what is told of their rows one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.importing.column_map import ColumnPicker, parse_map
from indexing.importing.columns_to_events import ordinary_events
from indexing.importing.read_parquet import rows_of
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.schema import EVENTS
from recommender.errors import InvalidInput
from recommender.store import EventRow, row_of
from recommender.times import to_micros

AT = datetime(2026, 1, 31, 20, 15, tzinfo=UTC)


def by_rows(batch: pa.RecordBatch, maps: tuple[str, ...] = ()) -> list[EventRow | None]:
    """The events of the rows, each read alone; None where a row is bad."""
    picker, events = ColumnPicker(parse_map(EVENTS, maps)), []
    for row in rows_of(batch, range(len(batch))):
        try:
            event = event_from_row(picker.pick(row.values))
            assert event.at is not None
            events.append(row_of(event, to_micros(event.at)))
        except InvalidInput:
            events.append(None)
    return events


def by_columns(batch: pa.RecordBatch, maps: tuple[str, ...] = ()) -> list[EventRow | None]:
    picker = ColumnPicker(parse_map(EVENTS, maps))
    picker.notice(batch.schema.names)
    return ordinary_events(batch, picker.sources(), picker.constants)


def shown(events: list[EventRow | None]) -> list[str]:
    """As text, in which NaN equals NaN."""
    return [repr(event) for event in events]


def one(**columns: object) -> dict[str, object]:
    return {"type": "read", "user_id": "u1", "item_id": "i1", "at": AT, **columns}


def batch_of(*rows: dict[str, object]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    return table.combine_chunks().to_batches()[0]


texts = st.sampled_from(["a", "b"]) | st.none() | st.sampled_from(["", "a", "é✓", "a\x1fb", "a\x00", "x" * 256, "x" * 257, "\x7f", " "])
amounts = st.none() | st.floats() | st.sampled_from([0.0, 1.0, 0.5, -0.1, 1.1, 1e9, 1.1e9])
moments = st.none() | st.datetimes(timezones=st.just(UTC)) | st.just(AT)
types = st.just("watch") | st.none() | st.sampled_from(["read", "WATCH ", "click", "custom", "", "stare", "impression"])
consents = st.none() | st.sampled_from(["all", "NONE", "train, measure", "", "everything"])
rows = st.fixed_dictionaries(
    {"type": types, "user_id": texts, "session_id": texts, "item_id": texts, "at": moments},
    optional={"id": texts, "value": amounts, "portion": amounts, "dwell_s": amounts, "consent": consents, "custom": texts, "token": texts},
)
SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("type", "user_id", "session_id", "item_id")],
        ("at", pa.timestamp("us", tz="UTC")),
        *[(name, pa.string()) for name in ("id", "consent", "custom", "token")],
        *[(name, pa.float64()) for name in ("value", "portion", "dwell_s")],
    ]
)


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=20))
def test_every_row_that_columns_tell_is_what_the_row_itself_says(given_rows: list[dict[str, object]]) -> None:
    batch = pa.RecordBatch.from_pylist(given_rows, schema=SCHEMA)
    alone, together = by_rows(batch), by_columns(batch)
    told = [(row, event) for row, event in zip(alone, together, strict=True) if event is not None]
    assert shown([row for row, _ in told]) == shown([event for _, event in told])


@pytest.mark.parametrize(
    "row",
    [
        one(),
        one(user_id="", session_id="s"),
        one(user_id=None, session_id="s", type="click"),
        one(id="e1"),
        one(id=""),
        one(portion=0.25, dwell_s=12.5, value=3.0),
        one(user_id=7, item_id=12),
        one(value=4),
        one(consent="train,measure"),
        one(consent=""),
        one(custom="", token="", context=None),
        one(at=AT.replace(tzinfo=None)),
        one(at=datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_ordinary_rows_are_told_by_columns(row: dict[str, object]) -> None:
    batch = batch_of(row)
    (event,) = by_columns(batch)
    assert event is not None
    assert shown([event]) == shown(by_rows(batch))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit_are_told(unit: str) -> None:
    moments = pa.array([AT, AT - timedelta(days=30_000)], type=pa.timestamp(unit, tz="UTC"))
    batch = pa.record_batch({"type": ["click"] * 2, "user_id": ["u"] * 2, "item_id": ["i"] * 2, "at": moments})
    assert None not in by_columns(batch)
    assert shown(by_columns(batch)) == shown(by_rows(batch))


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_a_time_beyond_the_calendar_is_left_to_its_row(unit: str) -> None:
    moments = pa.array([2**62, -(2**62), None], type=pa.timestamp(unit))
    assert by_columns(pa.record_batch({"type": ["click"] * 3, "user_id": ["u"] * 3, "item_id": ["i"] * 3, "at": moments})) == [None] * 3


@pytest.mark.parametrize(
    "row",
    [one(type="custom", custom="zoom"), one(token="t"), one(context={"page": "home"}), one(at="2026-01-31T20:15:00Z"), one(value="4")],
)
def test_rare_rows_are_left_to_be_read_one_by_one(row: dict[str, object]) -> None:
    batch = batch_of(row)
    assert by_columns(batch) == [None]
    assert by_rows(batch) != [None]


def test_a_map_names_columns_and_constants() -> None:
    batch = batch_of({"who": "u1", "film": 5, "when": AT, "user_id": "not this one"})
    maps = ("user_id=who", "item_id=film", "at=when", "type=:watch")
    (event,) = by_columns(batch, maps)
    assert event is not None
    assert (event.subject, event.item) == ("u1", "5")
    assert shown([event]) == shown(by_rows(batch, maps))


def test_text_that_is_not_utf_8_is_left_to_its_row() -> None:
    broken = pa.array([b"\xff\xfe", b"u"]).view(pa.string())
    batch = pa.record_batch({"type": ["click"] * 2, "user_id": broken, "item_id": ["i"] * 2, "at": [AT] * 2})
    assert by_columns(batch) == [None, None]


@pytest.mark.parametrize("batch", [1, 3, 50_000])
def test_good_rare_and_bad_rows_of_one_file_each_find_their_place(deployment: Any, batch: int) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [{"id": "i1", "kind": "media"}, {"id": "i2", "kind": "media"}]))
    rows = [
        one(id="a"),
        one(id="b", item_id="unknown"),
        one(id="c", type="custom", custom="zoom"),
        one(id="a", item_id="i2"),
        one(id="d", type="stare"),
        one(id="e", at=datetime(2030, 1, 1, tzinfo=UTC)),
        one(id="f", user_id="u2", portion=2.0),
        one(id="g", user_id="u2", portion=0.5),
    ]
    file = deployment.parquet("events.parquet", [{"custom": None, "portion": None, **row} for row in rows])
    report = deployment.events(file, limit="4", batch=batch)
    assert report.counts == {"accepted": 3, "duplicates": 1}
    rejects = deployment.rejects(report)
    assert [(entry["line"], str(entry["reason"]).split(":")[0]) for entry in rejects] == [
        (2, "item_id"),
        (5, "type"),
        (6, "at"),
        (7, "portion"),
    ]
    assert [entry["row"]["id"] for entry in rejects] == ["b", "d", "e", "f"]  # type: ignore[index]
    assert deployment.events(file, limit="4", batch=batch).counts == {"accepted": 0, "duplicates": 4}


def test_a_parquet_file_and_the_same_rows_as_text_leave_the_same_store(deployment: Any, tmp_path: Path) -> None:
    items = deployment.jsonl("items.jsonl", [{"id": f"i{place}", "kind": "media"} for place in range(9)])
    kinds = ["impression", "click", "read", "like", "hide", "watch"]
    rows = [
        one(
            type=kinds[place * 7 % 6],
            user_id=f"u{place * 5 % 11}",
            item_id=f"i{place * 4 % 9}",
            at=AT - timedelta(minutes=place * 37 % 101),
            portion=0.5 if kinds[place * 7 % 6] in ("read", "watch") else None,
            consent=["all", None, "none"][place % 3],
        )
        for place in range(200)
    ]
    text = deployment.jsonl("events.jsonl", [{**row, "at": row["at"].isoformat()} for row in rows])  # type: ignore[attr-defined]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "events.parquet")
    deployment.items(items)
    first = deployment.events(text, batch=50)
    with deployment.store() as store:
        events = pa.Table.from_batches(store.iter_events(upto=store.change_sequence()))
        people = {subject.id: person for subject, person in store.read_people()}
    deployment.settings.store_path.unlink()
    deployment.items(items)
    second = deployment.events(tmp_path / "events.parquet", batch=50)
    assert first.counts == second.counts
    with deployment.store() as store:
        again = pa.Table.from_batches(store.iter_events(upto=store.change_sequence()))
        assert again.drop_columns(["value", "dwell_s", "portion"]).equals(events.drop_columns(["value", "dwell_s", "portion"]))
        for subject, person in store.read_people():
            assert person.history.tobytes() == people[subject.id].history.tobytes()
            assert (person.consumed, person.dismissed) == (people[subject.id].consumed, people[subject.id].dismissed)
            assert sorted(person.seen.tolist()) == sorted(people[subject.id].seen.tolist())
            assert person.consent == people[subject.id].consent
