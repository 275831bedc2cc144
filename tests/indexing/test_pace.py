"""Half-lives that the events themselves ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from indexing.counting import counts
from indexing.learn.popularity import item_popularity
from indexing.pace import HALF_LIVES, USUAL, foretelling_half_life, paced
from recommender.events import EventType
from recommender.profile import BuildSettings, Popularity

NONE = float("nan")
DAYS, ITEMS = 120, 60

Rows = list[tuple[int, int, EventType, float, float]]


def reads(item_on: Any, *, days: int = DAYS, a_day: int = 30, kind: EventType = EventType.READ) -> Rows:
    """Somebody else reads at each moment; `item_on(rng, day)` says what."""
    rng = np.random.default_rng(0)
    return [(1 + moment, item_on(rng, moment / a_day), kind, moment / a_day, NONE) for moment in range(days * a_day)]


def news(rng: np.random.Generator, day: float) -> int:
    """Each item is read for about a day."""
    return 1 + int(day / 2 + rng.exponential(0.3)) % ITEMS


def classics(rng: np.random.Generator, day: float) -> int:
    """The same few are always read most."""
    return 1 + min(int(rng.exponential(8)), ITEMS - 1)


def half_life(tables: Any, rows: Rows) -> float:
    return foretelling_half_life(tables.events(rows), tables.catalogue(ITEMS), BuildSettings())


def test_what_is_old_within_days_has_a_short_half_life_and_what_never_ages_the_longest(tables: Any) -> None:
    assert half_life(tables, reads(news)) <= 3
    assert half_life(tables, reads(classics)) >= 365


def test_the_chosen_half_life_foretells_the_next_day_better_than_the_extremes(tables: Any) -> None:
    def turning(rng: np.random.Generator, day: float) -> int:
        return 1 + int(day / 10 + rng.exponential(4)) % ITEMS

    rows = reads(turning)
    chosen = half_life(tables, rows)
    assert HALF_LIVES[0] < chosen < HALF_LIVES[-1]
    cut = 110
    before, after = tables.events([row for row in rows if row[3] < cut]), [row[1] - 1 for row in rows if cut <= row[3] < cut + 2]
    told = {}
    for days in (chosen, HALF_LIVES[0], HALF_LIVES[-1]):
        counted = item_popularity(before, tables.catalogue(ITEMS), BuildSettings(), half_life_days=days)
        told[days] = float(np.log(0.9 * counted / counted.sum() + 0.1 / ITEMS)[after].mean())
    assert max(told, key=lambda days: told[days]) == chosen


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(1, 1, EventType.READ, 3.0, NONE)],
        [(person, 1 + person % 7, EventType.READ, 0.0, NONE) for person in range(50)],
        [(person, 1 + step, EventType.READ, float(step), NONE) for person in range(50) for step in range(9)],
        reads(news, kind=EventType.DISLIKE),
        [(row[0], 1_000 + row[1], *row[2:]) for row in reads(news)],
    ],
    ids=["no event", "one event", "one time", "places for times", "nothing taken up", "unknown items"],
)
def test_without_times_to_tell_by_the_usual_half_life_holds(tables: Any, rows: Rows) -> None:
    assert half_life(tables, rows) == USUAL


def test_other_half_lives_follow_from_that_of_popularity_and_numbers_that_are_set_stay(tables: Any) -> None:
    events, catalogue = tables.events(reads(classics)), tables.catalogue(ITEMS)
    found = paced(events, catalogue, BuildSettings())
    long = foretelling_half_life(events, catalogue, BuildSettings())
    assert (found.popularity.half_life_days, found.popularity.recent_half_life_days, found.half_life_days) == (long, 0.1 * long, 4 * long)
    quick = paced(events, catalogue, BuildSettings(popularity=Popularity(half_life_days=2)))
    assert (quick.popularity.half_life_days, quick.popularity.recent_half_life_days, quick.half_life_days) == (2, 0.2, 180)
    given = BuildSettings(half_life_days=9, popularity=Popularity(half_life_days=5, recent_half_life_days=1))
    assert paced(events, catalogue, given) is given
    assert paced(events, catalogue, BuildSettings(half_life_days=9)).half_life_days == 9


def test_counts_are_taken_with_the_half_lives_that_were_found(tables: Any) -> None:
    events, catalogue = tables.events(reads(news)), tables.catalogue(ITEMS)
    long = foretelling_half_life(events, catalogue, BuildSettings())
    left, set_so = (
        counts(events, catalogue, BuildSettings(popularity=popularity))
        for popularity in (Popularity(), Popularity(half_life_days=long, recent_half_life_days=0.1 * long))
    )
    np.testing.assert_array_equal(left.popularity, set_so.popularity)
    np.testing.assert_array_equal(left.recent_popularity, set_so.recent_popularity)
