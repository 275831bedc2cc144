"""Break-downs by hand: who is in which group, and what each group's mean is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import log2
from typing import Any

import numpy as np
import pytest
from worlds import NOW

from eval.breakdowns import BreakDown, break_downs, length_curve, popularity_classes
from eval.evaluation import Evaluation
from recommender.items import Item, ItemKind

Evaluate = Callable[..., Evaluation]


def item(number: int, **more: Any) -> Item:
    return Item(f"item-{number}", more.pop("kind", ItemKind.MEDIA), title=f"Title {number}", **more)


def named(broken: list[BreakDown]) -> dict[str, BreakDown]:
    return {each.by: each for each in broken}


def counts(broken: BreakDown) -> dict[str, int]:
    return {group.name: group.count for group in broken.groups}


def means(broken: BreakDown, variant: str = "blend") -> dict[str, float]:
    return {group.name: group.means[variant].mean for group in broken.groups if group.means}


def people_of(query: Any, histories: list[int], shown: list[int], wanted: int = 0, **more: Any) -> list[Any]:
    """Somebody for each length of history; the blend shows everybody `shown`, content nothing that anybody wants."""
    made = []
    for person, length in enumerate(histories):
        made.append(query(person, [9] * length, [wanted], {"content": [8], "blend": shown}, **more))
    return made


def test_people_stand_in_the_group_of_their_history(by_hand: Evaluate, query: Any) -> None:
    lengths = [0, 0, 0, 0, 0, 1, 2, 5, 6, 20, 21, 200]
    evaluation = by_hand([item(number) for number in range(10)], people_of(query, lengths, [1, 0]))
    by_length = named(break_downs(evaluation))["history length"]
    assert counts(by_length) == {"0": 5, "1": 1, "2–5": 2, "6–20": 2, "21+": 2}
    # The wanted item stands second in everybody's list; groups of fewer than five people have no mean.
    assert means(by_length) == {"0": pytest.approx(1 / log2(3))}
    assert means(by_length, "content") == {"0": 0}
    assert by_length.unit == "people"


def test_the_length_curve_goes_by_exact_length_up_to_twenty(by_hand: Evaluate, query: Any) -> None:
    evaluation = by_hand([item(number) for number in range(10)], people_of(query, [3] * 6 + [20] * 5 + [21] * 5, [0]))
    curve = length_curve(evaluation)
    assert counts(curve) == {"3": 6, "20": 5}
    assert means(curve) == {"3": 1.0, "20": 1.0}


def test_targets_count_as_found_within_the_first_twenty_and_by_what_they_are(by_hand: Evaluate, query: Any) -> None:
    items = [
        item(0, language="en", published_at=NOW - timedelta(hours=5)),
        item(1, language="fr", published_at=NOW - timedelta(days=7), kind=ItemKind.ARTICLE),
        item(2, language="en", published_at=NOW + timedelta(days=1)),
        item(3),
        *(item(number, published_at=NOW - timedelta(days=400)) for number in range(4, 30)),
    ]
    # Everybody wants items 0 to 3: the first stands at place 1, the second at place 20, the third at place 21, the fourth nowhere.
    shown = [0, *range(4, 22), 1, 2]
    asked = [query(person, [], [0, 1, 2, 3], {"content": [29], "blend": shown}) for person in range(5)]
    broken = named(break_downs(by_hand(items, asked)))
    assert means(broken["item age"]) == {"under a day": 1.0, "7–30 days": 1.0, "published later": 0.0, "no date": 0.0}
    assert counts(broken["item age"]) == {"under a day": 5, "7–30 days": 5, "published later": 5, "no date": 5}
    assert means(broken["kind"]) == {"media": 1 / 3, "article": 1.0}
    assert means(broken["language"]) == {"en": 0.5, "fr": 1.0, "none given": 0.0}
    assert broken["kind"].metric == "recall@20"
    assert broken["kind"].unit == "items"


def test_age_is_that_at_the_moment_of_asking(by_hand: Evaluate, query: Any) -> None:
    items = [item(0, published_at=NOW), item(1, published_at=NOW - timedelta(days=40))]
    later = [
        query(person, [], [0, 1], {"content": [1], "blend": [0]}, at=int((NOW + timedelta(days=10)).timestamp() * 1e6))
        for person in range(5)
    ]
    assert counts(named(break_downs(by_hand(items, later)))["item age"]) == {"7–30 days": 5, "30–365 days": 5}


def test_head_torso_and_tail_each_hold_a_third_of_the_events() -> None:
    # 30 events: the first two items have 10 and 6, so that 0, 10 and 16 lie before the first three.
    classes = popularity_classes(np.array([10, 6, 6, 4, 3, 1, 0]))
    assert classes.tolist() == ["head", "torso", "torso", "tail", "tail", "tail", "never seen"]
    assert popularity_classes(np.zeros(2, dtype=np.int64)).tolist() == ["never seen", "never seen"]


def test_popularity_is_that_of_the_target_in_training(by_hand: Evaluate, query: Any) -> None:
    asked = [query(person, [], [0, 6], {"content": [9], "blend": [0]}) for person in range(5)]
    evaluation = by_hand([item(number) for number in range(10)], asked, counts=[10, 6, 6, 4, 3, 1, 0, 0, 0, 0])
    assert means(named(break_downs(evaluation))["item popularity"]) == {"head": 1.0, "never seen": 0.0}


def test_segments_are_those_that_were_given(by_hand: Evaluate, query: Any) -> None:
    asked = people_of(query, [0] * 12, [0])
    evaluation = by_hand([item(number) for number in range(10)], asked, segments=dict.fromkeys(range(5), "new"))
    assert counts(named(break_downs(evaluation))["segment"]) == {"no segment": 7, "new": 5}
    assert "segment" not in named(break_downs(by_hand([item(number) for number in range(10)], asked)))


def test_a_break_down_into_one_group_says_nothing_and_is_left_out(by_hand: Evaluate, query: Any) -> None:
    broken = named(break_downs(by_hand([item(number) for number in range(10)], people_of(query, [0] * 5, [0]))))
    assert set(broken) == {"history length"}


def test_many_small_groups_are_put_together(by_hand: Evaluate, query: Any) -> None:
    asked = people_of(query, [0] * 40, [0])
    segments = {person: f"segment {person % 5}" for person in range(25)} | {person: f"own {person}" for person in range(25, 40)}
    found = counts(named(break_downs(by_hand([item(number) for number in range(10)], asked, segments=segments)))["segment"])
    assert len(found) == 12
    assert sum(found.values()) == 40
    assert list(found)[-1] == "all others"
    assert found["all others"] == 9


def test_values_of_one_person_are_resampled_together(by_hand: Evaluate, query: Any) -> None:
    items = [item(number) for number in range(10)]
    own = by_hand(items, [query(person, [], [person % 2], {"content": [8], "blend": [0]}) for person in range(20)])
    shared = by_hand(items, [query(person % 5, [], [int(person % 5 < 2)], {"content": [8], "blend": [0]}) for person in range(20)])
    (one,), (other,) = (named(break_downs(each))["history length"].groups for each in (own, shared))
    assert (one.count, one.people, other.count, other.people) == (20, 20, 20, 5)
    assert other.means["blend"].high - other.means["blend"].low > one.means["blend"].high - one.means["blend"].low
    assert named(break_downs(shared))["history length"].unit == "queries"


def test_an_item_that_left_the_catalogue_is_never_found(by_hand: Evaluate, query: Any) -> None:
    # Short lists end in -1, and so does the row of an item that is not there.
    asked = [query(person, [], [0, 99], {"content": [1], "blend": [0]}) for person in range(5)]
    broken = named(break_downs(by_hand([item(0), item(1)], asked)))
    assert means(broken["kind"]) == {"media": 1.0, "not in the catalogue": 0.0}
