"""Every check of the gate is made to fail by contents that break just that, and passes on the sound world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import NOW, World, films

from indexing.embedding import CatalogueVectors
from indexing.gate import check_contents, check_feeds, check_judgement, check_vectors
from indexing.snapshot import read_snapshot
from indexing.twin import judge_twin
from recommender.engine import Recommender
from recommender.generation import Contents, GateCheck, Generations, Manifest
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemKind, ItemState
from recommender.judging import Interval
from recommender.judging.comparison import shown_interval
from recommender.lists import Lists
from recommender.placements import Placement, SourceWeights
from recommender.store import open_store
from recommender.vectors import VectorIndex

HOME = Placement(name="home")


@pytest.fixture(scope="module")
def manifest(world: World) -> Manifest:
    return world.outcome.manifest


@pytest.fixture(scope="module")
def contents(world: World, manifest: Manifest) -> Contents:
    return Generations(world.settings.generations_path).load(manifest.id).contents


def failed(checks: list[GateCheck]) -> dict[str, str]:
    """Names and messages of the checks that failed."""
    return {check.name: check.message for check in checks if not check.passed}


def engine(contents: Contents, world: World) -> Recommender:
    return Recommender.unpublished(contents, world.build)


def test_a_sound_build_passes_every_check(contents: Contents, manifest: Manifest, world: World) -> None:
    checks = [*check_contents(contents, manifest, manifest.events), *check_feeds(engine(contents, world), HOME, NOW)]
    assert failed(checks) == {}
    names = [check.name for check in checks]
    assert names == ["items", "items-kept", "events-kept", "finite", "unit-norms", "finds-itself", "kinds-reachable", "feeds-full"]
    messages = {check.name: check.message for check in checks}
    assert messages["items"] == "60 items, 60 of them live"
    assert messages["finds-itself"] == "60 of 60 sampled items (exact search)"
    assert messages["kinds-reachable"] == "2 kinds"


@pytest.mark.parametrize("name", ["factors", "popularity", "item_item"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(contents: Contents, name: str, bad: float) -> None:
    learnt = getattr(contents, name)
    broken = learnt._replace(weights=learnt.weights.copy()) if isinstance(learnt, Lists) else learnt.copy()
    (broken.values if isinstance(broken, Lists) else broken.reshape(-1))[3] = bad
    assert failed(check_contents(replace(contents, **{name: broken}), None, 0)) == {"finite": "NaN or infinity in what was learnt"}


@pytest.mark.parametrize(("factor", "worst"), [(1.1, "1.0e-01"), (0.0, "1.0e+00")])
def test_a_vector_whose_length_is_not_one_is_refused(contents: Contents, factor: float, worst: str) -> None:
    vectors = contents.vectors.gather(np.arange(60))
    vectors[5] *= factor
    broken = replace(contents, vectors=VectorIndex.build(vectors, exact_limit=1_000, seed=0))
    assert failed(check_contents(broken, None, 0))["unit-norms"] == f"60 vectors, furthest from length 1 by {worst}"


@pytest.mark.parametrize(
    ("own", "misfits", "passed"), [(0, 0, True), (60, 10, True), (60, 11, False), (1_000, 50, True), (1_000, 51, False)]
)
def test_a_few_own_vectors_that_do_not_fit_stop_no_night_and_many_do(own: int, misfits: int, passed: bool) -> None:
    names = tuple(f"item-{number}" for number in range(misfits))
    vectors = CatalogueVectors(np.zeros((1, 4), dtype=np.float32), np.zeros(1, dtype=np.bool_), "own", 0, 0, own, names)
    check = check_vectors(vectors)
    assert check.passed is passed
    assert check.message.startswith(f"{misfits} of {own} do not fit")
    assert ("item-0" in check.message) is bool(misfits)


def test_a_vector_that_is_not_a_number_is_refused(contents: Contents) -> None:
    vectors = contents.vectors.gather(np.arange(60))
    vectors[5, 0] = np.nan
    broken = replace(contents, vectors=VectorIndex.build(vectors, exact_limit=1_000, seed=0))
    assert "unit-norms" in failed(check_contents(broken, None, 0))


def test_an_index_that_does_not_find_its_own_items_is_refused(contents: Contents) -> None:
    class Deaf(VectorIndex):
        """Every search ends at row 0."""

        def search(self, queries: np.ndarray, k: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
            rows = np.zeros((len(queries), 1), dtype=np.int32)
            return rows, queries @ self.gather(rows[0]).T, "index"

    broken = replace(contents, vectors=Deaf(contents.vectors._index))
    message = failed(check_contents(broken, None, 0))["finds-itself"]
    assert message.endswith(" of 60 sampled items (index search)")
    assert int(message.split()[0]) < 40


def test_a_catalogue_in_which_nothing_is_live_is_refused(contents: Contents) -> None:
    hidden = Catalogue.of([(number + 1, ItemState.HIDDEN, film) for number, film in enumerate(films())])
    assert failed(check_contents(replace(contents, catalogue=hidden), None, 0)) == {"items": "60 items, 0 of them live"}


def test_items_without_vectors_are_not_looked_for(contents: Contents) -> None:
    bare = replace(contents, has_vector=np.zeros(60, dtype=np.bool_))
    checks = {check.name: check for check in check_contents(bare, None, 0)}
    assert checks["finds-itself"].passed
    assert checks["finds-itself"].message == "no item has a vector"


def test_a_build_that_lost_most_items_or_events_since_its_parent_is_refused(contents: Contents, manifest: Manifest) -> None:
    parent = manifest.model_copy(update={"items": 121, "events": 1000})
    assert failed(check_contents(contents, parent, 499)) == {
        "items-kept": "60, the parent had 121",
        "events-kept": "499, the parent had 1000",
    }
    assert failed(check_contents(contents, parent.model_copy(update={"items": 120}), 500)) == {}


def test_a_kind_that_no_feed_reaches_is_refused(contents: Contents, world: World) -> None:
    # Nothing but a history would show anything, and the kinds are asked for by somebody without one.
    silent = SourceWeights(popular=(0, 0, 0, 0), fresh=(0, 0, 0, 0))
    placement = Placement(name="home", weights=silent, fallback="none")
    assert failed(check_feeds(engine(contents, world), placement, NOW)) == {"kinds-reachable": "unreachable: article, media"}
    only_media = placement.model_copy(update={"kinds": frozenset({ItemKind.MEDIA})})
    assert failed(check_feeds(engine(contents, world), only_media, NOW)) == {"kinds-reachable": "unreachable: media"}


def test_a_source_that_fails_is_refused(contents: Contents, world: World) -> None:
    broken = engine(contents, world)
    for source in broken.sources:
        if source.name.key == "co_occurrence":
            source.history_decay = "broken"
    assert failed(check_feeds(broken, HOME, NOW)) == {"feeds-full": "0 short and 50 degraded of 60"}


def interval(mean: float, *, width: float = 0.01) -> Interval:
    return Interval(mean, mean - width, mean + width)


def test_settings_that_lose_to_the_parents_on_the_same_cut_are_refused(world: World) -> None:
    comparison = world.outcome.twin.comparison
    assert comparison is not None
    shown = shown_interval(interval(-0.02), signed=True)
    message = f"these settings − the parent's on the same cut, NDCG@10: {shown}"
    assert failed(check_judgement(comparison, "", interval(-0.02))) == {"over-parent": message}
    for no_worse in (interval(-0.005), interval(0.0), interval(0.3), None):
        assert failed(check_judgement(comparison, "", no_worse)) == {}


def test_a_blend_that_loses_to_popularity_is_refused(world: World, contents: Contents) -> None:
    with open_store(world.settings.store_path) as store:
        snapshot = read_snapshot(store)
    # Early and late, people like older films; the newest twenty, which nobody likes, are all that the placement shows.
    events = snapshot.events.where(np.isin(snapshot.events.item, snapshot.catalogue.numbers[20:]))
    none, always = (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)
    weights = SourceWeights(**{name: always if name == "fresh" else none for name in SourceWeights.model_fields})
    placement = Placement(name="home", weights=weights, candidates=10, fallback="none")
    twin = judge_twin(snapshot.catalogue, contents.vectors, contents.has_vector, events, world.build, placement, parent=None)
    refused = failed(check_judgement(twin.comparison, twin.why_not, twin.over_parent))
    assert refused.keys() == {"over-popularity"}
    assert refused["over-popularity"].startswith("blend − popularity, NDCG@10: -")


def test_a_build_that_nobody_can_be_judged_on_passes_and_says_why() -> None:
    [check] = check_judgement(None, "3 people took up something new", None)
    assert (check.name, check.passed, check.message) == ("judged", True, "not judged: 3 people took up something new")
