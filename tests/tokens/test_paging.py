"""Taking pages out of a ranking, and what a page is bound to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import InvalidInput
from recommender.events import Consent, Subject, SubjectKind
from recommender.feeds import Basis, SourceName
from recommender.items import ItemKind
from recommender.paging import TAKEN_IN_LIMIT, Page, TakenIn, binding, take_page

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def page(numbers: list[int], offset: int = 0) -> Page:
    n = len(numbers)
    return Page(
        decision_id=b"d" * 16,
        binding=b"b" * 16,
        issued_at=NOW,
        generation_id="20260131",
        placement_version="0123456789ab",
        offset=offset,
        basis=Basis.PERSONAL,
        numbers=np.array(numbers, np.uint32),
        sources=np.array([1 + place % 5 for place in range(n)], np.uint8),
        probabilities=np.linspace(1.0, 0.5, n, dtype=np.float32),
        marks=(np.arange(n) % 4).astype(np.uint8),
    )


TAKEN_IN = TakenIn(np.array([70, 80], np.uint32), (1, 4, 9))


def test_what_came_later_stands_at_its_slots_and_nothing_is_lost_for_it() -> None:
    whole = replace(page([7, 3, 9, 1, 5, 6], offset=10), newest=60)
    taken = take_page(whole, np.ones(6, dtype=np.bool_), 5, TAKEN_IN)
    assert taken.numbers.tolist() == [70, 7, 3, 80, 9]
    assert taken.marks.tolist() == [4, 0, 1, 4, 2]
    assert taken.sources.tolist() == [SourceName.FRESH, 1, 2, SourceName.FRESH, 3]
    assert taken.positions.tolist() == [10, 11, 12, 13, 14]
    assert taken.rest is not None
    assert (taken.rest.numbers.tolist(), taken.rest.offset) == ([1, 5, 6], 15)
    assert (taken.rest.newest, taken.rest.taken_in) == (60, (70, 80))


def test_of_what_came_later_no_more_is_taken_in_than_leaves_place_for_the_feed_itself() -> None:
    whole = page([7, 3])
    alone = take_page(whole, np.ones(2, dtype=np.bool_), 1, TAKEN_IN)
    assert alone.numbers.tolist() == [7]
    last = take_page(whole, np.array([True, False]), 3, TAKEN_IN)
    assert last.numbers.tolist() == [70, 7, 80]
    assert last.rest is None


def test_what_finds_no_slot_waits_for_a_later_page() -> None:
    whole = replace(page([7, 3, 9, 1, 5, 6]), newest=60)
    everything = np.ones(6, dtype=np.bool_)
    first = take_page(whole, everything, 1, TAKEN_IN)
    assert first.rest is not None
    assert (first.rest.newest, first.rest.taken_in) == (60, ())
    second = take_page(first.rest, everything[:5], 2, TAKEN_IN)
    assert second.rest is not None
    assert second.numbers.tolist() == [70, 3]
    assert (second.rest.newest, second.rest.taken_in) == (60, (70,))


def test_of_very_much_that_came_later_nothing_is_handed_out_twice() -> None:
    left = replace(page([7, 3, 9]), newest=60, taken_in=tuple(range(200, 200 + TAKEN_IN_LIMIT)))
    rest = take_page(left, mask(1, 1, 1), 2, TakenIn(np.array([150], np.uint32), (1,))).rest
    assert rest is not None
    # What has a number up to this one came before, as far as this feed goes.
    assert (rest.newest, rest.taken_in) == (150, left.taken_in)
    with pytest.raises(InvalidInput, match="taken_in: given '101 items', allowed: at most 100"):
        replace(left, taken_in=(*left.taken_in, 1))


def mask(*flags: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array(flags, dtype=np.bool_)


def test_a_page_has_the_best_items_in_order_with_all_that_belongs_to_them() -> None:
    whole = page([7, 3, 9, 1])
    taken = take_page(whole, mask(1, 1, 1, 1), 3)
    assert taken.numbers.tolist() == [7, 3, 9]
    assert taken.sources.tolist() == [1, 2, 3]
    assert taken.probabilities.tolist() == whole.probabilities[:3].tolist()
    assert taken.marks.tolist() == whole.marks[:3].tolist()
    assert taken.positions.tolist() == [0, 1, 2]
    assert taken.rest is not None
    assert taken.rest.numbers.tolist() == [1]
    assert taken.rest.sources.tolist() == [4]
    assert taken.rest.offset == 3
    assert (taken.rest.decision_id, taken.rest.binding, taken.rest.issued_at) == (whole.decision_id, whole.binding, NOW)


def test_what_is_no_longer_eligible_is_skipped_and_the_page_is_filled_from_the_rest() -> None:
    taken = take_page(page([7, 3, 9, 1, 5], offset=20), mask(0, 1, 0, 1, 1), 2)
    assert taken.numbers.tolist() == [3, 1]
    assert taken.sources.tolist() == [2, 4]
    assert taken.positions.tolist() == [20, 21]
    assert taken.rest is not None
    assert taken.rest.numbers.tolist() == [5]
    assert taken.rest.offset == 22


def test_there_is_no_rest_when_nothing_that_may_be_shown_is_left() -> None:
    assert take_page(page([7, 3]), mask(1, 1), 2).rest is None
    assert take_page(page([7, 3, 9]), mask(1, 1, 0), 2).rest is None
    assert take_page(page([7, 3]), mask(1, 1), 5).numbers.tolist() == [7, 3]


def test_a_page_of_which_nothing_may_be_shown_is_empty_and_the_last() -> None:
    taken = take_page(page([7, 3]), mask(0, 0), 2)
    assert taken.rest is None
    assert taken.numbers.shape == taken.positions.shape == taken.sources.shape == taken.probabilities.shape == (0,)


def test_an_item_that_becomes_eligible_again_before_its_page_is_shown() -> None:
    rest = take_page(page([7, 3, 9, 1]), mask(1, 1, 0, 1), 2).rest
    assert rest is not None
    assert take_page(rest, mask(1, 1), 2).numbers.tolist() == [9, 1]


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60, unique=True), st.lists(st.integers(1, 9), min_size=1), st.randoms())
def test_pages_of_any_sizes_show_every_eligible_item_once_and_in_order(numbers: list[int], sizes: list[int], rng: Any) -> None:
    allowed = {number for number in numbers if rng.random() < 0.7}
    rest: Page | None = page(numbers)
    shown: list[int] = []
    positions: list[int] = []
    turn = 0
    while rest is not None:
        size = sizes[turn % len(sizes)]
        taken = take_page(rest, np.isin(rest.numbers, list(allowed)), size)
        assert len(taken.numbers) == size or taken.rest is None
        shown += taken.numbers.tolist()
        positions += taken.positions.tolist()
        rest = taken.rest
        turn += 1
    assert shown == [number for number in numbers if number in allowed]
    assert positions == list(range(len(shown)))


@pytest.mark.parametrize(
    ("eligible", "size", "field"),
    [(mask(1, 1), 0, "size"), (mask(1), 1, "eligible"), (np.array([0, 1]), 1, "eligible")],
)
def test_a_page_is_taken_with_a_size_and_a_mask_that_fit(eligible: Any, size: int, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        take_page(page([7, 3]), eligible, size)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"decision_id": b"short"}, "decision_id"),
        ({"binding": b""}, "binding"),
        ({"issued_at": datetime(2026, 1, 31)}, "issued_at"),
        ({"generation_id": "é" * 51}, "generation_id"),
        ({"placement_version": "\ud800"}, "placement_version"),
        ({"offset": -1}, "offset"),
        ({"offset": 65_536}, "offset"),
        ({"numbers": np.array([4, 4], np.uint32)}, "numbers"),
        ({"numbers": np.array([4], np.uint32)}, "sources"),
        ({"sources": np.array([1, len(SourceName) + 1], np.uint8)}, "sources"),
        ({"sources": np.array([0, 1], np.uint8)}, "sources"),
        ({"probabilities": np.array([1.0, np.nan], np.float32)}, "probabilities"),
        ({"probabilities": np.array([1.0, 1.5], np.float32)}, "probabilities"),
        ({"marks": np.array([0, 4], np.uint8)}, "marks"),
    ],
)
def test_a_page_checks_itself(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        replace(page([7, 3]), **changes)
    assert caught.value.field == field


@pytest.mark.parametrize("numbers", [[], list(range(501))])
def test_a_page_holds_1_to_500_items(numbers: list[int]) -> None:
    with pytest.raises(InvalidInput, match="1 to 500 items"):
        page(numbers)


REQUEST: dict[str, Any] = {
    "subject": Subject.user("ann"),
    "placement": "home",
    "context": {"language": "en", "recent_item_ids": ["a", "b"]},
    "kinds": [ItemKind.ARTICLE],
    "filter": "price > 1.0",
    "consent": None,
}


@pytest.mark.parametrize(
    "change",
    [
        {"subject": Subject.user("bob")},
        {"subject": Subject.session("ann")},
        {"placement": "sidebar"},
        {"context": {"language": "pt", "recent_item_ids": ["a", "b"]}},
        {"context": {"language": "en", "recent_item_ids": ["b", "a"]}},
        {"context": {"language": "en", "recent_item_ids": ["a,b"]}},
        {"context": {"current_item_id": "en", "recent_item_ids": ["a", "b"]}},
        {"kinds": [ItemKind.ARTICLE, ItemKind.MEDIA]},
        {"kinds": []},
        {"filter": ""},
        {"consent": Consent.NONE},
        {"consent": Consent.ALL},
    ],
)
def test_whatever_shapes_a_feed_changes_its_binding(change: dict[str, Any]) -> None:
    assert len(binding(**REQUEST)) == 16
    assert binding(**{**REQUEST, **change}) != binding(**REQUEST)


def test_order_of_kinds_and_empty_context_do_not_change_a_binding() -> None:
    both = {**REQUEST, "kinds": [ItemKind.MEDIA, ItemKind.ARTICLE]}
    assert binding(**both) == binding(**{**both, "kinds": frozenset([ItemKind.ARTICLE, ItemKind.MEDIA])})
    assert binding(**{**REQUEST, "context": {}}) == binding(**{**REQUEST, "context": {"language": "", "recent_item_ids": ()}})


@given(
    kind=st.sampled_from(SubjectKind),
    name=st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20),
    filter=st.text(st.characters(codec="utf-8"), max_size=20),
    language=st.text(st.characters(codec="utf-8"), max_size=5),
    recent=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3),
    kinds=st.sets(st.sampled_from(ItemKind)),
    consent=st.none() | st.sampled_from([*Consent, Consent.NONE, Consent.ALL]),
)
def test_a_binding_stays_what_it_was_for_pages_that_were_signed_before(
    kind: SubjectKind, name: str, filter: str, language: str, recent: list[str], kinds: set[ItemKind], consent: Consent | None
) -> None:
    context = {name: value for name, value in (("language", language), ("recent_ids", recent)) if value}
    canonical = json.dumps(
        {
            "subject": [int(kind), name],
            "placement": "home",
            "context": context,
            "kinds": sorted(map(int, kinds)),
            "filter": filter,
            "consent": None if consent is None else int(consent),
        },
        sort_keys=True,
    )
    assert (
        binding(subject=Subject(kind, name), placement="home", context=context, kinds=kinds, filter=filter, consent=consent)
        == hashlib.sha256(canonical.encode()).digest()[:16]
    )
