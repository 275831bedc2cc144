"""The history of a synthetic world: people with clustered tastes that drift, who come in sessions and pick what is in fashion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.world.catalogue import HALF_LIFE_DAYS, MICROS_PER_DAY, Catalogue
from eval.world.shape import LANGUAGE_SHARES, LANGUAGES, Shape
from recommender.events import EventType

TASTES = 4
"""Topics that a person is interested in at a time, with the weights `TASTE_WEIGHTS`."""
TASTE_WEIGHTS = (0.5, 0.25, 0.15, 0.1)
DRIFTING = 0.5
"""The share of people some of whose interests change once in the history."""
KEPT = 2
"""Of their interests, the newest taste keeps so many of the oldest ones."""
EVENTS_PER_SESSION = 4
STICKINESS = 0.6
"""The probability that an event of a session stays with the session's topic."""
OFF_TASTE = 0.15
"""The share of events that follow what everybody looks at."""
ACTIVITY_EXPONENT = 1.3
"""People's activity is drawn from a Pareto distribution of this shape, cut off at `MOST` times the mean."""
MOST = 20
REDRAWS = 4
"""How often an item is drawn again that the person had already, in the end from what everybody looks at; what is still the same
then is had again."""

PART = 500_000
"""Events are drawn in parts of about so many, by whole people."""

TYPES = {
    0: ((EventType.READ, 0.62), (EventType.CLICK, 0.2), (EventType.LIKE, 0.04), (EventType.HIDE, 0.02)),
    1: ((EventType.WATCH, 0.72), (EventType.LIKE, 0.07), (EventType.SAVE, 0.05), (EventType.DISLIKE, 0.03)),
    2: ((EventType.VIEW, 0.62), (EventType.CART, 0.12), (EventType.PURCHASE, 0.09), (EventType.SAVE, 0.04)),
}
"""What people do with items of each kind, and how often; what is left are impressions."""

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class History:
    """Events by time, each array of shape (e,): the `user` and `item` by place, `at` in microseconds since 1970, `type` as
    `EventType`, `portion` in [0, 1] for reading and watching, NaN for all else."""

    user: Ints
    item: Ints
    at: npt.NDArray[np.int64]
    type: npt.NDArray[np.int8]
    portion: npt.NDArray[np.float32]

    @classmethod
    def drawn(cls, catalogue: Catalogue) -> History:
        """The history of a catalogue's world."""
        parts = list(_parts(catalogue))
        user, item, at, kind, portion = (np.concatenate([part[place] for part in parts]) for place in range(5))
        order = np.argsort(at, kind="stable")
        return cls(user[order], item[order], at[order], kind[order], portion[order])


@dataclass(frozen=True, eq=False)
class _Fashion:
    """What a person may pick on a day: `items` by cell, each cell from `first` to before `last`, and the running `sums` of their
    weights within the cell, shape (days, n); `weights` of whole cells, shape (days, c)."""

    items: Ints
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float64]

    @classmethod
    def of(cls, catalogue: Catalogue) -> _Fashion:
        shape = catalogue.shape
        cell = catalogue.cell
        items = np.argsort(cell, kind="stable").astype(np.int32)
        ends = np.searchsorted(cell[items], np.arange(shape.cells + 1))
        age_at_end = (shape.end.timestamp() * 1e6 - catalogue.published[items]) / MICROS_PER_DAY
        half_life = np.array(HALF_LIFE_DAYS)[catalogue.kind[items]]
        sums = np.empty((shape.days, shape.items), dtype=np.float32)
        weights = np.zeros((shape.days, shape.cells))
        for day in range(shape.days):
            age = age_at_end - (shape.days - 1 - day)
            # Old favourites keep a little of their appeal for ever.
            weight = np.where(age >= 1, catalogue.appeal[items] * (0.02 + np.exp2(-np.maximum(age, 0) / half_life)), 0)
            running = np.concatenate([[0.0], np.cumsum(weight)])
            before = running[ends[:-1]]
            weights[day] = running[ends[1:]] - before
            sums[day] = running[1:] - before[cell[items]]
        return cls(items, ends[:-1], ends[1:], sums, weights)

    def crowd(self, day: npt.NDArray[np.int64], chance: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """A cell by its weight on the day; `chance` in [0, 1)."""
        shares = np.cumsum(self.weights, axis=1)
        lines = shares / shares[:, -1:] + np.arange(len(shares))[:, None]
        found = np.searchsorted(lines.ravel(), day + chance, side="right") - day * lines.shape[1]
        cell: npt.NDArray[np.int64] = np.clip(found, 0, lines.shape[1] - 1)
        return cell

    def pick(self, cell: npt.NDArray[np.int64], day: npt.NDArray[np.int64], chance: npt.NDArray[np.float64]) -> Ints:
        """An item of each cell by its weight on the day; `chance` in [0, 1)."""
        low, high = self.first[cell].copy(), self.last[cell] - 1
        aim = (chance * self.sums[day, high]).astype(np.float32)
        while (low < high).any():
            middle = (low + high) // 2
            right = self.sums[day, middle] <= aim
            low, high = np.where(right, np.minimum(middle + 1, high), low), np.where(right, high, middle)
        return self.items[low]


def _parts(catalogue: Catalogue) -> Iterator[tuple[npt.NDArray[np.generic], ...]]:
    shape = catalogue.shape
    fashion = _Fashion.of(catalogue)
    counts = _events_of_people(shape)
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(PART, shape.events, PART), side="right")
    for number, people in enumerate(np.split(np.arange(shape.users), cuts)):
        if counts[people].any():
            yield _drawn(catalogue, fashion, people, counts[people], shape.rng("history", number))


