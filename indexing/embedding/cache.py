"""Vectors by (model, text): a night embeds only what changed. The cache may be deleted at any time; it is filled again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

_LOOKUP = 500


class EmbeddingCache:
    """One SQLite file in `folder`, for any number of models. A killed run loses at most the batch it was writing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "embeddings.sqlite", timeout=60, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Only speed is at stake here, so commits need not wait for the disk.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (model TEXT, text BLOB, vector BLOB, PRIMARY KEY (model, text)) WITHOUT ROWID"
        )

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def get(self, model: str, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The known vectors of `texts` under `model`."""
        digests = {_digest(text): text for text in texts}
        keys = list(digests)
        found: dict[str, npt.NDArray[np.float32]] = {}
        for start in range(0, len(keys), _LOOKUP):
            part = keys[start : start + _LOOKUP]
            marks = ",".join("?" * len(part))
            for digest, vector in self._connection.execute(
                f"SELECT text, vector FROM vectors WHERE model = ? AND text IN ({marks})", (model, *part)
            ):
                found[digests[digest]] = np.frombuffer(vector, dtype="<f4")
        return found

    def put(self, model: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Keep `vectors` by text."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
            ((model, _digest(text), vector.astype("<f4").tobytes()) for text, vector in vectors.items()),
        )
        self._connection.execute("COMMIT")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
