"""The fresh cut lies inside what came before the cut that is searched, so that its answers were never looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import films

from eval.datasets.dataset import UNDATED, undated_events
from eval.tuning.folds import NEW, Fold, folds_of
from eval.tuning.space import PARTS
from eval.tuning.training_part import TrainingPart
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemState
from recommender.judging import cut_at_share
from recommender.order import Order
from recommender.profile import BuildSettings, Judging

Pairs = set[tuple[int, int]]


def of_order(order: Order, data: TrainingPart) -> TrainingPart:
    """The world's events with the places in people's histories for times, or those of a larger world without any."""
    events = data.events
    if order is Order.TIME:
        return data
    if order is Order.NONE:
        # Of the world's sixty films all are alike enough to make one region.
        rng = np.random.default_rng(0)
        person = np.repeat(np.arange(200), 12)
        item = 40 * (person % 10) + rng.integers(0, 40, len(person)) + 20 * rng.integers(0, 4, len(person))
        catalogue = Catalogue.of([(number, ItemState.LIVE, film) for number, film in enumerate(films(460))])
        return replace(data, catalogue=catalogue, has_vector=np.ones(460, dtype=np.bool_), events=undated_events(person, item))
    starts = np.flatnonzero(np.append(True, events.person[1:] != events.person[:-1]))
    places = np.arange(len(events)) - np.repeat(starts, np.diff(starts, append=len(events)))
    return replace(data, events=replace(events, at=UNDATED + 1_000_000 * places))


def targets(fold: Fold) -> Pairs:
    """Whom is asked for what, over all cuts."""
    return {
        (person, item)
        for cut in fold.cuts
        for half in cut.halves
        for person, items in zip(half.people.tolist(), half.targets, strict=True)
        for item in items.tolist()
    }


def pairs(events: EventTable) -> Pairs:
    return set(zip(events.person.tolist(), events.item.tolist(), strict=True))


@pytest.mark.parametrize("order", list(Order))
def test_no_target_of_either_fold_is_learnt_from_nor_asked_for_in_the_other(
    order: Order, data: TrainingPart, present: BuildSettings
) -> None:
    data = of_order(order, data)
    assert data.order is order
    searched, fresh = folds_of(data, present, people=1_000, seed=0)
    assert targets(searched) & pairs(searched.learning.events) == set()
    assert targets(fresh) <= pairs(searched.learning.events)
    assert targets(fresh) & pairs(fresh.learning.events) == set()
    assert targets(fresh) & targets(searched) == set()


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order.TIME, ["half revealed", "nothing revealed", "new items"]),
        (Order.SEQUENCE, ["last item"]),
        (Order.NONE, ["random share", "whole regions", "new items"]),
    ],
)
def test_the_shape_of_the_data_decides_how_people_are_held_out(
    order: Order, names: list[str], data: TrainingPart, present: BuildSettings
) -> None:
    for fold in folds_of(of_order(order, data), present, people=1_000, seed=0):
        assert [cut.name for cut in fold.cuts] == names


def test_with_times_four_fifths_are_learnt_from_and_of_these_four_fifths(data: TrainingPart, present: BuildSettings) -> None:
    searched, fresh = folds_of(data, present, people=1_000, seed=0)
    for fold, whole in ((searched, data.events), (fresh, searched.learning.events)):
        before = whole.before(cut_at_share(whole, 0.8))
        assert len(before) == pytest.approx(0.8 * len(whole), abs=1)
        [new] = [cut for cut in fold.cuts if cut.name == NEW]
        candidates = new.halves[0].candidates
        assert candidates is not None
        # But for the new items, of which nobody is learnt from.
        assert pairs(fold.learning.events) == pairs(before.where(~np.isin(before.item, candidates[0])))


def test_at_most_so_many_people_are_judged_in_halves_that_share_nobody(data: TrainingPart, present: BuildSettings) -> None:
    for fold in folds_of(data, present, people=25, seed=0):
        for cut in fold.cuts:
            first, second = cut.halves
            assert (len(first), len(second)) == (13, 12)
            assert set(first.people.tolist()) & set(second.people.tolist()) == set()


def test_too_few_people_to_judge_are_refused(data: TrainingPart, present: BuildSettings) -> None:
    strict = present.model_copy(update={"judging": Judging(fewest=10_000)})
    with pytest.raises(InvalidInput, match=r"events: given '1920 events, by which [0-9]+ people can be judged'"):
        folds_of(data, strict, people=1_000, seed=0)
    one_event = replace(data, events=data.events.where(np.arange(len(data.events)) == 0))
    with pytest.raises(InvalidInput, match="by which 0 people can be judged"):
        folds_of(one_event, present, people=1_000, seed=0)


def test_a_source_is_judged_where_it_can_speak(data: TrainingPart, present: BuildSettings) -> None:
    judged = {}
    for order in (Order.TIME, Order.NONE):
        fold, _ = folds_of(of_order(order, data), present, people=1_000, seed=0)
        judged[order] = {part.name: [cut.name for cut in fold.cuts_for(part)] for part in PARTS}
    known = ["random share", "whole regions"]
    assert judged[Order.NONE]["item_item"] == known
    assert judged[Order.NONE]["transfer"] == ["new items"]
    assert judged[Order.NONE]["content"] == judged[Order.NONE]["blending"] == [*known, "new items"]
    known = ["half revealed", "nothing revealed"]
    assert judged[Order.TIME]["item_item"] == known
    assert judged[Order.TIME]["transfer"] == ["new items"]
    assert judged[Order.TIME]["content"] == judged[Order.TIME]["blending"] == [*known, "new items"]
