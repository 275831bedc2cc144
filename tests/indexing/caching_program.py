"""A process of its own that puts more into an embedding cache than its files may hold, for the tests.

caching_program.py FOLDER LIMIT   the cache below FOLDER, none of whose files may grow beyond LIMIT bytes

Prints a line with what the cache said, then a line for each text that it knows afterwards.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

from indexing.embedding.cache import EmbeddingCache
from recommender.errors import RecommenderError


def main(folder: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    vectors = {f"text {number}": np.full(100, number, dtype=np.float32) for number in range(500)}
    with EmbeddingCache(folder) as cache:
        cache.put("model", {"first": vectors["text 1"]})
        try:
            cache.put("model", vectors)
        except RecommenderError as error:
            print(error)
        for text in cache.get("model", ["first", *vectors]):
            print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
