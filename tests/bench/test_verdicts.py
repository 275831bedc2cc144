"""What is said of a value beside what is published and wanted, and how values are written."""

from __future__ import annotations

import numpy as np
import pytest

from eval.bench.measures import Kind, Measure
from eval.bench.ratios import ratio_of_means
from eval.bench.verdicts import aim_in_words, must_in_words, published_in_words, row_of, value_in_words, verdict
from recommender.judging import Interval

RECALL = Measure("recall@20", 0.19, 0.193, 0.1985)
LEAD = Measure("ndcg@10", None, None, 0.15, Kind.LEAD, 0.01)
SECONDS = Measure("", None, 300, 75, Kind.SECONDS)


@pytest.mark.parametrize(
    ("measure", "value", "p", "said"),
    [
        (RECALL, 0.1985, None, "aim reached"),
        (RECALL, 0.193, None, "reached"),
        (RECALL, 0.192, None, "MISSED"),
        (LEAD, 0.2, 0.001, "aim reached"),
        (LEAD, 0.2, 0.01, "MISSED"),
        (LEAD, 0.1, 0.001, "reached"),
        (LEAD, -0.2, 0.001, "MISSED"),
        (SECONDS, 75, None, "aim reached"),
        (SECONDS, 76, None, "reached"),
        (SECONDS, 301, None, "MISSED"),
        (Measure("auc", None, None, 0.65), 0.6, None, "below the aim"),
        (Measure("auc", None, None, 0.65), 0.65, None, "aim reached"),
        (Measure("auc", 0.688), 0.7, None, "above the best published"),
        (Measure("auc", 0.688), 0.688, None, "below the best published"),
        (Measure("auc"), 0.7, None, ""),
        (Measure("auc", kind=Kind.OVER, p=0.05), 0.1, 0.04, "reached"),
        (Measure("recall@20", None, 2, 3, Kind.TIMES), 2.5, 0.9, "reached"),
    ],
)
def test_the_verdict_goes_by_must_then_aim_then_what_is_published(measure: Measure, value: float, p: float | None, said: str) -> None:
    assert verdict(measure, value, p) == said


def test_values_and_bounds_are_written_as_their_kind_is_read() -> None:
    assert value_in_words(row_of(RECALL, Interval(0.1924, 0.1901, 0.1949))) == ".1924 [.190, .195]"
    assert value_in_words(row_of(LEAD, Interval(0.1524, 0.1, 0.2), 0.0001)) == "+15.2 % [+10.0, +20.0], p <.001"
    assert value_in_words(row_of(SECONDS, Interval(56.4, 56.4, 56.4))) == "56 s"
    assert value_in_words(row_of(Measure("recall@20", kind=Kind.TIMES), Interval(10.5, 1, 20))) == "10.50 × [1.00, 20.00]"
    assert (published_in_words(RECALL), must_in_words(RECALL), aim_in_words(RECALL)) == (".1900", "≥ .1930", "≥ .1985")
    assert (published_in_words(LEAD), must_in_words(LEAD), aim_in_words(LEAD)) == ("–", "p < .01", "≥ +15 %")
    assert (must_in_words(SECONDS), aim_in_words(SECONDS)) == ("≤ 300 s", "≤ 75 s")
    assert [Measure("hit_rate@10").label, Measure("auc", kind=Kind.OVER).label] == ["HR@10", "AUC over popularity"]


def test_a_ratio_is_of_means_and_resamples_whole_people() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.random(400)
    ours = 2 * theirs + rng.normal(0, 0.02, 400).clip(-0.05, 0.05) + 0.05
    alone = ratio_of_means(ours, theirs, np.random.default_rng(1), people=np.arange(400))
    assert alone.mean == pytest.approx(ours.sum() / theirs.sum())
    assert alone.low < alone.mean < alone.high
    # Ten values of each person that are all the same are no more evidence than one.
    ten = [np.repeat(values[:40], 10) for values in (ours, theirs, np.arange(400.0))]
    few = ratio_of_means(*ten[:2], np.random.default_rng(1), people=ten[2].astype(np.int64))
    once = ratio_of_means(ours[:40], theirs[:40], np.random.default_rng(1), people=np.arange(40))
    assert (few.low, few.high) == pytest.approx((once.low, once.high))


def test_a_ratio_to_nothing_is_infinite_and_of_nothing_to_nothing_one() -> None:
    people, rng = np.arange(3), np.random.default_rng(0)
    assert ratio_of_means(np.ones(3), np.zeros(3), rng, people=people).mean == np.inf
    assert ratio_of_means(np.zeros(3), np.zeros(3), rng, people=people).mean == 1
    for ours in (np.ones(2), np.full(3, np.nan), np.full(3, -1.0)):
        with pytest.raises(ValueError, match=r"people|finite"):
            ratio_of_means(ours, np.ones(3), rng, people=people)
