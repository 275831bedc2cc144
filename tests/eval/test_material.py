"""What is judged on: the store with its people's names, and public sets by format."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from worlds import NOW, World

from eval.material import FORMATS, Material, from_files, from_store
from eval.splitting import Cutting, splits_of
from indexing.progress import Lines
from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject
from recommender.order import Order
from recommender.profile import BuildSettings
from recommender.store import open_store


def test_the_store_gives_everybody_the_name_that_their_events_came_with(material: Material, world: World) -> None:
    assert material.order is Order.TIME
    with open_store(world.settings.store_path) as store:
        for number in (1, 7):
            subject = material.people[number]
            mine = material.events.item[material.events.person == number]
            assert set(store.read_person(subject).person.history["item"]) == set(mine)
    assert set(material.people.values()) == {Subject.user(f"person-{number}") for number in range(40)}


def test_a_session_that_was_forgotten_has_a_name_of_its_own(fresh_world: Callable[[], World]) -> None:
    where = fresh_world().settings.store_path
    with open_store(where) as store:
        old = Event("s-1", EventType.WATCH, Subject.session("s"), "film-1", at=NOW - timedelta(days=20), portion=1.0)
        store.record_events([old], now=NOW, consent_default=Consent.ALL)
        number = store.last_person()
        quiet = store.expiry.quiet_sessions(NOW.date(), events_from=None)
        assert sum(store.expiry.forget(quiet, numbers) for numbers in quiet.parts()) == 1
    found = from_store(where, Lines(StringIO()))
    assert found.people[number] == Subject.session(f"forgotten-{number}")
    assert set(found.events.person.tolist()) <= found.people.keys()


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path / "store.sqlite", create=True).close()
    with pytest.raises(InvalidInput, match="a store with events"):
        from_store(tmp_path / "store.sqlite", Lines(StringIO()))


def test_a_public_set_is_read_with_its_own_test_part(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("7 1 2\n8 2 3\n", encoding="utf-8")
    (tmp_path / "test.txt").write_text("7 3\n", encoding="utf-8")
    found = from_files(tmp_path, "lightgcn", "", Lines(StringIO()))
    assert found.order is Order.NONE
    assert found.test is not None
    assert [subject.id for subject in found.people.values()] == ["7", "8"]
    assert found.catalogue.n == len(found.items) == 3


def test_a_set_that_says_what_was_shown_is_judged_on_it_where_that_is_asked_for(tmp_path: Path) -> None:
    lines = [f"{n}\tu{n % 2}\t11/13/2019 8:{10 + n}:57 AM\tN1\tN2-1 N3-0{' N4-0' * (n % 2)}" for n in range(4)]
    (tmp_path / "behaviors.tsv").write_text("\n".join([*lines, "5\tu0\t11/13/2019 9:00:00 AM\tN1\tN3-0"]) + "\n", encoding="utf-8")
    found = from_files(tmp_path, "mind", "", Lines(StringIO()))
    (split,), _ = splits_of(found, BuildSettings(), Cutting(split="impressions", share=0.5))
    assert [len(offered) for offered in split.held_out.candidates or []] == [2, 3]
    assert [len(wanted) for wanted in split.held_out.targets] == [1, 1]
    assert split.excluded == 1


def test_an_unknown_format_and_an_unknown_set_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--format: given 'netflix', allowed: one of movielens, lightgcn"):
        from_files(tmp_path, "netflix", "", Lines(StringIO()))
    for format in set(FORMATS) - {"sequences"}:
        with pytest.raises(InvalidInput, match="--set: given 'moon'"):
            from_files(tmp_path, format, "moon", Lines(StringIO()))
    with pytest.raises(InvalidInput, match=r"moon\.txt"):
        from_files(tmp_path, "sequences", "moon", Lines(StringIO()))
