from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from worlds import World

from indexing.snapshot import Snapshot, read_snapshot
from indexing.twin import fit_twin, judge_twin, sampled
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.generation import Contents, Generations
from recommender.judging import cut_at_share, hold_out
from recommender.judging.cuts import of_later_people
from recommender.placements import Placement
from recommender.profile import BuildSettings, EventWeights, ItemItem, Judging
from recommender.store import open_store

HOME = Placement(name="home")
NONE = float("nan")


@pytest.fixture(scope="module")
def snapshot(world: World) -> Snapshot:
    with open_store(world.settings.store_path) as store:
        return read_snapshot(store)


@pytest.fixture(scope="module")
def contents(world: World) -> Contents:
    return Generations(world.settings.generations_path).load(world.outcome.manifest.id).contents


def learnt(contents: Contents) -> dict[str, bytes]:
    """The bytes of every array that was learnt from events."""
    return {
        "factors": contents.factors.tobytes(),
        **{
            name: getattr(contents, name).matrix().toarray().tobytes() for name in ("item_item", "transitions", "co_occurrence", "transfer")
        },
        "graph": contents.graph.vectors.tobytes(),
        "popularity": contents.popularity.tobytes(),
        "recent_popularity": contents.recent_popularity.tobytes(),
    }


def test_nothing_after_the_cut_reaches_the_twin(world: World, snapshot: Snapshot, contents: Contents) -> None:
    events = snapshot.events
    cut = cut_at_share(events, 0.8)
    after = events.at >= cut
    rng = np.random.default_rng(0)
    wild = replace(
        events,
        item=np.where(after, rng.permutation(events.item), events.item),
        type=np.where(after, np.uint8(EventType.PURCHASE), events.type),
        value=np.where(after, np.float32(0), events.value),
        at=np.where(after, events.at + rng.integers(0, 10**15, len(events)), events.at),
    )
    assert 0 < after.sum() < len(events)
    fit = [
        learnt(fit_twin(snapshot.catalogue, contents.vectors, contents.has_vector, table, world.build, HOME, cut).contents)
        for table in (events, wild, events.where(~after))
    ]
    assert fit[0] == fit[1] == fit[2]
    whole = learnt(
        fit_twin(snapshot.catalogue, contents.vectors, contents.has_vector, events, world.build, HOME, int(events.at.max()) + 1).contents
    )
    assert all(fit[0][name] != whole[name] for name in whole)


def judged(world: World, snapshot: Snapshot, contents: Contents, build: BuildSettings, parent: BuildSettings | None) -> Any:
    return judge_twin(snapshot.catalogue, contents.vectors, contents.has_vector, snapshot.events, build, HOME, parent=parent)


def test_the_twin_beats_popularity_where_tastes_are_clear(world: World, snapshot: Snapshot, contents: Contents) -> None:
    report = judged(world, snapshot, contents, world.build, None)
    assert report.comparison is not None
    assert report.comparison.blend_over("popularity").low > 0
    assert report.over_parent is None
    assert report.description.startswith("a twin fitted on events before 2026-02-")
    assert {metric.name for metric in report.metrics} >= {"blend/ndcg@10", "popularity/recall@100", "content/recall@10"}


def test_the_twin_is_judged_where_nothing_after_the_cut_is_revealed_too(world: World, snapshot: Snapshot, contents: Contents) -> None:
    report = judged(world, snapshot, contents, world.build, None)
    assert report.comparison is not None
    assert report.at_cut is not None
    assert set(report.at_cut.judgements) == {"popularity", "blend"}
    names = {metric.name for metric in report.metrics}
    assert {"at-cut/blend/ndcg@10", "at-cut/popularity/ndcg@10"} <= names
    assert not any(name.startswith("at-cut/content") for name in names)
    shorter, longer = ([len(history) for history in comparison.held_out.histories] for comparison in (report.at_cut, report.comparison))
    assert np.mean(shorter) < np.mean(longer)


def test_the_blend_that_is_published_is_learnt_on_what_the_twin_had_not_seen(world: World, snapshot: Snapshot, contents: Contents) -> None:
    blending = world.build.blending.model_copy(update={"fewest": 5, "ranker": "never"})
    report = judged(world, snapshot, contents, world.build.model_copy(update={"blending": blending}), None)
    assert report.learnt is not None
    assert report.learnt.queries >= 5
    assert report.learnt.blend.weights.any(axis=1).all()
    few = world.build.model_copy(update={"blending": blending.model_copy(update={"fewest": report.learnt.queries + 1})})
    assert judged(world, snapshot, contents, few, None).learnt is None


