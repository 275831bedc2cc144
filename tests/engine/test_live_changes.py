"""Changes of a real store reach what a generation may show, however they come in batches, and deleted content never returns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from handmade import NOW

from recommender.eligibility import Eligibility
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.store import Store, open_store

IDS = [f"i{number}" for number in range(1, 9)]


def an_item(item_id: str, title: str = "as it was") -> Item:
    return Item(item_id, ItemKind.ARTICLE, title=title)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of eight items, numbered 1 to 8."""
    with open_store(tmp_path / "store.sqlite", create=True) as opened:
        opened.upsert_items([an_item(item_id) for item_id in IDS], now=NOW)
        yield opened


def generation_of(store: Store) -> Eligibility:
    """What a generation built now holds, in the state of its watermark."""
    watermark = store.change_sequence()
    stored = [entry for batch in store.iter_items(upto=watermark) for entry in batch]
    return Eligibility.of(Catalogue.of([(entry.number, entry.state, entry.item) for entry in stored]), watermark)


def caught_up(eligibility: Eligibility, store: Store) -> Eligibility:
    """The state after all changes of the store since."""
    return eligibility.with_changes(store.catalogue_changes(eligibility.change), store.change_sequence())


def ids_where(eligibility: Eligibility, mask: np.ndarray) -> set[str]:
    return {f"i{number}" for number in eligibility.catalogue.numbers[mask]}


def live(eligibility: Eligibility) -> set[str]:
    return ids_where(eligibility, eligibility.live)


def deleted(eligibility: Eligibility) -> set[str]:
    return ids_where(eligibility, eligibility.deleted)


@pytest.mark.parametrize("in_one", [True, False])
def test_what_is_deleted_and_made_anew_stays_away_until_the_next_generation(store: Store, in_one: bool) -> None:
    eligibility = generation_of(store)
    store.delete_items(["i3"], now=NOW)
    if not in_one:
        eligibility = caught_up(eligibility, store)
        assert (live(eligibility), deleted(eligibility)) == (set(IDS) - {"i3"}, {"i3"})
    store.upsert_items([an_item("i3", "something else")], now=NOW)
    eligibility = caught_up(eligibility, store)
    assert (live(eligibility), deleted(eligibility)) == (set(IDS) - {"i3"}, {"i3"})
    following = generation_of(store)
    assert (live(following), deleted(following)) == (set(IDS), set())


def test_no_later_change_brings_deleted_content_back(store: Store) -> None:
    eligibility = generation_of(store)
    store.delete_items(["i3"], now=NOW)
    store.upsert_items([an_item("i3", "something else")], now=NOW)
    store.upsert_items([an_item("i3", "something else again")], now=NOW)
    eligibility = caught_up(eligibility, store)
    assert (live(eligibility), deleted(eligibility)) == (set(IDS) - {"i3"}, {"i3"})
    for state in (ItemState.HIDDEN, ItemState.LIVE):
        store.set_state(["i3"], state, now=NOW)
        eligibility = caught_up(eligibility, store)
        assert (live(eligibility), deleted(eligibility)) == (set(IDS) - {"i3"}, {"i3"})


def test_what_came_back_before_the_generation_was_built_is_like_any_other_item(store: Store) -> None:
    store.delete_items(["i3"], now=NOW)
    store.upsert_items([an_item("i3", "something else")], now=NOW)
    eligibility = generation_of(store)
    store.set_state(["i3"], ItemState.HIDDEN, now=NOW)
    hidden = caught_up(eligibility, store)
    assert (live(hidden), deleted(hidden)) == (set(IDS) - {"i3"}, set())
    store.set_state(["i3"], ItemState.LIVE, now=NOW)
    store.upsert_items([an_item("i3", "with a new title")], now=NOW)
    assert live(caught_up(hidden, store)) == set(IDS)


def test_what_was_deleted_and_made_anew_while_a_generation_was_built_is_not_in_it(store: Store) -> None:
    watermark = store.change_sequence()
    store.delete_items(["i3"], now=NOW)
    store.upsert_items([an_item("i3", "something else")], now=NOW)
    assert [entry.item.id for batch in store.iter_items(upto=watermark) for entry in batch] == [i for i in IDS if i != "i3"]


def test_however_changes_are_batched_the_state_is_the_same(store: Store) -> None:
    rng = np.random.default_rng(5)
    start = generation_of(store)
    every, some = start, start
    taken_down: set[str] = set()
    states = dict.fromkeys(IDS, ItemState.LIVE)
    for step in range(120):
        item_id = str(rng.choice(IDS))
        match rng.integers(5):
            case 0:
                store.delete_items([item_id], now=NOW)
                states[item_id] = ItemState.DELETED
                taken_down.add(item_id)
            case 1 | 2:
                ends = NOW + timedelta(days=step)
                store.upsert_items([Item(item_id, ItemKind.ARTICLE, title=f"version {step}", valid_to=ends)], now=NOW)
                states[item_id] = ItemState.LIVE if states[item_id] is ItemState.DELETED else states[item_id]
            case 3 | 4:
                state = ItemState.HIDDEN if rng.integers(2) else ItemState.LIVE
                store.set_state([item_id], state, now=NOW)
                states[item_id] = states[item_id] if states[item_id] is ItemState.DELETED else state
        every = caught_up(every, store)
        some = caught_up(some, store) if step % 7 == 0 else some
        assert deleted(every) == taken_down
        assert live(every) == {i for i, state in states.items() if state is ItemState.LIVE} - taken_down
        if step == 60:
            assert 3 < len(taken_down) < len(IDS)
    at_once = caught_up(start, store)
    for other in (every, caught_up(some, store)):
        for name in ("live", "deleted", "valid_from", "valid_to", "windowed"):
            np.testing.assert_array_equal(getattr(other, name), getattr(at_once, name), err_msg=name)
        assert (other.change, other.watermark) == (at_once.change, start.watermark)
