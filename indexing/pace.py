"""Pace: how fast what is popular changes, read off the events themselves.

News is old within hours, films within years. So the half-life of popularity is the one under which counts taken at earlier moments
foretell best what people took up next, and other half-lives follow from it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.decay import decay
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.generation.catalogue import Catalogue
from recommender.order import Order, order_of
from recommender.profile import BuildSettings

HALF_LIVES = (0.25, 1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 120.0, 240.0, 365.0, 730.0, 1_500.0, 5_000.0)
"""Half-lives of popularity that are tried, in days."""
USUAL = 30.0
"""Without times to tell by, in days."""
SHARE, STEPS = 0.4, 10
"""The newest share of the events is foretold, in so many steps, each from what lies before it."""
MOST = 1_000_000
"""Newest events that are looked at."""
FLOOR = 1e-3
"""Share of its weight that the oldest event keeps, as when popularity is counted."""
UNSEEN = 0.1
"""Share of the chance that goes to all items alike: what was never counted is taken up, too."""
OUTLASTS, LEAST, RECENT = 4.0, 180.0, 0.1
"""Tastes last so many times as long as popularity, and so many days at the least; a trend is told by this share of it."""


def paced(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> BuildSettings:
    """`settings` with a number for every half-life that they leave to the events; the same where they leave none."""
    days = settings.popularity
    if settings.half_life_days is not None and days.half_life_days is not None and days.recent_half_life_days is not None:
        return settings
    long = days.half_life_days
    if long is None:
        long = foretelling_half_life(events, catalogue, settings)
    short = RECENT * long if days.recent_half_life_days is None else days.recent_half_life_days
    training = max(OUTLASTS * long, LEAST) if settings.half_life_days is None else settings.half_life_days
    popularity = days.model_copy(update={"half_life_days": long, "recent_half_life_days": short})
    return settings.model_copy(update={"popularity": popularity, "half_life_days": training})


def foretelling_half_life(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> float:
    """The half-life in days, of `HALF_LIVES`, under which popularity foretells best what is taken up next; `USUAL` without times.

    The newest events are gone through step by step; counts of what lies before a step give each item a chance, and what counts is the
    mean log of the chances of the items that were taken up in it (the prequential likelihood: Dawid, JRSS A 1984).
    """
    rows, weights = catalogue.rows_of(events.item), events.weights(settings.event_weights)
    kept = np.flatnonzero((rows >= 0) & (weights > 0) & (events.type != EventType.IMPRESSION))
    order = kept[newest(events.at[kept], MOST)]
    at, rows, weights = events.at[order], rows[order], weights[order]
    if not len(at) or order_of(events) is not Order.TIME:
        return USUAL
    steps = np.linspace(1 - SHARE, 1, STEPS, endpoint=False)
    # A step begins with the first event of its time, so that nothing is foretold from what happened at the same moment.
    starts = [int(start) for start in np.unique(np.searchsorted(at, at[(steps * len(at)).astype(np.int64)])) if start > 0]
    if not starts:
        return USUAL
    reached = [_likelihood(at, rows, weights, starts, half_life, catalogue.n) for half_life in HALF_LIVES]
    return HALF_LIVES[int(np.argmax(reached))]


def newest(at: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Places of the `most` newest of `at`, µs, shape (m,), ascending in time; of equal times those that stand last, in their order."""
    if len(at) <= most:
        return np.argsort(at, kind="stable")
    oldest = np.partition(at, len(at) - most)[len(at) - most]
    newer, as_old = np.flatnonzero(at > oldest), np.flatnonzero(at == oldest)
    places = np.sort(np.concatenate([newer, as_old[len(as_old) - (most - len(newer)) :]]))
    return places[np.argsort(at[places], kind="stable")]


def _likelihood(
    at: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    starts: list[int],
    half_life_days: float,
    n: int,
) -> float:
    """Mean log chance of the events from `starts[0]` on, ascending in time, each step foretold from all before it."""
    told = 0.0
    for start, end in zip(starts, [*starts[1:], len(at)], strict=True):
        aged = weights[:start] * decay(at[:start], int(at[start]), half_life_days, floor=FLOOR)
        counts = np.bincount(rows[:start], weights=aged, minlength=n)
        chances = (1 - UNSEEN) * counts / counts.sum() + UNSEEN / n
        told += float(np.log(chances[rows[start:end]]).sum())
    return told / (len(at) - starts[0])
