"""The demo's second half, against a real server: what an earlier run made is used again, and every scene is played.

The first half fetches a data set over the network, which tests do not; each of its commands has tests of its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from worlds import FILMS, build_world, films, watches

from recommender.cli import run
from recommender.events import Event, EventType, Subject
from recommender.items import Item
from server.demo.scenes import CLICKS, FILTER, KNOWN_USER, SEED

NAMED = (*CLICKS, SEED)


def movielens_like() -> tuple[list[Item], list[Event]]:
    """The world of two tastes with the ids, the user and the fields that the demo's scenes name."""
    ids = {f"film-{number}": NAMED[number] if number < len(NAMED) else f"ml-{1000 + number}" for number in range(FILMS)}
    items = [
        replace(film, id=ids[film.id], categories=(*film.categories, "Comedy"), attributes={"year": 2000 + number})
        for number, film in enumerate(films())
    ]
    events = [replace(event, id=ids[event.item_id] + event.id, item_id=ids[event.item_id]) for event in watches()]
    mine = [event for event in events if event.subject.id == "person-0"]
    events += [Event("like-" + e.id, EventType.LIKE, Subject.user(KNOWN_USER), e.item_id, at=e.at) for e in mine]
    return items, events


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    items, events = movielens_like()
    return build_world(tmp_path_factory.mktemp("demo"), items=items, events=events, model=model).data


def test_a_second_run_serves_what_is_there_and_plays_every_scene(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--data", str(data)]) == 0
    printed = capfd.readouterr().out
    assert "of an earlier run" in printed
    assert "Judged" in printed
    headings = ("A known user", "A brand-new user", "An anonymous session", "after two clicks", "Similar to", "A filtered feed", FILTER)
    assert [heading for heading in headings if heading not in printed] == []
    assert "Because you liked" in printed
    assert "Because you clicked" in printed
    assert "basis SESSION" in printed
    assert "basis PERSONAL" in printed


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--data", str(data), "--listen", "nowhere"]) == 1
    assert "nowhere" in capfd.readouterr().err
