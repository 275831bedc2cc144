"""What an item is: one article, product or piece of media that can be put into a feed."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput

AttributeValue = str | float | bool

ID_LIMIT = 256
TITLE_LIMIT = 2_000
TEXT_LIMIT = 200_000
LABEL_LIMIT = 200
LABELS_LIMIT = 100
EMBEDDING_LIMIT = 4_096

# str.isprintable would refuse some letters of living scripts, so only what breaks logs and wires is refused in ids.
_CONTROLS = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no text may hold: NUL ends strings in databases, and lone surrogates cannot be written as UTF-8."""


class ItemKind(IntEnum):
    """The three kinds; the numbers are stored and sent, so they never change."""

    ARTICLE = 1
    PRODUCT = 2
    MEDIA = 3


class ItemState(IntEnum):
    """LIVE items may be shown; HIDDEN ones not until set live again; DELETED ones never, their number stays taken."""

    LIVE = 1
    HIDDEN = 2
    DELETED = 3


@dataclass(frozen=True, eq=False)
class Item:
    """One item, checked on construction.

    `language` is a BCP 47 tag in lower case ("en", "pt-br"), "" when unknown. `categories` and `tags` keep their order and
    hold no duplicates. `valid_from` ≤ now < `valid_to` is when the item may be shown; None leaves that side open.
    `price` is ≥ 0 in the shop's own currency. `embedding`, shape (d,), float32, is the item's own vector where it brings
    one, scaled so that its largest number is ±1. `attributes` are typed: text, number or true/false. Raises
    `InvalidInput` naming the field.
    """

    id: str
    kind: ItemKind
    title: str = ""
    text: str = ""
    language: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    author: str = ""
    brand: str = ""
    owner: str = ""
    published_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    price: float | None = None
    image_url: str = ""
    embedding: npt.NDArray[np.float32] | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_id(self.id, "id")
        _check_text(self.title, "title", TITLE_LIMIT)
        _check_text(self.text, "text", TEXT_LIMIT)
        for name in ("language", "author", "brand", "owner"):
            _check_text(getattr(self, name), name, LABEL_LIMIT)
        _check_text(self.image_url, "image_url", TITLE_LIMIT)
        object.__setattr__(self, "language", self.language.lower())
        object.__setattr__(self, "categories", _labels(self.categories, "categories"))
        object.__setattr__(self, "tags", _labels(self.tags, "tags"))
        for name in ("published_at", "valid_from", "valid_to"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput(name, moment.isoformat(), "a time with its offset, such as 2026-01-31T08:00:00Z")
        if self.valid_from is not None and self.valid_to is not None and self.valid_to <= self.valid_from:
            raise InvalidInput("valid_to", self.valid_to.isoformat(), f"later than valid_from {self.valid_from.isoformat()}")
        if self.price is not None and not (math.isfinite(self.price) and self.price >= 0):
            raise InvalidInput("price", self.price, "a number that is 0 or more")
        if self.embedding is not None:
            object.__setattr__(self, "embedding", _checked_embedding(self.embedding))
        object.__setattr__(self, "attributes", _checked_attributes(self.attributes))


def check_id(value: str, field: str) -> None:
    """Raise `InvalidInput` unless `value` is an id: 1 to 256 characters, none of them a control character."""
    # What is printable holds neither, and is told in a fraction of the time.
    if isinstance(value, str) and 0 < len(value) <= ID_LIMIT and (value.isprintable() or not _CONTROLS.search(value)):
        return
    raise InvalidInput(field, value, f"1 to {ID_LIMIT} characters, none of them a control character or a lone surrogate")


def _check_text(value: str, field: str, limit: int) -> None:
    if not isinstance(value, str) or len(value) > limit:
        raise InvalidInput(field, value, f"text of at most {limit} characters")
    if UNSTORABLE.search(value):
        raise InvalidInput(field, value, "text without NUL characters and lone surrogates")


def _labels(values: tuple[str, ...], field: str) -> tuple[str, ...]:
    if isinstance(values, str) or len(values) > LABELS_LIMIT:
        raise InvalidInput(field, values, f"a list of at most {LABELS_LIMIT} labels")
    for value in values:
        _check_text(value, field, LABEL_LIMIT)
        if not value:
            raise InvalidInput(field, value, f"labels of 1 to {LABEL_LIMIT} characters")
    return tuple(dict.fromkeys(values))


def _checked_embedding(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    vector = np.array(values, dtype=np.float32)
    if vector.ndim != 1 or not 0 < vector.shape[0] <= EMBEDDING_LIMIT:
        raise InvalidInput("embedding", f"shape {vector.shape}", f"1 to {EMBEDDING_LIMIT} numbers")
    if not np.isfinite(vector).all() or not np.any(vector):
        raise InvalidInput("embedding", "NaN, infinity or all zeros", "finite numbers, not all zero")
    # Only the direction counts, and the length of a vector of huge numbers would overflow.
    vector /= np.abs(vector).max()
    vector.flags.writeable = False
    return vector


def _checked_attributes(values: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    if len(values) > LABELS_LIMIT:
        raise InvalidInput("attributes", f"{len(values)} attributes", f"at most {LABELS_LIMIT}")
    checked: dict[str, AttributeValue] = {}
    for name, value in values.items():
        if not name.isidentifier() or len(name) > LABEL_LIMIT:
            raise InvalidInput("attributes", name, "names of letters, digits and _, not starting with a digit")
        if isinstance(value, str):
            _check_text(value, f"attributes.{name}", TITLE_LIMIT)
            checked[name] = value
        elif isinstance(value, bool):
            checked[name] = value
        elif isinstance(value, int | float) and abs(value) <= sys.float_info.max:
            checked[name] = float(value)
        else:
            raise InvalidInput(f"attributes.{name}", value, "text, a finite number, or true/false")
    return MappingProxyType(checked)
