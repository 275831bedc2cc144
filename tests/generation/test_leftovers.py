"""Refused generations and what killed builds left: found by age, removed, and never what is in use."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from handmade import NOW, checkerboard

from recommender.generation import GateCheck, Generations, Manifest
from recommender.generation.leftovers import BUILDING, leftovers, refused, remove_leftovers, remove_refused
from recommender.profile import BuildSettings

CONTENTS = checkerboard(12)


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


def add(generations: Generations, day: int, *, passed: bool = False) -> str:
    """A generation built on `day`."""
    at = NOW + timedelta(days=day)
    settings = BuildSettings()

    def described(generation_id: str, files: dict) -> Manifest:  # type: ignore[type-arg]
        return Manifest(
            id=generation_id,
            created_at=at,
            parent=None,
            items=12,
            events=0,
            watermark=7,
            profile=settings.model_dump(mode="json"),
            profile_hash=settings.hash,
            embedder="by hand",
            dimension=4,
            seed=0,
            libraries={},
            judged="nothing",
            metrics=(),
            checks=(GateCheck(name="sound", passed=passed, message="as it is"),),
            files=files,
        )

    return generations.add(CONTENTS, described, now=at).id


def written(path: Path, at: datetime) -> None:
    """A folder with a file in it, both last written to `at`."""
    path.mkdir(parents=True)
    (path / "part").write_bytes(b"x" * 1_000)
    for each in (path / "part", path):
        os.utime(each, (at.timestamp(), at.timestamp()))


def test_refused_generations_go_when_they_are_old_enough_and_passed_ones_do_not(generations: Generations) -> None:
    old, passed, fresh = add(generations, 0), add(generations, 1, passed=True), add(generations, 2)
    assert [manifest.id for manifest in refused(generations, NOW + timedelta(days=2))] == [old]
    assert remove_refused(generations, NOW + timedelta(days=2)) == [old]
    assert generations.ids() == [fresh, passed]
    assert not list(generations.root.glob(".old-*"))
    assert remove_refused(generations, NOW + timedelta(days=2)) == []


def test_a_refused_generation_that_serves_or_served_before_is_in_use(generations: Generations) -> None:
    ids = [add(generations, day) for day in range(3)]
    generations.activate(ids[0], now=NOW, reason="all we have")
    generations.activate(ids[1], now=NOW, reason="better")
    assert generations.in_use() == {ids[0], ids[1]}
    assert remove_refused(generations, NOW + timedelta(days=9)) == [ids[2]]
    assert generations.rollback(now=NOW) == (ids[0], ids[1])


def test_a_generation_that_cannot_be_read_is_left_to_whoever_looks_into_it(generations: Generations) -> None:
    broken, old = add(generations, 0), add(generations, 1)
    (generations.root / broken / "manifest.json").write_text("{")
    assert remove_refused(generations, NOW + timedelta(days=9)) == [old]
    assert generations.ids() == [broken]


def test_what_killed_builds_left_goes_by_when_it_was_last_written_to(generations: Generations) -> None:
    kept = add(generations, 0, passed=True)
    now = datetime(2026, 5, 1, tzinfo=UTC)
    for name, age in ((BUILDING, 9), (".new-20260301T000000-17", 8), (".old-20260301T000000-00000000", 3)):
        written(generations.root / name, now - timedelta(days=age))
    found = leftovers(generations, now - timedelta(days=7))
    assert [(left.name, left.at.date().isoformat()) for left in found] == [
        (BUILDING, "2026-04-22"),
        (".new-20260301T000000-17", "2026-04-23"),
    ]
    assert all(left.bytes >= 1_000 for left in found)
    assert remove_leftovers(generations, now - timedelta(days=7)) == [BUILDING, ".new-20260301T000000-17"]
    assert sorted(path.name for path in generations.root.iterdir() if path.is_dir()) == [".old-20260301T000000-00000000", kept]


def test_a_checkpoint_that_has_grown_lately_is_not_old(generations: Generations) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    written(generations.root / BUILDING, now - timedelta(days=9))
    written(generations.root / BUILDING / "learn", now - timedelta(days=1))
    assert leftovers(generations, now - timedelta(days=7)) == []


def test_a_checkpoint_of_which_a_killed_removal_left_a_half_goes_as_well(generations: Generations) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    written(generations.root / ".old-building", now)
    written(generations.root / BUILDING, now - timedelta(days=9))
    assert remove_leftovers(generations, now - timedelta(days=7)) == [BUILDING]
    assert not any(generations.root.iterdir())


def test_where_nothing_was_built_yet_nothing_is_left(generations: Generations) -> None:
    assert leftovers(generations, NOW) == []
    assert refused(generations, NOW) == []
