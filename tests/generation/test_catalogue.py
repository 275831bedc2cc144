"""The catalogue of a generation: ids, numbers, cards and the columns that filters see."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from handmade import HOME, catalogue_of, contents_of, engine_of, feed_of, number_of, rows_in, some_items

from recommender.arrow_buffers import Texts, numbers_in, with_missing
from recommender.columns import BoolColumn, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.engine import Recommender
from recommender.errors import NotFound
from recommender.feeds import Query
from recommender.generation import Contents
from recommender.generation.catalogue import Card, Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.times import MISSING_TIME, to_micros

PUBLISHED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FULL = Item(
    id="Käse/🧀 #1",
    kind=ItemKind.PRODUCT,
    title="Fromage « bleu » 奶酪",
    text="Not kept here.",
    language="pt-BR",
    categories=("food", "cheese"),
    tags=("blue",),
    author="Ana",
    brand="B",
    owner="O",
    published_at=PUBLISHED,
    valid_from=PUBLISHED,
    price=0.0,
    image_url="https://example.org/1.png",
    attributes={"fat": 31, "raw": True, "region": "Auvergne"},
)
BARE = Item(id="x", kind=ItemKind.ARTICLE)


@pytest.fixture(params=["built", "loaded"])
def read(request: pytest.FixtureRequest, tmp_path: Path):
    """Makes catalogues, as they are built or as they come back from a file."""

    def made(*items: Item) -> Catalogue:
        contents = contents_of(items)
        if request.param == "built":
            return contents.catalogue
        contents.write(tmp_path)
        return Contents.read(tmp_path).catalogue

    return made


def values(catalogue: Catalogue, name: str) -> list[object]:
    """A column, row by row, as Python would have it."""
    column = catalogue.columns.by_name[name]
    if isinstance(column, StringColumn):
        return [None if code < 0 else column.values[code] for code in column.codes]
    if isinstance(column, StringListColumn):
        parts = zip(column.offsets[:-1], column.offsets[1:], strict=True)
        return [[column.values[code] for code in column.codes[start:end]] for start, end in parts]
    if isinstance(column, NumberColumn):
        return [None if np.isnan(value) else value for value in column.values]
    if isinstance(column, BoolColumn):
        return [None if value < 0 else bool(value) for value in column.values]
    assert isinstance(column, TimeColumn)
    return [None if value == MISSING_TIME else int(value) for value in column.values]


def test_every_field_comes_back_and_what_is_missing_is_missing(read) -> None:
    catalogue = read(FULL, BARE)
    expected = {
        "id": ["Käse/🧀 #1", "x"],
        "kind": ["product", "article"],
        "title": ["Fromage « bleu » 奶酪", ""],
        "language": ["pt-br", None],
        "categories": [["food", "cheese"], []],
        "tags": [["blue"], []],
        "author": ["Ana", None],
        "brand": ["B", None],
        "owner": ["O", None],
        "published_at": [to_micros(PUBLISHED), None],
        "valid_from": [to_micros(PUBLISHED), None],
        "valid_to": [None, None],
        "price": [0.0, None],
        "attributes.fat": [31.0, None],
        "attributes.raw": [True, None],
        "attributes.region": ["Auvergne", None],
    }
    assert set(catalogue.columns.by_name) == set(expected)
    assert {name: values(catalogue, name) for name in expected} == expected


def test_cards_show_what_readers_see(read) -> None:
    catalogue = read(BARE, FULL)
    cards = catalogue.cards(np.array([1, 0, 1], dtype=np.int32))
    full = Card("Käse/🧀 #1", ItemKind.PRODUCT, "Fromage « bleu » 奶酪", "https://example.org/1.png")
    assert cards == [full, Card("x", ItemKind.ARTICLE, "", ""), full]


def test_ids_of_any_script_are_found(read) -> None:
    ids = ["a", "A", "ä", "a\u0308", "日本語", "🧀", "x" * 256, " a", "0", "-1", "ﬁ", "fi"]
    catalogue = read(*[Item(id=item_id, kind=ItemKind.MEDIA) for item_id in ids])
    assert catalogue.rows_of_ids(ids).tolist() == list(range(len(ids)))
    assert catalogue.rows_of_ids(["b", "", "日本", "x" * 255, "a "]).tolist() == [-1] * 5
    assert catalogue.rows_of_ids([]).tolist() == []


def test_ids_whose_hashes_collide_are_told_apart() -> None:
    plain = catalogue_of([Item(id=name, kind=ItemKind.MEDIA) for name in ("left", "right", "other")])
    shared = np.uint64(xxhash.xxh3_64_intdigest(b"left"))
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        forged = Catalogue(plain.table, np.full(3, shared), np.array(order, dtype=np.int32), plain.row_of_number)
        assert forged.rows_of_ids(["left"]).tolist() == [0]
    stranger = np.uint64(xxhash.xxh3_64_intdigest(b"stranger"))
    forged = Catalogue(plain.table, np.full(3, stranger), np.arange(3, dtype=np.int32), plain.row_of_number)
    assert forged.rows_of_ids(["stranger"]).tolist() == [-1]


def test_numbers_lead_to_rows_and_others_to_none(read) -> None:
    catalogue = read(*some_items(4))
    assert catalogue.numbers.tolist() == [number_of(row) for row in range(4)]
    assert catalogue.rows_of(catalogue.numbers).tolist() == [0, 1, 2, 3]
    assert catalogue.rows_of([[number_of(3), 11], [0, 2**32 - 1]]).tolist() == [[3, -1], [-1, -1]]


def test_rows_stand_in_order_of_their_numbers_however_they_came() -> None:
    items = [(number, ItemState.LIVE, Item(id=str(number), kind=ItemKind.MEDIA)) for number in (7, 1, 4_000_000, 3)]
    catalogue = Catalogue.of(items)
    assert catalogue.numbers.tolist() == [1, 3, 7, 4_000_000]
    assert [card.item_id for card in catalogue.cards(np.arange(4))] == ["1", "3", "7", "4000000"]


def test_hidden_items_are_there_but_not_live(read) -> None:
    catalogue = catalogue_of(some_items(3), [ItemState.LIVE, ItemState.HIDDEN, ItemState.LIVE])
    assert catalogue.live.tolist() == [True, False, True]


def test_an_attribute_of_several_types_is_seen_as_the_type_that_most_items_use(read) -> None:
    given: list[str | float | bool] = ["a", 3, 4.5, True, 7, "b"]
    catalogue = read(*[Item(id=str(at), kind=ItemKind.MEDIA, attributes={"mixed": value}) for at, value in enumerate(given)])
    assert values(catalogue, "attributes.mixed") == [None, 3.0, 4.5, None, 7.0, None]
    mostly_text = read(*[Item(id=str(at), kind=ItemKind.MEDIA, attributes={"mixed": value}) for at, value in enumerate([*given, "c", "d"])])
    assert values(mostly_text, "attributes.mixed") == ["a", None, None, None, None, "b", "c", "d"]


def test_a_hundred_labels_and_attributes_are_kept_in_order(read) -> None:
    labels = tuple(f"label {at}" for at in range(100))
    attributes = {f"a{at}": float(at) for at in range(100)}
    item = Item(id="y", kind=ItemKind.MEDIA, categories=labels, tags=labels[::-1], attributes=attributes)
    catalogue = read(BARE, item)
    assert values(catalogue, "categories") == [[], list(labels)]
    assert values(catalogue, "tags") == [[], list(labels[::-1])]
    assert [values(catalogue, f"attributes.a{at}")[1] for at in range(100)] == list(attributes.values())
    assert {name: rows.tolist() for name, rows in catalogue.category_members.items()} == {label: [1] for label in labels}


def test_an_empty_catalogue_has_every_column_and_no_row(read) -> None:
    catalogue = read()
    assert catalogue.n == 0
    assert all(values(catalogue, name) == [] for name in catalogue.columns.by_name)
    assert catalogue.category_members == {}
    assert catalogue.rows_of([0, 5]).tolist() == [-1, -1]
    assert catalogue.rows_of_ids(["a"]).tolist() == [-1]
    assert catalogue.is_kind(frozenset(ItemKind)).tolist() == []


def test_the_engine_tells_known_ids_from_unknown_ones() -> None:
    engine = engine_of(contents_of([FULL, BARE]))
    numbers, unknown = engine.numbers_of(["x", "nobody", "Käse/🧀 #1", "x", ""])
    assert numbers.tolist() == [number_of(1), number_of(0), number_of(1)]
    assert unknown == ["nobody", ""]


def test_there_is_no_card_of_an_unknown_number() -> None:
    engine = engine_of(contents_of([FULL, BARE]))
    assert [card.item_id for card in engine.cards(np.array([number_of(1)], dtype=np.uint32))] == ["x"]
    with pytest.raises(NotFound, match="999"):
        engine.cards(np.array([number_of(1), 999], dtype=np.uint32))


def test_items_of_every_script_can_be_filtered_and_shown(tmp_path: Path) -> None:
    contents = contents_of([FULL, BARE])
    contents.write(tmp_path)
    engine: Recommender = engine_of(Contents.read(tmp_path))
    query = Query(HOME, 5, filter="title.contains('奶酪') && 'cheese' in categories && attributes.fat > 30.0")
    assert rows_in(feed_of(engine, query)) == [0]


def test_the_table_is_read_in_place(tmp_path: Path) -> None:
    contents_of(some_items(50)).write(tmp_path)
    # What earlier tests left behind must not be freed in between.
    gc.collect()
    before = pa.total_allocated_bytes()
    catalogue = Contents.read(tmp_path).catalogue
    assert pa.total_allocated_bytes() == before
    assert not catalogue.numbers.flags.owndata


def test_columns_are_seen_in_place_whether_or_not_items_have_a_value(tmp_path: Path) -> None:
    contents_of([FULL, BARE, *some_items(3)]).write(tmp_path)
    start = pa.total_allocated_bytes()
    catalogue = Contents.read(tmp_path).catalogue
    for name in ("language", "author", "brand", "owner", "price", "attributes.fat", "attributes.region"):
        column = catalogue.columns.by_name[name]
        assert isinstance(column, StringColumn | NumberColumn)
        assert None in values(catalogue, name)
        seen = column.codes if isinstance(column, StringColumn) else column.values
        assert not seen.flags.owndata
    assert pa.total_allocated_bytes() == start


@pytest.mark.parametrize(
    ("given", "missing", "expected"),
    [
        (pa.array([1, None, 3, None], type=pa.int32()), -1, [1, -1, 3, -1]),
        (pa.array([1.5, None], type=pa.float64()), float("nan"), [1.5, float("nan")]),
        (pa.array([None, None], type=pa.int64()), 7, [7, 7]),
        (pa.array([0, 1, None, 3, None], type=pa.uint32())[1:], 9, [1, 9, 3, 9]),
        (pa.array([0, 2], type=pa.int32()), -1, [0, 2]),
        (pa.array([], type=pa.int32()), -1, []),
    ],
)
def test_what_arrow_says_of_nulls_is_made_what_is_wanted_of_them(given: pa.Array, missing: float, expected: list[float]) -> None:
    made = with_missing(given, missing)
    assert made.equals(given)
    assert made.null_count == given.null_count
    for array in (given, made):
        np.testing.assert_array_equal(numbers_in(array, missing), expected)
    # Where something else is wanted of nulls than the buffer says of them, they are copied.
    np.testing.assert_array_equal(numbers_in(made, 5), [5 if value is None else value for value in given.to_pylist()])


def test_texts_are_read_out_of_a_slice_of_any_language_and_length() -> None:
    whole = pa.array(["", "löwe", "日本語のタイトル", "a" * 3_000, "🎬 film", ""])
    assert Texts(whole).at([4, 0, 2, 2]) == ["🎬 film", "", "日本語のタイトル", "日本語のタイトル"]
    assert Texts(whole.slice(1, 4)).at(np.arange(4)) == whole.slice(1, 4).to_pylist()
    assert Texts(pa.array([], type=pa.string())).at([]) == []
    with pytest.raises(ValueError, match="1 of 2 texts are missing"):
        Texts(pa.array(["a", None]))
