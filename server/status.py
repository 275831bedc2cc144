"""Turns what went wrong into what clients are told: the only table from domain errors to status codes."""

from __future__ import annotations

from grpc import StatusCode

from recommender.errors import (
    AlreadyLinked,
    CorruptGeneration,
    CorruptSegment,
    Gone,
    ImportRefused,
    InvalidInput,
    Locked,
    NoGeneration,
    NotFound,
    RecommenderError,
    RefusedGeneration,
    RemoteError,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreUnwritable,
    Unchanged,
)

CODES: dict[type[RecommenderError], StatusCode] = {
    RecommenderError: StatusCode.FAILED_PRECONDITION,
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    NotFound: StatusCode.NOT_FOUND,
    NoGeneration: StatusCode.UNAVAILABLE,
    CorruptGeneration: StatusCode.FAILED_PRECONDITION,
    CorruptSegment: StatusCode.FAILED_PRECONDITION,
    RefusedGeneration: StatusCode.FAILED_PRECONDITION,
    ImportRefused: StatusCode.INVALID_ARGUMENT,
    Locked: StatusCode.UNAVAILABLE,
    Unchanged: StatusCode.FAILED_PRECONDITION,
    AlreadyLinked: StatusCode.FAILED_PRECONDITION,
    Gone: StatusCode.FAILED_PRECONDITION,
    RemoteError: StatusCode.UNAVAILABLE,
    StoreError: StatusCode.UNAVAILABLE,
    SchemaMismatch: StatusCode.FAILED_PRECONDITION,
    StoreBusy: StatusCode.UNAVAILABLE,
    StoreUnwritable: StatusCode.RESOURCE_EXHAUSTED,
}
"""A class that is not listed takes the code of its nearest listed ancestor. UNAVAILABLE is what clients retry."""

WRITES = frozenset({"RecordEvents", "StreamEvents", "LinkSession", "MergeUsers", "UpsertItems", "SetState", "DeleteItems"})
"""The methods that write to the store."""

MESSAGE_BYTES = 4_096
"""Bytes of a status message as it is sent. It travels as metadata, of which gRPC allows 8 KiB in all; above that the whole
answer may be lost."""

SAFE = "what was acknowledged before is safe"

_PLAIN = frozenset(range(0x20, 0x7F)) - {ord("%")}
_CUT = "… (cut short)"


def code_of(error: RecommenderError, method: str) -> StatusCode:
    """The status code of a domain error in a call of `method`."""
    if isinstance(error, StoreUnwritable) and method not in WRITES:
        # A disk that is full does not keep anybody from reading: the file could not be opened, and may be there again soon.
        return CODES[StoreError]
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def message_of(error: RecommenderError) -> str:
    """What a client is told of `error`: its own message, but nothing of where this machine keeps its files."""
    if isinstance(error, StoreBusy):
        return "the store is being written by others; try again"
    if isinstance(error, StoreUnwritable):
        return f"the store cannot be written or opened now: its disk is full, read-only, failing or away; {SAFE}"
    if isinstance(error, StoreError):
        return f"the store cannot be written or read now; {SAFE}"
    return str(error)


def fitting(message: str) -> str:
    """`message`, cut so that it takes at most `MESSAGE_BYTES` on the way, where all but plain ASCII is percent-encoded."""
    size = cut = 0
    for place, character in enumerate(message, start=1):
        size += _sent_bytes(character)
        if size <= MESSAGE_BYTES - _sent_bytes(_CUT):
            cut = place
        elif size > MESSAGE_BYTES:
            return message[:cut] + _CUT
    return message


def _sent_bytes(text: str) -> int:
    return sum(1 if byte in _PLAIN else 3 for byte in text.encode("utf-8", "replace"))
