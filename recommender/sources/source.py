"""What every source can do, and the pieces of array work that several share."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from recommender.feeds import SourceName
from recommender.kernels import strongest_of_each
from recommender.sources.past import Past

NO_OPINION = np.float32(-np.inf)
"""Score of a row of which a source knows nothing in favour; it gets no rank from that source."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


class Cause(NamedTuple):
    """What in a history caused a score: places in the history (0 is the oldest used), strongest first, and the share of
    the first among all positive contributions."""

    places: tuple[int, ...] = ()
    share: float = 0.0


NO_CAUSE = Cause()


def sound(scores: Floats) -> Floats:
    """`scores`, any shape, as they are. Raises FloatingPointError where any is NaN or +inf: NaN is not above 0, so that a source that
    is broken would pass for one without an opinion."""
    if not scores.max(initial=NO_OPINION) < np.inf:
        raise FloatingPointError("a score is no number")
    return scores


class Scorer(Protocol):
    """A source made ready for one history."""

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

    def causes(self, rows: Rows) -> list[Cause]:
        """For each of `rows`, shape (r,), what in the history caused its score."""
        ...


class Source(Protocol):
    """One way to find items for a history; immutable.

    `scans`: it finds candidates by looking at every item, and scores given ones at next to no cost.
    """

    name: SourceName
    scans: bool

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


class NoFurther:
    """A scorer whose `candidates` are all that it finds."""

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return np.zeros(0, dtype=np.int32)


def ranked_causes(contributions: Floats, nameable: Mask | None = None, *, most: int = 3) -> list[Cause]:
    """Causes from what each of h history events contributed to each of r rows, shape (r, h).

    At the most `most` a row, only positive contributions, and only `nameable` ones, the same shape, where given.
    """
    named = np.ones(contributions.shape, dtype=np.bool_) if nameable is None else np.ascontiguousarray(nameable)
    columns, counts, shares = strongest_of_each(np.ascontiguousarray(contributions, dtype=np.float32), named, most)
    return [
        Cause(tuple(places[:count]), share) if count else NO_CAUSE
        for places, count, share in zip(columns.tolist(), counts.tolist(), shares.tolist(), strict=True)
    ]
