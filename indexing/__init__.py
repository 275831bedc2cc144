"""Building: reads inputs, embeds, learns, and publishes generations."""

from typing import TYPE_CHECKING

from recommender.lazy_names import lazy_names

if TYPE_CHECKING:
    from indexing.building import Outcome, reindex
    from indexing.importing.import_files import import_events, import_items

__all__ = [
    "Outcome",
    "import_events",
    "import_items",
    "reindex",
]

__getattr__ = lazy_names(
    __name__,
    {
        "import_events": "indexing.importing.import_files",
        "import_items": "indexing.importing.import_files",
        "Outcome": "indexing.building",
        "reindex": "indexing.building",
    },
)
