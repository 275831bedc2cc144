"""An evaluation: settings judged on held-out events through the serving engine, publishing nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from worlds import NOW, World

from eval.evaluation import OTHER, Evaluation
from eval.material import Material
from eval.rival import Rival
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.feeds import SourceName
from recommender.generation import Generations
from recommender.judging import VARIANTS
from recommender.placements import Placement
from recommender.times import DAY_US, to_micros

Judge = Callable[..., Evaluation]


def test_the_blend_beats_popularity_where_tastes_are_clear(judge: Judge, world: World) -> None:
    before = Generations(world.settings.generations_path).ids()
    result = judge()
    assert result.comparison.blend_over("popularity").low > 0
    assert list(result.comparison.judgements) == list(VARIANTS)
    assert Generations(world.settings.generations_path).ids() == before


def test_what_lies_after_the_end_plays_no_part(judge: Judge) -> None:
    until, cut = to_micros(NOW - timedelta(days=6)), to_micros(NOW - timedelta(days=12))
    result = judge(cut=cut, until=until)
    assert result.windows[0].held_out.cut == cut
    assert all((history["at"] < until).all() for history in result.comparison.held_out.histories)


def test_revealing_nothing_judges_on_what_was_known_at_the_cut(judge: Judge) -> None:
    held_out = judge(reveal=0.0).comparison.held_out
    assert all((history["at"] < held_out.cut).all() for history in held_out.histories)


def test_two_evaluations_of_the_same_store_give_the_same_figures(judge: Judge) -> None:
    first, second = judge(), judge()
    for name, judgement in first.comparison.judgements.items():
        for metric, values in judgement.values.items():
            assert np.array_equal(values, second.comparison.judgements[name].values[metric], equal_nan=True)


def test_windows_are_pooled_with_every_value_of_every_person(whole: Evaluation) -> None:
    sizes = [len(window.held_out) for window in whole.windows]
    held_out = whole.comparison.held_out
    assert len(sizes) == 2
    assert len(held_out) == sum(sizes)
    assert held_out.moments is not None
    assert np.array_equal(held_out.moments, np.repeat([window.held_out.cut for window in whole.windows], sizes))
    assert np.array_equal(whole.window_of, np.repeat([0, 1], sizes))
    assert len(np.unique(held_out.people)) < len(held_out)
    blend = whole.comparison.judgements["blend"]
    assert blend.lists.shape == (sum(sizes), 100)
    assert blend.intervals["ndcg@10"].mean == pytest.approx(blend.values["ndcg@10"].mean())


def test_a_window_learns_from_nothing_that_it_judges(whole: Evaluation) -> None:
    for window in whole.windows:
        assert window.fitted == np.count_nonzero(whole.material.events.at < window.held_out.cut)
        assert window.training_counts.sum() == window.fitted


def test_an_ablation_stands_for_every_source_and_the_same_blend(whole: Evaluation) -> None:
    assert whole.ablation is not None
    assert set(whole.ablation.judgements) == {"blend", *(source.key for source in SourceName)}
    assert whole.ablation.judgements["blend"] is whole.comparison.judgements["blend"]


def test_silencing_a_source_that_says_nothing_changes_nothing(judge: Judge) -> None:
    silent = (0.0, 0.0, 0.0, 0.0)
    weights = {**{source.key: silent for source in SourceName}, "content": (0.0, 1.0, 1.0, 1.0), "popular": (1.0, 0.1, 0.1, 0.1)}
    result = judge(placement=Placement.model_validate({"name": "home", "weights": weights}), ablate=True)
    assert result.ablation is not None
    assert result.ablation.blend_over("graph").mean == 0
    assert result.ablation.blend_over("content").low > 0


def test_another_placement_is_judged_on_the_same_fit_and_people(whole: Evaluation) -> None:
    assert whole.compared is not None
    assert whole.compared.held_out is whole.comparison.held_out
    assert set(whole.compared.judgements) == {"blend", OTHER}


def test_other_build_settings_are_fitted_anew(judge: Judge, world: World) -> None:
    blunt = world.build.model_copy(update={"half_life_days": 0.01, "history_cap": 1})
    result = judge(rival=Rival("blunt.toml", blunt, Placement(name="home")))
    assert result.compared is not None
    ours, theirs = (result.compared.judgements[name].lists for name in ("blend", OTHER))
    assert not np.array_equal(ours, theirs)


def test_the_learning_curve_ends_where_the_evaluation_stands(whole: Evaluation) -> None:
    quarter, half, all_of_them = whole.learning_curve
    assert [point.share for point in whole.learning_curve] == [0.25, 0.5, 1.0]
    assert 0 < quarter.people < half.people < all_of_them.people
    assert quarter.events < half.events < all_of_them.events == whole.windows[-1].fitted
    last = whole.window_of == 1
    assert np.array_equal(all_of_them.judgement.values["ndcg@10"], whole.comparison.judgements["blend"].values["ndcg@10"][last])


def test_cold_people_and_cold_items_leave_training_altogether(judge: Judge) -> None:
    people = judge(split="cold-people", known=2, share=0.3)
    assert all(len(history) == 2 for history in people.comparison.held_out.histories)
    items = judge(split="cold-items")
    rows = items.material.catalogue.rows_of(np.concatenate(items.comparison.held_out.targets))
    assert (items.windows[0].training_counts[rows] == 0).all()


def test_a_placement_that_may_repeat_is_judged_on_what_is_taken_up_again(judge: Judge, material: Material) -> None:
    events, early = material.events, material.events.before(to_micros(NOW - timedelta(days=15)))
    again = EventTable.sorted(
        *(np.append(getattr(events, name), getattr(early, name)) for name in ("person", "item", "type", "value")),
        np.append(events.at, early.at + 12 * DAY_US),
        np.append(events.consent, early.consent),
        np.arange(len(events) + len(early)),
    )
    repeating = replace(material, events=again)
    for repeat, found in (("never", 0), ("allowed", 1)):
        result = judge(on=repeating, placement=Placement(name="radio", repeat=repeat))
        held_out = result.comparison.held_out
        old = [np.isin(wanted, known.to_array()).any() for wanted, known in zip(held_out.targets, held_out.consumed, strict=True)]
        assert any(old) == bool(found)
        had = [set(known) for known in held_out.consumed]
        numbers = result.material.catalogue.numbers
        lists = result.comparison.judgements["blend"].lists
        assert any(set(numbers[line[line >= 0]]) & some for line, some in zip(lists, had, strict=True)) == bool(found)


def test_a_random_split_comes_with_a_warning(judge: Judge) -> None:
    assert "leaks the future" in judge(split="random").warnings[0]
    assert judge().warnings == ()


def test_a_cut_after_the_last_event_leaves_nobody_to_judge_and_says_so(judge: Judge) -> None:
    with pytest.raises(InvalidInput, match=r"--cut: .*the newest event is of"):
        judge(cut=to_micros(NOW))
