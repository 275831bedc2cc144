"""Vectors by (model, text): a night embeds only what changed. The cache may be deleted at any time; it is filled again."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from recommender.errors import RecommenderError

FILE = "embeddings.sqlite"
_LOOKUP = 500

log = logging.getLogger(__name__)


class EmbeddingCache:
    """One SQLite file in `folder`, for any number of models. A killed run loses at most the batch it was writing.

    A damaged file is thrown away with a warning. Raises `RecommenderError` when there is no room for it or no right to write.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _opened(self._path)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._throw_away(error)

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def get(self, model: str, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The known vectors of `texts` under `model`."""
        with self._explained():
            try:
                return self._get(model, texts)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._connection.close()
                self._throw_away(error)
                return {}

    def put(self, model: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Keep `vectors` by text."""
        with self._explained():
            try:
                self._put(model, vectors)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._connection.close()
                self._throw_away(error)
                self._put(model, vectors)

    def _get(self, model: str, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
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

    def _put(self, model: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        # As a context manager the connection commits, or rolls back when anything fails.
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                ((model, _digest(text), vector.astype("<f4").tobytes()) for text, vector in vectors.items()),
            )

    def _throw_away(self, error: sqlite3.DatabaseError) -> None:
        log.warning("the embedding cache %s is damaged (%s); it is thrown away and filled again", self._path, error)
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(FILE + suffix).unlink(missing_ok=True)
        self._connection = _opened(self._path)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            why = "; the disk is full, read-only or failing" if _is_of_the_disk(error) else ""
            raise RecommenderError(f"cannot use the embedding cache {self._path}: {error}{why}; it may be deleted at any time") from error


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # Only speed is at stake here, so commits need not wait for the disk.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (model TEXT, text BLOB, vector BLOB, PRIMARY KEY (model, text)) WITHOUT ROWID"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def _is_of_the_disk(error: OSError | sqlite3.OperationalError) -> bool:
    """Whether SQLite, which says little more than "disk I/O error", could not write; other errors name their cause."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is bad, rather than the disk full or the file locked."""
    return error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
