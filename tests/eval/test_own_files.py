"""Training and test part in files of one's own."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eval.material import Material
from eval.own_files import from_own_files
from eval.splitting import Cutting, split_for, splits_of
from indexing.progress import Lines
from recommender.errors import InvalidInput
from recommender.events import Consent, EventType, Subject
from recommender.items import ItemKind
from recommender.profile import BuildSettings

HEADER = "user_id,item_id,type,at,portion,consent\n"
TRAIN = HEADER + "ann,a,click,2026-01-01T00:00:00Z,,\nann,b,watch,2026-01-02T00:00:00Z,0.5,train\nbob,a,click,2026-01-03T00:00:00Z,,\n"
TEST = '{"user_id": "bob", "item_id": "c", "type": "click", "at": "2026-02-01T00:00:00Z"}\n'


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, train: str = TRAIN, test: str = TEST, items: str | None = None) -> Material:
    told = None if items is None else written(folder / "items.csv", items)
    return from_own_files(written(folder / "train.csv", train), written(folder / "test.jsonl", test), told, Lines(StringIO()))


def test_two_files_are_training_and_test_as_given(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.name == "train.csv"
    assert [item.id for item in found.items] == ["a", "b", "c"]
    assert found.people == {0: Subject.user("ann"), 1: Subject.user("bob")}
    assert found.events.type.tolist() == [EventType.CLICK, EventType.WATCH, EventType.CLICK]
    np.testing.assert_array_equal(found.events.value, np.array([np.nan, 0.5, np.nan], dtype=np.float32))
    assert found.events.consent.tolist() == [Consent.ALL, Consent.TRAIN, Consent.ALL]
    assert split_for(found, None) == "given"
    (split,), _ = splits_of(found, BuildSettings(), Cutting())
    assert (split.held_out.people.tolist(), [wanted.tolist() for wanted in split.held_out.targets]) == ([1], [[2]])


def test_items_say_more_of_what_events_name_and_bring_others(tmp_path: Path) -> None:
    found = read(tmp_path, items="id,kind,title\nb,article,B\nz,product,Z\n")
    assert [(item.id, item.kind, item.title) for item in found.items] == [
        ("b", ItemKind.ARTICLE, "B"),
        ("z", ItemKind.PRODUCT, "Z"),
        ("a", ItemKind.MEDIA, ""),
        ("c", ItemKind.MEDIA, ""),
    ]


def test_parquet_is_read_too(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"user_id": ["bob"], "item_id": ["c"], "type": ["click"], "at": ["2026-02-01T00:00:00Z"]}), tmp_path / "test.parquet"
    )
    found = from_own_files(written(tmp_path / "train.csv", TRAIN), tmp_path / "test.parquet", None, Lines(StringIO()))
    assert found.test is not None
    assert found.test.item.tolist() == [2]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"train": HEADER}, "train.csv: given 'no event'"),
        ({"train": "user,item\nann,a\n"}, "columns of "),
        ({"train": HEADER + "ann,a,click,yesterday,,\n"}, "train.csv:2: at: given 'yesterday'"),
        ({"train": HEADER + "ann,a,gaze,2026-01-01T00:00:00Z,,\n"}, "train.csv:2: type: given 'gaze'"),
        ({"test": TEST + "{\n"}, "test.jsonl:2"),
        ({"items": "id,kind\na,media\na,media\n"}, "items.csv:3: given 'a', allowed: each item once"),
    ],
)
def test_the_first_bad_row_is_refused_by_file_and_line(tmp_path: Path, parts: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, **parts)
    assert told in str(refused.value)


def test_a_file_that_is_missing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.csv"):
        from_own_files(tmp_path / "none.csv", tmp_path / "none.csv", None, Lines(StringIO()))
