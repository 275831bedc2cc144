"""What every source can do, and the pieces of array work that several share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recommender.best import best_places
from recommender.feeds import SourceName
from recommender.sources.batch import Batch

NO_OPINION = np.float32(-np.inf)
"""Score of a row of which a source knows nothing in favour; it gets no rank from that source."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cause:
    """What in a history caused a score: places in the history (0 is the oldest used), strongest first, and the share of
    the first among all positive contributions."""

    places: tuple[int, ...] = ()
    share: float = 0.0


def sound(scores: Floats) -> Floats:
    """`scores`, any shape, as they are. Raises FloatingPointError where any is NaN or +inf: NaN is not above 0, so that a source that
    is broken would pass for one without an opinion."""
    if not scores.max(initial=NO_OPINION) < np.inf:
        raise FloatingPointError("a score is no number")
    return scores


class Scorer(Protocol):
    """A source made ready for one batch of b histories."""

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """Up to `limit` of the best rows for each history, shape (b, ≤ limit), int32, -1 where there are fewer.

        `allowed`: shape (b, n). Only rows with an opinion are proposed.
        """
        ...

    def score(self, rows: Rows) -> Floats:
        """Scores of `rows`, shape (b, m), float32; `NO_OPINION` where there is none.

        Rows of -1 stand at the ends of lines and may score anything.
        """
        ...

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """For each of `rows`, shape (r,), what in the history of `query` (its place in the batch) caused its score."""
        ...


class Source(Protocol):
    """One way to find items for a history; immutable."""

    name: SourceName

    def prepare(self, batch: Batch, now: int) -> Scorer:
        """Do the work that scoring and proposing share. `now`: µs since 1970."""
        ...

    def has_opinion(self, batch: Batch) -> Mask:
        """For which histories the source can say anything, shape (b,)."""
        ...


def best_of(rows: Rows, scores: Floats, limit: int) -> Rows:
    """The `limit` of `rows`, shape (r,), with the best `scores`, the same shape; in no order, all where they are fewer.

    Of equal scores at the cut those that come first in `rows` are taken.
    """
    return rows[best_places(scores, limit)]


def first_allowed(order: Rows, allowed: Mask, limit: int) -> Rows:
    """The first `limit` rows of `order`, shape (o,), that each line of `allowed`, shape (b, n), allows; -1 where fewer."""
    found = np.full((len(allowed), limit), -1, dtype=np.int32)
    for line, mask in enumerate(allowed):
        taken, start, step = 0, 0, max(4 * limit, 64)
        while taken < limit and start < len(order):
            part = order[start : start + step]
            part = part[mask[part]][: limit - taken]
            found[line, taken : taken + len(part)] = part
            taken, start, step = taken + len(part), start + step, 2 * step
    return found


def ranked_causes(contributions: Floats, nameable: Mask | None = None, *, most: int = 3) -> list[Cause]:
    """Causes from what each of h history events contributed to each of r rows, shape (r, h).

    At the most `most` a row, only positive contributions, and only `nameable` ones, the same shape, where given.
    """
    named = contributions > 0 if nameable is None else (contributions > 0) & nameable
    causes = []
    for parts, may_be_named in zip(contributions, named, strict=True):
        places = np.flatnonzero(may_be_named)
        places = places[np.argsort(-parts[places], kind="stable")][:most]
        share = float(parts[places[0]] / parts[parts > 0].sum()) if len(places) else 0.0
        causes.append(Cause(tuple(places.tolist()), share))
    return causes
