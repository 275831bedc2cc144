"""Copies of a data folder that load may write to: the store's own, and the generation that is there as it is."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.durable_files import sync
from recommender.generation.checked import NOTE
from recommender.generation.folder import CURRENT


@contextmanager
def copied(data: Path, current: str) -> Iterator[Path]:
    """A folder with a copy of the store, since load writes events, and with the generation `current`."""
    with tempfile.TemporaryDirectory(dir=data, prefix="bench-") as name:
        copy = Path(name)
        copy_store(data, copy)
        # The generation itself is the real one; which one is active may change here alone.
        origin, generations = (data / "generations").resolve(), copy / "generations"
        generations.mkdir()
        (generations / current).symlink_to(origin / current, target_is_directory=True)
        if (origin / NOTE).exists():
            shutil.copy(origin / NOTE, generations)
        yield copy


def copy_store(data: Path, copy: Path) -> None:
    """Put a copy of the store into the folder `copy`, on disk, in place of the one that is there: what a run has recorded makes histories
    longer than those that the next one is to ask for."""
    for before in copy.glob("store.sqlite*"):
        before.unlink()
    source, target = sqlite3.connect(data / "store.sqlite"), sqlite3.connect(copy / "store.sqlite")
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    sync(copy / "store.sqlite")


def activate_only(generations: Path, current: str) -> None:
    """Make `current` the active generation, and remove those that an earlier run has made."""
    (generations / CURRENT).write_text(current + "\n", encoding="ascii")
    for folder in generations.iterdir():
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
