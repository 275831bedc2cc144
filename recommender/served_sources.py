"""The sources that a generation is served with, made from its contents and settings."""

from __future__ import annotations

import numpy as np

from recommender.feeds import SourceName
from recommender.generation import Contents
from recommender.profile import BuildSettings
from recommender.sources import (
    CollaborativeSource,
    ContentSource,
    FreshSource,
    GraphSource,
    ItemItemSource,
    PopularSource,
    ResponseSource,
    SequenceSource,
    Source,
    TransferSource,
)


def settings_of(contents: Contents, settings: BuildSettings) -> BuildSettings:
    """`settings` with the decays of histories that the blend of `contents` was learnt with."""
    if contents.blend is None:
        return settings
    learnt = {SourceName(place + 1).key: float(decay) for place, decay in enumerate(contents.blend.decays) if not np.isnan(decay)}
    sections = {name: getattr(settings, name).model_copy(update={"history_decay": decay}) for name, decay in learnt.items()}
    return settings.model_copy(update=sections)


def sources_of(contents: Contents, settings: BuildSettings) -> tuple[Source, ...]:
    """All sources in the order of their names' numbers, histories fading as `settings` say."""
    item_item = ItemItemSource(SourceName.ITEM_ITEM, contents.item_item, settings.item_item.history_decay)
    return (
        ContentSource(contents.vectors, contents.has_vector, settings.content),
        CollaborativeSource(contents.factors, settings.collaborative, contents.confidence),
        item_item,
        PopularSource(contents.popularity),
        FreshSource(contents.catalogue.published_at),
        ItemItemSource(SourceName.TRANSITIONS, contents.transitions, settings.transitions.history_decay),
        GraphSource(contents.graph, settings.graph.history_decay),
        ItemItemSource(SourceName.CO_OCCURRENCE, contents.co_occurrence, settings.co_occurrence.history_decay),
        TransferSource(contents.transfer, item_item, settings.transfer),
        ResponseSource(contents.response),
        SequenceSource(contents.sequence),
    )
