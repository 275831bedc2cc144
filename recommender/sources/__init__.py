"""Sources: each proposes candidates for a batch of histories, scores any given rows, and can say what in a history caused a score.

Every source is a function of the recent history that comes with the query; none knows any person.
"""

from recommender.sources.collaborative import CollaborativeSource, whitened
from recommender.sources.content import ContentSource, Interests
from recommender.sources.fresh import FreshSource
from recommender.sources.graph import GraphSource
from recommender.sources.item_item import ItemItemSource
from recommender.sources.past import Past
from recommender.sources.popular import PopularSource
from recommender.sources.response import ResponseSource
from recommender.sources.sequence import SequenceSource
from recommender.sources.source import NO_OPINION, Causes, Scorer, Source, first_allowed
from recommender.sources.transfer import TransferSource

__all__ = [
    "NO_OPINION",
    "Causes",
    "CollaborativeSource",
    "ContentSource",
    "FreshSource",
    "GraphSource",
    "Interests",
    "ItemItemSource",
    "Past",
    "PopularSource",
    "ResponseSource",
    "Scorer",
    "SequenceSource",
    "Source",
    "TransferSource",
    "first_allowed",
    "whitened",
]
