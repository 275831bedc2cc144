"""Which items tell the very same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from handmade import NOW, catalogue_of, some_items, unit

from indexing.learn.stories import stories
from recommender.generation.catalogue import Catalogue
from recommender.profile import NearDuplicates
from recommender.vectors import VectorIndex

USUAL = NearDuplicates()


def told(vectors: list[list[float]], catalogue: Catalogue, settings: NearDuplicates = USUAL) -> list[int]:
    given = unit(vectors)
    index = VectorIndex.build(given, exact_limit=20_000, seed=0)
    return stories(catalogue, index, np.any(given != 0, axis=1), settings, 0).tolist()


def titled(*titles: str, hours: tuple[float, ...] = ()) -> Catalogue:
    items = [
        replace(item, title=title, published_at=NOW - timedelta(hours=hours[place]) if hours else None)
        for place, (item, title) in enumerate(zip(some_items(len(titles)), titles, strict=True))
    ]
    return catalogue_of(items)


def test_what_lies_near_tells_the_story_of_the_first() -> None:
    assert told([[1, 0], [0, 1], [1, 0.1], [1, 0.05]], titled("Fire", "Rain", "A fire", "Fire!")) == [0, -1, 0, 0]


def test_how_near_is_a_setting() -> None:
    vectors, catalogue = [[1, 0], [1, 0.5]], titled("Fire", "A fire")
    assert told(vectors, catalogue) == [-1, -1]
    assert told(vectors, catalogue, NearDuplicates(likeness=0.85)) == [0, 0]


def test_titles_that_name_other_numbers_are_other_items() -> None:
    catalogue = titled("Part 1", "Part 2", "Part 01", "Part", "Part 0")
    assert told([[1, 0]] * 5, catalogue) == [0, -1, 0, -1, -1]


def test_stories_do_not_run_into_each_other() -> None:
    # Each is near the one before it, the third no longer near the first.
    angles = np.radians([0, 17, 34])
    assert told(np.stack([np.cos(angles), np.sin(angles)], axis=1).tolist(), titled("A", "B", "C")) == [0, 0, -1]


def test_with_a_time_only_what_was_published_within_it() -> None:
    catalogue = titled("Fire", "Fire", "Fire", hours=(0, 5, 50))
    assert told([[1, 0]] * 3, catalogue) == [0, 0, 0]
    assert told([[1, 0]] * 3, catalogue, NearDuplicates(within_hours=24)) == [0, 0, -1]


def test_what_has_no_vector_tells_a_story_of_its_own() -> None:
    assert told([[0, 0], [0, 0], [1, 0]], titled("Fire", "Fire", "Fire")) == [-1, -1, -1]
