"""What every source can do, and the pieces of array work that several share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from recommender.cause_kernels import strongest_of_each
from recommender.feeds import NAMED, SourceName
from recommender.kernels import any_of
from recommender.sources.past import Past

NO_OPINION = np.float32(-np.inf)
"""Score of a row of which a source knows nothing in favour; it gets no rank from that source."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


class Causes(NamedTuple):
    """What in a history caused the scores of r rows.

    `places`: shape (r, c), places in the history (0 is the oldest used), strongest first. `counts`: shape (r,), how many of them there are
    for each row. `shares`: shape (r,), the share of the first among all positive contributions, 0 where there is none.
    """

    places: Rows
    counts: Rows
    shares: Floats

    @classmethod
    def none(cls, r: int) -> Causes:
        """No cause for r rows."""
        return cls(np.zeros((r, NAMED), dtype=np.int32), np.zeros(r, dtype=np.int32), np.zeros(r, dtype=np.float32))


def sound(scores: Floats) -> Floats:
    """`scores`, any shape, as they are. Raises FloatingPointError where any is NaN or +inf: NaN is not above 0, so that a source that
    is broken would pass for one without an opinion."""
    if not scores.max(initial=NO_OPINION) < np.inf:
        raise FloatingPointError("a score is no number")
    return scores


class Scorer(Protocol):
    """A source made ready for one history.

    It keeps nothing of the `Past` but arrays: the past may keep it, and what keeps each other stays until the next search for cycles.
    """

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """Up to `limit` of the best rows that are `allowed`, shape (n,), in no order: shape (≤ limit,), int32.

        Only rows with an opinion are proposed.
        """
        ...

    def further(self, allowed: Mask, limit: int) -> Rows:
        """Up to `limit` of the `allowed` rows beyond `candidates`, in no order, where a longer way finds some: shape (≤ limit,)."""
        ...

    def score(self, rows: Rows) -> Floats:
        """Scores of `rows`, shape (m,), float32; `NO_OPINION` where there is none."""
        ...

    def causes(self, rows: Rows) -> Causes:
        """What in the history caused the score of each of `rows`, shape (r,), all different."""
        ...


class Source(Protocol):
    """One way to find items for a history; immutable.

    `scans`: it finds candidates by looking at every item, and scores given ones at next to no cost. `known`: the items, shape (n,), by
    which it goes, so that it has an opinion as soon as a history likes any of them; None where it does not go by the history.
    """

    name: SourceName
    scans: bool

    @property
    def known(self) -> Mask | None:
        """See above."""
        ...

    def prepare(self, past: Past, now: int) -> Scorer:
        """Do the work that scoring and proposing share. `now`: µs since 1970."""
        ...

    def has_opinion(self, past: Past) -> bool:
        """Whether the source can say anything for this history."""
        ...


def first_allowed(order: Rows, allowed: Mask, limit: int) -> Rows:
    """The first `limit` rows of `order`, shape (o,), that are `allowed`, shape (n,)."""
    parts, found, start, step = list[Rows](), 0, 0, max(4 * limit, 64)
    while found < limit and start < len(order):
        part = order[start : start + step]
        part = part[allowed[part]][: limit - found]
        parts.append(part)
        found, start, step = found + len(part), start + step, 2 * step
    return np.concatenate(parts) if parts else order[:0]


class ByItems(ABC):
    """A source that goes by the items of a history that it knows."""

    @property
    @abstractmethod
    def known(self) -> Mask:
        """Which items it knows, shape (n,)."""

    def has_opinion(self, past: Past) -> bool:
        """Whether any of them has positive weight."""
        return any_of(self.known, past.liked)


class NoFurther:
    """A scorer whose `candidates` are all that it finds."""

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return np.zeros(0, dtype=np.int32)


def ranked_causes(contributions: Floats, nameable: Mask | None = None) -> Causes:
    """Causes from what each of h history events contributed to each of r rows, shape (r, h).

    At the most `NAMED` a row, only positive contributions, and only `nameable` ones, the same shape, where given.
    """
    named = np.ones(contributions.shape, dtype=np.bool_) if nameable is None else np.ascontiguousarray(nameable)
    return Causes(*strongest_of_each(np.ascontiguousarray(contributions, dtype=np.float32), named))
