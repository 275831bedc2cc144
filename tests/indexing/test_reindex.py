"""Whole builds in this process: what they need, what they publish, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds import NOW, QUICK, World, fill_store, films, watched

from indexing.building import Outcome, reindex
from indexing.gate.judgement import OVER_PARENT
from indexing.progress import Lines
from indexing.snapshot import read_snapshot
from recommender.engine import Recommender
from recommender.errors import InvalidInput, NotFound, RecommenderError
from recommender.events import Consent, EventType
from recommender.feeds import Query
from recommender.generation import Generations
from recommender.items import Item, ItemKind, ItemState
from recommender.placements import Placement
from recommender.profile import Blending, BuildSettings, Collaborative, Judging
from recommender.settings import Settings
from recommender.store import open_store

HOME = Placement(name="home")
JUDGED = BuildSettings(judging=Judging(fewest=5), blending=Blending(cuts=1))


def build(settings: Settings, *, now: datetime = NOW, settings_of_build: BuildSettings = QUICK, **more: Any) -> Outcome:
    return reindex(settings, settings_of_build, HOME, Lines(StringIO()), now=now, **more)


def files_of(settings: Settings, generation_id: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (settings.generations_path / generation_id).iterdir()}


def refusing(outcome: Outcome) -> list[str]:
    return [check.name for check in outcome.manifest.checks if not check.passed]


def test_the_same_store_seed_and_time_give_the_same_generation(modelless: Callable[..., Settings]) -> None:
    one, other = modelless(), modelless()
    first, second = build(one, settings_of_build=JUDGED), build(other, settings_of_build=JUDGED)
    assert first.manifest.metrics
    assert first.manifest.id == second.manifest.id
    assert files_of(one, first.manifest.id) == files_of(other, second.manifest.id)


def test_building_again_at_the_same_moment_gives_the_generation_that_is_there(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    first, second = build(settings), build(settings)
    assert first.manifest.files == second.manifest.files
    assert Generations(settings.generations_path).ids() == [first.manifest.id]


def test_another_seed_gives_another_generation(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    first, second = build(settings), build(settings, settings_of_build=QUICK.model_copy(update={"seed": 1}))
    assert first.manifest.id != second.manifest.id
    assert first.manifest.files["factors.npy"] != second.manifest.files["factors.npy"]


def test_the_manifest_says_what_was_built_from_what(world: World) -> None:
    manifest = world.outcome.manifest
    assert (manifest.items, manifest.events, manifest.dimension, manifest.parent) == (60, 480, 16, None)
    assert manifest.created_at == NOW
    assert manifest.id.startswith("20260301T120000-")
    assert manifest.embedder.startswith("model@") or manifest.embedder.startswith("tiny@")
    assert BuildSettings.model_validate(manifest.profile) == world.build
    assert manifest.profile_hash == world.build.hash
    assert manifest.judged.startswith("a twin fitted on events before ")
    assert {"numpy", "scipy", "faiss-cpu", "implicit", "pyarrow"} <= manifest.libraries.keys()
    with open_store(world.settings.store_path) as store:
        assert manifest.watermark == store.change_sequence()


def test_what_was_published_is_what_was_learnt_and_serves(world: World) -> None:
    generation = Generations(world.settings.generations_path).load(world.outcome.manifest.id)
    [feed] = Recommender.of(generation).feeds([Query(HOME, size=20)], now=NOW)
    assert len(feed.numbers) == 20


def test_a_later_build_names_its_parent(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    first, second = (build(settings, now=NOW + timedelta(days=day), settings_of_build=JUDGED) for day in range(2))
    assert second.manifest.parent == first.manifest.id
    why = f"not judged: {first.manifest.id} was built with the same settings, so that its fit at the cut is this one"
    assert {check.message for check in second.manifest.checks if check.name in OVER_PARENT} == {why}


def test_other_settings_are_compared_with_the_parents_on_one_cut(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    build(settings, settings_of_build=JUDGED)
    changed = JUDGED.model_copy(update={"collaborative": Collaborative(factors=16)})
    second = build(settings, now=NOW + timedelta(days=1), settings_of_build=changed)
    messages = [check.message for check in second.manifest.checks if check.name in OVER_PARENT]
    assert len(messages) == 2
    assert all(message.startswith("these settings − the parent's on the same cut") for message in messages)


def test_after_a_rollback_the_settings_that_serve_again_are_fitted_to_the_same_cut(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    first = build(settings, settings_of_build=JUDGED).manifest
    changed = JUDGED.model_copy(update={"collaborative": Collaborative(factors=16)})
    build(settings, now=NOW + timedelta(days=1), settings_of_build=changed, force="tried out")
    Generations(settings.generations_path).rollback(now=NOW + timedelta(days=1))
    third = build(settings, now=NOW + timedelta(days=2), settings_of_build=changed).manifest
    assert third.parent == first.id
    assert all(check.message.startswith("these settings −") for check in third.checks if check.name in OVER_PARENT)


def test_a_parent_whose_settings_another_release_wrote_does_not_stop_a_build(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    first = build(settings).manifest
    path = settings.generations_path / first.id / "manifest.json"
    path.write_text(first.model_copy(update={"profile": {"from_another_release": 1}, "profile_hash": "0"}).model_dump_json())
    second = build(settings, now=NOW + timedelta(days=1))
    assert second.activated
    assert second.manifest.parent == first.id


@pytest.mark.parametrize("damage", [None, b"", b"{}", b"\xff\xfe"])
def test_an_active_generation_that_is_gone_or_unreadable_does_not_stop_a_build(
    modelless: Callable[..., Settings], damage: bytes | None
) -> None:
    settings = modelless()
    first = build(settings).manifest
    if damage is None:
        (settings.generations_path / first.id).rename(settings.data / "elsewhere")
    else:
        (settings.generations_path / first.id / "manifest.json").write_bytes(damage)
    second = build(settings, now=NOW + timedelta(days=1))
    assert second.activated
    assert second.manifest.parent is None


def test_a_first_build_without_any_events_serves_what_is_fresh_and_similar(tmp_path: Path, model: Path) -> None:
    settings = fill_store(tmp_path / "data", films(), [])
    outcome = build(settings, settings_of_build=QUICK.model_copy(update={"embedder": str(model)}))
    assert outcome.activated
    assert outcome.embedded == 60
    why = "0 people took up something new in the last 20% of events, 1000 are needed"
    assert outcome.manifest.judged == f"not judged: {why}"
    assert next(check.message for check in outcome.manifest.checks if check.name == "judged") == f"not judged: {why}"
    assert outcome.manifest.metrics == ()
    generation = Generations(settings.generations_path).load(outcome.manifest.id)
    assert not generation.contents.popularity.any()
    engine = Recommender.of(generation)
    [newest] = engine.feeds([Query(HOME, size=5)], now=NOW)
    assert [card.item_id for card in engine.cards(newest.numbers)] == [f"film-{n}" for n in range(5)]
    numbers, _ = engine.numbers_of(["film-31"])
    history = np.array([(numbers[0], EventType.WATCH, 1.0, 0)], dtype=[("item", "<u4"), ("type", "u1"), ("value", "<f4"), ("at", "<i8")])
    [similar] = engine.feeds([Query(HOME, size=5, history=history)], now=NOW)
    assert {card.item_id for card in engine.cards(similar.numbers)} != {f"film-{n}" for n in range(5)}


def test_an_empty_catalogue_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    settings = fill_store(tmp_path / "data", [], [])
    with pytest.raises(InvalidInput, match="recommender import items FILE"):
        build(settings)
    assert Generations(settings.generations_path).ids() == []


def test_a_missing_store_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="store"):
        build(Settings(data=tmp_path / "nothing"))


def test_deleted_items_are_not_built_and_hidden_ones_are_not_shown(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    with open_store(settings.store_path) as store:
        store.delete_items(["film-0"], now=NOW)
        store.set_state(["film-1"], ItemState.HIDDEN, now=NOW)
    outcome = build(settings)
    assert outcome.manifest.items == 59
    engine = Recommender.of(Generations(settings.generations_path).load(outcome.manifest.id))
    [feed] = engine.feeds([Query(HOME, size=60)], now=NOW)
    assert len(feed.numbers) == 58


def test_events_after_the_watermark_are_left_to_the_next_night(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    with open_store(settings.store_path) as store:
        before = read_snapshot(store)
        store.record_events([watched("late", "film-3", NOW)], now=NOW, consent_default=Consent.ALL)
        after = read_snapshot(store)
    assert len(after.events) == len(before.events) + 1
    assert after.watermark > before.watermark


def test_reading_reports_items_and_events(modelless: Callable[..., Settings]) -> None:
    seen: list[tuple[str, int, int]] = []
    with open_store(modelless().store_path) as store:
        read_snapshot(store, progress=lambda *step: seen.append(step))
    assert seen[0] == ("items", 60, 60)
    assert seen[-1] == ("events", 480, 480)


class Refused:
    """A data folder whose newest build is refused: most of the items have gone since the parent."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.generations = Generations(settings.generations_path)
        self.first = build(settings).manifest.id
        with open_store(settings.store_path) as store:
            store.delete_items([f"film-{number}" for number in range(0, 60, 2)] + ["film-1"], now=NOW)


