"""Curves over the length of the list agree with the metrics at each length."""

from __future__ import annotations

import numpy as np
import pytest

from eval.curves import curves_of
from eval.evaluation import Evaluation
from recommender.judging import ndcg, precision, recall


@pytest.mark.parametrize("k", [1, 7, 10, 100])
def test_every_point_is_the_mean_of_the_metric_there(whole: Evaluation, k: int) -> None:
    for judgement in whole.comparison.judgements.values():
        curves = curves_of(judgement)
        for name, metric in (("recall", recall), ("ndcg", ndcg), ("precision", precision)):
            assert curves[name][k - 1] == pytest.approx(metric(judgement.hits, judgement.relevant, k).mean())


def test_a_curve_has_a_point_for_each_place_of_the_list(whole: Evaluation) -> None:
    curves = curves_of(whole.comparison.judgements["blend"])
    assert {name: values.shape for name, values in curves.items()} == dict.fromkeys(("recall", "ndcg", "precision"), (100,))
    assert (np.diff(curves["recall"]) >= 0).all()
