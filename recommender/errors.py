"""Everything that can go wrong in the domain, as one small tree.

::

    RecommenderError
    ├── InvalidInput             a value was given that is not allowed
    │   ├── InvalidCondition     a filter that does not parse, type or fit its bounds
    │   └── InvalidToken         a page or item token that is forged, expired or bound to other arguments
    ├── NotFound                 a named thing does not exist
    ├── NoGeneration             nothing has been published yet
    ├── CorruptGeneration        a generation's files are not what its manifest says
    ├── CorruptSegment           a delta segment is damaged, or belongs to another generation
    ├── RefusedGeneration        a generation did not pass its gate
    ├── ImportRefused            too many bad rows; nothing was changed, or what was is told
    ├── Undelivered              a running server did not take what was sent, or has not made use of it in time
    ├── Locked                   another process holds the writer's lock
    ├── AlreadyLinked            a session or user is another person's already
    ├── Unchanged                there is nothing to build that is not there already
    ├── RemoteError              files on an object store, or another remote place, cannot be read or written now
    └── StoreError               the store cannot do it now
        ├── SchemaMismatch       the store's schema is newer or older than this program
        ├── StoreBusy            the store's lock was not free in time
        └── StoreUnwritable      the disk is full or read-only

A message says what was wrong, what was given and what is allowed. The server turns classes into status codes
in one table; nothing here knows about the network.
"""

from __future__ import annotations

GIVEN_LIMIT = 200


def shown(value: object) -> str:
    """`value` as it may stand in a message: quoted, and cut to 200 characters so that input cannot flood a log."""
    text = repr(value)
    return text if len(text) <= GIVEN_LIMIT else text[: GIVEN_LIMIT - 1] + "…"


class RecommenderError(Exception):
    """The root of the tree; catching it catches every expected failure and no programming error."""


class InvalidInput(RecommenderError):
    """A value is not allowed. `field` is the path of the value, as the caller spells it."""

    def __init__(self, field: str, given: object, allowed: str) -> None:
        super().__init__(f"{field}: given {shown(given)}, allowed: {allowed}")
        self.field = field
        self.given = given
        self.allowed = allowed

    def within(self, path: str) -> InvalidInput:
        """The same about a field within `path`: "portion" becomes "events[3].portion"."""
        return type(self)(f"{path}.{self.field}", self.given, self.allowed)


class InvalidCondition(InvalidInput):
    """A filter does not parse, names an unknown field, mixes types or exceeds its bounds."""


class InvalidToken(InvalidInput):
    """A token is forged, damaged, expired, or used with other arguments than it was made for."""


class NotFound(RecommenderError):
    """`what` named `name` does not exist."""

    def __init__(self, what: str, name: str, hint: str = "") -> None:
        super().__init__(f"no {what} {shown(name)}" + (f"; {hint}" if hint else ""))
        self.what = what
        self.name = name


class NoGeneration(RecommenderError):
    """No generation is active, so nothing can be served."""


class CorruptGeneration(RecommenderError):
    """A file of a generation is missing, damaged or of an unknown format."""

    def __init__(self, generation_id: str, file: str, why: str) -> None:
        super().__init__(f"generation {generation_id} is refused: {file}: {why}")
        self.generation_id = generation_id
        self.file = file


class CorruptSegment(RecommenderError):
    """A delta segment is missing, damaged, of an unknown format, or of another generation or embedder."""

    def __init__(self, name: str, file: str, why: str) -> None:
        super().__init__(f"delta segment {name} is refused: {file}: {why}")
        self.name = name
        self.file = file


class RefusedGeneration(RecommenderError):
    """A generation did not pass its gate and may not be activated without a reason."""


class ImportRefused(RecommenderError):
    """More rows were bad than the threshold allows; the store is as it was, unless the message tells how far it came."""


class Undelivered(RecommenderError):
    """A running server is out of reach, did not take what was sent, or has not made use of it in time; the message says how far it came."""


class Locked(RecommenderError):
    """Another process holds a lock; the message says who."""


class Gone(RecommenderError):
    """Something that was there is needed again and not kept any more; the message says what."""


class AlreadyLinked(RecommenderError):
    """A session or a user is part of another person already; the message says of whom."""


class Unchanged(RecommenderError):
    """Nothing has changed since the active generation was built."""

    def __init__(self, generation_id: str, watermark: int) -> None:
        super().__init__(f"nothing has changed since generation {generation_id} was built: the store is still at change {watermark}")
        self.generation_id = generation_id


class RemoteError(RecommenderError):
    """A remote place cannot be reached, read or written now. The message holds no secret."""


class StoreError(RecommenderError):
    """The store cannot answer or accept this now."""


class SchemaMismatch(StoreError):
    """The store's schema version is not the one that this program reads and writes."""


class StoreBusy(StoreError):
    """The store's write lock was not free within the time allowed."""


class StoreUnwritable(StoreError):
    """The disk is full or read-only; what was acknowledged before is safe."""
