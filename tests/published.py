"""Generations made by hand and published to a remote place by several machines, each with a cache of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from handmade import contents_of, some_items

from recommender.generation import Contents, FileEntry, GateCheck, Generations, Manifest
from recommender.profile import BuildSettings
from recommender.remote.writer import RemoteWriter

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is turned forward."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, by: timedelta) -> None:
        self.at += by


def contents(n: int = 12, *, popularity: float = 1.0) -> Contents:
    """Contents that differ by their `popularity` in nothing but the files of it."""
    return contents_of(some_items(n), popularity=[popularity] * n)


def added(generations: Generations, made: Contents, now: datetime, *, passed: bool = True) -> str:
    """A generation with contents `made` by hand, written at `now` and not active; its id."""
    settings = BuildSettings()

    def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
        fields: dict[str, Any] = {
            "parent": None,
            "items": made.catalogue.n,
            "events": 0,
            "watermark": 0,
            "profile": settings.model_dump(mode="json"),
            "profile_hash": settings.hash,
            "embedder": "by hand",
            "dimension": made.vectors.dimension,
            "seed": 0,
            "libraries": {},
            "judged": "nothing",
            "metrics": (),
            "checks": (GateCheck(name="size", passed=passed, message="as expected" if passed else "far too small"),),
        }
        return Manifest(id=generation_id, created_at=now, files=files, **fields)

    return generations.add(made, describe, now=now).id


@dataclass
class Machine:
    """One machine with a cache of its own."""

    remote: RemoteWriter

    @property
    def cache(self) -> Generations:
        return self.remote.cache

    def build(self, made: Contents, *, minute: int, passed: bool = True) -> str:
        """A generation of the cache, built at a `minute`, that is not at the place yet; its id."""
        return added(self.cache, made, START + timedelta(minutes=minute), passed=passed)

    def publish(self, minute: int, *, popularity: float = 1.0, keep: int = 3) -> str:
        """Build and publish a generation as a night does; its id."""
        with self.remote.writing("build") as writing:
            writing.follow()
            generation_id = self.build(contents(popularity=popularity), minute=minute)
            writing.upload(generation_id)
            writing.activate(generation_id, now=START + timedelta(minutes=minute))
            writing.prune(keep)
        return generation_id
