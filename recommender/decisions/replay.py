"""Replay: a decision is made again, and held against its record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.decisions.rebuilding import Rebuilder
from recommender.feeds import Feed
from recommender.store import Decision


@dataclass(frozen=True, eq=False)
class Replay:
    """`feed`: the slate as it is made now. `equal`: whether items, their order, sources and chances are those of the record.

    `differs_at`: the first place that differs, from 0; -1 for none. `inexact`: what may be otherwise than it was, in words.
    """

    feed: Feed
    equal: bool
    differs_at: int
    inexact: tuple[str, ...]


def replayed(rebuilder: Rebuilder, decision: Decision) -> Replay:
    """Make `decision` again. Raises `Gone`."""
    rebuilt = rebuilder.rebuilt(decision)
    [feed] = rebuilt.engine.feeds([rebuilt.query], now=rebuilt.now)
    differs_at = first_difference(feed, decision)
    return Replay(feed, differs_at < 0, differs_at, rebuilt.inexact)


def first_difference(feed: Feed, decision: Decision) -> int:
    """The first place, from 0, at which `feed` and the record of `decision` differ; -1 where they are the same."""
    both = min(len(feed.numbers), len(decision.numbers))
    same = feed.numbers[:both] == decision.numbers[:both]
    same &= feed.sources[:both] == decision.sources[:both]
    same &= feed.probabilities[:both] == decision.probabilities[:both]
    if not same.all():
        return int(np.argmin(same))
    return -1 if len(feed.numbers) == len(decision.numbers) else both
