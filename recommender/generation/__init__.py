"""Generations: immutable, self-checking builds, and the folder that holds them."""

from recommender.generation.contents import Contents
from recommender.generation.folder import Generation, Generations
from recommender.generation.manifest import FileEntry, GateCheck, Manifest, Metric

__all__ = ["Contents", "FileEntry", "GateCheck", "Generation", "Generations", "Manifest", "Metric"]
