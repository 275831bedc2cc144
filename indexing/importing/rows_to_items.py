"""One row of an items file as an `Item`."""

from __future__ import annotations

from indexing.importing import values as read
from recommender.errors import InvalidInput
from recommender.items import Item, ItemKind

_KINDS = {kind.name.lower(): kind for kind in ItemKind}


def parse_kind(name: str) -> ItemKind:
    """The kind called `name`, in any case. Raises `InvalidInput`."""
    kind = _KINDS.get(name.strip().lower())
    if kind is None:
        raise InvalidInput("kind", name, ", ".join(_KINDS))
    return kind


def item_from_row(values: read.Values, *, untyped: bool) -> Item:
    """The item of a row whose columns are already ours.

    `untyped`: attributes given in columns of their own are text whose type must be told by its look. Raises `InvalidInput`.
    """
    given = read.fields(values, "attributes")
    if untyped:
        own = {name.removeprefix("attributes.") for name in values if name.startswith("attributes.")}
        given = {name: read.typed_text(value) if name in own and isinstance(value, str) else value for name, value in given.items()}
    return Item(
        id=read.needed_text(values, "id"),
        kind=parse_kind(read.needed_text(values, "kind")),
        title=read.text(values, "title"),
        text=read.text(values, "text"),
        language=read.text(values, "language"),
        categories=read.labels(values, "categories"),
        tags=read.labels(values, "tags"),
        author=read.text(values, "author"),
        brand=read.text(values, "brand"),
        owner=read.text(values, "owner"),
        published_at=read.moment(values, "published_at"),
        valid_from=read.moment(values, "valid_from"),
        valid_to=read.moment(values, "valid_to"),
        price=read.number(values, "price"),
        image_url=read.text(values, "image_url"),
        embedding=read.vector(values, "embedding"),
        attributes={name: read.attribute(value, f"attributes.{name}") for name, value in given.items()},
    )
