from __future__ import annotations

import stat
from datetime import datetime
from pathlib import Path

import alembic.command
import numpy as np
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from pyroaring import BitMap
from stored import SQLITE_ONLY, Place, contents, rows

from recommender.errors import NotFound, SchemaMismatch, StoreError, StoreUnwritable
from recommender.events import Consent, Event, EventType, Subject, SubjectKind
from recommender.items import Item, ItemKind
from recommender.people import HISTORY_DTYPE
from recommender.store import SCHEMA_VERSION, Store, migrate_store, open_store, store_exists
from recommender.store.command import store_group
from recommender.store.migration import SCRIPTS


def with_version(place: Place, version: str) -> None:
    rows(place, "UPDATE alembic_version SET version_num = ?", version)


def test_a_missing_store_is_not_found_and_not_made(place: Place) -> None:
    assert not store_exists(place)
    with pytest.raises(NotFound, match="recommender store migrate"):
        open_store(place)
    assert not store_exists(place)
    assert not isinstance(place, Path) or list(place.parent.iterdir()) == []


def test_a_store_is_made_with_its_folder_whatever_that_is_called(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "50% off?" / "ä #1" / "store.sqlite"
    with open_store(path, create=True) as store:
        store.upsert_items([Item("a", ItemKind.ARTICLE)], now=now)
    with open_store(path) as store:
        assert store.item_numbers(["a"]) == {"a": 1}
    with open_store(path, create=True) as store:
        assert store.counts().items_live == 1


@SQLITE_ONLY
def test_only_the_owner_may_read_a_new_store(store: Store, store_path: Path, now: datetime) -> None:
    store.upsert_items([Item("a", ItemKind.ARTICLE)], now=now)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in store_path.parent.glob("store.sqlite*")}
    assert "store.sqlite-wal" in modes
    assert set(modes.values()) == {0o600}


def test_a_newer_schema_is_refused_and_left_alone(place: Place) -> None:
    migrate_store(place)
    with_version(place, "0999")
    before = contents(place)
    for attempt in (lambda: open_store(place), lambda: open_store(place, create=True), lambda: migrate_store(place)):
        with pytest.raises(SchemaMismatch, match=r"0999, newer than .* upgrade"):
            attempt()
    assert contents(place) == before


def test_an_older_schema_is_refused_with_what_to_run(place: Place) -> None:
    migrate_store(place)
    with_version(place, "0000")
    with pytest.raises(SchemaMismatch, match=r"0000, but this program needs .*run: recommender store migrate"):
        open_store(place)
    for attempt in (lambda: open_store(place, create=True), lambda: migrate_store(place)):
        with pytest.raises(SchemaMismatch, match="0000, which cannot be brought up to"):
            attempt()


@SQLITE_ONLY
def test_a_file_whose_making_was_cut_short_is_made_whole(store_path: Path) -> None:
    store_path.touch()
    with pytest.raises(SchemaMismatch, match="no schema yet"):
        open_store(store_path)
    with open_store(store_path, create=True) as store:
        assert store.change_sequence() == 0


def test_migrating_again_changes_nothing(shop: Store, place: Place, now: datetime) -> None:
    shop.record_events([Event("e", EventType.CLICK, Subject.user("u"), "i1")], now=now, consent_default=Consent.ALL)
    before = contents(place)
    assert migrate_store(place) == SCHEMA_VERSION
    assert contents(place) == before


