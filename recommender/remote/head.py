"""CURRENT of a remote place: which generation serves, who may write, and how it came about, in one file that is replaced as a whole."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from recommender.errors import RemoteError
from recommender.generation.activations import Entry, is_entry

FORMAT = 1
REMEMBERED = 100
"""Newest activations that are kept; a rollback never goes back further."""


class Head(BaseModel):
    """`current`: id of the active generation. `fence`: that of the newest writer; who has a lower one has lost its turn. `removing`: ids of
    generations that are being removed, and are no more. `activations`: the log, oldest first, as in a folder of this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    current: str | None = None
    fence: int = 0
    removing: tuple[str, ...] = ()
    activations: tuple[Entry, ...] = ()

    def with_(self, **changed: Any) -> Head:
        """The same with some fields `changed`."""
        return self.model_copy(update=changed)

    def activated(self, entry: Entry) -> Head:
        """The same after an activation."""
        return self.with_(current=entry["id"], activations=(*self.activations, entry)[-REMEMBERED:])

    @property
    def content(self) -> bytes:
        """What the file holds."""
        return (json.dumps(self.model_dump(mode="json"), indent=1) + "\n").encode()


def head_of(content: bytes | None, place: str) -> Head:
    """The head that a file of this `content` is; that of an empty place for None. Raises `RemoteError` where it is none."""
    if content is None:
        return Head()
    try:
        head = Head.model_validate_json(content)
    except ValidationError as error:
        raise RemoteError(f"CURRENT of {place} cannot be read: {str(error).splitlines()[0]}") from error
    if head.format != FORMAT:
        raise RemoteError(f"CURRENT of {place} is of format {head.format}; this program reads {FORMAT}")
    if not all(map(is_entry, head.activations)):
        raise RemoteError(f"CURRENT of {place} cannot be read: its log of activations is damaged")
    return head
