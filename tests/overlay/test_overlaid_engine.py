"""An engine with a delta laid over its generation answers as one whose generation held the newer items from the start."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import scipy.sparse as sp
from handmade import (
    HOME,
    NOW,
    assert_same_feed,
    blend_by,
    checkerboard,
    contents_of,
    engine_of,
    feed_of,
    history_of,
    number_of,
    rows_in,
    stumps,
)
from pyroaring import BitMap

from recommender.alike_lists import looking, seeds
from recommender.engine import Recommender
from recommender.feeds import Muted, Query, SourceName
from recommender.generation import Contents
from recommender.items import Item, ItemKind, ItemState
from recommender.placements import Placement
from recommender.ranking import Blend
from recommender.segments import Delta, Loans
from recommender.store import Change
from recommender.times import MISSING_TIME

N, M = 30, 12
AUTHORS = ("ann", "bob", "çelik", "")
TREES = stumps(
    ("age_hours", 2.0, 0.4, -0.4),
    ("known_days", 0.5, 0.1, -0.2),
    ("category_affinity", 0.1, -0.5, 0.5),
    ("author_affinity", 0.2, -0.3, 0.3),
    ("likeness_to_last", 0.3, -0.2, 0.6),
    ("likeness_to_all", 0.2, -0.1, 0.2),
    ("popularity", 0.1, 0.0, 0.3),
    ("trend", 0.0, 0.1, -0.1),
    ("content.strength", 0.4, -0.1, 0.7),
    ("fresh.rank", 0.5, 0.0, 0.2),
)
BLENDS = {
    "fusion": None,
    "learned": blend_by(content=1.0, item_item=0.5, collaborative=0.3, popular=0.2, fresh=0.1, transitions=0.2, graph=0.2, sequence=0.1),
    "borrowed": blend_by(transfer=1.0, item_item=0.4, content=0.3, popular=0.1),
    "trees": blend_by(TREES, content=1.0, item_item=0.5, collaborative=0.3, popular=0.2, fresh=0.1, transitions=0.2),
}


def item(row: int, **more: object) -> Item:
    given: dict[str, object] = {
        "id": f"item-{row}",
        "kind": ItemKind.MEDIA if row % 3 else ItemKind.ARTICLE,
        "title": f"Title {row} ☂",
        "language": ("en", "fr", "")[row % 3],
        "categories": (f"category-{row % 4}", f"only-{row}")[: 1 + row % 2],
        "author": AUTHORS[row % 4],
        "image_url": f"https://pictures.example/{row}" if row % 2 else "",
        "published_at": None if row % 7 == 6 else NOW - timedelta(hours=(row * 11) % 40),
        "valid_to": NOW + timedelta(hours=1) if row % 11 == 5 else None,
        "price": float(row) if row % 5 else None,
        "owner": f"owner-{row % 5}",
        "attributes": {"year": 1990 + row, "regions": ("FR", "DE", "FR-ARA DE")[row % 3]},
    }
    return Item(**(given | more))  # type: ignore[arg-type]


def vectors(seed: int) -> np.ndarray:
    sides = np.eye(4)[np.arange(N + M) % 2] + np.random.default_rng(seed).normal(scale=0.4, size=(N + M, 4))
    return sides / np.linalg.norm(sides, axis=1, keepdims=True)


def padded(array: np.ndarray) -> np.ndarray:
    """`array` of N items, with nothing for M more."""
    if array.shape == (N, N + M):
        return np.pad(array, [(0, M), (0, 0)])
    return np.pad(array, [(0, M), *([(0, M)] if array.shape == (N, N) else [(0, 0)] * (array.ndim - 1))])


def learnt(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sides = np.eye(2)[np.arange(N) % 2]
    together = (sides @ sides.T) * (1 - np.eye(N))
    near = {name: together * rng.uniform(0.5, 1.5, (N, N)) for name in ("item_item", "transitions", "co_occurrence")}
    return {
        **near,
        "factors": sides + rng.normal(scale=0.1, size=(N, 2)),
        "popularity": 1 / (1 + rng.permutation(N)),
        "response": rng.uniform(0.5, 2, N),
        "graph": sides + rng.normal(scale=0.1, size=(N, 2)),
        "sequence": 0.5 * np.hstack([sides, rng.normal(scale=0.2, size=(N, 10))]),
        # Row w is what item w lends; all lend, to each other and to what comes later.
        "transfer": rng.uniform(0.1, 1, (N, N + M)) * (rng.random((N, N + M)) < 0.6),
    }


def generation(count: int, seed: int, blend: Blend | None, **changed: Item) -> Contents:
    """The first `count` items, of which the first N are learnt; `changed`, by id with _ for -, instead of some."""
    items = [changed.get(f"item_{row}", item(row)) for row in range(count)]
    known = learnt(seed) if count == N else {name: padded(array) for name, array in learnt(seed).items()}
    known["transfer"] = known["transfer"][:, :count]
    return contents_of(items, vectors=vectors(seed)[:count], blend=blend, **known)


def delta(rows: range | list[int], seed: int, *, states: dict[int, ItemState] | None = None, **changed: Item) -> Delta:
    items = [(number_of(row), (states or {}).get(row, ItemState.LIVE), changed.get(f"item_{row}", item(row))) for row in rows]
    given = vectors(seed)[list(rows)].astype(np.float32)
    lent = np.where((np.array(rows) >= N)[:, None], learnt(seed)["transfer"][:, list(rows)].T, 0)
    return Delta.of(items, given, dimension=4, loans=Loans.of(sp.csr_array(lent.astype(np.float32))))


def both(seed: int, blend: str) -> tuple[Recommender, Recommender]:
    """An engine with M items laid over N, and one of a generation of all."""
    over = engine_of(generation(N, seed, BLENDS[blend])).with_overlay(delta(range(N, N + M), seed), 5, [])
    return over, engine_of(generation(N + M, seed, BLENDS[blend]))


QUERIES = {
    "a newcomer": {},
    "a reader": {"history": history_of(0, 2, 4, 7)},
    "a reader of new items": {"history": history_of(2, N + 1, 4, N + 3)},
    "a reader of new items alone": {"history": history_of(N + 1, N + 2)},
    "a kind": {"history": history_of(1, 3), "kinds": frozenset({ItemKind.ARTICLE})},
    "a language": {"history": history_of(1, 3), "language": "fr"},
    "a category": {"history": history_of(1, 3), "category": "category-2"},
    "a filter": {"history": history_of(1, 3), "filter": 'price > 10.0 && "category-1" in categories || author == "çelik"'},
    "a muted author and category": {"history": history_of(1, 3), "muted": Muted(("çelik",), ("category-1",))},
    "muted words": {"history": history_of(1, 3), "muted": Muted(words=("Celik", "title 3", "only 7"))},
    "a region": {"history": history_of(1, 3), "region": "FR-BRE"},
    "what is one's own": {"history": history_of(1, 3), "owner": "owner-1"},
    "a filter of an attribute": {"history": history_of(1, 3), "filter": "attributes.year >= 2015.0"},
    "a filter of time": {"history": history_of(1), "filter": 'published_at > now - duration("12h")'},
    "consumed and dismissed": {
        "history": history_of(2),
        "consumed": BitMap([number_of(2), number_of(N + 4)]),
        "dismissed": BitMap([number_of(N + 5)]),
    },
    "excluded": {"history": history_of(2), "exclude": (number_of(N), number_of(4))},
    "given items": {"history": history_of(2), "candidates": np.array([number_of(row) for row in (1, N, N + 7, 4)], dtype=np.uint32)},
    "like an old item": {"history": history_of(2), "seeds_are_items": True},
    "like a new item": {"history": history_of(N + 2), "seeds_are_items": True},
    "popular": {"sources": frozenset({SourceName.POPULAR})},
    "fresh": {"sources": frozenset({SourceName.FRESH})},
}


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("asked", QUERIES)
def test_an_overlay_answers_as_a_generation_with_the_same_items(asked: str, blend: str) -> None:
    for seed in range(3):
        over, whole = both(seed, blend)
        placement = Placement(name="home", blend="weights") if blend == "fusion" else HOME
        query = Query(placement, 25, reasons=25, **QUERIES[asked])  # type: ignore[arg-type]
        assert_same_feed(feed_of(over, query), feed_of(whole, query))


def test_new_items_are_found_by_id_and_number_and_show_their_cards() -> None:
    over, whole = both(0, "learned")
    ids = ["item-3", f"item-{N}", f"item-{N + M - 1}", "nobody"]
    numbers, unknown = over.numbers_of(ids)
    assert unknown == ["nobody"]
    np.testing.assert_array_equal(numbers, whole.numbers_of(ids)[0])
    assert over.cards(numbers) == whole.cards(numbers)


def test_an_empty_delta_takes_the_overlay_away() -> None:
    over, _ = both(0, "learned")
    bare = over.with_overlay(Delta.empty(4), 9, [])
    query = Query(HOME, 25, history=history_of(2, 4), reasons=3)
    assert_same_feed(feed_of(bare, query), feed_of(engine_of(generation(N, 0, BLENDS["learned"])), query))
    assert over.numbers_of([f"item-{N}"])[1] == []
    assert bare.numbers_of([f"item-{N}"])[1] == [f"item-{N}"]


def revised(seed: int = 0) -> Recommender:
    """Item 4 has another title, category and price; item 6 is about the other side now."""
    engine = engine_of(generation(N, seed, BLENDS["learned"]))
    items = [
        (number_of(4), ItemState.LIVE, item(4, title="Another title", categories=("novelty",), price=99.0)),
        (number_of(6), ItemState.LIVE, item(6)),
    ]
    given = np.stack([vectors(seed)[4], vectors(seed)[7]]).astype(np.float32)
    return engine.with_overlay(Delta.of(items, given, dimension=4), 5, [])


def test_a_changed_item_is_shown_and_filtered_as_it_is_now_and_ranked_by_what_is_known_of_it() -> None:
    before, after = engine_of(generation(N, 0, BLENDS["learned"])), revised()
    [card] = after.cards(np.array([number_of(4)], dtype=np.uint32))
    assert card.title == "Another title"
    novel = Query(HOME, 30, history=history_of(2, 8), filter='"novelty" in categories')
    assert rows_in(feed_of(after, novel)) == [4]
    assert rows_in(feed_of(before, novel)) == []
    assert 4 not in rows_in(feed_of(after, Query(HOME, 30, filter='"category-0" in categories')))
    # Without words of another meaning its place is the one that it had.
    query = Query(HOME, 30, history=history_of(2, 8), sources=frozenset({SourceName.ITEM_ITEM}))
    assert rows_in(feed_of(after, query)) == rows_in(feed_of(before, query))


def test_a_reworded_item_is_like_what_it_is_about_now() -> None:
    before, after = engine_of(generation(N, 0, BLENDS["learned"])), revised()
    by_content = {"sources": frozenset({SourceName.CONTENT}), "seeds_are_items": True}
    query = Query(HOME, 5, history=history_of(7), **by_content)  # type: ignore[arg-type]
    assert rows_in(feed_of(after, query))[0] == 6
    assert 6 not in rows_in(feed_of(before, query))
    odd = rows_in(feed_of(after, Query(HOME, 5, history=history_of(6), **by_content)))  # type: ignore[arg-type]
    assert odd[0] == 7


def change(row: int, sequence: int, state: ItemState, first: int = 0) -> Change:
    return Change(sequence, number_of(row), state, first, MISSING_TIME, MISSING_TIME)


def test_what_is_hidden_or_deleted_after_the_delta_was_made_is_gone_at_once() -> None:
    over, _ = both(0, "learned")
    query = Query(HOME, N + M)
    assert {N + 1, N + 2} <= set(rows_in(feed_of(over, query)))
    later = over.with_changes([change(N + 1, 6, ItemState.HIDDEN, 4), change(N + 2, 7, ItemState.DELETED, 4)], 7)
    assert not {N + 1, N + 2} & set(rows_in(feed_of(later, query)))
    assert later.numbers_of([f"item-{N + 2}"])[1] == [f"item-{N + 2}"]
    back = later.with_changes([change(N + 1, 8, ItemState.LIVE, 4)], 8)
    assert N + 1 in rows_in(feed_of(back, query))


def test_an_older_delta_does_not_bring_back_what_was_hidden_since() -> None:
    engine = engine_of(generation(N, 0, None)).with_changes([change(N + 1, 6, ItemState.HIDDEN, 4), change(3, 7, ItemState.DELETED)], 7)
    hidden = [change(N + 1, 6, ItemState.HIDDEN, 4), change(3, 7, ItemState.DELETED)]
    over = engine.with_overlay(delta([3, *range(N, N + M)], 0), 5, hidden)
    assert not {3, N + 1} & set(rows_in(feed_of(over, Query(HOME, N + M))))
    assert over.change == 7


def test_an_item_that_is_made_anew_under_its_old_id_is_another_one() -> None:
    gone = engine_of(generation(N, 0, BLENDS["learned"])).with_changes([change(4, 3, ItemState.LIVE, first=3)], 3)
    query = Query(HOME, N, history=history_of(2, 8))
    assert 4 not in rows_in(feed_of(gone, query))
    over = gone.with_overlay(delta([4], 0, item_4=item(4, title="Reborn")), 3, [])
    assert 4 in rows_in(feed_of(over, query))
    [card] = over.cards(np.array([number_of(4)], dtype=np.uint32))
    assert card.title == "Reborn"
    # What people did with the old one says nothing of it.
    by_behaviour = replace(query, sources=frozenset({SourceName.ITEM_ITEM, SourceName.COLLABORATIVE}), placement=SHORT)
    assert 4 not in rows_in(feed_of(over, by_behaviour))
    # A delta from before its second life holds what was taken down.
    again = over.with_changes([change(4, 9, ItemState.LIVE, first=9)], 9)
    assert 4 not in rows_in(feed_of(again, query))


SHORT = HOME.model_copy(update={"fallback": "none"})


def test_counts_of_new_items_move_feeds_and_stay_when_another_delta_comes() -> None:
    over, _ = both(0, "learned")
    counts = np.zeros((3, N + M), dtype=np.float32)
    counts[0, N + 2] = 5
    popular = Query(SHORT, 3, sources=frozenset({SourceName.POPULAR}))
    counted = over.with_counts(*counts)
    assert rows_in(feed_of(counted, popular)) == [N + 2]
    later = counted.with_overlay(delta(range(N + 2, N + M), 0), 9, [])
    assert rows_in(feed_of(later, popular)) == [N + 2]
    with pytest.raises(ValueError, match=f"{N} items, where there are {N + M}"):
        over.with_counts(*counts[:, :N])


def test_overlays_of_items_without_vectors_show_them_by_what_else_is_known() -> None:
    items = [(number_of(row), ItemState.LIVE, item(row)) for row in range(N, N + M)]
    bare = engine_of(generation(N, 0, BLENDS["learned"])).with_overlay(Delta.of(items, np.zeros((M, 4), np.float32), dimension=4), 5, [])
    fresh = Query(SHORT, N + M, sources=frozenset({SourceName.FRESH}))
    assert set(range(N, N + M)) - {row for row in range(N, N + M) if row % 7 == 6} <= set(rows_in(feed_of(bare, fresh)))
    content = Query(SHORT, N + M, history=history_of(2), sources=frozenset({SourceName.CONTENT}))
    assert max(rows_in(feed_of(bare, content))) < N


def test_a_delta_over_a_generation_of_nothing_is_served() -> None:
    empty = engine_of(contents_of([]))
    over = empty.with_overlay(delta(range(N, N + M), 0), 5, [])
    assert len(feed_of(over, Query(HOME, 5, history=history_of(N + 1))).numbers) == 5


def test_lists_of_what_is_near_serve_new_items_in_a_history() -> None:
    base = checkerboard(40)
    near = np.stack([np.roll(np.arange(40, dtype=np.int32), -row)[1:11] for row in range(40)])
    base.vectors.near = near
    engine = engine_of(base)
    made = Delta.of([(number_of(50), ItemState.LIVE, item(50))], np.array([[1, 0, 0, 0]], dtype=np.float32), dimension=4)
    over = engine.with_overlay(made, 5, [])
    found = rows_in(feed_of(over, Query(SHORT, 10, history=history_of(50), sources=frozenset({SourceName.CONTENT}))))
    assert found
    assert all(row % 2 == 0 for row in found)


def with_lists(contents: Contents) -> Recommender:
    alike = engine_of(contents).alike_lists(HOME, now=NOW)
    return engine_of(replace(contents, alike=alike))


def test_lists_of_what_is_alike_are_joined_by_what_is_new() -> None:
    blend = BLENDS["learned"]
    whole = with_lists(generation(N + M, 0, blend))
    over = with_lists(generation(N, 0, blend)).with_overlay(delta(range(N, N + M), 0), 5, [])
    for row in (0, 5, N - 1, N + 2):
        query = Query(looking(HOME), 25, seeds([number_of(row)], at=0), sources=over.by_likeness, seeds_are_items=True, reasons=10)
        ours, theirs = feed_of(over, query), feed_of(whole, query)
        assert rows_in(ours) == rows_in(theirs)
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=2e-3)
        assert [reason.because for reason in ours.reasons] == [reason.because for reason in theirs.reasons]
        assert any(other >= N for other in rows_in(ours))


def test_a_reworded_item_is_not_listed_by_what_it_was() -> None:
    contents = generation(N, 0, BLENDS["learned"])
    given = vectors(0)[[7]].astype(np.float32)
    over = with_lists(contents).with_overlay(Delta.of([(number_of(6), ItemState.LIVE, item(6))], given, dimension=4), 5, [])
    query = Query(looking(HOME), 5, seeds([number_of(6)], at=0), sources=over.by_likeness, seeds_are_items=True)
    assert 7 in rows_in(feed_of(over, query))
    assert 7 not in rows_in(feed_of(with_lists(contents), query))


def test_a_new_item_that_tells_what_another_does_is_shown_in_its_place_or_not_at_all() -> None:
    plain = engine_of(generation(N, 0, BLENDS["learned"]))
    # The first new one says what item 4 does, the second what the first does, the third the same but for the number in its title.
    given = vectors(0)[list(range(N, N + M))].astype(np.float32)
    given[:3] = vectors(0)[4]
    new = [item(row, title=item(4).title if row < N + 2 else f"Title {90 + row}") for row in range(N, N + M)]
    laid = Delta.of([(number_of(row), ItemState.LIVE, each) for row, each in zip(range(N, N + M), new, strict=True)], given, dimension=4)
    over = plain.with_overlay(laid, 5, [])
    everything = Query(HOME.model_copy(update={"repeat": "allowed"}), N + M, history=history_of(2, 8))
    shown = rows_in(feed_of(over, everything))
    assert len({4, N, N + 1} & set(shown)) >= 1
    first = [row for row in shown if row in (4, N, N + 1)]
    # The other two come only where nothing else is left.
    assert set(feed_of(over, replace(everything, size=len(shown) - 2)).numbers.tolist()).isdisjoint(map(number_of, first[1:]))
    assert feed_of(over, everything).broken == ("near-duplicates",)
    assert N + 2 in shown
    read = Query(HOME, 10, history=history_of(4), consumed=BitMap([number_of(4)]))
    assert not {N, N + 1} & set(rows_in(feed_of(over, read)))
    assert N + 2 in rows_in(feed_of(over, Query(HOME, N + M, history=history_of(4), consumed=BitMap([number_of(4)]))))
