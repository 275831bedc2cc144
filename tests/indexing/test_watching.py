"""The watcher: what changed in a store becomes segments, each text embedded once, whatever happens in between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from waiting import soon
from worlds import NOW, World, films

from indexing.embedding import Embedder, find_embedder
from indexing.watching import MOST_SEGMENTS, Watcher, watching
from recommender.engine import Recommender
from recommender.errors import Locked, RecommenderError
from recommender.generation import Generations
from recommender.items import Item, ItemKind, ItemState
from recommender.overlay.newer import Newer, Read
from recommender.segments import Base, Loaded, Segments
from recommender.store import Store, open_store

FRESH = Callable[[], World]


def novel(place: int = 0, taste: str = "space", **more: object) -> Item:
    title = {"space": f"A rocket to the moon {place}", "garden": f"A rose in the hedge {place}"}[taste]
    return Item(**({"id": f"novel-{place}", "kind": ItemKind.MEDIA, "title": title} | more))  # type: ignore[arg-type]


def store_of(world: World) -> Store:
    return open_store(world.settings.store_path)


def upsert(world: World, *items: Item) -> None:
    with store_of(world) as store:
        store.upsert_items(items, now=NOW + timedelta(hours=1))


def segments_of(world: World) -> Segments:
    generations = Generations(world.settings.generations_path)
    manifest = generations.manifest(str(generations.current_id()))
    return Segments(world.settings.deltas_path, Base.of(manifest))


def loaded(world: World) -> Loaded:
    return segments_of(world).load()


def watch(world: World, find: Callable[..., Embedder] | None = None) -> list[tuple[int, int, int]]:
    """Let a watcher do all that there is to do: items, embedded texts and removed items of each segment."""
    done = []
    with watching(world.settings, now=NOW) as watcher:
        if find is not None:
            watcher = Watcher(world.settings, watcher._store, find)
        while (written := watcher.step()) is not None:
            done.append((written.items, written.embedded, written.removed))
    return done


def read(world: World) -> tuple[Recommender, Read]:
    """The active generation with what changed laid over it, as a server would have it."""
    generations = Generations(world.settings.generations_path)
    generation = generations.load(str(generations.current_id()))
    engine = Recommender.of(generation)
    with store_of(world) as store:
        engine = engine.with_changes(store.catalogue_changes(engine.change), store.change_sequence())
        found = Newer(segments_of(world), store, generation.manifest.watermark).read(engine)
        assert found is not None
        return engine.with_overlay(found.delta, found.change, store.catalogue_changes(found.change)), found


def test_only_what_changed_is_embedded_and_a_generation_of_nothing_new_has_no_segment(fresh_world: FRESH) -> None:
    world = fresh_world()
    assert watch(world) == []
    upsert(world, novel(0), novel(1, "garden"))
    assert watch(world) == [(2, 2, 0)]
    assert watch(world) == []
    # Another price is no other text.
    upsert(world, novel(0, price=3.0), novel(2))
    assert watch(world) == [(2, 1, 0)]
    assert [segment.manifest.items for segment in loaded(world).segments] == [2, 2]


def test_vectors_are_those_that_a_build_would_make(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0), novel(1, "garden"), replace(films()[4], title="The rose and the tulip"))
    watch(world)
    delta = loaded(world).delta(16)
    numbers = delta.numbers
    world.reindex(now=NOW + timedelta(hours=2))
    built = Generations(world.settings.generations_path)
    contents = built.load(str(built.current_id())).contents
    np.testing.assert_array_equal(contents.vectors.gather(contents.catalogue.rows_of(numbers)), delta.vectors(np.arange(len(numbers))))


def test_deleted_items_are_removed_ones_and_hidden_ones_keep_their_state(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0), novel(1))
    with store_of(world) as store:
        store.set_state(["novel-1"], ItemState.HIDDEN, now=NOW)
        store.delete_items(["film-3"], now=NOW)
    assert watch(world) == [(2, 2, 1)]
    delta = loaded(world).delta(16)
    assert delta.catalogue.live.tolist() == [True, False]


def test_new_items_borrow_from_what_they_are_like_and_changed_ones_do_later(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0), novel(1, "garden"), replace(films()[4], title="The rose and the tulip"))
    watch(world)
    engine, _ = read(world)
    delta = loaded(world).delta(16)
    n, titles = (
        engine.contents.catalogue.n,
        [card.title for card in engine.contents.catalogue.cards(np.arange(engine.contents.catalogue.n))],
    )
    assert (delta.loans.lenders[-2:, 0] >= 0).all()
    assert delta.loans.lenders.max() < n
    best = delta.loans.lenders[np.arange(len(delta.numbers)), delta.loans.weights.view(np.float16).argmax(axis=1)]
    by_id = dict(zip(delta.table.column("id").to_pylist(), (titles[row] for row in best), strict=True))
    assert "rose" in by_id["novel-1"].lower() or "tulip" in by_id["novel-1"].lower(), by_id
    # Another price, before the watcher is there again: what was lent is known still.
    upsert(world, novel(0, price=9.0))
    _, found = read(world)
    np.testing.assert_array_equal(found.delta.loans.lenders, delta.loans.lenders)


def test_items_bring_their_own_vectors_and_misfits_none(fresh_world: FRESH) -> None:
    world = fresh_world()
    fits, misfit = np.arange(16, dtype=np.float32), np.ones(3, dtype=np.float32)
    upsert(world, novel(0, embedding=fits), novel(1, embedding=misfit), Item(id="bare", kind=ItemKind.MEDIA))
    assert watch(world) == [(3, 0, 0)]
    delta = loaded(world).delta(16)
    assert delta.has_vector.tolist() == [True, False, False]
    np.testing.assert_allclose(delta.vectors(np.array([0]))[0], fits / np.linalg.norm(fits), atol=1e-3)


def test_many_small_segments_become_one(fresh_world: FRESH) -> None:
    world = fresh_world()
    with watching(world.settings, now=NOW) as watcher:
        for place in range(MOST_SEGMENTS + 3):
            upsert(world, novel(place))
            assert watcher.step() is not None
    assert len(segments_of(world).names()) <= MOST_SEGMENTS
    assert len(loaded(world).delta(16).numbers) == MOST_SEGMENTS + 3


def test_after_another_generation_took_over_only_what_it_lacks_is_in_segments(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0))
    with watching(world.settings, now=NOW) as watcher:
        assert watcher.step() is not None
        before = segments_of(world).folder
        world.reindex(now=NOW + timedelta(hours=2))
        upsert(world, novel(1))
        written = watcher.step()
        assert written is not None
        assert (written.items, written.generation) == (1, segments_of(world).base.generation)
        # The rolled-back one is served again with all that it lacks.
        Generations(world.settings.generations_path).rollback(now=NOW)
        written = watcher.step()
        assert written is not None
        assert (written.generation, written.items) == (before.name, 1)
    assert len(loaded(world).delta(16).numbers) == 2


def test_segments_of_generations_that_are_gone_are_removed(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0))
    watch(world)
    old = segments_of(world).folder
    world.reindex(now=NOW + timedelta(hours=2))
    shutil.rmtree(world.settings.generations_path / old.name)
    upsert(world, novel(1))
    watch(world)
    assert not old.exists()
    assert segments_of(world).folder.exists()


def test_damaged_segments_are_made_anew_from_the_store(fresh_world: FRESH) -> None:
    world = fresh_world()
    for place in range(3):
        upsert(world, novel(place))
        watch(world)
    names = segments_of(world).names()
    (segments_of(world).folder / names[1] / "vectors.npy").write_bytes(b"nothing of the kind")
    assert len(loaded(world).refused) == 1
    assert watch(world) == [(2, 0, 0)]
    assert not loaded(world).refused
    assert len(loaded(world).delta(16).numbers) == 3


def test_a_model_that_became_another_one_is_told_and_nothing_written(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0))
    with pytest.raises(RecommenderError, match=r"was embedded with .*, and its settings name other now: .*reindex"):
        watch(world, lambda build: replace(find_embedder(build.embedder), name="other"))
    assert segments_of(world).names() == []


def test_without_a_generation_a_watcher_waits(fresh_world: FRESH) -> None:
    world = fresh_world()
    shutil.rmtree(world.settings.generations_path)
    upsert(world, novel(0))
    assert watch(world) == []


def test_there_is_one_watcher_of_a_folder(fresh_world: FRESH) -> None:
    world = fresh_world()
    with watching(world.settings, now=NOW), pytest.raises(Locked, match=f"another watcher is running: process {os.getpid()} "):
        watch(world)


def test_what_is_not_embedded_yet_is_served_by_all_else(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0))
    watch(world)
    upsert(world, novel(0, title="A rose, a tulip"), novel(1), replace(films()[2], title="The tulip"), novel(2, embedding=np.ones(16)))
    engine, found = read(world)
    numbers, unknown = engine.numbers_of(["novel-0", "novel-1", "novel-2", "film-2"])
    assert unknown == []
    assert [card.title for card in engine.cards(numbers)] == [
        "A rose, a tulip",
        "A rocket to the moon 1",
        "A rocket to the moon 2",
        "The tulip",
    ]
    # A reworded one goes by what it said before, in its segment or in the generation; a new one by nothing.
    assert list(found.waiting) == [numbers[1]]
    there = dict(zip(found.delta.numbers.tolist(), found.delta.has_vector.tolist(), strict=True))
    assert [there[int(number)] for number in numbers] == [True, False, True, True]
    watch(world)
    assert read(world)[1].waiting == {}


def test_what_was_made_anew_does_not_take_over_what_its_predecessor_meant(fresh_world: FRESH) -> None:
    world = fresh_world()
    with store_of(world) as store:
        store.delete_items(["film-2"], now=NOW)
        store.upsert_items([replace(films()[2], title="The tulip")], now=NOW)
    engine, found = read(world)
    numbers, _ = engine.numbers_of(["film-2"])
    assert list(found.waiting) == numbers.tolist()
    assert not found.delta.has_vector[found.delta.numbers == numbers[0]].any()


def start(world: World, *more: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "recommender", "watch", "--data", str(world.data), "--poll", "0.02", *more]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def test_the_command_follows_the_store_until_it_is_told_to_stop(fresh_world: FRESH) -> None:
    world = fresh_world()
    process = start(world)
    try:
        upsert(world, novel(0))
        assert soon(lambda: bool(segments_of(world).names()))
        upsert(world, novel(1))
        assert soon(lambda: len(loaded(world).delta(16).numbers) == 2)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert '"state": "written"' in errors


def test_once_takes_all_over_and_stops(fresh_world: FRESH) -> None:
    world = fresh_world()
    upsert(world, novel(0))
    process = start(world, "--once")
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(loaded(world).delta(16).numbers) == 1


@pytest.mark.parametrize("wait_s", [0.0, 1.5, 3.0, 4.0, 5.0])
def test_a_killed_watcher_leaves_whole_segments_and_another_goes_on(fresh_world: FRESH, wait_s: float, tmp_path: Path) -> None:
    world = fresh_world()
    process = start(world)
    for place in range(40):
        upsert(world, novel(place))
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    assert not loaded(world).refused
    watch(world)
    assert len(loaded(world).delta(16).numbers) == 40
    assert len(read(world)[1].delta.numbers) == 40
