"""Turns what went wrong into gRPC status codes: the only table from domain errors to codes."""

from __future__ import annotations

from grpc import StatusCode

from recommender.errors import (
    CorruptGeneration,
    ImportRefused,
    InvalidInput,
    Locked,
    NoGeneration,
    NotFound,
    RecommenderError,
    RefusedGeneration,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreUnwritable,
)

CODES: dict[type[RecommenderError], StatusCode] = {
    RecommenderError: StatusCode.FAILED_PRECONDITION,
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    NotFound: StatusCode.NOT_FOUND,
    NoGeneration: StatusCode.UNAVAILABLE,
    CorruptGeneration: StatusCode.FAILED_PRECONDITION,
    RefusedGeneration: StatusCode.FAILED_PRECONDITION,
    ImportRefused: StatusCode.INVALID_ARGUMENT,
    Locked: StatusCode.UNAVAILABLE,
    StoreError: StatusCode.UNAVAILABLE,
    SchemaMismatch: StatusCode.FAILED_PRECONDITION,
    StoreBusy: StatusCode.UNAVAILABLE,
    StoreUnwritable: StatusCode.RESOURCE_EXHAUSTED,
}
"""A class that is not listed takes the code of its nearest listed ancestor. UNAVAILABLE is what clients retry."""


def code_of(error: RecommenderError) -> StatusCode:
    """The status code of a domain error."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
