"""Examples: the people for whom two runs are worth most differently, in titles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eval.evaluation import Evaluation
from eval.examples import examples
from recommender.items import Item, ItemKind


def test_the_most_different_come_first_for_either_side_and_equals_never(by_hand: Callable[..., Evaluation], query: Any) -> None:
    items = [Item(f"item-{number}", ItemKind.MEDIA, title=f"Title {number}" if number else "") for number in range(9)]
    asked = [
        query(0, [], [1], {"content": [1], "blend": [1]}),
        query(1, [], [1], {"content": [2], "blend": [2, 1]}),
        query(2, [5, 6, 7, 8, 1, 2, 99], [0, 3], {"content": [], "blend": [0, 4, 3]}),
        query(3, [], [1], {"content": [1], "blend": []}),
    ]
    evaluation = by_hand(items, asked)
    found = examples(evaluation.material.catalogue, evaluation.comparison, "blend", "content")
    assert len(found) == 3
    first, _, last = found
    assert first.last == ["an item that is gone", "Title 2", "Title 1", "Title 8", "Title 7"]
    assert first.wanted == ["item-0", "Title 3"]
    assert first.lists == {"blend": [("item-0", True), ("Title 4", False), ("Title 3", True)], "content": []}
    assert first.worth["content"] == 0
    assert (last.worth["blend"], last.worth["content"]) == (0, 1)


def test_long_lists_of_wishes_are_cut_and_counted(by_hand: Callable[..., Evaluation], query: Any) -> None:
    items = [Item(f"item-{number}", ItemKind.MEDIA) for number in range(20)]
    evaluation = by_hand(items, [query(0, [], list(range(13)), {"content": [15], "blend": list(range(12))})])
    (example,) = examples(evaluation.material.catalogue, evaluation.comparison, "blend", "content")
    assert (len(example.wanted), example.more) == (10, 3)
    assert len(example.lists["blend"]) == 10
