"""Generations: immutable, self-checking builds, and the folder that holds them."""

from typing import TYPE_CHECKING

from recommender.lazy_names import lazy_names

if TYPE_CHECKING:
    from recommender.durable_files import FileEntry
    from recommender.generation.contents import Contents
    from recommender.generation.folder import Generation, Generations
    from recommender.generation.manifest import GateCheck, Manifest, Metric

__all__ = ["Contents", "FileEntry", "GateCheck", "Generation", "Generations", "Manifest", "Metric"]

# Sources know the catalogue and contents know what ranks the sources' candidates: imported at once, they would wait for each other.
__getattr__ = lazy_names(
    __name__,
    {
        "Contents": "recommender.generation.contents",
        "Generation": "recommender.generation.folder",
        "Generations": "recommender.generation.folder",
        "FileEntry": "recommender.durable_files",
        **dict.fromkeys(("GateCheck", "Manifest", "Metric"), "recommender.generation.manifest"),
    },
)