def test_a_store_of_the_first_schema_is_upgraded_with_all_that_it_holds(
    place: Place, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        newest = alembic.command.upgrade
        earlier.setattr(alembic.command, "upgrade", lambda config, _: newest(config, "0001"))
        migrate_store(place)
    assert rows(place, "SELECT version_num FROM alembic_version") == [("0001",)]
    history = np.array([(7, EventType.CLICK, np.nan, 5)], dtype=HISTORY_DTYPE).tobytes()
    columns = "number, kind, id, consent, consent_at, consent_floor, history, consumed, dismissed, seen"
    person = (1, int(SubjectKind.SESSION), "s", 7, 5, 7, history, BitMap([7]).serialize(), b"", b"")
    rows(place, f"INSERT INTO people ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *person)
    rows(place, "UPDATE counters SET value = 1 WHERE name = 'person'")
    with pytest.raises(SchemaMismatch, match=f"0001, but this program needs {SCHEMA_VERSION}; run: recommender store migrate"):
        open_store(place)

    assert migrate_store(place) == SCHEMA_VERSION

    with open_store(place) as store:
        assert store.read_person(Subject.session("s")).person.history["item"].tolist() == [7]
        assert store.link_session("s", "ann").new
        assert store.read_person(Subject.user("ann")).person.history["item"].tolist() == [7]
        assert list(store.read_person(Subject.session("s")).person.consumed) == [7]


def test_the_schema_version_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [SCHEMA_VERSION]
    assert all(len(revision.revision) == 4 and revision.revision.isdigit() for revision in script.walk_revisions())


def test_a_database_of_another_program_is_refused_and_left_alone(place: Place) -> None:
    if isinstance(place, Path):
        place.touch()
    rows(place, "CREATE TABLE bookmarks (url TEXT)")
    before = contents(place)
    for create in (False, True):
        with pytest.raises(SchemaMismatch, match="not a store of this program"):
            open_store(place, create=create)
    with pytest.raises(SchemaMismatch, match="not a store of this program"):
        migrate_store(place)
    assert contents(place) == before


@SQLITE_ONLY
def test_a_file_that_is_no_database_is_refused_and_left_alone(store_path: Path) -> None:
    text = "id,title\n" * 1000
    store_path.write_text(text)
    for create in (False, True):
        with pytest.raises(StoreError, match="not a database"):
            open_store(store_path, create=create)
    with pytest.raises(StoreError, match="not a database"):
        migrate_store(store_path)
    assert store_path.read_text() == text


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnwritable, match="cannot be made"):
        migrate_store(tmp_path / "file" / "store.sqlite")


def test_a_store_makes_one_token_key_and_keeps_it(store: Store, place: Place) -> None:
    ((key_id, secret),) = store.token_keys()
    assert len(secret) == 32
    assert len(key_id) == 8
    assert set(key_id) <= set("0123456789abcdef")
    assert store.token_keys() == [(key_id, secret)]
    with open_store(place) as reopened:
        assert reopened.token_keys() == [(key_id, secret)]


def test_newer_token_keys_come_first(store: Store, place: Place) -> None:
    (first,) = store.token_keys()
    rows(place, "INSERT INTO token_keys (id, secret) VALUES ('00000000', ?)", b"x" * 32)
    assert store.token_keys() == [("00000000", b"x" * 32), first]


def test_the_commands_make_a_store_and_show_what_is_in_it(
    place: Place, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = CliRunner()
    name = str(tmp_path / "var" / "store.sqlite")
    if not isinstance(place, Path):
        monkeypatch.setenv("RECOMMENDER_STORE", place)
        name = f"postgresql://tester@{place.rpartition('@')[2]}"
    missing = runner.invoke(store_group, ["info", "--data", str(tmp_path / "var")])
    assert missing.exit_code == 1
    assert "recommender store migrate" in missing.output
    for _ in range(2):
        made = runner.invoke(store_group, ["migrate", "--data", str(tmp_path / "var")])
        assert (made.exit_code, made.output) == (0, f"{name} has schema {SCHEMA_VERSION}\n")
    with open_store(place if isinstance(place, str) else name) as store:
        store.upsert_items([Item(item_id, ItemKind.ARTICLE) for item_id in "abc"], now=now)
        store.delete_items(["c"], now=now)
        store.record_events([Event("e", EventType.CLICK, Subject.session("s"), "a")], now=now, consent_default=Consent.ALL)
    shown = runner.invoke(store_group, ["info", "--data", str(tmp_path / "var")])
    assert shown.exit_code == 0
    facts = dict(line.split("  ", 1) for line in shown.output.splitlines())
    stripped = {name: value.strip() for name, value in facts.items()}
    assert stripped["store"] == name
    assert stripped["schema"] == SCHEMA_VERSION
    assert stripped["items"] == "2 live, 0 hidden, 1 deleted"
    assert stripped["events"] == "1, on 1 days from 2026-03-14 to 2026-03-14"
    assert stripped["people"] == "0 users, 1 sessions"
    assert stripped["sequence"] == "5"
    assert ("free for reuse" in stripped) is not isinstance(place, str)
