"""Foreign columns: which column of ours comes from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexing.importing.column_map import UNKNOWN_LIMIT, ColumnPicker, check_columns, parse_map
from indexing.importing.files import Format, ImportFile
from indexing.importing.schema import EVENTS, ITEMS
from recommender.errors import InvalidInput

FILE = ImportFile(Path("films.csv"), Format.CSV)


def test_mapped_columns_constants_and_defaults_each_have_their_place() -> None:
    picker = ColumnPicker(parse_map(ITEMS, ["id=movie=id", "text=title", "owner=:shop: 1", "attributes.year=:1999"], {"kind": "media"}))

    assert picker.pick({"movie=id": 7, "id": "theirs", "title": "T", "kind": "", "owner": "ignored", "extra": 1}) == {
        "id": 7,
        "text": "T",
        "title": "T",
        "kind": "media",
        "owner": "shop: 1",
        "attributes.year": 1999.0,
    }
    assert picker.pick({"movie=id": 8, "kind": "article"})["kind"] == "article"
    assert picker.unknown == ("extra",)


def test_what_is_empty_counts_as_not_there() -> None:
    picker = ColumnPicker(parse_map(EVENTS, []))

    assert picker.pick({"id": "", "value": float("nan"), "token": None, "portion": 0.0, "consent.train": False, "context.shelf": "a"}) == {
        "portion": 0.0,
        "consent.train": False,
        "context.shelf": "a",
    }


def test_names_of_unknown_columns_are_kept_up_to_a_bound() -> None:
    picker = ColumnPicker(parse_map(ITEMS, []))
    for n in range(50 * UNKNOWN_LIMIT):
        picker.pick({"id": "a", f"x{n}": 1})

    assert picker.unknown == tuple(f"x{n}" for n in range(UNKNOWN_LIMIT))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id", "OUR=THEIRS"),
        ("id=", "OUR=THEIRS"),
        ("id=:", "OUR=THEIRS"),
        ("movie=id", "one of our columns"),
        ("attributes.=x", "one of our columns"),
    ],
)
def test_a_map_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_map(ITEMS, [text])


def test_a_column_of_ours_is_mapped_once() -> None:
    with pytest.raises(InvalidInput, match="id only once"):
        parse_map(ITEMS, ["id=a", "id=:b"])


def test_missing_columns_are_named_together_with_those_found() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_columns(("movie", "user", "at"), parse_map(EVENTS, ["type=:watch"]), FILE)

    words = str(caught.value)
    assert "without user_id or session_id, item_id" in words
    assert "columns found: movie, user, at" in words
    assert "--map user_id=THEIRS" in words


def test_a_file_with_another_separator_is_told_so() -> None:
    with pytest.raises(InvalidInput, match="separated by semicolons"):
        check_columns(("id;kind;title",), parse_map(ITEMS, []), FILE)


@pytest.mark.parametrize(
    ("columns", "maps"),
    [
        (("type", "user_id", "item_id", "at"), []),
        (("type", "session_id", "item_id", "at"), []),
        (("verb", "who", "item_id", "at"), ["type=verb", "session_id=who"]),
        (("user_id", "item_id"), ["type=:like", "at=:2026-01-01"]),
    ],
)
def test_needed_columns_may_come_by_name_by_map_or_as_a_constant(columns: tuple[str, ...], maps: list[str]) -> None:
    check_columns(columns, parse_map(EVENTS, maps), FILE)


def test_a_mapped_column_is_looked_for_under_the_foreign_name_only() -> None:
    with pytest.raises(InvalidInput, match="without id"):
        check_columns(("id", "kind"), parse_map(ITEMS, ["id=movie"]), FILE)
