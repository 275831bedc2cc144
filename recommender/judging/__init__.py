"""Judging: metrics, cuts in time, intervals, and the replay of held-out events through the serving engine.

The nightly gate and the offline evaluation both use it.
"""

from recommender.judging.cuts import HeldOut, cut_at_share, hold_out
from recommender.judging.intervals import Interval, bootstrap_mean, paired_difference
from recommender.judging.metrics import ndcg, recall
from recommender.judging.replay import VARIANTS, Judgement, judge

__all__ = [
    "VARIANTS",
    "HeldOut",
    "Interval",
    "Judgement",
    "bootstrap_mean",
    "cut_at_share",
    "hold_out",
    "judge",
    "ndcg",
    "paired_difference",
    "recall",
]
