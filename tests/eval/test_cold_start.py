"""The cold-start curve: the same people at every point, with ever more of them known."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import numpy as np
import pytest
from handmade import HOME, checkerboard, engine_of, history_of
from heldout import held_out

from eval.cold_start import cold_start
from eval.evaluation import Evaluation
from eval.truncation import truncated
from indexing.progress import Lines
from recommender.judging import judge

ENGINE = engine_of(checkerboard())
QUIET = Lines(StringIO())


def people(*lengths: int) -> list[tuple[object, list[int]]]:
    """Somebody for each length, who had that many even items and wants two others."""
    return [(history_of(*range(0, 2 * length, 2)), [30, 32]) for length in lengths]


def test_every_point_is_of_the_same_people_and_the_last_of_all_that_the_longest_length_keeps() -> None:
    everybody = held_out(*people(0, 1, 3, 3, 3, 4, 4))  # type: ignore[arg-type]
    curve = cold_start(ENGINE, everybody, HOME, "content", QUIET, seed=0)
    assert curve is not None
    # Five people have three events, nobody has five.
    assert (curve.lengths, curve.people, curve.queries) == ([0, 1, 2, 3], 5, 5)
    assert list(curve.means) == ["blend", "content", "popularity"]
    chosen = everybody.chosen(np.arange(2, 7))
    for place, length in enumerate(curve.lengths):
        for variant, means in curve.means.items():
            assert means[place].mean == judge(ENGINE, truncated(chosen, length), HOME, variant=variant).intervals["ndcg@10"].mean


def test_a_taste_that_is_known_is_worth_more_and_popularity_stays_what_it_is() -> None:
    curve = cold_start(ENGINE, held_out(*people(*[10] * 6)), HOME, "popularity", QUIET, seed=0)  # type: ignore[arg-type]
    assert curve is not None
    assert list(curve.means) == ["blend", "popularity"]
    assert curve.lengths == [0, 1, 2, 3, 5, 10]
    assert curve.means["blend"][-1].mean > curve.means["blend"][0].mean
    assert len({interval.mean for interval in curve.means["popularity"]}) == 1


@pytest.mark.parametrize("lengths", [(0,) * 9, (3, 3, 3, 3, 0, 0)])
def test_too_few_people_with_a_history_make_no_curve(lengths: tuple[int, ...]) -> None:
    assert cold_start(ENGINE, held_out(*people(*lengths)), HOME, "content", QUIET, seed=0) is None  # type: ignore[arg-type]


def test_an_evaluation_has_the_curve_only_where_it_was_asked_for(whole: Evaluation, judge: Callable[..., Evaluation]) -> None:
    assert whole.cold_start is not None
    assert whole.comparison.best_part in whole.cold_start.means
    assert judge().cold_start is None
