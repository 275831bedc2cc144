"""What the values of a row mean for an item."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from indexing.importing.rows_to_items import item_from_row
from indexing.importing.values import typed_text
from recommender.errors import InvalidInput
from recommender.items import ItemKind

LEAST = {"id": "a", "kind": "article"}


def test_text_of_a_csv_row_becomes_the_item_it_describes() -> None:
    item = item_from_row(
        {
            "id": "f1",
            "kind": "Media",
            "title": "Überall 🎬",
            "text": "long",
            "language": "pt-BR",
            "categories": "Drama| Science fiction |Drama|",
            "tags": "x",
            "author": "A",
            "brand": "B",
            "owner": "O",
            "published_at": "1979-05-25",
            "valid_from": "2026-01-31T08:00:00+01:00",
            "valid_to": "1800000000",
            "price": "3.99",
            "image_url": "https://example.org/f1.jpg",
            "embedding": "[1, 0.5]",
            "attributes": '{"year": 1978, "studio": "Mosfilm"}',
            "attributes.year": "1979",
            "attributes.subtitled": "TRUE",
            "attributes.code": "007",
        },
        untyped=True,
    )

    assert (item.id, item.kind, item.title, item.text, item.language) == ("f1", ItemKind.MEDIA, "Überall 🎬", "long", "pt-br")
    assert (item.categories, item.tags) == (("Drama", "Science fiction"), ("x",))
    assert (item.author, item.brand, item.owner) == ("A", "B", "O")
    assert item.published_at == datetime(1979, 5, 25, tzinfo=UTC)
    assert item.valid_from == datetime(2026, 1, 31, 7, 0, tzinfo=UTC)
    assert item.valid_to == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    assert item.price == 3.99
    assert item.image_url == "https://example.org/f1.jpg"
    assert item.embedding is not None
    np.testing.assert_array_equal(item.embedding, np.array([1, 0.5], np.float32))
    assert dict(item.attributes) == {"year": 1979.0, "studio": "Mosfilm", "subtitled": True, "code": "007"}


def test_only_csv_guesses_the_types_of_attribute_columns() -> None:
    values = {**LEAST, "attributes.year": "1979"}

    assert dict(item_from_row(values, untyped=True).attributes) == {"year": 1979.0}
    assert dict(item_from_row(values, untyped=False).attributes) == {"year": "1979"}


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("true", True),
        ("False", False),
        ("0", 0.0),
        ("-12.50", -12.5),
        ("1e3", 1000.0),
        ("007", "007"),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("yes", "yes"),
    ],
)
def test_text_is_a_flag_or_a_number_only_where_it_is_clearly_one(text: str, typed: object) -> None:
    assert typed_text(text) == typed
    assert type(typed_text(text)) is type(typed)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "article"}, "id"),
        ({"id": "a"}, "kind"),
        ({**LEAST, "id": 1.5}, "id"),
        ({**LEAST, "id": True}, "id"),
        ({**LEAST, "id": "a\nb"}, "id"),
        ({**LEAST, "id": "x" * 257}, "id"),
        ({**LEAST, "kind": "film"}, "kind"),
        ({**LEAST, "title": ["x"]}, "title"),
        ({**LEAST, "title": "x" * 2_001}, "title"),
        ({**LEAST, "title": "half \ud83c of a pair"}, "title"),
        ({**LEAST, "text": "x\x00y"}, "text"),
        ({**LEAST, "categories": 7}, "categories"),
        ({**LEAST, "categories": ["a", {}]}, "categories"),
        ({**LEAST, "tags": "|".join(f"t{n}" for n in range(101))}, "tags"),
        ({**LEAST, "published_at": "yesterday"}, "published_at"),
        ({**LEAST, "published_at": 1_700_000_000_000}, "published_at"),
        ({**LEAST, "published_at": "0001-01-01T00:00:00+05:00"}, "published_at"),
        ({**LEAST, "published_at": True}, "published_at"),
        ({**LEAST, "valid_from": "2026-02-01", "valid_to": "2026-01-01"}, "valid_to"),
        ({**LEAST, "price": "cheap"}, "price"),
        ({**LEAST, "price": "1_0"}, "price"),
        ({**LEAST, "price": -1}, "price"),
        ({**LEAST, "price": 10**400}, "price"),
        ({**LEAST, "embedding": "1 2 3"}, "embedding"),
        ({**LEAST, "embedding": []}, "embedding"),
        ({**LEAST, "embedding": ["1"]}, "embedding"),
        ({**LEAST, "embedding": [1, None]}, "embedding"),
        ({**LEAST, "embedding": [[1], [2]]}, "embedding"),
        ({**LEAST, "embedding": [1e300]}, "embedding"),
        ({**LEAST, "embedding": [10**400]}, "embedding"),
        ({**LEAST, "embedding": [0, 0]}, "embedding"),
        ({**LEAST, "attributes": "[1]"}, "attributes"),
        ({**LEAST, "attributes": "{"}, "attributes"),
        ({**LEAST, "attributes": {"a b": 1}}, "attributes"),
        ({**LEAST, "attributes": {"a": [1]}}, "attributes.a"),
        ({**LEAST, "attributes": {"a": 10**400}}, "attributes.a"),
        ({**LEAST, "attributes": {"a": "x\x00"}}, "attributes.a"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_the_name_of_its_column(values: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        item_from_row(values, untyped=False)
    assert caught.value.field == field
