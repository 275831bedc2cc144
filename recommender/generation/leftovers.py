"""What lies below the folder of generations and serves nobody: refused generations, and what killed builds left behind."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recommender.errors import CorruptGeneration
from recommender.generation.folder import REMOVED, UNFINISHED, Generations
from recommender.generation.manifest import Manifest

BUILDING = ".building"
"""The folder of what the stages of a build have made."""


@dataclass(frozen=True)
class Leftover:
    """What a killed build or removal left: its `name` below the folder of generations, `bytes`, and when it was last written to."""

    name: str
    bytes: int
    at: datetime


def refused(generations: Generations, before: datetime) -> list[Manifest]:
    """The generations that their gate refused and that were built before `before`, newest first.

    The active one and the one to go back to are in use, whatever their gates said. One whose manifest cannot be read is not among them.
    """
    in_use = generations.in_use()
    found = []
    for generation_id in generations.ids():
        try:
            manifest = generations.manifest(generation_id)
        except CorruptGeneration:
            continue
        if generation_id not in in_use and not manifest.passed and manifest.created_at < before:
            found.append(manifest)
    return found


def remove_refused(generations: Generations, before: datetime) -> list[str]:
    """Remove what `refused` names; returns the ids. Only the holder of the writer's lock may call it."""
    return generations.remove(lambda: [manifest.id for manifest in refused(generations, before)])


def leftovers(generations: Generations, before: datetime) -> list[Leftover]:
    """What killed builds left and was last written to before `before`, by name. While a build runs, some of it is that build's."""
    found = []
    for path in _paths(generations.root):
        try:
            files = [each.stat() for each in (path, *path.rglob("*"))]
        except FileNotFoundError:
            # A build is at work in it.
            continue
        left = Leftover(path.name, sum(file.st_size for file in files), datetime.fromtimestamp(max(file.st_mtime for file in files), UTC))
        if left.at < before:
            found.append(left)
    return found


def remove_leftovers(generations: Generations, before: datetime) -> list[str]:
    """Remove what `leftovers` names; returns the names. Only the holder of the writer's lock may call it."""
    removed = []
    for left in leftovers(generations, before):
        path = generations.root / left.name
        if not path.exists():
            continue
        if left.name == BUILDING:
            # A kill must leave no half of it that a build would go on with.
            away = generations.root / f"{REMOVED}{BUILDING.removeprefix('.')}"
            shutil.rmtree(away, ignore_errors=True)
            path = path.rename(away)
        shutil.rmtree(path)
        removed.append(left.name)
    return removed


def _paths(root: Path) -> list[Path]:
    names = [BUILDING, f"{UNFINISHED}*", f"{REMOVED}*"]
    return sorted(path for name in names for path in root.glob(name) if path.is_dir()) if root.is_dir() else []
