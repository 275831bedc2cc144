"""What can go wrong with a call, as one small tree.

::

    ClientError                a call failed; `code` is the gRPC status code
    ├── InvalidArgument        a value is not allowed; the message names the field
    ├── Missing                the placement or generation does not exist
    ├── Refused                the server's state does not allow it, such as a corrupt generation or another link
    ├── Unavailable            nobody serves there, or not yet; also after retries
    ├── Overloaded             the server has more calls than it can take, or no room to store what was sent
    └── DeadlinePassed         no answer in time
"""

from __future__ import annotations

import grpc

PUSHBACK = "grpc-retry-pushback-ms"
"""The trailing metadata in which a server asks for a delay before the next try (gRFC A6)."""


class ClientError(Exception):
    """A call failed. `code`: the gRPC status code; the text is the server's message."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidArgument(ClientError):
    """A value is not allowed; the message names the field, what was given and what is allowed."""


class Missing(ClientError):
    """A placement or generation that was named does not exist."""


class Refused(ClientError):
    """The server's state does not allow it."""


class Unavailable(ClientError):
    """Nobody serves there, or no generation is active yet."""


class Overloaded(ClientError):
    """The server has more calls than it can take, or no room to store what was sent; try again later, and more slowly.

    `retry_after_s`: the seconds after which the server asks to be tried again; None where it does not say.
    """

    def __init__(self, code: grpc.StatusCode, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_s = retry_after_s


class DeadlinePassed(ClientError):
    """No answer came in time."""


_ERRORS = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: Missing,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlinePassed,
}
"""A code that is not listed is a plain `ClientError`."""


def failure_of(error: grpc.RpcError) -> ClientError:
    """The exception that stands for a failed call."""
    code = error.code()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded(code, error.details() or code.name, retry_after_of(error))
    return _ERRORS.get(code, ClientError)(code, error.details() or code.name)


def retry_after_of(error: grpc.RpcError) -> float | None:
    """The seconds after which the server asks a call that it turned away to be tried again; None where it does not ask for it.

    gRFC A6: a value that is no number ≥ 0 means that the call should not be tried again.
    """
    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        return None
    told = next((str(entry.value) for entry in error.trailing_metadata() or () if entry.key == PUSHBACK), "")
    return int(told) / 1e3 if told.isascii() and told.isdigit() else None
