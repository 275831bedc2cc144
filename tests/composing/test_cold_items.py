"""A good item that nobody knows finds its audience by trials, within so many impressions and at a cost in clicks that is stated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from handmade import HOME, NOW, blend_by, catalogue_of, engine_of, feed_of, history_of, number_of, rows_in, some_items, unit

from indexing.learning import learn
from recommender.composing.variety import Exploration
from recommender.engine import Recommender
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.feeds import Query
from recommender.people import History
from recommender.placements import Placement
from recommender.profile import BuildSettings, Collaborative
from recommender.times import DAY_US, to_micros
from recommender.vectors import VectorIndex

N, TASTES, PEOPLE, SHOWN, VISITS = 90, 3, 60, 10, 5
"""Items, tastes, people, items on a page, and how often everybody comes on a day."""
COLD = N - 1
"""Liked by the first taste's people three times as often as what they are shown otherwise; nothing but its text says so."""
APPEAL, OTHERS, COLD_APPEAL = 0.15, 0.02, 0.45
TASTE_OF = np.where(np.arange(N) == COLD, 0, np.arange(N) % TASTES)
SETTINGS = BuildSettings(collaborative=Collaborative(factors=8))
BLEND = blend_by(content=0.3, item_item=1.0, popular=0.3, response=0.3)
START = to_micros(NOW)


@dataclass
class Log:
    """What happened: who, to which row, what, when."""

    entries: list[tuple[int, int, EventType, int]] = field(default_factory=list)

    def table(self) -> EventTable:
        person, row, kind, at = map(np.array, zip(*self.entries, strict=True))
        numbers = np.array([number_of(each) for each in row], dtype=np.uint32)
        nothing, all_of_it = np.full(len(row), np.nan, dtype=np.float32), np.full(len(row), Consent.ALL, dtype=np.uint8)
        return EventTable.sorted(
            person.astype(np.uint32), numbers, kind.astype(np.uint8), nothing, at.astype(np.int64), all_of_it, np.arange(len(row))
        )


@dataclass
class World:
    """Sixty people who keep to one of three tastes, with a past without the cold item, and a site that learns every night."""

    share: float
    rng: np.random.Generator
    log: Log = field(default_factory=Log)
    impressions: int = 0
    clicks: int = 0

    def __post_init__(self) -> None:
        self.vectors = unit(np.eye(4)[TASTE_OF] + self.rng.normal(scale=0.1, size=(N, 4)))
        self.pasts: list[History] = []
        for person in range(PEOPLE):
            own = self.rng.permutation(np.flatnonzero((person % TASTES == TASTE_OF) & (np.arange(N) != COLD)))[:16].tolist()
            self.pasts.append(history_of(*own[:3]))
            self.log.entries += [(person, row, EventType.READ, START - DAY_US * (2 + place)) for place, row in enumerate(own)]
        exploration = Exploration(share=self.share, uncertain_below=20, choice=5)
        settings = {**HOME.model_dump(exclude={"exploration"}), "repeat": "allowed", "exploration": exploration}
        self.placement = Placement.model_validate(settings)

    def night(self) -> Recommender:
        """What is learnt of all that happened."""
        index = VectorIndex.build(self.vectors, exact_limit=20_000, seed=0)
        everything = np.ones(N, dtype=np.bool_)
        return engine_of(learn(catalogue_of(some_items(N)), index, everything, self.log.table(), SETTINGS, BLEND), SETTINGS)

    def day(self, number: int) -> None:
        """Everybody comes some times, and clicks by how much each item appeals to them."""
        engine = self.night()
        for visit in range(VISITS):
            at = START + number * DAY_US + visit * DAY_US // 10
            for person, past in enumerate(self.pasts):
                feed = feed_of(engine, Query(self.placement, SHOWN, history=past, seed=int(self.rng.integers(2**63))))
                rows = engine.catalogue.rows_of(feed.numbers)
                clicked = rows[self.rng.random(len(rows)) < self._appeal(person, rows)].tolist()
                self.log.entries += [(person, row, EventType.IMPRESSION, at) for row in rows.tolist()]
                self.log.entries += [(person, row, EventType.CLICK, at + 1) for row in clicked]
                self.impressions += int((rows == COLD).sum())
                self.clicks += len(clicked)

    def rank(self) -> float:
        """The mean place, from 0, that the cold item has by its own score among all for its audience, after a night."""
        engine = self.night()
        feeds = engine.feeds([Query(HOME, N, history=past) for past in self.pasts[::TASTES]], now=NOW)
        return float(np.mean([rows_in(feed).index(COLD) for feed in feeds]))

    def _appeal(self, person: int, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        own = TASTE_OF[rows] == person % TASTES
        return np.where(own, np.where(rows == COLD, COLD_APPEAL, APPEAL), OTHERS)


def test_a_good_cold_item_finds_its_audience_at_a_small_cost() -> None:
    clicks, ranks = np.zeros(2), []
    for seed in (1, 2, 3):
        tried, without = World(0.1, np.random.default_rng(seed)), World(0.0, np.random.default_rng(seed))
        assert tried.rank() == without.rank() == N - 1
        for number in range(3):
            tried.day(number)
            without.day(number)
        ranks.append(tried.rank())
        assert 0 < tried.impressions <= 120
        assert without.rank() == N - 1
        assert without.impressions == 0
        clicks += tried.clicks, without.clicks
    # A third of all items are of its taste: it has come from behind all of them to their midst, unless chance kept clicks from it.
    assert np.median(ranks) < 25
    assert clicks[0] >= 0.95 * clicks[1]
