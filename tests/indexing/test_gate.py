"""Every check of the gate is made to fail by what breaks just that, and passes on the sound world."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from worlds import NOW, World, films

from indexing.embedding import CatalogueVectors
from indexing.gate import (
    Latencies,
    all_checks,
    check_categories,
    check_counts,
    check_empty_feeds,
    check_finds_itself,
    check_finite,
    check_full_feeds,
    check_judgement,
    check_kinds,
    check_latency,
    check_own_vectors,
    check_recall,
    check_unit_norms,
    measure_latency,
)
from indexing.snapshot import Snapshot, read_snapshot
from indexing.twin import TwinReport, judge_twin
from recommender.engine import Recommender
from recommender.event_table import EventTable
from recommender.feeds import Feed, Query
from recommender.generation import Contents, GateCheck, Generations, Manifest
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemKind, ItemState
from recommender.judging import Interval
from recommender.judging.comparison import shown_interval
from recommender.lists import Lists
from recommender.placements import Placement, SourceWeights
from recommender.profile import Gate
from recommender.store import open_store
from recommender.vectors import VectorIndex

HOME = Placement(name="home")
BOUNDS = Gate()
SILENT = Placement(name="home", weights=SourceWeights(popular=(0, 0, 0, 0), fresh=(0, 0, 0, 0)), fallback="none")
"""Nothing but a history would show anything."""


@pytest.fixture(scope="module")
def manifest(world: World) -> Manifest:
    return world.outcome.manifest


@pytest.fixture(scope="module")
def contents(world: World, manifest: Manifest) -> Contents:
    return Generations(world.settings.generations_path).load(manifest.id).contents


@pytest.fixture(scope="module")
def snapshot(world: World) -> Snapshot:
    with open_store(world.settings.store_path) as store:
        return read_snapshot(store)


def failed(checks: Sequence[GateCheck]) -> dict[str, str]:
    """Names and messages of the checks that failed."""
    return {check.name: check.message for check in checks if not check.passed}


def engine(contents: Contents, world: World) -> Recommender:
    return Recommender.unpublished(contents, world.build)


def own_vectors(own: int = 0, misfits: int = 0) -> CatalogueVectors:
    names = tuple(f"item-{number}" for number in range(misfits))
    return CatalogueVectors(np.zeros((1, 4), dtype=np.float32), np.zeros(1, dtype=np.bool_), "own", 0, 0, own, names)


def test_a_sound_build_passes_every_check(contents: Contents, manifest: Manifest, snapshot: Snapshot, world: World) -> None:
    engines = engine(contents, world), engine(contents, world)
    checks, latencies = all_checks(
        engines, own_vectors(), snapshot.events, world.outcome.twin, manifest, HOME, BOUNDS, now=NOW, why_no_parent="the same"
    )
    assert failed(checks) == {}
    messages = {check.name: check.message for check in checks}
    assert list(messages) == [
        "own-vectors",
        "items",
        "items-kept",
        "items-grown",
        "events-kept",
        "events-grown",
        "finite",
        "unit-norms",
        "finds-itself",
        "retrieval-recall",
        "kinds-reachable",
        "categories-reachable",
        "feeds-full",
        "feeds-empty",
        "latency",
        "over-popularity",
        "ndcg-over-parent",
        "coverage-over-parent",
    ]
    assert messages["items"] == "60 items, 60 of them live; at least one must be"
    assert messages["finds-itself"] == "60 of 60 sampled items (exact search); at least 99.0% must"
    assert messages["retrieval-recall"] == "1.0000 of the 60 nearest of 60 items (exact search); at least 0.95 must be found"
    assert messages["kinds-reachable"] == "2 kinds, each within reach"
    assert messages["categories-reachable"] == "2 categories of at least 20 items, each within reach"
    assert messages["feeds-empty"] == "0 of 41 feeds are empty; at most 1.0% may be"
    assert messages["ndcg-over-parent"] == messages["coverage-over-parent"] == "not judged: the same"
    assert latencies.ours_ms > 0
    assert latencies.parent_ms is not None


@pytest.mark.parametrize("name", ["factors", "popularity", "item_item"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(contents: Contents, name: str, bad: float) -> None:
    assert check_finite(contents).passed
    learnt = getattr(contents, name)
    broken = learnt._replace(weights=learnt.weights.copy()) if isinstance(learnt, Lists) else learnt.copy()
    (broken.values if isinstance(broken, Lists) else broken.reshape(-1))[3] = bad
    assert failed([check_finite(replace(contents, **{name: broken}))]) == {"finite": f"NaN or infinity in {name}"}


@pytest.mark.parametrize(("factor", "worst"), [(1.1, "1.0e-01"), (0.0, "1.0e+00"), (1.0, "")])
def test_a_vector_whose_length_is_not_one_is_refused(contents: Contents, factor: float, worst: str) -> None:
    vectors = contents.vectors.gather(np.arange(60))
    vectors[5] *= factor
    check = check_unit_norms(replace(contents, vectors=VectorIndex.build(vectors, exact_limit=1_000, seed=0)))
    assert check.passed is not bool(worst)
    assert not worst or check.message == f"60 vectors, furthest from length 1 by {worst}; 5e-03 is allowed"


@pytest.mark.parametrize(
    ("own", "misfits", "passed"), [(0, 0, True), (60, 10, True), (60, 11, False), (1_000, 50, True), (1_000, 51, False)]
)
def test_a_few_own_vectors_that_do_not_fit_stop_no_night_and_many_do(own: int, misfits: int, passed: bool) -> None:
    check = check_own_vectors(own_vectors(own, misfits))
    assert check.passed is passed
    assert check.message.startswith(f"{misfits} of {own} do not fit")
    assert ("item-0" in check.message) is bool(misfits)


def test_a_vector_that_is_not_a_number_is_refused(contents: Contents) -> None:
    vectors = contents.vectors.gather(np.arange(60))
    vectors[5, 0] = np.nan
    assert not check_unit_norms(replace(contents, vectors=VectorIndex.build(vectors, exact_limit=1_000, seed=0))).passed


class Deaf(VectorIndex):
    """Every search ends at the first rows, and calls them the nearest that there could be."""

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
        rows = np.tile(np.arange(min(k, 30), dtype=np.int32), (len(queries), 1))
        return rows, np.stack([self.gather(line) @ query for line, query in zip(rows, queries, strict=True)]), "index"


def test_an_index_that_does_not_find_its_own_items_is_refused(contents: Contents) -> None:
    assert check_finds_itself(contents, BOUNDS).passed
    [message] = failed([check_finds_itself(replace(contents, vectors=Deaf(contents.vectors._index)), BOUNDS)]).values()
    assert re.fullmatch(r"\d+ of 60 sampled items \(index search\); at least 99.0% must", message)
    assert int(message.split()[0]) < 40


def test_an_index_that_misses_what_is_nearest_is_refused(contents: Contents) -> None:
    deaf = replace(contents, vectors=Deaf(contents.vectors._index))
    [message] = failed([check_recall(deaf, BOUNDS)]).values()
    assert re.fullmatch(r"0\.\d+ of the 30 nearest of 60 items \(index search\); at least 0.95 must be found", message)
    assert check_recall(deaf, Gate(retrieval_recall=0.1)).passed


def test_a_compressed_index_is_measured_beside_a_comparison_with_all(contents: Contents) -> None:
    vectors = np.random.default_rng(0).normal(size=(4_000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex.build(vectors, exact_limit=1_000, seed=0)
    large = replace(contents)
    object.__setattr__(large, "vectors", index)
    object.__setattr__(large, "has_vector", np.ones(4_000, dtype=np.bool_))
    check = check_recall(large, BOUNDS)
    assert check.passed
    assert " of the 100 nearest of 64 items " in check.message


def test_a_catalogue_in_which_nothing_is_live_is_refused(contents: Contents) -> None:
    hidden = Catalogue.of([(number + 1, ItemState.HIDDEN, film) for number, film in enumerate(films())])
    checks = check_counts(replace(contents, catalogue=hidden), 480, None, BOUNDS)
    assert failed(checks) == {"items": "60 items, 0 of them live; at least one must be"}


def test_items_without_vectors_are_not_looked_for(contents: Contents) -> None:
    bare = replace(contents, has_vector=np.zeros(60, dtype=np.bool_))
    for check in (check_finds_itself(bare, BOUNDS), check_recall(bare, BOUNDS)):
        assert check.passed
        assert check.message == "no item has a vector"


def test_a_build_that_lost_most_items_or_events_since_its_parent_is_refused(contents: Contents, manifest: Manifest) -> None:
    parent = manifest.model_copy(update={"items": 121, "events": 1000})
    assert failed(check_counts(contents, 499, parent, BOUNDS)) == {
        "items-kept": "60, the parent had 121; at least 60 must be left",
        "events-kept": "499, the parent had 1000; at least 500 must be left",
    }
    assert failed(check_counts(contents, 500, parent.model_copy(update={"items": 120}), BOUNDS)) == {}


def test_a_build_that_grew_beyond_belief_since_its_parent_is_refused(contents: Contents, manifest: Manifest) -> None:
    parent, bounds = manifest.model_copy(update={"items": 5, "events": 40}), Gate(growth_free=50)
    assert failed(check_counts(contents, 401, parent, bounds)) == {
        "items-grown": "60, the parent had 5; at most 50 may be there",
        "events-grown": "401, the parent had 40; at most 400 may be there",
    }
    assert failed(check_counts(contents, 400, parent.model_copy(update={"items": 6}), bounds)) == {}
    # What begins grows fast.
    assert failed(check_counts(contents, 401, parent, BOUNDS)) == {}


def test_a_kind_that_no_feed_reaches_is_refused(contents: Contents, world: World) -> None:
    # The kinds are asked for by somebody without a history.
    assert failed([check_kinds(engine(contents, world), SILENT, NOW)]) == {
        "kinds-reachable": "2 of 2 kinds out of reach, none may be: article, media"
    }
    only_media = SILENT.model_copy(update={"kinds": frozenset({ItemKind.MEDIA})})
    assert failed([check_kinds(engine(contents, world), only_media, NOW)]) == {
        "kinds-reachable": "1 of 1 kinds out of reach, none may be: media"
    }


def test_a_category_that_no_filtered_feed_reaches_is_refused(contents: Contents, world: World) -> None:
    assert failed([check_categories(engine(contents, world), SILENT, NOW, BOUNDS)]) == {
        "categories-reachable": "2 of 2 categories of at least 20 items out of reach, none may be: garden, space"
    }
    assert check_categories(engine(contents, world), SILENT, NOW, Gate(reachable_from=31)).passed
    assert check_categories(engine(contents, world), HOME, NOW, BOUNDS).passed


def test_categories_are_asked_for_whatever_signs_their_names_hold(contents: Contents, world: World) -> None:
    odd = 'say "no" \\ ćafé\n'
    named = Catalogue.of([(number + 1, ItemState.LIVE, replace(film, categories=(odd,))) for number, film in enumerate(films())])
    check = check_categories(engine(replace(contents, catalogue=named), world), HOME, NOW, BOUNDS)
    assert (check.passed, check.message) == (True, "1 categories of at least 20 items, each within reach")


def test_a_source_that_fails_is_refused(contents: Contents, world: World) -> None:
    broken = engine(contents, world)
    assert check_full_feeds(broken, HOME, NOW).passed
    for source in broken.sources:
        if source.name.key == "co_occurrence":
            source.history_decay = "broken"
    assert failed([check_full_feeds(broken, HOME, NOW)]) == {"feeds-full": "0 short and 50 degraded of 60; none may be"}


def test_too_many_empty_feeds_are_refused(contents: Contents, snapshot: Snapshot, world: World) -> None:
    # Of the forty people and a new one, only the new one has nothing to go by.
    def check(bounds: Gate) -> GateCheck:
        return check_empty_feeds(engine(contents, world), SILENT, snapshot.events, NOW, bounds, seed=0)

    assert failed([check(BOUNDS)]) == {"feeds-empty": "1 of 41 feeds are empty; at most 1.0% may be"}
    assert check(Gate(empty_feeds=0.03)).passed
    # Whoever had everything is owed nothing.
    everything = snapshot.events.where(snapshot.events.person == snapshot.events.person[0])
    seen = replace(everything, item=np.resize(snapshot.catalogue.numbers, len(everything)))
    full = check_empty_feeds(engine(contents, world), HOME, seen, NOW, BOUNDS, seed=0)
    assert full.passed


class Slow(Recommender):
    """Takes its time over every feed."""

    def feeds(self, queries: Sequence[Query], *, now: datetime, deadline: float | None = None) -> list[Feed]:
        time.sleep(0.03)
        return super().feeds(queries, now=now, deadline=deadline)


def test_a_gross_slow_down_is_refused(contents: Contents, world: World) -> None:
    quick = engine(contents, world)
    slow = Slow(contents, world.build, quick.eligibility, "slow")
    measured = measure_latency(slow, quick, HOME, NOW)
    assert measured.ours_ms >= 30
    [message] = failed([check_latency(measured, Gate(latency_ratio=1.5))]).values()
    assert re.fullmatch(
        r"[\d.]+ ms, the parent's [\d.]+ ms; a feed's median must be below 1000 ms, and below 1.5 times the parent's where above 20 ms",
        message,
    )
    [message] = failed([check_latency(measure_latency(slow, None, HOME, NOW), Gate(latency_ms=10))]).values()
    assert re.fullmatch(r"[\d.]+ ms; a feed's median must be below 10 ms", message)


@pytest.mark.parametrize(
    ("ours", "parent", "passed"),
    [(999, None, True), (1_000, None, False), (19, 0.1, True), (499, 100, True), (500, 100, False), (600, 900, True)],
)
def test_latency_is_held_against_the_clock_and_the_parent(ours: float, parent: float | None, passed: bool) -> None:
    check = check_latency(Latencies(ours, parent), BOUNDS)
    assert check.passed is passed
    # Two builds of the same inputs say the same.
    assert not passed or re.match("within bounds; a feed's median must be below 1000 ms", check.message)


def test_one_quiet_round_is_enough_for_a_quick_engine(contents: Contents, world: World) -> None:
    ticks = iter(range(10**6))

    def clock() -> float:
        # Twenty feeds a round and engine, each looked at twice; all but the third round lasts a second a feed.
        tick = next(ticks)
        return float(tick) if tick // 40 != 3 else tick / 1_000

    assert measure_latency(engine(contents, world), None, HOME, NOW, clock=clock) == Latencies(pytest.approx(1), None)


def interval(mean: float, *, width: float = 0.01) -> Interval:
    return Interval(mean, mean - width, mean + width)


@pytest.mark.parametrize(
    ("field", "name", "metric"),
    [
        ("over_parent", "ndcg-over-parent", "NDCG@10"),
        ("coverage_over_parent", "coverage-over-parent", "share of items shown among the first 10"),
    ],
)
def test_settings_that_lose_to_the_parents_on_the_same_cut_are_refused(world: World, field: str, name: str, metric: str) -> None:
    twin = replace(world.outcome.twin, over_parent=interval(0), coverage_over_parent=interval(0))
    shown = shown_interval(interval(-0.02), signed=True)
    message = f"these settings − the parent's on the same cut, {metric}: {shown}; its upper end must not be below 0"
    assert failed(check_judgement(replace(twin, **{field: interval(-0.02)}), "")) == {name: message}
    for no_worse in (interval(-0.005), interval(0.0), interval(0.3)):
        assert failed(check_judgement(replace(twin, **{field: no_worse}), "")) == {}


def test_a_blend_that_loses_to_popularity_is_refused(world: World, contents: Contents, snapshot: Snapshot) -> None:
    # Early and late, people like older films; the newest twenty, which nobody likes, are all that the placement shows.
    events = snapshot.events.where(np.isin(snapshot.events.item, snapshot.catalogue.numbers[20:]))
    none, always = (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)
    weights = SourceWeights(**{name: always if name == "fresh" else none for name in SourceWeights.model_fields})
    placement = Placement(name="home", weights=weights, candidates=10, fallback="none")
    twin = judge_twin(snapshot.catalogue, contents.vectors, contents.has_vector, events, world.build, placement, parent=None)
    refused = failed(check_judgement(twin, "there is no parent"))
    assert refused.keys() == {"over-popularity"}
    assert refused["over-popularity"].startswith("blend − popularity, NDCG@10: -")


def test_a_build_that_nobody_can_be_judged_on_passes_and_says_why() -> None:
    nobody = TwinReport("", None, "3 people took up something new", None)
    [check] = check_judgement(nobody, "there is no parent")
    assert (check.name, check.passed, check.message) == ("judged", True, "not judged: 3 people took up something new")


Checked = Callable[[Contents, Recommender, EventTable, Manifest, Gate], Sequence[GateCheck]]

OTHERWISE: Mapping[str, tuple[float, float, Checked]] = {
    "least_kept": (0.4, 0.6, lambda contents, _, __, parent, gate: check_counts(contents, 500, parent, gate)),
    "most_growth": (1_001, 999, lambda contents, _, __, parent, gate: check_counts(contents, 480_000, parent, gate)),
    "growth_free": (480_000, 1_000, lambda contents, _, __, parent, gate: check_counts(contents, 480_000, parent, gate)),
    "retrieval_recall": (0.1, 0.9, lambda contents, _, __, ___, gate: [check_recall(deaf(contents), gate)]),
    "finds_itself": (0.01, 0.9, lambda contents, _, __, ___, gate: [check_finds_itself(deaf(contents), gate)]),
    "reachable_from": (31, 30, lambda _, made, __, ___, gate: [check_categories(made, SILENT, NOW, gate)]),
    "empty_feeds": (0.03, 0.02, lambda _, made, events, ___, gate: [check_empty_feeds(made, SILENT, events, NOW, gate, seed=0)]),
    "latency_ms": (60, 40, lambda _, __, ___, ____, gate: [check_latency(Latencies(50, None), gate)]),
    "latency_ratio": (3, 2, lambda _, __, ___, ____, gate: [check_latency(Latencies(50, 20), gate)]),
}
"""By name of a bound: a value with which what is checked passes, and one with which it does not, all else being the same."""


def deaf(contents: Contents) -> Contents:
    return replace(contents, vectors=Deaf(contents.vectors._index))


def test_every_bound_of_the_gate_is_tried() -> None:
    assert set(OTHERWISE) == set(Gate.model_fields)


@pytest.mark.parametrize("bound", OTHERWISE)
def test_every_bound_of_the_gate_changes_a_verdict(
    contents: Contents, manifest: Manifest, snapshot: Snapshot, world: World, bound: str
) -> None:
    passing, failing, checked = OTHERWISE[bound]
    # Twice as many items as are there now, and 960 events.
    parent = manifest.model_copy(update={"items": 120, "events": 960}) if bound == "least_kept" else manifest
    base = {"growth_free": 0} if bound == "most_growth" else {"most_growth": 10} if bound == "growth_free" else {}

    def verdict(value: float) -> dict[str, str]:
        bounds = Gate.model_validate({**base, bound: value})
        return failed(checked(contents, engine(contents, world), snapshot.events, parent, bounds))

    assert verdict(passing) == {}
    assert verdict(failing)