def test_a_refused_generation_is_kept_inactive_and_the_old_one_serves_on(modelless: Callable[..., Settings]) -> None:
    world = Refused(modelless())
    outcome = build(world.settings, now=NOW + timedelta(days=1))
    assert refusing(outcome) == ["items-kept"]
    assert not outcome.activated
    assert world.generations.current_id() == world.first
    assert world.generations.ids() == [outcome.manifest.id, world.first]
    assert not world.generations.verify(outcome.manifest.id).passed


def test_a_reason_activates_what_the_gate_refused_and_is_recorded(modelless: Callable[..., Settings]) -> None:
    world = Refused(modelless())
    outcome = build(world.settings, now=NOW + timedelta(days=1), force="half the shop was sold")
    assert outcome.activated
    assert world.generations.current_id() == outcome.manifest.id
    last = world.generations.activations()[-1]
    assert (last["id"], last["previous"], last["reason"], last["passed"]) == (
        outcome.manifest.id,
        world.first,
        "half the shop was sold",
        False,
    )


def test_old_generations_are_pruned_but_not_those_that_one_may_go_back_to(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    generations = Generations(settings.generations_path)
    built = [build(settings, now=NOW + timedelta(days=day), keep=1) for day in range(4)]
    ids = [outcome.manifest.id for outcome in built]
    assert generations.ids() == [ids[3], ids[2]]
    assert [outcome.pruned for outcome in built] == [[], [], [ids[0]], [ids[1]]]
    assert generations.rollback(now=NOW) == (ids[2], ids[3])


def test_a_file_in_place_of_the_folder_of_generations_is_a_clear_error(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    settings.generations_path.write_text("in the way")
    with pytest.raises(RecommenderError, match=r"cannot lock .*generations: File exists"):
        build(settings)


def test_items_without_any_vector_still_make_a_generation(tmp_path: Path) -> None:
    items = [Item(f"item-{number}", ItemKind.PRODUCT, price=1.0) for number in range(10)]
    events = [
        watched(f"p-{person}", f"item-{person % 7}", NOW - timedelta(days=2), type=EventType.PURCHASE, portion=None) for person in range(14)
    ]
    outcome = build(fill_store(tmp_path / "data", items, events))
    assert outcome.activated
    assert (outcome.manifest.embedder, outcome.embedded) == ("none", 0)


def test_one_item_and_one_event_are_enough(tmp_path: Path) -> None:
    settings = fill_store(
        tmp_path / "data", [Item("only", ItemKind.MEDIA, embedding=[1.0, 2.0])], [watched("p", "only", NOW - timedelta(days=1))]
    )
    outcome = build(settings)
    assert outcome.activated
    assert (outcome.manifest.items, outcome.manifest.events) == (1, 1)


def test_a_changed_title_is_all_that_the_next_night_embeds(fresh_world: Callable[[], World]) -> None:
    world = fresh_world()
    assert (world.outcome.embedded, world.outcome.cached) == (60, 0)
    with open_store(world.settings.store_path) as store:
        item = store.get_items(["film-5"])[0].item
        store.upsert_items([replace(item, title="The hedge and the meadow")], now=NOW)
    again = world.reindex()
    assert (again.embedded, again.cached) == (1, 59)


def test_a_second_night_embeds_exactly_the_one_in_a_hundred_that_changed(tmp_path: Path, model: Path) -> None:
    items = [Item(f"item-{number}", ItemKind.ARTICLE, title=f"rocket {number}", text=f"planet {number}") for number in range(300)]
    settings = fill_store(tmp_path / "data", items, [watched("p", "item-1", NOW - timedelta(days=1))])
    of_model = QUICK.model_copy(update={"embedder": str(model)})
    first = build(settings, settings_of_build=of_model)
    assert (first.embedded, first.cached) == (300, 0)
    with open_store(settings.store_path) as store:
        changed = [replace(item, text=f"{item.text} again") for item in items[::100]]
        store.upsert_items([*changed, *(replace(item, price=9.0, brand="new") for item in items[1::100])], now=NOW)
    second = build(settings, now=NOW + timedelta(days=1), settings_of_build=of_model)
    # What is no text is not embedded.
    assert (second.embedded, second.cached) == (3, 297)
    assert second.manifest.files["vectors.faiss"] != first.manifest.files["vectors.faiss"]
    third = build(settings, now=NOW + timedelta(days=2), settings_of_build=of_model)
    assert (third.embedded, third.cached) == (0, 300)


def test_build_settings_change_what_is_built(modelless: Callable[..., Settings]) -> None:
    settings = modelless()
    usual = build(settings).manifest.files
    changes: list[tuple[str, dict[str, Any]]] = [
        ("factors.npy", {"half_life_days": 5.0}),
        ("factors.npy", {"person_limit": 3}),
        ("popularity.npy", {"popularity": QUICK.popularity.model_copy(update={"half_life_days": 1.0})}),
        ("item_item_weights.npy", {"item_item": QUICK.item_item.model_copy(update={"neighbours": 2})}),
    ]
    for place, (name, changed) in enumerate(changes, 1):
        files = build(settings, now=NOW + timedelta(hours=place), settings_of_build=QUICK.model_copy(update=changed)).manifest.files
        assert files[name] != usual[name]
        assert files["items.arrow"] == usual["items.arrow"]
