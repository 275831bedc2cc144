"""How an item is laid out in its row, and back."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import NamedTuple

import numpy as np

from recommender.items import Item, ItemKind, ItemState
from recommender.store.connection import Row
from recommender.store.partitions import storable_micros
from recommender.store.records import StoredItem
from recommender.times import from_micros

DIGEST_BYTES = 16

CONTENT_COLUMNS = (
    "digest, text_digest, kind, published_at, valid_from, valid_to, price, language, author, brand, owner, image_url, "
    "categories, tags, attributes, title, embedding, text"
)
"""What an upsert replaces, in the order of `content`."""

READ_COLUMNS = (
    "number, state, updated_at, change, id, kind, published_at, valid_from, valid_to, price, language, author, brand, owner, "
    "image_url, categories, tags, attributes, title, embedding, text"
)
"""What `stored_item` reads, in its order."""

BLANK = (b"", b"", 0, None, None, None, None, "", "", "", "", "", "[]", "[]", "{}", "", None, "")
"""The content of a deleted item, in the order of `CONTENT_COLUMNS`."""


class ItemRow(NamedTuple):
    """An item ready to be written: its id, and its values in the order of `CONTENT_COLUMNS`, digests first."""

    id: str
    content: tuple[object, ...]

    @property
    def digest(self) -> object:
        """Digest of everything that an upsert can change."""
        return self.content[0]

    @property
    def text_digest(self) -> object:
        """Digest of what an embedding or the models' view of the item rests on."""
        return self.content[1]


def item_row(item: Item) -> ItemRow:
    """The row of `item`. Raises `InvalidInput` where one of its times lies outside the years 1 to 9999 in UTC."""
    embedding = None if item.embedding is None else item.embedding.astype("<f4").tobytes()
    categories = json.dumps(item.categories, ensure_ascii=False)
    tags = json.dumps(item.tags, ensure_ascii=False)
    seen_as = (int(item.kind), item.title, categories, tags, embedding, item.text)
    rest = (
        _micros(item.published_at, "published_at"),
        _micros(item.valid_from, "valid_from"),
        _micros(item.valid_to, "valid_to"),
        item.price if item.price is None else float(item.price),
        item.language,
        item.author,
        item.brand,
        item.owner,
        item.image_url,
    )
    attributes = json.dumps(dict(item.attributes), ensure_ascii=False, sort_keys=True)
    text_digest = _digest(seen_as)
    digest = _digest((text_digest, *rest, attributes))
    kind, title, *_ = seen_as
    return ItemRow(item.id, (digest, text_digest, kind, *rest, categories, tags, attributes, title, embedding, item.text))


def stored_item(row: Row) -> StoredItem:
    """The item in a row of `READ_COLUMNS`."""
    number, state, updated_at, change, item_id, kind, published, begins, ends, price, language, author, brand, owner = row[:14]
    image_url, categories, tags, attributes, title, embedding, text = row[14:]
    item = Item(
        id=item_id,
        kind=ItemKind(kind),
        title=title,
        text=text,
        language=language,
        categories=tuple(json.loads(categories)),
        tags=tuple(json.loads(tags)),
        author=author,
        brand=brand,
        owner=owner,
        published_at=_moment(published),
        valid_from=_moment(begins),
        valid_to=_moment(ends),
        price=price,
        image_url=image_url,
        embedding=None if embedding is None else np.frombuffer(embedding, dtype="<f4"),
        attributes=json.loads(attributes),
    )
    return StoredItem(item=item, number=number, state=ItemState(state), updated_at=from_micros(updated_at), change=change)


def _digest(values: tuple[object, ...]) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for value in values:
        part = value if isinstance(value, bytes) else repr(value).encode()
        # Length and kind keep values apart: ("ab", "c") must not look like ("a", "bc").
        digest.update(b"%d%s" % (len(part), b":" if isinstance(value, bytes) else b"="))
        digest.update(part)
    return digest.digest()


def _micros(moment: datetime | None, field: str) -> int | None:
    return None if moment is None else storable_micros(moment, field)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
