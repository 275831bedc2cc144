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
    return tuple(source_of(name, contents, settings, item_item) for name in SourceName)


def source_of(name: SourceName, contents: Contents, settings: BuildSettings, item_item: ItemItemSource | None = None) -> Source:
    """One of `sources_of`; another one that goes by `item_item` goes by that very one, where it is given."""
    item_item = item_item or ItemItemSource(SourceName.ITEM_ITEM, contents.item_item, settings.item_item.history_decay)
    match name:
        case SourceName.CONTENT:
            return ContentSource(contents.vectors, contents.has_vector, settings.content)
        case SourceName.COLLABORATIVE:
            return CollaborativeSource(contents.factors, settings.collaborative, contents.confidence)
        case SourceName.ITEM_ITEM:
            return item_item
        case SourceName.POPULAR:
            return PopularSource(contents.popularity)
        case SourceName.FRESH:
            return FreshSource(contents.catalogue.published_at)
        case SourceName.TRANSITIONS:
            return ItemItemSource(name, contents.transitions, settings.transitions.history_decay)
        case SourceName.GRAPH:
            return GraphSource(contents.graph, settings.graph.history_decay)
        case SourceName.CO_OCCURRENCE:
            return ItemItemSource(name, contents.co_occurrence, settings.co_occurrence.history_decay)
        case SourceName.TRANSFER:
            return TransferSource(contents.transfer, item_item, settings.transfer)
        case SourceName.RESPONSE:
            return ResponseSource(contents.response)
        case SourceName.SEQUENCE:
            return SequenceSource(contents.sequence)