def test_the_blend_that_is_published_learns_from_what_the_twins_own_learnt_from_as_well(
    world: World, snapshot: Snapshot, contents: Contents
) -> None:
    blending = world.build.blending.model_copy(update={"fewest": 5, "ranker": "never", "cuts": 3})
    build = world.build.model_copy(update={"blending": blending})
    report = judged(world, snapshot, contents, build, None)
    events = snapshot.events
    cut = cut_at_share(events, 1 - build.judging.share)
    twin = fit_twin(snapshot.catalogue, contents.vectors, contents.has_vector, events, build, HOME, cut)
    newest = sum(len(hold_out(events, build.event_weights, cut=cut, reveal=reveal)) for reveal in build.blending.reveals)
    assert len(twin.samples) > 1
    assert report.learnt is not None
    assert report.learnt.queries == newest + sum(len(samples) for samples in twin.samples)


def test_a_parent_of_the_same_settings_is_not_fitted_again(world: World, snapshot: Snapshot, contents: Contents) -> None:
    assert judged(world, snapshot, contents, world.build, world.build).over_parent is None


def test_a_parent_of_other_settings_is_fitted_to_the_same_cut(world: World, snapshot: Snapshot, contents: Contents) -> None:
    # Settings by which liking counts as disliking teach nothing that is true.
    mad = world.build.model_copy(update={"event_weights": EventWeights(watch=-1.0), "item_item": ItemItem(neighbours=1)})
    ahead = judged(world, snapshot, contents, world.build, mad).over_parent
    assert ahead is not None
    assert ahead.low > 0


def test_too_few_people_are_not_judged_and_the_report_says_why(world: World, snapshot: Snapshot, contents: Contents) -> None:
    build = world.build.model_copy(update={"judging": Judging(fewest=100)})
    report = judged(world, snapshot, contents, build, None)
    assert report.comparison is None
    assert report.metrics == ()
    assert report.why_not.endswith("people took up something new in the last 20% of events, 100 are needed")
    assert report.description == f"not judged: {report.why_not}"


def test_judging_settings_change_who_is_judged(world: World, snapshot: Snapshot, contents: Contents) -> None:
    usual = judged(world, snapshot, contents, world.build, None).comparison
    assert usual is not None
    for changed in ({"share": 0.5}, {"reveal": 0.0}, {"people": 7}):
        judging = world.build.judging.model_copy(update=changed)
        other = judged(world, snapshot, contents, world.build.model_copy(update={"judging": judging}), None).comparison
        assert other is not None
        assert [len(target) for target in other.held_out.targets] != [len(target) for target in usual.held_out.targets]
    assert len(other.held_out) == 7


def test_only_people_who_did_anything_after_the_cut_are_looked_at(tables: Any) -> None:
    rows = [(person, item, EventType.LIKE, day, NONE) for person in (1, 2, 3, 4) for item, day in ((1, 0), (2, 5 if person % 2 else 1))]
    events = tables.events(rows)
    cut = int(events.at.max())
    later = of_later_people(events, cut, 10, seed=0)
    assert np.unique(later.person).tolist() == [1, 3]
    assert len(later) == 4
    [one] = np.unique(of_later_people(events, cut, 1, seed=0).person)
    assert one in (1, 3)


def many_people(tables: Any, count: int) -> EventTable:
    table: EventTable = tables.events([(person, item, EventType.LIKE, item, NONE) for person in range(count) for item in (1, 2)])
    return table


def test_a_sample_of_people_is_drawn_alike_each_time_and_complete(tables: Any) -> None:
    events = many_people(tables, 50)
    held_out = hold_out(events, EventWeights(), cut=int(events.at.max()))
    some = sampled(held_out, 10, seed=3)
    assert len(some) == len(some.histories) == len(some.consumed) == len(some.dismissed) == len(some.targets) == 10
    assert some.people.tolist() == sampled(held_out, 10, seed=3).people.tolist() != sampled(held_out, 10, seed=4).people.tolist()
    assert len(set(some.people.tolist())) == 10
    assert sampled(held_out, 50, seed=3) is held_out
