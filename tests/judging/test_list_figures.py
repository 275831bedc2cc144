"""Lists measured as lists, beside the replay that made them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import log, log2

import numpy as np
import pytest
from handmade import HOME, NOW, checkerboard, contents_of, engine_of, history_of, some_items
from heldout import held_out, of_both_sides

from recommender.items import Item, ItemKind
from recommender.judging import judge
from recommender.judging.list_figures import LISTED
from recommender.times import to_micros

ENGINE = engine_of(checkerboard())


def film(row: int, *categories: str) -> Item:
    """A film published four times `row` days before NOW."""
    return Item(id=f"film-{row}", kind=ItemKind.MEDIA, title="Film", categories=categories, published_at=NOW - timedelta(days=4 * row))


def test_list_figures_by_hand() -> None:
    # Every item is 4 days older than the one before; vectors of 0 and 2 are alike, 1 is at right angles, and 3 has none.
    items = [film(0, "war"), film(1, "war", "love"), film(2, "love"), film(3)]
    engine = engine_of(contents_of(items, vectors=[[1, 0], [0, 1], [1, 0], [0, 0]], popularity=[4, 2, 1, 1]))
    people = replace(held_out((history_of(0), [1]), (history_of(), [3]), (history_of(3), [0])), cut=to_micros(NOW))
    judgement = judge(engine, people, HOME, variant="popularity", lists=True)
    assert [line[line >= 0].tolist() for line in judgement.lists] == [[1, 2, 3], [0, 1, 2, 3], [0, 1, 2]]
    bits = [-log2(5 / 12), -log2(3 / 12), -log2(2 / 12), -log2(2 / 12)]
    # What the first one likes is war; the list holds a film of war and love, and one of love.
    off = log(1 / (0.99 * 0.25 + 0.01 * 1))
    expected = {
        "popularity@10": [(2 + 1 + 1) / 8 / 3, 8 / 8 / 4, (4 + 2 + 1) / 8 / 3],
        "history_popularity": [4 / 8, np.nan, 1 / 8],
        "novelty@10": [sum(bits[1:]) / 3, sum(bits) / 4, sum(bits[:3]) / 3],
        "diversity@10": [1 - 0 / 1, 1 - 1 / 3, 1 - 1 / 3],
        "serendipity@10": [0, 0, 0],
        "age_days@10": [(4 + 8 + 12) / 3, (0 + 4 + 8 + 12) / 4, (0 + 4 + 8) / 3],
        "fresh@10": [1 / 10, 2 / 10, 2 / 10],
        "miscalibration@10": [off, np.nan, np.nan],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(judgement.values[name], values, atol=1e-6, err_msg=name)
        known = np.array(values)[~np.isnan(values)]
        assert judgement.intervals[name].mean == pytest.approx(known.mean(), abs=1e-6)
    lift = ((2 + 1 + 1) / 8 / 3 + (4 + 2 + 1) / 8 / 3) / (4 / 8 + 1 / 8) - 1
    # Shown are 0 twice, 1 three times, 2 three times and 3 twice: in ascending order 2, 2, 3, 3 of 10.
    assert judgement.overall == pytest.approx(
        {
            "coverage@10": 4 / 4,
            "user_coverage@10": 0,
            "gini@10": (-3 * 2 - 1 * 2 + 1 * 3 + 3 * 3) / 10 / (4 - 1),
            "popularity_lift@10": lift,
        }
    )


def test_what_popularity_would_have_shown_is_no_surprise() -> None:
    people = of_both_sides(30)
    assert not judge(ENGINE, people, HOME, variant="popularity", lists=True).values["serendipity@10"].any()
    judgement = judge(ENGINE, people, HOME, lists=True)
    surprises = judgement.values["serendipity@10"]
    assert 0 < surprises.mean() < judgement.values["precision@10"].mean()
    assert (surprises <= judgement.values["precision@10"]).all()


def test_the_fallback_covers_nobody() -> None:
    engine = engine_of(contents_of(some_items(20), factors=np.ones((20, 2)), popularity=np.arange(20, 0, -1)))
    people = held_out((history_of(0), [3]), (history_of(), [4]))
    judgement = judge(engine, people, HOME, variant="collaborative", lists=True)
    # Both have ten items, but of the second nothing is known that factors could go by.
    assert (judgement.lists[:, :LISTED] >= 0).all()
    assert judgement.overall["user_coverage@10"] == 1 / 2


def test_lists_are_measured_only_when_asked_and_change_no_other_figure() -> None:
    people = of_both_sides(30)
    plain, listed = judge(ENGINE, people, HOME), judge(ENGINE, people, HOME, lists=True)
    assert "novelty@10" not in plain.values
    assert {name: listed.values[name].tolist() for name in plain.values} == {name: values.tolist() for name, values in plain.values.items()}
    assert listed.intervals["ndcg@10"] == plain.intervals["ndcg@10"]


def test_list_figures_do_not_depend_on_how_many_people_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    people = of_both_sides(30)
    whole = judge(ENGINE, people, HOME, lists=True)
    monkeypatch.setattr("recommender.judging.replay.BATCH", 7)
    parts = judge(ENGINE, people, HOME, lists=True)
    for name, values in whole.values.items():
        np.testing.assert_allclose(values, parts.values[name], err_msg=name)
    assert whole.overall == pytest.approx(parts.overall)


def test_an_engine_without_items_has_no_list_figures_and_does_not_fail() -> None:
    judgement = judge(engine_of(contents_of([])), held_out((history_of(), [0])), HOME, lists=True)
    assert judgement.shown == 0
    assert "novelty@10" not in judgement.intervals
    assert judgement.overall == {"coverage@10": 0, "user_coverage@10": 0, "gini@10": 0}
