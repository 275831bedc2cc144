"""A month of days of the same volume: with rules the store stops growing, without them it does not, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from postgres_cluster import Cluster

from eval.retention_soak.command import bench_retention
from eval.retention_soak.days import Volume
from eval.retention_soak.simulation import Night, growth, simulated
from recommender.errors import InvalidInput
from recommender.retention import Rules
from recommender.store import open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
VOLUME = Volume(events=300, feeds=100, items=60, seed=1)
RULES = Rules(event_days=8, least_events=0, session_days=6, decision_days=5, refused_days=0, unfinished_days=0, late_days=0)
FOR_EVER = Rules(0, 0, 0, 0, 0, 0, 0)
DAYS = 30

MOST = 0.05
"""Share by which a store may grow over ten of thirty days, in which a third of what it holds without rules has come."""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where there is nothing yet."""
    if request.param == "sqlite":
        yield tmp_path / "store.sqlite"
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    url = cluster.new()
    yield url
    cluster.drop(url)


def soaked(place: Path | str, rules: Rules) -> list[Night]:
    return simulated(place, VOLUME, rules, days=DAYS, start=START, dedup_days=5)


def test_under_its_rules_a_store_stops_growing(place: Path | str) -> None:
    nights = soaked(place, RULES)
    assert growth(nights) < MOST
    assert len({(night.events, night.sessions, night.decisions) for night in nights[15:]}) == 1
    last = nights[-1]
    assert (last.events, last.decisions) == (9 * VOLUME.events, 6 * VOLUME.feeds)
    # One in five was linked, and is not counted; one in ten came back the day after, and stays a day longer.
    assert last.sessions == 7 * VOLUME.sessions * 4 // 5 + VOLUME.sessions // 10
    assert last.users == VOLUME.users
    with open_store(place) as store:
        assert sum(1 for _ in store.subjects()) < 12 * VOLUME.sessions


def test_without_rules_the_same_store_goes_on_growing(place: Path | str) -> None:
    nights = soaked(place, FOR_EVER)
    assert growth(nights) > 4 * MOST
    assert nights[-1].events == DAYS * VOLUME.events
    assert not any(night.expired for night in nights)


def test_growth_is_that_of_the_last_third() -> None:
    def night(day: int, size: int) -> Night:
        return Night(day, size, 0, 0, 0, 0, 0, 0, 0.0, None)

    assert growth([night(1, 10), night(2, 100), night(3, 110)]) == pytest.approx(0.1)
    assert growth([night(day, 50 + day) for day in range(9)]) == pytest.approx(3 / 55)
    with pytest.raises(InvalidInput, match="3 or more"):
        growth([night(1, 10)])


def test_the_command_prints_each_day_and_the_growth_and_writes_them_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    small = ["--days", "6", "--events", "100", "--feeds", "20", "--items", "30"]
    rules = ["--event-days", "2", "--session-days", "2", "--decision-days", "2"]
    result = CliRunner().invoke(bench_retention, [*small, *rules, "--json", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    figures = json.loads(file.read_text())
    assert [night["day"] for night in figures["nights"]] == [1, 2, 3, 4, 5, 6]
    assert figures["nights"][-1]["decisions"] == 60
    assert figures["nights"][-1]["longest_ms"] > 0
    assert f"the store grew by {100 * figures['growth']:+.1f} %" in " ".join(result.output.split())


def test_a_store_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.sqlite", create=True):
        pass
    with pytest.raises(InvalidInput, match="a place where there is nothing yet"):
        soaked(tmp_path / "store.sqlite", RULES)
