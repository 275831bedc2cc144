"""Ranking: how what sources say becomes one order, learnt by a build and served from arrays."""

from recommender.ranking.blend import Blend
from recommender.ranking.features import FEATURES, MONOTONE, ItemFacts, features
from recommender.ranking.pool import Pool
from recommender.ranking.trees import Trees

__all__ = ["FEATURES", "MONOTONE", "Blend", "ItemFacts", "Pool", "Trees", "features"]
