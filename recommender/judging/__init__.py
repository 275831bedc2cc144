"""Judging: metrics, cuts in time, intervals, significance, and the replay of held-out events through the serving engine.

The nightly gate and the offline evaluation both use it.
"""

from recommender.judging.cuts import HeldOut, cut_at_share, hold_out
from recommender.judging.intervals import Interval, bootstrap_mean, bootstrap_means, paired_difference
from recommender.judging.metrics import auc, average_precision, hit_rate, ndcg, precision, r_precision, recall, reciprocal_rank
from recommender.judging.replay import VARIANTS, Judgement, judge
from recommender.judging.significance import holm, randomisation_test

__all__ = [
    "VARIANTS",
    "HeldOut",
    "Interval",
    "Judgement",
    "auc",
    "average_precision",
    "bootstrap_mean",
    "bootstrap_means",
    "cut_at_share",
    "hit_rate",
    "hold_out",
    "holm",
    "judge",
    "ndcg",
    "paired_difference",
    "precision",
    "r_precision",
    "randomisation_test",
    "recall",
    "reciprocal_rank",
]
