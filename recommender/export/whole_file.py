"""A file that appears whole or not at all, whatever happens to the process that writes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from recommender.durable_files import sync
from recommender.errors import InvalidInput, Locked, RecommenderError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """An open file, empty, that takes the name `path` when the block ends well, durably, and goes when it does not.

    What a killed process left is overwritten. Raises `InvalidInput` where the folder does not exist or `path` is one, `Locked` while
    another process writes the same file, and `RecommenderError` where it cannot be written, such as on a full disk.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InvalidInput("output", str(path), "a file in a folder that exists")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked(f"{path} is being written by another process") from None
            file.truncate(0)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        sync(path.absolute().parent)
    except OSError as error:
        raise RecommenderError(f"cannot write {path}: {error.strerror or error}; nothing is left of it") from error