def _events_of_people(shape: Shape) -> npt.NDArray[np.int64]:
    """How many events each person has; they sum to those of the world."""
    rng = shape.rng("activity")
    activity = np.minimum(rng.pareto(ACTIVITY_EXPONENT, shape.users) + 0.1, MOST)
    exact = np.cumsum(activity) * (shape.events / activity.sum())
    bounds = np.concatenate([[0], np.round(exact).astype(np.int64)])
    bounds[-1] = shape.events
    return np.diff(bounds)


def _drawn(
    catalogue: Catalogue, fashion: _Fashion, people: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.generic], ...]:
    """Events of some people: user, item, at, type and portion."""
    shape, m = catalogue.shape, len(people)
    language = rng.choice(len(LANGUAGES), m, p=LANGUAGE_SHARES)
    liking = np.bincount(catalogue.topic, minlength=shape.topics).astype(np.float64) ** 0.8
    liking /= liking.sum()
    early = rng.choice(shape.topics, (m, TASTES), p=liking)
    late = np.where(np.arange(TASTES) < KEPT, early[:, ::-1], rng.choice(shape.topics, (m, TASTES), p=liking))
    drift = np.where(rng.random(m) < DRIFTING, rng.random(m), 2.0)
    since = rng.random(m) ** 3 * 0.9

    who = np.repeat(np.arange(m), counts)
    sessions = np.maximum(1, counts // EVENTS_PER_SESSION)
    session = (np.cumsum(sessions) - sessions)[who] + (rng.random(len(who)) * sessions[who]).astype(np.int64)
    of_session = np.repeat(np.arange(m), sessions)
    moment = since[of_session] + (1 - since[of_session]) * rng.random(len(of_session))
    # People come in the evening more than at night: hours of a day are pulled towards 20 o'clock.
    days = moment * (shape.days - 1)
    days = np.floor(days) + np.clip(rng.normal(20 / 24, 0.17, len(days)), 0, 0.999)
    at = days[session] + rng.exponential(8 / 1440, len(who))
    day = np.minimum(at.astype(np.int64), shape.days - 1)
    at = np.minimum(at, shape.days - 1e-6)

    taste = np.where((moment > drift[of_session])[:, None], late[of_session], early[of_session])
    weights = np.cumsum(TASTE_WEIGHTS)
    on_mind = taste[np.arange(len(taste)), np.searchsorted(weights, rng.random(len(taste)))]
    other = taste[session, np.searchsorted(weights, rng.random(len(who)))]
    topic = np.where(rng.random(len(who)) < STICKINESS, on_mind[session], other)
    crowd = fashion.crowd(day, rng.random(len(who)))
    cell = np.where(rng.random(len(who)) < OFF_TASTE, crowd, topic * len(LANGUAGES) + language[who])
    # Nothing may be out yet in a small topic: the person looks at what everybody does.
    cell = np.where(fashion.weights[day, cell] > 0, cell, crowd)

    item = fashion.pick(cell, day, rng.random(len(who)))
    for turn in range(REDRAWS):
        again = _had_before(who, item, at, shape.items)
        if turn >= REDRAWS // 2:
            cell[again] = fashion.crowd(day[again], rng.random(int(again.sum())))
        item[again] = fashion.pick(cell[again], day[again], rng.random(int(again.sum())))
    kind = _types(catalogue.kind[item], rng)
    wholly = np.isin(kind, [EventType.READ, EventType.WATCH])
    portion = np.where(wholly, rng.beta(2.0, 1.0, len(who)), np.nan).astype(np.float32)
    micros = int(shape.start.timestamp() * 1e6) + (at * MICROS_PER_DAY).astype(np.int64)
    return people[who].astype(np.int32), item, micros, kind, portion


def _had_before(who: npt.NDArray[np.int64], item: Ints, at: npt.NDArray[np.float64], items: int) -> npt.NDArray[np.bool_]:
    """Which events are of an item that the person had earlier."""
    pair = who * items + item
    order = np.lexsort((at, pair))
    again = np.zeros(len(pair), dtype=np.bool_)
    again[order[1:]] = pair[order[1:]] == pair[order[:-1]]
    return again


def _types(kind: npt.NDArray[np.int8], rng: np.random.Generator) -> npt.NDArray[np.int8]:
    chosen = np.full(len(kind), EventType.IMPRESSION, dtype=np.int8)
    chance = rng.random(len(kind))
    for place, types in TYPES.items():
        of_kind = kind == place
        bounds = np.cumsum([share for _, share in types])
        names = np.array([*(int(name) for name, _ in types), int(EventType.IMPRESSION)], dtype=np.int8)
        chosen[of_kind] = names[np.searchsorted(bounds, chance[of_kind], side="right")]
    return chosen
